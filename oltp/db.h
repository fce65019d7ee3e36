/* db - the open database, which every file of this room shares.
 *
 *   versions.h --> commit.h --> snapshot.h     a state; a transaction on one; who reads which
 *   checkpoint.h                               states on disk
 *
 *   current --> version (epoch, lsn, catalogue, roots)      immutable, replaced by each commit
 *   readers[i].epoch = that version's epoch                 a snapshot is this one word
 *
 * Latches, in the order they are taken: checkpoint_latch, writer_latch, pager.latch. stats_latch last. */
#ifndef SEAM_OLTP_DB_H
#define SEAM_OLTP_DB_H

#include "engine/base/thread.h"
#include "oltp/checkpoint.h"
#include "oltp/snapshot.h"

enum { REPLAY_BUFFER_MAX = 16 << 20 };

struct oltp {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES], wal_dir[SEAM_PATH_MAX_BYTES], shared_path[SEAM_PATH_MAX_BYTES];
    struct oltp_options o;
    struct seam_clock *clock;
    struct seam_trace *trace;
    struct wal *wal;
    bool own_wal, read_only, base_only;
    struct seam_fork_mark mark;
    struct seam_file *lock;
    struct oltp_shared *shared;
    struct seam_file *pins;    /* DIR/shared, to claim and to ask for places */
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
    uint64_t last_txn;
    struct oltp_commit_clock commit_clock; /* writer latch */

    struct oltp_identity identity; /* as the meta page has it */
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

#endif
