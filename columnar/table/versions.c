/* versions - reading the rows of a table's files and tail: columns by schema position, with evolution applied, and
 * where each row version ends. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/table/state.h"

enum { TAIL_GROUP_ROWS = 131072 };

int columnar_table_file_groups(const struct columnar_table_file *tf)
{
    if (tf->file != NULL) return tf->file->group_count;
    return (int)((tf->rows + TAIL_GROUP_ROWS - 1) / TAIL_GROUP_ROWS);
}

uint32_t columnar_table_file_group_rows(const struct columnar_table_file *tf, int group,
                                        uint64_t *first_row)
{
    uint64_t first = (uint64_t)group * TAIL_GROUP_ROWS, left = tf->rows - first;

    if (tf->file != NULL) {
        *first_row = tf->file->groups[group].first_row;
        return tf->file->groups[group].rows;
    }
    *first_row = first;
    return (uint32_t)(left < TAIL_GROUP_ROWS ? left : TAIL_GROUP_ROWS);
}

static void widen(const struct seam_column *want, struct columnar_chunk_scratch *s, uint32_t rows,
                  struct columnar_vec *v)
{
    static const double one_zero[1];

    if (want->type != SEAM_V_DOUBLE || v->type == SEAM_V_DOUBLE) {
        v->type = (uint8_t)want->type;
        return;
    }
    if (v->kind == COLUMNAR_VEC_CONST) rows = 1;
    for (uint32_t i = 0; i < rows; i++) s->d[i] = (double)v->i[columnar_vec_slot(v, i)];
    if (v->kind == COLUMNAR_VEC_DICT) v->kind = COLUMNAR_VEC_FLAT;
    v->type = SEAM_V_DOUBLE;
    v->scale = 0;
    v->d = rows > 0 ? s->d : one_zero;
    v->lo = INT64_MIN;
    v->hi = INT64_MAX;
}

static enum seam_status default_column(const struct seam_column *col,
                                       struct columnar_chunk_scratch *s, struct columnar_vec *out)
{
    static const uint64_t one_null[1] = {1};

    if (s->s == NULL && col->type == SEAM_V_TEXT) s->s = calloc(COLUMNAR_VECTOR_ROWS, sizeof *s->s);
    if (s->s == NULL && col->type == SEAM_V_TEXT) return SEAM_NOMEM;
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_CONST,
                                 .type = (uint8_t)col->type,
                                 .scale = col->scale,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX};
    if (col->def.type == SEAM_V_NULL) out->nulls = one_null;
    if (col->type == SEAM_V_TEXT) {
        s->s[0] = col->def.type == SEAM_V_NULL
                      ? (struct columnar_text_ref){"", 0}
                      : (struct columnar_text_ref){col->def.s, col->def.len};
        out->s = s->s;
    } else {
        s->i[0] = col->def.type == SEAM_V_NULL ? 0 : col->def.i;
        out->i = s->i;
    }
    return SEAM_OK;
}

static enum seam_status tail_column(const struct columnar_table *t,
                                    const struct columnar_table_file *tf, int group, uint32_t v,
                                    int column, struct columnar_chunk_scratch *s,
                                    struct columnar_vec *out)
{
    uint64_t first;
    uint32_t rows = columnar_table_file_group_rows(tf, group, &first),
             left = rows - v * COLUMNAR_VECTOR_ROWS;

    first += (uint64_t)v * COLUMNAR_VECTOR_ROWS;
    if (left > COLUMNAR_VECTOR_ROWS) left = COLUMNAR_VECTOR_ROWS;
    if (column == COLUMN_BEGIN) {
        *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                     .type = SEAM_V_INT,
                                     .lo = INT64_MIN,
                                     .hi = INT64_MAX,
                                     .i = (const int64_t *)(t->rows.lsn + first)};
        return SEAM_OK;
    }
    if (s->s == NULL && t->rows.columns[column].type == SEAM_V_TEXT) {
        s->s = calloc(COLUMNAR_VECTOR_ROWS, sizeof *s->s);
        if (s->s == NULL) return SEAM_NOMEM;
    }
    columnar_coldata_vec(&t->rows, column, first, left, s->s, out);
    return SEAM_OK;
}

enum seam_status columnar_table_read_column(const struct columnar_table *t,
                                            const struct columnar_table_file *tf, int group,
                                            uint32_t v, int column,
                                            struct columnar_chunk_scratch *scratch,
                                            struct columnar_vec *out, struct seam_fault *f)
{
    const struct columnar_chunk *c;
    int at;
    enum seam_status st;

    if (tf->file == NULL)
        return seam_no_memory_if(tail_column(t, tf, group, v, column, scratch, out), f,
                                 "rows that are read");
    at = column == COLUMN_BEGIN ? 0
                                : columnar_colfile_column(tf->file, t->schema.columns[column].id);
    if (at < 0)
        return seam_no_memory_if(default_column(&t->schema.columns[column], scratch, out), f,
                                 "rows that are read");
    st = columnar_colfile_chunk(tf->file, group, at, &c, f);
    if (st != SEAM_OK) return st;
    st = seam_no_memory_if(columnar_chunk_read(c, v, scratch, out), f, "the warehouse");
    if (st == SEAM_CORRUPT)
        return seam_fault_set(f, st, tf->file->path, tf->file->groups[group].chunks[at].offset,
                              "vector %u of a chunk does not decode", v);
    if (st == SEAM_OK && column != COLUMN_BEGIN)
        widen(&t->schema.columns[column], scratch, chunk_vector_rows(c, v), out);
    return st;
}

void columnar_table_read_ends(const struct columnar_table_file *tf, uint64_t first, uint32_t rows,
                              seam_lsn_t *ends)
{
    size_t at = (size_t)(first / COLUMNAR_VECTOR_ROWS);

    for (uint32_t i = 0; i < rows; i++) ends[i] = SEAM_LSN_MAX;
    /* A vector of a file whose groups are not multiples of 2,048 may straddle two buckets. */
    for (; at < tf->bucket_count && at * COLUMNAR_VECTOR_ROWS < first + rows; at++)
        for (uint32_t k = 0; k < tf->buckets[at].count; k++) {
            const struct columnar_kill *kill = &tf->buckets[at].kills[k];

            if (kill->row >= first && kill->row < first + rows) ends[kill->row - first] = kill->end;
        }
}

/* What a walk is about: every vector, or those in which a row begins or ends in (from, to]. */
struct walk {
    const struct columnar_table *t;
    const int *columns;
    int n;
    bool changes;
    seam_lsn_t from, to;
    struct columnar_chunk_scratch **scratch;
    struct columnar_vec *vecs;
    version_fn fn;
    void *ctx;
};

static bool in_between(const struct walk *w, seam_lsn_t lsn)
{
    return lsn > w->from && lsn <= w->to;
}

static bool file_changed(const struct walk *w, const struct columnar_table_file *tf)
{
    return tf->lsn_max > w->from || tf->kill_max > w->from;
}

static bool vector_changed(const struct walk *w, const struct columnar_version_batch *b)
{
    for (uint32_t i = 0; i < b->rows; i++)
        if (in_between(w, b->begin[i]) || (b->end[i] != SEAM_LSN_MAX && in_between(w, b->end[i])))
            return true;
    return false;
}

static enum seam_status versions_of(const struct walk *w, const struct columnar_table_file *tf,
                                    struct seam_fault *f)
{
    seam_lsn_t begin[COLUMNAR_VECTOR_ROWS], end[COLUMNAR_VECTOR_ROWS];

    if (w->changes && !file_changed(w, tf)) return SEAM_OK;
    for (int g = 0; g < columnar_table_file_groups(tf); g++) {
        uint64_t first;
        uint32_t rows = columnar_table_file_group_rows(tf, g, &first);

        for (uint32_t v = 0; v * COLUMNAR_VECTOR_ROWS < rows; v++) {
            uint32_t left = rows - v * COLUMNAR_VECTOR_ROWS < COLUMNAR_VECTOR_ROWS
                                ? rows - v * COLUMNAR_VECTOR_ROWS
                                : COLUMNAR_VECTOR_ROWS;
            struct columnar_version_batch b = {.tf = tf,
                                               .first_row = first + v * COLUMNAR_VECTOR_ROWS,
                                               .rows = left,
                                               .begin = begin,
                                               .end = end,
                                               .cols = w->vecs};
            struct columnar_vec lsn;
            enum seam_status st =
                columnar_table_read_column(w->t, tf, g, v, COLUMN_BEGIN, w->scratch[w->n], &lsn, f);

            if (st != SEAM_OK) return st;
            for (uint32_t i = 0; i < left; i++)
                begin[i] = (seam_lsn_t)lsn.i[columnar_vec_slot(&lsn, i)];
            columnar_table_read_ends(tf, b.first_row, left, end);
            if (w->changes && !vector_changed(w, &b)) continue;
            for (int c = 0; c < w->n; c++) {
                st = columnar_table_read_column(w->t, tf, g, v, w->columns[c], w->scratch[c],
                                                &w->vecs[c], f);
                if (st != SEAM_OK) return st;
            }
            st = seam_no_memory_if(w->fn(w->ctx, &b), f, "the rows of a table");
            if (st != SEAM_OK) return st;
        }
    }
    return SEAM_OK;
}

static enum seam_status walk(struct walk *w, const struct columnar_table_file *only,
                             struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    w->scratch = calloc((size_t)w->n + 1, sizeof *w->scratch);
    w->vecs = calloc((size_t)w->n + 1, sizeof *w->vecs);
    if (w->scratch == NULL || w->vecs == NULL) st = seam_no_memory(f, "the rows of a table");
    for (int c = 0; st == SEAM_OK && c <= w->n; c++) {
        w->scratch[c] = columnar_chunk_scratch_new();
        if (w->scratch[c] == NULL) st = seam_no_memory(f, "the rows of a table");
    }
    if (st == SEAM_OK && only != NULL) {
        st = versions_of(w, only, f);
    } else if (st == SEAM_OK) {
        for (size_t i = 0; st == SEAM_OK && i < w->t->file_count; i++)
            st = versions_of(w, &w->t->files[i], f);
        if (st == SEAM_OK) st = versions_of(w, &w->t->tail, f);
    }
    for (int c = 0; w->scratch != NULL && c <= w->n; c++)
        columnar_chunk_scratch_free(w->scratch[c]);
    free(w->scratch);
    free(w->vecs);
    return st;
}

enum seam_status columnar_table_versions(const struct columnar_table *t,
                                         const struct columnar_table_file *only, const int *columns,
                                         int n, version_fn fn, void *ctx, struct seam_fault *f)
{
    struct walk w = {.t = t, .columns = columns, .n = n, .fn = fn, .ctx = ctx};

    return walk(&w, only, f);
}

enum seam_status columnar_table_changes(const struct columnar_table *t, seam_lsn_t from,
                                        seam_lsn_t to, const int *columns, int n, version_fn fn,
                                        void *ctx, struct seam_fault *f)
{
    struct walk w = {.t = t,
                     .columns = columns,
                     .n = n,
                     .changes = true,
                     .from = from,
                     .to = to,
                     .fn = fn,
                     .ctx = ctx};

    return walk(&w, NULL, f);
}
