/* Goal:   real processes, real SIGKILL: what a killed writer acknowledged is there, a reader in another process sees whole
 *         states only and never goes back, and what the dead held is let go.
 * Method: a child commits numbered pairs and tells each durable one through a pipe; another child opens the same folder
 *         read-only and refreshes all the while; the parent kills the writer at a random moment, reopens, compares. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

static const char json[] =
    "{\"table\":\"pairs\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"pad\",\"type\":\"text\"}]}";
static char dir[700], wal[700];

static enum seam_status open_it(bool read_only, struct oltp **db)
{
    struct oltp_options o = {.wal_dir = wal,
                             .read_only = read_only,
                             .cache_bytes = 4 << 20,
                             .private_bytes = 64 << 20,
                             .checkpoint_log_bytes = 300 << 10,
                             .holder = "test reader"};

    return oltp_open(seam_io_posix(), dir, &o, db, NULL);
}

/* Commit i sets both rows of pair i % 50 to i. */
static void writer_child(int tell, int from)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t table = 0;
    static char pad[400];

    memset(pad, 'p', sizeof pad);
    if (open_it(false, &db) != SEAM_OK || oltp_write_begin(db, &t, NULL) != SEAM_OK) _exit(2);
    if (oltp_table(t, "pairs", &table, NULL) != SEAM_OK &&
        oltp_create_table_json(t, json, sizeof json - 1, &table, NULL) != SEAM_OK)
        _exit(3);
    if (oltp_commit(t, OLTP_DURABLE, NULL, NULL) != SEAM_OK) _exit(4);
    for (int i = from;; i++) {
        if (oltp_write_begin(db, &t, NULL) != SEAM_OK) _exit(5);
        for (int side = 0; side < 2; side++) {
            struct seam_value v[3] = {seam_v_int(i % 50 + side * 1000), seam_v_int(i),
                                      seam_v_text(pad, (size_t)(i % 400))};

            if (oltp_put(t, table, v, NULL) != SEAM_OK) _exit(6);
        }
        if (oltp_commit(t, OLTP_DURABLE, NULL, NULL) != SEAM_OK) _exit(7);
        if (write(tell, &i, sizeof i) != sizeof i) _exit(0);
    }
}

/* The newest number in a snapshot; -1 when a pair is torn. */
static int newest_of(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    uint32_t table = 0;
    int newest = 0;

    if (oltp_read_begin(db, &t, NULL) != SEAM_OK) return -1;
    if (oltp_table(t, "pairs", &table, NULL) == SEAM_OK) {
        for (int k = 0; k < 50 && newest >= 0; k++) {
            struct seam_value key[2] = {seam_v_int(k), seam_v_int(k + 1000)},
                              v[2] = {seam_v_int(0), seam_v_int(0)};

            for (int side = 0; side < 2; side++) {
                struct oltp_row row;

                if (oltp_get(t, table, &key[side], &row, NULL) == SEAM_OK &&
                    seam_row_get(oltp_schema(t, table), row.row.data, row.row.size, 1, &v[side],
                                 NULL) != SEAM_OK)
                    newest = -1;
            }
            if (v[0].i != v[1].i)
                newest = -1;
            else if (v[0].i > newest)
                newest = (int)v[0].i;
        }
    }
    oltp_end(t);
    return newest;
}

/* Refreshes and checks until it is killed; leaves with a code when something is wrong. */
static void reader_child(void)
{
    struct oltp *db = NULL;
    int before = 0;

    while (open_it(true, &db) != SEAM_OK) usleep(1000); /* the writer is just making it */
    for (;;) {
        int now = newest_of(db);

        if (now < before) _exit(10); /* torn, or back in time */
        before = now;
        if (oltp_refresh(db, SEAM_LSN_MAX, NULL) != SEAM_OK) _exit(11);
    }
}

static void test_killed_writers_lose_nothing_acknowledged(void)
{
    struct seam_rng r;
    int acked = 0;

    seam_rng_seed(&r, test_seed());
    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    for (int round = 0; round < test_scale(6); round++) {
        int tell[2], i, status;
        pid_t pid;
        struct oltp *db = NULL;
        struct oltp_check check;
        struct seam_fault f = {0};
        uint64_t until;

        ck_assert_int_eq(pipe(tell), 0);
        pid = fork();
        if (pid == 0) writer_child(tell[1], acked + 1);
        close(tell[1]);
        until = 20 + seam_rng_below(&r, 200); /* acknowledgements, then the axe at any moment */
        while (until-- > 0 && read(tell[0], &i, sizeof i) == sizeof i) acked = i;
        usleep((useconds_t)seam_rng_below(&r, 3000));
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        while (read(tell[0], &i, sizeof i) == sizeof i) acked = i;
        close(tell[0]);
        ck_assert(WIFSIGNALED(status));
        ASSERT_OK(open_it(false, &db), NULL);
        i = newest_of(db);
        ck_assert_msg(i == acked || i == acked + 1, "acknowledged %d, found %d", acked, i);
        acked = i;
        ASSERT_OK(oltp_close(db, NULL), NULL);
        ck_assert_msg(oltp_verify(seam_io_posix(), dir, wal, &check, NULL,
                                  (struct oltp_progress){0}, &f) == SEAM_OK,
                      "%s", f.why);
    }
}

static void test_reader_process_sees_whole_states_and_dead_ones_let_go(void)
{
    int tell[2], i, status, seen = 0;
    pid_t writer, reader;
    struct oltp_pin pins[8];
    size_t count = 0;
    struct seam_fault f = {0};

    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    ck_assert_int_eq(pipe(tell), 0);
    writer = fork();
    if (writer == 0) writer_child(tell[1], 1);
    close(tell[1]);
    ck_assert_int_eq(read(tell[0], &i, sizeof i), sizeof i);
    reader = fork();
    if (reader == 0) reader_child();
    while (seen++ < test_scale(1200) && read(tell[0], &i, sizeof i) == sizeof i) continue;
    ck_assert_int_eq(waitpid(reader, &status, WNOHANG), 0);
    ASSERT_OK(oltp_pins(seam_io_posix(), dir, NULL, pins, 8, &count, &f), &f);
    ck_assert_uint_eq(count, 1);
    ck_assert(pins[0].alive && pins[0].pid == reader && strcmp(pins[0].holder, "test reader") == 0);
    kill(reader, SIGKILL);
    waitpid(reader, &status, 0);
    ASSERT_OK(oltp_pins(seam_io_posix(), dir, NULL, pins, 8, &count, &f), &f);
    ck_assert(count == 1 && !pins[0].alive); /* told once, and let go */
    ASSERT_OK(oltp_pins(seam_io_posix(), dir, NULL, pins, 8, &count, &f), &f);
    ck_assert_uint_eq(count, 0);
    kill(writer, SIGKILL);
    waitpid(writer, &status, 0);
    close(tell[0]);
}

/* What a child did through a handle it got by a fork: one letter a call, in order; 'c' = refused as another's. */
static char refused(enum seam_status st)
{
    return st == SEAM_CONFLICT ? 'c' : st == SEAM_OK ? 'o' : '?';
}

static enum seam_status put_one(struct oltp *db, uint32_t table, int k, struct seam_fault *f)
{
    struct oltp_txn *t = NULL;
    struct seam_value v[3] = {seam_v_int(k), seam_v_int(k), seam_v_text("p", 1)};
    enum seam_status st = oltp_write_begin(db, &t, f);

    if (st != SEAM_OK) return st;
    st = oltp_put(t, table, v, f);
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    return oltp_commit(t, OLTP_DURABLE, NULL, f);
}

/* A forked child is refused in every call of its parent's handle, in the transaction that was open too, and closing it
 * takes nothing from the parent: neither its pin nor its log nor its lock. A child that merely lives keeps no lock that
 * the parent gave up. */
static void test_a_handle_is_not_inherited(void)
{
    struct oltp *db = NULL, *reader = NULL;
    struct oltp_txn *t = NULL, *r = NULL;
    uint32_t table = 0;
    struct seam_value v[3] = {seam_v_int(1), seam_v_int(1), seam_v_text("p", 1)};
    struct seam_fault f = {0};
    char said[16] = "";
    int ends[2], status;
    pid_t child;

    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    ASSERT_OK(open_it(false, &db), NULL);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, json, sizeof json - 1, &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(open_it(true, &reader), NULL);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_put(t, table, v, &f), &f);
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        struct oltp_txn *mine = NULL;
        int n = 0;

        said[n++] = refused(oltp_read_begin(db, &mine, NULL));
        said[n++] = refused(oltp_write_begin(db, &mine, NULL));
        said[n++] = refused(oltp_put(t, table, v, NULL));
        oltp_end(t);
        said[n++] = refused(oltp_checkpoint(db, NULL));
        said[n++] = refused(wal_flush(oltp_wal(db), NULL));
        said[n++] = refused(oltp_read_begin(reader, &mine, NULL));
        said[n++] = refused(oltp_close(reader, NULL));
        said[n++] = refused(oltp_close(db, NULL));
        if (write(ends[1], said, sizeof said) != sizeof said) _exit(1);
        for (;;) pause(); /* and lives on */
    }
    ck_assert_int_eq(read(ends[0], said, sizeof said), sizeof said);
    ck_assert_str_eq(said, "ccccccoo");
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int k = 2; k < 12; k++) ASSERT_OK(put_one(db, table, k, &f), &f);
    ASSERT_OK(oltp_refresh(reader, SEAM_LSN_MAX, &f), &f); /* its pin held */
    ASSERT_OK(oltp_read_begin(reader, &r, &f), &f);
    ck_assert_uint_eq(oltp_count(r, table, 0), 11);
    oltp_end(r);
    ASSERT_OK(oltp_close(reader, &f), &f);
    ASSERT_OK(oltp_close(db, &f), &f);
    db = NULL;
    ASSERT_OK(open_it(false, &db), NULL); /* though the child lives */
    ASSERT_OK(oltp_read_begin(db, &r, &f), &f);
    ck_assert_uint_eq(oltp_count(r, table, 0), 11);
    oltp_end(r);
    ASSERT_OK(oltp_close(db, &f), &f);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
}

/* One that comes while another writes waits as long as it was told to, and no longer. */
static void test_a_writer_waits_for_the_other(void)
{
    struct oltp *db = NULL, *second = NULL;
    struct oltp_options o = {.wal_dir = wal, .cache_bytes = 4 << 20, .lock_wait_us = 1};
    struct seam_fault f = {0};
    int status, ends[2];
    char byte = 0;
    pid_t child;

    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        if (open_it(false, &db) != SEAM_OK || write(ends[1], &byte, 1) != 1) _exit(1);
        usleep(200000);
        _exit(oltp_close(db, NULL) == SEAM_OK ? 0 : 2);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ASSERT_STATUS(oltp_open(seam_io_posix(), dir, &o, &second, &f), SEAM_CONFLICT);
    ck_assert_msg(strstr(f.why, "locked by process") != NULL, "it says: %s", f.why);
    o.lock_wait_us = 60000000;
    seam_fault_clear(&f);
    ASSERT_OK(oltp_open(seam_io_posix(), dir, &o, &second, &f), &f);
    ASSERT_OK(oltp_close(second, &f), &f);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct named_test tests[] = {
    T(test_killed_writers_lose_nothing_acknowledged),
    T(test_reader_process_sees_whole_states_and_dead_ones_let_go),
    T(test_a_handle_is_not_inherited), T(test_a_writer_waits_for_the_other)};

int main(int argc, char **argv)
{
    return run_tests("oltp process", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
