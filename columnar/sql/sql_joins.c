/* sql_joins - the order of inner joins, and which side is built.
 *
 * A cluster of inner joins is taken apart into its relations and conditions, and put together again: always the
 * pair whose join is thought smallest, joined pairs before unjoined ones (greedy operator ordering). Sizes are
 * rows times selectivities; distinct values come from the bounds of integers and times, else from a guess. The side
 * thought smaller is built. Written order does not matter.
 * Paper: Fegaras, A New Heuristic for Optimizing Large Queries (DEXA 1998).                         */
#include <math.h>
#include <string.h>

#include "columnar/exec/plan.h"
#include "columnar/sql/sql_rel.h"

enum { CLUSTER_MAX = 256 };

/* ---- what is thought ---- */

struct knowledge { /* of a column of a scan */
    double distinct, lo, hi;
    bool bounded;
};

static const struct columnar_rel *scan_of(const struct columnar_rel *r, int id, int *at)
{
    const struct columnar_rel *found = NULL;

    if (r == NULL) return NULL;
    if (r->kind == COLUMNAR_REL_SCAN) {
        for (int k = 0; k < r->n_ids; k++)
            if (r->ids[k] == id) {
                *at = k;
                return r;
            }
        return NULL;
    }
    if (r->kind == COLUMNAR_REL_MAP || r->kind == COLUMNAR_REL_GROUP)
        for (int k = 0; k < r->n_maps; k++)
            if (r->maps[k].id == id && r->maps[k].e->op == COLUMNAR_E_COLUMN &&
                r->maps[k].e->column != id)
                return scan_of(r->in, r->maps[k].e->column, at);
    if (r->kind == COLUMNAR_REL_SHARED)
        for (int k = 0; k < r->n_ids; k++)
            if (r->ids[k] == id) return scan_of(r->def->rel, r->def->ids[k], at);
    if (r->in != NULL) found = scan_of(r->in, id, at);
    if (found == NULL && r->right != NULL) found = scan_of(r->right, id, at);
    return found;
}

static double table_rows(const struct columnar_rel *scan)
{
    struct columnar_table_info info = {0};

    if (scan->reader == NULL) return 1000;
    columnar_table_info(scan->reader, scan->table, &info);
    return (double)info.rows + 1;
}

static struct knowledge known(struct columnar_rel_statement *s, const struct columnar_rel *r,
                              int id)
{
    int at = 0;
    const struct columnar_rel *scan = scan_of(r, id, &at);
    double rows = scan == NULL ? 1000 : table_rows(scan);
    struct knowledge k = {.distinct = rows};
    const struct columnar_plan *plan;
    int64_t lo, hi;

    if (scan == NULL) {
        k.distinct = r->estimate > 1 ? r->estimate : 1;
        return k;
    }
    if (s->columns[id].type == SEAM_V_TEXT && rows > 1000) k.distinct = 50;
    if (scan->reader == NULL || s->columns[id].type == SEAM_V_TEXT ||
        s->columns[id].type == SEAM_V_DOUBLE)
        return k;
    if (columnar_plan_scan(s->a, scan->reader, scan->table, &scan->columns[at], 1, scan->lsn, &plan,
                           NULL) != SEAM_OK ||
        !columnar_scan_bounds(plan, 0, &lo, &hi))
        return k;
    k.bounded = true;
    k.lo = (double)lo;
    k.hi = (double)hi;
    k.distinct = k.hi - k.lo + 1;
    if (s->columns[id].type == SEAM_V_TIME) k.distinct = (k.hi - k.lo) / 86400e6 + 1;
    if (k.distinct > rows) k.distinct = rows;
    return k;
}

static double bare_number(const struct columnar_expr *e)
{
    return e->constant.type == SEAM_V_DOUBLE ? e->constant.d : (double)e->constant.i;
}

static double comparison(struct columnar_rel_statement *s, const struct columnar_rel *r,
                         const struct columnar_expr *e)
{
    const struct columnar_expr *x = e->args[0], *y = e->args[1];
    struct knowledge k;
    double share;

    while (x->op == COLUMNAR_E_CAST) x = x->args[0];
    if (x->op != COLUMNAR_E_COLUMN || y->op != COLUMNAR_E_CONST)
        return e->op == COLUMNAR_E_EQ ? 0.1 : e->op == COLUMNAR_E_NE ? 0.9 : 0.3;
    k = known(s, r, x->column);
    if (e->op == COLUMNAR_E_EQ) return 1 / k.distinct;
    if (e->op == COLUMNAR_E_NE) return 1 - 1 / k.distinct;
    if (!k.bounded || y->type == SEAM_V_TEXT || y->constant.type == SEAM_V_NULL || k.hi <= k.lo ||
        x->scale != y->scale)
        return 0.3;
    share = (bare_number(y) - k.lo) / (k.hi - k.lo);
    if (e->op == COLUMNAR_E_GT || e->op == COLUMNAR_E_GE) share = 1 - share;
    return share < 0.001 ? 0.001 : share > 1 ? 1 : share;
}

static double selectivity(struct columnar_rel_statement *s, const struct columnar_rel *r,
                          const struct columnar_expr *e)
{
    double p = 1;

    switch (e->op) {
    case COLUMNAR_E_AND:
        for (int k = 0; k < e->n_args; k++) p *= selectivity(s, r, e->args[k]);
        return p;
    case COLUMNAR_E_OR:
        for (int k = 0; k < e->n_args; k++) p *= 1 - selectivity(s, r, e->args[k]);
        return 1 - p;
    case COLUMNAR_E_NOT: return 1 - selectivity(s, r, e->args[0]);
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE: return comparison(s, r, e);
    case COLUMNAR_E_IN: {
        const struct columnar_in_set *set = e->prepared;

        if (e->args[0]->op != COLUMNAR_E_COLUMN) return 0.2;
        p = (double)set->count / known(s, r, e->args[0]->column).distinct;
        return p > 1 ? 1 : p;
    }
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE: return 0.1;
    case COLUMNAR_E_IS_NULL: return 0.1;
    default: return 0.4;
    }
}

/* One side of an equality: how many values it may have. */
static double values_of(struct columnar_rel_statement *s, const struct columnar_rel *r,
                        const struct columnar_expr *e)
{
    double d;

    while (e->op == COLUMNAR_E_CAST) e = e->args[0];
    d = e->op == COLUMNAR_E_COLUMN ? known(s, r, e->column).distinct : r->estimate;
    return d > r->estimate ? r->estimate : d < 1 ? 1 : d;
}

static double join_share(struct columnar_rel_statement *s, const struct columnar_rel *l,
                         const struct columnar_rel *r, const bool *left,
                         const struct columnar_expr *e)
{
    const struct columnar_expr *a, *b;
    bool null_safe;
    double x, y;

    if (!columnar_rel_is_equal(e, &a, &b, &null_safe)) return 0.4;
    if (!columnar_rel_within(a, left, s->n_columns)) {
        const struct columnar_expr *t = a;

        a = b;
        b = t;
    }
    x = values_of(s, l, a);
    y = values_of(s, r, b);
    return 1 / (x > y ? x : y);
}

static void estimate(struct columnar_rel_statement *s, struct columnar_rel *r)
{
    double in = r->in != NULL ? r->in->estimate : 1,
           right = r->right != NULL ? r->right->estimate : 1;
    bool *left;

    switch (r->kind) {
    case COLUMNAR_REL_SCAN: r->estimate = table_rows(r); break;
    case COLUMNAR_REL_VALUES: r->estimate = (double)r->n_rows; break;
    case COLUMNAR_REL_FILTER:
        r->estimate = in;
        for (int k = 0; k < r->n_conds; k++) r->estimate *= selectivity(s, r->in, r->conds[k]);
        break;
    case COLUMNAR_REL_JOIN:
        left = columnar_rel_set(s);
        r->estimate = r->join == COLUMNAR_JOIN_SEMI || r->join == COLUMNAR_JOIN_ANTI ? in / 2 : in;
        if (left == NULL || (r->join != COLUMNAR_JOIN_INNER && r->join != COLUMNAR_JOIN_LEFT &&
                             r->join != COLUMNAR_JOIN_FULL))
            break;
        columnar_rel_out(r->in, left);
        r->estimate = in * right;
        for (int k = 0; k < r->n_conds; k++)
            r->estimate *= join_share(s, r->in, r->right, left, r->conds[k]);
        if (r->join != COLUMNAR_JOIN_INNER && r->estimate < in) r->estimate = in;
        break;
    case COLUMNAR_REL_GROUP: {
        double groups = 1;

        for (int k = 0; k < r->n_maps; k++)
            groups *= r->maps[k].e->op == COLUMNAR_E_COLUMN
                          ? known(s, r->in, r->maps[k].e->column).distinct
                          : 100;
        r->estimate = groups < in ? groups : in;
        break;
    }
    case COLUMNAR_REL_ORDER: r->estimate = in < (double)r->limit ? in : (double)r->limit; break;
    case COLUMNAR_REL_UNION:
        r->estimate = 0;
        for (int k = 0; k < r->n_inputs; k++) r->estimate += r->inputs[k].rel->estimate;
        break;
    case COLUMNAR_REL_SHARED: r->estimate = r->def->rel->estimate; break;
    default: r->estimate = in;
    }
    if (r->estimate < 1) r->estimate = 1;
}

/* ---- clusters ---- */

struct cluster {
    struct columnar_rel *rels[CLUSTER_MAX];
    bool *out[CLUSTER_MAX];
    int n;
    const struct columnar_expr **conds;
    bool *used;
    int n_conds;
};

static int count_leaves(const struct columnar_rel *r)
{
    return r->kind == COLUMNAR_REL_JOIN && r->join == COLUMNAR_JOIN_INNER
               ? count_leaves(r->in) + count_leaves(r->right)
               : 1;
}

static enum seam_status take_apart(struct columnar_rel_statement *s, struct cluster *c,
                                   struct columnar_rel *r)
{
    enum seam_status st = SEAM_OK;

    if (r->kind != COLUMNAR_REL_JOIN || r->join != COLUMNAR_JOIN_INNER) {
        st = columnar_rel_order_joins(s, &r);
        c->out[c->n] = columnar_rel_set(s);
        if (st != SEAM_OK || c->out[c->n] == NULL) return st == SEAM_OK ? SEAM_NOMEM : st;
        columnar_rel_out(r, c->out[c->n]);
        c->rels[c->n++] = r;
        return SEAM_OK;
    }
    for (int k = 0; st == SEAM_OK && k < r->n_conds; k++) {
        c->conds = columnar_rel_grow(s, c->conds, c->n_conds, sizeof *c->conds);
        if (c->conds == NULL) return SEAM_NOMEM;
        c->conds[c->n_conds++] = r->conds[k];
    }
    if (st == SEAM_OK) st = take_apart(s, c, r->in);
    return st == SEAM_OK ? take_apart(s, c, r->right) : st;
}

/* Can the condition be asked of i and j together? */
static bool fits(struct columnar_rel_statement *s, const struct cluster *c, int cond, int i, int j)
{
    bool *both = columnar_rel_set(s);

    if (both == NULL) return false;
    for (int k = 0; k < s->n_columns; k++) both[k] = c->out[i][k] || c->out[j][k];
    return columnar_rel_within(c->conds[cond], both, s->n_columns);
}

/* Bits of the relations each condition speaks of would do for 64; lists do for all. */
static bool speaks_of(struct columnar_rel_statement *s, const struct cluster *c, int cond, int i)
{
    return columnar_rel_touches(c->conds[cond], c->out[i], s->n_columns);
}

static double pair_size(struct columnar_rel_statement *s, const struct cluster *c, int i, int j,
                        bool *joined)
{
    double size = c->rels[i]->estimate * c->rels[j]->estimate;

    *joined = false;
    for (int k = 0; k < c->n_conds; k++) {
        if (c->used[k] || !speaks_of(s, c, k, i) || !speaks_of(s, c, k, j)) continue;
        if (!fits(s, c, k, i, j)) continue;
        *joined = true;
        size *= join_share(s, c->rels[i], c->rels[j], c->out[i], c->conds[k]);
    }
    return size < 1 ? 1 : size;
}

static enum seam_status join_pair(struct columnar_rel_statement *s, struct cluster *c, int i, int j,
                                  double size)
{
    struct columnar_rel *r = columnar_rel_new(s, COLUMNAR_REL_JOIN, NULL);
    bool build_j = c->rels[j]->estimate <= c->rels[i]->estimate;
    enum seam_status st = SEAM_OK;

    if (r == NULL) return SEAM_NOMEM;
    r->join = COLUMNAR_JOIN_INNER;
    r->in = c->rels[build_j ? i : j];
    r->right = c->rels[build_j ? j : i];
    r->estimate = size;
    for (int k = 0; st == SEAM_OK && k < c->n_conds; k++) {
        if (c->used[k] || !fits(s, c, k, i, j)) continue;
        c->used[k] = true;
        st = columnar_rel_add_cond(s, r, c->conds[k]);
    }
    for (int k = 0; k < s->n_columns; k++) c->out[i][k] |= c->out[j][k];
    c->rels[i] = r;
    c->n--;
    c->rels[j] = c->rels[c->n];
    c->out[j] = c->out[c->n];
    return st;
}

static enum seam_status put_together(struct columnar_rel_statement *s, struct cluster *c)
{
    enum seam_status st = SEAM_OK;

    c->used = seam_arena_zalloc(s->a, (size_t)c->n_conds + 1);
    if (c->used == NULL) return columnar_rel_no_memory(s);
    while (st == SEAM_OK && c->n > 1) {
        int bi = 0, bj = 1;
        double best = INFINITY;
        bool best_joined = false;

        for (int i = 0; i < c->n; i++)
            for (int j = i + 1; j < c->n; j++) {
                bool joined;
                double size = pair_size(s, c, i, j, &joined);

                if (joined < best_joined || (joined == best_joined && size >= best)) continue;
                best = size;
                best_joined = joined;
                bi = i;
                bj = j;
            }
        st = join_pair(s, c, bi, bj, best);
    }
    for (int k = 0; st == SEAM_OK && k < c->n_conds; k++) /* conditions on no column at all */
        if (!c->used[k]) st = columnar_rel_filter(s, &c->rels[0], c->conds[k]);
    return st;
}

enum seam_status columnar_rel_order_joins(struct columnar_rel_statement *s,
                                          struct columnar_rel **at)
{
    struct columnar_rel *r = *at;
    enum seam_status st = SEAM_OK;

    if (r->kind == COLUMNAR_REL_JOIN && r->join == COLUMNAR_JOIN_INNER &&
        count_leaves(r) <= CLUSTER_MAX) {
        struct cluster *c = seam_arena_zalloc(s->a, sizeof *c);

        if (c == NULL) return columnar_rel_no_memory(s);
        st = take_apart(s, c, r);
        if (st == SEAM_OK) st = put_together(s, c);
        *at = c->rels[0];
        return st;
    }
    if (r->kind == COLUMNAR_REL_SHARED && !r->def->ordered) {
        r->def->ordered = true;
        st = columnar_rel_order_joins(s, &r->def->rel);
    }
    if (st == SEAM_OK && r->in != NULL) st = columnar_rel_order_joins(s, &r->in);
    if (st == SEAM_OK && r->right != NULL) st = columnar_rel_order_joins(s, &r->right);
    for (int k = 0; st == SEAM_OK && k < r->n_inputs; k++)
        st = columnar_rel_order_joins(s, &r->inputs[k].rel);
    if (st == SEAM_OK) estimate(s, r);
    return st;
}
