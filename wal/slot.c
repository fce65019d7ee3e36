/* slot - what a consumer still needs of the log, by name.
 *
 *   DIR/NAME.slot, replaced atomically at each change:
 *
 *   0        8         12      16      24          32      40       48      56
 *   +--------+---------+-------+-------+-----------+-------+--------+-------+---------+
 *   |SEAMSLOT| version | flags | log id| confirmed | epoch | holder | bound | updated |
 *   +--------+---------+-------+-------+-----------+-------+--------+-------+---------+
 *   64     96       256   260
 *   +------+--------+-----+
 *   | name | reason | crc |
 *   +------+--------+-----+
 *   version 1; flags bit 0: invalid; name 32 and reason 160 bytes, zero-filled; crc of [0,256)
 *
 * A reader demands: size, magic, version, log id, crc, the name that the file has.
 * Read-change-write is done under a lock on DIR/slots.lock, so a fenced-off holder cannot overwrite
 * its successor. */
#include "wal/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/thread.h"

enum { SLOT_SIZE = 260, SLOT_LOCK_TRIES = 2000, SLOT_LOCK_US = 1000 };
#define SLOT_MAGIC "SEAMSLOT"

struct wal_slot {
    struct io *io;
    struct clock *clock;
    char dir[PATH_MAX_BYTES];
    struct wal_slot_info info;
    struct shared *shared; /* its count of claims, as it was when we looked last */
    uint64_t claims;
};

static enum status slot_path(char out[PATH_MAX_BYTES], const char *dir, const char *name,
                             struct fault *f)
{
    char file[WAL_SLOT_NAME_MAX + 8];
    size_t n = strlen(name);

    if (n == 0 || n >= WAL_SLOT_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return fault_set(f, ST_INVALID, name, FAULT_NO_OFFSET,
                         "a slot's name is 1 to %d of a-z 0-9 _ -", WAL_SLOT_NAME_MAX - 1);
    (void)snprintf(file, sizeof file, "%s.slot", name);
    return path_join(out, dir, file, f);
}

static enum status slots_lock(struct io *io, struct clock *clock, const char *dir,
                              struct file **lock, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct fault why = {0};
    enum status st = path_join(path, dir, "slots.lock", f);

    if (st == ST_OK) st = file_open(io, path, FILE_WRITE | FILE_CREATE, lock, f);
    if (st != ST_OK) return st;
    for (int i = 0; i < SLOT_LOCK_TRIES; i++) {
        fault_clear(&why);
        st = file_lock(*lock, true, &why);
        if (st != ST_CONFLICT) break;
        clock->sleep_us(clock, SLOT_LOCK_US);
    }
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = why;
    return st;
}

static enum status slot_store(struct io *io, const char *dir, uint64_t log_id,
                              const struct wal_slot_info *s, struct fault *f)
{
    uint8_t b[SLOT_SIZE] = {0};
    char path[PATH_MAX_BYTES];
    enum status st = slot_path(path, dir, s->name, f);

    if (st != ST_OK) return st;
    memcpy(b, SLOT_MAGIC, 8);
    put_u32(b + 8, 1);
    put_u32(b + 12, s->invalid ? 1 : 0);
    put_u64(b + 16, log_id);
    put_u64(b + 24, s->confirmed);
    put_u64(b + 32, s->epoch);
    put_u64(b + 40, (uint64_t)s->holder_pid);
    put_u64(b + 48, s->bound_bytes);
    put_u64(b + 56, (uint64_t)s->updated_us);
    memcpy(b + 64, s->name, strlen(s->name));
    memcpy(b + 96, s->reason, strlen(s->reason));
    put_u32(b + 256, crc32c(0, b, 256));
    return io_write_atomic(io, path, b, sizeof b, f);
}

static enum status slot_parse(const struct buf *b, const char *path, const char *name,
                              uint64_t log_id, struct wal_slot_info *s, struct fault *f)
{
    const uint8_t *p = b->data;

    if (b->size != SLOT_SIZE || memcmp(p, SLOT_MAGIC, 8) != 0 || get_u32(p + 8) != 1)
        return fault_set(f, ST_CORRUPT, path, 0, "not a slot of this version");
    if (get_u32(p + 256) != crc32c(0, p, 256))
        return fault_set(f, ST_CORRUPT, path, 256, "checksum of the slot is wrong");
    if (get_u64(p + 16) != log_id) return fault_set(f, ST_CORRUPT, path, 16, "slot of another log");
    if (get_u32(p + 12) > 1 || p[95] != 0 || p[255] != 0 || strcmp((const char *)p + 64, name) != 0)
        return fault_set(f, ST_CORRUPT, path, 64, "slot's name or flags are not as its file's");
    *s = (struct wal_slot_info){
        .confirmed = get_u64(p + 24),
        .epoch = get_u64(p + 32),
        .holder_pid = (int64_t)get_u64(p + 40),
        .bound_bytes = get_u64(p + 48),
        .updated_us = (int64_t)get_u64(p + 56),
        .invalid = get_u32(p + 12) == 1,
    };
    memcpy(s->name, p + 64, WAL_SLOT_NAME_MAX);
    memcpy(s->reason, p + 96, WAL_REASON_MAX);
    s->holder_alive = s->holder_pid != 0 && process_alive(s->holder_pid);
    return ST_OK;
}

static enum status slot_load(struct io *io, const char *dir, const char *name, uint64_t log_id,
                             struct wal_slot_info *s, struct fault *f)
{
    struct buf b = {0};
    char path[PATH_MAX_BYTES];
    enum status st = slot_path(path, dir, name, f);

    if (st != ST_OK) return st;
    if (!io_exists(io, path))
        return fault_set(f, ST_NOT_FOUND, path, FAULT_NO_OFFSET, "there is no slot '%s'", name);
    st = io_read_all(io, path, 4096, &b, f);
    if (st == ST_OK) st = slot_parse(&b, path, name, log_id, s, f);
    buf_free(&b);
    return st;
}

static enum status refuse_stale(const struct wal_slot_info *s, struct fault *f)
{
    return s->invalid ? fault_set(f, ST_STALE, s->name, s->confirmed, "%s", s->reason) : ST_OK;
}

static enum status new_slot(struct io *io, const char *dir, const struct log_meta *m, lsn_t at,
                            struct wal_slot_info *s, struct fault *f)
{
    struct wal_state state;
    enum status st = wal_state(io, dir, &state, f);

    if (st != ST_OK) return st;
    if (at == LSN_NONE) at = state.oldest;
    if (at == LSN_MAX) at = state.durable;
    if (at < m->oldest_segment * m->segment_bytes)
        return fault_set(f, ST_NOT_FOUND, s->name, at, "the log is kept from LSN %llu on",
                         (unsigned long long)state.oldest);
    s->confirmed = at;
    return ST_OK;
}

static void slot_free(struct wal_slot *s)
{
    if (s == NULL) return;
    if (s->shared != NULL) shared_unmap(s->io, s->shared);
    free(s);
}

enum status wal_slot_claim(struct io *io, struct clock *clock, const char *dir, const char *name,
                           lsn_t at, uint64_t bound_bytes, bool steal, struct wal_slot **out,
                           struct fault *f)
{
    struct wal_slot *slot = NULL;
    struct file *lock = NULL;
    struct wal_slot_info s = {0};
    struct log_meta m;
    struct fault why = {0};
    char path[PATH_MAX_BYTES];
    enum status st = slot_path(path, dir, name, f);

    assert(out != NULL && *out == NULL);
    if (st == ST_OK) st = meta_load(io, dir, &m, f);
    if (st == ST_OK) st = slots_lock(io, clock, dir, &lock, f);
    if (st != ST_OK) goto done;
    st = slot_load(io, dir, name, m.log_id, &s, &why);
    if (st == ST_NOT_FOUND) {
        (void)snprintf(s.name, sizeof s.name, "%s", name);
        st = new_slot(io, dir, &m, at, &s, f);
    } else if (st == ST_OK) {
        st = refuse_stale(&s, f);
        if (st == ST_OK && s.holder_alive && !steal)
            st = fault_set(f, ST_CONFLICT, name, FAULT_NO_OFFSET, "process %lld holds this slot",
                           (long long)s.holder_pid);
    } else if (f != NULL && f->status == ST_OK) {
        *f = why;
    }
    if (st != ST_OK) goto done;
    s.epoch++;
    s.holder_pid = process_id();
    s.holder_alive = true;
    s.bound_bytes = bound_bytes;
    s.updated_us = clock_wall_us(clock);
    slot = calloc(1, sizeof *slot);
    if (slot == NULL) {
        st = fault_set(f, ST_NOMEM, name, FAULT_NO_OFFSET, "no memory for a slot");
        goto done;
    }
    *slot = (struct wal_slot){.io = io, .clock = clock, .info = s};
    (void)snprintf(slot->dir, sizeof slot->dir, "%s", dir);
    st = shared_map(io, dir, &slot->shared, f);
    if (st == ST_OK) st = slot_store(io, dir, m.log_id, &s, f);
    if (st != ST_OK) goto done;
    slot->claims = atomic_fetch_add(&slot->shared->claims, 1) + 1;
    *out = slot;
    slot = NULL;
done:
    slot_free(slot);
    file_close(lock);
    return st;
}

/* Loads the slot's file under the lock and refuses a holder of another epoch. */
static enum status slot_mine(struct wal_slot *s, struct log_meta *m, struct wal_slot_info *now,
                             struct fault *f)
{
    enum status st = meta_load(s->io, s->dir, m, f);

    if (st == ST_OK) st = slot_load(s->io, s->dir, s->info.name, m->log_id, now, f);
    if (st != ST_OK) return st;
    if (now->epoch != s->info.epoch)
        return fault_set(f, ST_CONFLICT, s->info.name, FAULT_NO_OFFSET,
                         "fenced off: process %lld took this slot over (epoch %llu, ours %llu)",
                         (long long)now->holder_pid, (unsigned long long)now->epoch,
                         (unsigned long long)s->info.epoch);
    return refuse_stale(now, f);
}

enum status wal_slot_advance(struct wal_slot *s, lsn_t confirmed, struct fault *f)
{
    struct file *lock = NULL;
    struct wal_slot_info now;
    struct log_meta m;
    enum status st = slots_lock(s->io, s->clock, s->dir, &lock, f);

    if (st == ST_OK) st = slot_mine(s, &m, &now, f);
    if (st == ST_OK) {
        if (confirmed > now.confirmed) now.confirmed = confirmed;
        now.updated_us = clock_wall_us(s->clock);
        st = slot_store(s->io, s->dir, m.log_id, &now, f);
    }
    if (st == ST_OK) s->info = now;
    file_close(lock);
    return st;
}

enum status wal_slot_check(struct wal_slot *s, struct fault *f)
{
    struct wal_slot_info now;
    struct log_meta m;

    return slot_mine(s, &m, &now, f);
}

enum status wal_slot_fenced(struct wal_slot *s, struct fault *f)
{
    uint64_t claims = atomic_load_explicit(&s->shared->claims, memory_order_acquire);
    struct wal_slot_info now;
    struct log_meta m;
    struct fault why = {0};
    enum status st;

    if (likely(claims == s->claims)) return ST_OK;
    st = slot_mine(s, &m, &now, &why);
    if (st == ST_OK || st == ST_STALE) { /* another slot was claimed; an invalid one is still nobody else's */
        s->claims = claims;
        return ST_OK;
    }
    if (f != NULL && f->status == ST_OK) *f = why;
    return st;
}

const struct wal_slot_info *wal_slot_info(const struct wal_slot *s)
{
    return &s->info;
}

void wal_slot_release(struct wal_slot *s)
{
    struct file *lock = NULL;
    struct wal_slot_info now;
    struct log_meta m;

    if (s == NULL) return;
    /* Best effort: a slot whose holder is dead is free for the next claim anyway. */
    if (slots_lock(s->io, s->clock, s->dir, &lock, NULL) == ST_OK &&
        slot_mine(s, &m, &now, NULL) == ST_OK) {
        now.holder_pid = 0;
        if (slot_store(s->io, s->dir, m.log_id, &now, NULL) != ST_OK)
            now.holder_pid = s->info.holder_pid;
    }
    file_close(lock);
    slot_free(s);
}

enum status wal_slot_drop(struct io *io, const char *dir, const char *name, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = slot_path(path, dir, name, f);

    if (st == ST_OK) st = io_unlink(io, path, f);
    return st == ST_OK ? io_sync_dir(io, dir, f) : st;
}

enum status wal_slots(struct io *io, const char *dir, struct wal_slot_info out[WAL_SLOTS_MAX],
                      size_t *count, struct fault *f)
{
    struct io_list names = {0};
    struct wal_state state;
    enum status st = wal_state(io, dir, &state, f);

    *count = 0;
    if (st == ST_OK) st = io_list(io, dir, &names, f);
    for (size_t i = 0; st == ST_OK && i < names.count; i++) {
        char name[WAL_SLOT_NAME_MAX];
        size_t n = strlen(names.names[i]);
        struct wal_slot_info *s = &out[*count];

        if (n <= 5 || n - 5 >= sizeof name || strcmp(names.names[i] + n - 5, ".slot") != 0)
            continue;
        memcpy(name, names.names[i], n - 5);
        name[n - 5] = '\0';
        if (*count == WAL_SLOTS_MAX) {
            st = fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "a log may have %d slots at most",
                           WAL_SLOTS_MAX);
            break;
        }
        st = slot_load(io, dir, name, state.log_id, s, f);
        if (st != ST_OK) break;
        s->held_bytes = state.durable > s->confirmed ? state.durable - s->confirmed : 0;
        (*count)++;
    }
    io_list_free(&names);
    return st;
}

/* ---- trim: the writer's side of retention ---- */

static enum status invalidate(struct wal *w, const char *name, lsn_t durable, struct fault *f)
{
    struct file *lock = NULL;
    struct wal_slot_info s;
    enum status st = slots_lock(w->o.io, w->o.clock, w->dir, &lock, f);

    if (st == ST_OK) st = slot_load(w->o.io, w->dir, name, w->meta.log_id, &s, f);
    if (st == ST_OK && !s.invalid && durable - s.confirmed > s.bound_bytes) {
        s.invalid = true;
        (void)snprintf(s.reason, sizeof s.reason,
                       "invalidated: %llu bytes behind at LSN %llu, bound %llu; last holder %lld: "
                       "bootstrap again",
                       (unsigned long long)(durable - s.confirmed), (unsigned long long)durable,
                       (unsigned long long)s.bound_bytes, (long long)s.holder_pid);
        TRACE(w->o.trace, "wal", "slot_invalidated", TS("slot", name), TI("confirmed", s.confirmed),
              TI("durable", durable), TI("bound", s.bound_bytes));
        st = slot_store(w->o.io, w->dir, w->meta.log_id, &s, f);
    }
    file_close(lock);
    return st;
}

static enum status slots_floor(struct wal *w, lsn_t *keep, size_t *invalidated, struct fault *f)
{
    struct wal_slot_info *slots = malloc(WAL_SLOTS_MAX * sizeof *slots);
    lsn_t durable = atomic_load(&w->durable);
    size_t n = 0;
    enum status st;

    if (slots == NULL)
        return fault_set(f, ST_NOMEM, w->dir, FAULT_NO_OFFSET, "no memory for the list of slots");
    st = wal_slots(w->o.io, w->dir, slots, &n, f);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (slots[i].invalid) continue;
        if (slots[i].bound_bytes != 0 && durable > slots[i].confirmed &&
            durable - slots[i].confirmed > slots[i].bound_bytes) {
            st = invalidate(w, slots[i].name, durable, f);
            (*invalidated)++;
        } else if (slots[i].confirmed < *keep) {
            *keep = slots[i].confirmed;
        }
    }
    free(slots);
    return st;
}

static enum status archive_until(struct wal *w, uint64_t number, struct fault *f)
{
    while (w->o.archive.segment != NULL && w->archived < number) {
        char path[PATH_MAX_BYTES];
        lsn_t start = w->archived * w->meta.segment_bytes;
        enum status st = segment_path(path, w->dir, w->archived, f);

        if (st == ST_OK)
            st = w->o.archive.segment(w->o.archive.ctx, path, w->archived, start + SEGMENT_HEADER,
                                      start + w->meta.segment_bytes, f);
        if (st != ST_OK) return st;
        w->archived++;
    }
    return ST_OK;
}

static enum status let_go(struct wal *w, uint64_t number, struct fault *f)
{
    char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];
    enum status st = segment_path(from, w->dir, number, f);
    bool reuse;

    pthread_mutex_lock(&w->files_mutex);
    reuse = w->newest_segment - atomic_load(&w->current_segment) < w->o.spare_segments;
    if (st == ST_OK && reuse) {
        st = segment_path(to, w->dir, w->newest_segment + 1, f);
        if (st == ST_OK) st = io_rename(w->o.io, from, to, f);
        if (st == ST_OK) w->newest_segment++;
        if (st == ST_OK) atomic_fetch_add(&w->n_recycled, 1);
    } else if (st == ST_OK) {
        st = io_unlink(w->o.io, from, f);
    }
    pthread_mutex_unlock(&w->files_mutex);
    TRACE(w->o.trace, "wal", "segment_released", TI("segment", number), TI("recycled", reuse));
    return st;
}

enum status wal_trim(struct wal *w, lsn_t keep, size_t *invalidated, struct fault *f)
{
    uint64_t S = w->meta.segment_bytes, until, number;
    struct log_meta m;
    size_t lost = 0;
    enum status st = wal_healthy(w, f);

    if (invalidated != NULL) *invalidated = 0;
    if (st != ST_OK) return st;
    pthread_mutex_lock(&w->trim_mutex);
    if (keep > atomic_load(&w->durable)) keep = atomic_load(&w->durable);
    st = slots_floor(w, &keep, &lost, f);
    if (invalidated != NULL) *invalidated = lost;
    until = keep / S; /* segments before this one are not needed */
    if (until > atomic_load(&w->current_segment)) until = atomic_load(&w->current_segment);
    if (st == ST_OK) st = archive_until(w, atomic_load(&w->durable) / S, f);
    number = w->meta.oldest_segment;
    if (st == ST_OK && until > number) {
        /* Said before it is done: readers learn that they are too late from the page, recovery from
         * log.meta, and neither takes a half-done trim for damage. */
        m = w->meta;
        m.oldest_segment = until;
        st = meta_store(w->o.io, w->dir, &m, f);
        if (st == ST_OK) {
            w->meta.oldest_segment = until;
            atomic_store(&w->shared->oldest, until * S + SEGMENT_HEADER);
        }
        for (; st == ST_OK && number < until; number++)
            st = let_go(w, number, f);
        if (st == ST_OK) st = io_sync_dir(w->o.io, w->dir, f);
    }
    pthread_mutex_unlock(&w->trim_mutex);
    return st;
}
