/* Goal:   every data-parallel kernel gives the scalar result, to the last bit.
 * Method: random inputs of every length and width; the variant is chosen by SEAM_SIMD before the processor is
 *         first asked (each test runs in a process of its own).                                         */
#include <stdlib.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/rng.h"
#include "invidx/forcol.h"
#include "invidx/pfor.h"
#include "invidx/postings.h"
#include "invidx/score.h"
#include "tests/common/check_main.h"

enum { DOCS = 5000 };

static uint32_t some_value(struct seam_rng *r)
{
    unsigned bits = (unsigned)seam_rng_below(r, 33);

    return bits == 0 ? 0 : (uint32_t)(seam_rng_u64(r) >> (64 - bits));
}

static struct invidx_bm25 some_model(struct seam_rng *r)
{
    double k1 = seam_rng_below(r, 4) == 0 ? 0 : 2 * seam_rng_double(r),
           b = seam_rng_below(r, 4) == 0 ? 1 : seam_rng_double(r);

    return (struct invidx_bm25){(float)(seam_rng_double(r) * 1e9), (float)(k1 * (1 - b)),
                                (float)(k1 * b / 57.3)};
}

static void check_scores(struct seam_rng *r)
{
    static uint8_t lengths[2 * DOCS + 64];
    uint32_t docs[160] = {0}, tf[160] = {0}, index[160], want_index[160];
    int32_t got[160], want[160];
    uint8_t impacts[8 * 64];

    for (size_t i = 0; i < DOCS; i++) seam_put_u16(lengths + 2 * i, (uint16_t)some_value(r));
    for (int round = 0; round < test_scale(3000); round++) {
        struct invidx_bm25 m = some_model(r);
        size_t n = 1 + seam_rng_below(r, 128), found = 0;
        int32_t need;

        for (size_t i = 0; i < n; i++) {
            docs[i] = (uint32_t)seam_rng_below(r, DOCS);
            tf[i] = 1 + (uint32_t)seam_rng_below(r, 1 + seam_rng_below(r, 300));
        }
        invidx_bm25_block(&m, docs, tf, lengths, n, got);
        invidx_bm25_block_scalar(&m, docs, tf, lengths, n, want);
        ck_assert_mem_eq(got, want, n * sizeof *got);
        need = want[seam_rng_below(r, n)];
        for (size_t i = 0; i < n; i++)
            if (want[i] >= need) want_index[found++] = (uint32_t)i;
        ck_assert_uint_eq(invidx_select_at_least(got, n, need, index), found);
        ck_assert_mem_eq(index, want_index, found * sizeof *index);
        seam_rng_bytes(r, impacts, sizeof impacts);
        for (size_t i = 0; i < sizeof impacts; i += 2) impacts[i] |= 1; /* frequencies are not 0 */
        n = 1 + seam_rng_below(r, 60);
        invidx_bm25_bounds(&m, impacts, n, got);
        invidx_bm25_bounds_scalar(&m, impacts, n, want);
        ck_assert_mem_eq(got, want, n * sizeof *got);
    }
}

static size_t ascending(struct seam_rng *r, uint32_t *v, size_t n, uint32_t range)
{
    uint32_t at = (uint32_t)seam_rng_below(r, range);

    for (size_t i = 0; i < n; i++) {
        v[i] = at;
        at += 1 + (uint32_t)seam_rng_below(r, range);
    }
    for (size_t i = 0; i < 32; i++) v[n + i] = NO_DOC;
    return n;
}

static void check_searches(struct seam_rng *r)
{
    uint32_t a[160], b[160], ia[160], ib[160], gaps[160], sums[160];

    for (int round = 0; round < test_scale(5000); round++) {
        uint32_t range = 1 + (uint32_t)seam_rng_below(r, 20), base = some_value(r), sum = base;
        size_t an = ascending(r, a, 1 + seam_rng_below(r, 128), range),
               bn = ascending(r, b, 1 + seam_rng_below(r, 128), range);
        size_t from = 0, pairs, want = 0;
        uint32_t doc = (uint32_t)seam_rng_below(r, 3000);

        while (an > 0 && a[an - 1] > b[bn - 1]) an--; /* as its callers do */
        if (an == 0) continue;
        pairs = invidx_intersect(a, an, b, &from, ia, ib);
        for (size_t i = 0; i < an; i++) {
            size_t k = 0;

            while (k < bn && b[k] < a[i]) k++;
            if (k == bn || b[k] != a[i]) continue;
            ck_assert(want < pairs && ia[want] == i && ib[want] == k);
            want++;
        }
        ck_assert_uint_eq(pairs, want);
        from = seam_rng_below(r, bn);
        want = from;
        while (b[want] < doc) want++;
        ck_assert_uint_eq(invidx_find_at_least(b, from, doc), want);
        for (size_t i = 0; i < 144; i++) gaps[i] = some_value(r);
        memcpy(sums, gaps, sizeof sums);
        an = 1 + seam_rng_below(r, 128);
        invidx_sum_gaps(sums, an, base);
        for (size_t i = 0; i < an; i++) ck_assert_uint_eq(sums[i], sum += gaps[i] + 1);
    }
}

static void check_variant(const char *simd)
{
    struct seam_rng r;

    setenv("SEAM_SIMD", simd, 1);
    seam_rng_seed(&r, test_seed());
    check_scores(&r);
    check_searches(&r);
}

static void test_kernels_scalar(void)
{
    check_variant("scalar");
}
static void test_kernels_avx2(void)
{
    check_variant("avx2");
}
static void test_kernels_avx512(void)
{
    check_variant("avx512");
}

/* Bounds are never below a score they cover, and length codes never above the length.                    */
static void test_impacts_bound_what_they_cover(void)
{
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (uint32_t n = 0; n <= UINT16_MAX; n++)
        ck_assert_uint_le(length_of_code(invidx_length_code(n)), n);
    for (uint32_t n = 0; n < 64; n++) ck_assert_uint_eq(length_of_code(invidx_length_code(n)), n);
    for (int round = 0; round < test_scale(200000); round++) {
        struct invidx_bm25 m = some_model(&r);
        uint32_t tf = 1 + (uint32_t)seam_rng_below(&r, 300),
                 length = (uint32_t)seam_rng_below(&r, UINT16_MAX + 1);
        uint32_t more = tf + (uint32_t)seam_rng_below(&r, 3),
                 fewer = length - (uint32_t)seam_rng_below(&r, length + 1);

        ck_assert_int_ge(bm25_one(&m, more, fewer), bm25_one(&m, tf, length));
    }
}

static void test_pfor_round_trips(void)
{
    uint32_t v[PFOR_BLOCK], got[160], sums[160];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < test_scale(4000); round++) {
        size_t n = 1 + seam_rng_below(&r, PFOR_BLOCK);
        unsigned most = (unsigned)seam_rng_below(&r, 33), rare = (unsigned)seam_rng_below(&r, 33);
        struct seam_buf b = {0};
        const uint8_t *end;
        bool flag = seam_rng_below(&r, 2) != 0;
        uint32_t sum = 77;

        for (size_t i = 0; i < n; i++) {
            unsigned bits = seam_rng_below(&r, 20) == 0 ? rare : most;

            v[i] = bits == 0 ? 0 : (uint32_t)(seam_rng_u64(&r) >> (64 - bits));
        }
        invidx_pfor_put(&b, v, n, flag);
        end = b.data + b.size;
        ck_assert(seam_buf_reserve(&b, SEAM_BITPACK_SLACK));
        end = b.data + (end - b.data);
        end = b.data + b.size;
        ck_assert_ptr_eq(invidx_pfor_get(b.data, end, n, got), end);
        ck_assert_mem_eq(v, got, n * sizeof *v);
        ck_assert_ptr_eq(invidx_pfor_skip(b.data, end, n), end);
        ck_assert_int_eq((b.data[0] & PFOR_FLAG) != 0, flag);
        ck_assert_ptr_eq(invidx_pfor_get_gaps(b.data, end, n, 77, sums), end);
        for (size_t i = 0; i < n; i++) ck_assert_uint_eq(sums[i], sum += v[i] + 1);
        for (size_t cut = 0; cut < b.size; cut++) /* a shorter block is refused, never read past */
            ck_assert_ptr_null(invidx_pfor_get(b.data, b.data + cut, n, got));
        seam_buf_free(&b);
    }
}

/* The worked example of pfor.h's picture: 1 2 3 200 at width 2, one exception.                            */
static void test_pfor_golden_bytes(void)
{
    static const uint32_t v[] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 200, 1, 2, 3};
    static const uint8_t want[] = {0x82, 0x79, 0x9e, 0xe7, 0xe4, 0x01, 0x0c, 0x32};
    struct seam_buf b = {0};

    invidx_pfor_put(&b, v, SEAM_ARRAY_LEN(v), false);
    ck_assert_uint_eq(b.size, sizeof want);
    ck_assert_mem_eq(b.data, want, sizeof want);
    seam_buf_free(&b);
}

static void test_forcol_round_trips(void)
{
    struct seam_rng r;
    uint64_t v[700], block[FORCOL_BLOCK];

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < test_scale(500); round++) {
        size_t n = 1 + seam_rng_below(&r, SEAM_ARRAY_LEN(v));
        unsigned bits = (unsigned)seam_rng_below(&r, 65);
        struct seam_buf b = {0};
        struct invidx_forcol c;
        size_t used;

        for (size_t i = 0; i < n; i++)
            v[i] = bits == 0 ? 5 : 5 + (seam_rng_u64(&r) >> (64 - bits)) / 2;
        invidx_forcol_put(&b, v, n);
        used = b.size;
        ck_assert(seam_buf_reserve(&b, SEAM_BITPACK_SLACK));
        ck_assert(invidx_forcol_open(&c, b.data, used, (uint32_t)n));
        for (size_t i = 0; i < n; i++) ck_assert_uint_eq(forcol_get(&c, (uint32_t)i), v[i]);
        for (uint32_t k = 0; k * FORCOL_BLOCK < n; k++) {
            size_t m = invidx_forcol_block(&c, k, block);

            ck_assert_mem_eq(block, v + k * FORCOL_BLOCK, m * sizeof *v);
        }
        for (size_t cut = 0; cut < used; cut += 1 + used / 50)
            ck_assert(!invidx_forcol_open(&c, b.data, cut, (uint32_t)n));
        seam_buf_free(&b);
    }
}

static const struct named_test tests[] = {
    T(test_kernels_scalar),     T(test_kernels_avx2),
    T(test_kernels_avx512),     T(test_impacts_bound_what_they_cover),
    T(test_pfor_round_trips),   T(test_pfor_golden_bytes),
    T(test_forcol_round_trips),
};

int main(int argc, char **argv)
{
    return run_tests("invidx kernels", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
