/* heap - the best hits so far, worst at the root, and what it takes to be among them. */
#include "engine/base/walk.h"
#include "invidx/exec.h"
#include "invidx/facet.h"

#include <assert.h>

bool invidx_entry_better(const struct invidx_entry *a, const struct invidx_entry *b)
{
    if (a->present != b->present) return a->present;
    if (a->rank != b->rank) return a->rank > b->rank;
    return a->key < b->key;
}

static void sift_down(struct invidx_entry *v, size_t n, size_t i)
{
    SEAM_WALK(i < n || n == 0);
    for (;;) {
        size_t c = 2 * i + 1;
        struct invidx_entry t;

        if (c >= n) return;
        if (c + 1 < n && invidx_entry_better(&v[c], &v[c + 1])) c++;
        if (!invidx_entry_better(&v[i], &v[c])) return;
        t = v[i];
        v[i] = v[c];
        v[c] = t;
        i = c;
    }
}

/* With SEAM_WALKS: no entry is worse than its parent. */
static bool is_heap(const struct invidx_heap *h)
{
    for (size_t i = 1; i < h->n; i++)
        if (invidx_entry_better(&h->v[(i - 1) / 2], &h->v[i])) return false;
    return true;
}

bool invidx_heap_push(struct invidx_heap *h, const struct invidx_entry *e)
{
    assert(h->n <= h->k);
    assert(h->k == 0 || h->v != NULL);
    if (h->has_after && !invidx_entry_better(&h->after, e)) return false;
    if (h->n < h->k) {
        size_t i = h->n++;

        for (; i > 0 && invidx_entry_better(&h->v[(i - 1) / 2], e); i = (i - 1) / 2)
            h->v[i] = h->v[(i - 1) / 2];
        h->v[i] = *e;
        return true;
    }
    if (h->k == 0 || !invidx_entry_better(e, &h->v[0])) return false;
    h->v[0] = *e;
    sift_down(h->v, h->n, 0);
    SEAM_WALK(is_heap(h));
    return true;
}

int64_t invidx_heap_need(const struct invidx_heap *h, uint64_t key)
{
    assert(h->n <= h->k);
    if (h->n < h->k) return 0;
    if (h->k == 0) return INT64_MAX;
    assert(h->v[0].present && h->v[0].rank <= INT64_MAX);
    return (int64_t)h->v[0].rank + (h->v[0].key < key ? 1 : 0);
}

void invidx_heap_sort(struct invidx_heap *h)
{
    SEAM_WALK(is_heap(h));
    assert(h->n <= h->k);
    for (size_t n = h->n; n > 1; n--) {
        struct invidx_entry t = h->v[0];

        h->v[0] = h->v[n - 1];
        h->v[n - 1] = t;
        sift_down(h->v, n - 1, 0);
    }
}

static void rank_by_attr(struct invidx_exec *x, uint32_t doc, struct invidx_entry *e)
{
    int64_t v = 0;
    assert(x->req->sort_attr > 0);
    SEAM_WALK(doc < x->seg->docs);

    e->present = invidx_segment_attr_int(x->seg, (uint32_t)x->req->sort_attr - 1, doc, &v);
    e->sort_int = e->present ? v : INT64_MIN;
    e->rank = (uint64_t)v ^ (1ull << 63);
    if (!x->req->sort_descending) e->rank = ~e->rank;
    SEAM_WALK(e->present || e->sort_int == INT64_MIN);
    if (!e->present) e->rank = 0;
}

void invidx_exec_offer(struct invidx_exec *x, uint32_t doc, int32_t score)
{
    struct invidx_entry e = {.rank = (uint64_t)(uint32_t)score, .score = score, .present = true};
    SEAM_WALK(doc < x->seg->docs);
    SEAM_WALK(x->heap.n <= x->heap.k);

    x->total++;
    if (x->match != NULL) {
        x->match(x, doc);
        return;
    }
    if (x->facets != NULL) invidx_facet_add(x, doc);
    if (x->heap.k == 0) return;
    if (x->req->sort_attr > 0)
        rank_by_attr(x, doc, &e);
    else if (x->heap.n == x->heap.k && e.rank < x->heap.v[0].rank)
        return;
    e.key = segment_key(x->seg, doc);
    invidx_heap_push(&x->heap, &e);
}
