/* histogram - latencies in log-linear buckets (as HdrHistogram): 1 ns .. 2^40 ns, under 1.6 % error.
 * Fixed size, mergeable, no allocation. Not thread-safe: one a thread, then merge.                */
#ifndef SEAM_ENGINE_HISTOGRAM_H
#define SEAM_ENGINE_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SEAM_HISTOGRAM_SUB = 64, SEAM_HISTOGRAM_BUCKETS = 36 * SEAM_HISTOGRAM_SUB };

struct seam_histogram {
    uint64_t count, sum, min, max;
    uint32_t bucket[SEAM_HISTOGRAM_BUCKETS];
};

void seam_histogram_init(struct seam_histogram *h);
void seam_histogram_add(struct seam_histogram *h, uint64_t ns);
void seam_histogram_merge(struct seam_histogram *h, const struct seam_histogram *other);
uint64_t seam_histogram_percentile(const struct seam_histogram *h,
                                   double p); /* p in [0,100]; 0 when empty */

#ifdef __cplusplus
}
#endif

#endif
