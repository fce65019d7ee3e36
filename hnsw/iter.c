/* iter - pages without restart, range search, and reading back what is stored. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "hnsw/query.h"

/* ---- the iterator ----
 * A best-first walk that never throws a candidate away: `open` is the frontier, `ready` what was measured
 * and selected but not yet given. A page is complete when k ready entries are nearer than the nearest of
 * the frontier and `ef` more have been seen beyond them, which is what a search with that ef would know.
 * When the walk has seen everything it can reach, the rest (orphans) is found by a scan, once.        */
struct hnsw_iter {
    struct hnsw *h;
    struct hnsw_query q;
    struct hnsw_selector sel;
    struct hnsw_scratch *s; /* s->heap: the frontier */
    struct hnsw_probe p;
    float *vec;
    cand_t *ready; /* a heap, nearest first */
    size_t ready_count, ready_cap;
    bool scanned;
};

static bool ready_push(struct hnsw_iter *it, cand_t c)
{
    size_t i = it->ready_count;
    assert(i <= it->ready_cap);

    if (i == it->ready_cap) {
        size_t cap = it->ready_cap == 0 ? 256 : it->ready_cap * 2;
        cand_t *r = realloc(it->ready, cap * sizeof *r);

        if (r == NULL) return false;
        it->ready = r;
        it->ready_cap = cap;
    }
    it->ready_count++;
    for (; i > 0 && it->ready[(i - 1) / 2] > c; i = (i - 1) / 2)
        it->ready[i] = it->ready[(i - 1) / 2];
    it->ready[i] = c;
    return true;
}

static cand_t ready_pop(struct hnsw_iter *it)
{
    cand_t top = it->ready[0], last = it->ready[--it->ready_count];
    size_t i = 0, n = it->ready_count;
    assert(n < it->ready_cap);

    while (2 * i + 1 < n) {
        size_t c = 2 * i + 1;

        if (c + 1 < n && it->ready[c + 1] < it->ready[c]) c++;
        if (it->ready[c] >= last) break;
        it->ready[i] = it->ready[c];
        i = c;
    }
    it->ready[i] = last;
    return top;
}

/* Exact keys from the start: an iterator gives its hits in pages and cannot rerank what it gave.      */
static bool iter_measure(struct hnsw_iter *it, const uint32_t *ids, size_t n)
{
    int32_t keys[DIST_BATCH];
    assert(n <= DIST_BATCH);

    hnsw_measure(it->h, &it->p, ids, n, INT32_MAX, keys);
    it->s->stats.distances += (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        cand_t c = cand_make(keys[i], ids[i]);

        if (!hnsw_heap_push(it->s, c)) return false;
        if (hnsw_selector_takes(&it->sel, node_at(it->h, ids[i])) && !ready_push(it, c))
            return false;
    }
    return true;
}

static bool iter_hop(struct hnsw_iter *it)
{
    uint32_t ids[DIST_BATCH], node = cand_node(hnsw_heap_pop(it->s));
    const uint32_t *list = links0_at(it->h, node);
    size_t n = 0;

    for (uint32_t i = 0; i < it->h->max0; i++) {
        uint32_t id = link_load(list + i);

        if (id == LINK_NONE) break;
        if (seam_bitset_get(it->s->visited, id)) continue;
        seam_bitset_set(it->s->visited, id);
        ids[n++] = id;
    }
    assert(n <= it->h->max0);
    it->s->stats.hops++;
    return iter_measure(it, ids, n);
}

static bool iter_scan(struct hnsw_iter *it)
{
    uint32_t ids[DIST_BATCH], count = count_load(it->h);
    size_t n = 0;
    assert(!it->scanned || count == 0);

    it->scanned = true;
    for (uint32_t id = 0; id < count; id++) {
        if (seam_bitset_get(it->s->visited, id)) continue;
        seam_bitset_set(it->s->visited, id);
        if (hnsw_selector_takes(&it->sel, node_at(it->h, id))) ids[n++] = id;
        if (n == DIST_BATCH) {
            if (!iter_measure(it, ids, n)) return false;
            n = 0;
        }
    }
    assert(n < DIST_BATCH);
    it->s->heap_count = 0; /* nothing is left to discover */
    return iter_measure(it, ids, n) && (it->s->heap_count = 0, true);
}

enum seam_status hnsw_iter_open(const struct hnsw *handle, const struct hnsw_query *q,
                                struct hnsw_iter **out, struct seam_fault *f)
{
    struct hnsw_iter *it = calloc(1, sizeof *it);
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;
    enum seam_status st = SEAM_OK;
    assert(q != NULL);
    assert(out != NULL);

    if (it == NULL) return seam_no_memory(f, "the iterator");
    it->h = h;
    it->q = *q;
    if (it->q.ef == 0) it->q.ef = hnsw_query_default_ef(h);
    pthread_rwlock_rdlock(&h->gate);
    st = hnsw_query_check(h, q, &it->sel, f);
    it->s = hnsw_scratch_get(h);
    if (st == SEAM_OK && it->s == NULL) st = seam_no_memory(f, "the iterator");
    if (st == SEAM_OK) st = hnsw_vector_prepare(h, q->vector, it->s->vec, f);
    if (st == SEAM_OK && entry_load(h) != ENTRY_NONE) {
        uint32_t first;

        it->p = has_vecs(h) ? (struct hnsw_probe){.vec = it->s->vec} : hnsw_probe_query(h, it->s);
        memset(it->s->visited, 0, seam_bitset_words(count_load(h)) * sizeof *it->s->visited);
        first = cand_node(hnsw_descend(h, it->s, &it->p, 0));
        it->s->heap_count = 0;
        seam_bitset_set(it->s->visited, first);
        if (!iter_measure(it, &first, 1)) st = seam_fault_set(f, SEAM_NOMEM, NULL, 0, "no memory");
    }
    pthread_rwlock_unlock(&h->gate);
    if (st == SEAM_OK)
        *out = it;
    else
        hnsw_iter_close(it);
    return st;
}

/* Enough is known when k + ef selected entries are nearer than the frontier, or the frontier is empty. */
static enum seam_status iter_fill(struct hnsw_iter *it, size_t k)
{
    size_t want = k + it->q.ef;
    assert(it->q.ef > 0);

    while (it->s->heap_count > 0 && it->ready_count < want)
        if (!iter_hop(it)) return SEAM_NOMEM;
    while (it->s->heap_count > 0 && it->s->heap[0] < it->ready[0])
        if (!iter_hop(it)) return SEAM_NOMEM;
    if (it->s->heap_count == 0 && !it->scanned && !iter_scan(it)) return SEAM_NOMEM;
    return SEAM_OK;
}

enum seam_status hnsw_iter_next(struct hnsw_iter *it, struct hnsw_hit *hits, size_t k,
                                size_t *count, struct seam_fault *f)
{
    enum seam_status st;
    assert(hits != NULL || k == 0);

    *count = 0;
    if (k == 0)
        return seam_fault_set(f, SEAM_INVALID, "k", SEAM_FAULT_NO_OFFSET,
                              "a page has at least one hit");
    if (entry_load(it->h) == ENTRY_NONE) return SEAM_END;
    pthread_rwlock_rdlock(&it->h->gate);
    st = iter_fill(it, k);
    if (st != SEAM_OK)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the next page");
    while (st == SEAM_OK && *count < k && it->ready_count > 0) {
        cand_t c = ready_pop(it);
        uint32_t id = cand_node(c);

        hits[(*count)++] = (struct hnsw_hit){node_at(it->h, id)->key,
                                             hnsw_quant_distance(it->h, &it->p, cand_key(c)), id};
    }
    pthread_rwlock_unlock(&it->h->gate);
    return st == SEAM_OK && *count == 0 ? SEAM_END : st;
}

void hnsw_iter_close(struct hnsw_iter *it)
{
    if (it == NULL) return;
    hnsw_scratch_put(it->h, it->s);
    free(it->ready);
    free(it);
}

/* ---- range: pages until one goes past the radius ---- */
enum seam_status hnsw_range(const struct hnsw *h, const struct hnsw_query *q,
                            const struct hnsw_within *w, struct seam_fault *f)
{
    enum { PAGE = 32 };
    struct hnsw_iter *it = NULL;
    struct hnsw_query first = *q;
    struct hnsw_hit page[PAGE];
    bool inside = true;
    enum seam_status st;
    assert(w->hits != NULL || w->max == 0);

    *w->count = 0;
    if (first.k == 0) first.k = 1;
    st = hnsw_iter_open(h, &first, &it, f);
    while (st == SEAM_OK && inside && *w->count < w->max) {
        size_t n = 0;

        st = hnsw_iter_next(it, page, PAGE, &n, f);
        for (size_t i = 0; i < n && st == SEAM_OK && inside && *w->count < w->max; i++) {
            inside = page[i].distance <= w->radius;
            if (inside) w->hits[(*w->count)++] = page[i];
        }
    }
    assert(*w->count <= w->max);
    if (it != NULL && w->stats != NULL) *w->stats = it->s->stats;
    hnsw_iter_close(it);
    return st == SEAM_END ? SEAM_OK : st;
}

/* ---- reading back ---- */
/* Takes the gate for reading, with a key map behind it: a reader makes its own at the first question after
 * opening or refreshing.                                                                            */
static enum seam_status gate_with_keymap(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    pthread_rwlock_rdlock(&h->gate);
    while (h->keymap == NULL) {
        pthread_rwlock_unlock(&h->gate);
        pthread_rwlock_wrlock(&h->gate);
        if (h->keymap == NULL) st = hnsw_keymap_build(h, f);
        pthread_rwlock_unlock(&h->gate);
        if (st != SEAM_OK) return st;
        pthread_rwlock_rdlock(&h->gate);
    }
    assert(h->keymap_size > 0);
    return SEAM_OK;
}

enum seam_status hnsw_get(const struct hnsw *handle, uint64_t key, float *vector,
                          struct seam_fault *f)
{
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;
    enum seam_status st = gate_with_keymap(h, f);
    uint32_t node;
    assert(vector != NULL);

    if (st != SEAM_OK) return st;
    node = hnsw_keymap_find(h, key);
    if (node == LINK_NONE)
        st = seam_fault_set(f, SEAM_NOT_FOUND, NULL, SEAM_FAULT_NO_OFFSET, "key %llu has no vector",
                            (unsigned long long)key);
    else
        hnsw_vector_stored(h, node, vector);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

enum seam_status hnsw_as_stored(const struct hnsw *h, const float *vector, float *out,
                                struct seam_fault *f)
{
    float prepared[HNSW_DIM_MAX + 16];
    enum seam_status st = hnsw_vector_prepare(h, vector, prepared, f);
    assert(vector != NULL && out != NULL);

    for (uint32_t d = 0; st == SEAM_OK && d < h->o.dim; d++)
        out[h->order != NULL ? h->order[d] : d] = prepared[d];
    return st;
}

enum seam_status
hnsw_each(const struct hnsw *handle,
          bool (*fn)(void *ctx, uint64_t key, seam_lsn_t birth, const float *vector), void *ctx)
{
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;
    float *vec = malloc(h->o.dim * sizeof *vec);
    bool on = true;
    assert(fn != NULL);

    if (vec == NULL) return SEAM_NOMEM;
    pthread_rwlock_rdlock(&h->gate);
    for (uint32_t i = 0; i < count_load(h) && on; i++) {
        const struct hnsw_node *n = node_at(h, i);

        if (!node_alive(n, h->moment)) continue;
        hnsw_vector_stored(h, i, vec);
        on = fn(ctx, n->key, n->birth, vec);
    }
    pthread_rwlock_unlock(&h->gate);
    free(vec);
    return SEAM_OK;
}
