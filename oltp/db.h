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
static_assert(INDEXES_MAX < 1 << TREE_INDEX_BITS, "a tree's number has room for its index");

struct table { /* immutable once in a catalogue; owned by the handle until it closes */
    struct schema schema;
    uint32_t primary;               /* tree slots in the version */
    uint32_t index[INDEXES_MAX];    /* by position in schema.indexes */
    struct table *next_owned;
};

struct catalog { /* likewise */
    struct table **tables;          /* by id - 1; NULL = dropped */
    uint32_t table_count;           /* ids given so far */
    uint32_t slots;                 /* tree slots given so far */
    struct catalog *next_owned;
};

struct version {
    _Atomic uint64_t epoch;
    lsn_t lsn;
    int64_t wall_us;
    const struct catalog *catalog;
    struct tree *trees;
    uint32_t tree_cap;
    struct version *next;           /* in the list of retired or spare ones */
};

struct checkpoint { /* as the meta page and the retained list have it */
    uint64_t seq, epoch;
    lsn_t lsn;
    int64_t wall_us;
    uint32_t catalog_page, space_page; /* first blob pages; 0 = none */
    uint32_t pages;
    uint64_t last_txn;
};

struct savepoint {
    size_t made, freed, pending;
    uint64_t own_epoch, seq, changes;
    struct tree *trees;
    const struct catalog *catalog;
    uint32_t slots;
};

struct oltp_cursor {
    struct oltp_txn *t;
    struct tree_cursor c;
    uint32_t table, slot;
    const struct table *def;
    int index;                      /* position in schema.indexes; -1 = the primary tree */
    unsigned flags;
    struct buf lower, upper;        /* upper is exclusive */
    bool has_lower, has_upper;
    unsigned begin, end;            /* of the leaf's entries, those inside the range */
    uint64_t stamp;                 /* of the transaction, when it was placed */
    struct buf place;               /* the key it stands on: remembered by seek, write transactions and failures */
    bool placed, after;             /* `place` counts; after = the cursor is just behind it */
    struct hazard *row_hazard;      /* the row an index entry leads to */
    struct buf big;
    uint8_t key[OLTP_KEY_MAX + 4];  /* of the last row; a head is written whole */
    size_t key_size;
    struct oltp_cursor *next_spare;
};

struct oltp_txn {
    struct oltp *db;
    bool write;
    enum status failed;             /* write: the first fatal status; then only rollback remains */
    const struct catalog *catalog;
    struct tree *trees;             /* read: the version's; write: a working copy */
    struct version *version;        /* the state it began on */
    struct hazard *hazard;
    struct buf big, key;
    struct oltp_cursor *spare;      /* closed cursors, kept for the next open */

    /* write only */
    uint64_t id, seq, changes, first_epoch;
    uint64_t stamp;                 /* raised by every change and rollback: cursors find their place again */
    bool begun;                     /* BEGIN is in the log */
    lsn_t begin_start;
    struct savepoint *saves;        /* OLTP_SAVEPOINTS_MAX */
    uint32_t save_count;
    struct buf pending;             /* records not yet given to the log, while savepoints are open */
    struct buf row, before, index_key, text;
    struct value *values, *old_values;
    uint32_t tree_cap;
};

struct snapshot_slot {
    _Alignas(64) _Atomic uint64_t epoch; /* 0 = no snapshot held */
    _Atomic uint32_t taken;
    _Atomic int64_t since_us;            /* for the list of pins */
    _Atomic lsn_t lsn;
    struct oltp_txn txn;
};

/* DIR/shared: 64 bytes of header, then pins. Memory shared by processes; nothing durable. */
struct pin {
    _Atomic uint32_t state; /* 0 free, 1 taken */
    uint32_t kind;
    _Atomic int64_t pid;
    _Atomic uint64_t epoch, lsn;
    int64_t since_us;
    char holder[OLTP_HOLDER_MAX];
};
struct shared {
    _Atomic uint64_t magic;
    _Atomic int64_t writer_pid;
    uint8_t zeros[48];
    struct pin pins[OLTP_PINS_MAX];
};
static_assert(sizeof(struct pin) == PIN_BYTES, "a pin is a line of cache");
static_assert(sizeof(struct shared) == SHARED_BYTES, "the shared file is one page");

struct oltp {
    struct io *io;
    char dir[PATH_MAX_BYTES], wal_dir[PATH_MAX_BYTES], shared_path[PATH_MAX_BYTES];
    struct oltp_options o;
    struct clock *clock;
    struct trace *trace;
    struct wal *wal;
    bool own_wal, read_only, base_only;
    struct file *lock;
    struct shared *shared;
    struct pin *pin;                /* read-only handles: their own */
    struct pager pager;

    _Atomic(struct version *) current;
    struct version *retired, *spare; /* writer latch */
    struct snapshot_slot *readers;
    _Atomic size_t readers_high;    /* slots from here on were never used */
    struct catalog *catalogs;       /* every one ever made by this handle */
    struct table *tables;

    pthread_mutex_t writer_latch, checkpoint_latch, stats_latch;
    _Atomic enum status poisoned;
    struct fault poison;            /* written once, before `poisoned` */
    struct tree_writer w;
    struct oltp_txn txn;            /* the write transaction */
    uint64_t epoch, last_txn;

    struct checkpoint newest;       /* on disk; writer latch */
    struct checkpoint retained[RETAINED_MAX];
    size_t retained_count;
    struct making *making;          /* the checkpoint in progress; checkpoint_latch */
    uint64_t in_progress;           /* its epoch; 0 = none; writer latch */
    uint64_t pinned[OLTP_PINS_MAX]; /* epochs of foreign pins on checkpoints given up otherwise */
    size_t pinned_count;
    uint32_t *blob_pages;           /* of the newest checkpoint: dead when the next is durable */
    size_t blob_count;
    uint64_t *seen, *seen_before;   /* room for every epoch that can be seen at once */
    size_t seen_before_count, dead_scanned;
    _Atomic lsn_t checkpoint_lsn;
    bool meta_damaged[2];

    lsn_t replay_from;              /* read-only: where a refresh goes on reading */
    int64_t replay_wall_us;
    _Atomic uint64_t commits, changes, rollbacks, checkpoints, replayed, replay_ns;
    struct histogram commit_ns, stall_ns;
};

static inline uint32_t tree_number(uint32_t table, unsigned index_id)
{
    return table << TREE_INDEX_BITS | index_id;
}
static inline const struct table *table_of(const struct oltp_txn *t, uint32_t table)
{
    if (table == 0 || table > t->catalog->table_count) return NULL;
    return t->catalog->tables[table - 1];
}
enum status table_unknown(uint32_t table, struct fault *f);

/* txn.c */
MUST_USE enum status version_make(struct oltp *db, uint32_t trees, struct version **out, struct fault *f);
void version_publish(struct oltp *db, struct version *v); /* writer latch held */
size_t epochs_seen(struct oltp *db);                     /* into db->seen, ascending; writer latch held */
void dead_release(struct oltp *db);                      /* frees what nothing sees; writer latch held */
MUST_USE enum status txn_prepare_write(struct oltp *db, struct fault *f); /* latch held: sets up db->txn */
enum status txn_fatal(struct oltp_txn *t, enum status st);
enum status db_poison(struct oltp *db, enum status st, const struct fault *f);
MUST_USE enum status db_poisoned(struct oltp *db, struct fault *f);
/* Makes the write transaction's trees the current version; frees what it replaced. Latch held. */
MUST_USE enum status txn_install(struct oltp_txn *t, lsn_t lsn, int64_t wall_us, struct fault *f);
void txn_discard(struct oltp_txn *t, const struct savepoint *to); /* pages and trees back to `to`, or all */
MUST_USE enum status save_push(struct oltp_txn *t, struct fault *f);

/* log.c: what the transaction says to the log */
MUST_USE enum status log_row(struct oltp_txn *t, const struct change_row *c, struct fault *f);
MUST_USE enum status log_record(struct oltp_txn *t, uint8_t type, const struct buf *payload, struct fault *f);
MUST_USE enum status log_begin(struct oltp_txn *t, struct fault *f);
MUST_USE enum status log_flush_pending(struct oltp_txn *t, struct fault *f);

/* table.c: rows with their indexes, logged or not */
struct row_change {
    enum change_op op;      /* OP_UPDATE here means: whatever is there */
    bool must_exist, must_not_exist, log, tolerate_missing;
    uint8_t flags;
    struct bytes key, row;
    int if_column;          /* -1, or the stored row's column must equal: */
    const struct value *expected;
};
MUST_USE enum status row_apply(struct oltp_txn *t, uint32_t id, const struct table *tb, const struct row_change *c,
                               struct fault *f);
MUST_USE enum status index_entry_key(const struct table *tb, unsigned ix, const struct value *values,
                                     struct bytes primary, struct buf *out, size_t *prefix, bool *has_null,
                                     struct fault *f);
/* The primary key at the end of an index entry. */
MUST_USE enum status index_entry_primary(const struct schema *s, unsigned ix, struct bytes entry,
                                         struct buf *text, struct bytes *primary, struct fault *f);

/* read.c */
void cursor_free(struct oltp_cursor *c);

/* catalog.c */
MUST_USE enum status catalog_copy(struct oltp *db, const struct catalog *from, struct catalog **out,
                                  struct fault *f);
MUST_USE enum status table_own(struct oltp *db, struct table **out, struct fault *f);
/* Makes `s` (moved from) the shape of table `id` in this transaction: new trees and indexes are built, gone ones
 * dropped. s NULL: the table is dropped. */
MUST_USE enum status catalog_set(struct oltp_txn *t, uint32_t id, struct schema *s, struct fault *f);
void catalog_encode(const struct catalog *c, const struct tree *trees, struct buf *out);
MUST_USE enum status catalog_decode(struct oltp *db, struct reader *r, const char *where, struct catalog **out,
                                    struct tree **trees, struct fault *f);

/* ahead.c; ahead NULL: nobody helps */
struct ahead;
/* Threads that load the pages the log after `from` will change. NULL: no memory. */
struct ahead *ahead_start(struct oltp *db, lsn_t from, int helpers);
void ahead_consumed(struct ahead *a, uint64_t rows); /* the replay is done with so many row records */
void ahead_stop(struct ahead *a);                    /* joins them */

/* replay.c */
struct replay_stop { lsn_t lsn; int64_t wall_us; }; /* LSN_MAX, INT64_MAX: to the end */
MUST_USE enum status replay(struct oltp *db, lsn_t from, struct replay_stop stop, struct fault *f);

/* checkpoint.c */
void meta_encode(const struct checkpoint *c, uint64_t file_id, uint8_t out[META_SIZE]);
/* ST_CORRUPT with why. */
MUST_USE enum status meta_decode(const uint8_t in[META_SIZE], unsigned slot, const char *path,
                                 struct checkpoint *c, uint64_t *file_id, struct fault *f);
/* The newest valid meta page; damaged[] tells which are not. */
MUST_USE enum status meta_read(struct file *file, struct checkpoint *newest, uint64_t *file_id,
                               bool damaged[2], struct fault *f);
/* A chain of blob pages: its bytes appended to out, its page numbers to *pages (malloc'ed; may be NULL). */
MUST_USE enum status blob_read(struct pager *p, uint32_t first, struct buf *out, uint32_t **pages, size_t *count,
                               struct fault *f);
/* What a checkpoint keeps besides the catalogue, read into the handle: space, dead pages, retained list. */
MUST_USE enum status space_load(struct oltp *db, const struct checkpoint *c, struct fault *f);
MUST_USE enum status pages_create(struct io *io, const char *dir, const char *path, uint64_t file_id,
                                  struct fault *f);
/* checkpoint_latch held: one of the newest state, whole (`force`: also when the last one has it all). */
MUST_USE enum status checkpoint_now(struct oltp *db, bool force, struct fault *f);
MUST_USE enum status checkpoint_finish(struct oltp *db, struct fault *f); /* the one in progress; latch held */
void checkpoint_drop(struct oltp *db);                                    /* at close */
/* A commit's turn: begins a checkpoint when the log since the last has grown past the configured distance,
 * or writes a piece of the one in progress. A failure is not the commit's: it is tried again, and
 * reported by oltp_checkpoint. */
void checkpoint_pace(struct oltp *db, lsn_t lsn);

/* oltp.c */
/* A read-only handle; `base_only`: on its checkpoint, nothing replayed yet (replay_readable does). */
MUST_USE enum status reader_open(struct io *io, const char *dir, const struct oltp_options *o, bool base_only,
                                 struct oltp **out, struct fault *f);
/* A handle with nothing loaded, for salvage. */
MUST_USE enum status shell_open(struct io *io, const char *dir, struct oltp **out, struct fault *f);
MUST_USE enum status view_load(struct oltp *db, const struct checkpoint *c, struct fault *f);
MUST_USE enum status replay_readable(struct oltp *db, lsn_t to, struct fault *f);

/* pins.c */
void pins_refresh(struct oltp *db); /* writer latch held: drops the dead, gathers db->pinned */
MUST_USE enum status pin_take(struct oltp *db, enum oltp_pin_kind kind, struct fault *f);
void pin_give(struct oltp *db);

#endif
