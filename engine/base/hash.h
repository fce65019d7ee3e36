/* hash - a fast 64-bit hash for tables, and the keyed 128-bit hash that reconciliation adds up.
 *
 * hash64: wyhash-style multiply-mix, for in-memory tables only (its value may change between versions;
 * never on disk). siphash128: SipHash-2-4-128 (Aumasson & Bernstein 2012) with a fixed published key:
 * its value is part of formats and is the same on every machine.                                 */
#ifndef SEAM_ENGINE_HASH_H
#define SEAM_ENGINE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint64_t seam_hash64(const void *p, size_t n, uint64_t seed);

static inline uint64_t seam_hash64_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    return x;
}

struct seam_hash128 {
    uint64_t lo, hi;
};
struct seam_hash128 seam_siphash128(const void *p, size_t n);

/* Additive multiset digest: count and sum modulo 2^128 of row hashes. Adding and removing commute and
 * undo each other; a row delivered twice changes it (an XOR would cancel). Paper: Clarke et al.,
 * "Incremental multiset hash functions", ASIACRYPT 2003.                                          */
struct seam_digest {
    uint64_t count;
    uint64_t lo, hi;
};
void seam_digest_add(struct seam_digest *d, struct seam_hash128 h);
void seam_digest_remove(struct seam_digest *d, struct seam_hash128 h);
void seam_digest_merge(struct seam_digest *d, const struct seam_digest *other);
bool seam_digest_equal(const struct seam_digest *a, const struct seam_digest *b);

/* A set of 128-bit hashes, open addressing: for keys that never meet by chance (that takes 2^64 of them).
 * Zero-initialise. 16 bytes a slot, at most half of them used. One thread.                        */
struct seam_hash_set {
    struct seam_hash128 *slots;
    size_t cap, count;
};
bool seam_hash_set_add(struct seam_hash_set *s,
                       struct seam_hash128 h); /* false: no memory (the set is as it was) */
bool seam_hash_set_has(const struct seam_hash_set *s, struct seam_hash128 h);
void seam_hash_set_free(struct seam_hash_set *s);

/* SHA-256 (FIPS 180-4), for the audit chain and Merkle proofs, where an adversary is assumed.     */
struct seam_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};
void seam_sha256_init(struct seam_sha256 *s);
void seam_sha256_update(struct seam_sha256 *s, const void *p, size_t n);
void seam_sha256_final(struct seam_sha256 *s, uint8_t out[32]);
/* What this machine can run, for tests and benches: portable first, best last. SHA-NI when present. */
enum { SEAM_SHA256_VARIANTS_MAX = 2 };
struct seam_sha256_variant {
    const char *name;
    void (*blocks)(uint32_t h[8], const uint8_t *p, size_t count); /* count blocks of 64 bytes */
};
size_t seam_sha256_variants(struct seam_sha256_variant out[SEAM_SHA256_VARIANTS_MAX]);

#ifdef __cplusplus
}
#endif

#endif
