/* join_probe - the left side of a join, batch by batch, through the table that join.c built. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/join_impl.h"

struct gathered { /* a column of pairs */
    int64_t *i;
    struct columnar_text_ref *s;
    uint32_t *code;
    uint64_t nulls[COLUMNAR_VECTOR_WORDS];
};

struct columnar_join_probe {
    const struct columnar_join_table *t;
    const struct columnar_plan *p;
    const bool *required;
    bool *needed; /* of the pairs: required, or read by the condition */
    int n_pair;   /* columns of a pair: left ++ right */
    struct columnar_expr_state *eval, *where;
    struct columnar_vec *vecs, *keys;
    struct gathered *cols;
    uint64_t hashes[COLUMNAR_VECTOR_ROWS];
    uint64_t no_key[COLUMNAR_VECTOR_WORDS];  /* a key is null and equals nothing */
    uint64_t matched[COLUMNAR_VECTOR_WORDS]; /* left rows of this batch */
    uint32_t left[COLUMNAR_VECTOR_ROWS],
        right[COLUMNAR_VECTOR_ROWS]; /* pairs; in the array form: the row of each left row */
    uint32_t count;
    int64_t *marks;
    uint64_t mark_nulls[COLUMNAR_VECTOR_WORDS];
};

/* The pair that is being pushed. */
struct pushing {
    struct columnar_join_probe *p;
    const struct columnar_batch *b;
    batch_fn next;
    void *ctx;
    struct seam_fault *f;
};

static bool pairs_go_on(enum columnar_join_kind k)
{
    return k <= COLUMNAR_JOIN_SINGLE;
}

void columnar_join_probe_free(struct columnar_join_probe *p)
{
    if (p == NULL) return;
    for (int c = 0; p->cols != NULL && c < p->n_pair; c++) {
        free(p->cols[c].i);
        free(p->cols[c].s);
        free(p->cols[c].code);
    }
    free(p->cols);
    free(p->vecs);
    free(p->keys);
    free(p->needed);
    free(p->marks);
    columnar_expr_state_free(p->eval);
    columnar_expr_state_free(p->where);
    free(p);
}

static void note(void *ctx, int column)
{
    ((bool *)ctx)[column] = true;
}

struct columnar_join_probe *columnar_join_probe_new(const struct columnar_join_table *t,
                                                    const struct columnar_plan *plan,
                                                    const bool *required)
{
    struct columnar_join_probe *p = calloc(1, sizeof *p);
    size_t n = (size_t)plan->in->n_columns + (size_t)plan->right->n_columns;

    if (p == NULL) return NULL;
    p->t = t;
    p->p = plan;
    p->required = required;
    p->n_pair = (int)n;
    p->eval = columnar_expr_state_new();
    p->where = columnar_expr_state_new();
    p->vecs = calloc(n + 2, sizeof *p->vecs);
    p->keys = calloc((size_t)plan->n_keys + 1, sizeof *p->keys);
    p->cols = calloc(n + 1, sizeof *p->cols);
    p->needed = calloc(n + 1, 1);
    p->marks = malloc(COLUMNAR_VECTOR_ROWS * sizeof *p->marks);
    if (p->eval == NULL || p->where == NULL || p->vecs == NULL || p->keys == NULL ||
        p->cols == NULL || p->needed == NULL || p->marks == NULL) {
        columnar_join_probe_free(p);
        return NULL;
    }
    if (pairs_go_on(plan->join)) memcpy(p->needed, required, n * sizeof *required);
    if (plan->where != NULL) columnar_expr_columns(plan->where, note, p->needed);
    return p;
}

/* ---- columns of pairs ---- */

static bool place(void **at, size_t each)
{
    if (*at == NULL) *at = malloc(COLUMNAR_VECTOR_ROWS * each);
    return *at != NULL;
}

static bool gather_left(struct gathered *g, const struct columnar_vec *v, const uint32_t *at,
                        uint32_t n, struct columnar_vec *out)
{
    *out = *v;
    if (v->kind == COLUMNAR_VEC_CONST || v->i == NULL) return true;
    if (v->kind == COLUMNAR_VEC_DICT) {
        if (!place((void **)&g->code, sizeof *g->code)) return false;
        for (uint32_t i = 0; i < n; i++) g->code[i] = v->code[at[i]];
        out->code = g->code;
    } else if (v->type == SEAM_V_TEXT) {
        if (!place((void **)&g->s, sizeof *g->s)) return false;
        for (uint32_t i = 0; i < n; i++) g->s[i] = v->s[at[i]];
        out->s = g->s;
    } else {
        if (!place((void **)&g->i, sizeof *g->i)) return false;
        for (uint32_t i = 0; i < n; i++) g->i[i] = v->i[at[i]];
        out->i = g->i;
    }
    if (v->nulls == NULL) return true;
    memset(g->nulls, 0, sizeof g->nulls);
    for (uint32_t i = 0; i < n; i++)
        if (seam_bitset_get(v->nulls, at[i])) seam_bitset_set(g->nulls, i);
    out->nulls = g->nulls;
    return true;
}

static bool gather_right(struct gathered *g, const struct columnar_coldata_column *c,
                         const uint32_t *row, uint32_t n, struct columnar_vec *out)
{
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = c->type,
                                 .scale = c->scale,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX};
    if (c->type == SEAM_V_TEXT) {
        if (!place((void **)&g->s, sizeof *g->s)) return false;
        for (uint32_t i = 0; i < n; i++) g->s[i] = columnar_join_text(c, row[i]);
        out->s = g->s;
    } else {
        if (!place((void **)&g->i, sizeof *g->i)) return false;
        for (uint32_t i = 0; i < n; i++) g->i[i] = c->i[row[i]];
        out->i = g->i;
    }
    if (c->nulls == NULL) return true;
    memset(g->nulls, 0, sizeof g->nulls);
    for (uint32_t i = 0; i < n; i++)
        if (seam_bitset_get(c->nulls, row[i])) seam_bitset_set(g->nulls, i);
    out->nulls = g->nulls;
    return true;
}

static void null_vec(const struct columnar_plan_column *c, struct columnar_vec *out)
{
    static const uint64_t one[1] = {1};
    static const int64_t zero[1];
    static const struct columnar_text_ref none[1] = {{"", 0}};

    *out = (struct columnar_vec){
        .kind = COLUMNAR_VEC_CONST, .type = c->type, .scale = c->scale, .nulls = one};
    if (c->type == SEAM_V_TEXT)
        out->s = none;
    else
        out->i = zero;
}

/* Marks the left rows (and right ones) of the pairs in sel; a second match of one left row is SINGLE's mistake. */
static enum seam_status mark_pairs(struct columnar_join_probe *p, const uint64_t *sel,
                                   struct seam_fault *f)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (sel != NULL && !seam_bitset_get(sel, i)) continue;
        if (p->p->join == COLUMNAR_JOIN_SINGLE && seam_bitset_get(p->matched, p->left[i]))
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "a subquery that stands for one value gave more than one row");
        seam_bitset_set(p->matched, p->left[i]);
        if (p->t->matched != NULL)
            __atomic_store_n(&p->t->matched[p->right[i]], 1, __ATOMIC_RELAXED);
    }
    return SEAM_OK;
}

static enum seam_status flush(const struct pushing *x)
{
    struct columnar_join_probe *p = x->p;
    int left = p->p->in->n_columns;
    struct columnar_batch out = {.rows = p->count, .count = p->n_pair, .cols = p->vecs};
    uint64_t bits[COLUMNAR_VECTOR_WORDS];
    const uint64_t *sel = NULL;
    bool ok = true;
    enum seam_status st = SEAM_OK;

    if (p->count == 0) return SEAM_OK;
    for (int c = 0; ok && c < p->n_pair; c++) {
        p->vecs[c] = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT};
        if (!p->needed[c]) continue;
        ok = c < left ? gather_left(&p->cols[c], &x->b->cols[c], p->left, p->count, &p->vecs[c])
                      : gather_right(&p->cols[c], &p->t->rows.columns[c - left], p->right, p->count,
                                     &p->vecs[c]);
    }
    if (!ok) return SEAM_NOMEM;
    if (p->p->where != NULL) {
        memset(bits, 0, sizeof bits);
        for (uint32_t i = 0; i < p->count; i++) seam_bitset_set(bits, i);
        columnar_expr_state_reset(p->where);
        st = columnar_expr_filter(p->where, p->p->where, &out, bits, x->f);
        sel = bits;
    }
    if (st == SEAM_OK && p->p->join != COLUMNAR_JOIN_INNER) st = mark_pairs(p, sel, x->f);
    if (st == SEAM_OK && pairs_go_on(p->p->join) &&
        (sel == NULL || seam_bitset_next(sel, p->count, 0) < p->count))
        st = x->next(x->ctx, &out, sel, x->f);
    p->count = 0;
    return st;
}

static enum seam_status pair(const struct pushing *x, uint32_t left, uint32_t right)
{
    struct columnar_join_probe *p = x->p;

    p->left[p->count] = left;
    p->right[p->count++] = right;
    return p->count == COLUMNAR_VECTOR_ROWS ? flush(x) : SEAM_OK;
}

/* ---- the array form ---- */

/* A right column as a dictionary of the right rows; codes are shared by all of them. */
static void direct_column(const struct columnar_join_probe *p, int c, const uint32_t *code,
                          const uint64_t *missing, bool any_missing, uint32_t rows,
                          struct gathered *col, struct columnar_vec *out)
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
    memcpy(col->nulls, missing, sizeof col->nulls);
    for (uint32_t i = 0; from->nulls != NULL && i < rows; i++)
        if (seam_bitset_get(from->nulls, code[i])) seam_bitset_set(col->nulls, i);
    out->nulls = col->nulls;
}

static enum seam_status push_direct(const struct pushing *x, const uint64_t *sel)
{
    struct columnar_join_probe *p = x->p;
    const struct columnar_vec *key = &p->keys[0];
    const struct columnar_batch *b = x->b;
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
    if (p->p->join == COLUMNAR_JOIN_LEFT) return x->next(x->ctx, &out, sel, x->f);
    return x->next(x->ctx, &out, n == b->rows ? NULL : found, x->f);
}

/* ---- chains ---- */

static bool same_keys(const struct columnar_join_probe *p, uint32_t i, uint32_t row)
{
    if (p->t->hashes[row] != p->hashes[i]) return false;
    for (int k = 0; k < p->p->n_keys; k++) {
        const struct columnar_vec *v = &p->keys[k];
        const struct columnar_coldata_column *c = &p->t->rows.columns[p->p->right->n_columns + k];
        uint32_t slot = columnar_vec_slot(v, i);
        bool null = c->nulls != NULL && seam_bitset_get(c->nulls, row);

        if (null != columnar_vec_null(v, i)) return false;
        if (null) continue; /* both: only where null equals null is such a row a candidate */
        if (c->type == SEAM_V_TEXT) {
            struct columnar_text_ref t = columnar_join_text(c, row);

            if (t.len != v->s[slot].len || (t.len > 0 && memcmp(t.s, v->s[slot].s, t.len) != 0))
                return false;
        } else if (c->type == SEAM_V_DOUBLE
                       ? columnar_join_double(c->d[row]) != columnar_join_double(v->d[slot])
                       : c->i[row] != v->i[slot]) {
            return false;
        }
    }
    return true;
}

static enum seam_status match_row(const struct pushing *x, uint32_t i)
{
    struct columnar_join_probe *p = x->p;
    bool first_will_do = p->p->where == NULL && !pairs_go_on(p->p->join);
    enum seam_status st = SEAM_OK;

    if (p->p->n_keys == 0) {
        if (first_will_do) {
            if (p->t->rows.rows > 0) seam_bitset_set(p->matched, i);
            return SEAM_OK;
        }
        for (size_t row = 0; st == SEAM_OK && row < p->t->rows.rows; row++)
            st = pair(x, i, (uint32_t)row);
        return st;
    }
    if (seam_bitset_get(p->no_key, i)) return SEAM_OK;
    for (uint32_t row = p->t->heads[p->hashes[i] & (p->t->cap - 1)]; st == SEAM_OK && row != 0;
         row = p->t->next[row - 1]) {
        if (!same_keys(p, i, row - 1)) continue;
        if (first_will_do) {
            seam_bitset_set(p->matched, i);
            return SEAM_OK;
        }
        st = pair(x, i, row - 1);
    }
    return st;
}

/* ---- what is known when the batch has been looked at ---- */

static void mark_column(struct columnar_join_probe *p, uint32_t rows, struct columnar_vec *out)
{
    bool any = false;

    memset(p->mark_nulls, 0, sizeof p->mark_nulls);
    for (uint32_t i = 0; i < rows; i++) {
        p->marks[i] = seam_bitset_get(p->matched, i);
        if (p->marks[i] || !p->p->null_aware || p->t->all_rows == 0) continue;
        if (p->t->has_null || seam_bitset_get(p->no_key, i)) {
            seam_bitset_set(p->mark_nulls, i);
            any = true;
        }
    }
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = SEAM_V_BOOL,
                                 .i = p->marks,
                                 .lo = 0,
                                 .hi = 1,
                                 .nulls = any ? p->mark_nulls : NULL};
}

static enum seam_status finish_batch(const struct pushing *x, const uint64_t *sel)
{
    struct columnar_join_probe *p = x->p;
    const struct columnar_plan *plan = p->p;
    struct columnar_batch out = {.rows = x->b->rows, .count = plan->n_columns, .cols = p->vecs};
    uint64_t bits[COLUMNAR_VECTOR_WORDS] = {0};
    int left = plan->in->n_columns;
    bool want = plan->join == COLUMNAR_JOIN_SEMI;

    if (plan->join == COLUMNAR_JOIN_INNER) return SEAM_OK;
    memcpy(p->vecs, x->b->cols, (size_t)left * sizeof *p->vecs);
    if (plan->join == COLUMNAR_JOIN_MARK) {
        mark_column(p, x->b->rows, &p->vecs[left]);
        return x->next(x->ctx, &out, sel, x->f);
    }
    for (uint32_t i = 0; i < x->b->rows; i++)
        if ((sel == NULL || seam_bitset_get(sel, i)) && seam_bitset_get(p->matched, i) == want)
            seam_bitset_set(bits, i);
    if (seam_bitset_next(bits, x->b->rows, 0) >= x->b->rows) return SEAM_OK;
    for (int c = left; c < plan->n_columns; c++) null_vec(&plan->columns[c], &p->vecs[c]);
    return x->next(x->ctx, &out, bits, x->f);
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

/* A left row has its turn when its share is joined, whatever becomes of it. */
static const uint64_t *rows_of_share(const struct columnar_join_probe *p, uint32_t rows,
                                     const uint64_t *sel, uint64_t *mine)
{
    memset(mine, 0, COLUMNAR_VECTOR_WORDS * sizeof *mine);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t bucket = columnar_join_bucket(p->hashes[i]);

        if (bucket >= p->t->from && bucket < p->t->to && (sel == NULL || seam_bitset_get(sel, i)))
            seam_bitset_set(mine, i);
    }
    return mine;
}

enum seam_status columnar_join_push(struct columnar_join_probe *p, const struct columnar_batch *b,
                                    const uint64_t *sel, batch_fn next, void *ctx,
                                    struct seam_fault *f)
{
    struct pushing x = {p, b, next, ctx, f};
    uint64_t mine[COLUMNAR_VECTOR_WORDS];
    enum seam_status st = SEAM_OK;

    if (p->t->direct != NULL) return push_direct(&x, sel);
    memset(p->matched, 0, sizeof p->matched);
    memset(p->no_key, 0, sizeof p->no_key);
    columnar_join_hash(p->p, p->keys, b->rows, p->hashes, p->no_key);
    if (!p->t->whole) sel = rows_of_share(p, b->rows, sel, mine);
    for (uint32_t i = 0; st == SEAM_OK && i < b->rows; i++)
        if (sel == NULL || seam_bitset_get(sel, i)) st = match_row(&x, i);
    if (st == SEAM_OK) st = flush(&x);
    p->count = 0;
    if (st == SEAM_OK) st = finish_batch(&x, sel);
    return st == SEAM_NOMEM
               ? seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a join")
               : st;
}

enum seam_status columnar_join_rest(struct columnar_join_probe *p, batch_fn next, void *ctx,
                                    struct seam_fault *f)
{
    int left = p->p->in->n_columns;
    struct columnar_batch out = {.count = p->p->n_columns, .cols = p->vecs};
    size_t row = 0;
    enum seam_status st = SEAM_OK;

    if (p->p->join != COLUMNAR_JOIN_FULL) return SEAM_OK;
    while (st == SEAM_OK && row < p->t->rows.rows) {
        bool ok = true;

        for (p->count = 0; row < p->t->rows.rows && p->count < COLUMNAR_VECTOR_ROWS; row++)
            if (!p->t->matched[row]) p->right[p->count++] = (uint32_t)row;
        if (p->count == 0) break;
        for (int c = 0; ok && c < p->p->n_columns; c++) {
            if (c < left)
                null_vec(&p->p->columns[c], &p->vecs[c]);
            else
                ok = gather_right(&p->cols[c], &p->t->rows.columns[c - left], p->right, p->count,
                                  &p->vecs[c]);
        }
        out.rows = p->count;
        st = ok ? next(ctx, &out, NULL, f) : SEAM_NOMEM;
    }
    p->count = 0;
    return st;
}
