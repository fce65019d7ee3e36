/* The one open-addressing table. */
#include "engine/base/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_FIRST = 16 };

static void place(struct seam_index_slot *slots, size_t cap, struct seam_index_slot s)
{
    size_t at = s.tag & (cap - 1);

    while (slots[at].number != 0) at = (at + 1) & (cap - 1);
    slots[at] = s;
}

bool seam_index_reserve(struct seam_index *ix, size_t count)
{
    size_t cap = ix->cap == 0 ? (size_t)INDEX_FIRST : ix->cap;
    struct seam_index_slot *slots;

    while (cap - cap / 4 < count) {
        if (cap > SIZE_MAX / 4 / sizeof *slots) return false;
        cap *= 2;
    }
    if (cap == ix->cap) return true;
    slots = calloc(cap, sizeof *slots);
    if (slots == NULL) return false;
    for (size_t i = 0; i < ix->cap; i++)
        if (ix->slots[i].number != 0) place(slots, cap, ix->slots[i]);
    free(ix->slots);
    ix->slots = slots;
    ix->cap = cap;
    return true;
}

bool seam_index_add(struct seam_index *ix, uint64_t hash, uint32_t number)
{
    assert(number < SEAM_INDEX_NONE);
    if (!seam_index_reserve(ix, ix->count + 1)) return false;
    assert(ix->count < ix->cap); /* or a search would not end */
    place(ix->slots, ix->cap, (struct seam_index_slot){seam_index_tag(hash), number + 1});
    ix->count++;
    return true;
}

void seam_index_clear(struct seam_index *ix)
{
    if (ix->slots != NULL) memset(ix->slots, 0, ix->cap * sizeof *ix->slots);
    ix->count = 0;
}

void seam_index_free(struct seam_index *ix)
{
    free(ix->slots);
    *ix = (struct seam_index){0};
}
