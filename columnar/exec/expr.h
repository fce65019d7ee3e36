/* expr - typed expressions over the columns of a batch, evaluated vector-at-a-time.
 *
 * Built bottom-up with the constructors, which check types, insert casts and fold constants; a refused
 * construction names the types in the fault. Nodes live in the caller's arena and are immutable, so one
 * tree may be evaluated by many threads (each with its own struct expr_state).
 *
 * Types: int op int = int; int and decimal = decimal; anything with double = double. + - on decimals take
 * the larger scale, * adds the scales (ST_UNSUPPORTED past 18); / is always double, division by zero is
 * null; % is on ints. time - time = int (microseconds), time +- int = time. Overflow of int or decimal is
 * ST_LIMIT, never a wrong number. Comparisons give bool and null when a side is null; and/or/not are
 * three-valued. A text constant beside a time, decimal, int or double is read as that type.         */
#ifndef SEAM_COLUMNAR_EXPR_H
#define SEAM_COLUMNAR_EXPR_H

#include "columnar/format/vector.h"
#include "engine/base/arena.h"

enum expr_op { /* arguments */
    E_COLUMN, E_CONST,
    E_ADD, E_SUB, E_MUL, E_DIV, E_MOD, /* 2 */
    E_NEG, E_ABS,                      /* 1 */
    E_EQ, E_NE, E_LT, E_LE, E_GT, E_GE, /* 2 */
    E_AND, E_OR,                       /* 2 or more */
    E_NOT, E_IS_NULL, E_IS_NOT_NULL,   /* 1 */
    E_BETWEEN,                         /* value, low, high */
    E_IN,                              /* value, then constants */
    E_LIKE, E_ILIKE,                   /* text, constant pattern with % and _ ('\' escapes) */
    E_CASE,                            /* when1, then1, when2, then2, ..., [else] */
    E_COALESCE,                        /* 1 or more of one type */
    E_CAST,                            /* 1; target in type, scale */
    E_DATE_TRUNC, E_DATE_PART,         /* 1 (time); part in expr.part */
    E_LOWER, E_UPPER, E_LENGTH,        /* 1 (text); ASCII case */
    E_CONCAT,                          /* 1 or more */
    E_SUBSTR,                          /* text, from (1-based), [length] */
    E_ROUND,                           /* number, [constant digits] */
    E_OP_COUNT
};

enum date_part { PART_YEAR, PART_QUARTER, PART_MONTH, PART_WEEK, PART_DAY, PART_HOUR, PART_MINUTE,
                 PART_SECOND, PART_DOW, PART_DOY, PART_COUNT };

struct expr {
    enum expr_op op;
    uint8_t type, scale;       /* of the result (V_NULL: the constant null) */
    uint8_t part;              /* E_DATE_* */
    int column;                /* E_COLUMN: position in the batch */
    struct value constant;     /* E_CONST; text owned by the arena */
    int n_args;
    const struct expr **args;
    const void *prepared;      /* LIKE pattern, IN set: made at construction */
};

MUST_USE enum status expr_column(struct arena *a, int column, enum value_type type, unsigned scale,
                                 const struct expr **out, struct fault *f);
MUST_USE enum status expr_const(struct arena *a, const struct value *v, const struct expr **out,
                                struct fault *f);
/* Every operator but CAST and DATE_*. args is copied.                                              */
MUST_USE enum status expr_call(struct arena *a, enum expr_op op, const struct expr *const *args, int n,
                               const struct expr **out, struct fault *f);
MUST_USE enum status expr_cast(struct arena *a, const struct expr *e, enum value_type type,
                               unsigned scale, const struct expr **out, struct fault *f);
MUST_USE enum status expr_date(struct arena *a, enum expr_op op, enum date_part part,
                               const struct expr *e, const struct expr **out, struct fault *f);
bool date_part_parse(const char *name, size_t n, enum date_part *out); /* "month", ... any case */

const char *expr_op_name(enum expr_op op);
/* "a + 1" with names[column] for columns (NULL: #0, #1 ...), for EXPLAIN and headings.              */
void expr_print(const struct expr *e, const char *const *names, struct buf *out);
/* Calls fn for every column the expression reads.                                                  */
void expr_columns(const struct expr *e, void (*fn)(void *ctx, int column), void *ctx);
bool expr_is_const(const struct expr *e);

/* One thread's scratch memory for evaluating; reused from batch to batch.                          */
struct expr_state;
struct expr_state *expr_state_new(void);       /* NULL = no memory */
void expr_state_free(struct expr_state *s);    /* accepts NULL */
void expr_state_reset(struct expr_state *s);   /* before each batch: results of the last one die */
MUST_USE enum status expr_eval(struct expr_state *s, const struct expr *e, const struct batch *b,
                               struct vec *out, struct fault *f);
/* Narrows `sel` (bit r set = row r still in) to rows for which e is true.                          */
MUST_USE enum status expr_filter(struct expr_state *s, const struct expr *e, const struct batch *b,
                                 uint64_t sel[VECTOR_WORDS], struct fault *f);
/* The truth, one row at a time, for tests and constant folding. Text results live in `a`.           */
MUST_USE enum status expr_eval_row(const struct expr *e, const struct value *row, struct arena *a,
                                   struct value *out, struct fault *f);

#endif
