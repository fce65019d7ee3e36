/* Goal:   want of memory in the warehouse is said with its reason, whatever wanted it, and leaves the folder readable.
 * Method: a life of a warehouse (define, change, publish twice, compact, read, query by key, verify, dump) with its 1st,
 *         2nd, 3rd ... allocation failing; after each the folder is opened with all the memory there is.     */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "tests/common/fail_malloc.h"

static const char json[] =
    "{\"table\":\"stock\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},{\"name\":\"title\",\"type\":\"text\"},{\"name\":\"left\",\"type\":\"int64\"}]}";

struct world {
    struct seam_io_sim *sim;
    struct seam_io *io;
};

static void anew(void *ctx)
{
    struct world *w = ctx;

    if (w->sim != NULL) {
        struct columnar_reader *r = NULL;
        struct seam_fault f = {0};

        /* What the run before left must load, unless it never came to make the folder. */
        if (seam_io_exists(w->io, "w"))
            ASSERT_OK(columnar_open_reader(w->io, "w", NULL, &r, &f), &f);
        columnar_close_reader(r);
        seam_io_sim_free(w->sim);
    }
    w->sim = seam_io_sim_new(7);
    w->io = seam_io_sim_io(w->sim);
}

static enum seam_status rows(struct columnar_writer *w, int from, int to, seam_lsn_t lsn,
                             struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = from; st == SEAM_OK && i < to; i++) {
        char title[32];
        struct seam_value row[3] = {seam_v_int(i), seam_v_null(), seam_v_int(i * 7)};

        snprintf(title, sizeof title, "title %d", i % 5);
        row[1] = seam_v_str(title);
        st = columnar_upsert(w, 0, row, lsn, NULL, f);
    }
    return st;
}

static enum seam_status write_all(struct world *world, struct seam_fault *f)
{
    struct columnar_options o = {.journal_rows_max = 40, .row_group_rows = 2048};
    struct columnar_maintenance done;
    struct columnar_writer *w = NULL;
    struct seam_schema s = {0};
    enum seam_status st = columnar_open_writer(world->io, "w", &o, &w, f);

    if (st == SEAM_OK) st = seam_schema_parse(json, sizeof json - 1, &s, f);
    s.id = 11;
    if (st == SEAM_OK) st = columnar_define_table(w, &s, NULL, f);
    if (st == SEAM_OK) st = rows(w, 0, 30, 1, f);
    if (st == SEAM_OK) st = columnar_publish(w, 1, 1, f);
    if (st == SEAM_OK) st = rows(w, 10, 20, 2, f);
    if (st == SEAM_OK) st = columnar_publish(w, 2, 2, f);
    if (st == SEAM_OK) st = rows(w, 0, 50, 3, f);
    if (st == SEAM_OK) st = columnar_publish(w, 3, 3, f);
    if (st == SEAM_OK) st = columnar_tag(w, "t", 2, false, f);
    if (st == SEAM_OK) st = columnar_compact(w, &done, f);
    if (st == SEAM_OK) st = rows(w, 5, 7, 4, f);
    if (st == SEAM_OK) st = columnar_publish(w, 4, 4, f);
    seam_schema_free(&s);
    columnar_close_writer(w);
    return st;
}

static enum seam_status see(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                            seam_lsn_t end)
{
    (void)values;
    (void)begin;
    (void)end;
    ++*(int *)ctx;
    return SEAM_OK;
}

static enum seam_status read_all(struct world *world, struct seam_fault *f)
{
    struct columnar_reader *r = NULL;
    struct columnar_verified v;
    struct seam_value key[3] = {seam_v_int(5)}, got[3];
    struct seam_buf text = {0}, report = {0};
    bool changed;
    int count = 0;
    enum seam_status st = columnar_open_reader(world->io, "w", NULL, &r, f);

    if (st == SEAM_OK) st = columnar_scan_rows(r, 0, SEAM_LSN_MAX, see, &count, f);
    if (st == SEAM_OK && count != 50) st = SEAM_DRIFT; /* Check itself allocates: not here */
    if (st == SEAM_OK) st = columnar_get(r, 0, key, SEAM_LSN_MAX, got, &text, f);
    if (st == SEAM_OK) st = columnar_refresh(r, &changed, f);
    if (st == SEAM_OK) st = columnar_verify(world->io, "w", &v, &report, f);
    columnar_close_reader(r);
    seam_buf_free(&text);
    seam_buf_free(&report);
    return st;
}

static enum seam_status life(void *ctx, struct seam_fault *f)
{
    enum seam_status st = write_all(ctx, f);

    return st == SEAM_OK ? read_all(ctx, f) : st;
}

static void test_every_allocation_of_a_life_says_why(void)
{
    struct world w = {0};
    struct fail_malloc_scenario s = {anew, life, &w};
    uint64_t failed = fail_malloc_everywhere(&s);

#ifdef __linux__
    ck_assert_uint_gt(failed, 100);
#endif
    seam_io_sim_free(w.sim);
}

static const struct named_test tests[] = {
    T(test_every_allocation_of_a_life_says_why),
};

int main(int argc, char **argv)
{
    return run_tests("columnar no memory", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
