/* scan_encoded - a scan's conditions on data as it is stored: ranges on packed integers, runs and dictionary codes; a
 * dictionary's entries once instead of its rows. What no encoding can answer is decoded and evaluated. */
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/exec/scan_impl.h"
#include "columnar/format/kernels.h"
#include "engine/base/bitpack.h"

static void set_run(uint64_t *bits, uint32_t from, uint32_t n)
{
    for (; n > 0 && (from & 63) != 0; from++, n--) seam_bitset_set(bits, from);
    for (; n >= 64; from += 64, n -= 64) bits[from / 64] = UINT64_MAX;
    for (; n > 0; from++, n--) seam_bitset_set(bits, from);
}

void columnar_scan_fill(uint64_t *bits, uint32_t rows, bool on)
{
    memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
    if (on) set_run(bits, 0, rows);
}

/* Rows whose encoded integer is in [lo, hi]. */
static bool block_range(const struct columnar_chunk *c, const struct columnar_chunk_vector *cv,
                        uint64_t lo, uint64_t hi, uint64_t *bits)
{
    const struct columnar_ints_block *b = &cv->ints;
    uint64_t values[COLUMNAR_VECTOR_ROWS], at = 0;
    uint32_t narrow[COLUMNAR_VECTOR_ROWS + 64], lengths[COLUMNAR_VECTOR_ROWS];

    switch (b->mode) {
    case INTS_CONST:
        columnar_scan_fill(bits, cv->rows, b->base >= lo && b->base <= hi);
        return true;
    case INTS_RLE:
        if (!columnar_ints_runs(b, cv->rows, values, lengths)) return false;
        memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
        for (uint32_t r = 0; r < b->runs; at += lengths[r++])
            if (values[r] >= lo && values[r] <= hi) set_run(bits, (uint32_t)at, lengths[r]);
        return true;
    case INTS_FOR:
        if (b->width <= 32) { /* compare what is packed, without adding the base */
            uint64_t mask = (1ull << b->width) - 1;

            if (hi < b->base || lo > b->base + mask) {
                columnar_scan_fill(bits, cv->rows, false);
                return true;
            }
            lo = lo > b->base ? lo - b->base : 0;
            hi = hi - b->base < mask ? hi - b->base : mask;
            seam_bitunpack_u32(b->packed, cv->rows, b->width, narrow);
            columnar_kernel_range_u32(narrow, cv->rows, (uint32_t)lo, (uint32_t)(hi - lo), bits);
            return true;
        }
        break;
    default: break;
    }
    if (c->narrow) {
        if (!columnar_ints_decode32(b, cv->rows, narrow)) return false;
        if (lo > UINT32_MAX) {
            columnar_scan_fill(bits, cv->rows, false);
            return true;
        }
        if (hi > UINT32_MAX) hi = UINT32_MAX;
        columnar_kernel_range_u32(narrow, cv->rows, (uint32_t)lo, (uint32_t)(hi - lo), bits);
        return true;
    }
    if (!columnar_ints_decode64(b, cv->rows, values)) return false;
    columnar_kernel_range_u64(values, cv->rows, lo, hi - lo, bits);
    return true;
}

/* The range of encoded integers that decode into [lo, hi]; false: none. */
static bool encoded_range(const struct columnar_chunk *c, int64_t lo, int64_t hi, uint64_t *elo,
                          uint64_t *ehi)
{
    uint32_t a = 0, b = c->dict_count;

    if (lo > hi) return false;
    if (c->kind == CHUNK_INTS) {
        int64_t base = (int64_t)c->base;

        if (hi < base) return false;
        *elo = lo <= base ? 0 : ((uint64_t)lo - c->base - 1) / c->factor + 1;
        *ehi = ((uint64_t)hi - c->base) / c->factor;
        return *elo <= *ehi;
    }
    while (a < b) { /* first entry >= lo */
        uint32_t mid = (a + b) / 2;

        if (c->dict_i[mid] < lo)
            a = mid + 1;
        else
            b = mid;
    }
    *elo = a;
    for (b = c->dict_count; a < b;) { /* first entry > hi */
        uint32_t mid = (a + b) / 2;

        if (c->dict_i[mid] <= hi)
            a = mid + 1;
        else
            b = mid;
    }
    if (a == *elo) return false;
    *ehi = a - 1;
    return true;
}

static bool without_nulls(const struct columnar_chunk_vector *cv, uint64_t *bits)
{
    uint64_t nulls[COLUMNAR_VECTOR_WORDS];

    if (cv->nulls == 0) return true;
    if (!columnar_chunk_vector_nulls(cv, nulls)) return false;
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) bits[w] &= ~nulls[w];
    return true;
}

/* SEAM_END: it fails for an entry, which no row of the answer may have.
 * The condition on each dictionary entry, once a chunk; a run of yes becomes a range of codes. */
static enum seam_status fill_cache(struct columnar_cursor *c, const struct columnar_scan_cond *cond,
                                   struct columnar_cond_cache *x, const struct columnar_chunk *k)
{
    struct columnar_vec vecs[PLAN_COLUMNS_MAX];
    struct columnar_batch b = {.count = c->s->n_columns, .cols = vecs};
    uint32_t first = UINT32_MAX, last = 0, count = 0;

    if (x->cap < k->dict_slots) {
        free(x->flags);
        x->flags = malloc(k->dict_slots);
        x->cap = x->flags == NULL ? 0 : k->dict_slots;
        if (x->flags == NULL) return SEAM_NOMEM;
    }
    memset(x->flags, 0, k->dict_slots);
    for (uint32_t at = 0; at < k->dict_count; at += COLUMNAR_VECTOR_ROWS) {
        uint64_t sel[COLUMNAR_VECTOR_WORDS], failed[COLUMNAR_VECTOR_WORDS] = {0};
        struct columnar_vec *v = &vecs[cond->column];
        enum seam_status st;

        b.rows =
            k->dict_count - at < COLUMNAR_VECTOR_ROWS ? k->dict_count - at : COLUMNAR_VECTOR_ROWS;
        *v = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                   .type = k->type,
                                   .scale = k->scale,
                                   .lo = INT64_MIN,
                                   .hi = INT64_MAX};
        if (k->dict_s != NULL)
            v->s = k->dict_s + at;
        else if (k->dict_d != NULL)
            v->d = k->dict_d + at;
        else
            v->i = k->dict_i + at;
        columnar_scan_fill(sel, b.rows, true);
        columnar_expr_state_reset(c->t->eval);
        st = columnar_expr_filter_failed(c->t->eval, cond->e, &b, sel, failed);
        if (st != SEAM_OK) return columnar_expr_no_memory(c->f);
        if (seam_bitset_next(failed, b.rows, 0) < b.rows) return SEAM_END;
        for (uint32_t i = 0; i < b.rows; i++) x->flags[at + i] = seam_bitset_get(sel, i);
    }
    for (uint32_t i = 0; i < k->dict_count; i++) {
        if (!x->flags[i]) continue;
        if (first == UINT32_MAX) first = i;
        last = i;
        count++;
    }
    x->chunk = k;
    x->none = count == 0;
    x->is_range = count > 0 && last - first + 1 == count;
    x->lo = first;
    x->hi = last;
    return SEAM_OK;
}

static enum seam_status eval_decoded(struct columnar_cursor *c,
                                     const struct columnar_scan_cond *cond, uint64_t *sel,
                                     uint64_t *failed)
{
    struct columnar_batch b = {.rows = c->rows, .count = c->s->n_columns, .cols = c->t->vecs};
    enum seam_status st;

    if (cond->n_columns <= (int)SEAM_ARRAY_LEN(cond->columns)) {
        for (int k = 0; k < cond->n_columns; k++) {
            st = columnar_scan_load(c, cond->columns[k]);
            if (st != SEAM_OK) return st;
        }
    } else {
        for (int k = 0; k < c->s->n_columns; k++) {
            st = columnar_scan_load(c, k);
            if (st != SEAM_OK) return st;
        }
    }
    columnar_expr_state_reset(c->t->eval);
    st = columnar_expr_filter_failed(c->t->eval, cond->e, &b, sel, failed);
    return st == SEAM_OK ? st : columnar_expr_no_memory(c->f);
}

enum seam_status columnar_scan_raise(struct columnar_cursor *c, int at, const uint64_t *sel,
                                     const uint64_t *failed)
{
    struct columnar_batch b = {.rows = c->rows, .count = c->s->n_columns, .cols = c->t->vecs};

    columnar_expr_state_reset(c->t->eval);
    return columnar_expr_raise(c->t->eval, c->s->conds[at].e, &b, sel, failed, c->f);
}

static enum seam_status eval_dict(struct columnar_cursor *c, const struct columnar_scan_cond *cond,
                                  struct columnar_cond_cache *x, const struct columnar_chunk *k,
                                  uint64_t *bits)
{
    struct columnar_chunk_vector cv;
    uint32_t codes[COLUMNAR_VECTOR_ROWS];
    enum seam_status st = x->chunk == k ? SEAM_OK : fill_cache(c, cond, x, k);

    if (st != SEAM_OK) return st;
    if (!columnar_chunk_vector(k, c->v, &cv)) return columnar_scan_corrupt_vector(c, cond->column);
    if (x->none || cv.nulls == cv.rows) {
        columnar_scan_fill(bits, c->rows, false);
        return SEAM_OK;
    }
    if (x->is_range) {
        if (!block_range(k, &cv, x->lo, x->hi, bits))
            return columnar_scan_corrupt_vector(c, cond->column);
    } else {
        if (!columnar_ints_decode32(&cv.ints, cv.rows, codes))
            return columnar_scan_corrupt_vector(c, cond->column);
        memset(bits, 0, COLUMNAR_VECTOR_WORDS * 8);
        for (uint32_t i = 0; i < cv.rows; i++)
            bits[i / 64] |= (uint64_t)x->flags[codes[i]] << (i % 64);
    }
    return without_nulls(&cv, bits) ? SEAM_OK : columnar_scan_corrupt_vector(c, cond->column);
}

enum seam_status columnar_scan_eval(struct columnar_cursor *c, int at, uint64_t *sel,
                                    uint64_t *failed)
{
    const struct columnar_scan_cond *cond = &c->s->conds[at];
    const struct columnar_chunk *k = cond->kind == COND_EXPR ? NULL : c->t->chunks[cond->column];
    uint64_t bits[COLUMNAR_VECTOR_WORDS], lo, hi;
    struct columnar_chunk_vector cv;
    enum seam_status st;

    if (k == NULL || c->t->loaded[cond->column] || k->type != c->s->p->columns[cond->column].type)
        return eval_decoded(c, cond, sel, failed);
    if (cond->kind == COND_RANGE && (k->kind == CHUNK_INTS || k->kind == CHUNK_DICT)) {
        columnar_scan_touch(c, cond->column);
        if (!columnar_chunk_vector(k, c->v, &cv))
            return columnar_scan_corrupt_vector(c, cond->column);
        if (cv.nulls == cv.rows || !encoded_range(k, cond->lo, cond->hi, &lo, &hi))
            columnar_scan_fill(bits, c->rows, false);
        else if (!block_range(k, &cv, lo, hi, bits) || !without_nulls(&cv, bits))
            return columnar_scan_corrupt_vector(c, cond->column);
    } else if (cond->strict && (k->kind == CHUNK_TEXT_DICT || k->kind == CHUNK_DICT)) {
        columnar_scan_touch(c, cond->column);
        st = eval_dict(c, cond, &c->t->cache[at], k, bits);
        if (st == SEAM_END) return eval_decoded(c, cond, sel, failed);
        if (st != SEAM_OK) return st;
    } else {
        return eval_decoded(c, cond, sel, failed);
    }
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) sel[w] &= bits[w];
    return SEAM_OK;
}
