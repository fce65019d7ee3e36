/* view_asked - the views' mirrors as one side of a comparison, their rows for SQL, and whether they show a change yet. */
#include "pipeline/view/view_asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/view/view.h"

/* ---- sides: the mirrors ---- */

static void describe_values(const struct sink_side_row *row, struct seam_buf *out)
{
    seam_row_to_json(row->ctx, row->data, out);
}

struct mirror_side {
    struct sink_side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct seam_schema *schema, *source;
};

static enum seam_status scan_mirror(struct sink_side *side, const struct oltp_range *range,
                                    sink_side_fn fn, void *ctx, struct seam_fault *f)
{
    struct mirror_side *s = (struct mirror_side *)side;
    int k = seam_schema_column(s->schema, "k"), r = seam_schema_column(s->schema, "row");
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value values[SEAM_COLUMNS_MAX], mirror[SEAM_COLUMNS_MAX];
    enum seam_status st;

    if (k < 0 || r < 0)
        return seam_fault_set(f, SEAM_CORRUPT, s->schema->name, SEAM_FAULT_NO_OFFSET,
                              "a mirror without key or row");
    st = oltp_cursor_open(s->txn, s->table, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct sink_side_row out = {.describe = describe_values, .ctx = s->source, .data = values};

        st = seam_row_decode(s->schema, row.row.data, row.row.size, mirror, f);
        if (st != SEAM_OK) break;
        out.key = (struct wal_bytes){(const uint8_t *)mirror[k].s, mirror[k].len};
        if (!sink_side_in_range(range, out.key)) continue;
        st = seam_row_decode(s->source, mirror[r].s, mirror[r].len, values, f);
        if (st != SEAM_OK) break;
        out.hash = seam_row_hash(s->source, values);
        st = fn(ctx, &out, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status view_lsn(struct oltp_txn *t, seam_lsn_t *out, struct seam_fault *f)
{
    struct seam_value id = seam_v_int(1), values[SEAM_COLUMNS_MAX];
    struct oltp_row row;
    uint32_t meta;
    enum seam_status st = oltp_table(t, "meta", &meta, f);

    if (st == SEAM_OK) st = oltp_get(t, meta, &id, &row, f);
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(t, meta), row.row.data, row.row.size, values, f);
    if (st == SEAM_OK) {
        int c = seam_schema_column(oltp_schema(t, meta), "lsn");

        *out = c >= 0 ? (seam_lsn_t)values[c].i : SEAM_LSN_NONE;
    }
    return st;
}

struct mirrors {
    struct oltp *db;
    struct mirror_side side;
};

static enum seam_status mirrors_open(const struct platform *p, const char *dir, bool deep,
                                     void **state, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct mirrors *s = calloc(1, sizeof *s);
    enum seam_status st;

    (void)deep;
    *state = s;
    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to reconcile");
    s->side.side.scan = scan_mirror;
    st = sink_own_rows_read(p->io, dir, "reconcile", "no views yet", &s->db, f);
    if (st == SEAM_OK) st = oltp_read_begin(s->db, &s->side.txn, f);
    return st == SEAM_OK ? view_lsn(s->side.txn, lsn, f) : st;
}

static enum seam_status mirrors_table(void *state, struct sink_source_side *source,
                                      struct sink_side **other, struct seam_fault *f)
{
    struct mirror_side *s = &((struct mirrors *)state)->side;
    char name[SEAM_NAME_MAX_BYTES + 8];
    bool there;
    enum seam_status st;

    snprintf(name, sizeof name, "src_%s", source->schema->name);
    st = seam_fault_there(oltp_table(s->txn, name, &s->table, f), &there, f);
    if (st != SEAM_OK || !there) return st; /* no view reads this table */
    s->schema = oltp_schema(s->txn, s->table);
    s->source = source->schema;
    *other = &s->side;
    return SEAM_OK;
}

static void mirrors_close(void *state)
{
    struct mirrors *s = state;

    if (s == NULL) return;
    oltp_end(s->side.txn);
    (void)oltp_close(s->db, NULL);
    free(s);
}

const struct sink_sides view_sides = {
    .open = mirrors_open, .table = mirrors_table, .close = mirrors_close};

/* ---- readers, for the probe and for SQL ---- */

static enum seam_status reader_open(const struct platform *p, const char *dir, void **state,
                                    struct seam_fault *f)
{
    struct view_reader *views = NULL;
    enum seam_status st = view_reader_open(p->io, dir, &views, f);

    *state = views;
    return st;
}

static void reader_close(void *state)
{
    view_reader_close(state);
}

static enum seam_status probe_look(void *state, const struct sink_expectation *e, bool *seen,
                                   seam_lsn_t *applied, struct seam_fault *f)
{
    struct view_reader *views = state;
    struct view_position at;
    struct seam_value key, row[VIEW_COLUMNS_MAX];
    bool there;
    enum seam_status st = view_reader_refresh(views, f);

    view_reader_position(views, &at);
    *applied = at.lsn;
    *seen = at.lsn >= e->lsn;
    if (st != SEAM_OK || !*seen || e->category == NULL) return st;
    key = seam_v_str(e->category);
    st = seam_fault_there(view_get(views, "revenue_by_category", &key, 1, row, f), &there, f);
    *seen = (there ? row[3].i : 0) == e->revenue;
    return st;
}

const struct sink_probe view_probe = {reader_open, probe_look, reader_close};

/* ---- tables: a view's rows are few, so they are gathered ---- */

struct view_rows {
    struct seam_value *rows;
    size_t count, cap, next;
    int n;
    struct seam_arena *a;
};

static enum seam_status gather(void *ctx, const struct view_column *columns, int n,
                               const struct seam_value *row)
{
    struct view_rows *v = ctx;

    (void)columns;
    if (v->count == v->cap) {
        size_t cap = v->cap == 0 ? 64 : v->cap * 2;
        struct seam_value *more = seam_arena_alloc(v->a, cap * (size_t)n * sizeof *more);

        if (more == NULL) return SEAM_NOMEM;
        if (v->count > 0) memcpy(more, v->rows, v->count * (size_t)n * sizeof *more);
        v->rows = more;
        v->cap = cap;
    }
    for (int i = 0; i < n; i++) {
        struct seam_value *out = &v->rows[v->count * (size_t)n + (size_t)i];

        *out = row[i];
        if (out->type == SEAM_V_TEXT &&
            (out->s = seam_arena_strdup(v->a, row[i].s, row[i].len)) == NULL)
            return SEAM_NOMEM;
    }
    v->count++;
    return SEAM_OK;
}

static enum seam_status view_next(void *ctx, struct seam_value *values, struct seam_fault *f)
{
    struct view_rows *v = ctx;

    (void)f;
    if (v->next == v->count) return SEAM_END;
    memcpy(values, v->rows + v->next++ * (size_t)v->n, (size_t)v->n * sizeof *values);
    return SEAM_OK;
}

static enum seam_status view_rewind(void *ctx, struct seam_fault *f)
{
    (void)f;
    ((struct view_rows *)ctx)->next = 0;
    return SEAM_OK;
}

static enum seam_status tables_rows(void *state, const char *name,
                                    const struct columnar_sql_moment *m, struct seam_arena *a,
                                    struct columnar_sql_rows *out, struct seam_fault *f)
{
    struct view_reader *views = state;
    struct view_rows *v = seam_arena_zalloc(a, sizeof *v);
    const struct view_column *described;
    struct columnar_plan_column *columns;
    struct view_position at;
    enum seam_status st;

    if (m->kind != COLUMNAR_SQL_NOW)
        return seam_fault_set(f, SEAM_UNSUPPORTED, "sql", SEAM_FAULT_NO_OFFSET,
                              "a view has no past: ask gold AS OF instead");
    if (v == NULL) return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory");
    st = view_describe(views, name, &described, &v->n, f);
    if (st != SEAM_OK) return st;
    v->a = a;
    columns = seam_arena_zalloc(a, (size_t)v->n * sizeof *columns);
    if (columns == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory");
    for (int i = 0; i < v->n; i++) {
        columns[i] = (struct columnar_plan_column){
            seam_arena_strdup(a, described[i].name, strlen(described[i].name)), described[i].type,
            described[i].scale};
        if (columns[i].name == NULL)
            return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory");
    }
    st = view_scan(views, name, gather, v, f);
    view_reader_position(views, &at);
    *out = (struct columnar_sql_rows){columns, v->n, {view_next, view_rewind, v}, at.lsn};
    return st;
}

const struct sink_tables view_tables = {
    .prefix = "view_", .open = reader_open, .rows = tables_rows, .close = reader_close};
