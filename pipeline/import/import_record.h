/* import_record - one record of the file after another, as the texts of the columns the mapping
 * uses, and the values that expressions make of them. Private to the importer.                   */
#ifndef SEAM_PIPELINE_IMPORT_RECORD_H
#define SEAM_PIPELINE_IMPORT_RECORD_H

#include "engine/text/csv.h"
#include "pipeline/import/import_mapping.h"

enum { IMPORT_LINE_MAX = 4 << 20 };

struct text {
    const char *data;
    size_t size;
}; /* data NULL: the record has no such column */

struct record_reader {
    const struct mapping *m;
    enum import_format format;
    struct source *source;
    struct csv *csv;
    int position[IMPORT_SLOTS_MAX];      /* of each slot in the file's records; -1 = not there */
    struct buf header;                   /* canonical bytes of the header  */
    uint64_t line;                       /* of the record                  */
    struct text slots[IMPORT_SLOTS_MAX]; /* its texts, until the next call */
    struct buf raw;                      /* its canonical bytes: for the digest, and for reports */
    struct arena arena;                  /* what lives as long as the record */
};

/* Also reads the header. ST_INVALID: a column of the mapping is not in the file.                 */
MUST_USE enum status record_open(struct record_reader *r, struct io *io, const char *file,
                                 const struct mapping *m, struct fault *f);
/* ST_END; ST_INVALID for a bad record (fault: why), after which the next call goes on.           */
MUST_USE enum status record_next(struct record_reader *r, struct fault *f);
void record_close(struct record_reader *r);

bool condition_holds(const struct condition *c, const struct text *slots); /* NULL holds */
/* The text of a FROM, CONST or CASES expression; made in `a` where it differs from the slot's.   */
struct text expr_text(const struct expr *e, const struct text *slots, struct arena *a);

#endif
