/* view_delta - what a batch does to the groups of a view, gathered in memory.                        */
#ifndef SEAM_PIPELINE_VIEW_DELTA_H
#define SEAM_PIPELINE_VIEW_DELTA_H

#include "engine/base/arena.h"
#include "pipeline/view/view_def.h"
#include "wal/change.h"

/* Byte strings to dense numbers, in order of first sight. */
struct view_key_set {
    struct seam_arena arena;
    struct wal_bytes *keys;
    uint32_t *slots; /* number + 1; 0 = free */
    size_t count, cap, slot_count;
};
/* *number of the key, added when new (then *added). */
SEAM_MUST_USE enum seam_status view_key_set_add(struct view_key_set *k, struct wal_bytes key,
                                                size_t *number, bool *added);
bool view_key_set_has(const struct view_key_set *k, struct wal_bytes key);
void view_key_set_clear(struct view_key_set *k);
void view_key_set_free(struct view_key_set *k);

/* A group's change: rows, then for each aggregate a count and an exact sum. */
struct view_delta {
    int64_t rows;
    int64_t count[VIEW_COLUMNS_MAX];
    __int128 sum[VIEW_COLUMNS_MAX];
};

struct view_deltas {
    struct view_key_set groups;
    struct view_delta **delta; /* by number */
    size_t delta_cap;
    struct view_key_set
        members; /* of the multisets: group key length (4 bytes), aggregate (1), group key, value */
    int64_t *member_count;
    size_t member_cap;
};
SEAM_MUST_USE enum seam_status view_deltas_group(struct view_deltas *d, struct wal_bytes key,
                                                 struct view_delta **out);
SEAM_MUST_USE enum seam_status view_deltas_member(struct view_deltas *d, struct wal_bytes group,
                                                  int agg, struct wal_bytes value, int64_t change);
void view_deltas_clear(struct view_deltas *d);
void view_deltas_free(struct view_deltas *d);

/* ---- a group's row in v_NAME: the states of its aggregates ----
 * for each aggregate: COUNT: zigzag varint; SUM, AVG: zigzag varint count, 16 bytes little-endian sum; MIN, MAX,
 * COUNT(*): nothing (they follow from the multiset and from n). */
struct view_states {
    int64_t count[VIEW_COLUMNS_MAX];
    __int128 sum[VIEW_COLUMNS_MAX];
};
void view_states_put(struct seam_buf *out, const struct view_def *d, const struct view_states *s);
SEAM_MUST_USE enum seam_status view_states_get(const struct view_def *d, const char *p, size_t n,
                                               struct view_states *out, struct seam_fault *f);

#endif
