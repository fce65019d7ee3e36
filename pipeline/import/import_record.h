/* import_record - one record of the file after another, as the texts of the columns the mapping
 * uses, and the values that expressions make of them. Private to the importer.                   */
#ifndef SEAM_PIPELINE_IMPORT_RECORD_H
#define SEAM_PIPELINE_IMPORT_RECORD_H

#include "engine/text/csv.h"
#include "pipeline/import/import_mapping.h"

enum { IMPORT_LINE_MAX = 4 << 20 };

struct import_text {
    const char *data;
    size_t size;
}; /* data NULL: the record has no such column */

struct import_record_reader {
    const struct import_mapping *m;
    enum import_format format;
    struct seam_source *source;
    struct seam_csv *csv;
    int position[IMPORT_SLOTS_MAX]; /* of each slot in the file's records; -1 = not there */
    struct seam_buf header;         /* canonical bytes of the header  */
    uint64_t line;                  /* of the record                  */
    struct import_text slots[IMPORT_SLOTS_MAX]; /* its texts, until the next call */
    struct seam_buf raw;     /* its canonical bytes: for the digest, and for reports */
    struct seam_arena arena; /* what lives as long as the record */
};

/* Also reads the header. SEAM_INVALID: a column of the mapping is not in the file.                 */
SEAM_MUST_USE enum seam_status import_record_open(struct import_record_reader *r,
                                                  struct seam_io *io, const char *file,
                                                  const struct import_mapping *m,
                                                  struct seam_fault *f);
/* SEAM_END; SEAM_INVALID for a bad record (fault: why), after which the next call goes on.           */
SEAM_MUST_USE enum seam_status import_record_next(struct import_record_reader *r,
                                                  struct seam_fault *f);
void import_record_close(struct import_record_reader *r);

bool import_condition_holds(const struct import_condition *c,
                            const struct import_text *slots); /* NULL holds */
/* The text of a FROM, CONST or CASES expression; made in `a` where it differs from the slot's.   */
struct import_text import_expr_text(const struct import_expr *e, const struct import_text *slots,
                                    struct seam_arena *a);

#endif
