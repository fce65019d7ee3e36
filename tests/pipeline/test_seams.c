/* Goal:   what the seams promise is noticed when it is broken, and can be mended.
 * Method: silver is damaged by hand in each way there is a verdict for; sinks are given faults (SEAM_FAULT); the clock
 *         steps back; reconciliation must name each difference, and its repair must end them.         */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/relay/relay.h"
#include "pipeline/sinks/deadletter.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/stream.h"
#include "pipeline/trust/freshness.h"
#include "pipeline/trust/reconcile.h"
#include "tests/pipeline/agreement.h"
#include "wal/change.h"
#include "wal/wal.h"

static const char *const sinks[] = {"warehouse", "view", "search", "vectors", "audit"};

static void start(const char *name, struct platform *p, uint64_t orders)
{
    unsetenv("SEAM_FAULT");
    shop_create(name, p);
    shop_fill(p, orders, test_seed());
    shop_catch_up(p, sinks, SEAM_ARRAY_LEN(sinks));
}

/* One product's column, changed and committed, or the product deleted (column NULL); returns the LSN. */
static seam_lsn_t change_column(const struct platform *p, int64_t id, const char *column,
                                struct seam_value value)
{
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit;
    struct oltp_row row;
    struct seam_value values[SEAM_COLUMNS_MAX], key = seam_v_int(id);
    struct seam_fault f = {0};
    uint32_t table;

    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    if (column == NULL) {
        ASSERT_OK(oltp_delete(t, table, &key, &f), &f);
    } else {
        struct seam_buf copy = {0};

        ASSERT_OK(oltp_get(t, table, &key, &row, &f), &f);
        seam_buf_append(&copy, row.row.data, row.row.size);
        ASSERT_OK(seam_row_decode(oltp_schema(t, table), copy.data, copy.size, values, &f), &f);
        values[seam_schema_column(oltp_schema(t, table), column)] = value;
        ASSERT_OK(oltp_put(t, table, values, &f), &f);
        seam_buf_free(&copy);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &commit, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    return commit.lsn;
}

static seam_lsn_t change_product(const struct platform *p, int64_t id, int64_t stock, bool delete)
{
    return change_column(p, id, delete ? NULL : "stock", seam_v_int(stock));
}

static seam_lsn_t change_text(const struct platform *p, int64_t id, const char *column,
                              const char *text)
{
    return change_column(p, id, column, seam_v_str(text));
}

static uint64_t reconcile(const struct platform *p, struct reconcile_report *out)
{
    struct reconcile_options o = {0};
    struct seam_fault f = {0};

    ASSERT_OK(reconcile_run(p, &o, out, &f), &f);
    return out->differences;
}

static const struct reconcile_difference *difference(const struct reconcile_report *r,
                                                     const char *store, const char *key)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; strcmp(r->results[i].store, store) == 0 && k < r->results[i].shown; k++)
            if (strcmp(r->results[i].list[k].key_text, key) == 0) return &r->results[i].list[k];
    return NULL;
}

static void assert_clean(const struct platform *p)
{
    struct reconcile_report r;

    ck_assert_uint_eq(reconcile(p, &r), 0);
    reconcile_free(&r);
}

static void repair_and_check(const struct platform *p, struct reconcile_report *r)
{
    struct seam_fault f = {0};
    uint64_t rows;
    seam_lsn_t lsn;

    ASSERT_OK(reconcile_repair(p, r, &rows, &lsn, &f), &f);
    ck_assert_uint_gt(rows, 0);
    ck_assert_uint_gt(lsn, 0);
    reconcile_free(r);
    shop_catch_up(p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(p);
}

/* In silver, product 101 of the shipped catalogue is lost, 102 has another stock, and 999999 is invented. */
static void damage_silver(const struct platform *p)
{
    struct columnar_writer *w = NULL;
    struct seam_fault f = {0};
    struct seam_value values[SEAM_COLUMNS_MAX], copy[SEAM_COLUMNS_MAX], key;
    char dir[SEAM_PATH_MAX_BYTES];
    seam_lsn_t lsn;
    int table, stock;

    ASSERT_OK(platform_sink_path(p, "warehouse", dir, &f), &f);
    ASSERT_OK(columnar_open_writer(p->io, dir, NULL, &w, &f), &f);
    lsn = columnar_writer_applied(w) + 1;
    table = columnar_writer_table(w, "silver_products");
    stock = seam_schema_column(columnar_writer_schema(w, table), "stock");
    key = seam_v_int(101);
    ASSERT_OK(columnar_delete(w, table, &key, lsn, NULL, &f), &f);
    key = seam_v_int(102);
    ASSERT_OK(columnar_writer_get(w, table, &key, values, &f), &f);
    memcpy(copy, values, sizeof copy);
    copy[stock] = seam_v_int(-77);
    ASSERT_OK(columnar_upsert(w, table, copy, lsn, NULL, &f), &f);
    key = seam_v_int(103);
    ASSERT_OK(columnar_writer_get(w, table, &key, values, &f), &f);
    memcpy(copy, values, sizeof copy);
    copy[0] = seam_v_int(999999);
    ASSERT_OK(columnar_upsert(w, table, copy, lsn, NULL, &f), &f);
    ASSERT_OK(columnar_publish(w, lsn, 1, &f), &f);
    columnar_close_writer(w);
}

static void test_each_kind_of_damage_is_named_and_mended(void)
{
    struct platform p;
    struct reconcile_report r;
    const struct reconcile_difference *d;

    start("damage", &p, (uint64_t)test_scale(300));
    assert_clean(&p);
    (void)change_product(&p, 104, 5,
                         false); /* so that silver's own LSN may move on below the source's */
    damage_silver(&p);
    ck_assert_uint_eq(reconcile(&p, &r), 3);
    d = difference(&r, "warehouse", "101");
    ck_assert_msg(d != NULL && d->verdict == VERDICT_MISSING && d->store == NULL &&
                      d->source_lsn > 0,
                  "101 is missing");
    d = difference(&r, "warehouse", "102");
    ck_assert_msg(d != NULL && d->verdict == VERDICT_CORRUPT && strstr(d->store, "-77") != NULL,
                  "102 is corrupt");
    d = difference(&r, "warehouse", "999999");
    ck_assert_msg(d != NULL && d->verdict == VERDICT_EXTRA && d->source == NULL, "999999 is extra");
    repair_and_check(&p, &r);
    platform_close(&p);
}

static void test_lost_deletes_are_found_in_each_store(void)
{
    static const char *const stores[] = {"warehouse", "search", "vectors", "view"};
    struct platform p;
    struct reconcile_report r;

    start("deletes", &p, 0);
    setenv("SEAM_FAULT",
           "warehouse:drop-deletes,search:drop-deletes,vectors:drop-deletes,view:drop-deletes", 1);
    (void)change_product(&p, 101, 0, true);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    unsetenv("SEAM_FAULT");
    ck_assert_uint_eq(reconcile(&p, &r), SEAM_ARRAY_LEN(stores));
    for (size_t i = 0; i < SEAM_ARRAY_LEN(stores); i++) {
        const struct reconcile_difference *d = difference(&r, stores[i], "101");

        ck_assert_msg(d != NULL && d->verdict == VERDICT_EXTRA, "%s still has product 101",
                      stores[i]);
    }
    repair_and_check(&p, &r);
    platform_close(&p);
}

static void test_lost_updates_are_stale(void)
{
    struct platform p;
    struct reconcile_report r;
    const struct reconcile_difference *d;

    start("updates", &p, 0);
    setenv("SEAM_FAULT", "warehouse:drop-updates", 1);
    for (int64_t i = 0; i < 10; i++)
        (void)change_product(&p, 101 + i, 1234, false); /* the tenth is lost */
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    unsetenv("SEAM_FAULT");
    ck_assert_uint_eq(reconcile(&p, &r), 1);
    d = difference(&r, "warehouse", "110");
    ck_assert_msg(d != NULL && d->verdict == VERDICT_STALE && d->store_lsn < d->source_lsn,
                  "110 is stale");
    repair_and_check(&p, &r);
    platform_close(&p);
}

/* Ten products get another text in one column; the tenth change is lost on the way into both. */
static void lose_text(const struct platform *p, const char *column, const char *faults)
{
    setenv("SEAM_FAULT", faults, 1);
    for (int64_t i = 0; i < 10; i++)
        (void)change_text(p, 101 + i, column, "a quite different velocipede");
    shop_catch_up(p, sinks, SEAM_ARRAY_LEN(sinks));
    unsetenv("SEAM_FAULT");
}

static void assert_stale(const struct reconcile_report *r, const char *store)
{
    const struct reconcile_difference *d = difference(r, store, "110");

    ck_assert_msg(d != NULL, "%s: 110 differs", store);
    ck_assert_int_eq(d->verdict, VERDICT_STALE);
    ck_assert_uint_lt(d->store_lsn, d->source_lsn);
    ck_assert_ptr_nonnull(strstr(d->source, "velocipede"));
    ck_assert_ptr_nonnull(d->store);
}

static void test_lost_changes_of_words_alone_are_found_and_mended(void)
{
    struct platform p;
    struct reconcile_report r;

    start("words", &p, 0);
    lose_text(&p, "description", "search:drop-updates,vectors:drop-updates");
    ck_assert_uint_eq(reconcile(&p, &r), 2);
    assert_stale(&r, "search");
    assert_stale(&r, "vectors");
    ck_assert_ptr_nonnull(strstr(difference(&r, "search", "110")->source, "\"_words\":\""));
    ck_assert_ptr_nonnull(strstr(difference(&r, "search", "110")->store, "\"_words\":\""));
    repair_and_check(&p, &r);
    lose_text(&p, "category", "search:drop-updates"); /* a keyword attribute, no words */
    ck_assert_uint_eq(reconcile(&p, &r), 1);
    assert_stale(&r, "search");
    ck_assert_ptr_null(strstr(difference(&r, "search", "110")->store, "velocipede"));
    repair_and_check(&p, &r);
    platform_close(&p);
}

/* A delivery that repeats changes nothing; one that skips is refused, and nothing is lost by starting again. */
static void test_delivery_faults_are_noticed_by_the_runner(void)
{
    struct platform p;
    int code = 1;

    start("delivery", &p, 0);
    shop_fill(&p, (uint64_t)test_scale(1500), test_seed() + 1);
    setenv("SEAM_FAULT", "warehouse:duplicate,search:duplicate,vectors:duplicate,view:duplicate",
           1);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    unsetenv("SEAM_FAULT");
    assert_clean(&p);
    shop_assert_agreement(&p, (const char *const[]){"warehouse"}, 1);
    shop_fill(&p, 2000, test_seed() + 2); /* at every scale: one event in 5,000 is withheld */
    shop_catch_up(&p, NULL, 0);
    setenv("SEAM_FAULT", "warehouse:withhold", 1);
    code = part_wait(part_start(&p, "warehouse", true));
    unsetenv("SEAM_FAULT");
    ck_assert_int_eq(code, 1); /* refused */
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(&p);
    shop_assert_agreement(&p, (const char *const[]){"warehouse"}, 1);
    platform_close(&p);
}

static enum seam_status retry_letter(void *ctx, const struct sink_dead_letter *d,
                                     struct seam_fault *f)
{
    ck_assert_ptr_nonnull(strstr(d->reason, "poisoned"));
    return reconcile_emit(ctx, d->event.row.table, d->event.row.key, f);
}

static void test_poison_is_set_aside_and_retried(void)
{
    struct platform p;
    struct reconcile_report r;
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct sink_dead_counts counts;
    struct seam_fault f = {0};

    unsetenv("SEAM_FAULT");
    shop_create("poison", &p);
    shop_fill(&p, 0, test_seed());
    setenv("SEAM_FAULT", "search:poison", 1);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    unsetenv("SEAM_FAULT");
    ASSERT_OK(sink_dead_letter_count(&p, "search", &counts, &f), &f);
    ck_assert_uint_eq(counts.open, 4); /* of 446 products */
    ck_assert_uint_eq(reconcile(&p, &r), 4);
    reconcile_free(&r);
    ASSERT_OK(platform_open_source(&p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(sink_dead_letters(&p, "search", true, retry_letter, t, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(&p);
    platform_close(&p);
}

static void append(struct wal *w, uint8_t type, struct seam_buf *b, seam_lsn_t *end)
{
    struct wal_span at;
    struct seam_fault f = {0};

    ASSERT_OK(wal_append(w, type, &(struct seam_io_slice){b->data, b->size}, 1, &at, &f), &f);
    if (end != NULL) *end = at.end;
    seam_buf_clear(b);
}

/* As an older writer let it pass: an event whose type is longer than any reader takes. */
static void log_unreadable_event(const struct platform *p)
{
    struct platform_source s = {0};
    struct seam_buf b = {0}, payload = {0};
    struct wal_change_outbox o = {.txn = UINT32_MAX,
                                  .topic = {(const uint8_t *)"order", 5},
                                  .key = {(const uint8_t *)"1", 1}};
    char type[OLTP_EVENT_TYPE_MAX + 1];
    struct seam_fault f = {0};
    seam_lsn_t end = 0;

    memset(type, 'e', sizeof type);
    seam_buf_lenstr(&payload, type, sizeof type);
    seam_buf_str(&payload, "{}");
    o.payload = (struct wal_bytes){payload.data, payload.size};
    ASSERT_OK(platform_open_source(p, &s, &f), &f);
    wal_change_put_begin(&b, &(struct wal_change_begin){o.txn});
    append(s.wal, WAL_CHANGE_BEGIN, &b, NULL);
    wal_change_put_outbox(&b, &o);
    append(s.wal, WAL_CHANGE_OUTBOX, &b, NULL);
    wal_change_put_commit(&b,
                          &(struct wal_change_commit){.txn = o.txn, .wall_us = 1, .changes = 1});
    append(s.wal, WAL_CHANGE_COMMIT, &b, &end);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    seam_buf_free(&payload);
    seam_buf_free(&b);
}

/* It is set aside by whoever listens to such events, and everything behind it arrives. */
static void test_an_event_that_cannot_be_read_stops_no_sink(void)
{
    struct platform p;
    struct sink_dead_counts counts;
    struct seam_fault f = {0};

    start("unreadable", &p, 20);
    log_unreadable_event(&p);
    (void)change_product(&p, 101, 77, false);
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(&p);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) {
        ASSERT_OK(sink_dead_letter_count(&p, sinks[i], &counts, &f), &f);
        ck_assert_uint_eq(counts.open, sink_find(sinks[i])->outbox != NULL);
    }
    platform_close(&p);
}

/* Labels are all that wall time is: a clock that steps back loses, repeats and reorders nothing.     */
static void test_a_clock_that_steps_back_changes_no_row(void)
{
    struct platform p;
    struct seam_clock_sim sim;

    unsetenv("SEAM_FAULT");
    shop_create("clock", &p);
    seam_clock_sim_init(&sim, 1700000000000000);
    sim.tick_us = 5;
    p.clock = &sim.clock;
    shop_fill(&p, 100, test_seed());
    sim.wall_us -= 3600000000ll;
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    shop_fill(&p, 200, test_seed() + 1);
    sim.wall_us -= 86400000000ll;
    shop_catch_up(&p, sinks, SEAM_ARRAY_LEN(sinks));
    assert_clean(&p);
    shop_assert_agreement(&p, (const char *const[]){"warehouse"}, 1);
    platform_close(&p);
}

/* Something waits in the log and nobody brings it: the first seam behind is named, and only when it is late. */
static void test_freshness_names_the_first_seam_behind(void)
{
    struct platform p;
    struct contracts set;
    struct freshness list[CONTRACTS_MAX];
    struct seam_arena a = {0};
    struct seam_fault f = {0};
    struct seam_clock_sim sim;
    size_t n;

    start("fresh", &p, 0);
    ASSERT_OK(contracts_load(&a, &set, &f), &f);
    seam_clock_sim_init(&sim, seam_clock_wall_us(p.clock));
    p.clock = &sim.clock;
    seam_clock_sim_advance(&sim, 3600000000ll); /* a quiet hour is no delay */
    ASSERT_OK(freshness_measure(&p, &set, list, &n, &f), &f);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(list[i].verdict != FRESH_FAIL || strcmp(list[i].contract->to, "gold") == 0,
                      "%s", list[i].contract->name);
    p.clock = seam_clock_real();
    (void)change_product(&p, 101, 9, false);
    sim.wall_us = seam_clock_wall_us(seam_clock_real());
    p.clock = &sim.clock;
    ASSERT_OK(freshness_measure(&p, &set, list, &n, &f), &f);
    ck_assert_str_eq(list[0].contract->name, "source-stream");
    ck_assert_int_eq(list[0].verdict, FRESH_OK); /* waiting, not yet late */
    ck_assert_int_eq(list[0].state, FRESH_STALLED);
    ck_assert_uint_ge(list[0].lag_events, 1);
    seam_clock_sim_advance(&sim, 11000000);
    ASSERT_OK(freshness_measure(&p, &set, list, &n, &f), &f);
    ck_assert_int_eq(list[0].verdict, FRESH_FAIL);
    ck_assert_int_ge(list[0].lag_us, 10000000);
    ck_assert_int_ne(list[1].verdict, FRESH_FAIL); /* bronze has all that the stream has */
    seam_arena_free(&a);
    platform_close(&p);
}

/* A clock that stepped back makes what waits in the log look young: the relay's silence tells all the same. */
static void test_freshness_under_a_clock_that_stepped_back(void)
{
    struct platform p;
    struct contracts set;
    struct freshness list[CONTRACTS_MAX];
    struct relay *relay = NULL;
    struct seam_arena a = {0};
    struct seam_fault f = {0};
    struct seam_clock_sim sim;
    size_t n;

    start("stepped", &p, 0);
    ASSERT_OK(contracts_load(&a, &set, &f), &f);
    seam_clock_sim_init(&sim, seam_clock_wall_us(seam_clock_real()));
    p.clock = &sim.clock;
    sim.wall_us -= 3600000000ll;
    ASSERT_OK(relay_open(&p, NULL, &relay, &f), &f);
    seam_clock_sim_advance(&sim, 2000000);
    ASSERT_OK(relay_step(relay, &f), &f); /* its heartbeat bears the old hour */
    p.clock = seam_clock_real();
    (void)change_product(&p, 101, 9, false);
    p.clock = &sim.clock;
    ASSERT_OK(freshness_measure(&p, &set, list, &n, &f), &f);
    ck_assert_int_eq(list[0].state, FRESH_BEHIND);
    ck_assert_int_eq(list[0].verdict, FRESH_OK);
    seam_clock_sim_advance(&sim, 11000000); /* and the relay does nothing */
    ASSERT_OK(freshness_measure(&p, &set, list, &n, &f), &f);
    ck_assert_int_eq(list[0].verdict, FRESH_FAIL);
    ck_assert_int_ge(list[0].lag_us, 10000000);
    ASSERT_OK(relay_close(relay, &f), &f);
    seam_arena_free(&a);
    platform_close(&p);
}

/* Killed between its publication and saying so, a sink says it at its next start, also when nothing is left to do. */
static void test_a_sink_tells_where_it_stands_when_it_starts(void)
{
    struct platform p;
    struct stream_consumers *page = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    struct sink *s = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    seam_lsn_t applied;
    int slot;

    start("says", &p, 20);
    ASSERT_OK(platform_path(&p, "stream", dir, &f), &f);
    ASSERT_OK(stream_consumers_open(p.io, dir, &page, &f), &f);
    ASSERT_OK(stream_consumer_join(page, "search", &slot, &f), &f);
    stream_consumer_confirm(page, slot,
                            &(struct stream_event){.lsn = 100, .position = 64, .wall_us = 7}, 1);
    ASSERT_OK(sink_open(&p, "search", NULL, &s, &f), &f);
    applied = s->ops->applied(s);
    ASSERT_OK(sink_run(s, &(struct sink_run_options){.until_lsn = applied}, NULL, &f), &f);
    sink_close(s);
    for (size_t i = 0, n = stream_consumers_list(page, list); i < n; i++)
        if (strcmp(list[i].name, "search") == 0) {
            ck_assert_uint_eq(list[i].lsn, applied);
            ck_assert_uint_eq(list[i].position, 64); /* it holds back what it held */
        }
    stream_consumers_close(page);
    platform_close(&p);
}

static const struct named_test tests[] = {
    T(test_each_kind_of_damage_is_named_and_mended),
    T(test_lost_deletes_are_found_in_each_store),
    T(test_lost_updates_are_stale),
    T(test_lost_changes_of_words_alone_are_found_and_mended),
    T(test_delivery_faults_are_noticed_by_the_runner),
    T(test_poison_is_set_aside_and_retried),
    T(test_an_event_that_cannot_be_read_stops_no_sink),
    T(test_a_clock_that_steps_back_changes_no_row),
    T(test_freshness_names_the_first_seam_behind),
    T(test_freshness_under_a_clock_that_stepped_back),
    T(test_a_sink_tells_where_it_stands_when_it_starts),
};

int main(int argc, char **argv)
{
    return run_tests("seams", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
