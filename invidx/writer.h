/* writer - the one writer's state. Private to the room.
 *
 * Everything below `lock` is guarded by it. A merge reads only immutable segments and a copy of what was
 * dead when it began, so it holds the lock at its start and at its commit only.                       */
#ifndef SEAM_INVIDX_WRITER_H
#define SEAM_INVIDX_WRITER_H

#include <pthread.h>

#include "invidx/buffer.h"
#include "invidx/store.h"

struct wseg {
    struct segment *seg;
    bool published;
    uint64_t *dead;     /* bit a document                              */
    struct tomb *tombs; /* in the order they came                      */
    size_t tomb_count, tomb_cap;
    size_t tombs_published; /* the first of them that a manifest has       */
};

struct invidx_writer {
    struct io *io;
    char dir[PATH_MAX_BYTES];
    struct invidx_writer_options options;
    struct file *lock_file;
    struct schema_box box;
    struct analyzer analyzer;
    pthread_mutex_t lock;
    struct buffer buffer;
    struct wseg *segs;
    size_t seg_count, seg_cap;
    struct store_dels dels[DELS_MAX];
    uint32_t del_count;
    uint64_t seq, next_id;
    lsn_t applied, last_lsn, purged;
    int64_t wall_us;
    uint64_t live;
    enum status failed; /* after a failed write: everything answers this */
    struct fault failure;
    bool new_names;     /* files were made since the folder was last synced */
    uint32_t publishes; /* since the last vacuum */
    /* the merger thread */
    pthread_t merger;
    pthread_cond_t wake;
    bool merger_runs, merger_stop, work_waiting;
    bool merging; /* somebody is between the start and the commit of a merge */
    enum status merger_status;
    struct fault merger_fault;
};

/* With the lock held. */
MUST_USE enum status writer_check(struct invidx_writer *w, struct fault *f);
enum status writer_fail(struct invidx_writer *w, enum status st, struct fault *f);
MUST_USE enum status writer_add_segment(struct invidx_writer *w, struct segment *seg,
                                        struct wseg **out, struct fault *f);
MUST_USE enum status writer_tomb(struct invidx_writer *w, struct wseg *s, uint32_t doc, lsn_t lsn,
                                 struct fault *f);
void wseg_free(struct wseg *s);
MUST_USE enum status invidx_publish_manifest(struct invidx_writer *w, lsn_t applied,
                                             int64_t wall_us, struct fault *f);
uint32_t wseg_live(const struct wseg *s);

#endif
