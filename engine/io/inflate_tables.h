/* inflate_tables - DEFLATE's prefix codes as lookup tables, and the CRC-32 of gzip. Private to
 * inflate.
 *
 * An entry, 0 when no code leads there:
 *
 *   31       30..16                      15        14   13        11..8            7..0
 *   literal  literal byte, base length,  subtable  end  (unused)  bits of code     bits to drop:
 *            base distance, or where               of             without extra    code and extra
 *            the subtable starts                   block          (or of subtable)
 *
 * The largest base distance, 24577, fits 15 bits, so one layout serves both tables.              */
#ifndef SEAM_ENGINE_INFLATE_TABLES_H
#define SEAM_ENGINE_INFLATE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAM_LITLEN_SYMBOLS = 288, SEAM_DISTANCE_SYMBOLS = 32, SEAM_CODE_BITS_MAX = 15 };
enum { SEAM_LITLEN_BITS = 11, SEAM_DISTANCE_BITS = 8, SEAM_LENGTHS_BITS = 7 };
/* Most entries any code can need, subtables counted (zlib's enough.c: 288 symbols, 11 bits; 32, 8).
 */
enum { SEAM_LITLEN_TABLE = 2342, SEAM_DISTANCE_TABLE = 402 };
#define SEAM_ENTRY_LITERAL  (1u << 31)
#define SEAM_ENTRY_SUBTABLE (1u << 15)
#define SEAM_ENTRY_END      (1u << 14)

struct seam_inflate_tables {
    uint32_t litlen[SEAM_LITLEN_TABLE];
    uint32_t distance[SEAM_DISTANCE_TABLE];
    uint32_t lengths[1 << SEAM_LENGTHS_BITS];
    bool fixed; /* the fixed codes are in the tables now */
};

/* Each is false when the lengths make no prefix code. Incomplete codes are refused but for the one
 * that RFC 1951 allows: a distance code with a single symbol (or none).                          */
bool seam_inflate_build_litlen(struct seam_inflate_tables *t, const uint8_t *lengths,
                               unsigned count);
bool seam_inflate_build_distance(struct seam_inflate_tables *t, const uint8_t *lengths,
                                 unsigned count);
bool seam_inflate_build_lengths(struct seam_inflate_tables *t, const uint8_t lengths[19]);
void seam_inflate_build_fixed(struct seam_inflate_tables *t);

/* CRC-32 (IEEE 802.3, reflected), eight bytes a step.                                            */
struct seam_crc32_tables {
    uint32_t t[8][256];
};
void seam_crc32_build(struct seam_crc32_tables *c);
uint32_t seam_crc32_update(const struct seam_crc32_tables *c, uint32_t crc, const void *p,
                           size_t n);

#endif
