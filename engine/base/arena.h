/* arena - many small allocations that die together.
 *
 * Blocks double from 4 KiB; `limit` (0 = none) is a memory budget: seam_arena_alloc returns NULL past it.
 * Not thread-safe: one arena, one thread.                                                        */
#ifndef SEAM_ENGINE_ARENA_H
#define SEAM_ENGINE_ARENA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct seam_arena_block;

struct seam_arena {
    struct seam_arena_block *blocks;
    size_t used;  /* bytes handed out since the last reset */
    size_t limit; /* 0 = none */
};

void *seam_arena_alloc(struct seam_arena *a,
                       size_t n); /* 16-byte aligned, uninitialised; NULL = no memory */
void *seam_arena_zalloc(struct seam_arena *a, size_t n);
char *seam_arena_strdup(struct seam_arena *a, const char *s, size_t n); /* terminated copy */
void seam_arena_reset(struct seam_arena *a); /* forgets everything, keeps the largest block */
void seam_arena_free(struct seam_arena *a);

#ifdef __cplusplus
}
#endif

#endif
