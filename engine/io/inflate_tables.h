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

enum { LITLEN_SYMBOLS = 288, DISTANCE_SYMBOLS = 32, CODE_BITS_MAX = 15 };
enum { LITLEN_BITS = 11, DISTANCE_BITS = 8, LENGTHS_BITS = 7 };
/* Most entries any code can need, subtables counted (zlib's enough.c: 288 symbols, 11 bits; 32, 8).
 */
enum { LITLEN_TABLE = 2342, DISTANCE_TABLE = 402 };
#define ENTRY_LITERAL  (1u << 31)
#define ENTRY_SUBTABLE (1u << 15)
#define ENTRY_END      (1u << 14)

struct inflate_tables {
    uint32_t litlen[LITLEN_TABLE];
    uint32_t distance[DISTANCE_TABLE];
    uint32_t lengths[1 << LENGTHS_BITS];
    bool fixed; /* the fixed codes are in the tables now */
};

/* Each is false when the lengths make no prefix code. Incomplete codes are refused but for the one
 * that RFC 1951 allows: a distance code with a single symbol (or none).                          */
bool inflate_build_litlen(struct inflate_tables *t, const uint8_t *lengths, unsigned count);
bool inflate_build_distance(struct inflate_tables *t, const uint8_t *lengths, unsigned count);
bool inflate_build_lengths(struct inflate_tables *t, const uint8_t lengths[19]);
void inflate_build_fixed(struct inflate_tables *t);

/* CRC-32 (IEEE 802.3, reflected), eight bytes a step.                                            */
struct crc32_tables {
    uint32_t t[8][256];
};
void crc32_build(struct crc32_tables *c);
uint32_t crc32_update(const struct crc32_tables *c, uint32_t crc, const void *p, size_t n);

#endif
