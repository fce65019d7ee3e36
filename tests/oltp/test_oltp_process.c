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

static const struct named_test tests[] = {
    T(test_killed_writers_lose_nothing_acknowledged),
    T(test_reader_process_sees_whole_states_and_dead_ones_let_go)};

int main(int argc, char **argv)
{
    return run_tests("oltp process", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
