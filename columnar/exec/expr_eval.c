/* columnar_expr_eval - expressions a vector at a time.
 *
 * Integer arithmetic carries bounds: where the bounds of the operands prove that no row can overflow, the
 * loop has no checks; elsewhere every row is checked. Operators on a dictionary vector run once per
 * dictionary entry. Whatever has no loop of its own runs columnar_expr_apply row by row.                     */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_impl.h"
#include "columnar/format/kernels.h"

/* Results live in blocks that are kept from batch to batch, so that a running query allocates nothing. */
enum { POOL_BLOCK = 256 << 10 };

struct pool_block {
    struct pool_block *next;
    size_t size;
    _Alignas(64) uint8_t bytes[];
};

struct columnar_expr_state {
    struct seam_arena mem; /* text made by functions */
    struct pool_block *first, *now;
    size_t used; /* of `now` */
};

struct columnar_expr_state *columnar_expr_state_new(void)
{
    return calloc(1, sizeof(struct columnar_expr_state));
}

void columnar_expr_state_free(struct columnar_expr_state *s)
{
    if (s == NULL) return;
    while (s->first != NULL) {
        struct pool_block *next = s->first->next;

        free(s->first);
        s->first = next;
    }
    seam_arena_free(&s->mem);
    free(s);
}

void columnar_expr_state_reset(struct columnar_expr_state *s)
{
    s->now = s->first;
    s->used = 0;
    if (s->mem.used > 0) seam_arena_reset(&s->mem);
}

static void *take(struct columnar_expr_state *s, size_t n)
{
    struct pool_block *b;

    n = (n + 63) & ~(size_t)63;
    if (s->now != NULL && s->used + n <= s->now->size) {
        s->used += n;
        return s->now->bytes + s->used - n;
    }
    if (s->now != NULL && s->now->next != NULL && n <= s->now->next->size) {
        s->now = s->now->next;
        s->used = n;
        return s->now->bytes;
    }
    b = malloc(sizeof *b + (n > POOL_BLOCK ? n : POOL_BLOCK));
    if (b == NULL) return NULL;
    b->size = n > POOL_BLOCK ? n : POOL_BLOCK;
    b->next = s->now == NULL ? NULL : s->now->next;
    if (s->now == NULL)
        s->first = b;
    else
        s->now->next = b;
    s->now = b;
    s->used = n;
    return b->bytes;
}

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                          "no memory to evaluate an expression");
}

static const uint64_t one_null[1] = {1};

static enum seam_status const_vec(struct columnar_expr_state *s, const struct columnar_expr *e,
                                  struct columnar_vec *out, struct seam_fault *f)
{
    const struct seam_value *v = &e->constant;

    *out = (struct columnar_vec){
        .kind = COLUMNAR_VEC_CONST, .type = e->type, .scale = e->scale, .lo = v->i, .hi = v->i};
    if (v->type == SEAM_V_NULL) {
        out->nulls = one_null;
        out->lo = out->hi = 0;
    }
    if (e->type == SEAM_V_TEXT) {
        struct columnar_text_ref *t = take(s, sizeof *t);

        if (t == NULL) return no_memory(f);
        *t = v->type == SEAM_V_NULL ? (struct columnar_text_ref){"", 0}
                                    : (struct columnar_text_ref){v->s, v->len};
        out->s = t;
        return SEAM_OK;
    }
    if (v->type == SEAM_V_NULL) {
        static const int64_t zero[1];

        out->i = zero;
        return SEAM_OK;
    }
    out->i = &v->i; /* the double shares its place */
    if (e->type == SEAM_V_DOUBLE) out->lo = INT64_MIN, out->hi = INT64_MAX;
    return SEAM_OK;
}

/* Nulls of either side; NULL when there are none. CONST sides are all or nothing. */
static enum seam_status merge_nulls(struct columnar_expr_state *s, const struct columnar_vec *a,
                                    const struct columnar_vec *b, bool *all_null,
                                    const uint64_t **out, struct seam_fault *f)
{
    uint64_t *bits;

    *all_null = false;
    *out = NULL;
    for (int k = 0; k < 2; k++) {
        const struct columnar_vec *v = k == 0 ? a : b;

        if (v == NULL || v->nulls == NULL) continue;
        if (v->kind == COLUMNAR_VEC_CONST) {
            *all_null = *all_null || (v->nulls[0] & 1) != 0;
            continue;
        }
        if (*out == NULL) {
            *out = v->nulls;
            continue;
        }
        bits = take(s, COLUMNAR_VECTOR_WORDS * 8);
        if (bits == NULL) return no_memory(f);
        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) bits[w] = (*out)[w] | v->nulls[w];
        *out = bits;
    }
    return SEAM_OK;
}

static void all_null_vec(const struct columnar_expr *e, struct columnar_vec *out)
{
    static const int64_t zero[2];
    static const struct columnar_text_ref none[1] = {{"", 0}};

    *out = (struct columnar_vec){
        .kind = COLUMNAR_VEC_CONST, .type = e->type, .scale = e->scale, .nulls = one_null};
    if (e->type == SEAM_V_TEXT)
        out->s = none;
    else
        out->i = zero;
}

/* DICT as FLAT; 64-bit values of any type. */
static enum seam_status flatten(struct columnar_expr_state *s, struct columnar_vec *v,
                                uint32_t rows, struct seam_fault *f)
{
    int64_t *p;

    if (v->kind != COLUMNAR_VEC_DICT) return SEAM_OK;
    if (v->type == SEAM_V_TEXT) {
        struct columnar_text_ref *t = take(s, COLUMNAR_VECTOR_ROWS * sizeof *t);

        if (t == NULL) return no_memory(f);
        for (uint32_t i = 0; i < rows; i++) t[i] = v->s[v->code[i]];
        v->s = t;
    } else {
        p = take(s, COLUMNAR_VECTOR_ROWS * 8);
        if (p == NULL) return no_memory(f);
        columnar_kernel_lookup(v->i, v->code, rows, p);
        v->i = p;
    }
    v->kind = COLUMNAR_VEC_FLAT;
    return SEAM_OK;
}

/* ---- arithmetic ---- */

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

#define LOOPS(rows, a, b, r, ca, cb, expression)                                                   \
    do {                                                                                           \
        if (ca) {                                                                                  \
            const __typeof__(*(a)) x = (a)[0];                                                     \
            for (uint32_t i = 0; i < (rows); i++) {                                                \
                const __typeof__(*(b)) y = (b)[i];                                                 \
                (r)[i] = (expression);                                                             \
            }                                                                                      \
        } else if (cb) {                                                                           \
            const __typeof__(*(b)) y = (b)[0];                                                     \
            for (uint32_t i = 0; i < (rows); i++) {                                                \
                const __typeof__(*(a)) x = (a)[i];                                                 \
                (r)[i] = (expression);                                                             \
            }                                                                                      \
        } else                                                                                     \
            for (uint32_t i = 0; i < (rows); i++) {                                                \
                const __typeof__(*(a)) x = (a)[i];                                                 \
                const __typeof__(*(b)) y = (b)[i];                                                 \
                (r)[i] = (expression);                                                             \
            }                                                                                      \
    } while (0)

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
    uint64_t *bits = take(s, COLUMNAR_VECTOR_WORDS * 8);

    if (bits == NULL) return no_memory(f);
    if (out->nulls != NULL)
        memcpy(bits, out->nulls, COLUMNAR_VECTOR_WORDS * 8);
    else
        memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
    for (uint32_t i = 0; i < rows; i++)
        if (b->d[b->kind == COLUMNAR_VEC_CONST ? 0 : i] == 0) seam_bitset_set(bits, i);
    out->nulls = bits;
    return SEAM_OK;
}

static enum seam_status eval_arithmetic(struct columnar_expr_state *s,
                                        const struct columnar_expr *e,
                                        const struct columnar_batch *batch,
                                        struct columnar_vec *out, struct seam_fault *f)
{
    uint32_t rows = batch->rows;
    struct columnar_vec a, b;
    bool all_null, ca, cb;
    int64_t *r;
    enum seam_status st = columnar_expr_eval(s, e->args[0], batch, &a, f);

    if (st == SEAM_OK) st = columnar_expr_eval(s, e->args[1], batch, &b, f);
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT, .type = e->type, .scale = e->scale};
    if (st == SEAM_OK) st = merge_nulls(s, &a, &b, &all_null, &out->nulls, f);
    if (st == SEAM_OK && all_null) {
        all_null_vec(e, out);
        return SEAM_OK;
    }
    if (st == SEAM_OK) st = flatten(s, &a, rows, f);
    if (st == SEAM_OK) st = flatten(s, &b, rows, f);
    if (st != SEAM_OK) return st;
    r = take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return no_memory(f);
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
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET, "%s overflows 64 bits",
                              columnar_expr_op_name(e->op));
    return SEAM_OK;
}

/* ---- row by row ---- */

static bool cells_init(struct columnar_expr_state *s, unsigned type, struct columnar_cells *c)
{
    *c = (struct columnar_cells){.nulls = take(s, COLUMNAR_VECTOR_WORDS * 8)};
    if (c->nulls != NULL) memset(c->nulls, 0, COLUMNAR_VECTOR_WORDS * 8);
    if (type == SEAM_V_TEXT)
        c->s = take(s, COLUMNAR_VECTOR_ROWS * sizeof *c->s);
    else
        c->i = take(s, COLUMNAR_VECTOR_ROWS * 8);
    return c->nulls != NULL && (c->s != NULL || c->i != NULL);
}

static void cells_vec(const struct columnar_cells *c, const struct columnar_expr *e,
                      struct columnar_vec *out)
{
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = e->type,
                                 .scale = e->scale,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX,
                                 .nulls = c->any ? c->nulls : NULL};
    if (c->s != NULL)
        out->s = c->s;
    else
        out->i = c->i;
}

/* Everything lazily, as columnar_expr_eval_row does it: for CASE and for what failed eagerly. */
static enum seam_status eval_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                  const struct columnar_batch *b, struct columnar_vec *out,
                                  struct seam_fault *f)
{
    struct seam_value *row = take(s, ((size_t)b->count + 1) * sizeof *row);
    struct columnar_cells c;
    enum seam_status st = SEAM_OK;

    if (row == NULL || !cells_init(s, e->type, &c)) return no_memory(f);
    for (uint32_t i = 0; st == SEAM_OK && i < b->rows; i++) {
        struct seam_value v;

        for (int k = 0; k < b->count; k++)
            row[k] = b->cols[k].i == NULL ? seam_v_null() : columnar_vec_value(&b->cols[k], i);
        st = columnar_expr_eval_row(e, row, &s->mem, &v, f);
        if (st == SEAM_OK) columnar_cells_put(&c, i, &v);
    }
    cells_vec(&c, e, out);
    return st;
}

static enum seam_status apply_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_vec *args, uint32_t rows,
                                   struct columnar_cells *c, struct seam_fault *f)
{
    struct seam_value few[4], *values = few;
    enum seam_status st = SEAM_OK;

    if (e->n_args > (int)SEAM_ARRAY_LEN(few)) values = take(s, (size_t)e->n_args * sizeof *values);
    if (values == NULL) return no_memory(f);
    for (uint32_t i = 0; st == SEAM_OK && i < rows; i++) {
        struct seam_value v;

        for (int k = 0; k < e->n_args; k++) values[k] = columnar_vec_value(&args[k], i);
        st = columnar_expr_apply(e, values, &s->mem, &v, f);
        if (st == SEAM_OK) columnar_cells_put(c, i, &v);
    }
    return st;
}

/* Strict operators: over one dictionary and constants, once per entry. */
static enum seam_status eval_generic(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *b, struct columnar_vec *out,
                                     struct seam_fault *f)
{
    struct columnar_vec *args = take(s, (size_t)e->n_args * sizeof *args);
    int dict = -1, flat = 0;
    uint32_t rows = b->rows;
    struct columnar_cells c;
    struct columnar_vec saved;
    enum seam_status st = SEAM_OK;

    if (args == NULL) return no_memory(f);
    for (int k = 0; st == SEAM_OK && k < e->n_args; k++) {
        st = columnar_expr_eval(s, e->args[k], b, &args[k], f);
        if (st != SEAM_OK) return st;
        if (args[k].kind == COLUMNAR_VEC_FLAT)
            flat++;
        else if (args[k].kind == COLUMNAR_VEC_DICT && dict >= 0)
            flat++;
        else if (args[k].kind == COLUMNAR_VEC_DICT)
            dict = k;
    }
    if (flat == 0 && dict >= 0 && args[dict].dict_count <= rows && e->op != COLUMNAR_E_CONCAT) {
        saved = args[dict];
        args[dict].kind = COLUMNAR_VEC_FLAT;
        args[dict].nulls = NULL;
        if (!cells_init(s, e->type, &c)) return no_memory(f);
        st = apply_rows(s, e, args, saved.dict_count, &c, f);
        cells_vec(&c, e, out);
        /* An entry whose result is null would need a null per code: only then go by rows. */
        if (st == SEAM_OK && out->nulls == NULL) {
            out->kind = COLUMNAR_VEC_DICT;
            out->code = saved.code;
            out->dict_count = saved.dict_count;
            out->nulls = saved.nulls;
            return SEAM_OK;
        }
        if (st == SEAM_NOMEM) return st;
        if (st != SEAM_OK && f != NULL)
            seam_fault_clear(f); /* an entry no row has may be the culprit */
        args[dict] = saved;
    }
    if (flat == 0 && dict < 0) rows = 1;
    if (!cells_init(s, e->type, &c)) return no_memory(f);
    st = apply_rows(s, e, args, rows, &c, f);
    cells_vec(&c, e, out);
    if (flat == 0 && dict < 0) {
        out->kind = COLUMNAR_VEC_CONST;
        if (e->type != SEAM_V_TEXT && e->type != SEAM_V_DOUBLE) out->lo = out->hi = out->i[0];
    }
    return st;
}

static enum seam_status eval_trunc(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_batch *b, struct columnar_vec *out,
                                   struct seam_fault *f)
{
    struct columnar_vec a;
    int64_t *r, last_day = INT64_MIN, last = 0;
    bool by_day = e->part != COLUMNAR_PART_HOUR && e->part != COLUMNAR_PART_MINUTE &&
                  e->part != COLUMNAR_PART_SECOND;
    enum seam_status st = columnar_expr_eval(s, e->args[0], b, &a, f);

    if (st != SEAM_OK) return st;
    if (a.kind != COLUMNAR_VEC_FLAT) return eval_generic(s, e, b, out, f);
    r = take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return no_memory(f);
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

static enum seam_status eval_cast(struct columnar_expr_state *s, const struct columnar_expr *e,
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
        return eval_generic(s, e, b, out, f);
    st = columnar_expr_eval(s, arg, b, &a, f);
    if (st != SEAM_OK) return st;
    if (a.kind != COLUMNAR_VEC_FLAT) return eval_generic(s, e, b, out, f);
    *out = a;
    out->type = e->type;
    out->scale = e->scale;
    if (e->type == SEAM_V_DOUBLE) {
        d = take(s, COLUMNAR_VECTOR_ROWS * 8);
        if (d == NULL) return no_memory(f);
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
    r = take(s, COLUMNAR_VECTOR_ROWS * 8);
    if (r == NULL) return no_memory(f);
    out->i = r;
    out->lo = INT64_MIN;
    out->hi = INT64_MAX;
    if (bounds(COLUMNAR_E_MUL, &a, &factor, &out->lo, &out->hi))
        columnar_kernel_arith('*', b->rows, a.i, false, &power, true, r);
    else if (!ints_checked(COLUMNAR_E_MUL, b->rows, a.i, &power, r, false, true, a.nulls))
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                              "a number overflows 64 bits at %u decimal places", e->scale);
    return SEAM_OK;
}

/* ---- conditions: two bitmaps, true and null ---- */

struct bits {
    uint64_t yes[COLUMNAR_VECTOR_WORDS], null[COLUMNAR_VECTOR_WORDS];
};

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

#define COMPARE(rows, a, b, ca, cb, flags)                                                         \
    switch (op) {                                                                                  \
    case COLUMNAR_E_EQ: LOOPS(rows, a, b, flags, ca, cb, x == y); break;                           \
    case COLUMNAR_E_NE: LOOPS(rows, a, b, flags, ca, cb, x != y); break;                           \
    case COLUMNAR_E_LT: LOOPS(rows, a, b, flags, ca, cb, x < y); break;                            \
    case COLUMNAR_E_LE: LOOPS(rows, a, b, flags, ca, cb, x <= y); break;                           \
    case COLUMNAR_E_GT: LOOPS(rows, a, b, flags, ca, cb, x > y); break;                            \
    default: LOOPS(rows, a, b, flags, ca, cb, x >= y); break;                                      \
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

static void compare_flags(enum columnar_expr_op op, uint32_t rows, const struct columnar_vec *a,
                          const struct columnar_vec *b, uint8_t *flags)
{
    bool ca = a->kind == COLUMNAR_VEC_CONST, cb = b->kind == COLUMNAR_VEC_CONST;

    if (a->type == SEAM_V_TEXT) {
        for (uint32_t i = 0; i < rows; i++)
            flags[i] = order_is(op, compare_text(&a->s[ca ? 0 : i], &b->s[cb ? 0 : i]));
    } else if (a->type == SEAM_V_DOUBLE) {
        for (uint32_t i = 0; i < rows; i++)
            flags[i] = order_is(op, compare_double(a->d[ca ? 0 : i], b->d[cb ? 0 : i]));
    } else {
        COMPARE(rows, a->i, b->i, ca, cb, flags)
    }
}

static void by_code(const uint8_t *entry, const uint32_t *code, uint32_t rows, uint8_t *flags)
{
    for (uint32_t i = 0; i < rows; i++) flags[i] = entry[code[i]];
}

/* Flags of `test` over a dictionary's entries are spread to the rows that have them. */
static enum seam_status compare_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *batch, struct bits *out,
                                     struct seam_fault *f)
{
    uint8_t flags[COLUMNAR_VECTOR_ROWS] = {0}, entry[COLUMNAR_VECTOR_ROWS];
    uint64_t other[COLUMNAR_VECTOR_WORDS];
    struct columnar_vec a, b;
    enum seam_status st = columnar_expr_eval(s, e->args[0], batch, &a, f);

    if (st == SEAM_OK) st = columnar_expr_eval(s, e->args[1], batch, &b, f);
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
        st = flatten(s, &a, batch->rows, f);
        if (st == SEAM_OK) st = flatten(s, &b, batch->rows, f);
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
                                  const struct columnar_batch *batch, struct bits *out,
                                  struct seam_fault *f)
{
    uint8_t flags[COLUMNAR_VECTOR_ROWS] = {0}, entry[COLUMNAR_VECTOR_ROWS];
    struct columnar_vec a;
    enum seam_status st = columnar_expr_eval(s, e->args[0], batch, &a, f);

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
        st = flatten(s, &a, batch->rows, f);
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

static enum seam_status cond(struct columnar_expr_state *s, const struct columnar_expr *e,
                             const struct columnar_batch *b, struct bits *out,
                             struct seam_fault *f);

static enum seam_status logic_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_batch *b, struct bits *out,
                                   struct seam_fault *f)
{
    enum seam_status st = cond(s, e->args[0], b, out, f);

    for (int k = 1; st == SEAM_OK && k < e->n_args; k++) {
        struct bits more;

        st = cond(s, e->args[k], b, &more, f);
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
    return st;
}

static enum seam_status value_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_batch *b, struct bits *out,
                                   struct seam_fault *f)
{
    struct columnar_vec v;
    enum seam_status st = e->op == COLUMNAR_E_CASE || e->op == COLUMNAR_E_COALESCE
                              ? eval_rows(s, e, b, &v, f)
                          : e->op == COLUMNAR_E_COLUMN ? SEAM_OK
                          : e->op == COLUMNAR_E_CONST  ? const_vec(s, e, &v, f)
                                                       : eval_generic(s, e, b, &v, f);

    if (st != SEAM_OK) return st;
    if (e->op == COLUMNAR_E_COLUMN) v = b->cols[e->column];
    null_bits(&v, out->null);
    fill_bits(out->yes, false);
    for (uint32_t i = 0; i < b->rows; i++)
        if (v.i[columnar_vec_slot(&v, i)] != 0) seam_bitset_set(out->yes, i);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] &= ~out->null[w];
    return SEAM_OK;
}

static enum seam_status cond(struct columnar_expr_state *s, const struct columnar_expr *e,
                             const struct columnar_batch *b, struct bits *out, struct seam_fault *f)
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
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE: return test_bits(s, e, b, out, f);
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR: return logic_bits(s, e, b, out, f);
    case COLUMNAR_E_NOT:
        st = cond(s, e->args[0], b, out, f);
        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] = ~out->yes[w] & ~out->null[w];
        return st;
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL:
        st = columnar_expr_eval(s, e->args[0], b, &v, f);
        if (st != SEAM_OK) return st;
        null_bits(&v, out->yes);
        if (e->op == COLUMNAR_E_IS_NOT_NULL)
            for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) out->yes[w] = ~out->yes[w];
        fill_bits(out->null, false);
        return SEAM_OK;
    default: return value_bits(s, e, b, out, f);
    }
}

static enum seam_status eval_cond(struct columnar_expr_state *s, const struct columnar_expr *e,
                                  const struct columnar_batch *b, struct columnar_vec *out,
                                  struct seam_fault *f)
{
    struct bits *bits = take(s, sizeof *bits);
    int64_t *r = take(s, COLUMNAR_VECTOR_ROWS * 8);
    uint64_t any = 0;
    enum seam_status st;

    if (bits == NULL || r == NULL) return no_memory(f);
    st = cond(s, e, b, bits, f);
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

enum seam_status columnar_expr_eval(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f)
{
    switch (e->op) {
    case COLUMNAR_E_COLUMN:
        assert(e->column < b->count);
        *out = b->cols[e->column];
        return SEAM_OK;
    case COLUMNAR_E_CONST: return const_vec(s, e, out, f);
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV: return eval_arithmetic(s, e, b, out, f);
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE:
    case COLUMNAR_E_IN:
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE:
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR:
    case COLUMNAR_E_NOT:
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL: return eval_cond(s, e, b, out, f);
    case COLUMNAR_E_CASE:
    case COLUMNAR_E_COALESCE: return eval_rows(s, e, b, out, f);
    case COLUMNAR_E_DATE_TRUNC: return eval_trunc(s, e, b, out, f);
    case COLUMNAR_E_CAST: return eval_cast(s, e, b, out, f);
    default: return eval_generic(s, e, b, out, f);
    }
}

enum seam_status columnar_expr_filter(struct columnar_expr_state *s, const struct columnar_expr *e,
                                      const struct columnar_batch *b,
                                      uint64_t sel[COLUMNAR_VECTOR_WORDS], struct seam_fault *f)
{
    struct bits bits;
    uint64_t any = 0;
    enum seam_status st = SEAM_OK;

    if (e->op == COLUMNAR_E_AND) {
        for (int k = 0; st == SEAM_OK && k < e->n_args; k++) {
            any = 0;
            for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) any |= sel[w];
            if (any == 0) break;
            st = columnar_expr_filter(s, e->args[k], b, sel, f);
        }
        return st;
    }
    st = cond(s, e, b, &bits, f);
    for (int w = 0; st == SEAM_OK && w < COLUMNAR_VECTOR_WORDS; w++) sel[w] &= bits.yes[w];
    return st;
}
