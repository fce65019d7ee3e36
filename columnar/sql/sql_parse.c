/* sql_parse - statements, recursive descent, one function a clause of the grammar in sql_ast.h. */
#include "columnar/sql/sql_parser.h"

static enum seam_status number_arg(struct columnar_sql_parser *p, uint64_t *out)
{
    int64_t v;

    if (at_word(p, "all") || at_word(p, "null")) {
        *out = UINT64_MAX;
        return advance(p);
    }
    if (p->t.kind != TOKEN_NUMBER || seam_int_parse(p->t.text, p->t.len, &v) != SEAM_OK)
        return expected(p, "a whole number");
    *out = (uint64_t)v;
    return advance(p);
}

static enum seam_status items(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    enum seam_status st = SEAM_OK;

    do {
        struct columnar_sql_item *item = seam_arena_zalloc(p->a, sizeof *item);

        if (item == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (list.n > 0) st = advance(p);
        if (st == SEAM_OK && at_op(p, "*")) {
            item->expr = columnar_sql_node_new(p, COLUMNAR_SQL_STAR, p->t.at);
            if (item->expr == NULL) return failure(p);
            st = advance(p);
            item->expr->end = p->last_end;
        } else if (st == SEAM_OK) {
            st = columnar_sql_parse_expr(p, &item->expr);
            if (st == SEAM_OK) st = columnar_sql_parse_alias(p, &item->alias);
        }
        if (st == SEAM_OK) st = list_add(p, &list, item);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st != SEAM_OK) return st;
    s->items = seam_arena_alloc(p->a, (size_t)list.n * sizeof *s->items);
    if (s->items == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->items[i] = *(struct columnar_sql_item *)list.items[i];
    s->n_items = list.n;
    return SEAM_OK;
}

/* ---- GROUP BY ---- */

static enum seam_status group_element(struct columnar_sql_parser *p,
                                      struct columnar_sql_node **out);

/* (), (a, b), or one expression: a ROW. */
static enum seam_status grouping_set(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    struct columnar_sql_node *row = columnar_sql_node_new(p, COLUMNAR_SQL_ROW, p->t.at), *e = NULL;
    struct columnar_sql_list list = {0};
    struct columnar_sql_token next;
    enum seam_status st = SEAM_OK;

    if (row == NULL) return failure(p);
    if (at_op(p, "(") && columnar_sql_peek(p, &next) && next.kind == TOKEN_OP &&
        strcmp(next.op, ")") == 0) {
        st = advance(p);
        if (st == SEAM_OK) st = advance(p);
        return st == SEAM_OK ? columnar_sql_finish(p, row, &list, out) : st;
    }
    if (at_word(p, "rollup") || at_word(p, "cube") || at_word(p, "grouping"))
        return group_element(p, out);
    st = columnar_sql_parse_expr(p, &e);
    if (st != SEAM_OK) return st;
    if (e->kind == COLUMNAR_SQL_ROW) {
        *out = e;
        return SEAM_OK;
    }
    st = list_add(p, &list, e);
    return st == SEAM_OK ? columnar_sql_finish(p, row, &list, out) : st;
}

static enum seam_status sets_of(struct columnar_sql_parser *p, const char *name,
                                struct columnar_sql_node **out)
{
    struct columnar_sql_node *sets = columnar_sql_node_new(p, COLUMNAR_SQL_SETS, p->t.at),
                             *e = NULL;
    struct columnar_sql_list list = {0};
    enum seam_status st;

    if (sets == NULL) return failure(p);
    sets->name = name;
    st = need_op(p, "(", "'('");
    do {
        if (st == SEAM_OK && list.n > 0) st = advance(p);
        if (st == SEAM_OK) st = grouping_set(p, &e);
        if (st == SEAM_OK) st = list_add(p, &list, e);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? columnar_sql_finish(p, sets, &list, out) : st;
}

static enum seam_status group_element(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    struct columnar_sql_token next;
    bool paren = columnar_sql_peek(p, &next) && next.kind == TOKEN_OP && strcmp(next.op, "(") == 0;
    enum seam_status st;

    if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the statement nests too deeply");
    if (paren && (at_word(p, "rollup") || at_word(p, "cube"))) {
        const char *name = p->t.text;

        st = advance(p);
        if (st == SEAM_OK) st = sets_of(p, name, out);
    } else if (at_word(p, "grouping") && next.kind == TOKEN_WORD &&
               strcmp(next.text, "sets") == 0) {
        st = advance(p);
        if (st == SEAM_OK) st = advance(p);
        if (st == SEAM_OK) st = sets_of(p, "sets", out);
    } else {
        st = columnar_sql_parse_expr(p, out);
    }
    p->depth--;
    return st;
}

static enum seam_status group_by(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    bool taken;
    enum seam_status st = take_word(p, "group", &taken);

    if (st != SEAM_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    if (st == SEAM_OK) st = take_word(p, "all", &s->group_all);
    if (st != SEAM_OK || s->group_all) return st;
    do {
        struct columnar_sql_node *e = NULL;

        if (st == SEAM_OK && list.n > 0) st = advance(p);
        if (st == SEAM_OK) st = group_element(p, &e);
        if (st == SEAM_OK && e->kind == COLUMNAR_SQL_ROW) { /* (a, b) is a, b */
            for (int i = 0; st == SEAM_OK && i < e->n_args; i++)
                st = list_add(p, &list, e->args[i]);
            continue;
        }
        if (st == SEAM_OK) st = list_add(p, &list, e);
    } while (st == SEAM_OK && at_op(p, ","));
    s->group = (struct columnar_sql_node **)list.items;
    s->n_group = list.n;
    return st;
}

static enum seam_status named_windows(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    bool taken;
    enum seam_status st = take_word(p, "window", &taken);

    if (st != SEAM_OK || !taken) return st;
    do {
        struct columnar_sql_window *w = NULL;
        const char *name;

        if (list.n > 0) st = advance(p);
        if (st != SEAM_OK) break;
        if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED)
            return expected(p, "a name for the window");
        name = p->t.text;
        st = advance(p);
        if (st == SEAM_OK) st = need_word(p, "as", "AS");
        if (st == SEAM_OK) st = columnar_sql_parse_window(p, columnar_sql_parse_expr, &w);
        if (st != SEAM_OK) break;
        w->name = name;
        st = list_add(p, &list, w);
    } while (st == SEAM_OK && at_op(p, ","));
    s->windows = (struct columnar_sql_window **)list.items;
    s->n_windows = list.n;
    return st;
}

/* ---- selects, values, sets ---- */

static struct columnar_sql_select *new_select(struct columnar_sql_parser *p)
{
    struct columnar_sql_select *s = seam_arena_zalloc(p->a, sizeof *s);

    if (s == NULL || ++p->nodes > COLUMNAR_SQL_NODES_MAX) {
        refuse(p, s == NULL ? SEAM_NOMEM : SEAM_LIMIT, "the statement is too large");
        return NULL;
    }
    s->text = p->lex.text;
    s->size = p->lex.n;
    s->limit = UINT64_MAX;
    s->at = p->t.at;
    return s;
}

static enum seam_status select_core(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    bool taken;
    enum seam_status st = advance(p); /* SELECT */

    if (st == SEAM_OK) st = take_word(p, "distinct", &s->distinct);
    if (st == SEAM_OK && s->distinct && at_word(p, "on"))
        return refuse(p, SEAM_UNSUPPORTED,
                      "DISTINCT ON is not in this dialect: use row_number() and QUALIFY");
    if (st == SEAM_OK && !s->distinct) st = take_word(p, "all", &taken);
    if (st == SEAM_OK) st = items(p, s);
    if (st == SEAM_OK) st = take_word(p, "from", &taken);
    if (st == SEAM_OK && taken) st = columnar_sql_parse_from(p, &s->source);
    if (st == SEAM_OK) st = take_word(p, "where", &taken);
    if (st == SEAM_OK && taken) st = columnar_sql_parse_expr(p, &s->where);
    if (st == SEAM_OK) st = group_by(p, s);
    if (st == SEAM_OK) st = take_word(p, "having", &taken);
    if (st == SEAM_OK && taken) st = columnar_sql_parse_expr(p, &s->having);
    if (st == SEAM_OK) st = named_windows(p, s);
    if (st == SEAM_OK) st = take_word(p, "qualify", &taken);
    if (st == SEAM_OK && taken) st = columnar_sql_parse_expr(p, &s->qualify);
    return st;
}

static enum seam_status values_core(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list rows = {0};
    enum seam_status st = SEAM_OK;

    s->set = COLUMNAR_SQL_VALUES;
    do {
        struct columnar_sql_node *row = columnar_sql_node_new(p, COLUMNAR_SQL_ROW, p->t.at);
        struct columnar_sql_list list = {0};

        if (row == NULL) return failure(p);
        st = advance(p); /* VALUES, or the comma */
        if (st == SEAM_OK) st = need_op(p, "(", "'('");
        if (st == SEAM_OK) st = columnar_sql_parse_list(p, &list);
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
        if (st == SEAM_OK) st = columnar_sql_finish(p, row, &list, &row);
        if (st == SEAM_OK) st = list_add(p, &rows, row);
    } while (st == SEAM_OK && at_op(p, ","));
    s->rows = (struct columnar_sql_node **)rows.items;
    s->n_rows = rows.n;
    return st;
}

static enum seam_status query(struct columnar_sql_parser *p, struct columnar_sql_select **out);

static enum seam_status core(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    enum seam_status st;

    if (at_op(p, "(")) {
        st = advance(p);
        if (st == SEAM_OK) st = query(p, out);
        return st == SEAM_OK ? need_op(p, ")", "')'") : st;
    }
    *out = new_select(p);
    if (*out == NULL) return failure(p);
    if (at_word(p, "values")) return values_core(p, *out);
    if (!at_word(p, "select")) return expected(p, "SELECT");
    return select_core(p, *out);
}

static enum seam_status set_of(struct columnar_sql_parser *p, enum columnar_sql_set set,
                               enum seam_status (*inner)(struct columnar_sql_parser *,
                                                         struct columnar_sql_select **),
                               struct columnar_sql_select **out)
{
    struct columnar_sql_select *s = new_select(p);
    bool taken;
    enum seam_status st = s == NULL ? failure(p) : advance(p);

    if (st != SEAM_OK) return st;
    s->set = set;
    s->left = *out;
    st = take_word(p, "all", &s->all);
    if (st == SEAM_OK && !s->all) st = take_word(p, "distinct", &taken);
    if (st == SEAM_OK && at_word(p, "by"))
        return refuse(p, SEAM_UNSUPPORTED, "UNION BY NAME is not in this dialect");
    if (st == SEAM_OK) st = inner(p, &s->right);
    *out = s;
    return st;
}

static enum seam_status intersections(struct columnar_sql_parser *p,
                                      struct columnar_sql_select **out)
{
    enum seam_status st = core(p, out);

    while (st == SEAM_OK && at_word(p, "intersect"))
        st = set_of(p, COLUMNAR_SQL_INTERSECT, core, out);
    return st;
}

static enum seam_status with_list(struct columnar_sql_parser *p, struct columnar_sql_cte **out,
                                  int *n)
{
    struct columnar_sql_list list = {0};
    bool taken;
    enum seam_status st = take_word(p, "with", &taken);

    *n = 0;
    if (st != SEAM_OK || !taken) return st;
    if (at_word(p, "recursive"))
        return refuse(p, SEAM_UNSUPPORTED, "WITH RECURSIVE is not in this dialect");
    do {
        struct columnar_sql_cte *c = seam_arena_zalloc(p->a, sizeof *c);

        if (c == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (list.n > 0) st = advance(p);
        if (st == SEAM_OK && p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED)
            return expected(p, "a name after WITH");
        c->name = p->t.text;
        c->at = p->t.at;
        if (st == SEAM_OK) st = advance(p);
        if (st == SEAM_OK && at_op(p, "("))
            st = columnar_sql_parse_names(p, &c->columns, &c->n_columns);
        if (st == SEAM_OK) st = need_word(p, "as", "AS");
        if (st == SEAM_OK) st = take_word(p, "not", &taken);
        if (st == SEAM_OK) st = take_word(p, "materialized", &taken);
        if (st == SEAM_OK) st = need_op(p, "(", "'('");
        if (st == SEAM_OK) st = query(p, &c->select);
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
        if (st == SEAM_OK) st = list_add(p, &list, c);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st != SEAM_OK) return st;
    *out = seam_arena_alloc(p->a, (size_t)list.n * sizeof **out);
    if (*out == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) (*out)[i] = *(struct columnar_sql_cte *)list.items[i];
    *n = list.n;
    return SEAM_OK;
}

/* LIMIT and OFFSET in either order; FETCH FIRST n ROWS ONLY. */
static enum seam_status limits(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    bool taken = true;
    enum seam_status st = SEAM_OK;

    for (int i = 0; st == SEAM_OK && i < 2; i++) {
        st = take_word(p, "limit", &taken);
        if (st == SEAM_OK && taken) st = number_arg(p, &s->limit);
        if (st == SEAM_OK) st = take_word(p, "offset", &taken);
        if (st == SEAM_OK && taken) st = number_arg(p, &s->offset);
        if (st == SEAM_OK && taken && (at_word(p, "rows") || at_word(p, "row"))) st = advance(p);
    }
    if (st != SEAM_OK || !at_word(p, "fetch")) return st;
    st = advance(p);
    if (st == SEAM_OK && (at_word(p, "first") || at_word(p, "next"))) st = advance(p);
    if (st == SEAM_OK) st = number_arg(p, &s->limit);
    if (st == SEAM_OK && (at_word(p, "rows") || at_word(p, "row"))) st = advance(p);
    return st == SEAM_OK ? need_word(p, "only", "ONLY") : st;
}

/* ORDER BY ALL: every item, left to right. */
static enum seam_status order_all(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    bool descending = false, taken;
    enum seam_status st = advance(p);

    s->order_all = true;
    if (st == SEAM_OK) st = take_word(p, "desc", &descending);
    if (st == SEAM_OK && !descending) st = take_word(p, "asc", &taken);
    s->order_all_descending = descending;
    if (st == SEAM_OK) st = limits(p, s);
    if (st == SEAM_OK && columnar_sql_at_as_of(p)) st = columnar_sql_parse_as_of(p, &s->as_of);
    return st;
}

static enum seam_status tail(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    bool taken;
    enum seam_status st = take_word(p, "order", &taken);

    if (st == SEAM_OK && taken) {
        st = need_word(p, "by", "BY");
        if (st == SEAM_OK && at_word(p, "all")) return order_all(p, s);
        if (st == SEAM_OK)
            st = columnar_sql_parse_order(p, columnar_sql_parse_expr, &s->order, &s->n_order);
    }
    if (st == SEAM_OK) st = limits(p, s);
    if (st == SEAM_OK && columnar_sql_at_as_of(p)) st = columnar_sql_parse_as_of(p, &s->as_of);
    return st;
}

static bool tail_follows(const struct columnar_sql_parser *p)
{
    return at_word(p, "order") || at_word(p, "limit") || at_word(p, "offset") ||
           at_word(p, "fetch") || columnar_sql_at_as_of(p);
}

/* A select that has an ORDER BY or LIMIT of its own and gets another is a derived table of it. */
static enum seam_status as_derived(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    struct columnar_sql_select *s = new_select(p);
    struct columnar_sql_source *from = seam_arena_zalloc(p->a, sizeof *from);
    struct columnar_sql_item *item = seam_arena_zalloc(p->a, sizeof *item);

    if (s == NULL || from == NULL || item == NULL) return failure(p);
    from->kind = COLUMNAR_SQL_FROM_QUERY;
    from->at = from->table.at = (*out)->at;
    from->select = *out;
    item->expr = columnar_sql_node_new(p, COLUMNAR_SQL_STAR, (*out)->at);
    if (item->expr == NULL) return failure(p);
    s->source = from;
    s->items = item;
    s->n_items = 1;
    *out = s;
    return SEAM_OK;
}

static enum seam_status query(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    struct columnar_sql_cte *ctes = NULL;
    int n_ctes = 0;
    enum seam_status st;

    if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the statement nests too deeply");
    st = with_list(p, &ctes, &n_ctes);
    if (st == SEAM_OK) st = intersections(p, out);
    while (st == SEAM_OK && (at_word(p, "union") || at_word(p, "except")))
        st = set_of(p, at_word(p, "union") ? COLUMNAR_SQL_UNION : COLUMNAR_SQL_EXCEPT,
                    intersections, out);
    if (st == SEAM_OK && ((tail_follows(p) && ((*out)->n_order > 0 || (*out)->limit != UINT64_MAX ||
                                               (*out)->offset > 0)) ||
                          (n_ctes > 0 && (*out)->n_ctes > 0)))
        st = as_derived(p, out);
    if (st == SEAM_OK) st = tail(p, *out);
    if (st == SEAM_OK && n_ctes > 0) {
        (*out)->ctes = ctes;
        (*out)->n_ctes = n_ctes;
    }
    p->depth--;
    return st;
}

/* Statements that change things are refused with where to do it. */
static enum seam_status not_a_question(struct columnar_sql_parser *p)
{
    static const struct {
        const char *word, *why;
    } words[] = {
        {"insert", "INSERT is not done here: rows enter through the row store (seam put, seam "
                   "import), and flow on"},
        {"update", "UPDATE is not done here: change the row in the row store (seam put), the "
                   "change flows on"},
        {"delete", "DELETE is not done here: delete the row in the row store (seam del), the "
                   "change flows on"},
        {"merge",
         "MERGE is not done here: rows change in the row store (seam put), the change flows on"},
        {"create",
         "CREATE is not done here: tables are declared in schema files, views in the contract"},
        {"alter", "ALTER is not done here: a table changes by a new version of its schema file"},
        {"drop",
         "DROP is not done here: tables are declared in schema files, views in the contract"},
        {"copy",
         "COPY is not done here: seam import reads files, seam sql --format csv writes them"},
        {"begin", "a question needs no transaction: every one answers for one LSN (AS OF LSN n)"},
        {"set", "SET is not in this dialect: options are the program's (seam sql --help)"},
        {"pragma", "PRAGMA is not in this dialect: options are the program's (seam sql --help)"}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(words); i++)
        if (at_word(p, words[i].word)) return refuse(p, SEAM_UNSUPPORTED, words[i].why);
    return SEAM_OK;
}

/* SHOW TABLES and SHOW TAGS are questions of information_schema. */
static enum seam_status show(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    static const char tables[] = "select * from information_schema.tables order by 1, 2",
                      tags[] = "select * from information_schema.tags order by 1, 2";
    enum seam_status st = advance(p);
    const char *text = at_word(p, "tables") ? tables : tags;
    struct columnar_sql_parser inner = *p;

    if (st == SEAM_OK && !at_word(p, "tables") && !at_word(p, "tags"))
        return expected(p, "TABLES or TAGS");
    inner.lex = (struct columnar_sql_lexer){.text = text, .n = strlen(text), .a = p->a};
    if (st == SEAM_OK) st = advance(&inner);
    if (st == SEAM_OK) st = query(&inner, out);
    return st == SEAM_OK ? advance(p) : st;
}

/* DESCRIBE table is DESCRIBE SELECT * FROM table. */
static enum seam_status described(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    enum seam_status st = advance(p);
    bool taken;

    if (st == SEAM_OK && (at_word(p, "select") || at_word(p, "with") || at_word(p, "values"))) {
        st = query(p, out);
    } else if (st == SEAM_OK) {
        struct columnar_sql_item *item = seam_arena_zalloc(p->a, sizeof *item);

        st = take_word(p, "table", &taken);
        *out = new_select(p);
        if (*out == NULL || item == NULL) return failure(p);
        item->expr = columnar_sql_node_new(p, COLUMNAR_SQL_STAR, p->t.at);
        if (item->expr == NULL) return failure(p);
        (*out)->items = item;
        (*out)->n_items = 1;
        if (st == SEAM_OK) st = columnar_sql_parse_from(p, &(*out)->source);
    }
    if (st == SEAM_OK) (*out)->describe = true;
    return st;
}

static enum seam_status statement(struct columnar_sql_parser *p, struct columnar_sql_select **out)
{
    bool explain = false, analyze = false;
    enum seam_status st = advance(p);

    if (st == SEAM_OK) st = take_word(p, "explain", &explain);
    if (st == SEAM_OK && explain) st = take_word(p, "analyze", &analyze);
    if (st == SEAM_OK) st = not_a_question(p);
    if (st == SEAM_OK && at_word(p, "show")) {
        st = show(p, out);
    } else if (st == SEAM_OK && (at_word(p, "describe") || at_word(p, "desc"))) {
        st = described(p, out);
    } else if (st == SEAM_OK) {
        if (!at_word(p, "select") && !at_word(p, "with") && !at_word(p, "values") && !at_op(p, "("))
            return expected(p, "SELECT");
        st = query(p, out);
    }
    if (st == SEAM_OK && at_op(p, ";")) st = advance(p);
    if (st == SEAM_OK && p->t.kind != TOKEN_END)
        st = refuse(p, SEAM_INVALID, "nothing more was expected here");
    if (st != SEAM_OK) return st;
    (*out)->explain = explain;
    (*out)->analyze = analyze;
    return SEAM_OK;
}

enum seam_status columnar_sql_parse_any(const char *text, size_t n, struct seam_arena *a,
                                        struct columnar_sql_select **out, struct seam_fault *f)
{
    struct seam_fault local = {0};
    struct columnar_sql_parser p = {
        .lex = {.text = text, .n = n, .a = a}, .a = a, .f = f != NULL ? f : &local, .query = query};

    if (n > COLUMNAR_SQL_TEXT_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "sql", 0, "a statement of more than %d bytes",
                              COLUMNAR_SQL_TEXT_MAX);
    return statement(&p, out);
}

/* ---- the plain form ---- */

static enum seam_status not_plain(struct seam_fault *f, uint32_t at, const char *what)
{
    return seam_fault_set(f, SEAM_UNSUPPORTED, "sql", at,
                          "%s has no place here: this is one SELECT over tables joined with ON",
                          what);
}

static enum seam_status plain_source(struct columnar_sql_select *s, struct columnar_sql_source *t,
                                     struct seam_fault *f)
{
    enum seam_status st;

    if (t->kind == COLUMNAR_SQL_FROM_QUERY) return not_plain(f, t->at, "a query in FROM");
    if (t->n_columns > 0) return not_plain(f, t->at, "a list of column names");
    if (t->kind == COLUMNAR_SQL_FROM_TABLE) {
        if (s->n_joins > 0) return not_plain(f, t->at, "a join in parentheses");
        s->from = t->table;
        return SEAM_OK;
    }
    if (t->join > COLUMNAR_SQL_JOIN_LEFT) return not_plain(f, t->at, "this kind of join");
    if (t->on == NULL || t->right->kind != COLUMNAR_SQL_FROM_TABLE || t->right->n_columns > 0)
        return not_plain(f, t->at, "a join without ON");
    st = plain_source(s, t->left, f);
    if (st != SEAM_OK) return st;
    if (s->n_joins == COLUMNAR_SQL_JOINS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "sql", t->at, "too many joins");
    s->joins[s->n_joins++] =
        (struct columnar_sql_join){t->right->table, t->join == COLUMNAR_SQL_JOIN_LEFT, t->on};
    return SEAM_OK;
}

static enum seam_status plain_node(const struct columnar_sql_node *e, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (e == NULL) return SEAM_OK;
    if (e->select != NULL) return not_plain(f, e->at, "a subquery");
    if (e->over != NULL) return not_plain(f, e->at, "a window function");
    if (e->filter != NULL) return not_plain(f, e->at, "FILTER");
    if (e->n_order > 0) return not_plain(f, e->at, "ORDER BY inside an aggregate");
    if (e->kind == COLUMNAR_SQL_SETS) return not_plain(f, e->at, "a grouping set");
    if (e->kind == COLUMNAR_SQL_ROW) return not_plain(f, e->at, "a row of values");
    for (int i = 0; st == SEAM_OK && i < e->n_args; i++) st = plain_node(e->args[i], f);
    return st;
}

enum seam_status columnar_sql_parse(const char *text, size_t n, struct seam_arena *a,
                                    struct columnar_sql_select **out, struct seam_fault *f)
{
    struct columnar_sql_select *s = NULL;
    enum seam_status st = columnar_sql_parse_any(text, n, a, &s, f);

    if (st != SEAM_OK) return st;
    if (s->set != COLUMNAR_SQL_PLAIN)
        return not_plain(f, s->at, "UNION, INTERSECT, EXCEPT or VALUES");
    if (s->n_ctes > 0) return not_plain(f, s->ctes[0].at, "WITH");
    if (s->source == NULL) return seam_fault_set(f, SEAM_INVALID, "sql", s->at, "FROM expected");
    if (s->qualify != NULL) return not_plain(f, s->qualify->at, "QUALIFY");
    if (s->group_all || s->order_all) return not_plain(f, s->at, "GROUP BY ALL or ORDER BY ALL");
    if (s->describe) return not_plain(f, s->at, "DESCRIBE");
    s->joins = seam_arena_zalloc(a, COLUMNAR_SQL_JOINS_MAX * sizeof *s->joins);
    if (s->joins == NULL)
        return seam_fault_set(f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
    st = plain_source(s, s->source, f);
    for (int i = 0; st == SEAM_OK && i < s->n_items; i++) st = plain_node(s->items[i].expr, f);
    for (int i = 0; st == SEAM_OK && i < s->n_group; i++) st = plain_node(s->group[i], f);
    for (int i = 0; st == SEAM_OK && i < s->n_order; i++) st = plain_node(s->order[i].expr, f);
    for (int i = 0; st == SEAM_OK && i < s->n_joins; i++) st = plain_node(s->joins[i].on, f);
    if (st == SEAM_OK) st = plain_node(s->where, f);
    if (st == SEAM_OK) st = plain_node(s->having, f);
    if (st == SEAM_OK) *out = s;
    return st;
}
