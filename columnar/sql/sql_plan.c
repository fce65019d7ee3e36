/* sql_plan - a bound SELECT as a plan.
 *
 *   scans with their own filters -> joins in order -> WHERE -> aggregate -> HAVING -> project -> DISTINCT
 *   -> ORDER BY / LIMIT -> the columns asked for
 *
 * Conditions that speak of one table only go below the joins (never below the right side of a LEFT JOIN, where
 * they would change the answer); the scans push them further, into the files' statistics.            */
#include <string.h>

#include "columnar/sql/sql.h"
#include "columnar/sql/sql_bind.h"
#include "engine/text/opts.h"

enum { SCOPE_MAX = 1024, CONJUNCTS_MAX = 128, ITEMS_MAX = 256, AGGS_MAX = 128, TABLES_MAX = SQL_JOINS_MAX + 1 };

struct from_table {
    const struct sql_table *ref;
    const struct plan *plan;
    int first, n;          /* its columns in the scope */
    bool nullable;         /* right side of a LEFT JOIN */
    lsn_t lsn;
};

struct planner {
    const struct sql_env *env;
    struct arena *a;
    struct fault *f;
    const struct sql_select *s;
    struct from_table tables[TABLES_MAX];
    int n_tables;
    struct sql_column columns[SCOPE_MAX];
    struct sql_scope scope;
    lsn_t lsn;
    /* aggregation */
    const struct sql_node *group[ITEMS_MAX];
    const struct expr *group_expr[ITEMS_MAX];
    int n_group;
    const struct sql_node *agg_node[AGGS_MAX];
    struct plan_agg aggs[AGGS_MAX];
    int n_aggs;
    /* the answer */
    const struct sql_node *item[ITEMS_MAX];
    const char *item_name[ITEMS_MAX];
    int n_items;
};

static enum status no_memory(struct planner *p)
{
    return fault_set(p->f, ST_NOMEM, "sql", 0, "no memory for the statement");
}

/* ---- FROM ---- */

static enum status add_column(struct planner *p, const char *table, const char *name, uint8_t type,
                              uint8_t scale, bool hidden)
{
    if (p->scope.n == SCOPE_MAX)
        return fault_set(p->f, ST_LIMIT, "sql", 0, "more than %d columns in FROM", SCOPE_MAX);
    p->columns[p->scope.n++] = (struct sql_column){table, name, type, scale, hidden};
    return ST_OK;
}

static enum status resolve_moment(struct planner *p, const struct columnar_reader *r, const struct sql_table *t,
                                  lsn_t *lsn)
{
    const struct sql_moment *m = t->as_of.kind != SQL_NOW ? &t->as_of : &p->s->as_of;
    struct columnar_as_of as_of = {.number = m->number, .wall_us = m->wall_us, .tag = m->tag};
    struct fault inner = {0};
    enum status st;

    switch (m->kind) {
    case SQL_NOW: as_of.kind = AS_OF_NEWEST; break;
    case SQL_AT_LSN: as_of.kind = AS_OF_LSN; break;
    case SQL_AT_TIME: as_of.kind = AS_OF_TIME; break;
    case SQL_AT_SNAPSHOT: as_of.kind = AS_OF_SNAPSHOT; break;
    case SQL_AT_TAG: as_of.kind = AS_OF_TAG; break;
    }
    st = columnar_resolve(r, &as_of, lsn, &inner);
    return st == ST_OK ? ST_OK : fault_set(p->f, st, "sql", m->at, "%s", inner.why);
}

static enum status scan_table(struct planner *p, const struct columnar_reader *r, int table, struct from_table *t)
{
    const struct schema *schema = columnar_schema(r, table);
    int *columns = arena_alloc(p->a, (size_t)(schema->column_count + 2) * sizeof *columns);
    struct fault inner = {0};
    int n = 0;
    enum status st;

    if (columns == NULL) return no_memory(p);
    st = resolve_moment(p, r, t->ref, &t->lsn);
    for (int i = 0; st == ST_OK && i < schema->column_count; i++) {
        const struct column *c = &schema->columns[i];

        if (!column_live(c, schema->version)) continue;
        columns[n++] = i;
        st = add_column(p, t->ref->alias, c->name, (uint8_t)c->type, c->scale, false);
    }
    columns[n] = PLAN_COLUMN_BEGIN;
    columns[n + 1] = PLAN_COLUMN_END;
    if (st == ST_OK) st = add_column(p, t->ref->alias, "_begin_lsn", V_INT, 0, true);
    if (st == ST_OK) st = add_column(p, t->ref->alias, "_end_lsn", V_INT, 0, true);
    if (st != ST_OK) return st;
    st = plan_scan(p->a, r, table, columns, n + 2, t->lsn, &t->plan, &inner);
    return st == ST_OK ? ST_OK : fault_set(p->f, st, "sql", t->ref->at, "%s", inner.why);
}

static enum status unknown_table(struct planner *p, const struct sql_table *t)
{
    const char *names[512];
    const char *near;
    size_t n = 0;

    for (size_t i = 0; i < p->env->reader_count; i++)
        for (int k = 0; k < columnar_table_count(p->env->readers[i]) && n < ARRAY_LEN(names); k++)
            names[n++] = columnar_schema(p->env->readers[i], k)->name;
    if (p->env->names != NULL) {
        size_t more = p->env->names(p->env->ctx, names + n, ARRAY_LEN(names) - n);

        n += more < ARRAY_LEN(names) - n ? more : ARRAY_LEN(names) - n;
    }
    near = nearest_name(t->name, names, n);
    return fault_set(p->f, ST_NOT_FOUND, "sql", t->at, "there is no table '%s'%s%s%s", t->name,
                     near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

static enum status other_rows(struct planner *p, struct from_table *t)
{
    const struct sql_moment *m = t->ref->as_of.kind != SQL_NOW ? &t->ref->as_of : &p->s->as_of;
    struct sql_rows *rows = arena_zalloc(p->a, sizeof *rows);
    struct fault inner = {0};
    enum status st = ST_NOT_FOUND;

    if (rows == NULL) return no_memory(p);
    if (p->env->resolve != NULL) st = p->env->resolve(p->env->ctx, t->ref->name, m, p->a, rows, &inner);
    if (st == ST_NOT_FOUND && inner.status == ST_OK) return unknown_table(p, t->ref);
    if (st != ST_OK) return fault_set(p->f, st, "sql", t->ref->at, "%s", inner.why);
    t->lsn = rows->lsn;
    for (int i = 0; st == ST_OK && i < rows->n; i++)
        st = add_column(p, t->ref->alias, rows->columns[i].name, rows->columns[i].type, rows->columns[i].scale, false);
    return st == ST_OK ? plan_rows(p->a, rows->columns, rows->n, &rows->source, &t->plan, p->f) : st;
}

static enum status add_table(struct planner *p, const struct sql_table *ref, bool nullable)
{
    struct from_table *t = &p->tables[p->n_tables++];
    enum status st = ST_NOT_FOUND;

    *t = (struct from_table){.ref = ref, .first = p->scope.n, .nullable = nullable};
    for (int i = 0; i < p->n_tables - 1; i++)
        if (strcmp(p->tables[i].ref->alias, ref->alias) == 0)
            return fault_set(p->f, ST_INVALID, "sql", ref->at, "two tables are called '%s': give one an alias", ref->alias);
    for (size_t i = 0; i < p->env->reader_count && st == ST_NOT_FOUND; i++) {
        int table = columnar_table(p->env->readers[i], ref->name);

        if (table >= 0) {
            st = scan_table(p, p->env->readers[i], table, t);
            if (st != ST_OK) return st;
        }
    }
    if (st == ST_NOT_FOUND) st = other_rows(p, t);
    t->n = p->scope.n - t->first;
    if (st == ST_OK && t->lsn != LSN_NONE && t->lsn < p->lsn) p->lsn = t->lsn;
    return st;
}

/* ---- conditions ---- */

/* The tables an expression speaks of, as bits; sets the fault for an unknown name.                   */
static enum status tables_of(struct planner *p, const struct sql_node *e, uint32_t *out)
{
    int column;
    enum status st = ST_OK;

    if (e->kind == SQL_COLUMN) {
        st = sql_resolve(&p->scope, e, &column, p->f);
        for (int t = 0; st == ST_OK && t < p->n_tables; t++)
            if (column >= p->tables[t].first && column < p->tables[t].first + p->tables[t].n) *out |= 1u << t;
    }
    for (int i = 0; st == ST_OK && i < e->n_args; i++) st = tables_of(p, e->args[i], out);
    return st;
}

/* Binds over one table's own columns (positions from 0), over all columns so far, or over all of them. */
static enum status bind_local(struct planner *p, const struct from_table *t, const struct sql_node *e,
                              const struct expr **out)
{
    struct sql_scope local = {p->columns + t->first, t->n};

    return sql_bind(p->a, &local, e, out, p->f);
}

static enum status filter_plan(struct planner *p, const struct plan **plan, const struct expr *where,
                               const struct sql_node *e)
{
    struct fault inner = {0};
    enum status st = plan_filter(p->a, *plan, where, plan, &inner);

    return st == ST_OK ? ST_OK : fault_set(p->f, st, "sql", e->at, "%s", inner.why);
}

static enum status push_down(struct planner *p, struct from_table *t, const struct sql_node *e)
{
    const struct expr *where;
    enum status st = bind_local(p, t, e, &where);

    return st == ST_OK ? filter_plan(p, &t->plan, where, e) : st;
}

/* WHERE conjuncts about one table that no LEFT JOIN can null: below the joins. The rest is kept in `rest`. */
static enum status place_where(struct planner *p, const struct sql_node **rest, int *n_rest)
{
    const struct sql_node *parts[CONJUNCTS_MAX];
    int n;
    enum status st = ST_OK;

    *n_rest = 0;
    if (p->s->where == NULL) return ST_OK;
    if (sql_has_aggregate(p->s->where))
        return fault_set(p->f, ST_INVALID, "sql", p->s->where->at, "aggregates cannot stand in WHERE: use HAVING");
    n = sql_conjuncts(p->s->where, parts, CONJUNCTS_MAX);
    if (n > CONJUNCTS_MAX)
        return fault_set(p->f, ST_LIMIT, "sql", p->s->where->at, "more than %d conditions", CONJUNCTS_MAX);
    for (int i = 0; st == ST_OK && i < n; i++) {
        uint32_t tables = 0;
        int only;

        st = tables_of(p, parts[i], &tables);
        if (st != ST_OK) break;
        only = tables != 0 && (tables & (tables - 1)) == 0 ? __builtin_ctz(tables) : -1;
        if (only >= 0 && !p->tables[only].nullable) st = push_down(p, &p->tables[only], parts[i]);
        else rest[(*n_rest)++] = parts[i];
    }
    return st;
}

/* ---- joins ---- */

struct join_keys {
    const struct expr *left[KEY_COLUMNS_MAX], *right[KEY_COLUMNS_MAX];
    int n;
    const struct sql_node *residual[CONJUNCTS_MAX];
    int n_residual;
};

/* Both sides of a key get one type, so that equal values hash alike.                               */
static enum status same_type(struct planner *p, const struct sql_node *e, const struct expr **l, const struct expr **r)
{
    struct fault inner = {0};
    uint8_t type = (*l)->type, scale = (*l)->scale > (*r)->scale ? (*l)->scale : (*r)->scale;
    enum status st = ST_OK;

    if ((*l)->type == (*r)->type && (*l)->scale == (*r)->scale) return ST_OK;
    if ((*l)->type == V_DOUBLE || (*r)->type == V_DOUBLE) type = V_DOUBLE;
    else if ((*l)->type == V_DECIMAL || (*r)->type == V_DECIMAL) type = V_DECIMAL;
    if (type == V_DOUBLE) scale = 0;
    st = expr_cast(p->a, *l, (enum value_type)type, scale, l, &inner);
    if (st == ST_OK) st = expr_cast(p->a, *r, (enum value_type)type, scale, r, &inner);
    return st == ST_OK ? ST_OK : fault_set(p->f, st, "sql", e->at, "%s", inner.why);
}

static enum status take_key(struct planner *p, int right, const struct sql_node *e, struct join_keys *k, bool *taken)
{
    struct sql_scope left_scope = {p->columns, p->tables[right].first};
    uint32_t a = 0, b = 0, bit = 1u << right;
    const struct sql_node *l, *r;
    enum status st;

    *taken = false;
    if (e->kind != SQL_BINARY || e->op != SQL_EQ || k->n == KEY_COLUMNS_MAX) return ST_OK;
    st = tables_of(p, e->args[0], &a);
    if (st == ST_OK) st = tables_of(p, e->args[1], &b);
    if (st != ST_OK) return st;
    if (b == bit && a != 0 && (a & bit) == 0) l = e->args[0], r = e->args[1];
    else if (a == bit && b != 0 && (b & bit) == 0) l = e->args[1], r = e->args[0];
    else return ST_OK;
    st = sql_bind(p->a, &left_scope, l, &k->left[k->n], p->f);
    if (st == ST_OK) st = bind_local(p, &p->tables[right], r, &k->right[k->n]);
    if (st == ST_OK) st = same_type(p, e, &k->left[k->n], &k->right[k->n]);
    k->n++;
    *taken = true;
    return st;
}

/* ON: equalities become keys; what speaks of the right side alone goes into it; the rest is a filter after an
 * inner join, and has no place in a left one.                                                      */
static enum status split_on(struct planner *p, int right, const struct sql_join *j, struct join_keys *k)
{
    const struct sql_node *parts[CONJUNCTS_MAX];
    int n = sql_conjuncts(j->on, parts, CONJUNCTS_MAX);
    enum status st = ST_OK;

    if (n > CONJUNCTS_MAX) return fault_set(p->f, ST_LIMIT, "sql", j->on->at, "more than %d conditions", CONJUNCTS_MAX);
    for (int i = 0; st == ST_OK && i < n; i++) {
        uint32_t tables = 0;
        bool taken;

        st = take_key(p, right, parts[i], k, &taken);
        if (st != ST_OK || taken) continue;
        st = tables_of(p, parts[i], &tables);
        if (st != ST_OK) break;
        if (tables == 1u << right) st = push_down(p, &p->tables[right], parts[i]);
        else if (!j->left) k->residual[k->n_residual++] = parts[i];
        else
            st = fault_set(p->f, ST_UNSUPPORTED, "sql", parts[i]->at,
                           "the ON of a LEFT JOIN holds equalities, and conditions on the right table, in this subset");
    }
    if (st == ST_OK && k->n == 0)
        st = fault_set(p->f, ST_UNSUPPORTED, "sql", j->on->at, "a join needs an equality between its two sides");
    return st;
}

static enum status bind_filter(struct planner *p, int n_columns, const struct plan **plan, const struct sql_node *e)
{
    struct sql_scope scope = {p->columns, n_columns};
    const struct expr *where;
    enum status st = sql_bind(p->a, &scope, e, &where, p->f);

    return st == ST_OK ? filter_plan(p, plan, where, e) : st;
}

static enum status join_tables(struct planner *p, const struct plan **out)
{
    const struct sql_node *rest[CONJUNCTS_MAX];
    struct join_keys *keys = arena_zalloc(p->a, (size_t)(p->n_tables + 1) * sizeof *keys);
    int n_rest = 0;
    enum status st;

    if (keys == NULL) return no_memory(p);
    st = place_where(p, rest, &n_rest);
    for (int i = 1; st == ST_OK && i < p->n_tables; i++) st = split_on(p, i, &p->s->joins[i - 1], &keys[i]);
    *out = p->tables[0].plan;
    for (int i = 1; st == ST_OK && i < p->n_tables; i++) {
        const struct sql_join *j = &p->s->joins[i - 1];
        struct fault inner = {0};

        st = plan_join(p->a, *out, p->tables[i].plan, j->left ? JOIN_LEFT : JOIN_INNER, keys[i].left, keys[i].right,
                       keys[i].n, out, &inner);
        if (st != ST_OK) st = fault_set(p->f, st, "sql", j->on->at, "%s", inner.why);
        for (int r = 0; st == ST_OK && r < keys[i].n_residual; r++)
            st = bind_filter(p, p->tables[i].first + p->tables[i].n, out, keys[i].residual[r]);
    }
    for (int i = 0; st == ST_OK && i < n_rest; i++) st = bind_filter(p, p->scope.n, out, rest[i]);
    return st;
}

/* ---- SELECT items ---- */

static enum status add_item(struct planner *p, const struct sql_node *e, const char *name)
{
    if (p->n_items == ITEMS_MAX)
        return fault_set(p->f, ST_LIMIT, "sql", e->at, "more than %d columns in the answer", ITEMS_MAX);
    p->item[p->n_items] = e;
    p->item_name[p->n_items++] = name;
    return ST_OK;
}

static enum status expand_star(struct planner *p, const struct sql_node *star)
{
    bool any = false;
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < p->scope.n; i++) {
        const struct sql_column *c = &p->columns[i];
        struct sql_node *e;

        if (c->hidden || (star->qualifier != NULL && strcmp(c->table, star->qualifier) != 0)) continue;
        e = arena_zalloc(p->a, sizeof *e);
        if (e == NULL) return no_memory(p);
        *e = (struct sql_node){.kind = SQL_COLUMN, .at = star->at, .end = star->end, .qualifier = c->table, .name = c->name};
        st = add_item(p, e, c->name);
        any = true;
    }
    if (st == ST_OK && !any)
        st = fault_set(p->f, ST_INVALID, "sql", star->at, "no table is called '%s' here",
                       star->qualifier != NULL ? star->qualifier : "");
    return st;
}

static const char *heading(struct planner *p, const struct sql_item *item)
{
    struct buf b = {0};
    char *name;

    if (item->alias != NULL) return item->alias;
    if (item->expr->kind == SQL_COLUMN) return item->expr->name;
    sql_print(item->expr, &b);
    name = buf_ok(&b) ? arena_strdup(p->a, (const char *)b.data, b.size) : NULL;
    buf_free(&b);
    return name != NULL ? name : "?";
}

static enum status list_items(struct planner *p)
{
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < p->s->n_items; i++) {
        const struct sql_item *item = &p->s->items[i];

        st = item->expr->kind == SQL_STAR ? expand_star(p, item->expr) : add_item(p, item->expr, heading(p, item));
    }
    return st;
}

/* GROUP BY and ORDER BY may name an item by its position or its alias.                              */
static const struct sql_node *item_reference(struct planner *p, const struct sql_node *e, bool alias_first)
{
    int column;

    if (e->kind == SQL_LITERAL && e->value.type == V_INT)
        return e->value.i >= 1 && e->value.i <= p->n_items ? p->item[e->value.i - 1] : NULL;
    if (e->kind != SQL_COLUMN || e->qualifier != NULL) return e;
    if (!alias_first && sql_resolve(&p->scope, e, &column, NULL) == ST_OK) return e;
    for (int i = 0; i < p->n_items; i++)
        if (strcmp(p->item_name[i], e->name) == 0) return p->item[i];
    return e;
}

/* ---- aggregation ---- */

static enum status group_keys(struct planner *p)
{
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < p->s->n_group; i++) {
        const struct sql_node *e = item_reference(p, p->s->group[i], false);

        if (e == NULL)
            return fault_set(p->f, ST_INVALID, "sql", p->s->group[i]->at, "there is no item of that number");
        if (p->n_group == ITEMS_MAX) return fault_set(p->f, ST_LIMIT, "sql", e->at, "too many GROUP BY keys");
        st = sql_bind(p->a, &p->scope, e, &p->group_expr[p->n_group], p->f);
        p->group[p->n_group++] = e;
    }
    return st;
}

static enum status agg_of(const struct sql_node *e, enum agg_op *op)
{
    static const struct { const char *name; enum agg_op op; } names[] = {
        {"count", AGG_COUNT}, {"sum", AGG_SUM}, {"avg", AGG_AVG}, {"min", AGG_MIN}, {"max", AGG_MAX},
        {"approx_count_distinct", AGG_APPROX_DISTINCT}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(e->name, names[i].name) == 0) {
            *op = names[i].op;
            if (e->star) *op = AGG_COUNT_ALL;
            if (e->distinct && *op == AGG_COUNT) *op = AGG_COUNT_DISTINCT;
            return ST_OK;
        }
    return ST_INVALID;
}

static enum status add_agg(struct planner *p, const struct sql_node *e, int *index)
{
    struct plan_agg *agg = &p->aggs[p->n_aggs];
    enum status st;

    for (int i = 0; i < p->n_aggs; i++)
        if (sql_equal(&p->scope, p->agg_node[i], e)) {
            *index = i;
            return ST_OK;
        }
    if (p->n_aggs == AGGS_MAX) return fault_set(p->f, ST_LIMIT, "sql", e->at, "too many aggregates");
    *agg = (struct plan_agg){.name = "agg"};
    st = agg_of(e, &agg->op);
    if (st != ST_OK || (e->star && strcmp(e->name, "count") != 0) || (!e->star && e->n_args != 1))
        return fault_set(p->f, ST_INVALID, "sql", e->at, "%s takes one argument%s", e->name,
                         strcmp(e->name, "count") == 0 ? ", or *" : "");
    if (e->distinct && agg->op != AGG_COUNT_DISTINCT && agg->op != AGG_MIN && agg->op != AGG_MAX)
        return fault_set(p->f, ST_UNSUPPORTED, "sql", e->at, "DISTINCT is for count() in this subset");
    if (!e->star) st = sql_bind(p->a, &p->scope, e->args[0], &agg->arg, p->f);
    p->agg_node[p->n_aggs] = e;
    *index = p->n_aggs++;
    return st;
}

/* Above an aggregate, an expression is made of its group keys and aggregates: each becomes a column.  */
struct above { struct planner *p; bool collecting; const struct plan *plan; };

static enum status above_node(void *ctx, const struct sql_node *e, const struct expr **out, struct fault *f)
{
    struct above *x = ctx;
    struct planner *p = x->p;
    const struct plan_column *columns = NULL;
    int index = -1;
    enum status st = ST_OK;

    for (int i = 0; i < p->n_group && index < 0; i++)
        if (sql_equal(&p->scope, p->group[i], e)) index = i;
    if (index < 0 && e->kind == SQL_CALL && sql_is_aggregate(e->name)) {
        st = add_agg(p, e, &index);
        index += p->n_group;
    }
    if (st != ST_OK) return st;
    if (index < 0 && e->kind == SQL_COLUMN) {
        st = sql_resolve(&p->scope, e, &index, f);
        return st != ST_OK ? st
                           : fault_set(f, ST_INVALID, "sql", e->at,
                                       "'%s' is neither in GROUP BY nor inside an aggregate", e->name);
    }
    if (index < 0) return ST_END;
    plan_columns(x->plan, &columns);
    return expr_column(p->a, index, (enum value_type)columns[index].type, columns[index].scale, out, f);
}

/* Finds every aggregate below e, before the plan that computes them is made.                         */
static enum status collect_aggs(struct planner *p, const struct sql_node *e)
{
    int index;
    enum status st = ST_OK;

    if (e->kind == SQL_CALL && sql_is_aggregate(e->name)) return add_agg(p, e, &index);
    for (int i = 0; st == ST_OK && i < e->n_args; i++) st = collect_aggs(p, e->args[i]);
    return st;
}

static bool aggregates(const struct planner *p)
{
    bool yes = p->s->n_group > 0 || p->s->having != NULL;

    for (int i = 0; i < p->n_items && !yes; i++) yes = sql_has_aggregate(p->item[i]);
    for (int i = 0; i < p->s->n_order && !yes; i++) yes = sql_has_aggregate(p->s->order[i].expr);
    return yes;
}

static enum status aggregate_plan(struct planner *p, const struct plan **plan)
{
    const char **names = arena_alloc(p->a, (size_t)(p->n_group + 1) * sizeof *names);
    struct fault inner = {0};
    enum status st = ST_OK;

    if (names == NULL) return no_memory(p);
    for (int i = 0; i < p->n_group; i++) names[i] = "key";
    for (int i = 0; st == ST_OK && i < p->n_items; i++) st = collect_aggs(p, p->item[i]);
    if (st == ST_OK && p->s->having != NULL) st = collect_aggs(p, p->s->having);
    for (int i = 0; st == ST_OK && i < p->s->n_order; i++) st = collect_aggs(p, p->s->order[i].expr);
    if (st != ST_OK) return st;
    st = plan_aggregate(p->a, *plan, p->group_expr, names, p->n_group, p->aggs, p->n_aggs, plan, &inner);
    if (st != ST_OK) return fault_set(p->f, st, "sql", p->s->items[0].expr->at, "%s", inner.why);
    return ST_OK;
}

/* ---- the answer ---- */

struct output {
    const struct expr *exprs[ITEMS_MAX * 2];
    const char *names[ITEMS_MAX * 2];
    struct plan_key keys[ITEMS_MAX];
    int n, n_keys;
};

static enum status bind_item(struct planner *p, struct above *above, const struct sql_node *e, const struct expr **out)
{
    struct sql_hook hook = {above_node, above};

    return above->plan != NULL ? sql_bind_with(p->a, &p->scope, e, &hook, out, p->f)
                               : sql_bind(p->a, &p->scope, e, out, p->f);
}

/* ORDER BY: an item where it is one, else a hidden column behind them.                              */
static enum status order_keys(struct planner *p, struct above *above, struct output *o)
{
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < p->s->n_order; i++) {
        const struct sql_order *order = &p->s->order[i];
        const struct sql_node *e = item_reference(p, order->expr, true);
        int column = -1;

        if (e == NULL)
            return fault_set(p->f, ST_INVALID, "sql", order->expr->at, "there is no item of that number");
        if (o->n_keys == ITEMS_MAX) return fault_set(p->f, ST_LIMIT, "sql", e->at, "too many ORDER BY keys");
        for (int k = 0; k < p->n_items && column < 0; k++)
            if (p->item[k] == e || sql_equal(&p->scope, p->item[k], e)) column = k;
        if (column < 0 && p->s->distinct)
            return fault_set(p->f, ST_INVALID, "sql", e->at, "with DISTINCT, ORDER BY takes items of the SELECT");
        if (column < 0) {
            st = bind_item(p, above, e, &o->exprs[o->n]);
            o->names[o->n] = "order";
            column = o->n++;
        }
        o->keys[o->n_keys++] = (struct plan_key){column, order->descending, order->nulls_first};
    }
    return st;
}

static enum status distinct_plan(struct planner *p, const struct plan **plan)
{
    const struct expr **keys = arena_alloc(p->a, (size_t)p->n_items * sizeof *keys);
    const struct plan_column *columns;
    enum status st = ST_OK;

    if (keys == NULL) return no_memory(p);
    plan_columns(*plan, &columns);
    for (int i = 0; st == ST_OK && i < p->n_items; i++)
        st = expr_column(p->a, i, (enum value_type)columns[i].type, columns[i].scale, &keys[i], p->f);
    return st == ST_OK ? plan_aggregate(p->a, *plan, keys, p->item_name, p->n_items, NULL, 0, plan, p->f) : st;
}

static enum status order_plan(struct planner *p, struct output *o, const struct plan **plan)
{
    const struct plan_key *keys;
    struct plan_key *copy;
    enum status st;

    if (o->n_keys == 0)
        return p->s->limit == UINT64_MAX && p->s->offset == 0
                   ? ST_OK
                   : plan_limit(p->a, *plan, p->s->limit, p->s->offset, plan, p->f);
    copy = arena_alloc(p->a, (size_t)o->n_keys * sizeof *copy);
    if (copy == NULL) return no_memory(p);
    memcpy(copy, o->keys, (size_t)o->n_keys * sizeof *copy);
    keys = copy;
    st = plan_order(p->a, *plan, keys, o->n_keys, p->s->limit, p->s->offset, plan, p->f);
    if (st != ST_OK || o->n == p->n_items) return st;
    for (int i = 0; st == ST_OK && i < p->n_items; i++) /* the hidden columns have done their work */
        st = expr_column(p->a, i, (enum value_type)o->exprs[i]->type, o->exprs[i]->scale, &o->exprs[i], p->f);
    return st == ST_OK ? plan_project(p->a, *plan, o->exprs, o->names, p->n_items, plan, p->f) : st;
}

static enum status answer_plan(struct planner *p, const struct plan **plan)
{
    struct output *o = arena_zalloc(p->a, sizeof *o);
    struct above above = {.p = p};
    const struct expr *having;
    enum status st = ST_OK;

    if (o == NULL) return no_memory(p);
    if (aggregates(p)) {
        st = group_keys(p);
        if (st == ST_OK) st = aggregate_plan(p, plan);
        above.plan = *plan;
        if (st == ST_OK && p->s->having != NULL) {
            st = bind_item(p, &above, p->s->having, &having);
            if (st == ST_OK) st = filter_plan(p, plan, having, p->s->having);
        }
    }
    for (int i = 0; st == ST_OK && i < p->n_items; i++) {
        st = bind_item(p, &above, p->item[i], &o->exprs[i]);
        o->names[i] = p->item_name[i];
    }
    o->n = p->n_items;
    if (st == ST_OK) st = order_keys(p, &above, o);
    if (st == ST_OK) st = plan_project(p->a, *plan, o->exprs, o->names, o->n, plan, p->f);
    if (st == ST_OK && p->s->distinct) st = distinct_plan(p, plan);
    return st == ST_OK ? order_plan(p, o, plan) : st;
}

enum status sql_prepare(const struct sql_env *env, const char *text, size_t n, struct arena *a,
                        struct sql_query *out, struct fault *f)
{
    struct planner *p = arena_zalloc(a, sizeof *p);
    struct sql_select *select = NULL;
    const struct plan *plan = NULL;
    enum status st = sql_parse(text, n, a, &select, f);

    if (st != ST_OK) return st;
    if (p == NULL) return fault_set(f, ST_NOMEM, "sql", 0, "no memory for the statement");
    *p = (struct planner){.env = env, .a = a, .f = f, .s = select, .lsn = LSN_MAX};
    p->scope.columns = p->columns;
    st = add_table(p, &select->from, false);
    for (int i = 0; st == ST_OK && i < select->n_joins; i++)
        st = add_table(p, &select->joins[i].table, select->joins[i].left);
    if (st == ST_OK) st = list_items(p);
    if (st == ST_OK) st = join_tables(p, &plan);
    if (st == ST_OK) st = answer_plan(p, &plan);
    if (st != ST_OK) return st;
    *out = (struct sql_query){.select = select, .plan = plan, .lsn = p->lsn == LSN_MAX ? LSN_NONE : p->lsn};
    out->n_columns = plan_columns(plan, &out->columns);
    return ST_OK;
}

enum status sql_run(const struct sql_query *q, const struct query_options *opt, query_sink sink, void *ctx,
                    struct query_stats *stats, struct fault *f)
{
    return query_run(q->plan, opt, sink, ctx, stats, f);
}
