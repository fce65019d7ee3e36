/* forcol - writes the blocks, and opens a column after checking its size. */
#include "invidx/forcol.h"

#include <assert.h>

void invidx_forcol_put(struct seam_buf *out, const uint64_t *v, size_t n)
{
    size_t blocks = (n + FORCOL_BLOCK - 1) / FORCOL_BLOCK, heads, bits;
    uint64_t delta[FORCOL_BLOCK];
    assert(n <= UINT32_MAX);
    assert(v != NULL || n == 0);

    seam_buf_u32(out, (uint32_t)n);
    seam_buf_u32(out, 0);
    heads = out->size;
    if (seam_buf_extend(out, blocks * FORCOL_ENTRY) == NULL) return;
    bits = out->size;
    for (size_t b = 0; b < blocks; b++) {
        size_t from = b * FORCOL_BLOCK, m = n - from < FORCOL_BLOCK ? n - from : FORCOL_BLOCK;
        uint64_t lo = v[from], hi = v[from];
        unsigned w;
        uint8_t *h, *p;

        for (size_t i = 0; i < m; i++) {
            if (v[from + i] < lo) lo = v[from + i];
            if (v[from + i] > hi) hi = v[from + i];
        }
        assert(lo <= hi);
        w = seam_bits_for_u64(hi - lo);
        for (size_t i = 0; i < m; i++) delta[i] = v[from + i] - lo;
        h = out->data + heads + b * FORCOL_ENTRY;
        seam_put_u64(h, lo);
        seam_put_u32(h + 8, (uint32_t)(out->size - bits));
        seam_put_u32(h + 12, w);
        p = seam_buf_extend(out, seam_bitpack_size(m, w));
        if (p == NULL) return;
        seam_bitpack_u64(delta, m, w, p);
    }
}

bool invidx_forcol_open(struct invidx_forcol *c, const uint8_t *p, size_t size, uint32_t n)
{
    size_t blocks = ((size_t)n + FORCOL_BLOCK - 1) / FORCOL_BLOCK, room;
    assert(p != NULL || size == 0);

    if (size < FORCOL_HEAD || seam_get_u32(p) != n || size - FORCOL_HEAD < blocks * FORCOL_ENTRY)
        return false;
    c->n = n;
    c->heads = p + FORCOL_HEAD;
    c->bits = c->heads + blocks * FORCOL_ENTRY;
    room = size - FORCOL_HEAD - blocks * FORCOL_ENTRY;
    for (size_t b = 0; b < blocks; b++) {
        size_t m = n - b * FORCOL_BLOCK < FORCOL_BLOCK ? n - b * FORCOL_BLOCK : FORCOL_BLOCK;
        const uint8_t *h = c->heads + b * FORCOL_ENTRY;
        uint32_t w = seam_get_u32(h + 12);

        if (w > 64 || seam_get_u32(h + 8) > room ||
            room - seam_get_u32(h + 8) < seam_bitpack_size(m, w))
            return false;
    }
    return true;
}

size_t invidx_forcol_block(const struct invidx_forcol *c, uint32_t b, uint64_t *out)
{
    const uint8_t *h = c->heads + (size_t)b * FORCOL_ENTRY;
    size_t m = c->n - b * FORCOL_BLOCK < FORCOL_BLOCK ? c->n - b * FORCOL_BLOCK : FORCOL_BLOCK;
    assert(m > 0 && m <= FORCOL_BLOCK);
    uint64_t base = seam_get_u64(h);
    assert(b * FORCOL_BLOCK < c->n);

    seam_bitunpack_u64(c->bits + seam_get_u32(h + 8), m, seam_get_u32(h + 12), out);
    for (size_t i = 0; i < m; i++) out[i] += base;
    return m;
}
