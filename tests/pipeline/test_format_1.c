/* Goal:   what format generation 1 wrote is refused by a message that names both versions and the way out: never read by
 *         accident, never called damage. And: a store of another platform is refused by its name.
 * Method: a whole platform as generation 1 wrote it (tests/samples/format-1) is unpacked; each of the derived stores and
 *         small files is opened by the program of today, for reading, for writing and to be dumped.          */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "pipeline/platform.h"
#include "pipeline/relevance/embed.h"
#include "pipeline/stream/registry.h"
#include "tests/common/check_main.h"

/* The sample, unpacked once a test: "DIR/platform". */
static const char *sample(void)
{
    static char dir[SEAM_PATH_MAX_BYTES];
    char command[2 * SEAM_PATH_MAX_BYTES];

    snprintf(dir, sizeof dir, "%s", test_dir());
    snprintf(command, sizeof command, "tar -xzf tests/samples/format-1/platform.tar.gz -C '%s'",
             dir);
    ck_assert_int_eq(system(command), 0);
    snprintf(dir, sizeof dir, "%s/platform", test_dir());
    return dir;
}

static const char *in(const char *dir, const char *part)
{
    static char path[2 * SEAM_PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%s", dir, part);
    return path;
}

/* A refusal of the right kind: both versions, and what to do. */
static void refused(enum seam_status st, struct seam_fault *f, const char *way_out)
{
    ck_assert_msg(st == SEAM_UNSUPPORTED && f->status == st, "%s: %s: %s", seam_status_name(st),
                  f->where, f->why);
    ck_assert_msg(strstr(f->why, "version 1") != NULL && strstr(f->why, "version 2") != NULL &&
                      strstr(f->why, way_out) != NULL,
                  "%s: %s", f->where, f->why);
    seam_fault_clear(f);
}

static void test_stores_of_generation_1_are_refused_by_name(void)
{
    struct seam_io *io = seam_io_posix();
    const char *dir = sample();
    struct columnar_reader *r = NULL;
    struct columnar_writer *w = NULL;
    struct invidx_reader *ir = NULL;
    struct invidx_writer *iw = NULL;
    struct hnsw *h = NULL;
    struct seam_fault f = {0};

    refused(columnar_open_reader(io, in(dir, "sinks/warehouse"), NULL, &r, &f), &f, "seam rebuild");
    refused(columnar_open_writer(io, in(dir, "sinks/warehouse"), NULL, &w, &f), &f, "seam rebuild");
    refused(invidx_reader_open(io, in(dir, "sinks/search"), SEAM_LSN_MAX, &ir, &f), &f,
            "seam rebuild");
    refused(invidx_writer_open(io, in(dir, "sinks/search"), NULL, NULL, &iw, &f), &f,
            "seam rebuild");
    refused(hnsw_open_reader(io, in(dir, "sinks/vectors/g1"), SEAM_LSN_MAX, NULL, &h, &f), &f,
            "seam rebuild");
    refused(hnsw_open_writer(io, in(dir, "sinks/vectors/g1"), NULL, &h, &f), &f, "seam rebuild");
}

static void test_small_files_of_generation_1_are_refused_by_name_or_read(void)
{
    struct seam_io *io = seam_io_posix();
    const char *dir = sample();
    struct embedder *e = NULL;
    struct stream_registry registry;
    struct platform p;
    struct seam_fault f = {0};

    refused(embedder_open(io, in(dir, "sinks/vectors/g1/model.embed"), &e, &f), &f, "seam rebuild");
    ASSERT_OK(stream_registry_open(&registry, io, in(dir, "sinks/view"), &f), &f); /* is read */
    ck_assert_ptr_nonnull(stream_registry_find(&registry, "products"));
    stream_registry_close(&registry);
    ASSERT_OK(platform_open(io, seam_clock_real(), dir, &p, &f), &f); /* for `seam upgrade` */
    platform_close(&p);
}

/* The id in seam.json is what every store is compared with: a damaged one is told from a stranger's store. */
static void test_a_damaged_identity_is_damage(void)
{
    struct seam_io *io = seam_io_posix();
    struct platform_new new = {.shop = "{\"tables\":[],\"sinks\":{}}", .n = 24, .seed = 5};
    char dir[SEAM_PATH_MAX_BYTES], path[SEAM_PATH_MAX_BYTES], *id;
    struct seam_buf b = {0};
    struct platform p;
    struct seam_fault f = {0};

    snprintf(dir, sizeof dir, "%s/p", test_dir());
    ASSERT_OK(platform_create(io, seam_clock_real(), dir, &new, &f), &f);
    ASSERT_OK(platform_open(io, seam_clock_real(), dir, &p, &f), &f);
    platform_close(&p);
    ASSERT_OK(seam_path_join(path, dir, "seam.json", &f), &f);
    ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &b, &f), &f);
    id = strstr(seam_buf_cstr(&b), "\"id\":\"");
    ck_assert_ptr_nonnull(id);
    id[10] = id[10] == 'a' ? 'b' : 'a';
    ASSERT_OK(seam_io_write_atomic(io, path, b.data, b.size, &f), &f);
    ASSERT_STATUS(platform_open(io, seam_clock_real(), dir, &p, &f), SEAM_CORRUPT);
    ck_assert_ptr_nonnull(strstr(f.why, "check"));
    seam_buf_free(&b);
}

/* Every file of the folder whose name ends so, dumped. */
static size_t dump_all(const char *dir, const char *ending, struct seam_fault *f)
{
    struct seam_io *io = seam_io_posix();
    struct seam_io_list names = {0};
    size_t n = 0;

    ASSERT_OK(seam_io_list(io, dir, &names, f), f);
    for (size_t i = 0; i < names.count; i++) {
        size_t len = strlen(names.names[i]), m = strlen(ending);
        struct seam_buf out = {0};
        char path[SEAM_PATH_MAX_BYTES];
        enum seam_status st;

        if (len < m || strcmp(names.names[i] + len - m, ending) != 0) continue;
        ASSERT_OK(seam_path_join(path, dir, names.names[i], f), f);
        if (strstr(dir, "warehouse") != NULL)
            st = columnar_dump(io, path, &out, f);
        else if (strstr(dir, "search") != NULL)
            st = invidx_dump(io, path, &out, f);
        else
            st = hnsw_dump(io, path, false, &out, f);
        refused(st, f, "seam rebuild");
        seam_buf_free(&out);
        n++;
    }
    seam_io_list_free(&names);
    return n;
}

static void test_dumps_of_generation_1_are_refused_by_name(void)
{
    char dir[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};
    size_t n = 0;

    snprintf(dir, sizeof dir, "%s", sample());
    n += dump_all(in(dir, "sinks/warehouse"), ".manifest", &f);
    n += dump_all(in(dir, "sinks/warehouse"), ".log", &f);
    n += dump_all(in(dir, "sinks/warehouse"), ".col", &f);
    n += dump_all(in(dir, "sinks/search"), ".manifest", &f);
    n += dump_all(in(dir, "sinks/search"), ".seg", &f);
    n += dump_all(in(dir, "sinks/vectors/g1"), ".journal", &f);
    n += dump_all(in(dir, "sinks/vectors/g1"), ".manifest", &f);
    ck_assert_uint_ge(n, 5);
}

/* A folder that was carried over from another platform answers nobody there. */
static void test_a_store_of_another_platform_is_refused(void)
{
    struct seam_io *io = seam_io_posix();
    struct columnar_options ours = {.owner = {{1}, 7}}, theirs = {.owner = {{2}, 7}};
    const struct invidx_field fields[] = {{"title", 1}};
    const struct invidx_schema s = {
        .fields = fields, .field_count = 1, .analysis = invidx_analysis_default()};
    struct invidx_writer_options io_ours = {.owner = ours.owner},
                                 io_theirs = {.owner = theirs.owner};
    struct hnsw_options graph = {.dim = 4, .owner = ours.owner};
    struct hnsw_config h_theirs = {.owner = theirs.owner}, h_next = {.owner = {{1}, 8}};
    char dir[3][SEAM_PATH_MAX_BYTES];
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct invidx_writer *iw = NULL;
    struct hnsw *h = NULL;
    struct hnsw_info info;
    struct seam_fault f = {0};

    for (int i = 0; i < 3; i++) snprintf(dir[i], sizeof dir[i], "%s/%d", test_dir(), i);
    ASSERT_OK(columnar_open_writer(io, dir[0], &ours, &w, &f), &f);
    ASSERT_OK(columnar_publish(w, 5, 0, &f), &f);
    columnar_close_writer(w);
    w = NULL;
    ASSERT_STATUS(columnar_open_writer(io, dir[0], &theirs, &w, &f), SEAM_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.why, "platform 01000000"));
    ASSERT_STATUS(columnar_open_reader(io, dir[0], &theirs, &r, NULL), SEAM_CONFLICT);
    seam_fault_clear(&f);
    /* The next history of the same platform goes on, and says so in the next publication. */
    ours.owner.history = 8;
    ASSERT_OK(columnar_open_writer(io, dir[0], &ours, &w, &f), &f);
    ASSERT_OK(columnar_publish(w, 5, 0, &f), &f);
    columnar_close_writer(w);
    ASSERT_OK(columnar_open_reader(io, dir[0], NULL, &r, &f), &f);
    ck_assert_uint_eq(columnar_owner(r).history, 8);
    columnar_close_reader(r);

    ASSERT_OK(invidx_writer_open(io, dir[1], &s, &io_ours, &iw, &f), &f);
    ASSERT_OK(invidx_publish(iw, 5, 0, &f), &f);
    invidx_writer_close(iw);
    iw = NULL;
    ASSERT_STATUS(invidx_writer_open(io, dir[1], NULL, &io_theirs, &iw, &f), SEAM_CONFLICT);
    seam_fault_clear(&f);

    ASSERT_OK(hnsw_create(io, dir[2], &graph, &f), &f);
    ASSERT_STATUS(hnsw_open_writer(io, dir[2], &h_theirs, &h, &f), SEAM_CONFLICT);
    ASSERT_STATUS(hnsw_open_reader(io, dir[2], SEAM_LSN_MAX, &h_theirs, &h, NULL), SEAM_CONFLICT);
    seam_fault_clear(&f);
    ASSERT_OK(hnsw_open_writer(io, dir[2], &h_next, &h, &f), &f);
    ASSERT_OK(hnsw_publish(h, 5, 0, &f), &f);
    hnsw_close(h);
    h = NULL;
    ASSERT_OK(hnsw_open_reader(io, dir[2], SEAM_LSN_MAX, NULL, &h, &f), &f);
    hnsw_info(h, &info);
    ck_assert_uint_eq(info.owner.history, 8);
    hnsw_close(h);
}

static const struct named_test tests[] = {
    T(test_stores_of_generation_1_are_refused_by_name),
    T(test_small_files_of_generation_1_are_refused_by_name_or_read),
    T(test_a_damaged_identity_is_damage),
    T(test_dumps_of_generation_1_are_refused_by_name),
    T(test_a_store_of_another_platform_is_refused),
};

int main(int argc, char **argv)
{
    return run_tests("format 1", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
