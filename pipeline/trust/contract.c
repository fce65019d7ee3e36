#include "pipeline/trust/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/value.h"
#include "pipeline/shop/assets.h"

static const char *const shipped[] = {
    "source-stream", "stream-bronze", "bronze-silver",  "silver-gold",
    "stream-view",   "stream-search", "stream-vectors", "orders-audit",
};

const char *contract_shipped(size_t i)
{
    return i < ARRAY_LEN(shipped) ? shipped[i] : NULL;
}

/* ---- looking things up ---- */

/* In a list of {"property": NAME, "value": ...}. */
static const struct json *property_of(const struct json *list, const char *property)
{
    for (const struct json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
        if (strcmp(json_string(n, "property", ""), property) == 0) return n;
    return NULL;
}

const struct json *contract_custom(const struct contract *c, const char *property)
{
    return json_get(property_of(json_get(c->root, "customProperties"), property), "value");
}

static const char *custom_text(const struct contract *c, const char *property)
{
    const struct json *v = contract_custom(c, property);

    return v != NULL && v->type == J_STRING ? v->str : NULL;
}

static bool is_true(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);

    return v != NULL && v->type == J_BOOL && v->boolean;
}

static const struct json *named(const struct json *list, const char *name)
{
    for (const struct json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
        if (strcmp(json_string(n, "name", ""), name) == 0) return n;
    return NULL;
}

static double sla_number(const struct json *root, const char *property)
{
    const struct json *v =
        json_get(property_of(json_get(root, "slaProperties"), property), "value");

    return v != NULL && v->type == J_NUMBER ? v->num : -1;
}

/* ---- validation ---- */

static enum status invalid(const char *where, const struct json *at, const char *what,
                           const char *why, struct fault *f)
{
    return fault_set(f, ST_INVALID, where, at != NULL ? at->line : FAULT_NO_OFFSET, "%s: %s", what,
                     why);
}

static enum status check_property(const struct json *p, const char *where, struct fault *f)
{
    static const char *const logical[] = {"string",    "integer", "number", "boolean",
                                          "timestamp", "date",    "object", "array"};
    const char *name = json_string(p, "name", NULL), *type = json_string(p, "logicalType", "");
    const struct json *options = json_get(p, "logicalTypeOptions");

    if (name == NULL || *name == '\0')
        return invalid(where, p, "properties", "each needs a \"name\"", f);
    for (size_t i = 0; i < ARRAY_LEN(logical); i++)
        if (strcmp(type, logical[i]) == 0) {
            const struct json *lo = json_get(options, "minimum"),
                              *hi = json_get(options, "maximum");

            if (json_get(p, "required") == NULL)
                return invalid(where, p, name, "\"required\" must be true or false", f);
            if (lo != NULL && hi != NULL && lo->num > hi->num)
                return invalid(where, options, name, "the minimum is above the maximum", f);
            return ST_OK;
        }
    return invalid(where, p, name, "\"logicalType\" is none of ODCS", f);
}

static enum status check_objects(const struct json *schema, const char *where, struct fault *f)
{
    enum status st = ST_OK;

    if (schema == NULL || schema->type != J_ARRAY || schema->child == NULL)
        return invalid(where, schema, "schema", "must be a list of objects", f);
    for (const struct json *o = schema->child; st == ST_OK && o != NULL; o = o->next) {
        const struct json *list = json_get(o, "properties");

        if (json_string(o, "name", NULL) == NULL)
            return invalid(where, o, "schema", "each object needs a \"name\"", f);
        if (list == NULL || list->child == NULL)
            return invalid(where, o, json_string(o, "name", ""), "needs \"properties\"", f);
        for (const struct json *p = list->child; st == ST_OK && p != NULL; p = p->next) {
            st = check_property(p, where, f);
            if (st == ST_OK && named(list, json_string(p, "name", "")) != p)
                st = invalid(where, p, json_string(p, "name", ""), "is there twice", f);
        }
    }
    return st;
}

static enum status check_head(const struct contract *c, const char *where, struct fault *f)
{
    static const char *const custom[] = {"from",        "to",          "guarantee",
                                         "idempotency", "orderingKey", "compatibility"};
    const struct json *r = c->root;
    int major, minor, patch;

    if (strncmp(json_string(r, "apiVersion", ""), "v3.", 3) != 0 ||
        strcmp(json_string(r, "kind", ""), "DataContract") != 0)
        return invalid(where, r, "apiVersion, kind", "must be v3.x and DataContract", f);
    if (c->id == NULL || c->name == NULL || c->version == NULL ||
        sscanf(c->version, "%d.%d.%d", &major, &minor, &patch) != 3)
        return invalid(where, r, "id, name, version", "are needed; a version is like 1.0.0", f);
    if (json_get(json_get(r, "team"), "members") == NULL)
        return invalid(where, r, "team", "an owner is needed", f);
    for (size_t i = 0; i < ARRAY_LEN(custom); i++)
        if (custom_text(c, custom[i]) == NULL)
            return invalid(where, r, custom[i], "is missing from customProperties", f);
    if (json_string(contract_custom(c, "reconciliation"), "method", NULL) == NULL)
        return invalid(where, r, "reconciliation", "needs a \"method\"", f);
    if (!(c->warn_s > 0 && c->fail_s >= c->warn_s))
        return invalid(where, r, "slaProperties",
                       "latency must be at least freshnessWarnSeconds, and both positive", f);
    return ST_OK;
}

enum status contract_parse(const char *text, size_t n, struct arena *a, const char *where,
                           struct contract *out, struct fault *f)
{
    struct json *root = NULL;
    const struct json *warn, *recall;
    enum status st = n > CONTRACT_BYTES_MAX
                         ? fault_set(f, ST_LIMIT, where, FAULT_NO_OFFSET, "a contract is too large")
                         : json_parse(text, n, a, where, &root, f);

    *out = (struct contract){.root = root};
    if (st != ST_OK) return st;
    out->id = json_string(root, "id", NULL);
    out->name = json_string(root, "name", NULL);
    out->version = json_string(root, "version", NULL);
    out->from = custom_text(out, "from");
    out->to = custom_text(out, "to");
    warn = contract_custom(out, "freshnessWarnSeconds");
    out->warn_s = warn != NULL && warn->type == J_NUMBER ? warn->num : 0;
    out->fail_s = sla_number(root, "latency");
    recall = contract_custom(out, "recallAt10");
    out->recall = recall != NULL && recall->type == J_NUMBER ? recall->num : 0;
    st = check_head(out, where, f);
    return st == ST_OK ? check_objects(json_get(root, "schema"), where, f) : st;
}

enum status contracts_load(struct arena *a, struct contracts *out, struct fault *f)
{
    enum status st = ST_OK;

    *out = (struct contracts){0};
    for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(shipped); i++) {
        char name[64];
        struct asset asset;

        snprintf(name, sizeof name, "contracts/%s.json", shipped[i]);
        asset = asset_find(name);
        st = contract_parse(asset.text, asset.size, a, shipped[i], &out->list[out->count++], f);
    }
    return st;
}

/* ---- compatibility ---- */

static void object_incompatible(const struct json *old, const struct json *next, struct buf *r)
{
    const char *object = json_string(old, "name", "");

    for (const struct json *p = json_get(old, "properties")->child; p != NULL; p = p->next) {
        const char *name = json_string(p, "name", "");
        const struct json *q = named(json_get(next, "properties"), name);
        const char *was = json_string(p, "physicalType", ""),
                   *is = json_string(q, "physicalType", "");

        if (q == NULL) {
            buf_printf(r, "%s.%s is gone\n", object, name);
            continue;
        }
        if (strcmp(was, is) != 0 && !(strcmp(was, "int64") == 0 && strcmp(is, "double") == 0))
            buf_printf(r, "%s.%s was %s and is %s\n", object, name, was, is);
        if (is_true(p, "required") && !is_true(q, "required"))
            buf_printf(r, "%s.%s may now be null\n", object, name);
        if (is_true(p, "primaryKey") != is_true(q, "primaryKey"))
            buf_printf(r, "%s: the key changed at %s\n", object, name);
    }
    for (const struct json *q = json_get(next, "properties")->child; q != NULL; q = q->next)
        if (is_true(q, "primaryKey") &&
            named(json_get(old, "properties"), json_string(q, "name", "")) == NULL)
            buf_printf(r, "%s: the key changed at %s\n", object, json_string(q, "name", ""));
}

enum status contract_compatible(const struct contract *old, const struct contract *next,
                                struct buf *report, struct fault *f)
{
    static const char *const promises[] = {"guarantee", "idempotency", "orderingKey"};
    size_t before = report->size;
    struct json_writer w;
    struct buf a = {0}, b = {0};
    bool same;

    if (strcmp(old->id, next->id) != 0)
        buf_printf(report, "the id was %s and is %s\n", old->id, next->id);
    for (const struct json *o = json_get(old->root, "schema")->child; o != NULL; o = o->next) {
        const struct json *n = named(json_get(next->root, "schema"), json_string(o, "name", ""));

        if (n == NULL)
            buf_printf(report, "the object %s is gone\n", json_string(o, "name", ""));
        else
            object_incompatible(o, n, report);
    }
    if (next->fail_s > old->fail_s)
        buf_printf(report, "freshness was promised within %g s and is within %g s\n", old->fail_s,
                   next->fail_s);
    if (next->recall < old->recall)
        buf_printf(report, "recall was promised to be %g and is %g\n", old->recall, next->recall);
    if (sla_number(next->root, "retention") != 0 &&
        (sla_number(old->root, "retention") == 0 ||
         sla_number(next->root, "retention") < sla_number(old->root, "retention")))
        buf_printf(report, "retention is shorter\n");
    for (size_t i = 0; i < ARRAY_LEN(promises); i++)
        if (strcmp(custom_text(old, promises[i]), custom_text(next, promises[i])) != 0)
            buf_printf(report, "%s was \"%s\" and is \"%s\"\n", promises[i],
                       custom_text(old, promises[i]), custom_text(next, promises[i]));
    if (atoi(next->version) > atoi(old->version))
        return ST_OK; /* a new major version says that it breaks */
    jw_init(&w, &a);
    jw_node(&w, old->root);
    jw_init(&w, &b);
    jw_node(&w, next->root);
    same = buf_equal(&a, &b);
    if (!same && strcmp(old->version, next->version) == 0)
        buf_printf(report, "the contract changed and its version is still %s\n", old->version);
    buf_free(&a);
    buf_free(&b);
    if (report->size == before) return ST_OK;
    return fault_set(
        f, ST_CONFLICT, next->name, FAULT_NO_OFFSET,
        "not compatible with version %s: raise the major version and tell the consumers",
        old->version);
}

/* ---- rules ---- */

struct emitter {
    const struct contract *c;
    const char *object; /* as called in the contract */
    const char *table;  /* where it is */
    enum status (*fn)(void *ctx, const struct contract_rule *rule, struct fault *f);
    void *ctx;
};

static enum status emit(struct emitter *e, const char *column, const char *kind, struct buf *sql,
                        enum contract_operator op, double number, struct fault *f)
{
    struct contract_rule r = {e->c, e->object, column, kind, buf_cstr(sql), op, number};
    enum status st = buf_ok(sql) ? e->fn(e->ctx, &r, f)
                                 : fault_set(f, ST_NOMEM, e->object, FAULT_NO_OFFSET, "no memory");

    buf_clear(sql);
    return st;
}

/* The operator of an ODCS quality rule; "must be 0" when it has none.                                */
static enum contract_operator operator_of(const struct json *rule, double *number)
{
    static const struct {
        const char *name;
        enum contract_operator op;
    } list[] = {
        {"mustBe", RULE_BE},
        {"mustNotBe", RULE_NOT_BE},
        {"mustBeGreaterThan", RULE_GT},
        {"mustBeGreaterOrEqualTo", RULE_GE},
        {"mustBeLessThan", RULE_LT},
        {"mustBeLessOrEqualTo", RULE_LE},
    };

    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        const struct json *v = json_get(rule, list[i].name);

        if (v == NULL || v->type != J_NUMBER) continue;
        *number = v->num;
        return list[i].op;
    }
    *number = 0;
    return RULE_BE;
}

static void quote(struct buf *sql, const char *s)
{
    buf_u8(sql, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'') buf_u8(sql, '\'');
        buf_u8(sql, (uint8_t)*s);
    }
    buf_u8(sql, '\'');
}

static enum status value_rules(struct emitter *e, const char *column, const struct json *quality,
                               struct buf *sql, struct fault *f)
{
    enum status st = ST_OK;

    for (const struct json *q = quality != NULL ? quality->child : NULL; st == ST_OK && q != NULL;
         q = q->next) {
        const struct json *valid = json_get(json_get(q, "arguments"), "validValues");
        double number;
        enum contract_operator op = operator_of(q, &number);

        if (strcmp(json_string(q, "metric", ""), "invalidValues") != 0 || valid == NULL) continue;
        buf_printf(sql, "SELECT count(*) FROM %s WHERE %s NOT IN (", e->table, column);
        for (const struct json *v = valid->child; v != NULL; v = v->next) {
            if (v != valid->child) buf_str(sql, ", ");
            quote(sql, v->type == J_STRING ? v->str : "");
        }
        buf_str(sql, ")");
        st = emit(e, column, "values", sql, op, number, f);
    }
    return st;
}

static enum status property_rules(struct emitter *e, const struct json *p, bool only_key,
                                  struct buf *sql, struct fault *f)
{
    const char *column = json_string(p, "name", "");
    const struct json *options = json_get(p, "logicalTypeOptions"),
                      *lo = json_get(options, "minimum");
    const struct json *hi = json_get(options, "maximum"), *link = json_get(p, "relationships");
    enum status st = ST_OK;

    if (is_true(p, "required")) {
        buf_printf(sql, "SELECT count(*) FROM %s WHERE %s IS NULL", e->table, column);
        st = emit(e, column, "not null", sql, RULE_BE, 0, f);
    }
    if (st == ST_OK && (is_true(p, "unique") || (only_key && is_true(p, "primaryKey")))) {
        buf_printf(sql, "SELECT count(%s) - count(DISTINCT %s) FROM %s", column, column, e->table);
        st = emit(e, column, "unique", sql, RULE_BE, 0, f);
    }
    if (st == ST_OK && (lo != NULL || hi != NULL)) {
        buf_printf(sql, "SELECT count(*) FROM %s WHERE ", e->table);
        if (lo != NULL) buf_printf(sql, "%s < %s", column, lo->str);
        if (hi != NULL) buf_printf(sql, "%s%s > %s", lo != NULL ? " OR " : "", column, hi->str);
        st = emit(e, column, "range", sql, RULE_BE, 0, f);
    }
    for (const struct json *l = link != NULL ? link->child : NULL; st == ST_OK && l != NULL;
         l = l->next) {
        const char *to = json_string(l, "to", ""), *dot = strchr(to, '.');

        if (dot == NULL) continue;
        buf_printf(sql,
                   "SELECT count(*) FROM %s a LEFT JOIN %.*s b ON a.%s = b.%s WHERE a.%s IS NOT "
                   "NULL AND b.%s IS NULL",
                   e->table, (int)(dot - to), to, column, dot + 1, column, dot + 1);
        st = emit(e, column, "reference", sql, RULE_BE, 0, f);
    }
    return st == ST_OK ? value_rules(e, column, json_get(p, "quality"), sql, f) : st;
}

static enum status object_rules(struct emitter *e, const struct json *o, struct buf *sql,
                                struct fault *f)
{
    const struct json *quality = json_get(o, "quality");
    int keys = 0;
    enum status st = ST_OK;

    for (const struct json *p = json_get(o, "properties")->child; p != NULL; p = p->next)
        keys += is_true(p, "primaryKey");
    for (const struct json *p = json_get(o, "properties")->child; st == ST_OK && p != NULL;
         p = p->next)
        st = property_rules(e, p, keys == 1, sql, f);
    for (const struct json *q = quality != NULL ? quality->child : NULL; st == ST_OK && q != NULL;
         q = q->next) {
        double number;
        enum contract_operator op = operator_of(q, &number);

        if (strcmp(json_string(q, "metric", ""), "rowCount") == 0) {
            buf_printf(sql, "SELECT count(*) FROM %s", e->table);
            st = emit(e, NULL, "volume", sql, op, number, f);
        } else if (json_string(q, "query", NULL) != NULL) {
            buf_str(sql, json_string(q, "query", ""));
            st = emit(e, NULL, "sql", sql, op, number, f);
        }
    }
    return st;
}

enum status contract_rules(const struct contract *c,
                           enum status (*fn)(void *ctx, const struct contract_rule *rule,
                                             struct fault *f),
                           void *ctx, struct fault *f)
{
    struct buf sql = {0};
    enum status st = ST_OK;

    for (const struct json *o = json_get(c->root, "schema")->child; st == ST_OK && o != NULL;
         o = o->next) {
        struct emitter e = {c, json_string(o, "name", ""), json_string(o, "physicalName", NULL), fn,
                            ctx};

        if (e.table != NULL) st = object_rules(&e, o, &sql, f);
    }
    buf_free(&sql);
    return st;
}

bool contract_holds(const struct contract_rule *r, double v)
{
    switch (r->op) {
    case RULE_BE: return v == r->number;
    case RULE_NOT_BE: return v != r->number;
    case RULE_GT: return v > r->number;
    case RULE_GE: return v >= r->number;
    case RULE_LT: return v < r->number;
    case RULE_LE: return v <= r->number;
    }
    return false;
}

void contract_expectation(const struct contract_rule *r, struct buf *out)
{
    static const char *const words[] = {"must be",          "must not be",   "must be above",
                                        "must be at least", "must be below", "must be at most"};

    buf_printf(out, "%s %g", words[r->op], r->number);
}

/* ---- the table ---- */

static enum status count_rule(void *ctx, const struct contract_rule *rule, struct fault *f)
{
    static const char *const kinds[] = {"not null",  "unique", "range", "values",
                                        "reference", "volume", "sql"};
    size_t *counts = ctx;

    (void)f;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(rule->kind, kinds[i]) == 0) counts[i]++;
    return ST_OK;
}

static void describe(const struct contract *c, struct buf *out)
{
    static const char *const kinds[] = {"not null",  "unique", "range", "values",
                                        "reference", "volume", "SQL"};
    const struct json *rec = contract_custom(c, "reconciliation");
    const struct json *kept = property_of(json_get(c->root, "slaProperties"), "retention");
    const struct json *amount = json_get(kept, "value");
    size_t counts[ARRAY_LEN(kinds)] = {0}, shown = 0;

    buf_printf(
        out, "\n## %s\n\n%s. Version %s, owner %s.\n\n", c->name,
        json_string(json_get(c->root, "description"), "purpose", ""), c->version,
        json_string(json_get(json_get(c->root, "team"), "members")->child, "username", "nobody"));
    buf_printf(out, "- Guarantee: %s. Idempotency: %s. Order: by %s.\n",
               custom_text(c, "guarantee"), custom_text(c, "idempotency"),
               custom_text(c, "orderingKey"));
    if (amount != NULL && amount->num != 0)
        buf_printf(out, "- Kept for %g %s.", amount->num, json_string(kept, "unit", ""));
    else
        buf_printf(out, "- Kept: %s.", json_string(kept, "unit", ""));
    buf_printf(out, " Compatibility: %s.\n", custom_text(c, "compatibility"));
    buf_printf(out, "- Reconciliation: %s; %s; tolerance 0. Repair: %s.\n",
               json_string(rec, "method", ""), json_string(rec, "cadence", ""),
               json_string(rec, "repair", ""));
    if (c->recall > 0)
        buf_printf(out, "- Recall of the 10 nearest: at least %g, checked by `seam check DIR recall`.\n", c->recall);
    buf_str(out, "- Rules on live data: ");
    if (contract_rules(c, count_rule, counts, NULL) == ST_OK)
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (counts[i] > 0)
                buf_printf(out, "%s%zu %s", shown++ > 0 ? ", " : "", counts[i], kinds[i]);
    buf_printf(out, "%s.\n- Limits: %s.\n", shown == 0 ? "none by SQL" : "",
               json_string(json_get(c->root, "description"), "limitations", ""));
}

void contracts_markdown(const struct contracts *set, struct buf *out)
{
    buf_str(out, "# What each seam promises\n\n"
                 "Made from `pipeline/trust/contracts/*.json` by `seam check contracts --markdown`; a "
                 "test fails when it is stale.\n"
                 "`seam check DIR contracts` holds live data to the rules, `seam check contracts "
                 "--against FOLDER` refuses an\n"
                 "incompatible change.\n\n"
                 "| seam | from | to | guarantee | ordering key | fresh within (warn / fail) | "
                 "reconciled |\n"
                 "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < set->count; i++) {
        const struct contract *c = &set->list[i];

        buf_printf(out, "| [%s](#%s) | %s | %s | %s | %s | %g s / %g s | %s |\n", c->name, c->name,
                   c->from, c->to, custom_text(c, "guarantee"), custom_text(c, "orderingKey"),
                   c->warn_s, c->fail_s,
                   json_string(contract_custom(c, "reconciliation"), "cadence", ""));
    }
    for (size_t i = 0; i < set->count; i++)
        describe(&set->list[i], out);
}
