/* load - CSV and TSV files straight into column files, in parallel.
 *
 * The file is mapped and cut at line ends into parts of about one row group. A line end inside quotes is told
 * apart by the parity of the quotes before it, counted at memory speed. Each part is parsed into columns
 * and encoded by one thread; parts are written in the order of the file.                            */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "columnar/table/writer.h"
#include "engine/base/thread.h"
#include "engine/io/source.h"

enum { SAMPLE_BYTES = 1 << 16, PARTS_PER_THREAD = 2 };

struct load_part {
    const char *begin, *end;
    struct columnar_coldata rows;
    struct columnar_colgroup *groups;
    size_t group_count;
    const char *bad; /* where parsing stopped */
    int bad_column;
    const char *why;
};

struct loading {
    struct columnar_writer *w;
    struct columnar_table *t;
    seam_lsn_t lsn;
    char separator;
    int fields;     /* per line */
    int *column_of; /* field -> schema column, -1: not in the table */
    int *used;      /* schema columns in the file, in file column order after the LSN */
    struct columnar_colfile_column *columns;
    int column_count;
    struct load_part *parts;
    size_t part_count;
};

/* ---- one field ---- */

static bool parse_digits(const char *s, size_t n, unsigned scale, int64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    bool minus = n > 0 && s[0] == '-';
    unsigned after = 0;
    bool point = false;

    if (minus) i = 1;
    if (i == n || n - i > 18) return false; /* the careful parser takes the rest */
    for (; i < n; i++) {
        unsigned d = (unsigned)((uint8_t)s[i] - '0');

        if (d > 9) {
            if (s[i] != '.' || point || scale == 0) return false;
            point = true;
            continue;
        }
        v = v * 10 + d;
        after += point;
    }
    if (after > scale) return false;
    for (; after < scale; after++)
        if (__builtin_mul_overflow(v, 10u, &v)) return false;
    if (v > INT64_MAX) return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

/* YYYY-MM-DD, the common case. Days are remembered: exports repeat them. */
struct date_memo {
    char text[10];
    int64_t us;
    bool set;
};

static bool parse_date(const char *s, size_t n, struct date_memo *memo, int64_t *out)
{
    if (n != 10) return false;
    if (memo->set && memcmp(memo->text, s, 10) == 0) {
        *out = memo->us;
        return true;
    }
    if (seam_time_parse(s, n, out) != SEAM_OK) return false;
    memcpy(memo->text, s, 10);
    memo->us = *out;
    memo->set = true;
    return true;
}

static bool put_text(struct columnar_coldata_column *col, size_t row, const char *s, size_t n,
                     bool quoted)
{
    uint64_t at = row == 0 ? 0 : col->ends[row - 1];

    if (n > SEAM_TEXT_MAX) return false;
    if (at + n > col->text_cap) {
        size_t cap = col->text_cap < 65536 ? 65536 : 2 * col->text_cap;
        char *more;

        while (cap < at + n) cap *= 2;
        more = realloc(col->text, cap);
        if (more == NULL) return false;
        col->text = more;
        col->text_cap = cap;
    }
    if (!quoted) {
        memcpy(col->text + at, s, n);
        at += n;
    } else { /* "" is a quote */
        for (size_t i = 0; i < n; i++) {
            col->text[at++] = s[i];
            if (s[i] == '"') i++;
        }
    }
    col->ends[row] = at;
    return true;
}

static const char *put_field(struct load_part *p, const struct seam_column *col,
                             struct columnar_coldata_column *c, size_t row, const char *s, size_t n,
                             bool quoted, struct date_memo *memo)
{
    struct seam_value v;

    if (col->type == SEAM_V_TEXT)
        return put_text(c, row, s, n, quoted) ? NULL : "text too long, or no memory";
    if (n == 0) {
        if (!col->nullable) return "the value is missing";
        if (c->nulls == NULL) c->nulls = calloc(seam_bitset_words(p->rows.cap), 8);
        if (c->nulls == NULL) return "no memory";
        seam_bitset_set(c->nulls, row);
        c->i[row] = 0;
        return NULL;
    }
    if ((col->type == SEAM_V_INT || col->type == SEAM_V_DECIMAL) &&
        parse_digits(s, n, col->scale, &c->i[row]))
        return NULL;
    if (col->type == SEAM_V_TIME && parse_date(s, n, &memo[0], &c->i[row])) return NULL;
    if (seam_value_parse(s, n, col->type, col->scale, &v) != SEAM_OK)
        return "the value is not of the column's type";
    c->i[row] = v.i;
    return NULL;
}

/* ---- one part ---- */

/* The field at s; *next is past its separator or at the line's end. */
static bool next_field(const char *s, const char *end, char separator, const char **field,
                       size_t *n, bool *quoted, const char **next)
{
    const char *p = s;

    *quoted = separator == ',' && p < end && *p == '"';
    if (*quoted) {
        for (p = s + 1;; p += 2) {
            p = memchr(p, '"', (size_t)(end - p));
            if (p == NULL) return false;
            if (p + 1 >= end || p[1] != '"') break;
        }
        *field = s + 1;
        *n = (size_t)(p - s - 1);
        p++;
        *next = p;
        return p == end || *p == separator || *p == '\n' || *p == '\r';
    }
    while (p < end && *p != separator && *p != '\n') p++;
    *field = s;
    *n = (size_t)(p - s);
    if (*n > 0 && (p == end || *p == '\n') && p[-1] == '\r') --*n;
    *next = p;
    return true;
}

static const char *parse_line(struct loading *l, struct load_part *p, const char *s,
                              struct date_memo *memo)
{
    size_t row = p->rows.rows;

    for (int k = 0; k < l->fields; k++) {
        const char *field, *next;
        size_t n;
        bool quoted;

        p->bad_column = l->column_of[k];
        if (!next_field(s, p->end, l->separator, &field, &n, &quoted, &next)) {
            p->why = "a quote is not closed, or stands in the middle of a value";
            return NULL;
        }
        if (l->column_of[k] >= 0)
            p->why = put_field(p, &l->t->schema.columns[l->column_of[k]],
                               &p->rows.columns[l->column_of[k]], row, field, n, quoted, &memo[k]);
        if (p->why != NULL) return NULL;
        if (k + 1 < l->fields) {
            if (next == p->end || *next != l->separator) {
                p->why = "the line has too few values";
                return NULL;
            }
            s = next + 1;
        } else {
            if (next < p->end && *next == l->separator) {
                p->why = "the line has too many values";
                return NULL;
            }
            s = next;
        }
    }
    if (s < p->end && *s == '\r') s++;
    if (s < p->end && *s != '\n') {
        p->bad_column = -1;
        p->why = "a carriage return alone does not end a line; convert the file's line ends";
        return NULL;
    }
    if (s < p->end) s++;
    p->rows.lsn[row] = l->lsn;
    p->rows.rows++;
    return s;
}

static enum seam_status parse_part(struct loading *l, struct load_part *p)
{
    struct date_memo *memo = calloc((size_t)l->fields, sizeof *memo);
    enum seam_status st =
        memo == NULL ? SEAM_NOMEM : columnar_coldata_init(&p->rows, &l->t->schema);

    for (const char *s = p->begin; st == SEAM_OK && s < p->end;) {
        const char *line = s;

        if (*s == '\n' || (*s == '\r' && s + 1 < p->end && s[1] == '\n')) { /* an empty line */
            s += *s == '\r' ? 2 : 1;
            continue;
        }
        st = columnar_coldata_reserve(&p->rows, 1);
        if (st != SEAM_OK) break;
        s = parse_line(l, p, s, memo);
        if (s == NULL) {
            p->bad = line;
            st = SEAM_INVALID;
        }
    }
    free(memo);
    return st;
}

static enum seam_status encode_part(struct loading *l, struct load_part *p)
{
    struct columnar_column data[SEAM_COLUMNS_MAX + 1];
    size_t per_group = l->w->opt.row_group_rows, n = p->rows.rows;
    enum seam_status st = SEAM_OK;

    if (n == 0) return SEAM_OK;
    if (n <= per_group + per_group / 2) per_group = n; /* rather one odd group than a tiny one */
    p->group_count = (n + per_group - 1) / per_group;
    p->groups = calloc(p->group_count, sizeof *p->groups);
    if (p->groups == NULL) return SEAM_NOMEM;
    data[0] = (struct columnar_column){.ints = (const int64_t *)p->rows.lsn};
    for (int c = 1; c < l->column_count; c++) columnar_coldata_view(&p->rows, l->used[c], &data[c]);
    for (size_t g = 0; st == SEAM_OK && g < p->group_count; g++) {
        size_t from = g * per_group, rows = n - from < per_group ? n - from : per_group;

        st = columnar_colgroup_encode(l->columns, data, l->column_count, from, rows, &p->groups[g]);
    }
    columnar_coldata_free(&p->rows);
    return st;
}

static enum seam_status run_parts(void *ctx, size_t begin, size_t end, int thread)
{
    struct loading *l = ctx;

    (void)thread;
    for (size_t i = begin; i < end; i++) {
        enum seam_status st = parse_part(l, &l->parts[i]);

        if (st == SEAM_OK) st = encode_part(l, &l->parts[i]);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static void part_free(struct loading *l, struct load_part *p)
{
    columnar_coldata_free(&p->rows);
    for (size_t g = 0; p->groups != NULL && g < p->group_count; g++)
        columnar_colgroup_free(&p->groups[g], l->column_count);
    free(p->groups);
    *p = (struct load_part){0};
}

/* ---- the file ---- */

static enum seam_status lone_returns(const char *path, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_INVALID, path, 1,
                          "carriage returns alone do not end lines; convert the file's line ends");
}

/* Each name once, and each the table's: a column that nobody takes, or two that claim one place, are mistakes. */
static enum seam_status check_name(const struct loading *l, const char *name, const char *path,
                                   struct seam_fault *f)
{
    int column = seam_schema_column(&l->t->schema, name);

    if (strchr(name, '\r') != NULL) return lone_returns(path, f);
    if (column < 0)
        return seam_fault_set(f, SEAM_INVALID, path, 1, "the table %s has no column '%s'",
                              l->t->schema.name, name);
    for (int k = 0; k < l->fields; k++)
        if (l->column_of[k] == column)
            return seam_fault_set(f, SEAM_INVALID, path, 1, "the header names column '%s' twice",
                                  name);
    return SEAM_OK;
}

static enum seam_status read_header(struct loading *l, const char **at, const char *end,
                                    const char *path, struct seam_fault *f)
{
    const char *s = *at;
    size_t cap = 0;
    enum seam_status st;

    for (bool more = true; more;) {
        const char *field, *next;
        char name[SEAM_NAME_MAX_BYTES];
        size_t n;
        bool quoted;

        if (!next_field(s, end, l->separator, &field, &n, &quoted, &next) || n >= sizeof name)
            return memchr(s, '\r', (size_t)(end - s)) != NULL &&
                           memchr(s, '\n', (size_t)(end - s)) == NULL
                       ? lone_returns(path, f)
                       : seam_fault_set(f, SEAM_INVALID, path, 1,
                                        "the header is not a list of column names");
        if ((size_t)l->fields == cap) {
            int *grown = realloc(l->column_of, (cap = cap == 0 ? 32 : 2 * cap) * sizeof *grown);

            if (grown == NULL) return seam_no_memory(f, "the header");
            l->column_of = grown;
        }
        if (n > 0) memcpy(name, field, n);
        name[n] = 0;
        st = check_name(l, name, path, f);
        if (st != SEAM_OK) return st;
        l->column_of[l->fields++] = seam_schema_column(&l->t->schema, name);
        more = next < end && *next == l->separator;
        s = more ? next + 1 : next;
    }
    if (s < end && *s == '\r') s++;
    if (s < end && *s != '\n') return lone_returns(path, f);
    if (s < end) s++;
    *at = s;
    return SEAM_OK;
}

/* The table's columns that the file has; the others must be allowed to be null. */
static enum seam_status choose_columns(struct loading *l, const char *path, struct seam_fault *f)
{
    const struct seam_schema *s = &l->t->schema;

    l->used = calloc(s->column_count + 1u, sizeof *l->used);
    l->columns = calloc(s->column_count + 1u, sizeof *l->columns);
    if (l->used == NULL || l->columns == NULL)
        return seam_fault_set(f, SEAM_NOMEM, path, 1, "no memory to load");
    l->columns[0] = (struct columnar_colfile_column){COLFILE_LSN_COLUMN, SEAM_V_INT, 0};
    l->column_count = 1;
    for (int c = 0; c < s->column_count; c++) {
        bool there = false;

        if (!seam_column_live(&s->columns[c], s->version)) continue;
        for (int k = 0; k < l->fields; k++) there = there || l->column_of[k] == c;
        if (!there && !s->columns[c].nullable && s->columns[c].def.type == SEAM_V_NULL)
            return seam_fault_set(f, SEAM_INVALID, path, 1, "the file has no column %s",
                                  s->columns[c].name);
        if (!there) continue; /* reads as its default */
        l->columns[l->column_count] = (struct columnar_colfile_column){
            s->columns[c].id, (uint8_t)s->columns[c].type, s->columns[c].scale};
        l->used[l->column_count++] = c;
    }
    return SEAM_OK;
}

static size_t count_byte(const char *s, size_t n, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) count += s[i] == c;
    return count;
}

/* The end of the part that begins at s: a line end outside quotes, at or after `want` bytes. */
static const char *part_end(const struct loading *l, const char *s, const char *end, size_t want)
{
    const char *p;
    bool inside;

    if ((size_t)(end - s) <= want) return end;
    p = s + want;
    inside = l->separator == ',' && (count_byte(s, want, '"') & 1) != 0;
    for (; p < end; p++) {
        if (*p == '"' && l->separator == ',')
            inside = !inside;
        else if (*p == '\n' && !inside)
            return p + 1;
    }
    return end;
}

static enum seam_status bad_part(const struct loading *l, const struct load_part *p,
                                 const char *start, const char *path, struct seam_fault *f)
{
    uint64_t line = 1 + count_byte(start, (size_t)(p->bad - start), '\n');

    if (p->bad_column < 0) return seam_fault_set(f, SEAM_INVALID, path, line, "%s", p->why);
    return seam_fault_set(f, SEAM_INVALID, path, line, "column %s: %s",
                          l->t->schema.columns[p->bad_column].name, p->why);
}

static enum seam_status load_parts(struct loading *l, const char *start, const char *s,
                                   const char *end, struct columnar_colfile_writer *out,
                                   const char *path, struct seam_fault *f)
{
    size_t sample = (size_t)(end - s) < SAMPLE_BYTES ? (size_t)(end - s) : SAMPLE_BYTES;
    size_t lines = count_byte(s, sample, '\n') + 1,
           want = sample / lines * l->w->opt.row_group_rows + 1;
    enum seam_status st = SEAM_OK;

    if (want > 256u << 20) want = 256u << 20;
    while (st == SEAM_OK && s < end) {
        size_t n = 0;

        for (; n < l->part_count && s < end; n++) {
            l->parts[n] = (struct load_part){.begin = s, .end = part_end(l, s, end, want)};
            s = l->parts[n].end;
        }
        st = seam_no_memory_if(seam_parallel_for(l->w->opt.threads, n, 1, run_parts, l), f,
                               "the warehouse");
        for (size_t i = 0; i < n; i++) {
            struct load_part *p = &l->parts[i];

            if (st == SEAM_INVALID && p->bad != NULL) bad_part(l, p, start, path, f);
            for (size_t g = 0; st == SEAM_OK && g < p->group_count; g++)
                st = columnar_colfile_add(out, &p->groups[g], f);
            part_free(l, p);
        }
    }
    return st;
}

/* The file's bytes: mapped, or inflated. */
static enum seam_status open_bytes(struct seam_io *io, const char *path, struct seam_buf *inflated,
                                   const uint8_t **map, uint64_t *size, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    uint8_t magic[2] = {0};
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &file, f);

    if (st == SEAM_OK) st = seam_file_size(file, size, f);
    if (st == SEAM_OK && *size >= 2) st = seam_file_read(file, 0, magic, 2, f);
    if (st == SEAM_OK && magic[0] == 0x1f && magic[1] == 0x8b) {
        st = seam_source_read_all(io, path, SIZE_MAX, inflated, f);
        *size = inflated->size;
    } else if (st == SEAM_OK && *size > 0) {
        st = seam_file_map(file, (size_t)*size, map, f);
    }
    seam_file_close(file);
    return st;
}

enum seam_status columnar_load_csv(struct columnar_writer *w, int table, const char *path,
                                   char separator, seam_lsn_t lsn,
                                   struct columnar_load_result *result, struct seam_fault *f)
{
    struct loading l = {.w = w, .t = &w->s.tables[table], .lsn = lsn, .separator = separator};
    struct seam_buf inflated = {0};
    const uint8_t *map = NULL;
    struct columnar_colfile_writer *out = NULL;
    struct columnar_colfile_written written = {0};
    struct columnar_table_file *tf = NULL;
    char name[SEAM_PATH_MAX_BYTES];
    uint64_t size = 0, id = w->s.next_file;
    const char *s, *start;
    enum seam_status st;

    *result = (struct columnar_load_result){0};
    if (w->poisoned != SEAM_OK) return columnar_writer_poisoned(w, f);
    if (!w->tables[table].fresh && lsn <= w->s.applied) return SEAM_OK;
    if (l.t->schema.key_count > 0)
        return seam_fault_set(f, SEAM_UNSUPPORTED, l.t->schema.name, SEAM_FAULT_NO_OFFSET,
                              "a table with a key is loaded by upserts");
    l.part_count = (size_t)w->opt.threads * PARTS_PER_THREAD;
    l.parts = calloc(l.part_count, sizeof *l.parts);
    st = l.parts == NULL ? seam_no_memory(f, "a file that is loaded")
                         : open_bytes(w->io, path, &inflated, &map, &size, f);
    start = s = map != NULL ? (const char *)map : (const char *)inflated.data;
    if (st == SEAM_OK && size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) s += 3;
    if (st == SEAM_OK) st = read_header(&l, &s, start + size, path, f);
    if (st == SEAM_OK) st = choose_columns(&l, path, f);
    if (st == SEAM_OK) st = columnar_file_path(name, w->s.dir, id, f);
    if (st == SEAM_OK)
        st = columnar_colfile_create(w->io, name,
                                     &(struct columnar_colfile_spec){.owner = w->s.owner,
                                                                     .id = id,
                                                                     .table_id = l.t->id,
                                                                     .columns = l.columns,
                                                                     .count = l.column_count},
                                     &out, f);
    if (st == SEAM_OK) st = load_parts(&l, start, s, start + size, out, path, f);
    if (st == SEAM_OK) st = columnar_colfile_finish(out, w->opt.no_sync, &written, f);
    columnar_colfile_writer_free(out);
    if (st == SEAM_OK && written.rows > 0) {
        w->s.next_file++;
        w->structure = true;
        st = seam_no_memory_if(columnar_table_add_file(l.t, &tf), f, "the warehouse");
        if (st == SEAM_OK) {
            *tf = (struct columnar_table_file){.id = id,
                                               .rows = written.rows,
                                               .bytes = written.bytes,
                                               .lsn_min = written.lsn_min,
                                               .lsn_max = written.lsn_max};
            st = columnar_colfile_open(w->io, name, &tf->file, f);
        }
        if (st != SEAM_OK) w->poisoned = st;
        if (st == SEAM_OK)
            st = columnar_publish(w, lsn > w->s.applied ? lsn : w->s.applied,
                                  seam_clock_wall_us(w->opt.clock), f);
    }
    *result = (struct columnar_load_result){written.rows, written.bytes, written.rows > 0};
    if (map != NULL) seam_file_unmap(w->io, map, (size_t)size);
    seam_buf_free(&inflated);
    free(l.column_of);
    free(l.used);
    free(l.columns);
    free(l.parts);
    return st == SEAM_NOMEM
               ? seam_fault_set(f, st, path, SEAM_FAULT_NO_OFFSET, "no memory to load the file")
               : st;
}
