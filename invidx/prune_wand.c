/* invidx_prune_wand - block-max WAND: any of several words, a document at a time.
 *
 * The lists stand in order of their documents; the pivot is the first whose bounds, with those before it, reach
 * need. No document before the pivot can matter; one at it only if the bounds of the blocks that hold it agree.
 * Papers: Broder et al. (CIKM 2003); Ding & Suel (SIGIR 2011).                                          */
#include "engine/base/walk.h"
#include "invidx/prune.h"

#include <assert.h>

static uint32_t doc_of(const struct invidx_list *l)
{
    SEAM_WALK(l->block <= l->p->blocks);
    SEAM_WALK(l->at <= PFOR_BLOCK);
    return l->block < l->p->blocks ? l->p->docs[l->at] : NO_DOC;
}

/* Moves a list to its first document >= doc; the document may be anywhere up to NO_DOC.                   */
static bool move_to(struct invidx_exec *x, struct invidx_list *l, uint32_t doc)
{
    uint32_t b = invidx_postings_seek_block(l->p, l->block, doc);
    SEAM_WALK(l->block <= l->p->blocks);
    SEAM_WALK(doc <= NO_DOC);

    if (b != l->block || l->p->block != b) {
        l->block = b;
        l->at = 0;
        if (b >= l->p->blocks) return true;
        if (!exec_load(x, l->p, b)) return false;
    }
    l->at = (uint32_t)invidx_find_at_least(l->p->docs, l->at, doc);
    return true;
}

static bool docs_in_order(const struct invidx_shape *s, const uint32_t *order)
{
    for (uint32_t i = 1; i < s->n; i++)
        if (doc_of(&s->lists[order[i - 1]]) > doc_of(&s->lists[order[i]])) return false;
    return true;
}

static void sort_by_doc(struct invidx_shape *s, uint32_t *order)
{
    SEAM_WALK(s->n <= PRUNE_TERMS_MAX);
    for (uint32_t i = 1; i < s->n; i++) {
        uint32_t v = order[i], k = i;

        for (; k > 0 && doc_of(&s->lists[order[k - 1]]) > doc_of(&s->lists[v]); k--)
            order[k] = order[k - 1];
        order[k] = v;
    }
    SEAM_WALK(docs_in_order(s, order));
}

/* Scores the pivot document, whose lists all stand on it.                                                 */
static bool score_pivot(struct invidx_exec *x, struct invidx_shape *s, const uint32_t *order,
                        uint32_t doc)
{
    int64_t score = 0;
    assert(doc < x->seg->docs);
    assert(s->n > 0);

    for (uint32_t i = 0; i < s->n && doc_of(&s->lists[order[i]]) == doc; i++) {
        struct invidx_list *l = &s->lists[order[i]];

        if (!exec_tf(x, l->p)) return false;
        score += bm25_one(&l->leaf->model, l->p->tf[l->at], segment_length(x->seg, doc));
        x->out->work.scored++;
    }
    invidx_prune_offer(x, s, doc, score);
    return true;
}

/* The bounds of the blocks that hold the pivot are too low together: where may the next candidate be?      */
static int64_t block_bound(struct invidx_shape *s, const uint32_t *order, uint32_t pivot,
                           uint32_t doc, uint32_t *next)
{
    int64_t sum = 0;
    assert(pivot < s->n);

    *next = pivot + 1 < s->n ? doc_of(&s->lists[order[pivot + 1]]) : NO_DOC;
    for (uint32_t i = 0; i <= pivot; i++) {
        struct invidx_list *l = &s->lists[order[i]];
        uint32_t b = invidx_postings_seek_block(l->p, l->block, doc);

        if (b >= l->p->blocks) continue;
        sum += l->bounds[b];
        if (last_of(l, b) + 1 < *next) *next = last_of(l, b) + 1;
    }
    if (*next <= doc) *next = doc + 1;
    assert(*next > doc);
    return sum;
}

void invidx_prune_wand(struct invidx_exec *x, struct invidx_shape *s)
{
    uint32_t order[PRUNE_TERMS_MAX];
    int32_t most[PRUNE_TERMS_MAX];
    assert(s->n > 0 && s->n <= PRUNE_TERMS_MAX);
    assert(x->scoring);

    for (uint32_t i = 0; i < s->n; i++) {
        struct invidx_list *l = &s->lists[i];

        if (!invidx_prune_bounds(x, l) || !exec_load(x, l->p, 0)) return;
        order[i] = i;
        most[i] = 0;
        for (uint32_t b = 0; b < l->p->blocks; b++)
            if (l->bounds[b] > most[i]) most[i] = l->bounds[b];
    }
    for (;;) {
        int64_t sum = 0;
        uint32_t pivot = 0, doc, next;

        sort_by_doc(s, order);
        for (; pivot < s->n; pivot++) {
            sum += most[order[pivot]];
            if (sum >= x->need) break;
        }
        if (pivot == s->n) return;
        doc = doc_of(&s->lists[order[pivot]]);
        if (doc == NO_DOC) return;
        while (pivot + 1 < s->n && doc_of(&s->lists[order[pivot + 1]]) == doc) pivot++;
        if (block_bound(s, order, pivot, doc, &next) < x->need) {
            x->out->work.blocks_skipped++;
        } else if (doc_of(&s->lists[order[0]]) == doc) {
            if (!score_pivot(x, s, order, doc)) return;
            next = doc + 1;
        } else {
            next = doc;
        }
        for (uint32_t i = 0; i <= pivot; i++)
            if (doc_of(&s->lists[order[i]]) < next && !move_to(x, &s->lists[order[i]], next))
                return;
    }
}
