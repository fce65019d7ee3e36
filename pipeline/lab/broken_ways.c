/* broken_ways - who carries an order's event to where it is wanted. Four of them are wrong.         */
#include <inttypes.h>
#include <stdio.h>

#include "columnar/columnar.h"
#include "engine/base/bytes.h"
#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/lab/broken.h"
#include "pipeline/relay/relay.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/stream.h"
#include "wal/wal.h"

enum { EVENT = 1, BATCH = 3 };

static const char out_dir[] = "lab/out", position_file[] = "lab/position";

/* ---- a topic, or a ledger: a log with one record an event; what is written is the order's key ---- */
static enum seam_status out_open(struct lab_broken_shop *s, struct seam_fault *f)
{
    const struct wal_options o = {.io = s->io,
                                  .clock = &s->clock.clock,
                                  .segment_bytes = WAL_SEGMENT_MIN,
                                  .buffer_bytes = 64 << 10};

    return wal_open(out_dir, &o, &s->out, NULL, f);
}

static enum seam_status out_append(struct lab_broken_shop *s, struct wal_bytes key,
                                   struct seam_fault *f)
{
    const struct seam_io_slice part = {key.data, key.size};
    struct wal_span at;

    return wal_append(s->out, EVENT, &part, 1, &at, f);
}

static void out_close(struct lab_broken_shop *s)
{
    (void)wal_close(s->out, NULL);
    s->out = NULL;
}

static enum seam_status out_arrived(struct lab_broken_shop *s, struct lab_order_list *out,
                                    struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum seam_status st = wal_reader_open(s->io, out_dir, SEAM_LSN_NONE, 0, &r, f);

    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK)
        st = lab_broken_note(out, rec.data, rec.size, f);
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- dual write: the order is committed, and then the event is written somewhere else ---- */
static enum seam_status dual_write(struct lab_broken_shop *s, uint64_t order, struct seam_fault *f)
{
    const struct seam_value v = seam_v_int((int64_t)order);
    struct seam_buf key = {0};
    enum seam_status st;

    seam_key_append(&key, &v);
    st = out_append(s, (struct wal_bytes){key.data, key.size}, f);
    seam_buf_free(&key);
    if (st == SEAM_OK) st = wal_flush(s->out, f);
    if (st != SEAM_OK) return st;
    SEAM_TRACE(s->trace, "lab", "dual_write", SEAM_TI("order", order));
    lab_broken_say(s, "order %" PRIu64 " is published", order);
    return SEAM_OK;
}

/* ---- polling: what is above the highest id seen, again and again ---- */
static enum seam_status poll_rows(struct lab_broken_shop *s, struct oltp_txn *t,
                                  struct lab_order_list *seen, struct seam_fault *f)
{
    const struct seam_value above = seam_v_int((int64_t)s->highest);
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct oltp_range range = {.lower_excluded = true};
    struct seam_buf key = {0};
    uint32_t table;
    enum seam_status st = oltp_table(t, "orders", &table, f);

    seam_key_append(&key, &above);
    range.lower = (struct wal_bytes){key.data, key.size};
    if (st == SEAM_OK) st = oltp_cursor_open(t, table, 0, &range, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        st = lab_broken_note(seen, row.key.data, row.key.size, f);
        if (st == SEAM_OK) st = out_append(s, row.key, f);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status poll_by_id(struct lab_broken_shop *s, struct seam_fault *f)
{
    struct lab_order_list seen = {.count = 0};
    struct oltp_txn *t = NULL;
    enum seam_status st = oltp_read_begin(s->source.db, &t, f);

    if (st == SEAM_OK) st = poll_rows(s, t, &seen, f);
    oltp_end(t);
    if (st == SEAM_OK && seen.count > 0) st = wal_flush(s->out, f);
    if (st != SEAM_OK || seen.count == 0) return st;
    lab_broken_say(
        s, "the poller asks for ids above %" PRIu64 ", finds %zu and publishes up to %" PRIu64,
        s->highest, seen.count, seen.id[seen.count - 1]);
    s->highest = seen.id[seen.count - 1];
    SEAM_TRACE(s->trace, "lab", "poll", SEAM_TI("found", seen.count),
               SEAM_TI("highest", s->highest));
    return SEAM_OK;
}

/* Its position is the newest event it has written: in that it is right. */
static enum seam_status polling_open(struct lab_broken_shop *s, struct seam_fault *f)
{
    struct lab_order_list got = {.count = 0};
    enum seam_status st = out_open(s, f);

    if (st == SEAM_OK) st = out_arrived(s, &got, f);
    s->highest = got.count > 0 ? got.id[got.count - 1] : 0;
    if (s->cut) lab_broken_say(s, "the poller goes on above id %" PRIu64, s->highest);
    return st;
}

/* ---- the real relay ---- */
static enum seam_status relay_start(struct lab_broken_shop *s, struct seam_fault *f)
{
    const struct relay_options o = {.trace = s->trace, .segment_bytes = WAL_SEGMENT_MIN};

    return relay_open(&s->p, &o, &s->relay, f);
}

static enum seam_status relay_all(struct lab_broken_shop *s, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK) st = relay_step(s->relay, f);
    return st == SEAM_END ? SEAM_OK : st;
}

static void relay_stop(struct lab_broken_shop *s)
{
    (void)relay_close(s->relay, NULL);
    s->relay = NULL;
}

static enum seam_status relay_arrived(struct lab_broken_shop *s, struct lab_order_list *out,
                                      struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&s->p, "stream", path, f);

    if (st == SEAM_OK) st = stream_reader_open(s->io, path, STREAM_FROM_START, 0, &r, f);
    while (st == SEAM_OK && (st = stream_reader_next(r, &e, f)) == SEAM_OK)
        if (e.kind == STREAM_ROW) st = lab_broken_note(out, e.row.key.data, e.row.key.size, f);
    stream_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- consumers of the real stream whose position is a file of its own ---- */
static enum seam_status consumer_open(struct lab_broken_shop *s, struct seam_fault *f)
{
    enum seam_status st = relay_start(s, f);

    return st == SEAM_OK ? out_open(s, f) : st;
}

static void consumer_close(struct lab_broken_shop *s)
{
    out_close(s);
    relay_stop(s);
}

static enum seam_status read_position(struct lab_broken_shop *s, uint64_t *offset,
                                      struct seam_fault *f)
{
    struct seam_file *file = NULL;
    uint8_t raw[8];
    enum seam_status st = seam_file_open(s->io, position_file, SEAM_FILE_READ, &file, NULL);

    *offset = 0;
    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    if (st == SEAM_OK) st = seam_file_read(file, 0, raw, sizeof raw, f);
    if (st == SEAM_OK) *offset = seam_get_u64(raw);
    seam_file_close(file);
    return st;
}

static enum seam_status save_position(struct lab_broken_shop *s, uint64_t offset,
                                      struct seam_fault *f)
{
    uint8_t raw[8];
    enum seam_status st;

    seam_put_u64(raw, offset);
    st = seam_io_write_atomic(s->io, position_file, raw, sizeof raw, f);
    if (st != SEAM_OK) return st;
    SEAM_TRACE(s->trace, "lab", "save_position", SEAM_TI("offset", offset));
    lab_broken_say(s, "the consumer saves its position: offset %" PRIu64, offset);
    return SEAM_OK;
}

static enum seam_status write_effects(struct lab_broken_shop *s, struct seam_fault *f)
{
    enum seam_status st = wal_flush(s->out, f);

    if (st != SEAM_OK) return st;
    SEAM_TRACE(s->trace, "lab", "write_effects");
    lab_broken_say(s, "the consumer writes its effects");
    return SEAM_OK;
}

/* Reads a few events: *next is the offset after them, unchanged when there is none. The effects are
 * in the ledger's memory, and written by write_effects.                                            */
static enum seam_status take_events(struct lab_broken_shop *s, uint64_t *next, struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct lab_order_list taken = {.count = 0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(&s->p, "stream", path, f);

    if (st == SEAM_OK)
        st = stream_reader_open(s->io, path, STREAM_FROM_OFFSET, (int64_t)*next, &r, f);
    while (st == SEAM_OK && taken.count < BATCH && (st = stream_reader_next(r, &e, f)) == SEAM_OK) {
        if (e.kind != STREAM_ROW) continue;
        st = lab_broken_note(&taken, e.row.key.data, e.row.key.size, f);
        if (st == SEAM_OK) st = out_append(s, e.row.key, f);
        *next = e.offset + 1;
    }
    stream_reader_close(r);
    if (taken.count > 0)
        lab_broken_say(s, "the consumer reads %zu events, up to order %" PRIu64, taken.count,
                       taken.id[taken.count - 1]);
    return st == SEAM_END ? SEAM_OK : st;
}

/* One batch in the order of the variant's two writes. *more: there was one. */
static enum seam_status consume(struct lab_broken_shop *s, bool *more, struct seam_fault *f)
{
    uint64_t from, next;
    enum seam_status st = relay_all(s, f);

    if (st == SEAM_OK) st = read_position(s, &from, f);
    if (st != SEAM_OK) return st;
    next = from;
    st = take_events(s, &next, f);
    *more = next != from;
    if (st != SEAM_OK || !*more) return st;
    if (s->trial.way == BROKEN_ACK_FIRST) {
        st = save_position(s, next, f);
        return st == SEAM_OK ? write_effects(s, f) : st;
    }
    st = write_effects(s, f);
    return st == SEAM_OK ? save_position(s, next, f) : st;
}

static enum seam_status consumer_turn(struct lab_broken_shop *s, struct seam_fault *f)
{
    bool more;

    return consume(s, &more, f);
}

static enum seam_status consumer_drain(struct lab_broken_shop *s, struct seam_fault *f)
{
    bool more = true;
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK && more) st = consume(s, &more, f);
    return st;
}

/* ---- the real sink: the effect and the LSN are one publication ---- */
static enum seam_status sink_start(struct lab_broken_shop *s, struct seam_fault *f)
{
    enum seam_status st = relay_start(s, f);

    return st == SEAM_OK ? sink_open(&s->p, "warehouse", s->trace, &s->sink, f) : st;
}

static enum seam_status sink_all(struct lab_broken_shop *s, struct seam_fault *f)
{
    const struct sink_run_options once = {.until_caught_up = true, .batch_events = BATCH};
    enum seam_status st = relay_all(s, f);

    return st == SEAM_OK ? sink_run(s->sink, &once, NULL, f) : st;
}

static void sink_stop(struct lab_broken_shop *s)
{
    sink_close(s->sink);
    s->sink = NULL;
    relay_stop(s);
}

struct lab_bronze {
    struct lab_order_list *out;
    int key; /* column */
    struct seam_fault *f;
};

static enum seam_status bronze_row(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    const struct lab_bronze *b = ctx;

    (void)begin, (void)end;
    return lab_broken_note(b->out, values[b->key].s, values[b->key].len, b->f);
}

/* Bronze keeps every change as it came, in the order in which it was appended. */
static enum seam_status sink_arrived(struct lab_broken_shop *s, struct lab_order_list *out,
                                     struct seam_fault *f)
{
    struct columnar_reader *r = NULL;
    struct lab_bronze b = {.out = out, .f = f};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(&s->p, "warehouse", path, f);
    int table;

    if (st == SEAM_OK) st = columnar_open_reader(s->io, path, NULL, &r, f);
    if (st != SEAM_OK) return st;
    table = columnar_table(r, "bronze_changes");
    b.key = seam_schema_column(columnar_schema(r, table), "key");
    st = columnar_scan_rows(r, table, SEAM_LSN_MAX, bronze_row, &b, f);
    columnar_close_reader(r);
    return st;
}

const struct lab_broken_ops *lab_broken_ops(enum lab_broken_way way)
{
    static const struct lab_broken_ops all[BROKEN_WAYS] = {
        [BROKEN_DUAL_WRITE] = {"dual write", out_open, dual_write, NULL, NULL, out_close,
                               out_arrived},
        [BROKEN_POLLING] = {"polling by id", polling_open, NULL, poll_by_id, poll_by_id, out_close,
                            out_arrived},
        [BROKEN_ACK_FIRST] = {"acknowledging before writing", consumer_open, NULL, consumer_turn,
                              consumer_drain, consumer_close, out_arrived},
        [BROKEN_OFFSET_APART] = {"offset apart from its effect", consumer_open, NULL, consumer_turn,
                                 consumer_drain, consumer_close, out_arrived},
        [BROKEN_NOT_RELAY] = {"the relay, to the stream", relay_start, NULL, relay_all, relay_all,
                              relay_stop, relay_arrived},
        [BROKEN_NOT_SINK] = {"the sink, to bronze", sink_start, NULL, sink_all, sink_all, sink_stop,
                             sink_arrived},
    };

    return &all[way];
}
