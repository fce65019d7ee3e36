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

enum seam_status columnar_expr_cast(struct seam_arena *a, const struct columnar_expr *e,
                                    enum seam_value_type type, unsigned scale,
                                    const struct columnar_expr **out, struct seam_fault *f)
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
    return make(a, COLUMNAR_E_CAST, type, scale, &e, 1, NULL, 0, out, f);
}

/* Brings both to one type to be added or compared. */
static enum seam_status unify(struct seam_arena *a, const char *what,
                              const struct columnar_expr **x, const struct columnar_expr **y,
                              struct seam_fault *f)
{
    unsigned type, scale = 0;
    enum seam_status st;

    if (is_null_const(*x))
        type = (*y)->type, scale = (*y)->scale;
    else if (is_null_const(*y))
        type = (*x)->type, scale = (*x)->scale;
    else if ((*x)->type == SEAM_V_TEXT && columnar_expr_is_const(*x))
        type = (*y)->type, scale = (*y)->scale;
    else if ((*y)->type == SEAM_V_TEXT && columnar_expr_is_const(*y))
        type = (*x)->type, scale = (*x)->scale;
    else if (is_number(*x) && is_number(*y)) {
        if ((*x)->type == SEAM_V_DOUBLE || (*y)->type == SEAM_V_DOUBLE)
            type = SEAM_V_DOUBLE;
        else if ((*x)->type == SEAM_V_DECIMAL || (*y)->type == SEAM_V_DECIMAL)
            type = SEAM_V_DECIMAL;
        else
            type = SEAM_V_INT;
        scale = (*x)->scale > (*y)->scale ? (*x)->scale : (*y)->scale;
    } else if ((*x)->type == (*y)->type) {
        type = (*x)->type;
    } else {
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "%s does not go between %s and %s", what, type_word(*x),
                              type_word(*y));
    }
    if (type == SEAM_V_NULL) return SEAM_OK;
    /* A decimal written as text may have more digits than its neighbour: keep them. */
    if (type == SEAM_V_DECIMAL && ((*x)->type == SEAM_V_TEXT || (*y)->type == SEAM_V_TEXT)) {
        const struct seam_value *v = (*x)->type == SEAM_V_TEXT ? &(*x)->constant : &(*y)->constant;
        const char *point = memchr(v->s, '.', v->len);
        size_t digits = point == NULL ? 0 : (size_t)(v->s + v->len - point - 1);

        if (digits > scale && digits <= SEAM_DECIMAL_SCALE_MAX) scale = (unsigned)digits;
    }
    st = columnar_expr_cast(a, *x, type, scale, x, f);
    return st == SEAM_OK ? columnar_expr_cast(a, *y, type, scale, y, f) : st;
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

static enum seam_status make_compare(struct seam_arena *a, enum columnar_expr_op op,
                                     const struct columnar_expr *x, const struct columnar_expr *y,
                                     const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_expr *args[2];
    enum seam_status st = unify(a, columnar_expr_op_name(op), &x, &y, f);

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
    return make(a, op, SEAM_V_BOOL, 0, args, 2, NULL, 0, out, f);
}

static int order(const void *a, const void *b)
{
    return seam_value_compare(a, b);
}

static enum seam_status make_in(struct seam_arena *a, const struct columnar_expr *const *in, int n,
                                const struct columnar_expr **out, struct seam_fault *f)
{
    struct columnar_in_set *set = seam_arena_zalloc(a, sizeof *set);
    struct seam_value *values = seam_arena_alloc(a, (size_t)n * sizeof *values);
    const struct columnar_expr *value = in[0];

    if (set == NULL || values == NULL) return no_memory(f);
    for (int k = 1; k < n; k++) {
        const struct columnar_expr *x = value, *y = in[k];
        enum seam_status st;

        if (!columnar_expr_is_const(y))
            return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                                  "in (...) takes constants");
        st = unify(a, "in", &x, &y, f);
        if (st != SEAM_OK) return st;
        if (is_null_const(y))
            set->has_null = true;
        else
            values[set->count++] = y->constant; /* seam_value_compare orders numbers across types */
    }
    qsort(values, set->count, sizeof *values, order);
    set->values = values;
    return make(a, COLUMNAR_E_IN, SEAM_V_BOOL, 0, &value, 1, set, 0, out, f);
}

static enum seam_status make_like(struct seam_arena *a, enum columnar_expr_op op,
                                  const struct columnar_expr *const *in,
                                  const struct columnar_expr **out, struct seam_fault *f)
{
    const struct columnar_like_pattern *pattern = NULL;
    enum seam_status st = need(in, 2, op, is_text, "text", f);

    if (st != SEAM_OK) return st;
    if (!columnar_expr_is_const(in[1]))
        return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                              "the pattern of like must be a constant");
    if (is_null_const(in[1])) {
        struct seam_value none = seam_v_null();

        return typed_const(a, &none, SEAM_V_BOOL, 0, out, f);
    }
    st = columnar_like_prepare(a, &in[1]->constant, op == COLUMNAR_E_ILIKE, &pattern, f);
    return st == SEAM_OK ? make(a, op, SEAM_V_BOOL, 0, in, 2, pattern, 0, out, f) : st;
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
    if (op == COLUMNAR_E_CONCAT)
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
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE:
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE: least = most = 2; break;
    case COLUMNAR_E_BETWEEN: least = most = 3; break;
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
    case COLUMNAR_E_ILIKE: return make_like(a, op, args, out, f);
    case COLUMNAR_E_CASE:
    case COLUMNAR_E_COALESCE: return make_choice(a, op, args, n, out, f);
    case COLUMNAR_E_LOWER:
    case COLUMNAR_E_UPPER:
    case COLUMNAR_E_LENGTH:
    case COLUMNAR_E_CONCAT:
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
