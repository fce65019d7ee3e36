/* expr_pool - the memory of one thread's evaluating, and vectors in it. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/format/kernels.h"

/* Results live in blocks that are kept from batch to batch, so that a running query allocates nothing. */
enum { POOL_BLOCK = 256 << 10 };

struct columnar_pool_block {
    struct columnar_pool_block *next;
    size_t size;
    _Alignas(64) uint8_t bytes[];
};

void columnar_expr_state_free(struct columnar_expr_state *s)
{
    if (s == NULL) return;
    while (s->first != NULL) {
        struct columnar_pool_block *next = s->first->next;

        free(s->first);
        s->first = next;
    }
    seam_arena_free(&s->mem);
    free(s);
}

void columnar_expr_state_reset(struct columnar_expr_state *s)
{
    s->now = s->first;
    s->used = 0;
    if (s->mem.used > 0) seam_arena_reset(&s->mem);
}

void *columnar_expr_take(struct columnar_expr_state *s, size_t n)
{
    struct columnar_pool_block *b;

    n = (n + 63) & ~(size_t)63;
    if (s->now != NULL && s->used + n <= s->now->size) {
        s->used += n;
        return s->now->bytes + s->used - n;
    }
    if (s->now != NULL && s->now->next != NULL && n <= s->now->next->size) {
        s->now = s->now->next;
        s->used = n;
        return s->now->bytes;
    }
    b = malloc(sizeof *b + (n > POOL_BLOCK ? n : POOL_BLOCK));
    if (b == NULL) return NULL;
    b->size = n > POOL_BLOCK ? n : POOL_BLOCK;
    b->next = s->now == NULL ? NULL : s->now->next;
    if (s->now == NULL)
        s->first = b;
    else
        s->now->next = b;
    s->now = b;
    s->used = n;
    return b->bytes;
}

enum seam_status columnar_expr_no_memory(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET,
                          "no memory to evaluate an expression");
}

static const uint64_t one_null[1] = {1};

/* Nulls of either side; NULL when there are none. CONST sides are all or nothing. */
enum seam_status columnar_expr_merge_nulls(struct columnar_expr_state *s,
                                           const struct columnar_vec *a,
                                           const struct columnar_vec *b, bool *all_null,
                                           const uint64_t **out, struct seam_fault *f)
{
    uint64_t *bits;

    *all_null = false;
    *out = NULL;
    for (int k = 0; k < 2; k++) {
        const struct columnar_vec *v = k == 0 ? a : b;

        if (v == NULL || v->nulls == NULL) continue;
        if (v->kind == COLUMNAR_VEC_CONST) {
            *all_null = *all_null || (v->nulls[0] & 1) != 0;
            continue;
        }
        if (*out == NULL) {
            *out = v->nulls;
            continue;
        }
        bits = columnar_expr_take(s, COLUMNAR_VECTOR_WORDS * 8);
        if (bits == NULL) return columnar_expr_no_memory(f);
        for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) bits[w] = (*out)[w] | v->nulls[w];
        *out = bits;
    }
    return SEAM_OK;
}

void columnar_expr_all_null(const struct columnar_expr *e, struct columnar_vec *out)
{
    static const int64_t zero[2];
    static const struct columnar_text_ref none[1] = {{"", 0}};

    *out = (struct columnar_vec){
        .kind = COLUMNAR_VEC_CONST, .type = e->type, .scale = e->scale, .nulls = one_null};
    if (e->type == SEAM_V_TEXT)
        out->s = none;
    else
        out->i = zero;
}

/* DICT as FLAT; 64-bit values of any type. */
enum seam_status columnar_expr_flatten(struct columnar_expr_state *s, struct columnar_vec *v,
                                       uint32_t rows, struct seam_fault *f)
{
    int64_t *p;

    if (v->kind != COLUMNAR_VEC_DICT) return SEAM_OK;
    if (v->type == SEAM_V_TEXT) {
        struct columnar_text_ref *t = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * sizeof *t);

        if (t == NULL) return columnar_expr_no_memory(f);
        for (uint32_t i = 0; i < rows; i++) t[i] = v->s[v->code[i]];
        v->s = t;
    } else {
        p = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
        if (p == NULL) return columnar_expr_no_memory(f);
        columnar_kernel_lookup(v->i, v->code, rows, p);
        v->i = p;
    }
    v->kind = COLUMNAR_VEC_FLAT;
    return SEAM_OK;
}

bool columnar_expr_cells_init(struct columnar_expr_state *s, unsigned type,
                              struct columnar_cells *c)
{
    *c = (struct columnar_cells){.nulls = columnar_expr_take(s, COLUMNAR_VECTOR_WORDS * 8)};
    if (c->nulls != NULL) memset(c->nulls, 0, COLUMNAR_VECTOR_WORDS * 8);
    if (type == SEAM_V_TEXT)
        c->s = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * sizeof *c->s);
    else
        c->i = columnar_expr_take(s, COLUMNAR_VECTOR_ROWS * 8);
    return c->nulls != NULL && (c->s != NULL || c->i != NULL);
}

void columnar_expr_cells_vec(const struct columnar_cells *c, const struct columnar_expr *e,
                             struct columnar_vec *out)
{
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = e->type,
                                 .scale = e->scale,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX,
                                 .nulls = c->any ? c->nulls : NULL};
    if (c->s != NULL)
        out->s = c->s;
    else
        out->i = c->i;
}

enum seam_status columnar_expr_const_vec(struct columnar_expr_state *s,
                                         const struct columnar_expr *e, struct columnar_vec *out,
                                         struct seam_fault *f)
{
    const struct seam_value *v = &e->constant;

    *out = (struct columnar_vec){
        .kind = COLUMNAR_VEC_CONST, .type = e->type, .scale = e->scale, .lo = v->i, .hi = v->i};
    if (v->type == SEAM_V_NULL) {
        out->nulls = one_null;
        out->lo = out->hi = 0;
    }
    if (e->type == SEAM_V_TEXT) {
        struct columnar_text_ref *t = columnar_expr_take(s, sizeof *t);

        if (t == NULL) return columnar_expr_no_memory(f);
        *t = v->type == SEAM_V_NULL ? (struct columnar_text_ref){"", 0}
                                    : (struct columnar_text_ref){v->s, v->len};
        out->s = t;
        return SEAM_OK;
    }
    if (v->type == SEAM_V_NULL) {
        static const int64_t zero[1];

        out->i = zero;
        return SEAM_OK;
    }
    out->i = &v->i; /* the double shares its place */
    if (e->type == SEAM_V_DOUBLE) out->lo = INT64_MIN, out->hi = INT64_MAX;
    return SEAM_OK;
}
