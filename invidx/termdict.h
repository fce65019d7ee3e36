/* termdict - sorted terms, front-coded in blocks of 16, each with where its postings are. Private.
 *
 *   DICT section:   heads u64 x blocks | offsets u32 x (blocks + 1)
 *   TERMS section, one block:
 *   +-----------+--------------------------------------------------+-----------------+-----------------+
 *   | u16 texts | varint base of postings | positions | skips      | texts (u16 bytes)| entries         |
 *   +-----------+--------------------------------------------------+-----------------+-----------------+
 *   text  first: u8 length, bytes.  others: u8 shared<<4 | suffix when shared < 15 and suffix < 16, else
 *         0xf0, u8 shared, u8 suffix; then the suffix bytes
 *   entry varint df, then
 *         df = 1: varint doc | per field: varint tf | per field: tf varint gaps of positions
 *         df > 1: varint bytes in POSTINGS | varint bytes in POSITIONS      (each follows the one before)
 *         df >= 128 also has ceil(df/128) x 20 bytes in SKIPS
 *   WORDS section: the same text coding in blocks of 16, an entry is: varint ordinal of its term
 *         u32 words | u32 blocks | offsets u32 x (blocks + 1) | blocks                              */
#ifndef SEAM_INVIDX_TERMDICT_H
#define SEAM_INVIDX_TERMDICT_H

#include "invidx/segment.h"

enum { DICT_BLOCK = 16, SKIP_ENTRY = 20 };

struct invidx_term {
    uint32_t ord, df;
    struct invidx_span postings, positions; /* df > 1 */
    const uint8_t *skips;                   /* df >= 128 */
    const uint8_t *inlined, *inlined_end;   /* df == 1: from the document on */
};

/* Checks the DICT section; called when a segment is opened.                                           */
SEAM_MUST_USE enum seam_status invidx_termdict_open(struct invidx_segment *s, struct seam_fault *f);
/* SEAM_NOT_FOUND (no fault set) when the segment has no such term.                                      */
SEAM_MUST_USE enum seam_status invidx_termdict_find(struct invidx_segment *s, const char *text,
                                                    size_t n, struct invidx_term *out,
                                                    struct seam_fault *f);

struct invidx_termdict_iter {
    struct invidx_segment *seg;
    struct invidx_term term;
    char text[INVIDX_TERM_MAX + 1];
    size_t len;
    uint32_t block, in_block; /* of the next term            */
    const uint8_t *t, *t_end; /* next text                   */
    const uint8_t *e, *e_end; /* next entry                  */
    uint64_t at[3];           /* postings, positions, skips  */
};
/* Positions before the first term >= text.                                                            */
SEAM_MUST_USE enum seam_status invidx_termdict_seek(struct invidx_termdict_iter *it,
                                                    struct invidx_segment *s, const char *text,
                                                    size_t n, struct seam_fault *f);
/* SEAM_END (no fault set) after the last.                                                               */
SEAM_MUST_USE enum seam_status invidx_termdict_next(struct invidx_termdict_iter *it,
                                                    struct seam_fault *f);
/* The term of an ordinal. */
SEAM_MUST_USE enum seam_status invidx_termdict_at(struct invidx_termdict_iter *it,
                                                  struct invidx_segment *s, uint32_t ord,
                                                  struct seam_fault *f);

/* Surface words with the terms they became, in order; none in an index that does not stem.            */
struct invidx_words_iter {
    struct invidx_segment *seg;
    char text[INVIDX_TERM_MAX + 1];
    size_t len;
    uint32_t ord; /* of its term */
    uint32_t next, count, blocks;
    const uint8_t *p, *end;
};
SEAM_MUST_USE enum seam_status invidx_words_seek(struct invidx_words_iter *it,
                                                 struct invidx_segment *s, const char *text,
                                                 size_t n, struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_words_next(struct invidx_words_iter *it,
                                                 struct seam_fault *f);

/* Writing: appends one text of a block. */
void invidx_dict_put_text(struct seam_buf *out, const char *prev, size_t prev_len, const char *text,
                          size_t n, bool first);
uint64_t invidx_dict_head(const char *text, size_t n); /* first 8 bytes, big-endian */

#endif
