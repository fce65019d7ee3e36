/* publish - one atomic step from what the writer holds to what everybody sees.
 *
 * Small batches append one record to the journal: one synced write. Everything else (new tables, many
 * rows, a full journal) becomes column files and a manifest, after which the journal starts anew.   */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "columnar/table/writer.h"
#include "engine/base/crc32c.h"
#include "engine/base/thread.h"

enum { FILL_STEP = 1 << 20, BATCH_ROWS_MAX = 32768, DEBT_PER_ROW = 8 };

enum seam_status columnar_writer_poisoned(const struct columnar_writer *w, struct seam_fault *f)
{
    assert(w->poisoned != SEAM_OK);
    return seam_fault_set(f, w->poisoned, w->s.dir, SEAM_FAULT_NO_OFFSET,
                          "an earlier publish failed: close and reopen the warehouse");
}

/* ---- column files ---- */

struct encode_job {
    const struct columnar_colfile_column *columns;
    const struct columnar_column *data;
    int count;
    size_t first_group, rows, group_rows;
    struct columnar_colgroup *groups;
};

static enum seam_status encode_groups(void *ctx, size_t begin, size_t end, int thread)
{
    struct encode_job *j = ctx;

    (void)thread;
    for (size_t g = begin; g < end; g++) {
        size_t from = (j->first_group + g) * j->group_rows;
        size_t n = j->rows - from < j->group_rows ? j->rows - from : j->group_rows;
        enum seam_status st =
            columnar_colgroup_encode(j->columns, j->data, j->count, from, n, &j->groups[g]);

        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static enum seam_status write_groups(struct columnar_writer *w, struct encode_job *j,
                                     struct columnar_colfile_writer *out, struct seam_fault *f)
{
    size_t groups = (j->rows + j->group_rows - 1) / j->group_rows;
    size_t at_once = (size_t)(w->opt.threads > 0 ? w->opt.threads : 1) * 2;
    enum seam_status st = SEAM_OK;

    j->groups = calloc(at_once, sizeof *j->groups);
    if (j->groups == NULL) return seam_no_memory(f, "row groups");
    for (size_t g = 0; st == SEAM_OK && g < groups; g += at_once) {
        size_t n = groups - g < at_once ? groups - g : at_once;

        j->first_group = g;
        st = seam_no_memory_if(
            seam_parallel_for(w->opt.threads > 0 ? w->opt.threads : 1, n, 1, encode_groups, j), f,
            "the warehouse");
        for (size_t k = 0; k < n; k++) {
            if (st == SEAM_OK) st = columnar_colfile_add(out, &j->groups[k], f);
            columnar_colgroup_free(&j->groups[k], j->count);
        }
    }
    free(j->groups);
    return st;
}

enum seam_status columnar_writer_write_file(struct columnar_writer *w, struct columnar_table *t,
                                            const struct columnar_coldata *d, uint64_t id,
                                            struct columnar_table_file *tf, struct seam_fault *f)
{
    struct columnar_colfile_column columns[SEAM_COLUMNS_MAX + 1];
    struct columnar_column data[SEAM_COLUMNS_MAX + 1];
    struct encode_job job = {
        .columns = columns, .data = data, .rows = d->rows, .group_rows = w->opt.row_group_rows};
    struct columnar_colfile_spec spec = {
        .owner = w->s.owner, .id = id, .table_id = t->id, .columns = columns};
    struct columnar_colfile_writer *out = NULL;
    struct columnar_colfile_written written;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    columns[0] = (struct columnar_colfile_column){COLFILE_LSN_COLUMN, SEAM_V_INT, 0};
    data[0] = (struct columnar_column){.ints = (const int64_t *)d->lsn};
    job.count = 1;
    for (int c = 0; c < d->count; c++) {
        if (!seam_column_live(&t->schema.columns[c], t->schema.version)) continue;
        columns[job.count] = (struct columnar_colfile_column){d->columns[c].id, d->columns[c].type,
                                                              d->columns[c].scale};
        columnar_coldata_view(d, c, &data[job.count++]);
    }
    spec.count = job.count;
    st = columnar_file_path(path, w->s.dir, id, f);
    if (st == SEAM_OK) st = columnar_colfile_create(w->io, path, &spec, &out, f);
    if (st == SEAM_OK) st = write_groups(w, &job, out, f);
    if (st == SEAM_OK) st = columnar_colfile_finish(out, w->opt.no_sync, &written, f);
    columnar_colfile_writer_free(out);
    if (st != SEAM_OK) return st;
    tf->id = id;
    tf->rows = written.rows;
    tf->bytes = written.bytes;
    tf->lsn_min = written.lsn_min;
    tf->lsn_max = written.lsn_max;
    SEAM_TRACE(w->opt.trace, "columnar", "file_written", SEAM_TI("file", id),
               SEAM_TI("rows", written.rows), SEAM_TI("bytes", written.bytes),
               SEAM_TS("table", t->schema.name));
    return columnar_colfile_open(w->io, path, &tf->file, f);
}

enum seam_status columnar_writer_flush_tail(struct columnar_writer *w, size_t table,
                                            struct seam_fault *f)
{
    struct columnar_table *t = &w->s.tables[table];
    struct columnar_table_file *tf, made = {0};
    enum seam_status st;

    if (t->rows.rows == 0) return SEAM_OK;
    w->structure = true;
    st = columnar_writer_write_file(w, t, &t->rows, t->tail.id, &made, f);
    if (st == SEAM_OK) st = seam_no_memory_if(columnar_table_add_file(t, &tf), f, "the warehouse");
    if (st != SEAM_OK) {
        columnar_colfile_unref(made.file);
        return st;
    }
    /* Same id, same row numbers: what was killed in the tail is killed in the file. */
    *tf = made;
    tf->buckets = t->tail.buckets;
    tf->bucket_count = t->tail.bucket_count;
    tf->killed = t->tail.killed;
    tf->kill_max = t->tail.kill_max;
    tf->kills_dirty = tf->killed > 0;
    t->tail.buckets = NULL;
    t->tail.bucket_count = 0;
    w->tables[table].published = 0;
    return seam_no_memory_if(columnar_table_reset_tail(t, w->s.next_file++), f, "the warehouse");
}

/* ---- kills ---- */

static enum seam_status write_kills(struct columnar_writer *w, struct seam_fault *f)
{
    uint8_t head[KILLS_HEAD];
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];
    uint64_t id = w->s.next_file;
    enum seam_status st;

    seam_filehead_encode(&columnar_kills_format,
                         &(struct seam_filehead){.owner = w->s.owner, .file_id = id}, head);
    seam_buf_append(&b, head, sizeof head);
    for (size_t i = 0; i < w->s.table_count; i++)
        for (size_t k = 0; k < w->s.tables[i].file_count; k++) {
            struct columnar_table_file *tf = &w->s.tables[i].files[k];
            size_t at = b.size;

            if (!tf->kills_dirty) continue;
            columnar_file_kills_encode(tf, &b);
            if (!seam_buf_ok(&b)) break;
            tf->kills_file = id;
            tf->kills_at = at;
            tf->kills_size = b.size - at;
            tf->kills_crc = seam_crc32c(0, b.data + at, b.size - at);
            tf->kills_dirty = false;
        }
    st = seam_buf_check(&b, f, "the ended rows");
    if (st != SEAM_OK || b.size == KILLS_HEAD) goto done;
    w->s.next_file++;
    st = columnar_kills_path(path, w->s.dir, id, f);
    if (st == SEAM_OK) st = seam_io_write_new(w->io, path, b.data, b.size, !w->opt.no_sync, f);
done:
    seam_buf_free(&b);
    return st;
}

/* ---- the two ways to publish ---- */

static void forget_pending(struct columnar_writer *w)
{
    for (size_t i = 0; i < w->s.table_count; i++) {
        w->tables[i].kill_count = 0;
        w->tables[i].published = w->s.tables[i].rows.rows;
        w->tables[i].fresh = false;
    }
    w->structure = false;
}

enum seam_status columnar_writer_publish_manifest(struct columnar_writer *w, seam_lsn_t applied,
                                                  int64_t wall_us, bool new_snapshot,
                                                  struct seam_fault *f)
{
    struct seam_manifest m = {.kind = COLUMNAR_KIND,
                              .seq = w->s.seq + 1,
                              .parent = w->s.seq,
                              .applied_lsn = applied,
                              .wall_us = wall_us,
                              .owner = w->s.owner};
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < w->s.table_count; i++)
        st = columnar_writer_flush_tail(w, i, f);
    if (st == SEAM_OK) st = write_kills(w, f);
    if (st == SEAM_OK && !w->opt.no_sync) st = seam_io_sync_dir(w->io, w->s.dir, f);
    if (st == SEAM_OK && new_snapshot)
        st = seam_no_memory_if(
            columnar_state_add_snapshot(&w->s, w->s.next_snapshot++, applied, wall_us), f,
            "the warehouse");
    if (st == SEAM_OK) {
        columnar_state_encode(&w->s, &m.payload);
        st = seam_buf_check(&m.payload, f, "the manifest");
    }
    if (st == SEAM_OK) st = seam_manifest_publish(w->io, w->s.dir, &m, f);
    SEAM_TRACE(w->opt.trace, "columnar", "manifest_published", SEAM_TI("seq", m.seq),
               SEAM_TI("lsn", applied), SEAM_TI("bytes", m.payload.size));
    seam_buf_free(&m.payload);
    if (st != SEAM_OK) {
        w->poisoned = st;
        return st;
    }
    seam_file_close(w->journal);
    w->journal = NULL;
    seam_file_close(w->s.journal);
    w->s.journal = NULL;
    w->s.seq = m.seq;
    w->s.journal_rows = 0;
    w->s.journal_end = 0;
    w->s.applied = applied;
    w->s.wall_us = wall_us;
    w->orphans++;
    forget_pending(w);
    return SEAM_OK;
}

/* Under another name until it is whole, so that a journal that is there has a head to be believed. */
static enum seam_status journal_create(struct columnar_writer *w, struct seam_fault *f)
{
    uint8_t head[JOURNAL_HEAD] = {0};
    char path[SEAM_PATH_MAX_BYTES], making[SEAM_PATH_MAX_BYTES];
    enum seam_status st = columnar_journal_path(path, w->s.dir, w->s.seq, f);

    if (st == SEAM_OK)
        st = seam_path_format(making, w->s.dir, f, "journal-%016" PRIx64 ".tmp", w->s.seq);
    if (st != SEAM_OK) return st;
    seam_filehead_encode(&columnar_journal_format,
                         &(struct seam_filehead){.owner = w->s.owner, .file_id = w->s.seq}, head);
    columnar_journal_put_committed(head + JOURNAL_COMMITTED, JOURNAL_HEAD);
    st = seam_file_open(w->io, making, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC,
                        &w->journal, f);
    if (st == SEAM_OK) st = seam_file_write(w->journal, 0, head, sizeof head, f);
    if (st == SEAM_OK)
        st = seam_file_fill_zero(w->journal, JOURNAL_HEAD, FILL_STEP - JOURNAL_HEAD, f);
    if (st == SEAM_OK && !w->opt.no_sync) st = seam_file_sync(w->journal, f);
    seam_file_close(w->journal);
    w->journal = NULL;
    if (st == SEAM_OK) st = seam_io_rename(w->io, making, path, f);
    if (st == SEAM_OK && !w->opt.no_sync) st = seam_io_sync_dir(w->io, w->s.dir, f);
    if (st == SEAM_OK) st = seam_file_open(w->io, path, SEAM_FILE_WRITE, &w->journal, f);
    w->journal_filled = FILL_STEP;
    w->s.journal_end = JOURNAL_HEAD;
    w->s.journal_crc = seam_filehead_sum(head);
    return st;
}

static enum seam_status journal_write(struct columnar_writer *w, struct seam_buf *record,
                                      struct seam_fault *f)
{
    uint64_t end = w->s.journal_end + record->size;
    uint8_t committed[JOURNAL_COMMITTED_SIZE];
    uint32_t size = (uint32_t)(record->size - JOURNAL_RECORD_HEAD), crc;
    enum seam_status st = SEAM_OK;

    if (w->journal == NULL) {
        st = journal_create(w, f);
        if (st != SEAM_OK) return st;
        end = w->s.journal_end + record->size;
    }
    seam_put_u32(record->data, size);
    crc = seam_crc32c(seam_crc32c(w->s.journal_crc, record->data, 4),
                      record->data + JOURNAL_RECORD_HEAD, size);
    seam_put_u32(record->data + 4, crc);
    if (end > w->journal_filled) {
        uint64_t more = (end - w->journal_filled + FILL_STEP) / FILL_STEP * FILL_STEP;

        st = seam_file_fill_zero(w->journal, w->journal_filled, more, f);
        w->journal_filled += more;
        if (st == SEAM_OK && !w->opt.no_sync) st = seam_file_sync(w->journal, f);
    }
    if (st == SEAM_OK)
        st = seam_file_write(w->journal, w->s.journal_end, record->data, record->size, f);
    if (st == SEAM_OK && !w->opt.no_sync) st = seam_file_datasync(w->journal, f);
    columnar_journal_put_committed(committed, end);
    if (st == SEAM_OK)
        st = seam_file_write(w->journal, JOURNAL_COMMITTED, committed, sizeof committed, f);
    if (st != SEAM_OK) return st;
    w->s.journal_end = end;
    w->s.journal_crc = crc;
    return SEAM_OK;
}

static void encode_record(struct columnar_writer *w, seam_lsn_t applied, int64_t wall_us,
                          struct seam_buf *b)
{
    uint64_t tables = 0;

    seam_buf_extend(b, JOURNAL_RECORD_HEAD);
    seam_buf_varint(b, w->s.next_snapshot);
    seam_buf_varint(b, applied);
    seam_buf_varint(b, seam_zigzag(wall_us));
    for (size_t i = 0; i < w->s.table_count; i++)
        tables += w->s.tables[i].rows.rows > w->tables[i].published || w->tables[i].kill_count > 0;
    seam_buf_varint(b, tables);
    for (size_t i = 0; i < w->s.table_count; i++) {
        const struct columnar_table_writer *tw = &w->tables[i];

        if (w->s.tables[i].rows.rows > tw->published || tw->kill_count > 0)
            columnar_journal_encode_table(&w->s.tables[i], tw->published, tw->kills, tw->kill_count,
                                          b);
    }
}

static enum seam_status publish_journal(struct columnar_writer *w, seam_lsn_t applied,
                                        int64_t wall_us, struct seam_fault *f)
{
    struct seam_buf *b = &w->scratch;
    enum seam_status st;

    seam_buf_clear(b);
    encode_record(w, applied, wall_us, b);
    if (!seam_buf_ok(b))
        return seam_fault_set(f, SEAM_NOMEM, w->s.dir, SEAM_FAULT_NO_OFFSET,
                              "no memory to publish");
    st = journal_write(w, b, f);
    if (st == SEAM_OK)
        st = seam_no_memory_if(
            columnar_state_add_snapshot(&w->s, w->s.next_snapshot++, applied, wall_us), f,
            "the warehouse");
    if (st != SEAM_OK) {
        w->poisoned = st;
        return st;
    }
    w->s.applied = applied;
    w->s.wall_us = wall_us;
    forget_pending(w);
    SEAM_TRACE(w->opt.trace, "columnar", "journal_published", SEAM_TI("lsn", applied),
               SEAM_TI("bytes", b->size));
    return SEAM_OK;
}

bool columnar_writer_pending(const struct columnar_writer *w)
{
    if (w->structure) return true;
    for (size_t i = 0; i < w->s.table_count; i++)
        if (w->s.tables[i].rows.rows > w->tables[i].published || w->tables[i].kill_count > 0)
            return true;
    return false;
}

enum seam_status columnar_publish(struct columnar_writer *w, seam_lsn_t applied, int64_t wall_us,
                                  struct seam_fault *f)
{
    bool big = w->structure || w->s.seq == 0 || w->s.journal_end >= w->opt.journal_bytes_max;
    uint64_t batch_rows = 0;

    if (seam_forked(&w->mark)) return seam_forked_fault(&w->mark, w->s.dir, f);
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (applied < w->s.applied)
        return seam_fault_set(f, SEAM_INVALID, w->s.dir, SEAM_FAULT_NO_OFFSET,
                              "publish at LSN %" PRIu64 ", below the applied LSN %" PRIu64, applied,
                              w->s.applied);
    if (applied == w->s.applied && w->s.seq != 0 && !columnar_writer_pending(w)) return SEAM_OK;
    for (size_t i = 0; i < w->s.table_count; i++) {
        batch_rows += w->s.tables[i].rows.rows - w->tables[i].published + w->tables[i].kill_count;
        if (w->s.tables[i].rows.rows >= w->opt.journal_rows_max) big = true;
    }
    if (batch_rows > 0) w->published_ns = seam_clock_mono_ns(w->opt.clock);
    w->owed_rows += batch_rows * DEBT_PER_ROW;
    if (w->owed_rows > w->opt.file_rows_max) w->owed_rows = w->opt.file_rows_max;
    if (big || batch_rows > BATCH_ROWS_MAX)
        return columnar_writer_publish_manifest(w, applied, wall_us, true, f);
    return publish_journal(w, applied, wall_us, f);
}

/* ---- sweeping ---- */

static bool named_by_state(const struct columnar_writer *w, char letter, uint64_t id)
{
    for (size_t i = 0; i < w->s.table_count; i++)
        for (size_t k = 0; k < w->s.tables[i].file_count; k++) {
            const struct columnar_table_file *tf = &w->s.tables[i].files[k];

            if (letter == 'f' ? tf->id == id : tf->kills_size > 0 && tf->kills_file == id)
                return true;
        }
    return false;
}

/* What a file name means to the newest manifest: true when nothing needs it. */
static bool is_orphan(const struct columnar_writer *w, const char *name)
{
    uint64_t id;
    char tail[24] = "";
    size_t n = strlen(name);

    if (n > 4 && strcmp(name + n - 4, ".tmp") == 0)
        return true; /* of a life that ended while making it */
    if (sscanf(name, "journal-%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".log") == 0)
        return id != w->s.seq;
    if (sscanf(name, "f%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".col") == 0)
        return !named_by_state(w, 'f', id);
    if (sscanf(name, "k%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".kills") == 0)
        return !named_by_state(w, 'k', id);
    return seam_manifest_name_parse(name, &id) && id < w->s.seq;
}

enum seam_status columnar_writer_sweep(struct columnar_writer *w, uint32_t *removed,
                                       uint64_t *bytes, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st;

    assert(!columnar_writer_pending(w));
    st = seam_io_list(w->io, w->s.dir, &names, f);
    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        struct seam_file *file = NULL;
        uint64_t size = 0;

        if (!is_orphan(w, names.names[i])) continue;
        st = seam_path_join(path, w->s.dir, names.names[i], f);
        if (st == SEAM_OK && seam_file_open(w->io, path, SEAM_FILE_READ, &file, NULL) == SEAM_OK) {
            if (seam_file_size(file, &size, NULL) != SEAM_OK) size = 0;
            seam_file_close(file);
        }
        if (st == SEAM_OK) st = seam_io_unlink(w->io, path, f);
        if (st == SEAM_OK) {
            ++*removed;
            *bytes += size;
            SEAM_TRACE(w->opt.trace, "columnar", "file_removed", SEAM_TS("name", names.names[i]),
                       SEAM_TI("bytes", size));
        }
    }
    seam_io_list_free(&names);
    if (st == SEAM_OK) w->orphans = 0;
    return st;
}
