/* query - what a search does around the walk: which regime, which nodes may be returned, exact rerank.
 *
 *   no filter, nothing dead, newest     walk() alone: the sorted pool is the answer
 *   else                                guided(): the walk goes where it must, results are kept apart
 *     PLAIN     every neighbour is a candidate; only matching ones are results. Good down to about a third.
 *     TWO_HOP   only matching nodes are candidates; a non-matching neighbour is looked through, at its
 *               own neighbours (ACORN: Patel et al., SIGMOD 2024)
 *     EXACT     few match: measure them all
 *   A walk that ends with fewer than k results (a disconnected corner, a filter that lies far from the
 *   query) is finished by EXACT, so fewer than k come back only when fewer than k match.
 *
 * Dead nodes are walked through in every regime and returned in none.                               */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "engine/base/walk.h"
#include "hnsw/query.h"

enum { SAMPLE = 256, DEFAULT_EF = 64, SEEDS = 8, PLAIN_PERCENT = 35, RERANK_MIN = 16 };

const char *hnsw_regime_name(enum hnsw_regime r)
{
    static const char *const names[] = {"auto", "plain", "two-hop", "exact"};

    return (unsigned)r < SEAM_ARRAY_LEN(names) ? names[r] : "?";
}

bool hnsw_selector_takes(const struct hnsw_selector *sel, const struct hnsw_node *n)
{
    const struct hnsw_filter *f = sel->filter;
    size_t lo = 0, hi;
    SEAM_WALK(sel->moment < SEAM_LSN_MAX);

    if (!node_alive(n, sel->moment)) return false;
    if (f == NULL) return true;
    if (f->match != NULL) return f->match(f->ctx, n->key);
    if (f->bitmap != NULL) return n->key < f->bits && seam_bitset_get(f->bitmap, (size_t)n->key);
    for (hi = f->key_count; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;

        if (f->keys[mid] < n->key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->key_count && f->keys[lo] == n->key;
}

/* Estimates the share of matching nodes from a sample spread over the nodes, and keeps some that match:
 * they are starting points near which a walk among matching nodes can begin.                        */
static double sample(const struct hnsw *h, const struct hnsw_selector *sel, uint32_t *seeds,
                     size_t *seed_count)
{
    uint32_t count = count_load(h), tried = count < SAMPLE ? count : SAMPLE, hit = 0;
    assert(seeds != NULL);

    *seed_count = 0;
    for (uint32_t i = 0; i < tried; i++) {
        uint32_t id = (uint32_t)((uint64_t)i * count / tried);

        if (!hnsw_selector_takes(sel, node_at(h, id))) continue;
        hit++;
        if (*seed_count < SEEDS) seeds[(*seed_count)++] = id;
    }
    assert(hit <= tried && *seed_count <= SEEDS);
    return tried == 0 ? 0 : (double)hit / tried;
}

/* Costs in distances, roughly: a walk measures about 12 new nodes a hop and ef hops; an exact scan reads
 * memory in order and is worth about four times that many.                                          */
static enum hnsw_regime choose(const struct hnsw *h, const struct hnsw_query *q, double share,
                               size_t ef)
{
    double matches = share * count_load(h), walk_cost = 12.0 * (double)ef;
    assert(share >= 0 && share <= 1);
    assert(ef > 0);

    if (q->regime != HNSW_AUTO) return q->regime;
    if (q->filter != NULL && q->filter->keys != NULL) matches = (double)q->filter->key_count;
    if (matches <= 4 * walk_cost || share < 2.0 / SAMPLE) return HNSW_EXACT;
    return share * 100 >= PLAIN_PERCENT ? HNSW_PLAIN : HNSW_TWO_HOP;
}

/* ---- exact ---- */
static bool exact_push(struct hnsw_scratch *s, cand_t c, size_t k)
{
    SEAM_WALK(s->heap_count <= k);
    SEAM_WALK(k > 0);
    /* The k best in s->heap, complemented: the worst is at the root.                                 */
    if (s->heap_count == k) {
        if (c >= ~s->heap[0]) return true;
        (void)hnsw_heap_pop(s);
    }
    return hnsw_heap_push(s, ~c);
}

static enum seam_status exact_scan(const struct hnsw *h, struct hnsw_scratch *s,
                                   const struct hnsw_probe *p, const struct hnsw_selector *sel,
                                   size_t k, size_t *found)
{
    uint32_t ids[DIST_BATCH], count = count_load(h);
    int32_t keys[DIST_BATCH];
    size_t n = 0;
    assert(k > 0);

    s->heap_count = 0;
    for (uint32_t id = 0; id <= count; id++) {
        if (n == DIST_BATCH / 2 || (id == count && n > 0)) {
            hnsw_measure(h, p, ids, n, s->heap_count == k ? cand_key(~s->heap[0]) : INT32_MAX,
                         keys);
            s->stats.distances += (uint32_t)n;
            for (size_t i = 0; i < n; i++)
                if (!exact_push(s, cand_make(keys[i], ids[i]), k)) return SEAM_NOMEM;
            n = 0;
        }
        if (id < count && hnsw_selector_takes(sel, node_at(h, id))) ids[n++] = id;
    }
    if (!hnsw_scratch_pool(s, s->heap_count + 1)) return SEAM_NOMEM;
    assert(s->heap_count <= k);
    assert(n == 0);
    *found = s->heap_count;
    for (size_t i = s->heap_count; i-- > 0;) s->pool[i] = ~hnsw_heap_pop(s);
    return SEAM_OK;
}

/* A scan for the exact answer measures the vectors themselves (lossless codes are the vectors).      */
static struct hnsw_probe exact_probe(const struct hnsw *h, struct hnsw_scratch *s)
{
    struct hnsw_probe p = {.vec = s->vec};

    return has_vecs(h) ? p : hnsw_probe_query(h, s);
}

/* ---- the guided walk ---- */
/* Neighbours worth measuring: all unvisited ones, or (two-hop) the matching ones of the neighbours'
 * neighbours too.                                                                                   */
static size_t gather_plain(const struct hnsw *h, struct hnsw_scratch *s, uint32_t node,
                           uint32_t *ids)
{
    const uint32_t *list = links0_at(h, node);
    size_t n = 0;

    for (uint32_t i = 0; i < h->max0; i++) {
        uint32_t id = link_load(list + i);

        if (id == LINK_NONE) break;
        if (seam_bitset_get(s->visited, id)) continue;
        seam_bitset_set(s->visited, id);
        ids[n++] = id;
    }
    assert(n <= h->max0);
    return n;
}

static size_t gather_two_hop(const struct hnsw *h, struct hnsw_scratch *s,
                             const struct hnsw_selector *sel, uint32_t node, uint32_t *ids)
{
    uint32_t first[DIST_BATCH];
    size_t m = gather_plain(h, s, node, first), n = 0, through = 0;

    for (size_t i = 0; i < m; i++) {
        if (hnsw_selector_takes(sel, node_at(h, first[i])))
            ids[n++] = first[i];
        else
            first[through++] = first[i];
    }
    for (size_t i = 0; i < through && n < h->max0; i++) {
        const uint32_t *list = links0_at(h, first[i]);

        for (uint32_t j = 0; j < h->max0 && n < DIST_BATCH; j++) {
            uint32_t id = link_load(list + j);

            if (id == LINK_NONE) break;
            if (seam_bitset_get(s->visited, id) || !hnsw_selector_takes(sel, node_at(h, id)))
                continue;
            seam_bitset_set(s->visited, id);
            ids[n++] = id;
        }
    }
    assert(n <= DIST_BATCH);
    return n;
}

struct guided {
    const struct hnsw *h;
    struct hnsw_scratch *s;
    const struct hnsw_probe *p;
    const struct hnsw_selector *sel;
    size_t ef, found; /* results: s->pool[0, found), ascending */
    enum hnsw_regime regime;
};

static void result_insert(struct guided *g, cand_t c)
{
    cand_t *a = g->s->pool;
    size_t at;
    SEAM_WALK(g->found <= g->ef);
    SEAM_WALK(g->found < g->s->pool_cap);

    if (g->found == g->ef) {
        if (c >= a[g->found - 1]) return;
        g->found--;
    }
    for (at = g->found; at > 0 && a[at - 1] > c; at--) a[at] = a[at - 1];
    a[at] = c;
    g->found++;
    g->s->stats.candidates++;
}

static bool consider(struct guided *g, const uint32_t *ids, size_t n, bool all_match)
{
    int32_t keys[DIST_BATCH];
    assert(n <= DIST_BATCH);
    assert(g->found <= g->ef);

    hnsw_measure(g->h, g->p, ids, n,
                 g->found == g->ef ? cand_key(g->s->pool[g->found - 1]) : INT32_MAX, keys);
    g->s->stats.distances += (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        cand_t c = cand_make(keys[i], ids[i]);

        if (g->found == g->ef && c >= g->s->pool[g->found - 1]) continue;
        if (!hnsw_heap_push(g->s, c)) return false;
        if (all_match || hnsw_selector_takes(g->sel, node_at(g->h, ids[i]))) result_insert(g, c);
    }
    return true;
}

static enum seam_status guided_walk(struct guided *g, cand_t start, const uint32_t *seeds,
                                    size_t seed_count)
{
    struct hnsw_scratch *s = g->s;
    uint32_t ids[DIST_BATCH], first = cand_node(start);
    assert(first < count_load(g->h));
    assert(seed_count <= SEEDS);

    memset(s->visited, 0, seam_bitset_words(count_load(g->h)) * sizeof *s->visited);
    s->heap_count = 0;
    seam_bitset_set(s->visited, first);
    if (!consider(g, &first, 1, false)) return SEAM_NOMEM;
    for (size_t i = 0; i < seed_count; i++) {
        if (seam_bitset_get(s->visited, seeds[i])) continue;
        seam_bitset_set(s->visited, seeds[i]);
        if (!consider(g, &seeds[i], 1, false)) return SEAM_NOMEM;
    }
    while (s->heap_count > 0) {
        cand_t c = hnsw_heap_pop(s);
        size_t n;

        if (g->found == g->ef && c > s->pool[g->found - 1]) break;
        s->stats.hops++;
        n = g->regime == HNSW_TWO_HOP ? gather_two_hop(g->h, s, g->sel, cand_node(c), ids)
                                      : gather_plain(g->h, s, cand_node(c), ids);
        SEAM_TRACE(g->h->cfg.trace, "hnsw", "hop", SEAM_TI("node", cand_node(c)),
                   SEAM_TI("level", 0), SEAM_TI("key", cand_key(c)), SEAM_TI("neighbours", n),
                   SEAM_TI("pool", g->found), SEAM_TS("regime", hnsw_regime_name(g->regime)));
        if (!consider(g, ids, n, g->regime == HNSW_TWO_HOP)) return SEAM_NOMEM;
    }
    SEAM_WALK(cands_ascend(s->pool, g->found));
    return SEAM_OK;
}

/* ---- putting it together ---- */
/* The nearest by code are measured again exactly; twice k and a few more are enough for 8-bit codes.  */
static size_t rerank(const struct hnsw *h, struct hnsw_scratch *s, size_t found, size_t k)
{
    size_t n = 2 * k + RERANK_MIN < found ? 2 * k + RERANK_MIN : found;
    assert(found <= s->pool_cap);
    assert(has_vecs(h));

    for (size_t i = 0; i < n; i += DIST_BATCH) {
        size_t m = n - i < DIST_BATCH ? n - i : DIST_BATCH;
        uint32_t ids[DIST_BATCH];
        int32_t keys[DIST_BATCH];

        for (size_t j = 0; j < m; j++) ids[j] = cand_node(s->pool[i + j]);
        hnsw_measure_exact(h, s->vec, ids, m, INT32_MAX, keys);
        for (size_t j = 0; j < m; j++) s->pool[i + j] = cand_make(keys[j], ids[j]);
    }
    s->stats.reranked = (uint32_t)n;
    for (size_t i = 1; i < n; i++) {
        cand_t c = s->pool[i];
        size_t j = i;

        for (; j > 0 && s->pool[j - 1] > c; j--) s->pool[j] = s->pool[j - 1];
        s->pool[j] = c;
    }
    assert(n <= found);
    return n;
}

static bool answered_by_walk(const struct hnsw *h, const struct hnsw_query *q,
                             const struct hnsw_selector *sel)
{
    return q->filter == NULL && dead_load(h) == 0 && sel->moment == SEAM_LSN_MAX - 1 &&
           (q->regime == HNSW_AUTO || q->regime == HNSW_PLAIN);
}

/* Leaves the ef nearest selected in s->pool, ascending by the keys of *p; *p says what measured them. */
enum seam_status hnsw_query_candidates(const struct hnsw *h, struct hnsw_scratch *s,
                                       const struct hnsw_query *q, const struct hnsw_selector *sel,
                                       size_t ef, struct hnsw_probe *p, size_t *found)
{
    size_t count = count_load(h), want = q->k < count ? q->k : count;
    struct guided g = {h, s, p, sel, ef, 0, HNSW_PLAIN};
    uint32_t seeds[SEEDS];
    size_t seed_count = 0;
    enum seam_status st;
    assert(ef > 0);
    assert(ef >= q->k || q->k > count);

    *found = 0;
    s->stats.regime = HNSW_PLAIN;
    s->stats.selectivity = 1;
    if (entry_load(h) == ENTRY_NONE) return SEAM_OK;
    if (!hnsw_scratch_pool(s, ef + 2)) return SEAM_NOMEM;
    if (answered_by_walk(h, q, sel)) {
        *p = hnsw_probe_query(h, s);
        *found = hnsw_walk(
            h, s, p,
            &(struct hnsw_reach){
                .start = hnsw_descend(h, s, p, 0), .ef = ef, .patience = q->patience, .k = q->k});
    } else {
        s->stats.selectivity = sample(h, sel, seeds, &seed_count);
        g.regime = q->filter == NULL && q->regime == HNSW_AUTO
                       ? (s->stats.selectivity * 100 >= PLAIN_PERCENT ? HNSW_PLAIN : HNSW_TWO_HOP)
                       : choose(h, q, s->stats.selectivity, ef);
        s->stats.regime = g.regime;
        SEAM_TRACE(h->cfg.trace, "hnsw", "regime", SEAM_TS("name", hnsw_regime_name(g.regime)),
                   SEAM_TD("selectivity", s->stats.selectivity));
        if (g.regime != HNSW_EXACT) {
            *p = hnsw_probe_query(h, s);
            st = guided_walk(&g, hnsw_descend(h, s, p, 0), seeds, seed_count);
            if (st != SEAM_OK) return st;
            *found = g.found;
        }
    }
    assert(*found <= ef);
    if (*found >= want) return SEAM_OK;
    s->stats.regime = HNSW_EXACT;
    *p = exact_probe(h, s);
    return exact_scan(h, s, p, sel, q->k, found);
}

/* The pinned point that keeps the promise at the least p50; the most thorough one when none does.    */
static const struct hnsw_point *point_for(const struct hnsw *h, double promise)
{
    const struct hnsw_point *best = NULL, *most = NULL;
    assert(h->point_count <= HNSW_POINTS_MAX);

    for (size_t i = 0; i < h->point_count; i++) {
        const struct hnsw_point *p = &h->points[i];

        if (most == NULL || p->recall_low > most->recall_low) most = p;
        if (p->recall_low >= promise && (best == NULL || p->p50_us < best->p50_us)) best = p;
    }
    return best != NULL ? best : most;
}

static uint32_t query_ef(const struct hnsw *h, const struct hnsw_query *q, uint32_t *patience)
{
    const struct hnsw_point *p = NULL;
    double promise = q->recall > 0 ? q->recall : h->default_recall;
    uint32_t ef = q->ef;

    *patience = q->patience;
    if (ef == 0 && promise > 0) p = point_for(h, promise);
    if (p != NULL) {
        ef = p->ef;
        if (*patience == 0) *patience = p->patience;
    }
    if (ef == 0) ef = DEFAULT_EF;
    assert(ef > 0);
    return ef < q->k ? (uint32_t)q->k : ef;
}

uint32_t hnsw_query_default_ef(const struct hnsw *h)
{
    struct hnsw_query q = {.k = 1};
    uint32_t patience;

    return query_ef(h, &q, &patience);
}

enum seam_status hnsw_query_check(const struct hnsw *h, const struct hnsw_query *q,
                                  struct hnsw_selector *sel, struct seam_fault *f)
{
    const struct hnsw_filter *w = q->filter;
    assert(sel != NULL);
    assert(q != NULL);

    if (!h->writer && h->poison != SEAM_OK) /* a refresh failed half way: this is nobody's state */
        return seam_fault_set(f, h->poison, NULL, SEAM_FAULT_NO_OFFSET,
                              "an earlier refresh failed; open the index anew");
    if (q->k == 0 || q->k > HNSW_EF_MAX || q->ef > HNSW_EF_MAX)
        return seam_fault_set(f, SEAM_INVALID, "k", SEAM_FAULT_NO_OFFSET,
                              "k is %zu, ef %u; k from 1, both to %d", q->k, q->ef, HNSW_EF_MAX);
    if (w != NULL && (w->match != NULL) + (w->bitmap != NULL) + (w->keys != NULL) != 1)
        return seam_fault_set(f, SEAM_INVALID, "filter", SEAM_FAULT_NO_OFFSET,
                              "exactly one of match, bitmap and keys must be given");
    sel->filter = w;
    sel->moment = h->moment;
    if (q->as_of != 0 && q->as_of != SEAM_LSN_MAX) {
        if (q->as_of > h->applied_lsn)
            return seam_fault_set(f, SEAM_NOT_FOUND, NULL, SEAM_FAULT_NO_OFFSET,
                                  "as of LSN %llu, but only %llu is applied",
                                  (unsigned long long)q->as_of, (unsigned long long)h->applied_lsn);
        if (q->as_of < h->floor_lsn)
            return seam_fault_set(f, SEAM_NOT_FOUND, NULL, SEAM_FAULT_NO_OFFSET,
                                  "as of LSN %llu, but history is kept from %llu on",
                                  (unsigned long long)q->as_of, (unsigned long long)h->floor_lsn);
        sel->moment = q->as_of;
    }
    return SEAM_OK;
}

static void to_hits(const struct hnsw *h, const struct hnsw_scratch *s, const struct hnsw_probe *p,
                    size_t n, struct hnsw_hit *hits)
{
    assert(n == 0 || hits != NULL);
    assert(n <= s->pool_cap);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = cand_node(s->pool[i]);

        hits[i] = (struct hnsw_hit){node_at(h, id)->key,
                                    hnsw_quant_distance(h, p, cand_key(s->pool[i])), id};
    }
}

static enum seam_status search_locked(const struct hnsw *h, const struct hnsw_query *q,
                                      struct hnsw_scratch *s, struct hnsw_hit *hits, size_t *count,
                                      struct seam_fault *f)
{
    struct hnsw_probe p = {0}, exact = {.vec = s->vec};
    struct hnsw_query full = *q;
    struct hnsw_selector sel;
    size_t found = 0;
    enum seam_status st = hnsw_query_check(h, q, &sel, f);

    if (st == SEAM_OK) st = hnsw_vector_prepare(h, q->vector, s->vec, f);
    if (st != SEAM_OK) return st;
    s->stats.ef = query_ef(h, q, &full.patience);
    st = hnsw_query_candidates(h, s, &full, &sel, s->stats.ef, &p, &found);
    if (st != SEAM_OK)
        return seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the search");
    if (p.code != NULL && has_vecs(h) && !q->no_rerank) {
        found = rerank(h, s, found, q->k);
        p = exact;
    }
    assert(s->stats.ef >= q->k);
    *count = found < q->k ? found : q->k;
    to_hits(h, s, &p, *count, hits);
    return SEAM_OK;
}

enum seam_status hnsw_search(const struct hnsw *handle, const struct hnsw_query *q,
                             struct hnsw_hit *hits, size_t *count, struct hnsw_stats *stats,
                             struct seam_fault *f)
{
    struct hnsw *h =
        (struct hnsw *)(uintptr_t)handle; /* the gate is guarded state, not the index */
    struct hnsw_scratch *s;
    enum seam_status st;
    assert(hits != NULL || q->k == 0);
    assert(count != NULL);

    *count = 0;
    pthread_rwlock_rdlock(&h->gate);
    s = hnsw_scratch_get(h);
    st = s == NULL ? seam_no_memory(f, "the search") : search_locked(h, q, s, hits, count, f);
    if (s != NULL && stats != NULL) *stats = s->stats;
    hnsw_scratch_put(h, s);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

enum seam_status hnsw_exact(const struct hnsw *handle, const struct hnsw_query *q,
                            struct hnsw_hit *hits, size_t *count, struct seam_fault *f)
{
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;
    struct hnsw_selector sel;
    struct hnsw_scratch *s;
    struct hnsw_probe p;
    enum seam_status st;
    assert(hits != NULL || q->k == 0);
    assert(count != NULL);

    *count = 0;
    pthread_rwlock_rdlock(&h->gate);
    st = hnsw_query_check(h, q, &sel, f);
    s = hnsw_scratch_get(h);
    if (st == SEAM_OK && s == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory");
    if (st == SEAM_OK) st = hnsw_vector_prepare(h, q->vector, s->vec, f);
    if (st == SEAM_OK) {
        p = exact_probe(h, s);
        st = exact_scan(h, s, &p, &sel, q->k, count);
        if (st == SEAM_OK)
            to_hits(h, s, &p, *count, hits);
        else
            seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the scan");
    }
    hnsw_scratch_put(h, s);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

/* ---- batches ---- */
struct batch_work {
    const struct hnsw *h;
    const struct hnsw_batch *b;
    bool exact;
    pthread_mutex_t lock; /* of the fault: the first query that fails says why */
    struct seam_fault *f;
};

static enum seam_status batch_run(void *ctx, size_t begin, size_t end, int thread)
{
    struct batch_work *w = ctx;
    const struct hnsw_batch *b = w->b;
    enum seam_status st = SEAM_OK;
    assert(begin <= end);

    (void)thread;
    for (size_t i = begin; i < end && st == SEAM_OK; i++) {
        struct hnsw_query q = *b->query;
        struct hnsw_hit *hits = b->hits + i * q.k;
        struct seam_fault f = {0};

        q.vector = b->vectors + i * w->h->o.dim;
        st = w->exact ? hnsw_exact(w->h, &q, hits, &b->counts[i], &f)
                      : hnsw_search(w->h, &q, hits, &b->counts[i], NULL, &f);
        if (st != SEAM_OK && w->f != NULL) {
            pthread_mutex_lock(&w->lock);
            seam_fault_set(w->f, st, NULL, i, "query %zu: %s", i, f.why);
            pthread_mutex_unlock(&w->lock);
        }
    }
    return st;
}

static enum seam_status batch(struct batch_work *w)
{
    const struct hnsw_batch *b = w->b;
    enum seam_status st;

    assert(b->query != NULL);
    assert(b->n == 0 || (b->vectors != NULL && b->hits != NULL && b->counts != NULL));
    pthread_mutex_init(&w->lock, NULL);
    st = seam_parallel_for(b->threads, b->n, 8, batch_run, w);
    pthread_mutex_destroy(&w->lock);
    return st;
}

enum seam_status hnsw_search_batch(const struct hnsw *h, const struct hnsw_batch *b,
                                   struct seam_fault *f)
{
    struct batch_work w = {.h = h, .b = b, .f = f};

    return batch(&w);
}

enum seam_status hnsw_exact_batch(const struct hnsw *h, const struct hnsw_batch *b,
                                  struct seam_fault *f)
{
    struct batch_work w = {.h = h, .b = b, .exact = true, .f = f};

    return batch(&w);
}
