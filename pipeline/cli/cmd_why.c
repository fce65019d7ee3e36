/* cmd_why - a number on the dashboard or in gold, traced back: its query asked of each layer at that layer's own LSN, so
 * that the layer that stopped, or went wrong, is named; then the change that made the difference, row by row.      */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql_ast.h"
#include "pipeline/cli/walk.h"

enum { TABLES_MAX = 16 };

struct why {
    struct cli *cli;
    const struct platform *platform;
    struct ask_sql_platform sql;
    struct seam_arena arena;
    const char *name, *declared;
    bool gold;
    struct columnar_sql_select *select;
    struct seam_buf kept; /* the query for the kept row */
    struct seam_buf key;  /* AND expr = literal, over the inputs */
    struct seam_buf *out;
};

struct layer {
    const char *name;
    const char *value;
    seam_lsn_t lsn;
};

static enum seam_status find_declaration(struct why *w)
{
    for (int g = 0; g < 2; g++) {
        const struct seam_json *list = seam_json_get(
            platform_sink_config(w->platform, g ? "gold" : "view"), g ? "tables" : "views");

        for (const struct seam_json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
            if (strcmp(seam_json_string(n, "name", ""), w->name) == 0) {
                w->gold = g == 1;
                w->declared = seam_json_string(n, "sql", "");
                return columnar_sql_parse(w->declared, strlen(w->declared), &w->arena, &w->select,
                                          &w->cli->fault);
            }
    }
    return seam_fault_set(&w->cli->fault, SEAM_NOT_FOUND, w->name, SEAM_FAULT_NO_OFFSET,
                          "no view or gold table is called so");
}

/* GROUP BY may name an item; what is compared with the key is the item's expression. */
static const struct columnar_sql_node *group_expr(const struct columnar_sql_select *s, int g,
                                                  const char **name)
{
    const struct columnar_sql_node *e = s->group[g];

    for (int i = 0; i < s->n_items; i++) {
        const char *alias = s->items[i].alias;

        if ((e->kind == COLUMNAR_SQL_COLUMN && e->qualifier == NULL && alias != NULL &&
             strcmp(alias, e->name) == 0) ||
            columnar_sql_same(e, s->items[i].expr)) {
            *name = alias != NULL ? alias : e->name;
            return s->items[i].expr;
        }
    }
    *name = e->name;
    return e;
}

static void put_literal(struct seam_buf *out, const char *word, enum seam_value_type t)
{
    if (t == SEAM_V_INT || t == SEAM_V_DECIMAL || t == SEAM_V_DOUBLE || t == SEAM_V_BOOL) {
        seam_buf_str(out, word);
        return;
    }
    seam_buf_printf(out, "%s'", t == SEAM_V_TIME ? "TIMESTAMP " : "");
    for (; *word != '\0'; word++) seam_buf_printf(out, *word == '\'' ? "''" : "%c", *word);
    seam_buf_u8(out, '\'');
}

static enum seam_status read_key(struct why *w, const char *const *words, int n)
{
    struct seam_arena a = {0};
    struct columnar_sql_query q;
    struct seam_buf all = {0};
    enum seam_status st;

    if (n != w->select->n_group)
        return seam_fault_set(&w->cli->fault, SEAM_INVALID, w->name, SEAM_FAULT_NO_OFFSET,
                              "the key has %d column(s), %d given", w->select->n_group, n);
    seam_buf_printf(&all, "SELECT * FROM %s%s", w->gold ? "" : "view_", w->name);
    seam_buf_append(&w->kept, all.data, all.size);
    st = columnar_sql_prepare(&w->sql.env, seam_buf_cstr(&all), all.size, &a, &q, &w->cli->fault);
    for (int g = 0; st == SEAM_OK && g < n; g++) {
        const char *name;
        const struct columnar_sql_node *e = group_expr(w->select, g, &name);
        enum seam_value_type t = SEAM_V_TEXT;

        for (int i = 0; i < q.n_columns; i++)
            if (strcmp(q.columns[i].name, name) == 0) t = q.columns[i].type;
        seam_buf_printf(&w->kept, "%s%s = ", g == 0 ? " WHERE " : " AND ", name);
        put_literal(&w->kept, words[g], t);
        seam_buf_str(&w->key, " AND (");
        columnar_sql_print(e, &w->key);
        seam_buf_str(&w->key, ") = ");
        put_literal(&w->key, words[g], t);
    }
    seam_buf_free(&all);
    seam_arena_free(&a);
    return st;
}

static const char *base_name(const char *table)
{
    return strncmp(table, "silver_", 7) == 0 ? table + 7 : table;
}

/* Under the name that the declaration's expressions call it by. */
static void put_table(const struct columnar_sql_table *t, const char *prefix, struct seam_buf *out)
{
    const char *base = base_name(t->name);

    seam_buf_printf(out, "%s%s", prefix, base);
    if (strncmp(t->alias, prefix, strlen(prefix)) != 0 ||
        strcmp(t->alias + strlen(prefix), base) != 0)
        seam_buf_printf(out, " %s", t->alias);
}

/* The declared query over the row store's or silver's tables, for this key only, AS OF an LSN (SEAM_LSN_MAX: newest). */
static void build(const struct why *w, const char *prefix, const char *items, seam_lsn_t lsn,
                  struct seam_buf *out)
{
    const struct columnar_sql_select *s = w->select;

    seam_buf_str(out, "SELECT ");
    for (int i = 0; items == NULL && i < s->n_items; i++) {
        if (i > 0) seam_buf_str(out, ", ");
        columnar_sql_print(s->items[i].expr, out);
        if (s->items[i].alias != NULL) seam_buf_printf(out, " AS %s", s->items[i].alias);
    }
    if (items != NULL) seam_buf_str(out, items);
    seam_buf_str(out, " FROM ");
    put_table(&s->from, prefix, out);
    for (int i = 0; i < s->n_joins; i++) {
        seam_buf_str(out, s->joins[i].left ? " LEFT JOIN " : " JOIN ");
        put_table(&s->joins[i].table, prefix, out);
        seam_buf_str(out, " ON ");
        columnar_sql_print(s->joins[i].on, out);
    }
    seam_buf_str(out, " WHERE ");
    if (s->where != NULL) {
        seam_buf_str(out, "(");
        columnar_sql_print(s->where, out);
        seam_buf_append(out, ")", 1);
    }
    seam_buf_append(out, w->key.data + (s->where == NULL ? 5 : 0),
                    w->key.size - (s->where == NULL ? 5 : 0));
    if (items == NULL) {
        seam_buf_str(out, " GROUP BY ");
        for (int g = 0; g < s->n_group; g++) {
            const char *name;

            if (g > 0) seam_buf_str(out, ", ");
            columnar_sql_print(group_expr(s, g, &name), out);
        }
    }
    if (lsn != SEAM_LSN_MAX) seam_buf_printf(out, " AS OF LSN %" PRIu64, lsn);
}

static enum seam_status ask_layer(struct why *w, const char *name, const char *sql,
                                  struct layer *out, bool show)
{
    struct ask_answer a = {.arena = &w->arena};
    enum seam_status st = ask_sql_platform_next(&w->sql, &w->cli->fault);

    *out = (struct layer){.name = name, .value = "no row"};
    if (st == SEAM_OK) st = ask_rows(&w->sql, sql, &a, &out->lsn, &w->cli->fault);
    if (st == SEAM_OK && a.count > 0) out->value = a.rows[0];
    ask_answer_free(&a);
    if (st == SEAM_OK && show)
        seam_buf_printf(w->out,
                        "  %-10s at LSN %" PRIu64 ": %s\n             $ seam sql DIR \"%s\"\n",
                        name, out->lsn, out->value, sql);
    return st;
}

static enum seam_status ask_built(struct why *w, const char *name, const char *prefix,
                                  seam_lsn_t lsn, struct layer *out, bool show)
{
    struct seam_buf sql = {0};
    enum seam_status st;

    build(w, prefix, NULL, lsn, &sql);
    st = ask_layer(w, name, seam_buf_cstr(&sql), out, show);
    seam_buf_free(&sql);
    return st;
}

static enum seam_status input_tables(struct why *w, uint32_t *ids, const char **names, size_t *n)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    enum seam_status st =
        platform_open_reader(w->platform, SEAM_LSN_MAX, INT64_MIN, &db, &w->cli->fault);

    *n = 0;
    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &w->cli->fault);
    for (int i = -1; st == SEAM_OK && i < w->select->n_joins && *n < TABLES_MAX; i++) {
        names[*n] = base_name(i < 0 ? w->select->from.name : w->select->joins[i].table.name);
        st = oltp_table(t, names[*n], &ids[*n], &w->cli->fault);
        (*n)++;
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

/* The row that made the difference: the first change the stopped layer has not, or (all agree) the newest. */
static enum seam_status walk_change(struct why *w, seam_lsn_t after, seam_lsn_t until, bool first)
{
    uint32_t ids[TABLES_MAX];
    const char *names[TABLES_MAX];
    struct cli_walk_event e;
    bool agree;
    size_t n;
    enum seam_status st = input_tables(w, ids, names, &n);

    if (st == SEAM_OK)
        st = walk_find(w->platform, ids, n, (struct wal_bytes){NULL, 0}, after, until, first,
                       &w->arena, &e, &w->cli->fault);
    if (st == SEAM_NOT_FOUND) {
        seam_buf_printf(w->out,
                        "\nthe stream has no change of these tables after LSN %" PRIu64
                        ": the relay has not brought it\n",
                        after);
        return SEAM_OK;
    }
    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        if (ids[i] == e.table) {
            seam_buf_printf(w->out, "\n%s: stream offset %" PRIu64 ", ",
                            first ? "the first change of its inputs that it lacks"
                                  : "the newest change of its inputs",
                            e.offset);
            st = walk_row(w->cli, w->platform, names[i], e.key, until, &agree, w->out);
            break;
        }
    return st;
}

/* Each layer's value against the truth at its own LSN, then the truth there against the truth now.   */
static enum seam_status judge(struct why *w, struct layer *layers, size_t n,
                              const struct layer *now, bool *right)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        struct layer then;

        st = ask_built(w, "row store", "", layers[i].lsn, &then, false);
        if (st != SEAM_OK) return st;
        if (strcmp(then.value, layers[i].value) != 0) {
            *right = false;
            seam_buf_printf(w->out,
                            "\n%s is WRONG at its own LSN %" PRIu64
                            ": the row store had %s then (drift: seam check DIR reconcile)\n",
                            layers[i].name, layers[i].lsn, then.value);
            return walk_change(w, SEAM_LSN_NONE, layers[i].lsn, false);
        }
        if (strcmp(layers[i].value, now->value) != 0) {
            *right = false;
            seam_buf_printf(w->out,
                            "\n%s STOPPED at LSN %" PRIu64
                            ": it is right for that moment, and %" PRIu64 " bytes of log behind\n",
                            layers[i].name, layers[i].lsn, now->lsn - layers[i].lsn);
            return walk_change(w, layers[i].lsn, now->lsn, true);
        }
    }
    seam_buf_printf(w->out, "\nthe number is right: every layer agrees with the row store\n");
    return walk_change(w, SEAM_LSN_NONE, now->lsn, false);
}

static enum seam_status run_why(struct why *w, bool *right)
{
    struct layer layers[2], now;
    size_t n = 0;
    enum seam_status st;

    seam_buf_printf(w->out, "%s %s\n", w->gold ? "gold" : "view", w->name);
    st = ask_layer(w, w->gold ? "gold" : "view", seam_buf_cstr(&w->kept), &layers[1], true);
    /* Silver is upstream of gold; a view is fed by the stream, so silver is only a witness. */
    if (st == SEAM_OK) st = ask_built(w, "silver", "silver_", SEAM_LSN_MAX, &layers[0], true);
    if (st == SEAM_OK) st = ask_built(w, "row store", "", SEAM_LSN_MAX, &now, true);
    if (st != SEAM_OK) return st;
    n = 2;
    return w->gold ? judge(w, layers, n, &now, right) : judge(w, layers + 1, 1, &now, right);
}

enum seam_status why_explain(struct cli *c, const struct platform *p, const char *name,
                             const char *const *key, int n, struct seam_buf *out, bool *right)
{
    struct why w = {.cli = c, .platform = p, .name = name, .out = out};
    enum seam_status st = find_declaration(&w);

    *right = true;
    if (st == SEAM_OK) st = ask_sql_platform_open(&w.sql, p, &c->fault);
    if (st == SEAM_OK) st = read_key(&w, key, n);
    if (st == SEAM_OK) st = run_why(&w, right);
    ask_sql_platform_close(&w.sql);
    seam_buf_free(&w.kept);
    seam_buf_free(&w.key);
    seam_arena_free(&w.arena);
    return st;
}

int cmd_why(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct platform p;
    struct seam_buf out = {0};
    bool right = true;
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 3, 2 + 8);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = why_explain(c, &p, args[1], args + 2, count - 2, &out, &right);
    cli_print(&out);
    seam_buf_free(&out);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    return right ? EXIT_FINE : EXIT_CHECK_FAILED;
}
