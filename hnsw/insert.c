/* insert - choosing a node's neighbours, and making them know it.
 *
 * The diversity rule (Algorithm 4): going through candidates from the nearest, take one only when it is
 * nearer to the new node than to every neighbour taken before. Long links survive because a far cluster's
 * nearest member is nearer to the node than to the node's near neighbours.
 *
 *          q           a is taken (nearest). b is nearer to a than to q: not taken, q reaches it by a.
 *         / \          c is nearer to q than to a: taken.
 *        a   c
 *        b                                                                                            */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/walk.h"
#include "hnsw/graph.h"

enum {
    PROBE_CHUNK = 4,
    PREFETCH_BYTES = 1024
}; /* taken neighbours measured at a time: most candidates fall at the first few */

static bool is_diverse(const struct hnsw *h, struct hnsw_scratch *s, cand_t c,
                       const uint32_t *taken, size_t n)
{
    struct hnsw_probe p;
    int32_t keys[PROBE_CHUNK];
    assert(n <= DIST_BATCH);

    if (n == 0) return true;
    p = hnsw_probe_node(h, s, cand_node(c));
    for (size_t i = 0; i < n; i += PROBE_CHUNK) {
        size_t m = n - i < PROBE_CHUNK ? n - i : PROBE_CHUNK;

        hnsw_measure(h, &p, taken + i, m, cand_key(c), keys);
        for (size_t j = 0; j < m; j++)
            if (keys[j] < cand_key(c)) return false;
    }
    return true;
}

/* What is_diverse will ask for two candidates later.                                                */
static inline void prefetch_node(const struct hnsw *h, uint32_t node)
{
    bool codes = walks_codes(h);
    const uint8_t *row = codes ? code_at(h, node) : (const uint8_t *)vec_at(h, node);
    size_t bytes = codes ? h->codes.stride : h->vecs.stride;

    for (size_t i = 0; i < bytes && i < PREFETCH_BYTES; i += 64) __builtin_prefetch(row + i, 0, 3);
}

size_t hnsw_select_neighbours(const struct hnsw *h, struct hnsw_scratch *s, const cand_t *cands,
                              size_t n, size_t m, uint32_t *out)
{
    size_t taken = 0;
    assert(m <= DIST_BATCH);

    for (size_t i = 0; i < n && taken < m; i++) {
        if (i + 2 < n) prefetch_node(h, cand_node(cands[i + 2]));
        if (is_diverse(h, s, cands[i], out, taken)) out[taken++] = cand_node(cands[i]);
    }
    assert(taken <= m && taken <= n);
    return taken;
}

void hnsw_list_write(uint32_t *list, uint32_t max, const uint32_t *ids, size_t n)
{
    assert(max <= DIST_BATCH);
    assert(n <= max);
    for (size_t i = 0; i < n; i++) link_store(list + i, ids[i]);
    for (size_t i = n; i < max; i++) link_store(list + i, LINK_NONE);
    SEAM_WALK(list_count(list, max) == n);
}

static void sort_cands(cand_t *a, size_t n)
{
    assert(n <= DIST_BATCH + 1);
    for (size_t i = 1; i < n; i++) {
        cand_t c = a[i];
        size_t j = i;

        for (; j > 0 && a[j - 1] > c; j--) a[j] = a[j - 1];
        a[j] = c;
    }
}

/* The list is full: choose again among its members and the newcomer.                                 */
static bool list_prune(struct hnsw *h, struct hnsw_scratch *s, uint32_t at, unsigned level,
                       uint32_t node)
{
    uint32_t *list = list_at(h, at, level), max = list_max(h, level), ids[DIST_BATCH + 1],
             out[DIST_BATCH];
    cand_t cands[DIST_BATCH + 1];
    int32_t keys[DIST_BATCH + 1];
    struct hnsw_probe p = hnsw_probe_node(h, s, at);
    bool kept = false;
    size_t n;
    assert(max <= DIST_BATCH);
    SEAM_WALK(list_count(list, max) == max);

    memcpy(ids, list, max * sizeof *ids);
    hnsw_measure(h, &p, ids, max, INT32_MAX, keys);
    hnsw_measure(h, &p, &node, 1, INT32_MAX, keys + max);
    ids[max] = node;
    for (size_t i = 0; i <= max; i++) cands[i] = cand_make(keys[i], ids[i]);
    sort_cands(cands, max + 1);
    n = hnsw_select_neighbours(h, s, cands, max + 1, max, out);
    for (size_t i = 0; i < n; i++) kept |= out[i] == node;
    assert(n > 0 && n <= max);
    hnsw_list_write(list, max, out, n);
    SEAM_TRACE(h->cfg.trace, "hnsw", "links_prune", SEAM_TI("node", at), SEAM_TI("level", level),
               SEAM_TI("from", max + 1), SEAM_TI("to", n), SEAM_TI("newcomer_kept", kept));
    return kept;
}

bool hnsw_list_add(struct hnsw *h, struct hnsw_scratch *s, uint32_t at, unsigned level,
                   uint32_t node)
{
    uint32_t *list = list_at(h, at, level), max = list_max(h, level), n;
    bool added = true;
    SEAM_WALK(node_at(h, at)->level >= level);

    assert(at != node);
    hnsw_spin_lock(h, at);
    n = list_count(list, max);
    for (uint32_t i = 0; i < n && added; i++) added = list[i] != node;
    if (added) {
        if (n < max)
            link_store(list + n, node);
        else
            added = list_prune(h, s, at, level, node);
        mark_dirty(h, at);
    }
    hnsw_spin_unlock(h, at);
    return added;
}

static void link_level(struct hnsw *h, struct hnsw_scratch *s, uint32_t node, unsigned level,
                       size_t found)
{
    uint32_t out[DIST_BATCH], *list = list_at(h, node, level), max = list_max(h, level), had;
    size_t n, all;
    assert(found > 0);
    assert(found <= s->sorted_cap);

    memcpy(s->sorted, s->pool, found * sizeof *s->sorted);
    all = n = hnsw_select_neighbours(h, s, s->sorted, found, h->o.m, out);
    hnsw_spin_lock(h, node);
    had = list_count(list,
                     max); /* another insert came through a higher level and linked back already */
    for (uint32_t i = 0; i < had && all < max; i++) {
        size_t j = 0;

        while (j < all && out[j] != list[i]) j++;
        if (j == all) out[all++] = list[i];
    }
    assert(all <= max);
    hnsw_list_write(list, max, out, all);
    hnsw_spin_unlock(h, node);
    for (size_t i = 0; i < n; i++) hnsw_list_add(h, s, out[i], level, node);
    SEAM_TRACE(h->cfg.trace, "hnsw", "node_link", SEAM_TI("node", node), SEAM_TI("level", level),
               SEAM_TI("found", found), SEAM_TI("taken", n));
}

/* Two inserts at once may link to each other's half-made node; its lists are then empty or partial, and
 * a walk simply finds less there.                                                                   */
static size_t drop_self(cand_t *a, size_t n, uint32_t node)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (cand_node(a[i]) != node) a[m++] = a[i];
    assert(m <= n);
    return m;
}

enum seam_status hnsw_link_node(struct hnsw *h, uint32_t node, struct hnsw_scratch *s,
                                struct seam_fault *f)
{
    unsigned level = node_at(h, node)->level;
    uint64_t me = (uint64_t)level << 32 | node, entry = entry_load(h);
    bool raises = entry == ENTRY_NONE || level > (unsigned)(entry >> 32);
    size_t ef = h->o.ef_construction;
    struct hnsw_probe p;
    assert(node < count_load(h));
    assert(level <= HNSW_LEVEL_MAX);

    if (!hnsw_scratch_pool(s, ef + 2) || !hnsw_scratch_sorted(s, ef + 2))
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory for %zu candidates", ef);
    if (raises) {
        pthread_mutex_lock(&h->entry_lock);
        entry = entry_load(h);
        if (entry == ENTRY_NONE) {
            __atomic_store_n(&h->entry, me, __ATOMIC_RELEASE);
            pthread_mutex_unlock(&h->entry_lock);
            return SEAM_OK;
        }
        raises = level > (unsigned)(entry >> 32);
        if (!raises) pthread_mutex_unlock(&h->entry_lock);
    }
    assert(entry != ENTRY_NONE);
    assert((uint32_t)entry < count_load(h));
    p = hnsw_probe_node(h, s, node);
    if (p.code != NULL) { /* code2 is needed for the candidates */
        memcpy(s->code, s->code2, h->codes.stride);
        p.code = s->code;
    }
    {
        unsigned top = (unsigned)(entry >> 32);
        cand_t at = hnsw_descend(h, s, &p, level < top ? level : top);

        for (unsigned l = level < top ? level : top;; l--) {
            size_t found = drop_self(
                s->pool,
                hnsw_walk(h, s, &p, &(struct hnsw_reach){.start = at, .level = l, .ef = ef}), node);

            if (found > 0) {
                link_level(h, s, node, l, found);
                at = s->pool[0] & ~(cand_t)1;
            }
            if (l == 0) break;
        }
    }
    if (raises) { /* only now: a search that enters here must find its way down */
        __atomic_store_n(&h->entry, me, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&h->entry_lock);
    }
    return SEAM_OK;
}
