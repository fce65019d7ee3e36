/* flush - the leader's work: ring to file, file to disk, positions to readers. */
#include "wal/internal.h"

void wal_publish(struct wal *w, lsn_t whole, bool synced)
{
    struct shared *s = w->shared;

    if (synced) {
        atomic_store_explicit(&s->not_durable, ~whole, memory_order_relaxed);
        atomic_store_explicit(&s->durable, whole, memory_order_release);
        atomic_store_explicit(&s->durable_wall_us, clock_wall_us(w->o.clock), memory_order_relaxed);
        atomic_fetch_add_explicit(&s->syncs, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&s->written, atomic_load(&w->written), memory_order_relaxed);
    if (synced || w->o.visible_when_written) {
        if (whole > atomic_load(&s->visible)) {
            atomic_store(&s->visible, whole);
            shared_wake(s);
        }
    }
}

enum status segment_make(struct wal *w, uint64_t number, bool fill, struct file **out,
                         uint64_t *size, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    unsigned flags = FILE_WRITE | (w->o.dsync ? FILE_DSYNC : 0u);
    struct file *file = NULL;
    enum status st = segment_path(path, w->dir, number, f);
    bool fresh;

    if (st != ST_OK) return st;
    pthread_mutex_lock(&w->files_mutex);
    fresh = !io_exists(w->o.io, path);
    st = file_open(w->o.io, path, flags | FILE_CREATE, &file, f);
    if (st == ST_OK) st = file_size(file, size, f);
    if (st == ST_OK && *size > w->meta.segment_bytes)
        st = fault_set(f, ST_CORRUPT, path, w->meta.segment_bytes,
                       "segment is longer than segments of this log are");
    if (st == ST_OK && fill && *size < w->meta.segment_bytes) {
        st = file_fill_zero(file, *size, w->meta.segment_bytes - *size, f);
        if (st == ST_OK) st = file_sync(file, f);
        if (st == ST_OK) *size = w->meta.segment_bytes;
    }
    /* A recycled file's new name must be durable before what is written under it, too. */
    if (st == ST_OK) st = io_sync_dir(w->o.io, w->dir, f);
    if (st == ST_OK && number > w->newest_segment) w->newest_segment = number;
    if (st == ST_OK && fresh) atomic_fetch_add_explicit(&w->n_made, 1, memory_order_relaxed);
    pthread_mutex_unlock(&w->files_mutex);
    if (st != ST_OK) {
        file_close(file);
        return st;
    }
    *out = file;
    return ST_OK;
}

/* The segment before is made durable before a byte goes into the next: so only the last segment
 * with a header can have a torn tail, and recovery need not read the others. */
static enum status turn_segment(struct wal *w, uint64_t number, struct fault *f)
{
    enum status st = ST_OK;

    if (w->file != NULL) {
        st = file_datasync(w->file, f);
        if (st != ST_OK) return st;
        file_close(w->file);
        w->file = NULL;
    }
    st = segment_make(w, number, false, &w->file, &w->file_size, f);
    if (st != ST_OK) return st;
    w->file_segment = number;
    atomic_store(&w->current_segment, number);
    return ST_OK;
}

/* Small commits overwrite zeros written before, so that their sync changes no metadata. */
static enum status extend(struct wal *w, uint64_t end, size_t n, struct fault *f)
{
    uint64_t to;
    enum status st;

    if (end <= w->file_size) return ST_OK;
    if (n >= BULK_BYTES) {
        w->file_size = end;
        return ST_OK;
    }
    to = (end + FILL_BYTES - 1) / FILL_BYTES * FILL_BYTES;
    if (to > w->meta.segment_bytes) to = w->meta.segment_bytes;
    st = file_fill_zero(w->file, w->file_size, to - w->file_size, f);
    if (st == ST_OK) w->file_size = to;
    return st;
}

static enum status write_some(struct wal *w, lsn_t from, lsn_t to, bool sync, lsn_t *done,
                              struct fault *f)
{
    uint64_t number = from / w->meta.segment_bytes, at = from % w->meta.segment_bytes;
    size_t n = to - from < w->meta.segment_bytes - at ? (size_t)(to - from)
                                                      : (size_t)(w->meta.segment_bytes - at);
    size_t pos = (size_t)(from & w->ring_mask), first = (size_t)(w->ring_mask + 1) - pos;
    struct io_slice slices[2];
    enum status st = ST_OK;

    if (w->file == NULL || number != w->file_segment) st = turn_segment(w, number, f);
    if (st == ST_OK) st = extend(w, at + n, n, f);
    if (st != ST_OK) return st;
    if (first > n) first = n;
    slices[0] = (struct io_slice){w->ring + pos, first};
    slices[1] = (struct io_slice){w->ring, n - first};
    st = file_writev(w->file, at, slices, n > first ? 2 : 1, f);
    if (st == ST_OK && !sync && n >= BULK_BYTES) file_write_behind(w->file, at, n);
    *done = from + n;
    return st;
}

enum status flush_now(struct wal *w, bool sync, struct fault *f)
{
    lsn_t whole, end, at = atomic_load_explicit(&w->written, memory_order_relaxed), from = at;
    enum status st = ST_OK;

    /* Cleared before the positions are read: a deferred commit that still saw it set is flushed
     * here. */
    if (sync) atomic_store(&w->deferred_since, 0);
    whole = atomic_load(&w->whole);
    end = atomic_load(&w->appended);
    while (st == ST_OK && at < end) {
        st = write_some(w, at, end, sync, &at, f);
        atomic_fetch_add_explicit(&w->n_writes, 1, memory_order_relaxed);
    }
    if (st != ST_OK) return st;
    atomic_fetch_add_explicit(&w->n_bytes, end - from, memory_order_relaxed);
    atomic_store_explicit(&w->written, end, memory_order_release);
    if (sync) {
        if (!w->o.dsync && w->file != NULL) st = file_datasync(w->file, f);
        if (st != ST_OK) return st;
        atomic_fetch_add_explicit(&w->n_syncs, 1, memory_order_relaxed);
        atomic_store_explicit(&w->durable, whole, memory_order_release);
    }
    TRACE(w->o.trace, "wal", "flush", TI("from", from), TI("to", end), TI("synced", sync));
    wal_publish(w, whole, sync);
    return ST_OK;
}
