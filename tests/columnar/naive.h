/* naive - questions answered the slow and plain way, by code that shares nothing with the warehouse's: rows in memory,
 * expressions as trees, nested loops, 128-bit arithmetic. For test_differential.c. */
#ifndef SEAM_TESTS_COLUMNAR_NAIVE_H
#define SEAM_TESTS_COLUMNAR_NAIVE_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/values/value.h"

enum naive_op {
    NAIVE_COLUMN,
    NAIVE_LITERAL,
    NAIVE_ADD,
    NAIVE_SUB,
    NAIVE_MUL,
    NAIVE_DIV,
    NAIVE_MOD,
    NAIVE_NEG,
    NAIVE_ABS,
    NAIVE_EQ,
    NAIVE_NE,
    NAIVE_LT,
    NAIVE_LE,
    NAIVE_GT,
    NAIVE_GE,
    NAIVE_AND,
    NAIVE_OR,
    NAIVE_NOT,
    NAIVE_IS_NULL,
    NAIVE_IS_NOT_NULL,
    NAIVE_BETWEEN,
    NAIVE_IN,
    NAIVE_LIKE,
    NAIVE_CASE, /* when, then, else */
    NAIVE_COALESCE,
    NAIVE_CAST,
    NAIVE_TRUNC,
    NAIVE_PART,
    NAIVE_LENGTH,
    NAIVE_CONCAT,
    NAIVE_SUBSTR
};
enum { NAIVE_ARGS = 4 };

struct naive_expr {
    enum naive_op op;
    uint8_t type, scale;
    int column;       /* of the joined row */
    const char *name; /* COLUMN: as it is written; TRUNC, PART: the unit */
    struct seam_value literal;
    int n;
    const struct naive_expr *args[NAIVE_ARGS];
};

/* false: it fails for this row. Text lives in `a`. */
bool naive_eval(const struct naive_expr *e, const struct seam_value *row, struct seam_arena *a,
                struct seam_value *out);
void naive_print(const struct naive_expr *e, struct seam_buf *out); /* as SQL */
/* Nulls last; NaN above every number. */
int naive_order(const struct seam_value *x, const struct seam_value *y);

#endif
