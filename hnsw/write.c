/* write - upserts, deletes and bulk loads: what changes the graph in memory (store.c makes it durable). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/thread.h"
#include "engine/base/walk.h"
#include "hnsw/health.h"

enum { TRAIN_FIRST = 256, RETRAIN_GROWTH = 16, RETRAIN_ENOUGH = 16384, ORDER_DIM_MIN = 128 };

static enum seam_status writer_check(const struct hnsw *h, struct seam_fault *f)
{
    if (!h->writer)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "the index was opened for reading");
    if (h->poison != SEAM_OK)
        return seam_fault_set(f, h->poison, NULL, SEAM_FAULT_NO_OFFSET,
                              "an earlier publish failed; close the index and open it again");
    return SEAM_OK;
}

static enum seam_status note_death(struct hnsw *h, uint32_t node, seam_lsn_t lsn,
                                   struct seam_fault *f)
{
    assert(node < h->count);
    assert(h->death_count <= h->death_cap);
    if (h->death_count == h->death_cap) {
        size_t cap = h->death_cap == 0 ? 64 : h->death_cap * 2;
        uint32_t *d = realloc(h->deaths, cap * sizeof *d);

        if (d == NULL) return seam_no_memory(f, "a deletion");
        h->deaths = d;
        h->death_cap = cap;
    }
    h->deaths[h->death_count++] = node;
    hnsw_graph_kill(h, node, lsn);
    return SEAM_OK;
}

/* Codes need a sample to be trained on: the first 256 vectors, and again when sixteen times as many are
 * there. Bytes that turn out not to be bytes end lossless codes.                                     */
static bool wants_training(const struct hnsw *h)
{
    assert(h->o.quant == HNSW_F32 || h->o.quant == HNSW_I8);
    if (h->o.quant != HNSW_I8) return false;
    if (!h->quant.trained) return h->count >= TRAIN_FIRST;
    return !h->quant.lossless && h->quant.trained_on < RETRAIN_ENOUGH &&
           h->count >= h->quant.trained_on * RETRAIN_GROWTH;
}

static enum seam_status train_if_due(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st;

    if (!wants_training(h)) return SEAM_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = hnsw_quant_requantize(h, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static enum seam_status keep_lossless(struct hnsw *h, const float *vec, struct seam_fault *f)
{
    enum seam_status st;
    assert(vec != NULL);

    if (!h->quant.lossless || hnsw_quant_is_bytes(vec, h->o.dim)) return SEAM_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = hnsw_quant_unlossless(h, f);
    h->requantized = true;
    pthread_rwlock_unlock(&h->gate);
    return st;
}

/* One more node: a new block at a time while small, an eighth more when large.                       */
static enum seam_status room_for(struct hnsw *h, uint64_t more, unsigned levels,
                                 struct seam_fault *f)
{
    uint64_t nodes = (uint64_t)h->count + more, upper = (uint64_t)h->upper_count + levels;
    uint64_t spare = more == 1 ? h->count / 8 : 0, spare_upper = spare / h->o.m;
    assert(more > 0);
    assert(h->o.m >= HNSW_M_MIN);

    if (nodes <= h->nodes.count * BLOCK_NODES && upper <= h->upper.count * BLOCK_NODES &&
        nodes <= h->dirty_cap)
        return SEAM_OK;
    if (nodes + spare > HNSW_NODES_MAX) spare = 0;
    return hnsw_graph_reserve(h, nodes + spare, upper + spare_upper + 1, f);
}

static enum seam_status link_new(struct hnsw *h, uint32_t node, struct seam_fault *f)
{
    struct hnsw_scratch *s;
    enum seam_status st;
    assert(node < count_load(h));

    pthread_rwlock_rdlock(&h->gate);
    s = hnsw_scratch_get(h);
    st = s == NULL ? seam_no_memory(f, "the insert") : hnsw_link_node(h, node, s, f);
    hnsw_scratch_put(h, s);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static float *prepared(const struct hnsw *h, const float *vector, struct seam_fault *f,
                       enum seam_status *st)
{
    float *vec = malloc(h->floats * sizeof *vec);
    assert(vector != NULL);

    if (vec == NULL)
        *st = seam_no_memory(f, "a vector");
    else
        *st = hnsw_vector_prepare(h, vector, vec, f);
    if (*st != SEAM_OK) {
        free(vec);
        return NULL;
    }
    return vec;
}

enum seam_status hnsw_upsert(struct hnsw *h, uint64_t key, const float *vector, seam_lsn_t lsn,
                             struct seam_fault *f)
{
    enum seam_status st = writer_check(h, f);
    unsigned level;
    uint32_t node, old;
    float *vec;

    if (st != SEAM_OK || lsn <= h->applied_lsn) return st;
    if (lsn >= SEAM_LSN_MAX - 1)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "no LSN is that high");
    vec = prepared(h, vector, f, &st);
    if (vec == NULL) return st;
    assert(lsn > h->applied_lsn);
    level = hnsw_graph_level(h, key, lsn);
    st = keep_lossless(h, vec, f);
    if (st == SEAM_OK) st = room_for(h, 1, level, f);
    if (st == SEAM_OK) st = hnsw_keymap_reserve(h, 1, f);
    if (st == SEAM_OK) {
        node = hnsw_graph_append(h, key, lsn, level, vec);
        st = link_new(h, node, f);
    }
    free(vec);
    if (st != SEAM_OK) return st;
    old = hnsw_keymap_find(h, key);
    if (old != LINK_NONE) st = note_death(h, old, lsn, f);
    SEAM_WALK(hnsw_keymap_find(h, key) == old);
    hnsw_keymap_put(h, key, node);
    return st == SEAM_OK ? train_if_due(h, f) : st;
}

enum seam_status hnsw_delete(struct hnsw *h, uint64_t key, seam_lsn_t lsn, struct seam_fault *f)
{
    enum seam_status st = writer_check(h, f);
    uint32_t node;

    if (st != SEAM_OK || lsn <= h->applied_lsn) return st;
    node = hnsw_keymap_find(h, key);
    if (node == LINK_NONE)
        return seam_fault_set(f, SEAM_NOT_FOUND, NULL, SEAM_FAULT_NO_OFFSET,
                              "key %llu has no vector", (unsigned long long)key);
    assert(node < h->count);
    hnsw_keymap_remove(h, key);
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
    struct seam_fault *f;
};

static void tell(struct load *l, size_t more)
{
    enum { EVERY_NS = 500000000 };
    uint64_t now;
    assert(l->o != NULL);

    if (l->o->progress == NULL) return;
    pthread_mutex_lock(&l->lock);
    l->done += more;
    assert(l->done <= l->total);
    now = seam_clock_mono_ns(l->h->cfg.clock);
    if (now - l->told_ns >= EVERY_NS || l->done == l->total) {
        struct hnsw_progress p = {
            .done = l->done, .total = l->total, .seconds = (double)(now - l->start_ns) / 1e9};

        p.eta_seconds = p.seconds / (double)l->done * (double)(l->total - l->done);
        l->told_ns = now;
        l->o->progress(l->o->ctx, &p);
    }
    pthread_mutex_unlock(&l->lock);
}

static enum seam_status load_run(void *ctx, size_t begin, size_t end, int thread)
{
    struct load *l = ctx;
    enum seam_status st = SEAM_OK;
    assert(begin <= end);
    assert(l->first + end <= count_load(l->h));

    (void)thread;
    for (size_t i = begin; i < end && st == SEAM_OK; i++)
        st = link_new(l->h, l->first + (uint32_t)i, NULL);
    tell(l, end - begin);
    return st;
}

static uint64_t key_of(const struct hnsw_rows *rows, size_t i)
{
    assert(i < rows->n);
    return rows->keys != NULL ? rows->keys[i] : rows->first_key + i;
}

/* Appends the nodes without links. On a bad vector, those before it stay and the fault says which.    */
static enum seam_status load_append(struct hnsw *h, const struct hnsw_rows *rows, seam_lsn_t lsn,
                                    struct seam_fault *f)
{
    float *vec = malloc(h->floats * sizeof *vec);
    enum seam_status st = SEAM_OK;
    struct seam_fault why = {0};
    assert(rows->vectors != NULL);

    if (vec == NULL) return seam_no_memory(f, "a vector");
    for (size_t i = 0; i < rows->n && st == SEAM_OK; i++) {
        uint64_t key = key_of(rows, i);

        st = hnsw_vector_prepare(h, rows->vectors + i * h->o.dim, vec, &why);
        if (st == SEAM_OK) st = keep_lossless(h, vec, &why);
        if (st == SEAM_OK)
            hnsw_graph_append(h, key, lsn, hnsw_graph_level(h, key, lsn), vec);
        else
            seam_fault_set(f, st, NULL, i, "vector %zu: %s", i, why.why);
    }
    free(vec);
    return st;
}

/* Trains on the rows before they are appended, so that lossless data never needs its floats.          */
static enum seam_status load_train(struct hnsw *h, const float *vectors, size_t n,
                                   struct seam_fault *f)
{
    size_t step = n / RETRAIN_ENOUGH + 1, rows = 0;
    enum seam_status st = SEAM_OK;
    bool bytes = h->o.metric == HNSW_L2;
    float *sample;
    assert(n > 0);

    if (h->o.quant != HNSW_I8 || h->count > 0 || n < TRAIN_FIRST) return SEAM_OK;
    for (size_t i = 0; i < n && bytes; i++)
        bytes = hnsw_quant_is_bytes(vectors + i * h->o.dim, h->o.dim);
    sample = malloc((n / step + 1) * h->floats * sizeof *sample);
    if (sample == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory to train codes");
    for (size_t i = 0; i < n; i += step) /* a bad vector is reported when its turn comes */
        if (hnsw_vector_prepare(h, vectors + i * h->o.dim, sample + rows * h->floats, NULL) ==
            SEAM_OK)
            rows++;
    assert(rows <= n / step + 1);
    if (rows > 0) st = hnsw_quant_train(h, sample, rows, h->floats, f);
    free(sample);
    if (rows > 0 && st == SEAM_OK) {
        h->quant.trained_on = n;
        h->quant.lossless = bytes;
        h->requantized = true;
    }
    return st;
}

/* Long float rows under L2 are stored in an order that ends distances early (distance.h).             */
static enum seam_status load_order(struct hnsw *h, const float *vectors, size_t n,
                                   struct seam_fault *f)
{
    assert(n > 0);
    if (h->o.metric != HNSW_L2 || h->o.quant != HNSW_F32 || h->o.dim < ORDER_DIM_MIN ||
        h->count > 0 || n < TRAIN_FIRST)
        return SEAM_OK;
    return hnsw_order_train(h, vectors, n, f);
}

static enum seam_status load_kill_replaced(struct hnsw *h, uint32_t first, seam_lsn_t lsn,
                                           struct seam_fault *f)
{
    enum seam_status st = hnsw_keymap_reserve(h, h->count - first, f);
    assert(first <= h->count);

    for (uint32_t i = first; i < h->count && st == SEAM_OK; i++) {
        uint64_t key = node_at(h, i)->key;
        uint32_t old = hnsw_keymap_find(h, key);

        if (old != LINK_NONE) st = note_death(h, old, lsn, f);
        hnsw_keymap_put(h, key, i);
    }
    return st;
}

static uint64_t upper_needed(const struct hnsw *h, const struct hnsw_rows *rows, seam_lsn_t lsn)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < rows->n; i++) sum += hnsw_graph_level(h, key_of(rows, i), lsn);
    return sum;
}

static enum seam_status link_all(struct hnsw *h, uint32_t first, const struct hnsw_load_options *o,
                                 struct seam_fault *f)
{
    struct load l = {.h = h, .o = o, .first = first, .total = h->count - first, .f = f};
    int threads = o->threads;
    enum seam_status st;
    assert(first <= h->count);
    assert(o != NULL);

    pthread_mutex_init(&l.lock, NULL);
    l.start_ns = l.told_ns = seam_clock_mono_ns(h->cfg.clock);
    st = seam_parallel_for(threads, l.total, 16, load_run, &l);
    pthread_mutex_destroy(&l.lock);
    if (st != SEAM_OK)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "the load stopped: %s",
                       seam_status_name(st));
    return st;
}

/* Temporary codes for building a float graph: made of all nodes, dropped afterwards.                 */
static enum seam_status codes_begin(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st;
    assert(h->o.quant == HNSW_F32);
    assert(!h->build_codes);

    pthread_rwlock_wrlock(&h->gate);
    st = hnsw_quant_requantize(h, f);
    h->requantized = false;
    h->build_codes = st == SEAM_OK;
    pthread_rwlock_unlock(&h->gate);
    return st;
}

static void codes_end(struct hnsw *h)
{
    assert(h->o.quant == HNSW_F32);
    pthread_rwlock_wrlock(&h->gate);
    hnsw_blocks_free(&h->codes);
    h->codes.stride = 0;
    h->quant.trained = false;
    h->build_codes = false;
    pthread_rwlock_unlock(&h->gate);
}

/* A build leaves a few nodes that no list names any more; a load that made most of the graph finds them a
 * link at once.                                                                                     */
static enum seam_status load_adopt(struct hnsw *h, uint32_t first, struct seam_fault *f)
{
    uint64_t orphans = 0;
    enum seam_status st;
    assert(first <= h->count);

    if (h->count - first < h->count / 4) return SEAM_OK;
    pthread_rwlock_wrlock(&h->gate);
    st = hnsw_adopt_orphans(h, &orphans, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}

enum seam_status hnsw_load(struct hnsw *h, const struct hnsw_rows *rows, seam_lsn_t lsn,
                           const struct hnsw_load_options *o, struct seam_fault *f)
{
    const size_t n = rows->n;
    struct hnsw_load_options defaults = {.threads = 1};
    enum seam_status st = writer_check(h, f), bad;
    bool codes;
    uint32_t first = h->count;
    assert(rows->vectors != NULL || n == 0);

    if (o == NULL) o = &defaults;
    if (st != SEAM_OK || lsn <= h->applied_lsn || n == 0) return st;
    if (lsn >= SEAM_LSN_MAX - 1)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "no LSN is that high");
    if (n > HNSW_NODES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET, "%zu vectors at once", n);
    st = load_train(h, rows->vectors, n, f);
    if (st == SEAM_OK) st = load_order(h, rows->vectors, n, f);
    if (st == SEAM_OK)
        st = hnsw_graph_reserve(h, (uint64_t)first + n, h->upper_count + upper_needed(h, rows, lsn),
                                f);
    if (st != SEAM_OK) return st;
    bad = load_append(h, rows, lsn, f);
    codes = o->codes && h->o.quant == HNSW_F32 && h->count - first >= TRAIN_FIRST;
    assert(h->count - first <= n);
    assert(bad != SEAM_OK || h->count - first == n);
    st = codes ? codes_begin(h, f) : train_if_due(h, f);
    if (st == SEAM_OK) st = link_all(h, first, o, f);
    if (st == SEAM_OK) st = load_adopt(h, first, f);
    if (codes) codes_end(h);
    if (st == SEAM_OK) st = load_kill_replaced(h, first, lsn, f);
    return st == SEAM_OK ? bad : st;
}
