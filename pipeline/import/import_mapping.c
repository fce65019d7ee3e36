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
    struct mapping *m;
    struct oltp_txn *txn;
    struct import_table *table;
    struct fault *f;
};

#define REFUSE(x, node, ...) fault_set((x)->f, ST_INVALID, "mapping", (node)->line, __VA_ARGS__)

static enum status no_memory(struct mapping_reader *x)
{
    return fault_set(x->f, ST_NOMEM, "mapping", FAULT_NO_OFFSET, "no memory for the mapping");
}

static enum status read_bool(struct mapping_reader *x, const struct json *object,
                             const char *member, bool *out)
{
    const struct json *v = json_get(object, member);

    if (v == NULL) return ST_OK;
    if (v->type != J_BOOL) return REFUSE(x, v, "\"%s\" must be true or false", member);
    *out = v->boolean;
    return ST_OK;
}

int mapping_slot(const struct mapping *m, const char *name)
{
    for (int i = 0; i < m->slot_count; i++) {
        if (strcmp(m->slots[i], name) == 0) return i;
    }
    return -1;
}

static enum status slot_of(struct mapping_reader *x, const struct json *v, int *out)
{
    if (v->type != J_STRING || v->len == 0)
        return REFUSE(x, v, "expected the name of a column of the file");
    *out = mapping_slot(x->m, v->str);
    if (*out >= 0) return ST_OK;
    if (x->m->slot_count == IMPORT_SLOTS_MAX)
        return REFUSE(x, v, "more than %d columns of the file are used", IMPORT_SLOTS_MAX);
    *out = x->m->slot_count;
    x->m->slots[x->m->slot_count++] = v->str;
    return ST_OK;
}

static enum status column_of(struct mapping_reader *x, const struct json *v, const struct schema *s,
                             int *out)
{
    const char *names[COLUMNS_MAX], *near = NULL;
    size_t n = 0;

    *out = v->type == J_STRING ? schema_column(s, v->str) : -1;
    if (*out >= 0) return ST_OK;
    for (uint16_t i = 0; i < s->column_count; i++) {
        if (column_live(&s->columns[i], s->version)) names[n++] = s->columns[i].name;
    }
    if (v->type == J_STRING) near = nearest_name(v->str, names, n);
    return REFUSE(x, v, "table %s has no column \"%.64s\"%s%s", s->name,
                  v->type == J_STRING ? v->str : "", near != NULL ? "; did you mean " : "",
                  near != NULL ? near : "");
}

/* ---- conditions ---- */

static enum status read_condition(struct mapping_reader *x, const struct json *v, unsigned depth,
                                  struct condition **out);

static enum status read_conditions(struct mapping_reader *x, const struct json *list,
                                   unsigned depth, struct condition **out)
{
    struct condition **tail = out;

    if (list->type != J_ARRAY || list->len == 0)
        return REFUSE(x, list, "expected a list of conditions");
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        enum status st = read_condition(x, c, depth, tail);

        if (st != ST_OK) return st;
        tail = &(*tail)->next;
    }
    return ST_OK;
}

/* {"column": c, "contains": ["a", "b"]} is any of {"column": c, "contains": "a"}, ...            */
static enum status read_alternatives(struct mapping_reader *x, const struct json *list,
                                     const struct condition *like, struct condition **out)
{
    if (list->len == 0) return REFUSE(x, list, "expected texts");
    for (const struct json *v = list->child; v != NULL; v = v->next) {
        struct condition *c = arena_zalloc(&x->m->arena, sizeof *c);

        if (c == NULL) return no_memory(x);
        if (v->type != J_STRING) return REFUSE(x, v, "expected a text");
        *c = (struct condition){
            .kind = like->kind, .slot = like->slot, .text = v->str, .size = v->len};
        *out = c;
        out = &c->next;
    }
    return ST_OK;
}

static enum status read_test(struct mapping_reader *x, const struct json *object,
                             struct condition *c)
{
    static const struct {
        const char *member;
        enum condition_kind kind;
    } tests[] = {{"starts", C_STARTS}, {"equals", C_EQUALS}, {"contains", C_CONTAINS},
                 {"above", C_ABOVE},   {"below", C_BELOW},   {"empty", C_EMPTY}};
    const struct json *column = json_get(object, "column"), *v = NULL;
    size_t i;

    if (column == NULL || object->len != 2)
        return REFUSE(x, object,
                      "a condition is a \"column\" and one test of it, or all, any, not");
    for (i = 0; i < ARRAY_LEN(tests) && v == NULL; i++)
        v = json_get(object, tests[i].member);
    if (v == NULL) return REFUSE(x, object, "a condition is a \"column\" and one test of it");
    c->kind = tests[i - 1].kind;
    if (v->type == J_ARRAY &&
        (c->kind == C_STARTS || c->kind == C_EQUALS || c->kind == C_CONTAINS)) {
        enum status st = slot_of(x, column, &c->slot);

        if (st == ST_OK) st = read_alternatives(x, v, c, &c->child);
        c->kind = C_ANY;
        return st;
    }
    if (c->kind == C_EMPTY) {
        if (v->type != J_BOOL) return REFUSE(x, v, "\"empty\" must be true or false");
        c->number = v->boolean;
    } else {
        if (v->type != J_STRING && v->type != J_NUMBER)
            return REFUSE(x, v, "expected a text or a number");
        c->text = v->str;
        c->size = v->len;
        if ((c->kind == C_ABOVE || c->kind == C_BELOW) &&
            decimal_parse(v->str, v->len, NUMBER_SCALE, &c->number) != ST_OK)
            return REFUSE(x, v, "expected a number with at most %d decimals", NUMBER_SCALE);
    }
    return slot_of(x, column, &c->slot);
}

static enum status read_condition(struct mapping_reader *x, const struct json *v, unsigned depth,
                                  struct condition **out)
{
    struct condition *c = arena_zalloc(&x->m->arena, sizeof *c);
    const struct json *all = json_get(v, "all"), *any = json_get(v, "any"),
                      *not = json_get(v, "not");
    enum status st = json_only_members(v, condition_members, ARRAY_LEN(condition_members), "mapping", x->f);

    if (c == NULL) return no_memory(x);
    if (st != ST_OK) return st;
    *out = c;
    if (depth > NESTING_MAX) return REFUSE(x, v, "conditions nested too deep");
    if (all == NULL && any == NULL && not == NULL) return read_test(x, v, c);
    if (v->len != 1) return REFUSE(x, v, "all, any and not stand alone");
    c->kind = all != NULL ? C_ALL : any != NULL ? C_ANY : C_NOT;
    if (not != NULL) return read_condition(x, not, depth + 1, &c->child);
    return read_conditions(x, all != NULL ? all : any, depth + 1, &c->child);
}

static enum status read_optional_condition(struct mapping_reader *x, const struct json *object,
                                           const char *member, const struct condition **out)
{
    const struct json *v = json_get(object, member);
    struct condition *c = NULL;
    enum status st = v != NULL ? read_condition(x, v, 0, &c) : ST_OK;

    *out = c;
    return st;
}

/* ---- values ---- */

static enum status read_expr(struct mapping_reader *x, const struct json *v, unsigned depth,
                             struct expr *e);

static enum status read_nested_expr(struct mapping_reader *x, const struct json *v, unsigned depth,
                                    const struct expr **out)
{
    struct expr *e = arena_zalloc(&x->m->arena, sizeof *e);
    enum status st;

    if (e == NULL) return no_memory(x);
    if (depth > NESTING_MAX) return REFUSE(x, v, "values nested too deep");
    st = read_expr(x, v, depth, e);
    if (st == ST_OK && e->kind != E_FROM && e->kind != E_CONST && e->kind != E_CASES)
        st = REFUSE(x, v, "only texts, \"from\", \"value\" and \"cases\" may be nested");
    *out = e;
    return st;
}

static enum status read_constant(struct mapping_reader *x, const struct json *v, struct expr *e)
{
    e->kind = E_CONST;
    if (v->type == J_ARRAY || v->type == J_OBJECT)
        return REFUSE(x, v, "\"value\" must be a single value");
    e->text = v->type == J_NULL ? "" : v->type == J_BOOL ? (v->boolean ? "true" : "false") : v->str;
    e->size = v->type == J_NULL || v->type == J_BOOL ? strlen(e->text) : v->len;
    return ST_OK;
}

static enum status read_cases(struct mapping_reader *x, const struct json *object, unsigned depth,
                              struct expr *e)
{
    const struct json *list = json_get(object, "cases"), *otherwise = json_get(object, "else");
    struct expr_case **tail = &e->cases;

    e->kind = E_CASES;
    if (list->type != J_ARRAY || otherwise == NULL)
        return REFUSE(x, object, "\"cases\" is a list, and needs an \"else\"");
    for (const struct json *c = list->child;; c = c->next) {
        struct expr_case *one = arena_zalloc(&x->m->arena, sizeof *one);
        enum status st = ST_OK;

        if (one == NULL) return no_memory(x);
        *tail = one;
        tail = &one->next;
        if (c == NULL) return read_nested_expr(x, otherwise, depth + 1, &one->then);
        st = json_only_members(c, case_members, ARRAY_LEN(case_members), "mapping", x->f);
        if (st == ST_OK && (json_get(c, "when") == NULL || json_get(c, "then") == NULL))
            st = REFUSE(x, c, "a case has \"when\" and \"then\"");
        if (st == ST_OK) st = read_optional_condition(x, c, "when", &one->when);
        if (st == ST_OK) st = read_nested_expr(x, json_get(c, "then"), depth + 1, &one->then);
        if (st != ST_OK) return st;
    }
}

static enum status read_from(struct mapping_reader *x, const struct json *object, unsigned depth,
                             struct expr *e)
{
    const struct json *otherwise = json_get(object, "else");
    enum status st = slot_of(x, json_get(object, "from"), &e->slot);

    e->kind = E_FROM;
    e->prefix = json_string(object, "prefix", NULL);
    e->time = json_string(object, "time", NULL);
    for (const char *p = e->time; p != NULL && *p != '\0'; p++) {
        if (*p == '%' && (*++p == '\0' || strchr("YmdHMS", *p) == NULL))
            return REFUSE(x, object, "\"time\" is written with %%Y %%m %%d %%H %%M %%S");
    }
    if (st == ST_OK) st = read_bool(x, object, "decimal_comma", &e->decimal_comma);
    if (st == ST_OK) st = read_bool(x, object, "trim", &e->trim);
    if (st == ST_OK) st = read_bool(x, object, "digits", &e->digits);
    if (st == ST_OK) st = read_bool(x, object, "upper", &e->upper);
    if (st == ST_OK) st = read_bool(x, object, "lower", &e->lower);
    if (st == ST_OK && otherwise != NULL)
        st = read_nested_expr(x, otherwise, depth + 1, &e->fallback);
    return st;
}

/* "products.product_id": a value that an earlier table of the mapping computed.                  */
static enum status read_same(struct mapping_reader *x, const struct json *v, struct expr *e)
{
    const char *dot = v->type == J_STRING ? strchr(v->str, '.') : NULL;

    e->kind = E_SAME;
    for (int i = 0; dot != NULL && i < x->m->table_count; i++) {
        const struct schema *s = x->m->tables[i].schema;

        if (strlen(s->name) != (size_t)(dot - v->str) ||
            memcmp(s->name, v->str, (size_t)(dot - v->str)) != 0)
            continue;
        e->table = i;
        e->column = schema_column(s, dot + 1);
        if (e->column >= 0 && x->m->tables[i].columns[e->column].kind != E_UNMAPPED &&
            x->m->tables[i].when == NULL)
            return ST_OK;
    }
    return REFUSE(
        x, v,
        "\"same\" names TABLE.COLUMN of an earlier table of the mapping that every record feeds");
}

/* The unique index over the one column named: text keys get ids through it.                      */
static enum status read_intern(struct mapping_reader *x, const struct json *v, int column,
                               struct expr *e)
{
    const struct schema *s = x->table->schema;
    enum status st = column_of(x, v, s, &e->index_column);

    e->kind = E_INTERN;
    if (st != ST_OK) return st;
    if (s->key_count != 1 || s->key[0] != column || s->columns[column].type != V_INT)
        return REFUSE(x, v, "\"intern\" gives ids to the key of a table whose key is one int64");
    for (uint16_t i = 0; i < s->index_count; i++) {
        if (s->indexes[i].unique && s->indexes[i].count == 1 &&
            s->indexes[i].columns[0] == e->index_column &&
            s->columns[e->index_column].type == V_TEXT) {
            e->index = s->indexes[i].id;
            return ST_OK;
        }
    }
    return REFUSE(x, v, "\"intern\" needs a unique index over the text column %s of %s",
                  s->columns[e->index_column].name, s->name);
}

static enum status read_expr(struct mapping_reader *x, const struct json *v, unsigned depth,
                             struct expr *e)
{
    enum status st;

    if (v->type == J_STRING) {
        e->kind = E_FROM;
        return slot_of(x, v, &e->slot);
    }
    st = json_only_members(v, expr_members, ARRAY_LEN(expr_members), "mapping", x->f);
    if (st != ST_OK) return st;
    if (json_get(v, "from") != NULL) return read_from(x, v, depth, e);
    if (json_get(v, "value") != NULL) return read_constant(x, json_get(v, "value"), e);
    if (json_get(v, "cases") != NULL) return read_cases(x, v, depth, e);
    if (json_get(v, "same") != NULL) return read_same(x, json_get(v, "same"), e);
    if (json_get(v, "count") != NULL) {
        e->kind = E_COUNT;
        return slot_of(x, json_get(v, "count"), &e->slot);
    }
    if (json_get(v, "version") != NULL) {
        e->kind = E_VERSION;
        return ST_OK;
    }
    return REFUSE(x, v,
                  "a value is a column's name, or has one of from, value, cases, count, same, "
                  "intern, version");
}

static enum status read_values(struct mapping_reader *x, const struct json *object)
{
    const struct json *values = json_get(object, "values");
    const struct schema *s = x->table->schema;

    if (values == NULL || values->type != J_OBJECT)
        return REFUSE(x, object, "\"values\" must say what each column is");
    for (const struct json *v = values->child; v != NULL; v = v->next) {
        struct json name = {.type = J_STRING, .str = v->key, .line = v->line};
        const struct json *intern = json_get(v, "intern");
        int column;
        enum status st = column_of(x, &name, s, &column);

        if (st != ST_OK) return st;
        st = intern != NULL ? read_intern(x, intern, column, &x->table->columns[column])
                            : read_expr(x, v, 0, &x->table->columns[column]);
        if (st != ST_OK) return st;
        if (x->table->columns[column].kind == E_VERSION && s->columns[column].type != V_INT)
            return REFUSE(x, v, "\"version\" counts in an int64 column");
    }
    for (uint16_t i = 0; i < s->column_count; i++) {
        const struct column *c = &s->columns[i];

        if (column_live(c, s->version) && !c->nullable && c->def.type == V_NULL &&
            x->table->columns[i].kind == E_UNMAPPED)
            return REFUSE(x, values, "column %s of %s must have a value", c->name, s->name);
    }
    return ST_OK;
}

/* ---- tables ---- */

static enum status read_comparison(struct mapping_reader *x, const struct json *object)
{
    struct import_table *t = x->table;
    const struct json *list = json_get(object, "compare"), *newest = json_get(object, "newest"),
                      *apart = json_get(object, "apart_seconds");
    int64_t seconds = 0;
    enum status st = ST_OK;

    t->newest = -1;
    if (newest != NULL) st = column_of(x, newest, t->schema, &t->newest);
    if (st != ST_OK) return st;
    if (apart != NULL && (!json_int(apart, &seconds) || seconds < 0 || seconds > 4000000000ll ||
                          t->newest < 0 || t->schema->columns[t->newest].type != V_TIME))
        return REFUSE(
            x, apart,
            "\"apart_seconds\" is a whole number, and needs \"newest\" to name a timestamp");
    t->apart_us = seconds * 1000000;
    for (int i = 0; i < t->schema->column_count; i++)
        t->compared[i] = list == NULL && t->columns[i].kind != E_UNMAPPED &&
                         t->columns[i].kind != E_VERSION && i != t->newest;
    if (list == NULL) return ST_OK;
    if (list->type != J_ARRAY) return REFUSE(x, list, "\"compare\" is a list of columns");
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        int column;

        st = column_of(x, c, t->schema, &column);
        if (st != ST_OK) return st;
        t->compared[column] = true;
    }
    return ST_OK;
}

static enum status read_event(struct mapping_reader *x, const struct json *object,
                              struct import_event **out)
{
    struct import_event *e = arena_zalloc(&x->m->arena, sizeof *e);
    enum status st = json_only_members(object, event_members, ARRAY_LEN(event_members), "mapping", x->f);

    if (e == NULL) return no_memory(x);
    if (st == ST_OK) st = read_optional_condition(x, object, "when", &e->when);
    if (st != ST_OK) return st;
    e->type = json_string(object, "type", NULL);
    e->aggregate = json_string(object, "aggregate", x->table->schema->name);
    *out = e;
    return e->type != NULL ? ST_OK : REFUSE(x, object, "an event has a \"type\"");
}

/* One event, or a list of which the first that holds is put.                                     */
static enum status read_events(struct mapping_reader *x, const struct json *object)
{
    const struct json *v = json_get(object, "event");
    struct import_event **tail = &x->table->events;
    enum status st = ST_OK;

    if (v == NULL) return ST_OK;
    if (v->type != J_ARRAY) return read_event(x, v, tail);
    for (const struct json *c = v->child; c != NULL && st == ST_OK; c = c->next) {
        st = read_event(x, c, tail);
        if (st == ST_OK) tail = &(*tail)->next;
    }
    return st;
}

static enum status find_table(struct mapping_reader *x, const char *name, struct import_table *t)
{
    enum status st = oltp_table(x->txn, name, &t->id, x->f);

    if (st != ST_OK) return st;
    st = schema_clone(oltp_schema(x->txn, t->id), &x->m->schemas[x->m->table_count]);
    t->schema = &x->m->schemas[x->m->table_count];
    return st == ST_OK ? ST_OK : no_memory(x);
}

static enum status read_table(struct mapping_reader *x, const struct json *object)
{
    static const char *const modes[] = {
        [MODE_UPSERT] = "upsert", [MODE_KEEP] = "keep", [MODE_INSERT] = "insert"};
    struct import_table *t = &x->m->tables[x->m->table_count];
    const char *name = json_string(object, "table", NULL),
               *mode = json_string(object, "mode", "upsert");
    enum status st = json_only_members(object, table_members, ARRAY_LEN(table_members), "mapping", x->f);
    size_t i = 0;

    if (st != ST_OK) return st;
    if (name == NULL) return REFUSE(x, object, "\"table\" is missing");
    while (i < ARRAY_LEN(modes) && strcmp(modes[i], mode) != 0)
        i++;
    if (i == ARRAY_LEN(modes))
        return REFUSE(x, object, "\"mode\" is upsert, keep or insert, not \"%.32s\"", mode);
    t->mode = (enum import_mode)i;
    st = find_table(x, name, t);
    x->table = t;
    if (st == ST_OK) st = read_optional_condition(x, object, "when", &t->when);
    if (st == ST_OK) st = read_optional_condition(x, object, "update_when", &t->update_when);
    if (st == ST_OK) st = read_values(x, object);
    if (st == ST_OK) st = read_comparison(x, object);
    if (st == ST_OK) st = read_events(x, object);
    if (t->schema != NULL) x->m->table_count++;
    return st;
}

static enum status read_tables(struct mapping_reader *x, const struct json *root)
{
    const struct json *list = json_get(root, "tables");

    if (list == NULL || list->type != J_ARRAY || list->len == 0 || list->len > IMPORT_TABLES_MAX)
        return REFUSE(x, root, "\"tables\" is a list of 1 to %d tables", IMPORT_TABLES_MAX);
    for (const struct json *c = list->child; c != NULL; c = c->next) {
        enum status st = read_table(x, c);

        if (st != ST_OK) return st;
    }
    return ST_OK;
}

static void mark_early(struct mapping *m)
{
    for (int i = 0; i < m->table_count; i++) {
        struct import_table *t = &m->tables[i];

        for (int c = 0; c < t->schema->column_count; c++) {
            t->early[c] |= t->compared[c] || c == t->newest;
            if (t->columns[c].kind == E_INTERN) t->early[t->columns[c].index_column] = true;
            if (t->columns[c].kind == E_SAME)
                m->tables[t->columns[c].table].early[t->columns[c].column] = true;
        }
        for (uint16_t k = 0; k < t->schema->key_count; k++)
            t->early[t->schema->key[k]] = true;
    }
}

/* ---- the whole ---- */

static enum status read_format(struct mapping_reader *x, const struct json *root)
{
    static const char *const formats[] = {
        [IMPORT_CSV] = "csv", [IMPORT_TSV] = "tsv", [IMPORT_JSONL] = "jsonl"};
    const char *format = json_string(root, "format", NULL),
               *encoding = json_string(root, "encoding", "utf-8");
    const struct json *separator = json_get(root, "separator"), *header = json_get(root, "header"),
                      *columns = json_get(root, "columns");
    const char **names;

    x->m->format_given = format != NULL;
    for (size_t i = 0; format != NULL; i++) {
        if (i == ARRAY_LEN(formats))
            return REFUSE(x, root, "\"format\" is csv, tsv or jsonl, not \"%.32s\"", format);
        x->m->format = (enum import_format)i;
        if (strcmp(formats[i], format) == 0) break;
    }
    if (separator != NULL) {
        if (separator->type != J_STRING || separator->len != 1 ||
            strchr("\"\n\r", separator->str[0]) != NULL)
            return REFUSE(x, separator, "\"separator\" is one character, as \";\"");
        x->m->separator = separator->str[0];
    }
    x->m->latin1 = strcmp(encoding, "latin-1") == 0;
    if (!x->m->latin1 && strcmp(encoding, "utf-8") != 0)
        return REFUSE(x, root, "\"encoding\" is utf-8 or latin-1, not \"%.32s\"", encoding);
    if (header != NULL && header->type != J_BOOL)
        return REFUSE(x, header, "\"header\" must be true or false");
    x->m->no_header = header != NULL && !header->boolean;
    if (!x->m->no_header)
        return columns == NULL ? ST_OK
                               : REFUSE(x, columns,
                                        "\"columns\" names the columns of a file without a header "
                                        "(\"header\": false)");
    if (columns == NULL || columns->type != J_ARRAY || columns->len == 0)
        return REFUSE(x, root, "without a header \"columns\" must name the columns");
    names = arena_zalloc(&x->m->arena, columns->len * sizeof *names);
    if (names == NULL) return no_memory(x);
    x->m->columns = names;
    for (const struct json *c = columns->child; c != NULL; c = c->next) {
        if (c->type != J_STRING) return REFUSE(x, c, "expected a column's name");
        names[x->m->column_count++] = c->str;
    }
    return ST_OK;
}

static enum status read_transaction(struct mapping_reader *x, const struct json *root)
{
    const struct json *v = json_get(root, "transaction"), *group = json_get(v, "group"),
                      *rows = json_get(v, "rows");
    int64_t n = GROUP_ROWS_DEFAULT;
    enum status st = v != NULL
                         ? json_only_members(v, transaction_members, ARRAY_LEN(transaction_members), "mapping", x->f)
                         : ST_OK;

    x->m->group_slot = -1;
    if (st == ST_OK && group != NULL) st = slot_of(x, group, &x->m->group_slot);
    if (st != ST_OK) return st;
    if (group != NULL) n = GROUP_ROWS_MOST;
    if (rows != NULL && (!json_int(rows, &n) || n < 1 || n > GROUP_ROWS_MOST))
        return REFUSE(x, rows, "\"rows\" is a whole number from 1 to %d", GROUP_ROWS_MOST);
    x->m->group_rows = (uint64_t)n;
    return ST_OK;
}

enum status mapping_parse(const char *json, size_t n, struct oltp_txn *t, struct mapping **out,
                          struct fault *f)
{
    struct mapping *m = calloc(1, sizeof *m);
    struct mapping_reader x = {.m = m, .txn = t, .f = f};
    struct json *root = NULL;
    enum status st;

    if (m == NULL)
        return fault_set(f, ST_NOMEM, "mapping", FAULT_NO_OFFSET, "no memory for the mapping");
    st = json_parse(json, n, &m->arena, "mapping", &root, f);
    if (st == ST_OK) st = json_only_members(root, top_members, ARRAY_LEN(top_members), "mapping", x.f);
    if (st == ST_OK) st = read_format(&x, root);
    if (st == ST_OK) st = read_transaction(&x, root);
    if (st == ST_OK) st = read_tables(&x, root);
    if (st == ST_OK) {
        mark_early(m);
        m->name = json_string(root, "name", m->tables[m->table_count - 1].schema->name);
        *out = m;
        m = NULL;
    }
    mapping_free(m);
    return st;
}

enum status mapping_of_table(const char *table, struct oltp_txn *t, struct mapping **out,
                             struct fault *f)
{
    struct mapping *m = calloc(1, sizeof *m);
    struct mapping_reader x = {.m = m, .txn = t, .f = f};
    struct import_table *only;
    enum status st;

    if (m == NULL)
        return fault_set(f, ST_NOMEM, "mapping", FAULT_NO_OFFSET, "no memory for the mapping");
    only = &m->tables[0];
    only->newest = -1;
    m->strict = true;
    m->group_slot = -1;
    m->group_rows = GROUP_ROWS_DEFAULT;
    st = find_table(&x, table, only);
    if (only->schema != NULL) m->table_count = 1;
    for (int i = 0; st == ST_OK && i < only->schema->column_count; i++) {
        const struct column *c = &only->schema->columns[i];

        if (!column_live(c, only->schema->version)) continue;
        only->columns[i] = (struct expr){.kind = E_FROM, .slot = m->slot_count};
        only->compared[i] = true;
        m->slots[m->slot_count++] = c->name;
    }
    if (st == ST_OK) {
        mark_early(m);
        m->name = only->schema->name;
        *out = m;
        m = NULL;
    }
    mapping_free(m);
    return st;
}

void mapping_free(struct mapping *m)
{
    if (m == NULL) return;
    for (int i = 0; i < m->table_count; i++)
        schema_free(&m->schemas[i]);
    arena_free(&m->arena);
    free(m);
}
