/* check_contracts - the contracts themselves, against their older versions, and against the live data. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/ask/sqlenv.h"
#include "pipeline/cli/check.h"

struct live {
    struct cli_check *k;
    struct ask_sql_platform *sql;
    size_t rules, broken, skipped;
    struct cli_table_out table; /* what is broken */
};

/* The one number of a query's answer.                                                               */
static enum seam_status take_number(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct seam_value row[SEAM_COLUMNS_MAX];
    double *out = ctx;

    (void)f;
    if (b->rows == 0) return SEAM_OK;
    columnar_batch_row(b, 0, row);
    *out = row[0].type == SEAM_V_DOUBLE ? row[0].d : (double)row[0].i;
    return SEAM_OK;
}

static enum seam_status ask(struct live *l, const char *sql, double *out, struct seam_fault *f)
{
    struct seam_arena a = {0};
    struct columnar_query_options o = {0};
    struct columnar_sql_query q;
    enum seam_status st = ask_sql_platform_next(l->sql, f);

    if (st == SEAM_OK) st = columnar_sql_prepare(&l->sql->env, sql, strlen(sql), &a, &q, f);
    if (st == SEAM_OK) st = columnar_sql_run(&q, &o, take_number, out, NULL, f);
    seam_arena_free(&a);
    return st;
}

static void found(struct live *l, const char *seam, const char *object, const char *column,
                  const char *kind, const char *why)
{
    l->broken++;
    if (l->k->json != NULL) {
        seam_jw_object(l->k->json);
        seam_jw_key(l->k->json, "seam");
        seam_jw_str(l->k->json, seam);
        seam_jw_key(l->k->json, "object");
        seam_jw_str(l->k->json, object);
        seam_jw_key(l->k->json, "column");
        if (column != NULL)
            seam_jw_str(l->k->json, column);
        else
            seam_jw_null(l->k->json);
        seam_jw_key(l->k->json, "rule");
        seam_jw_str(l->k->json, kind);
        seam_jw_key(l->k->json, "broken");
        seam_jw_str(l->k->json, why);
        seam_jw_end_object(l->k->json);
        return;
    }
    table_cell(&l->table, "%s", seam);
    table_cell(&l->table, "%s%s%s", object, column != NULL ? "." : "",
               column != NULL ? column : "");
    table_cell(&l->table, "%s", kind);
    table_cell(&l->table, "%s", why);
}

static enum seam_status run_rule(void *ctx, const struct contract_rule *rule, struct seam_fault *f)
{
    struct live *l = ctx;
    struct seam_buf why = {0};
    struct seam_fault local = {0};
    double measured = 0;
    enum seam_status st = ask(l, rule->sql, &measured, &local);

    (void)f;
    l->rules++;
    if (st != SEAM_OK) {
        seam_buf_printf(&why, "cannot be asked: %s", local.why);
    } else if (!contract_holds(rule, measured)) {
        seam_buf_printf(&why, "%.0f, ", measured);
        contract_expectation(rule, &why);
    }
    if (why.size > 0)
        found(l, rule->contract->name, rule->object, rule->column, rule->kind, seam_buf_cstr(&why));
    seam_buf_free(&why);
    return SEAM_OK;
}

static void check_column(struct live *l, const struct contract *c, const char *object,
                         const struct seam_json *p, const struct columnar_plan_column *columns,
                         int n)
{
    const char *name = seam_json_string(p, "name", ""),
               *wanted = seam_json_string(p, "physicalType", "");
    char is[40], why[128];

    for (int i = 0; i < n; i++) {
        if (strcmp(columns[i].name, name) != 0) continue;
        snprintf(is, sizeof is, "%s", seam_value_type_name(columns[i].type));
        if (columns[i].type == SEAM_V_DECIMAL)
            snprintf(is, sizeof is, "decimal(%d)", columns[i].scale);
        if (strcmp(is, wanted) == 0) return;
        snprintf(why, sizeof why, "is %s, the contract says %s", is, wanted);
        found(l, c->name, object, name, "schema", why);
        return;
    }
    found(l, c->name, object, name, "schema", "is not there");
}

/* The live table has every column of the contract, with its type. *there is false when this platform has no such
 * table at all.                                                                                     */
static enum seam_status check_schema(struct live *l, const struct contract *c,
                                     const struct seam_json *o, bool *there)
{
    const char *table = seam_json_string(o, "physicalName", "");
    char sql[SEAM_NAME_MAX_BYTES + 32];
    struct seam_arena a = {0};
    struct columnar_sql_query q;
    struct seam_fault local = {0};
    enum seam_status st = ask_sql_platform_next(l->sql, &l->k->cli->fault);

    *there = true;
    snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    if (st != SEAM_OK) return st;
    st = columnar_sql_prepare(&l->sql->env, sql, strlen(sql), &a, &q, &local);
    if (st == SEAM_OK) {
        for (const struct seam_json *p = seam_json_get(o, "properties")->child; p != NULL;
             p = p->next)
            check_column(l, c, seam_json_string(o, "name", ""), p, q.columns, q.n_columns);
    } else {
        *there = false;
        found(l, c->name, seam_json_string(o, "name", ""), NULL, "schema", local.why);
    }
    seam_arena_free(&a);
    return SEAM_OK;
}

static enum seam_status check_live(struct live *l, const struct contract *c)
{
    bool whole = true;
    enum seam_status st = SEAM_OK;

    for (const struct seam_json *o = seam_json_get(c->root, "schema")->child;
         st == SEAM_OK && o != NULL; o = o->next) {
        bool there = true;

        if (seam_json_string(o, "physicalName", NULL) != NULL) st = check_schema(l, c, o, &there);
        whole &= there;
    }
    return st == SEAM_OK && whole ? contract_rules(c, run_rule, l, &l->k->cli->fault) : st;
}

static enum seam_status check_against(struct live *l, struct seam_arena *a)
{
    struct cli *c = l->k->cli;
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < l->k->contracts->count; i++) {
        const struct contract *next = &l->k->contracts->list[i];
        struct contract old;
        struct seam_buf text = {0}, report = {0};
        char name[80], path[SEAM_PATH_MAX_BYTES];

        snprintf(name, sizeof name, "%s.json", next->name);
        st = seam_path_join(path, l->k->against, name, &c->fault);
        if (st == SEAM_OK && !seam_io_exists(c->io, path)) continue; /* a new seam breaks nobody */
        if (st == SEAM_OK) st = seam_io_read_all(c->io, path, CONTRACT_BYTES_MAX, &text, &c->fault);
        if (st == SEAM_OK)
            st = contract_parse((const char *)text.data, text.size, a, path, &old, &c->fault);
        if (st == SEAM_OK && contract_compatible(&old, next, &report, NULL) != SEAM_OK) {
            char *line = (char *)(uintptr_t)seam_buf_cstr(&report), *end;

            for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
                *end = '\0';
                found(l, next->name, "", NULL, "compatibility", line);
            }
        }
        seam_buf_free(&text);
        seam_buf_free(&report);
    }
    return st;
}

enum seam_status check_contracts(struct cli_check *k)
{
    struct ask_sql_platform sql = {0};
    struct live l = {.k = k, .sql = &sql};
    struct seam_arena a = {0};
    enum seam_status st = SEAM_OK;

    if (k->json != NULL) {
        seam_jw_key(k->json, "contracts");
        seam_jw_object(k->json);
        seam_jw_key(k->json, "broken");
        seam_jw_array(k->json);
    } else {
        table_begin(&l.table, 4, 0);
        for (const char *const *h = (const char *const[]){"seam", "where", "rule", "broken", NULL};
             *h != NULL; h++)
            table_cell(&l.table, "%s", *h);
    }
    if (k->against != NULL) st = check_against(&l, &a);
    if (st == SEAM_OK && k->platform != NULL) {
        st = ask_sql_platform_open(&sql, k->platform, &k->cli->fault);
        for (size_t i = 0; st == SEAM_OK && i < k->contracts->count; i++)
            st = check_live(&l, &k->contracts->list[i]);
        ask_sql_platform_close(&sql);
    }
    if (k->json != NULL) {
        seam_jw_end_array(k->json);
        seam_jw_key(k->json, "contracts");
        seam_jw_uint(k->json, k->contracts->count);
        seam_jw_key(k->json, "rules");
        seam_jw_uint(k->json, l.rules);
        seam_jw_end_object(k->json);
    } else {
        if (l.broken > 0)
            table_print(k->cli, &l.table);
        else
            seam_buf_free(&l.table.cells);
        printf("%zu contracts, %zu rules asked of live data, %zu broken\n", k->contracts->count,
               l.rules, l.broken);
    }
    snprintf(k->record.detail, sizeof k->record.detail,
             "%zu contracts, %zu rules asked of live data, %zu broken", k->contracts->count,
             l.rules, l.broken);
    seam_arena_free(&a);
    return st != SEAM_OK ? st : l.broken > 0 ? SEAM_DRIFT : SEAM_OK;
}
