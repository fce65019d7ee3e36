/* view_mirror - the inputs' current rows, findable by key and by each foreign key that a view joins on. */
#include <stdio.h>
#include <string.h>

#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/view/view_store.h"

struct view_mirror *view_store_mirror(struct view_store *s, uint32_t source)
{
    for (int i = 0; i < s->n_mirrors; i++)
        if (s->mirrors[i].source == source) return &s->mirrors[i];
    return NULL;
}

enum status view_mirror_define(struct view_store *s, const struct schema *schema, struct fault *f)
{
    struct view_mirror *m;
    char name[NAME_MAX_BYTES], json[512];
    enum status st;

    if (view_store_mirror(s, schema->id) != NULL) return ST_OK;
    if (s->n_mirrors == VIEW_MIRRORS_MAX)
        return fault_set(f, ST_LIMIT, schema->name, FAULT_NO_OFFSET, "more than %d tables feed views", VIEW_MIRRORS_MAX);
    if (snprintf(name, sizeof name, "src_%s", schema->name) >= (int)sizeof name)
        return fault_set(f, ST_LIMIT, schema->name, FAULT_NO_OFFSET, "the table's name is too long for a view's input");
    m = &s->mirrors[s->n_mirrors];
    *m = (struct view_mirror){.source = schema->id};
    st = view_store_begin(s, f);
    if (st == ST_OK) st = oltp_table(s->txn, name, &m->table, NULL);
    if (st == ST_NOT_FOUND) {
        int n = snprintf(json, sizeof json, "{\"table\":\"%s\",\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":\"text\"},"
                         "{\"name\":\"row\",\"type\":\"text\"}]}", name);

        st = oltp_create_table_json(s->txn, json, (size_t)n, &m->table, f);
    }
    if (st == ST_OK) s->n_mirrors++;
    return st;
}

/* The foreign key's bytes; false when a part of it is null (it then reaches no row).                 */
static bool foreign_key(const struct view_foreign *fk, const struct value *values, struct buf *out)
{
    buf_clear(out);
    for (int i = 0; i < fk->count; i++) {
        if (values[fk->columns[i]].type == V_NULL) return false;
        key_append(out, &values[fk->columns[i]]);
    }
    return true;
}

enum status view_mirror_put(struct view_store *s, struct view_mirror *m, const struct schema *schema, struct bytes key,
                            struct bytes row, struct fault *f)
{
    const struct schema *mine = oltp_schema(s->txn, m->table);
    struct value values[COLUMNS_MAX], out[COLUMNS_MAX];
    struct buf keys[VIEW_FOREIGN_MAX] = {0};
    enum status st = ST_OK;

    for (int i = 0; i < mine->column_count; i++) out[i] = v_null();
    out[0] = v_text((const char *)key.data, key.size);
    out[1] = v_text((const char *)row.data, row.size);
    if (m->n_foreign > 0) st = row_decode(schema, row.data, row.size, values, f);
    for (int i = 0; st == ST_OK && i < m->n_foreign; i++)
        if (foreign_key(&m->foreign[i], values, &keys[i]))
            out[m->foreign[i].field] = v_text((const char *)keys[i].data, keys[i].size);
    if (st == ST_OK) st = oltp_put(s->txn, m->table, out, f);
    for (int i = 0; i < m->n_foreign; i++) buf_free(&keys[i]);
    return st;
}

enum status view_mirror_delete(struct view_store *s, struct view_mirror *m, struct bytes key, struct fault *f)
{
    struct value k = v_text((const char *)key.data, key.size);
    enum status st = oltp_delete(s->txn, m->table, &k, NULL);

    if (st == ST_NOT_FOUND) return ST_OK;
    return st == ST_OK ? ST_OK : fault_set(f, st, "view", FAULT_NO_OFFSET, "could not delete from a mirror");
}

enum status view_mirror_get(struct view_store *s, const struct view_mirror *m, struct bytes key, struct buf *out,
                            struct fault *f)
{
    struct value k = v_text((const char *)key.data, key.size), row;
    struct oltp_row r;
    enum status st = oltp_get(s->txn, m->table, &k, &r, NULL);

    buf_clear(out);
    if (st == ST_OK) st = row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 1, &row, f);
    if (st != ST_OK) return st;
    buf_append(out, row.s, row.len);
    return buf_ok(out) ? ST_OK : fault_set(f, ST_NOMEM, "view", FAULT_NO_OFFSET, "no memory");
}

enum status view_store_keys(struct view_store *s, const struct schema *schema, sink_key_fn fn, void *ctx,
                            struct fault *f)
{
    const struct view_mirror *m = view_store_mirror(s, schema->id);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct value k;
    enum status st = m == NULL ? ST_END : view_store_begin(s, f);

    if (st == ST_OK) st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        st = row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 0, &k, f);
        if (st == ST_OK) st = fn(ctx, (struct bytes){(const uint8_t *)k.s, k.len}, f);
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

/* Rewrites every row of a mirror, so that a new foreign key is filled in.                            */
static enum status refill(struct view_store *s, struct view_mirror *m, struct fault *f)
{
    const struct schema *source = registry_get(&s->registry, m->source);
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct value k, row;
    struct buf key = {0}, copy = {0};
    enum status st = oltp_cursor_open(s->txn, m->table, 0, NULL, 0, &c, f);

    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        const struct schema *mine = oltp_schema(s->txn, m->table);

        st = row_get(mine, r.row.data, r.row.size, 0, &k, f);
        if (st == ST_OK) st = row_get(mine, r.row.data, r.row.size, 1, &row, f);
        if (st != ST_OK) break;
        buf_clear(&key);
        buf_clear(&copy);
        buf_append(&key, k.s, k.len);
        buf_append(&copy, row.s, row.len);
        st = view_mirror_put(s, m, source, (struct bytes){key.data, key.size}, (struct bytes){copy.data, copy.size}, f);
    }
    oltp_cursor_close(c);
    buf_free(&key);
    buf_free(&copy);
    return st == ST_END ? ST_OK : st;
}

/* The field and index are named by the columns' ids, so a reopened store finds them again.           */
enum status view_mirror_need(struct view_store *s, uint32_t source, const uint16_t *columns, uint16_t count,
                             struct fault *f)
{
    struct view_mirror *m = view_store_mirror(s, source);
    const struct schema *from = registry_get(&s->registry, source);
    struct view_foreign *fk;
    struct buf name = {0};
    const char *field_name;
    bool added = false;
    enum status st;

    for (int i = 0; i < m->n_foreign; i++)
        if (m->foreign[i].count == count && memcmp(m->foreign[i].columns, columns, count * sizeof *columns) == 0)
            return ST_OK;
    if (m->n_foreign == VIEW_FOREIGN_MAX)
        return fault_set(f, ST_LIMIT, from->name, FAULT_NO_OFFSET, "more than %d foreign keys in views", VIEW_FOREIGN_MAX);
    st = view_store_begin(s, f);
    buf_str(&name, "f");
    for (int i = 0; i < count; i++) buf_printf(&name, "_%u", from->columns[columns[i]].id);
    field_name = buf_cstr(&name);
    fk = &m->foreign[m->n_foreign];
    *fk = (struct view_foreign){.count = count};
    memcpy(fk->columns, columns, count * sizeof *columns);
    if (st == ST_OK && schema_column(oltp_schema(s->txn, m->table), field_name) < 0) {
        struct column c = {.type = V_TEXT, .nullable = true};

        snprintf(c.name, sizeof c.name, "%s", field_name);
        st = oltp_add_column(s->txn, m->table, &c, f);
        if (st == ST_OK) st = oltp_create_index(s->txn, m->table, field_name, &field_name, 1, false, f);
        added = true;
    }
    if (st == ST_OK) {
        fk->field = schema_column(oltp_schema(s->txn, m->table), field_name);
        st = oltp_index(s->txn, m->table, field_name, &fk->index, f);
        m->n_foreign++;
    }
    if (st == ST_OK && added) st = refill(s, m, f);
    buf_free(&name);
    return st;
}

enum status view_affected(struct view_store *s, const struct view_state *v, int input, struct bytes key,
                          struct view_key_set *out, struct fault *f)
{
    const struct view_input *in = &v->def->inputs[input], *parent;
    struct view_mirror *m;
    struct value bound = v_text((const char *)key.data, key.size), k;
    struct oltp_cursor *c = NULL;
    struct oltp_range range = {.upper_included = true};
    struct view_key_set found = {0};
    struct buf encoded = {0};
    struct oltp_row r;
    const struct view_foreign *fk = NULL;
    size_t number;
    bool added;
    enum status st;

    if (input == 0) {
        st = view_key_set_add(out, key, &number, &added);
        return st == ST_OK ? ST_OK : fault_set(f, st, v->name, FAULT_NO_OFFSET, "no memory");
    }
    parent = &v->def->inputs[in->parent];
    m = view_store_mirror(s, parent->table);
    for (int i = 0; i < m->n_foreign && fk == NULL; i++) {
        bool same = m->foreign[i].count == in->foreign_count;

        for (int k2 = 0; same && k2 < in->foreign_count; k2++)
            same = m->foreign[i].columns[k2] == in->foreign[k2] - parent->first;
        if (same) fk = &m->foreign[i];
    }
    if (fk == NULL) return fault_set(f, ST_CORRUPT, v->name, FAULT_NO_OFFSET, "a join without its index");
    st = oltp_key(s->txn, m->table, fk->index, &bound, 1, &encoded, f);
    range.lower = range.upper = (struct bytes){encoded.data, encoded.size};
    if (st == ST_OK) st = oltp_cursor_open(s->txn, m->table, fk->index, &range, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &r, f)) == ST_OK) {
        st = row_get(oltp_schema(s->txn, m->table), r.row.data, r.row.size, 0, &k, f);
        if (st == ST_OK) st = view_key_set_add(&found, (struct bytes){(const uint8_t *)k.s, k.len}, &number, &added);
    }
    oltp_cursor_close(c);
    buf_free(&encoded);
    if (st == ST_END) st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < found.count; i++) st = view_affected(s, v, in->parent, found.keys[i], out, f);
    view_key_set_free(&found);
    return st;
}
