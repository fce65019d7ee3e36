/* keys - tables and indexes by name and number, and the keys of their trees. */
#include "oltp/db.h"

static enum seam_status no_memory(const struct seam_schema *s, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, s->name, SEAM_FAULT_NO_OFFSET, "no memory for a key");
}

enum seam_status oltp_table_unknown(uint32_t table, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOT_FOUND, NULL, SEAM_FAULT_NO_OFFSET, "no table has the id %u",
                          table);
}

enum seam_status oltp_table(struct oltp_txn *t, const char *name, uint32_t *table,
                            struct seam_fault *f)
{
    for (uint32_t i = 0; i < t->catalog->table_count; i++) {
        const struct oltp_table *tb = t->catalog->tables[i];

        if (tb == NULL || strcmp(tb->schema.name, name) != 0) continue;
        *table = i + 1;
        return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET, "no such table");
}

const struct seam_schema *oltp_schema(struct oltp_txn *t, uint32_t table)
{
    const struct oltp_table *tb = table_of(t, table);

    return tb != NULL ? &tb->schema : NULL;
}

int oltp_index_position(const struct oltp_table *tb, uint32_t index)
{
    for (unsigned i = 0; i < tb->schema.index_count; i++)
        if (tb->schema.indexes[i].id == index) return (int)i;
    return -1;
}

enum seam_status oltp_index(struct oltp_txn *t, uint32_t table, const char *name, uint32_t *index,
                            struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);

    if (tb == NULL) return oltp_table_unknown(table, f);
    for (unsigned i = 0; i < tb->schema.index_count; i++) {
        if (strcmp(tb->schema.indexes[i].name, name) != 0) continue;
        *index = tb->schema.indexes[i].id;
        return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_NOT_FOUND, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                          "no index \"%s\"", name);
}

enum seam_status oltp_index_unknown(const struct oltp_table *tb, uint32_t index,
                                    struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOT_FOUND, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                          "no index with the id %u", index);
}

size_t oltp_tables(struct oltp_txn *t, uint32_t *ids, size_t max)
{
    size_t n = 0;

    for (uint32_t i = 0; i < t->catalog->table_count; i++) {
        if (t->catalog->tables[i] == NULL) continue;
        if (n < max) ids[n] = i + 1;
        n++;
    }
    return n;
}

uint64_t oltp_count(struct oltp_txn *t, uint32_t table, uint32_t index)
{
    const struct oltp_table *tb = table_of(t, table);
    int at;

    if (tb == NULL) return 0;
    if (index == 0) return t->trees[tb->primary].count;
    at = oltp_index_position(tb, index);
    return at < 0 ? 0 : t->trees[tb->index[at]].count;
}

static enum seam_status append_part(const struct oltp_table *tb, uint16_t column,
                                    struct seam_value v, bool null_ok, struct seam_buf *out,
                                    struct seam_fault *f)
{
    const struct seam_column *c = &tb->schema.columns[column];

    if (v.type == SEAM_V_NULL && null_ok) {
        seam_key_append(out, &v);
        return SEAM_OK;
    }
    if (v.type != c->type)
        return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "%s is %s, not %s", c->name, seam_value_type_name(c->type),
                              seam_value_type_name(v.type));
    if (v.type == SEAM_V_BOOL) v.i = v.i != 0; /* as a row keeps it */
    if (v.type == SEAM_V_DECIMAL && v.scale != c->scale) {
        if (seam_decimal_rescale(v.i, v.scale, c->scale, &v.i) != SEAM_OK)
            return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                                  "%s has %u decimals", c->name, c->scale);
        v.scale = c->scale;
    }
    seam_key_append(out, &v);
    return SEAM_OK;
}

enum seam_status oltp_key(struct oltp_txn *t, uint32_t table, uint32_t index,
                          const struct seam_value *values, size_t n, struct seam_buf *out,
                          struct seam_fault *f)
{
    const struct oltp_table *tb = table_of(t, table);
    const uint16_t *columns;
    size_t count;

    if (tb == NULL) return oltp_table_unknown(table, f);
    if (index == 0) {
        columns = tb->schema.key;
        count = tb->schema.key_count;
    } else {
        int at = oltp_index_position(tb, index);

        if (at < 0) return oltp_index_unknown(tb, index, f);
        columns = tb->schema.indexes[at].columns;
        count = tb->schema.indexes[at].count;
    }
    if (n > count)
        return seam_fault_set(f, SEAM_INVALID, tb->schema.name, SEAM_FAULT_NO_OFFSET,
                              "the key has %zu columns, not %zu", count, n);
    for (size_t i = 0; i < n; i++) {
        enum seam_status st = append_part(tb, columns[i], values[i], index != 0, out, f);

        if (st != SEAM_OK) return st;
    }
    return seam_buf_ok(out) ? SEAM_OK : no_memory(&tb->schema, f);
}

enum seam_status oltp_index_entry_key(const struct oltp_table *tb, unsigned ix,
                                      const struct seam_value *values, struct wal_bytes primary,
                                      struct seam_buf *out, size_t *prefix, bool *has_null,
                                      struct seam_fault *f)
{
    const struct seam_index_def *def = &tb->schema.indexes[ix];
    enum seam_status st;

    seam_buf_clear(out);
    *has_null = false;
    for (unsigned i = 0; i < def->count; i++)
        *has_null |= values[def->columns[i]].type == SEAM_V_NULL;
    st = seam_row_index_key(&tb->schema, def, values, out, f);
    if (st != SEAM_OK) return st;
    *prefix = out->size;
    seam_buf_append(out, primary.data, primary.size);
    if (!seam_buf_ok(out)) return no_memory(&tb->schema, f);
    if (out->size > OLTP_KEY_MAX)
        return seam_fault_set(
            f, SEAM_LIMIT, tb->schema.name, SEAM_FAULT_NO_OFFSET,
            "an entry of index \"%s\" would take %zu bytes, at most %d are allowed", def->name,
            out->size, OLTP_KEY_MAX);
    return SEAM_OK;
}

enum seam_status oltp_index_entry_primary(const struct seam_schema *s, unsigned ix,
                                          struct wal_bytes entry, struct seam_buf *text,
                                          struct wal_bytes *primary, struct seam_fault *f)
{
    const struct seam_index_def *def = &s->indexes[ix];
    const uint8_t *p = entry.data, *end = entry.data + entry.size;

    for (unsigned i = 0; i < def->count; i++) {
        struct seam_value v;
        enum seam_status st;

        seam_buf_clear(text);
        st = seam_key_read(&p, end, s->columns[def->columns[i]].type, &v, text);
        if (st != SEAM_OK)
            return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET,
                                  "a damaged entry in index \"%s\"", def->name);
    }
    *primary = (struct wal_bytes){p, (size_t)(end - p)};
    return SEAM_OK;
}
