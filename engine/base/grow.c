/* The one way in which an array gets larger. */
#include "engine/base/grow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { GROW_FIRST = 8 };

bool seam_grow(void *array, size_t *cap, size_t need, size_t item)
{
    size_t want = *cap < GROW_FIRST ? (size_t)GROW_FIRST : *cap;
    void *old, *more;

    assert(item > 0);
    if (need <= *cap) return true;
    while (want < need) {
        if (want > SIZE_MAX / 2) return false;
        want *= 2;
    }
    if (want > SIZE_MAX / item) return false;
    /* By bytes: a pointer to one type is not read as a pointer to another. */
    memcpy(&old, array, sizeof old);
    more = realloc(old, want * item);
    if (more == NULL) return false;
    memcpy(array, &more, sizeof more);
    *cap = want;
    return true;
}

bool seam_grow_zero(void *array, size_t *cap, size_t need, size_t item)
{
    size_t had = *cap;
    uint8_t *p;

    if (!seam_grow(array, cap, need, item)) return false;
    memcpy(&p, array, sizeof p);
    if (*cap > had) memset(p + had * item, 0, (*cap - had) * item);
    return true;
}
