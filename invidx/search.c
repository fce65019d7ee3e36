/* search - runs a plan over every segment and keeps the best. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/exec.h"
#include "invidx/facet.h"

/* ---- running ---- */
static void bind_keywords(struct invidx_exec *x, struct invidx_plan_node *n)
{
    assert(n->child_count == 0 || n->children != NULL);
    if (n->kind == PLAN_KEYWORD)
        n->code = invidx_segment_attr_find(x->seg, n->attr, n->text, n->len);
    assert(n->kind != PLAN_KEYWORD || n->code <= x->seg->attr[n->attr].dict_count);
    for (uint32_t i = 0; i < n->child_count; i++) bind_keywords(x, n->children[i]);
}

void invidx_exec_bind(struct invidx_exec *x, size_t seg_index)
{
    struct invidx_plan *p = x->plan;
    assert(seg_index < p->r->seg_count);
    assert(p->q->pool_used >= 1);

    x->seg_index = seg_index;
    x->rs = &p->r->segs[seg_index];
    x->seg = x->rs->seg;
    p->q->pool_used = 1; /* the first is the plan's scratch */
    for (uint32_t i = 0; i < p->leaf_count && x->st == SEAM_OK; i++) {
        struct invidx_leaf *l = p->leaves[i];

        for (uint32_t t = 0; t < l->count && x->st == SEAM_OK; t++) {
            struct invidx_cursor *c = &x->cursors[i][t];
            const struct invidx_term *term = &l->terms[t].in[seg_index];

            c->block = 0;
            c->p = NULL;
            if (term->df == 0) continue;
            c->p = invidx_query_cursor(p->q);
            if (c->p == NULL) {
                x->st = seam_fault_set(x->f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                                       "no memory to run the query");
                return;
            }
            x->st = invidx_postings_open(c->p, x->seg, term, l->weights, x->f);
            x->out->work.postings += term->df;
            x->out->work.blocks += c->p->blocks;
            /* a list without skips tells its last document only when it is decoded */
            if (x->st == SEAM_OK && c->p->last == NULL) x->st = invidx_postings_load(c->p, 0, x->f);
        }
    }
    bind_keywords(x, p->root);
}

static void count_work(struct invidx_exec *x)
{
    struct invidx_work *w = &x->out->work;
    struct invidx_plan *p = x->plan;
    assert(p->q->pool_used <= p->q->pool_count);

    for (size_t i = 1; i < p->q->pool_used; i++) {
        w->decoded += p->q->pool[i]->decoded;
        w->positions += p->q->pool[i]->positions_read;
    }
}

static enum seam_status start(struct invidx_exec *x, struct invidx_query *q,
                              const struct invidx_request *req, struct invidx_result *out,
                              struct seam_fault *f)
{
    struct invidx_plan *p = NULL;
    enum seam_status st;

    x->req = req;
    x->out = out;
    x->f = f;
    x->st = SEAM_OK;
    x->scoring = req->sort_attr == 0;
    x->total = 0;
    x->match = NULL;
    x->facets = NULL;
    memset(x->levels, 0, sizeof x->levels);
    memset(&x->heap, 0, sizeof x->heap);
    memset(&out->work, 0, sizeof out->work);
    st = invidx_plan_make(q, req, &p, f);
    if (st != SEAM_OK) return st;
    assert(p->leaf_count <= SEAM_ARRAY_LEN(x->cursors));
    assert(p->q == q);
    x->plan = p;
    for (uint32_t i = 0; i < p->leaf_count; i++) {
        x->cursors[i] =
            seam_arena_alloc(&q->run, sizeof(struct invidx_cursor) * (p->leaves[i]->count + 1));
        if (x->cursors[i] == NULL)
            return seam_fault_set(f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                                  "no memory to run the query");
    }
    return SEAM_OK;
}

static enum seam_status make_heap(struct invidx_exec *x)
{
    const struct invidx_request *req = x->req;
    struct invidx_heap *h = &x->heap;
    assert(req->k <= INVIDX_K_MAX);
    assert(x->plan != NULL);

    h->k = req->k;
    h->v = seam_arena_alloc(&x->plan->q->run, sizeof *h->v * (req->k + 1));
    if (h->v == NULL)
        return seam_fault_set(x->f, SEAM_NOMEM, "query", SEAM_FAULT_NO_OFFSET,
                              "no memory for %zu hits", req->k);
    h->has_after = req->has_after;
    if (!req->has_after) return SEAM_OK;
    h->after.key = req->after.key;
    h->after.present = true;
    if (req->sort_attr == 0) {
        double s = ldexp(req->after.score, x->plan->scale);

        if (!(s >= 0 && s <= 2147483647.0))
            return seam_fault_set(x->f, SEAM_INVALID, "query", SEAM_FAULT_NO_OFFSET,
                                  "the cursor is not of this query and state");
        h->after.rank = (uint64_t)s;
        return SEAM_OK;
    }
    h->after.present = req->after.sort_int != INT64_MIN;
    h->after.rank = (uint64_t)req->after.sort_int ^ (1ull << 63);
    if (!req->sort_descending) h->after.rank = ~h->after.rank;
    if (!h->after.present) h->after.rank = 0;
    return SEAM_OK;
}

static void give_hits(struct invidx_exec *x)
{
    struct invidx_result *out = x->out;
    assert(x->heap.n <= x->req->k);
    assert(x->heap.n == 0 || out->hits != NULL);

    invidx_heap_sort(&x->heap);
    out->count = x->heap.n;
    for (size_t i = 0; i < x->heap.n; i++) {
        const struct invidx_entry *e = &x->heap.v[i];

        out->hits[i] = (struct invidx_hit){
            e->key, x->scoring ? invidx_plan_score(x->plan, e->score) : 0, e->sort_int};
    }
}

enum seam_status invidx_search(struct invidx_reader *r, struct invidx_query *q,
                               const struct invidx_request *req, struct invidx_result *out,
                               struct seam_fault *f)
{
    struct invidx_exec x;
    bool all, exact = true;
    enum seam_status st = start(&x, q, req, out, f);
    assert(r == q->reader);
    assert(req->k == 0 || out->hits != NULL);

    if (st == SEAM_OK) st = make_heap(&x);
    if (st == SEAM_OK) st = invidx_facets_begin(&x);
    if (st != SEAM_OK) return st;
    all = req->count_total || req->facet_count > 0 || req->sort_attr > 0 || req->has_after ||
          req->strategy == INVIDX_EXHAUSTIVE || !x.plan->default_weights;
    out->work.plan = "windows";
    for (size_t i = 0; i < r->seg_count && x.st == SEAM_OK; i++) {
        invidx_exec_bind(&x, i);
        invidx_facets_enter(&x);
        if (x.st == SEAM_OK && (all || !invidx_prune_run(&x, req->strategy, &out->work.plan)))
            invidx_windows_run(&x);
        else
            exact = false;
        count_work(&x);
        invidx_facets_leave(&x);
    }
    if (x.st != SEAM_OK) return x.st;
    give_hits(&x);
    invidx_facets_end(&x);
    assert(out->count <= x.total);
    out->total = x.total;
    out->total_exact = exact;
    out->applied_lsn = r->applied;
    SEAM_TRACE(req->trace, "invidx", "search", SEAM_TS("plan", out->work.plan),
               SEAM_TI("postings", out->work.postings), SEAM_TI("decoded", out->work.decoded),
               SEAM_TI("scored", out->work.scored), SEAM_TI("blocks", out->work.blocks),
               SEAM_TI("blocks_skipped", out->work.blocks_skipped), SEAM_TI("hits", out->count));
    return SEAM_OK;
}

enum seam_status invidx_count(struct invidx_reader *r, struct invidx_query *q, uint64_t *out,
                              struct seam_fault *f)
{
    struct invidx_request req = {0};
    struct invidx_result result;
    struct invidx_exec x;
    enum seam_status st = start(&x, q, &req, &result, f);
    assert(r == q->reader);
    assert(out != NULL);

    if (st != SEAM_OK) return st;
    x.scoring = false;
    if (x.plan->root->kind == PLAN_LEAF && x.plan->root->leaf->count == 1 &&
        !x.plan->root->leaf->scoped) {
        *out = x.plan->root->leaf->df;
        return SEAM_OK;
    }
    for (size_t i = 0; i < r->seg_count && x.st == SEAM_OK; i++) {
        invidx_exec_bind(&x, i);
        if (x.st == SEAM_OK && !invidx_prune_run(&x, INVIDX_AUTO, &result.work.plan))
            invidx_windows_run(&x);
    }
    *out = x.total;
    return x.st;
}

/* ---- all keys ---- */
struct keys {
    uint64_t *v;
    size_t n, cap;
};

static void add_key(struct invidx_exec *x, uint32_t doc)
{
    struct keys *k = x->match_ctx;
    assert(k->n <= k->cap);
    SEAM_WALK(doc < x->seg->docs);

    if (k->n == k->cap) {
        size_t cap = k->cap == 0 ? 256 : 2 * k->cap;
        uint64_t *v = realloc(k->v, cap * sizeof *v);

        if (v == NULL) {
            x->st = seam_no_memory(x->f, "the matches");
            return;
        }
        k->v = v;
        k->cap = cap;
    }
    k->v[k->n++] = segment_key(x->seg, doc);
}

static int by_key(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

enum seam_status invidx_matches(struct invidx_reader *r, struct invidx_query *q, uint64_t **keys,
                                size_t *count, struct seam_fault *f)
{
    struct invidx_request req = {0};
    struct invidx_result result;
    struct keys all = {0};
    struct invidx_exec x;
    enum seam_status st = start(&x, q, &req, &result, f);
    assert(r == q->reader);
    assert(keys != NULL && count != NULL);

    if (st != SEAM_OK) return st;
    x.scoring = false;
    x.match = add_key;
    x.match_ctx = &all;
    for (size_t i = 0; i < r->seg_count && x.st == SEAM_OK; i++) {
        invidx_exec_bind(&x, i);
        if (x.st == SEAM_OK) invidx_windows_run(&x);
    }
    if (x.st != SEAM_OK) {
        free(all.v);
        return x.st;
    }
    if (all.n > 0) qsort(all.v, all.n, sizeof *all.v, by_key);
    assert(all.n == x.total);
    *keys = all.v;
    *count = all.n;
    return SEAM_OK;
}
