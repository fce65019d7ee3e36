/* maintain - from a graph with tombstones to a fresh one without: purge, repair, renumber, write.
 *
 *   1 repair    every list that names a purged node gets that node's own neighbours as candidates and
 *               chooses again by the diversity rule (FreshDiskANN's delete consolidation: Singh et al. 2021)
 *   2 compact   purged nodes leave; the others are renumbered, by breadth-first order from the entry
 *               point when asked, so that nodes met together lie together
 *   3 orphans   nodes the entry point does not reach get a link from a near node that is reached
 *               (the "unreachable points" of Xiao et al., arXiv 2407.07871)
 *   4 publish   the result is a new base
 *
 * The new graph is built beside the old one and swapped in, so a failure leaves the old one whole.   */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/thread.h"
#include "hnsw/health.h"
#include "hnsw/journal.h"
#include "hnsw/store.h"

enum { REPAIR_CANDS = 512, JOURNAL_WORTH = 8 << 20, ORPHAN_EF = 64, ORPHAN_ROUNDS = 8 };

bool hnsw_wants_maintain(const struct hnsw *h)
{
    const struct hnsw_store *s = h->store;

    if (dead_load(h) > 64 && dead_load(h) > count_load(h) / 10) return true;
    return s != NULL && s->journal_size > JOURNAL_WORTH && s->journal_size > s->base_size / 4;
}

/* ---- 1 repair ---- */
struct repair {
    struct hnsw *h;
    const uint64_t *purged; /* bitset of nodes */
    uint64_t repaired;
    struct hnsw_scratch *scratch[SEAM_THREADS_MAX];
};

static size_t add_unique(uint32_t *ids, size_t n, size_t max, uint32_t id)
{
    assert(n <= max);
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return n;
    if (n < max) ids[n++] = id;
    return n;
}

static int by_cand(const void *a, const void *b)
{
    cand_t x = *(const cand_t *)a, y = *(const cand_t *)b;

    return x < y ? -1 : x > y;
}

static enum seam_status repair_list(struct repair *r, struct hnsw_scratch *s, uint32_t node,
                                    unsigned level)
{
    struct hnsw *h = r->h;
    uint32_t *list = list_at(h, node, level), max = list_max(h, level), ids[REPAIR_CANDS],
             out[DIST_BATCH];
    uint32_t n = list_count(list, max), lost = 0;
    size_t count = 0;
    struct hnsw_probe p;
    assert(max <= DIST_BATCH);
    assert(!seam_bitset_get(r->purged, node));

    for (uint32_t i = 0; i < n; i++) lost += seam_bitset_get(r->purged, list[i]);
    if (lost == 0) return SEAM_OK;
    for (uint32_t i = 0; i < n; i++)
        if (!seam_bitset_get(r->purged, list[i]))
            count = add_unique(ids, count, REPAIR_CANDS, list[i]);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *beyond;

        if (!seam_bitset_get(r->purged, list[i])) continue;
        beyond = list_at(h, list[i], level);
        for (uint32_t j = 0; j < max && beyond[j] != LINK_NONE; j++)
            if (beyond[j] != node && !seam_bitset_get(r->purged, beyond[j]))
                count = add_unique(ids, count, REPAIR_CANDS, beyond[j]);
    }
    if (!hnsw_scratch_sorted(s, REPAIR_CANDS)) return SEAM_NOMEM;
    p = hnsw_probe_node(h, s, node);
    for (size_t i = 0; i < count; i += DIST_BATCH) {
        size_t m = count - i < DIST_BATCH ? count - i : DIST_BATCH;
        int32_t keys[DIST_BATCH];

        hnsw_measure(h, &p, ids + i, m, INT32_MAX, keys);
        for (size_t j = 0; j < m; j++) s->sorted[i + j] = cand_make(keys[j], ids[i + j]);
    }
    assert(count <= REPAIR_CANDS);
    qsort(s->sorted, count, sizeof *s->sorted, by_cand);
    hnsw_list_write(list, max, out, hnsw_select_neighbours(h, s, s->sorted, count, max, out));
    mark_dirty(h, node);
    __atomic_add_fetch(&r->repaired, 1, __ATOMIC_RELAXED);
    return SEAM_OK;
}

/* Purged nodes' own lists are read by their neighbours' repairs and so are not written: no locks.     */
static enum seam_status repair_run(void *ctx, size_t begin, size_t end, int thread)
{
    struct repair *r = ctx;
    enum seam_status st = SEAM_OK;
    assert(thread >= 0 && thread < SEAM_THREADS_MAX);
    assert(end <= r->h->count);

    if (r->scratch[thread] == NULL && (r->scratch[thread] = hnsw_scratch_get(r->h)) == NULL)
        return SEAM_NOMEM;
    for (size_t i = begin; i < end && st == SEAM_OK; i++) {
        if (seam_bitset_get(r->purged, i)) continue;
        for (unsigned l = 0; l <= node_at(r->h, (uint32_t)i)->level && st == SEAM_OK; l++)
            st = repair_list(r, r->scratch[thread], (uint32_t)i, l);
    }
    return st;
}

static enum seam_status repair_all(struct hnsw *h, const uint64_t *purged, int threads,
                                   uint64_t *repaired)
{
    struct repair *r = calloc(1, sizeof *r);
    enum seam_status st;
    assert(purged != NULL);

    if (r == NULL) return SEAM_NOMEM;
    r->h = h;
    r->purged = purged;
    st = seam_parallel_for(threads, h->count, 256, repair_run, r);
    for (int i = 0; i < SEAM_THREADS_MAX; i++) hnsw_scratch_put(h, r->scratch[i]);
    *repaired = r->repaired;
    free(r);
    return st;
}

/* ---- 2 compact ---- */
/* The order nodes will have: as they are, or by a breadth-first walk over level 0 from the entry point.
 * order[new] = old; returns how many stay.                                                           */
static uint32_t order_plain(const struct hnsw *h, const uint64_t *purged, uint32_t *order)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->count; i++)
        if (!seam_bitset_get(purged, i)) order[n++] = i;
    assert(n <= h->count);
    return n;
}

static uint32_t order_by_walk(const struct hnsw *h, const uint64_t *purged, uint32_t *order,
                              uint64_t *seen)
{
    uint32_t n = 0, head = 0, next_root = 0;
    assert((uint32_t)h->entry < h->count);

    memcpy(seen, purged, seam_bitset_words(h->count) * sizeof *seen);
    for (;;) {
        while (next_root < h->count && seam_bitset_get(seen, next_root)) next_root++;
        if (head == n) {
            uint32_t root = n == 0 && !seam_bitset_get(seen, (uint32_t)h->entry)
                                ? (uint32_t)h->entry
                                : next_root;

            if (root >= h->count) return n;
            seam_bitset_set(seen, root);
            order[n++] = root;
        }
        {
            const uint32_t *list = links0_at(h, order[head++]);

            for (uint32_t i = 0; i < h->max0 && list[i] != LINK_NONE; i++) {
                if (seam_bitset_get(seen, list[i])) continue;
                seam_bitset_set(seen, list[i]);
                order[n++] = list[i];
            }
        }
    }
}

static void copy_node(const struct hnsw *from, struct hnsw *to, uint32_t old,
                      const uint32_t *renumbered)
{
    const struct hnsw_node *n = node_at(from, old);
    uint32_t id = to->count++;
    assert(old < from->count);
    assert(n->level <= HNSW_LEVEL_MAX);

    *node_at(to, id) = *n;
    node_at(to, id)->upper = to->upper_count;
    to->upper_count += n->level;
    for (unsigned l = 0; l <= n->level; l++) {
        const uint32_t *list = list_at(from, old, l);
        uint32_t *out = list_at(to, id, l), max = list_max(from, l), m = 0;

        for (uint32_t i = 0; i < max && list[i] != LINK_NONE; i++)
            if (renumbered[list[i]] != LINK_NONE) out[m++] = renumbered[list[i]];
        while (m < max) out[m++] = LINK_NONE;
    }
    if (from->codes.stride != 0) memcpy(code_at(to, id), code_at(from, old), from->codes.stride);
    if (has_vecs(from)) memcpy(vec_at(to, id), vec_at(from, old), from->vecs.stride);
    if (n->death != SEAM_LSN_MAX) to->dead++;
}

static uint64_t highest(const struct hnsw *h)
{
    uint64_t entry = ENTRY_NONE;

    for (uint32_t i = 0; i < h->count; i++) {
        uint64_t level = node_at(h, i)->level;

        if (entry == ENTRY_NONE || level > entry >> 32) entry = level << 32 | i;
    }
    assert((h->count == 0) == (entry == ENTRY_NONE));
    return entry;
}

static enum seam_status compact(const struct hnsw *h, struct hnsw *to, const uint32_t *order,
                                uint32_t n, struct seam_fault *f)
{
    uint32_t *renumbered = malloc((h->count + 1ul) * sizeof *renumbered);
    uint64_t upper = 0;
    enum seam_status st;
    assert(n <= h->count);
    assert(to->count == 0);

    if (renumbered == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory to renumber");
    memset(renumbered, 0xff, (h->count + 1ul) * sizeof *renumbered);
    for (uint32_t i = 0; i < n; i++) {
        renumbered[order[i]] = i;
        upper += node_at(h, order[i])->level;
    }
    to->codes.stride = h->codes.stride;
    to->quant.lossless = h->quant.lossless;
    st = hnsw_graph_reserve_locked(to, n, (size_t)upper, f);
    for (uint32_t i = 0; i < n && st == SEAM_OK; i++) copy_node(h, to, order[i], renumbered);
    if (st == SEAM_OK) {
        to->entry = n == 0 ? ENTRY_NONE
                    : renumbered[(uint32_t)h->entry] == LINK_NONE
                        ? highest(to)
                        : (h->entry >> 32) << 32 | renumbered[(uint32_t)h->entry];
    }
    assert(st != SEAM_OK || (to->count == n && to->upper_count == upper));
    free(renumbered);
    return st;
}

/* Takes over the arrays of `from` (a graph of the same options).                                      */
static void adopt(struct hnsw *h, struct hnsw *from)
{
    struct hnsw_quantizer quant = h->quant;
    struct hnsw_blocks *mine[] = {&h->links0, &h->upper, &h->codes, &h->vecs, &h->nodes};
    struct hnsw_blocks *theirs[] = {&from->links0, &from->upper, &from->codes, &from->vecs,
                                    &from->nodes};
    uint16_t *order = h->order;
    bool build_codes = h->build_codes;
    assert(h->o.dim == from->o.dim);
    assert(from->store == NULL);

    h->order = NULL;
    hnsw_graph_clear(h);
    h->order = order;
    h->quant = quant;
    h->build_codes = build_codes;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(mine); i++) {
        hnsw_blocks_free(mine[i]);
        *mine[i] = *theirs[i];
        *theirs[i] = (struct hnsw_blocks){.stride = mine[i]->stride};
    }
    h->dirty = from->dirty;
    h->dirty_page = from->dirty_page;
    h->dirty_cap = from->dirty_cap;
    from->dirty = NULL;
    from->dirty_page = NULL;
    from->dirty_cap = 0;
    h->count = h->published = from->count;
    h->upper_count = from->upper_count;
    h->dead = from->dead;
    h->entry = from->entry;
    assert(h->published == h->count && h->death_count == 0);
}

/* ---- 3 orphans ---- */
static bool list_names(const uint32_t *list, uint32_t count, uint32_t node)
{
    assert(count <= DIST_BATCH);
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == node) return true;
    return false;
}

/* Links the orphan from near nodes that are reached: where there is room, else in place of the link whose
 * target has the most in-links, which can best spare one.                                            */
static void adopt_orphan(struct hnsw *h, struct hnsw_scratch *s, uint32_t orphan,
                         const uint64_t *reached, uint32_t *in_links)
{
    struct hnsw_probe p = hnsw_probe_node(h, s, orphan);
    size_t n, done = 0;
    assert(!seam_bitset_get(reached, orphan));

    if (p.code != NULL) {
        memcpy(s->code, s->code2, h->codes.stride);
        p.code = s->code;
    }
    n = hnsw_walk(h, s, &p,
                  &(struct hnsw_reach){.start = hnsw_descend(h, s, &p, 0), .ef = ORPHAN_EF});
    assert(n <= ORPHAN_EF + 1);
    for (int pass = 0; pass < 2 && done == 0; pass++) {
        for (size_t i = 0; i < n && done == 0; i++) {
            uint32_t at = cand_node(s->pool[i]), *list = links0_at(h, at), spare = 0;
            uint32_t count = list_count(list, h->max0);

            if (at == orphan || !seam_bitset_get(reached, at)) continue;
            if (list_names(list, count, orphan))
                return; /* adopted by way of an orphan adopted before */
            if (count == h->max0 && pass == 0) continue;
            if (count == h->max0) {
                for (uint32_t j = 1; j < count; j++)
                    if (in_links[list[j]] > in_links[list[spare]]) spare = j;
                if (in_links[list[spare]] < 2) continue;
                in_links[list[spare]]--;
                count = spare;
            }
            link_store(list + count, orphan);
            in_links[orphan]++;
            mark_dirty(h, at);
            done++;
        }
    }
}

enum seam_status hnsw_adopt_orphans(struct hnsw *h, uint64_t *orphans, struct seam_fault *f)
{
    size_t words = seam_bitset_words(h->count + 1ul);
    uint64_t *reached = malloc(words * sizeof *reached);
    uint32_t *in_links = malloc((h->count + 1ul) * sizeof *in_links);
    struct hnsw_scratch *s = hnsw_scratch_get(h);
    enum seam_status st =
        reached == NULL || in_links == NULL || s == NULL || !hnsw_scratch_pool(s, ORPHAN_EF + 2)
            ? seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory to find orphans")
            : SEAM_OK;
    bool more = st == SEAM_OK && h->count > 0;
    assert(orphans != NULL);

    for (int round = 0; more && round < ORPHAN_ROUNDS; round++) {
        more = false;
        st = hnsw_health_reach(h, reached, f);
        if (st != SEAM_OK) break;
        hnsw_health_in_links(h, in_links);
        for (uint32_t i = 0; i < h->count; i++) {
            if (seam_bitset_get(reached, i)) continue;
            adopt_orphan(h, s, i, reached, in_links);
            seam_bitset_set(reached, i); /* and through it, what it reaches: the next round sees */
            (*orphans)++;
            more = true;
        }
    }
    hnsw_scratch_put(h, s);
    free(in_links);
    free(reached);
    return st;
}

/* ---- all of it ---- */
static uint64_t mark_purged(const struct hnsw *h, seam_lsn_t retain, uint64_t *purged)
{
    uint64_t n = 0;

    memset(purged, 0, seam_bitset_words(h->count + 1ul) * sizeof *purged);
    for (uint32_t i = 0; i < h->count; i++) {
        seam_lsn_t death = node_at(h, i)->death;

        if (death == SEAM_LSN_MAX || death > retain) continue;
        seam_bitset_set(purged, i);
        n++;
    }
    assert(n <= dead_load(h));
    return n;
}

static enum seam_status rebuild(struct hnsw *h, const struct hnsw_maintain_options *o,
                                const uint64_t *purged, struct hnsw_maintain_report *r,
                                struct seam_fault *f)
{
    uint32_t *order = malloc((h->count + 1ul) * sizeof *order), n;
    uint64_t *seen = malloc(seam_bitset_words(h->count + 1ul) * sizeof *seen);
    struct hnsw *to = NULL;
    enum seam_status st =
        order == NULL || seen == NULL
            ? seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory to renumber")
            : SEAM_OK;
    assert(purged != NULL);
    assert(r->purged <= h->count);

    if (st == SEAM_OK && r->purged > 0) {
        st = repair_all(h, purged, o->threads, &r->repaired);
        if (st != SEAM_OK) seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "the repair stopped");
    }
    if (st == SEAM_OK) st = hnsw_graph_new(&h->o, &h->cfg, &to, f);
    if (st == SEAM_OK) {
        n = o->reorder && h->count > 0 ? order_by_walk(h, purged, order, seen)
                                       : order_plain(h, purged, order);
        st = compact(h, to, order, n, f);
    }
    if (st == SEAM_OK) adopt(h, to);
    hnsw_close(to);
    free(order);
    free(seen);
    if (st == SEAM_OK) st = hnsw_adopt_orphans(h, &r->orphans, f);
    return st == SEAM_OK ? hnsw_keymap_build(h, f) : st;
}

enum seam_status hnsw_maintain(struct hnsw *h, const struct hnsw_maintain_options *o,
                               struct hnsw_maintain_report *r, struct seam_fault *f)
{
    struct hnsw_maintain_report own;
    uint64_t *purged = NULL;
    enum seam_status st = SEAM_OK;
    assert(o != NULL);

    if (r == NULL) r = &own;
    *r = (struct hnsw_maintain_report){0};
    if (!h->writer || h->poison != SEAM_OK)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "maintenance wants a writer");
    if (h->published != h->count || h->death_count > 0)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "publish before maintaining");
    purged = malloc(seam_bitset_words(h->count + 1ul) * sizeof *purged);
    if (purged == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory to maintain");
    pthread_rwlock_wrlock(&h->gate);
    r->purged = mark_purged(h, o->retain_lsn, purged);
    assert(r->purged <= dead_load(h));
    if (r->purged > 0 || o->force || o->reorder || hnsw_wants_maintain(h)) {
        st = rebuild(h, o, purged, r, f);
        if (st == SEAM_OK) {
            seam_lsn_t floor = o->retain_lsn < h->applied_lsn ? o->retain_lsn : h->applied_lsn;

            if (floor > h->floor_lsn && r->purged > 0) h->floor_lsn = floor;
            r->did = true;
            if (h->store != NULL)
                st = hnsw_store_write_base(h, f);
            else
                hnsw_batch_done(h);
        }
        if (st == SEAM_OK && h->store != NULL) r->bytes = h->store->base_size;
        if (st != SEAM_OK) h->poison = st;
    }
    pthread_rwlock_unlock(&h->gate);
    free(purged);
    SEAM_TRACE(h->cfg.trace, "hnsw", "maintain", SEAM_TI("purged", r->purged),
               SEAM_TI("repaired", r->repaired), SEAM_TI("orphans", r->orphans),
               SEAM_TI("bytes", r->bytes));
    return st;
}
