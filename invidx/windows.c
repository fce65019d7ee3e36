/* windows - any plan, exhaustively, 4,096 documents at a time: each clause gives a bitmap of its matches and
 * adds its scores into an array. This is the truth that the pruned ways are tested against.              */
#include <assert.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/exec.h"

struct invidx_window {
    struct invidx_exec *x;
    uint32_t base, n;
    int depth;
};

static inline void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] |= 1ull << (i & 63);
}

static bool any_bit(const uint64_t *bits)
{
    uint64_t any = 0;
    SEAM_WALK(bits != NULL);

    for (size_t i = 0; i < WINDOW_WORDS; i++) any |= bits[i];
    return any != 0;
}

/* Calls for each run of a term's postings inside the window: documents i0..i1 of the loaded block.       */
struct invidx_run {
    struct invidx_cursor *c;
    uint32_t i0, i1;
};

static bool next_run(struct invidx_window *w, struct invidx_run *r, bool first)
{
    struct invidx_postings *p = r->c->p;
    uint32_t end = w->base + w->n, b;

    if (p == NULL) return false;
    if (first) {
        r->c->block = invidx_postings_seek_block(p, r->c->block, w->base);
    } else {
        if (r->i1 < p->n) return false; /* the block goes on past the window */
        r->c->block++;
    }
    SEAM_WALK(end <= w->x->seg->docs);
    b = r->c->block;
    if (b >= p->blocks || !exec_load(w->x, p, b)) return false;
    r->i0 = p->docs[0] >= w->base ? 0 : (uint32_t)invidx_find_at_least(p->docs, 0, w->base);
    r->i1 = p->docs[p->n - 1] < end ? p->n : (uint32_t)invidx_find_at_least(p->docs, 0, end);
    if (r->i0 > p->n) r->i0 = p->n;
    assert(r->i0 <= p->n && r->i1 <= p->n);
    return r->i0 < r->i1;
}

static void eval_term(struct invidx_window *w, const struct invidx_leaf *l, struct invidx_cursor *c,
                      uint64_t *bits, int32_t *acc)
{
    struct invidx_run r = {.c = c};
    int32_t score[PFOR_BLOCK + 16];
    assert(!l->phrase || acc == NULL);
    assert(w->n <= WINDOW);

    for (bool first = true; next_run(w, &r, first); first = false) {
        struct invidx_postings *p = c->p;

        if ((acc != NULL || l->scoped) && !exec_tf(w->x, p)) return;
        if (acc != NULL)
            invidx_bm25_block(&l->model, p->docs + r.i0, p->tf + r.i0, w->x->seg->lengths,
                              r.i1 - r.i0, score);
        if (acc == NULL && !l->scoped) {
            for (uint32_t i = r.i0; i < r.i1; i++) set_bit(bits, p->docs[i] - w->base);
            continue;
        }
        for (uint32_t i = r.i0; i < r.i1; i++) {
            if (l->scoped && p->tf[i] == 0) continue;
            set_bit(bits, p->docs[i] - w->base);
            if (acc != NULL) acc[p->docs[i] - w->base] += score[i - r.i0];
        }
        if (acc != NULL) w->x->out->work.scored += r.i1 - r.i0;
    }
}

/* The members' frequencies add up before they are scored.                                                */
static void eval_group(struct invidx_window *w, const struct invidx_leaf *l, uint64_t *bits,
                       int32_t *acc)
{
    uint32_t tf[WINDOW];
    assert(l->count > 1);
    assert(w->n <= WINDOW);

    memset(tf, 0, sizeof tf);
    for (uint32_t t = 0; t < l->count; t++) {
        struct invidx_run r = {.c = &w->x->cursors[l->number][t]};

        for (bool first = true; next_run(w, &r, first); first = false) {
            if (!exec_tf(w->x, r.c->p)) return;
            for (uint32_t i = r.i0; i < r.i1; i++) tf[r.c->p->docs[i] - w->base] += r.c->p->tf[i];
        }
    }
    for (uint32_t d = 0; d < w->n; d++) {
        if (tf[d] == 0) continue;
        set_bit(bits, d);
        if (acc != NULL)
            acc[d] += bm25_one(&l->model, tf[d], segment_length(w->x->seg, w->base + d));
    }
}

/* ---- phrases ---- */
static uint32_t index_of(const struct invidx_postings *p, uint32_t doc)
{
    uint32_t lo = 0, hi = p->n;
    assert(p->n > 0 && p->n <= PFOR_BLOCK);

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (p->docs[mid] < doc)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert(lo == hi);
    return lo;
}

static void eval_phrase(struct invidx_window *w, const struct invidx_leaf *l, uint64_t *bits,
                        int32_t *acc)
{
    struct invidx_exec *x = w->x;
    struct invidx_cursor *c = x->cursors[l->number];
    uint64_t both[WINDOW_WORDS], one[WINDOW_WORDS];
    uint32_t first[256], i[256];
    assert(l->phrase);
    assert(l->count > 0 && l->count <= SEAM_ARRAY_LEN(i));

    for (uint32_t t = 0; t < l->count; t++) {
        struct invidx_leaf plain = *l;

        memset(one, 0, sizeof one);
        plain.scoped = false;
        if (c[t].p != NULL) c[t].block = invidx_postings_seek_block(c[t].p, c[t].block, w->base);
        first[t] = c[t].block;
        eval_term(w, &plain, &c[t], one, NULL);
        for (size_t k = 0; k < WINDOW_WORDS; k++) both[k] = t == 0 ? one[k] : both[k] & one[k];
        if (!any_bit(both)) return;
    }
    for (size_t d = seam_bitset_next(both, WINDOW, 0); d < WINDOW;
         d = seam_bitset_next(both, WINDOW, d + 1)) {
        uint32_t doc = w->base + (uint32_t)d, tf;

        for (uint32_t t = 0; t < l->count; t++) {
            struct invidx_postings *p = c[t].p;

            first[t] = invidx_postings_seek_block(p, first[t], doc);
            if (!exec_load(x, p, first[t])) return;
            i[t] = index_of(p, doc);
            if (i[t] == p->n || p->docs[i[t]] != doc) { /* the skips led elsewhere */
                x->st = invidx_segment_damaged(x->seg, p->last, "skips", x->f);
                return;
            }
            if (x->st == SEAM_OK) x->st = invidx_postings_load_positions(p, x->f);
            if (x->st != SEAM_OK) return;
        }
        tf = invidx_phrase_frequency(l, c, i);
        if (tf == 0) continue;
        set_bit(bits, (uint32_t)d);
        if (acc != NULL) acc[d] += bm25_one(&l->model, tf, segment_length(x->seg, doc));
    }
}

/* ---- filters ---- */
static void eval_filter(struct invidx_window *w, const struct invidx_plan_node *n, uint64_t *bits)
{
    const struct invidx_seg_attr *a = &w->x->seg->attr[n->attr];
    uint64_t block[FORCOL_BLOCK];
    uint64_t lo = (uint64_t)n->lo ^ (1ull << 63), hi = (uint64_t)n->hi ^ (1ull << 63);
    assert(n->kind == PLAN_RANGE || n->kind == PLAN_KEYWORD);
    assert(w->base % FORCOL_BLOCK == 0);

    if (n->kind == PLAN_KEYWORD) {
        if (n->code == 0) return;
        lo = hi = n->code;
    }
    for (uint32_t at = 0; at < w->n; at += FORCOL_BLOCK) {
        uint32_t b = (w->base + at) / FORCOL_BLOCK;
        size_t m = invidx_forcol_block(&a->col, b, block);

        for (size_t i = 0; i < m; i++) {
            uint32_t doc = w->base + at + (uint32_t)i;

            if (block[i] < lo || block[i] > hi) continue;
            if (a->nulls != NULL && (a->nulls[doc >> 3] >> (doc & 7)) & 1) continue;
            set_bit(bits, at + (uint32_t)i);
        }
    }
}

/* ---- the tree ---- */
static void eval(struct invidx_window *w, const struct invidx_plan_node *n, uint64_t *bits,
                 int32_t *acc);

struct invidx_level {
    uint64_t bits[WINDOW_WORDS], child[WINDOW_WORDS];
    int32_t acc[WINDOW];
    uint16_t count[WINDOW]; /* should-clauses that match, when a minimum is asked for */
};

static void full(struct invidx_window *w, uint64_t *bits)
{
    assert(w->n <= WINDOW);
    memset(bits, 0, sizeof(uint64_t) * WINDOW_WORDS);
    for (uint32_t i = 0; i < w->n; i++) set_bit(bits, i);
}

/* Must and filter clauses narrow; false when nothing is left.                                            */
static bool eval_musts(struct invidx_window *w, const struct invidx_plan_node *n,
                       struct invidx_level *v, int32_t *acc, bool *some)
{
    assert(n->kind == PLAN_BOOL);
    assert(!*some);
    for (int pass = 0; pass < 2; pass++) { /* filters first: they are cheap, and may end it */
        for (uint32_t i = 0; i < n->child_count; i++) {
            struct invidx_plan_node *c = n->children[i];

            if (c->occur != (pass == 0 ? INVIDX_FILTER : INVIDX_MUST)) continue;
            memset(v->child, 0, sizeof v->child);
            eval(w, c, v->child, pass == 0 ? NULL : acc);
            for (size_t k = 0; k < WINDOW_WORDS; k++)
                v->bits[k] = *some ? v->bits[k] & v->child[k] : v->child[k];
            *some = true;
            if (!any_bit(v->bits)) return false;
        }
    }
    return true;
}

static void eval_shoulds(struct invidx_window *w, const struct invidx_plan_node *n,
                         struct invidx_level *v, int32_t *acc, bool narrowed)
{
    uint32_t least = n->min_should > 0 ? n->min_should : narrowed ? 0 : 1, shoulds = 0;
    uint64_t any[WINDOW_WORDS] = {0};
    assert(n->kind == PLAN_BOOL);

    if (least > 1) memset(v->count, 0, sizeof v->count);
    for (uint32_t i = 0; i < n->child_count; i++) {
        struct invidx_plan_node *c = n->children[i];

        if (c->occur != INVIDX_SHOULD) continue;
        shoulds++;
        if (acc == NULL && least == 0) continue;
        memset(v->child, 0, sizeof v->child);
        eval(w, c, v->child, acc);
        for (size_t k = 0; k < WINDOW_WORDS; k++) any[k] |= v->child[k];
        if (least > 1)
            for (size_t d = seam_bitset_next(v->child, WINDOW, 0); d < WINDOW;
                 d = seam_bitset_next(v->child, WINDOW, d + 1))
                v->count[d]++;
    }
    if (shoulds == 0 && !narrowed && n->min_should == 0) { /* only must-nots: all but those */
        full(w, v->bits);
        return;
    }
    if (least == 0) return;
    if (least > 1)
        for (uint32_t d = 0; d < WINDOW; d++)
            if (v->count[d] < least) any[d >> 6] &= ~(1ull << (d & 63));
    for (size_t k = 0; k < WINDOW_WORDS; k++) v->bits[k] = narrowed ? v->bits[k] & any[k] : any[k];
}

/* One level's memory, made at its first use in a search.                                                */
static struct invidx_level *level_at(struct invidx_window *w)
{
    assert(w->depth >= 0);
    void **slot = &w->x->levels[w->depth];

    assert(w->depth < (int)SEAM_ARRAY_LEN(w->x->levels));
    if (*slot == NULL) *slot = seam_arena_alloc(&w->x->plan->q->run, sizeof(struct invidx_level));
    if (*slot == NULL)
        w->x->st = seam_fault_set(w->x->f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                                  "no memory to run the query");
    return *slot;
}

static void eval_children(struct invidx_window *w, const struct invidx_plan_node *n,
                          struct invidx_level *v, uint64_t *bits, int32_t *acc);

static void eval_bool(struct invidx_window *w, const struct invidx_plan_node *n, uint64_t *bits,
                      int32_t *acc)
{
    struct invidx_level *v = level_at(w);
    assert(n->kind == PLAN_BOOL);

    if (v == NULL) return;
    w->depth++;
    eval_children(w, n, v, bits, acc);
    w->depth--;
    assert(w->depth >= 0);
}

static void eval_children(struct invidx_window *w, const struct invidx_plan_node *n,
                          struct invidx_level *v, uint64_t *bits, int32_t *acc)
{
    int32_t *inner = acc == NULL ? NULL : v->acc;
    bool narrowed = false;
    assert(bits != v->bits);

    memset(v->bits, 0, sizeof v->bits);
    if (inner != NULL) memset(inner, 0, sizeof v->acc);
    if (!eval_musts(w, n, v, inner, &narrowed)) return;
    eval_shoulds(w, n, v, inner, narrowed);
    for (uint32_t i = 0; i < n->child_count && any_bit(v->bits); i++) {
        if (n->children[i]->occur != INVIDX_MUST_NOT) continue;
        memset(v->child, 0, sizeof v->child);
        eval(w, n->children[i], v->child, NULL);
        for (size_t k = 0; k < WINDOW_WORDS; k++) v->bits[k] &= ~v->child[k];
    }
    for (size_t k = 0; k < WINDOW_WORDS; k++) bits[k] |= v->bits[k];
    if (acc == NULL) return;
    for (size_t d = seam_bitset_next(v->bits, WINDOW, 0); d < WINDOW;
         d = seam_bitset_next(v->bits, WINDOW, d + 1))
        acc[d] += inner[d];
}

static void eval(struct invidx_window *w, const struct invidx_plan_node *n, uint64_t *bits,
                 int32_t *acc)
{
    const struct invidx_leaf *l = n->leaf;
    assert(n->kind != PLAN_LEAF || l != NULL);

    if (w->x->st != SEAM_OK) return;
    switch (n->kind) {
    case PLAN_NONE: return;
    case PLAN_ALL: full(w, bits); return;
    case PLAN_BOOL: eval_bool(w, n, bits, acc); return;
    case PLAN_RANGE:
    case PLAN_KEYWORD: eval_filter(w, n, bits); return;
    case PLAN_LEAF: break;
    }
    if (l->phrase)
        eval_phrase(w, l, bits, acc);
    else if (l->count == 1)
        eval_term(w, l, w->x->cursors[l->number], bits, acc);
    else
        eval_group(w, l, bits, acc);
}

void invidx_windows_run(struct invidx_exec *x)
{
    uint64_t bits[WINDOW_WORDS];
    int32_t acc[WINDOW];
    struct invidx_rseg *s = x->rs;
    assert(x->seg == s->seg);
    assert(WINDOW % FORCOL_BLOCK == 0);

    for (uint32_t base = 0; base < x->seg->docs && x->st == SEAM_OK; base += WINDOW) {
        struct invidx_window w = {x, base,
                                  x->seg->docs - base < WINDOW ? x->seg->docs - base : WINDOW, 0};

        memset(bits, 0, sizeof bits);
        if (x->scoring) memset(acc, 0, sizeof acc);
        eval(&w, x->plan->root, bits, x->scoring ? acc : NULL);
        if (s->dead_count != 0)
            for (size_t k = 0; k < WINDOW_WORDS && base / 64 + k < seam_bitset_words(x->seg->docs);
                 k++)
                bits[k] &= ~s->dead[base / 64 + k];
        if (x->heap.k == 0 && x->match == NULL && x->facets == NULL) {
            x->total += seam_bitset_count(bits, WINDOW);
            continue;
        }
        for (size_t d = seam_bitset_next(bits, WINDOW, 0); d < WINDOW;
             d = seam_bitset_next(bits, WINDOW, d + 1))
            invidx_exec_offer(x, base + (uint32_t)d, x->scoring ? acc[d] : 0);
    }
}
