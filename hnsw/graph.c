/* graph - making, growing and emptying the index in memory (graph.h). */
#include "hnsw/graph.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "engine/base/walk.h"

enum { DEFAULT_M = 16, DEFAULT_EF_CONSTRUCTION = 200 };

void hnsw_spin_lock(struct hnsw *h, uint32_t node)
{
    uint8_t *l = &h->spin[node & (LOCK_STRIPES - 1)];
    SEAM_WALK(node < count_load(h));

    while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE) != 0)
        while (__atomic_load_n(l, __ATOMIC_RELAXED) != 0) sched_yield();
}

void hnsw_spin_unlock(struct hnsw *h, uint32_t node)
{
    SEAM_WALK(__atomic_load_n(&h->spin[node & (LOCK_STRIPES - 1)], __ATOMIC_RELAXED) == 1);
    __atomic_store_n(&h->spin[node & (LOCK_STRIPES - 1)], 0, __ATOMIC_RELEASE);
}

enum seam_status hnsw_graph_options_check(const struct hnsw_options *o, struct seam_fault *f)
{
    if (o->dim < HNSW_DIM_MIN || o->dim > HNSW_DIM_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "dim", SEAM_FAULT_NO_OFFSET,
                              "%u dimensions; from %d to %d are possible", o->dim, HNSW_DIM_MIN,
                              HNSW_DIM_MAX);
    if ((unsigned)o->metric > HNSW_COSINE)
        return seam_fault_set(f, SEAM_INVALID, "metric", SEAM_FAULT_NO_OFFSET,
                              "no metric has number %d", (int)o->metric);
    if ((unsigned)o->quant > HNSW_I8)
        return seam_fault_set(f, SEAM_INVALID, "quant", SEAM_FAULT_NO_OFFSET,
                              "no quantization has number %d", (int)o->quant);
    if (o->m < HNSW_M_MIN || o->m > HNSW_M_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "M", SEAM_FAULT_NO_OFFSET,
                              "M is %u; from %d to %d are possible", o->m, HNSW_M_MIN, HNSW_M_MAX);
    if (o->ef_construction < 1 || o->ef_construction > HNSW_EF_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "efConstruction", SEAM_FAULT_NO_OFFSET,
                              "efConstruction is %u; from 1 to %d are possible", o->ef_construction,
                              HNSW_EF_MAX);
    return SEAM_OK;
}

static size_t up(size_t n, size_t to)
{
    assert(to > 0);
    return (n + to - 1) / to * to;
}

static void set_strides(struct hnsw *h)
{
    assert(h->max0 == 2 * h->o.m);
    assert(h->floats >= h->o.dim && h->floats % 16 == 0);
    h->links0.stride = up((size_t)h->max0 * 4, 64);
    h->upper.stride = up((size_t)h->o.m * 4, 16);
    h->vecs.stride = h->floats * 4;
    h->codes.stride = h->o.quant == HNSW_I8 ? code_stride(h->o.dim) : 0;
    h->nodes.stride = sizeof(struct hnsw_node);
}

enum seam_status hnsw_graph_new(const struct hnsw_options *o, const struct hnsw_config *cfg,
                                struct hnsw **out, struct seam_fault *f)
{
    struct hnsw *h = calloc(1, sizeof *h);
    enum seam_status st = SEAM_OK;
    assert(o != NULL);

    assert(*out == NULL);
    if (h == NULL) return seam_no_memory(f, "the index");
    h->o = *o;
    if (h->o.m == 0) h->o.m = DEFAULT_M;
    if (h->o.ef_construction == 0) h->o.ef_construction = DEFAULT_EF_CONSTRUCTION;
    st = hnsw_graph_options_check(&h->o, f);
    if (st != SEAM_OK) {
        free(h);
        return st;
    }
    if (cfg != NULL) h->cfg = *cfg;
    if (h->cfg.clock == NULL) h->cfg.clock = seam_clock_real();
    h->kern = hnsw_dist_kernels();
    h->max0 = 2 * h->o.m;
    h->floats = up(h->o.dim, 16);
    h->level_scale = 1.0 / log((double)h->o.m);
    h->entry = ENTRY_NONE;
    h->moment = SEAM_LSN_MAX - 1;
    set_strides(h);
    pthread_rwlock_init(&h->gate, NULL);
    pthread_mutex_init(&h->entry_lock, NULL);
    pthread_mutex_init(&h->scratch_lock, NULL);
    h->spin = calloc(LOCK_STRIPES, 1);
    h->quant.offset = calloc(o->dim, sizeof *h->quant.offset);
    if (h->spin == NULL || h->quant.offset == NULL) {
        hnsw_graph_free(h);
        return seam_no_memory(f, "the index");
    }
    assert(h->max0 <= DIST_BATCH);
    assert(h->codes.stride % 64 == 0);
    *out = h;
    return SEAM_OK;
}

void hnsw_graph_clear(struct hnsw *h)
{
    float *offset = h->quant.offset;
    assert(h->published <= h->count);
    assert(h->death_count <= h->death_cap);

    hnsw_blocks_free(&h->links0);
    hnsw_blocks_free(&h->upper);
    hnsw_blocks_free(&h->codes);
    hnsw_blocks_free(&h->vecs);
    hnsw_blocks_free(&h->nodes);
    set_strides(h);
    free(h->keymap);
    free(h->dirty);
    free(h->dirty_page);
    free(h->deaths);
    free(h->order);
    h->order = NULL;
    h->keymap = NULL;
    h->dirty = NULL;
    h->dirty_page = NULL;
    h->deaths = NULL;
    h->keymap_size = h->keymap_used = h->dirty_cap = h->death_count = h->death_cap = 0;
    h->count = h->upper_count = h->dead = h->published = 0;
    h->entry = ENTRY_NONE;
    h->quant = (struct hnsw_quantizer){.offset = offset};
    h->build_codes = h->requantized = h->wants_base = h->maps = false;
    hnsw_scratch_free_all(h);
}

void hnsw_graph_free(struct hnsw *h)
{
    hnsw_graph_clear(h);
    assert(h->count == 0 && h->scratch == NULL);
    free(h->quant.offset);
    free(h->spin);
    pthread_rwlock_destroy(&h->gate);
    pthread_mutex_destroy(&h->entry_lock);
    pthread_mutex_destroy(&h->scratch_lock);
    free(h);
}

uint64_t hnsw_graph_memory(const struct hnsw *h)
{
    return h->links0.bytes + h->upper.bytes + h->codes.bytes + h->vecs.bytes + h->nodes.bytes +
           h->keymap_size * sizeof *h->keymap + h->dirty_cap;
}

static enum seam_status reserve_dirty(struct hnsw *h, size_t nodes, struct seam_fault *f)
{
    uint8_t *d, *page;
    assert(h->dirty_cap % DIRTY_PAGE == 0);

    if (nodes <= h->dirty_cap) return SEAM_OK;
    nodes = up(nodes, DIRTY_PAGE);
    d = realloc(h->dirty, nodes);
    if (d != NULL) h->dirty = d;
    page = d == NULL ? NULL : realloc(h->dirty_page, nodes / DIRTY_PAGE);
    if (page == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for %zu nodes",
                              nodes);
    h->dirty_page = page;
    memset(d + h->dirty_cap, 0, nodes - h->dirty_cap);
    memset(page + h->dirty_cap / DIRTY_PAGE, 0, (nodes - h->dirty_cap) / DIRTY_PAGE);
    h->dirty_cap = nodes;
    return SEAM_OK;
}

enum seam_status hnsw_graph_reserve_locked(struct hnsw *h, size_t nodes, size_t upper,
                                           struct seam_fault *f)
{
    enum seam_status st = hnsw_blocks_reserve(&h->nodes, nodes, f);
    assert(nodes <= (size_t)HNSW_NODES_MAX + 1);

    if (st == SEAM_OK) st = hnsw_blocks_reserve(&h->links0, nodes, f);
    if (st == SEAM_OK) st = hnsw_blocks_reserve(&h->upper, upper, f);
    if (st == SEAM_OK) st = hnsw_blocks_reserve(&h->codes, nodes, f);
    if (st == SEAM_OK && has_vecs(h)) st = hnsw_blocks_reserve(&h->vecs, nodes, f);
    if (st == SEAM_OK) st = reserve_dirty(h, nodes, f);
    assert(st != SEAM_OK || h->dirty_cap >= nodes);
    return st;
}

static bool has_room(const struct hnsw *h, uint64_t nodes, uint64_t upper)
{
    return nodes <= h->nodes.count * BLOCK_NODES && upper <= h->upper.count * BLOCK_NODES &&
           nodes <= h->dirty_cap;
}

enum seam_status hnsw_graph_reserve(struct hnsw *h, uint64_t nodes, uint64_t upper,
                                    struct seam_fault *f)
{
    uint64_t per_node = h->links0.stride + h->codes.stride + h->nodes.stride + 1 +
                        (has_vecs(h) ? h->vecs.stride : 0);
    enum seam_status st;

    if (has_room(h, nodes, upper)) return SEAM_OK;
    if (nodes > HNSW_NODES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                              "%llu nodes; an index holds at most %u", (unsigned long long)nodes,
                              HNSW_NODES_MAX);
    if (h->cfg.memory_max != 0 && nodes * per_node + upper * h->upper.stride > h->cfg.memory_max)
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                              "%llu nodes need more than the memory budget of %llu bytes",
                              (unsigned long long)nodes, (unsigned long long)h->cfg.memory_max);
    assert(nodes <= HNSW_NODES_MAX);
    pthread_rwlock_wrlock(&h->gate);
    st = hnsw_graph_reserve_locked(h, (size_t)nodes, (size_t)upper, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

/* The level of a node depends on the seed, the key and the LSN alone: the same in every run and under
 * any number of threads.  P(level >= l) = M^-l.                                                     */
unsigned hnsw_graph_level(const struct hnsw *h, uint64_t key, seam_lsn_t lsn)
{
    uint64_t state = h->o.seed ^ (key * 0x9e3779b97f4a7c15ull) ^ (lsn * 0xd1342543de82ef95ull);
    uint64_t r = (seam_splitmix64(&state), seam_splitmix64(&state));
    double u = ((double)(r >> 11) + 1) * 0x1p-53; /* (0, 1] */
    double level = -log(u) * h->level_scale;
    assert(h->level_scale > 0);

    assert(level >= 0);
    return level >= HNSW_LEVEL_MAX ? HNSW_LEVEL_MAX : (unsigned)level;
}

uint32_t hnsw_graph_append(struct hnsw *h, uint64_t key, seam_lsn_t birth, unsigned level,
                           const float *vec)
{
    uint32_t id = h->count;
    struct hnsw_node *n = node_at(h, id);
    assert(level <= HNSW_LEVEL_MAX);
    assert(vec != NULL);

    assert(has_room(h, (uint64_t)id + 1, (uint64_t)h->upper_count + level));
    *n = (struct hnsw_node){key, birth, SEAM_LSN_MAX, h->upper_count, (uint8_t)level, {0}};
    for (unsigned l = 0; l <= level; l++)
        memset(list_at(h, id, l), 0xff, (size_t)list_max(h, l) * 4);
    h->upper_count += level;
    if (has_vecs(h)) memcpy(vec_at(h, id), vec, h->vecs.stride);
    if (h->quant.trained && h->codes.stride != 0) hnsw_quant_encode(h, vec, code_at(h, id));
    mark_dirty(h, id);
    /* Last, and released: a search that can count the node finds its vector, code and empty lists there. */
    __atomic_store_n(&h->count, id + 1, __ATOMIC_RELEASE);
    return id;
}

void hnsw_graph_kill(struct hnsw *h, uint32_t node, seam_lsn_t lsn)
{
    struct hnsw_node *n = node_at(h, node);
    assert(node < h->count);
    assert(h->dead < h->count);

    assert(n->death == SEAM_LSN_MAX);
    /* Relaxed: a search under way may still return it, as one that began a moment earlier would have. */
    __atomic_store_n(&n->death, lsn, __ATOMIC_RELAXED);
    __atomic_add_fetch(&h->dead, 1, __ATOMIC_RELAXED);
}
