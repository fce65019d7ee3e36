/* forcol - a column of uint64 in frame-of-reference blocks of 128: random access by two loads.
 *
 *   u32 n | u32 zero | per block: base u64, offset u32, width u32 | packed bits
 *   value i = base + bits i%128 of its block; offset counts from the start of the packed bits          */
#ifndef SEAM_INVIDX_FORCOL_H
#define SEAM_INVIDX_FORCOL_H

#include "engine/base/bitpack.h"
#include "engine/base/buf.h"

enum { FORCOL_BLOCK = 128, FORCOL_HEAD = 8, FORCOL_ENTRY = 16 };

struct invidx_forcol {
    const uint8_t *heads, *bits;
    uint32_t n;
};

void invidx_forcol_put(struct seam_buf *out, const uint64_t *v, size_t n);
/* Checks every offset and width; false when the bytes are no column of n values.                      */
bool invidx_forcol_open(struct invidx_forcol *c, const uint8_t *p, size_t size, uint32_t n);

static inline uint64_t forcol_get(const struct invidx_forcol *c, uint32_t i)
{
    const uint8_t *h = c->heads + (size_t)(i / FORCOL_BLOCK) * FORCOL_ENTRY;

    return seam_get_u64(h) +
           seam_bitpack_get(c->bits + seam_get_u32(h + 8), i % FORCOL_BLOCK, seam_get_u32(h + 12));
}
/* Values of block b into out[128]; returns how many.                                                  */
size_t invidx_forcol_block(const struct invidx_forcol *c, uint32_t b, uint64_t *out);

#endif
