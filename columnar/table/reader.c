/* reader - opens a state, follows the writer's journal, and gives tables by name. */
#include "columnar/table/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { OPEN_TRIES = 20 };

/* The writer may sweep files between our reading of a manifest and our opening of what it names; then there
 * is a newer manifest. */
static enum seam_status load(struct seam_io *io, const char *dir, const struct columnar_state *old,
                             struct columnar_state *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (int i = 0; i < OPEN_TRIES; i++) {
        struct seam_fault here = {0};

        st = columnar_state_load(io, dir, false, old, out, &here);
        if (st != SEAM_NOT_FOUND) {
            if (st != SEAM_OK) seam_fault_give(f, &here);
            return st;
        }
        if (i == OPEN_TRIES - 1) seam_fault_give(f, &here);
    }
    return st;
}

enum seam_status columnar_open_reader(struct seam_io *io, const char *dir,
                                      const struct columnar_options *opt,
                                      struct columnar_reader **out, struct seam_fault *f)
{
    struct columnar_reader *r = calloc(1, sizeof *r);
    enum seam_status st;

    if (r == NULL) return seam_no_memory(f, "a warehouse's reader");
    if (!seam_io_exists(io, dir)) {
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, SEAM_FAULT_NO_OFFSET,
                            "there is no warehouse here");
        goto done;
    }
    if (opt != NULL) r->opt = *opt;
    if (r->opt.clock == NULL) r->opt.clock = seam_clock_real();
    st = load(io, dir, NULL, &r->s, f);
    if (st == SEAM_OK && r->s.seq != 0) st = seam_owner_check(&r->opt.owner, &r->s.owner, dir, f);
    if (st != SEAM_OK) goto done;
    *out = r;
    r = NULL;
done:
    columnar_close_reader(r);
    return st;
}

void columnar_close_reader(struct columnar_reader *r)
{
    if (r == NULL) return;
    columnar_state_free(&r->s);
    free(r);
}

enum seam_status columnar_refresh(struct columnar_reader *r, bool *changed, struct seam_fault *f)
{
    struct columnar_state fresh = {0};
    bool newest = false;
    enum seam_status st = columnar_state_manifest_is_newest(&r->s, &newest, f);

    if (changed != NULL) *changed = false;
    if (st != SEAM_OK) return st;
    if (newest) return columnar_state_follow(&r->s, false, changed, f);
    st = load(r->s.io, r->s.dir, &r->s, &fresh, f);
    if (st != SEAM_OK) return st;
    columnar_state_free(&r->s);
    r->s = fresh;
    if (changed != NULL) *changed = true;
    return SEAM_OK;
}

struct seam_owner columnar_owner(const struct columnar_reader *r)
{
    return r->s.owner;
}
seam_lsn_t columnar_applied(const struct columnar_reader *r)
{
    return r->s.applied;
}
int64_t columnar_applied_wall_us(const struct columnar_reader *r)
{
    return r->s.wall_us;
}
seam_lsn_t columnar_history_from(const struct columnar_reader *r)
{
    return r->s.horizon;
}
int columnar_table_count(const struct columnar_reader *r)
{
    return (int)r->s.table_count;
}

int columnar_table(const struct columnar_reader *r, const char *name)
{
    return columnar_state_table_named(&r->s, name);
}

const struct seam_schema *columnar_schema(const struct columnar_reader *r, int table)
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

enum seam_status columnar_state_readable(const struct columnar_state *s, seam_lsn_t lsn,
                                         struct seam_fault *f)
{
    if (lsn >= s->horizon && lsn <= s->applied) return SEAM_OK;
    for (size_t i = 0; i < s->tag_count; i++)
        if (s->tags[i].lsn == lsn) return SEAM_OK;
    return seam_fault_set(f, SEAM_NOT_FOUND, s->dir, SEAM_FAULT_NO_OFFSET,
                          "LSN %" PRIu64 " cannot be read: the history kept is LSN %" PRIu64
                          " to %" PRIu64 " and %zu tags",
                          lsn, s->horizon, s->applied, s->tag_count);
}

static enum seam_status resolve_time(const struct columnar_reader *r, int64_t wall_us,
                                     seam_lsn_t *lsn, struct seam_fault *f)
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
    if (found) return SEAM_OK;
    seam_time_format(wall_us, want);
    seam_time_format(n > 0 ? s[0].wall_us : 0, have);
    return seam_fault_set(f, SEAM_NOT_FOUND, r->s.dir, SEAM_FAULT_NO_OFFSET,
                          "nothing was published at or before %s%s%s", want,
                          n > 0 ? "; the history kept begins at " : "", n > 0 ? have : "");
}

enum seam_status columnar_resolve(const struct columnar_reader *r,
                                  const struct columnar_as_of *as_of, seam_lsn_t *lsn,
                                  struct seam_fault *f)
{
    const struct columnar_snapshot *s;
    size_t n = columnar_snapshots(r, &s);

    switch (as_of->kind) {
    case COLUMNAR_AS_OF_NEWEST: *lsn = r->s.applied; return SEAM_OK;
    case COLUMNAR_AS_OF_LSN: *lsn = as_of->number; return columnar_state_readable(&r->s, *lsn, f);
    case COLUMNAR_AS_OF_TIME: return resolve_time(r, as_of->wall_us, lsn, f);
    case COLUMNAR_AS_OF_SNAPSHOT:
        for (size_t lo = 0, hi = n; lo < hi;) { /* ids ascend */
            size_t mid = (lo + hi) / 2;

            if (s[mid].id == as_of->number) {
                *lsn = s[mid].lsn;
                return SEAM_OK;
            }
            if (s[mid].id < as_of->number)
                lo = mid + 1;
            else
                hi = mid;
        }
        return seam_fault_set(f, SEAM_NOT_FOUND, r->s.dir, SEAM_FAULT_NO_OFFSET,
                              "there is no snapshot %" PRIu64 "; kept are %" PRIu64 " to %" PRIu64,
                              as_of->number, n > 0 ? s[0].id : 0, n > 0 ? s[n - 1].id : 0);
    case COLUMNAR_AS_OF_TAG:
        for (size_t i = 0; i < r->s.tag_count; i++)
            if (strcmp(r->s.tags[i].name, as_of->tag) == 0) {
                *lsn = r->s.tags[i].lsn;
                return SEAM_OK;
            }
        return seam_fault_set(f, SEAM_NOT_FOUND, r->s.dir, SEAM_FAULT_NO_OFFSET,
                              "there is no tag %s", as_of->tag);
    }
    return seam_fault_set(f, SEAM_INVALID, r->s.dir, SEAM_FAULT_NO_OFFSET, "unknown kind of AS OF");
}

void columnar_table_info(const struct columnar_reader *r, int table,
                         struct columnar_table_info *out)
{
    const struct columnar_table *t = &r->s.tables[table];

    *out = (struct columnar_table_info){.tail_rows = t->rows.rows,
                                        .versions = t->rows.rows,
                                        .rows = t->rows.rows - t->tail.killed,
                                        .files = t->file_count,
                                        .lsn_min = t->tail.lsn_min,
                                        .lsn_max = t->tail.lsn_max};
    for (size_t i = 0; i < t->file_count; i++) {
        const struct columnar_table_file *tf = &t->files[i];

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
    const struct seam_schema *schema;
    const int *columns;
    int count;
    struct seam_value *values;
    seam_lsn_t from, to;
    bool versions, changes;
    columnar_row_fn fn;
    void *ctx;
};

static enum seam_status scan_batch(void *ctx, const struct columnar_version_batch *b)
{
    struct row_scan *s = ctx;

    for (uint32_t i = 0; i < b->rows; i++) {
        enum seam_status st;

        if (b->begin[i] > s->to || b->begin[i] == b->end[i]) continue;
        if (s->versions ? b->end[i] <= s->from : b->end[i] <= s->to) continue;
        if (s->changes && b->begin[i] <= s->from && b->end[i] > s->to) continue;
        for (int c = 0; c < s->count; c++)
            s->values[s->columns[c]] = columnar_vec_value(&b->cols[c], i);
        st = s->fn(s->ctx, s->values, b->begin[i], b->end[i]);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static enum seam_status scan(const struct columnar_reader *r, int table, struct row_scan *s,
                             struct seam_fault *f)
{
    const struct columnar_table *t = &r->s.tables[table];
    int columns[SEAM_COLUMNS_MAX];
    enum seam_status st;

    s->schema = &t->schema;
    s->columns = columns;
    s->values = calloc(SEAM_COLUMNS_MAX, sizeof *s->values);
    if (s->values == NULL)
        return seam_fault_set(f, SEAM_NOMEM, r->s.dir, SEAM_FAULT_NO_OFFSET, "no memory to scan");
    for (int c = 0; c < t->schema.column_count; c++)
        if (seam_column_live(&t->schema.columns[c], t->schema.version)) columns[s->count++] = c;
    st = s->changes ? columnar_table_changes(t, s->from, s->to, columns, s->count, scan_batch, s, f)
                    : columnar_table_versions(t, NULL, columns, s->count, scan_batch, s, f);
    free(s->values);
    return st;
}

enum seam_status columnar_scan_rows(const struct columnar_reader *r, int table, seam_lsn_t lsn,
                                    columnar_row_fn fn, void *ctx, struct seam_fault *f)
{
    struct row_scan s = {.to = lsn == SEAM_LSN_MAX ? r->s.applied : lsn, .fn = fn, .ctx = ctx};
    enum seam_status st = columnar_state_readable(&r->s, s.to, f);

    return st == SEAM_OK ? scan(r, table, &s, f) : st;
}

enum seam_status columnar_scan_versions(const struct columnar_reader *r, int table, seam_lsn_t from,
                                        seam_lsn_t to, columnar_row_fn fn, void *ctx,
                                        struct seam_fault *f)
{
    struct row_scan s = {.from = from,
                         .to = to == SEAM_LSN_MAX ? r->s.applied : to,
                         .versions = true,
                         .fn = fn,
                         .ctx = ctx};
    enum seam_status st = columnar_state_readable(&r->s, from, f);

    if (st == SEAM_OK) st = columnar_state_readable(&r->s, s.to, f);
    return st == SEAM_OK ? scan(r, table, &s, f) : st;
}

enum seam_status columnar_scan_changes(const struct columnar_reader *r, int table, seam_lsn_t from,
                                       seam_lsn_t to, columnar_row_fn fn, void *ctx,
                                       struct seam_fault *f)
{
    struct row_scan s = {.from = from,
                         .to = to == SEAM_LSN_MAX ? r->s.applied : to,
                         .versions = true,
                         .changes = true,
                         .fn = fn,
                         .ctx = ctx};
    enum seam_status st =
        from < r->s.horizon
            ? seam_fault_set(f, SEAM_NOT_FOUND, r->s.dir, SEAM_FAULT_NO_OFFSET,
                             "versions that ended before LSN %" PRIu64 " are kept no more",
                             r->s.horizon)
            : SEAM_OK;

    if (st == SEAM_OK) st = columnar_state_readable(&r->s, s.to, f);
    return st == SEAM_OK ? scan(r, table, &s, f) : st;
}
