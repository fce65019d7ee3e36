/* scratch - the memory one search needs, kept by the handle between searches (graph.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/walk.h"
#include "hnsw/graph.h"

static void scratch_free(struct hnsw_scratch *s)
{
    if (s == NULL) return;
    free(s->visited);
    free(s->pool);
    free(s->heap);
    free(s->vec);
    free(s->code);
    free(s->code2);
    free(s->sorted);
    free(s);
}

void hnsw_scratch_free_all(struct hnsw *h)
{
    while (h->scratch != NULL) {
        struct hnsw_scratch *s = h->scratch;

        h->scratch = s->next;
        scratch_free(s);
    }
}

static void *aligned(size_t n)
{
    void *p = aligned_alloc(64, (n + 63) / 64 * 64);
    assert(n > 0);

    if (p != NULL) memset(p, 0, n);
    assert(((uintptr_t)p & 63) == 0);
    return p;
}

static struct hnsw_scratch *scratch_new(const struct hnsw *h)
{
    struct hnsw_scratch *s = calloc(1, sizeof *s);
    size_t code = code_stride(h->o.dim);

    if (s == NULL) return NULL;
    s->vec = aligned(h->floats * sizeof *s->vec);
    s->code = aligned(code);
    s->code2 = aligned(code);
    if (s->vec == NULL || s->code == NULL || s->code2 == NULL) {
        scratch_free(s);
        return NULL;
    }
    assert(s->pool == NULL && s->heap == NULL);
    return s;
}

struct hnsw_scratch *hnsw_scratch_get(const struct hnsw *handle)
{
    struct hnsw *h =
        (struct hnsw *)(uintptr_t)handle; /* the list is guarded, not part of the index */
    struct hnsw_scratch *s;
    size_t words;

    pthread_mutex_lock(&h->scratch_lock);
    s = h->scratch;
    if (s != NULL) h->scratch = s->next;
    pthread_mutex_unlock(&h->scratch_lock);
    if (s == NULL && (s = scratch_new(h)) == NULL) return NULL;
    words = seam_bitset_words(h->nodes.count * BLOCK_NODES) + 1;
    if (words > s->visited_words) {
        free(s->visited);
        s->visited = calloc(words, sizeof *s->visited);
        s->visited_words = s->visited == NULL ? 0 : words;
        if (s->visited == NULL) {
            scratch_free(s);
            return NULL;
        }
    }
    s->stats = (struct hnsw_stats){0};
    assert(s->visited_words >= words);
    s->heap_count = 0;
    return s;
}

void hnsw_scratch_put(const struct hnsw *handle, struct hnsw_scratch *s)
{
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;

    if (s == NULL) return;
    assert(s->vec != NULL);
    pthread_mutex_lock(&h->scratch_lock);
    s->next = h->scratch;
    h->scratch = s;
    pthread_mutex_unlock(&h->scratch_lock);
}

static bool grow(cand_t **p, size_t *cap, size_t n)
{
    cand_t *q;
    assert(*cap == 0 || *p != NULL);

    if (n <= *cap) return true;
    if (n < *cap * 2) n = *cap * 2;
    q = realloc(*p, n * sizeof *q);
    if (q == NULL) return false;
    *p = q;
    assert(n > *cap);
    *cap = n;
    return true;
}

bool hnsw_scratch_pool(struct hnsw_scratch *s, size_t n)
{
    return grow(&s->pool, &s->pool_cap, n);
}
bool hnsw_scratch_sorted(struct hnsw_scratch *s, size_t n)
{
    return grow(&s->sorted, &s->sorted_cap, n);
}

bool hnsw_heap_push(struct hnsw_scratch *s, cand_t c)
{
    size_t i = s->heap_count;
    SEAM_WALK(i <= s->heap_cap);

    if (!grow(&s->heap, &s->heap_cap, i + 1)) return false;
    s->heap_count++;
    while (i > 0 && s->heap[(i - 1) / 2] > c) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = c;
    return true;
}

cand_t hnsw_heap_pop(struct hnsw_scratch *s)
{
    cand_t top = s->heap[0], last = s->heap[--s->heap_count];
    size_t i = 0, n = s->heap_count;
    SEAM_WALK(n < s->heap_cap);

    while (2 * i + 1 < n) {
        size_t child = 2 * i + 1;

        if (child + 1 < n && s->heap[child + 1] < s->heap[child]) child++;
        if (s->heap[child] >= last) break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}
