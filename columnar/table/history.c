/* history - tags, vacuum, rollback: which LSNs can be read, and who decides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "columnar/table/compact.h"
#include "columnar/table/reader.h"

static enum seam_status ready(struct columnar_writer *w, const char *what, struct seam_fault *f)
{
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (!columnar_writer_pending(w)) return SEAM_OK;
    return seam_fault_set(f, SEAM_INVALID, w->s.dir, SEAM_FAULT_NO_OFFSET, "publish before %s",
                          what);
}

static enum seam_status publish_marks(struct columnar_writer *w, struct seam_fault *f)
{
    w->structure = true;
    return columnar_writer_publish_manifest(w, w->s.applied, w->s.wall_us, false, f);
}

static int64_t wall_of(const struct columnar_state *s, seam_lsn_t lsn)
{
    int64_t wall = 0;

    for (size_t i = 0; i < s->snapshot_count && s->snapshots[i].lsn <= lsn; i++)
        wall = s->snapshots[i].wall_us;
    return wall;
}

enum seam_status columnar_tag(struct columnar_writer *w, const char *name, seam_lsn_t lsn, bool pin,
                              struct seam_fault *f)
{
    struct columnar_tag_info *tag;
    enum seam_status st = ready(w, "tagging", f);

    if (st == SEAM_OK) st = columnar_state_readable(&w->s, lsn, f);
    if (st != SEAM_OK) return st;
    if (name[0] == 0 || strlen(name) >= COLUMNAR_NAME_MAX)
        return seam_fault_set(f, SEAM_INVALID, name, SEAM_FAULT_NO_OFFSET,
                              "a tag's name is 1 to %d bytes", COLUMNAR_NAME_MAX - 1);
    for (size_t i = 0; i < w->s.tag_count; i++)
        if (strcmp(w->s.tags[i].name, name) == 0)
            return seam_fault_set(f, SEAM_EXISTS, name, SEAM_FAULT_NO_OFFSET,
                                  "the tag exists, at LSN %" PRIu64, w->s.tags[i].lsn);
    if (w->s.tag_count == COLUMNAR_TAGS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, name, SEAM_FAULT_NO_OFFSET,
                              "a warehouse holds %d tags", COLUMNAR_TAGS_MAX);
    tag = &w->s.tags[w->s.tag_count++];
    *tag = (struct columnar_tag_info){.lsn = lsn, .wall_us = wall_of(&w->s, lsn), .pin = pin};
    snprintf(tag->name, sizeof tag->name, "%s", name);
    return publish_marks(w, f);
}

enum seam_status columnar_untag(struct columnar_writer *w, const char *name, struct seam_fault *f)
{
    enum seam_status st = ready(w, "removing a tag", f);

    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < w->s.tag_count; i++) {
        if (strcmp(w->s.tags[i].name, name) != 0) continue;
        w->s.tags[i] = w->s.tags[--w->s.tag_count];
        return publish_marks(w, f);
    }
    return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET, "there is no such tag");
}

/* ---- vacuum ---- */

struct count_ctx {
    const struct columnar_state *s;
    uint64_t n;
};

static enum seam_status count_droppable(void *ctx, const struct columnar_version_batch *b)
{
    struct count_ctx *c = ctx;

    for (uint32_t i = 0; i < b->rows; i++)
        c->n += columnar_version_droppable(c->s, b->begin[i], b->end[i]);
    return SEAM_OK;
}

/* How many versions could go if the horizon were where it is now set. */
static enum seam_status count_versions(const struct columnar_writer *w, uint64_t *n,
                                       struct seam_fault *f)
{
    struct count_ctx c = {.s = &w->s};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++)
        st = columnar_table_versions(&w->s.tables[i], NULL, NULL, 0, count_droppable, &c, f);
    *n = c.n;
    return st;
}

static enum seam_status check_vacuum(const struct columnar_writer *w, seam_lsn_t keep_from,
                                     bool force, struct seam_fault *f)
{
    int64_t promised = seam_clock_wall_us(w->opt.clock) - (int64_t)w->opt.history_us;

    if (keep_from > w->s.applied)
        return seam_fault_set(f, SEAM_INVALID, w->s.dir, SEAM_FAULT_NO_OFFSET,
                              "LSN %" PRIu64 " is above the applied LSN %" PRIu64, keep_from,
                              w->s.applied);
    for (size_t i = 0; i < w->s.tag_count; i++)
        if (w->s.tags[i].pin && w->s.tags[i].lsn < keep_from)
            return seam_fault_set(f, SEAM_CONFLICT, w->s.dir, SEAM_FAULT_NO_OFFSET,
                                  "pin %s holds the history from LSN %" PRIu64, w->s.tags[i].name,
                                  w->s.tags[i].lsn);
    if (force) return SEAM_OK;
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn >= w->s.horizon && w->s.snapshots[i].lsn < keep_from &&
            w->s.snapshots[i].wall_us > promised)
            return seam_fault_set(f, SEAM_CONFLICT, w->s.dir, SEAM_FAULT_NO_OFFSET,
                                  "snapshot %" PRIu64 " at LSN %" PRIu64
                                  " is inside the promised history; force to drop it",
                                  w->s.snapshots[i].id, w->s.snapshots[i].lsn);
    return SEAM_OK;
}

/* A line that outlives what it tells of. */
static enum seam_status log_vacuum(const struct columnar_writer *w,
                                   const struct columnar_vacuum *plan, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES], when[40], line[256];
    struct seam_file *file = NULL;
    uint64_t size = 0;
    int n;
    enum seam_status st = seam_path_join(path, w->s.dir, "vacuum.log", f);

    seam_time_format(seam_clock_wall_us(w->opt.clock), when);
    n = snprintf(line, sizeof line,
                 "%s unreadable: LSN %" PRIu64 " to %" PRIu64
                 " but for %u tags; versions to drop: %" PRIu64 "; applied: %" PRIu64 "\n",
                 when, plan->from, plan->to, plan->kept_tags, plan->versions, plan->applied);
    if (st == SEAM_OK)
        st = seam_file_open(w->io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &file, f);
    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK) st = seam_file_write(file, size, line, (size_t)n, f);
    if (st == SEAM_OK) st = seam_file_datasync(file, f);
    seam_file_close(file);
    return st;
}

enum seam_status columnar_vacuum(struct columnar_writer *w, seam_lsn_t keep_from, bool dry_run,
                                 bool force, struct columnar_vacuum *plan, struct seam_fault *f)
{
    seam_lsn_t before = w->s.horizon;
    size_t kept = 0;
    enum seam_status st = ready(w, "vacuuming", f);

    *plan = (struct columnar_vacuum){.from = before, .to = keep_from, .applied = w->s.applied};
    if (st == SEAM_OK) st = check_vacuum(w, keep_from, force, f);
    if (st != SEAM_OK) return st;
    if (keep_from <= before) {
        plan->to = before;
        return SEAM_OK;
    }
    for (size_t i = 0; i < w->s.tag_count; i++)
        plan->kept_tags += w->s.tags[i].lsn >= before && w->s.tags[i].lsn < keep_from;
    w->s.horizon = keep_from;
    st = count_versions(w, &plan->versions, f);
    if (st != SEAM_OK || dry_run) {
        w->s.horizon = before;
        return st;
    }
    st = log_vacuum(w, plan, f);
    if (st != SEAM_OK) {
        w->s.horizon = before;
        return st;
    }
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn >= keep_from) w->s.snapshots[kept++] = w->s.snapshots[i];
    w->s.snapshot_count = kept;
    SEAM_TRACE(w->opt.trace, "columnar", "vacuum", SEAM_TI("from", plan->from),
               SEAM_TI("to", plan->to), SEAM_TI("versions", plan->versions));
    return publish_marks(w, f);
}

/* ---- rollback ---- */

static enum seam_status roll_table(struct columnar_writer *w, size_t table, seam_lsn_t lsn,
                                   struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct columnar_maintenance done = {0};
    bool *chosen = calloc(t->file_count + 1, sizeof *chosen), any = false;
    enum seam_status st = SEAM_OK;

    if (chosen == NULL) return seam_no_memory(f, "what is kept of history");
    for (size_t i = 0; i < t->file_count; i++) {
        chosen[i] = t->files[i].lsn_max > lsn || t->files[i].kill_max > lsn;
        any = any || chosen[i];
    }
    if (any) st = columnar_compact_files(w, table, chosen, lsn, &done, f);
    free(chosen);
    w->tables[table].last_lsn = 0;
    return st;
}

enum seam_status columnar_rollback(struct columnar_writer *w, seam_lsn_t lsn, struct seam_fault *f)
{
    size_t kept = 0;
    enum seam_status st = ready(w, "rolling back", f);

    if (st == SEAM_OK) st = columnar_state_readable(&w->s, lsn, f);
    if (st == SEAM_OK && lsn < w->s.horizon)
        st = seam_fault_set(f, SEAM_NOT_FOUND, w->s.dir, SEAM_FAULT_NO_OFFSET,
                            "LSN %" PRIu64 " is kept only by a tag: rolling back needs LSN %" PRIu64
                            " or later",
                            lsn, w->s.horizon);
    for (size_t i = 0; st == SEAM_OK && i < w->s.tag_count; i++)
        if (w->s.tags[i].lsn > lsn)
            st = seam_fault_set(f, SEAM_CONFLICT, w->s.dir, SEAM_FAULT_NO_OFFSET,
                                "tag %s is at LSN %" PRIu64 ", after the rollback: remove it first",
                                w->s.tags[i].name, w->s.tags[i].lsn);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++)
        st = columnar_writer_flush_tail(w, i, f);
    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++) st = roll_table(w, i, lsn, f);
    if (st != SEAM_OK) {
        w->poisoned = st;
        return st;
    }
    for (size_t i = 0; i < w->s.snapshot_count; i++)
        if (w->s.snapshots[i].lsn <= lsn) w->s.snapshots[kept++] = w->s.snapshots[i];
    w->s.snapshot_count = kept;
    SEAM_TRACE(w->opt.trace, "columnar", "rollback", SEAM_TI("lsn", lsn),
               SEAM_TI("from", w->s.applied));
    w->structure = true;
    return columnar_writer_publish_manifest(w, lsn, wall_of(&w->s, lsn), false, f);
}
