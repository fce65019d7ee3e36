/* crc32c - eight bytes a step by table, by the CPU's instruction, or by carry-less multiplication. */
#include "engine/base/crc32c.h"

#include <pthread.h>

#include "engine/base/bytes.h"
#include "engine/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

/* Nibble table of the reflected polynomial 0x82f63b78: small enough to check by eye.              */
static const uint32_t nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t seam_crc32c_table(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* Eight bytes a step by eight tables (Kounavis & Berry, ISCC 2005), made from the nibble table at the first
 * use: for machines without an instruction. slices[k][b] is what byte b does k bytes before the end. */
static uint32_t slices[8][256];
static pthread_once_t slices_made = PTHREAD_ONCE_INIT;

static void make_slices(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        crc = crc >> 4 ^ nibble[crc & 15];
        slices[0][b] = crc >> 4 ^ nibble[crc & 15];
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            slices[k][b] = slices[k - 1][b] >> 8 ^ slices[0][slices[k - 1][b] & 255];
}

static uint32_t crc32c_sliced(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;

    pthread_once(&slices_made, make_slices);
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = seam_get_u64(p) ^ crc;

        crc = slices[7][v & 255] ^ slices[6][v >> 8 & 255] ^ slices[5][v >> 16 & 255] ^
              slices[4][v >> 24 & 255] ^ slices[3][v >> 32 & 255] ^ slices[2][v >> 40 & 255] ^
              slices[1][v >> 48 & 255] ^ slices[0][v >> 56];
    }
    for (; n > 0; n--, p++) crc = crc >> 8 ^ slices[0][(crc ^ *p) & 255];
    return ~crc;
}

#if defined(__x86_64__)
/* In what follows a crc is not inverted: crc32c() inverts on the way in and out.                  */

__attribute__((target("sse4.2"))) static inline uint64_t serial(uint64_t c, const uint8_t *p,
                                                                size_t n)
{
    for (; n >= 8; n -= 8, p += 8) c = _mm_crc32_u64(c, seam_get_u64(p));
    for (; n > 0; n--, p++) c = _mm_crc32_u8((uint32_t)c, *p);
    return c;
}

/* The instruction takes three cycles and one can start each cycle, so three streams run at once over
 * neighbouring thirds of 3*k bytes. Joining them moves the first two past what follows, that is
 * multiplies by x^(8*2k) and x^(8k) mod P: a carry-less product with x^(8m - 33), whose reduction the
 * crc instruction itself does (it multiplies by x^32, and reflection by x).                        */
struct third {
    size_t k;
    uint32_t past_two, past_one;
};
static const struct third thirds[] = {
    {1360, 0x5aa1f3cf, 0x3f70cc6f}, /* 4,080 bytes: a page */
    {168, 0xa60ce07b, 0x1b3d8f29},  /* 504                 */
    {40, 0x39d3b296, 0x3da6d0cb},   /* 120                 */
};

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
three_streams(uint64_t a, const uint8_t *p, const struct third *t)
{
    const uint8_t *q = p + t->k, *r = q + t->k, *stop = q - 8;
    uint64_t b = 0, c = 0;
    __m128i x, y;

    for (; p < stop; p += 8, q += 8, r += 8) {
        a = _mm_crc32_u64(a, seam_get_u64(p));
        b = _mm_crc32_u64(b, seam_get_u64(q));
        c = _mm_crc32_u64(c, seam_get_u64(r));
    }
    a = _mm_crc32_u64(a, seam_get_u64(p));
    b = _mm_crc32_u64(b, seam_get_u64(q));
    x = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), _mm_cvtsi32_si128((int)t->past_two), 0);
    y = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)b), _mm_cvtsi32_si128((int)t->past_one), 0);
    x = _mm_xor_si128(x, y);
    return _mm_crc32_u64(c, seam_get_u64(r) ^ (uint64_t)_mm_cvtsi128_si64(x));
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t interleaved(uint64_t c, const uint8_t *p,
                                                                     size_t n)
{
    for (size_t i = 0; i < sizeof thirds / sizeof thirds[0]; i++) {
        const struct third *t = &thirds[i];

        for (; n >= 3 * t->k; n -= 3 * t->k, p += 3 * t->k) c = three_streams(c, p, t);
    }
    return serial(c, p, n);
}

static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t n)
{
    return ~(uint32_t)interleaved((uint32_t)~crc, data, n);
}

/* Folding: 128 bits of message at distance D from where they count are L.lo*x^(D+64) + L.hi*x^D, each a
 * carry-less product with x^(D+63) or x^(D-1) mod P (reflection again gives the missing x). Four registers
 * of four lanes move forward 256 bytes at a step; at the end all meet in one lane, which two crc
 * instructions reduce.                                                                            */
#define FOLD(to_lo, to_hi) (int64_t)((uint64_t)(to_hi) << 32), (int64_t)((uint64_t)(to_lo) << 32)
#define FOLD512(lo, hi)    _mm512_set_epi64(FOLD(lo, hi), FOLD(lo, hi), FOLD(lo, hi), FOLD(lo, hi))

__attribute__((target("avx512f,avx512vl,avx512dq,vpclmulqdq"))) static inline __m512i
fold(__m512i lanes, __m512i k, __m512i onto)
{
    /* 0x96: exclusive or of three */
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, k, 0x00),
                                     _mm512_clmulepi64_epi128(lanes, k, 0x11), onto, 0x96);
}

enum { FOLD_STEP = 256 };

__attribute__((target("avx512f,avx512vl,avx512dq,vpclmulqdq,pclmul,sse4.2"))) static uint64_t
folded(uint64_t c, const uint8_t *p, size_t n)
{
    const __m512i by_256 = FOLD512(0xe9a5d8be, 0x1426a815), by_64 = FOLD512(0x1c19243b, 0x75bba45b);
    /* the last register's lanes lie 48, 32 and 16 bytes before its end; the fourth stays            */
    const __m512i to_end =
        _mm512_set_epi64(0, 0, FOLD(0x3743f7bd, 0x3171d430), FOLD(0x33ccbbbc, 0xa2158b34),
                         FOLD(0xa46ef4aa, 0x6051243f));
    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64),
            d = _mm512_loadu_si512(p + 128), e = _mm512_loadu_si512(p + 192);
    __m128i lane;

    a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi64_si128((int64_t)c)));
    for (p += FOLD_STEP, n -= FOLD_STEP; n >= FOLD_STEP; p += FOLD_STEP, n -= FOLD_STEP) {
        a = fold(a, by_256, _mm512_loadu_si512(p));
        b = fold(b, by_256, _mm512_loadu_si512(p + 64));
        d = fold(d, by_256, _mm512_loadu_si512(p + 128));
        e = fold(e, by_256, _mm512_loadu_si512(p + 192));
    }
    b = fold(a, by_64, b);
    d = fold(b, by_64, d);
    e = fold(d, by_64, e);
    for (; n >= 64; p += 64, n -= 64) e = fold(e, by_64, _mm512_loadu_si512(p));
    a = fold(e, to_end, _mm512_maskz_mov_epi64(0xc0, e));
    lane = _mm_xor_si128(
        _mm_xor_si128(_mm512_castsi512_si128(a), _mm512_extracti64x2_epi64(a, 1)),
        _mm_xor_si128(_mm512_extracti64x2_epi64(a, 2), _mm512_extracti64x2_epi64(a, 3)));
    c = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(lane));
    c = _mm_crc32_u64(c, (uint64_t)_mm_extract_epi64(lane, 1));
    return serial(c, p, n);
}

static uint32_t crc32c_vpclmul(uint32_t crc, const void *data, size_t n)
{
    if (n < FOLD_STEP) return ~(uint32_t)interleaved((uint32_t)~crc, data, n);
    return ~(uint32_t)folded((uint32_t)~crc, data, n);
}
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
static uint32_t crc32c_arm(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;

    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) crc = __crc32cd(crc, seam_get_u64(p));
    for (; n > 0; n--, p++) crc = __crc32cb(crc, *p);
    return ~crc;
}
#endif

size_t seam_crc32c_variants(struct seam_crc32c_variant out[SEAM_CRC32C_VARIANTS_MAX])
{
    size_t n = 0;

    out[n++] = (struct seam_crc32c_variant){"table", seam_crc32c_table};
    out[n++] = (struct seam_crc32c_variant){"sliced", crc32c_sliced};
#if defined(__x86_64__)
    if (seam_cpu()->sse42 && seam_cpu()->pclmul)
        out[n++] = (struct seam_crc32c_variant){"sse4.2", crc32c_sse42};
    if (seam_cpu()->sse42 && seam_cpu()->vpclmul)
        out[n++] = (struct seam_crc32c_variant){"vpclmulqdq", crc32c_vpclmul};
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
    if (seam_cpu()->neon) out[n++] = (struct seam_crc32c_variant){"armv8", crc32c_arm};
#endif
    return n;
}

/* ---- the choice, made at the first call and then one load ---- */

typedef uint32_t crc32c_function(uint32_t, const void *, size_t);

static uint32_t choose(uint32_t crc, const void *data, size_t n);
static crc32c_function *chosen = choose;

static uint32_t choose(uint32_t crc, const void *data, size_t n)
{
    struct seam_crc32c_variant v[SEAM_CRC32C_VARIANTS_MAX];
    size_t count = seam_crc32c_variants(v);

    __atomic_store_n(&chosen, v[count - 1].run, __ATOMIC_RELAXED);
    return v[count - 1].run(crc, data, n);
}

uint32_t seam_crc32c(uint32_t crc, const void *data, size_t n)
{
    return __atomic_load_n(&chosen, __ATOMIC_RELAXED)(crc, data, n);
}
