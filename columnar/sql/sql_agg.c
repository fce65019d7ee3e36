/* sql_agg - GROUP BY, aggregates and grouping sets.
 *
 *   keys, arguments (below)  ->  GROUP  ->  HAVING, items, ORDER BY speak of keys and aggregates (above)
 *
 * Grouping sets are written out when everything is bound: the input runs once (SHARED), each set is a GROUP
 * of it, and UNION puts nulls where a set has not a key.                                           */
#include "columnar/sql/sql_block.h"

enum { KEYS_MAX = 256, SETS_MAX = 256, AGGS_MAX = 512 };

struct agg_name {
    const char *name;
    enum columnar_agg_op op;
    int args;
};

static const struct agg_name names[] = {{"count", COLUMNAR_AGG_COUNT, 1},
                                        {"sum", COLUMNAR_AGG_SUM, 1},
                                        {"avg", COLUMNAR_AGG_AVG, 1},
                                        {"mean", COLUMNAR_AGG_AVG, 1},
                                        {"min", COLUMNAR_AGG_MIN, 1},
                                        {"max", COLUMNAR_AGG_MAX, 1},
                                        {"approx_count_distinct", COLUMNAR_AGG_APPROX_DISTINCT, 1},
                                        {"stddev", COLUMNAR_AGG_STDDEV_SAMP, 1},
                                        {"stddev_samp", COLUMNAR_AGG_STDDEV_SAMP, 1},
                                        {"stddev_pop", COLUMNAR_AGG_STDDEV_POP, 1},
                                        {"variance", COLUMNAR_AGG_VAR_SAMP, 1},
                                        {"var_samp", COLUMNAR_AGG_VAR_SAMP, 1},
                                        {"var_pop", COLUMNAR_AGG_VAR_POP, 1},
                                        {"corr", COLUMNAR_AGG_CORR, 2},
                                        {"covar_samp", COLUMNAR_AGG_COVAR_SAMP, 2},
                                        {"covar_pop", COLUMNAR_AGG_COVAR_POP, 2},
                                        {"median", COLUMNAR_AGG_QUANTILE_CONT, 1},
                                        {"quantile", COLUMNAR_AGG_QUANTILE_DISC, 2},
                                        {"quantile_disc", COLUMNAR_AGG_QUANTILE_DISC, 2},
                                        {"quantile_cont", COLUMNAR_AGG_QUANTILE_CONT, 2},
                                        {"mode", COLUMNAR_AGG_MODE, 1},
                                        {"string_agg", COLUMNAR_AGG_STRING_AGG, 2},
                                        {"group_concat", COLUMNAR_AGG_STRING_AGG, 2},
                                        {"listagg", COLUMNAR_AGG_STRING_AGG, 2},
                                        {"first", COLUMNAR_AGG_FIRST, 1},
                                        {"last", COLUMNAR_AGG_LAST, 1},
                                        {"any_value", COLUMNAR_AGG_ANY, 1},
                                        {"bool_and", COLUMNAR_AGG_BOOL_AND, 1},
                                        {"bool_or", COLUMNAR_AGG_BOOL_OR, 1},
                                        {"arg_min", COLUMNAR_AGG_ARG_MIN, 2},
                                        {"arg_max", COLUMNAR_AGG_ARG_MAX, 2},
                                        {"min_by", COLUMNAR_AGG_ARG_MIN, 2},
                                        {"max_by", COLUMNAR_AGG_ARG_MAX, 2},
                                        {"product", COLUMNAR_AGG_PRODUCT, 1}};

static const struct agg_name *agg_name(const char *name)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i].name) == 0) return &names[i];
    return NULL;
}

bool columnar_block_is_aggregate(const char *name)
{
    return agg_name(name) != NULL;
}

bool columnar_block_has_aggregate(const struct columnar_sql_node *e)
{
    if (e->kind == COLUMNAR_SQL_CALL && e->over == NULL && agg_name(e->name) != NULL) return true;
    for (int i = 0; i < e->n_args; i++)
        if (columnar_block_has_aggregate(e->args[i])) return true;
    if (e->over != NULL) { /* sum(sum(x)) over (order by sum(y)) */
        for (int i = 0; i < e->over->n_partition; i++)
            if (columnar_block_has_aggregate(e->over->partition[i])) return true;
        for (int i = 0; i < e->over->n_order; i++)
            if (columnar_block_has_aggregate(e->over->order[i].expr)) return true;
    }
    return false;
}

/* ---- keys ---- */

/* An item named by its place or its alias. */
static enum seam_status item_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                const struct columnar_sql_node **out)
{
    bool own;
    int id;

    *out = e;
    if (e->kind == COLUMNAR_SQL_LITERAL && e->value.type == SEAM_V_INT) {
        if (e->value.i < 1 || e->value.i > b->n_items)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                                  "there is no item of that number");
        *out = b->items[e->value.i - 1];
        return SEAM_OK;
    }
    if (e->kind != COLUMNAR_SQL_COLUMN || e->qualifier != NULL ||
        columnar_block_resolve(b, e, true, &id, &own) == SEAM_OK)
        return SEAM_OK;
    for (int i = 0; i < b->n_items; i++)
        if (b->item_names[i] != NULL && strcmp(b->item_names[i], e->name) == 0) *out = b->items[i];
    return SEAM_OK;
}

/* The place of a key in b->keys, made when new. */
static enum seam_status add_key(struct columnar_block *b, const struct columnar_sql_node *e,
                                int *at)
{
    struct columnar_block_key key = {.grouping = -1};
    enum seam_status st = item_of(b, e, &e);

    if (st != SEAM_OK) return st;
    for (*at = 0; *at < b->n_keys; (*at)++)
        if (columnar_block_same(b, b->keys[*at].node, e)) return SEAM_OK;
    if (columnar_block_has_aggregate(e))
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "aggregates cannot stand in GROUP BY");
    if (b->n_keys == KEYS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", e->at, "too many GROUP BY keys");
    key.node = e;
    st = b->up->expr(b, e, &key.e);
    if (st != SEAM_OK) return st;
    b->keys = columnar_rel_grow(b->s, b->keys, b->n_keys, sizeof *b->keys);
    if (b->keys == NULL) return SEAM_NOMEM;
    b->keys[b->n_keys++] = key;
    return SEAM_OK;
}

/* ---- grouping sets: lists of key numbers ---- */

struct set_list {
    int n;
    bool (*has)[KEYS_MAX];
};

static enum seam_status new_set(struct columnar_block *b, struct set_list *l, const bool *from)
{
    if (l->n == SETS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", b->select->at,
                              "more than %d grouping sets", SETS_MAX);
    l->has = columnar_rel_grow(b->s, l->has, l->n, sizeof *l->has);
    if (l->has == NULL) return SEAM_NOMEM;
    if (from != NULL)
        memcpy(l->has[l->n], from, KEYS_MAX);
    else
        memset(l->has[l->n], 0, KEYS_MAX);
    l->n++;
    return SEAM_OK;
}

static enum seam_status mark_keys(struct columnar_block *b, const struct columnar_sql_node *row,
                                  bool *has)
{
    int at;
    enum seam_status st = SEAM_OK;

    if (row->kind != COLUMNAR_SQL_ROW) {
        st = add_key(b, row, &at);
        if (st == SEAM_OK) has[at] = true;
        return st;
    }
    for (int i = 0; st == SEAM_OK && i < row->n_args; i++) st = mark_keys(b, row->args[i], has);
    return st;
}

static enum seam_status sets_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                struct set_list *out)
{
    bool has[KEYS_MAX];
    enum seam_status st = SEAM_OK;

    if (e->kind != COLUMNAR_SQL_SETS) {
        memset(has, 0, sizeof has);
        st = mark_keys(b, e, has);
        return st == SEAM_OK ? new_set(b, out, has) : st;
    }
    if (strcmp(e->name, "sets") == 0) {
        for (int i = 0; st == SEAM_OK && i < e->n_args; i++) st = sets_of(b, e->args[i], out);
    } else if (strcmp(e->name, "rollup") == 0) {
        for (int n = e->n_args; st == SEAM_OK && n >= 0; n--) {
            memset(has, 0, sizeof has);
            for (int i = 0; st == SEAM_OK && i < n; i++) st = mark_keys(b, e->args[i], has);
            if (st == SEAM_OK) st = new_set(b, out, has);
        }
    } else {
        if (e->n_args > 8)
            return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", e->at, "CUBE of more than 8 keys");
        for (unsigned m = 1u << e->n_args; st == SEAM_OK && m-- > 0;) {
            memset(has, 0, sizeof has);
            for (int i = 0; st == SEAM_OK && i < e->n_args; i++)
                if (m >> (e->n_args - 1 - i) & 1) st = mark_keys(b, e->args[i], has);
            if (st == SEAM_OK) st = new_set(b, out, has);
        }
    }
    return st;
}

/* Every element of GROUP BY gives sets; together their combinations. */
static enum seam_status all_sets(struct columnar_block *b, struct set_list *all)
{
    enum seam_status st = new_set(b, all, NULL);

    for (int i = 0; st == SEAM_OK && i < b->select->n_group; i++) {
        struct set_list some = {0}, product = {0};

        st = sets_of(b, b->select->group[i], &some);
        for (int x = 0; st == SEAM_OK && x < all->n; x++)
            for (int y = 0; st == SEAM_OK && y < some.n; y++) {
                st = new_set(b, &product, all->has[x]);
                for (int k = 0; st == SEAM_OK && k < KEYS_MAX; k++)
                    product.has[product.n - 1][k] |= some.has[y][k];
            }
        *all = product;
    }
    return st;
}

static bool has_sets(const struct columnar_sql_select *s)
{
    for (int i = 0; i < s->n_group; i++)
        if (s->group[i]->kind == COLUMNAR_SQL_SETS) return true;
    return false;
}

static enum seam_status all_items(struct columnar_block *b)
{
    int at;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < b->n_items; i++)
        if (!columnar_block_has_aggregate(b->items[i])) st = add_key(b, b->items[i], &at);
    return st;
}

/* Keys get their numbers above: a plain column keeps its own, where no set takes it away. */
static enum seam_status number_keys(struct columnar_block *b)
{
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < b->n_keys; k++) {
        struct columnar_block_key *key = &b->keys[k];

        if (key->e->op == COLUMNAR_E_COLUMN && b->n_sets == 0)
            key->id = key->e->column;
        else
            key->id = columnar_rel_column(b->s, "key", key->e->type, key->e->scale);
        if (b->n_sets > 0) key->grouping = columnar_rel_column(b->s, "grouping", SEAM_V_INT, 0);
        if (key->id < 0 || (b->n_sets > 0 && key->grouping < 0)) return SEAM_LIMIT;
        st = columnar_rel_add_map(b->s, b->group, key->id, key->e);
    }
    return st;
}

enum seam_status columnar_block_group(struct columnar_block *b)
{
    struct set_list sets = {0};
    int at;
    enum seam_status st = SEAM_OK;

    b->no_aggregates = b->no_windows = true;
    b->at = &b->rel;
    if (has_sets(b->select)) {
        st = all_sets(b, &sets);
        b->n_sets = sets.n;
        b->sets = seam_arena_alloc(b->s->a, (size_t)(sets.n + 1) * sizeof *b->sets);
        if (b->sets == NULL) return columnar_rel_no_memory(b->s);
        for (int i = 0; i < sets.n; i++) b->sets[i] = sets.has[i];
    } else {
        for (int i = 0; st == SEAM_OK && i < b->select->n_group; i++)
            st = add_key(b, b->select->group[i], &at);
        if (st == SEAM_OK && b->select->group_all) st = all_items(b);
    }
    b->no_aggregates = b->no_windows = false;
    if (st != SEAM_OK) return st;
    b->rel = b->group = columnar_rel_new(b->s, COLUMNAR_REL_GROUP, b->rel);
    if (b->group == NULL) return SEAM_NOMEM;
    st = number_keys(b);
    b->grouped = true;
    b->at = &b->rel;
    return st;
}

enum seam_status columnar_block_key_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                       const struct columnar_expr **out)
{
    for (int k = 0; k < b->n_keys; k++)
        if (columnar_block_same(b, b->keys[k].node, e))
            return columnar_rel_column_expr(b->s, b->keys[k].id, out);
    return SEAM_END;
}

/* ---- aggregates ---- */

/* agg(x) FILTER (WHERE c) is agg(CASE WHEN c THEN x END); count(*): of 1. */
static enum seam_status filtered(struct columnar_block *b, const struct columnar_sql_node *e,
                                 struct columnar_plan_agg *agg)
{
    const struct columnar_expr *args[2];
    struct seam_value one = seam_v_int(1);
    struct seam_fault inner = {0};
    enum seam_status st = b->up->expr(b, e->filter, &args[0]);

    if (st != SEAM_OK) return st;
    if (agg->op == COLUMNAR_AGG_FIRST || agg->op == COLUMNAR_AGG_LAST)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "FILTER does not go with %s in this dialect", e->name);
    args[1] = agg->arg;
    if (agg->op == COLUMNAR_AGG_COUNT_ALL) {
        agg->op = COLUMNAR_AGG_COUNT;
        st = columnar_expr_const(b->s->a, &one, &args[1], &inner);
    }
    if (st == SEAM_OK)
        st = columnar_expr_call(b->s->a, COLUMNAR_E_CASE, args, 2, &agg->arg, &inner);
    return columnar_block_at(b, e, st, &inner);
}

static enum seam_status constant_of(struct columnar_block *b, const struct columnar_sql_node *e,
                                    const struct columnar_sql_node *arg, unsigned type,
                                    struct seam_value *out)
{
    const struct columnar_expr *v;
    struct seam_fault inner = {0};
    enum seam_status st = b->up->expr(b, arg, &v);

    if (st == SEAM_OK)
        st = columnar_block_at(b, arg, columnar_expr_cast(b->s->a, v, type, 0, &v, &inner), &inner);
    if (st != SEAM_OK) return st;
    if (!columnar_expr_is_const(v) || v->constant.type == SEAM_V_NULL)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", arg->at,
                              "the second argument of %s is a constant", e->name);
    *out = v->constant;
    return SEAM_OK;
}

static enum seam_status second_argument(struct columnar_block *b, const struct columnar_sql_node *e,
                                        struct columnar_plan_agg *agg)
{
    struct seam_value v;
    enum seam_status st = SEAM_OK;

    switch (agg->op) {
    case COLUMNAR_AGG_QUANTILE_CONT:
    case COLUMNAR_AGG_QUANTILE_DISC:
        agg->param = 0.5;
        if (e->n_args == 1) return SEAM_OK;
        st = constant_of(b, e, e->args[1], SEAM_V_DOUBLE, &v);
        if (st != SEAM_OK) return st;
        agg->param = v.d;
        return v.d >= 0 && v.d <= 1 ? SEAM_OK
                                    : seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->args[1]->at,
                                                     "a quantile is between 0 and 1");
    case COLUMNAR_AGG_STRING_AGG:
        agg->text = ",";
        agg->text_len = 1;
        if (e->n_args == 1) return SEAM_OK;
        st = constant_of(b, e, e->args[1], SEAM_V_TEXT, &v);
        if (st != SEAM_OK) return st;
        agg->text = v.s;
        agg->text_len = v.len;
        return SEAM_OK;
    default: return e->n_args > 1 ? b->up->expr(b, e->args[1], &agg->arg2) : SEAM_OK;
    }
}

static enum seam_status describe(struct columnar_block *b, const struct columnar_sql_node *e,
                                 const struct agg_name *n, struct columnar_plan_agg *agg)
{
    struct seam_fault inner = {0};
    bool optional = n->op == COLUMNAR_AGG_STRING_AGG;
    enum seam_status st = SEAM_OK;

    *agg = (struct columnar_plan_agg){.op = n->op, .name = "agg"};
    if (e->star || (e->n_args == 0 && n->op == COLUMNAR_AGG_COUNT)) {
        if (n->op != COLUMNAR_AGG_COUNT)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "%s takes one argument",
                                  e->name);
        agg->op = COLUMNAR_AGG_COUNT_ALL;
    } else if (e->n_args != n->args && !(optional && e->n_args == 1)) {
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "%s takes %s argument%s%s",
                              e->name, n->args == 1 ? "one" : "two", n->args == 1 ? "" : "s",
                              n->op == COLUMNAR_AGG_COUNT ? ", or *" : "");
    } else {
        st = b->up->expr(b, e->args[0], &agg->arg);
        if (st == SEAM_OK) st = second_argument(b, e, agg);
    }
    if (st == SEAM_OK && e->filter != NULL) st = filtered(b, e, agg);
    if (st != SEAM_OK) return st;
    if (e->distinct && agg->op == COLUMNAR_AGG_COUNT)
        agg->op = COLUMNAR_AGG_COUNT_DISTINCT;
    else
        agg->distinct = e->distinct && agg->op != COLUMNAR_AGG_MIN && agg->op != COLUMNAR_AGG_MAX;
    if (agg->distinct && agg->op == COLUMNAR_AGG_COUNT_ALL)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "count(DISTINCT *) is not a count");
    if (e->n_order > 1)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->order[1].expr->at,
                              "one key orders the rows of an aggregate in this dialect");
    if (e->n_order == 1) {
        st = b->up->expr(b, e->order[0].expr, &agg->order);
        agg->descending = e->order[0].descending;
        agg->nulls_first = e->order[0].nulls_first;
    }
    if (st == SEAM_OK && (agg->op == COLUMNAR_AGG_STRING_AGG) && agg->arg->type != SEAM_V_TEXT)
        st = columnar_block_at(
            b, e, columnar_expr_cast(b->s->a, agg->arg, SEAM_V_TEXT, 0, &agg->arg, &inner), &inner);
    if (st == SEAM_OK && (agg->op == COLUMNAR_AGG_BOOL_AND || agg->op == COLUMNAR_AGG_BOOL_OR) &&
        agg->arg->type != SEAM_V_BOOL)
        st = seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "%s needs conditions, not %s",
                            e->name, seam_value_type_name(agg->arg->type));
    if (st == SEAM_OK && (agg->op == COLUMNAR_AGG_SUM || agg->op == COLUMNAR_AGG_AVG) &&
        agg->arg->type == SEAM_V_BOOL) /* as others count them */
        st = columnar_block_at(
            b, e, columnar_expr_cast(b->s->a, agg->arg, SEAM_V_INT, 0, &agg->arg, &inner), &inner);
    return st;
}

static enum seam_status result_type(struct columnar_block *b, const struct columnar_sql_node *e,
                                    const struct columnar_plan_agg *agg, int *id)
{
    const struct columnar_plan *plan;
    const struct columnar_plan_column *columns;
    struct columnar_plan_source none = {0};
    struct seam_fault inner = {0};
    const struct columnar_plan *rows;
    enum seam_status st = columnar_plan_rows(b->s->a, NULL, 0, &none, &rows, &inner);

    if (st == SEAM_OK) /* the operator itself says what it gives */
        st = columnar_plan_aggregate(b->s->a, rows, NULL, NULL, 0, agg, 1, &plan, &inner);
    if (st != SEAM_OK) return columnar_block_at(b, e, st, &inner);
    columnar_plan_columns(plan, &columns);
    *id = columnar_rel_column(b->s, "agg", columns[0].type, columns[0].scale);
    return *id < 0 ? SEAM_LIMIT : SEAM_OK;
}

enum seam_status columnar_block_aggregate(struct columnar_block *b,
                                          const struct columnar_sql_node *e,
                                          const struct columnar_expr **out)
{
    const struct agg_name *n = agg_name(e->name);
    struct columnar_rel **at = b->at, *g = b->group;
    struct columnar_rel_agg agg = {0};
    enum seam_status st;

    if (!b->grouped || b->no_aggregates)
        return seam_fault_set(
            b->s->f, SEAM_INVALID, "sql", e->at,
            "%s() has no place here: aggregates stand in SELECT, HAVING and ORDER BY", e->name);
    for (int i = 0; i < g->n_aggs; i++)
        if (columnar_block_same(b, b->agg_nodes[i], e))
            return columnar_rel_column_expr(b->s, g->aggs[i].id, out);
    if (g->n_aggs == AGGS_MAX)
        return seam_fault_set(b->s->f, SEAM_LIMIT, "sql", e->at, "too many aggregates");
    b->grouped = false; /* its arguments stand below */
    b->no_aggregates = true;
    b->at = &g->in;
    st = describe(b, e, n, &agg.agg);
    b->grouped = true;
    b->no_aggregates = false;
    b->at = at;
    if (st == SEAM_OK) st = result_type(b, e, &agg.agg, &agg.id);
    if (st != SEAM_OK) return st;
    g->aggs = columnar_rel_grow(b->s, g->aggs, g->n_aggs, sizeof *g->aggs);
    b->agg_nodes = columnar_rel_grow(b->s, b->agg_nodes, g->n_aggs, sizeof *b->agg_nodes);
    if (g->aggs == NULL || b->agg_nodes == NULL) return SEAM_NOMEM;
    b->agg_nodes[g->n_aggs] = e;
    g->aggs[g->n_aggs++] = agg;
    return columnar_rel_column_expr(b->s, agg.id, out);
}

enum seam_status columnar_block_grouping(struct columnar_block *b,
                                         const struct columnar_sql_node *e,
                                         const struct columnar_expr **out)
{
    struct seam_value two = seam_v_int(2), zero = seam_v_int(0);
    const struct columnar_expr *twice, *bit;
    enum seam_status st = SEAM_OK;

    if (!b->grouped || e->n_args == 0)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "GROUPING takes keys of a GROUP BY");
    *out = NULL;
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) {
        int k = 0;

        while (k < b->n_keys && !columnar_block_same(b, b->keys[k].node, e->args[i])) k++;
        if (k == b->n_keys)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->args[i]->at,
                                  "not a key of the GROUP BY");
        st = b->keys[k].grouping >= 0 ? columnar_rel_column_expr(b->s, b->keys[k].grouping, &bit)
                                      : columnar_expr_const(b->s->a, &zero, &bit, b->s->f);
        if (st == SEAM_OK && *out != NULL) {
            st = columnar_expr_const(b->s->a, &two, &twice, b->s->f);
            if (st == SEAM_OK) st = columnar_rel_call(b->s, COLUMNAR_E_MUL, *out, twice, out);
            if (st == SEAM_OK) st = columnar_rel_call(b->s, COLUMNAR_E_ADD, *out, bit, out);
        } else if (st == SEAM_OK) {
            *out = bit;
        }
    }
    return st;
}

/* ---- sets written out ---- */

static enum seam_status shared_again(struct columnar_block *b, struct columnar_rel_def *def,
                                     struct columnar_rel **out)
{
    struct columnar_rel *r = columnar_rel_new(b->s, COLUMNAR_REL_SHARED, NULL);

    if (r == NULL) return SEAM_NOMEM;
    r->def = def;
    r->n_ids = def->n;
    r->ids = seam_arena_alloc(b->s->a, (size_t)(def->n + 1) * sizeof *r->ids);
    if (r->ids == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; i < def->n; i++) {
        struct columnar_rel_column c = b->s->columns[def->ids[i]];

        r->ids[i] = columnar_rel_column(b->s, c.name, c.type, c.scale);
        if (r->ids[i] < 0) return SEAM_LIMIT;
    }
    *out = r;
    return SEAM_OK;
}

/* The group's input with every key and argument as a column: def->ids are the keys, then arguments as met. */
static enum seam_status share_input(struct columnar_block *b, struct columnar_rel_def *def)
{
    struct columnar_rel *g = b->group, *in = g->in;
    const struct columnar_expr **parts[3];
    enum seam_status st = SEAM_OK;

    def->ids = seam_arena_alloc(b->s->a, (size_t)(g->n_maps + 3 * g->n_aggs + 1) * sizeof(int));
    if (def->ids == NULL) return columnar_rel_no_memory(b->s);
    for (int k = 0; st == SEAM_OK && k < g->n_maps; k++)
        st = columnar_rel_compute(b->s, &in, g->maps[k].e, "key", &def->ids[def->n++]);
    for (int k = 0; st == SEAM_OK && k < g->n_aggs; k++) {
        parts[0] = &g->aggs[k].agg.arg;
        parts[1] = &g->aggs[k].agg.arg2;
        parts[2] = &g->aggs[k].agg.order;
        for (int i = 0; st == SEAM_OK && i < 3; i++) {
            int id;

            if (*parts[i] == NULL) continue;
            st = columnar_rel_compute(b->s, &in, *parts[i], "arg", &id);
            if (st == SEAM_OK) st = columnar_rel_column_expr(b->s, id, parts[i]);
            if (st == SEAM_OK) def->ids[def->n++] = id;
        }
    }
    def->rel = in;
    return st;
}

/* One set: GROUP over the shared rows, then nulls for the keys it has not, and which those are. */
static enum seam_status one_set(struct columnar_block *b, struct columnar_rel_def *def,
                                const bool *has, struct columnar_rel_input *input)
{
    struct columnar_rel *g = b->group, *shared = NULL, *set, *map;
    const struct columnar_expr **by;
    int n = b->s->n_columns, at = 0;
    enum seam_status st = shared_again(b, def, &shared);

    if (st != SEAM_OK) return st;
    by = seam_arena_zalloc(b->s->a, (size_t)(b->s->n_columns + 1) * sizeof *by);
    set = columnar_rel_new(b->s, COLUMNAR_REL_GROUP, shared);
    map = columnar_rel_new(b->s, COLUMNAR_REL_MAP, set);
    input->ids = seam_arena_alloc(b->s->a, (size_t)(2 * g->n_maps + g->n_aggs + 1) * sizeof(int));
    if (by == NULL || set == NULL || map == NULL || input->ids == NULL)
        return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < def->n; i++)
        st = columnar_rel_column_expr(b->s, shared->ids[i], &by[def->ids[i]]);
    for (int k = 0; st == SEAM_OK && k < g->n_maps; k++) {
        const struct columnar_expr *e = by[def->ids[k]];
        struct seam_value none = seam_v_null();

        input->ids[at] = columnar_rel_column(b->s, "key", e->type, e->scale);
        if (input->ids[at] < 0) return SEAM_LIMIT;
        if (has[k]) {
            st = columnar_rel_add_map(b->s, set, input->ids[at++], e);
            continue;
        }
        st = columnar_expr_const(b->s->a, &none, &e, b->s->f);
        if (st == SEAM_OK)
            st = columnar_expr_cast(b->s->a, e,
                                    (enum seam_value_type)b->s->columns[input->ids[at]].type,
                                    b->s->columns[input->ids[at]].scale, &e, b->s->f);
        if (st == SEAM_OK) st = columnar_rel_add_map(b->s, map, input->ids[at++], e);
    }
    for (int k = 0; st == SEAM_OK && k < g->n_aggs; k++) {
        struct columnar_rel_agg agg = g->aggs[k];

        if (agg.agg.arg != NULL) st = columnar_rel_replace(b->s, agg.agg.arg, by, n, &agg.agg.arg);
        if (st == SEAM_OK && agg.agg.arg2 != NULL)
            st = columnar_rel_replace(b->s, agg.agg.arg2, by, n, &agg.agg.arg2);
        if (st == SEAM_OK && agg.agg.order != NULL)
            st = columnar_rel_replace(b->s, agg.agg.order, by, n, &agg.agg.order);
        agg.id = columnar_rel_column(b->s, "agg", b->s->columns[g->aggs[k].id].type,
                                     b->s->columns[g->aggs[k].id].scale);
        set->aggs = columnar_rel_grow(b->s, set->aggs, set->n_aggs, sizeof *set->aggs);
        if (agg.id < 0 || set->aggs == NULL) return SEAM_NOMEM;
        set->aggs[set->n_aggs++] = agg;
        input->ids[at++] = agg.id;
    }
    for (int k = 0; st == SEAM_OK && k < g->n_maps; k++) {
        struct seam_value bit = seam_v_int(!has[k]);
        const struct columnar_expr *e;

        st = columnar_expr_const(b->s->a, &bit, &e, b->s->f);
        input->ids[at] = columnar_rel_column(b->s, "grouping", SEAM_V_INT, 0);
        if (input->ids[at] < 0) return SEAM_LIMIT;
        if (st == SEAM_OK) st = columnar_rel_add_map(b->s, map, input->ids[at++], e);
    }
    input->rel = map;
    return st;
}

enum seam_status columnar_block_group_done(struct columnar_block *b)
{
    struct columnar_rel_def *def;
    struct columnar_rel *g = b->group, *u;
    enum seam_status st;

    if (g == NULL || b->n_sets == 0) return SEAM_OK;
    def = seam_arena_zalloc(b->s->a, sizeof *def);
    u = columnar_rel_new(b->s, COLUMNAR_REL_UNION, NULL);
    if (def == NULL || u == NULL) return columnar_rel_no_memory(b->s);
    u->inputs = seam_arena_zalloc(b->s->a, (size_t)b->n_sets * sizeof *u->inputs);
    u->ids = seam_arena_alloc(b->s->a, (size_t)(2 * g->n_maps + g->n_aggs + 1) * sizeof *u->ids);
    if (u->inputs == NULL || u->ids == NULL) return columnar_rel_no_memory(b->s);
    st = share_input(b, def);
    for (int i = 0; st == SEAM_OK && i < b->n_sets; i++)
        st = one_set(b, def, b->sets[i], &u->inputs[u->n_inputs++]);
    for (int k = 0; k < g->n_maps; k++) u->ids[u->n_ids++] = g->maps[k].id;
    for (int k = 0; k < g->n_aggs; k++) u->ids[u->n_ids++] = g->aggs[k].id;
    for (int k = 0; k < g->n_maps; k++) u->ids[u->n_ids++] = b->keys[k].grouping;
    if (st == SEAM_OK) *g = *u;
    return st;
}
