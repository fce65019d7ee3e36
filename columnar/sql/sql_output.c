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

struct sql_printer {
    enum sql_format format;
    const struct plan_column *columns;
    int n;
    uint64_t max_rows, rows;
    void (*write)(void *ctx, const char *s, size_t n);
    void *ctx;
    struct buf out;
    struct buf cells;  /* TABLE, MARKDOWN: terminated texts, row by row, after the headings */
    uint64_t held;     /* rows in cells */
};

void batch_row(const struct batch *b, size_t row, struct value *out)
{
    for (int c = 0; c < b->count; c++) out[c] = vec_value(&b->cols[c], (uint32_t)row);
}

bool sql_format_parse(const char *name, enum sql_format *out)
{
    static const char *const names[] = {"table", "csv", "tsv", "jsonl", "markdown"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum sql_format)i;
            return true;
        }
    return false;
}

static bool aligned(const struct sql_printer *p) { return p->format == SQL_TABLE || p->format == SQL_MARKDOWN; }

static void flush(struct sql_printer *p, size_t at_least)
{
    if (p->out.size < at_least || p->out.size == 0) return;
    p->write(p->ctx, (const char *)p->out.data, p->out.size);
    buf_clear(&p->out);
}

static void print_field(struct sql_printer *p, const char *s, size_t n)
{
    if (p->format == SQL_CSV) {
        csv_write_field(&p->out, s, n, ',');
        return;
    }
    for (size_t i = 0; i < n; i++) /* TSV: the three marks that would break a line apart */
        if (s[i] == '\t') buf_str(&p->out, "\\t");
        else if (s[i] == '\n') buf_str(&p->out, "\\n");
        else if (s[i] == '\\') buf_str(&p->out, "\\\\");
        else buf_u8(&p->out, (uint8_t)s[i]);
}

void sql_json_row(const struct plan_column *columns, int n, const struct value *row, struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    for (int c = 0; c < n; c++) {
        jw_key(&w, columns[c].name);
        jw_value(&w, &row[c]);
    }
    jw_end_object(&w);
}

/* A cell of an aligned table: one line, nulls visible, control bytes shown as spaces.                */
static void hold_cell(struct sql_printer *p, const struct value *v)
{
    struct buf text = {0};

    if (v->type == V_NULL) buf_str(&text, p->format == SQL_TABLE ? "NULL" : "");
    else value_format(v, &text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (p->format == SQL_MARKDOWN && c == '|') buf_u8(&p->cells, '\\');
        buf_u8(&p->cells, c < 0x20 || c == 0x7f ? ' ' : c);
    }
    buf_u8(&p->cells, 0);
    buf_free(&text);
}

static void print_headings(struct sql_printer *p)
{
    for (int c = 0; c < p->n && p->format != SQL_JSONL; c++) {
        const char *name = p->columns[c].name;

        if (aligned(p)) {
            buf_str(&p->cells, name);
            buf_u8(&p->cells, 0);
            continue;
        }
        if (c > 0) buf_u8(&p->out, p->format == SQL_CSV ? ',' : '\t');
        print_field(p, name, strlen(name));
    }
    if (!aligned(p) && p->format != SQL_JSONL) buf_u8(&p->out, '\n');
}

enum status sql_printer_new(enum sql_format format, const struct plan_column *columns, int n, uint64_t max_rows,
                            void (*write)(void *ctx, const char *s, size_t n), void *ctx,
                            struct sql_printer **out, struct fault *f)
{
    struct sql_printer *p = calloc(1, sizeof *p);

    if (p == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for the answer");
    *p = (struct sql_printer){.format = format, .columns = columns, .n = n, .max_rows = max_rows, .write = write,
                              .ctx = ctx};
    print_headings(p);
    *out = p;
    return ST_OK;
}

static void print_row(struct sql_printer *p, const struct value *row)
{
    struct buf text = {0};

    if (p->format == SQL_JSONL) {
        sql_json_row(p->columns, p->n, row, &p->out);
        buf_u8(&p->out, '\n');
        return;
    }
    for (int c = 0; c < p->n; c++) {
        if (c > 0) buf_u8(&p->out, p->format == SQL_CSV ? ',' : '\t');
        buf_clear(&text);
        value_format(&row[c], &text);
        print_field(p, (const char *)text.data, text.size);
    }
    buf_u8(&p->out, '\n');
    buf_free(&text);
}

enum status sql_printer_batch(void *printer, const struct batch *b, struct fault *f)
{
    struct sql_printer *p = printer;
    struct value *row = malloc((size_t)(p->n + 1) * sizeof *row);

    if (row == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for the answer");
    for (uint32_t r = 0; r < b->rows; r++) {
        p->rows++;
        if (aligned(p) && p->max_rows != 0 && p->held >= p->max_rows) continue;
        batch_row(b, r, row);
        if (!aligned(p)) {
            print_row(p, row);
            flush(p, FLUSH_BYTES);
            continue;
        }
        for (int c = 0; c < p->n; c++) hold_cell(p, &row[c]);
        p->held++;
    }
    free(row);
    return buf_ok(&p->out) && buf_ok(&p->cells)
               ? ST_OK : fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for the answer");
}

/* Width on a terminal, near enough: bytes that continue a UTF-8 character take no room.              */
static size_t shown(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static bool right_aligned(const struct plan_column *c)
{
    return c->type == V_INT || c->type == V_DOUBLE || c->type == V_DECIMAL;
}

/* Cuts at a character's beginning, so that a long text does not push the others off the line.        */
static void put_cell(struct sql_printer *p, const char *s, size_t width, bool right, bool last)
{
    size_t w = shown(s), cut = 0, n = 0;
    bool long_text = w > width;

    while (s[cut] != '\0') {
        if (((unsigned char)s[cut] & 0xc0) != 0x80 && n++ == (long_text ? width - 1 : width)) break;
        cut++;
    }
    if (right)
        for (size_t i = w; i < width; i++) buf_u8(&p->out, ' ');
    buf_append(&p->out, s, cut);
    if (long_text) buf_str(&p->out, "\xe2\x80\xa6");
    if (!right && (!last || p->format == SQL_MARKDOWN))
        for (size_t i = w; i < width; i++) buf_u8(&p->out, ' ');
}

static void rule(struct sql_printer *p, const size_t *width)
{
    for (int c = 0; c < p->n; c++) {
        if (p->format == SQL_MARKDOWN) buf_str(&p->out, c == 0 ? "| " : " | ");
        else if (c > 0) buf_str(&p->out, "  ");
        for (size_t i = 0; i < width[c]; i++)
            buf_u8(&p->out, p->format == SQL_MARKDOWN && i + 1 == width[c] && right_aligned(&p->columns[c]) ? ':' : '-');
    }
    buf_str(&p->out, p->format == SQL_MARKDOWN ? " |\n" : "\n");
}

static enum status print_aligned(struct sql_printer *p, struct fault *f)
{
    size_t *width = calloc((size_t)p->n + 1, sizeof *width);
    const char *s = (const char *)p->cells.data;

    if (width == NULL) return fault_set(f, ST_NOMEM, "sql", FAULT_NO_OFFSET, "no memory for the answer");
    for (uint64_t r = 0; r <= p->held; r++)
        for (int c = 0; c < p->n; c++, s += strlen(s) + 1) {
            size_t w = shown(s);

            if (p->format == SQL_TABLE && w > CELL_WIDTH_MAX && p->n > 1) w = CELL_WIDTH_MAX;
            if (w < 3) w = 3;
            if (w > width[c]) width[c] = w;
        }
    s = (const char *)p->cells.data;
    for (uint64_t r = 0; r <= p->held; r++) {
        for (int c = 0; c < p->n; c++, s += strlen(s) + 1) {
            if (p->format == SQL_MARKDOWN) buf_str(&p->out, c == 0 ? "| " : " | ");
            else if (c > 0) buf_str(&p->out, "  ");
            put_cell(p, s, width[c], right_aligned(&p->columns[c]), c + 1 == p->n);
        }
        buf_str(&p->out, p->format == SQL_MARKDOWN ? " |\n" : "\n");
        if (r == 0) rule(p, width);
        flush(p, FLUSH_BYTES);
    }
    if (p->rows > p->held)
        buf_printf(&p->out, "... and %llu more rows\n", (unsigned long long)(p->rows - p->held));
    free(width);
    return ST_OK;
}

enum status sql_printer_finish(struct sql_printer *p, uint64_t *rows, struct fault *f)
{
    enum status st = ST_OK;

    if (p == NULL) return ST_OK;
    if (aligned(p)) st = print_aligned(p, f);
    flush(p, 1);
    if (rows != NULL) *rows = p->rows;
    buf_free(&p->out);
    buf_free(&p->cells);
    free(p);
    return st;
}
