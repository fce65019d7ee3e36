/* histogram - a value to its bucket and a bucket to its middle. */
#include "engine/base/histogram.h"

#include <string.h>

enum { SUB_BITS = 6 };
_Static_assert(1 << SUB_BITS == SEAM_HISTOGRAM_SUB, "sub-buckets are a power of two");

/* Below 64 a bucket a value; above, 64 buckets an octave.                                         */
static unsigned bucket_of(uint64_t v)
{
    unsigned exponent, index;

    if (v < SEAM_HISTOGRAM_SUB) return (unsigned)v;
    exponent = 63u - (unsigned)__builtin_clzll(v);
    index = (exponent - SUB_BITS + 1) * SEAM_HISTOGRAM_SUB +
            (unsigned)((v >> (exponent - SUB_BITS)) & (SEAM_HISTOGRAM_SUB - 1));
    return index < SEAM_HISTOGRAM_BUCKETS ? index : SEAM_HISTOGRAM_BUCKETS - 1;
}

static uint64_t bucket_highest(unsigned index)
{
    unsigned octave = index / SEAM_HISTOGRAM_SUB, shift;

    if (octave == 0) return index;
    shift = octave - 1;
    return (((uint64_t)(SEAM_HISTOGRAM_SUB + index % SEAM_HISTOGRAM_SUB) + 1) << shift) - 1;
}

void seam_histogram_init(struct seam_histogram *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

void seam_histogram_add(struct seam_histogram *h, uint64_t ns)
{
    h->bucket[bucket_of(ns)]++;
    h->count++;
    h->sum += ns;
    if (ns < h->min) h->min = ns;
    if (ns > h->max) h->max = ns;
}

void seam_histogram_merge(struct seam_histogram *h, const struct seam_histogram *other)
{
    for (unsigned i = 0; i < SEAM_HISTOGRAM_BUCKETS; i++) h->bucket[i] += other->bucket[i];
    h->count += other->count;
    h->sum += other->sum;
    if (other->min < h->min) h->min = other->min;
    if (other->max > h->max) h->max = other->max;
}

/* The top of the bucket that holds the rank: an error is never flattering.                        */
uint64_t seam_histogram_percentile(const struct seam_histogram *h, double p)
{
    uint64_t rank, seen = 0, v;

    if (h->count == 0) return 0;
    if (p <= 0) return h->min;
    rank = (uint64_t)(p / 100.0 * (double)h->count + 0.999999999);
    if (rank < 1) rank = 1;
    if (rank >= h->count) return h->max;
    for (unsigned i = 0; i < SEAM_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank) {
            v = i == SEAM_HISTOGRAM_BUCKETS - 1 ? h->max : bucket_highest(i);
            return v < h->min ? h->min : v > h->max ? h->max : v;
        }
    }
    return h->max;
}
