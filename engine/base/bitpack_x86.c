/* bitpack_x86 - unpacking eight and sixteen numbers at a time by shuffles and shifts. */
#include "engine/base/bitpack_x86.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

/* Rows by width: the byte at which value i's window begins, relative to where its register was loaded,
 * and its bit within that byte. Groups of 16; an 8-value group uses the first half.               */
#define BYTE(w, i) ((w) * (i) / 8)
#define BIT(w, i)  ((w) * (i) % 8)
#define ROW(f, w)                                                                                  \
    {                                                                                              \
        f(w, 0), f(w, 1), f(w, 2), f(w, 3), f(w, 4), f(w, 5), f(w, 6), f(w, 7), f(w, 8), f(w, 9),  \
            f(w, 10), f(w, 11), f(w, 12), f(w, 13), f(w, 14), f(w, 15)                             \
    }
#define ROWS8(f, w)                                                                                \
    ROW(f, w), ROW(f, w + 1), ROW(f, w + 2), ROW(f, w + 3), ROW(f, w + 4), ROW(f, w + 5),          \
        ROW(f, w + 6), ROW(f, w + 7)
#define ROWS(f)                                                                                    \
    {                                                                                              \
        ROWS8(f, 0), ROWS8(f, 8), ROWS8(f, 16), ROWS8(f, 24), ROWS8(f, 32), ROWS8(f, 40),          \
            ROWS8(f, 48), ROWS8(f, 56), ROW(f, 64)                                                 \
    }
static const uint8_t first_byte[65][16] = ROWS(BYTE);
static const uint8_t first_bit[65][16] = ROWS(BIT);

static uint32_t mask32(unsigned width)
{
    return width >= 32 ? ~0u : (1u << width) - 1;
}
static uint64_t mask64(unsigned width)
{
    return width >= 64 ? ~0ull : (1ull << width) - 1;
}

/* What is made of the values on their way out; a constant wherever it is used.                    */
enum make { PLAIN, FOR, DELTA };

/* ---- AVX-512 VBMI: 16 (or 8) values an iteration; vpermb reaches any of 64 loaded bytes ---- */

#define VBMI        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")))
#define VBMI_INLINE VBMI __attribute__((always_inline)) static inline

struct plan512 {
    __m512i window, shift, mask; /* of this width                                        */
    __m512i base, step;          /* FOR, DELTA; base is the running sum, in all lanes    */
    bool broad;                  /* value and bit offset may pass the window: take two   */
};

VBMI_INLINE struct plan512 plan_u32(unsigned width, uint32_t base, uint32_t step)
{
    __m128i byte = _mm_loadu_si128((const __m128i *)(const void *)first_byte[width]);
    __m128i bit = _mm_loadu_si128((const __m128i *)(const void *)first_bit[width]);
    __m512i each = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(byte), _mm512_set1_epi32(0x01010101));

    return (struct plan512){_mm512_add_epi8(each, _mm512_set1_epi32(0x03020100)),
                            _mm512_cvtepu8_epi32(bit),
                            _mm512_set1_epi32((int)mask32(width)),
                            _mm512_set1_epi32((int)base),
                            _mm512_set1_epi32((int)step),
                            width > 25 && width < 32};
}

/* 16 values. A second window holds the bits that follow, and both are shifted as one.              */
VBMI_INLINE __m512i values32(const uint8_t *in, const struct plan512 *p, bool broad)
{
    __m512i bytes = _mm512_loadu_si512(in), low = _mm512_permutexvar_epi8(p->window, bytes), next;

    if (!broad) return _mm512_and_si512(_mm512_srlv_epi32(low, p->shift), p->mask);
    next = _mm512_permutexvar_epi8(_mm512_add_epi8(p->window, _mm512_set1_epi8(4)), bytes);
    return _mm512_and_si512(_mm512_shrdv_epi32(low, next, p->shift), p->mask);
}

/* A running sum over the lanes in four steps; what is carried to the next 16 waits for one addition. */
VBMI_INLINE __m512i made32(__m512i v, struct plan512 *p, enum make make)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i total;

    if (make == PLAIN) return v;
    if (make == FOR) return _mm512_add_epi32(v, p->base);
    v = _mm512_add_epi32(v, p->step);
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
    total = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), v);
    v = _mm512_add_epi32(v, p->base);
    p->base = _mm512_add_epi32(p->base, total);
    return v;
}

VBMI_INLINE void run32(const uint8_t *in, size_t n, size_t step, struct plan512 p, bool broad,
                       enum make make, uint32_t *out)
{
    for (; n >= 64; n -= 64, out += 64, in += 4 * step) {
        __m512i a = made32(values32(in, &p, broad), &p, make);
        __m512i b = made32(values32(in + step, &p, broad), &p, make);
        __m512i c = made32(values32(in + 2 * step, &p, broad), &p, make);
        __m512i d = made32(values32(in + 3 * step, &p, broad), &p, make);

        _mm512_storeu_si512(out, a);
        _mm512_storeu_si512(out + 16, b);
        _mm512_storeu_si512(out + 32, c);
        _mm512_storeu_si512(out + 48, d);
    }
    for (; n >= 16; n -= 16, out += 16, in += step)
        _mm512_storeu_si512(out, made32(values32(in, &p, broad), &p, make));
    if (n > 0)
        _mm512_mask_storeu_epi32(out, (__mmask16)((1u << n) - 1),
                                 made32(values32(in, &p, broad), &p, make));
}

VBMI_INLINE void unpack32(const uint8_t *in, size_t n, unsigned width, uint32_t base, uint32_t step,
                          enum make make, uint32_t *out)
{
    struct plan512 p = plan_u32(width, base, step);

    if (p.broad)
        run32(in, n, 2 * (size_t)width, p, true, make, out);
    else
        run32(in, n, 2 * (size_t)width, p, false, make, out);
}

VBMI_INLINE struct plan512 plan_u64(unsigned width, uint64_t base, uint64_t step)
{
    __m128i byte = _mm_loadl_epi64((const __m128i *)(const void *)first_byte[width]);
    __m128i bit = _mm_loadl_epi64((const __m128i *)(const void *)first_bit[width]);
    __m512i each = _mm512_shuffle_epi8(_mm512_cvtepu8_epi64(byte),
                                       _mm512_set4_epi32(0x08080808, 0x08080808, 0, 0));

    return (struct plan512){_mm512_add_epi8(each, _mm512_set1_epi64(0x0706050403020100)),
                            _mm512_cvtepu8_epi64(bit),
                            _mm512_set1_epi64((long long)mask64(width)),
                            _mm512_set1_epi64((long long)base),
                            _mm512_set1_epi64((long long)step),
                            width > 57 && width < 64};
}

VBMI_INLINE __m512i values64(const uint8_t *in, const struct plan512 *p, bool broad)
{
    __m512i bytes = _mm512_loadu_si512(in), low = _mm512_permutexvar_epi8(p->window, bytes), next;

    if (!broad) return _mm512_and_si512(_mm512_srlv_epi64(low, p->shift), p->mask);
    next = _mm512_permutexvar_epi8(_mm512_add_epi8(p->window, _mm512_set1_epi8(8)), bytes);
    return _mm512_and_si512(_mm512_shrdv_epi64(low, next, p->shift), p->mask);
}

VBMI_INLINE __m512i made64(__m512i v, struct plan512 *p, enum make make)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i total;

    if (make == PLAIN) return v;
    if (make == FOR) return _mm512_add_epi64(v, p->base);
    v = _mm512_add_epi64(v, p->step);
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 7));
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 6));
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 4));
    total = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), v);
    v = _mm512_add_epi64(v, p->base);
    p->base = _mm512_add_epi64(p->base, total);
    return v;
}

VBMI_INLINE void run64(const uint8_t *in, size_t n, size_t step, struct plan512 p, bool broad,
                       enum make make, uint64_t *out)
{
    for (; n >= 32; n -= 32, out += 32, in += 4 * step) {
        __m512i a = made64(values64(in, &p, broad), &p, make);
        __m512i b = made64(values64(in + step, &p, broad), &p, make);
        __m512i c = made64(values64(in + 2 * step, &p, broad), &p, make);
        __m512i d = made64(values64(in + 3 * step, &p, broad), &p, make);

        _mm512_storeu_si512(out, a);
        _mm512_storeu_si512(out + 8, b);
        _mm512_storeu_si512(out + 16, c);
        _mm512_storeu_si512(out + 24, d);
    }
    for (; n >= 8; n -= 8, out += 8, in += step)
        _mm512_storeu_si512(out, made64(values64(in, &p, broad), &p, make));
    if (n > 0)
        _mm512_mask_storeu_epi64(out, (__mmask8)((1u << n) - 1),
                                 made64(values64(in, &p, broad), &p, make));
}

VBMI_INLINE void unpack64(const uint8_t *in, size_t n, unsigned width, uint64_t base, uint64_t step,
                          enum make make, uint64_t *out)
{
    struct plan512 p = plan_u64(width, base, step);

    if (p.broad)
        run64(in, n, width, p, true, make, out);
    else
        run64(in, n, width, p, false, make, out);
}

/* Width 0 reads nothing, so its values are made of no bytes at all.                               */
static const uint8_t nothing[64];

VBMI static void u32_vbmi(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    if (width == 0)
        memset(out, 0, n * sizeof *out);
    else if (width == 32)
        memcpy(out, in, n * sizeof *out);
    else
        unpack32(in, n, width, 0, 0, PLAIN, out);
}

VBMI static void u64_vbmi(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    if (width == 0)
        memset(out, 0, n * sizeof *out);
    else if (width == 64)
        memcpy(out, in, n * sizeof *out);
    else
        unpack64(in, n, width, 0, 0, PLAIN, out);
}

VBMI static void for_u32_vbmi(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                              uint32_t *out)
{
    unpack32(width == 0 ? nothing : in, n, width, base, 0, FOR, out);
}

VBMI static void for_u64_vbmi(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                              uint64_t *out)
{
    unpack64(width == 0 ? nothing : in, n, width, base, 0, FOR, out);
}

VBMI static void delta_u32_vbmi(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                                uint32_t step, uint32_t *out)
{
    unpack32(width == 0 ? nothing : in, n, width, base, step, DELTA, out);
}

VBMI static void delta_u64_vbmi(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                                uint64_t step, uint64_t *out)
{
    unpack64(width == 0 ? nothing : in, n, width, base, step, DELTA, out);
}

const struct seam_bitunpack_variant seam_bitunpack_vbmi = {
    "avx512", u32_vbmi, u64_vbmi, for_u32_vbmi, for_u64_vbmi, delta_u32_vbmi, delta_u64_vbmi};

/* ---- AVX2: 8 values an iteration. vpshufb stays within 16 bytes, so each half is loaded where its
 *      own values begin, and the table's bytes are taken relative to that ---- */

#define AVX2 __attribute__((target("avx2")))

struct plan256 {
    __m256i window, shift, mask;
};

AVX2 static inline __m256i halves(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low)),
        _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}

/* Values 0..3 in the low half, 4..7 in the high one, 4-byte windows: widths to 25.                */
AVX2 static inline struct plan256 plan_eight(unsigned width)
{
    const uint8_t *byte = first_byte[width];
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)byte));
    __m256i base = _mm256_setr_epi32(0, 0, 0, 0, byte[4], byte[4], byte[4], byte[4]);
    __m256i each = _mm256_mullo_epi32(_mm256_sub_epi32(bytes, base), _mm256_set1_epi32(0x01010101));

    return (struct plan256){
        _mm256_add_epi8(each, _mm256_set1_epi32(0x03020100)),
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)first_bit[width])),
        _mm256_set1_epi32((int)mask32(width))};
}

AVX2 static inline __m256i eight(const uint8_t *in, size_t high, struct plan256 p)
{
    __m256i w = _mm256_shuffle_epi8(halves(in, in + high), p.window);

    return _mm256_and_si256(_mm256_srlv_epi32(w, p.shift), p.mask);
}

AVX2 static void run_eight(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    struct plan256 p = plan_eight(width);
    size_t high = first_byte[width][4];

    for (; n >= 16; n -= 16, out += 16, in += 2 * (size_t)width) {
        __m256i a = eight(in, high, p), b = eight(in + width, high, p);

        _mm256_storeu_si256((__m256i *)(void *)out, a);
        _mm256_storeu_si256((__m256i *)(void *)(out + 8), b);
    }
    for (; n >= 8; n -= 8, out += 8, in += width)
        _mm256_storeu_si256((__m256i *)(void *)out, eight(in, high, p));
    seam_bitunpack_u32_scalar(in, n, width, out);
}

/* Four values from `first`, two in each half, 8-byte windows: widths to 57.                       */
AVX2 static inline struct plan256 plan_four(unsigned width, unsigned first)
{
    const uint8_t *byte = first_byte[width] + first, *bit = first_bit[width] + first;
    char b1 = (char)(byte[1] - byte[0]), b3 = (char)(byte[3] - byte[2]);
    __m256i each = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, b1, b1, b1, b1, b1, b1, b1, b1, 0, 0, 0,
                                    0, 0, 0, 0, 0, b3, b3, b3, b3, b3, b3, b3, b3);

    return (struct plan256){_mm256_add_epi8(each, _mm256_set1_epi64x(0x0706050403020100)),
                            _mm256_setr_epi64x(bit[0], bit[1], bit[2], bit[3]),
                            _mm256_set1_epi64x((long long)mask64(width))};
}

AVX2 static inline __m256i four(const uint8_t *in, const uint8_t *byte, struct plan256 p)
{
    __m256i w = _mm256_shuffle_epi8(halves(in + byte[0], in + byte[2]), p.window);

    return _mm256_and_si256(_mm256_srlv_epi64(w, p.shift), p.mask);
}

AVX2 static void run_four_u64(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    struct plan256 p = plan_four(width, 0), q = plan_four(width, 4);
    const uint8_t *byte = first_byte[width];

    for (; n >= 8; n -= 8, out += 8, in += width) {
        __m256i a = four(in, byte, p), b = four(in, byte + 4, q);

        _mm256_storeu_si256((__m256i *)(void *)out, a);
        _mm256_storeu_si256((__m256i *)(void *)(out + 4), b);
    }
    seam_bitunpack_u64_scalar(in, n, width, out);
}

/* As above, and the low halves of eight 64-bit lanes become eight 32-bit ones.                    */
AVX2 static void run_four_u32(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    struct plan256 p = plan_four(width, 0), q = plan_four(width, 4);
    const uint8_t *byte = first_byte[width];

    for (; n >= 8; n -= 8, out += 8, in += width) {
        __m256i a = four(in, byte, p), b = four(in, byte + 4, q);
        __m256i both = _mm256_castps_si256(
            _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));

        _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute4x64_epi64(both, 0xd8));
    }
    seam_bitunpack_u32_scalar(in, n, width, out);
}

static void u32_avx2(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    if (width == 0)
        memset(out, 0, n * sizeof *out);
    else if (width <= 25)
        run_eight(in, n, width, out);
    else if (width < 32)
        run_four_u32(in, n, width, out);
    else
        memcpy(out, in, n * sizeof *out);
}

static void u64_avx2(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    if (width == 0)
        memset(out, 0, n * sizeof *out);
    else if (width <= 57)
        run_four_u64(in, n, width, out);
    else if (width < 64)
        seam_bitunpack_u64_scalar(in, n, width, out);
    else
        memcpy(out, in, n * sizeof *out);
}

/* A second pass over what is still in the first cache; the compiler vectorises the sums by a base. */
AVX2 static void for_u32_avx2(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                              uint32_t *out)
{
    u32_avx2(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] += base;
}

AVX2 static void for_u64_avx2(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                              uint64_t *out)
{
    u64_avx2(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] += base;
}

/* Running sums: within each half by byte shifts, then the low half's total onto the high one.       */
AVX2 static void delta_u32_avx2(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                                uint32_t step, uint32_t *out)
{
    const __m256i steps = _mm256_set1_epi32((int)step), last = _mm256_set1_epi32(7);
    __m256i sum = _mm256_set1_epi32((int)base);
    size_t i = 0;

    u32_avx2(in, n, width, out);
    for (; i + 8 <= n; i += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(out + i)), low;

        v = _mm256_add_epi32(v, steps);
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
        low = _mm256_permute2x128_si256(_mm256_shuffle_epi32(v, 0xff), v, 0x08); /* 0, low total */
        v = _mm256_add_epi32(v, low);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_add_epi32(v, sum));
        sum = _mm256_add_epi32(sum, _mm256_permutevar8x32_epi32(v, last));
    }
    for (base = i > 0 ? out[i - 1] : base; i < n; i++) out[i] = base += out[i] + step;
}

AVX2 static void delta_u64_avx2(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                                uint64_t step, uint64_t *out)
{
    const __m256i steps = _mm256_set1_epi64x((long long)step);
    __m256i sum = _mm256_set1_epi64x((long long)base);
    size_t i = 0;

    u64_avx2(in, n, width, out);
    for (; i + 4 <= n; i += 4) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(out + i)), low;

        v = _mm256_add_epi64(v, steps);
        v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
        low = _mm256_permute2x128_si256(_mm256_unpackhi_epi64(v, v), v, 0x08);
        v = _mm256_add_epi64(v, low);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_add_epi64(v, sum));
        sum = _mm256_add_epi64(sum, _mm256_permute4x64_epi64(v, 0xff));
    }
    for (base = i > 0 ? out[i - 1] : base; i < n; i++) out[i] = base += out[i] + step;
}

const struct seam_bitunpack_variant seam_bitunpack_avx2 = {
    "avx2", u32_avx2, u64_avx2, for_u32_avx2, for_u64_avx2, delta_u32_avx2, delta_u64_avx2};
#endif
