/* stem - English suffix stripping, in place. Private to the room.
 *
 * Both take a lower-case word and return its new length (never longer than before).                   */
#ifndef SEAM_INVIDX_STEM_H
#define SEAM_INVIDX_STEM_H

#include <stddef.h>

size_t invidx_stem_porter2(char *s, size_t n);
size_t invidx_stem_plural(char *s, size_t n);

#endif
