/* Goal:   what publish acknowledged outlives a power cut at any call, a failed call leaves no half batch, and no
 *         flipped byte is believed.
 * Method: the simulated disk: the plug is pulled at call 1, 2, 3 ... of a run; each byte of each file is flipped
 *         in turn and the folder verified.                                                         */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/io/io_sim.h"
#include "engine/base/rng.h"
#include "tests/common/check_main.h"

static const char json[] =
    "{\"table\":\"stock\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
    "{\"name\":\"title\",\"type\":\"text\"},{\"name\":\"left\",\"type\":\"int64\"}]}";

enum { KEYS = 40, BATCHES = 14, BATCH_ROWS = 25 };

/* state[b][k]: what key k holds after batch b; -1 nothing. */
struct model { int64_t state[BATCHES + 1][KEYS]; int acked; };

static struct columnar_options options(struct clock_sim *clock)
{
    clock_sim_init(clock, -100000000000);
    return (struct columnar_options){.journal_rows_max = 120, .row_group_rows = 2048, .clock = &clock->clock,
                                     .file_rows_max = 400};
}

/* The batches are the same in every run. */
static enum status change(struct columnar_writer *w, int batch, int64_t *state, struct fault *f)
{
    struct rng r;
    enum status st = ST_OK;

    rng_seed(&r, 1000 + (uint64_t)batch);
    for (int i = 0; st == ST_OK && i < BATCH_ROWS; i++) {
        int64_t key = (int64_t)rng_below(&r, KEYS), left = (int64_t)rng_below(&r, 1000);
        struct value row[3] = {v_int(key), v_str("some title"), v_int(left)};
        bool gone = rng_below(&r, 5) == 0;

        if (w != NULL)
            st = gone ? columnar_delete(w, 0, row, 10 * (uint64_t)batch + 1, NULL, f)
                      : columnar_upsert(w, 0, row, 10 * (uint64_t)batch + 1, NULL, f);
        state[key] = gone ? -1 : left;
    }
    return st;
}

static void make_model(struct model *m)
{
    for (int k = 0; k < KEYS; k++) m->state[0][k] = -1;
    for (int b = 1; b <= BATCHES; b++) {
        memcpy(m->state[b], m->state[b - 1], sizeof m->state[b]);
        ck_assert_int_eq(change(NULL, b, m->state[b], NULL), ST_OK);
    }
    m->acked = 0;
}

/* Opens, applies what is missing, maintains now and then. ST_OK: all batches are in. */
static enum status work(struct io *io, struct clock_sim *clock, struct model *m)
{
    struct columnar_options opt = options(clock);
    struct columnar_writer *w = NULL;
    struct columnar_maintenance done;
    struct schema s = {0};
    struct fault f = {0};
    int64_t ignored[KEYS];
    enum status st = columnar_open_writer(io, "w", &opt, &w, &f);

    ASSERT_OK(schema_parse(json, strlen(json), &s, NULL), NULL);
    if (st == ST_OK) st = columnar_define_table(w, &s, NULL, &f);
    for (int b = 1; st == ST_OK && b <= BATCHES; b++) {
        /* Everything again, from the first: what is applied already changes nothing. */
        st = change(w, b, ignored, &f);
        if (st == ST_OK && columnar_writer_applied(w) < 10 * (uint64_t)b + 1)
            st = columnar_publish(w, 10 * (uint64_t)b + 1, b, &f);
        if (st == ST_OK && b > m->acked) m->acked = b;
        clock_sim_advance(clock, 6000000);
        if (st == ST_OK && b % 4 == 3) st = columnar_maintain(w, &done, &f);
        if (st == ST_OK && b == 9) st = columnar_compact(w, &done, &f);
    }
    columnar_close_writer(w);
    schema_free(&s);
    return st;
}

struct seen { const int64_t *state; int count; };

static enum status see(void *ctx, const struct value *row, lsn_t begin, lsn_t end)
{
    struct seen *s = ctx;

    (void)begin;
    (void)end;
    ck_assert_int_eq(s->state[row[0].i], row[2].i);
    s->count++;
    return ST_OK;
}

static void check_after(struct io *io, struct model *m)
{
    struct columnar_verified v;
    struct columnar_reader *r = NULL;
    struct columnar_writer *w = NULL;
    struct clock_sim clock;
    struct columnar_options opt = options(&clock);
    struct buf report = {0};
    struct fault f = {0};
    struct seen s = {0};
    int batch;

    ASSERT_OK(columnar_open_writer(io, "w", &opt, &w, &f), &f);
    batch = (int)(columnar_writer_applied(w) / 10);
    ck_assert_int_ge(batch, m->acked);
    columnar_close_writer(w);
    ck_assert_msg(columnar_verify(io, "w", &v, &report, &f) == ST_OK, "%s %s", buf_cstr(&report), f.why);
    buf_free(&report);
    if (batch == 0) return;
    ASSERT_OK(columnar_open_reader(io, "w", NULL, &r, &f), &f);
    s.state = m->state[batch];
    ASSERT_OK(columnar_scan_rows(r, 0, LSN_MAX, see, &s, &f), &f);
    for (int k = 0; k < KEYS; k++) s.count -= m->state[batch][k] >= 0;
    ck_assert_int_eq(s.count, 0);
    columnar_close_reader(r);
}

static void try_every_call(enum sim_fault_kind kind, uint64_t step)
{
    static struct model m;
    bool finished = false;

    for (uint64_t nth = 1; !finished; nth += step) {
        struct io_sim *sim = io_sim_new(test_seed() + nth);
        struct clock_sim clock;

        make_model(&m);
        io_sim_plant(sim, kind, nth, false);
        finished = work(io_sim_io(sim), &clock, &m) == ST_OK && !io_sim_fired(sim);
        if (kind == SIM_POWER_CUT && io_sim_fired(sim)) io_sim_reboot(sim);
        io_sim_clear(sim);
        check_after(io_sim_io(sim), &m);
        ck_assert_int_eq(work(io_sim_io(sim), &clock, &m), ST_OK);
        ck_assert_int_eq(m.acked, BATCHES);
        check_after(io_sim_io(sim), &m);
        io_sim_free(sim);
    }
}

static void test_power_cut_at_every_call_keeps_what_was_acknowledged(void) { try_every_call(SIM_POWER_CUT, 1); }
static void test_failing_calls_leave_no_half_batch(void)
{
    try_every_call(SIM_EIO, 3);
    try_every_call(SIM_SYNC_FAIL, 5);
    try_every_call(SIM_ENOSPC, 5);
}

static void flip_file(struct io_sim *sim, const char *name, uint64_t size, uint64_t step)
{
    struct io *io = io_sim_io(sim);
    char path[256];

    snprintf(path, sizeof path, "w/%s", name);
    for (uint64_t at = 0; at < size; at += step) {
        struct columnar_verified v;
        struct buf report = {0}, text = {0};
        enum status st;

        ck_assert(io_sim_flip(sim, path, at, 0x10));
        st = columnar_verify(io, "w", &v, &report, NULL);
        ck_assert_msg(st == ST_CORRUPT || st == ST_UNSUPPORTED, "%s: byte %" PRIu64 " flipped: %s", name, at,
                      status_name(st));
        st = columnar_dump(io, path, &text, NULL); /* must only not crash */
        (void)st;
        ck_assert(io_sim_flip(sim, path, at, 0x10));
        buf_free(&report);
        buf_free(&text);
    }
}

static void test_every_flipped_byte_is_found(void)
{
    static struct model m;
    struct io_sim *sim = io_sim_new(test_seed());
    struct io *io = io_sim_io(sim);
    struct io_list names = {0};
    struct clock_sim clock;
    struct fault f = {0};
    int kinds = 0;

    make_model(&m);
    ck_assert_int_eq(work(io, &clock, &m), ST_OK);
    ASSERT_OK(io_list(io, "w", &names, &f), &f);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        struct file *file = NULL;
        uint64_t size = 0;
        char path[256];

        snprintf(path, sizeof path, "w/%s", name);
        ASSERT_OK(file_open(io, path, FILE_READ, &file, &f), &f);
        ASSERT_OK(file_size(file, &size, &f), &f);
        if (strstr(name, ".log") != NULL && strncmp(name, "journal", 7) == 0) {
            uint8_t committed[8];

            ASSERT_OK(file_read(file, 32, committed, 8, &f), &f);
            size = get_u64(committed); /* what lies behind is free */
        }
        file_close(file);
        if (strcmp(name, "LOCK") == 0 || strcmp(name, "vacuum.log") == 0) continue;
        if (strncmp(name, "journal", 7) == 0) { /* zeros between the head's fields and the records */
            flip_file(sim, name, 44, 1);
            for (uint64_t at = 64; at < size; at++) {
                struct columnar_verified v;
                struct buf report = {0};

                ck_assert(io_sim_flip(sim, path, at, 0x10));
                ASSERT_STATUS(columnar_verify(io, "w", &v, &report, NULL), ST_CORRUPT);
                ck_assert(io_sim_flip(sim, path, at, 0x10));
                buf_free(&report);
            }
        } else {
            flip_file(sim, name, size, 1);
        }
        kinds++;
    }
    ck_assert_int_ge(kinds, 3);
    io_list_free(&names);
    io_sim_free(sim);
}

static const struct named_test tests[] = {
    T(test_power_cut_at_every_call_keeps_what_was_acknowledged), T(test_failing_calls_leave_no_half_batch),
    T(test_every_flipped_byte_is_found)};

int main(int argc, char **argv) { return run_tests("columnar damage", tests, ARRAY_LEN(tests), argc, argv); }
