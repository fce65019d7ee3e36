/* diff - what changed in a table between two LSNs: every change, or the net of them. */
#include <stdlib.h>

#include "columnar/table/keyindex.h"
#include "columnar/table/reader.h"
#include "engine/base/hash.h"

struct changed {
    struct columnar_key128 key;
    seam_lsn_t begin, end;
    size_t row;
};

struct collect {
    const struct columnar_table *t;
    seam_lsn_t a, b;
    const int *columns;
    int count;
    struct seam_value *values;
    struct columnar_coldata rows;
    seam_lsn_t *ends;
    size_t cap;
};

static enum seam_status collect_batch(void *ctx, const struct columnar_version_batch *b)
{
    struct collect *c = ctx;

    for (uint32_t i = 0; i < b->rows; i++) {
        bool begun = b->begin[i] > c->a && b->begin[i] <= c->b;
        bool ended = b->end[i] > c->a && b->end[i] <= c->b;

        if ((!begun && !ended) || b->begin[i] == b->end[i]) continue;
        if (c->rows.rows == c->cap) {
            size_t cap = c->cap == 0 ? 1024 : 2 * c->cap;
            seam_lsn_t *more = realloc(c->ends, cap * sizeof *more);

            if (more == NULL) return SEAM_NOMEM;
            c->ends = more;
            c->cap = cap;
        }
        c->ends[c->rows.rows] = b->end[i];
        for (int k = 0; k < c->count; k++)
            c->values[c->columns[k]] = columnar_vec_value(&b->cols[k], i);
        if (columnar_coldata_append(&c->rows, c->values, b->begin[i]) != SEAM_OK) return SEAM_NOMEM;
    }
    return SEAM_OK;
}

static int by_key(const void *pa, const void *pb)
{
    const struct changed *a = pa, *b = pb;

    if (a->key.hi != b->key.hi) return a->key.hi < b->key.hi ? -1 : 1;
    if (a->key.lo != b->key.lo) return a->key.lo < b->key.lo ? -1 : 1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

struct event {
    seam_lsn_t lsn;
    char op;
    size_t before, after;
};
enum { NO_ROW = -1 };

static int by_lsn(const void *pa, const void *pb)
{
    const struct event *a = pa, *b = pb;

    if (a->lsn != b->lsn) return a->lsn < b->lsn ? -1 : 1;
    if (a->op == 'd' || b->op == 'd') return (b->op == 'd') - (a->op == 'd');
    return (a->after > b->after) - (a->after < b->after);
}

static bool same_row(const struct columnar_coldata *d, size_t x, size_t y)
{
    for (int c = 0; c < d->count; c++) {
        struct seam_value a = columnar_coldata_value(d, c, x), b = columnar_coldata_value(d, c, y);

        if (!seam_value_equal(&a, &b)) return false;
    }
    return true;
}

/* Versions of one key, in order of begin. */
static size_t events_all(const struct collect *c, const struct changed *v, size_t n,
                         struct event *out)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        bool follows = i > 0 && v[i - 1].end == v[i].begin;
        bool followed = i + 1 < n && v[i].end == v[i + 1].begin;

        if (v[i].begin > c->a && v[i].begin <= c->b)
            out[count++] = follows ? (struct event){v[i].begin, 'u', v[i - 1].row, v[i].row}
                                   : (struct event){v[i].begin, 'i', (size_t)NO_ROW, v[i].row};
        if (v[i].end > c->a && v[i].end <= c->b && !followed)
            out[count++] = (struct event){v[i].end, 'd', v[i].row, (size_t)NO_ROW};
    }
    return count;
}

static size_t events_net(const struct collect *c, const struct changed *v, size_t n,
                         struct event *out)
{
    const struct changed *before = NULL, *after = NULL;

    for (size_t i = 0; i < n; i++) {
        if (v[i].begin <= c->a && v[i].end > c->a) before = &v[i];
        if (v[i].begin <= c->b && v[i].end > c->b) after = &v[i];
    }
    if (before == NULL && after == NULL) return 0;
    if (before == NULL)
        *out = (struct event){after->begin, 'i', (size_t)NO_ROW, after->row};
    else if (after == NULL)
        *out = (struct event){v[n - 1].end, 'd', before->row, (size_t)NO_ROW};
    else if (same_row(&c->rows, before->row, after->row))
        return 0;
    else
        *out = (struct event){after->begin, 'u', before->row, after->row};
    return 1;
}

static enum seam_status keys_of(const struct collect *c, struct changed *v, struct seam_fault *f)
{
    struct seam_buf scratch = {0};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < c->rows.rows; i++) {
        v[i] = (struct changed){
            .begin = c->rows.lsn[i], .end = c->ends[i], .row = i, .key = {(uint64_t)i, 0}};
        if (c->t->schema.key_count == 0) continue;
        for (int k = 0; k < c->t->schema.key_count; k++)
            c->values[c->t->schema.key[k]] =
                columnar_coldata_value(&c->rows, c->t->schema.key[k], i);
        st = columnar_keyindex_key(&c->t->schema, c->values, &scratch, &v[i].key, f);
    }
    seam_buf_free(&scratch);
    return st;
}

static enum seam_status tell(const struct collect *c, const struct event *e, size_t n,
                             columnar_change_fn fn, void *ctx)
{
    struct seam_value *before = calloc(SEAM_COLUMNS_MAX, sizeof *before),
                      *after = calloc(SEAM_COLUMNS_MAX, sizeof *after);
    enum seam_status st = before == NULL || after == NULL ? SEAM_NOMEM : SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct columnar_change change = {.op = e[i].op, .lsn = e[i].lsn};

        for (int k = 0; k < c->rows.count; k++) {
            if (e[i].op != 'i') before[k] = columnar_coldata_value(&c->rows, k, e[i].before);
            if (e[i].op != 'd') after[k] = columnar_coldata_value(&c->rows, k, e[i].after);
        }
        if (e[i].op != 'i') change.before = before;
        if (e[i].op != 'd') change.after = after;
        st = fn(ctx, &change);
    }
    free(before);
    free(after);
    return st;
}

static enum seam_status report(const struct collect *c, enum columnar_diff_mode mode,
                               columnar_change_fn fn, void *ctx, struct seam_fault *f)
{
    size_t n = c->rows.rows, count = 0;
    struct changed *v = malloc((n + 1) * sizeof *v);
    struct event *events = malloc((2 * n + 1) * sizeof *events);
    enum seam_status st = v == NULL || events == NULL
                              ? seam_no_memory(f, "what changed between two moments")
                              : keys_of(c, v, f);

    if (st == SEAM_OK) {
        qsort(v, n, sizeof *v, by_key);
        for (size_t i = 0, j; i < n; i = j) {
            for (j = i + 1; j < n && v[j].key.lo == v[i].key.lo && v[j].key.hi == v[i].key.hi;) j++;
            count += mode == COLUMNAR_DIFF_ALL ? events_all(c, v + i, j - i, events + count)
                                               : events_net(c, v + i, j - i, events + count);
        }
        qsort(events, count, sizeof *events, by_lsn);
        st = tell(c, events, count, fn, ctx);
    }
    free(v);
    free(events);
    return st;
}

enum seam_status columnar_diff(const struct columnar_reader *r, int table, seam_lsn_t a,
                               seam_lsn_t b, enum columnar_diff_mode mode, columnar_change_fn fn,
                               void *ctx, struct seam_fault *f)
{
    const struct columnar_table *t = &r->s.tables[table];
    int columns[SEAM_COLUMNS_MAX];
    struct collect c = {
        .t = t, .a = a, .b = b == SEAM_LSN_MAX ? r->s.applied : b, .columns = columns};
    enum seam_status st = columnar_state_readable(&r->s, a, f);

    if (st == SEAM_OK) st = columnar_state_readable(&r->s, c.b, f);
    if (st == SEAM_OK && a > c.b)
        st = seam_fault_set(f, SEAM_INVALID, t->schema.name, SEAM_FAULT_NO_OFFSET,
                            "the first LSN must be the lower");
    if (st == SEAM_OK && mode == COLUMNAR_DIFF_ALL && a < r->s.horizon)
        st = seam_fault_set(
            f, SEAM_NOT_FOUND, t->schema.name, SEAM_FAULT_NO_OFFSET,
            "every change is known only within the kept history; ask for the net change");
    if (st != SEAM_OK) return st;
    c.values = calloc(SEAM_COLUMNS_MAX, sizeof *c.values);
    st = c.values == NULL
             ? seam_no_memory(f, "what changed between two moments")
             : seam_no_memory_if(columnar_coldata_init(&c.rows, &t->schema), f, "the warehouse");
    for (int k = 0; k < t->schema.column_count; k++)
        if (seam_column_live(&t->schema.columns[k], t->schema.version)) columns[c.count++] = k;
    if (st == SEAM_OK)
        st = columnar_table_changes(t, c.a, c.b, columns, c.count, collect_batch, &c, f);
    if (st == SEAM_OK) st = report(&c, mode, fn, ctx, f);
    free(c.values);
    free(c.ends);
    columnar_coldata_free(&c.rows);
    return st;
}
