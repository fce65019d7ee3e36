/* crc32c - the checksum on every block, page and record (Castagnoli polynomial 0x1EDC6F41).
 *
 * Chosen once at first use by CPU detection: SSE4.2/ARMv8 instructions (three interleaved streams),
 * table otherwise; tests hold each variant to the table. It detects accidents, not adversaries:
 * reconciliation uses the digests of engine/hash.h.
 * Paper: Castagnoli, Braeuer, Herrmann, IEEE Trans. Comm. 41(6), 1993.                            */
#ifndef SEAM_ENGINE_CRC32C_H
#define SEAM_ENGINE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c(0, data, n) is the checksum of data; pass a previous result to continue over more bytes.
 * crc32c(0, "123456789", 9) == 0xe3069283.                                                       */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);
uint32_t crc32c_table(uint32_t crc, const void *data, size_t n); /* the portable truth, for tests */

#endif
