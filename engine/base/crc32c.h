/* crc32c - the checksum on every block, page and record (Castagnoli polynomial 0x1EDC6F41).
 *
 * Chosen once at first use by CPU detection: carry-less multiplication on the AVX-512 registers (64 bytes
 * an instruction), the SSE4.2 instruction in three interleaved streams, or a table; tests hold each
 * variant to the table. It detects accidents, not adversaries:
 * reconciliation uses the digests of engine/base/hash.h.
 * Papers: Castagnoli, Braeuer, Herrmann, IEEE Trans. Comm. 41(6), 1993 (the polynomial); Gopal et al.,
 * "Fast CRC computation for generic polynomials using PCLMULQDQ", Intel, 2009 (folding).          */
#ifndef SEAM_ENGINE_CRC32C_H
#define SEAM_ENGINE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c(0, data, n) is the checksum of data; pass a previous result to continue over more bytes.
 * crc32c(0, "123456789", 9) == 0xe3069283.                                                       */
uint32_t seam_crc32c(uint32_t crc, const void *data, size_t n);
uint32_t seam_crc32c_table(uint32_t crc, const void *data, size_t n); /* the portable truth */

/* The variants this machine can run, for tests and benches; the table comes first, the best last.  */
enum { SEAM_CRC32C_VARIANTS_MAX = 4 };
struct seam_crc32c_variant {
    const char *name;
    uint32_t (*run)(uint32_t crc, const void *data, size_t n);
};
size_t seam_crc32c_variants(struct seam_crc32c_variant out[SEAM_CRC32C_VARIANTS_MAX]);

#endif
