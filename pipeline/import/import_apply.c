/* import_apply - one record's values as rows of the mapped tables. */
#include "pipeline/import/import_apply.h"

#include <stdlib.h>

enum seam_status import_apply_open(struct import_apply *a, const struct import_mapping *m,
                                   struct import_stats *stats, struct seam_fault *f)
{
    *a = (struct import_apply){.m = m, .stats = stats};
    a->rows = calloc((size_t)m->table_count, sizeof *a->rows);
    if (a->rows == NULL) return seam_no_memory(f, "an import");
    for (int t = 0; t < m->table_count; t++) {
        a->rows[t].last_id = -1;
        for (int other = 0; other < t; other++)
            a->repeats |= m->tables[other].id == m->tables[t].id;
        for (int c = 0; c < m->tables[t].schema->column_count; c++) {
            const struct import_expr *e = &m->tables[t].columns[c];

            if (e->kind == E_COUNT) a->counted[e->slot] = true;
        }
    }
    return SEAM_OK;
}

void import_apply_close(struct import_apply *a)
{
    for (int t = 0; a->rows != NULL && t < a->m->table_count; t++) {
        import_map_free(&a->rows[t].ids);
        seam_buf_free(&a->rows[t].last_key);
        seam_buf_free(&a->rows[t].old_row);
    }
    free(a->rows);
    for (int s = 0; s < IMPORT_SLOTS_MAX; s++) import_map_free(&a->counts[s]);
    seam_buf_free(&a->key);
    seam_buf_free(&a->json);
}

enum seam_status import_apply_count(struct import_apply *a, const struct import_record_reader *r,
                                    struct seam_fault *f)
{
    for (int s = 0; s < a->m->slot_count; s++) {
        int64_t *n;

        if (!a->counted[s]) continue;
        n = import_map_at(&a->counts[s], r->slots[s].data != NULL ? r->slots[s].data : "",
                          r->slots[s].size);
        if (n == NULL)
            return seam_fault_set(f, SEAM_NOMEM, NULL, r->line,
                                  "no memory to count the lines of a group");
        a->count_now[s] = ++*n;
    }
    return SEAM_OK;
}

void import_apply_restart_counts(struct import_apply *a)
{
    for (int s = 0; s < a->m->slot_count; s++) import_map_clear(&a->counts[s]);
}

void import_apply_forget(struct import_apply *a)
{
    for (int t = 0; t < a->m->table_count; t++) {
        import_map_clear(&a->rows[t].ids);
        a->rows[t].last_id = -1;
        seam_buf_clear(&a->rows[t].last_key);
    }
}

/* ---- values ---- */

static enum seam_status value_of_text(const struct seam_schema *s, const struct seam_column *c,
                                      struct import_text t, struct seam_value *out,
                                      struct seam_fault *f)
{
    enum seam_status st;

    if (t.data == NULL) { /* the record has no such column */
        *out = c->def;
    } else if (t.size == 0 && c->type == SEAM_V_TEXT && c->nullable) {
        *out = seam_v_null();
    } else {
        st = seam_value_parse(t.data, t.size, c->type, c->scale, out);
        if (st != SEAM_OK)
            return seam_fault_set(
                f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s.%s: \"%.*s\" is %s %s", s->name,
                c->name, (int)(t.size < 40 ? t.size : 40), t.data,
                st == SEAM_LIMIT ? "out of range for" : "no", seam_value_type_name(c->type));
    }
    if (out->type == SEAM_V_NULL && !c->nullable) {
        if (c->def.type == SEAM_V_NULL)
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s.%s is empty",
                                  s->name, c->name);
        *out = c->def;
    }
    return SEAM_OK;
}

/* The id of a text key: known, or in the table, or the next one free.                            */
static enum seam_status intern(struct import_apply *a, struct oltp_txn *t, int table,
                               const struct import_expr *e, int column, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    struct import_rows *rows = &a->rows[table];
    const struct seam_value *text = &rows->values[e->index_column];
    struct oltp_row found;
    int64_t *id;
    bool there;
    enum seam_status st;

    if (text->type != SEAM_V_TEXT)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s.%s is empty",
                              it->schema->name, it->schema->columns[e->index_column].name);
    id = import_map_at(&rows->ids, text->s, text->len);
    if (id == NULL) return seam_no_memory(f, "the ids of text keys");
    if (*id == 0) {
        st = seam_fault_there(oltp_get_by(t, it->id, e->index, text, &found, f), &there, f);
        if (st != SEAM_OK) return st;
        if (there) {
            struct seam_value v;

            st = seam_row_get(it->schema, found.row.data, found.row.size, column, &v, f);
            if (st != SEAM_OK) return st;
            *id = v.i;
        } else {
            if (rows->last_id == INT64_MAX)
                return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                                      "no ids left in %s", it->schema->name);
            *id = ++rows->last_id;
        }
    }
    rows->values[column] = seam_v_int(*id);
    return SEAM_OK;
}

static enum seam_status find_last_id(struct import_apply *a, struct oltp_txn *t, int table,
                                     int column, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    struct import_rows *rows = &a->rows[table];
    struct oltp_cursor *c = NULL;
    struct oltp_row last;
    struct seam_value v;
    enum seam_status st;

    if (rows->last_id >= 0) return SEAM_OK;
    st = oltp_cursor_open(t, it->id, 0, NULL, 0, &c, f);
    if (st != SEAM_OK) return st;
    st = oltp_cursor_prev(c, &last, f);
    if (st == SEAM_OK) st = seam_row_get(it->schema, last.row.data, last.row.size, column, &v, f);
    if (st == SEAM_OK) rows->last_id = v.i > 0 ? v.i : 0;
    if (st == SEAM_END) {
        rows->last_id = 0;
        st = SEAM_OK;
    }
    oltp_cursor_close(c);
    return st;
}

static enum seam_status compute_value(struct import_apply *a, int table, int column,
                                      struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    const struct seam_column *c = &it->schema->columns[column];
    const struct import_expr *e = &it->columns[column];
    struct seam_value *out = &a->rows[table].values[column];
    struct seam_buf *text = &a->json;

    switch (e->kind) {
    case E_UNMAPPED:
        *out = seam_column_live(c, it->schema->version) ? c->def : seam_v_null();
        return SEAM_OK;
    case E_VERSION: *out = seam_v_int(1); return SEAM_OK;
    case E_INTERN: *out = seam_v_null(); return SEAM_OK; /* when the others are known */
    case E_COUNT:
    case E_SAME:
        *out = e->kind == E_COUNT ? seam_v_int(a->count_now[e->slot])
                                  : a->rows[e->table].values[e->column];
        if (out->type == c->type || out->type == SEAM_V_NULL) break;
        seam_buf_clear(text);
        seam_value_format(out, text);
        return value_of_text(
            it->schema, c,
            (struct import_text){seam_arena_strdup(&r->arena, (const char *)text->data, text->size),
                                 text->size},
            out, f);
    case E_FROM:
    case E_CONST:
    case E_CASES:
        return value_of_text(it->schema, c, import_expr_text(e, r->slots, &r->arena), out, f);
    }
    if (out->type == SEAM_V_NULL && !c->nullable)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "%s.%s is empty",
                              it->schema->name, c->name);
    return SEAM_OK;
}

static enum seam_status compute_table(struct import_apply *a, struct oltp_txn *t, int table,
                                      struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    int n = it->schema->column_count;
    enum seam_status st = SEAM_OK;

    for (int c = 0; c < n && st == SEAM_OK; c++) {
        if (it->early[c]) st = compute_value(a, table, c, r, f);
    }
    for (int c = 0; c < n && st == SEAM_OK; c++) {
        if (it->columns[c].kind != E_INTERN) continue;
        st = find_last_id(a, t, table, c, f);
        if (st == SEAM_OK) st = intern(a, t, table, &it->columns[c], c, f);
    }
    return st;
}

/* What was left for when the row is written.                                                     */
static enum seam_status compute_late(struct import_apply *a, int table,
                                     struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    enum seam_status st = SEAM_OK;

    for (int c = 0; c < it->schema->column_count && st == SEAM_OK; c++) {
        if (!it->early[c]) st = compute_value(a, table, c, r, f);
    }
    return st;
}

/* ---- writing ---- */

static enum seam_status put_event(struct import_apply *a, struct oltp_txn *t, int table,
                                  const struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    const struct import_event *e = it->events;
    struct wal_bytes id, payload;

    while (e != NULL && !import_condition_holds(e->when, r->slots)) e = e->next;
    if (e == NULL) return SEAM_OK;
    seam_buf_clear(&a->json);
    for (uint16_t i = 0; i < it->schema->key_count; i++) {
        if (i > 0) seam_buf_u8(&a->json, '/');
        seam_value_format(&a->rows[table].values[it->schema->key[i]], &a->json);
    }
    id.size = a->json.size;
    seam_row_to_json(it->schema, a->rows[table].values, &a->json);
    if (!seam_buf_ok(&a->json)) return seam_no_memory(f, "an event");
    id.data = a->json.data;
    payload = (struct wal_bytes){a->json.data + id.size, a->json.size - id.size};
    return oltp_outbox_put(t, e->aggregate, id, e->type, payload, f);
}

static enum seam_status insert_row(struct import_apply *a, struct oltp_txn *t, int table,
                                   struct import_record_reader *r, struct seam_fault *f)
{
    enum seam_status st = compute_late(a, table, r, f);

    if (st == SEAM_OK) st = oltp_insert(t, a->m->tables[table].id, a->rows[table].values, f);
    if (st != SEAM_OK) return st;
    a->stats->inserted++;
    return put_event(a, t, table, r, f);
}

/* The stored row, copied and decoded. SEAM_NOT_FOUND.                                              */
static enum seam_status read_old(struct import_apply *a, struct oltp_txn *t, int table,
                                 struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    struct seam_buf *old = &a->rows[table].old_row;
    struct oltp_row row;
    bool there;
    enum seam_status st = seam_fault_there(
        oltp_get_key(t, it->id, (struct wal_bytes){a->key.data, a->key.size}, &row, f), &there, f);

    if (st != SEAM_OK) return st;
    if (!there) return SEAM_NOT_FOUND;
    seam_buf_clear(old);
    seam_buf_append(old, row.row.data, row.row.size);
    if (!seam_buf_ok(old)) return seam_no_memory(f, "a row");
    return seam_row_decode(it->schema, old->data, old->size, a->rows[table].old, f);
}

static bool differs(const struct import_apply *a, int table)
{
    const struct import_table *it = &a->m->tables[table];

    for (int c = 0; c < it->schema->column_count; c++) {
        if (it->compared[c] && !seam_value_equal(&a->rows[table].old[c], &a->rows[table].values[c]))
            return true;
    }
    return false;
}

/* False when the record is older than the row, or follows it too soon.                           */
static bool new_enough(const struct import_apply *a, int table)
{
    const struct import_table *it = &a->m->tables[table];
    const struct seam_value *was, *is;

    if (it->newest < 0) return true;
    was = &a->rows[table].old[it->newest];
    is = &a->rows[table].values[it->newest];
    if (it->apart_us > 0 && was->type == SEAM_V_TIME && is->type == SEAM_V_TIME) {
        int64_t earliest;

        return !__builtin_add_overflow(was->i, it->apart_us, &earliest) && is->i >= earliest;
    }
    return seam_value_compare(is, was) >= 0;
}

static enum seam_status update_row(struct import_apply *a, struct oltp_txn *t, int table,
                                   struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    struct seam_value *values = a->rows[table].values;
    const struct seam_value *old = a->rows[table].old;
    enum seam_status st = compute_late(a, table, r, f);

    if (st != SEAM_OK) return st;
    for (int c = 0; c < it->schema->column_count; c++) {
        if (it->columns[c].kind == E_UNMAPPED) values[c] = old[c];
        if (it->columns[c].kind == E_VERSION)
            values[c] = seam_v_int(old[c].type == SEAM_V_INT ? old[c].i + 1 : 1);
    }
    st = oltp_update(t, it->id, values, f);
    if (st == SEAM_OK) a->stats->updated++;
    return st;
}

/* KEEP: the row that the record before had is there; no need to look again.                      */
static bool just_seen(struct import_apply *a, int table)
{
    struct seam_buf *last = &a->rows[table].last_key;

    if (last->size == a->key.size && memcmp(last->data, a->key.data, last->size) == 0) return true;
    seam_buf_clear(last);
    seam_buf_append(last, a->key.data, a->key.size);
    return false;
}

/* What is to be done with the table's row. INSERT mode is taken at its word: most such rows are
 * new.                                                                                           */
static enum seam_status decide(struct import_apply *a, struct oltp_txn *t, int table,
                               const struct import_record_reader *r, struct seam_fault *f)
{
    const struct import_table *it = &a->m->tables[table];
    enum import_action *action = &a->rows[table].action;
    enum seam_status st;

    *action = ACTION_INSERT;
    seam_buf_clear(&a->key);
    st = seam_row_key(it->schema, a->rows[table].values, &a->key, f);
    if (st != SEAM_OK || it->mode == MODE_INSERT) return st;
    if (it->mode == MODE_KEEP && just_seen(a, table)) {
        *action = ACTION_NONE;
    } else {
        st = read_old(a, t, table, f);
        if (st == SEAM_NOT_FOUND) return SEAM_OK;
        if (st != SEAM_OK) return st;
        *action = it->mode != MODE_KEEP && differs(a, table) && new_enough(a, table) &&
                          import_condition_holds(it->update_when, r->slots)
                      ? ACTION_UPDATE
                      : ACTION_NONE;
    }
    if (*action == ACTION_NONE) a->stats->unchanged++;
    return SEAM_OK;
}

/* INSERT mode, and the key was there: the same row is fine.                                      */
static enum seam_status accept_same(struct import_apply *a, struct oltp_txn *t, int table,
                                    const struct import_record_reader *r, enum seam_status why,
                                    struct seam_fault *f)
{
    const char *name = a->m->tables[table].schema->name;
    enum seam_status st;

    seam_buf_clear(&a->key);
    st = seam_row_key(a->m->tables[table].schema, a->rows[table].values, &a->key, f);
    if (st == SEAM_OK) st = read_old(a, t, table, f);
    if (st == SEAM_NOT_FOUND) return why; /* a unique index refused it */
    if (st != SEAM_OK) return st;
    if (differs(a, table))
        return seam_fault_set(f, SEAM_EXISTS, NULL, r->line, "%s has a different row with this key",
                              name);
    a->stats->unchanged++;
    return SEAM_OK;
}

static enum seam_status execute(struct import_apply *a, struct oltp_txn *t, int table,
                                struct import_record_reader *r, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st, late;

    switch (a->rows[table].action) {
    case ACTION_NONE: return SEAM_OK;
    case ACTION_UPDATE: return update_row(a, t, table, r, f);
    case ACTION_INSERT: break;
    }
    st = insert_row(a, t, table, r, &why);
    if (st == SEAM_OK) return st;
    if (st == SEAM_EXISTS && a->m->tables[table].mode == MODE_INSERT) {
        late = accept_same(a, t, table, r, st, f);
        if (late != st || (f != NULL && f->status != SEAM_OK)) return late;
    }
    seam_fault_give(f, &why);
    return st;
}

/* Writes, with a savepoint where a later write may fail after an earlier one: a savepoint makes the
 * trees copy their pages again, and most records write one row.                                  */
static enum seam_status write_rows(struct import_apply *a, struct oltp_txn *t,
                                   struct import_record_reader *r, struct seam_fault *f)
{
    int n = a->m->table_count, writes = 0;
    uint32_t savepoint = 0;
    enum seam_status st = SEAM_OK, undo;

    for (int i = 0; i < n; i++) {
        if (a->rows[i].fed && (a->repeats || a->rows[i].action != ACTION_NONE))
            writes += 1 + (a->m->tables[i].events != NULL);
    }
    if (writes > 1) st = oltp_savepoint(t, &savepoint, f);
    if (st != SEAM_OK) return st;
    for (int i = 0; i < n && st == SEAM_OK; i++) {
        if (!a->rows[i].fed) continue;
        if (a->repeats) st = decide(a, t, i, r, f);
        if (st == SEAM_OK) st = execute(a, t, i, r, f);
    }
    if (writes <= 1) return st;
    if (st != SEAM_OK) {
        undo = oltp_rollback_to(t, savepoint, NULL);
        if (undo == SEAM_OK) undo = oltp_release(t, savepoint, NULL);
        return undo == SEAM_OK ? st : undo;
    }
    return oltp_release(t, savepoint, f);
}

enum seam_status import_apply_record(struct import_apply *a, struct oltp_txn *t,
                                     struct import_record_reader *r, struct seam_fault *f)
{
    struct import_stats before = *a->stats;
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < a->m->table_count && st == SEAM_OK; i++) {
        a->rows[i].fed = import_condition_holds(a->m->tables[i].when, r->slots);
        if (a->rows[i].fed) st = compute_table(a, t, i, r, f);
    }
    for (int i = 0; i < a->m->table_count && st == SEAM_OK && !a->repeats; i++) {
        if (a->rows[i].fed) st = decide(a, t, i, r, f);
    }
    if (st == SEAM_OK) st = write_rows(a, t, r, f);
    if (st != SEAM_OK) {
        *a->stats = before;
        import_apply_forget(a);
    }
    return st;
}
