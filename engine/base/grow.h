/* grow - the one way in which an array gets larger.
 *
 *     if (!SEAM_GROW(&t->files, &t->cap, t->count + 1)) return seam_no_memory(f, "a table's files");
 *     t->files[t->count++] = file;
 *
 * Doubles; at least eight items; never overflows. When it fails nothing has changed. One thread.      */
#ifndef SEAM_ENGINE_GROW_H
#define SEAM_ENGINE_GROW_H

#include "engine/base/status.h"

/* array: the address of a pointer to items; cap: how many fit. False: no memory.                     */
SEAM_MUST_USE bool seam_grow(void *array, size_t *cap, size_t need, size_t item);
#define SEAM_GROW(array, cap, need) seam_grow((array), (cap), (need), sizeof **(array))

/* As SEAM_GROW, and what is new is zero.                                                             */
SEAM_MUST_USE bool seam_grow_zero(void *array, size_t *cap, size_t need, size_t item);
#define SEAM_GROW_ZERO(array, cap, need) seam_grow_zero((array), (cap), (need), sizeof **(array))

#endif
