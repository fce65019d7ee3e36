#include "engine/values/schema.h"

#include <stdlib.h>

bool column_live(const struct column *c, uint32_t version)
{
    return c->added <= version && (c->dropped == 0 || version < c->dropped);
}

int schema_column(const struct schema *s, const char *name)
{
    for (int i = 0; i < s->column_count; i++) {
        if (column_live(&s->columns[i], s->version) && strcmp(s->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static void free_default(struct column *c)
{
    if (c->def.type == V_TEXT) free((char *)(uintptr_t)c->def.s);
    c->def = v_null();
}

/* A copy whose text is its own.                                                                  */
static enum status copy_default(const struct value *from, struct value *to)
{
    char *text;

    *to = *from;
    if (from->type != V_TEXT) return ST_OK;
    text = malloc((size_t)from->len + 1);
    if (text == NULL) {
        *to = v_null();
        return ST_NOMEM;
    }
    memcpy(text, from->s, from->len);
    text[from->len] = '\0';
    to->s = text;
    return ST_OK;
}

void schema_free(struct schema *s)
{
    for (int i = 0; i < s->column_count; i++)
        free_default(&s->columns[i]);
    free(s->columns);
    *s = (struct schema){0};
}

enum status schema_clone(const struct schema *s, struct schema *out)
{
    struct schema copy = *s;
    enum status st = ST_OK;

    copy.columns = malloc(sizeof *copy.columns * (s->column_count > 0 ? s->column_count : 1));
    if (copy.columns == NULL) return ST_NOMEM;
    for (int i = 0; i < s->column_count; i++) {
        copy.columns[i] = s->columns[i];
        copy.columns[i].def = v_null();
        if (st == ST_OK) st = copy_default(&s->columns[i].def, &copy.columns[i].def);
    }
    if (st != ST_OK)
        schema_free(&copy);
    else
        *out = copy;
    return st;
}

/* ---- evolution ---- */

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, NAME_MAX_BYTES);

    if (n == 0 || n == NAME_MAX_BYTES || (name[0] >= '0' && name[0] <= '9')) return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

enum status schema_add_column(struct schema *s, const struct column *c, struct fault *f)
{
    struct column *grown, added = *c;
    enum status st;

    if (s->column_count >= COLUMNS_MAX)
        return fault_set(f, ST_LIMIT, s->name, FAULT_NO_OFFSET,
                         "a table may have at most %d columns, "
                         "counting dropped ones",
                         COLUMNS_MAX);
    if (!name_ok(c->name) || (unsigned)c->type >= V_TYPE_COUNT || c->type == V_NULL ||
        c->scale > DECIMAL_SCALE_MAX)
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET,
                         "column \"%.63s\" has no valid name, type "
                         "or scale",
                         c->name);
    if (schema_column(s, c->name) >= 0)
        return fault_set(f, ST_EXISTS, s->name, FAULT_NO_OFFSET, "column %s is there already",
                         c->name);
    if (c->def.type == V_NULL ? !c->nullable : c->def.type != c->type)
        return fault_set(
            f, ST_INVALID, s->name, FAULT_NO_OFFSET,
            "column %s needs a default of its own type for the rows that are there already",
            c->name);
    added.id = s->column_count > 0 ? s->columns[s->column_count - 1].id + 1 : 1;
    added.added = s->version + 1;
    added.dropped = 0;
    if (c->type == V_DECIMAL && c->def.type == V_DECIMAL) {
        st = decimal_rescale(c->def.i, c->def.scale, c->scale, &added.def.i);
        added.def.scale = c->scale;
        if (st != ST_OK)
            return fault_set(f, st, s->name, FAULT_NO_OFFSET,
                             "default of %s does not fit its scale", c->name);
    }
    st = copy_default(&added.def, &added.def);
    if (st != ST_OK) return fault_set(f, st, s->name, FAULT_NO_OFFSET, "no memory for a column");
    grown = realloc(s->columns, sizeof *grown * (s->column_count + 1u));
    if (grown == NULL) {
        free_default(&added);
        return fault_set(f, ST_NOMEM, s->name, FAULT_NO_OFFSET, "no memory for a column");
    }
    s->columns = grown;
    s->columns[s->column_count++] = added;
    s->version++;
    return ST_OK;
}

static bool in_positions(const uint16_t *positions, uint16_t count, int position)
{
    for (uint16_t i = 0; i < count; i++) {
        if (positions[i] == position) return true;
    }
    return false;
}

enum status schema_drop_column(struct schema *s, const char *name, struct fault *f)
{
    int i = schema_column(s, name);

    if (i < 0) return fault_set(f, ST_NOT_FOUND, s->name, FAULT_NO_OFFSET, "no column %.63s", name);
    if (in_positions(s->key, s->key_count, i))
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "%.63s is part of the key", name);
    for (int x = 0; x < s->index_count; x++) {
        if (in_positions(s->indexes[x].columns, s->indexes[x].count, i))
            return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "%.63s is part of index %s",
                             name, s->indexes[x].name);
    }
    s->columns[i].dropped = ++s->version;
    return ST_OK;
}

enum status schema_rename_column(struct schema *s, const char *from, const char *to,
                                 struct fault *f)
{
    int i = schema_column(s, from);

    if (i < 0) return fault_set(f, ST_NOT_FOUND, s->name, FAULT_NO_OFFSET, "no column %.63s", from);
    if (!name_ok(to))
        return fault_set(f, ST_INVALID, s->name, FAULT_NO_OFFSET, "\"%.63s\" is no valid name", to);
    if (schema_column(s, to) >= 0)
        return fault_set(f, ST_EXISTS, s->name, FAULT_NO_OFFSET, "column %s is there already", to);
    memset(s->columns[i].name, 0, NAME_MAX_BYTES);
    memcpy(s->columns[i].name, to, strlen(to));
    s->version++;
    return ST_OK;
}
