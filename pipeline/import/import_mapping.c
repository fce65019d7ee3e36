/* import_mapping - reads a mapping and checks it against the tables it names. */
#include "pipeline/import/import_mapping.h"

#include <stdlib.h>

#include "engine/text/opts.h"

enum { GROUP_ROWS_DEFAULT = 1000, GROUP_ROWS_MOST = 10000, NUMBER_SCALE = 6, NESTING_MAX = 16 };

static const char *const top_members[] = {"name",        "format", "separator",
                                          "encoding",    "header", "columns",
                                          "transaction", "tables", "about"};
static const char *const transaction_members[] = {"group", "rows"};
static const char *const table_members[] = {"table",  "mode",    "when",   "update_when",
                                            "values", "compare", "newest", "apart_seconds",
                                            "event",  "about"};
static const char *const event_members[] = {"when", "aggregate", "type"};
static const char *const expr_members[] = {"from",          "trim",  "digits", "upper",  "lower",
                                           "decimal_comma", "time",  "prefix", "else",   "value",
                                           "cases",         "count", "same",   "intern", "version"};
static const char *const condition_members[] = {"column", "empty", "starts", "equals", "contains",
                                                "above",  "below", "all",    "any",    "not"};
static const char *const case_members[] = {"when", "then"};

struct mapping_reader {
    struct import_mapping *m;
    struct oltp_txn *txn;
    struct import_table *table;
    struct seam_fault *f;
};

#define REFUSE(x, node, ...)                                                                       \
    seam_fault_set((x)->f, SEAM_INVALID, "mapping", (node)->line, __VA_ARGS__)

static enum seam_status no_memory(struct mapping_reader *x)
{
    return seam_no_memory(x->f, "the mapping");
}

static enum seam_status read_bool(struct mapping_reader *x, const struct seam_json *object,
                                  const char *member, bool *out)
{
    const struct seam_json *v = seam_json_get(object, member);

    if (v == NULL) return SEAM_OK;
    if (v->type != SEAM_J_BOOL) return REFUSE(x, v, "\"%s\" must be true or false", member);
    *out = v->boolean;
    return SEAM_OK;
}

int import_mapping_slot(const struct import_mapping *m, const char *name)
{
    for (int i = 0; i < m->slot_count; i++) {
        if (strcmp(m->slots[i], name) == 0) return i;
    }
    return -1;
}

static enum seam_status slot_of(struct mapping_reader *x, const struct seam_json *v, int *out)
{
    if (v->type != SEAM_J_STRING || v->len == 0)
        return REFUSE(x, v, "expected the name of a column of the file");
    *out = import_mapping_slot(x->m, v->str);
    if (*out >= 0) return SEAM_OK;
    if (x->m->slot_count == IMPORT_SLOTS_MAX)
        return REFUSE(x, v, "more than %d columns of the file are used", IMPORT_SLOTS_MAX);
    *out = x->m->slot_count;
    x->m->slots[x->m->slot_count++] = v->str;
    return SEAM_OK;
}

static enum seam_status column_of(struct mapping_reader *x, const struct seam_json *v,
                                  const struct seam_schema *s, int *out)
{
    const char *names[SEAM_COLUMNS_MAX], *near = NULL;
    size_t n = 0;

    *out = v->type == SEAM_J_STRING ? seam_schema_column(s, v->str) : -1;
    if (*out >= 0) return SEAM_OK;
    for (uint16_t i = 0; i < s->column_count; i++) {
        if (seam_column_live(&s->columns[i], s->version)) names[n++] = s->columns[i].name;
    }
    if (v->type == SEAM_J_STRING) near = seam_nearest_name(v->str, names, n);
    return REFUSE(x, v, "table %s has no column \"%.64s\"%s%s", s->name,
                  v->type == SEAM_J_STRING ? v->str : "", near != NULL ? "; did you mean " : "",
                  near != NULL ? near : "");
}

/* ---- conditions ---- */

static enum seam_status read_condition(struct mapping_reader *x, const struct seam_json *v,
                                       unsigned depth, struct import_condition **out);

static enum seam_status read_conditions(struct mapping_reader *x, const struct seam_json *list,
                                        unsigned depth, struct import_condition **out)
{
    struct import_condition **tail = out;

    if (list->type != SEAM_J_ARRAY || list->len == 0)
        return REFUSE(x, list, "expected a list of conditions");
    for (const struct seam_json *c = list->child; c != NULL; c = c->next) {
        enum seam_status st = read_condition(x, c, depth, tail);

        if (st != SEAM_OK) return st;
        tail = &(*tail)->next;
    }
    return SEAM_OK;
}

/* {"column": c, "contains": ["a", "b"]} is any of {"column": c, "contains": "a"}, ...            */
static enum seam_status read_alternatives(struct mapping_reader *x, const struct seam_json *list,
                                          const struct import_condition *like,
                                          struct import_condition **out)
{
    if (list->len == 0) return REFUSE(x, list, "expected texts");
    for (const struct seam_json *v = list->child; v != NULL; v = v->next) {
        struct import_condition *c = seam_arena_zalloc(&x->m->arena, sizeof *c);

        if (c == NULL) return no_memory(x);
        if (v->type != SEAM_J_STRING) return REFUSE(x, v, "expected a text");
        *c = (struct import_condition){
            .kind = like->kind, .slot = like->slot, .text = v->str, .size = v->len};
        *out = c;
        out = &c->next;
    }
    return SEAM_OK;
}

static enum seam_status read_test(struct mapping_reader *x, const struct seam_json *object,
                                  struct import_condition *c)
{
    static const struct {
        const char *member;
        enum import_condition_kind kind;
    } tests[] = {{"starts", C_STARTS}, {"equals", C_EQUALS}, {"contains", C_CONTAINS},
                 {"above", C_ABOVE},   {"below", C_BELOW},   {"empty", C_EMPTY}};
    const struct seam_json *column = seam_json_get(object, "column"), *v = NULL;
    size_t i;

    if (column == NULL || object->len != 2)
        return REFUSE(x, object,
                      "a condition is a \"column\" and one test of it, or all, any, not");
    for (i = 0; i < SEAM_ARRAY_LEN(tests) && v == NULL; i++)
        v = seam_json_get(object, tests[i].member);
    if (v == NULL) return REFUSE(x, object, "a condition is a \"column\" and one test of it");
    c->kind = tests[i - 1].kind;
    if (v->type == SEAM_J_ARRAY &&
        (c->kind == C_STARTS || c->kind == C_EQUALS || c->kind == C_CONTAINS)) {
        enum seam_status st = slot_of(x, column, &c->slot);

        if (st == SEAM_OK) st = read_alternatives(x, v, c, &c->child);
        c->kind = C_ANY;
        return st;
    }
    if (c->kind == C_EMPTY) {
        if (v->type != SEAM_J_BOOL) return REFUSE(x, v, "\"empty\" must be true or false");
        c->number = v->boolean;
    } else {
        if (v->type != SEAM_J_STRING && v->type != SEAM_J_NUMBER)
            return REFUSE(x, v, "expected a text or a number");
        c->text = v->str;
        c->size = v->len;
        if ((c->kind == C_ABOVE || c->kind == C_BELOW) &&
            seam_decimal_parse(v->str, v->len, NUMBER_SCALE, &c->number) != SEAM_OK)
            return REFUSE(x, v, "expected a number with at most %d decimals", NUMBER_SCALE);
    }
    return slot_of(x, column, &c->slot);
}

static enum seam_status read_condition(struct mapping_reader *x, const struct seam_json *v,
                                       unsigned depth, struct import_condition **out)
{
    struct import_condition *c = seam_arena_zalloc(&x->m->arena, sizeof *c);
    const struct seam_json *all = seam_json_get(v, "all"), *any = seam_json_get(v, "any"),
                           *not = seam_json_get(v, "not");
    enum seam_status st = seam_json_only_members(
        v, condition_members, SEAM_ARRAY_LEN(condition_members), "mapping", x->f);

    if (c == NULL) return no_memory(x);
    if (st != SEAM_OK) return st;
    *out = c;
    if (depth > NESTING_MAX) return REFUSE(x, v, "conditions nested too deep");
    if (all == NULL && any == NULL && not == NULL) return read_test(x, v, c);
    if (v->len != 1) return REFUSE(x, v, "all, any and not stand alone");
    c->kind = all != NULL ? C_ALL : any != NULL ? C_ANY : C_NOT;
    if (not != NULL) return read_condition(x, not, depth + 1, &c->child);
    return read_conditions(x, all != NULL ? all : any, depth + 1, &c->child);
}

static enum seam_status read_optional_condition(struct mapping_reader *x,
                                                const struct seam_json *object, const char *member,
                                                const struct import_condition **out)
{
    const struct seam_json *v = seam_json_get(object, member);
    struct import_condition *c = NULL;
    enum seam_status st = v != NULL ? read_condition(x, v, 0, &c) : SEAM_OK;

    *out = c;
    return st;
}

/* ---- values ---- */

static enum seam_status read_expr(struct mapping_reader *x, const struct seam_json *v,
                                  unsigned depth, struct import_expr *e);

static enum seam_status read_nested_expr(struct mapping_reader *x, const struct seam_json *v,
                                         unsigned depth, const struct import_expr **out)
{
    struct import_expr *e = seam_arena_zalloc(&x->m->arena, sizeof *e);
    enum seam_status st;

    if (e == NULL) return no_memory(x);
    if (depth > NESTING_MAX) return REFUSE(x, v, "values nested too deep");
    st = read_expr(x, v, depth, e);
    if (st == SEAM_OK && e->kind != E_FROM && e->kind != E_CONST && e->kind != E_CASES)
        st = REFUSE(x, v, "only texts, \"from\", \"value\" and \"cases\" may be nested");
    *out = e;
    return st;
}

static enum seam_status read_constant(struct mapping_reader *x, const struct seam_json *v,
                                      struct import_expr *e)
{
    e->kind = E_CONST;
    if (v->type == SEAM_J_ARRAY || v->type == SEAM_J_OBJECT)
        return REFUSE(x, v, "\"value\" must be a single value");
    e->text = v->type == SEAM_J_NULL   ? ""
              : v->type == SEAM_J_BOOL ? (v->boolean ? "true" : "false")
                                       : v->str;
    e->size = v->type == SEAM_J_NULL || v->type == SEAM_J_BOOL ? strlen(e->text) : v->len;
    return SEAM_OK;
}

static enum seam_status read_cases(struct mapping_reader *x, const struct seam_json *object,
                                   unsigned depth, struct import_expr *e)
{
    const struct seam_json *list = seam_json_get(object, "cases"),
                           *otherwise = seam_json_get(object, "else");
    struct import_expr_case **tail = &e->cases;

    e->kind = E_CASES;
    if (list->type != SEAM_J_ARRAY || otherwise == NULL)
        return REFUSE(x, object, "\"cases\" is a list, and needs an \"else\"");
    for (const struct seam_json *c = list->child;; c = c->next) {
        struct import_expr_case *one = seam_arena_zalloc(&x->m->arena, sizeof *one);
        enum seam_status st = SEAM_OK;

        if (one == NULL) return no_memory(x);
        *tail = one;
        tail = &one->next;
        if (c == NULL) return read_nested_expr(x, otherwise, depth + 1, &one->then);
        st = seam_json_only_members(c, case_members, SEAM_ARRAY_LEN(case_members), "mapping", x->f);
        if (st == SEAM_OK && (seam_json_get(c, "when") == NULL || seam_json_get(c, "then") == NULL))
            st = REFUSE(x, c, "a case has \"when\" and \"then\"");
        if (st == SEAM_OK) st = read_optional_condition(x, c, "when", &one->when);
        if (st == SEAM_OK)
            st = read_nested_expr(x, seam_json_get(c, "then"), depth + 1, &one->then);
        if (st != SEAM_OK) return st;
    }
}

static enum seam_status read_from(struct mapping_reader *x, const struct seam_json *object,
                                  unsigned depth, struct import_expr *e)
{
    const struct seam_json *otherwise = seam_json_get(object, "else");
    enum seam_status st = slot_of(x, seam_json_get(object, "from"), &e->slot);

    e->kind = E_FROM;
    e->prefix = seam_json_string(object, "prefix", NULL);
    e->time = seam_json_string(object, "time", NULL);
    for (const char *p = e->time; p != NULL && *p != '\0'; p++) {
        if (*p == '%' && (*++p == '\0' || strchr("YmdHMS", *p) == NULL))
            return REFUSE(x, object, "\"time\" is written with %%Y %%m %%d %%H %%M %%S");
    }
    if (st == SEAM_OK) st = read_bool(x, object, "decimal_comma", &e->decimal_comma);
    if (st == SEAM_OK) st = read_bool(x, object, "trim", &e->trim);
    if (st == SEAM_OK) st = read_bool(x, object, "digits", &e->digits);
    if (st == SEAM_OK) st = read_bool(x, object, "upper", &e->upper);
    if (st == SEAM_OK) st = read_bool(x, object, "lower", &e->lower);
    if (st == SEAM_OK && otherwise != NULL)
        st = read_nested_expr(x, otherwise, depth + 1, &e->fallback);
    return st;
}

/* "products.product_id": a value that an earlier table of the mapping computed.                  */
static enum seam_status read_same(struct mapping_reader *x, const struct seam_json *v,
                                  struct import_expr *e)
{
    const char *dot = v->type == SEAM_J_STRING ? strchr(v->str, '.') : NULL;

    e->kind = E_SAME;
    for (int i = 0; dot != NULL && i < x->m->table_count; i++) {
        const struct seam_schema *s = x->m->tables[i].schema;

        if (strlen(s->name) != (size_t)(dot - v->str) ||
            memcmp(s->name, v->str, (size_t)(dot - v->str)) != 0)
            continue;
        e->table = i;
        e->column = seam_schema_column(s, dot + 1);
        if (e->column >= 0 && x->m->tables[i].columns[e->column].kind != E_UNMAPPED &&
            x->m->tables[i].when == NULL)
            return SEAM_OK;
    }
    return REFUSE(
        x, v,
        "\"same\" names TABLE.COLUMN of an earlier table of the mapping that every record feeds");
}

/* The unique index over the one column named: text keys get ids through it.                      */
static enum seam_status read_intern(struct mapping_reader *x, const struct seam_json *v, int column,
                                    struct import_expr *e)
{
    const struct seam_schema *s = x->table->schema;
    enum seam_status st = column_of(x, v, s, &e->index_column);

    e->kind = E_INTERN;
    if (st != SEAM_OK) return st;
    if (s->key_count != 1 || s->key[0] != column || s->columns[column].type != SEAM_V_INT)
        return REFUSE(x, v, "\"intern\" gives ids to the key of a table whose key is one int64");
    for (uint16_t i = 0; i < s->index_count; i++) {
        if (s->indexes[i].unique && s->indexes[i].count == 1 &&
            s->indexes[i].columns[0] == e->index_column &&
            s->columns[e->index_column].type == SEAM_V_TEXT) {
            e->index = s->indexes[i].id;
            return SEAM_OK;
        }
    }
    return REFUSE(x, v, "\"intern\" needs a unique index over the text column %s of %s",
                  s->columns[e->index_column].name, s->name);
}

static enum seam_status read_expr(struct mapping_reader *x, const struct seam_json *v,
                                  unsigned depth, struct import_expr *e)
{
    enum seam_status st;

    if (v->type == SEAM_J_STRING) {
        e->kind = E_FROM;
        return slot_of(x, v, &e->slot);
    }
    st = seam_json_only_members(v, expr_members, SEAM_ARRAY_LEN(expr_members), "mapping", x->f);
    if (st != SEAM_OK) return st;
    if (seam_json_get(v, "from") != NULL) return read_from(x, v, depth, e);
    if (seam_json_get(v, "value") != NULL) return read_constant(x, seam_json_get(v, "value"), e);
    if (seam_json_get(v, "cases") != NULL) return read_cases(x, v, depth, e);
    if (seam_json_get(v, "same") != NULL) return read_same(x, seam_json_get(v, "same"), e);
    if (seam_json_get(v, "count") != NULL) {
        e->kind = E_COUNT;
        return slot_of(x, seam_json_get(v, "count"), &e->slot);
    }
    if (seam_json_get(v, "version") != NULL) {
        e->kind = E_VERSION;
        return SEAM_OK;
    }
    return REFUSE(x, v,
                  "a value is a column's name, or has one of from, value, cases, count, same, "
                  "intern, version");
}

static enum seam_status read_values(struct mapping_reader *x, const struct seam_json *object)
{
    const struct seam_json *values = seam_json_get(object, "values");
    const struct seam_schema *s = x->table->schema;

    if (values == NULL || values->type != SEAM_J_OBJECT)
        return REFUSE(x, object, "\"values\" must say what each column is");
    for (const struct seam_json *v = values->child; v != NULL; v = v->next) {
        struct seam_json name = {.type = SEAM_J_STRING, .str = v->key, .line = v->line};
        const struct seam_json *intern = seam_json_get(v, "intern");
        int column;
        enum seam_status st = column_of(x, &name, s, &column);

        if (st != SEAM_OK) return st;
        st = intern != NULL ? read_intern(x, intern, column, &x->table->columns[column])
                            : read_expr(x, v, 0, &x->table->columns[column]);
        if (st != SEAM_OK) return st;
        if (x->table->columns[column].kind == E_VERSION && s->columns[column].type != SEAM_V_INT)
            return REFUSE(x, v, "\"version\" counts in an int64 column");
    }
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct seam_column *c = &s->columns[i];

        if (seam_column_live(c, s->version) && !c->nullable && c->def.type == SEAM_V_NULL &&
            x->table->columns[i].kind == E_UNMAPPED)
            return REFUSE(x, values, "column %s of %s must have a value", c->name, s->name);
    }
    return SEAM_OK;
}

/* ---- tables ---- */

static enum seam_status read_comparison(struct mapping_reader *x, const struct seam_json *object)
{
    struct import_table *t = x->table;
    const struct seam_json *list = seam_json_get(object, "compare"),
                           *newest = seam_json_get(object, "newest"),
                           *apart = seam_json_get(object, "apart_seconds");
    int64_t seconds = 0;
    enum seam_status st = SEAM_OK;

    t->newest = -1;
    if (newest != NULL) st = column_of(x, newest, t->schema, &t->newest);
    if (st != SEAM_OK) return st;
    if (apart != NULL &&
        (!seam_json_int(apart, &seconds) || seconds < 0 || seconds > 4000000000ll ||
         t->newest < 0 || t->schema->columns[t->newest].type != SEAM_V_TIME))
        return REFUSE(
            x, apart,
            "\"apart_seconds\" is a whole number, and needs \"newest\" to name a timestamp");
    t->apart_us = seconds * 1000000;
    for (int i = 0; i < t->schema->column_count; i++)
        t->compared[i] = list == NULL && t->columns[i].kind != E_UNMAPPED &&
                         t->columns[i].kind != E_VERSION && i != t->newest;
    if (list == NULL) return SEAM_OK;
    if (list->type != SEAM_J_ARRAY) return REFUSE(x, list, "\"compare\" is a list of columns");
    for (const struct seam_json *c = list->child; c != NULL; c = c->next) {
        int column;

        st = column_of(x, c, t->schema, &column);
        if (st != SEAM_OK) return st;
        t->compared[column] = true;
    }
    return SEAM_OK;
}

static enum seam_status read_event(struct mapping_reader *x, const struct seam_json *object,
                                   struct import_event **out)
{
    struct import_event *e = seam_arena_zalloc(&x->m->arena, sizeof *e);
    enum seam_status st = seam_json_only_members(object, event_members,
                                                 SEAM_ARRAY_LEN(event_members), "mapping", x->f);

    if (e == NULL) return no_memory(x);
    if (st == SEAM_OK) st = read_optional_condition(x, object, "when", &e->when);
    if (st != SEAM_OK) return st;
    e->type = seam_json_string(object, "type", NULL);
    e->aggregate = seam_json_string(object, "aggregate", x->table->schema->name);
    *out = e;
    return e->type != NULL ? SEAM_OK : REFUSE(x, object, "an event has a \"type\"");
}

/* One event, or a list of which the first that holds is put.                                     */
static enum seam_status read_events(struct mapping_reader *x, const struct seam_json *object)
{
    const struct seam_json *v = seam_json_get(object, "event");
    struct import_event **tail = &x->table->events;
    enum seam_status st = SEAM_OK;

    if (v == NULL) return SEAM_OK;
    if (v->type != SEAM_J_ARRAY) return read_event(x, v, tail);
    for (const struct seam_json *c = v->child; c != NULL && st == SEAM_OK; c = c->next) {
        st = read_event(x, c, tail);
        if (st == SEAM_OK) tail = &(*tail)->next;
    }
    return st;
}

static enum seam_status find_table(struct mapping_reader *x, const char *name,
                                   struct import_table *t)
{
    enum seam_status st = oltp_table(x->txn, name, &t->id, x->f);

    if (st != SEAM_OK) return st;
    st = seam_schema_clone(oltp_schema(x->txn, t->id), &x->m->schemas[x->m->table_count]);
    t->schema = &x->m->schemas[x->m->table_count];
    return st == SEAM_OK ? SEAM_OK : no_memory(x);
}

static enum seam_status read_table(struct mapping_reader *x, const struct seam_json *object)
{
    static const char *const modes[] = {
        [MODE_UPSERT] = "upsert", [MODE_KEEP] = "keep", [MODE_INSERT] = "insert"};
    struct import_table *t = &x->m->tables[x->m->table_count];
    const char *name = seam_json_string(object, "table", NULL),
               *mode = seam_json_string(object, "mode", "upsert");
    enum seam_status st = seam_json_only_members(object, table_members,
                                                 SEAM_ARRAY_LEN(table_members), "mapping", x->f);
    size_t i = 0;

    if (st != SEAM_OK) return st;
    if (name == NULL) return REFUSE(x, object, "\"table\" is missing");
    while (i < SEAM_ARRAY_LEN(modes) && strcmp(modes[i], mode) != 0) i++;
    if (i == SEAM_ARRAY_LEN(modes))
        return REFUSE(x, object, "\"mode\" is upsert, keep or insert, not \"%.32s\"", mode);
    t->mode = (enum import_mode)i;
    st = find_table(x, name, t);
    x->table = t;
    if (st == SEAM_OK) st = read_optional_condition(x, object, "when", &t->when);
    if (st == SEAM_OK) st = read_optional_condition(x, object, "update_when", &t->update_when);
    if (st == SEAM_OK) st = read_values(x, object);
    if (st == SEAM_OK) st = read_comparison(x, object);
    if (st == SEAM_OK) st = read_events(x, object);
    if (t->schema != NULL) x->m->table_count++;
    return st;
}

static enum seam_status read_tables(struct mapping_reader *x, const struct seam_json *root)
{
    const struct seam_json *list = seam_json_get(root, "tables");

    if (list == NULL || list->type != SEAM_J_ARRAY || list->len == 0 ||
        list->len > IMPORT_TABLES_MAX)
        return REFUSE(x, root, "\"tables\" is a list of 1 to %d tables", IMPORT_TABLES_MAX);
    for (const struct seam_json *c = list->child; c != NULL; c = c->next) {
        enum seam_status st = read_table(x, c);

        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

static void mark_early(struct import_mapping *m)
{
    for (int i = 0; i < m->table_count; i++) {
        struct import_table *t = &m->tables[i];

        for (int c = 0; c < t->schema->column_count; c++) {
            t->early[c] |= t->compared[c] || c == t->newest;
            if (t->columns[c].kind == E_INTERN) t->early[t->columns[c].index_column] = true;
            if (t->columns[c].kind == E_SAME)
                m->tables[t->columns[c].table].early[t->columns[c].column] = true;
        }
        for (uint16_t k = 0; k < t->schema->key_count; k++) t->early[t->schema->key[k]] = true;
    }
}

/* ---- the whole ---- */

static enum seam_status read_format(struct mapping_reader *x, const struct seam_json *root)
{
    static const char *const formats[] = {
        [IMPORT_CSV] = "csv", [IMPORT_TSV] = "tsv", [IMPORT_JSONL] = "jsonl"};
    const char *format = seam_json_string(root, "format", NULL),
               *encoding = seam_json_string(root, "encoding", "utf-8");
    const struct seam_json *separator = seam_json_get(root, "separator"),
                           *header = seam_json_get(root, "header"),
                           *columns = seam_json_get(root, "columns");
    const char **names;

    x->m->format_given = format != NULL;
    for (size_t i = 0; format != NULL; i++) {
        if (i == SEAM_ARRAY_LEN(formats))
            return REFUSE(x, root, "\"format\" is csv, tsv or jsonl, not \"%.32s\"", format);
        x->m->format = (enum import_format)i;
        if (strcmp(formats[i], format) == 0) break;
    }
    if (separator != NULL) {
        if (separator->type != SEAM_J_STRING || separator->len != 1 ||
            strchr("\"\n\r", separator->str[0]) != NULL)
            return REFUSE(x, separator, "\"separator\" is one character, as \";\"");
        x->m->separator = separator->str[0];
    }
    x->m->latin1 = strcmp(encoding, "latin-1") == 0;
    if (!x->m->latin1 && strcmp(encoding, "utf-8") != 0)
        return REFUSE(x, root, "\"encoding\" is utf-8 or latin-1, not \"%.32s\"", encoding);
    if (header != NULL && header->type != SEAM_J_BOOL)
        return REFUSE(x, header, "\"header\" must be true or false");
    x->m->no_header = header != NULL && !header->boolean;
    if (!x->m->no_header)
        return columns == NULL ? SEAM_OK
                               : REFUSE(x, columns,
                                        "\"columns\" names the columns of a file without a header "
                                        "(\"header\": false)");
    if (columns == NULL || columns->type != SEAM_J_ARRAY || columns->len == 0)
        return REFUSE(x, root, "without a header \"columns\" must name the columns");
    names = seam_arena_zalloc(&x->m->arena, columns->len * sizeof *names);
    if (names == NULL) return no_memory(x);
    x->m->columns = names;
    for (const struct seam_json *c = columns->child; c != NULL; c = c->next) {
        if (c->type != SEAM_J_STRING) return REFUSE(x, c, "expected a column's name");
        names[x->m->column_count++] = c->str;
    }
    return SEAM_OK;
}

static enum seam_status read_transaction(struct mapping_reader *x, const struct seam_json *root)
{
    const struct seam_json *v = seam_json_get(root, "transaction"),
                           *group = seam_json_get(v, "group"), *rows = seam_json_get(v, "rows");
    int64_t n = GROUP_ROWS_DEFAULT;
    enum seam_status st =
        v != NULL ? seam_json_only_members(v, transaction_members,
                                           SEAM_ARRAY_LEN(transaction_members), "mapping", x->f)
                  : SEAM_OK;

    x->m->group_slot = -1;
    if (st == SEAM_OK && group != NULL) st = slot_of(x, group, &x->m->group_slot);
    if (st != SEAM_OK) return st;
    if (group != NULL) n = GROUP_ROWS_MOST;
    if (rows != NULL && (!seam_json_int(rows, &n) || n < 1 || n > GROUP_ROWS_MOST))
        return REFUSE(x, rows, "\"rows\" is a whole number from 1 to %d", GROUP_ROWS_MOST);
    x->m->group_rows = (uint64_t)n;
    return SEAM_OK;
}

enum seam_status import_mapping_parse(const char *json, size_t n, struct oltp_txn *t,
                                      struct import_mapping **out, struct seam_fault *f)
{
    struct import_mapping *m = calloc(1, sizeof *m);
    struct mapping_reader x = {.m = m, .txn = t, .f = f};
    struct seam_json *root = NULL;
    enum seam_status st;

    if (m == NULL) return seam_no_memory(f, "the mapping");
    st = seam_json_parse(json, n, &m->arena, "mapping", &root, f);
    if (st == SEAM_OK)
        st = seam_json_only_members(root, top_members, SEAM_ARRAY_LEN(top_members), "mapping", x.f);
    if (st == SEAM_OK) st = read_format(&x, root);
    if (st == SEAM_OK) st = read_transaction(&x, root);
    if (st == SEAM_OK) st = read_tables(&x, root);
    if (st == SEAM_OK) {
        mark_early(m);
        m->name = seam_json_string(root, "name", m->tables[m->table_count - 1].schema->name);
        *out = m;
        m = NULL;
    }
    import_mapping_free(m);
    return st;
}

enum seam_status import_mapping_of_table(const char *table, struct oltp_txn *t,
                                         struct import_mapping **out, struct seam_fault *f)
{
    struct import_mapping *m = calloc(1, sizeof *m);
    struct mapping_reader x = {.m = m, .txn = t, .f = f};
    struct import_table *only;
    enum seam_status st;

    if (m == NULL) return seam_no_memory(f, "the mapping");
    only = &m->tables[0];
    only->newest = -1;
    m->strict = true;
    m->group_slot = -1;
    m->group_rows = GROUP_ROWS_DEFAULT;
    st = find_table(&x, table, only);
    if (only->schema != NULL) m->table_count = 1;
    for (int i = 0; st == SEAM_OK && i < only->schema->column_count; i++) {
        const struct seam_column *c = &only->schema->columns[i];

        if (!seam_column_live(c, only->schema->version)) continue;
        only->columns[i] = (struct import_expr){.kind = E_FROM, .slot = m->slot_count};
        only->compared[i] = true;
        m->slots[m->slot_count++] = c->name;
    }
    if (st == SEAM_OK) {
        mark_early(m);
        m->name = only->schema->name;
        *out = m;
        m = NULL;
    }
    import_mapping_free(m);
    return st;
}

void import_mapping_free(struct import_mapping *m)
{
    if (m == NULL) return;
    for (int i = 0; i < m->table_count; i++) seam_schema_free(&m->schemas[i]);
    seam_arena_free(&m->arena);
    free(m);
}
