/* txn - the one writer: begin, what a commit installs, rollback, savepoints. */
#include "oltp/db.h"

#include <stdlib.h>

static enum seam_status txn_grow_trees(struct oltp_txn *t, uint32_t n, struct seam_fault *f)
{
    struct oltp_tree *more;

    if (n <= t->tree_cap) return SEAM_OK;
    more = realloc(t->trees, (n + 8) * sizeof *more);
    if (more == NULL)
        return seam_fault_set(f, SEAM_NOMEM, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the trees");
    t->trees = more;
    t->tree_cap = n + 8;
    return SEAM_OK;
}

enum seam_status oltp_txn_prepare_write(struct oltp *db, struct seam_fault *f)
{
    struct oltp_txn *t = &db->txn;
    struct oltp_version *v = atomic_load(&db->current);
    enum seam_status st = txn_grow_trees(t, v->catalog->slots, f);

    if (st != SEAM_OK) return st;
    t->version = v;
    t->catalog = v->catalog;
    if (v->catalog->slots > 0) memcpy(t->trees, v->trees, v->catalog->slots * sizeof *t->trees);
    t->failed = SEAM_OK;
    t->begun = false;
    t->seq = t->changes = 0;
    t->save_count = 0;
    seam_buf_clear(&t->pending);
    db->w.epoch = db->w.own_epoch = t->first_epoch = pager_next_epoch(&db->pager);
    atomic_store(&db->pager.write_epoch, t->first_epoch);
    db->w.made_count = db->w.freed_count = 0;
    db->w.append = NULL;
    return SEAM_OK;
}

enum seam_status oltp_write_begin(struct oltp *db, struct oltp_txn **out, struct seam_fault *f)
{
    enum seam_status st;

    if (db->read_only)
        return seam_fault_set(f, SEAM_UNSUPPORTED, db->dir, SEAM_FAULT_NO_OFFSET,
                              "this database was opened read-only");
    st = oltp_db_poisoned(db, f);
    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&db->writer_latch);
    st = oltp_db_poisoned(db, f);
    if (st == SEAM_OK) st = oltp_txn_prepare_write(db, f);
    if (st != SEAM_OK) {
        pthread_mutex_unlock(&db->writer_latch);
        return st;
    }
    db->txn.id = db->last_txn + 1;
    *out = &db->txn;
    return SEAM_OK;
}

void oltp_txn_discard(struct oltp_txn *t, const struct oltp_savepoint *to)
{
    struct oltp_tree_writer *w = &t->db->w;
    size_t made = to != NULL ? to->made : 0;

    w->append = NULL;
    hazard_clear(w->leaf_hazard);
    hazard_clear(w->hazard);
    memset(t->db->pager.busy, 0, sizeof t->db->pager.busy);
    while (w->made_count > made) oltp_pager_free_now(&t->db->pager, w->made[--w->made_count]);
    w->freed_count = to != NULL ? to->freed : 0;
    if (to == NULL) return;
    t->catalog = to->catalog;
    if (to->slots > 0) memcpy(t->trees, to->trees, to->slots * sizeof *t->trees);
}

void oltp_saves_drop(struct oltp_txn *t, uint32_t keep)
{
    while (t->save_count > keep) free(t->saves[--t->save_count].trees);
}

void oltp_write_end(struct oltp_txn *t)
{
    struct oltp *db = t->db;

    if (seam_forked(&db->mark)) return; /* the parent's, whose log and latches these are */
    if (t->begun && atomic_load(&db->poisoned) == SEAM_OK) {
        uint8_t id[SEAM_VARINT_MAX];
        struct seam_io_slice part = {id, seam_put_varint(id, t->id)};
        struct wal_span at;
        struct seam_fault f = {0};
        enum seam_status st = wal_append(db->wal, WAL_CHANGE_ABORT, &part, 1, &at, &f);

        if (st != SEAM_OK) oltp_db_poison(db, st, &f);
    }
    if (t->begun) db->last_txn = t->id; /* its number is in the log: not used again */
    oltp_saves_drop(t, 0);
    oltp_txn_discard(t, NULL);
    atomic_fetch_add_explicit(&db->rollbacks, 1, memory_order_relaxed);
    pthread_mutex_unlock(&db->writer_latch);
}

void oltp_end(struct oltp_txn *t)
{
    if (t == NULL) return;
    if (t->write)
        oltp_write_end(t);
    else
        oltp_snapshot_end(t);
}

enum seam_status oltp_txn_install(struct oltp_txn *t, seam_lsn_t lsn, int64_t wall_us,
                                  struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct oltp_tree_writer *w = &db->w;
    struct oltp_version *v = NULL;
    enum seam_status st = oltp_version_make(db, t->catalog->slots, &v, f);

    if (st != SEAM_OK) return st;
    v->lsn = lsn;
    v->wall_us = wall_us;
    v->catalog = t->catalog;
    if (t->catalog->slots > 0) memcpy(v->trees, t->trees, t->catalog->slots * sizeof *v->trees);
    atomic_store(&v->epoch, w->epoch);
    atomic_store(&db->pager.state_lsn, lsn);
    hazard_clear(w->leaf_hazard);
    hazard_clear(w->hazard);
    memset(db->pager.busy, 0, sizeof db->pager.busy);
    oltp_version_publish(db, v);
    /* What it replaced: pages it had made itself go at once, older ones when nothing sees them. */
    for (size_t i = 0; i < w->freed_count; i++) {
        if (w->freed[i].birth >= t->first_epoch)
            oltp_pager_free_now(&db->pager, w->freed[i].page);
        else
            oltp_space_kill(&db->pager, w->freed[i].page, w->freed[i].birth, w->epoch);
    }
    w->made_count = w->freed_count = 0;
    oltp_dead_release(db);
    return SEAM_OK;
}

/* ---- savepoints ------------------------------------------------------------------------------------ */

enum seam_status oltp_save_push(struct oltp_txn *t, struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct oltp_savepoint *s = &t->saves[t->save_count];

    if (t->save_count == OLTP_SAVEPOINTS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, db->dir, SEAM_FAULT_NO_OFFSET,
                              "%d savepoints are open already", OLTP_SAVEPOINTS_MAX);
    *s = (struct oltp_savepoint){.made = db->w.made_count,
                                 .freed = db->w.freed_count,
                                 .pending = t->pending.size,
                                 .own_epoch = db->w.own_epoch,
                                 .seq = t->seq,
                                 .changes = t->changes,
                                 .catalog = t->catalog,
                                 .slots = t->catalog->slots};
    s->trees = malloc((s->slots + 1) * sizeof *s->trees);
    if (s->trees == NULL)
        return oltp_txn_fatal(t, seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                                                "no memory for a savepoint"));
    if (s->slots > 0) memcpy(s->trees, t->trees, s->slots * sizeof *s->trees);
    t->save_count++;
    /* From here on, pages made before are copied when they change: they are what we may return to. */
    db->w.epoch = db->w.own_epoch = pager_next_epoch(&db->pager);
    db->w.append = NULL;
    return SEAM_OK;
}

static enum seam_status save_find(struct oltp_txn *t, uint32_t id, struct seam_fault *f)
{
    if (t->write && id < t->save_count) return SEAM_OK;
    return seam_fault_set(f, SEAM_NOT_FOUND, t->db->dir, SEAM_FAULT_NO_OFFSET,
                          "no savepoint %u in this transaction", id);
}

enum seam_status oltp_savepoint(struct oltp_txn *t, uint32_t *id, struct seam_fault *f)
{
    enum seam_status st = t->failed;

    if (!t->write)
        return seam_fault_set(f, SEAM_UNSUPPORTED, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "a read transaction has no savepoints");
    if (st != SEAM_OK)
        return seam_fault_set(f, st, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "the transaction failed earlier");
    st = oltp_save_push(t, f);
    if (st == SEAM_OK) *id = t->save_count - 1;
    return st;
}

enum seam_status oltp_rollback_to(struct oltp_txn *t, uint32_t id, struct seam_fault *f)
{
    enum seam_status st = save_find(t, id, f);
    const struct oltp_savepoint *s = &t->saves[id];

    if (st != SEAM_OK) return st;
    if (t->failed == SEAM_IO)
        return seam_fault_set(f, SEAM_IO, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "the transaction failed: only rolling it back remains");
    oltp_saves_drop(t, id + 1);
    oltp_txn_discard(t, s);
    t->pending.size = s->pending;
    t->pending.failed = false;
    t->seq = s->seq;
    t->changes = s->changes;
    t->stamp++;
    t->failed = SEAM_OK;
    return SEAM_OK;
}

enum seam_status oltp_release(struct oltp_txn *t, uint32_t id, struct seam_fault *f)
{
    enum seam_status st = save_find(t, id, f);

    if (st != SEAM_OK) return st;
    t->db->w.own_epoch = t->saves[id].own_epoch;
    oltp_saves_drop(t, id);
    return t->save_count == 0 ? oltp_txn_fatal(t, oltp_log_flush_pending(t, f)) : SEAM_OK;
}
