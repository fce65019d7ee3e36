/* Goal:   want of memory is an answer (SEAM_NOMEM), never a crash, a leak or a wrong result.
 * Method: run each scenario with its 1st, 2nd, 3rd ... allocation failing, once and from then on, until one
 *         run gets through without meeting it. The address sanitizer watches for leaks.            */
#include "tests/common/check_main.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/trace.h"
#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"
#include "engine/io/source.h"
#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/values/row.h"
#include "engine/values/schema.h"
#include "tests/common/fail_malloc.h"

/* Runs to the first failure; what it makes it frees.                                               */
typedef enum seam_status scenario(struct seam_io *io, const char *dir);

static void start_afresh(struct seam_io *io, const char *dir)
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_io_remove_tree(io, dir, &f), &f);
    ASSERT_OK(seam_io_mkdir(io, dir, &f), &f);
}

enum { ALLOCATIONS_MAX = 1000 }; /* of one scenario: a loop that does not end is a failure too */

static void try_every_allocation(scenario *run, struct seam_io *io, const char *dir, uint64_t least)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        uint64_t failed = 0;
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++) {
            enum seam_status st;

            ck_assert_uint_lt(nth, ALLOCATIONS_MAX);
            start_afresh(io, dir);
            fail_malloc_at(nth, sticky);
            st = run(io, dir);
            fired = fail_malloc_stop();
            ck_assert_msg(st == SEAM_OK || (fired && st == SEAM_NOMEM), "allocation %d: %s",
                          (int)nth, seam_status_name(st));
            failed += fired;
        }
#ifdef __linux__
        ck_assert_uint_ge(failed, least);
#endif
    }
    start_afresh(io, dir);
    ck_assert_int_eq(run(io, dir), SEAM_OK);
}

static enum seam_status publish_and_load(struct seam_io *io, const char *dir)
{
    struct seam_manifest m = {.kind = 1}, back = {0};
    struct seam_manifest_entry *list = NULL;
    size_t count = 0;
    enum seam_status st = seam_manifest_load_newest(io, dir, 1, &back, NULL);

    if (st == SEAM_NOT_FOUND) st = SEAM_OK;
    m.seq = back.seq + 1;
    m.parent = back.seq;
    seam_buf_free(&back.payload);
    seam_buf_printf(&m.payload, "%0200d", 7);
    if (st == SEAM_OK) st = seam_manifest_publish(io, dir, &m, NULL);
    if (st == SEAM_OK) st = seam_manifest_load_as_of(io, dir, 1, SEAM_LSN_MAX, &back, NULL);
    if (st == SEAM_OK && (back.payload.size != 200 || back.seq != m.seq)) st = SEAM_DRIFT;
    if (st == SEAM_OK) st = seam_manifest_list(io, dir, 1, &list, &count, NULL);
    if (st == SEAM_OK && m.parent > 0) st = seam_manifest_remove(io, dir, m.parent, NULL);
    free(list);
    seam_buf_free(&back.payload);
    seam_buf_free(&m.payload);
    return st;
}

static enum seam_status names(struct seam_io *io, const char *dir)
{
    char path[SEAM_PATH_MAX_BYTES], other[SEAM_PATH_MAX_BYTES];
    struct seam_buf b = {0};
    struct seam_io_list l = {0};
    void *shared = NULL;
    enum seam_status st = seam_path_join(path, dir, "a/b", NULL);

    if (st == SEAM_OK) st = seam_io_mkdir(io, path, NULL);
    if (st == SEAM_OK) st = seam_path_join(path, dir, "a/b/file", NULL);
    if (st == SEAM_OK) st = seam_path_join(other, dir, "a/b/other", NULL);
    if (st == SEAM_OK) st = seam_io_write_atomic(io, path, "bytes", 5, NULL);
    if (st == SEAM_OK) st = seam_io_read_all(io, path, 100, &b, NULL);
    if (st == SEAM_OK) st = seam_io_rename(io, path, other, NULL);
    if (st == SEAM_OK) st = seam_io_link(io, other, path, NULL);
    if (st == SEAM_OK) st = seam_io_list(io, dir, &l, NULL);
    if (st == SEAM_OK) st = seam_path_join(path, dir, "page", NULL);
    if (st == SEAM_OK) st = seam_io_map_shared(io, path, 64, SEAM_MAP_MAKE, &shared, NULL);
    if (shared != NULL) seam_io_unmap_shared(io, shared, 64);
    seam_io_list_free(&l);
    seam_buf_free(&b);
    if (st == SEAM_OK) st = seam_path_join(path, dir, "a", NULL);
    if (st == SEAM_OK) st = seam_io_remove_tree(io, path, NULL);
    return st;
}

static enum seam_status json_and_rows(struct seam_io *io, const char *dir)
{
    static const char table[] =
        "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
        "\"int64\"},{\"name\":\"s\",\"type\":\"text\"}]}";
    struct seam_value v[2] = {seam_v_int(7), seam_v_text("some text", 9)}, back[2];
    struct seam_schema s = {0}, copy = {0};
    struct seam_buf row = {0}, key = {0}, json = {0};
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    enum seam_status st = seam_schema_parse(table, sizeof table - 1, &s, NULL);

    (void)io, (void)dir;
    if (st == SEAM_OK) st = seam_schema_clone(&s, &copy);
    if (st == SEAM_OK) st = seam_row_encode(&copy, v, &row, NULL);
    if (st == SEAM_OK) st = seam_row_decode(&s, row.data, row.size, back, NULL);
    if (st == SEAM_OK && !seam_value_equal(&back[1], &v[1])) st = SEAM_DRIFT;
    if (st == SEAM_OK) st = seam_row_key(&s, v, &key, NULL);
    if (st == SEAM_OK) {
        seam_schema_to_json(&s, &json);
        st = seam_buf_ok(&json)
                 ? seam_json_parse((char *)json.data, json.size, &a, "t", &root, NULL)
                 : SEAM_NOMEM;
    }
    seam_arena_free(&a);
    seam_buf_free(&json);
    seam_buf_free(&key);
    seam_buf_free(&row);
    seam_schema_free(&s);
    seam_schema_free(&copy);
    return st;
}

static enum seam_status sources(struct seam_io *io, const char *dir)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_source *src = NULL;
    struct seam_csv *csv = NULL;
    const struct seam_csv_field *fields;
    size_t count;
    enum seam_status st = seam_path_join(path, dir, "x.csv", NULL);

    if (st == SEAM_OK) st = seam_io_write_atomic(io, path, "a,b\n1,\"2\"\"\"\n", 12, NULL);
    if (st == SEAM_OK) st = seam_source_open(io, path, &src, NULL);
    if (st == SEAM_OK)
        st = seam_csv_open(src, (struct seam_csv_options){.separator = ',', .quotes = true}, &csv);
    while (st == SEAM_OK) st = seam_csv_next(csv, &fields, &count, NULL);
    if (st == SEAM_END) st = SEAM_OK;
    seam_csv_close(csv);
    seam_source_close(src);
    return st;
}

static void on_both_disks(scenario *run, uint64_t least_posix, uint64_t least_sim)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());

    ck_assert_int_eq(seam_io_mkdir(seam_io_sim_io(s), "d", NULL), SEAM_OK);
    try_every_allocation(run, seam_io_posix(), test_dir(), least_posix);
    try_every_allocation(run, seam_io_sim_io(s), "d", least_sim);
    seam_io_sim_free(s);
}

static void test_manifests(void)
{
    on_both_disks(publish_and_load, 10, 15);
}
static void test_names(void)
{
    on_both_disks(names, 8, 20);
}
static void test_json_and_rows(void)
{
    on_both_disks(json_and_rows, 8, 8);
}
static void test_sources_and_csv(void)
{
    on_both_disks(sources, 6, 8);
}

static void test_a_trace_loses_events_rather_than_stop(void)
{
    struct seam_trace_log *l;

    fail_malloc_at(1, true);
    l = seam_trace_log_new(5);
    fail_malloc_stop();
#ifdef __linux__
    ck_assert_ptr_null(l);
#endif
    seam_trace_log_free(l);
    l = seam_trace_log_new(5);
    fail_malloc_at(1, false);
    SEAM_TRACE(seam_trace_log_trace(l), "engine", "event", SEAM_TS("text", "lost"));
    SEAM_TRACE(seam_trace_log_trace(l), "engine", "event", SEAM_TI("number", 1));
    fail_malloc_stop();
#if defined(__linux__) && !defined(SEAM_NO_TRACE)
    ck_assert_uint_eq(seam_trace_log_count(l), 1);
#endif
    seam_trace_log_free(l);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_manifests),
        T(test_names),
        T(test_json_and_rows),
        T(test_sources_and_csv),
        T(test_a_trace_loses_events_rather_than_stop),
    };

    return run_tests("no_memory", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
