/* catalog - tables as data: which there are, their shapes, and which trees are theirs.
 *
 * A catalogue is immutable. Changing a table makes a new one that shares every other table with the old, so
 * readers keep the shapes of their snapshot for as long as they like; all are freed when the handle closes
 * (they are small, and there is one for each change of a shape). */
#include "oltp/db.h"

#include <stdlib.h>

enum { TREES_MAX = OLTP_TABLES_MAX * (SEAM_INDEXES_MAX + 1) };

static enum seam_status no_memory(struct oltp *db, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, db->dir, SEAM_FAULT_NO_OFFSET,
                          "no memory for the catalogue");
}

enum seam_status oltp_table_own(struct oltp *db, struct oltp_table **out, struct seam_fault *f)
{
    struct oltp_table *tb = calloc(1, sizeof *tb);

    if (tb == NULL) return no_memory(db, f);
    tb->next_owned = db->tables;
    db->tables = tb;
    *out = tb;
    return SEAM_OK;
}

enum seam_status oltp_catalog_copy(struct oltp *db, const struct oltp_catalog *from,
                                   struct oltp_catalog **out, struct seam_fault *f)
{
    struct oltp_catalog *c = calloc(1, sizeof *c);
    uint32_t n = from != NULL ? from->table_count : 0;

    if (c == NULL) return no_memory(db, f);
    c->next_owned = db->catalogs;
    db->catalogs = c;
    c->tables = calloc(n + 1, sizeof *c->tables); /* room for one more */
    if (c->tables == NULL) return no_memory(db, f);
    if (n > 0) memcpy(c->tables, from->tables, n * sizeof *c->tables);
    c->table_count = n;
    c->slots = from != NULL ? from->slots : 0;
    *out = c;
    return SEAM_OK;
}

/* ---- encoding: the blob a checkpoint keeps ---- */

void oltp_catalog_encode(const struct oltp_catalog *c, const struct oltp_tree *trees,
                         struct seam_buf *out)
{
    struct seam_buf json = {0};

    seam_buf_varint(out, c->slots);
    for (uint32_t i = 0; i < c->slots; i++) {
        seam_buf_varint(out, trees[i].root.page);
        seam_buf_u32(out, trees[i].root.stamp);
        seam_buf_varint(out, trees[i].depth);
        seam_buf_varint(out, trees[i].count);
    }
    seam_buf_varint(out, c->table_count);
    for (uint32_t i = 0; i < c->table_count; i++) {
        const struct oltp_table *tb = c->tables[i];

        seam_buf_u8(out, tb != NULL);
        if (tb == NULL) continue;
        seam_buf_varint(out, tb->primary);
        seam_buf_varint(out, tb->schema.index_count);
        for (unsigned k = 0; k < tb->schema.index_count; k++) seam_buf_varint(out, tb->index[k]);
        seam_buf_clear(&json);
        seam_schema_to_json(&tb->schema, &json);
        seam_buf_lenstr(out, json.data, json.size);
        out->failed |= json.failed;
    }
    seam_buf_free(&json);
}

static enum seam_status table_decode(struct oltp *db, struct seam_reader *r, uint32_t slots,
                                     struct oltp_table **out, struct seam_fault *f)
{
    struct oltp_table *tb = NULL;
    const uint8_t *json;
    uint64_t primary, n, index[SEAM_INDEXES_MAX] = {0};
    size_t size = 0;
    bool bad;
    enum seam_status st;

    primary = seam_read_varint(r);
    n = seam_read_varint(r);
    bad = r->bad || primary >= slots || n > SEAM_INDEXES_MAX;
    for (uint64_t k = 0; k < n && !bad; k++) {
        index[k] = seam_read_varint(r);
        bad = r->bad || index[k] >= slots;
    }
    json = bad ? NULL : seam_read_lenstr(r, 1 << 20, &size);
    if (json == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, db->pager.path, SEAM_FAULT_NO_OFFSET,
                              "the catalogue is damaged");
    st = oltp_table_own(db, &tb, f);
    if (st == SEAM_OK) st = seam_schema_parse((const char *)json, size, &tb->schema, f);
    if (st == SEAM_OK && tb->schema.index_count != n) st = SEAM_CORRUPT;
    if (st == SEAM_NOMEM) return st;
    if (st != SEAM_OK)
        return seam_fault_set(f, SEAM_CORRUPT, db->pager.path, SEAM_FAULT_NO_OFFSET,
                              "the catalogue holds no valid schema");
    tb->primary = (uint32_t)primary;
    for (uint64_t k = 0; k < n; k++) tb->index[k] = (uint32_t)index[k];
    *out = tb;
    return SEAM_OK;
}

enum seam_status oltp_catalog_decode(struct oltp *db, struct seam_reader *r, const char *where,
                                     struct oltp_catalog **out, struct oltp_tree **trees,
                                     struct seam_fault *f)
{
    uint64_t slots = seam_read_varint(r), tables;
    struct oltp_tree *t = NULL;
    enum seam_status st = oltp_catalog_copy(db, NULL, out, f);

    if (st != SEAM_OK) return st;
    if (r->bad || slots > TREES_MAX) goto damaged;
    t = calloc(slots + 1, sizeof *t);
    if (t == NULL) return no_memory(db, f);
    for (uint64_t i = 0; i < slots; i++) {
        uint64_t root = seam_read_varint(r);
        uint32_t stamp = seam_read_u32(r);
        uint64_t depth = seam_read_varint(r);

        t[i].count = seam_read_varint(r);
        if (r->bad || depth > TREE_DEPTH_MAX || (depth == 0) != (root == 0) || root == 1 ||
            root >= atomic_load(&db->pager.pages))
            goto damaged;
        t[i].root = (struct oltp_ref){(uint32_t)root, stamp};
        t[i].depth = (uint32_t)depth;
    }
    tables = seam_read_varint(r);
    if (r->bad || tables > OLTP_TABLES_MAX) goto damaged;
    (*out)->slots = (uint32_t)slots;
    free((*out)->tables);
    (*out)->tables = calloc(tables + 1, sizeof *(*out)->tables);
    if ((*out)->tables == NULL) goto done;
    for (uint64_t i = 0; i < tables; i++) {
        if (seam_read_u8(r) != 0) st = table_decode(db, r, (uint32_t)slots, &(*out)->tables[i], f);
        if (r->bad) goto damaged;
        if (st != SEAM_OK) goto done;
        (*out)->table_count = (uint32_t)i + 1;
    }
    if (seam_reader_left(r) != 0) goto damaged;
    *trees = t;
    return SEAM_OK;
damaged:
    st = seam_fault_set(f, SEAM_CORRUPT, where, SEAM_FAULT_NO_OFFSET, "the catalogue is damaged");
done:
    free(t);
    return st != SEAM_OK ? st : no_memory(db, f);
}

/* ---- changing -------------------------------------------------------------------------------------- */

/* A new tree slot, empty, in the transaction's working copy. */
static enum seam_status slot_new(struct oltp_txn *t, struct oltp_catalog *c, uint32_t *slot,
                                 struct seam_fault *f)
{
    if (c->slots == TREES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "%d trees were made already", TREES_MAX);
    if (c->slots == t->tree_cap) {
        struct oltp_tree *more = realloc(t->trees, (t->tree_cap * 2 + 8) * sizeof *more);

        if (more == NULL) return no_memory(t->db, f);
        t->trees = more;
        t->tree_cap = t->tree_cap * 2 + 8;
    }
    t->trees[c->slots] = (struct oltp_tree){0};
    *slot = c->slots++;
    return SEAM_OK;
}

/* Fills a new index from the rows there are. */
static enum seam_status index_build(struct oltp_txn *t, uint32_t id, const struct oltp_table *tb,
                                    unsigned ix, struct seam_fault *f)
{
    struct oltp *db = t->db;
    struct oltp_tree_cursor c = {
        .pager = &db->pager, .tree = t->trees[tb->primary], .hazard = t->hazard};
    uint32_t number = tree_number(id, tb->schema.indexes[ix].id);
    uint8_t primary[OLTP_KEY_MAX];
    enum seam_status st = oltp_tree_seek_end(&c, false, f);

    while (st == SEAM_OK) {
        struct oltp_cell cell;
        struct wal_bytes row;
        size_t n, prefix;
        bool has_null;
        struct oltp_tree_cursor other;
        uint8_t near[OLTP_KEY_MAX];

        if (c.at == c.count && (st = oltp_tree_next_leaf(&c, f)) != SEAM_OK) break;
        n = oltp_page_key(c.leaf, c.at, primary);
        cell = page_cell(c.leaf, c.at++);
        st = oltp_cell_value(&db->pager, &cell, db->w.hazard, &t->big, &row, f);
        if (st == SEAM_OK) st = seam_row_decode(&tb->schema, row.data, row.size, t->old_values, f);
        if (st == SEAM_OK)
            st = oltp_index_entry_key(tb, ix, t->old_values, (struct wal_bytes){primary, n},
                                      &t->index_key, &prefix, &has_null, f);
        if (st == SEAM_OK)
            st = oltp_tree_prepare(&db->w, &t->trees[tb->index[ix]], number, t->index_key.data,
                                   t->index_key.size, f);
        if (st == SEAM_OK)
            st = oltp_tree_store(&db->w, t->index_key.data, t->index_key.size, NULL, 0, f);
        if (st != SEAM_OK || !tb->schema.indexes[ix].unique || has_null) continue;
        /* Equal columns would be neighbours: look for another entry with this prefix. */
        other = (struct oltp_tree_cursor){
            .pager = &db->pager, .tree = t->trees[tb->index[ix]], .hazard = db->w.hazard};
        st = oltp_tree_seek(&other, t->index_key.data, prefix, f);
        for (int seen = 0; st == SEAM_OK; seen++) {
            if (other.at == other.count && (st = oltp_tree_next_leaf(&other, f)) != SEAM_OK) break;
            n = oltp_page_key(other.leaf, other.at++, near);
            if (n < prefix || memcmp(near, t->index_key.data, prefix) != 0) break;
            if (seen == 1)
                return seam_fault_set(f, SEAM_EXISTS, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                                      "two rows are equal in unique index \"%s\"",
                                      tb->schema.indexes[ix].name);
        }
        if (st == SEAM_END) st = SEAM_OK;
    }
    return st == SEAM_END ? SEAM_OK : st;
}

static int index_by_id(const struct seam_schema *s, uint16_t id)
{
    for (unsigned i = 0; i < s->index_count; i++)
        if (s->indexes[i].id == id) return (int)i;
    return -1;
}

static bool index_equal(const struct seam_index_def *a, const struct seam_index_def *b)
{
    return a->unique == b->unique && a->count == b->count &&
           memcmp(a->columns, b->columns, a->count * sizeof *a->columns) == 0;
}

/* Trees for tb's indexes: kept where `old` has the same, built or emptied where not. */
static enum seam_status indexes_set(struct oltp_txn *t, uint32_t id, struct oltp_catalog *c,
                                    struct oltp_table *tb, const struct oltp_table *old,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (unsigned ix = 0; st == SEAM_OK && ix < tb->schema.index_count; ix++) {
        int was = old != NULL ? index_by_id(&old->schema, tb->schema.indexes[ix].id) : -1;

        if (was >= 0 && index_equal(&old->schema.indexes[was], &tb->schema.indexes[ix])) {
            tb->index[ix] = old->index[was];
            continue;
        }
        st = slot_new(t, c, &tb->index[ix], f);
        if (st == SEAM_OK) st = index_build(t, id, tb, ix, f);
    }
    for (unsigned ix = 0; st == SEAM_OK && old != NULL && ix < old->schema.index_count; ix++) {
        int is = index_by_id(&tb->schema, old->schema.indexes[ix].id);

        if (is >= 0 && tb->index[is] == old->index[ix]) continue;
        st = oltp_tree_drop(&t->db->w, &t->trees[old->index[ix]], f);
    }
    return st;
}

enum seam_status oltp_catalog_set(struct oltp_txn *t, uint32_t id, struct seam_schema *s,
                                  struct seam_fault *f)
{
    const struct oltp_table *old =
        id <= t->catalog->table_count ? t->catalog->tables[id - 1] : NULL;
    struct oltp_catalog *c = NULL;
    struct oltp_table *tb = NULL;
    enum seam_status st = oltp_catalog_copy(t->db, t->catalog, &c, f);

    if (st != SEAM_OK) return st;
    if (s == NULL) {
        for (unsigned ix = 0; st == SEAM_OK && ix < old->schema.index_count; ix++)
            st = oltp_tree_drop(&t->db->w, &t->trees[old->index[ix]], f);
        if (st == SEAM_OK) st = oltp_tree_drop(&t->db->w, &t->trees[old->primary], f);
        if (st == SEAM_OK) c->tables[id - 1] = NULL;
    } else {
        st = oltp_table_own(t->db, &tb, f);
        if (st != SEAM_OK) return st;
        tb->schema = *s;
        *s = (struct seam_schema){0};
        tb->schema.id = id;
        if (id > c->table_count) c->table_count = id;
        c->tables[id - 1] = tb;
        if (old != NULL)
            tb->primary = old->primary;
        else
            st = slot_new(t, c, &tb->primary, f);
        if (st == SEAM_OK) st = indexes_set(t, id, c, tb, old, f);
    }
    if (st != SEAM_OK) return st;
    t->catalog = c;
    t->changes++;
    t->stamp++;
    return SEAM_OK;
}

/* ---- the front door -------------------------------------------------------------------------------- */

/* The shape as the log and the catalogue keep it, once it is sure that everybody reads it as it is. */
static enum seam_status shape_words(struct oltp *db, const struct seam_schema *s,
                                    struct seam_buf *json, struct seam_fault *f)
{
    struct seam_schema again = {0};
    struct seam_buf said = {0};
    enum seam_status st = seam_schema_check(s, f);

    if (st != SEAM_OK) return st;
    if (s->key_count == 0)
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "a table needs a key: name its column or columns in \"key\"");
    seam_schema_to_json(s, json);
    if (!seam_buf_ok(json) || json->data == NULL) return no_memory(db, f);
    if (json->size > OLTP_SCHEMA_MAX)
        return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                              "a shape of %zu bytes; at most %d are allowed: shorten its defaults",
                              json->size, OLTP_SCHEMA_MAX);
    st = seam_schema_parse((const char *)json->data, json->size, &again, f);
    if (st == SEAM_OK) {
        seam_schema_to_json(&again, &said);
        if (!seam_buf_ok(&said))
            st = no_memory(db, f);
        else if (!seam_buf_equal(&said, json))
            st = seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                "this shape would not read back as it is");
    }
    seam_schema_free(&again);
    seam_buf_free(&said);
    return st;
}

/* A change of shape either happens whole or not at all: it runs inside a savepoint of its own. */
static enum seam_status shape_change(struct oltp_txn *t, uint32_t id, struct seam_schema *s,
                                     struct seam_fault *f)
{
    struct seam_buf payload = {0};
    struct wal_change_schema c = {.txn = t->id, .seq = t->seq, .table = id};
    struct seam_buf json = {0};
    uint32_t save = 0;
    enum seam_status st = SEAM_OK;

    if (s != NULL) {
        s->id = id;
        st = shape_words(t->db, s, &json, f);
        c.version = s->version;
        c.json = (struct wal_bytes){json.data, json.size};
    } else {
        c.version = table_of(t, id)->schema.version;
    }
    if (st == SEAM_OK) st = oltp_savepoint(t, &save, f);
    if (st != SEAM_OK) goto done;
    st = oltp_catalog_set(t, id, s, f);
    wal_change_put_schema(&payload, &c);
    if (st == SEAM_OK) st = oltp_log_record(t, WAL_CHANGE_SCHEMA, &payload, f);
    if (st != SEAM_OK) {
        if (oltp_rollback_to(t, save, NULL) != SEAM_OK) oltp_txn_fatal(t, SEAM_IO);
    } else {
        t->seq++;
    }
    if (t->save_count > save) {
        enum seam_status released = oltp_release(t, save, f);

        if (st == SEAM_OK) st = released;
    }
    SEAM_TRACE(t->db->trace, "oltp", "shape_change", SEAM_TI("table", id), SEAM_TI("status", st));
done:
    seam_buf_free(&payload);
    seam_buf_free(&json);
    return st;
}

static enum seam_status shape_begin(struct oltp_txn *t, uint32_t table, struct seam_schema *copy,
                                    struct seam_fault *f)
{
    const struct oltp_table *tb;

    if (!t->write)
        return seam_fault_set(f, SEAM_UNSUPPORTED, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "a read transaction changes nothing");
    if (t->failed != SEAM_OK)
        return seam_fault_set(f, t->failed, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "the transaction failed earlier");
    tb = table_of(t, table);
    if (tb == NULL) return oltp_table_unknown(table, f);
    return copy != NULL ? seam_schema_clone(&tb->schema, copy) : SEAM_OK;
}

enum seam_status oltp_create_table(struct oltp_txn *t, const struct seam_schema *s, uint32_t *table,
                                   struct seam_fault *f)
{
    struct seam_schema copy = {0};
    uint32_t id = t->catalog->table_count + 1;
    enum seam_status st;

    if (!t->write)
        return seam_fault_set(f, SEAM_UNSUPPORTED, t->db->dir, SEAM_FAULT_NO_OFFSET,
                              "a read transaction changes nothing");
    if (strnlen(s->name, SEAM_NAME_MAX_BYTES) < SEAM_NAME_MAX_BYTES &&
        oltp_table(t, s->name, &id, NULL) == SEAM_OK)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "there is such a table already");
    if (id > OLTP_TABLES_MAX)
        return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                              "%d tables were made already", OLTP_TABLES_MAX);
    st = seam_schema_check(s, f); /* before anything looks into it */
    if (st == SEAM_OK) st = seam_schema_clone(s, &copy);
    if (st == SEAM_OK) st = shape_change(t, id, &copy, f);
    seam_schema_free(&copy);
    if (st == SEAM_OK) *table = id;
    return st;
}

enum seam_status oltp_create_table_json(struct oltp_txn *t, const char *json, size_t n,
                                        uint32_t *table, struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = seam_schema_parse(json, n, &s, f);

    if (st == SEAM_OK) st = oltp_create_table(t, &s, table, f);
    seam_schema_free(&s);
    return st;
}

enum seam_status oltp_drop_table(struct oltp_txn *t, uint32_t table, struct seam_fault *f)
{
    enum seam_status st = shape_begin(t, table, NULL, f);

    return st == SEAM_OK ? shape_change(t, table, NULL, f) : st;
}

enum seam_status oltp_add_column(struct oltp_txn *t, uint32_t table, const struct seam_column *c,
                                 struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = shape_begin(t, table, &s, f);

    if (st == SEAM_OK) st = seam_schema_add_column(&s, c, f);
    if (st == SEAM_OK) st = shape_change(t, table, &s, f);
    seam_schema_free(&s);
    return st;
}

enum seam_status oltp_drop_column(struct oltp_txn *t, uint32_t table, const char *name,
                                  struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = shape_begin(t, table, &s, f);

    if (st == SEAM_OK) st = seam_schema_drop_column(&s, name, f);
    if (st == SEAM_OK) st = shape_change(t, table, &s, f);
    seam_schema_free(&s);
    return st;
}

enum seam_status oltp_rename_column(struct oltp_txn *t, uint32_t table, const char *from,
                                    const char *to, struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = shape_begin(t, table, &s, f);

    if (st == SEAM_OK) st = seam_schema_rename_column(&s, from, to, f);
    if (st == SEAM_OK) st = shape_change(t, table, &s, f);
    seam_schema_free(&s);
    return st;
}

enum seam_status oltp_create_index(struct oltp_txn *t, uint32_t table, const char *name,
                                   const char *const *columns, size_t count, bool unique,
                                   struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = shape_begin(t, table, &s, f);

    if (st == SEAM_OK) st = seam_schema_add_index(&s, name, columns, count, unique, f);
    if (st == SEAM_OK) st = shape_change(t, table, &s, f);
    seam_schema_free(&s);
    return st;
}

enum seam_status oltp_drop_index(struct oltp_txn *t, uint32_t table, const char *name,
                                 struct seam_fault *f)
{
    struct seam_schema s = {0};
    enum seam_status st = shape_begin(t, table, &s, f);

    if (st == SEAM_OK) st = seam_schema_drop_index(&s, name, f);
    if (st == SEAM_OK) st = shape_change(t, table, &s, f);
    seam_schema_free(&s);
    return st;
}
