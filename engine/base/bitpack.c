/* bitpack - the scalar packing that every variant is held to, and the choice among them. */
#include "engine/base/bitpack.h"

#include <string.h>

#include "engine/base/bitpack_x86.h"
#include "engine/base/bytes.h"
#include "engine/base/cpu.h"
#include "engine/base/status.h"

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

static void for_u32_scalar(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                           uint32_t *out)
{
    seam_bitunpack_u32_scalar(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] += base;
}

static void for_u64_scalar(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                           uint64_t *out)
{
    seam_bitunpack_u64_scalar(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] += base;
}

static void delta_u32_scalar(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                             uint32_t step, uint32_t *out)
{
    seam_bitunpack_u32_scalar(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] = base += out[i] + step;
}

static void delta_u64_scalar(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                             uint64_t step, uint64_t *out)
{
    seam_bitunpack_u64_scalar(in, n, width, out);
    for (size_t i = 0; i < n; i++) out[i] = base += out[i] + step;
}

static const struct seam_bitunpack_variant scalar = {
    "scalar",       seam_bitunpack_u32_scalar, seam_bitunpack_u64_scalar, for_u32_scalar,
    for_u64_scalar, delta_u32_scalar,          delta_u64_scalar};

size_t
seam_bitunpack_variants(const struct seam_bitunpack_variant *out[SEAM_BITUNPACK_VARIANTS_MAX])
{
    size_t n = 0;

    out[n++] = &scalar;
#if defined(__x86_64__)
    if (seam_cpu()->avx2) out[n++] = &seam_bitunpack_avx2;
    if (seam_cpu()->avx512_vbmi) out[n++] = &seam_bitunpack_vbmi;
#endif
    return n;
}

/* ---- the choice, made at the first call and then one load ---- */

static const struct seam_bitunpack_variant *chosen;

static const struct seam_bitunpack_variant *choose(void)
{
    const struct seam_bitunpack_variant *v[SEAM_BITUNPACK_VARIANTS_MAX];
    size_t count = seam_bitunpack_variants(v);

    __atomic_store_n(&chosen, v[count - 1], __ATOMIC_RELAXED);
    return v[count - 1];
}

static inline const struct seam_bitunpack_variant *best(void)
{
    const struct seam_bitunpack_variant *v = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

    return seam_likely(v != NULL) ? v : choose();
}

void seam_bitunpack_u32(const uint8_t *in, size_t n, unsigned width, uint32_t *out)
{
    best()->u32(in, n, width, out);
}

void seam_bitunpack_u64(const uint8_t *in, size_t n, unsigned width, uint64_t *out)
{
    best()->u64(in, n, width, out);
}

void seam_bitunpack_for_u32(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                            uint32_t *out)
{
    best()->for_u32(in, n, width, base, out);
}

void seam_bitunpack_for_u64(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                            uint64_t *out)
{
    best()->for_u64(in, n, width, base, out);
}

void seam_bitunpack_delta_u32(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                              uint32_t step, uint32_t *out)
{
    best()->delta_u32(in, n, width, base, step, out);
}

void seam_bitunpack_delta_u64(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                              uint64_t step, uint64_t *out)
{
    best()->delta_u64(in, n, width, base, step, out);
}
