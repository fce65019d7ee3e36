/* table - rows and their indexes, kept together.
 *
 * A table is a tree of  primary key -> row,  and for each index a tree of  index columns + primary key ->
 * nothing. A unique index is the same tree; before an insert it is asked whether an entry begins with
 * the columns already. As elsewhere in SQL, null equals nothing: rows with a null there are never equal. */
#include "oltp/db.h"

#include <stdlib.h>

enum status table_unknown(uint32_t table, struct fault *f)
{
    return fault_set(f, ST_NOT_FOUND, NULL, FAULT_NO_OFFSET, "no table has the id %u", table);
}

static enum status no_memory(const struct table *tb, struct fault *f)
{
    return fault_set(f, ST_NOMEM, tb->schema.name, FAULT_NO_OFFSET, "no memory for a row");
}

enum status index_entry_key(const struct table *tb, unsigned ix, const struct value *values,
                            struct bytes primary, struct buf *out, size_t *prefix, bool *has_null,
                            struct fault *f)
{
    const struct index_def *def = &tb->schema.indexes[ix];
    enum status st;

    buf_clear(out);
    *has_null = false;
    for (unsigned i = 0; i < def->count; i++)
        *has_null |= values[def->columns[i]].type == V_NULL;
    st = row_index_key(&tb->schema, def, values, out, f);
    if (st != ST_OK) return st;
    *prefix = out->size;
    buf_append(out, primary.data, primary.size);
    if (!buf_ok(out)) return no_memory(tb, f);
    if (out->size > OLTP_KEY_MAX)
        return fault_set(f, ST_LIMIT, tb->schema.name, FAULT_NO_OFFSET,
                         "an entry of index \"%s\" would take %zu bytes, at most %d are allowed",
                         def->name, out->size, OLTP_KEY_MAX);
    return ST_OK;
}

enum status index_entry_primary(const struct schema *s, unsigned ix, struct bytes entry,
                                struct buf *text, struct bytes *primary, struct fault *f)
{
    const struct index_def *def = &s->indexes[ix];
    const uint8_t *p = entry.data, *end = entry.data + entry.size;

    for (unsigned i = 0; i < def->count; i++) {
        struct value v;
        enum status st;

        buf_clear(text);
        st = key_read(&p, end, s->columns[def->columns[i]].type, &v, text);
        if (st != ST_OK)
            return fault_set(f, st, s->name, FAULT_NO_OFFSET, "a damaged entry in index \"%s\"",
                             def->name);
    }
    *primary = (struct bytes){p, (size_t)(end - p)};
    return ST_OK;
}

/* Is there an entry that begins with `prefix` and belongs to another row? */
static enum status unique_taken(struct oltp_txn *t, const struct table *tb, unsigned ix,
                                const uint8_t *entry, size_t prefix, struct bytes primary,
                                bool *taken, struct fault *f)
{
    struct tree_cursor c = {
        .pager = &t->db->pager, .tree = t->trees[tb->index[ix]], .hazard = t->hazard};
    uint8_t found[OLTP_KEY_MAX];
    enum status st = tree_seek(&c, entry, prefix, f);

    *taken = false;
    for (;;) {
        size_t n;

        if (st == ST_OK && c.at == c.count) st = tree_next_leaf(&c, f);
        if (st != ST_OK) break;
        n = page_key(c.leaf, c.at++, found);
        if (n < prefix || memcmp(found, entry, prefix) != 0) break;
        if (n - prefix != primary.size || memcmp(found + prefix, primary.data, primary.size) != 0) {
            *taken = true;
            break;
        }
    }
    hazard_clear(t->hazard);
    return st == ST_END ? ST_OK : st;
}

static enum status check_unique(struct oltp_txn *t, const struct table *tb,
                                const struct value *values, struct bytes primary, struct fault *f)
{
    for (unsigned ix = 0; ix < tb->schema.index_count; ix++) {
        size_t prefix;
        bool has_null, taken = false;
        enum status st =
            index_entry_key(tb, ix, values, primary, &t->index_key, &prefix, &has_null, f);

        if (st == ST_OK && tb->schema.indexes[ix].unique && !has_null)
            st = unique_taken(t, tb, ix, t->index_key.data, prefix, primary, &taken, f);
        if (st != ST_OK) return st;
        if (taken)
            return fault_set(f, ST_EXISTS, tb->schema.name, FAULT_NO_OFFSET,
                             "unique index \"%s\" has this value already",
                             tb->schema.indexes[ix].name);
    }
    return ST_OK;
}

static enum status index_change(struct oltp_txn *t, uint32_t id, const struct table *tb,
                                unsigned ix, const struct value *values, struct bytes primary,
                                bool add, struct fault *f)
{
    struct tree_writer *w = &t->db->w;
    struct tree *tree = &t->trees[tb->index[ix]];
    uint32_t number = tree_number(id, tb->schema.indexes[ix].id);
    size_t prefix;
    bool has_null;
    enum status st = index_entry_key(tb, ix, values, primary, &t->index_key, &prefix, &has_null, f);

    if (st == ST_OK) st = tree_prepare(w, tree, number, t->index_key.data, t->index_key.size, f);
    if (st != ST_OK) return st;
    if (add == w->exact)
        return fault_set(f, ST_CORRUPT, tb->schema.name, FAULT_NO_OFFSET,
                         "index \"%s\" and its table disagree: run verify",
                         tb->schema.indexes[ix].name);
    if (add) return tree_store(w, t->index_key.data, t->index_key.size, NULL, 0, f);
    return tree_erase(w, t->index_key.data, t->index_key.size, f);
}

static bool index_same(const struct table *tb, unsigned ix, const struct value *a,
                       const struct value *b)
{
    const struct index_def *def = &tb->schema.indexes[ix];

    for (unsigned i = 0; i < def->count; i++)
        if (!value_equal(&a[def->columns[i]], &b[def->columns[i]])) return false;
    return true;
}

/* Old and new may be NULL: no row before, none after. */
static enum status indexes_change(struct oltp_txn *t, uint32_t id, const struct table *tb,
                                  const struct value *old, const struct value *new,
                                  struct bytes primary, struct fault *f)
{
    for (unsigned ix = 0; ix < tb->schema.index_count; ix++) {
        enum status st = ST_OK;

        if (old != NULL && new != NULL && index_same(tb, ix, old, new)) continue;
        if (old != NULL) st = index_change(t, id, tb, ix, old, primary, false, f);
        if (st == ST_OK && new != NULL) st = index_change(t, id, tb, ix, new, primary, true, f);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

/* What the change demands of the stored row. ST_END: nothing to do. */
static enum status check_before(const struct table *tb, const struct row_change *c, bool found,
                                struct bytes before, struct fault *f)
{
    if (found && c->must_not_exist)
        return fault_set(f, ST_EXISTS, tb->schema.name, FAULT_NO_OFFSET,
                         "a row has this key already");
    if (!found && (c->must_exist || c->op == OP_DELETE) && !c->tolerate_missing)
        return fault_set(f, ST_NOT_FOUND, tb->schema.name, FAULT_NO_OFFSET, "no row has this key");
    if (found && c->if_column >= 0) {
        struct value is;
        enum status st = row_get(&tb->schema, before.data, before.size, c->if_column, &is, f);

        if (st != ST_OK) return st;
        if (!value_equal(&is, c->expected))
            return fault_set(f, ST_CONFLICT, tb->schema.name, FAULT_NO_OFFSET,
                             "the row's %s is not the expected one: someone changed it",
                             tb->schema.columns[c->if_column].name);
    }
    return ST_OK;
}

static enum status log_change(struct oltp_txn *t, uint32_t id, const struct table *tb,
                              const struct row_change *c, bool found, struct bytes before,
                              struct fault *f)
{
    struct change_row r = {.txn = t->id,
                           .seq = t->seq,
                           .table = id,
                           .version = tb->schema.version,
                           .op = (uint8_t)(c->op == OP_DELETE ? OP_DELETE
                                           : found            ? OP_UPDATE
                                                              : OP_INSERT),
                           .flags = c->flags,
                           .key = c->key};

    if (!c->log) return ST_OK;
    if (found) r.before = before;
    if (c->op != OP_DELETE) r.after = c->row;
    return log_row(t, &r, f);
}

/* From the log record on, a failure (a full cache, no memory) leaves the trees half changed: only rolling back
 * remains. */
static enum status halfway(struct oltp_txn *t, enum status st)
{
    if (st != ST_OK && t->failed == ST_OK) t->failed = st;
    return st;
}

/* Without indexes one descent does everything. */
static enum status apply_plain(struct oltp_txn *t, uint32_t id, const struct table *tb,
                               const struct row_change *c, struct fault *f)
{
    struct tree_writer *w = &t->db->w;
    struct bytes before = {0};
    enum status st =
        tree_prepare(w, &t->trees[tb->primary], tree_number(id, 0), c->key.data, c->key.size, f);

    if (st == ST_OK && w->exact) st = tree_prepared_value(w, &t->big, &before, f);
    if (st == ST_OK) st = check_before(tb, c, w->exact, before, f);
    if (st == ST_OK) st = log_change(t, id, tb, c, w->exact, before, f);
    if (st != ST_OK) return st;
    if (c->op != OP_DELETE)
        return halfway(t, tree_store(w, c->key.data, c->key.size, c->row.data, c->row.size, f));
    return w->exact ? halfway(t, tree_erase(w, c->key.data, c->key.size, f)) : ST_OK;
}

/* With indexes the row before is copied aside: the trees change under it. */
static enum status apply_indexed(struct oltp_txn *t, uint32_t id, const struct table *tb,
                                 const struct row_change *c, struct fault *f)
{
    struct tree_writer *w = &t->db->w;
    struct bytes before = {0};
    const struct value *old = NULL, *new = NULL;
    enum status st = tree_get(&t->db->pager, &t->trees[tb->primary], c->key.data, c->key.size,
                              t->hazard, &t->big, &before, f);
    bool found = st == ST_OK;

    if (st != ST_OK && st != ST_NOT_FOUND) return st;
    st = check_before(tb, c, found, before, f);
    if (st == ST_OK && found) {
        buf_clear(&t->before);
        buf_append(&t->before, before.data, before.size);
        if (!buf_ok(&t->before)) return no_memory(tb, f);
        before.data = t->before.data;
        st = row_decode(&tb->schema, before.data, before.size, t->old_values, f);
        old = t->old_values;
    }
    if (st == ST_OK && c->op != OP_DELETE) {
        /* From the encoded copy: the caller's values may point at a row it read, which moves with the trees. */
        st = row_decode(&tb->schema, c->row.data, c->row.size, t->values, f);
        new = t->values;
        if (st == ST_OK) st = check_unique(t, tb, new, c->key, f);
    }
    if (st == ST_OK) st = log_change(t, id, tb, c, found, before, f);
    if (st != ST_OK) return st;
    if (found || c->op != OP_DELETE)
        st = tree_prepare(w, &t->trees[tb->primary], tree_number(id, 0), c->key.data, c->key.size,
                          f);
    if (st == ST_OK && c->op != OP_DELETE)
        st = tree_store(w, c->key.data, c->key.size, c->row.data, c->row.size, f);
    else if (st == ST_OK && found)
        st = tree_erase(w, c->key.data, c->key.size, f);
    return halfway(t, st == ST_OK ? indexes_change(t, id, tb, old, new, c->key, f) : st);
}

enum status row_apply(struct oltp_txn *t, uint32_t id, const struct table *tb,
                      const struct row_change *c, struct fault *f)
{
    enum status st;

    if (c->key.size > OLTP_KEY_MAX)
        return fault_set(f, ST_LIMIT, tb->schema.name, FAULT_NO_OFFSET,
                         "a key of %zu bytes; at most %d are allowed", c->key.size, OLTP_KEY_MAX);
    if (c->row.size > OLTP_ROW_MAX)
        return fault_set(f, ST_LIMIT, tb->schema.name, FAULT_NO_OFFSET,
                         "a row of %zu bytes; at most %d are allowed", c->row.size, OLTP_ROW_MAX);
    st =
        tb->schema.index_count == 0 ? apply_plain(t, id, tb, c, f) : apply_indexed(t, id, tb, c, f);
    if (st == ST_OK) {
        t->changes++;
        t->seq++;
    }
    t->stamp++;
    return st;
}

/* ---- the front door -------------------------------------------------------------------------------- */

static enum status change_begin(struct oltp_txn *t, uint32_t table, const struct table **tb,
                                struct fault *f)
{
    if (!t->write)
        return fault_set(f, ST_UNSUPPORTED, t->db->dir, FAULT_NO_OFFSET,
                         "a read transaction changes nothing");
    if (t->failed != ST_OK)
        return fault_set(f, t->failed, t->db->dir, FAULT_NO_OFFSET,
                         "the transaction failed earlier: roll it back");
    *tb = table_of(t, table);
    return *tb == NULL ? table_unknown(table, f) : ST_OK;
}

/* Statuses that say "no" before anything happened leave the transaction as it was. */
static enum status change_end(struct oltp_txn *t, enum status st)
{
    if (st == ST_IO || st == ST_NOMEM || st == ST_CORRUPT) return txn_fatal(t, st);
    return st;
}

static enum status change_values(struct oltp_txn *t, uint32_t table, const struct value *values,
                                 struct row_change c, struct fault *f)
{
    const struct table *tb;
    enum status st = change_begin(t, table, &tb, f);

    if (st != ST_OK) return st;
    buf_clear(&t->row);
    buf_clear(&t->key);
    st = row_encode(&tb->schema, values, &t->row, f);
    if (st == ST_OK) st = row_key(&tb->schema, values, &t->key, f);
    if (st != ST_OK) return st;
    c.op = OP_UPDATE;
    c.log = true;
    c.key = (struct bytes){t->key.data, t->key.size};
    c.row = (struct bytes){t->row.data, t->row.size};
    return change_end(t, row_apply(t, table, tb, &c, f));
}

enum status oltp_put(struct oltp_txn *t, uint32_t table, const struct value *values,
                     struct fault *f)
{
    return change_values(t, table, values, (struct row_change){.if_column = -1}, f);
}

enum status oltp_insert(struct oltp_txn *t, uint32_t table, const struct value *values,
                        struct fault *f)
{
    return change_values(t, table, values,
                         (struct row_change){.if_column = -1, .must_not_exist = true}, f);
}

enum status oltp_update(struct oltp_txn *t, uint32_t table, const struct value *values,
                        struct fault *f)
{
    return change_values(t, table, values, (struct row_change){.if_column = -1, .must_exist = true},
                         f);
}

enum status oltp_update_if(struct oltp_txn *t, uint32_t table, const struct value *values,
                           int column, const struct value *expected, struct fault *f)
{
    const struct table *tb = table_of(t, table);

    if (tb != NULL && (column < 0 || column >= tb->schema.column_count))
        return fault_set(f, ST_INVALID, tb->schema.name, FAULT_NO_OFFSET, "no column %d", column);
    return change_values(
        t, table, values,
        (struct row_change){.if_column = column, .must_exist = true, .expected = expected}, f);
}

enum status oltp_delete(struct oltp_txn *t, uint32_t table, const struct value *key_values,
                        struct fault *f)
{
    struct row_change c = {.op = OP_DELETE, .if_column = -1, .log = true};
    const struct table *tb;
    enum status st = change_begin(t, table, &tb, f);

    if (st != ST_OK) return st;
    buf_clear(&t->key);
    st = oltp_key(t, table, 0, key_values, tb->schema.key_count, &t->key, f);
    if (st != ST_OK) return st;
    c.key = (struct bytes){t->key.data, t->key.size};
    return change_end(t, row_apply(t, table, tb, &c, f));
}

enum status oltp_apply(struct oltp_txn *t, uint32_t table, enum change_op op, uint8_t flags,
                       struct bytes key, struct bytes row, struct fault *f)
{
    struct row_change c = {.op = op,
                           .if_column = -1,
                           .log = true,
                           .key = key,
                           .flags = flags & CHANGE_REPAIR,
                           .must_not_exist = op == OP_INSERT,
                           .tolerate_missing = (flags & CHANGE_REPAIR) != 0};
    const struct table *tb;
    enum status st = change_begin(t, table, &tb, f);

    if (st != ST_OK) return st;
    if (op != OP_DELETE) {
        buf_clear(&t->row); /* it may be where this call reads the row before */
        buf_append(&t->row, row.data, row.size);
        if (!buf_ok(&t->row)) return txn_fatal(t, no_memory(tb, f));
        row = (struct bytes){t->row.data, t->row.size};
        st = row_decode(&tb->schema, row.data, row.size, t->values, f);
        buf_clear(&t->key);
        if (st == ST_OK) st = row_key(&tb->schema, t->values, &t->key, f);
        if (st != ST_OK || key_compare(t->key.data, t->key.size, key.data, key.size) != 0)
            return fault_set(f, ST_INVALID, tb->schema.name, FAULT_NO_OFFSET,
                             "the row does not have the key given");
        c.row = row;
        c.op = OP_UPDATE;
    }
    return change_end(t, row_apply(t, table, tb, &c, f));
}

enum status oltp_outbox_put(struct oltp_txn *t, const char *aggregate_type,
                            struct bytes aggregate_id, const char *type, struct bytes payload,
                            struct fault *f)
{
    struct change_outbox o = {.txn = t->id, .seq = t->seq, .key = aggregate_id};
    size_t topic = strlen(aggregate_type);
    enum status st;

    if (!t->write || t->failed != ST_OK)
        return fault_set(f, t->write ? t->failed : ST_UNSUPPORTED, t->db->dir, FAULT_NO_OFFSET,
                         "this transaction cannot put an event");
    if (topic > CHANGE_TOPIC_MAX || aggregate_id.size > CHANGE_KEY_MAX ||
        payload.size + strlen(type) > OLTP_ROW_MAX)
        return fault_set(f, ST_LIMIT, aggregate_type, FAULT_NO_OFFSET,
                         "an event larger than the log allows");
    o.topic = (struct bytes){(const uint8_t *)aggregate_type, topic};
    buf_clear(&t->row);
    buf_lenstr(&t->row, type, strlen(type));
    buf_append(&t->row, payload.data, payload.size);
    o.payload = (struct bytes){t->row.data, t->row.size};
    buf_clear(&t->before);
    change_put_outbox(&t->before, &o);
    st = log_record(t, CHANGE_OUTBOX, &t->before, f);
    if (st != ST_OK) return txn_fatal(t, st);
    t->changes++;
    t->seq++;
    return ST_OK;
}

enum status oltp_outbox_get(struct bytes logged, struct bytes *type, struct bytes *payload,
                            struct fault *f)
{
    struct reader r = reader_of(logged.data, logged.size);

    type->data = read_lenstr(&r, CHANGE_TOPIC_MAX, &type->size);
    if (type->data == NULL)
        return fault_set(f, ST_CORRUPT, NULL, reader_offset(&r),
                         "an outbox payload without a type");
    *payload = (struct bytes){r.pos, reader_left(&r)};
    return ST_OK;
}
