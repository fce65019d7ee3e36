/* sql_lower - relations as operators: numbers become positions, and only what is needed is read.
 *
 * Each relation is asked for the columns that are needed of it; it answers with a plan and the numbers of the
 * plan's columns, left to right.                                                                   */
#include <assert.h>
#include <string.h>

#include "columnar/sql/sql_rel.h"

struct lowered {
    const struct columnar_plan *plan;
    int n, *ids;
};

static enum seam_status lower(struct columnar_rel_statement *s, struct columnar_rel *r,
                              const bool *need, struct lowered *out);

static bool *needs(struct columnar_rel_statement *s, const bool *from)
{
    bool *set = columnar_rel_set(s);

    if (set != NULL && from != NULL) memcpy(set, from, (size_t)s->n_columns);
    return set;
}

static enum seam_status wrong(struct columnar_rel_statement *s, enum seam_status st,
                              const struct seam_fault *inner)
{
    return seam_fault_set(s->f, st, "sql", s->top->at, "%s",
                          inner->why[0] != '\0' ? inner->why : seam_status_name(st));
}

/* e over the columns of a (and then b, when not NULL), by position. */
static enum seam_status place(struct columnar_rel_statement *s, const struct columnar_expr *e,
                              const struct lowered *a, const struct lowered *b,
                              const struct columnar_expr **out)
{
    const struct columnar_expr **by =
        seam_arena_zalloc(s->a, (size_t)(s->n_columns + 1) * sizeof *by);
    bool *have = columnar_rel_set(s);
    enum seam_status st = SEAM_OK;

    if (by == NULL || have == NULL) return columnar_rel_no_memory(s);
    for (int side = 0; side < 2; side++) {
        const struct lowered *l = side == 0 ? a : b;

        for (int k = 0; st == SEAM_OK && l != NULL && k < l->n; k++) {
            int id = l->ids[k];

            if (id < 0 || have[id]) continue;
            have[id] = true;
            st = columnar_expr_column(s->a, side == 0 ? k : a->n + k,
                                      (enum seam_value_type)s->columns[id].type,
                                      s->columns[id].scale, &by[id], s->f);
        }
    }
    if (st == SEAM_OK && !columnar_rel_within(e, have, s->n_columns))
        return seam_fault_set(s->f, SEAM_UNSUPPORTED, "sql", s->top->at,
                              "a query looks outside in a way that is not in this dialect");
    return st == SEAM_OK ? columnar_rel_replace(s, e, by, s->n_columns, out) : st;
}

static int position(const struct lowered *l, int id)
{
    for (int k = 0; k < l->n; k++)
        if (l->ids[k] == id) return k;
    return -1;
}

static enum seam_status missing(struct columnar_rel_statement *s)
{
    return seam_fault_set(s->f, SEAM_UNSUPPORTED, "sql", s->top->at,
                          "a query looks outside in a way that is not in this dialect");
}

/* The plan's columns become exactly ids[n]. */
static enum seam_status project(struct columnar_rel_statement *s, struct lowered *l, const int *ids,
                                const char *const *names, int n)
{
    const struct columnar_expr **exprs = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof *exprs);
    const char **mine = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof *mine);
    int *copy = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof *copy);
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    if (exprs == NULL || mine == NULL || copy == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; st == SEAM_OK && k < n; k++) {
        int at = position(l, ids[k]);

        if (at < 0) return missing(s);
        mine[k] = names != NULL && names[k] != NULL ? names[k] : s->columns[ids[k]].name;
        st = columnar_expr_column(s->a, at, (enum seam_value_type)s->columns[ids[k]].type,
                                  s->columns[ids[k]].scale, &exprs[k], s->f);
        copy[k] = ids[k];
    }
    if (st != SEAM_OK) return st;
    st = columnar_plan_project(s->a, l->plan, exprs, mine, n, &l->plan, &inner);
    l->ids = copy;
    l->n = n;
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

/* Drops what nobody needs, where rows are about to be kept. */
static enum seam_status trim(struct columnar_rel_statement *s, struct lowered *l, const bool *need)
{
    int *ids = seam_arena_alloc(s->a, (size_t)(l->n + 1) * sizeof *ids), n = 0;

    if (ids == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; k < l->n; k++)
        if (l->ids[k] >= 0 && need[l->ids[k]]) ids[n++] = l->ids[k];
    if (n == l->n) return SEAM_OK;
    if (n == 0) { /* rows of nothing: keep one column */
        for (int k = 0; k < l->n && n == 0; k++)
            if (l->ids[k] >= 0) ids[n++] = l->ids[k];
        if (n == 0) return SEAM_OK;
    }
    return project(s, l, ids, NULL, n);
}

/* ---- sources ---- */

static enum seam_status scan(struct columnar_rel_statement *s, struct columnar_rel *r,
                             const bool *need, struct lowered *out)
{
    int *columns = seam_arena_alloc(s->a, (size_t)(r->n_ids + 1) * sizeof *columns);
    struct seam_fault inner = {0};
    enum seam_status st;

    out->ids = seam_arena_alloc(s->a, (size_t)(r->n_ids + 1) * sizeof *out->ids);
    if (columns == NULL || out->ids == NULL) return columnar_rel_no_memory(s);
    out->n = 0;
    if (r->reader == NULL) {
        memcpy(out->ids, r->ids, (size_t)r->n_ids * sizeof *out->ids);
        out->n = r->n_ids;
        st = columnar_plan_rows(s->a, r->rows->columns, r->rows->n, &r->rows->source, &out->plan,
                                &inner);
        return st == SEAM_OK ? st : wrong(s, st, &inner);
    }
    for (int k = 0; k < r->n_ids; k++)
        if (need[r->ids[k]]) {
            columns[out->n] = r->columns[k];
            out->ids[out->n++] = r->ids[k];
        }
    if (out->n == 0) { /* rows are counted by one column, which is not read */
        columns[0] = r->columns[0];
        out->ids[out->n++] = r->ids[0];
    }
    st = columnar_plan_scan(s->a, r->reader, r->table, columns, out->n, r->lsn, &out->plan, &inner);
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

struct value_rows {
    size_t at, n;
};

static enum seam_status next_row(void *ctx, struct seam_value *values, struct seam_fault *f)
{
    struct value_rows *v = ctx;

    (void)f;
    if (v->at == v->n) return SEAM_END;
    v->at++;
    values[0] = seam_v_int(0);
    return SEAM_OK;
}

static enum seam_status rewind_rows(void *ctx, struct seam_fault *f)
{
    struct value_rows *v = ctx;

    (void)f;
    v->at = 0;
    return SEAM_OK;
}

/* Rows of no columns have one that nobody names. */
static enum seam_status empty_rows(struct columnar_rel_statement *s, struct columnar_rel *r,
                                   struct lowered *out)
{
    static const struct columnar_plan_column column = {"row", SEAM_V_INT, 0};
    struct value_rows *v = seam_arena_zalloc(s->a, sizeof *v);
    struct columnar_plan_source source = {next_row, rewind_rows, v};

    out->ids = seam_arena_alloc(s->a, sizeof *out->ids);
    if (v == NULL || out->ids == NULL) return columnar_rel_no_memory(s);
    v->n = r->n_rows;
    out->n = 1;
    out->ids[0] = -1;
    return columnar_plan_rows(s->a, &column, 1, &source, &out->plan, s->f);
}

static enum seam_status shared(struct columnar_rel_statement *s, struct columnar_rel *r,
                               struct lowered *out)
{
    struct columnar_rel_def *def = r->def;
    struct lowered l = {0};
    bool *need = columnar_rel_set(s);
    enum seam_status st = SEAM_OK;

    if (need == NULL) return SEAM_NOMEM;
    if (def->plan == NULL) {
        for (int k = 0; k < def->n; k++) need[def->ids[k]] = true;
        st = lower(s, def->rel, need, &l);
        if (st == SEAM_OK && def->n > 0) st = project(s, &l, def->ids, NULL, def->n);
        if (st == SEAM_OK) st = columnar_plan_shared(s->a, l.plan, &def->plan, s->f);
    }
    out->plan = def->plan;
    out->n = r->n_ids;
    out->ids = r->ids;
    if (out->n == 0) {
        out->ids = seam_arena_alloc(s->a, sizeof *out->ids);
        if (out->ids == NULL) return columnar_rel_no_memory(s);
        out->ids[0] = -1;
        out->n = 1;
    }
    return st;
}

static enum seam_status append(struct columnar_rel_statement *s, struct columnar_rel *r,
                               const bool *need, struct lowered *out)
{
    const struct columnar_plan **plans =
        seam_arena_alloc(s->a, (size_t)(r->n_inputs + 1) * sizeof *plans);
    int *which = seam_arena_alloc(s->a, (size_t)(r->n_ids + 1) * sizeof *which), n = 0;
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    out->ids = seam_arena_alloc(s->a, (size_t)(r->n_ids + 1) * sizeof *out->ids);
    if (plans == NULL || which == NULL || out->ids == NULL) return columnar_rel_no_memory(s);
    for (int c = 0; c < r->n_ids; c++)
        if (need[r->ids[c]] || (n == 0 && c == r->n_ids - 1)) {
            out->ids[n] = r->ids[c];
            which[n++] = c;
        }
    out->n = n;
    for (int i = 0; st == SEAM_OK && i < r->n_inputs; i++) {
        struct lowered l = {0};
        bool *mine = columnar_rel_set(s);
        int *ids = seam_arena_alloc(s->a, (size_t)(n + 1) * sizeof *ids);

        if (mine == NULL || ids == NULL) return columnar_rel_no_memory(s);
        for (int k = 0; k < n; k++) mine[ids[k] = r->inputs[i].ids[which[k]]] = true;
        st = lower(s, r->inputs[i].rel, mine, &l);
        if (st == SEAM_OK) st = project(s, &l, ids, NULL, n);
        plans[i] = l.plan;
    }
    if (st == SEAM_OK) st = columnar_plan_append(s->a, plans, r->n_inputs, &out->plan, &inner);
    return st == SEAM_OK || inner.status == SEAM_OK ? st : wrong(s, st, &inner);
}

/* ---- one input ---- */

static enum seam_status filter(struct columnar_rel_statement *s, struct columnar_rel *r,
                               const bool *need, struct lowered *out)
{
    bool *more = needs(s, need);
    struct seam_fault inner = {0};
    enum seam_status st;

    if (more == NULL) return SEAM_NOMEM;
    for (int k = 0; k < r->n_conds; k++) columnar_rel_expr_ids(r->conds[k], more);
    st = lower(s, r->in, more, out);
    for (int k = 0; st == SEAM_OK && k < r->n_conds; k++) {
        const struct columnar_expr *e;

        st = place(s, r->conds[k], out, NULL, &e);
        if (st != SEAM_OK) break;
        st = columnar_plan_filter(s->a, out->plan, e, &out->plan, &inner);
        if (st != SEAM_OK) st = wrong(s, st, &inner);
    }
    return st;
}

static enum seam_status map(struct columnar_rel_statement *s, struct columnar_rel *r,
                            const bool *need, struct lowered *out)
{
    bool *more = needs(s, need);
    struct lowered in = {0};
    const struct columnar_expr **exprs;
    const char **names;
    struct seam_fault inner = {0};
    int wanted = 0, n = 0;
    enum seam_status st;

    if (more == NULL) return SEAM_NOMEM;
    for (int k = 0; k < r->n_maps; k++) more[r->maps[k].id] = false;
    for (int k = 0; k < r->n_maps; k++)
        if (need[r->maps[k].id]) {
            columnar_rel_expr_ids(r->maps[k].e, more);
            wanted++;
        }
    if (wanted == 0) return lower(s, r->in, need, out);
    st = lower(s, r->in, more, &in);
    if (st != SEAM_OK) return st;
    exprs = seam_arena_alloc(s->a, (size_t)(in.n + r->n_maps + 1) * sizeof *exprs);
    names = seam_arena_alloc(s->a, (size_t)(in.n + r->n_maps + 1) * sizeof *names);
    out->ids = seam_arena_alloc(s->a, (size_t)(in.n + r->n_maps + 1) * sizeof *out->ids);
    if (exprs == NULL || names == NULL || out->ids == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; st == SEAM_OK && k < in.n; k++) {
        int id = in.ids[k];

        if (id < 0 || !need[id]) continue;
        names[n] = s->columns[id].name;
        out->ids[n] = id;
        st = columnar_expr_column(s->a, k, (enum seam_value_type)s->columns[id].type,
                                  s->columns[id].scale, &exprs[n++], s->f);
    }
    for (int k = 0; st == SEAM_OK && k < r->n_maps; k++) {
        if (!need[r->maps[k].id]) continue;
        names[n] = s->columns[r->maps[k].id].name;
        out->ids[n] = r->maps[k].id;
        st = place(s, r->maps[k].e, &in, NULL, &exprs[n++]);
    }
    if (st != SEAM_OK) return st;
    out->n = n;
    st = columnar_plan_project(s->a, in.plan, exprs, names, n, &out->plan, &inner);
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

static enum seam_status group(struct columnar_rel_statement *s, struct columnar_rel *r,
                              const bool *need, struct lowered *out)
{
    static const struct columnar_plan_agg count = {.op = COLUMNAR_AGG_COUNT_ALL, .name = "count"};
    bool *more = columnar_rel_set(s);
    const struct columnar_expr **keys =
        seam_arena_alloc(s->a, (size_t)(r->n_maps + 1) * sizeof *keys);
    const char **names = seam_arena_alloc(s->a, (size_t)(r->n_maps + 1) * sizeof *names);
    struct columnar_plan_agg *aggs = seam_arena_alloc(s->a, (size_t)(r->n_aggs + 1) * sizeof *aggs);
    struct lowered in = {0};
    struct seam_fault inner = {0};
    int n = 0;
    enum seam_status st = SEAM_OK;

    out->ids = seam_arena_alloc(s->a, (size_t)(r->n_maps + r->n_aggs + 1) * sizeof *out->ids);
    if (more == NULL || keys == NULL || names == NULL || aggs == NULL || out->ids == NULL)
        return columnar_rel_no_memory(s);
    for (int k = 0; k < r->n_maps; k++) columnar_rel_expr_ids(r->maps[k].e, more);
    for (int k = 0; k < r->n_aggs; k++) {
        if (!need[r->aggs[k].id]) continue;
        if (r->aggs[k].agg.arg != NULL) columnar_rel_expr_ids(r->aggs[k].agg.arg, more);
        if (r->aggs[k].agg.arg2 != NULL) columnar_rel_expr_ids(r->aggs[k].agg.arg2, more);
        if (r->aggs[k].agg.order != NULL) columnar_rel_expr_ids(r->aggs[k].agg.order, more);
    }
    st = lower(s, r->in, more, &in);
    for (int k = 0; st == SEAM_OK && k < r->n_maps; k++) {
        names[k] = s->columns[r->maps[k].id].name;
        out->ids[k] = r->maps[k].id;
        st = place(s, r->maps[k].e, &in, NULL, &keys[k]);
    }
    for (int k = 0; st == SEAM_OK && k < r->n_aggs; k++) {
        struct columnar_plan_agg *a = &aggs[n];

        if (!need[r->aggs[k].id]) continue;
        *a = r->aggs[k].agg;
        if (a->arg != NULL) st = place(s, a->arg, &in, NULL, &a->arg);
        if (st == SEAM_OK && a->arg2 != NULL) st = place(s, a->arg2, &in, NULL, &a->arg2);
        if (st == SEAM_OK && a->order != NULL) st = place(s, a->order, &in, NULL, &a->order);
        out->ids[r->n_maps + n++] = r->aggs[k].id;
    }
    if (st != SEAM_OK) return st;
    if (r->n_maps + n == 0) {
        aggs[n] = count;
        out->ids[n++] = -1;
    }
    out->n = r->n_maps + n;
    st =
        columnar_plan_aggregate(s->a, in.plan, keys, names, r->n_maps, aggs, n, &out->plan, &inner);
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

static enum seam_status keys_of(struct columnar_rel_statement *s, const struct columnar_rel *r,
                                const struct lowered *in, struct columnar_plan_key **out)
{
    *out = seam_arena_alloc(s->a, (size_t)(r->n_order + 1) * sizeof **out);
    if (*out == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; k < r->n_order; k++) {
        int at = position(in, r->order[k].id);

        if (at < 0) return missing(s);
        (*out)[k] = (struct columnar_plan_key){at, r->order[k].descending, r->order[k].nulls_first};
    }
    return SEAM_OK;
}

static enum seam_status window(struct columnar_rel_statement *s, struct columnar_rel *r,
                               const bool *need, struct lowered *out)
{
    bool *more = needs(s, need);
    struct columnar_plan_window_call *calls =
        seam_arena_alloc(s->a, (size_t)(r->n_windows + 1) * sizeof *calls);
    int *partition = seam_arena_alloc(s->a, (size_t)(r->n_partition + 1) * sizeof *partition);
    struct columnar_plan_key *keys;
    struct lowered in = {0};
    struct seam_fault inner = {0};
    enum seam_status st;

    if (more == NULL || calls == NULL || partition == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; k < r->n_windows; k++) more[r->window_ids[k]] = false;
    for (int k = 0; k < r->n_partition; k++) more[r->partition[k]] = true;
    for (int k = 0; k < r->n_order; k++) more[r->order[k].id] = true;
    for (int k = 0; k < r->n_windows; k++)
        for (int i = 0; i < r->windows[k].n_args; i++) more[r->windows[k].args[i]] = true;
    st = lower(s, r->in, more, &in);
    if (st == SEAM_OK) st = trim(s, &in, more);
    if (st == SEAM_OK) st = keys_of(s, r, &in, &keys);
    if (st != SEAM_OK) return st;
    for (int k = 0; k < r->n_partition; k++)
        if ((partition[k] = position(&in, r->partition[k])) < 0) return missing(s);
    out->ids = seam_arena_alloc(s->a, (size_t)(in.n + r->n_windows + 1) * sizeof *out->ids);
    if (out->ids == NULL) return columnar_rel_no_memory(s);
    memcpy(out->ids, in.ids, (size_t)in.n * sizeof *out->ids);
    for (int k = 0; k < r->n_windows; k++) {
        calls[k] = r->windows[k];
        calls[k].args = seam_arena_alloc(s->a, (size_t)(calls[k].n_args + 1) * sizeof(int));
        if (calls[k].args == NULL) return columnar_rel_no_memory(s);
        for (int i = 0; i < calls[k].n_args; i++)
            if ((calls[k].args[i] = position(&in, r->windows[k].args[i])) < 0) return missing(s);
        out->ids[in.n + k] = r->window_ids[k];
    }
    out->n = in.n + r->n_windows;
    st = columnar_plan_window(s->a, in.plan, partition, r->n_partition, keys, r->n_order, calls,
                              r->n_windows, &out->plan, &inner);
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

static enum seam_status order(struct columnar_rel_statement *s, struct columnar_rel *r,
                              const bool *need, struct lowered *out)
{
    bool *more = needs(s, need);
    struct columnar_plan_key *keys;
    struct seam_fault inner = {0};
    enum seam_status st;

    if (more == NULL) return SEAM_NOMEM;
    for (int k = 0; k < r->n_order; k++) more[r->order[k].id] = true;
    st = lower(s, r->in, more, out);
    if (st == SEAM_OK) st = trim(s, out, more);
    if (st == SEAM_OK) st = keys_of(s, r, out, &keys);
    if (st != SEAM_OK) return st;
    st = r->n_order > 0
             ? columnar_plan_order(s->a, out->plan, keys, r->n_order, r->limit, r->offset,
                                   &out->plan, &inner)
             : columnar_plan_limit(s->a, out->plan, r->limit, r->offset, &out->plan, &inner);
    return st == SEAM_OK ? st : wrong(s, st, &inner);
}

/* ---- joins ---- */

struct keys {
    const struct columnar_expr **left, **right;
    bool *null_safe;
    int n;
    const struct columnar_expr **rest;
    int n_rest;
};

static enum seam_status split(struct columnar_rel_statement *s, const struct columnar_rel *r,
                              const struct lowered *l, const struct lowered *rt, const bool *left,
                              const bool *right, struct keys *k)
{
    int n = s->n_columns;
    enum seam_status st = SEAM_OK;

    k->left = seam_arena_alloc(s->a, (size_t)(r->n_conds + 1) * sizeof *k->left);
    k->right = seam_arena_alloc(s->a, (size_t)(r->n_conds + 1) * sizeof *k->right);
    k->null_safe = seam_arena_zalloc(s->a, (size_t)(r->n_conds + 1) * sizeof *k->null_safe);
    k->rest = seam_arena_alloc(s->a, (size_t)(r->n_conds + 1) * sizeof *k->rest);
    if (k->left == NULL || k->right == NULL || k->null_safe == NULL || k->rest == NULL)
        return columnar_rel_no_memory(s);
    for (int i = 0; st == SEAM_OK && i < r->n_conds; i++) {
        const struct columnar_expr *a, *b, *t;
        bool safe, is = columnar_rel_is_equal(r->conds[i], &a, &b, &safe);

        if (is && columnar_rel_touches(a, right, n)) t = a, a = b, b = t;
        if (is && columnar_rel_within(a, left, n) && columnar_rel_within(b, right, n) &&
            columnar_rel_touches(a, left, n) && columnar_rel_touches(b, right, n)) {
            st = place(s, a, l, NULL, &k->left[k->n]);
            if (st == SEAM_OK) st = place(s, b, rt, NULL, &k->right[k->n]);
            k->null_safe[k->n++] = safe;
        } else {
            st = place(s, r->conds[i], l, rt, &k->rest[k->n_rest++]);
        }
    }
    return st;
}

static enum seam_status join(struct columnar_rel_statement *s, struct columnar_rel *r,
                             const bool *need, struct lowered *out)
{
    bool *more = needs(s, need), *left = columnar_rel_set(s), *right = columnar_rel_set(s);
    struct lowered l = {0}, rt = {0};
    struct keys k = {0};
    struct columnar_plan_join_spec spec = {.kind = r->join, .null_aware = r->null_aware};
    struct seam_fault inner = {0};
    bool both = r->join <= COLUMNAR_JOIN_SINGLE;
    enum seam_status st;

    if (more == NULL || left == NULL || right == NULL) return SEAM_NOMEM;
    columnar_rel_out(r->in, left);
    columnar_rel_out(r->right, right);
    for (int i = 0; i < r->n_conds; i++) columnar_rel_expr_ids(r->conds[i], more);
    st = lower(s, r->in, more, &l);
    if (st == SEAM_OK) st = lower(s, r->right, more, &rt);
    if (st == SEAM_OK) st = trim(s, &rt, more);
    if (st == SEAM_OK) st = split(s, r, &l, &rt, left, right, &k);
    if (st != SEAM_OK) return st;
    if (r->null_aware && (k.n != 1 || k.n_rest > 0))
        return seam_fault_set(s->f, SEAM_UNSUPPORTED, "sql", s->top->at,
                              "NOT IN beside such a query is not in this dialect: use NOT EXISTS");
    spec.left = l.plan;
    spec.right = rt.plan;
    spec.n = k.n;
    spec.left_keys = k.left;
    spec.right_keys = k.right;
    spec.null_safe = k.null_safe;
    if (k.n_rest == 1)
        spec.where = k.rest[0];
    else if (k.n_rest > 1)
        st = columnar_expr_call(s->a, COLUMNAR_E_AND, k.rest, k.n_rest, &spec.where, s->f);
    if (st == SEAM_OK && spec.where != NULL && spec.where->type != SEAM_V_BOOL)
        st = columnar_expr_cast(s->a, spec.where, SEAM_V_BOOL, 0, &spec.where, s->f);
    if (st != SEAM_OK) return st;
    st = columnar_plan_join_with(s->a, &spec, &out->plan, &inner);
    if (st != SEAM_OK) return wrong(s, st, &inner);
    out->ids = seam_arena_alloc(s->a, (size_t)(l.n + rt.n + 1) * sizeof *out->ids);
    if (out->ids == NULL) return columnar_rel_no_memory(s);
    memcpy(out->ids, l.ids, (size_t)l.n * sizeof *out->ids);
    out->n = l.n;
    if (both) memcpy(out->ids + l.n, rt.ids, (size_t)rt.n * sizeof *out->ids);
    if (both) out->n += rt.n;
    if (r->join == COLUMNAR_JOIN_MARK) out->ids[out->n++] = r->mark;
    return SEAM_OK;
}

static enum seam_status lower(struct columnar_rel_statement *s, struct columnar_rel *r,
                              const bool *need, struct lowered *out)
{
    switch (r->kind) {
    case COLUMNAR_REL_SCAN: return scan(s, r, need, out);
    case COLUMNAR_REL_VALUES: return empty_rows(s, r, out);
    case COLUMNAR_REL_FILTER: return filter(s, r, need, out);
    case COLUMNAR_REL_MAP: return map(s, r, need, out);
    case COLUMNAR_REL_JOIN: return join(s, r, need, out);
    case COLUMNAR_REL_GROUP: return group(s, r, need, out);
    case COLUMNAR_REL_WINDOW: return window(s, r, need, out);
    case COLUMNAR_REL_ORDER: return order(s, r, need, out);
    case COLUMNAR_REL_UNION: return append(s, r, need, out);
    case COLUMNAR_REL_SHARED: return shared(s, r, out);
    case COLUMNAR_REL_APPLY: break;
    }
    return missing(s);
}

enum seam_status columnar_rel_lower(struct columnar_rel_statement *s, struct columnar_rel *r,
                                    const int *ids, const char *const *names, int n,
                                    const struct columnar_plan **out)
{
    bool *need = columnar_rel_set(s);
    struct lowered l = {0};
    enum seam_status st;

    if (need == NULL) return SEAM_NOMEM;
    for (int k = 0; k < n; k++) need[ids[k]] = true;
    st = lower(s, r, need, &l);
    if (st == SEAM_OK) st = project(s, &l, ids, names, n);
    *out = l.plan;
    return st;
}
