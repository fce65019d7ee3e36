/* sql_output - answers as text: aligned tables, CSV, TSV, JSON lines, Markdown.
 *
 * TABLE and MARKDOWN hold the first max_rows rows to know how wide columns are; the others print as they come. */
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/values/row.h"

enum { FLUSH_BYTES = 64 << 10, CELL_WIDTH_MAX = 60 };

struct columnar_sql_printer {
    enum columnar_sql_format format;
    const struct columnar_plan_column *columns;
    int n;
    uint64_t max_rows, rows;
    void (*write)(void *ctx, const char *s, size_t n);
    void *ctx;
    struct seam_buf out;
    struct seam_buf cells; /* TABLE, MARKDOWN: terminated texts, row by row, after the headings */
    uint64_t held;         /* rows in cells */
};

void columnar_batch_row(const struct columnar_batch *b, size_t row, struct seam_value *out)
{
    for (int c = 0; c < b->count; c++) out[c] = columnar_vec_value(&b->cols[c], (uint32_t)row);
}

bool columnar_sql_format_parse(const char *name, enum columnar_sql_format *out)
{
    static const char *const names[] = {"table", "csv", "tsv", "jsonl", "markdown"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum columnar_sql_format)i;
            return true;
        }
    return false;
}

static bool aligned(const struct columnar_sql_printer *p)
{
    return p->format == COLUMNAR_SQL_TABLE || p->format == COLUMNAR_SQL_MARKDOWN;
}

static void flush(struct columnar_sql_printer *p, size_t at_least)
{
    if (p->out.size < at_least || p->out.size == 0) return;
    p->write(p->ctx, (const char *)p->out.data, p->out.size);
    seam_buf_clear(&p->out);
}

static void print_field(struct columnar_sql_printer *p, const char *s, size_t n)
{
    if (p->format == COLUMNAR_SQL_CSV) {
        seam_csv_write_field(&p->out, s, n, ',');
        return;
    }
    for (size_t i = 0; i < n; i++) /* TSV: the three marks that would break a line apart */
        if (s[i] == '\t')
            seam_buf_str(&p->out, "\\t");
        else if (s[i] == '\n')
            seam_buf_str(&p->out, "\\n");
        else if (s[i] == '\\')
            seam_buf_str(&p->out, "\\\\");
        else
            seam_buf_u8(&p->out, (uint8_t)s[i]);
}

void columnar_sql_json_row(const struct columnar_plan_column *columns, int n,
                           const struct seam_value *row, struct seam_buf *out)
{
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    for (int c = 0; c < n; c++) {
        seam_jw_key(&w, columns[c].name);
        seam_jw_value(&w, &row[c]);
    }
    seam_jw_end_object(&w);
}

/* A cell of an aligned table: one line, nulls visible, control bytes shown as spaces.                */
static void hold_cell(struct columnar_sql_printer *p, const struct seam_value *v)
{
    struct seam_buf text = {0};

    if (v->type == SEAM_V_NULL)
        seam_buf_str(&text, p->format == COLUMNAR_SQL_TABLE ? "NULL" : "");
    else
        seam_value_format(v, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (p->format == COLUMNAR_SQL_MARKDOWN && c == '|') seam_buf_u8(&p->cells, '\\');
        seam_buf_u8(&p->cells, c < 0x20 || c == 0x7f ? ' ' : c);
    }
    seam_buf_u8(&p->cells, 0);
    seam_buf_free(&text);
}

static void print_headings(struct columnar_sql_printer *p)
{
    for (int c = 0; c < p->n && p->format != COLUMNAR_SQL_JSONL; c++) {
        const char *name = p->columns[c].name;

        if (aligned(p)) {
            seam_buf_str(&p->cells, name);
            seam_buf_u8(&p->cells, 0);
            continue;
        }
        if (c > 0) seam_buf_u8(&p->out, p->format == COLUMNAR_SQL_CSV ? ',' : '\t');
        print_field(p, name, strlen(name));
    }
    if (!aligned(p) && p->format != COLUMNAR_SQL_JSONL) seam_buf_u8(&p->out, '\n');
}

enum seam_status columnar_sql_printer_new(enum columnar_sql_format format,
                                          const struct columnar_plan_column *columns, int n,
                                          uint64_t max_rows,
                                          void (*write)(void *ctx, const char *s, size_t n),
                                          void *ctx, struct columnar_sql_printer **out,
                                          struct seam_fault *f)
{
    struct columnar_sql_printer *p = calloc(1, sizeof *p);

    if (p == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET,
                              "no memory for the answer");
    *p = (struct columnar_sql_printer){.format = format,
                                       .columns = columns,
                                       .n = n,
                                       .max_rows = max_rows,
                                       .write = write,
                                       .ctx = ctx};
    print_headings(p);
    *out = p;
    return SEAM_OK;
}

static void print_row(struct columnar_sql_printer *p, const struct seam_value *row)
{
    struct seam_buf text = {0};

    if (p->format == COLUMNAR_SQL_JSONL) {
        columnar_sql_json_row(p->columns, p->n, row, &p->out);
        seam_buf_u8(&p->out, '\n');
        return;
    }
    for (int c = 0; c < p->n; c++) {
        if (c > 0) seam_buf_u8(&p->out, p->format == COLUMNAR_SQL_CSV ? ',' : '\t');
        seam_buf_clear(&text);
        seam_value_format(&row[c], &text);
        print_field(p, (const char *)text.data, text.size);
    }
    seam_buf_u8(&p->out, '\n');
    seam_buf_free(&text);
}

enum seam_status columnar_sql_printer_batch(void *printer, const struct columnar_batch *b,
                                            struct seam_fault *f)
{
    struct columnar_sql_printer *p = printer;
    struct seam_value *row = malloc((size_t)(p->n + 1) * sizeof *row);

    if (row == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET,
                              "no memory for the answer");
    for (uint32_t r = 0; r < b->rows; r++) {
        p->rows++;
        if (aligned(p) && p->max_rows != 0 && p->held >= p->max_rows) continue;
        columnar_batch_row(b, r, row);
        if (!aligned(p)) {
            print_row(p, row);
            flush(p, FLUSH_BYTES);
            continue;
        }
        for (int c = 0; c < p->n; c++) hold_cell(p, &row[c]);
        p->held++;
    }
    free(row);
    return seam_buf_ok(&p->out) && seam_buf_ok(&p->cells)
               ? SEAM_OK
               : seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET,
                                "no memory for the answer");
}

/* Width on a terminal, near enough: bytes that continue a UTF-8 character take no room.              */
static size_t shown(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static bool right_aligned(const struct columnar_plan_column *c)
{
    return c->type == SEAM_V_INT || c->type == SEAM_V_DOUBLE || c->type == SEAM_V_DECIMAL;
}

/* Cuts at a character's beginning, so that a long text does not push the others off the line.        */
static void put_cell(struct columnar_sql_printer *p, const char *s, size_t width, bool right,
                     bool last)
{
    size_t w = shown(s), cut = 0, n = 0;
    bool long_text = w > width;

    while (s[cut] != '\0') {
        if (((unsigned char)s[cut] & 0xc0) != 0x80 && n++ == (long_text ? width - 1 : width)) break;
        cut++;
    }
    if (right)
        for (size_t i = w; i < width; i++) seam_buf_u8(&p->out, ' ');
    seam_buf_append(&p->out, s, cut);
    if (long_text) seam_buf_str(&p->out, "\xe2\x80\xa6");
    if (!right && (!last || p->format == COLUMNAR_SQL_MARKDOWN))
        for (size_t i = w; i < width; i++) seam_buf_u8(&p->out, ' ');
}

static void rule(struct columnar_sql_printer *p, const size_t *width)
{
    for (int c = 0; c < p->n; c++) {
        if (p->format == COLUMNAR_SQL_MARKDOWN)
            seam_buf_str(&p->out, c == 0 ? "| " : " | ");
        else if (c > 0)
            seam_buf_str(&p->out, "  ");
        for (size_t i = 0; i < width[c]; i++)
            seam_buf_u8(&p->out, p->format == COLUMNAR_SQL_MARKDOWN && i + 1 == width[c] &&
                                         right_aligned(&p->columns[c])
                                     ? ':'
                                     : '-');
    }
    seam_buf_str(&p->out, p->format == COLUMNAR_SQL_MARKDOWN ? " |\n" : "\n");
}

static enum seam_status print_aligned(struct columnar_sql_printer *p, struct seam_fault *f)
{
    size_t *width = calloc((size_t)p->n + 1, sizeof *width);
    const char *s = (const char *)p->cells.data;

    if (width == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", SEAM_FAULT_NO_OFFSET,
                              "no memory for the answer");
    for (uint64_t r = 0; r <= p->held; r++)
        for (int c = 0; c < p->n; c++, s += strlen(s) + 1) {
            size_t w = shown(s);

            if (p->format == COLUMNAR_SQL_TABLE && w > CELL_WIDTH_MAX && p->n > 1)
                w = CELL_WIDTH_MAX;
            if (w < 3) w = 3;
            if (w > width[c]) width[c] = w;
        }
    s = (const char *)p->cells.data;
    for (uint64_t r = 0; r <= p->held; r++) {
        for (int c = 0; c < p->n; c++, s += strlen(s) + 1) {
            if (p->format == COLUMNAR_SQL_MARKDOWN)
                seam_buf_str(&p->out, c == 0 ? "| " : " | ");
            else if (c > 0)
                seam_buf_str(&p->out, "  ");
            put_cell(p, s, width[c], right_aligned(&p->columns[c]), c + 1 == p->n);
        }
        seam_buf_str(&p->out, p->format == COLUMNAR_SQL_MARKDOWN ? " |\n" : "\n");
        if (r == 0) rule(p, width);
        flush(p, FLUSH_BYTES);
    }
    if (p->rows > p->held)
        seam_buf_printf(&p->out, "... and %llu more rows\n",
                        (unsigned long long)(p->rows - p->held));
    free(width);
    return SEAM_OK;
}

enum seam_status columnar_sql_printer_finish(struct columnar_sql_printer *p, uint64_t *rows,
                                             struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (p == NULL) return SEAM_OK;
    if (aligned(p)) st = print_aligned(p, f);
    flush(p, 1);
    if (rows != NULL) *rows = p->rows;
    seam_buf_free(&p->out);
    seam_buf_free(&p->cells);
    free(p);
    return st;
}
