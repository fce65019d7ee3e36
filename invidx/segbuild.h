/* segbuild - writes one segment: documents first, then terms in byte order. Private to the room.
 *
 * The whole file is built in memory and written once; its size bounds the memory (a merge needs about as
 * much as the segment it makes).                                                                      */
#ifndef SEAM_INVIDX_SEGBUILD_H
#define SEAM_INVIDX_SEGBUILD_H

#include "invidx/postings.h"

struct invidx_segbuild {
    const struct invidx_schema *schema;
    struct seam_owner owner;
    uint64_t id;
    uint32_t docs, terms, fields;
    struct seam_buf section[SEG_ATTR + INVIDX_ATTRS_MAX];
    struct seam_buf heads, offsets; /* of DICT                       */
    struct seam_buf block_texts, block_entries;
    uint64_t block_base[3], at[3];
    uint32_t in_block;
    char prev[INVIDX_TERM_MAX];
    size_t prev_len;
    uint64_t length_sum, field_tokens[INVIDX_FIELDS_MAX];
    struct seam_digest digest;
    const uint64_t *keys; /* the caller's, until finish    */
    uint16_t *lengths;
    uint32_t words;
    struct seam_buf word_offsets, word_bytes;
    char prev_word[INVIDX_TERM_MAX];
    size_t prev_word_len;
};

SEAM_MUST_USE enum seam_status invidx_segbuild_new(const struct invidx_schema *schema,
                                                   const struct seam_owner *owner, uint64_t id,
                                                   uint32_t docs, struct invidx_segbuild **out,
                                                   struct seam_fault *f);
void invidx_segbuild_free(struct invidx_segbuild *b);
/* keys ascending; field_lengths: field after field, docs each. keys must live until finish.           */
void invidx_segbuild_docs(struct invidx_segbuild *b, const uint64_t *keys, const uint64_t *births,
                          const uint32_t *field_lengths);
void invidx_segbuild_ints(struct invidx_segbuild *b, uint32_t attr, const int64_t *v,
                          const uint64_t *null_bits);
/* codes: 0 = null, i+1 = texts[i]; texts sorted and distinct.                                         */
void invidx_segbuild_keywords(struct invidx_segbuild *b, uint32_t attr, const uint64_t *codes,
                              const struct invidx_text *texts, uint32_t count);
/* Terms in strictly ascending byte order, each with at least one posting, documents ascending.        */
void invidx_segbuild_term(struct invidx_segbuild *b, const char *text, size_t n,
                          const struct invidx_plist *l);
/* Surface words in ascending byte order; ord = the ordinal of a term given before.                     */
void invidx_segbuild_word(struct invidx_segbuild *b, const char *text, size_t n, uint32_t ord);
/* Writes, syncs, and names the file; the folder is synced by whoever publishes.                       */
SEAM_MUST_USE enum seam_status invidx_segbuild_finish(struct invidx_segbuild *b, struct seam_io *io,
                                                      const char *dir, struct seam_fault *f);

#endif
