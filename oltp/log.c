/* log - what a write transaction says to the log (the words are wal/change.h).
 *
 * Changes go to the log as they happen: nothing is gathered, a transaction of any size needs no memory, and
 * rolling back costs one ABORT record. While a savepoint is open they wait in `pending`, because what
 * is in the log cannot be taken back:   u8 type | u32 size | payload, again and again. */
#include "oltp/db.h"

enum { PENDING_HEAD = 5 };

static enum status no_memory(struct oltp_txn *t, struct fault *f)
{
    return fault_set(f, ST_NOMEM, t->db->dir, FAULT_NO_OFFSET, "no memory for the log record");
}

static enum status append(struct oltp_txn *t, uint8_t type, const struct io_slice *parts, int count,
                          struct wal_span *at, struct fault *f)
{
    struct fault own = {0};
    enum status st = wal_append(t->db->wal, type, parts, count, at, &own);

    if (st == ST_OK) return ST_OK;
    if (st != ST_LIMIT) db_poison(t->db, st, &own);
    if (f != NULL && f->status == ST_OK) *f = own;
    return st;
}

enum status log_begin(struct oltp_txn *t, struct fault *f)
{
    uint8_t id[VARINT_MAX];
    struct io_slice part = {id, put_varint(id, t->id)};
    struct wal_span at;
    enum status st = append(t, CHANGE_BEGIN, &part, 1, &at, f);

    if (st != ST_OK) return st;
    t->begun = true;
    t->begin_start = at.start;
    return ST_OK;
}

static void pending_head(struct oltp_txn *t, uint8_t type)
{
    buf_u8(&t->pending, type);
    buf_u32(&t->pending, 0);
}

/* The record that began at `from` is whole: note its size. */
static enum status pending_done(struct oltp_txn *t, size_t from, struct fault *f)
{
    if (!buf_ok(&t->pending)) return no_memory(t, f);
    put_u32(t->pending.data + from + 1, (uint32_t)(t->pending.size - from - PENDING_HEAD));
    return ST_OK;
}

enum status log_row(struct oltp_txn *t, const struct change_row *c, struct fault *f)
{
    uint8_t head[CHANGE_HEAD_MAX + OLTP_KEY_MAX], mid[VARINT_MAX];
    struct io_slice parts[4];
    struct wal_span at;
    size_t from = t->pending.size, mid_size = 0;
    int n = 0;

    if (t->save_count > 0) {
        pending_head(t, CHANGE_ROW);
        change_put_row(&t->pending, c);
        return pending_done(t, from, f);
    }
    if (!t->begun) {
        enum status st = log_begin(t, f);

        if (st != ST_OK) return st;
    }
    parts[n++] = (struct io_slice){head, change_row_head(head, c, mid, &mid_size)};
    if (c->before.data != NULL) parts[n++] = (struct io_slice){c->before.data, c->before.size};
    if (mid_size > 0) parts[n++] = (struct io_slice){mid, mid_size};
    if (c->after.data != NULL) parts[n++] = (struct io_slice){c->after.data, c->after.size};
    return append(t, CHANGE_ROW, parts, n, &at, f);
}

enum status log_record(struct oltp_txn *t, uint8_t type, const struct buf *payload, struct fault *f)
{
    struct io_slice part = {payload->data, payload->size};
    struct wal_span at;
    size_t from = t->pending.size;

    if (!buf_ok(payload)) return no_memory(t, f);
    if (t->save_count > 0) {
        pending_head(t, type);
        buf_append(&t->pending, payload->data, payload->size);
        return pending_done(t, from, f);
    }
    if (!t->begun) {
        enum status st = log_begin(t, f);

        if (st != ST_OK) return st;
    }
    return append(t, type, &part, 1, &at, f);
}

enum status log_flush_pending(struct oltp_txn *t, struct fault *f)
{
    enum status st = ST_OK;

    if (!t->begun && t->pending.size > 0) st = log_begin(t, f);
    for (size_t at = 0; st == ST_OK && at < t->pending.size;) {
        size_t size = get_u32(t->pending.data + at + 1);
        struct io_slice part = {t->pending.data + at + PENDING_HEAD, size};
        struct wal_span span;

        st = append(t, t->pending.data[at], &part, 1, &span, f);
        at += PENDING_HEAD + size;
    }
    buf_clear(&t->pending);
    return st;
}
