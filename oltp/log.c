/* log - what a write transaction says to the log (the words are wal/change.h).
 *
 * Changes go to the log as they happen: nothing is gathered, a transaction of any size needs no memory, and
 * rolling back costs one ABORT record. While a savepoint is open they wait in `pending`, because what
 * is in the log cannot be taken back:   u8 type | u32 size | payload, again and again. */
#include "oltp/db.h"

enum { PENDING_HEAD = 5 };

static enum seam_status no_memory(struct oltp_txn *t, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, t->db->dir, SEAM_FAULT_NO_OFFSET,
                          "no memory for the log record");
}

static enum seam_status append(struct oltp_txn *t, uint8_t type, const struct seam_io_slice *parts,
                               int count, struct wal_span *at, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st = wal_append(t->db->wal, type, parts, count, at, &own);

    if (st == SEAM_OK) return SEAM_OK;
    if (st != SEAM_LIMIT) oltp_db_poison(t->db, st, &own);
    if (f != NULL && f->status == SEAM_OK) *f = own;
    return st;
}

enum seam_status oltp_log_begin(struct oltp_txn *t, struct seam_fault *f)
{
    uint8_t id[SEAM_VARINT_MAX];
    struct seam_io_slice part = {id, seam_put_varint(id, t->id)};
    struct wal_span at;
    enum seam_status st = append(t, WAL_CHANGE_BEGIN, &part, 1, &at, f);

    if (st != SEAM_OK) return st;
    t->begun = true;
    t->begin_start = at.start;
    return SEAM_OK;
}

static void pending_head(struct oltp_txn *t, uint8_t type)
{
    seam_buf_u8(&t->pending, type);
    seam_buf_u32(&t->pending, 0);
}

/* The record that began at `from` is whole: note its size. */
static enum seam_status pending_done(struct oltp_txn *t, size_t from, struct seam_fault *f)
{
    if (!seam_buf_ok(&t->pending)) return no_memory(t, f);
    seam_put_u32(t->pending.data + from + 1, (uint32_t)(t->pending.size - from - PENDING_HEAD));
    return SEAM_OK;
}

enum seam_status oltp_log_row(struct oltp_txn *t, const struct wal_change_row *c,
                              struct seam_fault *f)
{
    uint8_t head[WAL_CHANGE_HEAD_MAX + OLTP_KEY_MAX], mid[SEAM_VARINT_MAX];
    struct seam_io_slice parts[4];
    struct wal_span at;
    size_t from = t->pending.size, mid_size = 0;
    int n = 0;

    if (t->save_count > 0) {
        pending_head(t, WAL_CHANGE_ROW);
        wal_change_put_row(&t->pending, c);
        return pending_done(t, from, f);
    }
    if (!t->begun) {
        enum seam_status st = oltp_log_begin(t, f);

        if (st != SEAM_OK) return st;
    }
    parts[n++] = (struct seam_io_slice){head, wal_change_row_head(head, c, mid, &mid_size)};
    if (c->before.data != NULL) parts[n++] = (struct seam_io_slice){c->before.data, c->before.size};
    if (mid_size > 0) parts[n++] = (struct seam_io_slice){mid, mid_size};
    if (c->after.data != NULL) parts[n++] = (struct seam_io_slice){c->after.data, c->after.size};
    return append(t, WAL_CHANGE_ROW, parts, n, &at, f);
}

enum seam_status oltp_log_record(struct oltp_txn *t, uint8_t type, const struct seam_buf *payload,
                                 struct seam_fault *f)
{
    struct seam_io_slice part = {payload->data, payload->size};
    struct wal_span at;
    size_t from = t->pending.size;

    if (!seam_buf_ok(payload)) return no_memory(t, f);
    if (t->save_count > 0) {
        pending_head(t, type);
        seam_buf_append(&t->pending, payload->data, payload->size);
        return pending_done(t, from, f);
    }
    if (!t->begun) {
        enum seam_status st = oltp_log_begin(t, f);

        if (st != SEAM_OK) return st;
    }
    return append(t, type, &part, 1, &at, f);
}

enum seam_status oltp_log_flush_pending(struct oltp_txn *t, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (!t->begun && t->pending.size > 0) st = oltp_log_begin(t, f);
    for (size_t at = 0; st == SEAM_OK && at < t->pending.size;) {
        size_t size = seam_get_u32(t->pending.data + at + 1);
        struct seam_io_slice part = {t->pending.data + at + PENDING_HEAD, size};
        struct wal_span span;

        st = append(t, t->pending.data[at], &part, 1, &span, f);
        at += PENDING_HEAD + size;
    }
    seam_buf_clear(&t->pending);
    return st;
}

enum seam_status oltp_wait(struct oltp *db, seam_lsn_t lsn, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st;

    if (db->wal == NULL || lsn == SEAM_LSN_NONE) return SEAM_OK;
    st = wal_commit(db->wal, lsn, WAL_DURABLE, &own);
    if (st != SEAM_OK) {
        oltp_db_poison(db, st, &own);
        if (f != NULL && f->status == SEAM_OK) *f = own;
    }
    return st;
}
