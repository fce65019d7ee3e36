/* sets - the vectors that bench_hnsw measures: files of the real collections, or seeded clusters; and the exact
 * neighbours of their queries. Rows are handed to every engine alike.                               */
#ifndef SEAM_BENCH_VECTORS_SETS_H
#define SEAM_BENCH_VECTORS_SETS_H

#include "bench/common/bench.h"
#include "hnsw/hnsw.h"

enum { SET_TRUTH_K = 10 };

struct vector_set {
    char name[32];
    enum hnsw_metric metric;
    bool bytes;
    uint32_t dim;
    size_t n, queries;
    float *base, *query; /* as peers see them: normalised for cosine */
    double *kth;         /* exact squared distance of the SET_TRUTH_K-th neighbour of each query */
    char base_path[700], query_path[700];
};

/* False when the data are not here, and a line said so.                                             */
bool vector_set_files(struct bench *b, struct vector_set *s, const char *base, const char *query,
                      uint32_t dim, size_t max);
bool vector_set_fashion(struct bench *b, struct vector_set *s, size_t max);
/* n rows and 1,000 queries around n / 100 centres, half a standard deviation wide.                  */
bool vector_set_clustered(struct bench *b, struct vector_set *s, size_t n, uint32_t dim);
void vectors_normalise(float *v, size_t n, uint32_t dim);
double vector_set_distance(const struct vector_set *s, size_t query, size_t row); /* squared L2 */
/* s->kth by an exact scan of h, which holds row i under key i.                                      */
void vector_set_truth(struct bench *b, struct vector_set *s, const struct hnsw *h);
/* The files' own exact neighbours, where they belong to the whole set, must be ours.                */
void vector_set_check(struct bench *b, const struct vector_set *s, const char *file, size_t whole);

#endif
