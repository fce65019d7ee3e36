/* pfor - chooses the width, packs, patches; and back, with the sizes checked first. */
#include "invidx/pfor.h"

#include <assert.h>

#include "engine/base/walk.h"
#include "invidx/score.h"

/* The width that makes the block smallest. Each exception costs its position and at least one byte.   */
static unsigned best_width(const uint32_t *v, size_t n)
{
    uint32_t count[33] = {0};
    unsigned top = 0, best, above = 0;
    size_t best_size;
    assert(n <= PFOR_BLOCK);

    for (size_t i = 0; i < n; i++) count[seam_bits_for_u64(v[i])]++;
    for (unsigned w = 0; w <= 32; w++)
        if (count[w] != 0) top = w;
    best = top;
    best_size = seam_bitpack_size(n, top);
    for (unsigned w = top; w-- > 0;) {
        size_t size;

        above += count[w + 1];
        size = seam_bitpack_size(n, w) + 1 +
               (size_t)above * (1 + seam_varint_size((1ull << (top - w)) - 1));
        if (above >= n) break;
        if (size < best_size) {
            best_size = size;
            best = w;
        }
    }
    assert(best <= 32 && best <= top);
    return best;
}

void invidx_pfor_put(struct seam_buf *out, const uint32_t *v, size_t n, bool flag)
{
    uint32_t low[PFOR_BLOCK];
    uint8_t at[PFOR_BLOCK];
    size_t exceptions = 0, packed;
    unsigned w;
    uint8_t *p;

    assert(n <= PFOR_BLOCK);
    w = best_width(v, n);
    for (size_t i = 0; i < n; i++) {
        low[i] = w == 32 ? v[i] : v[i] & (uint32_t)((1ull << w) - 1);
        if (low[i] != v[i]) at[exceptions++] = (uint8_t)i;
    }
    assert(exceptions <= n);
    packed = seam_bitpack_size(n, w);
    p = seam_buf_extend(out, 1 + packed);
    if (p == NULL) return;
    p[0] = (uint8_t)(w | (flag ? PFOR_FLAG : 0) | (exceptions != 0 ? PFOR_EXCEPTIONS : 0));
    seam_bitpack_u32(low, n, w, p + 1);
    if (exceptions == 0) return;
    seam_buf_u8(out, (uint8_t)exceptions);
    seam_buf_append(out, at, exceptions);
    for (size_t i = 0; i < exceptions; i++) seam_buf_varint(out, v[at[i]] >> w);
}

static const uint8_t *patch(const uint8_t *p, const uint8_t *end, size_t n, unsigned w,
                            uint32_t *out)
{
    const uint8_t *at;
    size_t m;
    assert(n <= PFOR_BLOCK);

    if (p >= end) return NULL;
    m = *p++;
    if ((size_t)(end - p) < m || w >= 32) return NULL;
    at = p;
    p += m;
    for (size_t i = 0; i < m; i++) {
        uint64_t hi = 0;
        unsigned shift = 0;

        do {
            if (p >= end || shift > 28) return NULL;
            hi |= (uint64_t)(*p & 0x7f) << shift;
            shift += 7;
        } while (*p++ & 0x80);
        if (at[i] >= n || hi > UINT32_MAX >> w) return NULL;
        if (out != NULL) out[at[i]] |= (uint32_t)hi << w;
    }
    return p;
}

struct pfor_head {
    unsigned width;
    size_t packed; /* bytes of the packed low bits, which follow */
    bool exceptions;
};

static inline bool read_head(const uint8_t **p, const uint8_t *end, size_t n, struct pfor_head *h)
{
    SEAM_WALK(n <= PFOR_BLOCK);
    if (*p >= end) return false;
    h->width = **p & PFOR_WIDTH;
    h->exceptions = (**p & PFOR_EXCEPTIONS) != 0;
    h->packed = seam_bitpack_size(n, h->width);
    (*p)++;
    return h->width <= 32 && (size_t)(end - *p) >= h->packed;
}

const uint8_t *invidx_pfor_get(const uint8_t *p, const uint8_t *end, size_t n, uint32_t *out)
{
    struct pfor_head h;
    assert(n <= PFOR_BLOCK);
    assert(out != NULL);

    if (!read_head(&p, end, n, &h)) return NULL;
    seam_bitunpack_u32(p, n, h.width, out);
    p += h.packed;
    return seam_likely(!h.exceptions) ? p : patch(p, end, n, h.width, out);
}

const uint8_t *invidx_pfor_get_gaps(const uint8_t *p, const uint8_t *end, size_t n, uint32_t base,
                                    uint32_t *out)
{
    struct pfor_head h;
    assert(n <= PFOR_BLOCK);
    assert(out != NULL);

    if (!read_head(&p, end, n, &h)) return NULL;
    if (!h.exceptions) {
        seam_bitunpack_delta_u32(p, n, h.width, base, 1, out);
        return p + h.packed;
    }
    seam_bitunpack_u32(p, n, h.width, out);
    p = patch(p + h.packed, end, n, h.width, out);
    if (p != NULL) invidx_sum_gaps(out, n, base);
    return p;
}

const uint8_t *invidx_pfor_skip(const uint8_t *p, const uint8_t *end, size_t n)
{
    struct pfor_head h;
    assert(n <= PFOR_BLOCK);

    if (!read_head(&p, end, n, &h)) return NULL;
    p += h.packed;
    return seam_likely(!h.exceptions) ? p : patch(p, end, n, h.width, NULL);
}
