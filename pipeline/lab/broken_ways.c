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
static enum status out_open(struct broken_shop *s, struct fault *f)
{
    const struct wal_options o = {.io = s->io,
                                  .clock = &s->clock.clock,
                                  .segment_bytes = WAL_SEGMENT_MIN,
                                  .buffer_bytes = 64 << 10};

    return wal_open(out_dir, &o, &s->out, NULL, f);
}

static enum status out_append(struct broken_shop *s, struct bytes key, struct fault *f)
{
    const struct io_slice part = {key.data, key.size};
    struct wal_span at;

    return wal_append(s->out, EVENT, &part, 1, &at, f);
}

static void out_close(struct broken_shop *s)
{
    (void)wal_close(s->out, NULL);
    s->out = NULL;
}

static enum status out_arrived(struct broken_shop *s, struct order_list *out, struct fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum status st = wal_reader_open(s->io, out_dir, LSN_NONE, 0, &r, f);

    while (st == ST_OK && (st = wal_reader_next(r, &rec, f)) == ST_OK)
        st = broken_note(out, rec.data, rec.size, f);
    wal_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

/* ---- dual write: the order is committed, and then the event is written somewhere else ---- */
static enum status dual_write(struct broken_shop *s, uint64_t order, struct fault *f)
{
    const struct value v = v_int((int64_t)order);
    struct buf key = {0};
    enum status st;

    key_append(&key, &v);
    st = out_append(s, (struct bytes){key.data, key.size}, f);
    buf_free(&key);
    if (st == ST_OK) st = wal_flush(s->out, f);
    if (st != ST_OK) return st;
    TRACE(s->trace, "lab", "dual_write", TI("order", order));
    broken_say(s, "order %" PRIu64 " is published", order);
    return ST_OK;
}

/* ---- polling: what is above the highest id seen, again and again ---- */
static enum status poll_rows(struct broken_shop *s, struct oltp_txn *t, struct order_list *seen,
                             struct fault *f)
{
    const struct value above = v_int((int64_t)s->highest);
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct oltp_range range = {.lower_excluded = true};
    struct buf key = {0};
    uint32_t table;
    enum status st = oltp_table(t, "orders", &table, f);

    key_append(&key, &above);
    range.lower = (struct bytes){key.data, key.size};
    if (st == ST_OK) st = oltp_cursor_open(t, table, 0, &range, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &row, f)) == ST_OK) {
        st = broken_note(seen, row.key.data, row.key.size, f);
        if (st == ST_OK) st = out_append(s, row.key, f);
    }
    oltp_cursor_close(c);
    buf_free(&key);
    return st == ST_END ? ST_OK : st;
}

static enum status poll_by_id(struct broken_shop *s, struct fault *f)
{
    struct order_list seen = {.count = 0};
    struct oltp_txn *t = NULL;
    enum status st = oltp_read_begin(s->source.db, &t, f);

    if (st == ST_OK) st = poll_rows(s, t, &seen, f);
    oltp_end(t);
    if (st == ST_OK && seen.count > 0) st = wal_flush(s->out, f);
    if (st != ST_OK || seen.count == 0) return st;
    broken_say(s, "the poller asks for ids above %" PRIu64 ", finds %zu and publishes up to %" PRIu64,
               s->highest, seen.count, seen.id[seen.count - 1]);
    s->highest = seen.id[seen.count - 1];
    TRACE(s->trace, "lab", "poll", TI("found", seen.count), TI("highest", s->highest));
    return ST_OK;
}

/* Its position is the newest event it has written: in that it is right. */
static enum status polling_open(struct broken_shop *s, struct fault *f)
{
    struct order_list got = {.count = 0};
    enum status st = out_open(s, f);

    if (st == ST_OK) st = out_arrived(s, &got, f);
    s->highest = got.count > 0 ? got.id[got.count - 1] : 0;
    if (s->cut) broken_say(s, "the poller goes on above id %" PRIu64, s->highest);
    return st;
}

/* ---- the real relay ---- */
static enum status relay_start(struct broken_shop *s, struct fault *f)
{
    const struct relay_options o = {.trace = s->trace, .segment_bytes = WAL_SEGMENT_MIN};

    return relay_open(&s->p, &o, &s->relay, f);
}

static enum status relay_all(struct broken_shop *s, struct fault *f)
{
    enum status st = ST_OK;

    while (st == ST_OK)
        st = relay_step(s->relay, f);
    return st == ST_END ? ST_OK : st;
}

static void relay_stop(struct broken_shop *s)
{
    (void)relay_close(s->relay, NULL);
    s->relay = NULL;
}

static enum status relay_arrived(struct broken_shop *s, struct order_list *out, struct fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    char path[PATH_MAX_BYTES];
    enum status st = platform_path(&s->p, "stream", path, f);

    if (st == ST_OK) st = stream_reader_open(s->io, path, STREAM_FROM_START, 0, &r, f);
    while (st == ST_OK && (st = stream_reader_next(r, &e, f)) == ST_OK)
        if (e.kind == STREAM_ROW) st = broken_note(out, e.row.key.data, e.row.key.size, f);
    stream_reader_close(r);
    return st == ST_END ? ST_OK : st;
}

/* ---- consumers of the real stream whose position is a file of its own ---- */
static enum status consumer_open(struct broken_shop *s, struct fault *f)
{
    enum status st = relay_start(s, f);

    return st == ST_OK ? out_open(s, f) : st;
}

static void consumer_close(struct broken_shop *s)
{
    out_close(s);
    relay_stop(s);
}

static enum status read_position(struct broken_shop *s, uint64_t *offset, struct fault *f)
{
    struct file *file = NULL;
    uint8_t raw[8];
    enum status st = file_open(s->io, position_file, FILE_READ, &file, NULL);

    *offset = 0;
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = file_read(file, 0, raw, sizeof raw, f);
    if (st == ST_OK) *offset = get_u64(raw);
    file_close(file);
    return st;
}

static enum status save_position(struct broken_shop *s, uint64_t offset, struct fault *f)
{
    uint8_t raw[8];
    enum status st;

    put_u64(raw, offset);
    st = io_write_atomic(s->io, position_file, raw, sizeof raw, f);
    if (st != ST_OK) return st;
    TRACE(s->trace, "lab", "save_position", TI("offset", offset));
    broken_say(s, "the consumer saves its position: offset %" PRIu64, offset);
    return ST_OK;
}

static enum status write_effects(struct broken_shop *s, struct fault *f)
{
    enum status st = wal_flush(s->out, f);

    if (st != ST_OK) return st;
    TRACE(s->trace, "lab", "write_effects");
    broken_say(s, "the consumer writes its effects");
    return ST_OK;
}

/* Reads a few events: *next is the offset after them, unchanged when there is none. The effects are
 * in the ledger's memory, and written by write_effects.                                            */
static enum status take_events(struct broken_shop *s, uint64_t *next, struct fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct order_list taken = {.count = 0};
    char path[PATH_MAX_BYTES];
    enum status st = platform_path(&s->p, "stream", path, f);

    if (st == ST_OK)
        st = stream_reader_open(s->io, path, STREAM_FROM_OFFSET, (int64_t)*next, &r, f);
    while (st == ST_OK && taken.count < BATCH && (st = stream_reader_next(r, &e, f)) == ST_OK) {
        if (e.kind != STREAM_ROW) continue;
        st = broken_note(&taken, e.row.key.data, e.row.key.size, f);
        if (st == ST_OK) st = out_append(s, e.row.key, f);
        *next = e.offset + 1;
    }
    stream_reader_close(r);
    if (taken.count > 0)
        broken_say(s, "the consumer reads %zu events, up to order %" PRIu64, taken.count,
                   taken.id[taken.count - 1]);
    return st == ST_END ? ST_OK : st;
}

/* One batch in the order of the variant's two writes. *more: there was one. */
static enum status consume(struct broken_shop *s, bool *more, struct fault *f)
{
    uint64_t from, next;
    enum status st = relay_all(s, f);

    if (st == ST_OK) st = read_position(s, &from, f);
    if (st != ST_OK) return st;
    next = from;
    st = take_events(s, &next, f);
    *more = next != from;
    if (st != ST_OK || !*more) return st;
    if (s->trial.way == BROKEN_ACK_FIRST) {
        st = save_position(s, next, f);
        return st == ST_OK ? write_effects(s, f) : st;
    }
    st = write_effects(s, f);
    return st == ST_OK ? save_position(s, next, f) : st;
}

static enum status consumer_turn(struct broken_shop *s, struct fault *f)
{
    bool more;

    return consume(s, &more, f);
}

static enum status consumer_drain(struct broken_shop *s, struct fault *f)
{
    bool more = true;
    enum status st = ST_OK;

    while (st == ST_OK && more)
        st = consume(s, &more, f);
    return st;
}

/* ---- the real sink: the effect and the LSN are one publication ---- */
static enum status sink_start(struct broken_shop *s, struct fault *f)
{
    enum status st = relay_start(s, f);

    return st == ST_OK ? sink_open(&s->p, "warehouse", s->trace, &s->sink, f) : st;
}

static enum status sink_all(struct broken_shop *s, struct fault *f)
{
    const struct sink_run_options once = {.until_caught_up = true, .batch_events = BATCH};
    enum status st = relay_all(s, f);

    return st == ST_OK ? sink_run(s->sink, &once, NULL, f) : st;
}

static void sink_stop(struct broken_shop *s)
{
    sink_close(s->sink);
    s->sink = NULL;
    relay_stop(s);
}

struct bronze {
    struct order_list *out;
    int key; /* column */
    struct fault *f;
};

static enum status bronze_row(void *ctx, const struct value *values, lsn_t begin, lsn_t end)
{
    const struct bronze *b = ctx;

    (void)begin, (void)end;
    return broken_note(b->out, values[b->key].s, values[b->key].len, b->f);
}

/* Bronze keeps every change as it came, in the order in which it was appended. */
static enum status sink_arrived(struct broken_shop *s, struct order_list *out, struct fault *f)
{
    struct columnar_reader *r = NULL;
    struct bronze b = {.out = out, .f = f};
    char path[PATH_MAX_BYTES];
    enum status st = platform_sink_path(&s->p, "warehouse", path, f);
    int table;

    if (st == ST_OK) st = columnar_open_reader(s->io, path, NULL, &r, f);
    if (st != ST_OK) return st;
    table = columnar_table(r, "bronze_changes");
    b.key = schema_column(columnar_schema(r, table), "key");
    st = columnar_scan_rows(r, table, LSN_MAX, bronze_row, &b, f);
    columnar_close_reader(r);
    return st;
}

const struct broken_ops *broken_ops(enum broken_way way)
{
    static const struct broken_ops all[BROKEN_WAYS] = {
        [BROKEN_DUAL_WRITE] = {"dual write", out_open, dual_write, NULL, NULL, out_close,
                               out_arrived},
        [BROKEN_POLLING] = {"polling by id", polling_open, NULL, poll_by_id, poll_by_id, out_close,
                            out_arrived},
        [BROKEN_ACK_FIRST] = {"acknowledging before writing", consumer_open, NULL, consumer_turn,
                              consumer_drain, consumer_close, out_arrived},
        [BROKEN_OFFSET_APART] = {"offset apart from its effect", consumer_open, NULL,
                                 consumer_turn, consumer_drain, consumer_close, out_arrived},
        [BROKEN_NOT_RELAY] = {"the relay, to the stream", relay_start, NULL, relay_all, relay_all,
                              relay_stop, relay_arrived},
        [BROKEN_NOT_SINK] = {"the sink, to bronze", sink_start, NULL, sink_all, sink_all, sink_stop,
                             sink_arrived},
    };

    return &all[way];
}
