/* join - hash join: the right side in memory, the left side streamed through it.
 *
 * Where the key is one integer, unique on the right and of a small range (a dimension's key), the table is an
 * array, the left columns pass through untouched and the right ones become dictionary vectors whose
 * codes are row numbers: nothing is copied, and what follows works per dimension row.               */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/groups.h"

struct columnar_join_table {
    const struct columnar_plan *p;
    struct columnar_coldata rows; /* the right side's columns, then its keys */
    uint64_t *hashes;
    uint32_t *heads, *next; /* 1 + row; chains */
    size_t cap;
    uint32_t *direct; /* 1 + row of key lo + i; NULL: not of that kind */
    int64_t lo;
    uint64_t span;
    struct columnar_text_ref **refs; /* of the right side's text columns, for dictionary vectors */
};

enum { DIRECT_MAX = 1 << 22 };

void columnar_join_free(struct columnar_join_table *t)
{
    if (t == NULL) return;
    columnar_coldata_free(&t->rows);
    free(t->hashes);
    free(t->heads);
    free(t->next);
    free(t->direct);
    for (int c = 0; t->refs != NULL && c < t->p->right->n_columns; c++) free(t->refs[c]);
    free(t->refs);
    free(t);
}

/* The array form, when the keys allow it; SEAM_NOT_FOUND when not. */
static enum seam_status build_direct(struct columnar_join_table *t)
{
    const struct columnar_coldata_column *key = &t->rows.columns[t->p->right->n_columns];
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    if (t->p->n_keys != 1 || key->type == SEAM_V_TEXT || key->type == SEAM_V_DOUBLE ||
        t->rows.rows == 0 || t->rows.rows > DIRECT_MAX)
        return SEAM_NOT_FOUND;
    for (size_t i = 0; i < t->rows.rows; i++) {
        if (key->nulls != NULL && seam_bitset_get(key->nulls, i)) continue;
        if (key->i[i] < lo) lo = key->i[i];
        if (key->i[i] > hi) hi = key->i[i];
    }
    if (lo > hi || (uint64_t)hi - (uint64_t)lo >= DIRECT_MAX) return SEAM_NOT_FOUND;
    t->lo = lo;
    t->span = (uint64_t)hi - (uint64_t)lo + 1;
    t->direct = calloc(t->span, sizeof *t->direct);
    t->refs = calloc((size_t)t->p->right->n_columns + 1, sizeof *t->refs);
    if (t->direct == NULL || t->refs == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < t->rows.rows; i++) {
        uint32_t *slot;

        if (key->nulls != NULL && seam_bitset_get(key->nulls, i)) continue;
        slot = &t->direct[(uint64_t)key->i[i] - (uint64_t)lo];
        if (*slot != 0) { /* a key twice: chains are for that */
            free(t->direct);
            t->direct = NULL;
            return SEAM_NOT_FOUND;
        }
        *slot = (uint32_t)i + 1;
    }
    for (int c = 0; c < t->p->right->n_columns; c++) {
        if (t->rows.columns[c].type != SEAM_V_TEXT) continue;
        t->refs[c] = malloc(t->rows.rows * sizeof *t->refs[c]);
        if (t->refs[c] == NULL) return SEAM_NOMEM;
        for (size_t i = 0; i < t->rows.rows; i++) {
            struct seam_value v = columnar_coldata_value(&t->rows, c, i);

            t->refs[c][i] = v.type == SEAM_V_NULL ? (struct columnar_text_ref){"", 0}
                                                  : (struct columnar_text_ref){v.s, v.len};
        }
    }
    return SEAM_OK;
}

enum seam_status columnar_join_build(struct columnar_query *q, const struct columnar_plan *p,
                                     struct columnar_join_table **out, struct seam_fault *f)
{
    int n = p->right->n_columns, keys = p->n_keys;
    struct columnar_plan keyed = {.kind = PLAN_PROJECT, .in = p->right, .n_columns = n + keys};
    struct seam_arena mem = {0};
    const struct columnar_expr **exprs = seam_arena_alloc(&mem, (size_t)(n + keys) * sizeof *exprs);
    struct columnar_join_table *t = calloc(1, sizeof *t);
    uint64_t budget = q->opt->memory_bytes == 0 ? 1ull << 30 : q->opt->memory_bytes;
    enum seam_status st = SEAM_NOMEM;

    keyed.columns = seam_arena_zalloc(&mem, (size_t)(n + keys) * sizeof *keyed.columns);
    keyed.exprs = exprs;
    if (exprs == NULL || t == NULL || keyed.columns == NULL) goto done;
    t->p = p;
    st = SEAM_OK;
    for (int c = 0; st == SEAM_OK && c < n + keys; c++) {
        if (c < n)
            st = columnar_expr_column(&mem, c, p->right->columns[c].type,
                                      p->right->columns[c].scale, &exprs[c], f);
        else
            exprs[c] = p->right_keys[c - n];
        keyed.columns[c] = (struct columnar_plan_column){"", exprs[c]->type, exprs[c]->scale};
    }
    if (st == SEAM_OK) st = columnar_run_to_rows(q, &keyed, &t->rows, f);
    if (st == SEAM_OK && t->rows.bytes > budget)
        st = seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                            "the right side of a join takes %llu bytes, more than the budget; put "
                            "the smaller table right",
                            (unsigned long long)t->rows.bytes);
    if (st != SEAM_OK) goto done;
    st = build_direct(t);
    if (st != SEAM_NOT_FOUND) goto done;
    st = SEAM_OK;
    for (t->cap = 64; t->cap < 2 * t->rows.rows;) t->cap *= 2;
    t->hashes = malloc((t->rows.rows + 1) * sizeof *t->hashes);
    t->heads = calloc(t->cap, sizeof *t->heads);
    t->next = malloc((t->rows.rows + 1) * sizeof *t->next);
    if (t->hashes == NULL || t->heads == NULL || t->next == NULL) st = SEAM_NOMEM;
    /* From the last to the first, so that chains come in the order of the rows. */
    for (size_t i = t->rows.rows; st == SEAM_OK && i-- > 0;) {
        struct seam_value key[SEAM_KEY_COLUMNS_MAX * 4];
        bool null = false;
        size_t at;

        assert(keys <= (int)SEAM_ARRAY_LEN(key));
        for (int k = 0; k < keys; k++) {
            key[k] = columnar_coldata_value(&t->rows, n + k, i);
            null = null || key[k].type == SEAM_V_NULL;
        }
        if (null) continue;
        t->hashes[i] = columnar_groups_hash(key, keys);
        at = t->hashes[i] & (t->cap - 1);
        t->next[i] = t->heads[at];
        t->heads[at] = (uint32_t)i + 1;
    }
done:
    seam_arena_free(&mem);
    if (st == SEAM_OK)
        *out = t;
    else
        columnar_join_free(t);
    return st == SEAM_NOMEM
               ? seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a join")
               : st;
}

/* ---- probing ---- */

struct columnar_join_probe {
    const struct columnar_join_table *t;
    const struct columnar_plan *p;
    const bool *required;
    struct columnar_expr_state *eval;
    struct columnar_vec *vecs, *keys;
    struct columnar_cells *cols;
    uint32_t left[COLUMNAR_VECTOR_ROWS],
        right[COLUMNAR_VECTOR_ROWS]; /* pairs; right: 1 + row, 0 none */
    uint32_t count;
};

void columnar_join_probe_free(struct columnar_join_probe *p)
{
    if (p == NULL) return;
    for (int c = 0; p->cols != NULL && c < p->p->n_columns; c++) {
        free(p->cols[c].i);
        free(p->cols[c].s);
        free(p->cols[c].nulls);
    }
    free(p->cols);
    free(p->vecs);
    free(p->keys);
    columnar_expr_state_free(p->eval);
    free(p);
}

struct columnar_join_probe *columnar_join_probe_new(const struct columnar_join_table *t,
                                                    const struct columnar_plan *plan,
                                                    const bool *required)
{
    struct columnar_join_probe *p = calloc(1, sizeof *p);
    bool ok = p != NULL;

    if (!ok) return NULL;
    p->t = t;
    p->p = plan;
    p->required = required;
    p->eval = columnar_expr_state_new();
    p->vecs = calloc((size_t)plan->n_columns + 1, sizeof *p->vecs);
    p->keys = calloc((size_t)plan->n_keys + 1, sizeof *p->keys);
    p->cols = calloc((size_t)plan->n_columns + 1, sizeof *p->cols);
    ok = p->eval != NULL && p->vecs != NULL && p->keys != NULL && p->cols != NULL;
    for (int c = 0; ok && c < plan->n_columns; c++) {
        if (plan->columns[c].type == SEAM_V_TEXT)
            p->cols[c].s = malloc(COLUMNAR_VECTOR_ROWS * sizeof *p->cols[c].s);
        else
            p->cols[c].i = malloc(COLUMNAR_VECTOR_ROWS * sizeof *p->cols[c].i);
        p->cols[c].nulls = malloc(COLUMNAR_VECTOR_WORDS * sizeof *p->cols[c].nulls);
        ok = p->cols[c].nulls != NULL && (p->cols[c].s != NULL || p->cols[c].i != NULL);
    }
    if (!ok) {
        columnar_join_probe_free(p);
        return NULL;
    }
    return p;
}

static enum seam_status flush(struct columnar_join_probe *p, const struct columnar_batch *b,
                              batch_fn next, void *ctx, struct seam_fault *f)
{
    struct columnar_batch out = {.rows = p->count, .count = p->p->n_columns, .cols = p->vecs};
    int left = p->p->in->n_columns;

    if (p->count == 0) return SEAM_OK;
    for (int c = 0; c < p->p->n_columns; c++) {
        struct columnar_cells *col = &p->cols[c];

        p->vecs[c] = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                           .type = p->p->columns[c].type,
                                           .scale = p->p->columns[c].scale,
                                           .lo = INT64_MIN,
                                           .hi = INT64_MAX};
        if (!p->required[c]) continue;
        memset(col->nulls, 0, COLUMNAR_VECTOR_WORDS * sizeof *col->nulls);
        col->any = false;
        for (uint32_t i = 0; i < p->count; i++) {
            struct seam_value v =
                c < left           ? columnar_vec_value(&b->cols[c], p->left[i])
                : p->right[i] == 0 ? seam_v_null()
                                   : columnar_coldata_value(&p->t->rows, c - left, p->right[i] - 1);

            columnar_cells_put(col, i, &v);
        }
        if (col->s != NULL)
            p->vecs[c].s = col->s;
        else
            p->vecs[c].i = col->i;
        p->vecs[c].nulls = col->any ? col->nulls : NULL;
    }
    p->count = 0;
    return next(ctx, &out, NULL, f);
}

static bool matches(const struct columnar_join_probe *p, const struct seam_value *key,
                    uint64_t hash, uint32_t row)
{
    int first = p->p->right->n_columns;

    if (p->t->hashes[row] != hash) return false;
    for (int k = 0; k < p->p->n_keys; k++) {
        struct seam_value have = columnar_coldata_value(&p->t->rows, first + k, row);

        if (!seam_value_equal(&have, &key[k])) return false;
    }
    return true;
}

/* A right column as a dictionary of the right rows; codes are shared by all of them. */
static void direct_column(const struct columnar_join_probe *p, int c, const uint32_t *code,
                          const uint64_t *missing, bool any_missing, uint32_t rows,
                          struct columnar_cells *col, struct columnar_vec *out)
{
    const struct columnar_coldata_column *from = &p->t->rows.columns[c];

    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_DICT,
                                 .type = from->type,
                                 .scale = from->scale,
                                 .stable = true,
                                 .code = code,
                                 .dict_count = (uint32_t)p->t->rows.rows,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX};
    if (from->type == SEAM_V_TEXT)
        out->s = p->t->refs[c];
    else
        out->i = from->i;
    if (!any_missing && from->nulls == NULL) return;
    memcpy(col->nulls, missing, COLUMNAR_VECTOR_WORDS * sizeof *col->nulls);
    for (uint32_t i = 0; from->nulls != NULL && i < rows; i++)
        if (seam_bitset_get(from->nulls, code[i])) seam_bitset_set(col->nulls, i);
    out->nulls = col->nulls;
}

static enum seam_status push_direct(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    const uint64_t *sel, batch_fn next, void *ctx,
                                    struct seam_fault *f)
{
    const struct columnar_vec *key = &p->keys[0];
    struct columnar_batch out = {.rows = b->rows, .count = p->p->n_columns, .cols = p->vecs};
    uint64_t found[COLUMNAR_VECTOR_WORDS] = {0}, missing[COLUMNAR_VECTOR_WORDS] = {0};
    int left = p->p->in->n_columns;
    uint32_t n = 0, chosen = columnar_sel_count(sel, b->rows);

    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t off = (uint64_t)key->i[columnar_vec_slot(key, i)] - (uint64_t)p->t->lo;
        uint32_t row = off < p->t->span && !(key->nulls != NULL && columnar_vec_null(key, i))
                           ? p->t->direct[off]
                           : 0;

        p->right[i] = row == 0 ? 0 : row - 1;
        found[i / 64] |= (uint64_t)(row != 0) << (i & 63);
    }
    for (size_t w = 0; w < seam_bitset_words(b->rows); w++) {
        missing[w] = ~found[w];
        if (sel != NULL) found[w] &= sel[w];
        n += (uint32_t)__builtin_popcountll(found[w]);
    }
    if (p->p->join == COLUMNAR_JOIN_INNER && n == 0) return SEAM_OK;
    memcpy(p->vecs, b->cols, (size_t)left * sizeof *p->vecs);
    for (int c = left; c < p->p->n_columns; c++) {
        p->vecs[c] = (struct columnar_vec){.type = p->p->columns[c].type};
        if (p->required[c])
            direct_column(p, c - left, p->right, missing,
                          p->p->join == COLUMNAR_JOIN_LEFT && n < chosen, b->rows, &p->cols[c],
                          &p->vecs[c]);
    }
    if (p->p->join == COLUMNAR_JOIN_LEFT) return next(ctx, &out, sel, f);
    return next(ctx, &out, n == b->rows ? NULL : found, f);
}

enum seam_status columnar_join_keys(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    columnar_expr_state_reset(p->eval);
    for (int k = 0; st == SEAM_OK && k < p->p->n_keys; k++)
        st = columnar_expr_eval(p->eval, p->p->exprs[k], b, &p->keys[k], f);
    return st;
}

enum seam_status columnar_join_push(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    const uint64_t *sel, batch_fn next, void *ctx,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (p->t->direct != NULL) return push_direct(p, b, sel, next, ctx, f);
    for (uint32_t i = 0; st == SEAM_OK && i < b->rows; i++) {
        struct seam_value key[SEAM_KEY_COLUMNS_MAX * 4];
        bool null = false, found = false;
        uint64_t hash = 0;
        uint32_t row = 0;

        if (sel != NULL && !seam_bitset_get(sel, i)) continue;
        for (int k = 0; k < p->p->n_keys; k++) {
            key[k] = columnar_vec_value(&p->keys[k], i);
            null = null || key[k].type == SEAM_V_NULL;
        }
        if (!null) {
            hash = columnar_groups_hash(key, p->p->n_keys);
            row = p->t->heads[hash & (p->t->cap - 1)];
        }
        for (; st == SEAM_OK && row != 0; row = p->t->next[row - 1]) {
            if (!matches(p, key, hash, row - 1)) continue;
            found = true;
            p->left[p->count] = i;
            p->right[p->count++] = row;
            if (p->count == COLUMNAR_VECTOR_ROWS) st = flush(p, b, next, ctx, f);
        }
        if (st == SEAM_OK && !found && p->p->join == COLUMNAR_JOIN_LEFT) {
            p->left[p->count] = i;
            p->right[p->count++] = 0;
            if (p->count == COLUMNAR_VECTOR_ROWS) st = flush(p, b, next, ctx, f);
        }
    }
    return st == SEAM_OK ? flush(p, b, next, ctx, f) : st;
}
