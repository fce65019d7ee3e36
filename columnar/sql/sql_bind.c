#include "columnar/sql/sql_bind.h"

#include "columnar/exec/func.h"

#include <string.h>

#include "engine/text/opts.h"

enum { COLUMNS_NEAR_MAX = 512 };

struct binder {
    struct seam_arena *a;
    const struct columnar_sql_scope *scope;
    const struct columnar_sql_hook *hook; /* may be NULL */
    struct seam_fault *f;
};

static enum seam_status bind(struct binder *b, const struct columnar_sql_node *e,
                             const struct columnar_expr **out);

/* Faults of the expression layer know types and not the text: the place is added here.              */
static enum seam_status at(struct binder *b, const struct columnar_sql_node *e, enum seam_status st,
                           const struct seam_fault *inner)
{
    if (st == SEAM_OK) return SEAM_OK;
    return seam_fault_set(b->f, st, "sql", e->at, "%s",
                          inner->why[0] != '\0' ? inner->why : seam_status_name(st));
}

static enum seam_status unknown_column(const struct columnar_sql_scope *s,
                                       const struct columnar_sql_node *e, struct seam_fault *f)
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
    if (!table_known)
        return seam_fault_set(f, SEAM_INVALID, "sql", e->at, "no table is called '%s' here",
                              e->qualifier);
    near = seam_nearest_name(e->name, names, n);
    if (near != NULL)
        return seam_fault_set(f, SEAM_INVALID, "sql", e->at,
                              "there is no column '%s'; did you mean '%s'?", e->name, near);
    return seam_fault_set(f, SEAM_INVALID, "sql", e->at, "there is no column '%s'", e->name);
}

enum seam_status columnar_sql_resolve(const struct columnar_sql_scope *s,
                                      const struct columnar_sql_node *e, int *out,
                                      struct seam_fault *f)
{
    int found = -1;

    for (int i = 0; i < s->n; i++) {
        const struct columnar_sql_column *c = &s->columns[i];

        if (strcmp(c->name, e->name) != 0) continue;
        if (e->qualifier != NULL && strcmp(c->table, e->qualifier) != 0) continue;
        if (found >= 0)
            return seam_fault_set(f, SEAM_INVALID, "sql", e->at,
                                  "'%s' is in '%s' and in '%s': qualify it", e->name,
                                  s->columns[found].table, c->table);
        found = i;
    }
    if (found < 0) return unknown_column(s, e, f);
    *out = found;
    return SEAM_OK;
}

bool columnar_sql_equal(const struct columnar_sql_scope *s, const struct columnar_sql_node *a,
                        const struct columnar_sql_node *b)
{
    if (a->kind == COLUMNAR_SQL_COLUMN && b->kind == COLUMNAR_SQL_COLUMN) {
        int i, j;

        return columnar_sql_resolve(s, a, &i, NULL) == SEAM_OK &&
               columnar_sql_resolve(s, b, &j, NULL) == SEAM_OK && i == j;
    }
    if (a->kind != b->kind || a->n_args != b->n_args) return false;
    if (a->n_args == 0) return columnar_sql_same(a, b);
    if (a->op != b->op || a->negated != b->negated || a->distinct != b->distinct ||
        a->star != b->star || a->type != b->type || a->scale != b->scale ||
        a->select != b->select || a->over != b->over || a->filter != b->filter ||
        a->order != b->order)
        return false;
    if ((a->name == NULL) != (b->name == NULL) ||
        (a->name != NULL && strcmp(a->name, b->name) != 0))
        return false;
    for (int i = 0; i < a->n_args; i++)
        if (!columnar_sql_equal(s, a->args[i], b->args[i])) return false;
    return true;
}

int columnar_sql_conjuncts(const struct columnar_sql_node *e, const struct columnar_sql_node **out,
                           int max)
{
    int n;

    if (e->kind == COLUMNAR_SQL_BINARY && e->op == COLUMNAR_SQL_AND) {
        n = columnar_sql_conjuncts(e->args[0], out, max);
        return n +
               columnar_sql_conjuncts(e->args[1], n < max ? out + n : NULL, n < max ? max - n : 0);
    }
    if (max > 0) out[0] = e;
    return 1;
}

static enum seam_status bind_args(struct binder *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr ***out)
{
    const struct columnar_expr **args =
        seam_arena_zalloc(b->a, (size_t)(e->n_args + 1) * sizeof *args);
    enum seam_status st = SEAM_OK;

    if (args == NULL)
        return seam_fault_set(b->f, SEAM_NOMEM, "sql", e->at, "no memory for the statement");
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) st = bind(b, e->args[i], &args[i]);
    *out = args;
    return st;
}

static enum seam_status call_op(struct binder *b, const struct columnar_sql_node *e,
                                enum columnar_expr_op op, const struct columnar_expr *const *args,
                                int n, const struct columnar_expr **out)
{
    struct seam_fault inner = {0};

    return at(b, e, columnar_expr_call(b->a, op, args, n, out, &inner), &inner);
}

static enum seam_status negate(struct binder *b, const struct columnar_sql_node *e,
                               const struct columnar_expr **out)
{
    return e->negated ? call_op(b, e, COLUMNAR_E_NOT, out, 1, out) : SEAM_OK;
}

static enum columnar_expr_op op_of(enum columnar_sql_op op)
{
    switch (op) {
    case COLUMNAR_SQL_OR: return COLUMNAR_E_OR;
    case COLUMNAR_SQL_AND: return COLUMNAR_E_AND;
    case COLUMNAR_SQL_NOT: return COLUMNAR_E_NOT;
    case COLUMNAR_SQL_EQ: return COLUMNAR_E_EQ;
    case COLUMNAR_SQL_NE: return COLUMNAR_E_NE;
    case COLUMNAR_SQL_LT: return COLUMNAR_E_LT;
    case COLUMNAR_SQL_LE: return COLUMNAR_E_LE;
    case COLUMNAR_SQL_GT: return COLUMNAR_E_GT;
    case COLUMNAR_SQL_GE: return COLUMNAR_E_GE;
    case COLUMNAR_SQL_ADD: return COLUMNAR_E_ADD;
    case COLUMNAR_SQL_SUB: return COLUMNAR_E_SUB;
    case COLUMNAR_SQL_CONCAT: return COLUMNAR_E_PIPE;
    case COLUMNAR_SQL_MUL: return COLUMNAR_E_MUL;
    case COLUMNAR_SQL_DIV: return COLUMNAR_E_DIV;
    case COLUMNAR_SQL_MOD: return COLUMNAR_E_MOD;
    case COLUMNAR_SQL_NEG: return COLUMNAR_E_NEG;
    case COLUMNAR_SQL_IS_NULL: return COLUMNAR_E_IS_NULL;
    case COLUMNAR_SQL_IS_NOT_NULL: return COLUMNAR_E_IS_NOT_NULL;
    case COLUMNAR_SQL_LIKE_CASE: return COLUMNAR_E_LIKE;
    case COLUMNAR_SQL_ILIKE: return COLUMNAR_E_ILIKE;
    }
    return COLUMNAR_E_OP_COUNT;
}

/* date_trunc('day', t), date_part('day', t)                                                        */
static enum seam_status date_call(struct binder *b, const struct columnar_sql_node *e,
                                  enum columnar_expr_op op, const struct columnar_expr **out)
{
    const struct columnar_sql_node *part = e->n_args == 2 ? e->args[0] : NULL;
    const struct columnar_expr *time;
    enum columnar_date_part p;
    struct seam_fault inner = {0};
    enum seam_status st;

    if (part == NULL || part->kind != COLUMNAR_SQL_LITERAL || part->value.type != SEAM_V_TEXT)
        return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at,
                              "%s takes a quoted unit and a time: %s('day', t)", e->name, e->name);
    if (!columnar_date_part_parse(part->value.s, part->value.len, &p))
        return seam_fault_set(b->f, SEAM_INVALID, "sql", part->at,
                              "not a unit of time: year, quarter, month, week, day, hour ...");
    st = bind(b, e->args[1], &time);
    return st == SEAM_OK ? at(b, e, columnar_expr_date(b->a, op, p, time, out, &inner), &inner)
                         : st;
}

static enum seam_status part_call(struct binder *b, const struct columnar_sql_node *e,
                                  enum columnar_date_part p, const struct columnar_expr **out)
{
    const struct columnar_expr *time;
    struct seam_fault inner = {0};
    enum seam_status st;

    if (e->n_args != 1)
        return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at, "%s takes one time", e->name);
    st = bind(b, e->args[0], &time);
    return st == SEAM_OK
               ? at(b, e, columnar_expr_date(b->a, COLUMNAR_E_DATE_PART, p, time, out, &inner),
                    &inner)
               : st;
}

static enum seam_status bind_call(struct binder *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr **out)
{
    static const struct {
        const char *name;
        enum columnar_expr_op op;
        int min, max;
    } functions[] = {
        {"coalesce", COLUMNAR_E_COALESCE, 1, 64}, {"lower", COLUMNAR_E_LOWER, 1, 1},
        {"upper", COLUMNAR_E_UPPER, 1, 1},        {"length", COLUMNAR_E_LENGTH, 1, 1},
        {"substr", COLUMNAR_E_SUBSTR, 2, 3},      {"substring", COLUMNAR_E_SUBSTR, 2, 3},
        {"round", COLUMNAR_E_ROUND, 1, 2},        {"abs", COLUMNAR_E_ABS, 1, 1},
        {"concat", COLUMNAR_E_CONCAT, 1, 64}};
    static const struct {
        const char *name;
        enum columnar_date_part part;
    } parts[] = {{"year", COLUMNAR_PART_YEAR},    {"quarter", COLUMNAR_PART_QUARTER},
                 {"month", COLUMNAR_PART_MONTH},  {"week", COLUMNAR_PART_WEEK},
                 {"day", COLUMNAR_PART_DAY},      {"hour", COLUMNAR_PART_HOUR},
                 {"minute", COLUMNAR_PART_MINUTE}};
    static const char *const names[] = {"coalesce",
                                        "lower",
                                        "upper",
                                        "length",
                                        "substr",
                                        "round",
                                        "abs",
                                        "concat",
                                        "date_trunc",
                                        "date_part",
                                        "year",
                                        "quarter",
                                        "month",
                                        "week",
                                        "day",
                                        "hour",
                                        "minute",
                                        "count",
                                        "sum",
                                        "avg",
                                        "min",
                                        "max",
                                        "approx_count_distinct"};
    const struct columnar_expr **args = NULL;
    const char *near, *all[256];
    struct seam_fault inner = {0};
    size_t n_all;
    enum seam_status st;

    if (columnar_sql_is_aggregate(e->name))
        return seam_fault_set(
            b->f, SEAM_INVALID, "sql", e->at,
            "%s() has no place here: aggregates stand in SELECT, HAVING and ORDER BY", e->name);
    if (e->star || e->distinct)
        return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at,
                              "* and DISTINCT belong to aggregates");
    if (strcmp(e->name, "date_trunc") == 0) return date_call(b, e, COLUMNAR_E_DATE_TRUNC, out);
    if (strcmp(e->name, "date_part") == 0) return date_call(b, e, COLUMNAR_E_DATE_PART, out);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++)
        if (strcmp(e->name, parts[i].name) == 0) return part_call(b, e, parts[i].part, out);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(functions); i++) {
        if (strcmp(e->name, functions[i].name) != 0) continue;
        if (e->n_args < functions[i].min || e->n_args > functions[i].max)
            return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at, "%s takes %d to %d arguments",
                                  e->name, functions[i].min, functions[i].max);
        st = bind_args(b, e, &args);
        return st == SEAM_OK ? call_op(b, e, functions[i].op, args, e->n_args, out) : st;
    }
    st = bind_args(b, e, &args);
    if (st == SEAM_OK) st = columnar_expr_func(b->a, e->name, args, e->n_args, out, &inner);
    if (st != SEAM_NOT_FOUND || inner.status != SEAM_OK)
        return inner.status != SEAM_OK ? at(b, e, st, &inner) : st;
    memcpy(all, names, sizeof names);
    n_all =
        SEAM_ARRAY_LEN(names) + columnar_func_names(all + SEAM_ARRAY_LEN(names),
                                                    SEAM_ARRAY_LEN(all) - SEAM_ARRAY_LEN(names));
    near = seam_nearest_name(e->name, all, n_all);
    return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at, "there is no function '%s'%s%s%s",
                          e->name, near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                          near != NULL ? "'?" : "");
}

static enum seam_status bind_cast(struct binder *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr **out)
{
    const struct columnar_expr *inner_expr;
    struct seam_fault inner = {0};
    enum seam_status st = bind(b, e->args[0], &inner_expr);

    if (st == SEAM_OK)
        st = at(b, e, columnar_expr_cast(b->a, inner_expr, e->type, e->scale, out, &inner), &inner);
    /* A date is a timestamp at midnight. */
    if (st == SEAM_OK && e->name != NULL && strcmp(e->name, "date") == 0)
        st = at(
            b, e,
            columnar_expr_date(b->a, COLUMNAR_E_DATE_TRUNC, COLUMNAR_PART_DAY, *out, out, &inner),
            &inner);
    return st;
}

/* A pattern that is no constant is made anew for each row. */
static enum seam_status bind_like(struct binder *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr *const *args,
                                  const struct columnar_expr **out)
{
    struct seam_fault inner = {0};

    if (columnar_expr_is_const(args[1]) || e->n_args > 2)
        return call_op(b, e, op_of(e->op), args, e->n_args, out);
    return at(b, e,
              columnar_expr_func(b->a, e->op == COLUMNAR_SQL_ILIKE ? "ilike_with" : "like_with",
                                 args, 2, out, &inner),
              &inner);
}

static enum seam_status bind_node(struct binder *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr **out)
{
    const struct columnar_expr **args = NULL;
    struct seam_fault inner = {0};
    int column;
    enum seam_status st;

    switch (e->kind) {
    case COLUMNAR_SQL_LITERAL:
        return at(b, e, columnar_expr_const(b->a, &e->value, out, &inner), &inner);
    case COLUMNAR_SQL_COLUMN:
        st = columnar_sql_resolve(b->scope, e, &column, b->f);
        if (st != SEAM_OK) return st;
        return at(b, e,
                  columnar_expr_column(b->a, column,
                                       (enum seam_value_type)b->scope->columns[column].type,
                                       b->scope->columns[column].scale, out, &inner),
                  &inner);
    case COLUMNAR_SQL_STAR:
        return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at,
                              "* stands alone in SELECT, or in count(*)");
    case COLUMNAR_SQL_CALL: return bind_call(b, e, out);
    case COLUMNAR_SQL_CAST: return bind_cast(b, e, out);
    default: break;
    }
    st = bind_args(b, e, &args);
    if (st != SEAM_OK) return st;
    switch (e->kind) {
    case COLUMNAR_SQL_UNARY:
    case COLUMNAR_SQL_BINARY: return call_op(b, e, op_of(e->op), args, e->n_args, out);
    case COLUMNAR_SQL_BETWEEN: st = call_op(b, e, COLUMNAR_E_BETWEEN, args, 3, out); break;
    case COLUMNAR_SQL_IN: st = call_op(b, e, COLUMNAR_E_IN, args, e->n_args, out); break;
    case COLUMNAR_SQL_LIKE: st = bind_like(b, e, args, out); break;
    case COLUMNAR_SQL_CASE: return call_op(b, e, COLUMNAR_E_CASE, args, e->n_args, out);
    default: return seam_fault_set(b->f, SEAM_INVALID, "sql", e->at, "not an expression");
    }
    return st == SEAM_OK ? negate(b, e, out) : st;
}

static enum seam_status bind(struct binder *b, const struct columnar_sql_node *e,
                             const struct columnar_expr **out)
{
    enum seam_status st = b->hook == NULL ? SEAM_END : b->hook->node(b->hook->ctx, e, out, b->f);

    if (st != SEAM_END) return st;
    st = bind_node(b, e, out);
    if (st == SEAM_OK) columnar_expr_place(*out, e->at);
    return st;
}

enum seam_status columnar_sql_bind(struct seam_arena *a, const struct columnar_sql_scope *s,
                                   const struct columnar_sql_node *e,
                                   const struct columnar_expr **out, struct seam_fault *f)
{
    return columnar_sql_bind_with(a, s, e, NULL, out, f);
}

enum seam_status columnar_sql_bind_with(struct seam_arena *a, const struct columnar_sql_scope *s,
                                        const struct columnar_sql_node *e,
                                        const struct columnar_sql_hook *hook,
                                        const struct columnar_expr **out, struct seam_fault *f)
{
    struct binder b = {.a = a, .scope = s, .hook = hook, .f = f};

    return bind(&b, e, out);
}
