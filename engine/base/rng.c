/* rng - the generator, and the shapes that are drawn from it. */
#include "engine/base/rng.h"

#include <math.h>
#include <string.h>

void seam_rng_seed(struct seam_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) r->s[i] = seam_splitmix64(&seed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t seam_rng_u64(struct seam_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* Lemire, "Fast random integer generation in an interval", 2019: a multiply, rarely a retry.      */
uint64_t seam_rng_below(struct seam_rng *r, uint64_t n)
{
    unsigned __int128 m;

    if (n == 0) return 0;
    m = (unsigned __int128)seam_rng_u64(r) * n;
    if ((uint64_t)m < n) {
        uint64_t reject = -n % n;

        while ((uint64_t)m < reject) m = (unsigned __int128)seam_rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

int64_t seam_rng_range(struct seam_rng *r, int64_t lo, int64_t hi)
{
    uint64_t span = (uint64_t)hi - (uint64_t)lo;

    return (int64_t)((uint64_t)lo +
                     (span == UINT64_MAX ? seam_rng_u64(r) : seam_rng_below(r, span + 1)));
}

double seam_rng_double(struct seam_rng *r)
{
    return (double)(seam_rng_u64(r) >> 11) * 0x1.0p-53;
}

double seam_rng_normal(struct seam_rng *r)
{
    double u = 1.0 - seam_rng_double(r), v = seam_rng_double(r); /* u in (0, 1]: log is finite */

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void seam_rng_bytes(struct seam_rng *r, void *p, size_t n)
{
    uint8_t *b = p;

    while (n > 0) {
        uint64_t v = seam_rng_u64(r);
        size_t step = n < 8 ? n : 8;

        memcpy(b, &v, step);
        b += step;
        n -= step;
    }
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t t = a[i];

        a[i] = b[i];
        b[i] = t;
    }
}

void seam_rng_shuffle(struct seam_rng *r, void *base, size_t count, size_t size)
{
    uint8_t *b = base;

    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)seam_rng_below(r, i);

        if (j != i - 1) swap_bytes(b + (i - 1) * size, b + j * size, size);
    }
}

/* sum of i^-theta for i in [1, n]: term by term to 100,000, then the integral with its first
 * Euler-Maclaurin correction (error below 1e-9 of the sum), so that a billion keys cost nothing.  */
static double zeta(uint64_t n, double theta)
{
    enum { EXACT = 100000 };
    uint64_t m = n < EXACT ? n : EXACT;
    double sum = 0;

    for (uint64_t i = m; i >= 1; i--) sum += pow((double)i, -theta);
    if (n > m) {
        double a = (double)m, b = (double)n;

        sum += (pow(b, 1 - theta) - pow(a, 1 - theta)) / (1 - theta);
        sum += (pow(b, -theta) - pow(a, -theta)) / 2;
    }
    return sum;
}

void seam_zipf_init(struct seam_zipf *z, uint64_t n, double theta)
{
    double zeta2 = zeta(2, theta);

    z->n = n;
    z->theta = theta;
    z->alpha = 1 / (1 - theta);
    z->zetan = zeta(n, theta);
    z->eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - zeta2 / z->zetan);
}

uint64_t seam_zipf_next(struct seam_zipf *z, struct seam_rng *r)
{
    double u = seam_rng_double(r), uz = u * z->zetan;
    uint64_t rank;

    if (uz < 1 || z->n <= 1) return 0;
    if (uz < 1 + pow(0.5, z->theta)) return 1;
    rank = (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
    return rank < z->n ? rank : z->n - 1;
}
