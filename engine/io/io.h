/* io - every byte that reaches a disk goes through here.
 *
 *     stores --> io_* / file_* (this header) --> struct io_ops --> io_posix.c   the real disk
 *                                                              \-> io_sim.c     the simulated disk
 *
 * `struct io` is one replaceable interface. The simulated one keeps files in memory, remembers what
 * was synced, and can cut the power, tear writes, lose unsynced data, and fail any call with EIO,
 * ENOSPC or a failing fsync (engine/io/io_sim.h), so a whole platform runs in one deterministic world.
 *
 * Paths are plain strings, '/'-separated. All functions set the fault with the path and the offset.
 * A file handle may be read by many threads at once; writes to one handle need the caller's order.
 * A failed sync is final (rule 4): the handle is poisoned and every later write or sync on it fails
 * with the first error. Never retry a sync.                                                      */
#ifndef SEAM_ENGINE_IO_H
#define SEAM_ENGINE_IO_H

#include "engine/base/buf.h"
#include "engine/base/status.h"

struct io;   /* a file system: posix or simulated */
struct file; /* an open file                      */

enum file_flags {
    FILE_READ   = 1,
    FILE_WRITE  = 2,  /* implies read                                                     */
    FILE_CREATE = 4,  /* create when missing                                              */
    FILE_EXCL   = 8,  /* with CREATE: ST_EXISTS when it is there already                  */
    FILE_TRUNC  = 16,
    FILE_DSYNC  = 32, /* each write is durable when it returns (O_DSYNC)                  */
};

/* The real file system; a constant without state.                                                */
struct io *io_posix(void);

/* ---- files ---- */
/* ST_OK: *out is the caller's until file_close. ST_NOT_FOUND, ST_EXISTS, ST_IO.                   */
MUST_USE enum status file_open(struct io *io, const char *path, unsigned flags, struct file **out,
                               struct fault *f);
void file_close(struct file *file); /* accepts NULL; does not sync */
const char *file_path(const struct file *file);

/* Reads exactly n bytes; a file that ends before is ST_CORRUPT ("file ends at ...").              */
MUST_USE enum status file_read(struct file *file, uint64_t at, void *p, size_t n, struct fault *f);
/* Reads up to n bytes; *got < n only at the end of the file.                                      */
MUST_USE enum status file_read_some(struct file *file, uint64_t at, void *p, size_t n, size_t *got,
                                    struct fault *f);
MUST_USE enum status file_write(struct file *file, uint64_t at, const void *p, size_t n,
                                struct fault *f);
struct io_slice { const void *data; size_t size; };
/* Writes the slices one after another from `at` (pwritev).                                        */
MUST_USE enum status file_writev(struct file *file, uint64_t at, const struct io_slice *slices,
                                 int count, struct fault *f);
MUST_USE enum status file_datasync(struct file *file, struct fault *f); /* fdatasync */
MUST_USE enum status file_sync(struct file *file, struct fault *f);     /* fsync     */
MUST_USE enum status file_size(struct file *file, uint64_t *size, struct fault *f);
MUST_USE enum status file_truncate(struct file *file, uint64_t size, struct fault *f);
/* Makes [from, from+n) exist as written zeros, so that later overwrites + datasync need no metadata
 * update (measured: 1.4-1.8x the commits of a file that grows). Does not sync.                     */
MUST_USE enum status file_fill_zero(struct file *file, uint64_t from, uint64_t n, struct fault *f);
/* Asks the disk to begin writing a range already written, without waiting: a later datasync then has
 * less left to wait for. A hint: it promises nothing and cannot fail.                              */
void file_write_behind(struct file *file, uint64_t from, uint64_t n);
/* Releases the disk space of a range, which then reads as zeros; ST_OK also where the file system
 * cannot.                                                                                         */
enum status file_punch_hole(struct file *file, uint64_t from, uint64_t n);

/* Hint: the range will be read soon; the system may begin now. Never fails, changes nothing.      */
void file_will_need(struct file *file, uint64_t from, uint64_t n);

/* Read-only mapping of the first n bytes. Valid until file_unmap, also after file_close. The file
 * must be immutable up to n (mapped bytes past a truncation are a fault in any program).           */
MUST_USE enum status file_map(struct file *file, size_t n, const uint8_t **out, struct fault *f);
void file_unmap(struct io *io, const uint8_t *p, size_t n);
/* Read-write mapping shared between processes: for one page of counters and futex words, never for
 * data. The file is created and sized as needed.                                                  */
MUST_USE enum status io_map_shared(struct io *io, const char *path, size_t n, void **out,
                                   struct fault *f);
void io_unmap_shared(struct io *io, void *p, size_t n);
/* Advisory exclusive (or shared) lock on a file, held until file_close or death of the process.
 * ST_CONFLICT when another process has it: the fault names the holder's pid where known.           */
MUST_USE enum status file_lock(struct file *file, bool exclusive, struct fault *f);

/* ---- names ---- */
MUST_USE enum status io_rename(struct io *io, const char *from, const char *to, struct fault *f);
MUST_USE enum status io_unlink(struct io *io, const char *path, struct fault *f); /* ST_NOT_FOUND */
MUST_USE enum status io_mkdir(struct io *io, const char *path, struct fault *f);  /* with parents; ok when there */
MUST_USE enum status io_rmdir(struct io *io, const char *path, struct fault *f);
MUST_USE enum status io_remove_tree(struct io *io, const char *path, struct fault *f);
MUST_USE enum status io_sync_dir(struct io *io, const char *dir, struct fault *f);
MUST_USE enum status io_link(struct io *io, const char *from, const char *to, struct fault *f); /* hard link */
bool io_exists(struct io *io, const char *path);
/* Names (not paths) in a folder, sorted by bytes, without "." and "..". Free with io_list_free.   */
struct io_list { char **names; size_t count; };
MUST_USE enum status io_list(struct io *io, const char *dir, struct io_list *out, struct fault *f);
void io_list_free(struct io_list *l);

/* ---- conveniences over the above ---- */
/* Whole file into b (appended); files over `max` bytes are ST_LIMIT.                              */
MUST_USE enum status io_read_all(struct io *io, const char *path, size_t max, struct buf *b,
                                 struct fault *f);
/* Temporary name, write, sync, rename, sync folder: afterwards the path holds the old bytes or all
 * the new ones, whatever happened.                                                                */
MUST_USE enum status io_write_atomic(struct io *io, const char *path, const void *p, size_t n,
                                     struct fault *f);
MUST_USE enum status io_writev_atomic(struct io *io, const char *path, const struct io_slice *slices, int count,
                                      struct fault *f);
/* A file that nobody knows of yet: made or made empty, written, and its bytes (not its name) synced
 * when asked.                                                                                      */
MUST_USE enum status io_write_new(struct io *io, const char *path, const void *p, size_t n, bool sync,
                                  struct fault *f);
/* "dir/name" into out; ST_LIMIT when it does not fit.                                             */
enum { PATH_MAX_BYTES = 1024 };
MUST_USE enum status path_join(char out[PATH_MAX_BYTES], const char *dir, const char *name,
                               struct fault *f);

/* ---- what an implementation provides (io_posix.c, io_sim.c) ---- */
struct io_ops {
    enum status (*open)(struct io *, const char *path, unsigned flags, struct file **, struct fault *);
    void (*close)(struct file *);
    enum status (*read_some)(struct file *, uint64_t at, void *, size_t, size_t *got, struct fault *);
    enum status (*writev)(struct file *, uint64_t at, const struct io_slice *, int, struct fault *);
    enum status (*sync)(struct file *, bool data_only, struct fault *);
    enum status (*size)(struct file *, uint64_t *, struct fault *);
    enum status (*truncate)(struct file *, uint64_t, struct fault *);
    enum status (*punch)(struct file *, uint64_t from, uint64_t n);
    void (*write_behind)(struct file *, uint64_t from, uint64_t n); /* NULL: nothing to do */
    void (*will_need)(struct file *, uint64_t from, uint64_t n); /* NULL: there is nothing to begin */
    enum status (*map)(struct file *, size_t, const uint8_t **, struct fault *);
    void (*unmap)(struct io *, const uint8_t *, size_t);
    enum status (*map_shared)(struct io *, const char *, size_t, void **, struct fault *);
    void (*unmap_shared)(struct io *, void *, size_t);
    enum status (*lock)(struct file *, bool exclusive, struct fault *);
    enum status (*rename)(struct io *, const char *, const char *, struct fault *);
    enum status (*unlink)(struct io *, const char *, struct fault *);
    enum status (*mkdir)(struct io *, const char *, struct fault *); /* one level; ok when there */
    enum status (*rmdir)(struct io *, const char *, struct fault *);
    enum status (*link)(struct io *, const char *, const char *, struct fault *);
    enum status (*sync_dir)(struct io *, const char *, struct fault *);
    bool (*exists)(struct io *, const char *, bool *is_dir);
    enum status (*list)(struct io *, const char *, struct io_list *, struct fault *);
};

struct io { const struct io_ops *ops; };           /* first member of an implementation's own struct */
struct file { struct io *io; char *path; enum status poisoned; int poison_errno; }; /* likewise */

#endif
