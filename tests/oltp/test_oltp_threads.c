/* Goal:   write transactions are serializable, read transactions see one committed state, nobody waits for readers.
 * Method: writers move amounts between accounts (the total never changes) and append to a history, while readers
 *         take snapshots: the total must be right in each, reads of one snapshot must repeat, LSNs must not go
 *         back, and every commit's reads must be those of a serial order (each account carries the number of
 *         its last writer: reading it must give the newest commit before). A checkpointing thread and a
 *         small cache run beside. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { ACCOUNTS = 2000, TOTAL = ACCOUNTS * 100, WRITERS = 3, READERS = 2 };

static const char accounts_json[] =
    "{\"table\":\"accounts\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"amount\",\"type\":\"int64\"},{\"name\":\"writer\",\"type\":\"int64\"},{\"name\":"
    "\"pad\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_amount\",\"columns\":[\"amount\"]}]}";

struct shared {
    struct oltp *db;
    uint32_t table;
    _Atomic bool stop;
    _Atomic int errors;
    int moves;
    /* the serial history: last[i] = the commit number that wrote account i; guarded by being the writer */
    int64_t last[ACCOUNTS], commit_number;
};
struct worker {
    struct shared *s;
    uint64_t seed;
    uint64_t done;
};

static char pad[600];

#define REQUIRE(s, condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            atomic_fetch_add(&(s)->errors, 1);                                                     \
        }                                                                                          \
    } while (0)

static bool read_account(struct oltp_txn *t, uint32_t table, int64_t id, struct seam_value v[4])
{
    struct seam_value key = seam_v_int(id);
    struct oltp_row row;

    return oltp_get(t, table, &key, &row, NULL) == SEAM_OK &&
           seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, v, NULL) == SEAM_OK;
}

static void *writer(void *arg)
{
    struct worker *w = arg;
    struct shared *s = w->s;
    struct seam_rng r;

    seam_rng_seed(&r, w->seed);
    for (int i = 0; i < s->moves; i++) {
        struct oltp_txn *t = NULL;
        int64_t from = (int64_t)seam_rng_below(&r, ACCOUNTS),
                to = (int64_t)seam_rng_below(&r, ACCOUNTS), amount;
        struct seam_value a[4], b[4];
        bool give_up = seam_rng_below(&r, 10) == 0;

        if (from == to) continue;
        if (oltp_write_begin(s->db, &t, NULL) != SEAM_OK) break;
        if (!read_account(t, s->table, from, a) || !read_account(t, s->table, to, b)) {
            REQUIRE(s, !"accounts are there");
            oltp_end(t);
            break;
        }
        REQUIRE(s, a[2].i == s->last[from] &&
                       b[2].i == s->last[to]); /* the newest commit before us, and nothing else */
        amount = (int64_t)seam_rng_below(&r, 5);
        a[1].i -= amount;
        b[1].i += amount;
        a[2].i = b[2].i = s->commit_number + 1;
        a[3] = seam_v_text(pad, seam_rng_below(&r, sizeof pad));
        b[3] = seam_v_text(pad, seam_rng_below(&r, sizeof pad));
        REQUIRE(s, oltp_put(t, s->table, a, NULL) == SEAM_OK &&
                       oltp_put(t, s->table, b, NULL) == SEAM_OK);
        if (give_up) {
            oltp_end(t);
            continue;
        }
        s->last[from] = s->last[to] = ++s->commit_number;
        REQUIRE(s,
                oltp_commit(t, i % 20 == 0 ? OLTP_DURABLE : OLTP_DEFERRED, NULL, NULL) == SEAM_OK);
        w->done++;
    }
    return NULL;
}

static int64_t scan_total(struct oltp_txn *t, uint32_t table, uint32_t index, int64_t *newest)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    int64_t total = 0;
    uint64_t n = 0;

    if (oltp_cursor_open(t, table, index, NULL, 0, &c, NULL) != SEAM_OK) return -1;
    while (oltp_cursor_next(c, &row, NULL) == SEAM_OK) {
        struct seam_value v[4];

        if (seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, v, NULL) != SEAM_OK)
            break;
        total += v[1].i;
        if (v[2].i > *newest) *newest = v[2].i;
        n++;
    }
    oltp_cursor_close(c);
    return n == ACCOUNTS ? total : -1;
}

static void *reader(void *arg)
{
    struct worker *w = arg;
    struct shared *s = w->s;
    seam_lsn_t last = 0;
    int64_t newest_before = 0;

    while (!atomic_load(&s->stop)) {
        struct oltp_txn *t = NULL;
        int64_t newest = 0, again = 0, by_index = 0;
        uint32_t index = 0;

        if (oltp_read_begin(s->db, &t, NULL) != SEAM_OK) break;
        REQUIRE(s, oltp_txn_lsn(t) >= last);
        last = oltp_txn_lsn(t);
        REQUIRE(s, scan_total(t, s->table, 0, &newest) == TOTAL);
        REQUIRE(s, scan_total(t, s->table, 0, &again) == TOTAL && again == newest);
        REQUIRE(s, newest >= newest_before);
        newest_before = newest;
        if (oltp_index(t, s->table, "by_amount", &index, NULL) == SEAM_OK)
            REQUIRE(s, scan_total(t, s->table, index, &by_index) == TOTAL && by_index == newest);
        oltp_end(t);
        w->done++;
    }
    return NULL;
}

static void *checkpointer(void *arg)
{
    struct worker *w = arg;

    while (!atomic_load(&w->s->stop)) {
        struct oltp_stats stats;
        struct oltp_pin pins[64];
        size_t count;

        REQUIRE(w->s, oltp_checkpoint(w->s->db, NULL) == SEAM_OK);
        oltp_stats(w->s->db, &stats);
        REQUIRE(w->s, stats.cache_used <= stats.cache_bytes);
        w->done++;
        (void)pins;
        (void)count;
    }
    return NULL;
}

static void test_histories_are_serializable_and_snapshots_whole(void)
{
    static struct shared s;
    struct worker workers[WRITERS + READERS + 1];
    pthread_t threads[WRITERS + READERS + 1];
    char dir[700], wal[700];
    struct oltp_options o = {.wal_dir = wal, .cache_bytes = OLTP_CACHE_MIN};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct oltp_check check;
    struct seam_buf report = {0};
    uint64_t done = 0;

    memset(pad, 'x', sizeof pad);
    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    s.moves = test_scale(1500);
    ASSERT_OK(oltp_open(seam_io_posix(), dir, &o, &s.db, &f), &f);
    ASSERT_OK(oltp_write_begin(s.db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, accounts_json, strlen(accounts_json), &s.table, &f), &f);
    for (int i = 0; i < ACCOUNTS; i++) {
        struct seam_value v[4] = {seam_v_int(i), seam_v_int(100), seam_v_int(0),
                                  seam_v_text(pad, 300)};

        ASSERT_OK(oltp_insert(t, s.table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int i = 0; i < WRITERS + READERS + 1; i++) {
        workers[i] = (struct worker){&s, test_seed() + (uint64_t)i, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                        i < WRITERS             ? writer
                                        : i < WRITERS + READERS ? reader
                                                                : checkpointer,
                                        &workers[i]),
                         0);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    atomic_store(&s.stop, true);
    for (int i = WRITERS; i < WRITERS + READERS + 1; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&s.errors), 0);
    for (int i = 0; i < WRITERS; i++) done += workers[i].done;
    ck_assert_uint_eq(done, (uint64_t)s.commit_number);
    ASSERT_OK(oltp_close(s.db, &f), &f);
    ASSERT_OK(oltp_open(seam_io_posix(), dir, &o, &s.db, &f), &f);
    ASSERT_OK(oltp_read_begin(s.db, &t, &f), &f);
    for (int i = 0; i < ACCOUNTS; i++) {
        struct seam_value v[4];

        ck_assert(read_account(t, s.table, i, v));
        ck_assert_int_eq(v[2].i, s.last[i]);
    }
    oltp_end(t);
    ck_assert_msg(oltp_verify(seam_io_posix(), dir, wal, &check, &report, (struct oltp_progress){0},
                              &f) == SEAM_OK,
                  "%s\n%s", f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
    ASSERT_OK(oltp_close(s.db, &f), &f);
}

static void test_old_snapshot_does_not_hold_what_it_cannot_see(void)
{
    char dir[700], wal[700];
    struct oltp_options o = {.wal_dir = wal};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL, *old = NULL;
    struct seam_fault f = {0};
    struct oltp_stats early, late;
    struct oltp_pin pins[8];
    size_t count = 0;
    uint32_t table = 0;

    snprintf(dir, sizeof dir, "%s/oltp", test_dir());
    snprintf(wal, sizeof wal, "%s/wal", test_dir());
    memset(pad, 'x', sizeof pad);
    ASSERT_OK(oltp_open(seam_io_posix(), dir, &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, accounts_json, strlen(accounts_json), &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int round = 0; round < 60; round++) {
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        for (int i = 0; i < 300; i++) {
            struct seam_value v[4] = {seam_v_int(i), seam_v_int(round), seam_v_int(0),
                                      seam_v_text(pad, 300)};

            ASSERT_OK(oltp_put(t, table, v, &f), &f);
        }
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
        if (round == 1) ASSERT_OK(oltp_read_begin(db, &old, &f), &f);
        if (round == 10) oltp_stats(db, &early);
    }
    oltp_stats(db, &late);
    ck_assert_uint_le(late.pages, early.pages + 16);
    ASSERT_OK(oltp_pins(seam_io_posix(), dir, db, pins, 8, &count, &f), &f);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(pins[0].kind, OLTP_PIN_TXN);
    ck_assert_uint_gt(pins[0].page_bytes, 0);
    ck_assert_uint_eq(pins[0].lsn, oltp_txn_lsn(old));
    oltp_end(old);
    ASSERT_OK(oltp_close(db, &f), &f);
}

static const struct named_test tests[] = {T(test_histories_are_serializable_and_snapshots_whole),
                                          T(test_old_snapshot_does_not_hold_what_it_cannot_see)};

int main(int argc, char **argv)
{
    return run_tests("oltp threads", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
