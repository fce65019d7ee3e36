/* colfile - writes a file of row groups, and opens one: footer first, chunks when asked. */
/* One immutable file of row groups: written once, mapped and believed piece by piece. */
#include "columnar/format/colfile.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/base/crc32c.h"

static const char magic_tail[8] = "SEAMCOLE";

/* The trailer, from its first byte. */
enum {
    TAIL_FOOTER_SIZE = 0,
    TAIL_FOOTER_CRC = 4,
    TAIL_ROWS = 8,
    TAIL_LSN_MIN = 16,
    TAIL_LSN_MAX = 24,
    TAIL_CRC = 52,
    TAIL_MAGIC = 56,
    FOOTER_MAX = 1 << 30,
};

const struct seam_filehead_format columnar_colfile_format = {
    .magic = "SEAMCOLF",
    .version = 2,
    .name = "a column file",
    .way_out =
        "the warehouse is derived from the source: `seam rebuild DIR warehouse` makes it again"};

/* ---- writing ---- */

enum seam_status columnar_colgroup_encode(const struct columnar_colfile_column *columns,
                                          const struct columnar_column *data, int count,
                                          size_t from, size_t n, struct columnar_colgroup *out)
{
    *out = (struct columnar_colgroup){.rows = (uint32_t)n};
    out->ends = calloc((size_t)count, sizeof *out->ends);
    out->summaries = calloc((size_t)count, sizeof *out->summaries);
    out->crcs = calloc((size_t)count, sizeof *out->crcs);
    if (out->ends == NULL || out->summaries == NULL || out->crcs == NULL) goto fail;
    for (int c = 0; c < count; c++) {
        size_t at = out->bytes.size;

        columnar_chunk_encode(&data[c], from, n, columns[c].type, columns[c].scale, &out->bytes,
                              &out->summaries[c]);
        if (!seam_buf_ok(&out->bytes)) goto fail;
        out->ends[c] = out->bytes.size;
        out->crcs[c] = seam_crc32c(0, out->bytes.data + at, out->bytes.size - at);
    }
    return SEAM_OK;
fail:
    columnar_colgroup_free(out, count);
    return SEAM_NOMEM;
}

void columnar_colgroup_free(struct columnar_colgroup *g, int count)
{
    (void)count;
    seam_buf_free(&g->bytes);
    free(g->ends);
    free(g->summaries);
    free(g->crcs);
    *g = (struct columnar_colgroup){0};
}

struct columnar_colfile_writer {
    struct seam_file *file;
    char *path;
    int count;
    uint64_t at, rows, groups;
    seam_lsn_t lsn_min, lsn_max;
    struct seam_buf columns, groups_footer;
};

void columnar_colfile_writer_free(struct columnar_colfile_writer *w)
{
    if (w == NULL) return;
    seam_file_close(w->file);
    free(w->path);
    seam_buf_free(&w->columns);
    seam_buf_free(&w->groups_footer);
    free(w);
}

enum seam_status columnar_colfile_create(struct seam_io *io, const char *path,
                                         const struct columnar_colfile_spec *spec,
                                         struct columnar_colfile_writer **out, struct seam_fault *f)
{
    const struct columnar_colfile_column *columns = spec->columns;
    const struct seam_filehead h = {
        .owner = spec->owner, .file_id = spec->id, .extra = spec->table_id};
    uint8_t head[COLFILE_HEAD];
    struct columnar_colfile_writer *w = calloc(1, sizeof *w);
    enum seam_status st;

    assert(spec->count >= 1 && columns[0].id == COLFILE_LSN_COLUMN);
    if (w == NULL) return seam_no_memory(f, "a column file that is written");
    w->path = strdup(path);
    w->count = spec->count;
    w->at = COLFILE_HEAD;
    w->lsn_min = SEAM_LSN_MAX;
    seam_buf_varint(&w->columns, (uint64_t)spec->count);
    for (int c = 0; c < spec->count; c++) {
        seam_buf_varint(&w->columns, columns[c].id);
        seam_buf_u8(&w->columns, columns[c].type);
        seam_buf_u8(&w->columns, columns[c].scale);
    }
    seam_filehead_encode(&columnar_colfile_format, &h, head);
    st = w->path == NULL ? seam_no_memory(f, "a column file's name") : SEAM_OK;
    if (st == SEAM_OK)
        st = seam_file_open(io, path, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC,
                            &w->file, f);
    if (st == SEAM_OK) st = seam_file_write(w->file, 0, head, sizeof head, f);
    if (st == SEAM_OK)
        *out = w;
    else
        columnar_colfile_writer_free(w);
    return st;
}

enum seam_status columnar_colfile_add(struct columnar_colfile_writer *w,
                                      const struct columnar_colgroup *g, struct seam_fault *f)
{
    struct seam_buf *b = &w->groups_footer;
    enum seam_status st = seam_file_write(w->file, w->at, g->bytes.data, g->bytes.size, f);
    size_t begin = 0;

    if (st != SEAM_OK) return st;
    seam_buf_varint(b, g->rows);
    for (int c = 0; c < w->count; c++) {
        const struct columnar_chunk_summary *s = &g->summaries[c];
        bool empty = s->nulls == g->rows;

        seam_buf_varint(b, w->at + begin);
        seam_buf_varint(b, g->ends[c] - begin);
        seam_buf_u32(b, g->crcs[c]);
        seam_buf_u8(b, s->kind);
        seam_buf_varint(b, s->nulls);
        seam_buf_varint(b, s->distinct);
        seam_buf_varint(b, empty ? 0 : seam_zigzag(s->min));
        seam_buf_varint(b, empty ? 0 : (uint64_t)s->max - (uint64_t)s->min);
        begin = g->ends[c];
    }
    if ((seam_lsn_t)g->summaries[0].min < w->lsn_min) w->lsn_min = (seam_lsn_t)g->summaries[0].min;
    if ((seam_lsn_t)g->summaries[0].max > w->lsn_max) w->lsn_max = (seam_lsn_t)g->summaries[0].max;
    w->at += g->bytes.size;
    w->rows += g->rows;
    w->groups++;
    return SEAM_OK;
}

enum seam_status columnar_colfile_finish(struct columnar_colfile_writer *w, bool no_sync,
                                         struct columnar_colfile_written *written,
                                         struct seam_fault *f)
{
    struct seam_buf b = {0};
    uint8_t trailer[COLFILE_TRAILER] = {0};
    enum seam_status st;

    seam_buf_append(&b, w->columns.data, w->columns.size);
    seam_buf_varint(&b, w->groups);
    seam_buf_append(&b, w->groups_footer.data, w->groups_footer.size);
    if (!seam_buf_ok(&w->columns) || !seam_buf_ok(&w->groups_footer)) b.failed = true;
    st = seam_buf_check(&b, f, "a column file's footer");
    if (st != SEAM_OK) goto done;
    seam_put_u32(trailer + TAIL_FOOTER_SIZE, (uint32_t)b.size);
    seam_put_u32(trailer + TAIL_FOOTER_CRC, seam_crc32c(0, b.data, b.size));
    seam_put_u64(trailer + TAIL_ROWS, w->rows);
    seam_put_u64(trailer + TAIL_LSN_MIN, w->lsn_min);
    seam_put_u64(trailer + TAIL_LSN_MAX, w->lsn_max);
    seam_put_u32(trailer + TAIL_CRC, seam_crc32c(0, trailer, TAIL_CRC));
    memcpy(trailer + TAIL_MAGIC, magic_tail, 8);
    seam_buf_append(&b, trailer, sizeof trailer);
    st = seam_buf_check(&b, f, "a column file's trailer");
    if (st != SEAM_OK) goto done;
    st = seam_file_write(w->file, w->at, b.data, b.size, f);
    if (st == SEAM_OK && !no_sync) st = seam_file_datasync(w->file, f);
    *written = (struct columnar_colfile_written){
        .rows = w->rows, .bytes = w->at + b.size, .lsn_min = w->lsn_min, .lsn_max = w->lsn_max};
done:
    seam_buf_free(&b);
    return st;
}

/* ---- reading ---- */

static enum seam_status read_footer(struct columnar_colfile *file, const uint8_t *p, size_t n,
                                    uint64_t at, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(p, n);
    uint64_t columns, groups, rows = 0, next = COLFILE_HEAD;
    const char *why = "the footer's columns are not valid";

    columns = seam_read_varint(&r);
    if (r.bad || columns < 1 || columns > SEAM_COLUMNS_MAX + 1) goto bad;
    file->column_count = (int)columns;
    file->columns = calloc(columns, sizeof *file->columns);
    if (file->columns == NULL) return seam_no_memory(f, "a column file's columns");
    for (uint64_t c = 0; c < columns; c++) {
        uint64_t id = seam_read_varint(&r);

        if (id > UINT32_MAX) goto bad;
        file->columns[c].id = (uint32_t)id;
        file->columns[c].type = seam_read_u8(&r);
        file->columns[c].scale = seam_read_u8(&r);
        if (r.bad || file->columns[c].type == SEAM_V_NULL ||
            file->columns[c].type >= SEAM_V_TYPE_COUNT ||
            file->columns[c].scale > SEAM_DECIMAL_SCALE_MAX)
            goto bad;
    }
    if (file->columns[0].id != COLFILE_LSN_COLUMN || file->columns[0].type != SEAM_V_INT) goto bad;
    why = "the footer's row groups are not valid";
    groups = seam_read_varint(&r);
    if (r.bad || groups > COLFILE_GROUPS_MAX || groups * columns > seam_reader_left(&r)) goto bad;
    file->group_count = (int)groups;
    file->groups = calloc(groups + 1, sizeof *file->groups);
    file->chunks = calloc(groups * columns + 1, sizeof *file->chunks);
    if (file->groups == NULL || file->chunks == NULL)
        return seam_no_memory(f, "a column file's row groups");
    for (uint64_t g = 0; g < groups; g++) {
        struct columnar_colfile_group *group = &file->groups[g];
        uint64_t group_rows = seam_read_varint(&r);

        if (r.bad || group_rows < 1 || group_rows > CHUNK_ROWS_MAX) goto bad;
        group->rows = (uint32_t)group_rows;
        group->first_row = rows;
        group->chunks = file->chunks + g * columns;
        rows += group_rows;
        for (uint64_t c = 0; c < columns; c++) {
            struct columnar_colfile_chunk *k = &group->chunks[c];
            uint64_t size;

            k->offset = seam_read_varint(&r);
            size = seam_read_varint(&r);
            k->crc = seam_read_u32(&r);
            k->summary.type = file->columns[c].type;
            k->summary.scale = file->columns[c].scale;
            k->summary.kind = seam_read_u8(&r);
            k->summary.nulls = seam_read_varint(&r);
            k->summary.distinct = seam_read_varint(&r);
            k->summary.min = seam_unzigzag(seam_read_varint(&r));
            k->summary.max = (int64_t)((uint64_t)k->summary.min + seam_read_varint(&r));
            if (r.bad || k->offset != next || size > UINT32_MAX || size > at - k->offset ||
                k->summary.nulls > group_rows || k->summary.max < k->summary.min)
                goto bad;
            if (k->summary.nulls == group_rows) {
                k->summary.min = INT64_MAX;
                k->summary.max = INT64_MIN;
            }
            k->size = (uint32_t)size;
            next = k->offset + size;
        }
    }
    if (seam_reader_left(&r) != 0 || next != at || rows != file->rows) goto bad;
    return SEAM_OK;
bad:
    return seam_fault_set(f, SEAM_CORRUPT, file->path, at + seam_reader_offset(&r), "%s", why);
}

static enum seam_status read_ends(struct columnar_colfile *file, struct seam_fault *f)
{
    const uint8_t *head = file->map, *tail = file->map + file->size - COLFILE_TRAILER;
    uint64_t tail_at = file->size - COLFILE_TRAILER, footer;
    struct seam_filehead h;
    enum seam_status st = seam_filehead_decode(&columnar_colfile_format, head, (size_t)file->size,
                                               file->path, 0, &h, f);

    if (st != SEAM_OK) return st;
    if (memcmp(tail + TAIL_MAGIC, magic_tail, 8) != 0 ||
        seam_get_u32(tail + TAIL_CRC) != seam_crc32c(0, tail, TAIL_CRC))
        return seam_fault_set(f, SEAM_CORRUPT, file->path, tail_at, "the trailer is damaged");
    footer = seam_get_u32(tail + TAIL_FOOTER_SIZE);
    if (footer > FOOTER_MAX || footer > tail_at - COLFILE_HEAD)
        return seam_fault_set(f, SEAM_CORRUPT, file->path, tail_at,
                              "the footer's size is impossible");
    if (seam_get_u32(tail + TAIL_FOOTER_CRC) != seam_crc32c(0, tail - footer, footer))
        return seam_fault_set(f, SEAM_CORRUPT, file->path, tail_at - footer,
                              "the footer's checksum is wrong");
    file->id = h.file_id;
    file->table_id = h.extra;
    file->rows = seam_get_u64(tail + TAIL_ROWS);
    file->lsn_min = seam_get_u64(tail + TAIL_LSN_MIN);
    file->lsn_max = seam_get_u64(tail + TAIL_LSN_MAX);
    return read_footer(file, tail - footer, (size_t)footer, tail_at - footer, f);
}

enum seam_status columnar_colfile_open(struct seam_io *io, const char *path,
                                       struct columnar_colfile **out, struct seam_fault *f)
{
    struct columnar_colfile *file = calloc(1, sizeof *file);
    struct seam_file *handle = NULL;
    enum seam_status st;

    if (file == NULL) return seam_no_memory(f, "a column file that is opened");
    atomic_init(&file->refs, 1);
    file->io = io;
    file->path = strdup(path);
    st = file->path == NULL ? seam_no_memory(f, "a column file's name")
                            : seam_file_open(io, path, SEAM_FILE_READ, &handle, f);
    if (st == SEAM_OK) st = seam_file_size(handle, &file->size, f);
    if (st == SEAM_OK && file->size < COLFILE_HEAD + COLFILE_TRAILER)
        st = seam_fault_set(f, SEAM_CORRUPT, path, file->size, "too short for a column file");
    if (st == SEAM_OK) st = seam_file_map(handle, (size_t)file->size, &file->map, f);
    if (st == SEAM_OK) st = read_ends(file, f);
    seam_file_close(handle);
    if (st == SEAM_OK)
        *out = file;
    else
        columnar_colfile_unref(file);
    return st;
}

struct columnar_colfile *columnar_colfile_ref(struct columnar_colfile *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

void columnar_colfile_unref(struct columnar_colfile *file)
{
    if (file == NULL || atomic_fetch_sub(&file->refs, 1) > 1) return;
    if (file->chunks != NULL)
        for (int k = 0; k < file->group_count * file->column_count; k++)
            columnar_chunk_close(atomic_load(&file->chunks[k].opened));
    if (file->map != NULL) seam_file_unmap(file->io, file->map, (size_t)file->size);
    free(file->columns);
    free(file->groups);
    free(file->chunks);
    free(file->path);
    free(file);
}

int columnar_colfile_column(const struct columnar_colfile *file, uint32_t id)
{
    for (int c = 0; c < file->column_count; c++)
        if (file->columns[c].id == id) return c;
    return -1;
}

enum seam_status columnar_colfile_chunk(struct columnar_colfile *file, int group, int column,
                                        const struct columnar_chunk **out, struct seam_fault *f)
{
    struct columnar_colfile_chunk *k = &file->groups[group].chunks[column];
    struct columnar_chunk *c = atomic_load_explicit(&k->opened, memory_order_acquire), *none = NULL;
    const uint8_t *p = file->map + k->offset;
    size_t at = 0;
    enum seam_status st;

    if (c != NULL) {
        *out = c;
        return SEAM_OK;
    }
    if (seam_crc32c(0, p, k->size) != k->crc)
        return seam_fault_set(f, SEAM_CORRUPT, file->path, k->offset,
                              "a chunk's checksum is wrong");
    st = columnar_chunk_open(p, k->size, &c, &at);
    if (st == SEAM_NOMEM) return seam_no_memory(f, "a chunk of a column file");
    if (st != SEAM_OK)
        return seam_fault_set(f, SEAM_CORRUPT, file->path, k->offset + at, "a chunk is not valid");
    if (c->rows != file->groups[group].rows || c->type != file->columns[column].type ||
        c->scale != file->columns[column].scale || c->kind != k->summary.kind) {
        columnar_chunk_close(c);
        return seam_fault_set(f, SEAM_CORRUPT, file->path, k->offset,
                              "a chunk disagrees with the footer");
    }
    /* Two threads may race to open one chunk: the first keeps it. */
    if (!atomic_compare_exchange_strong(&k->opened, &none, c)) {
        columnar_chunk_close(c);
        c = none;
    }
    *out = c;
    return SEAM_OK;
}
