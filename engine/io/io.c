/* io - what both disks share: paths, whole files, lists, and writing beside and renaming. */
#include "engine/io/io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZERO_BLOCK = 64 << 10, ZERO_SLICES = 16 };
static const uint8_t zeros[ZERO_BLOCK]; /* what seam_file_fill_zero writes, 1 MiB a call */

/* ---- files ---- */

enum seam_status seam_file_open(struct seam_io *io, const char *path, unsigned flags,
                                struct seam_file **out, struct seam_fault *f)
{
    enum seam_status st;

    *out = NULL;
    if (flags & SEAM_FILE_WRITE) flags |= SEAM_FILE_READ;
    assert(flags & SEAM_FILE_READ);
    assert(!(flags & (SEAM_FILE_CREATE | SEAM_FILE_TRUNC)) || (flags & SEAM_FILE_WRITE));
    st = io->ops->open(io, path, flags, out, f);
    assert((st == SEAM_OK) == (*out != NULL));
    return st;
}

void seam_file_close(struct seam_file *file)
{
    if (file != NULL) file->io->ops->close(file);
}

const char *seam_file_path(const struct seam_file *file)
{
    return file->path;
}

/* The folder a path is in: "a/b" -> "a", "/a" -> "/", "a" -> ".".                                 */
static enum seam_status parent_of(const char *path, char out[SEAM_PATH_MAX_BYTES],
                                  struct seam_fault *f)
{
    size_t n = strlen(path);

    if (n >= SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                              SEAM_PATH_MAX_BYTES - 1);
    while (n > 1 && path[n - 1] == '/') n--; /* "a/b/" is named "b" */
    while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0) {
        memcpy(out, ".", 2);
    } else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
    return SEAM_OK;
}

/* Rule 4: after a failed sync nothing more is written through this handle.                        */
static enum seam_status check_poison(struct seam_file *file, struct seam_fault *f)
{
    enum seam_status st = __atomic_load_n(&file->poisoned, __ATOMIC_RELAXED);

    if (seam_likely(st == SEAM_OK)) return SEAM_OK;
    return seam_fault_set_os(f, st, file->path, SEAM_FAULT_NO_OFFSET, file->poison_errno,
                             "an earlier sync of this file failed; reopen and recover");
}

enum seam_status seam_file_read_some(struct seam_file *file, uint64_t at, void *p, size_t n,
                                     size_t *got, struct seam_fault *f)
{
    *got = 0;
    return file->io->ops->read_some(file, at, p, n, got, f);
}

enum seam_status seam_file_read(struct seam_file *file, uint64_t at, void *p, size_t n,
                                struct seam_fault *f)
{
    size_t got = 0;
    enum seam_status st = seam_file_read_some(file, at, p, n, &got, f);

    if (st == SEAM_OK && got < n)
        st = seam_fault_set(f, SEAM_CORRUPT, file->path, at,
                            "file ends at %" PRIu64 ", inside the %zu bytes wanted", at + got, n);
    return st;
}

enum seam_status seam_file_writev(struct seam_file *file, uint64_t at,
                                  const struct seam_io_slice *slices, int count,
                                  struct seam_fault *f)
{
    enum seam_status st = check_poison(file, f);

    return st == SEAM_OK ? file->io->ops->writev(file, at, slices, count, f) : st;
}

enum seam_status seam_file_write(struct seam_file *file, uint64_t at, const void *p, size_t n,
                                 struct seam_fault *f)
{
    struct seam_io_slice slice = {p, n};

    return seam_file_writev(file, at, &slice, 1, f);
}

static void mark_unsynced(struct seam_io *io, const char *dir, const char *name)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    struct seam_io_slice line[2] = {{name, strlen(name)}, {"\n", 1}};
    uint64_t size;

    /* What the next writer mends (engine/io/mend.c). Best effort: the sync's own failure is what the caller hears of. */
    if (seam_path_join(path, dir, SEAM_UNSYNCED_NAME, NULL) != SEAM_OK) return;
    if (seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &file, NULL) != SEAM_OK)
        return;
    if (seam_file_size(file, &size, NULL) == SEAM_OK && size < SEAM_UNSYNCED_MAX)
        (void)!seam_file_writev(file, size, line, 2, NULL);
    seam_file_close(file);
}

static void mark_file(struct seam_file *file)
{
    const char *slash = strrchr(file->path, '/');
    char dir[SEAM_PATH_MAX_BYTES];

    if (parent_of(file->path, dir, NULL) != SEAM_OK) return;
    mark_unsynced(file->io, dir, slash != NULL ? slash + 1 : file->path);
}

static enum seam_status sync_file(struct seam_file *file, bool data_only, struct seam_fault *f)
{
    struct seam_fault here = {0};
    enum seam_status st = check_poison(file, f);

    if (st != SEAM_OK) return st;
    st = file->io->ops->sync(file, data_only, &here);
    if (st != SEAM_OK) {
        file->poison_errno = here.os_errno;
        __atomic_store_n(&file->poisoned, st, __ATOMIC_RELAXED);
        mark_file(file);
        seam_fault_give(f, &here);
    }
    return st;
}

enum seam_status seam_file_datasync(struct seam_file *file, struct seam_fault *f)
{
    return sync_file(file, true, f);
}
enum seam_status seam_file_sync(struct seam_file *file, struct seam_fault *f)
{
    return sync_file(file, false, f);
}

enum seam_status seam_file_size(struct seam_file *file, uint64_t *size, struct seam_fault *f)
{
    return file->io->ops->size(file, size, f);
}

enum seam_status seam_file_truncate(struct seam_file *file, uint64_t size, struct seam_fault *f)
{
    enum seam_status st = check_poison(file, f);

    return st == SEAM_OK ? file->io->ops->truncate(file, size, f) : st;
}

enum seam_status seam_file_fill_zero(struct seam_file *file, uint64_t from, uint64_t n,
                                     struct seam_fault *f)
{
    struct seam_io_slice slices[ZERO_SLICES];
    enum seam_status st = SEAM_OK;

    while (n > 0 && st == SEAM_OK) {
        uint64_t step = 0;
        int count = 0;

        while (count < ZERO_SLICES && step < n) {
            size_t size = n - step < ZERO_BLOCK ? (size_t)(n - step) : (size_t)ZERO_BLOCK;

            slices[count++] = (struct seam_io_slice){zeros, size};
            step += size;
        }
        st = seam_file_writev(file, from, slices, count, f);
        from += step;
        n -= step;
    }
    return st;
}

void seam_file_write_behind(struct seam_file *file, uint64_t from, uint64_t n)
{
    if (n > 0 && file->io->ops->write_behind != NULL) file->io->ops->write_behind(file, from, n);
}

void seam_file_will_need(struct seam_file *file, uint64_t from, uint64_t n)
{
    if (file->io->ops->will_need != NULL && n > 0) file->io->ops->will_need(file, from, n);
}

enum seam_status seam_file_punch_hole(struct seam_file *file, uint64_t from, uint64_t n)
{
    return n == 0 ? SEAM_OK : file->io->ops->punch(file, from, n);
}

/* An empty mapping needs an address too; nothing is read from it.                                 */
static const uint8_t empty_mapping[1];

enum seam_status seam_file_map(struct seam_file *file, size_t n, const uint8_t **out,
                               struct seam_fault *f)
{
    uint64_t size = 0;
    enum seam_status st = seam_file_size(file, &size, f);

    *out = NULL;
    if (st != SEAM_OK) return st;
    if (size < n)
        return seam_fault_set(f, SEAM_CORRUPT, file->path, size,
                              "file ends before the %zu bytes to map", n);
    if (n == 0) {
        *out = empty_mapping;
        return SEAM_OK;
    }
    return file->io->ops->map(file, n, out, f);
}

void seam_file_unmap(struct seam_io *io, const uint8_t *p, size_t n)
{
    if (p != NULL && n > 0) io->ops->unmap(io, p, n);
}

enum seam_status seam_io_map_shared(struct seam_io *io, const char *path, size_t n,
                                    enum seam_map_mode mode, void **out, struct seam_fault *f)
{
    assert(n > 0);
    *out = NULL;
    return io->ops->map_shared(io, path, n, mode, out, f);
}

void seam_io_unmap_shared(struct seam_io *io, void *p, size_t n)
{
    if (p != NULL) io->ops->unmap_shared(io, p, n);
}

enum seam_status seam_file_lock(struct seam_file *file, bool exclusive, struct seam_fault *f)
{
    return file->io->ops->lock(file, exclusive, f);
}

bool seam_io_locked(struct seam_io *io, const char *path)
{
    return io->ops->locked(io, path);
}

enum seam_status seam_file_claim(struct seam_file *file, unsigned place, struct seam_fault *f)
{
    assert(place < SEAM_CLAIMS_MAX);
    return file->io->ops->claim(file, place, true, f);
}

void seam_file_unclaim(struct seam_file *file, unsigned place)
{
    assert(place < SEAM_CLAIMS_MAX);
    (void)file->io->ops->claim(file, place, false, NULL);
}

bool seam_file_claimed(struct seam_file *file, unsigned place)
{
    assert(place < SEAM_CLAIMS_MAX);
    return file->io->ops->claimed(file, place);
}

/* ---- names ---- */

enum seam_status seam_io_rename(struct seam_io *io, const char *from, const char *to,
                                struct seam_fault *f)
{
    return io->ops->rename(io, from, to, f);
}

enum seam_status seam_io_unlink(struct seam_io *io, const char *path, struct seam_fault *f)
{
    return io->ops->unlink(io, path, f);
}

enum seam_status seam_io_rmdir(struct seam_io *io, const char *path, struct seam_fault *f)
{
    return io->ops->rmdir(io, path, f);
}

enum seam_status seam_io_sync_dir(struct seam_io *io, const char *dir, struct seam_fault *f)
{
    enum seam_status st = io->ops->sync_dir(io, dir, f);

    if (st == SEAM_IO) mark_unsynced(io, dir, ".");
    return st;
}

enum seam_status seam_io_link(struct seam_io *io, const char *from, const char *to,
                              struct seam_fault *f)
{
    return io->ops->link(io, from, to, f);
}

bool seam_io_exists(struct seam_io *io, const char *path)
{
    bool is_dir;

    return io->ops->exists(io, path, &is_dir);
}

/* Makes one folder and its name durable; a folder that was there is left alone.                   */
static enum seam_status make_one(struct seam_io *io, const char *path, struct seam_fault *f)
{
    char parent[SEAM_PATH_MAX_BYTES];
    bool is_dir = false;
    enum seam_status st;

    if (io->ops->exists(io, path, &is_dir)) {
        if (is_dir) return SEAM_OK;
        return seam_fault_set_os(f, SEAM_IO, path, SEAM_FAULT_NO_OFFSET, ENOTDIR, "not a folder");
    }
    st = parent_of(path, parent, f);
    if (st == SEAM_OK) st = io->ops->mkdir(io, path, f);
    if (st != SEAM_OK) return st;
    st = io->ops->sync_dir(io, parent, f);
    /* Not left behind: the next call would take a name that no sync will bring any more for one that is there. */
    if (st != SEAM_OK) (void)io->ops->rmdir(io, path, NULL);
    return st;
}

enum seam_status seam_io_mkdir(struct seam_io *io, const char *path, struct seam_fault *f)
{
    char part[SEAM_PATH_MAX_BYTES];
    size_t n = strlen(path);
    enum seam_status st = SEAM_OK;

    if (n == 0 || n >= sizeof part)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "path of %zu bytes", n);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n && st == SEAM_OK; i++) {
        if (part[i] != '/') continue;
        part[i] = '\0';
        st = make_one(io, part, f);
        part[i] = '/';
    }
    while (n > 1 && part[n - 1] == '/') part[--n] = '\0';
    return st == SEAM_OK ? make_one(io, part, f) : st;
}

enum seam_status seam_io_remove_tree(struct seam_io *io, const char *path, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    struct seam_fault here = {0};
    bool is_dir = false;
    enum seam_status st =
        io->ops->unlink(io, path, &here); /* first, so that links are not followed */

    if (st == SEAM_OK || st == SEAM_NOT_FOUND) return SEAM_OK;
    if (!io->ops->exists(io, path, &is_dir) || !is_dir) {
        seam_fault_give(f, &here);
        return st;
    }
    st = seam_io_list(io, path, &names, f);
    for (size_t i = 0; i < names.count && st == SEAM_OK; i++) {
        char child[SEAM_PATH_MAX_BYTES];

        st = seam_path_join(child, path, names.names[i], f);
        if (st == SEAM_OK) st = seam_io_remove_tree(io, child, f);
    }
    seam_io_list_free(&names);
    return st == SEAM_OK ? seam_io_rmdir(io, path, f) : st;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum seam_status seam_io_list(struct seam_io *io, const char *dir, struct seam_io_list *out,
                              struct seam_fault *f)
{
    enum seam_status st;

    *out = (struct seam_io_list){0};
    st = io->ops->list(io, dir, out, f);
    if (st != SEAM_OK)
        seam_io_list_free(out);
    else if (out->count > 1)
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    return st;
}

void seam_io_list_free(struct seam_io_list *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->names[i]);
    free(l->names);
    *l = (struct seam_io_list){0};
}

/* ---- conveniences ---- */

enum seam_status seam_io_read_all(struct seam_io *io, const char *path, size_t max,
                                  struct seam_buf *b, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    uint64_t size = 0;
    size_t got = 0, before = b->size;
    void *p;
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);

    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st != SEAM_OK) goto done;
    if (size > max) {
        st = seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET,
                            "%" PRIu64 " bytes; at most %zu are read", size, max);
        goto done;
    }
    p = seam_buf_extend(b, (size_t)size);
    if (p == NULL) {
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                            "no memory for %" PRIu64 " bytes", size);
        goto done;
    }
    st = seam_file_read_some(file, 0, p, (size_t)size, &got, f);
    b->size = before + (st == SEAM_OK ? got : 0);
done:
    seam_file_close(file);
    return st;
}

enum seam_status seam_io_write_new(struct seam_io *io, const char *path, const void *p, size_t n,
                                   bool sync, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    enum seam_status st =
        seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &file, f);

    if (st == SEAM_OK && n > 0) st = seam_file_write(file, 0, p, n, f);
    if (st == SEAM_OK && sync) st = seam_file_datasync(file, f);
    seam_file_close(file);
    return st;
}

enum seam_status seam_io_write_atomic(struct seam_io *io, const char *path, const void *p, size_t n,
                                      struct seam_fault *f)
{
    struct seam_io_slice slice = {p, n};

    return seam_io_writev_atomic(io, path, &slice, n > 0 ? 1 : 0, f);
}

enum seam_status seam_io_writev_atomic(struct seam_io *io, const char *path,
                                       const struct seam_io_slice *slices, int count,
                                       struct seam_fault *f)
{
    char temporary[SEAM_PATH_MAX_BYTES + 8], parent[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    bool made = false;
    enum seam_status st = parent_of(path, parent, f);

    if (st != SEAM_OK) return st;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    st = seam_file_open(io, temporary, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &file,
                        f);
    if (st != SEAM_OK) goto done;
    made = true;
    if (count > 0) st = seam_file_writev(file, 0, slices, count, f);
    if (st == SEAM_OK) st = seam_file_datasync(file, f);
    if (st != SEAM_OK) goto done;
    seam_file_close(file);
    file = NULL;
    st = seam_io_rename(io, temporary, path, f);
    if (st != SEAM_OK) goto done;
    made = false;
    st = seam_io_sync_dir(io, parent, f);
done:
    seam_file_close(file);
    /* When this fails too, the leftover is overwritten by the next write of the same path.        */
    if (made) (void)!seam_io_unlink_if_there(io, temporary, NULL);
    return st;
}

enum seam_status seam_path_join(char out[SEAM_PATH_MAX_BYTES], const char *dir, const char *name,
                                struct seam_fault *f)
{
    size_t n = strlen(dir);
    const char *slash = n > 0 && dir[n - 1] == '/' ? "" : "/";
    int wrote = snprintf(out, SEAM_PATH_MAX_BYTES, "%s%s%s", dir, slash, name);

    if (wrote < 0 || wrote >= SEAM_PATH_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                              SEAM_PATH_MAX_BYTES - 1);
    return SEAM_OK;
}

enum seam_status seam_path_format(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                  struct seam_fault *f, const char *fmt, ...)
{
    char name[SEAM_PATH_MAX_BYTES];
    va_list args;
    int wrote;

    va_start(args, fmt);
    wrote = vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    if (wrote < 0 || wrote >= (int)sizeof name)
        return seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                              SEAM_PATH_MAX_BYTES - 1);
    return seam_path_join(out, dir, name, f);
}

enum seam_status seam_io_unlink_if_there(struct seam_io *io, const char *path, struct seam_fault *f)
{
    struct seam_fault here = {0};
    enum seam_status st = seam_io_unlink(io, path, &here);

    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    seam_fault_give(f, &here);
    return st;
}
