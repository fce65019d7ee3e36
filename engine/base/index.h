/* index - the one open-addressing table: from a 64-bit hash to numbers of the caller's own array.
 *
 * It keeps no keys. The caller hashes (seam_hash64, seam_hash64_u64), walks the few numbers whose hash may be
 * meant, and compares with what it has there itself:
 *
 *     uint64_t h = seam_hash64(word, n, 0);
 *     size_t at;
 *     for (uint32_t i = seam_index_first(&ix, h, &at); i != SEAM_INDEX_NONE; i = seam_index_next(&ix, h, &at))
 *         if (words[i].n == n && memcmp(words[i].p, word, n) == 0) return i;
 *
 * 8 bytes a slot, at most three quarters of them used, linear probing. Half of the hash stays in the slot: it is
 * compared before anything of the caller's is touched, and growing asks for no key again. Zero-initialise.
 * One thread, or any number that only look.                                                          */
#ifndef SEAM_ENGINE_INDEX_H
#define SEAM_ENGINE_INDEX_H

#include "engine/base/status.h"

#define SEAM_INDEX_NONE UINT32_MAX

struct seam_index_slot {
    uint32_t tag;    /* of the hash            */
    uint32_t number; /* plus 1; 0: a free slot */
};

struct seam_index {
    struct seam_index_slot *slots;
    size_t cap, count; /* cap: 0 or a power of two */
};

/* Room for `count` entries in all. False: no memory, and nothing changed.                            */
SEAM_MUST_USE bool seam_index_reserve(struct seam_index *ix, size_t count);
/* Enters number (below SEAM_INDEX_NONE) under the hash; one hash may stand for many. False: no memory.    */
SEAM_MUST_USE bool seam_index_add(struct seam_index *ix, uint64_t hash, uint32_t number);
void seam_index_clear(struct seam_index *ix); /* empty, keeps the memory */
void seam_index_free(struct seam_index *ix);

static inline uint32_t seam_index_tag(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}
static inline uint32_t seam_index_next(const struct seam_index *ix, uint64_t hash, size_t *at)
{
    while (ix->slots[*at].number != 0) {
        const struct seam_index_slot *s = &ix->slots[*at];

        *at = (*at + 1) & (ix->cap - 1);
        if (s->tag == seam_index_tag(hash)) return s->number - 1;
    }
    return SEAM_INDEX_NONE;
}
static inline uint32_t seam_index_first(const struct seam_index *ix, uint64_t hash, size_t *at)
{
    if (ix->cap == 0) return SEAM_INDEX_NONE;
    *at = seam_index_tag(hash) & (ix->cap - 1);
    return seam_index_next(ix, hash, at);
}

#endif
