/* lab_relay - the log becomes a stream; the relay dies, comes back, and neither loses nor repeats an event. Then the ways
 * that go wrong, on the same engine (lab_broken.c). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/lab/scenarios.h"
#include "pipeline/lab/shop.h"
#include "pipeline/relay/relay.h"
#include "pipeline/stream/stream.h"
#include "wal/wal.h"

struct lab_relay_world {
    struct lab_shop s;
    struct relay *relay;
    char wal[SEAM_PATH_MAX_BYTES], stream[SEAM_PATH_MAX_BYTES];
};

static enum seam_status draw_log(struct lab_relay_world *x, struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_buf line = {0};
    enum seam_status st = wal_reader_open(x->s.l->io, x->wal, SEAM_LSN_NONE, 0, &r, f);

    seam_buf_str(&x->s.l->draw, "log (durable):\n");
    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK) {
        seam_buf_clear(&line);
        wal_change_explain(rec.type, rec.data, rec.size, &line);
        if (strncmp(seam_buf_cstr(&line), "schema", 6) == 0 || rec.type == WAL_CHANGE_CHECKPOINT)
            continue;
        seam_buf_printf(&x->s.l->draw, "  ends %6" PRIu64 "  %s\n", rec.end, seam_buf_cstr(&line));
    }
    seam_buf_free(&line);
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status draw_stream(struct lab_relay_world *x, struct seam_fault *f)
{
    static const char *const ops[] = {"", "insert", "update", "delete"};
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct seam_buf *b = &x->s.l->draw;
    unsigned shown = 0;
    enum seam_status st = stream_reader_open(x->s.l->io, x->stream, STREAM_FROM_START, 0, &r, NULL);

    seam_buf_str(b, "stream:\n");
    if (st == SEAM_NOT_FOUND) st = SEAM_END; /* no stream yet */
    while (st == SEAM_OK && (st = stream_reader_next(r, &e, f)) == SEAM_OK) {
        shown++;
        if (e.kind == STREAM_SCHEMA)
            seam_buf_printf(b, "  offset %3" PRIu64 "  LSN %6" PRIu64 "  shape of table %u\n",
                            e.offset, e.lsn, e.schema.table);
        else if (e.kind == STREAM_ROW)
            seam_buf_printf(b,
                            "  offset %3" PRIu64 "  LSN %6" PRIu64
                            "  %s in table %u (change %" PRIu64 " of %" PRIu64
                            " of transaction %" PRIu64 ")\n",
                            e.offset, e.lsn, ops[e.row.op <= 3 ? e.row.op : 0], e.row.table,
                            e.seq + 1, e.total, e.txn);
        else if (e.kind == STREAM_BEAT)
            seam_buf_printf(b,
                            "  offset %3" PRIu64 "  LSN %6" PRIu64
                            "  heartbeat: nothing else was committed up to here\n",
                            e.offset, e.lsn);
    }
    if (shown == 0) seam_buf_str(b, "  nothing is shown\n");
    stream_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status step(struct lab_relay_world *x, const char *title, struct seam_fault *f)
{
    enum seam_status st = draw_log(x, f);

    if (st == SEAM_OK) st = draw_stream(x, f);
    return st == SEAM_OK ? lab_step(x->s.l, title, f) : st;
}

static enum seam_status open_relay(struct lab_relay_world *x, struct seam_fault *f)
{
    const struct relay_options o = {.trace = x->s.l->trace, .segment_bytes = WAL_SEGMENT_MIN};

    return relay_open(&x->s.p, &o, &x->relay, f);
}

static enum seam_status sell(struct lab_relay_world *x, int id, seam_lsn_t *lsn,
                             struct seam_fault *f)
{
    char json[200];

    snprintf(
        json, sizeof json,
        "{\"product_id\":%d,\"sku\":\"S-%d\",\"title\":\"thing %d\",\"price\":\"1\",\"stock\":1}",
        id, id, id);
    return lab_shop_put(&x->s, "products", json, lsn, f);
}

/* Ships everything durable, one step at a time. */
static enum seam_status ship(struct lab_relay_world *x, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK) st = relay_step(x->relay, f);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status begin(struct lab_relay_world *x, struct seam_fault *f)
{
    seam_lsn_t lsn;
    enum seam_status st = lab_shop_open(x->s.l, &x->s, f);

    if (st == SEAM_OK) st = platform_path(&x->s.p, "wal", x->wal, f);
    if (st == SEAM_OK) st = platform_path(&x->s.p, "stream", x->stream, f);
    for (int i = 1; st == SEAM_OK && i <= 3; i++) st = sell(x, i, &lsn, f);
    seam_buf_str(&x->s.l->story,
                 "Three commits. The log has each transaction's begin, rows and commit; "
                 "there is no stream yet. Nobody polls the tables: "
                 "what happened is in the log already.");
    if (st == SEAM_OK) st = step(x, "Commits in the log", f);
    if (st == SEAM_OK) st = open_relay(x, f);
    if (st == SEAM_OK) st = ship(x, f);
    seam_buf_str(&x->s.l->story,
                 "The relay read the log up to the durable LSN and appended whole committed "
                 "transactions to the stream, in order. Each event "
                 "has an offset, the LSN of its commit, and its place in the transaction.");
    return st == SEAM_OK ? step(x, "The relay ships", f) : st;
}

static enum seam_status crash(struct lab_relay_world *x, struct seam_fault *f)
{
    struct platform_source source = {0};
    struct relay_stats stats;
    seam_lsn_t lsn;
    enum seam_status st = SEAM_OK;

    for (int i = 4; st == SEAM_OK && i <= 6; i++) st = sell(x, i, &lsn, f);
    if (st == SEAM_OK) st = relay_step(x->relay, f);
    if (st != SEAM_OK) return st;
    relay_stats(x->relay, &stats);
    seam_io_sim_plant(x->s.l->disk, SEAM_SIM_POWER_CUT, 1,
                      false);    /* whatever it does next does not happen */
    relay_close(x->relay, NULL); /* would have synced */
    x->relay = NULL;
    seam_io_sim_clear(x->s.l->disk);
    seam_io_sim_reboot(x->s.l->disk);
    st = platform_open_source(&x->s.p, &source,
                              f); /* the shop comes back first, and recovers its log */
    st = platform_close_source(&source, st, f);
    if (st != SEAM_OK) return st;
    seam_buf_printf(
        &x->s.l->story,
        "Three more commits; the relay had shipped %" PRIu64 " events (LSN %" PRIu64
        ") when the power went, in the shop too. It had not synced the stream, and "
        "what the disk kept of it was decided by lot; readers are shown none of it until a relay "
        "has looked. The log kept everything that was acknowledged, and it has not been "
        "let go: the relay's slot moves only behind what the stream has synced.",
        stats.events, stats.lsn);
    return step(x, "The power goes", f);
}

static enum seam_status resume(struct lab_relay_world *x, struct seam_fault *f)
{
    enum seam_status st = open_relay(x, f);

    seam_buf_str(&x->s.l->story,
                 "A new relay starts. There is no file that says where the old one was: "
                 "it looks at the stream's own tail. The effect and the "
                 "position are one thing, so they cannot disagree.");
    if (st == SEAM_OK) st = step(x, "Where was I? The stream knows", f);
    if (st == SEAM_OK) st = ship(x, f);
    seam_buf_str(&x->s.l->story,
                 "It goes on from there. Every offset is there once, in order, without a gap.");
    if (st == SEAM_OK) st = step(x, "Nothing lost, nothing twice", f);
    relay_close(x->relay, NULL);
    x->relay = NULL;
    return st;
}

enum seam_status lab_play_relay(struct lab *l, struct seam_fault *f)
{
    struct lab_relay_world x = {.s = {.l = NULL}};
    enum seam_status st;

    x.s.l = l;
    st = begin(&x, f);
    if (st == SEAM_OK) st = crash(&x, f);
    if (st == SEAM_OK) st = resume(&x, f);
    relay_close(x.relay, NULL);
    lab_shop_close(&x.s);
    return st == SEAM_OK ? lab_play_broken(l, f) : st;
}
