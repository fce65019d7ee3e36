/* score - BM25 in whole numbers, so that no order of adding can change a sum. Private to the room.
 *
 *   contribution = 1 + floor( w - w / (1 + tf / (k0 + k1l * length)) )       in float, then to int32
 *     w   = 2^S * boost * idf * (k1 + 1)      S is the largest with the sum of all w <= 2^30
 *     k0  = k1 * (1 - b)    k1l = k1 * b / average length
 *
 * Each step is one correctly rounded operation and monotone in tf and in -length, so the bound of a block's
 * impacts is never below a score in it, to the last bit; and integers add the same in any order, which is
 * why pruned, exhaustive, SIMD and scalar evaluation agree exactly. score = sum / 2^S.
 * The 1 keeps a match apart from no match, however small its weight.
 * idf = ln(1 + (N - df + 0.5) / (df + 0.5)) over live documents.                                       */
#ifndef SEAM_INVIDX_SCORE_H
#define SEAM_INVIDX_SCORE_H

#include <stddef.h>
#include <stdint.h>

struct invidx_bm25 {
    float w, k0, k1l;
};

double invidx_bm25_idf(uint64_t docs, uint64_t df);
static inline int32_t bm25_one(const struct invidx_bm25 *m, uint32_t tf, uint32_t length)
{
    float k = m->k0 + m->k1l * (float)length;
    float t = (float)tf / k;

    return 1 + (int32_t)(m->w - m->w / (1.0f + t));
}
/* out[i] for n documents; docs, tf and out have room for a multiple of 16. lengths: u16 a document.    */
void invidx_bm25_block(const struct invidx_bm25 *m, const uint32_t *docs, const uint32_t *tf,
                       const uint8_t *lengths, size_t n, int32_t *out);
void invidx_bm25_block_scalar(const struct invidx_bm25 *m, const uint32_t *docs, const uint32_t *tf,
                              const uint8_t *lengths, size_t n, int32_t *out);
/* Upper bounds of n blocks from their impacts (8 bytes each, postings.h).                              */
void invidx_bm25_bounds(const struct invidx_bm25 *m, const uint8_t *impacts, size_t n,
                        int32_t *out);
void invidx_bm25_bounds_scalar(const struct invidx_bm25 *m, const uint8_t *impacts, size_t n,
                               int32_t *out);
/* Indexes of the scores >= need, in order; index has room for n rounded up to 16. Returns how many.     */
size_t invidx_select_at_least(const int32_t *score, size_t n, int32_t need, uint32_t *index);
/* First i >= from with docs[i] >= doc; docs ends in values above every document (up to a multiple of 16). */
size_t invidx_find_at_least(const uint32_t *docs, size_t from, uint32_t doc);
/* Common values of two ascending arrays: index pairs into ia and ib. Starts at b[*from] and leaves *from where
 * the next, later a may start. b ends as for invidx_find_at_least. Returns how many pairs (at most an).        */
size_t invidx_intersect(const uint32_t *a, size_t an, const uint32_t *b, size_t *from, uint32_t *ia,
                        uint32_t *ib);
/* v[i] = base + (v[0] + 1) + ... + (v[i] + 1), modulo 2^32; v has room for n rounded up to 16.           */
void invidx_sum_gaps(uint32_t *v, size_t n, uint32_t base);

#endif
