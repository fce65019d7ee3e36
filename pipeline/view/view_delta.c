/* view_delta - what a batch changes, group by group, and the states of the aggregates. */
#include "pipeline/view/view_delta.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

static bool grow_slots(struct view_key_set *k)
{
    size_t n = k->slot_count == 0 ? 256 : k->slot_count * 2;
    uint32_t *slots = calloc(n, sizeof *slots);

    if (slots == NULL) return false;
    for (size_t i = 0; i < k->count; i++) {
        size_t at = seam_hash64(k->keys[i].data, k->keys[i].size, 0) & (n - 1);

        while (slots[at] != 0) at = (at + 1) & (n - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(k->slots);
    k->slots = slots;
    k->slot_count = n;
    return true;
}

static bool grow_keys(struct view_key_set *k)
{
    size_t cap = k->cap == 0 ? 128 : k->cap * 2;
    struct wal_bytes *keys = realloc(k->keys, cap * sizeof *keys);

    if (keys == NULL) return false;
    k->keys = keys;
    k->cap = cap;
    return true;
}

/* The slot that holds the key, or the free one where it would be put. */
static size_t slot_of(const struct view_key_set *k, struct wal_bytes key)
{
    size_t at = seam_hash64(key.data, key.size, 0) & (k->slot_count - 1);

    while (k->slots[at] != 0 && !wal_bytes_equal(k->keys[k->slots[at] - 1], key))
        at = (at + 1) & (k->slot_count - 1);
    return at;
}

bool view_key_set_has(const struct view_key_set *k, struct wal_bytes key)
{
    return k->count > 0 && k->slots[slot_of(k, key)] != 0;
}

enum seam_status view_key_set_add(struct view_key_set *k, struct wal_bytes key, size_t *number,
                                  bool *added)
{
    size_t at;
    uint8_t *copy;

    if (k->count * 2 >= k->slot_count && !grow_slots(k)) return SEAM_NOMEM;
    at = slot_of(k, key);
    if (k->slots[at] != 0) {
        *number = k->slots[at] - 1;
        *added = false;
        return SEAM_OK;
    }
    if (k->count == k->cap && !grow_keys(k)) return SEAM_NOMEM;
    copy = seam_arena_alloc(&k->arena, key.size + 1);
    if (copy == NULL) return SEAM_NOMEM;
    if (key.size > 0) memcpy(copy, key.data, key.size);
    k->keys[k->count] = (struct wal_bytes){copy, key.size};
    k->slots[at] = (uint32_t)++k->count;
    *number = k->count - 1;
    *added = true;
    return SEAM_OK;
}

void view_key_set_clear(struct view_key_set *k)
{
    if (k->count > 0) memset(k->slots, 0, k->slot_count * sizeof *k->slots);
    k->count = 0;
    seam_arena_reset(&k->arena);
}

void view_key_set_free(struct view_key_set *k)
{
    seam_arena_free(&k->arena);
    free(k->keys);
    free(k->slots);
    *k = (struct view_key_set){0};
}

enum seam_status view_deltas_group(struct view_deltas *d, struct wal_bytes key,
                                   struct view_delta **out)
{
    size_t number;
    bool added;
    enum seam_status st = view_key_set_add(&d->groups, key, &number, &added);

    if (st != SEAM_OK) return st;
    if (number >= d->delta_cap) {
        size_t cap = d->delta_cap == 0 ? 128 : d->delta_cap * 2;
        struct view_delta **more = realloc(d->delta, cap * sizeof *more);

        if (more == NULL) return SEAM_NOMEM;
        d->delta = more;
        d->delta_cap = cap;
    }
    if (added) {
        d->delta[number] = seam_arena_zalloc(&d->groups.arena, sizeof **d->delta);
        if (d->delta[number] == NULL) return SEAM_NOMEM;
    }
    *out = d->delta[number];
    return SEAM_OK;
}

enum seam_status view_deltas_member(struct view_deltas *d, struct wal_bytes group, int agg,
                                    struct wal_bytes value, int64_t change)
{
    struct seam_buf b = {0};
    size_t number;
    bool added;
    enum seam_status st;

    seam_buf_u32(&b, (uint32_t)group.size);
    seam_buf_u8(&b, (uint8_t)agg);
    seam_buf_append(&b, group.data, group.size);
    seam_buf_append(&b, value.data, value.size);
    st = seam_buf_ok(&b)
             ? view_key_set_add(&d->members, (struct wal_bytes){b.data, b.size}, &number, &added)
             : SEAM_NOMEM;
    seam_buf_free(&b);
    if (st != SEAM_OK) return st;
    if (number >= d->member_cap) {
        size_t cap = d->member_cap == 0 ? 128 : d->member_cap * 2;
        int64_t *more = realloc(d->member_count, cap * sizeof *more);

        if (more == NULL) return SEAM_NOMEM;
        d->member_count = more;
        d->member_cap = cap;
    }
    if (added) d->member_count[number] = 0;
    d->member_count[number] += change;
    return SEAM_OK;
}

void view_deltas_clear(struct view_deltas *d)
{
    view_key_set_clear(&d->groups);
    view_key_set_clear(&d->members);
}

void view_deltas_free(struct view_deltas *d)
{
    view_key_set_free(&d->groups);
    view_key_set_free(&d->members);
    free(d->delta);
    free(d->member_count);
    *d = (struct view_deltas){0};
}

static bool has_count(enum view_agg_op op)
{
    return op == VIEW_COUNT || op == VIEW_SUM || op == VIEW_AVG;
}
static bool has_sum(enum view_agg_op op)
{
    return op == VIEW_SUM || op == VIEW_AVG;
}

void view_states_put(struct seam_buf *out, const struct view_def *d, const struct view_states *s)
{
    for (int i = 0; i < d->n_aggs; i++) {
        if (has_count(d->aggs[i].op)) seam_buf_varint(out, seam_zigzag(s->count[i]));
        if (!has_sum(d->aggs[i].op)) continue;
        seam_buf_u64(out, (uint64_t)(unsigned __int128)s->sum[i]);
        seam_buf_u64(out, (uint64_t)((unsigned __int128)s->sum[i] >> 64));
    }
}

enum seam_status view_states_get(const struct view_def *d, const char *p, size_t n,
                                 struct view_states *out, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);

    for (int i = 0; i < d->n_aggs; i++) {
        out->count[i] = has_count(d->aggs[i].op) ? seam_unzigzag(seam_read_varint(&r)) : 0;
        out->sum[i] = 0;
        if (has_sum(d->aggs[i].op)) {
            uint64_t lo = seam_read_u64(&r), hi = seam_read_u64(&r);

            out->sum[i] = (__int128)((unsigned __int128)hi << 64 | lo);
        }
    }
    if (r.bad || seam_reader_left(&r) != 0)
        return seam_fault_set(f, SEAM_CORRUPT, d->name, SEAM_FAULT_NO_OFFSET,
                              "a group's states do not match the view's aggregates");
    return SEAM_OK;
}
