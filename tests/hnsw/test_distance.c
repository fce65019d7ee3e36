/* Goal:   every kernel this machine runs gives the scalar's answer: codes to the integer, floats to rounding.
 * Method: random rows of many dimensions and counts; the scalar itself against arithmetic in double.   */
#include "tests/hnsw/common.h"

#include "hnsw/graph.h"

static void *aligned(size_t n)
{
    void *p = NULL;

    ck_assert_int_eq(posix_memalign(&p, 64, n), 0);
    memset(p, 0, n);
    return p;
}

static void floats_agree(uint32_t dim, size_t n)
{
    const struct hnsw_dist_kernels *all[4];
    size_t kernels = hnsw_dist_kernels_all(all), floats = (dim + 15) / 16 * 16;
    float *q = aligned(floats * 4), *rows = aligned(n * floats * 4);
    const uint8_t *ptr[DIST_BATCH];
    int32_t keys[DIST_BATCH];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed() + dim);
    for (uint32_t d = 0; d < dim; d++) q[d] = (float)seam_rng_normal(&r);
    for (size_t i = 0; i < n; i++) {
        ptr[i] = (const uint8_t *)(rows + i * floats);
        for (uint32_t d = 0; d < dim; d++) rows[i * floats + d] = (float)seam_rng_normal(&r);
    }
    for (size_t k = 0; k < kernels; k++) {
        for (int metric = 0; metric < 3; metric++) { /* 2: L2 with a bound */
            double bound = dim * 1.5;

            if (metric == 0)
                all[k]->l2(q, ptr, n, floats, keys);
            else if (metric == 1)
                all[k]->ip(q, ptr, n, floats, keys);
            else
                hnsw_dist_l2_bounded(all[k], q, ptr, n, floats, dist_key((float)bound), keys);
            for (size_t i = 0; i < n; i++) {
                double want = 0, size = 0;

                for (uint32_t d = 0; d < dim; d++) {
                    double x = q[d], y = rows[i * floats + d];

                    want += metric == 1 ? -x * y : (x - y) * (x - y);
                    size += fabs(x * y) + (x - y) * (x - y);
                }
                if (metric == 2 && want > bound * 1.0001) {
                    ck_assert(dist_of_key(keys[i]) > bound * 0.9999);
                    continue;
                }
                ck_assert_msg(fabs(dist_of_key(keys[i]) - want) <= size * 1e-6,
                              "%s dim %u: %g, want %g", all[k]->name, dim,
                              (double)dist_of_key(keys[i]), want);
            }
        }
    }
    free(q);
    free(rows);
}

static void codes_agree(uint32_t dim, size_t n)
{
    const struct hnsw_dist_kernels *all[4];
    size_t kernels = hnsw_dist_kernels_all(all), stride = code_stride(dim);
    uint8_t *rows = aligned(n * stride), *query = aligned(stride);
    int8_t *s = aligned(stride), *flipped = aligned(stride);
    const uint8_t *ptr[DIST_BATCH];
    int32_t keys[DIST_BATCH];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed() + dim);
    for (size_t i = 0; i < n; i++) {
        int32_t squares = 0;

        ptr[i] = rows + i * stride;
        for (uint32_t d = 0; d < dim; d++) {
            uint8_t u = (uint8_t)(i == 0 ? 255 : i == 1 ? 0 : seam_rng_below(&r, 256));

            rows[i * stride + d] = u;
            squares += (u - 128) * (u - 128);
        }
        memcpy(rows + (i + 1) * stride - 8, &squares, 4);
    }
    memcpy(query, ptr[n - 1], stride);
    memset(query + stride - 8, 0xa5, 8); /* constants the kernels must not read as codes */
    for (size_t k = 0; k < kernels; k++) {
        int32_t k0 = 0;

        all[k]->flip(query, stride, s);
        if (k == 0) memcpy(flipped, s, stride);
        for (uint32_t d = 0; d < dim; d++) {
            ck_assert_int_eq(s[d], query[d] - 128);
            k0 += s[d] * s[d] + 256 * s[d];
        }
        memset(s + dim, 0, stride - dim);
        all[k]->i8(s, ptr, n, stride, k0, 1, keys);
        for (size_t i = 0; i < n; i++) {
            int32_t want = 0;

            for (uint32_t d = 0; d < dim; d++) {
                int32_t e = query[d] - rows[i * stride + d];

                want += e * e;
            }
            ck_assert_msg(keys[i] == want, "%s dim %u row %zu: %d, want %d", all[k]->name, dim, i,
                          keys[i], want);
        }
    }
    free(rows);
    free(query);
    free(s);
    free(flipped);
}

static void test_float_kernels_agree_with_arithmetic(void)
{
    static const uint32_t dims[] = {2, 15, 16, 17, 100, 128, 129, 200, 784, 1000, 4096};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(dims); i++) {
        floats_agree(dims[i], 1 + i % 7);
        floats_agree(dims[i], 33);
    }
}

static void test_code_kernels_agree_to_the_integer(void)
{
    static const uint32_t dims[] = {2, 3, 55, 56, 57, 64, 100, 120, 121, 784, 4096};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(dims); i++) {
        codes_agree(dims[i], 2 + i % 6);
        codes_agree(dims[i], 41);
    }
}

static void test_keys_order_as_distances_do(void)
{
    static const float d[] = {-INFINITY, -1e30f, -2, -1, -1e-30f, 0, 1e-40f, 1, 2, 1e30f, INFINITY};

    for (size_t i = 1; i < SEAM_ARRAY_LEN(d); i++) {
        ck_assert(dist_key(d[i - 1]) < dist_key(d[i]));
        ck_assert(dist_of_key(dist_key(d[i])) == d[i]);
    }
}

static const struct named_test tests[] = {
    T(test_float_kernels_agree_with_arithmetic),
    T(test_code_kernels_agree_to_the_integer),
    T(test_keys_order_as_distances_do),
};

int main(int argc, char **argv)
{
    return run_tests("hnsw distance", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
