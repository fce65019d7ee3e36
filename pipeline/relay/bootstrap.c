/* bootstrap - every row there is, as one transaction of the stream, while writers go on. */
#include "pipeline/relay/bootstrap.h"

#include <inttypes.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/relay/relay_internal.h"

enum { FLUSH_BYTES = 256 << 10, PROGRESS_ROWS = 16384 };

struct bootstrap {
    const struct platform *platform;
    const struct relay_bootstrap_options *o;
    struct relay_bootstrap_result *out;
    struct relay *relay;
    struct oltp *db;
    struct oltp_txn *txn;
    uint32_t tables[OLTP_TABLES_MAX];
    size_t count;
    uint64_t seq, total;
    struct seam_buf payload;
};

static enum seam_status put(struct bootstrap *b, enum wal_change_type type, struct seam_fault *f)
{
    enum seam_status st;

    if (!seam_buf_ok(&b->payload))
        return seam_fault_set(f, SEAM_NOMEM, "bootstrap", SEAM_FAULT_NO_OFFSET,
                              "no memory for a row");
    st = stream_event_put(b->relay->stream, (uint8_t)type, b->payload.data, b->payload.size, f);
    b->out->bytes += b->payload.size;
    b->seq++;
    seam_buf_clear(&b->payload);
    if (st == SEAM_OK && stream_unflushed_bytes(b->relay->stream) >= FLUSH_BYTES)
        st = stream_flush(b->relay->stream, f);
    return st;
}

static enum seam_status put_shape(struct bootstrap *b, uint32_t table, struct seam_fault *f)
{
    const struct seam_schema *s = oltp_schema(b->txn, table);
    struct seam_buf json = {0};
    enum seam_status st;

    seam_schema_to_json(s, &json);
    if (!seam_buf_ok(&json))
        return seam_fault_set(f, SEAM_NOMEM, s->name, SEAM_FAULT_NO_OFFSET,
                              "no memory for a schema");
    wal_change_put_schema(&b->payload, &(struct wal_change_schema){.seq = b->seq,
                                                                   .table = table,
                                                                   .version = s->version,
                                                                   .json = {json.data, json.size}});
    st = put(b, WAL_CHANGE_SCHEMA, f);
    seam_buf_free(&json);
    return st;
}

static enum seam_status put_rows(struct bootstrap *b, uint32_t table, struct seam_fault *f)
{
    uint32_t version = oltp_schema(b->txn, table)->version;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    enum seam_status st = oltp_cursor_open(b->txn, table, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        if (b->o->stop != NULL && *b->o->stop)
            st = seam_fault_set(f, SEAM_END, "bootstrap", SEAM_FAULT_NO_OFFSET,
                                "interrupted: run it again");
        if (st != SEAM_OK) break;
        wal_change_put_row(&b->payload, &(struct wal_change_row){.seq = b->seq,
                                                                 .table = table,
                                                                 .version = version,
                                                                 .op = WAL_OP_INSERT,
                                                                 .key = row.key,
                                                                 .after = row.row});
        st = put(b, WAL_CHANGE_ROW, f);
        b->out->rows++;
        if (b->o->progress != NULL && b->out->rows % PROGRESS_ROWS == 0)
            b->o->progress(b->o->progress_ctx, b->seq, b->total);
    }
    oltp_cursor_close(c);
    if (st == SEAM_END && (b->o->stop == NULL || !*b->o->stop)) st = SEAM_OK;
    return st;
}

/* The newest commit, which is durable: everything the stream has shipped is in it. */
static enum seam_status open_rows(struct bootstrap *b, struct seam_fault *f)
{
    enum seam_status st = platform_open_reader(b->platform, SEAM_LSN_MAX, INT64_MIN, &b->db, f);

    if (st == SEAM_OK) st = oltp_read_begin(b->db, &b->txn, f);
    if (st != SEAM_OK) return st;
    b->count = oltp_tables(b->txn, b->tables, OLTP_TABLES_MAX);
    b->total = b->count;
    for (size_t i = 0; i < b->count; i++) b->total += oltp_count(b->txn, b->tables[i], 0);
    if (b->total == 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, "bootstrap", SEAM_FAULT_NO_OFFSET,
                              "the row store has no table yet: there is nothing to begin with");
    return SEAM_OK;
}

static enum seam_status write_snapshot(struct bootstrap *b, struct seam_fault *f)
{
    struct relay *r = b->relay;
    struct stream_transaction t = {
        .total = b->total, .wall_us = oltp_txn_wall_us(b->txn), .snapshot = true};
    enum seam_status st = SEAM_OK;

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
    if (st == SEAM_OK) st = stream_begin(r->stream, &t, f);
    for (size_t i = 0; st == SEAM_OK && i < b->count; i++) st = put_shape(b, b->tables[i], f);
    for (size_t i = 0; st == SEAM_OK && i < b->count; i++) st = put_rows(b, b->tables[i], f);
    if (st == SEAM_OK) st = stream_end(r->stream, f);
    if (st != SEAM_OK) return st;
    r->lsn = t.lsn;
    st = stream_snapshot_done(r->stream,
                              &(struct stream_snapshot){.offset = b->out->offset,
                                                        .lsn = b->out->lsn,
                                                        .previous = b->out->from,
                                                        .rows = b->out->rows,
                                                        .wall_us = seam_clock_wall_us(r->clock)},
                              f);
    return st == SEAM_OK ? wal_slot_advance(r->slot, t.lsn, f) : st;
}

enum seam_status relay_bootstrap_run(const struct platform *p,
                                     const struct relay_bootstrap_options *o,
                                     struct relay_bootstrap_result *out, struct seam_fault *f)
{
    struct bootstrap b = {.platform = p, .o = o, .out = out};
    enum seam_status st, closed;

    *out = (struct relay_bootstrap_result){0};
    st = relay_open_for_bootstrap(p, &o->relay, &b.relay, f);
    if (st == SEAM_OK) st = open_rows(&b, f);
    if (st == SEAM_OK && !b.relay->gap)
        st = relay_ship_until(b.relay, oltp_txn_lsn(b.txn), o->stop, f);
    if (st == SEAM_OK) st = write_snapshot(&b, f);
    oltp_end(b.txn);
    (void)oltp_close(b.db, NULL);
    seam_buf_free(&b.payload);
    closed = relay_close(b.relay, st == SEAM_OK ? f : NULL);
    return st != SEAM_OK ? st : closed;
}
