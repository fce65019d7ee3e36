/* groups - finds or makes the group of each row of a batch, and grows the table when it fills. */
#include "columnar/exec/groups.h"
#include "engine/values/average.h"

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

enum seam_status columnar_groups_init(struct columnar_groups *g, const struct columnar_plan *p,
                                      const int *arg_of)
{
    struct columnar_plan keys = {.n_columns = p->n_keys, .columns = p->columns};

    *g = (struct columnar_groups){.p = p, .n_accs = p->n_aggs};
    g->accs = calloc((size_t)p->n_aggs + 1, sizeof *g->accs);
    if (g->accs == NULL) return SEAM_NOMEM;
    for (int k = 0; k < p->n_aggs; k++) {
        const struct columnar_expr *arg = p->aggs[k].arg;

        g->accs[k].op = p->aggs[k].op;
        g->accs[k].arg = arg_of[k];
        g->accs[k].type = arg == NULL || arg->type == SEAM_V_NULL ? SEAM_V_INT : arg->type;
        g->accs[k].scale = arg == NULL ? 0 : arg->scale;
    }
    return columnar_rows_init(&g->keys, &keys);
}

static void distinct_free(struct columnar_distinct *d)
{
    free(d->slots);
    free(d->bits);
    seam_arena_free(&d->text);
}

void columnar_groups_free(struct columnar_groups *g)
{
    for (int k = 0; k < g->n_accs; k++) {
        struct columnar_acc *a = &g->accs[k];

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
    columnar_coldata_free(&g->keys);
    seam_arena_free(&g->text);
    *g = (struct columnar_groups){0};
}

uint64_t columnar_groups_bytes(const struct columnar_groups *g)
{
    uint64_t bytes =
        g->text.used + g->keys.bytes + g->slot_cap * sizeof *g->slots + g->cap * sizeof *g->hashes;

    for (int k = 0; k < g->n_accs; k++) {
        const struct columnar_acc *a = &g->accs[k];

        bytes += g->cap * 24 + a->set.cap * sizeof *a->set.slots + a->set.text.used;
        if (a->hll != NULL) bytes += g->cap * HLL_REGISTERS;
    }
    return bytes;
}

static uint64_t hash_value(const struct seam_value *v)
{
    double d;
    uint64_t bits;

    switch (v->type) {
    case SEAM_V_NULL: return 0x9e3779b97f4a7c15ull;
    case SEAM_V_TEXT: return seam_hash64(v->s, v->len, 0);
    case SEAM_V_DOUBLE:
        d = v->d == 0 ? 0.0 : isnan(v->d) ? (double)NAN : v->d;
        memcpy(&bits, &d, 8);
        return seam_hash64_u64(bits);
    default: return seam_hash64_u64((uint64_t)v->i);
    }
}

uint64_t columnar_groups_hash(const struct seam_value *keys, int n)
{
    uint64_t h = 0;

    for (int k = 0; k < n; k++) h = (h ^ hash_value(&keys[k])) * 0x9ddfea08eb382d69ull + (h >> 29);
    return h ^ (h >> 32);
}

static enum seam_status grow_accs(struct columnar_groups *g, size_t cap)
{
    size_t old = g->cap;

    for (int k = 0; k < g->n_accs; k++) {
        struct columnar_acc *a = &g->accs[k];
        bool ok = grow(&a->count, cap * 8);

        if (ok) memset(a->count + old, 0, (cap - old) * 8);
        if (ok && (a->op == COLUMNAR_AGG_SUM || a->op == COLUMNAR_AGG_AVG)) {
            if (a->type == SEAM_V_DOUBLE) {
                ok = grow(&a->real, cap * 8);
                for (size_t i = old; ok && i < cap; i++) a->real[i] = 0;
            } else {
                ok = grow(&a->sum, cap * sizeof *a->sum);
                if (ok) memset(a->sum + old, 0, (cap - old) * sizeof *a->sum);
            }
        }
        if (ok && (a->op == COLUMNAR_AGG_MIN || a->op == COLUMNAR_AGG_MAX)) {
            if (a->type == SEAM_V_TEXT)
                ok = grow(&a->text, cap * sizeof *a->text);
            else if (a->type == SEAM_V_DOUBLE)
                ok = grow(&a->real, cap * 8);
            else
                ok = grow(&a->best, cap * 8);
        }
        if (ok && a->op == COLUMNAR_AGG_APPROX_DISTINCT) {
            ok = grow(&a->hll, cap * HLL_REGISTERS);
            if (ok) memset(a->hll + old * HLL_REGISTERS, 0, (cap - old) * HLL_REGISTERS);
        }
        if (!ok) return SEAM_NOMEM;
    }
    if (!grow(&g->hashes, cap * 8)) return SEAM_NOMEM;
    g->cap = cap;
    return SEAM_OK;
}

enum seam_status columnar_groups_dense(struct columnar_groups *g, size_t n)
{
    enum seam_status st = grow_accs(g, n);

    g->count = st == SEAM_OK ? n : 0;
    return st;
}

static enum seam_status grow_slots(struct columnar_groups *g)
{
    size_t cap = g->slot_cap == 0 ? 1024 : 2 * g->slot_cap;
    uint32_t *slots = calloc(cap, sizeof *slots);

    if (slots == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < g->count; i++) {
        size_t at = g->hashes[i] & (cap - 1);

        while (slots[at] != 0) at = (at + 1) & (cap - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(g->slots);
    g->slots = slots;
    g->slot_cap = cap;
    return SEAM_OK;
}

static bool same_key(const struct columnar_groups *g, uint32_t group, const struct seam_value *keys)
{
    for (int k = 0; k < g->p->n_keys; k++) {
        struct seam_value have = columnar_coldata_value(&g->keys, k, group);

        if (have.type == SEAM_V_NULL || keys[k].type == SEAM_V_NULL) {
            if (have.type != keys[k].type) return false;
        } else if (!seam_value_equal(&have, &keys[k])) {
            return false;
        }
    }
    return true;
}

enum seam_status columnar_groups_find(struct columnar_groups *g, const struct seam_value *keys,
                                      uint64_t hash, uint32_t *group)
{
    size_t at;

    if (2 * (g->count + 1) > g->slot_cap && grow_slots(g) != SEAM_OK) return SEAM_NOMEM;
    for (at = hash & (g->slot_cap - 1); g->slots[at] != 0; at = (at + 1) & (g->slot_cap - 1)) {
        uint32_t have = g->slots[at] - 1;

        if (g->hashes[have] == hash && same_key(g, have, keys)) {
            *group = have;
            return SEAM_OK;
        }
    }
    if (g->count == g->cap && grow_accs(g, g->cap == 0 ? 256 : 2 * g->cap) != SEAM_OK)
        return SEAM_NOMEM;
    if (columnar_coldata_append(&g->keys, keys, 0) != SEAM_OK) return SEAM_NOMEM;
    g->hashes[g->count] = hash;
    g->slots[at] = (uint32_t)g->count + 1;
    *group = (uint32_t)g->count++;
    return SEAM_OK;
}

/* ---- distinct ---- */

static enum seam_status distinct_grow(struct columnar_distinct *d, bool text)
{
    size_t cap = d->cap == 0 ? 1024 : 2 * d->cap;
    struct columnar_distinct_slot *slots = calloc(cap, sizeof *slots);

    (void)text;
    if (slots == NULL) return SEAM_NOMEM;
    for (size_t i = 0; i < d->cap; i++) {
        size_t at;

        if (!d->slots[i].used) continue;
        for (at = d->slots[i].hash & (cap - 1); slots[at].used; at = (at + 1) & (cap - 1)) continue;
        slots[at] = d->slots[i];
    }
    free(d->slots);
    d->slots = slots;
    d->cap = cap;
    return SEAM_OK;
}

/* *fresh: the pair was not there. */
static enum seam_status distinct_add(struct columnar_distinct *d, bool text, uint32_t group,
                                     uint64_t value, uint32_t len, bool *fresh)
{
    uint64_t hash =
        text ? seam_hash64((const void *)(uintptr_t)value, len, 0) : seam_hash64_u64(value);
    size_t at;

    hash ^= seam_hash64_u64(group + 0x51ed270bull);
    if (2 * (d->used + 1) > d->cap && distinct_grow(d, text) != SEAM_OK) return SEAM_NOMEM;
    for (at = hash & (d->cap - 1); d->slots[at].used; at = (at + 1) & (d->cap - 1)) {
        const struct columnar_distinct_slot *s = &d->slots[at];

        if (s->hash != hash || s->group != group) continue;
        if (text ? s->len == len && memcmp((const void *)(uintptr_t)s->value,
                                           (const void *)(uintptr_t)value, len) == 0
                 : s->value == value) {
            *fresh = false;
            return SEAM_OK;
        }
    }
    if (text) {
        char *copy = seam_arena_strdup(&d->text, (const char *)(uintptr_t)value, len);

        if (copy == NULL) return SEAM_NOMEM;
        value = (uint64_t)(uintptr_t)copy;
    }
    d->slots[at] = (struct columnar_distinct_slot){hash, value, group, 1, len};
    d->used++;
    *fresh = true;
    return SEAM_OK;
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

static int compare_text(const struct columnar_text_ref *x, const struct columnar_text_ref *y)
{
    uint32_t n = x->len < y->len ? x->len : y->len;
    int c = n == 0 ? 0 : memcmp(x->s, y->s, n);

    return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

static enum seam_status take_best(struct columnar_groups *g, struct columnar_acc *a,
                                  const struct columnar_vec *v, uint32_t slot, uint32_t group)
{
    bool first = a->count[group]++ == 0, min = a->op == COLUMNAR_AGG_MIN;
    int c;

    if (a->type == SEAM_V_TEXT) {
        char *copy;

        c = first ? 0 : compare_text(&v->s[slot], &a->text[group]);
        if (!first && (min ? c >= 0 : c <= 0)) return SEAM_OK;
        copy = seam_arena_strdup(&g->text, v->s[slot].s, v->s[slot].len);
        if (copy == NULL) return SEAM_NOMEM;
        a->text[group] = (struct columnar_text_ref){copy, v->s[slot].len};
    } else if (a->type == SEAM_V_DOUBLE) {
        c = first ? 0 : compare_double(v->d[slot], a->real[group]);
        if (first || (min ? c < 0 : c > 0)) a->real[group] = v->d[slot];
    } else {
        int64_t x = v->i[slot];

        if (first || (min ? x < a->best[group] : x > a->best[group])) a->best[group] = x;
    }
    return SEAM_OK;
}

static enum seam_status take_distinct(struct columnar_acc *a, const struct columnar_vec *v,
                                      uint32_t slot, uint32_t group)
{
    uint64_t value;
    uint32_t len = 0;
    bool fresh;

    if (a->type == SEAM_V_TEXT) {
        value = (uint64_t)(uintptr_t)v->s[slot].s;
        len = v->s[slot].len;
    } else {
        value = a->type == SEAM_V_DOUBLE ? double_key(v->d[slot]) : (uint64_t)v->i[slot];
    }
    if (a->op == COLUMNAR_AGG_APPROX_DISTINCT) {
        uint64_t h =
            a->type == SEAM_V_TEXT ? seam_hash64(v->s[slot].s, len, 0) : seam_hash64_u64(value);

        hll_add(a->hll + (size_t)group * HLL_REGISTERS, seam_hash64_u64(h));
        return SEAM_OK;
    }
    if (a->set.bits != NULL && (uint64_t)((int64_t)value - a->set.lo) < a->set.span) {
        seam_bitset_set(a->set.bits, (uint64_t)((int64_t)value - a->set.lo));
        return SEAM_OK;
    }
    if (distinct_add(&a->set, a->type == SEAM_V_TEXT, group, value, len, &fresh) != SEAM_OK)
        return SEAM_NOMEM;
    a->count[group] += fresh;
    return SEAM_OK;
}

static void sum_rows(struct columnar_acc *a, const struct columnar_vec *v, const uint32_t *at,
                     const uint32_t *group, uint32_t n)
{
    if (v->nulls != NULL || v->kind != COLUMNAR_VEC_FLAT) {
        for (uint32_t i = 0; i < n; i++) {
            if (columnar_vec_null(v, at[i])) continue;
            a->count[group[i]]++;
            if (a->type == SEAM_V_DOUBLE)
                a->real[group[i]] += v->d[columnar_vec_slot(v, at[i])];
            else
                a->sum[group[i]] += v->i[columnar_vec_slot(v, at[i])];
        }
    } else if (a->type == SEAM_V_DOUBLE) {
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

enum seam_status columnar_acc_rows(struct columnar_groups *g, struct columnar_acc *a,
                                   const struct columnar_vec *v, const uint32_t *at,
                                   const uint32_t *group, uint32_t n)
{
    enum seam_status st = SEAM_OK;

    switch (a->op) {
    case COLUMNAR_AGG_COUNT_ALL:
        for (uint32_t i = 0; i < n; i++) a->count[group[i]]++;
        return SEAM_OK;
    case COLUMNAR_AGG_COUNT:
        for (uint32_t i = 0; i < n; i++) a->count[group[i]] += !columnar_vec_null(v, at[i]);
        return SEAM_OK;
    case COLUMNAR_AGG_SUM:
    case COLUMNAR_AGG_AVG: sum_rows(a, v, at, group, n); return SEAM_OK;
    default:
        for (uint32_t i = 0; st == SEAM_OK && i < n; i++) {
            if (columnar_vec_null(v, at[i])) continue;
            st = a->op == COLUMNAR_AGG_MIN || a->op == COLUMNAR_AGG_MAX
                     ? take_best(g, a, v, columnar_vec_slot(v, at[i]), group[i])
                     : take_distinct(a, v, columnar_vec_slot(v, at[i]), group[i]);
        }
        return st;
    }
}

static void sum_masked(struct columnar_acc *a, const struct columnar_vec *v, uint32_t n,
                       const uint64_t *mask, uint32_t chosen, uint32_t group)
{
    const int64_t limit = INT64_MAX / COLUMNAR_VECTOR_ROWS;

    a->count[group] += chosen;
    if (a->type == SEAM_V_DOUBLE) {
        double sum = 0;

        for (uint32_t i = 0; i < n; i++)
            if (mask == NULL || seam_bitset_get(mask, i))
                sum += v->d[v->kind == COLUMNAR_VEC_CONST ? 0 : i];
        a->real[group] += sum;
    } else if (v->kind == COLUMNAR_VEC_CONST) {
        a->sum[group] += (__int128)v->i[0] * chosen;
    } else if (v->lo >= -limit && v->hi <= limit) {
        a->sum[group] += columnar_kernel_sum_i64(v->i, n, mask);
    } else {
        for (uint32_t i = 0; i < n; i++)
            if (mask == NULL || seam_bitset_get(mask, i)) a->sum[group] += v->i[i];
    }
}

enum seam_status columnar_acc_masked(struct columnar_groups *g, struct columnar_acc *a,
                                     const struct columnar_vec *v, uint32_t n, const uint64_t *mask,
                                     uint32_t chosen, uint32_t group)
{
    uint64_t live[COLUMNAR_VECTOR_WORDS];
    enum seam_status st = SEAM_OK;

    if (a->op == COLUMNAR_AGG_COUNT_ALL) {
        a->count[group] += chosen;
        return SEAM_OK;
    }
    if (v->nulls != NULL) { /* the mask without the nulls */
        if (v->kind == COLUMNAR_VEC_CONST && (v->nulls[0] & 1)) return SEAM_OK;
        for (size_t w = 0; w < COLUMNAR_VECTOR_WORDS; w++)
            live[w] = (mask == NULL ? UINT64_MAX : mask[w]) &
                      (v->kind == COLUMNAR_VEC_CONST ? UINT64_MAX : ~v->nulls[w]);
        for (uint32_t i = n; i < COLUMNAR_VECTOR_ROWS && (i & 63) != 0; i++)
            seam_bitset_clear(live, i);
        for (size_t w = seam_bitset_words(n); w < COLUMNAR_VECTOR_WORDS; w++) live[w] = 0;
        mask = live;
        chosen = columnar_sel_count(live, n);
        if (chosen == 0) return SEAM_OK;
    }
    switch (a->op) {
    case COLUMNAR_AGG_COUNT: a->count[group] += chosen; return SEAM_OK;
    case COLUMNAR_AGG_SUM:
    case COLUMNAR_AGG_AVG: sum_masked(a, v, n, mask, chosen, group); return SEAM_OK;
    case COLUMNAR_AGG_MIN:
    case COLUMNAR_AGG_MAX:
        if (v->kind == COLUMNAR_VEC_FLAT && a->type != SEAM_V_TEXT && a->type != SEAM_V_DOUBLE) {
            int64_t lo, hi, x;

            columnar_kernel_minmax_i64(v->i, n, mask, &lo, &hi);
            x = a->op == COLUMNAR_AGG_MIN ? lo : hi;
            if (a->count[group] == 0 ||
                (a->op == COLUMNAR_AGG_MIN ? x < a->best[group] : x > a->best[group]))
                a->best[group] = x;
            a->count[group] += chosen;
            return SEAM_OK;
        }
        break;
    default: break;
    }
    if (v->kind == COLUMNAR_VEC_CONST) n = 1, mask = NULL;
    for (uint32_t i = 0; st == SEAM_OK && i < n; i++) {
        if (mask != NULL && !seam_bitset_get(mask, i)) continue;
        st = a->op == COLUMNAR_AGG_MIN || a->op == COLUMNAR_AGG_MAX
                 ? take_best(g, a, v, columnar_vec_slot(v, i), group)
                 : take_distinct(a, v, columnar_vec_slot(v, i), group);
    }
    return st;
}

/* ---- merging ---- */

enum seam_status columnar_acc_merge(struct columnar_groups *g, struct columnar_acc *a,
                                    const struct columnar_acc *b, uint32_t to, uint32_t from)
{
    if (a->op == COLUMNAR_AGG_APPROX_DISTINCT) {
        for (int i = 0; i < HLL_REGISTERS; i++) {
            uint8_t x = b->hll[(size_t)from * HLL_REGISTERS + (size_t)i];
            uint8_t *y = &a->hll[(size_t)to * HLL_REGISTERS + (size_t)i];

            if (x > *y) *y = x;
        }
        return SEAM_OK;
    }
    if (a->op == COLUMNAR_AGG_COUNT_DISTINCT) return SEAM_OK; /* by columnar_acc_merge_sets */
    if (a->op == COLUMNAR_AGG_MIN || a->op == COLUMNAR_AGG_MAX) {
        struct columnar_vec v = {.kind = COLUMNAR_VEC_FLAT, .type = a->type};
        uint64_t had = a->count[to];
        enum seam_status st;

        if (b->count[from] == 0) return SEAM_OK;
        if (a->type == SEAM_V_TEXT)
            v.s = b->text;
        else if (a->type == SEAM_V_DOUBLE)
            v.d = b->real;
        else
            v.i = b->best;
        st = take_best(g, a, &v, from, to);
        a->count[to] = had + b->count[from];
        return st;
    }
    a->count[to] += b->count[from];
    if (a->sum != NULL) a->sum[to] += b->sum[from];
    if (a->real != NULL) a->real[to] += b->real[from];
    return SEAM_OK;
}

enum seam_status columnar_acc_merge_sets(struct columnar_groups *g, struct columnar_acc *a,
                                         const struct columnar_acc *b, const uint32_t *to)
{
    (void)g;
    if (a->op != COLUMNAR_AGG_COUNT_DISTINCT) return SEAM_OK;
    for (size_t w = 0; b->set.bits != NULL && w < seam_bitset_words(b->set.span); w++)
        a->set.bits[w] |= b->set.bits[w];
    for (size_t i = 0; i < b->set.cap; i++) {
        const struct columnar_distinct_slot *s = &b->set.slots[i];
        bool fresh;

        if (!s->used) continue;
        if (distinct_add(&a->set, a->type == SEAM_V_TEXT, to[s->group], s->value, s->len, &fresh) !=
            SEAM_OK)
            return SEAM_NOMEM;
        a->count[to[s->group]] += fresh;
    }
    return SEAM_OK;
}

/* ---- results ---- */

static enum seam_status sum_result(const struct columnar_acc *a, uint32_t group,
                                   struct seam_value *out, struct seam_fault *f)
{
    if (a->op == COLUMNAR_AGG_AVG) {
        *out = seam_v_double(a->type == SEAM_V_DOUBLE
                                 ? a->real[group] / (double)a->count[group]
                                 : seam_average(a->sum[group], a->count[group], a->scale));
        return SEAM_OK;
    }
    if (a->type == SEAM_V_DOUBLE) {
        *out = seam_v_double(a->real[group]);
        return SEAM_OK;
    }
    if (a->sum[group] < INT64_MIN || a->sum[group] > INT64_MAX)
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET, "a sum overflows 64 bits");
    out->i = (int64_t)a->sum[group];
    return SEAM_OK;
}

enum seam_status columnar_acc_result(const struct columnar_acc *a, uint32_t group,
                                     const struct columnar_plan_column *col, struct seam_value *out,
                                     struct seam_fault *f)
{
    *out = (struct seam_value){.type = col->type == SEAM_V_NULL ? SEAM_V_INT : col->type,
                               .scale = col->scale};
    switch (a->op) {
    case COLUMNAR_AGG_COUNT_ALL:
    case COLUMNAR_AGG_COUNT: out->i = (int64_t)a->count[group]; return SEAM_OK;
    case COLUMNAR_AGG_COUNT_DISTINCT:
        out->i = (int64_t)a->count[group];
        if (a->set.bits != NULL) out->i += (int64_t)seam_bitset_count(a->set.bits, a->set.span);
        return SEAM_OK;
    case COLUMNAR_AGG_APPROX_DISTINCT:
        out->i = (int64_t)hll_estimate(a->hll + (size_t)group * HLL_REGISTERS);
        return SEAM_OK;
    default: break;
    }
    if (a->count[group] == 0) {
        *out = seam_v_null();
        return SEAM_OK;
    }
    if (a->op == COLUMNAR_AGG_SUM || a->op == COLUMNAR_AGG_AVG) return sum_result(a, group, out, f);
    if (a->type == SEAM_V_TEXT)
        *out = seam_v_text(a->text[group].s, a->text[group].len);
    else if (a->type == SEAM_V_DOUBLE)
        out->d = a->real[group];
    else
        out->i = a->best[group];
    return SEAM_OK;
}
