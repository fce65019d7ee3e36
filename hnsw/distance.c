/* distance - the kernels, scalar, AVX2, AVX-512 and VNNI, and the choice among them. */
#include "hnsw/distance.h"

#include <assert.h>
#include <math.h>

#include "engine/base/bytes.h"
#include "engine/base/cpu.h"

/* ---- scalar: the truth ---- */
/* Sixteen lanes in the order a vector register would add them: close to every variant, and the compiler
 * may use what registers the portable target has.                                                  */
enum { LANES = 16, BOUND_CHUNK = 64, BOUND_WORTH = 128 };

static float sum_lanes(const float lane[LANES])
{
    float s = 0;

    for (int i = 0; i < LANES; i++) s += lane[i];
    return s;
}

static void l2_scalar(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                      int32_t *keys)
{
    assert(floats % LANES == 0);
    for (size_t r = 0; r < n; r++) {
        const float *x = (const float *)(const void *)rows[r];
        float lane[LANES] = {0};

        for (size_t i = 0; i < floats; i += LANES)
            for (size_t j = 0; j < LANES; j++) {
                float d = q[i + j] - x[i + j];

                lane[j] += d * d;
            }
        keys[r] = dist_key(sum_lanes(lane));
    }
}

static void l2_part_scalar(const float *q, const uint8_t *const rows[4], size_t from, size_t to,
                           float part[4])
{
    assert(from <= to);
    assert((to - from) % LANES == 0);
    for (size_t r = 0; r < 4; r++) {
        const float *x = (const float *)(const void *)rows[r];
        float lane[LANES] = {0};

        for (size_t i = from; i < to; i += LANES)
            for (size_t j = 0; j < LANES; j++) {
                float d = q[i + j] - x[i + j];

                lane[j] += d * d;
            }
        part[r] = sum_lanes(lane);
    }
}

static void ip_scalar(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                      int32_t *keys)
{
    assert(floats % LANES == 0);
    for (size_t r = 0; r < n; r++) {
        const float *x = (const float *)(const void *)rows[r];
        float lane[LANES] = {0};

        for (size_t i = 0; i < floats; i += LANES)
            for (size_t j = 0; j < LANES; j++) lane[j] += q[i + j] * x[i + j];
        keys[r] = dist_key(-sum_lanes(lane));
    }
}

/* In unsigned arithmetic: honest rows stay far inside int32, a hostile constant must not be undefined. */
static inline int32_t code_key(int32_t k0, const uint8_t *row, size_t stride, int32_t dp, int shift)
{
    return (int32_t)((uint32_t)k0 + seam_get_u32(row + stride - CODE_CONSTANTS) -
                     ((uint32_t)dp << shift));
}

static void i8_scalar(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                      int32_t k0, int shift, int32_t *keys)
{
    assert(stride % 64 == 0);
    for (size_t r = 0; r < n; r++) {
        int32_t dp = 0;

        for (size_t i = 0; i < stride; i++) dp += (int32_t)rows[r][i] * s[i];
        keys[r] = code_key(k0, rows[r], stride, dp, shift);
    }
}

static void flip_scalar(const uint8_t *u, size_t stride, int8_t *s)
{
    assert(stride >= CODE_CONSTANTS);
    for (size_t i = 0; i < stride - CODE_CONSTANTS; i++) s[i] = (int8_t)(u[i] ^ 0x80);
    memset(s + stride - CODE_CONSTANTS, 0, CODE_CONSTANTS);
}

static const struct hnsw_dist_kernels scalar = {"scalar",  l2_scalar,      ip_scalar,
                                                i8_scalar, l2_part_scalar, flip_scalar};

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define VNNI   __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")))

/* ---- sums across lanes, four accumulators at a time ---- */
AVX2 static inline __m128 sum4_ps(__m256 a, __m256 b, __m256 c, __m256 d)
{
    __m256 ab = _mm256_hadd_ps(a, b), cd = _mm256_hadd_ps(c, d);
    __m256 abcd = _mm256_hadd_ps(ab, cd);

    return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
}

AVX2 static inline __m128i sum4_epi32(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i ab = _mm256_hadd_epi32(a, b), cd = _mm256_hadd_epi32(c, d);
    __m256i abcd = _mm256_hadd_epi32(ab, cd);

    return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

AVX2 static inline void store_keys(int32_t *keys, __m128 d, size_t n)
{
    __m128i i = _mm_castps_si128(d);
    __m128i flip = _mm_and_si128(_mm_srai_epi32(i, 31), _mm_set1_epi32(0x7fffffff));
    int32_t four[4];

    _mm_storeu_si128((__m128i *)(void *)four, _mm_xor_si128(i, flip));
    memcpy(keys, four, n * sizeof *keys);
}

/* The last group is filled up with its first row: branches on n stay out of the loops.              */
#define GROUP4(rows, r, n, a, b, c, d, left)                                                       \
    size_t left = (n) - (r) < 4 ? (n) - (r) : 4;                                                   \
    const uint8_t *a = (rows)[r], *b = (rows)[left > 1 ? (r) + 1 : (r)],                           \
                  *c = (rows)[left > 2 ? (r) + 2 : (r)], *d = (rows)[left > 3 ? (r) + 3 : (r)]

#define LOAD8(p, i)  _mm256_loadu_ps((const float *)(const void *)(p) + (i))
#define LOAD16(p, i) _mm512_loadu_ps((const float *)(const void *)(p) + (i))

AVX2 static void l2_avx2(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                         int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m256 sa = _mm256_setzero_ps(), sb = sa, sc = sa, sd = sa;

        for (size_t i = 0; i < floats; i += 8) {
            __m256 x = LOAD8(q, i);
            __m256 da = _mm256_sub_ps(x, LOAD8(a, i)), db = _mm256_sub_ps(x, LOAD8(b, i));
            __m256 dc = _mm256_sub_ps(x, LOAD8(c, i)), dd = _mm256_sub_ps(x, LOAD8(d, i));

            sa = _mm256_fmadd_ps(da, da, sa);
            sb = _mm256_fmadd_ps(db, db, sb);
            sc = _mm256_fmadd_ps(dc, dc, sc);
            sd = _mm256_fmadd_ps(dd, dd, sd);
        }
        store_keys(keys + r, sum4_ps(sa, sb, sc, sd), left);
    }
}

AVX2 static void l2_part_avx2(const float *q, const uint8_t *const rows[4], size_t from, size_t to,
                              float part[4])
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    __m256 sa = _mm256_setzero_ps(), sb = sa, sc = sa, sd = sa;

    for (size_t i = from; i < to; i += 8) {
        __m256 x = LOAD8(q, i);
        __m256 da = _mm256_sub_ps(x, LOAD8(a, i)), db = _mm256_sub_ps(x, LOAD8(b, i));
        __m256 dc = _mm256_sub_ps(x, LOAD8(c, i)), dd = _mm256_sub_ps(x, LOAD8(d, i));

        sa = _mm256_fmadd_ps(da, da, sa);
        sb = _mm256_fmadd_ps(db, db, sb);
        sc = _mm256_fmadd_ps(dc, dc, sc);
        sd = _mm256_fmadd_ps(dd, dd, sd);
    }
    _mm_storeu_ps(part, sum4_ps(sa, sb, sc, sd));
}

AVX2 static void ip_avx2(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                         int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m256 sa = _mm256_setzero_ps(), sb = sa, sc = sa, sd = sa;

        for (size_t i = 0; i < floats; i += 8) {
            __m256 x = LOAD8(q, i);

            sa = _mm256_fnmadd_ps(x, LOAD8(a, i), sa);
            sb = _mm256_fnmadd_ps(x, LOAD8(b, i), sb);
            sc = _mm256_fnmadd_ps(x, LOAD8(c, i), sc);
            sd = _mm256_fnmadd_ps(x, LOAD8(d, i), sd);
        }
        store_keys(keys + r, sum4_ps(sa, sb, sc, sd), left);
    }
}

AVX2 static inline __m256i dot_step_avx2(__m256i sum, const uint8_t *row, __m256i s, size_t i)
{
    __m256i u = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + i)));

    return _mm256_add_epi32(sum, _mm256_madd_epi16(u, s));
}

static inline void finish_i8(int32_t *keys, const int32_t dp[4], const uint8_t *const *rows,
                             size_t left, size_t stride, int32_t k0, int shift)
{
    for (size_t j = 0; j < left; j++) keys[j] = code_key(k0, rows[j], stride, dp[j], shift);
}

AVX2 static void i8_avx2(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                         int32_t k0, int shift, int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m256i sa = _mm256_setzero_si256(), sb = sa, sc = sa, sd = sa;
        int32_t dp[4];

        for (size_t i = 0; i < stride; i += 16) {
            __m256i x =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(s + i)));

            sa = dot_step_avx2(sa, a, x, i);
            sb = dot_step_avx2(sb, b, x, i);
            sc = dot_step_avx2(sc, c, x, i);
            sd = dot_step_avx2(sd, d, x, i);
        }
        _mm_storeu_si128((__m128i *)(void *)dp, sum4_epi32(sa, sb, sc, sd));
        finish_i8(keys + r, dp, rows + r, left, stride, k0, shift);
    }
}

AVX2 static void flip_avx2(const uint8_t *u, size_t stride, int8_t *s)
{
    for (size_t i = 0; i < stride; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(u + i));

        _mm256_storeu_si256((__m256i *)(void *)(s + i),
                            _mm256_xor_si256(x, _mm256_set1_epi8(-128)));
    }
    memset(s + stride - CODE_CONSTANTS, 0, CODE_CONSTANTS);
}

static const struct hnsw_dist_kernels avx2 = {"avx2",  l2_avx2,      ip_avx2,
                                              i8_avx2, l2_part_avx2, flip_avx2};

AVX512 static inline __m256 halves_ps(__m512 v)
{
    return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}

AVX512 static inline __m256i halves_epi32(__m512i v)
{
    return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}

AVX512 static void l2_avx512(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                             int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m512 sa = _mm512_setzero_ps(), sb = sa, sc = sa, sd = sa;

        for (size_t i = 0; i < floats; i += 16) {
            __m512 x = LOAD16(q, i);
            __m512 da = _mm512_sub_ps(x, LOAD16(a, i)), db = _mm512_sub_ps(x, LOAD16(b, i));
            __m512 dc = _mm512_sub_ps(x, LOAD16(c, i)), dd = _mm512_sub_ps(x, LOAD16(d, i));

            sa = _mm512_fmadd_ps(da, da, sa);
            sb = _mm512_fmadd_ps(db, db, sb);
            sc = _mm512_fmadd_ps(dc, dc, sc);
            sd = _mm512_fmadd_ps(dd, dd, sd);
        }
        store_keys(keys + r, sum4_ps(halves_ps(sa), halves_ps(sb), halves_ps(sc), halves_ps(sd)),
                   left);
    }
}

AVX512 static void l2_part_avx512(const float *q, const uint8_t *const rows[4], size_t from,
                                  size_t to, float part[4])
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    __m512 sa = _mm512_setzero_ps(), sb = sa, sc = sa, sd = sa;

    for (size_t i = from; i < to; i += 16) {
        __m512 x = LOAD16(q, i);
        __m512 da = _mm512_sub_ps(x, LOAD16(a, i)), db = _mm512_sub_ps(x, LOAD16(b, i));
        __m512 dc = _mm512_sub_ps(x, LOAD16(c, i)), dd = _mm512_sub_ps(x, LOAD16(d, i));

        sa = _mm512_fmadd_ps(da, da, sa);
        sb = _mm512_fmadd_ps(db, db, sb);
        sc = _mm512_fmadd_ps(dc, dc, sc);
        sd = _mm512_fmadd_ps(dd, dd, sd);
    }
    _mm_storeu_ps(part, sum4_ps(halves_ps(sa), halves_ps(sb), halves_ps(sc), halves_ps(sd)));
}

AVX512 static void ip_avx512(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                             int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m512 sa = _mm512_setzero_ps(), sb = sa, sc = sa, sd = sa;

        for (size_t i = 0; i < floats; i += 16) {
            __m512 x = LOAD16(q, i);

            sa = _mm512_fnmadd_ps(x, LOAD16(a, i), sa);
            sb = _mm512_fnmadd_ps(x, LOAD16(b, i), sb);
            sc = _mm512_fnmadd_ps(x, LOAD16(c, i), sc);
            sd = _mm512_fnmadd_ps(x, LOAD16(d, i), sd);
        }
        store_keys(keys + r, sum4_ps(halves_ps(sa), halves_ps(sb), halves_ps(sc), halves_ps(sd)),
                   left);
    }
}

#define LOADCODE(p, i) _mm512_loadu_si512((const void *)((p) + (i)))

AVX512 static inline __m512i dot_step_avx512(__m512i sum, const uint8_t *row, __m512i s, size_t i)
{
    __m512i u = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(row + i)));

    return _mm512_add_epi32(sum, _mm512_madd_epi16(u, s));
}

AVX512 static void i8_avx512(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                             int32_t k0, int shift, int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m512i sa = _mm512_setzero_si512(), sb = sa, sc = sa, sd = sa;
        int32_t dp[4];

        for (size_t i = 0; i < stride; i += 32) {
            __m512i x =
                _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(s + i)));

            sa = dot_step_avx512(sa, a, x, i);
            sb = dot_step_avx512(sb, b, x, i);
            sc = dot_step_avx512(sc, c, x, i);
            sd = dot_step_avx512(sd, d, x, i);
        }
        _mm_storeu_si128((__m128i *)(void *)dp, sum4_epi32(halves_epi32(sa), halves_epi32(sb),
                                                           halves_epi32(sc), halves_epi32(sd)));
        finish_i8(keys + r, dp, rows + r, left, stride, k0, shift);
    }
}

VNNI static void i8_vnni(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                         int32_t k0, int shift, int32_t *keys)
{
    for (size_t r = 0; r < n; r += 4) {
        GROUP4(rows, r, n, a, b, c, d, left);
        __m512i sa = _mm512_setzero_si512(), sb = sa, sc = sa, sd = sa;
        int32_t dp[4];

        for (size_t i = 0; i < stride; i += 64) {
            __m512i x = _mm512_loadu_si512((const void *)(s + i));

            sa = _mm512_dpbusd_epi32(sa, LOADCODE(a, i), x);
            sb = _mm512_dpbusd_epi32(sb, LOADCODE(b, i), x);
            sc = _mm512_dpbusd_epi32(sc, LOADCODE(c, i), x);
            sd = _mm512_dpbusd_epi32(sd, LOADCODE(d, i), x);
        }
        _mm_storeu_si128((__m128i *)(void *)dp, sum4_epi32(halves_epi32(sa), halves_epi32(sb),
                                                           halves_epi32(sc), halves_epi32(sd)));
        finish_i8(keys + r, dp, rows + r, left, stride, k0, shift);
    }
}

AVX512 static void flip_avx512(const uint8_t *u, size_t stride, int8_t *s)
{
    for (size_t i = 0; i < stride; i += 64)
        _mm512_storeu_si512((void *)(s + i),
                            _mm512_xor_si512(LOADCODE(u, i), _mm512_set1_epi8(-128)));
    memset(s + stride - CODE_CONSTANTS, 0, CODE_CONSTANTS);
}

static const struct hnsw_dist_kernels avx512 = {"avx512",  l2_avx512,      ip_avx512,
                                                i8_avx512, l2_part_avx512, flip_avx512};
static const struct hnsw_dist_kernels vnni = {"avx512-vnni", l2_avx512,      ip_avx512,
                                              i8_vnni,       l2_part_avx512, flip_avx512};
#endif

/* ---- long rows, with a bound ---- */
/* All rows' first 64 floats, then the survivors' next 64, and so on. A survivor's next lines are fetched
 * when it survives, while the others are measured.                                                   */
void hnsw_dist_l2_bounded(const struct hnsw_dist_kernels *k, const float *q,
                          const uint8_t *const *rows, size_t n, size_t floats, int32_t bound,
                          int32_t *keys)
{
    uint8_t at[DIST_BATCH];
    float sum[DIST_BATCH], limit = bound == INT32_MAX ? INFINITY : dist_of_key(bound);
    size_t live = n;
    assert(n <= DIST_BATCH);
    assert(floats % LANES == 0);

    if (floats < BOUND_WORTH) {
        k->l2(q, rows, n, floats, keys);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = (uint8_t)i;
        sum[i] = 0;
    }
    for (size_t from = 0; from < floats && live > 0; from += BOUND_CHUNK) {
        size_t to = from + BOUND_CHUNK < floats ? from + BOUND_CHUNK : floats, still = 0;

        for (size_t r = 0; r < live; r += 4) {
            size_t left = live - r < 4 ? live - r : 4;
            const uint8_t *four[4];
            float part[4];

            for (size_t j = 0; j < 4; j++) four[j] = rows[at[j < left ? r + j : r]];
            k->l2_part(q, four, from, to, part);
            for (size_t j = 0; j < left; j++) {
                uint8_t row = at[r + j];

                sum[row] += part[j];
                if (!(sum[row] <= limit)) continue;
                at[still++] = row;
                for (size_t b = 0; b < BOUND_CHUNK * sizeof(float); b += 64)
                    __builtin_prefetch(rows[row] + to * sizeof(float) + b, 0, 3);
            }
        }
        assert(still <= live);
        live = still;
    }
    for (size_t i = 0; i < n; i++) keys[i] = dist_key(sum[i]);
}

size_t hnsw_dist_kernels_all(const struct hnsw_dist_kernels *out[4])
{
    size_t n = 0;

    out[n++] = &scalar;
#if defined(__x86_64__)
    if (seam_cpu()->avx2 && seam_cpu()->fma) out[n++] = &avx2;
    if (seam_cpu()->avx512) out[n++] = &avx512;
    if (seam_cpu()->avx512 && seam_cpu()->avx512_vnni) out[n++] = &vnni;
#endif
    assert(n >= 1 && n <= 4);
    return n;
}

const struct hnsw_dist_kernels *hnsw_dist_kernels(void)
{
    const struct hnsw_dist_kernels *all[4];

    return all[hnsw_dist_kernels_all(all) - 1];
}
