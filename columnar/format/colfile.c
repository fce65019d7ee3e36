#include "columnar/format/colfile.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/base/crc32c.h"

static const char magic_head[8] = "SEAMCOLF", magic_tail[8] = "SEAMCOLE";
enum { FILE_VERSION = 1, FOOTER_MAX = 1 << 30 };

/* ---- writing ---- */

enum status colgroup_encode(const struct colfile_column *columns, const struct columnar_column *data,
                            int count, size_t from, size_t n, struct colgroup *out)
{
    *out = (struct colgroup){.rows = (uint32_t)n};
    out->ends = calloc((size_t)count, sizeof *out->ends);
    out->summaries = calloc((size_t)count, sizeof *out->summaries);
    out->crcs = calloc((size_t)count, sizeof *out->crcs);
    if (out->ends == NULL || out->summaries == NULL || out->crcs == NULL) goto fail;
    for (int c = 0; c < count; c++) {
        size_t at = out->bytes.size;

        chunk_encode(&data[c], from, n, columns[c].type, columns[c].scale, &out->bytes,
                     &out->summaries[c]);
        if (!buf_ok(&out->bytes)) goto fail;
        out->ends[c] = out->bytes.size;
        out->crcs[c] = crc32c(0, out->bytes.data + at, out->bytes.size - at);
    }
    return ST_OK;
fail:
    colgroup_free(out, count);
    return ST_NOMEM;
}

void colgroup_free(struct colgroup *g, int count)
{
    (void)count;
    buf_free(&g->bytes);
    free(g->ends);
    free(g->summaries);
    free(g->crcs);
    *g = (struct colgroup){0};
}

struct colfile_writer {
    struct file *file;
    char *path;
    int count;
    uint64_t at, rows, groups;
    lsn_t lsn_min, lsn_max;
    struct buf columns, groups_footer;
};

void colfile_writer_free(struct colfile_writer *w)
{
    if (w == NULL) return;
    file_close(w->file);
    free(w->path);
    buf_free(&w->columns);
    buf_free(&w->groups_footer);
    free(w);
}

enum status colfile_create(struct io *io, const char *path, uint64_t id, uint64_t table_id,
                           const struct colfile_column *columns, int count,
                           struct colfile_writer **out, struct fault *f)
{
    uint8_t head[COLFILE_HEAD] = {0};
    struct colfile_writer *w = calloc(1, sizeof *w);
    enum status st;
    uint32_t crc;

    assert(count >= 1 && columns[0].id == COLFILE_LSN_COLUMN);
    if (w == NULL) return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to write a file");
    w->path = strdup(path);
    w->count = count;
    w->at = COLFILE_HEAD;
    w->lsn_min = LSN_MAX;
    buf_varint(&w->columns, (uint64_t)count);
    for (int c = 0; c < count; c++) {
        buf_varint(&w->columns, columns[c].id);
        buf_u8(&w->columns, columns[c].type);
        buf_u8(&w->columns, columns[c].scale);
    }
    memcpy(head, magic_head, 8);
    put_u32(head + 8, FILE_VERSION);
    put_u64(head + 16, id);
    put_u64(head + 24, table_id);
    crc = crc32c(crc32c(0, head, 12), head + 16, COLFILE_HEAD - 16);
    put_u32(head + 12, crc);
    st = file_open(io, path, FILE_WRITE | FILE_CREATE | FILE_TRUNC, &w->file, f);
    if (st == ST_OK) st = file_write(w->file, 0, head, sizeof head, f);
    if (st == ST_OK) *out = w;
    else colfile_writer_free(w);
    return st;
}

enum status colfile_add(struct colfile_writer *w, const struct colgroup *g, struct fault *f)
{
    struct buf *b = &w->groups_footer;
    enum status st = file_write(w->file, w->at, g->bytes.data, g->bytes.size, f);
    size_t begin = 0;

    if (st != ST_OK) return st;
    buf_varint(b, g->rows);
    for (int c = 0; c < w->count; c++) {
        const struct chunk_summary *s = &g->summaries[c];
        bool empty = s->nulls == g->rows;

        buf_varint(b, w->at + begin);
        buf_varint(b, g->ends[c] - begin);
        buf_u32(b, g->crcs[c]);
        buf_u8(b, s->kind);
        buf_varint(b, s->nulls);
        buf_varint(b, s->distinct);
        buf_varint(b, empty ? 0 : zigzag(s->min));
        buf_varint(b, empty ? 0 : (uint64_t)s->max - (uint64_t)s->min);
        begin = g->ends[c];
    }
    if ((lsn_t)g->summaries[0].min < w->lsn_min) w->lsn_min = (lsn_t)g->summaries[0].min;
    if ((lsn_t)g->summaries[0].max > w->lsn_max) w->lsn_max = (lsn_t)g->summaries[0].max;
    w->at += g->bytes.size;
    w->rows += g->rows;
    w->groups++;
    return ST_OK;
}

enum status colfile_finish(struct colfile_writer *w, bool no_sync, struct colfile_written *written,
                           struct fault *f)
{
    struct buf b = {0};
    uint8_t trailer[COLFILE_TRAILER] = {0};
    enum status st = ST_NOMEM;

    buf_append(&b, w->columns.data, w->columns.size);
    buf_varint(&b, w->groups);
    buf_append(&b, w->groups_footer.data, w->groups_footer.size);
    if (!buf_ok(&b) || !buf_ok(&w->columns) || !buf_ok(&w->groups_footer)) {
        fault_set(f, ST_NOMEM, w->path, FAULT_NO_OFFSET, "no memory for the footer");
        goto done;
    }
    put_u32(trailer, (uint32_t)b.size);
    put_u32(trailer + 4, crc32c(0, b.data, b.size));
    put_u64(trailer + 8, w->rows);
    put_u64(trailer + 16, w->lsn_min);
    put_u64(trailer + 24, w->lsn_max);
    put_u32(trailer + 52, crc32c(0, trailer, 52));
    memcpy(trailer + 56, magic_tail, 8);
    buf_append(&b, trailer, sizeof trailer);
    if (!buf_ok(&b)) goto done;
    st = file_write(w->file, w->at, b.data, b.size, f);
    if (st == ST_OK && !no_sync) st = file_datasync(w->file, f);
    *written = (struct colfile_written){.rows = w->rows, .bytes = w->at + b.size,
                                        .lsn_min = w->lsn_min, .lsn_max = w->lsn_max};
done:
    buf_free(&b);
    return st;
}

/* ---- reading ---- */

static enum status read_footer(struct colfile *file, const uint8_t *p, size_t n, uint64_t at,
                               struct fault *f)
{
    struct reader r = reader_of(p, n);
    uint64_t columns, groups, rows = 0, next = COLFILE_HEAD;
    const char *why = "the footer's columns are not valid";

    columns = read_varint(&r);
    if (r.bad || columns < 1 || columns > COLUMNS_MAX + 1) goto bad;
    file->column_count = (int)columns;
    file->columns = calloc(columns, sizeof *file->columns);
    if (file->columns == NULL) return ST_NOMEM;
    for (uint64_t c = 0; c < columns; c++) {
        uint64_t id = read_varint(&r);

        if (id > UINT32_MAX) goto bad;
        file->columns[c].id = (uint32_t)id;
        file->columns[c].type = read_u8(&r);
        file->columns[c].scale = read_u8(&r);
        if (r.bad || file->columns[c].type == V_NULL || file->columns[c].type >= V_TYPE_COUNT ||
            file->columns[c].scale > DECIMAL_SCALE_MAX)
            goto bad;
    }
    if (file->columns[0].id != COLFILE_LSN_COLUMN || file->columns[0].type != V_INT) goto bad;
    why = "the footer's row groups are not valid";
    groups = read_varint(&r);
    if (r.bad || groups > COLFILE_GROUPS_MAX || groups * columns > reader_left(&r)) goto bad;
    file->group_count = (int)groups;
    file->groups = calloc(groups + 1, sizeof *file->groups);
    file->chunks = calloc(groups * columns + 1, sizeof *file->chunks);
    if (file->groups == NULL || file->chunks == NULL) return ST_NOMEM;
    for (uint64_t g = 0; g < groups; g++) {
        struct colfile_group *group = &file->groups[g];
        uint64_t group_rows = read_varint(&r);

        if (r.bad || group_rows < 1 || group_rows > CHUNK_ROWS_MAX) goto bad;
        group->rows = (uint32_t)group_rows;
        group->first_row = rows;
        group->chunks = file->chunks + g * columns;
        rows += group_rows;
        for (uint64_t c = 0; c < columns; c++) {
            struct colfile_chunk *k = &group->chunks[c];
            uint64_t size;

            k->offset = read_varint(&r);
            size = read_varint(&r);
            k->crc = read_u32(&r);
            k->summary.type = file->columns[c].type;
            k->summary.scale = file->columns[c].scale;
            k->summary.kind = read_u8(&r);
            k->summary.nulls = read_varint(&r);
            k->summary.distinct = read_varint(&r);
            k->summary.min = unzigzag(read_varint(&r));
            k->summary.max = (int64_t)((uint64_t)k->summary.min + read_varint(&r));
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
    if (reader_left(&r) != 0 || next != at || rows != file->rows) goto bad;
    return ST_OK;
bad:
    return fault_set(f, ST_CORRUPT, file->path, at + reader_offset(&r), "%s", why);
}

static enum status read_ends(struct colfile *file, struct fault *f)
{
    const uint8_t *head = file->map, *tail = file->map + file->size - COLFILE_TRAILER;
    uint64_t tail_at = file->size - COLFILE_TRAILER, footer;

    if (memcmp(head, magic_head, 8) != 0)
        return fault_set(f, ST_CORRUPT, file->path, 0, "not a column file");
    if (get_u32(head + 8) != FILE_VERSION)
        return fault_set(f, ST_CORRUPT, file->path, 8, "column file version %u, not %d",
                         get_u32(head + 8), FILE_VERSION);
    if (get_u32(head + 12) != crc32c(crc32c(0, head, 12), head + 16, COLFILE_HEAD - 16))
        return fault_set(f, ST_CORRUPT, file->path, 0, "the head's checksum is wrong");
    if (memcmp(tail + 56, magic_tail, 8) != 0 || get_u32(tail + 52) != crc32c(0, tail, 52))
        return fault_set(f, ST_CORRUPT, file->path, tail_at, "the trailer is damaged");
    footer = get_u32(tail);
    if (footer > FOOTER_MAX || footer > tail_at - COLFILE_HEAD)
        return fault_set(f, ST_CORRUPT, file->path, tail_at, "the footer's size is impossible");
    if (get_u32(tail + 4) != crc32c(0, tail - footer, footer))
        return fault_set(f, ST_CORRUPT, file->path, tail_at - footer, "the footer's checksum is wrong");
    file->id = get_u64(head + 16);
    file->table_id = get_u64(head + 24);
    file->rows = get_u64(tail + 8);
    file->lsn_min = get_u64(tail + 16);
    file->lsn_max = get_u64(tail + 24);
    return read_footer(file, tail - footer, (size_t)footer, tail_at - footer, f);
}

enum status colfile_open(struct io *io, const char *path, struct colfile **out, struct fault *f)
{
    struct colfile *file = calloc(1, sizeof *file);
    struct file *handle = NULL;
    enum status st;

    if (file == NULL) return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to open a file");
    atomic_init(&file->refs, 1);
    file->io = io;
    file->path = strdup(path);
    st = file->path == NULL ? ST_NOMEM : file_open(io, path, FILE_READ, &handle, f);
    if (st == ST_OK) st = file_size(handle, &file->size, f);
    if (st == ST_OK && file->size < COLFILE_HEAD + COLFILE_TRAILER)
        st = fault_set(f, ST_CORRUPT, path, file->size, "too short for a column file");
    if (st == ST_OK) st = file_map(handle, (size_t)file->size, &file->map, f);
    if (st == ST_OK) st = read_ends(file, f);
    file_close(handle);
    if (st == ST_OK) *out = file;
    else colfile_unref(file);
    return st;
}

struct colfile *colfile_ref(struct colfile *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

void colfile_unref(struct colfile *file)
{
    if (file == NULL || atomic_fetch_sub(&file->refs, 1) > 1) return;
    if (file->chunks != NULL)
        for (int k = 0; k < file->group_count * file->column_count; k++)
            chunk_close(atomic_load(&file->chunks[k].opened));
    if (file->map != NULL) file_unmap(file->io, file->map, (size_t)file->size);
    free(file->columns);
    free(file->groups);
    free(file->chunks);
    free(file->path);
    free(file);
}

int colfile_column(const struct colfile *file, uint32_t id)
{
    for (int c = 0; c < file->column_count; c++)
        if (file->columns[c].id == id) return c;
    return -1;
}

enum status colfile_chunk(struct colfile *file, int group, int column, const struct chunk **out,
                          struct fault *f)
{
    struct colfile_chunk *k = &file->groups[group].chunks[column];
    struct chunk *c = atomic_load_explicit(&k->opened, memory_order_acquire), *none = NULL;
    const uint8_t *p = file->map + k->offset;
    size_t at = 0;

    if (c != NULL) {
        *out = c;
        return ST_OK;
    }
    if (crc32c(0, p, k->size) != k->crc)
        return fault_set(f, ST_CORRUPT, file->path, k->offset, "a chunk's checksum is wrong");
    if (!chunk_open(p, k->size, &c, &at))
        return fault_set(f, ST_CORRUPT, file->path, k->offset + at, "a chunk is not valid");
    if (c->rows != file->groups[group].rows || c->type != file->columns[column].type ||
        c->scale != file->columns[column].scale || c->kind != k->summary.kind) {
        chunk_close(c);
        return fault_set(f, ST_CORRUPT, file->path, k->offset, "a chunk disagrees with the footer");
    }
    /* Two threads may race to open one chunk: the first keeps it. */
    if (!atomic_compare_exchange_strong(&k->opened, &none, c)) {
        chunk_close(c);
        c = none;
    }
    *out = c;
    return ST_OK;
}
