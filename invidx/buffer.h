/* buffer - documents in memory until they become a segment. Private to the room.
 *
 * A document is kept as the numbers of its terms in text order, four bytes a token; the postings are made
 * when the segment is written, by one counting sort over all tokens (term, then document in key order, then
 * position). Surface words are hashed once each: analysis after tokenizing costs nothing per token.     */
#ifndef SEAM_INVIDX_BUFFER_H
#define SEAM_INVIDX_BUFFER_H

#include "invidx/analyze.h"
#include "invidx/segbuild.h"

enum {
    TERM_HOLE = 0xffffffffu, /* a stop word: takes a position, is no term */
    TERM_NEW =
        0xfffffffeu, /* a slot whose term memory did not suffice for: its word is as good as unseen */
};

struct invidx_word_slot {
    uint64_t lo, hi; /* words of 16 bytes and less: the bytes; longer: hash, offset of the text */
    uint32_t len;    /* 0 = free */
    uint32_t term;   /* or TERM_HOLE, TERM_NEW */
};

struct invidx_text_ref {
    uint32_t at, len;
};

struct invidx_word_table {
    struct invidx_word_slot *slots;
    size_t size, used;
    struct seam_buf text; /* long words */
};

struct invidx_buffer_doc {
    uint64_t key;
    seam_lsn_t birth, death; /* death SEAM_LSN_MAX while it lives */
    uint64_t first_token;
};

struct invidx_buffer {
    const struct invidx_schema *schema;
    const struct invidx_analyzer *analyzer;
    struct seam_owner owner; /* of the segments that it becomes */
    struct invidx_word_table words;
    struct seam_buf term_text;
    struct invidx_text_ref *terms; /* by number */
    size_t term_count, term_cap;
    uint32_t *tokens;
    size_t token_count, token_cap;
    struct invidx_buffer_doc *docs;
    uint32_t *slots; /* tokens of each field of each document, holes included: docs x fields */
    int64_t *ints;   /* docs x attrs; KEYWORD: number of the value in `values` + 1, 0 = null   */
    uint8_t *nulls;  /* docs x attrs */
    uint32_t doc_count, doc_cap;
    uint32_t *by_key; /* open addressing: document + 1, 0 = free */
    size_t by_key_size;
    uint64_t top_key;
    struct invidx_word_table values_by_text; /* keyword values: attribute number, then the text */
    struct seam_buf value_text;
    struct invidx_text_ref *values;
    size_t value_count, value_cap;
};

void invidx_buffer_init(struct invidx_buffer *b, const struct invidx_schema *schema,
                        const struct invidx_analyzer *analyzer);
void invidx_buffer_free(struct invidx_buffer *b);
void invidx_buffer_clear(struct invidx_buffer *b);
size_t invidx_buffer_bytes(const struct invidx_buffer *b);
SEAM_MUST_USE enum seam_status invidx_buffer_add(struct invidx_buffer *b,
                                                 const struct invidx_doc *doc, seam_lsn_t lsn,
                                                 struct seam_fault *f);
/* The live document of a key, or -1.                                                                  */
int64_t invidx_buffer_find(const struct invidx_buffer *b, uint64_t key);
/* Writes all documents, dead ones too, as segment id. order (doc_count entries, the caller's) receives
 * which buffered document each document of the segment is.                                            */
SEAM_MUST_USE enum seam_status invidx_buffer_flush(struct invidx_buffer *b, struct seam_io *io,
                                                   const char *dir, uint64_t id, uint32_t *order,
                                                   struct seam_fault *f);

#endif
