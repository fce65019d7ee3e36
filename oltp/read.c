/* read - gets and cursors. */
#include "oltp/db.h"

#include <stdlib.h>

static enum seam_status no_memory(struct oltp_txn *t, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, t->db->dir, SEAM_FAULT_NO_OFFSET, "no memory for a key");
}

/* ---- gets ------------------------------------------------------------------------------------------ */

enum seam_status oltp_get_key(struct oltp_txn *t, uint32_t table, struct wal_bytes key,
                              struct oltp_row *out, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);

    if (seam_unlikely(tb == NULL)) return oltp_table_unknown(table, f);
    out->key = key;
    out->index_key = (struct wal_bytes){0};
    return oltp_tree_get(&t->db->pager, &t->trees[tb->primary], key.data, key.size, t->hazard,
                         &t->big, &out->row, f);
}

enum seam_status oltp_get(struct oltp_txn *t, uint32_t table, const struct seam_value *key_values,
                          struct oltp_row *out, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    enum seam_status st;

    if (seam_unlikely(tb == NULL)) return oltp_table_unknown(table, f);
    seam_buf_clear(&t->key);
    st = oltp_key(t, table, 0, key_values, tb->schema.key_count, &t->key, f);
    if (seam_unlikely(st != SEAM_OK)) return st;
    return oltp_get_key(t, table, (struct wal_bytes){t->key.data, t->key.size}, out, f);
}

enum seam_status oltp_get_by(struct oltp_txn *t, uint32_t table, uint32_t index,
                             const struct seam_value *values, struct oltp_row *out,
                             struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    struct oltp_tree_cursor c = {.pager = &t->db->pager, .hazard = t->hazard};
    uint8_t entry[OLTP_KEY_MAX];
    struct wal_bytes primary;
    size_t n;
    int at;
    enum seam_status st;

    if (tb == NULL) return oltp_table_unknown(table, f);
    at = oltp_index_position(tb, index);
    if (at < 0) return oltp_index_unknown(tb, index, f);
    seam_buf_clear(&t->key);
    st = oltp_key(t, table, index, values, tb->schema.indexes[at].count, &t->key, f);
    if (st != SEAM_OK) return st;
    c.tree = t->trees[tb->index[at]];
    st = oltp_tree_seek(&c, t->key.data, t->key.size, f);
    if (st == SEAM_OK && c.at == c.count) st = oltp_tree_next_leaf(&c, f);
    if (st == SEAM_END) return SEAM_NOT_FOUND;
    if (st != SEAM_OK) return st;
    n = oltp_page_key(c.leaf, c.at, entry);
    if (n < t->key.size || memcmp(entry, t->key.data, t->key.size) != 0) return SEAM_NOT_FOUND;
    primary = (struct wal_bytes){entry + t->key.size, n - t->key.size};
    seam_buf_clear(&t->big);
    seam_buf_append(&t->key, primary.data,
                    primary.size); /* index entry; its tail is the primary key */
    if (!seam_buf_ok(&t->key)) return no_memory(t, f);
    primary.data = t->key.data + t->key.size - primary.size;
    st = oltp_get_key(t, table, primary, out, f);
    out->index_key = (struct wal_bytes){t->key.data, t->key.size};
    if (st == SEAM_NOT_FOUND)
        return seam_fault_set(f, SEAM_CORRUPT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "an index entry without its row: run verify");
    return st;
}

/* ---- cursors --------------------------------------------------------------------------------------- */

enum { ROWS_AHEAD = 8 };

static struct oltp_cursor *cursor_new(struct oltp_txn *t, struct seam_fault *f)
{
    struct oltp_cursor *c = t->spare;

    if (c != NULL) {
        t->spare = c->next_spare;
        return c;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        seam_no_memory(f, "a cursor");
        return NULL;
    }
    c->c.hazard = oltp_hazard_take(&t->db->pager);
    c->row_hazard = oltp_hazard_take(&t->db->pager);
    if (c->c.hazard != NULL && c->row_hazard != NULL) return c;
    if (c->c.hazard != NULL) oltp_hazard_give(c->c.hazard);
    free(c);
    seam_fault_set(f, SEAM_LIMIT, t->db->dir, SEAM_FAULT_NO_OFFSET, "too many cursors are open");
    return NULL;
}

void oltp_cursor_free(struct oltp_cursor *c)
{
    oltp_hazard_give(c->c.hazard);
    oltp_hazard_give(c->row_hazard);
    seam_buf_free(&c->lower);
    seam_buf_free(&c->upper);
    seam_buf_free(&c->place);
    seam_buf_free(&c->big);
    free(c);
}

static bool bound_set(struct seam_buf *to, struct wal_bytes from, bool past, bool *has)
{
    seam_buf_clear(to);
    seam_buf_append(to, from.data, from.size);
    *has = true;
    if (past && !seam_key_successor(to)) return false; /* nothing is above it */
    return true;
}

static enum seam_status cursor_bounds(struct oltp_cursor *c, const struct oltp_range *r)
{
    c->has_lower = c->has_upper = false;
    if (r == NULL) return SEAM_OK;
    if (r->lower.data != NULL && !bound_set(&c->lower, r->lower, r->lower_excluded, &c->has_lower))
        return SEAM_END;
    if (r->upper.data != NULL && !bound_set(&c->upper, r->upper, r->upper_included, &c->has_upper))
        c->has_upper = false;
    return seam_buf_ok(&c->lower) && seam_buf_ok(&c->upper) ? SEAM_OK : SEAM_NOMEM;
}

enum seam_status oltp_cursor_open(struct oltp_txn *t, uint32_t table, uint32_t index,
                                  const struct oltp_range *range, unsigned flags,
                                  struct oltp_cursor **out, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    struct oltp_cursor *c;
    struct seam_fault why = {0};
    int at = -1;
    enum seam_status st;

    if (tb == NULL) return oltp_table_unknown(table, f);
    if (index != 0 && (at = oltp_index_position(tb, index)) < 0)
        return oltp_index_unknown(tb, index, f);
    c = cursor_new(t, &why);
    if (c == NULL) {
        seam_fault_give(f, &why);
        return why.status;
    }
    c->t = t;
    c->table = table;
    c->def = tb;
    c->index = at;
    c->slot = at < 0 ? tb->primary : tb->index[at];
    c->flags = flags;
    c->c.pager = &t->db->pager;
    c->c.leaf = NULL;
    c->placed = false;
    c->key_size = 0;
    st = cursor_bounds(c, range);
    if (st == SEAM_END) { /* an empty range: below everything */
        seam_buf_clear(&c->upper);
        c->has_upper = true;
    } else if (st != SEAM_OK) {
        oltp_cursor_close(c);
        return no_memory(t, f);
    }
    *out = c;
    return SEAM_OK;
}

void oltp_cursor_close(struct oltp_cursor *c)
{
    if (c == NULL) return;
    hazard_clear(c->c.hazard);
    hazard_clear(c->row_hazard);
    if (hazards_scarce(
            &c->t->db->pager)) { /* spare ones of this transaction are of no use to others */
        oltp_cursor_free(c);
        return;
    }
    c->next_spare = c->t->spare;
    c->t->spare = c;
}

/* Which of the leaf's entries the range takes in. A leaf reached from the one before (after) is known to lie
 * above the lower (below the upper) bound. */
static void cursor_window(struct oltp_cursor *c, bool may_begin, bool may_end)
{
    bool exact;

    c->begin = 0;
    c->end = c->c.count;
    if (c->has_lower && may_begin)
        c->begin = oltp_page_find(c->c.leaf, c->lower.data, c->lower.size, &exact);
    if (c->has_upper && may_end)
        c->end = oltp_page_find(c->c.leaf, c->upper.data, c->upper.size, &exact);
    if (c->begin > c->end) c->begin = c->end;
}

static enum seam_status cursor_place(struct oltp_cursor *c, const uint8_t *key, size_t n,
                                     struct seam_fault *f)
{
    enum seam_status st;

    c->c.tree = c->t->trees[c->slot];
    c->stamp = c->t->stamp;
    c->c.leaf = NULL;
    if (c->has_lower && seam_key_compare(key, n, c->lower.data, c->lower.size) < 0) {
        key = c->lower.data;
        n = c->lower.size;
    }
    if (c->has_upper && seam_key_compare(key, n, c->upper.data, c->upper.size) > 0) {
        key = c->upper.data;
        n = c->upper.size;
    }
    st = oltp_tree_seek(&c->c, key, n, f);
    if (st != SEAM_OK) return st;
    cursor_window(c, key != c->lower.data, true);
    if (c->has_lower && key == c->lower.data) c->begin = c->c.at < c->end ? c->c.at : c->end;
    return SEAM_OK;
}

static enum seam_status cursor_place_end(struct oltp_cursor *c, bool last, struct seam_fault *f)
{
    enum seam_status st;

    if (last ? c->has_upper : c->has_lower) {
        const struct seam_buf *b = last ? &c->upper : &c->lower;

        return cursor_place(c, b->data, b->size, f);
    }
    c->c.tree = c->t->trees[c->slot];
    c->stamp = c->t->stamp;
    c->c.leaf = NULL;
    st = oltp_tree_seek_end(&c->c, last, f);
    if (st == SEAM_OK) cursor_window(c, true, true);
    return st;
}

/* Before a step: one that stands at no key yet goes to its end, also when it was there before: the step failed, or found
 * no row and the tree has changed since. Others find their key again. */
static enum seam_status cursor_ready(struct oltp_cursor *c, bool forward, struct seam_fault *f)
{
    enum seam_status st;

    if (!c->placed) {
        st = cursor_place_end(c, !forward, f);
    } else {
        bool exact;

        st = cursor_place(c, c->place.data, c->place.size, f);
        if (st == SEAM_OK && c->after) {
            c->c.at = oltp_page_find(c->c.leaf, c->place.data, c->place.size, &exact);
            c->c.at += exact;
        }
    }
    return st;
}

/* Write transactions remember the key they stand on: the next change may move everything. */
static enum seam_status cursor_remember(struct oltp_cursor *c, size_t n, bool after,
                                        struct seam_fault *f)
{
    seam_buf_clear(&c->place);
    seam_buf_append(&c->place, c->key, n);
    c->placed = true;
    c->after = after;
    return seam_buf_ok(&c->place) ? SEAM_OK : no_memory(c->t, f);
}

/* Entry i of the leaf, as the caller sees it. */
static inline enum seam_status cursor_row(struct oltp_cursor *c, unsigned i, bool after,
                                          struct oltp_row *out, struct seam_fault *f)
{
    const uint8_t *leaf = c->c.leaf;
    struct oltp_cell cell = page_cell_at(leaf, page_slot(leaf, i), true);
    unsigned prefix = page_prefix(leaf);
    size_t n = (size_t)prefix + cell.suffix;
    struct wal_bytes primary;
    enum seam_status st;

    if (i + ROWS_AHEAD < c->c.count) { /* rows lie a few lines apart: ask for one that comes soon */
        const uint8_t *soon = leaf + page_slot(leaf, i + ROWS_AHEAD);

        __builtin_prefetch(soon);
        __builtin_prefetch(soon + 64);
        __builtin_prefetch(soon + 192);
    }
    if (seam_likely(prefix <= 8))
        seam_put_u64(c->key, seam_get_u64(leaf + PAGE_HEADER_SIZE));
    else
        memcpy(c->key, leaf + PAGE_HEADER_SIZE, prefix);
    c->key_size = n;
    seam_put_u32(c->key + prefix, __builtin_bswap32(page_head(leaf, i)));
    if (cell.suffix > 4) memcpy(c->key + prefix + 4, cell.rest, cell.suffix - 4u);
    if (seam_unlikely(c->t->write)) {
        st = cursor_remember(c, n, after, f);
        if (st != SEAM_OK) return st;
    }
    if (seam_likely(c->index < 0)) {
        out->key = (struct wal_bytes){c->key, n};
        out->index_key = (struct wal_bytes){0};
        if (seam_unlikely(cell.big))
            return oltp_cell_value(c->c.pager, &cell, c->row_hazard, &c->big, &out->row, f);
        out->row = (struct wal_bytes){cell.value, cell.size};
        return SEAM_OK;
    }
    out->index_key = (struct wal_bytes){c->key, n};
    st = oltp_index_entry_primary(&c->def->schema, (unsigned)c->index, out->index_key, &c->t->text,
                                  &primary, f);
    if (st != SEAM_OK) return st;
    out->key = primary;
    out->row = (struct wal_bytes){0};
    if (c->flags & OLTP_KEYS_ONLY) return SEAM_OK;
    st = oltp_tree_get(c->c.pager, &c->t->trees[c->def->primary], primary.data, primary.size,
                       c->row_hazard, &c->big, &out->row, f);
    if (st == SEAM_NOT_FOUND)
        return seam_fault_set(f, SEAM_CORRUPT, c->def->schema.name, SEAM_FAULT_NO_OFFSET,
                              "an index entry without its row: run verify");
    return st;
}

/* A step that failed leaves the cursor where it was, to be tried again: behind the last row it gave, or where it was
 * put. */
static enum seam_status cursor_failed(struct oltp_cursor *c, bool forward, enum seam_status st)
{
    if (st == SEAM_END) return st;
    if (c->key_size > 0 && cursor_remember(c, c->key_size, forward, NULL) != SEAM_OK)
        return SEAM_NOMEM;
    c->c.leaf = NULL;
    return st;
}

/* A row that could not be had whole is the next one still. */
static enum seam_status cursor_stays(struct oltp_cursor *c, bool forward, enum seam_status st)
{
    if (c->t->write) c->after = !forward;
    return st;
}

static inline bool cursor_is_placed(const struct oltp_cursor *c)
{
    return c->c.leaf != NULL && c->stamp == c->t->stamp;
}

enum seam_status oltp_cursor_next(struct oltp_cursor *c, struct oltp_row *out, struct seam_fault *f)
{
    enum seam_status st;

    if (seam_unlikely(!cursor_is_placed(c))) {
        st = cursor_ready(c, true, f);
        if (st != SEAM_OK) return st;
    }
    while (seam_unlikely(c->c.at >= c->end)) {
        if (c->end < c->c.count) return SEAM_END; /* the range ends in this leaf */
        st = oltp_tree_next_leaf(&c->c, f);
        if (st != SEAM_OK) return cursor_failed(c, true, st);
        cursor_window(c, false, true);
        c->c.at = c->begin;
        if (c->end == 0) return SEAM_END;
    }
    st = cursor_row(c, c->c.at, true, out, f);
    if (seam_unlikely(st != SEAM_OK)) return cursor_stays(c, true, st);
    c->c.at++;
    return SEAM_OK;
}

enum seam_status oltp_cursor_prev(struct oltp_cursor *c, struct oltp_row *out, struct seam_fault *f)
{
    enum seam_status st;

    if (seam_unlikely(!cursor_is_placed(c))) {
        st = cursor_ready(c, false, f);
        if (st != SEAM_OK) return st;
    }
    if (c->c.at > c->end) c->c.at = c->end;
    while (seam_unlikely(c->c.at <= c->begin)) {
        if (c->begin > 0) return SEAM_END;
        st = oltp_tree_prev_leaf(&c->c, f);
        if (st != SEAM_OK) return cursor_failed(c, false, st);
        cursor_window(c, true, false);
        c->c.at = c->end;
        if (c->begin == c->c.count && c->begin > 0) return SEAM_END;
    }
    st = cursor_row(c, c->c.at - 1, false, out, f);
    if (seam_unlikely(st != SEAM_OK)) return cursor_stays(c, false, st);
    c->c.at--;
    return SEAM_OK;
}

enum seam_status oltp_cursor_seek(struct oltp_cursor *c, struct wal_bytes key, struct seam_fault *f)
{
    enum seam_status st = cursor_place(c, key.data, key.size, f);

    c->placed = true;
    c->key_size = 0;
    seam_buf_clear(&c->place);
    seam_buf_append(&c->place, key.data, key.size);
    c->after = false;
    if (!seam_buf_ok(&c->place)) return no_memory(c->t, f);
    return st == SEAM_END ? SEAM_OK : st; /* an empty table: next and prev will say so */
}
