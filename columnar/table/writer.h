/* writer - what the files of the writer share: its state, and publication. Private to the room.     */
#ifndef SEAM_COLUMNAR_WRITER_H
#define SEAM_COLUMNAR_WRITER_H

#include "columnar/table/keyindex.h"
#include "columnar/table/state.h"
#include "engine/base/thread.h"

enum { TAIL_SPILL_ROWS = 1 << 20 };

/* Beside each state table, by position. */
struct columnar_table_writer {
    struct columnar_keyindex index;
    bool indexed;
    bool fresh;       /* defined since the last publish: takes rows of any LSN */
    size_t published; /* rows of the tail that the journal has */
    seam_lsn_t last_lsn;
    struct columnar_journal_kill *kills; /* since the last publish */
    size_t kill_count, kill_cap;
};

struct columnar_writer {
    struct seam_io *io;
    struct columnar_options opt;
    struct seam_file *lock;
    struct seam_fork_mark mark;
    struct columnar_state s;
    struct columnar_table_writer tables[COLUMNAR_TABLES_MAX];
    struct seam_file *journal; /* open for writing */
    uint64_t journal_filled;   /* bytes that exist as zeros */
    bool structure;            /* only a manifest can publish this */
    enum seam_status poisoned;
    uint64_t published_ns; /* when something new was last published */
    uint64_t owed_rows;    /* rows that maintenance may rewrite for what was published */
    uint64_t orphans;      /* files of earlier manifests may lie about */
    struct seam_buf scratch, text;
    struct seam_value *values; /* SEAM_COLUMNS_MAX, normalised input */
    struct columnar_chunk_scratch *row_scratch;
};

/* Encodes a table's tail as a column file (unpublished until the next manifest). */
SEAM_MUST_USE enum seam_status columnar_writer_flush_tail(struct columnar_writer *w, size_t table,
                                                          struct seam_fault *f);
/* Writes kills and a manifest that is the state as it stands. */
SEAM_MUST_USE enum seam_status columnar_writer_publish_manifest(struct columnar_writer *w,
                                                                seam_lsn_t applied, int64_t wall_us,
                                                                bool new_snapshot,
                                                                struct seam_fault *f);
bool columnar_writer_pending(const struct columnar_writer *w);
SEAM_MUST_USE enum seam_status columnar_writer_poisoned(const struct columnar_writer *w,
                                                        struct seam_fault *f);
/* Encodes all of d's rows, in the order given by `order` (NULL: as they are), to a new file that is added
 * to the table. `tf` gets the file.                                                                 */
SEAM_MUST_USE enum seam_status
columnar_writer_write_file(struct columnar_writer *w, struct columnar_table *t,
                           const struct columnar_coldata *d, uint64_t id,
                           struct columnar_table_file *tf, struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_writer_index(struct columnar_writer *w, size_t table,
                                                     struct seam_fault *f);
/* Removes files, journals and manifests that the newest manifest does not name. */
SEAM_MUST_USE enum seam_status columnar_writer_sweep(struct columnar_writer *w, uint32_t *removed,
                                                     uint64_t *bytes, struct seam_fault *f);

#endif
