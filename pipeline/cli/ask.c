#include "pipeline/cli/ask.h"

#include <stdlib.h>
#include <string.h>

static enum status take_rows(void *ctx, const struct batch *b, struct fault *f)
{
    struct answer *a = ctx;

    for (uint32_t i = 0; i < b->rows; i++) {
        struct value row[COLUMNS_MAX];
        struct buf text = {0};

        if (a->count == a->cap) {
            size_t cap = a->cap == 0 ? 64 : a->cap * 2;
            const char **more = realloc(a->rows, cap * sizeof *more);

            if (more == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
            a->rows = more;
            a->cap = cap;
        }
        batch_row(b, i, row);
        sql_json_row(a->columns, a->n, row, &text);
        a->rows[a->count] = arena_strdup(a->arena, (const char *)text.data, text.size);
        buf_free(&text);
        if (a->rows[a->count++] == NULL)
            return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory");
    }
    return ST_OK;
}

enum status ask_rows(struct sql_platform *s, const char *sql, struct answer *a, lsn_t *lsn,
                     struct fault *f)
{
    struct query_options o = {0};
    struct sql_query q;
    enum status st = sql_prepare(&s->env, sql, strlen(sql), a->arena, &q, f);

    if (st != ST_OK) return st;
    a->columns = q.columns;
    a->n = q.n_columns;
    if (lsn != NULL) *lsn = q.lsn;
    return sql_run(&q, &o, take_rows, a, NULL, f);
}
