/* commit - a transaction's end: its COMMIT record, its version, the wait for the disk, and its share of a checkpoint. */
#include "oltp/db.h"

/* Appends COMMIT; *lsn is then the transaction's. */
static enum seam_status append_commit(struct oltp_txn *t, int64_t wall_us, int64_t off_us,
                                      seam_lsn_t *lsn, struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct wal_change_commit c = {
        .txn = t->id, .wall_us = wall_us, .changes = t->seq, .off_us = off_us};
    struct wal_span at;
    struct seam_io_slice part;
    enum seam_status st = oltp_log_flush_pending(t, f);

    if (st != SEAM_OK) return st;
    c.span = wal_end_lsn(db->wal) - t->begin_start;
    seam_buf_clear(&t->key);
    wal_change_put_commit(&t->key, &c);
    if (!seam_buf_ok(&t->key))
        return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET, "no memory to commit");
    part = (struct seam_io_slice){t->key.data, t->key.size};
    st = wal_append(db->wal, WAL_CHANGE_COMMIT, &part, 1, &at, f);
    *lsn = at.end;
    return st;
}

/* The commit without the wait. Ends the transaction. */
static enum seam_status commit_locked(struct oltp_txn *t, struct oltp_commit *out,
                                      struct seam_fault *f)
{
    struct oltp *db = t->db;
    seam_lsn_t lsn = t->version->lsn;
    int64_t wall = 0, off = 0;
    struct seam_fault own = {0};
    enum seam_status st = t->failed;

    if (st != SEAM_OK) {
        seam_fault_set(f, st, db->dir, SEAM_FAULT_NO_OFFSET,
                       "an earlier change of this transaction failed: it is rolled back");
    } else if (!t->begun && t->pending.size == 0) {
        *out = (struct oltp_commit){.lsn = lsn, .wall_us = t->version->wall_us, .txn = t->id};
        oltp_write_end(t);
        return SEAM_OK;
    }
    if (st == SEAM_OK) wall = oltp_commit_time(db, t->version->wall_us, &off);
    if (st == SEAM_OK) st = oltp_space_reserve_dead(&db->pager, db->w.freed_count, f);
    if (st == SEAM_OK) st = append_commit(t, wall, off, &lsn, f);
    if (st == SEAM_OK) st = oltp_txn_install(t, lsn, wall, f);
    if (st != SEAM_OK) {
        if (f != NULL) own = *f;
        if (t->failed == SEAM_OK)
            oltp_db_poison(db, st, &own); /* the log may hold a commit we do not */
        oltp_write_end(t);
        return st;
    }
    *out = (struct oltp_commit){.lsn = lsn, .wall_us = wall, .txn = t->id, .changes = t->changes};
    db->last_txn = t->id;
    oltp_saves_drop(t, 0);
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->changes, t->changes, memory_order_relaxed);
    SEAM_TRACE(db->trace, "oltp", "commit", SEAM_TI("txn", t->id), SEAM_TI("lsn", lsn),
               SEAM_TI("changes", t->changes));
    pthread_mutex_unlock(&db->writer_latch);
    return SEAM_OK;
}

enum seam_status oltp_commit_nowait(struct oltp_txn *t, struct oltp_commit *out,
                                    struct seam_fault *f)
{
    struct oltp_commit c = {0};
    struct oltp *db = t->db;
    enum seam_status st;

    if (!t->write) {
        c = (struct oltp_commit){.lsn = t->version->lsn, .wall_us = t->version->wall_us};
        oltp_snapshot_end(t);
        st = SEAM_OK;
    } else {
        st = commit_locked(t, &c, f);
        if (st == SEAM_OK) oltp_checkpoint_pace(db, c.lsn);
    }
    if (out != NULL) *out = c;
    return st;
}

enum seam_status oltp_commit(struct oltp_txn *t, enum oltp_mode mode, struct oltp_commit *out,
                             struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct oltp_commit c = {0};
    struct seam_fault own = {0};
    bool write = t->write;
    uint64_t began = seam_clock_mono_ns(db->clock);
    enum seam_status st;

    st = write ? commit_locked(t, &c, f) : oltp_commit_nowait(t, &c, f);
    if (st != SEAM_OK) return st;
    if (out != NULL) *out = c;
    /* Also what was only read: others may have written it and still wait for its sync. */
    if (c.changes == 0) return mode == OLTP_DURABLE ? oltp_wait(db, c.lsn, f) : SEAM_OK;
    if (mode == OLTP_DURABLE) {
        st = oltp_wait(db, c.lsn, f);
        pthread_mutex_lock(&db->stats_latch);
        seam_histogram_add(&db->commit_ns, seam_clock_mono_ns(db->clock) - began);
        pthread_mutex_unlock(&db->stats_latch);
    } else {
        st = wal_commit(db->wal, c.lsn, WAL_DEFERRED, &own);
        if (st != SEAM_OK) oltp_db_poison(db, st, &own);
        if (st != SEAM_OK && f != NULL) *f = own;
    }
    if (st == SEAM_OK) oltp_checkpoint_pace(db, c.lsn);
    return st;
}

enum seam_status oltp_read_begin_durable(struct oltp *db, struct oltp_txn **out,
                                         struct seam_fault *f)
{
    enum seam_status st = oltp_read_begin(db, out, f);

    if (st == SEAM_OK) st = oltp_wait(db, (*out)->version->lsn, f);
    if (st != SEAM_OK) {
        oltp_end(*out);
        *out = NULL;
    }
    return st;
}
