/* bitpack_scalar - packing, and the unpacking that every variant is held to. */
#include <string.h>

#include "engine/base/bitpack.h"
#include "engine/base/bitpack_x86.h"
#include "engine/base/bytes.h"

static uint64_t mask_of(unsigned width)
{
    return width >= 64 ? ~0ull : (1ull << width) - 1;
}

/* Value of `width` bits at a bit offset; reads 8 bytes, and a ninth when the value spills over.   */
static inline uint64_t load_bits(const uint8_t *in, size_t bit, unsigned width)
{
    const uint8_t *p = in + (bit >> 3);
    unsigned shift = (unsigned)(bit & 7);
    uint64_t v = seam_get_u64(p) >> shift;

    if (shift + width > 64) v |= (uint64_t)p[8] << (64 - shift);
    return v & mask_of(width);
}

uint64_t seam_bitpack_get(const uint8_t *in, size_t i, unsigned width)
{
    return width == 0 ? 0 : load_bits(in, i * width, width);
}

/* Bits gather in `acc` from the low end; whole words leave, and the last bytes at the end.        */
struct packer {
    uint8_t *out;
    uint64_t acc;
    unsigned fill;
};

static inline void pack_one(struct packer *k, uint64_t v, unsigned width)
{
    k->acc |= v << k->fill;
    k->fill += width;
    if (k->fill >= 64) {
        seam_put_u64(k->out, k->acc);
        k->out += 8;
        k->fill -= 64;
        k->acc = k->fill == 0 ? 0 : v >> (width - k->fill);
    }
}

static inline void pack_end(struct packer *k)
{
    memcpy(k->out, &k->acc, (k->fill + 7) / 8);
}

void seam_bitpack_u32(const uint32_t *in, size_t n, unsigned width, uint8_t *out)
{
    struct packer k = {.out = out};

    if (width == 0) return;
    for (size_t i = 0; i < n; i++) pack_one(&k, in[i], width);
    pack_end(&k);
}

void seam_bitpack_u64(const uint64_t *in, size_t n, unsigned width, uint8_t *out)
{
    struct packer k = {.out = out};

    if (width == 0) return;
    for (size_t i = 0; i < n; i++) pack_one(&k, in[i], width);
    pack_end(&k);
}

void seam_bitunpack_u32_scalar(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    for (size_t i = 0, bit = 0; i < n; i++, bit += width)
        out[i] = (uint32_t)load_bits(in, bit, width);
}

void seam_bitunpack_u64_scalar(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) out[i] = load_bits(in, bit, width);
}
