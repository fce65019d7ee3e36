/* exec - one search under way: cursors in the segment at hand, the best hits so far. Private to the room. */
#ifndef SEAM_INVIDX_EXEC_H
#define SEAM_INVIDX_EXEC_H

#include "invidx/plan.h"

enum { WINDOW = 4096, WINDOW_WORDS = WINDOW / 64 };

/* Better: present before null, then the higher rank, then the lower key.                               */
struct invidx_entry {
    uint64_t rank, key;
    int32_t score;
    bool present;
    int64_t sort_int;
};

struct invidx_heap {
    struct invidx_entry *v; /* worst at the root */
    size_t k, n;
    bool has_after; /* only entries worse than `after` may enter */
    struct invidx_entry after;
};

struct invidx_cursor {
    struct invidx_postings *p; /* NULL: the segment has not the term */
    uint32_t block;            /* first block that may still matter  */
};

struct invidx_facet_count {
    uint64_t *counts;
    uint32_t n;
}; /* in the segment at hand, by code or range */

struct invidx_exec {
    struct invidx_plan *plan;
    const struct invidx_request *req;
    struct invidx_result *out;
    struct invidx_rseg *rs;
    struct invidx_segment *seg;
    size_t seg_index;
    struct invidx_cursor *cursors[INVIDX_QUERY_NODES_MAX * 4]; /* by leaf number: one a term */
    bool scoring;
    int64_t need; /* least score that may still enter, for the documents to come (prune.c) */
    struct invidx_heap heap;
    uint64_t total;
    void (*match)(struct invidx_exec *x, uint32_t doc); /* instead of the heap */
    void *match_ctx;
    struct invidx_facet_count *facets;
    void *levels[INVIDX_QUERY_DEPTH_MAX + 8]; /* windows.c: one a depth of nesting */
    enum seam_status st;
    struct seam_fault *f;
};

/* heap.c: the best hits so far. sort: best first; it is no heap any more. */
bool invidx_entry_better(const struct invidx_entry *a, const struct invidx_entry *b);
bool invidx_heap_push(struct invidx_heap *h, const struct invidx_entry *e);
/* The least score with which `key` or a higher one may still enter (score order).                      */
int64_t invidx_heap_need(const struct invidx_heap *h, uint64_t key);
void invidx_heap_sort(struct invidx_heap *h);
void invidx_exec_offer(struct invidx_exec *x, uint32_t doc, int32_t score);

/* windows.c: evaluates the whole plan over the segment at hand, 4,096 documents at a time.              */
void invidx_windows_run(struct invidx_exec *x);

/* phrase.c */
/* Phrase frequency of the posting under each cursor (index i[t]), weighted by field. Positions loaded.  */
uint32_t invidx_phrase_frequency(const struct invidx_leaf *l, struct invidx_cursor *c,
                                 const uint32_t *i);

/* prune.c: the shapes that have faster ways. False = not this one's shape.                              */
bool invidx_prune_run(struct invidx_exec *x, enum invidx_strategy strategy, const char **plan_name);

/* Binds the plan's leaves to the segment. */
void invidx_exec_bind(struct invidx_exec *x, size_t seg_index);

static inline bool exec_load(struct invidx_exec *x, struct invidx_postings *p, uint32_t b)
{
    if (p->block == b) return true;
    if (x->st == SEAM_OK) x->st = invidx_postings_load(p, b, x->f);
    return x->st == SEAM_OK;
}
static inline bool exec_tf(struct invidx_exec *x, struct invidx_postings *p)
{
    if (p->have_tf) return true;
    if (x->st == SEAM_OK) x->st = invidx_postings_load_tf(p, x->f);
    return x->st == SEAM_OK;
}

#endif
