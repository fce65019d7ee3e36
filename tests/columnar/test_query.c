/* Goal:   every query gives what a naive evaluator gives.
 * Method: random tables over files and tail, random filters, projections, aggregations, orders and joins,
 *         each compared with columnar_expr_eval_row over rows held in memory.                                */
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
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"small\",\"type\":\"int64\",\"nullable\":true}"
    ","
    "{\"name\":\"wide\",\"type\":\"int64\",\"nullable\":true},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":2,\"nullable\":true},"
    "{\"name\":\"ratio\",\"type\":\"double\",\"nullable\":true},"
    "{\"name\":\"flag\",\"type\":\"bool\",\"nullable\":true},"
    "{\"name\":\"at\",\"type\":\"timestamp\",\"nullable\":true},"
    "{\"name\":\"word\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"mid\",\"type\":\"int64\",\"nullable\":true}]}";

static const uint8_t types[COLS] = {SEAM_V_INT,     SEAM_V_INT,    SEAM_V_INT,
                                    SEAM_V_DECIMAL, SEAM_V_DOUBLE, SEAM_V_BOOL,
                                    SEAM_V_TIME,    SEAM_V_TEXT,   SEAM_V_INT};

struct world {
    struct seam_rng rng;
    struct seam_schema schema;
    struct columnar_writer *w;
    struct columnar_reader *r;
    size_t n;
    struct seam_value (*rows)[COLS];
    struct seam_arena text;
};

static const char *const words[] = {"red",
                                    "green",
                                    "blue",
                                    "Redwood",
                                    "greenish",
                                    "special request",
                                    "",
                                    "express parcels",
                                    "ironic packages sleep",
                                    "%odd_one",
                                    "zebra"};

static struct seam_value random_value(struct world *x, int column, int style)
{
    struct seam_rng *r = &x->rng;
    char *s;
    int n;

    if (column != 0 && seam_rng_below(r, style == 2 ? 3 : 12) == 0) return seam_v_null();
    switch (column) {
    case 0: return seam_v_int((int64_t)x->n);
    case 1: return seam_v_int(seam_rng_range(r, -3, 12));
    case 2:
        return seam_v_int(style == 0 ? seam_rng_range(r, -1000000, 1000000)
                                     : (int64_t)seam_rng_u64(r) >> seam_rng_below(r, 40));
    case 3:
        return seam_v_decimal(
            style == 1 ? seam_rng_range(r, 0, 20) * 100 : seam_rng_range(r, -999999, 999999), 2);
    case 4:
        return seam_v_double(style == 2 ? seam_rng_normal(r)
                                        : (double)seam_rng_range(r, -5000, 5000) / 100);
    case 5: return seam_v_bool(seam_rng_below(r, 2));
    case 6:
        return seam_v_time(seam_rng_range(r, 10000, 10400) * 86400000000 +
                           (style == 1 ? 0 : seam_rng_range(r, 0, 86399) * 1000000));
    case 8: return seam_v_int(seam_rng_range(r, 100, 900));
    default:
        if (style == 0) return seam_v_str(words[seam_rng_below(r, SEAM_ARRAY_LEN(words))]);
        s = seam_arena_alloc(&x->text, 64);
        n = snprintf(s, 64, "%s %s %d", words[seam_rng_below(r, SEAM_ARRAY_LEN(words))],
                     words[seam_rng_below(r, SEAM_ARRAY_LEN(words))], (int)seam_rng_below(r, 200));
        return seam_v_text(s, (size_t)n);
    }
}

static void world_open(struct world *x, size_t rows)
{
    struct columnar_options opt = {.row_group_rows = 4096};
    struct seam_fault f = {0};

    memset(x, 0, sizeof *x);
    seam_rng_seed(&x->rng, test_seed());
    x->rows = calloc(ROWS_MAX, sizeof *x->rows);
    ASSERT_OK(seam_schema_parse(facts_json, strlen(facts_json), &x->schema, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &x->w, &f), &f);
    ASSERT_OK(columnar_define_table(x->w, &x->schema, NULL, &f), &f);
    for (int part = 0; x->n < rows; part++) {
        size_t n = part % 3 == 2 ? 300 : 5000;

        for (size_t i = 0; i < n && x->n < rows; i++, x->n++) {
            for (int c = 0; c < COLS; c++) x->rows[x->n][c] = random_value(x, c, part % 3);
            ASSERT_OK(columnar_append(x->w, 0, x->rows[x->n], 100 + x->n, &f), &f);
        }
        ASSERT_OK(columnar_publish(x->w, 99 + x->n, (int64_t)x->n, &f), &f);
        if (part % 3 == 1) { /* force a manifest: what was in the tail becomes a file */
            ASSERT_OK(columnar_tag(x->w,
                                   part == 1   ? "a"
                                   : part == 4 ? "b"
                                               : "c",
                                   99 + x->n, false, &f),
                      &f);
        }
    }
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &x->r, &f), &f);
}

static void world_close(struct world *x)
{
    columnar_close_reader(x->r);
    columnar_close_writer(x->w);
    seam_schema_free(&x->schema);
    seam_arena_free(&x->text);
    free(x->rows);
}

/* ---- random expressions ---- */

static const struct columnar_expr *column(struct seam_arena *a, int c)
{
    const struct columnar_expr *e = NULL;

    ck_assert_int_eq(columnar_expr_column(a, c, types[c], c == 3 ? 2 : 0, &e, NULL), SEAM_OK);
    return e;
}

static const struct columnar_expr *constant(struct world *x, struct seam_arena *a, int c)
{
    const struct columnar_expr *e = NULL;
    struct seam_value v = seam_v_null();

    while (v.type == SEAM_V_NULL)
        v = seam_rng_below(&x->rng, 3) == 0 ? random_value(x, c, (int)seam_rng_below(&x->rng, 3))
                                            : x->rows[seam_rng_below(&x->rng, x->n)][c];
    if (c == 0) v = seam_v_int((int64_t)seam_rng_below(&x->rng, x->n));
    ck_assert_int_eq(columnar_expr_const(a, &v, &e, NULL), SEAM_OK);
    return e;
}

static const struct columnar_expr *call(struct seam_arena *a, enum columnar_expr_op op, int n,
                                        const struct columnar_expr **args)
{
    const struct columnar_expr *e = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(columnar_expr_call(a, op, args, n, &e, &f), &f);
    return e;
}

static const struct columnar_expr *random_number(struct world *x, struct seam_arena *a, int depth)
{
    static const enum columnar_expr_op ops[] = {COLUMNAR_E_ADD, COLUMNAR_E_SUB, COLUMNAR_E_MUL,
                                                COLUMNAR_E_DIV};
    const struct columnar_expr *args[2], *e = NULL;
    int c = 1 + (int)seam_rng_below(&x->rng, 4);

    if (c == 2) c = 3; /* wide would overflow by multiplying */
    if (depth == 0) return seam_rng_below(&x->rng, 3) == 0 ? constant(x, a, c) : column(a, c);
    args[0] = random_number(x, a, depth - 1);
    args[1] = random_number(x, a, depth - 1);
    switch (seam_rng_below(&x->rng, 6)) {
    case 0: return call(a, COLUMNAR_E_NEG, 1, args);
    case 1: return call(a, COLUMNAR_E_COALESCE, 2, args);
    default:
        if (columnar_expr_call(a, ops[seam_rng_below(&x->rng, 4)], args, 2, &e, NULL) == SEAM_OK)
            return e;
        return args[0];
    }
}

static const struct columnar_expr *random_text(struct world *x, struct seam_arena *a)
{
    const struct columnar_expr *args[3] = {column(a, 7), NULL, NULL}, *e = NULL;
    struct seam_value one = seam_v_int(1 + (int64_t)seam_rng_below(&x->rng, 3)),
                      len = seam_v_int((int64_t)seam_rng_below(&x->rng, 6));

    switch (seam_rng_below(&x->rng, 5)) {
    case 0: return call(a, COLUMNAR_E_LOWER, 1, args);
    case 1: return call(a, COLUMNAR_E_UPPER, 1, args);
    case 2:
        ck_assert(columnar_expr_const(a, &one, &args[1], NULL) == SEAM_OK &&
                  columnar_expr_const(a, &len, &args[2], NULL) == SEAM_OK);
        return call(a, COLUMNAR_E_SUBSTR, 3, args);
    case 3:
        args[1] = column(a, 1);
        e = call(a, COLUMNAR_E_CONCAT, 2, args);
        return e;
    default: return args[0];
    }
}

static const struct columnar_expr *random_condition(struct world *x, struct seam_arena *a,
                                                    int depth)
{
    static const enum columnar_expr_op ops[] = {COLUMNAR_E_EQ, COLUMNAR_E_NE, COLUMNAR_E_LT,
                                                COLUMNAR_E_LE, COLUMNAR_E_GT, COLUMNAR_E_GE};
    static const char *const patterns[] = {
        "red%",  "%ish%", "%special%request%", "_lue", "%s", "%e%e%", "blue", "",
        "%\\%%", "Red%",  "express%",          "%1_"};
    const struct columnar_expr *args[6], *e = NULL;
    struct seam_value pattern;
    int c = (int)seam_rng_below(&x->rng, COLS), n;

    if (depth > 0 && seam_rng_below(&x->rng, 2) == 0) {
        args[0] = random_condition(x, a, depth - 1);
        args[1] = random_condition(x, a, depth - 1);
        switch (seam_rng_below(&x->rng, 5)) {
        case 0: return call(a, COLUMNAR_E_NOT, 1, args);
        case 1:
        case 2: return call(a, COLUMNAR_E_OR, 2, args);
        default: return call(a, COLUMNAR_E_AND, 2, args);
        }
    }
    switch (seam_rng_below(&x->rng, 10)) {
    case 0:
        args[0] = column(a, c);
        return call(a, seam_rng_below(&x->rng, 2) ? COLUMNAR_E_IS_NULL : COLUMNAR_E_IS_NOT_NULL, 1,
                    args);
    case 1:
        args[0] = random_text(x, a);
        pattern = seam_v_str(patterns[seam_rng_below(&x->rng, SEAM_ARRAY_LEN(patterns))]);
        ck_assert_int_eq(columnar_expr_const(a, &pattern, &args[1], NULL), SEAM_OK);
        return call(a, seam_rng_below(&x->rng, 3) ? COLUMNAR_E_LIKE : COLUMNAR_E_ILIKE, 2, args);
    case 2:
        args[0] = column(a, c);
        n = 1 + (int)seam_rng_below(&x->rng, 5);
        for (int k = 1; k <= n; k++) args[k] = constant(x, a, c);
        return call(a, COLUMNAR_E_IN, n + 1, args);
    case 3:
        args[0] = column(a, c);
        args[1] = constant(x, a, c);
        args[2] = constant(x, a, c);
        return call(a, COLUMNAR_E_BETWEEN, 3, args);
    case 4:
        args[0] = random_number(x, a, 1);
        args[1] = random_number(x, a, 1);
        return call(a, ops[seam_rng_below(&x->rng, 6)], 2, args);
    case 5:
        args[0] = random_text(x, a);
        args[1] = constant(x, a, 7);
        return call(a, ops[seam_rng_below(&x->rng, 6)], 2, args);
    case 6:
        ck_assert(columnar_expr_date(a, COLUMNAR_E_DATE_TRUNC,
                                     (enum columnar_date_part)seam_rng_below(&x->rng, 5),
                                     column(a, 6), &args[0], NULL) == SEAM_OK);
        args[1] = constant(x, a, 6);
        return call(a, ops[seam_rng_below(&x->rng, 6)], 2, args);
    case 7:
        ck_assert(columnar_expr_date(
                      a, COLUMNAR_E_DATE_PART,
                      (enum columnar_date_part)seam_rng_below(&x->rng, COLUMNAR_PART_COUNT),
                      column(a, 6), &args[0], NULL) == SEAM_OK);
        args[1] = constant(x, a, 1);
        return call(a, ops[seam_rng_below(&x->rng, 6)], 2, args);
    case 8: return column(a, 5);
    default:
        args[0] = column(a, c);
        args[1] = constant(x, a, c);
        e = call(a, ops[seam_rng_below(&x->rng, 6)], 2, args);
        return e;
    }
}

/* ---- rows as text, to compare as multisets ---- */

struct lines {
    char **line;
    size_t n, cap;
};

static void add_line(struct lines *l, const struct seam_value *v, int n)
{
    struct seam_buf b = {0};

    for (int c = 0; c < n; c++) {
        /* Sums of doubles depend on their order: compare what is left after rounding. */
        if (v[c].type == SEAM_V_DOUBLE)
            seam_buf_printf(&b, "%.9g|", fabs(v[c].d) < 1e-7 ? 0.0 : v[c].d);
        else if (v[c].type == SEAM_V_NULL)
            seam_buf_str(&b, "NULL|");
        else {
            seam_value_format(&v[c], &b);
            seam_buf_str(&b, "|");
        }
    }
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 64 : 2 * l->cap;
        l->line = realloc(l->line, l->cap * sizeof *l->line);
    }
    l->line[l->n++] = strdup(seam_buf_cstr(&b));
    seam_buf_free(&b);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->line[i]);
    free(l->line);
}

static enum seam_status gather(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        struct seam_value v[64];

        for (int c = 0; c < b->count; c++) v[c] = columnar_vec_value(&b->cols[c], r);
        add_line(ctx, v, b->count);
    }
    return SEAM_OK;
}

static void check_same(struct lines *got, struct lines *want, bool sorted,
                       const struct columnar_plan *p)
{
    struct seam_buf why = {0};

    columnar_plan_explain(p, NULL, &why);
    if (!sorted) {
        if (got->n > 0) qsort(got->line, got->n, sizeof *got->line, by_bytes);
        if (want->n > 0) qsort(want->line, want->n, sizeof *want->line, by_bytes);
    }
    for (size_t i = 0; i < got->n && i < want->n; i++)
        ck_assert_msg(strcmp(got->line[i], want->line[i]) == 0, "row %zu: got %s want %s\n%s", i,
                      got->line[i], want->line[i], seam_buf_cstr(&why));
    ck_assert_msg(got->n == want->n, "%zu rows, not %zu\n%s", got->n, want->n, seam_buf_cstr(&why));
    seam_buf_free(&why);
    lines_free(got);
    lines_free(want);
}

static int passes_seen;

static enum seam_status run(struct world *x, const struct columnar_plan *p, struct lines *got,
                            struct seam_fault *f)
{
    struct columnar_query_options opt = {.threads = 1 + (int)seam_rng_below(&x->rng, 2)};
    static const uint64_t budgets[] = {0, 0, 0,
                                       400000}; /* the last makes big groupings go in passes */
    struct columnar_query_stats stats;
    enum seam_status st;

    opt.memory_bytes = budgets[seam_rng_below(&x->rng, 4)];
    st = columnar_query_run(p, &opt, gather, got, &stats, f);
    passes_seen += stats.passes > 1;
    if (st != SEAM_LIMIT || opt.memory_bytes == 0) return st;
    /* One group's distinct values, or a join's side, cannot be cut: then the budget is a limit. */
    lines_free(got);
    *got = (struct lines){0};
    seam_fault_clear(f);
    opt.memory_bytes = 0;
    return columnar_query_run(p, &opt, gather, got, &stats, f);
}

static const struct columnar_plan *facts(struct world *x, struct seam_arena *a, seam_lsn_t lsn)
{
    static const int all[COLS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct columnar_plan *p = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(columnar_plan_scan(a, x->r, 0, all, COLS, lsn, &p, &f), &f);
    return p;
}

/* True rows of a condition; false when the naive evaluation fails somewhere. */
static enum seam_status naive_true(const struct columnar_expr *e, const struct seam_value *row,
                                   struct seam_arena *mem, bool *yes)
{
    struct seam_value v;
    enum seam_status st = columnar_expr_eval_row(e, row, mem, &v, NULL);

    *yes = st == SEAM_OK && v.type != SEAM_V_NULL && v.i != 0;
    return st;
}

static void test_filters_and_projections_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 15500);
    for (int q = 0; q < test_scale(350); q++) {
        struct seam_arena a = {0}, mem = {0};
        const struct columnar_expr *where = random_condition(&x, &a, 2), *exprs[3];
        const struct columnar_plan *p = facts(&x, &a, SEAM_LSN_MAX), *filter = NULL,
                                   *project = NULL;
        struct lines got = {0}, want = {0};
        struct seam_fault f = {0};
        enum seam_status st, naive = SEAM_OK;
        seam_lsn_t lsn =
            seam_rng_below(&x.rng, 4) == 0 ? 100 + seam_rng_below(&x.rng, x.n - 1) : SEAM_LSN_MAX;

        p = facts(&x, &a, lsn);
        exprs[0] = column(&a, 0);
        exprs[1] = random_number(&x, &a, 1);
        exprs[2] = random_text(&x, &a);
        ASSERT_OK(columnar_plan_filter(&a, p, where, &filter, &f), &f);
        ASSERT_OK(columnar_plan_project(&a, filter, exprs, NULL, 3, &project, &f), &f);
        for (size_t i = 0; i < x.n && naive == SEAM_OK; i++) {
            struct seam_value v[3];
            bool yes;

            if (100 + i > lsn) continue;
            naive = naive_true(where, x.rows[i], &mem, &yes);
            if (naive != SEAM_OK || !yes) continue;
            for (int c = 0; naive == SEAM_OK && c < 3; c++)
                naive = columnar_expr_eval_row(exprs[c], x.rows[i], &mem, &v[c], NULL);
            if (naive == SEAM_OK) add_line(&want, v, 3);
        }
        st = run(&x, project, &got, &f);
        /* A condition that cannot be computed for a row may be pruned away before: then no error is right too. */
        if (naive == SEAM_OK) {
            ASSERT_OK(st, &f);
            check_same(&got, &want, false, project);
        } else {
            lines_free(&got);
            lines_free(&want);
        }
        seam_arena_free(&a);
        seam_arena_free(&mem);
    }
    world_close(&x);
}

/* ---- aggregation ---- */

struct naive_group {
    struct seam_value key[3];
    struct seam_value *rows;
    size_t n, cap;
};

static struct seam_value naive_agg(enum columnar_agg_op op, const struct seam_value *v, size_t n,
                                   const struct columnar_expr *arg)
{
    __int128 sum = 0;
    double real = 0;
    int64_t count = 0, distinct = 0;
    struct seam_value best = seam_v_null();

    for (size_t i = 0; i < n; i++) {
        bool fresh = true;

        if (v[i].type == SEAM_V_NULL) continue;
        count++;
        if (v[i].type == SEAM_V_DOUBLE)
            real += v[i].d;
        else if (v[i].type != SEAM_V_TEXT)
            sum += v[i].i;
        if (best.type == SEAM_V_NULL ||
            (op == COLUMNAR_AGG_MIN ? seam_value_compare(&v[i], &best) < 0
                                    : seam_value_compare(&v[i], &best) > 0))
            best = v[i];
        for (size_t k = 0; op == COLUMNAR_AGG_COUNT_DISTINCT && fresh && k < i; k++)
            fresh = v[k].type == SEAM_V_NULL || !seam_value_equal(&v[k], &v[i]);
        distinct += fresh;
    }
    switch (op) {
    case COLUMNAR_AGG_COUNT_ALL: return seam_v_int((int64_t)n);
    case COLUMNAR_AGG_COUNT: return seam_v_int(count);
    case COLUMNAR_AGG_COUNT_DISTINCT: return seam_v_int(distinct);
    case COLUMNAR_AGG_MIN:
    case COLUMNAR_AGG_MAX: return best;
    default: break;
    }
    if (count == 0) return seam_v_null();
    if (op == COLUMNAR_AGG_AVG) {
        if (arg->type == SEAM_V_DOUBLE) return seam_v_double(real / (double)count);
        return seam_v_double((double)sum / (double)seam_decimal_pow10(arg->scale) / (double)count);
    }
    if (arg->type == SEAM_V_DOUBLE) return seam_v_double(real);
    return arg->type == SEAM_V_DECIMAL ? seam_v_decimal((int64_t)sum, arg->scale)
                                       : seam_v_int((int64_t)sum);
}

static void test_aggregations_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 12000);
    for (int q = 0; q < test_scale(90); q++) {
        struct seam_arena a = {0}, mem = {0};
        const struct columnar_expr *where = random_condition(&x, &a, 1), *keys[3];
        const struct columnar_plan *filter = NULL, *agg = NULL;
        struct columnar_plan_agg aggs[4] = {0};
        struct naive_group *groups = calloc(ROWS_MAX, sizeof *groups);
        size_t n_groups = 0;
        struct lines got = {0}, want = {0};
        struct seam_fault f = {0};
        int n_keys = (int)seam_rng_below(&x.rng, 4), n_aggs = 1 + (int)seam_rng_below(&x.rng, 3);
        enum seam_status naive = SEAM_OK;

        for (int k = 0; k < n_keys; k++) {
            switch (seam_rng_below(&x.rng, 6)) {
            case 0: keys[k] = column(&a, 7); break;
            case 4: keys[k] = column(&a, 8); break;
            case 1: keys[k] = column(&a, 5); break;
            case 2: keys[k] = random_text(&x, &a); break;
            case 3:
                ck_assert(columnar_expr_date(&a, COLUMNAR_E_DATE_TRUNC, COLUMNAR_PART_MONTH,
                                             column(&a, 6), &keys[k], NULL) == SEAM_OK);
                break;
            default: keys[k] = column(&a, 1);
            }
        }
        for (int g = 0; g < n_aggs; g++) {
            aggs[g].op =
                (enum columnar_agg_op)seam_rng_below(&x.rng, COLUMNAR_AGG_COUNT_DISTINCT + 1);
            aggs[g].name = NULL;
            aggs[g].arg = aggs[g].op == COLUMNAR_AGG_SUM || aggs[g].op == COLUMNAR_AGG_AVG
                              ? random_number(&x, &a, 1)
                              : column(&a, (int)seam_rng_below(&x.rng, COLS));
            if (aggs[g].op == COLUMNAR_AGG_COUNT_ALL) aggs[g].arg = NULL;
        }
        ASSERT_OK(columnar_plan_filter(&a, facts(&x, &a, SEAM_LSN_MAX), where, &filter, &f), &f);
        ASSERT_OK(columnar_plan_aggregate(&a, filter, keys, NULL, n_keys, aggs, n_aggs, &agg, &f),
                  &f);
        if (n_keys == 0) n_groups = 1;
        for (size_t i = 0; i < x.n && naive == SEAM_OK; i++) {
            struct seam_value key[3];
            size_t at = 0;
            bool yes;

            naive = naive_true(where, x.rows[i], &mem, &yes);
            if (naive != SEAM_OK || !yes) continue;
            for (int k = 0; k < n_keys; k++)
                ck_assert(columnar_expr_eval_row(keys[k], x.rows[i], &mem, &key[k], NULL) ==
                          SEAM_OK);
            for (; at < n_groups; at++) {
                int k = 0;

                while (
                    k < n_keys && (key[k].type == groups[at].key[k].type) &&
                    (key[k].type == SEAM_V_NULL || seam_value_equal(&key[k], &groups[at].key[k])))
                    k++;
                if (k == n_keys) break;
            }
            if (at == n_groups) memcpy(groups[n_groups++].key, key, sizeof key);
            if (groups[at].n == groups[at].cap) {
                groups[at].cap = groups[at].cap == 0 ? 16 : 2 * groups[at].cap;
                groups[at].rows =
                    realloc(groups[at].rows, groups[at].cap * 4 * sizeof(struct seam_value));
            }
            for (int g = 0; naive == SEAM_OK && g < n_aggs; g++) {
                struct seam_value v = seam_v_null();

                if (aggs[g].arg != NULL)
                    naive = columnar_expr_eval_row(aggs[g].arg, x.rows[i], &mem, &v, NULL);
                groups[at].rows[groups[at].n * 4 + (size_t)g] = v;
            }
            groups[at].n++;
        }
        for (size_t i = 0; i < n_groups && naive == SEAM_OK; i++) {
            struct seam_value out[8], *one = calloc(groups[i].n + 1, sizeof *one);

            for (int k = 0; k < n_keys; k++) out[k] = groups[i].key[k];
            for (int g = 0; g < n_aggs; g++) {
                for (size_t r = 0; r < groups[i].n; r++) one[r] = groups[i].rows[r * 4 + (size_t)g];
                out[n_keys + g] = naive_agg(aggs[g].op, one, groups[i].n, aggs[g].arg);
            }
            add_line(&want, out, n_keys + n_aggs);
            free(one);
        }
        if (naive == SEAM_OK) {
            enum seam_status st = run(&x, agg, &got, &f);

            if (st == SEAM_LIMIT) { /* a sum past 64 bits: wide columns do that */
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
        seam_arena_free(&a);
        seam_arena_free(&mem);
    }
    if (test_scale(100) == 100) ck_assert_int_gt(passes_seen, 0); /* few queries may need none */
    world_close(&x);
}

/* ---- order and join ---- */

static struct seam_value (*sort_rows)[COLS];
static struct columnar_plan_key sort_keys[2];
static int sort_count;

static int by_sort(const void *pa, const void *pb)
{
    size_t a = *(const size_t *)pa, b = *(const size_t *)pb;

    for (int k = 0; k < sort_count; k++) {
        const struct seam_value *x = &sort_rows[a][sort_keys[k].column],
                                *y = &sort_rows[b][sort_keys[k].column];
        int c;

        if (x->type == SEAM_V_NULL || y->type == SEAM_V_NULL) {
            if (x->type == y->type) continue;
            return (x->type == SEAM_V_NULL) == sort_keys[k].nulls_first ? -1 : 1;
        }
        c = seam_value_compare(x, y);
        if (c != 0) return sort_keys[k].descending ? -c : c;
    }
    return (a > b) - (a < b);
}

static void test_order_and_limit_equal_the_naive(void)
{
    static struct world x;

    world_open(&x, 9000);
    for (int q = 0; q < test_scale(60); q++) {
        struct seam_arena a = {0};
        const struct columnar_plan *p = NULL;
        size_t *order = calloc(x.n, sizeof *order);
        struct lines got = {0}, want = {0};
        struct seam_fault f = {0};
        uint64_t limit = seam_rng_below(&x.rng, 3) == 0 ? UINT64_MAX : seam_rng_below(&x.rng, 50),
                 offset = seam_rng_below(&x.rng, 30);

        /* The id last makes the order total. */
        sort_keys[0] =
            (struct columnar_plan_key){(int)seam_rng_below(&x.rng, COLS), seam_rng_below(&x.rng, 2),
                                       seam_rng_below(&x.rng, 2)};
        sort_keys[1] = (struct columnar_plan_key){0, seam_rng_below(&x.rng, 2), false};
        sort_count = 2;
        sort_rows = x.rows;
        for (size_t i = 0; i < x.n; i++) order[i] = i;
        qsort(order, x.n, sizeof *order, by_sort);
        for (size_t i = offset; i < x.n && i - offset < limit; i++)
            add_line(&want, x.rows[order[i]], COLS);
        ASSERT_OK(columnar_plan_order(&a, facts(&x, &a, SEAM_LSN_MAX), sort_keys, 2, limit, offset,
                                      &p, &f),
                  &f);
        ASSERT_OK(run(&x, p, &got, &f), &f);
        check_same(&got, &want, true, p);
        free(order);
        seam_arena_free(&a);
    }
    world_close(&x);
}

static void test_joins_equal_the_naive(void)
{
    static struct world x;
    struct seam_arena a = {0};
    struct seam_fault f = {0};

    world_open(&x, 6000);
    for (int q = 0; q < 12; q++) {
        struct lines got = {0}, want = {0};
        struct seam_value limit = seam_v_int(200);
        const struct columnar_expr *args[2], *small, *l, *r;
        const struct columnar_plan *right = NULL, *p = NULL;
        int key = q % 4 == 0 ? 1 : q % 4 == 1 ? 7 : q % 4 == 2 ? 0 : 8;
        bool left = q / 4 % 2 == 0;

        args[0] = column(&a, 0);
        ck_assert_int_eq(columnar_expr_const(&a, &limit, &args[1], NULL), SEAM_OK);
        small = call(&a, COLUMNAR_E_LT, 2, args);
        ASSERT_OK(columnar_plan_filter(&a, facts(&x, &a, SEAM_LSN_MAX), small, &right, &f), &f);
        l = r = column(&a, key);
        ASSERT_OK(columnar_plan_join(&a, facts(&x, &a, SEAM_LSN_MAX), right,
                                     left ? COLUMNAR_JOIN_LEFT : COLUMNAR_JOIN_INNER, &l, &r, 1, &p,
                                     &f),
                  &f);
        for (size_t i = 0; i < x.n; i++) {
            struct seam_value v[2 * COLS];
            bool found = false;

            memcpy(v, x.rows[i], sizeof x.rows[i]);
            for (size_t k = 0; k < 200 && x.rows[i][key].type != SEAM_V_NULL; k++) {
                if (x.rows[k][key].type == SEAM_V_NULL ||
                    !seam_value_equal(&x.rows[i][key], &x.rows[k][key]))
                    continue;
                found = true;
                memcpy(v + COLS, x.rows[k], sizeof x.rows[k]);
                add_line(&want, v, 2 * COLS);
            }
            if (found || !left) continue;
            for (int c = COLS; c < 2 * COLS; c++) v[c] = seam_v_null();
            add_line(&want, v, 2 * COLS);
        }
        ASSERT_OK(run(&x, p, &got, &f), &f);
        check_same(&got, &want, false, p);
    }
    seam_arena_free(&a);
    world_close(&x);
}

static const struct named_test tests[] = {
    T(test_filters_and_projections_equal_the_naive), T(test_aggregations_equal_the_naive),
    T(test_order_and_limit_equal_the_naive), T(test_joins_equal_the_naive)};

int main(int argc, char **argv)
{
    return run_tests("columnar query", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
