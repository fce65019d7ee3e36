/* check_contracts - the contracts themselves, against their older versions, and against the live data. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/cli/check.h"
#include "pipeline/ask/sqlenv.h"

struct live {
    struct check *k;
    struct sql_platform *sql;
    size_t rules, broken, skipped;
    struct table_out table; /* what is broken */
};

/* The one number of a query's answer.                                                               */
static enum status take_number(void *ctx, const struct batch *b, struct fault *f)
{
    struct value row[COLUMNS_MAX];
    double *out = ctx;

    (void)f;
    if (b->rows == 0) return ST_OK;
    batch_row(b, 0, row);
    *out = row[0].type == V_DOUBLE ? row[0].d : (double)row[0].i;
    return ST_OK;
}

static enum status ask(struct live *l, const char *sql, double *out, struct fault *f)
{
    struct arena a = {0};
    struct query_options o = {0};
    struct sql_query q;
    enum status st = sql_platform_next(l->sql, f);

    if (st == ST_OK) st = sql_prepare(&l->sql->env, sql, strlen(sql), &a, &q, f);
    if (st == ST_OK) st = sql_run(&q, &o, take_number, out, NULL, f);
    arena_free(&a);
    return st;
}

static void found(struct live *l, const char *seam, const char *object, const char *column,
                  const char *kind, const char *why)
{
    l->broken++;
    if (l->k->json != NULL) {
        jw_object(l->k->json);
        jw_key(l->k->json, "seam");
        jw_str(l->k->json, seam);
        jw_key(l->k->json, "object");
        jw_str(l->k->json, object);
        jw_key(l->k->json, "column");
        if (column != NULL)
            jw_str(l->k->json, column);
        else
            jw_null(l->k->json);
        jw_key(l->k->json, "rule");
        jw_str(l->k->json, kind);
        jw_key(l->k->json, "broken");
        jw_str(l->k->json, why);
        jw_end_object(l->k->json);
        return;
    }
    table_cell(&l->table, "%s", seam);
    table_cell(&l->table, "%s%s%s", object, column != NULL ? "." : "",
               column != NULL ? column : "");
    table_cell(&l->table, "%s", kind);
    table_cell(&l->table, "%s", why);
}

static enum status run_rule(void *ctx, const struct contract_rule *rule, struct fault *f)
{
    struct live *l = ctx;
    struct buf why = {0};
    struct fault local = {0};
    double measured = 0;
    enum status st = ask(l, rule->sql, &measured, &local);

    (void)f;
    l->rules++;
    if (st != ST_OK) {
        buf_printf(&why, "cannot be asked: %s", local.why);
    } else if (!contract_holds(rule, measured)) {
        buf_printf(&why, "%.0f, ", measured);
        contract_expectation(rule, &why);
    }
    if (why.size > 0)
        found(l, rule->contract->name, rule->object, rule->column, rule->kind, buf_cstr(&why));
    buf_free(&why);
    return ST_OK;
}

static void check_column(struct live *l, const struct contract *c, const char *object,
                         const struct json *p, const struct plan_column *columns, int n)
{
    const char *name = json_string(p, "name", ""), *wanted = json_string(p, "physicalType", "");
    char is[40], why[128];

    for (int i = 0; i < n; i++) {
        if (strcmp(columns[i].name, name) != 0) continue;
        snprintf(is, sizeof is, "%s", value_type_name(columns[i].type));
        if (columns[i].type == V_DECIMAL) snprintf(is, sizeof is, "decimal(%d)", columns[i].scale);
        if (strcmp(is, wanted) == 0) return;
        snprintf(why, sizeof why, "is %s, the contract says %s", is, wanted);
        found(l, c->name, object, name, "schema", why);
        return;
    }
    found(l, c->name, object, name, "schema", "is not there");
}

/* The live table has every column of the contract, with its type. *there is false when this platform has no such
 * table at all.                                                                                     */
static enum status check_schema(struct live *l, const struct contract *c, const struct json *o,
                                bool *there)
{
    const char *table = json_string(o, "physicalName", "");
    char sql[NAME_MAX_BYTES + 32];
    struct arena a = {0};
    struct sql_query q;
    struct fault local = {0};
    enum status st = sql_platform_next(l->sql, &l->k->cli->fault);

    *there = true;
    snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    if (st != ST_OK) return st;
    st = sql_prepare(&l->sql->env, sql, strlen(sql), &a, &q, &local);
    if (st == ST_OK) {
        for (const struct json *p = json_get(o, "properties")->child; p != NULL; p = p->next)
            check_column(l, c, json_string(o, "name", ""), p, q.columns, q.n_columns);
    } else {
        *there = false;
        found(l, c->name, json_string(o, "name", ""), NULL, "schema", local.why);
    }
    arena_free(&a);
    return ST_OK;
}

static enum status check_live(struct live *l, const struct contract *c)
{
    bool whole = true;
    enum status st = ST_OK;

    for (const struct json *o = json_get(c->root, "schema")->child; st == ST_OK && o != NULL;
         o = o->next) {
        bool there = true;

        if (json_string(o, "physicalName", NULL) != NULL) st = check_schema(l, c, o, &there);
        whole &= there;
    }
    return st == ST_OK && whole ? contract_rules(c, run_rule, l, &l->k->cli->fault) : st;
}

static enum status check_against(struct live *l, struct arena *a)
{
    struct cli *c = l->k->cli;
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < l->k->contracts->count; i++) {
        const struct contract *next = &l->k->contracts->list[i];
        struct contract old;
        struct buf text = {0}, report = {0};
        char name[80], path[PATH_MAX_BYTES];

        snprintf(name, sizeof name, "%s.json", next->name);
        st = path_join(path, l->k->against, name, &c->fault);
        if (st == ST_OK && !io_exists(c->io, path)) continue; /* a new seam breaks nobody */
        if (st == ST_OK) st = io_read_all(c->io, path, CONTRACT_BYTES_MAX, &text, &c->fault);
        if (st == ST_OK)
            st = contract_parse((const char *)text.data, text.size, a, path, &old, &c->fault);
        if (st == ST_OK && contract_compatible(&old, next, &report, NULL) != ST_OK) {
            char *line = (char *)(uintptr_t)buf_cstr(&report), *end;

            for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
                *end = '\0';
                found(l, next->name, "", NULL, "compatibility", line);
            }
        }
        buf_free(&text);
        buf_free(&report);
    }
    return st;
}

enum status check_contracts(struct check *k)
{
    struct sql_platform sql = {0};
    struct live l = {.k = k, .sql = &sql};
    struct arena a = {0};
    enum status st = ST_OK;

    if (k->json != NULL) {
        jw_key(k->json, "contracts");
        jw_object(k->json);
        jw_key(k->json, "broken");
        jw_array(k->json);
    } else {
        table_begin(&l.table, 4, 0);
        for (const char *const *h = (const char *const[]){"seam", "where", "rule", "broken", NULL};
             *h != NULL; h++)
            table_cell(&l.table, "%s", *h);
    }
    if (k->against != NULL) st = check_against(&l, &a);
    if (st == ST_OK && k->platform != NULL) {
        st = sql_platform_open(&sql, k->platform, &k->cli->fault);
        for (size_t i = 0; st == ST_OK && i < k->contracts->count; i++)
            st = check_live(&l, &k->contracts->list[i]);
        sql_platform_close(&sql);
    }
    if (k->json != NULL) {
        jw_end_array(k->json);
        jw_key(k->json, "contracts");
        jw_uint(k->json, k->contracts->count);
        jw_key(k->json, "rules");
        jw_uint(k->json, l.rules);
        jw_end_object(k->json);
    } else {
        if (l.broken > 0)
            table_print(k->cli, &l.table);
        else
            buf_free(&l.table.cells);
        printf("%zu contracts, %zu rules asked of live data, %zu broken\n", k->contracts->count,
               l.rules, l.broken);
    }
    snprintf(k->record.detail, sizeof k->record.detail,
             "%zu contracts, %zu rules asked of live data, %zu broken", k->contracts->count, l.rules,
             l.broken);
    arena_free(&a);
    return st != ST_OK ? st : l.broken > 0 ? ST_DRIFT : ST_OK;
}
