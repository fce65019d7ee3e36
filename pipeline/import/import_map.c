/* import_map - text to number, for ids that an import gives out. */
#include "pipeline/import/import_map.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

static struct import_map_entry *find(const struct import_map *m, const char *key, size_t size)
{
    size_t i = seam_hash64(key, size, 0) & (m->capacity - 1);

    while (m->entries[i].key != NULL &&
           (m->entries[i].size != size || memcmp(m->entries[i].key, key, size) != 0))
        i = (i + 1) & (m->capacity - 1);
    return &m->entries[i];
}

static bool grow(struct import_map *m)
{
    struct import_map old = *m;

    m->capacity = old.capacity > 0 ? old.capacity * 2 : 1024;
    m->entries = calloc(m->capacity, sizeof *m->entries);
    if (m->entries == NULL) {
        m->entries = old.entries;
        m->capacity = old.capacity;
        return false;
    }
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].key != NULL)
            *find(m, old.entries[i].key, old.entries[i].size) = old.entries[i];
    }
    free(old.entries);
    return true;
}

int64_t *import_map_at(struct import_map *m, const char *key, size_t size)
{
    struct import_map_entry *e;

    if (m->count * 4 >= m->capacity * 3 && !grow(m)) return NULL;
    e = find(m, key, size);
    if (e->key == NULL) {
        char *copy = seam_arena_strdup(&m->keys, key, size);

        if (copy == NULL) return NULL;
        *e = (struct import_map_entry){.key = copy, .size = (uint32_t)size};
        m->count++;
    }
    return &e->value;
}

void import_map_clear(struct import_map *m)
{
    if (m->entries != NULL) memset(m->entries, 0, m->capacity * sizeof *m->entries);
    m->count = 0;
    seam_arena_reset(&m->keys);
}

void import_map_free(struct import_map *m)
{
    free(m->entries);
    seam_arena_free(&m->keys);
    *m = (struct import_map){0};
}
