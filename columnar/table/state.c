/* state - manifest and journal to tables and files; what a kill hides at an LSN. */
/* A warehouse as read from its folder: the newest manifest and the journal behind it. */
#include "columnar/table/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/base/grow.h"

enum { PAYLOAD_VERSION = 1, COMMITTED_TRIES = 100 };

const struct seam_filehead_format columnar_journal_format = {
    .magic = "SEAMCOLJ",
    .version = 2,
    .name = "a warehouse's journal",
    .way_out =
        "the warehouse is derived from the source: `seam rebuild DIR warehouse` makes it again"};
const struct seam_filehead_format columnar_kills_format = {
    .magic = "SEAMCOLK",
    .version = 2,
    .name = "a kills file",
    .way_out =
        "the warehouse is derived from the source: `seam rebuild DIR warehouse` makes it again"};

enum seam_status columnar_file_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t id,
                                    struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "f%016" PRIx64 ".col", id);
}

enum seam_status columnar_kills_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t id,
                                     struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "k%016" PRIx64 ".kills", id);
}

enum seam_status columnar_journal_path(char out[SEAM_PATH_MAX_BYTES], const char *dir, uint64_t seq,
                                       struct seam_fault *f)
{
    return seam_path_format(out, dir, f, "journal-%016" PRIx64 ".log", seq);
}

/* ---- pieces ---- */

void columnar_file_free(struct columnar_table_file *tf)
{
    for (size_t b = 0; b < tf->bucket_count; b++) free(tf->buckets[b].kills);
    free(tf->buckets);
    columnar_colfile_unref(tf->file);
    *tf = (struct columnar_table_file){0};
}

enum seam_status columnar_file_kill(struct columnar_table_file *tf, uint32_t row, seam_lsn_t end)
{
    size_t at = row / COLUMNAR_VECTOR_ROWS;
    struct columnar_kill_bucket *b;

    if (at >= tf->bucket_count) {
        if (!SEAM_GROW_ZERO(&tf->buckets, &tf->bucket_count, at + 1)) return SEAM_NOMEM;
    }
    b = &tf->buckets[at];
    if (b->count == b->cap) {
        uint32_t cap = b->cap == 0 ? 4 : b->cap * 2;
        struct columnar_kill *more = realloc(b->kills, cap * sizeof *more);

        if (more == NULL) return SEAM_NOMEM;
        b->kills = more;
        b->cap = cap;
    }
    b->kills[b->count++] = (struct columnar_kill){row, end};
    tf->killed++;
    if (end > tf->kill_max) tf->kill_max = end;
    return SEAM_OK;
}

void columnar_table_free(struct columnar_table *t)
{
    for (size_t i = 0; i < t->file_count; i++) columnar_file_free(&t->files[i]);
    free(t->files);
    columnar_file_free(&t->tail);
    columnar_coldata_free(&t->rows);
    seam_schema_free(&t->schema);
    *t = (struct columnar_table){0};
}

enum seam_status columnar_table_add_file(struct columnar_table *t, struct columnar_table_file **out)
{
    if (!SEAM_GROW(&t->files, &t->file_cap, t->file_count + 1)) return SEAM_NOMEM;
    *out = &t->files[t->file_count++];
    **out = (struct columnar_table_file){0};
    return SEAM_OK;
}

enum seam_status columnar_table_reset_tail(struct columnar_table *t, uint64_t id)
{
    columnar_file_free(&t->tail);
    columnar_coldata_free(&t->rows);
    t->tail.id = id;
    return columnar_coldata_init(&t->rows, &t->schema);
}

struct columnar_table *columnar_state_table(struct columnar_state *s, uint32_t id)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i].id == id) return &s->tables[i];
    return NULL;
}

int columnar_state_table_named(const struct columnar_state *s, const char *name)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (strcmp(s->tables[i].schema.name, name) == 0) return (int)i;
    return -1;
}

struct columnar_table_file *columnar_table_file_by_id(struct columnar_table *t, uint64_t id)
{
    if (t->tail.id == id) return &t->tail;
    for (size_t i = t->file_count; i-- > 0;)
        if (t->files[i].id == id) return &t->files[i];
    return NULL;
}

enum seam_status columnar_state_add_snapshot(struct columnar_state *s, uint64_t id, seam_lsn_t lsn,
                                             int64_t wall_us)
{
    if (s->snapshot_count == SNAPSHOTS_MAX) {
        /* The oldest go, many at once: what is left answers exactly, and what is older is refused with the range.
         * AS OF LSN needs none of them. */
        s->snapshot_count -= SNAPSHOTS_MAX / 8;
        memmove(s->snapshots, s->snapshots + SNAPSHOTS_MAX / 8,
                s->snapshot_count * sizeof *s->snapshots);
    }
    if (!SEAM_GROW(&s->snapshots, &s->snapshot_cap, s->snapshot_count + 1)) return SEAM_NOMEM;
    s->snapshots[s->snapshot_count++] = (struct columnar_snapshot){id, lsn, wall_us};
    return SEAM_OK;
}

void columnar_state_free(struct columnar_state *s)
{
    for (size_t i = 0; i < s->table_count; i++) columnar_table_free(&s->tables[i]);
    free(s->tables);
    free(s->snapshots);
    free(s->tags);
    free(s->dir);
    seam_file_close(s->journal);
    *s = (struct columnar_state){0};
}

/* ---- the manifest's payload ---- */

static int by_row(const void *a, const void *b)
{
    const struct columnar_kill *x = a, *y = b;

    return (x->row > y->row) - (x->row < y->row);
}

void columnar_file_kills_encode(const struct columnar_table_file *tf, struct seam_buf *out)
{
    uint32_t row = 0;
    seam_lsn_t end = 0;

    seam_buf_varint(out, tf->killed);
    for (size_t b = 0; b < tf->bucket_count; b++) {
        /* Sorting a bucket changes no meaning, and keeps the next look-up as it was. */
        if (tf->buckets[b].count > 1)
            qsort(tf->buckets[b].kills, tf->buckets[b].count, sizeof(struct columnar_kill), by_row);
        for (uint32_t k = 0; k < tf->buckets[b].count; k++) {
            const struct columnar_kill *kill = &tf->buckets[b].kills[k];

            seam_buf_varint(out, kill->row - row);
            seam_buf_varint(out, seam_zigzag((int64_t)(kill->end - end)));
            row = kill->row;
            end = kill->end;
        }
    }
}

static void encode_table(const struct columnar_table *t, struct seam_buf *out)
{
    struct seam_buf json = {0};

    seam_schema_to_json(&t->schema, &json);
    if (!seam_buf_ok(&json)) out->failed = true;
    seam_buf_varint(out, t->id);
    seam_buf_lenstr(out, json.data, json.size);
    seam_buf_free(&json);
    seam_buf_varint(out, t->opt.sort_count);
    for (int k = 0; k < t->opt.sort_count; k++) seam_buf_varint(out, t->opt.sort[k]);
    seam_buf_varint(out, t->tail.id);
    seam_buf_varint(out, t->file_count);
    for (size_t i = 0; i < t->file_count; i++) {
        const struct columnar_table_file *tf = &t->files[i];

        seam_buf_varint(out, tf->id);
        seam_buf_varint(out, tf->rows);
        seam_buf_varint(out, tf->bytes);
        seam_buf_varint(out, tf->lsn_min);
        seam_buf_varint(out, tf->lsn_max);
        seam_buf_varint(out, tf->kills_file);
        seam_buf_varint(out, tf->kills_at);
        seam_buf_varint(out, tf->kills_size);
        seam_buf_u32(out, tf->kills_crc);
    }
}

void columnar_state_encode(const struct columnar_state *s, struct seam_buf *out)
{
    struct columnar_snapshot last = {0};

    seam_buf_varint(out, PAYLOAD_VERSION);
    seam_buf_varint(out, s->next_file);
    seam_buf_varint(out, s->next_snapshot);
    seam_buf_varint(out, s->horizon);
    seam_buf_varint(out, s->table_count);
    for (size_t i = 0; i < s->table_count; i++) encode_table(&s->tables[i], out);
    seam_buf_varint(out, s->snapshot_count);
    for (size_t i = 0; i < s->snapshot_count; i++) {
        seam_buf_varint(out, s->snapshots[i].id - last.id);
        seam_buf_varint(out, s->snapshots[i].lsn - last.lsn);
        seam_buf_varint(out, seam_zigzag(s->snapshots[i].wall_us - last.wall_us));
        last = s->snapshots[i];
    }
    seam_buf_varint(out, s->tag_count);
    for (size_t i = 0; i < s->tag_count; i++) {
        seam_buf_lenstr(out, s->tags[i].name, strlen(s->tags[i].name));
        seam_buf_varint(out, s->tags[i].lsn);
        seam_buf_varint(out, seam_zigzag(s->tags[i].wall_us));
        seam_buf_u8(out, s->tags[i].pin);
    }
}

static enum seam_status corrupt(const struct columnar_state *s, struct seam_fault *f,
                                const char *what)
{
    return seam_fault_set(f, SEAM_CORRUPT, s->dir, SEAM_FAULT_NO_OFFSET,
                          "manifest %016" PRIx64 ": %s", s->seq, what);
}

static enum seam_status read_kills(const struct columnar_state *s, struct columnar_table_file *tf,
                                   struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_file *file = NULL;
    uint8_t head[KILLS_HEAD], *p = NULL;
    struct seam_filehead h;
    struct seam_reader r;
    uint64_t count, row = 0, size = 0;
    seam_lsn_t end = 0;
    enum seam_status st;

    st = columnar_kills_path(path, s->dir, tf->kills_file, f);
    if (st == SEAM_OK) st = seam_file_open(s->io, path, SEAM_FILE_READ, &file, f);
    if (st == SEAM_OK) st = seam_file_size(file, &size, f);
    if (st == SEAM_OK &&
        (tf->kills_at < KILLS_HEAD || tf->kills_at > size || tf->kills_size > size - tf->kills_at))
        st = seam_fault_set(f, SEAM_CORRUPT, path, size,
                            "the file ends before the kills the manifest names");
    if (st == SEAM_OK) st = seam_file_read(file, 0, head, sizeof head, f);
    if (st == SEAM_OK)
        st = seam_filehead_decode(&columnar_kills_format, head, sizeof head, path, 0, &h, f);
    if (st == SEAM_OK)
        st = seam_filehead_check(
            &columnar_kills_format, &h,
            &(struct seam_filehead_want){.platform = s->owner.platform, .file_id = &tf->kills_file},
            path, f);
    if (st != SEAM_OK) goto done;
    p = malloc((size_t)tf->kills_size + 1);
    st = p == NULL ? seam_no_memory(f, "a column file's ended rows")
                   : seam_file_read(file, tf->kills_at, p, (size_t)tf->kills_size, f);
    if (st != SEAM_OK) goto done;
    st = seam_fault_set(NULL, SEAM_CORRUPT, NULL, 0, "kills");
    if (seam_crc32c(0, p, (size_t)tf->kills_size) != tf->kills_crc) {
        seam_fault_set(f, st, path, tf->kills_at, "the kills' checksum is wrong");
        goto done;
    }
    r = seam_reader_of(p, (size_t)tf->kills_size);
    count = seam_read_varint(&r);
    for (uint64_t k = 0; k < count; k++) {
        row += seam_read_varint(&r);
        end += (uint64_t)seam_unzigzag(seam_read_varint(&r));
        if (r.bad || row >= tf->rows) {
            seam_fault_set(f, st, path, tf->kills_at + seam_reader_offset(&r),
                           "a killed row is out of range");
            goto done;
        }
        if (columnar_file_kill(tf, (uint32_t)row, end) != SEAM_OK) {
            st = seam_no_memory(f, "a column file's ended rows");
            goto done;
        }
    }
    st = SEAM_OK;
done:
    free(p);
    seam_file_close(file);
    return st;
}

static struct columnar_table_file *lent_file(const struct columnar_state *old, uint32_t table,
                                             uint64_t id)
{
    if (old == NULL) return NULL;
    for (size_t i = 0; i < old->table_count; i++)
        if (old->tables[i].id == table)
            for (size_t k = 0; k < old->tables[i].file_count; k++)
                if (old->tables[i].files[k].id == id) return &old->tables[i].files[k];
    return NULL;
}

static enum seam_status decode_file(struct columnar_state *s, struct columnar_table *t,
                                    const struct columnar_state *old, struct seam_reader *r,
                                    struct seam_fault *f)
{
    struct columnar_table_file *tf, *lent;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = SEAM_OK;

    if (columnar_table_add_file(t, &tf) != SEAM_OK) return seam_no_memory(f, "a table's files");
    tf->id = seam_read_varint(r);
    tf->rows = seam_read_varint(r);
    tf->bytes = seam_read_varint(r);
    tf->lsn_min = seam_read_varint(r);
    tf->lsn_max = seam_read_varint(r);
    tf->kills_file = seam_read_varint(r);
    tf->kills_at = seam_read_varint(r);
    tf->kills_size = seam_read_varint(r);
    tf->kills_crc = seam_read_u32(r);
    if (r->bad) return corrupt(s, f, "a table's file list is cut short");
    st = columnar_file_path(path, s->dir, tf->id, f);
    if (st != SEAM_OK) return st;
    lent = lent_file(old, t->id, tf->id);
    if (lent != NULL)
        tf->file = columnar_colfile_ref(lent->file);
    else
        st = columnar_colfile_open(s->io, path, &tf->file, f);
    if (st != SEAM_OK) return st;
    if (tf->file->rows != tf->rows || tf->file->size != tf->bytes || tf->file->id != tf->id ||
        tf->file->table_id != t->id)
        return seam_fault_set(f, SEAM_CORRUPT, path, 0,
                              "the file is not the one the manifest describes");
    return tf->kills_size > 0 ? read_kills(s, tf, f) : SEAM_OK;
}

static enum seam_status decode_table(struct columnar_state *s, struct columnar_table *t,
                                     const struct columnar_state *old, struct seam_reader *r,
                                     struct seam_fault *f)
{
    size_t n = 0;
    const uint8_t *json;
    uint64_t files;
    enum seam_status st;

    t->id = (uint32_t)seam_read_varint(r);
    json = seam_read_lenstr(r, 1 << 20, &n);
    if (json == NULL) return corrupt(s, f, "a table's schema is cut short");
    st = seam_schema_parse((const char *)json, n, &t->schema, f);
    if (st != SEAM_OK)
        return st == SEAM_NOMEM ? st : corrupt(s, f, "a table's schema is not valid");
    t->opt.sort_count = (uint16_t)seam_read_varint(r);
    if (t->opt.sort_count > SEAM_KEY_COLUMNS_MAX) return corrupt(s, f, "too many sort columns");
    for (int k = 0; k < t->opt.sort_count; k++) {
        t->opt.sort[k] = (uint16_t)seam_read_varint(r);
        if (t->opt.sort[k] >= t->schema.column_count)
            return corrupt(s, f, "a sort column is unknown");
    }
    if (columnar_table_reset_tail(t, seam_read_varint(r)) != SEAM_OK)
        return seam_no_memory(f, "a table's tail");
    files = seam_read_varint(r);
    if (r->bad || files > seam_reader_left(r))
        return corrupt(s, f, "a table's file list is cut short");
    for (uint64_t i = 0; st == SEAM_OK && i < files; i++) st = decode_file(s, t, old, r, f);
    return st;
}

static enum seam_status decode_marks(struct columnar_state *s, struct seam_reader *r,
                                     struct seam_fault *f)
{
    uint64_t count = seam_read_varint(r);
    struct columnar_snapshot last = {0};

    if (r->bad || count > seam_reader_left(r) || count > SNAPSHOTS_MAX)
        return corrupt(s, f, "the snapshots are cut short");
    for (uint64_t i = 0; i < count; i++) {
        last.id += seam_read_varint(r);
        last.lsn += seam_read_varint(r);
        last.wall_us += seam_unzigzag(seam_read_varint(r));
        if (r->bad) return corrupt(s, f, "the snapshots are cut short");
        if (columnar_state_add_snapshot(s, last.id, last.lsn, last.wall_us) != SEAM_OK)
            return seam_no_memory(f, "the snapshots");
    }
    count = seam_read_varint(r);
    if (r->bad || count > COLUMNAR_TAGS_MAX) return corrupt(s, f, "the tags are not valid");
    s->tags = calloc(COLUMNAR_TAGS_MAX, sizeof *s->tags);
    if (s->tags == NULL) return seam_no_memory(f, "the tags");
    for (uint64_t i = 0; i < count; i++) {
        struct columnar_tag_info *tag = &s->tags[s->tag_count++];
        size_t n = 0;
        const uint8_t *name = seam_read_lenstr(r, COLUMNAR_NAME_MAX - 1, &n);

        if (name == NULL) return corrupt(s, f, "a tag is cut short");
        memcpy(tag->name, name, n);
        tag->lsn = seam_read_varint(r);
        tag->wall_us = seam_unzigzag(seam_read_varint(r));
        tag->pin = seam_read_u8(r) != 0;
    }
    return r->bad || seam_reader_left(r) != 0 ? corrupt(s, f, "the payload has another size")
                                              : SEAM_OK;
}

static enum seam_status decode_payload(struct columnar_state *s, const struct seam_manifest *m,
                                       const struct columnar_state *old, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(m->payload.data, m->payload.size);
    uint64_t tables, version = seam_read_varint(&r);
    enum seam_status st = SEAM_OK;

    s->seq = m->seq;
    s->applied = m->applied_lsn;
    s->wall_us = m->wall_us;
    s->owner = m->owner;
    if (version != PAYLOAD_VERSION)
        return seam_fault_set(f, SEAM_UNSUPPORTED, s->dir, SEAM_FAULT_NO_OFFSET,
                              "manifest %016" PRIx64 ": a payload of version %" PRIu64
                              "; this program reads version %d",
                              s->seq, version, PAYLOAD_VERSION);
    s->next_file = seam_read_varint(&r);
    s->next_snapshot = seam_read_varint(&r);
    s->horizon = seam_read_varint(&r);
    tables = seam_read_varint(&r);
    if (r.bad || tables > COLUMNAR_TABLES_MAX) return corrupt(s, f, "too many tables");
    free(s->tables);
    s->tables = calloc(COLUMNAR_TABLES_MAX, sizeof *s->tables);
    if (s->tables == NULL) return seam_no_memory(f, "the tables");
    for (uint64_t i = 0; st == SEAM_OK && i < tables; i++)
        st = decode_table(s, &s->tables[s->table_count++], old, &r, f);
    return st == SEAM_OK ? decode_marks(s, &r, f) : st;
}

/* ---- the journal ---- */

void columnar_journal_encode_table(const struct columnar_table *t, size_t from,
                                   const struct columnar_journal_kill *kills, size_t kill_count,
                                   struct seam_buf *out)
{
    const struct columnar_coldata *d = &t->rows;
    size_t rows = d->rows - from;
    seam_lsn_t last = 0;

    seam_buf_varint(out, t->id);
    seam_buf_varint(out, rows);
    seam_buf_varint(out, kill_count);
    if (rows > 0) {
        for (size_t i = from; i < d->rows; i++) {
            seam_buf_varint(out, d->lsn[i] - last);
            last = d->lsn[i];
        }
        seam_buf_varint(out, (uint64_t)d->count);
    }
    for (int c = 0; rows > 0 && c < d->count; c++) {
        uint8_t *bits;

        seam_buf_varint(out, d->columns[c].id);
        bits = seam_buf_extend(out, (rows + 7) / 8);
        if (bits == NULL) return;
        memset(bits, 0, (rows + 7) / 8);
        for (size_t i = 0; i < rows; i++)
            if (d->columns[c].nulls != NULL && seam_bitset_get(d->columns[c].nulls, from + i))
                bits[i / 8] |= (uint8_t)(1u << (i % 8));
        for (size_t i = 0; i < rows; i++) {
            struct seam_value v = columnar_coldata_value(d, c, from + i);

            if (v.type == SEAM_V_NULL) continue;
            if (v.type == SEAM_V_TEXT)
                seam_buf_lenstr(out, v.s, v.len);
            else if (v.type == SEAM_V_DOUBLE)
                seam_buf_u64(out, (uint64_t)v.i);
            else
                seam_buf_varint(out, seam_zigzag(v.i));
        }
    }
    for (size_t k = 0; k < kill_count; k++) {
        seam_buf_varint(out, kills[k].file);
        seam_buf_varint(out, kills[k].row);
        seam_buf_varint(out, kills[k].end);
    }
}

/* Values of one column for rows of a record, into cells[row * columns + c]. */
static bool decode_journal_column(struct seam_reader *r, const struct columnar_coldata *d,
                                  size_t rows, struct seam_value *cells, size_t stride)
{
    uint64_t id = seam_read_varint(r);
    const uint8_t *bits = seam_read_bytes(r, (rows + 7) / 8);
    int c = 0;

    while (c < d->count && d->columns[c].id != id) c++;
    if (bits == NULL || c == d->count) return false;
    for (size_t i = 0; i < rows; i++) {
        struct seam_value *v = &cells[i * stride + (size_t)c];
        size_t n = 0;

        *v = seam_v_null();
        if (bits[i / 8] >> (i % 8) & 1) continue;
        v->type = d->columns[c].type;
        v->scale = d->columns[c].scale;
        if (v->type == SEAM_V_TEXT) {
            v->s = (const char *)seam_read_lenstr(r, SEAM_TEXT_MAX, &n);
            v->len = (uint32_t)n;
            if (v->s == NULL) return false;
        } else if (v->type == SEAM_V_DOUBLE) {
            v->i = (int64_t)seam_read_u64(r);
        } else {
            v->i = seam_unzigzag(seam_read_varint(r));
        }
        if (r->bad) return false;
    }
    return true;
}

static enum seam_status decode_journal_rows(struct seam_reader *r, struct columnar_table *t,
                                            uint64_t rows)
{
    struct columnar_coldata *d = &t->rows;
    size_t stride = (size_t)d->count;
    struct seam_value *cells = NULL;
    seam_lsn_t *lsns = NULL, last = 0;
    enum seam_status st = SEAM_CORRUPT;
    uint64_t columns;

    /* Every row costs at least a byte: a bound before memory is taken. */
    if (rows > seam_reader_left(r)) return SEAM_CORRUPT;
    cells = calloc(rows * stride + 1, sizeof *cells);
    lsns = malloc(rows * sizeof *lsns + 1);
    if (cells == NULL || lsns == NULL) {
        st = SEAM_NOMEM;
        goto done;
    }
    for (uint64_t i = 0; i < rows; i++) lsns[i] = last += seam_read_varint(r);
    columns = seam_read_varint(r);
    if (r->bad || columns > stride) goto done;
    for (uint64_t c = 0; c < columns; c++)
        if (!decode_journal_column(r, d, rows, cells, stride)) goto done;
    st = SEAM_OK;
    for (uint64_t i = 0; st == SEAM_OK && i < rows; i++)
        st = columnar_coldata_append(d, cells + i * stride, lsns[i]);
    if (st == SEAM_OK) {
        t->tail.rows = d->rows;
        if (t->tail.lsn_min == 0 || lsns[0] < t->tail.lsn_min) t->tail.lsn_min = lsns[0];
        if (last > t->tail.lsn_max) t->tail.lsn_max = last;
    }
done:
    free(cells);
    free(lsns);
    return st;
}

bool columnar_journal_record_read(struct seam_reader *r, struct columnar_journal_record *out)
{
    out->snapshot = seam_read_varint(r);
    out->lsn = seam_read_varint(r);
    out->wall_us = seam_unzigzag(seam_read_varint(r));
    out->tables = seam_read_varint(r);
    return !r->bad && out->tables <= COLUMNAR_TABLES_MAX;
}

static enum seam_status apply_record(struct columnar_state *s, const uint8_t *p, size_t n)
{
    struct seam_reader r = seam_reader_of(p, n);
    struct columnar_journal_record record;

    if (!columnar_journal_record_read(&r, &record)) return SEAM_CORRUPT;
    for (uint64_t i = 0; i < record.tables; i++) {
        struct columnar_table *t = columnar_state_table(s, (uint32_t)seam_read_varint(&r));
        uint64_t rows = seam_read_varint(&r), kills = seam_read_varint(&r);
        enum seam_status st;

        if (r.bad || t == NULL) return SEAM_CORRUPT;
        st = rows > 0 ? decode_journal_rows(&r, t, rows) : SEAM_OK;
        if (st != SEAM_OK) return st;
        s->journal_rows += rows;
        for (uint64_t k = 0; k < kills; k++) {
            struct columnar_table_file *tf = columnar_table_file_by_id(t, seam_read_varint(&r));
            uint64_t row = seam_read_varint(&r), end = seam_read_varint(&r);

            if (r.bad || tf == NULL || row >= tf->rows) return SEAM_CORRUPT;
            if (columnar_file_kill(tf, (uint32_t)row, end) != SEAM_OK) return SEAM_NOMEM;
            tf->kills_dirty = true;
        }
    }
    if (seam_reader_left(&r) != 0) return SEAM_CORRUPT;
    s->applied = record.lsn;
    s->wall_us = record.wall_us;
    s->next_snapshot = record.snapshot + 1;
    return columnar_state_add_snapshot(s, record.snapshot, record.lsn, record.wall_us);
}

static enum seam_status journal_open(struct columnar_state *s, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    uint8_t head[SEAM_FILEHEAD_BYTES];
    struct seam_filehead h;
    const struct seam_filehead_want want = {
        .platform = s->owner.platform, .file_id = &s->seq, .history = &s->owner.history};
    enum seam_status st = columnar_journal_path(path, s->dir, s->seq, f);

    if (st != SEAM_OK) return st;
    if (!seam_io_exists(s->io, path)) return SEAM_NOT_FOUND;
    st = seam_file_open(s->io, path, SEAM_FILE_READ, &s->journal, f);
    if (st == SEAM_OK) st = seam_file_read(s->journal, 0, head, sizeof head, f);
    if (st == SEAM_OK)
        st = seam_filehead_decode(&columnar_journal_format, head, sizeof head, path, 0, &h, f);
    if (st == SEAM_OK) st = seam_filehead_check(&columnar_journal_format, &h, &want, path, f);
    if (st != SEAM_OK) return st;
    s->journal_end = JOURNAL_HEAD;
    s->journal_crc = seam_filehead_sum(head);
    return SEAM_OK;
}

bool columnar_journal_record_whole(const uint8_t head[JOURNAL_RECORD_HEAD], const uint8_t *body,
                                   uint32_t *crc)
{
    uint32_t sum = seam_crc32c(seam_crc32c(*crc, head, 4), body, seam_get_u32(head));

    if (sum != seam_get_u32(head + 4)) return false;
    *crc = sum;
    return true;
}

/* Bytes of one record at the journal's end into *b; SEAM_END when there is none (yet). */
static enum seam_status next_record(struct columnar_state *s, uint64_t size, struct seam_buf *b,
                                    struct seam_fault *f)
{
    uint8_t head[JOURNAL_RECORD_HEAD];
    uint32_t n;
    enum seam_status st;

    if (size - s->journal_end < sizeof head) return SEAM_END;
    st = seam_file_read(s->journal, s->journal_end, head, sizeof head, f);
    if (st != SEAM_OK) return st;
    n = seam_get_u32(head);
    if (n == 0 || n > JOURNAL_RECORD_MAX || n > size - s->journal_end - sizeof head)
        return SEAM_END;
    seam_buf_clear(b);
    if (seam_buf_extend(b, n) == NULL) return seam_no_memory(f, "a record of the journal");
    st = seam_file_read(s->journal, s->journal_end + sizeof head, b->data, n, f);
    if (st != SEAM_OK) return st;
    if (!columnar_journal_record_whole(head, b->data, &s->journal_crc)) return SEAM_END;
    s->journal_end += sizeof head + n;
    return SEAM_OK;
}

void columnar_journal_put_committed(uint8_t out[JOURNAL_COMMITTED_SIZE], uint64_t end)
{
    seam_put_u64(out, end);
    seam_put_u32(out + 8, seam_crc32c(0, out, 8));
}

bool columnar_journal_get_committed(const uint8_t in[JOURNAL_COMMITTED_SIZE], uint64_t *end)
{
    *end = seam_get_u64(in);
    return seam_get_u32(in + 8) == seam_crc32c(0, in, 8);
}

/* The writer may be changing it under our eyes: a wrong checksum is looked at again before it is believed. */
static enum seam_status read_committed(struct columnar_state *s, uint64_t *end,
                                       struct seam_fault *f)
{
    for (int i = 0; i < COMMITTED_TRIES; i++) {
        uint8_t b[JOURNAL_COMMITTED_SIZE];
        enum seam_status st = seam_file_read(s->journal, JOURNAL_COMMITTED, b, sizeof b, f);

        if (st != SEAM_OK) return st;
        if (columnar_journal_get_committed(b, end)) return SEAM_OK;
    }
    return seam_fault_set(f, SEAM_CORRUPT, seam_file_path(s->journal), JOURNAL_COMMITTED,
                          "the committed length is damaged");
}

enum seam_status columnar_state_follow(struct columnar_state *s, bool recover, bool *changed,
                                       struct seam_fault *f)
{
    struct seam_buf b = {0};
    uint64_t limit = 0, size;
    enum seam_status st = SEAM_OK;

    if (s->seq == 0) return SEAM_OK;
    if (s->journal == NULL) st = journal_open(s, f);
    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    if (st == SEAM_OK) st = seam_file_size(s->journal, &size, f);
    if (st == SEAM_OK) st = read_committed(s, &limit, f);
    if (st != SEAM_OK) return st;
    if (limit > size)
        return seam_fault_set(f, SEAM_CORRUPT, seam_file_path(s->journal), JOURNAL_COMMITTED,
                              "the journal ends before what was committed");
    while (st == SEAM_OK && (recover || s->journal_end < limit)) {
        uint64_t at = s->journal_end;

        st = next_record(s, recover ? size : limit, &b, f);
        if (st == SEAM_OK) st = apply_record(s, b.data, b.size);
        if (st == SEAM_NOMEM) seam_no_memory(f, "what the journal holds");
        if (st == SEAM_OK && changed != NULL) *changed = true;
        if (st == SEAM_CORRUPT || (st == SEAM_END && at < limit))
            st = seam_fault_set(f, SEAM_CORRUPT, seam_file_path(s->journal), at,
                                "a journal record is damaged");
    }
    seam_buf_free(&b);
    return st == SEAM_END ? SEAM_OK : st;
}

enum seam_status columnar_state_manifest_is_newest(const struct columnar_state *s, bool *newest,
                                                   struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = seam_manifest_path(path, s->dir, s->seq + 1, f);

    *newest = st == SEAM_OK && !seam_io_exists(s->io, path);
    if (!*newest || s->seq == 0) return st;
    /* The next one may have come and, being old itself by now, gone. Ours goes no later than it. */
    st = seam_manifest_path(path, s->dir, s->seq, f);
    *newest = st == SEAM_OK && seam_io_exists(s->io, path);
    return st;
}

enum seam_status columnar_state_load(struct seam_io *io, const char *dir, bool recover,
                                     const struct columnar_state *old, struct columnar_state *out,
                                     struct seam_fault *f)
{
    struct seam_manifest m = {0};
    struct columnar_state s = {.io = io, .next_file = 1, .next_snapshot = 1};
    enum seam_status st;

    s.dir = strdup(dir);
    st = s.dir == NULL ? seam_no_memory(f, "the state of the warehouse")
                       : seam_manifest_load_newest(io, dir, COLUMNAR_KIND, &m, f);
    if (st == SEAM_NOT_FOUND) {
        if (f != NULL) seam_fault_clear(f);
        s.tables = calloc(COLUMNAR_TABLES_MAX, sizeof *s.tables);
        s.tags = calloc(COLUMNAR_TAGS_MAX, sizeof *s.tags);
        st = s.tables == NULL || s.tags == NULL ? seam_no_memory(f, "the state of the warehouse")
                                                : SEAM_OK;
    } else if (st == SEAM_OK) {
        st = decode_payload(&s, &m, old, f);
        if (st == SEAM_OK) st = columnar_state_follow(&s, recover, NULL, f);
    }
    seam_buf_free(&m.payload);
    if (st == SEAM_OK)
        *out = s;
    else
        columnar_state_free(&s);
    return st;
}
