/* Goal:   every declared view equals the same query run from scratch over the row store at the same LSN.
 * Method: random transactions over few ids, so that dimensions come late, change under old facts and go; after each
 *         batch the relay and the view sink catch up, and each view is compared with SQL, row by row, as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/values/row.h"
#include "pipeline/ask/sqlenv.h"
#include "pipeline/relay/relay.h"
#include "pipeline/view/view_def.h"
#include "tests/pipeline/agreement.h"

static const char *const views[][2] = {
    {"by_category",
     "SELECT coalesce(p.category, 'none') AS category, count(*) AS n, sum(l.quantity) AS units, "
     "sum(l.quantity * l.unit_price) AS revenue FROM order_lines l JOIN orders o ON l.order_id = "
     "o.order_id "
     "LEFT JOIN products p ON l.product_id = p.product_id WHERE o.status <> 'cancelled' GROUP BY "
     "p.category"},
    {"extremes", "SELECT o.status AS status, min(l.unit_price) AS lo, max(l.unit_price) AS hi, "
                 "avg(l.quantity) AS mean, "
                 "count(l.quantity) AS n FROM order_lines l JOIN orders o ON l.order_id = "
                 "o.order_id GROUP BY status"},
    {"total",
     "SELECT count(*) AS n, sum(quantity) AS units, max(unit_price) AS hi FROM order_lines"},
    {"by_status", "SELECT status, count(*) AS orders FROM orders GROUP BY status"},
    {"stock", "SELECT category, sum(stock) AS units, sum(stock * price) AS value, min(title) AS "
              "first_title FROM products "
              "WHERE stock > 3 GROUP BY category"},
    {"by_country", "SELECT c.country AS country, date_trunc('month', o.placed_at) AS month, "
                   "sum(l.quantity) AS units "
                   "FROM order_lines l JOIN orders o ON l.order_id = o.order_id JOIN customers c "
                   "ON o.customer_id = c.customer_id "
                   "GROUP BY country, month"},
};

enum { PRODUCTS = 12, CUSTOMERS = 6, ORDERS = 25, LINES = 3 };

static void create(struct platform *p)
{
    static const char tables[] = "[\"products\",\"customers\",\"orders\",\"order_lines\"]";
    struct seam_buf shop = {0};
    struct seam_fault f = {0};
    struct seam_json_writer w;
    char dir[SEAM_PATH_MAX_BYTES];

    seam_jw_init(&w, &shop);
    seam_jw_object(&w);
    seam_jw_key(&w, "tables");
    seam_jw_raw(&w, tables, sizeof tables - 1);
    seam_jw_key(&w, "sinks");
    seam_jw_object(&w);
    seam_jw_key(&w, "view");
    seam_jw_object(&w);
    seam_jw_key(&w, "views");
    seam_jw_array(&w);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(views); i++) {
        seam_jw_object(&w);
        seam_jw_key(&w, "name");
        seam_jw_str(&w, views[i][0]);
        seam_jw_key(&w, "sql");
        seam_jw_str(&w, views[i][1]);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_jw_end_object(&w);
    seam_jw_end_object(&w);
    ASSERT_OK(seam_path_join(dir, test_dir(), "views", &f), &f);
    ASSERT_OK(relay_create_platform(seam_io_posix(), seam_clock_real(), dir,
                                    (const char *)shop.data, shop.size, 7, &f),
              &f);
    ASSERT_OK(platform_open(seam_io_posix(), seam_clock_real(), dir, p, &f), &f);
    seam_buf_free(&shop);
}

/* ---- random changes ---- */

static void put_json(struct oltp_txn *t, const char *table_name, const char *json)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    struct seam_fault f = {0};
    uint32_t table;
    enum seam_status st;

    ASSERT_OK(oltp_table(t, table_name, &table, &f), &f);
    ASSERT_OK(seam_row_from_json(oltp_schema(t, table), json, strlen(json), values, &text, &f), &f);
    st = oltp_put(t, table, values, &f);
    ck_assert(st == SEAM_OK);
    seam_buf_free(&text);
}

static void del(struct oltp_txn *t, const char *table_name, int64_t a, int64_t b)
{
    struct seam_value key[2] = {seam_v_int(a), seam_v_int(b)};
    struct seam_fault f = {0};
    uint32_t table;
    enum seam_status st;

    ASSERT_OK(oltp_table(t, table_name, &table, &f), &f);
    st = oltp_delete(t, table, key, NULL);
    ck_assert(st == SEAM_OK || st == SEAM_NOT_FOUND);
}

static void random_change(struct oltp_txn *t, struct seam_rng *r)
{
    static const char *const category[] = {"\"Garden\"", "\"Kitchen\"", "\"Toys\"", "null"};
    static const char *const status[] = {"placed", "shipped", "cancelled"};
    static const char *const country[] = {"UK", "Germany", "France"};
    int64_t product = seam_rng_range(r, 1, PRODUCTS), order = seam_rng_range(r, 1, ORDERS),
            line = seam_rng_range(r, 1, LINES);
    char json[512];

    switch (seam_rng_below(r, 12)) {
    case 0:
    case 1:
        snprintf(json, sizeof json,
                 "{\"product_id\":%lld,\"sku\":\"S%lld\",\"title\":\"T%llu\",\"category\":%s,"
                 "\"price\":\"%llu.25\",\"stock\":%llu}",
                 (long long)product, (long long)product, (unsigned long long)seam_rng_below(r, 9),
                 category[seam_rng_below(r, 4)], (unsigned long long)seam_rng_below(r, 50),
                 (unsigned long long)seam_rng_below(r, 9));
        put_json(t, "products", json);
        break;
    case 2: del(t, "products", product, 0); break;
    case 3:
        snprintf(json, sizeof json, "{\"customer_id\":%lld,\"name\":\"N\",\"country\":\"%s\"}",
                 (long long)seam_rng_range(r, 1, CUSTOMERS), country[seam_rng_below(r, 3)]);
        put_json(t, "customers", json);
        break;
    case 4:
    case 5:
    case 6:
        snprintf(json, sizeof json,
                 "{\"order_id\":%lld,\"customer_id\":%lld,\"status\":\"%s\",\"placed_at\":\"2026-0%"
                 "llu-1%lluT00:00:00Z\"}",
                 (long long)order, (long long)seam_rng_range(r, 1, CUSTOMERS),
                 status[seam_rng_below(r, 3)], (unsigned long long)(1 + seam_rng_below(r, 3)),
                 (unsigned long long)seam_rng_below(r, 9));
        put_json(t, "orders", json);
        break;
    case 7: del(t, "orders", order, 0); break;
    case 8: del(t, "order_lines", order, line); break;
    default:
        snprintf(json, sizeof json,
                 "{\"order_id\":%lld,\"line_no\":%lld,\"product_id\":%lld,\"quantity\":%lld,\"unit_"
                 "price\":\"%llu.125\"}",
                 (long long)order, (long long)line, (long long)product,
                 (long long)seam_rng_range(r, -2, 9), (unsigned long long)seam_rng_below(r, 40));
        put_json(t, "order_lines", json);
    }
}

static void random_transactions(const struct platform *p, struct seam_rng *r, int n)
{
    struct platform_source s = {0};
    struct seam_fault f = {0};

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    for (int i = 0; i < n; i++) {
        struct oltp_txn *t = NULL;
        uint64_t changes = 1 + seam_rng_below(r, 4);

        ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
        while (changes-- > 0) random_change(t, r);
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
}

/* ---- comparison ---- */

struct lines {
    char *line[512];
    size_t n;
};

static void add_line(struct lines *l, const struct seam_value *row, int n)
{
    struct seam_buf b = {0};

    for (int i = 0; i < n; i++) {
        if (row[i].type == SEAM_V_NULL)
            seam_buf_str(&b, "NULL");
        else
            seam_value_format(&row[i], &b);
        seam_buf_u8(&b, '|');
    }
    ck_assert(l->n < SEAM_ARRAY_LEN(l->line));
    l->line[l->n] = strdup(seam_buf_cstr(&b));
    ck_assert(l->line[l->n++] != NULL);
    seam_buf_free(&b);
}

static enum seam_status view_line(void *ctx, const struct view_column *columns, int n,
                                  const struct seam_value *row)
{
    (void)columns;
    add_line(ctx, row, n);
    return SEAM_OK;
}

static enum seam_status sql_line(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        struct seam_value row[64];

        columnar_batch_row(b, r, row);
        add_line(ctx, row, b->count);
    }
    return SEAM_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare_lines(const char *name, struct lines *view, struct lines *sql)
{
    qsort(view->line, view->n, sizeof *view->line, by_text);
    qsort(sql->line, sql->n, sizeof *sql->line, by_text);
    ck_assert_msg(view->n == sql->n, "%s: the view has %zu rows, the query %zu", name, view->n,
                  sql->n);
    for (size_t i = 0; i < view->n; i++) {
        ck_assert_msg(strcmp(view->line[i], sql->line[i]) == 0, "%s:\n  view  %s\n  query %s", name,
                      view->line[i], sql->line[i]);
        free(view->line[i]);
        free(sql->line[i]);
    }
}

static void compare_views(const struct platform *p)
{
    struct ask_sql_platform sql;
    struct view_reader *r = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "view", dir, &f), &f);
    ASSERT_OK(view_reader_open(p->io, dir, &r, &f), &f);
    ASSERT_OK(ask_sql_platform_open(&sql, p, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(views); i++) {
        struct lines from_view = {0}, from_sql = {0};
        struct seam_arena a = {0};
        struct columnar_sql_query q = {0};
        struct columnar_query_options o = {.threads = 1};

        ASSERT_OK(view_scan(r, views[i][0], view_line, &from_view, &f), &f);
        ASSERT_OK(ask_sql_platform_next(&sql, &f), &f);
        ASSERT_OK(columnar_sql_prepare(&sql.env, views[i][1], strlen(views[i][1]), &a, &q, &f), &f);
        ASSERT_OK(columnar_sql_run(&q, &o, sql_line, &from_sql, NULL, &f), &f);
        compare_lines(views[i][0], &from_view, &from_sql);
        seam_arena_free(&a);
    }
    ask_sql_platform_close(&sql);
    view_reader_close(r);
}

static const char *const only_view[] = {"view"};

static void test_views_equal_recomputation_over_random_histories(void)
{
    struct platform p;
    struct seam_rng rng;
    int rounds = test_scale(25);

    seam_rng_seed(&rng, test_seed());
    create(&p);
    for (int i = 0; i < rounds; i++) {
        random_transactions(&p, &rng, i == 0 ? 100 : 20);
        shop_catch_up(&p, only_view, 1);
        compare_views(&p);
    }
    platform_close(&p);
}

static void test_views_survive_kills_in_mid_apply(void)
{
    struct platform p;
    struct seam_rng rng;

    seam_rng_seed(&rng, test_seed() + 1);
    create(&p);
    for (int i = 0; i < test_scale(12); i++) {
        pid_t pid;

        random_transactions(&p, &rng, 40);
        shop_catch_up(&p, NULL, 0);
        pid = part_start(&p, "view", false);
        p.clock->sleep_us(p.clock, seam_rng_below(&rng, 15000));
        part_kill(pid);
        shop_catch_up(&p, only_view, 1);
        compare_views(&p);
    }
    platform_close(&p);
}

static void refuse(const char *sql, enum seam_status want)
{
    struct platform p = {0};
    struct stream_registry r = {0};
    struct seam_fault f = {0};
    struct view_def *def = NULL;
    enum seam_status st;

    (void)p;
    st = view_compile("v", sql, &r, &def, &f);
    ck_assert_msg(st == want, "%s: %s (%s)", sql, seam_status_name(st), f.why);
    view_def_free(def);
}

static void test_views_refuse_what_they_cannot_keep_up(void)
{
    refuse("SELECT DISTINCT a FROM t", SEAM_UNSUPPORTED);
    refuse("SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1", SEAM_UNSUPPORTED);
    refuse("SELECT a, count(*) FROM t GROUP BY a ORDER BY a", SEAM_UNSUPPORTED);
    refuse("SELECT count(*) FROM t AS OF LSN 5", SEAM_UNSUPPORTED);
    refuse("SELECT count(*) FROM t", SEAM_NOT_FOUND);
    refuse("SELECT count(* FROM t", SEAM_INVALID);
}

static const struct named_test tests[] = {
    T(test_views_equal_recomputation_over_random_histories),
    T(test_views_survive_kills_in_mid_apply),
    T(test_views_refuse_what_they_cannot_keep_up),
};

int main(int argc, char **argv)
{
    return run_tests("view", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
