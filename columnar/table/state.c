#include "columnar/table/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/crc32c.h"

enum { PAYLOAD_VERSION = 1, COMMITTED_TRIES = 100 };

void path_of(char out[PATH_MAX_BYTES], const char *dir, char letter, uint64_t id, const char *suffix)
{
    if (letter == 'j') snprintf(out, PATH_MAX_BYTES, "%s/journal-%016" PRIx64 "%s", dir, id, suffix);
    else snprintf(out, PATH_MAX_BYTES, "%s/%c%016" PRIx64 "%s", dir, letter, id, suffix);
}

/* ---- pieces ---- */

void file_free(struct table_file *tf)
{
    for (size_t b = 0; b < tf->bucket_count; b++) free(tf->buckets[b].kills);
    free(tf->buckets);
    colfile_unref(tf->file);
    *tf = (struct table_file){0};
}

enum status file_kill(struct table_file *tf, uint32_t row, lsn_t end)
{
    size_t at = row / VECTOR_ROWS;
    struct kill_bucket *b;

    if (at >= tf->bucket_count) {
        size_t want = at + 1 > 2 * tf->bucket_count ? at + 1 : 2 * tf->bucket_count;
        struct kill_bucket *more = realloc(tf->buckets, want * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        memset(more + tf->bucket_count, 0, (want - tf->bucket_count) * sizeof *more);
        tf->buckets = more;
        tf->bucket_count = want;
    }
    b = &tf->buckets[at];
    if (b->count == b->cap) {
        uint32_t cap = b->cap == 0 ? 4 : b->cap * 2;
        struct kill *more = realloc(b->kills, cap * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        b->kills = more;
        b->cap = cap;
    }
    b->kills[b->count++] = (struct kill){row, end};
    tf->killed++;
    if (end > tf->kill_max) tf->kill_max = end;
    return ST_OK;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->file_count; i++) file_free(&t->files[i]);
    free(t->files);
    file_free(&t->tail);
    coldata_free(&t->rows);
    schema_free(&t->schema);
    *t = (struct table){0};
}

enum status table_add_file(struct table *t, struct table_file **out)
{
    if (t->file_count == t->file_cap) {
        size_t cap = t->file_cap == 0 ? 8 : 2 * t->file_cap;
        struct table_file *more = realloc(t->files, cap * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        t->files = more;
        t->file_cap = cap;
    }
    *out = &t->files[t->file_count++];
    **out = (struct table_file){0};
    return ST_OK;
}

enum status table_reset_tail(struct table *t, uint64_t id)
{
    file_free(&t->tail);
    coldata_free(&t->rows);
    t->tail.id = id;
    return coldata_init(&t->rows, &t->schema);
}

struct table *state_table(struct state *s, uint32_t id)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i].id == id) return &s->tables[i];
    return NULL;
}

int state_table_named(const struct state *s, const char *name)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (strcmp(s->tables[i].schema.name, name) == 0) return (int)i;
    return -1;
}

struct table_file *table_file_by_id(struct table *t, uint64_t id)
{
    if (t->tail.id == id) return &t->tail;
    for (size_t i = t->file_count; i-- > 0;)
        if (t->files[i].id == id) return &t->files[i];
    return NULL;
}

enum status state_add_snapshot(struct state *s, uint64_t id, lsn_t lsn, int64_t wall_us)
{
    if (s->snapshot_count == SNAPSHOTS_MAX) {
        /* Thin the older half: every other one goes. AS OF LSN does not need them. */
        size_t kept = 0;

        for (size_t i = 0; i < s->snapshot_count; i++)
            if (i >= s->snapshot_count / 2 || (i & 1) == 0) s->snapshots[kept++] = s->snapshots[i];
        s->snapshot_count = kept;
    }
    if (s->snapshot_count == s->snapshot_cap) {
        size_t cap = s->snapshot_cap == 0 ? 64 : 2 * s->snapshot_cap;
        struct columnar_snapshot *more = realloc(s->snapshots, cap * sizeof *more);

        if (more == NULL) return ST_NOMEM;
        s->snapshots = more;
        s->snapshot_cap = cap;
    }
    s->snapshots[s->snapshot_count++] = (struct columnar_snapshot){id, lsn, wall_us};
    return ST_OK;
}

void state_free(struct state *s)
{
    for (size_t i = 0; i < s->table_count; i++) table_free(&s->tables[i]);
    free(s->tables);
    free(s->snapshots);
    free(s->tags);
    free(s->dir);
    file_close(s->journal);
    *s = (struct state){0};
}

/* ---- the manifest's payload ---- */

static int by_row(const void *a, const void *b)
{
    const struct kill *x = a, *y = b;

    return (x->row > y->row) - (x->row < y->row);
}

void file_kills_encode(const struct table_file *tf, struct buf *out)
{
    uint32_t row = 0;
    lsn_t end = 0;

    buf_varint(out, tf->killed);
    for (size_t b = 0; b < tf->bucket_count; b++) {
        /* Sorting a bucket changes no meaning, and keeps the next look-up as it was. */
        if (tf->buckets[b].count > 1)
            qsort(tf->buckets[b].kills, tf->buckets[b].count, sizeof(struct kill), by_row);
        for (uint32_t k = 0; k < tf->buckets[b].count; k++) {
            const struct kill *kill = &tf->buckets[b].kills[k];

            buf_varint(out, kill->row - row);
            buf_varint(out, zigzag((int64_t)(kill->end - end)));
            row = kill->row;
            end = kill->end;
        }
    }
}

static void encode_table(const struct table *t, struct buf *out)
{
    struct buf json = {0};

    schema_to_json(&t->schema, &json);
    if (!buf_ok(&json)) out->failed = true;
    buf_varint(out, t->id);
    buf_lenstr(out, json.data, json.size);
    buf_free(&json);
    buf_varint(out, t->opt.sort_count);
    for (int k = 0; k < t->opt.sort_count; k++) buf_varint(out, t->opt.sort[k]);
    buf_varint(out, t->tail.id);
    buf_varint(out, t->file_count);
    for (size_t i = 0; i < t->file_count; i++) {
        const struct table_file *tf = &t->files[i];

        buf_varint(out, tf->id);
        buf_varint(out, tf->rows);
        buf_varint(out, tf->bytes);
        buf_varint(out, tf->lsn_min);
        buf_varint(out, tf->lsn_max);
        buf_varint(out, tf->kills_file);
        buf_varint(out, tf->kills_at);
        buf_varint(out, tf->kills_size);
        buf_u32(out, tf->kills_crc);
    }
}

void state_encode(const struct state *s, struct buf *out)
{
    struct columnar_snapshot last = {0};

    buf_varint(out, PAYLOAD_VERSION);
    buf_varint(out, s->next_file);
    buf_varint(out, s->next_snapshot);
    buf_varint(out, s->horizon);
    buf_varint(out, s->table_count);
    for (size_t i = 0; i < s->table_count; i++) encode_table(&s->tables[i], out);
    buf_varint(out, s->snapshot_count);
    for (size_t i = 0; i < s->snapshot_count; i++) {
        buf_varint(out, s->snapshots[i].id - last.id);
        buf_varint(out, s->snapshots[i].lsn - last.lsn);
        buf_varint(out, zigzag(s->snapshots[i].wall_us - last.wall_us));
        last = s->snapshots[i];
    }
    buf_varint(out, s->tag_count);
    for (size_t i = 0; i < s->tag_count; i++) {
        buf_lenstr(out, s->tags[i].name, strlen(s->tags[i].name));
        buf_varint(out, s->tags[i].lsn);
        buf_varint(out, zigzag(s->tags[i].wall_us));
        buf_u8(out, s->tags[i].pin);
    }
}

static enum status corrupt(const struct state *s, struct fault *f, const char *what)
{
    return fault_set(f, ST_CORRUPT, s->dir, FAULT_NO_OFFSET, "manifest %016" PRIx64 ": %s", s->seq, what);
}

static enum status read_kills(const struct state *s, struct table_file *tf, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct file *file = NULL;
    uint8_t head[KILLS_HEAD], *p = NULL;
    struct reader r;
    uint64_t count, row = 0, size = 0;
    lsn_t end = 0;
    enum status st;

    path_of(path, s->dir, 'k', tf->kills_file, ".kills");
    st = file_open(s->io, path, FILE_READ, &file, f);
    if (st == ST_OK) st = file_size(file, &size, f);
    if (st == ST_OK && (tf->kills_at < KILLS_HEAD || tf->kills_at > size ||
                        tf->kills_size > size - tf->kills_at))
        st = fault_set(f, ST_CORRUPT, path, size, "the file ends before the kills the manifest names");
    if (st == ST_OK) st = file_read(file, 0, head, sizeof head, f);
    if (st == ST_OK && (memcmp(head, "SEAMCOLK", 8) != 0 || get_u32(head + 8) != 1 ||
                        get_u64(head + 16) != tf->kills_file ||
                        get_u32(head + 12) != crc32c(crc32c(0, head, 12), head + 16, KILLS_HEAD - 16)))
        st = fault_set(f, ST_CORRUPT, path, 0, "the head of the kills file is damaged");
    if (st != ST_OK) goto done;
    p = malloc((size_t)tf->kills_size + 1);
    st = p == NULL ? fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory for the kills")
                   : file_read(file, tf->kills_at, p, (size_t)tf->kills_size, f);
    if (st != ST_OK) goto done;
    st = fault_set(NULL, ST_CORRUPT, NULL, 0, "kills");
    if (crc32c(0, p, (size_t)tf->kills_size) != tf->kills_crc) {
        fault_set(f, st, path, tf->kills_at, "the kills' checksum is wrong");
        goto done;
    }
    r = reader_of(p, (size_t)tf->kills_size);
    count = read_varint(&r);
    for (uint64_t k = 0; k < count; k++) {
        row += read_varint(&r);
        end += (uint64_t)unzigzag(read_varint(&r));
        if (r.bad || row >= tf->rows) {
            fault_set(f, st, path, tf->kills_at + reader_offset(&r), "a killed row is out of range");
            goto done;
        }
        if (file_kill(tf, (uint32_t)row, end) != ST_OK) {
            st = ST_NOMEM;
            goto done;
        }
    }
    st = ST_OK;
done:
    free(p);
    file_close(file);
    return st;
}

static struct table_file *lent_file(const struct state *old, uint32_t table, uint64_t id)
{
    if (old == NULL) return NULL;
    for (size_t i = 0; i < old->table_count; i++)
        if (old->tables[i].id == table)
            for (size_t k = 0; k < old->tables[i].file_count; k++)
                if (old->tables[i].files[k].id == id) return &old->tables[i].files[k];
    return NULL;
}

static enum status decode_file(struct state *s, struct table *t, const struct state *old,
                               struct reader *r, struct fault *f)
{
    struct table_file *tf, *lent;
    char path[PATH_MAX_BYTES];
    enum status st = table_add_file(t, &tf);

    if (st != ST_OK) return st;
    tf->id = read_varint(r);
    tf->rows = read_varint(r);
    tf->bytes = read_varint(r);
    tf->lsn_min = read_varint(r);
    tf->lsn_max = read_varint(r);
    tf->kills_file = read_varint(r);
    tf->kills_at = read_varint(r);
    tf->kills_size = read_varint(r);
    tf->kills_crc = read_u32(r);
    if (r->bad) return corrupt(s, f, "a table's file list is cut short");
    path_of(path, s->dir, 'f', tf->id, ".col");
    lent = lent_file(old, t->id, tf->id);
    if (lent != NULL) tf->file = colfile_ref(lent->file);
    else st = colfile_open(s->io, path, &tf->file, f);
    if (st != ST_OK) return st;
    if (tf->file->rows != tf->rows || tf->file->size != tf->bytes || tf->file->id != tf->id ||
        tf->file->table_id != t->id)
        return fault_set(f, ST_CORRUPT, path, 0, "the file is not the one the manifest describes");
    return tf->kills_size > 0 ? read_kills(s, tf, f) : ST_OK;
}

static enum status decode_table(struct state *s, struct table *t, const struct state *old,
                                struct reader *r, struct fault *f)
{
    size_t n = 0;
    const uint8_t *json;
    uint64_t files;
    enum status st;

    t->id = (uint32_t)read_varint(r);
    json = read_lenstr(r, 1 << 20, &n);
    if (json == NULL) return corrupt(s, f, "a table's schema is cut short");
    st = schema_parse((const char *)json, n, &t->schema, f);
    if (st != ST_OK) return st == ST_NOMEM ? st : corrupt(s, f, "a table's schema is not valid");
    t->opt.sort_count = (uint16_t)read_varint(r);
    if (t->opt.sort_count > KEY_COLUMNS_MAX) return corrupt(s, f, "too many sort columns");
    for (int k = 0; k < t->opt.sort_count; k++) {
        t->opt.sort[k] = (uint16_t)read_varint(r);
        if (t->opt.sort[k] >= t->schema.column_count) return corrupt(s, f, "a sort column is unknown");
    }
    st = table_reset_tail(t, read_varint(r));
    files = read_varint(r);
    if (r->bad || files > reader_left(r)) return corrupt(s, f, "a table's file list is cut short");
    for (uint64_t i = 0; st == ST_OK && i < files; i++) st = decode_file(s, t, old, r, f);
    return st;
}

static enum status decode_marks(struct state *s, struct reader *r, struct fault *f)
{
    uint64_t count = read_varint(r);
    struct columnar_snapshot last = {0};

    if (r->bad || count > reader_left(r)) return corrupt(s, f, "the snapshots are cut short");
    for (uint64_t i = 0; i < count; i++) {
        last.id += read_varint(r);
        last.lsn += read_varint(r);
        last.wall_us += unzigzag(read_varint(r));
        if (r->bad) return corrupt(s, f, "the snapshots are cut short");
        if (state_add_snapshot(s, last.id, last.lsn, last.wall_us) != ST_OK) return ST_NOMEM;
    }
    count = read_varint(r);
    if (r->bad || count > COLUMNAR_TAGS_MAX) return corrupt(s, f, "the tags are not valid");
    s->tags = calloc(COLUMNAR_TAGS_MAX, sizeof *s->tags);
    if (s->tags == NULL) return ST_NOMEM;
    for (uint64_t i = 0; i < count; i++) {
        struct columnar_tag_info *tag = &s->tags[s->tag_count++];
        size_t n = 0;
        const uint8_t *name = read_lenstr(r, COLUMNAR_NAME_MAX - 1, &n);

        if (name == NULL) return corrupt(s, f, "a tag is cut short");
        memcpy(tag->name, name, n);
        tag->lsn = read_varint(r);
        tag->wall_us = unzigzag(read_varint(r));
        tag->pin = read_u8(r) != 0;
    }
    return r->bad || reader_left(r) != 0 ? corrupt(s, f, "the payload has another size") : ST_OK;
}

static enum status decode_payload(struct state *s, const struct manifest *m, const struct state *old,
                                  struct fault *f)
{
    struct reader r = reader_of(m->payload.data, m->payload.size);
    uint64_t tables, version = read_varint(&r);
    enum status st = ST_OK;

    s->seq = m->seq;
    s->applied = m->applied_lsn;
    s->wall_us = m->wall_us;
    if (version != PAYLOAD_VERSION) return corrupt(s, f, "unknown payload version");
    s->next_file = read_varint(&r);
    s->next_snapshot = read_varint(&r);
    s->horizon = read_varint(&r);
    tables = read_varint(&r);
    if (r.bad || tables > COLUMNAR_TABLES_MAX) return corrupt(s, f, "too many tables");
    free(s->tables);
    s->tables = calloc(COLUMNAR_TABLES_MAX, sizeof *s->tables);
    if (s->tables == NULL) return ST_NOMEM;
    for (uint64_t i = 0; st == ST_OK && i < tables; i++)
        st = decode_table(s, &s->tables[s->table_count++], old, &r, f);
    return st == ST_OK ? decode_marks(s, &r, f) : st;
}

/* ---- the journal ---- */

void journal_encode_table(const struct table *t, size_t from, const struct journal_kill *kills,
                          size_t kill_count, struct buf *out)
{
    const struct coldata *d = &t->rows;
    size_t rows = d->rows - from;
    lsn_t last = 0;

    buf_varint(out, t->id);
    buf_varint(out, rows);
    buf_varint(out, kill_count);
    if (rows > 0) {
        for (size_t i = from; i < d->rows; i++) {
            buf_varint(out, d->lsn[i] - last);
            last = d->lsn[i];
        }
        buf_varint(out, (uint64_t)d->count);
    }
    for (int c = 0; rows > 0 && c < d->count; c++) {
        uint8_t *bits;

        buf_varint(out, d->columns[c].id);
        bits = buf_extend(out, (rows + 7) / 8);
        if (bits == NULL) return;
        memset(bits, 0, (rows + 7) / 8);
        for (size_t i = 0; i < rows; i++)
            if (d->columns[c].nulls != NULL && bitset_get(d->columns[c].nulls, from + i))
                bits[i / 8] |= (uint8_t)(1u << (i % 8));
        for (size_t i = 0; i < rows; i++) {
            struct value v = coldata_value(d, c, from + i);

            if (v.type == V_NULL) continue;
            if (v.type == V_TEXT) buf_lenstr(out, v.s, v.len);
            else if (v.type == V_DOUBLE) buf_u64(out, (uint64_t)v.i);
            else buf_varint(out, zigzag(v.i));
        }
    }
    for (size_t k = 0; k < kill_count; k++) {
        buf_varint(out, kills[k].file);
        buf_varint(out, kills[k].row);
        buf_varint(out, kills[k].end);
    }
}

/* Values of one column for rows of a record, into cells[row * columns + c]. */
static bool decode_journal_column(struct reader *r, const struct coldata *d, size_t rows,
                                  struct value *cells, size_t stride)
{
    uint64_t id = read_varint(r);
    const uint8_t *bits = read_bytes(r, (rows + 7) / 8);
    int c = 0;

    while (c < d->count && d->columns[c].id != id) c++;
    if (bits == NULL || c == d->count) return false;
    for (size_t i = 0; i < rows; i++) {
        struct value *v = &cells[i * stride + (size_t)c];
        size_t n = 0;

        *v = v_null();
        if (bits[i / 8] >> (i % 8) & 1) continue;
        v->type = d->columns[c].type;
        v->scale = d->columns[c].scale;
        if (v->type == V_TEXT) {
            v->s = (const char *)read_lenstr(r, TEXT_MAX, &n);
            v->len = (uint32_t)n;
            if (v->s == NULL) return false;
        } else if (v->type == V_DOUBLE) {
            v->i = (int64_t)read_u64(r);
        } else {
            v->i = unzigzag(read_varint(r));
        }
        if (r->bad) return false;
    }
    return true;
}

static enum status decode_journal_rows(struct reader *r, struct table *t, uint64_t rows)
{
    struct coldata *d = &t->rows;
    size_t stride = (size_t)d->count;
    struct value *cells = NULL;
    lsn_t *lsns = NULL, last = 0;
    enum status st = ST_CORRUPT;
    uint64_t columns;

    /* Every row costs at least a byte: a bound before memory is taken. */
    if (rows > reader_left(r)) return ST_CORRUPT;
    cells = calloc(rows * stride + 1, sizeof *cells);
    lsns = malloc(rows * sizeof *lsns + 1);
    if (cells == NULL || lsns == NULL) {
        st = ST_NOMEM;
        goto done;
    }
    for (uint64_t i = 0; i < rows; i++) lsns[i] = last += read_varint(r);
    columns = read_varint(r);
    if (r->bad || columns > stride) goto done;
    for (uint64_t c = 0; c < columns; c++)
        if (!decode_journal_column(r, d, rows, cells, stride)) goto done;
    st = ST_OK;
    for (uint64_t i = 0; st == ST_OK && i < rows; i++)
        st = coldata_append(d, cells + i * stride, lsns[i]);
    if (st == ST_OK) {
        t->tail.rows = d->rows;
        if (t->tail.lsn_min == 0 || lsns[0] < t->tail.lsn_min) t->tail.lsn_min = lsns[0];
        if (last > t->tail.lsn_max) t->tail.lsn_max = last;
    }
done:
    free(cells);
    free(lsns);
    return st;
}

static enum status apply_record(struct state *s, const uint8_t *p, size_t n)
{
    struct reader r = reader_of(p, n);
    uint64_t id = read_varint(&r), lsn = read_varint(&r), tables;
    int64_t wall = unzigzag(read_varint(&r));

    tables = read_varint(&r);
    if (r.bad || tables > COLUMNAR_TABLES_MAX) return ST_CORRUPT;
    for (uint64_t i = 0; i < tables; i++) {
        struct table *t = state_table(s, (uint32_t)read_varint(&r));
        uint64_t rows = read_varint(&r), kills = read_varint(&r);
        enum status st;

        if (r.bad || t == NULL) return ST_CORRUPT;
        st = rows > 0 ? decode_journal_rows(&r, t, rows) : ST_OK;
        if (st != ST_OK) return st;
        s->journal_rows += rows;
        for (uint64_t k = 0; k < kills; k++) {
            struct table_file *tf = table_file_by_id(t, read_varint(&r));
            uint64_t row = read_varint(&r), end = read_varint(&r);

            if (r.bad || tf == NULL || row >= tf->rows) return ST_CORRUPT;
            if (file_kill(tf, (uint32_t)row, end) != ST_OK) return ST_NOMEM;
            tf->kills_dirty = true;
        }
    }
    if (reader_left(&r) != 0) return ST_CORRUPT;
    s->applied = lsn;
    s->wall_us = wall;
    s->next_snapshot = id + 1;
    return state_add_snapshot(s, id, lsn, wall);
}

static enum status journal_open(struct state *s, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    uint8_t head[JOURNAL_HEAD];
    enum status st;

    path_of(path, s->dir, 'j', s->seq, ".log");
    if (!io_exists(s->io, path)) return ST_NOT_FOUND;
    st = file_open(s->io, path, FILE_READ, &s->journal, f);
    if (st == ST_OK) st = file_read(s->journal, 0, head, sizeof head, f);
    if (st != ST_OK) return st;
    if (memcmp(head, "SEAMCOLJ", 8) != 0 || get_u32(head + 8) != 1 || get_u64(head + 16) != s->seq ||
        get_u32(head + 12) != crc32c(crc32c(0, head, 12), head + 16, 16))
        return fault_set(f, ST_CORRUPT, path, 0, "not the journal of this manifest");
    s->journal_end = JOURNAL_HEAD;
    s->journal_crc = get_u32(head + 12);
    return ST_OK;
}

/* Bytes of one record at the journal's end into *b; ST_END when there is none (yet). */
static enum status next_record(struct state *s, uint64_t size, struct buf *b, struct fault *f)
{
    uint8_t head[JOURNAL_RECORD_HEAD];
    uint32_t n, crc;
    enum status st;

    if (size - s->journal_end < sizeof head) return ST_END;
    st = file_read(s->journal, s->journal_end, head, sizeof head, f);
    if (st != ST_OK) return st;
    n = get_u32(head);
    if (n == 0 || n > JOURNAL_RECORD_MAX || n > size - s->journal_end - sizeof head) return ST_END;
    buf_clear(b);
    if (buf_extend(b, n) == NULL) return ST_NOMEM;
    st = file_read(s->journal, s->journal_end + sizeof head, b->data, n, f);
    if (st != ST_OK) return st;
    crc = crc32c(crc32c(s->journal_crc, head, 4), b->data, n);
    if (crc != get_u32(head + 4)) return ST_END;
    s->journal_crc = crc;
    s->journal_end += sizeof head + n;
    return ST_OK;
}

void journal_put_committed(uint8_t out[JOURNAL_COMMITTED_SIZE], uint64_t end)
{
    put_u64(out, end);
    put_u32(out + 8, crc32c(0, out, 8));
}

/* The writer may be changing it under our eyes: a wrong checksum is looked at again before it is believed. */
static enum status read_committed(struct state *s, uint64_t *end, struct fault *f)
{
    for (int i = 0; i < COMMITTED_TRIES; i++) {
        uint8_t b[JOURNAL_COMMITTED_SIZE];
        enum status st = file_read(s->journal, JOURNAL_COMMITTED, b, sizeof b, f);

        if (st != ST_OK) return st;
        *end = get_u64(b);
        if (get_u32(b + 8) == crc32c(0, b, 8)) return ST_OK;
    }
    return fault_set(f, ST_CORRUPT, file_path(s->journal), JOURNAL_COMMITTED, "the committed length is damaged");
}

enum status state_follow(struct state *s, bool recover, bool *changed, struct fault *f)
{
    struct buf b = {0};
    uint64_t limit = 0, size;
    enum status st = ST_OK;

    if (s->seq == 0) return ST_OK;
    if (s->journal == NULL) st = journal_open(s, f);
    if (st == ST_NOT_FOUND) return ST_OK;
    if (st == ST_OK) st = file_size(s->journal, &size, f);
    if (st == ST_OK) st = read_committed(s, &limit, f);
    if (st != ST_OK) return st;
    if (limit > size)
        return fault_set(f, ST_CORRUPT, file_path(s->journal), JOURNAL_COMMITTED,
                         "the journal ends before what was committed");
    while (st == ST_OK && (recover || s->journal_end < limit)) {
        uint64_t at = s->journal_end;

        st = next_record(s, recover ? size : limit, &b, f);
        if (st == ST_OK) st = apply_record(s, b.data, b.size);
        if (st == ST_OK && changed != NULL) *changed = true;
        if (st == ST_CORRUPT || (st == ST_END && at < limit))
            st = fault_set(f, ST_CORRUPT, file_path(s->journal), at, "a journal record is damaged");
    }
    buf_free(&b);
    return st == ST_END ? ST_OK : st;
}

bool state_manifest_is_newest(const struct state *s)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "%s/%016" PRIx64 ".manifest", s->dir, s->seq + 1);
    if (io_exists(s->io, path)) return false;
    /* The next one may have come and, being old itself by now, gone. Ours goes no later than it. */
    snprintf(path, sizeof path, "%s/%016" PRIx64 ".manifest", s->dir, s->seq);
    return s->seq == 0 || io_exists(s->io, path);
}

enum status state_load(struct io *io, const char *dir, bool recover, const struct state *old,
                       struct state *out, struct fault *f)
{
    struct manifest m = {0};
    struct state s = {.io = io, .next_file = 1, .next_snapshot = 1};
    enum status st = ST_NOMEM;

    s.dir = strdup(dir);
    if (s.dir == NULL) goto done;
    st = manifest_load_newest(io, dir, COLUMNAR_KIND, &m, f);
    if (st == ST_NOT_FOUND) {
        if (f != NULL) fault_clear(f);
        s.tables = calloc(COLUMNAR_TABLES_MAX, sizeof *s.tables);
        s.tags = calloc(COLUMNAR_TAGS_MAX, sizeof *s.tags);
        st = s.tables == NULL || s.tags == NULL ? ST_NOMEM : ST_OK;
    } else if (st == ST_OK) {
        st = decode_payload(&s, &m, old, f);
        if (st == ST_OK) st = state_follow(&s, recover, NULL, f);
    }
done:
    buf_free(&m.payload);
    if (st == ST_OK) *out = s;
    else state_free(&s);
    return st == ST_NOMEM ? fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory to load the warehouse")
                          : st;
}
