/* sql_select - a query's clauses in the order in which they take effect; sets of selects; VALUES. */
#include <stdio.h>

#include "columnar/sql/sql_block.h"

enum { ITEMS_MAX = 1024, ROWS_MAX = 100000 };

/* ---- SELECT items ---- */

static enum seam_status add_item(struct columnar_block *b, const struct columnar_sql_node *e,
                                 const char *name)
{
    if (b->n_items == ITEMS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", e->at,
                              "more than %d columns in the answer", ITEMS_MAX);
    b->items = columnar_rel_grow(b->s, b->items, b->n_items, sizeof *b->items);
    b->item_names = columnar_rel_grow(b->s, b->item_names, b->n_items, sizeof *b->item_names);
    if (b->items == NULL || b->item_names == NULL) return SEAM_NOMEM;
    b->items[b->n_items] = e;
    b->item_names[b->n_items++] = name;
    return SEAM_OK;
}

static enum seam_status expand_star(struct columnar_block *b, const struct columnar_sql_node *star)
{
    bool any = false;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < b->n_columns; i++) {
        const struct columnar_scope_column *c = &b->columns[i];
        struct columnar_sql_node *e;

        if (star->qualifier == NULL
                ? !c->star
                : c->table == NULL || strcmp(c->table, star->qualifier) != 0 || c->name[0] == '_')
            continue;
        e = seam_arena_zalloc(b->s->a, sizeof *e);
        if (e == NULL) return columnar_rel_no_memory(b->s);
        *e = (struct columnar_sql_node){.kind = COLUMNAR_SQL_COLUMN,
                                        .at = star->at,
                                        .end = star->end,
                                        .qualifier = c->bare && c->table == NULL ? NULL : c->table,
                                        .name = c->name};
        st = add_item(b, e, c->name);
        any = true;
    }
    if (st == SEAM_OK && !any)
        st = star->qualifier != NULL
                 ? seam_fault_set(b->s->f, SEAM_INVALID, "sql", star->at,
                                  "no table is called '%s' here", star->qualifier)
                 : seam_fault_set(b->s->f, SEAM_INVALID, "sql", star->at,
                                  "* has no columns here: there is no FROM");
    return st;
}

static const char *heading(struct columnar_block *b, const struct columnar_sql_item *item)
{
    struct seam_buf t = {0};
    char *name;

    if (item->alias != NULL) return item->alias;
    if (item->expr->kind == COLUMNAR_SQL_COLUMN) return item->expr->name;
    columnar_sql_print(item->expr, &t);
    name = seam_buf_ok(&t) ? seam_arena_strdup(b->s->a, (const char *)t.data, t.size) : NULL;
    seam_buf_free(&t);
    return name != NULL ? name : "?";
}

static enum seam_status list_items(struct columnar_block *b)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < b->select->n_items; i++) {
        const struct columnar_sql_item *item = &b->select->items[i];

        st = item->expr->kind == COLUMNAR_SQL_STAR ? expand_star(b, item->expr)
                                                   : add_item(b, item->expr, heading(b, item));
    }
    return st;
}

static bool aggregates(const struct columnar_block *b)
{
    const struct columnar_sql_select *s = b->select;
    bool yes = s->n_group > 0 || s->group_all || s->having != NULL;

    for (int i = 0; i < b->n_items && !yes; i++) yes = columnar_block_has_aggregate(b->items[i]);
    for (int i = 0; i < s->n_order && !yes; i++)
        yes = columnar_block_has_aggregate(s->order[i].expr);
    if (!yes && s->qualify != NULL) yes = columnar_block_has_aggregate(s->qualify);
    return yes;
}

static enum seam_status compute_items(struct columnar_block *b)
{
    enum seam_status st = SEAM_OK;

    b->item_ids = seam_arena_alloc(b->s->a, (size_t)(b->n_items + 1) * sizeof(int));
    if (b->item_ids == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < b->n_items; i++) {
        const struct columnar_expr *e;

        b->at = &b->rel;
        b->alias_depth++; /* an item does not see the others' aliases */
        st = columnar_block_expr(b, b->items[i], &e);
        b->alias_depth--;
        if (st == SEAM_OK)
            st = columnar_rel_compute(b->s, &b->rel, e, b->item_names[i], &b->item_ids[i]);
    }
    return st;
}

/* ---- DISTINCT, ORDER BY, LIMIT ---- */

static enum seam_status distinct(struct columnar_rel_statement *s, struct columnar_rel **rel,
                                 const int *ids, int n)
{
    struct columnar_rel *g = columnar_rel_new(s, COLUMNAR_REL_GROUP, *rel);
    bool *seen = columnar_rel_set(s);
    enum seam_status st = SEAM_OK;

    if (g == NULL || seen == NULL) return SEAM_NOMEM;
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        const struct columnar_expr *e;

        if (seen[ids[i]]) continue;
        seen[ids[i]] = true;
        st = columnar_rel_column_expr(s, ids[i], &e);
        if (st == SEAM_OK) st = columnar_rel_add_map(s, g, ids[i], e);
    }
    *rel = g;
    return st;
}

/* The item an ORDER BY key names by place, alias or by being it; -1: none. */
static enum seam_status item_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                int *at)
{
    *at = -1;
    if (e->kind == COLUMNAR_SQL_LITERAL && e->value.type == SEAM_V_INT) {
        if (e->value.i < 1 || e->value.i > b->n_items)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                                  "there is no item of that number");
        *at = (int)e->value.i - 1;
        return SEAM_OK;
    }
    for (int i = 0; e->kind == COLUMNAR_SQL_COLUMN && e->qualifier == NULL && i < b->n_items; i++)
        if (b->item_names[i] != NULL && strcmp(b->item_names[i], e->name) == 0) {
            *at = i;
            return SEAM_OK;
        }
    for (int i = 0; *at < 0 && i < b->n_items; i++)
        if (columnar_block_same(b, b->items[i], e)) *at = i;
    return SEAM_OK;
}

static enum seam_status order_keys(struct columnar_block *b, struct columnar_rel *r)
{
    const struct columnar_sql_select *s = b->select;
    enum seam_status st = SEAM_OK;

    r->order = seam_arena_alloc(b->s->a, (size_t)(s->n_order + b->n_items + 1) * sizeof *r->order);
    if (r->order == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; s->order_all && i < b->n_items; i++)
        r->order[r->n_order++] = (struct columnar_rel_key){b->item_ids[i], s->order_all_descending,
                                                           s->order_all_descending};
    for (int i = 0; st == SEAM_OK && i < s->n_order; i++) {
        const struct columnar_sql_order *o = &s->order[i];
        const struct columnar_expr *e;
        int at, id = -1;

        st = item_of(b, o->expr, &at);
        if (st != SEAM_OK) return st;
        if (at < 0 && s->distinct)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", o->expr->at,
                                  "with DISTINCT, ORDER BY takes items of the SELECT");
        if (at >= 0) {
            id = b->item_ids[at];
        } else {
            b->at = &b->rel;
            st = columnar_block_expr(b, o->expr, &e);
            if (st == SEAM_OK) st = columnar_rel_compute(b->s, &b->rel, e, "order", &id);
        }
        r->order[r->n_order++] = (struct columnar_rel_key){id, o->descending, o->nulls_first};
    }
    return st;
}

static enum seam_status order_and_limit(struct columnar_block *b)
{
    const struct columnar_sql_select *s = b->select;
    struct columnar_rel *r;
    enum seam_status st;

    if (s->n_order == 0 && !s->order_all && s->limit == UINT64_MAX && s->offset == 0)
        return SEAM_OK;
    r = columnar_rel_new(b->s, COLUMNAR_REL_ORDER, NULL);
    if (r == NULL) return SEAM_NOMEM;
    r->limit = s->limit;
    r->offset = s->offset;
    st = order_keys(b, r);
    r->in = b->rel;
    b->rel = r;
    return st;
}

/* ---- one SELECT ---- */

static enum seam_status plain(struct columnar_block *b, struct columnar_rel **rel,
                              struct columnar_outputs *out)
{
    const struct columnar_sql_select *s = b->select;
    enum seam_status st = s->source == NULL ? columnar_block_one_row(b->s, &b->rel)
                                            : columnar_block_from(b, s->source, &b->rel);

    if (st == SEAM_OK) st = list_items(b);
    b->at = &b->rel;
    b->no_aggregates = b->no_windows = true;
    if (st == SEAM_OK && s->where != NULL) {
        if (columnar_block_has_aggregate(s->where))
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", s->where->at,
                                  "aggregates cannot stand in WHERE: use HAVING");
        st = columnar_block_where(b, s->where);
    }
    b->no_aggregates = b->no_windows = false;
    if (st == SEAM_OK && aggregates(b)) st = columnar_block_group(b);
    if (st == SEAM_OK && s->having != NULL) {
        b->at = &b->rel;
        b->no_windows = true;
        st = columnar_block_where(b, s->having);
        b->no_windows = false;
    }
    if (st == SEAM_OK) st = compute_items(b);
    if (st == SEAM_OK && s->qualify != NULL) {
        b->at = &b->rel;
        st = columnar_block_where(b, s->qualify);
    }
    if (st == SEAM_OK && s->distinct) st = distinct(b->s, &b->rel, b->item_ids, b->n_items);
    if (st == SEAM_OK) st = order_and_limit(b);
    if (st == SEAM_OK) st = columnar_block_group_done(b);
    *rel = b->rel;
    *out = (struct columnar_outputs){b->n_items, b->item_ids, b->item_names};
    return st;
}

/* ---- VALUES and sets ---- */

struct side {
    struct columnar_rel *rel;
    struct columnar_outputs out;
};

/* One type for a column of two sides: what a comparison of the two would be made in. */
static enum seam_status common_type(struct columnar_rel_statement *s, uint32_t at, int column,
                                    const struct columnar_rel_column *x,
                                    const struct columnar_rel_column *y,
                                    struct columnar_rel_column *out)
{
    bool numbers = x->type >= SEAM_V_INT && x->type <= SEAM_V_DECIMAL && y->type >= SEAM_V_INT &&
                   y->type <= SEAM_V_DECIMAL;

    *out = *x;
    if (x->type == SEAM_V_NULL) {
        out->type = y->type;
        out->scale = y->scale;
        return SEAM_OK;
    }
    if (y->type == SEAM_V_NULL || (x->type == y->type && x->scale == y->scale)) return SEAM_OK;
    if (!numbers)
        return seam_fault_set(s->f, SEAM_INVALID, "sql", at,
                              "column %d is %s on one side and %s on the other", column + 1,
                              seam_value_type_name(x->type), seam_value_type_name(y->type));
    if (x->type == SEAM_V_DOUBLE || y->type == SEAM_V_DOUBLE) {
        out->type = SEAM_V_DOUBLE;
        out->scale = 0;
    } else {
        out->type = SEAM_V_DECIMAL;
        out->scale = x->scale > y->scale ? x->scale : y->scale;
    }
    return SEAM_OK;
}

static enum seam_status cast_side(struct columnar_rel_statement *s, struct side *x, int column,
                                  const struct columnar_rel_column *type, int *id)
{
    const struct columnar_expr *e;
    enum seam_status st = columnar_rel_column_expr(s, x->out.ids[column], &e);

    if (st == SEAM_OK)
        st = columnar_expr_cast(s->a, e, (enum seam_value_type)type->type, type->scale, &e, s->f);
    return st == SEAM_OK ? columnar_rel_compute(s, &x->rel, e, type->name, id) : st;
}

/* The rows of all sides, one after the other, under new numbers. */
static enum seam_status append(struct columnar_rel_statement *s, uint32_t at, struct side *sides,
                               int n_sides, struct columnar_rel **rel, struct columnar_outputs *out)
{
    struct columnar_rel *u = columnar_rel_new(s, COLUMNAR_REL_UNION, NULL);
    int n = sides[0].out.n;
    enum seam_status st = SEAM_OK;

    if (u == NULL) return SEAM_NOMEM;
    u->ids = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof(int));
    u->inputs = seam_arena_zalloc(s->a, (size_t)n_sides * sizeof *u->inputs);
    if (u->ids == NULL || u->inputs == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; k < n_sides; k++) {
        u->inputs[k].ids = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof(int));
        if (u->inputs[k].ids == NULL) return columnar_rel_no_memory(s);
        if (sides[k].out.n != n)
            return seam_fault_set(s->f, SEAM_INVALID, "sql", at,
                                  "%d columns on one side and %d on the other", n, sides[k].out.n);
    }
    for (int c = 0; st == SEAM_OK && c < n; c++) {
        struct columnar_rel_column type = s->columns[sides[0].out.ids[c]];

        type.name = sides[0].out.names[c];
        for (int k = 1; st == SEAM_OK && k < n_sides; k++)
            st = common_type(s, at, c, &type, &s->columns[sides[k].out.ids[c]], &type);
        for (int k = 0; st == SEAM_OK && k < n_sides; k++)
            st = cast_side(s, &sides[k], c, &type, &u->inputs[k].ids[c]);
        u->ids[c] = columnar_rel_column(s, type.name, type.type, type.scale);
        if (u->ids[c] < 0) return SEAM_LIMIT;
    }
    for (int k = 0; k < n_sides; k++) u->inputs[k].rel = sides[k].rel;
    u->n_ids = n;
    u->n_inputs = n_sides;
    *rel = u;
    *out = (struct columnar_outputs){n, u->ids, sides[0].out.names};
    return st;
}

/* Adds constants as columns to a side. */
static enum seam_status tag_side(struct columnar_rel_statement *s, struct side *x, int64_t left,
                                 int64_t right)
{
    int *ids = seam_arena_alloc(s->a, (size_t)(x->out.n + 2) * sizeof *ids);
    const char **names = seam_arena_alloc(s->a, (size_t)(x->out.n + 2) * sizeof *names);
    struct columnar_rel *map = columnar_rel_new(s, COLUMNAR_REL_MAP, x->rel);
    enum seam_status st = SEAM_OK;

    if (ids == NULL || names == NULL || map == NULL) return columnar_rel_no_memory(s);
    memcpy(ids, x->out.ids, (size_t)x->out.n * sizeof *ids);
    memcpy(names, x->out.names, (size_t)x->out.n * sizeof *names);
    for (int k = 0; st == SEAM_OK && k < 2; k++) {
        struct seam_value v = seam_v_int(k == 0 ? left : right);
        const struct columnar_expr *e;

        st = columnar_expr_const(s->a, &v, &e, s->f);
        ids[x->out.n + k] = columnar_rel_column(s, "side", SEAM_V_INT, 0);
        names[x->out.n + k] = "side";
        if (ids[x->out.n + k] < 0) return SEAM_LIMIT;
        if (st == SEAM_OK) st = columnar_rel_add_map(s, map, ids[x->out.n + k], e);
    }
    x->rel = map;
    x->out = (struct columnar_outputs){x->out.n + 2, ids, names};
    return st;
}

/* ALL: rows are told apart by their number among their equals, then it is as without. */
static enum seam_status number_equals(struct columnar_rel_statement *s, struct side *x)
{
    struct columnar_rel *w = columnar_rel_new(s, COLUMNAR_REL_WINDOW, x->rel);
    int *ids = seam_arena_alloc(s->a, (size_t)(x->out.n + 1) * sizeof *ids);
    const char **names = seam_arena_alloc(s->a, (size_t)(x->out.n + 1) * sizeof *names);

    if (w == NULL || ids == NULL || names == NULL) return columnar_rel_no_memory(s);
    w->windows = seam_arena_zalloc(s->a, sizeof *w->windows);
    w->window_ids = seam_arena_alloc(s->a, sizeof *w->window_ids);
    if (w->windows == NULL || w->window_ids == NULL) return columnar_rel_no_memory(s);
    memcpy(ids, x->out.ids, (size_t)x->out.n * sizeof *ids);
    memcpy(names, x->out.names, (size_t)x->out.n * sizeof *names);
    w->partition = x->out.ids;
    w->n_partition = x->out.n;
    w->windows[0].op = COLUMNAR_WINDOW_ROW_NUMBER;
    w->window_ids[0] = ids[x->out.n] = columnar_rel_column(s, "number", SEAM_V_INT, 0);
    w->n_windows = 1;
    names[x->out.n] = "number";
    x->rel = w;
    x->out = (struct columnar_outputs){x->out.n + 1, ids, names};
    return ids[x->out.n - 1] < 0 ? SEAM_LIMIT : SEAM_OK;
}

/* INTERSECT and EXCEPT: both sides as one, grouped; each group knows whether it was left, and right. */
static enum seam_status compare_sides(struct columnar_rel_statement *s,
                                      const struct columnar_sql_select *q, struct side *two,
                                      struct columnar_rel **rel, struct columnar_outputs *out)
{
    int n = two[0].out.n, mine[2];
    struct columnar_rel *g;
    struct seam_value zero = seam_v_int(0);
    const struct columnar_expr *e, *nothing;
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && q->all && k < 2; k++) st = number_equals(s, &two[k]);
    for (int k = 0; st == SEAM_OK && k < 2; k++) st = tag_side(s, &two[k], k == 0, k == 1);
    if (st == SEAM_OK) st = append(s, q->at, two, 2, rel, out);
    g = columnar_rel_new(s, COLUMNAR_REL_GROUP, *rel);
    if (st != SEAM_OK || g == NULL) return st == SEAM_OK ? SEAM_NOMEM : st;
    g->aggs = seam_arena_zalloc(s->a, 2 * sizeof *g->aggs);
    if (g->aggs == NULL) return columnar_rel_no_memory(s);
    for (int c = 0; st == SEAM_OK && c < out->n; c++) {
        st = columnar_rel_column_expr(s, out->ids[c], &e);
        if (c < out->n - 2) {
            if (st == SEAM_OK) st = columnar_rel_add_map(s, g, out->ids[c], e);
            continue;
        }
        mine[g->n_aggs] = columnar_rel_column(s, "side", SEAM_V_INT, 0);
        if (mine[g->n_aggs] < 0) return SEAM_LIMIT;
        g->aggs[g->n_aggs] = (struct columnar_rel_agg){
            mine[g->n_aggs], {.op = COLUMNAR_AGG_MAX, .arg = e, .name = "side"}};
        g->n_aggs++;
    }
    *rel = g;
    if (st == SEAM_OK) st = columnar_expr_const(s->a, &zero, &nothing, s->f);
    for (int k = 0; st == SEAM_OK && k < 2; k++) {
        bool wanted = k == 0 || q->set == COLUMNAR_SQL_INTERSECT;

        st = columnar_rel_column_expr(s, mine[k], &e);
        if (st == SEAM_OK)
            st = columnar_rel_call(s, wanted ? COLUMNAR_E_NE : COLUMNAR_E_EQ, e, nothing, &e);
        if (st == SEAM_OK) st = columnar_rel_filter(s, rel, e);
    }
    out->n = n;
    return st;
}

static enum seam_status set_of(struct columnar_block *b, struct columnar_rel **rel,
                               struct columnar_outputs *out)
{
    const struct columnar_sql_select *q = b->select;
    struct side two[2] = {0};
    enum seam_status st =
        b->up->query(b->s, q->left, b->parent, b->ctes, &b->as_of, &two[0].rel, &two[0].out);

    if (st == SEAM_OK)
        st = b->up->query(b->s, q->right, b->parent, b->ctes, &b->as_of, &two[1].rel, &two[1].out);
    if (st != SEAM_OK) return st;
    if (two[0].out.n != two[1].out.n)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", q->right->at,
                              "%d columns on one side and %d on the other", two[0].out.n,
                              two[1].out.n);
    if (q->set != COLUMNAR_SQL_UNION) return compare_sides(b->s, q, two, rel, out);
    st = append(b->s, q->right->at, two, 2, rel, out);
    return st == SEAM_OK && !q->all ? distinct(b->s, rel, out->ids, out->n) : st;
}

/* VALUES: constants are rows at once; what is not constant is a select without FROM each. */
static enum seam_status values(struct columnar_block *b, struct columnar_rel **rel,
                               struct columnar_outputs *out)
{
    const struct columnar_sql_select *q = b->select;
    struct side *sides = seam_arena_zalloc(b->s->a, (size_t)(q->n_rows + 1) * sizeof *sides);
    int n = q->rows[0]->n_args;
    enum seam_status st = SEAM_OK;

    if (sides == NULL) return columnar_rel_no_memory(b->s);
    if (q->n_rows > ROWS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", q->at, "more than %d rows", ROWS_MAX);
    for (int k = 0; st == SEAM_OK && k < q->n_rows; k++) {
        struct side *x = &sides[k];

        if (q->rows[k]->n_args != n)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", q->rows[k]->at,
                                  "%d values in this row and %d in the first", q->rows[k]->n_args,
                                  n);
        st = columnar_block_one_row(b->s, &x->rel);
        x->out.n = n;
        x->out.ids = seam_arena_alloc(b->s->a, (size_t)(n + 1) * sizeof(int));
        x->out.names = seam_arena_alloc(b->s->a, (size_t)(n + 1) * sizeof *x->out.names);
        if (x->out.ids == NULL || x->out.names == NULL) return columnar_rel_no_memory(b->s);
        b->at = &x->rel;
        b->no_aggregates = b->no_windows = true;
        for (int c = 0; st == SEAM_OK && c < n; c++) {
            const struct columnar_expr *e;
            char name[16];

            snprintf(name, sizeof name, "col%d", c);
            x->out.names[c] = seam_arena_strdup(b->s->a, name, strlen(name));
            if (x->out.names[c] == NULL) return columnar_rel_no_memory(b->s);
            st = columnar_block_expr(b, q->rows[k]->args[c], &e);
            if (st == SEAM_OK)
                st = columnar_rel_compute(b->s, &x->rel, e, x->out.names[c], &x->out.ids[c]);
        }
    }
    return st == SEAM_OK ? append(b->s, q->at, sides, q->n_rows, rel, out) : st;
}

/* ORDER BY and LIMIT of a set: over its columns. */
static enum seam_status order_set(struct columnar_block *b, struct columnar_rel **rel,
                                  const struct columnar_outputs *out)
{
    enum seam_status st = SEAM_OK;

    b->rel = *rel;
    for (int i = 0; st == SEAM_OK && i < out->n; i++) {
        struct columnar_sql_node *e = seam_arena_zalloc(b->s->a, sizeof *e);

        if (e == NULL) return columnar_rel_no_memory(b->s);
        *e = (struct columnar_sql_node){.kind = COLUMNAR_SQL_COLUMN, .name = out->names[i]};
        st = columnar_block_add_column(b, NULL, out->names[i], out->ids[i], true);
        if (st == SEAM_OK) st = add_item(b, e, out->names[i]);
    }
    b->item_ids = out->ids;
    b->no_aggregates = b->no_windows = true;
    if (st == SEAM_OK) st = order_and_limit(b);
    *rel = b->rel;
    return st;
}

enum seam_status columnar_block_query(struct columnar_rel_statement *s,
                                      const struct columnar_sql_select *q,
                                      struct columnar_block *parent, struct columnar_cte_link *ctes,
                                      const struct columnar_sql_moment *as_of,
                                      struct columnar_rel **rel, struct columnar_outputs *out)
{
    static const struct columnar_block_upward up = {columnar_block_query, columnar_block_expr};
    struct columnar_block *b = seam_arena_zalloc(s->a, sizeof *b);
    enum seam_status st = SEAM_OK;

    if (b == NULL) return columnar_rel_no_memory(s);
    if (++s->depth > COLUMNAR_REL_DEPTH_MAX)
        return seam_fault_set(s->f, SEAM_LIMIT, "sql", q->at, "the statement nests too deeply");
    *b = (struct columnar_block){.s = s, .up = &up, .parent = parent, .select = q, .as_of = *as_of};
    if (q->as_of.kind != COLUMNAR_SQL_NOW) b->as_of = q->as_of;
    for (int i = 0; i < q->n_ctes; i++) {
        struct columnar_cte_link *l = seam_arena_zalloc(s->a, sizeof *l);

        if (l == NULL) return columnar_rel_no_memory(s);
        l->cte = &q->ctes[i];
        l->outer = ctes;
        ctes = l;
    }
    b->ctes = ctes;
    if (q->set == COLUMNAR_SQL_PLAIN)
        st = plain(b, rel, out);
    else
        st = q->set == COLUMNAR_SQL_VALUES ? values(b, rel, out) : set_of(b, rel, out);
    if (st == SEAM_OK && q->set != COLUMNAR_SQL_PLAIN) st = order_set(b, rel, out);
    s->depth--;
    return st;
}
