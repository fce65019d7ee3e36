/* Goal: a graph that has lived (deletions, replacements, many threads) is as good as a fresh one. */
#include "tests/hnsw/common.h"

#include <pthread.h>

enum { N = 3000, DIM = 16, QUERIES = 200 };

static void check_healthy(const struct hnsw *h, uint64_t live)
{
    struct hnsw_health health;
    struct seam_fault f = {0};
    uint64_t nodes = 0;

    ASSERT_OK(hnsw_health(h, &health, &f), &f);
    ck_assert_uint_eq(health.live, live);
    ck_assert_uint_eq(health.reachable, live);
    ck_assert_uint_eq(health.no_in_links, 0);
    for (size_t i = 0; i <= HNSW_LEVEL_MAX; i++) nodes += health.level[i];
    ck_assert_uint_eq(nodes, health.live + health.dead);
}

/* Delete half, insert another half, maintain: recall at equal ef within half a point of a fresh build. */
static void test_recall_after_replacing_half_equals_a_fresh_build(void)
{
    const size_t half = N / 2;
    float *v = clustered(N + half + QUERIES, DIM, test_seed()), *queries = v + (N + half) * DIM;
    struct hnsw *old = memory_graph(DIM, HNSW_L2, HNSW_F32),
                *fresh = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_maintain_report report;
    struct hnsw_query q = {.k = 10, .ef = 32};
    struct seam_fault f = {0};
    double tombs, after, best;

    ASSERT_OK(hnsw_load(old, &(struct hnsw_rows){.vectors = v, .n = N}, 1, NULL, &f), &f);
    for (size_t k = 0; k < half; k++) ASSERT_OK(hnsw_delete(old, k, 2, &f), &f);
    ASSERT_OK(
        hnsw_load(old,
                  &(struct hnsw_rows){.first_key = N, .vectors = v + (size_t)N * DIM, .n = half}, 3,
                  NULL, &f),
        &f);
    ASSERT_OK(hnsw_publish(old, 3, 0, &f), &f);
    tombs = recall_of(old, queries, QUERIES, DIM, q);
    ASSERT_OK(hnsw_maintain(
                  old, &(struct hnsw_maintain_options){.retain_lsn = SEAM_LSN_MAX, .threads = 2},
                  &report, &f),
              &f);
    ck_assert_uint_eq(report.purged, half);
    check_healthy(old, N);
    after = recall_of(old, queries, QUERIES, DIM, q);
    ASSERT_OK(hnsw_load(fresh,
                        &(struct hnsw_rows){.first_key = half, .vectors = v + half * DIM, .n = N},
                        1, NULL, &f),
              &f);
    best = recall_of(fresh, queries, QUERIES, DIM, q);
    ck_assert_msg(after >= best - 0.005 && tombs >= best - 0.005,
                  "fresh %.4f, with tombstones %.4f, repaired %.4f", best, tombs, after);
    hnsw_close(old);
    hnsw_close(fresh);
    free(v);
}

/* Ten generations of replacing everything: the graph neither rots nor grows.                         */
static void test_many_generations_stay_healthy(void)
{
    enum { LIVE = 500, ROUNDS = 10 };
    float *v = clustered(LIVE * ROUNDS + QUERIES, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_I8);
    struct hnsw_info info;
    struct seam_fault f = {0};

    for (seam_lsn_t round = 0; round < ROUNDS; round++) {
        for (size_t k = 0; k < LIVE; k++)
            ASSERT_OK(hnsw_upsert(h, k, v + (round * LIVE + k) * DIM, round * LIVE + k + 1, &f),
                      &f);
        ASSERT_OK(hnsw_publish(h, (round + 1) * LIVE, 0, &f), &f);
        ASSERT_OK(
            hnsw_maintain(h, &(struct hnsw_maintain_options){.retain_lsn = SEAM_LSN_MAX}, NULL, &f),
            &f);
        check_healthy(h, LIVE);
    }
    hnsw_info(h, &info);
    ck_assert_uint_eq(info.nodes, LIVE);
    ck_assert(recall_of(h, v + LIVE * ROUNDS * DIM, QUERIES, DIM,
                        (struct hnsw_query){.k = 10, .ef = 64}) >= 0.97);
    hnsw_close(h);
    free(v);
}

static void test_everything_deleted_then_filled_again(void)
{
    float *v = clustered(400, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
    struct hnsw_maintain_options all = {.retain_lsn = SEAM_LSN_MAX};
    struct hnsw_hit hit;
    struct seam_fault f = {0};
    size_t n;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 200}, 1, NULL, &f), &f);
    for (uint64_t k = 0; k < 200; k++) ASSERT_OK(hnsw_delete(h, k, 2, &f), &f);
    ASSERT_OK(hnsw_search(h, &(struct hnsw_query){.vector = v, .k = 1}, &hit, &n, NULL, &f), &f);
    ck_assert_uint_eq(n, 0);
    ASSERT_OK(hnsw_publish(h, 2, 0, &f), &f);
    ASSERT_OK(hnsw_maintain(h, &all, NULL, &f), &f);
    check_healthy(h, 0);
    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 400}, 3, NULL, &f), &f);
    check_healthy(h, 400);
    hnsw_close(h);
    free(v);
}

static void test_parallel_load_is_as_good_as_one_thread(void)
{
    float *v = clustered(N + QUERIES, DIM, test_seed());
    struct seam_fault f = {0};
    double recall[2];

    for (int threads = 1; threads <= 4; threads += 3) {
        struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_F32);
        struct hnsw_load_options o = {.threads = threads, .codes = threads == 4};

        ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = N}, 1, &o, &f), &f);
        ASSERT_OK(hnsw_publish(h, 1, 0, &f), &f);
        ASSERT_OK(hnsw_maintain(h, &(struct hnsw_maintain_options){.force = true, .reorder = true},
                                NULL, &f),
                  &f);
        check_healthy(h, N);
        recall[threads > 1] =
            recall_of(h, v + (size_t)N * DIM, QUERIES, DIM, (struct hnsw_query){.k = 10, .ef = 24});
        hnsw_close(h);
    }
    ck_assert_msg(recall[1] >= recall[0] - 0.01, "one thread %.4f, four with codes %.4f", recall[0],
                  recall[1]);
    free(v);
}

/* ---- searching while adding ---- */
struct searching {
    const struct hnsw *h;
    const float *v;
    int stop; /* atomic */
    size_t searches;
};

static void *search_on(void *ctx)
{
    struct searching *s = ctx;

    for (size_t i = 0; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); i++) {
        struct hnsw_hit hits[5];
        struct seam_fault f = {0};
        size_t n = 0;

        if (hnsw_search(s->h, &(struct hnsw_query){.vector = s->v + (i % 400) * DIM, .k = 5}, hits,
                        &n, NULL, &f) != SEAM_OK ||
            n != 5)
            return ctx;
        for (size_t j = 1; j < n; j++)
            if (hits[j].distance < hits[j - 1].distance) return ctx;
        s->searches++;
    }
    return NULL;
}

static void test_searches_go_on_while_vectors_are_added(void)
{
    float *v = clustered(1500, DIM, test_seed());
    struct hnsw *h = memory_graph(DIM, HNSW_L2, HNSW_I8);
    struct searching s[2] = {{.h = h, .v = v}, {.h = h, .v = v}};
    pthread_t thread[2];
    struct seam_fault f = {0};
    void *bad;

    ASSERT_OK(hnsw_load(h, &(struct hnsw_rows){.vectors = v, .n = 300}, 1, NULL, &f), &f);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, search_on, &s[i]), 0);
    for (uint64_t k = 300; k < 1200; k++) {
        ASSERT_OK(hnsw_upsert(h, k, v + k * DIM, k, &f), &f);
        if (k % 10 == 0) ASSERT_OK(hnsw_delete(h, k - 200, k, &f), &f);
    }
    ASSERT_OK(hnsw_load(h,
                        &(struct hnsw_rows){.first_key = 1200, .vectors = v + 1200 * DIM, .n = 300},
                        2000, &(struct hnsw_load_options){.threads = 2}, &f),
              &f);
    for (int i = 0; i < 2; i++) {
        __atomic_store_n(&s[i].stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread[i], &bad);
        ck_assert_ptr_null(bad);
    }
    hnsw_close(h);
    free(v);
}

static const struct named_test tests[] = {
    T(test_recall_after_replacing_half_equals_a_fresh_build),
    T(test_many_generations_stay_healthy),
    T(test_everything_deleted_then_filled_again),
    T(test_parallel_load_is_as_good_as_one_thread),
    T(test_searches_go_on_while_vectors_are_added),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw churn", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
