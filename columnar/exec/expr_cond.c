/* expr_cond - conditions a vector at a time, as two bitmaps: true and null. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/format/kernels.h"

static void pack(const uint8_t *flags, uint32_t rows, uint64_t *bits)
{
    memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
    for (uint32_t i = 0; i < rows; i += 8) {
        uint64_t eight;

        memcpy(&eight, flags + i, 8); /* flags has COLUMNAR_VECTOR_ROWS bytes */
        if (rows - i < 8) eight &= (1ull << (8 * (rows - i))) - 1;
        bits[i / 64] |= (eight * 0x0102040810204080ull >> 56) << (i % 64);
    }
}

static void fill_bits(uint64_t *bits, bool on)
{
    memset(bits, on ? 0xff : 0, COLUMNAR_VECTOR_WORDS * 8);
}

static void null_bits(const struct columnar_vec *v, uint64_t *bits)
{
    if (v->nulls == NULL)
        fill_bits(bits, false);
    else if (v->kind == COLUMNAR_VEC_CONST)
        fill_bits(bits, v->nulls[0] & 1);
    else
        memcpy(bits, v->nulls, COLUMNAR_VECTOR_WORDS * 8);
}

static int compare_double(double x, double y)
{
    if (x != x || y != y) return (x != x) - (y != y); /* NaN above every number, equal to itself */
    return (x > y) - (x < y);
}

static int compare_text(const struct columnar_text_ref *x, const struct columnar_text_ref *y)
{
    uint32_t n = x->len < y->len ? x->len : y->len;
    int c = n == 0 ? 0 : memcmp(x->s, y->s, n);

    return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static bool order_is(enum columnar_expr_op op, int c)
{
    return op == COLUMNAR_E_EQ   ? c == 0
           : op == COLUMNAR_E_NE ? c != 0
           : op == COLUMNAR_E_LT ? c < 0
           : op == COLUMNAR_E_LE ? c <= 0
           : op == COLUMNAR_E_GT ? c > 0
                                 : c >= 0;
}

/* flags[i] = a op b over arrays of one type, either of which may be one value for all; not both. */
#define COMPARE_AS(sign)                                                                           \
    do {                                                                                           \
        if (one_a)                                                                                 \
            for (uint32_t i = 0; i < rows; i++) flags[i] = a[0] sign b[i];                         \
        else if (one_b)                                                                            \
            for (uint32_t i = 0; i < rows; i++) flags[i] = a[i] sign b[0];                         \
        else                                                                                       \
            for (uint32_t i = 0; i < rows; i++) flags[i] = a[i] sign b[i];                         \
    } while (0)

static void compare_ints(enum columnar_expr_op op, uint32_t rows, const int64_t *a, bool one_a,
                         const int64_t *b, bool one_b, uint8_t *flags)
{
    switch (op) {
    case COLUMNAR_E_EQ: COMPARE_AS(==); break;
    case COLUMNAR_E_NE: COMPARE_AS(!=); break;
    case COLUMNAR_E_LT: COMPARE_AS(<); break;
    case COLUMNAR_E_LE: COMPARE_AS(<=); break;
    case COLUMNAR_E_GT: COMPARE_AS(>); break;
    default: COMPARE_AS(>=); break;
    }
}

/* Decimals of two scales, or a decimal and an integer: exact in 128 bits, so that nothing overflows. */
static void compare_scaled(enum columnar_expr_op op, uint32_t rows, const struct columnar_vec *a,
                           const struct columnar_vec *b, uint8_t *flags)
{
    bool one_a = a->kind == COLUMNAR_VEC_CONST, one_b = b->kind == COLUMNAR_VEC_CONST;
    __int128 up_a = a->scale < b->scale ? seam_decimal_pow10((unsigned)b->scale - a->scale) : 1;
    __int128 up_b = b->scale < a->scale ? seam_decimal_pow10((unsigned)a->scale - b->scale) : 1;

    for (uint32_t i = 0; i < rows; i++) {
        __int128 x = a->i[one_a ? 0 : i] * up_a, y = b->i[one_b ? 0 : i] * up_b;

        flags[i] = order_is(op, (x > y) - (x < y));
    }
}

static void compare_flags(enum columnar_expr_op op, uint32_t rows, const struct columnar_vec *a,
                          const struct columnar_vec *b, uint8_t *flags)
{
    bool one_a = a->kind == COLUMNAR_VEC_CONST, one_b = b->kind == COLUMNAR_VEC_CONST;

    assert(a->kind != COLUMNAR_VEC_DICT && b->kind != COLUMNAR_VEC_DICT);
    if (one_a && one_b && rows > 1) { /* one comparison for all: there is one value on each side */
        compare_flags(op, 1, a, b, flags);
        memset(flags, flags[0], rows);
    } else if (a->type == SEAM_V_TEXT) {
        for (uint32_t i = 0; i < rows; i++)
            flags[i] = order_is(op, compare_text(&a->s[one_a ? 0 : i], &b->s[one_b ? 0 : i]));
    } else if (a->type == SEAM_V_DOUBLE) {
        for (uint32_t i = 0; i < rows; i++)
            flags[i] = order_is(op, compare_double(a->d[one_a ? 0 : i], b->d[one_b ? 0 : i]));
    } else if (a->scale != b->scale) {
        compare_scaled(op, rows, a, b, flags);
    } else {
        compare_ints(op, rows, a->i, one_a, b->i, one_b, flags);
    }
}

static void by_code(const uint8_t *entry, const uint32_t *code, uint32_t rows, uint8_t *flags)
{
    for (uint32_t i = 0; i < rows; i++) flags[i] = entry[code[i]];
}

/* Flags of `test` over a dictionary's entries are spread to the rows that have them. */
static enum seam_status compare_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *batch, struct columnar_bits *out,
                                     struct seam_fault *f)
{
    uint8_t flags[COLUMNAR_VECTOR_ROWS] = {0}, entry[COLUMNAR_VECTOR_ROWS];
    uint64_t other[COLUMNAR_VECTOR_WORDS];
    struct columnar_vec a, b;
    enum seam_status st = s->eval(s, e->args[0], batch, &a, f);

    if (st == SEAM_OK) st = s->eval(s, e->args[1], batch, &b, f);
    if (st != SEAM_OK) return st;
    null_bits(&a, out->null);
    null_bits(&b, other);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->null[w] |= other[w];
    if (a.kind == COLUMNAR_VEC_DICT && b.kind == COLUMNAR_VEC_CONST &&
        a.dict_count <= COLUMNAR_VECTOR_ROWS) {
        struct columnar_vec dict = a;

        dict.kind = COLUMNAR_VEC_FLAT;
        compare_flags(e->op, a.dict_count, &dict, &b, entry);
        by_code(entry, a.code, batch->rows, flags);
    } else {
        st = columnar_expr_flatten(s, &a, batch->rows, f);
        if (st == SEAM_OK) st = columnar_expr_flatten(s, &b, batch->rows, f);
        if (st != SEAM_OK) return st;
        compare_flags(e->op, batch->rows, &a, &b, flags);
    }
    pack(flags, batch->rows, out->yes);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] &= ~out->null[w];
    return SEAM_OK;
}

/* IN and LIKE: one argument that varies. */
static void test_flags(const struct columnar_expr *e, const struct columnar_vec *a, uint32_t rows,
                       uint8_t *flags)
{
    const struct columnar_in_set *set = e->prepared;

    for (uint32_t i = 0; i < rows; i++) {
        if (e->op == COLUMNAR_E_IN) {
            struct seam_value v = {.type = a->type, .scale = a->scale};

            if (a->type == SEAM_V_TEXT)
                v = seam_v_text(a->s[i].s, a->s[i].len);
            else
                v.i = a->i[i];
            flags[i] = columnar_in_set_has(set, &v);
        } else {
            flags[i] = columnar_like_match(e->prepared, a->s[i].s, a->s[i].len);
        }
    }
}

static enum seam_status test_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                  const struct columnar_batch *batch, struct columnar_bits *out,
                                  struct seam_fault *f)
{
    uint8_t flags[COLUMNAR_VECTOR_ROWS] = {0}, entry[COLUMNAR_VECTOR_ROWS];
    struct columnar_vec a;
    enum seam_status st = s->eval(s, e->args[0], batch, &a, f);

    if (st != SEAM_OK) return st;
    null_bits(&a, out->null);
    if (a.kind == COLUMNAR_VEC_CONST) {
        test_flags(e, &a, 1, entry);
        memset(flags, entry[0], batch->rows);
    } else if (a.kind == COLUMNAR_VEC_DICT && a.dict_count <= COLUMNAR_VECTOR_ROWS) {
        struct columnar_vec dict = a;

        dict.kind = COLUMNAR_VEC_FLAT;
        test_flags(e, &dict, a.dict_count, entry);
        by_code(entry, a.code, batch->rows, flags);
    } else {
        st = columnar_expr_flatten(s, &a, batch->rows, f);
        if (st != SEAM_OK) return st;
        test_flags(e, &a, batch->rows, flags);
    }
    pack(flags, batch->rows, out->yes);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] &= ~out->null[w];
    /* x in (..., null) is null, not false. */
    if (e->op == COLUMNAR_E_IN && ((const struct columnar_in_set *)e->prepared)->has_null)
        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->null[w] |= ~out->yes[w];
    return SEAM_OK;
}

enum seam_status columnar_eval_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_bits *out,
                                    struct seam_fault *f);

static void vec_bits(const struct columnar_vec *v, uint32_t rows, struct columnar_bits *out)
{
    null_bits(v, out->null);
    fill_bits(out->yes, false);
    for (uint32_t i = 0; i < rows; i++)
        if (v->i[columnar_vec_slot(v, i)] != 0) seam_bitset_set(out->yes, i);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] &= ~out->null[w];
}

static enum seam_status value_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_batch *b, struct columnar_bits *out,
                                   struct seam_fault *f)
{
    struct columnar_vec v;
    enum seam_status st = e->op == COLUMNAR_E_CASE || e->op == COLUMNAR_E_COALESCE
                              ? columnar_eval_rows(s, e, b, &v, f)
                          : e->op == COLUMNAR_E_COLUMN || e->op == COLUMNAR_E_CONST
                              ? s->eval(s, e, b, &v, f)
                              : columnar_eval_generic(s, e, b, &v, f);

    if (st == SEAM_OK) vec_bits(&v, b->rows, out);
    return st;
}

/* An argument that fails for some row may be overruled there by another one: that is seen row by row. */
static enum seam_status logic_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_batch *b, struct columnar_bits *out,
                                   struct seam_fault *f)
{
    struct seam_fault here = {0};
    enum seam_status st = columnar_eval_bits(s, e->args[0], b, out, &here);

    for (int k = 1; st == SEAM_OK && k < e->n_args; k++) {
        struct columnar_bits more;

        st = columnar_eval_bits(s, e->args[k], b, &more, &here);
        for (int w = 0; st == SEAM_OK && w < COLUMNAR_VECTOR_WORDS; w++) {
            uint64_t no_a = ~out->yes[w] & ~out->null[w], no_b = ~more.yes[w] & ~more.null[w];

            if (e->op == COLUMNAR_E_AND) {
                out->yes[w] &= more.yes[w];
                out->null[w] = ~out->yes[w] & ~(no_a | no_b);
            } else {
                out->yes[w] |= more.yes[w];
                out->null[w] = ~out->yes[w] & ~(no_a & no_b);
            }
        }
    }
    if (st == SEAM_NOMEM) return columnar_expr_no_memory(f);
    if (st != SEAM_OK) {
        struct columnar_vec v;

        st = columnar_eval_rows(s, e, b, &v, f);
        if (st == SEAM_OK) vec_bits(&v, b->rows, out);
    }
    return st;
}

enum seam_status columnar_eval_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_bits *out,
                                    struct seam_fault *f)
{
    struct columnar_vec v;
    enum seam_status st;

    switch (e->op) {
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE: return compare_bits(s, e, b, out, f);
    case COLUMNAR_E_IN:
    case COLUMNAR_E_LIKE: /* a pattern that varies has to be prepared for each row */
        return e->op == COLUMNAR_E_LIKE && e->prepared == NULL ? value_bits(s, e, b, out, f)
                                                               : test_bits(s, e, b, out, f);
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR: return logic_bits(s, e, b, out, f);
    case COLUMNAR_E_NOT:
        st = columnar_eval_bits(s, e->args[0], b, out, f);
        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] = ~out->yes[w] & ~out->null[w];
        return st;
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL:
        st = s->eval(s, e->args[0], b, &v, f);
        if (st != SEAM_OK) return st;
        null_bits(&v, out->yes);
        if (e->op == COLUMNAR_E_IS_NOT_NULL)
            for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] = ~out->yes[w];
        fill_bits(out->null, false);
        return SEAM_OK;
    default: return value_bits(s, e, b, out, f);
    }
}

enum seam_status columnar_eval_cond(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f)
{
    struct columnar_bits *bits = columnar_expr_take(s, sizeof *bits);
    int64_t *r = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
    uint64_t any = 0;
    enum seam_status st;

    if (bits == NULL || r == NULL) return columnar_expr_no_memory(f);
    st = columnar_eval_bits(s, e, b, bits, f);
    if (st != SEAM_OK) return st;
    for (uint32_t i = 0; i < b->rows; i++) r[i] = seam_bitset_get(bits->yes, i);
    for (size_t w = 0; w < seam_bitset_words(b->rows); w++) any |= bits->null[w];
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = SEAM_V_BOOL,
                                 .i = r,
                                 .lo = 0,
                                 .hi = 1,
                                 .nulls = any != 0 ? bits->null : NULL};
    return SEAM_OK;
}
