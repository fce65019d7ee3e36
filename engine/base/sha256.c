/* SHA-256 (FIPS 180-4); declared in engine/base/hash.h. */
#include "engine/base/bytes.h"
#include "engine/base/cpu.h"
#include "engine/base/hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int k)
{
    return x >> k | x << (32 - k);
}

/* One round with the eight words under these names. The next round calls it with the names moved by one,
 * so nothing is copied.                                                                            */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    do {                                                                                           \
        uint32_t t = (h) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +                              \
                     ((g) ^ ((e) & ((f) ^ (g)))) + K[i] + w[(i)&15];                               \
                                                                                                   \
        (d) += t;                                                                                  \
        (h) = t + (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + (((a) & (b)) | ((c) & ((a) | (b))));  \
    } while (0)

/* w[i & 15] holds the schedule's word i - 16 until this makes it word i.                           */
static void schedule(uint32_t w[16], int i)
{
    uint32_t a = w[(i + 1) & 15], b = w[(i + 14) & 15];

    w[i & 15] += w[(i + 9) & 15] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) +
                 (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
}

static void blocks_scalar(uint32_t state[8], const uint8_t *p, size_t count)
{
    for (; count > 0; count--, p += 64) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
                 g = state[6], h = state[7], w[16];

        for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(seam_get_u32(p + 4 * i));
        for (int i = 0; i < 64; i += 8) {
            if (i >= 16)
                for (int k = 0; k < 8; k++) schedule(w, i + k);
            ROUND(a, b, c, d, e, f, g, h, i);
            ROUND(h, a, b, c, d, e, f, g, i + 1);
            ROUND(g, h, a, b, c, d, e, f, i + 2);
            ROUND(f, g, h, a, b, c, d, e, i + 3);
            ROUND(e, f, g, h, a, b, c, d, i + 4);
            ROUND(d, e, f, g, h, a, b, c, i + 5);
            ROUND(c, d, e, f, g, h, a, b, i + 6);
            ROUND(b, c, d, e, f, g, h, a, i + 7);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

#if defined(__x86_64__)
/* The instructions keep the state as two registers, ABEF and CDGH, and do two rounds each.         */
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_sha_ni(uint32_t h[8], const uint8_t *p, size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)h);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(h + 4));
    __m128i badc = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(badc, efgh, 8), cdgh = _mm_blend_epi16(efgh, badc, 0xf0);

    for (; count > 0; count--, p += 64) {
        __m128i abef_in = abef, cdgh_in = cdgh, w[4];

        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)),
                                    swap);
        for (int i = 0; i < 16; i++) { /* four rounds, and the schedule four words ahead */
            __m128i now = w[i & 3], wk;

            wk = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(const void *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
            if (i < 12) {
                __m128i mid = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);

                now = _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) & 3]), mid);
                w[i & 3] = _mm_sha256msg2_epu32(now, w[(i + 3) & 3]);
            }
        }
        abef = _mm_add_epi32(abef, abef_in);
        cdgh = _mm_add_epi32(cdgh, cdgh_in);
    }
    badc = _mm_shuffle_epi32(abef, 0x1b); /* a b e f from the low end */
    efgh = _mm_shuffle_epi32(cdgh, 0xb1); /* g h c d: swapped pairs   */
    dcba = _mm_blend_epi16(badc, efgh, 0xf0);
    hgfe = _mm_alignr_epi8(efgh, badc, 8);
    _mm_storeu_si128((__m128i *)(void *)h, dcba);
    _mm_storeu_si128((__m128i *)(void *)(h + 4), hgfe);
}
#endif

size_t seam_sha256_variants(struct seam_sha256_variant out[SEAM_SHA256_VARIANTS_MAX])
{
    size_t n = 0;

    out[n++] = (struct seam_sha256_variant){"scalar", blocks_scalar};
#if defined(__x86_64__)
    if (seam_cpu()->sha) out[n++] = (struct seam_sha256_variant){"sha-ni", blocks_sha_ni};
#endif
    return n;
}

static void blocks(uint32_t h[8], const uint8_t *p, size_t count)
{
    struct seam_sha256_variant v[SEAM_SHA256_VARIANTS_MAX];

    if (count > 0) v[seam_sha256_variants(v) - 1].blocks(h, p, count);
}

void seam_sha256_init(struct seam_sha256 *s)
{
    *s = (struct seam_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                    0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void seam_sha256_update(struct seam_sha256 *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    size_t have = (size_t)(s->bytes & 63);

    s->bytes += n;
    if (have > 0) {
        size_t take = 64 - have < n ? 64 - have : n;

        if (take > 0) memcpy(s->block + have, p, take);
        p += take;
        n -= take;
        if (have + take < 64) return;
        blocks(s->h, s->block, 1);
    }
    blocks(s->h, p, n / 64);
    if ((n & 63) != 0) memcpy(s->block, p + (n & ~(size_t)63), n & 63);
}

void seam_sha256_final(struct seam_sha256 *s, uint8_t out[32])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = s->bytes * 8;
    size_t have = (size_t)(s->bytes & 63);
    uint8_t length[8];

    seam_put_u64(length, __builtin_bswap64(bits));
    seam_sha256_update(s, padding, have < 56 ? 56 - have : 120 - have);
    seam_sha256_update(s, length, 8);
    for (int i = 0; i < 8; i++) seam_put_u32(out + 4 * i, __builtin_bswap32(s->h[i]));
}
