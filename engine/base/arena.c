/* arena - blocks that double, carved from the front and given back at once. */
#include "engine/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_ALIGN = 16, ARENA_FIRST = 4096, ARENA_GROWTH_MAX = 1 << 20 };

/* The newest block is first; only it is allocated from, so the others are only waiting to be freed. */
struct seam_arena_block {
    struct seam_arena_block *next;
    size_t size, used;
    size_t pad; /* keeps the bytes that follow 16-byte aligned */
};
_Static_assert(sizeof(struct seam_arena_block) % ARENA_ALIGN == 0, "block bytes start aligned");

static uint8_t *block_bytes(struct seam_arena_block *b)
{
    return (uint8_t *)(b + 1);
}

void *seam_arena_alloc(struct seam_arena *a, size_t n)
{
    struct seam_arena_block *b = a->blocks;
    size_t size;
    void *p;

    if (n > SIZE_MAX / 4) return NULL;
    n = n == 0 ? ARENA_ALIGN : (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (a->limit != 0 && (a->used > a->limit || n > a->limit - a->used)) return NULL;
    if (b == NULL || n > b->size - b->used) {
        size = b == NULL ? ARENA_FIRST : b->size * 2;
        if (size > ARENA_GROWTH_MAX) size = ARENA_GROWTH_MAX;
        if (size < n) size = n;
        b = malloc(sizeof *b + size);
        if (b == NULL) return NULL;
        b->next = a->blocks;
        b->size = size;
        b->used = 0;
        a->blocks = b;
    }
    p = block_bytes(b) + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *seam_arena_zalloc(struct seam_arena *a, size_t n)
{
    void *p = seam_arena_alloc(a, n);

    if (p != NULL) memset(p, 0, n);
    return p;
}

char *seam_arena_strdup(struct seam_arena *a, const char *s, size_t n)
{
    char *p = n < SIZE_MAX ? seam_arena_alloc(a, n + 1) : NULL;

    if (p == NULL) return NULL;
    if (n > 0) memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

void seam_arena_reset(struct seam_arena *a)
{
    struct seam_arena_block *keep = NULL, *b = a->blocks;

    while (b != NULL) {
        struct seam_arena_block *next = b->next;

        if (keep == NULL || b->size > keep->size) {
            free(keep);
            keep = b;
        } else {
            free(b);
        }
        b = next;
    }
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
    }
    a->blocks = keep;
    a->used = 0;
}

void seam_arena_free(struct seam_arena *a)
{
    while (a->blocks != NULL) {
        struct seam_arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}
