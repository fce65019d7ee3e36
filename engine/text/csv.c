/* csv - one record after another, with what is wrong said by its line. */
#include "engine/text/csv.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 256 << 10 };

enum class { C_PLAIN, C_SEPARATOR, C_NEWLINE, C_QUOTE, C_ZERO, C_ESCAPE };

struct seam_csv {
    struct seam_source *source;
    struct seam_csv_options options;
    uint8_t class_of[256]; /* what an unquoted byte means */
    struct seam_buf data;
    size_t start;       /* of the next record in data */
    bool ended;         /* data holds the rest of the source */
    bool begun;         /* the byte order mark has been looked for */
    uint64_t next_line; /* line on which the next record begins */
    uint64_t line;      /* and the last one began */
    size_t count;
    bool dirty[SEAM_CSV_FIELDS_MAX]; /* the field holds doubled quotes or escapes */
    struct seam_csv_field fields[SEAM_CSV_FIELDS_MAX];
};

/* What scanning one record found. */
enum outcome { RECORD, MORE_BYTES, BAD };

struct seam_scan {
    const char *p, *end;
    uint64_t lines;  /* line breaks passed */
    const char *why; /* BAD */
};

enum seam_status seam_csv_open(struct seam_source *s, struct seam_csv_options o,
                               struct seam_csv **out)
{
    struct seam_csv *c = calloc(1, sizeof *c);

    if (c == NULL) return SEAM_NOMEM;
    c->source = s;
    c->options = o;
    c->next_line = 1;
    c->class_of[(uint8_t)o.separator] = C_SEPARATOR;
    c->class_of['\n'] = C_NEWLINE;
    c->class_of[0] = C_ZERO;
    if (o.quotes)
        c->class_of['"'] = C_QUOTE;
    else
        c->class_of['\\'] = C_ESCAPE;
    *out = c;
    return SEAM_OK;
}

void seam_csv_close(struct seam_csv *c)
{
    if (c == NULL) return;
    seam_buf_free(&c->data);
    free(c);
}

uint64_t seam_csv_line(const struct seam_csv *c)
{
    return c->line;
}
void seam_csv_expect(struct seam_csv *c, size_t fields)
{
    c->options.expect = fields;
}

static enum seam_status read_more(struct seam_csv *c, struct seam_fault *f)
{
    size_t got = 0;
    enum seam_status st;

    if (c->start > 0) {
        memmove(c->data.data, c->data.data + c->start, c->data.size - c->start);
        c->data.size -= c->start;
        c->start = 0;
    }
    if (!seam_buf_reserve(&c->data, c->data.size < CHUNK ? CHUNK : c->data.size))
        return seam_no_memory(f, "a record");
    st = seam_source_read(c->source, c->data.data + c->data.size, c->data.cap - c->data.size, &got,
                          f);
    if (st != SEAM_OK) return st;
    c->data.size += got;
    c->ended = got == 0;
    return SEAM_OK;
}

/* ---- one record ---- */

static bool add_field(struct seam_csv *c, struct seam_scan *x, const char *start, const char *end,
                      bool quoted, bool dirty)
{
    if (c->count == SEAM_CSV_FIELDS_MAX) {
        x->why = "more than 1024 fields";
        return false;
    }
    c->fields[c->count] =
        (struct seam_csv_field){.data = start, .size = (size_t)(end - start), .quoted = quoted};
    c->dirty[c->count++] = dirty;
    return true;
}

/* x->p is at the opening quote; afterwards at the separator, line break or end that follows the
 * field.                                                                                         */
static enum outcome scan_quoted(struct seam_csv *c, struct seam_scan *x)
{
    const char *start = ++x->p;
    bool dirty = false;

    for (;;) {
        const char *quote = x->p < x->end ? memchr(x->p, '"', (size_t)(x->end - x->p)) : NULL;
        const char *stop = quote != NULL ? quote : x->end;

        for (const char *b = x->p; b < stop; b++) {
            if (*b == '\n')
                x->lines++;
            else if (*b == '\0') {
                x->why = "a zero byte";
                return BAD;
            }
        }
        if (quote == NULL || quote + 1 == x->end) {
            if (!c->ended) return MORE_BYTES;
            if (quote == NULL) {
                x->why = "a quoted field that never ends";
                return BAD;
            }
        }
        x->p = quote + 1;
        if (x->p < x->end && *x->p == '"') {
            dirty = true;
            x->p++;
            continue;
        }
        if (!add_field(c, x, start, quote, true, dirty)) return BAD;
        break;
    }
    if (x->p < x->end && *x->p == '\r') {
        if (x->p + 1 == x->end && !c->ended) return MORE_BYTES;
        if (x->p + 1 == x->end || x->p[1] == '\n') x->p++;
    }
    if (x->p < x->end && c->class_of[(uint8_t)*x->p] != C_SEPARATOR && *x->p != '\n') {
        x->why = "something follows a closing quote";
        return BAD;
    }
    return RECORD;
}

static enum outcome scan_plain(struct seam_csv *c, struct seam_scan *x)
{
    const char *start = x->p, *p = x->p, *end = x->end, *stop;
    bool dirty = false;
    uint8_t class = C_PLAIN;

    for (;;) {
        while (p < end && (class = c->class_of[(uint8_t)*p]) == C_PLAIN) p++;
        if (p == end || class != C_ESCAPE) break;
        dirty = true;
        p++;
    }
    x->p = p;
    if (p == end) {
        if (!c->ended) return MORE_BYTES;
    } else if (class == C_ZERO || class == C_QUOTE) {
        x->why = class == C_ZERO ? "a zero byte" : "a quote inside an unquoted field";
        return BAD;
    }
    stop = p;
    if (stop > start && stop[-1] == '\r' && (p == end || *p == '\n')) stop--;
    return add_field(c, x, start, stop, false, dirty) ? RECORD : BAD;
}

static enum outcome scan_record(struct seam_csv *c, struct seam_scan *x)
{
    c->count = 0;
    for (;;) {
        enum outcome o;

        if (x->p == x->end && !c->ended) return MORE_BYTES;
        o = x->p < x->end && c->class_of[(uint8_t)*x->p] == C_QUOTE ? scan_quoted(c, x)
                                                                    : scan_plain(c, x);
        if (o != RECORD) return o;
        if (x->p == x->end) return RECORD;
        if (*x->p++ == '\n') {
            x->lines++;
            return RECORD;
        }
    }
}

/* ---- unescaping, in place once the record is whole ---- */

static void undouble(struct seam_csv_field *field)
{
    char *out = (char *)(uintptr_t)field->data;
    const char *p = field->data, *end = p + field->size;

    while (p < end) {
        if (*p == '"') p++;
        *out++ = *p++;
    }
    field->size = (size_t)(out - field->data);
}

static void unescape(struct seam_csv_field *field)
{
    char *out = (char *)(uintptr_t)field->data;
    const char *p = field->data, *end = p + field->size;

    while (p < end) {
        char next = *p == '\\' && p + 1 < end ? p[1] : '\0';
        char c = next == 't'    ? '\t'
                 : next == 'n'  ? '\n'
                 : next == 'r'  ? '\r'
                 : next == '\\' ? '\\'
                                : '\0';

        if (c != '\0') {
            *out++ = c;
            p += 2;
        } else {
            *out++ = *p++;
        }
    }
    field->size = (size_t)(out - field->data);
}

/* Goes on at the line after the one on which the bad record began: of what a lost quote swallowed,
 * only that line is lost.                                                                        */
static enum seam_status bad_record(struct seam_csv *c, const char *why, struct seam_fault *f)
{
    const uint8_t *start = c->data.data + c->start;
    const uint8_t *newline = memchr(start, '\n', c->data.size - c->start);

    while (newline == NULL &&
           !c->ended) { /* an unquoted line that is too long: drop it piece by piece */
        enum seam_status st;

        c->start = c->data.size;
        st = read_more(c, f);
        if (st != SEAM_OK) return st;
        start = c->data.data + c->start;
        newline = c->data.size > c->start ? memchr(start, '\n', c->data.size - c->start) : NULL;
    }
    c->start = newline != NULL ? (size_t)(newline + 1 - c->data.data) : c->data.size;
    c->next_line++;
    return seam_fault_set(f, SEAM_INVALID, NULL, c->line, "line %llu: %s",
                          (unsigned long long)c->line, why);
}

static enum seam_status skip_mark(struct seam_csv *c, struct seam_fault *f)
{
    while (!c->ended && c->data.size < 3) {
        enum seam_status st = read_more(c, f);

        if (st != SEAM_OK) return st;
    }
    if (c->data.size >= 3 && memcmp(c->data.data, "\xef\xbb\xbf", 3) == 0) c->start = 3;
    c->begun = true;
    return SEAM_OK;
}

static enum seam_status next_record(struct seam_csv *c, struct seam_fault *f)
{
    for (;;) {
        struct seam_scan x = {.p = (const char *)c->data.data + c->start,
                              .end = (const char *)c->data.data + c->data.size};
        enum outcome o;
        enum seam_status st;

        c->line = c->next_line;
        if (c->start == c->data.size && c->ended) return SEAM_END;
        o = scan_record(c, &x);
        if (o == MORE_BYTES) {
            if (c->data.size - c->start > SEAM_CSV_RECORD_MAX)
                return bad_record(c, "a record of over 4 MiB", f);
            st = read_more(c, f);
            if (st != SEAM_OK) return st;
            continue;
        }
        if (o == BAD) return bad_record(c, x.why, f);
        if (c->options.expect != 1 && c->count == 1 && c->fields[0].size == 0 &&
            !c->fields[0].quoted) {
            c->start = (size_t)(x.p - (const char *)c->data.data); /* a blank line */
            c->next_line += x.lines;
            continue;
        }
        if (c->options.expect != 0 && c->count != c->options.expect) {
            char why[80];

            snprintf(why, sizeof why, "%zu fields where %zu are expected", c->count,
                     c->options.expect);
            return bad_record(c, why, f);
        }
        c->start = (size_t)(x.p - (const char *)c->data.data);
        c->next_line += x.lines;
        return SEAM_OK;
    }
}

enum seam_status seam_csv_next(struct seam_csv *c, const struct seam_csv_field **fields,
                               size_t *count, struct seam_fault *f)
{
    enum seam_status st = c->begun ? SEAM_OK : skip_mark(c, f);

    if (st == SEAM_OK) st = next_record(c, f);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < c->count; i++) {
        if (!c->dirty[i]) continue;
        if (c->options.quotes)
            undouble(&c->fields[i]);
        else
            unescape(&c->fields[i]);
    }
    *fields = c->fields;
    *count = c->count;
    return SEAM_OK;
}

void seam_csv_write_field(struct seam_buf *out, const char *s, size_t n, char separator)
{
    bool quote = n > 0 && (s[0] == ' ' || s[n - 1] == ' ');

    for (size_t i = 0; i < n && !quote; i++)
        quote = s[i] == separator || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        seam_buf_append(out, s, n);
        return;
    }
    seam_buf_u8(out, '"');
    while (n > 0) {
        const char *next = memchr(s, '"', n);
        size_t run = next != NULL ? (size_t)(next - s) + 1 : n;

        seam_buf_append(out, s, run);
        if (next != NULL) seam_buf_u8(out, '"');
        s += run;
        n -= run;
    }
    seam_buf_u8(out, '"');
}
