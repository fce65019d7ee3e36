/* checkpoint - states that the page file keeps: the newest, the retained ones, and how one is made.
 *
 * meta.c, blob.c, checkpoint.c. */
#ifndef SEAM_OLTP_CHECKPOINT_H
#define SEAM_OLTP_CHECKPOINT_H

#include "engine/io/filehead.h"
#include "oltp/pager.h"

enum { META_SIZE = 512, RETAINED_MAX = 256 };

/* What a chain of blob pages is named by: its first page, and the checksum of all its bytes. */
struct oltp_blob {
    uint32_t page, crc; /* page 0: there is none */
};

struct oltp;

struct oltp_checkpoint { /* as the meta page and the retained list have it */
    uint64_t seq, epoch;
    seam_lsn_t lsn;
    int64_t wall_us;
    struct oltp_blob catalog, space;
    uint32_t pages;
    uint64_t last_txn;
};

struct oltp_identity {       /* whose pages these are, and which history they tell */
    struct seam_owner owner; /* the history: of that log, when the checkpoint was made */
    uint64_t file_id;
    uint64_t log_id; /* of the log they were made from; 0: none was opened yet */
    uint32_t before; /* crc of its record that ends at the checkpoint's LSN; 0: not known */
};

/* ---- meta.c: the picture is there ---- */
void oltp_meta_encode(const struct oltp_checkpoint *c, const struct oltp_identity *id,
                      uint8_t out[META_SIZE]);
/* SEAM_CORRUPT with why; SEAM_UNSUPPORTED: of another format, which one is said. */
SEAM_MUST_USE enum seam_status oltp_meta_decode(const uint8_t in[META_SIZE], unsigned slot,
                                                const char *path, struct oltp_checkpoint *c,
                                                struct oltp_identity *id, struct seam_fault *f);
/* The newest valid meta page; damaged[] tells which are not. */
SEAM_MUST_USE enum seam_status oltp_meta_read(struct seam_file *file,
                                              struct oltp_checkpoint *newest,
                                              struct oltp_identity *id, bool damaged[2],
                                              struct seam_fault *f);
SEAM_MUST_USE enum seam_status oltp_pages_create(struct seam_io *io, const char *dir,
                                                 const char *path, const struct oltp_identity *id,
                                                 struct seam_fault *f);

/* ---- identity.c ---- */
/* Are pages and log of one platform, one log and one line of history? SEAM_CONFLICT says which is not. */
SEAM_MUST_USE enum seam_status oltp_identity_check(struct oltp *db, struct seam_fault *f);
void oltp_identity_take(struct oltp *db); /* the writer's: what its checkpoints will say */

/* ---- blob.c ---- */
/* A chain of blob pages: its bytes appended to out, its page numbers to *pages (malloc'ed; may be NULL). */
SEAM_MUST_USE enum seam_status oltp_blob_read(struct oltp_pager *p, struct oltp_blob name,
                                              struct seam_buf *out, uint32_t **pages, size_t *count,
                                              struct seam_fault *f);
/* What a checkpoint keeps besides the catalogue, read into the handle: space, dead pages, retained list. */
SEAM_MUST_USE enum seam_status oltp_space_load(struct oltp *db, const struct oltp_checkpoint *c,
                                               struct seam_fault *f);
/* Writes bytes into these pages of a checkpoint; *name is what it is found by. */
SEAM_MUST_USE enum seam_status oltp_blob_write(struct oltp_pager *p, const struct seam_buf *bytes,
                                               const uint32_t *pages, size_t count,
                                               const struct oltp_checkpoint *of,
                                               struct seam_fault *f);
struct oltp_blob oltp_blob_name(uint32_t first, const struct seam_buf *bytes);
/* `kept`: epochs (ascending) whose pages must survive; other dead pages count as free. */
struct oltp_kept {
    const uint64_t *epochs;
    size_t count;
    const struct oltp_checkpoint *retained;
    size_t retained_count;
};
void oltp_space_encode(struct oltp *db, const struct oltp_kept *kept, struct seam_buf *out);

/* ---- checkpoint.c ---- */
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
