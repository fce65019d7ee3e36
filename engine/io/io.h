/* io - every byte that reaches a disk goes through here.
 *
 *     stores --> io_* / file_* (this header) --> struct seam_io_ops --> seam_io_posix.c   the real disk
 *                                                              \-> io_sim.c     the simulated disk
 *
 * `struct seam_io` is one replaceable interface. The simulated one keeps files in memory, remembers what
 * was synced, and can cut the power, tear writes, lose unsynced data, and fail any call with EIO,
 * ENOSPC or a failing fsync (engine/io/io_sim.h), so a whole platform runs in one deterministic world.
 *
 * Paths are plain strings, '/'-separated. All functions set the fault with the path and the offset.
 * A file handle may be read by many threads at once; writes to one handle need the caller's order.
 * A failed sync is final (rule 4): the handle is poisoned and every later write or sync on it fails
 * with the first error, and the folder is marked for its next writer. Never retry a sync.                                                      */
#ifndef SEAM_ENGINE_IO_H
#define SEAM_ENGINE_IO_H

#include "engine/base/buf.h"
#include "engine/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct seam_clock;
struct seam_io;   /* a file system: posix or simulated */
struct seam_file; /* an open file                      */

enum seam_file_flags {
    SEAM_FILE_READ = 1,
    SEAM_FILE_WRITE = 2,  /* implies read                                                     */
    SEAM_FILE_CREATE = 4, /* create when missing                                              */
    SEAM_FILE_EXCL = 8,   /* with CREATE: SEAM_EXISTS when it is there already                  */
    SEAM_FILE_TRUNC = 16,
    SEAM_FILE_DSYNC = 32, /* each write is durable when it returns (O_DSYNC)                  */
};

/* The real file system; a constant without state.                                                */
struct seam_io *seam_io_posix(void);

/* ---- files ---- */
/* SEAM_OK: *out is the caller's until seam_file_close. SEAM_NOT_FOUND, SEAM_EXISTS, SEAM_IO.                   */
SEAM_MUST_USE enum seam_status seam_file_open(struct seam_io *io, const char *path, unsigned flags,
                                              struct seam_file **out, struct seam_fault *f);
void seam_file_close(struct seam_file *file); /* accepts NULL; does not sync */
const char *seam_file_path(const struct seam_file *file);

/* Reads exactly n bytes; a file that ends before is SEAM_CORRUPT ("file ends at ...").              */
SEAM_MUST_USE enum seam_status seam_file_read(struct seam_file *file, uint64_t at, void *p,
                                              size_t n, struct seam_fault *f);
/* Reads up to n bytes; *got < n only at the end of the file.                                      */
SEAM_MUST_USE enum seam_status seam_file_read_some(struct seam_file *file, uint64_t at, void *p,
                                                   size_t n, size_t *got, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_file_write(struct seam_file *file, uint64_t at, const void *p,
                                               size_t n, struct seam_fault *f);
struct seam_io_slice {
    const void *data;
    size_t size;
};
/* Writes the slices one after another from `at` (pwritev).                                        */
SEAM_MUST_USE enum seam_status seam_file_writev(struct seam_file *file, uint64_t at,
                                                const struct seam_io_slice *slices, int count,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_file_datasync(struct seam_file *file,
                                                  struct seam_fault *f); /* fdatasync */
SEAM_MUST_USE enum seam_status seam_file_sync(struct seam_file *file,
                                              struct seam_fault *f); /* fsync     */
SEAM_MUST_USE enum seam_status seam_file_size(struct seam_file *file, uint64_t *size,
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_file_truncate(struct seam_file *file, uint64_t size,
                                                  struct seam_fault *f);
/* Makes [from, from+n) exist as written zeros, so that later overwrites + datasync need no metadata
 * update (measured: 1.4-1.8x the commits of a file that grows). Does not sync.                     */
SEAM_MUST_USE enum seam_status seam_file_fill_zero(struct seam_file *file, uint64_t from,
                                                   uint64_t n, struct seam_fault *f);
/* Asks the disk to begin writing a range already written, without waiting: a later datasync then has
 * less left to wait for. A hint: it promises nothing and cannot fail.                              */
void seam_file_write_behind(struct seam_file *file, uint64_t from, uint64_t n);
/* Releases the disk space of a range, which then reads as zeros; SEAM_OK also where the file system
 * cannot.                                                                                         */
enum seam_status seam_file_punch_hole(struct seam_file *file, uint64_t from, uint64_t n);

/* Hint: the range will be read soon; the system may begin now. Never fails, changes nothing.      */
void seam_file_will_need(struct seam_file *file, uint64_t from, uint64_t n);

/* Read-only mapping of the first n bytes. Valid until seam_file_unmap, also after seam_file_close. The file
 * must be immutable up to n (mapped bytes past a truncation are a fault in any program).           */
SEAM_MUST_USE enum seam_status seam_file_map(struct seam_file *file, size_t n, const uint8_t **out,
                                             struct seam_fault *f);
void seam_file_unmap(struct seam_io *io, const uint8_t *p, size_t n);
/* A mapping shared between processes: for one page of counters and futex words, never for data. What it holds is a
 * hint: after a power cut it is as old as the kernel pleases. Its space is reserved before it is mapped, so that
 * touching it never ends the process where the disk is full (SEAM_IO instead).                      */
enum seam_map_mode {
    SEAM_MAP_MAKE, /* the file is made and sized as needed                                      */
    SEAM_MAP_JOIN, /* only when somebody made it: SEAM_NOT_FOUND, and nothing is made             */
    SEAM_MAP_LOOK, /* likewise, to be read only: also on read-only media                        */
};
SEAM_MUST_USE enum seam_status seam_io_map_shared(struct seam_io *io, const char *path, size_t n,
                                                  enum seam_map_mode mode, void **out,
                                                  struct seam_fault *f);
void seam_io_unmap_shared(struct seam_io *io, void *p, size_t n);
/* Advisory exclusive (or shared) lock on a file, held until seam_file_close or death of the process.
 * SEAM_CONFLICT when another process has it: the fault names the holder's pid where known.           */
SEAM_MUST_USE enum seam_status seam_file_lock(struct seam_file *file, bool exclusive,
                                              struct seam_fault *f);
/* Does any handle, in any process, hold the file's exclusive lock now? Asks without taking it. False where there is no
 * such file.                                                                                       */
bool seam_io_locked(struct seam_io *io, const char *path);
/* One of SEAM_CLAIMS_MAX places of a file that is open for writing, held by this handle (an OFD lock of one byte) until it is
 * given back, closed, or the process dies: whoever dies leaves none, whatever number its process had. Independent of the
 * lock above. SEAM_CONFLICT: another handle has it. */
enum { SEAM_CLAIMS_MAX = 64 };
SEAM_MUST_USE enum seam_status seam_file_claim(struct seam_file *file, unsigned place,
                                               struct seam_fault *f);
void seam_file_unclaim(struct seam_file *file, unsigned place);
/* Has another handle, in any process, claimed it now? */
bool seam_file_claimed(struct seam_file *file, unsigned place);

/* ---- names ---- */
SEAM_MUST_USE enum seam_status seam_io_rename(struct seam_io *io, const char *from, const char *to,
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_io_unlink(struct seam_io *io, const char *path,
                                              struct seam_fault *f); /* SEAM_NOT_FOUND */
SEAM_MUST_USE enum seam_status
seam_io_mkdir(struct seam_io *io, const char *path,
              struct seam_fault *f); /* with parents; ok when there */
SEAM_MUST_USE enum seam_status seam_io_rmdir(struct seam_io *io, const char *path,
                                             struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_io_remove_tree(struct seam_io *io, const char *path,
                                                   struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_io_sync_dir(struct seam_io *io, const char *dir,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_io_link(struct seam_io *io, const char *from, const char *to,
                                            struct seam_fault *f); /* hard link */
bool seam_io_exists(struct seam_io *io, const char *path);
/* Names (not paths) in a folder, sorted by bytes, without "." and "..". Free with seam_io_list_free.   */
struct seam_io_list {
    char **names;
    size_t count;
};
SEAM_MUST_USE enum seam_status seam_io_list(struct seam_io *io, const char *dir,
                                            struct seam_io_list *out, struct seam_fault *f);
void seam_io_list_free(struct seam_io_list *l);

/* ---- conveniences over the above ---- */
/* Whole file into b (appended); files over `max` bytes are SEAM_LIMIT.                              */
SEAM_MUST_USE enum seam_status seam_io_read_all(struct seam_io *io, const char *path, size_t max,
                                                struct seam_buf *b, struct seam_fault *f);
/* Temporary name, write, sync, rename, sync folder: afterwards the path holds the old bytes or all
 * the new ones, whatever happened.                                                                */
SEAM_MUST_USE enum seam_status seam_io_write_atomic(struct seam_io *io, const char *path,
                                                    const void *p, size_t n, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_io_writev_atomic(struct seam_io *io, const char *path,
                                                     const struct seam_io_slice *slices, int count,
                                                     struct seam_fault *f);
/* A file that nobody knows of yet: made or made empty, written, and its bytes (not its name) synced
 * when asked.                                                                                      */
SEAM_MUST_USE enum seam_status seam_io_write_new(struct seam_io *io, const char *path,
                                                 const void *p, size_t n, bool sync,
                                                 struct seam_fault *f);
/* "dir/name" into out; SEAM_LIMIT when it does not fit. A path is never cut: a cut one names another file. */
enum { SEAM_PATH_MAX_BYTES = 1024 };
SEAM_MUST_USE enum seam_status seam_path_join(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                              const char *name, struct seam_fault *f);
/* The same with a name that is printed: seam_path_format(path, dir, f, "%016" PRIx64 ".seg", n).      */
SEAM_MUST_USE enum seam_status seam_path_format(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                struct seam_fault *f, const char *fmt, ...)
    SEAM_PRINTF_LIKE(4, 5);
/* Unlinks; also SEAM_OK when there is no such file.                                                 */
SEAM_MUST_USE enum seam_status seam_io_unlink_if_there(struct seam_io *io, const char *path,
                                                       struct seam_fault *f);
/* The writer's lock of a folder: DIR/lock, held until *out is closed or the process dies. *out stays NULL
 * unless SEAM_OK. SEAM_CONFLICT when another process writes here: the fault names it where known. What an earlier
 * failed sync left in doubt is made durable first (seam_io_mend): so whoever opens a store for writing takes this lock
 * before believing anything in the folder.                                                         */
#define SEAM_LOCK_NAME "lock"
SEAM_MUST_USE enum seam_status seam_writer_lock(struct seam_io *io, const char *dir,
                                                struct seam_file **out, struct seam_fault *f);
/* A sync that fails leaves DIR/unsynced: what is read here is then not what a power cut would leave. Mending
 * writes it again and syncs it; the caller has the folder to itself. Why and how: engine/io/mend.c.    */
#define SEAM_UNSYNCED_NAME "unsynced"
enum { SEAM_UNSYNCED_MAX = 64 << 10 }; /* bytes of it: beyond, everything is in doubt */
SEAM_MUST_USE enum seam_status seam_io_mend(struct seam_io *io, const char *dir,
                                            struct seam_fault *f);
bool seam_io_unsynced(struct seam_io *io, const char *dir); /* is there such a mark?              */
/* As seam_file_lock for writing, waiting up to wait_us of the clock while another process holds it; then its
 * SEAM_CONFLICT. Who waits tries again in growing steps: of many, any may be next. */
SEAM_MUST_USE enum seam_status seam_file_lock_wait(struct seam_file *file, struct seam_clock *clock,
                                                   uint64_t wait_us, struct seam_fault *f);
/* DIR/NAME, for a change of a moment: waits up to two seconds of the clock for whoever holds it.      */
SEAM_MUST_USE enum seam_status seam_moment_lock(struct seam_io *io, struct seam_clock *clock,
                                                const char *dir, const char *name,
                                                struct seam_file **out, struct seam_fault *f);

/* ---- what an implementation provides (seam_io_posix.c, io_sim.c) ---- */
struct seam_io_ops {
    enum seam_status (*open)(struct seam_io *, const char *path, unsigned flags,
                             struct seam_file **, struct seam_fault *);
    void (*close)(struct seam_file *);
    enum seam_status (*read_some)(struct seam_file *, uint64_t at, void *, size_t, size_t *got,
                                  struct seam_fault *);
    enum seam_status (*writev)(struct seam_file *, uint64_t at, const struct seam_io_slice *, int,
                               struct seam_fault *);
    enum seam_status (*sync)(struct seam_file *, bool data_only, struct seam_fault *);
    enum seam_status (*size)(struct seam_file *, uint64_t *, struct seam_fault *);
    enum seam_status (*truncate)(struct seam_file *, uint64_t, struct seam_fault *);
    enum seam_status (*punch)(struct seam_file *, uint64_t from, uint64_t n);
    void (*write_behind)(struct seam_file *, uint64_t from, uint64_t n); /* NULL: nothing to do */
    void (*will_need)(struct seam_file *, uint64_t from,
                      uint64_t n); /* NULL: there is nothing to begin */
    enum seam_status (*map)(struct seam_file *, size_t, const uint8_t **, struct seam_fault *);
    void (*unmap)(struct seam_io *, const uint8_t *, size_t);
    enum seam_status (*map_shared)(struct seam_io *, const char *, size_t, enum seam_map_mode,
                                   void **, struct seam_fault *);
    void (*unmap_shared)(struct seam_io *, void *, size_t);
    enum seam_status (*lock)(struct seam_file *, bool exclusive, struct seam_fault *);
    bool (*locked)(struct seam_io *, const char *);
    enum seam_status (*claim)(struct seam_file *, unsigned place, bool take, struct seam_fault *);
    bool (*claimed)(struct seam_file *, unsigned place);
    enum seam_status (*rename)(struct seam_io *, const char *, const char *, struct seam_fault *);
    enum seam_status (*unlink)(struct seam_io *, const char *, struct seam_fault *);
    enum seam_status (*mkdir)(struct seam_io *, const char *,
                              struct seam_fault *); /* one level; ok when there */
    enum seam_status (*rmdir)(struct seam_io *, const char *, struct seam_fault *);
    enum seam_status (*link)(struct seam_io *, const char *, const char *, struct seam_fault *);
    enum seam_status (*sync_dir)(struct seam_io *, const char *, struct seam_fault *);
    bool (*exists)(struct seam_io *, const char *, bool *is_dir);
    enum seam_status (*list)(struct seam_io *, const char *, struct seam_io_list *,
                             struct seam_fault *);
};

struct seam_io {
    const struct seam_io_ops *ops;
}; /* first member of an implementation's own struct */
struct seam_file {
    struct seam_io *io;
    char *path;
    enum seam_status poisoned;
    int poison_errno;
}; /* likewise */

#ifdef __cplusplus
}
#endif

#endif
