/* sql_subquery - queries inside expressions: each becomes an APPLY, whose right side may look outside.
 *
 *   (select x ...)          SINGLE: its column, null where there is no row
 *   EXISTS, IN in a WHERE   SEMI, ANTI
 *   elsewhere               MARK: a column that says whether
 * IN has three answers. A query that looks outside gets two marks: one for what is equal, one for what would be
 * but for a null; else one mark that knows about nulls itself (exec/join_probe.c).                 */
#include "columnar/sql/sql_block.h"

static enum seam_status bind_query(struct columnar_block *b, const struct columnar_sql_node *e,
                                   struct columnar_rel **rel, struct columnar_outputs *out)
{
    if (b->at == NULL)
        return seam_fault_set(
            b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
            "a subquery has no place in the ON of an outer join, in this dialect");
    return b->up->query(b->s, e->select, b, b->ctes, &b->as_of, rel, out);
}

static struct columnar_rel *apply(struct columnar_block *b, enum columnar_join_kind kind,
                                  struct columnar_rel *right)
{
    struct columnar_rel *r = columnar_rel_new(b->s, COLUMNAR_REL_APPLY, *b->at);

    if (r == NULL) return NULL;
    r->right = right;
    r->join = kind;
    *b->at = r;
    return r;
}

static enum seam_status mark(struct columnar_block *b, struct columnar_rel *right,
                             struct columnar_rel **r, const struct columnar_expr **out)
{
    *r = apply(b, COLUMNAR_JOIN_MARK, right);
    if (*r == NULL) return SEAM_NOMEM;
    (*r)->mark = columnar_rel_column(b->s, "mark", SEAM_V_BOOL, 0);
    return (*r)->mark < 0 ? SEAM_LIMIT : columnar_rel_column_expr(b->s, (*r)->mark, out);
}

static bool at_most_one(const struct columnar_rel *r)
{
    switch (r->kind) {
    case COLUMNAR_REL_MAP:
    case COLUMNAR_REL_FILTER: return at_most_one(r->in);
    case COLUMNAR_REL_ORDER: return r->limit <= 1 || at_most_one(r->in);
    case COLUMNAR_REL_GROUP: return r->n_maps == 0;
    case COLUMNAR_REL_VALUES: return r->n_rows <= 1;
    default: return false;
    }
}

static enum seam_status scalar(struct columnar_block *b, const struct columnar_sql_node *e,
                               const struct columnar_expr **out)
{
    struct columnar_rel *rel = NULL;
    struct columnar_outputs o = {0};
    const struct columnar_expr *column;
    bool *made;
    int id;
    enum seam_status st = bind_query(b, e, &rel, &o);

    if (st != SEAM_OK) return st;
    if (o.n != 1)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "a subquery that stands for one value has one column, not %d", o.n);
    made = columnar_rel_set(b->s);
    if (made == NULL) return SEAM_NOMEM;
    columnar_rel_out(rel, made);
    id = o.ids[0];
    if (!made[id]) { /* an outer column: here it is this query's */
        st = columnar_rel_column_expr(b->s, id, &column);
        if (st != SEAM_OK) return st;
        id = columnar_rel_column(b->s, o.names[0], column->type, column->scale);
        rel = columnar_rel_new(b->s, COLUMNAR_REL_MAP, rel);
        if (id < 0 || rel == NULL) return SEAM_NOMEM;
        st = columnar_rel_add_map(b->s, rel, id, column);
    }
    if (st == SEAM_OK &&
        apply(b, at_most_one(rel) ? COLUMNAR_JOIN_LEFT : COLUMNAR_JOIN_SINGLE, rel) == NULL)
        st = SEAM_NOMEM;
    return st == SEAM_OK ? columnar_rel_column_expr(b->s, id, out) : st;
}

static enum seam_status negate(struct columnar_block *b, const struct columnar_sql_node *e,
                               const struct columnar_expr **out)
{
    return e->negated ? columnar_rel_call(b->s, COLUMNAR_E_NOT, *out, NULL, out) : SEAM_OK;
}

static enum seam_status exists(struct columnar_block *b, const struct columnar_sql_node *e,
                               bool top, const struct columnar_expr **out)
{
    struct columnar_rel *rel = NULL, *r;
    struct columnar_outputs o = {0};
    enum seam_status st = bind_query(b, e, &rel, &o);

    if (st != SEAM_OK) return st;
    if (top) {
        *out = NULL;
        return apply(b, e->negated ? COLUMNAR_JOIN_ANTI : COLUMNAR_JOIN_SEMI, rel) == NULL
                   ? SEAM_NOMEM
                   : SEAM_OK;
    }
    st = mark(b, rel, &r, out);
    return st == SEAM_OK ? negate(b, e, out) : st;
}

/* left op right for each column of the query, and-ed. */
static enum seam_status comparison(struct columnar_block *b, const struct columnar_sql_node *e,
                                   enum columnar_expr_op op, const struct columnar_expr **left,
                                   const int *ids, int n, const struct columnar_expr **out)
{
    const struct columnar_expr **all = seam_arena_alloc(b->s->a, (size_t)(n + 1) * sizeof *all);
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    if (all == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        const struct columnar_expr *two[2] = {left[i], NULL};

        st = columnar_rel_column_expr(b->s, ids[i], &two[1]);
        if (st == SEAM_OK)
            st = columnar_block_at(b, e, columnar_expr_call(b->s->a, op, two, 2, &all[i], &inner),
                                   &inner);
    }
    if (st != SEAM_OK) return st;
    *out = all[0];
    return n == 1 ? SEAM_OK : columnar_expr_call(b->s->a, COLUMNAR_E_AND, all, n, out, b->s->f);
}

static enum seam_status left_side(struct columnar_block *b, const struct columnar_sql_node *e,
                                  const struct columnar_expr ***out, int *n)
{
    const struct columnar_sql_node *x = e->args[0];
    bool row = x->kind == COLUMNAR_SQL_ROW;
    enum seam_status st = SEAM_OK;

    *n = row ? x->n_args : 1;
    *out = seam_arena_alloc(b->s->a, (size_t)(*n + 1) * sizeof **out);
    if (*out == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < *n; i++)
        st = b->up->expr(b, row ? x->args[i] : x, &(*out)[i]);
    return st;
}

/* Two marks: case when equal then true when unknown then null else false end. */
static enum seam_status two_marks(struct columnar_block *b, const struct columnar_sql_node *e,
                                  struct columnar_rel *rel, const struct columnar_expr *cond,
                                  const struct columnar_expr **out)
{
    int n = b->s->n_columns, *to = seam_arena_alloc(b->s->a, (size_t)(n + 1) * sizeof *to);
    const struct columnar_expr **by = seam_arena_zalloc(b->s->a, (size_t)(n + 1) * sizeof *by);
    const struct columnar_expr *args[5], *unknown;
    struct columnar_rel *again, *r;
    struct seam_value yes = seam_v_bool(true), no = seam_v_bool(false), none = seam_v_null();
    enum seam_status st;

    if (to == NULL || by == NULL) return columnar_rel_no_memory(b->s);
    st = columnar_rel_clone(b->s, rel, &again, to);
    for (int i = 0; st == SEAM_OK && i < n; i++)
        if (to[i] != i) st = columnar_rel_column_expr(b->s, to[i], &by[i]);
    if (st == SEAM_OK) st = columnar_rel_replace(b->s, cond, by, n, &unknown);
    if (st == SEAM_OK) st = columnar_rel_call(b->s, COLUMNAR_E_IS_NULL, unknown, NULL, &unknown);
    if (st == SEAM_OK) st = mark(b, rel, &r, &args[0]);
    if (st == SEAM_OK) st = columnar_rel_add_cond(b->s, r, cond);
    if (st == SEAM_OK) st = mark(b, again, &r, &args[2]);
    if (st == SEAM_OK) st = columnar_rel_add_cond(b->s, r, unknown);
    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &yes, &args[1], b->s->f);
    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &none, &args[3], b->s->f);
    if (st == SEAM_OK) st = columnar_expr_cast(b->s->a, args[3], SEAM_V_BOOL, 0, &args[3], b->s->f);
    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &no, &args[4], b->s->f);
    if (st == SEAM_OK) st = columnar_expr_call(b->s->a, COLUMNAR_E_CASE, args, 5, out, b->s->f);
    return st == SEAM_OK ? negate(b, e, out) : st;
}

static enum columnar_expr_op op_of(enum columnar_sql_op op, bool inverted)
{
    switch (op) {
    case COLUMNAR_SQL_NE: return inverted ? COLUMNAR_E_EQ : COLUMNAR_E_NE;
    case COLUMNAR_SQL_LT: return inverted ? COLUMNAR_E_GE : COLUMNAR_E_LT;
    case COLUMNAR_SQL_LE: return inverted ? COLUMNAR_E_GT : COLUMNAR_E_LE;
    case COLUMNAR_SQL_GT: return inverted ? COLUMNAR_E_LE : COLUMNAR_E_GT;
    case COLUMNAR_SQL_GE: return inverted ? COLUMNAR_E_LT : COLUMNAR_E_GE;
    default: return inverted ? COLUMNAR_E_NE : COLUMNAR_E_EQ;
    }
}

/* x IN (query), x op ANY (query); x op ALL (query) is NOT (x inverse-op ANY (query)). */
static enum seam_status membership(struct columnar_block *b, const struct columnar_sql_node *e,
                                   bool top, const struct columnar_expr **out)
{
    bool all = e->kind == COLUMNAR_SQL_ANY && e->star, correlated;
    enum columnar_expr_op op = e->kind == COLUMNAR_SQL_ANY ? op_of(e->op, all) : COLUMNAR_E_EQ;
    struct columnar_sql_node turned = *e;
    struct columnar_rel *rel = NULL, *r;
    struct columnar_outputs o = {0};
    const struct columnar_expr **left, *cond;
    bool *free;
    int n;
    enum seam_status st = left_side(b, e, &left, &n);

    if (all) turned.negated = !turned.negated;
    if (st == SEAM_OK) st = bind_query(b, e, &rel, &o);
    if (st != SEAM_OK) return st;
    if (o.n != n)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "%d value%s beside a query of %d column%s", n, n == 1 ? "" : "s", o.n,
                              o.n == 1 ? "" : "s");
    st = comparison(b, e, op, left, o.ids, n, &cond);
    if (st != SEAM_OK) return st;
    if (top && !turned.negated) {
        *out = NULL;
        r = apply(b, COLUMNAR_JOIN_SEMI, rel);
        return r == NULL ? SEAM_NOMEM : columnar_rel_add_cond(b->s, r, cond);
    }
    free = columnar_rel_set(b->s);
    if (free == NULL) return SEAM_NOMEM;
    correlated = columnar_rel_free(b->s, rel, NULL, free) != 0;
    if (correlated || n > 1 || op != COLUMNAR_E_EQ) return two_marks(b, &turned, rel, cond, out);
    st = mark(b, rel, &r, out);
    if (st == SEAM_OK) st = columnar_rel_add_cond(b->s, r, cond);
    if (st == SEAM_OK) r->null_aware = true;
    return st == SEAM_OK ? negate(b, &turned, out) : st;
}

enum seam_status columnar_block_subquery(struct columnar_block *b,
                                         const struct columnar_sql_node *e, bool top,
                                         const struct columnar_expr **out)
{
    switch (e->kind) {
    case COLUMNAR_SQL_SUBQUERY: return scalar(b, e, out);
    case COLUMNAR_SQL_EXISTS: return exists(b, e, top, out);
    default: return membership(b, e, top, out);
    }
}
