/* search - walking the graph: the loop all of this room is about.
 *
 *   expand the nearest candidate not yet expanded:
 *     gather the neighbours not yet visited      (no branch a neighbour: a bit test and an add)
 *     prefetch all their rows at once            (a hop's 32 cache misses overlap)
 *     measure them in one call                   (four rows at a time; distance.h)
 *     insert those nearer than the worst of ef   (one sorted array: candidates and results in one)
 *   until every one of the ef nearest is expanded.
 *
 * The sorted array (as in NSG and DiskANN) replaces HNSW's two heaps: the ef best seen, each with an
 * "expanded" bit. It visits the same nodes: HNSW stops when the nearest candidate is farther than the
 * worst of ef results, which is when no unexpanded entry is left among them.
 * Algorithm 2 of Malkov & Yashunin 2020.                                                            */
#include <assert.h>
#include <string.h>

#include "engine/base/walk.h"
#include "hnsw/graph.h"

enum { LINE = 64, PREFETCH_VEC = 8, PREFETCH_CODE = 16 };

/* All rows of a hop at once, so that their misses overlap; of long ones the beginning, which is measured
 * first (distance.c fetches the rest as it goes).                                                    */
static inline void prefetch_row(const uint8_t *row, size_t bytes, size_t lines_max)
{
    size_t lines = (bytes + LINE - 1) / LINE;

    if (lines > lines_max) lines = lines_max;
    for (size_t i = 0; i < lines; i++) __builtin_prefetch(row + i * LINE, 0, 3);
}

void hnsw_measure_exact(const struct hnsw *h, const float *vec, const uint32_t *ids, size_t n,
                        int32_t bound, int32_t *keys)
{
    const uint8_t *rows[DIST_BATCH];
    assert(h->vecs.stride == h->floats * 4);
    assert(vec != NULL);

    assert(n <= DIST_BATCH);
    for (size_t i = 0; i < n; i++) {
        rows[i] = blocks_at(&h->vecs, ids[i]);
        prefetch_row(rows[i], h->vecs.stride, PREFETCH_VEC);
    }
    if (h->o.metric == HNSW_L2)
        hnsw_dist_l2_bounded(h->kern, vec, rows, n, h->floats, bound, keys);
    else
        h->kern->ip(vec, rows, n, h->floats, keys);
}

/* With SEAM_WALKS: a list never names a node that is not there yet (its count is stored before its links). */
static bool all_exist(const struct hnsw *h, const uint32_t *ids, size_t n)
{
    uint32_t count = count_load(h);

    for (size_t i = 0; i < n; i++)
        if (ids[i] >= count) return false;
    return true;
}

void hnsw_measure(const struct hnsw *h, const struct hnsw_probe *p, const uint32_t *ids, size_t n,
                  int32_t bound, int32_t *keys)
{
    const uint8_t *rows[DIST_BATCH];
    SEAM_WALK(all_exist(h, ids, n));

    if (p->code == NULL) {
        hnsw_measure_exact(h, p->vec, ids, n, bound, keys);
        return;
    }
    assert(n <= DIST_BATCH);
    for (size_t i = 0; i < n; i++) {
        rows[i] = code_at(h, ids[i]);
        prefetch_row(rows[i], h->codes.stride, PREFETCH_CODE);
    }
    h->kern->i8(p->code, rows, n, h->codes.stride, p->k0, h->o.metric != HNSW_IP, keys);
}

/* The neighbours of `node` that were not visited, marked visited now.                                */
static inline size_t gather(const struct hnsw *h, uint64_t *visited, uint32_t node, unsigned level,
                            uint32_t *ids)
{
    const uint32_t *list = list_at(h, node, level);
    uint32_t max = list_max(h, level);
    size_t n = 0;

    for (uint32_t i = 0; i < max; i++) {
        uint32_t id = link_load(list + i);
        uint64_t *word, bit;

        if (id == LINK_NONE) break;
        word = &visited[id >> 6];
        bit = 1ull << (id & 63);
        ids[n] = id;
        n += (*word & bit) == 0;
        *word |= bit;
    }
    SEAM_WALK(n <= max);
    return n;
}

/* First position whose entry is greater than c.                                                     */
static inline size_t upper_bound(const cand_t *a, size_t n, cand_t c)
{
    const cand_t *base = a;
    SEAM_WALK(n == 0 || a != NULL);

    while (n > 1) {
        size_t half = n / 2;

        base += base[half - 1] < c ? half : 0;
        n -= half;
    }
    return (size_t)(base - a) + (n == 1 && *base < c);
}

struct pool {
    cand_t *a;
    size_t n, ef, next;
}; /* next: first unexpanded */

static inline bool pool_insert(struct pool *p, cand_t c)
{
    size_t at;
    SEAM_WALK(p->n <= p->ef);
    SEAM_WALK(p->ef > 0);

    if (p->n == p->ef) {
        if (c >= p->a[p->n - 1]) return false;
        p->n--;
    }
    at = upper_bound(p->a, p->n, c);
    memmove(p->a + at + 1, p->a + at, (p->n - at) * sizeof *p->a);
    p->a[at] = c;
    p->n++;
    if (at < p->next) p->next = at;
    return true;
}

static inline void prefetch_links(const struct hnsw *h, uint32_t node)
{
    const uint8_t *list = (const uint8_t *)links0_at(h, node);
    SEAM_WALK(node < count_load(h));

    for (size_t i = 0; i < h->links0.stride; i += LINE) __builtin_prefetch(list + i, 0, 3);
}

/* The runner-up is the next to be expanded unless this hop finds a nearer one: its list is on its way
 * while this hop's rows are measured.                                                               */
static inline void prefetch_second(const struct hnsw *h, const struct pool *p)
{
    size_t i = p->next + 1;

    while (i < p->n && (p->a[i] & 1)) i++;
    if (i < p->n) prefetch_links(h, cand_node(p->a[i]));
}

/* Patience: hops since one of the k best changed.                                                    */
size_t hnsw_walk(const struct hnsw *h, struct hnsw_scratch *s, const struct hnsw_probe *p,
                 const struct hnsw_reach *reach)
{
    const cand_t start = reach->start;
    const unsigned level = reach->level;
    const size_t ef = reach->ef, k = reach->k;
    const uint32_t patience = reach->patience;
    struct pool pool = {s->pool, 1, ef, 0};
    uint32_t ids[DIST_BATCH], hops = 0, distances = 0, entered = 0, idle = 0;
    int32_t keys[DIST_BATCH];
    assert(level <= HNSW_LEVEL_MAX);
    assert(cand_node(start) < count_load(h));

    assert(s->pool_cap >= ef + 1 && ef >= 1);
    memset(s->visited, 0, seam_bitset_words(count_load(h)) * sizeof *s->visited);
    pool.a[0] = start;
    seam_bitset_set(s->visited, cand_node(start));
    while (pool.next < pool.n) {
        cand_t c = pool.a[pool.next];
        size_t n, best = SIZE_MAX;

        pool.a[pool.next] = c | 1;
        if (level == 0) prefetch_second(h, &pool);
        n = gather(h, s->visited, cand_node(c), level, ids);
        hops++;
        distances += (uint32_t)n;
        hnsw_measure(h, p, ids, n, pool.n == ef ? cand_key(pool.a[ef - 1]) : INT32_MAX, keys);
        for (size_t i = 0; i < n; i++) {
            cand_t made = cand_make(keys[i], ids[i]);
            size_t before = pool.next;

            pool.next = pool.n;
            if (pool_insert(&pool, made)) {
                entered++;
                if (pool.next < best) best = pool.next;
                if (pool.next <= before && level == 0) prefetch_links(h, ids[i]);
            }
            if (before < pool.next) pool.next = before;
        }
        while (pool.next < pool.n && (pool.a[pool.next] & 1)) pool.next++;
        SEAM_TRACE(h->cfg.trace, "hnsw", "hop", SEAM_TI("node", cand_node(c)),
                   SEAM_TI("level", level), SEAM_TI("key", cand_key(c)), SEAM_TI("neighbours", n),
                   SEAM_TI("pool", pool.n));
        idle = best < k ? 0 : idle + 1;
        if (patience != 0 && idle >= patience && pool.n >= k) break;
    }
    assert(pool.n <= ef);
    SEAM_WALK(cands_ascend(pool.a, pool.n));
    s->stats.hops += hops;
    s->stats.distances += distances;
    s->stats.candidates += entered;
    return pool.n;
}

/* One step down the hierarchy: to the nearest neighbour until none is nearer.                        */
cand_t hnsw_descend(const struct hnsw *h, struct hnsw_scratch *s, const struct hnsw_probe *p,
                    unsigned to)
{
    uint64_t entry = entry_load(h);
    uint32_t at = (uint32_t)entry, ids[DIST_BATCH];
    unsigned level = (unsigned)(entry >> 32);
    int32_t keys[DIST_BATCH];
    cand_t best;
    assert(at < count_load(h));

    assert(entry != ENTRY_NONE);
    hnsw_measure(h, p, &at, 1, INT32_MAX, keys);
    best = cand_make(keys[0], at);
    s->stats.distances++;
    for (; level > to; level--) {
        for (;;) {
            const uint32_t *list = list_at(h, cand_node(best), level);
            cand_t from = best;
            size_t n = 0;

            while (n < h->o.m && (ids[n] = link_load(list + n)) != LINK_NONE) n++;
            hnsw_measure(h, p, ids, n, cand_key(best), keys);
            s->stats.hops++;
            s->stats.distances += (uint32_t)n;
            for (size_t i = 0; i < n; i++) {
                cand_t c = cand_make(keys[i], ids[i]);

                if (c < best) best = c;
            }
            SEAM_TRACE(h->cfg.trace, "hnsw", "descend", SEAM_TI("node", cand_node(from)),
                       SEAM_TI("level", level), SEAM_TI("key", cand_key(from)),
                       SEAM_TI("neighbours", n));
            if (best == from) break;
        }
    }
    assert(cand_node(best) < count_load(h));
    return best;
}
