#include "bench/corpora/sets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "engine/io/source.h"
#include "hnsw/vecfile.h"

void vectors_normalise(float *v, size_t n, uint32_t dim)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (uint32_t d = 0; d < dim; d++) sum += (double)v[i * dim + d] * v[i * dim + d];
        sum = sum > 0 ? 1 / sqrt(sum) : 0;
        for (uint32_t d = 0; d < dim; d++) v[i * dim + d] = (float)(v[i * dim + d] * sum);
    }
}

static bool read_rows(const char *path, uint32_t dim, size_t max, float **rows, size_t *n,
                      uint32_t *got_dim)
{
    struct hnsw_vecfile_options o = {.dim = dim, .rows_max = max};
    struct hnsw_vecset v;
    struct seam_fault f = {0};

    if (path == NULL) return false;
    bench_need(hnsw_vecfile_read(seam_io_posix(), path, &o, &v, &f), &f, "reading vectors");
    *rows = v.rows;
    *n = v.count;
    *got_dim = v.dim;
    return true;
}

bool vector_set_files(struct bench *b, struct vector_set *s, const char *base, const char *query,
                      uint32_t dim, size_t max)
{
    char path[600];
    const char *p;
    uint32_t query_dim;

    p = bench_data(b, base);
    if (p == NULL) return false;
    snprintf(path, sizeof path, "%s", p);
    return read_rows(path, dim, max, &s->base, &s->n, &s->dim) &&
           read_rows(bench_data(b, query), 0, 1000, &s->query, &s->queries, &query_dim) &&
           query_dim == s->dim;
}

/* MNIST's own format: big-endian magic, count, rows, columns, then bytes.                            */
static float *read_idx(const char *path, size_t max, size_t *n, uint32_t *dim)
{
    struct seam_buf file = {0};
    struct seam_fault f = {0};
    float *v;

    bench_need(seam_source_read_all(seam_io_posix(), path, 1u << 28, &file, &f), &f,
               "reading images");
    *dim = 784;
    *n = (file.size - 16) / 784 < max ? (file.size - 16) / 784 : max;
    v = malloc(*n * 784 * sizeof *v);
    for (size_t i = 0; v != NULL && i < *n * 784; i++) v[i] = file.data[16 + i];
    seam_buf_free(&file);
    return v;
}

bool vector_set_fashion(struct bench *b, struct vector_set *s, size_t max)
{
    const char *dir = "/usr/share/datasets/fashion-mnist";
    char path[300];
    uint32_t dim;

    if (access(dir, R_OK) != 0) {
        fprintf(b->report, "skipped: %s is not here (apt-get install dataset-fashion-mnist)\n",
                dir);
        return false;
    }
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", dir);
    s->base = read_idx(path, max, &s->n, &s->dim);
    snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte.gz", dir);
    s->query = read_idx(path, 1000, &s->queries, &dim);
    return s->base != NULL && s->query != NULL;
}

bool vector_set_clustered(struct bench *b, struct vector_set *s, size_t n, uint32_t dim)
{
    struct seam_rng g;
    size_t centres = n / 100 + 1;
    float *c = malloc(centres * dim * sizeof *c);

    s->n = n;
    s->dim = dim;
    s->queries = 1000;
    s->base = malloc(n * dim * sizeof *s->base);
    s->query = malloc(s->queries * dim * sizeof *s->query);
    if (c == NULL || s->base == NULL || s->query == NULL) exit(1);
    seam_rng_seed(&g, (uint64_t)b->seed);
    for (size_t i = 0; i < centres * dim; i++) c[i] = (float)seam_rng_normal(&g);
    for (size_t i = 0; i < n + s->queries; i++) {
        float *row = i < n ? s->base + i * dim : s->query + (i - n) * dim;
        const float *at = c + seam_rng_below(&g, centres) * dim;

        for (uint32_t d = 0; d < dim; d++) row[d] = at[d] + 0.5f * (float)seam_rng_normal(&g);
    }
    free(c);
    return true;
}

double vector_set_distance(const struct vector_set *s, size_t query, size_t row)
{
    double sum = 0;

    for (uint32_t d = 0; d < s->dim; d++) {
        double e = (double)s->query[query * s->dim + d] - s->base[row * s->dim + d];

        sum += e * e;
    }
    return sum;
}

void vector_set_truth(struct bench *b, struct vector_set *s, const struct hnsw *h)
{
    struct hnsw_query q = {.k = SET_TRUTH_K};
    struct hnsw_hit *hits = malloc(s->queries * SET_TRUTH_K * sizeof *hits);
    size_t *counts = malloc(s->queries * sizeof *counts);
    struct seam_fault f = {0};

    s->kth = malloc(s->queries * sizeof *s->kth);
    if (hits == NULL || counts == NULL || s->kth == NULL) exit(1);
    bench_need(hnsw_exact_batch(h,
                                &(struct hnsw_batch){.vectors = s->query,
                                                     .n = s->queries,
                                                     .query = &q,
                                                     .threads = (int)b->threads,
                                                     .hits = hits,
                                                     .counts = counts},
                                &f),
               &f, "truth");
    for (size_t i = 0; i < s->queries; i++) {
        s->kth[i] = 0;
        for (size_t j = 0; j < SET_TRUTH_K; j++) {
            double d = vector_set_distance(s, i, hits[i * SET_TRUTH_K + j].key);

            if (d > s->kth[i]) s->kth[i] = d;
        }
    }
    free(hits);
    free(counts);
}

/* The files' own exact neighbours, where they belong to the whole set, must be ours.                 */
void vector_set_check(struct bench *b, const struct vector_set *s, const char *file, size_t whole)
{
    struct hnsw_vecset g;
    struct seam_fault f = {0};
    const char *path = s->n == whole ? bench_data(b, file) : NULL;

    if (path == NULL) return;
    bench_need(hnsw_vecfile_read(seam_io_posix(), path, NULL, &g, &f), &f, "reading the truth");
    for (size_t i = 0; i < s->queries; i++) {
        double worst = 0;

        for (size_t j = 0; j < SET_TRUTH_K; j++) {
            double d = vector_set_distance(s, i, (size_t)g.ints[i * g.dim + j]);

            if (d > worst) worst = d;
        }
        if (fabs(worst - s->kth[i]) > 1e-4 * worst)
            bench_wrong(b, "%s: query %zu: exact search disagrees with the file", s->name, i);
    }
    hnsw_vecset_free(&g);
}
