/* compact - rewriting files: merging small ones, sorting, dropping versions nobody can read.
 *
 * A version [begin, end) may go when end <= horizon and no tag lies in [begin, end): no readable LSN sees
 * it. What stays keeps its begin and end, so a rewrite changes no answer at any readable LSN.       */
#include "columnar/table/compact.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    TIER_ROWS = 65536,
    TIER_FILES = 4,
    TIERS = 8,
    IDLE_TAIL_ROWS = 8192,
    PIECE_ROWS = 32768,
    LONG_PIECE_ROWS = 262144,
    OWED_PIECE_ROWS =
        8192,         /* what a piece between publications may rewrite without being owed it */
    OWED_ORPHANS = 16 /* manifests after which their files are looked for between publications */
};
/* Without this much quiet after a publication, maintenance does what publications owe; big pieces for nothing are
 * taken only after more. */
static const uint64_t QUIET_NS = 300000000, LONG_QUIET_NS = 5000000000, NIGHT_NS = 60000000000;

bool columnar_version_droppable(const struct columnar_state *s, seam_lsn_t begin, seam_lsn_t end)
{
    if (begin == end) return true;
    if (end > s->horizon) return false;
    for (size_t i = 0; i < s->tag_count; i++)
        if (s->tags[i].lsn >= begin && s->tags[i].lsn < end) return false;
    return true;
}

/* ---- gathering ---- */

struct gather {
    const struct columnar_state *s;
    struct columnar_coldata rows;
    seam_lsn_t *ends;
    size_t ends_cap;
    const int *columns;
    int count;
    struct seam_value *values;
    seam_lsn_t limit; /* rollback: forget what came after */
    uint64_t dropped;
};

static enum seam_status gather_batch(void *ctx, const struct columnar_version_batch *b)
{
    struct gather *g = ctx;

    for (uint32_t i = 0; i < b->rows; i++) {
        seam_lsn_t end =
            b->end[i] != SEAM_LSN_MAX && b->end[i] > g->limit ? SEAM_LSN_MAX : b->end[i];

        if (b->begin[i] > g->limit || columnar_version_droppable(g->s, b->begin[i], end)) {
            g->dropped++;
            continue;
        }
        if (g->rows.rows == g->ends_cap) {
            size_t cap = g->ends_cap == 0 ? 4096 : 2 * g->ends_cap;
            seam_lsn_t *more = realloc(g->ends, cap * sizeof *more);

            if (more == NULL) return SEAM_NOMEM;
            g->ends = more;
            g->ends_cap = cap;
        }
        g->ends[g->rows.rows] = end;
        for (int c = 0; c < g->count; c++)
            g->values[g->columns[c]] = columnar_vec_value(&b->cols[c], i);
        if (columnar_coldata_append(&g->rows, g->values, b->begin[i]) != SEAM_OK) return SEAM_NOMEM;
    }
    return SEAM_OK;
}

/* ---- ordering ---- */

struct compact_place {
    int64_t zone;
    uint32_t row;
};
struct compact_ordering {
    const struct columnar_coldata *d;
    const uint16_t *columns;
    int count;
};

static int64_t zone_of_value(const struct seam_value *v)
{
    if (v->type == SEAM_V_NULL) return INT64_MIN;
    if (v->type == SEAM_V_TEXT) return columnar_zone_of_text(v->s, v->len);
    return v->type == SEAM_V_DOUBLE ? columnar_zone_of_double(v->d) : v->i;
}

static int by_columns(const void *pa, const void *pb, void *ctx)
{
    const struct compact_place *a = pa, *b = pb;
    const struct compact_ordering *o = ctx;

    if (a->zone != b->zone) return a->zone < b->zone ? -1 : 1;
    for (int k = 0; k < o->count; k++) {
        struct seam_value x = columnar_coldata_value(o->d, o->columns[k], a->row);
        struct seam_value y = columnar_coldata_value(o->d, o->columns[k], b->row);
        int c = seam_value_compare(&x, &y);

        if (c != 0) return c;
    }
    if (o->d->lsn[a->row] != o->d->lsn[b->row])
        return o->d->lsn[a->row] < o->d->lsn[b->row] ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static struct compact_place *order_rows(const struct columnar_table *t,
                                        const struct columnar_coldata *d)
{
    bool by_sort = t->opt.sort_count > 0;
    struct compact_ordering o = {d, by_sort ? t->opt.sort : t->schema.key,
                                 by_sort ? t->opt.sort_count : t->schema.key_count};
    struct compact_place *p = malloc((d->rows + 1) * sizeof *p);

    if (p == NULL) return NULL;
    for (size_t i = 0; i < d->rows; i++) {
        struct seam_value v =
            o.count > 0 ? columnar_coldata_value(d, o.columns[0], i) : seam_v_null();

        p[i] = (struct compact_place){zone_of_value(&v), (uint32_t)i};
    }
    if (o.count > 0) qsort_r(p, d->rows, sizeof *p, by_columns, &o);
    return p;
}

/* ---- rewriting ---- */

/* Rows p[0..n) of g as one new file appended to `made`. */
static enum seam_status write_part(struct columnar_writer *w, struct columnar_table *t,
                                   const struct gather *g, const struct compact_place *p, size_t n,
                                   struct columnar_table_file *made, struct seam_fault *f)
{
    struct columnar_coldata out = {0};
    enum seam_status st =
        seam_no_memory_if(columnar_coldata_init(&out, &t->schema), f, "the warehouse");

    if (st == SEAM_OK) st = columnar_coldata_reserve(&out, n);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        for (int c = 0; c < g->count; c++)
            w->values[g->columns[c]] = columnar_coldata_value(&g->rows, g->columns[c], p[i].row);
        st = seam_no_memory_if(columnar_coldata_append(&out, w->values, g->rows.lsn[p[i].row]), f,
                               "the warehouse");
    }
    if (st == SEAM_OK) st = columnar_writer_write_file(w, t, &out, w->s.next_file++, made, f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        if (g->ends[p[i].row] != SEAM_LSN_MAX) {
            st = seam_no_memory_if(columnar_file_kill(made, (uint32_t)i, g->ends[p[i].row]), f,
                                   "the warehouse");
            made->kills_dirty = true;
        }
    columnar_coldata_free(&out);
    return st;
}

/* files: room for all of both, the table's from here on; so that nothing can fail any more. */
static void replace_files(struct columnar_table *t, const bool *chosen,
                          const struct columnar_table_file *made, size_t made_count,
                          struct columnar_table_file *files)
{
    size_t n = 0;
    bool placed = false;

    for (size_t i = 0; i < t->file_count; i++) {
        if (!chosen[i]) {
            files[n++] = t->files[i];
            continue;
        }
        if (!placed)
            for (size_t k = 0; k < made_count; k++) files[n++] = made[k];
        placed = true;
        columnar_file_free(&t->files[i]);
    }
    free(t->files);
    t->files = files;
    t->file_cap = t->file_count + made_count + 1;
    t->file_count = n;
}

static enum seam_status write_parts(struct columnar_writer *w, size_t table, const struct gather *g,
                                    const bool *chosen, struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    bool keep_index = g->limit == SEAM_LSN_MAX;
    size_t per_file = (size_t)w->opt.file_rows_max,
           parts = (g->rows.rows + per_file - 1) / per_file;
    struct columnar_table_file *made = calloc(parts + 1, sizeof *made);
    struct columnar_table_file *files = calloc(t->file_count + parts + 1, sizeof *files);
    struct compact_place *p = order_rows(t, &g->rows);
    enum seam_status st = made == NULL || files == NULL || p == NULL
                              ? seam_no_memory(f, "files that are merged")
                              : SEAM_OK;
    size_t done = 0;

    for (; st == SEAM_OK && done < parts; done++) {
        size_t from = done * per_file,
               n = g->rows.rows - from < per_file ? g->rows.rows - from : per_file;

        st = write_part(w, t, g, p + from, n, &made[done], f);
    }
    /* Keys of rewritten rows point to the new files; a rollback changes which rows live, so it starts over. */
    for (size_t k = 0; st == SEAM_OK && w->tables[table].indexed && keep_index && k < parts; k++)
        st = columnar_keyindex_add_file(&w->tables[table].index, t, &made[k], f);
    if (st != SEAM_OK || !keep_index) {
        columnar_keyindex_free(&w->tables[table].index);
        w->tables[table].indexed = false;
    }
    if (st == SEAM_OK) {
        replace_files(t, chosen, made, parts, files);
        files = NULL;
    }
    for (size_t k = 0; st != SEAM_OK && made != NULL && k < parts; k++)
        columnar_file_free(&made[k]);
    free(files);
    free(made);
    free(p);
    return st;
}

enum seam_status columnar_compact_files(struct columnar_writer *w, size_t table, const bool *chosen,
                                        seam_lsn_t limit, struct columnar_maintenance *done,
                                        struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    int columns[SEAM_COLUMNS_MAX];
    struct gather g = {.s = &w->s, .columns = columns, .limit = limit};
    enum seam_status st =
        seam_no_memory_if(columnar_coldata_init(&g.rows, &t->schema), f, "the warehouse");
    size_t before = t->file_count;

    g.values = calloc(SEAM_COLUMNS_MAX, sizeof *g.values);
    if (g.values == NULL) st = seam_no_memory(f, "files that are merged");
    for (int c = 0; c < t->schema.column_count; c++)
        if (seam_column_live(&t->schema.columns[c], t->schema.version)) columns[g.count++] = c;
    for (size_t i = 0; st == SEAM_OK && i < t->file_count; i++) {
        if (!chosen[i]) continue;
        done->files_before++;
        st = columnar_table_versions(t, &t->files[i], columns, g.count, gather_batch, &g, f);
    }
    if (st == SEAM_OK) st = write_parts(w, table, &g, chosen, f);
    if (st == SEAM_OK) {
        done->files_after += (uint32_t)(t->file_count + done->files_before - before);
        done->rows_rewritten += g.rows.rows;
        done->versions_dropped += g.dropped;
        w->structure = true;
        SEAM_TRACE(w->opt.trace, "columnar", "files_merged", SEAM_TS("table", t->schema.name),
                   SEAM_TI("rows", g.rows.rows), SEAM_TI("dropped", g.dropped));
    }
    free(g.values);
    free(g.ends);
    columnar_coldata_free(&g.rows);
    return st == SEAM_NOMEM
               ? seam_fault_set(f, st, t->schema.name, SEAM_FAULT_NO_OFFSET, "no memory to compact")
               : st;
}

/* ---- choosing ---- */

static uint64_t droppable_in(const struct columnar_state *s, const struct columnar_table_file *tf)
{
    uint64_t n = 0;

    for (size_t b = 0; b < tf->bucket_count; b++)
        for (uint32_t k = 0; k < tf->buckets[b].count; k++)
            n += tf->buckets[b].kills[k].end <= s->horizon;
    return s->tag_count > 0 ? n / 2 : n; /* tags may hold some of them back */
}

/* Marks a run of neighbouring small files of one tier, or one file full of droppable rows, at most `limit` rows. */
static bool choose_files(const struct columnar_writer *w, const struct columnar_table *t,
                         uint64_t limit, bool *chosen)
{
    for (size_t i = 0; i < t->file_count; i++)
        if (t->files[i].killed > 0 && t->files[i].rows <= limit &&
            droppable_in(&w->s, &t->files[i]) * 4 > t->files[i].rows) {
            chosen[i] = true;
            return true;
        }
    for (int tier = 0; tier < TIERS; tier++) {
        uint64_t small = (uint64_t)TIER_ROWS << (2 * tier);

        if (small > w->opt.file_rows_max / 2) small = w->opt.file_rows_max / 2;
        for (size_t i = 0; i < t->file_count; i++) {
            uint64_t rows = 0;
            size_t n = 0;

            while (i + n < t->file_count && t->files[i + n].rows <= small &&
                   rows + t->files[i + n].rows <= limit)
                rows += t->files[i + n++].rows;
            if (n < TIER_FILES) continue;
            for (size_t k = 0; k < n; k++) chosen[i + k] = true;
            return true;
        }
    }
    return false;
}

/* What is older than the promised history stops being readable, but for pins. */
static bool advance_horizon(struct columnar_writer *w)
{
    int64_t cutoff = seam_clock_wall_us(w->opt.clock) - (int64_t)w->opt.history_us;
    seam_lsn_t horizon = w->s.horizon;
    size_t kept = 0;

    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].wall_us <= cutoff && w->s.snapshots[i].lsn > horizon)
            horizon = w->s.snapshots[i].lsn;
    for (size_t i = 0; i < w->s.tag_count; i++)
        if (w->s.tags[i].pin && w->s.tags[i].lsn < horizon) horizon = w->s.tags[i].lsn;
    if (horizon <= w->s.horizon) return false;
    w->s.horizon = horizon;
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn >= horizon) w->s.snapshots[kept++] = w->s.snapshots[i];
    w->s.snapshot_count = kept;
    return true;
}

/* One choice of files in every table, together at most `limit` rows: they are published by one manifest, and a
 * manifest turns each table's tail into a small file, so that one table a time would make more files than it merges. */
static enum seam_status compact_each(struct columnar_writer *w, uint64_t limit, bool *found,
                                     struct columnar_maintenance *done, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *found = false;
    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count && done->rows_rewritten < limit; i++) {
        struct columnar_table *t = &w->s.tables[i];
        bool *chosen = calloc(t->file_count + 1, sizeof *chosen);

        if (chosen == NULL) return seam_no_memory(f, "files that are merged");
        if (choose_files(w, t, limit - done->rows_rewritten, chosen)) {
            *found = true;
            st = columnar_compact_files(w, i, chosen, SEAM_LSN_MAX, done, f);
        }
        free(chosen);
    }
    return st;
}

static enum seam_status publish_same(struct columnar_writer *w, struct seam_fault *f)
{
    if (!w->structure) return SEAM_OK;
    return columnar_writer_publish_manifest(w, w->s.applied, w->s.wall_us, false, f);
}

/* Between publications that follow each other closely. Each row published owes DEBT_PER_ROW rewritten rows (a row
 * moves up a tier at a time); a piece takes what is owed and a little more, so that its length follows from the work
 * that made it necessary, and files stay as few at any rate of commits. */
static enum seam_status maintain_owed(struct columnar_writer *w, struct columnar_maintenance *done,
                                      struct seam_fault *f)
{
    uint64_t limit = OWED_PIECE_ROWS + w->owed_rows;
    bool found = false;
    enum seam_status st;

    if (limit > w->opt.file_rows_max) limit = w->opt.file_rows_max;
    (void)advance_horizon(w); /* with the next manifest; nothing is dropped without one */
    st = compact_each(w, limit, &found, done, f);
    w->owed_rows -= done->rows_rewritten < w->owed_rows ? done->rows_rewritten : w->owed_rows;
    if (st == SEAM_OK && found) st = publish_same(w, f);
    if (st == SEAM_OK && w->orphans >= OWED_ORPHANS)
        st = columnar_writer_sweep(w, &done->files_removed, &done->bytes_freed, f);
    done->more = found;
    return st;
}

static enum seam_status maintain_quiet(struct columnar_writer *w, uint64_t quiet,
                                       struct columnar_maintenance *done, struct seam_fault *f)
{
    uint64_t limit = quiet < LONG_QUIET_NS ? PIECE_ROWS
                     : quiet < NIGHT_NS    ? LONG_PIECE_ROWS
                                           : w->opt.file_rows_max;
    bool found = false;
    enum seam_status st;

    if (limit > w->opt.file_rows_max) limit = w->opt.file_rows_max;
    if (advance_horizon(w)) w->structure = true;
    for (size_t i = 0; i < w->s.table_count; i++)
        if (w->s.tables[i].rows.rows >= IDLE_TAIL_ROWS) w->structure = true;
    st = compact_each(w, limit, &found, done, f);
    if (st == SEAM_OK) st = publish_same(w, f);
    if (st == SEAM_OK && w->orphans > 0)
        st = columnar_writer_sweep(w, &done->files_removed, &done->bytes_freed, f);
    done->more = found;
    return st;
}

enum seam_status columnar_maintain(struct columnar_writer *w, struct columnar_maintenance *done,
                                   struct seam_fault *f)
{
    uint64_t quiet = seam_clock_mono_ns(w->opt.clock) - w->published_ns;
    enum seam_status st;

    *done = (struct columnar_maintenance){0};
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (columnar_writer_pending(w)) return SEAM_OK; /* not between a change and its publication */
    st = quiet < QUIET_NS ? maintain_owed(w, done, f) : maintain_quiet(w, quiet, done, f);
    assert(st != SEAM_OK || !columnar_writer_pending(w));
    if (st != SEAM_OK) w->poisoned = st;
    return st;
}

static bool worth_compacting(const struct columnar_writer *w, const struct columnar_table *t)
{
    if (t->file_count == 0) return false;
    if (t->file_count > 1 || t->opt.sort_count > 0) return true;
    return t->files[0].killed > 0 && droppable_in(&w->s, &t->files[0]) > 0;
}

enum seam_status columnar_compact(struct columnar_writer *w, struct columnar_maintenance *done,
                                  struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *done = (struct columnar_maintenance){0};
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (columnar_writer_pending(w))
        return seam_fault_set(f, SEAM_INVALID, w->s.dir, SEAM_FAULT_NO_OFFSET,
                              "publish before compacting");
    if (advance_horizon(w)) w->structure = true;
    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++)
        st = columnar_writer_flush_tail(w, i, f);
    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++) {
        struct columnar_table *t = &w->s.tables[i];
        bool *chosen;

        if (!worth_compacting(w, t)) continue;
        chosen = malloc(t->file_count * sizeof *chosen);
        if (chosen == NULL) return seam_no_memory(f, "files that are merged");
        memset(chosen, 1, t->file_count * sizeof *chosen);
        st = columnar_compact_files(w, i, chosen, SEAM_LSN_MAX, done, f);
        free(chosen);
    }
    if (st == SEAM_OK) st = publish_same(w, f);
    if (st == SEAM_OK && w->orphans > 0)
        st = columnar_writer_sweep(w, &done->files_removed, &done->bytes_freed, f);
    if (st != SEAM_OK) w->poisoned = st;
    return st;
}
