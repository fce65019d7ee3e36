/* schema - tables, their columns and indexes as JSON, and how they may change. */
#include "engine/values/schema.h"

#include <stdlib.h>

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
    if (seam_schema_column(s, c->name) >= 0)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %.63s is there already", c->name);
    added.id = s->column_count > 0 ? s->columns[s->column_count - 1].id + 1 : 1;
    added.added = s->version + 1;
    added.dropped = 0;
    if (c->type == SEAM_V_DECIMAL && c->def.type == SEAM_V_DECIMAL) {
        st = seam_decimal_rescale(c->def.i, c->def.scale, c->scale, &added.def.i);
        added.def.scale = c->scale;
        if (st != SEAM_OK)
            return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET,
                                  "default of %.63s does not fit its scale", c->name);
    }
    st = copy_default(&added.def, &added.def);
    if (st != SEAM_OK)
        return seam_fault_set(f, st, s->name, SEAM_FAULT_NO_OFFSET, "no memory for a column");
    grown = realloc(s->columns, sizeof *grown * (s->column_count + 1u));
    if (grown == NULL) {
        free_default(&added);
        return seam_no_memory(f, "a column");
    }
    s->columns = grown;
    s->columns[s->column_count++] = added;
    s->version++;
    st = seam_schema_check_column(s, s->column_count - 1u, f);
    if (st != SEAM_OK) {
        s->version--;
        free_default(&s->columns[--s->column_count]);
    }
    return st;
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
    if (!seam_name_valid(to))
        return seam_fault_set(f, SEAM_INVALID, s->name, SEAM_FAULT_NO_OFFSET,
                              "\"%.63s\" is no valid name: letters, digits and _ only", to);
    if (seam_schema_column(s, to) >= 0)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "column %s is there already", to);
    memset(s->columns[i].name, 0, SEAM_NAME_MAX_BYTES);
    memcpy(s->columns[i].name, to, strlen(to));
    s->version++;
    return SEAM_OK;
}

static int index_by_name(const struct seam_schema *s, const char *name)
{
    for (int i = 0; i < s->index_count; i++)
        if (strcmp(s->indexes[i].name, name) == 0) return i;
    return -1;
}

/* Indexes stand in order of their ids: where the new one's place is, and its id. */
static unsigned index_place(const struct seam_schema *s, uint16_t *id)
{
    unsigned at = s->index_count;

    *id = (uint16_t)(at > 0 ? s->indexes[at - 1].id + 1 : 1);
    if (*id <= SEAM_INDEX_ID_MAX) return at;
    for (at = 0; at < s->index_count && s->indexes[at].id == at + 1; at++) continue;
    *id = (uint16_t)(at + 1);
    return at;
}

enum seam_status seam_schema_add_index(struct seam_schema *s, const char *name,
                                       const char *const *columns, size_t count, bool unique,
                                       struct seam_fault *f)
{
    struct seam_index_def def = {.unique = unique, .count = (uint16_t)count};
    unsigned at = index_place(s, &def.id);
    enum seam_status st;

    if (s->index_count == SEAM_INDEXES_MAX || count == 0 || count > SEAM_KEY_COLUMNS_MAX ||
        strlen(name) >= SEAM_NAME_MAX_BYTES)
        return seam_fault_set(f, SEAM_LIMIT, s->name, SEAM_FAULT_NO_OFFSET,
                              "at most %d indexes of 1 to %d columns, names under %d bytes",
                              SEAM_INDEXES_MAX, SEAM_KEY_COLUMNS_MAX, SEAM_NAME_MAX_BYTES);
    if (index_by_name(s, name) >= 0)
        return seam_fault_set(f, SEAM_EXISTS, s->name, SEAM_FAULT_NO_OFFSET,
                              "there is an index \"%s\" already", name);
    memcpy(def.name, name, strlen(name));
    for (size_t i = 0; i < count; i++) {
        int column = seam_schema_column(s, columns[i]);

        if (column < 0)
            return seam_fault_set(f, SEAM_NOT_FOUND, s->name, SEAM_FAULT_NO_OFFSET,
                                  "no column \"%.63s\"", columns[i]);
        def.columns[i] = (uint16_t)column;
    }
    memmove(&s->indexes[at + 1], &s->indexes[at], (s->index_count - at) * sizeof *s->indexes);
    s->indexes[at] = def;
    s->index_count++;
    st = seam_schema_check_index(s, at, f);
    if (st != SEAM_OK) {
        s->index_count--;
        memmove(&s->indexes[at], &s->indexes[at + 1], (s->index_count - at) * sizeof *s->indexes);
    }
    return st;
}

enum seam_status seam_schema_drop_index(struct seam_schema *s, const char *name,
                                        struct seam_fault *f)
{
    int at = index_by_name(s, name);

    if (at < 0)
        return seam_fault_set(f, SEAM_NOT_FOUND, s->name, SEAM_FAULT_NO_OFFSET,
                              "no index \"%.63s\"", name);
    s->index_count--;
    memmove(&s->indexes[at], &s->indexes[at + 1],
            (size_t)(s->index_count - at) * sizeof *s->indexes);
    return SEAM_OK;
}
