/* sql_expr - expressions of a block: columns, aggregates, windows and subqueries among sql_bind.c's operators. */
#include "columnar/exec/func.h"
#include "columnar/sql/sql_block.h"

enum { CONJUNCTS_MAX = 4096 };

static enum seam_status call(struct columnar_block *b, const struct columnar_sql_node *e,
                             enum columnar_expr_op op, const struct columnar_expr *const *args,
                             int n, const struct columnar_expr **out)
{
    struct seam_fault inner = {0};

    return columnar_block_at(b, e, columnar_expr_call(b->s->a, op, args, n, out, &inner), &inner);
}

/* x [NOT] IN (e, ...): a set where all are constants, else equalities. */
static enum seam_status in_list(struct columnar_block *b, const struct columnar_sql_node *e,
                                const struct columnar_expr **out)
{
    const struct columnar_expr **args =
        seam_arena_alloc(b->s->a, (size_t)(e->n_args + 1) * sizeof *args);
    bool constant = true;
    enum seam_status st = SEAM_OK;

    if (args == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) {
        st = columnar_block_expr(b, e->args[i], &args[i]);
        if (st == SEAM_OK && i > 0) constant = constant && columnar_expr_is_const(args[i]);
    }
    if (st == SEAM_OK && constant) {
        st = call(b, e, COLUMNAR_E_IN, args, e->n_args, out);
    } else if (st == SEAM_OK) {
        for (int i = 1; st == SEAM_OK && i < e->n_args; i++) {
            const struct columnar_expr *two[2] = {args[0], args[i]};

            st = call(b, e, COLUMNAR_E_EQ, two, 2, &args[i]);
        }
        if (st == SEAM_OK && e->n_args == 2)
            *out = args[1];
        else if (st == SEAM_OK)
            st = call(b, e, COLUMNAR_E_OR, args + 1, e->n_args - 1, out);
    }
    return st == SEAM_OK && e->negated ? call(b, e, COLUMNAR_E_NOT, out, 1, out) : st;
}

/* t + INTERVAL, t - INTERVAL, INTERVAL + t */
static enum seam_status shift_time(struct columnar_block *b, const struct columnar_sql_node *e,
                                   const struct columnar_expr **out)
{
    const struct columnar_sql_node *by = e->args[1], *time = e->args[0];
    const struct columnar_expr *args[3] = {NULL, NULL, NULL};
    struct seam_value months, micros;
    struct seam_fault inner = {0};
    bool minus = e->op == COLUMNAR_SQL_SUB;
    enum seam_status st;

    if (by->kind != COLUMNAR_SQL_INTERVAL) by = e->args[0], time = e->args[1];
    if (time->kind == COLUMNAR_SQL_INTERVAL || (minus && by == e->args[0]))
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "an interval is added to a time or taken from one; no more in this "
                              "dialect");
    st = columnar_block_expr(b, time, &args[0]);
    if (st != SEAM_OK) return st;
    months = seam_v_int(minus ? -by->value.i : by->value.i);
    micros = seam_v_int(minus ? -by->micros : by->micros);
    if (args[0]->type == SEAM_V_TEXT)
        st = columnar_expr_cast(b->s->a, args[0], SEAM_V_TIME, 0, &args[0], &inner);
    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &months, &args[1], &inner);
    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &micros, &args[2], &inner);
    if (st == SEAM_OK) st = columnar_expr_func(b->s->a, "time_add", args, 3, out, &inner);
    return columnar_block_at(b, e, st, &inner);
}

/* CAST(x AS DATE) is midnight of its day. */
static enum seam_status cast_date(struct columnar_block *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr **out)
{
    struct seam_fault inner = {0};
    enum seam_status st = columnar_block_expr(b, e->args[0], out);

    if (st != SEAM_OK) return st;
    st = columnar_expr_cast(b->s->a, *out, SEAM_V_TIME, 0, out, &inner);
    if (st == SEAM_OK)
        st = columnar_expr_date(b->s->a, COLUMNAR_E_DATE_TRUNC, COLUMNAR_PART_DAY, *out, out,
                                &inner);
    return columnar_block_at(b, e, st, &inner);
}

/* now() and current_date: one moment for the whole statement. */
static enum seam_status now(struct columnar_block *b, const struct columnar_sql_node *e,
                            const struct columnar_expr **out)
{
    struct seam_value v = seam_v_time(b->s->now_us);
    struct seam_fault inner = {0};
    enum seam_status st = columnar_expr_const(b->s->a, &v, out, &inner);

    if (st == SEAM_OK && e->name[0] == 'c' && strcmp(e->name, "current_timestamp") != 0)
        st = columnar_expr_date(b->s->a, COLUMNAR_E_DATE_TRUNC, COLUMNAR_PART_DAY, *out, out,
                                &inner);
    return columnar_block_at(b, e, st, &inner);
}

static enum seam_status no_item(struct columnar_block *b, const struct columnar_sql_node *e)
{
    bool own;
    int id;

    return columnar_block_resolve(b, e, false, &id, &own); /* says what is wrong */
}

/* A name that is no column may be an item's alias. */
static enum seam_status column(struct columnar_block *b, const struct columnar_sql_node *e,
                               const struct columnar_expr **out)
{
    bool own;
    int id;
    enum seam_status st = columnar_block_resolve(b, e, true, &id, &own);

    if (st == SEAM_OK) {
        st = columnar_block_resolve(b, e, false, &id, &own);
        return st == SEAM_OK ? columnar_rel_column_expr(b->s, id, out) : st;
    }
    for (int i = 0; e->qualifier == NULL && b->alias_depth == 0 && i < b->n_items; i++) {
        if (b->item_names[i] == NULL || strcmp(b->item_names[i], e->name) != 0) continue;
        if (b->items[i] == e) continue;
        b->alias_depth++;
        st = columnar_block_expr(b, b->items[i], out);
        b->alias_depth--;
        return st;
    }
    return no_item(b, e);
}

static enum seam_status above_column(struct columnar_block *b, const struct columnar_sql_node *e)
{
    bool own;
    int id;

    if (columnar_block_resolve(b, e, true, &id, &own) != SEAM_OK || !own) return SEAM_END;
    return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                          "'%s' is neither in GROUP BY nor inside an aggregate", e->name);
}

static bool is_now(const struct columnar_sql_node *e)
{
    return e->n_args == 0 && (strcmp(e->name, "now") == 0 || strcmp(e->name, "current_date") == 0 ||
                              strcmp(e->name, "today") == 0);
}

static enum seam_status node(void *ctx, const struct columnar_sql_node *e,
                             const struct columnar_expr **out, struct seam_fault *f)
{
    struct columnar_block *b = ctx;
    enum seam_status st;

    (void)f;
    if (b->grouped && e->kind != COLUMNAR_SQL_LITERAL) {
        st = columnar_block_key_of(b, e, out);
        if (st == SEAM_END && e->kind == COLUMNAR_SQL_COLUMN) st = above_column(b, e);
        if (st != SEAM_END) return st;
    }
    switch (e->kind) {
    case COLUMNAR_SQL_COLUMN: return column(b, e, out);
    case COLUMNAR_SQL_IN: return in_list(b, e, out);
    case COLUMNAR_SQL_SUBQUERY:
    case COLUMNAR_SQL_EXISTS:
    case COLUMNAR_SQL_IN_QUERY:
    case COLUMNAR_SQL_ANY: return columnar_block_subquery(b, e, false, out);
    case COLUMNAR_SQL_CAST:
        return e->name != NULL && strcmp(e->name, "date") == 0 ? cast_date(b, e, out) : SEAM_END;
    case COLUMNAR_SQL_INTERVAL:
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "an interval is added to a time or taken from one; no more in this "
                              "dialect");
    case COLUMNAR_SQL_ROW:
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "a row of values stands only left of IN (query)");
    case COLUMNAR_SQL_BINARY:
        if ((e->op == COLUMNAR_SQL_ADD || e->op == COLUMNAR_SQL_SUB) &&
            (e->args[0]->kind == COLUMNAR_SQL_INTERVAL ||
             e->args[1]->kind == COLUMNAR_SQL_INTERVAL))
            return shift_time(b, e, out);
        return SEAM_END;
    case COLUMNAR_SQL_CALL:
        if (e->over != NULL) return columnar_block_window(b, e, out);
        if (strcmp(e->name, "grouping") == 0 || strcmp(e->name, "grouping_id") == 0)
            return columnar_block_grouping(b, e, out);
        if (columnar_block_is_aggregate(e->name)) return columnar_block_aggregate(b, e, out);
        if (e->filter != NULL || e->n_order > 0)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                                  "FILTER and ORDER BY belong to aggregates");
        return is_now(e) ? now(b, e, out) : SEAM_END;
    default: return SEAM_END;
    }
}

enum seam_status columnar_block_expr(struct columnar_block *b, const struct columnar_sql_node *e,
                                     const struct columnar_expr **out)
{
    static const struct columnar_sql_scope none;
    struct columnar_sql_hook hook = {node, b};

    return columnar_sql_bind_with(b->s->a, &none, e, &hook, out, b->s->f);
}

static bool holds_query(const struct columnar_sql_node *e)
{
    return e->kind == COLUMNAR_SQL_EXISTS || e->kind == COLUMNAR_SQL_IN_QUERY;
}

static enum seam_status conjunct(struct columnar_block *b, const struct columnar_sql_node *e)
{
    const struct columnar_expr *cond = NULL;
    bool inverted = e->kind == COLUMNAR_SQL_UNARY && e->op == COLUMNAR_SQL_NOT;
    struct columnar_sql_node turned;
    enum seam_status st;

    if (holds_query(e)) {
        st = columnar_block_subquery(b, e, true, &cond);
    } else if (inverted && holds_query(e->args[0])) {
        turned = *e->args[0];
        turned.negated = !turned.negated;
        st = columnar_block_subquery(b, &turned, true, &cond);
    } else {
        st = columnar_block_expr(b, e, &cond);
    }
    if (st != SEAM_OK || cond == NULL) return st;
    if (cond->type != SEAM_V_BOOL && cond->type != SEAM_V_NULL)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "a filter needs a condition, not %s",
                              seam_value_type_name(cond->type));
    return columnar_rel_filter(b->s, b->at, cond);
}

enum seam_status columnar_block_where(struct columnar_block *b, const struct columnar_sql_node *e)
{
    const struct columnar_sql_node **parts;
    int n = columnar_sql_conjuncts(e, NULL, 0);
    enum seam_status st = SEAM_OK;

    if (n > CONJUNCTS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", e->at, "more than %d conditions",
                              CONJUNCTS_MAX);
    parts = seam_arena_alloc(b->s->a, (size_t)n * sizeof *parts);
    if (parts == NULL) return columnar_rel_no_memory(b->s);
    columnar_sql_conjuncts(e, parts, n);
    for (int i = 0; st == SEAM_OK && i < n; i++) st = conjunct(b, parts[i]);
    return st;
}
