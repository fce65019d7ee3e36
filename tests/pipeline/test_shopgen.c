#include "pipeline/import/shopgen.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "pipeline/import/import.h"
#include "tests/pipeline/shop.h"

static struct oltp *open_with_catalogue(const char *name)
{
    struct import_options o = {.file = "pipeline/shop/catalogue.jsonl"};
    struct seam_buf mapping = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    struct oltp *db;
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_path_join(dir, test_dir(), name, &f), &f);
    ASSERT_OK(seam_io_mkdir(seam_io_posix(), dir, &f), &f);
    db = shop_open(dir);
    shop_read_file("pipeline/shop/mappings/catalogue.json", &mapping);
    o.mapping = (char *)mapping.data;
    o.mapping_size = mapping.size;
    ASSERT_OK(import_run(db, &o, &s, &f), &f);
    seam_buf_free(&mapping);
    return db;
}

static struct seam_hash128 state_of(struct oltp *db)
{
    struct seam_buf all = {0};
    struct seam_hash128 h;

    shop_dump_all(db, &all);
    h = seam_siphash128(all.data, all.size);
    seam_buf_free(&all);
    return h;
}

/* Goal: the same seed makes the same shop; another seed another; in one go or step by step.      */
static void test_shopgen_is_deterministic_by_seed(void)
{
    struct shop_gen_options o = {.seed = test_seed(), .orders = 1000, .mode = OLTP_DEFERRED};
    struct oltp *a = open_with_catalogue("a"), *b = open_with_catalogue("b"),
                *c = open_with_catalogue("c");
    struct shop_gen_stats sa, sc;
    struct shop_gen *g = NULL;
    struct seam_fault f = {0};
    struct seam_hash128 ha, hb, hc;

    ASSERT_OK(shop_gen_run(a, &o, &sa, &f), &f);
    ASSERT_OK(shop_gen_open(b, &o, &g, &f), &f);
    for (int i = 0; i < 10; i++) ASSERT_OK(shop_gen_step(g, 100, &f), &f);
    ck_assert(shop_gen_stats(g)->revenue == sa.revenue &&
              shop_gen_stats(g)->transactions == sa.transactions);
    shop_gen_close(g);
    o.seed++;
    ASSERT_OK(shop_gen_run(c, &o, &sc, &f), &f);
    ha = state_of(a);
    hb = state_of(b);
    hc = state_of(c);
    ck_assert(ha.lo == hb.lo && ha.hi == hb.hi && ha.lo != hc.lo);
    shop_close(a);
    shop_close(b);
    shop_close(c);
}

/* Goal: what it says it did is what is in the tables, and the shop looks like one.               */
static void test_shopgen_tables_agree_with_its_counts(void)
{
    struct shop_gen_options o = {.seed = 5, .orders = 3000, .mode = OLTP_DEFERRED};
    struct oltp *db = open_with_catalogue("shop");
    uint64_t products = shop_count(db, "products");
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[16];
    struct shop_gen_stats s;
    struct seam_fault f = {0};
    struct seam_buf orders = {0};
    int64_t units = 0, revenue = 0, last = 0;
    size_t cancelled = 0, shipped = 0;
    uint32_t id;

    ASSERT_OK(shop_gen_run(db, &o, &s, &f), &f);
    ck_assert(s.orders == 3000 && shop_count(db, "orders") == 3000 &&
              shop_count(db, "order_lines") == s.lines);
    ck_assert(s.deleted == 3 && shop_count(db, "products") == products - 3 &&
              shop_count(db, "customers") == s.customers);
    ck_assert(s.cancelled > 60 && s.cancelled < 200 && s.prices > 0 && s.stocks > 20);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "order_lines", &id, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        ASSERT_OK(seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, &f), &f);
        units += v[3].i;
        revenue += v[3].i * v[4].i;
    }
    oltp_cursor_close(c);
    ck_assert(units == s.units && revenue == s.revenue);
    ASSERT_OK(oltp_table(t, "orders", &id, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        ASSERT_OK(seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, &f), &f);
        ck_assert(v[3].i > last);
        last = v[3].i;
        cancelled += v[2].len == 9 && memcmp(v[2].s, "cancelled", 9) == 0;
        shipped += v[2].len == 7 && memcmp(v[2].s, "shipped", 7) == 0;
    }
    oltp_cursor_close(c);
    oltp_end(t);
    ck_assert(cancelled == s.cancelled && shipped == s.shipped);
    ck_assert(last >= 1767225600000000 + 363ll * 86400 * 1000000); /* the year was filled */
    shop_close(db);
    seam_buf_free(&orders);
}

static void test_shopgen_goes_on_behind_what_is_there(void)
{
    struct shop_gen_options o = {.seed = 5,
                                 .orders = 200,
                                 .mode = OLTP_DEFERRED,
                                 .deletions = UINT32_MAX,
                                 .cancel_per_1000 = UINT32_MAX};
    struct oltp *db = open_with_catalogue("shop");
    struct shop_gen_stats s;
    struct seam_fault f = {0};

    ASSERT_OK(shop_gen_run(db, &o, &s, &f), &f);
    ASSERT_OK(shop_gen_run(db, &o, &s, &f), &f);
    ck_assert(s.cancelled == 0 && s.deleted == 0);
    ck_assert_uint_eq(shop_count(db, "orders"), 400);
    shop_close(db);
}

static void test_shopgen_without_products_says_so(void)
{
    struct oltp *db = shop_open(test_dir());
    struct shop_gen *g = NULL;
    struct seam_fault f = {0};

    ASSERT_STATUS(shop_gen_open(db, &(struct shop_gen_options){0}, &g, &f), SEAM_NOT_FOUND);
    ck_assert_str_eq(f.where, "products");
    shop_close(db);
}

static void test_shopgen_fifty_thousand_orders_take_seconds(void)
{
    struct shop_gen_options o = {
        .seed = 1, .orders = (uint64_t)test_scale(50000), .mode = OLTP_DEFERRED};
    struct oltp *db = open_with_catalogue("shop");
    uint64_t start = seam_clock_mono_ns(seam_clock_real());
    struct shop_gen_stats s;
    struct seam_fault f = {0};

    ASSERT_OK(shop_gen_run(db, &o, &s, &f), &f);
    printf("%llu orders, %llu lines, %llu transactions in %.2f s\n", (unsigned long long)s.orders,
           (unsigned long long)s.lines, (unsigned long long)s.transactions,
           (double)(seam_clock_mono_ns(seam_clock_real()) - start) / 1e9);
    ck_assert_uint_eq(shop_count(db, "orders"), s.orders);
    shop_close(db);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_shopgen_is_deterministic_by_seed),
        T(test_shopgen_tables_agree_with_its_counts),
        T(test_shopgen_goes_on_behind_what_is_there),
        T(test_shopgen_without_products_says_so),
        T(test_shopgen_fifty_thousand_orders_take_seconds),
    };

    return run_tests("shopgen", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
