/* checkpoint - the page file becomes the newest state, without anyone waiting.
 *
 * A state is immutable (its pages are copied before they change), so a checkpoint is: note the newest version,
 * write the pages that the file has not, in file order, sync, then write the other meta page and
 * sync. The writer is held only while the list is made; the pages are written a piece at a time, by the
 * commits of the next stretch of log, so that none of them pays for all. The log is synced up to that state first: the page
 * file never knows a commit that the log could lose.
 * Papers: Haerder & Reuter 1983 (no-steal of *committed* places, no-force); Rodeh 2008; Hitz et al. 1994 (WAFL). */
#include "oltp/db.h"

#include <stdlib.h>

enum { PACE_PAGES = 64 }; /* 512 KiB: what one commit writes at a time */

/* ---- making one ------------------------------------------------------------------------------------ */

struct making {
    struct oltp_checkpoint next;
    struct oltp_checkpoint retained[RETAINED_MAX];
    size_t retained_count;
    struct seam_buf catalog, space;
    uint32_t *blob; /* first the catalogue's pages, then the space map's */
    size_t blob_count, catalog_pages;
    uint32_t *dirty; /* ascending */
    size_t dirty_count, written;
};

/* Which checkpoints stay, once `next` is the newest: the youngest few, and those young enough. */
static void retention(const struct oltp *db, struct making *m)
{
    size_t all = db->retained_count + 1, first = all;
    int64_t wall = m->next.wall_us;

    /* A time after that of a later one was a clock's mistake, mended since: it was not younger than that. */
    while (first > 0) {
        const struct oltp_checkpoint *c =
            first - 1 < db->retained_count ? &db->retained[first - 1] : &db->newest;

        if (c->wall_us < wall) wall = c->wall_us;
        if (db->o.retain_us <= 0 || m->next.wall_us - wall > db->o.retain_us) break;
        first--;
    }
    for (size_t i = 0; i < all; i++) {
        const struct oltp_checkpoint *c = i < db->retained_count ? &db->retained[i] : &db->newest;
        bool few = all - i <= db->o.retain_checkpoints, young = i >= first;

        if (c->catalog.page == 0 || (!few && !young) || all - i > RETAINED_MAX) continue;
        m->retained[m->retained_count++] = *c;
    }
}

static int compare_epochs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static enum seam_status encode_space(struct oltp *db, struct making *m)
{
    uint64_t kept[RETAINED_MAX + OLTP_PINS_MAX + 1];
    size_t n = 0;

    /* All that are on the list until this one is published, also those it gives up: a reader may still open and
     * pin one while the pages are written. What only they need is let go by the checkpoint after. */
    for (size_t i = 0; i < db->retained_count; i++) kept[n++] = db->retained[i].epoch;
    for (size_t i = 0; i < db->pinned_count; i++) kept[n++] = db->pinned[i];
    kept[n++] = db->newest.epoch; /* another process may just be opening it */
    qsort(kept, n, sizeof *kept, compare_epochs);
    seam_buf_clear(&m->space);
    oltp_space_encode(db, &(struct oltp_kept){kept, n, m->retained, m->retained_count}, &m->space);
    return seam_buf_ok(&m->space) && seam_buf_ok(&m->catalog) ? SEAM_OK : SEAM_NOMEM;
}

/* Page numbers for both blobs. Taking them changes the map, whose size may then need one more. */
static enum seam_status blob_places(struct oltp *db, struct making *m, struct seam_fault *f)
{
    size_t need;
    enum seam_status st;

    do {
        st = encode_space(db, m);
        m->catalog_pages = (m->catalog.size + PAGE_BODY - 1) / PAGE_BODY;
        need = m->catalog_pages + (m->space.size + PAGE_BODY - 1) / PAGE_BODY;
        if (st == SEAM_OK && m->blob_count < need) {
            uint32_t *more = realloc(m->blob, need * sizeof *more);

            if (more == NULL)
                st = SEAM_NOMEM;
            else
                m->blob = more;
        }
        if (st == SEAM_NOMEM)
            return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                                  "no memory for a checkpoint");
        if (m->blob_count == need) break;
        while (st == SEAM_OK && m->blob_count < need) {
            st = oltp_space_take(&db->pager, &m->blob[m->blob_count], f);
            if (st == SEAM_OK) m->blob_count++;
        }
        while (m->blob_count > need) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
    } while (st == SEAM_OK);
    return st;
}

/* Writer latch held: everything that depends on the state being still. */
static enum seam_status making_begin(struct oltp *db, struct making *m, struct seam_fault *f)
{
    const struct oltp_version *v = atomic_load(&db->current);
    enum seam_status st;

    m->next = (struct oltp_checkpoint){.seq = db->newest.seq + 1,
                                       .epoch = atomic_load(&v->epoch),
                                       .lsn = v->lsn,
                                       .wall_us = v->wall_us,
                                       .last_txn = db->last_txn};
    oltp_pins_refresh(db);
    retention(db, m);
    oltp_catalog_encode(v->catalog, v->trees, &m->catalog);
    st = oltp_space_reserve_dead(&db->pager, db->blob_count, f);
    /* The pages of the last checkpoint's blobs die with it; say so in the map, take it back after. */
    for (size_t i = 0; st == SEAM_OK && i < db->blob_count; i++)
        oltp_space_kill(&db->pager, db->blob_pages[i], db->newest.epoch, m->next.epoch);
    if (st != SEAM_OK) return st;
    st = blob_places(db, m, f);
    if (st == SEAM_OK)
        st = oltp_pager_dirty_pages(&db->pager, m->next.epoch, &m->dirty, &m->dirty_count, f);
    if (st != SEAM_OK) {
        db->pager.space.dead_count -= db->blob_count;
        return st;
    }
    m->next.pages = atomic_load(&db->pager.pages);
    m->next.catalog = oltp_blob_name(m->blob[0], &m->catalog);
    m->next.space = oltp_blob_name(m->blob[m->catalog_pages], &m->space);
    db->in_progress = m->next.epoch;
    return SEAM_OK;
}

/* The next `count` of its pages. The log is synced first: see above. */
static enum seam_status making_write(struct oltp *db, struct making *m, size_t count,
                                     struct seam_fault *f)
{
    enum seam_status st = m->written == 0 ? oltp_wait(db, m->next.lsn, f) : SEAM_OK;

    if (count > m->dirty_count - m->written) count = m->dirty_count - m->written;
    if (st == SEAM_OK) st = oltp_pager_write_pages(&db->pager, m->dirty + m->written, count, f);
    if (st == SEAM_OK) m->written += count;
    return st;
}

/* What makes it the newest: blobs, sync, meta page, sync. A state without a page of its own (events only) meets
 * the log's sync here for the first time. */
static enum seam_status making_publish(struct oltp *db, const struct making *m,
                                       struct seam_fault *f)
{
    struct oltp_pager *p = &db->pager;
    uint8_t meta[META_SIZE];
    enum seam_status st = oltp_wait(db, m->next.lsn, f);

    if (st == SEAM_OK) st = oltp_blob_write(p, &m->catalog, m->blob, m->catalog_pages, &m->next, f);
    if (st == SEAM_OK)
        st = oltp_blob_write(p, &m->space, m->blob + m->catalog_pages,
                             m->blob_count - m->catalog_pages, &m->next, f);
    if (st == SEAM_OK && (st = seam_file_datasync(p->file, f)) != SEAM_OK)
        oltp_db_poison(db, st, f);
    if (st != SEAM_OK) return st;
    if (wal_record_before(db->io, db->wal_dir, m->next.lsn, &db->identity.before, NULL) != SEAM_OK)
        db->identity.before = 0;
    oltp_meta_encode(&m->next, &db->identity, meta);
    st = seam_file_write(p->file, (m->next.seq % 2) * OLTP_PAGE_SIZE, meta, META_SIZE, f);
    if (st == SEAM_OK) st = seam_file_datasync(p->file, f);
    /* Whether the new meta page is on the disk is not known any more: only reopening tells. */
    if (st != SEAM_OK) oltp_db_poison(db, st, f);
    return st;
}

static void making_free(struct making *m)
{
    seam_buf_free(&m->catalog);
    seam_buf_free(&m->space);
    free(m->blob);
    free(m->dirty);
    free(m);
}

/* The dead list may have grown behind our entries meanwhile: take them out by what they are. */
static void blobs_revive(struct oltp *db)
{
    struct oltp_space *s = &db->pager.space;

    for (size_t i = 0; i < db->blob_count; i++)
        for (size_t k = 0; k < s->dead_count; k++)
            if (s->dead[k].page == db->blob_pages[i]) {
                memmove(&s->dead[k], &s->dead[k + 1], (s->dead_count - k - 1) * sizeof *s->dead);
                s->dead_count--;
                break;
            }
    db->dead_scanned = 0;
    db->seen_before_count = 0;
}

static void making_end(struct oltp *db, struct making *m, bool made)
{
    db->in_progress = 0;
    if (made) {
        db->newest = m->next;
        memcpy(db->retained, m->retained, m->retained_count * sizeof *m->retained);
        db->retained_count = m->retained_count;
        free(db->blob_pages);
        db->blob_pages = m->blob;
        db->blob_count = m->blob_count;
        m->blob = NULL;
        db->meta_damaged[m->next.seq % 2] = false;
        atomic_store(&db->checkpoint_lsn, m->next.lsn);
        atomic_fetch_add(&db->checkpoints, 1);
        oltp_pins_refresh(db);
    } else {
        while (m->blob_count > 0) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
        blobs_revive(db);
    }
    oltp_dead_release(db);
}

static enum seam_status say_in_log(struct oltp *db, const struct making *m, struct seam_fault *f)
{
    struct seam_buf payload = {0};
    struct wal_change_checkpoint c = {
        .lsn = m->next.lsn, .wall_us = seam_clock_wall_us(db->clock), .pages = m->dirty_count};
    struct seam_io_slice part;
    struct wal_span at;
    enum seam_status st = SEAM_NOMEM;

    wal_change_put_checkpoint(&payload, &c);
    part = (struct seam_io_slice){payload.data, payload.size};
    if (seam_buf_ok(&payload)) st = wal_append(db->wal, WAL_CHANGE_CHECKPOINT, &part, 1, &at, f);
    seam_buf_free(&payload);
    return st;
}

/* A new version of the same state, so that a checkpoint of it differs from the last. Latch held. */
static enum seam_status next_epoch(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st = oltp_txn_prepare_write(db, f);

    return st == SEAM_OK
               ? oltp_txn_install(&db->txn, db->txn.version->lsn, db->txn.version->wall_us, f)
               : st;
}

static void held(struct oltp *db, uint64_t since)
{
    pthread_mutex_lock(&db->stats_latch);
    seam_histogram_add(&db->stall_ns, seam_clock_mono_ns(db->clock) - since);
    pthread_mutex_unlock(&db->stats_latch);
}

/* Sets db->making; leaves it NULL when the newest checkpoint has everything. checkpoint_latch held, as in
 * all that follows. */
static enum seam_status checkpoint_begin(struct oltp *db, bool force, struct seam_fault *f)
{
    struct making *m = calloc(1, sizeof *m);
    uint64_t began = seam_clock_mono_ns(db->clock);
    enum seam_status st;
    bool same;

    if (m == NULL)
        return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a checkpoint");
    pthread_mutex_lock(&db->writer_latch);
    st = oltp_db_poisoned(db, f);
    same = st == SEAM_OK && atomic_load(&atomic_load(&db->current)->epoch) == db->newest.epoch;
    if (same && force) st = next_epoch(db, f);
    if (st == SEAM_OK && (force || !same)) {
        st = making_begin(db, m, f);
        if (st == SEAM_OK)
            db->making = m;
        else
            while (m->blob_count > 0) oltp_space_give(&db->pager, m->blob[--m->blob_count]);
    }
    pthread_mutex_unlock(&db->writer_latch);
    held(db, began);
    if (db->making == NULL)
        making_free(m);
    else
        oltp_pager_order_pages(m->dirty, m->dirty_count);
    return st;
}

/* The newest, or as if it had never begun. */
static enum seam_status checkpoint_end(struct oltp *db, enum seam_status st, struct seam_fault *f)
{
    struct making *m = db->making;

    if (st == SEAM_OK) st = making_publish(db, m, f);
    pthread_mutex_lock(&db->writer_latch);
    making_end(db, m, st == SEAM_OK);
    pthread_mutex_unlock(&db->writer_latch);
    if (st == SEAM_OK) st = say_in_log(db, m, f);
    if (st == SEAM_OK)
        st = wal_trim(db->wal, m->retained_count > 0 ? m->retained[0].lsn : m->next.lsn, NULL, f);
    SEAM_TRACE(db->trace, "oltp", "checkpoint", SEAM_TI("seq", m->next.seq),
               SEAM_TI("lsn", m->next.lsn), SEAM_TI("pages", m->dirty_count),
               SEAM_TI("status", st));
    making_free(m);
    db->making = NULL;
    return st;
}

enum seam_status oltp_checkpoint_finish(struct oltp *db, struct seam_fault *f)
{
    struct seam_fault own = {0};
    enum seam_status st;

    if (db->making == NULL) return SEAM_OK;
    st = making_write(db, db->making, SIZE_MAX, &own);
    st = checkpoint_end(db, st, &own);
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = own;
    return st;
}

void oltp_checkpoint_drop(struct oltp *db)
{
    if (db->making != NULL) making_free(db->making);
    db->making = NULL;
}

enum seam_status oltp_checkpoint_now(struct oltp *db, bool force, struct seam_fault *f)
{
    enum seam_status st = oltp_checkpoint_finish(db, f);

    if (st == SEAM_OK) st = checkpoint_begin(db, force, f);
    return st == SEAM_OK ? oltp_checkpoint_finish(db, f) : st;
}

/* One commit's share of the checkpoint in progress: its pages are written while the next quarter of the
 * distance is logged, in pieces of PACE_PAGES or a quarter of them; the end waits an eighth longer for the disk, which
 * was asked to begin with each piece. */
static enum seam_status checkpoint_share(struct oltp *db, seam_lsn_t lsn, struct seam_fault *f)
{
    struct making *m = db->making;
    uint64_t window = db->o.checkpoint_log_bytes / 4 + 1, logged = lsn - m->next.lsn;
    double share = logged < window ? (double)logged / (double)window : 1.0;
    size_t target = (size_t)(share * (double)m->dirty_count);
    size_t due = target > m->written ? target - m->written : 0; /* commits arrive out of order */
    bool all = m->written == m->dirty_count;
    uint64_t began;
    enum seam_status st = SEAM_OK;

    if (all ? logged < window + window / 8
            : logged < window && due < PACE_PAGES && (due == 0 || due < m->dirty_count / 4))
        return SEAM_OK; /* later */
    began = seam_clock_mono_ns(db->clock);
    if (!all) st = making_write(db, m, due, f);
    if (all || st != SEAM_OK) st = checkpoint_end(db, st, f);
    held(db, began);
    return st;
}

void oltp_checkpoint_pace(struct oltp *db, seam_lsn_t lsn)
{
    uint64_t distance = db->o.checkpoint_log_bytes;
    struct seam_fault f = {0};
    enum seam_status st = SEAM_OK;

    if (distance == UINT64_MAX ||
        lsn < atomic_load_explicit(&db->checkpoint_lsn, memory_order_relaxed) + distance)
        return;
    if (pthread_mutex_trylock(&db->checkpoint_latch) != 0) return; /* someone is at it */
    if (db->making == NULL) st = checkpoint_begin(db, false, &f);
    if (st == SEAM_OK && db->making != NULL && lsn > db->making->next.lsn)
        st = checkpoint_share(db, lsn, &f);
    if (st != SEAM_OK) SEAM_TRACE(db->trace, "oltp", "checkpoint_failed", SEAM_TS("why", f.why));
    /* Nobody is told by a return: it stays to be seen until a checkpoint is whole again. */
    if (st != SEAM_OK)
        wal_background(db->wal, &f);
    else if (db->making == NULL)
        wal_background(db->wal, NULL);
    pthread_mutex_unlock(&db->checkpoint_latch);
}

enum seam_status oltp_checkpoint(struct oltp *db, struct seam_fault *f)
{
    enum seam_status st = oltp_db_poisoned(db, f);

    if (st != SEAM_OK) return st;
    if (db->read_only)
        return seam_fault_set(f, SEAM_UNSUPPORTED, db->dir, SEAM_FAULT_NO_OFFSET,
                              "this database was opened read-only");
    pthread_mutex_lock(&db->checkpoint_latch);
    st = oltp_checkpoint_now(db, false, f);
    pthread_mutex_unlock(&db->checkpoint_latch);
    return st;
}
