/* expr - typed expressions over the columns of a batch, evaluated vector-at-a-time.
 *
 * Built bottom-up with the constructors, which check types, insert casts and fold constants; a refused
 * construction names the types in the fault. Nodes live in the caller's arena and are immutable, so one
 * tree may be evaluated by many threads (each with its own struct columnar_expr_state).
 *
 * Types: int op int = int; int and decimal = decimal; anything with double = double. + - on decimals take
 * the larger scale, * adds the scales (SEAM_UNSUPPORTED past 18); / is always double, division by zero is
 * null; % is on ints. time - time = int (microseconds), time +- int = time. Overflow of int or decimal is
 * SEAM_LIMIT, never a wrong number. Comparisons give bool and null when a side is null; and/or/not are
 * three-valued. A text constant beside a time, decimal, int or double is read as that type.
 *
 * Comparing (=, <, between, in, and the keys of a join, by one rule): types must be the same, or both numbers.
 * int and decimal compare exactly at any two scales; with a double on one side the other becomes a
 * double. No comparison overflows. NaN is above every number and equal to itself.
 *
 * What fails for a row (a cast, an overflow) fails the query only if that row counts: a condition beside it
 * in an AND that is false, or in an OR that is true, wins in whatever order they are written.         */
#ifndef SEAM_COLUMNAR_EXPR_H
#define SEAM_COLUMNAR_EXPR_H

#include "columnar/format/vector.h"
#include "engine/base/arena.h"

#ifdef __cplusplus
extern "C" {
#endif

enum columnar_expr_op { /* arguments */
                        COLUMNAR_E_COLUMN,
                        COLUMNAR_E_CONST,
                        COLUMNAR_E_ADD,
                        COLUMNAR_E_SUB,
                        COLUMNAR_E_MUL,
                        COLUMNAR_E_DIV,
                        COLUMNAR_E_MOD, /* 2 */
                        COLUMNAR_E_NEG,
                        COLUMNAR_E_ABS, /* 1 */
                        COLUMNAR_E_EQ,
                        COLUMNAR_E_NE,
                        COLUMNAR_E_LT,
                        COLUMNAR_E_LE,
                        COLUMNAR_E_GT,
                        COLUMNAR_E_GE, /* 2 */
                        COLUMNAR_E_AND,
                        COLUMNAR_E_OR, /* 2 or more */
                        COLUMNAR_E_NOT,
                        COLUMNAR_E_IS_NULL,
                        COLUMNAR_E_IS_NOT_NULL, /* 1 */
                        COLUMNAR_E_BETWEEN,     /* value, low, high */
                        COLUMNAR_E_IN,          /* value, then constants */
                        COLUMNAR_E_LIKE,
                        COLUMNAR_E_ILIKE, /* text, pattern with % and _, [escape, '\' when not given] */
                        COLUMNAR_E_CASE,     /* when1, then1, when2, then2, ..., [else] */
                        COLUMNAR_E_COALESCE, /* 1 or more of one type */
                        COLUMNAR_E_CAST,     /* 1; target in type, scale */
                        COLUMNAR_E_TRY_CAST, /* the same, null where CAST fails */
                        COLUMNAR_E_DATE_TRUNC,
                        COLUMNAR_E_DATE_PART, /* 1 (time); part in expr.part */
                        COLUMNAR_E_LOWER,
                        COLUMNAR_E_UPPER,
                        COLUMNAR_E_LENGTH, /* 1 (text); characters */
                        COLUMNAR_E_CONCAT, /* 1 or more; nulls are left out */
                        COLUMNAR_E_PIPE,   /* 2: a || b, null when one is */
                        COLUMNAR_E_SUBSTR, /* text, from (1-based), [length] */
                        COLUMNAR_E_ROUND,  /* number, [constant digits] */
                        COLUMNAR_E_FUNC, /* as its function has it (func.h); prepared is the call */
                        COLUMNAR_E_OP_COUNT
};

enum columnar_date_part {
    COLUMNAR_PART_YEAR,
    COLUMNAR_PART_QUARTER,
    COLUMNAR_PART_MONTH,
    COLUMNAR_PART_WEEK,
    COLUMNAR_PART_DAY,
    COLUMNAR_PART_HOUR,
    COLUMNAR_PART_MINUTE,
    COLUMNAR_PART_SECOND,
    COLUMNAR_PART_DOW,
    COLUMNAR_PART_DOY,
    COLUMNAR_PART_COUNT
};

struct columnar_expr {
    enum columnar_expr_op op;
    uint8_t type, scale;        /* of the result (SEAM_V_NULL: the constant null) */
    uint8_t part;               /* E_DATE_* */
    uint32_t at;                /* 1 + byte of the statement it was written at; 0 = not known */
    int column;                 /* COLUMNAR_E_COLUMN: position in the batch */
    struct seam_value constant; /* COLUMNAR_E_CONST; text owned by the arena */
    int n_args;
    const struct columnar_expr **args;
    const void *prepared; /* LIKE pattern, IN set: made at construction */
};

SEAM_MUST_USE enum seam_status columnar_expr_column(struct seam_arena *a, int column,
                                                    enum seam_value_type type, unsigned scale,
                                                    const struct columnar_expr **out,
                                                    struct seam_fault *f);
SEAM_MUST_USE enum seam_status columnar_expr_const(struct seam_arena *a, const struct seam_value *v,
                                                   const struct columnar_expr **out,
                                                   struct seam_fault *f);
/* Every operator but CAST and DATE_*. args is copied.                                              */
SEAM_MUST_USE enum seam_status columnar_expr_call(struct seam_arena *a, enum columnar_expr_op op,
                                                  const struct columnar_expr *const *args, int n,
                                                  const struct columnar_expr **out,
                                                  struct seam_fault *f);
SEAM_MUST_USE enum seam_status
columnar_expr_cast(struct seam_arena *a, const struct columnar_expr *e, enum seam_value_type type,
                   unsigned scale, const struct columnar_expr **out, struct seam_fault *f);
/* As the cast, but a value that does not fit becomes null. */
SEAM_MUST_USE enum seam_status columnar_expr_try_cast(struct seam_arena *a,
                                                      const struct columnar_expr *e,
                                                      enum seam_value_type type, unsigned scale,
                                                      const struct columnar_expr **out,
                                                      struct seam_fault *f);
/* Brings the two sides of an equality to one type and scale under which they are equal exactly if x = y is
 * true, for hashing. SEAM_INVALID: x = y is refused as well, with the same words. */
SEAM_MUST_USE enum seam_status columnar_expr_equal_keys(struct seam_arena *a,
                                                        const struct columnar_expr **x,
                                                        const struct columnar_expr **y,
                                                        struct seam_fault *f);
/* Says where in the statement an expression was written, to it and the parts of it that do not know yet: what
 * fails while running is then reported with its place. */
void columnar_expr_place(const struct columnar_expr *e, uint32_t at);
SEAM_MUST_USE enum seam_status columnar_expr_date(struct seam_arena *a, enum columnar_expr_op op,
                                                  enum columnar_date_part part,
                                                  const struct columnar_expr *e,
                                                  const struct columnar_expr **out,
                                                  struct seam_fault *f);
bool columnar_date_part_parse(const char *name, size_t n,
                              enum columnar_date_part *out); /* "month", ... any case */

const char *columnar_date_part_name(enum columnar_date_part part);
const char *columnar_expr_op_name(enum columnar_expr_op op);
/* "a + 1" with names[column] for columns (NULL: #0, #1 ...), for EXPLAIN and headings.              */
void columnar_expr_print(const struct columnar_expr *e, const char *const *names,
                         struct seam_buf *out);
/* Calls fn for every column the expression reads.                                                  */
void columnar_expr_columns(const struct columnar_expr *e, void (*fn)(void *ctx, int column),
                           void *ctx);
bool columnar_expr_is_const(const struct columnar_expr *e);

/* One thread's scratch memory for evaluating; reused from batch to batch.                          */
struct columnar_expr_state;
struct columnar_expr_state *columnar_expr_state_new(void);    /* NULL = no memory */
void columnar_expr_state_free(struct columnar_expr_state *s); /* accepts NULL */
void columnar_expr_state_reset(
    struct columnar_expr_state *s); /* before each batch: results of the last one die */
SEAM_MUST_USE enum seam_status columnar_expr_eval(struct columnar_expr_state *s,
                                                  const struct columnar_expr *e,
                                                  const struct columnar_batch *b,
                                                  struct columnar_vec *out, struct seam_fault *f);
/* Narrows `sel` (bit r set = row r still in) to rows for which e is true.                          */
SEAM_MUST_USE enum seam_status columnar_expr_filter(struct columnar_expr_state *s,
                                                    const struct columnar_expr *e,
                                                    const struct columnar_batch *b,
                                                    uint64_t sel[COLUMNAR_VECTOR_WORDS],
                                                    struct seam_fault *f);
/* The same, but rows for which e fails stay in sel and are marked in `failed`: another condition may yet take
 * them out. Only SEAM_NOMEM is returned. columnar_expr_raise then reports the first that is in both. */
SEAM_MUST_USE enum seam_status columnar_expr_filter_failed(struct columnar_expr_state *s,
                                                           const struct columnar_expr *e,
                                                           const struct columnar_batch *b,
                                                           uint64_t *sel, uint64_t *failed);
SEAM_MUST_USE enum seam_status columnar_expr_raise(struct columnar_expr_state *s,
                                                   const struct columnar_expr *e,
                                                   const struct columnar_batch *b,
                                                   const uint64_t *sel, const uint64_t *failed,
                                                   struct seam_fault *f);
/* The truth, one row at a time, for tests and constant folding. Text results live in `a`.           */
SEAM_MUST_USE enum seam_status columnar_expr_eval_row(const struct columnar_expr *e,
                                                      const struct seam_value *row,
                                                      struct seam_arena *a, struct seam_value *out,
                                                      struct seam_fault *f);

/* The same computation over the same columns: one node of the tree may stand for the other. */
bool columnar_expr_same(const struct columnar_expr *a, const struct columnar_expr *b);

#ifdef __cplusplus
}
#endif

#endif
