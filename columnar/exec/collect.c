/* collect - aggregates that need their rows: distinct sums, quantiles, deviations, lists in an order.
 *
 * The rows (keys, arguments) are kept and sorted by the keys; each group is then a run of row numbers, from
 * which every aggregate takes what it needs. groups.c has the aggregates that fit into a fixed place.  */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/exec/sorted.h"
#include "engine/values/average.h"

struct collecting {
    const struct columnar_plan *p;
    struct columnar_coldata rows; /* keys, then three columns an aggregate: arg, arg2, order */
    uint32_t *at, *list;          /* sorted rows; those of one aggregate in one group */
    size_t n;                     /* of list */
    struct seam_buf text;
    struct seam_fault *f;
};

static int column_of(const struct collecting *c, int agg, int which)
{
    return c->p->n_keys + 3 * agg + which;
}

static struct seam_value value(const struct collecting *c, int agg, size_t i)
{
    return columnar_coldata_value(&c->rows, column_of(c, agg, 0), c->list[i]);
}

static double number(const struct seam_value *v)
{
    if (v->type == SEAM_V_DOUBLE) return v->d;
    return v->scale > 0 ? (double)v->i / (double)seam_decimal_pow10(v->scale) : (double)v->i;
}

/* Which rows of the group count, in the order they are wanted. */
static void choose(struct collecting *c, int g, size_t from, size_t to)
{
    const struct columnar_plan_agg *a = &c->p->aggs[g];
    const struct columnar_plan_key by_value = {.column = column_of(c, g, 0)};
    const struct columnar_plan_key by_order = {
        .column = column_of(c, g, 2), .descending = a->descending, .nulls_first = a->nulls_first};
    bool keeps_nulls = a->arg == NULL || a->op == COLUMNAR_AGG_FIRST ||
                       a->op == COLUMNAR_AGG_LAST || a->op == COLUMNAR_AGG_SINGLE;
    bool pairs = a->arg2 != NULL;
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        uint32_t row = c->at[i];

        if (!keeps_nulls &&
            columnar_coldata_value(&c->rows, column_of(c, g, 0), row).type == SEAM_V_NULL)
            continue;
        if (pairs && columnar_coldata_value(&c->rows, column_of(c, g, 1), row).type == SEAM_V_NULL)
            continue;
        c->list[n++] = row;
    }
    if (a->distinct || a->op == COLUMNAR_AGG_COUNT_DISTINCT || a->op == COLUMNAR_AGG_MODE ||
        a->op == COLUMNAR_AGG_QUANTILE_CONT || a->op == COLUMNAR_AGG_QUANTILE_DISC)
        columnar_rows_sort(&c->rows, &by_value, 1, c->list, n);
    if (a->distinct || a->op == COLUMNAR_AGG_COUNT_DISTINCT) {
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
            if (i == 0 ||
                columnar_rows_compare(&c->rows, &by_value, 1, c->list[kept - 1], c->list[i]) != 0)
                c->list[kept++] = c->list[i];
        n = kept;
    }
    if (a->order != NULL) columnar_rows_sort(&c->rows, &by_order, 1, c->list, n);
    c->n = n;
}

/* ---- sums ---- */

static enum seam_status sum_of(struct collecting *c, int g, const struct columnar_plan_column *col,
                               struct seam_value *out)
{
    bool avg = c->p->aggs[g].op == COLUMNAR_AGG_AVG;
    __int128 sum = 0;
    double real = 0;
    unsigned scale = 0, type = SEAM_V_INT;

    for (size_t i = 0; i < c->n; i++) {
        struct seam_value v = value(c, g, i);

        type = v.type;
        scale = v.type == SEAM_V_DECIMAL ? v.scale : 0;
        if (v.type == SEAM_V_DOUBLE)
            real += v.d;
        else
            sum += v.i;
    }
    if (c->n == 0) {
        *out = seam_v_null();
    } else if (avg) {
        *out = seam_v_double(type == SEAM_V_DOUBLE ? real / (double)c->n
                                                   : seam_average(sum, c->n, scale));
    } else if (type == SEAM_V_DOUBLE) {
        *out = seam_v_double(real);
    } else {
        if (sum < INT64_MIN || sum > INT64_MAX)
            return seam_fault_set(c->f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                                  "sum overflows 64 bits");
        *out = (struct seam_value){.type = col->type, .scale = col->scale, .i = (int64_t)sum};
    }
    return SEAM_OK;
}

/* Welford: one pass, no difference of large sums. */
static struct seam_value deviation(const struct collecting *c, int g)
{
    enum columnar_agg_op op = c->p->aggs[g].op;
    bool sample = op == COLUMNAR_AGG_STDDEV_SAMP || op == COLUMNAR_AGG_VAR_SAMP;
    double mean = 0, m2 = 0, var;

    if (c->n < (sample ? 2u : 1u)) return seam_v_null();
    for (size_t i = 0; i < c->n; i++) {
        struct seam_value v = value(c, g, i);
        double x = number(&v), d = x - mean;

        mean += d / (double)(i + 1);
        m2 += d * (x - mean);
    }
    var = m2 / (double)(sample ? c->n - 1 : c->n);
    return seam_v_double(op == COLUMNAR_AGG_STDDEV_SAMP || op == COLUMNAR_AGG_STDDEV_POP ? sqrt(var)
                                                                                         : var);
}

static struct seam_value covariance(const struct collecting *c, int g)
{
    enum columnar_agg_op op = c->p->aggs[g].op;
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;

    if (c->n == 0 || (c->n == 1 && op != COLUMNAR_AGG_COVAR_POP)) return seam_v_null();
    for (size_t i = 0; i < c->n; i++) {
        struct seam_value a = value(c, g, i),
                          b = columnar_coldata_value(&c->rows, column_of(c, g, 1), c->list[i]);
        double x = number(&a), y = number(&b), dx = x - mx, dy = y - my;

        mx += dx / (double)(i + 1);
        my += dy / (double)(i + 1);
        xx += dx * (x - mx);
        yy += dy * (y - my);
        xy += dx * (y - my);
    }
    if (op == COLUMNAR_AGG_COVAR_POP) return seam_v_double(xy / (double)c->n);
    if (op == COLUMNAR_AGG_COVAR_SAMP) return seam_v_double(xy / (double)(c->n - 1));
    return xx == 0 || yy == 0 ? seam_v_null() : seam_v_double(xy / sqrt(xx * yy));
}

static struct seam_value product(const struct collecting *c, int g)
{
    double p = 1;

    if (c->n == 0) return seam_v_null();
    for (size_t i = 0; i < c->n; i++) {
        struct seam_value v = value(c, g, i);

        p *= number(&v);
    }
    return seam_v_double(p);
}

/* ---- one of them ---- */

static struct seam_value quantile(const struct collecting *c, int g)
{
    const struct columnar_plan_agg *a = &c->p->aggs[g];
    double place = a->param * (double)(c->n - (c->n > 0));
    size_t low = (size_t)floor(place);
    struct seam_value x, y;

    if (c->n == 0) return seam_v_null();
    if (a->op == COLUMNAR_AGG_QUANTILE_DISC) {
        double k = ceil(a->param * (double)c->n);

        return value(c, g, k < 1 ? 0 : (size_t)k - 1);
    }
    x = value(c, g, low);
    if (low + 1 >= c->n) return seam_v_double(number(&x));
    y = value(c, g, low + 1);
    return seam_v_double(number(&x) + (number(&y) - number(&x)) * (place - (double)low));
}

static struct seam_value mode(const struct collecting *c, int g)
{
    size_t best = 0, best_n = 0, run = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct seam_value v = value(c, g, i), before = i > 0 ? value(c, g, i - 1) : v;

        run = i > 0 && seam_value_equal(&v, &before) ? run + 1 : 1;
        if (run > best_n) best_n = run, best = i;
    }
    return best_n == 0 ? seam_v_null() : value(c, g, best);
}

/* min, max, and the value beside the least or greatest of another column */
static struct seam_value extreme(const struct collecting *c, int g)
{
    enum columnar_agg_op op = c->p->aggs[g].op;
    bool least = op == COLUMNAR_AGG_MIN || op == COLUMNAR_AGG_ARG_MIN;
    int by = column_of(c, g, op == COLUMNAR_AGG_MIN || op == COLUMNAR_AGG_MAX ? 0 : 1);
    size_t best = 0;

    if (c->n == 0) return seam_v_null();
    for (size_t i = 1; i < c->n; i++) {
        struct seam_value v = columnar_coldata_value(&c->rows, by, c->list[i]),
                          b = columnar_coldata_value(&c->rows, by, c->list[best]);
        int d = seam_value_compare(&v, &b);

        if (least ? d < 0 : d > 0) best = i;
    }
    return value(c, g, best);
}

static struct seam_value truth(const struct collecting *c, int g)
{
    bool all = c->p->aggs[g].op == COLUMNAR_AGG_BOOL_AND, r = all;

    if (c->n == 0) return seam_v_null();
    for (size_t i = 0; i < c->n; i++) r = all ? r && value(c, g, i).i : r || value(c, g, i).i;
    return seam_v_bool(r);
}

static struct seam_value joined_text(struct collecting *c, int g)
{
    const struct columnar_plan_agg *a = &c->p->aggs[g];

    if (c->n == 0) return seam_v_null();
    seam_buf_clear(&c->text);
    for (size_t i = 0; i < c->n; i++) {
        struct seam_value v = value(c, g, i);

        if (i > 0) seam_buf_append(&c->text, a->text, a->text_len);
        seam_value_format(&v, &c->text);
    }
    return seam_v_text(c->text.data == NULL ? "" : (const char *)c->text.data, c->text.size);
}

static enum seam_status result(struct collecting *c, int g, const struct columnar_plan_column *col,
                               struct seam_value *out)
{
    switch (c->p->aggs[g].op) {
    case COLUMNAR_AGG_COUNT_ALL:
    case COLUMNAR_AGG_COUNT:
    case COLUMNAR_AGG_APPROX_DISTINCT:
    case COLUMNAR_AGG_COUNT_DISTINCT: *out = seam_v_int((int64_t)c->n); break;
    case COLUMNAR_AGG_SUM:
    case COLUMNAR_AGG_AVG: return sum_of(c, g, col, out);
    case COLUMNAR_AGG_MIN:
    case COLUMNAR_AGG_MAX:
    case COLUMNAR_AGG_ARG_MIN:
    case COLUMNAR_AGG_ARG_MAX: *out = extreme(c, g); break;
    case COLUMNAR_AGG_STDDEV_SAMP:
    case COLUMNAR_AGG_STDDEV_POP:
    case COLUMNAR_AGG_VAR_SAMP:
    case COLUMNAR_AGG_VAR_POP: *out = deviation(c, g); break;
    case COLUMNAR_AGG_CORR:
    case COLUMNAR_AGG_COVAR_SAMP:
    case COLUMNAR_AGG_COVAR_POP: *out = covariance(c, g); break;
    case COLUMNAR_AGG_QUANTILE_CONT:
    case COLUMNAR_AGG_QUANTILE_DISC: *out = quantile(c, g); break;
    case COLUMNAR_AGG_MODE: *out = mode(c, g); break;
    case COLUMNAR_AGG_STRING_AGG:
        *out = joined_text(c, g);
        if (!seam_buf_ok(&c->text)) return SEAM_NOMEM;
        break;
    case COLUMNAR_AGG_FIRST:
    case COLUMNAR_AGG_ANY: *out = c->n > 0 ? value(c, g, 0) : seam_v_null(); break;
    case COLUMNAR_AGG_LAST: *out = c->n > 0 ? value(c, g, c->n - 1) : seam_v_null(); break;
    case COLUMNAR_AGG_BOOL_AND:
    case COLUMNAR_AGG_BOOL_OR: *out = truth(c, g); break;
    case COLUMNAR_AGG_PRODUCT: *out = product(c, g); break;
    case COLUMNAR_AGG_SINGLE:
        if (c->n > 1)
            return seam_fault_set(c->f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "a subquery that stands for one value gave more than one row");
        *out = c->n > 0 ? value(c, g, 0) : seam_v_null();
        break;
    }
    return SEAM_OK;
}

static enum seam_status one_group(struct collecting *c, size_t from, size_t to,
                                  struct seam_value *row, struct columnar_coldata *out)
{
    int n_keys = c->p->n_keys;
    enum seam_status st = SEAM_OK;

    for (int k = 0; k < n_keys; k++) row[k] = columnar_coldata_value(&c->rows, k, c->at[from]);
    /* Text of one aggregate must outlive the next one's: each row is appended with its own copy. */
    struct seam_arena texts = {0};
    for (int g = 0; st == SEAM_OK && g < c->p->n_aggs; g++) {
        struct seam_value *v = &row[n_keys + g];

        choose(c, g, from, to);
        st = result(c, g, &c->p->columns[n_keys + g], v);
        if (st != SEAM_OK || v->type != SEAM_V_TEXT || c->p->aggs[g].op != COLUMNAR_AGG_STRING_AGG)
            continue;
        v->s = seam_arena_strdup(&texts, v->s, v->len);
        if (v->s == NULL) st = SEAM_NOMEM;
    }
    if (st == SEAM_OK) st = columnar_coldata_append(out, row, 0);
    seam_arena_free(&texts);
    return st;
}

/* keys, arguments, orders: a projection of the input. */
static enum seam_status keep_rows(struct columnar_query *q, const struct columnar_plan *p,
                                  struct columnar_coldata *rows, struct seam_fault *f)
{
    int n = p->n_keys + 3 * p->n_aggs;
    struct columnar_plan kept = {.kind = PLAN_PROJECT, .in = p->in, .n_columns = n};
    struct seam_arena mem = {0};
    const struct columnar_expr **exprs = seam_arena_alloc(&mem, (size_t)(n + 1) * sizeof *exprs),
                               *none = NULL;
    struct seam_value null = seam_v_null();
    enum seam_status st = columnar_expr_const(&mem, &null, &none, f);

    kept.columns = seam_arena_zalloc(&mem, (size_t)(n + 1) * sizeof *kept.columns);
    kept.exprs = exprs;
    if (exprs == NULL || kept.columns == NULL) st = SEAM_NOMEM;
    for (int k = 0; st == SEAM_OK && k < p->n_keys; k++) exprs[k] = p->exprs[k];
    for (int g = 0; st == SEAM_OK && g < p->n_aggs; g++) {
        const struct columnar_expr **e = &exprs[p->n_keys + 3 * g];

        e[0] = p->aggs[g].arg != NULL ? p->aggs[g].arg : none;
        e[1] = p->aggs[g].arg2 != NULL ? p->aggs[g].arg2 : none;
        e[2] = p->aggs[g].order != NULL ? p->aggs[g].order : none;
    }
    for (int c = 0; st == SEAM_OK && c < n; c++)
        kept.columns[c] = (struct columnar_plan_column){"", exprs[c]->type, exprs[c]->scale};
    if (st == SEAM_OK) st = columnar_run_to_rows(q, &kept, rows, f);
    seam_arena_free(&mem);
    return st;
}

enum seam_status columnar_run_collect(struct columnar_query *q, const struct columnar_plan *p,
                                      struct columnar_coldata *out, struct seam_fault *f)
{
    struct collecting c = {.p = p, .f = f};
    struct columnar_plan_key *keys = calloc((size_t)p->n_keys + 1, sizeof *keys);
    struct seam_value *row = calloc((size_t)p->n_columns + 1, sizeof *row);
    enum seam_status st = keys == NULL || row == NULL ? SEAM_NOMEM : keep_rows(q, p, &c.rows, f);

    for (int k = 0; st == SEAM_OK && k < p->n_keys; k++) keys[k].column = k;
    if (st == SEAM_OK) {
        c.at = columnar_rows_sorted(&c.rows, keys, p->n_keys);
        c.list = malloc((c.rows.rows + 1) * sizeof *c.list);
        if (c.at == NULL || c.list == NULL) st = SEAM_NOMEM;
    }
    if (st == SEAM_OK) st = columnar_rows_init(out, p);
    if (st == SEAM_OK && p->n_keys == 0) st = one_group(&c, 0, c.rows.rows, row, out);
    for (size_t from = 0, to; st == SEAM_OK && p->n_keys > 0 && from < c.rows.rows; from = to) {
        for (to = from + 1; to < c.rows.rows; to++)
            if (columnar_rows_compare(&c.rows, keys, p->n_keys, c.at[from], c.at[to]) != 0) break;
        st = one_group(&c, from, to, row, out);
    }
    columnar_coldata_free(&c.rows);
    seam_buf_free(&c.text);
    free(c.at);
    free(c.list);
    free(keys);
    free(row);
    return st == SEAM_NOMEM ? seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET,
                                             "no memory for the rows of an aggregation")
                            : st;
}
