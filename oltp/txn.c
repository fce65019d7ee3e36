/* txn - snapshots, the one writer, commit, rollback, savepoints. */
#include "oltp/db.h"

#include <stdlib.h>

/* ---- versions -------------------------------------------------------------------------------------- */

enum seam_status oltp_version_make(struct oltp *db, uint32_t trees, struct oltp_version **out,
                                   struct seam_fault *f)
{
    struct oltp_version *v = db->spare;

    if (v != NULL)
        db->spare = v->next;
    else
        v = calloc(1, sizeof *v);
    if (v != NULL && v->tree_cap < trees) {
        struct oltp_tree *more = realloc(v->trees, (trees + 8) * sizeof *more);

        if (more == NULL) {
            v->next = db->spare;
            db->spare = v;
            v = NULL;
        } else {
            v->trees = more;
            v->tree_cap = trees + 8;
        }
    }
    if (v == NULL)
        return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a version");
    *out = v;
    return SEAM_OK;
}

static bool epoch_held(struct oltp *db, uint64_t epoch)
{
    size_t high = atomic_load(&db->readers_high);

    for (size_t i = 0; i < high; i++)
        if (atomic_load(&db->readers[i].epoch) == epoch) return true;
    return false;
}

void oltp_version_publish(struct oltp *db, struct oltp_version *v)
{
    struct oltp_version *old = atomic_load(&db->current), **at = &db->retired;

    atomic_store(&db->current, v);
    if (old != NULL) {
        old->next = db->retired;
        db->retired = old;
    }
    while (*at != NULL) {
        struct oltp_version *r = *at;

        if (epoch_held(db, atomic_load_explicit(&r->epoch, memory_order_relaxed))) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = db->spare;
        db->spare = r;
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

size_t oltp_epochs_seen(struct oltp *db)
{
    size_t n = 0, high = atomic_load(&db->readers_high);
    bool sorted = true;

    for (size_t i = 0; i < db->pinned_count; i++) db->seen[n++] = db->pinned[i];
    for (size_t i = 0; i < db->retained_count; i++) db->seen[n++] = db->retained[i].epoch;
    db->seen[n++] = db->newest.epoch;
    if (db->in_progress != 0) db->seen[n++] = db->in_progress;
    for (size_t i = 0; i < high; i++) {
        uint64_t e = atomic_load(&db->readers[i].epoch);

        if (e != 0) db->seen[n++] = e;
    }
    for (size_t i = 1; i < n && sorted; i++) sorted = db->seen[i - 1] <= db->seen[i];
    if (!sorted) qsort(db->seen, n, sizeof *db->seen, compare_u64);
    return n;
}

/* Nothing seen before has gone away? Then what was still seen then still is. */
static bool still_all_seen(const struct oltp *db, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < db->seen_before_count; i++) {
        while (k < n && db->seen[k] < db->seen_before[i]) k++;
        if (k == n || db->seen[k] != db->seen_before[i]) return false;
    }
    return true;
}

void oltp_dead_release(struct oltp *db)
{
    size_t n = oltp_epochs_seen(db);

    oltp_space_release(&db->pager, still_all_seen(db, n) ? db->dead_scanned : 0, db->seen, n);
    db->dead_scanned = db->pager.space.dead_count;
    memcpy(db->seen_before, db->seen, n * sizeof *db->seen);
    db->seen_before_count = n;
}

/* ---- poison ---------------------------------------------------------------------------------------- */

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

/* ---- read transactions ----------------------------------------------------------------------------- */

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

static void read_end(struct oltp_txn *t)
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

    if (oltp_read_begin(db, &t, NULL) == SEAM_OK) lsn = oltp_txn_lsn(t);
    oltp_end(t);
    return lsn;
}

/* ---- the write transaction ------------------------------------------------------------------------- */

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
    db->w.epoch = db->w.own_epoch = t->first_epoch = ++db->epoch;
    atomic_store(&db->pager.max_epoch, db->epoch);
    atomic_store(&db->pager.write_epoch, db->epoch);
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

static void saves_drop(struct oltp_txn *t, uint32_t keep)
{
    while (t->save_count > keep) free(t->saves[--t->save_count].trees);
}

static void write_end(struct oltp_txn *t)
{
    struct oltp *db = t->db;

    if (t->begun && atomic_load(&db->poisoned) == SEAM_OK) {
        uint8_t id[SEAM_VARINT_MAX];
        struct seam_io_slice part = {id, seam_put_varint(id, t->id)};
        struct wal_span at;
        struct seam_fault f = {0};
        enum seam_status st = wal_append(db->wal, WAL_CHANGE_ABORT, &part, 1, &at, &f);

        if (st != SEAM_OK) oltp_db_poison(db, st, &f);
    }
    if (t->begun) db->last_txn = t->id; /* its number is in the log: not used again */
    saves_drop(t, 0);
    oltp_txn_discard(t, NULL);
    atomic_fetch_add_explicit(&db->rollbacks, 1, memory_order_relaxed);
    pthread_mutex_unlock(&db->writer_latch);
}

void oltp_end(struct oltp_txn *t)
{
    if (t == NULL) return;
    if (t->write)
        write_end(t);
    else
        read_end(t);
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

/* Appends COMMIT; *lsn is then the transaction's. */
static enum seam_status append_commit(struct oltp_txn *t, int64_t wall_us, seam_lsn_t *lsn,
                                      struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct wal_change_commit c = {.txn = t->id, .wall_us = wall_us, .changes = t->seq};
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
    int64_t wall = seam_clock_wall_us(db->clock);
    struct seam_fault own = {0};
    enum seam_status st = t->failed;

    if (st != SEAM_OK) {
        seam_fault_set(f, st, db->dir, SEAM_FAULT_NO_OFFSET,
                       "an earlier change of this transaction failed: it is rolled back");
    } else if (!t->begun && t->pending.size == 0) {
        *out = (struct oltp_commit){.lsn = lsn, .wall_us = t->version->wall_us, .txn = t->id};
        write_end(t);
        return SEAM_OK;
    }
    if (wall < t->version->wall_us) wall = t->version->wall_us; /* commit times never step back */
    if (st == SEAM_OK) st = oltp_space_reserve_dead(&db->pager, db->w.freed_count, f);
    if (st == SEAM_OK) st = append_commit(t, wall, &lsn, f);
    if (st == SEAM_OK) st = oltp_txn_install(t, lsn, wall, f);
    if (st != SEAM_OK) {
        if (f != NULL) own = *f;
        if (t->failed == SEAM_OK)
            oltp_db_poison(db, st, &own); /* the log may hold a commit we do not */
        write_end(t);
        return st;
    }
    *out = (struct oltp_commit){.lsn = lsn, .wall_us = wall, .txn = t->id, .changes = t->changes};
    db->last_txn = t->id;
    saves_drop(t, 0);
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->changes, t->changes, memory_order_relaxed);
    SEAM_TRACE(db->trace, "oltp", "commit", SEAM_TI("txn", t->id), SEAM_TI("lsn", lsn),
               SEAM_TI("changes", t->changes));
    pthread_mutex_unlock(&db->writer_latch);
    return SEAM_OK;
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

enum seam_status oltp_commit_nowait(struct oltp_txn *t, struct oltp_commit *out,
                                    struct seam_fault *f)
{
    struct oltp_commit c = {0};
    struct oltp *db = t->db;
    enum seam_status st;

    if (!t->write) {
        c = (struct oltp_commit){.lsn = t->version->lsn, .wall_us = t->version->wall_us};
        read_end(t);
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

    if (!write) return oltp_commit_nowait(t, out, f);
    st = commit_locked(t, &c, f);
    if (st != SEAM_OK) return st;
    if (out != NULL) *out = c;
    if (c.changes == 0) return SEAM_OK;
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
    db->w.epoch = db->w.own_epoch = ++db->epoch;
    db->w.append = NULL;
    atomic_store(&db->pager.max_epoch, db->epoch);
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
    saves_drop(t, id + 1);
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
    saves_drop(t, id);
    return t->save_count == 0 ? oltp_txn_fatal(t, oltp_log_flush_pending(t, f)) : SEAM_OK;
}
