/* oltp - the row store: the source of truth that every other store is fed from.
 *
 *   oltp_put ... oltp_commit --append--> [ log: wal/ ] --tail--> relay, readers in other processes
 *        |                                    |
 *        v                                    | replay after the checkpoint's LSN
 *   [ B+trees in cached pages ] --checkpoint--+--> [ page file: always a whole tree at a known LSN ]
 *
 *   DIR/pages    the page file: two checksummed meta pages, then tree pages     (docs/reference/formats/oltp.md)
 *   DIR/shared   one small shared mapping: pins of readers, by process
 *   DIR/lock     held by the one process that writes
 *
 * Copy-on-write B+trees. One write transaction at a time (threads queue; another *process* that wants
 * to write gets SEAM_CONFLICT). Any number of read transactions, each on the snapshot of one commit; they
 * take no latch and never wait for the writer, nor it for them. Isolation: write transactions are
 * serializable (they run one after another), read transactions read one committed state.
 *
 * The log is the only thing written at commit: logical row changes (wal/change.h). A checkpoint writes
 * changed pages to free places and flips a meta page; recovery is "open, replay the log after that LSN".
 * A second process (or the same one) opens the same folder read-only: newest checkpoint + log, in private
 * memory; the same way, from an older kept checkpoint, gives any AS OF moment.
 *
 * Processes: a handle belongs to the process that opened it. After a fork the child is refused in every call
 * (SEAM_CONFLICT: one load, engine/base/thread.h); closing it there gives up memory only. A child opens its own.
 *
 * Threads: a handle may be used from any thread. A transaction and its cursors belong to one thread at a
 * time. Rows and keys that are returned point into cached pages: valid until the next call on the same
 * transaction (gets) or cursor (scans), and never after the transaction ended. Write transactions: also
 * until the next change.
 *
 * Imports: engine, wal. Imported by: pipeline. Reading order: oltp/README.md. Papers: papers/oltp.md
 * (Bayer & McCreight 1972; Graefe 2011; Rodeh 2008; Leis et al. 2018, 2023; Crotty et al. 2022). */
#ifndef SEAM_OLTP_OLTP_H
#define SEAM_OLTP_OLTP_H

#include "engine/base/clock.h"
#include "engine/base/histogram.h"
#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"
#include "engine/values/row.h"
#include "wal/change.h"
#include "wal/wal.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OLTP_PAGE_SIZE = 8192,
    OLTP_KEY_MAX = 1024,     /* bytes of an encoded key (primary, or index columns + primary) */
    OLTP_ROW_MAX = 16 << 20, /* bytes of an encoded row, or of an event's payload */
    OLTP_SCHEMA_MAX =
        512 << 10, /* bytes of a table's shape as JSON: what every room downstream reads */
    OLTP_EVENT_TYPE_MAX = 255, /* bytes of an event's type; its topic: 255, its key: 64 KiB */
    OLTP_TABLES_MAX = 1024,
    OLTP_READERS_MAX = 126, /* read transactions open at once, a handle */
    OLTP_SAVEPOINTS_MAX = 64,
    OLTP_PINS_MAX = 63, /* other handles (readers, backups) on one folder at once */
    OLTP_CACHE_MIN = 2 << 20,
    OLTP_HOLDER_MAX = 24,
};

struct oltp;
struct oltp_txn;
struct oltp_cursor;

/* The moments that a zero in the options does not mean. Nothing is kept of them: SEAM_NOT_FOUND, which says so. */
#define OLTP_AS_OF_ZERO  (SEAM_LSN_MAX - 1)
#define OLTP_AS_OF_EPOCH (INT64_MIN + 1)

/* Told how far a recovery, backup, verify or clone is; may be NULL. */
struct oltp_progress {
    void (*step)(void *ctx, const char *what, uint64_t done, uint64_t total);
    void *ctx;
};

struct oltp_options {    /* zero means the default in brackets */
    struct wal *wal;     /* writer: the open log; stays the caller's. NULL: opened from wal_dir */
    const char *wal_dir; /* [DIR/../wal]; always needed read-only when it is elsewhere */
    size_t cache_bytes;  /* page cache budget [256 MiB], at least OLTP_CACHE_MIN */
    uint64_t
        checkpoint_log_bytes;    /* a commit that finds more log than this since the last checkpoint
                                    * begins one, which the commits of the next third of it complete, a
                                    * piece each [256 MiB]; UINT64_MAX: only when asked */
    uint32_t retain_checkpoints; /* older checkpoints kept for AS OF, besides the newest [0] */
    int64_t retain_us;           /* ... and those younger than this [0] */
    struct seam_clock *clock;    /* [seam_clock_real()] */
    struct seam_trace *trace;    /* [off] store "oltp" */
    const uint8_t
        *platform; /* 16 bytes: whose the store is; pages of another: SEAM_CONFLICT [used alone] */
    uint64_t seed; /* for the file id at creation [from the clock and process id] */
    const char *holder; /* this handle's name in the pins of other processes ["reader"] */
    struct oltp_progress progress;
    int recovery_helpers; /* threads that load pages ahead of a replay of the log; they have ended when
                                  * the open or refresh returns [1; on a simulated disk none]; -1: none */

    uint64_t lock_wait_us; /* writer: wait so long for another writing process to end, then
                              SEAM_CONFLICT [0]; a log opened here waits likewise */

    bool read_only;   /* any process, while a writer runs or not; nothing is changed on disk
                                  * but DIR/shared (its pin) */
    seam_lsn_t as_of; /* read-only: exactly the commits with commit LSN <= as_of [newest durable];
                         OLTP_AS_OF_ZERO for LSN 0, since zero is the default */
    int64_t as_of_us; /* ... or the last commit at or before this wall time [off]; OLTP_AS_OF_EPOCH
                         for the time 0, 1970-01-01 */
    size_t private_bytes; /* read-only: memory for pages that the replay changes [1 GiB] */
};

/* Opens (writer: creates) the database in `dir`.
 * SEAM_CONFLICT: another process writes it (fault: pid). SEAM_NOT_FOUND: read-only and not there, or `as_of`
 * lies before the oldest kept checkpoint, before the first commit, or after the durable end. SEAM_CORRUPT: file and offset. */
SEAM_MUST_USE enum seam_status oltp_open(struct seam_io *io, const char *dir,
                                         const struct oltp_options *o, struct oltp **out,
                                         struct seam_fault *f);
/* Accepts NULL. All transactions must have ended. Does not checkpoint: the log has everything. Closes the
 * log only when oltp_open opened it (then its status is returned). */
enum seam_status oltp_close(struct oltp *db, struct seam_fault *f);
/* Read-only handles: moves on to what is durable now (or to `to`, when it is less: SEAM_LSN_MAX = newest).
 * Open read transactions keep their snapshot. A handle with as_of cannot be refreshed (SEAM_INVALID). */
SEAM_MUST_USE enum seam_status oltp_refresh(struct oltp *db, seam_lsn_t to, struct seam_fault *f);
struct wal *oltp_wal(struct oltp *db); /* writer handles; else NULL */
/* The history that the state of this handle belongs to (wal.h); an LSN of another one is another moment. 0: not known. */
uint64_t oltp_history(struct oltp *db);

/* ---- transactions ---- */
/* The newest committed state of this handle. Allocates nothing, never waits. SEAM_LIMIT: too many readers. */
SEAM_MUST_USE enum seam_status oltp_read_begin(struct oltp *db, struct oltp_txn **out,
                                               struct seam_fault *f);
/* The same, once that state is durable: what it shows no crash takes back. Waits for a sync that others' commits may
 * still need. Handles of other processes read the durable state anyway. */
SEAM_MUST_USE enum seam_status oltp_read_begin_durable(struct oltp *db, struct oltp_txn **out,
                                                       struct seam_fault *f);
/* Waits for the running write transaction to commit or roll back (not for its sync).
 * SEAM_UNSUPPORTED: read-only handle. SEAM_IO: an earlier log failure poisoned the handle. */
SEAM_MUST_USE enum seam_status oltp_write_begin(struct oltp *db, struct oltp_txn **out,
                                                struct seam_fault *f);
/* Ends a read transaction, or rolls a write transaction back. Accepts NULL. */
void oltp_end(struct oltp_txn *t);

enum oltp_mode {
    OLTP_DURABLE, /* returns when the commit is synced; threads share the sync. Of a transaction that only read: when
                    * what it read is synced */
    OLTP_DEFERRED, /* returns at once; a crash may lose the commits of the log's deferred window
                    * (wal_options.deferred_us, deferred_bytes), never half of one */
};
struct oltp_commit {
    seam_lsn_t lsn;
    int64_t wall_us;
    uint64_t txn, changes;
};
/* Ends the transaction whatever it returns. `out` may be NULL. A transaction without changes gets the LSN of the
 * state it read. After a failure nobody was promised anything: the outcome is known after reopening. */
SEAM_MUST_USE enum seam_status oltp_commit(struct oltp_txn *t, enum oltp_mode mode,
                                           struct oltp_commit *out, struct seam_fault *f);
/* As oltp_commit(OLTP_DURABLE) without the wait; end it with oltp_wait(lsn), e.g. once for many. */
SEAM_MUST_USE enum seam_status oltp_commit_nowait(struct oltp_txn *t, struct oltp_commit *out,
                                                  struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_wait(struct oltp *db, seam_lsn_t lsn, struct seam_fault *f);

/* Savepoints nest; *id is for the two below. Rolling back to one keeps it (and drops inner ones). */
SEAM_MUST_USE enum seam_status oltp_savepoint(struct oltp_txn *t, uint32_t *id,
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_rollback_to(struct oltp_txn *t, uint32_t id,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_release(struct oltp_txn *t, uint32_t id, struct seam_fault *f);

seam_lsn_t oltp_txn_lsn(const struct oltp_txn *t); /* of the commit whose state it reads */
int64_t
oltp_txn_wall_us(const struct oltp_txn *t); /* ... and its wall time; 0 = nothing committed yet */
uint64_t oltp_txn_id(const struct oltp_txn *t); /* write transactions: the id in the log */
seam_lsn_t oltp_lsn(struct oltp *db);           /* newest committed state of this handle */

/* ---- the catalogue: tables are data ---- */
/* Table id (from 1; never reused) by name. SEAM_NOT_FOUND. */
SEAM_MUST_USE enum seam_status oltp_table(struct oltp_txn *t, const char *name, uint32_t *table,
                                          struct seam_fault *f);
/* Its schema as the transaction sees it; valid until the transaction ends. NULL: no such table. */
const struct seam_schema *oltp_schema(struct oltp_txn *t, uint32_t table);
/* Index id by name (0 = the primary tree has no name); SEAM_NOT_FOUND. */
SEAM_MUST_USE enum seam_status oltp_index(struct oltp_txn *t, uint32_t table, const char *name,
                                          uint32_t *index, struct seam_fault *f);
/* Ids of the tables, ascending, at most `max`; returns how many there are. */
size_t oltp_tables(struct oltp_txn *t, uint32_t *ids, size_t max);
/* Rows in a table (or entries in an index), exact, O(1). */
uint64_t oltp_count(struct oltp_txn *t, uint32_t table, uint32_t index);

/* In a write transaction; logged; undone by rollback. `s` is copied; its id is given here.
 * SEAM_EXISTS: the name is taken. SEAM_INVALID: not a table one can store. */
SEAM_MUST_USE enum seam_status oltp_create_table(struct oltp_txn *t, const struct seam_schema *s,
                                                 uint32_t *table, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_create_table_json(struct oltp_txn *t, const char *json,
                                                      size_t n, uint32_t *table,
                                                      struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_drop_table(struct oltp_txn *t, uint32_t table,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_add_column(struct oltp_txn *t, uint32_t table,
                                               const struct seam_column *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_drop_column(struct oltp_txn *t, uint32_t table,
                                                const char *name, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_rename_column(struct oltp_txn *t, uint32_t table,
                                                  const char *from, const char *to,
                                                  struct seam_fault *f);
/* Builds the index from the rows there are. SEAM_EXISTS: the name, or (unique) two equal rows. */
SEAM_MUST_USE enum seam_status oltp_create_index(struct oltp_txn *t, uint32_t table,
                                                 const char *name, const char *const *columns,
                                                 size_t count, bool unique, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_drop_index(struct oltp_txn *t, uint32_t table, const char *name,
                                               struct seam_fault *f);

/* ---- changes ----
 * `values` has one entry a schema column (engine/values/row.h). Every change keeps the indexes right, and is
 * logged with the row before and after. SEAM_EXISTS: a unique index has the value already (fault: index).
 * A failed change changes nothing and leaves the transaction usable, except SEAM_IO, SEAM_NOMEM, SEAM_CORRUPT:
 * then only oltp_end and oltp_commit (which fails) remain. */
SEAM_MUST_USE enum seam_status
oltp_put(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
         struct seam_fault *f); /* insert, or replace the row with this key */
SEAM_MUST_USE enum seam_status
oltp_insert(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
            struct seam_fault *f); /* SEAM_EXISTS when the key is there */
SEAM_MUST_USE enum seam_status
oltp_update(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
            struct seam_fault *f); /* SEAM_NOT_FOUND when it is not */
/* As oltp_update, when the stored row's `column` equals `expected`; else SEAM_CONFLICT. */
SEAM_MUST_USE enum seam_status oltp_update_if(struct oltp_txn *t, uint32_t table,
                                              const struct seam_value *values, int column,
                                              const struct seam_value *expected,
                                              struct seam_fault *f);
/* key_values: one value a key column, in key order. SEAM_NOT_FOUND. */
SEAM_MUST_USE enum seam_status oltp_delete(struct oltp_txn *t, uint32_t table,
                                           const struct seam_value *key_values,
                                           struct seam_fault *f);
/* Encoded forms, for repairs and bulk movers: key and row must belong together (checked).
 * flags: WAL_CHANGE_REPAIR or 0. op: WAL_OP_INSERT (SEAM_EXISTS), WAL_OP_UPDATE (upsert), WAL_OP_DELETE (row ignored; absent is
 * SEAM_NOT_FOUND, with WAL_CHANGE_REPAIR logged all the same). With WAL_CHANGE_REPAIR a row equal to the stored one is
 * logged again. */
SEAM_MUST_USE enum seam_status oltp_apply(struct oltp_txn *t, uint32_t table, enum wal_change_op op,
                                          uint8_t flags, struct wal_bytes key, struct wal_bytes row,
                                          struct seam_fault *f);
/* An event for the stream, in this transaction: it happens if and only if the transaction does.
 * topic = aggregate type, key = aggregate id, `type` = event type. In the log: OUTBOX with payload
 * {varint length, type, payload}: read it with oltp_outbox_get. SEAM_LIMIT: a part is too long; nothing was put. */
SEAM_MUST_USE enum seam_status oltp_outbox_put(struct oltp_txn *t, const char *aggregate_type,
                                               struct wal_bytes aggregate_id, const char *type,
                                               struct wal_bytes payload, struct seam_fault *f);
struct oltp_event {
    struct wal_bytes topic, key, type, payload;
};
/* Splits a logged outbox payload into its event type and body. SEAM_CORRUPT: there is none, or it is longer than
 * oltp_outbox_put allows (type and payload are what there is, when type.data is not NULL). */
SEAM_MUST_USE enum seam_status oltp_outbox_get(struct wal_bytes logged, struct wal_bytes *type,
                                               struct wal_bytes *payload, struct seam_fault *f);

/* ---- reads (read and write transactions; a write transaction sees its own changes) ---- */
struct oltp_row {
    struct wal_bytes key; /* encoded primary key */
    struct wal_bytes row; /* encoded row: seam_row_decode, seam_row_get */
    struct wal_bytes
        index_key; /* index cursors: the index's entry (its columns, then the primary key) */
};
/* SEAM_NOT_FOUND when absent. */
SEAM_MUST_USE enum seam_status oltp_get(struct oltp_txn *t, uint32_t table,
                                        const struct seam_value *key_values, struct oltp_row *out,
                                        struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_get_key(struct oltp_txn *t, uint32_t table,
                                            struct wal_bytes key, struct oltp_row *out,
                                            struct seam_fault *f);
/* The one row with these values in a unique index. */
SEAM_MUST_USE enum seam_status oltp_get_by(struct oltp_txn *t, uint32_t table, uint32_t index,
                                           const struct seam_value *values, struct oltp_row *out,
                                           struct seam_fault *f);
/* Encodes the first `n` columns of the key (index 0) or of an index: a key, or a bound of a range. */
SEAM_MUST_USE enum seam_status oltp_key(struct oltp_txn *t, uint32_t table, uint32_t index,
                                        const struct seam_value *values, size_t n,
                                        struct seam_buf *out, struct seam_fault *f);

/* A range of encoded keys. data NULL = open end. A bound may hold the first columns only: "including"
 * it then means every key that starts with it. */
struct oltp_range {
    struct wal_bytes lower, upper;
    bool lower_excluded; /* start after lower */
    bool upper_included; /* end after upper, not before it */
};
enum oltp_cursor_flags { OLTP_KEYS_ONLY = 1 /* index cursors: do not fetch the rows */ };
/* Cursor over a table (index 0, in key order) or an index; range NULL = all. The bounds are copied. A new one
 * stands before the first and after the last: next gives the first, prev the last.
 * From then on it stands *between* entries, as a caret between letters: next steps over one to the right and gives
 * it, prev over one to the left and gives it. So over a, b, c the steps next, next, prev, next give a, b, b, b (LMDB's
 * cursor stands on an entry and would give a, b, a, b); and prev after SEAM_END of next gives the last. It stays right
 * when the transaction changes rows meanwhile: it goes on from the place it stands at. */
SEAM_MUST_USE enum seam_status oltp_cursor_open(struct oltp_txn *t, uint32_t table, uint32_t index,
                                                const struct oltp_range *range, unsigned flags,
                                                struct oltp_cursor **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_cursor_next(struct oltp_cursor *c, struct oltp_row *out,
                                                struct seam_fault *f); /* SEAM_END */
SEAM_MUST_USE enum seam_status oltp_cursor_prev(struct oltp_cursor *c, struct oltp_row *out,
                                                struct seam_fault *f);
/* Puts it just before the first entry >= key (clamped to the range): next gives that one, prev the one before. */
SEAM_MUST_USE enum seam_status oltp_cursor_seek(struct oltp_cursor *c, struct wal_bytes key,
                                                struct seam_fault *f);
void oltp_cursor_close(struct oltp_cursor *c); /* before its transaction ends; accepts NULL */

/* ---- upkeep ---- */
/* Writes what changed since the last one, in the calling thread, while others read and write; then lets
 * go of the log that neither recovery, retention nor a slot needs. */
SEAM_MUST_USE enum seam_status oltp_checkpoint(struct oltp *db, struct seam_fault *f);
/* Call it when idle: heartbeat in the log (wal_heartbeat), deferred commits synced, dead pins dropped. */
SEAM_MUST_USE enum seam_status oltp_heartbeat(struct oltp *db, struct seam_fault *f);
/* After the clock had been wrong and is right again: the next commit, made here without changes, has the clock's time, though the
 * last one's lies after it, and a checkpoint follows. AS OF TIME is right again from then on; the commits before with
 * times after that moment share it (what the clock had read stands in the log beside each). Commit times never step back
 * otherwise, and a leap ahead is not believed at once: oltp/commit_time.c. */
SEAM_MUST_USE enum seam_status oltp_clock_mend(struct oltp *db, struct oltp_commit *out,
                                               struct seam_fault *f);
/* Moves pages towards the front and cuts the file; online, in small transactions. *freed: bytes given back. */
SEAM_MUST_USE enum seam_status oltp_vacuum(struct oltp *db, uint64_t *freed, struct seam_fault *f);
/* Makes a page file of format 1 one of format 2, in place (a crash leaves the one or the other); nothing may be open.
 * `owner` and `log_id` are what the new file says of itself. The checkpoint in force is carried over, kept older ones
 * are not. dry_run: only looks. out->format: what the file was; 2: nothing to do. */
struct seam_owner;
struct oltp_upgraded {
    unsigned format;
    seam_lsn_t lsn; /* of the checkpoint */
    uint64_t trees, entries, pages;
};
SEAM_MUST_USE enum seam_status oltp_upgrade(struct seam_io *io, const char *dir,
                                            const struct seam_owner *owner, uint64_t log_id,
                                            bool dry_run, struct oltp_upgraded *out,
                                            struct oltp_progress progress, struct seam_fault *f);
/* A copy of the state AS OF the LSN `as_of` (SEAM_LSN_MAX: newest durable) as a new folder with one checkpoint, while
 * writers go on. *at: the LSN it is consistent at. The new database continues with a log whose next LSN is
 * at least *at: the caller copies or starts that log. */
SEAM_MUST_USE enum seam_status oltp_clone(struct seam_io *io, const char *dir, const char *wal_dir,
                                          seam_lsn_t as_of, const char *new_dir, seam_lsn_t *at,
                                          struct oltp_progress progress, struct seam_fault *f);

struct oltp_checkpoint_info {
    uint64_t seq;
    seam_lsn_t lsn;
    int64_t wall_us;
};
/* Kept checkpoints, oldest first: AS OF is possible from out[0].lsn on. Free with free(). */
SEAM_MUST_USE enum seam_status oltp_checkpoints(struct seam_io *io, const char *dir,
                                                struct oltp_checkpoint_info **out, size_t *count,
                                                struct seam_fault *f);
/* The last commit at or before a wall time: its LSN. SEAM_NOT_FOUND: before what is kept. */
SEAM_MUST_USE enum seam_status oltp_lsn_at(struct seam_io *io, const char *dir, const char *wal_dir,
                                           int64_t wall_us, seam_lsn_t *lsn, int64_t *commit_us,
                                           struct seam_fault *f);

enum oltp_pin_kind { OLTP_PIN_READER = 1, OLTP_PIN_RETENTION = 2, OLTP_PIN_TXN = 3 };
struct oltp_pin {
    enum oltp_pin_kind kind;
    char holder[OLTP_HOLDER_MAX];
    int64_t pid;
    bool alive;
    seam_lsn_t lsn;      /* the checkpoint or snapshot it holds */
    int64_t since_us;    /* wall clock */
    uint64_t log_bytes;  /* log kept for it: durable - lsn */
    uint64_t page_bytes; /* pages that only it keeps from reuse (writer handles; else 0) */
};
/* Everything that holds pages or log: handles of other processes, kept checkpoints, and (given db) open read
 * transactions. `db` may be NULL. Pins of dead processes are dropped and listed with alive = false. */
SEAM_MUST_USE enum seam_status oltp_pins(struct seam_io *io, const char *dir, struct oltp *db,
                                         struct oltp_pin *out, size_t max, size_t *count,
                                         struct seam_fault *f);

struct oltp_stats {
    uint64_t page_size, file_bytes, pages, free_pages,
        pending_pages; /* pending: dead, still seen by a pin */
    uint64_t cache_bytes, cache_used, cache_dirty;
    uint64_t
        cache_probation; /* bytes of cache_used that were used once so far: the next to leave */
    uint64_t uses, loads,
        evictions; /* pages asked for; those that had to be read; those that left */
    uint64_t page_writes, write_backs; /* pages written; those of them early, to make room */
    uint64_t read_ahead;               /* pages the disk was asked for before they were wanted */
    uint64_t commits, changes, rollbacks, splits, merges, copies, checkpoints, readers;
    seam_lsn_t lsn, durable_lsn, checkpoint_lsn;
    uint64_t checkpoint_log_bytes; /* log since the last checkpoint: what a recovery would replay */
    uint64_t replayed_changes, replay_ns; /* at open */
    enum seam_status
        background_status; /* of a checkpoint or trim that failed in the background, until one works */
    char background[WAL_TROUBLE_MAX]; /* its fault as text */
    struct seam_histogram commit_ns;  /* durable commits, waiting included */
    struct seam_histogram stall_ns; /* a commit held by a checkpoint: its begin, or a piece of it */
};
void oltp_stats(struct oltp *db, struct oltp_stats *out);

struct oltp_tree_stats {
    uint64_t entries, leaves, inners, overflow_pages, depth, bytes_used;
    double fill;
};
/* Walks one tree of the transaction's snapshot. */
SEAM_MUST_USE enum seam_status oltp_tree_stats(struct oltp_txn *t, uint32_t table, uint32_t index,
                                               struct oltp_tree_stats *out, struct seam_fault *f);

struct oltp_check {
    uint64_t trees, pages, rows, index_entries, problems;
    seam_lsn_t lsn;
};
/* Walks every page and invariant of the newest state: checksums, identity, order, fill, depth, reachability, free
 * space, counts, index = table, rows decode. Each problem adds a line to `report`; SEAM_CORRUPT at the end when
 * there was one. Works beside a writer. `report` may be NULL. */
SEAM_MUST_USE enum seam_status oltp_verify(struct seam_io *io, const char *dir, const char *wal_dir,
                                           struct oltp_check *out, struct seam_buf *report,
                                           struct oltp_progress progress, struct seam_fault *f);
/* Explains one page of a page file (0, 1: the meta pages) as text, damaged or not. */
SEAM_MUST_USE enum seam_status oltp_dump(struct seam_io *io, const char *pages_path, uint32_t page,
                                         struct seam_buf *out, struct seam_fault *f);
/* Draws a tree of the transaction's snapshot as text: one line a page, at most `max_pages`. */
SEAM_MUST_USE enum seam_status oltp_dump_tree(struct oltp_txn *t, uint32_t table, uint32_t index,
                                              size_t max_pages, struct seam_buf *out,
                                              struct seam_fault *f);

/* Every readable row of a damaged page file, page by page, newest version of a key first seen wins (by page LSN).
 * The catalogue is taken from the file, or from `schemas` (a JSON array) when that is damaged too.
 * row: called for each; *lost pages are reported as lines. */
struct oltp_salvaged {
    uint64_t pages, bad_pages, rows, bad_rows;
};
SEAM_MUST_USE enum seam_status
oltp_salvage(struct seam_io *io, const char *dir, const char *schemas,
             enum seam_status (*row)(void *ctx, const struct seam_schema *s, struct wal_bytes key,
                                     struct wal_bytes row),
             void *ctx, struct oltp_salvaged *out, struct seam_buf *report, struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
