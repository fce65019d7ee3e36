/* sql_rel - making relations, sets of their columns, and expressions over numbered columns. */
#include "columnar/sql/sql_rel.h"

#include <assert.h>
#include <string.h>

enum seam_status columnar_rel_no_memory(struct columnar_rel_statement *s)
{
    return seam_fault_set(s->f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
}

int columnar_rel_column(struct columnar_rel_statement *s, const char *name, unsigned type,
                        unsigned scale)
{
    if (s->n_columns == COLUMNAR_REL_COLUMNS_MAX) {
        seam_fault_set(s->f, SEAM_LIMIT, "sql", 0, "more than %d columns in one statement",
                       COLUMNAR_REL_COLUMNS_MAX);
        return -1;
    }
    if (s->n_columns == s->cap) {
        int cap = s->cap == 0 ? 64 : s->cap * 2;
        struct columnar_rel_column *more = seam_arena_alloc(s->a, (size_t)cap * sizeof *more);

        if (more == NULL) {
            columnar_rel_no_memory(s);
            return -1;
        }
        if (s->n_columns > 0) memcpy(more, s->columns, (size_t)s->n_columns * sizeof *more);
        s->columns = more;
        s->cap = cap;
    }
    s->columns[s->n_columns] = (struct columnar_rel_column){name, (uint8_t)type, (uint8_t)scale};
    return s->n_columns++;
}

struct columnar_rel *columnar_rel_new(struct columnar_rel_statement *s, enum columnar_rel_kind kind,
                                      struct columnar_rel *in)
{
    struct columnar_rel *r = seam_arena_zalloc(s->a, sizeof *r);

    if (r == NULL) {
        columnar_rel_no_memory(s);
        return NULL;
    }
    r->kind = kind;
    r->in = in;
    r->limit = UINT64_MAX;
    r->mark = -1;
    return r;
}

enum seam_status columnar_rel_column_expr(struct columnar_rel_statement *s, int id,
                                          const struct columnar_expr **out)
{
    assert(id >= 0 && id < s->n_columns);
    return columnar_expr_column(s->a, id, (enum seam_value_type)s->columns[id].type,
                                s->columns[id].scale, out, s->f);
}

/* Lists grow by doubling: a copy is made when n is a power of two (or nothing). */
void *columnar_rel_grow(struct columnar_rel_statement *s, const void *list, int n, size_t each)
{
    void *more;

    if (n > 0 && (n & (n - 1)) != 0) return (void *)list;
    more = seam_arena_alloc(s->a, (size_t)(n == 0 ? 1 : 2 * n) * each);
    if (more == NULL) {
        columnar_rel_no_memory(s);
        return NULL;
    }
    if (n > 0) memcpy(more, list, (size_t)n * each);
    return more;
}

enum seam_status columnar_rel_add_cond(struct columnar_rel_statement *s, struct columnar_rel *r,
                                       const struct columnar_expr *e)
{
    r->conds = columnar_rel_grow(s, r->conds, r->n_conds, sizeof *r->conds);
    if (r->conds == NULL) return SEAM_NOMEM;
    r->conds[r->n_conds++] = e;
    return SEAM_OK;
}

enum seam_status columnar_rel_add_map(struct columnar_rel_statement *s, struct columnar_rel *r,
                                      int id, const struct columnar_expr *e)
{
    r->maps = columnar_rel_grow(s, r->maps, r->n_maps, sizeof *r->maps);
    if (r->maps == NULL) return SEAM_NOMEM;
    r->maps[r->n_maps++] = (struct columnar_rel_map){id, e};
    return SEAM_OK;
}

enum seam_status columnar_rel_filter(struct columnar_rel_statement *s, struct columnar_rel **at,
                                     const struct columnar_expr *e)
{
    enum seam_status st = SEAM_OK;

    if (e->op == COLUMNAR_E_AND) {
        for (int k = 0; st == SEAM_OK && k < e->n_args; k++)
            st = columnar_rel_filter(s, at, e->args[k]);
        return st;
    }
    if (e->op == COLUMNAR_E_CONST && e->constant.type == SEAM_V_BOOL && e->constant.i)
        return SEAM_OK;
    if ((*at)->kind != COLUMNAR_REL_FILTER) *at = columnar_rel_new(s, COLUMNAR_REL_FILTER, *at);
    return *at == NULL ? SEAM_NOMEM : columnar_rel_add_cond(s, *at, e);
}

enum seam_status columnar_rel_compute(struct columnar_rel_statement *s, struct columnar_rel **at,
                                      const struct columnar_expr *e, const char *name, int *id)
{
    bool one_more = false; /* it can stand beside what the MAP already computes */

    if (e->op == COLUMNAR_E_COLUMN) {
        *id = e->column;
        return SEAM_OK;
    }
    if ((*at)->kind == COLUMNAR_REL_MAP) {
        bool *made = columnar_rel_set(s);

        if (made == NULL) return SEAM_NOMEM;
        for (int k = 0; k < (*at)->n_maps; k++) {
            made[(*at)->maps[k].id] = true;
            if (!columnar_expr_same((*at)->maps[k].e, e)) continue;
            *id = (*at)->maps[k].id;
            return SEAM_OK;
        }
        one_more = !columnar_rel_touches(e, made, s->n_columns);
    }
    *id = columnar_rel_column(s, name, e->type, e->scale);
    if (*id < 0) return s->f != NULL ? s->f->status : SEAM_NOMEM;
    if (!one_more) *at = columnar_rel_new(s, COLUMNAR_REL_MAP, *at);
    return *at == NULL ? SEAM_NOMEM : columnar_rel_add_map(s, *at, *id, e);
}

/* ---- sets ---- */

bool *columnar_rel_set(struct columnar_rel_statement *s)
{
    bool *set = seam_arena_zalloc(s->a, (size_t)s->n_columns + 1);

    if (set == NULL) columnar_rel_no_memory(s);
    return set;
}

static void note(void *ctx, int column)
{
    ((bool *)ctx)[column] = true;
}

void columnar_rel_expr_ids(const struct columnar_expr *e, bool *set)
{
    columnar_expr_columns(e, note, set);
}

bool columnar_rel_within(const struct columnar_expr *e, const bool *set, int n)
{
    if (e->op == COLUMNAR_E_COLUMN) return e->column < n && set[e->column];
    for (int k = 0; k < e->n_args; k++)
        if (!columnar_rel_within(e->args[k], set, n)) return false;
    return true;
}

bool columnar_rel_touches(const struct columnar_expr *e, const bool *set, int n)
{
    if (e->op == COLUMNAR_E_COLUMN) return e->column < n && set[e->column];
    for (int k = 0; k < e->n_args; k++)
        if (columnar_rel_touches(e->args[k], set, n)) return true;
    return false;
}

/* What the node itself makes. */
static void own(const struct columnar_rel *r, bool *set)
{
    for (int k = 0; k < r->n_ids; k++) set[r->ids[k]] = true;
    for (int k = 0; k < r->n_maps; k++) set[r->maps[k].id] = true;
    for (int k = 0; k < r->n_aggs; k++) set[r->aggs[k].id] = true;
    for (int k = 0; k < r->n_windows; k++) set[r->window_ids[k]] = true;
    if (r->mark >= 0) set[r->mark] = true;
}

void columnar_rel_out(const struct columnar_rel *r, bool *set)
{
    own(r, set);
    switch (r->kind) {
    case COLUMNAR_REL_SCAN:
    case COLUMNAR_REL_VALUES:
    case COLUMNAR_REL_GROUP:
    case COLUMNAR_REL_UNION:
    case COLUMNAR_REL_SHARED: return;
    case COLUMNAR_REL_JOIN:
    case COLUMNAR_REL_APPLY:
        columnar_rel_out(r->in, set);
        if (r->join == COLUMNAR_JOIN_INNER || r->join == COLUMNAR_JOIN_LEFT ||
            r->join == COLUMNAR_JOIN_FULL || r->join == COLUMNAR_JOIN_SINGLE)
            columnar_rel_out(r->right, set);
        return;
    default: columnar_rel_out(r->in, set);
    }
}

void columnar_rel_made(const struct columnar_rel *r, bool *set)
{
    own(r, set);
    if (r->in != NULL) columnar_rel_made(r->in, set);
    if (r->right != NULL) columnar_rel_made(r->right, set);
    for (int k = 0; k < r->n_inputs; k++) columnar_rel_made(r->inputs[k].rel, set);
}

void columnar_rel_read(const struct columnar_rel *r, bool *set)
{
    for (int k = 0; k < r->n_conds; k++) columnar_rel_expr_ids(r->conds[k], set);
    for (int k = 0; k < r->n_maps; k++) columnar_rel_expr_ids(r->maps[k].e, set);
    for (int k = 0; k < r->n_aggs; k++) {
        if (r->aggs[k].agg.arg != NULL) columnar_rel_expr_ids(r->aggs[k].agg.arg, set);
        if (r->aggs[k].agg.arg2 != NULL) columnar_rel_expr_ids(r->aggs[k].agg.arg2, set);
        if (r->aggs[k].agg.order != NULL) columnar_rel_expr_ids(r->aggs[k].agg.order, set);
    }
    for (int k = 0; k < r->n_partition; k++) set[r->partition[k]] = true;
    for (int k = 0; k < r->n_order; k++) set[r->order[k].id] = true;
    for (int k = 0; k < r->n_windows; k++)
        for (int i = 0; i < r->windows[k].n_args; i++) set[r->windows[k].args[i]] = true;
    for (int k = 0; k < r->n_inputs; k++)
        for (int i = 0; i < r->n_ids; i++) set[r->inputs[k].ids[i]] = true;
    if (r->in != NULL) columnar_rel_read(r->in, set);
    if (r->right != NULL) columnar_rel_read(r->right, set);
    for (int k = 0; k < r->n_inputs; k++) columnar_rel_read(r->inputs[k].rel, set);
}

int columnar_rel_free(struct columnar_rel_statement *s, const struct columnar_rel *r,
                      const bool *of, bool *set)
{
    bool *read = columnar_rel_set(s), *made = columnar_rel_set(s);
    int n = 0;

    if (read == NULL || made == NULL) return -1;
    columnar_rel_read(r, read);
    columnar_rel_made(r, made);
    for (int i = 0; i < s->n_columns; i++) {
        set[i] = read[i] && !made[i] && (of == NULL || of[i]);
        n += set[i];
    }
    return n;
}

/* ---- expressions ---- */

enum seam_status columnar_rel_replace(struct columnar_rel_statement *s,
                                      const struct columnar_expr *e,
                                      const struct columnar_expr *const *by, int n,
                                      const struct columnar_expr **out)
{
    const struct columnar_expr **args = NULL;
    struct columnar_expr *copy;
    enum seam_status st = SEAM_OK;

    *out = e;
    if (e->op == COLUMNAR_E_COLUMN) {
        if (e->column < n && by[e->column] != NULL) *out = by[e->column];
        return SEAM_OK;
    }
    for (int k = 0; st == SEAM_OK && k < e->n_args; k++) {
        const struct columnar_expr *arg;

        st = columnar_rel_replace(s, e->args[k], by, n, &arg);
        if (st != SEAM_OK || arg == e->args[k]) continue;
        if (args == NULL) {
            args = seam_arena_alloc(s->a, (size_t)e->n_args * sizeof *args);
            if (args == NULL) return columnar_rel_no_memory(s);
            memcpy(args, e->args, (size_t)e->n_args * sizeof *args);
        }
        args[k] = arg;
    }
    if (st != SEAM_OK || args == NULL) return st;
    copy = seam_arena_alloc(s->a, sizeof *copy);
    if (copy == NULL) return columnar_rel_no_memory(s);
    *copy = *e;
    copy->args = args;
    *out = copy;
    return SEAM_OK;
}

/* An id read as an id (keys of orders and windows) takes a replacement only when it is a column. */
static int id_by(const struct columnar_expr *const *by, int n, int id)
{
    return id < n && by[id] != NULL && by[id]->op == COLUMNAR_E_COLUMN ? by[id]->column : id;
}

static enum seam_status replace_own(struct columnar_rel_statement *s, struct columnar_rel *r,
                                    const struct columnar_expr *const *by, int n)
{
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < r->n_conds; k++)
        st = columnar_rel_replace(s, r->conds[k], by, n, &r->conds[k]);
    for (int k = 0; st == SEAM_OK && k < r->n_maps; k++)
        st = columnar_rel_replace(s, r->maps[k].e, by, n, &r->maps[k].e);
    for (int k = 0; st == SEAM_OK && k < r->n_aggs; k++) {
        struct columnar_plan_agg *a = &r->aggs[k].agg;

        if (a->arg != NULL) st = columnar_rel_replace(s, a->arg, by, n, &a->arg);
        if (st == SEAM_OK && a->arg2 != NULL)
            st = columnar_rel_replace(s, a->arg2, by, n, &a->arg2);
        if (st == SEAM_OK && a->order != NULL)
            st = columnar_rel_replace(s, a->order, by, n, &a->order);
    }
    for (int k = 0; k < r->n_partition; k++) r->partition[k] = id_by(by, n, r->partition[k]);
    for (int k = 0; k < r->n_order; k++) r->order[k].id = id_by(by, n, r->order[k].id);
    for (int k = 0; k < r->n_windows; k++)
        for (int i = 0; i < r->windows[k].n_args; i++)
            r->windows[k].args[i] = id_by(by, n, r->windows[k].args[i]);
    for (int k = 0; k < r->n_inputs; k++)
        for (int i = 0; i < r->n_ids; i++) r->inputs[k].ids[i] = id_by(by, n, r->inputs[k].ids[i]);
    return st;
}

enum seam_status columnar_rel_replace_in(struct columnar_rel_statement *s, struct columnar_rel *r,
                                         const struct columnar_expr *const *by, int n)
{
    enum seam_status st = replace_own(s, r, by, n);

    if (st == SEAM_OK && r->in != NULL) st = columnar_rel_replace_in(s, r->in, by, n);
    if (st == SEAM_OK && r->right != NULL) st = columnar_rel_replace_in(s, r->right, by, n);
    for (int k = 0; st == SEAM_OK && k < r->n_inputs; k++)
        st = columnar_rel_replace_in(s, r->inputs[k].rel, by, n);
    return st;
}

/* With room to grow: a list's place is at least the next power of two (columnar_rel_grow). */
static void *duplicate(struct columnar_rel_statement *s, const void *from, size_t bytes)
{
    void *p = seam_arena_alloc(s->a, 2 * bytes + 1);

    if (p != NULL && bytes > 0) memcpy(p, from, bytes);
    return p;
}

static int new_number(struct columnar_rel_statement *s, int *to, int id)
{
    struct columnar_rel_column c = s->columns[id];
    int fresh = to[id];

    if (fresh != id) return fresh; /* a group's key that is its own column: one number */
    fresh = columnar_rel_column(s, c.name, c.type, c.scale);

    if (fresh >= 0) to[id] = fresh;
    return fresh;
}

/* The tree copied, with new numbers for what it makes; expressions still speak of the old ones. */
static struct columnar_rel *copy_tree(struct columnar_rel_statement *s,
                                      const struct columnar_rel *r, int *to)
{
    struct columnar_rel *c = duplicate(s, r, sizeof *r);
    bool ok = c != NULL;

    if (!ok) return NULL;
#define COPY(list, count)                                                                          \
    if (ok && (count) > 0)                                                                         \
    ok = (c->list = duplicate(s, r->list, (size_t)(count) * sizeof *c->list)) != NULL
    COPY(ids, r->n_ids);
    COPY(conds, r->n_conds);
    COPY(maps, r->n_maps);
    COPY(aggs, r->n_aggs);
    COPY(partition, r->n_partition);
    COPY(order, r->n_order);
    COPY(windows, r->n_windows);
    COPY(window_ids, r->n_windows);
    COPY(inputs, r->n_inputs);
#undef COPY
    for (int k = 0; ok && k < c->n_ids; k++) ok = (c->ids[k] = new_number(s, to, r->ids[k])) >= 0;
    for (int k = 0; ok && k < c->n_maps; k++)
        ok = (c->maps[k].id = new_number(s, to, r->maps[k].id)) >= 0;
    for (int k = 0; ok && k < c->n_aggs; k++)
        ok = (c->aggs[k].id = new_number(s, to, r->aggs[k].id)) >= 0;
    for (int k = 0; ok && k < c->n_windows; k++) {
        ok = (c->window_ids[k] = new_number(s, to, r->window_ids[k])) >= 0;
        c->windows[k].args =
            duplicate(s, r->windows[k].args, (size_t)r->windows[k].n_args * sizeof(int));
        ok = ok && c->windows[k].args != NULL;
    }
    if (ok && r->mark >= 0) ok = (c->mark = new_number(s, to, r->mark)) >= 0;
    if (ok && r->in != NULL) ok = (c->in = copy_tree(s, r->in, to)) != NULL;
    if (ok && r->right != NULL) ok = (c->right = copy_tree(s, r->right, to)) != NULL;
    for (int k = 0; ok && k < r->n_inputs; k++) {
        c->inputs[k].ids = duplicate(s, r->inputs[k].ids, (size_t)r->n_ids * sizeof(int));
        ok = c->inputs[k].ids != NULL &&
             (c->inputs[k].rel = copy_tree(s, r->inputs[k].rel, to)) != NULL;
    }
    return ok ? c : NULL;
}

enum seam_status columnar_rel_clone(struct columnar_rel_statement *s, const struct columnar_rel *r,
                                    struct columnar_rel **out, int *to)
{
    int n = s->n_columns;
    const struct columnar_expr **by = seam_arena_zalloc(s->a, (size_t)(n + 1) * sizeof *by);
    enum seam_status st = SEAM_OK;

    if (by == NULL) return columnar_rel_no_memory(s);
    for (int i = 0; i < n; i++) to[i] = i;
    *out = copy_tree(s, r, to);
    if (*out == NULL) return s->f != NULL && s->f->status != SEAM_OK ? s->f->status : SEAM_NOMEM;
    for (int i = 0; st == SEAM_OK && i < n; i++)
        if (to[i] != i) st = columnar_rel_column_expr(s, to[i], &by[i]);
    return st == SEAM_OK ? columnar_rel_replace_in(s, *out, by, n) : st;
}

enum seam_status columnar_rel_call(struct columnar_rel_statement *s, enum columnar_expr_op op,
                                   const struct columnar_expr *x, const struct columnar_expr *y,
                                   const struct columnar_expr **out)
{
    const struct columnar_expr *args[2] = {x, y};

    return columnar_expr_call(s->a, op, args, y == NULL ? 1 : 2, out, s->f);
}

enum seam_status columnar_rel_equal(struct columnar_rel_statement *s, const struct columnar_expr *a,
                                    const struct columnar_expr *b, bool null_safe,
                                    const struct columnar_expr **out)
{
    const struct columnar_expr *no_a, *no_b, *both;
    enum seam_status st = columnar_rel_call(s, COLUMNAR_E_EQ, a, b, out);

    if (st != SEAM_OK || !null_safe) return st;
    st = columnar_rel_call(s, COLUMNAR_E_IS_NULL, a, NULL, &no_a);
    if (st == SEAM_OK) st = columnar_rel_call(s, COLUMNAR_E_IS_NULL, b, NULL, &no_b);
    if (st == SEAM_OK) st = columnar_rel_call(s, COLUMNAR_E_AND, no_a, no_b, &both);
    return st == SEAM_OK ? columnar_rel_call(s, COLUMNAR_E_COALESCE, *out, both, out) : st;
}

/* The argument of an IS NULL beside an equality must be its side, but for a cast. */
static bool is_null_of(const struct columnar_expr *e, const struct columnar_expr *side)
{
    if (e->op != COLUMNAR_E_IS_NULL) return false;
    while (side->op == COLUMNAR_E_CAST && !columnar_expr_same(side, e->args[0]))
        side = side->args[0];
    return columnar_expr_same(side, e->args[0]);
}

bool columnar_rel_is_equal(const struct columnar_expr *e, const struct columnar_expr **a,
                           const struct columnar_expr **b, bool *null_safe)
{
    const struct columnar_expr *both;

    *null_safe = false;
    if (e->op == COLUMNAR_E_EQ) {
        *a = e->args[0];
        *b = e->args[1];
        return true;
    }
    if (e->op != COLUMNAR_E_COALESCE || e->n_args != 2 || e->args[0]->op != COLUMNAR_E_EQ)
        return false;
    both = e->args[1];
    *a = e->args[0]->args[0];
    *b = e->args[0]->args[1];
    if (both->op != COLUMNAR_E_AND || both->n_args != 2) return false;
    *null_safe = true;
    return (is_null_of(both->args[0], *a) && is_null_of(both->args[1], *b)) ||
           (is_null_of(both->args[0], *b) && is_null_of(both->args[1], *a));
}
