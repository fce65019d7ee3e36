/* Goal:   a reconciliation from kept digests says what a full one says, and when it cannot, it is a full one.
 * Method: generated shops through many small steps, compacted now and then, compared from kept digests and in full; losses in
 *         each way a sink loses; silver changed by hand; the kept file damaged; silver made again; shapes changed.   */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "oltp/oltp.h"
#include "pipeline/trust/reconcile.h"
#include "tests/pipeline/agreement.h"

static const char *const sinks[] = {"warehouse"};

struct seen {
    uint64_t differences;
    seam_lsn_t since; /* of the warehouse's first table */
    uint64_t changes;
    struct seam_digest store[8];
    size_t tables;
};

static struct seen look(const struct platform *p, bool full)
{
    const struct reconcile_options o = {.full = full, .keep_rows = 1};
    struct reconcile_report r;
    struct seen s = {.tables = 0};
    struct seam_fault f = {0};

    ASSERT_OK(reconcile_run(p, &o, &r, &f), &f);
    for (size_t i = 0; i < r.count; i++) {
        const struct reconcile_result *x = &r.results[i];

        if (strcmp(x->store, "warehouse") != 0) continue;
        ck_assert_ptr_null(x->note);
        s.differences += x->differences;
        s.since = x->since;
        s.changes = x->changes;
        s.store[s.tables++] = x->store_digest;
    }
    reconcile_free(&r);
    ck_assert_uint_eq(s.tables, 4);
    return s;
}

static void start(const char *name, struct platform *p)
{
    unsetenv("SEAM_FAULT");
    shop_create(name, p);
    shop_fill(p, (uint64_t)test_scale(150), test_seed());
    shop_catch_up(p, sinks, 1);
    ck_assert_uint_eq(look(p, false).since, SEAM_LSN_NONE); /* nothing kept yet */
}

static void assert_same(const struct seen *a, const struct seen *b)
{
    for (size_t i = 0; i < a->tables; i++) ck_assert(seam_digest_equal(&a->store[i], &b->store[i]));
}

static struct columnar_writer *open_silver(const struct platform *p, const char *table, int *number)
{
    struct columnar_writer *w = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(platform_sink_path(p, "warehouse", dir, &f), &f);
    ASSERT_OK(columnar_open_writer(p->io, dir, NULL, &w, &f), &f);
    *number = columnar_writer_table(w, table);
    return w;
}

static void compact(const struct platform *p)
{
    struct columnar_maintenance done = {0};
    struct seam_fault f = {0};
    int table;
    struct columnar_writer *w = open_silver(p, "silver_orders", &table);

    ASSERT_OK(columnar_compact(w, &done, &f), &f);
    columnar_close_writer(w);
}

static void test_kept_digests_follow_every_change_and_agree_with_a_full_reading(void)
{
    struct platform p;
    struct seen kept, full;
    seam_lsn_t last = SEAM_LSN_NONE;

    start("follow", &p);
    for (uint64_t round = 1; round <= 9; round++) {
        shop_fill(&p, 5 + round, test_seed() + round);
        shop_catch_up(&p, sinks, 1);
        if (round % 4 == 0) compact(&p);
        kept = look(&p, false);
        ck_assert_uint_eq(kept.differences, 0);
        ck_assert_uint_gt(kept.since,
                          last); /* from one kept state to the next, not from the first */
        ck_assert_uint_gt(kept.changes, 0);
        last = kept.since;
        if (round % 3 != 0) continue;
        full = look(&p, true);
        ck_assert_uint_eq(full.since, SEAM_LSN_NONE);
        ck_assert_uint_eq(full.differences, 0);
        assert_same(&kept, &full);
    }
    kept = look(&p, false); /* nothing happened: nothing is read */
    ck_assert_uint_eq(kept.changes, 0);
    platform_close(&p);
}

/* The sink loses something: the digests part, everything is read, and nothing is kept until it is mended. */
static void lose(const char *name, const char *fault)
{
    struct platform p;
    struct seen s;

    start(name, &p);
    (void)look(&p, false);
    setenv("SEAM_FAULT", fault, 1);
    shop_fill(&p, 200, test_seed() + 1);
    shop_catch_up(&p, sinks, 1);
    unsetenv("SEAM_FAULT");
    s = look(&p, false);
    ck_assert_uint_gt(s.differences, 0);
    ck_assert_uint_eq(s.since, SEAM_LSN_NONE);
    ck_assert_uint_eq(look(&p, false).differences, s.differences);
    ck_assert_uint_eq(look(&p, true).differences, s.differences);
    platform_close(&p);
}

static void test_lost_updates_part_the_digests(void)
{
    lose("updates", "warehouse:drop-updates");
}

static void test_a_lost_delete_is_found_and_once_mended_kept_again(void)
{
    struct reconcile_report r;
    const struct reconcile_options o = {.keep_rows = 1};
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct platform p;
    struct seam_fault f = {0};
    struct seam_value key = seam_v_int(101);
    uint32_t table;
    uint64_t rows;
    seam_lsn_t lsn;

    start("delete", &p);
    ASSERT_OK(platform_open_source(&p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    ASSERT_OK(oltp_delete(t, table, &key, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    setenv("SEAM_FAULT", "warehouse:drop-deletes", 1);
    shop_catch_up(&p, sinks, 1);
    unsetenv("SEAM_FAULT");
    ASSERT_OK(reconcile_run(&p, &o, &r, &f), &f);
    ck_assert_uint_eq(r.results[0].differences, 1);
    ASSERT_OK(reconcile_repair(&p, &r, &rows, &lsn, &f), &f);
    reconcile_free(&r);
    shop_catch_up(&p, sinks, 1);
    ck_assert_uint_eq(look(&p, false).differences, 0);
    shop_fill(&p, 3, test_seed() + 1); /* repairs in the log are followed, too */
    shop_catch_up(&p, sinks, 1);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    platform_close(&p);
}

static void test_a_repair_of_an_equal_row_changes_no_digest(void)
{
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct seam_buf key = {0};
    struct platform p;
    struct seam_fault f = {0};
    struct seam_value id = seam_v_int(102);
    struct seen seen;
    uint32_t table;

    start("equal", &p);
    ASSERT_OK(platform_open_source(&p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    ASSERT_OK(oltp_get(t, table, &id, &row, &f), &f);
    seam_buf_append(&key, row.key.data, row.key.size);
    ASSERT_OK(reconcile_emit(t, table, (struct wal_bytes){key.data, key.size}, &f), &f);
    key.data[key.size - 1] ^= 0x40; /* and the absence of what is absent */
    ASSERT_OK(reconcile_emit(t, table, (struct wal_bytes){key.data, key.size}, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    seam_buf_free(&key);
    shop_catch_up(&p, sinks, 1);
    seen = look(&p, false);
    ck_assert_uint_gt(seen.since, SEAM_LSN_NONE);
    ck_assert_uint_eq(seen.differences, 0);
    platform_close(&p);
}

/* Behind its sink's back: whatever gets a version of its own is seen. */
static void test_rows_changed_by_hand_part_the_digests(void)
{
    struct columnar_writer *w;
    struct seam_value row[SEAM_COLUMNS_MAX], key = seam_v_int(103);
    struct platform p;
    struct seam_fault f = {0};
    seam_lsn_t lsn;
    int table;

    start("hand", &p);
    (void)look(&p, false);
    shop_fill(&p, 1, test_seed() + 1); /* so that silver's own LSN may move on below the source's */
    w = open_silver(&p, "silver_products", &table);
    lsn = columnar_writer_applied(w) + 1;
    ASSERT_OK(columnar_writer_get(w, table, &key, row, &f), &f);
    row[seam_schema_column(columnar_writer_schema(w, table), "stock")] = seam_v_int(-5);
    ASSERT_OK(columnar_upsert(w, table, row, lsn, NULL, &f), &f);
    ASSERT_OK(columnar_publish(w, lsn, 1, &f), &f);
    columnar_close_writer(w);
    ck_assert_uint_eq(look(&p, false).differences, 1);
    platform_close(&p);
}

/* ---- doubts ---- */
static void test_a_silver_that_was_made_again_is_read_in_full(void)
{
    struct platform p;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    start("again", &p);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    ASSERT_OK(platform_sink_path(&p, "warehouse", dir, &f), &f);
    ASSERT_OK(seam_io_remove_tree(p.io, dir, &f), &f);
    shop_fill(&p, 1, test_seed() + 1); /* its publications end elsewhere */
    shop_catch_up(&p, sinks, 1);
    ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    ASSERT_OK(reconcile_forget(&p, "warehouse", &f), &f); /* what a rebuild does */
    ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    platform_close(&p);
}

static void test_a_changed_shape_or_a_day_asks_for_a_full_reading(void)
{
    const struct seam_column extra = {.name = "note", .type = SEAM_V_TEXT, .nullable = true};
    struct platform_source s = {0};
    struct oltp_txn *t = NULL;
    struct seam_clock_sim later;
    struct platform p;
    struct seam_fault f = {0};
    uint32_t table;

    start("shape", &p);
    ASSERT_OK(platform_open_source(&p, &s, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "products", &table, &f), &f);
    ASSERT_OK(oltp_add_column(t, table, &extra, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(platform_close_source(&s, SEAM_OK, &f), &f);
    shop_catch_up(&p, sinks, 1);
    ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    seam_clock_sim_init(&later, seam_clock_wall_us(seam_clock_real()) + INT64_C(100000000000));
    p.clock = &later.clock;
    ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    p.clock = seam_clock_real(); /* and back: a last full reading in the future is none */
    ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    platform_close(&p);
}

/* Following them all would cost more than reading what is there. */
static void test_after_more_changes_than_rows_everything_is_read(void)
{
    struct platform p;
    struct seen s;

    start("many", &p);
    shop_fill(&p, 3000, test_seed() + 1);
    shop_catch_up(&p, sinks, 1);
    s = look(&p, false);
    ck_assert_uint_eq(s.since, SEAM_LSN_NONE);
    ck_assert_uint_eq(s.differences, 0);
    ck_assert_uint_gt(look(&p, false).since, SEAM_LSN_NONE);
    platform_close(&p);
}

static void test_a_damaged_file_is_never_believed(void)
{
    struct platform p;
    struct seam_buf b = {0};
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    start("bytes", &p);
    ASSERT_OK(platform_path(&p, "reconcile/warehouse.kept", path, &f), &f);
    ASSERT_OK(seam_io_read_all(p.io, path, 1 << 20, &b, &f), &f);
    for (size_t at = 0; at < b.size; at += at < 80 ? 1 : 37) {
        b.data[at] ^= 0x10;
        ASSERT_OK(seam_io_write_atomic(p.io, path, b.data, b.size, &f), &f);
        ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
        b.data[at] ^= 0x10;
        ASSERT_OK(seam_io_write_atomic(p.io, path, b.data, b.size - at % 100 - 1, &f), &f);
        ck_assert_uint_eq(look(&p, false).since, SEAM_LSN_NONE);
    }
    seam_buf_free(&b);
    platform_close(&p);
}

static const struct named_test tests[] = {
    T(test_kept_digests_follow_every_change_and_agree_with_a_full_reading),
    T(test_lost_updates_part_the_digests),
    T(test_a_lost_delete_is_found_and_once_mended_kept_again),
    T(test_a_repair_of_an_equal_row_changes_no_digest),
    T(test_rows_changed_by_hand_part_the_digests),
    T(test_a_silver_that_was_made_again_is_read_in_full),
    T(test_a_changed_shape_or_a_day_asks_for_a_full_reading),
    T(test_after_more_changes_than_rows_everything_is_read),
    T(test_a_damaged_file_is_never_believed),
};

int main(int argc, char **argv)
{
    return run_tests("kept digests", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
