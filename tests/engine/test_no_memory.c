/* Goal:   want of memory is an answer (ST_NOMEM), never a crash, a leak or a wrong result.
 * Method: run each scenario with its 1st, 2nd, 3rd ... allocation failing, once and from then on, until one
 *         run gets through without meeting it. The address sanitizer watches for leaks.            */
#include "tests/common/check_main.h"

#include <stdlib.h>
#include <string.h>

#include "engine/text/csv.h"
#include "engine/io/io_sim.h"
#include "engine/text/json.h"
#include "engine/io/manifest.h"
#include "engine/values/row.h"
#include "engine/values/schema.h"
#include "engine/io/source.h"
#include "engine/base/trace.h"
#include "tests/common/fail_malloc.h"

/* Runs to the first failure; what it makes it frees.                                               */
typedef enum status scenario(struct io *io, const char *dir);

static void start_afresh(struct io *io, const char *dir)
{
    struct fault f = {0};

    ASSERT_OK(io_remove_tree(io, dir, &f), &f);
    ASSERT_OK(io_mkdir(io, dir, &f), &f);
}

enum { ALLOCATIONS_MAX = 1000 }; /* of one scenario: a loop that does not end is a failure too */

static void try_every_allocation(scenario *run, struct io *io, const char *dir, uint64_t least)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        uint64_t failed = 0;
        bool fired = true;

        for (uint64_t nth = 1; fired; nth++) {
            enum status st;

            ck_assert_uint_lt(nth, ALLOCATIONS_MAX);
            start_afresh(io, dir);
            fail_malloc_at(nth, sticky);
            st = run(io, dir);
            fired = fail_malloc_stop();
            ck_assert_msg(st == ST_OK || (fired && st == ST_NOMEM), "allocation %d: %s", (int)nth,
                          status_name(st));
            failed += fired;
        }
#ifdef __linux__
        ck_assert_uint_ge(failed, least);
#endif
    }
    start_afresh(io, dir);
    ck_assert_int_eq(run(io, dir), ST_OK);
}

static enum status publish_and_load(struct io *io, const char *dir)
{
    struct manifest m = {.kind = 1}, back = {0};
    struct manifest_entry *list = NULL;
    size_t count = 0;
    enum status st = manifest_load_newest(io, dir, 1, &back, NULL);

    if (st == ST_NOT_FOUND) st = ST_OK;
    m.seq = back.seq + 1;
    m.parent = back.seq;
    buf_free(&back.payload);
    buf_printf(&m.payload, "%0200d", 7);
    if (st == ST_OK) st = manifest_publish(io, dir, &m, NULL);
    if (st == ST_OK) st = manifest_load_as_of(io, dir, 1, LSN_MAX, &back, NULL);
    if (st == ST_OK && (back.payload.size != 200 || back.seq != m.seq)) st = ST_DRIFT;
    if (st == ST_OK) st = manifest_list(io, dir, 1, &list, &count, NULL);
    if (st == ST_OK && m.parent > 0) st = manifest_remove(io, dir, m.parent, NULL);
    free(list);
    buf_free(&back.payload);
    buf_free(&m.payload);
    return st;
}

static enum status names(struct io *io, const char *dir)
{
    char path[PATH_MAX_BYTES], other[PATH_MAX_BYTES];
    struct buf b = {0};
    struct io_list l = {0};
    void *shared = NULL;
    enum status st = path_join(path, dir, "a/b", NULL);

    if (st == ST_OK) st = io_mkdir(io, path, NULL);
    if (st == ST_OK) st = path_join(path, dir, "a/b/file", NULL);
    if (st == ST_OK) st = path_join(other, dir, "a/b/other", NULL);
    if (st == ST_OK) st = io_write_atomic(io, path, "bytes", 5, NULL);
    if (st == ST_OK) st = io_read_all(io, path, 100, &b, NULL);
    if (st == ST_OK) st = io_rename(io, path, other, NULL);
    if (st == ST_OK) st = io_link(io, other, path, NULL);
    if (st == ST_OK) st = io_list(io, dir, &l, NULL);
    if (st == ST_OK) st = path_join(path, dir, "page", NULL);
    if (st == ST_OK) st = io_map_shared(io, path, 64, &shared, NULL);
    if (shared != NULL) io_unmap_shared(io, shared, 64);
    io_list_free(&l);
    buf_free(&b);
    if (st == ST_OK) st = path_join(path, dir, "a", NULL);
    if (st == ST_OK) st = io_remove_tree(io, path, NULL);
    return st;
}

static enum status json_and_rows(struct io *io, const char *dir)
{
    static const char table[] =
        "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
        "\"int64\"},{\"name\":\"s\",\"type\":\"text\"}]}";
    struct value v[2] = {v_int(7), v_text("some text", 9)}, back[2];
    struct schema s = {0}, copy = {0};
    struct buf row = {0}, key = {0}, json = {0};
    struct arena a = {0};
    struct json *root = NULL;
    enum status st = schema_parse(table, sizeof table - 1, &s, NULL);

    (void)io, (void)dir;
    if (st == ST_OK) st = schema_clone(&s, &copy);
    if (st == ST_OK) st = row_encode(&copy, v, &row, NULL);
    if (st == ST_OK) st = row_decode(&s, row.data, row.size, back, NULL);
    if (st == ST_OK && !value_equal(&back[1], &v[1])) st = ST_DRIFT;
    if (st == ST_OK) st = row_key(&s, v, &key, NULL);
    if (st == ST_OK) {
        schema_to_json(&s, &json);
        st = buf_ok(&json) ? json_parse((char *)json.data, json.size, &a, "t", &root, NULL) : ST_NOMEM;
    }
    arena_free(&a);
    buf_free(&json);
    buf_free(&key);
    buf_free(&row);
    schema_free(&s);
    schema_free(&copy);
    return st;
}

static enum status sources(struct io *io, const char *dir)
{
    char path[PATH_MAX_BYTES];
    struct source *src = NULL;
    struct csv *csv = NULL;
    const struct csv_field *fields;
    size_t count;
    enum status st = path_join(path, dir, "x.csv", NULL);

    if (st == ST_OK) st = io_write_atomic(io, path, "a,b\n1,\"2\"\"\"\n", 12, NULL);
    if (st == ST_OK) st = source_open(io, path, &src, NULL);
    if (st == ST_OK) st = csv_open(src, (struct csv_options){.separator = ',', .quotes = true}, &csv);
    while (st == ST_OK) st = csv_next(csv, &fields, &count, NULL);
    if (st == ST_END) st = ST_OK;
    csv_close(csv);
    source_close(src);
    return st;
}

static void on_both_disks(scenario *run, uint64_t least_posix, uint64_t least_sim)
{
    struct io_sim *s = io_sim_new(test_seed());

    ck_assert_int_eq(io_mkdir(io_sim_io(s), "d", NULL), ST_OK);
    try_every_allocation(run, io_posix(), test_dir(), least_posix);
    try_every_allocation(run, io_sim_io(s), "d", least_sim);
    io_sim_free(s);
}

static void test_manifests(void) { on_both_disks(publish_and_load, 10, 15); }
static void test_names(void) { on_both_disks(names, 8, 20); }
static void test_json_and_rows(void) { on_both_disks(json_and_rows, 8, 8); }
static void test_sources_and_csv(void) { on_both_disks(sources, 6, 8); }

static void test_a_trace_loses_events_rather_than_stop(void)
{
    struct trace_log *l;

    fail_malloc_at(1, true);
    l = trace_log_new(5);
    fail_malloc_stop();
#ifdef __linux__
    ck_assert_ptr_null(l);
#endif
    trace_log_free(l);
    l = trace_log_new(5);
    fail_malloc_at(1, false);
    TRACE(trace_log_trace(l), "engine", "event", TS("text", "lost"));
    TRACE(trace_log_trace(l), "engine", "event", TI("number", 1));
    fail_malloc_stop();
#if defined(__linux__) && !defined(SEAM_NO_TRACE)
    ck_assert_uint_eq(trace_log_count(l), 1);
#endif
    trace_log_free(l);
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

    return run_tests("no_memory", tests, ARRAY_LEN(tests), argc, argv);
}
