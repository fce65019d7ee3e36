/* expr_arith - arithmetic, casts between numbers and calendar steps, a vector at a time.
 *
 * Integer arithmetic carries bounds: where the bounds of the operands prove that no row can overflow, the
 * loop has no checks; elsewhere every row is checked. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/format/kernels.h"

static bool bounds(enum columnar_expr_op op, const struct columnar_vec *a,
                   const struct columnar_vec *b, int64_t *lo, int64_t *hi)
{
    __int128 x[4], low, high;

    switch (op) {
    case COLUMNAR_E_ADD:
        low = (__int128)a->lo + b->lo;
        high = (__int128)a->hi + b->hi;
        break;
    case COLUMNAR_E_SUB:
        low = (__int128)a->lo - b->hi;
        high = (__int128)a->hi - b->lo;
        break;
    default:
        x[0] = (__int128)a->lo * b->lo;
        x[1] = (__int128)a->lo * b->hi;
        x[2] = (__int128)a->hi * b->lo;
        x[3] = (__int128)a->hi * b->hi;
        low = high = x[0];
        for (int k = 1; k < 4; k++) {
            if (x[k] < low) low = x[k];
            if (x[k] > high) high = x[k];
        }
    }
    if (low < INT64_MIN || high > INT64_MAX) return false;
    *lo = (int64_t)low;
    *hi = (int64_t)high;
    return true;
}

static char op_char(enum columnar_expr_op op)
{
    return op == COLUMNAR_E_ADD   ? '+'
           : op == COLUMNAR_E_SUB ? '-'
           : op == COLUMNAR_E_MUL ? '*'
                                  : '/';
}

/* A row that overflows is an error unless it is null anyway. */
static bool ints_checked(enum columnar_expr_op op, uint32_t rows, const int64_t *a,
                         const int64_t *b, int64_t *r, bool ca, bool cb, const uint64_t *nulls)
{
    for (uint32_t i = 0; i < rows; i++) {
        int64_t x = a[ca ? 0 : i], y = b[cb ? 0 : i];
        bool bad = op == COLUMNAR_E_ADD   ? __builtin_add_overflow(x, y, &r[i])
                   : op == COLUMNAR_E_SUB ? __builtin_sub_overflow(x, y, &r[i])
                                          : __builtin_mul_overflow(x, y, &r[i]);

        if (bad && (nulls == NULL || !seam_bitset_get(nulls, i))) return false;
    }
    return true;
}

static enum seam_status null_where_zero(struct columnar_expr_state *s, const struct columnar_vec *b,
                                        uint32_t rows, struct columnar_vec *out,
                                        struct seam_fault *f)
{
    uint64_t *bits = columnar_expr_take(s, COLUMNAR_VECTOR_WORDS * 8);

    if (bits == NULL) return columnar_expr_no_memory(f);
    if (out->nulls != NULL)
        memcpy(bits, out->nulls, COLUMNAR_VECTOR_WORDS * 8);
    else
        memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
    for (uint32_t i = 0; i < rows; i++)
        if (b->d[b->kind == COLUMNAR_VEC_CONST ? 0 : i] == 0) seam_bitset_set(bits, i);
    out->nulls = bits;
    return SEAM_OK;
}

enum seam_status columnar_eval_arithmetic(struct columnar_expr_state *s,
                                          const struct columnar_expr *e,
                                          const struct columnar_batch *batch,
                                          struct columnar_vec *out, struct seam_fault *f)
{
    uint32_t rows = batch->rows;
    struct columnar_vec a, b;
    bool all_null, ca, cb;
    int64_t *r;
    enum seam_status st = s->eval(s, e->args[0], batch, &a, f);

    if (st == SEAM_OK) st = s->eval(s, e->args[1], batch, &b, f);
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT, .type = e->type, .scale = e->scale};
    if (st == SEAM_OK) st = columnar_expr_merge_nulls(s, &a, &b, &all_null, &out->nulls, f);
    if (st == SEAM_OK && all_null) {
        columnar_expr_all_null(e, out);
        return SEAM_OK;
    }
    if (st == SEAM_OK) st = columnar_expr_flatten(s, &a, rows, f);
    if (st == SEAM_OK) st = columnar_expr_flatten(s, &b, rows, f);
    if (st != SEAM_OK) return st;
    r = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return columnar_expr_no_memory(f);
    ca = a.kind == COLUMNAR_VEC_CONST;
    cb = b.kind == COLUMNAR_VEC_CONST;
    if (ca && cb) {
        out->kind = COLUMNAR_VEC_CONST;
        rows = 1;
    }
    out->i = r;
    out->lo = INT64_MIN;
    out->hi = INT64_MAX;
    if (e->type == SEAM_V_DOUBLE) {
        columnar_kernel_arith_double(op_char(e->op), rows, a.d, ca, b.d, cb, (double *)r);
        return e->op == COLUMNAR_E_DIV ? null_where_zero(s, &b, rows, out, f) : SEAM_OK;
    }
    if (bounds(e->op, &a, &b, &out->lo, &out->hi))
        columnar_kernel_arith(op_char(e->op), rows, a.i, ca, b.i, cb, r);
    else if (!ints_checked(e->op, rows, a.i, b.i, r, ca, cb, out->nulls))
        return columnar_expr_overflow(e, f);
    return SEAM_OK;
}

enum seam_status columnar_eval_trunc(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *b, struct columnar_vec *out,
                                     struct seam_fault *f)
{
    struct columnar_vec a;
    int64_t *r, last_day = INT64_MIN, last = 0;
    bool by_day = e->part != COLUMNAR_PART_HOUR && e->part != COLUMNAR_PART_MINUTE &&
                  e->part != COLUMNAR_PART_SECOND;
    enum seam_status st = s->eval(s, e->args[0], b, &a, f);

    if (st != SEAM_OK) return st;
    if (a.kind != COLUMNAR_VEC_FLAT) return columnar_eval_generic(s, e, b, out, f);
    r = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return columnar_expr_no_memory(f);
    for (uint32_t i = 0; i < b->rows; i++) {
        /* Neighbours are mostly of one day: the calendar is asked once for them. */
        if (by_day && last_day != INT64_MIN && (uint64_t)(a.i[i] - last_day) < 86400000000u) {
            r[i] = last;
            continue;
        }
        r[i] = last = columnar_date_trunc(e->part, a.i[i]);
        last_day = columnar_date_trunc(COLUMNAR_PART_DAY, a.i[i]);
    }
    *out = a;
    out->i = r;
    out->lo = a.lo == INT64_MIN ? INT64_MIN : columnar_date_trunc(e->part, a.lo);
    out->hi = a.hi;
    if (out->lo > a.lo) out->lo = INT64_MIN; /* wrapped near the end of time */
    return SEAM_OK;
}

enum seam_status columnar_eval_cast(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f)
{
    const struct columnar_expr *arg = e->args[0];
    bool from_int = arg->type != SEAM_V_TEXT && arg->type != SEAM_V_DOUBLE;
    struct columnar_vec a, factor = {.kind = COLUMNAR_VEC_CONST};
    int64_t power, *r;
    double *d, divisor;
    enum seam_status st;

    if (!from_int || (e->type != SEAM_V_DOUBLE &&
                      (e->scale < arg->scale || e->type == SEAM_V_BOOL || e->type == SEAM_V_TEXT)))
        return columnar_eval_generic(s, e, b, out, f);
    st = s->eval(s, arg, b, &a, f);
    if (st != SEAM_OK) return st;
    if (a.kind != COLUMNAR_VEC_FLAT) return columnar_eval_generic(s, e, b, out, f);
    *out = a;
    out->type = e->type;
    out->scale = e->scale;
    if (e->type == SEAM_V_DOUBLE) {
        d = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
        if (d == NULL) return columnar_expr_no_memory(f);
        divisor = (double)seam_decimal_pow10(arg->scale);
        if (arg->scale == 0)
            for (uint32_t i = 0; i < b->rows; i++) d[i] = (double)a.i[i];
        else
            for (uint32_t i = 0; i < b->rows; i++) d[i] = (double)a.i[i] / divisor;
        out->d = d;
        out->lo = INT64_MIN;
        out->hi = INT64_MAX;
        return SEAM_OK;
    }
    if (e->scale == arg->scale) return SEAM_OK;
    power = seam_decimal_pow10((unsigned)e->scale - arg->scale);
    factor.i = &power;
    factor.lo = factor.hi = power;
    r = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return columnar_expr_no_memory(f);
    out->i = r;
    out->lo = INT64_MIN;
    out->hi = INT64_MAX;
    if (bounds(COLUMNAR_E_MUL, &a, &factor, &out->lo, &out->hi))
        columnar_kernel_arith('*', b->rows, a.i, false, &power, true, r);
    else if (!ints_checked(COLUMNAR_E_MUL, b->rows, a.i, &power, r, false, true, a.nulls))
        return columnar_eval_generic(s, e, b, out,
                                     f); /* names the row's failure, or makes it null */
    return SEAM_OK;
}
