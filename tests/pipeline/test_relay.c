/* The relay against the log it tails: killed at any instant, it loses nothing, repeats nothing,
 * keeps order. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/io/io_sim.h"
#include "pipeline/relay/relay.h"
#include "tests/pipeline/source.h"

static struct platform place(struct seam_io *io, const char *dir)
{
    struct platform p = {.io = io, .clock = seam_clock_real(), .log_id = 77};

    (void)snprintf(p.dir, sizeof p.dir, "%s", dir);
    return p;
}

static struct wal *open_log(const struct platform *p)
{
    struct wal_options o = {.io = p->io, .segment_bytes = WAL_SEGMENT_MIN, .log_id = p->log_id};
    struct wal *w = NULL;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_path_join(path, p->dir, "wal", &f), &f);
    ASSERT_OK(wal_open(path, &o, &w, NULL, &f), &f);
    return w;
}

static struct stream_reader *open_stream(const struct platform *p, enum stream_from from,
                                         int64_t number)
{
    struct stream_reader *r = NULL;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_path_join(path, p->dir, "stream", &f), &f);
    ASSERT_OK(stream_reader_open(p->io, path, from, number, &r, &f), &f);
    return r;
}

static const struct relay_options small = {.segment_bytes = WAL_SEGMENT_MIN};

static void test_relay_ships_committed_transactions_whole_and_in_order(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = test_seed(), .large_every = 50, .large_size = 3000, .row_max = 300};
    struct follower fo = {.s = &s};
    struct relay_run_options once = {.until_caught_up = true};
    struct wal *w = open_log(&p);
    struct relay *relay = NULL;
    struct relay_stats stats;
    struct stream_reader *r;
    struct seam_fault f = {0};
    seam_lsn_t lsn = SEAM_LSN_NONE, last = SEAM_LSN_NONE;

    ASSERT_OK(relay_open(&p, &small, &relay, &f), &f);
    r = open_stream(&p, STREAM_FROM_START, 0);
    for (uint64_t k = 0; k < 200; k++) {
        source_append(&s, w, k, &lsn);
        if (lsn != SEAM_LSN_NONE) last = lsn;
        if (k % 9 != 0) continue;
        ASSERT_OK(wal_flush(w, &f), &f);
        ASSERT_OK(relay_run(relay, &once, &f), &f);
        follow(&fo, r);
        ck_assert_uint_eq(fo.seq, 0);
    }
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_run(relay, &once, &f), &f);
    follow(&fo, r);
    ck_assert_uint_ge(fo.k, 190);
    ck_assert_uint_ge(fo.lsn, last);
    relay_stats(relay, &stats);
    ck_assert_uint_eq(stats.events, fo.offset);
    ck_assert_uint_gt(stats.aborted, 5);
    stream_reader_close(r);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_relay_ships_nothing_before_it_is_durable(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = 1, .row_max = 100};
    struct wal *w = open_log(&p);
    struct relay *relay = NULL;
    struct relay_stats stats;
    struct seam_fault f = {0};
    seam_lsn_t lsn;

    ASSERT_OK(relay_open(&p, &small, &relay, &f), &f);
    for (uint64_t k = 0; k < 10; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_commit(w, wal_end_lsn(w), WAL_WRITTEN, &f), &f);
    ASSERT_OK(relay_step(relay, &f), &f); /* a heartbeat: it has seen that the log is empty */
    ASSERT_STATUS(relay_step(relay, &f), SEAM_END);
    relay_stats(relay, &stats);
    ck_assert_uint_eq(stats.events, 0);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_step(relay, &f), &f);
    relay_stats(relay, &stats);
    ck_assert_uint_gt(stats.events, 0);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void relay_until_killed(const struct platform *p)
{
    struct relay *relay = NULL;
    struct relay_run_options forever = {0};
    struct relay_options o = small;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(20);
    o.sync_us = 3000;
    o.sync_bytes = 100000;
    if (relay_open(p, &o, &relay, NULL) != SEAM_OK) _exit(1);
    if (relay_run(relay, &forever, NULL) != SEAM_OK) _exit(2);
    _exit(0);
}

static void test_relay_killed_at_random_instants_loses_and_repeats_nothing(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = test_seed(), .large_every = 40, .large_size = 2000, .row_max = 300};
    struct follower fo = {.s = &s};
    struct wal *w = open_log(&p);
    struct stream_reader *r = NULL;
    struct relay *relay = NULL;
    struct seam_rng rng;
    struct seam_fault f = {0};
    uint64_t k = 0;
    seam_lsn_t lsn;

    seam_rng_seed(&rng, test_seed());
    ASSERT_OK(relay_open(&p, &small, &relay, &f), &f);
    ASSERT_OK(relay_close(relay, &f), &f);
    r = open_stream(&p, STREAM_FROM_START, 0);
    for (int round = 0; round < test_scale(60); round++) {
        pid_t pid = fork();
        uint64_t until = k + 5 + seam_rng_below(&rng, 40);
        int status;

        if (pid == 0) relay_until_killed(&p);
        usleep(
            (useconds_t)seam_rng_below(&rng, 4000)); /* let it be anywhere in its start-up, too */
        for (; k < until; k++) {
            source_append(&s, w, k, &lsn);
            if (k % 3 == 0) ASSERT_OK(wal_flush(w, &f), &f);
            follow(&fo, r);
        }
        usleep((useconds_t)seam_rng_below(&rng, 6000));
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSIGNALED(status), "the relay stopped by itself: status %d",
                      WEXITSTATUS(status));
        follow(&fo, r);
    }
    ASSERT_OK(wal_flush(w, &f), &f);
    relay = NULL;
    ASSERT_OK(relay_open(&p, &small, &relay, &f), &f);
    ASSERT_OK(relay_run(relay, &(struct relay_run_options){.until_caught_up = true}, &f), &f);
    follow(&fo, r);
    ck_assert_uint_ge(fo.k + 3, k);
    stream_reader_close(r);
    /* And once more from the beginning. */
    fo = (struct follower){.s = &s};
    r = open_stream(&p, STREAM_FROM_START, 0);
    follow(&fo, r);
    ck_assert_uint_ge(fo.k + 3, k);
    stream_reader_close(r);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

/* Goal: after a power cut at any call the relay makes, the same events come back with the same
 * offsets. */
static void test_relay_power_cut_at_every_call_makes_the_same_stream(void)
{
    struct source s = {.seed = test_seed(), .large_every = 10, .large_size = 400, .row_max = 800};
    struct relay_options o = {.segment_bytes = WAL_SEGMENT_MIN, .sync_bytes = 50000};
    struct relay_run_options once = {.until_caught_up = true};
    bool finished = false;

    for (uint64_t nth = 1; !finished; nth += 1 + nth / 40) {
        struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
        struct platform p = place(seam_io_sim_io(sim), "p");
        struct follower fo = {.s = &s};
        struct wal *w = open_log(&p);
        struct relay *relay = NULL;
        struct stream_reader *r;
        struct seam_fault f = {0};
        seam_lsn_t lsn;

        for (uint64_t k = 0; k < 35; k++) source_append(&s, w, k, &lsn);
        ASSERT_OK(wal_close(w, &f), &f);
        seam_io_sim_plant(sim, SEAM_SIM_POWER_CUT, nth, true);
        if (relay_open(&p, &o, &relay, NULL) == SEAM_OK &&
            relay_run(relay, &once, NULL) == SEAM_OK) {
            struct stream_reader *live = open_stream(&p, STREAM_FROM_START, 0);

            follow(&fo, live);
            stream_reader_close(live);
        }
        (void)relay_close(relay, NULL);
        finished = !seam_io_sim_fired(sim);
        seam_io_sim_clear(sim);
        seam_io_sim_reboot(sim);
        w = open_log(&p);
        relay = NULL;
        ASSERT_OK(relay_open(&p, &o, &relay, &f), &f);
        ASSERT_OK(relay_run(relay, &once, &f), &f);
        fo = (struct follower){.s = &s};
        r = open_stream(&p, STREAM_FROM_START, 0);
        follow(&fo, r);
        ck_assert_uint_ge(fo.k + 3, 35);
        stream_reader_close(r);
        ASSERT_OK(relay_close(relay, &f), &f);
        ASSERT_OK(wal_close(w, &f), &f);
        seam_io_sim_free(sim);
    }
}

static void test_relay_of_two_one_is_refused(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct wal *w = open_log(&p);
    struct relay *one = NULL, *two = NULL;
    struct seam_fault f = {0};
    pid_t pid;
    int status;

    ASSERT_OK(relay_open(&p, &small, &one, &f), &f);
    pid = fork();
    if (pid == 0) _exit(relay_open(&p, &small, &two, NULL) == SEAM_CONFLICT ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ASSERT_OK(relay_close(one, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_relay_tells_idle_from_stalled_by_heartbeats(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct wal *w = open_log(&p);
    struct relay_options o = {.segment_bytes = WAL_SEGMENT_MIN, .heartbeat_us = 1000};
    struct relay *relay = NULL;
    struct stream_state before, after;
    struct wal_span at;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_path_join(path, p.dir, "stream", &f), &f);
    ASSERT_OK(relay_open(&p, &o, &relay, &f), &f);
    usleep(2000);
    ASSERT_OK(relay_step(relay, &f), &f);
    ASSERT_OK(stream_state(p.io, path, &before, &f), &f);
    usleep(2000);
    ASSERT_OK(relay_step(relay, &f), &f);
    ASSERT_OK(stream_state(p.io, path, &after, &f), &f);
    ck_assert_int_gt(after.wall_us, before.wall_us);
    ck_assert_uint_eq(after.lsn, before.lsn);
    /* The log moves on without a transaction: the position follows at once. */
    ASSERT_OK(
        wal_append(w, WAL_CHANGE_CHECKPOINT, &(struct seam_io_slice){"\1\0\1", 3}, 1, &at, &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_step(relay, &f), &f);
    ASSERT_OK(stream_state(p.io, path, &after, &f), &f);
    ck_assert_uint_eq(after.lsn, at.end);
    ck_assert_uint_eq(after.next_offset, 0);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_relay_slot_follows_what_the_stream_has_synced(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = 5, .row_max = 3000};
    struct wal *w = open_log(&p);
    struct relay *relay = NULL;
    struct seam_fault f = {0};
    size_t lost;
    seam_lsn_t lsn;

    ASSERT_OK(relay_open(&p, &small, &relay, &f), &f);
    for (uint64_t k = 0; k < 200; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, &lost, &f), &f);
    ck_assert_uint_lt(wal_oldest_lsn(w), WAL_SEGMENT_MIN);
    ASSERT_OK(relay_run(relay, &(struct relay_run_options){.until_caught_up = true}, &f), &f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, &lost, &f), &f);
    ck_assert_uint_gt(wal_oldest_lsn(w), 2 * WAL_SEGMENT_MIN);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_relay_beyond_its_bound_is_told_and_begins_anew(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = 5, .row_max = 3000};
    struct relay_options o = {.segment_bytes = WAL_SEGMENT_MIN,
                              .slot_bound_bytes = 2 * WAL_SEGMENT_MIN};
    struct relay_run_options once = {.until_caught_up = true};
    struct wal *w = open_log(&p);
    struct relay *relay = NULL;
    struct stream_reader *r = NULL;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];
    size_t lost;
    seam_lsn_t lsn;

    ASSERT_OK(seam_path_join(path, p.dir, "stream", &f), &f);
    ASSERT_OK(relay_open(&p, &o, &relay, &f), &f);
    source_append(&s, w, 0, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_run(relay, &once, &f), &f);
    ASSERT_OK(relay_close(relay, &f), &f);
    relay = NULL;
    for (uint64_t k = 1; k < 200; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    /* Invalidated, but the log is still whole: nothing was lost, so the relay takes its slot
     * again. */
    ASSERT_OK(wal_trim(w, SEAM_LSN_NONE, &lost, &f), &f);
    ck_assert_uint_eq(lost, 1);
    ASSERT_OK(relay_open(&p, &o, &relay, &f), &f);
    ASSERT_OK(relay_close(relay, &f), &f);
    relay = NULL;
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, &lost, &f), &f);
    ck_assert_uint_eq(lost, 1);
    ASSERT_STATUS(relay_open(&p, &o, &relay, &f), SEAM_STALE);
    ck_assert_msg(strstr(f.why, "invalidated") != NULL, "%s", f.why);
    seam_fault_clear(&f);
    ASSERT_OK(relay_reset(&p, &f), &f);
    ASSERT_OK(relay_open(&p, &o, &relay, &f), &f);
    source_append(&s, w, 200, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_run(relay, &once, &f), &f);
    /* A sink that has applied nothing is not fed from the middle. */
    ASSERT_STATUS(stream_reader_open(p.io, path, STREAM_FROM_LSN, 0, &r, &f), SEAM_NOT_FOUND);
    seam_fault_clear(&f);
    ASSERT_OK(stream_reader_open(p.io, path, STREAM_FROM_LSN, (int64_t)wal_oldest_lsn(w), &r, &f),
              &f);
    stream_reader_close(r);
    ASSERT_OK(relay_close(relay, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

/* The older of two relays, stopped for so long that somebody removed the stream's lock and started another, wakes up:
 * it is refused before it writes.                                                                     */
static void test_relay_that_was_stopped_is_fenced_off_before_it_writes(void)
{
    struct platform p = place(seam_io_posix(), test_dir());
    struct source s = {.seed = 3, .row_max = 400};
    struct wal *w = open_log(&p);
    struct relay_run_options once = {.until_caught_up = true};
    struct relay *newer = NULL;
    struct stream_reader *r = NULL;
    struct stream_state before, after;
    struct follower fo = {.s = &s};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES], lock[SEAM_PATH_MAX_BYTES];
    int status;
    pid_t older;
    seam_lsn_t lsn;

    ASSERT_OK(seam_path_join(dir, p.dir, "stream", &f), &f);
    ASSERT_OK(seam_path_join(lock, dir, "lock", &f), &f);
    for (uint64_t k = 0; k < 20; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    fflush(stdout);
    older = fork();
    if (older == 0) {
        struct relay *relay = NULL;
        struct seam_fault mine = {0};
        enum seam_status st = relay_open(&p, &small, &relay, &mine);

        if (st == SEAM_OK) st = relay_run(relay, &(struct relay_run_options){0}, &mine);
        (void)relay_close(relay, NULL);
        _exit(st == SEAM_CONFLICT && strstr(mine.why, "fenced off") != NULL ? 42 : 1);
    }
    do usleep(1000);
    while (stream_state(p.io, dir, &before, NULL) != SEAM_OK || before.next_offset == 0);
    kill(older, SIGSTOP);
    ck_assert_int_eq(waitpid(older, &status, WUNTRACED), older);
    ASSERT_OK(seam_io_unlink(p.io, lock, &f), &f);
    for (uint64_t k = 20; k < 60; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_open(&p, &small, &newer, &f), &f);
    ASSERT_OK(relay_run(newer, &once, &f), &f);
    ASSERT_OK(stream_state(p.io, dir, &before, &f), &f);
    kill(older, SIGCONT);
    ck_assert_int_eq(waitpid(older, &status, 0), older);
    ck_assert_int_eq(WEXITSTATUS(status), 42);
    ASSERT_OK(stream_state(p.io, dir, &after, &f), &f);
    ck_assert_uint_eq(after.bytes, before.bytes);
    ck_assert_uint_eq(after.next_offset, before.next_offset);
    for (uint64_t k = 60; k < 80; k++) source_append(&s, w, k, &lsn);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(relay_run(newer, &once, &f), &f);
    ASSERT_OK(stream_state(p.io, dir, &after, &f), &f);
    ck_assert_int_eq(after.writer_pid, getpid()); /* the newer one's, still */
    ASSERT_OK(stream_reader_open(p.io, dir, STREAM_FROM_START, 0, &r, &f), &f);
    follow(&fo, r);
    ck_assert_uint_ge(fo.k, 70); /* each transaction once, in order */
    stream_reader_close(r);
    ASSERT_OK(relay_close(newer, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
}

static const struct named_test tests[] = {
    T(test_relay_ships_committed_transactions_whole_and_in_order),
    T(test_relay_ships_nothing_before_it_is_durable),
    T(test_relay_killed_at_random_instants_loses_and_repeats_nothing),
    T(test_relay_power_cut_at_every_call_makes_the_same_stream),
    T(test_relay_of_two_one_is_refused),
    T(test_relay_that_was_stopped_is_fenced_off_before_it_writes),
    T(test_relay_tells_idle_from_stalled_by_heartbeats),
    T(test_relay_slot_follows_what_the_stream_has_synced),
    T(test_relay_beyond_its_bound_is_told_and_begins_anew),
};

int main(int argc, char **argv)
{
    return run_tests("relay", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
