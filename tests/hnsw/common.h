/* What the vector index's tests share: seeded clustered vectors, brute-force truth, recall.          */
#ifndef SEAM_TESTS_HNSW_COMMON_H
#define SEAM_TESTS_HNSW_COMMON_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "hnsw/hnsw.h"
#include "tests/common/check_main.h"

/* n vectors around n / 50 + 1 centres: near neighbours exist, as in real data.                       */
static inline float *clustered(size_t n, uint32_t dim, uint64_t seed)
{
    struct seam_rng r;
    size_t centres = n / 50 + 1;
    float *v = malloc(n * dim * sizeof *v), *c = malloc(centres * dim * sizeof *c);

    seam_rng_seed(&r, seed);
    for (size_t i = 0; i < centres * dim; i++) c[i] = (float)seam_rng_normal(&r) * 2;
    for (size_t i = 0; i < n; i++) {
        const float *at = c + seam_rng_below(&r, centres) * dim;

        for (uint32_t d = 0; d < dim; d++) v[i * dim + d] = at[d] + (float)seam_rng_normal(&r);
    }
    free(c);
    return v;
}

static inline float *bytes_like(size_t n, uint32_t dim, uint64_t seed)
{
    float *v = clustered(n, dim, seed);

    for (size_t i = 0; i < n * dim; i++) {
        float x = floorf(v[i] * 30 + 128);

        v[i] = x < 0 ? 0 : x > 255 ? 255 : x;
    }
    return v;
}

/* Share of the exact k nearest (by distance: ties count) that search returns, mean over the queries. */
static inline double recall_of(const struct hnsw *h, const float *queries, size_t n, uint32_t dim,
                               struct hnsw_query q)
{
    struct hnsw_hit *got = malloc(q.k * sizeof *got), *want = malloc(q.k * sizeof *want);
    size_t hit = 0, total = 0;
    struct seam_fault f = {0};

    for (size_t i = 0; i < n; i++) {
        size_t g = 0, w = 0;

        q.vector = queries + i * dim;
        ASSERT_OK(hnsw_search(h, &q, got, &g, NULL, &f), &f);
        ASSERT_OK(hnsw_exact(h, &q, want, &w, &f), &f);
        ck_assert_uint_eq(g, w);
        total += w;
        for (size_t j = 0; j < g; j++) {
            ck_assert(j == 0 || got[j].distance >= got[j - 1].distance);
            hit += got[j].distance <= want[w - 1].distance * 1.000001f + 1e-6f;
        }
    }
    free(got);
    free(want);
    return total == 0 ? 1 : (double)hit / (double)total;
}

static inline struct hnsw *memory_graph(uint32_t dim, enum hnsw_metric metric,
                                        enum hnsw_quant quant)
{
    struct hnsw_options o = {.dim = dim,
                             .metric = metric,
                             .quant = quant,
                             .m = 16,
                             .ef_construction = 100,
                             .seed = test_seed()};
    struct hnsw *h = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(hnsw_new(&o, NULL, &h, &f), &f);
    return h;
}

#endif
