/* commit - a transaction, above all the write transaction: what it changed, what it says to the log, how it ends.
 *
 *   begin --> changes (table.c) --> the log (log.c) --> COMMIT, a new version, the wait for the disk (commit.c)
 *
 * poison.c, log.c, txn.c, table.c, commit.c. */
#ifndef SEAM_OLTP_COMMIT_H
#define SEAM_OLTP_COMMIT_H

#include "oltp/versions.h"

struct oltp_commit_clock {
    bool known;        /* this handle has committed: */
    uint64_t mono_ns;  /* ... at this time of the monotonic clock */
    uint64_t doubt_ns; /* since when the wall clock is not believed; 0: it is */
    bool mend;         /* believe the next reading, also when it lies before */
};

struct oltp_savepoint {
    size_t made, freed, pending;
    uint64_t own_epoch, seq, changes;
    struct oltp_tree *trees;
    const struct oltp_catalog *catalog;
    uint32_t slots;
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

static inline const struct oltp_table *table_of(const struct oltp_txn *t, uint32_t table)
{
    if (table == 0 || table > t->catalog->table_count) return NULL;
    return t->catalog->tables[table - 1];
}

/* ---- poison.c ---- */
enum seam_status oltp_db_poison(struct oltp *db, enum seam_status st, const struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_db_poisoned(struct oltp *db, struct seam_fault *f);
enum seam_status oltp_txn_fatal(struct oltp_txn *t, enum seam_status st);

/* ---- log.c ---- */
SEAM_MUST_USE enum seam_status oltp_log_row(struct oltp_txn *t, const struct wal_change_row *c,
                                            struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_record(struct oltp_txn *t, uint8_t type,
                                               const struct seam_buf *payload,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_begin(struct oltp_txn *t, struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_log_flush_pending(struct oltp_txn *t, struct seam_fault *f);

/* ---- txn.c; the writer latch is held ---- */
SEAM_MUST_USE enum seam_status oltp_txn_prepare_write(struct oltp *db,
                                                      struct seam_fault *f); /* sets up db->txn */
/* Makes the write transaction's trees the current version; frees what it replaced. */
SEAM_MUST_USE enum seam_status oltp_txn_install(struct oltp_txn *t, seam_lsn_t lsn, int64_t wall_us,
                                                struct seam_fault *f);
void oltp_txn_discard(struct oltp_txn *t,
                      const struct oltp_savepoint *to); /* pages and trees back to `to`, or all */
SEAM_MUST_USE enum seam_status oltp_save_push(struct oltp_txn *t, struct seam_fault *f);
void oltp_saves_drop(struct oltp_txn *t, uint32_t keep);
void oltp_write_end(struct oltp_txn *t); /* takes back what it did; lets the latch go */

/* ---- table.c: rows with their indexes, logged or not ---- */
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

/* commit_time.c: the time of the commit after one of time `last`; *off: the clock read that much more. Latch held. */
int64_t oltp_commit_time(struct oltp *db, int64_t last, int64_t *off);

#endif
