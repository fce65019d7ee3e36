/* batch - selections, compaction of batches, rows kept in memory. */
#include <stdlib.h>

#include "columnar/exec/plan.h"

uint32_t sel_count(const uint64_t *sel, uint32_t rows)
{
    return sel == NULL ? rows : (uint32_t)bitset_count(sel, rows);
}

struct compactor {
    int columns;
    struct vec *vecs;
    struct compact_column { int64_t *i; struct text_ref *s; uint32_t *code; uint64_t nulls[VECTOR_WORDS]; } *cols;
    uint32_t at[VECTOR_ROWS];
};

struct compactor *compactor_new(int columns)
{
    struct compactor *c = calloc(1, sizeof *c);

    if (c == NULL) return NULL;
    c->columns = columns;
    c->vecs = calloc((size_t)columns + 1, sizeof *c->vecs);
    c->cols = calloc((size_t)columns + 1, sizeof *c->cols);
    if (c->vecs == NULL || c->cols == NULL) {
        compactor_free(c);
        return NULL;
    }
    return c;
}

void compactor_free(struct compactor *c)
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

static enum status compact_column(struct compact_column *to, const struct vec *in, const uint32_t *at,
                                  uint32_t n, struct vec *out)
{
    bool any = false;

    *out = *in;
    if (in->i == NULL || in->kind == VEC_CONST) return ST_OK;
    if (in->nulls != NULL) {
        memset(to->nulls, 0, sizeof to->nulls);
        for (uint32_t r = 0; r < n; r++)
            if (bitset_get(in->nulls, at[r])) {
                bitset_set(to->nulls, r);
                any = true;
            }
        out->nulls = any ? to->nulls : NULL;
    }
    if (in->kind == VEC_DICT) {
        if (to->code == NULL) to->code = malloc(VECTOR_ROWS * sizeof *to->code);
        if (to->code == NULL) return ST_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->code[r] = in->code[at[r]];
        out->code = to->code;
    } else if (in->type == V_TEXT) {
        if (to->s == NULL) to->s = malloc(VECTOR_ROWS * sizeof *to->s);
        if (to->s == NULL) return ST_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->s[r] = in->s[at[r]];
        out->s = to->s;
    } else {
        if (to->i == NULL) to->i = malloc(VECTOR_ROWS * sizeof *to->i);
        if (to->i == NULL) return ST_NOMEM;
        for (uint32_t r = 0; r < n; r++) to->i[r] = in->i[at[r]];
        out->i = to->i;
    }
    return ST_OK;
}

enum status compact_batch(struct compactor *c, const struct batch *in, const uint64_t *sel, uint32_t count,
                          struct batch *out)
{
    uint32_t n = 0;

    for (size_t w = 0; w < bitset_words(in->rows); w++)
        for (uint64_t word = sel[w]; word != 0; word &= word - 1)
            c->at[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
    *out = (struct batch){.rows = count, .count = in->count, .cols = c->vecs};
    for (int k = 0; k < in->count; k++)
        if (compact_column(&c->cols[k], &in->cols[k], c->at, n, &c->vecs[k]) != ST_OK) return ST_NOMEM;
    return ST_OK;
}

enum status rows_init(struct coldata *d, const struct plan *p)
{
    *d = (struct coldata){.count = p->n_columns};
    d->columns = calloc((size_t)p->n_columns + 1, sizeof *d->columns);
    if (d->columns == NULL) return ST_NOMEM;
    for (int c = 0; c < p->n_columns; c++) {
        d->columns[c].id = (uint32_t)c + 1;
        d->columns[c].type = p->columns[c].type == V_NULL ? V_INT : p->columns[c].type;
        d->columns[c].scale = p->columns[c].scale;
    }
    return ST_OK;
}

enum status rows_append(struct coldata *d, const struct batch *b, const uint64_t *sel)
{
    struct value *values = calloc((size_t)b->count + 1, sizeof *values);
    enum status st = values == NULL ? ST_NOMEM : ST_OK;

    for (uint32_t r = 0; st == ST_OK && r < b->rows; r++) {
        if (sel != NULL && !bitset_get(sel, r)) continue;
        for (int c = 0; c < b->count; c++) values[c] = b->cols[c].i == NULL ? v_null() : vec_value(&b->cols[c], r);
        st = coldata_append(d, values, 0);
    }
    free(values);
    return st;
}
