/* Goal: searches find what an exact scan finds, whatever the metric, the codes, the filter, the moment. */
#include "tests/hnsw/common.h"

#include "engine/base/bitset.h"

enum { N = 4000, DIM = 24, QUERIES = 100 };

static void recall_for(enum hnsw_metric metric, enum hnsw_quant quant, bool bytes, double least)
{
    float *v = bytes ? bytes_like(N + QUERIES, DIM, test_seed())
                     : clustered(N + QUERIES, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, metric, quant);
    struct seam_fault f = {0};
    double recall;

    ASSERT_OK(
        hnsw_load(h, &(struct hnsw_rows){.first_key = 1000, .vectors = v, .n = N}, 1, NULL, &f),
        &f);
    recall =
        recall_of(h, v + (size_t)N * DIM, QUERIES, DIM, (struct hnsw_query){.k = 10, .ef = 64});
    ck_assert_msg(recall >= least, "metric %d quant %d: recall %.4f, want %.2f", metric, quant,
                  recall, least);
    hnsw_close(h);
    free(v);
}

static void test_recall_l2(void)
{
    recall_for(HNSW_L2, HNSW_F32, false, 0.97);
}
static void test_recall_ip(void)
{
    recall_for(HNSW_IP, HNSW_F32, false, 0.85);
}
static void test_recall_cosine(void)
{
    recall_for(HNSW_COSINE, HNSW_F32, false, 0.97);
}
static void test_recall_l2_codes(void)
{
    recall_for(HNSW_L2, HNSW_I8, false, 0.97);
}
static void test_recall_ip_codes(void)
{
    recall_for(HNSW_IP, HNSW_I8, false, 0.85);
}
static void test_recall_cosine_codes(void)
{
    recall_for(HNSW_COSINE, HNSW_I8, false, 0.97);
}
static void test_recall_bytes_lossless(void)
{
    recall_for(HNSW_L2, HNSW_I8, true, 0.97);
}

/* One at a time: codes are trained on the way.                                                      */
static void test_upserts_one_by_one_reach_the_same_recall(void)
{
    enum { FEW = 1500 };
    float *v = clustered(FEW + QUERIES, DIM, test_seed());
    struct seam_fault f = {0};

    for (int quant = 0; quant < 2; quant++) {
        struct hnsw *h = memory_graph(DIM, HNSW_L2, (enum hnsw_quant)quant);

        for (size_t i = 0; i < FEW; i++) ASSERT_OK(hnsw_upsert(h, i, v + i * DIM, i + 1, &f), &f);
        ck_assert(recall_of(h, v + (size_t)FEW * DIM, QUERIES, DIM,
                            (struct hnsw_query){.k = 10, .ef = 64}) >= 0.97);
        hnsw_close(h);
    }
    free(v);
}

static void test_one_thread_and_seed_give_the_same_graph(void)
{
    float *v = clustered(1000, DIM, test_seed());
    struct hnsw *a = memory_graph(DIM, HNSW_L2, HNSW_F32),
                *b = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_hit x[20], y[20];
    struct seam_fault f = {0};
    size_t n = 0, m = 0;

    ASSERT_OK(hnsw_load(a, &(struct hnsw_rows){.vectors = v, .n = 1000}, 1, NULL, &f), &f);
    ASSERT_OK(hnsw_load(b, &(struct hnsw_rows){.vectors = v, .n = 1000}, 1, NULL, &f), &f);
    for (size_t i = 0; i < 50; i++) {
        struct hnsw_query q = {.vector = v + i * DIM, .k = 20, .ef = 20};
        struct hnsw_stats sa, sb;

        ASSERT_OK(hnsw_search(a, &q, x, &n, &sa, &f), &f);
        ASSERT_OK(hnsw_search(b, &q, y, &m, &sb, &f), &f);
        ck_assert_uint_eq(n, m);
        ck_assert_uint_eq(sa.distances, sb.distances);
        for (size_t j = 0; j < n; j++) ck_assert_uint_eq(x[j].key, y[j].key);
    }
    hnsw_close(a);
    hnsw_close(b);
    free(v);
}

/* ---- filters ---- */
static bool every(void *ctx, uint64_t key)
{
    return key % *(uint64_t *)ctx == 0;
}

static void test_filters_of_every_selectivity_return_all_they_can(void)
{
    static const uint64_t step[] = {1, 2, 5, 20, 100, 1000, 3999, 100000};
    float *v = clustered(N + QUERIES, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct seam_fault f = {0};
    bool seen[4] = {false};

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = N}, 1, NULL, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(step); i++) {
        uint64_t mod = step[i], *bits = calloc(seam_bitset_words(N), 8), *keys = calloc(N, 8);
        struct hnsw_filter filter[3] = {
            {.match = every, .ctx = &mod}, {.bitmap = bits, .bits = N}, {.keys = keys}};

        for (uint64_t k = 0; k < N; k++) {
            if (k % mod != 0) continue;
            seam_bitset_set(bits, k);
            filter[2].keys = keys;
            keys[filter[2].key_count++] = k;
        }
        for (int kind = 0; kind < 3; kind++) {
            for (int regime = 0; regime < 4; regime++) {
                struct hnsw_query q = {.vector = v + (size_t)N * DIM,
                                       .k = 10,
                                       .ef = 64,
                                       .filter = &filter[kind],
                                       .regime = (enum hnsw_regime)regime};
                struct hnsw_hit hits[10];
                struct hnsw_stats stats;
                size_t n = 0, possible = (N + mod - 1) / mod;

                ASSERT_OK(hnsw_search(h, &q, hits, &n, &stats, &f), &f);
                ck_assert_uint_eq(n, possible < 10 ? possible : 10);
                for (size_t j = 0; j < n; j++) ck_assert_uint_eq(hits[j].key % mod, 0);
                seen[stats.regime] = true;
                if (regime == HNSW_AUTO)
                    ck_assert(recall_of(h, v + (size_t)N * DIM, 20, DIM, q) >= 0.9);
            }
        }
        free(bits);
        free(keys);
    }
    ck_assert(seen[HNSW_PLAIN] && seen[HNSW_TWO_HOP] && seen[HNSW_EXACT]);
    hnsw_close(h);
    free(v);
}

/* ---- time ---- */
static void test_replaced_and_deleted_vectors_are_found_as_of_their_time(void)
{
    enum { FEW = 600 };
    float *v = clustered(FEW, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct seam_fault f = {0};
    struct hnsw_hit hit;
    size_t n = 0;

    for (uint64_t k = 0; k < 300; k++) ASSERT_OK(hnsw_upsert(h, k, v + k * DIM, 10 + k, &f), &f);
    ASSERT_OK(hnsw_publish(h, 1000, 0, &f), &f);
    for (uint64_t k = 0; k < 300; k++) { /* every key moves to another vector */
        ASSERT_OK(hnsw_upsert(h, k, v + (300 + k) * DIM, 2000 + k, &f), &f);
    }
    ASSERT_OK(hnsw_publish(h, 3000, 0, &f), &f);
    for (uint64_t k = 0; k < 300; k++) {
        struct hnsw_query q = {.vector = v + k * DIM, .k = 1, .as_of = 1000};

        ASSERT_OK(hnsw_search(h, &q, &hit, &n, NULL, &f), &f);
        ck_assert(n == 1 && hit.distance == 0);
        ck_assert_uint_eq(hit.key, k);
        q.vector = v + (300 + k) * DIM;
        q.as_of = 0;
        ASSERT_OK(hnsw_search(h, &q, &hit, &n, NULL, &f), &f);
        ck_assert(n == 1 && hit.distance == 0 && hit.key == k);
    }
    ASSERT_OK(hnsw_delete(h, 7, 4000, &f), &f);
    ASSERT_STATUS(hnsw_delete(h, 7, 4001, NULL), SEAM_NOT_FOUND);
    {
        struct hnsw_query q = {.vector = v + 307 * DIM, .k = 1};

        ASSERT_OK(hnsw_search(h, &q, &hit, &n, NULL, &f), &f);
        ck_assert_uint_ne(hit.key, 7);
        q.as_of = 5000;
        ASSERT_STATUS(hnsw_search(h, &q, &hit, &n, NULL, NULL),
                      SEAM_NOT_FOUND); /* not applied yet */
    }
    hnsw_close(h);
    free(v);
}

static void test_applied_changes_are_ignored_when_repeated(void)
{
    float a[DIM] = {1}, b[DIM] = {2}, got[DIM];
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_info info;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_upsert(h, 5, a, 10, &f), &f);
    ASSERT_OK(hnsw_publish(h, 10, 0, &f), &f);
    ASSERT_OK(hnsw_upsert(h, 5, b, 10, &f), &f);
    ASSERT_OK(hnsw_delete(h, 5, 9, &f), &f);
    ASSERT_OK(hnsw_get(h, 5, got, &f), &f);
    ck_assert(got[0] == 1);
    hnsw_info(h, &info);
    ck_assert_uint_eq(info.nodes, 1);
    hnsw_close(h);
}

/* ---- iterator, range ---- */
static void test_iterator_gives_every_node_once_and_pages_in_order(void)
{
    float *v = clustered(2000, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_query q = {.vector = v, .k = 10, .ef = 50};
    struct hnsw_iter *it = NULL;
    uint8_t *seen = calloc(2000, 1);
    struct hnsw_hit hits[37], exact[37];
    struct seam_fault f = {0};
    size_t n = 0, total = 0;
    enum seam_status st;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 2000}, 1, NULL, &f), &f);
    ASSERT_OK(hnsw_iter_open(h, &q, &it, &f), &f);
    q.k = 37;
    ASSERT_OK(hnsw_exact(h, &q, exact, &n, &f), &f);
    while ((st = hnsw_iter_next(it, hits, 37, &n, &f)) == SEAM_OK) {
        for (size_t i = 0; i < n; i++) {
            ck_assert(!seen[hits[i].key]);
            seen[hits[i].key] = 1;
            ck_assert(i == 0 || hits[i].distance >= hits[i - 1].distance);
            if (total == 0) ck_assert(hits[i].distance <= exact[36].distance * 1.5f);
        }
        total += n;
    }
    ASSERT_STATUS(st, SEAM_END);
    ck_assert_uint_eq(total, 2000);
    hnsw_iter_close(it);
    hnsw_close(h);
    free(seen);
    free(v);
}

static void test_batches_answer_as_single_searches_do(void)
{
    enum { FEW = 600, K = 7 };
    float *v = clustered(FEW + QUERIES, DIM, test_seed()), *asked = v + (size_t)FEW * DIM;
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_query q = {.k = K, .ef = 40};
    struct hnsw_hit all[QUERIES * K], one[K];
    size_t counts[QUERIES], n = 0;
    struct seam_fault f = {0};

    ASSERT_OK(
        hnsw_load(h, &(struct hnsw_rows){.first_key = 1000, .vectors = v, .n = FEW}, 1, NULL, &f),
        &f);
    for (int exact = 0; exact < 2; exact++) {
        ASSERT_OK(
            (exact ? hnsw_exact_batch : hnsw_search_batch)(h,
                                                           &(struct hnsw_batch){.vectors = asked,
                                                                                .n = QUERIES,
                                                                                .query = &q,
                                                                                .threads = 3,
                                                                                .hits = all,
                                                                                .counts = counts},
                                                           &f),
            &f);
        for (size_t i = 0; i < QUERIES; i++) {
            q.vector = asked + i * DIM;
            ASSERT_OK(
                exact ? hnsw_exact(h, &q, one, &n, &f) : hnsw_search(h, &q, one, &n, NULL, &f), &f);
            ck_assert_uint_eq(counts[i], n);
            for (size_t j = 0; j < n; j++) ck_assert_uint_eq(all[i * K + j].key, one[j].key);
        }
        q.vector = NULL;
    }
    hnsw_close(h);
    free(v);
}

static void test_range_returns_what_lies_within(void)
{
    float *v = clustered(2000, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_query q = {.vector = v, .k = 1, .ef = 400};
    struct hnsw_hit *hits = malloc(2000 * sizeof *hits), *all = malloc(2000 * sizeof *all);
    struct seam_fault f = {0};
    size_t n = 0, m = 0, within = 0;
    float radius;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 2000}, 1, NULL, &f), &f);
    q.k = 2000;
    ASSERT_OK(hnsw_exact(h, &q, all, &m, &f), &f);
    q.k = 1;
    radius = all[60].distance;
    while (all[within].distance <= radius) within++;
    ASSERT_OK(
        hnsw_range(h, &q,
                   &(struct hnsw_within){.radius = radius, .hits = hits, .max = 2000, .count = &n},
                   &f),
        &f);
    ck_assert_msg(n * 100 >= within * 95 && n <= within, "%zu of %zu", n, within);
    hnsw_close(h);
    free(hits);
    free(all);
    free(v);
}

/* ---- what is refused ---- */
static void test_bad_vectors_and_options_are_refused_with_a_reason(void)
{
    struct hnsw *h = memory_graph(DIM, HNSW_COSINE, HNSW_F32);
    float v[2 * DIM] = {0};
    struct hnsw_hit hit;
    struct seam_fault f = {0};
    struct hnsw *none = NULL;
    struct hnsw_options o = {.dim = 5000, .m = 16, .ef_construction = 10};
    size_t n;

    ASSERT_STATUS(hnsw_upsert(h, 1, v, 1, &f), SEAM_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "zero"));
    v[3] = NAN;
    seam_fault_clear(&f);
    ASSERT_STATUS(hnsw_upsert(h, 1, v, 1, &f), SEAM_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "component 3"));
    v[3] = INFINITY;
    ASSERT_STATUS(hnsw_upsert(h, 1, v, 1, NULL), SEAM_INVALID);
    v[0] = 1;
    v[3] = 0;
    seam_fault_clear(&f);
    ASSERT_STATUS(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 2}, 1, NULL, &f),
                  SEAM_INVALID); /* the second row is zero */
    ck_assert_ptr_nonnull(strstr(f.why, "vector 1"));
    seam_fault_clear(&f);
    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 1}, &hit, &n, NULL, &f), &f);
    ck_assert_uint_eq(n, 1);
    ASSERT_STATUS(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 0}, &hit, &n, NULL, NULL),
                  SEAM_INVALID);
    ASSERT_STATUS(hnsw_new(&o, NULL, &none, NULL), SEAM_LIMIT);
    o = (struct hnsw_options){.dim = 8, .m = 1};
    ASSERT_STATUS(hnsw_new(&o, NULL, &none, NULL), SEAM_LIMIT);
    hnsw_close(h);
}

static void test_empty_and_tiny_graphs_answer(void)
{
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_I8);
    float v[DIM] = {1};
    struct hnsw_hit hits[5];
    struct seam_fault f = {0};
    size_t n = 9;

    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 5}, hits, &n, NULL, &f), &f);
    ck_assert_uint_eq(n, 0);
    ASSERT_OK(hnsw_upsert(h, 42, v, 1, &f), &f);
    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 5}, hits, &n, NULL, &f), &f);
    ck_assert(n == 1 && hits[0].key == 42 && hits[0].distance == 0);
    ASSERT_OK(hnsw_delete(h, 42, 2, &f), &f);
    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 5}, hits, &n, NULL, &f), &f);
    ck_assert_uint_eq(n, 0);
    hnsw_close(h);
}

/* A graph of bytes meets a vector that is none: the codes stop being lossless, nothing is lost.       */
static void test_lossless_codes_give_way_to_other_values(void)
{
    enum { FEW = 1000 };
    float *v = bytes_like(FEW, DIM, test_seed()), odd[DIM], got[DIM];
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_I8);
    struct hnsw_hit hit;
    struct seam_fault f = {0};
    size_t n;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = FEW}, 1, NULL, &f), &f);
    ASSERT_OK(hnsw_get(h, 3, got, &f), &f);
    ck_assert_mem_eq(got, v + 3 * DIM, sizeof got);
    for (int d = 0; d < DIM; d++) odd[d] = v[d] + 0.25f;
    ASSERT_OK(hnsw_upsert(h, FEW, odd, 2, &f), &f);
    ASSERT_OK(hnsw_get(h, FEW, got, &f), &f);
    ck_assert_mem_eq(got, odd, sizeof got);
    ASSERT_OK(hnsw_get(h, 3, got, &f), &f);
    ck_assert_mem_eq(got, v + 3 * DIM, sizeof got);
    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = odd, .k = 1}, &hit, &n, NULL, &f), &f);
    ck_assert(hit.key == FEW && hit.distance == 0);
    hnsw_close(h);
    free(v);
}

/* A vector embedded again must be comparable with the stored one without any tolerance. */
static void test_what_would_be_stored_is_what_is_given_back(void)
{
    enum { FEW = 2000 };

    for (int metric = HNSW_L2; metric <= HNSW_COSINE; metric++) {
        struct hnsw *h = memory_graph(DIM, (enum hnsw_metric)metric, HNSW_F32);
        struct seam_rng rng;
        struct seam_fault f = {0};

        seam_rng_seed(&rng, test_seed());
        for (uint64_t key = 0; key < FEW; key++) {
            float v[DIM], got[DIM], want[DIM];

            for (int d = 0; d < DIM; d++)
                v[d] = (float)seam_rng_range(&rng, -1000000, 1000000) / 977.0f;
            ASSERT_OK(hnsw_upsert(h, key, v, key + 1, &f), &f);
            ASSERT_OK(hnsw_get(h, key, got, &f), &f);
            ASSERT_OK(hnsw_as_stored(h, v, want, &f), &f);
            ck_assert_mem_eq(got, want, sizeof got);
        }
        hnsw_close(h);
    }
}

static const struct named_test tests[] = {
    T(test_recall_l2),
    T(test_recall_ip),
    T(test_recall_cosine),
    T(test_recall_l2_codes),
    T(test_recall_ip_codes),
    T(test_recall_cosine_codes),
    T(test_recall_bytes_lossless),
    T(test_upserts_one_by_one_reach_the_same_recall),
    T(test_one_thread_and_seed_give_the_same_graph),
    T(test_filters_of_every_selectivity_return_all_they_can),
    T(test_replaced_and_deleted_vectors_are_found_as_of_their_time),
    T(test_applied_changes_are_ignored_when_repeated),
    T(test_iterator_gives_every_node_once_and_pages_in_order),
    T(test_batches_answer_as_single_searches_do),
    T(test_range_returns_what_lies_within),
    T(test_bad_vectors_and_options_are_refused_with_a_reason),
    T(test_empty_and_tiny_graphs_answer),
    T(test_lossless_codes_give_way_to_other_values),
    T(test_what_would_be_stored_is_what_is_given_back),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw search", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
