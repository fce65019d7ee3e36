/* Goal:   whatever the disk does, every acknowledged transaction is there after recovery, none is half there, and
 *         verify finds nothing wrong.
 * Method: a scripted workload (tables, batches, deletes, a savepoint taken back, checkpoints, a small log that
 *         recycles) runs on a simulated disk with one fault at call 1, 2, 3 ... of the interface until a run finishes
 *         without meeting it: power cut (unsynced writes kept, lost, torn, reordered), EIO, ENOSPC, short write,
 *         failing sync; once with checkpoints asked for, once with those that commits make piece by piece. Then: reboot, recover, compare with the script's states, verify. Crashes during
 *         the recovery itself are planted too. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { STEPS = 16, KEYS = 40, PACED_BYTES = 12 << 10 };

/* The script's state after `step` transactions: value of key k, 0 = absent; the same in both tables. */
static int64_t script_value(int step, int k)
{
    int64_t v = 0;

    for (int s = 1; s <= step; s++) {
        struct seam_rng r;

        seam_rng_seed(&r, (uint64_t)s * 7919);
        for (int i = 0; i < 6; i++) {
            int key = (int)seam_rng_below(&r, KEYS);
            bool gone = seam_rng_below(&r, 4) == 0;

            if (key == k) v = gone ? 0 : s * 100 + i;
        }
    }
    return v;
}

static const char table_json[] =
    "{\"table\":\"%s\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"pad\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

static bool paced; /* checkpoints are left to the commits */

struct place {
    struct wal *wal;
    struct oltp *db;
};

static enum seam_status open_place(struct seam_io *io, struct place *p)
{
    struct wal_options wo = {
        .io = io, .segment_bytes = WAL_SEGMENT_MIN, .spare_segments = 1, .buffer_bytes = 1 << 16};
    struct oltp_options o = {.cache_bytes = OLTP_CACHE_MIN, .seed = 7, .retain_checkpoints = 1};
    enum seam_status st = wal_open("d/wal", &wo, &p->wal, NULL, NULL);

    o.wal = p->wal;
    if (paced) o.checkpoint_log_bytes = PACED_BYTES;
    return st == SEAM_OK ? oltp_open(io, "d/oltp", &o, &p->db, NULL) : st;
}

static void close_place(struct place *p)
{
    (void)oltp_close(p->db, NULL);
    (void)wal_close(p->wal, NULL);
    p->db = NULL;
    p->wal = NULL;
}

static enum seam_status change(struct oltp_txn *t, uint32_t a, uint32_t b, int k, int64_t v)
{
    static char pad[3000];
    struct seam_value row[3] = {seam_v_int(k), seam_v_int(v),
                                seam_v_text(pad, (size_t)(v % 7 == 0 ? 2900 : v % 300))};

    memset(pad, 'p', sizeof pad);
    for (int side = 0; side < 2; side++) {
        uint32_t table = side == 0 ? a : b;
        enum seam_status st =
            v == 0 ? oltp_delete(t, table, row, NULL) : oltp_put(t, table, row, NULL);

        if (st != SEAM_OK && st != SEAM_NOT_FOUND) return st;
    }
    return SEAM_OK;
}

static enum seam_status run_step(struct oltp *db, int step, uint32_t ids[2])
{
    struct oltp_txn *t = NULL;
    struct seam_rng r;
    uint32_t save = 0;
    enum seam_status st = oltp_write_begin(db, &t, NULL);

    if (st != SEAM_OK) return st;
    seam_rng_seed(&r, (uint64_t)step * 7919);
    if (step % 5 == 0) { /* something that is taken back */
        st = oltp_savepoint(t, &save, NULL);
        for (int k = 0; st == SEAM_OK && k < KEYS; k++) st = change(t, ids[0], ids[1], k, 77);
        if (st == SEAM_OK) st = oltp_rollback_to(t, save, NULL);
        if (st == SEAM_OK) st = oltp_release(t, save, NULL);
    }
    for (int i = 0; st == SEAM_OK && i < 6; i++) {
        int k = (int)seam_rng_below(&r, KEYS);

        st = change(t, ids[0], ids[1], k, seam_rng_below(&r, 4) == 0 ? 0 : step * 100 + i);
    }
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    return oltp_commit(t, OLTP_DURABLE, NULL, NULL);
}

static bool state_is(struct oltp_txn *t, uint32_t ids[2], int step)
{
    for (int side = 0; side < 2; side++) {
        for (int k = 0; k < KEYS; k++) {
            struct seam_value key = seam_v_int(k), v = seam_v_int(0);
            struct oltp_row row;
            enum seam_status st = oltp_get(t, ids[side], &key, &row, NULL);

            if (st == SEAM_OK)
                ASSERT_OK(seam_row_get(oltp_schema(t, ids[side]), row.row.data, row.row.size, 1, &v,
                                       NULL),
                          NULL);
            else
                ck_assert_int_eq(st, SEAM_NOT_FOUND);
            if (v.i != script_value(step, k)) return false;
        }
    }
    return true;
}

/* The script goes on from `step` after a restart; *acked and *tried as below. */
static void go_on(struct seam_io *io, int step, int *acked, int *tried)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    uint32_t ids[2] = {0};
    enum seam_status st = open_place(io, &p);

    ck_assert_msg(st == SEAM_OK, "reopening in the same boot: %s", seam_status_name(st));
    ASSERT_OK(oltp_read_begin(p.db, &t, NULL), NULL);
    for (int side = 0; st == SEAM_OK && side < 2; side++)
        st = oltp_table(t, side == 0 ? "a" : "b", &ids[side], NULL);
    while (st == SEAM_OK && step < *tried && !state_is(t, ids, step)) step++;
    oltp_end(t);
    for (int n = 0; st == SEAM_OK && n < 4; n++) {
        *tried = ++step;
        st = run_step(p.db, step, ids);
        if (st == SEAM_OK) *acked = step;
        if (st == SEAM_OK && n == 1) st = oltp_checkpoint(p.db, NULL);
    }
    close_place(&p);
}

/* Runs the script; *acked = transactions acknowledged (the first makes the tables), *tried = begun. */
static void run_script(struct seam_io *io, int *acked, int *tried)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    uint32_t ids[2] = {0};
    char json[2][400];
    enum seam_status st = open_place(io, &p);

    *acked = *tried = -1; /* -1: not even the tables */
    if (st == SEAM_OK) st = oltp_write_begin(p.db, &t, NULL);
    if (st == SEAM_OK) {
        *tried = 0;
        for (int i = 0; st == SEAM_OK && i < 2; i++) {
            int n = snprintf(json[i], sizeof json[i], table_json, i == 0 ? "a" : "b");

            st = oltp_create_table_json(t, json[i], (size_t)n, &ids[i], NULL);
        }
        if (st == SEAM_OK)
            st = oltp_commit(t, OLTP_DURABLE, NULL, NULL);
        else
            oltp_end(t);
        if (st == SEAM_OK) *acked = 0;
    }
    for (int step = 1; st == SEAM_OK && step <= STEPS; step++) {
        *tried = step;
        st = run_step(p.db, step, ids);
        if (st == SEAM_OK) *acked = step;
        if (st == SEAM_OK && step % 4 == 0 && !paced) st = oltp_checkpoint(p.db, NULL);
    }
    close_place(&p);
}

static void check_recovered(struct seam_io *io, int acked, int tried, const char *what)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t ids[2] = {0};
    struct oltp_check check;
    struct seam_buf report = {0};
    int step = acked < 0 ? 0 : acked;
    enum seam_status st = open_place(io, &p);

    ck_assert_msg(st == SEAM_OK, "%s: reopening: %s", what, seam_status_name(st));
    ASSERT_OK(oltp_read_begin(p.db, &t, &f), &f);
    st = oltp_table(t, "a", &ids[0], NULL);
    if (st == SEAM_OK) ASSERT_OK(oltp_table(t, "b", &ids[1], &f), &f);
    ck_assert_msg(st == SEAM_OK || acked < 0, "%s: the tables are gone", what);
    if (st == SEAM_OK) {
        while (step <= tried && !state_is(t, ids, step)) step++;
        ck_assert_msg(step <= tried, "%s: no state of the script from %d to %d", what, acked,
                      tried);
    }
    oltp_end(t);
    st = oltp_verify(io, "d/oltp", "d/wal", &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "%s: verify: %s\n%s", what, f.why, seam_buf_cstr(&report));
    ASSERT_OK(oltp_checkpoint(p.db, &f), &f); /* and life goes on */
    st = oltp_verify(io, "d/oltp", "d/wal", &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "%s: verify after a checkpoint: %s\n%s", what, f.why,
                  seam_buf_cstr(&report));
    close_place(&p);
    seam_buf_free(&report);
}

static const char *const kind_names[] = {"none",   "power cut",   "EIO",
                                         "ENOSPC", "short write", "failing sync"};

static bool one_run(enum seam_sim_fault_kind kind, uint64_t nth, bool sticky)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
    char what[100];
    int acked, tried;
    bool fired;

    ck_assert_ptr_nonnull(sim);
    seam_io_sim_plant(sim, kind, nth, sticky);
    run_script(seam_io_sim_io(sim), &acked, &tried);
    fired = seam_io_sim_fired(sim);
    snprintf(what, sizeof what, "%s at call %llu%s", kind_names[kind], (unsigned long long)nth,
             sticky ? ", sticky" : "");
    seam_io_sim_clear(sim);
    if (kind == SEAM_SIM_POWER_CUT) {
        seam_io_sim_reboot(sim);
        if (nth % 3 == 0) { /* the power goes again while recovering */
            struct place p = {0};

            seam_io_sim_plant(sim, SEAM_SIM_POWER_CUT, 1 + nth % 17, false);
            (void)!open_place(seam_io_sim_io(sim), &p);
            close_place(&p);
            seam_io_sim_clear(sim);
            seam_io_sim_reboot(sim);
        }
    } else {
        seam_io_sim_kill(sim);
    }
    check_recovered(seam_io_sim_io(sim), acked, tried, what);
    seam_io_sim_free(sim);
    return fired;
}

static void every_point(enum seam_sim_fault_kind kind, bool sticky)
{
    uint64_t step = (uint64_t)(100 / test_scale(100));

    for (int way = 0; way < 2; way++) {
        uint64_t nth = 1;

        paced = way == 1;
        while (one_run(kind, nth, sticky)) nth += step;
        printf("%s%s: %llu points\n", kind_names[kind], paced ? ", paced checkpoints" : "",
               (unsigned long long)nth);
    }
}

/* A sync fails; the program is started again, in the same boot, and goes on; then the power goes. What the disk forgot at the
 * failed sync is still in the page cache when it is opened: it must be written again before it is built upon. */
static bool one_restart(enum seam_sim_fault_kind kind, uint64_t nth)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed() + 77 * nth);
    struct seam_io *io = seam_io_sim_io(sim);
    char what[100];
    int acked, tried;
    bool fired;

    seam_io_sim_plant(sim, kind, nth, false);
    run_script(io, &acked, &tried);
    fired = seam_io_sim_fired(sim);
    seam_io_sim_clear(sim);
    seam_io_sim_kill(sim);
    if (acked >= 0) go_on(io, acked, &acked, &tried);
    seam_io_sim_plant(sim, SEAM_SIM_POWER_CUT, 1, false);
    (void)!seam_io_mkdir(io, "e", NULL); /* the call at which it goes */
    seam_io_sim_clear(sim);
    seam_io_sim_reboot(sim);
    snprintf(what, sizeof what, "%s at call %llu, restart, power cut", kind_names[kind],
             (unsigned long long)nth);
    check_recovered(io, acked, tried, what);
    seam_io_sim_free(sim);
    return fired;
}

static void restart_at_every_point(enum seam_sim_fault_kind kind)
{
    uint64_t step = (uint64_t)(100 / test_scale(100));

    for (int way = 0; way < 2; way++) {
        paced = way == 1;
        for (uint64_t nth = 1; one_restart(kind, nth);) nth += step;
    }
}

static void test_failing_sync_then_restart_then_power_cut(void)
{
    restart_at_every_point(SEAM_SIM_SYNC_FAIL);
}
static void test_kill_then_restart_then_power_cut(void)
{
    restart_at_every_point(SEAM_SIM_EIO);
}

/* A checkpoint is spread over several commits, the state goes on changing under it, and it ends. */
static void test_commits_make_checkpoints_in_pieces(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct place p = {0};
    struct oltp_stats stats;
    struct seam_fault f = {0};
    uint32_t ids[2];
    uint64_t last = 0, most_log = 0;
    int acked, tried, ends = 0;

    paced = true;
    run_script(seam_io_sim_io(sim), &acked, &tried);
    ck_assert_int_eq(acked, STEPS);
    ASSERT_OK(open_place(seam_io_sim_io(sim), &p), NULL);
    for (int side = 0; side < 2; side++) {
        struct oltp_txn *t = NULL;

        ASSERT_OK(oltp_read_begin(p.db, &t, &f), &f);
        ASSERT_OK(oltp_table(t, side == 0 ? "a" : "b", &ids[side], &f), &f);
        oltp_end(t);
    }
    for (int step = STEPS + 1; step < 300; step++) {
        ASSERT_OK(run_step(p.db, step, ids), NULL);
        oltp_stats(p.db, &stats);
        if (stats.checkpoints != last) ends++;
        last = stats.checkpoints;
        if (stats.checkpoint_log_bytes > most_log) most_log = stats.checkpoint_log_bytes;
    }
    ck_assert_msg(ends > 20, "%d checkpoints in 300 commits", ends);
    ck_assert_msg(most_log > PACED_BYTES && most_log < 8 * PACED_BYTES,
                  "a recovery would have replayed up to %llu bytes", (unsigned long long)most_log);
    /* More pieces than checkpoints, each counted with its begin and end: nobody made a whole one at once. */
    ck_assert_msg(stats.stall_ns.count >= 3 * (uint64_t)ends, "%llu pieces for %d checkpoints",
                  (unsigned long long)stats.stall_ns.count, ends);
    close_place(&p);
    check_recovered(seam_io_sim_io(sim), STEPS, STEPS + 300, "paced");
    seam_io_sim_free(sim);
}

static void test_power_cut_at_every_call(void)
{
    every_point(SEAM_SIM_POWER_CUT, false);
}
static void test_eio_at_every_call(void)
{
    every_point(SEAM_SIM_EIO, false);
}
static void test_enospc_at_every_call(void)
{
    every_point(SEAM_SIM_ENOSPC, true);
}
static void test_short_write_at_every_call(void)
{
    every_point(SEAM_SIM_SHORT_WRITE, false);
}
static void test_failing_sync_at_every_call(void)
{
    every_point(SEAM_SIM_SYNC_FAIL, false);
}

static const struct named_test tests[] = {T(test_commits_make_checkpoints_in_pieces),
                                          T(test_power_cut_at_every_call),
                                          T(test_eio_at_every_call),
                                          T(test_enospc_at_every_call),
                                          T(test_short_write_at_every_call),
                                          T(test_failing_sync_at_every_call),
                                          T(test_failing_sync_then_restart_then_power_cut),
                                          T(test_kill_then_restart_then_power_cut)};

int main(int argc, char **argv)
{
    return run_tests("oltp faults", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
