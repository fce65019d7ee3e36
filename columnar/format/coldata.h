/* coldata - rows gathered in memory, by column: the writer's pending rows, a reader's tail of the journal,
 * and the input of the file writer. Grows; never shrinks but to nothing.                           */
#ifndef SEAM_COLUMNAR_COLDATA_H
#define SEAM_COLUMNAR_COLDATA_H

#include "columnar/columnar.h"
#include "columnar/format/vector.h"

struct coldata_column {
    uint32_t id;            /* the schema column's */
    uint8_t type, scale;
    union {
        int64_t *i;
        double *d;
        uint64_t *ends;     /* TEXT */
    };
    char *text;
    size_t text_cap;
    uint64_t *nulls;        /* made at the first null */
};

struct coldata {
    size_t rows, cap;
    int count;
    struct coldata_column *columns;
    lsn_t *lsn;             /* begin of each row */
    uint64_t bytes;         /* about what the rows take, for budgets */
};

/* One column for each schema column, dropped ones included (they hold nulls). */
MUST_USE enum status coldata_init(struct coldata *d, const struct schema *s);
void coldata_free(struct coldata *d);
void coldata_clear(struct coldata *d); /* rows = 0, memory kept */
MUST_USE enum status coldata_reserve(struct coldata *d, size_t extra);
MUST_USE enum status coldata_append(struct coldata *d, const struct value *values, lsn_t lsn);
/* Appends rows given as arrays, all at one LSN (or lsns[i] when not NULL). */
MUST_USE enum status coldata_append_columns(struct coldata *d, const struct columnar_column *columns,
                                            size_t rows, lsn_t lsn, const lsn_t *lsns);
struct value coldata_value(const struct coldata *d, int column, size_t row);
void coldata_truncate(struct coldata *d, size_t rows); /* forgets rows past the first `rows` */
/* The column as the encoder takes it. */
void coldata_view(const struct coldata *d, int column, struct columnar_column *out);
/* Rows [from, from + n) of a column as a vector; text refs go to `refs`. from % 64 == 0. */
void coldata_vec(const struct coldata *d, int column, size_t from, size_t n, struct text_ref *refs,
                 struct vec *out);

#endif
