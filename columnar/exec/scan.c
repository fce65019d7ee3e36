/* scan - row groups of a table: pruned by statistics, filtered encoded, decoded late.
 *
 *   for each row group:  conditions against the footer's statistics        -> skip, or drop conditions
 *     for each vector:   conditions against the vector's statistics        -> skip, or drop conditions
 *                        rows visible AS OF the LSN                        -> selection
 *                        ranges on packed integers and dictionary codes    -> narrower selection
 *                        other conditions on decoded columns               -> narrower selection
 *                        columns somebody needs: whole, or only the chosen rows when they are few     */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/prune.h"
#include "columnar/exec/scan_impl.h"
#include "engine/base/bitpack.h"

enum { SPARSE_PART = 12 }; /* fewer than rows/12 chosen: decode them one by one */

/* ---- making ---- */

static void note_column(void *ctx, int column)
{
    struct columnar_scan_cond *c = ctx;

    for (int k = 0; k < c->n_columns && k < (int)SEAM_ARRAY_LEN(c->columns); k++)
        if (c->columns[k] == column) return;
    if (c->n_columns < (int)SEAM_ARRAY_LEN(c->columns)) c->columns[c->n_columns] = column;
    c->n_columns++;
}

static bool int_like(unsigned type)
{
    return type != SEAM_V_TEXT && type != SEAM_V_DOUBLE && type != SEAM_V_NULL;
}

/* column op constant, as a range of int64. */
static bool as_range(const struct columnar_plan *p, struct columnar_scan_cond *c)
{
    const struct columnar_expr *e = c->e, *a, *k;

    if (e->op < COLUMNAR_E_EQ || e->op > COLUMNAR_E_GE || e->op == COLUMNAR_E_NE) return false;
    a = e->args[0];
    k = e->args[1];
    if (a->op != COLUMNAR_E_COLUMN || !columnar_expr_is_const(k) ||
        k->constant.type == SEAM_V_NULL || !int_like(a->type) || k->scale != a->scale ||
        p->scan_columns[a->column] < 0)
        return false;
    c->column = a->column;
    c->lo = INT64_MIN;
    c->hi = INT64_MAX;
    switch (e->op) {
    case COLUMNAR_E_EQ: c->lo = c->hi = k->constant.i; break;
    case COLUMNAR_E_LE: c->hi = k->constant.i; break;
    case COLUMNAR_E_GE: c->lo = k->constant.i; break;
    case COLUMNAR_E_LT:
        if (k->constant.i == INT64_MIN) return false;
        c->hi = k->constant.i - 1;
        break;
    default:
        if (k->constant.i == INT64_MAX) return false;
        c->lo = k->constant.i + 1;
    }
    return true;
}

static bool is_strict(const struct columnar_expr *e)
{
    if (e->op == COLUMNAR_E_IS_NULL || e->op == COLUMNAR_E_IS_NOT_NULL ||
        e->op == COLUMNAR_E_CASE || e->op == COLUMNAR_E_COALESCE || e->op == COLUMNAR_E_CONCAT)
        return false;
    for (int k = 0; k < e->n_args; k++)
        if (!is_strict(e->args[k]) || ((e->op == COLUMNAR_E_OR || e->op == COLUMNAR_E_AND) &&
                                       columnar_expr_is_const(e->args[k])))
            return false;
    return true;
}

static void add_cond(struct columnar_scan *s, const struct columnar_expr *e)
{
    struct columnar_scan_cond c = {.e = e, .kind = COND_EXPR};

    if (e->op == COLUMNAR_E_AND) {
        for (int k = 0; k < e->n_args; k++) add_cond(s, e->args[k]);
        return;
    }
    columnar_expr_columns(e, note_column, &c);
    if (as_range(s->p, &c)) {
        c.kind = COND_RANGE;
        /* Two sides of one column become one range; pruning still looks at each. */
        for (int k = 0; k < s->n_conds; k++)
            if (s->conds[k].kind == COND_RANGE && s->conds[k].column == c.column) {
                struct columnar_scan_cond *had = &s->conds[k];

                if (c.lo > had->lo) had->lo = c.lo;
                if (c.hi < had->hi) had->hi = c.hi;
                c.lo = had->lo;
                c.hi = had->hi;
            }
    } else if (c.n_columns == 1 && s->p->scan_columns[c.columns[0]] >= 0) {
        c.kind = COND_COLUMN;
        c.column = c.columns[0];
        c.strict = is_strict(e);
    }
    s->conds[s->n_conds++] = c;
}

static size_t count_leaves(const struct columnar_expr *e)
{
    size_t n = 0;

    if (e->op != COLUMNAR_E_AND) return 1;
    for (int k = 0; k < e->n_args; k++) n += count_leaves(e->args[k]);
    return n;
}

static void add_totals(struct columnar_scan *s, const struct columnar_table_file *tf)
{
    struct columnar_query_stats *st = &s->q->stats;

    for (int g = 0; g < columnar_table_file_groups(tf); g++) {
        uint64_t first;
        uint32_t rows = columnar_table_file_group_rows(tf, g, &first);

        st->rows_total += rows;
        st->groups_total++;
        st->vectors_total += (rows + COLUMNAR_VECTOR_ROWS - 1) / COLUMNAR_VECTOR_ROWS;
    }
    st->bytes_total += tf->file != NULL ? tf->bytes : s->t->rows.bytes;
}

static void add_file(struct columnar_scan *s, const struct columnar_table_file *tf)
{
    if (tf->rows == 0) return;
    add_totals(s, tf);
    if (tf->lsn_min > s->p->to) return;
    for (int g = 0; g < columnar_table_file_groups(tf); g++)
        s->morsels[s->morsel_count++] = (struct columnar_scan_morsel){tf, g};
}

static enum seam_status thread_init(struct columnar_scan *s, struct columnar_scan_thread *t)
{
    size_t n = (size_t)s->n_columns + 1;

    t->scratch = calloc(n, sizeof *t->scratch);
    t->vecs = calloc(n, sizeof *t->vecs);
    t->loaded = calloc(n, sizeof *t->loaded);
    t->touched = calloc(n, sizeof *t->touched);
    t->chunks = calloc(n, sizeof *t->chunks);
    t->cache = calloc((size_t)s->n_conds + 1, sizeof *t->cache);
    t->rows_at = malloc(COLUMNAR_VECTOR_ROWS * sizeof *t->rows_at);
    t->ends = malloc(COLUMNAR_VECTOR_ROWS * sizeof *t->ends);
    t->end_column = malloc(COLUMNAR_VECTOR_ROWS * sizeof *t->end_column);
    t->eval = columnar_expr_state_new();
    if (t->scratch == NULL || t->vecs == NULL || t->loaded == NULL || t->touched == NULL ||
        t->chunks == NULL || t->cache == NULL || t->rows_at == NULL || t->ends == NULL ||
        t->end_column == NULL || t->eval == NULL)
        return SEAM_NOMEM;
    for (size_t c = 0; c < n; c++) {
        t->scratch[c] = columnar_chunk_scratch_new();
        if (t->scratch[c] == NULL) return SEAM_NOMEM;
    }
    return SEAM_OK;
}

static void thread_free(struct columnar_scan *s, struct columnar_scan_thread *t)
{
    for (int c = 0; t->scratch != NULL && c <= s->n_columns; c++)
        columnar_chunk_scratch_free(t->scratch[c]);
    for (int k = 0; t->cache != NULL && k < s->n_conds; k++) free(t->cache[k].flags);
    free(t->scratch);
    free(t->vecs);
    free(t->loaded);
    free(t->touched);
    free(t->chunks);
    free(t->cache);
    free(t->rows_at);
    free(t->ends);
    free(t->end_column);
    columnar_expr_state_free(t->eval);
}

enum seam_status columnar_scan_new(struct columnar_query *q, const struct columnar_plan *p,
                                   const struct columnar_expr *const *conds, int n_conds,
                                   const bool *required, struct columnar_scan **out,
                                   struct seam_fault *f)
{
    struct columnar_scan *s = calloc(1, sizeof *s);
    size_t leaves = 0, groups = 0;
    enum seam_status st = SEAM_OK;

    if (s == NULL) goto no_memory;
    s->q = q;
    s->p = p;
    s->t = &p->reader->s.tables[p->table];
    s->n_columns = p->n_columns;
    s->required = required;
    s->threads = q->threads;
    for (int k = 0; k < n_conds; k++) leaves += count_leaves(conds[k]);
    for (size_t i = 0; i < s->t->file_count; i++)
        groups += (size_t)columnar_table_file_groups(&s->t->files[i]);
    groups += (size_t)columnar_table_file_groups(&s->t->tail);
    s->conds = calloc(leaves + 1, sizeof *s->conds);
    s->morsels = calloc(groups + 1, sizeof *s->morsels);
    s->per_thread = calloc((size_t)s->threads, sizeof *s->per_thread);
    if (s->conds == NULL || s->morsels == NULL || s->per_thread == NULL) goto no_memory;
    for (int k = 0; k < n_conds; k++) add_cond(s, conds[k]);
    for (size_t i = 0; i < s->t->file_count; i++) add_file(s, &s->t->files[i]);
    add_file(s, &s->t->tail);
    for (int t = 0; st == SEAM_OK && t < s->threads; t++) st = thread_init(s, &s->per_thread[t]);
    if (st != SEAM_OK) goto no_memory;
    *out = s;
    return SEAM_OK;
no_memory:
    columnar_scan_free(s);
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for a scan");
}

void columnar_scan_free(struct columnar_scan *s)
{
    if (s == NULL) return;
    for (int t = 0; s->per_thread != NULL && t < s->threads; t++) {
        const struct columnar_query_stats *x = &s->per_thread[t].stats;

        s->q->stats.rows_scanned += x->rows_scanned;
        s->q->stats.groups_read += x->groups_read;
        s->q->stats.vectors_read += x->vectors_read;
        s->q->stats.bytes_read += x->bytes_read;
        thread_free(s, &s->per_thread[t]);
    }
    free(s->per_thread);
    free(s->conds);
    free(s->morsels);
    free(s);
}

size_t columnar_scan_morsels(const struct columnar_scan *s)
{
    return s->morsel_count;
}

uint64_t columnar_scan_morsel_rows(const struct columnar_scan *s, size_t m)
{
    uint64_t first;

    return columnar_table_file_group_rows(s->morsels[m].tf, s->morsels[m].group, &first);
}

uint64_t columnar_scan_produced(const struct columnar_plan *p)
{
    const struct columnar_table *t = &p->reader->s.tables[p->table];
    uint64_t rows = t->rows.rows;

    for (size_t i = 0; i < t->file_count; i++) rows += t->files[i].rows;
    return rows;
}

bool columnar_scan_bounds(const struct columnar_plan *p, int column, int64_t *lo, int64_t *hi)
{
    const struct columnar_table *t = &p->reader->s.tables[p->table];
    const struct seam_column *col;
    bool any = false;

    if (p->scan_columns[column] < 0) return false;
    col = &t->schema.columns[p->scan_columns[column]];
    if (!int_like(col->type)) return false;
    *lo = INT64_MAX;
    *hi = INT64_MIN;
    for (size_t i = 0; i < t->file_count; i++) {
        int at = columnar_colfile_column(t->files[i].file, col->id);

        if (at < 0 || t->files[i].file->columns[at].type != col->type) return false;
        for (int g = 0; g < t->files[i].file->group_count; g++) {
            const struct columnar_chunk_summary *x =
                &t->files[i].file->groups[g].chunks[at].summary;

            if (x->min < *lo) *lo = x->min;
            if (x->max > *hi) *hi = x->max;
            any = true;
        }
    }
    for (size_t i = 0; i < t->rows.rows; i++) {
        int64_t v = t->rows.columns[p->scan_columns[column]].i[i];

        if (v < *lo) *lo = v;
        if (v > *hi) *hi = v;
        any = true;
    }
    return any && *lo <= *hi;
}

/* ---- pruning ---- */

struct view_ctx {
    const struct columnar_scan *s;
    const struct columnar_scan_thread *t;
    const struct columnar_scan_morsel *m;
    int64_t vector; /* -1: the whole group */
};

static struct columnar_zone_view group_zone(const struct view_ctx *v, int column)
{
    const struct columnar_table_file *tf = v->m->tf;
    const struct seam_column *col;
    struct columnar_zone_view z = {.known = false};
    const struct columnar_chunk_summary *s;
    int at;

    if (tf->file == NULL || v->s->p->scan_columns[column] < 0) return z;
    col = &v->s->t->schema.columns[v->s->p->scan_columns[column]];
    at = columnar_colfile_column(tf->file, col->id);
    if (at < 0 || tf->file->columns[at].type != col->type) return z;
    s = &tf->file->groups[v->m->group].chunks[at].summary;
    return (struct columnar_zone_view){
        true, s->type, s->scale, s->min, s->max, s->nulls, tf->file->groups[v->m->group].rows};
}

static struct columnar_zone_view view_zone(void *ctx, int column)
{
    const struct view_ctx *v = ctx;
    const struct columnar_chunk *c;
    const struct columnar_zone *zone;

    if (v->vector < 0) return group_zone(v, column);
    c = v->t->chunks[column];
    if (c == NULL || c->type != v->s->p->columns[column].type)
        return (struct columnar_zone_view){.known = false};
    zone = &c->zones[v->vector];
    return (struct columnar_zone_view){true,
                                       c->type,
                                       c->scale,
                                       zone->min,
                                       zone->max,
                                       zone->nulls,
                                       chunk_vector_rows(c, (uint32_t)v->vector)};
}

/* Which conditions still need looking at; false: no row can pass. */
static bool prune(const struct view_ctx *v, const bool *before, bool *after)
{
    for (int k = 0; k < v->s->n_conds; k++) {
        unsigned may;

        after[k] = before == NULL || before[k];
        if (!after[k]) continue;
        may = columnar_prune_outcomes(v->s->conds[k].e, view_zone, (void *)v);
        if ((may & MAY_TRUE) == 0) return false;
        if (may == MAY_TRUE) after[k] = false;
    }
    return true;
}

/* ---- visibility ---- */

static enum seam_status hide(struct columnar_cursor *c, uint64_t *sel)
{
    const struct columnar_table_file *tf = c->m->tf;
    const struct columnar_plan *p = c->s->p;
    struct columnar_vec begin;
    enum seam_status st = SEAM_OK;

    if (tf->lsn_max > p->to) {
        st = columnar_table_read_column(c->s->t, tf, c->m->group, c->v, COLUMN_BEGIN,
                                        c->t->scratch[c->s->n_columns], &begin, c->f);
        for (uint32_t i = 0; st == SEAM_OK && i < c->rows; i++)
            if ((seam_lsn_t)begin.i[columnar_vec_slot(&begin, i)] > p->to)
                seam_bitset_clear(sel, i);
    }
    if (st != SEAM_OK || tf->killed == 0) return st;
    for (size_t b = c->first_row / COLUMNAR_VECTOR_ROWS;
         b < tf->bucket_count && b * COLUMNAR_VECTOR_ROWS < c->first_row + c->rows; b++)
        for (uint32_t k = 0; k < tf->buckets[b].count; k++) {
            const struct columnar_kill *kill = &tf->buckets[b].kills[k];

            if (kill->row < c->first_row || kill->row >= c->first_row + c->rows) continue;
            if (kill->end <= (p->versions ? p->from : p->to))
                seam_bitset_clear(sel, kill->row - c->first_row);
        }
    if (!p->versions) return SEAM_OK;
    /* A version that began and ended at one LSN was never seen. */
    st = columnar_table_read_column(c->s->t, tf, c->m->group, c->v, COLUMN_BEGIN,
                                    c->t->scratch[c->s->n_columns], &begin, c->f);
    if (st != SEAM_OK) return st;
    columnar_table_read_ends(tf, c->first_row, c->rows, c->t->ends);
    for (uint32_t i = 0; i < c->rows; i++)
        if (c->t->ends[i] == (seam_lsn_t)begin.i[columnar_vec_slot(&begin, i)])
            seam_bitset_clear(sel, i);
    return SEAM_OK;
}

/* ---- output ---- */

static uint32_t list_rows(const uint64_t *sel, uint32_t rows, uint32_t *out)
{
    uint32_t n = 0;

    for (size_t w = 0; w < seam_bitset_words(rows); w++)
        for (uint64_t word = sel[w]; word != 0; word &= word - 1)
            out[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
    return n;
}

static void gather(struct columnar_vec *v, const uint32_t *at, uint32_t n,
                   struct columnar_chunk_scratch *s)
{
    if (v->kind == COLUMNAR_VEC_CONST) return;
    if (v->nulls != NULL) {
        uint64_t nulls[COLUMNAR_VECTOR_WORDS] = {0};
        bool any = false;

        for (uint32_t i = 0; i < n; i++)
            if (seam_bitset_get(v->nulls, at[i])) {
                seam_bitset_set(nulls, i);
                any = true;
            }
        memcpy(s->nulls, nulls, sizeof nulls);
        v->nulls = any ? s->nulls : NULL;
    }
    /* Forward, in place: at[i] >= i. */
    if (v->kind == COLUMNAR_VEC_DICT) {
        for (uint32_t i = 0; i < n; i++) s->code[i] = v->code[at[i]];
        v->code = s->code;
    } else if (v->type == SEAM_V_TEXT) {
        for (uint32_t i = 0; i < n; i++) s->s[i] = v->s[at[i]];
        v->s = s->s;
    } else {
        for (uint32_t i = 0; i < n; i++) s->i[i] = v->i[at[i]];
        v->i = s->i;
    }
}

/* Only the listed rows, where the encoding lets them be picked. */
static bool pick(const struct columnar_chunk *k, const struct columnar_chunk_vector *cv,
                 const uint32_t *at, uint32_t n, struct columnar_chunk_scratch *s,
                 struct columnar_vec *out)
{
    const struct columnar_ints_block *b = &cv->ints;

    if (cv->nulls > 0 || b->mode != INTS_FOR || k->type == SEAM_V_DOUBLE ||
        (k->kind != CHUNK_INTS && k->kind != CHUNK_DICT && k->kind != CHUNK_TEXT_DICT))
        return false;
    *out = (struct columnar_vec){.kind = COLUMNAR_VEC_FLAT,
                                 .type = k->type,
                                 .scale = k->scale,
                                 .i = s->i,
                                 .lo = INT64_MIN,
                                 .hi = INT64_MAX};
    if (k->kind == CHUNK_INTS) {
        for (uint32_t i = 0; i < n; i++)
            s->u[i] =
                k->base + k->factor * (b->base + seam_bitpack_get(b->packed, at[i], b->width));
        return true;
    }
    for (uint32_t i = 0; i < n; i++)
        s->code[i] = (uint32_t)(b->base + seam_bitpack_get(b->packed, at[i], b->width));
    out->kind = COLUMNAR_VEC_DICT;
    out->stable = true;
    out->code = s->code;
    out->dict_count = k->dict_slots;
    if (k->type == SEAM_V_TEXT)
        out->s = k->dict_s;
    else
        out->i = k->dict_i;
    return true;
}

static enum seam_status load_sparse(struct columnar_cursor *c, int column, uint32_t n)
{
    const struct columnar_chunk *k = c->t->chunks[column];
    struct columnar_chunk_vector cv;
    enum seam_status st;

    if (!c->t->loaded[column] && k != NULL && k->type == c->s->p->columns[column].type) {
        if (!columnar_chunk_vector(k, c->v, &cv)) return columnar_scan_corrupt_vector(c, column);
        if (cv.nulls < cv.rows &&
            pick(k, &cv, c->t->rows_at, n, c->t->scratch[column], &c->t->vecs[column])) {
            columnar_scan_touch(c, column);
            c->t->vecs[column].lo = k->zones[c->v].min;
            c->t->vecs[column].hi = k->zones[c->v].max;
            return SEAM_OK;
        }
    }
    st = columnar_scan_load(c, column);
    if (st == SEAM_OK) gather(&c->t->vecs[column], c->t->rows_at, n, c->t->scratch[column]);
    return st;
}

static enum seam_status emit(struct columnar_cursor *c, const uint64_t *sel,
                             enum seam_status (*next)(void *ctx, const struct columnar_batch *b,
                                                      const uint64_t *sel, struct seam_fault *f),
                             void *ctx)
{
    struct columnar_batch b = {.rows = c->rows, .count = c->s->n_columns, .cols = c->t->vecs};
    uint32_t n = columnar_sel_count(sel, c->rows);
    bool sparse = n < c->rows / SPARSE_PART;

    if (n == 0) return SEAM_OK;
    if (sparse) {
        list_rows(sel, c->rows, c->t->rows_at);
        b.rows = n;
    }
    for (int k = 0; k < c->s->n_columns; k++) {
        enum seam_status st;

        if (!c->s->required[k]) {
            c->t->vecs[k].i = NULL;
            continue;
        }
        st = sparse ? load_sparse(c, k, n) : columnar_scan_load(c, k);
        if (st != SEAM_OK) return st;
    }
    return next(ctx, &b, sparse || n == c->rows ? NULL : sel, c->f);
}

/* Opens the chunks the conditions and the output need. */
static enum seam_status open_group(struct columnar_scan *s, struct columnar_scan_thread *t,
                                   const struct columnar_scan_morsel *m, struct seam_fault *f)
{
    memset(t->chunks, 0, ((size_t)s->n_columns + 1) * sizeof *t->chunks);
    if (m->tf->file == NULL) return SEAM_OK;
    for (int k = 0; k < s->n_columns; k++) {
        bool used = s->required[k];
        int at;
        enum seam_status st;

        for (int i = 0; !used && i < s->n_conds; i++) {
            const struct columnar_scan_cond *c = &s->conds[i];

            used = c->n_columns > (int)SEAM_ARRAY_LEN(c->columns);
            for (int j = 0; !used && j < c->n_columns; j++) used = c->columns[j] == k;
        }
        if (!used || s->p->scan_columns[k] == COLUMNAR_PLAN_COLUMN_END) continue;
        at = s->p->scan_columns[k] == COLUMNAR_PLAN_COLUMN_BEGIN
                 ? 0
                 : columnar_colfile_column(m->tf->file,
                                           s->t->schema.columns[s->p->scan_columns[k]].id);
        if (at < 0) continue;
        st = columnar_colfile_chunk(m->tf->file, m->group, at, &t->chunks[k], f);
        if (st != SEAM_OK) return st;
        t->stats.bytes_read +=
            t->chunks[k]->size - t->chunks[k]->zones[t->chunks[k]->vectors - 1].end;
    }
    return SEAM_OK;
}

/* A row that one condition fails for and another takes out is out: only what all of them leave is an error. */
static enum seam_status apply_conds(struct columnar_cursor *c, const bool *conds, uint64_t *sel)
{
    uint64_t failed[COLUMNAR_VECTOR_WORDS] = {0}, left = 0;
    enum seam_status st = SEAM_OK;

    for (int k = 0; st == SEAM_OK && k < c->s->n_conds; k++)
        if (conds[k] && seam_bitset_next(sel, c->rows, 0) < c->rows)
            st = columnar_scan_eval(c, k, sel, failed);
    for (size_t w = 0; w < seam_bitset_words(c->rows); w++) left |= failed[w] & sel[w];
    for (int k = 0; st == SEAM_OK && left != 0 && k < c->s->n_conds; k++)
        if (conds[k]) st = columnar_scan_raise(c, k, sel, failed);
    return st;
}

enum seam_status
columnar_scan_run(struct columnar_scan *s, size_t morsel, int thread,
                  enum seam_status (*next)(void *ctx, const struct columnar_batch *b,
                                           const uint64_t *sel, struct seam_fault *f),
                  void *ctx, struct seam_fault *f)
{
    struct columnar_scan_thread *t = &s->per_thread[thread];
    const struct columnar_scan_morsel *m = &s->morsels[morsel];
    struct columnar_cursor c = {.s = s, .t = t, .m = m, .f = f};
    struct view_ctx view = {s, t, m, -1};
    bool group_conds[256], conds[256];
    uint64_t first;
    uint32_t rows = columnar_table_file_group_rows(m->tf, m->group, &first);
    bool read = false;
    enum seam_status st;

    if (s->n_conds > (int)SEAM_ARRAY_LEN(conds))
        return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET, "more than %zu conditions",
                              SEAM_ARRAY_LEN(conds));
    if (!prune(&view, NULL, group_conds)) {
        SEAM_TRACE(s->q->opt->trace, "columnar", "group_skipped", SEAM_TI("file", m->tf->id),
                   SEAM_TI("group", m->group));
        return SEAM_OK;
    }
    st = open_group(s, t, m, f);
    for (c.v = 0; st == SEAM_OK && c.v * COLUMNAR_VECTOR_ROWS < rows; c.v++) {
        uint64_t *sel = t->one_sel;

        if (atomic_load_explicit(&s->q->stop, memory_order_relaxed) != SEAM_OK) break;
        c.rows = rows - c.v * COLUMNAR_VECTOR_ROWS < COLUMNAR_VECTOR_ROWS
                     ? rows - c.v * COLUMNAR_VECTOR_ROWS
                     : COLUMNAR_VECTOR_ROWS;
        c.first_row = first + (uint64_t)c.v * COLUMNAR_VECTOR_ROWS;
        view.vector = c.v;
        if (!prune(&view, group_conds, conds)) continue;
        memset(t->loaded, 0, ((size_t)s->n_columns + 1) * sizeof *t->loaded);
        memset(t->touched, 0, ((size_t)s->n_columns + 1) * sizeof *t->touched);
        memset(t->vecs, 0, ((size_t)s->n_columns + 1) * sizeof *t->vecs);
        columnar_scan_fill(sel, c.rows, true);
        st = hide(&c, sel);
        if (st == SEAM_OK) st = apply_conds(&c, conds, sel);
        if (st == SEAM_OK) st = emit(&c, sel, next, ctx);
        t->stats.vectors_read++;
        t->stats.rows_scanned += c.rows;
        read = true;
    }
    t->stats.groups_read += read;
    return st;
}
