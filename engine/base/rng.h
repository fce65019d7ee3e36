/* rng - all randomness, from a printed seed (xoshiro256**, seeded by splitmix64; Blackman & Vigna). */
#ifndef SEAM_ENGINE_RNG_H
#define SEAM_ENGINE_RNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct seam_rng {
    uint64_t s[4];
};

void seam_rng_seed(struct seam_rng *r, uint64_t seed);
uint64_t seam_rng_u64(struct seam_rng *r);
uint64_t seam_rng_below(struct seam_rng *r, uint64_t n); /* uniform in [0, n); 0 when n == 0 */
int64_t seam_rng_range(struct seam_rng *r, int64_t lo,
                       int64_t hi);         /* uniform in [lo, hi]              */
double seam_rng_double(struct seam_rng *r); /* [0, 1)                           */
double seam_rng_normal(struct seam_rng *r); /* mean 0, variance 1 (Box-Muller)  */
void seam_rng_bytes(struct seam_rng *r, void *p, size_t n);
void seam_rng_shuffle(struct seam_rng *r, void *base, size_t count, size_t size);

/* Zipf over [0, n) with exponent theta in (0, 1): the generator of Gray et al., "Quickly generating
 * billion-record synthetic databases" (SIGMOD 1994), as YCSB uses it. Rank 0 is the most popular. */
struct seam_zipf {
    uint64_t n;
    double theta, alpha, zetan, eta;
};
void seam_zipf_init(struct seam_zipf *z, uint64_t n, double theta);
uint64_t seam_zipf_next(struct seam_zipf *z, struct seam_rng *r);

static inline uint64_t seam_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

#ifdef __cplusplus
}
#endif

#endif
