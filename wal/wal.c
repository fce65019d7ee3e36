#include "wal/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/thread.h"
#include "wal/change.h"

static bool power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static enum status defaults(struct wal *w, const struct wal_options *o, struct fault *f)
{
    w->o = *o;
    if (w->o.io == NULL) w->o.io = io_posix();
    if (w->o.clock == NULL) w->o.clock = clock_real();
    if (w->o.log_id == 0) w->o.log_id = 1;
    if (w->o.segment_bytes == 0) w->o.segment_bytes = WAL_SEGMENT_DEFAULT;
    if (w->o.buffer_bytes == 0) w->o.buffer_bytes = 4 << 20;
    if (w->o.deferred_us == 0) w->o.deferred_us = 10000;
    if (w->o.deferred_bytes == 0) w->o.deferred_bytes = 1 << 20;
    if (w->o.heartbeat_us == 0) w->o.heartbeat_us = 1000000;
    if (w->o.spare_segments == 0) w->o.spare_segments = 2;
    if (!power_of_two(w->o.segment_bytes) || w->o.segment_bytes < WAL_SEGMENT_MIN ||
        w->o.segment_bytes > WAL_SEGMENT_MAX)
        return fault_set(f, ST_INVALID, w->dir, FAULT_NO_OFFSET,
                         "segment size must be a power of two from 64 KiB to 1 GiB");
    if (!power_of_two(w->o.buffer_bytes) || w->o.buffer_bytes < 4096)
        return fault_set(f, ST_INVALID, w->dir, FAULT_NO_OFFSET,
                         "log buffer must be a power of two of at least 4 KiB");
    return ST_OK;
}

static enum status take_lock(struct wal *w, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = path_join(path, w->dir, "lock", f);

    if (st == ST_OK) st = file_open(w->o.io, path, FILE_WRITE | FILE_CREATE, &w->lock, f);
    return st == ST_OK ? file_lock(w->lock, true, f) : st;
}

static enum status load_or_create(struct wal *w, bool *created, struct fault *f)
{
    struct segment_list list = {0};
    struct fault why = {0};
    enum status st = meta_load(w->o.io, w->dir, &w->meta, &why);

    if (st == ST_OK) {
        if (w->meta.log_id != w->o.log_id)
            return fault_set(f, ST_CONFLICT, w->dir, FAULT_NO_OFFSET,
                             "the log here has id %llx, expected %llx",
                             (unsigned long long)w->meta.log_id, (unsigned long long)w->o.log_id);
        return ST_OK;
    }
    if (st != ST_NOT_FOUND) {
        if (f != NULL && f->status == ST_OK) *f = why;
        return st;
    }
    st = segment_list(w->o.io, w->dir, &list, f);
    if (st == ST_OK && list.count > 0)
        st = fault_set(f, ST_CORRUPT, w->dir, FAULT_NO_OFFSET,
                       "log.meta is missing beside the log's segments");
    free(list.numbers);
    if (st != ST_OK) return st;
    w->meta = (struct log_meta){.log_id = w->o.log_id, .segment_bytes = w->o.segment_bytes};
    *created = true;
    return meta_store(w->o.io, w->dir, &w->meta, f);
}

static void publish_all(struct wal *w)
{
    struct shared *s = w->shared;
    lsn_t end = atomic_load(&w->durable);

    atomic_store(&s->log_id, w->meta.log_id);
    atomic_store(&s->segment_bytes, w->meta.segment_bytes);
    atomic_store(&s->oldest, w->meta.oldest_segment * w->meta.segment_bytes + SEGMENT_HEADER);
    atomic_store(&s->not_durable, ~end);
    atomic_store(&s->durable, end);
    atomic_store(&s->durable_wall_us, clock_wall_us(w->o.clock));
    atomic_store(&s->written, end);
    atomic_store(&s->writer_pid, process_id());
    atomic_store(&s->visible, end);
    atomic_store(&s->magic, SHARED_MAGIC);
    shared_wake(s);
}

static void wal_free(struct wal *w)
{
    if (w == NULL) return;
    file_close(w->file);
    if (w->shared != NULL) shared_unmap(w->o.io, w->shared);
    file_close(w->lock);
    free(w->ring);
    pthread_mutex_destroy(&w->append_mutex);
    pthread_mutex_destroy(&w->group_mutex);
    pthread_mutex_destroy(&w->trim_mutex);
    pthread_mutex_destroy(&w->files_mutex);
    pthread_mutex_destroy(&w->beat_mutex);
    free(w);
}

static struct wal *wal_new(const char *dir)
{
    struct wal *w = calloc(1, sizeof *w);

    if (w == NULL) return NULL;
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    pthread_mutex_init(&w->append_mutex, NULL);
    pthread_mutex_init(&w->group_mutex, NULL);
    pthread_mutex_init(&w->trim_mutex, NULL);
    pthread_mutex_init(&w->files_mutex, NULL);
    pthread_mutex_init(&w->beat_mutex, NULL);
    histogram_init(&w->stats.sync_ns);
    histogram_init(&w->stats.commit_ns);
    return w;
}

enum status wal_open(const char *dir, const struct wal_options *o, struct wal **out,
                     struct wal_recovered *rec, struct fault *f)
{
    struct wal_recovered ignored;
    struct wal *w;
    enum status st;

    assert(out != NULL && *out == NULL);
    if (rec == NULL) rec = &ignored;
    *rec = (struct wal_recovered){0};
    if (strlen(dir) + 32 > PATH_MAX_BYTES)
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "path is too long");
    w = wal_new(dir);
    if (w == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the log");
    st = defaults(w, o, f);
    if (st == ST_OK) st = io_mkdir(w->o.io, dir, f);
    if (st == ST_OK) st = take_lock(w, f);
    if (st == ST_OK) st = load_or_create(w, &rec->created, f);
    if (st == ST_OK) st = shared_map(w->o.io, dir, &w->shared, f);
    if (st != ST_OK) goto done;
    w->salt = record_salt(w->meta.log_id);
    w->ring_mask = w->o.buffer_bytes - 1;
    w->ring = malloc(w->o.buffer_bytes);
    if (w->ring == NULL) {
        st = fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for the log buffer");
        goto done;
    }
    st = wal_recover(w, rec, f);
    if (st != ST_OK) goto done;
    w->archived = w->meta.oldest_segment;
    w->beat_ns = clock_mono_ns(w->o.clock);
    w->beat_lsn = rec->end;
    publish_all(w);
    *out = w;
    w = NULL;
done:
    wal_free(w);
    return st;
}

enum status wal_close(struct wal *w, struct fault *f)
{
    enum status st;

    if (w == NULL) return ST_OK;
    st = wal_flush(w, f);
    if (atomic_load(&w->shared->writer_pid) == process_id()) /* nobody has taken it over */
        atomic_store(&w->shared->writer_pid, 0);
    wal_free(w);
    return st;
}

void wal_disown(struct wal *w, const struct fault *why)
{
    pthread_mutex_lock(&w->group_mutex);
    (void)wal_poison(w, why, NULL);
    pthread_mutex_unlock(&w->group_mutex);
}

lsn_t wal_end_lsn(struct wal *w)
{
    return atomic_load(&w->whole);
}
lsn_t wal_written_lsn(struct wal *w)
{
    return atomic_load(&w->written);
}
lsn_t wal_durable_lsn(struct wal *w)
{
    return atomic_load(&w->durable);
}
lsn_t wal_oldest_lsn(struct wal *w)
{
    return atomic_load(&w->shared->oldest);
}
const char *wal_dir(const struct wal *w)
{
    return w->dir;
}

static enum status beat_now(struct wal *w, uint64_t now, struct fault *f)
{
    struct change_heartbeat h = {.beat = ++w->beat, .wall_us = clock_wall_us(w->o.clock)};
    struct buf b = {0};
    struct wal_span at;
    enum status st;

    change_put_heartbeat(&b, &h);
    if (!buf_ok(&b)) {
        buf_free(&b);
        return fault_set(f, ST_NOMEM, w->dir, FAULT_NO_OFFSET, "no memory for a heartbeat");
    }
    st = wal_append(w, CHANGE_HEARTBEAT, &(struct io_slice){b.data, b.size}, 1, &at, f);
    buf_free(&b);
    if (st == ST_OK) st = wal_commit(w, at.end, WAL_DURABLE, f);
    if (st != ST_OK) return st;
    atomic_fetch_add(&w->n_beats, 1);
    w->beat_ns = now;
    w->beat_lsn = wal_end_lsn(w);
    return ST_OK;
}

enum status wal_heartbeat(struct wal *w, struct fault *f)
{
    uint64_t now = clock_mono_ns(w->o.clock), since = atomic_load(&w->deferred_since);
    enum status st = ST_OK;

    if (since != 0 && now > since && now - since >= w->o.deferred_us * 1000) st = wal_flush(w, f);
    if (st != ST_OK) return st;
    pthread_mutex_lock(&w->beat_mutex);
    if (wal_end_lsn(w) != w->beat_lsn) { /* commits came: they are the sign of life */
        w->beat_lsn = wal_end_lsn(w);
        w->beat_ns = now;
    }
    if (now - w->beat_ns >= w->o.heartbeat_us * 1000) st = beat_now(w, now, f);
    pthread_mutex_unlock(&w->beat_mutex);
    return st;
}

void wal_stats(struct wal *w, struct wal_stats *out)
{
    pthread_mutex_lock(&w->group_mutex);
    *out = w->stats;
    pthread_mutex_unlock(&w->group_mutex);
    out->records = atomic_load(&w->records);
    out->bytes = atomic_load(&w->n_bytes);
    out->commits = atomic_load(&w->commits);
    out->writes = atomic_load(&w->n_writes);
    out->syncs = atomic_load(&w->n_syncs);
    out->segments_made = atomic_load(&w->n_made);
    out->segments_recycled = atomic_load(&w->n_recycled);
    out->heartbeats = atomic_load(&w->n_beats);
    out->buffer_full = atomic_load(&w->buffer_full);
}

enum status wal_state(struct io *io, const char *dir, struct wal_state *out, struct fault *f)
{
    struct shared *s = NULL;
    struct log_meta m;
    enum status st = meta_load(io, dir, &m, f);

    if (st == ST_OK) st = shared_map(io, dir, &s, f);
    if (st != ST_OK) return st;
    *out = (struct wal_state){.log_id = m.log_id,
                              .segment_bytes = m.segment_bytes,
                              .oldest = m.oldest_segment * m.segment_bytes + SEGMENT_HEADER};
    if (atomic_load(&s->magic) == SHARED_MAGIC && atomic_load(&s->log_id) == m.log_id) {
        out->durable = atomic_load(&s->durable);
        out->written = atomic_load(&s->written);
        out->visible = atomic_load(&s->visible);
        out->writer_pid = atomic_load(&s->writer_pid);
        out->durable_wall_us = atomic_load(&s->durable_wall_us);
        out->syncs = atomic_load(&s->syncs);
        out->writer_alive = out->writer_pid != 0 && process_alive(out->writer_pid);
    }
    shared_unmap(io, s);
    return ST_OK;
}
