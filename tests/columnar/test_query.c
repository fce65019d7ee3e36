/* Goal:   every query gives what a naive evaluator gives.
 * Method: random tables over files and tail, random filters, projections, aggregations, orders and joins,
 *         each compared with expr_eval_row over rows held in memory.                                */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/exec/query.h"
#include "engine/base/rng.h"
#include "tests/common/check_main.h"

enum { COLS = 9, ROWS_MAX = 20000 };

static const char facts_json[] =
    "{\"table\":\"facts\",\"version\":1,\"key\":[],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"small\",\"type\":\"int64\",\"nullable\":true},"
    "{\"name\":\"wide\",\"type\":\"int64\",\"nullable\":true},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":2,\"nullable\":true},"
    "{\"name\":\"ratio\",\"type\":\"double\",\"nullable\":true},"
    "{\"name\":\"flag\",\"type\":\"bool\",\"nullable\":true},"
    "{\"name\":\"at\",\"type\":\"timestamp\",\"nullable\":true},"
    "{\"name\":\"word\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"mid\",\"type\":\"int64\",\"nullable\":true}]}";

static const uint8_t types[COLS] = {V_INT, V_INT, V_INT, V_DECIMAL, V_DOUBLE, V_BOOL, V_TIME, V_TEXT, V_INT};

struct world {
    struct rng rng;
    struct schema schema;
    struct columnar_writer *w;
    struct columnar_reader *r;
    size_t n;
    struct value (*rows)[COLS];
    struct arena text;
};

static const char *const words[] = {"red", "green", "blue", "Redwood", "greenish", "special request", "",
                                    "express parcels", "ironic packages sleep", "%odd_one", "zebra"};

static struct value random_value(struct world *x, int column, int style)
{
    struct rng *r = &x->rng;
    char *s;
    int n;

    if (column != 0 && rng_below(r, style == 2 ? 3 : 12) == 0) return v_null();
    switch (column) {
    case 0: return v_int((int64_t)x->n);
    case 1: return v_int(rng_range(r, -3, 12));
    case 2: return v_int(style == 0 ? rng_range(r, -1000000, 1000000) : (int64_t)rng_u64(r) >> rng_below(r, 40));
    case 3: return v_decimal(style == 1 ? rng_range(r, 0, 20) * 100 : rng_range(r, -999999, 999999), 2);
    case 4: return v_double(style == 2 ? rng_normal(r) : (double)rng_range(r, -5000, 5000) / 100);
    case 5: return v_bool(rng_below(r, 2));
    case 6: return v_time(rng_range(r, 10000, 10400) * 86400000000 + (style == 1 ? 0 : rng_range(r, 0, 86399) * 1000000));
    case 8: return v_int(rng_range(r, 100, 900));
    default:
        if (style == 0) return v_str(words[rng_below(r, ARRAY_LEN(words))]);
        s = arena_alloc(&x->text, 64);
        n = snprintf(s, 64, "%s %s %d", words[rng_below(r, ARRAY_LEN(words))], words[rng_below(r, ARRAY_LEN(words))],
                     (int)rng_below(r, 200));
        return v_text(s, (size_t)n);
    }
}

static void world_open(struct world *x, size_t rows)
{
    struct columnar_options opt = {.row_group_rows = 4096};
    struct fault f = {0};

    memset(x, 0, sizeof *x);
    rng_seed(&x->rng, test_seed());
    x->rows = calloc(ROWS_MAX, sizeof *x->rows);
    ASSERT_OK(schema_parse(facts_json, strlen(facts_json), &x->schema, &f), &f);
    ASSERT_OK(columnar_open_writer(io_posix(), test_dir(), &opt, &x->w, &f), &f);
    ASSERT_OK(columnar_define_table(x->w, &x->schema, NULL, &f), &f);
    for (int part = 0; x->n < rows; part++) {
        size_t n = part % 3 == 2 ? 300 : 5000;

        for (size_t i = 0; i < n && x->n < rows; i++, x->n++) {
            for (int c = 0; c < COLS; c++) x->rows[x->n][c] = random_value(x, c, part % 3);
            ASSERT_OK(columnar_append(x->w, 0, x->rows[x->n], 100 + x->n, &f), &f);
        }
        ASSERT_OK(columnar_publish(x->w, 99 + x->n, (int64_t)x->n, &f), &f);
        if (part % 3 == 1) { /* force a manifest: what was in the tail becomes a file */
            ASSERT_OK(columnar_tag(x->w, part == 1 ? "a" : part == 4 ? "b" : "c", 99 + x->n, false, &f), &f);
        }
    }
    ASSERT_OK(columnar_open_reader(io_posix(), test_dir(), NULL, &x->r, &f), &f);
}

static void world_close(struct world *x)
{
    columnar_close_reader(x->r);
    columnar_close_writer(x->w);
    schema_free(&x->schema);
    arena_free(&x->text);
    free(x->rows);
}

/* ---- random expressions ---- */

static const struct expr *column(struct arena *a, int c)
{
    const struct expr *e = NULL;

    ck_assert_int_eq(expr_column(a, c, types[c], c == 3 ? 2 : 0, &e, NULL), ST_OK);
    return e;
}

static const struct expr *constant(struct world *x, struct arena *a, int c)
{
    const struct expr *e = NULL;
    struct value v = v_null();

    while (v.type == V_NULL) v = rng_below(&x->rng, 3) == 0 ? random_value(x, c, (int)rng_below(&x->rng, 3))
                                                             : x->rows[rng_below(&x->rng, x->n)][c];
    if (c == 0) v = v_int((int64_t)rng_below(&x->rng, x->n));
    ck_assert_int_eq(expr_const(a, &v, &e, NULL), ST_OK);
    return e;
}

static const struct expr *call(struct arena *a, enum expr_op op, int n, const struct expr **args)
{
    const struct expr *e = NULL;
    struct fault f = {0};

    ASSERT_OK(expr_call(a, op, args, n, &e, &f), &f);
    return e;
}

static const struct expr *random_number(struct world *x, struct arena *a, int depth)
{
    static const enum expr_op ops[] = {E_ADD, E_SUB, E_MUL, E_DIV};
    const struct expr *args[2], *e = NULL;
    int c = 1 + (int)rng_below(&x->rng, 4);

    if (c == 2) c = 3; /* wide would overflow by multiplying */
    if (depth == 0) return rng_below(&x->rng, 3) == 0 ? constant(x, a, c) : column(a, c);
    args[0] = random_number(x, a, depth - 1);
    args[1] = random_number(x, a, depth - 1);
    switch (rng_below(&x->rng, 6)) {
    case 0: return call(a, E_NEG, 1, args);
    case 1: return call(a, E_COALESCE, 2, args);
    default:
        if (expr_call(a, ops[rng_below(&x->rng, 4)], args, 2, &e, NULL) == ST_OK) return e;
        return args[0];
    }
}

static const struct expr *random_text(struct world *x, struct arena *a)
{
    const struct expr *args[3] = {column(a, 7), NULL, NULL}, *e = NULL;
    struct value one = v_int(1 + (int64_t)rng_below(&x->rng, 3)), len = v_int((int64_t)rng_below(&x->rng, 6));

    switch (rng_below(&x->rng, 5)) {
    case 0: return call(a, E_LOWER, 1, args);
    case 1: return call(a, E_UPPER, 1, args);
    case 2:
        ck_assert(expr_const(a, &one, &args[1], NULL) == ST_OK && expr_const(a, &len, &args[2], NULL) == ST_OK);
        return call(a, E_SUBSTR, 3, args);
    case 3:
        args[1] = column(a, 1);
        e = call(a, E_CONCAT, 2, args);
        return e;
    default: return args[0];
    }
}

static const struct expr *random_condition(struct world *x, struct arena *a, int depth)
{
    static const enum expr_op ops[] = {E_EQ, E_NE, E_LT, E_LE, E_GT, E_GE};
    static const char *const patterns[] = {"red%", "%ish%", "%special%request%", "_lue", "%s", "%e%e%", "blue", "",
                                           "%\\%%", "Red%", "express%", "%1_"};
    const struct expr *args[6], *e = NULL;
    struct value pattern;
    int c = (int)rng_below(&x->rng, COLS), n;

    if (depth > 0 && rng_below(&x->rng, 2) == 0) {
        args[0] = random_condition(x, a, depth - 1);
        args[1] = random_condition(x, a, depth - 1);
        switch (rng_below(&x->rng, 5)) {
        case 0: return call(a, E_NOT, 1, args);
        case 1: case 2: return call(a, E_OR, 2, args);
        default: return call(a, E_AND, 2, args);
        }
    }
    switch (rng_below(&x->rng, 10)) {
    case 0:
        args[0] = column(a, c);
        return call(a, rng_below(&x->rng, 2) ? E_IS_NULL : E_IS_NOT_NULL, 1, args);
    case 1:
        args[0] = random_text(x, a);
        pattern = v_str(patterns[rng_below(&x->rng, ARRAY_LEN(patterns))]);
        ck_assert_int_eq(expr_const(a, &pattern, &args[1], NULL), ST_OK);
        return call(a, rng_below(&x->rng, 3) ? E_LIKE : E_ILIKE, 2, args);
    case 2:
        args[0] = column(a, c);
        n = 1 + (int)rng_below(&x->rng, 5);
        for (int k = 1; k <= n; k++) args[k] = constant(x, a, c);
        return call(a, E_IN, n + 1, args);
    case 3:
        args[0] = column(a, c);
        args[1] = constant(x, a, c);
        args[2] = constant(x, a, c);
        return call(a, E_BETWEEN, 3, args);
    case 4:
        args[0] = random_number(x, a, 1);
        args[1] = random_number(x, a, 1);
        return call(a, ops[rng_below(&x->rng, 6)], 2, args);
    case 5:
        args[0] = random_text(x, a);
        args[1] = constant(x, a, 7);
        return call(a, ops[rng_below(&x->rng, 6)], 2, args);
    case 6:
        ck_assert(expr_date(a, E_DATE_TRUNC, (enum date_part)rng_below(&x->rng, 5), column(a, 6), &args[0], NULL) == ST_OK);
        args[1] = constant(x, a, 6);
        return call(a, ops[rng_below(&x->rng, 6)], 2, args);
    case 7:
        ck_assert(expr_date(a, E_DATE_PART, (enum date_part)rng_below(&x->rng, PART_COUNT), column(a, 6), &args[0], NULL) == ST_OK);
        args[1] = constant(x, a, 1);
        return call(a, ops[rng_below(&x->rng, 6)], 2, args);
    case 8:
        return column(a, 5);
    default:
        args[0] = column(a, c);
        args[1] = constant(x, a, c);
        e = call(a, ops[rng_below(&x->rng, 6)], 2, args);
        return e;
    }
}

/* ---- rows as text, to compare as multisets ---- */

struct lines { char **line; size_t n, cap; };

static void add_line(struct lines *l, const struct value *v, int n)
{
    struct buf b = {0};

    for (int c = 0; c < n; c++) {
        /* Sums of doubles depend on their order: compare what is left after rounding. */
        if (v[c].type == V_DOUBLE) buf_printf(&b, "%.9g|", fabs(v[c].d) < 1e-7 ? 0.0 : v[c].d);
        else if (v[c].type == V_NULL) buf_str(&b, "NULL|");
        else { value_format(&v[c], &b); buf_str(&b, "|"); }
    }
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 64 : 2 * l->cap;
        l->line = realloc(l->line, l->cap * sizeof *l->line);
    }
    l->line[l->n++] = strdup(buf_cstr(&b));
    buf_free(&b);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->line[i]);
    free(l->line);
}

static enum status gather(void *ctx, const struct batch *b, struct fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        struct value v[64];

        for (int c = 0; c < b->count; c++) v[c] = vec_value(&b->cols[c], r);
        add_line(ctx, v, b->count);
    }
    return ST_OK;
}

static void check_same(struct lines *got, struct lines *want, bool sorted, const struct plan *p)
{
    struct buf why = {0};

    plan_explain(p, NULL, &why);
    if (!sorted) {
        if (got->n > 0) qsort(got->line, got->n, sizeof *got->line, by_bytes);
        if (want->n > 0) qsort(want->line, want->n, sizeof *want->line, by_bytes);
    }
    for (size_t i = 0; i < got->n && i < want->n; i++)
        ck_assert_msg(strcmp(got->line[i], want->line[i]) == 0, "row %zu: got %s want %s\n%s", i, got->line[i],
                      want->line[i], buf_cstr(&why));
    ck_assert_msg(got->n == want->n, "%zu rows, not %zu\n%s", got->n, want->n, buf_cstr(&why));
    buf_free(&why);
    lines_free(got);
    lines_free(want);
}

static int passes_seen;

static enum status run(struct world *x, const struct plan *p, struct lines *got, struct fault *f)
{
    struct query_options opt = {.threads = 1 + (int)rng_below(&x->rng, 2)};
    static const uint64_t budgets[] = {0, 0, 0, 400000}; /* the last makes big groupings go in passes */
    struct query_stats stats;
    enum status st;

    opt.memory_bytes = budgets[rng_below(&x->rng, 4)];
    st = query_run(p, &opt, gather, got, &stats, f);
    passes_seen += stats.passes > 1;
    if (st != ST_LIMIT || opt.memory_bytes == 0) return st;
    /* One group's distinct values, or a join's side, cannot be cut: then the budget is a limit. */
    lines_free(got);
    *got = (struct lines){0};
    fault_clear(f);
    opt.memory_bytes = 0;
    return query_run(p, &opt, gather, got, &stats, f);
}

static const struct plan *facts(struct world *x, struct arena *a, lsn_t lsn)
{
    static const int all[COLS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct plan *p = NULL;
    struct fault f = {0};

    ASSERT_OK(plan_scan(a, x->r, 0, all, COLS, lsn, &p, &f), &f);
    return p;
}

/* True rows of a condition; false when the naive evaluation fails somewhere. */
static enum status naive_true(const struct expr *e, const struct value *row, struct arena *mem, bool *yes)
{
    struct value v;
    enum status st = expr_eval_row(e, row, mem, &v, NULL);

    *yes = st == ST_OK && v.type != V_NULL && v.i != 0;
    return st;
}

static void test_filters_and_projections_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 15500);
    for (int q = 0; q < test_scale(350); q++) {
        struct arena a = {0}, mem = {0};
        const struct expr *where = random_condition(&x, &a, 2), *exprs[3];
        const struct plan *p = facts(&x, &a, LSN_MAX), *filter = NULL, *project = NULL;
        struct lines got = {0}, want = {0};
        struct fault f = {0};
        enum status st, naive = ST_OK;
        lsn_t lsn = rng_below(&x.rng, 4) == 0 ? 100 + rng_below(&x.rng, x.n - 1) : LSN_MAX;

        p = facts(&x, &a, lsn);
        exprs[0] = column(&a, 0);
        exprs[1] = random_number(&x, &a, 1);
        exprs[2] = random_text(&x, &a);
        ASSERT_OK(plan_filter(&a, p, where, &filter, &f), &f);
        ASSERT_OK(plan_project(&a, filter, exprs, NULL, 3, &project, &f), &f);
        for (size_t i = 0; i < x.n && naive == ST_OK; i++) {
            struct value v[3];
            bool yes;

            if (100 + i > lsn) continue;
            naive = naive_true(where, x.rows[i], &mem, &yes);
            if (naive != ST_OK || !yes) continue;
            for (int c = 0; naive == ST_OK && c < 3; c++) naive = expr_eval_row(exprs[c], x.rows[i], &mem, &v[c], NULL);
            if (naive == ST_OK) add_line(&want, v, 3);
        }
        st = run(&x, project, &got, &f);
        /* A condition that cannot be computed for a row may be pruned away before: then no error is right too. */
        if (naive == ST_OK) {
            ASSERT_OK(st, &f);
            check_same(&got, &want, false, project);
        } else {
            lines_free(&got);
            lines_free(&want);
        }
        arena_free(&a);
        arena_free(&mem);
    }
    world_close(&x);
}

/* ---- aggregation ---- */

struct naive_group { struct value key[3]; struct value *rows; size_t n, cap; };

static struct value naive_agg(enum agg_op op, const struct value *v, size_t n, const struct expr *arg)
{
    __int128 sum = 0;
    double real = 0;
    int64_t count = 0, distinct = 0;
    struct value best = v_null();

    for (size_t i = 0; i < n; i++) {
        bool fresh = true;

        if (v[i].type == V_NULL) continue;
        count++;
        if (v[i].type == V_DOUBLE) real += v[i].d;
        else if (v[i].type != V_TEXT) sum += v[i].i;
        if (best.type == V_NULL || (op == AGG_MIN ? value_compare(&v[i], &best) < 0 : value_compare(&v[i], &best) > 0))
            best = v[i];
        for (size_t k = 0; op == AGG_COUNT_DISTINCT && fresh && k < i; k++)
            fresh = v[k].type == V_NULL || !value_equal(&v[k], &v[i]);
        distinct += fresh;
    }
    switch (op) {
    case AGG_COUNT_ALL: return v_int((int64_t)n);
    case AGG_COUNT: return v_int(count);
    case AGG_COUNT_DISTINCT: return v_int(distinct);
    case AGG_MIN: case AGG_MAX: return best;
    default: break;
    }
    if (count == 0) return v_null();
    if (op == AGG_AVG) {
        if (arg->type == V_DOUBLE) return v_double(real / (double)count);
        return v_double((double)sum / (double)decimal_pow10(arg->scale) / (double)count);
    }
    if (arg->type == V_DOUBLE) return v_double(real);
    return arg->type == V_DECIMAL ? v_decimal((int64_t)sum, arg->scale) : v_int((int64_t)sum);
}

static void test_aggregations_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 12000);
    for (int q = 0; q < test_scale(90); q++) {
        struct arena a = {0}, mem = {0};
        const struct expr *where = random_condition(&x, &a, 1), *keys[3];
        const struct plan *filter = NULL, *agg = NULL;
        struct plan_agg aggs[4];
        struct naive_group *groups = calloc(ROWS_MAX, sizeof *groups);
        size_t n_groups = 0;
        struct lines got = {0}, want = {0};
        struct fault f = {0};
        int n_keys = (int)rng_below(&x.rng, 4), n_aggs = 1 + (int)rng_below(&x.rng, 3);
        enum status naive = ST_OK;

        for (int k = 0; k < n_keys; k++) {
            switch (rng_below(&x.rng, 6)) {
            case 0: keys[k] = column(&a, 7); break;
            case 4: keys[k] = column(&a, 8); break;
            case 1: keys[k] = column(&a, 5); break;
            case 2: keys[k] = random_text(&x, &a); break;
            case 3: ck_assert(expr_date(&a, E_DATE_TRUNC, PART_MONTH, column(&a, 6), &keys[k], NULL) == ST_OK); break;
            default: keys[k] = column(&a, 1);
            }
        }
        for (int g = 0; g < n_aggs; g++) {
            aggs[g].op = (enum agg_op)rng_below(&x.rng, AGG_COUNT_DISTINCT + 1);
            aggs[g].name = NULL;
            aggs[g].arg = aggs[g].op == AGG_SUM || aggs[g].op == AGG_AVG ? random_number(&x, &a, 1)
                          : column(&a, (int)rng_below(&x.rng, COLS));
            if (aggs[g].op == AGG_COUNT_ALL) aggs[g].arg = NULL;
        }
        ASSERT_OK(plan_filter(&a, facts(&x, &a, LSN_MAX), where, &filter, &f), &f);
        ASSERT_OK(plan_aggregate(&a, filter, keys, NULL, n_keys, aggs, n_aggs, &agg, &f), &f);
        if (n_keys == 0) n_groups = 1;
        for (size_t i = 0; i < x.n && naive == ST_OK; i++) {
            struct value key[3];
            size_t at = 0;
            bool yes;

            naive = naive_true(where, x.rows[i], &mem, &yes);
            if (naive != ST_OK || !yes) continue;
            for (int k = 0; k < n_keys; k++) ck_assert(expr_eval_row(keys[k], x.rows[i], &mem, &key[k], NULL) == ST_OK);
            for (; at < n_groups; at++) {
                int k = 0;

                while (k < n_keys && (key[k].type == groups[at].key[k].type) &&
                       (key[k].type == V_NULL || value_equal(&key[k], &groups[at].key[k]))) k++;
                if (k == n_keys) break;
            }
            if (at == n_groups) memcpy(groups[n_groups++].key, key, sizeof key);
            if (groups[at].n == groups[at].cap) {
                groups[at].cap = groups[at].cap == 0 ? 16 : 2 * groups[at].cap;
                groups[at].rows = realloc(groups[at].rows, groups[at].cap * 4 * sizeof(struct value));
            }
            for (int g = 0; naive == ST_OK && g < n_aggs; g++) {
                struct value v = v_null();

                if (aggs[g].arg != NULL) naive = expr_eval_row(aggs[g].arg, x.rows[i], &mem, &v, NULL);
                groups[at].rows[groups[at].n * 4 + (size_t)g] = v;
            }
            groups[at].n++;
        }
        for (size_t i = 0; i < n_groups && naive == ST_OK; i++) {
            struct value out[8], *one = calloc(groups[i].n + 1, sizeof *one);

            for (int k = 0; k < n_keys; k++) out[k] = groups[i].key[k];
            for (int g = 0; g < n_aggs; g++) {
                for (size_t r = 0; r < groups[i].n; r++) one[r] = groups[i].rows[r * 4 + (size_t)g];
                out[n_keys + g] = naive_agg(aggs[g].op, one, groups[i].n, aggs[g].arg);
            }
            add_line(&want, out, n_keys + n_aggs);
            free(one);
        }
        if (naive == ST_OK) {
            enum status st = run(&x, agg, &got, &f);

            if (st == ST_LIMIT) { /* a sum past 64 bits: wide columns do that */
                lines_free(&got);
                lines_free(&want);
            } else {
                ASSERT_OK(st, &f);
                check_same(&got, &want, false, agg);
            }
        } else {
            lines_free(&want);
        }
        for (size_t i = 0; i < n_groups; i++) free(groups[i].rows);
        free(groups);
        arena_free(&a);
        arena_free(&mem);
    }
    if (test_scale(100) == 100) ck_assert_int_gt(passes_seen, 0); /* few queries may need none */
    world_close(&x);
}

/* ---- order and join ---- */

static struct value (*sort_rows)[COLS];
static struct plan_key sort_keys[2];
static int sort_count;

static int by_sort(const void *pa, const void *pb)
{
    size_t a = *(const size_t *)pa, b = *(const size_t *)pb;

    for (int k = 0; k < sort_count; k++) {
        const struct value *x = &sort_rows[a][sort_keys[k].column], *y = &sort_rows[b][sort_keys[k].column];
        int c;

        if (x->type == V_NULL || y->type == V_NULL) {
            if (x->type == y->type) continue;
            return (x->type == V_NULL) == sort_keys[k].nulls_first ? -1 : 1;
        }
        c = value_compare(x, y);
        if (c != 0) return sort_keys[k].descending ? -c : c;
    }
    return (a > b) - (a < b);
}

static void test_order_and_limit_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 9000);
    for (int q = 0; q < test_scale(60); q++) {
        struct arena a = {0};
        const struct plan *p = NULL;
        size_t *order = calloc(x.n, sizeof *order);
        struct lines got = {0}, want = {0};
        struct fault f = {0};
        uint64_t limit = rng_below(&x.rng, 3) == 0 ? UINT64_MAX : rng_below(&x.rng, 50), offset = rng_below(&x.rng, 30);

        /* The id last makes the order total. */
        sort_keys[0] = (struct plan_key){(int)rng_below(&x.rng, COLS), rng_below(&x.rng, 2), rng_below(&x.rng, 2)};
        sort_keys[1] = (struct plan_key){0, rng_below(&x.rng, 2), false};
        sort_count = 2;
        sort_rows = x.rows;
        for (size_t i = 0; i < x.n; i++) order[i] = i;
        qsort(order, x.n, sizeof *order, by_sort);
        for (size_t i = offset; i < x.n && i - offset < limit; i++) add_line(&want, x.rows[order[i]], COLS);
        ASSERT_OK(plan_order(&a, facts(&x, &a, LSN_MAX), sort_keys, 2, limit, offset, &p, &f), &f);
        ASSERT_OK(run(&x, p, &got, &f), &f);
        check_same(&got, &want, true, p);
        free(order);
        arena_free(&a);
    }
    world_close(&x);
}

static void test_joins_equal_the_naive(void)
{
    static struct world x;
    struct arena a = {0};
    struct fault f = {0};

    world_open(&x, 6000);
    for (int q = 0; q < 12; q++) {
        struct lines got = {0}, want = {0};
        struct value limit = v_int(200);
        const struct expr *args[2], *small, *l, *r;
        const struct plan *right = NULL, *p = NULL;
        int key = q % 4 == 0 ? 1 : q % 4 == 1 ? 7 : q % 4 == 2 ? 0 : 8;
        bool left = q / 4 % 2 == 0;

        args[0] = column(&a, 0);
        ck_assert_int_eq(expr_const(&a, &limit, &args[1], NULL), ST_OK);
        small = call(&a, E_LT, 2, args);
        ASSERT_OK(plan_filter(&a, facts(&x, &a, LSN_MAX), small, &right, &f), &f);
        l = r = column(&a, key);
        ASSERT_OK(plan_join(&a, facts(&x, &a, LSN_MAX), right, left ? JOIN_LEFT : JOIN_INNER, &l, &r, 1, &p, &f), &f);
        for (size_t i = 0; i < x.n; i++) {
            struct value v[2 * COLS];
            bool found = false;

            memcpy(v, x.rows[i], sizeof x.rows[i]);
            for (size_t k = 0; k < 200 && x.rows[i][key].type != V_NULL; k++) {
                if (x.rows[k][key].type == V_NULL || !value_equal(&x.rows[i][key], &x.rows[k][key])) continue;
                found = true;
                memcpy(v + COLS, x.rows[k], sizeof x.rows[k]);
                add_line(&want, v, 2 * COLS);
            }
            if (found || !left) continue;
            for (int c = COLS; c < 2 * COLS; c++) v[c] = v_null();
            add_line(&want, v, 2 * COLS);
        }
        ASSERT_OK(run(&x, p, &got, &f), &f);
        check_same(&got, &want, false, p);
    }
    arena_free(&a);
    world_close(&x);
}

static const struct named_test tests[] = {
    T(test_filters_and_projections_equal_the_naive), T(test_aggregations_equal_the_naive),
    T(test_order_and_limit_equal_the_naive), T(test_joins_equal_the_naive)};

int main(int argc, char **argv) { return run_tests("columnar query", tests, ARRAY_LEN(tests), argc, argv); }
