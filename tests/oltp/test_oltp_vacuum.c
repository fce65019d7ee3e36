/* Goal:   vacuum gives back the tail of the file whatever lies in it, large rows too, while others read and write, and
 *         a crash at any point loses nothing.
 * Method: rows of up to megabytes behind rows that are then deleted; the file must come close to what is in use, rows and
 *         snapshots must stay as they are, verify must be clean. Then one fault at each call of a vacuum. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { BODY_MAX = 3 << 20 };

static const char table_json[] =
    "{\"table\":\"files\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"body\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

struct place {
    struct seam_io *io;
    char dir[600], pages[700], wal[700];
    struct oltp *db;
    uint32_t table;
};

static void place_init(struct place *p, struct seam_io *io, const char *dir)
{
    *p = (struct place){.io = io};
    snprintf(p->dir, sizeof p->dir, "%s/oltp", dir);
    snprintf(p->pages, sizeof p->pages, "%s/pages", p->dir);
    snprintf(p->wal, sizeof p->wal, "%s/wal", dir);
}

static enum seam_status place_open(struct place *p, struct seam_fault *f)
{
    struct oltp_options o = {.wal_dir = p->wal, .cache_bytes = OLTP_CACHE_MIN, .seed = 3};

    return oltp_open(p->io, p->dir, &o, &p->db, f);
}

static size_t body_size(int64_t k, size_t large)
{
    return k % 50 == 49 ? large / (size_t)(1 + k / 50 % 7) : 300;
}

static const char *body_of(int64_t k)
{
    static char body[BODY_MAX];

    memset(body, 'a' + (int)(k % 26), sizeof body);
    return body;
}

static void fill(struct place *p, int64_t rows, size_t large)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(place_open(p, &f), &f);
    ASSERT_OK(oltp_write_begin(p->db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &p->table, &f), &f);
    for (int64_t k = 0; k < rows; k++) {
        struct seam_value v[3] = {seam_v_int(k), seam_v_int(k % 10),
                                  seam_v_text(body_of(k), body_size(k, large))};

        ASSERT_OK(oltp_put(t, p->table, v, &f), &f);
        if (k % 100 != 99) continue;
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
        ASSERT_OK(oltp_write_begin(p->db, &t, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(p->db, &f), &f);
}

static void remove_first(struct place *p, int64_t rows)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(oltp_write_begin(p->db, &t, &f), &f);
    for (int64_t k = 0; k < rows; k++) {
        struct seam_value key = seam_v_int(k);

        ASSERT_OK(oltp_delete(t, p->table, &key, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(p->db, &f), &f);
}

/* Rows [from, to), each whole; no other. */
static bool rows_are(struct oltp_txn *t, uint32_t table, int64_t from, int64_t to, size_t large)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    int64_t k = from;
    bool good = oltp_cursor_open(t, table, 0, NULL, 0, &c, &f) == SEAM_OK;

    while (good && oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        struct seam_value v[3];

        good =
            seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, v, &f) == SEAM_OK &&
            v[0].i == k && v[2].len == body_size(k, large) && v[2].s[0] == 'a' + (int)(k % 26) &&
            v[2].s[v[2].len - 1] == 'a' + (int)(k % 26);
        k++;
    }
    oltp_cursor_close(c);
    return good && k == to;
}

static void check_rows(struct place *p, int64_t from, int64_t to, size_t large, const char *what)
{
    struct oltp_txn *t = NULL;
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    ASSERT_OK(oltp_read_begin(p->db, &t, &f), &f);
    ck_assert_msg(rows_are(t, p->table, from, to, large), "%s: the rows are not those", what);
    oltp_end(t);
    st = oltp_verify(p->io, p->dir, p->wal, &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "%s: verify: %s\n%s", what, f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
}

static void test_large_rows_move_to_the_front(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct place p;
    struct oltp_stats before, after;
    struct seam_fault f = {0};
    uint64_t freed = 0;

    place_init(&p, seam_io_sim_io(sim), "d");
    fill(&p, 1000, BODY_MAX);
    remove_first(&p, 640);
    oltp_stats(p.db, &before);
    ASSERT_OK(oltp_vacuum(p.db, &freed, &f), &f);
    oltp_stats(p.db, &after);
    check_rows(&p, 640, 1000, BODY_MAX, "after vacuum");
    ck_assert_uint_gt(freed, before.file_bytes / 2);
    ck_assert_uint_lt(after.file_bytes, before.file_bytes / 2);
    ck_assert_msg(after.free_pages <= 40, "%llu of %llu pages are free after vacuum",
                  (unsigned long long)after.free_pages, (unsigned long long)after.pages);
    ASSERT_OK(oltp_close(p.db, &f), &f);
    ASSERT_OK(place_open(&p, &f), &f);
    check_rows(&p, 640, 1000, BODY_MAX, "reopened");
    ASSERT_OK(oltp_close(p.db, &f), &f);
    seam_io_sim_free(sim);
}

/* ---- beside others --------------------------------------------------------------------------------- */

struct crowd {
    struct place *p;
    _Atomic bool stop;
    _Atomic int wrong;
};
enum { LARGE = 200000, KEPT = 400, ALL = 1200 };

static void *read_on(void *arg)
{
    struct crowd *c = arg;

    while (!atomic_load(&c->stop)) {
        struct oltp_txn *t = NULL;
        struct seam_value key = seam_v_int(ALL - 1);
        struct oltp_row row;

        if (oltp_read_begin(c->p->db, &t, NULL) != SEAM_OK ||
            oltp_get(t, c->p->table, &key, &row, NULL) != SEAM_OK ||
            oltp_count(t, c->p->table, 0) != KEPT)
            atomic_fetch_add(&c->wrong, 1);
        oltp_end(t);
    }
    return NULL;
}

static void *write_on(void *arg)
{
    struct crowd *c = arg;
    static char body[LARGE]; /* this thread's own */

    for (int64_t k = ALL - KEPT; !atomic_load(&c->stop); k = k + 1 < ALL ? k + 1 : ALL - KEPT) {
        struct oltp_txn *t = NULL;
        struct seam_value v[3] = {seam_v_int(k), seam_v_int(k % 10),
                                  seam_v_text(body, body_size(k, LARGE))};

        memset(body, 'a' + (int)(k % 26), sizeof body);
        if (oltp_write_begin(c->p->db, &t, NULL) != SEAM_OK ||
            oltp_put(t, c->p->table, v, NULL) != SEAM_OK ||
            oltp_commit(t, OLTP_DEFERRED, NULL, NULL) != SEAM_OK)
            atomic_fetch_add(&c->wrong, 1);
    }
    return NULL;
}

static void test_others_read_and_write_meanwhile(void)
{
    struct place p;
    struct crowd c = {.p = &p};
    struct oltp_txn *old = NULL;
    struct oltp_stats stats;
    pthread_t threads[3];
    struct seam_fault f = {0};
    uint64_t freed = 0, more = 0;

    place_init(&p, seam_io_posix(), test_dir());
    fill(&p, ALL, LARGE);
    remove_first(&p, ALL - KEPT);
    ASSERT_OK(oltp_read_begin(p.db, &old, &f), &f);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i == 0 ? write_on : read_on, &c), 0);
    for (int i = 0; i < 4; i++) {
        ASSERT_OK(oltp_vacuum(p.db, &more, &f), &f);
        freed += more;
    }
    ck_assert(rows_are(old, p.table, ALL - KEPT, ALL, LARGE)); /* a snapshot from before them all */
    atomic_store(&c.stop, true);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&c.wrong), 0);
    ck_assert(rows_are(old, p.table, ALL - KEPT, ALL, LARGE));
    oltp_end(old);
    ASSERT_OK(oltp_vacuum(p.db, &more, &f), &f); /* nobody holds anything any more */
    oltp_stats(p.db, &stats);
    ck_assert_uint_gt(freed + more, 0);
    /* what the largest row and the paths need at once */
    ck_assert_msg(stats.free_pages <= 50, "%llu of %llu pages are free",
                  (unsigned long long)stats.free_pages, (unsigned long long)stats.pages);
    ASSERT_OK(wal_flush(oltp_wal(p.db), &f), &f);
    check_rows(&p, ALL - KEPT, ALL, LARGE, "after all");
    ASSERT_OK(oltp_close(p.db, &f), &f);
}

/* ---- faults ---------------------------------------------------------------------------------------- */

enum { FEW = 200, FEW_GONE = 120, SMALL_LARGE = 40000 };

/* The state before the vacuum; the same every time. */
static struct seam_io_sim *before_vacuum(struct place *p)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());

    place_init(p, seam_io_sim_io(sim), "d");
    fill(p, FEW, SMALL_LARGE);
    remove_first(p, FEW_GONE);
    return sim;
}

static void test_a_fault_at_every_call(void)
{
    const enum seam_sim_fault_kind kinds[] = {SEAM_SIM_POWER_CUT, SEAM_SIM_EIO, SEAM_SIM_ENOSPC,
                                              SEAM_SIM_SYNC_FAIL};
    struct place p;
    uint64_t freed, calls, step = (uint64_t)(100 / test_scale(100));
    struct seam_io_sim *sim = before_vacuum(&p);
    struct seam_fault f = {0};

    calls = seam_io_sim_calls(sim);
    ASSERT_OK(oltp_vacuum(p.db, &freed, &f), &f);
    ck_assert_uint_gt(freed, 0);
    calls = seam_io_sim_calls(sim) - calls;
    ck_assert_uint_gt(calls, 12);
    ASSERT_OK(oltp_close(p.db, &f), &f);
    seam_io_sim_free(sim);
    for (size_t k = 0; k < SEAM_ARRAY_LEN(kinds); k++) {
        for (uint64_t nth = 1; nth <= calls; nth += step) {
            char what[80];

            sim = before_vacuum(&p);
            snprintf(what, sizeof what, "fault %d at call %llu", (int)kinds[k],
                     (unsigned long long)nth);
            seam_io_sim_plant(sim, kinds[k], nth, kinds[k] == SEAM_SIM_ENOSPC);
            (void)!oltp_vacuum(p.db, &freed, NULL);
            (void)!oltp_close(p.db, NULL);
            seam_io_sim_clear(sim);
            if (kinds[k] == SEAM_SIM_POWER_CUT)
                seam_io_sim_reboot(sim);
            else
                seam_io_sim_kill(sim);
            ASSERT_OK(place_open(&p, &f), &f);
            check_rows(&p, FEW_GONE, FEW, SMALL_LARGE, what);
            ASSERT_OK(oltp_vacuum(p.db, &freed, &f), &f); /* and again, to the end */
            check_rows(&p, FEW_GONE, FEW, SMALL_LARGE, what);
            ASSERT_OK(oltp_close(p.db, &f), &f);
            seam_io_sim_free(sim);
        }
    }
    printf("%llu calls, each with %zu faults\n", (unsigned long long)calls, SEAM_ARRAY_LEN(kinds));
}

static const struct named_test tests[] = {T(test_large_rows_move_to_the_front),
                                          T(test_others_read_and_write_meanwhile),
                                          T(test_a_fault_at_every_call)};

int main(int argc, char **argv)
{
    return run_tests("oltp vacuum", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
