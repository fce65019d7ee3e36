/* poison - a write failed and the file is not known any more: nothing is written until it was opened again. */
#include "oltp/db.h"

enum seam_status oltp_db_poison(struct oltp *db, enum seam_status st, const struct seam_fault *f)
{
    pthread_mutex_lock(&db->stats_latch);
    if (atomic_load(&db->poisoned) == SEAM_OK) {
        if (f != NULL) db->poison = *f;
        if (f == NULL || f->status == SEAM_OK)
            seam_fault_set(&db->poison, st, db->dir, SEAM_FAULT_NO_OFFSET,
                           "an earlier write failed: reopen to recover");
        atomic_store(&db->poisoned, st);
    }
    pthread_mutex_unlock(&db->stats_latch);
    return st;
}

enum seam_status oltp_db_poisoned(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st = atomic_load_explicit(&db->poisoned, memory_order_acquire);

    if (seam_unlikely(seam_forked(&db->mark))) return seam_forked_fault(&db->mark, db->dir, f);
    if (seam_likely(st == SEAM_OK)) return SEAM_OK;
    if (f != NULL && f->status == SEAM_OK) *f = db->poison;
    return st;
}

enum seam_status oltp_txn_fatal(struct oltp_txn *t, enum seam_status st)
{
    if (st == SEAM_IO || st == SEAM_NOMEM || st == SEAM_CORRUPT || st == SEAM_LIMIT)
        if (t->failed == SEAM_OK) t->failed = st;
    return st;
}
