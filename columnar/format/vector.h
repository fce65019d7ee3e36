/* vector - up to 2,048 values of one column, as the execution engine passes them around.
 *
 *   FLAT    row r is data[r]
 *   CONST   every row is data[0]
 *   DICT    row r is data[code[r]]: predicates and functions run once per distinct value
 *
 * Integers of every kind (int, decimal, bool, time) are int64. lo/hi bound the non-null values where they
 * are known (from vector statistics, through arithmetic), so that most arithmetic needs no overflow
 * checks. Memory belongs to whoever produced the vector and lives until the next batch.            */
#ifndef SEAM_COLUMNAR_VECTOR_H
#define SEAM_COLUMNAR_VECTOR_H

#include "engine/base/bitset.h"
#include "engine/values/value.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { COLUMNAR_VECTOR_ROWS = 2048, COLUMNAR_VECTOR_WORDS = COLUMNAR_VECTOR_ROWS / 64 };

struct columnar_text_ref {
    const char *s;
    uint32_t len;
};

enum columnar_vec_kind { COLUMNAR_VEC_FLAT, COLUMNAR_VEC_CONST, COLUMNAR_VEC_DICT };

struct columnar_vec {
    uint8_t kind; /* enum columnar_vec_kind   */
    uint8_t type; /* enum seam_value_type */
    uint8_t scale;
    bool stable;         /* DICT: the same address always means the same dictionary (a chunk's) */
    uint32_t dict_count; /* DICT: values in data */
    union {
        const int64_t *i; /* INT, DECIMAL, BOOL, TIME */
        const double *d;
        const struct columnar_text_ref *s;
    };
    const uint32_t *code;  /* DICT */
    const uint64_t *nulls; /* bit r set = row r is null; NULL = no nulls. CONST: all or none set  */
    int64_t lo, hi;        /* bounds of int-like values; INT64_MIN/MAX when unknown               */
};

struct columnar_batch {
    uint32_t rows; /* rows in each vector, <= COLUMNAR_VECTOR_ROWS */
    int count;     /* vectors */
    struct columnar_vec *cols;
};

static inline uint32_t columnar_vec_slot(const struct columnar_vec *v, uint32_t row)
{
    return v->kind == COLUMNAR_VEC_FLAT ? row : v->kind == COLUMNAR_VEC_CONST ? 0 : v->code[row];
}
static inline bool columnar_vec_null(const struct columnar_vec *v, uint32_t row)
{
    return v->nulls != NULL && seam_bitset_get(v->nulls, v->kind == COLUMNAR_VEC_CONST ? 0 : row);
}
/* A FLAT vector being filled; whoever makes it owns the arrays. Exactly one of i and s.            */
struct columnar_cells {
    int64_t *i;
    struct columnar_text_ref *s;
    uint64_t *nulls; /* COLUMNAR_VECTOR_WORDS, cleared */
    bool any;        /* one of them is set */
};
void columnar_cells_put(struct columnar_cells *c, uint32_t row, const struct seam_value *v);

/* One cell; text points into the vector's memory.                                                  */
struct seam_value columnar_vec_value(const struct columnar_vec *v, uint32_t row);

#ifdef __cplusplus
}
#endif

#endif
