/* Goal:   a cache far smaller than the inner pages alone changes nothing but the time: every answer, every snapshot and
 *         every recovery is what it would be with all in memory.
 * Method: keys of some 900 bytes make trees whose inner pages outnumber the 256 frames; rows reach into overflow pages;
 *         transactions are larger than the cache. One thread against an array; then a writer whose commits give every row
 *         the same number beside threads that read whole snapshots; then the same work with a fault planted at calls and
 *         reads all over it. The trace must show that inner pages and overflow pages did leave. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/db.h"
#include "tests/common/check_main.h"

enum { KEY_BYTES = 900, ROWS = 4000, KIND_OVERFLOW = 4 };

static const char table_json[] =
    "{\"table\":\"wide\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"text\"},"
    "{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"body\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

struct counter { /* of evictions, by what left */
    struct seam_trace trace;
    _Atomic uint64_t inner, overflow, leaf;
};

static void count_evictions(struct seam_trace *t, const struct seam_trace_event *e)
{
    struct counter *c = (struct counter *)t;

    if (strcmp(e->name, "page_evicted") != 0) return;
    atomic_fetch_add(e->args[2].i > 0                ? &c->inner
                     : e->args[1].i == KIND_OVERFLOW ? &c->overflow
                                                     : &c->leaf,
                     1);
}

/* Keys whose order has nothing to do with their numbers, and that share nothing for long. */
static size_t key_text(uint32_t i, char out[KEY_BYTES + 1])
{
    size_t n = (size_t)snprintf(out, KEY_BYTES, "%08x", i * 2654435761u);

    while (n < KEY_BYTES) {
        out[n] = (char)('a' + (out[n % 8] + n) % 26);
        n++;
    }
    return n;
}

static uint32_t body_size(uint32_t i, int64_t v)
{
    return (i + (uint64_t)v) % 37 == 0 ? 20000 : (uint32_t)((i * 7 + (uint64_t)v) % 200);
}

static enum seam_status put(struct oltp_txn *t, uint32_t table, uint32_t i, int64_t v,
                            struct seam_fault *f)
{
    static _Thread_local char body[20000], key[KEY_BYTES + 1];
    struct seam_value row[3] = {seam_v_text(key, key_text(i, key)), seam_v_int(v),
                                seam_v_text(body, body_size(i, v))};

    memset(body, 'a' + (int)(v % 26), row[2].len);
    return oltp_put(t, table, row, f);
}

/* The row's number, -1 when absent, -2 when it is not whole. */
static int64_t row_number(const struct seam_schema *s, const struct oltp_row *row, uint32_t *size)
{
    struct seam_value v[3];

    if (seam_row_decode(s, row->row.data, row->row.size, v, NULL) != SEAM_OK) return -2;
    for (size_t i = 0; i < v[2].len; i += 97)
        if (v[2].s[i] != 'a' + (int)(v[1].i % 26)) return -2;
    if (size != NULL) *size = (uint32_t)v[2].len;
    return v[1].i;
}

static enum seam_status get(struct oltp_txn *t, uint32_t table, uint32_t i, int64_t *v,
                            struct seam_fault *f)
{
    char key[KEY_BYTES + 1];
    struct seam_value k = seam_v_text(key, key_text(i, key));
    struct oltp_row row;
    uint32_t size = 0;
    enum seam_status st = oltp_get(t, table, &k, &row, f);

    *v = st == SEAM_OK ? row_number(oltp_schema(t, table), &row, &size) : -1;
    if (st == SEAM_OK && size != body_size(i, *v)) *v = -2;
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

static enum seam_status scan(struct oltp_txn *t, uint32_t table, uint32_t index, bool forward,
                             uint64_t *count, int64_t *sum, int64_t *least, int64_t *most)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    enum seam_status st = oltp_cursor_open(t, table, index, NULL, 0, &c, NULL);

    *count = 0;
    *sum = 0;
    *least = INT64_MAX;
    *most = INT64_MIN;
    while (st == SEAM_OK) {
        int64_t v;

        st = forward ? oltp_cursor_next(c, &row, NULL) : oltp_cursor_prev(c, &row, NULL);
        if (st != SEAM_OK) break;
        v = row_number(oltp_schema(t, table), &row, NULL);
        ++*count;
        *sum += v;
        if (v < *least) *least = v;
        if (v > *most) *most = v;
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

static int recovery_helpers; /* of open_small */

static enum seam_status open_small(struct seam_io *io, const char *dir, struct seam_trace *trace,
                                   struct oltp **db, struct seam_fault *f)
{
    char path[700], wal[700];
    struct oltp_options o = {.cache_bytes = OLTP_CACHE_MIN,
                             .trace = trace,
                             .wal_dir = wal,
                             .recovery_helpers = recovery_helpers};

    snprintf(path, sizeof path, "%s/oltp", dir);
    snprintf(wal, sizeof wal, "%s/wal", dir);
    return oltp_open(io, path, &o, db, f);
}

static uint32_t make_table(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    return table;
}

static void verify(struct seam_io *io, const char *dir, const char *what)
{
    char path[700], wal[700];
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    snprintf(path, sizeof path, "%s/oltp", dir);
    snprintf(wal, sizeof wal, "%s/wal", dir);
    st = oltp_verify(io, path, wal, &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "%s: verify: %s\n%s", what, f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
}

static void check_model(struct oltp *db, uint32_t table, const int64_t *model)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint64_t rows = 0, count;
    int64_t want = 0, sum, least, most;
    uint32_t by_v = 0;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t v = 0;

        rows += model[i] >= 0;
        want += model[i] >= 0 ? model[i] : 0;
        ASSERT_OK(get(t, table, i, &v, &f), &f);
        ck_assert_msg(v == model[i], "row %u is %lld, not %lld", i, (long long)v,
                      (long long)model[i]);
    }
    ASSERT_OK(oltp_index(t, table, "by_v", &by_v, &f), &f);
    for (int way = 0; way < 3; way++) {
        ASSERT_OK(scan(t, table, way == 2 ? by_v : 0, way != 1, &count, &sum, &least, &most), &f);
        ck_assert_uint_eq(count, rows);
        ck_assert_int_eq(sum, want);
    }
    oltp_end(t);
}

/* A transaction of n changes, some of them above savepoints that are taken back. */
static void change_some(struct oltp *db, uint32_t table, int64_t *model, struct seam_rng *r,
                        uint32_t n, int64_t v)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    int64_t *before = malloc(ROWS * sizeof *before), *saved = malloc(ROWS * sizeof *saved);
    uint32_t save = 0;
    bool open = false;

    ck_assert(before != NULL && saved != NULL);
    memcpy(before, model, ROWS * sizeof *model);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = (uint32_t)seam_rng_below(r, ROWS);
        int64_t is = 0;

        if (!open && k % 300 == 100) {
            ASSERT_OK(oltp_savepoint(t, &save, &f), &f);
            memcpy(saved, model, ROWS * sizeof *model);
            open = true;
        } else if (open && k % 300 == 200) {
            if (seam_rng_below(r, 2) == 0) {
                ASSERT_OK(oltp_rollback_to(t, save, &f), &f);
                memcpy(model, saved, ROWS * sizeof *model);
            }
            ASSERT_OK(oltp_release(t, save, &f), &f);
            open = false;
        }
        if (model[i] >= 0 && seam_rng_below(r, 4) == 0) {
            char key[KEY_BYTES + 1];
            struct seam_value kv = seam_v_text(key, key_text(i, key));

            ASSERT_OK(oltp_delete(t, table, &kv, &f), &f);
            model[i] = -1;
        } else {
            ASSERT_OK(put(t, table, i, v, &f), &f);
            model[i] = v;
        }
        i = (uint32_t)seam_rng_below(r, ROWS);
        ASSERT_OK(get(t, table, i, &is, &f), &f);
        ck_assert_int_eq(is, model[i]);
    }
    if (seam_rng_below(r, 5) == 0) {
        oltp_end(t);
        memcpy(model, before, ROWS * sizeof *model);
    } else {
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    free(before);
    free(saved);
}

static void test_a_cache_smaller_than_the_inner_pages(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct counter counter = {.trace = {count_evictions}};
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    struct oltp_stats stats;
    int64_t *model = malloc(ROWS * sizeof *model);
    uint32_t table;
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < ROWS; i++) model[i] = -1;
    ASSERT_OK(open_small(seam_io_sim_io(sim), "d", &counter.trace, &db, &f), &f);
    table = make_table(db);
    for (int round = 0; round < test_scale(24); round++) {
        change_some(db, table, model, &r, round % 6 == 0 ? ROWS : 300, round);
        if (round % 5 == 4) ASSERT_OK(oltp_checkpoint(db, &f), &f);
        if (round % 8 == 7) {
            check_model(db, table, model);
            oltp_stats(db, &stats);
            ck_assert_uint_le(stats.cache_used, OLTP_CACHE_MIN);
            ASSERT_OK(oltp_close(db, &f), &f);
            ASSERT_OK(open_small(seam_io_sim_io(sim), "d", &counter.trace, &db, &f), &f);
        }
    }
    check_model(db, table, model);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    verify(seam_io_sim_io(sim), "d", "at the end");
    ASSERT_OK(oltp_close(db, &f), &f);
    ck_assert_uint_gt(counter.inner, 20);
    ck_assert_uint_gt(counter.overflow, 20);
    ck_assert_uint_gt(counter.leaf, 100);
    seam_io_sim_free(sim);
    free(model);
}

/* ---- recovery with helpers -------------------------------------------------------------------------- */

/* The log holds far more changes than the cache pages: whoever helps, and whatever reads fail meanwhile, a recovery
 * that succeeds gives the same rows. */
static void test_recovery_with_helpers(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    int64_t *model = malloc(ROWS * sizeof *model);
    uint32_t table;
    struct seam_rng r;
    const int helpers[] = {-1, 1, 4};

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < ROWS; i++) model[i] = -1;
    ASSERT_OK(open_small(io, "d", NULL, &db, &f), &f);
    table = make_table(db);
    change_some(db, table, model, &r, ROWS, 1);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    for (int round = 2; round < 6; round++)
        change_some(db, table, model, &r, (uint32_t)test_scale(1500), round);
    ASSERT_OK(wal_flush(oltp_wal(db), &f), &f);
    ASSERT_OK(oltp_close(db, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(helpers); i++) {
        recovery_helpers = helpers[i];
        for (uint64_t nth = 1; nth < 6000; nth = nth * 5 + 3) {
            seam_io_sim_plant(sim, SEAM_SIM_READ_EIO, nth, false);
            if (open_small(io, "d", NULL, &db, NULL) != SEAM_OK) continue;
            seam_io_sim_clear(sim);
            check_model(db, table, model);
            ASSERT_OK(oltp_close(db, &f), &f);
        }
        seam_io_sim_clear(sim);
        ASSERT_OK(open_small(io, "d", NULL, &db, &f), &f);
        check_model(db, table, model);
        ASSERT_OK(oltp_close(db, &f), &f);
        verify(io, "d", "after recoveries");
    }
    recovery_helpers = 0;
    seam_io_sim_free(sim);
    free(model);
}

/* ---- beside readers -------------------------------------------------------------------------------- */

enum { SHARED_ROWS = 1500, READERS = 3 };

struct crowd {
    struct oltp *db;
    uint32_t table;
    _Atomic bool stop;
    _Atomic int wrong;
    _Atomic uint64_t snapshots;
};

static void *read_snapshots(void *arg)
{
    struct crowd *c = arg;
    struct seam_rng r;
    bool forward = false;

    seam_rng_seed(&r, (uint64_t)(uintptr_t)&r);
    while (!atomic_load(&c->stop)) {
        struct oltp_txn *t = NULL;
        uint64_t count = 0;
        int64_t sum, least = 0, most = 0, v = 0;
        bool good =
            oltp_read_begin(c->db, &t, NULL) == SEAM_OK &&
            scan(t, c->table, 0, forward = !forward, &count, &sum, &least, &most) == SEAM_OK &&
            count == SHARED_ROWS && least == most;

        for (int k = 0; good && k < 50; k++)
            good =
                get(t, c->table, (uint32_t)seam_rng_below(&r, SHARED_ROWS), &v, NULL) == SEAM_OK &&
                v == least;
        if (!good) {
            fprintf(stderr, "a snapshot of %llu rows from %lld to %lld, then %lld\n",
                    (unsigned long long)count, (long long)least, (long long)most, (long long)v);
            atomic_fetch_add(&c->wrong, 1);
        }
        oltp_end(t);
        atomic_fetch_add(&c->snapshots, 1);
    }
    return NULL;
}

/* Each transaction changes every row, some twice, in an order of its own: far more pages than frames. */
static void beside_readers(bool barriers)
{
    static struct crowd c;
    pthread_t threads[READERS];
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    ASSERT_OK(open_small(seam_io_posix(), test_dir(), NULL, &c.db, &f), &f);
    c.db->pager.barriers &= barriers; /* as where the kernel has none: readers pay for the order */
    c.table = make_table(c.db);
    for (int round = 0; round < test_scale(12) + 2; round++) {
        ASSERT_OK(oltp_write_begin(c.db, &t, &f), &f);
        for (uint32_t i = 0; i < SHARED_ROWS; i++) {
            uint32_t at = (i * 997 + (uint32_t)round) % SHARED_ROWS;

            if (seam_rng_below(&r, 3) == 0)
                ASSERT_OK(put(t, c.table, (uint32_t)seam_rng_below(&r, SHARED_ROWS), round, &f),
                          &f);
            ASSERT_OK(put(t, c.table, at, round, &f), &f);
        }
        if (round % 4 == 3)
            oltp_end(t);
        else
            ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
        if (round % 3 == 1) ASSERT_OK(oltp_checkpoint(c.db, &f), &f);
        for (int i = 0; round == 0 && i < READERS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, read_snapshots, &c), 0);
    }
    atomic_store(&c.stop, true);
    for (int i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&c.wrong), 0);
    ck_assert_uint_gt(atomic_load(&c.snapshots), 0);
    ASSERT_OK(wal_flush(oltp_wal(c.db), &f), &f);
    verify(seam_io_posix(), test_dir(), "after all");
    ASSERT_OK(oltp_close(c.db, &f), &f);
}

static void test_transactions_larger_than_the_cache_beside_readers(void)
{
    beside_readers(true);
}
static void test_transactions_larger_than_the_cache_without_barriers(void)
{
    beside_readers(false);
}

/* ---- with faults ----------------------------------------------------------------------------------- */

enum { FAULT_ROWS = 600, FAULT_ROUNDS = 4 };

/* Round v gives each row the number v; every commit is durable. *acked: the last that was acknowledged. */
static enum seam_status fault_script(struct seam_io *io, int64_t *acked)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    uint32_t table = 0;
    enum seam_status st = open_small(io, "d", NULL, &db, NULL);

    for (int64_t v = 0; st == SEAM_OK && v < FAULT_ROUNDS; v++) {
        st = oltp_write_begin(db, &t, NULL);
        if (st == SEAM_OK && v == 0)
            st = oltp_create_table_json(t, table_json, strlen(table_json), &table, NULL);
        for (uint32_t i = 0; st == SEAM_OK && i < FAULT_ROWS; i++)
            st = put(t, table, (i * 389 + (uint32_t)v) % FAULT_ROWS, v, NULL);
        if (st == SEAM_OK)
            st = oltp_commit(t, OLTP_DURABLE, NULL, NULL);
        else
            oltp_end(t);
        if (st == SEAM_OK) *acked = v;
        if (st == SEAM_OK && v % 2 == 0) st = oltp_checkpoint(db, NULL);
    }
    (void)oltp_close(db, NULL);
    return st;
}

static void check_after_fault(struct seam_io *io, int64_t acked, const char *what)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;
    uint64_t count = 0;
    int64_t sum, least, most;

    ASSERT_OK(open_small(io, "d", NULL, &db, &f), &f);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    if (oltp_table(t, "wide", &table, NULL) == SEAM_OK) {
        ASSERT_OK(scan(t, table, 0, true, &count, &sum, &least, &most), &f);
        ck_assert_msg(count == FAULT_ROWS && least == most && least >= acked,
                      "%s: %llu rows from %lld to %lld, %lld was acknowledged", what,
                      (unsigned long long)count, (long long)least, (long long)most,
                      (long long)acked);
    } else {
        ck_assert_int_eq(acked, -1);
    }
    oltp_end(t);
    verify(io, "d", what);
    ASSERT_OK(oltp_close(db, &f), &f);
}

static void faults_all_over(enum seam_sim_fault_kind kind, uint64_t points)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    uint64_t total;
    int64_t acked = -1;

    ASSERT_OK(fault_script(seam_io_sim_io(sim), &acked), NULL);
    ck_assert_int_eq(acked, FAULT_ROUNDS - 1);
    total = kind == SEAM_SIM_READ_EIO ? 20000 : seam_io_sim_calls(sim);
    seam_io_sim_free(sim);
    for (uint64_t nth = 1; nth <= total; nth += total / points + 1) {
        char what[80];

        sim = seam_io_sim_new(test_seed() + nth);
        acked = -1;
        snprintf(what, sizeof what, "fault %d at %llu", (int)kind, (unsigned long long)nth);
        seam_io_sim_plant(sim, kind, nth, kind == SEAM_SIM_ENOSPC);
        (void)!fault_script(seam_io_sim_io(sim), &acked);
        seam_io_sim_clear(sim);
        if (kind == SEAM_SIM_POWER_CUT)
            seam_io_sim_reboot(sim);
        else
            seam_io_sim_kill(sim);
        check_after_fault(seam_io_sim_io(sim), acked, what);
        seam_io_sim_free(sim);
    }
}

static void test_faults_while_pages_leave(void)
{
    const enum seam_sim_fault_kind kinds[] = {SEAM_SIM_POWER_CUT, SEAM_SIM_EIO, SEAM_SIM_ENOSPC,
                                              SEAM_SIM_SYNC_FAIL, SEAM_SIM_READ_EIO};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++)
        faults_all_over(kinds[i], (uint64_t)test_scale(12) + 1);
}

static const struct named_test tests[] = {
    T(test_a_cache_smaller_than_the_inner_pages), T(test_recovery_with_helpers),
    T(test_transactions_larger_than_the_cache_beside_readers),
    T(test_transactions_larger_than_the_cache_without_barriers), T(test_faults_while_pages_leave)};

int main(int argc, char **argv)
{
    return run_tests("oltp evict", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
