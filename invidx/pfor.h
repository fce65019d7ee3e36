/* pfor - up to 128 integers, bit-packed at the width most of them need, the few larger ones patched.
 *
 *   +------+-----------------------+  and, when bit 7 of the head is set:
 *   | head | n values, width bits  |  +-------+------------------+-----------------------------+
 *   +------+-----------------------+  | u8 m  | m positions (u8) | m varints: value >> width   |
 *                                     +-------+------------------+-----------------------------+
 *   head: bits 0-5 width 0..32; bit 6 belongs to the caller; bit 7 exceptions follow
 *
 *   Example (tests/invidx/test_kernels.c): 1 2 3 1 2 3 1 2 3 1 2 3 200 1 2 3 is  82 79 9e e7 e4  01 0c 32
 *
 * The writer takes the width with the fewest bytes in all. Used for document gaps, frequencies and
 * positions. Readers need SEAM_BITPACK_SLACK readable bytes after `end`.
 * Papers: Zukowski et al., "Super-scalar RAM-CPU cache compression" (ICDE 2006); Lemire & Boytsov (SPE 2015). */
#ifndef SEAM_INVIDX_PFOR_H
#define SEAM_INVIDX_PFOR_H

#include "engine/base/bitpack.h"
#include "engine/base/buf.h"

enum { PFOR_BLOCK = 128, PFOR_FLAG = 0x40, PFOR_EXCEPTIONS = 0x80, PFOR_WIDTH = 0x3f };

/* Appends n <= 128 values; flag sets bit 6 of the head.                                              */
void invidx_pfor_put(struct seam_buf *out, const uint32_t *v, size_t n, bool flag);
/* Reads n values (out has room for 128) and returns the byte after them; NULL when the bytes are no such
 * block. n is the caller's: it is not stored.                                                        */
const uint8_t *invidx_pfor_get(const uint8_t *p, const uint8_t *end, size_t n, uint32_t *out);
/* As invidx_pfor_get, then out[i] = base + (v[0] + 1) + ... + (v[i] + 1), modulo 2^32; out has room for 144.     */
const uint8_t *invidx_pfor_get_gaps(const uint8_t *p, const uint8_t *end, size_t n, uint32_t base,
                                    uint32_t *out);
/* The byte after a block, without decoding it.                                                       */
const uint8_t *invidx_pfor_skip(const uint8_t *p, const uint8_t *end, size_t n);

#endif
