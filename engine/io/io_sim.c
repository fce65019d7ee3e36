/* io_sim - files and folders over the simulated disk, and the faults planted on their calls. */
#include "engine/io/io_sim.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/io_sim_disk.h"

struct seam_io_sim {
    struct seam_io io; /* first: the pointer stores hold */
    pthread_mutex_t lock;
    struct seam_sim_disk disk;
    struct seam_rng rng;
    struct seam_rng
        later;     /* when shared pages reach the disk: apart, so that it changes no other choice */
    uint64_t life; /* changes at kill and reboot: handles of an earlier life are dead */
    uint64_t calls; /* injection points passed */
    uint64_t reads;
    uint64_t capacity; /* 0 = endless */
    bool power_is_off;
    enum seam_sim_fault_kind planted;
    uint64_t planted_at;
    bool sticky, fired;
};

struct sim_file {
    struct seam_file file; /* first: the pointer callers hold */
    struct seam_sim_node *node;
    uint64_t life;
    bool writable, dsync;
    enum { UNLOCKED, LOCKED_SHARED, LOCKED_EXCLUSIVE } lock;
};

/* What a call does, as far as faults care. */
enum call { CALL_WRITE, CALL_CREATE, CALL_SYNC, CALL_NAME };

static struct seam_io_sim *sim_of(struct seam_io *io)
{
    return (struct seam_io_sim *)(void *)io;
}
static struct sim_file *handle_of(struct seam_file *f)
{
    return (struct sim_file *)(void *)f;
}

static enum seam_status fail(struct seam_fault *f, enum seam_status st, const char *path,
                             int os_errno, const char *what)
{
    return seam_fault_set_os(f, st, path, SEAM_FAULT_NO_OFFSET, os_errno, "%s", what);
}

static enum seam_status no_memory(struct seam_fault *f, const char *path)
{
    return seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                          "no memory in the simulated disk");
}

static enum seam_status check_power(struct seam_io_sim *s, const char *path, struct seam_fault *f)
{
    return s->power_is_off ? fail(f, SEAM_IO, path, EIO, "the power is off") : SEAM_OK;
}

static enum seam_status check_alive(struct seam_io_sim *s, const struct sim_file *h,
                                    struct seam_fault *f)
{
    if (s->power_is_off) return check_power(s, h->file.path, f);
    if (h->life != s->life)
        return fail(f, SEAM_IO, h->file.path, EBADF, "this handle died with its process");
    return SEAM_OK;
}

static bool fault_applies(enum seam_sim_fault_kind kind, enum call call)
{
    switch (kind) {
    case SEAM_SIM_NONE: return false;
    case SEAM_SIM_POWER_CUT:
    case SEAM_SIM_EIO: return true;
    case SEAM_SIM_ENOSPC: return call == CALL_WRITE || call == CALL_CREATE;
    case SEAM_SIM_SHORT_WRITE: return call == CALL_WRITE;
    case SEAM_SIM_SYNC_FAIL: return call == CALL_SYNC;
    case SEAM_SIM_READ_EIO: return false; /* counted apart, in pass_read */
    }
    return false;
}

/* Passes one injection point: SEAM_SIM_NONE, or the fault this call must show.                         */
static enum seam_sim_fault_kind pass_point(struct seam_io_sim *s, enum call call)
{
    enum seam_sim_fault_kind kind = s->planted;

    s->calls++;
    seam_sim_shared_write_back(&s->disk, &s->later);
    if (kind == SEAM_SIM_NONE || s->calls < s->planted_at || !fault_applies(kind, call))
        return SEAM_SIM_NONE;
    if (s->fired && !s->sticky) return SEAM_SIM_NONE;
    s->fired = true;
    if (kind == SEAM_SIM_POWER_CUT) s->power_is_off = true;
    return kind;
}

static enum seam_status pass_read(struct seam_io_sim *s, const char *path, struct seam_fault *f)
{
    s->reads++;
    if (s->planted != SEAM_SIM_READ_EIO || s->reads < s->planted_at || (s->fired && !s->sticky))
        return SEAM_OK;
    s->fired = true;
    return fail(f, SEAM_IO, path, EIO, "simulated failing read");
}

static enum seam_status point(struct seam_io_sim *s, enum call call, const char *path,
                              struct seam_fault *f)
{
    switch (pass_point(s, call)) {
    case SEAM_SIM_NONE: return SEAM_OK;
    case SEAM_SIM_POWER_CUT: return fail(f, SEAM_IO, path, EIO, "the power went off");
    case SEAM_SIM_ENOSPC: return fail(f, SEAM_IO, path, ENOSPC, "simulated fault");
    default: return fail(f, SEAM_IO, path, EIO, "simulated fault");
    }
}

/* "a//b/" and "./a/b" name what "a/b" names.                                                      */
static enum seam_status normalise(const char *path, char out[SEAM_PATH_MAX_BYTES],
                                  struct seam_fault *f)
{
    size_t n = 0;

    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (*path == '/') path++;
    }
    for (; *path != '\0'; path++) {
        if (*path == '/' && n > 0 && out[n - 1] == '/') continue;
        if (n + 1 >= SEAM_PATH_MAX_BYTES)
            return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                                  SEAM_PATH_MAX_BYTES - 1);
        out[n++] = *path;
    }
    while (n > 1 && out[n - 1] == '/') n--;
    out[n] = '\0';
    if (n == 0) memcpy(out, ".", 2);
    return SEAM_OK;
}

static enum seam_status check_parent(struct seam_io_sim *s, const char *path, struct seam_fault *f)
{
    char parent[SEAM_PATH_MAX_BYTES];

    seam_sim_parent(path, parent, sizeof parent);
    if (seam_sim_dir_exists(&s->disk, parent)) return SEAM_OK;
    return fail(f, SEAM_NOT_FOUND, path, ENOENT, "its folder does not exist");
}

/* ---- files ---- */

static enum seam_status open_node(struct seam_io_sim *s, const char *path, unsigned flags,
                                  struct seam_sim_node **out, struct seam_fault *f)
{
    struct seam_sim_node *n = seam_sim_find(&s->disk, path);
    enum seam_status st;

    if (n == NULL && seam_sim_dir_exists(&s->disk, path))
        return fail(f, SEAM_IO, path, EISDIR, "cannot open");
    if (n != NULL && n->is_dir) return fail(f, SEAM_IO, path, EISDIR, "cannot open");
    if (n != NULL && (flags & SEAM_FILE_CREATE) && (flags & SEAM_FILE_EXCL))
        return fail(f, SEAM_EXISTS, path, EEXIST, "cannot open");
    if (n == NULL && !(flags & SEAM_FILE_CREATE))
        return fail(f, SEAM_NOT_FOUND, path, ENOENT, "cannot open");
    if (n == NULL) {
        st = check_parent(s, path, f);
        if (st == SEAM_OK) st = point(s, CALL_CREATE, path, f);
        if (st != SEAM_OK) return st;
        if (!seam_sim_add_new(&s->disk, path, false, &n)) return no_memory(f, path);
    } else if ((flags & SEAM_FILE_TRUNC) && n->live.size > 0) {
        st = point(s, CALL_WRITE, path, f);
        if (st != SEAM_OK) return st;
        if (!seam_sim_change_truncate(n, 0)) return no_memory(f, path);
    }
    *out = n;
    return SEAM_OK;
}

static enum seam_status sim_open(struct seam_io *io, const char *given, unsigned flags,
                                 struct seam_file **out, struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *n = NULL;
    struct sim_file *h = NULL;
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == SEAM_OK) st = open_node(s, path, flags, &n, f);
    if (st != SEAM_OK) goto done;
    h = calloc(1, sizeof *h);
    if (h != NULL) h->file.path = strdup(given);
    if (h == NULL || h->file.path == NULL) {
        free(h);
        st = no_memory(f, path);
        goto done;
    }
    h->file.io = io;
    h->node = n;
    h->life = s->life;
    h->writable = (flags & SEAM_FILE_WRITE) != 0;
    h->dsync = (flags & SEAM_FILE_DSYNC) != 0;
    n->refs++;
    *out = &h->file;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void unlock_handle(struct seam_io_sim *s, struct sim_file *h)
{
    if (h->life == s->life) { /* a dead handle's locks went with its life */
        if (h->lock == LOCKED_EXCLUSIVE) h->node->lock_exclusive = false;
        if (h->lock == LOCKED_SHARED) h->node->lock_shared--;
    }
    h->lock = UNLOCKED;
}

static void unclaim_all(struct seam_io_sim *s, struct sim_file *h)
{
    for (size_t i = 0; h->life == s->life && i < SEAM_CLAIMS_MAX; i++)
        if (h->node->claims[i] == h) h->node->claims[i] = NULL;
}

static void sim_close(struct seam_file *file)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);

    pthread_mutex_lock(&s->lock);
    unlock_handle(s, h);
    unclaim_all(s, h);
    seam_sim_node_unref(&s->disk, h->node);
    pthread_mutex_unlock(&s->lock);
    free(h->file.path);
    free(h);
}

static enum seam_status sim_read_some(struct seam_file *file, uint64_t at, void *p, size_t n,
                                      size_t *got, struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    const struct seam_buf *b = &h->node->live;
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK) st = pass_read(s, file->path, f);
    if (st == SEAM_OK && at < b->size) {
        *got = b->size - at < n ? (size_t)(b->size - at) : n;
        if (*got > 0) memcpy(p, b->data + at, *got);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool full(struct seam_io_sim *s, uint64_t more)
{
    return s->capacity != 0 && seam_sim_used(&s->disk) + more > s->capacity;
}

/* The first `total` bytes of the slices, each slice one write of its own.                         */
static enum seam_status write_slices(struct seam_io_sim *s, struct sim_file *h, uint64_t at,
                                     const struct seam_io_slice *slices, int count, uint64_t total,
                                     struct seam_fault *f)
{
    struct seam_sim_node *n = h->node;
    uint64_t end = at + total;

    if (end > n->live.size && full(s, end - n->live.size))
        return fail(f, SEAM_IO, h->file.path, ENOSPC, "cannot write");
    for (int i = 0; i < count && total > 0; i++) {
        uint64_t size = slices[i].size < total ? slices[i].size : total;

        if (!seam_sim_change_write(n, at, slices[i].data, size)) return no_memory(f, h->file.path);
        at += size;
        total -= size;
    }
    return SEAM_OK;
}

static enum seam_status sim_writev(struct seam_file *file, uint64_t at,
                                   const struct seam_io_slice *slices, int count,
                                   struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    uint64_t total = 0;
    enum seam_status st;

    for (int i = 0; i < count; i++) total += slices[i].size;
    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK && !h->writable)
        st = fail(f, SEAM_IO, file->path, EBADF, "opened for reading");
    if (st != SEAM_OK) goto done;
    switch (pass_point(s, CALL_WRITE)) {
    case SEAM_SIM_NONE: break;
    case SEAM_SIM_POWER_CUT:
        st = fail(f, SEAM_IO, file->path, EIO, "the power went off");
        goto done;
    case SEAM_SIM_ENOSPC: st = fail(f, SEAM_IO, file->path, ENOSPC, "simulated fault"); goto done;
    case SEAM_SIM_SHORT_WRITE:
        st = write_slices(s, h, at, slices, count, total / 2, f);
        if (st == SEAM_OK) st = fail(f, SEAM_IO, file->path, EIO, "simulated short write");
        goto done;
    default: st = fail(f, SEAM_IO, file->path, EIO, "simulated fault"); goto done;
    }
    st = write_slices(s, h, at, slices, count, total, f);
    if (st == SEAM_OK && h->dsync && !seam_sim_sync_node(h->node, NULL))
        st = no_memory(f, file->path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_sync(struct seam_file *file, bool data_only, struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    enum seam_status st;

    (void)data_only; /* the size is data here, as it is for fdatasync */
    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st != SEAM_OK) goto done;
    switch (pass_point(s, CALL_SYNC)) {
    case SEAM_SIM_NONE:
        if (!seam_sim_sync_node(h->node, NULL)) st = no_memory(f, file->path);
        break;
    case SEAM_SIM_POWER_CUT: st = fail(f, SEAM_IO, file->path, EIO, "the power went off"); break;
    case SEAM_SIM_SYNC_FAIL:
        /* Readers go on seeing what may never reach the disk, and no later sync will bring it.    */
        if (!seam_sim_sync_node(h->node, &s->rng))
            st = no_memory(f, file->path);
        else
            st = fail(f, SEAM_IO, file->path, EIO, "simulated failing sync");
        break;
    default: st = fail(f, SEAM_IO, file->path, EIO, "simulated fault"); break;
    }
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_size(struct seam_file *file, uint64_t *size, struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK) *size = h->node->live.size;
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_truncate(struct seam_file *file, uint64_t size, struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK && !h->writable)
        st = fail(f, SEAM_IO, file->path, EBADF, "opened for reading");
    if (st == SEAM_OK) st = point(s, CALL_WRITE, file->path, f);
    if (st == SEAM_OK && !seam_sim_change_truncate(h->node, size)) st = no_memory(f, file->path);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_punch(struct seam_file *file, uint64_t from, uint64_t n)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, NULL);
    if (st == SEAM_OK) st = point(s, CALL_NAME, file->path, NULL);
    if (st == SEAM_OK && from < h->node->live.size) {
        if (n > h->node->live.size - from) n = h->node->live.size - from;
        if (!seam_sim_change_write(h->node, from, NULL, n)) st = SEAM_NOMEM;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_map(struct seam_file *file, size_t n, const uint8_t **out,
                                struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    enum seam_status st;
    uint8_t *copy = NULL;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK && n > h->node->live.size)
        st = fail(f, SEAM_CORRUPT, file->path, 0, "file ends before the bytes to map");
    if (st == SEAM_OK) st = pass_read(s, file->path, f);
    if (st == SEAM_OK && (copy = malloc(n)) == NULL) st = no_memory(f, file->path);
    if (st == SEAM_OK) memcpy(copy, h->node->live.data, n);
    pthread_mutex_unlock(&s->lock);
    *out = copy;
    return st;
}

static void sim_unmap(struct seam_io *io, const uint8_t *p, size_t n)
{
    (void)io, (void)n;
    free((void *)(uintptr_t)p);
}

/* The page that processes share, made from what the file holds when nobody has it mapped. */
static enum seam_status shared_page(struct seam_sim_node *node, const char *path, size_t n,
                                    struct seam_fault *f)
{
    if (node->shared != NULL && node->shared->size < n)
        return seam_fault_set(f, SEAM_INVALID, path, SEAM_FAULT_NO_OFFSET,
                              "shared with %zu bytes already", node->shared->size);
    if (node->shared != NULL) return SEAM_OK;
    node->shared = calloc(1, sizeof *node->shared + n);
    if (node->shared == NULL) return no_memory(f, path);
    node->shared->size = n;
    memcpy(node->shared + 1, node->live.data, n);
    return SEAM_OK;
}

static enum seam_status sim_map_shared(struct seam_io *io, const char *given, size_t n,
                                       enum seam_map_mode mode, void **out, struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *node = NULL;
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == SEAM_OK)
        st = open_node(s, path, SEAM_FILE_WRITE | (mode == SEAM_MAP_MAKE ? SEAM_FILE_CREATE : 0u),
                       &node, f);
    if (st == SEAM_OK && node->live.size < n) {
        if (mode != SEAM_MAP_MAKE)
            st = fail(f, SEAM_NOT_FOUND, path, 0, "the shared page is not whole");
        else if (full(s, n - node->live.size))
            st = fail(f, SEAM_IO, path, ENOSPC, "cannot reserve the space of a shared page");
        else if (!seam_sim_change_truncate(node, n))
            st = no_memory(f, path);
    }
    if (st == SEAM_OK) st = shared_page(node, path, n, f);
    if (st != SEAM_OK) goto done;
    node->shared->maps++;
    *out = node->shared + 1;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void sim_unmap_shared(struct seam_io *io, void *p, size_t n)
{
    struct seam_io_sim *s = sim_of(io);
    struct seam_sim_shared *shared = (struct seam_sim_shared *)p - 1;

    (void)n;
    pthread_mutex_lock(&s->lock);
    assert(shared->maps > 0);
    if (--shared->maps == 0 && shared->orphan) free(shared);
    pthread_mutex_unlock(&s->lock);
}

static enum seam_status sim_lock(struct seam_file *file, bool exclusive, struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    struct seam_sim_node *n = h->node;
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st != SEAM_OK) goto done;
    if ((n->lock_exclusive && h->lock != LOCKED_EXCLUSIVE) ||
        (exclusive && n->lock_shared > (h->lock == LOCKED_SHARED ? 1u : 0u))) {
        st = seam_fault_set(f, SEAM_CONFLICT, file->path, SEAM_FAULT_NO_OFFSET,
                            "locked by another process of the simulated world");
        goto done;
    }
    unlock_handle(s, h);
    h->lock = exclusive ? LOCKED_EXCLUSIVE : LOCKED_SHARED;
    if (exclusive)
        n->lock_exclusive = true;
    else
        n->lock_shared++;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool sim_locked(struct seam_io *io, const char *given)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *n;
    bool held;

    if (normalise(given, path, NULL) != SEAM_OK) return false;
    pthread_mutex_lock(&s->lock);
    n = s->power_is_off ? NULL : seam_sim_find(&s->disk, path);
    held = n != NULL && n->lock_exclusive;
    pthread_mutex_unlock(&s->lock);
    return held;
}

static enum seam_status sim_claim(struct seam_file *file, unsigned place, bool take,
                                  struct seam_fault *f)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    const void **at = &h->node->claims[place];
    enum seam_status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == SEAM_OK && *at != NULL && *at != h)
        st = seam_fault_set(f, SEAM_CONFLICT, file->path, place, "claimed by another handle");
    if (st == SEAM_OK) *at = take ? h : NULL;
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool sim_claimed(struct seam_file *file, unsigned place)
{
    struct sim_file *h = handle_of(file);
    struct seam_io_sim *s = sim_of(file->io);
    bool held;

    pthread_mutex_lock(&s->lock);
    held = h->node->claims[place] != NULL && h->node->claims[place] != h;
    pthread_mutex_unlock(&s->lock);
    return held;
}

/* ---- names ---- */

static enum seam_status rename_locked(struct seam_io_sim *s, const char *from, const char *to,
                                      struct seam_fault *f)
{
    struct seam_sim_node *n = seam_sim_find(&s->disk, from), *target = seam_sim_find(&s->disk, to);
    enum seam_status st;

    if (n == NULL) return fail(f, SEAM_NOT_FOUND, from, ENOENT, "cannot rename");
    st = check_parent(s, to, f);
    if (st != SEAM_OK || n == target) return st;
    if (target != NULL && target->is_dir != n->is_dir)
        return fail(f, SEAM_IO, to, target->is_dir ? EISDIR : ENOTDIR, "cannot rename");
    if (target != NULL && target->is_dir && !seam_sim_dir_empty(&s->disk, to))
        return fail(f, SEAM_IO, to, ENOTEMPTY, "cannot rename");
    st = point(s, CALL_NAME, from, f);
    if (st == SEAM_OK && !seam_sim_move(&s->disk, from, to)) st = no_memory(f, to);
    return st;
}

static enum seam_status sim_rename(struct seam_io *io, const char *given_from, const char *given_to,
                                   struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char from[SEAM_PATH_MAX_BYTES], to[SEAM_PATH_MAX_BYTES];
    enum seam_status st = normalise(given_from, from, f);

    if (st == SEAM_OK) st = normalise(given_to, to, f);
    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, from, f);
    if (st == SEAM_OK) st = rename_locked(s, from, to, f);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* unlink and rmdir: they differ in what they take.                                                */
static enum seam_status remove_name(struct seam_io *io, const char *given, bool dir,
                                    struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *n = NULL;
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st != SEAM_OK) goto done;
    n = seam_sim_find(&s->disk, path);
    if (n == NULL)
        st = fail(f, SEAM_NOT_FOUND, path, ENOENT, "cannot remove");
    else if (!dir && n->is_dir)
        st = fail(f, SEAM_IO, path, EISDIR, "cannot remove");
    else if (dir && !n->is_dir)
        st = fail(f, SEAM_IO, path, ENOTDIR, "cannot remove");
    else if (dir && !seam_sim_dir_empty(&s->disk, path))
        st = fail(f, SEAM_IO, path, ENOTEMPTY, "cannot remove");
    else
        st = point(s, CALL_NAME, path, f);
    if (st == SEAM_OK && !seam_sim_remove(&s->disk, path)) st = no_memory(f, path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_unlink(struct seam_io *io, const char *path, struct seam_fault *f)
{
    return remove_name(io, path, false, f);
}

static enum seam_status sim_rmdir(struct seam_io *io, const char *path, struct seam_fault *f)
{
    return remove_name(io, path, true, f);
}

static enum seam_status sim_mkdir(struct seam_io *io, const char *given, struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st != SEAM_OK || seam_sim_dir_exists(&s->disk, path)) goto done;
    if (seam_sim_find(&s->disk, path) != NULL)
        st = fail(f, SEAM_EXISTS, path, EEXIST, "cannot make");
    if (st == SEAM_OK) st = check_parent(s, path, f);
    if (st == SEAM_OK) st = point(s, CALL_CREATE, path, f);
    if (st == SEAM_OK && !seam_sim_add_new(&s->disk, path, true, NULL)) st = no_memory(f, path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_link(struct seam_io *io, const char *given_from, const char *given_to,
                                 struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char from[SEAM_PATH_MAX_BYTES], to[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *n;
    enum seam_status st = normalise(given_from, from, f);

    if (st == SEAM_OK) st = normalise(given_to, to, f);
    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, from, f);
    if (st != SEAM_OK) goto done;
    n = seam_sim_find(&s->disk, from);
    if (n == NULL)
        st = fail(f, SEAM_NOT_FOUND, from, ENOENT, "cannot link");
    else if (n->is_dir)
        st = fail(f, SEAM_IO, from, EPERM, "cannot link a folder");
    else if (seam_sim_find(&s->disk, to) != NULL)
        st = fail(f, SEAM_EXISTS, to, EEXIST, "cannot link");
    if (st == SEAM_OK) st = check_parent(s, to, f);
    if (st == SEAM_OK) st = point(s, CALL_CREATE, to, f);
    if (st == SEAM_OK && !seam_sim_add(&s->disk, to, n)) st = no_memory(f, to);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum seam_status sim_sync_dir(struct seam_io *io, const char *given, struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == SEAM_OK && !seam_sim_dir_exists(&s->disk, path))
        st = fail(f, SEAM_NOT_FOUND, path, ENOENT, "cannot sync the folder");
    if (st != SEAM_OK) goto done;
    switch (pass_point(s, CALL_SYNC)) {
    case SEAM_SIM_NONE:
        if (!seam_sim_sync_names(&s->disk, path, NULL)) st = no_memory(f, path);
        break;
    case SEAM_SIM_POWER_CUT: st = fail(f, SEAM_IO, path, EIO, "the power went off"); break;
    case SEAM_SIM_SYNC_FAIL:
        if (!seam_sim_sync_names(&s->disk, path, &s->rng))
            st = no_memory(f, path);
        else
            st = fail(f, SEAM_IO, path, EIO, "simulated failing sync");
        break;
    default: st = fail(f, SEAM_IO, path, EIO, "simulated fault"); break;
    }
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool sim_exists(struct seam_io *io, const char *given, bool *is_dir)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    bool there;

    if (normalise(given, path, NULL) != SEAM_OK) return false;
    pthread_mutex_lock(&s->lock);
    *is_dir = seam_sim_dir_exists(&s->disk, path);
    there = !s->power_is_off && (*is_dir || seam_sim_find(&s->disk, path) != NULL);
    pthread_mutex_unlock(&s->lock);
    return there;
}

static enum seam_status list_locked(struct seam_io_sim *s, const char *path,
                                    struct seam_io_list *out, struct seam_fault *f)
{
    if (!seam_sim_dir_exists(&s->disk, path))
        return fail(f, SEAM_NOT_FOUND, path, ENOENT, "cannot list");
    out->names = calloc(s->disk.live.count + 1, sizeof *out->names);
    if (out->names == NULL) return no_memory(f, path);
    for (size_t i = 0; i < s->disk.live.count; i++) {
        char parent[SEAM_PATH_MAX_BYTES];
        const char *child = s->disk.live.list[i].path, *slash = strrchr(child, '/');

        seam_sim_parent(child, parent, sizeof parent);
        if (strcmp(parent, path) != 0) continue;
        out->names[out->count] = strdup(slash != NULL ? slash + 1 : child);
        if (out->names[out->count] == NULL) return no_memory(f, path);
        out->count++;
    }
    return SEAM_OK;
}

static enum seam_status sim_list(struct seam_io *io, const char *given, struct seam_io_list *out,
                                 struct seam_fault *f)
{
    struct seam_io_sim *s = sim_of(io);
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = normalise(given, path, f);

    if (st != SEAM_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == SEAM_OK) st = pass_read(s, path, f);
    if (st == SEAM_OK) st = list_locked(s, path, out, f);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static const struct seam_io_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .read_some = sim_read_some,
    .writev = sim_writev,
    .sync = sim_sync,
    .size = sim_size,
    .truncate = sim_truncate,
    .punch = sim_punch,
    .map = sim_map,
    .unmap = sim_unmap,
    .map_shared = sim_map_shared,
    .unmap_shared = sim_unmap_shared,
    .lock = sim_lock,
    .locked = sim_locked,
    .claim = sim_claim,
    .claimed = sim_claimed,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .link = sim_link,
    .sync_dir = sim_sync_dir,
    .exists = sim_exists,
    .list = sim_list,
};

/* ---- the test's side ---- */

struct seam_io_sim *seam_io_sim_new(uint64_t seed)
{
    struct seam_io_sim *s = calloc(1, sizeof *s);

    if (s == NULL) return NULL;
    s->io.ops = &sim_ops;
    s->life = 1;
    seam_rng_seed(&s->rng, seed);
    seam_rng_seed(&s->later, ~seed);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void seam_io_sim_free(struct seam_io_sim *s)
{
    if (s == NULL) return;
    seam_sim_disk_free(&s->disk);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct seam_io *seam_io_sim_io(struct seam_io_sim *s)
{
    return &s->io;
}

void seam_io_sim_plant(struct seam_io_sim *s, enum seam_sim_fault_kind kind, uint64_t nth,
                       bool sticky)
{
    pthread_mutex_lock(&s->lock);
    s->planted = kind;
    s->planted_at = (kind == SEAM_SIM_READ_EIO ? s->reads : s->calls) + nth;
    s->sticky = sticky;
    s->fired = false;
    pthread_mutex_unlock(&s->lock);
}

void seam_io_sim_clear(struct seam_io_sim *s)
{
    seam_io_sim_plant(s, SEAM_SIM_NONE, 0, false);
}
bool seam_io_sim_fired(const struct seam_io_sim *s)
{
    return s->fired;
}
uint64_t seam_io_sim_calls(const struct seam_io_sim *s)
{
    return s->calls;
}
void seam_io_sim_set_capacity(struct seam_io_sim *s, uint64_t bytes)
{
    s->capacity = bytes;
}

void seam_io_sim_reboot(struct seam_io_sim *s)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = seam_sim_power_cut(&s->disk, &s->rng);
    assert(ok); /* only want of memory, which a test cannot go on without */
    s->life++;
    s->power_is_off = false;
    s->planted = SEAM_SIM_NONE;
    pthread_mutex_unlock(&s->lock);
}

void seam_io_sim_kill(struct seam_io_sim *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct seam_sim_node *n = s->disk.nodes; n != NULL; n = n->next) {
        n->lock_exclusive = false;
        memset(n->claims, 0, sizeof n->claims);
        n->lock_shared = 0;
    }
    s->life++;
    pthread_mutex_unlock(&s->lock);
}

bool seam_io_sim_flip(struct seam_io_sim *s, const char *given, uint64_t at, uint8_t mask)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_sim_node *n;
    bool done = false;

    if (normalise(given, path, NULL) != SEAM_OK) return false;
    pthread_mutex_lock(&s->lock);
    n = seam_sim_find(&s->disk, path);
    if (n != NULL && at < n->live.size) {
        n->live.data[at] ^= mask;
        if (at < n->durable.size) n->durable.data[at] ^= mask;
        done = true;
    }
    pthread_mutex_unlock(&s->lock);
    return done;
}
