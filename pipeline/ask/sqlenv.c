#include "pipeline/ask/sqlenv.h"

#include <string.h>

#include "engine/values/row.h"

/* ---- a table of the row store as rows ---- */

struct table_rows {
    struct oltp_txn *txn;
    struct oltp_cursor *cursor;
    const struct schema *schema;
    uint32_t table;
    int column[COLUMNS_MAX]; /* live ones */
    int n;
};

static enum status table_next(void *ctx, struct value *values, struct fault *f)
{
    struct table_rows *t = ctx;
    struct value all[COLUMNS_MAX];
    struct oltp_row row;
    enum status st = ST_OK;

    if (t->cursor == NULL) st = oltp_cursor_open(t->txn, t->table, 0, NULL, 0, &t->cursor, f);
    if (st == ST_OK) st = oltp_cursor_next(t->cursor, &row, f);
    if (st == ST_END) {
        oltp_cursor_close(t->cursor);
        t->cursor = NULL;
        return ST_END;
    }
    if (st == ST_OK) st = row_decode(t->schema, row.row.data, row.row.size, all, f);
    for (int i = 0; st == ST_OK && i < t->n; i++) values[i] = all[t->column[i]];
    return st;
}

static enum status table_rewind(void *ctx, struct fault *f)
{
    struct table_rows *t = ctx;

    (void)f;
    oltp_cursor_close(t->cursor);
    t->cursor = NULL;
    return ST_OK;
}

/* A statement opens the row store once for each moment it asks about.                               */
static enum status open_moment(struct sql_platform *s, const struct sql_moment *m, struct oltp_txn **out,
                               struct fault *f)
{
    lsn_t lsn = m->kind == SQL_AT_LSN ? (lsn_t)m->number : LSN_MAX;
    int64_t time_us = m->kind == SQL_AT_TIME ? m->wall_us : INT64_MIN;
    enum status st;

    if (m->kind == SQL_AT_SNAPSHOT || m->kind == SQL_AT_TAG)
        return fault_set(f, ST_UNSUPPORTED, "sql", FAULT_NO_OFFSET, "the row store is asked AS OF LSN or TIME");
    if (s->n_open == SQL_OPEN_MAX)
        return fault_set(f, ST_LIMIT, "sql", FAULT_NO_OFFSET, "more than %d tables of the row store", SQL_OPEN_MAX);
    st = platform_open_reader(s->platform, lsn, time_us, &s->db[s->n_open], f);
    if (st == ST_OK) st = oltp_read_begin(s->db[s->n_open], &s->txn[s->n_open], f);
    if (st == ST_OK) *out = s->txn[s->n_open];
    s->n_open++;
    return st;
}

static enum status resolve_table(struct sql_platform *s, const char *name, const struct sql_moment *m, struct arena *a,
                                 struct sql_rows *out, struct fault *f)
{
    struct table_rows *t = arena_zalloc(a, sizeof *t);
    struct plan_column *columns;
    enum status st;

    if (t == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    st = open_moment(s, m, &t->txn, f);
    if (st == ST_OK) st = oltp_table(t->txn, name, &t->table, NULL);
    if (st != ST_OK) return st;
    t->schema = oltp_schema(t->txn, t->table);
    columns = arena_zalloc(a, t->schema->column_count * sizeof *columns);
    if (columns == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    for (int i = 0; i < t->schema->column_count; i++) {
        const struct column *c = &t->schema->columns[i];

        if (!column_live(c, t->schema->version)) continue;
        columns[t->n] = (struct plan_column){c->name, (uint8_t)c->type, c->scale};
        t->column[t->n++] = i;
    }
    *out = (struct sql_rows){columns, t->n, {table_next, table_rewind, t}, oltp_txn_lsn(t->txn)};
    return ST_OK;
}

/* ---- a view as rows: they are few, so they are gathered ---- */

struct view_rows { struct value *rows; size_t count, cap, next; int n; struct arena *a; };

static enum status gather(void *ctx, const struct view_column *columns, int n, const struct value *row)
{
    struct view_rows *v = ctx;

    (void)columns;
    if (v->count == v->cap) {
        size_t cap = v->cap == 0 ? 64 : v->cap * 2;
        struct value *more = arena_alloc(v->a, cap * (size_t)n * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        if (v->count > 0) memcpy(more, v->rows, v->count * (size_t)n * sizeof *more);
        v->rows = more;
        v->cap = cap;
    }
    for (int i = 0; i < n; i++) {
        struct value *out = &v->rows[v->count * (size_t)n + (size_t)i];

        *out = row[i];
        if (out->type == V_TEXT && (out->s = arena_strdup(v->a, row[i].s, row[i].len)) == NULL) return ST_NOMEM;
    }
    v->count++;
    return ST_OK;
}

static enum status view_next(void *ctx, struct value *values, struct fault *f)
{
    struct view_rows *v = ctx;

    (void)f;
    if (v->next == v->count) return ST_END;
    memcpy(values, v->rows + v->next++ * (size_t)v->n, (size_t)v->n * sizeof *values);
    return ST_OK;
}

static enum status view_rewind(void *ctx, struct fault *f)
{
    (void)f;
    ((struct view_rows *)ctx)->next = 0;
    return ST_OK;
}

static enum status open_views(struct sql_platform *s, struct fault *f)
{
    char dir[PATH_MAX_BYTES];
    enum status st;

    if (s->views != NULL) return ST_OK;
    st = platform_sink_path(s->platform, "view", dir, f);
    return st == ST_OK ? view_reader_open(s->platform->io, dir, &s->views, f) : st;
}

static enum status resolve_view(struct sql_platform *s, const char *name, const struct sql_moment *m, struct arena *a,
                                struct sql_rows *out, struct fault *f)
{
    struct view_rows *v = arena_zalloc(a, sizeof *v);
    const struct view_column *described;
    struct plan_column *columns;
    struct view_position at;
    enum status st;

    if (m->kind != SQL_NOW)
        return fault_set(f, ST_UNSUPPORTED, "sql", FAULT_NO_OFFSET, "a view has no past: ask gold AS OF instead");
    if (v == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    st = open_views(s, f);
    if (st == ST_OK) st = view_describe(s->views, name, &described, &v->n, f);
    if (st != ST_OK) return st;
    v->a = a;
    columns = arena_zalloc(a, (size_t)v->n * sizeof *columns);
    if (columns == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    for (int i = 0; i < v->n; i++) {
        columns[i] = (struct plan_column){arena_strdup(a, described[i].name, strlen(described[i].name)), described[i].type,
                                          described[i].scale};
        if (columns[i].name == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    }
    st = view_scan(s->views, name, gather, v, f);
    view_reader_position(s->views, &at);
    *out = (struct sql_rows){columns, v->n, {view_next, view_rewind, v}, at.lsn};
    return st;
}

static enum status resolve(void *ctx, const char *name, const struct sql_moment *m, struct arena *a,
                           struct sql_rows *out, struct fault *f)
{
    return strncmp(name, "view_", 5) == 0 ? resolve_view(ctx, name + 5, m, a, out, f)
                                          : resolve_table(ctx, name, m, a, out, f);
}

/* Names of the row store's tables, for "did you mean": schemas outlive the transaction only as ids, so the texts are
 * those of the open statement's catalogue.                                                          */
static size_t names(void *ctx, const char **out, size_t max)
{
    struct sql_platform *s = ctx;
    uint32_t ids[64];
    size_t n;

    if (s->n_open == 0 || s->txn[0] == NULL) return 0;
    n = oltp_tables(s->txn[0], ids, ARRAY_LEN(ids));
    if (n > ARRAY_LEN(ids)) n = ARRAY_LEN(ids);
    for (size_t i = 0; i < n && i < max; i++) out[i] = oltp_schema(s->txn[0], ids[i])->name;
    return n;
}

static enum status open_readers(struct sql_platform *s, struct fault *f)
{
    static const char *const sinks[] = {"warehouse", "gold"};
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(sinks); i++) {
        struct columnar_options o = {.clock = s->platform->clock};
        struct fault none = {0};
        char dir[PATH_MAX_BYTES];

        st = platform_sink_path(s->platform, sinks[i], dir, f);
        if (st != ST_OK || !io_exists(s->platform->io, dir)) continue;
        st = columnar_open_reader(s->platform->io, dir, &o, &s->readers[s->reader_count], &none);
        if (st == ST_OK) s->reader_count++;
        else if (st == ST_NOT_FOUND) st = ST_OK; /* never published */
        else if (f != NULL) *f = none;
    }
    return st;
}

enum status sql_platform_open(struct sql_platform *s, const struct platform *p, struct fault *f)
{
    *s = (struct sql_platform){.platform = p};
    s->env = (struct sql_env){.readers = (const struct columnar_reader *const *)s->readers, .resolve = resolve,
                              .names = names, .ctx = s};
    return sql_platform_next(s, f);
}

static void close_statement(struct sql_platform *s)
{
    for (int i = 0; i < s->n_open; i++) {
        oltp_end(s->txn[i]);
        (void)oltp_close(s->db[i], NULL);
        s->db[i] = NULL;
        s->txn[i] = NULL;
    }
    s->n_open = 0;
    view_reader_close(s->views);
    s->views = NULL;
}

enum status sql_platform_next(struct sql_platform *s, struct fault *f)
{
    enum status st = ST_OK;

    close_statement(s);
    if (s->reader_count < 2) { /* a sink may have published for the first time */
        for (size_t i = 0; i < s->reader_count; i++) columnar_close_reader(s->readers[i]);
        s->reader_count = 0;
        st = open_readers(s, f);
    } else {
        for (size_t i = 0; st == ST_OK && i < s->reader_count; i++) st = columnar_refresh(s->readers[i], NULL, f);
    }
    s->env.reader_count = s->reader_count;
    return st;
}

void sql_platform_close(struct sql_platform *s)
{
    close_statement(s);
    for (size_t i = 0; i < s->reader_count; i++) columnar_close_reader(s->readers[i]);
    s->reader_count = 0;
}
