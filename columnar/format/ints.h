/* ints - up to 2,048 unsigned integers as the smallest of four blocks. The bottom of every encoding.
 *
 *   CONST  | 0 | 0 | base u64 |                                                   every value is base
 *   FOR    | 1 | w | base u64 | n values - base, w bits each                      frame of reference
 *   DELTA  | 2 | w | first u64 | step u64 | n-1 of (v[i]-v[i-1]) - step, w bits   sorted, strided
 *   RLE    | 3 | w | wl | runs u16 | base u64 | runs values - base, w bits |
 *                                  runs lengths - 1, wl bits                      long runs
 *
 * Arithmetic is modulo 2^64 (2^32 in the 32-bit reader, for chunks whose values all fit). A reader demands:
 * known mode, w <= 64, size exactly what n and the widths say, runs >= 1, lengths adding up to n. Blocks
 * are followed by BITPACK_SLACK readable bytes.
 * Papers: Zukowski et al., "Super-scalar RAM-CPU cache compression" (ICDE 2006); Lemire & Boytsov (2015). */
#ifndef SEAM_COLUMNAR_INTS_H
#define SEAM_COLUMNAR_INTS_H

#include "engine/base/buf.h"

enum columnar_ints_mode { INTS_CONST = 0, INTS_FOR = 1, INTS_DELTA = 2, INTS_RLE = 3, INTS_MODES };
enum { INTS_MAX = 2048 };

struct columnar_ints_block {
    uint8_t mode, width, length_width;
    uint16_t runs;
    uint64_t base, step;    /* DELTA: first value and step */
    const uint8_t *packed;  /* FOR, DELTA: values; RLE: run values */
    const uint8_t *lengths; /* RLE */
};

/* Appends one block. `random_access`: no DELTA (dictionary codes, which are bounded by base + 2^w).  */
void columnar_ints_encode(const uint64_t *v, size_t n, bool random_access, struct seam_buf *out);
/* Reads the head and checks every size; false: not such a block. */
bool columnar_ints_parse(const uint8_t *p, size_t size, size_t n, struct columnar_ints_block *b);
/* The largest value a non-DELTA block can hold. */
uint64_t columnar_ints_bound(const struct columnar_ints_block *b);
/* False when run lengths do not add up to n. */
bool columnar_ints_decode64(const struct columnar_ints_block *b, size_t n, uint64_t *out);
bool columnar_ints_decode32(const struct columnar_ints_block *b, size_t n, uint32_t *out);
/* Value i alone; DELTA and RLE walk to it. */
bool columnar_ints_get(const struct columnar_ints_block *b, size_t n, size_t i, uint64_t *out);
/* RLE: run values and lengths; false when lengths do not add up to n. */
bool columnar_ints_runs(const struct columnar_ints_block *b, size_t n, uint64_t *values,
                        uint32_t *lengths);
const char *columnar_ints_mode_name(enum columnar_ints_mode m);

#endif
