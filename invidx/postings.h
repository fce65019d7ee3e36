/* postings - one term's documents in a segment, by blocks of 128. Private to the room.
 *
 *   POSTINGS of a term, block after block:
 *     pfor( gap to the document before, less one; flag: every frequency is 1 (one field only) )
 *     unless flagged, per field: pfor( frequency; less one when there is one field )
 *   POSITIONS of a term, block after block: all positions of the block's postings in order (document, then
 *     field, each field counted from 0), as gaps, in pfor runs of 128
 *   SKIPS of a term with df >= 128, one array after another, nb = ceil(df/128):
 *     last document u32 x nb | impacts 8 bytes x nb | offset in POSTINGS u32 x nb | in POSITIONS u32 x nb
 *   impacts: four (frequency u8, length code u8) pairs that cover the block: each posting has a pair with
 *     frequency >= its own (255 = any) and length <= its own, so no posting scores above the best pair.
 *     Frequencies and lengths are the weighted sums over fields.
 *   length code c: c < 64: c, else (32 + c%32) << (c/32 - 1)
 *
 * Papers: Ding & Suel, "Faster top-k document retrieval using block-max indexes" (SIGIR 2011); impacts as
 * pairs, so that k1, b and the average length may change after the fact, are Lucene 8's idea.         */
#ifndef SEAM_INVIDX_POSTINGS_H
#define SEAM_INVIDX_POSTINGS_H

#include "invidx/pfor.h"
#include "invidx/termdict.h"

enum { NO_DOC = 0x7fffffff, POSITION_FIELD_SHIFT = 20 };
_Static_assert(INVIDX_FIELD_TOKENS_MAX <= 1 << POSITION_FIELD_SHIFT, "a position names its field");

struct invidx_postings {
    struct invidx_segment *seg;
    uint32_t df, blocks;
    const uint8_t *last, *impacts, *post_at, *pos_at; /* skip arrays; NULL when df < 128 */
    struct invidx_span postings, positions;
    const uint8_t *inlined_pos;          /* df == 1 */
    uint32_t weights[INVIDX_FIELDS_MAX]; /* 0 hides a field */
    bool plain;                          /* one field, weight 1 */
    /* the decoded block */
    uint32_t block; /* UINT32_MAX = none   */
    uint32_t n;
    bool have_tf, have_pos;
    const uint8_t *tf_from, *block_end;
    uint32_t *field_tf; /* fields x 128, when fields > 1 */
    uint32_t pos_start[PFOR_BLOCK + 1];
    uint64_t summed[2];  /* postings whose positions are no gaps any more */
    struct seam_buf pos; /* u32 positions of the block */
    uint64_t decoded;    /* postings decoded so far; positions */
    uint64_t positions_read;
    uint32_t docs[PFOR_BLOCK + 32] __attribute__((aligned(64))); /* the rest is NO_DOC */
    uint32_t tf[PFOR_BLOCK + 32] __attribute__((aligned(64)));
};

/* weights: one a field. Opens on no block. p->pos and p->field_tf are kept between openings.            */
SEAM_MUST_USE enum seam_status invidx_postings_open(struct invidx_postings *p,
                                                    struct invidx_segment *s,
                                                    const struct invidx_term *t,
                                                    const uint32_t *weights, struct seam_fault *f);
void invidx_postings_free(struct invidx_postings *p);
/* Decodes block b's documents (nothing when it is there already).                                      */
SEAM_MUST_USE enum seam_status invidx_postings_load(struct invidx_postings *p, uint32_t b,
                                                    struct seam_fault *f);
/* ... and its weighted frequencies into tf[].                                                          */
SEAM_MUST_USE enum seam_status invidx_postings_load_tf(struct invidx_postings *p,
                                                       struct seam_fault *f);
/* ... and its positions, still as gaps.                                                                */
SEAM_MUST_USE enum seam_status invidx_postings_load_positions(struct invidx_postings *p,
                                                              struct seam_fault *f);
/* Positions of posting i (positions loaded): n of them, each field << POSITION_FIELD_SHIFT | position,
 * ascending; valid until another block's are loaded.                                                   */
const uint32_t *invidx_postings_positions(struct invidx_postings *p, uint32_t i, uint32_t *n);

static inline uint32_t postings_last(const struct invidx_postings *p, uint32_t b)
{
    return p->last != NULL ? seam_get_u32(p->last + 4 * (size_t)b) : p->docs[p->n - 1];
}
/* First block at or after `from` whose last document is >= doc; p->blocks when none.                   */
uint32_t invidx_postings_seek_block(const struct invidx_postings *p, uint32_t from, uint32_t doc);

unsigned invidx_length_code(uint32_t length); /* rounds down */
static inline uint32_t length_of_code(unsigned c)
{
    return c < 64 ? c : (32u + c % 32) << (c / 32 - 1);
}
/* The postings of one term, whole: for building, merging and digests. */
struct invidx_plist {
    size_t n, cap, pos_n, pos_cap;
    uint32_t *docs, *tf; /* tf: fields of a posting together */
    uint32_t *pos;       /* positions in their field, in the order of POSITIONS */
};
bool invidx_plist_reserve(struct invidx_plist *l, size_t n, size_t pos_n, size_t fields);
void invidx_plist_free(struct invidx_plist *l);
SEAM_MUST_USE enum seam_status invidx_plist_read(struct invidx_plist *l, struct invidx_segment *s,
                                                 const struct invidx_term *t,
                                                 struct invidx_postings *p, struct seam_fault *f);
/* Hash of one posting for the additive digest: the same wherever and with whatever number it is stored. */
struct seam_hash128 invidx_posting_hash(struct seam_hash128 term, uint64_t key, const uint32_t *tf,
                                        size_t fields, const uint32_t *pos, size_t pos_n);

#endif
