/* ask - one SELECT put to one layer at one moment, its rows as printed. */
#include "pipeline/ask/ask.h"

#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"

static enum seam_status no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET, "no memory for an answer");
}

static enum seam_status make_room(struct ask_answer *a, struct seam_fault *f)
{
    size_t cap = a->cap == 0 ? 64 : a->cap * 2;
    const char **rows;
    struct wal_bytes *keys;

    if (a->count < a->cap) return SEAM_OK;
    rows = realloc(a->rows, cap * sizeof *rows);
    if (rows == NULL) return no_memory(f);
    a->rows = rows;
    if (a->n_key > 0) {
        keys = realloc(a->keys, cap * sizeof *keys);
        if (keys == NULL) return no_memory(f);
        a->keys = keys;
    }
    a->cap = cap;
    return SEAM_OK;
}

static enum seam_status take_row(struct ask_answer *a, const struct seam_value *row,
                                 struct seam_fault *f)
{
    struct seam_buf text = {0}, key = {0};
    enum seam_status st = make_room(a, f);

    if (st != SEAM_OK) return st;
    columnar_sql_json_row(a->columns, a->n, row, &text);
    a->rows[a->count] = seam_arena_strdup(a->arena, (const char *)text.data, text.size);
    if (a->rows[a->count] == NULL) st = no_memory(f);
    for (int i = 0; i < a->n_key; i++) seam_key_append(&key, &row[a->key_column[i]]);
    if (a->n_key > 0) {
        const char *copy = seam_arena_strdup(a->arena, (const char *)key.data, key.size);

        a->keys[a->count] = (struct wal_bytes){(const uint8_t *)copy, key.size};
        if (copy == NULL) st = no_memory(f);
    }
    seam_buf_free(&text);
    seam_buf_free(&key);
    if (st == SEAM_OK) a->count++;
    return st;
}

static enum seam_status take_rows(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (uint32_t i = 0; st == SEAM_OK && i < b->rows; i++) {
        struct seam_value row[SEAM_COLUMNS_MAX];

        columnar_batch_row(b, i, row);
        st = take_row(ctx, row, f);
    }
    return st;
}

static enum seam_status find_keys(struct ask_answer *a, struct seam_fault *f)
{
    for (int i = 0; i < a->n_key; i++) {
        int at = 0;

        while (at < a->n && strcmp(a->columns[at].name, a->key_names[i]) != 0) at++;
        if (at == a->n)
            return seam_fault_set(f, SEAM_INVALID, a->key_names[i], SEAM_FAULT_NO_OFFSET,
                                  "this key column is not in the answer");
        a->key_column[i] = at;
    }
    return SEAM_OK;
}

enum seam_status ask_rows(struct ask_sql_platform *s, const char *sql, struct ask_answer *a,
                          seam_lsn_t *lsn, struct seam_fault *f)
{
    struct columnar_query_options o = {0};
    struct columnar_sql_query q;
    enum seam_status st = columnar_sql_prepare(&s->env, sql, strlen(sql), a->arena, &q, f);

    if (st != SEAM_OK) return st;
    a->columns = q.columns;
    a->n = q.n_columns;
    if (lsn != NULL) *lsn = q.lsn;
    st = find_keys(a, f);
    return st == SEAM_OK ? columnar_sql_run(&q, &o, take_rows, a, NULL, f) : st;
}

void ask_answer_free(struct ask_answer *a)
{
    free(a->rows);
    free(a->keys);
    a->rows = NULL;
    a->keys = NULL;
}
