#include "engine/bitpack_x86.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "engine/bitpack.h"

/* Rows by width: the byte at which value i's window begins, relative to where its register was loaded,
 * and its bit within that byte. Groups of 16; an 8-value group uses the first half.               */
#define BYTE(w, i) ((w) * (i) / 8)
#define BIT(w, i) ((w) * (i) % 8)
#define ROW(f, w)                                                                                 \
    {f(w, 0), f(w, 1), f(w, 2), f(w, 3), f(w, 4), f(w, 5), f(w, 6), f(w, 7), f(w, 8), f(w, 9),    \
     f(w, 10), f(w, 11), f(w, 12), f(w, 13), f(w, 14), f(w, 15)}
#define ROWS8(f, w)                                                                               \
    ROW(f, w), ROW(f, w + 1), ROW(f, w + 2), ROW(f, w + 3), ROW(f, w + 4), ROW(f, w + 5),         \
        ROW(f, w + 6), ROW(f, w + 7)
#define ROWS(f)                                                                                   \
    {ROWS8(f, 0), ROWS8(f, 8), ROWS8(f, 16), ROWS8(f, 24), ROWS8(f, 32), ROWS8(f, 40),            \
     ROWS8(f, 48), ROWS8(f, 56)}
static const uint8_t first_byte[64][16] = ROWS(BYTE);
static const uint8_t first_bit[64][16] = ROWS(BIT);

static uint32_t mask32(unsigned width) { return width >= 32 ? ~0u : (1u << width) - 1; }
static uint64_t mask64(unsigned width) { return width >= 64 ? ~0ull : (1ull << width) - 1; }

/* ---- AVX-512 VBMI: 16 (or 8) values an iteration; vpermb reaches any of 64 loaded bytes ---- */

#define VBMI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")))

struct plan512 { __m512i window, shift, mask; };

VBMI static inline struct plan512 plan_u32(unsigned width)
{
    __m128i byte = _mm_loadu_si128((const __m128i *)(const void *)first_byte[width]);
    __m128i bit = _mm_loadu_si128((const __m128i *)(const void *)first_bit[width]);
    __m512i each = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(byte), _mm512_set1_epi32(0x01010101));

    return (struct plan512){_mm512_add_epi8(each, _mm512_set1_epi32(0x03020100)),
                            _mm512_cvtepu8_epi32(bit), _mm512_set1_epi32((int)mask32(width))};
}

/* Widths to 25: value and bit offset fit a 4-byte window.                                         */
VBMI static inline __m512i narrow32(const uint8_t *in, struct plan512 p)
{
    __m512i w = _mm512_permutexvar_epi8(p.window, _mm512_loadu_si512(in));

    return _mm512_and_si512(_mm512_srlv_epi32(w, p.shift), p.mask);
}

/* Wider: a second window holds the bits that follow, and both are shifted as one.                 */
VBMI static inline __m512i broad32(const uint8_t *in, struct plan512 p)
{
    __m512i bytes = _mm512_loadu_si512(in);
    __m512i low = _mm512_permutexvar_epi8(p.window, bytes);
    __m512i next = _mm512_permutexvar_epi8(_mm512_add_epi8(p.window, _mm512_set1_epi8(4)), bytes);

    return _mm512_and_si512(_mm512_shrdv_epi32(low, next, p.shift), p.mask);
}

VBMI static void run_narrow32(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    struct plan512 p = plan_u32(width);
    size_t step = 2 * (size_t)width;

    for (; n >= 64; n -= 64, out += 64, in += 4 * step) {
        __m512i a = narrow32(in, p), b = narrow32(in + step, p), c = narrow32(in + 2 * step, p),
                d = narrow32(in + 3 * step, p);

        _mm512_storeu_si512(out, a);
        _mm512_storeu_si512(out + 16, b);
        _mm512_storeu_si512(out + 32, c);
        _mm512_storeu_si512(out + 48, d);
    }
    for (; n >= 16; n -= 16, out += 16, in += step) _mm512_storeu_si512(out, narrow32(in, p));
    if (n > 0) _mm512_mask_storeu_epi32(out, (__mmask16)((1u << n) - 1), narrow32(in, p));
}

VBMI static void run_broad32(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    struct plan512 p = plan_u32(width);
    size_t step = 2 * (size_t)width;

    for (; n >= 16; n -= 16, out += 16, in += step) _mm512_storeu_si512(out, broad32(in, p));
    if (n > 0) _mm512_mask_storeu_epi32(out, (__mmask16)((1u << n) - 1), broad32(in, p));
}

void bitunpack_u32_vbmi(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    if (width == 0) memset(out, 0, n * sizeof *out);
    else if (width <= 25) run_narrow32(in, n, width, out);
    else if (width < 32) run_broad32(in, n, width, out);
    else memcpy(out, in, n * sizeof *out);
}

VBMI static inline struct plan512 plan_u64(unsigned width)
{
    __m128i byte = _mm_loadl_epi64((const __m128i *)(const void *)first_byte[width]);
    __m128i bit = _mm_loadl_epi64((const __m128i *)(const void *)first_bit[width]);
    __m512i each = _mm512_cvtepu8_epi64(byte);

    each = _mm512_shuffle_epi8(each, _mm512_set4_epi32(0x08080808, 0x08080808, 0, 0));
    return (struct plan512){
        _mm512_add_epi8(each, _mm512_set1_epi64(0x0706050403020100)), _mm512_cvtepu8_epi64(bit),
        _mm512_set1_epi64((long long)mask64(width))};
}

/* Widths to 57: value and bit offset fit an 8-byte window.                                        */
VBMI static inline __m512i narrow64(const uint8_t *in, struct plan512 p)
{
    __m512i w = _mm512_permutexvar_epi8(p.window, _mm512_loadu_si512(in));

    return _mm512_and_si512(_mm512_srlv_epi64(w, p.shift), p.mask);
}

VBMI static inline __m512i broad64(const uint8_t *in, struct plan512 p)
{
    __m512i bytes = _mm512_loadu_si512(in);
    __m512i low = _mm512_permutexvar_epi8(p.window, bytes);
    __m512i next = _mm512_permutexvar_epi8(_mm512_add_epi8(p.window, _mm512_set1_epi8(8)), bytes);

    return _mm512_and_si512(_mm512_shrdv_epi64(low, next, p.shift), p.mask);
}

VBMI static void run_narrow64(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    struct plan512 p = plan_u64(width);
    size_t step = width;

    for (; n >= 32; n -= 32, out += 32, in += 4 * step) {
        __m512i a = narrow64(in, p), b = narrow64(in + step, p), c = narrow64(in + 2 * step, p),
                d = narrow64(in + 3 * step, p);

        _mm512_storeu_si512(out, a);
        _mm512_storeu_si512(out + 8, b);
        _mm512_storeu_si512(out + 16, c);
        _mm512_storeu_si512(out + 24, d);
    }
    for (; n >= 8; n -= 8, out += 8, in += step) _mm512_storeu_si512(out, narrow64(in, p));
    if (n > 0) _mm512_mask_storeu_epi64(out, (__mmask8)((1u << n) - 1), narrow64(in, p));
}

VBMI static void run_broad64(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    struct plan512 p = plan_u64(width);

    for (; n >= 8; n -= 8, out += 8, in += width) _mm512_storeu_si512(out, broad64(in, p));
    if (n > 0) _mm512_mask_storeu_epi64(out, (__mmask8)((1u << n) - 1), broad64(in, p));
}

void bitunpack_u64_vbmi(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    if (width == 0) memset(out, 0, n * sizeof *out);
    else if (width <= 57) run_narrow64(in, n, width, out);
    else if (width < 64) run_broad64(in, n, width, out);
    else memcpy(out, in, n * sizeof *out);
}

/* ---- AVX2: 8 values an iteration. vpshufb stays within 16 bytes, so each half is loaded where its
 *      own values begin, and the table's bytes are taken relative to that ---- */

#define AVX2 __attribute__((target("avx2")))

struct plan256 { __m256i window, shift, mask; };

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
    bitunpack_u32_scalar(in, n, width, out);
}

/* Four values from `first`, two in each half, 8-byte windows: widths to 57.                       */
AVX2 static inline struct plan256 plan_four(unsigned width, unsigned first)
{
    const uint8_t *byte = first_byte[width] + first, *bit = first_bit[width] + first;
    char b1 = (char)(byte[1] - byte[0]), b3 = (char)(byte[3] - byte[2]);
    __m256i each = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, b1, b1, b1, b1, b1, b1, b1, b1,
                                    0, 0, 0, 0, 0, 0, 0, 0, b3, b3, b3, b3, b3, b3, b3, b3);

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
    bitunpack_u64_scalar(in, n, width, out);
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
    bitunpack_u32_scalar(in, n, width, out);
}

void bitunpack_u32_avx2(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    if (width == 0) memset(out, 0, n * sizeof *out);
    else if (width <= 25) run_eight(in, n, width, out);
    else if (width < 32) run_four_u32(in, n, width, out);
    else memcpy(out, in, n * sizeof *out);
}

void bitunpack_u64_avx2(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    if (width == 0) memset(out, 0, n * sizeof *out);
    else if (width <= 57) run_four_u64(in, n, width, out);
    else if (width < 64) bitunpack_u64_scalar(in, n, width, out);
    else memcpy(out, in, n * sizeof *out);
}
#endif
