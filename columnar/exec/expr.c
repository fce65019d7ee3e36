/* expr - building expressions: types, casts, constant folding, printing. */
#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "columnar/exec/expr_impl.h"

static bool is_number(const struct columnar_expr *e)
{
    return e->type == SEAM_V_INT || e->type == SEAM_V_DECIMAL || e->type == SEAM_V_DOUBLE;
}

static bool is_null_const(const struct columnar_expr *e)
{
    return e->op == COLUMNAR_E_CONST && e->constant.type == SEAM_V_NULL;
}

static const char *type_word(const struct columnar_expr *e)
{
    return e->type == SEAM_V_NULL ? "null" : seam_value_type_name(e->type);
}

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for an expression");
}

enum seam_status columnar_expr_column(struct seam_arena *a, int column, enum seam_value_type type,
                                      unsigned scale, const struct columnar_expr **out,
                                      struct seam_fault *f)
{
    struct columnar_expr *e = seam_arena_zalloc(a, sizeof *e);

    if (e == NULL) return no_memory(f);
    e->op = COLUMNAR_E_COLUMN;
    e->column = column;
    e->type = (uint8_t)type;
    e->scale = (uint8_t)scale;
    *out = e;
    return SEAM_OK;
}

static enum seam_status typed_const(struct seam_arena *a, const struct seam_value *v, unsigned type,
                                    unsigned scale, const struct columnar_expr **out,
                                    struct seam_fault *f)
{
    struct columnar_expr *e = seam_arena_zalloc(a, sizeof *e);

    if (e == NULL) return no_memory(f);
    e->op = COLUMNAR_E_CONST;
    e->type = (uint8_t)type;
    e->scale = (uint8_t)scale;
    e->constant = *v;
    if (v->type == SEAM_V_TEXT) {
        e->constant.s = seam_arena_strdup(a, v->s, v->len);
        if (e->constant.s == NULL) return no_memory(f);
    }
    *out = e;
    return SEAM_OK;
}

enum seam_status columnar_expr_const(struct seam_arena *a, const struct seam_value *v,
                                     const struct columnar_expr **out, struct seam_fault *f)
{
    return typed_const(a, v, v->type, v->type == SEAM_V_DECIMAL ? v->scale : 0, out, f);
}

/* A node over constants alone is worth its value. */
static enum seam_status fold(struct seam_arena *a, const struct columnar_expr *e,
                             const struct columnar_expr **out, struct seam_fault *f)
{
    struct seam_value v;
    enum seam_status st;

    *out = e;
    for (int k = 0; k < e->n_args; k++)
        if (!columnar_expr_is_const(e->args[k])) return SEAM_OK;
    st = columnar_expr_eval_row(e, NULL, a, &v, f);
    return st == SEAM_OK ? typed_const(a, &v, e->type, e->scale, out, f) : st;
}

static enum seam_status make(struct seam_arena *a, enum columnar_expr_op op, unsigned type,
                             unsigned scale, const struct columnar_expr *const *args, int n,
                             const void *prepared, unsigned part, const struct columnar_expr **out,
                             struct seam_fault *f)
{
    struct columnar_expr *e = seam_arena_zalloc(a, sizeof *e);

    if (e != NULL) e->args = seam_arena_alloc(a, ((size_t)n + 1) * sizeof *e->args);
    if (e == NULL || e->args == NULL) return no_memory(f);
    e->op = op;
    e->type = (uint8_t)type;
    e->scale = (uint8_t)scale;
    e->part = (uint8_t)part;
    e->prepared = prepared;
    e->n_args = n;
    for (int k = 0; k < n; k++) e->args[k] = args[k];
    return fold(a, e, out, f);
}

enum seam_status columnar_expr_func_node(struct seam_arena *a,
                                         const struct columnar_func_call *call, unsigned type,
                                         unsigned scale, const struct columnar_expr *const *args,
                                         int n, const struct columnar_expr **out,
                                         struct seam_fault *f)
{
    return make(a, COLUMNAR_E_FUNC, type, scale, args, n, call, 0, out, f);
}

static enum seam_status cast_to(struct seam_arena *a, enum columnar_expr_op op,
                                const struct columnar_expr *e, enum seam_value_type type,
                                unsigned scale, const struct columnar_expr **out,
                                struct seam_fault *f)
{
    bool ok =
        type == e->type || e->type == SEAM_V_TEXT || type == SEAM_V_TEXT || e->type == SEAM_V_NULL;

    if (type != SEAM_V_DECIMAL) scale = 0;
    ok = ok || (is_number(e) && (type == SEAM_V_INT || type == SEAM_V_DECIMAL ||
                                 type == SEAM_V_DOUBLE || type == SEAM_V_BOOL));
    ok = ok || (e->type == SEAM_V_BOOL &&
                (type == SEAM_V_INT || type == SEAM_V_DECIMAL || type == SEAM_V_DOUBLE));
    ok = ok || (e->type == SEAM_V_TIME && type == SEAM_V_INT) ||
         (e->type == SEAM_V_INT && type == SEAM_V_TIME);
    if (!ok)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "a %s cannot become a %s", type_word(e), seam_value_type_name(type));
    if (e->type == (uint8_t)type && e->scale == scale) {
        *out = e;
        return SEAM_OK;
    }
    if (is_null_const(e)) {
        struct seam_value none = seam_v_null();

        return typed_const(a, &none, type, scale, out, f);
    }
    return make(a, op, type, scale, &e, 1, NULL, 0, out, f);
}

enum seam_status columnar_expr_cast(struct seam_arena *a, const struct columnar_expr *e,
                                    enum seam_value_type type, unsigned scale,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    return cast_to(a, COLUMNAR_E_CAST, e, type, scale, out, f);
}

enum seam_status columnar_expr_try_cast(struct seam_arena *a, const struct columnar_expr *e,
                                        enum seam_value_type type, unsigned scale,
                                        const struct columnar_expr **out, struct seam_fault *f)
{
    return cast_to(a, COLUMNAR_E_TRY_CAST, e, type, scale, out, f);
}

void columnar_expr_place(const struct columnar_expr *e, uint32_t at)
{
    if (e->at != 0) return;
    /* Immutable to everybody else; this is still part of making it. */
    ((struct columnar_expr *)e)->at = at + 1;
    for (int k = 0; k < e->n_args; k++) columnar_expr_place(e->args[k], at);
}

static enum seam_status mismatch(const char *what, const struct columnar_expr *x,
                                 const struct columnar_expr *y, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                          "%s does not go between %s and %s", what, type_word(x), type_word(y));
}

static unsigned larger_scale(const struct columnar_expr *x, const struct columnar_expr *y)
{
    return x->scale > y->scale ? x->scale : y->scale;
}

/* A constant beside something typed takes its type: null, and text that is read as what it stands beside. A decimal
 * written as text may have more digits than its neighbour: they are kept. */
static enum seam_status adopt(struct seam_arena *a, const struct columnar_expr **constant,
                              const struct columnar_expr *other, struct seam_fault *f)
{
    const struct columnar_expr *c = *constant;
    unsigned scale = other->scale;

    if (other->type == SEAM_V_NULL) return SEAM_OK;
    if (c->type == SEAM_V_TEXT && other->type == SEAM_V_DECIMAL && !is_null_const(c)) {
        const char *s = c->constant.s, *point = memchr(s, '.', c->constant.len);
        size_t digits = point == NULL ? 0 : (size_t)(s + c->constant.len - point - 1);

        if (digits > scale && digits <= SEAM_DECIMAL_SCALE_MAX) scale = (unsigned)digits;
    }
    return columnar_expr_cast(a, c, other->type, scale, constant, f);
}

static bool adopts(const struct columnar_expr *e, const struct columnar_expr *other)
{
    return is_null_const(e) ||
           (e->type == SEAM_V_TEXT && columnar_expr_is_const(e) && other->type != SEAM_V_TEXT);
}

/* The one typing rule of everything that brings two values together: the same type or two numbers, after constants
 * have taken the type of what they stand beside. */
static enum seam_status match_types(struct seam_arena *a, const char *what,
                                    const struct columnar_expr **x, const struct columnar_expr **y,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (adopts(*x, *y) && !is_null_const(*y))
        st = adopt(a, x, *y, f);
    else if (adopts(*y, *x))
        st = adopt(a, y, *x, f);
    if (st != SEAM_OK) return st;
    if ((*x)->type != (*y)->type && !(is_number(*x) && is_number(*y)))
        return mismatch(what, *x, *y, f);
    if ((*x)->type == (*y)->type) return SEAM_OK;
    if ((*x)->type == SEAM_V_DOUBLE) return columnar_expr_cast(a, *y, SEAM_V_DOUBLE, 0, y, f);
    if ((*y)->type == SEAM_V_DOUBLE) return columnar_expr_cast(a, *x, SEAM_V_DOUBLE, 0, x, f);
    return SEAM_OK;
}

/* Brings both to one type and scale, to be added or chosen from. */
static enum seam_status unify(struct seam_arena *a, const char *what,
                              const struct columnar_expr **x, const struct columnar_expr **y,
                              struct seam_fault *f)
{
    enum seam_status st = match_types(a, what, x, y, f);
    unsigned type = (*x)->type, scale = larger_scale(*x, *y);

    if (st != SEAM_OK || type == SEAM_V_NULL) return st;
    if (type == SEAM_V_INT && (*y)->type == SEAM_V_DECIMAL) type = SEAM_V_DECIMAL;
    st = columnar_expr_cast(a, *x, type, scale, x, f);
    return st == SEAM_OK ? columnar_expr_cast(a, *y, type, scale, y, f) : st;
}

enum seam_status columnar_expr_equal_keys(struct seam_arena *a, const struct columnar_expr **x,
                                          const struct columnar_expr **y, struct seam_fault *f)
{
    enum seam_status st = match_types(a, "=", x, y, f);
    unsigned scale = larger_scale(*x, *y);

    if (st != SEAM_OK || (*x)->type == SEAM_V_DOUBLE || !is_number(*x)) return st;
    if ((*x)->type == (*y)->type && (*x)->scale == (*y)->scale) return SEAM_OK;
    /* What does not fit at the larger scale equals nothing that does: null equals nothing, either. */
    st = columnar_expr_try_cast(a, *x, SEAM_V_DECIMAL, scale, x, f);
    return st == SEAM_OK ? columnar_expr_try_cast(a, *y, SEAM_V_DECIMAL, scale, y, f) : st;
}

static enum seam_status need(const struct columnar_expr *const *args, int n,
                             enum columnar_expr_op op, bool (*ok)(const struct columnar_expr *),
                             const char *kind, struct seam_fault *f)
{
    for (int k = 0; k < n; k++)
        if (!ok(args[k]) && !is_null_const(args[k]))
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "%s needs %s, not %s", columnar_expr_op_name(op), kind,
                                  type_word(args[k]));
    return SEAM_OK;
}

static bool is_bool(const struct columnar_expr *e)
{
    return e->type == SEAM_V_BOOL;
}
static bool is_text(const struct columnar_expr *e)
{
    return e->type == SEAM_V_TEXT;
}
static bool is_int(const struct columnar_expr *e)
{
    return e->type == SEAM_V_INT;
}

static enum seam_status make_add(struct seam_arena *a, enum columnar_expr_op op,
                                 const struct columnar_expr *x, const struct columnar_expr *y,
                                 const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[2];
    unsigned type;
    enum seam_status st = SEAM_OK;

    if (x->type == SEAM_V_TIME && y->type == SEAM_V_INT)
        type = SEAM_V_TIME;
    else if (op == COLUMNAR_E_ADD && x->type == SEAM_V_INT && y->type == SEAM_V_TIME)
        type = SEAM_V_TIME;
    else if (op == COLUMNAR_E_SUB && x->type == SEAM_V_TIME &&
             (y->type == SEAM_V_TIME || (is_text(y) && columnar_expr_is_const(y)))) {
        st = unify(a, "-", &x, &y, f);
        type = SEAM_V_INT;
    } else {
        st = unify(a, columnar_expr_op_name(op), &x, &y, f);
        if (st == SEAM_OK && !is_number(x) && x->type != SEAM_V_NULL)
            st =
                seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                               "%s needs numbers, not %s", columnar_expr_op_name(op), type_word(x));
        type = x->type;
    }
    if (st != SEAM_OK) return st;
    args[0] = x;
    args[1] = y;
    return make(a, op, type, type == SEAM_V_DECIMAL ? x->scale : 0, args, 2, NULL, 0, out, f);
}

static enum seam_status make_arithmetic(struct seam_arena *a, enum columnar_expr_op op,
                                        const struct columnar_expr *const *in, int n,
                                        const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[2] = {in[0], n > 1 ? in[1] : NULL};
    unsigned type, scale = 0;
    enum seam_status st;

    if (op == COLUMNAR_E_ADD || op == COLUMNAR_E_SUB) return make_add(a, op, in[0], in[1], out, f);
    if (op == COLUMNAR_E_MOD) {
        st = need(in, 2, op, is_int, "whole numbers", f);
        return st == SEAM_OK ? make(a, op, SEAM_V_INT, 0, args, 2, NULL, 0, out, f) : st;
    }
    st = need(in, n, op, is_number, "numbers", f);
    if (st != SEAM_OK) return st;
    if (n == 1) return make(a, op, in[0]->type, in[0]->scale, args, 1, NULL, 0, out, f);
    if (op == COLUMNAR_E_DIV || in[0]->type == SEAM_V_DOUBLE || in[1]->type == SEAM_V_DOUBLE) {
        type = SEAM_V_DOUBLE;
        for (int k = 0; st == SEAM_OK && k < 2; k++)
            st = columnar_expr_cast(a, in[k], SEAM_V_DOUBLE, 0, &args[k], f);
    } else {
        type = in[0]->type == SEAM_V_DECIMAL || in[1]->type == SEAM_V_DECIMAL ? SEAM_V_DECIMAL
                                                                              : SEAM_V_INT;
        scale = (unsigned)in[0]->scale + in[1]->scale;
        if (scale > SEAM_DECIMAL_SCALE_MAX)
            return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                                  "the product would have %u decimal places, more than %d", scale,
                                  SEAM_DECIMAL_SCALE_MAX);
    }
    return st == SEAM_OK ? make(a, op, type, scale, args, 2, NULL, 0, out, f) : st;
}

/* x in (), never true: false, or null when x is. */
static enum seam_status make_never(struct seam_arena *a, const struct columnar_expr *x,
                                   const struct columnar_expr **out, struct seam_fault *f)
{
    struct columnar_in_set *set = seam_arena_zalloc(a, sizeof *set);

    if (set == NULL) return no_memory(f);
    return make(a, COLUMNAR_E_IN, SEAM_V_BOOL, 0, &x, 1, set, 0, out, f);
}

/* A number as one of another scale: *below says that the number lies between *v and the next; false: it is past all. */
static bool rescaled(int64_t from, unsigned scale, unsigned to, int64_t *v, bool *below)
{
    int64_t p;

    *below = false;
    if (scale <= to) return seam_decimal_rescale(from, scale, to, v) == SEAM_OK;
    p = seam_decimal_pow10(scale - to);
    *below = from % p != 0;
    *v = from / p - (*below && from < 0);
    return true;
}

/* x op constant where both are whole or decimal: the constant at x's own scale, so that the comparison is between two
 * integers of 64 bits. */
static enum seam_status compare_constant(struct seam_arena *a, enum columnar_expr_op op,
                                         const struct columnar_expr *x,
                                         const struct columnar_expr *constant,
                                         const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[2] = {x, NULL};
    struct seam_value v = {.type = x->type, .scale = x->scale};
    bool below, fits = rescaled(constant->constant.i, constant->scale, x->scale, &v.i, &below);
    bool up = constant->constant.i > 0, is_less = op == COLUMNAR_E_LT || op == COLUMNAR_E_LE;
    enum seam_status st;

    if (!fits || (below && (op == COLUMNAR_E_EQ || op == COLUMNAR_E_NE))) {
        bool yes = op == COLUMNAR_E_NE || (op != COLUMNAR_E_EQ && is_less == up);

        st = make_never(a, x, out, f);
        return st == SEAM_OK && yes
                   ? make(a, COLUMNAR_E_NOT, SEAM_V_BOOL, 0, out, 1, NULL, 0, out, f)
                   : st;
    }
    if (below) op = is_less ? COLUMNAR_E_LE : COLUMNAR_E_GT;
    st = typed_const(a, &v, v.type, v.scale, &args[1], f);
    return st == SEAM_OK ? make(a, op, SEAM_V_BOOL, 0, args, 2, NULL, 0, out, f) : st;
}

static enum seam_status make_compare(struct seam_arena *a, enum columnar_expr_op op,
                                     const struct columnar_expr *x, const struct columnar_expr *y,
                                     const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[2];
    enum seam_status st = match_types(a, columnar_expr_op_name(op), &x, &y, f);

    if (st != SEAM_OK) return st;
    args[0] = x;
    args[1] = y;
    /* Constants go right, so that everything after has one form to look at. */
    if (columnar_expr_is_const(x) && !columnar_expr_is_const(y)) {
        static const enum columnar_expr_op mirror[] = {
            [COLUMNAR_E_EQ] = COLUMNAR_E_EQ, [COLUMNAR_E_NE] = COLUMNAR_E_NE,
            [COLUMNAR_E_LT] = COLUMNAR_E_GT, [COLUMNAR_E_LE] = COLUMNAR_E_GE,
            [COLUMNAR_E_GT] = COLUMNAR_E_LT, [COLUMNAR_E_GE] = COLUMNAR_E_LE};

        op = mirror[op];
        args[0] = y;
        args[1] = x;
    }
    if (is_number(x) && x->type != SEAM_V_DOUBLE && !columnar_expr_is_const(args[0]) &&
        columnar_expr_is_const(args[1]) && !is_null_const(args[1]) &&
        (args[0]->scale != args[1]->scale || args[0]->type != args[1]->type))
        return compare_constant(a, op, args[0], args[1], out, f);
    return make(a, op, SEAM_V_BOOL, 0, args, 2, NULL, 0, out, f);
}

static int order(const void *a, const void *b)
{
    return seam_value_compare(a, b);
}

/* x in (list) where something in the list varies: x in (constants) or x = each of the others. */
static enum seam_status in_varying(struct seam_arena *a, const struct columnar_expr *const *in,
                                   int n, const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr **fixed = seam_arena_alloc(a, (size_t)n * sizeof *fixed),
                               **either = seam_arena_alloc(a, (size_t)n * sizeof *either);
    int n_fixed = 1, n_either = 0;
    enum seam_status st = SEAM_OK;

    if (fixed == NULL || either == NULL) return no_memory(f);
    fixed[0] = in[0];
    for (int k = 1; st == SEAM_OK && k < n; k++)
        if (columnar_expr_is_const(in[k]))
            fixed[n_fixed++] = in[k];
        else
            st = make_compare(a, COLUMNAR_E_EQ, in[0], in[k], &either[n_either++], f);
    if (st == SEAM_OK && n_fixed > 1)
        st = columnar_expr_call(a, COLUMNAR_E_IN, fixed, n_fixed, &either[n_either++], f);
    if (st != SEAM_OK) return st;
    if (n_either > 1) return columnar_expr_call(a, COLUMNAR_E_OR, either, n_either, out, f);
    *out = either[0];
    return SEAM_OK;
}

static enum seam_status make_in(struct seam_arena *a, const struct columnar_expr *const *in, int n,
                                const struct columnar_expr **out, struct seam_fault *f)
{
    struct columnar_in_set *set = seam_arena_zalloc(a, sizeof *set);
    struct seam_value *values = seam_arena_alloc(a, (size_t)n * sizeof *values);
    const struct columnar_expr *value = in[0];
    enum seam_status st = SEAM_OK;

    if (set == NULL || values == NULL) return no_memory(f);
    for (int k = 1; k < n; k++)
        if (!columnar_expr_is_const(in[k])) return in_varying(a, in, n, out, f);
    for (int k = 1; st == SEAM_OK && k < n; k++) /* one double makes all of them doubles */
        if (in[k]->type == SEAM_V_DOUBLE && is_number(value))
            st = columnar_expr_cast(a, value, SEAM_V_DOUBLE, 0, &value, f);
    for (int k = 1; st == SEAM_OK && k < n; k++) {
        const struct columnar_expr *x = value, *y = in[k];
        struct seam_value v;
        bool below = false;

        st = match_types(a, "in", &x, &y, f);
        if (st != SEAM_OK) break;
        v = y->constant;
        if (is_null_const(y)) {
            set->has_null = true;
            continue;
        }
        /* At the value's own scale; what that scale cannot hold equals nothing. */
        if (is_number(value) && value->type != SEAM_V_DOUBLE) {
            if (!rescaled(y->constant.i, y->scale, value->scale, &v.i, &below) || below) continue;
            v.type = value->type;
            v.scale = value->scale;
        }
        values[set->count++] = v;
    }
    if (st != SEAM_OK) return st;
    qsort(values, set->count, sizeof *values, order);
    set->values = values;
    return make(a, COLUMNAR_E_IN, SEAM_V_BOOL, 0, &value, 1, set, 0, out, f);
}

static enum seam_status make_like(struct seam_arena *a, enum columnar_expr_op op,
                                  const struct columnar_expr *const *in, int n,
                                  const struct columnar_expr **out, struct seam_fault *f)
{
    static const struct seam_value usual = {.type = SEAM_V_TEXT, .len = 1, .s = "\\"};
    const struct columnar_like_pattern *pattern = NULL;
    const struct columnar_expr *args[3] = {in[0], in[1], n > 2 ? in[2] : NULL};
    struct seam_value none = seam_v_null();
    enum seam_status st = need(in, n, op, is_text, "text", f);

    if (st != SEAM_OK) return st;
    if (n > 2 && !columnar_expr_is_const(in[2]))
        return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                              "the escape character of like must be a constant");
    if (is_null_const(in[1]) || (n > 2 && is_null_const(in[2])))
        return typed_const(a, &none, SEAM_V_BOOL, 0, out, f);
    if (n > 2 && (in[2]->constant.len > 4 ||
                  columnar_text_length(in[2]->constant.s, in[2]->constant.len) > 1))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "the escape of like is one character, or '' for none");
    /* Without regard to case is to compare both in lower case. */
    for (int k = 0; st == SEAM_OK && op == COLUMNAR_E_ILIKE && k < 2; k++)
        st = make(a, COLUMNAR_E_LOWER, SEAM_V_TEXT, 0, &in[k], 1, NULL, 0, &args[k], f);
    if (st == SEAM_OK && columnar_expr_is_const(in[1]))
        st = columnar_like_prepare(a, &in[1]->constant, n > 2 ? &in[2]->constant : &usual,
                                   op == COLUMNAR_E_ILIKE, &pattern, f);
    return st == SEAM_OK ? make(a, COLUMNAR_E_LIKE, SEAM_V_BOOL, 0, args, n, pattern, 0, out, f)
                         : st;
}

/* CASE and COALESCE: every result of one type. */
static enum seam_status make_choice(struct seam_arena *a, enum columnar_expr_op op,
                                    const struct columnar_expr *const *in, int n,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr **args = seam_arena_alloc(a, (size_t)n * sizeof *args), *all = NULL;
    enum seam_status st = SEAM_OK;

    if (args == NULL) return no_memory(f);
    for (int k = 0; st == SEAM_OK && k < n; k++) {
        args[k] = in[k];
        if (op == COLUMNAR_E_CASE && k % 2 == 0 && k + 1 < n) {
            st = need(in + k, 1, op, is_bool, "conditions after when", f);
            continue;
        }
        if (all == NULL)
            all = args[k];
        else
            st = unify(a, columnar_expr_op_name(op), &all, &args[k], f);
    }
    for (int k = 0; st == SEAM_OK && k < n; k++)
        if (!(op == COLUMNAR_E_CASE && k % 2 == 0 && k + 1 < n))
            st = columnar_expr_cast(a, args[k], all->type, all->scale, &args[k], f);
    return st == SEAM_OK ? make(a, op, all->type, all->scale, args, n, NULL, 0, out, f) : st;
}

static enum seam_status make_text(struct seam_arena *a, enum columnar_expr_op op,
                                  const struct columnar_expr *const *in, int n,
                                  const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr **args = seam_arena_alloc(a, (size_t)n * sizeof *args);
    enum seam_status st = SEAM_OK;

    if (args == NULL) return no_memory(f);
    for (int k = 0; k < n; k++) args[k] = in[k];
    if (op == COLUMNAR_E_CONCAT || op == COLUMNAR_E_PIPE)
        for (int k = 0; st == SEAM_OK && k < n; k++)
            st = columnar_expr_cast(a, in[k], SEAM_V_TEXT, 0, &args[k], f);
    if (op == COLUMNAR_E_SUBSTR)
        st = need(args + 1, n - 1, op, is_int, "whole numbers for its places", f);
    if (st == SEAM_OK) st = need(args, op == COLUMNAR_E_SUBSTR ? 1 : n, op, is_text, "text", f);
    return st == SEAM_OK ? make(a, op, op == COLUMNAR_E_LENGTH ? SEAM_V_INT : SEAM_V_TEXT, 0, args,
                                n, NULL, 0, out, f)
                         : st;
}

static enum seam_status check_count(enum columnar_expr_op op, int n, struct seam_fault *f)
{
    int least = 1, most = 1;

    switch (op) {
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV:
    case COLUMNAR_E_MOD:
    case COLUMNAR_E_PIPE:
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE: least = most = 2; break;
    case COLUMNAR_E_BETWEEN: least = most = 3; break;
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE:
    case COLUMNAR_E_SUBSTR: least = 2, most = 3; break;
    case COLUMNAR_E_ROUND: most = 2; break;
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR:
    case COLUMNAR_E_IN:
    case COLUMNAR_E_CASE: least = 2, most = 1 << 20; break;
    case COLUMNAR_E_COALESCE:
    case COLUMNAR_E_CONCAT: most = 1 << 20; break;
    default: break;
    }
    if (n >= least && n <= most) return SEAM_OK;
    return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                          "%s takes %d argument%s, not %d", columnar_expr_op_name(op),
                          n < least ? least : most, (n < least ? least : most) == 1 ? "" : "s", n);
}

static enum seam_status make_between(struct seam_arena *a, const struct columnar_expr *const *in,
                                     const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *both[2];
    enum seam_status st = make_compare(a, COLUMNAR_E_GE, in[0], in[1], &both[0], f);

    if (st == SEAM_OK) st = make_compare(a, COLUMNAR_E_LE, in[0], in[2], &both[1], f);
    return st == SEAM_OK ? make(a, COLUMNAR_E_AND, SEAM_V_BOOL, 0, both, 2, NULL, 0, out, f) : st;
}

static enum seam_status make_round(struct seam_arena *a, const struct columnar_expr *const *in,
                                   int n, const struct columnar_expr **out, struct seam_fault *f)
{
    enum seam_status st = need(in, 1, COLUMNAR_E_ROUND, is_number, "a number", f);

    if (st == SEAM_OK && n > 1)
        st = need(in + 1, 1, COLUMNAR_E_ROUND, is_int, "a whole number of digits", f);
    return st == SEAM_OK
               ? make(a, COLUMNAR_E_ROUND, in[0]->type, in[0]->scale, in, n, NULL, 0, out, f)
               : st;
}

enum seam_status columnar_expr_call(struct seam_arena *a, enum columnar_expr_op op,
                                    const struct columnar_expr *const *args, int n,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    enum seam_status st = check_count(op, n, f);

    if (st != SEAM_OK) return st;
    switch (op) {
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV:
    case COLUMNAR_E_MOD:
    case COLUMNAR_E_NEG:
    case COLUMNAR_E_ABS: return make_arithmetic(a, op, args, n, out, f);
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE: return make_compare(a, op, args[0], args[1], out, f);
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR:
    case COLUMNAR_E_NOT:
        st = need(args, n, op, is_bool, "conditions", f);
        return st == SEAM_OK ? make(a, op, SEAM_V_BOOL, 0, args, n, NULL, 0, out, f) : st;
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL: return make(a, op, SEAM_V_BOOL, 0, args, 1, NULL, 0, out, f);
    case COLUMNAR_E_BETWEEN: return make_between(a, args, out, f);
    case COLUMNAR_E_IN: return make_in(a, args, n, out, f);
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE: return make_like(a, op, args, n, out, f);
    case COLUMNAR_E_CASE:
    case COLUMNAR_E_COALESCE: return make_choice(a, op, args, n, out, f);
    case COLUMNAR_E_LOWER:
    case COLUMNAR_E_UPPER:
    case COLUMNAR_E_LENGTH:
    case COLUMNAR_E_CONCAT:
    case COLUMNAR_E_PIPE:
    case COLUMNAR_E_SUBSTR: return make_text(a, op, args, n, out, f);
    case COLUMNAR_E_ROUND: return make_round(a, args, n, out, f);
    default:
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "%s is not made by expr_call", columnar_expr_op_name(op));
    }
}

enum seam_status columnar_expr_date(struct seam_arena *a, enum columnar_expr_op op,
                                    enum columnar_date_part part, const struct columnar_expr *e,
                                    const struct columnar_expr **out, struct seam_fault *f)
{
    assert(op == COLUMNAR_E_DATE_TRUNC || op == COLUMNAR_E_DATE_PART);
    if (e->type == SEAM_V_TEXT && columnar_expr_is_const(e)) {
        enum seam_status st = columnar_expr_cast(a, e, SEAM_V_TIME, 0, &e, f);

        if (st != SEAM_OK) return st;
    }
    if (e->type != SEAM_V_TIME && !is_null_const(e))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "%s needs a timestamp, not %s", columnar_expr_op_name(op),
                              type_word(e));
    if (op == COLUMNAR_E_DATE_TRUNC && (part == COLUMNAR_PART_DOW || part == COLUMNAR_PART_DOY))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "a time cannot be truncated to %s", columnar_date_part_name(part));
    return make(a, op, op == COLUMNAR_E_DATE_TRUNC ? SEAM_V_TIME : SEAM_V_INT, 0, &e, 1, NULL, part,
                out, f);
}

void columnar_expr_columns(const struct columnar_expr *e, void (*fn)(void *ctx, int column),
                           void *ctx)
{
    if (e->op == COLUMNAR_E_COLUMN) fn(ctx, e->column);
    for (int k = 0; k < e->n_args; k++) columnar_expr_columns(e->args[k], fn, ctx);
}

bool columnar_expr_same(const struct columnar_expr *a, const struct columnar_expr *b)
{
    if (a == b) return true;
    if (a->op != b->op || a->type != b->type || a->scale != b->scale || a->column != b->column ||
        a->n_args != b->n_args || a->part != b->part || a->prepared != b->prepared)
        return false;
    if (a->op == COLUMNAR_E_CONST)
        return a->constant.type == b->constant.type && seam_value_equal(&a->constant, &b->constant);
    for (int k = 0; k < a->n_args; k++)
        if (!columnar_expr_same(a->args[k], b->args[k])) return false;
    return true;
}
