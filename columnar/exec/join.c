/* join - hash joins: the right side in memory, the left side streamed through it.
 *
 *   build:  rows of the right side and their keys, hashes by column, chains of row numbers
 *   probe:  hashes of a batch by column -> pairs (left row, right row) -> the residual condition -> out
 *
 * Where the key is one integer, unique on the right and of a small range (a dimension's key), the table is an
 * array, the left columns pass through untouched and the right ones become dictionary vectors whose
 * codes are row numbers: nothing is copied, and what follows works per dimension row.
 * Without keys every right row is a candidate. SEMI, ANTI and MARK hand no pairs on: they are known when the
 * batch has been looked at, as are the left rows without a match of LEFT, FULL and SINGLE.            */
#include "columnar/exec/join_impl.h"

#include <assert.h>
#include <stdlib.h>

enum { DIRECT_MAX = 1 << 22 };

void columnar_join_free(struct columnar_join_table *t)
{
    if (t == NULL) return;
    columnar_coldata_free(&t->rows);
    free(t->hashes);
    free(t->heads);
    free(t->next);
    free(t->direct);
    free(t->matched);
    for (int c = 0; t->refs != NULL && c < t->p->right->n_columns; c++) free(t->refs[c]);
    free(t->refs);
    free(t);
}

static bool int_like(unsigned type)
{
    return type != SEAM_V_TEXT && type != SEAM_V_DOUBLE;
}

bool columnar_join_bounds(const struct columnar_join_table *t, int k, int64_t *lo, int64_t *hi)
{
    const struct columnar_coldata_column *key = &t->rows.columns[t->p->right->n_columns + k];

    *lo = INT64_MAX;
    *hi = INT64_MIN;
    if (!int_like(key->type)) return false;
    for (size_t i = 0; i < t->rows.rows; i++) {
        if (key->nulls != NULL && seam_bitset_get(key->nulls, i)) continue;
        if (key->i[i] < *lo) *lo = key->i[i];
        if (key->i[i] > *hi) *hi = key->i[i];
    }
    return *lo <= *hi;
}

/* The array form, when the keys allow it; SEAM_NOT_FOUND when not. */
static enum seam_status build_direct(struct columnar_join_table *t)
{
    const struct columnar_coldata_column *key = &t->rows.columns[t->p->right->n_columns];
    int64_t lo, hi;

    if (t->p->n_keys != 1 || t->p->join > COLUMNAR_JOIN_LEFT || t->p->where != NULL ||
        (t->p->null_safe != NULL && t->p->null_safe[0]) || t->rows.rows == 0 ||
        t->rows.rows > DIRECT_MAX || !columnar_join_bounds(t, 0, &lo, &hi) ||
        (uint64_t)hi - (uint64_t)lo >= DIRECT_MAX)
        return SEAM_NOT_FOUND;
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
        for (size_t i = 0; i < t->rows.rows; i++)
            t->refs[c][i] = columnar_join_text(&t->rows.columns[c], i);
    }
    return SEAM_OK;
}

/* Hashes of all keys, a column at a time; a null that equals nothing makes its row no candidate. */
static enum seam_status build_chains(struct columnar_join_table *t)
{
    int n = t->p->right->n_columns;
    size_t rows = t->rows.rows;
    uint8_t *out = calloc(rows + 1, 1);

    for (t->cap = 64; t->cap < 2 * rows;) t->cap *= 2;
    t->hashes = malloc((rows + 1) * sizeof *t->hashes);
    t->heads = calloc(t->cap, sizeof *t->heads);
    t->next = malloc((rows + 1) * sizeof *t->next);
    if (out == NULL || t->hashes == NULL || t->heads == NULL || t->next == NULL) {
        free(out);
        return SEAM_NOMEM;
    }
    for (size_t i = 0; i < rows; i++) t->hashes[i] = JOIN_SEED;
    for (int k = 0; k < t->p->n_keys; k++) {
        const struct columnar_coldata_column *c = &t->rows.columns[n + k];
        bool safe = t->p->null_safe != NULL && t->p->null_safe[k];

        for (size_t i = 0; i < rows; i++) {
            if (c->nulls != NULL && seam_bitset_get(c->nulls, i)) {
                t->has_null = true;
                out[i] |= !safe;
                t->hashes[i] = columnar_join_mix(t->hashes[i], JOIN_NULL);
            } else if (c->type == SEAM_V_TEXT) {
                t->hashes[i] = columnar_join_mix_text(t->hashes[i], columnar_join_text(c, i));
            } else if (c->type == SEAM_V_DOUBLE) {
                t->hashes[i] = columnar_join_mix(t->hashes[i], columnar_join_double(c->d[i]));
            } else {
                t->hashes[i] = columnar_join_mix(t->hashes[i], (uint64_t)c->i[i]);
            }
        }
    }
    /* From the last to the first, so that chains come in the order of the rows. */
    for (size_t i = rows; i-- > 0;) {
        size_t at = t->hashes[i] & (t->cap - 1);

        if (out[i]) continue;
        t->next[i] = t->heads[at];
        t->heads[at] = (uint32_t)i + 1;
    }
    free(out);
    return SEAM_OK;
}

void columnar_join_hash(const struct columnar_plan *p, const struct columnar_vec *keys,
                        uint32_t rows, uint64_t *hashes, uint64_t *no_key)
{
    for (uint32_t i = 0; i < rows; i++) hashes[i] = JOIN_SEED;
    for (int k = 0; k < p->n_keys; k++) {
        const struct columnar_vec *v = &keys[k];
        bool safe = p->null_safe != NULL && p->null_safe[k];

        for (uint32_t i = 0; i < rows; i++) {
            uint32_t slot = columnar_vec_slot(v, i);

            if (columnar_vec_null(v, i)) {
                if (!safe && no_key != NULL) seam_bitset_set(no_key, i);
                hashes[i] = columnar_join_mix(hashes[i], JOIN_NULL);
            } else if (v->type == SEAM_V_TEXT) {
                hashes[i] = columnar_join_mix_text(hashes[i], v->s[slot]);
            } else if (v->type == SEAM_V_DOUBLE) {
                hashes[i] = columnar_join_mix(hashes[i], columnar_join_double(v->d[slot]));
            } else {
                hashes[i] = columnar_join_mix(hashes[i], (uint64_t)v->i[slot]);
            }
        }
    }
}

/* ---- the right side ---- */

enum { CHAIN_BYTES = 24 }; /* a row's hash, and its places in the chains */

struct keeping {
    struct columnar_query *q;
    const struct columnar_plan *p;
    const struct columnar_join_share *share;
    struct columnar_coldata *rows;
    struct columnar_join_cut *cut; /* measuring: nothing is kept */
    uint64_t budget;
    bool over;
};

static uint64_t budget_of(const struct columnar_query *q)
{
    return q->opt->memory_bytes == 0 ? 1ull << 30 : q->opt->memory_bytes;
}

static uint64_t row_bytes(const struct columnar_batch *b, uint32_t i)
{
    uint64_t n = CHAIN_BYTES + 8 * (uint64_t)b->count;

    for (int c = 0; c < b->count; c++)
        if (b->cols[c].type == SEAM_V_TEXT && !columnar_vec_null(&b->cols[c], i))
            n += b->cols[c].s[columnar_vec_slot(&b->cols[c], i)].len;
    return n;
}

static void measure_batch(struct keeping *k, const struct columnar_batch *b, const uint64_t *sel,
                          const uint64_t *hashes)
{
    const struct columnar_vec *keys = b->cols + k->p->right->n_columns;

    for (uint32_t i = 0; i < b->rows; i++) {
        if (sel != NULL && !seam_bitset_get(sel, i)) continue;
        k->cut->bytes[columnar_join_bucket(hashes[i])] += row_bytes(b, i);
        k->cut->rows++;
        for (int c = 0; c < k->p->n_keys; c++)
            k->cut->has_null = k->cut->has_null || columnar_vec_null(&keys[c], i);
    }
}

static enum seam_status keep_batch(void *self, int thread, const struct columnar_batch *b,
                                   const uint64_t *sel, struct seam_fault *f)
{
    struct keeping *k = self;
    uint64_t hashes[COLUMNAR_VECTOR_ROWS], mine[COLUMNAR_VECTOR_WORDS] = {0};
    bool part = k->share->cut != NULL;
    enum seam_status st = SEAM_OK;

    (void)thread;
    if (part || k->cut != NULL)
        columnar_join_hash(k->p, b->cols + k->p->right->n_columns, b->rows, hashes, NULL);
    for (uint32_t i = 0; part && i < b->rows; i++) {
        uint32_t bucket = columnar_join_bucket(hashes[i]);

        if (bucket >= k->share->from && bucket < k->share->to &&
            (sel == NULL || seam_bitset_get(sel, i)))
            seam_bitset_set(mine, i);
    }
    pthread_mutex_lock(&k->q->lock);
    if (k->cut != NULL) {
        measure_batch(k, b, sel, hashes);
    } else {
        st = columnar_rows_append(k->rows, b, part ? mine : sel);
        k->over = !part && k->rows->bytes + CHAIN_BYTES * k->rows->rows > k->budget;
        if (st == SEAM_OK && k->over) st = SEAM_END;
    }
    pthread_mutex_unlock(&k->q->lock);
    if (st == SEAM_NOMEM)
        return seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a join");
    return st;
}

/* Runs the right side, with its keys behind its columns. */
static enum seam_status run_right(struct keeping *k, struct seam_fault *f)
{
    const struct columnar_plan *p = k->p;
    int n = p->right->n_columns, all = n + p->n_keys;
    struct columnar_plan keyed = {.kind = PLAN_PROJECT, .in = p->right, .n_columns = all};
    struct seam_arena mem = {0};
    const struct columnar_expr **exprs = seam_arena_alloc(&mem, (size_t)(all + 1) * sizeof *exprs);
    bool *required = seam_arena_alloc(&mem, (size_t)all + 1);
    enum seam_status st = SEAM_OK;

    keyed.columns = seam_arena_zalloc(&mem, (size_t)(all + 1) * sizeof *keyed.columns);
    keyed.exprs = exprs;
    if (exprs == NULL || keyed.columns == NULL || required == NULL) st = SEAM_NOMEM;
    for (int c = 0; st == SEAM_OK && c < all; c++) {
        required[c] = true;
        if (c < n)
            st = columnar_expr_column(&mem, c, p->right->columns[c].type,
                                      p->right->columns[c].scale, &exprs[c], f);
        else
            exprs[c] = p->right_keys[c - n];
        keyed.columns[c] = (struct columnar_plan_column){"", exprs[c]->type, exprs[c]->scale};
    }
    if (st == SEAM_OK && k->rows != NULL)
        st = columnar_rows_init(k->rows, p->n_keys > 0 ? &keyed : p->right);
    if (st == SEAM_OK)
        st = columnar_run_pipeline(k->q, p->n_keys > 0 ? &keyed : p->right,
                                   (struct columnar_sink){keep_batch, k, required}, f);
    seam_arena_free(&mem);
    return st;
}

enum seam_status columnar_join_measure(struct columnar_query *q, const struct columnar_plan *p,
                                       struct columnar_join_cut *cut, struct seam_fault *f)
{
    static const struct columnar_join_share all;
    struct keeping k = {.q = q, .p = p, .share = &all, .cut = cut};

    assert(p->n_keys > 0);
    *cut = (struct columnar_join_cut){.rows = 0};
    return run_right(&k, f);
}

enum seam_status columnar_join_next_share(const struct columnar_query *q,
                                          const struct columnar_join_cut *cut, uint32_t from,
                                          struct columnar_join_share *share, struct seam_fault *f)
{
    uint64_t budget = budget_of(q), bytes = cut->bytes[from];
    uint32_t to = from + 1;

    assert(from < JOIN_BUCKETS);
    if (bytes > budget)
        return seam_fault_set(
            f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
            "the right rows of a join that share a key take %llu bytes, more than "
            "the budget; put the other table right, or raise the budget",
            (unsigned long long)bytes);
    while (to < JOIN_BUCKETS && bytes + cut->bytes[to] <= budget) bytes += cut->bytes[to++];
    *share = (struct columnar_join_share){cut, from, to};
    return SEAM_OK;
}

enum seam_status columnar_join_build(struct columnar_query *q, const struct columnar_plan *p,
                                     const struct columnar_join_share *share,
                                     struct columnar_join_table **out, bool *over,
                                     struct seam_fault *f)
{
    struct columnar_join_table *t = calloc(1, sizeof *t);
    struct keeping k = {.q = q, .p = p, .share = share, .budget = budget_of(q)};
    enum seam_status st = t == NULL ? SEAM_NOMEM : SEAM_OK;

    if (st == SEAM_OK) {
        t->p = p;
        t->whole = share->cut == NULL;
        t->from = share->from;
        t->to = share->to;
        k.rows = &t->rows;
        st = run_right(&k, f);
    }
    *over = st == SEAM_OK && k.over;
    if (*over) {
        columnar_join_free(t);
        return SEAM_OK;
    }
    if (st == SEAM_OK && t->rows.rows >= UINT32_MAX)
        st = seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                            "the right side of a join has more than 2^32 rows");
    if (st == SEAM_OK && p->join == COLUMNAR_JOIN_FULL) {
        t->matched = calloc(t->rows.rows + 1, 1);
        if (t->matched == NULL) st = SEAM_NOMEM;
    }
    if (st == SEAM_OK && p->n_keys > 0) {
        st = t->whole ? build_direct(t) : SEAM_NOT_FOUND;
        if (st == SEAM_NOT_FOUND) st = build_chains(t);
    }
    if (st == SEAM_OK) {
        t->all_rows = t->whole ? t->rows.rows : share->cut->rows;
        t->has_null = t->has_null || (!t->whole && share->cut->has_null);
        *out = t;
    } else {
        columnar_join_free(t);
    }
    return st == SEAM_NOMEM
               ? seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a join")
               : st;
}
