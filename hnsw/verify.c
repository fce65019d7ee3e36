/* verify - every checksum and every invariant of what is published (graph.h numbers them). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "hnsw/health.h"
#include "hnsw/store.h"

/* I1's second half, which opening leaves out: no list names a node twice. I5: paddings are zero.       */
static enum seam_status check_node(const struct hnsw *h, uint32_t i, uint64_t *links,
                                   struct seam_fault *f)
{
    const char *dir = h->store->dir;
    assert(i < h->count);

    for (unsigned l = 0; l <= node_at(h, i)->level; l++) {
        const uint32_t *list = list_at(h, i, l);
        uint32_t n = list_count(list, list_max(h, l));

        *links += n;
        for (uint32_t a = 0; a < n; a++)
            for (uint32_t b = a + 1; b < n; b++)
                if (list[a] == list[b])
                    return seam_fault_set(f, SEAM_CORRUPT, dir, SEAM_FAULT_NO_OFFSET,
                                          "node %u names node %u twice at level %u", i, list[a], l);
    }
    for (size_t d = h->o.dim; has_vecs(h) && d < h->floats; d++)
        if (vec_at(h, i)[d] != 0)
            return seam_fault_set(f, SEAM_CORRUPT, dir, SEAM_FAULT_NO_OFFSET,
                                  "vector %u's padding is not zero", i);
    for (size_t d = h->o.dim; walks_codes(h) && d < h->codes.stride - CODE_CONSTANTS; d++)
        if (code_at(h, i)[d] != 0)
            return seam_fault_set(f, SEAM_CORRUPT, dir, SEAM_FAULT_NO_OFFSET,
                                  "code %u's padding is not zero", i);
    return SEAM_OK;
}

/* A code must be its vector's code.                                                                  */
static enum seam_status check_code(const struct hnsw *h, uint32_t i, uint8_t *code,
                                   struct seam_fault *f)
{
    assert(code != NULL);
    if (!walks_codes(h) || !has_vecs(h)) return SEAM_OK;
    hnsw_quant_encode(h, vec_at(h, i), code);
    if (memcmp(code, code_at(h, i), h->codes.stride) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, h->store->dir, SEAM_FAULT_NO_OFFSET,
                              "code %u is not its vector's", i);
    return SEAM_OK;
}

/* I4's second half: one living node a key.                                                           */
static enum seam_status check_keys(struct hnsw *h, struct seam_fault *f)
{
    enum seam_status st = hnsw_keymap_build(h, f);
    assert(h->dead <= h->count);

    if (st == SEAM_OK && h->keymap_used != h->count - h->dead)
        st = seam_fault_set(f, SEAM_CORRUPT, h->store->dir, SEAM_FAULT_NO_OFFSET,
                            "%u nodes live under %zu keys: a key lives twice", h->count - h->dead,
                            h->keymap_used);
    return st;
}

/* I3, as far as it binds: no node stands above the entry point.                                       */
static enum seam_status check_entry(const struct hnsw *h, struct seam_fault *f)
{
    assert(h->count == 0 || h->entry != ENTRY_NONE);
    for (uint32_t i = 0; i < h->count; i++)
        if (node_at(h, i)->level > h->entry >> 32)
            return seam_fault_set(f, SEAM_CORRUPT, h->store->dir, SEAM_FAULT_NO_OFFSET,
                                  "node %u stands at level %u, above the entry point", i,
                                  node_at(h, i)->level);
    return SEAM_OK;
}

enum seam_status hnsw_verify(struct seam_io *io, const char *dir, struct hnsw_verify_report *r,
                             struct seam_fault *f)
{
    struct hnsw_config cfg = {.mapped = true};
    struct hnsw *h = NULL;
    uint8_t *code = NULL;
    uint64_t end = 0;
    enum seam_status st = hnsw_open_reader(io, dir, SEAM_LSN_MAX, &cfg, &h, f);
    assert(r != NULL);

    memset(r, 0, sizeof *r);
    if (st == SEAM_OK && (code = malloc(h->codes.stride + 1)) == NULL)
        st = seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to verify");
    for (uint32_t i = 0; st == SEAM_OK && i < h->count; i++) {
        st = check_node(h, i, &r->links, f);
        if (st == SEAM_OK) st = check_code(h, i, code, f);
    }
    if (st == SEAM_OK) st = check_keys(h, f);
    if (st == SEAM_OK) st = check_entry(h, f);
    if (st == SEAM_OK) st = hnsw_health_measure(h, &r->health, f);
    if (st == SEAM_OK) st = seam_file_size(h->store->journal, &end, f);
    if (st == SEAM_OK) {
        r->files = 2 + (h->store->state.base != 0);
        r->bytes = h->store->base_size + end;
        r->nodes = h->count;
        r->batches = h->store->batches;
        r->tail_bytes = end - h->store->journal_size;
    }
    free(code);
    hnsw_close(h);
    return st;
}
