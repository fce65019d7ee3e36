/* db - what the files of this room share: the open database, its versions, catalogue and transactions.
 *
 *   current --> version (epoch, lsn, catalogue, roots)      immutable, replaced by each commit
 *   readers[i].epoch = that version's epoch                 a snapshot is this one word
 *
 * Latches, in the order they are taken: checkpoint_latch, writer_latch, pager.latch. stats_latch last.
 * A version is reused only when no reader slot holds its epoch; a reader stores the epoch first and looks
 * at `current` again after, so one of the two sees the other. */
#ifndef SEAM_OLTP_DB_H
#define SEAM_OLTP_DB_H

#include "oltp/btree.h"

enum {
    META_SIZE = 512,
    RETAINED_MAX = 256,
    PIN_BYTES = 64,
    SHARED_BYTES = 4096,
    REPLAY_BUFFER_MAX = 16 << 20,
    TREE_INDEX_BITS = 5,
};
static_assert(SEAM_INDEXES_MAX < 1 << TREE_INDEX_BITS, "a tree's number has room for its index");

struct oltp_table { /* immutable once in a catalogue; owned by the handle until it closes */
    struct seam_schema schema;
    uint32_t primary;                 /* tree slots in the version */
    uint32_t index[SEAM_INDEXES_MAX]; /* by position in schema.indexes */
    struct oltp_table *next_owned;
};

struct oltp_catalog {           /* likewise */
    struct oltp_table **tables; /* by id - 1; NULL = dropped */
    uint32_t table_count;       /* ids given so far */
    uint32_t slots;             /* tree slots given so far */
    struct oltp_catalog *next_owned;
};

struct oltp_version {
    _Atomic uint64_t epoch;
    seam_lsn_t lsn;
    int64_t wall_us;
    const struct oltp_catalog *catalog;
    struct oltp_tree *trees;
    uint32_t tree_cap;
    struct oltp_version *next; /* in the list of retired or spare ones */
};

struct oltp_checkpoint { /* as the meta page and the retained list have it */
    uint64_t seq, epoch;
    seam_lsn_t lsn;
    int64_t wall_us;
    uint32_t catalog_page, space_page; /* first blob pages; 0 = none */
    uint32_t pages;
    uint64_t last_txn;
};

struct oltp_savepoint {
    size_t made, freed, pending;
    uint64_t own_epoch, seq, changes;
    struct oltp_tree *trees;
    const struct oltp_catalog *catalog;
    uint32_t slots;
};

struct oltp_cursor {
    struct oltp_txn *t;
    struct oltp_tree_cursor c;
    uint32_t table, slot;
    const struct oltp_table *def;
    int index; /* position in schema.indexes; -1 = the primary tree */
    unsigned flags;
    struct seam_buf lower, upper; /* upper is exclusive */
    bool has_lower, has_upper;
    unsigned begin, end; /* of the leaf's entries, those inside the range */
    uint64_t stamp;      /* of the transaction, when it was placed */
    struct seam_buf
        place; /* the key it stands on: remembered by seek, write transactions and failures */
    bool placed, after;             /* `place` counts; after = the cursor is just behind it */
    struct oltp_hazard *row_hazard; /* the row an index entry leads to */
    struct seam_buf big;
    uint8_t key[OLTP_KEY_MAX + 4]; /* of the last row; a head is written whole */
    size_t key_size;
    struct oltp_cursor *next_spare;
};

struct oltp_txn {
    struct oltp *db;
    bool write;
    enum seam_status failed; /* write: the first fatal status; then only rollback remains */
    const struct oltp_catalog *catalog;
    struct oltp_tree *trees;      /* read: the version's; write: a working copy */
    struct oltp_version *version; /* the state it began on */
    struct oltp_hazard *hazard;
    struct seam_buf big, key;
    struct oltp_cursor *spare; /* closed cursors, kept for the next open */

    /* write only */
    uint64_t id, seq, changes, first_epoch;
    uint64_t stamp; /* raised by every change and rollback: cursors find their place again */
    bool begun;     /* BEGIN is in the log */
    seam_lsn_t begin_start;
    struct oltp_savepoint *saves; /* OLTP_SAVEPOINTS_MAX */
    uint32_t save_count;
    struct seam_buf pending; /* records not yet given to the log, while savepoints are open */
    struct seam_buf row, before, index_key, text;
    struct seam_value *values, *old_values;
    uint32_t tree_cap;
};

struct oltp_snapshot_slot {
    _Alignas(64) _Atomic uint64_t epoch; /* 0 = no snapshot held */
    _Atomic uint32_t taken;
    _Atomic int64_t since_us; /* for the list of pins */
    _Atomic seam_lsn_t lsn;
    struct oltp_txn txn;
};

/* DIR/shared: 64 bytes of header, then pins. Memory shared by processes; nothing durable. */
struct oltp_pin_slot {
    _Atomic uint32_t state; /* 0 free, 1 taken */
    uint32_t kind;
    _Atomic int64_t pid;
    _Atomic uint64_t epoch, lsn;
    int64_t since_us;
    char holder[OLTP_HOLDER_MAX];
};
struct oltp_shared {
    _Atomic uint64_t magic;
    _Atomic int64_t writer_pid;
    uint8_t zeros[48];
    struct oltp_pin_slot pins[OLTP_PINS_MAX];
};
static_assert(sizeof(struct oltp_pin_slot) == PIN_BYTES, "a pin is a line of cache");
static_assert(sizeof(struct oltp_shared) == SHARED_BYTES, "the shared file is one page");

struct oltp {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES], wal_dir[SEAM_PATH_MAX_BYTES], shared_path[SEAM_PATH_MAX_BYTES];
    struct oltp_options o;
    struct seam_clock *clock;
    struct seam_trace *trace;
    struct wal *wal;
    bool own_wal, read_only, base_only;
    struct seam_file *lock;
    struct oltp_shared *shared;
    struct oltp_pin_slot *pin; /* read-only handles: their own */
    struct oltp_pager pager;

    _Atomic(struct oltp_version *) current;
    struct oltp_version *retired, *spare; /* writer latch */
    struct oltp_snapshot_slot *readers;
    _Atomic size_t readers_high;   /* slots from here on were never used */
    struct oltp_catalog *catalogs; /* every one ever made by this handle */
    struct oltp_table *tables;

    pthread_mutex_t writer_latch, checkpoint_latch, stats_latch;
    _Atomic enum seam_status poisoned;
    struct seam_fault poison; /* written once, before `poisoned` */
    struct oltp_tree_writer w;
    struct oltp_txn txn; /* the write transaction */
    uint64_t epoch, last_txn;

    struct oltp_checkpoint newest; /* on disk; writer latch */
    struct oltp_checkpoint retained[RETAINED_MAX];
    size_t retained_count;
    struct making *making;          /* the checkpoint in progress; checkpoint_latch */
    uint64_t in_progress;           /* its epoch; 0 = none; writer latch */
    uint64_t pinned[OLTP_PINS_MAX]; /* epochs of foreign pins on checkpoints given up otherwise */
    size_t pinned_count;
    uint32_t *blob_pages; /* of the newest checkpoint: dead when the next is durable */
    size_t blob_count;
    uint64_t *seen, *seen_before; /* room for every epoch that can be seen at once */
    size_t seen_before_count, dead_scanned;
    _Atomic seam_lsn_t checkpoint_lsn;
    bool meta_damaged[2];

    seam_lsn_t replay_from; /* read-only: where a refresh goes on reading */
    int64_t replay_wall_us;
    _Atomic uint64_t commits, changes, rollbacks, checkpoints, replayed, replay_ns;
    struct seam_histogram commit_ns, stall_ns;
};

static inline uint32_t tree_number(uint32_t table, unsigned index_id)
{
    return table << TREE_INDEX_BITS | index_id;
}
static inline const struct oltp_table *table_of(const struct oltp_txn *t, uint32_t table)
{
    if (table == 0 || table > t->catalog->table_count) return NULL;
    return t->catalog->tables[table - 1];
}
enum seam_status oltp_table_unknown(uint32_t table, struct seam_fault *f);

/* txn.c */
SEAM_MUST_USE enum seam_status oltp_version_make(struct oltp *db, uint32_t trees,
                                                 struct oltp_version **out, struct seam_fault *f);
void oltp_version_publish(struct oltp *db, struct oltp_version *v); /* writer latch held */
size_t oltp_epochs_seen(struct oltp *db); /* into db->seen, ascending; writer latch held */
void oltp_dead_release(struct oltp *db);  /* frees what nothing sees; writer latch held */
SEAM_MUST_USE enum seam_status
oltp_txn_prepare_write(struct oltp *db, struct seam_fault *f); /* latch held: sets up db->txn */
enum seam_status oltp_txn_fatal(struct oltp_txn *t, enum seam_status st);
enum seam_status oltp_db_poison(struct oltp *db, enum seam_status st, const struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_db_poisoned(struct oltp *db, struct seam_fault *f);
/* Makes the write transaction's trees the current version; frees what it replaced. Latch held. */
SEAM_MUST_USE enum seam_status oltp_txn_install(struct oltp_txn *t, seam_lsn_t lsn, int64_t wall_us,
                                                struct seam_fault *f);
void oltp_txn_discard(struct oltp_txn *t,
                      const struct oltp_savepoint *to); /* pages and trees back to `to`, or all */
SEAM_MUST_USE enum seam_status oltp_save_push(struct oltp_txn *t, struct seam_fault *f);

/* log.c: what the transaction says to the log */
SEAM_MUST_USE enum seam_status oltp_log_row(struct oltp_txn *t, const struct wal_change_row *c,
                                            struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_record(struct oltp_txn *t, uint8_t type,
                                               const struct seam_buf *payload,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_begin(struct oltp_txn *t, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_flush_pending(struct oltp_txn *t, struct seam_fault *f);

/* table.c: rows with their indexes, logged or not */
struct oltp_row_change {
    enum wal_change_op op; /* WAL_OP_UPDATE here means: whatever is there */
    bool must_exist, must_not_exist, log, tolerate_missing;
    uint8_t flags;
    struct wal_bytes key, row;
    int if_column; /* -1, or the stored row's column must equal: */
    const struct seam_value *expected;
};
SEAM_MUST_USE enum seam_status oltp_row_apply(struct oltp_txn *t, uint32_t id,
                                              const struct oltp_table *tb,
                                              const struct oltp_row_change *c,
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_index_entry_key(const struct oltp_table *tb, unsigned ix,
                                                    const struct seam_value *values,
                                                    struct wal_bytes primary, struct seam_buf *out,
                                                    size_t *prefix, bool *has_null,
                                                    struct seam_fault *f);
/* The primary key at the end of an index entry. */
SEAM_MUST_USE enum seam_status
oltp_index_entry_primary(const struct seam_schema *s, unsigned ix, struct wal_bytes entry,
                         struct seam_buf *text, struct wal_bytes *primary, struct seam_fault *f);

/* read.c */
void oltp_cursor_free(struct oltp_cursor *c);

/* catalog.c */
SEAM_MUST_USE enum seam_status oltp_catalog_copy(struct oltp *db, const struct oltp_catalog *from,
                                                 struct oltp_catalog **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_table_own(struct oltp *db, struct oltp_table **out,
                                              struct seam_fault *f);
/* Makes `s` (moved from) the shape of table `id` in this transaction: new trees and indexes are built, gone ones
 * dropped. s NULL: the table is dropped. */
SEAM_MUST_USE enum seam_status oltp_catalog_set(struct oltp_txn *t, uint32_t id,
                                                struct seam_schema *s, struct seam_fault *f);
void oltp_catalog_encode(const struct oltp_catalog *c, const struct oltp_tree *trees,
                         struct seam_buf *out);
SEAM_MUST_USE enum seam_status oltp_catalog_decode(struct oltp *db, struct seam_reader *r,
                                                   const char *where, struct oltp_catalog **out,
                                                   struct oltp_tree **trees, struct seam_fault *f);

/* ahead.c; ahead NULL: nobody helps */
struct oltp_ahead;
/* Threads that load the pages the log after `from` will change. NULL: no memory. */
struct oltp_ahead *oltp_ahead_start(struct oltp *db, seam_lsn_t from, int helpers);
void oltp_ahead_consumed(struct oltp_ahead *a,
                         uint64_t rows);    /* the replay is done with so many row records */
void oltp_ahead_stop(struct oltp_ahead *a); /* joins them */

/* replay.c */
struct oltp_replay_stop {
    seam_lsn_t lsn;
    int64_t wall_us;
}; /* SEAM_LSN_MAX, INT64_MAX: to the end */
SEAM_MUST_USE enum seam_status oltp_replay(struct oltp *db, seam_lsn_t from,
                                           struct oltp_replay_stop stop, struct seam_fault *f);

/* checkpoint.c */
void oltp_meta_encode(const struct oltp_checkpoint *c, uint64_t file_id, uint8_t out[META_SIZE]);
/* SEAM_CORRUPT with why. */
SEAM_MUST_USE enum seam_status oltp_meta_decode(const uint8_t in[META_SIZE], unsigned slot,
                                                const char *path, struct oltp_checkpoint *c,
                                                uint64_t *file_id, struct seam_fault *f);
/* The newest valid meta page; damaged[] tells which are not. */
SEAM_MUST_USE enum seam_status oltp_meta_read(struct seam_file *file,
                                              struct oltp_checkpoint *newest, uint64_t *file_id,
                                              bool damaged[2], struct seam_fault *f);
/* A chain of blob pages: its bytes appended to out, its page numbers to *pages (malloc'ed; may be NULL). */
SEAM_MUST_USE enum seam_status oltp_blob_read(struct oltp_pager *p, uint32_t first,
                                              struct seam_buf *out, uint32_t **pages, size_t *count,
                                              struct seam_fault *f);
/* What a checkpoint keeps besides the catalogue, read into the handle: space, dead pages, retained list. */
SEAM_MUST_USE enum seam_status oltp_space_load(struct oltp *db, const struct oltp_checkpoint *c,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_pages_create(struct seam_io *io, const char *dir,
                                                 const char *path, uint64_t file_id,
                                                 struct seam_fault *f);
/* checkpoint_latch held: one of the newest state, whole (`force`: also when the last one has it all). */
SEAM_MUST_USE enum seam_status oltp_checkpoint_now(struct oltp *db, bool force,
                                                   struct seam_fault *f);
SEAM_MUST_USE enum seam_status
oltp_checkpoint_finish(struct oltp *db, struct seam_fault *f); /* the one in progress; latch held */
void oltp_checkpoint_drop(struct oltp *db);                    /* at close */
/* A commit's turn: begins a checkpoint when the log since the last has grown past the configured distance,
 * or writes a piece of the one in progress. A failure is not the commit's: it is tried again, and
 * reported by oltp_checkpoint. */
void oltp_checkpoint_pace(struct oltp *db, seam_lsn_t lsn);

/* oltp.c */
/* A read-only handle; `base_only`: on its checkpoint, nothing replayed yet (oltp_replay_readable does). */
SEAM_MUST_USE enum seam_status oltp_reader_open(struct seam_io *io, const char *dir,
                                                const struct oltp_options *o, bool base_only,
                                                struct oltp **out, struct seam_fault *f);
/* A handle with nothing loaded, for salvage. */
SEAM_MUST_USE enum seam_status oltp_shell_open(struct seam_io *io, const char *dir,
                                               struct oltp **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_view_load(struct oltp *db, const struct oltp_checkpoint *c,
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_replay_readable(struct oltp *db, seam_lsn_t to,
                                                    struct seam_fault *f);

/* pins.c */
void oltp_pins_refresh(struct oltp *db); /* writer latch held: drops the dead, gathers db->pinned */
SEAM_MUST_USE enum seam_status oltp_pin_take(struct oltp *db, enum oltp_pin_kind kind,
                                             struct seam_fault *f);
void oltp_pin_give(struct oltp *db);

#endif
