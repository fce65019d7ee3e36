/* tune - choosing the operating point: which M, efConstruction and efSearch keep a recall promise most
 * cheaply, by measuring, and saying how sure we are.
 *
 *   sample held-out queries -> exact truth in parallel -> for each (quant, M, efC): build, sweep ef, and
 *     sweep patience at a generous ef (a walk that stops when it no longer improves)
 *     -> points (recall mean, p5, p1, lower bound; QPS; p50, p99; build s; memory) -> Pareto front
 *     -> the cheapest point whose recall's lower confidence bound meets the promise
 *
 * docs/guide/recall.md tells how to read the result. Protocol: Aumueller, Bernhardsson & Faithfull,
 * "ANN-Benchmarks", Information Systems 87, 2020.                                                  */
#ifndef SEAM_HNSW_TUNE_H
#define SEAM_HNSW_TUNE_H

#include "hnsw/hnsw.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hnsw_tune_options {
    double recall;  /* the promise, e.g. 0.95 */
    size_t k;       /* 0 = 10 */
    double p99_ms;  /* 0 = no promise on latency */
    size_t queries; /* held out of the data when no queries are given; 0 = 1000 (or n/10) */
    int threads;    /* for building and ground truth; timing is always one thread */
    uint64_t seed;
    const uint32_t *ms, *ef_constructions; /* NULL = {8, 16, 32} x {100, 200, 400} */
    size_t m_count, ef_construction_count;
    bool quants[2]; /* try HNSW_F32 / HNSW_I8; neither = both */
    void (*progress)(void *ctx, const char *what);
    void *ctx;
};

struct hnsw_tune_point {
    enum hnsw_quant quant;
    uint32_t m, ef_construction, ef, patience; /* patience > 0: stops early (struct hnsw_query) */
    double recall_mean, recall_low, recall_p5, recall_p1;
    double qps, p50_us, p99_us, distances, hops;
    double build_seconds;
    uint64_t bytes;
    bool pareto, meets;
};

struct hnsw_tune_result {
    struct hnsw_tune_point *points; /* every point measured; free with hnsw_tune_result_free */
    size_t count;
    size_t chosen; /* index, or SIZE_MAX when no point meets the promise */
    double exact_qps, exact_p50_us, exact_p99_us; /* the linear scan, for the chart's line */
    size_t n, queries, k;
    uint32_t dim;
    enum hnsw_metric metric;
};

struct hnsw_tune_data {
    const float *vectors; /* n x dim */
    size_t n;
    uint32_t dim;
    enum hnsw_metric metric;
    const float *queries; /* query_count x dim; NULL: options.queries of the vectors are held out */
    size_t query_count;
};

/* Sweeps builds over the data.                                                                       */
SEAM_MUST_USE enum seam_status hnsw_tune_sweep(const struct hnsw_tune_data *data,
                                               const struct hnsw_tune_options *o,
                                               struct hnsw_tune_result *out, struct seam_fault *f);
/* Sweeps only ef over an index that exists, with live vectors left out of their own answer as queries
 * when none are given.                                                                             */
SEAM_MUST_USE enum seam_status hnsw_tune_index(const struct hnsw *h, const float *queries,
                                               size_t query_count,
                                               const struct hnsw_tune_options *o,
                                               struct hnsw_tune_result *out, struct seam_fault *f);
void hnsw_tune_result_free(struct hnsw_tune_result *r);

void hnsw_tune_write_tsv(const struct hnsw_tune_result *r, struct seam_buf *out);
/* A gnuplot script that draws recall-QPS (log axis), recall-latency, and build/memory from the TSV.  */
void hnsw_tune_write_gnuplot(const struct hnsw_tune_result *r, const char *tsv_path,
                             const char *out_prefix, struct seam_buf *out);
/* The ef curve of one build as points for hnsw_pin.                                                 */
size_t hnsw_tune_points(const struct hnsw_tune_result *r, enum hnsw_quant quant, uint32_t m,
                        uint32_t ef_construction, struct hnsw_point out[HNSW_POINTS_MAX]);

/* A canary: searches `samples` live vectors (or the given queries) as users would and compares with the
 * exact answer. SEAM_DRIFT when the recall's upper confidence bound is below `recall`: a real drop, not
 * bad luck of the sample.                                                                           */
struct hnsw_tune_check_result {
    double recall_mean, recall_low, recall_high, recall_p5;
    size_t samples;
    uint32_t ef;
};
struct hnsw_tune_ask {
    const float *queries; /* NULL: live vectors are sampled */
    size_t query_count;
    size_t samples, k;
    double recall; /* the promise */
    uint64_t seed;
};

SEAM_MUST_USE enum seam_status hnsw_tune_check(const struct hnsw *h,
                                               const struct hnsw_tune_ask *ask,
                                               struct hnsw_tune_check_result *out,
                                               struct seam_fault *f);

#ifdef __cplusplus
}
#endif

#endif
