/* table - rows and their indexes, kept together.
 *
 * A table is a tree of  primary key -> row,  and for each index a tree of  index columns + primary key ->
 * nothing. A unique index is the same tree; before an insert it is asked whether an entry begins with
 * the columns already. As elsewhere in SQL, null equals nothing: rows with a null there are never equal. */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/values/key.h"

static enum seam_status no_memory(const struct oltp_table *tb, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                          "no memory for a row");
}

/* Is there an entry that begins with `prefix` and belongs to another row? */
static enum seam_status unique_taken(struct oltp_txn *t, const struct oltp_table *tb, unsigned ix,
                                     const uint8_t *entry, size_t prefix, struct wal_bytes primary,
                                     bool *taken, struct seam_fault *f)
{
    struct oltp_tree_cursor c = {
        .pager = &t->db->pager, .tree = t->trees[tb->index[ix]], .hazard = t->hazard};
    uint8_t found[OLTP_KEY_MAX];
    enum seam_status st = oltp_tree_seek(&c, entry, prefix, f);

    *taken = false;
    for (;;) {
        size_t n;

        if (st == SEAM_OK && c.at == c.count) st = oltp_tree_next_leaf(&c, f);
        if (st != SEAM_OK) break;
        n = oltp_page_key(c.leaf, c.at++, found);
        if (n < prefix || memcmp(found, entry, prefix) != 0) break;
        if (n - prefix != primary.size || memcmp(found + prefix, primary.data, primary.size) != 0) {
            *taken = true;
            break;
        }
    }
    hazard_clear(t->hazard);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status check_unique(struct oltp_txn *t, const struct oltp_table *tb,
                                     const struct seam_value *values, struct wal_bytes primary,
                                     struct seam_fault *f)
{
    for (unsigned ix = 0; ix < tb->schema.index_count; ix++) {
        size_t prefix;
        bool has_null, taken = false;
        enum seam_status st =
            oltp_index_entry_key(tb, ix, values, primary, &t->index_key, &prefix, &has_null, f);

        if (st == SEAM_OK && tb->schema.indexes[ix].unique && !has_null)
            st = unique_taken(t, tb, ix, t->index_key.data, prefix, primary, &taken, f);
        if (st != SEAM_OK) return st;
        if (taken)
            return seam_fault_set(f, SEAM_EXISTS, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                                  "unique index \"%s\" has this value already",
                                  tb->schema.indexes[ix].name);
    }
    return SEAM_OK;
}

static enum seam_status index_change(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                     unsigned ix, const struct seam_value *values,
                                     struct wal_bytes primary, bool add, struct seam_fault *f)
{
    struct oltp_tree_writer *w = &t->db->w;
    struct oltp_tree *tree = &t->trees[tb->index[ix]];
    uint32_t number = tree_number(id, tb->schema.indexes[ix].id);
    size_t prefix;
    bool has_null;
    enum seam_status st =
        oltp_index_entry_key(tb, ix, values, primary, &t->index_key, &prefix, &has_null, f);

    if (st == SEAM_OK)
        st = oltp_tree_prepare(w, tree, number, t->index_key.data, t->index_key.size, f);
    if (st != SEAM_OK) return st;
    if (add == w->exact)
        return seam_fault_set(f, SEAM_CORRUPT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "index \"%s\" and its table disagree: run verify",
                              tb->schema.indexes[ix].name);
    if (add) return oltp_tree_store(w, t->index_key.data, t->index_key.size, NULL, 0, f);
    return oltp_tree_erase(w, t->index_key.data, t->index_key.size, f);
}

static bool index_same(const struct oltp_table *tb, unsigned ix, const struct seam_value *a,
                       const struct seam_value *b)
{
    const struct seam_index_def *def = &tb->schema.indexes[ix];

    for (unsigned i = 0; i < def->count; i++)
        if (!seam_value_equal(&a[def->columns[i]], &b[def->columns[i]])) return false;
    return true;
}

/* Old and new may be NULL: no row before, none after. */
static enum seam_status indexes_change(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                       const struct seam_value *old, const struct seam_value *new,
                                       struct wal_bytes primary, struct seam_fault *f)
{
    for (unsigned ix = 0; ix < tb->schema.index_count; ix++) {
        enum seam_status st = SEAM_OK;

        if (old != NULL && new != NULL && index_same(tb, ix, old, new)) continue;
        if (old != NULL) st = index_change(t, id, tb, ix, old, primary, false, f);
        if (st == SEAM_OK && new != NULL) st = index_change(t, id, tb, ix, new, primary, true, f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

/* What the change demands of the stored row. SEAM_END: nothing to do. */
static enum seam_status check_before(const struct oltp_table *tb, const struct oltp_row_change *c,
                                     bool found, struct wal_bytes before, struct seam_fault *f)
{
    if (found && c->must_not_exist)
        return seam_fault_set(f, SEAM_EXISTS, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "a row has this key already");
    if (!found && (c->must_exist || c->op == WAL_OP_DELETE) && !c->tolerate_missing)
        return seam_fault_set(f, SEAM_NOT_FOUND, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "no row has this key");
    if (found && c->if_column >= 0) {
        struct seam_value is;
        enum seam_status st =
            seam_row_get(&tb->schema, before.data, before.size, c->if_column, &is, f);

        if (st != SEAM_OK) return st;
        if (!seam_value_equal(&is, c->expected))
            return seam_fault_set(f, SEAM_CONFLICT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                                  "the row's %s is not the expected one: someone changed it",
                                  tb->schema.columns[c->if_column].name);
    }
    return SEAM_OK;
}

static enum seam_status log_change(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                   const struct oltp_row_change *c, bool found,
                                   struct wal_bytes before, struct seam_fault *f)
{
    struct wal_change_row r = {.txn = t->id,
                               .seq = t->seq,
                               .table = id,
                               .version = tb->schema.version,
                               .op = (uint8_t)(c->op == WAL_OP_DELETE ? WAL_OP_DELETE
                                               : found                ? WAL_OP_UPDATE
                                                                      : WAL_OP_INSERT),
                               .flags = c->flags,
                               .key = c->key};

    if (!c->log) return SEAM_OK;
    if (found) r.before = before;
    if (c->op != WAL_OP_DELETE) r.after = c->row;
    return oltp_log_row(t, &r, f);
}

/* From the log record on, a failure (a full cache, no memory) leaves the trees half changed: only rolling back
 * remains. */
static enum seam_status halfway(struct oltp_txn *t, enum seam_status st)
{
    if (st != SEAM_OK && t->failed == SEAM_OK) t->failed = st;
    return st;
}

/* Without indexes one descent does everything. */
static enum seam_status apply_plain(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                    const struct oltp_row_change *c, struct seam_fault *f)
{
    struct oltp_tree_writer *w = &t->db->w;
    struct wal_bytes before = {0};
    enum seam_status st = oltp_tree_prepare(w, &t->trees[tb->primary], tree_number(id, 0),
                                            c->key.data, c->key.size, f);

    if (st == SEAM_OK && w->exact) st = oltp_tree_prepared_value(w, &t->big, &before, f);
    if (st == SEAM_OK) st = check_before(tb, c, w->exact, before, f);
    if (st == SEAM_OK) st = log_change(t, id, tb, c, w->exact, before, f);
    if (st != SEAM_OK) return st;
    if (c->op != WAL_OP_DELETE)
        return halfway(t,
                       oltp_tree_store(w, c->key.data, c->key.size, c->row.data, c->row.size, f));
    return w->exact ? halfway(t, oltp_tree_erase(w, c->key.data, c->key.size, f)) : SEAM_OK;
}

/* With indexes the row before is copied aside: the trees change under it. */
static enum seam_status apply_indexed(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                      const struct oltp_row_change *c, struct seam_fault *f)
{
    struct oltp_tree_writer *w = &t->db->w;
    struct wal_bytes before = {0};
    const struct seam_value *old = NULL, *new = NULL;
    enum seam_status st = oltp_tree_get(&t->db->pager, &t->trees[tb->primary], c->key.data,
                                        c->key.size, t->hazard, &t->big, &before, f);
    bool found = st == SEAM_OK;

    if (st != SEAM_OK && st != SEAM_NOT_FOUND) return st;
    st = check_before(tb, c, found, before, f);
    if (st == SEAM_OK && found) {
        seam_buf_clear(&t->before);
        seam_buf_append(&t->before, before.data, before.size);
        if (!seam_buf_ok(&t->before)) return no_memory(tb, f);
        before.data = t->before.data;
        st = seam_row_decode(&tb->schema, before.data, before.size, t->old_values, f);
        old = t->old_values;
    }
    if (st == SEAM_OK && c->op != WAL_OP_DELETE) {
        /* From the encoded copy: the caller's values may point at a row it read, which moves with the trees. */
        st = seam_row_decode(&tb->schema, c->row.data, c->row.size, t->values, f);
        new = t->values;
        if (st == SEAM_OK) st = check_unique(t, tb, new, c->key, f);
    }
    if (st == SEAM_OK) st = log_change(t, id, tb, c, found, before, f);
    if (st != SEAM_OK) return st;
    if (found || c->op != WAL_OP_DELETE)
        st = oltp_tree_prepare(w, &t->trees[tb->primary], tree_number(id, 0), c->key.data,
                               c->key.size, f);
    if (st == SEAM_OK && c->op != WAL_OP_DELETE)
        st = oltp_tree_store(w, c->key.data, c->key.size, c->row.data, c->row.size, f);
    else if (st == SEAM_OK && found)
        st = oltp_tree_erase(w, c->key.data, c->key.size, f);
    return halfway(t, st == SEAM_OK ? indexes_change(t, id, tb, old, new, c->key, f) : st);
}

enum seam_status oltp_row_apply(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                const struct oltp_row_change *c, struct seam_fault *f)
{
    enum seam_status st;

    if (c->key.size > OLTP_KEY_MAX)
        return seam_fault_set(f, SEAM_LIMIT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "a key of %zu bytes; at most %d are allowed", c->key.size,
                              OLTP_KEY_MAX);
    if (c->row.size > OLTP_ROW_MAX)
        return seam_fault_set(f, SEAM_LIMIT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "a row of %zu bytes; at most %d are allowed", c->row.size,
                              OLTP_ROW_MAX);
    st =
        tb->schema.index_count == 0 ? apply_plain(t, id, tb, c, f) : apply_indexed(t, id, tb, c, f);
    if (st == SEAM_OK) {
        t->changes++;
        t->seq++;
    }
    t->stamp++;
    return st;
}

/* ---- the front door -------------------------------------------------------------------------------- */

static enum seam_status change_begin(struct oltp_txn *t, uint32_t table,
                                     const struct oltp_table **tb, struct seam_fault *f)
{
    if (!t->write)
        return seam_fault_set(f, SEAM_UNSUPPORTED, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "a read transaction changes nothing");
    if (t->failed != SEAM_OK)
        return seam_fault_set(f, t->failed, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "the transaction failed earlier: roll it back");
    *tb = table_of(t, table);
    return *tb == NULL ? oltp_table_unknown(table, f) : SEAM_OK;
}

/* Statuses that say "no" before anything happened leave the transaction as it was. */
static enum seam_status change_end(struct oltp_txn *t, enum seam_status st)
{
    if (st == SEAM_IO || st == SEAM_NOMEM || st == SEAM_CORRUPT) return oltp_txn_fatal(t, st);
    return st;
}

static enum seam_status change_values(struct oltp_txn *t, uint32_t table,
                                      const struct seam_value *values, struct oltp_row_change c,
                                      struct seam_fault *f)
{
    const struct oltp_table *tb;
    enum seam_status st = change_begin(t, table, &tb, f);

    if (st != SEAM_OK) return st;
    seam_buf_clear(&t->row);
    seam_buf_clear(&t->key);
    st = seam_row_encode(&tb->schema, values, &t->row, f);
    if (st == SEAM_OK) st = seam_row_key(&tb->schema, values, &t->key, f);
    if (st != SEAM_OK) return st;
    c.op = WAL_OP_UPDATE;
    c.log = true;
    c.key = (struct wal_bytes){t->key.data, t->key.size};
    c.row = (struct wal_bytes){t->row.data, t->row.size};
    return change_end(t, oltp_row_apply(t, table, tb, &c, f));
}

enum seam_status oltp_put(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
                          struct seam_fault *f)
{
    return change_values(t, table, values, (struct oltp_row_change){.if_column = -1}, f);
}

enum seam_status oltp_insert(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
                             struct seam_fault *f)
{
    return change_values(t, table, values,
                         (struct oltp_row_change){.if_column = -1, .must_not_exist = true}, f);
}

enum seam_status oltp_update(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
                             struct seam_fault *f)
{
    return change_values(t, table, values,
                         (struct oltp_row_change){.if_column = -1, .must_exist = true}, f);
}

enum seam_status oltp_update_if(struct oltp_txn *t, uint32_t table, const struct seam_value *values,
                                int column, const struct seam_value *expected, struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);

    if (tb != NULL && (column < 0 || column >= tb->schema.column_count))
        return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "no column %d", column);
    return change_values(
        t, table, values,
        (struct oltp_row_change){.if_column = column, .must_exist = true, .expected = expected}, f);
}

enum seam_status oltp_delete(struct oltp_txn *t, uint32_t table,
                             const struct seam_value *key_values, struct seam_fault *f)
{
    struct oltp_row_change c = {.op = WAL_OP_DELETE, .if_column = -1, .log = true};
    const struct oltp_table *tb;
    enum seam_status st = change_begin(t, table, &tb, f);

    if (st != SEAM_OK) return st;
    seam_buf_clear(&t->key);
    st = oltp_key(t, table, 0, key_values, tb->schema.key_count, &t->key, f);
    if (st != SEAM_OK) return st;
    c.key = (struct wal_bytes){t->key.data, t->key.size};
    return change_end(t, oltp_row_apply(t, table, tb, &c, f));
}

/* Is it what oltp_key makes of some values? */
static bool key_valid(struct oltp_txn *t, const struct oltp_table *tb, struct wal_bytes key)
{
    const uint8_t *p = key.data, *end = key.data + key.size;

    seam_buf_clear(&t->text);
    for (unsigned i = 0; i < tb->schema.key_count; i++) {
        struct seam_value v;
        enum seam_value_type type = tb->schema.columns[tb->schema.key[i]].type;

        if (seam_key_read(&p, end, type, &v, &t->text) != SEAM_OK || v.type == SEAM_V_NULL)
            return false;
    }
    return p == end;
}

enum seam_status oltp_apply(struct oltp_txn *t, uint32_t table, enum wal_change_op op,
                            uint8_t flags, struct wal_bytes key, struct wal_bytes row,
                            struct seam_fault *f)
{
    struct oltp_row_change c = {.op = op,
                                .if_column = -1,
                                .log = true,
                                .key = key,
                                .flags = flags & WAL_CHANGE_REPAIR,
                                .must_not_exist = op == WAL_OP_INSERT,
                                .tolerate_missing = (flags & WAL_CHANGE_REPAIR) != 0};
    const struct oltp_table *tb;
    enum seam_status st = change_begin(t, table, &tb, f);

    if (st != SEAM_OK) return st;
    if (op != WAL_OP_INSERT && op != WAL_OP_UPDATE && op != WAL_OP_DELETE)
        return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "there is no change of the kind %d", (int)op);
    if (op == WAL_OP_DELETE && !key_valid(t, tb, key)) /* logged also when no row has it */
        return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "these %zu bytes are no key of the table", key.size);
    if (op != WAL_OP_DELETE) {
        seam_buf_clear(&t->row); /* it may be where this call reads the row before */
        seam_buf_append(&t->row, row.data, row.size);
        if (!seam_buf_ok(&t->row)) return oltp_txn_fatal(t, no_memory(tb, f));
        row = (struct wal_bytes){t->row.data, t->row.size};
        st = seam_row_decode(&tb->schema, row.data, row.size, t->values, f);
        seam_buf_clear(&t->key);
        if (st == SEAM_OK) st = seam_row_key(&tb->schema, t->values, &t->key, f);
        if (st != SEAM_OK || seam_key_compare(t->key.data, t->key.size, key.data, key.size) != 0)
            return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                                  "the row does not have the key given");
        c.row = row;
        c.op = WAL_OP_UPDATE;
    }
    return change_end(t, oltp_row_apply(t, table, tb, &c, f));
}
