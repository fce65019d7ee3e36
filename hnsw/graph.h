/* graph - the index in memory: nodes in blocks, links by number, and who may touch them when.
 *
 * A node is a number 0, 1, 2 ... in order of insertion; what belongs to it lies in parallel arrays of
 * blocks of 256 nodes, so that growing never moves a node (searches go on meanwhile), a base file's
 * sections can be used where they are mapped, and a changed block is copied on its first write.
 *
 *     links0   2M x u32   level-0 neighbours, LINK_NONE after the last          (whole cache lines)
 *     upper    M x u32    one slot for each level above 0: node.upper + level - 1
 *     codes    bytes      8-bit code and its constant (distance.h), when quantized
 *     vecs     floats     the exact vector, zero-padded; absent when the codes are lossless
 *     nodes    32 bytes   key, birth, death, upper, level
 *
 * Invariants (hnsw_verify checks them):
 *   I1  a link names an existing node, never the node itself, never twice in one list
 *   I2  a link in a level-l list names a node whose level is >= l
 *   I3  the entry point is a node of the highest level (after maintain: any level when it was purged)
 *   I4  birth <= death; at most one node of a key has death == SEAM_LSN_MAX
 *   I5  paddings of codes and vectors are zero
 *
 * Who may touch what: `gate` is held for reading by searches and inserts, for writing by what moves or
 * replaces arrays (growth, refresh, maintain, requantize). A link list is changed under its spin lock
 * and read without one: each u32 is stored with release and loaded with acquire, so a reader sees only
 * whole nodes, perhaps a mixture of the old list and the new.                                       */
#ifndef SEAM_HNSW_GRAPH_H
#define SEAM_HNSW_GRAPH_H

#include <pthread.h>

#include "engine/base/bitset.h"
#include "hnsw/distance.h"
#include "hnsw/hnsw.h"

enum { BLOCK_SHIFT = 8, BLOCK_NODES = 1 << BLOCK_SHIFT, LOCK_STRIPES = 1 << 14, DIRTY_PAGE = 4096 };
#define LINK_NONE UINT32_MAX

/* ---- blocks ---- */
struct hnsw_region {
    void *p;
    size_t size;
};

struct hnsw_blocks {
    uint8_t **block; /* count pointers */
    uint8_t *own;    /* count flags: writable memory of ours (else mapped) */
    size_t count, cap;
    size_t stride; /* bytes a node; 0 = this array is absent */
    struct hnsw_region *regions;
    size_t region_count, region_cap;
    size_t bytes; /* of our memory */
};

static inline void *blocks_at(const struct hnsw_blocks *b, uint32_t i)
{
    return b->block[i >> BLOCK_SHIFT] + (size_t)(i & (BLOCK_NODES - 1)) * b->stride;
}

/* Room for items [0, n) in writable memory; blocks that exist stay where they are, but the one item n-1
 * shares with older ones becomes ours.                                                              */
SEAM_MUST_USE enum seam_status hnsw_blocks_reserve(struct hnsw_blocks *b, size_t n,
                                                   struct seam_fault *f);
/* The item, in memory of ours (a mapped block is copied first). NULL = no memory.                   */
void *hnsw_blocks_writable(struct hnsw_blocks *b, uint32_t i);
/* Uses n items at p (a mapping) in place.                                                           */
SEAM_MUST_USE enum seam_status hnsw_blocks_attach(struct hnsw_blocks *b, const uint8_t *p, size_t n,
                                                  struct seam_fault *f);
void hnsw_blocks_free(struct hnsw_blocks *b);

/* ---- nodes ---- */
struct hnsw_node {
    uint64_t key;
    seam_lsn_t birth, death; /* alive in [birth, death); SEAM_LSN_MAX = alive */
    uint32_t upper;          /* first upper slot, when level > 0 */
    uint8_t level;
    uint8_t zeros[3];
};
_Static_assert(sizeof(struct hnsw_node) == 32, "a node is 32 bytes in memory and on disk");

/* ---- quantization ---- */
struct hnsw_quantizer {
    bool trained;
    bool lossless;       /* codes are the values: no vecs */
    float scale;         /* value = offset[d] + scale * u */
    float *offset;       /* dim floats */
    uint64_t trained_on; /* vectors seen when trained */
};

/* ---- scratch: what one search needs, reused ---- */
typedef int64_t cand_t; /* key << 32 | node << 1 | expanded */
static inline cand_t cand_make(int32_t key, uint32_t node)
{
    return (cand_t)((uint64_t)(uint32_t)key << 32 | (uint64_t)node << 1);
}
static inline int32_t cand_key(cand_t c)
{
    return (int32_t)(c >> 32);
}
static inline uint32_t cand_node(cand_t c)
{
    return (uint32_t)c >> 1;
}

/* For the walks of a debug build: no candidate stands before a nearer one. */
static inline bool cands_ascend(const cand_t *a, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (a[i] < a[i - 1]) return false;
    return true;
}

struct hnsw_probe {     /* what is searched for */
    const float *vec;   /* aligned, padded; NULL when walking lossless codes */
    const int8_t *code; /* signed query code; NULL = walk floats */
    int32_t k0;
};

struct hnsw_scratch {
    struct hnsw_scratch *next;
    uint64_t *visited;
    size_t visited_words;
    cand_t *pool, *heap;
    size_t pool_cap, heap_cap, heap_count;
    float *vec;           /* padded query */
    int8_t *code, *code2; /* query code; code of a node used as probe */
    cand_t *sorted;       /* candidates for selection */
    size_t sorted_cap;
    struct hnsw_stats stats;
};

/* ---- the handle ---- */
struct hnsw_store; /* store.h: files; NULL for a graph in memory only */

struct hnsw {
    struct hnsw_options o;
    struct hnsw_config cfg;
    const struct hnsw_dist_kernels *kern;
    uint32_t max0; /* 2M */
    size_t floats; /* dim up to 16 */
    struct hnsw_blocks links0, upper, codes, vecs, nodes;
    uint32_t count;       /* nodes; stored with release */
    uint32_t upper_count; /* upper slots */
    uint32_t dead;        /* nodes with death != SEAM_LSN_MAX; atomic */
    uint64_t entry;       /* level << 32 | node, or ENTRY_NONE; atomic */
    double level_scale;   /* 1 / ln M */
    struct hnsw_quantizer quant;
    uint16_t *order;  /* stored dimension d is the caller's order[d]; NULL = as given */
    bool maps;        /* some array lies in the base file's mapping */
    bool another;     /* writer: the history is another one than the newest state tells */
    bool wants_base;  /* the next publication must be a base: it sets the order */
    bool build_codes; /* codes are temporary, for building an F32 graph */

    uint32_t *keymap;                /* open addressing: node + 1; live nodes */
    size_t keymap_size, keymap_used; /* size is a power of two */

    uint8_t *dirty;      /* a flag a node: lists changed since the last publish */
    uint8_t *dirty_page; /* a flag for each 4,096 of them, so that a small batch is found quickly */
    size_t dirty_cap;    /* a multiple of DIRTY_PAGE */
    uint32_t *deaths;    /* nodes that died since the last publish */
    size_t death_count, death_cap;
    uint32_t published; /* nodes already published */
    bool requantized;   /* since the last publish */

    seam_lsn_t applied_lsn, floor_lsn, moment;
    int64_t wall_us;
    struct hnsw_point points[HNSW_POINTS_MAX];
    size_t point_count;
    double default_recall;

    pthread_rwlock_t gate;
    pthread_mutex_t entry_lock; /* raising the entry point */
    uint8_t *spin;              /* LOCK_STRIPES spin locks of link lists */
    pthread_mutex_t scratch_lock;
    struct hnsw_scratch *scratch;
    bool writer;
    enum seam_status poison; /* a failed publish is final */
    struct hnsw_store *store;
};
#define ENTRY_NONE UINT64_MAX

static inline struct hnsw_node *node_at(const struct hnsw *h, uint32_t i)
{
    return blocks_at(&h->nodes, i);
}
static inline uint32_t *links0_at(const struct hnsw *h, uint32_t i)
{
    return blocks_at(&h->links0, i);
}
static inline uint8_t *code_at(const struct hnsw *h, uint32_t i)
{
    return blocks_at(&h->codes, i);
}
static inline float *vec_at(const struct hnsw *h, uint32_t i)
{
    return blocks_at(&h->vecs, i);
}
/* The list of a node at a level and its capacity.                                                   */
static inline uint32_t *list_at(const struct hnsw *h, uint32_t i, unsigned level)
{
    return level == 0 ? links0_at(h, i) : blocks_at(&h->upper, node_at(h, i)->upper + level - 1);
}
static inline uint32_t list_max(const struct hnsw *h, unsigned level)
{
    return level == 0 ? h->max0 : h->o.m;
}
static inline uint32_t link_load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void link_store(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline uint32_t list_count(const uint32_t *list, uint32_t max)
{
    uint32_t n = 0;

    while (n < max && link_load(list + n) != LINK_NONE) n++;
    return n;
}
static inline uint64_t entry_load(const struct hnsw *h)
{
    return __atomic_load_n(&h->entry, __ATOMIC_ACQUIRE);
}
static inline uint32_t count_load(const struct hnsw *h)
{
    return __atomic_load_n(&h->count, __ATOMIC_ACQUIRE);
}
static inline uint32_t dead_load(const struct hnsw *h)
{
    return __atomic_load_n(&h->dead, __ATOMIC_RELAXED);
}
static inline seam_lsn_t death_load(const struct hnsw_node *n)
{
    return __atomic_load_n(&n->death, __ATOMIC_RELAXED);
}
static inline bool node_alive(const struct hnsw_node *n, seam_lsn_t moment)
{
    return n->birth <= moment && moment < death_load(n);
}
/* Do codes guide the walk?                                                                          */
static inline bool walks_codes(const struct hnsw *h)
{
    return h->quant.trained && (h->o.quant == HNSW_I8 || h->build_codes);
}
static inline bool has_vecs(const struct hnsw *h)
{
    return !h->quant.lossless;
}

static inline void mark_dirty(struct hnsw *h, uint32_t node)
{
    __atomic_store_n(&h->dirty[node], 1, __ATOMIC_RELAXED);
    __atomic_store_n(&h->dirty_page[node / DIRTY_PAGE], 1, __ATOMIC_RELAXED);
}

void hnsw_spin_lock(struct hnsw *h, uint32_t node);
void hnsw_spin_unlock(struct hnsw *h, uint32_t node);

/* graph.c */
SEAM_MUST_USE enum seam_status hnsw_graph_options_check(const struct hnsw_options *o,
                                                        struct seam_fault *f);
SEAM_MUST_USE enum seam_status hnsw_graph_new(const struct hnsw_options *o,
                                              const struct hnsw_config *cfg, struct hnsw **out,
                                              struct seam_fault *f);
/* Frees arrays and empties the graph (locks, options, store stay).                                  */
void hnsw_graph_clear(struct hnsw *h);
void hnsw_graph_free(struct hnsw *h); /* ... and the handle; what is on disk is store.c's */
/* Room for `nodes` nodes and `upper` slots. Takes the gate for writing when something must move.     */
SEAM_MUST_USE enum seam_status hnsw_graph_reserve(struct hnsw *h, uint64_t nodes, uint64_t upper,
                                                  struct seam_fault *f);
SEAM_MUST_USE enum seam_status hnsw_graph_reserve_locked(struct hnsw *h, size_t nodes, size_t upper,
                                                         struct seam_fault *f);
unsigned hnsw_graph_level(const struct hnsw *h, uint64_t key, seam_lsn_t lsn);
/* Appends a node without links; vec is padded (and normalised). Capacity must be there.             */
uint32_t hnsw_graph_append(struct hnsw *h, uint64_t key, seam_lsn_t birth, unsigned level,
                           const float *vec);
void hnsw_graph_kill(struct hnsw *h, uint32_t node, seam_lsn_t lsn);
uint64_t hnsw_graph_memory(const struct hnsw *h);

/* keymap.c */
SEAM_MUST_USE enum seam_status
hnsw_keymap_build(struct hnsw *h, struct seam_fault *f); /* from the nodes alive at moment */
SEAM_MUST_USE enum seam_status hnsw_keymap_reserve(struct hnsw *h, size_t extra,
                                                   struct seam_fault *f);
uint32_t hnsw_keymap_find(const struct hnsw *h, uint64_t key); /* LINK_NONE when missing */
void hnsw_keymap_put(struct hnsw *h, uint64_t key, uint32_t node);
void hnsw_keymap_remove(struct hnsw *h, uint64_t key);

/* quant.c */
/* Chooses offset and scale from n rows (stride floats apart).                                        */
SEAM_MUST_USE enum seam_status hnsw_quant_train(struct hnsw *h, const float *rows, size_t n,
                                                size_t stride, struct seam_fault *f);
void hnsw_quant_encode(const struct hnsw *h, const float *vec,
                       uint8_t *code); /* fills padding and constant */
void hnsw_quant_decode(const struct hnsw *h, const uint8_t *code, float *vec); /* fills padding */
bool hnsw_quant_is_bytes(const float *vec, uint32_t dim);
/* Trains on what is stored and encodes every node anew. Gate held for writing by the caller.         */
SEAM_MUST_USE enum seam_status hnsw_quant_requantize(struct hnsw *h, struct seam_fault *f);
/* Allocates codes for all nodes and encodes them.                                                    */
SEAM_MUST_USE enum seam_status hnsw_quant_encode_all(struct hnsw *h, struct seam_fault *f);
/* Lossless codes become ordinary ones: the vectors are brought back.                                 */
SEAM_MUST_USE enum seam_status hnsw_quant_unlossless(struct hnsw *h, struct seam_fault *f);
/* The distance a user sees, from a walk's key.                                                       */
float hnsw_quant_distance(const struct hnsw *h, const struct hnsw_probe *p, int32_t key);
/* Query code in s->code from s->vec; returns the probe.                                              */
struct hnsw_probe hnsw_probe_query(const struct hnsw *h, struct hnsw_scratch *s);
/* A stored node as probe; uses s->code2.                                                             */
struct hnsw_probe hnsw_probe_node(const struct hnsw *h, struct hnsw_scratch *s, uint32_t node);
/* For long float rows under L2: dimensions in order of falling variance, so that a distance beyond its
 * bound shows early. Only into an empty graph whose next publication is a base.                     */
SEAM_MUST_USE enum seam_status hnsw_order_train(struct hnsw *h, const float *rows, size_t n,
                                                struct seam_fault *f);
/* The stored vector of a node as the caller gave it (dim floats).                                    */
void hnsw_vector_stored(const struct hnsw *h, uint32_t node, float *out);
/* Checks, orders, pads, normalises into out (h->floats floats).                                              */
SEAM_MUST_USE enum seam_status hnsw_vector_prepare(const struct hnsw *h, const float *in,
                                                   float *out, struct seam_fault *f);

/* scratch.c */
struct hnsw_scratch *hnsw_scratch_get(const struct hnsw *h); /* NULL = no memory */
void hnsw_scratch_put(const struct hnsw *h, struct hnsw_scratch *s);
void hnsw_scratch_free_all(struct hnsw *h);
bool hnsw_scratch_pool(struct hnsw_scratch *s, size_t n);
bool hnsw_scratch_sorted(struct hnsw_scratch *s, size_t n);
bool hnsw_heap_push(struct hnsw_scratch *s, cand_t c); /* smallest first */
cand_t hnsw_heap_pop(struct hnsw_scratch *s);

/* search.c */
/* Keys of n rows; one beyond `bound` may be any key beyond it (INT32_MAX = all exact).               */
void hnsw_measure(const struct hnsw *h, const struct hnsw_probe *p, const uint32_t *ids, size_t n,
                  int32_t bound, int32_t *keys);
void hnsw_measure_exact(const struct hnsw *h, const float *vec, const uint32_t *ids, size_t n,
                        int32_t bound, int32_t *keys);
/* Greedy descent from the entry point down to (not into) level `to`; LINK_NONE for an empty graph.   */
cand_t hnsw_descend(const struct hnsw *h, struct hnsw_scratch *s, const struct hnsw_probe *p,
                    unsigned to);
/* How far a walk goes. */
struct hnsw_reach {
    cand_t start;
    unsigned level;
    size_t ef;
    uint32_t patience; /* 0 = none; else hops that may pass without one of the k best changing */
    size_t k;
};

/* The ef nearest found from `start` at a level, ascending in s->pool; returns how many.              */
size_t hnsw_walk(const struct hnsw *h, struct hnsw_scratch *s, const struct hnsw_probe *p,
                 const struct hnsw_reach *reach);

/* insert.c */
SEAM_MUST_USE enum seam_status hnsw_link_node(struct hnsw *h, uint32_t node, struct hnsw_scratch *s,
                                              struct seam_fault *f);
/* The diversity rule: picks at most m of n ascending candidates into out; returns how many.          */
size_t hnsw_select_neighbours(const struct hnsw *h, struct hnsw_scratch *s, const cand_t *cands,
                              size_t n, size_t m, uint32_t *out);
void hnsw_list_write(uint32_t *list, uint32_t max, const uint32_t *ids, size_t n);
/* Adds node -> list of `at` at a level, pruning when full. False = it was there or was pruned.        */
bool hnsw_list_add(struct hnsw *h, struct hnsw_scratch *s, uint32_t at, unsigned level,
                   uint32_t node);

#endif
