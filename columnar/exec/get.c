/* get - one row by key: prune by the key columns' statistics, decode only vectors that may hold it. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/table/reader.h"

struct columnar_search {
    const struct columnar_table *t;
    const struct seam_value *key; /* by schema position */
    seam_lsn_t lsn;
    struct columnar_chunk_scratch *scratch;
    struct seam_fault *f;
};

static int64_t zone_of(const struct seam_value *v)
{
    if (v->type == SEAM_V_TEXT) return columnar_zone_of_text(v->s, v->len);
    return v->type == SEAM_V_DOUBLE ? columnar_zone_of_double(v->d) : v->i;
}

/* Decimals and ints of a key may come in another scale than the column's. */
static enum seam_status key_value(const struct seam_schema *s, int column,
                                  const struct seam_value *in, struct seam_value *out,
                                  struct seam_fault *f)
{
    const struct seam_column *col = &s->columns[column];
    enum seam_status st = SEAM_OK;

    *out = *in;
    if (col->type == SEAM_V_DECIMAL && (in->type == SEAM_V_DECIMAL || in->type == SEAM_V_INT)) {
        st = seam_decimal_rescale(in->i, in->type == SEAM_V_INT ? 0 : in->scale, col->scale,
                                  &out->i);
        out->type = SEAM_V_DECIMAL;
        out->scale = col->scale;
        /* A key with digits the column cannot hold is no row's key. */
        if (st != SEAM_OK) return SEAM_NOT_FOUND;
    }
    if (out->type == (uint8_t)col->type) return SEAM_OK;
    return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET, "key column %s is %s",
                          col->name, seam_value_type_name(col->type));
}

static bool group_may_hold(const struct columnar_search *s, const struct columnar_table_file *tf,
                           int group)
{
    if (tf->file == NULL) return true;
    for (int k = 0; k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k],
            at = columnar_colfile_column(tf->file, s->t->schema.columns[column].id);
        const struct columnar_chunk_summary *sum;

        if (at < 0) continue;
        sum = &tf->file->groups[group].chunks[at].summary;
        if (sum->type != s->key[column].type) continue;
        if (zone_of(&s->key[column]) < sum->min || zone_of(&s->key[column]) > sum->max)
            return false;
    }
    return true;
}

static enum seam_status vector_may_hold(const struct columnar_search *s,
                                        const struct columnar_table_file *tf, int group, uint32_t v,
                                        bool *may)
{
    *may = true;
    for (int k = 0; tf->file != NULL && *may && k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k],
            at = columnar_colfile_column(tf->file, s->t->schema.columns[column].id);
        const struct columnar_chunk *c;
        enum seam_status st;

        if (at < 0) continue;
        st = columnar_colfile_chunk(tf->file, group, at, &c, s->f);
        if (st != SEAM_OK) return st;
        if (c->type != s->key[column].type) continue;
        *may = zone_of(&s->key[column]) >= c->zones[v].min &&
               zone_of(&s->key[column]) <= c->zones[v].max;
    }
    return SEAM_OK;
}

/* The row of vector v with the key, or -1. */
static enum seam_status find_in_vector(const struct columnar_search *s,
                                       const struct columnar_table_file *tf, int group, uint32_t v,
                                       uint32_t rows, uint64_t first, int *found)
{
    uint64_t match[COLUMNAR_VECTOR_WORDS];
    seam_lsn_t ends[COLUMNAR_VECTOR_ROWS];
    struct columnar_vec vec;
    enum seam_status st;

    memset(match, 0xff, sizeof match);
    for (int k = 0; k < s->t->schema.key_count; k++) {
        int column = s->t->schema.key[k];

        st = columnar_table_read_column(s->t, tf, group, v, column, s->scratch, &vec, s->f);
        if (st != SEAM_OK) return st;
        for (uint32_t i = 0; i < rows; i++) {
            struct seam_value cell;

            if (!seam_bitset_get(match, i)) continue;
            cell = columnar_vec_value(&vec, i);
            if (!seam_value_equal(&cell, &s->key[column])) seam_bitset_clear(match, i);
        }
        if (seam_bitset_next(match, rows, 0) == rows) return SEAM_OK;
    }
    st = columnar_table_read_column(s->t, tf, group, v, COLUMN_BEGIN, s->scratch, &vec, s->f);
    if (st != SEAM_OK) return st;
    columnar_table_read_ends(tf, first, rows, ends);
    for (size_t i = seam_bitset_next(match, rows, 0); i < rows;
         i = seam_bitset_next(match, rows, i + 1))
        if ((seam_lsn_t)vec.i[columnar_vec_slot(&vec, (uint32_t)i)] <= s->lsn && ends[i] > s->lsn)
            *found = (int)i;
    return SEAM_OK;
}

static enum seam_status take_row(const struct columnar_search *s,
                                 const struct columnar_table_file *tf, int group, uint32_t v,
                                 uint32_t row, struct seam_value *values, struct seam_buf *text)
{
    const struct seam_schema *schema = &s->t->schema;
    size_t at[SEAM_COLUMNS_MAX];

    for (int c = 0; c < schema->column_count; c++) {
        struct columnar_vec vec;
        enum seam_status st;

        values[c] = seam_v_null();
        if (!seam_column_live(&schema->columns[c], schema->version)) continue;
        st = columnar_table_read_column(s->t, tf, group, v, c, s->scratch, &vec, s->f);
        if (st != SEAM_OK) return st;
        values[c] = columnar_vec_value(&vec, row);
        at[c] = text->size;
        if (values[c].type == SEAM_V_TEXT) seam_buf_append(text, values[c].s, values[c].len);
    }
    if (!seam_buf_ok(text)) return seam_no_memory(s->f, "a row");
    for (int c = 0; c < schema->column_count; c++)
        if (values[c].type == SEAM_V_TEXT)
            values[c].s = text->data == NULL ? "" : (const char *)text->data + at[c];
    return SEAM_OK;
}

static enum seam_status search_file(const struct columnar_search *s,
                                    const struct columnar_table_file *tf, struct seam_value *values,
                                    struct seam_buf *text)
{
    if (tf->rows == 0 || tf->lsn_min > s->lsn) return SEAM_NOT_FOUND;
    for (int g = 0; g < columnar_table_file_groups(tf); g++) {
        uint64_t first;
        uint32_t rows = columnar_table_file_group_rows(tf, g, &first);

        if (!group_may_hold(s, tf, g)) continue;
        for (uint32_t v = 0; v * COLUMNAR_VECTOR_ROWS < rows; v++) {
            uint32_t left = rows - v * COLUMNAR_VECTOR_ROWS < COLUMNAR_VECTOR_ROWS
                                ? rows - v * COLUMNAR_VECTOR_ROWS
                                : COLUMNAR_VECTOR_ROWS;
            bool may;
            int found = -1;
            enum seam_status st = vector_may_hold(s, tf, g, v, &may);

            if (st == SEAM_OK && may)
                st = find_in_vector(s, tf, g, v, left, first + v * COLUMNAR_VECTOR_ROWS, &found);
            if (st != SEAM_OK) return st;
            if (found >= 0) return take_row(s, tf, g, v, (uint32_t)found, values, text);
        }
    }
    return SEAM_NOT_FOUND;
}

enum seam_status columnar_get(const struct columnar_reader *r, int table,
                              const struct seam_value *key_values, seam_lsn_t lsn,
                              struct seam_value *values, struct seam_buf *text,
                              struct seam_fault *f)
{
    const struct columnar_table *t = &r->s.tables[table];
    struct columnar_search s = {.t = t, .lsn = lsn == SEAM_LSN_MAX ? r->s.applied : lsn, .f = f};
    struct seam_value *key = calloc(SEAM_COLUMNS_MAX, sizeof *key);
    enum seam_status st = columnar_state_readable(&r->s, s.lsn, f);

    if (st == SEAM_OK && t->schema.key_count == 0)
        st = seam_fault_set(f, SEAM_INVALID, t->schema.name, SEAM_FAULT_NO_OFFSET,
                            "the table has no key");
    s.scratch = columnar_chunk_scratch_new();
    if (key == NULL || s.scratch == NULL) st = seam_no_memory(f, "a look-up by key");
    for (int k = 0; st == SEAM_OK && k < t->schema.key_count; k++)
        st = key_value(&t->schema, t->schema.key[k], &key_values[t->schema.key[k]],
                       &key[t->schema.key[k]], f);
    s.key = key;
    if (st == SEAM_OK) {
        st = search_file(&s, &t->tail, values, text);
        for (size_t i = t->file_count; st == SEAM_NOT_FOUND && i-- > 0;)
            st = search_file(&s, &t->files[i], values, text);
    }
    columnar_chunk_scratch_free(s.scratch);
    free(key);
    return st;
}
