/* get - one row by key: prune by the key columns' statistics, decode only vectors that may hold it. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/table/reader.h"

struct search {
    const struct table *t;
    const struct value *key;   /* by schema position */
    lsn_t lsn;
    struct chunk_scratch *scratch;
    struct fault *f;
};

static int64_t zone_of(const struct value *v)
{
    if (v->type == V_TEXT) return zone_of_text(v->s, v->len);
    return v->type == V_DOUBLE ? zone_of_double(v->d) : v->i;
}

/* Decimals and ints of a key may come in another scale than the column's. */
static enum status key_value(const struct schema *s, int column, const struct value *in, struct value *out,
                             struct fault *f)
{
    const struct column *col = &s->columns[column];
    enum status st = ST_OK;

    *out = *in;
    if (col->type == V_DECIMAL && (in->type == V_DECIMAL || in->type == V_INT)) {
        st = decimal_rescale(in->i, in->type == V_INT ? 0 : in->scale, col->scale, &out->i);
        out->type = V_DECIMAL;
        out->scale = col->scale;
        /* A key with digits the column cannot hold is no row's key. */
        if (st != ST_OK) return ST_NOT_FOUND;
    }
    if (out->type == (uint8_t)col->type) return ST_OK;
    return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "key column %s is %s", col->name,
                     value_type_name(col->type));
}

static bool group_may_hold(const struct search *s, const struct table_file *tf, int group)
{
    if (tf->file == NULL) return true;
    for (int k = 0; k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k], at = colfile_column(tf->file, s->t->schema.columns[column].id);
        const struct chunk_summary *sum;

        if (at < 0) continue;
        sum = &tf->file->groups[group].chunks[at].summary;
        if (sum->type != s->key[column].type) continue;
        if (zone_of(&s->key[column]) < sum->min || zone_of(&s->key[column]) > sum->max) return false;
    }
    return true;
}

static enum status vector_may_hold(const struct search *s, const struct table_file *tf, int group,
                                   uint32_t v, bool *may)
{
    *may = true;
    for (int k = 0; tf->file != NULL && *may && k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k], at = colfile_column(tf->file, s->t->schema.columns[column].id);
        const struct chunk *c;
        enum status st;

        if (at < 0) continue;
        st = colfile_chunk(tf->file, group, at, &c, s->f);
        if (st != ST_OK) return st;
        if (c->type != s->key[column].type) continue;
        *may = zone_of(&s->key[column]) >= c->zones[v].min && zone_of(&s->key[column]) <= c->zones[v].max;
    }
    return ST_OK;
}

/* The row of vector v with the key, or -1. */
static enum status find_in_vector(const struct search *s, const struct table_file *tf, int group,
                                  uint32_t v, uint32_t rows, uint64_t first, int *found)
{
    uint64_t match[VECTOR_WORDS];
    lsn_t ends[VECTOR_ROWS];
    struct vec vec;
    enum status st;

    memset(match, 0xff, sizeof match);
    for (int k = 0; k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k];

        st = table_read_column(s->t, tf, group, v, column, s->scratch, &vec, s->f);
        if (st != ST_OK) return st;
        for (uint32_t i = 0; i < rows; i++) {
            struct value cell;

            if (!bitset_get(match, i)) continue;
            cell = vec_value(&vec, i);
            if (!value_equal(&cell, &s->key[column])) bitset_clear(match, i);
        }
        if (bitset_next(match, rows, 0) == rows) return ST_OK;
    }
    st = table_read_column(s->t, tf, group, v, COLUMN_BEGIN, s->scratch, &vec, s->f);
    if (st != ST_OK) return st;
    table_read_ends(tf, first, rows, ends);
    for (size_t i = bitset_next(match, rows, 0); i < rows; i = bitset_next(match, rows, i + 1))
        if ((lsn_t)vec.i[vec_slot(&vec, (uint32_t)i)] <= s->lsn && ends[i] > s->lsn) *found = (int)i;
    return ST_OK;
}

static enum status take_row(const struct search *s, const struct table_file *tf, int group, uint32_t v,
                            uint32_t row, struct value *values, struct buf *text)
{
    const struct schema *schema = &s->t->schema;
    size_t at[COLUMNS_MAX];

    for (int c = 0; c < schema->column_count; c++) {
        struct vec vec;
        enum status st;

        values[c] = v_null();
        if (!column_live(&schema->columns[c], schema->version)) continue;
        st = table_read_column(s->t, tf, group, v, c, s->scratch, &vec, s->f);
        if (st != ST_OK) return st;
        values[c] = vec_value(&vec, row);
        at[c] = text->size;
        if (values[c].type == V_TEXT) buf_append(text, values[c].s, values[c].len);
    }
    if (!buf_ok(text)) return ST_NOMEM;
    for (int c = 0; c < schema->column_count; c++)
        if (values[c].type == V_TEXT) values[c].s = text->data == NULL ? "" : (const char *)text->data + at[c];
    return ST_OK;
}

static enum status search_file(const struct search *s, const struct table_file *tf, struct value *values,
                               struct buf *text)
{
    if (tf->rows == 0 || tf->lsn_min > s->lsn) return ST_NOT_FOUND;
    for (int g = 0; g < table_file_groups(tf); g++) {
        uint64_t first;
        uint32_t rows = table_file_group_rows(tf, g, &first);

        if (!group_may_hold(s, tf, g)) continue;
        for (uint32_t v = 0; v * VECTOR_ROWS < rows; v++) {
            uint32_t left = rows - v * VECTOR_ROWS < VECTOR_ROWS ? rows - v * VECTOR_ROWS : VECTOR_ROWS;
            bool may;
            int found = -1;
            enum status st = vector_may_hold(s, tf, g, v, &may);

            if (st == ST_OK && may)
                st = find_in_vector(s, tf, g, v, left, first + v * VECTOR_ROWS, &found);
            if (st != ST_OK) return st;
            if (found >= 0) return take_row(s, tf, g, v, (uint32_t)found, values, text);
        }
    }
    return ST_NOT_FOUND;
}

enum status columnar_get(const struct columnar_reader *r, int table, const struct value *key_values,
                         lsn_t lsn, struct value *values, struct buf *text, struct fault *f)
{
    const struct table *t = &r->s.tables[table];
    struct search s = {.t = t, .lsn = lsn == LSN_MAX ? r->s.applied : lsn, .f = f};
    struct value *key = calloc(COLUMNS_MAX, sizeof *key);
    enum status st = state_readable(&r->s, s.lsn, f);

    if (st == ST_OK && t->schema.key_count == 0)
        st = fault_set(f, ST_INVALID, t->schema.name, FAULT_NO_OFFSET, "the table has no key");
    s.scratch = chunk_scratch_new();
    if (key == NULL || s.scratch == NULL) st = ST_NOMEM;
    for (int k = 0; st == ST_OK && k < t->schema.key_count; k++)
        st = key_value(&t->schema, t->schema.key[k], &key_values[t->schema.key[k]],
                       &key[t->schema.key[k]], f);
    s.key = key;
    if (st == ST_OK) {
        st = search_file(&s, &t->tail, values, text);
        for (size_t i = t->file_count; st == ST_NOT_FOUND && i-- > 0;)
            st = search_file(&s, &t->files[i], values, text);
    }
    chunk_scratch_free(s.scratch);
    free(key);
    return st;
}
