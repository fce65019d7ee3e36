/* Goal: tune measures what it says, promises only what its bound allows, and check notices a drop; vector
 *       files of every kind come in, hostile ones are refused with place and reason.                  */
#include "tests/hnsw/common.h"

#include "engine/io/io_sim.h"
#include "hnsw/tune.h"
#include "hnsw/vecfile.h"

enum { N = 2500, DIM = 12 };

static void test_tune_picks_the_cheapest_point_that_keeps_the_promise(void)
{
    static const uint32_t ms[] = {8, 16}, efs[] = {60};
    float *v = clustered(N, DIM, test_seed());
    struct hnsw_tune_options o = {.recall = 0.95,
                                  .queries = 200,
                                  .threads = 1,
                                  .seed = 3,
                                  .ms = ms,
                                  .m_count = 2,
                                  .ef_constructions = efs,
                                  .ef_construction_count = 1};
    struct hnsw_tune_result r;
    struct hnsw_point points[HNSW_POINTS_MAX];
    struct seam_buf tsv = {0}, gp = {0};
    struct seam_fault f = {0};
    const struct hnsw_tune_point *c;

    ASSERT_OK(hnsw_tune_sweep(
                  &(struct hnsw_tune_data){.vectors = v, .n = N, .dim = DIM, .metric = HNSW_L2}, &o,
                  &r, &f),
              &f);
    ck_assert_uint_eq(r.n, N - 200);
    ck_assert_uint_ne(r.chosen, SIZE_MAX);
    c = &r.points[r.chosen];
    ck_assert(c->meets && c->recall_low >= 0.95 && c->recall_low <= c->recall_mean &&
              c->recall_p1 <= c->recall_p5);
    for (size_t i = 0; i < r.count; i++) ck_assert(!r.points[i].meets || r.points[i].qps <= c->qps);
    ck_assert(r.exact_qps > 0);
    ck_assert_uint_gt(hnsw_tune_points(&r, c->quant, c->m, c->ef_construction, points), 2);
    hnsw_tune_write_tsv(&r, &tsv);
    hnsw_tune_write_gnuplot(&r, "x.tsv", "x", &gp);
    ck_assert(strstr(seam_buf_cstr(&tsv), "recall_p5") != NULL &&
              strstr(seam_buf_cstr(&gp), "exact scan") != NULL);
    seam_buf_free(&tsv);
    seam_buf_free(&gp);
    hnsw_tune_result_free(&r);
    o.recall = 0;
    ASSERT_STATUS(hnsw_tune_sweep(
                      &(struct hnsw_tune_data){.vectors = v, .n = N, .dim = DIM, .metric = HNSW_L2},
                      &o, &r, NULL),
                  SEAM_INVALID);
    free(v);
}

static void test_check_passes_a_kept_promise_and_fails_a_broken_one(void)
{
    float *v = clustered(N, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_tune_options o = {.recall = 0.97, .queries = 300, .threads = 1, .seed = 3};
    struct hnsw_tune_result r;
    struct hnsw_tune_check_result c;
    struct hnsw_point points[HNSW_POINTS_MAX];
    struct seam_fault f = {0};
    size_t n;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = N}, 1, NULL, &f), &f);
    ASSERT_OK(hnsw_tune_index(h, NULL, 0, &o, &r, &f), &f);
    n = hnsw_tune_points(&r, HNSW_F32, 16, 100, points);
    ck_assert_uint_gt(n, 2);
    ASSERT_OK(hnsw_pin(h, points, n, 0.97, &f), &f);
    ASSERT_OK(
        hnsw_tune_check(
            h, &(struct hnsw_tune_ask){.samples = 200, .k = 10, .recall = 0.97, .seed = 9}, &c, &f),
        &f);
    ck_assert_uint_eq(c.samples, 200);
    for (size_t i = 0; i < n; i++) points[i].ef = 1; /* a pin that promises what it cannot keep */
    ASSERT_OK(hnsw_pin(h, points, n, 0.97, &f), &f);
    ASSERT_STATUS(hnsw_tune_check(
                      h,
                      &(struct hnsw_tune_ask){.samples = 200, .k = 10, .recall = 0.999, .seed = 9},
                      &c, &f),
                  SEAM_DRIFT);
    ck_assert_ptr_nonnull(strstr(f.why, "promised"));
    hnsw_tune_result_free(&r);
    hnsw_close(h);
    free(v);
}

/* ---- files ---- */
static enum seam_status read_vectors(const char *name, const void *p, size_t n,
                                     struct hnsw_vecfile_options o, struct hnsw_vecset *out,
                                     struct seam_fault *f)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    enum seam_status st;

    seam_fault_clear(f);
    ASSERT_OK(seam_io_write_atomic(io, name, p, n, f), f);
    st = hnsw_vecfile_read(io, name, &o, out, f);
    seam_io_sim_free(sim);
    return st;
}

static void test_vector_files_of_every_kind_are_read(void)
{
    static const uint8_t bvecs[] = {2, 0, 0, 0, 7, 9, 2, 0, 0, 0, 1, 255};
    static const uint8_t ivecs[] = {1, 0, 0, 0, 0x40, 0xe2, 1, 0};
    static const uint8_t f16[] = {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b};
    static const char npy[] = "\x93NUMPY\x01\x00\x43\x00{'descr': '<f4', 'fortran_order': False, "
                              "'shape': (2, 2), }       \n"
                              "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40";
    struct hnsw_vecset v;
    struct seam_fault f = {0};
    float rows[4] = {1.5f, -2, 3, 4};
    struct seam_io_sim *sim = seam_io_sim_new(1);

    ASSERT_OK(
        read_vectors("a.bvecs", bvecs, sizeof bvecs, (struct hnsw_vecfile_options){0}, &v, &f), &f);
    ck_assert(v.count == 2 && v.dim == 2 && v.rows[0] == 7 && v.rows[3] == 255);
    hnsw_vecset_free(&v);
    ASSERT_OK(
        read_vectors("a.ivecs", ivecs, sizeof ivecs, (struct hnsw_vecfile_options){0}, &v, &f), &f);
    ck_assert(v.count == 1 && v.ints[0] == 123456);
    hnsw_vecset_free(&v);
    ASSERT_OK(
        read_vectors("a.f16", f16, sizeof f16, (struct hnsw_vecfile_options){.dim = 2}, &v, &f),
        &f);
    ck_assert(v.count == 2 && v.rows[0] == 1 && v.rows[1] == -2 && v.rows[2] == 0x1p-24f &&
              v.rows[3] == 65504);
    hnsw_vecset_free(&v);
    ASSERT_OK(read_vectors("a.npy", npy, 10 + 67 + 16, (struct hnsw_vecfile_options){0}, &v, &f),
              &f);
    ck_assert(v.count == 2 && v.dim == 2 && v.rows[2] == 3);
    hnsw_vecset_free(&v);
    ASSERT_OK(read_vectors("a.txt", "2 3\nking 1 2 3\nqueen -1 .5 1e2\n", 31,
                           (struct hnsw_vecfile_options){.keep_words = true}, &v, &f),
              &f);
    ck_assert(v.count == 2 && v.dim == 3 && v.rows[5] == 100);
    ck_assert_str_eq(v.words[1], "queen");
    hnsw_vecset_free(&v);
    ASSERT_OK(
        read_vectors("a.csv", "x,y\n1,2\n3,4\n", 12, (struct hnsw_vecfile_options){0}, &v, &f), &f);
    ck_assert(v.count == 2 && v.dim == 2 && v.rows[3] == 4);
    hnsw_vecset_free(&v);
    ASSERT_OK(
        hnsw_vecfile_write(seam_io_sim_io(sim), "b.fvecs", HNSW_VECFILE_FVECS, rows, 2, 2, &f), &f);
    ASSERT_OK(hnsw_vecfile_read(seam_io_sim_io(sim), "b.fvecs", NULL, &v, &f), &f);
    ck_assert_mem_eq(v.rows, rows, sizeof rows);
    hnsw_vecset_free(&v);
    seam_io_sim_free(sim);
}

static void refused(const char *name, const void *p, size_t n, uint32_t dim, enum seam_status want,
                    const char *word)
{
    struct hnsw_vecset v;
    struct seam_fault f = {0};
    enum seam_status st =
        read_vectors(name, p, n, (struct hnsw_vecfile_options){.dim = dim}, &v, &f);

    ck_assert_msg(st == want, "%s: %s (%s), want %s", name, seam_status_name(st), f.why,
                  seam_status_name(want));
    ck_assert_msg(strstr(f.why, word) != NULL, "%s: \"%s\" does not say \"%s\"", name, f.why, word);
    ck_assert_ptr_null(v.rows);
}

static void test_bad_vector_files_are_refused_with_place_and_reason(void)
{
    static const uint8_t torn[] = {2, 0, 0, 0, 7, 9, 2, 0, 0, 0, 1},
                         big[] = {0xff, 0xff, 0xff, 0x7f, 1},
                         negative[] = {0xff, 0xff, 0xff, 0xff, 1},
                         nan[] = {1, 0, 0, 0, 0, 0, 0xc0, 0x7f},
                         mixed[] = {1, 0, 0, 0, 5, 2, 0, 0, 0, 1, 2};

    refused("a.bvecs", torn, sizeof torn, 0, SEAM_CORRUPT, "row 1");
    refused("a.bvecs", big, sizeof big, 0, SEAM_CORRUPT, "dimensions");
    refused("a.bvecs", negative, sizeof negative, 0, SEAM_CORRUPT, "dimensions");
    refused("a.fvecs", nan, sizeof nan, 0, SEAM_INVALID, "not a number");
    refused("a.bvecs", mixed, sizeof mixed, 0, SEAM_CORRUPT, "row 1");
    refused("a.bvecs", torn, 6, 3, SEAM_INVALID, "wanted");
    refused("a.bvecs", "", 0, 0, SEAM_INVALID, "no vectors");
    refused("a.f16", "abcd", 4, 0, SEAM_INVALID, "dimension");
    refused("a.npy", "nothing", 7, 0, SEAM_CORRUPT, "");
    refused("a.txt", "a 1 2\nb 1 x\n", 12, 0, SEAM_CORRUPT, "line 2");
    refused("a.csv", "1,2\n3\n", 6, 0, SEAM_CORRUPT, "row 1");
    refused("a.csv", "1,2\n3,z\n", 8, 0, SEAM_CORRUPT, "line 2");
    refused("a.xyz", "1", 1, 0, SEAM_INVALID, "format");
}

static const struct named_test tests[] = {
    T(test_tune_picks_the_cheapest_point_that_keeps_the_promise),
    T(test_check_passes_a_kept_promise_and_fails_a_broken_one),
    T(test_vector_files_of_every_kind_are_read),
    T(test_bad_vector_files_are_refused_with_place_and_reason),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw tune", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
