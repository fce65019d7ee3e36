/* json_writer - JSON out: commas, quotes and escapes, so that no caller thinks of them. */
#include <assert.h>
#include <math.h>

#include "engine/text/json.h"
#include "engine/values/utf8.h"
#include "engine/values/value.h"

void seam_jw_init(struct seam_json_writer *w, struct seam_buf *out)
{
    *w = (struct seam_json_writer){.out = out};
}

/* A comma where one is due; a value after a key never needs one.                                 */
static void separate(struct seam_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->comma[w->depth]) seam_buf_u8(w->out, ',');
    w->comma[w->depth] = true;
}

static void open_nested(struct seam_json_writer *w, char c)
{
    separate(w);
    assert(w->depth < SEAM_JSON_DEPTH_MAX);
    seam_buf_u8(w->out, (uint8_t)c);
    w->comma[++w->depth] = false;
}

static void close_nested(struct seam_json_writer *w, char c)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    seam_buf_u8(w->out, (uint8_t)c);
}

void seam_jw_object(struct seam_json_writer *w)
{
    open_nested(w, '{');
}
void seam_jw_end_object(struct seam_json_writer *w)
{
    close_nested(w, '}');
}
void seam_jw_array(struct seam_json_writer *w)
{
    open_nested(w, '[');
}
void seam_jw_end_array(struct seam_json_writer *w)
{
    close_nested(w, ']');
}

static void put_escape(struct seam_buf *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *which = c != 0 ? strchr(from, c) : NULL;

    if (which != NULL) {
        char pair[2] = {'\\', to[which - from]};

        seam_buf_append(out, pair, 2);
    } else {
        seam_buf_printf(out, "\\u%04x", c);
    }
}

/* Runs of plain bytes are copied at once.                                                        */
static void put_string(struct seam_buf *out, const char *s, size_t n)
{
    const char *p = s, *end = s + n, *run = s;

    seam_buf_u8(out, '"');
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        const char *at = p;

        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        if (c >= 0x80) {
            bool valid = !(seam_utf8_next(&p, end) == 0xfffd && p - at == 1);

            if (valid) continue;
        } else {
            p++;
        }
        seam_buf_append(out, run, (size_t)(at - run));
        if (c >= 0x80)
            seam_buf_append(out, "\xef\xbf\xbd", 3);
        else
            put_escape(out, c);
        run = p;
    }
    seam_buf_append(out, run, (size_t)(end - run));
    seam_buf_u8(out, '"');
}

void seam_jw_key(struct seam_json_writer *w, const char *key)
{
    assert(!w->after_key);
    separate(w);
    put_string(w->out, key, strlen(key));
    seam_buf_u8(w->out, ':');
    w->after_key = true;
}

void seam_jw_strn(struct seam_json_writer *w, const char *s, size_t n)
{
    separate(w);
    put_string(w->out, s, n);
}

void seam_jw_str(struct seam_json_writer *w, const char *s)
{
    seam_jw_strn(w, s, strlen(s));
}

void seam_jw_raw(struct seam_json_writer *w, const char *json, size_t n)
{
    separate(w);
    seam_buf_append(w->out, json, n);
}

void seam_jw_int(struct seam_json_writer *w, int64_t v)
{
    char text[32];

    seam_jw_raw(w, text, seam_decimal_format(v, 0, text));
}

void seam_jw_uint(struct seam_json_writer *w, uint64_t v)
{
    separate(w);
    seam_buf_printf(w->out, "%llu", (unsigned long long)v);
}

void seam_jw_double(struct seam_json_writer *w, double v)
{
    char text[32];

    if (isfinite(v))
        seam_jw_raw(w, text, seam_double_format(v, text));
    else
        seam_jw_null(w);
}

void seam_jw_bool(struct seam_json_writer *w, bool v)
{
    seam_jw_raw(w, v ? "true" : "false", v ? 4 : 5);
}
void seam_jw_null(struct seam_json_writer *w)
{
    seam_jw_raw(w, "null", 4);
}

/* Depth is bounded by the parser (SEAM_JSON_DEPTH_MAX), so the recursion is.                          */
void seam_jw_node(struct seam_json_writer *w, const struct seam_json *v)
{
    switch (v->type) {
    case SEAM_J_NULL: seam_jw_null(w); break;
    case SEAM_J_BOOL: seam_jw_bool(w, v->boolean); break;
    case SEAM_J_NUMBER: seam_jw_raw(w, v->str, v->len); break;
    case SEAM_J_STRING: seam_jw_strn(w, v->str, v->len); break;
    case SEAM_J_ARRAY:
        seam_jw_array(w);
        for (const struct seam_json *c = v->child; c != NULL; c = c->next) seam_jw_node(w, c);
        seam_jw_end_array(w);
        break;
    case SEAM_J_OBJECT:
        seam_jw_object(w);
        for (const struct seam_json *c = v->child; c != NULL; c = c->next) {
            seam_jw_key(w, c->key);
            seam_jw_node(w, c);
        }
        seam_jw_end_object(w);
        break;
    }
}
