#include "engine/io/io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZERO_BLOCK = 64 << 10, ZERO_SLICES = 16 };
static const uint8_t zeros[ZERO_BLOCK]; /* what file_fill_zero writes, 1 MiB a call */

/* ---- files ---- */

enum status file_open(struct io *io, const char *path, unsigned flags, struct file **out,
                      struct fault *f)
{
    enum status st;

    *out = NULL;
    if (flags & FILE_WRITE) flags |= FILE_READ;
    assert(flags & FILE_READ);
    assert(!(flags & (FILE_CREATE | FILE_TRUNC)) || (flags & FILE_WRITE));
    st = io->ops->open(io, path, flags, out, f);
    assert((st == ST_OK) == (*out != NULL));
    return st;
}

void file_close(struct file *file)
{
    if (file != NULL) file->io->ops->close(file);
}

const char *file_path(const struct file *file) { return file->path; }

/* Rule 4: after a failed sync nothing more is written through this handle.                        */
static enum status check_poison(struct file *file, struct fault *f)
{
    enum status st = __atomic_load_n(&file->poisoned, __ATOMIC_RELAXED);

    if (likely(st == ST_OK)) return ST_OK;
    return fault_set_os(f, st, file->path, FAULT_NO_OFFSET, file->poison_errno,
                        "an earlier sync of this file failed; reopen and recover");
}

enum status file_read_some(struct file *file, uint64_t at, void *p, size_t n, size_t *got,
                           struct fault *f)
{
    *got = 0;
    return file->io->ops->read_some(file, at, p, n, got, f);
}

enum status file_read(struct file *file, uint64_t at, void *p, size_t n, struct fault *f)
{
    size_t got = 0;
    enum status st = file_read_some(file, at, p, n, &got, f);

    if (st == ST_OK && got < n)
        st = fault_set(f, ST_CORRUPT, file->path, at,
                       "file ends at %" PRIu64 ", inside the %zu bytes wanted", at + got, n);
    return st;
}

enum status file_writev(struct file *file, uint64_t at, const struct io_slice *slices, int count,
                        struct fault *f)
{
    enum status st = check_poison(file, f);

    return st == ST_OK ? file->io->ops->writev(file, at, slices, count, f) : st;
}

enum status file_write(struct file *file, uint64_t at, const void *p, size_t n, struct fault *f)
{
    struct io_slice slice = {p, n};

    return file_writev(file, at, &slice, 1, f);
}

static enum status sync_file(struct file *file, bool data_only, struct fault *f)
{
    struct fault here = {0};
    enum status st = check_poison(file, f);

    if (st != ST_OK) return st;
    st = file->io->ops->sync(file, data_only, &here);
    if (st != ST_OK) {
        file->poison_errno = here.os_errno;
        __atomic_store_n(&file->poisoned, st, __ATOMIC_RELAXED);
        if (f != NULL && f->status == ST_OK) *f = here;
    }
    return st;
}

enum status file_datasync(struct file *file, struct fault *f) { return sync_file(file, true, f); }
enum status file_sync(struct file *file, struct fault *f) { return sync_file(file, false, f); }

enum status file_size(struct file *file, uint64_t *size, struct fault *f)
{
    return file->io->ops->size(file, size, f);
}

enum status file_truncate(struct file *file, uint64_t size, struct fault *f)
{
    enum status st = check_poison(file, f);

    return st == ST_OK ? file->io->ops->truncate(file, size, f) : st;
}

enum status file_fill_zero(struct file *file, uint64_t from, uint64_t n, struct fault *f)
{
    struct io_slice slices[ZERO_SLICES];
    enum status st = ST_OK;

    while (n > 0 && st == ST_OK) {
        uint64_t step = 0;
        int count = 0;

        while (count < ZERO_SLICES && step < n) {
            size_t size = n - step < ZERO_BLOCK ? (size_t)(n - step) : (size_t)ZERO_BLOCK;

            slices[count++] = (struct io_slice){zeros, size};
            step += size;
        }
        st = file_writev(file, from, slices, count, f);
        from += step;
        n -= step;
    }
    return st;
}

void file_write_behind(struct file *file, uint64_t from, uint64_t n)
{
    if (n > 0 && file->io->ops->write_behind != NULL) file->io->ops->write_behind(file, from, n);
}

void file_will_need(struct file *file, uint64_t from, uint64_t n)
{
    if (file->io->ops->will_need != NULL && n > 0) file->io->ops->will_need(file, from, n);
}

enum status file_punch_hole(struct file *file, uint64_t from, uint64_t n)
{
    return n == 0 ? ST_OK : file->io->ops->punch(file, from, n);
}

/* An empty mapping needs an address too; nothing is read from it.                                 */
static const uint8_t empty_mapping[1];

enum status file_map(struct file *file, size_t n, const uint8_t **out, struct fault *f)
{
    uint64_t size = 0;
    enum status st = file_size(file, &size, f);

    *out = NULL;
    if (st != ST_OK) return st;
    if (size < n)
        return fault_set(f, ST_CORRUPT, file->path, size, "file ends before the %zu bytes to map", n);
    if (n == 0) {
        *out = empty_mapping;
        return ST_OK;
    }
    return file->io->ops->map(file, n, out, f);
}

void file_unmap(struct io *io, const uint8_t *p, size_t n)
{
    if (p != NULL && n > 0) io->ops->unmap(io, p, n);
}

enum status io_map_shared(struct io *io, const char *path, size_t n, void **out, struct fault *f)
{
    assert(n > 0);
    *out = NULL;
    return io->ops->map_shared(io, path, n, out, f);
}

void io_unmap_shared(struct io *io, void *p, size_t n)
{
    if (p != NULL) io->ops->unmap_shared(io, p, n);
}

enum status file_lock(struct file *file, bool exclusive, struct fault *f)
{
    return file->io->ops->lock(file, exclusive, f);
}

/* ---- names ---- */

enum status io_rename(struct io *io, const char *from, const char *to, struct fault *f)
{
    return io->ops->rename(io, from, to, f);
}

enum status io_unlink(struct io *io, const char *path, struct fault *f)
{
    return io->ops->unlink(io, path, f);
}

enum status io_rmdir(struct io *io, const char *path, struct fault *f)
{
    return io->ops->rmdir(io, path, f);
}

enum status io_sync_dir(struct io *io, const char *dir, struct fault *f)
{
    return io->ops->sync_dir(io, dir, f);
}

enum status io_link(struct io *io, const char *from, const char *to, struct fault *f)
{
    return io->ops->link(io, from, to, f);
}

bool io_exists(struct io *io, const char *path)
{
    bool is_dir;

    return io->ops->exists(io, path, &is_dir);
}

/* The folder a path is in: "a/b" -> "a", "/a" -> "/", "a" -> ".".                                 */
static enum status parent_of(const char *path, char out[PATH_MAX_BYTES], struct fault *f)
{
    size_t n = strlen(path);

    if (n >= PATH_MAX_BYTES)
        return fault_set(f, ST_LIMIT, path, FAULT_NO_OFFSET, "path over %d bytes",
                         PATH_MAX_BYTES - 1);
    while (n > 1 && path[n - 1] == '/') n--; /* "a/b/" is named "b" */
    while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0) {
        memcpy(out, ".", 2);
    } else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
    return ST_OK;
}

/* Makes one folder and its name durable; a folder that was there is left alone.                   */
static enum status make_one(struct io *io, const char *path, struct fault *f)
{
    char parent[PATH_MAX_BYTES];
    bool is_dir = false;
    enum status st;

    if (io->ops->exists(io, path, &is_dir)) {
        if (is_dir) return ST_OK;
        return fault_set_os(f, ST_IO, path, FAULT_NO_OFFSET, ENOTDIR, "not a folder");
    }
    st = parent_of(path, parent, f);
    if (st == ST_OK) st = io->ops->mkdir(io, path, f);
    if (st == ST_OK) st = io->ops->sync_dir(io, parent, f);
    return st;
}

enum status io_mkdir(struct io *io, const char *path, struct fault *f)
{
    char part[PATH_MAX_BYTES];
    size_t n = strlen(path);
    enum status st = ST_OK;

    if (n == 0 || n >= sizeof part)
        return fault_set(f, ST_LIMIT, path, FAULT_NO_OFFSET, "path of %zu bytes", n);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n && st == ST_OK; i++) {
        if (part[i] != '/') continue;
        part[i] = '\0';
        st = make_one(io, part, f);
        part[i] = '/';
    }
    while (n > 1 && part[n - 1] == '/') part[--n] = '\0';
    return st == ST_OK ? make_one(io, part, f) : st;
}

enum status io_remove_tree(struct io *io, const char *path, struct fault *f)
{
    struct io_list names = {0};
    struct fault here = {0};
    bool is_dir = false;
    enum status st = io->ops->unlink(io, path, &here); /* first, so that links are not followed */

    if (st == ST_OK || st == ST_NOT_FOUND) return ST_OK;
    if (!io->ops->exists(io, path, &is_dir) || !is_dir) {
        if (f != NULL && f->status == ST_OK) *f = here;
        return st;
    }
    st = io_list(io, path, &names, f);
    for (size_t i = 0; i < names.count && st == ST_OK; i++) {
        char child[PATH_MAX_BYTES];

        st = path_join(child, path, names.names[i], f);
        if (st == ST_OK) st = io_remove_tree(io, child, f);
    }
    io_list_free(&names);
    return st == ST_OK ? io_rmdir(io, path, f) : st;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum status io_list(struct io *io, const char *dir, struct io_list *out, struct fault *f)
{
    enum status st;

    *out = (struct io_list){0};
    st = io->ops->list(io, dir, out, f);
    if (st != ST_OK)
        io_list_free(out);
    else if (out->count > 1)
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    return st;
}

void io_list_free(struct io_list *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->names[i]);
    free(l->names);
    *l = (struct io_list){0};
}

/* ---- conveniences ---- */

enum status io_read_all(struct io *io, const char *path, size_t max, struct buf *b, struct fault *f)
{
    struct file *file = NULL;
    uint64_t size = 0;
    size_t got = 0, before = b->size;
    void *p;
    enum status st = file_open(io, path, FILE_READ, &file, f);

    if (st == ST_OK) st = file_size(file, &size, f);
    if (st != ST_OK) goto done;
    if (size > max) {
        st = fault_set(f, ST_LIMIT, path, FAULT_NO_OFFSET, "%" PRIu64 " bytes; at most %zu are read",
                       size, max);
        goto done;
    }
    p = buf_extend(b, (size_t)size);
    if (p == NULL) {
        st = fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for %" PRIu64 " bytes", size);
        goto done;
    }
    st = file_read_some(file, 0, p, (size_t)size, &got, f);
    b->size = before + (st == ST_OK ? got : 0);
done:
    file_close(file);
    return st;
}

enum status io_write_new(struct io *io, const char *path, const void *p, size_t n, bool sync, struct fault *f)
{
    struct file *file = NULL;
    enum status st = file_open(io, path, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &file, f);

    if (st == ST_OK && n > 0) st = file_write(file, 0, p, n, f);
    if (st == ST_OK && sync) st = file_datasync(file, f);
    file_close(file);
    return st;
}

enum status io_write_atomic(struct io *io, const char *path, const void *p, size_t n, struct fault *f)
{
    struct io_slice slice = {p, n};

    return io_writev_atomic(io, path, &slice, n > 0 ? 1 : 0, f);
}

enum status io_writev_atomic(struct io *io, const char *path, const struct io_slice *slices, int count,
                             struct fault *f)
{
    char temporary[PATH_MAX_BYTES + 8], parent[PATH_MAX_BYTES];
    struct file *file = NULL;
    bool made = false;
    enum status st = parent_of(path, parent, f);

    if (st != ST_OK) return st;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    st = file_open(io, temporary, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &file, f);
    if (st != ST_OK) goto done;
    made = true;
    if (count > 0) st = file_writev(file, 0, slices, count, f);
    if (st == ST_OK) st = file_datasync(file, f);
    if (st != ST_OK) goto done;
    file_close(file);
    file = NULL;
    st = io_rename(io, temporary, path, f);
    if (st != ST_OK) goto done;
    made = false;
    st = io_sync_dir(io, parent, f);
done:
    file_close(file);
    /* When this fails too, the leftover is overwritten by the next write of the same path.        */
    if (made && io_unlink(io, temporary, NULL) != ST_OK) made = false;
    return st;
}

enum status path_join(char out[PATH_MAX_BYTES], const char *dir, const char *name, struct fault *f)
{
    size_t n = strlen(dir);
    const char *slash = n > 0 && dir[n - 1] == '/' ? "" : "/";
    int wrote = snprintf(out, PATH_MAX_BYTES, "%s%s%s", dir, slash, name);

    if (wrote < 0 || wrote >= PATH_MAX_BYTES)
        return fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "path over %d bytes",
                         PATH_MAX_BYTES - 1);
    return ST_OK;
}
