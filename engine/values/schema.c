/* schema - tables, their columns and indexes as JSON, and how they may change. */
#include "engine/values/schema.h"

#include <stdlib.h>

bool seam_column_live(const struct seam_column *c, uint32_t version)
{
    return c->added <= version && (c->dropped == 0 || version < c->dropped);
}

int seam_schema_column(const struct seam_schema *s, const char *name)
{
    for (int i = 0; i < s->column_count; i++) {
        if (seam_column_live(&s->columns[i], s->version) && strcmp(s->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static void free_default(struct seam_column *c)
{
    if (c->def.type == SEAM_V_TEXT) free((char *)(uintptr_t)c->def.s);
    c->def = seam_v_null();
}

/* A copy whose text is its own.                                                                  */
static enum seam_status copy_default(const struct seam_value *from, struct seam_value *to)
{
    char *text;

    *to = *from;
    if (from->type != SEAM_V_TEXT) return SEAM_OK;
    text = malloc((size_t)from->len + 1);
    if (text == NULL) {
        *to = seam_v_null();
        return SEAM_NOMEM;
    }
    memcpy(text, from->s, from->len);
    text[from->len] = '\0';
    to->s = text;
    return SEAM_OK;
}

void seam_schema_free(struct seam_schema *s)
{
    for (int i = 0; i < s->column_count; i++) free_default(&s->columns[i]);
    free(s->columns);
    *s = (struct seam_schema){0};
}

enum seam_status seam_schema_clone(const struct seam_schema *s, struct seam_schema *out)
{
    struct seam_schema copy = *s;
    enum seam_status st = SEAM_OK;

    copy.columns = malloc(sizeof *copy.columns * (s->column_count > 0 ? s->column_count : 1));
    if (copy.columns == NULL) return SEAM_NOMEM;
    for (int i = 0; i < s->column_count; i++) {
        copy.columns[i] = s->columns[i];
        copy.columns[i].def = seam_v_null();
        if (st == SEAM_OK) st = copy_default(&s->columns[i].def, &copy.columns[i].def);
    }
    if (st != SEAM_OK)
        seam_schema_free(&copy);
    else
        *out = copy;
    return st;
}

/* ---- evolution ---- */

static bool name_ok(const char *name)
{
    size_t n = strnlen(name, SEAM_NAME_MAX_BYTES);

    if (n == 0 || n == SEAM_NAME_MAX_BYTES || (name[0] >= '0' && name[0] <= '9')) return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

enum seam_status seam_schema_add_column(struct seam_schema *s, const struct seam_column *c,
                                        struct seam_fault *f)
{
    struct seam_column *grown, added = *c;
    enum seam_status st;

    if (s->column_count >= SEAM_COLUMNS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                              "a table may have at most %d columns, "
                              "counting dropped ones",
                              SEAM_COLUMNS_MAX);
    if (!name_ok(c->name) || (unsigned)c->type >= SEAM_V_TYPE_COUNT || c->type == SEAM_V_NULL ||
        c->scale > SEAM_DECIMAL_SCALE_MAX)
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "column \"%.63s\" has no valid name, type "
                              "or scale",
                              c->name);
    if (seam_schema_column(s, c->name) >= 0)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s is there already", c->name);
    if (c->def.type == SEAM_V_NULL ? !c->nullable : c->def.type != c->type)
        return seam_fault_set(
            f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
            "column %s needs a default of its own type for the rows that are there already",
            c->name);
    added.id = s->column_count > 0 ? s->columns[s->column_count - 1].id + 1 : 1;
    added.added = s->version + 1;
    added.dropped = 0;
    if (c->type == SEAM_V_DECIMAL && c->def.type == SEAM_V_DECIMAL) {
        st = seam_decimal_rescale(c->def.i, c->def.scale, c->scale, &added.def.i);
        added.def.scale = c->scale;
        if (st != SEAM_OK)
            return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET,
                                  "default of %s does not fit its scale", c->name);
    }
    st = copy_default(&added.def, &added.def);
    if (st != SEAM_OK)
        return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET, "no memory for a column");
    grown = realloc(s->columns, sizeof *grown * (s->column_count + 1u));
    if (grown == NULL) {
        free_default(&added);
        return seam_fault_set(f, SEAM_NOMEM, s->name, SEAM_FAULT_NO_OFFSET,
                              "no memory for a column");
    }
    s->columns = grown;
    s->columns[s->column_count++] = added;
    s->version++;
    return SEAM_OK;
}

static bool in_positions(const uint16_t *positions, uint16_t count, int position)
{
    for (uint16_t i = 0; i < count; i++) {
        if (positions[i] == position) return true;
    }
    return false;
}

enum seam_status seam_schema_drop_column(struct seam_schema *s, const char *name,
                                         struct seam_fault *f)
{
    int i = seam_schema_column(s, name);

    if (i < 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, s->name, SEAM_FAULT_NO_OFFSET, "no column %.63s",
                              name);
    if (in_positions(s->key, s->key_count, i))
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "%.63s is part of the key", name);
    for (int x = 0; x < s->index_count; x++) {
        if (in_positions(s->indexes[x].columns, s->indexes[x].count, i))
            return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                                  "%.63s is part of index %s", name, s->indexes[x].name);
    }
    s->columns[i].dropped = ++s->version;
    return SEAM_OK;
}

enum seam_status seam_schema_rename_column(struct seam_schema *s, const char *from, const char *to,
                                           struct seam_fault *f)
{
    int i = seam_schema_column(s, from);

    if (i < 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, s->name, SEAM_FAULT_NO_OFFSET, "no column %.63s",
                              from);
    if (!name_ok(to))
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "\"%.63s\" is no valid name", to);
    if (seam_schema_column(s, to) >= 0)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s is there already", to);
    memset(s->columns[i].name, 0, SEAM_NAME_MAX_BYTES);
    memcpy(s->columns[i].name, to, strlen(to));
    s->version++;
    return SEAM_OK;
}
