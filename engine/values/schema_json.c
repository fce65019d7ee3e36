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
    struct schema *s;
    struct arena arena;
    struct fault *f;
};

#define REFUSE(x, node, ...) fault_set((x)->f, ST_INVALID, "schema", (node)->line, __VA_ARGS__)

static enum status read_name(struct schema_reader *x, const struct json *object, const char *member,
                             char out[NAME_MAX_BYTES])
{
    const struct json *v = json_get(object, member);

    if (v == NULL)
        return REFUSE(x, object, "line %u: \"%s\" is missing", (unsigned)object->line, member);
    if (v->type != J_STRING || v->len == 0 || v->len >= NAME_MAX_BYTES)
        return REFUSE(x, v, "line %u: \"%s\" must be a name of 1 to 63 letters", (unsigned)v->line,
                      member);
    for (size_t i = 0; i < v->len; i++) {
        char c = v->str[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return REFUSE(x, v, "line %u: \"%s\": a name has letters, digits and _ only",
                          (unsigned)v->line, member);
    }
    memset(out, 0, NAME_MAX_BYTES);
    memcpy(out, v->str, v->len);
    return ST_OK;
}

/* A whole number in [0, max]; *out keeps its value when the member is missing.                   */
static enum status read_number(struct schema_reader *x, const struct json *object,
                               const char *member, uint32_t max, uint32_t *out)
{
    const struct json *v = json_get(object, member);
    int64_t n;

    if (v == NULL) return ST_OK;
    if (!json_int(v, &n) || n < 0 || n > (int64_t)max)
        return REFUSE(x, v, "line %u: \"%s\" must be a whole number from 0 to %u",
                      (unsigned)v->line, member, (unsigned)max);
    *out = (uint32_t)n;
    return ST_OK;
}

static enum status read_flag(struct schema_reader *x, const struct json *object, const char *member,
                             bool *out)
{
    const struct json *v = json_get(object, member);

    if (v == NULL) return ST_OK;
    if (v->type != J_BOOL)
        return REFUSE(x, v, "line %u: \"%s\" must be true or false", (unsigned)v->line, member);
    *out = v->boolean;
    return ST_OK;
}

static enum status read_default(struct schema_reader *x, const struct json *object,
                                struct column *c)
{
    const struct json *v = json_get(object, "default");
    struct value parsed = v_null();
    const char *text;
    size_t n;
    char *copy;

    if (v == NULL || v->type == J_NULL) return ST_OK;
    if (v->type == J_ARRAY || v->type == J_OBJECT)
        return REFUSE(x, v, "line %u: a default is a single value", (unsigned)v->line);
    text = v->type == J_BOOL ? (v->boolean ? "true" : "false") : v->str;
    n = v->type == J_BOOL ? strlen(text) : v->len;
    if (value_parse(text, n, c->type, c->scale, &parsed) != ST_OK)
        return REFUSE(x, v, "line %u: the default of %s is no %s", (unsigned)v->line, c->name,
                      value_type_name(c->type));
    if (parsed.type == V_TEXT) {
        copy = malloc((size_t)parsed.len + 1);
        if (copy == NULL)
            return fault_set(x->f, ST_NOMEM, "schema", v->line, "no memory for a default");
        memcpy(copy, text, n);
        copy[n] = '\0';
        parsed.s = copy;
    }
    c->def = parsed;
    return ST_OK;
}

static enum status read_type(struct schema_reader *x, const struct json *object, struct column *c)
{
    const char *type = json_string(object, "type", NULL);
    const char *near;
    uint32_t scale = 0;
    enum status st;

    if (type == NULL)
        return REFUSE(x, object, "line %u: column %s has no \"type\"", (unsigned)object->line,
                      c->name);
    if (!value_type_parse(type, &c->type)) {
        near = nearest_name(type, type_names, ARRAY_LEN(type_names));
        return REFUSE(x, object, "line %u: column %s: no type \"%.32s\"; did you mean \"%s\"?",
                      (unsigned)object->line, c->name, type, near != NULL ? near : "text");
    }
    st = read_number(x, object, "scale", DECIMAL_SCALE_MAX, &scale);
    if (st != ST_OK) return st;
    if (scale != 0 && c->type != V_DECIMAL)
        return REFUSE(x, object, "line %u: column %s: only a decimal has a scale",
                      (unsigned)object->line, c->name);
    c->scale = (uint8_t)scale;
    return ST_OK;
}

static enum status check_versions(struct schema_reader *x, const struct json *object,
                                  const struct column *c)
{
    const struct schema *s = x->s;

    if (c->id == 0 || (s->column_count > 0 && c->id <= s->columns[s->column_count - 1].id))
        return REFUSE(x, object, "line %u: column %s: ids must rise", (unsigned)object->line,
                      c->name);
    if (c->added == 0 || c->added > s->version ||
        (c->dropped != 0 && (c->dropped <= c->added || c->dropped > s->version)))
        return REFUSE(
            x, object,
            "line %u: column %s: added and dropped must lie in order within versions 1 to %u",
            (unsigned)object->line, c->name, (unsigned)s->version);
    if (column_live(c, s->version) && schema_column(s, c->name) >= 0)
        return REFUSE(x, object, "line %u: column %s is there twice", (unsigned)object->line,
                      c->name);
    return ST_OK;
}

static enum status read_column(struct schema_reader *x, const struct json *object)
{
    struct schema *s = x->s;
    struct column c = {.id = s->column_count + 1u, .added = 1};
    enum status st = json_only_members(object, column_members, ARRAY_LEN(column_members), "schema", x->f);

    if (st == ST_OK) st = read_name(x, object, "name", c.name);
    if (st == ST_OK) st = read_type(x, object, &c);
    if (st == ST_OK) st = read_number(x, object, "id", UINT32_MAX, &c.id);
    if (st == ST_OK) st = read_number(x, object, "added", UINT32_MAX, &c.added);
    if (st == ST_OK) st = read_number(x, object, "dropped", UINT32_MAX, &c.dropped);
    if (st == ST_OK) st = read_flag(x, object, "nullable", &c.nullable);
    if (st == ST_OK) st = check_versions(x, object, &c);
    if (st == ST_OK) st = read_default(x, object, &c);
    if (st == ST_OK && c.added > 1 && !c.nullable && c.def.type == V_NULL)
        st = REFUSE(x, object, "line %u: column %s: rows older than it need a default",
                    (unsigned)object->line, c.name);
    if (st == ST_OK) s->columns[s->column_count++] = c;
    return st;
}

static enum status read_columns(struct schema_reader *x, const struct json *root)
{
    const struct json *columns = json_get(root, "columns");

    if (columns == NULL || columns->type != J_ARRAY || columns->len == 0 ||
        columns->len > COLUMNS_MAX)
        return REFUSE(x, root, "\"columns\" must be an array of 1 to %d columns", COLUMNS_MAX);
    x->s->columns = calloc(columns->len, sizeof *x->s->columns);
    if (x->s->columns == NULL)
        return fault_set(x->f, ST_NOMEM, "schema", columns->line, "no memory for the columns");
    for (const struct json *c = columns->child; c != NULL; c = c->next) {
        enum status st = read_column(x, c);

        if (st != ST_OK) return st;
    }
    return ST_OK;
}

/* An array of names of live columns, each at most once.                                          */
static enum status read_positions(struct schema_reader *x, const struct json *list,
                                  const char *what, uint16_t out[KEY_COLUMNS_MAX], uint16_t *count)
{
    if (list == NULL || list->type != J_ARRAY || list->len == 0 || list->len > KEY_COLUMNS_MAX)
        return fault_set(x->f, ST_INVALID, "schema", list != NULL ? list->line : FAULT_NO_OFFSET,
                         "%s must be an array of 1 to %d column names", what, KEY_COLUMNS_MAX);
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        int position = c->type == J_STRING ? schema_column(x->s, c->str) : -1;

        if (position < 0)
            return REFUSE(x, c, "line %u: %s names no column \"%.64s\"", (unsigned)c->line, what,
                          c->type == J_STRING ? c->str : "");
        for (uint16_t i = 0; i < *count; i++) {
            if (out[i] == position)
                return REFUSE(x, c, "line %u: %s names %s twice", (unsigned)c->line, what, c->str);
        }
        out[(*count)++] = (uint16_t)position;
    }
    return ST_OK;
}

static enum status read_key(struct schema_reader *x, const struct json *root)
{
    struct schema *s = x->s;
    const struct json *key = json_get(root, "key");
    bool keyless =
        key != NULL && key->type == J_ARRAY && key->len == 0; /* said so: a table that only grows */
    enum status st = keyless ? ST_OK : read_positions(x, key, "\"key\"", s->key, &s->key_count);

    for (uint16_t i = 0; st == ST_OK && i < s->key_count; i++) {
        const struct column *c = &s->columns[s->key[i]];

        if (c->nullable || c->added != 1)
            st = REFUSE(x, root, "key column %s must not be nullable, nor younger than the table",
                        c->name);
    }
    return st;
}

static enum status read_index(struct schema_reader *x, const struct json *object)
{
    struct schema *s = x->s;
    struct index_def ix = {0};
    uint32_t id = s->index_count > 0 ? s->indexes[s->index_count - 1].id + 1u : 1u;
    enum status st = json_only_members(object, index_members, ARRAY_LEN(index_members), "schema", x->f);

    if (st == ST_OK) st = read_name(x, object, "name", ix.name);
    if (st == ST_OK) st = read_number(x, object, "id", UINT16_MAX, &id);
    if (st == ST_OK) st = read_flag(x, object, "unique", &ix.unique);
    if (st == ST_OK)
        st = read_positions(x, json_get(object, "columns"), "an index's \"columns\"", ix.columns,
                            &ix.count);
    if (st != ST_OK) return st;
    if (id == 0 || (s->index_count > 0 && id <= s->indexes[s->index_count - 1].id))
        return REFUSE(x, object, "line %u: index %s: ids must rise", (unsigned)object->line,
                      ix.name);
    for (uint16_t i = 0; i < s->index_count; i++) {
        if (strcmp(s->indexes[i].name, ix.name) == 0)
            return REFUSE(x, object, "line %u: index %s is there twice", (unsigned)object->line,
                          ix.name);
    }
    ix.id = (uint16_t)id;
    s->indexes[s->index_count++] = ix;
    return ST_OK;
}

static enum status read_indexes(struct schema_reader *x, const struct json *root)
{
    const struct json *list = json_get(root, "indexes");

    if (list == NULL) return ST_OK;
    if (list->type != J_ARRAY || list->len > INDEXES_MAX)
        return REFUSE(x, list, "line %u: \"indexes\" must be an array of at most %d",
                      (unsigned)list->line, INDEXES_MAX);
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        enum status st = read_index(x, c);

        if (st != ST_OK) return st;
    }
    return ST_OK;
}

enum status schema_parse(const char *json, size_t n, struct schema *out, struct fault *f)
{
    struct schema s = {.version = 1};
    struct schema_reader x = {.s = &s, .f = f};
    struct json *root = NULL;
    enum status st;

    st = json_parse(json, n, &x.arena, "schema", &root, f);
    if (st == ST_OK) st = json_only_members(root, table_members, ARRAY_LEN(table_members), "schema", x.f);
    if (st == ST_OK) st = read_name(&x, root, "table", s.name);
    if (st == ST_OK) st = read_number(&x, root, "id", UINT32_MAX, &s.id);
    if (st == ST_OK) st = read_number(&x, root, "version", UINT32_MAX, &s.version);
    if (st == ST_OK && s.version == 0) st = REFUSE(&x, root, "versions count from 1");
    if (st == ST_OK) st = read_columns(&x, root);
    if (st == ST_OK) st = read_key(&x, root);
    if (st == ST_OK) st = read_indexes(&x, root);
    if (st == ST_OK)
        *out = s;
    else
        schema_free(&s);
    arena_free(&x.arena);
    return st;
}

/* ---- writing ---- */

static void write_positions(struct json_writer *w, const struct schema *s,
                            const uint16_t *positions, uint16_t count)
{
    jw_array(w);
    for (uint16_t i = 0; i < count; i++)
        jw_str(w, s->columns[positions[i]].name);
    jw_end_array(w);
}

static void write_column(struct json_writer *w, const struct column *c)
{
    struct buf text = {0};

    jw_object(w);
    jw_key(w, "id");
    jw_uint(w, c->id);
    jw_key(w, "name");
    jw_str(w, c->name);
    jw_key(w, "type");
    jw_str(w, value_type_name(c->type));
    if (c->type == V_DECIMAL) {
        jw_key(w, "scale");
        jw_uint(w, c->scale);
    }
    jw_key(w, "nullable");
    jw_bool(w, c->nullable);
    if (c->def.type != V_NULL) {
        jw_key(w, "default");
        value_format(&c->def, &text);
        if (!buf_ok(&text)) w->out->failed = true;
        jw_strn(w, text.size > 0 ? (const char *)text.data : "", text.size);
        buf_free(&text);
    }
    jw_key(w, "added");
    jw_uint(w, c->added);
    jw_key(w, "dropped");
    jw_uint(w, c->dropped);
    jw_end_object(w);
}

void schema_to_json(const struct schema *s, struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "table");
    jw_str(&w, s->name);
    jw_key(&w, "id");
    jw_uint(&w, s->id);
    jw_key(&w, "version");
    jw_uint(&w, s->version);
    jw_key(&w, "key");
    write_positions(&w, s, s->key, s->key_count);
    jw_key(&w, "columns");
    jw_array(&w);
    for (uint16_t i = 0; i < s->column_count; i++)
        write_column(&w, &s->columns[i]);
    jw_end_array(&w);
    jw_key(&w, "indexes");
    jw_array(&w);
    for (uint16_t i = 0; i < s->index_count; i++) {
        jw_object(&w);
        jw_key(&w, "id");
        jw_uint(&w, s->indexes[i].id);
        jw_key(&w, "name");
        jw_str(&w, s->indexes[i].name);
        jw_key(&w, "columns");
        write_positions(&w, s, s->indexes[i].columns, s->indexes[i].count);
        jw_key(&w, "unique");
        jw_bool(&w, s->indexes[i].unique);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
}
