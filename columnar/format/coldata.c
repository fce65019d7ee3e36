/* coldata - appends, reads back and truncates rows held by column. */
#include "columnar/format/coldata.h"

#include <assert.h>
#include <stdlib.h>

enum seam_status columnar_coldata_init(struct columnar_coldata *d, const struct seam_schema *s)
{
    *d = (struct columnar_coldata){0};
    d->columns = calloc(s->column_count == 0 ? 1 : s->column_count, sizeof *d->columns);
    if (d->columns == NULL) return SEAM_NOMEM;
    d->count = s->column_count; /* not before: what counts columns has them */
    for (int c = 0; c < d->count; c++) {
        d->columns[c].id = s->columns[c].id;
        d->columns[c].type = (uint8_t)s->columns[c].type;
        d->columns[c].scale = s->columns[c].scale;
    }
    return SEAM_OK;
}

void columnar_coldata_free(struct columnar_coldata *d)
{
    for (int c = 0; c < d->count; c++) {
        free(d->columns[c].i);
        free(d->columns[c].text);
        free(d->columns[c].nulls);
    }
    free(d->columns);
    free(d->lsn);
    *d = (struct columnar_coldata){0};
}

void columnar_coldata_clear(struct columnar_coldata *d)
{
    columnar_coldata_truncate(d, 0);
}

void columnar_coldata_truncate(struct columnar_coldata *d, size_t rows)
{
    assert(rows <= d->rows);
    for (int c = 0; c < d->count; c++) {
        uint64_t *nulls = d->columns[c].nulls;

        if (nulls == NULL) continue;
        if (rows == 0) {
            free(nulls);
            d->columns[c].nulls = NULL;
            continue;
        }
        for (size_t i = rows; i < d->rows && (i & 63) != 0; i++) seam_bitset_clear(nulls, i);
        for (size_t w = seam_bitset_words(rows); w < seam_bitset_words(d->rows); w++) nulls[w] = 0;
    }
    if (rows == 0) d->bytes = 0;
    d->rows = rows;
}

static bool grow(void *memory, size_t bytes)
{
    void **p = memory, *q = realloc(*p, bytes);

    if (q == NULL) return false;
    *p = q;
    return true;
}

enum seam_status columnar_coldata_reserve(struct columnar_coldata *d, size_t extra)
{
    size_t cap = d->cap < COLUMNAR_VECTOR_ROWS ? COLUMNAR_VECTOR_ROWS
                                               : d->cap; /* null words come by whole vectors */

    if (d->rows + extra <= d->cap) return SEAM_OK;
    while (cap < d->rows + extra) cap *= 2;
    if (!grow(&d->lsn, cap * sizeof *d->lsn)) return SEAM_NOMEM;
    for (int c = 0; c < d->count; c++) {
        struct columnar_coldata_column *col = &d->columns[c];

        if (!grow(&col->i, cap * 8)) return SEAM_NOMEM;
        if (col->nulls != NULL) {
            if (!grow(&col->nulls, seam_bitset_words(cap) * 8)) return SEAM_NOMEM;
            memset(col->nulls + seam_bitset_words(d->cap), 0,
                   (seam_bitset_words(cap) - seam_bitset_words(d->cap)) * 8);
        }
    }
    d->cap = cap;
    return SEAM_OK;
}

static enum seam_status make_nulls(struct columnar_coldata *d, struct columnar_coldata_column *col)
{
    if (col->nulls == NULL) col->nulls = calloc(seam_bitset_words(d->cap), 8);
    return col->nulls == NULL ? SEAM_NOMEM : SEAM_OK;
}

static uint64_t text_end(const struct columnar_coldata_column *col, size_t row)
{
    return row == 0 ? 0 : col->ends[row - 1];
}

static enum seam_status text_room(struct columnar_coldata_column *col, uint64_t used,
                                  uint64_t extra)
{
    size_t cap = col->text_cap < 1024 ? 1024 : col->text_cap;

    if (used + extra <= col->text_cap) return SEAM_OK;
    while (cap < used + extra) cap *= 2;
    if (!grow(&col->text, cap)) return SEAM_NOMEM;
    col->text_cap = cap;
    return SEAM_OK;
}

enum seam_status columnar_coldata_append(struct columnar_coldata *d,
                                         const struct seam_value *values, seam_lsn_t lsn)
{
    size_t row = d->rows;

    if (columnar_coldata_reserve(d, 1) != SEAM_OK) return SEAM_NOMEM;
    for (int c = 0; c < d->count; c++) {
        struct columnar_coldata_column *col = &d->columns[c];
        const struct seam_value *v = &values[c];

        if (v->type == SEAM_V_NULL) {
            if (make_nulls(d, col) != SEAM_OK) return SEAM_NOMEM;
            seam_bitset_set(col->nulls, row);
            if (col->type == SEAM_V_TEXT)
                col->ends[row] = text_end(col, row);
            else
                col->i[row] = 0;
            d->bytes += 1;
            continue;
        }
        if (col->type == SEAM_V_TEXT) {
            uint64_t end = text_end(col, row);

            if (text_room(col, end, v->len) != SEAM_OK) return SEAM_NOMEM;
            if (v->len > 0) memcpy(col->text + end, v->s, v->len);
            col->ends[row] = end + v->len;
            d->bytes += v->len + 4;
        } else if (col->type == SEAM_V_DOUBLE && v->type != SEAM_V_DOUBLE) {
            col->d[row] = v->type == SEAM_V_DECIMAL
                              ? (double)v->i / (double)seam_decimal_pow10(v->scale)
                              : (double)v->i;
            d->bytes += 8;
        } else {
            col->i[row] = v->i;
            d->bytes += 8;
        }
    }
    d->lsn[row] = lsn;
    d->rows++;
    return SEAM_OK;
}

static enum seam_status append_text(struct columnar_coldata *d, struct columnar_coldata_column *col,
                                    const struct columnar_column *in, size_t rows)
{
    uint64_t end = text_end(col, d->rows), total = rows == 0 ? 0 : in->ends[rows - 1];

    if (text_room(col, end, total) != SEAM_OK) return SEAM_NOMEM;
    if (total > 0) memcpy(col->text + end, in->text, total);
    for (size_t i = 0; i < rows; i++) col->ends[d->rows + i] = end + in->ends[i];
    d->bytes += total + 4 * rows;
    return SEAM_OK;
}

enum seam_status columnar_coldata_append_columns(struct columnar_coldata *d,
                                                 const struct columnar_column *columns, size_t rows,
                                                 seam_lsn_t lsn, const seam_lsn_t *lsns)
{
    if (columnar_coldata_reserve(d, rows) != SEAM_OK) return SEAM_NOMEM;
    for (int c = 0; c < d->count; c++) {
        struct columnar_coldata_column *col = &d->columns[c];
        const struct columnar_column *in = &columns[c];

        if (col->type == SEAM_V_TEXT && in->ends != NULL) {
            if (append_text(d, col, in, rows) != SEAM_OK) return SEAM_NOMEM;
        } else if (col->type == SEAM_V_TEXT) {
            for (size_t i = 0; i < rows; i++) col->ends[d->rows + i] = text_end(col, d->rows);
        } else if (in->ints != NULL || in->doubles != NULL) {
            memcpy(col->i + d->rows, in->ints != NULL ? (const void *)in->ints : in->doubles,
                   rows * 8);
            d->bytes += rows * 8;
        } else {
            memset(col->i + d->rows, 0, rows * 8);
        }
        /* A column not given at all is null (dropped ones). */
        if (in->nulls != NULL || (in->ints == NULL && in->doubles == NULL && in->ends == NULL)) {
            if (make_nulls(d, col) != SEAM_OK) return SEAM_NOMEM;
            for (size_t i = 0; i < rows; i++)
                if (in->nulls == NULL || seam_bitset_get(in->nulls, i))
                    seam_bitset_set(col->nulls, d->rows + i);
        }
    }
    for (size_t i = 0; i < rows; i++) d->lsn[d->rows + i] = lsns != NULL ? lsns[i] : lsn;
    d->rows += rows;
    return SEAM_OK;
}

static enum seam_status append_texts(struct columnar_coldata *d,
                                     struct columnar_coldata_column *col,
                                     const struct columnar_vec *v, const uint32_t *at, uint32_t n)
{
    uint64_t end = text_end(col, d->rows), total = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!columnar_vec_null(v, at[i])) total += v->s[columnar_vec_slot(v, at[i])].len;
    if (text_room(col, end, total) != SEAM_OK) return SEAM_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!columnar_vec_null(v, at[i])) {
            const struct columnar_text_ref *t = &v->s[columnar_vec_slot(v, at[i])];

            if (t->len > 0) memcpy(col->text + end, t->s, t->len);
            end += t->len;
        }
        col->ends[d->rows + i] = end;
    }
    d->bytes += total + 4 * (uint64_t)n;
    return SEAM_OK;
}

static void append_words(struct columnar_coldata *d, struct columnar_coldata_column *col,
                         const struct columnar_vec *v, const uint32_t *at, uint32_t n)
{
    int64_t *to = col->i + d->rows;

    if (v->i == NULL)
        memset(to, 0, (size_t)n * 8);
    else if (v->kind == COLUMNAR_VEC_FLAT)
        for (uint32_t i = 0; i < n; i++) to[i] = v->i[at[i]];
    else if (v->kind == COLUMNAR_VEC_DICT)
        for (uint32_t i = 0; i < n; i++) to[i] = v->i[v->code[at[i]]];
    else
        for (uint32_t i = 0; i < n; i++) to[i] = v->i[0];
    d->bytes += (uint64_t)n * 8;
}

enum seam_status columnar_coldata_append_vecs(struct columnar_coldata *d,
                                              const struct columnar_vec *vecs, const uint32_t *at,
                                              uint32_t n)
{
    if (columnar_coldata_reserve(d, n) != SEAM_OK) return SEAM_NOMEM;
    for (int c = 0; c < d->count; c++) {
        struct columnar_coldata_column *col = &d->columns[c];
        const struct columnar_vec *v = &vecs[c];

        if (col->type != SEAM_V_TEXT)
            append_words(d, col, v, at, n);
        else if (v->s == NULL)
            for (uint32_t i = 0; i < n; i++) col->ends[d->rows + i] = text_end(col, d->rows);
        else if (append_texts(d, col, v, at, n) != SEAM_OK)
            return SEAM_NOMEM;
        if (v->i != NULL && v->nulls == NULL) continue;
        if (make_nulls(d, col) != SEAM_OK) return SEAM_NOMEM;
        for (uint32_t i = 0; i < n; i++) {
            if (v->i != NULL && !columnar_vec_null(v, at[i])) continue;
            seam_bitset_set(col->nulls, d->rows + i);
            if (col->type != SEAM_V_TEXT) col->i[d->rows + i] = 0;
        }
    }
    memset(d->lsn + d->rows, 0, (size_t)n * sizeof *d->lsn);
    d->rows += n;
    return SEAM_OK;
}

struct seam_value columnar_coldata_value(const struct columnar_coldata *d, int column, size_t row)
{
    const struct columnar_coldata_column *col = &d->columns[column];
    struct seam_value v = {.type = col->type, .scale = col->scale};

    if (col->nulls != NULL && seam_bitset_get(col->nulls, row)) return seam_v_null();
    if (col->type == SEAM_V_TEXT) {
        uint64_t begin = text_end(col, row);

        v.s = col->text == NULL ? "" : col->text + begin;
        v.len = (uint32_t)(col->ends[row] - begin);
    } else {
        v.i = col->i[row];
    }
    return v;
}

void columnar_coldata_view(const struct columnar_coldata *d, int column,
                           struct columnar_column *out)
{
    const struct columnar_coldata_column *col = &d->columns[column];

    *out = (struct columnar_column){.nulls = col->nulls};
    if (col->type == SEAM_V_TEXT) {
        out->text = col->text == NULL ? "" : col->text;
        out->ends = col->ends;
    } else if (col->type == SEAM_V_DOUBLE) {
        out->doubles = col->d;
    } else {
        out->ints = col->i;
    }
}

void columnar_coldata_vec(const struct columnar_coldata *d, int column, size_t from, size_t n,
                          struct columnar_text_ref *refs, struct columnar_vec *out)
{
    const struct columnar_coldata_column *col = &d->columns[column];

    assert((from & 63) == 0 && from + n <= d->rows);
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = col->type,
                                 .scale = col->scale,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX};
    out->nulls = col->nulls == NULL ? NULL : col->nulls + from / 64;
    if (col->type != SEAM_V_TEXT) {
        out->i = col->i + from;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t begin = text_end(col, from + i);

        refs[i] = (struct columnar_text_ref){col->text == NULL ? "" : col->text + begin,
                                             (uint32_t)(col->ends[from + i] - begin)};
    }
    out->s = refs;
}
