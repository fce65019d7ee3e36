/* Rows as JSON objects: exact decimals, times and doubles that JSON has no numbers for are strings.
 */
#include <math.h>

#include "engine/text/json.h"
#include "engine/text/opts.h"
#include "engine/values/row.h"

void seam_jw_value(struct seam_json_writer *w, const struct seam_value *v)
{
    char text[40];

    switch ((enum seam_value_type)v->type) {
    case SEAM_V_INT: seam_jw_int(w, v->i); break;
    case SEAM_V_DOUBLE:
        if (isfinite(v->d))
            seam_jw_double(w, v->d);
        else
            seam_jw_strn(w, text, seam_double_format(v->d, text));
        break;
    case SEAM_V_DECIMAL: seam_jw_strn(w, text, seam_decimal_format(v->i, v->scale, text)); break;
    case SEAM_V_BOOL: seam_jw_bool(w, v->i != 0); break;
    case SEAM_V_TIME: seam_jw_strn(w, text, seam_time_format(v->i, text)); break;
    case SEAM_V_TEXT: seam_jw_strn(w, v->s, v->len); break;
    case SEAM_V_NULL:
    case SEAM_V_TYPE_COUNT: seam_jw_null(w); break;
    }
}

void seam_row_to_json(const struct seam_schema *s, const struct seam_value *values,
                      struct seam_buf *out)
{
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    for (uint16_t i = 0; i < s->column_count; i++) {
        if (!seam_column_live(&s->columns[i], s->version)) continue;
        seam_jw_key(&w, s->columns[i].name);
        seam_jw_value(&w, &values[i]);
    }
    seam_jw_end_object(&w);
}

static enum seam_status unknown_member(const struct seam_schema *s, const struct seam_json *member,
                                       struct seam_fault *f)
{
    const char *names[SEAM_COLUMNS_MAX], *near;
    size_t n = 0;

    for (uint16_t i = 0; i < s->column_count; i++) {
        if (seam_column_live(&s->columns[i], s->version)) names[n++] = s->columns[i].name;
    }
    near = seam_nearest_name(member->key, names, n);
    if (near != NULL)
        return seam_fault_set(f, SEAM_INVALID, s->name, member->line,
                              "no column \"%.64s\"; did you mean \"%s\"?", member->key, near);
    return seam_fault_set(f, SEAM_INVALID, s->name, member->line, "no column \"%.64s\"",
                          member->key);
}

static enum seam_status read_cell(const struct seam_schema *s, const struct seam_column *c,
                                  const struct seam_json *v, struct seam_value *out,
                                  struct seam_buf *text, struct seam_fault *f)
{
    enum seam_status st = SEAM_INVALID;

    *out = seam_v_null();
    if (v->type == SEAM_J_NULL) return SEAM_OK;
    if (v->type == SEAM_J_BOOL && c->type == SEAM_V_BOOL) {
        *out = seam_v_bool(v->boolean);
        return SEAM_OK;
    }
    if (v->type == SEAM_J_STRING && c->type == SEAM_V_TEXT) {
        size_t at = text->size;

        if (v->len > SEAM_TEXT_MAX)
            return seam_fault_set(f, SEAM_INVALID, s->name, v->line, "%s: a text of over %d bytes",
                                  c->name, SEAM_TEXT_MAX);
        seam_buf_append(text, v->str, v->len);
        if (!seam_buf_ok(text)) return seam_no_memory(f, "a text");
        *out = seam_v_text(v->len > 0 ? (const char *)text->data + at : "", v->len);
        return SEAM_OK;
    }
    if (v->type == SEAM_J_STRING || (v->type == SEAM_J_NUMBER && c->type != SEAM_V_TEXT &&
                                     c->type != SEAM_V_BOOL && c->type != SEAM_V_TIME))
        st = seam_value_parse(v->str, v->len, c->type, c->scale, out);
    if (st != SEAM_OK || out->type == SEAM_V_NULL)
        return seam_fault_set(f, SEAM_INVALID, s->name, v->line, "%s: expected a value of type %s",
                              c->name, seam_value_type_name(c->type));
    return SEAM_OK;
}

enum seam_status seam_row_from_json(const struct seam_schema *s, const char *json, size_t n,
                                    struct seam_value *values, struct seam_buf *text,
                                    struct seam_fault *f)
{
    struct seam_arena arena = {0};
    struct seam_json *root = NULL;
    enum seam_status st;

    st = seam_json_parse(json, n, &arena, s->name, &root, f);
    if (st != SEAM_OK) goto done;
    if (root->type != SEAM_J_OBJECT) {
        st = seam_fault_set(f, SEAM_INVALID, s->name, root->line, "a row is a JSON object");
        goto done;
    }
    /* All the text there can be, so that it does not move while values point into it. */
    if (!seam_buf_reserve(text, n)) {
        st = seam_no_memory(f, "a row's text");
        goto done;
    }
    for (uint16_t i = 0; i < s->column_count; i++)
        values[i] =
            seam_column_live(&s->columns[i], s->version) ? s->columns[i].def : seam_v_null();
    for (const struct seam_json *c = root->child; c != NULL; c = c->next) {
        int i = seam_schema_column(s, c->key);

        st =
            i >= 0 ? read_cell(s, &s->columns[i], c, &values[i], text, f) : unknown_member(s, c, f);
        if (st != SEAM_OK) goto done;
    }
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct seam_column *c = &s->columns[i];

        if (seam_column_live(c, s->version) && values[i].type == SEAM_V_NULL && !c->nullable) {
            st = seam_fault_set(f, SEAM_INVALID, s->name, root->line, "%s is missing or null",
                                c->name);
            goto done;
        }
    }
done:
    seam_arena_free(&arena);
    return st;
}
