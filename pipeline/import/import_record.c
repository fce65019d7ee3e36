#include "pipeline/import/import_record.h"

#include <stdio.h>

#include "engine/text/opts.h"
#include "engine/values/utf8.h"

/* ---- opening ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum import_format format_of_name(const char *file)
{
    static const struct {
        const char *end;
        enum import_format format;
    } ends[] = {
        {".tsv", IMPORT_TSV},         {".tsv.gz", IMPORT_TSV},     {".tab", IMPORT_TSV},
        {".jsonl", IMPORT_JSONL},     {".jsonl.gz", IMPORT_JSONL}, {".ndjson", IMPORT_JSONL},
        {".ndjson.gz", IMPORT_JSONL}, {".json", IMPORT_JSONL},     {".json.gz", IMPORT_JSONL}};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_with(file, ends[i].end)) return ends[i].format;
    }
    return IMPORT_CSV;
}

static enum status missing_column(const struct record_reader *r, const char *file, int slot,
                                  const struct csv_field *fields, size_t count, struct fault *f)
{
    const char *names[CSV_FIELDS_MAX], *near;
    struct arena a = {0};

    for (size_t i = 0; i < count; i++) {
        names[i] = arena_strdup(&a, fields[i].data, fields[i].size);
        if (names[i] == NULL) names[i] = "";
    }
    near = nearest_name(r->m->slots[slot], names, count);
    (void)fault_set(f, ST_INVALID, file, 1, "the file has no column \"%s\"%s%s%s",
                    r->m->slots[slot], near != NULL ? "; did you mean \"" : "",
                    near != NULL ? near : "", near != NULL ? "\"?" : "");
    arena_free(&a);
    return ST_INVALID;
}

/* Finds each slot among the names; in a strict mapping a name without a slot is refused.         */
static enum status place_columns(struct record_reader *r, const char *file,
                                 const struct csv_field *fields, size_t count, struct fault *f)
{
    const struct mapping *m = r->m;

    for (int s = 0; s < m->slot_count; s++)
        r->position[s] = -1;
    for (size_t i = 0; i < count; i++) {
        int found = -1;

        for (int s = 0; s < m->slot_count; s++) {
            if (strlen(m->slots[s]) != fields[i].size ||
                memcmp(m->slots[s], fields[i].data, fields[i].size) != 0)
                continue;
            if (r->position[s] >= 0)
                return fault_set(f, ST_INVALID, file, 1, "the file has two columns \"%s\"",
                                 m->slots[s]);
            r->position[s] = (int)i;
            found = s;
        }
        if (found < 0 && m->strict) {
            const char *near = NULL;
            char *name = arena_strdup(&r->arena, fields[i].data, fields[i].size);

            if (name != NULL) near = nearest_name(name, m->slots, (size_t)m->slot_count);
            return fault_set(
                f, ST_INVALID, file, 1,
                "table %s has no column \"%.*s\"%s%s; a mapping says what becomes of it",
                m->tables[0].schema->name, (int)(fields[i].size < 64 ? fields[i].size : 64),
                fields[i].data, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
        }
    }
    for (int s = 0; s < m->slot_count && !m->strict; s++) {
        if (r->position[s] < 0) return missing_column(r, file, s, fields, count, f);
    }
    return ST_OK;
}

static enum status read_header(struct record_reader *r, const char *file, struct fault *f)
{
    const struct csv_field *fields;
    struct csv_field given[CSV_FIELDS_MAX];
    size_t count = 0;
    enum status st;

    if (r->m->no_header) {
        for (; count < (size_t)r->m->column_count && count < CSV_FIELDS_MAX; count++)
            given[count] = (struct csv_field){.data = r->m->columns[count],
                                              .size = strlen(r->m->columns[count])};
        fields = given;
    } else {
        st = csv_next(r->csv, &fields, &count, f);
        if (st == ST_END) return ST_OK; /* an empty file: no header, no records */
        if (st != ST_OK) return st;
    }
    csv_expect(r->csv, count);
    for (size_t i = 0; i < count; i++)
        buf_lenstr(&r->header, fields[i].data, fields[i].size);
    return place_columns(r, file, fields, count, f);
}

enum status record_open(struct record_reader *r, struct io *io, const char *file,
                        const struct mapping *m, struct fault *f)
{
    struct csv_options o = {.separator = ',', .quotes = true};
    enum status st;

    *r = (struct record_reader){.m = m,
                                .format = m->format_given ? m->format : format_of_name(file)};
    st = source_open(io, file, &r->source, f);
    if (st != ST_OK || r->format == IMPORT_JSONL) return st;
    if (m->separator != 0) o.separator = m->separator;
    if (r->format == IMPORT_TSV) o = (struct csv_options){.separator = '\t', .quotes = false};
    st = csv_open(r->source, o, &r->csv);
    if (st != ST_OK) return fault_set(f, st, file, FAULT_NO_OFFSET, "no memory to read it");
    return read_header(r, file, f);
}

void record_close(struct record_reader *r)
{
    csv_close(r->csv);
    source_close(r->source);
    buf_free(&r->header);
    buf_free(&r->raw);
    arena_free(&r->arena);
}

/* ---- records ---- */

static bool ascii(const char *s, size_t n)
{
    unsigned char all = 0;

    for (size_t i = 0; i < n; i++)
        all |= (unsigned char)s[i];
    return all < 0x80;
}

/* Text comes in as UTF-8, or is made so.                                                         */
static enum status take_text(struct record_reader *r, int slot, const char *data, size_t size,
                             struct fault *f)
{
    char *out;
    size_t n = 0;

    r->slots[slot] = (struct text){data, size};
    if (ascii(data, size)) return ST_OK;
    if (!r->m->latin1) {
        if (utf8_valid(data, size)) return ST_OK;
        return fault_set(f, ST_INVALID, NULL, r->line,
                         "column %s is not UTF-8 (\"encoding\": \"latin-1\" would read it)",
                         r->m->slots[slot]);
    }
    out = arena_alloc(&r->arena, 2 * size);
    if (out == NULL) return fault_set(f, ST_NOMEM, NULL, r->line, "no memory for a text");
    for (size_t i = 0; i < size; i++)
        n += utf8_put((unsigned char)data[i], out + n);
    r->slots[slot] = (struct text){out, n};
    return ST_OK;
}

static enum status next_csv(struct record_reader *r, struct fault *f)
{
    const struct csv_field *fields;
    size_t count = 0;
    enum status st = csv_next(r->csv, &fields, &count, f);

    r->line = csv_line(r->csv);
    if (st != ST_OK) return st;
    for (size_t i = 0; i < count; i++)
        buf_lenstr(&r->raw, fields[i].data, fields[i].size);
    for (int s = 0; s < r->m->slot_count && st == ST_OK; s++) {
        int at = r->position[s];

        if (at >= 0)
            st = take_text(r, s, fields[at].data, fields[at].size, f);
        else
            r->slots[s] = (struct text){NULL, 0};
    }
    return st;
}

static enum status take_member(struct record_reader *r, int slot, const struct json *v,
                               struct fault *f)
{
    r->slots[slot] = (struct text){NULL, 0};
    if (v == NULL) return ST_OK;
    switch (v->type) {
    case J_NULL: r->slots[slot] = (struct text){"", 0}; return ST_OK;
    case J_BOOL:
        r->slots[slot] = v->boolean ? (struct text){"true", 4} : (struct text){"false", 5};
        return ST_OK;
    case J_NUMBER:
    case J_STRING: r->slots[slot] = (struct text){v->str, v->len}; return ST_OK;
    case J_ARRAY:
    case J_OBJECT: break;
    }
    return fault_set(f, ST_INVALID, NULL, r->line, "member %s is not a single value",
                     r->m->slots[slot]);
}

static enum status next_json(struct record_reader *r, struct fault *f)
{
    const char *line = NULL;
    size_t n = 0;
    struct json *root = NULL;
    enum status st;

    do
        st = source_line(r->source, IMPORT_LINE_MAX, &line, &n, f);
    while (st == ST_OK && n == 0);
    r->line = source_line_number(r->source);
    if (st == ST_LIMIT) return ST_INVALID;
    if (st != ST_OK) return st;
    buf_append(&r->raw, line, n);
    st = json_parse(line, n, &r->arena, NULL, &root, f);
    if (st == ST_OK && root->type != J_OBJECT)
        st = fault_set(f, ST_INVALID, NULL, r->line, "the line is not a JSON object");
    for (const struct json *c = st == ST_OK && r->m->strict ? root->child : NULL;
         c != NULL && st == ST_OK; c = c->next) {
        if (mapping_slot(r->m, c->key) < 0)
            st = fault_set(f, ST_INVALID, NULL, r->line, "table %s has no column \"%.64s\"",
                           r->m->tables[0].schema->name, c->key);
    }
    for (int s = 0; s < r->m->slot_count && st == ST_OK; s++)
        st = take_member(r, s, json_get(root, r->m->slots[s]), f);
    return st;
}

enum status record_next(struct record_reader *r, struct fault *f)
{
    enum status st;

    arena_reset(&r->arena);
    buf_clear(&r->raw);
    st = r->format == IMPORT_JSONL ? next_json(r, f) : next_csv(r, f);
    if (st != ST_NOMEM && !buf_ok(&r->raw))
        return fault_set(f, ST_NOMEM, NULL, r->line, "no memory for a record");
    return st;
}

/* ---- conditions and texts ---- */

static bool number_beyond(const struct condition *c, struct text t, int direction)
{
    struct value number, bound = v_decimal(c->number, 6);
    double d;

    while (t.size > 0 && t.data[0] == ' ')
        t.data++, t.size--;
    if (double_parse(t.data, t.size, &d) != ST_OK) return false;
    number = v_double(d);
    return value_compare(&number, &bound) == direction;
}

/* Names are short: looking for the first letter beats any cleverer search.                       */
static bool contains(struct text t, const char *what, size_t n)
{
    if (n == 0) return true;
    for (size_t i = 0; i + n <= t.size; i++) {
        if (t.data[i] == what[0] && memcmp(t.data + i, what, n) == 0) return true;
    }
    return false;
}

bool condition_holds(const struct condition *c, const struct text *slots)
{
    struct text t;

    if (c == NULL) return true;
    t = slots[c->slot];
    switch (c->kind) {
    case C_EMPTY: return (t.size == 0) == (c->number != 0);
    case C_STARTS:
        return t.size >= c->size && (c->size == 0 || memcmp(t.data, c->text, c->size) == 0);
    case C_EQUALS:
        return t.size == c->size && (t.size == 0 || memcmp(t.data, c->text, c->size) == 0);
    case C_CONTAINS: return contains(t, c->text, c->size);
    case C_ABOVE: return number_beyond(c, t, 1);
    case C_BELOW: return number_beyond(c, t, -1);
    case C_NOT: return !condition_holds(c->child, slots);
    case C_ALL:
        for (const struct condition *k = c->child; k != NULL; k = k->next) {
            if (!condition_holds(k, slots)) return false;
        }
        return true;
    case C_ANY:
        for (const struct condition *k = c->child; k != NULL; k = k->next) {
            if (condition_holds(k, slots)) return true;
        }
        return false;
    }
    return false;
}

static struct text trimmed(struct text t)
{
    while (t.size > 0 && (unsigned char)t.data[0] <= ' ')
        t.data++, t.size--;
    while (t.size > 0 && (unsigned char)t.data[t.size - 1] <= ' ')
        t.size--;
    return t;
}

static struct text rewritten(const struct expr *e, struct text t, struct arena *a)
{
    char *out = arena_alloc(a, t.size > 0 ? t.size : 1);
    size_t n = 0;

    if (out == NULL) return (struct text){NULL, 0};
    for (size_t i = 0; i < t.size; i++) {
        char c = t.data[i];

        if (e->digits && (c < '0' || c > '9')) continue;
        if (e->upper && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (e->lower && c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        out[n++] = c;
    }
    return (struct text){out, n};
}

/* One to `most` digits.                                                                          */
static bool take_number(const char **p, const char *end, int most, unsigned *out)
{
    int n = 0;

    *out = 0;
    for (; n < most && *p < end && **p >= '0' && **p <= '9'; n++)
        *out = *out * 10 + (unsigned)(*(*p)++ - '0');
    return n > 0;
}

/* A date written as `format` says, in ISO 8601; what does not match stays as it is, and is refused
 * later.                                                                                         */
static struct text iso_time(const char *format, struct text t, struct arena *a)
{
    unsigned part[6] = {0, 1, 1, 0, 0, 0};
    const char *p = t.data, *end = t.data + t.size;
    char *out = arena_alloc(a, 64);

    for (; *format != '\0'; format++) {
        if (*format == '%') {
            size_t which = (size_t)(strchr("YmdHMS", *++format) - "YmdHMS");

            if (!take_number(&p, end, which == 0 ? 4 : 2, &part[which])) return t;
        } else if (p == end || *p++ != *format) {
            return t;
        }
    }
    if (p != end || out == NULL) return t;
    return (struct text){out, (size_t)snprintf(out, 64, "%04u-%02u-%02uT%02u:%02u:%02u", part[0],
                                               part[1], part[2], part[3], part[4], part[5])};
}

/* "1.234,50" is 1234.50.                                                                         */
static struct text with_point(struct text t, struct arena *a)
{
    char *out = arena_alloc(a, t.size > 0 ? t.size : 1);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < t.size; i++) {
        if (t.data[i] == '.' || t.data[i] == ' ') continue;
        out[n++] = t.data[i] == ',' ? '.' : t.data[i];
    }
    return (struct text){out, n};
}

static struct text prefixed(const char *prefix, struct text t, struct arena *a)
{
    size_t n = strlen(prefix);
    char *out = arena_alloc(a, n + t.size);

    if (out == NULL) return (struct text){NULL, 0};
    memcpy(out, prefix, n);
    memcpy(out + n, t.data, t.size);
    return (struct text){out, n + t.size};
}

struct text expr_text(const struct expr *e, const struct text *slots, struct arena *a)
{
    struct text t = {NULL, 0};

    switch (e->kind) {
    case E_CONST: return (struct text){e->text, e->size};
    case E_CASES:
        for (const struct expr_case *c = e->cases; c != NULL; c = c->next) {
            if (condition_holds(c->when, slots)) return expr_text(c->then, slots, a);
        }
        return t;
    case E_FROM:
        t = slots[e->slot];
        if (t.data != NULL && e->trim) t = trimmed(t);
        if (t.data != NULL && (e->digits || e->upper || e->lower)) t = rewritten(e, t, a);
        if (t.size > 0 && e->decimal_comma) t = with_point(t, a);
        if (t.size > 0 && e->time != NULL) t = iso_time(e->time, t, a);
        if (t.size == 0 && e->fallback != NULL) return expr_text(e->fallback, slots, a);
        return t.size > 0 && e->prefix != NULL ? prefixed(e->prefix, t, a) : t;
    default: return t;
    }
}
