/* batch - selections, compaction of batches, rows kept in memory. */
#include <stdlib.h>

#include "columnar/exec/plan.h"

uint32_t columnar_sel_count(const uint64_t *sel, uint32_t rows)
{
    return sel == NULL ? rows : (uint32_t)seam_bitset_count(sel, rows);
}

struct columnar_compactor {
    int columns;
    struct columnar_vec *vecs;
    struct compact_column {
        int64_t *i;
        struct columnar_text_ref *s;
        uint32_t *code;
        uint64_t nulls[COLUMNAR_VECTOR_WORDS];
    } * cols;
    uint32_t at[COLUMNAR_VECTOR_ROWS];
};

struct columnar_compactor *columnar_compactor_new(int columns)
{
    struct columnar_compactor *c = calloc(1, sizeof *c);

    if (c == NULL) return NULL;
    c->columns = columns;
    c->vecs = calloc((size_t)columns + 1, sizeof *c->vecs);
    c->cols = calloc((size_t)columns + 1, sizeof *c->cols);
    if (c->vecs == NULL || c->cols == NULL) {
        columnar_compactor_free(c);
        return NULL;
    }
    return c;
}

void columnar_compactor_free(struct columnar_compactor *c)
{
    if (c == NULL) return;
    for (int k = 0; c->cols != NULL && k < c->columns; k++) {
        free(c->cols[k].i);
        free(c->cols[k].s);
        free(c->cols[k].code);
    }
    free(c->vecs);
    free(c->cols);
    free(c);
}

static enum seam_status compact_column(struct compact_column *to, const struct columnar_vec *in,
                                       const uint32_t *at, uint32_t n, struct columnar_vec *out)
{
    bool any = false;

    *out = *in;
    if (in->i == NULL || in->kind == COLUMNAR_VEC_CONST) return SEAM_OK;
    if (in->nulls != NULL) {
        memset(to->nulls, 0, sizeof to->nulls);
        for (uint32_t r = 0; r < n; r++)
            if (seam_bitset_get(in->nulls, at[r])) {
                seam_bitset_set(to->nulls, r);
                any = true;
            }
        out->nulls = any ? to->nulls : NULL;
    }
    if (in->kind == COLUMNAR_VEC_DICT) {
        if (to->code == NULL) to->code = malloc(COLUMNAR_VECTOR_ROWS * sizeof *to->code);
        if (to->code == NULL) return SEAM_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->code[r] = in->code[at[r]];
        out->code = to->code;
    } else if (in->type == SEAM_V_TEXT) {
        if (to->s == NULL) to->s = malloc(COLUMNAR_VECTOR_ROWS * sizeof *to->s);
        if (to->s == NULL) return SEAM_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->s[r] = in->s[at[r]];
        out->s = to->s;
    } else {
        if (to->i == NULL) to->i = malloc(COLUMNAR_VECTOR_ROWS * sizeof *to->i);
        if (to->i == NULL) return SEAM_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->i[r] = in->i[at[r]];
        out->i = to->i;
    }
    return SEAM_OK;
}

enum seam_status columnar_compact_batch(struct columnar_compactor *c,
                                        const struct columnar_batch *in, const uint64_t *sel,
                                        uint32_t count, struct columnar_batch *out)
{
    uint32_t n = 0;

    for (size_t w = 0; w < seam_bitset_words(in->rows); w++)
        for (uint64_t word = sel[w]; word != 0; word &= word - 1)
            c->at[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
    *out = (struct columnar_batch){.rows = count, .count = in->count, .cols = c->vecs};
    for (int k = 0; k < in->count; k++)
        if (compact_column(&c->cols[k], &in->cols[k], c->at, n, &c->vecs[k]) != SEAM_OK)
            return SEAM_NOMEM;
    return SEAM_OK;
}

enum seam_status columnar_rows_init(struct columnar_coldata *d, const struct columnar_plan *p)
{
    *d = (struct columnar_coldata){.count = p->n_columns};
    d->columns = calloc((size_t)p->n_columns + 1, sizeof *d->columns);
    if (d->columns == NULL) return SEAM_NOMEM;
    for (int c = 0; c < p->n_columns; c++) {
        d->columns[c].id = (uint32_t)c + 1;
        d->columns[c].type = p->columns[c].type == SEAM_V_NULL ? SEAM_V_INT : p->columns[c].type;
        d->columns[c].scale = p->columns[c].scale;
    }
    return SEAM_OK;
}

/* Columns of a kind of their own (the constant null) go value by value. */
static bool same_types(const struct columnar_coldata *d, const struct columnar_batch *b)
{
    for (int c = 0; c < d->count; c++)
        if (b->cols[c].i != NULL && b->cols[c].type != d->columns[c].type) return false;
    return true;
}

enum seam_status columnar_rows_append(struct columnar_coldata *d, const struct columnar_batch *b,
                                      const uint64_t *sel)
{
    uint32_t at[COLUMNAR_VECTOR_ROWS], n = 0;
    struct seam_value *values;
    enum seam_status st = SEAM_OK;

    for (uint32_t r = 0; r < b->rows; r++)
        if (sel == NULL || seam_bitset_get(sel, r)) at[n++] = r;
    if (n == 0) return SEAM_OK;
    if (same_types(d, b)) return columnar_coldata_append_vecs(d, b->cols, at, n);
    values = calloc((size_t)b->count + 1, sizeof *values);
    if (values == NULL) return SEAM_NOMEM;
    for (uint32_t i = 0; st == SEAM_OK && i < n; i++) {
        for (int c = 0; c < b->count; c++)
            values[c] =
                b->cols[c].i == NULL ? seam_v_null() : columnar_vec_value(&b->cols[c], at[i]);
        st = columnar_coldata_append(d, values, 0);
    }
    free(values);
    return st;
}
