/* blocks - arrays that grow without moving, over our memory or over a mapping (graph.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hnsw/graph.h"

enum { HUGE_PAGE = 2 << 20, CACHE_LINE = 64 };

/* Big regions lie on huge-page boundaries and ask for huge pages: a walk touches a new page at every
 * step, and with 4 KiB pages most of those miss the TLB.                                            */
static void *region_alloc(size_t size)
{
    size_t align = size >= HUGE_PAGE ? (size_t)HUGE_PAGE : (size_t)CACHE_LINE;
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    assert(size > 0);

    if (p == NULL) return NULL;
    if (align == HUGE_PAGE) (void)madvise(p, (size + align - 1) / align * align, MADV_HUGEPAGE);
    return p;
}

static bool grow_table(struct hnsw_blocks *b, size_t want)
{
    size_t cap = b->cap == 0 ? 16 : b->cap;
    uint8_t **block;
    uint8_t *own;
    assert(b->count <= b->cap);

    while (cap < want) cap *= 2;
    if (cap == b->cap) return true;
    block = realloc(b->block, cap * sizeof *block);
    if (block == NULL) return false;
    b->block = block;
    own = realloc(b->own, cap);
    if (own == NULL) return false;
    b->own = own;
    assert(cap >= want);
    b->cap = cap;
    return true;
}

static uint8_t *add_region(struct hnsw_blocks *b, size_t blocks)
{
    size_t size = blocks * BLOCK_NODES * b->stride;
    void *p;
    assert(blocks > 0);
    assert(b->stride > 0);

    if (b->region_count == b->region_cap) {
        size_t cap = b->region_cap == 0 ? 8 : b->region_cap * 2;
        struct hnsw_region *r = realloc(b->regions, cap * sizeof *r);

        if (r == NULL) return NULL;
        b->regions = r;
        b->region_cap = cap;
    }
    p = region_alloc(size);
    if (p == NULL) return NULL;
    memset(p, 0, size);
    b->regions[b->region_count++] = (struct hnsw_region){p, size};
    b->bytes += size;
    return p;
}

void *hnsw_blocks_writable(struct hnsw_blocks *b, uint32_t i)
{
    size_t at = i >> BLOCK_SHIFT;

    assert(at < b->count);
    if (!b->own[at]) {
        uint8_t *p = add_region(b, 1);

        if (p == NULL) return NULL;
        memcpy(p, b->block[at], BLOCK_NODES * b->stride);
        b->block[at] = p;
        b->own[at] = 1;
    }
    assert(b->own[at]);
    return blocks_at(b, i);
}

enum seam_status hnsw_blocks_reserve(struct hnsw_blocks *b, size_t n, struct seam_fault *f)
{
    size_t want = (n + BLOCK_NODES - 1) >> BLOCK_SHIFT, grow;
    uint8_t *p;
    assert(b->count <= b->cap);

    if (b->stride == 0 || want <= b->count) return SEAM_OK;
    grow = want - b->count;
    if (!grow_table(b, want) || (p = add_region(b, grow)) == NULL)
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for %zu nodes",
                              n);
    for (size_t i = 0; i < grow; i++) {
        b->block[b->count + i] = p + i * BLOCK_NODES * b->stride;
        b->own[b->count + i] = 1;
    }
    assert(want <= b->cap);
    b->count = want;
    return SEAM_OK;
}

/* Whole blocks stay where they are mapped; the last, partial one is copied, for a block must be whole. */
enum seam_status hnsw_blocks_attach(struct hnsw_blocks *b, const uint8_t *p, size_t n,
                                    struct seam_fault *f)
{
    size_t whole = n >> BLOCK_SHIFT, rest = n & (BLOCK_NODES - 1);
    assert(p != NULL || n == 0);

    assert(b->count == 0 && b->stride != 0);
    if (!grow_table(b, whole + 1))
        return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for %zu nodes",
                              n);
    for (size_t i = 0; i < whole; i++) {
        b->block[i] = (uint8_t *)(uintptr_t)(p + i * BLOCK_NODES * b->stride);
        b->own[i] = 0;
    }
    assert(whole < b->cap);
    b->count = whole;
    if (rest > 0) {
        enum seam_status st = hnsw_blocks_reserve(b, n, f);

        if (st != SEAM_OK) return st;
        memcpy(b->block[whole], p + whole * BLOCK_NODES * b->stride, rest * b->stride);
    }
    return SEAM_OK;
}

void hnsw_blocks_free(struct hnsw_blocks *b)
{
    size_t stride = b->stride;
    assert(b->region_count <= b->region_cap);
    assert(b->count <= b->cap);

    for (size_t i = 0; i < b->region_count; i++) free(b->regions[i].p);
    free(b->regions);
    free(b->block);
    free(b->own);
    *b = (struct hnsw_blocks){.stride = stride};
}
