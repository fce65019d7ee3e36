/* seam_io_posix - the real disk behind engine/io/io.h. */
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
    struct seam_file file; /* first: struct seam_file * is what callers hold */
    int fd;
    int64_t locked_by; /* the process that took the lock; 0: none */
};

static int fd_of(const struct seam_file *file)
{
    return ((const struct posix_file *)(const void *)file)->fd;
}

static enum seam_status status_of(int os_errno)
{
    switch (os_errno) {
    case ENOENT: return SEAM_NOT_FOUND;
    case EEXIST: return SEAM_EXISTS;
    case ENOMEM: return SEAM_NOMEM;
    default: return SEAM_IO;
    }
}

static enum seam_status fail(struct seam_fault *f, const char *path, uint64_t at, const char *what)
{
    int e = errno;

    return seam_fault_set_os(f, status_of(e), path, at, e, "%s", what);
}

static enum seam_status posix_open(struct seam_io *io, const char *path, unsigned flags,
                                   struct seam_file **out, struct seam_fault *f)
{
    struct posix_file *pf = NULL;
    int how = O_CLOEXEC | (flags & SEAM_FILE_WRITE ? O_RDWR : O_RDONLY);
    int fd;

    if (flags & SEAM_FILE_CREATE) how |= O_CREAT;
    if (flags & SEAM_FILE_EXCL) how |= O_EXCL;
    if (flags & SEAM_FILE_TRUNC) how |= O_TRUNC;
    if (flags & SEAM_FILE_DSYNC) how |= O_DSYNC;
    do fd = open(path, how, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot open");
    pf = calloc(1, sizeof *pf);
    if (pf != NULL) pf->file.path = strdup(path);
    if (pf == NULL || pf->file.path == NULL) {
        free(pf);
        close(fd);
        return seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                              "no memory to open a file");
    }
    pf->file.io = io;
    pf->fd = fd;
    *out = &pf->file;
    return SEAM_OK;
}

/* A child that forked meanwhile shares the locks, and would keep them for as long as it lives. */
static void unlock(int fd)
{
#ifdef F_OFD_SETLK
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    (void)fcntl(fd, F_OFD_SETLK, &whole);
#endif
    (void)flock(fd, LOCK_UN);
}

static void posix_close(struct seam_file *file)
{
    struct posix_file *pf = (struct posix_file *)(void *)file;

    if (pf->locked_by != 0 && pf->locked_by == (int64_t)getpid()) unlock(pf->fd);
    close(pf->fd); /* nothing to report: what must be durable was synced before */
    free(pf->file.path);
    free(pf);
}

static enum seam_status posix_read_some(struct seam_file *file, uint64_t at, void *p, size_t n,
                                        size_t *got, struct seam_fault *f)
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
    return SEAM_OK;
}

enum { IOV_BATCH = 64 };

/* Writes vec[0..count) whole, whatever the kernel takes at a time.                                */
static enum seam_status write_batch(struct seam_file *file, uint64_t at, struct iovec *vec,
                                    int count, struct seam_fault *f)
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
    return SEAM_OK;
}

static enum seam_status posix_writev(struct seam_file *file, uint64_t at,
                                     const struct seam_io_slice *slices, int count,
                                     struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < count && st == SEAM_OK; i += IOV_BATCH) {
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

static enum seam_status posix_sync(struct seam_file *file, bool data_only, struct seam_fault *f)
{
#ifdef __APPLE__
    int r = fcntl(fd_of(file), F_FULLFSYNC);

    (void)data_only;
#else
    int r = data_only ? fdatasync(fd_of(file)) : fsync(fd_of(file));
#endif
    /* No retry, not even after EINTR: the kernel may have dropped the dirty pages already.        */
    return r == 0 ? SEAM_OK : fail(f, file->path, SEAM_FAULT_NO_OFFSET, "cannot sync");
}

static enum seam_status posix_size(struct seam_file *file, uint64_t *size, struct seam_fault *f)
{
    struct stat s;

    if (fstat(fd_of(file), &s) != 0)
        return fail(f, file->path, SEAM_FAULT_NO_OFFSET, "cannot stat");
    *size = (uint64_t)s.st_size;
    return SEAM_OK;
}

static enum seam_status posix_truncate(struct seam_file *file, uint64_t size, struct seam_fault *f)
{
    int r;

    do r = ftruncate(fd_of(file), (off_t)size);
    while (r != 0 && errno == EINTR);
    return r == 0 ? SEAM_OK : fail(f, file->path, size, "cannot set the size");
}

static void posix_write_behind(struct seam_file *file, uint64_t from, uint64_t n)
{
#ifdef SYNC_FILE_RANGE_WRITE
    /* What goes wrong on the way to the disk is the next datasync's to report.                    */
    (void)sync_file_range(fd_of(file), (off_t)from, (off_t)n, SYNC_FILE_RANGE_WRITE);
#else
    (void)file, (void)from, (void)n;
#endif
}

static void posix_will_need(struct seam_file *file, uint64_t from, uint64_t n)
{
    (void)posix_fadvise(fd_of(file), (off_t)from, (off_t)n, POSIX_FADV_WILLNEED);
}

static enum seam_status posix_punch(struct seam_file *file, uint64_t from, uint64_t n)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    /* Where the file system cannot, the space simply stays taken.                                 */
    if (fallocate(fd_of(file), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)n) ==
        0)
        return SEAM_OK;
    return errno == EOPNOTSUPP || errno == ENOSYS ? SEAM_OK : SEAM_IO;
#else
    (void)file, (void)from, (void)n;
    return SEAM_OK;
#endif
}

static enum seam_status posix_map(struct seam_file *file, size_t n, const uint8_t **out,
                                  struct seam_fault *f)
{
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd_of(file), 0);

    if (p == MAP_FAILED) return fail(f, file->path, 0, "cannot map");
    *out = p;
    return SEAM_OK;
}

static void posix_unmap(struct seam_io *io, const uint8_t *p, size_t n)
{
    (void)io;
    munmap((void *)(uintptr_t)p, n);
}

/* Every byte of [0, n) gets its place on the disk now: a page fault on a hole of a full disk is a SIGBUS. Where the
 * file system cannot reserve, what the file lacks is written as zeros; a hole made by others is left alone there. */
static int reserve(int fd, uint64_t size, size_t n)
{
    static const char zeros[4096];

#ifdef __linux__
    if (fallocate(fd, 0, 0, (off_t)n) == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) return -1;
#endif
    while (size < n) {
        size_t step = n - size < sizeof zeros ? (size_t)(n - size) : sizeof zeros;
        ssize_t r = pwrite(fd, zeros, step, (off_t)size);

        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return -1;
        size += (uint64_t)r;
    }
    return 0;
}

/* Has the file n bytes, none of them in a hole? Reading a hole of some file systems wants space, too. */
static bool is_whole(int fd, uint64_t size, size_t n)
{
    off_t hole = lseek(fd, 0, SEEK_HOLE);

    return size >= n && (hole < 0 || (uint64_t)hole >= n);
}

static enum seam_status posix_map_shared(struct seam_io *io, const char *path, size_t n,
                                         enum seam_map_mode mode, void **out, struct seam_fault *f)
{
    bool look = mode == SEAM_MAP_LOOK;
    enum seam_status st = SEAM_OK;
    struct stat s;
    void *p;
    int fd = open(
        path, O_CLOEXEC | (look ? O_RDONLY : O_RDWR) | (mode == SEAM_MAP_MAKE ? O_CREAT : 0), 0666);

    (void)io;
    if (fd < 0) return fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot open");
    if (fstat(fd, &s) != 0) {
        st = fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot stat");
    } else if (mode != SEAM_MAP_MAKE && (uint64_t)s.st_size < n) {
        st = seam_fault_set(f, SEAM_NOT_FOUND, path, (uint64_t)s.st_size,
                            "the shared page is not whole");
    } else if (look ? !is_whole(fd, (uint64_t)s.st_size, n)
                    : reserve(fd, (uint64_t)s.st_size, n) != 0) {
        st = look
                 ? seam_fault_set(f, SEAM_NOT_FOUND, path, 0, "the shared page has a hole")
                 : fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot reserve the space of a shared page");
    }
    if (st != SEAM_OK) goto done;
    p = mmap(NULL, n, look ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        st = fail(f, path, 0, "cannot map");
        goto done;
    }
    *out = p;
done:
    close(fd);
    return st;
}

static void posix_unmap_shared(struct seam_io *io, void *p, size_t n)
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

static enum seam_status posix_lock(struct seam_file *file, bool exclusive, struct seam_fault *f)
{
    long holder;
    int r;

    do r = flock(fd_of(file), (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
    while (r != 0 && errno == EINTR);
    if (r == 0) {
#ifdef F_OFD_SETLK
        /* A second lock beside the first, since nobody can ask after an flock without trying to take it. */
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        if (exclusive) (void)fcntl(fd_of(file), F_OFD_SETLK, &whole);
#endif
        ((struct posix_file *)(void *)file)->locked_by = (int64_t)getpid();
        return SEAM_OK;
    }
    if (errno != EWOULDBLOCK) return fail(f, file->path, SEAM_FAULT_NO_OFFSET, "cannot lock");
    holder = lock_holder(fd_of(file));
    if (holder > 0)
        return seam_fault_set(f, SEAM_CONFLICT, file->path, SEAM_FAULT_NO_OFFSET,
                              "locked by process %ld; stop it, or wait until it ends", holder);
    return seam_fault_set(f, SEAM_CONFLICT, file->path, SEAM_FAULT_NO_OFFSET,
                          "locked by another process");
}

static bool posix_locked(struct seam_io *io, const char *path)
{
    bool held = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    (void)io;
    if (fd < 0) return false;
#ifdef F_OFD_GETLK
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
#else
    held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
#endif
    close(fd);
    return held;
}

/* One byte a place; no file is locked whole and by places. */
static enum seam_status posix_claim(struct seam_file *file, unsigned place, bool take,
                                    struct seam_fault *f)
{
#ifdef F_OFD_SETLK
    struct flock one = {.l_type = take ? F_WRLCK : F_UNLCK,
                        .l_whence = SEEK_SET,
                        .l_start = (off_t)place,
                        .l_len = 1};

    if (fcntl(fd_of(file), F_OFD_SETLK, &one) == 0) return SEAM_OK;
    if (errno == EAGAIN || errno == EACCES)
        return seam_fault_set(f, SEAM_CONFLICT, file->path, place, "claimed by another handle");
    return fail(f, file->path, place, "cannot claim a place");
#else
    (void)place;
    (void)take;
    return seam_fault_set(f, SEAM_UNSUPPORTED, file->path, SEAM_FAULT_NO_OFFSET,
                          "this system has no locks that belong to a handle");
#endif
}

static bool posix_claimed(struct seam_file *file, unsigned place)
{
#ifdef F_OFD_GETLK
    struct flock one = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)place, .l_len = 1};

    return fcntl(fd_of(file), F_OFD_GETLK, &one) != 0 || one.l_type != F_UNLCK;
#else
    (void)file;
    (void)place;
    return true;
#endif
}

static enum seam_status posix_rename(struct seam_io *io, const char *from, const char *to,
                                     struct seam_fault *f)
{
    (void)io;
    return rename(from, to) == 0 ? SEAM_OK : fail(f, from, SEAM_FAULT_NO_OFFSET, "cannot rename");
}

static enum seam_status posix_unlink(struct seam_io *io, const char *path, struct seam_fault *f)
{
    (void)io;
    return unlink(path) == 0 ? SEAM_OK : fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot remove");
}

static enum seam_status posix_mkdir(struct seam_io *io, const char *path, struct seam_fault *f)
{
    (void)io;
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return SEAM_OK;
    return fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot make the folder");
}

static enum seam_status posix_rmdir(struct seam_io *io, const char *path, struct seam_fault *f)
{
    (void)io;
    return rmdir(path) == 0 ? SEAM_OK
                            : fail(f, path, SEAM_FAULT_NO_OFFSET, "cannot remove the folder");
}

static enum seam_status posix_link(struct seam_io *io, const char *from, const char *to,
                                   struct seam_fault *f)
{
    (void)io;
    return link(from, to) == 0 ? SEAM_OK : fail(f, to, SEAM_FAULT_NO_OFFSET, "cannot link");
}

static enum seam_status posix_sync_dir(struct seam_io *io, const char *dir, struct seam_fault *f)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum seam_status st = SEAM_OK;

    (void)io;
    if (fd < 0) return fail(f, dir, SEAM_FAULT_NO_OFFSET, "cannot open the folder");
    /* Some file systems refuse to sync a folder (EINVAL); they order names themselves.            */
    if (fsync(fd) != 0 && errno != EINVAL)
        st = fail(f, dir, SEAM_FAULT_NO_OFFSET, "cannot sync the folder");
    close(fd);
    return st;
}

static bool posix_exists(struct seam_io *io, const char *path, bool *is_dir)
{
    struct stat s;

    (void)io;
    if (stat(path, &s) != 0) return false;
    *is_dir = S_ISDIR(s.st_mode);
    return true;
}

static enum seam_status posix_list(struct seam_io *io, const char *dir, struct seam_io_list *out,
                                   struct seam_fault *f)
{
    DIR *d = opendir(dir);
    enum seam_status st = SEAM_OK;
    size_t cap = 0;

    (void)io;
    if (d == NULL) return fail(f, dir, SEAM_FAULT_NO_OFFSET, "cannot list");
    for (;;) {
        struct dirent *e;

        errno = 0;
        e = readdir(d);
        if (e == NULL) {
            if (errno != 0) st = fail(f, dir, SEAM_FAULT_NO_OFFSET, "cannot list");
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
    return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to list a folder");
}

static const struct seam_io_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .read_some = posix_read_some,
    .writev = posix_writev,
    .sync = posix_sync,
    .size = posix_size,
    .truncate = posix_truncate,
    .punch = posix_punch,
    .will_need = posix_will_need,
    .write_behind = posix_write_behind,
    .map = posix_map,
    .unmap = posix_unmap,
    .map_shared = posix_map_shared,
    .unmap_shared = posix_unmap_shared,
    .lock = posix_lock,
    .locked = posix_locked,
    .claim = posix_claim,
    .claimed = posix_claimed,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .link = posix_link,
    .sync_dir = posix_sync_dir,
    .exists = posix_exists,
    .list = posix_list,
};

struct seam_io *seam_io_posix(void)
{
    static struct seam_io posix = {&posix_ops}; /* stateless: a constant in all but type */

    return &posix;
}
