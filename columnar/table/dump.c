/* dump - any file of a warehouse as text: what each byte range is and what it says. */
#include <inttypes.h>
#include <stdlib.h>

#include "columnar/table/state.h"

static void print_zone(struct seam_buf *out, unsigned type, unsigned scale, int64_t z)
{
    struct seam_value v = {.type = (uint8_t)type, .scale = (uint8_t)scale, .i = z};

    if (type == SEAM_V_DOUBLE) v.d = columnar_zone_to_double(z);
    if (type == SEAM_V_TEXT) { /* a prefix of eight bytes */
        uint64_t u = (uint64_t)z ^ (1ull << 63);

        seam_buf_str(out, "'");
        for (int shift = 56; shift >= 0; shift -= 8) {
            uint8_t c = (uint8_t)(u >> shift);

            if (c >= 0x20 && c < 0x7f)
                seam_buf_u8(out, c);
            else if (c != 0)
                seam_buf_printf(out, "\\x%02x", c);
        }
        seam_buf_str(out, "'");
        return;
    }
    seam_value_format(&v, out);
}

/* How the vectors of a chunk are packed, counted. */
static void dump_vectors(const struct columnar_chunk *c, struct seam_buf *out)
{
    unsigned count[INTS_MODES] = {0}, empty = 0, width_min = 64, width_max = 0;

    for (uint32_t v = 0; v < c->vectors; v++) {
        struct columnar_chunk_vector cv;

        if (!columnar_chunk_vector(c, v, &cv)) {
            seam_buf_printf(out, " vector %u damaged", v);
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
    seam_buf_printf(out, "; %u vectors:", c->vectors);
    for (int m = 0; m < INTS_MODES; m++)
        if (count[m] > 0)
            seam_buf_printf(out, " %u %s", count[m],
                            columnar_ints_mode_name((enum columnar_ints_mode)m));
    if (empty > 0) seam_buf_printf(out, " %u all null", empty);
    if (width_max > 0) seam_buf_printf(out, " (%u-%u bits)", width_min, width_max);
    if (c->dict_count > 0) seam_buf_printf(out, ", dictionary of %u", c->dict_count);
    if (c->symbols != NULL) seam_buf_printf(out, ", %u symbols", c->symbols->count);
    if (c->kind == CHUNK_INTS && c->factor > 1)
        seam_buf_printf(out, ", every value base + %" PRIu64 " x n", c->factor);
    if (c->kind == CHUNK_DECIMALS) seam_buf_printf(out, ", %" PRIu64 " decimal places", c->factor);
}

static void dump_group(struct columnar_colfile *file, int g, struct seam_buf *out)
{
    const struct columnar_colfile_group *group = &file->groups[g];

    seam_buf_printf(out, "group %d: rows %" PRIu64 " to %" PRIu64 "\n", g, group->first_row,
                    group->first_row + group->rows - 1);
    for (int c = 0; c < file->column_count; c++) {
        const struct columnar_colfile_chunk *k = &group->chunks[c];
        const struct columnar_chunk *chunk = NULL;
        struct seam_fault f = {0};

        seam_buf_printf(out, "  [%" PRIu64 ", %" PRIu64 ") column %u %s %s: %.2f bits a value",
                        k->offset, k->offset + k->size, file->columns[c].id,
                        seam_value_type_name(file->columns[c].type),
                        columnar_chunk_kind_name(k->summary.kind), 8.0 * k->size / group->rows);
        if (k->summary.nulls < group->rows) {
            seam_buf_str(out, ", ");
            print_zone(out, file->columns[c].type, file->columns[c].scale, k->summary.min);
            seam_buf_str(out, " .. ");
            print_zone(out, file->columns[c].type, file->columns[c].scale, k->summary.max);
        }
        seam_buf_printf(out, ", %" PRIu64 " nulls, about %" PRIu64 " distinct", k->summary.nulls,
                        k->summary.distinct);
        if (columnar_colfile_chunk(file, g, c, &chunk, &f) == SEAM_OK)
            dump_vectors(chunk, out);
        else
            seam_buf_printf(out, "; DAMAGED: %s", f.why);
        seam_buf_str(out, "\n");
    }
}

static enum seam_status dump_colfile(struct seam_io *io, const char *path, struct seam_buf *out,
                                     struct seam_fault *f)
{
    struct columnar_colfile *file = NULL;
    enum seam_status st = columnar_colfile_open(io, path, &file, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(out,
                    "column file %016" PRIx64 " of table %" PRIu64 ": %" PRIu64 " bytes, %" PRIu64
                    " rows, %d columns, %d row groups, LSN %" PRIu64 " to %" PRIu64
                    "\n[0, 64) head\n",
                    file->id, file->table_id, file->size, file->rows, file->column_count,
                    file->group_count, file->lsn_min, file->lsn_max);
    for (int g = 0; g < file->group_count; g++) dump_group(file, g, out);
    seam_buf_printf(
        out, "[%" PRIu64 ", %" PRIu64 ") footer and trailer\n",
        file->group_count > 0
            ? file->groups[file->group_count - 1].chunks[file->column_count - 1].offset +
                  file->groups[file->group_count - 1].chunks[file->column_count - 1].size
            : COLFILE_HEAD,
        file->size);
    columnar_colfile_unref(file);
    return SEAM_OK;
}

static void dump_owner(const struct seam_filehead *h, struct seam_buf *out)
{
    char platform[SEAM_PLATFORM_TEXT];

    seam_platform_text(h->owner.platform, platform);
    seam_buf_printf(out, "[0, 64) head: platform %s, history %016" PRIx64 "\n", platform,
                    h->owner.history);
}

static enum seam_status dump_journal(const char *path, const struct seam_buf *b,
                                     struct seam_buf *out, struct seam_fault *f)
{
    struct seam_filehead h;
    uint64_t at = JOURNAL_HEAD, committed;
    uint32_t crc;
    enum seam_status st =
        seam_filehead_decode(&columnar_journal_format, b->data, b->size, path, 0, &h, f);

    if (st != SEAM_OK) return st;
    if (b->size < JOURNAL_HEAD ||
        !columnar_journal_get_committed(b->data + JOURNAL_COMMITTED, &committed))
        return seam_fault_set(f, SEAM_CORRUPT, path, JOURNAL_COMMITTED,
                              "the committed length is damaged");
    crc = seam_filehead_sum(b->data);
    seam_buf_printf(out,
                    "journal after manifest %016" PRIx64 ": %zu bytes, committed to %" PRIu64 "\n",
                    h.file_id, b->size, committed);
    dump_owner(&h, out);
    while (b->size - at >= JOURNAL_RECORD_HEAD) {
        const uint8_t *record = b->data + at;
        uint32_t n = seam_get_u32(record);
        struct columnar_journal_record r;
        struct seam_reader body;
        char when[40];

        if (n == 0 || n > b->size - at - JOURNAL_RECORD_HEAD) break;
        body = seam_reader_of(record + JOURNAL_RECORD_HEAD, n);
        if (!columnar_journal_record_whole(record, body.start, &crc) ||
            !columnar_journal_record_read(&body, &r)) {
            seam_buf_printf(out, "[%" PRIu64 ", ...) %s\n", at,
                            at < committed ? "DAMAGED record" : "torn tail");
            break;
        }
        seam_time_format(r.wall_us, when);
        seam_buf_printf(out,
                        "[%" PRIu64 ", %" PRIu64 ") snapshot %" PRIu64 ", LSN %" PRIu64
                        ", %s, %" PRIu64 " tables changed\n",
                        at, at + JOURNAL_RECORD_HEAD + n, r.snapshot, r.lsn, when, r.tables);
        at += JOURNAL_RECORD_HEAD + n;
    }
    seam_buf_printf(out, "[%" PRIu64 ", %zu) free\n", at, b->size);
    return SEAM_OK;
}

static enum seam_status dump_kills(const char *path, const struct seam_buf *b, struct seam_buf *out,
                                   struct seam_fault *f)
{
    struct seam_filehead h;
    enum seam_status st =
        seam_filehead_decode(&columnar_kills_format, b->data, b->size, path, 0, &h, f);

    if (st != SEAM_OK) return st;
    seam_buf_printf(out,
                    "kills file %016" PRIx64
                    ": %zu bytes; sections are found and checked by the manifest\n",
                    h.file_id, b->size);
    dump_owner(&h, out);
    return SEAM_OK;
}

/* A manifest is explained as the state it loads. */
static void dump_state(const struct columnar_state *s, struct seam_buf *out)
{
    char when[40];

    seam_time_format(s->wall_us, when);
    seam_buf_printf(out,
                    "warehouse manifest %016" PRIx64 ": applied LSN %" PRIu64
                    " at %s, readable from LSN %" PRIu64 ", next file %" PRIu64
                    ", next snapshot %" PRIu64 "\n",
                    s->seq, s->applied, when, s->horizon, s->next_file, s->next_snapshot);
    for (size_t i = 0; i < s->table_count; i++) {
        const struct columnar_table *t = &s->tables[i];

        seam_buf_printf(
            out, "table %u %s: version %u, %u columns, %zu files, tail %016" PRIx64 "\n", t->id,
            t->schema.name, t->schema.version, t->schema.column_count, t->file_count, t->tail.id);
        for (size_t k = 0; k < t->file_count; k++) {
            const struct columnar_table_file *tf = &t->files[k];

            seam_buf_printf(out,
                            "  f%016" PRIx64 ".col %" PRIu64 " rows (%" PRIu64 " ended), %" PRIu64
                            " bytes, LSN %" PRIu64 " to %" PRIu64 "\n",
                            tf->id, tf->rows, tf->killed, tf->bytes, tf->lsn_min, tf->lsn_max);
        }
    }
    for (size_t i = 0; i < s->tag_count; i++)
        seam_buf_printf(out, "%s %s at LSN %" PRIu64 "\n", s->tags[i].pin ? "pin" : "tag",
                        s->tags[i].name, s->tags[i].lsn);
    seam_buf_printf(out, "%zu snapshots\n", s->snapshot_count);
}

/* The folder's newest state, which must be the manifest that was asked for. */
static enum seam_status dump_manifest(struct seam_io *io, const char *path, struct seam_buf *out,
                                      struct seam_fault *f)
{
    struct columnar_state s = {0};
    char dir[SEAM_PATH_MAX_BYTES] = ".";
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) : 0;
    uint64_t seq;
    enum seam_status st;

    if (n >= sizeof dir)
        return seam_fault_set(f, SEAM_LIMIT, path, SEAM_FAULT_NO_OFFSET, "path over %d bytes",
                              SEAM_PATH_MAX_BYTES - 1);
    if (slash != NULL) {
        memcpy(dir, path, n);
        dir[n] = '\0';
    }
    st = columnar_state_load(io, dir, false, NULL, &s, f);
    if (st == SEAM_OK && seam_manifest_name_parse(slash != NULL ? slash + 1 : path, &seq) &&
        seq != s.seq)
        st = seam_fault_set(f, SEAM_UNSUPPORTED, path, SEAM_FAULT_NO_OFFSET,
                            "an older state, whose files may be gone; the newest is %016" PRIx64,
                            s.seq);
    if (st == SEAM_OK) dump_state(&s, out);
    columnar_state_free(&s);
    return st;
}

enum seam_status columnar_dump(struct seam_io *io, const char *path, struct seam_buf *out,
                               struct seam_fault *f)
{
    struct seam_buf b = {0};
    enum seam_status st = seam_io_read_all(io, path, 1 << 30, &b, f);

    if (st != SEAM_OK) goto done;
    if (seam_filehead_is(&columnar_colfile_format, b.data, b.size))
        st = dump_colfile(io, path, out, f);
    else if (seam_filehead_is(&columnar_journal_format, b.data, b.size))
        st = dump_journal(path, &b, out, f);
    else if (seam_filehead_is(&columnar_kills_format, b.data, b.size))
        st = dump_kills(path, &b, out, f);
    else if (seam_manifest_is(b.data, b.size))
        st = dump_manifest(io, path, out, f);
    else
        st = seam_fault_set(f, SEAM_UNSUPPORTED, path, 0, "not a file of a warehouse");
    if (st == SEAM_OK) st = seam_buf_check(out, f, "a dump");
done:
    seam_buf_free(&b);
    return st;
}
