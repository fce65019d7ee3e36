#include <assert.h>
#include <math.h>

#include "engine/text/json.h"
#include "engine/values/utf8.h"
#include "engine/values/value.h"

void jw_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

/* A comma where one is due; a value after a key never needs one.                                 */
static void separate(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->comma[w->depth]) buf_u8(w->out, ',');
    w->comma[w->depth] = true;
}

static void open_nested(struct json_writer *w, char c)
{
    separate(w);
    assert(w->depth < JSON_DEPTH_MAX);
    buf_u8(w->out, (uint8_t)c);
    w->comma[++w->depth] = false;
}

static void close_nested(struct json_writer *w, char c)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_u8(w->out, (uint8_t)c);
}

void jw_object(struct json_writer *w)
{
    open_nested(w, '{');
}
void jw_end_object(struct json_writer *w)
{
    close_nested(w, '}');
}
void jw_array(struct json_writer *w)
{
    open_nested(w, '[');
}
void jw_end_array(struct json_writer *w)
{
    close_nested(w, ']');
}

static void put_escape(struct buf *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *which = c != 0 ? strchr(from, c) : NULL;

    if (which != NULL) {
        char pair[2] = {'\\', to[which - from]};

        buf_append(out, pair, 2);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

/* Runs of plain bytes are copied at once.                                                        */
static void put_string(struct buf *out, const char *s, size_t n)
{
    const char *p = s, *end = s + n, *run = s;

    buf_u8(out, '"');
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        const char *at = p;

        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        if (c >= 0x80) {
            bool valid = !(utf8_next(&p, end) == 0xfffd && p - at == 1);

            if (valid) continue;
        } else {
            p++;
        }
        buf_append(out, run, (size_t)(at - run));
        if (c >= 0x80)
            buf_append(out, "\xef\xbf\xbd", 3);
        else
            put_escape(out, c);
        run = p;
    }
    buf_append(out, run, (size_t)(end - run));
    buf_u8(out, '"');
}

void jw_key(struct json_writer *w, const char *key)
{
    assert(!w->after_key);
    separate(w);
    put_string(w->out, key, strlen(key));
    buf_u8(w->out, ':');
    w->after_key = true;
}

void jw_strn(struct json_writer *w, const char *s, size_t n)
{
    separate(w);
    put_string(w->out, s, n);
}

void jw_str(struct json_writer *w, const char *s)
{
    jw_strn(w, s, strlen(s));
}

void jw_raw(struct json_writer *w, const char *json, size_t n)
{
    separate(w);
    buf_append(w->out, json, n);
}

void jw_int(struct json_writer *w, int64_t v)
{
    char text[32];

    jw_raw(w, text, decimal_format(v, 0, text));
}

void jw_uint(struct json_writer *w, uint64_t v)
{
    separate(w);
    buf_printf(w->out, "%llu", (unsigned long long)v);
}

void jw_double(struct json_writer *w, double v)
{
    char text[32];

    if (isfinite(v))
        jw_raw(w, text, double_format(v, text));
    else
        jw_null(w);
}

void jw_bool(struct json_writer *w, bool v)
{
    jw_raw(w, v ? "true" : "false", v ? 4 : 5);
}
void jw_null(struct json_writer *w)
{
    jw_raw(w, "null", 4);
}

/* Depth is bounded by the parser (JSON_DEPTH_MAX), so the recursion is.                          */
void jw_node(struct json_writer *w, const struct json *v)
{
    switch (v->type) {
    case J_NULL: jw_null(w); break;
    case J_BOOL: jw_bool(w, v->boolean); break;
    case J_NUMBER: jw_raw(w, v->str, v->len); break;
    case J_STRING: jw_strn(w, v->str, v->len); break;
    case J_ARRAY:
        jw_array(w);
        for (const struct json *c = v->child; c != NULL; c = c->next)
            jw_node(w, c);
        jw_end_array(w);
        break;
    case J_OBJECT:
        jw_object(w);
        for (const struct json *c = v->child; c != NULL; c = c->next) {
            jw_key(w, c->key);
            jw_node(w, c);
        }
        jw_end_object(w);
        break;
    }
}
