/* writer - the one writer's state. Private to the room.
 *
 * Everything below `lock` is guarded by it. A merge reads only immutable segments and a copy of what was
 * dead when it began, so it holds the lock at its start and at its commit only.                       */
#ifndef SEAM_INVIDX_WRITER_H
#define SEAM_INVIDX_WRITER_H

#include <pthread.h>

#include "engine/base/thread.h"
#include "invidx/buffer.h"
#include "invidx/store.h"

/* A merge, whoever runs it (the thread or a caller of maintain): at most one at a time.
 *
 *     state        lock   what holds                                     may become
 *     IDLE         -      no merge                                       RUNNING: segments chosen, id taken
 *     RUNNING      free   its sources stay in segs and are published;    COMMITTING: the file is whole and certified
 *                         its file is named by nobody: vacuum spares it  IDLE: it failed; the file is vacuum's
 *     COMMITTING   held   sources leave, the new one comes, in memory    IDLE: a manifest names it, or the writer failed
 *
 * A crash in any state leaves the newest manifest, which names the sources and not the new file.
 *
 * A segment:   flushed (published false, tombs_published 0) -> published (by a manifest) -> gone (merged away).
 * A tombstone: in memory (from tombs_published on) -> published (before it). Neither ever goes back.          */
enum invidx_merge_state { INVIDX_MERGE_IDLE, INVIDX_MERGE_RUNNING, INVIDX_MERGE_COMMITTING };

struct invidx_wseg {
    struct invidx_segment *seg;
    bool published;
    uint64_t *dead;            /* bit a document                              */
    struct invidx_tomb *tombs; /* in the order they came                      */
    size_t tomb_count, tomb_cap;
    size_t tombs_published; /* the first of them that a manifest has       */
};

struct invidx_writer {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    struct invidx_writer_options options;
    struct seam_file *lock_file;
    struct seam_fork_mark mark;
    struct invidx_schema_box box;
    struct seam_owner owner;
    struct invidx_analyzer analyzer;
    pthread_mutex_t lock;
    struct invidx_buffer buffer;
    struct invidx_wseg *segs;
    size_t seg_count, seg_cap;
    struct invidx_store_dels dels[DELS_MAX];
    uint32_t del_count;
    uint64_t seq, next_id;
    seam_lsn_t applied, last_lsn, purged;
    int64_t wall_us;
    uint64_t live;
    enum seam_status failed; /* after a failed write: everything answers this */
    struct seam_fault failure;
    bool another;       /* the history is another one than the newest state tells */
    bool new_names;     /* files were made since the folder was last synced */
    uint32_t publishes; /* since the last vacuum */
    /* the merger thread */
    pthread_t merger;
    pthread_cond_t wake;
    bool merger_runs, merger_stop, work_waiting;
    enum invidx_merge_state merge;
    enum seam_status merger_status;
    struct seam_fault merger_fault;
};

/* With the lock held. */
SEAM_MUST_USE enum seam_status invidx_writer_check(struct invidx_writer *w, struct seam_fault *f);
enum seam_status invidx_writer_fail(struct invidx_writer *w, enum seam_status st,
                                    struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_writer_add_segment(struct invidx_writer *w,
                                                         struct invidx_segment *seg,
                                                         struct invidx_wseg **out,
                                                         struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_writer_tomb(struct invidx_wseg *s, uint32_t doc,
                                                  seam_lsn_t lsn, struct seam_fault *f);
void invidx_wseg_free(struct invidx_wseg *s);
SEAM_MUST_USE enum seam_status invidx_publish_manifest(struct invidx_writer *w, seam_lsn_t applied,
                                                       int64_t wall_us, struct seam_fault *f);
/* What the tables above promise, of every segment (with SEAM_WALKS also every bit); with the lock held. */
void invidx_writer_assert(const struct invidx_writer *w);
uint32_t invidx_wseg_live(const struct invidx_wseg *s);

#endif
