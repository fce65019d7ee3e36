#include "columnar/sql/sql_bind.h"

#include <string.h>

#include "engine/text/opts.h"

enum { COLUMNS_NEAR_MAX = 512 };

struct binder {
    struct arena *a;
    const struct sql_scope *scope;
    const struct sql_hook *hook; /* may be NULL */
    struct fault *f;
};

static enum status bind(struct binder *b, const struct sql_node *e, const struct expr **out);

/* Faults of the expression layer know types and not the text: the place is added here.              */
static enum status at(struct binder *b, const struct sql_node *e, enum status st, const struct fault *inner)
{
    if (st == ST_OK) return ST_OK;
    return fault_set(b->f, st, "sql", e->at, "%s", inner->why[0] != '\0' ? inner->why : status_name(st));
}

static enum status unknown_column(const struct sql_scope *s, const struct sql_node *e, struct fault *f)
{
    const char *names[COLUMNS_NEAR_MAX];
    const char *near;
    size_t n = 0;
    bool table_known = e->qualifier == NULL;

    for (int i = 0; i < s->n; i++) {
        bool same = e->qualifier == NULL || strcmp(s->columns[i].table, e->qualifier) == 0;

        table_known |= same;
        if (same && n < COLUMNS_NEAR_MAX) names[n++] = s->columns[i].name;
    }
    if (!table_known) return fault_set(f, ST_INVALID, "sql", e->at, "no table is called '%s' here", e->qualifier);
    near = nearest_name(e->name, names, n);
    if (near != NULL)
        return fault_set(f, ST_INVALID, "sql", e->at, "there is no column '%s'; did you mean '%s'?", e->name, near);
    return fault_set(f, ST_INVALID, "sql", e->at, "there is no column '%s'", e->name);
}

enum status sql_resolve(const struct sql_scope *s, const struct sql_node *e, int *out, struct fault *f)
{
    int found = -1;

    for (int i = 0; i < s->n; i++) {
        const struct sql_column *c = &s->columns[i];

        if (strcmp(c->name, e->name) != 0) continue;
        if (e->qualifier != NULL && strcmp(c->table, e->qualifier) != 0) continue;
        if (found >= 0)
            return fault_set(f, ST_INVALID, "sql", e->at, "'%s' is in '%s' and in '%s': qualify it", e->name,
                             s->columns[found].table, c->table);
        found = i;
    }
    if (found < 0) return unknown_column(s, e, f);
    *out = found;
    return ST_OK;
}

bool sql_equal(const struct sql_scope *s, const struct sql_node *a, const struct sql_node *b)
{
    if (a->kind == SQL_COLUMN && b->kind == SQL_COLUMN) {
        int i, j;

        return sql_resolve(s, a, &i, NULL) == ST_OK && sql_resolve(s, b, &j, NULL) == ST_OK && i == j;
    }
    if (a->kind != b->kind || a->n_args != b->n_args) return false;
    if (a->n_args == 0) return sql_same(a, b);
    if (a->op != b->op || a->negated != b->negated || a->distinct != b->distinct || a->star != b->star ||
        a->type != b->type || a->scale != b->scale)
        return false;
    if ((a->name == NULL) != (b->name == NULL) || (a->name != NULL && strcmp(a->name, b->name) != 0)) return false;
    for (int i = 0; i < a->n_args; i++)
        if (!sql_equal(s, a->args[i], b->args[i])) return false;
    return true;
}

int sql_conjuncts(const struct sql_node *e, const struct sql_node **out, int max)
{
    int n;

    if (e->kind == SQL_BINARY && e->op == SQL_AND) {
        n = sql_conjuncts(e->args[0], out, max);
        return n + sql_conjuncts(e->args[1], n < max ? out + n : NULL, n < max ? max - n : 0);
    }
    if (max > 0) out[0] = e;
    return 1;
}

static enum status bind_args(struct binder *b, const struct sql_node *e, const struct expr ***out)
{
    const struct expr **args = arena_zalloc(b->a, (size_t)(e->n_args + 1) * sizeof *args);
    enum status st = ST_OK;

    if (args == NULL) return fault_set(b->f, ST_NOMEM, "sql", e->at, "no memory for the statement");
    for (int i = 0; st == ST_OK && i < e->n_args; i++) st = bind(b, e->args[i], &args[i]);
    *out = args;
    return st;
}

static enum status call_op(struct binder *b, const struct sql_node *e, enum expr_op op,
                           const struct expr *const *args, int n, const struct expr **out)
{
    struct fault inner = {0};

    return at(b, e, expr_call(b->a, op, args, n, out, &inner), &inner);
}

static enum status negate(struct binder *b, const struct sql_node *e, const struct expr **out)
{
    return e->negated ? call_op(b, e, E_NOT, out, 1, out) : ST_OK;
}

static enum expr_op op_of(enum sql_op op)
{
    switch (op) {
    case SQL_OR: return E_OR;
    case SQL_AND: return E_AND;
    case SQL_NOT: return E_NOT;
    case SQL_EQ: return E_EQ;
    case SQL_NE: return E_NE;
    case SQL_LT: return E_LT;
    case SQL_LE: return E_LE;
    case SQL_GT: return E_GT;
    case SQL_GE: return E_GE;
    case SQL_ADD: return E_ADD;
    case SQL_SUB: return E_SUB;
    case SQL_CONCAT: return E_CONCAT;
    case SQL_MUL: return E_MUL;
    case SQL_DIV: return E_DIV;
    case SQL_MOD: return E_MOD;
    case SQL_NEG: return E_NEG;
    case SQL_IS_NULL: return E_IS_NULL;
    case SQL_IS_NOT_NULL: return E_IS_NOT_NULL;
    case SQL_LIKE_CASE: return E_LIKE;
    case SQL_ILIKE: return E_ILIKE;
    }
    return E_OP_COUNT;
}

/* date_trunc('day', t), date_part('day', t)                                                        */
static enum status date_call(struct binder *b, const struct sql_node *e, enum expr_op op, const struct expr **out)
{
    const struct sql_node *part = e->n_args == 2 ? e->args[0] : NULL;
    const struct expr *time;
    enum date_part p;
    struct fault inner = {0};
    enum status st;

    if (part == NULL || part->kind != SQL_LITERAL || part->value.type != V_TEXT)
        return fault_set(b->f, ST_INVALID, "sql", e->at, "%s takes a quoted unit and a time: %s('day', t)", e->name,
                         e->name);
    if (!date_part_parse(part->value.s, part->value.len, &p))
        return fault_set(b->f, ST_INVALID, "sql", part->at, "not a unit of time: year, quarter, month, week, day, hour ...");
    st = bind(b, e->args[1], &time);
    return st == ST_OK ? at(b, e, expr_date(b->a, op, p, time, out, &inner), &inner) : st;
}

static enum status part_call(struct binder *b, const struct sql_node *e, enum date_part p, const struct expr **out)
{
    const struct expr *time;
    struct fault inner = {0};
    enum status st;

    if (e->n_args != 1) return fault_set(b->f, ST_INVALID, "sql", e->at, "%s takes one time", e->name);
    st = bind(b, e->args[0], &time);
    return st == ST_OK ? at(b, e, expr_date(b->a, E_DATE_PART, p, time, out, &inner), &inner) : st;
}

static enum status bind_call(struct binder *b, const struct sql_node *e, const struct expr **out)
{
    static const struct { const char *name; enum expr_op op; int min, max; } functions[] = {
        {"coalesce", E_COALESCE, 1, 64}, {"lower", E_LOWER, 1, 1}, {"upper", E_UPPER, 1, 1},
        {"length", E_LENGTH, 1, 1}, {"substr", E_SUBSTR, 2, 3}, {"substring", E_SUBSTR, 2, 3},
        {"round", E_ROUND, 1, 2}, {"abs", E_ABS, 1, 1}, {"concat", E_CONCAT, 1, 64}};
    static const struct { const char *name; enum date_part part; } parts[] = {
        {"year", PART_YEAR}, {"quarter", PART_QUARTER}, {"month", PART_MONTH}, {"week", PART_WEEK},
        {"day", PART_DAY}, {"hour", PART_HOUR}, {"minute", PART_MINUTE}};
    static const char *const names[] = {
        "coalesce", "lower", "upper", "length", "substr", "round", "abs", "concat", "date_trunc", "date_part",
        "year", "quarter", "month", "week", "day", "hour", "minute", "count", "sum", "avg", "min", "max",
        "approx_count_distinct"};
    const struct expr **args = NULL;
    const char *near;
    enum status st;

    if (sql_is_aggregate(e->name))
        return fault_set(b->f, ST_INVALID, "sql", e->at, "%s() has no place here: aggregates stand in SELECT, HAVING and ORDER BY",
                         e->name);
    if (e->star || e->distinct)
        return fault_set(b->f, ST_INVALID, "sql", e->at, "* and DISTINCT belong to aggregates");
    if (strcmp(e->name, "date_trunc") == 0) return date_call(b, e, E_DATE_TRUNC, out);
    if (strcmp(e->name, "date_part") == 0) return date_call(b, e, E_DATE_PART, out);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strcmp(e->name, parts[i].name) == 0) return part_call(b, e, parts[i].part, out);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(e->name, functions[i].name) != 0) continue;
        if (e->n_args < functions[i].min || e->n_args > functions[i].max)
            return fault_set(b->f, ST_INVALID, "sql", e->at, "%s takes %d to %d arguments", e->name,
                             functions[i].min, functions[i].max);
        st = bind_args(b, e, &args);
        return st == ST_OK ? call_op(b, e, functions[i].op, args, e->n_args, out) : st;
    }
    near = nearest_name(e->name, names, ARRAY_LEN(names));
    return fault_set(b->f, ST_INVALID, "sql", e->at, "there is no function '%s'%s%s%s", e->name,
                     near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

static enum status bind_cast(struct binder *b, const struct sql_node *e, const struct expr **out)
{
    const struct expr *inner_expr;
    struct fault inner = {0};
    enum status st = bind(b, e->args[0], &inner_expr);

    return st == ST_OK ? at(b, e, expr_cast(b->a, inner_expr, e->type, e->scale, out, &inner), &inner) : st;
}

static enum status bind(struct binder *b, const struct sql_node *e, const struct expr **out)
{
    const struct expr **args = NULL;
    struct fault inner = {0};
    int column;
    enum status st;

    if (b->hook != NULL) {
        st = b->hook->node(b->hook->ctx, e, out, b->f);
        if (st != ST_END) return st;
    }
    switch (e->kind) {
    case SQL_LITERAL: return at(b, e, expr_const(b->a, &e->value, out, &inner), &inner);
    case SQL_COLUMN:
        st = sql_resolve(b->scope, e, &column, b->f);
        if (st != ST_OK) return st;
        return at(b, e, expr_column(b->a, column, (enum value_type)b->scope->columns[column].type,
                                    b->scope->columns[column].scale, out, &inner), &inner);
    case SQL_STAR: return fault_set(b->f, ST_INVALID, "sql", e->at, "* stands alone in SELECT, or in count(*)");
    case SQL_CALL: return bind_call(b, e, out);
    case SQL_CAST: return bind_cast(b, e, out);
    default: break;
    }
    st = bind_args(b, e, &args);
    if (st != ST_OK) return st;
    switch (e->kind) {
    case SQL_UNARY:
    case SQL_BINARY: return call_op(b, e, op_of(e->op), args, e->n_args, out);
    case SQL_BETWEEN: st = call_op(b, e, E_BETWEEN, args, 3, out); break;
    case SQL_IN: st = call_op(b, e, E_IN, args, e->n_args, out); break;
    case SQL_LIKE: st = call_op(b, e, op_of(e->op), args, 2, out); break;
    case SQL_CASE: return call_op(b, e, E_CASE, args, e->n_args, out);
    default: return fault_set(b->f, ST_INVALID, "sql", e->at, "not an expression");
    }
    return st == ST_OK ? negate(b, e, out) : st;
}

enum status sql_bind(struct arena *a, const struct sql_scope *s, const struct sql_node *e,
                     const struct expr **out, struct fault *f)
{
    return sql_bind_with(a, s, e, NULL, out, f);
}

enum status sql_bind_with(struct arena *a, const struct sql_scope *s, const struct sql_node *e,
                          const struct sql_hook *hook, const struct expr **out, struct fault *f)
{
    struct binder b = {.a = a, .scope = s, .hook = hook, .f = f};

    return bind(&b, e, out);
}
