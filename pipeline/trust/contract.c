/* contract - reads the seams' contracts, compares versions, and counts the rules they state. */
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
    return i < SEAM_ARRAY_LEN(shipped) ? shipped[i] : NULL;
}

/* ---- looking things up ---- */

/* In a list of {"property": NAME, "value": ...}. */
static const struct seam_json *property_of(const struct seam_json *list, const char *property)
{
    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
        if (strcmp(seam_json_string(n, "property", ""), property) == 0) return n;
    return NULL;
}

const struct seam_json *contract_custom(const struct contract *c, const char *property)
{
    return seam_json_get(property_of(seam_json_get(c->root, "customProperties"), property),
                         "value");
}

static const char *custom_text(const struct contract *c, const char *property)
{
    const struct seam_json *v = contract_custom(c, property);

    return v != NULL && v->type == SEAM_J_STRING ? v->str : NULL;
}

static bool is_true(const struct seam_json *object, const char *key)
{
    const struct seam_json *v = seam_json_get(object, key);

    return v != NULL && v->type == SEAM_J_BOOL && v->boolean;
}

static const struct seam_json *named(const struct seam_json *list, const char *name)
{
    for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
        if (strcmp(seam_json_string(n, "name", ""), name) == 0) return n;
    return NULL;
}

static double sla_number(const struct seam_json *root, const char *property)
{
    const struct seam_json *v =
        seam_json_get(property_of(seam_json_get(root, "slaProperties"), property), "value");

    return v != NULL && v->type == SEAM_J_NUMBER ? v->num : -1;
}

/* ---- validation ---- */

static enum seam_status invalid(const char *where, const struct seam_json *at, const char *what,
                                const char *why, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_INVALID, where, at != NULL ? at->line : SEAM_FAULT_NO_OFFSET,
                          "%s: %s", what, why);
}

static enum seam_status check_property(const struct seam_json *p, const char *where,
                                       struct seam_fault *f)
{
    static const char *const logical[] = {"string",    "integer", "number", "boolean",
                                          "timestamp", "date",    "object", "array"};
    const char *name = seam_json_string(p, "name", NULL),
               *type = seam_json_string(p, "logicalType", "");
    const struct seam_json *options = seam_json_get(p, "logicalTypeOptions");

    if (name == NULL || *name == '\0')
        return invalid(where, p, "properties", "each needs a \"name\"", f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(logical); i++)
        if (strcmp(type, logical[i]) == 0) {
            const struct seam_json *lo = seam_json_get(options, "minimum"),
                                   *hi = seam_json_get(options, "maximum");

            if (seam_json_get(p, "required") == NULL)
                return invalid(where, p, name, "\"required\" must be true or false", f);
            if (lo != NULL && hi != NULL && lo->num > hi->num)
                return invalid(where, options, name, "the minimum is above the maximum", f);
            return SEAM_OK;
        }
    return invalid(where, p, name, "\"logicalType\" is none of ODCS", f);
}

static enum seam_status check_objects(const struct seam_json *schema, const char *where,
                                      struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (schema == NULL || schema->type != SEAM_J_ARRAY || schema->child == NULL)
        return invalid(where, schema, "schema", "must be a list of objects", f);
    for (const struct seam_json *o = schema->child; st == SEAM_OK && o != NULL; o = o->next) {
        const struct seam_json *list = seam_json_get(o, "properties");

        if (seam_json_string(o, "name", NULL) == NULL)
            return invalid(where, o, "schema", "each object needs a \"name\"", f);
        if (list == NULL || list->child == NULL)
            return invalid(where, o, seam_json_string(o, "name", ""), "needs \"properties\"", f);
        for (const struct seam_json *p = list->child; st == SEAM_OK && p != NULL; p = p->next) {
            st = check_property(p, where, f);
            if (st == SEAM_OK && named(list, seam_json_string(p, "name", "")) != p)
                st = invalid(where, p, seam_json_string(p, "name", ""), "is there twice", f);
        }
    }
    return st;
}

static enum seam_status check_head(const struct contract *c, const char *where,
                                   struct seam_fault *f)
{
    static const char *const custom[] = {"from",        "to",          "guarantee",
                                         "idempotency", "orderingKey", "compatibility"};
    const struct seam_json *r = c->root;
    int major, minor, patch;

    if (strncmp(seam_json_string(r, "apiVersion", ""), "v3.", 3) != 0 ||
        strcmp(seam_json_string(r, "kind", ""), "DataContract") != 0)
        return invalid(where, r, "apiVersion, kind", "must be v3.x and DataContract", f);
    if (c->id == NULL || c->name == NULL || c->version == NULL ||
        sscanf(c->version, "%d.%d.%d", &major, &minor, &patch) != 3)
        return invalid(where, r, "id, name, version", "are needed; a version is like 1.0.0", f);
    if (seam_json_get(seam_json_get(r, "team"), "members") == NULL)
        return invalid(where, r, "team", "an owner is needed", f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(custom); i++)
        if (custom_text(c, custom[i]) == NULL)
            return invalid(where, r, custom[i], "is missing from customProperties", f);
    if (seam_json_string(contract_custom(c, "reconciliation"), "method", NULL) == NULL)
        return invalid(where, r, "reconciliation", "needs a \"method\"", f);
    if (!(c->warn_s > 0 && c->fail_s >= c->warn_s))
        return invalid(where, r, "slaProperties",
                       "latency must be at least freshnessWarnSeconds, and both positive", f);
    return SEAM_OK;
}

enum seam_status contract_parse(const char *text, size_t n, struct seam_arena *a, const char *where,
                                struct contract *out, struct seam_fault *f)
{
    struct seam_json *root = NULL;
    const struct seam_json *warn, *recall;
    enum seam_status st =
        n > CONTRACT_BYTES_MAX
            ? seam_fault_set(f, SEAM_LIMIT, where, SEAM_FAULT_NO_OFFSET, "a contract is too large")
            : seam_json_parse(text, n, a, where, &root, f);

    *out = (struct contract){.root = root};
    if (st != SEAM_OK) return st;
    out->id = seam_json_string(root, "id", NULL);
    out->name = seam_json_string(root, "name", NULL);
    out->version = seam_json_string(root, "version", NULL);
    out->from = custom_text(out, "from");
    out->to = custom_text(out, "to");
    warn = contract_custom(out, "freshnessWarnSeconds");
    out->warn_s = warn != NULL && warn->type == SEAM_J_NUMBER ? warn->num : 0;
    out->fail_s = sla_number(root, "latency");
    recall = contract_custom(out, "recallAt10");
    out->recall = recall != NULL && recall->type == SEAM_J_NUMBER ? recall->num : 0;
    st = check_head(out, where, f);
    return st == SEAM_OK ? check_objects(seam_json_get(root, "schema"), where, f) : st;
}

enum seam_status contracts_load(struct seam_arena *a, struct contracts *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *out = (struct contracts){0};
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(shipped); i++) {
        char name[64];
        struct asset asset;

        snprintf(name, sizeof name, "contracts/%s.json", shipped[i]);
        asset = shop_asset_find(name);
        st = contract_parse(asset.text, asset.size, a, shipped[i], &out->list[out->count++], f);
    }
    return st;
}

/* ---- compatibility ---- */

static void object_incompatible(const struct seam_json *old, const struct seam_json *next,
                                struct seam_buf *r)
{
    const char *object = seam_json_string(old, "name", "");

    for (const struct seam_json *p = seam_json_get(old, "properties")->child; p != NULL;
         p = p->next) {
        const char *name = seam_json_string(p, "name", "");
        const struct seam_json *q = named(seam_json_get(next, "properties"), name);
        const char *was = seam_json_string(p, "physicalType", ""),
                   *is = seam_json_string(q, "physicalType", "");

        if (q == NULL) {
            seam_buf_printf(r, "%s.%s is gone\n", object, name);
            continue;
        }
        if (strcmp(was, is) != 0 && !(strcmp(was, "int64") == 0 && strcmp(is, "double") == 0))
            seam_buf_printf(r, "%s.%s was %s and is %s\n", object, name, was, is);
        if (is_true(p, "required") && !is_true(q, "required"))
            seam_buf_printf(r, "%s.%s may now be null\n", object, name);
        if (is_true(p, "primaryKey") != is_true(q, "primaryKey"))
            seam_buf_printf(r, "%s: the key changed at %s\n", object, name);
    }
    for (const struct seam_json *q = seam_json_get(next, "properties")->child; q != NULL;
         q = q->next)
        if (is_true(q, "primaryKey") &&
            named(seam_json_get(old, "properties"), seam_json_string(q, "name", "")) == NULL)
            seam_buf_printf(r, "%s: the key changed at %s\n", object,
                            seam_json_string(q, "name", ""));
}

enum seam_status contract_compatible(const struct contract *old, const struct contract *next,
                                     struct seam_buf *report, struct seam_fault *f)
{
    static const char *const promises[] = {"guarantee", "idempotency", "orderingKey"};
    size_t before = report->size;
    struct seam_json_writer w;
    struct seam_buf a = {0}, b = {0};
    bool same;

    if (strcmp(old->id, next->id) != 0)
        seam_buf_printf(report, "the id was %s and is %s\n", old->id, next->id);
    for (const struct seam_json *o = seam_json_get(old->root, "schema")->child; o != NULL;
         o = o->next) {
        const struct seam_json *n =
            named(seam_json_get(next->root, "schema"), seam_json_string(o, "name", ""));

        if (n == NULL)
            seam_buf_printf(report, "the object %s is gone\n", seam_json_string(o, "name", ""));
        else
            object_incompatible(o, n, report);
    }
    if (next->fail_s > old->fail_s)
        seam_buf_printf(report, "freshness was promised within %g s and is within %g s\n",
                        old->fail_s, next->fail_s);
    if (next->recall < old->recall)
        seam_buf_printf(report, "recall was promised to be %g and is %g\n", old->recall,
                        next->recall);
    if (sla_number(next->root, "retention") != 0 &&
        (sla_number(old->root, "retention") == 0 ||
         sla_number(next->root, "retention") < sla_number(old->root, "retention")))
        seam_buf_printf(report, "retention is shorter\n");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(promises); i++)
        if (strcmp(custom_text(old, promises[i]), custom_text(next, promises[i])) != 0)
            seam_buf_printf(report, "%s was \"%s\" and is \"%s\"\n", promises[i],
                            custom_text(old, promises[i]), custom_text(next, promises[i]));
    if (atoi(next->version) > atoi(old->version))
        return SEAM_OK; /* a new major version says that it breaks */
    seam_jw_init(&w, &a);
    seam_jw_node(&w, old->root);
    seam_jw_init(&w, &b);
    seam_jw_node(&w, next->root);
    same = seam_buf_equal(&a, &b);
    if (!same && strcmp(old->version, next->version) == 0)
        seam_buf_printf(report, "the contract changed and its version is still %s\n", old->version);
    seam_buf_free(&a);
    seam_buf_free(&b);
    if (report->size == before) return SEAM_OK;
    return seam_fault_set(
        f, SEAM_CONFLICT, next->name, SEAM_FAULT_NO_OFFSET,
        "not compatible with version %s: raise the major version and tell the consumers",
        old->version);
}

/* ---- rules ---- */

struct emitter {
    const struct contract *c;
    const char *object; /* as called in the contract */
    const char *table;  /* where it is */
    enum seam_status (*fn)(void *ctx, const struct contract_rule *rule, struct seam_fault *f);
    void *ctx;
};

static enum seam_status emit(struct emitter *e, const char *column, const char *kind,
                             struct seam_buf *sql, enum contract_operator op, double number,
                             struct seam_fault *f)
{
    struct contract_rule r = {e->c, e->object, column, kind, seam_buf_cstr(sql), op, number};
    enum seam_status st = seam_buf_ok(sql) ? e->fn(e->ctx, &r, f)
                                           : seam_fault_set(f, SEAM_NOMEM, e->object,
                                                            SEAM_FAULT_NO_OFFSET, "no memory");

    seam_buf_clear(sql);
    return st;
}

/* The operator of an ODCS quality rule; "must be 0" when it has none.                                */
static enum contract_operator operator_of(const struct seam_json *rule, double *number)
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

    for (size_t i = 0; i < SEAM_ARRAY_LEN(list); i++) {
        const struct seam_json *v = seam_json_get(rule, list[i].name);

        if (v == NULL || v->type != SEAM_J_NUMBER) continue;
        *number = v->num;
        return list[i].op;
    }
    *number = 0;
    return RULE_BE;
}

static void quote(struct seam_buf *sql, const char *s)
{
    seam_buf_u8(sql, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'') seam_buf_u8(sql, '\'');
        seam_buf_u8(sql, (uint8_t)*s);
    }
    seam_buf_u8(sql, '\'');
}

static enum seam_status value_rules(struct emitter *e, const char *column,
                                    const struct seam_json *quality, struct seam_buf *sql,
                                    struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (const struct seam_json *q = quality != NULL ? quality->child : NULL;
         st == SEAM_OK && q != NULL; q = q->next) {
        const struct seam_json *valid = seam_json_get(seam_json_get(q, "arguments"), "validValues");
        double number;
        enum contract_operator op = operator_of(q, &number);

        if (strcmp(seam_json_string(q, "metric", ""), "invalidValues") != 0 || valid == NULL)
            continue;
        seam_buf_printf(sql, "SELECT count(*) FROM %s WHERE %s NOT IN (", e->table, column);
        for (const struct seam_json *v = valid->child; v != NULL; v = v->next) {
            if (v != valid->child) seam_buf_str(sql, ", ");
            quote(sql, v->type == SEAM_J_STRING ? v->str : "");
        }
        seam_buf_str(sql, ")");
        st = emit(e, column, "values", sql, op, number, f);
    }
    return st;
}

static enum seam_status property_rules(struct emitter *e, const struct seam_json *p, bool only_key,
                                       struct seam_buf *sql, struct seam_fault *f)
{
    const char *column = seam_json_string(p, "name", "");
    const struct seam_json *options = seam_json_get(p, "logicalTypeOptions"),
                           *lo = seam_json_get(options, "minimum");
    const struct seam_json *hi = seam_json_get(options, "maximum"),
                           *link = seam_json_get(p, "relationships");
    enum seam_status st = SEAM_OK;

    if (is_true(p, "required")) {
        seam_buf_printf(sql, "SELECT count(*) FROM %s WHERE %s IS NULL", e->table, column);
        st = emit(e, column, "not null", sql, RULE_BE, 0, f);
    }
    if (st == SEAM_OK && (is_true(p, "unique") || (only_key && is_true(p, "primaryKey")))) {
        seam_buf_printf(sql, "SELECT count(%s) - count(DISTINCT %s) FROM %s", column, column,
                        e->table);
        st = emit(e, column, "unique", sql, RULE_BE, 0, f);
    }
    if (st == SEAM_OK && (lo != NULL || hi != NULL)) {
        seam_buf_printf(sql, "SELECT count(*) FROM %s WHERE ", e->table);
        if (lo != NULL) seam_buf_printf(sql, "%s < %s", column, lo->str);
        if (hi != NULL)
            seam_buf_printf(sql, "%s%s > %s", lo != NULL ? " OR " : "", column, hi->str);
        st = emit(e, column, "range", sql, RULE_BE, 0, f);
    }
    for (const struct seam_json *l = link != NULL ? link->child : NULL; st == SEAM_OK && l != NULL;
         l = l->next) {
        const char *to = seam_json_string(l, "to", ""), *dot = strchr(to, '.');

        if (dot == NULL) continue;
        seam_buf_printf(
            sql,
            "SELECT count(*) FROM %s a LEFT JOIN %.*s b ON a.%s = b.%s WHERE a.%s IS NOT "
            "NULL AND b.%s IS NULL",
            e->table, (int)(dot - to), to, column, dot + 1, column, dot + 1);
        st = emit(e, column, "reference", sql, RULE_BE, 0, f);
    }
    return st == SEAM_OK ? value_rules(e, column, seam_json_get(p, "quality"), sql, f) : st;
}

static enum seam_status object_rules(struct emitter *e, const struct seam_json *o,
                                     struct seam_buf *sql, struct seam_fault *f)
{
    const struct seam_json *quality = seam_json_get(o, "quality");
    int keys = 0;
    enum seam_status st = SEAM_OK;

    for (const struct seam_json *p = seam_json_get(o, "properties")->child; p != NULL; p = p->next)
        keys += is_true(p, "primaryKey");
    for (const struct seam_json *p = seam_json_get(o, "properties")->child;
         st == SEAM_OK && p != NULL; p = p->next)
        st = property_rules(e, p, keys == 1, sql, f);
    for (const struct seam_json *q = quality != NULL ? quality->child : NULL;
         st == SEAM_OK && q != NULL; q = q->next) {
        double number;
        enum contract_operator op = operator_of(q, &number);

        if (strcmp(seam_json_string(q, "metric", ""), "rowCount") == 0) {
            seam_buf_printf(sql, "SELECT count(*) FROM %s", e->table);
            st = emit(e, NULL, "volume", sql, op, number, f);
        } else if (seam_json_string(q, "query", NULL) != NULL) {
            seam_buf_str(sql, seam_json_string(q, "query", ""));
            st = emit(e, NULL, "sql", sql, op, number, f);
        }
    }
    return st;
}

enum seam_status contract_rules(const struct contract *c,
                                enum seam_status (*fn)(void *ctx, const struct contract_rule *rule,
                                                       struct seam_fault *f),
                                void *ctx, struct seam_fault *f)
{
    struct seam_buf sql = {0};
    enum seam_status st = SEAM_OK;

    for (const struct seam_json *o = seam_json_get(c->root, "schema")->child;
         st == SEAM_OK && o != NULL; o = o->next) {
        struct emitter e = {c, seam_json_string(o, "name", ""),
                            seam_json_string(o, "physicalName", NULL), fn, ctx};

        if (e.table != NULL) st = object_rules(&e, o, &sql, f);
    }
    seam_buf_free(&sql);
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

void contract_expectation(const struct contract_rule *r, struct seam_buf *out)
{
    static const char *const words[] = {"must be",          "must not be",   "must be above",
                                        "must be at least", "must be below", "must be at most"};

    seam_buf_printf(out, "%s %g", words[r->op], r->number);
}

/* ---- the table ---- */

static enum seam_status count_rule(void *ctx, const struct contract_rule *rule,
                                   struct seam_fault *f)
{
    static const char *const kinds[] = {"not null",  "unique", "range", "values",
                                        "reference", "volume", "sql"};
    size_t *counts = ctx;

    (void)f;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++)
        if (strcmp(rule->kind, kinds[i]) == 0) counts[i]++;
    return SEAM_OK;
}

static void describe(const struct contract *c, struct seam_buf *out)
{
    static const char *const kinds[] = {"not null",  "unique", "range", "values",
                                        "reference", "volume", "SQL"};
    const struct seam_json *rec = contract_custom(c, "reconciliation");
    const struct seam_json *kept =
        property_of(seam_json_get(c->root, "slaProperties"), "retention");
    const struct seam_json *amount = seam_json_get(kept, "value");
    size_t counts[SEAM_ARRAY_LEN(kinds)] = {0}, shown = 0;

    seam_buf_printf(
        out, "\n## %s\n\n%s. Version %s, owner %s.\n\n", c->name,
        seam_json_string(seam_json_get(c->root, "description"), "purpose", ""), c->version,
        seam_json_string(seam_json_get(seam_json_get(c->root, "team"), "members")->child,
                         "username", "nobody"));
    seam_buf_printf(out, "- Guarantee: %s. Idempotency: %s. Order: by %s.\n",
                    custom_text(c, "guarantee"), custom_text(c, "idempotency"),
                    custom_text(c, "orderingKey"));
    if (amount != NULL && amount->num != 0)
        seam_buf_printf(out, "- Kept for %g %s.", amount->num, seam_json_string(kept, "unit", ""));
    else
        seam_buf_printf(out, "- Kept: %s.", seam_json_string(kept, "unit", ""));
    seam_buf_printf(out, " Compatibility: %s.\n", custom_text(c, "compatibility"));
    seam_buf_printf(out, "- Reconciliation: %s; %s; tolerance 0. Repair: %s.\n",
                    seam_json_string(rec, "method", ""), seam_json_string(rec, "cadence", ""),
                    seam_json_string(rec, "repair", ""));
    if (c->recall > 0)
        seam_buf_printf(
            out, "- Recall of the 10 nearest: at least %g, checked by `seam check DIR recall`.\n",
            c->recall);
    seam_buf_str(out, "- Rules on live data: ");
    if (contract_rules(c, count_rule, counts, NULL) == SEAM_OK)
        for (size_t i = 0; i < SEAM_ARRAY_LEN(kinds); i++)
            if (counts[i] > 0)
                seam_buf_printf(out, "%s%zu %s", shown++ > 0 ? ", " : "", counts[i], kinds[i]);
    seam_buf_printf(out, "%s.\n- Limits: %s.\n", shown == 0 ? "none by SQL" : "",
                    seam_json_string(seam_json_get(c->root, "description"), "limitations", ""));
}

void contracts_markdown(const struct contracts *set, struct seam_buf *out)
{
    seam_buf_str(
        out, "# What each seam promises\n\n"
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

        seam_buf_printf(out, "| [%s](#%s) | %s | %s | %s | %s | %g s / %g s | %s |\n", c->name,
                        c->name, c->from, c->to, custom_text(c, "guarantee"),
                        custom_text(c, "orderingKey"), c->warn_s, c->fail_s,
                        seam_json_string(contract_custom(c, "reconciliation"), "cadence", ""));
    }
    for (size_t i = 0; i < set->count; i++) describe(&set->list[i], out);
}
