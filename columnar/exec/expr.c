/* expr - building expressions: types, casts, constant folding, printing. */
#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "columnar/exec/expr_impl.h"

static const char *const op_names[E_OP_COUNT] = {
    "column", "constant", "+", "-", "*", "/", "%", "-", "abs", "=", "<>", "<", "<=", ">", ">=", "and", "or",
    "not", "is null", "is not null", "between", "in", "like", "ilike", "case", "coalesce", "cast",
    "date_trunc", "date_part", "lower", "upper", "length", "concat", "substr", "round"};
static const char *const part_names[PART_COUNT] = {"year", "quarter", "month", "week", "day", "hour",
                                                   "minute", "second", "dow", "doy"};

const char *expr_op_name(enum expr_op op) { return op < E_OP_COUNT ? op_names[op] : "?"; }
bool expr_is_const(const struct expr *e) { return e->op == E_CONST; }

bool date_part_parse(const char *name, size_t n, enum date_part *out)
{
    for (int p = 0; p < PART_COUNT; p++)
        if (strlen(part_names[p]) == n && strncasecmp(part_names[p], name, n) == 0) {
            *out = (enum date_part)p;
            return true;
        }
    return false;
}

static bool is_number(const struct expr *e)
{
    return e->type == V_INT || e->type == V_DECIMAL || e->type == V_DOUBLE;
}

static bool is_null_const(const struct expr *e) { return e->op == E_CONST && e->constant.type == V_NULL; }

static const char *type_word(const struct expr *e)
{
    return e->type == V_NULL ? "null" : value_type_name(e->type);
}

static enum status no_memory(struct fault *f)
{
    return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for an expression");
}

enum status expr_column(struct arena *a, int column, enum value_type type, unsigned scale,
                        const struct expr **out, struct fault *f)
{
    struct expr *e = arena_zalloc(a, sizeof *e);

    if (e == NULL) return no_memory(f);
    e->op = E_COLUMN;
    e->column = column;
    e->type = (uint8_t)type;
    e->scale = (uint8_t)scale;
    *out = e;
    return ST_OK;
}

static enum status typed_const(struct arena *a, const struct value *v, unsigned type, unsigned scale,
                               const struct expr **out, struct fault *f)
{
    struct expr *e = arena_zalloc(a, sizeof *e);

    if (e == NULL) return no_memory(f);
    e->op = E_CONST;
    e->type = (uint8_t)type;
    e->scale = (uint8_t)scale;
    e->constant = *v;
    if (v->type == V_TEXT) {
        e->constant.s = arena_strdup(a, v->s, v->len);
        if (e->constant.s == NULL) return no_memory(f);
    }
    *out = e;
    return ST_OK;
}

enum status expr_const(struct arena *a, const struct value *v, const struct expr **out, struct fault *f)
{
    return typed_const(a, v, v->type, v->type == V_DECIMAL ? v->scale : 0, out, f);
}

/* A node over constants alone is worth its value. */
static enum status fold(struct arena *a, const struct expr *e, const struct expr **out, struct fault *f)
{
    struct value v;
    enum status st;

    *out = e;
    for (int k = 0; k < e->n_args; k++)
        if (!expr_is_const(e->args[k])) return ST_OK;
    st = expr_eval_row(e, NULL, a, &v, f);
    return st == ST_OK ? typed_const(a, &v, e->type, e->scale, out, f) : st;
}

static enum status make(struct arena *a, enum expr_op op, unsigned type, unsigned scale,
                        const struct expr *const *args, int n, const void *prepared, unsigned part,
                        const struct expr **out, struct fault *f)
{
    struct expr *e = arena_zalloc(a, sizeof *e);

    if (e != NULL) e->args = arena_alloc(a, ((size_t)n + 1) * sizeof *e->args);
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

enum status expr_cast(struct arena *a, const struct expr *e, enum value_type type, unsigned scale,
                      const struct expr **out, struct fault *f)
{
    bool ok = type == e->type || e->type == V_TEXT || type == V_TEXT || e->type == V_NULL;

    if (type != V_DECIMAL) scale = 0;
    ok = ok || (is_number(e) && (type == V_INT || type == V_DECIMAL || type == V_DOUBLE || type == V_BOOL));
    ok = ok || (e->type == V_BOOL && (type == V_INT || type == V_DECIMAL || type == V_DOUBLE));
    ok = ok || (e->type == V_TIME && type == V_INT) || (e->type == V_INT && type == V_TIME);
    if (!ok)
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "a %s cannot become a %s", type_word(e),
                         value_type_name(type));
    if (e->type == (uint8_t)type && e->scale == scale) {
        *out = e;
        return ST_OK;
    }
    if (is_null_const(e)) {
        struct value none = v_null();

        return typed_const(a, &none, type, scale, out, f);
    }
    return make(a, E_CAST, type, scale, &e, 1, NULL, 0, out, f);
}

/* Brings both to one type to be added or compared. */
static enum status unify(struct arena *a, const char *what, const struct expr **x, const struct expr **y,
                         struct fault *f)
{
    unsigned type, scale = 0;
    enum status st;

    if (is_null_const(*x)) type = (*y)->type, scale = (*y)->scale;
    else if (is_null_const(*y)) type = (*x)->type, scale = (*x)->scale;
    else if ((*x)->type == V_TEXT && expr_is_const(*x)) type = (*y)->type, scale = (*y)->scale;
    else if ((*y)->type == V_TEXT && expr_is_const(*y)) type = (*x)->type, scale = (*x)->scale;
    else if (is_number(*x) && is_number(*y)) {
        if ((*x)->type == V_DOUBLE || (*y)->type == V_DOUBLE) type = V_DOUBLE;
        else if ((*x)->type == V_DECIMAL || (*y)->type == V_DECIMAL) type = V_DECIMAL;
        else type = V_INT;
        scale = (*x)->scale > (*y)->scale ? (*x)->scale : (*y)->scale;
    } else if ((*x)->type == (*y)->type) {
        type = (*x)->type;
    } else {
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s does not go between %s and %s", what,
                         type_word(*x), type_word(*y));
    }
    if (type == V_NULL) return ST_OK;
    /* A decimal written as text may have more digits than its neighbour: keep them. */
    if (type == V_DECIMAL && ((*x)->type == V_TEXT || (*y)->type == V_TEXT)) {
        const struct value *v = (*x)->type == V_TEXT ? &(*x)->constant : &(*y)->constant;
        const char *point = memchr(v->s, '.', v->len);
        size_t digits = point == NULL ? 0 : (size_t)(v->s + v->len - point - 1);

        if (digits > scale && digits <= DECIMAL_SCALE_MAX) scale = (unsigned)digits;
    }
    st = expr_cast(a, *x, type, scale, x, f);
    return st == ST_OK ? expr_cast(a, *y, type, scale, y, f) : st;
}

static enum status need(const struct expr *const *args, int n, enum expr_op op, bool (*ok)(const struct expr *),
                        const char *kind, struct fault *f)
{
    for (int k = 0; k < n; k++)
        if (!ok(args[k]) && !is_null_const(args[k]))
            return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s needs %s, not %s", expr_op_name(op),
                             kind, type_word(args[k]));
    return ST_OK;
}

static bool is_bool(const struct expr *e) { return e->type == V_BOOL; }
static bool is_text(const struct expr *e) { return e->type == V_TEXT; }
static bool is_int(const struct expr *e) { return e->type == V_INT; }

static enum status make_add(struct arena *a, enum expr_op op, const struct expr *x, const struct expr *y,
                            const struct expr **out, struct fault *f)
{
    const struct expr *args[2];
    unsigned type;
    enum status st = ST_OK;

    if (x->type == V_TIME && y->type == V_INT) type = V_TIME;
    else if (op == E_ADD && x->type == V_INT && y->type == V_TIME) type = V_TIME;
    else if (op == E_SUB && x->type == V_TIME && (y->type == V_TIME || (is_text(y) && expr_is_const(y)))) {
        st = unify(a, "-", &x, &y, f);
        type = V_INT;
    } else {
        st = unify(a, expr_op_name(op), &x, &y, f);
        if (st == ST_OK && !is_number(x) && x->type != V_NULL)
            st = fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s needs numbers, not %s",
                           expr_op_name(op), type_word(x));
        type = x->type;
    }
    if (st != ST_OK) return st;
    args[0] = x;
    args[1] = y;
    return make(a, op, type, type == V_DECIMAL ? x->scale : 0, args, 2, NULL, 0, out, f);
}

static enum status make_arithmetic(struct arena *a, enum expr_op op, const struct expr *const *in, int n,
                                   const struct expr **out, struct fault *f)
{
    const struct expr *args[2] = {in[0], n > 1 ? in[1] : NULL};
    unsigned type, scale = 0;
    enum status st;

    if (op == E_ADD || op == E_SUB) return make_add(a, op, in[0], in[1], out, f);
    if (op == E_MOD) {
        st = need(in, 2, op, is_int, "whole numbers", f);
        return st == ST_OK ? make(a, op, V_INT, 0, args, 2, NULL, 0, out, f) : st;
    }
    st = need(in, n, op, is_number, "numbers", f);
    if (st != ST_OK) return st;
    if (n == 1) return make(a, op, in[0]->type, in[0]->scale, args, 1, NULL, 0, out, f);
    if (op == E_DIV || in[0]->type == V_DOUBLE || in[1]->type == V_DOUBLE) {
        type = V_DOUBLE;
        for (int k = 0; st == ST_OK && k < 2; k++) st = expr_cast(a, in[k], V_DOUBLE, 0, &args[k], f);
    } else {
        type = in[0]->type == V_DECIMAL || in[1]->type == V_DECIMAL ? V_DECIMAL : V_INT;
        scale = (unsigned)in[0]->scale + in[1]->scale;
        if (scale > DECIMAL_SCALE_MAX)
            return fault_set(f, ST_UNSUPPORTED, NULL, FAULT_NO_OFFSET,
                             "the product would have %u decimal places, more than %d", scale,
                             DECIMAL_SCALE_MAX);
    }
    return st == ST_OK ? make(a, op, type, scale, args, 2, NULL, 0, out, f) : st;
}

static enum status make_compare(struct arena *a, enum expr_op op, const struct expr *x, const struct expr *y,
                                const struct expr **out, struct fault *f)
{
    const struct expr *args[2];
    enum status st = unify(a, expr_op_name(op), &x, &y, f);

    if (st != ST_OK) return st;
    args[0] = x;
    args[1] = y;
    /* Constants go right, so that everything after has one form to look at. */
    if (expr_is_const(x) && !expr_is_const(y)) {
        static const enum expr_op mirror[] = {[E_EQ] = E_EQ, [E_NE] = E_NE, [E_LT] = E_GT, [E_LE] = E_GE,
                                              [E_GT] = E_LT, [E_GE] = E_LE};

        op = mirror[op];
        args[0] = y;
        args[1] = x;
    }
    return make(a, op, V_BOOL, 0, args, 2, NULL, 0, out, f);
}

static int order(const void *a, const void *b) { return value_compare(a, b); }

static enum status make_in(struct arena *a, const struct expr *const *in, int n, const struct expr **out,
                           struct fault *f)
{
    struct in_set *set = arena_zalloc(a, sizeof *set);
    struct value *values = arena_alloc(a, (size_t)n * sizeof *values);
    const struct expr *value = in[0];

    if (set == NULL || values == NULL) return no_memory(f);
    for (int k = 1; k < n; k++) {
        const struct expr *x = value, *y = in[k];
        enum status st;

        if (!expr_is_const(y))
            return fault_set(f, ST_UNSUPPORTED, NULL, FAULT_NO_OFFSET, "in (...) takes constants");
        st = unify(a, "in", &x, &y, f);
        if (st != ST_OK) return st;
        if (is_null_const(y)) set->has_null = true;
        else values[set->count++] = y->constant; /* value_compare orders numbers across types */
    }
    qsort(values, set->count, sizeof *values, order);
    set->values = values;
    return make(a, E_IN, V_BOOL, 0, &value, 1, set, 0, out, f);
}

static enum status make_like(struct arena *a, enum expr_op op, const struct expr *const *in,
                             const struct expr **out, struct fault *f)
{
    const struct like_pattern *pattern = NULL;
    enum status st = need(in, 2, op, is_text, "text", f);

    if (st != ST_OK) return st;
    if (!expr_is_const(in[1]))
        return fault_set(f, ST_UNSUPPORTED, NULL, FAULT_NO_OFFSET, "the pattern of like must be a constant");
    if (is_null_const(in[1])) {
        struct value none = v_null();

        return typed_const(a, &none, V_BOOL, 0, out, f);
    }
    st = like_prepare(a, &in[1]->constant, op == E_ILIKE, &pattern, f);
    return st == ST_OK ? make(a, op, V_BOOL, 0, in, 2, pattern, 0, out, f) : st;
}

/* CASE and COALESCE: every result of one type. */
static enum status make_choice(struct arena *a, enum expr_op op, const struct expr *const *in, int n,
                               const struct expr **out, struct fault *f)
{
    const struct expr **args = arena_alloc(a, (size_t)n * sizeof *args), *all = NULL;
    enum status st = ST_OK;

    if (args == NULL) return no_memory(f);
    for (int k = 0; st == ST_OK && k < n; k++) {
        args[k] = in[k];
        if (op == E_CASE && k % 2 == 0 && k + 1 < n) {
            st = need(in + k, 1, op, is_bool, "conditions after when", f);
            continue;
        }
        if (all == NULL) all = args[k];
        else st = unify(a, expr_op_name(op), &all, &args[k], f);
    }
    for (int k = 0; st == ST_OK && k < n; k++)
        if (!(op == E_CASE && k % 2 == 0 && k + 1 < n))
            st = expr_cast(a, args[k], all->type, all->scale, &args[k], f);
    return st == ST_OK ? make(a, op, all->type, all->scale, args, n, NULL, 0, out, f) : st;
}

static enum status make_text(struct arena *a, enum expr_op op, const struct expr *const *in, int n,
                             const struct expr **out, struct fault *f)
{
    const struct expr **args = arena_alloc(a, (size_t)n * sizeof *args);
    enum status st = ST_OK;

    if (args == NULL) return no_memory(f);
    for (int k = 0; k < n; k++) args[k] = in[k];
    if (op == E_CONCAT)
        for (int k = 0; st == ST_OK && k < n; k++) st = expr_cast(a, in[k], V_TEXT, 0, &args[k], f);
    if (op == E_SUBSTR) st = need(args + 1, n - 1, op, is_int, "whole numbers for its places", f);
    if (st == ST_OK) st = need(args, op == E_SUBSTR ? 1 : n, op, is_text, "text", f);
    return st == ST_OK ? make(a, op, op == E_LENGTH ? V_INT : V_TEXT, 0, args, n, NULL, 0, out, f) : st;
}

static enum status check_count(enum expr_op op, int n, struct fault *f)
{
    int least = 1, most = 1;

    switch (op) {
    case E_ADD: case E_SUB: case E_MUL: case E_DIV: case E_MOD: case E_LIKE: case E_ILIKE:
    case E_EQ: case E_NE: case E_LT: case E_LE: case E_GT: case E_GE: least = most = 2; break;
    case E_BETWEEN: least = most = 3; break;
    case E_SUBSTR: least = 2, most = 3; break;
    case E_ROUND: most = 2; break;
    case E_AND: case E_OR: case E_IN: case E_CASE: least = 2, most = 1 << 20; break;
    case E_COALESCE: case E_CONCAT: most = 1 << 20; break;
    default: break;
    }
    if (n >= least && n <= most) return ST_OK;
    return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s takes %d argument%s, not %d",
                     expr_op_name(op), n < least ? least : most, (n < least ? least : most) == 1 ? "" : "s", n);
}

static enum status make_between(struct arena *a, const struct expr *const *in, const struct expr **out,
                                struct fault *f)
{
    const struct expr *both[2];
    enum status st = make_compare(a, E_GE, in[0], in[1], &both[0], f);

    if (st == ST_OK) st = make_compare(a, E_LE, in[0], in[2], &both[1], f);
    return st == ST_OK ? make(a, E_AND, V_BOOL, 0, both, 2, NULL, 0, out, f) : st;
}

static enum status make_round(struct arena *a, const struct expr *const *in, int n, const struct expr **out,
                              struct fault *f)
{
    enum status st = need(in, 1, E_ROUND, is_number, "a number", f);

    if (st == ST_OK && n > 1) st = need(in + 1, 1, E_ROUND, is_int, "a whole number of digits", f);
    return st == ST_OK ? make(a, E_ROUND, in[0]->type, in[0]->scale, in, n, NULL, 0, out, f) : st;
}

enum status expr_call(struct arena *a, enum expr_op op, const struct expr *const *args, int n,
                      const struct expr **out, struct fault *f)
{
    enum status st = check_count(op, n, f);

    if (st != ST_OK) return st;
    switch (op) {
    case E_ADD: case E_SUB: case E_MUL: case E_DIV: case E_MOD: case E_NEG: case E_ABS:
        return make_arithmetic(a, op, args, n, out, f);
    case E_EQ: case E_NE: case E_LT: case E_LE: case E_GT: case E_GE:
        return make_compare(a, op, args[0], args[1], out, f);
    case E_AND: case E_OR: case E_NOT:
        st = need(args, n, op, is_bool, "conditions", f);
        return st == ST_OK ? make(a, op, V_BOOL, 0, args, n, NULL, 0, out, f) : st;
    case E_IS_NULL: case E_IS_NOT_NULL:
        return make(a, op, V_BOOL, 0, args, 1, NULL, 0, out, f);
    case E_BETWEEN:
        return make_between(a, args, out, f);
    case E_IN:
        return make_in(a, args, n, out, f);
    case E_LIKE: case E_ILIKE:
        return make_like(a, op, args, out, f);
    case E_CASE: case E_COALESCE:
        return make_choice(a, op, args, n, out, f);
    case E_LOWER: case E_UPPER: case E_LENGTH: case E_CONCAT: case E_SUBSTR:
        return make_text(a, op, args, n, out, f);
    case E_ROUND:
        return make_round(a, args, n, out, f);
    default:
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s is not made by expr_call", expr_op_name(op));
    }
}

enum status expr_date(struct arena *a, enum expr_op op, enum date_part part, const struct expr *e,
                      const struct expr **out, struct fault *f)
{
    assert(op == E_DATE_TRUNC || op == E_DATE_PART);
    if (e->type == V_TEXT && expr_is_const(e)) {
        enum status st = expr_cast(a, e, V_TIME, 0, &e, f);

        if (st != ST_OK) return st;
    }
    if (e->type != V_TIME && !is_null_const(e))
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "%s needs a timestamp, not %s",
                         expr_op_name(op), type_word(e));
    if (op == E_DATE_TRUNC && (part == PART_DOW || part == PART_DOY))
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "a time cannot be truncated to %s",
                         part_names[part]);
    return make(a, op, op == E_DATE_TRUNC ? V_TIME : V_INT, 0, &e, 1, NULL, part, out, f);
}

void expr_columns(const struct expr *e, void (*fn)(void *ctx, int column), void *ctx)
{
    if (e->op == E_COLUMN) fn(ctx, e->column);
    for (int k = 0; k < e->n_args; k++) expr_columns(e->args[k], fn, ctx);
}

/* ---- printing ---- */

static void print_const(const struct value *v, unsigned type, struct buf *out)
{
    if (v->type == V_NULL) {
        buf_str(out, "null");
    } else if (type == V_TEXT || type == V_TIME) {
        buf_str(out, "'");
        value_format(v, out);
        buf_str(out, "'");
    } else {
        value_format(v, out);
    }
}

static void print_list(const struct expr *e, int from, const char *between, const char *const *names,
                       struct buf *out)
{
    for (int k = from; k < e->n_args; k++) {
        if (k > from) buf_str(out, between);
        expr_print(e->args[k], names, out);
    }
}

static void print_in(const struct expr *e, const char *const *names, struct buf *out)
{
    const struct in_set *set = e->prepared;

    expr_print(e->args[0], names, out);
    buf_str(out, " in (");
    for (size_t k = 0; k < set->count; k++) {
        if (k > 0) buf_str(out, ", ");
        if (k == 10) {
            buf_printf(out, "... %zu in all", set->count);
            break;
        }
        print_const(&set->values[k], set->values[k].type, out);
    }
    buf_str(out, set->has_null ? ", null)" : ")");
}

static void print_case(const struct expr *e, const char *const *names, struct buf *out)
{
    buf_str(out, "case");
    for (int k = 0; k + 1 < e->n_args; k += 2) {
        buf_str(out, " when ");
        expr_print(e->args[k], names, out);
        buf_str(out, " then ");
        expr_print(e->args[k + 1], names, out);
    }
    if (e->n_args % 2 == 1) {
        buf_str(out, " else ");
        expr_print(e->args[e->n_args - 1], names, out);
    }
    buf_str(out, " end");
}

void expr_print(const struct expr *e, const char *const *names, struct buf *out)
{
    switch (e->op) {
    case E_COLUMN:
        if (names != NULL) buf_str(out, names[e->column]);
        else buf_printf(out, "#%d", e->column);
        return;
    case E_CONST:
        print_const(&e->constant, e->type, out);
        return;
    case E_IS_NULL: case E_IS_NOT_NULL:
        expr_print(e->args[0], names, out);
        buf_printf(out, " %s", expr_op_name(e->op));
        return;
    case E_NOT: case E_NEG:
        buf_str(out, e->op == E_NOT ? "not " : "-");
        expr_print(e->args[0], names, out);
        return;
    case E_IN:
        print_in(e, names, out);
        return;
    case E_CASE:
        print_case(e, names, out);
        return;
    case E_CAST:
        /* Casts nobody wrote are not shown between numbers. */
        if (is_number(e->args[0]) && e->type != V_TEXT) {
            expr_print(e->args[0], names, out);
            return;
        }
        buf_str(out, "cast(");
        expr_print(e->args[0], names, out);
        buf_printf(out, " as %s)", value_type_name(e->type));
        return;
    case E_DATE_TRUNC: case E_DATE_PART:
        buf_printf(out, "%s('%s', ", expr_op_name(e->op), part_names[e->part]);
        print_list(e, 0, ", ", names, out);
        buf_str(out, ")");
        return;
    default:
        break;
    }
    if ((e->op >= E_ADD && e->op <= E_MOD) || (e->op >= E_EQ && e->op <= E_OR) || e->op == E_LIKE ||
        e->op == E_ILIKE) {
        char between[16];

        between[0] = ' ';
        strcpy(between + 1, expr_op_name(e->op));
        strcat(between, " ");
        buf_str(out, "(");
        print_list(e, 0, between, names, out);
        buf_str(out, ")");
        return;
    }
    buf_str(out, expr_op_name(e->op));
    buf_str(out, "(");
    print_list(e, 0, ", ", names, out);
    buf_str(out, ")");
}
