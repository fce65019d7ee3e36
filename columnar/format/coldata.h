/* coldata - rows gathered in memory, by column: the writer's pending rows, a reader's tail of the journal,
 * and the input of the file writer. Grows; never shrinks but to nothing.                           */
#ifndef SEAM_COLUMNAR_COLDATA_H
#define SEAM_COLUMNAR_COLDATA_H

#include "columnar/columnar.h"
#include "columnar/format/vector.h"

struct columnar_coldata_column {
    uint32_t id; /* the schema column's */
    uint8_t type, scale;
    union {
        int64_t *i;
        double *d;
        uint64_t *ends; /* TEXT */
    };
    char *text;
    size_t text_cap;
    uint64_t *nulls; /* made at the first null */
};

struct columnar_coldata {
    size_t rows, cap;
    int count;
    struct columnar_coldata_column *columns;
    seam_lsn_t *lsn; /* begin of each row */
    uint64_t bytes;  /* about what the rows take, for budgets */
};

/* One column for each schema column, dropped ones included (they hold nulls). */
SEAM_MUST_USE enum seam_status columnar_coldata_init(struct columnar_coldata *d,
                                                     const struct seam_schema *s);
void columnar_coldata_free(struct columnar_coldata *d);
void columnar_coldata_clear(struct columnar_coldata *d); /* rows = 0, memory kept */
SEAM_MUST_USE enum seam_status columnar_coldata_reserve(struct columnar_coldata *d, size_t extra);
SEAM_MUST_USE enum seam_status columnar_coldata_append(struct columnar_coldata *d,
                                                       const struct seam_value *values,
                                                       seam_lsn_t lsn);
/* Appends rows given as arrays, all at one LSN (or lsns[i] when not NULL). */
SEAM_MUST_USE enum seam_status
columnar_coldata_append_columns(struct columnar_coldata *d, const struct columnar_column *columns,
                                size_t rows, seam_lsn_t lsn, const seam_lsn_t *lsns);
/* Rows at[0..n) of vectors of the columns' types; a vector whose data is NULL gives nulls. */
SEAM_MUST_USE enum seam_status columnar_coldata_append_vecs(struct columnar_coldata *d,
                                                            const struct columnar_vec *vecs,
                                                            const uint32_t *at, uint32_t n);
struct seam_value columnar_coldata_value(const struct columnar_coldata *d, int column, size_t row);
void columnar_coldata_truncate(struct columnar_coldata *d,
                               size_t rows); /* forgets rows past the first `rows` */
/* The column as the encoder takes it. */
void columnar_coldata_view(const struct columnar_coldata *d, int column,
                           struct columnar_column *out);
/* Rows [from, from + n) of a column as a vector; text refs go to `refs`. from % 64 == 0. */
void columnar_coldata_vec(const struct columnar_coldata *d, int column, size_t from, size_t n,
                          struct columnar_text_ref *refs, struct columnar_vec *out);

#endif
