/* bitpack - n integers of `width` bits each, end to end, least significant bit first.
 *
 *     value i occupies bits [i*width, (i+1)*width) of the little-endian bit string
 *
 * A horizontal layout: one value costs one unaligned load, and AVX2/AVX-512 VBMI unpack whole runs
 * with byte shuffles and variable shifts. Used by columnar vectors and by postings blocks. Packed data
 * must be followed by SEAM_BITPACK_SLACK readable bytes (the kernels load past the last value, and never use
 * what they find there); writers reserve them once per block or file, not per run.
 * Sources: Lemire & Boytsov, SP&E 45(1), 2015; Willhalm et al., PVLDB 2(1), 2009 (SIMD-scan).     */
#ifndef SEAM_ENGINE_BITPACK_H
#define SEAM_ENGINE_BITPACK_H

#include <stddef.h>
#include <stdint.h>

enum { SEAM_BITPACK_SLACK = 64 };

static inline unsigned seam_bits_for_u64(uint64_t v)
{
    return v == 0 ? 0u : 64u - (unsigned)__builtin_clzll(v);
}
static inline size_t seam_bitpack_size(size_t n, unsigned width)
{
    return (n * (size_t)width + 7) / 8;
}

/* Writes exactly seam_bitpack_size(n, width) bytes. Values must fit width (0..32, 0..64).               */
void seam_bitpack_u32(const uint32_t *in, size_t n, unsigned width, uint8_t *out);
void seam_bitpack_u64(const uint64_t *in, size_t n, unsigned width, uint8_t *out);

/* Reads n values; best variant for this machine. width 0 gives zeros and reads nothing. An output that
 * begins on a 64-byte boundary is written up to twice as fast.                                     */
void seam_bitunpack_u32(const uint8_t *in, size_t n, unsigned width, uint32_t *out);
void seam_bitunpack_u64(const uint8_t *in, size_t n, unsigned width, uint64_t *out);

/* The two ways packed integers mostly mean something, in the same pass (sums are modulo 2^32, 2^64):
 *     for    frame of reference: out[i] = base + v[i]
 *     delta  running sum:        out[i] = base + (v[0] + step) + ... + (v[i] + step)                */
void seam_bitunpack_for_u32(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                            uint32_t *out);
void seam_bitunpack_for_u64(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                            uint64_t *out);
void seam_bitunpack_delta_u32(const uint8_t *in, size_t n, unsigned width, uint32_t base,
                              uint32_t step, uint32_t *out);
void seam_bitunpack_delta_u64(const uint8_t *in, size_t n, unsigned width, uint64_t base,
                              uint64_t step, uint64_t *out);

/* The portable truth the variants are tested against.                                             */
void seam_bitunpack_u32_scalar(const uint8_t *in, size_t n, unsigned width, uint32_t *out);
void seam_bitunpack_u64_scalar(const uint8_t *in, size_t n, unsigned width, uint64_t *out);

/* What this machine can run, for tests and benches: scalar first, best last.                       */
enum { SEAM_BITUNPACK_VARIANTS_MAX = 3 };
struct seam_bitunpack_variant {
    const char *name;
    void (*u32)(const uint8_t *in, size_t n, unsigned width, uint32_t *out);
    void (*u64)(const uint8_t *in, size_t n, unsigned width, uint64_t *out);
    void (*for_u32)(const uint8_t *in, size_t n, unsigned width, uint32_t base, uint32_t *out);
    void (*for_u64)(const uint8_t *in, size_t n, unsigned width, uint64_t base, uint64_t *out);
    void (*delta_u32)(const uint8_t *in, size_t n, unsigned width, uint32_t base, uint32_t step,
                      uint32_t *out);
    void (*delta_u64)(const uint8_t *in, size_t n, unsigned width, uint64_t base, uint64_t step,
                      uint64_t *out);
};
size_t
seam_bitunpack_variants(const struct seam_bitunpack_variant *out[SEAM_BITUNPACK_VARIANTS_MAX]);

uint64_t seam_bitpack_get(const uint8_t *in, size_t i, unsigned width); /* value i, width 0..64 */

#endif
