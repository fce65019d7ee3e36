/* join - hash join: the right side in memory, the left side streamed through it.
 *
 * Where the key is one integer, unique on the right and of a small range (a dimension's key), the table is an
 * array, the left columns pass through untouched and the right ones become dictionary vectors whose
 * codes are row numbers: nothing is copied, and what follows works per dimension row.               */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/groups.h"

struct join_table {
    const struct plan *p;
    struct coldata rows;         /* the right side's columns, then its keys */
    uint64_t *hashes;
    uint32_t *heads, *next;      /* 1 + row; chains */
    size_t cap;
    uint32_t *direct;            /* 1 + row of key lo + i; NULL: not of that kind */
    int64_t lo;
    uint64_t span;
    struct text_ref **refs;      /* of the right side's text columns, for dictionary vectors */
};

enum { DIRECT_MAX = 1 << 22 };

void join_free(struct join_table *t)
{
    if (t == NULL) return;
    coldata_free(&t->rows);
    free(t->hashes);
    free(t->heads);
    free(t->next);
    free(t->direct);
    for (int c = 0; t->refs != NULL && c < t->p->right->n_columns; c++) free(t->refs[c]);
    free(t->refs);
    free(t);
}

/* The array form, when the keys allow it; ST_NOT_FOUND when not. */
static enum status build_direct(struct join_table *t)
{
    const struct coldata_column *key = &t->rows.columns[t->p->right->n_columns];
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    if (t->p->n_keys != 1 || key->type == V_TEXT || key->type == V_DOUBLE || t->rows.rows == 0 ||
        t->rows.rows > DIRECT_MAX)
        return ST_NOT_FOUND;
    for (size_t i = 0; i < t->rows.rows; i++) {
        if (key->nulls != NULL && bitset_get(key->nulls, i)) continue;
        if (key->i[i] < lo) lo = key->i[i];
        if (key->i[i] > hi) hi = key->i[i];
    }
    if (lo > hi || (uint64_t)hi - (uint64_t)lo >= DIRECT_MAX) return ST_NOT_FOUND;
    t->lo = lo;
    t->span = (uint64_t)hi - (uint64_t)lo + 1;
    t->direct = calloc(t->span, sizeof *t->direct);
    t->refs = calloc((size_t)t->p->right->n_columns + 1, sizeof *t->refs);
    if (t->direct == NULL || t->refs == NULL) return ST_NOMEM;
    for (size_t i = 0; i < t->rows.rows; i++) {
        uint32_t *slot;

        if (key->nulls != NULL && bitset_get(key->nulls, i)) continue;
        slot = &t->direct[(uint64_t)key->i[i] - (uint64_t)lo];
        if (*slot != 0) { /* a key twice: chains are for that */
            free(t->direct);
            t->direct = NULL;
            return ST_NOT_FOUND;
        }
        *slot = (uint32_t)i + 1;
    }
    for (int c = 0; c < t->p->right->n_columns; c++) {
        if (t->rows.columns[c].type != V_TEXT) continue;
        t->refs[c] = malloc(t->rows.rows * sizeof *t->refs[c]);
        if (t->refs[c] == NULL) return ST_NOMEM;
        for (size_t i = 0; i < t->rows.rows; i++) {
            struct value v = coldata_value(&t->rows, c, i);

            t->refs[c][i] = v.type == V_NULL ? (struct text_ref){"", 0} : (struct text_ref){v.s, v.len};
        }
    }
    return ST_OK;
}

enum status join_build(struct query *q, const struct plan *p, struct join_table **out, struct fault *f)
{
    int n = p->right->n_columns, keys = p->n_keys;
    struct plan keyed = {.kind = PLAN_PROJECT, .in = p->right, .n_columns = n + keys};
    struct arena mem = {0};
    const struct expr **exprs = arena_alloc(&mem, (size_t)(n + keys) * sizeof *exprs);
    struct join_table *t = calloc(1, sizeof *t);
    uint64_t budget = q->opt->memory_bytes == 0 ? 1ull << 30 : q->opt->memory_bytes;
    enum status st = ST_NOMEM;

    keyed.columns = arena_zalloc(&mem, (size_t)(n + keys) * sizeof *keyed.columns);
    keyed.exprs = exprs;
    if (exprs == NULL || t == NULL || keyed.columns == NULL) goto done;
    t->p = p;
    st = ST_OK;
    for (int c = 0; st == ST_OK && c < n + keys; c++) {
        if (c < n) st = expr_column(&mem, c, p->right->columns[c].type, p->right->columns[c].scale, &exprs[c], f);
        else exprs[c] = p->right_keys[c - n];
        keyed.columns[c] = (struct plan_column){"", exprs[c]->type, exprs[c]->scale};
    }
    if (st == ST_OK) st = run_to_rows(q, &keyed, &t->rows, f);
    if (st == ST_OK && t->rows.bytes > budget)
        st = fault_set(f, ST_LIMIT, NULL, FAULT_NO_OFFSET,
                       "the right side of a join takes %llu bytes, more than the budget; put the smaller table right",
                       (unsigned long long)t->rows.bytes);
    if (st != ST_OK) goto done;
    st = build_direct(t);
    if (st != ST_NOT_FOUND) goto done;
    st = ST_OK;
    for (t->cap = 64; t->cap < 2 * t->rows.rows;) t->cap *= 2;
    t->hashes = malloc((t->rows.rows + 1) * sizeof *t->hashes);
    t->heads = calloc(t->cap, sizeof *t->heads);
    t->next = malloc((t->rows.rows + 1) * sizeof *t->next);
    if (t->hashes == NULL || t->heads == NULL || t->next == NULL) st = ST_NOMEM;
    /* From the last to the first, so that chains come in the order of the rows. */
    for (size_t i = t->rows.rows; st == ST_OK && i-- > 0;) {
        struct value key[KEY_COLUMNS_MAX * 4];
        bool null = false;
        size_t at;

        assert(keys <= (int)ARRAY_LEN(key));
        for (int k = 0; k < keys; k++) {
            key[k] = coldata_value(&t->rows, n + k, i);
            null = null || key[k].type == V_NULL;
        }
        if (null) continue;
        t->hashes[i] = groups_hash(key, keys);
        at = t->hashes[i] & (t->cap - 1);
        t->next[i] = t->heads[at];
        t->heads[at] = (uint32_t)i + 1;
    }
done:
    arena_free(&mem);
    if (st == ST_OK) *out = t;
    else join_free(t);
    return st == ST_NOMEM ? fault_set(f, st, NULL, FAULT_NO_OFFSET, "no memory for a join") : st;
}

/* ---- probing ---- */

struct join_probe {
    const struct join_table *t;
    const struct plan *p;
    const bool *required;
    struct expr_state *eval;
    struct vec *vecs, *keys;
    struct cells *cols;
    uint32_t left[VECTOR_ROWS], right[VECTOR_ROWS]; /* pairs; right: 1 + row, 0 none */
    uint32_t count;
};

void join_probe_free(struct join_probe *p)
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
    expr_state_free(p->eval);
    free(p);
}

struct join_probe *join_probe_new(const struct join_table *t, const struct plan *plan, const bool *required)
{
    struct join_probe *p = calloc(1, sizeof *p);
    bool ok = p != NULL;

    if (!ok) return NULL;
    p->t = t;
    p->p = plan;
    p->required = required;
    p->eval = expr_state_new();
    p->vecs = calloc((size_t)plan->n_columns + 1, sizeof *p->vecs);
    p->keys = calloc((size_t)plan->n_keys + 1, sizeof *p->keys);
    p->cols = calloc((size_t)plan->n_columns + 1, sizeof *p->cols);
    ok = p->eval != NULL && p->vecs != NULL && p->keys != NULL && p->cols != NULL;
    for (int c = 0; ok && c < plan->n_columns; c++) {
        if (plan->columns[c].type == V_TEXT) p->cols[c].s = malloc(VECTOR_ROWS * sizeof *p->cols[c].s);
        else p->cols[c].i = malloc(VECTOR_ROWS * sizeof *p->cols[c].i);
        p->cols[c].nulls = malloc(VECTOR_WORDS * sizeof *p->cols[c].nulls);
        ok = p->cols[c].nulls != NULL && (p->cols[c].s != NULL || p->cols[c].i != NULL);
    }
    if (!ok) {
        join_probe_free(p);
        return NULL;
    }
    return p;
}

static enum status flush(struct join_probe *p, const struct batch *b,
                         batch_fn next, void *ctx, struct fault *f)
{
    struct batch out = {.rows = p->count, .count = p->p->n_columns, .cols = p->vecs};
    int left = p->p->in->n_columns;

    if (p->count == 0) return ST_OK;
    for (int c = 0; c < p->p->n_columns; c++) {
        struct cells *col = &p->cols[c];

        p->vecs[c] = (struct vec){.kind = VEC_FLAT, .type = p->p->columns[c].type, .scale = p->p->columns[c].scale,
                                  .lo = INT64_MIN, .hi = INT64_MAX};
        if (!p->required[c]) continue;
        memset(col->nulls, 0, VECTOR_WORDS * sizeof *col->nulls);
        col->any = false;
        for (uint32_t i = 0; i < p->count; i++) {
            struct value v = c < left ? vec_value(&b->cols[c], p->left[i])
                             : p->right[i] == 0 ? v_null() : coldata_value(&p->t->rows, c - left, p->right[i] - 1);

            cells_put(col, i, &v);
        }
        if (col->s != NULL) p->vecs[c].s = col->s;
        else p->vecs[c].i = col->i;
        p->vecs[c].nulls = col->any ? col->nulls : NULL;
    }
    p->count = 0;
    return next(ctx, &out, NULL, f);
}

static bool matches(const struct join_probe *p, const struct value *key, uint64_t hash, uint32_t row)
{
    int first = p->p->right->n_columns;

    if (p->t->hashes[row] != hash) return false;
    for (int k = 0; k < p->p->n_keys; k++) {
        struct value have = coldata_value(&p->t->rows, first + k, row);

        if (!value_equal(&have, &key[k])) return false;
    }
    return true;
}

/* A right column as a dictionary of the right rows; codes are shared by all of them. */
static void direct_column(const struct join_probe *p, int c, const uint32_t *code, const uint64_t *missing,
                          bool any_missing, uint32_t rows, struct cells *col, struct vec *out)
{
    const struct coldata_column *from = &p->t->rows.columns[c];

    *out = (struct vec){.kind = VEC_DICT, .type = from->type, .scale = from->scale, .stable = true, .code = code,
                        .dict_count = (uint32_t)p->t->rows.rows, .lo = INT64_MIN, .hi = INT64_MAX};
    if (from->type == V_TEXT) out->s = p->t->refs[c];
    else out->i = from->i;
    if (!any_missing && from->nulls == NULL) return;
    memcpy(col->nulls, missing, VECTOR_WORDS * sizeof *col->nulls);
    for (uint32_t i = 0; from->nulls != NULL && i < rows; i++)
        if (bitset_get(from->nulls, code[i])) bitset_set(col->nulls, i);
    out->nulls = col->nulls;
}

static enum status push_direct(struct join_probe *p, const struct batch *b, const uint64_t *sel, batch_fn next,
                               void *ctx, struct fault *f)
{
    const struct vec *key = &p->keys[0];
    struct batch out = {.rows = b->rows, .count = p->p->n_columns, .cols = p->vecs};
    uint64_t found[VECTOR_WORDS] = {0}, missing[VECTOR_WORDS] = {0};
    int left = p->p->in->n_columns;
    uint32_t n = 0, chosen = sel_count(sel, b->rows);

    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t off = (uint64_t)key->i[vec_slot(key, i)] - (uint64_t)p->t->lo;
        uint32_t row = off < p->t->span && !(key->nulls != NULL && vec_null(key, i)) ? p->t->direct[off] : 0;

        p->right[i] = row == 0 ? 0 : row - 1;
        found[i / 64] |= (uint64_t)(row != 0) << (i & 63);
    }
    for (size_t w = 0; w < bitset_words(b->rows); w++) {
        missing[w] = ~found[w];
        if (sel != NULL) found[w] &= sel[w];
        n += (uint32_t)__builtin_popcountll(found[w]);
    }
    if (p->p->join == JOIN_INNER && n == 0) return ST_OK;
    memcpy(p->vecs, b->cols, (size_t)left * sizeof *p->vecs);
    for (int c = left; c < p->p->n_columns; c++) {
        p->vecs[c] = (struct vec){.type = p->p->columns[c].type};
        if (p->required[c])
            direct_column(p, c - left, p->right, missing, p->p->join == JOIN_LEFT && n < chosen, b->rows,
                          &p->cols[c], &p->vecs[c]);
    }
    if (p->p->join == JOIN_LEFT) return next(ctx, &out, sel, f);
    return next(ctx, &out, n == b->rows ? NULL : found, f);
}

enum status join_push(struct join_probe *p, const struct batch *b, const uint64_t *sel, batch_fn next, void *ctx,
                      struct fault *f)
{
    enum status st = ST_OK;

    expr_state_reset(p->eval);
    for (int k = 0; st == ST_OK && k < p->p->n_keys; k++)
        st = expr_eval(p->eval, p->p->exprs[k], b, &p->keys[k], f);
    if (st == ST_OK && p->t->direct != NULL) return push_direct(p, b, sel, next, ctx, f);
    for (uint32_t i = 0; st == ST_OK && i < b->rows; i++) {
        struct value key[KEY_COLUMNS_MAX * 4];
        bool null = false, found = false;
        uint64_t hash = 0;
        uint32_t row = 0;

        if (sel != NULL && !bitset_get(sel, i)) continue;
        for (int k = 0; k < p->p->n_keys; k++) {
            key[k] = vec_value(&p->keys[k], i);
            null = null || key[k].type == V_NULL;
        }
        if (!null) {
            hash = groups_hash(key, p->p->n_keys);
            row = p->t->heads[hash & (p->t->cap - 1)];
        }
        for (; st == ST_OK && row != 0; row = p->t->next[row - 1]) {
            if (!matches(p, key, hash, row - 1)) continue;
            found = true;
            p->left[p->count] = i;
            p->right[p->count++] = row;
            if (p->count == VECTOR_ROWS) st = flush(p, b, next, ctx, f);
        }
        if (st == ST_OK && !found && p->p->join == JOIN_LEFT) {
            p->left[p->count] = i;
            p->right[p->count++] = 0;
            if (p->count == VECTOR_ROWS) st = flush(p, b, next, ctx, f);
        }
    }
    return st == ST_OK ? flush(p, b, next, ctx, f) : st;
}
