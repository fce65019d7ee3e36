/* keyindex - where the live row of each key is: the writer's map from key to (file, row).
 *
 * Open addressing, 24 bytes a slot. A key of one integer is itself; any other is the 128-bit SipHash of its
 * memcomparable bytes (two of 10^9 keys collide with probability under 10^-20), so rows need not be
 * read to compare. Built when a table is first changed by key, from the key columns alone.         */
#ifndef SEAM_COLUMNAR_KEYINDEX_H
#define SEAM_COLUMNAR_KEYINDEX_H

#include "columnar/table/state.h"

struct columnar_key_slot {
    uint64_t lo, hi;
    uint32_t file, row;
}; /* file: 1 + position in files; 0 empty */

struct columnar_keyindex {
    struct columnar_key_slot *slots;
    size_t cap, used; /* used: filled and dead */
    size_t live;
    uint64_t *files;
    uint32_t file_count, file_cap;
};

struct columnar_key128 {
    uint64_t lo, hi;
};

SEAM_MUST_USE enum seam_status columnar_keyindex_build(const struct columnar_table *t,
                                                       struct columnar_keyindex *x,
                                                       struct seam_fault *f);
/* Points the live keys of one file at it (after compaction). */
SEAM_MUST_USE enum seam_status columnar_keyindex_add_file(struct columnar_keyindex *x,
                                                          const struct columnar_table *t,
                                                          const struct columnar_table_file *tf,
                                                          struct seam_fault *f);
void columnar_keyindex_free(struct columnar_keyindex *x);
/* values: by schema position. scratch: for composite keys. */
SEAM_MUST_USE enum seam_status
columnar_keyindex_key(const struct seam_schema *s, const struct seam_value *values,
                      struct seam_buf *scratch, struct columnar_key128 *out, struct seam_fault *f);
bool columnar_keyindex_find(const struct columnar_keyindex *x, struct columnar_key128 key,
                            uint64_t *file, uint32_t *row);
SEAM_MUST_USE enum seam_status columnar_keyindex_put(struct columnar_keyindex *x,
                                                     struct columnar_key128 key, uint64_t file,
                                                     uint32_t row);
void columnar_keyindex_remove(struct columnar_keyindex *x, struct columnar_key128 key);

#endif
