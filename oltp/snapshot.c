/* snapshot - read transactions: one word says which version is held. */
#include "oltp/db.h"

static struct oltp_snapshot_slot *slot_take(struct oltp *db)
{
    /* Threads start at different ones of the first few, so that they do not fight over a line, and the
     * writer has only those to look at. */
    size_t first = (size_t)(((uint64_t)pthread_self() * 0x9e3779b97f4a7c15ull) >> 61);

    for (size_t i = 0; i < OLTP_READERS_MAX; i++) {
        size_t at = (first + i) % OLTP_READERS_MAX, high;
        struct oltp_snapshot_slot *s = &db->readers[at];
        uint32_t free_ = 0;

        if (atomic_load_explicit(&s->taken, memory_order_relaxed) != 0 ||
            !atomic_compare_exchange_strong(&s->taken, &free_, 1))
            continue;
        high = atomic_load_explicit(&db->readers_high, memory_order_relaxed);
        while (high <= at && !atomic_compare_exchange_weak(&db->readers_high, &high, at + 1))
            continue;
        return s;
    }
    return NULL;
}

enum seam_status oltp_read_begin(struct oltp *db, struct oltp_txn **out, struct seam_fault *f)
{
    struct oltp_snapshot_slot *s;
    struct oltp_version *v;
    uint64_t epoch;
    enum seam_status st = oltp_db_poisoned(db, f);

    if (seam_unlikely(st != SEAM_OK)) return st;
    s = slot_take(db);
    if (s == NULL)
        return seam_fault_set(f, SEAM_LIMIT, db->dir, SEAM_FAULT_NO_OFFSET,
                              "%d read transactions are open already", OLTP_READERS_MAX);
    do { /* say what we hold, then see that it is still the newest: it cannot be reused after that */
        v = atomic_load(&db->current);
        epoch = atomic_load_explicit(&v->epoch, memory_order_relaxed);
        atomic_store(&s->epoch, epoch);
    } while (atomic_load(&db->current) != v || atomic_load(&v->epoch) != epoch);
    atomic_store_explicit(&s->lsn, v->lsn, memory_order_relaxed);
    atomic_store_explicit(&s->since_us, v->wall_us, memory_order_relaxed);
    s->txn.version = v;
    s->txn.catalog = v->catalog;
    s->txn.trees = v->trees;
    *out = &s->txn;
    return SEAM_OK;
}

void oltp_snapshot_end(struct oltp_txn *t)
{
    struct oltp_snapshot_slot *s =
        (struct oltp_snapshot_slot *)((char *)t - offsetof(struct oltp_snapshot_slot, txn));

    hazard_clear(t->hazard);
    atomic_store_explicit(&s->epoch, 0, memory_order_release);
    atomic_store_explicit(&s->taken, 0, memory_order_release);
}

seam_lsn_t oltp_txn_lsn(const struct oltp_txn *t)
{
    return t->version->lsn;
}

int64_t oltp_txn_wall_us(const struct oltp_txn *t)
{
    return t->version->wall_us;
}

uint64_t oltp_txn_id(const struct oltp_txn *t)
{
    return t->write ? t->id : 0;
}

seam_lsn_t oltp_lsn(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    seam_lsn_t lsn = SEAM_LSN_NONE;

    if (oltp_read_begin(db, &t, NULL) == SEAM_OK) {
        lsn = oltp_txn_lsn(t);
        oltp_snapshot_end(t);
    }
    return lsn;
}
