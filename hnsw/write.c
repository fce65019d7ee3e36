/* write - upserts, deletes and bulk loads: what changes the graph in memory (store.c makes it durable). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/thread.h"
#include "hnsw/health.h"

enum { TRAIN_FIRST = 256, RETRAIN_GROWTH = 16, RETRAIN_ENOUGH = 16384, ORDER_DIM_MIN = 128 };

static enum status writer_check(const struct hnsw *h, struct fault *f)
{
    if (!h->writer)
        return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "the index was opened for reading");
    if (h->poison != ST_OK)
        return fault_set(f, h->poison, NULL, FAULT_NO_OFFSET,
                         "an earlier publish failed; close the index and open it again");
    return ST_OK;
}

static enum status note_death(struct hnsw *h, uint32_t node, lsn_t lsn, struct fault *f)
{
    if (h->death_count == h->death_cap) {
        size_t cap = h->death_cap == 0 ? 64 : h->death_cap * 2;
        uint32_t *d = realloc(h->deaths, cap * sizeof *d);

        if (d == NULL) return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for a deletion");
        h->deaths = d;
        h->death_cap = cap;
    }
    h->deaths[h->death_count++] = node;
    graph_kill(h, node, lsn);
    return ST_OK;
}

/* Codes need a sample to be trained on: the first 256 vectors, and again when sixteen times as many are
 * there. Bytes that turn out not to be bytes end lossless codes.                                     */
static bool wants_training(const struct hnsw *h)
{
    if (h->o.quant != HNSW_I8) return false;
    if (!h->quant.trained) return h->count >= TRAIN_FIRST;
    return !h->quant.lossless && h->quant.trained_on < RETRAIN_ENOUGH &&
           h->count >= h->quant.trained_on * RETRAIN_GROWTH;
}

static enum status train_if_due(struct hnsw *h, struct fault *f)
{
    enum status st;

    if (!wants_training(h)) return ST_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = quant_requantize(h, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static enum status keep_lossless(struct hnsw *h, const float *vec, struct fault *f)
{
    enum status st;

    if (!h->quant.lossless || quant_is_bytes(vec, h->o.dim)) return ST_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = quant_unlossless(h, f);
    h->requantized = true;
    pthread_rwlock_unlock(&h->gate);
    return st;
}

/* One more node: a new block at a time while small, an eighth more when large.                       */
static enum status room_for(struct hnsw *h, uint64_t more, unsigned levels, struct fault *f)
{
    uint64_t nodes = (uint64_t)h->count + more, upper = (uint64_t)h->upper_count + levels;
    uint64_t spare = more == 1 ? h->count / 8 : 0, spare_upper = spare / h->o.m;

    if (nodes <= h->nodes.count * BLOCK_NODES && upper <= h->upper.count * BLOCK_NODES &&
        nodes <= h->dirty_cap)
        return ST_OK;
    if (nodes + spare > HNSW_NODES_MAX) spare = 0;
    return graph_reserve(h, nodes + spare, upper + spare_upper + 1, f);
}

static enum status link_new(struct hnsw *h, uint32_t node, struct fault *f)
{
    struct scratch *s;
    enum status st;

    pthread_rwlock_rdlock(&h->gate);
    s = scratch_get(h);
    st = s == NULL ? fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for the insert")
                   : link_node(h, node, s, f);
    scratch_put(h, s);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static float *prepared(const struct hnsw *h, const float *vector, struct fault *f, enum status *st)
{
    float *vec = malloc(h->floats * sizeof *vec);

    if (vec == NULL) *st = fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for a vector");
    else *st = vector_prepare(h, vector, vec, f);
    if (*st != ST_OK) {
        free(vec);
        return NULL;
    }
    return vec;
}

enum status hnsw_upsert(struct hnsw *h, uint64_t key, const float *vector, lsn_t lsn, struct fault *f)
{
    enum status st = writer_check(h, f);
    unsigned level;
    uint32_t node, old;
    float *vec;

    if (st != ST_OK || lsn <= h->applied_lsn) return st;
    if (lsn >= LSN_MAX - 1) return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "no LSN is that high");
    vec = prepared(h, vector, f, &st);
    if (vec == NULL) return st;
    level = graph_level(h, key, lsn);
    st = keep_lossless(h, vec, f);
    if (st == ST_OK) st = room_for(h, 1, level, f);
    if (st == ST_OK) st = keymap_reserve(h, 1, f);
    if (st == ST_OK) {
        node = graph_append(h, key, lsn, level, vec);
        st = link_new(h, node, f);
    }
    free(vec);
    if (st != ST_OK) return st;
    old = keymap_find(h, key);
    if (old != LINK_NONE) st = note_death(h, old, lsn, f);
    keymap_put(h, key, node);
    return st == ST_OK ? train_if_due(h, f) : st;
}

enum status hnsw_delete(struct hnsw *h, uint64_t key, lsn_t lsn, struct fault *f)
{
    enum status st = writer_check(h, f);
    uint32_t node;

    if (st != ST_OK || lsn <= h->applied_lsn) return st;
    node = keymap_find(h, key);
    if (node == LINK_NONE)
        return fault_set(f, ST_NOT_FOUND, NULL, FAULT_NO_OFFSET, "key %llu has no vector",
                         (unsigned long long)key);
    keymap_remove(h, key);
    return note_death(h, node, lsn, f);
}

/* ---- bulk ---- */
struct load {
    struct hnsw *h;
    const struct hnsw_load_options *o;
    uint32_t first;
    size_t total, done;
    uint64_t start_ns, told_ns;
    pthread_mutex_t lock;
    struct fault *f;
};

static void tell(struct load *l, size_t more)
{
    enum { EVERY_NS = 500000000 };
    uint64_t now;

    if (l->o->progress == NULL) return;
    pthread_mutex_lock(&l->lock);
    l->done += more;
    now = clock_mono_ns(l->h->cfg.clock);
    if (now - l->told_ns >= EVERY_NS || l->done == l->total) {
        struct hnsw_progress p = {.done = l->done, .total = l->total,
                                  .seconds = (double)(now - l->start_ns) / 1e9};

        p.eta_seconds = p.seconds / (double)l->done * (double)(l->total - l->done);
        l->told_ns = now;
        l->o->progress(l->o->ctx, &p);
    }
    pthread_mutex_unlock(&l->lock);
}

static enum status load_run(void *ctx, size_t begin, size_t end, int thread)
{
    struct load *l = ctx;
    enum status st = ST_OK;

    (void)thread;
    for (size_t i = begin; i < end && st == ST_OK; i++) st = link_new(l->h, l->first + (uint32_t)i, NULL);
    tell(l, end - begin);
    return st;
}

/* Appends the nodes without links. On a bad vector, those before it stay and the fault says which.    */
static enum status load_append(struct hnsw *h, const uint64_t *keys, uint64_t first_key,
                               const float *vectors, size_t n, lsn_t lsn, struct fault *f)
{
    float *vec = malloc(h->floats * sizeof *vec);
    enum status st = ST_OK;
    struct fault why = {0};

    if (vec == NULL) return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory for a vector");
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        uint64_t key = keys != NULL ? keys[i] : first_key + i;

        st = vector_prepare(h, vectors + i * h->o.dim, vec, &why);
        if (st == ST_OK) st = keep_lossless(h, vec, &why);
        if (st == ST_OK) graph_append(h, key, lsn, graph_level(h, key, lsn), vec);
        else fault_set(f, st, NULL, i, "vector %zu: %s", i, why.why);
    }
    free(vec);
    return st;
}

/* Trains on the rows before they are appended, so that lossless data never needs its floats.          */
static enum status load_train(struct hnsw *h, const float *vectors, size_t n, struct fault *f)
{
    size_t step = n / RETRAIN_ENOUGH + 1, rows = 0;
    enum status st = ST_OK;
    bool bytes = h->o.metric == HNSW_L2;
    float *sample;

    if (h->o.quant != HNSW_I8 || h->count > 0 || n < TRAIN_FIRST) return ST_OK;
    for (size_t i = 0; i < n && bytes; i++) bytes = quant_is_bytes(vectors + i * h->o.dim, h->o.dim);
    sample = malloc((n / step + 1) * h->floats * sizeof *sample);
    if (sample == NULL) return fault_set(f, ST_NOMEM, NULL, FAULT_NO_OFFSET, "no memory to train codes");
    for (size_t i = 0; i < n; i += step) /* a bad vector is reported when its turn comes */
        if (vector_prepare(h, vectors + i * h->o.dim, sample + rows * h->floats, NULL) == ST_OK) rows++;
    if (rows > 0) st = quant_train(h, sample, rows, h->floats, f);
    free(sample);
    if (rows > 0 && st == ST_OK) {
        h->quant.trained_on = n;
        h->quant.lossless = bytes;
        h->requantized = true;
    }
    return st;
}

/* Long float rows under L2 are stored in an order that ends distances early (distance.h).             */
static enum status load_order(struct hnsw *h, const float *vectors, size_t n, struct fault *f)
{
    if (h->o.metric != HNSW_L2 || h->o.quant != HNSW_F32 || h->o.dim < ORDER_DIM_MIN || h->count > 0 ||
        n < TRAIN_FIRST)
        return ST_OK;
    return order_train(h, vectors, n, f);
}

static enum status load_kill_replaced(struct hnsw *h, uint32_t first, lsn_t lsn, struct fault *f)
{
    enum status st = keymap_reserve(h, h->count - first, f);

    for (uint32_t i = first; i < h->count && st == ST_OK; i++) {
        uint64_t key = node_at(h, i)->key;
        uint32_t old = keymap_find(h, key);

        if (old != LINK_NONE) st = note_death(h, old, lsn, f);
        keymap_put(h, key, i);
    }
    return st;
}

static uint64_t upper_needed(const struct hnsw *h, const uint64_t *keys, uint64_t first_key, size_t n,
                             lsn_t lsn)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) sum += graph_level(h, keys != NULL ? keys[i] : first_key + i, lsn);
    return sum;
}

static enum status link_all(struct hnsw *h, uint32_t first, const struct hnsw_load_options *o,
                            struct fault *f)
{
    struct load l = {.h = h, .o = o, .first = first, .total = h->count - first, .f = f};
    int threads = o->threads;
    enum status st;

    pthread_mutex_init(&l.lock, NULL);
    l.start_ns = l.told_ns = clock_mono_ns(h->cfg.clock);
    st = parallel_for(threads, l.total, 16, load_run, &l);
    pthread_mutex_destroy(&l.lock);
    if (st != ST_OK) fault_set(f, st, NULL, FAULT_NO_OFFSET, "the load stopped: %s", status_name(st));
    return st;
}

/* Temporary codes for building a float graph: made of all nodes, dropped afterwards.                 */
static enum status codes_begin(struct hnsw *h, struct fault *f)
{
    enum status st;

    pthread_rwlock_wrlock(&h->gate);
    st = quant_requantize(h, f);
    h->requantized = false;
    h->build_codes = st == ST_OK;
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static void codes_end(struct hnsw *h)
{
    pthread_rwlock_wrlock(&h->gate);
    blocks_free(&h->codes);
    h->codes.stride = 0;
    h->quant.trained = false;
    h->build_codes = false;
    pthread_rwlock_unlock(&h->gate);
}

/* A build leaves a few nodes that no list names any more; a load that made most of the graph finds them a
 * link at once.                                                                                     */
static enum status load_adopt(struct hnsw *h, uint32_t first, struct fault *f)
{
    uint64_t orphans = 0;
    enum status st;

    if (h->count - first < h->count / 4) return ST_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = adopt_orphans(h, &orphans, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

enum status hnsw_load(struct hnsw *h, const uint64_t *keys, uint64_t first_key, const float *vectors,
                      size_t n, lsn_t lsn, const struct hnsw_load_options *o, struct fault *f)
{
    struct hnsw_load_options defaults = {.threads = 1};
    enum status st = writer_check(h, f), bad;
    bool codes;
    uint32_t first = h->count;

    if (o == NULL) o = &defaults;
    if (st != ST_OK || lsn <= h->applied_lsn || n == 0) return st;
    if (lsn >= LSN_MAX - 1) return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "no LSN is that high");
    if (n > HNSW_NODES_MAX) return fault_set(f, ST_LIMIT, NULL, FAULT_NO_OFFSET, "%zu vectors at once", n);
    st = load_train(h, vectors, n, f);
    if (st == ST_OK) st = load_order(h, vectors, n, f);
    if (st == ST_OK)
        st = graph_reserve(h, (uint64_t)first + n,
                           h->upper_count + upper_needed(h, keys, first_key, n, lsn), f);
    if (st != ST_OK) return st;
    bad = load_append(h, keys, first_key, vectors, n, lsn, f);
    codes = o->codes && h->o.quant == HNSW_F32 && h->count - first >= TRAIN_FIRST;
    st = codes ? codes_begin(h, f) : train_if_due(h, f);
    if (st == ST_OK) st = link_all(h, first, o, f);
    if (st == ST_OK) st = load_adopt(h, first, f);
    if (codes) codes_end(h);
    if (st == ST_OK) st = load_kill_replaced(h, first, lsn, f);
    return st == ST_OK ? bad : st;
}
