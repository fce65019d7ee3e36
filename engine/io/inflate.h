/* inflate - gzip files (RFC 1952, DEFLATE of RFC 1951) decoded as a stream, our own decoder.
 *
 *     fill() --> input buffer --> bits --> tables --> window (32 KiB of history + new) --> caller
 *
 * Codes are looked up in tables that give symbol, base value and bits to drop at once (11 bits for
 * literals and lengths, 8 for distances, longer codes through a second table); the inner loop runs
 * while 16 input bytes and one longest match fit without a check. Several members one after another
 * are one stream; each is checked by its CRC-32 and length. Every malformed stream is SEAM_CORRUPT.
 * Papers: Ziv & Lempel, IEEE Trans. Inf. Theory 23(3), 1977; Sarwate, CACM 31(8), 1988 (table CRC).
 * Memory: about 340 KiB, however large the file. One thread at a time.                           */
#ifndef SEAM_ENGINE_INFLATE_H
#define SEAM_ENGINE_INFLATE_H

#include "engine/base/status.h"

struct seam_inflate;

/* Where compressed bytes come from: up to n bytes into p; *got == 0 only at the end.             */
struct seam_inflate_input {
    enum seam_status (*fill)(void *ctx, void *p, size_t n, size_t *got, struct seam_fault *f);
    void *ctx;
    const char *where; /* names the file in faults; outlives the decoder */
};

SEAM_MUST_USE enum seam_status seam_inflate_open(struct seam_inflate_input input,
                                                 struct seam_inflate **out);
/* Up to n decoded bytes; *got == 0 only at the end of the last member.                           */
SEAM_MUST_USE enum seam_status seam_inflate_read(struct seam_inflate *z, void *p, size_t n,
                                                 size_t *got, struct seam_fault *f);
void seam_inflate_close(struct seam_inflate *z); /* accepts NULL */

#endif
