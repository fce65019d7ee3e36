/* Goal:   what publish acknowledged outlives a power cut at any call, a failed call leaves no half batch, and no
 *         flipped byte is believed.
 * Method: the simulated disk: the plug is pulled at call 1, 2, 3 ... of a run; each byte of each file is flipped
 *         in turn and the folder verified.                                                         */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "tests/common/restart.h"

static const char json[] =
    "{\"table\":\"stock\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"title\",\"type\":\"text\"},{\"name\":\"left\",\"type\":\"int64\"}]}";

enum { KEYS = 40, BATCHES = 14, BATCH_ROWS = 25 };

/* state[b][k]: what key k holds after batch b; -1 nothing. */
struct model {
    int64_t state[BATCHES + 1][KEYS];
    int acked;
};

static struct columnar_options options(struct seam_clock_sim *clock)
{
    seam_clock_sim_init(clock, -100000000000);
    return (struct columnar_options){.journal_rows_max = 120,
                                     .row_group_rows = 2048,
                                     .clock = &clock->clock,
                                     .file_rows_max = 400};
}

/* The batches are the same in every run. */
static enum seam_status change(struct columnar_writer *w, int batch, int64_t *state,
                               struct seam_fault *f)
{
    struct seam_rng r;
    enum seam_status st = SEAM_OK;

    seam_rng_seed(&r, 1000 + (uint64_t)batch);
    for (int i = 0; st == SEAM_OK && i < BATCH_ROWS; i++) {
        int64_t key = (int64_t)seam_rng_below(&r, KEYS), left = (int64_t)seam_rng_below(&r, 1000);
        struct seam_value row[3] = {seam_v_int(key), seam_v_str("some title"), seam_v_int(left)};
        bool gone = seam_rng_below(&r, 5) == 0;

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
        ck_assert_int_eq(change(NULL, b, m->state[b], NULL), SEAM_OK);
    }
    m->acked = 0;
}

/* Opens, applies what is missing, maintains now and then. SEAM_OK: all batches are in. */
static enum seam_status work(struct seam_io *io, struct seam_clock_sim *clock, struct model *m)
{
    struct columnar_options opt = options(clock);
    struct columnar_writer *w = NULL;
    struct columnar_maintenance done;
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    int64_t ignored[KEYS];
    enum seam_status st = columnar_open_writer(io, "w", &opt, &w, &f);

    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, NULL), NULL);
    if (st == SEAM_OK) st = columnar_define_table(w, &s, NULL, &f);
    for (int b = 1; st == SEAM_OK && b <= BATCHES; b++) {
        /* Everything again, from the first: what is applied already changes nothing. */
        st = change(w, b, ignored, &f);
        if (st == SEAM_OK && columnar_writer_applied(w) < 10 * (uint64_t)b + 1)
            st = columnar_publish(w, 10 * (uint64_t)b + 1, b, &f);
        if (st == SEAM_OK && b > m->acked) m->acked = b;
        seam_clock_sim_advance(clock, 6000000);
        if (st == SEAM_OK && b % 4 == 3) st = columnar_maintain(w, &done, &f);
        if (st == SEAM_OK && b == 9) st = columnar_compact(w, &done, &f);
    }
    columnar_close_writer(w);
    seam_schema_free(&s);
    return st;
}

struct seen {
    const int64_t *state;
    int count;
};

static enum seam_status see(void *ctx, const struct seam_value *row, seam_lsn_t begin,
                            seam_lsn_t end)
{
    struct seen *s = ctx;

    (void)begin;
    (void)end;
    ck_assert_int_eq(s->state[row[0].i], row[2].i);
    s->count++;
    return SEAM_OK;
}

static void check_after(struct seam_io *io, struct model *m)
{
    struct columnar_verified v;
    struct columnar_reader *r = NULL;
    struct columnar_writer *w = NULL;
    struct seam_clock_sim clock;
    struct columnar_options opt = options(&clock);
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    struct seen s = {0};
    int batch;

    ASSERT_OK(columnar_open_writer(io, "w", &opt, &w, &f), &f);
    batch = (int)(columnar_writer_applied(w) / 10);
    ck_assert_int_ge(batch, m->acked);
    columnar_close_writer(w);
    ck_assert_msg(columnar_verify(io, "w", &v, &report, &f) == SEAM_OK, "%s %s",
                  seam_buf_cstr(&report), f.why);
    seam_buf_free(&report);
    if (batch == 0) return;
    ASSERT_OK(columnar_open_reader(io, "w", NULL, &r, &f), &f);
    s.state = m->state[batch];
    ASSERT_OK(columnar_scan_rows(r, 0, SEAM_LSN_MAX, see, &s, &f), &f);
    for (int k = 0; k < KEYS; k++) s.count -= m->state[batch][k] >= 0;
    ck_assert_int_eq(s.count, 0);
    columnar_close_reader(r);
}

static void try_every_call(enum seam_sim_fault_kind kind, uint64_t step)
{
    static struct model m;
    bool finished = false;

    for (uint64_t nth = 1; !finished; nth += step) {
        struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
        struct seam_clock_sim clock;

        make_model(&m);
        seam_io_sim_plant(sim, kind, nth, false);
        finished = work(seam_io_sim_io(sim), &clock, &m) == SEAM_OK && !seam_io_sim_fired(sim);
        if (kind == SEAM_SIM_POWER_CUT && seam_io_sim_fired(sim)) seam_io_sim_reboot(sim);
        seam_io_sim_clear(sim);
        check_after(seam_io_sim_io(sim), &m);
        ck_assert_int_eq(work(seam_io_sim_io(sim), &clock, &m), SEAM_OK);
        ck_assert_int_eq(m.acked, BATCHES);
        check_after(seam_io_sim_io(sim), &m);
        seam_io_sim_free(sim);
    }
}

static void test_power_cut_at_every_call_keeps_what_was_acknowledged(void)
{
    try_every_call(SEAM_SIM_POWER_CUT, 1);
}
static void test_failing_calls_leave_no_half_batch(void)
{
    try_every_call(SEAM_SIM_EIO, 3);
    try_every_call(SEAM_SIM_SYNC_FAIL, 5);
    try_every_call(SEAM_SIM_ENOSPC, 5);
}

static void flip_file(struct seam_io_sim *sim, const char *name, uint64_t size, uint64_t step)
{
    struct seam_io *io = seam_io_sim_io(sim);
    char path[256];

    snprintf(path, sizeof path, "w/%s", name);
    for (uint64_t at = 0; at < size; at += step) {
        struct columnar_verified v;
        struct seam_buf report = {0}, text = {0};
        enum seam_status st;

        ck_assert(seam_io_sim_flip(sim, path, at, 0x10));
        st = columnar_verify(io, "w", &v, &report, NULL);
        ck_assert_msg(st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED,
                      "%s: byte %" PRIu64 " flipped: %s", name, at, seam_status_name(st));
        st = columnar_dump(io, path, &text, NULL); /* must only not crash */
        (void)st;
        ck_assert(seam_io_sim_flip(sim, path, at, 0x10));
        seam_buf_free(&report);
        seam_buf_free(&text);
    }
}

static void test_every_flipped_byte_is_found(void)
{
    static struct model m;
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct seam_io_list names = {0};
    struct seam_clock_sim clock;
    struct seam_fault f = {0};
    int kinds = 0;

    make_model(&m);
    ck_assert_int_eq(work(io, &clock, &m), SEAM_OK);
    ASSERT_OK(seam_io_list(io, "w", &names, &f), &f);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        struct seam_file *file = NULL;
        uint64_t size = 0;
        char path[256];

        snprintf(path, sizeof path, "w/%s", name);
        ASSERT_OK(seam_file_open(io, path, SEAM_FILE_READ, &file, &f), &f);
        ASSERT_OK(seam_file_size(file, &size, &f), &f);
        if (strstr(name, ".log") != NULL && strncmp(name, "journal", 7) == 0) {
            uint8_t committed[8];

            ASSERT_OK(seam_file_read(file, 32, committed, 8, &f), &f);
            size = seam_get_u64(committed); /* what lies behind is free */
        }
        seam_file_close(file);
        if (strcmp(name, "lock") == 0 || strcmp(name, "vacuum.log") == 0) continue;
        if (strncmp(name, "journal", 7) ==
            0) { /* zeros between the head's fields and the records */
            flip_file(sim, name, 44, 1);
            for (uint64_t at = 64; at < size; at++) {
                struct columnar_verified v;
                struct seam_buf report = {0};

                ck_assert(seam_io_sim_flip(sim, path, at, 0x10));
                ASSERT_STATUS(columnar_verify(io, "w", &v, &report, NULL), SEAM_CORRUPT);
                ck_assert(seam_io_sim_flip(sim, path, at, 0x10));
                seam_buf_free(&report);
            }
        } else {
            flip_file(sim, name, size, 1);
        }
        kinds++;
    }
    ck_assert_int_ge(kinds, 3);
    seam_io_list_free(&names);
    seam_io_sim_free(sim);
}

/* ---- a failed sync, a restart without a reboot, and on ---- */

static uint64_t restart_write(void *ctx, struct seam_io *io, uint64_t from, uint64_t count)
{
    struct seam_clock_sim clock;
    struct columnar_options opt = options(&clock);
    struct columnar_writer *w = NULL;
    struct columnar_maintenance done;
    struct seam_schema s = {0};
    int64_t ignored[KEYS];
    uint64_t n = from;
    enum seam_status st = columnar_open_writer(io, "w", &opt, &w, NULL);

    (void)ctx;
    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, NULL), NULL);
    if (st == SEAM_OK) st = columnar_define_table(w, &s, NULL, NULL);
    while (st == SEAM_OK && n < from + count) {
        st = change(w, (int)n + 1, ignored, NULL);
        if (st == SEAM_OK) st = columnar_publish(w, 10 * (n + 1) + 1, (int64_t)n, NULL);
        if (st != SEAM_OK) break;
        n++;
        if (n % 3 == 0) st = columnar_maintain(w, &done, NULL);
    }
    columnar_close_writer(w);
    seam_schema_free(&s);
    return n;
}

static uint64_t restart_held(void *ctx, struct seam_io *io)
{
    struct seam_clock_sim clock;
    struct columnar_options opt = options(&clock);
    struct columnar_writer *w = NULL;
    struct columnar_verified v;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    uint64_t n;

    (void)ctx;
    ASSERT_OK(columnar_open_writer(io, "w", &opt, &w, &f), &f);
    n = columnar_writer_applied(w) / 10;
    columnar_close_writer(w);
    ck_assert_msg(columnar_verify(io, "w", &v, &report, &f) == SEAM_OK, "%s %s",
                  seam_buf_cstr(&report), f.why);
    seam_buf_free(&report);
    return n;
}

static void test_restart_after_a_failed_sync_at_every_call(void)
{
    restart_everywhere(&(struct restart_store){"warehouse", NULL, restart_write, restart_held}, 5);
}

static const struct named_test tests[] = {
    T(test_power_cut_at_every_call_keeps_what_was_acknowledged),
    T(test_failing_calls_leave_no_half_batch),
    T(test_every_flipped_byte_is_found),
    T(test_restart_after_a_failed_sync_at_every_call),
};

int main(int argc, char **argv)
{
    return run_tests("columnar damage", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
