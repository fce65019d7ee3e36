/* hash - the hash of tables, SipHash for digests, and sets of numbers. */
#include "engine/base/hash.h"

#include <stdlib.h>

#include "engine/base/bytes.h"

/* ---- hash64: multiply and fold, after wyhash (public domain, Wang Yi) ---- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static const uint64_t S0 = 0xa0761d6478bd642full, S1 = 0xe7037ed1a0b428dbull,
                      S2 = 0x8ebc6af09c88c6e3ull;

uint64_t seam_hash64(const void *data, size_t n, uint64_t seed)
{
    const uint8_t *p = data;
    uint64_t a = 0, b = 0, h = seed ^ fold(seed ^ S0, S1);
    size_t left = n;

    if (n <= 16) {
        if (n >= 8) {
            a = seam_get_u64(p);
            b = seam_get_u64(p + n - 8);
        } else if (n >= 4) {
            a = seam_get_u32(p);
            b = seam_get_u32(p + n - 4);
        } else if (n > 0) {
            a = (uint64_t)p[0] << 16 | (uint64_t)p[n >> 1] << 8 | p[n - 1];
        }
        return fold(S1 ^ n, fold(a ^ S1, b ^ h));
    }
    if (left > 32) {
        uint64_t g = h;

        for (; left > 32; left -= 32, p += 32) {
            h = fold(seam_get_u64(p) ^ S1, seam_get_u64(p + 8) ^ h);
            g = fold(seam_get_u64(p + 16) ^ S2, seam_get_u64(p + 24) ^ g);
        }
        h ^= g;
    }
    if (left > 16) h = fold(seam_get_u64(p) ^ S1, seam_get_u64(p + 8) ^ h);
    p = (const uint8_t *)data + n - 16; /* the last 16 bytes, overlapping what was read */
    return fold(S1 ^ n, fold(seam_get_u64(p) ^ S1, seam_get_u64(p + 8) ^ h));
}

/* ---- SipHash-2-4-128 ---- */

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

#define SIP_ROUND                                                                                  \
    do {                                                                                           \
        v0 += v1;                                                                                  \
        v1 = rotl(v1, 13);                                                                         \
        v1 ^= v0;                                                                                  \
        v0 = rotl(v0, 32);                                                                         \
        v2 += v3;                                                                                  \
        v3 = rotl(v3, 16);                                                                         \
        v3 ^= v2;                                                                                  \
        v0 += v3;                                                                                  \
        v3 = rotl(v3, 21);                                                                         \
        v3 ^= v0;                                                                                  \
        v2 += v1;                                                                                  \
        v1 = rotl(v1, 17);                                                                         \
        v1 ^= v2;                                                                                  \
        v2 = rotl(v2, 32);                                                                         \
    } while (0)

struct seam_hash128 seam_siphash128(const void *data, size_t n)
{
    const uint64_t k0 = 0x0706050403020100ull, k1 = 0x0f0e0d0c0b0a0908ull; /* bytes 00 01 .. 0f */
    uint64_t v0 = k0 ^ 0x736f6d6570736575ull, v1 = k1 ^ 0x646f72616e646f6dull ^ 0xee,
             v2 = k0 ^ 0x6c7967656e657261ull, v3 = k1 ^ 0x7465646279746573ull;
    const uint8_t *p = data;
    uint8_t tail[8] = {0};
    struct seam_hash128 h;
    uint64_t m;

    for (size_t left = n / 8; left > 0; left--, p += 8) {
        m = seam_get_u64(p);
        v3 ^= m;
        SIP_ROUND;
        SIP_ROUND;
        v0 ^= m;
    }
    if ((n & 7) != 0) memcpy(tail, p, n & 7);
    m = seam_get_u64(tail) | (uint64_t)n << 56;
    v3 ^= m;
    SIP_ROUND;
    SIP_ROUND;
    v0 ^= m;
    v2 ^= 0xee;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    h.lo = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    h.hi = v0 ^ v1 ^ v2 ^ v3;
    return h;
}

/* ---- multiset digest: sums modulo 2^128 ---- */

static unsigned __int128 digest_sum(const struct seam_digest *d)
{
    return (unsigned __int128)d->hi << 64 | d->lo;
}

static void digest_put(struct seam_digest *d, unsigned __int128 sum)
{
    d->lo = (uint64_t)sum;
    d->hi = (uint64_t)(sum >> 64);
}

void seam_digest_add(struct seam_digest *d, struct seam_hash128 h)
{
    d->count++;
    digest_put(d, digest_sum(d) + ((unsigned __int128)h.hi << 64 | h.lo));
}

void seam_digest_remove(struct seam_digest *d, struct seam_hash128 h)
{
    d->count--;
    digest_put(d, digest_sum(d) - ((unsigned __int128)h.hi << 64 | h.lo));
}

void seam_digest_merge(struct seam_digest *d, const struct seam_digest *other)
{
    d->count += other->count;
    digest_put(d, digest_sum(d) + digest_sum(other));
}

bool seam_digest_equal(const struct seam_digest *a, const struct seam_digest *b)
{
    return a->count == b->count && a->lo == b->lo && a->hi == b->hi;
}

/* ---- set: all zeros mark a free slot, so that hash is kept as another ---- */

static struct seam_hash128 nonzero(struct seam_hash128 h)
{
    if ((h.lo | h.hi) == 0) h.lo = 1;
    return h;
}

/* The slot that holds h, or the free one it belongs in. */
static struct seam_hash128 *set_slot(const struct seam_hash_set *s, struct seam_hash128 h)
{
    size_t i = h.lo & (s->cap - 1);

    while ((s->slots[i].lo | s->slots[i].hi) != 0 &&
           (s->slots[i].lo != h.lo || s->slots[i].hi != h.hi))
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

static bool set_grow(struct seam_hash_set *s)
{
    struct seam_hash_set bigger = {.cap = s->cap == 0 ? 1024 : s->cap * 2, .count = s->count};

    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) return false;
    for (size_t i = 0; i < s->cap; i++)
        if ((s->slots[i].lo | s->slots[i].hi) != 0) *set_slot(&bigger, s->slots[i]) = s->slots[i];
    free(s->slots);
    *s = bigger;
    return true;
}

bool seam_hash_set_add(struct seam_hash_set *s, struct seam_hash128 h)
{
    struct seam_hash128 *slot;

    if (s->count * 2 >= s->cap && !set_grow(s)) return false;
    h = nonzero(h);
    slot = set_slot(s, h);
    if ((slot->lo | slot->hi) == 0) s->count++;
    *slot = h;
    return true;
}

bool seam_hash_set_has(const struct seam_hash_set *s, struct seam_hash128 h)
{
    const struct seam_hash128 *slot;

    if (s->count == 0) return false;
    slot = set_slot(s, nonzero(h));
    return (slot->lo | slot->hi) != 0;
}

void seam_hash_set_free(struct seam_hash_set *s)
{
    free(s->slots);
    *s = (struct seam_hash_set){0};
}
