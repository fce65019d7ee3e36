/* versions - reading the rows of a table's files and tail: columns by schema position, with evolution applied, and
 * where each row version ends. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/table/state.h"

enum { TAIL_GROUP_ROWS = 131072 };

int table_file_groups(const struct table_file *tf)
{
    if (tf->file != NULL) return tf->file->group_count;
    return (int)((tf->rows + TAIL_GROUP_ROWS - 1) / TAIL_GROUP_ROWS);
}

uint32_t table_file_group_rows(const struct table_file *tf, int group, uint64_t *first_row)
{
    uint64_t first = (uint64_t)group * TAIL_GROUP_ROWS, left = tf->rows - first;

    if (tf->file != NULL) {
        *first_row = tf->file->groups[group].first_row;
        return tf->file->groups[group].rows;
    }
    *first_row = first;
    return (uint32_t)(left < TAIL_GROUP_ROWS ? left : TAIL_GROUP_ROWS);
}

static void widen(const struct column *want, struct chunk_scratch *s, uint32_t rows, struct vec *v)
{
    static const double one_zero[1];

    if (want->type != V_DOUBLE || v->type == V_DOUBLE) {
        v->type = (uint8_t)want->type;
        return;
    }
    if (v->kind == VEC_CONST) rows = 1;
    for (uint32_t i = 0; i < rows; i++) s->d[i] = (double)v->i[vec_slot(v, i)];
    if (v->kind == VEC_DICT) v->kind = VEC_FLAT;
    v->type = V_DOUBLE;
    v->scale = 0;
    v->d = rows > 0 ? s->d : one_zero;
    v->lo = INT64_MIN;
    v->hi = INT64_MAX;
}

static enum status default_column(const struct column *col, struct chunk_scratch *s, struct vec *out)
{
    static const uint64_t one_null[1] = {1};

    if (s->s == NULL && col->type == V_TEXT) s->s = calloc(VECTOR_ROWS, sizeof *s->s);
    if (s->s == NULL && col->type == V_TEXT) return ST_NOMEM;
    *out = (struct vec){.kind = VEC_CONST, .type = (uint8_t)col->type, .scale = col->scale,
                        .lo = INT64_MIN, .hi = INT64_MAX};
    if (col->def.type == V_NULL) out->nulls = one_null;
    if (col->type == V_TEXT) {
        s->s[0] = col->def.type == V_NULL ? (struct text_ref){"", 0}
                                          : (struct text_ref){col->def.s, col->def.len};
        out->s = s->s;
    } else {
        s->i[0] = col->def.type == V_NULL ? 0 : col->def.i;
        out->i = s->i;
    }
    return ST_OK;
}

static enum status tail_column(const struct table *t, const struct table_file *tf, int group, uint32_t v,
                               int column, struct chunk_scratch *s, struct vec *out)
{
    uint64_t first;
    uint32_t rows = table_file_group_rows(tf, group, &first), left = rows - v * VECTOR_ROWS;

    first += (uint64_t)v * VECTOR_ROWS;
    if (left > VECTOR_ROWS) left = VECTOR_ROWS;
    if (column == COLUMN_BEGIN) {
        *out = (struct vec){.kind = VEC_FLAT, .type = V_INT, .lo = INT64_MIN, .hi = INT64_MAX,
                            .i = (const int64_t *)(t->rows.lsn + first)};
        return ST_OK;
    }
    if (s->s == NULL && t->rows.columns[column].type == V_TEXT) {
        s->s = calloc(VECTOR_ROWS, sizeof *s->s);
        if (s->s == NULL) return ST_NOMEM;
    }
    coldata_vec(&t->rows, column, first, left, s->s, out);
    return ST_OK;
}

enum status table_read_column(const struct table *t, const struct table_file *tf, int group, uint32_t v,
                              int column, struct chunk_scratch *scratch, struct vec *out,
                              struct fault *f)
{
    const struct chunk *c;
    int at;
    enum status st;

    if (tf->file == NULL) return tail_column(t, tf, group, v, column, scratch, out);
    at = column == COLUMN_BEGIN ? 0 : colfile_column(tf->file, t->schema.columns[column].id);
    if (at < 0) return default_column(&t->schema.columns[column], scratch, out);
    st = colfile_chunk(tf->file, group, at, &c, f);
    if (st != ST_OK) return st;
    st = chunk_read(c, v, scratch, out);
    if (st == ST_CORRUPT)
        return fault_set(f, st, tf->file->path, tf->file->groups[group].chunks[at].offset,
                         "vector %u of a chunk does not decode", v);
    if (st == ST_OK && column != COLUMN_BEGIN)
        widen(&t->schema.columns[column], scratch, chunk_vector_rows(c, v), out);
    return st;
}

void table_read_ends(const struct table_file *tf, uint64_t first, uint32_t rows, lsn_t *ends)
{
    size_t at = (size_t)(first / VECTOR_ROWS);

    for (uint32_t i = 0; i < rows; i++) ends[i] = LSN_MAX;
    /* A vector of a file whose groups are not multiples of 2,048 may straddle two buckets. */
    for (; at < tf->bucket_count && at * VECTOR_ROWS < first + rows; at++)
        for (uint32_t k = 0; k < tf->buckets[at].count; k++) {
            const struct kill *kill = &tf->buckets[at].kills[k];

            if (kill->row >= first && kill->row < first + rows) ends[kill->row - first] = kill->end;
        }
}

/* What a walk is about: every vector, or those in which a row begins or ends in (from, to]. */
struct walk {
    const struct table *t;
    const int *columns;
    int n;
    bool changes;
    lsn_t from, to;
    struct chunk_scratch **scratch;
    struct vec *vecs;
    version_fn fn;
    void *ctx;
};

static bool in_between(const struct walk *w, lsn_t lsn) { return lsn > w->from && lsn <= w->to; }

static bool file_changed(const struct walk *w, const struct table_file *tf)
{
    return tf->lsn_max > w->from || tf->kill_max > w->from;
}

static bool vector_changed(const struct walk *w, const struct version_batch *b)
{
    for (uint32_t i = 0; i < b->rows; i++)
        if (in_between(w, b->begin[i]) || (b->end[i] != LSN_MAX && in_between(w, b->end[i]))) return true;
    return false;
}

static enum status versions_of(const struct walk *w, const struct table_file *tf, struct fault *f)
{
    lsn_t begin[VECTOR_ROWS], end[VECTOR_ROWS];

    if (w->changes && !file_changed(w, tf)) return ST_OK;
    for (int g = 0; g < table_file_groups(tf); g++) {
        uint64_t first;
        uint32_t rows = table_file_group_rows(tf, g, &first);

        for (uint32_t v = 0; v * VECTOR_ROWS < rows; v++) {
            uint32_t left = rows - v * VECTOR_ROWS < VECTOR_ROWS ? rows - v * VECTOR_ROWS : VECTOR_ROWS;
            struct version_batch b = {.tf = tf, .first_row = first + v * VECTOR_ROWS, .rows = left,
                                      .begin = begin, .end = end, .cols = w->vecs};
            struct vec lsn;
            enum status st = table_read_column(w->t, tf, g, v, COLUMN_BEGIN, w->scratch[w->n], &lsn, f);

            if (st != ST_OK) return st;
            for (uint32_t i = 0; i < left; i++) begin[i] = (lsn_t)lsn.i[vec_slot(&lsn, i)];
            table_read_ends(tf, b.first_row, left, end);
            if (w->changes && !vector_changed(w, &b)) continue;
            for (int c = 0; c < w->n; c++) {
                st = table_read_column(w->t, tf, g, v, w->columns[c], w->scratch[c], &w->vecs[c], f);
                if (st != ST_OK) return st;
            }
            st = w->fn(w->ctx, &b);
            if (st != ST_OK) return st;
        }
    }
    return ST_OK;
}

static enum status walk(struct walk *w, const struct table_file *only, struct fault *f)
{
    enum status st = ST_OK;

    w->scratch = calloc((size_t)w->n + 1, sizeof *w->scratch);
    w->vecs = calloc((size_t)w->n + 1, sizeof *w->vecs);
    if (w->scratch == NULL || w->vecs == NULL) st = ST_NOMEM;
    for (int c = 0; st == ST_OK && c <= w->n; c++) {
        w->scratch[c] = chunk_scratch_new();
        if (w->scratch[c] == NULL) st = ST_NOMEM;
    }
    if (st == ST_OK && only != NULL) {
        st = versions_of(w, only, f);
    } else if (st == ST_OK) {
        for (size_t i = 0; st == ST_OK && i < w->t->file_count; i++) st = versions_of(w, &w->t->files[i], f);
        if (st == ST_OK) st = versions_of(w, &w->t->tail, f);
    }
    for (int c = 0; w->scratch != NULL && c <= w->n; c++) chunk_scratch_free(w->scratch[c]);
    free(w->scratch);
    free(w->vecs);
    return st;
}

enum status table_versions(const struct table *t, const struct table_file *only, const int *columns,
                           int n, version_fn fn, void *ctx, struct fault *f)
{
    struct walk w = {.t = t, .columns = columns, .n = n, .fn = fn, .ctx = ctx};

    return walk(&w, only, f);
}

enum status table_changes(const struct table *t, lsn_t from, lsn_t to, const int *columns, int n, version_fn fn,
                          void *ctx, struct fault *f)
{
    struct walk w = {.t = t, .columns = columns, .n = n, .changes = true, .from = from, .to = to, .fn = fn, .ctx = ctx};

    return walk(&w, NULL, f);
}
