/* checkpoint - states that the page file keeps: the newest, the retained ones, and how one is made.
 *
 * checkpoint.c; the picture of the meta page is there. */
#ifndef SEAM_OLTP_CHECKPOINT_H
#define SEAM_OLTP_CHECKPOINT_H

#include "oltp/pager.h"

enum { META_SIZE = 512, RETAINED_MAX = 256 };

struct oltp_checkpoint { /* as the meta page and the retained list have it */
    uint64_t seq, epoch;
    seam_lsn_t lsn;
    int64_t wall_us;
    uint32_t catalog_page, space_page; /* first blob pages; 0 = none */
    uint32_t pages;
    uint64_t last_txn;
};

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

#endif
