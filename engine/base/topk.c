/* topk - a heap whose worst entry is at the top. */
#include "engine/base/topk.h"

void seam_topk_init(struct seam_topk *t, struct seam_topk_entry *memory, size_t k)
{
    *t = (struct seam_topk){.heap = memory, .k = k};
}

/* Puts e at hole i of a heap of n entries whose root is the worst.                                */
static void sift_down(struct seam_topk_entry *h, size_t n, size_t i, struct seam_topk_entry e)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n) break;
        if (child + 1 < n && seam_topk_better(h[child], h[child + 1])) child++;
        if (!seam_topk_better(e, h[child])) break;
        h[i] = h[child];
        i = child;
    }
    h[i] = e;
}

static void sift_up(struct seam_topk_entry *h, size_t i, struct seam_topk_entry e)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (!seam_topk_better(h[parent], e)) break;
        h[i] = h[parent];
        i = parent;
    }
    h[i] = e;
}

bool seam_topk_push(struct seam_topk *t, double score, uint64_t id)
{
    struct seam_topk_entry e = {score, id};

    if (score != score) return false; /* a NaN has no place in an order */
    if (t->count < t->k) {
        sift_up(t->heap, t->count++, e);
        return true;
    }
    if (t->k == 0 || !seam_topk_better(e, t->heap[0])) return false;
    sift_down(t->heap, t->count, 0, e);
    return true;
}

size_t seam_topk_finish(struct seam_topk *t)
{
    struct seam_topk_entry *h = t->heap;

    for (size_t n = t->count; n > 1; n--) { /* the worst of the rest goes to the end */
        struct seam_topk_entry last = h[n - 1];

        h[n - 1] = h[0];
        sift_down(h, n - 1, 0, last);
    }
    return t->count;
}
