/* kernels - the loops in scalar form, their AVX2 and AVX-512 twins, and the choice between them. */
#include "columnar/format/kernels.h"

#include "engine/base/cpu.h"

static void clear_tail(uint64_t *bits, size_t n)
{
    size_t w = n / 64;

    if (n % 64 != 0) bits[w++] &= (1ull << (n % 64)) - 1;
    for (; w < COLUMNAR_VECTOR_WORDS; w++) bits[w] = 0;
}

#define PACK_WORDS(condition)                                                                      \
    for (size_t w = 0; w < n; w += 64) {                                                           \
        uint64_t word = 0;                                                                         \
        size_t m = n - w < 64 ? n - w : 64;                                                        \
        for (size_t k = 0; k < m; k++) {                                                           \
            size_t i = w + k;                                                                      \
            word |= (uint64_t)(condition) << k;                                                    \
        }                                                                                          \
        bits[w / 64] = word;                                                                       \
    }                                                                                              \
    clear_tail(bits, n)

void columnar_kernel_range_u32_scalar(const uint32_t *v, size_t n, uint32_t lo, uint32_t span,
                                      uint64_t *bits)
{
    PACK_WORDS(v[i] - lo <= span);
}

void columnar_kernel_range_u64_scalar(const uint64_t *v, size_t n, uint64_t lo, uint64_t span,
                                      uint64_t *bits)
{
    PACK_WORDS(v[i] - lo <= span);
}

int64_t columnar_kernel_sum_i64_scalar(const int64_t *v, size_t n, const uint64_t *mask)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (mask == NULL || seam_bitset_get(mask, i)) sum += (uint64_t)v[i];
    return (int64_t)sum;
}

/* ---- plain loops, compiled once for each target ---- */

#define INLINE static inline __attribute__((always_inline))
#define LOOP(expression)                                                                           \
    do {                                                                                           \
        if (one_a)                                                                                 \
            for (size_t i = 0; i < n; i++) {                                                       \
                x = a[0];                                                                          \
                y = b[i];                                                                          \
                r[i] = (expression);                                                               \
            }                                                                                      \
        else if (one_b)                                                                            \
            for (size_t i = 0; i < n; i++) {                                                       \
                x = a[i];                                                                          \
                y = b[0];                                                                          \
                r[i] = (expression);                                                               \
            }                                                                                      \
        else                                                                                       \
            for (size_t i = 0; i < n; i++) {                                                       \
                x = a[i];                                                                          \
                y = b[i];                                                                          \
                r[i] = (expression);                                                               \
            }                                                                                      \
    } while (0)

INLINE void widen_body(const uint32_t *v, size_t n, uint64_t base, uint64_t factor, uint64_t *out)
{
    if (factor == 1)
        for (size_t i = 0; i < n; i++) out[i] = base + v[i];
    else
        for (size_t i = 0; i < n; i++) out[i] = base + factor * v[i];
}

INLINE void arith_body(char op, size_t n, const uint64_t *restrict a, bool one_a,
                       const uint64_t *restrict b, bool one_b, uint64_t *restrict r)
{
    uint64_t x, y;

    if (op == '+')
        LOOP(x + y);
    else if (op == '-')
        LOOP(x - y);
    else
        LOOP(x * y);
}

INLINE void arith_double_body(char op, size_t n, const double *restrict a, bool one_a,
                              const double *restrict b, bool one_b, double *restrict r)
{
    double x, y;

    if (op == '+')
        LOOP(x + y);
    else if (op == '-')
        LOOP(x - y);
    else if (op == '*')
        LOOP(x * y);
    else
        LOOP(y == 0 ? 0 : x / y);
}

INLINE void lookup_body(const int64_t *values, const uint32_t *code, size_t n, int64_t *out)
{
    for (size_t i = 0; i < n; i++) out[i] = values[code[i]];
}

INLINE void add_codes_body(uint32_t *acc, const uint32_t *code, size_t n, uint32_t stride)
{
    for (size_t i = 0; i < n; i++) acc[i] += code[i] * stride;
}

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

TARGET512 static void range_u32_512(const uint32_t *v, size_t n, uint32_t lo, uint32_t span,
                                    uint64_t *bits)
{
    __m512i low = _mm512_set1_epi32((int)lo), width = _mm512_set1_epi32((int)span);

    for (size_t i = 0; i < n; i += 64) {
        uint64_t a =
            _mm512_cmple_epu32_mask(_mm512_sub_epi32(_mm512_loadu_si512(v + i), low), width);
        uint64_t b =
            _mm512_cmple_epu32_mask(_mm512_sub_epi32(_mm512_loadu_si512(v + i + 16), low), width);
        uint64_t c =
            _mm512_cmple_epu32_mask(_mm512_sub_epi32(_mm512_loadu_si512(v + i + 32), low), width);
        uint64_t d =
            _mm512_cmple_epu32_mask(_mm512_sub_epi32(_mm512_loadu_si512(v + i + 48), low), width);

        bits[i / 64] = a | b << 16 | c << 32 | d << 48;
    }
    clear_tail(bits, n);
}

TARGET512 static void range_u64_512(const uint64_t *v, size_t n, uint64_t lo, uint64_t span,
                                    uint64_t *bits)
{
    __m512i low = _mm512_set1_epi64((long long)lo), width = _mm512_set1_epi64((long long)span);

    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = 0;

        for (size_t k = 0; k < 64; k += 8)
            word |= (uint64_t)_mm512_cmple_epu64_mask(
                        _mm512_sub_epi64(_mm512_loadu_si512(v + i + k), low), width)
                    << k;
        bits[i / 64] = word;
    }
    clear_tail(bits, n);
}

TARGET512 static int64_t sum_i64_512(const int64_t *v, size_t n, const uint64_t *mask)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    uint64_t lanes[8], sum = 0;
    size_t i = 0;

    if (mask == NULL) {
        for (; i + 32 <= n; i += 32) {
            a = _mm512_add_epi64(a, _mm512_loadu_si512(v + i));
            b = _mm512_add_epi64(b, _mm512_loadu_si512(v + i + 8));
            c = _mm512_add_epi64(c, _mm512_loadu_si512(v + i + 16));
            d = _mm512_add_epi64(d, _mm512_loadu_si512(v + i + 24));
        }
    } else {
        for (; i + 32 <= n; i += 32) {
            uint32_t m = (uint32_t)(mask[i / 64] >> (i & 32));

            a = _mm512_mask_add_epi64(a, (__mmask8)m, a, _mm512_loadu_si512(v + i));
            b = _mm512_mask_add_epi64(b, (__mmask8)(m >> 8), b, _mm512_loadu_si512(v + i + 8));
            c = _mm512_mask_add_epi64(c, (__mmask8)(m >> 16), c, _mm512_loadu_si512(v + i + 16));
            d = _mm512_mask_add_epi64(d, (__mmask8)(m >> 24), d, _mm512_loadu_si512(v + i + 24));
        }
    }
    _mm512_storeu_si512(lanes, _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d)));
    for (int k = 0; k < 8; k++) sum += lanes[k];
    for (; i < n; i++)
        if (mask == NULL || seam_bitset_get(mask, i)) sum += (uint64_t)v[i];
    return (int64_t)sum;
}

__attribute__((target("avx2"))) static void range_u32_256(const uint32_t *v, size_t n, uint32_t lo,
                                                          uint32_t span, uint64_t *bits)
{
    __m256i low = _mm256_set1_epi32((int)lo), width = _mm256_set1_epi32((int)span);

    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = 0;

        for (size_t k = 0; k < 64; k += 8) {
            __m256i x = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(v + i + k)), low);
            __m256i le = _mm256_cmpeq_epi32(_mm256_min_epu32(x, width), x);

            word |= (uint64_t)(uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(le)) << k;
        }
        bits[i / 64] = word;
    }
    clear_tail(bits, n);
}

#define TARGET256 __attribute__((target("avx2")))
#define VARIANTS(name, params, args)                                                               \
    TARGET512 static void name##_512 params                                                        \
    {                                                                                              \
        name##_body args;                                                                          \
    }                                                                                              \
    TARGET256 static void name##_256 params                                                        \
    {                                                                                              \
        name##_body args;                                                                          \
    }                                                                                              \
    static void name##_any params                                                                  \
    {                                                                                              \
        name##_body args;                                                                          \
    }                                                                                              \
    static void name params                                                                        \
    {                                                                                              \
        if (seam_cpu()->avx512)                                                                    \
            name##_512 args;                                                                       \
        else if (seam_cpu()->avx2)                                                                 \
            name##_256 args;                                                                       \
        else                                                                                       \
            name##_any args;                                                                       \
    }
#else
#define VARIANTS(name, params, args)                                                               \
    static void name params                                                                        \
    {                                                                                              \
        name##_body args;                                                                          \
    }
#endif

VARIANTS(widen, (const uint32_t *v, size_t n, uint64_t base, uint64_t factor, uint64_t *out),
         (v, n, base, factor, out))
VARIANTS(arith,
         (char op, size_t n, const uint64_t *a, bool one_a, const uint64_t *b, bool one_b,
          uint64_t *r),
         (op, n, a, one_a, b, one_b, r))
VARIANTS(arith_double,
         (char op, size_t n, const double *a, bool one_a, const double *b, bool one_b, double *r),
         (op, n, a, one_a, b, one_b, r))
VARIANTS(lookup, (const int64_t *values, const uint32_t *code, size_t n, int64_t *out),
         (values, code, n, out))
VARIANTS(add_codes, (uint32_t * acc, const uint32_t *code, size_t n, uint32_t stride),
         (acc, code, n, stride))

void columnar_kernel_widen(const uint32_t *v, size_t n, uint64_t base, uint64_t factor,
                           int64_t *out)
{
    widen(v, n, base, factor, (uint64_t *)out);
}

void columnar_kernel_arith(char op, size_t n, const int64_t *a, bool one_a, const int64_t *b,
                           bool one_b, int64_t *r)
{
    arith(op, n, (const uint64_t *)a, one_a, (const uint64_t *)b, one_b, (uint64_t *)r);
}

void columnar_kernel_arith_double(char op, size_t n, const double *a, bool one_a, const double *b,
                                  bool one_b, double *r)
{
    arith_double(op, n, a, one_a, b, one_b, r);
}

void columnar_kernel_lookup(const int64_t *values, const uint32_t *code, size_t n, int64_t *out)
{
    lookup(values, code, n, out);
}

void columnar_kernel_add_codes(uint32_t *acc, const uint32_t *code, size_t n, uint32_t stride)
{
    add_codes(acc, code, n, stride);
}

void columnar_kernel_range_u32(const uint32_t *v, size_t n, uint32_t lo, uint32_t span,
                               uint64_t *bits)
{
#if defined(__x86_64__)
    if (seam_cpu()->avx512) {
        range_u32_512(v, n, lo, span, bits);
        return;
    }
    if (seam_cpu()->avx2) {
        range_u32_256(v, n, lo, span, bits);
        return;
    }
#endif
    columnar_kernel_range_u32_scalar(v, n, lo, span, bits);
}

void columnar_kernel_range_u64(const uint64_t *v, size_t n, uint64_t lo, uint64_t span,
                               uint64_t *bits)
{
#if defined(__x86_64__)
    if (seam_cpu()->avx512) {
        range_u64_512(v, n, lo, span, bits);
        return;
    }
#endif
    columnar_kernel_range_u64_scalar(v, n, lo, span, bits);
}

void columnar_kernel_equal_u32(const uint32_t *v, size_t n, uint32_t x, uint64_t *bits)
{
    columnar_kernel_range_u32(v, n, x, 0, bits);
}

int64_t columnar_kernel_sum_i64(const int64_t *v, size_t n, const uint64_t *mask)
{
#if defined(__x86_64__)
    if (seam_cpu()->avx512) return sum_i64_512(v, n, mask);
#endif
    return columnar_kernel_sum_i64_scalar(v, n, mask);
}

void columnar_kernel_minmax_i64(const int64_t *v, size_t n, const uint64_t *mask, int64_t *min,
                                int64_t *max)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        if (mask != NULL && !seam_bitset_get(mask, i)) continue;
        if (v[i] < lo) lo = v[i];
        if (v[i] > hi) hi = v[i];
    }
    *min = lo;
    *max = hi;
}
