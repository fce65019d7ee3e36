/* slot - what a consumer still needs of the log, by name.
 *
 *   DIR/NAME.slot, replaced atomically at each change:
 *
 *   0           64       72       80      88        96      128      288  292
 *   +-----------+--------+--------+-------+---------+-------+--------+----+-----+
 *   | file head | epoch  | holder | bound | updated | name  | reason | 0  | crc |
 *   +-----------+--------+--------+-------+---------+-------+--------+----+-----+
 *   head: magic "SEAMSLOT", version 2, flags bit 0: invalid, file id the log's, lsn what is confirmed;
 *   name 32 and reason 160 bytes, zero-filled; crc of [0,292)
 *
 * A reader demands: size, head, log id, crc, the name that the file has.
 * Read-change-write is done under a lock on DIR/slots.lock, so a fenced-off holder cannot overwrite
 * its successor. */
#include "engine/io/filehead.h"
#include "wal/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/thread.h"

enum {
    SLOT_EPOCH = 64,
    SLOT_HOLDER = 72,
    SLOT_BOUND = 80,
    SLOT_UPDATED = 88,
    SLOT_NAME = 96,
    SLOT_REASON = 128,
    SLOT_CRC = 292,
    SLOT_SIZE = 296,
};
static_assert(SLOT_REASON + WAL_REASON_MAX <= SLOT_CRC, "a reason fits");
enum { SLOT_LOCK_TRIES = 2000, SLOT_LOCK_US = 1000 };
enum { SLOT_INVALID = 1 }; /* flag */
static const struct seam_filehead_format slot_format = {
    .magic = "SEAMSLOT",
    .version = 2,
    .flags = SLOT_INVALID,
    .name = "a slot of a log",
    .way_out = "drop it with seam slot drop, and bootstrap what it was for"};

struct wal_slot {
    struct seam_io *io;
    struct seam_clock *clock;
    char dir[SEAM_PATH_MAX_BYTES];
    struct wal_slot_info info;
    struct wal_shared *shared; /* its count of claims, as it was when we looked last */
    uint64_t claims;
};

static enum seam_status slot_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, const char *name,
                                  struct seam_fault *f)
{
    char file[WAL_SLOT_NAME_MAX + 8];
    size_t n = strlen(name);

    if (n == 0 || n >= WAL_SLOT_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
        return seam_fault_set(f, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET,
                              "a slot's name is 1 to %d of a-z 0-9 _ -", WAL_SLOT_NAME_MAX - 1);
    (void)snprintf(file, sizeof file, "%s.slot", name);
    return seam_path_join(out, dir, file, f);
}

static enum seam_status slots_lock(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                   struct seam_file **lock, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_fault why = {0};
    enum seam_status st = seam_path_join(path, dir, "slots.lock", f);

    if (st == SEAM_OK) st = seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, lock, f);
    if (st != SEAM_OK) return st;
    for (int i = 0; i < SLOT_LOCK_TRIES; i++) {
        seam_fault_clear(&why);
        st = seam_file_lock(*lock, true, &why);
        if (st != SEAM_CONFLICT) break;
        clock->sleep_us(clock, SLOT_LOCK_US);
    }
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = why;
    return st;
}

enum seam_status wal_slot_store(struct seam_io *io, const char *dir, uint64_t log_id,
                                const struct wal_slot_info *s, struct seam_fault *f)
{
    struct seam_filehead head = {
        .flags = s->invalid ? SLOT_INVALID : 0, .file_id = log_id, .lsn = s->confirmed};
    uint8_t b[SLOT_SIZE] = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = slot_path(path, dir, s->name, f);

    if (st != SEAM_OK) return st;
    seam_filehead_encode(&slot_format, &head, b);
    seam_put_u64(b + SLOT_EPOCH, s->epoch);
    seam_put_u64(b + SLOT_HOLDER, (uint64_t)s->holder_pid);
    seam_put_u64(b + SLOT_BOUND, s->bound_bytes);
    seam_put_u64(b + SLOT_UPDATED, (uint64_t)s->updated_us);
    memcpy(b + SLOT_NAME, s->name, strlen(s->name));
    memcpy(b + SLOT_REASON, s->reason, strlen(s->reason));
    seam_put_u32(b + SLOT_CRC, seam_crc32c(0, b, SLOT_CRC));
    return seam_io_write_atomic(io, path, b, sizeof b, f);
}

enum seam_status wal_slot_parse(const struct seam_buf *b, const char *path, const char *name,
                                const uint64_t *log_id, struct wal_slot_info *s,
                                struct seam_fault *f)
{
    const uint8_t *p = b->data;
    struct seam_filehead head;
    enum seam_status st = seam_filehead_decode(&slot_format, p, b->size, path, 0, &head, f);

    if (st != SEAM_OK) return st;
    if (b->size != SLOT_SIZE || seam_get_u32(p + SLOT_CRC) != seam_crc32c(0, p, SLOT_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, path, SLOT_CRC, "checksum of the slot is wrong");
    if (log_id != NULL && head.file_id != *log_id)
        return seam_fault_set(f, SEAM_CORRUPT, path, 32, "slot of another log");
    if (p[SLOT_REASON - 1] != 0 || p[SLOT_REASON + WAL_REASON_MAX - 1] != 0 ||
        (name != NULL && strcmp((const char *)p + SLOT_NAME, name) != 0))
        return seam_fault_set(f, SEAM_CORRUPT, path, SLOT_NAME, "slot's name is not as its file's");
    *s = (struct wal_slot_info){
        .confirmed = head.lsn,
        .epoch = seam_get_u64(p + SLOT_EPOCH),
        .holder_pid = (int64_t)seam_get_u64(p + SLOT_HOLDER),
        .bound_bytes = seam_get_u64(p + SLOT_BOUND),
        .updated_us = (int64_t)seam_get_u64(p + SLOT_UPDATED),
        .invalid = (head.flags & SLOT_INVALID) != 0,
    };
    memcpy(s->name, p + SLOT_NAME, WAL_SLOT_NAME_MAX);
    memcpy(s->reason, p + SLOT_REASON, WAL_REASON_MAX);
    s->holder_alive = s->holder_pid != 0 && seam_process_alive(s->holder_pid);
    return SEAM_OK;
}

static enum seam_status slot_load(struct seam_io *io, const char *dir, const char *name,
                                  uint64_t log_id, struct wal_slot_info *s, struct seam_fault *f)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = slot_path(path, dir, name, f);

    if (st != SEAM_OK) return st;
    if (!seam_io_exists(io, path))
        return seam_fault_set(f, SEAM_NOT_FOUND, path, SEAM_FAULT_NO_OFFSET,
                              "there is no slot '%s'", name);
    st = seam_io_read_all(io, path, 4096, &b, f);
    if (st == SEAM_OK) st = wal_slot_parse(&b, path, name, &log_id, s, f);
    seam_buf_free(&b);
    return st;
}

static enum seam_status refuse_stale(const struct wal_slot_info *s, struct seam_fault *f)
{
    return s->invalid ? seam_fault_set(f, SEAM_STALE, s->name, s->confirmed, "%s", s->reason)
                      : SEAM_OK;
}

static enum seam_status new_slot(struct seam_io *io, const char *dir, const struct wal_log_meta *m,
                                 seam_lsn_t at, struct wal_slot_info *s, struct seam_fault *f)
{
    struct wal_state state;
    enum seam_status st = wal_state(io, dir, &state, f);

    if (st != SEAM_OK) return st;
    if (at == SEAM_LSN_NONE) at = state.oldest;
    if (at == SEAM_LSN_MAX) at = state.durable;
    if (at < m->oldest_segment * m->segment_bytes)
        return seam_fault_set(f, SEAM_NOT_FOUND, s->name, at, "the log is kept from LSN %llu on",
                              (unsigned long long)state.oldest);
    s->confirmed = at;
    return SEAM_OK;
}

static void slot_free(struct wal_slot *s)
{
    if (s == NULL) return;
    if (s->shared != NULL) wal_shared_unmap(s->io, s->shared);
    free(s);
}

enum seam_status wal_slot_claim(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                const char *name, seam_lsn_t at, uint64_t bound_bytes, bool steal,
                                struct wal_slot **out, struct seam_fault *f)
{
    struct wal_slot *slot = NULL;
    struct seam_file *lock = NULL;
    struct wal_slot_info s = {0};
    struct wal_log_meta m;
    struct seam_fault why = {0};
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = slot_path(path, dir, name, f);

    assert(out != NULL && *out == NULL);
    if (st == SEAM_OK) st = wal_meta_load(io, dir, &m, f);
    if (st == SEAM_OK) st = slots_lock(io, clock, dir, &lock, f);
    if (st != SEAM_OK) goto done;
    st = slot_load(io, dir, name, m.log_id, &s, &why);
    if (st == SEAM_NOT_FOUND) {
        (void)snprintf(s.name, sizeof s.name, "%s", name);
        st = new_slot(io, dir, &m, at, &s, f);
    } else if (st == SEAM_OK) {
        st = refuse_stale(&s, f);
        if (st == SEAM_OK && s.holder_alive && !steal)
            st = seam_fault_set(f, SEAM_CONFLICT, name, SEAM_FAULT_NO_OFFSET,
                                "process %lld holds this slot", (long long)s.holder_pid);
    } else if (f != NULL && f->status == SEAM_OK) {
        *f = why;
    }
    if (st != SEAM_OK) goto done;
    s.epoch++;
    s.holder_pid = seam_process_id();
    s.holder_alive = true;
    s.bound_bytes = bound_bytes;
    s.updated_us = seam_clock_wall_us(clock);
    slot = calloc(1, sizeof *slot);
    if (slot == NULL) {
        st = seam_fault_set(f, SEAM_NOMEM, name, SEAM_FAULT_NO_OFFSET, "no memory for a slot");
        goto done;
    }
    *slot = (struct wal_slot){.io = io, .clock = clock, .info = s};
    (void)snprintf(slot->dir, sizeof slot->dir, "%s", dir);
    st = wal_shared_map(io, dir, SEAM_MAP_MAKE, &slot->shared, f);
    if (st == SEAM_OK) st = wal_slot_store(io, dir, m.log_id, &s, f);
    if (st != SEAM_OK) goto done;
    slot->claims = atomic_fetch_add(&slot->shared->claims, 1) + 1;
    *out = slot;
    slot = NULL;
done:
    slot_free(slot);
    seam_file_close(lock);
    return st;
}

/* Loads the slot's file under the lock and refuses a holder of another epoch. */
static enum seam_status slot_mine(struct wal_slot *s, struct wal_log_meta *m,
                                  struct wal_slot_info *now, struct seam_fault *f)
{
    enum seam_status st = wal_meta_load(s->io, s->dir, m, f);

    if (st == SEAM_OK) st = slot_load(s->io, s->dir, s->info.name, m->log_id, now, f);
    if (st != SEAM_OK) return st;
    if (now->epoch != s->info.epoch)
        return seam_fault_set(
            f, SEAM_CONFLICT, s->info.name, SEAM_FAULT_NO_OFFSET,
            "fenced off: process %lld took this slot over (epoch %llu, ours %llu)",
            (long long)now->holder_pid, (unsigned long long)now->epoch,
            (unsigned long long)s->info.epoch);
    return refuse_stale(now, f);
}

enum seam_status wal_slot_advance(struct wal_slot *s, seam_lsn_t confirmed, struct seam_fault *f)
{
    struct seam_file *lock = NULL;
    struct wal_slot_info now;
    struct wal_log_meta m;
    enum seam_status st = slots_lock(s->io, s->clock, s->dir, &lock, f);

    if (st == SEAM_OK) st = slot_mine(s, &m, &now, f);
    if (st == SEAM_OK) {
        if (confirmed > now.confirmed) now.confirmed = confirmed;
        now.updated_us = seam_clock_wall_us(s->clock);
        st = wal_slot_store(s->io, s->dir, m.log_id, &now, f);
    }
    if (st == SEAM_OK) s->info = now;
    seam_file_close(lock);
    return st;
}

enum seam_status wal_slot_check(struct wal_slot *s, struct seam_fault *f)
{
    struct wal_slot_info now;
    struct wal_log_meta m;

    return slot_mine(s, &m, &now, f);
}

enum seam_status wal_slot_fenced(struct wal_slot *s, struct seam_fault *f)
{
    uint64_t claims = atomic_load_explicit(&s->shared->claims, memory_order_acquire);
    struct wal_slot_info now;
    struct wal_log_meta m;
    struct seam_fault why = {0};
    enum seam_status st;

    if (seam_likely(claims == s->claims)) return SEAM_OK;
    st = slot_mine(s, &m, &now, &why);
    if (st == SEAM_OK ||
        st == SEAM_STALE) { /* another slot was claimed; an invalid one is still nobody else's */
        s->claims = claims;
        return SEAM_OK;
    }
    if (f != NULL && f->status == SEAM_OK) *f = why;
    return st;
}

const struct wal_slot_info *wal_slot_info(const struct wal_slot *s)
{
    return &s->info;
}

void wal_slot_release(struct wal_slot *s)
{
    struct seam_file *lock = NULL;
    struct wal_slot_info now;
    struct wal_log_meta m;

    if (s == NULL) return;
    /* Best effort: a slot whose holder is dead is free for the next claim anyway. */
    if (slots_lock(s->io, s->clock, s->dir, &lock, NULL) == SEAM_OK &&
        slot_mine(s, &m, &now, NULL) == SEAM_OK) {
        now.holder_pid = 0;
        if (wal_slot_store(s->io, s->dir, m.log_id, &now, NULL) != SEAM_OK)
            now.holder_pid = s->info.holder_pid;
    }
    seam_file_close(lock);
    slot_free(s);
}

enum seam_status wal_slot_drop(struct seam_io *io, const char *dir, const char *name,
                               struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = slot_path(path, dir, name, f);

    if (st == SEAM_OK) st = seam_io_unlink(io, path, f);
    return st == SEAM_OK ? seam_io_sync_dir(io, dir, f) : st;
}

/* A slot that cannot be read is listed as such: who looks must see it, and what it needs is not known. */
static enum seam_status slot_listed(struct seam_io *io, const char *dir, const char *name,
                                    uint64_t log_id, struct wal_slot_info *s, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = slot_load(io, dir, name, log_id, s, &why);

    if (st == SEAM_OK) return SEAM_OK;
    if (st != SEAM_CORRUPT && st != SEAM_UNSUPPORTED) {
        seam_fault_give(f, &why);
        return st;
    }
    *s = (struct wal_slot_info){.damaged = true};
    memcpy(s->name, name, strlen(name));
    (void)snprintf(s->reason, sizeof s->reason, "%.*s", WAL_REASON_MAX - 1, why.why);
    return SEAM_OK;
}

enum seam_status wal_slots(struct seam_io *io, const char *dir,
                           struct wal_slot_info out[WAL_SLOTS_MAX], size_t *count,
                           struct seam_fault *f)
{
    struct seam_io_list names = {0};
    struct wal_state state;
    enum seam_status st = wal_state(io, dir, &state, f);

    *count = 0;
    if (st == SEAM_OK) st = seam_io_list(io, dir, &names, f);
    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        char name[WAL_SLOT_NAME_MAX];
        size_t n = strlen(names.names[i]);
        struct wal_slot_info *s = &out[*count];

        if (n <= 5 || n - 5 >= sizeof name || strcmp(names.names[i] + n - 5, ".slot") != 0)
            continue;
        memcpy(name, names.names[i], n - 5);
        name[n - 5] = '\0';
        if (*count == WAL_SLOTS_MAX) {
            st = seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                                "a log may have %d slots at most", WAL_SLOTS_MAX);
            break;
        }
        st = slot_listed(io, dir, name, state.log_id, s, f);
        if (st != SEAM_OK) break;
        s->held_bytes =
            !s->damaged && state.durable > s->confirmed ? state.durable - s->confirmed : 0;
        (*count)++;
    }
    seam_io_list_free(&names);
    return st;
}

/* ---- trim: the writer's side of retention ---- */

static enum seam_status invalidate(struct wal *w, const char *name, seam_lsn_t durable,
                                   struct seam_fault *f)
{
    struct seam_file *lock = NULL;
    struct wal_slot_info s;
    enum seam_status st = slots_lock(w->o.io, w->o.clock, w->dir, &lock, f);

    if (st == SEAM_OK) st = slot_load(w->o.io, w->dir, name, w->meta.log_id, &s, f);
    if (st == SEAM_OK && !s.invalid && durable - s.confirmed > s.bound_bytes) {
        s.invalid = true;
        (void)snprintf(s.reason, sizeof s.reason,
                       "invalidated: %llu bytes behind at LSN %llu, bound %llu; last holder %lld: "
                       "bootstrap again",
                       (unsigned long long)(durable - s.confirmed), (unsigned long long)durable,
                       (unsigned long long)s.bound_bytes, (long long)s.holder_pid);
        SEAM_TRACE(w->o.trace, "wal", "slot_invalidated", SEAM_TS("slot", name),
                   SEAM_TI("confirmed", s.confirmed), SEAM_TI("durable", durable),
                   SEAM_TI("bound", s.bound_bytes));
        st = wal_slot_store(w->o.io, w->dir, w->meta.log_id, &s, f);
    }
    seam_file_close(lock);
    return st;
}

static enum seam_status slots_floor(struct wal *w, seam_lsn_t *keep, size_t *invalidated,
                                    struct seam_fault *f)
{
    struct wal_slot_info *slots = malloc(WAL_SLOTS_MAX * sizeof *slots);
    seam_lsn_t durable = atomic_load(&w->durable);
    size_t n = 0;
    enum seam_status st;

    if (slots == NULL)
        return seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the list of slots");
    /* A slot read now may be one that a power cut takes back, to before what would be let go. */
    st = seam_io_unsynced(w->o.io, w->dir)
             ? seam_fault_set(f, SEAM_IO, w->dir, SEAM_FAULT_NO_OFFSET,
                              "a sync failed in this folder: the whole log is kept until it is "
                              "opened again")
             : wal_slots(w->o.io, w->dir, slots, &n, f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        if (slots[i].invalid) continue;
        if (slots[i].damaged) {
            st = seam_fault_set(f, SEAM_CORRUPT, slots[i].name, SEAM_FAULT_NO_OFFSET,
                                "the slot is damaged (%s), so the whole log is kept; when its "
                                "consumer may bootstrap again: seam slot drop",
                                slots[i].reason);
            break;
        }
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

static enum seam_status archive_until(struct wal *w, uint64_t number, struct seam_fault *f)
{
    while (w->o.archive.segment != NULL && w->archived < number) {
        char path[SEAM_PATH_MAX_BYTES];
        seam_lsn_t start = w->archived * w->meta.segment_bytes;
        enum seam_status st = wal_segment_path(path, w->dir, w->archived, f);

        if (st == SEAM_OK)
            st = w->o.archive.segment(w->o.archive.ctx, path, w->archived,
                                      start + WAL_SEGMENT_HEADER, start + w->meta.segment_bytes, f);
        if (st != SEAM_OK) return st;
        w->archived++;
    }
    return SEAM_OK;
}

static enum seam_status let_go(struct wal *w, uint64_t number, struct seam_fault *f)
{
    char from[SEAM_PATH_MAX_BYTES], to[SEAM_PATH_MAX_BYTES];
    enum seam_status st = wal_segment_path(from, w->dir, number, f);
    bool reuse;

    pthread_mutex_lock(&w->files_mutex);
    reuse = w->newest_segment - atomic_load(&w->current_segment) < w->o.spare_segments;
    if (st == SEAM_OK && reuse) {
        st = wal_segment_path(to, w->dir, w->newest_segment + 1, f);
        if (st == SEAM_OK) st = seam_io_rename(w->o.io, from, to, f);
        if (st == SEAM_OK) w->newest_segment++;
        if (st == SEAM_OK) atomic_fetch_add(&w->n_recycled, 1);
    } else if (st == SEAM_OK) {
        st = seam_io_unlink(w->o.io, from, f);
    }
    pthread_mutex_unlock(&w->files_mutex);
    SEAM_TRACE(w->o.trace, "wal", "segment_released", SEAM_TI("segment", number),
               SEAM_TI("recycled", reuse));
    return st;
}

static enum seam_status trim(struct wal *w, seam_lsn_t keep, size_t *invalidated,
                             struct seam_fault *f)
{
    uint64_t S = w->meta.segment_bytes, until, number;
    struct wal_log_meta m;
    size_t lost = 0;
    enum seam_status st = wal_healthy(w, f);

    if (invalidated != NULL) *invalidated = 0;
    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&w->trim_mutex);
    if (keep > atomic_load(&w->durable)) keep = atomic_load(&w->durable);
    st = slots_floor(w, &keep, &lost, f);
    if (invalidated != NULL) *invalidated = lost;
    until = keep / S; /* segments before this one are not needed */
    if (until > atomic_load(&w->current_segment)) until = atomic_load(&w->current_segment);
    if (st == SEAM_OK) st = archive_until(w, atomic_load(&w->durable) / S, f);
    number = w->meta.oldest_segment;
    if (st == SEAM_OK && until > number) {
        /* Said before it is done: readers learn that they are too late from the page, recovery from
         * log.meta, and neither takes a half-done trim for damage. */
        m = w->meta;
        m.oldest_segment = until;
        m.durable = atomic_load(&w->durable);
        st = wal_meta_store(w->o.io, w->dir, &m, f);
        if (st == SEAM_OK) {
            w->meta = m;
            atomic_store(&w->shared->oldest, until * S + WAL_SEGMENT_HEADER);
        }
        for (; st == SEAM_OK && number < until; number++) st = let_go(w, number, f);
        if (st == SEAM_OK) st = seam_io_sync_dir(w->o.io, w->dir, f);
    }
    pthread_mutex_unlock(&w->trim_mutex);
    return st;
}

void wal_background(struct wal *w, const struct seam_fault *why)
{
    if (why == NULL && !atomic_load(&w->troubled)) return;
    pthread_mutex_lock(&w->group_mutex);
    atomic_store(&w->troubled, why != NULL);
    w->stats.trouble_status = why != NULL ? why->status : SEAM_OK;
    if (why != NULL) (void)seam_fault_text(why, w->stats.trouble, sizeof w->stats.trouble);
    wal_shared_trouble(w->shared, why, seam_clock_wall_us(w->o.clock));
    pthread_mutex_unlock(&w->group_mutex);
}

enum seam_status wal_trim(struct wal *w, seam_lsn_t keep, size_t *invalidated, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = trim(w, keep, invalidated, &why);

    wal_background(w, st != SEAM_OK ? &why : NULL);
    if (st != SEAM_OK) seam_fault_give(f, &why);
    return st;
}
