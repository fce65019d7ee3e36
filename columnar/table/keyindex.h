/* keyindex - where the live row of each key is: the writer's map from key to (file, row).
 *
 * Open addressing, 24 bytes a slot. A key of one integer is itself; any other is the 128-bit SipHash of its
 * memcomparable bytes (two of 10^9 keys collide with probability under 10^-20), so rows need not be
 * read to compare. Built when a table is first changed by key, from the key columns alone.         */
#ifndef SEAM_COLUMNAR_KEYINDEX_H
#define SEAM_COLUMNAR_KEYINDEX_H

#include "columnar/table/state.h"

struct key_slot { uint64_t lo, hi; uint32_t file, row; }; /* file: 1 + position in files; 0 empty */

struct keyindex {
    struct key_slot *slots;
    size_t cap, used;     /* used: filled and dead */
    size_t live;
    uint64_t *files;
    uint32_t file_count, file_cap;
};

struct key128 { uint64_t lo, hi; };

MUST_USE enum status keyindex_build(const struct table *t, struct keyindex *x, struct fault *f);
/* Points the live keys of one file at it (after compaction). */
MUST_USE enum status keyindex_add_file(struct keyindex *x, const struct table *t,
                                       const struct table_file *tf, struct fault *f);
void keyindex_free(struct keyindex *x);
/* values: by schema position. scratch: for composite keys. */
MUST_USE enum status keyindex_key(const struct schema *s, const struct value *values, struct buf *scratch,
                                  struct key128 *out, struct fault *f);
bool keyindex_find(const struct keyindex *x, struct key128 key, uint64_t *file, uint32_t *row);
MUST_USE enum status keyindex_put(struct keyindex *x, struct key128 key, uint64_t file, uint32_t row);
void keyindex_remove(struct keyindex *x, struct key128 key);

#endif
