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

enum { FILL_STEP = 1 << 20, BATCH_ROWS_MAX = 32768 };

/* ---- column files ---- */

struct encode_job {
    const struct colfile_column *columns;
    const struct columnar_column *data;
    int count;
    size_t first_group, rows, group_rows;
    struct colgroup *groups;
};

static enum status encode_groups(void *ctx, size_t begin, size_t end, int thread)
{
    struct encode_job *j = ctx;

    (void)thread;
    for (size_t g = begin; g < end; g++) {
        size_t from = (j->first_group + g) * j->group_rows;
        size_t n = j->rows - from < j->group_rows ? j->rows - from : j->group_rows;
        enum status st = colgroup_encode(j->columns, j->data, j->count, from, n, &j->groups[g]);

        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static enum status write_groups(struct columnar_writer *w, struct encode_job *j,
                                struct colfile_writer *out, struct fault *f)
{
    size_t groups = (j->rows + j->group_rows - 1) / j->group_rows;
    size_t at_once = (size_t)(w->opt.threads > 0 ? w->opt.threads : 1) * 2;
    enum status st = ST_OK;

    j->groups = calloc(at_once, sizeof *j->groups);
    if (j->groups == NULL) return ST_NOMEM;
    for (size_t g = 0; st == ST_OK && g < groups; g += at_once) {
        size_t n = groups - g < at_once ? groups - g : at_once;

        j->first_group = g;
        st = parallel_for(w->opt.threads > 0 ? w->opt.threads : 1, n, 1, encode_groups, j);
        for (size_t k = 0; k < n; k++) {
            if (st == ST_OK) st = colfile_add(out, &j->groups[k], f);
            colgroup_free(&j->groups[k], j->count);
        }
    }
    free(j->groups);
    return st;
}

enum status writer_write_file(struct columnar_writer *w, struct table *t, const struct coldata *d,
                              uint64_t id, struct table_file *tf, struct fault *f)
{
    struct colfile_column columns[COLUMNS_MAX + 1];
    struct columnar_column data[COLUMNS_MAX + 1];
    struct encode_job job = {.columns = columns, .data = data, .rows = d->rows,
                             .group_rows = w->opt.row_group_rows};
    struct colfile_writer *out = NULL;
    struct colfile_written written;
    char path[PATH_MAX_BYTES];
    enum status st;

    columns[0] = (struct colfile_column){COLFILE_LSN_COLUMN, V_INT, 0};
    data[0] = (struct columnar_column){.ints = (const int64_t *)d->lsn};
    job.count = 1;
    for (int c = 0; c < d->count; c++) {
        if (!column_live(&t->schema.columns[c], t->schema.version)) continue;
        columns[job.count] = (struct colfile_column){d->columns[c].id, d->columns[c].type,
                                                     d->columns[c].scale};
        coldata_view(d, c, &data[job.count++]);
    }
    path_of(path, w->s.dir, 'f', id, ".col");
    st = colfile_create(w->io, path, id, t->id, columns, job.count, &out, f);
    if (st == ST_OK) st = write_groups(w, &job, out, f);
    if (st == ST_OK) st = colfile_finish(out, w->opt.no_sync, &written, f);
    colfile_writer_free(out);
    if (st != ST_OK) return st;
    tf->id = id;
    tf->rows = written.rows;
    tf->bytes = written.bytes;
    tf->lsn_min = written.lsn_min;
    tf->lsn_max = written.lsn_max;
    TRACE(w->opt.trace, "columnar", "file_written", TI("file", id), TI("rows", written.rows),
          TI("bytes", written.bytes), TS("table", t->schema.name));
    return colfile_open(w->io, path, &tf->file, f);
}

enum status writer_flush_tail(struct columnar_writer *w, size_t table, struct fault *f)
{
    struct table *t = &w->s.tables[table];
    struct table_file *tf, made = {0};
    enum status st;

    if (t->rows.rows == 0) return ST_OK;
    w->structure = true;
    st = writer_write_file(w, t, &t->rows, t->tail.id, &made, f);
    if (st == ST_OK) st = table_add_file(t, &tf);
    if (st != ST_OK) {
        colfile_unref(made.file);
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
    return table_reset_tail(t, w->s.next_file++);
}

/* ---- kills ---- */

static enum status write_kills(struct columnar_writer *w, struct fault *f)
{
    uint8_t head[KILLS_HEAD] = {0};
    struct buf b = {0};
    char path[PATH_MAX_BYTES];
    uint64_t id = w->s.next_file;
    enum status st = ST_OK;

    memcpy(head, "SEAMCOLK", 8);
    put_u32(head + 8, 1);
    put_u64(head + 16, id);
    put_u32(head + 12, crc32c(crc32c(0, head, 12), head + 16, KILLS_HEAD - 16));
    buf_append(&b, head, sizeof head);
    for (size_t i = 0; i < w->s.table_count; i++)
        for (size_t k = 0; k < w->s.tables[i].file_count; k++) {
            struct table_file *tf = &w->s.tables[i].files[k];
            size_t at = b.size;

            if (!tf->kills_dirty) continue;
            file_kills_encode(tf, &b);
            if (!buf_ok(&b)) break;
            tf->kills_file = id;
            tf->kills_at = at;
            tf->kills_size = b.size - at;
            tf->kills_crc = crc32c(0, b.data + at, b.size - at);
            tf->kills_dirty = false;
        }
    if (!buf_ok(&b)) st = fault_set(f, ST_NOMEM, w->s.dir, FAULT_NO_OFFSET, "no memory for kills");
    if (st != ST_OK || b.size == KILLS_HEAD) goto done;
    w->s.next_file++;
    path_of(path, w->s.dir, 'k', id, ".kills");
    st = io_write_new(w->io, path, b.data, b.size, !w->opt.no_sync, f);
done:
    buf_free(&b);
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

enum status writer_publish_manifest(struct columnar_writer *w, lsn_t applied, int64_t wall_us,
                                    bool new_snapshot, struct fault *f)
{
    struct manifest m = {.kind = COLUMNAR_KIND, .seq = w->s.seq + 1, .parent = w->s.seq,
                         .applied_lsn = applied, .wall_us = wall_us};
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < w->s.table_count; i++) st = writer_flush_tail(w, i, f);
    if (st == ST_OK) st = write_kills(w, f);
    if (st == ST_OK && !w->opt.no_sync) st = io_sync_dir(w->io, w->s.dir, f);
    if (st == ST_OK && new_snapshot)
        st = state_add_snapshot(&w->s, w->s.next_snapshot++, applied, wall_us);
    if (st == ST_OK) {
        state_encode(&w->s, &m.payload);
        if (!buf_ok(&m.payload))
            st = fault_set(f, ST_NOMEM, w->s.dir, FAULT_NO_OFFSET, "no memory for the manifest");
    }
    if (st == ST_OK) st = manifest_publish(w->io, w->s.dir, &m, f);
    TRACE(w->opt.trace, "columnar", "manifest_published", TI("seq", m.seq), TI("lsn", applied),
          TI("bytes", m.payload.size));
    buf_free(&m.payload);
    if (st != ST_OK) {
        w->poisoned = st;
        return st;
    }
    file_close(w->journal);
    w->journal = NULL;
    file_close(w->s.journal);
    w->s.journal = NULL;
    w->s.seq = m.seq;
    w->s.journal_rows = 0;
    w->s.journal_end = 0;
    w->s.applied = applied;
    w->s.wall_us = wall_us;
    w->orphans++;
    forget_pending(w);
    return ST_OK;
}

/* Under another name until it is whole, so that a journal that is there has a head to be believed. */
static enum status journal_create(struct columnar_writer *w, struct fault *f)
{
    uint8_t head[JOURNAL_HEAD] = {0};
    char path[PATH_MAX_BYTES], making[PATH_MAX_BYTES];
    enum status st;

    path_of(path, w->s.dir, 'j', w->s.seq, ".log");
    path_of(making, w->s.dir, 'j', w->s.seq, ".tmp");
    memcpy(head, "SEAMCOLJ", 8);
    put_u32(head + 8, 1);
    put_u64(head + 16, w->s.seq);
    put_u32(head + 12, crc32c(crc32c(0, head, 12), head + 16, 16));
    journal_put_committed(head + JOURNAL_COMMITTED, JOURNAL_HEAD);
    st = file_open(w->io, making, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &w->journal, f);
    if (st == ST_OK) st = file_write(w->journal, 0, head, sizeof head, f);
    if (st == ST_OK) st = file_fill_zero(w->journal, JOURNAL_HEAD, FILL_STEP - JOURNAL_HEAD, f);
    if (st == ST_OK && !w->opt.no_sync) st = file_sync(w->journal, f);
    file_close(w->journal);
    w->journal = NULL;
    if (st == ST_OK) st = io_rename(w->io, making, path, f);
    if (st == ST_OK && !w->opt.no_sync) st = io_sync_dir(w->io, w->s.dir, f);
    if (st == ST_OK) st = file_open(w->io, path, FILE_WRITE, &w->journal, f);
    w->journal_filled = FILL_STEP;
    w->s.journal_end = JOURNAL_HEAD;
    w->s.journal_crc = get_u32(head + 12);
    return st;
}

static enum status journal_write(struct columnar_writer *w, struct buf *record, struct fault *f)
{
    uint64_t end = w->s.journal_end + record->size;
    uint8_t committed[JOURNAL_COMMITTED_SIZE];
    uint32_t size = (uint32_t)(record->size - JOURNAL_RECORD_HEAD), crc;
    enum status st = ST_OK;

    if (w->journal == NULL) {
        st = journal_create(w, f);
        if (st != ST_OK) return st;
        end = w->s.journal_end + record->size;
    }
    put_u32(record->data, size);
    crc = crc32c(crc32c(w->s.journal_crc, record->data, 4), record->data + JOURNAL_RECORD_HEAD, size);
    put_u32(record->data + 4, crc);
    if (end > w->journal_filled) {
        uint64_t more = (end - w->journal_filled + FILL_STEP) / FILL_STEP * FILL_STEP;

        st = file_fill_zero(w->journal, w->journal_filled, more, f);
        w->journal_filled += more;
        if (st == ST_OK && !w->opt.no_sync) st = file_sync(w->journal, f);
    }
    if (st == ST_OK) st = file_write(w->journal, w->s.journal_end, record->data, record->size, f);
    if (st == ST_OK && !w->opt.no_sync) st = file_datasync(w->journal, f);
    journal_put_committed(committed, end);
    if (st == ST_OK) st = file_write(w->journal, JOURNAL_COMMITTED, committed, sizeof committed, f);
    if (st != ST_OK) return st;
    w->s.journal_end = end;
    w->s.journal_crc = crc;
    return ST_OK;
}

static void encode_record(struct columnar_writer *w, lsn_t applied, int64_t wall_us, struct buf *b)
{
    uint64_t tables = 0;

    buf_extend(b, JOURNAL_RECORD_HEAD);
    buf_varint(b, w->s.next_snapshot);
    buf_varint(b, applied);
    buf_varint(b, zigzag(wall_us));
    for (size_t i = 0; i < w->s.table_count; i++)
        tables += w->s.tables[i].rows.rows > w->tables[i].published || w->tables[i].kill_count > 0;
    buf_varint(b, tables);
    for (size_t i = 0; i < w->s.table_count; i++) {
        const struct table_writer *tw = &w->tables[i];

        if (w->s.tables[i].rows.rows > tw->published || tw->kill_count > 0)
            journal_encode_table(&w->s.tables[i], tw->published, tw->kills, tw->kill_count, b);
    }
}

static enum status publish_journal(struct columnar_writer *w, lsn_t applied, int64_t wall_us,
                                   struct fault *f)
{
    struct buf *b = &w->scratch;
    enum status st;

    buf_clear(b);
    encode_record(w, applied, wall_us, b);
    if (!buf_ok(b)) return fault_set(f, ST_NOMEM, w->s.dir, FAULT_NO_OFFSET, "no memory to publish");
    st = journal_write(w, b, f);
    if (st == ST_OK) st = state_add_snapshot(&w->s, w->s.next_snapshot++, applied, wall_us);
    if (st != ST_OK) {
        w->poisoned = st;
        return st;
    }
    w->s.applied = applied;
    w->s.wall_us = wall_us;
    forget_pending(w);
    TRACE(w->opt.trace, "columnar", "journal_published", TI("lsn", applied), TI("bytes", b->size));
    return ST_OK;
}

bool writer_pending(const struct columnar_writer *w)
{
    if (w->structure) return true;
    for (size_t i = 0; i < w->s.table_count; i++)
        if (w->s.tables[i].rows.rows > w->tables[i].published || w->tables[i].kill_count > 0) return true;
    return false;
}

enum status columnar_publish(struct columnar_writer *w, lsn_t applied, int64_t wall_us, struct fault *f)
{
    bool big = w->structure || w->s.seq == 0 || w->s.journal_end >= w->opt.journal_bytes_max;
    uint64_t batch_rows = 0;

    if (w->poisoned != ST_OK) return writer_poisoned(w, f);
    if (applied < w->s.applied)
        return fault_set(f, ST_INVALID, w->s.dir, FAULT_NO_OFFSET,
                         "publish at LSN %" PRIu64 ", below the applied LSN %" PRIu64, applied,
                         w->s.applied);
    if (applied == w->s.applied && w->s.seq != 0 && !writer_pending(w)) return ST_OK;
    for (size_t i = 0; i < w->s.table_count; i++) {
        batch_rows += w->s.tables[i].rows.rows - w->tables[i].published + w->tables[i].kill_count;
        if (w->s.tables[i].rows.rows >= w->opt.journal_rows_max) big = true;
    }
    if (batch_rows > 0) w->published_ns = clock_mono_ns(w->opt.clock);
    if (big || batch_rows > BATCH_ROWS_MAX)
        return writer_publish_manifest(w, applied, wall_us, true, f);
    return publish_journal(w, applied, wall_us, f);
}

/* ---- sweeping ---- */

static bool named_by_state(const struct columnar_writer *w, char letter, uint64_t id)
{
    for (size_t i = 0; i < w->s.table_count; i++)
        for (size_t k = 0; k < w->s.tables[i].file_count; k++) {
            const struct table_file *tf = &w->s.tables[i].files[k];

            if (letter == 'f' ? tf->id == id : tf->kills_size > 0 && tf->kills_file == id) return true;
        }
    return false;
}

/* What a file name means to the newest manifest: true when nothing needs it. */
static bool is_orphan(const struct columnar_writer *w, const char *name)
{
    uint64_t id;
    char tail[24] = "";
    size_t n = strlen(name);

    if (n > 4 && strcmp(name + n - 4, ".tmp") == 0) return true; /* of a life that ended while making it */
    if (sscanf(name, "journal-%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".log") == 0)
        return id != w->s.seq;
    if (sscanf(name, "f%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".col") == 0)
        return !named_by_state(w, 'f', id);
    if (sscanf(name, "k%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".kills") == 0)
        return !named_by_state(w, 'k', id);
    if (sscanf(name, "%16" SCNx64 "%23s", &id, tail) == 2 && strcmp(tail, ".manifest") == 0)
        return id < w->s.seq;
    return false;
}

enum status writer_sweep(struct columnar_writer *w, uint32_t *removed, uint64_t *bytes, struct fault *f)
{
    struct io_list names = {0};
    enum status st;

    assert(!writer_pending(w));
    st = io_list(w->io, w->s.dir, &names, f);
    for (size_t i = 0; st == ST_OK && i < names.count; i++) {
        char path[PATH_MAX_BYTES];
        struct file *file = NULL;
        uint64_t size = 0;

        if (!is_orphan(w, names.names[i])) continue;
        st = path_join(path, w->s.dir, names.names[i], f);
        if (st == ST_OK && file_open(w->io, path, FILE_READ, &file, NULL) == ST_OK) {
            if (file_size(file, &size, NULL) != ST_OK) size = 0;
            file_close(file);
        }
        if (st == ST_OK) st = io_unlink(w->io, path, f);
        if (st == ST_OK) {
            ++*removed;
            *bytes += size;
            TRACE(w->opt.trace, "columnar", "file_removed", TS("name", names.names[i]),
                  TI("bytes", size));
        }
    }
    io_list_free(&names);
    if (st == ST_OK) w->orphans = 0;
    return st;
}
