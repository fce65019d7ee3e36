/* flush - the leader's work: ring to file, file to disk, positions to readers. */
#include "wal/internal.h"

/* A writer that was declared dead may still hold it (a stopped process, a forked child); what is published is ours all the
 * same, readers look at the log meanwhile, and the lock is tried again. */
enum seam_status wal_page_hold(struct wal *w, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = seam_file_lock(w->live, true, &why);

    atomic_store(&w->held, st == SEAM_OK);
    if (st == SEAM_OK || st == SEAM_CONFLICT) return SEAM_OK;
    seam_fault_give(f, &why);
    return st;
}

void wal_publish(struct wal *w, seam_lsn_t whole, bool synced)
{
    struct wal_shared *s = w->shared;

    if (seam_unlikely(!atomic_load_explicit(&w->held, memory_order_relaxed)))
        (void)wal_page_hold(w, NULL);
    if (synced) {
        atomic_store_explicit(&s->not_durable, ~whole, memory_order_relaxed);
        atomic_store_explicit(&s->durable, whole, memory_order_release);
        atomic_store_explicit(&s->durable_wall_us, seam_clock_wall_us(w->o.clock),
                              memory_order_relaxed);
        atomic_fetch_add_explicit(&s->syncs, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&s->written, atomic_load(&w->written), memory_order_relaxed);
    if (synced || w->o.visible_when_written) {
        if (whole > atomic_load(&s->visible)) {
            atomic_store(&s->visible, whole);
            wal_shared_wake(s);
        }
    }
}

enum seam_status wal_segment_make(struct wal *w, uint64_t number, bool fill, struct seam_file **out,
                                  uint64_t *size, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    unsigned flags = SEAM_FILE_WRITE | (w->o.dsync ? SEAM_FILE_DSYNC : 0u);
    struct seam_file *file = NULL;
    enum seam_status st = wal_segment_path(path, w->dir, number, f);
    bool fresh;

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&w->files_mutex);
    fresh = !seam_io_exists(w->o.io, path);
    st = seam_file_open(w->o.io, path, flags | SEAM_FILE_CREATE, &file, f);
    if (st == SEAM_OK) st = seam_file_size(file, size, f);
    if (st == SEAM_OK && *size > w->meta.segment_bytes)
        st = seam_fault_set(f, SEAM_CORRUPT, path, w->meta.segment_bytes,
                            "segment is longer than segments of this log are");
    if (st == SEAM_OK && fill && *size < w->meta.segment_bytes) {
        st = seam_file_fill_zero(file, *size, w->meta.segment_bytes - *size, f);
        if (st == SEAM_OK) st = seam_file_sync(file, f);
        if (st == SEAM_OK) *size = w->meta.segment_bytes;
    }
    /* A recycled file's new name must be durable before what is written under it, too. */
    if (st == SEAM_OK) st = seam_io_sync_dir(w->o.io, w->dir, f);
    if (st == SEAM_OK && number > w->newest_segment) w->newest_segment = number;
    if (st == SEAM_OK && fresh) atomic_fetch_add_explicit(&w->n_made, 1, memory_order_relaxed);
    pthread_mutex_unlock(&w->files_mutex);
    if (st != SEAM_OK) {
        seam_file_close(file);
        return st;
    }
    *out = file;
    return SEAM_OK;
}

/* The segment before is made durable before a byte goes into the next: so only the last segment
 * with a header can have a torn tail, and recovery need not read the others. */
static enum seam_status turn_segment(struct wal *w, uint64_t number, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (w->file != NULL) {
        st = seam_file_datasync(w->file, f);
        if (st != SEAM_OK) return st;
        seam_file_close(w->file);
        w->file = NULL;
    }
    st = wal_segment_make(w, number, false, &w->file, &w->file_size, f);
    if (st != SEAM_OK) return st;
    w->file_segment = number;
    atomic_store(&w->current_segment, number);
    return SEAM_OK;
}

/* Small commits overwrite zeros written before, so that their sync changes no metadata. */
static enum seam_status extend(struct wal *w, uint64_t end, size_t n, struct seam_fault *f)
{
    uint64_t to;
    enum seam_status st;

    if (end <= w->file_size) return SEAM_OK;
    if (n >= BULK_BYTES) {
        w->file_size = end;
        return SEAM_OK;
    }
    to = (end + FILL_BYTES - 1) / FILL_BYTES * FILL_BYTES;
    if (to > w->meta.segment_bytes) to = w->meta.segment_bytes;
    st = seam_file_fill_zero(w->file, w->file_size, to - w->file_size, f);
    if (st == SEAM_OK) w->file_size = to;
    return st;
}

static enum seam_status write_some(struct wal *w, seam_lsn_t from, seam_lsn_t to, bool sync,
                                   seam_lsn_t *done, struct seam_fault *f)
{
    uint64_t number = from / w->meta.segment_bytes, at = from % w->meta.segment_bytes;
    size_t n = to - from < w->meta.segment_bytes - at ? (size_t)(to - from)
                                                      : (size_t)(w->meta.segment_bytes - at);
    size_t pos = (size_t)(from & w->ring_mask), first = (size_t)(w->ring_mask + 1) - pos;
    struct seam_io_slice slices[2];
    enum seam_status st = SEAM_OK;

    if (w->file == NULL || number != w->file_segment) st = turn_segment(w, number, f);
    if (st == SEAM_OK) st = extend(w, at + n, n, f);
    if (st != SEAM_OK) return st;
    if (first > n) first = n;
    slices[0] = (struct seam_io_slice){w->ring + pos, first};
    slices[1] = (struct seam_io_slice){w->ring, n - first};
    st = seam_file_writev(w->file, at, slices, n > first ? 2 : 1, f);
    if (st == SEAM_OK && !sync && n >= BULK_BYTES) seam_file_write_behind(w->file, at, n);
    *done = from + n;
    return st;
}

enum seam_status wal_flush_now(struct wal *w, bool sync, struct seam_fault *f)
{
    seam_lsn_t whole, end, at = atomic_load_explicit(&w->written, memory_order_relaxed), from = at;
    enum seam_status st = SEAM_OK;

    /* Cleared before the positions are read: a deferred commit that still saw it set is flushed
     * here. */
    if (sync) atomic_store(&w->deferred_since, 0);
    whole = atomic_load(&w->whole);
    end = atomic_load(&w->appended);
    while (st == SEAM_OK && at < end) {
        st = write_some(w, at, end, sync, &at, f);
        atomic_fetch_add_explicit(&w->n_writes, 1, memory_order_relaxed);
    }
    if (st != SEAM_OK) return st;
    atomic_fetch_add_explicit(&w->n_bytes, end - from, memory_order_relaxed);
    atomic_store_explicit(&w->written, end, memory_order_release);
    if (sync) {
        if (!w->o.dsync && w->file != NULL) st = seam_file_datasync(w->file, f);
        if (st != SEAM_OK) return st;
        atomic_fetch_add_explicit(&w->n_syncs, 1, memory_order_relaxed);
        atomic_store_explicit(&w->durable, whole, memory_order_release);
    }
    SEAM_TRACE(w->o.trace, "wal", "flush", SEAM_TI("from", from), SEAM_TI("to", end),
               SEAM_TI("synced", sync));
    wal_publish(w, whole, sync);
    return SEAM_OK;
}
