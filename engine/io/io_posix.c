/* io_posix - the real disk behind engine/io/io.h. */
#include "engine/io/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

struct posix_file {
    struct file file; /* first: struct file * is what callers hold */
    int fd;
};

static int fd_of(const struct file *file) { return ((const struct posix_file *)(const void *)file)->fd; }

static enum status status_of(int os_errno)
{
    switch (os_errno) {
    case ENOENT: return ST_NOT_FOUND;
    case EEXIST: return ST_EXISTS;
    case ENOMEM: return ST_NOMEM;
    default: return ST_IO;
    }
}

static enum status fail(struct fault *f, const char *path, uint64_t at, const char *what)
{
    int e = errno;

    return fault_set_os(f, status_of(e), path, at, e, "%s", what);
}

static enum status posix_open(struct io *io, const char *path, unsigned flags, struct file **out,
                              struct fault *f)
{
    struct posix_file *pf = NULL;
    int how = O_CLOEXEC | (flags & FILE_WRITE ? O_RDWR : O_RDONLY);
    int fd;

    if (flags & FILE_CREATE) how |= O_CREAT;
    if (flags & FILE_EXCL) how |= O_EXCL;
    if (flags & FILE_TRUNC) how |= O_TRUNC;
    if (flags & FILE_DSYNC) how |= O_DSYNC;
    do fd = open(path, how, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail(f, path, FAULT_NO_OFFSET, "cannot open");
    pf = calloc(1, sizeof *pf);
    if (pf != NULL) pf->file.path = strdup(path);
    if (pf == NULL || pf->file.path == NULL) {
        free(pf);
        close(fd);
        return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to open a file");
    }
    pf->file.io = io;
    pf->fd = fd;
    *out = &pf->file;
    return ST_OK;
}

static void posix_close(struct file *file)
{
    struct posix_file *pf = (struct posix_file *)(void *)file;

    close(pf->fd); /* nothing to report: what must be durable was synced before */
    free(pf->file.path);
    free(pf);
}

static enum status posix_read_some(struct file *file, uint64_t at, void *p, size_t n, size_t *got,
                                   struct fault *f)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = pread(fd_of(file), (char *)p + done, n - done, (off_t)(at + done));

        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return fail(f, file->path, at + done, "cannot read");
        if (r == 0) break;
        done += (size_t)r;
    }
    *got = done;
    return ST_OK;
}

enum { IOV_BATCH = 64 };

/* Writes vec[0..count) whole, whatever the kernel takes at a time.                                */
static enum status write_batch(struct file *file, uint64_t at, struct iovec *vec, int count,
                               struct fault *f)
{
    while (count > 0) {
        ssize_t w = pwritev(fd_of(file), vec, count, (off_t)at);

        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return fail(f, file->path, at, "cannot write");
        at += (uint64_t)w;
        while (count > 0 && (size_t)w >= vec->iov_len) {
            w -= (ssize_t)vec->iov_len;
            vec++;
            count--;
        }
        if (count > 0) {
            vec->iov_base = (char *)vec->iov_base + w;
            vec->iov_len -= (size_t)w;
        }
    }
    return ST_OK;
}

static enum status posix_writev(struct file *file, uint64_t at, const struct io_slice *slices,
                                int count, struct fault *f)
{
    enum status st = ST_OK;

    for (int i = 0; i < count && st == ST_OK; i += IOV_BATCH) {
        struct iovec vec[IOV_BATCH];
        int n = count - i < IOV_BATCH ? count - i : IOV_BATCH;
        uint64_t total = 0;

        for (int j = 0; j < n; j++) {
            vec[j].iov_base = (void *)(uintptr_t)slices[i + j].data;
            vec[j].iov_len = slices[i + j].size;
            total += slices[i + j].size;
        }
        st = write_batch(file, at, vec, n, f);
        at += total;
    }
    return st;
}

static enum status posix_sync(struct file *file, bool data_only, struct fault *f)
{
#ifdef __APPLE__
    int r = fcntl(fd_of(file), F_FULLFSYNC);

    (void)data_only;
#else
    int r = data_only ? fdatasync(fd_of(file)) : fsync(fd_of(file));
#endif
    /* No retry, not even after EINTR: the kernel may have dropped the dirty pages already.        */
    return r == 0 ? ST_OK : fail(f, file->path, FAULT_NO_OFFSET, "cannot sync");
}

static enum status posix_size(struct file *file, uint64_t *size, struct fault *f)
{
    struct stat s;

    if (fstat(fd_of(file), &s) != 0) return fail(f, file->path, FAULT_NO_OFFSET, "cannot stat");
    *size = (uint64_t)s.st_size;
    return ST_OK;
}

static enum status posix_truncate(struct file *file, uint64_t size, struct fault *f)
{
    int r;

    do r = ftruncate(fd_of(file), (off_t)size);
    while (r != 0 && errno == EINTR);
    return r == 0 ? ST_OK : fail(f, file->path, size, "cannot set the size");
}

static void posix_write_behind(struct file *file, uint64_t from, uint64_t n)
{
#ifdef SYNC_FILE_RANGE_WRITE
    /* What goes wrong on the way to the disk is the next datasync's to report.                    */
    (void)sync_file_range(fd_of(file), (off_t)from, (off_t)n, SYNC_FILE_RANGE_WRITE);
#else
    (void)file, (void)from, (void)n;
#endif
}

static void posix_will_need(struct file *file, uint64_t from, uint64_t n)
{
    (void)posix_fadvise(fd_of(file), (off_t)from, (off_t)n, POSIX_FADV_WILLNEED);
}

static enum status posix_punch(struct file *file, uint64_t from, uint64_t n)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    /* Where the file system cannot, the space simply stays taken.                                 */
    if (fallocate(fd_of(file), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                  (off_t)n) == 0)
        return ST_OK;
    return errno == EOPNOTSUPP || errno == ENOSYS ? ST_OK : ST_IO;
#else
    (void)file, (void)from, (void)n;
    return ST_OK;
#endif
}

static enum status posix_map(struct file *file, size_t n, const uint8_t **out, struct fault *f)
{
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd_of(file), 0);

    if (p == MAP_FAILED) return fail(f, file->path, 0, "cannot map");
    *out = p;
    return ST_OK;
}

static void posix_unmap(struct io *io, const uint8_t *p, size_t n)
{
    (void)io;
    munmap((void *)(uintptr_t)p, n);
}

static enum status posix_map_shared(struct io *io, const char *path, size_t n, void **out,
                                    struct fault *f)
{
    enum status st = ST_OK;
    struct stat s;
    void *p;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    (void)io;
    if (fd < 0) return fail(f, path, FAULT_NO_OFFSET, "cannot open");
    if (fstat(fd, &s) != 0 || ((uint64_t)s.st_size < n && ftruncate(fd, (off_t)n) != 0)) {
        st = fail(f, path, FAULT_NO_OFFSET, "cannot size");
        goto done;
    }
    p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        st = fail(f, path, 0, "cannot map");
        goto done;
    }
    *out = p;
done:
    close(fd);
    return st;
}

static void posix_unmap_shared(struct io *io, void *p, size_t n)
{
    (void)io;
    munmap(p, n);
}

/* The pid that holds an flock on this file, from /proc/locks; 0 when unknown. Lines look like
 * "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF".                                              */
static long lock_holder(int fd)
{
    long holder = 0;
#ifdef __linux__
    FILE *locks = fopen("/proc/locks", "re");
    char line[256];
    struct stat s;

    if (locks == NULL) return 0;
    if (fstat(fd, &s) == 0) {
        while (holder <= 0 && fgets(line, sizeof line, locks) != NULL) {
            unsigned major_number, minor_number;
            unsigned long inode;
            long pid;

            if (sscanf(line, "%*d: FLOCK ADVISORY %*s %ld %x:%x:%lu", &pid, &major_number,
                       &minor_number, &inode) == 4 &&
                inode == (unsigned long)s.st_ino)
                holder = pid;
        }
    }
    fclose(locks);
#else
    (void)fd;
#endif
    return holder;
}

static enum status posix_lock(struct file *file, bool exclusive, struct fault *f)
{
    long holder;
    int r;

    do r = flock(fd_of(file), (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
    while (r != 0 && errno == EINTR);
    if (r == 0) return ST_OK;
    if (errno != EWOULDBLOCK) return fail(f, file->path, FAULT_NO_OFFSET, "cannot lock");
    holder = lock_holder(fd_of(file));
    if (holder > 0)
        return fault_set(f, ST_CONFLICT, file->path, FAULT_NO_OFFSET,
                         "locked by process %ld; stop it, or wait until it ends", holder);
    return fault_set(f, ST_CONFLICT, file->path, FAULT_NO_OFFSET, "locked by another process");
}

static enum status posix_rename(struct io *io, const char *from, const char *to, struct fault *f)
{
    (void)io;
    return rename(from, to) == 0 ? ST_OK : fail(f, from, FAULT_NO_OFFSET, "cannot rename");
}

static enum status posix_unlink(struct io *io, const char *path, struct fault *f)
{
    (void)io;
    return unlink(path) == 0 ? ST_OK : fail(f, path, FAULT_NO_OFFSET, "cannot remove");
}

static enum status posix_mkdir(struct io *io, const char *path, struct fault *f)
{
    (void)io;
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return ST_OK;
    return fail(f, path, FAULT_NO_OFFSET, "cannot make the folder");
}

static enum status posix_rmdir(struct io *io, const char *path, struct fault *f)
{
    (void)io;
    return rmdir(path) == 0 ? ST_OK : fail(f, path, FAULT_NO_OFFSET, "cannot remove the folder");
}

static enum status posix_link(struct io *io, const char *from, const char *to, struct fault *f)
{
    (void)io;
    return link(from, to) == 0 ? ST_OK : fail(f, to, FAULT_NO_OFFSET, "cannot link");
}

static enum status posix_sync_dir(struct io *io, const char *dir, struct fault *f)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = ST_OK;

    (void)io;
    if (fd < 0) return fail(f, dir, FAULT_NO_OFFSET, "cannot open the folder");
    /* Some file systems refuse to sync a folder (EINVAL); they order names themselves.            */
    if (fsync(fd) != 0 && errno != EINVAL)
        st = fail(f, dir, FAULT_NO_OFFSET, "cannot sync the folder");
    close(fd);
    return st;
}

static bool posix_exists(struct io *io, const char *path, bool *is_dir)
{
    struct stat s;

    (void)io;
    if (stat(path, &s) != 0) return false;
    *is_dir = S_ISDIR(s.st_mode);
    return true;
}

static enum status posix_list(struct io *io, const char *dir, struct io_list *out, struct fault *f)
{
    DIR *d = opendir(dir);
    enum status st = ST_OK;
    size_t cap = 0;

    (void)io;
    if (d == NULL) return fail(f, dir, FAULT_NO_OFFSET, "cannot list");
    for (;;) {
        struct dirent *e;

        errno = 0;
        e = readdir(d);
        if (e == NULL) {
            if (errno != 0) st = fail(f, dir, FAULT_NO_OFFSET, "cannot list");
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (out->count == cap) {
            size_t more = cap == 0 ? 16 : cap * 2;
            char **grown = realloc(out->names, more * sizeof *grown);

            if (grown == NULL) goto nomem;
            out->names = grown;
            cap = more;
        }
        out->names[out->count] = strdup(e->d_name);
        if (out->names[out->count] == NULL) goto nomem;
        out->count++;
    }
    closedir(d);
    return st;
nomem:
    closedir(d);
    return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory to list a folder");
}

static const struct io_ops posix_ops = {
    .open = posix_open, .close = posix_close, .read_some = posix_read_some,
    .writev = posix_writev, .sync = posix_sync, .size = posix_size, .truncate = posix_truncate,
    .punch = posix_punch, .will_need = posix_will_need, .write_behind = posix_write_behind,
    .map = posix_map, .unmap = posix_unmap, .map_shared = posix_map_shared,
    .unmap_shared = posix_unmap_shared, .lock = posix_lock, .rename = posix_rename,
    .unlink = posix_unlink, .mkdir = posix_mkdir, .rmdir = posix_rmdir, .link = posix_link,
    .sync_dir = posix_sync_dir, .exists = posix_exists, .list = posix_list,
};

struct io *io_posix(void)
{
    static struct io posix = {&posix_ops}; /* stateless: a constant in all but type */

    return &posix;
}
