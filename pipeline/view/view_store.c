/* view_store - a batch of changes as one transaction over mirrors and groups. */
#include "pipeline/view/view_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"

/* A batch this large is a backlog: the mirrors are filled first and the views computed once.         */
enum { BULK_CHANGES = 16384 };

static enum seam_status own_table(struct view_store *s, const char *name, const char *json,
                                  uint32_t *table, struct seam_fault *f)
{
    bool there;
    enum seam_status st = seam_fault_there(oltp_table(s->txn, name, table, f), &there, f);

    return st != SEAM_OK || there ? st
                                  : oltp_create_table_json(s->txn, json, strlen(json), table, f);
}

static enum seam_status open_own_tables(struct view_store *s, struct seam_fault *f)
{
    static const char meta[] =
        "{\"table\":\"meta\",\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
        "{\"name\":\"lsn\",\"type\":\"int64\"},{\"name\":\"valid_lsn\",\"type\":\"int64\"},"
        "{\"name\":\"wall_us\",\"type\":\"int64\"}]}";
    static const char defs[] =
        "{\"table\":\"defs\",\"key\":[\"name\"],\"columns\":[{\"name\":\"name\",\"type\":\"text\"},"
        "{\"name\":\"sql\",\"type\":\"text\"}]}";
    struct seam_value id = seam_v_int(1), values[4];
    struct oltp_row r;
    bool there;
    enum seam_status st = view_store_begin(s, f);

    if (st == SEAM_OK) st = own_table(s, "meta", meta, &s->meta, f);
    if (st == SEAM_OK) st = own_table(s, "defs", defs, &s->defs, f);
    if (st != SEAM_OK) return st;
    st = seam_fault_there(oltp_get(s->txn, s->meta, &id, &r, f), &there, f);
    if (st == SEAM_OK && !there) return SEAM_OK;
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(s->txn, s->meta), r.row.data, r.row.size, values, f);
    if (st != SEAM_OK) return st;
    s->lsn = (seam_lsn_t)values[1].i;
    s->valid_lsn = (seam_lsn_t)values[2].i;
    s->wall_us = values[3].i;
    return SEAM_OK;
}

/* Drops what an older declaration of the view has left; SEAM_OK when there is nothing.                */
static enum seam_status drop_tables(struct view_store *s, const char *name, struct seam_fault *f)
{
    static const char *const prefix[] = {"v_", "m_"};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(prefix); i++) {
        char table_name[SEAM_NAME_MAX_BYTES + 4];
        uint32_t table;
        bool there;

        snprintf(table_name, sizeof table_name, "%s%.*s", prefix[i], SEAM_NAME_MAX_BYTES - 1, name);
        st = seam_fault_there(oltp_table(s->txn, table_name, &table, f), &there, f);
        if (st == SEAM_OK && there) st = oltp_drop_table(s->txn, table, f);
    }
    return st;
}

/* Compares the declaration with the stored one: a new or changed view starts afresh.                */
static enum seam_status declare(struct view_store *s, const char *name, const char *sql,
                                struct seam_fault *f)
{
    struct view_state *v = &s->views[s->n_views];
    struct seam_value values[2] = {seam_v_str(name), seam_v_str(sql)}, old;
    struct oltp_row r;
    bool same = false, there;
    enum seam_status st;

    if (s->n_views == VIEWS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, name, SEAM_FAULT_NO_OFFSET, "more than %d views",
                              VIEWS_MAX);
    if (strlen(name) > SEAM_NAME_MAX_BYTES - 4)
        return seam_fault_set(f, SEAM_LIMIT, name, SEAM_FAULT_NO_OFFSET,
                              "a view's name has at most %d bytes", SEAM_NAME_MAX_BYTES - 4);
    *v = (struct view_state){0};
    snprintf(v->name, sizeof v->name, "%s", name);
    v->sql = strdup(sql);
    if (v->sql == NULL)
        return seam_fault_set(f, SEAM_NOMEM, name, SEAM_FAULT_NO_OFFSET, "no memory");
    s->n_views++;
    st = seam_fault_there(oltp_get(s->txn, s->defs, values, &r, f), &there, f);
    if (st == SEAM_OK && there) {
        st = seam_row_get(oltp_schema(s->txn, s->defs), r.row.data, r.row.size, 1, &old, f);
        same = st == SEAM_OK && seam_value_equal(&old, &values[1]);
    }
    if (st != SEAM_OK || same) return st;
    v->fresh = true;
    st = drop_tables(s, name, f);
    return st == SEAM_OK ? oltp_put(s->txn, s->defs, values, f) : st;
}

/* Views that are declared no more are forgotten.                                                    */
static enum seam_status forget_others(struct view_store *s, struct seam_fault *f)
{
    char gone[VIEWS_MAX][SEAM_NAME_MAX_BYTES];
    int n = 0;
    struct oltp_cursor *c = NULL;
    struct oltp_row r;
    struct seam_value name;
    enum seam_status st = oltp_cursor_open(s->txn, s->defs, 0, NULL, 0, &c, f);

    while (st == SEAM_OK && (st = oltp_cursor_next(c, &r, f)) == SEAM_OK) {
        bool known = false;

        st = seam_row_get(oltp_schema(s->txn, s->defs), r.row.data, r.row.size, 0, &name, f);
        for (int i = 0; st == SEAM_OK && i < s->n_views; i++)
            known |= strlen(s->views[i].name) == name.len &&
                     memcmp(s->views[i].name, name.s, name.len) == 0;
        if (st == SEAM_OK && !known && n < VIEWS_MAX && name.len < SEAM_NAME_MAX_BYTES) {
            memcpy(gone[n], name.s, name.len);
            gone[n++][name.len] = '\0';
        }
    }
    oltp_cursor_close(c);
    if (st == SEAM_END) st = SEAM_OK;
    for (int i = 0; st == SEAM_OK && i < n; i++) {
        struct seam_value key = seam_v_str(gone[i]);

        st = drop_tables(s, gone[i], f);
        if (st == SEAM_OK) st = oltp_delete(s->txn, s->defs, &key, f);
    }
    return st;
}

static enum seam_status create_view_tables(struct view_store *s, struct view_state *v,
                                           struct seam_fault *f)
{
    char name[SEAM_NAME_MAX_BYTES + 4], json[512];
    bool multiset = false;
    enum seam_status st;

    snprintf(name, sizeof name, "v_%s", v->name);
    snprintf(json, sizeof json,
             "{\"table\":\"%s\",\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":\"text\"},"
             "{\"name\":\"n\",\"type\":\"int64\"},{\"name\":\"s\",\"type\":\"text\"}]}",
             name);
    st = own_table(s, name, json, &v->table, f);
    for (int i = 0; i < v->def->n_aggs; i++)
        multiset |= v->def->aggs[i].op == VIEW_MIN || v->def->aggs[i].op == VIEW_MAX;
    if (st != SEAM_OK || !multiset) return st;
    snprintf(name, sizeof name, "m_%s", v->name);
    snprintf(json, sizeof json,
             "{\"table\":\"%s\",\"key\":[\"k\",\"a\",\"v\"],\"columns\":[{\"name\":\"k\",\"type\":"
             "\"text\"},"
             "{\"name\":\"a\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"text\"},{\"name\":"
             "\"n\",\"type\":\"int64\"}]}",
             name);
    return own_table(s, name, json, &v->multiset, f);
}

/* Foreign keys that the view's joins look rows up by.                                               */
static enum seam_status need_foreign_keys(struct view_store *s, const struct view_def *d,
                                          struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = 1; st == SEAM_OK && i < d->n_inputs; i++) {
        const struct view_input *in = &d->inputs[i], *parent = &d->inputs[in->parent];
        uint16_t columns[SEAM_KEY_COLUMNS_MAX];

        for (int k = 0; k < in->foreign_count; k++)
            columns[k] = (uint16_t)(in->foreign[k] - parent->first);
        st = view_mirror_need(s, parent->table, columns, (uint16_t)in->foreign_count, f);
    }
    return st;
}

/* (Re)compiles a view once all its inputs are known; one whose tables have not been told of waits.    */
static enum seam_status compile_view(struct view_store *s, struct view_state *v,
                                     struct seam_fault *f)
{
    struct view_def *def = NULL;
    struct seam_fault inner = {0};
    enum seam_status st = view_compile(v->name, v->sql, &s->registry, &def, &inner);

    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    if (st != SEAM_OK) {
        if (f != NULL) *f = inner;
        return st;
    }
    view_def_free(v->def);
    v->def = def;
    st = view_store_begin(s, f);
    if (st == SEAM_OK) st = create_view_tables(s, v, f);
    return st == SEAM_OK ? need_foreign_keys(s, def, f) : st;
}

enum seam_status view_store_schema(struct view_store *s, const struct seam_schema *schema,
                                   struct seam_fault *f)
{
    struct seam_buf json = {0};
    bool changed;
    enum seam_status st;

    seam_schema_to_json(schema, &json);
    st = stream_registry_put(&s->registry, schema->id, (const char *)json.data, json.size, &changed,
                             f);
    seam_buf_free(&json);
    if (st == SEAM_OK) st = view_mirror_define(s, schema, f);
    for (int i = 0; st == SEAM_OK && i < s->n_views; i++) {
        struct view_state *v = &s->views[i];

        if (v->def == NULL || changed) st = compile_view(s, v, f);
    }
    return st;
}

enum seam_status view_store_open(struct seam_io *io, struct seam_clock *clock, const char *dir,
                                 const struct seam_json *views, struct seam_trace *trace,
                                 struct view_store **out, struct seam_fault *f)
{
    struct view_store *s = calloc(1, sizeof *s);
    enum seam_status st;

    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory for the views");
    s->io = io;
    s->trace = trace;
    st = sink_own_rows_open(io, clock, dir, &s->own, f);
    if (st == SEAM_OK) st = stream_registry_open(&s->registry, io, dir, f);
    if (st == SEAM_OK) st = open_own_tables(s, f);
    for (const struct seam_json *n = views != NULL ? views->child : NULL;
         st == SEAM_OK && n != NULL; n = n->next)
        st = declare(s, seam_json_string(n, "name", ""), seam_json_string(n, "sql", ""), f);
    if (st == SEAM_OK) st = forget_others(s, f);
    for (size_t i = 0; st == SEAM_OK && i < s->registry.count; i++)
        st = view_mirror_define(s, &s->registry.schemas[i], f);
    for (int i = 0; st == SEAM_OK && i < s->n_views; i++) st = compile_view(s, &s->views[i], f);
    s->bulk = s->valid_lsn < s->lsn || s->lsn == SEAM_LSN_NONE;
    /* Views declared or dropped since are there at once, without waiting for the next change. */
    if (st == SEAM_OK && s->lsn != SEAM_LSN_NONE) st = view_store_publish(s, s->lsn, s->wall_us, f);
    if (st != SEAM_OK) {
        view_store_close(s);
        return st;
    }
    *out = s;
    return SEAM_OK;
}

void view_store_close(struct view_store *s)
{
    if (s == NULL) return;
    oltp_end(s->txn);
    for (int i = 0; i < s->n_views; i++) {
        view_def_free(s->views[i].def);
        view_deltas_free(&s->views[i].deltas);
        view_key_set_free(&s->views[i].repairs);
        free(s->views[i].sql);
    }
    sink_own_rows_close(&s->own);
    stream_registry_close(&s->registry);
    for (int i = 0; i < VIEW_TABLES_MAX; i++) seam_buf_free(&s->scratch[i]);
    seam_buf_free(&s->key);
    seam_buf_free(&s->row);
    seam_arena_free(&s->arena);
    free(s);
}

/* Does the change touch a column that this input's view reads? A row that comes or goes always does.  */
static bool touches(const struct view_input *in, const struct seam_value *before,
                    const struct seam_value *after)
{
    for (int c = 0; c < in->n; c++)
        if (in->used[c] &&
            (before[c].type != after[c].type || !seam_value_equal(&before[c], &after[c])))
            return true;
    return false;
}

/* The fact rows of each view whose contribution the change may alter.                               */
static enum seam_status find_affected(struct view_store *s, const struct stream_change *c,
                                      const struct seam_buf *old, bool existed,
                                      struct view_key_set sets[VIEWS_MAX], struct seam_fault *f)
{
    struct seam_value before[SEAM_COLUMNS_MAX], after[SEAM_COLUMNS_MAX];
    bool both = existed && c->op != WAL_OP_DELETE;
    enum seam_status st = SEAM_OK;

    if (both) st = seam_row_decode(c->schema, old->data, old->size, before, f);
    if (st == SEAM_OK && both)
        st = seam_row_decode(c->schema, c->after.data, c->after.size, after, f);
    for (int i = 0; st == SEAM_OK && i < s->n_views; i++) {
        struct view_state *v = &s->views[i];

        if (v->def == NULL || v->fresh) continue;
        for (int k = 0; st == SEAM_OK && k < v->def->n_inputs; k++)
            if (v->def->inputs[k].table == c->schema->id &&
                (!both || touches(&v->def->inputs[k], before, after)))
                st = view_affected(s, v, k, c->key, &sets[i], f);
    }
    return st;
}

static enum seam_status contribute_all(struct view_store *s, struct view_state *v,
                                       const struct view_key_set *facts, int sign,
                                       struct seam_fault *f)
{
    const struct view_mirror *m;
    enum seam_status st = SEAM_OK;

    if (facts->count == 0) return SEAM_OK;
    m = view_store_mirror(s, v->def->inputs[0].table);
    for (size_t i = 0; st == SEAM_OK && i < facts->count; i++) {
        st = view_mirror_get(s, m, facts->keys[i], &s->scratch[0], f);
        if (st == SEAM_OK)
            st = view_contribute(s, v, (struct wal_bytes){s->scratch[0].data, s->scratch[0].size},
                                 sign, f);
        else if (st == SEAM_NOT_FOUND)
            st = SEAM_OK; /* the fact itself comes or goes */
    }
    return st;
}

static enum seam_status update_mirror(struct view_store *s, struct view_mirror *m,
                                      const struct stream_change *c, struct seam_fault *f)
{
    return c->op == WAL_OP_DELETE ? view_mirror_delete(s, m, c->key, f)
                                  : view_mirror_put(s, m, c->schema, c->key, c->after, f);
}

enum seam_status view_store_change(struct view_store *s, const struct stream_change *c,
                                   struct seam_fault *f)
{
    struct view_mirror *m = view_store_mirror(s, c->schema->id);
    struct view_key_set sets[VIEWS_MAX];
    struct seam_buf old = {0};
    bool existed;
    enum seam_status st = view_store_begin(s, f);

    if (st != SEAM_OK) return st;
    if (m == NULL)
        return seam_fault_set(f, SEAM_CORRUPT, c->schema->name, c->offset,
                              "a change of a table without a schema");
    s->changes++;
    if (s->bulk) return update_mirror(s, m, c, f);
    memset(sets, 0, (size_t)s->n_views * sizeof *sets);
    st = view_mirror_get(s, m, c->key, &old, f);
    existed = st == SEAM_OK;
    if (st == SEAM_NOT_FOUND) st = SEAM_OK;
    if (st == SEAM_OK && c->snapshot && existed &&
        wal_bytes_equal((struct wal_bytes){old.data, old.size}, c->after)) {
        seam_buf_free(&old); /* a snapshot names what has not changed, too */
        return SEAM_OK;
    }
    if (st == SEAM_OK) st = find_affected(s, c, &old, existed, sets, f);
    for (int i = 0; st == SEAM_OK && i < s->n_views; i++)
        st = contribute_all(s, &s->views[i], &sets[i], -1, f);
    if (st == SEAM_OK) st = update_mirror(s, m, c, f);
    for (int i = 0; st == SEAM_OK && i < s->n_views; i++)
        st = contribute_all(s, &s->views[i], &sets[i], 1, f);
    for (int i = 0; i < s->n_views; i++) view_key_set_free(&sets[i]);
    seam_buf_free(&old);
    return st;
}

enum seam_status view_store_repair(struct view_store *s, const char *view, struct wal_bytes key,
                                   struct seam_fault *f)
{
    size_t number;
    bool added;

    for (int i = 0; i < s->n_views; i++) {
        struct view_state *v = &s->views[i];

        if (strcmp(v->name, view) != 0) continue;
        if (key.data == NULL)
            v->repair_all = true;
        else if (view_key_set_add(&v->repairs, key, &number, &added) != SEAM_OK)
            return seam_fault_set(f, SEAM_NOMEM, view, SEAM_FAULT_NO_OFFSET, "no memory");
    }
    return SEAM_OK;
}

/* The whole view from the mirrors, whatever an earlier state or this batch has left.                */
static enum seam_status make_again(struct view_store *s, struct view_state *v, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    view_deltas_clear(&v->deltas);
    if (!v->fresh) {
        st = drop_tables(s, v->name, f);
        if (st == SEAM_OK) st = create_view_tables(s, v, f);
    }
    if (st == SEAM_OK) st = view_ensure_total(v, f);
    if (st == SEAM_OK) st = view_compute(s, v, f);
    if (st == SEAM_OK) st = view_flush(s, v, f);
    v->fresh = false;
    return st;
}

static enum seam_status bring_up(struct view_store *s, bool from_mirrors, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < s->n_views; i++) {
        struct view_state *v = &s->views[i];

        if (v->def == NULL) continue;
        if (from_mirrors || v->fresh || v->repair_all)
            st = make_again(s, v, f);
        else
            st = v->repairs.count > 0 ? view_repair_groups(s, v, f) : view_flush(s, v, f);
        view_key_set_clear(&v->repairs);
        v->repair_all = false;
    }
    return st;
}

enum seam_status view_store_publish(struct view_store *s, seam_lsn_t lsn, int64_t wall_us,
                                    struct seam_fault *f)
{
    bool backlog = s->bulk && s->changes >= BULK_CHANGES;
    struct seam_value meta[4] = {seam_v_int(1), seam_v_int((int64_t)lsn),
                                 seam_v_int((int64_t)(backlog ? s->valid_lsn : lsn)),
                                 seam_v_int(wall_us)};
    enum seam_status st = view_store_begin(s, f);

    if (st == SEAM_OK && !backlog) st = bring_up(s, s->bulk, f);
    if (st == SEAM_OK) st = oltp_put(s->txn, s->meta, meta, f);
    if (st == SEAM_OK) {
        struct oltp_txn *t = s->txn;

        s->txn = NULL;
        st = oltp_commit(t, OLTP_DURABLE, NULL, f);
    }
    if (st != SEAM_OK) return st;
    s->lsn = lsn;
    s->wall_us = wall_us;
    s->changes = 0;
    if (!backlog) {
        s->valid_lsn = lsn;
        s->bulk = false;
    }
    return SEAM_OK;
}
