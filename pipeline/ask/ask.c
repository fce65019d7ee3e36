#include "pipeline/ask/ask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"

static enum status no_memory(struct fault *f)
{
    return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for an answer");
}

static enum status make_room(struct answer *a, struct fault *f)
{
    size_t cap = a->cap == 0 ? 64 : a->cap * 2;
    const char **rows;
    struct bytes *keys;

    if (a->count < a->cap) return ST_OK;
    rows = realloc(a->rows, cap * sizeof *rows);
    if (rows == NULL) return no_memory(f);
    a->rows = rows;
    if (a->n_key > 0) {
        keys = realloc(a->keys, cap * sizeof *keys);
        if (keys == NULL) return no_memory(f);
        a->keys = keys;
    }
    a->cap = cap;
    return ST_OK;
}

static enum status take_row(struct answer *a, const struct value *row, struct fault *f)
{
    struct buf text = {0}, key = {0};
    enum status st = make_room(a, f);

    if (st != ST_OK) return st;
    sql_json_row(a->columns, a->n, row, &text);
    a->rows[a->count] = arena_strdup(a->arena, (const char *)text.data, text.size);
    if (a->rows[a->count] == NULL) st = no_memory(f);
    for (int i = 0; i < a->n_key; i++)
        key_append(&key, &row[a->key_column[i]]);
    if (a->n_key > 0) {
        const char *copy = arena_strdup(a->arena, (const char *)key.data, key.size);

        a->keys[a->count] = (struct bytes){(const uint8_t *)copy, key.size};
        if (copy == NULL) st = no_memory(f);
    }
    buf_free(&text);
    buf_free(&key);
    if (st == ST_OK) a->count++;
    return st;
}

static enum status take_rows(void *ctx, const struct batch *b, struct fault *f)
{
    enum status st = ST_OK;

    for (uint32_t i = 0; st == ST_OK && i < b->rows; i++) {
        struct value row[COLUMNS_MAX];

        batch_row(b, i, row);
        st = take_row(ctx, row, f);
    }
    return st;
}

static enum status find_keys(struct answer *a, struct fault *f)
{
    for (int i = 0; i < a->n_key; i++) {
        int at = 0;

        while (at < a->n && strcmp(a->columns[at].name, a->key_names[i]) != 0)
            at++;
        if (at == a->n)
            return fault_set(f, ST_INVALID, a->key_names[i], FAULT_NO_OFFSET,
                             "this key column is not in the answer");
        a->key_column[i] = at;
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
    st = find_keys(a, f);
    return st == ST_OK ? sql_run(&q, &o, take_rows, a, NULL, f) : st;
}

void answer_free(struct answer *a)
{
    free(a->rows);
    free(a->keys);
    a->rows = NULL;
    a->keys = NULL;
}
