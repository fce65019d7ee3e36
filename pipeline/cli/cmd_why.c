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
    struct sql_platform sql;
    struct arena arena;
    const char *name, *declared;
    bool gold;
    struct sql_select *select;
    struct buf kept; /* the query for the kept row */
    struct buf key;  /* AND expr = literal, over the inputs */
    struct buf *out;
};

struct layer {
    const char *name;
    const char *value;
    lsn_t lsn;
};

static enum status find_declaration(struct why *w)
{
    for (int g = 0; g < 2; g++) {
        const struct json *list = json_get(platform_sink_config(w->platform, g ? "gold" : "view"),
                                           g ? "tables" : "views");

        for (const struct json *n = list != NULL ? list->child : NULL; n != NULL; n = n->next)
            if (strcmp(json_string(n, "name", ""), w->name) == 0) {
                w->gold = g == 1;
                w->declared = json_string(n, "sql", "");
                return sql_parse(w->declared, strlen(w->declared), &w->arena, &w->select,
                                 &w->cli->fault);
            }
    }
    return fault_set(&w->cli->fault, ST_NOT_FOUND, w->name, FAULT_NO_OFFSET,
                     "no view or gold table is called so");
}

/* GROUP BY may name an item; what is compared with the key is the item's expression. */
static const struct sql_node *group_expr(const struct sql_select *s, int g, const char **name)
{
    const struct sql_node *e = s->group[g];

    for (int i = 0; i < s->n_items; i++) {
        const char *alias = s->items[i].alias;

        if ((e->kind == SQL_COLUMN && e->qualifier == NULL && alias != NULL &&
             strcmp(alias, e->name) == 0) ||
            sql_same(e, s->items[i].expr)) {
            *name = alias != NULL ? alias : e->name;
            return s->items[i].expr;
        }
    }
    *name = e->name;
    return e;
}

static void put_literal(struct buf *out, const char *word, enum value_type t)
{
    if (t == V_INT || t == V_DECIMAL || t == V_DOUBLE || t == V_BOOL) {
        buf_str(out, word);
        return;
    }
    buf_printf(out, "%s'", t == V_TIME ? "TIMESTAMP " : "");
    for (; *word != '\0'; word++)
        buf_printf(out, *word == '\'' ? "''" : "%c", *word);
    buf_u8(out, '\'');
}

static enum status read_key(struct why *w, const char *const *words, int n)
{
    struct arena a = {0};
    struct sql_query q;
    struct buf all = {0};
    enum status st;

    if (n != w->select->n_group)
        return fault_set(&w->cli->fault, ST_INVALID, w->name, FAULT_NO_OFFSET,
                         "the key has %d column(s), %d given", w->select->n_group, n);
    buf_printf(&all, "SELECT * FROM %s%s", w->gold ? "" : "view_", w->name);
    buf_append(&w->kept, all.data, all.size);
    st = sql_prepare(&w->sql.env, buf_cstr(&all), all.size, &a, &q, &w->cli->fault);
    for (int g = 0; st == ST_OK && g < n; g++) {
        const char *name;
        const struct sql_node *e = group_expr(w->select, g, &name);
        enum value_type t = V_TEXT;

        for (int i = 0; i < q.n_columns; i++)
            if (strcmp(q.columns[i].name, name) == 0) t = q.columns[i].type;
        buf_printf(&w->kept, "%s%s = ", g == 0 ? " WHERE " : " AND ", name);
        put_literal(&w->kept, words[g], t);
        buf_str(&w->key, " AND (");
        sql_print(e, &w->key);
        buf_str(&w->key, ") = ");
        put_literal(&w->key, words[g], t);
    }
    buf_free(&all);
    arena_free(&a);
    return st;
}

static const char *base_name(const char *table)
{
    return strncmp(table, "silver_", 7) == 0 ? table + 7 : table;
}

/* Under the name that the declaration's expressions call it by. */
static void put_table(const struct sql_table *t, const char *prefix, struct buf *out)
{
    const char *base = base_name(t->name);

    buf_printf(out, "%s%s", prefix, base);
    if (strncmp(t->alias, prefix, strlen(prefix)) != 0 ||
        strcmp(t->alias + strlen(prefix), base) != 0)
        buf_printf(out, " %s", t->alias);
}

/* The declared query over the row store's or silver's tables, for this key only, AS OF an LSN (LSN_MAX: newest). */
static void build(const struct why *w, const char *prefix, const char *items, lsn_t lsn,
                  struct buf *out)
{
    const struct sql_select *s = w->select;

    buf_str(out, "SELECT ");
    for (int i = 0; items == NULL && i < s->n_items; i++) {
        if (i > 0) buf_str(out, ", ");
        sql_print(s->items[i].expr, out);
        if (s->items[i].alias != NULL) buf_printf(out, " AS %s", s->items[i].alias);
    }
    if (items != NULL) buf_str(out, items);
    buf_str(out, " FROM ");
    put_table(&s->from, prefix, out);
    for (int i = 0; i < s->n_joins; i++) {
        buf_str(out, s->joins[i].left ? " LEFT JOIN " : " JOIN ");
        put_table(&s->joins[i].table, prefix, out);
        buf_str(out, " ON ");
        sql_print(s->joins[i].on, out);
    }
    buf_str(out, " WHERE ");
    if (s->where != NULL) {
        buf_str(out, "(");
        sql_print(s->where, out);
        buf_append(out, ")", 1);
    }
    buf_append(out, w->key.data + (s->where == NULL ? 5 : 0),
               w->key.size - (s->where == NULL ? 5 : 0));
    if (items == NULL) {
        buf_str(out, " GROUP BY ");
        for (int g = 0; g < s->n_group; g++) {
            const char *name;

            if (g > 0) buf_str(out, ", ");
            sql_print(group_expr(s, g, &name), out);
        }
    }
    if (lsn != LSN_MAX) buf_printf(out, " AS OF LSN %" PRIu64, lsn);
}

static enum status ask_layer(struct why *w, const char *name, const char *sql, struct layer *out,
                             bool show)
{
    struct answer a = {.arena = &w->arena};
    enum status st = sql_platform_next(&w->sql, &w->cli->fault);

    *out = (struct layer){.name = name, .value = "no row"};
    if (st == ST_OK) st = ask_rows(&w->sql, sql, &a, &out->lsn, &w->cli->fault);
    if (st == ST_OK && a.count > 0) out->value = a.rows[0];
    answer_free(&a);
    if (st == ST_OK && show)
        buf_printf(w->out, "  %-10s at LSN %" PRIu64 ": %s\n             $ seam sql DIR \"%s\"\n", name,
               out->lsn, out->value, sql);
    return st;
}

static enum status ask_built(struct why *w, const char *name, const char *prefix, lsn_t lsn,
                             struct layer *out, bool show)
{
    struct buf sql = {0};
    enum status st;

    build(w, prefix, NULL, lsn, &sql);
    st = ask_layer(w, name, buf_cstr(&sql), out, show);
    buf_free(&sql);
    return st;
}

static enum status input_tables(struct why *w, uint32_t *ids, const char **names, size_t *n)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    enum status st = platform_open_reader(w->platform, LSN_MAX, INT64_MIN, &db, &w->cli->fault);

    *n = 0;
    if (st == ST_OK) st = oltp_read_begin(db, &t, &w->cli->fault);
    for (int i = -1; st == ST_OK && i < w->select->n_joins && *n < TABLES_MAX; i++) {
        names[*n] = base_name(i < 0 ? w->select->from.name : w->select->joins[i].table.name);
        st = oltp_table(t, names[*n], &ids[*n], &w->cli->fault);
        (*n)++;
    }
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

/* The row that made the difference: the first change the stopped layer has not, or (all agree) the newest. */
static enum status walk_change(struct why *w, lsn_t after, lsn_t until, bool first)
{
    uint32_t ids[TABLES_MAX];
    const char *names[TABLES_MAX];
    struct walk_event e;
    bool agree;
    size_t n;
    enum status st = input_tables(w, ids, names, &n);

    if (st == ST_OK)
        st = walk_find(w->platform, ids, n, (struct bytes){NULL, 0}, after, until, first, &w->arena,
                       &e, &w->cli->fault);
    if (st == ST_NOT_FOUND) {
        buf_printf(w->out, "\nthe stream has no change of these tables after LSN %" PRIu64
               ": the relay has not brought it\n",
               after);
        return ST_OK;
    }
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (ids[i] == e.table) {
            buf_printf(w->out, "\n%s: stream offset %" PRIu64 ", ",
                   first ? "the first change of its inputs that it lacks"
                         : "the newest change of its inputs",
                   e.offset);
            st = walk_row(w->cli, w->platform, names[i], e.key, until, &agree, w->out);
            break;
        }
    return st;
}

/* Each layer's value against the truth at its own LSN, then the truth there against the truth now.   */
static enum status judge(struct why *w, struct layer *layers, size_t n, const struct layer *now,
                         bool *right)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct layer then;

        st = ask_built(w, "row store", "", layers[i].lsn, &then, false);
        if (st != ST_OK) return st;
        if (strcmp(then.value, layers[i].value) != 0) {
            *right = false;
            buf_printf(w->out, "\n%s is WRONG at its own LSN %" PRIu64
                   ": the row store had %s then (drift: seam check DIR reconcile)\n",
                   layers[i].name, layers[i].lsn, then.value);
            return walk_change(w, LSN_NONE, layers[i].lsn, false);
        }
        if (strcmp(layers[i].value, now->value) != 0) {
            *right = false;
            buf_printf(w->out, "\n%s STOPPED at LSN %" PRIu64 ": it is right for that moment, and %" PRIu64
                   " bytes of log behind\n",
                   layers[i].name, layers[i].lsn, now->lsn - layers[i].lsn);
            return walk_change(w, layers[i].lsn, now->lsn, true);
        }
    }
    buf_printf(w->out, "\nthe number is right: every layer agrees with the row store\n");
    return walk_change(w, LSN_NONE, now->lsn, false);
}

static enum status run_why(struct why *w, bool *right)
{
    struct layer layers[2], now;
    size_t n = 0;
    enum status st;

    buf_printf(w->out, "%s %s\n", w->gold ? "gold" : "view", w->name);
    st = ask_layer(w, w->gold ? "gold" : "view", buf_cstr(&w->kept), &layers[1], true);
    /* Silver is upstream of gold; a view is fed by the stream, so silver is only a witness. */
    if (st == ST_OK) st = ask_built(w, "silver", "silver_", LSN_MAX, &layers[0], true);
    if (st == ST_OK) st = ask_built(w, "row store", "", LSN_MAX, &now, true);
    if (st != ST_OK) return st;
    n = 2;
    return w->gold ? judge(w, layers, n, &now, right) : judge(w, layers + 1, 1, &now, right);
}

enum status why_explain(struct cli *c, const struct platform *p, const char *name,
                        const char *const *key, int n, struct buf *out, bool *right)
{
    struct why w = {.cli = c, .platform = p, .name = name, .out = out};
    enum status st = find_declaration(&w);

    *right = true;
    if (st == ST_OK) st = sql_platform_open(&w.sql, p, &c->fault);
    if (st == ST_OK) st = read_key(&w, key, n);
    if (st == ST_OK) st = run_why(&w, right);
    sql_platform_close(&w.sql);
    buf_free(&w.kept);
    buf_free(&w.key);
    arena_free(&w.arena);
    return st;
}

int cmd_why(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct platform p;
    struct buf out = {0};
    bool right = true;
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 3, 2 + 8);
    enum status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != ST_OK) return cli_fail(c, st);
    st = why_explain(c, &p, args[1], args + 2, count - 2, &out, &right);
    cli_print(&out);
    buf_free(&out);
    platform_close(&p);
    if (st != ST_OK) return cli_fail(c, st);
    return right ? EXIT_FINE : EXIT_CHECK_FAILED;
}
