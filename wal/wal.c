#include "wal/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/thread.h"
#include "wal/change.h"

static bool power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static enum seam_status defaults(struct wal *w, const struct wal_options *o, struct seam_fault *f)
{
    if (o != NULL) w->o = *o;
    if (w->o.io == NULL) w->o.io = seam_io_posix();
    if (w->o.clock == NULL) w->o.clock = seam_clock_real();
    if (w->o.segment_bytes == 0) w->o.segment_bytes = WAL_SEGMENT_DEFAULT;
    if (w->o.buffer_bytes == 0) w->o.buffer_bytes = 4 << 20;
    if (w->o.deferred_us == 0) w->o.deferred_us = 10000;
    if (w->o.deferred_bytes == 0) w->o.deferred_bytes = 1 << 20;
    if (w->o.heartbeat_us == 0) w->o.heartbeat_us = 1000000;
    if (w->o.spare_segments == 0) w->o.spare_segments = 2;
    if (!power_of_two(w->o.segment_bytes) || w->o.segment_bytes < WAL_SEGMENT_MIN ||
        w->o.segment_bytes > WAL_SEGMENT_MAX)
        return seam_fault_set(f, SEAM_INVALID, w->dir, SEAM_FAULT_NO_OFFSET,
                              "segment size must be a power of two from 64 KiB to 1 GiB");
    if (!power_of_two(w->o.buffer_bytes) || w->o.buffer_bytes < 4096)
        return seam_fault_set(f, SEAM_INVALID, w->dir, SEAM_FAULT_NO_OFFSET,
                              "log buffer must be a power of two of at least 4 KiB");
    return SEAM_OK;
}

static enum seam_status take_lock(struct wal *w, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_path_join(path, w->dir, SEAM_LOCK_NAME, f);

    if (st == SEAM_OK)
        st = seam_file_open(w->o.io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &w->lock, f);
    if (st == SEAM_OK) st = seam_file_lock_wait(w->lock, w->o.clock, w->o.lock_wait_us, f);
    return st == SEAM_OK ? seam_io_mend(w->o.io, w->dir, f) : st;
}

static enum seam_status load_or_create(struct wal *w, bool *created, struct seam_fault *f)
{
    struct wal_segment_list list = {0};
    struct seam_fault why = {0};
    enum seam_status st = wal_meta_load(w->o.io, w->dir, &w->meta, &why);

    if (st == SEAM_OK) {
        if (w->o.log_id != 0 && w->meta.log_id != w->o.log_id)
            return seam_fault_set(f, SEAM_CONFLICT, w->dir, SEAM_FAULT_NO_OFFSET,
                                  "the log here has id %llx, expected %llx",
                                  (unsigned long long)w->meta.log_id,
                                  (unsigned long long)w->o.log_id);
        return SEAM_OK;
    }
    if (st != SEAM_NOT_FOUND) {
        if (f != NULL && f->status == SEAM_OK) *f = why;
        return st;
    }
    st = wal_segment_list(w->o.io, w->dir, &list, f);
    if (st == SEAM_OK && list.count > 0)
        st = seam_fault_set(f, SEAM_CORRUPT, w->dir, SEAM_FAULT_NO_OFFSET,
                            "log.meta is missing beside the log's segments");
    free(list.numbers);
    if (st != SEAM_OK) return st;
    w->meta = (struct wal_log_meta){.log_id = w->o.log_id != 0 ? w->o.log_id : wal_id_new(w, 1),
                                    .segment_bytes = w->o.segment_bytes};
    *created = true;
    return wal_meta_store(w->o.io, w->dir, &w->meta, f);
}

/* From here on the page may be believed: its lock says that its writer lives. */
static enum seam_status publish_all(struct wal *w, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct wal_shared *s = w->shared;
    seam_lsn_t end = atomic_load(&w->durable);
    enum seam_status st;

    atomic_store(&s->log_id, w->meta.log_id);
    atomic_store(&s->segment_bytes, w->meta.segment_bytes);
    atomic_store(&s->oldest, w->meta.oldest_segment * w->meta.segment_bytes + WAL_SEGMENT_HEADER);
    atomic_store(&s->not_durable, ~end);
    atomic_store(&s->durable, end);
    atomic_store(&s->durable_wall_us, seam_clock_wall_us(w->o.clock));
    atomic_store(&s->written, end);
    atomic_store(&s->writer_pid, seam_process_id());
    atomic_store(&s->visible, end);
    wal_shared_trouble(s, NULL, 0);
    atomic_store(&s->magic, SHARED_MAGIC);
    st = seam_path_join(path, w->dir, "shared", f);
    if (st == SEAM_OK) st = seam_file_open(w->o.io, path, SEAM_FILE_WRITE, &w->live, f);
    if (st == SEAM_OK) st = wal_page_hold(w, f);
    if (st == SEAM_OK) wal_shared_wake(s);
    return st;
}

static void wal_free(struct wal *w)
{
    if (w == NULL) return;
    seam_file_close(w->live);
    seam_file_close(w->file);
    if (w->shared != NULL) wal_shared_unmap(w->o.io, w->shared);
    seam_file_close(w->lock);
    free(w->ring);
    pthread_mutex_destroy(&w->append_mutex);
    pthread_mutex_destroy(&w->group_mutex);
    pthread_mutex_destroy(&w->trim_mutex);
    pthread_mutex_destroy(&w->files_mutex);
    pthread_mutex_destroy(&w->beat_mutex);
    seam_fork_mark_free(&w->mark);
    free(w);
}

static struct wal *wal_new(const char *dir)
{
    struct wal *w = calloc(1, sizeof *w);

    if (w == NULL) return NULL;
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    seam_fork_mark_set(&w->mark);
    pthread_mutex_init(&w->append_mutex, NULL);
    pthread_mutex_init(&w->group_mutex, NULL);
    pthread_mutex_init(&w->trim_mutex, NULL);
    pthread_mutex_init(&w->files_mutex, NULL);
    pthread_mutex_init(&w->beat_mutex, NULL);
    seam_histogram_init(&w->stats.sync_ns);
    seam_histogram_init(&w->stats.commit_ns);
    return w;
}

enum seam_status wal_open(const char *dir, const struct wal_options *o, struct wal **out,
                          struct wal_recovered *rec, struct seam_fault *f)
{
    struct wal_recovered ignored;
    uint32_t before = 0;
    struct wal *w;
    enum seam_status st;

    assert(out != NULL && *out == NULL);
    if (rec == NULL) rec = &ignored;
    *rec = (struct wal_recovered){0};
    if (strlen(dir) + 32 > SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "path is too long");
    w = wal_new(dir);
    if (w == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for the log");
    st = defaults(w, o, f);
    if (st == SEAM_OK) st = seam_io_mkdir(w->o.io, dir, f);
    if (st == SEAM_OK) st = take_lock(w, f);
    if (st == SEAM_OK) st = load_or_create(w, &rec->created, f);
    if (st == SEAM_OK) st = wal_shared_map(w->o.io, dir, SEAM_MAP_MAKE, &w->shared, f);
    if (st != SEAM_OK) goto done;
    w->salt = wal_record_salt(w->meta.log_id);
    w->ring_mask = w->o.buffer_bytes - 1;
    w->ring = malloc(w->o.buffer_bytes);
    if (w->ring == NULL) {
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                            "no memory for the log buffer");
        goto done;
    }
    w->history = wal_id_new(w, 2);
    st = wal_recover(w, rec, &before, f);
    if (st == SEAM_OK) st = wal_history_begin(w, rec, before, f);
    if (st != SEAM_OK) goto done;
    w->archived = w->meta.oldest_segment;
    w->beat_ns = seam_clock_mono_ns(w->o.clock);
    w->beat_lsn = rec->end;
    st = publish_all(w, f);
    if (st != SEAM_OK) goto done;
    *out = w;
    w = NULL;
done:
    wal_free(w);
    return st;
}

/* Where the log ends, for whoever opens it next: in checksummed, synced bytes, whatever becomes of the shared page. */
static enum seam_status say_end(struct wal *w, struct seam_fault *f)
{
    w->meta.durable = atomic_load(&w->durable);
    w->meta.history = w->history;
    assert(w->meta.durable == atomic_load(&w->whole));
    return wal_meta_store(w->o.io, w->dir, &w->meta, f);
}

enum seam_status wal_close(struct wal *w, struct seam_fault *f)
{
    enum seam_status st;

    if (w == NULL) return SEAM_OK;
    st = SEAM_OK;
    if (!seam_forked(&w->mark)) {
        st = wal_flush(w, f);
        if (st == SEAM_OK) st = say_end(w, f);
    }
    if (atomic_load(&w->shared->writer_pid) == seam_process_id()) /* nobody has taken it over */
        atomic_store(&w->shared->writer_pid, 0);
    wal_free(w);
    return st;
}

void wal_disown(struct wal *w, const struct seam_fault *why)
{
    pthread_mutex_lock(&w->group_mutex);
    (void)wal_poison(w, why, NULL);
    pthread_mutex_unlock(&w->group_mutex);
}

seam_lsn_t wal_end_lsn(struct wal *w)
{
    return atomic_load(&w->whole);
}
seam_lsn_t wal_written_lsn(struct wal *w)
{
    return atomic_load(&w->written);
}
seam_lsn_t wal_durable_lsn(struct wal *w)
{
    return atomic_load(&w->durable);
}
seam_lsn_t wal_oldest_lsn(struct wal *w)
{
    return atomic_load(&w->shared->oldest);
}
uint64_t wal_log_id(const struct wal *w)
{
    return w->meta.log_id;
}
const char *wal_dir(const struct wal *w)
{
    return w->dir;
}

static enum seam_status beat_now(struct wal *w, uint64_t now, struct seam_fault *f)
{
    struct wal_change_heartbeat h = {.beat = ++w->beat, .wall_us = seam_clock_wall_us(w->o.clock)};
    struct seam_buf b = {0};
    struct wal_span at;
    enum seam_status st;

    wal_change_put_heartbeat(&b, &h);
    if (!seam_buf_ok(&b)) {
        seam_buf_free(&b);
        return seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a heartbeat");
    }
    st = wal_append(w, WAL_CHANGE_HEARTBEAT, &(struct seam_io_slice){b.data, b.size}, 1, &at, f);
    seam_buf_free(&b);
    if (st == SEAM_OK) st = wal_commit(w, at.end, WAL_DURABLE, f);
    if (st != SEAM_OK) return st;
    atomic_fetch_add(&w->n_beats, 1);
    w->beat_ns = now;
    w->beat_lsn = wal_end_lsn(w);
    return SEAM_OK;
}

enum seam_status wal_heartbeat(struct wal *w, struct seam_fault *f)
{
    uint64_t now = seam_clock_mono_ns(w->o.clock), since = atomic_load(&w->deferred_since);
    enum seam_status st = SEAM_OK;

    if (since != 0 && now > since && now - since >= w->o.deferred_us * 1000) st = wal_flush(w, f);
    if (st != SEAM_OK) return st;
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
