/* chunk - one column of one row group: the unit that is encoded, checksummed and pruned.
 *
 *   off size
 *   0   1    kind        enum columnar_chunk_kind
 *   1   1    type        enum seam_value_type
 *   2   1    scale
 *   3   1    flags       1: every encoded integer fits 32 bits
 *   4   4    rows        1 .. 1,048,576
 *   8   8    base        INTS: value = base + factor * encoded (modulo 2^64)
 *   16  8    factor      INTS: the common divisor; DECIMALS: digits after the point
 *   24  4    aux size    dictionary or symbol table
 *   28  4    zone width  0, 1, 2, 4 or 8 bytes
 *   32  8    zone base   the smallest zone value
 *   40  ...  directory   a vector: end of its block in data u32, nulls u16
 *   .   ...  zones       a vector: min, max, each minus zone base, in zone-width bytes
 *   .   ...  aux
 *   .   ...  data        a block a vector
 *
 *   block    [nulls: size u16, ints of 0/1]   only when some but not all rows are null
 *            INTS, DICT, TEXT_DICT:  ints (values, or codes into the sorted dictionary)
 *            DECIMALS:               size u16, ints (base + scaled value), then exceptions: count u16,
 *                                    positions u16 each, IEEE bits u64 each
 *            TEXT_SYMBOLS, _PLAIN:   size u16, ints (lengths), then codes or bytes of all rows
 *   all-null vectors have an empty block. A null row holds some value, whichever packs best.
 *
 * Zone values order as the column does: integers as they are, doubles as their bits with the lower 63
 * flipped when negative, text as its first 8 bytes, big-endian, sign bit flipped (so text zones bound
 * prefixes: min is at most and max at least the prefix of every row).
 *
 * Kinds are tried per chunk and the smallest encoded size wins. Codes then go through `ints`, so a
 * dictionary in sorted data ends as run-length: the cascade.
 * Papers: Abadi, Madden, Ferreira (SIGMOD 2006); Afroozeh et al., ALP (SIGMOD 2023); Kuschewski et al.,
 * BtrBlocks (SIGMOD 2023); Moerkotte, small materialized aggregates (VLDB 1998).                   */
#ifndef SEAM_COLUMNAR_CHUNK_H
#define SEAM_COLUMNAR_CHUNK_H

#include "columnar/columnar.h"
#include "columnar/format/ints.h"
#include "columnar/format/symbols.h"
#include "columnar/format/vector.h"

enum columnar_chunk_kind { /* on disk; never renumber */
                           CHUNK_INTS = 1,
                           CHUNK_DICT = 2,
                           CHUNK_DECIMALS = 3,
                           CHUNK_TEXT_DICT = 4,
                           CHUNK_TEXT_SYMBOLS = 5,
                           CHUNK_TEXT_PLAIN = 6,
                           CHUNK_KINDS = 7
};
enum { CHUNK_HEAD = 40, CHUNK_ROWS_MAX = 1 << 20, CHUNK_DICT_MAX = 1 << 16 };

struct columnar_zone {
    int64_t min, max; /* min > max: no value, all null */
    uint32_t at, end; /* block within data */
    uint32_t nulls;
};

struct columnar_chunk_summary { /* what the footer repeats of it */
    uint8_t kind, type, scale;
    int64_t min, max;
    uint64_t nulls, distinct;
};

struct columnar_chunk {
    uint8_t kind, type, scale;
    bool no_memory; /* while it is opened: allocation failed, the bytes are not to blame */
    bool narrow;
    uint32_t rows, vectors;
    uint64_t base, factor;
    struct columnar_zone *zones;
    int64_t min, max;
    uint64_t nulls;
    uint32_t dict_count, dict_slots; /* slots >= any code a block can hold */
    int64_t *dict_i;                 /* DICT over int-like */
    double *dict_d;                  /* DICT over double */
    struct columnar_text_ref *dict_s;
    struct columnar_symbols *symbols;
    uint32_t text_max; /* most text bytes a vector may decode to */
    const uint8_t *data;
    size_t size; /* the whole chunk, encoded */
};

/* Encodes rows [from, from + n) of a column (from a multiple of 64). SEAM_NOMEM by out's flag. */
void columnar_chunk_encode(const struct columnar_column *c, size_t from, size_t n,
                           enum seam_value_type type, unsigned scale, struct seam_buf *out,
                           struct columnar_chunk_summary *summary);

/* Checks everything that can be checked without decoding, and reads the dictionary. p must live as long
 * as the chunk and be followed by BITPACK_SLACK readable bytes. *out is NULL unless SEAM_OK.
 * SEAM_CORRUPT: *at says where. SEAM_NOMEM. */
SEAM_MUST_USE enum seam_status columnar_chunk_open(const uint8_t *p, size_t size,
                                                   struct columnar_chunk **out, size_t *at);
void columnar_chunk_close(struct columnar_chunk *c);

static inline uint32_t chunk_vector_rows(const struct columnar_chunk *c, uint32_t v)
{
    uint32_t left = c->rows - v * COLUMNAR_VECTOR_ROWS;

    return left < COLUMNAR_VECTOR_ROWS ? left : COLUMNAR_VECTOR_ROWS;
}

/* One vector, still encoded. */
struct columnar_chunk_vector {
    uint32_t rows, nulls;
    struct columnar_ints_block null_bits; /* when 0 < nulls < rows */
    struct columnar_ints_block ints; /* values, codes or lengths; not set when all rows are null */
    const uint8_t *rest;             /* text bytes, exceptions */
    size_t rest_size;
};
bool columnar_chunk_vector(const struct columnar_chunk *c, uint32_t v,
                           struct columnar_chunk_vector *out);
bool columnar_chunk_vector_nulls(const struct columnar_chunk_vector *cv,
                                 uint64_t bits[COLUMNAR_VECTOR_WORDS]);

/* Memory for one decoded vector of one column. */
struct columnar_chunk_scratch {
    union {
        int64_t i[COLUMNAR_VECTOR_ROWS];
        double d[COLUMNAR_VECTOR_ROWS];
        uint64_t u[COLUMNAR_VECTOR_ROWS];
    };
    uint32_t code[COLUMNAR_VECTOR_ROWS];
    struct columnar_text_ref *s; /* COLUMNAR_VECTOR_ROWS of them, made at first need */
    uint64_t nulls[COLUMNAR_VECTOR_WORDS];
    uint8_t *bytes;
    size_t bytes_cap;
};
struct columnar_chunk_scratch *columnar_chunk_scratch_new(void);
void columnar_chunk_scratch_free(struct columnar_chunk_scratch *s);

/* Decodes vector v; *out points into scratch and chunk. SEAM_CORRUPT, SEAM_NOMEM. */
enum seam_status columnar_chunk_read(const struct columnar_chunk *c, uint32_t v,
                                     struct columnar_chunk_scratch *scratch,
                                     struct columnar_vec *out);

int64_t columnar_zone_of_double(double d);
double columnar_zone_to_double(int64_t z);
int64_t columnar_zone_of_text(const char *s, size_t n); /* prefix: rounds down */
const char *columnar_chunk_kind_name(enum columnar_chunk_kind k);

#endif
