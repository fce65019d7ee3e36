/* sql_unnest - correlated queries become joins.
 *
 *   L APPLY R, R reads columns F of L:
 *
 *   pull    where only filters, maps, inner joins and groups stand between: the conditions that read F come up
 *           and become the join's; through a group only "inner expression = outer expression" can pass, and its
 *           inner side becomes a key of the group.       exists (.. where b.k = a.k and b.x <> a.x) -> semi join
 *   push    everything else: D = the distinct F of L is joined into R where F is read, every operator on the way
 *           keeps D's columns apart (a group has them as keys, a window as partition, a limit counts by them), and
 *           L is joined with the result where its F is not distinct from D's.
 * A group without keys has a row even over nothing: it is joined to D (or, pulled, to L) from the left, and its counts
 * are 0 where it is missing.
 * Paper: Neumann, Kemper: Unnesting Arbitrary Queries (BTW 2015).                                   */
#include <assert.h>
#include <string.h>

#include "columnar/sql/sql_rel.h"

static enum seam_status too_hard(struct columnar_rel_statement *s, const char *what)
{
    return seam_fault_set(s->f, SEAM_UNSUPPORTED, "sql", s->top->at,
                          "a query that looks outside from beneath %s is not in this dialect",
                          what);
}

/* ---- pulling conditions up ---- */

struct pulled {
    const struct columnar_expr **conds;
    int n;
    const bool *outer; /* columns of L */
    int n_outer;
};

static bool reads_outer(const struct pulled *p, const struct columnar_expr *e)
{
    return columnar_rel_touches(e, p->outer, p->n_outer);
}

static int free_of(struct columnar_rel_statement *s, const struct columnar_rel *r,
                   const struct pulled *p)
{
    bool *set = columnar_rel_set(s), *of = columnar_rel_set(s);

    if (set == NULL || of == NULL) return -1;
    memcpy(of, p->outer, (size_t)p->n_outer);
    return columnar_rel_free(s, r, of, set);
}

/* Can everything below r that reads outer columns come up? Changes nothing. */
static bool can_pull(struct columnar_rel_statement *s, const struct columnar_rel *r,
                     const struct pulled *p)
{
    int n = free_of(s, r, p);

    if (n == 0) return true;
    switch (r->kind) {
    case COLUMNAR_REL_FILTER: return can_pull(s, r->in, p);
    case COLUMNAR_REL_MAP:
        for (int k = 0; k < r->n_maps; k++)
            if (reads_outer(p, r->maps[k].e)) return false;
        return can_pull(s, r->in, p);
    case COLUMNAR_REL_JOIN:
        if (r->join == COLUMNAR_JOIN_INNER)
            return can_pull(s, r->in, p) && can_pull(s, r->right, p);
        for (int k = 0; k < r->n_conds; k++)
            if (reads_outer(p, r->conds[k])) return false;
        return r->join != COLUMNAR_JOIN_FULL && free_of(s, r->right, p) == 0 &&
               can_pull(s, r->in, p);
    case COLUMNAR_REL_ORDER:
        return r->limit == UINT64_MAX && r->offset == 0 && can_pull(s, r->in, p);
    case COLUMNAR_REL_GROUP:
        for (int k = 0; k < r->n_maps; k++)
            if (reads_outer(p, r->maps[k].e)) return false;
        for (int k = 0; k < r->n_aggs; k++) {
            const struct columnar_plan_agg *a = &r->aggs[k].agg;

            if ((a->arg != NULL && reads_outer(p, a->arg)) ||
                (a->arg2 != NULL && reads_outer(p, a->arg2)) ||
                (a->order != NULL && reads_outer(p, a->order)))
                return false;
        }
        return can_pull(s, r->in, p);
    default: return false;
    }
}

static enum seam_status take_conds(struct columnar_rel_statement *s, struct columnar_rel *r,
                                   struct pulled *p)
{
    int kept = 0;

    for (int k = 0; k < r->n_conds; k++) {
        if (!reads_outer(p, r->conds[k])) {
            r->conds[kept++] = r->conds[k];
            continue;
        }
        p->conds = columnar_rel_grow(s, p->conds, p->n, sizeof *p->conds);
        if (p->conds == NULL) return SEAM_NOMEM;
        p->conds[p->n++] = r->conds[k];
    }
    if (kept < r->n_conds) { /* the list's place is counted by powers of two */
        const struct columnar_expr **again = NULL;

        for (int k = 0; k < kept; k++) {
            again = columnar_rel_grow(s, again, k, sizeof *again);
            if (again == NULL) return SEAM_NOMEM;
            again[k] = r->conds[k];
        }
        r->conds = again;
        r->n_conds = kept;
    }
    return SEAM_OK;
}

/* An equality whose one side is all outer and the other all inner; *inner is set. */
static bool splits(const struct pulled *p, const struct columnar_expr *e,
                   const struct columnar_expr **outer, const struct columnar_expr **inner,
                   bool *null_safe)
{
    const struct columnar_expr *a, *b;

    if (!columnar_rel_is_equal(e, &a, &b, null_safe)) return false;
    for (int k = 0; k < 2; k++) {
        const struct columnar_expr *x = k == 0 ? a : b, *y = k == 0 ? b : a;

        if (columnar_rel_within(x, p->outer, p->n_outer) && reads_outer(p, x) &&
            !reads_outer(p, y)) {
            *outer = x;
            *inner = y;
            return true;
        }
    }
    return false;
}

/* Every condition pulled through a group becomes a key of it; false in *ok: one cannot. */
static enum seam_status through_group(struct columnar_rel_statement *s, struct columnar_rel *g,
                                      struct pulled *p, int from)
{
    enum seam_status st = SEAM_OK;

    for (int k = from; st == SEAM_OK && k < p->n; k++) {
        const struct columnar_expr *outer, *inner, *column;
        bool null_safe;
        int id = -1;

        if (!splits(p, p->conds[k], &outer, &inner, &null_safe)) return SEAM_END;
        for (int i = 0; i < g->n_maps; i++)
            if (columnar_expr_same(g->maps[i].e, inner)) id = g->maps[i].id;
        if (id < 0) {
            id = inner->op == COLUMNAR_E_COLUMN
                     ? inner->column
                     : columnar_rel_column(s, "key", inner->type, inner->scale);
            if (id < 0) return SEAM_LIMIT;
            st = columnar_rel_add_map(s, g, id, inner);
        }
        if (st == SEAM_OK) st = columnar_rel_column_expr(s, id, &column);
        if (st == SEAM_OK) st = columnar_rel_equal(s, outer, column, null_safe, &p->conds[k]);
    }
    return st;
}

/* SEAM_END: it cannot be done this way (the tree may have changed: the caller works on a copy). */
static enum seam_status pull(struct columnar_rel_statement *s, struct columnar_rel *r,
                             struct pulled *p)
{
    int before = p->n;
    enum seam_status st = SEAM_OK;

    if (free_of(s, r, p) == 0) return SEAM_OK;
    switch (r->kind) {
    case COLUMNAR_REL_FILTER:
    case COLUMNAR_REL_MAP:
    case COLUMNAR_REL_ORDER:
        st = pull(s, r->in, p);
        return st == SEAM_OK ? take_conds(s, r, p) : st;
    case COLUMNAR_REL_JOIN:
        st = pull(s, r->in, p);
        if (st == SEAM_OK && r->join == COLUMNAR_JOIN_INNER) st = pull(s, r->right, p);
        if (st == SEAM_OK && r->join == COLUMNAR_JOIN_INNER) st = take_conds(s, r, p);
        return st;
    case COLUMNAR_REL_GROUP:
        if (r->n_maps == 0) return SEAM_END; /* its one row over nothing: the caller's matter */
        st = pull(s, r->in, p);
        return st == SEAM_OK ? through_group(s, r, p, before) : st;
    default: return SEAM_END;
    }
}

/* ---- counts of nothing ---- */

/* Above a left join to a group: counts that are missing are 0. Ids keep their meaning: the group's own get new ones. */
static enum seam_status counts_are_zero(struct columnar_rel_statement *s, struct columnar_rel *g,
                                        struct columnar_rel **above)
{
    struct columnar_rel *map = NULL;
    struct seam_value zero = seam_v_int(0);
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < g->n_aggs; k++) {
        enum columnar_agg_op op = g->aggs[k].agg.op;
        const struct columnar_expr *raw, *nothing, *filled;
        int id = g->aggs[k].id;

        if (op != COLUMNAR_AGG_COUNT_ALL && op != COLUMNAR_AGG_COUNT &&
            op != COLUMNAR_AGG_COUNT_DISTINCT && op != COLUMNAR_AGG_APPROX_DISTINCT)
            continue;
        g->aggs[k].id = columnar_rel_column(s, "count", SEAM_V_INT, 0);
        if (map == NULL) *above = map = columnar_rel_new(s, COLUMNAR_REL_MAP, *above);
        if (g->aggs[k].id < 0 || map == NULL) return SEAM_NOMEM;
        st = columnar_rel_column_expr(s, g->aggs[k].id, &raw);
        if (st == SEAM_OK) st = columnar_expr_const(s->a, &zero, &nothing, s->f);
        if (st == SEAM_OK) st = columnar_rel_call(s, COLUMNAR_E_COALESCE, raw, nothing, &filled);
        if (st == SEAM_OK) st = columnar_rel_add_map(s, map, id, filled);
    }
    return st;
}

/* L APPLY one value, R = maps over a group without keys: L LEFT JOIN the group by its new keys, then the maps.
 * SEAM_END: R is nothing of the kind; SEAM_NOT_FOUND: it is, and cannot be done (and has been changed). */
static enum seam_status pull_scalar(struct columnar_rel_statement *s, struct columnar_rel **at,
                                    struct pulled *p)
{
    struct columnar_rel *apply = *at, *r = apply->right, *maps[64], *join, *g = r;
    int n = 0;
    enum seam_status st;

    for (; g->kind == COLUMNAR_REL_MAP && n < 64; g = g->in) maps[n++] = g;
    if (g->kind != COLUMNAR_REL_GROUP || g->n_maps > 0 || apply->n_conds > 0) return SEAM_END;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < maps[k]->n_maps; i++)
            if (reads_outer(p, maps[k]->maps[i].e)) return SEAM_END;
    for (int k = 0; k < g->n_aggs; k++) {
        const struct columnar_plan_agg *a = &g->aggs[k].agg;

        if ((a->arg != NULL && reads_outer(p, a->arg)) ||
            (a->arg2 != NULL && reads_outer(p, a->arg2)) ||
            (a->order != NULL && reads_outer(p, a->order)))
            return SEAM_END;
    }
    st = pull(s, g->in, p);
    if (st == SEAM_OK) st = through_group(s, g, p, 0);
    if (st != SEAM_OK) return st == SEAM_END ? SEAM_NOT_FOUND : st;
    join = columnar_rel_new(s, COLUMNAR_REL_JOIN, apply->in);
    if (join == NULL) return SEAM_NOMEM;
    join->join = COLUMNAR_JOIN_LEFT;
    join->right = g;
    join->conds = p->conds;
    join->n_conds = p->n;
    *at = join;
    st = counts_are_zero(s, g, at);
    for (int k = n; st == SEAM_OK && k-- > 0;) {
        maps[k]->in = *at;
        *at = maps[k];
    }
    return st;
}

/* ---- pushing D down ---- */

struct domain {
    const struct columnar_rel *l;
    int n, *ids;   /* F */
    int n_columns; /* of the statement when F was found */
};

/* A fresh D, and what its columns are called: to[i] of ids[i]. */
static enum seam_status fresh_domain(struct columnar_rel_statement *s, const struct domain *d,
                                     struct columnar_rel **out, int *to)
{
    int *all = seam_arena_alloc(s->a, (size_t)(s->n_columns + 1) * sizeof *all);
    struct columnar_rel *copy, *g;
    enum seam_status st;

    if (all == NULL) return columnar_rel_no_memory(s);
    st = columnar_rel_clone(s, d->l, &copy, all);
    if (st != SEAM_OK) return st;
    g = columnar_rel_new(s, COLUMNAR_REL_GROUP, copy);
    if (g == NULL) return SEAM_NOMEM;
    for (int k = 0; st == SEAM_OK && k < d->n; k++) {
        const struct columnar_expr *e;

        to[k] = all[d->ids[k]];
        st = columnar_rel_column_expr(s, to[k], &e);
        if (st == SEAM_OK) st = columnar_rel_add_map(s, g, to[k], e);
    }
    *out = g;
    return st;
}

static int free_in(struct columnar_rel_statement *s, const struct columnar_rel *r,
                   const struct domain *d)
{
    bool *set = columnar_rel_set(s), *of = columnar_rel_set(s);

    if (set == NULL || of == NULL) return -1;
    for (int k = 0; k < d->n; k++) of[d->ids[k]] = true;
    return columnar_rel_free(s, r, of, set);
}

/* The node's own expressions speak of D's columns from now on. */
static enum seam_status rename_own(struct columnar_rel_statement *s, const struct domain *d,
                                   struct columnar_rel *r, const int *to)
{
    const struct columnar_expr **by =
        seam_arena_zalloc(s->a, (size_t)(s->n_columns + 1) * sizeof *by);
    struct columnar_rel *in = r->in, *right = r->right;
    int inputs = r->n_inputs;
    enum seam_status st = SEAM_OK;

    if (by == NULL) return columnar_rel_no_memory(s);
    for (int k = 0; st == SEAM_OK && k < d->n; k++)
        st = columnar_rel_column_expr(s, to[k], &by[d->ids[k]]);
    r->in = r->right = NULL;
    r->n_inputs = 0;
    if (st == SEAM_OK) st = columnar_rel_replace_in(s, r, by, s->n_columns);
    r->in = in;
    r->right = right;
    r->n_inputs = inputs;
    return st;
}

static enum seam_status same_domain(struct columnar_rel_statement *s, struct columnar_rel *join,
                                    const int *x, const int *y, int n)
{
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < n; k++) {
        const struct columnar_expr *a, *b, *e;

        st = columnar_rel_column_expr(s, x[k], &a);
        if (st == SEAM_OK) st = columnar_rel_column_expr(s, y[k], &b);
        if (st == SEAM_OK) st = columnar_rel_equal(s, a, b, true, &e);
        if (st == SEAM_OK) st = columnar_rel_add_cond(s, join, e);
    }
    return st;
}

static enum seam_status push(struct columnar_rel_statement *s, const struct domain *d,
                             struct columnar_rel **at, int *to);

static enum seam_status push_join(struct columnar_rel_statement *s, const struct domain *d,
                                  struct columnar_rel *r, int *to)
{
    int *other = seam_arena_alloc(s->a, (size_t)(d->n + 1) * sizeof *other);
    bool left = free_in(s, r->in, d) != 0, right = free_in(s, r->right, d) != 0;
    bool both = r->join != COLUMNAR_JOIN_INNER && right;
    enum seam_status st = SEAM_OK;

    if (other == NULL) return columnar_rel_no_memory(s);
    if (r->join == COLUMNAR_JOIN_FULL) return too_hard(s, "a FULL JOIN");
    if (r->join == COLUMNAR_JOIN_MARK && r->null_aware && right) return too_hard(s, "NOT IN");
    if (right && !left && !both) { /* an inner join whose right side alone has D */
        st = push(s, d, &r->right, to);
        return st == SEAM_OK ? rename_own(s, d, r, to) : st;
    }
    st = push(s, d, &r->in, to);
    if (st == SEAM_OK && right) st = push(s, d, &r->right, other);
    if (st == SEAM_OK && right) st = same_domain(s, r, to, other, d->n);
    return st == SEAM_OK ? rename_own(s, d, r, to) : st;
}

static enum seam_status push_group(struct columnar_rel_statement *s, const struct domain *d,
                                   struct columnar_rel **at, int *to)
{
    struct columnar_rel *g = *at, *join;
    bool scalar = g->n_maps == 0;
    int *mine = seam_arena_alloc(s->a, (size_t)(d->n + 1) * sizeof *mine);
    enum seam_status st = mine == NULL ? columnar_rel_no_memory(s) : push(s, d, &g->in, mine);

    if (st == SEAM_OK) st = rename_own(s, d, g, mine);
    for (int k = 0; st == SEAM_OK && k < d->n; k++) {
        const struct columnar_expr *e;

        st = columnar_rel_column_expr(s, mine[k], &e);
        if (st == SEAM_OK) st = columnar_rel_add_map(s, g, mine[k], e);
    }
    if (st != SEAM_OK || !scalar) {
        memcpy(to, mine, (size_t)d->n * sizeof *to);
        return st;
    }
    join = columnar_rel_new(s, COLUMNAR_REL_JOIN, NULL);
    if (join == NULL) return SEAM_NOMEM;
    join->join = COLUMNAR_JOIN_LEFT;
    join->right = g;
    st = fresh_domain(s, d, &join->in, to);
    if (st == SEAM_OK) st = same_domain(s, join, to, mine, d->n);
    *at = join;
    return st == SEAM_OK ? counts_are_zero(s, g, at) : st;
}

/* A limit counts by D: rows are numbered within it. */
static enum seam_status push_limit(struct columnar_rel_statement *s, const struct domain *d,
                                   struct columnar_rel **at, int *to)
{
    struct columnar_rel *r = *at, *w;
    struct seam_value bound;
    const struct columnar_expr *number, *e;
    enum seam_status st = push(s, d, &r->in, to);

    if (st != SEAM_OK || (r->limit == UINT64_MAX && r->offset == 0)) {
        *at = r->in; /* an order alone says nothing here */
        return st;
    }
    w = columnar_rel_new(s, COLUMNAR_REL_WINDOW, r->in);
    if (w == NULL) return SEAM_NOMEM;
    w->partition = seam_arena_alloc(s->a, (size_t)(d->n + 1) * sizeof(int));
    w->windows = seam_arena_zalloc(s->a, sizeof *w->windows);
    w->window_ids = seam_arena_alloc(s->a, sizeof *w->window_ids);
    if (w->partition == NULL || w->windows == NULL || w->window_ids == NULL)
        return columnar_rel_no_memory(s);
    memcpy(w->partition, to, (size_t)d->n * sizeof(int));
    w->n_partition = d->n;
    w->order = r->order;
    w->n_order = r->n_order;
    w->windows[0].op = COLUMNAR_WINDOW_ROW_NUMBER;
    w->window_ids[0] = columnar_rel_column(s, "number", SEAM_V_INT, 0);
    w->n_windows = 1;
    if (w->window_ids[0] < 0) return SEAM_LIMIT;
    *at = w;
    st = columnar_rel_column_expr(s, w->window_ids[0], &number);
    bound = seam_v_int((int64_t)(r->offset < INT64_MAX / 2 ? r->offset : INT64_MAX / 2));
    if (st == SEAM_OK) st = columnar_expr_const(s->a, &bound, &e, s->f);
    if (st == SEAM_OK) st = columnar_rel_call(s, COLUMNAR_E_GT, number, e, &e);
    if (st == SEAM_OK) st = columnar_rel_filter(s, at, e);
    if (r->limit >= INT64_MAX / 2) return st;
    bound.i += (int64_t)r->limit;
    if (st == SEAM_OK) st = columnar_expr_const(s->a, &bound, &e, s->f);
    if (st == SEAM_OK) st = columnar_rel_call(s, COLUMNAR_E_LE, number, e, &e);
    return st == SEAM_OK ? columnar_rel_filter(s, at, e) : st;
}

static enum seam_status push_union(struct columnar_rel_statement *s, const struct domain *d,
                                   struct columnar_rel *r, int *to)
{
    int *ids = seam_arena_alloc(s->a, (size_t)(r->n_ids + d->n + 1) * sizeof *ids);
    int *mine = seam_arena_alloc(s->a, (size_t)(d->n + 1) * sizeof *mine), n = r->n_ids;
    enum seam_status st = SEAM_OK;

    if (ids == NULL || mine == NULL) return columnar_rel_no_memory(s);
    memcpy(ids, r->ids, (size_t)n * sizeof *ids);
    for (int k = 0; k < d->n; k++) {
        struct columnar_rel_column c = s->columns[d->ids[k]];

        to[k] = ids[n + k] = columnar_rel_column(s, c.name, c.type, c.scale);
        if (to[k] < 0) return SEAM_LIMIT;
    }
    for (int i = 0; st == SEAM_OK && i < r->n_inputs; i++) {
        struct columnar_rel_input *in = &r->inputs[i];
        int *more = seam_arena_alloc(s->a, (size_t)(n + d->n + 1) * sizeof *more);

        if (more == NULL) return columnar_rel_no_memory(s);
        st = push(s, d, &in->rel, mine);
        memcpy(more, in->ids, (size_t)n * sizeof *more);
        memcpy(more + n, mine, (size_t)d->n * sizeof *more);
        for (int c = 0; c < n; c++) /* a side that hands up an outer column hands up D's */
            for (int k = 0; k < d->n; k++)
                if (more[c] == d->ids[k]) more[c] = mine[k];
        in->ids = more;
    }
    r->ids = ids;
    r->n_ids = n + d->n;
    return st;
}

static enum seam_status push(struct columnar_rel_statement *s, const struct domain *d,
                             struct columnar_rel **at, int *to)
{
    struct columnar_rel *r = *at, *cross;
    int n = free_in(s, r, d), *more;
    enum seam_status st;

    if (n < 0) return SEAM_NOMEM;
    if (n == 0) {
        cross = columnar_rel_new(s, COLUMNAR_REL_JOIN, NULL);
        if (cross == NULL) return SEAM_NOMEM;
        cross->join = COLUMNAR_JOIN_INNER;
        cross->right = r;
        *at = cross;
        return fresh_domain(s, d, &cross->in, to);
    }
    switch (r->kind) {
    case COLUMNAR_REL_FILTER:
    case COLUMNAR_REL_MAP:
        st = push(s, d, &r->in, to);
        return st == SEAM_OK ? rename_own(s, d, r, to) : st;
    case COLUMNAR_REL_JOIN: return push_join(s, d, r, to);
    case COLUMNAR_REL_GROUP: return push_group(s, d, at, to);
    case COLUMNAR_REL_ORDER: return push_limit(s, d, at, to);
    case COLUMNAR_REL_UNION: return push_union(s, d, r, to);
    case COLUMNAR_REL_WINDOW:
        st = push(s, d, &r->in, to);
        if (st == SEAM_OK) st = rename_own(s, d, r, to);
        more = seam_arena_alloc(s->a, (size_t)(r->n_partition + d->n + 1) * sizeof *more);
        if (st != SEAM_OK || more == NULL) return st == SEAM_OK ? SEAM_NOMEM : st;
        memcpy(more, r->partition, (size_t)r->n_partition * sizeof *more);
        memcpy(more + r->n_partition, to, (size_t)d->n * sizeof *more);
        r->partition = more;
        r->n_partition += d->n;
        return SEAM_OK;
    default: return too_hard(s, "this");
    }
}

static enum seam_status by_domain(struct columnar_rel_statement *s, struct columnar_rel *apply,
                                  const bool *free, int n_free)
{
    struct domain d = {.l = apply->in, .n_columns = n_free};
    int *to;
    enum seam_status st;

    d.ids = seam_arena_alloc(s->a, (size_t)(s->n_columns + 1) * sizeof *d.ids);
    to = seam_arena_alloc(s->a, (size_t)(s->n_columns + 1) * sizeof *to);
    if (d.ids == NULL || to == NULL) return columnar_rel_no_memory(s);
    for (int i = 0; i < d.n_columns; i++)
        if (free[i]) d.ids[d.n++] = i;
    if (apply->null_aware) return too_hard(s, "NOT IN");
    st = push(s, &d, &apply->right, to);
    apply->kind = COLUMNAR_REL_JOIN;
    return st == SEAM_OK ? same_domain(s, apply, d.ids, to, d.n) : st;
}

/* ---- which way ---- */

static void drop_limits(struct columnar_rel *r)
{
    /* whether there is a row does not depend on how many are kept, nor on their order */
    for (; r->right != NULL && r->right->kind == COLUMNAR_REL_ORDER && r->right->limit > 0 &&
           r->right->offset == 0;)
        r->right = r->right->in;
}

static enum seam_status unnest_apply(struct columnar_rel_statement *s, struct columnar_rel **at)
{
    struct columnar_rel *apply = *at, *copy = NULL;
    bool *out = columnar_rel_set(s), *free = columnar_rel_set(s);
    int *to, n;
    struct pulled p = {0};
    enum seam_status st = SEAM_END;

    if (out == NULL || free == NULL) return SEAM_NOMEM;
    if ((apply->join == COLUMNAR_JOIN_SEMI || apply->join == COLUMNAR_JOIN_ANTI ||
         apply->join == COLUMNAR_JOIN_MARK) &&
        apply->n_conds == 0)
        drop_limits(apply);
    columnar_rel_out(apply->in, out);
    n = columnar_rel_free(s, apply->right, out, free);
    if (n < 0) return SEAM_NOMEM;
    if (n == 0) {
        apply->kind = COLUMNAR_REL_JOIN;
        return SEAM_OK;
    }
    p.outer = free;
    p.n_outer = s->n_columns;
    to = seam_arena_alloc(s->a, (size_t)(s->n_columns + 1) * sizeof *to);
    if (to == NULL) return columnar_rel_no_memory(s);
    /* Pulling changes the tree before it may find that it cannot: a copy stands by. Its numbers are given back. */
    if (can_pull(s, apply->right, &p)) {
        st = columnar_rel_clone(s, apply->right, &copy, to);
        if (st != SEAM_OK) return st;
        st = apply->join == COLUMNAR_JOIN_LEFT ? pull_scalar(s, at, &p) : SEAM_END;
        if (st == SEAM_OK) return SEAM_OK;
        if (st == SEAM_END) {
            p.n = 0;
            p.conds = NULL;
            st = pull(s, apply->right, &p);
        }
        if (st == SEAM_OK) {
            for (int k = 0; st == SEAM_OK && k < p.n; k++)
                st = columnar_rel_add_cond(s, apply, p.conds[k]);
            apply->kind = COLUMNAR_REL_JOIN;
            return st;
        }
        if (st != SEAM_END && st != SEAM_NOT_FOUND) return st;
        { /* the copy takes the place, and its columns the names that are read above */
            struct columnar_rel *map = columnar_rel_new(s, COLUMNAR_REL_MAP, copy);
            bool *made = columnar_rel_set(s);
            int limit = p.n_outer;

            if (map == NULL || made == NULL) return SEAM_NOMEM;
            columnar_rel_out(copy, made);
            st = SEAM_OK;
            for (int i = 0; st == SEAM_OK && i < limit; i++) {
                const struct columnar_expr *e;

                if (to[i] == i || !made[to[i]]) continue;
                st = columnar_rel_column_expr(s, to[i], &e);
                if (st == SEAM_OK) st = columnar_rel_add_map(s, map, i, e);
            }
            if (st != SEAM_OK) return st;
            apply->right = map;
        }
    }
    return by_domain(s, apply, free, p.n_outer);
}

enum seam_status columnar_rel_unnest(struct columnar_rel_statement *s, struct columnar_rel **at)
{
    struct columnar_rel *r = *at;
    enum seam_status st = SEAM_OK;

    if (r->in != NULL) st = columnar_rel_unnest(s, &r->in);
    if (st == SEAM_OK && r->right != NULL) st = columnar_rel_unnest(s, &r->right);
    for (int k = 0; st == SEAM_OK && k < r->n_inputs; k++)
        st = columnar_rel_unnest(s, &r->inputs[k].rel);
    if (st == SEAM_OK && r->kind == COLUMNAR_REL_SHARED && r->def->rel != NULL &&
        !r->def->unnested) {
        r->def->unnested = true;
        st = columnar_rel_unnest(s, &r->def->rel);
    }
    if (st == SEAM_OK && r->kind == COLUMNAR_REL_APPLY) st = unnest_apply(s, at);
    return st;
}
