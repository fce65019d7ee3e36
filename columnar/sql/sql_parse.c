/* sql_parse - statements, recursive descent, one function a clause of the grammar in sql_ast.h. */
#include "columnar/sql/sql_parser.h"

static enum status number_arg(struct sql_parser *p, uint64_t *out)
{
    int64_t v;

    if (p->t.kind != TOKEN_NUMBER || int_parse(p->t.text, p->t.len, &v) != ST_OK)
        return expected(p, "a whole number");
    *out = (uint64_t)v;
    return advance(p);
}

/* After AS OF.                                                                                     */
static enum status moment(struct sql_parser *p, struct sql_moment *m)
{
    bool time = at_word(p, "time") || at_word(p, "timestamp");
    bool tag = at_word(p, "tag");
    enum status st;

    m->at = p->t.at;
    if (at_word(p, "lsn") || at_word(p, "snapshot")) {
        m->kind = at_word(p, "lsn") ? SQL_AT_LSN : SQL_AT_SNAPSHOT;
        st = advance(p);
        return st == ST_OK ? number_arg(p, &m->number) : st;
    }
    if (!time && !tag) return expected(p, "LSN, TIME, SNAPSHOT or TAG after AS OF");
    st = advance(p);
    if (st != ST_OK) return st;
    if (p->t.kind != TOKEN_TEXT) return expected(p, "a quoted text");
    m->kind = time ? SQL_AT_TIME : SQL_AT_TAG;
    m->tag = p->t.text;
    if (time && time_parse(p->t.text, p->t.len, &m->wall_us) != ST_OK)
        return refuse(p, ST_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return advance(p);
}

/* AS has been seen: AS OF is a moment, AS name an alias. The parser looks one token ahead by copying. */
static bool at_as_of(const struct sql_parser *p)
{
    struct sql_lexer ahead = p->lex;
    struct sql_token t;

    if (!at_word(p, "as")) return false;
    return sql_next_token(&ahead, &t, NULL) == ST_OK && t.kind == TOKEN_WORD && strcmp(t.text, "of") == 0;
}

static enum status as_of(struct sql_parser *p, struct sql_moment *m)
{
    enum status st = advance(p); /* AS */

    if (st == ST_OK) st = advance(p); /* OF */
    return st == ST_OK ? moment(p, m) : st;
}

/* [AS] name; *out stays NULL when there is none.                                                   */
static enum status alias(struct sql_parser *p, const char **out)
{
    bool as = false;
    enum status st = ST_OK;

    *out = NULL;
    if (at_as_of(p)) return ST_OK;
    st = take_word(p, "as", &as);
    if (st != ST_OK) return st;
    if (p->t.kind == TOKEN_QUOTED || (p->t.kind == TOKEN_WORD && !sql_is_reserved(p->t.text))) {
        *out = p->t.text;
        return advance(p);
    }
    return as ? expected(p, "a name after AS") : ST_OK;
}

static enum status table_ref(struct sql_parser *p, struct sql_table *t)
{
    const char *name;
    enum status st;

    if (at_op(p, "(")) return refuse(p, ST_UNSUPPORTED, "subqueries are not in this subset");
    if (p->t.kind != TOKEN_QUOTED && (p->t.kind != TOKEN_WORD || sql_is_reserved(p->t.text)))
        return expected(p, "a table name");
    t->name = t->alias = p->t.text;
    t->at = p->t.at;
    st = advance(p);
    if (st == ST_OK && at_as_of(p)) st = as_of(p, &t->as_of);
    if (st == ST_OK) st = alias(p, &name);
    if (st == ST_OK && name != NULL) t->alias = name;
    return st;
}

static enum status joins(struct sql_parser *p, struct sql_select *s)
{
    struct sql_list list = {0};
    enum status st = ST_OK;

    while (st == ST_OK) {
        struct sql_join *j;
        bool taken, left, inner;

        st = take_word(p, "left", &left);
        if (st == ST_OK && left) st = take_word(p, "outer", &taken);
        if (st == ST_OK) st = take_word(p, "inner", &inner);
        if (st != ST_OK) break;
        if (at_word(p, "right") || at_word(p, "full") || at_word(p, "cross") || at_op(p, ","))
            return refuse(p, ST_UNSUPPORTED, "only INNER and LEFT joins with ON are in this subset");
        if (!at_word(p, "join")) {
            if (left || inner) return expected(p, "JOIN");
            break;
        }
        if (list.n == SQL_JOINS_MAX) return refuse(p, ST_LIMIT, "too many joins");
        j = arena_zalloc(p->a, sizeof *j);
        if (j == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        j->left = left;
        st = advance(p);
        if (st == ST_OK) st = table_ref(p, &j->table);
        if (st == ST_OK) st = need_word(p, "on", "ON");
        if (st == ST_OK) st = sql_parse_expr(p, &j->on);
        if (st == ST_OK) st = list_add(p, &list, j);
    }
    if (st != ST_OK || list.n == 0) return st;
    s->joins = arena_alloc(p->a, (size_t)list.n * sizeof *s->joins);
    if (s->joins == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->joins[i] = *(struct sql_join *)list.items[i];
    s->n_joins = list.n;
    return ST_OK;
}

static enum status items(struct sql_parser *p, struct sql_select *s)
{
    struct sql_list list = {0};
    enum status st = ST_OK;

    do {
        struct sql_item *item = arena_zalloc(p->a, sizeof *item);

        if (item == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        if (list.n > 0) st = advance(p);
        if (st == ST_OK && at_op(p, "*")) {
            item->expr = sql_node_new(p, SQL_STAR, p->t.at);
            if (item->expr == NULL) return failure(p);
            st = advance(p);
            item->expr->end = p->last_end;
        } else if (st == ST_OK) {
            st = sql_parse_expr(p, &item->expr);
            if (st == ST_OK) st = alias(p, &item->alias);
        }
        if (st == ST_OK) st = list_add(p, &list, item);
    } while (st == ST_OK && at_op(p, ","));
    if (st != ST_OK) return st;
    s->items = arena_alloc(p->a, (size_t)list.n * sizeof *s->items);
    if (s->items == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->items[i] = *(struct sql_item *)list.items[i];
    s->n_items = list.n;
    return ST_OK;
}

static enum status group_by(struct sql_parser *p, struct sql_select *s)
{
    struct sql_list list = {0};
    bool taken;
    enum status st = take_word(p, "group", &taken);

    if (st != ST_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    do {
        struct sql_node *e = NULL;

        if (st == ST_OK && list.n > 0) st = advance(p);
        if (st == ST_OK) st = sql_parse_expr(p, &e);
        if (st == ST_OK) st = list_add(p, &list, e);
    } while (st == ST_OK && at_op(p, ","));
    s->group = (struct sql_node **)list.items;
    s->n_group = list.n;
    return st;
}

static enum status order_item(struct sql_parser *p, struct sql_order *o)
{
    bool taken;
    enum status st = sql_parse_expr(p, &o->expr);

    if (st == ST_OK) st = take_word(p, "desc", &o->descending);
    if (st == ST_OK && !o->descending) st = take_word(p, "asc", &taken);
    o->nulls_first = o->descending; /* nulls are largest unless said otherwise */
    if (st == ST_OK) st = take_word(p, "nulls", &taken);
    if (st != ST_OK || !taken) return st;
    o->nulls_first = at_word(p, "first");
    if (!o->nulls_first && !at_word(p, "last")) return expected(p, "FIRST or LAST");
    return advance(p);
}

static enum status order_by(struct sql_parser *p, struct sql_select *s)
{
    struct sql_list list = {0};
    bool taken;
    enum status st = take_word(p, "order", &taken);

    if (st != ST_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    do {
        struct sql_order *o = arena_zalloc(p->a, sizeof *o);

        if (o == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        if (st == ST_OK && list.n > 0) st = advance(p);
        if (st == ST_OK) st = order_item(p, o);
        if (st == ST_OK) st = list_add(p, &list, o);
    } while (st == ST_OK && at_op(p, ","));
    if (st != ST_OK) return st;
    s->order = arena_alloc(p->a, (size_t)list.n * sizeof *s->order);
    if (s->order == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->order[i] = *(struct sql_order *)list.items[i];
    s->n_order = list.n;
    return ST_OK;
}

static enum status tail_clauses(struct sql_parser *p, struct sql_select *s)
{
    bool taken;
    enum status st = take_word(p, "where", &taken);

    if (st == ST_OK && taken) st = sql_parse_expr(p, &s->where);
    if (st == ST_OK) st = group_by(p, s);
    if (st == ST_OK) st = take_word(p, "having", &taken);
    if (st == ST_OK && taken) st = sql_parse_expr(p, &s->having);
    if (st == ST_OK) st = order_by(p, s);
    if (st == ST_OK) st = take_word(p, "limit", &taken);
    if (st == ST_OK && taken) st = number_arg(p, &s->limit);
    if (st == ST_OK) st = take_word(p, "offset", &taken);
    if (st == ST_OK && taken) st = number_arg(p, &s->offset);
    if (st == ST_OK && at_as_of(p)) st = as_of(p, &s->as_of);
    return st;
}

static enum status statement(struct sql_parser *p, struct sql_select *s)
{
    enum status st = advance(p);

    if (st == ST_OK) st = take_word(p, "explain", &s->explain);
    if (st == ST_OK && s->explain) st = take_word(p, "analyze", &s->analyze);
    if (st == ST_OK) st = need_word(p, "select", "SELECT");
    if (st == ST_OK) st = take_word(p, "distinct", &s->distinct);
    if (st == ST_OK) st = items(p, s);
    if (st == ST_OK) st = need_word(p, "from", "FROM");
    if (st == ST_OK) st = table_ref(p, &s->from);
    if (st == ST_OK) st = joins(p, s);
    if (st == ST_OK) st = tail_clauses(p, s);
    if (st == ST_OK && at_op(p, ";")) st = advance(p);
    if (st == ST_OK && at_word(p, "union")) st = refuse(p, ST_UNSUPPORTED, "UNION is not in this subset");
    if (st == ST_OK && p->t.kind != TOKEN_END) st = refuse(p, ST_INVALID, "nothing more was expected here");
    return st;
}

enum status sql_parse(const char *text, size_t n, struct arena *a, struct sql_select **out, struct fault *f)
{
    struct fault local = {0};
    struct sql_parser p = {.lex = {.text = text, .n = n, .a = a}, .a = a, .f = f != NULL ? f : &local};
    struct sql_select *s;
    enum status st;

    if (n > SQL_TEXT_MAX)
        return fault_set(f, ST_LIMIT, "sql", 0, "a statement of more than %d bytes", SQL_TEXT_MAX);
    s = arena_zalloc(a, sizeof *s);
    if (s == NULL) return fault_set(f, ST_NOMEM, "sql", 0, "no memory for the statement");
    s->text = text;
    s->size = n;
    s->limit = UINT64_MAX;
    st = statement(&p, s);
    if (st == ST_OK) *out = s;
    return st;
}
