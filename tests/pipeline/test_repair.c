/* Goal:   what is kept computed (views, gold) is found when it is wrong, named group by group, and computed again.
 * Method: groups, their multisets and gold's rows are lost, changed and invented by hand; the comparison must name each,
 *         the request in the log must end it while new changes come, and what was right must stay.   */
#include <stdio.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/repair_event.h"
#include "pipeline/trust/reconcile_query.h"
#include "tests/pipeline/agreement.h"

static const char *const sinks[] = {"warehouse", "gold", "view"};

/* The shipped shop with three more views: extremes (a multiset), a total, and one whose key is not shown. */
static void start(const char *name, struct platform *p)
{
    static const char more[] =
        "{\"name\":\"extremes\",\"sql\":\"SELECT o.status AS status, min(l.unit_price) AS lo, "
        "max(l.unit_price) AS hi, avg(l.quantity) AS mean FROM order_lines l JOIN orders o "
        "ON l.order_id = o.order_id GROUP BY status\"},"
        "{\"name\":\"total\",\"sql\":\"SELECT count(*) AS n, sum(quantity) AS units FROM "
        "order_lines\"},"
        "{\"name\":\"hidden\",\"sql\":\"SELECT count(*) AS orders, max(order_id) AS last FROM "
        "orders GROUP BY status\"},";
    struct asset shop = shop_asset_find("shop.json");
    const char *at = strstr(shop.text, "\"views\": [");
    size_t head;
    struct seam_buf json = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ck_assert_ptr_nonnull(at);
    head = (size_t)(at - shop.text) + strlen("\"views\": [");
    seam_buf_append(&json, shop.text, head);
    seam_buf_str(&json, more);
    seam_buf_append(&json, shop.text + head, shop.size - head);
    ASSERT_OK(seam_path_join(dir, test_dir(), name, &f), &f);
    ASSERT_OK(relay_create_platform(seam_io_posix(), seam_clock_real(), dir, (char *)json.data,
                                    json.size, 7, &f),
              &f);
    ASSERT_OK(platform_open(seam_io_posix(), seam_clock_real(), dir, p, &f), &f);
    seam_buf_free(&json);
    shop_fill(p, 200, test_seed());
    shop_catch_up(p, sinks, SEAM_ARRAY_LEN(sinks));
}

static uint64_t look(const struct platform *p, struct reconcile_report *r)
{
    struct seam_fault f = {0};

    ASSERT_OK(reconcile_queries(p, r, &f), &f);
    return r->differences;
}

static void assert_clean(const struct platform *p)
{
    struct reconcile_report r;

    ck_assert_uint_eq(look(p, &r), 0);
    reconcile_free(&r);
}

static const struct reconcile_result *result(const struct reconcile_report *r, const char *table)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->results[i].table, table) == 0) return &r->results[i];
    ck_abort_msg("%s was not compared", table);
    return NULL;
}

static uint64_t repair(const struct platform *p, struct reconcile_report *r)
{
    struct seam_fault f = {0};
    uint64_t requests;
    seam_lsn_t lsn;

    ASSERT_OK(reconcile_queries_repair(p, r, &requests, &lsn, &f), &f);
    reconcile_free(r);
    shop_catch_up(p, sinks, SEAM_ARRAY_LEN(sinks));
    return requests;
}

/* ---- damage to views ---- */

struct views {
    struct wal *wal;
    struct oltp *db;
    struct oltp_txn *t;
};

static void open_views(const struct platform *p, struct views *v)
{
    const struct wal_options wo = {.io = p->io};
    struct oltp_options o = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES], rows[SEAM_PATH_MAX_BYTES], log[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "view", dir, &f), &f);
    ASSERT_OK(seam_path_join(rows, dir, "rows", &f), &f);
    ASSERT_OK(seam_path_join(log, dir, "wal", &f), &f);
    ASSERT_OK(wal_open(log, &wo, &v->wal, NULL, &f), &f);
    o.wal = v->wal;
    ASSERT_OK(oltp_open(p->io, rows, &o, &v->db, &f), &f);
    ASSERT_OK(oltp_write_begin(v->db, &v->t, &f), &f);
}

static void close_views(struct views *v)
{
    struct seam_fault f = {0};

    ASSERT_OK(oltp_commit(v->t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_close(v->db, &f), &f);
    ASSERT_OK(wal_close(v->wal, &f), &f);
    *v = (struct views){0};
}

static uint32_t table_of(struct views *v, const char *name)
{
    struct seam_fault f = {0};
    uint32_t table;

    ASSERT_OK(oltp_table(v->t, name, &table, &f), &f);
    return table;
}

/* The stored row of a group named by one word ("" = the total's); its bytes are copied into `copy`. */
static void stored_group(struct views *v, const char *table, const char *word, struct seam_buf *key,
                         struct seam_buf *copy, struct seam_value values[3])
{
    const struct seam_value group = seam_v_str(word);
    struct oltp_row row;
    struct seam_fault f = {0};
    uint32_t id = table_of(v, table);

    if (*word != '\0') seam_key_append(key, &group);
    values[0] = seam_v_text(seam_buf_cstr(key), key->size);
    ASSERT_OK(oltp_get(v->t, id, values, &row, &f), &f);
    seam_buf_append(copy, row.row.data, row.row.size);
    ASSERT_OK(seam_row_decode(oltp_schema(v->t, id), copy->data, copy->size, values, &f), &f);
}

/* The group's count is another (rows < 0: the group is lost altogether). */
static void damage_group(const struct platform *p, const char *view, const char *word, int64_t rows)
{
    struct views v = {0};
    struct seam_buf key = {0}, copy = {0};
    struct seam_value values[3];
    struct seam_fault f = {0};
    char table[80];

    open_views(p, &v);
    snprintf(table, sizeof table, "v_%s", view);
    stored_group(&v, table, word, &key, &copy, values);
    values[1] = seam_v_int(rows);
    if (rows < 0)
        ASSERT_OK(oltp_delete(v.t, table_of(&v, table), values, &f), &f);
    else
        ASSERT_OK(oltp_put(v.t, table_of(&v, table), values, &f), &f);
    close_views(&v);
    seam_buf_free(&key);
    seam_buf_free(&copy);
}

/* A group that no fact belongs to, with the states of another. */
static void invent_group(const struct platform *p, const char *view, const char *like,
                         const char *word)
{
    const struct seam_value group = seam_v_str(word);
    struct views v = {0};
    struct seam_buf key = {0}, copy = {0}, invented = {0};
    struct seam_value values[3];
    struct seam_fault f = {0};
    char table[80];

    open_views(p, &v);
    snprintf(table, sizeof table, "v_%s", view);
    stored_group(&v, table, like, &key, &copy, values);
    seam_key_append(&invented, &group);
    values[0] = seam_v_text(seam_buf_cstr(&invented), invented.size);
    ASSERT_OK(oltp_put(v.t, table_of(&v, table), values, &f), &f);
    close_views(&v);
    seam_buf_free(&key);
    seam_buf_free(&copy);
    seam_buf_free(&invented);
}

/* Every value behind the group's min and max is forgotten. */
static void empty_multiset(const struct platform *p, const char *view, const char *word)
{
    const struct seam_value group = seam_v_str(word);
    struct views v = {0};
    struct seam_buf key = {0}, prefix = {0}, copy = {0};
    struct seam_value bound, values[SEAM_COLUMNS_MAX];
    struct oltp_range range = {.upper_included = true};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    char table[80];
    uint32_t id, gone = 0;

    open_views(p, &v);
    snprintf(table, sizeof table, "m_%s", view);
    id = table_of(&v, table);
    seam_key_append(&key, &group);
    bound = seam_v_text((char *)key.data, key.size);
    ASSERT_OK(oltp_key(v.t, id, 0, &bound, 1, &prefix, &f), &f);
    range.lower = range.upper = (struct wal_bytes){prefix.data, prefix.size};
    ASSERT_OK(oltp_cursor_open(v.t, id, 0, &range, 0, &c, &f), &f);
    for (; oltp_cursor_next(c, &row, &f) == SEAM_OK; gone++) {
        seam_buf_clear(&copy);
        seam_buf_append(&copy, row.row.data, row.row.size);
        ASSERT_OK(seam_row_decode(oltp_schema(v.t, id), copy.data, copy.size, values, &f), &f);
        ASSERT_OK(oltp_delete(v.t, id, values, &f), &f);
    }
    oltp_cursor_close(c);
    ck_assert_uint_gt(gone, 0);
    close_views(&v);
    seam_buf_free(&key);
    seam_buf_free(&prefix);
    seam_buf_free(&copy);
}

static void assert_named(const struct reconcile_report *r, const char *table, const char *key,
                         enum reconcile_verdict verdict)
{
    const struct reconcile_result *x = result(r, table);

    for (size_t i = 0; i < x->shown; i++)
        if (strcmp(x->list[i].key_text, key) == 0) {
            ck_assert_int_eq(x->list[i].verdict, verdict);
            ck_assert_int_eq(x->list[i].store != NULL, verdict != VERDICT_MISSING);
            ck_assert_int_eq(x->list[i].source != NULL, verdict != VERDICT_EXTRA);
            return;
        }
    ck_abort_msg("%s: '%s' is not among the %zu differences", table, key, x->shown);
}

static void test_wrong_groups_of_views_are_named_and_computed_again(void)
{
    struct platform p;
    struct reconcile_report r;

    start("groups", &p);
    assert_clean(&p);
    damage_group(&p, "orders_by_status", "placed", 3);
    damage_group(&p, "extremes", "placed", -1);
    empty_multiset(&p, "extremes", "shipped");
    invent_group(&p, "stock_by_category", "Kitchen", "No such category");
    damage_group(&p, "total", "", 1);
    damage_group(&p, "hidden", "shipped", 77);
    ck_assert_uint_eq(look(&p, &r), 7); /* hidden shows no key: one row is lost and another extra */
    assert_named(&r, "orders_by_status", "placed", VERDICT_CORRUPT);
    assert_named(&r, "extremes", "placed", VERDICT_MISSING);
    assert_named(&r, "extremes", "shipped", VERDICT_CORRUPT);
    assert_named(&r, "stock_by_category", "No such category", VERDICT_EXTRA);
    assert_named(&r, "total", "", VERDICT_CORRUPT);
    ck_assert_uint_eq(result(&r, "hidden")->differences, 2);
    ck_assert_uint_eq(repair(&p, &r), 6);
    assert_clean(&p);
    shop_fill(&p, 50, test_seed() + 1); /* the repaired states bear what comes next */
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(&p);
    platform_close(&p);
}

static void cancel_every_order(const struct platform *p)
{
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_buf copy = {0};
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct seam_fault f = {0};
    uint32_t id;

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "orders", &id, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        seam_buf_clear(&copy);
        seam_buf_append(&copy, row.row.data, row.row.size);
        ASSERT_OK(seam_row_decode(oltp_schema(t, id), copy.data, copy.size, values, &f), &f);
        values[seam_schema_column(oltp_schema(t, id), "status")] = seam_v_str("cancelled");
        ASSERT_OK(oltp_put(t, id, values, &f), &f);
    }
    oltp_cursor_close(c);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    seam_buf_free(&copy);
}

/* A group so wrong that a retraction would go below nothing stops its sink. A batch that holds the request, too, does not
 * put the retraction on what stood there. */
static void test_a_request_spares_its_batch_what_the_wrong_group_cannot_bear(void)
{
    static const char *const upstream[] = {"warehouse", "gold"};
    const struct sink_run_options once = {.until_caught_up = true, .batch_us = UINT64_C(600000000)};
    struct platform p;
    struct sink *view = NULL;
    struct reconcile_report r;
    struct seam_fault f = {0};
    uint64_t requests;
    seam_lsn_t lsn;

    start("stuck", &p);
    damage_group(&p, "revenue_by_category", "Kitchen", 0);
    ck_assert_uint_eq(look(&p, &r), 1);
    assert_named(&r, "revenue_by_category", "Kitchen", VERDICT_CORRUPT);
    cancel_every_order(&p);
    shop_catch_up(&p, upstream, SEAM_ARRAY_LEN(upstream));
    ASSERT_OK(sink_open(&p, "view", NULL, &view, &f), &f);
    ASSERT_STATUS(sink_run(view, &once, NULL, &f), SEAM_CORRUPT);
    sink_close(view);
    view = NULL;
    ASSERT_OK(reconcile_queries_repair(&p, &r, &requests, &lsn, &f), &f);
    ck_assert_uint_eq(requests, 1);
    reconcile_free(&r);
    shop_catch_up(&p, upstream, SEAM_ARRAY_LEN(upstream));
    ASSERT_OK(sink_open(&p, "view", NULL, &view, &f), &f);
    ASSERT_OK(sink_run(view, &once, NULL, &f), &f);
    sink_close(view);
    assert_clean(&p);
    platform_close(&p);
}

/* ---- gold ---- */

static void damage_gold(const struct platform *p)
{
    struct columnar_writer *w = NULL;
    struct seam_value row[SEAM_COLUMNS_MAX], key = seam_v_str("placed");
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    seam_lsn_t lsn;
    int table;

    ASSERT_OK(platform_sink_path(p, "gold", dir, &f), &f);
    ASSERT_OK(columnar_open_writer(p->io, dir, NULL, &w, &f), &f);
    lsn = columnar_writer_applied(w) + 1;
    table = columnar_writer_table(w, "gold_order_funnel");
    row[0] = key;
    row[1] = seam_v_int(123456);
    ASSERT_OK(columnar_upsert(w, table, row, lsn, NULL, &f), &f);
    row[0] = seam_v_str("invented");
    ASSERT_OK(columnar_upsert(w, table, row, lsn, NULL, &f), &f);
    key = seam_v_str("Kitchen");
    table = columnar_writer_table(w, "gold_stock_value");
    ASSERT_OK(columnar_delete(w, table, &key, lsn, NULL, &f), &f);
    ASSERT_OK(columnar_publish(w, lsn, 1, &f), &f);
    columnar_close_writer(w);
}

static void test_wrong_rows_of_gold_are_named_and_computed_again(void)
{
    struct platform p;
    struct reconcile_report r;

    start("gold", &p);
    shop_fill(&p, 1, test_seed() + 1); /* so that gold's own LSN may move on below silver's */
    shop_catch_up(&p, sinks, 1);
    damage_gold(&p);
    ck_assert_uint_eq(look(&p, &r), 3);
    assert_named(&r, "gold_order_funnel", "placed", VERDICT_CORRUPT);
    assert_named(&r, "gold_order_funnel", "invented", VERDICT_EXTRA);
    assert_named(&r, "gold_stock_value", "Kitchen", VERDICT_MISSING);
    ck_assert_uint_eq(repair(&p, &r), 2); /* a table each */
    assert_clean(&p);
    platform_close(&p);
}

/* ---- the request ---- */

static bool get(const char *id, const char *type, const char *payload, struct seam_buf *key,
                bool *all)
{
    char table[SEAM_NAME_MAX_BYTES];
    const struct stream_outbox e = {
        .topic = {(const uint8_t *)"seam.repair", 11},
        .key = {(const uint8_t *)id, strlen(id)},
        .type = {(const uint8_t *)type, strlen(type)},
        .payload = {(const uint8_t *)payload, strlen(payload)},
    };
    bool ok = sink_repair_event_get(&e, "view", table, key, all);

    if (ok) ck_assert_str_eq(table, "sales");
    return ok;
}

static void test_a_request_that_is_malformed_asks_for_nothing(void)
{
    struct seam_buf key = {0};
    bool all;
    char long_id[200];

    ck_assert(get("view/sales", "recompute", "{\"key\":\"04ff00\"}", &key, &all));
    ck_assert(!all && key.size == 3 && memcmp(key.data, "\x04\xff\0", 3) == 0);
    ck_assert(get("view/sales", "recompute", "{}", &key, &all) && all);
    ck_assert(!get("gold/sales", "recompute", "{}", &key, &all));
    ck_assert(!get("view", "recompute", "{}", &key, &all));
    ck_assert(!get("view/", "recompute", "{}", &key, &all));
    ck_assert(!get("view/sales", "forget", "{}", &key, &all));
    ck_assert(!get("view/sales", "recompute", "{\"key\":\"04f\"}", &key, &all));
    ck_assert(!get("view/sales", "recompute", "{\"key\":\"xy\"}", &key, &all));
    ck_assert(!get("view/sales", "recompute", "", &key, &all));
    memset(long_id, 'a', sizeof long_id);
    memcpy(long_id, "view/", 5);
    long_id[199] = '\0';
    ck_assert(!get(long_id, "recompute", "{}", &key, &all));
    seam_buf_free(&key);
}

static const struct named_test tests[] = {
    T(test_wrong_groups_of_views_are_named_and_computed_again),
    T(test_a_request_spares_its_batch_what_the_wrong_group_cannot_bear),
    T(test_wrong_rows_of_gold_are_named_and_computed_again),
    T(test_a_request_that_is_malformed_asks_for_nothing),
};

int main(int argc, char **argv)
{
    return run_tests("repair", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
