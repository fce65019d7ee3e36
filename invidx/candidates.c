/* candidates - what every pruned shape does with a document: is it let through, does it enter, what can a block give? */
#include "engine/base/walk.h"
#include "invidx/prune.h"

#include <assert.h>

bool invidx_prune_passes(struct invidx_exec *x, const struct invidx_shape *s, uint32_t doc)
{
    SEAM_WALK(doc < x->seg->docs);
    SEAM_WALK(s->filter_count <= FILTERS_MAX);
    if (rseg_dead(x->rs, doc)) return false;
    for (uint32_t i = 0; i < s->filter_count; i++) {
        const struct invidx_plan_node *n = s->filters[i];
        int64_t v;

        if (n->kind == PLAN_KEYWORD) {
            if (n->code == 0 || invidx_segment_attr_code(x->seg, n->attr, doc) != n->code)
                return false;
        } else if (!invidx_segment_attr_int(x->seg, n->attr, doc, &v) || v < n->lo || v > n->hi) {
            return false;
        }
    }
    return true;
}

void invidx_prune_offer(struct invidx_exec *x, const struct invidx_shape *s, uint32_t doc,
                        int64_t score)
{
    struct invidx_entry e = {.rank = (uint64_t)score, .score = (int32_t)score, .present = true};
    SEAM_WALK(x->need >= 0);
    SEAM_WALK(doc < x->seg->docs);

    if (score < x->need || !invidx_prune_passes(x, s, doc)) return;
    assert(score <= INT32_MAX);
    assert(x->scoring);
    x->total++;
    e.key = segment_key(x->seg, doc);
    if (invidx_heap_push(&x->heap, &e)) x->need = invidx_heap_need(&x->heap, e.key);
}

/* Scores the loaded block of a list: one per posting.                                                   */
bool invidx_prune_score_block(struct invidx_exec *x, struct invidx_list *l, int32_t *out)
{
    assert(l->p->block < l->p->blocks);
    assert(l->p->n <= PFOR_BLOCK);
    if (!exec_tf(x, l->p)) return false;
    invidx_bm25_block(&l->leaf->model, l->p->docs, l->p->tf, x->seg->lengths, l->p->n, out);
    x->out->work.scored += l->p->n;
    return true;
}

/* Bounds of every block; for a short list the scores themselves tell.                                    */
bool invidx_prune_bounds(struct invidx_exec *x, struct invidx_list *l)
{
    int32_t score[PFOR_BLOCK + 16];
    assert(l->p->blocks > 0);
    assert(x->scoring);

    l->bounds = seam_arena_alloc(&x->plan->q->run, sizeof *l->bounds * (l->p->blocks + 4u));
    if (l->bounds == NULL) {
        x->st = seam_fault_set(x->f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                               "no memory to run the query");
        return false;
    }
    if (l->p->last != NULL) {
        invidx_bm25_bounds(&l->leaf->model, l->p->impacts, l->p->blocks, l->bounds);
        return true;
    }
    if (!exec_load(x, l->p, 0) || !invidx_prune_score_block(x, l, score)) return false;
    assert(l->p->blocks == 1);
    l->bounds[0] = 0;
    for (uint32_t i = 0; i < l->p->n; i++)
        if (score[i] > l->bounds[0]) l->bounds[0] = score[i];
    return true;
}
