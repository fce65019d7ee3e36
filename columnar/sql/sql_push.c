/* sql_push - conditions go down to where their columns come from.
 *
 *   through maps (what is computed is written in), inner joins, the kept side of outer ones, keys of groups,
 *   partitions of windows, every side of a union; not through limits, nor into rows that are shared
 *   a LEFT JOIN whose right side a condition needs not null is an inner one
 *   (a and b) or (a and c) is a and (b or c); and an OR over both sides of a join implies one for each side    */
#include <string.h>

#include "columnar/sql/sql_rel.h"

struct conds {
    const struct columnar_expr **e;
    int n;
};

static enum seam_status add(struct columnar_rel_statement *s, struct conds *c,
                            const struct columnar_expr *e)
{
    if (e->op == COLUMNAR_E_AND) {
        enum seam_status st = SEAM_OK;

        for (int k = 0; st == SEAM_OK && k < e->n_args; k++) st = add(s, c, e->args[k]);
        return st;
    }
    for (int k = 0; k < c->n; k++)
        if (columnar_expr_same(c->e[k], e)) return SEAM_OK;
    c->e = columnar_rel_grow(s, c->e, c->n, sizeof *c->e);
    if (c->e == NULL) return SEAM_NOMEM;
    c->e[c->n++] = e;
    return SEAM_OK;
}

static enum seam_status put_filter(struct columnar_rel_statement *s, struct columnar_rel **at,
                                   const struct conds *c)
{
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < c->n; k++) st = columnar_rel_filter(s, at, c->e[k]);
    return st;
}

/* ---- OR ---- */

static int parts_of(const struct columnar_expr *e, const struct columnar_expr *const **out)
{
    if (e->op == COLUMNAR_E_AND) {
        *out = e->args;
        return e->n_args;
    }
    *out = NULL;
    return 1;
}

static const struct columnar_expr *part(const struct columnar_expr *e,
                                        const struct columnar_expr *const *list, int k)
{
    return list == NULL ? e : list[k];
}

static bool in_and(const struct columnar_expr *e, const struct columnar_expr *what)
{
    const struct columnar_expr *const *list;
    int n = parts_of(e, &list);

    for (int k = 0; k < n; k++)
        if (columnar_expr_same(part(e, list, k), what)) return true;
    return false;
}

static enum seam_status all_of(struct columnar_rel_statement *s, enum columnar_expr_op op,
                               const struct columnar_expr *const *list, int n,
                               const struct columnar_expr **out)
{
    *out = list[0];
    return n == 1 ? SEAM_OK : columnar_expr_call(s->a, op, list, n, out, s->f);
}

/* Disjuncts of nested ORs, flat; how many. */
static int disjuncts(const struct columnar_expr *e, const struct columnar_expr **out, int max)
{
    int n = 0;

    if (e->op != COLUMNAR_E_OR) {
        if (max > 0) out[0] = e;
        return 1;
    }
    for (int k = 0; k < e->n_args; k++)
        n += disjuncts(e->args[k], n < max ? out + n : NULL, n < max ? max - n : 0);
    return n;
}

enum { DISJUNCTS_MAX = 64 };

/* What every disjunct says is said once, beside the OR of the rest. */
static enum seam_status factor(struct columnar_rel_statement *s, const struct columnar_expr *e,
                               struct conds *out)
{
    const struct columnar_expr *d[DISJUNCTS_MAX], *const *list;
    int n = disjuncts(e, d, DISJUNCTS_MAX), parts;
    struct conds common = {0};
    enum seam_status st = SEAM_OK;

    if (n < 2 || n > DISJUNCTS_MAX) return add(s, out, e);
    parts = parts_of(d[0], &list);
    for (int k = 0; st == SEAM_OK && k < parts; k++) {
        const struct columnar_expr *what = part(d[0], list, k);
        bool everywhere = true;

        for (int i = 1; everywhere && i < n; i++) everywhere = in_and(d[i], what);
        if (everywhere) st = add(s, &common, what);
    }
    if (st != SEAM_OK || common.n == 0) return st == SEAM_OK ? add(s, out, e) : st;
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        struct conds rest = {0};

        parts = parts_of(d[i], &list);
        for (int k = 0; st == SEAM_OK && k < parts; k++) {
            bool is_common = false;

            for (int c = 0; c < common.n; c++)
                is_common |= columnar_expr_same(common.e[c], part(d[i], list, k));
            if (!is_common) st = add(s, &rest, part(d[i], list, k));
        }
        if (rest.n == 0)
            n = -1; /* this one says no more than the common part: neither does the OR */
        if (n > 0 && st == SEAM_OK) st = all_of(s, COLUMNAR_E_AND, rest.e, rest.n, &d[i]);
    }
    for (int c = 0; st == SEAM_OK && c < common.n; c++) st = add(s, out, common.e[c]);
    if (st == SEAM_OK && n > 0) {
        st = all_of(s, COLUMNAR_E_OR, d, n, &e);
        if (st == SEAM_OK) st = add(s, out, e);
    }
    return st;
}

/* The OR of what each disjunct says of one side alone, when each says something. */
static enum seam_status implied(struct columnar_rel_statement *s, const struct columnar_expr *e,
                                const bool *side, struct conds *out)
{
    const struct columnar_expr *d[DISJUNCTS_MAX], *const *list, *all;
    int n = e->op == COLUMNAR_E_OR ? disjuncts(e, d, DISJUNCTS_MAX) : 0;
    enum seam_status st = SEAM_OK;

    if (n < 2 || n > DISJUNCTS_MAX) return SEAM_OK;
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        struct conds mine = {0};
        int parts = parts_of(d[i], &list);

        for (int k = 0; st == SEAM_OK && k < parts; k++) {
            const struct columnar_expr *x = part(d[i], list, k);

            if (columnar_rel_touches(x, side, s->n_columns) &&
                columnar_rel_within(x, side, s->n_columns))
                st = add(s, &mine, x);
        }
        if (mine.n == 0) return st;
        if (st == SEAM_OK) st = all_of(s, COLUMNAR_E_AND, mine.e, mine.n, &d[i]);
    }
    if (st == SEAM_OK) st = all_of(s, COLUMNAR_E_OR, d, n, &all);
    return st == SEAM_OK ? add(s, out, all) : st;
}

/* ---- nulls ---- */

/* Surely null when the columns of `set` are. */
static bool null_with(const struct columnar_expr *e, const bool *set, int n)
{
    switch (e->op) {
    case COLUMNAR_E_COLUMN: return e->column < n && set[e->column];
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV:
    case COLUMNAR_E_MOD:
    case COLUMNAR_E_NEG:
    case COLUMNAR_E_ABS:
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE:
    case COLUMNAR_E_NOT:
    case COLUMNAR_E_IN:
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE:
    case COLUMNAR_E_CAST:
    case COLUMNAR_E_DATE_TRUNC:
    case COLUMNAR_E_DATE_PART:
        for (int k = 0; k < e->n_args; k++)
            if (null_with(e->args[k], set, n)) return true;
        return false;
    default: return false;
    }
}

/* Never true when the columns of `set` are null. */
static bool rejects_nulls(const struct columnar_expr *e, const bool *set, int n)
{
    bool all = true;

    if (null_with(e, set, n)) return true;
    if (e->op == COLUMNAR_E_IS_NOT_NULL) return null_with(e->args[0], set, n);
    if (e->op == COLUMNAR_E_AND) {
        for (int k = 0; k < e->n_args; k++)
            if (rejects_nulls(e->args[k], set, n)) return true;
        return false;
    }
    if (e->op != COLUMNAR_E_OR) return false;
    for (int k = 0; k < e->n_args; k++) all = all && rejects_nulls(e->args[k], set, n);
    return all;
}

/* ---- down ---- */

static enum seam_status push(struct columnar_rel_statement *s, struct columnar_rel **at,
                             struct conds *c);

static enum seam_status push_nothing(struct columnar_rel_statement *s, struct columnar_rel **at)
{
    struct conds none = {0};

    return push(s, at, &none);
}

static const struct columnar_expr **replacements(struct columnar_rel_statement *s)
{
    const struct columnar_expr **by =
        seam_arena_zalloc(s->a, (size_t)(s->n_columns + 1) * sizeof *by);

    if (by == NULL) columnar_rel_no_memory(s);
    return by;
}

static enum seam_status push_map(struct columnar_rel_statement *s, struct columnar_rel **at,
                                 struct conds *c)
{
    struct columnar_rel *m = *at;
    const struct columnar_expr **by = replacements(s);
    enum seam_status st = SEAM_OK;

    if (by == NULL) return SEAM_NOMEM;
    for (int k = 0; k < m->n_maps; k++) by[m->maps[k].id] = m->maps[k].e;
    for (int k = 0; st == SEAM_OK && k < c->n; k++)
        st = columnar_rel_replace(s, c->e[k], by, s->n_columns, &c->e[k]);
    return st == SEAM_OK ? push(s, &m->in, c) : st;
}

/* Those of c that speak of keys (or of partition columns) alone go below. */
static enum seam_status push_keyed(struct columnar_rel_statement *s, struct columnar_rel **at,
                                   struct conds *c)
{
    struct columnar_rel *g = *at;
    const struct columnar_expr **by = replacements(s);
    bool *keys = columnar_rel_set(s);
    struct conds below = {0}, rest = {0};
    enum seam_status st = SEAM_OK;

    if (by == NULL || keys == NULL) return SEAM_NOMEM;
    for (int k = 0; k < g->n_maps; k++) {
        keys[g->maps[k].id] = true;
        by[g->maps[k].id] = g->maps[k].e;
    }
    for (int k = 0; k < g->n_partition; k++) keys[g->partition[k]] = true;
    for (int k = 0; st == SEAM_OK && k < c->n; k++) {
        const struct columnar_expr *e = c->e[k];
        bool fits = columnar_rel_touches(e, keys, s->n_columns) &&
                    columnar_rel_within(e, keys, s->n_columns);

        if (fits) st = columnar_rel_replace(s, e, by, s->n_columns, &e);
        if (st == SEAM_OK) st = add(s, fits ? &below : &rest, e);
    }
    if (st == SEAM_OK) st = push(s, &g->in, &below);
    return st == SEAM_OK ? put_filter(s, at, &rest) : st;
}

static enum seam_status push_union(struct columnar_rel_statement *s, struct columnar_rel **at,
                                   struct conds *c)
{
    struct columnar_rel *u = *at;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < u->n_inputs; i++) {
        const struct columnar_expr **by = replacements(s);
        struct conds mine = {0};

        if (by == NULL) return SEAM_NOMEM;
        for (int k = 0; st == SEAM_OK && k < u->n_ids; k++)
            st = columnar_rel_column_expr(s, u->inputs[i].ids[k], &by[u->ids[k]]);
        for (int k = 0; st == SEAM_OK && k < c->n; k++) {
            const struct columnar_expr *e;

            st = columnar_rel_replace(s, c->e[k], by, s->n_columns, &e);
            if (st == SEAM_OK) st = add(s, &mine, e);
        }
        if (st == SEAM_OK) st = push(s, &u->inputs[i].rel, &mine);
    }
    return st;
}

/* Conditions of an inner join, its own and from above: to the sides, or they are the join's. */
static enum seam_status push_inner(struct columnar_rel_statement *s, struct columnar_rel *j,
                                   const struct conds *c)
{
    bool *left = columnar_rel_set(s), *right = columnar_rel_set(s);
    struct conds all = {0}, l = {0}, r = {0};
    int n = s->n_columns;
    enum seam_status st = SEAM_OK;

    if (left == NULL || right == NULL) return SEAM_NOMEM;
    columnar_rel_out(j->in, left);
    columnar_rel_out(j->right, right);
    for (int k = 0; st == SEAM_OK && k < j->n_conds; k++) st = factor(s, j->conds[k], &all);
    for (int k = 0; st == SEAM_OK && k < c->n; k++) st = factor(s, c->e[k], &all);
    j->conds = NULL;
    j->n_conds = 0;
    for (int k = 0; st == SEAM_OK && k < all.n; k++) {
        const struct columnar_expr *e = all.e[k];

        if (!columnar_rel_touches(e, right, n) && columnar_rel_touches(e, left, n)) {
            st = add(s, &l, e);
        } else if (columnar_rel_touches(e, right, n) && !columnar_rel_touches(e, left, n)) {
            st = add(s, &r, e);
        } else {
            st = columnar_rel_add_cond(s, j, e);
            if (st == SEAM_OK) st = implied(s, e, left, &l);
            if (st == SEAM_OK) st = implied(s, e, right, &r);
        }
    }
    if (st == SEAM_OK) st = push(s, &j->in, &l);
    return st == SEAM_OK ? push(s, &j->right, &r) : st;
}

/* LEFT, SINGLE, SEMI, ANTI, MARK, FULL. */
static enum seam_status push_outer(struct columnar_rel_statement *s, struct columnar_rel **at,
                                   struct conds *c)
{
    struct columnar_rel *j = *at;
    bool *left = columnar_rel_set(s), *right = columnar_rel_set(s);
    struct conds l = {0}, r = {0}, own = {0}, rest = {0};
    int n = s->n_columns;
    bool full = j->join == COLUMNAR_JOIN_FULL, semi = j->join == COLUMNAR_JOIN_SEMI;
    enum seam_status st = SEAM_OK;

    if (left == NULL || right == NULL) return SEAM_NOMEM;
    columnar_rel_out(j->in, left);
    columnar_rel_out(j->right, right);
    if (j->join == COLUMNAR_JOIN_LEFT)
        for (int k = 0; k < c->n; k++)
            if (rejects_nulls(c->e[k], right, n)) {
                j->join = COLUMNAR_JOIN_INNER;
                return push_inner(s, j, c);
            }
    for (int k = 0; st == SEAM_OK && k < c->n; k++) {
        bool down = !full && columnar_rel_within(c->e[k], left, n) &&
                    columnar_rel_touches(c->e[k], left, n);

        st = add(s, down ? &l : &rest, c->e[k]);
    }
    for (int k = 0; st == SEAM_OK && k < j->n_conds; k++) {
        const struct columnar_expr *e = j->conds[k];
        bool of_right = columnar_rel_touches(e, right, n),
             of_left = columnar_rel_touches(e, left, n);

        if (!full && of_right && !of_left && !j->null_aware)
            st = add(s, &r, e);
        else if (semi && of_left && !of_right)
            st = add(s, &l, e);
        else
            st = add(s, &own, e);
    }
    j->conds = own.e;
    j->n_conds = own.n;
    if (st == SEAM_OK) st = push(s, &j->in, &l);
    if (st == SEAM_OK) st = push(s, &j->right, &r);
    return st == SEAM_OK ? put_filter(s, at, &rest) : st;
}

static enum seam_status push(struct columnar_rel_statement *s, struct columnar_rel **at,
                             struct conds *c)
{
    struct columnar_rel *r = *at;
    enum seam_status st = SEAM_OK;

    switch (r->kind) {
    case COLUMNAR_REL_FILTER:
        for (int k = 0; st == SEAM_OK && k < r->n_conds; k++) st = factor(s, r->conds[k], c);
        *at = r->in;
        return st == SEAM_OK ? push(s, at, c) : st;
    case COLUMNAR_REL_MAP: return push_map(s, at, c);
    case COLUMNAR_REL_JOIN:
        return r->join == COLUMNAR_JOIN_INNER ? push_inner(s, r, c) : push_outer(s, at, c);
    case COLUMNAR_REL_GROUP:
    case COLUMNAR_REL_WINDOW: return push_keyed(s, at, c);
    case COLUMNAR_REL_UNION: return push_union(s, at, c);
    case COLUMNAR_REL_ORDER:
        if (r->limit == UINT64_MAX && r->offset == 0) return push(s, &r->in, c);
        st = push_nothing(s, &r->in);
        break;
    case COLUMNAR_REL_SHARED:
        if (!r->def->pushed) {
            r->def->pushed = true;
            st = push_nothing(s, &r->def->rel);
        }
        break;
    default: break;
    }
    return st == SEAM_OK ? put_filter(s, at, c) : st;
}

/* ---- WITH names used once ---- */

static void count_uses(struct columnar_rel *r)
{
    if (r->kind == COLUMNAR_REL_SHARED && r->def->uses++ == 0) count_uses(r->def->rel);
    if (r->in != NULL) count_uses(r->in);
    if (r->right != NULL) count_uses(r->right);
    for (int k = 0; k < r->n_inputs; k++) count_uses(r->inputs[k].rel);
}

/* Rows asked for once need not be kept: the relation itself stands there, its columns renamed. */
static enum seam_status inline_single(struct columnar_rel_statement *s, struct columnar_rel **at)
{
    struct columnar_rel *r = *at;
    enum seam_status st = SEAM_OK;

    if (r->kind == COLUMNAR_REL_SHARED && r->def->uses == 1) {
        *at = columnar_rel_new(s, COLUMNAR_REL_MAP, r->def->rel);
        if (*at == NULL) return SEAM_NOMEM;
        for (int k = 0; st == SEAM_OK && k < r->n_ids; k++) {
            const struct columnar_expr *e;

            st = columnar_rel_column_expr(s, r->def->ids[k], &e);
            if (st == SEAM_OK) st = columnar_rel_add_map(s, *at, r->ids[k], e);
        }
        r = *at;
    } else if (r->kind == COLUMNAR_REL_SHARED && !r->def->inlined) {
        r->def->inlined = true;
        st = inline_single(s, &r->def->rel);
    }
    if (st == SEAM_OK && r->in != NULL) st = inline_single(s, &r->in);
    if (st == SEAM_OK && r->right != NULL) st = inline_single(s, &r->right);
    for (int k = 0; st == SEAM_OK && k < r->n_inputs; k++) st = inline_single(s, &r->inputs[k].rel);
    return st;
}

enum seam_status columnar_rel_push(struct columnar_rel_statement *s, struct columnar_rel **at)
{
    enum seam_status st;

    count_uses(*at);
    st = inline_single(s, at);
    return st == SEAM_OK ? push_nothing(s, at) : st;
}
