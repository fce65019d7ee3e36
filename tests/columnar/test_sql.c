/* Goal:   SQL text gives the answers that its words say.
 * Method: thousands of seeded random SELECTs over two small tables with nulls, against a naive evaluation: nested loops,
 *         one row at a time, groups in a list. Then what must be refused, each with the byte it is about. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql.h"
#include "columnar/sql_bind.h"
#include "engine/rng.h"
#include "tests/common/check_main.h"

enum { T_ROWS = 200, U_ROWS = 25, T_COLUMNS = 6, U_COLUMNS = 3, ROW_MAX = 16, BOUND_MAX = 64 };

static const char t_schema[] =
    "{\"table\":\"t\",\"key\":[],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"},{\"name\":\"b\",\"type\":\"int64\",\"nullable\":true},"
    "{\"name\":\"c\",\"type\":\"decimal\",\"scale\":2,\"nullable\":true},{\"name\":\"d\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"e\",\"type\":\"timestamp\"},{\"name\":\"k\",\"type\":\"int64\",\"nullable\":true}]}";
static const char u_schema[] =
    "{\"table\":\"u\",\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"name\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"w\",\"type\":\"int64\"}]}";

struct world {
    struct columnar_reader *reader;
    const struct columnar_reader *readers[1];
    struct sql_env env;
    struct value t[T_ROWS][T_COLUMNS], u[U_ROWS][U_COLUMNS];
    struct arena texts;
};

static struct value text_value(struct world *w, const char *s)
{
    return v_text(arena_strdup(&w->texts, s, strlen(s)), strlen(s));
}

static void fill(struct world *w, struct columnar_writer *writer, struct rng *r)
{
    static const char *const words[] = {"red", "green", "Blue", "", "a longer text, with a comma", "gr%en"};
    struct fault f = {0};
    int t = columnar_writer_table(writer, "t"), u = columnar_writer_table(writer, "u");

    for (int i = 0; i < T_ROWS; i++) {
        struct value *v = w->t[i];

        v[0] = v_int(rng_range(r, -50, 50));
        v[1] = rng_below(r, 5) == 0 ? v_null() : v_int(rng_range(r, 0, 6));
        v[2] = rng_below(r, 6) == 0 ? v_null() : v_decimal(rng_range(r, -900, 900), 2);
        v[3] = rng_below(r, 6) == 0 ? v_null() : text_value(w, words[rng_below(r, ARRAY_LEN(words))]);
        v[4] = v_time(rng_range(r, 0, 90) * 86400000000 + rng_range(r, 0, 86399) * 1000000);
        v[5] = rng_below(r, 8) == 0 ? v_null() : v_int(rng_range(r, 1, U_ROWS + 5));
        ASSERT_OK(columnar_append(writer, t, v, (lsn_t)(10 + i), &f), &f);
        if (i == T_ROWS / 2) ASSERT_OK(columnar_publish(writer, (lsn_t)(10 + i), 1000, &f), &f);
    }
    for (int i = 0; i < U_ROWS; i++) {
        struct value *v = w->u[i];

        v[0] = v_int(i + 1);
        v[1] = rng_below(r, 5) == 0 ? v_null() : text_value(w, words[rng_below(r, ARRAY_LEN(words))]);
        v[2] = v_int(rng_range(r, 0, 9));
        ASSERT_OK(columnar_upsert(writer, u, v, (lsn_t)(1000 + i), NULL, &f), &f);
    }
    ASSERT_OK(columnar_publish(writer, 2000, 2000, &f), &f);
}

static void world_open(struct world *w, struct rng *r)
{
    struct columnar_writer *writer = NULL;
    struct columnar_options o = {.no_sync = true};
    struct columnar_table_options to = {0};
    struct schema s = {0};
    struct fault f = {0};

    memset(w, 0, sizeof *w);
    ASSERT_OK(columnar_open_writer(io_posix(), test_dir(), &o, &writer, &f), &f);
    ASSERT_OK(schema_parse(t_schema, sizeof t_schema - 1, &s, &f), &f);
    ASSERT_OK(columnar_define_table(writer, &s, &to, &f), &f);
    schema_free(&s);
    ASSERT_OK(schema_parse(u_schema, sizeof u_schema - 1, &s, &f), &f);
    ASSERT_OK(columnar_define_table(writer, &s, &to, &f), &f);
    schema_free(&s);
    fill(w, writer, r);
    columnar_close_writer(writer);
    ASSERT_OK(columnar_open_reader(io_posix(), test_dir(), &o, &w->reader, &f), &f);
    w->readers[0] = w->reader;
    w->env = (struct sql_env){.readers = w->readers, .reader_count = 1};
}

static void world_close(struct world *w)
{
    columnar_close_reader(w->reader);
    arena_free(&w->texts);
}

/* ---- answers ---- */

struct answer { struct value *rows; size_t count, cap; int n; struct arena a; };

static void keep(struct answer *out, const struct value *row, int n)
{
    struct value *to;

    if (out->count == out->cap) {
        out->cap = out->cap == 0 ? 64 : out->cap * 2;
        out->rows = realloc(out->rows, out->cap * ROW_MAX * sizeof *out->rows);
    }
    ck_assert(out->rows != NULL && n <= ROW_MAX);
    out->n = n;
    to = out->rows + out->count++ * ROW_MAX;
    for (int i = 0; i < n; i++) {
        to[i] = row[i];
        if (row[i].type == V_TEXT) to[i].s = arena_strdup(&out->a, row[i].s, row[i].len);
    }
}

static void answer_free(struct answer *a)
{
    free(a->rows);
    arena_free(&a->a);
}

static int columns_compared;

static int by_row(const void *x, const void *y)
{
    const struct value *a = x, *b = y;

    for (int i = 0; i < columns_compared; i++) {
        int c = value_compare(&a[i], &b[i]);

        if (c != 0) return c;
    }
    return 0;
}

static bool near_equal(const struct value *a, const struct value *b)
{
    if (a->type == V_DOUBLE && b->type == V_DOUBLE) return fabs(a->d - b->d) <= 1e-9 * (1 + fabs(a->d));
    return a->type == b->type && (a->type == V_NULL || value_equal(a, b));
}

static void compare_answers(const char *sql, struct answer *got, struct answer *want, bool ordered)
{
    ck_assert_msg(got->count == want->count, "%s\n  %zu rows, wanted %zu", sql, got->count, want->count);
    columns_compared = want->n;
    if (!ordered && want->count > 1) {
        qsort(got->rows, got->count, ROW_MAX * sizeof *got->rows, by_row);
        qsort(want->rows, want->count, ROW_MAX * sizeof *want->rows, by_row);
    }
    for (size_t r = 0; r < want->count; r++)
        for (int i = 0; i < want->n; i++) {
            const struct value *a = &got->rows[r * ROW_MAX + (size_t)i], *b = &want->rows[r * ROW_MAX + (size_t)i];
            struct buf ta = {0}, tb = {0};

            if (near_equal(a, b)) continue;
            value_format(a, &ta);
            value_format(b, &tb);
            ck_abort_msg("%s\n  row %zu column %d: %s (type %d), wanted %s (type %d)", sql, r, i, buf_cstr(&ta), a->type,
                         buf_cstr(&tb), b->type);
        }
}

static enum status keep_batch(void *ctx, const struct batch *b, struct fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        struct value row[ROW_MAX];

        ck_assert(b->count <= ROW_MAX);
        batch_row(b, r, row);
        keep(ctx, row, b->count);
    }
    return ST_OK;
}

/* ---- the naive evaluation ---- */

struct naive {
    struct world *w;
    const struct sql_select *s;
    struct sql_column columns[T_COLUMNS + U_COLUMNS];
    struct sql_scope scope;
    struct arena a;
    const struct sql_node *node[BOUND_MAX]; /* bound once */
    const struct expr *bound[BOUND_MAX];
    int n_bound;
};

static const struct expr *bound(struct naive *n, const struct sql_node *e)
{
    struct fault f = {0};

    for (int i = 0; i < n->n_bound; i++)
        if (n->node[i] == e) return n->bound[i];
    ck_assert(n->n_bound < BOUND_MAX);
    ASSERT_OK(sql_bind(&n->a, &n->scope, e, &n->bound[n->n_bound], &f), &f);
    n->node[n->n_bound] = e;
    return n->bound[n->n_bound++];
}

static struct value eval(struct naive *n, const struct sql_node *e, const struct value *row)
{
    const struct expr *x = bound(n, e);
    struct value out;
    struct fault f = {0};

    ASSERT_OK(expr_eval_row(x, row, &n->a, &out, &f), &f);
    return out;
}

static bool holds(struct naive *n, const struct sql_node *e, const struct value *row)
{
    struct value v = eval(n, e, row);

    return v.type == V_BOOL && v.i != 0;
}

static void naive_scope(struct naive *n)
{
    static const struct { const char *name; uint8_t type, scale; } t[] = {
        {"a", V_INT, 0}, {"b", V_INT, 0}, {"c", V_DECIMAL, 2}, {"d", V_TEXT, 0}, {"e", V_TIME, 0}, {"k", V_INT, 0}};
    static const struct { const char *name; uint8_t type, scale; } u[] = {{"k", V_INT, 0}, {"name", V_TEXT, 0}, {"w", V_INT, 0}};

    for (int i = 0; i < T_COLUMNS; i++) n->columns[i] = (struct sql_column){"t", t[i].name, t[i].type, t[i].scale, false};
    for (int i = 0; i < U_COLUMNS; i++)
        n->columns[T_COLUMNS + i] = (struct sql_column){"u", u[i].name, u[i].type, u[i].scale, false};
    n->scope = (struct sql_scope){n->columns, n->s->n_joins > 0 ? T_COLUMNS + U_COLUMNS : T_COLUMNS};
}

/* Every joined and filtered row, in no order.                                                       */
static void naive_rows(struct naive *n, struct answer *out)
{
    const struct sql_join *j = n->s->n_joins > 0 ? &n->s->joins[0] : NULL;

    for (int i = 0; i < T_ROWS; i++) {
        struct value row[T_COLUMNS + U_COLUMNS];
        bool matched = false;

        memcpy(row, n->w->t[i], sizeof n->w->t[i]);
        for (int k = 0; j != NULL && k < U_ROWS; k++) {
            memcpy(row + T_COLUMNS, n->w->u[k], sizeof n->w->u[k]);
            if (!holds(n, j->on, row)) continue;
            matched = true;
            if (n->s->where == NULL || holds(n, n->s->where, row)) keep(out, row, T_COLUMNS + U_COLUMNS);
        }
        if (j != NULL && (matched || !j->left)) continue;
        for (int k = 0; j != NULL && k < U_COLUMNS; k++) row[T_COLUMNS + k] = v_null();
        if (n->s->where == NULL || holds(n, n->s->where, row)) keep(out, row, j != NULL ? T_COLUMNS + U_COLUMNS : T_COLUMNS);
    }
}

static struct value naive_aggregate(struct naive *n, const struct sql_node *e, const struct answer *rows, const size_t *group,
                                    size_t count)
{
    __int128 sum = 0;
    int64_t seen = 0;
    struct value best = v_null();
    uint8_t scale = 0;
    bool decimal = false;

    if (e->star) return v_int((int64_t)count);
    for (size_t i = 0; i < count; i++) {
        struct value v = eval(n, e->args[0], rows->rows + group[i] * ROW_MAX);
        bool repeated = false;

        if (v.type == V_NULL) continue;
        for (size_t k = 0; e->distinct && k < i && !repeated; k++) {
            struct value o = eval(n, e->args[0], rows->rows + group[k] * ROW_MAX);

            repeated = o.type != V_NULL && value_equal(&o, &v);
        }
        seen += !repeated;
        sum += v.type == V_TEXT ? 0 : v.i;
        scale = v.scale;
        decimal = v.type == V_DECIMAL;
        if (best.type == V_NULL || (strcmp(e->name, "min") == 0 ? value_compare(&v, &best) < 0 : value_compare(&v, &best) > 0))
            best = v;
    }
    if (strcmp(e->name, "count") == 0) return v_int(seen);
    if (seen == 0) return v_null();
    if (strcmp(e->name, "avg") == 0) return v_double((double)sum / (double)seen / (double)decimal_pow10(scale));
    if (strcmp(e->name, "sum") == 0) return decimal ? v_decimal((int64_t)sum, scale) : v_int((int64_t)sum);
    return best;
}

static bool same_group(struct naive *n, const struct value *a, const struct value *b)
{
    for (int i = 0; i < n->s->n_group; i++) {
        struct value x = eval(n, n->s->group[i], a), y = eval(n, n->s->group[i], b);

        if (x.type != y.type || (x.type != V_NULL && !value_equal(&x, &y))) return false;
    }
    return true;
}

static bool naive_aggregates(const struct naive *n)
{
    bool yes = n->s->n_group > 0;

    for (int i = 0; i < n->s->n_items && !yes; i++) yes = sql_has_aggregate(n->s->items[i].expr);
    return yes;
}

static void emit(struct naive *n, const struct answer *rows, const size_t *group, size_t count, struct answer *out)
{
    struct value row[ROW_MAX];

    if (n->s->having != NULL) { /* generated as: count(*) > number */
        if ((int64_t)count <= n->s->having->args[1]->value.i) return;
    }
    for (int i = 0; i < n->s->n_items; i++) {
        const struct sql_node *e = n->s->items[i].expr;

        row[i] = e->kind == SQL_CALL && sql_is_aggregate(e->name)
                     ? naive_aggregate(n, e, rows, group, count) : eval(n, e, rows->rows + group[0] * ROW_MAX);
    }
    keep(out, row, n->s->n_items);
}

static void naive_answer(struct naive *n, struct answer *out)
{
    struct answer rows = {0};
    bool *taken;
    size_t *group;

    naive_scope(n);
    naive_rows(n, &rows);
    taken = calloc(rows.count + 1, sizeof *taken);
    group = calloc(rows.count + 1, sizeof *group);
    if (!naive_aggregates(n)) {
        for (size_t i = 0; i < rows.count; i++) {
            struct value row[ROW_MAX];
            bool again = false;

            for (int k = 0; k < n->s->n_items; k++) row[k] = eval(n, n->s->items[k].expr, rows.rows + i * ROW_MAX);
            columns_compared = n->s->n_items;
            for (size_t o = 0; n->s->distinct && o < out->count && !again; o++) again = by_row(row, out->rows + o * ROW_MAX) == 0;
            if (!again) keep(out, row, n->s->n_items);
        }
    } else if (n->s->n_group == 0) {
        for (size_t i = 0; i < rows.count; i++) group[i] = i;
        emit(n, &rows, group, rows.count, out);
    }
    for (size_t i = 0; n->s->n_group > 0 && i < rows.count; i++) {
        size_t count = 0;

        if (taken[i]) continue;
        for (size_t k = i; k < rows.count; k++)
            if (!taken[k] && same_group(n, rows.rows + i * ROW_MAX, rows.rows + k * ROW_MAX)) {
                taken[k] = true;
                group[count++] = k;
            }
        emit(n, &rows, group, count, out);
    }
    free(taken);
    free(group);
    answer_free(&rows);
}

/* ---- random queries ---- */

static const char *pick(struct rng *r, const char *const *list, size_t n) { return list[rng_below(r, n)]; }
#define PICK(r, ...) pick((r), (const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void scalar(struct rng *r, bool joined, struct buf *out)
{
    buf_str(out, joined && rng_below(r, 3) == 0
                     ? PICK(r, "u.name", "u.w", "w + a", "coalesce(u.name, d, 'x')", "u.w * 2")
                     : PICK(r, "a", "b", "c", "d", "e", "a + b", "a * 2 - 1", "c * b", "coalesce(b, -1)", "upper(d)", "length(d)",
                            "date_trunc('month', e)", "date_part('dow', e)", "a % 7", "-c", "abs(a)", "b is null",
                            "case when a > 0 then 'pos' when a < 0 then 'neg' else 'zero' end", "cast(a as decimal(2))"));
}

static void condition(struct rng *r, bool joined, int depth, struct buf *out)
{
    if (depth > 0 && rng_below(r, 3) == 0) {
        if (rng_below(r, 4) == 0) buf_str(out, "not ");
        buf_str(out, "(");
        condition(r, joined, depth - 1, out);
        buf_str(out, rng_below(r, 2) ? " and " : " or ");
        condition(r, joined, depth - 1, out);
        buf_str(out, ")");
        return;
    }
    if (joined && rng_below(r, 3) == 0) {
        buf_printf(out, "%s", PICK(r, "u.w > 4", "u.name is not null", "u.name = 'red'", "u.w + b < 9", "u.w in (1, 2, 3)"));
        return;
    }
    switch (rng_below(r, 7)) {
    case 0: buf_printf(out, "a %s %d", PICK(r, "<", "<=", ">", ">=", "=", "<>"), (int)rng_range(r, -40, 40)); break;
    case 1: buf_printf(out, "b %s (1, 3, %d)", PICK(r, "in", "not in"), (int)rng_below(r, 7)); break;
    case 2: buf_printf(out, "c %s %d.5", PICK(r, "<", ">", "="), (int)rng_range(r, -9, 9)); break;
    case 3: buf_printf(out, "d %s '%s'", PICK(r, "like", "not like", "ilike"), PICK(r, "%e%", "gr%", "blue", "_ed", "%")); break;
    case 4: buf_printf(out, "a between %d and %d", (int)rng_range(r, -40, 0), (int)rng_range(r, 0, 40)); break;
    case 5: buf_printf(out, "%s is %snull", PICK(r, "b", "c", "d"), PICK(r, "", "not ")); break;
    default: buf_printf(out, "e < timestamp '1970-0%d-01'", (int)rng_range(r, 2, 4));
    }
}

static void random_query(struct rng *r, struct buf *out, bool *ordered)
{
    bool joined = rng_below(r, 3) == 0, left = rng_below(r, 2) == 0, grouped = rng_below(r, 2) == 0;
    int items = (int)rng_range(r, 1, 4), keys = 0;
    struct buf group[3] = {{0}};

    buf_str(out, "select ");
    if (grouped) {
        keys = (int)rng_below(r, 3);
        for (int i = 0; i < keys; i++) {
            scalar(r, joined, &group[i]);
            buf_printf(out, "%s, ", buf_cstr(&group[i]));
        }
        for (int i = 0; i < items; i++)
            buf_printf(out, "%s%s", i > 0 ? ", " : "",
                       PICK(r, "count(*)", "count(b)", "sum(a)", "sum(c)", "min(c)", "max(d)", "avg(a)", "avg(c)", "count(distinct b)",
                            "sum(a * 2)", "min(e)", "count(distinct d)"));
        items += keys;
    } else {
        if (rng_below(r, 5) == 0) buf_str(out, "distinct ");
        for (int i = 0; i < items; i++) {
            if (i > 0) buf_str(out, ", ");
            scalar(r, joined, out);
        }
    }
    buf_str(out, " from t");
    if (joined) {
        buf_printf(out, " %s u on t.k = u.k%s", left ? "left join" : "join", rng_below(r, 3) == 0 ? " and u.w > 2" : "");
    }
    if (rng_below(r, 3) != 0) {
        buf_str(out, " where ");
        condition(r, joined, 2, out);
    }
    for (int i = 0; i < keys; i++) buf_printf(out, "%s%s", i == 0 ? " group by " : ", ", buf_cstr(&group[i]));
    if (keys > 0 && rng_below(r, 4) == 0) buf_printf(out, " having count(*) > %d", (int)rng_below(r, 6));
    *ordered = rng_below(r, 3) == 0;
    for (int i = 0; *ordered && i < items; i++) buf_printf(out, "%s%d nulls first", i == 0 ? " order by " : ", ", i + 1);
    for (size_t i = 0; i < ARRAY_LEN(group); i++) buf_free(&group[i]);
}

static void run_one(struct world *w, struct rng *r)
{
    struct naive n = {.w = w};
    struct answer got = {0}, want = {0};
    struct buf sql = {0};
    struct arena a = {0};
    struct sql_query q = {0};
    struct sql_select *s = NULL;
    struct query_options o = {.threads = 1 + (int)rng_below(r, 2)};
    struct fault f = {0};
    bool ordered;
    enum status st;

    random_query(r, &sql, &ordered);
    st = sql_prepare(&w->env, (const char *)sql.data, sql.size, &a, &q, &f);
    ck_assert_msg(st == ST_OK, "%s\n  %s", buf_cstr(&sql), f.why);
    st = sql_run(&q, &o, keep_batch, &got, NULL, &f);
    ck_assert_msg(st == ST_OK, "%s\n  %s", buf_cstr(&sql), f.why);
    ASSERT_OK(sql_parse((const char *)sql.data, sql.size, &n.a, &s, &f), &f);
    n.s = s;
    naive_answer(&n, &want);
    if (ordered && want.count > 1) {
        columns_compared = want.n;
        qsort(want.rows, want.count, ROW_MAX * sizeof *want.rows, by_row);
    }
    compare_answers(buf_cstr(&sql), &got, &want, ordered);
    answer_free(&got);
    answer_free(&want);
    arena_free(&a);
    arena_free(&n.a);
    buf_free(&sql);
}

static void test_sql_answers_as_a_naive_evaluation(void)
{
    struct world w;
    struct rng r;

    rng_seed(&r, test_seed());
    world_open(&w, &r);
    for (int i = 0; i < test_scale(1500); i++) run_one(&w, &r);
    world_close(&w);
}

/* ---- fixed questions ---- */

static uint64_t count_rows(struct world *w, const char *sql, struct value *first)
{
    struct answer got = {0};
    struct arena a = {0};
    struct sql_query q = {0};
    struct query_options o = {.threads = 1};
    struct fault f = {0};
    uint64_t n;

    ASSERT_OK(sql_prepare(&w->env, sql, strlen(sql), &a, &q, &f), &f);
    ASSERT_OK(sql_run(&q, &o, keep_batch, &got, NULL, &f), &f);
    n = got.count;
    if (n > 0 && first != NULL) *first = got.rows[0];
    answer_free(&got);
    arena_free(&a);
    return n;
}

static void test_sql_limit_as_of_star_and_pseudo_columns(void)
{
    struct world w;
    struct rng r;
    struct value v;

    rng_seed(&r, test_seed());
    world_open(&w, &r);
    ck_assert_uint_eq(count_rows(&w, "select * from t limit 7", NULL), 7);
    ck_assert_uint_eq(count_rows(&w, "select * from t order by a limit 10 offset 195", NULL), 5);
    ck_assert_uint_eq(count_rows(&w, "select t.*, u.name from t join u on t.k = u.k limit 3;", NULL), 3);
    count_rows(&w, "select count(*) from t as of lsn 19", &v);
    ck_assert_int_eq(v.i, 10); /* rows came at LSN 10, 11, ... */
    count_rows(&w, "select count(*) from t as of lsn 110", &v);
    ck_assert_int_eq(v.i, T_ROWS / 2 + 1);
    count_rows(&w, "select max(_begin_lsn) from t", &v);
    ck_assert_int_eq(v.i, 10 + T_ROWS - 1);
    ck_assert_uint_eq(count_rows(&w, "SELECT \"a\" FROM t -- a comment\n WHERE /* another */ 1 = 1", NULL), T_ROWS);
    world_close(&w);
}

static void test_sql_refusals_name_the_byte(void)
{
    static const struct { const char *sql; enum status status; uint64_t at; const char *why; } bad[] = {
        {"select", ST_INVALID, 6, "an expression"},
        {"select a t", ST_INVALID, 10, "FROM"},
        {"select a from nowhere", ST_NOT_FOUND, 14, "no table"},
        {"select x from t", ST_INVALID, 7, "no column"},
        {"select k from t join u on t.k = u.k", ST_INVALID, 7, "qualify"},
        {"select a from t where a +", ST_INVALID, 25, "an expression"},
        {"select a, count(*) from t", ST_INVALID, 7, "GROUP BY"},
        {"select a from t where count(*) > 1", ST_INVALID, 22, "HAVING"},
        {"select sum(sum(a)) from t", ST_INVALID, 11, "aggregates"},
        {"select nosuch(a) from t", ST_INVALID, 7, "no function"},
        {"select 'abc from t", ST_INVALID, 7, "not closed"},
        {"select a from t group by 9", ST_INVALID, 25, "item"},
        {"select a from t union select a from t", ST_UNSUPPORTED, 16, "UNION"},
        {"select a from (select a from t)", ST_UNSUPPORTED, 14, "subqueries"},
        {"select a from t right join u on t.k = u.k", ST_UNSUPPORTED, 16, "LEFT"},
        {"select a from t join u on t.a > u.k", ST_UNSUPPORTED, 26, "equality"},
        {"select a from t as of lsn 99999999", ST_NOT_FOUND, 22, ""},
        {"select a from t where d = timestamp 'never'", ST_INVALID, 36, "time"},
        {"select a from t limit -1", ST_INVALID, 22, "number"},
        {"select date_trunc('lustrum', e) from t", ST_INVALID, 18, "unit"},
    };
    struct world w;
    struct rng r;

    rng_seed(&r, test_seed());
    world_open(&w, &r);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a = {0};
        struct sql_query q = {0};
        struct fault f = {0};
        enum status st = sql_prepare(&w.env, bad[i].sql, strlen(bad[i].sql), &a, &q, &f);

        ck_assert_msg(st == bad[i].status && f.at == bad[i].at && strstr(f.why, bad[i].why) != NULL, "%s\n  %s at %llu: %s",
                      bad[i].sql, status_name(st), (unsigned long long)f.at, f.why);
        arena_free(&a);
    }
    world_close(&w);
}

static void test_sql_hostile_text_is_bounded(void)
{
    struct arena a = {0};
    struct sql_select *s = NULL;
    struct buf deep = {0}, wide = {0};
    struct fault f = {0};

    buf_str(&deep, "select ");
    for (int i = 0; i < 5000; i++) buf_str(&deep, "(");
    ASSERT_STATUS(sql_parse((const char *)deep.data, deep.size, &a, &s, &f), ST_LIMIT);
    arena_reset(&a);
    buf_str(&wide, "select 1");
    for (int i = 0; i < 100000; i++) buf_str(&wide, "+1");
    fault_clear(&f);
    ASSERT_STATUS(sql_parse((const char *)wide.data, wide.size, &a, &s, &f), ST_LIMIT);
    buf_free(&deep);
    buf_free(&wide);
    arena_free(&a);
}

static const struct named_test tests[] = {
    T(test_sql_answers_as_a_naive_evaluation),
    T(test_sql_limit_as_of_star_and_pseudo_columns),
    T(test_sql_refusals_name_the_byte),
    T(test_sql_hostile_text_is_bounded),
};

int main(int argc, char **argv) { return run_tests("sql", tests, ARRAY_LEN(tests), argc, argv); }
