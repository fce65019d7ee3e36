/* invidx_prune_phrase - a phrase: its words are found together first, and positions are read only for documents whose
 * best possible score is enough.                                                                       */
#include "invidx/prune.h"

#include <assert.h>

/* The best score the phrase can have in this document: it occurs no more often than its rarest word (or, with
 * slop, its first).                                                                                      */
static bool worth_reading(struct invidx_exec *x, const struct invidx_leaf *l,
                          struct invidx_cursor *c, const uint32_t *i, uint32_t doc)
{
    uint32_t tf;
    assert(l->phrase && l->count > 0);
    assert(doc < x->seg->docs);

    if (!x->scoring || x->need <= 0) return true;
    for (uint32_t t = 0; t < l->count; t++)
        if (!exec_tf(x, c[t].p)) return false;
    tf = c[0].p->tf[i[0]];
    for (uint32_t t = 1; t < l->count && l->slop == 0; t++)
        if (c[t].p->tf[i[t]] < tf) tf = c[t].p->tf[i[t]];
    return bm25_one(&l->model, tf, segment_length(x->seg, doc)) >= x->need;
}

static void check_phrase(struct invidx_exec *x, const struct invidx_shape *s,
                         const struct invidx_leaf *l, struct invidx_cursor *c, const uint32_t *i,
                         uint32_t doc)
{
    uint32_t tf;
    assert(l->phrase);
    assert(doc < x->seg->docs);

    if (l->count != 2 && !worth_reading(x, l, c, i, doc)) return;
    for (uint32_t t = 0; t < l->count && x->st == SEAM_OK; t++)
        x->st = invidx_postings_load_positions(c[t].p, x->f);
    if (x->st != SEAM_OK) return;
    tf = invidx_phrase_frequency(l, c, i);
    if (tf == 0) return;
    if (x->scoring)
        invidx_prune_offer(x, s, doc, bm25_one(&l->model, tf, segment_length(x->seg, doc)));
    else
        x->total += invidx_prune_passes(x, s, doc);
}

/* What two loaded blocks have in common: posting first + ia[k] of the leading word is posting ib[k] of the other. */
struct pairs {
    uint32_t lead, first;
    const uint32_t *ia, *ib;
    size_t n;
};

/* Documents that both loaded blocks have: those whose best possible score is enough are read.            */
static void check_pairs(struct invidx_exec *x, const struct invidx_shape *s,
                        const struct invidx_leaf *l, const struct pairs *w)
{
    const uint32_t lead = w->lead, first = w->first, *ia = w->ia, *ib = w->ib;
    const size_t n = w->n;
    struct invidx_cursor *c = x->cursors[l->number];
    struct invidx_postings *p = c[lead].p, *o = c[1 - lead].p;
    uint32_t docs[PFOR_BLOCK + 16], tf[PFOR_BLOCK + 16], index[PFOR_BLOCK + 16], at[2];
    int32_t best[PFOR_BLOCK + 16];
    size_t m = n;

    if (n == 0) return;
    if (x->scoring && x->need > 0) {
        if (!exec_tf(x, p) || !exec_tf(x, o)) return;
        for (size_t k = 0; k < n; k++) {
            uint32_t a = p->tf[first + ia[k]], b = o->tf[ib[k]];

            docs[k] = p->docs[first + ia[k]];
            tf[k] = l->slop > 0 ? (lead == 0 ? a : b) : a < b ? a : b;
        }
        invidx_bm25_block(&l->model, docs, tf, x->seg->lengths, n, best);
        m = invidx_select_at_least(best, n, need_for(x->need), index);
    }
    for (size_t k = 0; k < m && x->st == SEAM_OK; k++) {
        size_t i = m == n ? k : index[k];

        at[lead] = first + ia[i];
        at[1 - lead] = ib[i];
        check_phrase(x, s, l, c, at, p->docs[first + ia[i]]);
    }
}

/* Two words: the blocks of the rarer one against the other's, so that both are at hand for the positions. */
static void run_pair(struct invidx_exec *x, const struct invidx_shape *s,
                     const struct invidx_leaf *l, const int32_t *bounds, uint32_t lead)
{
    struct invidx_cursor *c = x->cursors[l->number];
    struct invidx_postings *p = c[lead].p, *o = c[1 - lead].p;
    uint32_t b2 = 0;
    assert(l->count == 2);
    assert(lead <= 1);

    for (uint32_t b = 0; b < p->blocks && x->st == SEAM_OK; b++) {
        uint32_t i = 0;

        if (bounds != NULL && bounds[b] < x->need) {
            x->out->work.blocks_skipped++;
            continue;
        }
        if (!exec_load(x, p, b)) return;
        while (i < p->n && x->st == SEAM_OK) {
            uint32_t ia[PFOR_BLOCK], ib[PFOR_BLOCK], last, upto = i;
            size_t from = 0, n;

            b2 = invidx_postings_seek_block(o, b2, p->docs[i]);
            if (b2 >= o->blocks) return;
            if (!exec_load(x, o, b2)) return;
            last = o->docs[o->n - 1];
            while (upto < p->n && p->docs[upto] <= last) upto++;
            n = invidx_intersect(p->docs + i, upto - i, o->docs, &from, ia, ib);
            check_pairs(x, s, l, &(struct pairs){lead, i, ia, ib, n});
            assert(upto > i);
            i = upto;
        }
    }
}

/* Moves cursor t to the first posting >= doc.                                                            */
static uint32_t seek_cursor(struct invidx_exec *x, struct invidx_cursor *c, uint32_t *i,
                            uint32_t doc)
{
    uint32_t b = invidx_postings_seek_block(c->p, c->block, doc);
    assert(c->p != NULL);
    assert(doc <= NO_DOC);

    if (b >= c->p->blocks) return NO_DOC;
    if (b != c->block || c->p->block != b) {
        c->block = b;
        *i = 0;
        if (!exec_load(x, c->p, b)) return NO_DOC;
    }
    *i = (uint32_t)invidx_find_at_least(c->p->docs, *i, doc);
    assert(*i < PFOR_BLOCK + 16);
    return c->p->docs[*i];
}

void invidx_prune_phrase(struct invidx_exec *x, const struct invidx_shape *s,
                         const struct invidx_leaf *l)
{
    struct invidx_cursor *c = x->cursors[l->number];
    uint32_t i[PRUNE_TERMS_MAX] = {0}, lead = 0, doc = 0;
    int32_t *bounds = NULL;
    assert(l->phrase);
    assert(l->count > 0 && l->count <= PRUNE_TERMS_MAX);

    for (uint32_t t = 0; t < l->count; t++) {
        if (c[t].p == NULL) return;
        if (c[t].p->df < c[lead].p->df) lead = t;
    }
    if (x->scoring && c[lead].p->last != NULL && l->slop == 0) {
        bounds = seam_arena_alloc(&x->plan->q->run, sizeof *bounds * (c[lead].p->blocks + 4u));
        if (bounds == NULL) return;
        invidx_bm25_bounds(&l->model, c[lead].p->impacts, c[lead].p->blocks, bounds);
    }
    if (l->count == 2) {
        run_pair(x, s, l, bounds, lead);
        return;
    }
    while (x->st == SEAM_OK) {
        bool together = true;
        uint32_t at;

        if (bounds != NULL) { /* blocks of the leading word that cannot hold a good enough phrase */
            uint32_t b = invidx_postings_seek_block(c[lead].p, c[lead].block, doc);

            while (b < c[lead].p->blocks && bounds[b] < x->need) {
                doc = last_of(&(struct invidx_list){.p = c[lead].p}, b) + 1;
                x->out->work.blocks_skipped++;
                b++;
            }
        }
        at = seek_cursor(x, &c[lead], &i[lead], doc);
        if (at == NO_DOC) return;
        doc = at;
        for (uint32_t t = 0; t < l->count && together; t++) {
            if (t == lead) continue;
            at = seek_cursor(x, &c[t], &i[t], doc);
            if (at == NO_DOC) return;
            together = at == doc;
        }
        if (!together) {
            doc = at;
            continue;
        }
        check_phrase(x, s, l, c, i, doc);
        doc++;
    }
}
