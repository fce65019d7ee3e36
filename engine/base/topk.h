/* topk - the k best (score, id) pairs. Higher score is better; equal scores: the lower id is better.
 *
 * That tie rule is total, so every algorithm that feeds the same pairs in any order gets the same
 * answer. Used by BM25, fusion and exact search.                                                  */
#ifndef SEAM_ENGINE_TOPK_H
#define SEAM_ENGINE_TOPK_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seam_topk_entry {
    double score;
    uint64_t id;
};

struct seam_topk {
    struct seam_topk_entry *heap; /* worst at the root; caller's memory of k entries */
    size_t k, count;
};

static inline bool seam_topk_better(struct seam_topk_entry a, struct seam_topk_entry b)
{
    return a.score > b.score || (a.score == b.score && a.id < b.id);
}
void seam_topk_init(struct seam_topk *t, struct seam_topk_entry *memory, size_t k);
bool seam_topk_push(struct seam_topk *t, double score, uint64_t id); /* true when it entered */
/* The score an entry must beat (or tie with a lower id); -INFINITY while not full.                 */
static inline double seam_topk_threshold(const struct seam_topk *t)
{
    return t->count < t->k ? -INFINITY : (t->k == 0 ? INFINITY : t->heap[0].score);
}
size_t seam_topk_finish(
    struct seam_topk *t); /* sorts best first in place; returns the count; ends use as a heap */

#endif
