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

enum {
    SCOPE_MAX = 1024,
    CONJUNCTS_MAX = 128,
    ITEMS_MAX = 256,
    AGGS_MAX = 128,
    TABLES_MAX = COLUMNAR_SQL_JOINS_MAX + 1
};

struct from_table {
    const struct columnar_sql_table *ref;
    const struct columnar_plan *plan;
    int first, n;  /* its columns in the scope */
    bool nullable; /* right side of a LEFT JOIN */
    seam_lsn_t lsn;
};

struct planner {
    const struct columnar_sql_env *env;
    struct seam_arena *a;
    struct seam_fault *f;
    const struct columnar_sql_select *s;
    struct from_table tables[TABLES_MAX];
    int n_tables;
    struct columnar_sql_column columns[SCOPE_MAX];
    struct columnar_sql_scope scope;
    seam_lsn_t lsn;
    /* aggregation */
    const struct columnar_sql_node *group[ITEMS_MAX];
    const struct columnar_expr *group_expr[ITEMS_MAX];
    int n_group;
    const struct columnar_sql_node *agg_node[AGGS_MAX];
    struct columnar_plan_agg aggs[AGGS_MAX];
    int n_aggs;
    /* the answer */
    const struct columnar_sql_node *item[ITEMS_MAX];
    const char *item_name[ITEMS_MAX];
    int n_items;
};

static enum seam_status no_memory(struct planner *p)
{
    return seam_fault_set(p->f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
}

/* ---- FROM ---- */

static enum seam_status add_column(struct planner *p, const char *table, const char *name,
                                   uint8_t type, uint8_t scale, bool hidden)
{
    if (p->scope.n == SCOPE_MAX)
        return seam_fault_set(p->f, SEAM_LIMIT, "sql", 0, "more than %d columns in FROM",
                              SCOPE_MAX);
    p->columns[p->scope.n++] = (struct columnar_sql_column){table, name, type, scale, hidden};
    return SEAM_OK;
}

static enum seam_status resolve_moment(struct planner *p, const struct columnar_reader *r,
                                       const struct columnar_sql_table *t, seam_lsn_t *lsn)
{
    const struct columnar_sql_moment *m =
        t->as_of.kind != COLUMNAR_SQL_NOW ? &t->as_of : &p->s->as_of;
    struct columnar_as_of as_of = {.number = m->number, .wall_us = m->wall_us, .tag = m->tag};
    struct seam_fault inner = {0};
    enum seam_status st;

    switch (m->kind) {
    case COLUMNAR_SQL_NOW: as_of.kind = COLUMNAR_AS_OF_NEWEST; break;
    case COLUMNAR_SQL_AT_LSN: as_of.kind = COLUMNAR_AS_OF_LSN; break;
    case COLUMNAR_SQL_AT_TIME: as_of.kind = COLUMNAR_AS_OF_TIME; break;
    case COLUMNAR_SQL_AT_SNAPSHOT: as_of.kind = COLUMNAR_AS_OF_SNAPSHOT; break;
    case COLUMNAR_SQL_AT_TAG: as_of.kind = COLUMNAR_AS_OF_TAG; break;
    }
    st = columnar_resolve(r, &as_of, lsn, &inner);
    return st == SEAM_OK ? SEAM_OK : seam_fault_set(p->f, st, "sql", m->at, "%s", inner.why);
}

static enum seam_status scan_table(struct planner *p, const struct columnar_reader *r, int table,
                                   struct from_table *t)
{
    const struct seam_schema *schema = columnar_schema(r, table);
    int *columns = seam_arena_alloc(p->a, (size_t)(schema->column_count + 2) * sizeof *columns);
    struct seam_fault inner = {0};
    int n = 0;
    enum seam_status st;

    if (columns == NULL) return no_memory(p);
    st = resolve_moment(p, r, t->ref, &t->lsn);
    for (int i = 0; st == SEAM_OK && i < schema->column_count; i++) {
        const struct seam_column *c = &schema->columns[i];

        if (!seam_column_live(c, schema->version)) continue;
        columns[n++] = i;
        st = add_column(p, t->ref->alias, c->name, (uint8_t)c->type, c->scale, false);
    }
    columns[n] = COLUMNAR_PLAN_COLUMN_BEGIN;
    columns[n + 1] = COLUMNAR_PLAN_COLUMN_END;
    if (st == SEAM_OK) st = add_column(p, t->ref->alias, "_begin_lsn", SEAM_V_INT, 0, true);
    if (st == SEAM_OK) st = add_column(p, t->ref->alias, "_end_lsn", SEAM_V_INT, 0, true);
    if (st != SEAM_OK) return st;
    st = columnar_plan_scan(p->a, r, table, columns, n + 2, t->lsn, &t->plan, &inner);
    return st == SEAM_OK ? SEAM_OK : seam_fault_set(p->f, st, "sql", t->ref->at, "%s", inner.why);
}

static enum seam_status unknown_table(struct planner *p, const struct columnar_sql_table *t)
{
    const char *names[512];
    const char *near;
    size_t n = 0;

    for (size_t i = 0; i < p->env->reader_count; i++)
        for (int k = 0; k < columnar_table_count(p->env->readers[i]) && n < SEAM_ARRAY_LEN(names);
             k++)
            names[n++] = columnar_schema(p->env->readers[i], k)->name;
    if (p->env->names != NULL) {
        size_t more = p->env->names(p->env->ctx, names + n, SEAM_ARRAY_LEN(names) - n);

        n += more < SEAM_ARRAY_LEN(names) - n ? more : SEAM_ARRAY_LEN(names) - n;
    }
    near = seam_nearest_name(t->name, names, n);
    return seam_fault_set(p->f, SEAM_NOT_FOUND, "sql", t->at, "there is no table '%s'%s%s%s",
                          t->name, near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                          near != NULL ? "'?" : "");
}

static enum seam_status other_rows(struct planner *p, struct from_table *t)
{
    const struct columnar_sql_moment *m =
        t->ref->as_of.kind != COLUMNAR_SQL_NOW ? &t->ref->as_of : &p->s->as_of;
    struct columnar_sql_rows *rows = seam_arena_zalloc(p->a, sizeof *rows);
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_NOT_FOUND;

    if (rows == NULL) return no_memory(p);
    if (p->env->resolve != NULL)
        st = p->env->resolve(p->env->ctx, t->ref->name, m, p->a, rows, &inner);
    if (st == SEAM_NOT_FOUND && inner.status == SEAM_OK) return unknown_table(p, t->ref);
    if (st != SEAM_OK) return seam_fault_set(p->f, st, "sql", t->ref->at, "%s", inner.why);
    t->lsn = rows->lsn;
    for (int i = 0; st == SEAM_OK && i < rows->n; i++)
        st = add_column(p, t->ref->alias, rows->columns[i].name, rows->columns[i].type,
                        rows->columns[i].scale, false);
    return st == SEAM_OK
               ? columnar_plan_rows(p->a, rows->columns, rows->n, &rows->source, &t->plan, p->f)
               : st;
}

static enum seam_status add_table(struct planner *p, const struct columnar_sql_table *ref,
                                  bool nullable)
{
    struct from_table *t = &p->tables[p->n_tables++];
    enum seam_status st = SEAM_NOT_FOUND;

    *t = (struct from_table){.ref = ref, .first = p->scope.n, .nullable = nullable};
    for (int i = 0; i < p->n_tables - 1; i++)
        if (strcmp(p->tables[i].ref->alias, ref->alias) == 0)
            return seam_fault_set(p->f, SEAM_INVALID, "sql", ref->at,
                                  "two tables are called '%s': give one an alias", ref->alias);
    for (size_t i = 0; i < p->env->reader_count && st == SEAM_NOT_FOUND; i++) {
        int table = columnar_table(p->env->readers[i], ref->name);

        if (table >= 0) {
            st = scan_table(p, p->env->readers[i], table, t);
            if (st != SEAM_OK) return st;
        }
    }
    if (st == SEAM_NOT_FOUND) st = other_rows(p, t);
    t->n = p->scope.n - t->first;
    if (st == SEAM_OK && t->lsn != SEAM_LSN_NONE && t->lsn < p->lsn) p->lsn = t->lsn;
    return st;
}

/* ---- conditions ---- */

/* The tables an expression speaks of, as bits; sets the fault for an unknown name.                   */
static enum seam_status tables_of(struct planner *p, const struct columnar_sql_node *e,
                                  uint32_t *out)
{
    int column;
    enum seam_status st = SEAM_OK;

    if (e->kind == COLUMNAR_SQL_COLUMN) {
        st = columnar_sql_resolve(&p->scope, e, &column, p->f);
        for (int t = 0; st == SEAM_OK && t < p->n_tables; t++)
            if (column >= p->tables[t].first && column < p->tables[t].first + p->tables[t].n)
                *out |= 1u << t;
    }
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) st = tables_of(p, e->args[i], out);
    return st;
}

/* Binds over one table's own columns (positions from 0), over all columns so far, or over all of them. */
static enum seam_status bind_local(struct planner *p, const struct from_table *t,
                                   const struct columnar_sql_node *e,
                                   const struct columnar_expr **out)
{
    struct columnar_sql_scope local = {p->columns + t->first, t->n};

    return columnar_sql_bind(p->a, &local, e, out, p->f);
}

static enum seam_status filter_plan(struct planner *p, const struct columnar_plan **plan,
                                    const struct columnar_expr *where,
                                    const struct columnar_sql_node *e)
{
    struct seam_fault inner = {0};
    enum seam_status st = columnar_plan_filter(p->a, *plan, where, plan, &inner);

    return st == SEAM_OK ? SEAM_OK : seam_fault_set(p->f, st, "sql", e->at, "%s", inner.why);
}

static enum seam_status push_down(struct planner *p, struct from_table *t,
                                  const struct columnar_sql_node *e)
{
    const struct columnar_expr *where;
    enum seam_status st = bind_local(p, t, e, &where);

    return st == SEAM_OK ? filter_plan(p, &t->plan, where, e) : st;
}

/* WHERE conjuncts about one table that no LEFT JOIN can null: below the joins. The rest is kept in `rest`. */
static enum seam_status place_where(struct planner *p, const struct columnar_sql_node **rest,
                                    int *n_rest)
{
    const struct columnar_sql_node *parts[CONJUNCTS_MAX];
    int n;
    enum seam_status st = SEAM_OK;

    *n_rest = 0;
    if (p->s->where == NULL) return SEAM_OK;
    if (columnar_sql_has_aggregate(p->s->where))
        return seam_fault_set(p->f, SEAM_INVALID, "sql", p->s->where->at,
                              "aggregates cannot stand in WHERE: use HAVING");
    n = columnar_sql_conjuncts(p->s->where, parts, CONJUNCTS_MAX);
    if (n > CONJUNCTS_MAX)
        return seam_fault_set(p->f, SEAM_LIMIT, "sql", p->s->where->at, "more than %d conditions",
                              CONJUNCTS_MAX);
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        uint32_t tables = 0;
        int only;

        st = tables_of(p, parts[i], &tables);
        if (st != SEAM_OK) break;
        only = tables != 0 && (tables & (tables - 1)) == 0 ? __builtin_ctz(tables) : -1;
        if (only >= 0 && !p->tables[only].nullable)
            st = push_down(p, &p->tables[only], parts[i]);
        else
            rest[(*n_rest)++] = parts[i];
    }
    return st;
}

/* ---- joins ---- */

struct join_keys {
    const struct columnar_expr *left[SEAM_KEY_COLUMNS_MAX], *right[SEAM_KEY_COLUMNS_MAX];
    int n;
    const struct columnar_sql_node *residual[CONJUNCTS_MAX];
    int n_residual;
};

static enum seam_status take_key(struct planner *p, int right, const struct columnar_sql_node *e,
                                 struct join_keys *k, bool *taken)
{
    struct columnar_sql_scope left_scope = {p->columns, p->tables[right].first};
    uint32_t a = 0, b = 0, bit = 1u << right;
    const struct columnar_sql_node *l, *r;
    struct seam_fault inner = {0};
    enum seam_status st;

    *taken = false;
    if (e->kind != COLUMNAR_SQL_BINARY || e->op != COLUMNAR_SQL_EQ || k->n == SEAM_KEY_COLUMNS_MAX)
        return SEAM_OK;
    st = tables_of(p, e->args[0], &a);
    if (st == SEAM_OK) st = tables_of(p, e->args[1], &b);
    if (st != SEAM_OK) return st;
    if (b == bit && a != 0 && (a & bit) == 0)
        l = e->args[0], r = e->args[1];
    else if (a == bit && b != 0 && (b & bit) == 0)
        l = e->args[1], r = e->args[0];
    else
        return SEAM_OK;
    st = columnar_sql_bind(p->a, &left_scope, l, &k->left[k->n], p->f);
    if (st == SEAM_OK) st = bind_local(p, &p->tables[right], r, &k->right[k->n]);
    if (st == SEAM_OK) st = columnar_expr_equal_keys(p->a, &k->left[k->n], &k->right[k->n], &inner);
    if (st != SEAM_OK && inner.status != SEAM_OK)
        st = seam_fault_set(p->f, st, "sql", e->at, "%s", inner.why);
    k->n++;
    *taken = true;
    return st;
}

/* ON: equalities become keys; what speaks of the right side alone goes into it; the rest is a filter after an
 * inner join, and has no place in a left one.                                                      */
static enum seam_status split_on(struct planner *p, int right, const struct columnar_sql_join *j,
                                 struct join_keys *k)
{
    const struct columnar_sql_node *parts[CONJUNCTS_MAX];
    int n = columnar_sql_conjuncts(j->on, parts, CONJUNCTS_MAX);
    enum seam_status st = SEAM_OK;

    if (n > CONJUNCTS_MAX)
        return seam_fault_set(p->f, SEAM_LIMIT, "sql", j->on->at, "more than %d conditions",
                              CONJUNCTS_MAX);
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        uint32_t tables = 0;
        bool taken;

        st = take_key(p, right, parts[i], k, &taken);
        if (st != SEAM_OK || taken) continue;
        st = tables_of(p, parts[i], &tables);
        if (st != SEAM_OK) break;
        if (tables == 1u << right)
            st = push_down(p, &p->tables[right], parts[i]);
        else if (!j->left)
            k->residual[k->n_residual++] = parts[i];
        else
            st = seam_fault_set(p->f, SEAM_UNSUPPORTED, "sql", parts[i]->at,
                                "the ON of a LEFT JOIN holds equalities, and conditions on the "
                                "right table, in this subset");
    }
    if (st == SEAM_OK && k->n == 0)
        st = seam_fault_set(p->f, SEAM_UNSUPPORTED, "sql", j->on->at,
                            "a join needs an equality between its two sides");
    return st;
}

static enum seam_status bind_filter(struct planner *p, int n_columns,
                                    const struct columnar_plan **plan,
                                    const struct columnar_sql_node *e)
{
    struct columnar_sql_scope scope = {p->columns, n_columns};
    const struct columnar_expr *where;
    enum seam_status st = columnar_sql_bind(p->a, &scope, e, &where, p->f);

    return st == SEAM_OK ? filter_plan(p, plan, where, e) : st;
}

static enum seam_status join_tables(struct planner *p, const struct columnar_plan **out)
{
    const struct columnar_sql_node *rest[CONJUNCTS_MAX];
    struct join_keys *keys = seam_arena_zalloc(p->a, (size_t)(p->n_tables + 1) * sizeof *keys);
    int n_rest = 0;
    enum seam_status st;

    if (keys == NULL) return no_memory(p);
    st = place_where(p, rest, &n_rest);
    for (int i = 1; st == SEAM_OK && i < p->n_tables; i++)
        st = split_on(p, i, &p->s->joins[i - 1], &keys[i]);
    *out = p->tables[0].plan;
    for (int i = 1; st == SEAM_OK && i < p->n_tables; i++) {
        const struct columnar_sql_join *j = &p->s->joins[i - 1];
        struct seam_fault inner = {0};

        st = columnar_plan_join(p->a, *out, p->tables[i].plan,
                                j->left ? COLUMNAR_JOIN_LEFT : COLUMNAR_JOIN_INNER, keys[i].left,
                                keys[i].right, keys[i].n, out, &inner);
        if (st != SEAM_OK) st = seam_fault_set(p->f, st, "sql", j->on->at, "%s", inner.why);
        for (int r = 0; st == SEAM_OK && r < keys[i].n_residual; r++)
            st = bind_filter(p, p->tables[i].first + p->tables[i].n, out, keys[i].residual[r]);
    }
    for (int i = 0; st == SEAM_OK && i < n_rest; i++) st = bind_filter(p, p->scope.n, out, rest[i]);
    return st;
}

/* ---- SELECT items ---- */

static enum seam_status add_item(struct planner *p, const struct columnar_sql_node *e,
                                 const char *name)
{
    if (p->n_items == ITEMS_MAX)
        return seam_fault_set(p->f, SEAM_LIMIT, "sql", e->at, "more than %d columns in the answer",
                              ITEMS_MAX);
    p->item[p->n_items] = e;
    p->item_name[p->n_items++] = name;
    return SEAM_OK;
}

static enum seam_status expand_star(struct planner *p, const struct columnar_sql_node *star)
{
    bool any = false;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < p->scope.n; i++) {
        const struct columnar_sql_column *c = &p->columns[i];
        struct columnar_sql_node *e;

        if (c->hidden || (star->qualifier != NULL && strcmp(c->table, star->qualifier) != 0))
            continue;
        e = seam_arena_zalloc(p->a, sizeof *e);
        if (e == NULL) return no_memory(p);
        *e = (struct columnar_sql_node){.kind = COLUMNAR_SQL_COLUMN,
                                        .at = star->at,
                                        .end = star->end,
                                        .qualifier = c->table,
                                        .name = c->name};
        st = add_item(p, e, c->name);
        any = true;
    }
    if (st == SEAM_OK && !any)
        st = seam_fault_set(p->f, SEAM_INVALID, "sql", star->at, "no table is called '%s' here",
                            star->qualifier != NULL ? star->qualifier : "");
    return st;
}

static const char *heading(struct planner *p, const struct columnar_sql_item *item)
{
    struct seam_buf b = {0};
    char *name;

    if (item->alias != NULL) return item->alias;
    if (item->expr->kind == COLUMNAR_SQL_COLUMN) return item->expr->name;
    columnar_sql_print(item->expr, &b);
    name = seam_buf_ok(&b) ? seam_arena_strdup(p->a, (const char *)b.data, b.size) : NULL;
    seam_buf_free(&b);
    return name != NULL ? name : "?";
}

static enum seam_status list_items(struct planner *p)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < p->s->n_items; i++) {
        const struct columnar_sql_item *item = &p->s->items[i];

        st = item->expr->kind == COLUMNAR_SQL_STAR ? expand_star(p, item->expr)
                                                   : add_item(p, item->expr, heading(p, item));
    }
    return st;
}

/* GROUP BY and ORDER BY may name an item by its position or its alias.                              */
static const struct columnar_sql_node *
item_reference(struct planner *p, const struct columnar_sql_node *e, bool alias_first)
{
    int column;

    if (e->kind == COLUMNAR_SQL_LITERAL && e->value.type == SEAM_V_INT)
        return e->value.i >= 1 && e->value.i <= p->n_items ? p->item[e->value.i - 1] : NULL;
    if (e->kind != COLUMNAR_SQL_COLUMN || e->qualifier != NULL) return e;
    if (!alias_first && columnar_sql_resolve(&p->scope, e, &column, NULL) == SEAM_OK) return e;
    for (int i = 0; i < p->n_items; i++)
        if (strcmp(p->item_name[i], e->name) == 0) return p->item[i];
    return e;
}

/* ---- aggregation ---- */

static enum seam_status group_keys(struct planner *p)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < p->s->n_group; i++) {
        const struct columnar_sql_node *e = item_reference(p, p->s->group[i], false);

        if (e == NULL)
            return seam_fault_set(p->f, SEAM_INVALID, "sql", p->s->group[i]->at,
                                  "there is no item of that number");
        if (p->n_group == ITEMS_MAX)
            return seam_fault_set(p->f, SEAM_LIMIT, "sql", e->at, "too many GROUP BY keys");
        st = columnar_sql_bind(p->a, &p->scope, e, &p->group_expr[p->n_group], p->f);
        p->group[p->n_group++] = e;
    }
    return st;
}

static enum seam_status agg_of(const struct columnar_sql_node *e, enum columnar_agg_op *op)
{
    static const struct {
        const char *name;
        enum columnar_agg_op op;
    } names[] = {
        {"count", COLUMNAR_AGG_COUNT}, {"sum", COLUMNAR_AGG_SUM},
        {"avg", COLUMNAR_AGG_AVG},     {"min", COLUMNAR_AGG_MIN},
        {"max", COLUMNAR_AGG_MAX},     {"approx_count_distinct", COLUMNAR_AGG_APPROX_DISTINCT}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(e->name, names[i].name) == 0) {
            *op = names[i].op;
            if (e->star) *op = COLUMNAR_AGG_COUNT_ALL;
            if (e->distinct && *op == COLUMNAR_AGG_COUNT) *op = COLUMNAR_AGG_COUNT_DISTINCT;
            return SEAM_OK;
        }
    return SEAM_INVALID;
}

static enum seam_status add_agg(struct planner *p, const struct columnar_sql_node *e, int *index)
{
    struct columnar_plan_agg *agg = &p->aggs[p->n_aggs];
    enum seam_status st;

    for (int i = 0; i < p->n_aggs; i++)
        if (columnar_sql_equal(&p->scope, p->agg_node[i], e)) {
            *index = i;
            return SEAM_OK;
        }
    if (p->n_aggs == AGGS_MAX)
        return seam_fault_set(p->f, SEAM_LIMIT, "sql", e->at, "too many aggregates");
    *agg = (struct columnar_plan_agg){.name = "agg"};
    st = agg_of(e, &agg->op);
    if (st != SEAM_OK || (e->star && strcmp(e->name, "count") != 0) || (!e->star && e->n_args != 1))
        return seam_fault_set(p->f, SEAM_INVALID, "sql", e->at, "%s takes one argument%s", e->name,
                              strcmp(e->name, "count") == 0 ? ", or *" : "");
    if (e->distinct && agg->op != COLUMNAR_AGG_COUNT_DISTINCT && agg->op != COLUMNAR_AGG_MIN &&
        agg->op != COLUMNAR_AGG_MAX)
        return seam_fault_set(p->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "DISTINCT is for count() in this subset");
    if (!e->star) st = columnar_sql_bind(p->a, &p->scope, e->args[0], &agg->arg, p->f);
    p->agg_node[p->n_aggs] = e;
    *index = p->n_aggs++;
    return st;
}

/* Above an aggregate, an expression is made of its group keys and aggregates: each becomes a column.  */
struct above {
    struct planner *p;
    bool collecting;
    const struct columnar_plan *plan;
};

static enum seam_status above_node(void *ctx, const struct columnar_sql_node *e,
                                   const struct columnar_expr **out, struct seam_fault *f)
{
    struct above *x = ctx;
    struct planner *p = x->p;
    const struct columnar_plan_column *columns = NULL;
    int index = -1;
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < p->n_group && index < 0; i++)
        if (columnar_sql_equal(&p->scope, p->group[i], e)) index = i;
    if (index < 0 && e->kind == COLUMNAR_SQL_CALL && columnar_sql_is_aggregate(e->name)) {
        st = add_agg(p, e, &index);
        index += p->n_group;
    }
    if (st != SEAM_OK) return st;
    if (index < 0 && e->kind == COLUMNAR_SQL_COLUMN) {
        st = columnar_sql_resolve(&p->scope, e, &index, f);
        return st != SEAM_OK
                   ? st
                   : seam_fault_set(f, SEAM_INVALID, "sql", e->at,
                                    "'%s' is neither in GROUP BY nor inside an aggregate", e->name);
    }
    if (index < 0) return SEAM_END;
    columnar_plan_columns(x->plan, &columns);
    return columnar_expr_column(p->a, index, (enum seam_value_type)columns[index].type,
                                columns[index].scale, out, f);
}

/* Finds every aggregate below e, before the plan that computes them is made.                         */
static enum seam_status collect_aggs(struct planner *p, const struct columnar_sql_node *e)
{
    int index;
    enum seam_status st = SEAM_OK;

    if (e->kind == COLUMNAR_SQL_CALL && columnar_sql_is_aggregate(e->name))
        return add_agg(p, e, &index);
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) st = collect_aggs(p, e->args[i]);
    return st;
}

static bool aggregates(const struct planner *p)
{
    bool yes = p->s->n_group > 0 || p->s->having != NULL;

    for (int i = 0; i < p->n_items && !yes; i++) yes = columnar_sql_has_aggregate(p->item[i]);
    for (int i = 0; i < p->s->n_order && !yes; i++)
        yes = columnar_sql_has_aggregate(p->s->order[i].expr);
    return yes;
}

static enum seam_status aggregate_plan(struct planner *p, const struct columnar_plan **plan)
{
    const char **names = seam_arena_alloc(p->a, (size_t)(p->n_group + 1) * sizeof *names);
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    if (names == NULL) return no_memory(p);
    for (int i = 0; i < p->n_group; i++) names[i] = "key";
    for (int i = 0; st == SEAM_OK && i < p->n_items; i++) st = collect_aggs(p, p->item[i]);
    if (st == SEAM_OK && p->s->having != NULL) st = collect_aggs(p, p->s->having);
    for (int i = 0; st == SEAM_OK && i < p->s->n_order; i++)
        st = collect_aggs(p, p->s->order[i].expr);
    if (st != SEAM_OK) return st;
    st = columnar_plan_aggregate(p->a, *plan, p->group_expr, names, p->n_group, p->aggs, p->n_aggs,
                                 plan, &inner);
    if (st != SEAM_OK)
        return seam_fault_set(p->f, st, "sql", p->s->items[0].expr->at, "%s", inner.why);
    return SEAM_OK;
}

/* ---- the answer ---- */

struct output {
    const struct columnar_expr *exprs[ITEMS_MAX * 2];
    const char *names[ITEMS_MAX * 2];
    struct columnar_plan_key keys[ITEMS_MAX];
    int n, n_keys;
};

static enum seam_status bind_item(struct planner *p, struct above *above,
                                  const struct columnar_sql_node *e,
                                  const struct columnar_expr **out)
{
    struct columnar_sql_hook hook = {above_node, above};

    return above->plan != NULL ? columnar_sql_bind_with(p->a, &p->scope, e, &hook, out, p->f)
                               : columnar_sql_bind(p->a, &p->scope, e, out, p->f);
}

/* ORDER BY: an item where it is one, else a hidden column behind them.                              */
static enum seam_status order_keys(struct planner *p, struct above *above, struct output *o)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < p->s->n_order; i++) {
        const struct columnar_sql_order *order = &p->s->order[i];
        const struct columnar_sql_node *e = item_reference(p, order->expr, true);
        int column = -1;

        if (e == NULL)
            return seam_fault_set(p->f, SEAM_INVALID, "sql", order->expr->at,
                                  "there is no item of that number");
        if (o->n_keys == ITEMS_MAX)
            return seam_fault_set(p->f, SEAM_LIMIT, "sql", e->at, "too many ORDER BY keys");
        for (int k = 0; k < p->n_items && column < 0; k++)
            if (p->item[k] == e || columnar_sql_equal(&p->scope, p->item[k], e)) column = k;
        if (column < 0 && p->s->distinct)
            return seam_fault_set(p->f, SEAM_INVALID, "sql", e->at,
                                  "with DISTINCT, ORDER BY takes items of the SELECT");
        if (column < 0) {
            st = bind_item(p, above, e, &o->exprs[o->n]);
            o->names[o->n] = "order";
            column = o->n++;
        }
        o->keys[o->n_keys++] =
            (struct columnar_plan_key){column, order->descending, order->nulls_first};
    }
    return st;
}

static enum seam_status distinct_plan(struct planner *p, const struct columnar_plan **plan)
{
    const struct columnar_expr **keys = seam_arena_alloc(p->a, (size_t)p->n_items * sizeof *keys);
    const struct columnar_plan_column *columns;
    enum seam_status st = SEAM_OK;

    if (keys == NULL) return no_memory(p);
    columnar_plan_columns(*plan, &columns);
    for (int i = 0; st == SEAM_OK && i < p->n_items; i++)
        st = columnar_expr_column(p->a, i, (enum seam_value_type)columns[i].type, columns[i].scale,
                                  &keys[i], p->f);
    return st == SEAM_OK ? columnar_plan_aggregate(p->a, *plan, keys, p->item_name, p->n_items,
                                                   NULL, 0, plan, p->f)
                         : st;
}

static enum seam_status order_plan(struct planner *p, struct output *o,
                                   const struct columnar_plan **plan)
{
    const struct columnar_plan_key *keys;
    struct columnar_plan_key *copy;
    enum seam_status st;

    if (o->n_keys == 0)
        return p->s->limit == UINT64_MAX && p->s->offset == 0
                   ? SEAM_OK
                   : columnar_plan_limit(p->a, *plan, p->s->limit, p->s->offset, plan, p->f);
    copy = seam_arena_alloc(p->a, (size_t)o->n_keys * sizeof *copy);
    if (copy == NULL) return no_memory(p);
    memcpy(copy, o->keys, (size_t)o->n_keys * sizeof *copy);
    keys = copy;
    st = columnar_plan_order(p->a, *plan, keys, o->n_keys, p->s->limit, p->s->offset, plan, p->f);
    if (st != SEAM_OK || o->n == p->n_items) return st;
    for (int i = 0; st == SEAM_OK && i < p->n_items;
         i++) /* the hidden columns have done their work */
        st = columnar_expr_column(p->a, i, (enum seam_value_type)o->exprs[i]->type,
                                  o->exprs[i]->scale, &o->exprs[i], p->f);
    return st == SEAM_OK
               ? columnar_plan_project(p->a, *plan, o->exprs, o->names, p->n_items, plan, p->f)
               : st;
}

static enum seam_status answer_plan(struct planner *p, const struct columnar_plan **plan)
{
    struct output *o = seam_arena_zalloc(p->a, sizeof *o);
    struct above above = {.p = p};
    const struct columnar_expr *having;
    enum seam_status st = SEAM_OK;

    if (o == NULL) return no_memory(p);
    if (aggregates(p)) {
        st = group_keys(p);
        if (st == SEAM_OK) st = aggregate_plan(p, plan);
        above.plan = *plan;
        if (st == SEAM_OK && p->s->having != NULL) {
            st = bind_item(p, &above, p->s->having, &having);
            if (st == SEAM_OK) st = filter_plan(p, plan, having, p->s->having);
        }
    }
    for (int i = 0; st == SEAM_OK && i < p->n_items; i++) {
        st = bind_item(p, &above, p->item[i], &o->exprs[i]);
        o->names[i] = p->item_name[i];
    }
    o->n = p->n_items;
    if (st == SEAM_OK) st = order_keys(p, &above, o);
    if (st == SEAM_OK)
        st = columnar_plan_project(p->a, *plan, o->exprs, o->names, o->n, plan, p->f);
    if (st == SEAM_OK && p->s->distinct) st = distinct_plan(p, plan);
    return st == SEAM_OK ? order_plan(p, o, plan) : st;
}

enum seam_status columnar_sql_prepare(const struct columnar_sql_env *env, const char *text,
                                      size_t n, struct seam_arena *a,
                                      struct columnar_sql_query *out, struct seam_fault *f)
{
    struct planner *p = seam_arena_zalloc(a, sizeof *p);
    struct columnar_sql_select *select = NULL;
    const struct columnar_plan *plan = NULL;
    enum seam_status st = columnar_sql_parse(text, n, a, &select, f);

    if (st != SEAM_OK) return st;
    if (p == NULL) return seam_fault_set(f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
    *p = (struct planner){.env = env, .a = a, .f = f, .s = select, .lsn = SEAM_LSN_MAX};
    p->scope.columns = p->columns;
    st = add_table(p, &select->from, false);
    for (int i = 0; st == SEAM_OK && i < select->n_joins; i++)
        st = add_table(p, &select->joins[i].table, select->joins[i].left);
    if (st == SEAM_OK) st = list_items(p);
    if (st == SEAM_OK) st = join_tables(p, &plan);
    if (st == SEAM_OK) st = answer_plan(p, &plan);
    if (st != SEAM_OK) return st;
    *out = (struct columnar_sql_query){
        .select = select, .plan = plan, .lsn = p->lsn == SEAM_LSN_MAX ? SEAM_LSN_NONE : p->lsn};
    out->n_columns = columnar_plan_columns(plan, &out->columns);
    return SEAM_OK;
}

enum seam_status columnar_sql_run(const struct columnar_sql_query *q,
                                  const struct columnar_query_options *opt,
                                  columnar_query_sink sink, void *ctx,
                                  struct columnar_query_stats *stats, struct seam_fault *f)
{
    return columnar_query_run(q->plan, opt, sink, ctx, stats, f);
}
