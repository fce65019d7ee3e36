/* arena - many small allocations that die together.
 *
 * Blocks double from 4 KiB; `limit` (0 = none) is a memory budget: arena_alloc returns NULL past it.
 * Not thread-safe: one arena, one thread.                                                        */
#ifndef SEAM_ENGINE_ARENA_H
#define SEAM_ENGINE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used;  /* bytes handed out since the last reset */
    size_t limit; /* 0 = none */
};

void *arena_alloc(struct arena *a, size_t n);        /* 16-byte aligned, uninitialised; NULL = no memory */
void *arena_zalloc(struct arena *a, size_t n);
char *arena_strdup(struct arena *a, const char *s, size_t n); /* terminated copy */
void arena_reset(struct arena *a);                   /* forgets everything, keeps the largest block */
void arena_free(struct arena *a);

#endif
