/* A schema from its JSON form and back. Every member is known by name: a slip of the pen is refused
 * with the nearest name that exists, never ignored.                                              */
#include <stdlib.h>

#include "engine/text/json.h"
#include "engine/text/opts.h"
#include "engine/values/schema.h"

static const char *const table_members[] = {"table", "id", "version", "key", "columns", "indexes"};
static const char *const column_members[] = {"id",       "name",    "type",  "scale",
                                             "nullable", "default", "added", "dropped"};
static const char *const index_members[] = {"id", "name", "columns", "unique"};
static const char *const type_names[] = {"int64", "double", "decimal", "bool", "timestamp", "text"};

struct schema_reader {
    struct seam_schema *s;
    struct seam_arena arena;
    struct seam_fault *f;
};

#define REFUSE(x, node, ...)                                                                       \
    seam_fault_set((x)->f, SEAM_INVALID, "schema", (node)->line, __VA_ARGS__)

static enum seam_status read_name(struct schema_reader *x, const struct seam_json *object,
                                  const char *member, char out[SEAM_NAME_MAX_BYTES])
{
    const struct seam_json *v = seam_json_get(object, member);

    if (v == NULL)
        return REFUSE(x, object, "line %u: \"%s\" is missing", (unsigned)object->line, member);
    if (v->type != SEAM_J_STRING || v->len == 0 || v->len >= SEAM_NAME_MAX_BYTES ||
        memchr(v->str, 0, v->len) != NULL)
        return REFUSE(x, v, "line %u: \"%s\" must be a name of 1 to 63 letters, digits and _",
                      (unsigned)v->line, member);
    memset(out, 0, SEAM_NAME_MAX_BYTES);
    memcpy(out, v->str, v->len);
    return SEAM_OK;
}

/* What the one validator says, with the line it is about. */
static enum seam_status at_line(struct schema_reader *x, const struct seam_json *node,
                                const struct seam_fault *said)
{
    if (said->status == SEAM_OK) return SEAM_OK;
    return seam_fault_set(x->f, said->status, "schema", node->line, "line %u: %s",
                          (unsigned)node->line, said->why);
}

/* A whole number in [0, max]; *out keeps its value when the member is missing.                   */
static enum seam_status read_number(struct schema_reader *x, const struct seam_json *object,
                                    const char *member, uint32_t max, uint32_t *out)
{
    const struct seam_json *v = seam_json_get(object, member);
    int64_t n;

    if (v == NULL) return SEAM_OK;
    if (!seam_json_int(v, &n) || n < 0 || n > (int64_t)max)
        return REFUSE(x, v, "line %u: \"%s\" must be a whole number from 0 to %u",
                      (unsigned)v->line, member, (unsigned)max);
    *out = (uint32_t)n;
    return SEAM_OK;
}

static enum seam_status read_flag(struct schema_reader *x, const struct seam_json *object,
                                  const char *member, bool *out)
{
    const struct seam_json *v = seam_json_get(object, member);

    if (v == NULL) return SEAM_OK;
    if (v->type != SEAM_J_BOOL)
        return REFUSE(x, v, "line %u: \"%s\" must be true or false", (unsigned)v->line, member);
    *out = v->boolean;
    return SEAM_OK;
}

static enum seam_status read_default(struct schema_reader *x, const struct seam_json *object,
                                     struct seam_column *c)
{
    const struct seam_json *v = seam_json_get(object, "default");
    struct seam_value parsed = seam_v_null();
    const char *text;
    size_t n;
    char *copy;

    if (v == NULL || v->type == SEAM_J_NULL) return SEAM_OK;
    if (v->type == SEAM_J_ARRAY || v->type == SEAM_J_OBJECT)
        return REFUSE(x, v, "line %u: a default is a single value", (unsigned)v->line);
    text = v->type == SEAM_J_BOOL ? (v->boolean ? "true" : "false") : v->str;
    n = v->type == SEAM_J_BOOL ? strlen(text) : v->len;
    if (seam_value_parse(text, n, c->type, c->scale, &parsed) != SEAM_OK)
        return REFUSE(x, v, "line %u: the default of %s is no %s", (unsigned)v->line, c->name,
                      seam_value_type_name(c->type));
    if (parsed.type == SEAM_V_TEXT) {
        copy = malloc((size_t)parsed.len + 1);
        if (copy == NULL) return seam_no_memory(x->f, "a default");
        memcpy(copy, text, n);
        copy[n] = '\0';
        parsed.s = copy;
    }
    c->def = parsed;
    return SEAM_OK;
}

static enum seam_status read_type(struct schema_reader *x, const struct seam_json *object,
                                  struct seam_column *c)
{
    const char *type = seam_json_string(object, "type", NULL);
    const char *near;
    uint32_t scale = 0;
    enum seam_status st;

    if (type == NULL)
        return REFUSE(x, object, "line %u: column %s has no \"type\"", (unsigned)object->line,
                      c->name);
    if (!seam_value_type_parse(type, &c->type)) {
        near = seam_nearest_name(type, type_names, SEAM_ARRAY_LEN(type_names));
        return REFUSE(x, object, "line %u: column %s: no type \"%.32s\"; did you mean \"%s\"?",
                      (unsigned)object->line, c->name, type, near != NULL ? near : "text");
    }
    st = read_number(x, object, "scale", SEAM_DECIMAL_SCALE_MAX, &scale);
    if (st != SEAM_OK) return st;
    if (scale != 0 && c->type != SEAM_V_DECIMAL)
        return REFUSE(x, object, "line %u: column %s: only a decimal has a scale",
                      (unsigned)object->line, c->name);
    c->scale = (uint8_t)scale;
    return SEAM_OK;
}

static enum seam_status read_column(struct schema_reader *x, const struct seam_json *object)
{
    struct seam_schema *s = x->s;
    struct seam_column c = {.id = s->column_count + 1u, .added = 1};
    struct seam_fault said = {0};
    enum seam_status st = seam_json_only_members(object, column_members,
                                                 SEAM_ARRAY_LEN(column_members), "schema", x->f);

    if (st == SEAM_OK) st = read_name(x, object, "name", c.name);
    if (st == SEAM_OK) st = read_type(x, object, &c);
    if (st == SEAM_OK) st = read_number(x, object, "id", UINT32_MAX, &c.id);
    if (st == SEAM_OK) st = read_number(x, object, "added", UINT32_MAX, &c.added);
    if (st == SEAM_OK) st = read_number(x, object, "dropped", UINT32_MAX, &c.dropped);
    if (st == SEAM_OK) st = read_flag(x, object, "nullable", &c.nullable);
    if (st == SEAM_OK) st = read_default(x, object, &c);
    if (st != SEAM_OK) return st;
    s->columns[s->column_count++] = c;
    return seam_schema_check_column(s, s->column_count - 1u, &said) == SEAM_OK
               ? SEAM_OK
               : at_line(x, object, &said);
}

static enum seam_status read_columns(struct schema_reader *x, const struct seam_json *root)
{
    const struct seam_json *columns = seam_json_get(root, "columns");

    if (columns == NULL || columns->type != SEAM_J_ARRAY || columns->len == 0 ||
        columns->len > SEAM_COLUMNS_MAX)
        return REFUSE(x, root, "\"columns\" must be an array of 1 to %d columns", SEAM_COLUMNS_MAX);
    x->s->columns = calloc(columns->len, sizeof *x->s->columns);
    if (x->s->columns == NULL) return seam_no_memory(x->f, "the columns");
    for (const struct seam_json *c = columns->child; c != NULL; c = c->next) {
        enum seam_status st = read_column(x, c);

        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

/* An array of names of live columns.                                                             */
static enum seam_status read_positions(struct schema_reader *x, const struct seam_json *list,
                                       const char *what, uint16_t out[SEAM_KEY_COLUMNS_MAX],
                                       uint16_t *count)
{
    if (list == NULL || list->type != SEAM_J_ARRAY || list->len == 0 ||
        list->len > SEAM_KEY_COLUMNS_MAX)
        return seam_fault_set(
            x->f, SEAM_INVALID, "schema", list != NULL ? list->line : SEAM_FAULT_NO_OFFSET,
            "%s must be an array of 1 to %d column names", what, SEAM_KEY_COLUMNS_MAX);
    for (const struct seam_json *c = list->child; c != NULL; c = c->next) {
        int position = c->type == SEAM_J_STRING ? seam_schema_column(x->s, c->str) : -1;

        if (position < 0)
            return REFUSE(x, c, "line %u: %s names no column \"%.64s\"", (unsigned)c->line, what,
                          c->type == SEAM_J_STRING ? c->str : "");
        out[(*count)++] = (uint16_t)position;
    }
    return SEAM_OK;
}

static enum seam_status read_key(struct schema_reader *x, const struct seam_json *root)
{
    struct seam_schema *s = x->s;
    const struct seam_json *key = seam_json_get(root, "key");
    bool keyless = key != NULL && key->type == SEAM_J_ARRAY &&
                   key->len == 0; /* said so: a table that only grows */
    struct seam_fault said = {0};
    enum seam_status st =
        keyless ? SEAM_OK : read_positions(x, key, "\"key\"", s->key, &s->key_count);

    if (st != SEAM_OK) return st;
    return seam_schema_check_key(s, &said) == SEAM_OK ? SEAM_OK
                                                      : at_line(x, key != NULL ? key : root, &said);
}

static enum seam_status read_index(struct schema_reader *x, const struct seam_json *object)
{
    struct seam_schema *s = x->s;
    struct seam_index_def ix = {0};
    struct seam_fault said = {0};
    uint32_t id = s->index_count > 0 ? s->indexes[s->index_count - 1].id + 1u : 1u;
    enum seam_status st = seam_json_only_members(object, index_members,
                                                 SEAM_ARRAY_LEN(index_members), "schema", x->f);

    if (st == SEAM_OK) st = read_name(x, object, "name", ix.name);
    if (st == SEAM_OK) st = read_number(x, object, "id", UINT16_MAX, &id);
    if (st == SEAM_OK) st = read_flag(x, object, "unique", &ix.unique);
    if (st == SEAM_OK)
        st = read_positions(x, seam_json_get(object, "columns"), "an index's \"columns\"",
                            ix.columns, &ix.count);
    if (st != SEAM_OK) return st;
    ix.id = (uint16_t)id;
    s->indexes[s->index_count++] = ix;
    return seam_schema_check_index(s, s->index_count - 1u, &said) == SEAM_OK
               ? SEAM_OK
               : at_line(x, object, &said);
}

static enum seam_status read_indexes(struct schema_reader *x, const struct seam_json *root)
{
    const struct seam_json *list = seam_json_get(root, "indexes");

    if (list == NULL) return SEAM_OK;
    if (list->type != SEAM_J_ARRAY || list->len > SEAM_INDEXES_MAX)
        return REFUSE(x, list, "line %u: \"indexes\" must be an array of at most %d",
                      (unsigned)list->line, SEAM_INDEXES_MAX);
    for (const struct seam_json *c = list->child; c != NULL; c = c->next) {
        enum seam_status st = read_index(x, c);

        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

enum seam_status seam_schema_parse(const char *json, size_t n, struct seam_schema *out,
                                   struct seam_fault *f)
{
    struct seam_schema s = {.version = 1};
    struct schema_reader x = {.s = &s, .f = f};
    struct seam_fault said = {0};
    struct seam_json *root = NULL;
    enum seam_status st;

    st = seam_json_parse(json, n, &x.arena, "schema", &root, f);
    if (st == SEAM_OK)
        st = seam_json_only_members(root, table_members, SEAM_ARRAY_LEN(table_members), "schema",
                                    x.f);
    if (st == SEAM_OK) st = read_name(&x, root, "table", s.name);
    if (st == SEAM_OK) st = read_number(&x, root, "id", UINT32_MAX, &s.id);
    if (st == SEAM_OK) st = read_number(&x, root, "version", UINT32_MAX, &s.version);
    if (st == SEAM_OK && seam_schema_check_head(&s, &said) != SEAM_OK)
        st = at_line(&x, root, &said);
    if (st == SEAM_OK) st = read_columns(&x, root);
    if (st == SEAM_OK) st = read_key(&x, root);
    if (st == SEAM_OK) st = read_indexes(&x, root);
    if (st == SEAM_OK)
        *out = s;
    else
        seam_schema_free(&s);
    seam_arena_free(&x.arena);
    return st;
}

/* ---- writing ---- */

static void write_positions(struct seam_json_writer *w, const struct seam_schema *s,
                            const uint16_t *positions, uint16_t count)
{
    seam_jw_array(w);
    for (uint16_t i = 0; i < count; i++) seam_jw_str(w, s->columns[positions[i]].name);
    seam_jw_end_array(w);
}

static void write_column(struct seam_json_writer *w, const struct seam_column *c)
{
    struct seam_buf text = {0};

    seam_jw_object(w);
    seam_jw_key(w, "id");
    seam_jw_uint(w, c->id);
    seam_jw_key(w, "name");
    seam_jw_str(w, c->name);
    seam_jw_key(w, "type");
    seam_jw_str(w, seam_value_type_name(c->type));
    if (c->type == SEAM_V_DECIMAL) {
        seam_jw_key(w, "scale");
        seam_jw_uint(w, c->scale);
    }
    seam_jw_key(w, "nullable");
    seam_jw_bool(w, c->nullable);
    if (c->def.type != SEAM_V_NULL) {
        seam_jw_key(w, "default");
        seam_value_format(&c->def, &text);
        if (!seam_buf_ok(&text)) w->out->failed = true;
        seam_jw_strn(w, text.size > 0 ? (const char *)text.data : "", text.size);
        seam_buf_free(&text);
    }
    seam_jw_key(w, "added");
    seam_jw_uint(w, c->added);
    seam_jw_key(w, "dropped");
    seam_jw_uint(w, c->dropped);
    seam_jw_end_object(w);
}

void seam_schema_to_json(const struct seam_schema *s, struct seam_buf *out)
{
    struct seam_json_writer w;

    seam_jw_init(&w, out);
    seam_jw_object(&w);
    seam_jw_key(&w, "table");
    seam_jw_str(&w, s->name);
    seam_jw_key(&w, "id");
    seam_jw_uint(&w, s->id);
    seam_jw_key(&w, "version");
    seam_jw_uint(&w, s->version);
    seam_jw_key(&w, "key");
    write_positions(&w, s, s->key, s->key_count);
    seam_jw_key(&w, "columns");
    seam_jw_array(&w);
    for (uint16_t i = 0; i < s->column_count; i++) write_column(&w, &s->columns[i]);
    seam_jw_end_array(&w);
    seam_jw_key(&w, "indexes");
    seam_jw_array(&w);
    for (uint16_t i = 0; i < s->index_count; i++) {
        seam_jw_object(&w);
        seam_jw_key(&w, "id");
        seam_jw_uint(&w, s->indexes[i].id);
        seam_jw_key(&w, "name");
        seam_jw_str(&w, s->indexes[i].name);
        seam_jw_key(&w, "columns");
        write_positions(&w, s, s->indexes[i].columns, s->indexes[i].count);
        seam_jw_key(&w, "unique");
        seam_jw_bool(&w, s->indexes[i].unique);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
}
