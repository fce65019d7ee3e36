/* writer - what the files of the writer share: its state, and publication. Private to the room.     */
#ifndef SEAM_COLUMNAR_WRITER_H
#define SEAM_COLUMNAR_WRITER_H

#include "columnar/table/keyindex.h"
#include "columnar/table/state.h"

enum { TAIL_SPILL_ROWS = 1 << 20 };

/* Beside each state table, by position. */
struct table_writer {
    struct keyindex index;
    bool indexed;
    bool fresh;                 /* defined since the last publish: takes rows of any LSN */
    size_t published;           /* rows of the tail that the journal has */
    lsn_t last_lsn;
    struct journal_kill *kills; /* since the last publish */
    size_t kill_count, kill_cap;
};

struct columnar_writer {
    struct io *io;
    struct columnar_options opt;
    struct file *lock;
    struct state s;
    struct table_writer tables[COLUMNAR_TABLES_MAX];
    struct file *journal;       /* open for writing */
    uint64_t journal_filled;    /* bytes that exist as zeros */
    bool structure;             /* only a manifest can publish this */
    enum status poisoned;
    uint64_t published_ns;      /* when something new was last published */
    uint64_t orphans;           /* files of earlier manifests may lie about */
    struct buf scratch, text;
    struct value *values;       /* COLUMNS_MAX, normalised input */
    struct chunk_scratch *row_scratch;
};

/* Encodes a table's tail as a column file (unpublished until the next manifest). */
MUST_USE enum status writer_flush_tail(struct columnar_writer *w, size_t table, struct fault *f);
/* Writes kills and a manifest that is the state as it stands. */
MUST_USE enum status writer_publish_manifest(struct columnar_writer *w, lsn_t applied, int64_t wall_us,
                                             bool new_snapshot, struct fault *f);
bool writer_pending(const struct columnar_writer *w);
MUST_USE enum status writer_poisoned(const struct columnar_writer *w, struct fault *f);
/* Encodes all of d's rows, in the order given by `order` (NULL: as they are), to a new file that is added
 * to the table. `tf` gets the file.                                                                 */
MUST_USE enum status writer_write_file(struct columnar_writer *w, struct table *t,
                                       const struct coldata *d, uint64_t id, struct table_file *tf,
                                       struct fault *f);
MUST_USE enum status writer_index(struct columnar_writer *w, size_t table, struct fault *f);
/* Removes files, journals and manifests that the newest manifest does not name. */
MUST_USE enum status writer_sweep(struct columnar_writer *w, uint32_t *removed, uint64_t *bytes,
                                  struct fault *f);

#endif
