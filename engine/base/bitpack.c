/* bitpack - the variants this machine can run, and the choice among them. */
#include "engine/base/bitpack.h"

#include <string.h>

#include "engine/base/bitpack_x86.h"
#include "engine/base/bytes.h"
#include "engine/base/cpu.h"
#include "engine/base/status.h"

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
