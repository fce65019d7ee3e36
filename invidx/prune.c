/* prune - the common shapes (one word, any of, all of, a phrase), skipping what cannot be among the best.
 *
 * A block's bound is the best score its impacts allow; a block, a window or a document is left out only when
 * the bounds over it add up to less than `need`. Documents are numbered by key, so once the worst hit has a
 * lower key than what is to come, a tie is no longer enough and need is one more. All sums are whole
 * numbers, so what is found is exactly what exhaustive evaluation finds.
 *
 * any of:  windows; in each the lists are ordered by their bound there (block-max MaxScore): lists that even
 *          together cannot reach need are only probed for candidates that the others bring.
 * all of:  the rarest list leads, a block at a time; the others are searched for its documents.
 * Papers: Turtle & Flood (IPM 1995); Ding & Suel (SIGIR 2011); Mallia et al. (ECIR 2019).              */
#include <assert.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/prune.h"

/* The scores of a list's loaded block, kept for the next window that it reaches into; NULL on failure.   */
static const int32_t *scores_of(struct invidx_exec *x, struct invidx_list *l)
{
    assert(l->p->block < l->p->blocks);
    assert(l->score != NULL);
    if (l->scored == l->p->block) return l->score;
    if (!exec_tf(x, l->p)) return NULL;
    invidx_bm25_block(&l->leaf->model, l->p->docs, l->p->tf, x->seg->lengths, l->p->n, l->score);
    x->out->work.scored += l->p->n;
    l->scored = l->p->block;
    return l->score;
}

static void offer_block(struct invidx_exec *x, const struct invidx_shape *s, struct invidx_list *l)
{
    int32_t score[PFOR_BLOCK + 16];
    uint32_t index[PFOR_BLOCK + 16];
    size_t m;
    assert(l->p->block < l->p->blocks);

    if (!invidx_prune_score_block(x, l, score)) return;
    m = invidx_select_at_least(score, l->p->n, need_for(x->need), index);
    assert(m <= l->p->n);
    for (size_t i = 0; i < m; i++) invidx_prune_offer(x, s, l->p->docs[index[i]], score[index[i]]);
}

/* ---- one word ---- */
static void run_single(struct invidx_exec *x, struct invidx_shape *s)
{
    enum { CHUNK = 64 };
    struct invidx_list *l = &s->lists[0];
    int32_t bounds[CHUNK + 4];
    assert(s->n == 1);
    assert(x->scoring);

    if (l->p->last == NULL) {
        if (exec_load(x, l->p, 0)) offer_block(x, s, l);
        return;
    }
    for (uint32_t from = 0; from < l->p->blocks && x->st == SEAM_OK; from += CHUNK) {
        uint32_t n = l->p->blocks - from < CHUNK ? l->p->blocks - from : CHUNK;

        invidx_bm25_bounds(&l->leaf->model, l->p->impacts + 8 * (size_t)from, n, bounds);
        for (uint32_t i = 0; i < n && x->st == SEAM_OK; i++) {
            if (bounds[i] < x->need)
                x->out->work.blocks_skipped++;
            else if (exec_load(x, l->p, from + i))
                offer_block(x, s, l);
        }
    }
}

/* ---- any of ---- */
struct any {
    struct invidx_exec *x;
    struct invidx_shape *s;
    uint32_t order[PRUNE_TERMS_MAX];    /* lists with something in the window, lowest bound first */
    uint32_t n, essential;              /* order[essential..n) are walked, the rest probed       */
    int64_t below[PRUNE_TERMS_MAX + 1]; /* below[i]: bounds of order[0..i) together           */
    uint32_t base, end;
};

/* Best bound of the list's blocks that reach into [base, end). Moves the cursor to the first of them.    */
static int32_t bound_in(struct invidx_list *l, uint32_t base, uint32_t end)
{
    int32_t best = 0;
    uint32_t b;
    SEAM_WALK(l->block <= l->p->blocks);

    while (l->block < l->p->blocks && last_of(l, l->block) < base) l->block++;
    for (b = l->block; b < l->p->blocks; b++) {
        if (b > l->block && last_of(l, b - 1) + 1 >= end) break;
        if (l->bounds[b] > best) best = l->bounds[b];
    }
    assert(best >= 0);
    return best;
}

static bool order_ascends(const struct any *a)
{
    for (uint32_t i = 1; i < a->n; i++)
        if (a->s->lists[a->order[i - 1]].here > a->s->lists[a->order[i]].here) return false;
    return true;
}

/* False when the window cannot matter.                                                                   */
static bool order_lists(struct any *a)
{
    int64_t sum = 0;
    assert(a->base < a->end);
    assert(a->s->n <= PRUNE_TERMS_MAX);

    a->n = 0;
    for (uint32_t i = 0; i < a->s->n; i++) {
        struct invidx_list *l = &a->s->lists[i];
        uint32_t k;

        l->here = bound_in(l, a->base, a->end);
        if (l->here == 0) continue;
        for (k = a->n++; k > 0 && a->s->lists[a->order[k - 1]].here > l->here; k--)
            a->order[k] = a->order[k - 1];
        a->order[k] = i;
    }
    a->essential = a->n;
    for (uint32_t i = 0; i < a->n; i++) {
        a->below[i] = sum;
        sum += a->s->lists[a->order[i]].here;
        if (sum >= a->x->need && a->essential == a->n) a->essential = i;
    }
    assert(a->essential <= a->n);
    SEAM_WALK(order_ascends(a));
    a->below[a->n] = sum;
    return a->n > 0 && sum >= a->x->need;
}

/* Candidates of the walked lists, with what they have so far; ascending.                                 */
struct candidates {
    uint32_t n, docs[PFOR_BLOCK + 16];
    int32_t score[PFOR_BLOCK + 16];
};

/* Those that `more` cannot lift to need are dropped.                                                     */
static void drop_hopeless(struct any *a, struct candidates *c, int64_t more)
{
    uint32_t index[PFOR_BLOCK + 16];
    size_t m = invidx_select_at_least(c->score, c->n, need_for(a->x->need - more), index);
    assert(c->n <= PFOR_BLOCK);

    assert(m <= c->n);
    if (m == c->n) return;
    for (size_t i = 0; i < m; i++) {
        c->docs[i] = c->docs[index[i]];
        c->score[i] = c->score[index[i]];
    }
    c->n = (uint32_t)m;
}

/* Adds what one list gives to the candidates that it has.                                                */
static bool probe_list(struct any *a, struct invidx_list *l, struct candidates *c)
{
    struct invidx_exec *x = a->x;
    struct invidx_postings *p = l->p;
    uint32_t b = l->block, docs[PFOR_BLOCK + 16], tf[PFOR_BLOCK + 16], ia[PFOR_BLOCK],
             ib[PFOR_BLOCK];
    int32_t score[PFOR_BLOCK + 16];
    assert(c->n <= PFOR_BLOCK);
    SEAM_WALK(b <= p->blocks);

    for (uint32_t k = 0; k < c->n;) {
        uint32_t upto = k, last;
        size_t from = 0, m;

        b = invidx_postings_seek_block(p, b, c->docs[k]);
        if (b >= p->blocks) return true;
        last = last_of(l, b);
        while (upto < c->n && c->docs[upto] <= last) upto++;
        if (!exec_load(x, p, b)) return false;
        m = invidx_intersect(c->docs + k, upto - k, p->docs, &from, ia, ib);
        if (m > 0 && !exec_tf(x, p)) return false;
        for (size_t i = 0; i < m; i++) {
            docs[i] = p->docs[ib[i]];
            tf[i] = p->tf[ib[i]];
        }
        invidx_bm25_block(&l->leaf->model, docs, tf, x->seg->lengths, m, score);
        for (size_t i = 0; i < m; i++) c->score[k + ia[i]] += score[i];
        x->out->work.scored += m;
        assert(upto > k);
        assert(m <= upto - k);
        k = upto;
    }
    return true;
}

/* The probed lists, best bound first, until nobody has hope.                                             */
static void probe(struct any *a, struct candidates *c)
{
    assert(a->essential <= a->n);
    for (uint32_t i = a->essential; i-- > 0;) {
        drop_hopeless(a, c, a->below[i + 1]);
        if (c->n == 0 || !probe_list(a, &a->s->lists[a->order[i]], c)) return;
    }
    for (uint32_t i = 0; i < c->n && a->x->st == SEAM_OK; i++)
        invidx_prune_offer(a->x, a->s, c->docs[i], c->score[i]);
}

/* One list is walked: its own blocks are the windows within the window.                                   */
static void walk_one(struct any *a)
{
    struct invidx_exec *x = a->x;
    struct invidx_list *l = &a->s->lists[a->order[a->essential]];
    int64_t rest = a->below[a->essential];
    const int32_t *score;
    uint32_t index[PFOR_BLOCK + 16];
    struct candidates c;
    assert(a->essential + 1 == a->n);
    assert(rest >= 0);

    for (uint32_t b = l->block; b < l->p->blocks && x->st == SEAM_OK; b++) {
        size_t m;

        if (b > l->block && last_of(l, b - 1) + 1 >= a->end) break;
        if (l->bounds[b] + rest < x->need) {
            x->out->work.blocks_skipped++;
            continue;
        }
        if (!exec_load(x, l->p, b) || (score = scores_of(x, l)) == NULL) return;
        m = invidx_select_at_least(score, l->p->n, need_for(x->need - rest), index);
        c.n = 0;
        for (size_t i = 0; i < m; i++) {
            uint32_t doc = l->p->docs[index[i]];

            if (doc < a->base || doc >= a->end) continue;
            c.docs[c.n] = doc;
            c.score[c.n++] = score[index[i]];
        }
        probe(a, &c);
    }
}

static void add_block(struct any *a, struct invidx_list *l, int32_t *acc)
{
    const struct invidx_postings *p = l->p;
    uint32_t i = 0, n = p->n;
    const int32_t *score = scores_of(a->x, l);
    assert(a->base < a->end);
    assert(n > 0 && n <= PFOR_BLOCK);

    if (score == NULL) return;
    if (p->docs[0] < a->base) i = (uint32_t)invidx_find_at_least(p->docs, 0, a->base);
    if (p->docs[n - 1] >= a->end) n = (uint32_t)invidx_find_at_least(p->docs, i, a->end);
    for (; i < n; i++) acc[p->docs[i] - a->base] += score[i];
}

static void walk_many(struct any *a)
{
    struct invidx_exec *x = a->x;
    int32_t acc[PRUNE_WINDOW];
    uint32_t index[PRUNE_WINDOW + 16], width = a->end - a->base;
    int64_t rest = a->below[a->essential];
    size_t m;
    assert(width <= PRUNE_WINDOW);
    assert(a->essential < a->n);

    memset(acc, 0, width * sizeof *acc);
    for (uint32_t i = a->essential; i < a->n; i++) {
        struct invidx_list *l = &a->s->lists[a->order[i]];

        for (uint32_t b = l->block; b < l->p->blocks; b++) {
            if (b > l->block && last_of(l, b - 1) + 1 >= a->end) break;
            if (!exec_load(x, l->p, b)) return;
            add_block(a, l, acc);
        }
    }
    m = invidx_select_at_least(acc, width, need_for(x->need - rest), index);
    assert(m <= width);
    for (size_t i = 0; i < m && x->st == SEAM_OK;) {
        struct candidates c = {.n = 0};

        for (; i < m && c.n < PFOR_BLOCK; i++) {
            c.docs[c.n] = a->base + index[i];
            c.score[c.n++] = acc[index[i]];
        }
        probe(a, &c);
    }
}

static uint32_t window_width(const struct invidx_exec *x, const struct invidx_shape *s)
{
    uint32_t most = 1, width = PRUNE_WINDOW;
    assert(s->n > 0);

    for (uint32_t i = 0; i < s->n; i++)
        if (s->lists[i].p->df > most) most = s->lists[i].p->df;
    while (width > 1024 && (uint64_t)width * most > 8ull * PFOR_BLOCK * x->seg->docs) width /= 2;
    assert(width >= 1024 && width <= PRUNE_WINDOW);
    return width;
}

static void run_any(struct invidx_exec *x, struct invidx_shape *s)
{
    struct any a = {.x = x, .s = s};
    uint32_t width = window_width(x, s);
    assert(s->n > 1 && s->n <= PRUNE_TERMS_MAX);
    assert(x->scoring);

    for (uint32_t i = 0; i < s->n; i++) {
        struct invidx_list *l = &s->lists[i];

        l->scored = UINT32_MAX;
        l->score = seam_arena_alloc(&x->plan->q->run, sizeof *l->score * (PFOR_BLOCK + 16));
        if (!invidx_prune_bounds(x, l)) return;
        if (l->score == NULL) {
            x->st = seam_fault_set(x->f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                                   "no memory to run the query");
            return;
        }
    }
    for (a.base = 0; a.base < x->seg->docs && x->st == SEAM_OK; a.base = a.end) {
        a.end = x->seg->docs - a.base < width ? x->seg->docs : a.base + width;
        assert(a.end > a.base);
        if (!order_lists(&a)) continue;
        if (a.n - a.essential == 1)
            walk_one(&a);
        else
            walk_many(&a);
    }
}

/* ---- all of ---- */
struct all {
    struct invidx_exec *x;
    struct invidx_shape *s; /* rarest list first */
    uint32_t m;             /* documents still in */
    uint32_t docs[PFOR_BLOCK + 16];
    uint32_t tf[PRUNE_TERMS_MAX][PFOR_BLOCK + 16];
};

static void sort_by_df(struct invidx_shape *s)
{
    assert(s->n > 0 && s->n <= PRUNE_TERMS_MAX);
    for (uint32_t i = 1; i < s->n; i++) {
        struct invidx_list v = s->lists[i];
        uint32_t k = i;

        for (; k > 0 && s->lists[k - 1].p->df > v.p->df; k--) s->lists[k] = s->lists[k - 1];
        s->lists[k] = v;
    }
}

/* Keeps the documents that list t has too; their frequencies in all lists so far move along.              */
static bool keep_common(struct all *a, uint32_t t)
{
    struct invidx_exec *x = a->x;
    struct invidx_list *l = &a->s->lists[t];
    struct invidx_postings *p = l->p;
    uint32_t kept = 0;
    assert(t > 0 && t < a->s->n);
    assert(a->m <= PFOR_BLOCK);

    for (uint32_t i = 0; i < a->m;) {
        uint32_t doc = a->docs[i];
        uint32_t b = invidx_postings_seek_block(p, l->block, doc), last, ia[PFOR_BLOCK],
                 ib[PFOR_BLOCK];
        size_t upto = i, from, n;

        if (b != l->block) {
            l->block = b;
            l->at = 0;
        }
        if (b >= p->blocks) break;
        if (p->block != b) {
            if (!exec_load(x, p, b)) return false;
            l->at = 0;
        }
        last = p->docs[p->n - 1];
        while (upto < a->m && a->docs[upto] <= last) upto++;
        from = l->at & ~15u;
        n = invidx_intersect(a->docs + i, upto - i, p->docs, &from, ia, ib);
        l->at = (uint32_t)from;
        if (n > 0 && x->scoring && !exec_tf(x, p)) return false;
        for (size_t k = 0; k < n; k++) {
            uint32_t at = i + ia[k];

            if (x->scoring) {
                for (uint32_t j = 0; j < t; j++) a->tf[j][kept] = a->tf[j][at];
                a->tf[t][kept] = p->tf[ib[k]];
            }
            a->docs[kept++] = a->docs[at];
        }
        i = (uint32_t)upto;
    }
    assert(kept <= a->m);
    a->m = kept;
    return true;
}

static void offer_common(struct all *a)
{
    struct invidx_exec *x = a->x;
    int32_t one[PFOR_BLOCK + 16], sum[PFOR_BLOCK + 16];
    uint32_t index[PFOR_BLOCK + 16];
    size_t m;
    assert(a->m > 0 && a->m <= PFOR_BLOCK);
    assert(a->s->n <= PRUNE_TERMS_MAX);

    if (!x->scoring) {
        for (uint32_t i = 0; i < a->m; i++) x->total += invidx_prune_passes(x, a->s, a->docs[i]);
        return;
    }
    for (uint32_t t = 0; t < a->s->n; t++) {
        invidx_bm25_block(&a->s->lists[t].leaf->model, a->docs, a->tf[t], x->seg->lengths, a->m,
                          t == 0 ? sum : one);
        for (uint32_t i = 0; t > 0 && i < a->m; i++) sum[i] += one[i];
    }
    x->out->work.scored += (uint64_t)a->m * a->s->n;
    m = invidx_select_at_least(sum, a->m, need_for(x->need), index);
    for (size_t i = 0; i < m; i++) invidx_prune_offer(x, a->s, a->docs[index[i]], sum[index[i]]);
}

static void run_all(struct invidx_exec *x, struct invidx_shape *s)
{
    struct all a = {.x = x, .s = s};
    struct invidx_list *lead = &s->lists[0];
    assert(s->n > 1);

    sort_by_df(s);
    for (uint32_t i = 0; x->scoring && i < s->n; i++)
        if (!invidx_prune_bounds(x, &s->lists[i])) return;
    assert(lead->p->df <= s->lists[s->n - 1].p->df);
    for (uint32_t b = 0; b < lead->p->blocks && x->st == SEAM_OK; b++) {
        if (x->scoring && x->heap.n == x->heap.k && lead->p->last != NULL) {
            uint32_t base = b == 0 ? 0 : last_of(lead, b - 1) + 1, end = last_of(lead, b) + 1;
            int64_t sum = lead->bounds[b];

            for (uint32_t i = 1; i < s->n; i++) sum += bound_in(&s->lists[i], base, end);
            if (sum < x->need) {
                x->out->work.blocks_skipped++;
                continue;
            }
        }
        if (!exec_load(x, lead->p, b) || (x->scoring && !exec_tf(x, lead->p))) return;
        a.m = lead->p->n;
        memcpy(a.docs, lead->p->docs, a.m * sizeof *a.docs);
        if (x->scoring) memcpy(a.tf[0], lead->p->tf, a.m * sizeof *a.docs);
        for (uint32_t t = 1; t < s->n && a.m > 0; t++)
            if (!keep_common(&a, t)) return;
        if (a.m > 0) offer_common(&a);
    }
}

/* ---- which shape ---- */
static bool plain_word(const struct invidx_plan_node *n)
{
    assert(n->kind != PLAN_LEAF || n->leaf != NULL);
    return n->kind == PLAN_LEAF && !n->leaf->phrase && n->leaf->count == 1 && !n->leaf->scoped;
}

static bool is_phrase(const struct invidx_plan_node *n)
{
    assert(n->kind != PLAN_LEAF || n->leaf != NULL);
    return n->kind == PLAN_LEAF && n->leaf->phrase && !n->leaf->scoped &&
           n->leaf->count <= PRUNE_TERMS_MAX;
}

static bool add_list(struct invidx_exec *x, struct invidx_shape *s,
                     const struct invidx_plan_node *n)
{
    struct invidx_postings *p = x->cursors[n->leaf->number][0].p;
    assert(s->n < PRUNE_TERMS_MAX);
    assert(plain_word(n));

    if (p == NULL) return false;
    s->lists[s->n++] = (struct invidx_list){.leaf = n->leaf, .p = p};
    return true;
}

enum shape_kind { SHAPE_OTHER, SHAPE_EMPTY, SHAPE_SINGLE, SHAPE_ANY, SHAPE_ALL, SHAPE_PHRASE };

static enum shape_kind shape_of_bool(struct invidx_exec *x, const struct invidx_plan_node *root,
                                     struct invidx_shape *s, const struct invidx_leaf **phrase)
{
    uint32_t musts = 0, shoulds = 0, missing = 0, none = 0;
    assert(root->kind == PLAN_BOOL);
    assert(s->n == 0 && *phrase == NULL);

    if (root->child_count > PRUNE_TERMS_MAX || root->min_should > 1) return SHAPE_OTHER;
    for (uint32_t i = 0; i < root->child_count; i++) {
        const struct invidx_plan_node *c = root->children[i];

        if (c->occur == INVIDX_FILTER && (c->kind == PLAN_RANGE || c->kind == PLAN_KEYWORD)) {
            if (s->filter_count == FILTERS_MAX) return SHAPE_OTHER;
            s->filters[s->filter_count++] = c;
            continue;
        }
        if (c->occur > INVIDX_MUST) return SHAPE_OTHER;
        musts += c->occur == INVIDX_MUST;
        shoulds += c->occur == INVIDX_SHOULD;
        if (c->kind == PLAN_NONE)
            none++;
        else if (plain_word(c))
            missing += !add_list(x, s, c);
        else if (is_phrase(c) && *phrase == NULL)
            *phrase = c->leaf;
        else
            return SHAPE_OTHER;
    }
    assert(s->n + missing <= root->child_count);
    if (musts > 0 && shoulds > 0) return SHAPE_OTHER;
    if (musts + shoulds == 0 || (shoulds > 0 && s->filter_count > 0 && root->min_should == 0))
        return SHAPE_OTHER;
    if (*phrase != NULL) return s->n + missing + none == 0 ? SHAPE_PHRASE : SHAPE_OTHER;
    if (musts > 0 && missing + none > 0) return SHAPE_EMPTY;
    if (s->n == 0) return SHAPE_EMPTY;
    return s->n == 1 ? SHAPE_SINGLE : musts > 0 ? SHAPE_ALL : SHAPE_ANY;
}

static enum shape_kind shape_of(struct invidx_exec *x, struct invidx_shape *s,
                                const struct invidx_leaf **phrase)
{
    const struct invidx_plan_node *root = x->plan->root;
    assert(root != NULL);

    s->n = s->filter_count = 0;
    *phrase = NULL;
    if (root->kind == PLAN_NONE) return SHAPE_EMPTY;
    if (root->kind == PLAN_BOOL) return shape_of_bool(x, root, s, phrase);
    if (plain_word(root)) return add_list(x, s, root) ? SHAPE_SINGLE : SHAPE_EMPTY;
    if (!is_phrase(root)) return SHAPE_OTHER;
    *phrase = root->leaf;
    return SHAPE_PHRASE;
}

bool invidx_prune_run(struct invidx_exec *x, enum invidx_strategy strategy, const char **plan_name)
{
    struct invidx_shape s;
    const struct invidx_leaf *phrase;
    assert(x->seg != NULL && x->seg->docs > 0);

    x->need = invidx_heap_need(&x->heap, segment_key(x->seg, 0));
    assert(x->need >= 0);
    switch (shape_of(x, &s, &phrase)) {
    case SHAPE_OTHER: return false;
    case SHAPE_EMPTY: return true;
    case SHAPE_SINGLE:
        *plan_name = "single";
        if (!x->scoring) return false;
        run_single(x, &s);
        return true;
    case SHAPE_ALL:
        *plan_name = "all-of";
        run_all(x, &s);
        return true;
    case SHAPE_PHRASE:
        *plan_name = "phrase";
        invidx_prune_phrase(x, &s, phrase);
        return true;
    case SHAPE_ANY: break;
    }
    if (!x->scoring) return false;
    if (strategy == INVIDX_WAND) {
        *plan_name = "any-of wand";
        invidx_prune_wand(x, &s);
    } else {
        *plan_name = "any-of maxscore";
        run_any(x, &s);
    }
    return true;
}
