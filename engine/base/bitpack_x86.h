/* bitpack_x86 - the data-parallel variants of engine/base/bitpack.h; reached through it, not directly.
 *
 * All take whole groups whose bits begin on a byte: 16 (or 8) values are 2*width (or width) bytes, so one
 * table row of byte numbers and shifts serves every group of a run:
 *
 *     bytes of the group       | b0 b1 b2 b3 b4 ...                      one unaligned load
 *     shuffle                  | b0..b3 | b1..b4 | b2..b5 | ...          each lane gets its window
 *     shift right, lane's own  | v0     | v1     | v2     |              bit offset within its byte
 *     and mask                                                                                        */
#ifndef SEAM_ENGINE_BITPACK_X86_H
#define SEAM_ENGINE_BITPACK_X86_H

#include "engine/base/bitpack.h"

#if defined(__x86_64__)
extern const struct seam_bitunpack_variant seam_bitunpack_avx2, seam_bitunpack_vbmi;
#endif

#endif
