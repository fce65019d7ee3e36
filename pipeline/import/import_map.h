/* import_map - text to a number, in memory: lines counted by group, ids of text keys. Private to
 * the importer.                                                                                  */
#ifndef SEAM_PIPELINE_IMPORT_MAP_H
#define SEAM_PIPELINE_IMPORT_MAP_H

#include "engine/base/arena.h"
#include "engine/base/status.h"

struct import_map_entry {
    const char *key;
    uint32_t size;
    int64_t value;
}; /* key NULL: free */

struct import_map {
    struct import_map_entry *entries;
    size_t capacity, count; /* capacity: a power of two, at most 3/4 full */
    struct seam_arena keys;
};

/* The number of `key`, 0 for one not seen before, to be read and set; NULL = no memory. Valid until
 * the next call.                                                                                 */
int64_t *import_map_at(struct import_map *m, const char *key, size_t size);
void import_map_clear(struct import_map *m);
void import_map_free(struct import_map *m);

#endif
