/* dump - any file of a warehouse as text: what each byte range is and what it says. */
#include <inttypes.h>
#include <stdlib.h>

#include "columnar/table/state.h"
#include "engine/base/crc32c.h"

static void print_zone(struct buf *out, unsigned type, unsigned scale, int64_t z)
{
    struct value v = {.type = (uint8_t)type, .scale = (uint8_t)scale, .i = z};

    if (type == V_DOUBLE) v.d = zone_to_double(z);
    if (type == V_TEXT) { /* a prefix of eight bytes */
        uint64_t u = (uint64_t)z ^ (1ull << 63);

        buf_str(out, "'");
        for (int shift = 56; shift >= 0; shift -= 8) {
            uint8_t c = (uint8_t)(u >> shift);

            if (c >= 0x20 && c < 0x7f) buf_u8(out, c);
            else if (c != 0) buf_printf(out, "\\x%02x", c);
        }
        buf_str(out, "'");
        return;
    }
    value_format(&v, out);
}

/* How the vectors of a chunk are packed, counted. */
static void dump_vectors(const struct chunk *c, struct buf *out)
{
    unsigned count[INTS_MODES] = {0}, empty = 0, width_min = 64, width_max = 0;

    for (uint32_t v = 0; v < c->vectors; v++) {
        struct chunk_vector cv;

        if (!chunk_vector(c, v, &cv)) {
            buf_printf(out, " vector %u damaged", v);
            continue;
        }
        if (cv.nulls == cv.rows) {
            empty++;
            continue;
        }
        count[cv.ints.mode]++;
        if (cv.ints.width < width_min) width_min = cv.ints.width;
        if (cv.ints.width > width_max) width_max = cv.ints.width;
    }
    buf_printf(out, "; %u vectors:", c->vectors);
    for (int m = 0; m < INTS_MODES; m++)
        if (count[m] > 0) buf_printf(out, " %u %s", count[m], ints_mode_name((enum ints_mode)m));
    if (empty > 0) buf_printf(out, " %u all null", empty);
    if (width_max > 0) buf_printf(out, " (%u-%u bits)", width_min, width_max);
    if (c->dict_count > 0) buf_printf(out, ", dictionary of %u", c->dict_count);
    if (c->symbols != NULL) buf_printf(out, ", %u symbols", c->symbols->count);
    if (c->kind == CHUNK_INTS && c->factor > 1) buf_printf(out, ", every value base + %" PRIu64 " x n", c->factor);
    if (c->kind == CHUNK_DECIMALS) buf_printf(out, ", %" PRIu64 " decimal places", c->factor);
}

static void dump_group(struct colfile *file, int g, struct buf *out)
{
    const struct colfile_group *group = &file->groups[g];

    buf_printf(out, "group %d: rows %" PRIu64 " to %" PRIu64 "\n", g, group->first_row,
               group->first_row + group->rows - 1);
    for (int c = 0; c < file->column_count; c++) {
        const struct colfile_chunk *k = &group->chunks[c];
        const struct chunk *chunk = NULL;
        struct fault f = {0};

        buf_printf(out, "  [%" PRIu64 ", %" PRIu64 ") column %u %s %s: %.2f bits a value", k->offset,
                   k->offset + k->size, file->columns[c].id, value_type_name(file->columns[c].type),
                   chunk_kind_name(k->summary.kind), 8.0 * k->size / group->rows);
        if (k->summary.nulls < group->rows) {
            buf_str(out, ", ");
            print_zone(out, file->columns[c].type, file->columns[c].scale, k->summary.min);
            buf_str(out, " .. ");
            print_zone(out, file->columns[c].type, file->columns[c].scale, k->summary.max);
        }
        buf_printf(out, ", %" PRIu64 " nulls, about %" PRIu64 " distinct", k->summary.nulls, k->summary.distinct);
        if (colfile_chunk(file, g, c, &chunk, &f) == ST_OK) dump_vectors(chunk, out);
        else buf_printf(out, "; DAMAGED: %s", f.why);
        buf_str(out, "\n");
    }
}

static enum status dump_colfile(struct io *io, const char *path, struct buf *out, struct fault *f)
{
    struct colfile *file = NULL;
    enum status st = colfile_open(io, path, &file, f);

    if (st != ST_OK) return st;
    buf_printf(out, "column file %016" PRIx64 " of table %" PRIu64 ": %" PRIu64 " bytes, %" PRIu64
               " rows, %d columns, %d row groups, LSN %" PRIu64 " to %" PRIu64 "\n[0, 64) head\n",
               file->id, file->table_id, file->size, file->rows, file->column_count, file->group_count,
               file->lsn_min, file->lsn_max);
    for (int g = 0; g < file->group_count; g++) dump_group(file, g, out);
    buf_printf(out, "[%" PRIu64 ", %" PRIu64 ") footer and trailer\n",
               file->group_count > 0 ? file->groups[file->group_count - 1].chunks[file->column_count - 1].offset +
                                           file->groups[file->group_count - 1].chunks[file->column_count - 1].size
                                     : COLFILE_HEAD, file->size);
    colfile_unref(file);
    return ST_OK;
}

static enum status dump_journal(const char *path, const struct buf *b, struct buf *out, struct fault *f)
{
    uint64_t at = JOURNAL_HEAD, committed;
    uint32_t crc;

    if (b->size < JOURNAL_HEAD) return fault_set(f, ST_CORRUPT, path, b->size, "too short for a journal");
    committed = get_u64(b->data + JOURNAL_COMMITTED);
    crc = get_u32(b->data + 12);
    if (crc != crc32c(crc32c(0, b->data, 12), b->data + 16, 16))
        return fault_set(f, ST_CORRUPT, path, 0, "the head's checksum is wrong");
    buf_printf(out, "journal after manifest %016" PRIx64 ": %zu bytes, committed to %" PRIu64 "\n[0, 64) head\n",
               get_u64(b->data + 16), b->size, committed);
    while (b->size - at >= JOURNAL_RECORD_HEAD) {
        uint32_t n = get_u32(b->data + at), sum;
        struct reader r;
        uint64_t id, lsn, tables;
        int64_t wall;
        char when[40];

        if (n == 0 || n > b->size - at - JOURNAL_RECORD_HEAD) break;
        sum = crc32c(crc32c(crc, b->data + at, 4), b->data + at + JOURNAL_RECORD_HEAD, n);
        if (sum != get_u32(b->data + at + 4)) {
            buf_printf(out, "[%" PRIu64 ", ...) %s\n", at, at < committed ? "DAMAGED record" : "torn tail");
            break;
        }
        crc = sum;
        r = reader_of(b->data + at + JOURNAL_RECORD_HEAD, n);
        id = read_varint(&r);
        lsn = read_varint(&r);
        wall = unzigzag(read_varint(&r));
        tables = read_varint(&r);
        time_format(wall, when);
        buf_printf(out, "[%" PRIu64 ", %" PRIu64 ") snapshot %" PRIu64 ", LSN %" PRIu64 ", %s, %" PRIu64
                   " tables changed\n", at, at + JOURNAL_RECORD_HEAD + n, id, lsn, when, tables);
        at += JOURNAL_RECORD_HEAD + n;
    }
    buf_printf(out, "[%" PRIu64 ", %zu) free\n", at, b->size);
    return ST_OK;
}

static enum status dump_kills(const char *path, const struct buf *b, struct buf *out, struct fault *f)
{
    if (b->size < KILLS_HEAD || 
        get_u32(b->data + 12) != crc32c(crc32c(0, b->data, 12), b->data + 16, KILLS_HEAD - 16))
        return fault_set(f, ST_CORRUPT, path, 0, "the head's checksum is wrong");
    buf_printf(out, "kills file %016" PRIx64 ": %zu bytes; sections are found and checked by the manifest\n",
               get_u64(b->data + 16), b->size);
    return ST_OK;
}

/* A manifest is explained as the state it loads. */
static void dump_state(const struct state *s, struct buf *out)
{
    char when[40];

    time_format(s->wall_us, when);
    buf_printf(out, "warehouse manifest %016" PRIx64 ": applied LSN %" PRIu64 " at %s, readable from LSN %" PRIu64
               ", next file %" PRIu64 ", next snapshot %" PRIu64 "\n", s->seq, s->applied, when, s->horizon,
               s->next_file, s->next_snapshot);
    for (size_t i = 0; i < s->table_count; i++) {
        const struct table *t = &s->tables[i];

        buf_printf(out, "table %u %s: version %u, %u columns, %zu files, tail %016" PRIx64 "\n", t->id,
                   t->schema.name, t->schema.version, t->schema.column_count, t->file_count, t->tail.id);
        for (size_t k = 0; k < t->file_count; k++) {
            const struct table_file *tf = &t->files[k];

            buf_printf(out, "  f%016" PRIx64 ".col %" PRIu64 " rows (%" PRIu64 " ended), %" PRIu64
                       " bytes, LSN %" PRIu64 " to %" PRIu64 "\n", tf->id, tf->rows, tf->killed, tf->bytes,
                       tf->lsn_min, tf->lsn_max);
        }
    }
    for (size_t i = 0; i < s->tag_count; i++)
        buf_printf(out, "%s %s at LSN %" PRIu64 "\n", s->tags[i].pin ? "pin" : "tag", s->tags[i].name, s->tags[i].lsn);
    buf_printf(out, "%zu snapshots\n", s->snapshot_count);
}

enum status columnar_dump(struct io *io, const char *path, struct buf *out, struct fault *f)
{
    struct buf b = {0};
    struct state s = {0};
    char dir[PATH_MAX_BYTES];
    const char *slash = strrchr(path, '/');
    enum status st = io_read_all(io, path, 1 << 30, &b, f);

    if (st == ST_OK && b.size < 8) st = fault_set(f, ST_UNSUPPORTED, path, 0, "not a file of a warehouse");
    if (st != ST_OK) goto done;
    if (memcmp(b.data, "SEAMCOLF", 8) == 0) st = dump_colfile(io, path, out, f);
    else if (memcmp(b.data, "SEAMCOLJ", 8) == 0) st = dump_journal(path, &b, out, f);
    else if (memcmp(b.data, "SEAMCOLK", 8) == 0) st = dump_kills(path, &b, out, f);
    else if (memcmp(b.data, "SEAMMANI", 8) == 0 && slash != NULL) {
        memcpy(dir, path, (size_t)(slash - path));
        dir[slash - path] = 0;
        st = state_load(io, dir, false, NULL, &s, f);
        if (st == ST_OK) dump_state(&s, out);
        state_free(&s);
    } else {
        st = fault_set(f, ST_UNSUPPORTED, path, 0, "not a file of a warehouse");
    }
done:
    buf_free(&b);
    return st;
}
