/* view_mirror - the inputs' current rows, findable by key and by each foreign key that a view joins on. */
#include <stdio.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/view/view_store.h"

enum seam_status view_store_begin(struct view_store *s, struct seam_fault *f)
{
    return s->txn != NULL ? SEAM_OK : oltp_write_begin(s->own.db, &s->txn, f);
}

struct view_mirror *view_store_mirror(struct view_store *s, uint32_t source)
{
    for (int i = 0; i < s->n_mirrors; i++)
        if (s->mirrors[i].source == source) return &s->mirrors[i];
    return NULL;
}

enum seam_status view_mirror_define(struct view_store *s, const struct seam_schema *schema,
                                    struct seam_fault *f)
{
    bool there = true;
    struct view_mirror *m;
    char name[SEAM_NAME_MAX_BYTES], json[512];
    enum seam_status st;

    if (view_store_mirror(s, schema->id) != NULL) return SEAM_OK;
    if (s->n_mirrors == VIEW_MIRRORS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                              "more than %d tables feed views", VIEW_MIRRORS_MAX);
    if (snprintf(name, sizeof name, "src_%s", schema->name) >= (int)sizeof name)
        return seam_fault_set(f, SEAM_LIMIT, schema->name, SEAM_FAULT_NO_OFFSET,
                              "the table's name is too long for a view's input");
    m = &s->mirrors[s->n_mirrors];
    *m = (struct view_mirror){.source = schema->id};
    st = view_store_begin(s, f);
    if (st == SEAM_OK) st = seam_fault_there(oltp_table(s->txn, name, &m->table, f), &there, f);
    if (st == SEAM_OK && !there) {
        int n = snprintf(
            json, sizeof json,
            "{\"table\":\"%s\",\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":\"text\"},"
            "{\"name\":\"row\",\"type\":\"text\"}]}",
            name);

        st = oltp_create_table_json(s->txn, json, (size_t)n, &m->table, f);
    }
    if (st == SEAM_OK) s->n_mirrors++;
    return st;
}

/* The foreign key's bytes; false when a part of it is null (it then reaches no row).                 */
static bool foreign_key(const struct view_foreign *fk, const struct seam_value *values,
                        struct seam_buf *out)
{
    seam_buf_clear(out);
    for (int i = 0; i < fk->count; i++) {
        if (values[fk->columns[i]].type == SEAM_V_NULL) return false;
        seam_key_append(out, &values[fk->columns[i]]);
    }
    return true;
}

enum seam_status view_mirror_put(struct view_store *s, struct view_mirror *m,
                                 const struct seam_schema *schema, struct wal_bytes key,
                                 struct wal_bytes row, struct seam_fault *f)
{
    const struct seam_schema *mine = oltp_schema(s->txn, m->table);
    struct seam_value values[SEAM_COLUMNS_MAX], out[SEAM_COLUMNS_MAX];
    struct seam_buf keys[VIEW_FOREIGN_MAX] = {0};
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < mine->column_count; i++) out[i] = seam_v_null();
    out[0] = seam_v_text((const char *)key.data, key.size);
    out[1] = seam_v_text((const char *)row.data, row.size);
    if (m->n_foreign > 0) st = seam_row_decode(schema, row.data, row.size, values, f);
    for (int i = 0; st == SEAM_OK && i < m->n_foreign; i++)
        if (foreign_key(&m->foreign[i], values, &keys[i]))
            out[m->foreign[i].field] = seam_v_text((const char *)keys[i].data, keys[i].size);
    if (st == SEAM_OK) st = oltp_put(s->txn, m->table, out, f);
    for (int i = 0; i < m->n_foreign; i++) seam_buf_free(&keys[i]);
    return st;
}

enum seam_status view_mirror_delete(struct view_store *s, struct view_mirror *m,
                                    struct wal_bytes key, struct seam_fault *f)
{
    struct seam_value k = seam_v_text((const char *)key.data, key.size);
    bool there;

    return seam_fault_there(oltp_delete(s->txn, m->table, &k, f), &there, f);
}

enum seam_status view_mirror_get(struct view_store *s, const struct view_mirror *m,
                                 struct wal_bytes key, struct seam_buf *out, struct seam_fault *f)
{
    struct seam_value k = seam_v_text((const char *)key.data, key.size), row;
    struct oltp_row r;
    bool there;
    enum seam_status st = seam_fault_there(oltp_get(s->txn, m->table, &k, &r, f), &there, f);

    seam_buf_clear(out);
    if (st == SEAM_OK && !there) return SEAM_NOT_FOUND;
    if (st == SEAM_OK)
        st = seam_row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 1, &row, f);
    if (st != SEAM_OK) return st;
    seam_buf_append(out, row.s, row.len);
    return seam_buf_ok(out)
               ? SEAM_OK
               : seam_fault_set(f, SEAM_NOMEM, "view", SEAM_FAULT_NO_OFFSET, "no memory");
}

enum seam_status view_store_keys(struct view_store *s, const struct seam_schema *schema,
                                 sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    const struct view_mirror *m = view_store_mirror(s, schema->id);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct seam_value k;
    enum seam_status st = m == NULL ? SEAM_END : view_store_begin(s, f);

    if (st == SEAM_OK) st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        st = seam_row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 0, &k, f);
        if (st == SEAM_OK) st = fn(ctx, (struct wal_bytes){(const uint8_t *)k.s, k.len}, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

/* Rewrites every row of a mirror, so that a new foreign key is filled in.                            */
static enum seam_status refill(struct view_store *s, struct view_mirror *m, struct seam_fault *f)
{
    const struct seam_schema *source = stream_registry_get(&s->registry, m->source);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct seam_value k, row;
    struct seam_buf key = {0}, copy = {0};
    enum seam_status st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        const struct seam_schema *mine = oltp_schema(s->txn, m->table);

        st = seam_row_get(mine, r.row.data, r.row.size, 0, &k, f);
        if (st == SEAM_OK) st = seam_row_get(mine, r.row.data, r.row.size, 1, &row, f);
        if (st != SEAM_OK) break;
        seam_buf_clear(&key);
        seam_buf_clear(&copy);
        seam_buf_append(&key, k.s, k.len);
        seam_buf_append(&copy, row.s, row.len);
        st = view_mirror_put(s, m, source, (struct wal_bytes){key.data, key.size},
                             (struct wal_bytes){copy.data, copy.size}, f);
    }
    oltp_cursor_close(c);
    seam_buf_free(&key);
    seam_buf_free(&copy);
    return st == SEAM_END ? SEAM_OK : st;
}

/* The field and index are named by the columns' ids, so a reopened store finds them again.           */
enum seam_status view_mirror_need(struct view_store *s, uint32_t source, const uint16_t *columns,
                                  uint16_t count, struct seam_fault *f)
{
    struct view_mirror *m = view_store_mirror(s, source);
    const struct seam_schema *from = stream_registry_get(&s->registry, source);
    struct view_foreign *fk;
    struct seam_buf name = {0};
    const char *field_name;
    bool added = false;
    enum seam_status st;

    for (int i = 0; i < m->n_foreign; i++)
        if (m->foreign[i].count == count &&
            memcmp(m->foreign[i].columns, columns, count * sizeof *columns) == 0)
            return SEAM_OK;
    if (m->n_foreign == VIEW_FOREIGN_MAX)
        return seam_fault_set(f, SEAM_LIMIT, from->name, SEAM_FAULT_NO_OFFSET,
                              "more than %d foreign keys in views", VIEW_FOREIGN_MAX);
    st = view_store_begin(s, f);
    seam_buf_str(&name, "f");
    for (int i = 0; i < count; i++) seam_buf_printf(&name, "_%u", from->columns[columns[i]].id);
    field_name = seam_buf_cstr(&name);
    fk = &m->foreign[m->n_foreign];
    *fk = (struct view_foreign){.count = count};
    memcpy(fk->columns, columns, count * sizeof *columns);
    if (st == SEAM_OK && seam_schema_column(oltp_schema(s->txn, m->table), field_name) < 0) {
        struct seam_column c = {.type = SEAM_V_TEXT, .nullable = true};

        snprintf(c.name, sizeof c.name, "%s", field_name);
        st = oltp_add_column(s->txn, m->table, &c, f);
        if (st == SEAM_OK)
            st = oltp_create_index(s->txn, m->table, field_name, &field_name, 1, false, f);
        added = true;
    }
    if (st == SEAM_OK) {
        fk->field = seam_schema_column(oltp_schema(s->txn, m->table), field_name);
        st = oltp_index(s->txn, m->table, field_name, &fk->index, f);
        m->n_foreign++;
    }
    if (st == SEAM_OK && added) st = refill(s, m, f);
    seam_buf_free(&name);
    return st;
}

enum seam_status view_affected(struct view_store *s, const struct view_state *v, int input,
                               struct wal_bytes key, struct view_key_set *out, struct seam_fault *f)
{
    const struct view_input *in = &v->def->inputs[input], *parent;
    struct view_mirror *m;
    struct seam_value bound = seam_v_text((const char *)key.data, key.size), k;
    struct oltp_cursor *c = NULL;
    struct oltp_range range = {.upper_included = true};
    struct view_key_set found = {0};
    struct seam_buf encoded = {0};
    struct oltp_row r;
    const struct view_foreign *fk = NULL;
    size_t number;
    bool added;
    enum seam_status st;

    if (input == 0) {
        st = view_key_set_add(out, key, &number, &added);
        return st == SEAM_OK ? SEAM_OK
                             : seam_fault_set(f, st, v->name, SEAM_FAULT_NO_OFFSET, "no memory");
    }
    parent = &v->def->inputs[in->parent];
    m = view_store_mirror(s, parent->table);
    for (int i = 0; i < m->n_foreign && fk == NULL; i++) {
        bool same = m->foreign[i].count == in->foreign_count;

        for (int k2 = 0; same && k2 < in->foreign_count; k2++)
            same = m->foreign[i].columns[k2] == in->foreign[k2] - parent->first;
        if (same) fk = &m->foreign[i];
    }
    if (fk == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, v->name, SEAM_FAULT_NO_OFFSET,
                              "a join without its index");
    st = oltp_key(s->txn, m->table, fk->index, &bound, 1, &encoded, f);
    range.lower = range.upper = (struct wal_bytes){encoded.data, encoded.size};
    if (st == SEAM_OK) st = oltp_cursor_open(s->txn, m->table, fk->index, &range, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        st = seam_row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 0, &k, f);
        if (st == SEAM_OK)
            st = view_key_set_add(&found, (struct wal_bytes){(const uint8_t *)k.s, k.len}, &number,
                                  &added);
    }
    oltp_cursor_close(c);
    seam_buf_free(&encoded);
    if (st == SEAM_END) st = SEAM_OK;
    for (size_t i = 0; st == SEAM_OK && i < found.count; i++)
        st = view_affected(s, v, in->parent, found.keys[i], out, f);
    view_key_set_free(&found);
    return st;
}
