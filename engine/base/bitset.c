/* bitset - counting and finding the next set bit, a word at a time. */
#include "engine/base/bitset.h"

static uint64_t last_mask(size_t bits)
{
    return (bits & 63) == 0 ? ~0ull : (1ull << (bits & 63)) - 1;
}

size_t seam_bitset_count(const uint64_t *w, size_t bits)
{
    size_t words = seam_bitset_words(bits), n = 0;

    if (words == 0) return 0;
    for (size_t i = 0; i + 1 < words; i++) n += (size_t)__builtin_popcountll(w[i]);
    return n + (size_t)__builtin_popcountll(w[words - 1] & last_mask(bits));
}

size_t seam_bitset_next(const uint64_t *w, size_t bits, size_t from)
{
    size_t words = seam_bitset_words(bits), i = from >> 6, at;
    uint64_t word;

    if (from >= bits) return bits;
    word = w[i] & (~0ull << (from & 63));
    while (word == 0) {
        if (++i == words) return bits;
        word = w[i];
    }
    at = i * 64 + (size_t)__builtin_ctzll(word);
    return at < bits ? at : bits;
}
