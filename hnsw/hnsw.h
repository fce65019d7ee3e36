/* hnsw - nearest neighbours in a hierarchical navigable small world graph.
 *
 *   upsert(key, vector, lsn) --> graph in memory --publish(applied_lsn)--> DIR/N.journal  (small batch)
 *                                                --maintain / big batch--> DIR/N.base     (whole graph)
 *   readers (any process):  open [AS OF lsn] --> search / iterate / range / batch --> refresh
 *
 *   DIR/LOCK                  held by the one writer process (SEAM_CONFLICT names the holder)
 *   DIR/N.manifest            engine/io/manifest.h, kind "HNSW": names the base and the journal of state N
 *   DIR/N.base                nodes, links, codes, vectors: opened by mapping, never rebuilt
 *   DIR/N.journal             batches appended since the base: each is one publication, with its LSN
 *
 * A batch in the journal is *physical* (new nodes, changed link lists, deaths), so that applying it
 * costs a copy, not a search, and every reader has bit for bit the writer's graph.
 * Nodes carry the LSN of their birth and of their death: a search can be asked AS OF any LSN between
 * the retention floor and applied_lsn. A replaced or deleted vector is a tombstone (still walked
 * through, never returned) until hnsw_maintain() unlinks it and repairs the lists around it.
 *
 * Keys are the caller's u64 and opaque. Distances: L2 is the squared distance, IP is minus the inner
 * product, COSINE is 1 - cosine (vectors are normalised on the way in); smaller is nearer, equal
 * distances are ordered by age (older first).
 *
 * Threads: any number may search one handle at once, also while its writer thread upserts (a search sees
 * a node only when it is whole). hnsw_refresh, hnsw_maintain and hnsw_close want the handle alone.
 * Upserts, deletes and publish come from one thread; hnsw_load spreads a batch over threads itself.
 *
 * Paper: Malkov & Yashunin, IEEE TPAMI 42(4), 2020 (papers/hnsw.md). Formats: docs/reference/formats/hnsw.md.
 * Imports: engine. Reading order: distance.h, graph.h, search.c, insert.c, store.c.                */
#ifndef SEAM_HNSW_HNSW_H
#define SEAM_HNSW_HNSW_H

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/lsn.h"
#include "engine/base/status.h"
#include "engine/base/trace.h"
#include "engine/io/io.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HNSW_DIM_MIN = 2,
    HNSW_DIM_MAX = 4096,
    HNSW_M_MIN = 4,
    HNSW_M_MAX = 64,
    HNSW_EF_MAX = 65536, /* efSearch and efConstruction */
    HNSW_LEVEL_MAX = 15,
};
#define HNSW_NODES_MAX UINT32_C(0x7fffffff)

enum hnsw_metric { HNSW_L2 = 0, HNSW_IP = 1, HNSW_COSINE = 2 }; /* on disk; never renumber */
enum hnsw_quant { HNSW_F32 = 0, HNSW_I8 = 1 };                  /* likewise */

/* What a graph is, fixed at creation (M, efConstruction: defaults 16, 200 where 0).                */
struct hnsw_options {
    uint32_t dim; /* 2..4096 */
    enum hnsw_metric metric;
    enum hnsw_quant quant; /* HNSW_I8: walk 8-bit codes, rerank exactly on the float vectors */
    uint32_t m;            /* links a node above level 0; 2M at level 0 */
    uint32_t ef_construction;
    uint64_t seed; /* of the levels: same seed, same order of inserts, one thread = same graph */
    struct seam_owner owner; /* of hnsw_create only: whose the index is */
};

/* How a process uses it.                                                                           */
struct hnsw_config {
    struct seam_clock *clock; /* NULL = seam_clock_real() */
    struct seam_trace
        *trace;  /* NULL = off: hop, node_new, links_prune, regime, journal_append ... */
    bool mapped; /* readers: leave everything mapped (least memory), do not copy into huge pages */
    uint64_t memory_max; /* 0 = none; growing past it is SEAM_LIMIT */
    struct seam_owner
        owner; /* whose; zeros: whoever made it. Another platform's is SEAM_CONFLICT */
};

struct hnsw;

/* ---- life ---- */
/* Makes an empty index in DIR (created when missing). SEAM_EXISTS when there is one.                 */
SEAM_MUST_USE enum seam_status hnsw_create(struct seam_io *io, const char *dir,
                                           const struct hnsw_options *o, struct seam_fault *f);
/* SEAM_OK: *out is the caller's until hnsw_close. SEAM_CONFLICT: another process writes. cfg may be NULL. */
SEAM_MUST_USE enum seam_status hnsw_open_writer(struct seam_io *io, const char *dir,
                                                const struct hnsw_config *cfg, struct hnsw **out,
                                                struct seam_fault *f);
/* A reader of what is published now (as_of = SEAM_LSN_MAX) or as it stood at an LSN: SEAM_NOT_FOUND when that
 * LSN is after what is applied or before the retention floor.                                      */
SEAM_MUST_USE enum seam_status hnsw_open_reader(struct seam_io *io, const char *dir,
                                                seam_lsn_t as_of, const struct hnsw_config *cfg,
                                                struct hnsw **out, struct seam_fault *f);
/* A graph in memory only (labs, tests, tuning): everything works but publish and maintain write nothing. */
SEAM_MUST_USE enum seam_status hnsw_new(const struct hnsw_options *o, const struct hnsw_config *cfg,
                                        struct hnsw **out, struct seam_fault *f);
void hnsw_close(struct hnsw *h); /* accepts NULL; unpublished changes are forgotten */

/* Reader: catches up with what has been published; *changed (may be NULL) says whether anything was. */
SEAM_MUST_USE enum seam_status hnsw_refresh(struct hnsw *h, bool *changed, struct seam_fault *f);

/* ---- writing ---- */
/* The vector of `key` from `lsn` on; a former one of the same key dies at `lsn`. Anything at or below
 * the applied LSN is ignored (SEAM_OK). SEAM_INVALID: NaN, infinite, or (cosine) zero vector.          */
SEAM_MUST_USE enum seam_status hnsw_upsert(struct hnsw *h, uint64_t key, const float *vector,
                                           seam_lsn_t lsn, struct seam_fault *f);
/* SEAM_NOT_FOUND when the key has no live vector.                                                    */
SEAM_MUST_USE enum seam_status hnsw_delete(struct hnsw *h, uint64_t key, seam_lsn_t lsn,
                                           struct seam_fault *f);
/* Makes everything since the last publish, and applied_lsn, durable and visible in one step.       */
SEAM_MUST_USE enum seam_status hnsw_publish(struct hnsw *h, seam_lsn_t applied_lsn, int64_t wall_us,
                                            struct seam_fault *f);

struct hnsw_progress {
    uint64_t done, total;
    double seconds, eta_seconds;
};
struct hnsw_load_options {
    int threads; /* 1 = deterministic; <= 0 = all processors */
    void (*progress)(void *ctx,
                     const struct hnsw_progress *p); /* may be NULL; at most twice a second */
    void *ctx;
    bool codes; /* F32 graphs: walk temporary 8-bit codes while building (links are still
                                 chosen by exact distances): faster, same recall within noise */
};
/* Many vectors at once: row i stands under keys[i], or under first_key + i when keys is NULL.            */
struct hnsw_rows {
    const uint64_t *keys;
    uint64_t first_key;
    const float *vectors; /* n x dim */
    size_t n;
};

/* Upserts them all, at `lsn`. Codes are trained on them where the graph was empty. Stops at the first bad
 * vector and says which; those before it are in.                                                     */
SEAM_MUST_USE enum seam_status hnsw_load(struct hnsw *h, const struct hnsw_rows *rows,
                                         seam_lsn_t lsn, const struct hnsw_load_options *o,
                                         struct seam_fault *f);

/* Unlinks nodes dead at or below retain_lsn (after which AS OF below it is refused), repairs the lists
 * around them, repairs orphans, renumbers nodes for locality when asked, and publishes a new base at the
 * present applied LSN. Old files go once the new ones are published.                               */
struct hnsw_maintain_options {
    seam_lsn_t retain_lsn; /* SEAM_LSN_MAX = keep no history */
    bool reorder;          /* renumber nodes so that neighbours are neighbours in memory */
    bool force;            /* also when there is nothing worth doing */
    int threads;
};
struct hnsw_maintain_report {
    bool did; /* a new base was written */
    uint64_t purged, repaired, orphans, bytes;
};
SEAM_MUST_USE enum seam_status hnsw_maintain(struct hnsw *h, const struct hnsw_maintain_options *o,
                                             struct hnsw_maintain_report *r, struct seam_fault *f);
/* True when the journal or the tombstones have grown enough for hnsw_maintain to be worth its time.  */
bool hnsw_wants_maintain(const struct hnsw *h);

/* ---- asking ---- */
struct hnsw_info {
    struct hnsw_options options;
    uint64_t nodes, live, dead;               /* nodes = live + tombstones */
    struct seam_owner owner;                  /* whose, and which history its state tells */
    uint64_t generation;                      /* manifest sequence */
    seam_lsn_t applied_lsn, floor_lsn, as_of; /* as_of = SEAM_LSN_MAX: newest */
    int64_t wall_us;                          /* when applied_lsn was published */
    uint64_t bytes_memory, bytes_mapped, bytes_base, bytes_journal, journal_batches;
    uint32_t max_level, entry_level;
    double default_recall; /* pinned by tune, 0 = never tuned */
    uint32_t default_ef;   /* pinned by tune, else 64 */
};
void hnsw_info(const struct hnsw *h, struct hnsw_info *out);
seam_lsn_t hnsw_applied_lsn(const struct hnsw *h);

/* Which keys may be returned. Exactly one of match, bitmap, keys is set.                           */
struct hnsw_filter {
    bool (*match)(void *ctx, uint64_t key); /* may be called for any node, in any order */
    void *ctx;
    const uint64_t
        *bitmap; /* bit k: key k may be returned (engine/base/bitset.h); keys >= bits may not */
    size_t bits;
    const uint64_t *keys; /* the allowed keys, ascending */
    size_t key_count;
};

enum hnsw_regime { /* chosen by the filter's selectivity; named by hnsw_regime_name */
                   HNSW_AUTO = 0,
                   HNSW_PLAIN, /* walk the whole graph, keep what matches */
                   HNSW_TWO_HOP, /* walk matching nodes, reaching them through non-matching neighbours */
                   HNSW_EXACT, /* measure every match */
};
const char *hnsw_regime_name(enum hnsw_regime r);

struct hnsw_query {
    const float *vector;
    size_t k;
    uint32_t ef;   /* 0 = by recall, else the pinned default; raised to k */
    double recall; /* > 0 and ef 0: the cheapest calibrated point that promises it (hnsw/tune.h) */
    uint32_t patience; /* > 0: stop after so many hops that did not improve the k best */
    const struct hnsw_filter *filter; /* NULL = all */
    enum hnsw_regime regime;          /* HNSW_AUTO, or forced (labs, tests) */
    seam_lsn_t as_of;                 /* 0 or SEAM_LSN_MAX = the handle's own moment */
    bool no_rerank;                   /* quantized: return code distances */
};

struct hnsw_hit {
    uint64_t key;
    float distance;
    uint32_t node; /* internal number, stable until maintain; for labs */
};

struct hnsw_stats {      /* of one search */
    uint32_t hops;       /* nodes whose list was read */
    uint32_t distances;  /* distances computed while walking */
    uint32_t reranked;   /* exact distances computed afterwards */
    uint32_t candidates; /* entries that entered the pool */
    uint32_t ef;         /* used */
    enum hnsw_regime regime;
    double selectivity; /* estimated share of matching nodes; 1 without a filter */
};

/* The k nearest, nearest first, into hits (room for q->k); *count is less than k only when fewer than k
 * live nodes match. stats may be NULL.                                                             */
SEAM_MUST_USE enum seam_status hnsw_search(const struct hnsw *h, const struct hnsw_query *q,
                                           struct hnsw_hit *hits, size_t *count,
                                           struct hnsw_stats *stats, struct seam_fault *f);
/* Exact answer by measuring every live (matching) node; k, vector, filter, as_of are read.         */
SEAM_MUST_USE enum seam_status hnsw_exact(const struct hnsw *h, const struct hnsw_query *q,
                                          struct hnsw_hit *hits, size_t *count,
                                          struct seam_fault *f);
/* Many queries of one kind, over threads. */
struct hnsw_batch {
    const float *vectors; /* n rows of h's dim */
    size_t n;
    const struct hnsw_query *query; /* its vector is ignored */
    int threads;                    /* <= 0 = all processors */
    struct hnsw_hit *hits;          /* out: n x query->k rows */
    size_t *counts;                 /* out: n */
};

SEAM_MUST_USE enum seam_status hnsw_search_batch(const struct hnsw *h, const struct hnsw_batch *b,
                                                 struct seam_fault *f);
/* Exact, likewise: ground truth.                                                                   */
SEAM_MUST_USE enum seam_status hnsw_exact_batch(const struct hnsw *h, const struct hnsw_batch *b,
                                                struct seam_fault *f);
/* What lies within a radius. */
struct hnsw_within {
    float radius;
    struct hnsw_hit *hits; /* out: room for max, nearest first */
    size_t max;
    size_t *count;            /* out */
    struct hnsw_stats *stats; /* out; may be NULL */
};

/* All nodes within w->radius that the walk finds, at most w->max. q->ef bounds the walk.               */
SEAM_MUST_USE enum seam_status hnsw_range(const struct hnsw *h, const struct hnsw_query *q,
                                          const struct hnsw_within *w, struct seam_fault *f);

/* Pages without restart: each next() gives the following k hits, nearest first within the page, never a
 * key twice; SEAM_END when every reachable match has been given. The handle must not be refreshed or
 * maintained meanwhile.                                                                            */
struct hnsw_iter;
SEAM_MUST_USE enum seam_status hnsw_iter_open(const struct hnsw *h, const struct hnsw_query *q,
                                              struct hnsw_iter **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status hnsw_iter_next(struct hnsw_iter *it, struct hnsw_hit *hits, size_t k,
                                              size_t *count, struct seam_fault *f);
void hnsw_iter_close(struct hnsw_iter *it);

/* The vector stored under a key at the handle's moment, as given (cosine: normalised).             */
SEAM_MUST_USE enum seam_status hnsw_get(const struct hnsw *h, uint64_t key, float *vector,
                                        struct seam_fault *f);
/* What hnsw_get would give, bit for bit, had this vector been stored: for comparing a store with its source.
 * SEAM_INVALID as hnsw_upsert.                                                                        */
SEAM_MUST_USE enum seam_status hnsw_as_stored(const struct hnsw *h, const float *vector, float *out,
                                              struct seam_fault *f);
/* Calls fn for every node alive at the handle's moment, in node order, until it returns false: what
 * reconciliation compares with the source. `birth` is the LSN of the vector.                       */
enum seam_status
hnsw_each(const struct hnsw *h,
          bool (*fn)(void *ctx, uint64_t key, seam_lsn_t birth, const float *vector), void *ctx);

/* ---- health, verify, dump ---- */
enum { HNSW_DEGREE_BINS = 2 * HNSW_M_MAX + 1 };
struct hnsw_health {
    uint64_t live, dead;
    uint64_t reachable;                   /* live nodes reachable from the entry point */
    uint64_t no_in_links;                 /* live nodes no list names */
    uint64_t degree[HNSW_DEGREE_BINS];    /* live nodes by out-degree at level 0 */
    uint64_t in_degree[HNSW_DEGREE_BINS]; /* by in-degree; the last bin is "that or more" */
    uint64_t level[HNSW_LEVEL_MAX + 1];   /* nodes by their top level */
};
SEAM_MUST_USE enum seam_status hnsw_health(const struct hnsw *h, struct hnsw_health *out,
                                           struct seam_fault *f);

struct hnsw_verify_report {
    uint64_t files, bytes, nodes, links, batches,
        tail_bytes; /* tail: an append that never finished */
    struct hnsw_health health;
};
/* Every checksum and every invariant of what is published in DIR. SEAM_CORRUPT with file and offset. */
SEAM_MUST_USE enum seam_status hnsw_verify(struct seam_io *io, const char *dir,
                                           struct hnsw_verify_report *r, struct seam_fault *f);
/* Explains a base, journal or manifest file as text; `verbose` also lists nodes and links.         */
SEAM_MUST_USE enum seam_status hnsw_dump(struct seam_io *io, const char *path, bool verbose,
                                         struct seam_buf *out, struct seam_fault *f);

/* ---- the pinned operating point ---- */
/* What tune found: recall promised by an ef at a k. Kept in the manifest, so a reader's `recall` finds
 * its ef and patience: of the points that promise it, the one with the least p50.                  */
enum { HNSW_POINTS_MAX = 64 };
struct hnsw_point {
    uint32_t k, ef;
    double recall_mean, recall_low, p50_us,
        p99_us;        /* low: the 95 % lower confidence bound of the mean */
    uint32_t patience; /* 0 = none; see struct hnsw_query */
};
SEAM_MUST_USE enum seam_status hnsw_pin(struct hnsw *h, const struct hnsw_point *points, size_t n,
                                        double default_recall, struct seam_fault *f);
size_t hnsw_points(const struct hnsw *h, struct hnsw_point out[HNSW_POINTS_MAX]);

#ifdef __cplusplus
}
#endif

#endif
