/* keyindex - built from the key columns at opening, kept by the writer; a row is found by its key's hash. */
#include "columnar/table/keyindex.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/values/row.h"

enum { DEAD = UINT32_MAX };

void columnar_keyindex_free(struct columnar_keyindex *x)
{
    free(x->slots);
    free(x->files);
    *x = (struct columnar_keyindex){0};
}

static bool one_integer(const struct seam_schema *s)
{
    enum seam_value_type t = s->columns[s->key[0]].type;

    return s->key_count == 1 && t != SEAM_V_TEXT && t != SEAM_V_DOUBLE;
}

enum seam_status columnar_keyindex_key(const struct seam_schema *s, const struct seam_value *values,
                                       struct seam_buf *scratch, struct columnar_key128 *out,
                                       struct seam_fault *f)
{
    struct seam_hash128 h;
    enum seam_status st;

    if (one_integer(s)) {
        if (values[s->key[0]].type == SEAM_V_NULL)
            return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                  "a key column is null");
        *out = (struct columnar_key128){(uint64_t)values[s->key[0]].i, 0};
        return SEAM_OK;
    }
    seam_buf_clear(scratch);
    st = seam_row_key(s, values, scratch, f);
    if (st != SEAM_OK) return st;
    h = seam_siphash128(scratch->data, scratch->size);
    *out = (struct columnar_key128){h.lo, h.hi};
    return SEAM_OK;
}

static struct columnar_key_slot *probe(const struct columnar_keyindex *x,
                                       struct columnar_key128 key)
{
    size_t at = seam_hash64_u64(key.lo ^ key.hi * 0x9e3779b97f4a7c15ull) & (x->cap - 1);
    struct columnar_key_slot *dead = NULL;

    for (;; at = (at + 1) & (x->cap - 1)) {
        struct columnar_key_slot *slot = &x->slots[at];

        if (slot->file == 0) return dead != NULL ? dead : slot;
        if (slot->file == DEAD) {
            if (dead == NULL) dead = slot;
        } else if (slot->lo == key.lo && slot->hi == key.hi) {
            return slot;
        }
    }
}

static enum seam_status resize(struct columnar_keyindex *x, size_t cap)
{
    struct columnar_keyindex bigger = *x;

    bigger.cap = cap;
    bigger.slots = calloc(cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < x->cap; i++)
        if (x->slots[i].file != 0 && x->slots[i].file != DEAD)
            *probe(&bigger, (struct columnar_key128){x->slots[i].lo, x->slots[i].hi}) = x->slots[i];
    bigger.used = x->live;
    free(x->slots);
    *x = bigger;
    return SEAM_OK;
}

static enum seam_status file_slot(struct columnar_keyindex *x, uint64_t file, uint32_t *slot)
{
    if (x->file_count > 0 && x->files[x->file_count - 1] == file) {
        *slot = x->file_count;
        return SEAM_OK;
    }
    for (uint32_t i = x->file_count; i-- > 0;)
        if (x->files[i] == file) {
            *slot = i + 1;
            return SEAM_OK;
        }
    if (x->file_count == x->file_cap) {
        uint32_t cap = x->file_cap == 0 ? 16 : 2 * x->file_cap;
        uint64_t *more = realloc(x->files, cap * sizeof *more);

        if (more == NULL) return SEAM_NOMEM;
        x->files = more;
        x->file_cap = cap;
    }
    x->files[x->file_count++] = file;
    *slot = x->file_count;
    return SEAM_OK;
}

bool columnar_keyindex_find(const struct columnar_keyindex *x, struct columnar_key128 key,
                            uint64_t *file, uint32_t *row)
{
    const struct columnar_key_slot *slot;

    if (x->cap == 0) return false;
    slot = probe(x, key);
    if (slot->file == 0 || slot->file == DEAD) return false;
    *file = x->files[slot->file - 1];
    *row = slot->row;
    return true;
}

enum seam_status columnar_keyindex_put(struct columnar_keyindex *x, struct columnar_key128 key,
                                       uint64_t file, uint32_t row)
{
    struct columnar_key_slot *slot;
    uint32_t file_at;

    if (file_slot(x, file, &file_at) != SEAM_OK) return SEAM_NOMEM;
    if (4 * (x->used + 1) > 3 * x->cap && resize(x, x->cap == 0                ? 1024
                                                    : 2 * x->live > x->cap / 2 ? 2 * x->cap
                                                                               : x->cap) != SEAM_OK)
        return SEAM_NOMEM;
    slot = probe(x, key);
    if (slot->file == 0) x->used++;
    if (slot->file == 0 || slot->file == DEAD) x->live++;
    *slot = (struct columnar_key_slot){key.lo, key.hi, file_at, row};
    return SEAM_OK;
}

void columnar_keyindex_remove(struct columnar_keyindex *x, struct columnar_key128 key)
{
    struct columnar_key_slot *slot;

    if (x->cap == 0) return;
    slot = probe(x, key);
    if (slot->file == 0 || slot->file == DEAD) return;
    slot->file = DEAD;
    x->live--;
}

struct build {
    struct columnar_keyindex *x;
    const struct seam_schema *schema;
    struct seam_value *values;
    struct seam_buf scratch;
    struct seam_fault *f;
};

static enum seam_status add_versions(void *ctx, const struct columnar_version_batch *b)
{
    struct build *d = ctx;
    const struct seam_schema *s = d->schema;

    for (uint32_t i = 0; i < b->rows; i++) {
        struct columnar_key128 key;
        enum seam_status st;

        if (b->end[i] != SEAM_LSN_MAX) continue;
        for (int k = 0; k < s->key_count; k++)
            d->values[s->key[k]] = columnar_vec_value(&b->cols[k], i);
        st = columnar_keyindex_key(s, d->values, &d->scratch, &key, d->f);
        if (st == SEAM_OK)
            st = columnar_keyindex_put(d->x, key, b->tf->id, (uint32_t)(b->first_row + i));
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static enum seam_status add_rows(struct columnar_keyindex *x, const struct columnar_table *t,
                                 const struct columnar_table_file *only, struct seam_fault *f)
{
    struct build d = {.x = x, .schema = &t->schema, .f = f};
    int columns[SEAM_KEY_COLUMNS_MAX];
    enum seam_status st;

    assert(t->schema.key_count > 0);
    d.values = calloc(t->schema.column_count, sizeof *d.values);
    if (d.values == NULL) return seam_no_memory(f, "the index of a table's keys");
    for (int k = 0; k < t->schema.key_count; k++) columns[k] = t->schema.key[k];
    st = columnar_table_versions(t, only, columns, t->schema.key_count, add_versions, &d, f);
    free(d.values);
    seam_buf_free(&d.scratch);
    return st;
}

enum seam_status columnar_keyindex_build(const struct columnar_table *t,
                                         struct columnar_keyindex *x, struct seam_fault *f)
{
    enum seam_status st;

    columnar_keyindex_free(x);
    st = seam_no_memory_if(resize(x, 1024), f, "the warehouse");
    if (st == SEAM_OK) st = seam_no_memory_if(add_rows(x, t, NULL, f), f, "rows that are read");
    if (st != SEAM_OK) columnar_keyindex_free(x);
    return st;
}

enum seam_status columnar_keyindex_add_file(struct columnar_keyindex *x,
                                            const struct columnar_table *t,
                                            const struct columnar_table_file *tf,
                                            struct seam_fault *f)
{
    return seam_no_memory_if(add_rows(x, t, tf, f), f, "rows that are read");
}
