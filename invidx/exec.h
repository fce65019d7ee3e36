/* exec - one search under way: cursors in the segment at hand, the best hits so far. Private to the room. */
#ifndef SEAM_INVIDX_EXEC_H
#define SEAM_INVIDX_EXEC_H

#include "invidx/plan.h"

enum { WINDOW = 4096, WINDOW_WORDS = WINDOW / 64 };

/* Better: present before null, then the higher rank, then the lower key.                               */
struct entry {
    uint64_t rank, key;
    int32_t score;
    bool present;
    int64_t sort_int;
};

struct heap {
    struct entry *v; /* worst at the root */
    size_t k, n;
    bool has_after; /* only entries worse than `after` may enter */
    struct entry after;
};

struct cursor {
    struct postings *p; /* NULL: the segment has not the term */
    uint32_t block;     /* first block that may still matter  */
};

struct facet_count {
    uint64_t *counts;
    uint32_t n;
}; /* in the segment at hand, by code or range */

struct exec {
    struct plan *plan;
    const struct invidx_request *req;
    struct invidx_result *out;
    struct rseg *rs;
    struct segment *seg;
    size_t seg_index;
    struct cursor *cursors[INVIDX_QUERY_NODES_MAX * 4]; /* by leaf number: one a term */
    bool scoring;
    int64_t need; /* least score that may still enter, for the documents to come (prune.c) */
    struct heap heap;
    uint64_t total;
    void (*match)(struct exec *x, uint32_t doc); /* instead of the heap */
    void *match_ctx;
    struct facet_count *facets;
    void *levels[INVIDX_QUERY_DEPTH_MAX + 8]; /* windows.c: one a depth of nesting */
    enum status st;
    struct fault *f;
};

/* heap */
bool entry_better(const struct entry *a, const struct entry *b);
bool heap_push(struct heap *h, const struct entry *e);
/* The least score with which `key` or a higher one may still enter (score order).                      */
int64_t heap_need(const struct heap *h, uint64_t key);
void exec_offer(struct exec *x, uint32_t doc, int32_t score);

/* windows.c: evaluates the whole plan over the segment at hand, 4,096 documents at a time.              */
void windows_run(struct exec *x);
/* Phrase frequency of the posting under each cursor (index i[t]), weighted by field. Positions loaded.  */
uint32_t phrase_frequency(const struct leaf *l, struct cursor *c, const uint32_t *i);

/* prune.c: the shapes that have faster ways. False = not this one's shape.                              */
bool prune_run(struct exec *x, enum invidx_strategy strategy, const char **plan_name);

/* Binds the plan's leaves to the segment. */
void exec_bind(struct exec *x, size_t seg_index);

static inline bool exec_load(struct exec *x, struct postings *p, uint32_t b)
{
    if (p->block == b) return true;
    if (x->st == ST_OK) x->st = postings_load(p, b, x->f);
    return x->st == ST_OK;
}
static inline bool exec_tf(struct exec *x, struct postings *p)
{
    if (p->have_tf) return true;
    if (x->st == ST_OK) x->st = postings_load_tf(p, x->f);
    return x->st == ST_OK;
}

#endif
