/* histogram - latencies in log-linear buckets (as HdrHistogram): 1 ns .. 2^40 ns, under 1.6 % error.
 * Fixed size, mergeable, no allocation. Not thread-safe: one a thread, then merge.                */
#ifndef SEAM_ENGINE_HISTOGRAM_H
#define SEAM_ENGINE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = 36 * HISTOGRAM_SUB };

struct histogram {
    uint64_t count, sum, min, max;
    uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *h, const struct histogram *other);
uint64_t histogram_percentile(const struct histogram *h, double p); /* p in [0,100]; 0 when empty */

#endif
