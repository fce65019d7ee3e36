/* The one validator of shapes: what a writer may log is what every reader takes, because both ask here. */
#include <assert.h>
#include <stdio.h>

#include "engine/values/schema.h"
#include "engine/values/utf8.h"

#define REFUSE(s, ...) seam_fault_set(f, SEAM_INVALID, (s)->name, SEAM_FAULT_NO_OFFSET, __VA_ARGS__)

bool seam_name_valid(const char *name)
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

#define NAME_RULE "a name has 1 to 63 letters, digits and _ only, and does not begin with a digit"

/* A default is kept as text: it must be the same value when it is read again. */
static enum seam_status check_default(const struct seam_schema *s, const struct seam_column *c,
                                      struct seam_fault *f)
{
    struct seam_buf text = {0};
    struct seam_value again = {0};
    bool same;

    if (c->def.type == SEAM_V_NULL) {
        if (c->added > 1 && !c->nullable)
            return REFUSE(s, "column %s: rows older than it need a default", c->name);
        return SEAM_OK;
    }
    if (c->def.type != c->type)
        return REFUSE(s, "column %s needs a default of its own type, %s", c->name,
                      seam_value_type_name(c->type));
    if (c->type == SEAM_V_DECIMAL && c->def.scale != c->scale)
        return REFUSE(s, "column %s: its default has %u decimals, not %u", c->name, c->def.scale,
                      c->scale);
    if (c->type == SEAM_V_TEXT && !seam_utf8_valid(c->def.s, c->def.len))
        return REFUSE(s, "column %s: its default is no valid UTF-8", c->name);
    if (c->type == SEAM_V_BOOL && c->def.i != 0 && c->def.i != 1)
        return REFUSE(s, "column %s: a bool is 0 or 1, its default is %lld", c->name,
                      (long long)c->def.i);
    seam_value_format(&c->def, &text);
    if (!seam_buf_ok(&text)) {
        seam_buf_free(&text);
        return seam_fault_set(f, SEAM_NOMEM, s->name, SEAM_FAULT_NO_OFFSET,
                              "no memory to check a default");
    }
    same = seam_value_parse(text.size > 0 ? (const char *)text.data : "", text.size, c->type,
                            c->scale, &again) == SEAM_OK &&
           again.type == c->def.type && seam_value_equal(&again, &c->def);
    seam_buf_free(&text);
    return same ? SEAM_OK
                : REFUSE(s, "column %s: its default does not read back as the same %s", c->name,
                         seam_value_type_name(c->type));
}

enum seam_status seam_schema_check_column(const struct seam_schema *s, unsigned at,
                                          struct seam_fault *f)
{
    const struct seam_column *c = &s->columns[at];

    assert(at < s->column_count);
    if (!seam_name_valid(c->name)) return REFUSE(s, "column \"%.63s\": " NAME_RULE, c->name);
    if ((unsigned)c->type >= SEAM_V_TYPE_COUNT || c->type == SEAM_V_NULL)
        return REFUSE(s, "column %s has no valid type", c->name);
    if (c->scale != 0 && c->type != SEAM_V_DECIMAL)
        return REFUSE(s, "column %s: only a decimal has a scale", c->name);
    if (c->scale > SEAM_DECIMAL_SCALE_MAX)
        return REFUSE(s, "column %s: a scale is from 0 to %d", c->name, SEAM_DECIMAL_SCALE_MAX);
    if (c->id == 0 || (at > 0 && c->id <= s->columns[at - 1].id))
        return REFUSE(s, "column %s: ids must rise", c->name);
    if (c->added == 0 || c->added > s->version ||
        (c->dropped != 0 && (c->dropped <= c->added || c->dropped > s->version)))
        return REFUSE(s, "column %s: added and dropped must lie in order within versions 1 to %u",
                      c->name, (unsigned)s->version);
    for (unsigned i = 0; i < at && seam_column_live(c, s->version); i++)
        if (seam_column_live(&s->columns[i], s->version) &&
            strcmp(s->columns[i].name, c->name) == 0)
            return REFUSE(s, "column %s is there twice", c->name);
    return check_default(s, c, f);
}

/* Positions of live columns, each at most once. */
static enum seam_status check_positions(const struct seam_schema *s, const char *what,
                                        const uint16_t *positions, uint16_t count,
                                        struct seam_fault *f)
{
    if (count > SEAM_KEY_COLUMNS_MAX)
        return REFUSE(s, "%s: at most %d columns", what, SEAM_KEY_COLUMNS_MAX);
    for (uint16_t i = 0; i < count; i++) {
        if (positions[i] >= s->column_count ||
            !seam_column_live(&s->columns[positions[i]], s->version))
            return REFUSE(s, "%s: there is no column at position %u", what, positions[i]);
        for (uint16_t k = 0; k < i; k++)
            if (positions[k] == positions[i])
                return REFUSE(s, "%s names %s twice", what, s->columns[positions[i]].name);
    }
    return SEAM_OK;
}

enum seam_status seam_schema_check_key(const struct seam_schema *s, struct seam_fault *f)
{
    enum seam_status st = check_positions(s, "\"key\"", s->key, s->key_count, f);

    for (uint16_t i = 0; st == SEAM_OK && i < s->key_count; i++) {
        const struct seam_column *c = &s->columns[s->key[i]];

        if (c->nullable || c->added != 1)
            st = REFUSE(s, "key column %s must not be nullable, nor younger than the table",
                        c->name);
    }
    return st;
}

enum seam_status seam_schema_check_index(const struct seam_schema *s, unsigned at,
                                         struct seam_fault *f)
{
    const struct seam_index_def *ix = &s->indexes[at];
    char what[SEAM_NAME_MAX_BYTES + 16];

    assert(at < s->index_count);
    if (!seam_name_valid(ix->name)) return REFUSE(s, "index \"%.63s\": " NAME_RULE, ix->name);
    if (ix->id == 0 || ix->id > SEAM_INDEX_ID_MAX)
        return REFUSE(s, "index %s: index ids go from 1 to %d", ix->name, SEAM_INDEX_ID_MAX);
    if (at > 0 && ix->id <= s->indexes[at - 1].id)
        return REFUSE(s, "index %s: ids must rise", ix->name);
    if (ix->count == 0) return REFUSE(s, "index %s has no columns", ix->name);
    for (unsigned i = 0; i < at; i++)
        if (strcmp(s->indexes[i].name, ix->name) == 0)
            return REFUSE(s, "index %s is there twice", ix->name);
    snprintf(what, sizeof what, "index %s", ix->name);
    return check_positions(s, what, ix->columns, ix->count, f);
}

enum seam_status seam_schema_check_head(const struct seam_schema *s, struct seam_fault *f)
{
    if (!seam_name_valid(s->name)) /* it may lack its terminator */
        return seam_fault_set(f, SEAM_INVALID, "schema", SEAM_FAULT_NO_OFFSET,
                              "table \"%.63s\": " NAME_RULE, s->name);
    if (s->version == 0) return REFUSE(s, "versions count from 1");
    return SEAM_OK;
}

enum seam_status seam_schema_check(const struct seam_schema *s, struct seam_fault *f)
{
    enum seam_status st = seam_schema_check_head(s, f);

    if (st == SEAM_OK && (s->column_count == 0 || s->column_count > SEAM_COLUMNS_MAX))
        st = REFUSE(s, "a table has 1 to %d columns, counting dropped ones", SEAM_COLUMNS_MAX);
    if (st == SEAM_OK && s->index_count > SEAM_INDEXES_MAX)
        st = REFUSE(s, "a table has at most %d indexes", SEAM_INDEXES_MAX);
    for (unsigned i = 0; st == SEAM_OK && i < s->column_count; i++)
        st = seam_schema_check_column(s, i, f);
    if (st == SEAM_OK) st = seam_schema_check_key(s, f);
    for (unsigned i = 0; st == SEAM_OK && i < s->index_count; i++)
        st = seam_schema_check_index(s, i, f);
    return st;
}
