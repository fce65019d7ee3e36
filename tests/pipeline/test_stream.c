/* The stream against a naive twin: every place can be found, every gap and every flipped byte is
 * noticed. */
#include <stdio.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "pipeline/sinks/deadletter.h"
#include "pipeline/stream/compacted.h"
#include "pipeline/stream/feed.h"
#include "pipeline/stream/stream.h"
#include "tests/common/check_main.h"
#include "tests/common/restart.h"

enum { TXNS = 300 };

/* Writes TXNS transactions; transaction k commits at LSN 100 + 10 k, has k % 4 + 1 events, at time
 * 1000 k. */
static uint64_t events_of(uint64_t k)
{
    return k % 4 + 1;
}
static seam_lsn_t lsn_of(uint64_t k)
{
    return 104 + 8 * k;
}

static struct stream_writer *open_writer(struct seam_io *io, const char *dir,
                                         const struct stream_writer_options *o)
{
    struct stream_writer_options plain = {.log_id = 5, .segment_bytes = WAL_SEGMENT_MIN};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    struct seam_fault f = {0};

    ASSERT_OK(stream_writer_open(io, dir, o != NULL ? o : &plain, &w, &tail, &f), &f);
    return w;
}

static void write_transaction(struct stream_writer *w, uint64_t k)
{
    struct stream_transaction t = {
        .lsn = lsn_of(k), .txn = k, .total = events_of(k), .wall_us = (int64_t)(1000 * k)};
    uint8_t row[400] = {0};
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    seam_put_u64(row, k);
    ASSERT_OK(stream_begin(w, &t, &f), &f);
    for (uint64_t seq = 0; seq < t.total; seq++) {
        struct wal_change_row c = {.txn = k,
                                   .seq = seq,
                                   .table = 1,
                                   .version = 1,
                                   .op = WAL_OP_INSERT,
                                   .key = {row, 8},
                                   .after = {row, sizeof row}};

        wal_change_put_row(&b, &c);
        ASSERT_OK(stream_event_put(w, WAL_CHANGE_ROW, b.data, b.size, &f), &f);
        seam_buf_clear(&b);
    }
    ASSERT_OK(stream_end(w, &f), &f);
    seam_buf_free(&b);
}

static void write_all(struct seam_io *io, const char *dir)
{
    struct seam_clock_sim clock;
    struct stream_writer_options o = {
        .clock = &clock.clock, .log_id = 5, .segment_bytes = WAL_SEGMENT_MIN};
    struct stream_writer *w;
    struct seam_fault f = {0};

    seam_clock_sim_init(&clock, 0);
    w = open_writer(io, dir, &o);
    for (uint64_t k = 0; k < TXNS; k++) {
        write_transaction(w, k);
        clock.wall_us = 1000 * (int64_t)k;
        if (k % 50 == 49) ASSERT_OK(stream_heartbeat(w, lsn_of(k), &f), &f);
    }
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

/* The first event that is not a heartbeat, from a place. */
static enum seam_status first_event(struct seam_io *io, const char *dir, enum stream_from from,
                                    int64_t number, struct stream_event *e)
{
    struct stream_reader *r = NULL;
    enum seam_status st = stream_reader_open(io, dir, from, number, &r, NULL);

    if (st == SEAM_OK) {
        do {
            st = stream_reader_next(r, e, NULL);
        } while (st == SEAM_OK && e->kind == STREAM_BEAT);
    }
    stream_reader_close(r);
    return st;
}

static void test_stream_every_place_is_found_by_offset_lsn_and_time(void)
{
    struct stream_event e;
    uint64_t offset = 0;

    write_all(seam_io_posix(), test_dir());
    for (uint64_t k = 0; k < TXNS; k++) {
        for (uint64_t seq = 0; seq < events_of(k); seq++, offset++) {
            ASSERT_STATUS(
                first_event(seam_io_posix(), test_dir(), STREAM_FROM_OFFSET, (int64_t)offset, &e),
                SEAM_OK);
            ck_assert_uint_eq(e.offset, offset);
            ck_assert_uint_eq(e.txn, k);
            ck_assert_uint_eq(e.seq, seq);
        }
        ASSERT_STATUS(
            first_event(seam_io_posix(), test_dir(), STREAM_FROM_LSN, (int64_t)lsn_of(k) - 1, &e),
            SEAM_OK);
        ck_assert_uint_eq(e.txn, k);
        ck_assert_uint_eq(e.seq, 0);
        ASSERT_STATUS(
            first_event(seam_io_posix(), test_dir(), STREAM_FROM_LSN, (int64_t)lsn_of(k), &e),
            k + 1 < TXNS ? SEAM_OK : SEAM_END);
        if (k + 1 < TXNS) ck_assert_uint_eq(e.txn, k + 1);
        ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_TIME,
                                  (int64_t)(1000 * k) - 999, &e),
                      SEAM_OK);
        ck_assert_uint_eq(e.txn, k);
    }
    ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_OFFSET, (int64_t)offset, &e),
                  SEAM_END);
    ASSERT_STATUS(
        first_event(seam_io_posix(), test_dir(), STREAM_FROM_OFFSET, (int64_t)offset + 1, &e),
        SEAM_NOT_FOUND);
    ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_END, 0, &e), SEAM_END);
}

static void test_stream_lsn_beyond_the_end_passes_over_what_comes_again(void)
{
    struct stream_writer *w = open_writer(seam_io_posix(), test_dir(), NULL);
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct seam_fault f = {0};

    for (uint64_t k = 0; k < 5; k++) write_transaction(w, k);
    ASSERT_OK(stream_flush(w, &f), &f);
    ASSERT_OK(stream_reader_open(seam_io_posix(), test_dir(), STREAM_FROM_LSN, (int64_t)lsn_of(7),
                                 &r, &f),
              &f);
    ASSERT_STATUS(stream_reader_next(r, &e, &f), SEAM_END);
    for (uint64_t k = 5; k < 10; k++) write_transaction(w, k);
    ASSERT_OK(stream_flush(w, &f), &f);
    ASSERT_OK(stream_reader_wait(r, 0), &f);
    ASSERT_OK(stream_reader_next(r, &e, &f), &f);
    ck_assert_uint_eq(e.txn, 8);
    stream_reader_close(r);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

/* An empty store on a stream whose start is gone must be told so: begun in the middle, it would
 * serve half the shop and look caught up. */
static void test_feed_of_an_empty_store_refuses_a_trimmed_stream(void)
{
    struct stream_writer_options o = {
        .log_id = 5, .segment_bytes = WAL_SEGMENT_MIN, .retain_bytes = 1};
    struct platform p = {.io = seam_io_posix()};
    struct stream_writer *w;
    struct stream_feed *feed = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    size_t lost;

    snprintf(p.dir, sizeof p.dir, "%s", test_dir());
    ASSERT_OK(platform_path(&p, "stream", dir, &f), &f);
    w = open_writer(p.io, dir, &o);
    for (uint64_t k = 0; k < TXNS; k++) write_transaction(w, k);
    ASSERT_OK(stream_sync(w, NULL, &f), &f);
    ASSERT_OK(stream_feed_open(&p, NULL, SEAM_LSN_NONE, NULL, &feed, &f), &f);
    stream_feed_close(feed);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_STATUS(stream_feed_open(&p, NULL, SEAM_LSN_NONE, NULL, &feed, &f), SEAM_NOT_FOUND);
    ASSERT_OK(stream_feed_open(&p, NULL, lsn_of(TXNS - 1), NULL, &feed, &f), &f);
    stream_feed_close(feed);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

/* One event of 1,000 bytes, committed at this wall time. */
static void write_at(struct stream_writer *w, uint64_t k, int64_t wall_us)
{
    struct stream_transaction t = {.lsn = 100 * (k + 1), .txn = k, .total = 1, .wall_us = wall_us};
    uint8_t bytes[1000] = {0};
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    seam_put_u64(bytes, k);
    wal_change_put_outbox(&b, &(struct wal_change_outbox){
                                  k, 0, {(const uint8_t *)"t", 1}, {bytes, 8}, {bytes, 1000}});
    ASSERT_OK(stream_begin(w, &t, &f), &f);
    ASSERT_OK(stream_event_put(w, WAL_CHANGE_OUTBOX, b.data, b.size, &f), &f);
    ASSERT_OK(stream_end(w, &f), &f);
    seam_buf_free(&b);
}

/* Retention by time under a clock that steps back an hour: nothing that is younger than promised is let go, whatever
 * hour it bears, and when time has gone on long enough the old is let go again.                       */
static void test_stream_retention_by_time_outlives_a_clock_that_steps_back(void)
{
    struct seam_clock_sim sim;
    struct stream_writer_options o = {.clock = &sim.clock,
                                      .log_id = 5,
                                      .segment_bytes = WAL_SEGMENT_MIN,
                                      .retain_bytes = 1,
                                      .retain_us = 600000000};
    struct stream_writer *w;
    struct stream_state state;
    struct seam_fault f = {0};
    uint64_t k = 0;
    size_t lost;

    seam_clock_sim_init(&sim, 1700000000000000);
    w = open_writer(seam_io_posix(), test_dir(), &o);
    for (; k < 300; k++, seam_clock_sim_advance(&sim, 1000000)) write_at(w, k, sim.wall_us);
    sim.wall_us -= 3600000000;
    for (; k < 600; k++, seam_clock_sim_advance(&sim, 1000000)) {
        write_at(w, k, sim.wall_us);
        if (k % 50 != 0) continue;
        ASSERT_OK(stream_sync(w, NULL, &f), &f);
        ASSERT_OK(stream_trim(w, &lost, &f), &f);
        ASSERT_OK(stream_state(seam_io_posix(), test_dir(), &state, &f), &f);
        ck_assert_uint_eq(state.oldest_offset,
                          0); /* all of it was written within the ten minutes */
    }
    for (; k < 2400; k++, seam_clock_sim_advance(&sim, 1000000)) write_at(w, k, sim.wall_us);
    ASSERT_OK(stream_sync(w, NULL, &f), &f);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_OK(stream_state(seam_io_posix(), test_dir(), &state, &f), &f);
    ck_assert_uint_gt(state.oldest_offset, 600);  /* what bears the later hour did not pin it */
    ck_assert_uint_le(state.oldest_offset, 1800); /* and the last ten minutes are there */
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

static void test_stream_retention_stops_at_consumers_then_invalidates(void)
{
    struct stream_writer_options o = {
        .log_id = 5, .segment_bytes = WAL_SEGMENT_MIN, .retain_bytes = 1};
    struct stream_writer *w = open_writer(seam_io_posix(), test_dir(), &o);
    struct stream_consumers *c = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    struct stream_reader *r = NULL;
    struct stream_event e = {0};
    struct stream_state state;
    struct seam_fault f = {0};
    size_t lost;
    int slot;

    ASSERT_OK(stream_consumers_open(seam_io_posix(), test_dir(), &c, &f), &f);
    ASSERT_OK(stream_consumer_join(c, "view", &slot, &f), &f);
    for (uint64_t k = 0; k < TXNS; k++) write_transaction(w, k);
    ASSERT_OK(stream_sync(w, NULL, &f), &f);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_OK(stream_state(seam_io_posix(), test_dir(), &state, &f), &f);
    ck_assert_uint_eq(state.oldest_offset, 0);
    ck_assert_uint_eq(lost, 0);
    ASSERT_OK(stream_reader_open(seam_io_posix(), test_dir(), STREAM_FROM_START, 0, &r, &f), &f);
    while (e.txn < 200 || e.kind != STREAM_COMMIT) ASSERT_OK(stream_reader_next(r, &e, &f), &f);
    stream_consumer_confirm(c, slot, &e, 42);
    stream_reader_close(r);
    ck_assert_uint_eq(stream_consumers_list(c, list), 1);
    ck_assert_str_eq(list[0].name, "view");
    ck_assert_uint_eq(list[0].lsn, lsn_of(200));
    ck_assert_int_eq(list[0].updated_us, 42);
    ck_assert(list[0].alive);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_OK(stream_state(seam_io_posix(), test_dir(), &state, &f), &f);
    ck_assert_uint_gt(state.oldest_offset, 0);
    /* What it needs next is still there; what came before is refused, not passed over. */
    ASSERT_STATUS(
        first_event(seam_io_posix(), test_dir(), STREAM_FROM_LSN, (int64_t)lsn_of(200), &e),
        SEAM_OK);
    ck_assert_uint_eq(e.txn, 201);
    ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_LSN, 0, &e), SEAM_NOT_FOUND);
    ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_OFFSET, 0, &e),
                  SEAM_NOT_FOUND);
    ASSERT_STATUS(first_event(seam_io_posix(), test_dir(), STREAM_FROM_START, 0, &e), SEAM_OK);
    ck_assert_uint_eq(e.seq, 0);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    o.bound_bytes = 1000;
    w = open_writer(seam_io_posix(), test_dir(), &o);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ck_assert_uint_eq(lost, 1);
    ck_assert_uint_eq(stream_consumers_list(c, list), 1);
    ck_assert(list[0].invalid);
    ASSERT_OK(stream_consumer_leave(c, "view", &f), &f);
    ck_assert_uint_eq(stream_consumers_list(c, list), 0);
    stream_consumers_close(c);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

/* A sink may stand behind what it has read (gold always does). Its position then is that of what it has read: nothing may
 * be let go by it until the sink stands there.                                                       */
static void test_stream_retention_waits_for_a_lagging_sink(void)
{
    static const char schema[] = "{\"table\":\"t\",\"id\":1,\"version\":1,\"key\":[\"k\"],"
                                 "\"columns\":[{\"name\":\"k\",\"type\":\"int64\"}]}";
    struct stream_writer_options o = {
        .log_id = 5, .segment_bytes = WAL_SEGMENT_MIN, .retain_bytes = 1};
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct platform p = {.io = seam_io_sim_io(s), .clock = seam_clock_real(), .dir = "p"};
    struct stream_writer *w;
    struct stream_registry registry;
    struct stream_feed *feed = NULL;
    struct stream_feed_event e = {0};
    struct stream_state state;
    struct seam_fault f = {0};
    bool changed;
    size_t lost;

    ASSERT_OK(seam_io_mkdir(p.io, "p", &f), &f);
    w = open_writer(p.io, "p/stream", &o);
    ASSERT_OK(stream_registry_open(&registry, p.io, "p", &f), &f);
    ASSERT_OK(stream_registry_put(&registry, 1, schema, sizeof schema - 1, &changed, &f), &f);
    ASSERT_OK(stream_feed_open(&p, "gold", SEAM_LSN_NONE, &registry, &feed, &f), &f);
    for (uint64_t k = 0; k < TXNS; k++) write_transaction(w, k);
    ASSERT_OK(stream_sync(w, NULL, &f), &f);
    while (e.lsn < lsn_of(200) || e.kind != FEED_COMMIT)
        ASSERT_OK(stream_feed_next(feed, &e, &f), &f);
    ASSERT_OK(stream_feed_confirm(feed, lsn_of(100), &f), &f);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_OK(stream_state(p.io, "p/stream", &state, &f), &f);
    ck_assert_uint_eq(state.oldest_offset, 0);
    ASSERT_OK(stream_feed_confirm(feed, lsn_of(200), &f), &f);
    ASSERT_OK(stream_trim(w, &lost, &f), &f);
    ASSERT_OK(stream_state(p.io, "p/stream", &state, &f), &f);
    ck_assert_uint_gt(state.oldest_offset, 0);
    stream_feed_close(feed);
    stream_registry_close(&registry);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    seam_io_sim_free(s);
}

/* Every byte of the small file that says where the newest snapshot begins, turned over: refused, never believed. */
static void test_stream_snapshot_mark_is_checked(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct stream_writer *w = open_writer(io, "stream", NULL);
    const struct stream_snapshot mark = {.offset = 0, .lsn = lsn_of(0), .rows = 1, .wall_us = 9};
    struct stream_snapshot back;
    struct seam_buf whole = {0};
    struct seam_fault f = {0};

    write_transaction(w, 0);
    ASSERT_OK(stream_sync(w, NULL, &f), &f);
    ASSERT_OK(stream_snapshot_done(w, &mark, &f), &f);
    ASSERT_OK(stream_snapshot_last(io, "stream", &back, &f), &f);
    ck_assert(back.lsn == lsn_of(0) && back.rows == 1 && back.wall_us == 9);
    ASSERT_OK(seam_io_read_all(io, "stream/snapshot", 4096, &whole, &f), &f);
    for (size_t i = 0; i < whole.size; i++) {
        ck_assert(seam_io_sim_flip(s, "stream/snapshot", i, 0x20));
        ck_assert_msg(stream_snapshot_last(io, "stream", &back, &f) != SEAM_OK,
                      "byte %zu turned over is believed", i);
        ck_assert_str_ne(f.why, "");
        seam_fault_clear(&f);
        ck_assert(seam_io_sim_flip(s, "stream/snapshot", i, 0x20));
    }
    seam_buf_free(&whole);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    seam_io_sim_free(s);
}

static void test_stream_declared_consumers_outlive_the_loss_of_the_page(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct stream_writer *w = open_writer(seam_io_sim_io(s), "stream", NULL);
    struct stream_consumers *c = NULL;
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    struct seam_fault f = {0};
    int slot;

    ASSERT_OK(stream_consumers_open(seam_io_sim_io(s), "stream", &c, &f), &f);
    ASSERT_OK(stream_consumer_join(c, "search", &slot, &f), &f);
    ASSERT_OK(stream_consumer_join(c, "audit", &slot, &f), &f);
    ASSERT_OK(stream_consumer_leave(c, "audit", &f), &f);
    stream_consumers_close(c);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    ASSERT_OK(seam_io_unlink(seam_io_sim_io(s), "stream/consumers", &f), &f);
    c = NULL;
    ASSERT_OK(stream_consumers_open(seam_io_sim_io(s), "stream", &c, &f), &f);
    ck_assert_uint_eq(stream_consumers_list(c, list), 1);
    ck_assert_str_eq(list[0].name, "search");
    ck_assert_uint_eq(list[0].position, 0);
    stream_consumers_close(c);
    seam_io_sim_free(s);
}

/* Goal: no flipped byte is believed. What the log's checksums let through does not exist. */
static void test_stream_every_flipped_byte_is_found(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct stream_writer *w = open_writer(io, "stream", NULL);
    struct wal_state state;
    struct seam_fault f = {0};

    for (uint64_t k = 0; k < 8; k++) write_transaction(w, k);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    ASSERT_OK(wal_state(io, "stream", &state, &f), &f);
    for (uint64_t at = 0; at < state.durable; at += 1 + at % 3) {
        struct stream_reader *r = NULL;
        struct stream_event e;
        uint64_t commits = 0;
        enum seam_status st;

        ck_assert(seam_io_sim_flip(s, "stream/0000000000000000.seg", at, 0x10));
        st = stream_reader_open(io, "stream", STREAM_FROM_START, 0, &r, NULL);
        while (st == SEAM_OK) {
            st = stream_reader_next(r, &e, NULL);
            if (st == SEAM_OK && e.kind == STREAM_COMMIT) {
                ck_assert_uint_eq(e.txn, commits);
                commits++;
            }
        }
        ck_assert_msg(st == SEAM_CORRUPT, "byte %llu: %s after %llu transactions",
                      (unsigned long long)at, seam_status_name(st), (unsigned long long)commits);
        stream_reader_close(r);
        ck_assert(seam_io_sim_flip(s, "stream/0000000000000000.seg", at, 0x10));
    }
    seam_io_sim_free(s);
}

/* ---- dead letters ---- */

struct letters {
    int count;
    uint64_t id[10], txn[10];
    enum sink_dead_verdict verdict[10];
};

static enum seam_status take_letter(void *ctx, const struct sink_dead_letter *d,
                                    struct seam_fault *f)
{
    struct letters *l = ctx;

    (void)f;
    ck_assert_str_eq(d->reason, "price is negative");
    ck_assert_uint_eq(d->event.row.after.size, 400);
    ck_assert_uint_eq(seam_get_u64(d->event.row.after.data), d->event.txn);
    l->id[l->count] = d->id;
    l->txn[l->count] = d->event.txn;
    l->verdict[l->count++] = d->verdict;
    return SEAM_OK;
}

/* The deletes that end a snapshot: one offset, another key each. */
static void test_dead_letters_of_one_offset_are_told_apart(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct platform p = {
        .io = seam_io_sim_io(s), .clock = seam_clock_real(), .log_id = 5, .dir = "p"};
    struct sink_dead_counts counts;
    struct seam_fault f = {0};

    for (int again = 0; again < 2; again++) {
        for (uint8_t k = 0; k < 3; k++) {
            struct stream_event e = {.kind = STREAM_ROW,
                                     .offset = 70,
                                     .lsn = 800,
                                     .total = 1,
                                     .snapshot = true,
                                     .row = {.table = 1,
                                             .version = 1,
                                             .op = WAL_OP_DELETE,
                                             .flags = WAL_CHANGE_REPAIR,
                                             .key = {&k, 1}}};
            uint64_t id;

            ASSERT_OK(sink_dead_letter_add(&p, "view", &e, "no such row", &id, &f), &f);
            ck_assert_uint_eq(id, k + 1u);
        }
    }
    ASSERT_OK(sink_dead_letter_count(&p, "view", &counts, &f), &f);
    ck_assert_uint_eq(counts.open, 3);
    seam_io_sim_free(s);
}

static void test_dead_letters_are_kept_listed_and_resolved_once(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct platform p = {
        .io = seam_io_sim_io(s), .clock = seam_clock_real(), .log_id = 5, .dir = "p"};
    struct stream_writer *w = open_writer(p.io, "p/stream", NULL);
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct letters l = {0};
    struct sink_dead_counts counts;
    struct seam_fault f = {0};
    uint64_t id;

    for (uint64_t k = 0; k < 12; k++) write_transaction(w, k);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    ASSERT_OK(sink_dead_letters(&p, "view", false, take_letter, &l, &f), &f);
    ck_assert_int_eq(l.count, 0);
    ASSERT_STATUS(sink_dead_letter_resolve(&p, "view", 1, DEAD_DROPPED, NULL), SEAM_NOT_FOUND);
    ASSERT_OK(stream_reader_open(p.io, "p/stream", STREAM_FROM_START, 0, &r, &f), &f);
    while (stream_reader_next(r, &e, &f) == SEAM_OK) {
        if (e.kind != STREAM_ROW || e.txn % 4 != 0) continue;
        ASSERT_OK(sink_dead_letter_add(&p, "view", &e, "price is negative", &id, &f), &f);
        ck_assert_uint_eq(id, e.txn / 4 + 1);
        ASSERT_OK(sink_dead_letter_add(&p, "view", &e, "price is negative", &id, &f),
                  &f); /* delivered again */
        ck_assert_uint_eq(id, e.txn / 4 + 1);
    }
    stream_reader_close(r);
    seam_io_sim_reboot(s); /* a power cut: each was durable when add returned */
    ASSERT_OK(sink_dead_letter_resolve(&p, "view", 2, DEAD_RETRIED, &f), &f);
    ASSERT_STATUS(sink_dead_letter_resolve(&p, "view", 2, DEAD_DROPPED, NULL), SEAM_CONFLICT);
    ASSERT_STATUS(sink_dead_letter_resolve(&p, "view", 9, DEAD_DROPPED, NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(sink_dead_letter_resolve(&p, "../x", 1, DEAD_DROPPED, NULL), SEAM_INVALID);
    ASSERT_OK(sink_dead_letters(&p, "view", false, take_letter, &l, &f), &f);
    ck_assert_int_eq(l.count, 3);
    ck_assert_uint_eq(l.txn[2], 8);
    ck_assert_int_eq(l.verdict[1], DEAD_RETRIED);
    l.count = 0;
    ASSERT_OK(sink_dead_letters(&p, "view", true, take_letter, &l, &f), &f);
    ck_assert_int_eq(l.count, 2);
    ASSERT_OK(sink_dead_letter_count(&p, "view", &counts, &f), &f);
    ck_assert(counts.open == 2 && counts.retried == 1 && counts.dropped == 0);
    seam_io_sim_free(s);
}

/* ---- compacted view ---- */

enum { KEYS = 40 };
struct fold {
    uint64_t version[KEYS];
    bool live[KEYS];
}; /* the naive twin */

static void put_key(struct stream_writer *w, struct fold *fold, uint64_t k, uint64_t key, bool gone)
{
    struct stream_transaction t = {.lsn = lsn_of(k), .txn = k, .total = 1, .wall_us = 1};
    struct wal_change_row c = {.txn = k,
                               .table = 1 + (uint32_t)(key % 2),
                               .version = 1,
                               .op = gone ? WAL_OP_DELETE : WAL_OP_INSERT,
                               .key = {(uint8_t *)&key, 8}};
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    if (gone)
        c.before = c.key;
    else
        c.after = (struct wal_bytes){(uint8_t *)&k, 8};
    wal_change_put_row(&b, &c);
    ASSERT_OK(stream_begin(w, &t, &f), &f);
    ASSERT_OK(stream_event_put(w, WAL_CHANGE_ROW, b.data, b.size, &f), &f);
    ASSERT_OK(stream_end(w, &f), &f);
    fold->version[key] = k;
    fold->live[key] = !gone;
    seam_buf_free(&b);
}

static enum seam_status take_row(void *ctx, const struct stream_event *e, struct seam_fault *f)
{
    struct fold *fold = ctx;
    uint64_t key = seam_get_u64(e->row.key.data);

    (void)f;
    ck_assert(e->snapshot);
    ck_assert(fold->live[key]);
    ck_assert_uint_eq(seam_get_u64(e->row.after.data), fold->version[key]);
    fold->live[key] = false; /* once only */
    return SEAM_OK;
}

static void test_compacted_view_is_the_fold_of_the_stream(void)
{
    struct stream_writer *w = open_writer(seam_io_posix(), test_dir(), NULL);
    struct fold fold = {0}, half = {0};
    struct stream_compacted c;
    struct seam_rng r;
    struct seam_fault f = {0};

    seam_rng_seed(&r, test_seed());
    for (uint64_t k = 0; k < 1000; k++) {
        put_key(w, &fold, k, seam_rng_below(&r, KEYS), seam_rng_below(&r, 4) == 0);
        if (k == 499) half = fold;
    }
    ASSERT_OK(stream_flush(w, &f), &f);
    ASSERT_OK(stream_compacted(seam_io_posix(), test_dir(), lsn_of(499), 1 << 20, take_row, &half,
                               &c, &f),
              &f);
    ck_assert_uint_eq(c.next_offset, 500);
    ck_assert_uint_eq(c.lsn, lsn_of(499));
    for (int k = 0; k < KEYS; k++) ck_assert(!half.live[k]);
    ASSERT_OK(stream_compacted(seam_io_posix(), test_dir(), SEAM_LSN_MAX, 1 << 20, take_row, &fold,
                               &c, &f),
              &f);
    ck_assert_uint_eq(c.next_offset, 1000);
    ck_assert_uint_eq(c.events, 1000);
    for (int k = 0; k < KEYS; k++) ck_assert(!fold.live[k]);
    ASSERT_STATUS(stream_compacted(seam_io_posix(), test_dir(), SEAM_LSN_MAX, 1000, take_row, &fold,
                                   &c, NULL),
                  SEAM_LIMIT);
    ASSERT_OK(stream_writer_close(w, &f), &f);
}

/* ---- a failed sync, a restart without a reboot, and on ---- */

static enum seam_status restart_append(struct stream_writer *w, uint64_t k)
{
    struct stream_transaction t = {
        .lsn = lsn_of(k), .txn = k, .total = 1, .wall_us = (int64_t)(1000 * k)};
    uint8_t row[8];
    struct wal_change_row c = {.txn = k,
                               .table = 1,
                               .version = 1,
                               .op = WAL_OP_INSERT,
                               .key = {row, 8},
                               .after = {row, sizeof row}};
    struct seam_buf b = {0};
    enum seam_status st = stream_begin(w, &t, NULL);

    seam_put_u64(row, k);
    wal_change_put_row(&b, &c);
    if (st == SEAM_OK) st = stream_event_put(w, WAL_CHANGE_ROW, b.data, b.size, NULL);
    if (st == SEAM_OK) st = stream_end(w, NULL);
    if (st == SEAM_OK) st = stream_sync(w, NULL, NULL);
    seam_buf_free(&b);
    return st;
}

static uint64_t restart_write(void *ctx, struct seam_io *io, uint64_t from, uint64_t count)
{
    struct stream_writer_options plain = {.log_id = 5, .segment_bytes = WAL_SEGMENT_MIN};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    uint64_t k = from;

    (void)ctx;
    if (stream_writer_open(io, "stream", &plain, &w, &tail, NULL) == SEAM_OK)
        while (k < from + count && restart_append(w, k) == SEAM_OK) k++;
    (void)stream_writer_close(w, NULL);
    return k;
}

static uint64_t restart_held(void *ctx, struct seam_io *io)
{
    struct stream_writer *w = open_writer(io, "stream", NULL);
    struct stream_reader *r = NULL;
    struct stream_event e;
    struct seam_fault f = {0};
    uint64_t n = 0;

    (void)ctx;
    ASSERT_OK(stream_reader_open(io, "stream", STREAM_FROM_START, 0, &r, &f), &f);
    while (stream_reader_next(r, &e, &f) == SEAM_OK) {
        if (e.kind != STREAM_ROW) continue;
        ck_assert_uint_eq(e.lsn, lsn_of(n));
        n++;
    }
    stream_reader_close(r);
    ASSERT_OK(stream_writer_close(w, &f), &f);
    return n;
}

static void test_restart_after_a_failed_sync_at_every_call(void)
{
    restart_everywhere(&(struct restart_store){"stream", NULL, restart_write, restart_held}, 6);
}

static const struct named_test tests[] = {
    T(test_stream_every_place_is_found_by_offset_lsn_and_time),
    T(test_stream_lsn_beyond_the_end_passes_over_what_comes_again),
    T(test_feed_of_an_empty_store_refuses_a_trimmed_stream),
    T(test_stream_retention_by_time_outlives_a_clock_that_steps_back),
    T(test_stream_retention_stops_at_consumers_then_invalidates),
    T(test_stream_retention_waits_for_a_lagging_sink),
    T(test_stream_snapshot_mark_is_checked),
    T(test_stream_declared_consumers_outlive_the_loss_of_the_page),
    T(test_stream_every_flipped_byte_is_found),
    T(test_dead_letters_are_kept_listed_and_resolved_once),
    T(test_dead_letters_of_one_offset_are_told_apart),
    T(test_compacted_view_is_the_fold_of_the_stream),
    T(test_restart_after_a_failed_sync_at_every_call),
};

int main(int argc, char **argv)
{
    return run_tests("stream", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
