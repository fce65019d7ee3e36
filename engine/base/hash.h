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

uint64_t hash64(const void *p, size_t n, uint64_t seed);

static inline uint64_t hash64_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    return x;
}

struct hash128 { uint64_t lo, hi; };
struct hash128 siphash128(const void *p, size_t n);

/* Additive multiset digest: count and sum modulo 2^128 of row hashes. Adding and removing commute and
 * undo each other; a row delivered twice changes it (an XOR would cancel). Paper: Clarke et al.,
 * "Incremental multiset hash functions", ASIACRYPT 2003.                                          */
struct digest { uint64_t count; uint64_t lo, hi; };
void digest_add(struct digest *d, struct hash128 h);
void digest_remove(struct digest *d, struct hash128 h);
void digest_merge(struct digest *d, const struct digest *other);
bool digest_equal(const struct digest *a, const struct digest *b);

/* A set of 128-bit hashes, open addressing: for keys that never meet by chance (that takes 2^64 of them).
 * Zero-initialise. 16 bytes a slot, at most half of them used. One thread.                        */
struct hash_set { struct hash128 *slots; size_t cap, count; };
bool hash_set_add(struct hash_set *s, struct hash128 h); /* false: no memory (the set is as it was) */
bool hash_set_has(const struct hash_set *s, struct hash128 h);
void hash_set_free(struct hash_set *s);

/* SHA-256 (FIPS 180-4), for the audit chain and Merkle proofs, where an adversary is assumed.     */
struct sha256 { uint32_t h[8]; uint64_t bytes; uint8_t block[64]; };
void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *p, size_t n);
void sha256_final(struct sha256 *s, uint8_t out[32]);
/* What this machine can run, for tests and benches: portable first, best last. SHA-NI when present. */
enum { SHA256_VARIANTS_MAX = 2 };
struct sha256_variant {
    const char *name;
    void (*blocks)(uint32_t h[8], const uint8_t *p, size_t count); /* count blocks of 64 bytes */
};
size_t sha256_variants(struct sha256_variant out[SHA256_VARIANTS_MAX]);

#endif
