/* health - who is reached from where, counted. */
#include "hnsw/health.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bitset.h"
#include "engine/base/walk.h"

enum seam_status hnsw_health_reach(const struct hnsw *h, uint64_t *reached, struct seam_fault *f)
{
    uint32_t *stack = malloc((h->count + 1ul) * sizeof *stack), depth = 0;
    assert(h->entry == ENTRY_NONE || (uint32_t)h->entry < h->count);

    if (stack == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory to walk the graph");
    memset(reached, 0, seam_bitset_words(h->count + 1ul) * sizeof *reached);
    if (h->entry != ENTRY_NONE) {
        seam_bitset_set(reached, (uint32_t)h->entry);
        stack[depth++] = (uint32_t)h->entry;
    }
    while (depth > 0) {
        SEAM_WALK(depth <= h->count);
        uint32_t at = stack[--depth];

        for (unsigned l = 0; l <= node_at(h, at)->level; l++) {
            const uint32_t *list = list_at(h, at, l);
            uint32_t max = list_max(h, l), id;

            for (uint32_t i = 0; i < max && (id = link_load(list + i)) != LINK_NONE; i++) {
                if (seam_bitset_get(reached, id)) continue;
                seam_bitset_set(reached, id);
                stack[depth++] = id;
            }
        }
    }
    free(stack);
    return SEAM_OK;
}

void hnsw_health_in_links(const struct hnsw *h, uint32_t *in_links)
{
    assert(h->count <= HNSW_NODES_MAX);
    memset(in_links, 0, h->count * sizeof *in_links);
    for (uint32_t i = 0; i < h->count; i++) {
        const uint32_t *list = links0_at(h, i);
        uint32_t id;

        for (uint32_t j = 0; j < h->max0 && (id = link_load(list + j)) != LINK_NONE; j++)
            in_links[id]++;
    }
}

enum seam_status hnsw_health_measure(const struct hnsw *h, struct hnsw_health *out,
                                     struct seam_fault *f)
{
    uint64_t *reached = malloc(seam_bitset_words(h->count + 1ul) * sizeof *reached);
    uint32_t *in_links = malloc((h->count + 1ul) * sizeof *in_links);
    enum seam_status st = reached == NULL || in_links == NULL
                              ? seam_no_memory(f, "the health check")
                              : hnsw_health_reach(h, reached, f);

    memset(out, 0, sizeof *out);
    if (st == SEAM_OK) hnsw_health_in_links(h, in_links);
    for (uint32_t i = 0; i < h->count && st == SEAM_OK; i++) {
        const struct hnsw_node *n = node_at(h, i);

        out->level[n->level]++;
        if (death_load(n) != SEAM_LSN_MAX) {
            out->dead++;
            continue;
        }
        out->live++;
        out->reachable += seam_bitset_get(reached, i);
        out->no_in_links += in_links[i] == 0 && i != (uint32_t)h->entry;
        out->degree[list_count(links0_at(h, i), h->max0)]++;
        out->in_degree[in_links[i] < HNSW_DEGREE_BINS ? in_links[i] : HNSW_DEGREE_BINS - 1]++;
    }
    assert(out->reachable <= out->live);
    free(in_links);
    free(reached);
    return st;
}

enum seam_status hnsw_health(const struct hnsw *handle, struct hnsw_health *out,
                             struct seam_fault *f)
{
    struct hnsw *h = (struct hnsw *)(uintptr_t)handle;
    enum seam_status st;

    pthread_rwlock_rdlock(&h->gate);
    st = hnsw_health_measure(h, out, f);
    pthread_rwlock_unlock(&h->gate);
    return st;
}
