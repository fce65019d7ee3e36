/* import_record - a line of a file as named values. */
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

    for (size_t i = 0; i < SEAM_ARRAY_LEN(ends); i++) {
        if (ends_with(file, ends[i].end)) return ends[i].format;
    }
    return IMPORT_CSV;
}

static enum seam_status missing_column(const struct import_record_reader *r, const char *file,
                                       int slot, const struct seam_csv_field *fields, size_t count,
                                       struct seam_fault *f)
{
    const char *names[SEAM_CSV_FIELDS_MAX], *near;
    struct seam_arena a = {0};

    for (size_t i = 0; i < count; i++) {
        names[i] = seam_arena_strdup(&a, fields[i].data, fields[i].size);
        if (names[i] == NULL) names[i] = "";
    }
    near = seam_nearest_name(r->m->slots[slot], names, count);
    (void)seam_fault_set(f, SEAM_INVALID, file, 1, "the file has no column \"%s\"%s%s%s",
                         r->m->slots[slot], near != NULL ? "; did you mean \"" : "",
                         near != NULL ? near : "", near != NULL ? "\"?" : "");
    seam_arena_free(&a);
    return SEAM_INVALID;
}

/* Finds each slot among the names; in a strict mapping a name without a slot is refused.         */
static enum seam_status place_columns(struct import_record_reader *r, const char *file,
                                      const struct seam_csv_field *fields, size_t count,
                                      struct seam_fault *f)
{
    const struct import_mapping *m = r->m;

    for (int s = 0; s < m->slot_count; s++) r->position[s] = -1;
    for (size_t i = 0; i < count; i++) {
        int found = -1;

        for (int s = 0; s < m->slot_count; s++) {
            if (strlen(m->slots[s]) != fields[i].size ||
                memcmp(m->slots[s], fields[i].data, fields[i].size) != 0)
                continue;
            if (r->position[s] >= 0)
                return seam_fault_set(f, SEAM_INVALID, file, 1, "the file has two columns \"%s\"",
                                      m->slots[s]);
            r->position[s] = (int)i;
            found = s;
        }
        if (found < 0 && m->strict) {
            const char *near = NULL;
            char *name = seam_arena_strdup(&r->arena, fields[i].data, fields[i].size);

            if (name != NULL) near = seam_nearest_name(name, m->slots, (size_t)m->slot_count);
            return seam_fault_set(
                f, SEAM_INVALID, file, 1,
                "table %s has no column \"%.*s\"%s%s; a mapping says what becomes of it",
                m->tables[0].schema->name, (int)(fields[i].size < 64 ? fields[i].size : 64),
                fields[i].data, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
        }
    }
    for (int s = 0; s < m->slot_count && !m->strict; s++) {
        if (r->position[s] < 0) return missing_column(r, file, s, fields, count, f);
    }
    return SEAM_OK;
}

static enum seam_status read_header(struct import_record_reader *r, const char *file,
                                    struct seam_fault *f)
{
    const struct seam_csv_field *fields;
    struct seam_csv_field given[SEAM_CSV_FIELDS_MAX];
    size_t count = 0;
    enum seam_status st;

    if (r->m->no_header) {
        for (; count < (size_t)r->m->column_count && count < SEAM_CSV_FIELDS_MAX; count++)
            given[count] = (struct seam_csv_field){.data = r->m->columns[count],
                                                   .size = strlen(r->m->columns[count])};
        fields = given;
    } else {
        st = seam_csv_next(r->csv, &fields, &count, f);
        if (st == SEAM_END) return SEAM_OK; /* an empty file: no header, no records */
        if (st != SEAM_OK) return st;
    }
    seam_csv_expect(r->csv, count);
    for (size_t i = 0; i < count; i++) seam_buf_lenstr(&r->header, fields[i].data, fields[i].size);
    return place_columns(r, file, fields, count, f);
}

enum seam_status import_record_open(struct import_record_reader *r, struct seam_io *io,
                                    const char *file, const struct import_mapping *m,
                                    struct seam_fault *f)
{
    struct seam_csv_options o = {.separator = ',', .quotes = true};
    enum seam_status st;

    *r = (struct import_record_reader){
        .m = m, .format = m->format_given ? m->format : format_of_name(file)};
    st = seam_source_open(io, file, &r->source, f);
    if (st != SEAM_OK || r->format == IMPORT_JSONL) return st;
    if (m->separator != 0) o.separator = m->separator;
    if (r->format == IMPORT_TSV) o = (struct seam_csv_options){.separator = '\t', .quotes = false};
    st = seam_csv_open(r->source, o, &r->csv);
    if (st != SEAM_OK)
        return seam_fault_set(f, st, file, SEAM_FAULT_NO_OFFSET, "no memory to read it");
    return read_header(r, file, f);
}

void import_record_close(struct import_record_reader *r)
{
    seam_csv_close(r->csv);
    seam_source_close(r->source);
    seam_buf_free(&r->header);
    seam_buf_free(&r->raw);
    seam_arena_free(&r->arena);
}

/* ---- records ---- */

static bool ascii(const char *s, size_t n)
{
    unsigned char all = 0;

    for (size_t i = 0; i < n; i++) all |= (unsigned char)s[i];
    return all < 0x80;
}

/* Text comes in as UTF-8, or is made so.                                                         */
static enum seam_status take_text(struct import_record_reader *r, int slot, const char *data,
                                  size_t size, struct seam_fault *f)
{
    char *out;
    size_t n = 0;

    r->slots[slot] = (struct import_text){data, size};
    if (ascii(data, size)) return SEAM_OK;
    if (!r->m->latin1) {
        if (seam_utf8_valid(data, size)) return SEAM_OK;
        return seam_fault_set(f, SEAM_INVALID, NULL, r->line,
                              "column %s is not UTF-8 (\"encoding\": \"latin-1\" would read it)",
                              r->m->slots[slot]);
    }
    out = seam_arena_alloc(&r->arena, 2 * size);
    if (out == NULL) return seam_no_memory(f, "a text");
    for (size_t i = 0; i < size; i++) n += seam_utf8_put((unsigned char)data[i], out + n);
    r->slots[slot] = (struct import_text){out, n};
    return SEAM_OK;
}

static enum seam_status next_csv(struct import_record_reader *r, struct seam_fault *f)
{
    const struct seam_csv_field *fields;
    size_t count = 0;
    enum seam_status st = seam_csv_next(r->csv, &fields, &count, f);

    r->line = seam_csv_line(r->csv);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < count; i++) seam_buf_lenstr(&r->raw, fields[i].data, fields[i].size);
    for (int s = 0; s < r->m->slot_count && st == SEAM_OK; s++) {
        int at = r->position[s];

        if (at >= 0)
            st = take_text(r, s, fields[at].data, fields[at].size, f);
        else
            r->slots[s] = (struct import_text){NULL, 0};
    }
    return st;
}

static enum seam_status take_member(struct import_record_reader *r, int slot,
                                    const struct seam_json *v, struct seam_fault *f)
{
    r->slots[slot] = (struct import_text){NULL, 0};
    if (v == NULL) return SEAM_OK;
    switch (v->type) {
    case SEAM_J_NULL: r->slots[slot] = (struct import_text){"", 0}; return SEAM_OK;
    case SEAM_J_BOOL:
        r->slots[slot] =
            v->boolean ? (struct import_text){"true", 4} : (struct import_text){"false", 5};
        return SEAM_OK;
    case SEAM_J_NUMBER:
    case SEAM_J_STRING: r->slots[slot] = (struct import_text){v->str, v->len}; return SEAM_OK;
    case SEAM_J_ARRAY:
    case SEAM_J_OBJECT: break;
    }
    return seam_fault_set(f, SEAM_INVALID, NULL, r->line, "member %s is not a single value",
                          r->m->slots[slot]);
}

static enum seam_status next_json(struct import_record_reader *r, struct seam_fault *f)
{
    const char *line = NULL;
    size_t n = 0;
    struct seam_json *root = NULL;
    enum seam_status st;

    do st = seam_source_line(r->source, IMPORT_LINE_MAX, &line, &n, f);
    while (st == SEAM_OK && n == 0);
    r->line = seam_source_line_number(r->source);
    if (st == SEAM_LIMIT) return SEAM_INVALID;
    if (st != SEAM_OK) return st;
    seam_buf_append(&r->raw, line, n);
    st = seam_json_parse(line, n, &r->arena, NULL, &root, f);
    if (st == SEAM_OK && root->type != SEAM_J_OBJECT)
        st = seam_fault_set(f, SEAM_INVALID, NULL, r->line, "the line is not a JSON object");
    for (const struct seam_json *c = st == SEAM_OK && r->m->strict ? root->child : NULL;
         c != NULL && st == SEAM_OK; c = c->next) {
        if (import_mapping_slot(r->m, c->key) < 0)
            st = seam_fault_set(f, SEAM_INVALID, NULL, r->line, "table %s has no column \"%.64s\"",
                                r->m->tables[0].schema->name, c->key);
    }
    for (int s = 0; s < r->m->slot_count && st == SEAM_OK; s++)
        st = take_member(r, s, seam_json_get(root, r->m->slots[s]), f);
    return st;
}

enum seam_status import_record_next(struct import_record_reader *r, struct seam_fault *f)
{
    enum seam_status st;

    seam_arena_reset(&r->arena);
    seam_buf_clear(&r->raw);
    st = r->format == IMPORT_JSONL ? next_json(r, f) : next_csv(r, f);
    if (st != SEAM_NOMEM && !seam_buf_ok(&r->raw)) return seam_no_memory(f, "a record");
    return st;
}

/* ---- conditions and texts ---- */

static bool number_beyond(const struct import_condition *c, struct import_text t, int direction)
{
    struct seam_value number, bound = seam_v_decimal(c->number, 6);
    double d;

    while (t.size > 0 && t.data[0] == ' ') t.data++, t.size--;
    if (seam_double_parse(t.data, t.size, &d) != SEAM_OK) return false;
    number = seam_v_double(d);
    return seam_value_compare(&number, &bound) == direction;
}

/* Names are short: looking for the first letter beats any cleverer search.                       */
static bool contains(struct import_text t, const char *what, size_t n)
{
    if (n == 0) return true;
    for (size_t i = 0; i + n <= t.size; i++) {
        if (t.data[i] == what[0] && memcmp(t.data + i, what, n) == 0) return true;
    }
    return false;
}

bool import_condition_holds(const struct import_condition *c, const struct import_text *slots)
{
    struct import_text t;

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
    case C_NOT: return !import_condition_holds(c->child, slots);
    case C_ALL:
        for (const struct import_condition *k = c->child; k != NULL; k = k->next) {
            if (!import_condition_holds(k, slots)) return false;
        }
        return true;
    case C_ANY:
        for (const struct import_condition *k = c->child; k != NULL; k = k->next) {
            if (import_condition_holds(k, slots)) return true;
        }
        return false;
    }
    return false;
}

static struct import_text trimmed(struct import_text t)
{
    while (t.size > 0 && (unsigned char)t.data[0] <= ' ') t.data++, t.size--;
    while (t.size > 0 && (unsigned char)t.data[t.size - 1] <= ' ') t.size--;
    return t;
}

static struct import_text rewritten(const struct import_expr *e, struct import_text t,
                                    struct seam_arena *a)
{
    char *out = seam_arena_alloc(a, t.size > 0 ? t.size : 1);
    size_t n = 0;

    if (out == NULL) return (struct import_text){NULL, 0};
    for (size_t i = 0; i < t.size; i++) {
        char c = t.data[i];

        if (e->digits && (c < '0' || c > '9')) continue;
        if (e->upper && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (e->lower && c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        out[n++] = c;
    }
    return (struct import_text){out, n};
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
static struct import_text iso_time(const char *format, struct import_text t, struct seam_arena *a)
{
    unsigned part[6] = {0, 1, 1, 0, 0, 0};
    const char *p = t.data, *end = t.data + t.size;
    char *out = seam_arena_alloc(a, 64);

    for (; *format != '\0'; format++) {
        if (*format == '%') {
            size_t which = (size_t)(strchr("YmdHMS", *++format) - "YmdHMS");

            if (!take_number(&p, end, which == 0 ? 4 : 2, &part[which])) return t;
        } else if (p == end || *p++ != *format) {
            return t;
        }
    }
    if (p != end || out == NULL) return t;
    return (struct import_text){out,
                                (size_t)snprintf(out, 64, "%04u-%02u-%02uT%02u:%02u:%02u", part[0],
                                                 part[1], part[2], part[3], part[4], part[5])};
}

/* "1.234,50" is 1234.50.                                                                         */
static struct import_text with_point(struct import_text t, struct seam_arena *a)
{
    char *out = seam_arena_alloc(a, t.size > 0 ? t.size : 1);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < t.size; i++) {
        if (t.data[i] == '.' || t.data[i] == ' ') continue;
        out[n++] = t.data[i] == ',' ? '.' : t.data[i];
    }
    return (struct import_text){out, n};
}

static struct import_text prefixed(const char *prefix, struct import_text t, struct seam_arena *a)
{
    size_t n = strlen(prefix);
    char *out = seam_arena_alloc(a, n + t.size);

    if (out == NULL) return (struct import_text){NULL, 0};
    memcpy(out, prefix, n);
    memcpy(out + n, t.data, t.size);
    return (struct import_text){out, n + t.size};
}

struct import_text import_expr_text(const struct import_expr *e, const struct import_text *slots,
                                    struct seam_arena *a)
{
    struct import_text t = {NULL, 0};

    switch (e->kind) {
    case E_CONST: return (struct import_text){e->text, e->size};
    case E_CASES:
        for (const struct import_expr_case *c = e->cases; c != NULL; c = c->next) {
            if (import_condition_holds(c->when, slots)) return import_expr_text(c->then, slots, a);
        }
        return t;
    case E_FROM:
        t = slots[e->slot];
        if (t.data != NULL && e->trim) t = trimmed(t);
        if (t.data != NULL && (e->digits || e->upper || e->lower)) t = rewritten(e, t, a);
        if (t.size > 0 && e->decimal_comma) t = with_point(t, a);
        if (t.size > 0 && e->time != NULL) t = iso_time(e->time, t, a);
        if (t.size == 0 && e->fallback != NULL) return import_expr_text(e->fallback, slots, a);
        return t.size > 0 && e->prefix != NULL ? prefixed(e->prefix, t, a) : t;
    default: return t;
    }
}
