/* bitset - a plain bitmap: tombstones, filters, null maps. Words are 64-bit, bit i is word i/64.   */
#ifndef SEAM_ENGINE_BITSET_H
#define SEAM_ENGINE_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline size_t seam_bitset_words(size_t bits)
{
    return (bits + 63) / 64;
}
static inline bool seam_bitset_get(const uint64_t *w, size_t i)
{
    return (w[i >> 6] >> (i & 63)) & 1;
}
static inline void seam_bitset_set(uint64_t *w, size_t i)
{
    w[i >> 6] |= 1ull << (i & 63);
}
static inline void seam_bitset_clear(uint64_t *w, size_t i)
{
    w[i >> 6] &= ~(1ull << (i & 63));
}
size_t seam_bitset_count(const uint64_t *w, size_t bits);
/* First set bit at or after `from`, or `bits` when there is none.                                  */
size_t seam_bitset_next(const uint64_t *w, size_t bits, size_t from);

#ifdef __cplusplus
}
#endif

#endif
