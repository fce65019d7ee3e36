#include "columnar/table/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { OPEN_TRIES = 20 };

/* The writer may sweep files between our reading of a manifest and our opening of what it names; then there
 * is a newer manifest. */
static enum status load(struct io *io, const char *dir, const struct state *old, struct state *out,
                        struct fault *f)
{
    enum status st = ST_OK;

    for (int i = 0; i < OPEN_TRIES; i++) {
        struct fault here = {0};

        st = state_load(io, dir, false, old, out, &here);
        if (st != ST_NOT_FOUND) {
            if (st != ST_OK && f != NULL) *f = here;
            return st;
        }
        if (i == OPEN_TRIES - 1 && f != NULL) *f = here;
    }
    return st;
}

enum status columnar_open_reader(struct io *io, const char *dir, const struct columnar_options *opt,
                                 struct columnar_reader **out, struct fault *f)
{
    struct columnar_reader *r = calloc(1, sizeof *r);
    enum status st;

    if (r == NULL) return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a reader");
    if (!io_exists(io, dir)) {
        st = fault_set(f, ST_NOT_FOUND, dir, FAULT_NO_OFFSET, "there is no warehouse here");
        goto done;
    }
    if (opt != NULL) r->opt = *opt;
    if (r->opt.clock == NULL) r->opt.clock = clock_real();
    st = load(io, dir, NULL, &r->s, f);
    if (st != ST_OK) goto done;
    *out = r;
    r = NULL;
done:
    free(r);
    return st;
}

void columnar_close_reader(struct columnar_reader *r)
{
    if (r == NULL) return;
    state_free(&r->s);
    free(r);
}

enum status columnar_refresh(struct columnar_reader *r, bool *changed, struct fault *f)
{
    struct state fresh = {0};
    enum status st;

    if (changed != NULL) *changed = false;
    if (state_manifest_is_newest(&r->s)) return state_follow(&r->s, false, changed, f);
    st = load(r->s.io, r->s.dir, &r->s, &fresh, f);
    if (st != ST_OK) return st;
    state_free(&r->s);
    r->s = fresh;
    if (changed != NULL) *changed = true;
    return ST_OK;
}

lsn_t columnar_applied(const struct columnar_reader *r) { return r->s.applied; }
int64_t columnar_applied_wall_us(const struct columnar_reader *r) { return r->s.wall_us; }
lsn_t columnar_history_from(const struct columnar_reader *r) { return r->s.horizon; }
int columnar_table_count(const struct columnar_reader *r) { return (int)r->s.table_count; }

int columnar_table(const struct columnar_reader *r, const char *name)
{
    return state_table_named(&r->s, name);
}

const struct schema *columnar_schema(const struct columnar_reader *r, int table)
{
    assert(table >= 0 && (size_t)table < r->s.table_count);
    return &r->s.tables[table].schema;
}

size_t columnar_snapshots(const struct columnar_reader *r, const struct columnar_snapshot **out)
{
    size_t first = 0;

    while (first < r->s.snapshot_count && r->s.snapshots[first].lsn < r->s.horizon) first++;
    *out = r->s.snapshots + first;
    return r->s.snapshot_count - first;
}

size_t columnar_tags(const struct columnar_reader *r, const struct columnar_tag_info **out)
{
    *out = r->s.tags;
    return r->s.tag_count;
}

enum status state_readable(const struct state *s, lsn_t lsn, struct fault *f)
{
    if (lsn >= s->horizon && lsn <= s->applied) return ST_OK;
    for (size_t i = 0; i < s->tag_count; i++)
        if (s->tags[i].lsn == lsn) return ST_OK;
    return fault_set(f, ST_NOT_FOUND, s->dir, FAULT_NO_OFFSET,
                     "LSN %" PRIu64 " cannot be read: the history kept is LSN %" PRIu64 " to %" PRIu64
                     " and %zu tags", lsn, s->horizon, s->applied, s->tag_count);
}

static enum status resolve_time(const struct columnar_reader *r, int64_t wall_us, lsn_t *lsn,
                                struct fault *f)
{
    const struct columnar_snapshot *s;
    size_t n = columnar_snapshots(r, &s);
    bool found = false;
    char want[40], have[40];

    for (size_t i = 0; i < n; i++)
        if (s[i].wall_us <= wall_us && (!found || s[i].lsn > *lsn)) {
            *lsn = s[i].lsn;
            found = true;
        }
    if (found) return ST_OK;
    time_format(wall_us, want);
    time_format(n > 0 ? s[0].wall_us : 0, have);
    return fault_set(f, ST_NOT_FOUND, r->s.dir, FAULT_NO_OFFSET,
                     "nothing was published at or before %s%s%s", want,
                     n > 0 ? "; the history kept begins at " : "", n > 0 ? have : "");
}

enum status columnar_resolve(const struct columnar_reader *r, const struct columnar_as_of *as_of,
                             lsn_t *lsn, struct fault *f)
{
    const struct columnar_snapshot *s;
    size_t n = columnar_snapshots(r, &s);

    switch (as_of->kind) {
    case AS_OF_NEWEST:
        *lsn = r->s.applied;
        return ST_OK;
    case AS_OF_LSN:
        *lsn = as_of->number;
        return state_readable(&r->s, *lsn, f);
    case AS_OF_TIME:
        return resolve_time(r, as_of->wall_us, lsn, f);
    case AS_OF_SNAPSHOT:
        for (size_t i = 0; i < n; i++)
            if (s[i].id == as_of->number) {
                *lsn = s[i].lsn;
                return ST_OK;
            }
        return fault_set(f, ST_NOT_FOUND, r->s.dir, FAULT_NO_OFFSET,
                         "there is no snapshot %" PRIu64 "; kept are %" PRIu64 " to %" PRIu64,
                         as_of->number, n > 0 ? s[0].id : 0, n > 0 ? s[n - 1].id : 0);
    case AS_OF_TAG:
        for (size_t i = 0; i < r->s.tag_count; i++)
            if (strcmp(r->s.tags[i].name, as_of->tag) == 0) {
                *lsn = r->s.tags[i].lsn;
                return ST_OK;
            }
        return fault_set(f, ST_NOT_FOUND, r->s.dir, FAULT_NO_OFFSET, "there is no tag %s", as_of->tag);
    }
    return fault_set(f, ST_INVALID, r->s.dir, FAULT_NO_OFFSET, "unknown kind of AS OF");
}

void columnar_table_info(const struct columnar_reader *r, int table, struct columnar_table_info *out)
{
    const struct table *t = &r->s.tables[table];

    *out = (struct columnar_table_info){.tail_rows = t->rows.rows, .versions = t->rows.rows,
                                        .rows = t->rows.rows - t->tail.killed, .files = t->file_count,
                                        .lsn_min = t->tail.lsn_min, .lsn_max = t->tail.lsn_max};
    for (size_t i = 0; i < t->file_count; i++) {
        const struct table_file *tf = &t->files[i];

        out->versions += tf->rows;
        out->rows += tf->rows - tf->killed;
        out->row_groups += (uint64_t)tf->file->group_count;
        out->bytes += tf->bytes;
        if (out->lsn_min == 0 || tf->lsn_min < out->lsn_min) out->lsn_min = tf->lsn_min;
        if (tf->lsn_max > out->lsn_max) out->lsn_max = tf->lsn_max;
    }
}

/* ---- rows ---- */

struct row_scan {
    const struct schema *schema;
    const int *columns;
    int count;
    struct value *values;
    lsn_t from, to;
    bool versions, changes;
    columnar_row_fn fn;
    void *ctx;
};

static enum status scan_batch(void *ctx, const struct version_batch *b)
{
    struct row_scan *s = ctx;

    for (uint32_t i = 0; i < b->rows; i++) {
        enum status st;

        if (b->begin[i] > s->to || b->begin[i] == b->end[i]) continue;
        if (s->versions ? b->end[i] <= s->from : b->end[i] <= s->to) continue;
        if (s->changes && b->begin[i] <= s->from && b->end[i] > s->to) continue;
        for (int c = 0; c < s->count; c++) s->values[s->columns[c]] = vec_value(&b->cols[c], i);
        st = s->fn(s->ctx, s->values, b->begin[i], b->end[i]);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status scan(const struct columnar_reader *r, int table, struct row_scan *s, struct fault *f)
{
    const struct table *t = &r->s.tables[table];
    int columns[COLUMNS_MAX];
    enum status st;

    s->schema = &t->schema;
    s->columns = columns;
    s->values = calloc(COLUMNS_MAX, sizeof *s->values);
    if (s->values == NULL) return fault_set(f, ST_NOMEM, r->s.dir, FAULT_NO_OFFSET, "no memory to scan");
    for (int c = 0; c < t->schema.column_count; c++)
        if (column_live(&t->schema.columns[c], t->schema.version)) columns[s->count++] = c;
    st = s->changes ? table_changes(t, s->from, s->to, columns, s->count, scan_batch, s, f)
                    : table_versions(t, NULL, columns, s->count, scan_batch, s, f);
    free(s->values);
    return st;
}

enum status columnar_scan_rows(const struct columnar_reader *r, int table, lsn_t lsn, columnar_row_fn fn,
                               void *ctx, struct fault *f)
{
    struct row_scan s = {.to = lsn == LSN_MAX ? r->s.applied : lsn, .fn = fn, .ctx = ctx};
    enum status st = state_readable(&r->s, s.to, f);

    return st == ST_OK ? scan(r, table, &s, f) : st;
}

enum status columnar_scan_versions(const struct columnar_reader *r, int table, lsn_t from, lsn_t to,
                                   columnar_row_fn fn, void *ctx, struct fault *f)
{
    struct row_scan s = {.from = from, .to = to == LSN_MAX ? r->s.applied : to, .versions = true,
                         .fn = fn, .ctx = ctx};
    enum status st = state_readable(&r->s, from, f);

    if (st == ST_OK) st = state_readable(&r->s, s.to, f);
    return st == ST_OK ? scan(r, table, &s, f) : st;
}

enum status columnar_scan_changes(const struct columnar_reader *r, int table, lsn_t from, lsn_t to,
                                  columnar_row_fn fn, void *ctx, struct fault *f)
{
    struct row_scan s = {.from = from, .to = to == LSN_MAX ? r->s.applied : to, .versions = true, .changes = true,
                         .fn = fn, .ctx = ctx};
    enum status st = from < r->s.horizon
                         ? fault_set(f, ST_NOT_FOUND, r->s.dir, FAULT_NO_OFFSET,
                                     "versions that ended before LSN %" PRIu64 " are kept no more", r->s.horizon)
                         : ST_OK;

    if (st == ST_OK) st = state_readable(&r->s, s.to, f);
    return st == ST_OK ? scan(r, table, &s, f) : st;
}
