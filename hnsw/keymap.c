/* keymap - from a key to its live node: open addressing on node numbers, so 4 bytes a slot; the keys
 * themselves are read from the nodes. Kept by writers; readers build it when first asked.          */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/walk.h"
#include "hnsw/graph.h"

enum { KEYMAP_MIN = 64 };

static size_t slot_of(const struct hnsw *h, uint64_t key)
{
    size_t mask = h->keymap_size - 1, i = (size_t)seam_hash64_u64(key) & mask;
    SEAM_WALK(h->keymap_size > 0);
    SEAM_WALK(h->keymap_used < h->keymap_size);

    while (h->keymap[i] != 0 && node_at(h, h->keymap[i] - 1)->key != key) i = (i + 1) & mask;
    return i;
}

/* At most 3/4 full after `extra` more keys.                                                         */
enum seam_status hnsw_keymap_reserve(struct hnsw *h, size_t extra, struct seam_fault *f)
{
    size_t want = h->keymap_used + extra, size = h->keymap_size == 0 ? KEYMAP_MIN : h->keymap_size;
    uint32_t *old = h->keymap, *map;
    size_t old_size = h->keymap_size;
    assert((h->keymap_size & (h->keymap_size - 1)) == 0);
    assert(h->keymap_used <= h->keymap_size);

    while (size * 3 / 4 < want) size *= 2;
    if (size == old_size) return SEAM_OK;
    map = calloc(size, sizeof *map);
    if (map == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                              "no memory for the map of %zu keys", want);
    h->keymap = map;
    h->keymap_size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i] != 0) map[slot_of(h, node_at(h, old[i] - 1)->key)] = old[i];
    assert(h->keymap_used * 4 <= size * 3);
    free(old);
    return SEAM_OK;
}

enum seam_status hnsw_keymap_build(struct hnsw *h, struct seam_fault *f)
{
    uint32_t count = count_load(h);
    enum seam_status st;
    assert(dead_load(h) <= count);

    free(h->keymap);
    h->keymap = NULL;
    h->keymap_size = h->keymap_used = 0;
    st = hnsw_keymap_reserve(h, count - dead_load(h), f);
    for (uint32_t i = 0; i < count && st == SEAM_OK; i++) {
        if (!node_alive(node_at(h, i), h->moment)) continue;
        st = hnsw_keymap_reserve(h, 1, f);
        if (st == SEAM_OK) hnsw_keymap_put(h, node_at(h, i)->key, i);
    }
    return st;
}

uint32_t hnsw_keymap_find(const struct hnsw *h, uint64_t key)
{
    uint32_t v = h->keymap_size == 0 ? 0 : h->keymap[slot_of(h, key)];

    return v == 0 ? LINK_NONE : v - 1;
}

void hnsw_keymap_put(struct hnsw *h, uint64_t key, uint32_t node)
{
    size_t i = slot_of(h, key);
    assert(node < count_load(h));
    assert(h->keymap_used < h->keymap_size);

    if (h->keymap[i] == 0) h->keymap_used++;
    h->keymap[i] = node + 1;
}

/* Closes the gap by moving back what would no longer be found (Knuth 6.4, algorithm R).              */
void hnsw_keymap_remove(struct hnsw *h, uint64_t key)
{
    size_t mask = h->keymap_size - 1, hole = slot_of(h, key), i = hole;
    assert(h->keymap_used > 0);

    assert(h->keymap[hole] != 0);
    for (;;) {
        size_t home;

        i = (i + 1) & mask;
        if (h->keymap[i] == 0) break;
        home = (size_t)seam_hash64_u64(node_at(h, h->keymap[i] - 1)->key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            h->keymap[hole] = h->keymap[i];
            hole = i;
        }
    }
    h->keymap[hole] = 0;
    h->keymap_used--;
}
