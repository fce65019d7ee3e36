/* wal - the append-only history every other room is rebuilt from.
 *
 *   oltp --append--> [ segment 7 ][ segment 8 ][ segment 9 | tail ] --read--> relay, recovery, labs
 *                     ^                              ^          ^
 *                oldest_lsn (slots pin it)      durable_lsn   end_lsn
 *
 * A log is a folder. An LSN is a byte position in the concatenation of its segments, segment
 * headers included: byte `lsn % segment_bytes` of segment `lsn / segment_bytes`. The same code
 * serves twice: as the write-ahead log (readers see what is durable) and, in another folder, as the
 * retained change stream (readers see what is written, because the stream can be made again from
 * the log).
 *
 *   DIR/0000000000000009.seg   a segment; preallocated, and recycled by renaming when nothing
 *                              needs it
 *   DIR/shared                 one page mapped by all: durable LSN, futex word, counters (wal/shared.h);
 *                              believed while a living writer holds its lock
 *   DIR/lock                   held by the one writer process
 *   DIR/NAME.slot              what a consumer still needs (retention), one small file each
 *   DIR/histories              one entry an opening for writing (wal/history.c)
 *
 * Promises
 *  - A record is durable once durable_lsn >= its end. Synced bytes are never changed by the log.
 *  - Records are opaque: a type byte (1..255) and 0..WAL_PAYLOAD_MAX bytes. A record larger than
 *    WAL_FRAGMENT_MAX, or than what is left of the segment, is split and joined again here; readers
 *    never see a part of one. A *transaction* of many records is the caller's matter
 *    (wal/change.h).
 *  - Each record carries a CRC32C seeded with its own LSN, and the distance back to what was
 *    durable when it was appended. So after a crash a torn tail (cut off silently, counted) is told from
 *    damage in what had been durable (SEAM_CORRUPT, file and offset; nothing on disk is changed).
 *  - A failed write or sync poisons the log: nothing is acknowledged until it is reopened. Opening writes again, and
 *    syncs, whatever it cannot prove synced, before it vouches for it.
 *  - Where the log ends is told by its own checksummed bytes. A reader that finds no living writer scans the tail itself.
 *  - No hidden threads: whoever commits may be the leader who writes and syncs for all who wait.
 *
 * Processes: a child that forked is refused in every call on its parent's handle (SEAM_CONFLICT).
 * Threads: append, commit, flush, stats and the lsn getters may be called from any thread. A reader
 * and a slot handle belong to one thread at a time; any number of them, in any process.
 * Imports: engine. Imported by: oltp, pipeline. Formats: wal/record.h, docs/reference/formats/wal.md.
 * Papers: DeWitt et al., SIGMOD 1984 (group commit); Mohan et al., ARIES, TODS 17(1), 1992;
 * Rebello et al., ATC 2020 (a failed fsync is final). Notes: papers/wal.md. */
#ifndef SEAM_WAL_WAL_H
#define SEAM_WAL_WAL_H

#include "engine/base/clock.h"
#include "engine/base/histogram.h"
#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    WAL_SEGMENT_DEFAULT = 64 << 20,
    WAL_SEGMENT_MIN = 64 << 10, /* and at most 1 GiB; a power of two */
    WAL_SEGMENT_MAX = 1 << 30,
    WAL_PAYLOAD_MAX = 64 << 20,   /* bytes of one record; SEAM_LIMIT beyond */
    WAL_FRAGMENT_MAX = 256 << 10, /* larger records are split by the log */
    WAL_PARTS_MAX = 8,            /* slices of one append */
    WAL_SLOT_NAME_MAX = 32,       /* [a-z0-9_-], with the terminator */
    WAL_SLOTS_MAX = 64,
    WAL_REASON_MAX = 160,
    WAL_TROUBLE_MAX = 512,    /* text of what work in the background could not do */
    WAL_HISTORIES_MAX = 4096, /* openings that are listed; older ones are thinned out */
};

struct wal;

/* Called for each closed segment before it may be recycled; must be idempotent (after a crash it
 * may be called again for the same segment). A failure keeps the segment and is returned by
 * wal_trim. */
struct wal_archive {
    enum seam_status (*segment)(void *ctx, const char *path, uint64_t segment, seam_lsn_t start,
                                seam_lsn_t end, struct seam_fault *f);
    void *ctx;
};

struct wal_options {          /* zero means the default in brackets */
    struct seam_io *io;       /* [seam_io_posix()]                                               */
    struct seam_clock *clock; /* [seam_clock_real()]                                             */
    struct seam_trace *trace; /* [off] store "wal"                                          */
    uint64_t
        log_id; /* [a new one at creation, then the log's]; another than the log's: SEAM_CONFLICT */
    uint64_t seed;             /* of ids, for runs that are to be repeated [from the system] */
    uint64_t segment_bytes;    /* at creation [64 MiB]; later opens keep what the folder has  */
    size_t buffer_bytes;       /* log buffer, a power of two [4 MiB]; the whole memory budget  */
    uint64_t deferred_us;      /* deferred commits: at most this old ...            [10 ms]    */
    uint64_t deferred_bytes;   /* ... and at most this many bytes unsynced          [1 MiB]    */
    uint64_t heartbeat_us;     /* wal_heartbeat writes at most one in this time     [1 s]      */
    bool dsync;                /* O_DSYNC instead of fdatasync; see docs/decisions              */
    bool visible_when_written; /* readers see written bytes (the stream), not durable ones      */
    bool no_gather;            /* a group-commit leader never waits for company (bench, tests)  */
    uint64_t lock_wait_us;     /* wait so long for another writing process to end [0]           */
    unsigned spare_segments;   /* recycled segments kept for reuse                  [2]        */
    struct wal_archive archive;
};

struct wal_recovered {
    bool created;        /* the folder held no log                                          */
    seam_lsn_t end;      /* where appending goes on                                         */
    uint64_t torn_bytes; /* cut off: had been written, never acknowledged as durable         */
    char torn_file[64];
};

/* Opens (creates) the log in `dir` as its one writer and recovers the tail.
 * SEAM_OK: *out is the caller's until wal_close; `o` and `rec` may be NULL. SEAM_CONFLICT: another process
 * writes it (fault: pid). SEAM_CORRUPT: damage before what had been durable. */
SEAM_MUST_USE enum seam_status wal_open(const char *dir, const struct wal_options *o,
                                        struct wal **out, struct wal_recovered *rec,
                                        struct seam_fault *f);
/* Accepts NULL. Flushes and syncs what is pending (unless poisoned); the status is of that. */
enum seam_status wal_close(struct wal *w, struct seam_fault *f);

/* ---- appending ---- */
struct wal_span {
    seam_lsn_t start, end;
}; /* end = the record's LSN: the position just after it */

/* Copies the record into the log buffer; no allocation, no I/O unless the buffer is full. Records
 * of several threads are ordered as they come. Nothing is durable before wal_commit or wal_flush.
 * SEAM_LIMIT: too large (nothing appended). Any other failure: the log is poisoned. */
SEAM_MUST_USE enum seam_status wal_append(struct wal *w, uint8_t type,
                                          const struct seam_io_slice *parts, int count,
                                          struct wal_span *at, struct seam_fault *f);

enum wal_mode {
    WAL_DURABLE,  /* returns when everything up to lsn is synced (group commit)                   */
    WAL_WRITTEN,  /* ... is handed to the operating system: survives SIGKILL, not a power cut */
    WAL_DEFERRED, /* returns at once. Loss window on a crash of process or machine: the commits of
                   * the last deferred_us, and never more than deferred_bytes, *while commits come*:
                   * the commit that finds the window over pays the sync. An owner that goes idle
                   * calls wal_flush or wal_heartbeat, else the last ones wait for it. */
};
/* `lsn` is wal_span.end of the commit record. Thread-safe; this is where threads share a sync. */
SEAM_MUST_USE enum seam_status wal_commit(struct wal *w, seam_lsn_t lsn, enum wal_mode mode,
                                          struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_flush(struct wal *w,
                                         struct seam_fault *f); /* all that was appended, durable */
/* Appends and flushes a heartbeat (change.h) when none was written for heartbeat_us and nothing
 * else was committed either; also flushes deferred commits whose window is over. Cheap otherwise:
 * call it from an idle loop. */
SEAM_MUST_USE enum seam_status wal_heartbeat(struct wal *w, struct seam_fault *f);

/* Another process has taken the log over: what is pending here is never written, and every call fails with
 * `why` from now on. */
void wal_disown(struct wal *w, const struct seam_fault *why);

seam_lsn_t wal_end_lsn(struct wal *w); /* end of the last appended record */
seam_lsn_t wal_written_lsn(struct wal *w);
seam_lsn_t wal_durable_lsn(struct wal *w);
seam_lsn_t wal_oldest_lsn(struct wal *w); /* first record still kept */
uint64_t wal_log_id(const struct wal *w);
const char *wal_dir(const struct wal *w);

/* ---- reading: any process, while the writer writes ---- */
struct wal_reader;

struct wal_record {
    uint8_t type;
    const uint8_t *data; /* valid until the next call on this reader */
    size_t size;
    seam_lsn_t start, end;
    uint32_t
        crc; /* its own (its last fragment's): tells it from another record at the same place */
};

enum wal_read_flags {
    WAL_READ_ALL = 1, /* offline: up to the last whole record, whatever the shared page says */
};

/* `at`: SEAM_LSN_NONE (oldest kept) or the end (or start) LSN of a record. SEAM_NOT_FOUND: no log there,
 * or `at` is older than what is kept (fault names the oldest) or beyond its end. */
SEAM_MUST_USE enum seam_status wal_reader_open(struct seam_io *io, const char *dir, seam_lsn_t at,
                                               unsigned flags, struct wal_reader **out,
                                               struct seam_fault *f);
/* SEAM_OK; SEAM_END: nothing more is visible now; SEAM_NOT_FOUND: the position was recycled under the
 * reader (it holds no slot); SEAM_CORRUPT: file and offset. */
SEAM_MUST_USE enum seam_status wal_reader_next(struct wal_reader *r, struct wal_record *out,
                                               struct seam_fault *f);
/* Sleeps until something after the position is visible. SEAM_OK; SEAM_TIMEOUT, also when a signal came.
 * UINT64_MAX = for ever. */
SEAM_MUST_USE enum seam_status wal_reader_wait(struct wal_reader *r, uint64_t timeout_ns);
SEAM_MUST_USE enum seam_status wal_reader_seek(struct wal_reader *r, seam_lsn_t at,
                                               struct seam_fault *f);
/* Finds the first record that begins at or after the byte position `at`, any multiple of 8: its
 * header and
 * CRC depend on where it stands, so the log can be entered anywhere and searched by halves.
 * SEAM_END: none is visible (the position is then the visible end). */
SEAM_MUST_USE enum seam_status wal_reader_resync(struct wal_reader *r, seam_lsn_t at,
                                                 struct seam_fault *f);
seam_lsn_t wal_reader_position(const struct wal_reader *r); /* end of the last record returned */
seam_lsn_t wal_reader_visible(struct wal_reader *r);        /* how far one could read now       */
void wal_reader_wake(struct wal_reader *r);                 /* ends a wait in another thread     */
void wal_reader_close(struct wal_reader *r);                /* accepts NULL */

/* What a log is like, without being its writer: from the writer that lives, else from the log's own bytes. No file is made.
 * SEAM_NOT_FOUND: no log there. SEAM_CORRUPT: damage before what had been durable. */
struct wal_state {
    uint64_t log_id, segment_bytes;
    seam_lsn_t oldest, durable, written, visible;
    int64_t writer_pid; /* 0 = none */
    bool writer_alive;
    int64_t durable_wall_us; /* wall clock at the last durable publication */
    uint64_t syncs;
    /* What the writer's background work (wal_trim) could not do last; SEAM_OK: nothing. */
    enum seam_status trouble_status;
    int64_t trouble_us; /* since when */
    char trouble[WAL_TROUBLE_MAX];
};
SEAM_MUST_USE enum seam_status wal_state(struct seam_io *io, const char *dir, struct wal_state *out,
                                         struct seam_fault *f);
/* An LSN that no record of the log can lie behind, from the names of its segments: also for a log
 * that cannot be read. A folder that is missing or empty gives 0. Any process. */
SEAM_MUST_USE enum seam_status wal_end_bound(struct seam_io *io, const char *dir, seam_lsn_t *out,
                                             struct seam_fault *f);

/* ---- histories: an LSN means a moment in one of them ----
 *
 *   H1 ---o----------o H2 --------o H3 ------> what is here now          each opening for writing begins one:
 *                     \                                                  (id, parent, LSN where it parts, checksum
 *                      o H4 --- ...   a restored copy, opened elsewhere    of the record that ends there)
 *
 * Two logs that grew from one copy tell different things under the same LSNs; they never have the same id. Whoever keeps a
 * position of this log keeps (history, LSN, crc of the record that ends there), and its own copy of the list as of then:
 * wal_history_find says whether that position is on the line told here, wal_history_fork where two lines part.
 * docs/decisions/histories.md. */
enum wal_history_why {
    WAL_HISTORY_CREATED = 1, /* an empty log */
    WAL_HISTORY_OPENED = 2,  /* went on where the one before ended */
    WAL_HISTORY_CUT = 3,     /* what the one before had written was not all there */
    WAL_HISTORY_UNKNOWN =
        4, /* a log without a list: made before there were any, or the list was lost */
};
struct wal_history {
    uint64_t id, parent; /* parent 0: none */
    seam_lsn_t at;       /* its records begin here or later */
    int64_t wall_us;     /* when it was begun */
    uint32_t
        before; /* crc of the record that ends at `at`; 0: there is none, or it is in an earlier segment */
    enum wal_history_why why;
};
uint64_t wal_history(const struct wal *w); /* the one that is told now */
/* All of them (malloc'ed), oldest first. Any process. SEAM_NOT_FOUND: no log, or a log that has no list yet. */
SEAM_MUST_USE enum seam_status wal_histories(struct seam_io *io, const char *dir,
                                             struct wal_history **out, size_t *count,
                                             struct seam_fault *f);
const char *wal_history_why_name(enum wal_history_why why);
/* The list file as text. */
SEAM_MUST_USE enum seam_status wal_history_dump(struct seam_io *io, const char *path,
                                                struct seam_buf *out, struct seam_fault *f);
enum wal_history_place {
    WAL_HISTORY_HERE,     /* on the line told here */
    WAL_HISTORY_PARTED,   /* of a history told here, but past *parted, where the next one began */
    WAL_HISTORY_ELSEWHERE /* of one that this log does not list; *parted: the list begins there */
};
enum wal_history_place wal_history_find(const struct wal_history *list, size_t count, uint64_t id,
                                        seam_lsn_t lsn, seam_lsn_t *parted);
/* The history that told the record which ends at lsn. 0: an empty list. */
uint64_t wal_history_at(const struct wal_history *list, size_t count, seam_lsn_t lsn);
/* The newest history in both lists, and the LSN up to which they tell the same (SEAM_LSN_MAX: one goes on from the
 * other's end). False: they have none in common. */
bool wal_history_fork(const struct wal_history *a, size_t a_count, const struct wal_history *b,
                      size_t b_count, uint64_t *common, seam_lsn_t *at);
/* The crc of the record that ends at lsn (0 at the oldest position kept). SEAM_NOT_FOUND: none ends there. */
SEAM_MUST_USE enum seam_status wal_record_before(struct seam_io *io, const char *dir,
                                                 seam_lsn_t lsn, uint32_t *crc,
                                                 struct seam_fault *f);

/* ---- retention: named slots ---- */
struct wal_slot;

struct wal_slot_info {
    char name[WAL_SLOT_NAME_MAX];
    seam_lsn_t confirmed; /* everything before may go */
    uint64_t epoch;       /* raised by each claim: an older holder is refused */
    int64_t holder_pid;   /* 0 = released */
    bool holder_alive;
    uint64_t bound_bytes; /* most log it may hold back; 0 = no bound */
    int64_t updated_us;   /* wall clock of the last advance */
    bool invalid;         /* it fell behind its bound: its consumer must bootstrap again */
    bool
        damaged; /* its file cannot be read (reason): what it needs is not known, so nothing is let go */
    char reason[WAL_REASON_MAX];
    uint64_t held_bytes; /* by wal_slots(): durable - confirmed */
};

/* Creates or takes over the slot (epoch + 1) for this process. A new slot starts at `at` (SEAM_LSN_NONE:
 * the oldest kept; SEAM_LSN_MAX: the durable end). SEAM_CONFLICT with `steal` false: a living process
 * holds it. A slot that was invalidated is SEAM_STALE (reason in the fault) until wal_slot_drop. */
SEAM_MUST_USE enum seam_status wal_slot_claim(struct seam_io *io, struct seam_clock *clock,
                                              const char *dir, const char *name, seam_lsn_t at,
                                              uint64_t bound_bytes, bool steal,
                                              struct wal_slot **out, struct seam_fault *f);
/* Durable. Never moves back. SEAM_CONFLICT: a newer epoch has the slot (this holder is fenced off).
 * SEAM_STALE: it was invalidated. */
SEAM_MUST_USE enum seam_status wal_slot_advance(struct wal_slot *s, seam_lsn_t confirmed,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_slot_check(struct wal_slot *s,
                                              struct seam_fault *f); /* still ours? same statuses */
/* Was the slot taken over? Before every batch: one load of a shared word, unless some slot of this log was
 * claimed since we looked last. SEAM_CONFLICT: fenced off. SEAM_NOT_FOUND: the slot was dropped. */
SEAM_MUST_USE enum seam_status wal_slot_fenced(struct wal_slot *s, struct seam_fault *f);
const struct wal_slot_info *wal_slot_info(const struct wal_slot *s);
void wal_slot_release(
    struct wal_slot *s); /* keeps the retention, gives up the holder; accepts NULL */
SEAM_MUST_USE enum seam_status wal_slot_drop(struct seam_io *io, const char *dir, const char *name,
                                             struct seam_fault *f);
/* Every slot, sorted by name: the pins `seam doctor` shows. */
SEAM_MUST_USE enum seam_status wal_slots(struct seam_io *io, const char *dir,
                                         struct wal_slot_info out[WAL_SLOTS_MAX], size_t *count,
                                         struct seam_fault *f);

/* Lets go of whole segments before min(keep, every valid slot). Slots beyond their bound are first
 * invalidated: trace event, reason in the slot file, count in *invalidated (may be NULL). Called by
 * the owner, e.g. after a checkpoint. */
SEAM_MUST_USE enum seam_status wal_trim(struct wal *w, seam_lsn_t keep, size_t *invalidated,
                                        struct seam_fault *f);

/* Makes a log of format 1 one of format 2, in place; nothing may be open. Its records and LSNs stay. dry_run: only looks.
 * out->format: what it was; 2: nothing to do. */
struct wal_upgraded {
    unsigned format;
    uint64_t log_id, segments;
};
SEAM_MUST_USE enum seam_status wal_upgrade(struct seam_io *io, const char *dir, bool dry_run,
                                           struct wal_upgraded *out, struct seam_fault *f);

/* What work in the background (trims, an owner's checkpoints) could not do; NULL: it works again. Shown in wal_stats, and in
 * wal_state to every process. wal_trim says so itself. */
void wal_background(struct wal *w, const struct seam_fault *why);

/* ---- looking at it ---- */
enum { WAL_GROUP_BUCKETS = 8 }; /* groups of 1, 2, 3-4, 5-8, 9-16, 17-32, 33-64, more */
struct wal_stats {
    uint64_t records, bytes, commits, groups, writes, syncs, segments_made, segments_recycled;
    uint64_t group_sizes[WAL_GROUP_BUCKETS];
    uint64_t heartbeats, buffer_full;
    enum seam_status
        trouble_status; /* of the work in the background that failed last, until it works again */
    char trouble[WAL_TROUBLE_MAX];   /* its fault as text */
    struct seam_histogram sync_ns;   /* one write + sync */
    struct seam_histogram commit_ns; /* durable commits: every 16th is timed */
};
void wal_stats(struct wal *w, struct wal_stats *out);

struct wal_check {
    uint64_t segments, records, bytes;
    seam_lsn_t oldest, end;
    uint64_t torn_bytes; /* after `end`, never vouched for */
    uint64_t histories;  /* in the list; 0: there is none */
};
/* Walks every kept byte: headers, record checksums, fragments, padding, that slots lie inside.
 * Works beside a writer (up to the durable LSN) and offline. SEAM_CORRUPT names file and offset. */
SEAM_MUST_USE enum seam_status wal_verify(struct seam_io *io, const char *dir,
                                          struct wal_check *out, struct seam_fault *f);
/* Explains bytes as text: a segment file from `from` on (its header, then at most `max`
 * records), log.meta, or a slot. */
SEAM_MUST_USE enum seam_status wal_dump(struct seam_io *io, const char *segment_path, uint64_t from,
                                        size_t max, struct seam_buf *out, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
