#include "engine/io/io_sim.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/io_sim_disk.h"

struct io_sim {
    struct io io; /* first: the pointer stores hold */
    pthread_mutex_t lock;
    struct sim_disk disk;
    struct rng rng;
    uint64_t life;     /* changes at kill and reboot: handles of an earlier life are dead */
    uint64_t calls;    /* injection points passed */
    uint64_t reads;
    uint64_t capacity; /* 0 = endless */
    bool power_is_off;
    enum sim_fault_kind planted;
    uint64_t planted_at;
    bool sticky, fired;
};

struct sim_file {
    struct file file; /* first: the pointer callers hold */
    struct sim_node *node;
    uint64_t life;
    bool writable, dsync;
    enum { UNLOCKED, LOCKED_SHARED, LOCKED_EXCLUSIVE } lock;
};

/* What a call does, as far as faults care. */
enum call { CALL_WRITE, CALL_CREATE, CALL_SYNC, CALL_NAME };

static struct io_sim *sim_of(struct io *io) { return (struct io_sim *)(void *)io; }
static struct sim_file *handle_of(struct file *f) { return (struct sim_file *)(void *)f; }

static enum status fail(struct fault *f, enum status st, const char *path, int os_errno,
                        const char *what)
{
    return fault_set_os(f, st, path, FAULT_NO_OFFSET, os_errno, "%s", what);
}

static enum status no_memory(struct fault *f, const char *path)
{
    return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory in the simulated disk");
}

static enum status check_power(struct io_sim *s, const char *path, struct fault *f)
{
    return s->power_is_off ? fail(f, ST_IO, path, EIO, "the power is off") : ST_OK;
}

static enum status check_alive(struct io_sim *s, const struct sim_file *h, struct fault *f)
{
    if (s->power_is_off) return check_power(s, h->file.path, f);
    if (h->life != s->life)
        return fail(f, ST_IO, h->file.path, EBADF, "this handle died with its process");
    return ST_OK;
}

static bool fault_applies(enum sim_fault_kind kind, enum call call)
{
    switch (kind) {
    case SIM_NONE: return false;
    case SIM_POWER_CUT:
    case SIM_EIO: return true;
    case SIM_ENOSPC: return call == CALL_WRITE || call == CALL_CREATE;
    case SIM_SHORT_WRITE: return call == CALL_WRITE;
    case SIM_SYNC_FAIL: return call == CALL_SYNC;
    case SIM_READ_EIO: return false; /* counted apart, in pass_read */
    }
    return false;
}

/* Passes one injection point: SIM_NONE, or the fault this call must show.                         */
static enum sim_fault_kind pass_point(struct io_sim *s, enum call call)
{
    enum sim_fault_kind kind = s->planted;

    s->calls++;
    if (kind == SIM_NONE || s->calls < s->planted_at || !fault_applies(kind, call)) return SIM_NONE;
    if (s->fired && !s->sticky) return SIM_NONE;
    s->fired = true;
    if (kind == SIM_POWER_CUT) s->power_is_off = true;
    return kind;
}

static enum status pass_read(struct io_sim *s, const char *path, struct fault *f)
{
    s->reads++;
    if (s->planted != SIM_READ_EIO || s->reads < s->planted_at || (s->fired && !s->sticky))
        return ST_OK;
    s->fired = true;
    return fail(f, ST_IO, path, EIO, "simulated failing read");
}

static enum status point(struct io_sim *s, enum call call, const char *path, struct fault *f)
{
    switch (pass_point(s, call)) {
    case SIM_NONE: return ST_OK;
    case SIM_POWER_CUT: return fail(f, ST_IO, path, EIO, "the power went off");
    case SIM_ENOSPC: return fail(f, ST_IO, path, ENOSPC, "simulated fault");
    default: return fail(f, ST_IO, path, EIO, "simulated fault");
    }
}

/* "a//b/" and "./a/b" name what "a/b" names.                                                      */
static enum status normalise(const char *path, char out[PATH_MAX_BYTES], struct fault *f)
{
    size_t n = 0;

    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (*path == '/') path++;
    }
    for (; *path != '\0'; path++) {
        if (*path == '/' && n > 0 && out[n - 1] == '/') continue;
        if (n + 1 >= PATH_MAX_BYTES)
            return fault_set(f, ST_LIMIT, path, FAULT_NO_OFFSET, "path over %d bytes",
                             PATH_MAX_BYTES - 1);
        out[n++] = *path;
    }
    while (n > 1 && out[n - 1] == '/') n--;
    out[n] = '\0';
    if (n == 0) memcpy(out, ".", 2);
    return ST_OK;
}

static enum status check_parent(struct io_sim *s, const char *path, struct fault *f)
{
    char parent[PATH_MAX_BYTES];

    sim_parent(path, parent, sizeof parent);
    if (sim_dir_exists(&s->disk, parent)) return ST_OK;
    return fail(f, ST_NOT_FOUND, path, ENOENT, "its folder does not exist");
}

/* ---- files ---- */

static enum status open_node(struct io_sim *s, const char *path, unsigned flags,
                             struct sim_node **out, struct fault *f)
{
    struct sim_node *n = sim_find(&s->disk, path);
    enum status st;

    if (n == NULL && sim_dir_exists(&s->disk, path))
        return fail(f, ST_IO, path, EISDIR, "cannot open");
    if (n != NULL && n->is_dir) return fail(f, ST_IO, path, EISDIR, "cannot open");
    if (n != NULL && (flags & FILE_CREATE) && (flags & FILE_EXCL))
        return fail(f, ST_EXISTS, path, EEXIST, "cannot open");
    if (n == NULL && !(flags & FILE_CREATE))
        return fail(f, ST_NOT_FOUND, path, ENOENT, "cannot open");
    if (n == NULL) {
        st = check_parent(s, path, f);
        if (st == ST_OK) st = point(s, CALL_CREATE, path, f);
        if (st != ST_OK) return st;
        if (!sim_add_new(&s->disk, path, false, &n)) return no_memory(f, path);
    } else if ((flags & FILE_TRUNC) && n->live.size > 0) {
        st = point(s, CALL_WRITE, path, f);
        if (st != ST_OK) return st;
        if (!sim_change_truncate(n, 0)) return no_memory(f, path);
    }
    *out = n;
    return ST_OK;
}

static enum status sim_open(struct io *io, const char *given, unsigned flags, struct file **out,
                            struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    struct sim_node *n = NULL;
    struct sim_file *h = NULL;
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == ST_OK) st = open_node(s, path, flags, &n, f);
    if (st != ST_OK) goto done;
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
    h->writable = (flags & FILE_WRITE) != 0;
    h->dsync = (flags & FILE_DSYNC) != 0;
    n->refs++;
    *out = &h->file;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void unlock_handle(struct io_sim *s, struct sim_file *h)
{
    if (h->life == s->life) { /* a dead handle's locks went with its life */
        if (h->lock == LOCKED_EXCLUSIVE) h->node->lock_exclusive = false;
        if (h->lock == LOCKED_SHARED) h->node->lock_shared--;
    }
    h->lock = UNLOCKED;
}

static void sim_close(struct file *file)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);

    pthread_mutex_lock(&s->lock);
    unlock_handle(s, h);
    sim_node_unref(&s->disk, h->node);
    pthread_mutex_unlock(&s->lock);
    free(h->file.path);
    free(h);
}

static enum status sim_read_some(struct file *file, uint64_t at, void *p, size_t n, size_t *got,
                                 struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    const struct buf *b = &h->node->live;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == ST_OK) st = pass_read(s, file->path, f);
    if (st == ST_OK && at < b->size) {
        *got = b->size - at < n ? (size_t)(b->size - at) : n;
        if (*got > 0) memcpy(p, b->data + at, *got);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* The first `total` bytes of the slices, each slice one write of its own.                         */
static enum status write_slices(struct io_sim *s, struct sim_file *h, uint64_t at,
                                const struct io_slice *slices, int count, uint64_t total,
                                struct fault *f)
{
    struct sim_node *n = h->node;
    uint64_t end = at + total;

    if (s->capacity != 0 && end > n->live.size &&
        sim_used(&s->disk) + (end - n->live.size) > s->capacity)
        return fail(f, ST_IO, h->file.path, ENOSPC, "cannot write");
    for (int i = 0; i < count && total > 0; i++) {
        uint64_t size = slices[i].size < total ? slices[i].size : total;

        if (!sim_change_write(n, at, slices[i].data, size)) return no_memory(f, h->file.path);
        at += size;
        total -= size;
    }
    return ST_OK;
}

static enum status sim_writev(struct file *file, uint64_t at, const struct io_slice *slices,
                              int count, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    uint64_t total = 0;
    enum status st;

    for (int i = 0; i < count; i++) total += slices[i].size;
    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == ST_OK && !h->writable) st = fail(f, ST_IO, file->path, EBADF, "opened for reading");
    if (st != ST_OK) goto done;
    switch (pass_point(s, CALL_WRITE)) {
    case SIM_NONE: break;
    case SIM_POWER_CUT: st = fail(f, ST_IO, file->path, EIO, "the power went off"); goto done;
    case SIM_ENOSPC: st = fail(f, ST_IO, file->path, ENOSPC, "simulated fault"); goto done;
    case SIM_SHORT_WRITE:
        st = write_slices(s, h, at, slices, count, total / 2, f);
        if (st == ST_OK) st = fail(f, ST_IO, file->path, EIO, "simulated short write");
        goto done;
    default: st = fail(f, ST_IO, file->path, EIO, "simulated fault"); goto done;
    }
    st = write_slices(s, h, at, slices, count, total, f);
    if (st == ST_OK && h->dsync && !sim_sync_node(h->node, NULL)) st = no_memory(f, file->path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_sync(struct file *file, bool data_only, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    enum status st;

    (void)data_only; /* the size is data here, as it is for fdatasync */
    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st != ST_OK) goto done;
    switch (pass_point(s, CALL_SYNC)) {
    case SIM_NONE:
        if (!sim_sync_node(h->node, NULL)) st = no_memory(f, file->path);
        break;
    case SIM_POWER_CUT: st = fail(f, ST_IO, file->path, EIO, "the power went off"); break;
    case SIM_SYNC_FAIL:
        /* Readers go on seeing what may never reach the disk, and no later sync will bring it.    */
        if (!sim_sync_node(h->node, &s->rng)) st = no_memory(f, file->path);
        else st = fail(f, ST_IO, file->path, EIO, "simulated failing sync");
        break;
    default: st = fail(f, ST_IO, file->path, EIO, "simulated fault"); break;
    }
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_size(struct file *file, uint64_t *size, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == ST_OK) *size = h->node->live.size;
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_truncate(struct file *file, uint64_t size, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == ST_OK && !h->writable) st = fail(f, ST_IO, file->path, EBADF, "opened for reading");
    if (st == ST_OK) st = point(s, CALL_WRITE, file->path, f);
    if (st == ST_OK && !sim_change_truncate(h->node, size)) st = no_memory(f, file->path);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_punch(struct file *file, uint64_t from, uint64_t n)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, NULL);
    if (st == ST_OK) st = point(s, CALL_NAME, file->path, NULL);
    if (st == ST_OK && from < h->node->live.size) {
        if (n > h->node->live.size - from) n = h->node->live.size - from;
        if (!sim_change_write(h->node, from, NULL, n)) st = ST_NOMEM;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_map(struct file *file, size_t n, const uint8_t **out, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    enum status st;
    uint8_t *copy = NULL;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st == ST_OK && n > h->node->live.size)
        st = fail(f, ST_CORRUPT, file->path, 0, "file ends before the bytes to map");
    if (st == ST_OK) st = pass_read(s, file->path, f);
    if (st == ST_OK && (copy = malloc(n)) == NULL) st = no_memory(f, file->path);
    if (st == ST_OK) memcpy(copy, h->node->live.data, n);
    pthread_mutex_unlock(&s->lock);
    *out = copy;
    return st;
}

static void sim_unmap(struct io *io, const uint8_t *p, size_t n)
{
    (void)io, (void)n;
    free((void *)(uintptr_t)p);
}

static enum status sim_map_shared(struct io *io, const char *given, size_t n, void **out,
                                  struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    struct sim_node *node = NULL;
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == ST_OK) st = open_node(s, path, FILE_READ | FILE_WRITE | FILE_CREATE, &node, f);
    if (st == ST_OK && node->live.size < n && !sim_change_truncate(node, n))
        st = no_memory(f, path);
    if (st != ST_OK) goto done;
    if (node->shared != NULL && node->shared->size < n) {
        st = fault_set(f, ST_INVALID, path, FAULT_NO_OFFSET, "shared with %zu bytes already",
                       node->shared->size);
        goto done;
    }
    if (node->shared == NULL) {
        node->shared = calloc(1, sizeof *node->shared + n);
        if (node->shared == NULL) {
            st = no_memory(f, path);
            goto done;
        }
        node->shared->size = n;
    }
    node->shared->maps++;
    *out = node->shared + 1;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void sim_unmap_shared(struct io *io, void *p, size_t n)
{
    struct io_sim *s = sim_of(io);
    struct sim_shared *shared = (struct sim_shared *)p - 1;

    (void)n;
    pthread_mutex_lock(&s->lock);
    assert(shared->maps > 0);
    if (--shared->maps == 0 && shared->orphan) free(shared);
    pthread_mutex_unlock(&s->lock);
}

static enum status sim_lock(struct file *file, bool exclusive, struct fault *f)
{
    struct sim_file *h = handle_of(file);
    struct io_sim *s = sim_of(file->io);
    struct sim_node *n = h->node;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = check_alive(s, h, f);
    if (st != ST_OK) goto done;
    if ((n->lock_exclusive && h->lock != LOCKED_EXCLUSIVE) ||
        (exclusive && n->lock_shared > (h->lock == LOCKED_SHARED ? 1u : 0u))) {
        st = fault_set(f, ST_CONFLICT, file->path, FAULT_NO_OFFSET,
                       "locked by another process of the simulated world");
        goto done;
    }
    unlock_handle(s, h);
    h->lock = exclusive ? LOCKED_EXCLUSIVE : LOCKED_SHARED;
    if (exclusive) n->lock_exclusive = true;
    else n->lock_shared++;
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- names ---- */

static enum status rename_locked(struct io_sim *s, const char *from, const char *to,
                                 struct fault *f)
{
    struct sim_node *n = sim_find(&s->disk, from), *target = sim_find(&s->disk, to);
    enum status st;

    if (n == NULL) return fail(f, ST_NOT_FOUND, from, ENOENT, "cannot rename");
    st = check_parent(s, to, f);
    if (st != ST_OK || n == target) return st;
    if (target != NULL && target->is_dir != n->is_dir)
        return fail(f, ST_IO, to, target->is_dir ? EISDIR : ENOTDIR, "cannot rename");
    if (target != NULL && target->is_dir && !sim_dir_empty(&s->disk, to))
        return fail(f, ST_IO, to, ENOTEMPTY, "cannot rename");
    st = point(s, CALL_NAME, from, f);
    if (st == ST_OK && !sim_move(&s->disk, from, to)) st = no_memory(f, to);
    return st;
}

static enum status sim_rename(struct io *io, const char *given_from, const char *given_to,
                              struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];
    enum status st = normalise(given_from, from, f);

    if (st == ST_OK) st = normalise(given_to, to, f);
    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, from, f);
    if (st == ST_OK) st = rename_locked(s, from, to, f);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* unlink and rmdir: they differ in what they take.                                                */
static enum status remove_name(struct io *io, const char *given, bool dir, struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    struct sim_node *n = NULL;
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st != ST_OK) goto done;
    n = sim_find(&s->disk, path);
    if (n == NULL) st = fail(f, ST_NOT_FOUND, path, ENOENT, "cannot remove");
    else if (!dir && n->is_dir) st = fail(f, ST_IO, path, EISDIR, "cannot remove");
    else if (dir && !n->is_dir) st = fail(f, ST_IO, path, ENOTDIR, "cannot remove");
    else if (dir && !sim_dir_empty(&s->disk, path))
        st = fail(f, ST_IO, path, ENOTEMPTY, "cannot remove");
    else st = point(s, CALL_NAME, path, f);
    if (st == ST_OK && !sim_remove(&s->disk, path)) st = no_memory(f, path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_unlink(struct io *io, const char *path, struct fault *f)
{
    return remove_name(io, path, false, f);
}

static enum status sim_rmdir(struct io *io, const char *path, struct fault *f)
{
    return remove_name(io, path, true, f);
}

static enum status sim_mkdir(struct io *io, const char *given, struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st != ST_OK || sim_dir_exists(&s->disk, path)) goto done;
    if (sim_find(&s->disk, path) != NULL) st = fail(f, ST_EXISTS, path, EEXIST, "cannot make");
    if (st == ST_OK) st = check_parent(s, path, f);
    if (st == ST_OK) st = point(s, CALL_CREATE, path, f);
    if (st == ST_OK && !sim_add_new(&s->disk, path, true, NULL)) st = no_memory(f, path);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_link(struct io *io, const char *given_from, const char *given_to,
                            struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];
    struct sim_node *n;
    enum status st = normalise(given_from, from, f);

    if (st == ST_OK) st = normalise(given_to, to, f);
    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, from, f);
    if (st != ST_OK) goto done;
    n = sim_find(&s->disk, from);
    if (n == NULL) st = fail(f, ST_NOT_FOUND, from, ENOENT, "cannot link");
    else if (n->is_dir) st = fail(f, ST_IO, from, EPERM, "cannot link a folder");
    else if (sim_find(&s->disk, to) != NULL) st = fail(f, ST_EXISTS, to, EEXIST, "cannot link");
    if (st == ST_OK) st = check_parent(s, to, f);
    if (st == ST_OK) st = point(s, CALL_CREATE, to, f);
    if (st == ST_OK && !sim_add(&s->disk, to, n)) st = no_memory(f, to);
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status sim_sync_dir(struct io *io, const char *given, struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == ST_OK && !sim_dir_exists(&s->disk, path))
        st = fail(f, ST_NOT_FOUND, path, ENOENT, "cannot sync the folder");
    if (st != ST_OK) goto done;
    switch (pass_point(s, CALL_SYNC)) {
    case SIM_NONE:
        if (!sim_sync_names(&s->disk, path, NULL)) st = no_memory(f, path);
        break;
    case SIM_POWER_CUT: st = fail(f, ST_IO, path, EIO, "the power went off"); break;
    case SIM_SYNC_FAIL:
        if (!sim_sync_names(&s->disk, path, &s->rng)) st = no_memory(f, path);
        else st = fail(f, ST_IO, path, EIO, "simulated failing sync");
        break;
    default: st = fail(f, ST_IO, path, EIO, "simulated fault"); break;
    }
done:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static bool sim_exists(struct io *io, const char *given, bool *is_dir)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    bool there;

    if (normalise(given, path, NULL) != ST_OK) return false;
    pthread_mutex_lock(&s->lock);
    *is_dir = sim_dir_exists(&s->disk, path);
    there = !s->power_is_off && (*is_dir || sim_find(&s->disk, path) != NULL);
    pthread_mutex_unlock(&s->lock);
    return there;
}

static enum status list_locked(struct io_sim *s, const char *path, struct io_list *out,
                               struct fault *f)
{
    if (!sim_dir_exists(&s->disk, path))
        return fail(f, ST_NOT_FOUND, path, ENOENT, "cannot list");
    out->names = calloc(s->disk.live.count + 1, sizeof *out->names);
    if (out->names == NULL) return no_memory(f, path);
    for (size_t i = 0; i < s->disk.live.count; i++) {
        char parent[PATH_MAX_BYTES];
        const char *child = s->disk.live.list[i].path, *slash = strrchr(child, '/');

        sim_parent(child, parent, sizeof parent);
        if (strcmp(parent, path) != 0) continue;
        out->names[out->count] = strdup(slash != NULL ? slash + 1 : child);
        if (out->names[out->count] == NULL) return no_memory(f, path);
        out->count++;
    }
    return ST_OK;
}

static enum status sim_list(struct io *io, const char *given, struct io_list *out, struct fault *f)
{
    struct io_sim *s = sim_of(io);
    char path[PATH_MAX_BYTES];
    enum status st = normalise(given, path, f);

    if (st != ST_OK) return st;
    pthread_mutex_lock(&s->lock);
    st = check_power(s, path, f);
    if (st == ST_OK) st = pass_read(s, path, f);
    if (st == ST_OK) st = list_locked(s, path, out, f);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static const struct io_ops sim_ops = {
    .open = sim_open, .close = sim_close, .read_some = sim_read_some, .writev = sim_writev,
    .sync = sim_sync, .size = sim_size, .truncate = sim_truncate, .punch = sim_punch,
    .map = sim_map, .unmap = sim_unmap, .map_shared = sim_map_shared,
    .unmap_shared = sim_unmap_shared, .lock = sim_lock, .rename = sim_rename,
    .unlink = sim_unlink, .mkdir = sim_mkdir, .rmdir = sim_rmdir, .link = sim_link,
    .sync_dir = sim_sync_dir, .exists = sim_exists, .list = sim_list,
};

/* ---- the test's side ---- */

struct io_sim *io_sim_new(uint64_t seed)
{
    struct io_sim *s = calloc(1, sizeof *s);

    if (s == NULL) return NULL;
    s->io.ops = &sim_ops;
    s->life = 1;
    rng_seed(&s->rng, seed);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void io_sim_free(struct io_sim *s)
{
    if (s == NULL) return;
    sim_disk_free(&s->disk);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct io *io_sim_io(struct io_sim *s) { return &s->io; }

void io_sim_plant(struct io_sim *s, enum sim_fault_kind kind, uint64_t nth, bool sticky)
{
    pthread_mutex_lock(&s->lock);
    s->planted = kind;
    s->planted_at = (kind == SIM_READ_EIO ? s->reads : s->calls) + nth;
    s->sticky = sticky;
    s->fired = false;
    pthread_mutex_unlock(&s->lock);
}

void io_sim_clear(struct io_sim *s) { io_sim_plant(s, SIM_NONE, 0, false); }
bool io_sim_fired(const struct io_sim *s) { return s->fired; }
uint64_t io_sim_calls(const struct io_sim *s) { return s->calls; }
void io_sim_set_capacity(struct io_sim *s, uint64_t bytes) { s->capacity = bytes; }

void io_sim_reboot(struct io_sim *s)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = sim_power_cut(&s->disk, &s->rng);
    assert(ok); /* only want of memory, which a test cannot go on without */
    s->life++;
    s->power_is_off = false;
    s->planted = SIM_NONE;
    pthread_mutex_unlock(&s->lock);
}

void io_sim_kill(struct io_sim *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct sim_node *n = s->disk.nodes; n != NULL; n = n->next) {
        n->lock_exclusive = false;
        n->lock_shared = 0;
    }
    s->life++;
    pthread_mutex_unlock(&s->lock);
}

bool io_sim_flip(struct io_sim *s, const char *given, uint64_t at, uint8_t mask)
{
    char path[PATH_MAX_BYTES];
    struct sim_node *n;
    bool done = false;

    if (normalise(given, path, NULL) != ST_OK) return false;
    pthread_mutex_lock(&s->lock);
    n = sim_find(&s->disk, path);
    if (n != NULL && at < n->live.size) {
        n->live.data[at] ^= mask;
        if (at < n->durable.size) n->durable.data[at] ^= mask;
        done = true;
    }
    pthread_mutex_unlock(&s->lock);
    return done;
}
