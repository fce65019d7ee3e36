/* plan - building and explaining the tree of operators. */
#include "columnar/exec/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a plan");
}

int columnar_plan_columns(const struct columnar_plan *p, const struct columnar_plan_column **out)
{
    *out = p->columns;
    return p->n_columns;
}

static struct columnar_plan *new_plan(struct seam_arena *a, enum columnar_plan_kind kind,
                                      int columns)
{
    struct columnar_plan *p = seam_arena_zalloc(a, sizeof *p);

    if (p == NULL || columns > PLAN_COLUMNS_MAX) return NULL;
    p->columns = seam_arena_zalloc(a, ((size_t)columns + 1) * sizeof *p->columns);
    p->kind = kind;
    p->n_columns = columns;
    return p->columns == NULL ? NULL : p;
}

static const char *copy_name(struct seam_arena *a, const char *name, int at)
{
    char number[16];

    if (name == NULL) {
        snprintf(number, sizeof number, "#%d", at);
        name = number;
    }
    return seam_arena_strdup(a, name, strlen(name));
}

static void *copy(struct seam_arena *a, const void *from, size_t bytes)
{
    void *p = seam_arena_alloc(a, bytes + 1);

    if (p != NULL && bytes > 0) memcpy(p, from, bytes);
    return p;
}

static enum seam_status scan_plan(struct seam_arena *a, const struct columnar_reader *r, int table,
                                  const int *columns, int n, seam_lsn_t from, seam_lsn_t to,
                                  bool versions, const struct columnar_plan **out,
                                  struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_SCAN, n);
    const struct seam_schema *s = columnar_schema(r, table);
    enum seam_status st;

    if (p == NULL) return no_memory(f);
    st = columnar_state_readable(&r->s, to, f);
    if (st == SEAM_OK && versions) st = columnar_state_readable(&r->s, from, f);
    if (st != SEAM_OK) return st;
    p->reader = r;
    p->table = table;
    p->from = from;
    p->to = to;
    p->versions = versions;
    p->scan_columns = copy(a, columns, (size_t)n * sizeof *columns);
    if (p->scan_columns == NULL) return no_memory(f);
    for (int c = 0; c < n; c++) {
        if (columns[c] < 0) {
            p->columns[c] = (struct columnar_plan_column){
                columns[c] == COLUMNAR_PLAN_COLUMN_BEGIN ? "_lsn" : "_lsn_end", SEAM_V_INT, 0};
            continue;
        }
        if (columns[c] >= s->column_count || !seam_column_live(&s->columns[columns[c]], s->version))
            return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                  "column %d is not in the table", columns[c]);
        p->columns[c] = (struct columnar_plan_column){s->columns[columns[c]].name,
                                                      (uint8_t)s->columns[columns[c]].type,
                                                      s->columns[columns[c]].scale};
    }
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_scan(struct seam_arena *a, const struct columnar_reader *r,
                                    int table, const int *columns, int n, seam_lsn_t lsn,
                                    const struct columnar_plan **out, struct seam_fault *f)
{
    if (lsn == SEAM_LSN_MAX) lsn = columnar_applied(r);
    return scan_plan(a, r, table, columns, n, lsn, lsn, false, out, f);
}

enum seam_status columnar_plan_scan_versions(struct seam_arena *a, const struct columnar_reader *r,
                                             int table, const int *columns, int n, seam_lsn_t from,
                                             seam_lsn_t to, const struct columnar_plan **out,
                                             struct seam_fault *f)
{
    if (to == SEAM_LSN_MAX) to = columnar_applied(r);
    return scan_plan(a, r, table, columns, n, from, to, true, out, f);
}

enum seam_status columnar_plan_rows(struct seam_arena *a,
                                    const struct columnar_plan_column *columns, int n,
                                    const struct columnar_plan_source *source,
                                    const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_ROWS, n);

    if (p == NULL) return no_memory(f);
    p->source = *source;
    for (int c = 0; c < n; c++) {
        p->columns[c] = columns[c];
        p->columns[c].name = copy_name(a, columns[c].name, c);
        if (p->columns[c].name == NULL) return no_memory(f);
    }
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_filter(struct seam_arena *a, const struct columnar_plan *in,
                                      const struct columnar_expr *where,
                                      const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_FILTER, 0);

    if (p == NULL) return no_memory(f);
    if (where->type != SEAM_V_BOOL && where->type != SEAM_V_NULL)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "a filter needs a condition, not %s",
                              seam_value_type_name(where->type));
    p->in = in;
    p->where = where;
    p->columns = in->columns;
    p->n_columns = in->n_columns;
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_project(struct seam_arena *a, const struct columnar_plan *in,
                                       const struct columnar_expr *const *exprs,
                                       const char *const *names, int n,
                                       const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_PROJECT, n);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->exprs = copy(a, exprs, (size_t)n * sizeof *exprs);
    if (p->exprs == NULL) return no_memory(f);
    for (int c = 0; c < n; c++) {
        p->columns[c] = (struct columnar_plan_column){
            copy_name(a, names == NULL ? NULL : names[c], c), exprs[c]->type, exprs[c]->scale};
        if (p->columns[c].name == NULL) return no_memory(f);
    }
    *out = p;
    return SEAM_OK;
}

static bool is_number(unsigned type)
{
    return type == SEAM_V_INT || type == SEAM_V_DECIMAL || type == SEAM_V_DOUBLE ||
           type == SEAM_V_NULL;
}

static enum seam_status agg_column(const struct columnar_plan_agg *g,
                                   struct columnar_plan_column *out, struct seam_fault *f)
{
    *out = (struct columnar_plan_column){g->name, SEAM_V_INT, 0};
    switch (g->op) {
    case COLUMNAR_AGG_COUNT_ALL:
    case COLUMNAR_AGG_COUNT:
    case COLUMNAR_AGG_COUNT_DISTINCT:
    case COLUMNAR_AGG_APPROX_DISTINCT: return SEAM_OK;
    case COLUMNAR_AGG_SUM:
    case COLUMNAR_AGG_AVG:
        if (g->arg->type != SEAM_V_INT && g->arg->type != SEAM_V_DECIMAL &&
            g->arg->type != SEAM_V_DOUBLE && g->arg->type != SEAM_V_NULL)
            return seam_fault_set(
                f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s needs numbers, not %s",
                g->op == COLUMNAR_AGG_SUM ? "sum" : "avg", seam_value_type_name(g->arg->type));
        out->type = g->op == COLUMNAR_AGG_AVG ? SEAM_V_DOUBLE : g->arg->type;
        out->scale = out->type == SEAM_V_DECIMAL ? g->arg->scale : 0;
        return SEAM_OK;
    case COLUMNAR_AGG_STDDEV_SAMP:
    case COLUMNAR_AGG_STDDEV_POP:
    case COLUMNAR_AGG_VAR_SAMP:
    case COLUMNAR_AGG_VAR_POP:
    case COLUMNAR_AGG_CORR:
    case COLUMNAR_AGG_COVAR_SAMP:
    case COLUMNAR_AGG_COVAR_POP:
    case COLUMNAR_AGG_QUANTILE_CONT:
    case COLUMNAR_AGG_PRODUCT:
        if (!is_number(g->arg->type) || (g->arg2 != NULL && !is_number(g->arg2->type)))
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "this aggregate needs numbers, not %s",
                                  seam_value_type_name(g->arg->type));
        out->type = SEAM_V_DOUBLE;
        return SEAM_OK;
    case COLUMNAR_AGG_STRING_AGG: out->type = SEAM_V_TEXT; return SEAM_OK;
    case COLUMNAR_AGG_BOOL_AND:
    case COLUMNAR_AGG_BOOL_OR: out->type = SEAM_V_BOOL; return SEAM_OK;
    default:
        out->type = g->arg->type;
        out->scale = g->arg->scale;
        return SEAM_OK;
    }
}

/* What the accumulators of groups.h cannot hold in a fixed place is made from rows kept by group. */
static bool needs_rows(const struct columnar_plan_agg *g)
{
    return g->op > COLUMNAR_AGG_APPROX_DISTINCT || g->order != NULL ||
           (g->distinct && (g->op == COLUMNAR_AGG_SUM || g->op == COLUMNAR_AGG_AVG));
}

enum seam_status columnar_plan_aggregate(struct seam_arena *a, const struct columnar_plan *in,
                                         const struct columnar_expr *const *keys,
                                         const char *const *key_names, int n_keys,
                                         const struct columnar_plan_agg *aggs, int n_aggs,
                                         const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_AGGREGATE, n_keys + n_aggs);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->exprs = copy(a, keys, (size_t)n_keys * sizeof *keys);
    p->aggs = copy(a, aggs, (size_t)n_aggs * sizeof *aggs);
    if (p->exprs == NULL || p->aggs == NULL) return no_memory(f);
    p->n_keys = n_keys;
    p->n_aggs = n_aggs;
    for (int k = 0; k < n_keys; k++)
        p->columns[k] =
            (struct columnar_plan_column){copy_name(a, key_names == NULL ? NULL : key_names[k], k),
                                          keys[k]->type, keys[k]->scale};
    for (int g = 0; g < n_aggs; g++) {
        enum seam_status st = agg_column(&aggs[g], &p->columns[n_keys + g], f);

        if (st != SEAM_OK) return st;
        p->columns[n_keys + g].name = copy_name(a, aggs[g].name, n_keys + g);
        if (needs_rows(&aggs[g])) p->kind = PLAN_COLLECT;
    }
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_order(struct seam_arena *a, const struct columnar_plan *in,
                                     const struct columnar_plan_key *keys, int n, uint64_t limit,
                                     uint64_t offset, const struct columnar_plan **out,
                                     struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_ORDER, 0);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->columns = in->columns;
    p->n_columns = in->n_columns;
    p->keys = copy(a, keys, (size_t)n * sizeof *keys);
    if (p->keys == NULL) return no_memory(f);
    p->n_keys = n;
    p->limit = limit;
    p->offset = offset;
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_limit(struct seam_arena *a, const struct columnar_plan *in,
                                     uint64_t limit, uint64_t offset,
                                     const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_LIMIT, 0);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->columns = in->columns;
    p->n_columns = in->n_columns;
    p->limit = limit;
    p->offset = offset;
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_join_with(struct seam_arena *a,
                                         const struct columnar_plan_join_spec *spec,
                                         const struct columnar_plan **out, struct seam_fault *f)
{
    int left = spec->left->n_columns, right = spec->right->n_columns, n = spec->n;
    bool both = spec->kind <= COLUMNAR_JOIN_SINGLE;
    struct columnar_plan *p = new_plan(a, PLAN_JOIN,
                                       left + (both                               ? right
                                               : spec->kind == COLUMNAR_JOIN_MARK ? 1
                                                                                  : 0));
    const struct columnar_expr **l = copy(a, spec->left_keys, (size_t)n * sizeof *l),
                               **r = copy(a, spec->right_keys, (size_t)n * sizeof *r);
    enum seam_status st = SEAM_OK;

    if (p == NULL || l == NULL || r == NULL) return no_memory(f);
    for (int k = 0; st == SEAM_OK && k < n; k++) st = columnar_expr_equal_keys(a, &l[k], &r[k], f);
    p->in = spec->left;
    p->right = spec->right;
    p->join = spec->kind;
    p->exprs = l;
    p->right_keys = r;
    p->n_keys = n;
    p->where = spec->where;
    p->null_aware = spec->null_aware;
    if (spec->null_safe != NULL) {
        p->null_safe = copy(a, spec->null_safe, (size_t)n * sizeof *spec->null_safe);
        if (p->null_safe == NULL) return no_memory(f);
    }
    memcpy(p->columns, spec->left->columns, (size_t)left * sizeof *p->columns);
    if (both)
        memcpy(p->columns + left, spec->right->columns, (size_t)right * sizeof *p->columns);
    else if (spec->kind == COLUMNAR_JOIN_MARK)
        p->columns[left] = (struct columnar_plan_column){"mark", SEAM_V_BOOL, 0};
    if (st == SEAM_OK) *out = p;
    return st;
}

enum seam_status columnar_plan_join(struct seam_arena *a, const struct columnar_plan *left,
                                    const struct columnar_plan *right, enum columnar_join_kind kind,
                                    const struct columnar_expr *const *left_keys,
                                    const struct columnar_expr *const *right_keys, int n,
                                    const struct columnar_plan **out, struct seam_fault *f)
{
    const struct columnar_plan_join_spec spec = {.left = left,
                                                 .right = right,
                                                 .kind = kind,
                                                 .n = n,
                                                 .left_keys = left_keys,
                                                 .right_keys = right_keys};

    if (n < 1)
        return seam_fault_set(f, SEAM_UNSUPPORTED, NULL, SEAM_FAULT_NO_OFFSET,
                              "a join needs an equality");
    return columnar_plan_join_with(a, &spec, out, f);
}

enum seam_status columnar_plan_append(struct seam_arena *a,
                                      const struct columnar_plan *const *inputs, int n,
                                      const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_APPEND, n > 0 ? inputs[0]->n_columns : 0);

    if (p == NULL) return no_memory(f);
    p->inputs = copy(a, inputs, (size_t)n * sizeof *inputs);
    if (p->inputs == NULL) return no_memory(f);
    p->n_inputs = n;
    for (int c = 0; c < p->n_columns; c++) p->columns[c] = inputs[0]->columns[c];
    for (int i = 1; i < n; i++)
        for (int c = 0; c < p->n_columns; c++)
            if (inputs[i]->n_columns != p->n_columns ||
                inputs[i]->columns[c].type != p->columns[c].type ||
                inputs[i]->columns[c].scale != p->columns[c].scale)
                return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                      "column %d is not of one type in all inputs", c + 1);
    *out = p;
    return SEAM_OK;
}

enum seam_status columnar_plan_shared(struct seam_arena *a, const struct columnar_plan *in,
                                      const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_SHARED, 0);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->columns = in->columns;
    p->n_columns = in->n_columns;
    *out = p;
    return SEAM_OK;
}

static void window_column(const struct columnar_plan *in, const struct columnar_plan_window_call *c,
                          struct columnar_plan_column *out)
{
    const struct columnar_plan_column *arg = c->n_args > 0 ? &in->columns[c->args[0]] : NULL;

    *out = (struct columnar_plan_column){"window", SEAM_V_INT, 0};
    switch (c->op) {
    case COLUMNAR_WINDOW_PERCENT_RANK:
    case COLUMNAR_WINDOW_CUME_DIST:
    case COLUMNAR_WINDOW_AVG: out->type = SEAM_V_DOUBLE; break;
    case COLUMNAR_WINDOW_LAG:
    case COLUMNAR_WINDOW_LEAD:
    case COLUMNAR_WINDOW_FIRST:
    case COLUMNAR_WINDOW_LAST:
    case COLUMNAR_WINDOW_NTH:
    case COLUMNAR_WINDOW_SUM:
    case COLUMNAR_WINDOW_MIN:
    case COLUMNAR_WINDOW_MAX:
        out->type = arg->type;
        out->scale = arg->scale;
        break;
    default: break;
    }
}

enum seam_status columnar_plan_window(struct seam_arena *a, const struct columnar_plan *in,
                                      const int *partition, int n_partition,
                                      const struct columnar_plan_key *order, int n_order,
                                      const struct columnar_plan_window_call *calls, int n_calls,
                                      const struct columnar_plan **out, struct seam_fault *f)
{
    struct columnar_plan *p = new_plan(a, PLAN_WINDOW, in->n_columns + n_calls);

    if (p == NULL) return no_memory(f);
    p->in = in;
    p->partition = copy(a, partition, (size_t)n_partition * sizeof *partition);
    p->keys = copy(a, order, (size_t)n_order * sizeof *order);
    p->calls = copy(a, calls, (size_t)n_calls * sizeof *calls);
    if (p->partition == NULL || p->keys == NULL || p->calls == NULL) return no_memory(f);
    p->n_partition = n_partition;
    p->n_keys = n_order;
    p->n_calls = n_calls;
    memcpy(p->columns, in->columns, (size_t)in->n_columns * sizeof *p->columns);
    for (int k = 0; k < n_calls; k++) window_column(in, &calls[k], &p->columns[in->n_columns + k]);
    *out = p;
    return SEAM_OK;
}

bool columnar_plan_runs_again(const struct columnar_plan *p)
{
    if (p == NULL || p->kind == PLAN_SHARED) return true;
    for (int i = 0; i < p->n_inputs; i++)
        if (!columnar_plan_runs_again(p->inputs[i])) return false;
    if (p->kind == PLAN_ROWS && p->source.rewind == NULL) return false;
    return columnar_plan_runs_again(p->in) && columnar_plan_runs_again(p->right);
}

/* ---- explaining ---- */

static void names_of(const struct columnar_plan *p, const char **names)
{
    for (int c = 0; c < p->n_columns; c++) names[c] = p->columns[c].name;
}

static void explain_list(const struct columnar_expr *const *exprs, int n, const char *const *names,
                         struct seam_buf *out)
{
    for (int k = 0; k < n; k++) {
        if (k > 0) seam_buf_str(out, ", ");
        columnar_expr_print(exprs[k], names, out);
    }
}

static void explain_aggs(const struct columnar_plan *p, const char *const *names,
                         struct seam_buf *out)
{
    static const char *const words[] = {"count",
                                        "count",
                                        "sum",
                                        "avg",
                                        "min",
                                        "max",
                                        "count distinct",
                                        "approx distinct",
                                        "stddev_samp",
                                        "stddev_pop",
                                        "var_samp",
                                        "var_pop",
                                        "corr",
                                        "covar_samp",
                                        "covar_pop",
                                        "quantile_cont",
                                        "quantile_disc",
                                        "mode",
                                        "string_agg",
                                        "first",
                                        "last",
                                        "any_value",
                                        "bool_and",
                                        "bool_or",
                                        "arg_min",
                                        "arg_max",
                                        "product",
                                        "single"};

    for (int g = 0; g < p->n_aggs; g++) {
        seam_buf_printf(out, "%s%s(", g > 0 ? ", " : "", words[p->aggs[g].op]);
        if (p->aggs[g].arg == NULL)
            seam_buf_str(out, "*");
        else
            columnar_expr_print(p->aggs[g].arg, names, out);
        seam_buf_str(out, ")");
    }
}

static const char *const join_words[] = {"",      "left ", "full ", "single ",
                                         "semi ", "anti ", "mark "};

static void explain(const struct columnar_plan *p, int depth, struct seam_buf *out)
{
    const char *names[PLAN_COLUMNS_MAX], *right[PLAN_COLUMNS_MAX];

    names_of(p->in != NULL ? p->in : p, names);
    seam_buf_printf(out, "%*s", depth * 2, "");
    switch (p->kind) {
    case PLAN_SCAN:
        seam_buf_printf(out, "scan %s as of LSN %" PRIu64 " [",
                        columnar_schema(p->reader, p->table)->name, p->to);
        for (int c = 0; c < p->n_columns; c++)
            seam_buf_printf(out, "%s%s", c > 0 ? ", " : "", names[c]);
        seam_buf_str(out, p->versions ? "] all versions\n" : "]\n");
        break;
    case PLAN_ROWS:
        seam_buf_printf(out, "rows [");
        for (int c = 0; c < p->n_columns; c++)
            seam_buf_printf(out, "%s%s", c > 0 ? ", " : "", names[c]);
        seam_buf_str(out, "]\n");
        break;
    case PLAN_FILTER:
        seam_buf_printf(out, "filter ");
        columnar_expr_print(p->where, names, out);
        seam_buf_str(out, p->in->kind == PLAN_SCAN
                              ? "  (in the scan: pruned and evaluated encoded)\n"
                              : "\n");
        break;
    case PLAN_PROJECT:
        seam_buf_str(out, "project ");
        explain_list(p->exprs, p->n_columns, names, out);
        seam_buf_str(out, "\n");
        break;
    case PLAN_AGGREGATE:
    case PLAN_COLLECT:
        seam_buf_str(out,
                     p->kind == PLAN_COLLECT ? "aggregate, rows kept by group, " : "aggregate ");
        explain_aggs(p, names, out);
        if (p->n_keys > 0) seam_buf_str(out, " by ");
        explain_list(p->exprs, p->n_keys, names, out);
        seam_buf_str(out, "\n");
        break;
    case PLAN_ORDER:
        seam_buf_str(out, p->limit == UINT64_MAX ? "order by " : "top ");
        if (p->limit != UINT64_MAX) seam_buf_printf(out, "%" PRIu64 " by ", p->limit);
        for (int k = 0; k < p->n_keys; k++)
            seam_buf_printf(out, "%s%s%s", k > 0 ? ", " : "", names[p->keys[k].column],
                            p->keys[k].descending ? " desc" : "");
        seam_buf_str(out, "\n");
        break;
    case PLAN_LIMIT:
        seam_buf_printf(out, "limit %" PRIu64 " offset %" PRIu64 "\n", p->limit, p->offset);
        break;
    case PLAN_JOIN:
        names_of(p->right, right);
        seam_buf_printf(out, "%s%s", join_words[p->join],
                        p->n_keys > 0      ? "hash join on "
                        : p->where != NULL ? "nested-loop join"
                                           : "cross join");
        for (int k = 0; k < p->n_keys; k++) {
            if (k > 0) seam_buf_str(out, " and ");
            columnar_expr_print(p->exprs[k], names, out);
            seam_buf_str(out, " = ");
            columnar_expr_print(p->right_keys[k], right, out);
        }
        if (p->where != NULL) {
            const char *both[2 * PLAN_COLUMNS_MAX];

            names_of(p->in, both);
            names_of(p->right, both + p->in->n_columns);
            seam_buf_str(out, " where ");
            columnar_expr_print(p->where, both, out);
        }
        seam_buf_str(out, "\n");
        break;
    case PLAN_APPEND:
        seam_buf_str(out, "append\n");
        for (int i = 0; i < p->n_inputs; i++) explain(p->inputs[i], depth + 1, out);
        break;
    case PLAN_SHARED: seam_buf_printf(out, "shared (runs once)\n"); break;
    case PLAN_WINDOW:
        seam_buf_printf(out, "window, %d function%s, partition by [", p->n_calls,
                        p->n_calls == 1 ? "" : "s");
        for (int k = 0; k < p->n_partition; k++)
            seam_buf_printf(out, "%s%s", k > 0 ? ", " : "", names[p->partition[k]]);
        seam_buf_str(out, "] order by [");
        for (int k = 0; k < p->n_keys; k++)
            seam_buf_printf(out, "%s%s%s", k > 0 ? ", " : "", names[p->keys[k].column],
                            p->keys[k].descending ? " desc" : "");
        seam_buf_str(out, "]\n");
        break;
    }
    if (p->in != NULL) explain(p->in, depth + 1, out);
    if (p->right != NULL) explain(p->right, depth + 1, out);
}

void columnar_plan_explain(const struct columnar_plan *p, const struct columnar_query_stats *s,
                           struct seam_buf *out)
{
    explain(p, 0, out);
    if (s == NULL) return;
    seam_buf_printf(
        out,
        "read %" PRIu64 " of %" PRIu64 " row groups, %" PRIu64 " of %" PRIu64 " vectors, %" PRIu64
        " of %" PRIu64 " rows, %" PRIu64 " of %" PRIu64 " bytes (%.2f%%) in %.3f ms\n",
        s->groups_read, s->groups_total, s->vectors_read, s->vectors_total, s->rows_scanned,
        s->rows_total, s->bytes_read, s->bytes_total,
        s->bytes_total == 0 ? 0.0 : 100.0 * (double)s->bytes_read / (double)s->bytes_total,
        (double)s->elapsed_ns / 1e6);
    if (s->passes > 1)
        seam_buf_printf(out, "groups made in %u passes, to stay inside the memory budget\n",
                        s->passes);
}
