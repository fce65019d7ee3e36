/* embed_linalg - the largest eigenpairs of a large sparse symmetric matrix, by random projection.
 *
 *   Y = M W (W random signs)     the range of M, roughly
 *   repeat: Y = M orth(Y)        sharper: small eigenvalues fade by their ratio each time
 *   B = Q' M Q                   small and dense; Jacobi rotations diagonalise it
 *   eigenvectors = Q * those of B
 *
 * Every sum runs in one fixed order: rows are independent, and sums over rows go by blocks of fixed size
 * that are added in block order. So the result does not depend on the number of threads, and with no
 * fused multiply-add and no libm call but sqrt (correctly rounded by IEEE 754) not on the compiler.
 * Paper: Halko, Martinsson, Tropp, SIAM Review 53(2), 2011, algorithms 4.4 and 5.3.                */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "pipeline/relevance/embed_internal.h"

enum { ROW_BLOCK = 512, OVERSAMPLE = 16, POWER_STEPS = 3, JACOBI_SWEEPS = 30 };

void embed_sparse_free(struct embed_sparse *m)
{
    free(m->start);
    free(m->col);
    free(m->val);
    memset(m, 0, sizeof *m);
}

double embed_ln(double x)
{
    int exponent;
    double m = frexp(x, &exponent), z, z2, term, sum = 0.0;

    /* ln m = 2 atanh((m-1)/(m+1)); m in [sqrt(1/2), sqrt(2)) makes 16 terms exact to the last bit or so. */
    if (m < 0.70710678118654752440) {
        m *= 2.0;
        exponent--;
    }
    z = (m - 1.0) / (m + 1.0);
    z2 = z * z;
    term = z;
    for (int k = 1; k < 33; k += 2) {
        sum += term / k;
        term *= z2;
    }
    return 2.0 * sum + exponent * 0.69314718055994530942;
}

void embed_add_scaled(float *restrict out, const float *restrict v, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] += scale * v[i];
}

float embed_normalise(float *v, size_t n)
{
    double sum = 0.0;
    float scale;

    for (size_t i = 0; i < n; i++) sum += (double)v[i] * v[i];
    if (!(sum > 1e-24)) return 0.0f;
    scale = (float)(1.0 / sqrt(sum));
    for (size_t i = 0; i < n; i++) v[i] *= scale;
    return (float)sqrt(sum);
}

/* ---- dense and sparse products ---- */
struct embed_product {
    const struct embed_sparse *m;
    const float *in;
    float *out;
    uint32_t k;
};

static enum seam_status product_rows(void *ctx, size_t begin, size_t end, int thread)
{
    struct embed_product *p = ctx;
    uint32_t k = p->k;

    (void)thread;
    for (size_t r = begin; r < end; r++) {
        float *restrict out = p->out + r * k;

        memset(out, 0, k * sizeof *out);
        for (uint64_t e = p->m->start[r]; e < p->m->start[r + 1]; e++) {
            const float *restrict in = p->in + (size_t)p->m->col[e] * k;
            float v = p->m->val[e];

            for (uint32_t j = 0; j < k; j++) out[j] += v * in[j];
        }
    }
    return SEAM_OK;
}

/* blocks[b] = A_b' B_b for each block of rows; k x k, double. */
struct gram {
    const float *a, *b;
    uint32_t rows, k;
    double *blocks;
};

static enum seam_status gram_blocks(void *ctx, size_t begin, size_t end, int thread)
{
    struct gram *g = ctx;
    uint32_t k = g->k;

    (void)thread;
    for (size_t block = begin; block < end; block++) {
        double *out = g->blocks + block * k * k;
        size_t last = (block + 1) * ROW_BLOCK < g->rows ? (block + 1) * ROW_BLOCK : g->rows;

        memset(out, 0, (size_t)k * k * sizeof *out);
        for (size_t r = block * ROW_BLOCK; r < last; r++) {
            const float *a = g->a + r * k, *restrict b = g->b + r * k;

            for (uint32_t i = 0; i < k; i++) {
                double x = a[i], *restrict row = out + (size_t)i * k;

                for (uint32_t j = 0; j < k; j++) row[j] += x * b[j];
            }
        }
    }
    return SEAM_OK;
}

static enum seam_status gram_product(const float *a, const float *b, uint32_t rows, uint32_t k,
                                     int threads, double *out)
{
    size_t blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK, kk = (size_t)k * k;
    struct gram g = {a, b, rows, k, malloc(blocks * kk * sizeof(double))};
    enum seam_status st;

    if (g.blocks == NULL) return SEAM_NOMEM;
    st = seam_parallel_for(threads, blocks, 1, gram_blocks, &g);
    memset(out, 0, kk * sizeof *out);
    for (size_t block = 0; st == SEAM_OK && block < blocks; block++)
        for (size_t i = 0; i < kk; i++) out[i] += g.blocks[block * kk + i];
    free(g.blocks);
    return st;
}

/* rows of y times the k x n matrix t (double), in place when n <= k. */
struct mix {
    float *y;
    const double *t;
    uint32_t k, n;
    float *out;
};

static enum seam_status mix_rows(void *ctx, size_t begin, size_t end, int thread)
{
    struct mix *m = ctx;
    double row[EMBED_DIM_MAX + OVERSAMPLE];

    (void)thread;
    for (size_t r = begin; r < end; r++) {
        const float *y = m->y + r * m->k;

        for (uint32_t j = 0; j < m->n; j++) row[j] = 0.0;
        for (uint32_t i = 0; i < m->k; i++) {
            double x = y[i];
            const double *restrict t = m->t + (size_t)i * m->n;

            for (uint32_t j = 0; j < m->n; j++) row[j] += x * t[j];
        }
        for (uint32_t j = 0; j < m->n; j++) m->out[r * m->n + j] = (float)row[j];
    }
    return SEAM_OK;
}

/* ---- orthonormal columns ---- */

/* g = R'R (upper R in place), then t = inverse of R. A column that depends on those before it gets a
 * zero column: the matrix has no more range to find.                                               */
static void cholesky_inverse(double *g, double *t, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++) {
        double pivot = g[(size_t)i * k + i], whole = pivot;

        for (uint32_t p = 0; p < i; p++) pivot -= g[(size_t)p * k + i] * g[(size_t)p * k + i];
        pivot = pivot > 1e-10 * whole && pivot > 0.0 ? sqrt(pivot) : 0.0;
        g[(size_t)i * k + i] = pivot;
        for (uint32_t j = i + 1; j < k; j++) {
            double x = g[(size_t)i * k + j];

            for (uint32_t p = 0; p < i; p++) x -= g[(size_t)p * k + i] * g[(size_t)p * k + j];
            g[(size_t)i * k + j] = pivot > 0.0 ? x / pivot : 0.0;
        }
    }
    memset(t, 0, (size_t)k * k * sizeof *t);
    for (uint32_t j = 0; j < k; j++) {
        if (g[(size_t)j * k + j] == 0.0) continue;
        t[(size_t)j * k + j] = 1.0 / g[(size_t)j * k + j];
        for (uint32_t i = j; i-- > 0;) {
            double x = 0.0;

            if (g[(size_t)i * k + i] == 0.0) continue;
            for (uint32_t p = i + 1; p <= j; p++) x += g[(size_t)i * k + p] * t[(size_t)p * k + j];
            t[(size_t)i * k + j] = -x / g[(size_t)i * k + i];
        }
    }
}

/* Cholesky QR, twice: the second pass repairs what the first lost to rounding. */
static enum seam_status orthonormalise(float *y, uint32_t rows, uint32_t k, int threads, double *g,
                                       double *t)
{
    for (int pass = 0; pass < 2; pass++) {
        struct mix m = {y, t, k, k, y};
        enum seam_status st = gram_product(y, y, rows, k, threads, g);

        if (st != SEAM_OK) return st;
        cholesky_inverse(g, t, k);
        st = seam_parallel_for(threads, rows, ROW_BLOCK, mix_rows, &m);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

/* ---- small symmetric eigenproblem ---- */
static void jacobi_rotate(double *a, double *v, uint32_t k, uint32_t p, uint32_t q)
{
    double apq = a[(size_t)p * k + q], theta, t, c, s;

    theta = (a[(size_t)q * k + q] - a[(size_t)p * k + p]) / (2.0 * apq);
    t = 1.0 / (fabs(theta) + sqrt(theta * theta + 1.0));
    if (theta < 0.0) t = -t;
    c = 1.0 / sqrt(t * t + 1.0);
    s = t * c;
    for (uint32_t i = 0; i < k; i++) {
        double x = a[(size_t)i * k + p], y = a[(size_t)i * k + q];

        a[(size_t)i * k + p] = c * x - s * y;
        a[(size_t)i * k + q] = s * x + c * y;
    }
    for (uint32_t i = 0; i < k; i++) {
        double x = a[(size_t)p * k + i], y = a[(size_t)q * k + i];

        a[(size_t)p * k + i] = c * x - s * y;
        a[(size_t)q * k + i] = s * x + c * y;
    }
    for (uint32_t i = 0; i < k; i++) {
        double x = v[(size_t)p * k + i], y = v[(size_t)q * k + i]; /* rows of v are eigenvectors */

        v[(size_t)p * k + i] = c * x - s * y;
        v[(size_t)q * k + i] = s * x + c * y;
    }
}

static void jacobi(double *a, double *v, uint32_t k)
{
    memset(v, 0, (size_t)k * k * sizeof *v);
    for (uint32_t i = 0; i < k; i++) v[(size_t)i * k + i] = 1.0;
    for (int sweep = 0; sweep < JACOBI_SWEEPS; sweep++) {
        double off = 0.0, on = 0.0;

        for (uint32_t i = 0; i < k; i++) {
            on += a[(size_t)i * k + i] * a[(size_t)i * k + i];
            for (uint32_t j = i + 1; j < k; j++) off += a[(size_t)i * k + j] * a[(size_t)i * k + j];
        }
        if (off <= 1e-18 * on) return;
        for (uint32_t p = 0; p < k; p++)
            for (uint32_t q = p + 1; q < k; q++)
                if (a[(size_t)p * k + q] * a[(size_t)p * k + q] > 1e-24 * on / k)
                    jacobi_rotate(a, v, k, p, q);
    }
}

static void order_by_magnitude(const double *a, uint32_t k, uint32_t *order)
{
    for (uint32_t i = 0; i < k; i++) {
        double mine = fabs(a[(size_t)i * k + i]);
        uint32_t at = i;

        while (at > 0 && mine > fabs(a[(size_t)order[at - 1] * k + order[at - 1]])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

/* B = Q'MQ into its eigenvectors; u = Q times the best `rank` of them. */
static enum seam_status rotate_out(const struct embed_sparse *m, float *q, float *mq, uint32_t k,
                                   uint32_t rank, int threads, double *g, double *t, float *u,
                                   double *value)
{
    struct embed_product product = {m, q, mq, k};
    uint32_t order[EMBED_DIM_MAX + OVERSAMPLE];
    struct mix mix = {q, t, k, rank, u};
    enum seam_status st = seam_parallel_for(threads, m->rows, 64, product_rows, &product);
    double *v;

    if (st == SEAM_OK) st = gram_product(q, mq, m->rows, k, threads, g);
    if (st != SEAM_OK) return st;
    v = malloc((size_t)k * k * sizeof *v);
    if (v == NULL) return SEAM_NOMEM;
    for (uint32_t i = 0; i < k; i++)
        for (uint32_t j = i + 1; j < k; j++) { /* rounding apart, B is symmetric */
            double mean = 0.5 * (g[(size_t)i * k + j] + g[(size_t)j * k + i]);

            g[(size_t)i * k + j] = g[(size_t)j * k + i] = mean;
        }
    jacobi(g, v, k);
    order_by_magnitude(g, k, order);
    for (uint32_t j = 0; j < rank; j++) {
        value[j] = g[(size_t)order[j] * k + order[j]];
        for (uint32_t i = 0; i < k; i++) t[(size_t)i * rank + j] = v[(size_t)order[j] * k + i];
    }
    free(v);
    return seam_parallel_for(threads, m->rows, ROW_BLOCK, mix_rows, &mix);
}

enum seam_status embed_sparse_eigen(const struct embed_sparse *m, uint32_t rank, uint64_t seed,
                                    int threads, float *u, double *value)
{
    uint32_t k = rank + OVERSAMPLE < m->rows ? rank + OVERSAMPLE : m->rows;
    size_t cells = (size_t)m->rows * k;
    float *y = malloc(cells * sizeof *y), *z = malloc(cells * sizeof *z);
    double *g = malloc((size_t)k * k * sizeof *g), *t = malloc((size_t)k * k * sizeof *t);
    enum seam_status st = y != NULL && z != NULL && g != NULL && t != NULL ? SEAM_OK : SEAM_NOMEM;
    struct seam_rng rng;

    seam_rng_seed(&rng, seed);
    for (size_t i = 0; st == SEAM_OK && i < cells; i++)
        z[i] = seam_rng_u64(&rng) >> 63 ? 1.0f : -1.0f;
    for (int step = 0; st == SEAM_OK && step <= POWER_STEPS; step++) {
        struct embed_product product = {m, z, y, k};
        float *swap;

        st = seam_parallel_for(threads, m->rows, 64, product_rows, &product);
        if (st == SEAM_OK) st = orthonormalise(y, m->rows, k, threads, g, t);
        swap = y;
        y = z;
        z = swap;
    }
    if (st == SEAM_OK) st = rotate_out(m, z, y, k, rank < k ? rank : k, threads, g, t, u, value);
    free(y);
    free(z);
    free(g);
    free(t);
    return st;
}
