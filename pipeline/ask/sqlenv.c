/* sqlenv - finds the tables that a statement names, and opens what holds them. */
#include "pipeline/ask/sqlenv.h"

#include <string.h>

#include "engine/values/row.h"
#include "pipeline/sinks/columns.h"

/* ---- a table of the row store as rows ---- */

struct table_rows {
    struct oltp_txn *txn;
    struct oltp_cursor *cursor;
    const struct seam_schema *schema;
    uint32_t table;
    int column[SEAM_COLUMNS_MAX]; /* live ones */
    int n;
};

static enum seam_status table_next(void *ctx, struct seam_value *values, struct seam_fault *f)
{
    struct table_rows *t = ctx;
    struct seam_value all[SEAM_COLUMNS_MAX];
    struct oltp_row row;
    enum seam_status st = SEAM_OK;

    if (t->cursor == NULL) st = oltp_cursor_open(t->txn, t->table, 0, NULL, 0, &t->cursor, f);
    if (st == SEAM_OK) st = oltp_cursor_next(t->cursor, &row, f);
    if (st == SEAM_END) {
        oltp_cursor_close(t->cursor);
        t->cursor = NULL;
        return SEAM_END;
    }
    if (st == SEAM_OK) st = seam_row_decode(t->schema, row.row.data, row.row.size, all, f);
    for (int i = 0; st == SEAM_OK && i < t->n; i++) values[i] = all[t->column[i]];
    return st;
}

static enum seam_status table_rewind(void *ctx, struct seam_fault *f)
{
    struct table_rows *t = ctx;

    (void)f;
    oltp_cursor_close(t->cursor);
    t->cursor = NULL;
    return SEAM_OK;
}

/* A statement opens the row store once for each moment it asks about.                               */
static enum seam_status open_moment(struct ask_sql_platform *s, const struct columnar_sql_moment *m,
                                    struct oltp_txn **out, struct seam_fault *f)
{
    seam_lsn_t lsn = m->kind == COLUMNAR_SQL_AT_LSN ? (seam_lsn_t)m->number : SEAM_LSN_MAX;
    int64_t time_us = m->kind == COLUMNAR_SQL_AT_TIME ? m->wall_us : INT64_MIN;
    enum seam_status st;

    if (m->kind == COLUMNAR_SQL_AT_SNAPSHOT || m->kind == COLUMNAR_SQL_AT_TAG)
        return seam_fault_set(f, SEAM_UNSUPPORTED, "sql", SEAM_FAULT_NO_OFFSET,
                              "the row store is asked AS OF LSN or TIME");
    if (s->n_open == SQL_OPEN_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "sql", SEAM_FAULT_NO_OFFSET,
                              "more than %d tables of the row store", SQL_OPEN_MAX);
    st = platform_open_reader(s->platform, lsn, time_us, &s->db[s->n_open], f);
    if (st == SEAM_OK) st = oltp_read_begin(s->db[s->n_open], &s->txn[s->n_open], f);
    if (st == SEAM_OK) *out = s->txn[s->n_open];
    s->n_open++;
    return st;
}

static enum seam_status resolve_table(struct ask_sql_platform *s, const char *name,
                                      const struct columnar_sql_moment *m, struct seam_arena *a,
                                      struct columnar_sql_rows *out, struct seam_fault *f)
{
    struct table_rows *t = seam_arena_zalloc(a, sizeof *t);
    struct columnar_plan_column *columns;
    bool there = false;
    enum seam_status st;

    if (t == NULL) return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory");
    st = open_moment(s, m, &t->txn, f);
    if (st == SEAM_OK) st = seam_fault_there(oltp_table(t->txn, name, &t->table, f), &there, f);
    if (st == SEAM_OK && !there) return SEAM_NOT_FOUND; /* the planner names the nearest */
    if (st != SEAM_OK) return st;
    t->schema = oltp_schema(t->txn, t->table);
    columns = seam_arena_zalloc(a, t->schema->column_count * sizeof *columns);
    if (columns == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory");
    for (int i = 0; i < t->schema->column_count; i++) {
        const struct seam_column *c = &t->schema->columns[i];

        if (!seam_column_live(c, t->schema->version)) continue;
        columns[t->n] = (struct columnar_plan_column){c->name, (uint8_t)c->type, c->scale};
        t->column[t->n++] = i;
    }
    *out = (struct columnar_sql_rows){
        columns, t->n, {table_next, table_rewind, t}, oltp_txn_lsn(t->txn)};
    return SEAM_OK;
}

/* ---- a table that a sink gives row by row ---- */

static enum seam_status resolve_sink(struct ask_sql_platform *s, size_t sink, const char *name,
                                     const struct columnar_sql_moment *m, struct seam_arena *a,
                                     struct columnar_sql_rows *out, struct seam_fault *f)
{
    size_t n;
    const struct sink_ops *ops = sink_list(&n)[sink];
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = SEAM_OK;

    if (s->state[sink] == NULL) {
        st = platform_sink_path(s->platform, ops->name, dir, f);
        if (st == SEAM_OK) st = ops->tables->open(s->platform, dir, &s->state[sink], f);
    }
    return st == SEAM_OK ? ops->tables->rows(s->state[sink], name, m, a, out, f) : st;
}

static enum seam_status resolve(void *ctx, const char *name, const struct columnar_sql_moment *m,
                                struct seam_arena *a, struct columnar_sql_rows *out,
                                struct seam_fault *f)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);

    for (size_t i = 0; i < n; i++) {
        const char *prefix = all[i]->tables != NULL ? all[i]->tables->prefix : NULL;

        if (prefix != NULL && strncmp(name, prefix, strlen(prefix)) == 0)
            return resolve_sink(ctx, i, name + strlen(prefix), m, a, out, f);
    }
    return resolve_table(ctx, name, m, a, out, f);
}

/* Names of the row store's tables, for "did you mean": schemas outlive the transaction only as ids, so the texts are
 * those of the open statement's catalogue.                                                          */
static size_t names(void *ctx, const char **out, size_t max)
{
    struct ask_sql_platform *s = ctx;
    uint32_t ids[64];
    size_t n;

    if (s->n_open == 0 || s->txn[0] == NULL) return 0;
    n = oltp_tables(s->txn[0], ids, SEAM_ARRAY_LEN(ids));
    if (n > SEAM_ARRAY_LEN(ids)) n = SEAM_ARRAY_LEN(ids);
    for (size_t i = 0; i < n && i < max; i++) out[i] = oltp_schema(s->txn[0], ids[i])->name;
    return n;
}

static bool has_columns(const struct ask_sql_platform *s, const struct sink_ops *ops)
{
    return ops->tables != NULL && ops->tables->columns &&
           platform_sink_config(s->platform, ops->name) != NULL;
}

/* Those of the sinks with column tables that have published. */
static enum seam_status open_readers(struct ask_sql_platform *s, struct seam_fault *f)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);
    enum seam_status st = SEAM_OK;

    s->reader_count = s->readers_wanted = 0;
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct seam_fault none = {0};
        char dir[SEAM_PATH_MAX_BYTES];

        if (!has_columns(s, all[i])) continue;
        s->readers_wanted++;
        st = platform_sink_path(s->platform, all[i]->name, dir, f);
        if (st != SEAM_OK || !seam_io_exists(s->platform->io, dir)) continue;
        st = sink_columns_reader(s->platform, dir, &s->readers[s->reader_count], &none);
        if (st == SEAM_OK)
            s->reader_of[s->reader_count++] = all[i]->name;
        else if (st == SEAM_NOT_FOUND)
            st = SEAM_OK; /* never published */
        else if (f != NULL)
            *f = none;
    }
    return st;
}

enum seam_status ask_sql_platform_open(struct ask_sql_platform *s, const struct platform *p,
                                       struct seam_fault *f)
{
    *s = (struct ask_sql_platform){.platform = p};
    s->env = (struct columnar_sql_env){.readers = (const struct columnar_reader *const *)s->readers,
                                       .resolve = resolve,
                                       .names = names,
                                       .ctx = s};
    return ask_sql_platform_next(s, f);
}

static void close_statement(struct ask_sql_platform *s)
{
    for (int i = 0; i < s->n_open; i++) {
        oltp_end(s->txn[i]);
        (void)oltp_close(s->db[i], NULL);
        s->db[i] = NULL;
        s->txn[i] = NULL;
    }
    s->n_open = 0;
    for (size_t i = 0; i < SINKS_MAX; i++) {
        size_t n;

        if (s->state[i] != NULL) sink_list(&n)[i]->tables->close(s->state[i]);
        s->state[i] = NULL;
    }
}

enum seam_status ask_sql_platform_next(struct ask_sql_platform *s, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    close_statement(s);
    if (s->reader_count == 0 ||
        s->reader_count < s->readers_wanted) { /* a sink may have published for the first time */
        for (size_t i = 0; i < s->reader_count; i++) columnar_close_reader(s->readers[i]);
        st = open_readers(s, f);
    } else {
        for (size_t i = 0; st == SEAM_OK && i < s->reader_count; i++)
            st = columnar_refresh(s->readers[i], NULL, f);
    }
    s->env.reader_count = s->reader_count;
    return st;
}

void ask_sql_platform_close(struct ask_sql_platform *s)
{
    close_statement(s);
    for (size_t i = 0; i < s->reader_count; i++) columnar_close_reader(s->readers[i]);
    s->reader_count = 0;
}
