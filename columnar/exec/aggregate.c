/* aggregate - group by: codes where the keys have small domains, hashing elsewhere.
 *
 * Per batch each key is turned into small codes if it can be: a constant is one code, a dictionary vector has
 * its codes, an integer with known bounds over the whole table is its distance from the lowest. Their
 * product numbers the combinations; a map from combination to group is filled at first sight, so a key is
 * hashed once per dictionary and not once per row. With few combinations each group's rows become a
 * mask and sums run over masks with SIMD, without scatter.
 * Groups that do not fit the memory budget are made in several passes over the input, each for the keys whose
 * hash falls into its share: time for memory, and no file to clean up.
 * Papers: Zukowski, Héman, Boncz (DaMoN 2008); Leis et al. (SIGMOD 2014).                           */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/groups.h"
#include "columnar/format/kernels.h"
#include "engine/base/hash.h"

enum {
    CODES_MAX = 1 << 22,
    FLEETING_CODES_MAX = 4096,
    MASK_CODES = 64,
    DISTINCT_BITS_MAX = 1 << 28,
    DENSE_MAX = 1 << 20,
    DENSE_SHARE = 4,
    PASSES_MAX = 4096,
    PASSES_STEP = 4
};
enum { NOT_SEEN = -1, NOT_MINE = -2 };
#define NO_GROUP UINT32_MAX

struct key_code {         /* how one key becomes codes in this batch */
    uint32_t domain;      /* without the null code */
    const void *identity; /* of the dictionary */
    int64_t lo;
    enum { CODE_CONST, CODE_DICT, CODE_RANGE } kind;
};

struct agg_thread {
    struct columnar_groups g;
    struct columnar_expr_state *eval;
    struct columnar_compactor *dense;
    struct columnar_vec *keys, *args;
    struct seam_value *values;
    struct key_code *codes, *last;
    uint32_t *code; /* combination of each row */
    uint32_t *at, *group;
    int32_t *map; /* combination -> group, -1 not seen */
    size_t map_cap, map_size;
    uint8_t *present; /* dense: groups that have a row */
};

struct aggregation {
    struct columnar_query *q;
    const struct columnar_plan *p;
    int n_args;
    const struct columnar_expr **args; /* distinct ones */
    int *arg_of;                       /* aggregate -> argument */
    int64_t *key_lo, *key_hi;          /* bounds of keys over the table */
    bool *key_bounded;
    int64_t *arg_lo, *arg_hi;
    bool *arg_bounded;
    size_t dense; /* groups numbered by the only key's distance from its lowest; the last is null */
    uint64_t budget;       /* of a thread */
    uint32_t passes, pass; /* this pass makes the groups of its share */
    atomic_bool over;      /* a thread passed its budget */
    struct agg_thread *threads;
};

/* ---- set up ---- */

/* Bounds of a plain column that comes unchanged from a scan of *rows rows. */
static bool column_bounds(const struct columnar_plan *in, const struct columnar_expr *e,
                          int64_t *lo, int64_t *hi, uint64_t *rows)
{
    int column;

    if (e->op != COLUMNAR_E_COLUMN) return false;
    column = e->column;
    while (in->kind == PLAN_FILTER || in->kind == PLAN_PROJECT) {
        if (in->kind == PLAN_PROJECT) {
            if (in->exprs[column]->op != COLUMNAR_E_COLUMN) return false;
            column = in->exprs[column]->column;
        }
        in = in->in;
    }
    if (in->kind != PLAN_SCAN) return false;
    *rows = columnar_scan_produced(in);
    return columnar_scan_bounds(in, column, lo, hi);
}

/* One key of a domain that the rows fill well, and aggregates that are plain arrays. */
static void choose_dense(struct aggregation *x, uint64_t rows)
{
    uint64_t domain;

    if (x->p->n_keys != 1 || !x->key_bounded[0]) return;
    domain = (uint64_t)x->key_hi[0] - (uint64_t)x->key_lo[0] + 1;
    if (domain == 0 || domain > DENSE_MAX || domain > rows / DENSE_SHARE || domain < 256) return;
    for (int g = 0; g < x->p->n_aggs; g++) {
        enum columnar_agg_op op = x->p->aggs[g].op;

        if (op == COLUMNAR_AGG_COUNT_DISTINCT || op == COLUMNAR_AGG_APPROX_DISTINCT) return;
        if ((op == COLUMNAR_AGG_MIN || op == COLUMNAR_AGG_MAX) &&
            x->p->aggs[g].arg->type == SEAM_V_TEXT)
            return;
    }
    if (domain * 24 * (uint64_t)x->p->n_aggs < x->budget) x->dense = (size_t)domain + 1;
}

static enum seam_status set_up(struct aggregation *x, const struct columnar_plan *p)
{
    size_t keys = (size_t)p->n_keys + 1, aggs = (size_t)p->n_aggs + 1;
    uint64_t rows = 0;

    x->p = p;
    x->args = calloc(aggs, sizeof *x->args);
    x->arg_of = calloc(aggs, sizeof *x->arg_of);
    x->key_lo = calloc(keys, 8);
    x->key_hi = calloc(keys, 8);
    x->key_bounded = calloc(keys, 1);
    x->arg_lo = calloc(aggs, 8);
    x->arg_hi = calloc(aggs, 8);
    x->arg_bounded = calloc(aggs, 1);
    x->threads = calloc((size_t)x->q->threads, sizeof *x->threads);
    if (x->args == NULL || x->arg_of == NULL || x->key_lo == NULL || x->key_hi == NULL ||
        x->key_bounded == NULL || x->arg_lo == NULL || x->arg_hi == NULL ||
        x->arg_bounded == NULL || x->threads == NULL)
        return SEAM_NOMEM;
    for (int k = 0; k < p->n_keys; k++)
        x->key_bounded[k] = column_bounds(p->in, p->exprs[k], &x->key_lo[k], &x->key_hi[k], &rows);
    choose_dense(x, rows);
    for (int g = 0; g < p->n_aggs; g++) {
        const struct columnar_expr *arg = p->aggs[g].arg;
        int at = 0;

        x->arg_of[g] = -1;
        if (arg == NULL) continue;
        while (at < x->n_args && !columnar_expr_same(x->args[at], arg)) at++;
        if (at == x->n_args) x->args[x->n_args++] = arg;
        x->arg_of[g] = at;
        x->arg_bounded[g] = p->aggs[g].op == COLUMNAR_AGG_COUNT_DISTINCT && p->n_keys == 0 &&
                            column_bounds(p->in, arg, &x->arg_lo[g], &x->arg_hi[g], &rows);
    }
    return SEAM_OK;
}

static enum seam_status thread_init(struct aggregation *x, struct agg_thread *t)
{
    size_t keys = (size_t)x->p->n_keys + 1;
    enum seam_status st = columnar_groups_init(&t->g, x->p, x->arg_of);
    uint32_t only;

    if (st != SEAM_OK) return st;
    t->eval = columnar_expr_state_new();
    t->dense = columnar_compactor_new(x->p->in->n_columns);
    t->keys = calloc(keys, sizeof *t->keys);
    t->args = calloc((size_t)x->n_args + 1, sizeof *t->args);
    t->values = calloc(keys, sizeof *t->values);
    t->codes = calloc(keys, sizeof *t->codes);
    t->last = calloc(keys, sizeof *t->last);
    t->code = calloc(COLUMNAR_VECTOR_ROWS, sizeof *t->code);
    t->at = calloc(COLUMNAR_VECTOR_ROWS, sizeof *t->at);
    t->group = calloc(COLUMNAR_VECTOR_ROWS, sizeof *t->group);
    if (t->eval == NULL || t->dense == NULL || t->keys == NULL || t->args == NULL ||
        t->values == NULL || t->codes == NULL || t->last == NULL || t->code == NULL ||
        t->at == NULL || t->group == NULL)
        return SEAM_NOMEM;
    if (x->dense > 0) {
        t->present = calloc(x->dense, 1);
        return t->present == NULL ? SEAM_NOMEM : columnar_groups_dense(&t->g, x->dense);
    }
    if (x->p->n_keys > 0) return SEAM_OK;
    st = columnar_groups_find(&t->g, NULL, 0, &only);
    for (int g = 0; st == SEAM_OK && g < x->p->n_aggs; g++) {
        struct columnar_distinct *d = &t->g.accs[g].set;
        uint64_t span = (uint64_t)x->arg_hi[g] - (uint64_t)x->arg_lo[g] + 1;

        if (!x->arg_bounded[g] || span == 0 || span > DISTINCT_BITS_MAX) continue;
        d->bits = calloc(seam_bitset_words(span), 8);
        d->lo = x->arg_lo[g];
        d->span = span;
        if (d->bits == NULL) st = SEAM_NOMEM;
    }
    return st;
}

static void thread_free(struct agg_thread *t)
{
    columnar_groups_free(&t->g);
    columnar_expr_state_free(t->eval);
    columnar_compactor_free(t->dense);
    free(t->keys);
    free(t->args);
    free(t->values);
    free(t->codes);
    free(t->last);
    free(t->code);
    free(t->at);
    free(t->group);
    free(t->map);
    free(t->present);
}

/* ---- codes ---- */

static bool int_like(unsigned type)
{
    return type != SEAM_V_TEXT && type != SEAM_V_DOUBLE && type != SEAM_V_NULL;
}

static bool code_of(const struct aggregation *x, int k, const struct columnar_vec *v,
                    struct key_code *c)
{
    switch (v->kind) {
    case COLUMNAR_VEC_CONST: return false; /* handled as a range of one below, or by hashing */
    case COLUMNAR_VEC_DICT:
        *c = (struct key_code){
            .domain = v->dict_count, .identity = v->stable ? v->i : NULL, .kind = CODE_DICT};
        return v->dict_count <= 65536;
    default:
        if (!int_like(v->type) || !x->key_bounded[k]) return false;
        if ((uint64_t)x->key_hi[k] - (uint64_t)x->key_lo[k] >= CODES_MAX) return false;
        *c = (struct key_code){.domain = (uint32_t)(x->key_hi[k] - x->key_lo[k] + 1),
                               .lo = x->key_lo[k],
                               .kind = CODE_RANGE};
        return true;
    }
}

/* A constant vector: its place in the range of the key, or a dictionary of one made of its address and value. */
static bool code_of_const(const struct aggregation *x, int k, const struct columnar_vec *v,
                          struct key_code *c)
{
    if (int_like(v->type) && x->key_bounded[k] &&
        (uint64_t)x->key_hi[k] - (uint64_t)x->key_lo[k] < CODES_MAX) {
        *c = (struct key_code){.domain = (uint32_t)(x->key_hi[k] - x->key_lo[k] + 1),
                               .lo = x->key_lo[k],
                               .kind = CODE_RANGE};
        return true;
    }
    /* Its value may be another in the next batch: never the same identity twice. */
    *c = (struct key_code){.domain = 1, .identity = NULL, .kind = CODE_CONST};
    return true;
}

/* Its codes mean something else in the next batch. */
static bool fleeting(const struct key_code *c)
{
    return c->kind != CODE_RANGE && c->identity == NULL;
}

static enum seam_status ready_map(struct agg_thread *t, int n_keys, size_t size)
{
    bool same = t->map_size == size;

    for (int k = 0; same && k < n_keys; k++)
        same = t->codes[k].kind == t->last[k].kind && t->codes[k].identity == t->last[k].identity &&
               t->codes[k].domain == t->last[k].domain && t->codes[k].lo == t->last[k].lo &&
               !fleeting(&t->codes[k]);
    memcpy(t->last, t->codes, (size_t)n_keys * sizeof *t->codes);
    if (same) return SEAM_OK;
    if (t->map_cap < size) {
        free(t->map);
        t->map_cap = size;
        t->map = malloc(size * sizeof *t->map);
        if (t->map == NULL) {
            t->map_cap = t->map_size = 0;
            return SEAM_NOMEM;
        }
    }
    memset(t->map, 0xff, size * sizeof *t->map);
    t->map_size = size;
    return SEAM_OK;
}

static bool add_codes(uint32_t *code, const struct columnar_vec *v, const struct key_code *c,
                      uint32_t stride, uint32_t rows)
{
    uint32_t null_code = c->domain;

    switch (c->kind) {
    case CODE_CONST:
        if (v->nulls != NULL && (v->nulls[0] & 1))
            for (uint32_t i = 0; i < rows; i++) code[i] += null_code * stride;
        return true;
    case CODE_DICT:
        if (v->nulls == NULL) {
            columnar_kernel_add_codes(code, v->code, rows, stride);
            return true;
        }
        for (uint32_t i = 0; i < rows; i++)
            code[i] += (seam_bitset_get(v->nulls, i) ? null_code : v->code[i]) * stride;
        return true;
    default:
        for (uint32_t i = 0; i < rows; i++) {
            uint64_t off = (uint64_t)v->i[columnar_vec_slot(v, i)] - (uint64_t)c->lo;

            if (columnar_vec_null(v, i))
                off = null_code;
            else if (off >= null_code)
                return false; /* statistics that lie */
            code[i] += (uint32_t)off * stride;
        }
        return true;
    }
}

/* Combination numbers of all rows into t->code; *size: how many there can be; 0: not by codes. */
static enum seam_status combine(struct aggregation *x, struct agg_thread *t, uint32_t rows,
                                size_t *size)
{
    uint64_t product = 1;
    bool passing = false;

    *size = 0;
    for (int k = 0; k < x->p->n_keys; k++) {
        bool ok = t->keys[k].kind == COLUMNAR_VEC_CONST
                      ? code_of_const(x, k, &t->keys[k], &t->codes[k])
                      : code_of(x, k, &t->keys[k], &t->codes[k]);

        if (!ok) return SEAM_OK;
        product *= (uint64_t)t->codes[k].domain + 1;
        passing = passing || fleeting(&t->codes[k]);
        if (product > (passing ? FLEETING_CODES_MAX : CODES_MAX)) return SEAM_OK;
    }
    if (ready_map(t, x->p->n_keys, (size_t)product) != SEAM_OK) return SEAM_NOMEM;
    memset(t->code, 0, rows * sizeof *t->code);
    product = 1;
    for (int k = 0; k < x->p->n_keys; k++) {
        if (!add_codes(t->code, &t->keys[k], &t->codes[k], (uint32_t)product, rows)) return SEAM_OK;
        product *= (uint64_t)t->codes[k].domain + 1;
    }
    *size = (size_t)product;
    return SEAM_OK;
}

/* NO_GROUP: another pass's. */
static enum seam_status group_of_row(struct aggregation *x, struct agg_thread *t, uint32_t row,
                                     uint32_t *group)
{
    uint64_t hash;

    for (int k = 0; k < x->p->n_keys; k++) t->values[k] = columnar_vec_value(&t->keys[k], row);
    hash = columnar_groups_hash(t->values, x->p->n_keys);
    *group = NO_GROUP;
    if (x->passes > 1 && (hash >> 40) % x->passes != x->pass) return SEAM_OK;
    return columnar_groups_find(&t->g, t->values, hash, group);
}

/* ---- feeding ---- */

static enum seam_status feed_masks(struct aggregation *x, struct agg_thread *t, uint32_t rows,
                                   const uint64_t *sel, size_t combinations)
{
    uint64_t mask[COLUMNAR_VECTOR_WORDS], seen = 0;

    assert(combinations <= 64);
    for (uint32_t i = 0; i < rows; i++) seen |= 1ull << (t->code[i] & 63);
    for (; seen != 0; seen &= seen - 1) {
        size_t c = (size_t)__builtin_ctzll(seen);
        uint32_t chosen, group;

        columnar_kernel_equal_u32(t->code, rows, (uint32_t)c, mask);
        if (sel != NULL)
            for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) mask[w] &= sel[w];
        chosen = columnar_sel_count(mask, rows);
        if (chosen == 0) continue;
        if (t->map[c] == NOT_SEEN) {
            enum seam_status st =
                group_of_row(x, t, (uint32_t)seam_bitset_next(mask, rows, 0), &group);

            if (st != SEAM_OK) return st;
            t->map[c] = group == NO_GROUP ? NOT_MINE : (int32_t)group;
        }
        if (t->map[c] == NOT_MINE) continue;
        for (int g = 0; g < x->p->n_aggs; g++) {
            struct columnar_acc *a = &t->g.accs[g];
            enum seam_status st =
                columnar_acc_masked(&t->g, a, a->arg < 0 ? NULL : &t->args[a->arg], rows, mask,
                                    chosen, (uint32_t)t->map[c]);

            if (st != SEAM_OK) return st;
        }
    }
    return SEAM_OK;
}

static uint32_t list_rows(struct agg_thread *t, uint32_t rows, const uint64_t *sel)
{
    uint32_t n = 0;

    if (sel == NULL)
        for (; n < rows; n++) t->at[n] = n;
    else
        for (size_t w = 0; w < seam_bitset_words(rows); w++)
            for (uint64_t word = sel[w]; word != 0; word &= word - 1)
                t->at[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
    return n;
}

static enum seam_status feed_groups(struct aggregation *x, struct agg_thread *t, uint32_t n)
{
    enum seam_status st = SEAM_OK;

    for (int g = 0; st == SEAM_OK && g < x->p->n_aggs; g++) {
        struct columnar_acc *a = &t->g.accs[g];

        st = columnar_acc_rows(&t->g, a, a->arg < 0 ? NULL : &t->args[a->arg], t->at, t->group, n);
    }
    return st;
}

static enum seam_status feed_dense(struct aggregation *x, struct agg_thread *t, uint32_t rows,
                                   const uint64_t *sel)
{
    const struct columnar_vec *key = &t->keys[0];
    uint32_t n = list_rows(t, rows, sel), last = (uint32_t)x->dense - 1;
    uint64_t lo = (uint64_t)x->key_lo[0];

    for (uint32_t i = 0; i < n; i++) {
        uint64_t code = (uint64_t)key->i[columnar_vec_slot(key, t->at[i])] - lo;

        if (key->nulls != NULL && columnar_vec_null(key, t->at[i]))
            code = last;
        else if (code >= last)
            return SEAM_CORRUPT; /* statistics that lie */
        t->group[i] = (uint32_t)code;
        t->present[code] = 1;
    }
    return feed_groups(x, t, n);
}

static enum seam_status feed_rows(struct aggregation *x, struct agg_thread *t, uint32_t rows,
                                  const uint64_t *sel, bool coded)
{
    uint32_t n = list_rows(t, rows, sel), kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        int32_t known = coded ? t->map[t->code[t->at[i]]] : NOT_SEEN;
        uint32_t group = (uint32_t)known;

        if (known == NOT_SEEN) {
            if (group_of_row(x, t, t->at[i], &group) != SEAM_OK) return SEAM_NOMEM;
            if (coded) t->map[t->code[t->at[i]]] = group == NO_GROUP ? NOT_MINE : (int32_t)group;
        } else if (known == NOT_MINE) {
            group = NO_GROUP;
        }
        if (group == NO_GROUP) continue;
        t->at[kept] = t->at[i];
        t->group[kept++] = group;
    }
    return feed_groups(x, t, kept);
}

/* Masked sums want plain arrays. */
static enum seam_status flatten_args(struct aggregation *x, struct agg_thread *t, uint32_t rows,
                                     int64_t **memory)
{
    for (int k = 0; k < x->n_args; k++) {
        struct columnar_vec *v = &t->args[k];
        int64_t *p;

        if (v->kind != COLUMNAR_VEC_DICT || v->type == SEAM_V_TEXT) continue;
        p = malloc(COLUMNAR_VECTOR_ROWS * sizeof *p);
        if (p == NULL) return SEAM_NOMEM;
        columnar_kernel_lookup(v->i, v->code, rows, p);
        v->kind = COLUMNAR_VEC_FLAT;
        v->i = p;
        memory[k] = p;
    }
    return SEAM_OK;
}

static enum seam_status evaluate(struct aggregation *x, struct agg_thread *t,
                                 const struct columnar_batch *b, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    columnar_expr_state_reset(t->eval);
    for (int k = 0; st == SEAM_OK && k < x->p->n_keys; k++)
        st = columnar_expr_eval(t->eval, x->p->exprs[k], b, &t->keys[k], f);
    for (int k = 0; st == SEAM_OK && k < x->n_args; k++)
        st = columnar_expr_eval(t->eval, x->args[k], b, &t->args[k], f);
    return st;
}

static enum seam_status accumulate(struct aggregation *x, struct agg_thread *t,
                                   const struct columnar_batch *b, const uint64_t *sel)
{
    int64_t *memory[PLAN_COLUMNS_MAX] = {0};
    uint32_t chosen = columnar_sel_count(sel, b->rows);
    size_t combinations = 0;
    enum seam_status st = SEAM_OK;

    if (x->dense > 0) {
        st = feed_dense(x, t, b->rows, sel);
    } else if (x->p->n_keys == 0) {
        st = flatten_args(x, t, b->rows, memory);
        for (int g = 0; st == SEAM_OK && g < x->p->n_aggs; g++) {
            struct columnar_acc *a = &t->g.accs[g];

            st = columnar_acc_masked(&t->g, a, a->arg < 0 ? NULL : &t->args[a->arg], b->rows, sel,
                                     chosen, 0);
        }
    } else {
        st = combine(x, t, b->rows, &combinations);
        if (st == SEAM_OK && combinations > 0 && combinations <= MASK_CODES) {
            st = flatten_args(x, t, b->rows, memory);
            if (st == SEAM_OK) st = feed_masks(x, t, b->rows, sel, combinations);
        } else if (st == SEAM_OK) {
            st = feed_rows(x, t, b->rows, sel, combinations > 0);
        }
    }
    for (int k = 0; k < x->n_args; k++) free(memory[k]);
    return st;
}

static enum seam_status push(void *self, int thread, const struct columnar_batch *b,
                             const uint64_t *sel, struct seam_fault *f)
{
    struct aggregation *x = self;
    struct agg_thread *t = &x->threads[thread];
    uint32_t count = columnar_sel_count(sel, b->rows);
    struct seam_fault here = {0};
    struct columnar_batch dense;
    enum seam_status st = SEAM_LIMIT;

    if (sel == NULL || count * 4 > b->rows * 3) st = evaluate(x, t, b, &here);
    if (st != SEAM_OK && sel != NULL) {
        seam_fault_clear(&here);
        st = columnar_compact_batch(t->dense, b, sel, count, &dense);
        if (st == SEAM_OK) st = evaluate(x, t, &dense, &here);
        b = &dense;
        sel = NULL;
    }
    if (st == SEAM_OK) st = accumulate(x, t, b, sel);
    if (st == SEAM_OK && columnar_groups_bytes(&t->g) > x->budget && x->dense == 0) {
        atomic_store(&x->over, true);
        return SEAM_END; /* this pass is in vain */
    }
    if (st != SEAM_OK && f != NULL) *f = here;
    if (st == SEAM_NOMEM)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the groups of a query");
    if (st == SEAM_CORRUPT)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET,
                       "a file holds values outside its statistics");
    return st;
}

/* ---- the result ---- */

static enum seam_status merge_dense(struct aggregation *x, struct agg_thread *to,
                                    const struct agg_thread *from)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < x->dense; i++) {
        if (!from->present[i]) continue;
        to->present[i] = 1;
        for (int g = 0; st == SEAM_OK && g < to->g.n_accs; g++)
            st = columnar_acc_merge(&to->g, &to->g.accs[g], &from->g.accs[g], (uint32_t)i,
                                    (uint32_t)i);
    }
    return st;
}

static enum seam_status merge(struct aggregation *x, struct columnar_groups *to,
                              const struct columnar_groups *from)
{
    uint32_t *map = malloc((from->count + 1) * sizeof *map);
    struct seam_value *keys = calloc((size_t)x->p->n_keys + 1, sizeof *keys);
    enum seam_status st = map == NULL || keys == NULL ? SEAM_NOMEM : SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < from->count; i++) {
        for (int k = 0; k < x->p->n_keys; k++) keys[k] = columnar_coldata_value(&from->keys, k, i);
        st = columnar_groups_find(to, keys, from->hashes[i], &map[i]);
        for (int g = 0; st == SEAM_OK && g < to->n_accs; g++)
            st = columnar_acc_merge(to, &to->accs[g], &from->accs[g], map[i], (uint32_t)i);
    }
    for (int g = 0; st == SEAM_OK && g < to->n_accs; g++)
        st = columnar_acc_merge_sets(to, &to->accs[g], &from->accs[g], map);
    free(map);
    free(keys);
    return st;
}

static enum seam_status results(struct aggregation *x, const struct agg_thread *t,
                                struct columnar_coldata *out, struct seam_fault *f)
{
    const struct columnar_groups *g = &t->g;
    struct seam_value *row = calloc((size_t)x->p->n_columns + 1, sizeof *row);
    enum seam_status st = row == NULL ? SEAM_NOMEM : columnar_coldata_reserve(out, g->count);

    for (size_t i = 0; st == SEAM_OK && i < g->count; i++) {
        if (x->dense > 0 && !t->present[i]) continue;
        for (int k = 0; k < x->p->n_keys && x->dense == 0; k++)
            row[k] = columnar_coldata_value(&g->keys, k, i);
        if (x->dense > 0) {
            row[0] = i + 1 == x->dense ? seam_v_null()
                                       : (struct seam_value){.type = x->p->columns[0].type,
                                                             .scale = x->p->columns[0].scale};
            if (i + 1 < x->dense) row[0].i = (int64_t)((uint64_t)x->key_lo[0] + i);
        }
        for (int a = 0; st == SEAM_OK && a < g->n_accs; a++)
            st = columnar_acc_result(&g->accs[a], (uint32_t)i, &x->p->columns[x->p->n_keys + a],
                                     &row[x->p->n_keys + a], f);
        if (st == SEAM_OK) st = columnar_coldata_append(out, row, 0);
    }
    free(row);
    return st;
}

static void note(void *ctx, int column)
{
    ((bool *)ctx)[column] = true;
}

/* One pass over the input; *done: its groups fitted and are in `out`. */
static enum seam_status run_pass(struct aggregation *x, const bool *required,
                                 struct columnar_coldata *out, bool *done, struct seam_fault *f)
{
    struct columnar_query *q = x->q;
    enum seam_status st = SEAM_OK;

    atomic_store(&x->over, false);
    for (int t = 0; st == SEAM_OK && t < q->threads; t++) st = thread_init(x, &x->threads[t]);
    if (st == SEAM_OK)
        st = columnar_run_pipeline(q, x->p->in, (struct columnar_sink){push, x, required}, f);
    *done = !atomic_load(&x->over);
    for (int t = 1; st == SEAM_OK && *done && t < q->threads; t++)
        st = x->dense > 0 ? merge_dense(x, &x->threads[0], &x->threads[t])
                          : merge(x, &x->threads[0].g, &x->threads[t].g);
    if (st == SEAM_OK && *done) st = results(x, &x->threads[0], out, f);
    for (int t = 0; t < q->threads; t++) {
        thread_free(&x->threads[t]);
        x->threads[t] = (struct agg_thread){0};
    }
    return st;
}

static enum seam_status run_passes(struct aggregation *x, const bool *required,
                                   struct columnar_coldata *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (x->passes = 1; st == SEAM_OK; x->passes *= PASSES_STEP) {
        bool done = true;

        if (x->passes > PASSES_MAX ||
            (x->passes > 1 && (x->p->n_keys == 0 || !columnar_plan_runs_again(x->p->in))))
            return seam_fault_set(
                f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                "the groups of a query take more than %llu bytes a thread, the memory budget",
                (unsigned long long)x->budget);
        columnar_coldata_clear(out);
        for (x->pass = 0; st == SEAM_OK && done && x->pass < x->passes; x->pass++)
            st = run_pass(x, required, out, &done, f);
        if (st == SEAM_OK && done) break;
        SEAM_TRACE(x->q->opt->trace, "columnar", "groups_over_budget", SEAM_TI("passes", x->passes),
                   SEAM_TI("budget", x->budget));
    }
    if (x->passes > x->q->stats.passes) x->q->stats.passes = x->passes;
    return st;
}

enum seam_status columnar_run_aggregate(struct columnar_query *q, const struct columnar_plan *p,
                                        struct columnar_coldata *out, struct seam_fault *f)
{
    uint64_t budget = q->opt->memory_bytes == 0 ? 1ull << 30 : q->opt->memory_bytes;
    struct aggregation x = {.q = q, .budget = budget / (uint64_t)q->threads};
    bool *required = calloc((size_t)p->in->n_columns + 1, 1);
    enum seam_status st = required == NULL ? SEAM_NOMEM : set_up(&x, p);

    for (int k = 0; st == SEAM_OK && k < p->n_keys; k++)
        columnar_expr_columns(p->exprs[k], note, required);
    for (int k = 0; st == SEAM_OK && k < x.n_args; k++)
        columnar_expr_columns(x.args[k], note, required);
    if (st == SEAM_OK) st = columnar_rows_init(out, p);
    if (st == SEAM_OK) st = run_passes(&x, required, out, f);
    if (st == SEAM_NOMEM)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory for the groups of a query");
    free(x.threads);
    free(x.args);
    free(x.arg_of);
    free(x.key_lo);
    free(x.key_hi);
    free(x.key_bounded);
    free(x.arg_lo);
    free(x.arg_hi);
    free(x.arg_bounded);
    free(required);
    return st;
}
