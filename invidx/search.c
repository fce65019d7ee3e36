/* search - runs a plan over every segment and keeps the best. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "invidx/exec.h"
#include "invidx/facet.h"

/* ---- the best k ---- */
bool entry_better(const struct entry *a, const struct entry *b)
{
    if (a->present != b->present) return a->present;
    if (a->rank != b->rank) return a->rank > b->rank;
    return a->key < b->key;
}

static void sift_down(struct entry *v, size_t n, size_t i)
{
    for (;;) {
        size_t c = 2 * i + 1;
        struct entry t;

        if (c >= n) return;
        if (c + 1 < n && entry_better(&v[c], &v[c + 1])) c++;
        if (!entry_better(&v[i], &v[c])) return;
        t = v[i];
        v[i] = v[c];
        v[c] = t;
        i = c;
    }
}

bool heap_push(struct heap *h, const struct entry *e)
{
    if (h->has_after && !entry_better(&h->after, e)) return false;
    if (h->n < h->k) {
        size_t i = h->n++;

        for (; i > 0 && entry_better(&h->v[(i - 1) / 2], e); i = (i - 1) / 2)
            h->v[i] = h->v[(i - 1) / 2];
        h->v[i] = *e;
        return true;
    }
    if (h->k == 0 || !entry_better(e, &h->v[0])) return false;
    h->v[0] = *e;
    sift_down(h->v, h->n, 0);
    return true;
}

int64_t heap_need(const struct heap *h, uint64_t key)
{
    if (h->n < h->k) return 0;
    if (h->k == 0) return INT64_MAX;
    return (int64_t)h->v[0].rank + (h->v[0].key < key ? 1 : 0);
}

static void heap_sort(struct heap *h)
{
    for (size_t n = h->n; n > 1; n--) {
        struct entry t = h->v[0];

        h->v[0] = h->v[n - 1];
        h->v[n - 1] = t;
        sift_down(h->v, n - 1, 0);
    }
}

static void rank_by_attr(struct exec *x, uint32_t doc, struct entry *e)
{
    int64_t v = 0;

    e->present = segment_attr_int(x->seg, (uint32_t)x->req->sort_attr - 1, doc, &v);
    e->sort_int = e->present ? v : INT64_MIN;
    e->rank = (uint64_t)v ^ (1ull << 63);
    if (!x->req->sort_descending) e->rank = ~e->rank;
    if (!e->present) e->rank = 0;
}

void exec_offer(struct exec *x, uint32_t doc, int32_t score)
{
    struct entry e = {.rank = (uint64_t)(uint32_t)score, .score = score, .present = true};

    x->total++;
    if (x->match != NULL) {
        x->match(x, doc);
        return;
    }
    if (x->facets != NULL) facet_add(x, doc);
    if (x->heap.k == 0) return;
    if (x->req->sort_attr > 0)
        rank_by_attr(x, doc, &e);
    else if (x->heap.n == x->heap.k && e.rank < x->heap.v[0].rank)
        return;
    e.key = segment_key(x->seg, doc);
    heap_push(&x->heap, &e);
}

/* ---- running ---- */
static void bind_keywords(struct exec *x, struct plan_node *n)
{
    if (n->kind == PLAN_KEYWORD) n->code = segment_attr_find(x->seg, n->attr, n->text, n->len);
    for (uint32_t i = 0; i < n->child_count; i++)
        bind_keywords(x, n->children[i]);
}

void exec_bind(struct exec *x, size_t seg_index)
{
    struct plan *p = x->plan;

    x->seg_index = seg_index;
    x->rs = &p->r->segs[seg_index];
    x->seg = x->rs->seg;
    p->q->pool_used = 1; /* the first is the plan's scratch */
    for (uint32_t i = 0; i < p->leaf_count && x->st == ST_OK; i++) {
        struct leaf *l = p->leaves[i];

        for (uint32_t t = 0; t < l->count && x->st == ST_OK; t++) {
            struct cursor *c = &x->cursors[i][t];
            const struct term *term = &l->terms[t].in[seg_index];

            c->block = 0;
            c->p = NULL;
            if (term->df == 0) continue;
            c->p = query_cursor(p->q);
            if (c->p == NULL) {
                x->st = fault_set(x->f, ST_NOMEM, "query", FAULT_NO_OFFSET,
                                  "no memory to run the query");
                return;
            }
            x->st = postings_open(c->p, x->seg, term, l->weights, x->f);
            x->out->work.postings += term->df;
            x->out->work.blocks += c->p->blocks;
            /* a list without skips tells its last document only when it is decoded */
            if (x->st == ST_OK && c->p->last == NULL) x->st = postings_load(c->p, 0, x->f);
        }
    }
    bind_keywords(x, p->root);
}

static void count_work(struct exec *x)
{
    struct invidx_work *w = &x->out->work;
    struct plan *p = x->plan;

    for (size_t i = 1; i < p->q->pool_used; i++) {
        w->decoded += p->q->pool[i]->decoded;
        w->positions += p->q->pool[i]->positions_read;
    }
}

static enum status start(struct exec *x, struct invidx_query *q, const struct invidx_request *req,
                         struct invidx_result *out, struct fault *f)
{
    struct plan *p = NULL;
    enum status st;

    x->req = req;
    x->out = out;
    x->f = f;
    x->st = ST_OK;
    x->scoring = req->sort_attr == 0;
    x->total = 0;
    x->match = NULL;
    x->facets = NULL;
    memset(x->levels, 0, sizeof x->levels);
    memset(&x->heap, 0, sizeof x->heap);
    memset(&out->work, 0, sizeof out->work);
    st = plan_make(q, req, &p, f);
    if (st != ST_OK) return st;
    x->plan = p;
    for (uint32_t i = 0; i < p->leaf_count; i++) {
        x->cursors[i] = arena_alloc(&q->run, sizeof(struct cursor) * (p->leaves[i]->count + 1));
        if (x->cursors[i] == NULL)
            return fault_set(f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory to run the query");
    }
    return ST_OK;
}

static enum status make_heap(struct exec *x)
{
    const struct invidx_request *req = x->req;
    struct heap *h = &x->heap;

    h->k = req->k;
    h->v = arena_alloc(&x->plan->q->run, sizeof *h->v * (req->k + 1));
    if (h->v == NULL)
        return fault_set(x->f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory for %zu hits",
                         req->k);
    h->has_after = req->has_after;
    if (!req->has_after) return ST_OK;
    h->after.key = req->after.key;
    h->after.present = true;
    if (req->sort_attr == 0) {
        double s = ldexp(req->after.score, x->plan->scale);

        if (!(s >= 0 && s <= 2147483647.0))
            return fault_set(x->f, ST_INVALID, "query", FAULT_NO_OFFSET,
                             "the cursor is not of this query and state");
        h->after.rank = (uint64_t)s;
        return ST_OK;
    }
    h->after.present = req->after.sort_int != INT64_MIN;
    h->after.rank = (uint64_t)req->after.sort_int ^ (1ull << 63);
    if (!req->sort_descending) h->after.rank = ~h->after.rank;
    if (!h->after.present) h->after.rank = 0;
    return ST_OK;
}

static void give_hits(struct exec *x)
{
    struct invidx_result *out = x->out;

    heap_sort(&x->heap);
    out->count = x->heap.n;
    for (size_t i = 0; i < x->heap.n; i++) {
        const struct entry *e = &x->heap.v[i];

        out->hits[i] = (struct invidx_hit){e->key, x->scoring ? plan_score(x->plan, e->score) : 0,
                                           e->sort_int};
    }
}

enum status invidx_search(struct invidx_reader *r, struct invidx_query *q,
                          const struct invidx_request *req, struct invidx_result *out,
                          struct fault *f)
{
    struct exec x;
    bool all, exact = true;
    enum status st = start(&x, q, req, out, f);

    if (st == ST_OK) st = make_heap(&x);
    if (st == ST_OK) st = facets_begin(&x);
    if (st != ST_OK) return st;
    all = req->count_total || req->facet_count > 0 || req->sort_attr > 0 || req->has_after ||
          req->strategy == INVIDX_EXHAUSTIVE || !x.plan->default_weights;
    out->work.plan = "windows";
    for (size_t i = 0; i < r->seg_count && x.st == ST_OK; i++) {
        exec_bind(&x, i);
        facets_enter(&x);
        if (x.st == ST_OK && (all || !prune_run(&x, req->strategy, &out->work.plan)))
            windows_run(&x);
        else
            exact = false;
        count_work(&x);
        facets_leave(&x);
    }
    if (x.st != ST_OK) return x.st;
    give_hits(&x);
    facets_end(&x);
    out->total = x.total;
    out->total_exact = exact;
    out->applied_lsn = r->applied;
    TRACE(req->trace, "invidx", "search", TS("plan", out->work.plan),
          TI("postings", out->work.postings), TI("decoded", out->work.decoded),
          TI("scored", out->work.scored), TI("blocks", out->work.blocks),
          TI("blocks_skipped", out->work.blocks_skipped), TI("hits", out->count));
    return ST_OK;
}

enum status invidx_count(struct invidx_reader *r, struct invidx_query *q, uint64_t *out,
                         struct fault *f)
{
    struct invidx_request req = {0};
    struct invidx_result result;
    struct exec x;
    enum status st = start(&x, q, &req, &result, f);

    if (st != ST_OK) return st;
    x.scoring = false;
    if (x.plan->root->kind == PLAN_LEAF && x.plan->root->leaf->count == 1 &&
        !x.plan->root->leaf->scoped) {
        *out = x.plan->root->leaf->df;
        return ST_OK;
    }
    for (size_t i = 0; i < r->seg_count && x.st == ST_OK; i++) {
        exec_bind(&x, i);
        if (x.st == ST_OK && !prune_run(&x, INVIDX_AUTO, &result.work.plan)) windows_run(&x);
    }
    *out = x.total;
    return x.st;
}

/* ---- all keys ---- */
struct keys {
    uint64_t *v;
    size_t n, cap;
};

static void add_key(struct exec *x, uint32_t doc)
{
    struct keys *k = x->match_ctx;

    if (k->n == k->cap) {
        size_t cap = k->cap == 0 ? 256 : 2 * k->cap;
        uint64_t *v = realloc(k->v, cap * sizeof *v);

        if (v == NULL) {
            x->st =
                fault_set(x->f, ST_NOMEM, "query", FAULT_NO_OFFSET, "no memory for the matches");
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

enum status invidx_matches(struct invidx_reader *r, struct invidx_query *q, uint64_t **keys,
                           size_t *count, struct fault *f)
{
    struct invidx_request req = {0};
    struct invidx_result result;
    struct keys all = {0};
    struct exec x;
    enum status st = start(&x, q, &req, &result, f);

    if (st != ST_OK) return st;
    x.scoring = false;
    x.match = add_key;
    x.match_ctx = &all;
    for (size_t i = 0; i < r->seg_count && x.st == ST_OK; i++) {
        exec_bind(&x, i);
        if (x.st == ST_OK) windows_run(&x);
    }
    if (x.st != ST_OK) {
        free(all.v);
        return x.st;
    }
    if (all.n > 0) qsort(all.v, all.n, sizeof *all.v, by_key);
    *keys = all.v;
    *count = all.n;
    return ST_OK;
}
