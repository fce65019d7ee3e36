/* sql_window - f(...) OVER (...): a WINDOW above what the block has, its parts computed below it. */
#include "columnar/sql/sql_block.h"

struct call_name {
    const char *name;
    enum columnar_window_op op;
    int least, most;
    bool framed; /* looks at its frame */
};

static const struct call_name names[] = {
    {"row_number", COLUMNAR_WINDOW_ROW_NUMBER, 0, 0, false},
    {"rank", COLUMNAR_WINDOW_RANK, 0, 0, false},
    {"dense_rank", COLUMNAR_WINDOW_DENSE_RANK, 0, 0, false},
    {"percent_rank", COLUMNAR_WINDOW_PERCENT_RANK, 0, 0, false},
    {"cume_dist", COLUMNAR_WINDOW_CUME_DIST, 0, 0, false},
    {"ntile", COLUMNAR_WINDOW_NTILE, 1, 1, false},
    {"lag", COLUMNAR_WINDOW_LAG, 1, 3, false},
    {"lead", COLUMNAR_WINDOW_LEAD, 1, 3, false},
    {"first_value", COLUMNAR_WINDOW_FIRST, 1, 1, true},
    {"first", COLUMNAR_WINDOW_FIRST, 1, 1, true},
    {"last_value", COLUMNAR_WINDOW_LAST, 1, 1, true},
    {"last", COLUMNAR_WINDOW_LAST, 1, 1, true},
    {"nth_value", COLUMNAR_WINDOW_NTH, 2, 2, true},
    {"count", COLUMNAR_WINDOW_COUNT, 0, 1, true},
    {"sum", COLUMNAR_WINDOW_SUM, 1, 1, true},
    {"avg", COLUMNAR_WINDOW_AVG, 1, 1, true},
    {"mean", COLUMNAR_WINDOW_AVG, 1, 1, true},
    {"min", COLUMNAR_WINDOW_MIN, 1, 1, true},
    {"max", COLUMNAR_WINDOW_MAX, 1, 1, true}};

static enum seam_status named(struct columnar_block *b, const struct columnar_sql_window *w,
                              const struct columnar_sql_window **out)
{
    struct columnar_sql_window *whole;

    *out = w;
    if (w->name == NULL) return SEAM_OK;
    for (int i = 0; i < b->select->n_windows; i++) {
        const struct columnar_sql_window *n = b->select->windows[i];

        if (strcmp(n->name, w->name) != 0) continue;
        whole = seam_arena_alloc(b->s->a, sizeof *whole);
        if (whole == NULL) return columnar_rel_no_memory(b->s);
        *whole = *n;
        whole->name = NULL;
        if (w->n_partition > 0)
            whole->partition = w->partition, whole->n_partition = w->n_partition;
        if (w->n_order > 0) whole->order = w->order, whole->n_order = w->n_order;
        if (w->has_frame) {
            whole->has_frame = true;
            whole->rows = w->rows;
            whole->start = w->start;
            whole->end = w->end;
        }
        *out = whole;
        return SEAM_OK;
    }
    return seam_fault_set(b->s->f, SEAM_INVALID, "sql", w->at, "there is no window '%s'", w->name);
}

/* A column that holds e, computed on *b->at. */
static enum seam_status part(struct columnar_block *b, const struct columnar_sql_node *e, int *id)
{
    const struct columnar_expr *x;
    enum seam_status st = b->up->expr(b, e, &x);

    return st == SEAM_OK ? columnar_rel_compute(b->s, b->at, x, "window", id) : st;
}

static enum columnar_window_bound bound_of(enum columnar_sql_bound_kind k)
{
    switch (k) {
    case COLUMNAR_SQL_UNBOUNDED_PRECEDING: return COLUMNAR_WINDOW_FIRST_ROW;
    case COLUMNAR_SQL_PRECEDING: return COLUMNAR_WINDOW_BEFORE;
    case COLUMNAR_SQL_CURRENT_ROW: return COLUMNAR_WINDOW_HERE;
    case COLUMNAR_SQL_FOLLOWING: return COLUMNAR_WINDOW_AFTER;
    default: return COLUMNAR_WINDOW_LAST_ROW;
    }
}

/* How far a bound is: rows, or a distance in the order key's own unit. */
static enum seam_status distance(struct columnar_block *b, const struct columnar_sql_window *w,
                                 const struct columnar_sql_bound *at, int order_id, int64_t *out)
{
    const struct columnar_expr *e;
    struct seam_fault inner = {0};
    unsigned type = SEAM_V_INT, scale = 0;
    enum seam_status st;

    *out = 0;
    if (at->offset == NULL) return SEAM_OK;
    if (!w->rows) {
        if (w->n_order != 1)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", w->at,
                                  "RANGE with a distance needs one ORDER BY key");
        type = b->s->columns[order_id].type;
        scale = b->s->columns[order_id].scale;
        if (at->offset->kind == COLUMNAR_SQL_INTERVAL) {
            if (type != SEAM_V_TIME || at->offset->value.i != 0)
                return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", at->offset->at,
                                      "RANGE takes intervals of days and less beside a time");
            *out = at->offset->micros;
            return *out >= 0 ? SEAM_OK
                             : seam_fault_set(b->s->f, SEAM_INVALID, "sql", at->offset->at,
                                              "a frame's distance is not negative");
        }
        if (type != SEAM_V_INT && type != SEAM_V_DECIMAL)
            return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", at->offset->at,
                                  "RANGE with a distance takes an order key of whole numbers, "
                                  "decimals or times in this dialect");
    }
    st = b->up->expr(b, at->offset, &e);
    if (st == SEAM_OK)
        st = columnar_block_at(
            b, at->offset,
            columnar_expr_cast(b->s->a, e, (enum seam_value_type)type, scale, &e, &inner), &inner);
    if (st != SEAM_OK) return st;
    if (!columnar_expr_is_const(e) || e->constant.type == SEAM_V_NULL || e->constant.i < 0)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", at->offset->at,
                              "a frame's distance is a constant, not negative");
    *out = e->constant.i;
    return SEAM_OK;
}

/* Without ORDER BY all rows are peers; with it a frame ends at the row's last peer. */
static enum seam_status frame(struct columnar_block *b, const struct columnar_sql_window *w,
                              int order_id, struct columnar_plan_window_call *c)
{
    enum seam_status st;

    c->rows = false;
    c->start = COLUMNAR_WINDOW_FIRST_ROW;
    c->end = w->n_order > 0 ? COLUMNAR_WINDOW_HERE : COLUMNAR_WINDOW_LAST_ROW;
    if (!w->has_frame) return SEAM_OK;
    if (w->start.kind == COLUMNAR_SQL_UNBOUNDED_FOLLOWING ||
        w->end.kind == COLUMNAR_SQL_UNBOUNDED_PRECEDING || w->start.kind > w->end.kind)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", w->at,
                              "the frame ends before it begins");
    c->rows = w->rows;
    c->start = bound_of(w->start.kind);
    c->end = bound_of(w->end.kind);
    st = distance(b, w, &w->start, order_id, &c->before);
    return st == SEAM_OK ? distance(b, w, &w->end, order_id, &c->after) : st;
}

static const struct call_name *call_name(const char *name)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(names[i].name, name) == 0) return &names[i];
    return NULL;
}

static enum seam_status check(struct columnar_block *b, const struct columnar_sql_node *e,
                              const struct call_name *n)
{
    if (b->no_windows)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at,
                              "a window function has no place here: it stands in SELECT, QUALIFY "
                              "and ORDER BY");
    if (n == NULL)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "%s is not a window function of this dialect", e->name);
    if (e->distinct)
        return seam_fault_set(b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
                              "DISTINCT inside a window function is not in this dialect");
    if (e->n_order > 0)
        return seam_fault_set(
            b->s->f, SEAM_UNSUPPORTED, "sql", e->at,
            "ORDER BY among a window function's arguments is not in this dialect");
    if ((e->star && n->op != COLUMNAR_WINDOW_COUNT) || e->n_args < n->least || e->n_args > n->most)
        return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "%s takes %d to %d arguments",
                              e->name, n->least, n->most);
    return SEAM_OK;
}

/* Arguments as columns; a filtered one is null where the filter is not true. */
static enum seam_status arguments(struct columnar_block *b, const struct columnar_sql_node *e,
                                  struct columnar_plan_window_call *c)
{
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    c->args = seam_arena_alloc(b->s->a, 4 * sizeof *c->args);
    if (c->args == NULL) return columnar_rel_no_memory(b->s);
    if (e->n_args == 0 && c->op == COLUMNAR_WINDOW_COUNT) c->op = COLUMNAR_WINDOW_COUNT_ALL;
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) {
        const struct columnar_expr *x;

        st = b->up->expr(b, e->args[i], &x);
        if (st == SEAM_OK && x->type == SEAM_V_BOOL &&
            (c->op == COLUMNAR_WINDOW_SUM || c->op == COLUMNAR_WINDOW_AVG))
            st = columnar_expr_cast(b->s->a, x, SEAM_V_INT, 0, &x, &inner);
        if (st == SEAM_OK && i == 0 &&
            (c->op == COLUMNAR_WINDOW_SUM || c->op == COLUMNAR_WINDOW_AVG) &&
            x->type != SEAM_V_INT && x->type != SEAM_V_DECIMAL && x->type != SEAM_V_DOUBLE)
            return seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "%s needs numbers, not %s",
                                  e->name, seam_value_type_name(x->type));
        if (st == SEAM_OK && i == 2) /* what lag gives instead has its value's type */
            st =
                columnar_expr_cast(b->s->a, x, (enum seam_value_type)b->s->columns[c->args[0]].type,
                                   b->s->columns[c->args[0]].scale, &x, &inner);
        if (st == SEAM_OK && i == 0 && e->filter != NULL) {
            const struct columnar_expr *two[2] = {NULL, x};

            st = b->up->expr(b, e->filter, &two[0]);
            if (st == SEAM_OK)
                st = columnar_expr_call(b->s->a, COLUMNAR_E_CASE, two, 2, &x, &inner);
        }
        if (st != SEAM_OK)
            return inner.status != SEAM_OK ? columnar_block_at(b, e, st, &inner) : st;
        st = columnar_rel_compute(b->s, b->at, x, "argument", &c->args[c->n_args++]);
    }
    return st;
}

/* count(*) FILTER (WHERE c) OVER ...: of a column that is 1 or null. */
static enum seam_status filtered_count(struct columnar_block *b, const struct columnar_sql_node *e,
                                       struct columnar_plan_window_call *c)
{
    struct seam_value one = seam_v_int(1);
    const struct columnar_expr *two[2];
    enum seam_status st = b->up->expr(b, e->filter, &two[0]);

    if (st == SEAM_OK) st = columnar_expr_const(b->s->a, &one, &two[1], b->s->f);
    if (st == SEAM_OK) st = columnar_expr_call(b->s->a, COLUMNAR_E_CASE, two, 2, &two[0], b->s->f);
    if (st == SEAM_OK) st = columnar_rel_compute(b->s, b->at, two[0], "argument", &c->args[0]);
    c->op = COLUMNAR_WINDOW_COUNT;
    c->n_args = 1;
    return st;
}

static unsigned result_type(const struct columnar_rel_statement *s,
                            const struct columnar_plan_window_call *c, unsigned *scale)
{
    *scale = 0;
    switch (c->op) {
    case COLUMNAR_WINDOW_PERCENT_RANK:
    case COLUMNAR_WINDOW_CUME_DIST:
    case COLUMNAR_WINDOW_AVG: return SEAM_V_DOUBLE;
    case COLUMNAR_WINDOW_LAG:
    case COLUMNAR_WINDOW_LEAD:
    case COLUMNAR_WINDOW_FIRST:
    case COLUMNAR_WINDOW_LAST:
    case COLUMNAR_WINDOW_NTH:
    case COLUMNAR_WINDOW_SUM:
    case COLUMNAR_WINDOW_MIN:
    case COLUMNAR_WINDOW_MAX:
        *scale = s->columns[c->args[0]].scale;
        return s->columns[c->args[0]].type;
    default: return SEAM_V_INT;
    }
}

static bool same_window(struct columnar_block *b, const struct columnar_sql_window *x,
                        const struct columnar_sql_window *y)
{
    if (x->n_partition != y->n_partition || x->n_order != y->n_order) return false;
    for (int i = 0; i < x->n_partition; i++)
        if (!columnar_block_same(b, x->partition[i], y->partition[i])) return false;
    for (int i = 0; i < x->n_order; i++)
        if (!columnar_block_same(b, x->order[i].expr, y->order[i].expr) ||
            x->order[i].descending != y->order[i].descending ||
            x->order[i].nulls_first != y->order[i].nulls_first)
            return false;
    return true;
}

static enum seam_status add_call(struct columnar_block *b, struct columnar_rel *w,
                                 const struct columnar_plan_window_call *c,
                                 const struct columnar_expr **out)
{
    unsigned scale, type = result_type(b->s, c, &scale);
    int id = columnar_rel_column(b->s, "window", type, scale);

    w->windows = columnar_rel_grow(b->s, w->windows, w->n_windows, sizeof *w->windows);
    w->window_ids = columnar_rel_grow(b->s, w->window_ids, w->n_windows, sizeof *w->window_ids);
    if (id < 0 || w->windows == NULL || w->window_ids == NULL) return SEAM_NOMEM;
    w->windows[w->n_windows] = *c;
    w->window_ids[w->n_windows++] = id;
    return columnar_rel_column_expr(b->s, id, out);
}

/* The window's own relation, its keys computed below. */
static enum seam_status new_window(struct columnar_block *b, const struct columnar_sql_window *spec,
                                   struct columnar_rel **out)
{
    struct columnar_rel *w = columnar_rel_new(b->s, COLUMNAR_REL_WINDOW, NULL);
    enum seam_status st = SEAM_OK;

    if (w == NULL) return SEAM_NOMEM;
    w->spec = spec;
    w->partition = seam_arena_alloc(b->s->a, (size_t)(spec->n_partition + 1) * sizeof(int));
    w->order = seam_arena_alloc(b->s->a, (size_t)(spec->n_order + 1) * sizeof *w->order);
    if (w->partition == NULL || w->order == NULL) return columnar_rel_no_memory(b->s);
    for (int i = 0; st == SEAM_OK && i < spec->n_partition; i++)
        st = part(b, spec->partition[i], &w->partition[w->n_partition++]);
    for (int i = 0; st == SEAM_OK && i < spec->n_order; i++) {
        int id = -1;

        st = part(b, spec->order[i].expr, &id);
        w->order[w->n_order++] =
            (struct columnar_rel_key){id, spec->order[i].descending, spec->order[i].nulls_first};
    }
    *out = w;
    return st;
}

enum seam_status columnar_block_window(struct columnar_block *b, const struct columnar_sql_node *e,
                                       const struct columnar_expr **out)
{
    const struct call_name *n = call_name(e->name);
    struct columnar_plan_window_call c = {0};
    const struct columnar_sql_window *spec = NULL;
    struct columnar_rel *w = NULL, **above = b->at;
    bool again;
    enum seam_status st = check(b, e, n);

    if (st == SEAM_OK) st = named(b, e->over, &spec);
    if (st != SEAM_OK) return st;
    c.op = n->op;
    again = (*b->at)->kind == COLUMNAR_REL_WINDOW && (*b->at)->spec != NULL &&
            same_window(b, (*b->at)->spec, spec);
    if (again) { /* one sorting for all functions of one window */
        w = *b->at;
        b->at = &w->in;
    } else {
        st = new_window(b, spec, &w);
    }
    b->no_windows = true; /* no window inside a window */
    if (st == SEAM_OK) st = arguments(b, e, &c);
    if (st == SEAM_OK && e->filter != NULL && c.op == COLUMNAR_WINDOW_COUNT_ALL)
        st = filtered_count(b, e, &c);
    else if (st == SEAM_OK && e->filter != NULL && c.op < COLUMNAR_WINDOW_COUNT_ALL)
        st = seam_fault_set(b->s->f, SEAM_INVALID, "sql", e->at, "FILTER belongs to aggregates");
    if (st == SEAM_OK) st = frame(b, spec, w->n_order > 0 ? w->order[0].id : -1, &c);
    b->no_windows = false;
    b->at = above;
    if (st != SEAM_OK) return st;
    if (!again) {
        w->in = *b->at;
        *b->at = w;
    }
    return add_call(b, w, &c, out);
}
