/* prune - what the shapes of prune.c share. Private to the room. */
#ifndef SEAM_INVIDX_PRUNE_H
#define SEAM_INVIDX_PRUNE_H

#include "invidx/exec.h"

enum { PRUNE_TERMS_MAX = 64, FILTERS_MAX = INVIDX_FILTERS_MAX, PRUNE_WINDOW = 8192 };

struct invidx_list {
    const struct invidx_leaf *leaf;
    struct invidx_postings *p;
    int32_t *bounds; /* one a block */
    uint32_t block;  /* cursor      */
    uint32_t at;     /* within it   */
    int32_t here;    /* bound in the window */
    uint32_t scored; /* block whose scores are in `score`; UINT32_MAX = none */
    int32_t *score;
};

struct invidx_shape {
    struct invidx_list lists[PRUNE_TERMS_MAX];
    uint32_t n;
    const struct invidx_plan_node *filters[FILTERS_MAX];
    uint32_t filter_count;
};

static inline int32_t need_for(int64_t need)
{
    return need > INT32_MAX ? INT32_MAX : need < 1 ? 1 : (int32_t)need;
}

static inline uint32_t last_of(const struct invidx_list *l, uint32_t b)
{
    return l->p->last != NULL ? seam_get_u32(l->p->last + 4 * (size_t)b) : l->p->docs[l->p->n - 1];
}

/* ---- candidates.c ---- */
/* Not dead, and let through by every filter? */
bool invidx_prune_passes(struct invidx_exec *x, const struct invidx_shape *s, uint32_t doc);
/* Offers a candidate to the heap; raises x->need when it enters. */
void invidx_prune_offer(struct invidx_exec *x, const struct invidx_shape *s, uint32_t doc,
                        int64_t score);
/* Scores the loaded block of a list: one per posting, `out` has room for a block and 16 more. False on failure. */
bool invidx_prune_score_block(struct invidx_exec *x, struct invidx_list *l, int32_t *out);
/* Bounds of every block of a list; for a short list the scores themselves tell. False on failure. */
bool invidx_prune_bounds(struct invidx_exec *x, struct invidx_list *l);

void invidx_prune_wand(struct invidx_exec *x, struct invidx_shape *s);
void invidx_prune_phrase(struct invidx_exec *x, const struct invidx_shape *s,
                         const struct invidx_leaf *l);

#endif
