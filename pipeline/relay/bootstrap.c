#include "pipeline/relay/bootstrap.h"

#include <inttypes.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/relay/relay_internal.h"

enum { FLUSH_BYTES = 256 << 10, PROGRESS_ROWS = 16384 };

struct bootstrap {
    const struct platform *platform;
    const struct bootstrap_options *o;
    struct bootstrap_result *out;
    struct relay *relay;
    struct oltp *db;
    struct oltp_txn *txn;
    uint32_t tables[OLTP_TABLES_MAX];
    size_t count;
    uint64_t seq, total;
    struct buf payload;
};

static enum status put(struct bootstrap *b, enum change_type type, struct fault *f)
{
    enum status st;

    if (!buf_ok(&b->payload))
        return fault_set(f, ST_NOMEM, "bootstrap", FAULT_NO_OFFSET, "no memory for a row");
    st = stream_event_put(b->relay->stream, (uint8_t)type, b->payload.data, b->payload.size, f);
    b->out->bytes += b->payload.size;
    b->seq++;
    buf_clear(&b->payload);
    if (st == ST_OK && stream_unflushed_bytes(b->relay->stream) >= FLUSH_BYTES)
        st = stream_flush(b->relay->stream, f);
    return st;
}

static enum status put_shape(struct bootstrap *b, uint32_t table, struct fault *f)
{
    const struct schema *s = oltp_schema(b->txn, table);
    struct buf json = {0};
    enum status st;

    schema_to_json(s, &json);
    if (!buf_ok(&json))
        return fault_set(f, ST_NOMEM, s->name, FAULT_NO_OFFSET, "no memory for a schema");
    change_put_schema(&b->payload, &(struct change_schema){.seq = b->seq,
                                                           .table = table,
                                                           .version = s->version,
                                                           .json = {json.data, json.size}});
    st = put(b, CHANGE_SCHEMA, f);
    buf_free(&json);
    return st;
}

static enum status put_rows(struct bootstrap *b, uint32_t table, struct fault *f)
{
    uint32_t version = oltp_schema(b->txn, table)->version;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    enum status st = oltp_cursor_open(b->txn, table, 0, NULL, 0, &c, f);

    while (st == ST_OK && (st = oltp_cursor_next(c, &row, f)) == ST_OK) {
        if (b->o->stop != NULL && *b->o->stop)
            st = fault_set(f, ST_END, "bootstrap", FAULT_NO_OFFSET, "interrupted: run it again");
        if (st != ST_OK) break;
        change_put_row(&b->payload, &(struct change_row){.seq = b->seq,
                                                         .table = table,
                                                         .version = version,
                                                         .op = OP_INSERT,
                                                         .key = row.key,
                                                         .after = row.row});
        st = put(b, CHANGE_ROW, f);
        b->out->rows++;
        if (b->o->progress != NULL && b->out->rows % PROGRESS_ROWS == 0)
            b->o->progress(b->o->progress_ctx, b->seq, b->total);
    }
    oltp_cursor_close(c);
    if (st == ST_END && (b->o->stop == NULL || !*b->o->stop)) st = ST_OK;
    return st;
}

/* The newest commit, which is durable: everything the stream has shipped is in it. */
static enum status open_rows(struct bootstrap *b, struct fault *f)
{
    enum status st = platform_open_reader(b->platform, LSN_MAX, INT64_MIN, &b->db, f);

    if (st == ST_OK) st = oltp_read_begin(b->db, &b->txn, f);
    if (st != ST_OK) return st;
    b->count = oltp_tables(b->txn, b->tables, OLTP_TABLES_MAX);
    b->total = b->count;
    for (size_t i = 0; i < b->count; i++)
        b->total += oltp_count(b->txn, b->tables[i], 0);
    if (b->total == 0)
        return fault_set(f, ST_NOT_FOUND, "bootstrap", FAULT_NO_OFFSET,
                         "the row store has no table yet: there is nothing to begin with");
    return ST_OK;
}

static enum status write_snapshot(struct bootstrap *b, struct fault *f)
{
    struct relay *r = b->relay;
    struct stream_transaction t = {
        .total = b->total, .wall_us = oltp_txn_wall_us(b->txn), .snapshot = true};
    enum status st = ST_OK;

    if (r->tail.open) { /* its rest was in the log that is gone */
        st = stream_abandon(r->stream, f);
        r->tail.open = false;
    }
    t.lsn = oltp_txn_lsn(b->txn);
    /* Heartbeats may have moved the stream on past the newest commit: no commit lies between. */
    if (t.lsn < r->lsn) t.lsn = r->lsn;
    b->out->lsn = t.lsn;
    b->out->from = r->lsn;
    b->out->tables = b->count;
    b->out->offset = stream_next_offset(r->stream);
    if (st == ST_OK) st = stream_begin(r->stream, &t, f);
    for (size_t i = 0; st == ST_OK && i < b->count; i++)
        st = put_shape(b, b->tables[i], f);
    for (size_t i = 0; st == ST_OK && i < b->count; i++)
        st = put_rows(b, b->tables[i], f);
    if (st == ST_OK) st = stream_end(r->stream, f);
    if (st != ST_OK) return st;
    r->lsn = t.lsn;
    st = stream_snapshot_done(r->stream,
                              &(struct stream_snapshot){.offset = b->out->offset,
                                                        .lsn = b->out->lsn,
                                                        .previous = b->out->from,
                                                        .rows = b->out->rows,
                                                        .wall_us = clock_wall_us(r->clock)},
                              f);
    return st == ST_OK ? wal_slot_advance(r->slot, t.lsn, f) : st;
}

enum status bootstrap_run(const struct platform *p, const struct bootstrap_options *o,
                          struct bootstrap_result *out, struct fault *f)
{
    struct bootstrap b = {.platform = p, .o = o, .out = out};
    enum status st, closed;

    *out = (struct bootstrap_result){0};
    st = relay_open_for_bootstrap(p, &o->relay, &b.relay, f);
    if (st == ST_OK) st = open_rows(&b, f);
    if (st == ST_OK && !b.relay->gap) st = relay_ship_until(b.relay, oltp_txn_lsn(b.txn), o->stop, f);
    if (st == ST_OK) st = write_snapshot(&b, f);
    oltp_end(b.txn);
    (void)oltp_close(b.db, NULL);
    buf_free(&b.payload);
    closed = relay_close(b.relay, st == ST_OK ? f : NULL);
    return st != ST_OK ? st : closed;
}
