/* order - order by, and top-n: each thread keeps its best rows, trimmed as it goes. */
#include <stdlib.h>

#include "columnar/format/chunk.h"
#include "columnar/exec/plan.h"

enum { TRIM_ROWS = 4096 };

struct place { int64_t zone; uint32_t row; };

struct ordering {
    struct query *q;
    const struct plan *p;
    uint64_t keep;           /* rows worth keeping; UINT64_MAX all */
    struct coldata *rows;    /* a thread each */
    int64_t *worst;          /* a thread each: no row beyond this zone of the first key can be among the best */
};

struct sort_ctx { const struct plan *p; const struct coldata *d; };

/* Null keys are the largest unless nulls_first; descending turns values, not nulls. */
static int64_t zone_of(const struct plan_key *k, const struct value *v)
{
    int64_t z;

    if (v->type == V_NULL) return k->nulls_first ? INT64_MIN : INT64_MAX;
    z = v->type == V_TEXT ? zone_of_text(v->s, v->len)
        : v->type == V_DOUBLE ? zone_of_double(v->d == 0 ? 0.0 : v->d) : v->i;
    return k->descending ? ~z : z;
}

static int by_keys(const void *pa, const void *pb, void *ctx)
{
    const struct place *a = pa, *b = pb;
    const struct sort_ctx *s = ctx;

    if (a->zone != b->zone) return a->zone < b->zone ? -1 : 1;
    for (int k = 0; k < s->p->n_keys; k++) {
        const struct plan_key *key = &s->p->keys[k];
        struct value x = coldata_value(s->d, key->column, a->row), y = coldata_value(s->d, key->column, b->row);
        int c;

        if (x.type == V_NULL || y.type == V_NULL) {
            if (x.type == y.type) continue;
            return (x.type == V_NULL) == key->nulls_first ? -1 : 1;
        }
        c = value_compare(&x, &y);
        if (c != 0) return key->descending ? -c : c;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static struct place *sorted(const struct plan *p, const struct coldata *d)
{
    struct place *places = malloc((d->rows + 1) * sizeof *places);
    struct sort_ctx ctx = {p, d};

    if (places == NULL) return NULL;
    for (size_t i = 0; i < d->rows; i++) {
        struct value v = p->n_keys > 0 ? coldata_value(d, p->keys[0].column, i) : v_null();

        places[i] = (struct place){p->n_keys > 0 ? zone_of(&p->keys[0], &v) : 0, (uint32_t)i};
    }
    qsort_r(places, d->rows, sizeof *places, by_keys, &ctx);
    return places;
}

/* The rows places[from..to) of d. */
static enum status take(const struct plan *p, const struct coldata *d, const struct place *places, size_t from,
                        size_t to, struct coldata *out)
{
    struct value *row = calloc((size_t)d->count + 1, sizeof *row);
    enum status st = row == NULL ? ST_NOMEM : rows_init(out, p);

    if (st == ST_OK) st = coldata_reserve(out, to - from);
    for (size_t i = from; st == ST_OK && i < to; i++) {
        for (int c = 0; c < d->count; c++) row[c] = coldata_value(d, c, places[i].row);
        st = coldata_append(out, row, 0);
    }
    free(row);
    return st;
}

static enum status trim(const struct ordering *o, struct coldata *d, int64_t *worst)
{
    struct coldata kept = {0};
    struct place *places = sorted(o->p, d);
    enum status st = places == NULL ? ST_NOMEM : take(o->p, d, places, 0, (size_t)o->keep, &kept);

    if (st == ST_OK && o->keep > 0) *worst = places[o->keep - 1].zone;
    free(places);
    if (st != ST_OK) {
        coldata_free(&kept);
        return st;
    }
    coldata_free(d);
    *d = kept;
    return ST_OK;
}

static enum status push(void *self, int thread, const struct batch *b, const uint64_t *sel, struct fault *f)
{
    struct ordering *o = self;
    struct coldata *d = &o->rows[thread];
    uint64_t hopeful[VECTOR_WORDS] = {0};
    enum status st;

    if (o->p->n_keys > 0 && o->worst[thread] < INT64_MAX) {
        const struct plan_key *key = &o->p->keys[0];

        for (uint32_t i = 0; i < b->rows; i++) {
            struct value v;

            if (sel != NULL && !bitset_get(sel, i)) continue;
            v = vec_value(&b->cols[key->column], i);
            if (zone_of(key, &v) <= o->worst[thread]) bitset_set(hopeful, i);
        }
        sel = hopeful;
        if (bitset_next(hopeful, b->rows, 0) == b->rows) return ST_OK;
    }
    st = rows_append(d, b, sel);
    if (st == ST_OK && o->keep < UINT32_MAX && d->rows > 2 * o->keep + TRIM_ROWS)
        st = trim(o, d, &o->worst[thread]);
    if (st == ST_NOMEM) fault_set(f, st, NULL, FAULT_NO_OFFSET, "no memory to order the rows of a query");
    return st;
}

enum status run_order(struct query *q, const struct plan *p, struct coldata *out, struct fault *f)
{
    struct ordering o = {.q = q, .p = p, .keep = UINT64_MAX};
    bool *required = malloc((size_t)p->n_columns + 1);
    struct place *places = NULL;
    enum status st = ST_OK;

    o.rows = calloc((size_t)q->threads, sizeof *o.rows);
    o.worst = malloc((size_t)q->threads * sizeof *o.worst);
    if (o.rows == NULL || o.worst == NULL || required == NULL) st = ST_NOMEM;
    else memset(required, 1, (size_t)p->n_columns);
    if (p->limit != UINT64_MAX && p->offset < UINT64_MAX - p->limit) o.keep = p->limit + p->offset;
    for (int t = 0; st == ST_OK && t < q->threads; t++) {
        o.worst[t] = INT64_MAX;
        st = rows_init(&o.rows[t], p);
    }
    if (st == ST_OK) st = run_pipeline(q, p->in, (struct sink){push, &o, required}, f);
    for (int t = 1; st == ST_OK && t < q->threads; t++) {
        struct columnar_column *views = calloc((size_t)p->n_columns + 1, sizeof *views);

        if (views == NULL) {
            st = ST_NOMEM;
            break;
        }
        for (int c = 0; c < p->n_columns; c++) coldata_view(&o.rows[t], c, &views[c]);
        st = coldata_append_columns(&o.rows[0], views, o.rows[t].rows, 0, NULL);
        free(views);
    }
    if (st == ST_OK) {
        size_t n = o.rows[0].rows, from = p->offset < n ? (size_t)p->offset : n;
        size_t to = p->limit < n - from ? from + (size_t)p->limit : n;

        places = sorted(p, &o.rows[0]);
        st = places == NULL ? ST_NOMEM : take(p, &o.rows[0], places, from, to, out);
    }
    if (st == ST_NOMEM) fault_set(f, st, NULL, FAULT_NO_OFFSET, "no memory to order the rows of a query");
    for (int t = 0; o.rows != NULL && t < q->threads; t++) coldata_free(&o.rows[t]);
    free(o.rows);
    free(o.worst);
    free(places);
    free(required);
    return st;
}
