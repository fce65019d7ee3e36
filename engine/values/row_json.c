/* Rows as JSON objects: exact decimals, times and doubles that JSON has no numbers for are strings.
 */
#include <math.h>

#include "engine/text/json.h"
#include "engine/text/opts.h"
#include "engine/values/row.h"

void jw_value(struct json_writer *w, const struct value *v)
{
    char text[40];

    switch ((enum value_type)v->type) {
    case V_INT: jw_int(w, v->i); break;
    case V_DOUBLE:
        if (isfinite(v->d))
            jw_double(w, v->d);
        else
            jw_strn(w, text, double_format(v->d, text));
        break;
    case V_DECIMAL: jw_strn(w, text, decimal_format(v->i, v->scale, text)); break;
    case V_BOOL: jw_bool(w, v->i != 0); break;
    case V_TIME: jw_strn(w, text, time_format(v->i, text)); break;
    case V_TEXT: jw_strn(w, v->s, v->len); break;
    case V_NULL:
    case V_TYPE_COUNT: jw_null(w); break;
    }
}

void row_to_json(const struct schema *s, const struct value *values, struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    for (uint16_t i = 0; i < s->column_count; i++) {
        if (!column_live(&s->columns[i], s->version)) continue;
        jw_key(&w, s->columns[i].name);
        jw_value(&w, &values[i]);
    }
    jw_end_object(&w);
}

static enum status unknown_member(const struct schema *s, const struct json *member,
                                  struct fault *f)
{
    const char *names[COLUMNS_MAX], *near;
    size_t n = 0;

    for (uint16_t i = 0; i < s->column_count; i++) {
        if (column_live(&s->columns[i], s->version)) names[n++] = s->columns[i].name;
    }
    near = nearest_name(member->key, names, n);
    if (near != NULL)
        return fault_set(f, ST_INVALID, s->name, member->line,
                         "no column \"%.64s\"; did you mean \"%s\"?", member->key, near);
    return fault_set(f, ST_INVALID, s->name, member->line, "no column \"%.64s\"", member->key);
}

static enum status read_cell(const struct schema *s, const struct column *c, const struct json *v,
                             struct value *out, struct buf *text, struct fault *f)
{
    enum status st = ST_INVALID;

    *out = v_null();
    if (v->type == J_NULL) return ST_OK;
    if (v->type == J_BOOL && c->type == V_BOOL) {
        *out = v_bool(v->boolean);
        return ST_OK;
    }
    if (v->type == J_STRING && c->type == V_TEXT) {
        size_t at = text->size;

        if (v->len > TEXT_MAX)
            return fault_set(f, ST_INVALID, s->name, v->line, "%s: a text of over %d bytes",
                             c->name, TEXT_MAX);
        buf_append(text, v->str, v->len);
        if (!buf_ok(text)) return fault_set(f, ST_NOMEM, s->name, v->line, "no memory for a text");
        *out = v_text(v->len > 0 ? (const char *)text->data + at : "", v->len);
        return ST_OK;
    }
    if (v->type == J_STRING ||
        (v->type == J_NUMBER && c->type != V_TEXT && c->type != V_BOOL && c->type != V_TIME))
        st = value_parse(v->str, v->len, c->type, c->scale, out);
    if (st != ST_OK || out->type == V_NULL)
        return fault_set(f, ST_INVALID, s->name, v->line, "%s: expected a value of type %s",
                         c->name, value_type_name(c->type));
    return ST_OK;
}

enum status row_from_json(const struct schema *s, const char *json, size_t n, struct value *values,
                          struct buf *text, struct fault *f)
{
    struct arena arena = {0};
    struct json *root = NULL;
    enum status st;

    st = json_parse(json, n, &arena, s->name, &root, f);
    if (st != ST_OK) goto done;
    if (root->type != J_OBJECT) {
        st = fault_set(f, ST_INVALID, s->name, root->line, "a row is a JSON object");
        goto done;
    }
    /* All the text there can be, so that it does not move while values point into it. */
    if (!buf_reserve(text, n)) {
        st = fault_set(f, ST_NOMEM, s->name, root->line, "no memory for a row's text");
        goto done;
    }
    for (uint16_t i = 0; i < s->column_count; i++)
        values[i] = column_live(&s->columns[i], s->version) ? s->columns[i].def : v_null();
    for (const struct json *c = root->child; c != NULL; c = c->next) {
        int i = schema_column(s, c->key);

        st =
            i >= 0 ? read_cell(s, &s->columns[i], c, &values[i], text, f) : unknown_member(s, c, f);
        if (st != ST_OK) goto done;
    }
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct column *c = &s->columns[i];

        if (column_live(c, s->version) && values[i].type == V_NULL && !c->nullable) {
            st = fault_set(f, ST_INVALID, s->name, root->line, "%s is missing or null", c->name);
            goto done;
        }
    }
done:
    arena_free(&arena);
    return st;
}
