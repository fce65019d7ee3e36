/* The log against a naive twin: what was appended comes back, in order, whole, after anything. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "wal/change.h"
#include "wal/wal.h"

enum { SMALL = WAL_SEGMENT_MIN };

/* Record n: its number, then n-dependent bytes; sizes 8 .. max. */
static size_t payload(uint64_t n, size_t max, uint8_t *out)
{
    struct seam_rng r;
    size_t size;

    seam_rng_seed(&r, test_seed() * 1000003 + n);
    size = 8 + (size_t)seam_rng_below(&r, max - 7);
    seam_rng_bytes(&r, out, size);
    memcpy(out, &n, 8);
    return size;
}

static enum seam_status append(struct wal *w, uint64_t n, size_t max, struct wal_span *at,
                               struct seam_fault *f)
{
    uint8_t *p = malloc(max + 8);
    size_t size, half;
    enum seam_status st;

    ck_assert(p != NULL);
    size = payload(n, max, p);
    half = size / 3;
    st = wal_append(w, (uint8_t)(1 + n % 9),
                    (struct seam_io_slice[]){{p, half}, {p + half, size - half}}, 2, at, f);
    free(p);
    return st;
}

/* Reads records first, first + 1, ... and returns the number after the last. */
static uint64_t read_all(struct seam_io *io, const char *dir, seam_lsn_t at, uint64_t first,
                         size_t max, unsigned flags)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};
    uint8_t *want = malloc(max + 8);
    enum seam_status st;

    ASSERT_OK(wal_reader_open(io, dir, at, flags, &r, &f), &f);
    while ((st = wal_reader_next(r, &rec, &f)) == SEAM_OK) {
        size_t size = payload(first, max, want);

        ck_assert_msg(rec.size == size && memcmp(rec.data, want, size) == 0,
                      "record %llu is not as appended", (unsigned long long)first);
        ck_assert_uint_eq(rec.type, 1 + first % 9);
        ck_assert_uint_eq(rec.end, wal_reader_position(r));
        first++;
    }
    check_ok(st == SEAM_END ? SEAM_OK : st, &f, __FILE__, __LINE__);
    wal_reader_close(r);
    free(want);
    return first;
}

static struct wal *open_log(struct seam_io *io, const char *dir, struct wal_recovered *rec)
{
    struct wal_options o = {
        .io = io, .segment_bytes = SMALL, .buffer_bytes = 32 << 10, .log_id = 77};
    struct wal *w = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(wal_open(dir, &o, &w, rec, &f), &f);
    return w;
}

static void test_wal_records_come_back_across_segments_and_reopens(void)
{
    static const size_t sizes[] = {8, 100, 5000, 200000};

    for (size_t s = 0; s < SEAM_ARRAY_LEN(sizes); s++) {
        char dir[300];
        uint64_t n = 0, count = sizes[s] > 10000 ? 20 : 400;
        struct wal_recovered rec;
        struct wal_check check;
        struct seam_fault f = {0};

        (void)snprintf(dir, sizeof dir, "%s/log%zu", test_dir(), s);
        for (int round = 0; round < 3; round++) {
            struct wal *w = open_log(seam_io_posix(), dir, &rec);
            struct wal_span at = {0};

            ck_assert_int_eq(rec.created, round == 0);
            ck_assert_uint_eq(rec.torn_bytes, 0);
            for (uint64_t i = 0; i < count; i++) ASSERT_OK(append(w, n++, sizes[s], &at, &f), &f);
            ASSERT_OK(wal_commit(w, at.end, WAL_DURABLE, &f), &f);
            ck_assert_uint_ge(wal_durable_lsn(w), at.end);
            ck_assert_uint_eq(read_all(seam_io_posix(), dir, SEAM_LSN_NONE, 0, sizes[s], 0), n);
            ASSERT_OK(wal_close(w, &f), &f);
        }
        ck_assert_uint_eq(read_all(seam_io_posix(), dir, SEAM_LSN_NONE, 0, sizes[s], WAL_READ_ALL),
                          n);
        ASSERT_OK(wal_verify(seam_io_posix(), dir, &check, &f), &f);
        ck_assert_uint_eq(check.records, n);
    }
}

static void test_wal_readers_see_only_what_is_durable(void)
{
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct wal_span at;
    struct seam_fault f = {0};

    ASSERT_OK(append(w, 0, 100, &at, &f), &f);
    ASSERT_OK(wal_commit(w, at.end, WAL_WRITTEN, &f), &f);
    ck_assert_uint_eq(read_all(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, 100, 0), 0);
    ASSERT_OK(wal_commit(w, at.end, WAL_DEFERRED, &f), &f);
    ck_assert_uint_eq(read_all(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, 100, 0), 0);
    ASSERT_OK(wal_flush(w, &f), &f);
    ck_assert_uint_eq(read_all(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, 100, 0), 1);
    ASSERT_OK(wal_close(w, &f), &f);
}

/* Goal: any prefix of the file's bytes recovers to a prefix of the records. Method: cut at each
 * byte of the tail; the shared page goes too, since it would rightly call the loss damage. */
static void test_wal_truncated_anywhere_recovers_a_prefix(void)
{
    static const char seg[] = "log/0000000000000000.seg", shared[] = "log/shared";
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct seam_fault f = {0};
    struct wal_span at[40];
    struct wal *w = open_log(io, "log", NULL);
    struct seam_buf whole = {0}, meta = {0};

    for (uint64_t i = 0; i < 40; i++) ASSERT_OK(append(w, i, 60, &at[i], &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(seam_io_read_all(io, seg, 1 << 20, &whole, &f), &f);
    ASSERT_OK(seam_io_read_all(io, "log/log.meta", 4096, &meta, &f), &f);
    seam_io_sim_kill(sim); /* a clean close would say where the log ends */
    (void)wal_close(w, NULL);
    for (uint64_t cut = at[20].start; cut <= at[39].end; cut++) {
        struct seam_file *file = NULL;
        uint64_t want = 0;

        while (want < 40 && at[want].end <= cut) want++;
        ASSERT_OK(seam_io_unlink(io, shared, &f), &f);
        ASSERT_OK(seam_io_write_atomic(io, "log/log.meta", meta.data, meta.size, &f), &f);
        ASSERT_OK(seam_file_open(io, seg, SEAM_FILE_WRITE | SEAM_FILE_TRUNC, &file, &f), &f);
        ASSERT_OK(seam_file_write(file, 0, whole.data, cut, &f), &f);
        seam_file_close(file);
        w = open_log(io, "log", NULL);
        ck_assert_uint_eq(read_all(io, "log", SEAM_LSN_NONE, 0, 60, 0), want);
        for (uint64_t i = want; i < want + 3; i++) {
            struct wal_span s;

            ASSERT_OK(append(w, i, 60, &s, &f), &f);
        }
        ASSERT_OK(wal_close(w, &f), &f);
        ck_assert_uint_eq(read_all(io, "log", SEAM_LSN_NONE, 0, 60, 0), want + 3);
    }
    seam_buf_free(&whole);
    seam_buf_free(&meta);
    seam_io_sim_free(sim);
}

/* Goal: what an acknowledged commit covers outlives a power cut at any I/O, and nothing is half
 * there.
 * Method: cut at call 1, 2, 3 ... of a scripted run until it finishes; reboot, reopen, compare. */
static uint64_t scripted(struct seam_io *io, const char *dir, uint64_t from, uint64_t *acked)
{
    struct wal_options o = {.io = io,
                            .segment_bytes = SMALL,
                            .buffer_bytes = 16 << 10,
                            .log_id = 77,
                            .deferred_us = 1000000};
    struct wal *w = NULL;
    uint64_t n = from;

    if (wal_open(dir, &o, &w, NULL, NULL) != SEAM_OK) return from;
    for (; n < from + 60; n++) {
        struct wal_span at;
        size_t max = 9000;

        if (append(w, n, max, &at, NULL) != SEAM_OK) break;
        if (n % 7 == 3) {
            if (wal_commit(w, at.end, WAL_DURABLE, NULL) != SEAM_OK) break;
            *acked = n + 1;
        } else if (wal_commit(w, at.end, n % 2 == 0 ? WAL_WRITTEN : WAL_DEFERRED, NULL) !=
                   SEAM_OK) {
            break;
        }
        if (n % 20 == 19 && wal_trim(w, wal_durable_lsn(w) / SMALL * SMALL, NULL, NULL) != SEAM_OK)
            break;
    }
    if (wal_close(w, NULL) == SEAM_OK) *acked = n;
    return n;
}

/* The oldest record that is kept: its number is in its first 8 bytes. A log that begins inside a
 * record of fragments is read from its first whole one. */
static uint64_t first_number(struct seam_io *io, const char *dir, seam_lsn_t *at)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    uint64_t n = UINT64_MAX;

    *at = SEAM_LSN_NONE;
    if (wal_reader_open(io, dir, SEAM_LSN_NONE, 0, &r, NULL) != SEAM_OK) return n;
    if (wal_reader_next(r, &rec, NULL) == SEAM_OK) {
        memcpy(&n, rec.data, 8);
        *at = rec.start;
    }
    wal_reader_close(r);
    return n;
}

static void crash_everywhere(enum seam_sim_fault_kind kind, bool cut_after)
{
    struct seam_fault f = {0};
    uint64_t nth = 1;

    for (bool finished = false; !finished; nth++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + nth);
        struct seam_io *io = seam_io_sim_io(s);
        struct wal_options o = {
            .io = io, .segment_bytes = SMALL, .buffer_bytes = 16 << 10, .log_id = 77};
        uint64_t acked = 0, appended, first, got;
        struct wal *w = NULL;
        seam_lsn_t at;

        seam_io_sim_plant(s, kind, nth, kind == SEAM_SIM_POWER_CUT);
        appended = scripted(io, "p/log", 0, &acked);
        finished = !seam_io_sim_fired(s);
        seam_io_sim_clear(s);
        if (cut_after || kind == SEAM_SIM_POWER_CUT)
            seam_io_sim_reboot(s);
        else
            seam_io_sim_kill(s);
        ASSERT_OK(wal_open("p/log", &o, &w, NULL, &f), &f);
        first = first_number(io, "p/log", &at);
        got = first == UINT64_MAX ? 0 : read_all(io, "p/log", at, first, 9000, 0);
        ck_assert_msg(got >= acked && got <= appended + 1,
                      "call %llu: acknowledged %llu, recovered %llu of %llu",
                      (unsigned long long)nth, (unsigned long long)acked, (unsigned long long)got,
                      (unsigned long long)appended);
        for (uint64_t i = got; i < got + 5; i++) {
            struct wal_span span;

            ASSERT_OK(append(w, i, 9000, &span, &f), &f);
        }
        ASSERT_OK(wal_close(w, &f), &f);
        if (first != UINT64_MAX)
            ck_assert_uint_eq(read_all(io, "p/log", at, first, 9000, 0), got + 5);
        ASSERT_OK(wal_verify(io, "p/log", NULL, &f), &f);
        seam_io_sim_free(s);
    }
    ck_assert_uint_gt(nth, 50);
}

static void test_wal_power_cut_at_every_call_keeps_every_ack(void)
{
    crash_everywhere(SEAM_SIM_POWER_CUT, true);
}
static void test_wal_failed_sync_at_every_call_acks_nothing_after(void)
{
    crash_everywhere(SEAM_SIM_SYNC_FAIL, true);
}
static void test_wal_eio_at_every_call_then_kill(void)
{
    crash_everywhere(SEAM_SIM_EIO, false);
}
static void test_wal_short_write_at_every_call_then_power_cut(void)
{
    crash_everywhere(SEAM_SIM_SHORT_WRITE, true);
}

static void test_wal_poisoned_log_refuses_everything_until_reopened(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct wal *w = open_log(seam_io_sim_io(s), "log", NULL);
    struct wal_span at;
    struct seam_fault f = {0};

    ASSERT_OK(append(w, 0, 50, &at, &f), &f);
    ASSERT_OK(wal_commit(w, at.end, WAL_DURABLE, &f), &f);
    ASSERT_OK(append(w, 1, 50, &at, &f), &f);
    seam_io_sim_plant(s, SEAM_SIM_SYNC_FAIL, 1, false);
    ASSERT_STATUS(wal_commit(w, at.end, WAL_DURABLE, &f), SEAM_IO);
    seam_io_sim_clear(s);
    seam_fault_clear(&f);
    ASSERT_STATUS(wal_commit(w, at.end, WAL_DURABLE, &f), SEAM_IO);
    ASSERT_STATUS(append(w, 2, 50, &at, &f), SEAM_IO);
    ASSERT_STATUS(wal_flush(w, &f), SEAM_IO);
    ASSERT_STATUS(wal_close(w, &f), SEAM_IO);
    seam_io_sim_reboot(s);
    seam_fault_clear(&f);
    w = open_log(seam_io_sim_io(s), "log", NULL);
    ck_assert_uint_ge(read_all(seam_io_sim_io(s), "log", SEAM_LSN_NONE, 0, 50, 0), 1);
    ASSERT_OK(wal_close(w, &f), &f);
    seam_io_sim_free(s);
}

/* Goal: a flipped bit anywhere in what was acknowledged is found and named; nothing false is read.
 * The last group has only the shared page to vouch for it, so the log is closed by a later
 * record. */
static void test_wal_every_flipped_byte_is_found(void)
{
    struct seam_fault f = {0};
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = open_log(io, "log", NULL);
    struct wal_span at = {0};
    seam_lsn_t end;

    for (uint64_t i = 0; i < 30; i++) {
        ASSERT_OK(append(w, i, 40, &at, &f), &f);
        ASSERT_OK(wal_commit(w, at.end, WAL_DURABLE, &f), &f);
    }
    end = at.start;
    ASSERT_OK(wal_close(w, &f), &f);
    for (uint64_t byte = 0; byte < end; byte++) {
        struct wal_options o = {.io = io, .segment_bytes = SMALL, .log_id = 77};
        uint8_t mask = (uint8_t)(1u << (byte % 8));
        enum seam_status st;

        ck_assert(seam_io_sim_flip(s, "log/0000000000000000.seg", byte, mask));
        w = NULL;
        ASSERT_STATUS(wal_verify(io, "log", NULL, NULL), SEAM_CORRUPT);
        seam_fault_clear(&f);
        st = wal_open("log", &o, &w, NULL, &f);
        ck_assert_msg(st == SEAM_CORRUPT, "byte %llu: %s", (unsigned long long)byte,
                      seam_status_name(st));
        ck_assert_str_eq(f.where, "log/0000000000000000.seg");
        ck_assert_uint_le(f.at, byte);
        ck_assert(seam_io_sim_flip(s, "log/0000000000000000.seg", byte, mask));
    }
    seam_fault_clear(&f);
    w = open_log(io, "log", NULL);
    ck_assert_uint_eq(read_all(io, "log", SEAM_LSN_NONE, 0, 40, 0), 30);
    ASSERT_OK(wal_close(w, &f), &f);
    seam_io_sim_free(s);
}

/* Goal: the valid records of a recycled segment are never read again. */
static void test_wal_recycled_segments_show_nothing_stale(void)
{
    struct seam_fault f = {0};
    struct seam_io *io = seam_io_posix();
    struct wal_span at = {0};
    struct wal_stats stats;
    seam_lsn_t mark = SEAM_LSN_NONE;
    uint64_t n = 0, first = 0;
    struct wal *w = open_log(io, test_dir(), NULL);

    for (int round = 0; round < 20; round++) {
        mark = wal_end_lsn(w);
        first = n;
        for (int i = 0; i < 40; i++) ASSERT_OK(append(w, n++, 8000, &at, &f), &f);
        ASSERT_OK(wal_commit(w, at.end, WAL_DURABLE, &f), &f);
        ASSERT_OK(wal_trim(w, mark, NULL, &f), &f);
        if (round % 3 == 0) {
            wal_stats(w, &stats);
            ASSERT_OK(wal_close(w, &f), &f);
            w = open_log(io, test_dir(), NULL);
        }
        ck_assert_uint_eq(read_all(io, test_dir(), mark, first, 8000, 0), n);
    }
    wal_stats(w, &stats);
    ck_assert_uint_gt(stats.segments_recycled, 0);
    ASSERT_OK(wal_verify(io, test_dir(), NULL, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
    ASSERT_STATUS(wal_reader_open(io, test_dir(), 64, 0, &(struct wal_reader *){NULL}, &f),
                  SEAM_NOT_FOUND);
}

static void test_wal_slots_hold_bound_and_fence(void)
{
    struct seam_fault f = {0};
    struct seam_io *io = seam_io_posix();
    struct seam_clock *clock = seam_clock_real();
    struct wal *w = open_log(io, test_dir(), NULL);
    struct wal_slot *a = NULL, *b = NULL, *c = NULL;
    struct wal_slot_info info[WAL_SLOTS_MAX];
    struct wal_span at = {0};
    size_t count, lost;
    seam_lsn_t oldest = wal_oldest_lsn(w);

    ASSERT_OK(wal_slot_claim(io, clock, test_dir(), "relay", SEAM_LSN_NONE, 0, false, &a, &f), &f);
    ASSERT_OK(
        wal_slot_claim(io, clock, test_dir(), "bounded", SEAM_LSN_NONE, 3 * SMALL, false, &b, &f),
        &f);
    for (uint64_t n = 0; n < 100; n++) ASSERT_OK(append(w, n, 8000, &at, &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, &lost, &f), &f);
    ck_assert_uint_eq(lost, 1);
    ck_assert_uint_eq(wal_oldest_lsn(w), oldest);
    ASSERT_STATUS(wal_slot_advance(b, at.end, NULL), SEAM_STALE);
    wal_slot_release(b);
    b = NULL;
    ASSERT_STATUS(wal_slot_claim(io, clock, test_dir(), "bounded", SEAM_LSN_NONE, 0, true, &b, &f),
                  SEAM_STALE);
    ck_assert_msg(strstr(f.why, "bootstrap") != NULL, "%s", f.why);
    seam_fault_clear(&f);
    ASSERT_OK(wal_slots(io, test_dir(), info, &count, &f), &f);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(info[1].name, "relay");
    ck_assert(info[0].invalid && !info[1].invalid);
    ck_assert_uint_gt(info[1].held_bytes, 3 * SMALL);
    ASSERT_OK(wal_slot_drop(io, test_dir(), "bounded", &f), &f);
    /* Fencing: the second claim raises the epoch, the first holder is refused. */
    ASSERT_STATUS(wal_slot_claim(io, clock, test_dir(), "relay", SEAM_LSN_NONE, 0, false, &c, &f),
                  SEAM_CONFLICT);
    seam_fault_clear(&f);
    ASSERT_OK(wal_slot_check(a, &f), &f);
    ASSERT_OK(wal_slot_claim(io, clock, test_dir(), "relay", SEAM_LSN_NONE, 0, true, &c, &f), &f);
    ASSERT_STATUS(wal_slot_check(a, NULL), SEAM_CONFLICT);
    ASSERT_OK(wal_slot_check(c, &f), &f);
    ASSERT_STATUS(wal_slot_advance(a, at.end, NULL), SEAM_CONFLICT);
    ASSERT_OK(wal_slot_advance(c, at.end, &f), &f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, &lost, &f), &f);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_gt(wal_oldest_lsn(w), oldest);
    ck_assert_uint_le(wal_oldest_lsn(w), at.end);
    wal_slot_release(a);
    wal_slot_release(c);
    ASSERT_OK(wal_close(w, &f), &f);
}

struct committer {
    struct wal *w;
    pthread_mutex_t *order;
    uint64_t *next;
    int commits;
    _Atomic uint64_t *acked; /* highest acknowledged LSN */
};

static void *commit_many(void *arg)
{
    struct committer *c = arg;

    for (int i = 0; i < c->commits; i++) {
        struct wal_span at;
        uint64_t seen;

        pthread_mutex_lock(c->order);
        if (append(c->w, (*c->next)++, 300, &at, NULL) != SEAM_OK) abort();
        pthread_mutex_unlock(c->order);
        if (wal_commit(c->w, at.end, i % 10 == 9 ? WAL_DEFERRED : WAL_DURABLE, NULL) != SEAM_OK)
            abort();
        if (i % 10 == 9) continue;
        if (i % 7 == 0)
            usleep(50); /* comes and goes, so that leaders gather in vain and hand on in time */
        if (wal_durable_lsn(c->w) < at.end) abort();
        seen = atomic_load(c->acked);
        while (seen < at.end && !atomic_compare_exchange_weak(c->acked, &seen, at.end)) {
        }
    }
    return NULL;
}

static void test_wal_many_threads_share_syncs(void)
{
    pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct committer c[8];
    pthread_t t[8];
    _Atomic uint64_t acked = 0;
    uint64_t next = 0;
    struct wal_stats stats;
    struct seam_fault f = {0};
    int each = test_scale(400);

    for (int i = 0; i < 8; i++) {
        c[i] = (struct committer){w, &order, &next, each, &acked};
        ck_assert_int_eq(pthread_create(&t[i], NULL, commit_many, &c[i]), 0);
    }
    for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
    wal_stats(w, &stats);
    ck_assert_uint_eq(stats.commits, 8u * (unsigned)each);
    ck_assert_uint_lt(stats.syncs, stats.commits / 2);
    ASSERT_OK(wal_close(w, &f), &f);
    ck_assert_uint_eq(read_all(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, 300, 0),
                      8u * (unsigned)each);
}

/* Goal: a reader in another process follows a writer that is killed again and again, and sees every
 * record once, in order, and never one that a later writer does not confirm. */
static void write_until_killed(const char *dir)
{
    struct wal *w;
    uint64_t n;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(20);
    w = open_log(seam_io_posix(), dir, NULL);
    n = read_all(seam_io_posix(), dir, SEAM_LSN_NONE, 0, 400, 0);
    for (;; n++) {
        struct wal_span at;

        if (append(w, n, 400, &at, NULL) != SEAM_OK) _exit(1);
        if (wal_commit(w, at.end, n % 5 == 0 ? WAL_DURABLE : WAL_DEFERRED, NULL) != SEAM_OK)
            _exit(1);
    }
}

static void test_wal_reader_follows_a_writer_that_is_killed(void)
{
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};
    uint64_t n = 0;
    uint8_t want[512];

    ASSERT_OK(wal_close(w, &f), &f);
    ASSERT_OK(wal_reader_open(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, &r, &f), &f);
    for (int round = 0; round < test_scale(12); round++) {
        pid_t pid = fork();
        uint64_t until = n + 50 + (uint64_t)round * 13;
        int status;

        if (pid == 0) write_until_killed(test_dir());
        while (n < until) {
            enum seam_status st = wal_reader_next(r, &rec, &f);

            if (st == SEAM_END) {
                ASSERT_OK(wal_reader_wait(r, 20ull * 1000000000), &f);
                continue;
            }
            ASSERT_OK(st, &f);
            ck_assert_uint_eq(rec.size, payload(n, 400, want));
            ck_assert(memcmp(rec.data, want, rec.size) == 0);
            n++;
        }
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    }
    w = open_log(seam_io_posix(), test_dir(), NULL);
    ck_assert_uint_ge(read_all(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, 400, 0), n);
    wal_reader_close(r);
    ASSERT_OK(wal_close(w, &f), &f);
}

/* Nothing is ever appended: only the wake can end a wait without end. */
static void *wake_reader(void *arg)
{
    usleep(20000);
    wal_reader_wake(arg);
    return NULL;
}

static void test_wal_a_waiting_reader_can_be_woken(void)
{
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};
    pthread_t thread;

    ASSERT_OK(wal_reader_open(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, &r, &f), &f);
    ASSERT_STATUS(wal_reader_wait(r, 0), SEAM_TIMEOUT);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_reader, r), 0);
    ASSERT_OK(wal_reader_wait(r, UINT64_MAX), NULL);
    pthread_join(thread, NULL);
    ASSERT_STATUS(wal_reader_next(r, &rec, NULL), SEAM_END);
    ASSERT_STATUS(wal_reader_wait(r, 0), SEAM_TIMEOUT); /* one wake ends one wait */
    wal_reader_close(r);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_wal_one_writer_and_limits(void)
{
    struct wal_options o = {.segment_bytes = SMALL, .log_id = 77};
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL), *second = NULL;
    struct seam_fault f = {0};
    struct wal_span at;
    uint8_t byte = 0;
    int status;
    pid_t pid;

    ASSERT_STATUS(wal_append(w, 1, (struct seam_io_slice[]){{&byte, WAL_PAYLOAD_MAX}, {&byte, 1}},
                             2, &at, &f),
                  SEAM_LIMIT);
    seam_fault_clear(&f);
    pid = fork();
    if (pid == 0) _exit(wal_open(test_dir(), &o, &second, NULL, NULL) == SEAM_CONFLICT ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ASSERT_OK(append(w, 0, 50, &at, &f), &f);
    ASSERT_OK(wal_close(w, &f), &f);
    o.log_id = 78;
    ASSERT_STATUS(wal_open(test_dir(), &o, &second, NULL, &f), SEAM_CONFLICT);
}

static void test_wal_heartbeats_only_when_idle(void)
{
    struct seam_clock_sim clock;
    struct wal_options o = {.clock = &clock.clock, .segment_bytes = SMALL};
    struct wal *w = NULL;
    struct wal_stats stats;
    struct wal_span at;
    struct seam_fault f = {0};

    seam_clock_sim_init(&clock, 1000000);
    ASSERT_OK(wal_open(test_dir(), &o, &w, NULL, &f), &f);
    for (int i = 0; i < 40; i++) {
        seam_clock_sim_advance(&clock, 100000);
        ASSERT_OK(wal_heartbeat(w, &f), &f);
    }
    wal_stats(w, &stats);
    ck_assert_uint_ge(stats.heartbeats, 3);
    ck_assert_uint_le(stats.heartbeats, 4);
    for (uint64_t i = 0; i < 40; i++) {
        seam_clock_sim_advance(&clock, 100000);
        ASSERT_OK(append(w, i, 50, &at, &f), &f);
        ASSERT_OK(wal_commit(w, at.end, WAL_DEFERRED, &f), &f);
        ASSERT_OK(wal_heartbeat(w, &f), &f);
    }
    ck_assert_uint_eq(stats.heartbeats, 3 + (stats.heartbeats == 4));
    ASSERT_OK(wal_close(w, &f), &f);
}

struct archive {
    uint64_t next;
    int failures;
};

static enum seam_status keep_segment(void *ctx, const char *path, uint64_t segment,
                                     seam_lsn_t start, seam_lsn_t end, struct seam_fault *f)
{
    struct archive *a = ctx;

    if (a->failures > 0) {
        a->failures--;
        return seam_fault_set(f, SEAM_IO, path, SEAM_FAULT_NO_OFFSET, "the archive is full");
    }
    ck_assert_uint_eq(segment, a->next++); /* each once, in order, while it is still there */
    ck_assert(seam_io_exists(seam_io_posix(), path));
    ck_assert_uint_eq(start / SMALL, segment);
    ck_assert_uint_eq(end, (segment + 1) * SMALL);
    return SEAM_OK;
}

static void test_wal_archive_has_every_segment_before_it_goes(void)
{
    struct archive a = {.failures = 1};
    struct wal_options o = {.segment_bytes = SMALL, .archive = {keep_segment, &a}};
    struct wal *w = NULL;
    struct wal_span at;
    struct seam_fault f = {0};
    seam_lsn_t oldest;

    ASSERT_OK(wal_open(test_dir(), &o, &w, NULL, &f), &f);
    oldest = wal_oldest_lsn(w);
    for (uint64_t n = 0; n < 60; n++) ASSERT_OK(append(w, n, 8000, &at, &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_STATUS(wal_trim(w, SEAM_LSN_MAX, NULL, &f), SEAM_IO);
    ck_assert_uint_eq(wal_oldest_lsn(w), oldest); /* what is not archived stays */
    seam_fault_clear(&f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, NULL, &f), &f);
    ck_assert_uint_eq(a.next, at.end / SMALL);
    ck_assert_uint_eq(wal_oldest_lsn(w) / SMALL, a.next);
    ASSERT_OK(wal_close(w, &f), &f);
}

/* Goal: entering the log at any byte finds exactly the next record that begins there or later. */
static void test_wal_can_be_entered_at_any_byte(void)
{
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct wal_span at[60];
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};
    uint64_t n = 0;

    for (uint64_t i = 0; i < 60; i++) ASSERT_OK(append(w, i, 6000, &at[i], &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(wal_reader_open(seam_io_posix(), test_dir(), SEAM_LSN_NONE, 0, &r, &f), &f);
    for (seam_lsn_t lsn = 0; lsn < at[59].end; lsn += 8 * (1 + lsn % 5)) {
        while (n < 60 && at[n].start < lsn) n++;
        if (n == 60) {
            ASSERT_STATUS(wal_reader_resync(r, lsn, &f), SEAM_END);
            ck_assert_uint_eq(wal_reader_position(r), at[59].end);
            continue;
        }
        ASSERT_OK(wal_reader_resync(r, lsn, &f), &f);
        ck_assert_uint_eq(wal_reader_position(r), at[n].start);
        ASSERT_OK(wal_reader_next(r, &rec, &f), &f);
        ck_assert_uint_eq(rec.end, at[n].end);
    }
    wal_reader_close(r);
    ASSERT_OK(wal_close(w, &f), &f);
}

static void test_wal_dump_explains_bytes(void)
{
    struct wal *w = open_log(seam_io_posix(), test_dir(), NULL);
    struct wal_change_row row = {.txn = 9,
                                 .table = 3,
                                 .version = 2,
                                 .op = WAL_OP_INSERT,
                                 .key = {(const uint8_t *)"kk", 2},
                                 .after = {(const uint8_t *)"after", 5}};
    struct seam_buf b = {0}, text = {0};
    struct wal_span at;
    struct seam_fault f = {0};
    char path[400];

    wal_change_put_row(&b, &row);
    ASSERT_OK(wal_append(w, WAL_CHANGE_ROW, &(struct seam_io_slice){b.data, b.size}, 1, &at, &f),
              &f);
    ASSERT_OK(wal_close(w, &f), &f);
    (void)snprintf(path, sizeof path, "%s/0000000000000000.seg", test_dir());
    ASSERT_OK(wal_dump(seam_io_posix(), path, 0, 10, &text, &f), &f);
    ck_assert_ptr_ne(
        strstr(seam_buf_cstr(&text), "row txn 9 seq 0 table 3 v2 insert key 2 B after 5 B"), NULL);
    ck_assert_ptr_ne(strstr(seam_buf_cstr(&text), "log id 4d"), NULL);
    seam_buf_free(&b);
    seam_buf_free(&text);
}

static const struct named_test tests[] = {
    T(test_wal_records_come_back_across_segments_and_reopens),
    T(test_wal_readers_see_only_what_is_durable),
    T(test_wal_truncated_anywhere_recovers_a_prefix),
    T(test_wal_power_cut_at_every_call_keeps_every_ack),
    T(test_wal_failed_sync_at_every_call_acks_nothing_after),
    T(test_wal_eio_at_every_call_then_kill),
    T(test_wal_short_write_at_every_call_then_power_cut),
    T(test_wal_poisoned_log_refuses_everything_until_reopened),
    T(test_wal_every_flipped_byte_is_found),
    T(test_wal_recycled_segments_show_nothing_stale),
    T(test_wal_slots_hold_bound_and_fence),
    T(test_wal_many_threads_share_syncs),
    T(test_wal_reader_follows_a_writer_that_is_killed),
    T(test_wal_a_waiting_reader_can_be_woken),
    T(test_wal_one_writer_and_limits),
    T(test_wal_heartbeats_only_when_idle),
    T(test_wal_archive_has_every_segment_before_it_goes),
    T(test_wal_can_be_entered_at_any_byte),
    T(test_wal_dump_explains_bytes),
};

int main(int argc, char **argv)
{
    return run_tests("wal", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
