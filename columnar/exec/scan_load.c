/* scan_load - a scan's columns, decoded a vector at a time, and damage named where it lies. */
#include <assert.h>

#include "columnar/exec/scan_impl.h"

void columnar_scan_touch(struct columnar_cursor *c, int column)
{
    const struct columnar_chunk *k = c->t->chunks[column];

    if (c->t->touched[column]) return;
    c->t->touched[column] = true;
    if (k != NULL)
        c->t->stats.bytes_read += k->zones[c->v].end - k->zones[c->v].at;
    else if (c->m->tf->file == NULL)
        c->t->stats.bytes_read += (uint64_t)c->rows * 8;
}

enum seam_status columnar_scan_corrupt_vector(struct columnar_cursor *c, int column)
{
    const struct columnar_colfile *file = c->m->tf->file;
    int at =
        columnar_colfile_column(file, c->s->t->schema.columns[c->s->p->scan_columns[column]].id);

    return seam_fault_set(c->f, SEAM_CORRUPT, file->path,
                          file->groups[c->m->group].chunks[at].offset,
                          "vector %u of a chunk does not decode", c->v);
}

/* As at the LSN asked for: what ended later lives, the future is not told. */
static enum seam_status load_end(struct columnar_cursor *c, struct columnar_vec *out)
{
    bool any = false;

    columnar_table_read_ends(c->m->tf, c->first_row, c->rows, c->t->ends);
    memset(c->t->end_nulls, 0, sizeof c->t->end_nulls);
    for (uint32_t i = 0; i < c->rows; i++) {
        c->t->end_column[i] = (int64_t)c->t->ends[i];
        if (c->t->ends[i] != SEAM_LSN_MAX && c->t->ends[i] <= c->s->p->to) continue;
        c->t->end_column[i] = 0;
        seam_bitset_set(c->t->end_nulls, i);
        any = true;
    }
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = SEAM_V_INT,
                                 .i = c->t->end_column,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX,
                                 .nulls = any ? c->t->end_nulls : NULL};
    return SEAM_OK;
}

enum seam_status columnar_scan_load(struct columnar_cursor *c, int column)
{
    int at = c->s->p->scan_columns[column];
    enum seam_status st;

    if (c->t->loaded[column]) return SEAM_OK;
    c->t->loaded[column] = true;
    columnar_scan_touch(c, column);
    if (at == COLUMNAR_PLAN_COLUMN_END) return load_end(c, &c->t->vecs[column]);
    st = columnar_table_read_column(c->s->t, c->m->tf, c->m->group, c->v,
                                    at == COLUMNAR_PLAN_COLUMN_BEGIN ? COLUMN_BEGIN : at,
                                    c->t->scratch[column], &c->t->vecs[column], c->f);
    return st;
}
