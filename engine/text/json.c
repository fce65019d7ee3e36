/* json - a strict parser by recursive descent, bounded in depth and size. */
#include "engine/text/json.h"

#include <math.h>
#include <stdlib.h>

#include "engine/text/opts.h"
#include "engine/values/utf8.h"
#include "engine/values/value.h"

struct seam_parser {
    const char *p, *end;
    const char *line_start;
    uint32_t line;
    unsigned depth;
    struct seam_arena *arena;
    const char *where;
    struct seam_fault *fault;
};

static enum seam_status refuse(struct seam_parser *x, const char *why)
{
    return seam_fault_set(x->fault, SEAM_INVALID, x->where, x->line, "line %u, column %u: %s",
                          (unsigned)x->line, (unsigned)(x->p - x->line_start + 1), why);
}

static enum seam_status no_memory(struct seam_parser *x)
{
    return seam_no_memory(x->fault, "the JSON document");
}

static void skip_space(struct seam_parser *x)
{
    for (; x->p < x->end; x->p++) {
        if (*x->p == '\n') {
            x->line++;
            x->line_start = x->p + 1;
        } else if (*x->p != ' ' && *x->p != '\t' && *x->p != '\r') {
            return;
        }
    }
}

/* ---- strings ---- */

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    uint32_t v = 0;

    if (end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t d;

        if (c >= '0' && c <= '9')
            d = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            d = (uint32_t)(c - 'A') + 10;
        else
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

/* x->p is after the 'u'. A high surrogate must be followed by its low half.                      */
static enum seam_status unescape_unicode(struct seam_parser *x, char **out)
{
    uint32_t cp, low;

    if (!hex4(x->p, x->end, &cp)) return refuse(x, "\\u needs four hexadecimal digits");
    if (cp >= 0xdc00 && cp <= 0xdfff) return refuse(x, "a low surrogate without its high half");
    x->p += 4;
    if (cp >= 0xd800 && cp <= 0xdbff) {
        if (x->end - x->p < 6 || x->p[0] != '\\' || x->p[1] != 'u' ||
            !hex4(x->p + 2, x->end, &low) || low < 0xdc00 || low > 0xdfff)
            return refuse(x, "a high surrogate without its low half");
        x->p += 6;
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    *out += seam_utf8_put(cp, *out);
    return SEAM_OK;
}

static enum seam_status unescape(struct seam_parser *x, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *which;

    if (x->p + 1 >= x->end) return refuse(x, "the text ends inside an escape");
    x->p++;
    if (*x->p == 'u') {
        x->p++;
        return unescape_unicode(x, out);
    }
    which = *x->p != '\0' ? strchr(from, *x->p) : NULL;
    if (which == NULL) return refuse(x, "unknown escape");
    *(*out)++ = to[which - from];
    x->p++;
    return SEAM_OK;
}

/* x->p is at the opening quote. The closing one is found first, so that the copy is allocated once;
 * unescaping never makes text longer.                                                            */
static enum seam_status parse_string(struct seam_parser *x, const char **str, size_t *len)
{
    const char *close = x->p + 1;
    char *text, *out;

    for (; close < x->end && *close != '"'; close++) {
        if (*close == '\\') close++;
    }
    if (close >= x->end) return refuse(x, "a string that never ends");
    if (!seam_utf8_valid(x->p + 1, (size_t)(close - x->p - 1)))
        return refuse(x, "a string that is not UTF-8");
    text = out = seam_arena_alloc(x->arena, (size_t)(close - x->p));
    if (text == NULL) return no_memory(x);
    x->p++;
    while (x->p < close) {
        enum seam_status st;

        if (*x->p == '\\') {
            st = unescape(x, &out);
            if (st != SEAM_OK) return st;
        } else if ((unsigned char)*x->p < 0x20) {
            return refuse(x, "a control character in a string must be escaped");
        } else {
            *out++ = *x->p++;
        }
    }
    x->p = close + 1;
    *out = '\0';
    *str = text;
    *len = (size_t)(out - text);
    return SEAM_OK;
}

/* ---- numbers and words ---- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

static enum seam_status parse_number(struct seam_parser *x, struct seam_json *v)
{
    const char *start = x->p, *p = start, *from;

    if (p < x->end && *p == '-') p++;
    from = p;
    p = digits(p, x->end);
    if (p == from) return refuse(x, "expected a value");
    if (*from == '0' && p - from > 1) return refuse(x, "a number must not begin with 0");
    if (p < x->end && *p == '.') {
        from = ++p;
        p = digits(p, x->end);
        if (p == from) return refuse(x, "a number must have digits after its point");
    }
    if (p < x->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < x->end && (*p == '+' || *p == '-')) p++;
        from = p;
        p = digits(p, x->end);
        if (p == from) return refuse(x, "a number must have digits in its exponent");
    }
    v->type = SEAM_J_NUMBER;
    v->len = (size_t)(p - start);
    v->str = seam_arena_strdup(x->arena, start, v->len);
    if (v->str == NULL) return no_memory(x);
    if (seam_double_parse(start, v->len, &v->num) != SEAM_OK)
        return refuse(x, "a number too large");
    x->p = p;
    return SEAM_OK;
}

static bool take_word(struct seam_parser *x, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(x->end - x->p) < n || memcmp(x->p, word, n) != 0) return false;
    x->p += n;
    return true;
}

/* ---- values ---- */

static enum seam_status parse_value(struct seam_parser *x, struct seam_json *v);

static struct seam_json *new_node(struct seam_parser *x)
{
    struct seam_json *v = seam_arena_zalloc(x->arena, sizeof *v);

    if (v != NULL) {
        v->line = x->line;
        v->column = (uint32_t)(x->p - x->line_start + 1);
    }
    return v;
}

static int by_key(const void *a, const void *b)
{
    const struct seam_json *x = *(struct seam_json *const *)a, *y = *(struct seam_json *const *)b;
    int c = strcmp(x->key, y->key);

    if (c != 0) return c;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                              : (x->column > y->column) - (x->column < y->column);
}

/* Sorted, so that a hostile object with a million members costs n log n.                         */
static enum seam_status refuse_duplicates(struct seam_parser *x, const struct seam_json *object)
{
    struct seam_json *few[16], **members = few;
    size_t n = 0;

    if (object->len > SEAM_ARRAY_LEN(few)) {
        members = seam_arena_alloc(x->arena, object->len * sizeof *members);
        if (members == NULL) return no_memory(x);
    }
    for (struct seam_json *c = object->child; c != NULL; c = c->next) members[n++] = c;
    if (n < 2) return SEAM_OK;
    qsort(members, n, sizeof *members, by_key);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(members[i - 1]->key, members[i]->key) == 0)
            return seam_fault_set(x->fault, SEAM_INVALID, x->where, members[i]->line,
                                  "line %u, column %u: the member \"%.64s\" is there twice",
                                  (unsigned)members[i]->line, (unsigned)members[i]->column,
                                  members[i]->key);
    }
    return SEAM_OK;
}

static enum seam_status parse_key(struct seam_parser *x, struct seam_json *child)
{
    size_t len;
    enum seam_status st;

    if (x->p >= x->end || *x->p != '"') return refuse(x, "expected a member name in quotes");
    st = parse_string(x, &child->key, &len);
    if (st != SEAM_OK) return st;
    if (strlen(child->key) != len) return refuse(x, "a member name must not hold a zero character");
    skip_space(x);
    if (x->p >= x->end || *x->p != ':') return refuse(x, "expected ':' after the member name");
    x->p++;
    skip_space(x);
    child->line = x->line;
    child->column = (uint32_t)(x->p - x->line_start + 1);
    return SEAM_OK;
}

/* An array or an object: the same, but for the names.                                            */
static enum seam_status parse_children(struct seam_parser *x, struct seam_json *v, char close)
{
    struct seam_json **tail = &v->child;

    if (++x->depth > SEAM_JSON_DEPTH_MAX) return refuse(x, "nested deeper than 64");
    x->p++;
    skip_space(x);
    if (x->p < x->end && *x->p == close) {
        x->p++;
        x->depth--;
        return SEAM_OK;
    }
    for (;;) {
        struct seam_json *child = new_node(x);
        enum seam_status st;

        if (child == NULL) return no_memory(x);
        if (close == '}') {
            st = parse_key(x, child);
            if (st != SEAM_OK) return st;
        }
        st = parse_value(x, child);
        if (st != SEAM_OK) return st;
        *tail = child;
        tail = &child->next;
        v->len++;
        skip_space(x);
        if (x->p < x->end && *x->p == close) break;
        if (x->p >= x->end || *x->p != ',')
            return refuse(x, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        x->p++;
        skip_space(x);
    }
    x->p++;
    x->depth--;
    return close == '}' ? refuse_duplicates(x, v) : SEAM_OK;
}

static enum seam_status parse_value(struct seam_parser *x, struct seam_json *v)
{
    if (x->p >= x->end) return refuse(x, "the text ends where a value should be");
    switch (*x->p) {
    case '{': v->type = SEAM_J_OBJECT; return parse_children(x, v, '}');
    case '[': v->type = SEAM_J_ARRAY; return parse_children(x, v, ']');
    case '"': v->type = SEAM_J_STRING; return parse_string(x, &v->str, &v->len);
    case 't':
    case 'f':
        v->type = SEAM_J_BOOL;
        v->boolean = *x->p == 't';
        return take_word(x, v->boolean ? "true" : "false") ? SEAM_OK
                                                           : refuse(x, "expected a value");
    case 'n': return take_word(x, "null") ? SEAM_OK : refuse(x, "expected a value");
    default: return parse_number(x, v);
    }
}

enum seam_status seam_json_parse(const char *s, size_t n, struct seam_arena *a, const char *where,
                                 struct seam_json **out, struct seam_fault *f)
{
    struct seam_parser x = {
        .p = s, .end = s + n, .line_start = s, .line = 1, .arena = a, .where = where, .fault = f};
    struct seam_json *v;
    enum seam_status st;

    skip_space(&x);
    v = new_node(&x);
    if (v == NULL) return no_memory(&x);
    st = parse_value(&x, v);
    if (st != SEAM_OK) return st;
    skip_space(&x);
    if (x.p != x.end) return refuse(&x, "something follows the value");
    *out = v;
    return SEAM_OK;
}

const struct seam_json *seam_json_get(const struct seam_json *object, const char *key)
{
    if (object == NULL || object->type != SEAM_J_OBJECT) return NULL;
    for (const struct seam_json *c = object->child; c != NULL; c = c->next) {
        if (strcmp(c->key, key) == 0) return c;
    }
    return NULL;
}

const char *seam_json_string(const struct seam_json *object, const char *key, const char *otherwise)
{
    const struct seam_json *v = seam_json_get(object, key);

    return v != NULL && v->type == SEAM_J_STRING ? v->str : otherwise;
}

enum seam_status seam_json_only_members(const struct seam_json *object, const char *const *known,
                                        size_t count, const char *where, struct seam_fault *f)
{
    if (object->type != SEAM_J_OBJECT)
        return seam_fault_set(f, SEAM_INVALID, where, object->line, "line %u: expected an object",
                              (unsigned)object->line);
    for (const struct seam_json *c = object->child; c != NULL; c = c->next) {
        const char *near;
        size_t i = 0;

        while (i < count && strcmp(known[i], c->key) != 0) i++;
        if (i < count) continue;
        near = seam_nearest_name(c->key, known, count);
        return seam_fault_set(f, SEAM_INVALID, where, c->line,
                              "line %u: unknown member \"%.64s\"%s%s%s", (unsigned)c->line, c->key,
                              near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                              near != NULL ? "\"?" : "");
    }
    return SEAM_OK;
}

bool seam_json_int(const struct seam_json *v, int64_t *out)
{
    return v != NULL && v->type == SEAM_J_NUMBER && seam_int_parse(v->str, v->len, out) == SEAM_OK;
}
