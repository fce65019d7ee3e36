/* Where the log ends, asked at its edges: after a failed sync and a restart without a reboot, by a reader that comes before any
 * writer, beside a shared page or a folder of another moment. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "tests/common/restart.h"
#include "wal/wal.h"

enum { SMALL = WAL_SEGMENT_MIN };
static const char segment0[] = "log/0000000000000000.seg";

static enum seam_status open_as(struct seam_io *io, struct wal **w, struct seam_fault *f)
{
    struct wal_options o = {
        .io = io, .segment_bytes = SMALL, .buffer_bytes = 16 << 10, .log_id = 77};

    *w = NULL;
    return wal_open("log", &o, w, NULL, f);
}

static struct wal *open_log(struct seam_io *io)
{
    struct wal *w;
    struct seam_fault f = {0};

    ASSERT_OK(open_as(io, &w, &f), &f);
    return w;
}

/* Record n is n, then size - 8 bytes of it. */
static enum seam_status append(struct wal *w, uint64_t n, size_t size, struct wal_span *at,
                               struct seam_fault *f)
{
    uint8_t *p = malloc(size);
    enum seam_status st;

    ck_assert(p != NULL && size >= 8);
    memset(p, (int)(n & 0xff), size);
    memcpy(p, &n, 8);
    st = wal_append(w, 9, &(struct seam_io_slice){p, size}, 1, at, f);
    free(p);
    return st;
}

static void commit(struct wal *w, uint64_t n, size_t size)
{
    struct wal_span at;
    struct seam_fault f = {0};

    ASSERT_OK(append(w, n, size, &at, &f), &f);
    ASSERT_OK(wal_commit(w, at.end, WAL_DURABLE, &f), &f);
}

/* How many records 0, 1, 2 ... a reader finds; *end: what it calls visible. */
static uint64_t count(struct seam_io *io, seam_lsn_t *end)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct seam_fault f = {0};
    uint64_t n = 0;
    enum seam_status st;

    ASSERT_OK(wal_reader_open(io, "log", SEAM_LSN_NONE, 0, &r, &f), &f);
    while ((st = wal_reader_next(r, &rec, &f)) == SEAM_OK) {
        ck_assert_uint_eq(seam_get_u64(rec.data), n);
        n++;
    }
    check_ok(st == SEAM_END ? SEAM_OK : st, &f, __FILE__, __LINE__);
    if (end != NULL) *end = wal_reader_visible(r);
    wal_reader_close(r);
    return n;
}

/* ---- a failed sync, a restart, and on ---- */

static uint64_t write_log(void *ctx, struct seam_io *io, uint64_t from, uint64_t n)
{
    size_t size = *(const size_t *)ctx;
    struct wal *w;
    uint64_t done = from;

    if (open_as(io, &w, NULL) != SEAM_OK) return from;
    for (; done < from + n; done++) {
        struct wal_span at;

        if (append(w, done, size, &at, NULL) != SEAM_OK ||
            wal_commit(w, at.end, WAL_DURABLE, NULL) != SEAM_OK)
            break;
    }
    (void)wal_close(w, NULL);
    return done;
}

static uint64_t held_log(void *ctx, struct seam_io *io)
{
    uint64_t n;
    struct wal *w = open_log(io);

    (void)ctx;
    n = count(io, NULL);
    ASSERT_OK(wal_close(w, &(struct seam_fault){0}), &(struct seam_fault){0});
    ASSERT_OK(wal_verify(io, "log", NULL, &(struct seam_fault){0}), &(struct seam_fault){0});
    return n;
}

/* Goal: what a reopened log holds, and what it acknowledges then, outlives a power cut, whichever sync failed before.
 * Method: small records in one segment, and records that take several segments. */
static void test_wal_restart_after_a_failed_sync_at_every_call(void)
{
    size_t small = 600, large = 40000;
    struct restart_store s = {.name = "log", .ctx = &small, .write = write_log, .held = held_log};

    restart_everywhere(&s, 6);
    s.ctx = &large;
    restart_everywhere(&s, 6);
}

/* Goal: the same without a mark: the process was killed between the failed sync and saying so. */
static void test_wal_restart_after_a_failed_sync_that_left_no_mark(void)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct wal *w = open_log(io);
        struct wal_span at;
        struct seam_fault f = {0};

        for (uint64_t n = 0; n < 3; n++) commit(w, n, 600);
        ASSERT_OK(append(w, 3, 600, &at, &f), &f);
        seam_io_sim_plant(s, SEAM_SIM_SYNC_FAIL, 1, false);
        ASSERT_STATUS(wal_commit(w, at.end, WAL_DURABLE, NULL), SEAM_IO);
        seam_io_sim_clear(s);
        seam_io_sim_kill(s);
        (void)wal_close(w, NULL);
        ASSERT_OK(seam_io_unlink(io, "log/unsynced", &f), &f);
        w = open_log(io);
        for (uint64_t n = 4; n < 7; n++) commit(w, n, 600);
        seam_io_sim_reboot(s);
        (void)wal_close(w, NULL);
        w = open_log(io);
        ck_assert_uint_eq(count(io, NULL), 7);
        (void)wal_close(w, NULL);
        seam_io_sim_free(s);
    }
}

/* ---- a record that was cut off stays cut off (invariant 3) ---- */

static void test_wal_a_record_that_was_cut_off_never_comes_back(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = open_log(io);
    struct wal_span at, second;
    struct seam_fault f = {0};

    ASSERT_OK(append(w, 0, 40, &at, &f), &f);
    ASSERT_OK(append(w, 1, 40, &second, &f), &f);
    ASSERT_OK(append(w, 2, 40, &at, &f), &f);
    ASSERT_OK(wal_commit(w, at.end, WAL_WRITTEN, &f), &f); /* nothing vouches for them */
    seam_io_sim_kill(s);
    (void)wal_close(w, NULL);
    ck_assert(seam_io_sim_flip(s, segment0, second.start + 30, 0x55));
    for (int round = 0; round < 3; round++) {
        w = open_log(io);
        if (round == 0) { /* in the place of the one that was torn, to the byte */
            ASSERT_OK(append(w, 1, 40, &at, &f), &f);
            ck_assert_uint_eq(at.start, second.start);
            ASSERT_OK(wal_flush(w, &f), &f);
        }
        ck_assert_uint_eq(count(io, NULL), 2);
        seam_io_sim_kill(s);
        (void)wal_close(w, NULL);
        (void)!seam_io_unlink_if_there(io, "log/shared", NULL);
    }
    seam_io_sim_free(s);
}

/* ---- readers that come first ---- */

/* Goal: after a power cut a reader that comes before any writer sees what was acknowledged, and makes no file. */
static void test_wal_a_reader_after_a_power_cut_sees_what_was_acknowledged(void)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct wal *w = open_log(io);
        struct seam_io_list before = {0}, after = {0};
        struct wal_state state;
        struct wal_check check;
        struct seam_fault f = {0};
        seam_lsn_t acked, end;
        uint64_t calls;

        for (uint64_t n = 0; n < 5 + seed % 20; n++) commit(w, n, 5000);
        acked = wal_durable_lsn(w);
        seam_io_sim_reboot(s);
        (void)wal_close(w, NULL);
        if (seed % 4 == 0) (void)!seam_io_unlink_if_there(io, "log/shared", NULL);
        calls = seam_io_sim_calls(s);
        ASSERT_OK(seam_io_list(io, "log", &before, &f), &f);
        ck_assert_uint_eq(count(io, &end), 5 + seed % 20);
        ck_assert_uint_eq(end, acked);
        ASSERT_OK(wal_state(io, "log", &state, &f), &f);
        ck_assert_uint_eq(state.durable, acked);
        ck_assert(!state.writer_alive && state.writer_pid == 0);
        ASSERT_OK(wal_verify(io, "log", &check, &f), &f);
        ck_assert_uint_eq(check.end, acked);
        ASSERT_OK(seam_io_list(io, "log", &after, &f), &f);
        ck_assert_uint_eq(before.count, after.count);
        ck_assert_uint_eq(seam_io_sim_calls(s), calls); /* nothing was written or made */
        seam_io_list_free(&before);
        seam_io_list_free(&after);
        w = open_log(io);
        ck_assert_uint_eq(wal_durable_lsn(w), acked);
        ASSERT_OK(wal_close(w, &f), &f);
        seam_io_sim_free(s);
    }
}

/* Goal: an older page beside a newer log is not believed, and a reader that waits finds the writer that comes. */
static void test_wal_an_older_shared_page_is_not_believed(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = open_log(io);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_span at;
    struct seam_fault f = {0};
    void *page = NULL;
    uint8_t older[4096];

    commit(w, 0, 100);
    ASSERT_OK(seam_io_map_shared(io, "log/shared", sizeof older, SEAM_MAP_JOIN, &page, &f), &f);
    memcpy(older, page, sizeof older);
    for (uint64_t n = 1; n < 6; n++) commit(w, n, 100);
    ASSERT_OK(wal_close(w, &f), &f);
    memcpy(page, older, sizeof older); /* as it was written back before: same boot, writer gone */
    ck_assert_uint_eq(count(io, NULL), 6);
    ASSERT_OK(wal_reader_open(io, "log", SEAM_LSN_NONE, 0, &r, &f), &f);
    for (int i = 0; i < 6; i++) ASSERT_OK(wal_reader_next(r, &rec, &f), &f);
    ASSERT_STATUS(wal_reader_next(r, &rec, &f), SEAM_END);
    ASSERT_STATUS(wal_reader_wait(r, 1000000), SEAM_TIMEOUT);
    w = open_log(io);
    ASSERT_STATUS(wal_reader_next(r, &rec, &f), SEAM_END);
    ASSERT_OK(append(w, 6, 100, &at, &f), &f);
    ASSERT_OK(wal_commit(w, at.end, WAL_WRITTEN, &f), &f);
    ASSERT_STATUS(wal_reader_next(r, &rec, &f), SEAM_END); /* the living writer has not synced it */
    ASSERT_OK(wal_flush(w, &f), &f);
    ASSERT_OK(wal_reader_wait(r, UINT64_MAX), &f);
    ASSERT_OK(wal_reader_next(r, &rec, &f), &f);
    ck_assert_uint_eq(seam_get_u64(rec.data), 6);
    wal_reader_close(r);
    ASSERT_OK(wal_close(w, &f), &f);
    seam_io_unmap_shared(io, page, sizeof older);
    seam_io_sim_free(s);
}

/* Goal: the last segment gone, the page with it: said by every opening and by verify, instead of a shorter log. */
static void test_wal_a_lost_last_segment_is_missed(void)
{
    for (int records = 1; records < 40; records += 19) { /* one segment; four of them */
        struct seam_io_sim *s = seam_io_sim_new(test_seed());
        struct seam_io *io = seam_io_sim_io(s);
        struct wal *w = open_log(io);
        struct wal_reader *r = NULL;
        struct wal_state state;
        struct seam_fault f = {0};
        char path[100];

        for (int n = 0; n < records; n++) commit(w, (uint64_t)n, 9000);
        (void)snprintf(path, sizeof path, "log/%016llx.seg",
                       (unsigned long long)(wal_durable_lsn(w) / SMALL));
        ASSERT_OK(wal_close(w, &f), &f);
        ASSERT_OK(seam_io_unlink(io, path, &f), &f);
        ASSERT_OK(seam_io_unlink(io, "log/shared", &f), &f);
        ASSERT_STATUS(wal_reader_open(io, "log", SEAM_LSN_NONE, 0, &r, &f), SEAM_CORRUPT);
        ck_assert_str_eq(f.where, path);
        ASSERT_STATUS(wal_state(io, "log", &state, NULL), SEAM_CORRUPT);
        ASSERT_STATUS(wal_verify(io, "log", NULL, NULL), SEAM_CORRUPT);
        seam_fault_clear(&f);
        ASSERT_STATUS(open_as(io, &w, &f), SEAM_CORRUPT);
        ck_assert_str_eq(f.where, path);
        seam_io_sim_free(s);
    }
}

/* ---- durable is the end of a whole record (invariant 1) ---- */

enum { SEEN_MAX = 4096 };
struct flusher {
    struct wal *w;
    seam_lsn_t seen[SEEN_MAX]; /* what was called durable */
    size_t count;
};

static void *flush_until(void *arg)
{
    struct flusher *o = arg;

    while (wal_flush(o->w, NULL) == SEAM_OK)
        if (o->count < SEEN_MAX) o->seen[o->count++] = wal_durable_lsn(o->w);
    return NULL;
}

/* Goal: a sync in the middle of a record of many fragments promises nothing of it. Method: another thread syncs all the
 * time; the power goes at call 1, 2, 3 ...; a promise too much would be found broken when the log is opened again. */
static void test_wal_a_half_record_is_never_promised(void)
{
    for (uint64_t nth = 30; nth < 30 + (uint64_t)test_scale(120); nth++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + nth);
        struct seam_io *io = seam_io_sim_io(s);
        struct wal *w = open_log(io);
        struct wal_span at;
        struct seam_fault f = {0};
        static struct flusher o;
        static seam_lsn_t ends[SEEN_MAX];
        size_t whole = 0;
        pthread_t other;

        commit(w, 0, 100);
        o = (struct flusher){.w = w};
        ends[whole++] = wal_durable_lsn(w);
        seam_io_sim_plant(s, SEAM_SIM_POWER_CUT, nth, true);
        ck_assert_int_eq(pthread_create(&other, NULL, flush_until, &o), 0);
        for (uint64_t n = 1; append(w, n, 60000, &at, NULL) == SEAM_OK; n++)
            if (whole < SEEN_MAX) ends[whole++] = at.end;
        ck_assert_int_eq(pthread_join(other, NULL), 0);
        for (size_t i = 0, k = 0; i < o.count; i++) {
            while (k + 1 < whole && ends[k] < o.seen[i]) k++;
            ck_assert_uint_eq(o.seen[i], ends[k]);
        }
        (void)wal_close(w, NULL);
        seam_io_sim_clear(s);
        seam_io_sim_reboot(s);
        ASSERT_OK(open_as(io, &w, &f), &f);
        ck_assert_uint_ge(count(io, NULL), 1);
        ASSERT_OK(wal_close(w, &f), &f);
        seam_io_sim_free(s);
    }
}

/* ---- slots ---- */

static struct wal_slot *claim(struct seam_io *io, const char *name)
{
    struct wal_slot *slot = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(wal_slot_claim(io, seam_clock_real(), "log", name, SEAM_LSN_NONE, 0, true, &slot, &f),
              &f);
    return slot;
}

static void test_wal_a_slot_never_moves_back(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = open_log(io);
    struct wal_slot *slot = claim(io, "relay");
    struct wal_slot_info info[WAL_SLOTS_MAX];
    struct seam_fault f = {0};
    size_t n;
    seam_lsn_t early, late;

    commit(w, 0, 100);
    early = wal_durable_lsn(w);
    commit(w, 1, 100);
    late = wal_durable_lsn(w);
    ASSERT_OK(wal_slot_advance(slot, late, &f), &f);
    ASSERT_OK(wal_slot_advance(slot, early, &f), &f);
    ck_assert_uint_eq(wal_slot_info(slot)->confirmed, late);
    ASSERT_OK(wal_slots(io, "log", info, &n, &f), &f);
    ck_assert_uint_eq(info[0].confirmed, late);
    wal_slot_release(slot);
    ASSERT_OK(wal_close(w, &f), &f);
    seam_io_sim_free(s);
}

/* Goal: a slot that cannot be read keeps the whole log, and is shown: by the trim, the writer's stats, every process's look
 * at the log, the list, verify; dropping it ends all that. Each of its bytes. */
static void test_wal_a_damaged_slot_is_shown_and_can_be_dropped(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = open_log(io);
    struct wal_slot *slot = claim(io, "relay");
    struct wal_slot_info info[WAL_SLOTS_MAX];
    struct wal_stats stats;
    struct wal_state state;
    struct seam_fault f = {0};
    struct seam_buf bytes = {0};
    size_t n;
    seam_lsn_t oldest;

    for (uint64_t k = 0; k < 20; k++) commit(w, k, 9000);
    ASSERT_OK(wal_slot_advance(slot, wal_durable_lsn(w), &f), &f);
    wal_slot_release(slot);
    oldest = wal_oldest_lsn(w);
    ASSERT_OK(seam_io_read_all(io, "log/relay.slot", 4096, &bytes, &f), &f);
    for (uint64_t at = 0; at < bytes.size; at++) {
        ck_assert(seam_io_sim_flip(s, "log/relay.slot", at, 0x04));
        ASSERT_OK(wal_slots(io, "log", info, &n, &f), &f);
        ck_assert(n == 1 && info[0].damaged && info[0].reason[0] != '\0');
        ASSERT_STATUS(wal_trim(w, SEAM_LSN_MAX, NULL, NULL), SEAM_CORRUPT);
        ck_assert_uint_eq(wal_oldest_lsn(w), oldest);
        wal_stats(w, &stats);
        ck_assert_int_eq(stats.trouble_status, SEAM_CORRUPT);
        ck_assert(strstr(stats.trouble, "slot is damaged") != NULL);
        ASSERT_OK(wal_state(io, "log", &state, &f), &f);
        ck_assert_int_eq(state.trouble_status, SEAM_CORRUPT);
        ck_assert_str_eq(state.trouble, stats.trouble);
        ASSERT_STATUS(wal_verify(io, "log", NULL, NULL), SEAM_CORRUPT);
        ck_assert(seam_io_sim_flip(s, "log/relay.slot", at, 0x04));
    }
    ck_assert(seam_io_sim_flip(s, "log/relay.slot", 100, 0x04));
    ASSERT_OK(wal_slot_drop(io, "log", "relay", &f), &f);
    ASSERT_OK(wal_trim(w, SEAM_LSN_MAX, NULL, &f), &f);
    ck_assert_uint_gt(wal_oldest_lsn(w), oldest);
    ASSERT_OK(wal_state(io, "log", &state, &f), &f);
    ck_assert_int_eq(state.trouble_status, SEAM_OK);
    ASSERT_OK(wal_close(w, &f), &f);
    seam_buf_free(&bytes);
    seam_io_sim_free(s);
}

/* Each change is confirmed by a slot; the slot must not be further back than what was acknowledged, nor the log gone that
 * it needs. */
static uint64_t write_slot(void *ctx, struct seam_io *io, uint64_t from, uint64_t n)
{
    struct wal_slot *slot = NULL;
    struct wal *w;
    uint64_t done = from;

    (void)ctx;
    if (open_as(io, &w, NULL) != SEAM_OK) return from;
    if (wal_slot_claim(io, seam_clock_real(), "log", "relay", SEAM_LSN_NONE, 0, true, &slot,
                       NULL) == SEAM_OK)
        for (; done < from + n; done++) {
            struct wal_span at;

            if (append(w, done, 30000, &at, NULL) != SEAM_OK ||
                wal_commit(w, at.end, WAL_DURABLE, NULL) != SEAM_OK ||
                wal_slot_advance(slot, at.end, NULL) != SEAM_OK)
                break;
            (void)!wal_trim(w, at.start, NULL, NULL); /* the last one is kept */
        }
    wal_slot_release(slot);
    (void)wal_close(w, NULL);
    return done;
}

static uint64_t held_slot(void *ctx, struct seam_io *io)
{
    struct wal *w = open_log(io);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_slot_info info[WAL_SLOTS_MAX];
    struct seam_fault f = {0};
    uint64_t n = 0;
    size_t slots;

    (void)ctx;
    ASSERT_OK(wal_slots(io, "log", info, &slots, &f), &f);
    ASSERT_OK(wal_reader_open(io, "log", SEAM_LSN_NONE, 0, &r, &f), &f);
    while (wal_reader_next(r, &rec, &f) == SEAM_OK)
        if (slots == 1 && rec.end <= info[0].confirmed) n = seam_get_u64(rec.data) + 1;
    wal_reader_close(r);
    ASSERT_OK(wal_verify(io, "log", NULL, &f), &f);
    /* What was written and not confirmed is given again: the next change takes the next number all the same. */
    if (slots == 1 && wal_durable_lsn(w) > info[0].confirmed) {
        struct wal_slot *slot = claim(io, "relay");
        seam_lsn_t end = wal_durable_lsn(w);

        ASSERT_OK(wal_reader_open(io, "log", SEAM_LSN_NONE, 0, (r = NULL, &r), &f), &f);
        while (wal_reader_next(r, &rec, &f) == SEAM_OK) n = seam_get_u64(rec.data) + 1;
        wal_reader_close(r);
        ASSERT_OK(wal_slot_advance(slot, end, &f), &f);
        wal_slot_release(slot);
    }
    ASSERT_OK(wal_close(w, &f), &f);
    return n;
}

static void test_wal_restart_of_slots_after_a_failed_sync_at_every_call(void)
{
    restart_everywhere(&(struct restart_store){"slot", NULL, write_slot, held_slot}, 5);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_wal_restart_after_a_failed_sync_at_every_call),
        T(test_wal_restart_after_a_failed_sync_that_left_no_mark),
        T(test_wal_a_record_that_was_cut_off_never_comes_back),
        T(test_wal_a_reader_after_a_power_cut_sees_what_was_acknowledged),
        T(test_wal_an_older_shared_page_is_not_believed),
        T(test_wal_a_lost_last_segment_is_missed),
        T(test_wal_a_half_record_is_never_promised),
        T(test_wal_a_slot_never_moves_back),
        T(test_wal_a_damaged_slot_is_shown_and_can_be_dropped),
        T(test_wal_restart_of_slots_after_a_failed_sync_at_every_call),
    };

    return run_tests("wal ends", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
