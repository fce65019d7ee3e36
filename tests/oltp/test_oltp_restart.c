/* Goal:   what a row store that was opened again after a failed sync holds, and acknowledges then, outlives a power cut.
 * Method: tests/common/restart.h: the sync at or after call 1, 2, 3 ... fails (log, pages, meta page, names); the store is opened
 *         again in the same boot, commits go on, the power goes. Rows and verify. And what is durable covers what was read. */
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"
#include "tests/common/restart.h"

static const char shape[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":["
    "{\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"int64\"},"
    "{\"name\":\"pad\",\"type\":\"text\"}]}";

struct how {
    bool checkpoints; /* every second change is followed by one */
};

static enum seam_status open_store(struct seam_io *io, struct oltp **db, struct seam_fault *f)
{
    struct oltp_options o = {.cache_bytes = OLTP_CACHE_MIN, .checkpoint_log_bytes = UINT64_MAX};

    *db = NULL;
    return oltp_open(io, "d/oltp", &o, db, f);
}

static enum seam_status one_change(struct oltp *db, uint64_t n)
{
    struct oltp_txn *t = NULL;
    uint32_t table = 0;
    struct seam_value row[3] = {seam_v_int((int64_t)n), seam_v_int((int64_t)n * 3),
                                seam_v_text("", 0)};
    enum seam_status st = oltp_write_begin(db, &t, NULL);

    if (st != SEAM_OK) return st;
    if (oltp_table(t, "t", &table, NULL) != SEAM_OK)
        st = oltp_create_table_json(t, shape, sizeof shape - 1, &table, NULL);
    if (st == SEAM_OK) st = oltp_put(t, table, row, NULL);
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    return oltp_commit(t, OLTP_DURABLE, NULL, NULL);
}

static uint64_t write_rows(void *ctx, struct seam_io *io, uint64_t from, uint64_t count)
{
    const struct how *how = ctx;
    struct oltp *db;
    uint64_t n = from;
    enum seam_status st = open_store(io, &db, NULL);

    while (st == SEAM_OK && n < from + count) {
        st = one_change(db, n);
        if (st != SEAM_OK) break;
        n++;
        if (how->checkpoints && n % 2 == 0) st = oltp_checkpoint(db, NULL);
    }
    (void)oltp_close(db, NULL);
    return n;
}

static uint64_t held_rows(void *ctx, struct seam_io *io)
{
    struct oltp *db;
    struct oltp_txn *t = NULL;
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    uint32_t table = 0;
    uint64_t n = 0;

    (void)ctx;
    ASSERT_OK(open_store(io, &db, &f), &f);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    if (oltp_table(t, "t", &table, NULL) == SEAM_OK) {
        struct oltp_row row;
        struct seam_value key = seam_v_int(0);

        while (oltp_get(t, table, &key, &row, NULL) == SEAM_OK) key = seam_v_int((int64_t)++n);
        ck_assert_uint_eq(oltp_count(t, table, 0), n);
    }
    oltp_end(t);
    ASSERT_OK(oltp_close(db, &f), &f);
    ASSERT_OK(oltp_verify(io, "d/oltp", "d/wal", &check, &report, (struct oltp_progress){0}, &f),
              &f);
    seam_buf_free(&report);
    return n;
}

static void test_oltp_restart_after_a_failed_sync_of_the_log(void)
{
    struct how how = {0};

    restart_everywhere(&(struct restart_store){"row store", &how, write_rows, held_rows}, 6);
}

static void test_oltp_restart_after_a_failed_sync_of_a_checkpoint(void)
{
    struct how how = {.checkpoints = true};

    restart_everywhere(
        &(struct restart_store){"row store with checkpoints", &how, write_rows, held_rows}, 6);
}

/* ---- durable is what was read, too ---- */

static uint32_t table_of_shape(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "t", &table, &f), &f);
    oltp_end(t);
    return table;
}

/* A commit that is visible and not synced yet. */
static seam_lsn_t change_deferred(struct oltp *db, uint32_t table, int64_t n)
{
    struct oltp_txn *t = NULL;
    struct oltp_commit c;
    struct seam_fault f = {0};
    struct seam_value row[3] = {seam_v_int(n), seam_v_int(n), seam_v_text("", 0)};

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_put(t, table, row, &f), &f);
    ASSERT_OK(oltp_commit_nowait(t, &c, &f), &f);
    ck_assert_uint_lt(wal_durable_lsn(oltp_wal(db)), c.lsn);
    return c.lsn;
}

/* Goal: a transaction that saw what is not synced yet, and commits as durable, returns when it is; one that begins in
 * the durable mode sees nothing else. Also when the sync fails. */
static void test_oltp_durable_covers_what_was_read(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct oltp *db;
    struct oltp_txn *t = NULL, *w = NULL;
    struct oltp_commit c;
    struct seam_fault f = {0};
    uint32_t table;
    seam_lsn_t lsn;

    ASSERT_OK(open_store(seam_io_sim_io(sim), &db, &f), &f);
    ck_assert_int_eq(one_change(db, 0), SEAM_OK);
    table = table_of_shape(db);
    lsn = change_deferred(db, table, 1);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ck_assert_uint_eq(oltp_txn_lsn(t), lsn);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &c, &f), &f);
    ck_assert_uint_eq(c.lsn, lsn);
    ck_assert_uint_ge(wal_durable_lsn(oltp_wal(db)), lsn);
    lsn = change_deferred(db, table, 2);
    ASSERT_OK(oltp_write_begin(db, &w, &f), &f); /* a writer that changes nothing */
    ASSERT_OK(oltp_commit(w, OLTP_DURABLE, &c, &f), &f);
    ck_assert_uint_ge(wal_durable_lsn(oltp_wal(db)), lsn);
    lsn = change_deferred(db, table, 3);
    t = NULL;
    ASSERT_OK(oltp_read_begin_durable(db, &t, &f), &f);
    ck_assert_uint_eq(oltp_txn_lsn(t), lsn);
    ck_assert_uint_ge(wal_durable_lsn(oltp_wal(db)), lsn);
    oltp_end(t);
    (void)change_deferred(db, table, 4);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    seam_io_sim_plant(sim, SEAM_SIM_SYNC_FAIL, 1, false);
    ASSERT_STATUS(oltp_commit(t, OLTP_DURABLE, &c, NULL), SEAM_IO);
    t = NULL;
    ASSERT_STATUS(oltp_read_begin_durable(db, &t, NULL), SEAM_IO);
    ck_assert_ptr_null(t);
    (void)oltp_close(db, NULL);
    seam_io_sim_free(sim);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_oltp_restart_after_a_failed_sync_of_the_log),
        T(test_oltp_restart_after_a_failed_sync_of_a_checkpoint),
        T(test_oltp_durable_covers_what_was_read),
    };

    return run_tests("oltp restart", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
