/* order - order by, and top-n: each thread keeps its best rows, trimmed as it goes. */
#include <stdlib.h>

#include "columnar/exec/plan.h"
#include "columnar/format/chunk.h"

enum { TRIM_ROWS = 4096 };

struct order_place {
    int64_t zone;
    uint32_t row;
};

struct order_ordering {
    struct columnar_query *q;
    const struct columnar_plan *p;
    uint64_t keep;                 /* rows worth keeping; UINT64_MAX all */
    struct columnar_coldata *rows; /* a thread each */
    int64_t
        *worst; /* a thread each: no row beyond this zone of the first key can be among the best */
};

struct sort_ctx {
    const struct columnar_plan *p;
    const struct columnar_coldata *d;
};

/* Null keys are the largest unless nulls_first; descending turns values, not nulls. */
static int64_t zone_of(const struct columnar_plan_key *k, const struct seam_value *v)
{
    int64_t z;

    if (v->type == SEAM_V_NULL) return k->nulls_first ? INT64_MIN : INT64_MAX;
    z = v->type == SEAM_V_TEXT     ? columnar_zone_of_text(v->s, v->len)
        : v->type == SEAM_V_DOUBLE ? columnar_zone_of_double(v->d == 0 ? 0.0 : v->d)
                                   : v->i;
    return k->descending ? ~z : z;
}

static int by_keys(const void *pa, const void *pb, void *ctx)
{
    const struct order_place *a = pa, *b = pb;
    const struct sort_ctx *s = ctx;

    if (a->zone != b->zone) return a->zone < b->zone ? -1 : 1;
    for (int k = 0; k < s->p->n_keys; k++) {
        const struct columnar_plan_key *key = &s->p->keys[k];
        struct seam_value x = columnar_coldata_value(s->d, key->column, a->row),
                          y = columnar_coldata_value(s->d, key->column, b->row);
        int c;

        if (x.type == SEAM_V_NULL || y.type == SEAM_V_NULL) {
            if (x.type == y.type) continue;
            return (x.type == SEAM_V_NULL) == key->nulls_first ? -1 : 1;
        }
        c = seam_value_compare(&x, &y);
        if (c != 0) return key->descending ? -c : c;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static struct order_place *sorted(const struct columnar_plan *p, const struct columnar_coldata *d)
{
    struct order_place *places = malloc((d->rows + 1) * sizeof *places);
    struct sort_ctx ctx = {p, d};

    if (places == NULL) return NULL;
    for (size_t i = 0; i < d->rows; i++) {
        struct seam_value v =
            p->n_keys > 0 ? columnar_coldata_value(d, p->keys[0].column, i) : seam_v_null();

        places[i] = (struct order_place){p->n_keys > 0 ? zone_of(&p->keys[0], &v) : 0, (uint32_t)i};
    }
    qsort_r(places, d->rows, sizeof *places, by_keys, &ctx);
    return places;
}

/* The rows places[from..to) of d. */
static enum seam_status take(const struct columnar_plan *p, const struct columnar_coldata *d,
                             const struct order_place *places, size_t from, size_t to,
                             struct columnar_coldata *out)
{
    struct seam_value *row = calloc((size_t)d->count + 1, sizeof *row);
    enum seam_status st = row == NULL ? SEAM_NOMEM : columnar_rows_init(out, p);

    if (st == SEAM_OK) st = columnar_coldata_reserve(out, to - from);
    for (size_t i = from; st == SEAM_OK && i < to; i++) {
        for (int c = 0; c < d->count; c++) row[c] = columnar_coldata_value(d, c, places[i].row);
        st = columnar_coldata_append(out, row, 0);
    }
    free(row);
    return st;
}

static enum seam_status trim(const struct order_ordering *o, struct columnar_coldata *d,
                             int64_t *worst)
{
    struct columnar_coldata kept = {0};
    struct order_place *places = sorted(o->p, d);
    enum seam_status st =
        places == NULL ? SEAM_NOMEM : take(o->p, d, places, 0, (size_t)o->keep, &kept);

    if (st == SEAM_OK && o->keep > 0) *worst = places[o->keep - 1].zone;
    free(places);
    if (st != SEAM_OK) {
        columnar_coldata_free(&kept);
        return st;
    }
    columnar_coldata_free(d);
    *d = kept;
    return SEAM_OK;
}

static enum seam_status push(void *self, int thread, const struct columnar_batch *b,
                             const uint64_t *sel, struct seam_fault *f)
{
    struct order_ordering *o = self;
    struct columnar_coldata *d = &o->rows[thread];
    uint64_t hopeful[COLUMNAR_VECTOR_WORDS] = {0};
    enum seam_status st;

    if (o->p->n_keys > 0 && o->worst[thread] < INT64_MAX) {
        const struct columnar_plan_key *key = &o->p->keys[0];

        for (uint32_t i = 0; i < b->rows; i++) {
            struct seam_value v;

            if (sel != NULL && !seam_bitset_get(sel, i)) continue;
            v = columnar_vec_value(&b->cols[key->column], i);
            if (zone_of(key, &v) <= o->worst[thread]) seam_bitset_set(hopeful, i);
        }
        sel = hopeful;
        if (seam_bitset_next(hopeful, b->rows, 0) == b->rows) return SEAM_OK;
    }
    st = columnar_rows_append(d, b, sel);
    if (st == SEAM_OK && o->keep < UINT32_MAX && d->rows > 2 * o->keep + TRIM_ROWS)
        st = trim(o, d, &o->worst[thread]);
    if (st == SEAM_NOMEM)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory to order the rows of a query");
    return st;
}

enum seam_status columnar_run_order(struct columnar_query *q, const struct columnar_plan *p,
                                    struct columnar_coldata *out, struct seam_fault *f)
{
    struct order_ordering o = {.q = q, .p = p, .keep = UINT64_MAX};
    bool *required = malloc((size_t)p->n_columns + 1);
    struct order_place *places = NULL;
    enum seam_status st = SEAM_OK;

    o.rows = calloc((size_t)q->threads, sizeof *o.rows);
    o.worst = malloc((size_t)q->threads * sizeof *o.worst);
    if (o.rows == NULL || o.worst == NULL || required == NULL)
        st = SEAM_NOMEM;
    else
        memset(required, 1, (size_t)p->n_columns);
    if (p->limit != UINT64_MAX && p->offset < UINT64_MAX - p->limit) o.keep = p->limit + p->offset;
    for (int t = 0; st == SEAM_OK && t < q->threads; t++) {
        o.worst[t] = INT64_MAX;
        st = columnar_rows_init(&o.rows[t], p);
    }
    if (st == SEAM_OK)
        st = columnar_run_pipeline(q, p->in, (struct columnar_sink){push, &o, required}, f);
    for (int t = 1; st == SEAM_OK && t < q->threads; t++) {
        struct columnar_column *views;

        if (o.rows[t].rows == 0) continue; /* it may have no arrays yet */
        views = calloc((size_t)p->n_columns + 1, sizeof *views);
        if (views == NULL) {
            st = SEAM_NOMEM;
            break;
        }
        for (int c = 0; c < p->n_columns; c++) columnar_coldata_view(&o.rows[t], c, &views[c]);
        st = columnar_coldata_append_columns(&o.rows[0], views, o.rows[t].rows, 0, NULL);
        free(views);
    }
    if (st == SEAM_OK) {
        size_t n = o.rows[0].rows, from = p->offset < n ? (size_t)p->offset : n;
        size_t to = p->limit < n - from ? from + (size_t)p->limit : n;

        places = sorted(p, &o.rows[0]);
        st = places == NULL ? SEAM_NOMEM : take(p, &o.rows[0], places, from, to, out);
    }
    if (st == SEAM_NOMEM)
        seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "no memory to order the rows of a query");
    for (int t = 0; o.rows != NULL && t < q->threads; t++) columnar_coldata_free(&o.rows[t]);
    free(o.rows);
    free(o.worst);
    free(places);
    free(required);
    return st;
}
