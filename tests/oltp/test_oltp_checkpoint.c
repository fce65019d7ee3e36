/* Goal:   a checkpoint that is made piece by piece is as good as one made at once: it never knows a commit that
 *         the log could lose, it takes no page from a reader that came meanwhile, and no commit pays for all of it.
 * Method: the simulated disk, power cut after every call of a script of deferred commits; a reader opened in the
 *         middle of a checkpoint; commits that arrive out of order. */
#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "oltp/db.h"
#include "tests/common/check_main.h"

enum { DISTANCE = 64 << 10, ROWS = 3000 };

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},{\"name\":\"v\",\"type\":\"text\"}]}";

static enum seam_status open_db(struct seam_io *io, struct oltp **db)
{
    struct oltp_options o = {
        .wal_dir = "d/wal", .checkpoint_log_bytes = DISTANCE, .retain_checkpoints = 1, .seed = 3};

    *db = NULL;
    return oltp_open(io, "d/oltp", &o, db, NULL);
}

/* Row k of table t, some 300 bytes that begin with `mark`. */
static enum seam_status put(struct oltp_txn *t, uint32_t table, int64_t k, char mark)
{
    char text[300];
    struct seam_value row[2] = {seam_v_int(k), seam_v_text(text, sizeof text)};

    memset(text, mark, sizeof text);
    return oltp_put(t, table, row, NULL);
}

static uint32_t make_table(struct oltp *db, char mark)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, sizeof table_json - 1, &table, &f), &f);
    for (int64_t k = 0; k < ROWS; k++) ASSERT_OK(put(t, table, k, mark), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    return table;
}

/* One row a commit, k = 0, 1, 2 ..., until `enough` says so. */
static void commits_until(struct oltp *db, uint32_t table, char mark,
                          bool (*enough)(const struct oltp *))
{
    for (int64_t k = 0; !enough(db); k++) {
        struct oltp_txn *t = NULL;

        ck_assert_int_lt(k, 100 * ROWS);
        ASSERT_OK(oltp_write_begin(db, &t, NULL), NULL);
        ASSERT_OK(put(t, table, k % ROWS, mark), NULL);
        ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, NULL), NULL);
    }
}

static bool in_progress(const struct oltp *db)
{
    return db->making != NULL;
}
static bool none_in_progress(const struct oltp *db)
{
    return db->making == NULL;
}

/* Deferred commits of events alone dirty no page: what they logged must be on the disk before a checkpoint says so. */
static bool events_then_power_cut(uint64_t nth)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp *db = NULL;
    struct oltp_check check;
    struct seam_fault f = {0};
    enum seam_status st;
    bool fired;

    seam_io_sim_plant(sim, SEAM_SIM_POWER_CUT, nth, false);
    st = open_db(io, &db);
    for (int i = 0; st == SEAM_OK && i < 400; i++) {
        static const uint8_t body[600] = "{}";
        struct oltp_txn *t = NULL;

        st = oltp_write_begin(db, &t, NULL);
        if (st == SEAM_OK)
            st = oltp_outbox_put(t, "order", (struct wal_bytes){body, 1}, "Said",
                                 (struct wal_bytes){body, sizeof body}, NULL);
        if (st == SEAM_OK)
            st = oltp_commit(t, OLTP_DEFERRED, NULL, NULL);
        else
            oltp_end(t);
    }
    (void)oltp_close(db, NULL);
    fired = seam_io_sim_fired(sim);
    seam_io_sim_clear(sim);
    seam_io_sim_reboot(sim);
    db = NULL;
    st = open_db(io, &db);
    ck_assert_msg(st == SEAM_OK, "power cut at call %llu: reopening: %s", (unsigned long long)nth,
                  seam_status_name(st));
    st = oltp_verify(io, "d/oltp", "d/wal", &check, NULL, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "power cut at call %llu: verify: %s", (unsigned long long)nth,
                  f.why);
    (void)oltp_close(db, NULL);
    seam_io_sim_free(sim);
    return fired;
}

static void test_events_alone_reach_the_log_before_a_checkpoint_names_them(void)
{
    uint64_t nth = 1;

    while (events_then_power_cut(nth)) nth++;
    ck_assert_uint_gt(nth, 20);
}

/* The checkpoint that is given up by the one in progress is still on the list: who opens it keeps it. */
static void test_a_reader_that_came_during_a_checkpoint_keeps_its_pages(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp *db = NULL, *reader = NULL;
    struct oltp_options as_of = {.wal_dir = "d/wal", .read_only = true};
    struct oltp_checkpoint_info *list = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    uint32_t table;
    size_t n = 0, seen = 0;
    enum seam_status st;

    ASSERT_OK(open_db(io, &db), NULL);
    table = make_table(db, 'a');
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    commits_until(db, table, 'b', in_progress);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    commits_until(db, table, 'c', in_progress);
    ASSERT_OK(oltp_checkpoints(io, "d/oltp", &list, &n, &f), &f);
    as_of.as_of = list[0].lsn;
    free(list);
    ASSERT_OK(oltp_open(io, "d/oltp", &as_of, &reader, &f), &f);
    commits_until(db, table, 'd', none_in_progress);
    ASSERT_OK(oltp_close(db, &f),
              &f); /* what the writer remembers of the pin is gone; the pin is not */
    ASSERT_OK(open_db(io, &db), NULL);
    for (char mark = 'e'; mark < 'h'; mark++) {
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        for (int64_t k = 0; k < ROWS; k++) ASSERT_OK(put(t, table, k, mark), &f);
        ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
        ASSERT_OK(oltp_checkpoint(db, &f), &f);
    }
    ASSERT_OK(oltp_read_begin(reader, &t, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) seen++;
    ck_assert_msg(st == SEAM_END && seen == ROWS, "%zu rows, then %s: %s", seen,
                  seam_status_name(st), f.why);
    oltp_cursor_close(c);
    oltp_end(t);
    ASSERT_OK(oltp_close(reader, &f), &f);
    ASSERT_OK(oltp_close(db, &f), &f);
    seam_io_sim_free(sim);
}

/* How often a checkpoint has held a commit: its begin and its pieces. */
static uint64_t pieces_of(struct oltp *db)
{
    struct oltp_stats stats;

    oltp_stats(db, &stats);
    return stats.stall_ns.count;
}

/* Threads reach the checkpoint after their commits are durable, in any order: an older LSN owes nothing. */
static void test_a_commit_that_arrives_late_owes_no_piece(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    seam_lsn_t began, end;
    uint64_t before, pieces;
    uint32_t table;

    ASSERT_OK(open_db(seam_io_sim_io(sim), &db), NULL);
    table = make_table(db, 'a');
    commits_until(db, table, 'b', in_progress); /* the load alone passed the distance */
    began = wal_end_lsn(db->wal);
    end = began + DISTANCE / 8;
    before = pieces_of(db);
    oltp_checkpoint_pace(db, end);
    ck_assert_ptr_nonnull(db->making);
    pieces = pieces_of(db);
    ck_assert_uint_gt(pieces, before);
    oltp_checkpoint_pace(db, end - DISTANCE / 16);
    ck_assert_ptr_nonnull(db->making);
    ck_assert_uint_eq(pieces_of(db), pieces);
    ASSERT_OK(oltp_close(db, &f), &f);
    seam_io_sim_free(sim);
}

static const struct named_test tests[] = {
    T(test_events_alone_reach_the_log_before_a_checkpoint_names_them),
    T(test_a_reader_that_came_during_a_checkpoint_keeps_its_pages),
    T(test_a_commit_that_arrives_late_owes_no_piece)};

int main(int argc, char **argv)
{
    return run_tests("oltp checkpoint", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
