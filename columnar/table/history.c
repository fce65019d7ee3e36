/* history - tags, vacuum, rollback: which LSNs can be read, and who decides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "columnar/table/compact.h"
#include "columnar/table/reader.h"

static enum status ready(struct columnar_writer *w, const char *what, struct fault *f)
{
    if (w->poisoned != ST_OK) return writer_poisoned(w, f);
    if (!writer_pending(w)) return ST_OK;
    return fault_set(f, ST_INVALID, w->s.dir, FAULT_NO_OFFSET, "publish before %s", what);
}

static enum status publish_marks(struct columnar_writer *w, struct fault *f)
{
    w->structure = true;
    return writer_publish_manifest(w, w->s.applied, w->s.wall_us, false, f);
}

static int64_t wall_of(const struct state *s, lsn_t lsn)
{
    int64_t wall = 0;

    for (size_t i = 0; i < s->snapshot_count && s->snapshots[i].lsn <= lsn; i++) wall = s->snapshots[i].wall_us;
    return wall;
}

enum status columnar_tag(struct columnar_writer *w, const char *name, lsn_t lsn, bool pin, struct fault *f)
{
    struct columnar_tag_info *tag;
    enum status st = ready(w, "tagging", f);

    if (st == ST_OK) st = state_readable(&w->s, lsn, f);
    if (st != ST_OK) return st;
    if (name[0] == 0 || strlen(name) >= COLUMNAR_NAME_MAX)
        return fault_set(f, ST_INVALID, name, FAULT_NO_OFFSET, "a tag's name is 1 to %d bytes",
                         COLUMNAR_NAME_MAX - 1);
    for (size_t i = 0; i < w->s.tag_count; i++)
        if (strcmp(w->s.tags[i].name, name) == 0)
            return fault_set(f, ST_EXISTS, name, FAULT_NO_OFFSET, "the tag exists, at LSN %" PRIu64,
                             w->s.tags[i].lsn);
    if (w->s.tag_count == COLUMNAR_TAGS_MAX)
        return fault_set(f, ST_LIMIT, name, FAULT_NO_OFFSET, "a warehouse holds %d tags", COLUMNAR_TAGS_MAX);
    tag = &w->s.tags[w->s.tag_count++];
    *tag = (struct columnar_tag_info){.lsn = lsn, .wall_us = wall_of(&w->s, lsn), .pin = pin};
    snprintf(tag->name, sizeof tag->name, "%s", name);
    return publish_marks(w, f);
}

enum status columnar_untag(struct columnar_writer *w, const char *name, struct fault *f)
{
    enum status st = ready(w, "removing a tag", f);

    if (st != ST_OK) return st;
    for (size_t i = 0; i < w->s.tag_count; i++) {
        if (strcmp(w->s.tags[i].name, name) != 0) continue;
        w->s.tags[i] = w->s.tags[--w->s.tag_count];
        return publish_marks(w, f);
    }
    return fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "there is no such tag");
}

/* ---- vacuum ---- */

struct count_ctx { const struct state *s; uint64_t n; };

static enum status count_droppable(void *ctx, const struct version_batch *b)
{
    struct count_ctx *c = ctx;

    for (uint32_t i = 0; i < b->rows; i++) c->n += version_droppable(c->s, b->begin[i], b->end[i]);
    return ST_OK;
}

/* How many versions could go if the horizon were where it is now set. */
static enum status count_versions(const struct columnar_writer *w, uint64_t *n, struct fault *f)
{
    struct count_ctx c = {.s = &w->s};
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < w->s.table_count; i++)
        st = table_versions(&w->s.tables[i], NULL, NULL, 0, count_droppable, &c, f);
    *n = c.n;
    return st;
}

static enum status check_vacuum(const struct columnar_writer *w, lsn_t keep_from, bool force,
                                struct fault *f)
{
    int64_t promised = clock_wall_us(w->opt.clock) - (int64_t)w->opt.history_us;

    if (keep_from > w->s.applied)
        return fault_set(f, ST_INVALID, w->s.dir, FAULT_NO_OFFSET,
                         "LSN %" PRIu64 " is above the applied LSN %" PRIu64, keep_from, w->s.applied);
    for (size_t i = 0; i < w->s.tag_count; i++)
        if (w->s.tags[i].pin && w->s.tags[i].lsn < keep_from)
            return fault_set(f, ST_CONFLICT, w->s.dir, FAULT_NO_OFFSET,
                             "pin %s holds the history from LSN %" PRIu64, w->s.tags[i].name,
                             w->s.tags[i].lsn);
    if (force) return ST_OK;
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn >= w->s.horizon && w->s.snapshots[i].lsn < keep_from &&
            w->s.snapshots[i].wall_us > promised)
            return fault_set(f, ST_CONFLICT, w->s.dir, FAULT_NO_OFFSET,
                             "snapshot %" PRIu64 " at LSN %" PRIu64
                             " is inside the promised history; force to drop it",
                             w->s.snapshots[i].id, w->s.snapshots[i].lsn);
    return ST_OK;
}

/* A line that outlives what it tells of. */
static enum status log_vacuum(const struct columnar_writer *w, const struct columnar_vacuum *plan,
                              struct fault *f)
{
    char path[PATH_MAX_BYTES], when[40], line[256];
    struct file *file = NULL;
    uint64_t size = 0;
    int n;
    enum status st = path_join(path, w->s.dir, "vacuum.log", f);

    time_format(clock_wall_us(w->opt.clock), when);
    n = snprintf(line, sizeof line,
                 "%s unreadable: LSN %" PRIu64 " to %" PRIu64 " but for %u tags; versions to drop: %" PRIu64
                 "; applied: %" PRIu64 "\n", when, plan->from, plan->to, plan->kept_tags, plan->versions,
                 plan->applied);
    if (st == ST_OK) st = file_open(w->io, path, FILE_WRITE | FILE_CREATE, &file, f);
    if (st == ST_OK) st = file_size(file, &size, f);
    if (st == ST_OK) st = file_write(file, size, line, (size_t)n, f);
    if (st == ST_OK) st = file_datasync(file, f);
    file_close(file);
    return st;
}

enum status columnar_vacuum(struct columnar_writer *w, lsn_t keep_from, bool dry_run, bool force,
                            struct columnar_vacuum *plan, struct fault *f)
{
    lsn_t before = w->s.horizon;
    size_t kept = 0;
    enum status st = ready(w, "vacuuming", f);

    *plan = (struct columnar_vacuum){.from = before, .to = keep_from, .applied = w->s.applied};
    if (st == ST_OK) st = check_vacuum(w, keep_from, force, f);
    if (st != ST_OK) return st;
    if (keep_from <= before) {
        plan->to = before;
        return ST_OK;
    }
    for (size_t i = 0; i < w->s.tag_count; i++)
        plan->kept_tags += w->s.tags[i].lsn >= before && w->s.tags[i].lsn < keep_from;
    w->s.horizon = keep_from;
    st = count_versions(w, &plan->versions, f);
    if (st != ST_OK || dry_run) {
        w->s.horizon = before;
        return st;
    }
    st = log_vacuum(w, plan, f);
    if (st != ST_OK) {
        w->s.horizon = before;
        return st;
    }
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn >= keep_from) w->s.snapshots[kept++] = w->s.snapshots[i];
    w->s.snapshot_count = kept;
    TRACE(w->opt.trace, "columnar", "vacuum", TI("from", plan->from), TI("to", plan->to),
          TI("versions", plan->versions));
    return publish_marks(w, f);
}

/* ---- rollback ---- */

static enum status roll_table(struct columnar_writer *w, size_t table, lsn_t lsn, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct columnar_maintenance done = {0};
    bool *chosen = calloc(t->file_count + 1, sizeof *chosen), any = false;
    enum status st = ST_OK;

    if (chosen == NULL) return ST_NOMEM;
    for (size_t i = 0; i < t->file_count; i++) {
        chosen[i] = t->files[i].lsn_max > lsn || t->files[i].kill_max > lsn;
        any = any || chosen[i];
    }
    if (any) st = compact_files(w, table, chosen, lsn, &done, f);
    free(chosen);
    w->tables[table].last_lsn = 0;
    return st;
}

enum status columnar_rollback(struct columnar_writer *w, lsn_t lsn, struct fault *f)
{
    size_t kept = 0;
    enum status st = ready(w, "rolling back", f);

    if (st == ST_OK) st = state_readable(&w->s, lsn, f);
    if (st == ST_OK && lsn < w->s.horizon)
        st = fault_set(f, ST_NOT_FOUND, w->s.dir, FAULT_NO_OFFSET,
                       "LSN %" PRIu64 " is kept only by a tag: rolling back needs LSN %" PRIu64
                       " or later", lsn, w->s.horizon);
    for (size_t i = 0; st == ST_OK && i < w->s.tag_count; i++)
        if (w->s.tags[i].lsn > lsn)
            st = fault_set(f, ST_CONFLICT, w->s.dir, FAULT_NO_OFFSET,
                           "tag %s is at LSN %" PRIu64 ", after the rollback: remove it first",
                           w->s.tags[i].name, w->s.tags[i].lsn);
    if (st != ST_OK) return st;
    for (size_t i = 0; st == ST_OK && i < w->s.table_count; i++) st = writer_flush_tail(w, i, f);
    for (size_t i = 0; st == ST_OK && i < w->s.table_count; i++) st = roll_table(w, i, lsn, f);
    if (st != ST_OK) {
        w->poisoned = st;
        return st;
    }
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn <= lsn) w->s.snapshots[kept++] = w->s.snapshots[i];
    w->s.snapshot_count = kept;
    TRACE(w->opt.trace, "columnar", "rollback", TI("lsn", lsn), TI("from", w->s.applied));
    w->structure = true;
    return writer_publish_manifest(w, lsn, wall_of(&w->s, lsn), false, f);
}
