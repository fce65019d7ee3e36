#include "columnar/table/keyindex.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/values/row.h"

enum { DEAD = UINT32_MAX };

void keyindex_free(struct keyindex *x)
{
    free(x->slots);
    free(x->files);
    *x = (struct keyindex){0};
}

static bool one_integer(const struct schema *s)
{
    enum value_type t = s->columns[s->key[0]].type;

    return s->key_count == 1 && t != V_TEXT && t != V_DOUBLE;
}

enum status keyindex_key(const struct schema *s, const struct value *values, struct buf *scratch,
                         struct key128 *out, struct fault *f)
{
    struct hash128 h;
    enum status st;

    if (one_integer(s)) {
        if (values[s->key[0]].type == V_NULL)
            return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "a key column is null");
        *out = (struct key128){(uint64_t)values[s->key[0]].i, 0};
        return ST_OK;
    }
    buf_clear(scratch);
    st = row_key(s, values, scratch, f);
    if (st != ST_OK) return st;
    h = siphash128(scratch->data, scratch->size);
    *out = (struct key128){h.lo, h.hi};
    return ST_OK;
}

static struct key_slot *probe(const struct keyindex *x, struct key128 key)
{
    size_t at = hash64_u64(key.lo ^ key.hi * 0x9e3779b97f4a7c15ull) & (x->cap - 1);
    struct key_slot *dead = NULL;

    for (;; at = (at + 1) & (x->cap - 1)) {
        struct key_slot *slot = &x->slots[at];

        if (slot->file == 0) return dead != NULL ? dead : slot;
        if (slot->file == DEAD) {
            if (dead == NULL) dead = slot;
        } else if (slot->lo == key.lo && slot->hi == key.hi) {
            return slot;
        }
    }
}

static enum status resize(struct keyindex *x, size_t cap)
{
    struct keyindex bigger = *x;

    bigger.cap = cap;
    bigger.slots = calloc(cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) return ST_NOMEM;
    for (size_t i = 0; i < x->cap; i++)
        if (x->slots[i].file != 0 && x->slots[i].file != DEAD)
            *probe(&bigger, (struct key128){x->slots[i].lo, x->slots[i].hi}) = x->slots[i];
    bigger.used = x->live;
    free(x->slots);
    *x = bigger;
    return ST_OK;
}

static enum status file_slot(struct keyindex *x, uint64_t file, uint32_t *slot)
{
    if (x->file_count > 0 && x->files[x->file_count - 1] == file) {
        *slot = x->file_count;
        return ST_OK;
    }
    for (uint32_t i = x->file_count; i-- > 0;)
        if (x->files[i] == file) {
            *slot = i + 1;
            return ST_OK;
        }
    if (x->file_count == x->file_cap) {
        uint32_t cap = x->file_cap == 0 ? 16 : 2 * x->file_cap;
        uint64_t *more = realloc(x->files, cap * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        x->files = more;
        x->file_cap = cap;
    }
    x->files[x->file_count++] = file;
    *slot = x->file_count;
    return ST_OK;
}

bool keyindex_find(const struct keyindex *x, struct key128 key, uint64_t *file, uint32_t *row)
{
    const struct key_slot *slot;

    if (x->cap == 0) return false;
    slot = probe(x, key);
    if (slot->file == 0 || slot->file == DEAD) return false;
    *file = x->files[slot->file - 1];
    *row = slot->row;
    return true;
}

enum status keyindex_put(struct keyindex *x, struct key128 key, uint64_t file, uint32_t row)
{
    struct key_slot *slot;
    uint32_t file_at;

    if (file_slot(x, file, &file_at) != ST_OK) return ST_NOMEM;
    if (4 * (x->used + 1) > 3 * x->cap &&
        resize(x, x->cap == 0 ? 1024 : 2 * x->live > x->cap / 2 ? 2 * x->cap : x->cap) != ST_OK)
        return ST_NOMEM;
    slot = probe(x, key);
    if (slot->file == 0) x->used++;
    if (slot->file == 0 || slot->file == DEAD) x->live++;
    *slot = (struct key_slot){key.lo, key.hi, file_at, row};
    return ST_OK;
}

void keyindex_remove(struct keyindex *x, struct key128 key)
{
    struct key_slot *slot;

    if (x->cap == 0) return;
    slot = probe(x, key);
    if (slot->file == 0 || slot->file == DEAD) return;
    slot->file = DEAD;
    x->live--;
}

struct build {
    struct keyindex *x;
    const struct schema *schema;
    struct value *values;
    struct buf scratch;
    struct fault *f;
};

static enum status add_versions(void *ctx, const struct version_batch *b)
{
    struct build *d = ctx;
    const struct schema *s = d->schema;

    for (uint32_t i = 0; i < b->rows; i++) {
        struct key128 key;
        enum status st;

        if (b->end[i] != LSN_MAX) continue;
        for (int k = 0; k < s->key_count; k++) d->values[s->key[k]] = vec_value(&b->cols[k], i);
        st = keyindex_key(s, d->values, &d->scratch, &key, d->f);
        if (st == ST_OK) st = keyindex_put(d->x, key, b->tf->id, (uint32_t)(b->first_row + i));
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status add_rows(struct keyindex *x, const struct table *t, const struct table_file *only,
                            struct fault *f)
{
    struct build d = {.x = x, .schema = &t->schema, .f = f};
    int columns[KEY_COLUMNS_MAX];
    enum status st;

    assert(t->schema.key_count > 0);
    d.values = calloc(t->schema.column_count, sizeof *d.values);
    if (d.values == NULL) return ST_NOMEM;
    for (int k = 0; k < t->schema.key_count; k++) columns[k] = t->schema.key[k];
    st = table_versions(t, only, columns, t->schema.key_count, add_versions, &d, f);
    free(d.values);
    buf_free(&d.scratch);
    return st;
}

enum status keyindex_build(const struct table *t, struct keyindex *x, struct fault *f)
{
    enum status st;

    keyindex_free(x);
    st = resize(x, 1024);
    if (st == ST_OK) st = add_rows(x, t, NULL, f);
    if (st != ST_OK) keyindex_free(x);
    return st;
}

enum status keyindex_add_file(struct keyindex *x, const struct table *t, const struct table_file *tf,
                              struct fault *f)
{
    return add_rows(x, t, tf, f);
}
