/* symbols - string compression by a table of up to 255 byte sequences of 1..16 bytes.
 *
 * One byte of code stands for one symbol; code 255 escapes the literal byte after it. The table is learned
 * from a sample bottom-up, as FSST does: encode the sample, count symbols and neighbouring pairs, keep
 * the 255 that save most, and again. Symbols here reach 16 bytes (FSST: 8), since a vector's strings are
 * compressed as one run and decoded together with 16-byte stores; so words of text become one code.
 *
 *   table on disk:  count u8 | count x length u8 | symbols' bytes, end to end
 *
 * Paper: Boncz, Neumann, Leis, "FSST: Fast Random Access String Compression" (PVLDB 13(11), 2020).  */
#ifndef SEAM_COLUMNAR_SYMBOLS_H
#define SEAM_COLUMNAR_SYMBOLS_H

#include "engine/base/buf.h"

enum { SYMBOL_BYTES = 16, SYMBOLS_MAX = 255, SYMBOL_ESCAPE = 255, SYMBOLS_DECODE_SLACK = 32 };

struct columnar_symbols {
    uint32_t count;
    uint8_t length[256];
    uint8_t bytes[256][SYMBOL_BYTES];
};

struct columnar_symbol_encoder; /* a table with its look-up structure */

/* Learns from up to 64 KiB of `sample`. NULL = no memory. */
struct columnar_symbol_encoder *columnar_symbols_learn(const uint8_t *sample, size_t n);
void columnar_symbols_encoder_free(struct columnar_symbol_encoder *e);
const struct columnar_symbols *columnar_symbols_table(const struct columnar_symbol_encoder *e);
void columnar_symbols_encode(const struct columnar_symbol_encoder *e, const uint8_t *in, size_t n,
                             struct seam_buf *out);

void columnar_symbols_write(const struct columnar_symbols *t, struct seam_buf *out);
bool columnar_symbols_read(struct seam_reader *r, struct columnar_symbols *t);
/* Decodes to exactly `expect` bytes (out has SYMBOLS_DECODE_SLACK more); false: the codes give
 * another number.                                                                                  */
bool columnar_symbols_decode(const struct columnar_symbols *t, const uint8_t *in, size_t n,
                             uint8_t *out, size_t expect);

#endif
