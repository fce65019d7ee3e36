/* Goal:   commit times never step back, and one wrong reading of the clock spoils neither AS OF TIME nor retention.
 * Method: a simulated clock that is set back, shows 2099 once, for an hour, or at an opening, and is mended; the times in the
 *         commits, the states AS OF TIME, and the checkpoints kept are compared with what a right clock gives. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

#define MINUTE_US ((int64_t)60 * 1000000)
#define DAY_US    (24 * 60 * MINUTE_US)
#define NOW_US    1796083200000000ll /* 2026-12-01 */
#define WRONG_US  4070908800000000ll /* 2099 */

static const char table_json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{"
                                 "\"name\":\"k\",\"type\":\"int64\"},"
                                 "{\"name\":\"v\",\"type\":\"text\"}]}";

struct shop {
    struct seam_io_sim *sim;
    struct seam_io *io;
    struct seam_clock_sim clock;
    struct oltp *db;
    uint32_t table;
    int rows;
};

static void shop_open(struct shop *s)
{
    struct oltp_options o = {.clock = &s->clock.clock,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .checkpoint_log_bytes = UINT64_MAX,
                             .retain_us = 60 * MINUTE_US};
    struct seam_fault f = {0};

    s->db = NULL;
    ASSERT_OK(oltp_open(s->io, "oltp", &o, &s->db, &f), &f);
}

static struct oltp_commit put(struct shop *s)
{
    struct oltp_txn *t = NULL;
    struct oltp_commit c;
    struct seam_value v[2] = {seam_v_int(s->rows++), seam_v_text("some words", 10)};
    struct seam_fault f = {0};

    ASSERT_OK(oltp_write_begin(s->db, &t, &f), &f);
    ASSERT_OK(oltp_put(t, s->table, v, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &c, &f), &f);
    return c;
}

static void shop_make(struct shop *s)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    *s = (struct shop){.sim = seam_io_sim_new(test_seed())};
    s->io = seam_io_sim_io(s->sim);
    seam_clock_sim_init(&s->clock, NOW_US);
    shop_open(s);
    ASSERT_OK(oltp_write_begin(s->db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, sizeof table_json - 1, &s->table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
}

static void shop_end(struct shop *s)
{
    ASSERT_OK(oltp_close(s->db, NULL), NULL);
    seam_io_sim_free(s->sim);
}

/* Rows AS OF a time; -1: refused. */
static int rows_at(struct shop *s, int64_t wall_us)
{
    struct oltp_options o = {.read_only = true, .as_of_us = wall_us, .cache_bytes = OLTP_CACHE_MIN};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    int rows;

    if (oltp_open(s->io, "oltp", &o, &db, &f) != SEAM_OK) return -1;
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    rows = (int)oltp_count(t, s->table, 0);
    oltp_end(t);
    ASSERT_OK(oltp_close(db, &f), &f);
    return rows;
}

/* The last commit's off_us, from the log. */
static int64_t last_off(struct shop *s)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_change_commit c = {0};
    struct seam_fault f = {0};

    ASSERT_OK(wal_reader_open(s->io, "wal", SEAM_LSN_NONE, 0, &r, &f), &f);
    while (wal_reader_next(r, &rec, &f) == SEAM_OK)
        if (rec.type == WAL_CHANGE_COMMIT)
            ASSERT_OK(wal_change_get_commit(rec.data, rec.size, &c, &f), &f);
    wal_reader_close(r);
    return c.off_us;
}

static void test_commit_times_never_step_back(void)
{
    struct shop s;
    struct seam_rng r;
    int64_t last = 0;

    shop_make(&s);
    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < 300; i++) {
        struct oltp_commit c;
        int64_t step = seam_rng_range(&r, -30 * MINUTE_US, 30 * MINUTE_US);

        s.clock.wall_us += step; /* the wall clock alone: somebody sets it */
        seam_clock_sim_advance(&s.clock, 1000);
        if (i % 50 == 49) {
            ASSERT_OK(oltp_close(s.db, NULL), NULL);
            shop_open(&s);
        }
        c = put(&s);
        ck_assert_msg(c.wall_us >= last, "commit %d: %lld after %lld", i, (long long)c.wall_us,
                      (long long)last);
        ck_assert_int_le(c.wall_us + last_off(&s), s.clock.wall_us);
        if (c.wall_us > last) ck_assert_int_eq(last_off(&s), 0);
        last = c.wall_us;
    }
    shop_end(&s);
}

/* The case of the clock that shows 2099 at one commit of 400: times, AS OF and retention are as without it. */
static void test_one_wrong_reading_spoils_nothing(void)
{
    struct shop s;
    struct oltp_checkpoint_info *kept = NULL;
    struct seam_fault f = {0};
    size_t n = 0;
    int64_t asked = 0;

    shop_make(&s);
    for (int k = 0; k < 400; k++) {
        struct oltp_commit c;

        seam_clock_sim_advance(&s.clock, MINUTE_US);
        if (k == 50) {
            int64_t right = s.clock.wall_us;

            s.clock.wall_us = WRONG_US;
            c = put(&s);
            ck_assert_int_ge(last_off(&s), WRONG_US - NOW_US - DAY_US); /* what it read is kept */
            s.clock.wall_us = right;
        } else {
            c = put(&s);
            ck_assert_int_eq(last_off(&s), 0);
        }
        ck_assert_int_le(llabs(c.wall_us - s.clock.wall_us), MINUTE_US);
        if (k % 2 == 0) ASSERT_OK(oltp_checkpoint(s.db, &f), &f);
        if (k == 370) asked = s.clock.wall_us;
    }
    ck_assert_int_eq(rows_at(&s, asked), 371);
    ASSERT_OK(oltp_checkpoints(s.io, "oltp", &kept, &n, &f), &f);
    ck_assert_uint_ge(n, 30); /* an hour's */
    ck_assert_uint_le(n, 32);
    free(kept);
    shop_end(&s);
}

/* A clock that was set right by a leap is believed when it stays there. */
static void test_a_leap_that_lasts_is_believed(void)
{
    struct shop s;
    int64_t leap = 400 * DAY_US;

    shop_make(&s);
    seam_clock_sim_advance(&s.clock, MINUTE_US);
    ck_assert_int_eq(s.clock.wall_us - put(&s).wall_us < MINUTE_US, 1);
    s.clock.wall_us += leap;
    for (int i = 0; i < 14; i++) {
        int64_t at = put(&s).wall_us;

        ck_assert_msg(s.clock.wall_us - at > leap - MINUTE_US, "minute %d: believed already", i);
        seam_clock_sim_advance(&s.clock, MINUTE_US);
    }
    seam_clock_sim_advance(&s.clock, 2 * MINUTE_US);
    ck_assert_int_lt(s.clock.wall_us - put(&s).wall_us, MINUTE_US);
    shop_end(&s);
}

/* At the first commit of a session there is nothing to measure by: years are believed, a lifetime is not. */
static void test_the_first_reading_of_a_session(void)
{
    struct shop s;
    int64_t before;

    shop_make(&s);
    before = put(&s).wall_us;
    ASSERT_OK(oltp_close(s.db, NULL), NULL);
    shop_open(&s);
    s.clock.wall_us = WRONG_US;
    ck_assert_int_lt(put(&s).wall_us, before + MINUTE_US);
    ASSERT_OK(oltp_close(s.db, NULL), NULL);
    shop_open(&s);
    s.clock.wall_us = NOW_US + 5 * 365 * DAY_US;
    ck_assert_int_ge(put(&s).wall_us, NOW_US + 5 * 365 * DAY_US);
    shop_end(&s);
}

/* A wrong time that was believed holds all that follow; mending lets them begin anew, and AS OF TIME and retention go by the
 * right times from there. */
static void test_a_believed_mistake_is_mended(void)
{
    struct shop s;
    struct oltp_checkpoint_info *kept = NULL;
    struct oltp_commit c;
    struct seam_fault f = {0};
    int64_t mended, later;
    size_t n = 0;

    shop_make(&s);
    (void)put(&s);
    s.clock.wall_us = WRONG_US;
    (void)put(&s);
    seam_clock_sim_advance(&s.clock, 20 * MINUTE_US);
    ck_assert_int_ge(put(&s).wall_us, WRONG_US);
    ASSERT_OK(oltp_checkpoint(s.db, &f), &f);
    s.clock.wall_us = NOW_US + DAY_US;
    ck_assert_int_ge(put(&s).wall_us, WRONG_US);
    ASSERT_OK(oltp_clock_mend(s.db, &c, &f), &f);
    ck_assert_int_lt(llabs(c.wall_us - s.clock.wall_us), MINUTE_US);
    ck_assert_uint_eq(c.changes, 0);
    mended = s.clock.wall_us;
    for (int i = 0; i < 3; i++) { /* also after another start, by recovery from the log */
        seam_clock_sim_advance(&s.clock, MINUTE_US);
        c = put(&s);
        ck_assert_int_lt(llabs(c.wall_us - s.clock.wall_us), MINUTE_US);
        if (i == 1) {
            ASSERT_OK(oltp_close(s.db, NULL), NULL);
            shop_open(&s);
        }
    }
    later = s.clock.wall_us;
    ck_assert_int_eq(rows_at(&s, mended), 4);
    ck_assert_int_eq(rows_at(&s, later), 7);
    for (int i = 0; i < 100; i++) {
        seam_clock_sim_advance(&s.clock, MINUTE_US);
        (void)put(&s);
        ASSERT_OK(oltp_checkpoint(s.db, &f), &f);
    }
    ASSERT_OK(oltp_checkpoints(s.io, "oltp", &kept, &n, &f), &f);
    ck_assert_uint_le(n, 62); /* those of 2099 are not young for ever */
    free(kept);
    shop_end(&s);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_commit_times_never_step_back),  T(test_one_wrong_reading_spoils_nothing),
        T(test_a_leap_that_lasts_is_believed), T(test_the_first_reading_of_a_session),
        T(test_a_believed_mistake_is_mended),
    };

    return run_tests("oltp clock", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
