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

struct world {
    struct lab_shop s;
    struct relay *relay;
    char wal[PATH_MAX_BYTES], stream[PATH_MAX_BYTES];
};

static enum status draw_log(struct world *x, struct fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct buf line = {0};
    enum status st = wal_reader_open(x->s.l->io, x->wal, LSN_NONE, 0, &r, f);

    buf_str(&x->s.l->draw, "log (durable):\n");
    while (st == ST_OK && (st = wal_reader_next(r, &rec, f)) == ST_OK) {
        buf_clear(&line);
        change_explain(rec.type, rec.data, rec.size, &line);
        if (strncmp(buf_cstr(&line), "schema", 6) == 0 || rec.type == CHANGE_CHECKPOINT) continue;
        buf_printf(&x->s.l->draw, "  ends %6" PRIu64 "  %s\n", rec.end, buf_cstr(&line));
    }
    buf_free(&line);
    wal_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

static enum status draw_stream(struct world *x, struct fault *f)
{
    static const char *const ops[] = {"", "insert", "update", "delete"};
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct buf *b = &x->s.l->draw;
    unsigned shown = 0;
    enum status st = stream_reader_open(x->s.l->io, x->stream, STREAM_FROM_START, 0, &r, NULL);

    buf_str(b, "stream:\n");
    if (st == ST_NOT_FOUND) st = ST_END; /* no stream yet */
    while (st == ST_OK && (st = stream_reader_next(r, &e, f)) == ST_OK) {
        shown++;
        if (e.kind == STREAM_SCHEMA)
            buf_printf(b, "  offset %3" PRIu64 "  LSN %6" PRIu64 "  shape of table %u\n", e.offset,
                       e.lsn, e.schema.table);
        else if (e.kind == STREAM_ROW)
            buf_printf(b,
                       "  offset %3" PRIu64 "  LSN %6" PRIu64 "  %s in table %u (change %" PRIu64
                       " of %" PRIu64 " of transaction %" PRIu64 ")\n",
                       e.offset, e.lsn, ops[e.row.op <= 3 ? e.row.op : 0], e.row.table, e.seq + 1,
                       e.total, e.txn);
        else if (e.kind == STREAM_BEAT)
            buf_printf(b,
                       "  offset %3" PRIu64 "  LSN %6" PRIu64
                       "  heartbeat: nothing else was committed up to here\n",
                       e.offset, e.lsn);
    }
    if (shown == 0) buf_str(b, "  nothing is shown\n");
    stream_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

static enum status step(struct world *x, const char *title, struct fault *f)
{
    enum status st = draw_log(x, f);

    if (st == ST_OK) st = draw_stream(x, f);
    return st == ST_OK ? lab_step(x->s.l, title, f) : st;
}

static enum status open_relay(struct world *x, struct fault *f)
{
    const struct relay_options o = {.trace = x->s.l->trace, .segment_bytes = WAL_SEGMENT_MIN};

    return relay_open(&x->s.p, &o, &x->relay, f);
}

static enum status sell(struct world *x, int id, lsn_t *lsn, struct fault *f)
{
    char json[200];

    snprintf(
        json, sizeof json,
        "{\"product_id\":%d,\"sku\":\"S-%d\",\"title\":\"thing %d\",\"price\":\"1\",\"stock\":1}",
        id, id, id);
    return shop_put(&x->s, "products", json, lsn, f);
}

/* Ships everything durable, one step at a time. */
static enum status ship(struct world *x, struct fault *f)
{
    enum status st = ST_OK;

    while (st == ST_OK)
        st = relay_step(x->relay, f);
    return st == ST_END ? ST_OK : st;
}

static enum status begin(struct world *x, struct fault *f)
{
    lsn_t lsn;
    enum status st = shop_open(x->s.l, &x->s, f);

    if (st == ST_OK) st = platform_path(&x->s.p, "wal", x->wal, f);
    if (st == ST_OK) st = platform_path(&x->s.p, "stream", x->stream, f);
    for (int i = 1; st == ST_OK && i <= 3; i++)
        st = sell(x, i, &lsn, f);
    buf_str(&x->s.l->story, "Three commits. The log has each transaction's begin, rows and commit; "
                            "there is no stream yet. Nobody polls the tables: "
                            "what happened is in the log already.");
    if (st == ST_OK) st = step(x, "Commits in the log", f);
    if (st == ST_OK) st = open_relay(x, f);
    if (st == ST_OK) st = ship(x, f);
    buf_str(&x->s.l->story,
            "The relay read the log up to the durable LSN and appended whole committed "
            "transactions to the stream, in order. Each event "
            "has an offset, the LSN of its commit, and its place in the transaction.");
    return st == ST_OK ? step(x, "The relay ships", f) : st;
}

static enum status crash(struct world *x, struct fault *f)
{
    struct platform_source source = {0};
    struct relay_stats stats;
    lsn_t lsn;
    enum status st = ST_OK;

    for (int i = 4; st == ST_OK && i <= 6; i++)
        st = sell(x, i, &lsn, f);
    if (st == ST_OK) st = relay_step(x->relay, f);
    if (st != ST_OK) return st;
    relay_stats(x->relay, &stats);
    io_sim_plant(x->s.l->disk, SIM_POWER_CUT, 1, false); /* whatever it does next does not happen */
    relay_close(x->relay, NULL);                         /* would have synced */
    x->relay = NULL;
    io_sim_clear(x->s.l->disk);
    io_sim_reboot(x->s.l->disk);
    st = platform_open_source(&x->s.p, &source,
                              f); /* the shop comes back first, and recovers its log */
    st = platform_close_source(&source, st, f);
    if (st != ST_OK) return st;
    buf_printf(
        &x->s.l->story,
        "Three more commits; the relay had shipped %" PRIu64 " events (LSN %" PRIu64
        ") when the power went, in the shop too. It had not synced the stream, and "
        "what the disk kept of it was decided by lot; readers are shown none of it until a relay "
        "has looked. The log kept everything that was acknowledged, and it has not been "
        "let go: the relay's slot moves only behind what the stream has synced.",
        stats.events, stats.lsn);
    return step(x, "The power goes", f);
}

static enum status resume(struct world *x, struct fault *f)
{
    enum status st = open_relay(x, f);

    buf_str(&x->s.l->story, "A new relay starts. There is no file that says where the old one was: "
                            "it looks at the stream's own tail. The effect and the "
                            "position are one thing, so they cannot disagree.");
    if (st == ST_OK) st = step(x, "Where was I? The stream knows", f);
    if (st == ST_OK) st = ship(x, f);
    buf_str(&x->s.l->story,
            "It goes on from there. Every offset is there once, in order, without a gap.");
    if (st == ST_OK) st = step(x, "Nothing lost, nothing twice", f);
    relay_close(x->relay, NULL);
    x->relay = NULL;
    return st;
}

enum status lab_play_relay(struct lab *l, struct fault *f)
{
    struct world x = {.s = {.l = NULL}};
    enum status st;

    x.s.l = l;
    st = begin(&x, f);
    if (st == ST_OK) st = crash(&x, f);
    if (st == ST_OK) st = resume(&x, f);
    relay_close(x.relay, NULL);
    shop_close(&x.s);
    return st == ST_OK ? lab_play_broken(l, f) : st;
}
