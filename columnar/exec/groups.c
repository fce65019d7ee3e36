#include "columnar/exec/groups.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/format/kernels.h"
#include "engine/base/hash.h"

static bool grow(void *memory, size_t bytes)
{
    void **p = memory, *q = realloc(*p, bytes);

    if (q == NULL) return false;
    *p = q;
    return true;
}

/* ---- groups ---- */

enum status groups_init(struct groups *g, const struct plan *p, const int *arg_of)
{
    struct plan keys = {.n_columns = p->n_keys, .columns = p->columns};

    *g = (struct groups){.p = p, .n_accs = p->n_aggs};
    g->accs = calloc((size_t)p->n_aggs + 1, sizeof *g->accs);
    if (g->accs == NULL) return ST_NOMEM;
    for (int k = 0; k < p->n_aggs; k++) {
        const struct expr *arg = p->aggs[k].arg;

        g->accs[k].op = p->aggs[k].op;
        g->accs[k].arg = arg_of[k];
        g->accs[k].type = arg == NULL || arg->type == V_NULL ? V_INT : arg->type;
        g->accs[k].scale = arg == NULL ? 0 : arg->scale;
    }
    return rows_init(&g->keys, &keys);
}

static void distinct_free(struct distinct *d)
{
    free(d->slots);
    free(d->bits);
    arena_free(&d->text);
}

void groups_free(struct groups *g)
{
    for (int k = 0; k < g->n_accs; k++) {
        struct acc *a = &g->accs[k];

        free(a->sum);
        free(a->real);
        free(a->count);
        free(a->best);
        free(a->text);
        free(a->hll);
        distinct_free(&a->set);
    }
    free(g->accs);
    free(g->hashes);
    free(g->slots);
    coldata_free(&g->keys);
    arena_free(&g->text);
    *g = (struct groups){0};
}

uint64_t groups_bytes(const struct groups *g)
{
    uint64_t bytes = g->text.used + g->keys.bytes + g->slot_cap * sizeof *g->slots + g->cap * sizeof *g->hashes;

    for (int k = 0; k < g->n_accs; k++) {
        const struct acc *a = &g->accs[k];

        bytes += g->cap * 24 + a->set.cap * sizeof *a->set.slots + a->set.text.used;
        if (a->hll != NULL) bytes += g->cap * HLL_REGISTERS;
    }
    return bytes;
}

static uint64_t hash_value(const struct value *v)
{
    double d;
    uint64_t bits;

    switch (v->type) {
    case V_NULL: return 0x9e3779b97f4a7c15ull;
    case V_TEXT: return hash64(v->s, v->len, 0);
    case V_DOUBLE:
        d = v->d == 0 ? 0.0 : isnan(v->d) ? (double)NAN : v->d;
        memcpy(&bits, &d, 8);
        return hash64_u64(bits);
    default: return hash64_u64((uint64_t)v->i);
    }
}

uint64_t groups_hash(const struct value *keys, int n)
{
    uint64_t h = 0;

    for (int k = 0; k < n; k++) h = (h ^ hash_value(&keys[k])) * 0x9ddfea08eb382d69ull + (h >> 29);
    return h ^ (h >> 32);
}

static enum status grow_accs(struct groups *g, size_t cap)
{
    size_t old = g->cap;

    for (int k = 0; k < g->n_accs; k++) {
        struct acc *a = &g->accs[k];
        bool ok = grow(&a->count, cap * 8);

        if (ok) memset(a->count + old, 0, (cap - old) * 8);
        if (ok && (a->op == AGG_SUM || a->op == AGG_AVG)) {
            if (a->type == V_DOUBLE) {
                ok = grow(&a->real, cap * 8);
                for (size_t i = old; ok && i < cap; i++) a->real[i] = 0;
            } else {
                ok = grow(&a->sum, cap * sizeof *a->sum);
                if (ok) memset(a->sum + old, 0, (cap - old) * sizeof *a->sum);
            }
        }
        if (ok && (a->op == AGG_MIN || a->op == AGG_MAX)) {
            if (a->type == V_TEXT) ok = grow(&a->text, cap * sizeof *a->text);
            else if (a->type == V_DOUBLE) ok = grow(&a->real, cap * 8);
            else ok = grow(&a->best, cap * 8);
        }
        if (ok && a->op == AGG_APPROX_DISTINCT) {
            ok = grow(&a->hll, cap * HLL_REGISTERS);
            if (ok) memset(a->hll + old * HLL_REGISTERS, 0, (cap - old) * HLL_REGISTERS);
        }
        if (!ok) return ST_NOMEM;
    }
    if (!grow(&g->hashes, cap * 8)) return ST_NOMEM;
    g->cap = cap;
    return ST_OK;
}

enum status groups_dense(struct groups *g, size_t n)
{
    enum status st = grow_accs(g, n);

    g->count = st == ST_OK ? n : 0;
    return st;
}

static enum status grow_slots(struct groups *g)
{
    size_t cap = g->slot_cap == 0 ? 1024 : 2 * g->slot_cap;
    uint32_t *slots = calloc(cap, sizeof *slots);

    if (slots == NULL) return ST_NOMEM;
    for (size_t i = 0; i < g->count; i++) {
        size_t at = g->hashes[i] & (cap - 1);

        while (slots[at] != 0) at = (at + 1) & (cap - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(g->slots);
    g->slots = slots;
    g->slot_cap = cap;
    return ST_OK;
}

static bool same_key(const struct groups *g, uint32_t group, const struct value *keys)
{
    for (int k = 0; k < g->p->n_keys; k++) {
        struct value have = coldata_value(&g->keys, k, group);

        if (have.type == V_NULL || keys[k].type == V_NULL) {
            if (have.type != keys[k].type) return false;
        } else if (!value_equal(&have, &keys[k])) {
            return false;
        }
    }
    return true;
}

enum status groups_find(struct groups *g, const struct value *keys, uint64_t hash, uint32_t *group)
{
    size_t at;

    if (2 * (g->count + 1) > g->slot_cap && grow_slots(g) != ST_OK) return ST_NOMEM;
    for (at = hash & (g->slot_cap - 1); g->slots[at] != 0; at = (at + 1) & (g->slot_cap - 1)) {
        uint32_t have = g->slots[at] - 1;

        if (g->hashes[have] == hash && same_key(g, have, keys)) {
            *group = have;
            return ST_OK;
        }
    }
    if (g->count == g->cap && grow_accs(g, g->cap == 0 ? 256 : 2 * g->cap) != ST_OK) return ST_NOMEM;
    if (coldata_append(&g->keys, keys, 0) != ST_OK) return ST_NOMEM;
    g->hashes[g->count] = hash;
    g->slots[at] = (uint32_t)g->count + 1;
    *group = (uint32_t)g->count++;
    return ST_OK;
}

/* ---- distinct ---- */

static enum status distinct_grow(struct distinct *d, bool text)
{
    size_t cap = d->cap == 0 ? 1024 : 2 * d->cap;
    struct distinct_slot *slots = calloc(cap, sizeof *slots);

    (void)text;
    if (slots == NULL) return ST_NOMEM;
    for (size_t i = 0; i < d->cap; i++) {
        size_t at;

        if (!d->slots[i].used) continue;
        for (at = d->slots[i].hash & (cap - 1); slots[at].used; at = (at + 1) & (cap - 1)) continue;
        slots[at] = d->slots[i];
    }
    free(d->slots);
    d->slots = slots;
    d->cap = cap;
    return ST_OK;
}

/* *fresh: the pair was not there. */
static enum status distinct_add(struct distinct *d, bool text, uint32_t group, uint64_t value, uint32_t len,
                                bool *fresh)
{
    uint64_t hash = text ? hash64((const void *)(uintptr_t)value, len, 0) : hash64_u64(value);
    size_t at;

    hash ^= hash64_u64(group + 0x51ed270bull);
    if (2 * (d->used + 1) > d->cap && distinct_grow(d, text) != ST_OK) return ST_NOMEM;
    for (at = hash & (d->cap - 1); d->slots[at].used; at = (at + 1) & (d->cap - 1)) {
        const struct distinct_slot *s = &d->slots[at];

        if (s->hash != hash || s->group != group) continue;
        if (text ? s->len == len && memcmp((const void *)(uintptr_t)s->value, (const void *)(uintptr_t)value, len) == 0
                 : s->value == value) {
            *fresh = false;
            return ST_OK;
        }
    }
    if (text) {
        char *copy = arena_strdup(&d->text, (const char *)(uintptr_t)value, len);

        if (copy == NULL) return ST_NOMEM;
        value = (uint64_t)(uintptr_t)copy;
    }
    d->slots[at] = (struct distinct_slot){hash, value, group, 1, len};
    d->used++;
    *fresh = true;
    return ST_OK;
}

static uint64_t double_key(double d)
{
    uint64_t bits;

    if (d == 0) d = 0;
    if (isnan(d)) d = (double)NAN;
    memcpy(&bits, &d, 8);
    return bits;
}

static void hll_add(uint8_t *registers, uint64_t hash)
{
    size_t at = hash >> 52;
    uint8_t rank = (uint8_t)(__builtin_clzll(hash << 12 | 0x800) + 1);

    if (rank > registers[at]) registers[at] = rank;
}

static uint64_t hll_estimate(const uint8_t *registers)
{
    double sum = 0, m = HLL_REGISTERS, e;
    int zeros = 0;

    for (int i = 0; i < HLL_REGISTERS; i++) {
        sum += ldexp(1.0, -registers[i]);
        zeros += registers[i] == 0;
    }
    e = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (e <= 2.5 * m && zeros > 0) e = m * log(m / zeros);
    return (uint64_t)(e + 0.5);
}

/* ---- accumulating ---- */

static int compare_double(double x, double y)
{
    if (x != x || y != y) return (x != x) - (y != y);
    return (x > y) - (x < y);
}

static int compare_text(const struct text_ref *x, const struct text_ref *y)
{
    uint32_t n = x->len < y->len ? x->len : y->len;
    int c = n == 0 ? 0 : memcmp(x->s, y->s, n);

    return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static enum status take_best(struct groups *g, struct acc *a, const struct vec *v, uint32_t slot, uint32_t group)
{
    bool first = a->count[group]++ == 0, min = a->op == AGG_MIN;
    int c;

    if (a->type == V_TEXT) {
        char *copy;

        c = first ? 0 : compare_text(&v->s[slot], &a->text[group]);
        if (!first && (min ? c >= 0 : c <= 0)) return ST_OK;
        copy = arena_strdup(&g->text, v->s[slot].s, v->s[slot].len);
        if (copy == NULL) return ST_NOMEM;
        a->text[group] = (struct text_ref){copy, v->s[slot].len};
    } else if (a->type == V_DOUBLE) {
        c = first ? 0 : compare_double(v->d[slot], a->real[group]);
        if (first || (min ? c < 0 : c > 0)) a->real[group] = v->d[slot];
    } else {
        int64_t x = v->i[slot];

        if (first || (min ? x < a->best[group] : x > a->best[group])) a->best[group] = x;
    }
    return ST_OK;
}

static enum status take_distinct(struct acc *a, const struct vec *v, uint32_t slot, uint32_t group)
{
    uint64_t value;
    uint32_t len = 0;
    bool fresh;

    if (a->type == V_TEXT) {
        value = (uint64_t)(uintptr_t)v->s[slot].s;
        len = v->s[slot].len;
    } else {
        value = a->type == V_DOUBLE ? double_key(v->d[slot]) : (uint64_t)v->i[slot];
    }
    if (a->op == AGG_APPROX_DISTINCT) {
        uint64_t h = a->type == V_TEXT ? hash64(v->s[slot].s, len, 0) : hash64_u64(value);

        hll_add(a->hll + (size_t)group * HLL_REGISTERS, hash64_u64(h));
        return ST_OK;
    }
    if (a->set.bits != NULL && (uint64_t)((int64_t)value - a->set.lo) < a->set.span) {
        bitset_set(a->set.bits, (uint64_t)((int64_t)value - a->set.lo));
        return ST_OK;
    }
    if (distinct_add(&a->set, a->type == V_TEXT, group, value, len, &fresh) != ST_OK) return ST_NOMEM;
    a->count[group] += fresh;
    return ST_OK;
}

static void sum_rows(struct acc *a, const struct vec *v, const uint32_t *at, const uint32_t *group, uint32_t n)
{
    if (v->nulls != NULL || v->kind != VEC_FLAT) {
        for (uint32_t i = 0; i < n; i++) {
            if (vec_null(v, at[i])) continue;
            a->count[group[i]]++;
            if (a->type == V_DOUBLE) a->real[group[i]] += v->d[vec_slot(v, at[i])];
            else a->sum[group[i]] += v->i[vec_slot(v, at[i])];
        }
    } else if (a->type == V_DOUBLE) {
        for (uint32_t i = 0; i < n; i++) {
            a->count[group[i]]++;
            a->real[group[i]] += v->d[at[i]];
        }
    } else {
        for (uint32_t i = 0; i < n; i++) {
            a->count[group[i]]++;
            a->sum[group[i]] += v->i[at[i]];
        }
    }
}

enum status acc_rows(struct groups *g, struct acc *a, const struct vec *v, const uint32_t *at,
                     const uint32_t *group, uint32_t n)
{
    enum status st = ST_OK;

    switch (a->op) {
    case AGG_COUNT_ALL:
        for (uint32_t i = 0; i < n; i++) a->count[group[i]]++;
        return ST_OK;
    case AGG_COUNT:
        for (uint32_t i = 0; i < n; i++) a->count[group[i]] += !vec_null(v, at[i]);
        return ST_OK;
    case AGG_SUM: case AGG_AVG:
        sum_rows(a, v, at, group, n);
        return ST_OK;
    default:
        for (uint32_t i = 0; st == ST_OK && i < n; i++) {
            if (vec_null(v, at[i])) continue;
            st = a->op == AGG_MIN || a->op == AGG_MAX ? take_best(g, a, v, vec_slot(v, at[i]), group[i])
                                                      : take_distinct(a, v, vec_slot(v, at[i]), group[i]);
        }
        return st;
    }
}

static void sum_masked(struct acc *a, const struct vec *v, uint32_t n, const uint64_t *mask, uint32_t chosen,
                       uint32_t group)
{
    const int64_t limit = INT64_MAX / VECTOR_ROWS;

    a->count[group] += chosen;
    if (a->type == V_DOUBLE) {
        double sum = 0;

        for (uint32_t i = 0; i < n; i++)
            if (mask == NULL || bitset_get(mask, i)) sum += v->d[v->kind == VEC_CONST ? 0 : i];
        a->real[group] += sum;
    } else if (v->kind == VEC_CONST) {
        a->sum[group] += (__int128)v->i[0] * chosen;
    } else if (v->lo >= -limit && v->hi <= limit) {
        a->sum[group] += kernel_sum_i64(v->i, n, mask);
    } else {
        for (uint32_t i = 0; i < n; i++)
            if (mask == NULL || bitset_get(mask, i)) a->sum[group] += v->i[i];
    }
}

enum status acc_masked(struct groups *g, struct acc *a, const struct vec *v, uint32_t n, const uint64_t *mask,
                       uint32_t chosen, uint32_t group)
{
    uint64_t live[VECTOR_WORDS];
    enum status st = ST_OK;

    if (a->op == AGG_COUNT_ALL) {
        a->count[group] += chosen;
        return ST_OK;
    }
    if (v->nulls != NULL) { /* the mask without the nulls */
        if (v->kind == VEC_CONST && (v->nulls[0] & 1)) return ST_OK;
        for (size_t w = 0; w < VECTOR_WORDS; w++)
            live[w] = (mask == NULL ? UINT64_MAX : mask[w]) & (v->kind == VEC_CONST ? UINT64_MAX : ~v->nulls[w]);
        for (uint32_t i = n; i < VECTOR_ROWS && (i & 63) != 0; i++) bitset_clear(live, i);
        for (size_t w = bitset_words(n); w < VECTOR_WORDS; w++) live[w] = 0;
        mask = live;
        chosen = sel_count(live, n);
        if (chosen == 0) return ST_OK;
    }
    switch (a->op) {
    case AGG_COUNT:
        a->count[group] += chosen;
        return ST_OK;
    case AGG_SUM: case AGG_AVG:
        sum_masked(a, v, n, mask, chosen, group);
        return ST_OK;
    case AGG_MIN: case AGG_MAX:
        if (v->kind == VEC_FLAT && a->type != V_TEXT && a->type != V_DOUBLE) {
            int64_t lo, hi, x;

            kernel_minmax_i64(v->i, n, mask, &lo, &hi);
            x = a->op == AGG_MIN ? lo : hi;
            if (a->count[group] == 0 || (a->op == AGG_MIN ? x < a->best[group] : x > a->best[group]))
                a->best[group] = x;
            a->count[group] += chosen;
            return ST_OK;
        }
        break;
    default:
        break;
    }
    if (v->kind == VEC_CONST) n = 1, mask = NULL;
    for (uint32_t i = 0; st == ST_OK && i < n; i++) {
        if (mask != NULL && !bitset_get(mask, i)) continue;
        st = a->op == AGG_MIN || a->op == AGG_MAX ? take_best(g, a, v, vec_slot(v, i), group)
                                                  : take_distinct(a, v, vec_slot(v, i), group);
    }
    return st;
}

/* ---- merging ---- */

enum status acc_merge(struct groups *g, struct acc *a, const struct acc *b, uint32_t to, uint32_t from)
{
    if (a->op == AGG_APPROX_DISTINCT) {
        for (int i = 0; i < HLL_REGISTERS; i++) {
            uint8_t x = b->hll[(size_t)from * HLL_REGISTERS + (size_t)i];
            uint8_t *y = &a->hll[(size_t)to * HLL_REGISTERS + (size_t)i];

            if (x > *y) *y = x;
        }
        return ST_OK;
    }
    if (a->op == AGG_COUNT_DISTINCT) return ST_OK; /* by acc_merge_sets */
    if (a->op == AGG_MIN || a->op == AGG_MAX) {
        struct vec v = {.kind = VEC_FLAT, .type = a->type};
        uint64_t had = a->count[to];
        enum status st;

        if (b->count[from] == 0) return ST_OK;
        if (a->type == V_TEXT) v.s = b->text;
        else if (a->type == V_DOUBLE) v.d = b->real;
        else v.i = b->best;
        st = take_best(g, a, &v, from, to);
        a->count[to] = had + b->count[from];
        return st;
    }
    a->count[to] += b->count[from];
    if (a->sum != NULL) a->sum[to] += b->sum[from];
    if (a->real != NULL) a->real[to] += b->real[from];
    return ST_OK;
}

enum status acc_merge_sets(struct groups *g, struct acc *a, const struct acc *b, const uint32_t *to)
{
    (void)g;
    if (a->op != AGG_COUNT_DISTINCT) return ST_OK;
    for (size_t w = 0; b->set.bits != NULL && w < bitset_words(b->set.span); w++) a->set.bits[w] |= b->set.bits[w];
    for (size_t i = 0; i < b->set.cap; i++) {
        const struct distinct_slot *s = &b->set.slots[i];
        bool fresh;

        if (!s->used) continue;
        if (distinct_add(&a->set, a->type == V_TEXT, to[s->group], s->value, s->len, &fresh) != ST_OK)
            return ST_NOMEM;
        a->count[to[s->group]] += fresh;
    }
    return ST_OK;
}

/* ---- results ---- */

static enum status sum_result(const struct acc *a, uint32_t group, struct value *out, struct fault *f)
{
    if (a->op == AGG_AVG) {
        double sum = a->type == V_DOUBLE ? a->real[group] : (double)a->sum[group] / (double)decimal_pow10(a->scale);

        *out = v_double(sum / (double)a->count[group]);
        return ST_OK;
    }
    if (a->type == V_DOUBLE) {
        *out = v_double(a->real[group]);
        return ST_OK;
    }
    if (a->sum[group] < INT64_MIN || a->sum[group] > INT64_MAX)
        return fault_set(f, ST_LIMIT, NULL, FAULT_NO_OFFSET, "a sum overflows 64 bits");
    out->i = (int64_t)a->sum[group];
    return ST_OK;
}

enum status acc_result(const struct acc *a, uint32_t group, const struct plan_column *col, struct value *out,
                       struct fault *f)
{
    *out = (struct value){.type = col->type == V_NULL ? V_INT : col->type, .scale = col->scale};
    switch (a->op) {
    case AGG_COUNT_ALL: case AGG_COUNT:
        out->i = (int64_t)a->count[group];
        return ST_OK;
    case AGG_COUNT_DISTINCT:
        out->i = (int64_t)a->count[group];
        if (a->set.bits != NULL) out->i += (int64_t)bitset_count(a->set.bits, a->set.span);
        return ST_OK;
    case AGG_APPROX_DISTINCT:
        out->i = (int64_t)hll_estimate(a->hll + (size_t)group * HLL_REGISTERS);
        return ST_OK;
    default:
        break;
    }
    if (a->count[group] == 0) {
        *out = v_null();
        return ST_OK;
    }
    if (a->op == AGG_SUM || a->op == AGG_AVG) return sum_result(a, group, out, f);
    if (a->type == V_TEXT) *out = v_text(a->text[group].s, a->text[group].len);
    else if (a->type == V_DOUBLE) out->d = a->real[group];
    else out->i = a->best[group];
    return ST_OK;
}
