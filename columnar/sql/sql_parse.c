/* columnar_sql_parse - statements, recursive descent, one function a clause of the grammar in sql_ast.h. */
#include "columnar/sql/sql_parser.h"

static enum seam_status number_arg(struct columnar_sql_parser *p, uint64_t *out)
{
    int64_t v;

    if (p->t.kind != TOKEN_NUMBER || seam_int_parse(p->t.text, p->t.len, &v) != SEAM_OK)
        return expected(p, "a whole number");
    *out = (uint64_t)v;
    return advance(p);
}

/* After AS OF.                                                                                     */
static enum seam_status moment(struct columnar_sql_parser *p, struct columnar_sql_moment *m)
{
    bool time = at_word(p, "time") || at_word(p, "timestamp");
    bool tag = at_word(p, "tag");
    enum seam_status st;

    m->at = p->t.at;
    if (at_word(p, "lsn") || at_word(p, "snapshot")) {
        m->kind = at_word(p, "lsn") ? COLUMNAR_SQL_AT_LSN : COLUMNAR_SQL_AT_SNAPSHOT;
        st = advance(p);
        return st == SEAM_OK ? number_arg(p, &m->number) : st;
    }
    if (!time && !tag) return expected(p, "LSN, TIME, SNAPSHOT or TAG after AS OF");
    st = advance(p);
    if (st != SEAM_OK) return st;
    if (p->t.kind != TOKEN_TEXT) return expected(p, "a quoted text");
    m->kind = time ? COLUMNAR_SQL_AT_TIME : COLUMNAR_SQL_AT_TAG;
    m->tag = p->t.text;
    if (time && seam_time_parse(p->t.text, p->t.len, &m->wall_us) != SEAM_OK)
        return refuse(p, SEAM_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return advance(p);
}

/* AS has been seen: AS OF is a moment, AS name an alias. The parser looks one token ahead by copying. */
static bool at_as_of(const struct columnar_sql_parser *p)
{
    struct columnar_sql_lexer ahead = p->lex;
    struct columnar_sql_token t;

    if (!at_word(p, "as")) return false;
    return columnar_sql_next_token(&ahead, &t, NULL) == SEAM_OK && t.kind == TOKEN_WORD &&
           strcmp(t.text, "of") == 0;
}

static enum seam_status as_of(struct columnar_sql_parser *p, struct columnar_sql_moment *m)
{
    enum seam_status st = advance(p); /* AS */

    if (st == SEAM_OK) st = advance(p); /* OF */
    return st == SEAM_OK ? moment(p, m) : st;
}

/* [AS] name; *out stays NULL when there is none.                                                   */
static enum seam_status alias(struct columnar_sql_parser *p, const char **out)
{
    bool as = false;
    enum seam_status st = SEAM_OK;

    *out = NULL;
    if (at_as_of(p)) return SEAM_OK;
    st = take_word(p, "as", &as);
    if (st != SEAM_OK) return st;
    if (p->t.kind == TOKEN_QUOTED ||
        (p->t.kind == TOKEN_WORD && !columnar_sql_is_reserved(p->t.text))) {
        *out = p->t.text;
        return advance(p);
    }
    return as ? expected(p, "a name after AS") : SEAM_OK;
}

static enum seam_status table_ref(struct columnar_sql_parser *p, struct columnar_sql_table *t)
{
    const char *name;
    enum seam_status st;

    if (at_op(p, "(")) return refuse(p, SEAM_UNSUPPORTED, "subqueries are not in this subset");
    if (p->t.kind != TOKEN_QUOTED &&
        (p->t.kind != TOKEN_WORD || columnar_sql_is_reserved(p->t.text)))
        return expected(p, "a table name");
    t->name = t->alias = p->t.text;
    t->at = p->t.at;
    st = advance(p);
    if (st == SEAM_OK && at_as_of(p)) st = as_of(p, &t->as_of);
    if (st == SEAM_OK) st = alias(p, &name);
    if (st == SEAM_OK && name != NULL) t->alias = name;
    return st;
}

static enum seam_status joins(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    enum seam_status st = SEAM_OK;

    while (st == SEAM_OK) {
        struct columnar_sql_join *j;
        bool taken, left, inner;

        st = take_word(p, "left", &left);
        if (st == SEAM_OK && left) st = take_word(p, "outer", &taken);
        if (st == SEAM_OK) st = take_word(p, "inner", &inner);
        if (st != SEAM_OK) break;
        if (at_word(p, "right") || at_word(p, "full") || at_word(p, "cross") || at_op(p, ","))
            return refuse(p, SEAM_UNSUPPORTED,
                          "only INNER and LEFT joins with ON are in this subset");
        if (!at_word(p, "join")) {
            if (left || inner) return expected(p, "JOIN");
            break;
        }
        if (list.n == COLUMNAR_SQL_JOINS_MAX) return refuse(p, SEAM_LIMIT, "too many joins");
        j = seam_arena_zalloc(p->a, sizeof *j);
        if (j == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        j->left = left;
        st = advance(p);
        if (st == SEAM_OK) st = table_ref(p, &j->table);
        if (st == SEAM_OK) st = need_word(p, "on", "ON");
        if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &j->on);
        if (st == SEAM_OK) st = list_add(p, &list, j);
    }
    if (st != SEAM_OK || list.n == 0) return st;
    s->joins = seam_arena_alloc(p->a, (size_t)list.n * sizeof *s->joins);
    if (s->joins == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->joins[i] = *(struct columnar_sql_join *)list.items[i];
    s->n_joins = list.n;
    return SEAM_OK;
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
            if (st == SEAM_OK) st = alias(p, &item->alias);
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

static enum seam_status group_by(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    bool taken;
    enum seam_status st = take_word(p, "group", &taken);

    if (st != SEAM_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    do {
        struct columnar_sql_node *e = NULL;

        if (st == SEAM_OK && list.n > 0) st = advance(p);
        if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &e);
        if (st == SEAM_OK) st = list_add(p, &list, e);
    } while (st == SEAM_OK && at_op(p, ","));
    s->group = (struct columnar_sql_node **)list.items;
    s->n_group = list.n;
    return st;
}

static enum seam_status order_item(struct columnar_sql_parser *p, struct columnar_sql_order *o)
{
    bool taken;
    enum seam_status st = columnar_sql_parse_expr(p, &o->expr);

    if (st == SEAM_OK) st = take_word(p, "desc", &o->descending);
    if (st == SEAM_OK && !o->descending) st = take_word(p, "asc", &taken);
    o->nulls_first = o->descending; /* nulls are largest unless said otherwise */
    if (st == SEAM_OK) st = take_word(p, "nulls", &taken);
    if (st != SEAM_OK || !taken) return st;
    o->nulls_first = at_word(p, "first");
    if (!o->nulls_first && !at_word(p, "last")) return expected(p, "FIRST or LAST");
    return advance(p);
}

static enum seam_status order_by(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    struct columnar_sql_list list = {0};
    bool taken;
    enum seam_status st = take_word(p, "order", &taken);

    if (st != SEAM_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    do {
        struct columnar_sql_order *o = seam_arena_zalloc(p->a, sizeof *o);

        if (o == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (st == SEAM_OK && list.n > 0) st = advance(p);
        if (st == SEAM_OK) st = order_item(p, o);
        if (st == SEAM_OK) st = list_add(p, &list, o);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st != SEAM_OK) return st;
    s->order = seam_arena_alloc(p->a, (size_t)list.n * sizeof *s->order);
    if (s->order == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->order[i] = *(struct columnar_sql_order *)list.items[i];
    s->n_order = list.n;
    return SEAM_OK;
}

static enum seam_status tail_clauses(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    bool taken;
    enum seam_status st = take_word(p, "where", &taken);

    if (st == SEAM_OK && taken) st = columnar_sql_parse_expr(p, &s->where);
    if (st == SEAM_OK) st = group_by(p, s);
    if (st == SEAM_OK) st = take_word(p, "having", &taken);
    if (st == SEAM_OK && taken) st = columnar_sql_parse_expr(p, &s->having);
    if (st == SEAM_OK) st = order_by(p, s);
    if (st == SEAM_OK) st = take_word(p, "limit", &taken);
    if (st == SEAM_OK && taken) st = number_arg(p, &s->limit);
    if (st == SEAM_OK) st = take_word(p, "offset", &taken);
    if (st == SEAM_OK && taken) st = number_arg(p, &s->offset);
    if (st == SEAM_OK && at_as_of(p)) st = as_of(p, &s->as_of);
    return st;
}

static enum seam_status statement(struct columnar_sql_parser *p, struct columnar_sql_select *s)
{
    enum seam_status st = advance(p);

    if (st == SEAM_OK) st = take_word(p, "explain", &s->explain);
    if (st == SEAM_OK && s->explain) st = take_word(p, "analyze", &s->analyze);
    if (st == SEAM_OK) st = need_word(p, "select", "SELECT");
    if (st == SEAM_OK) st = take_word(p, "distinct", &s->distinct);
    if (st == SEAM_OK) st = items(p, s);
    if (st == SEAM_OK) st = need_word(p, "from", "FROM");
    if (st == SEAM_OK) st = table_ref(p, &s->from);
    if (st == SEAM_OK) st = joins(p, s);
    if (st == SEAM_OK) st = tail_clauses(p, s);
    if (st == SEAM_OK && at_op(p, ";")) st = advance(p);
    if (st == SEAM_OK && at_word(p, "union"))
        st = refuse(p, SEAM_UNSUPPORTED, "UNION is not in this subset");
    if (st == SEAM_OK && p->t.kind != TOKEN_END)
        st = refuse(p, SEAM_INVALID, "nothing more was expected here");
    return st;
}

enum seam_status columnar_sql_parse(const char *text, size_t n, struct seam_arena *a,
                                    struct columnar_sql_select **out, struct seam_fault *f)
{
    struct seam_fault local = {0};
    struct columnar_sql_parser p = {
        .lex = {.text = text, .n = n, .a = a}, .a = a, .f = f != NULL ? f : &local};
    struct columnar_sql_select *s;
    enum seam_status st;

    if (n > COLUMNAR_SQL_TEXT_MAX)
        return seam_fault_set(f, SEAM_LIMIT, "sql", 0, "a statement of more than %d bytes",
                              COLUMNAR_SQL_TEXT_MAX);
    s = seam_arena_zalloc(a, sizeof *s);
    if (s == NULL) return seam_fault_set(f, SEAM_NOMEM, "sql", 0, "no memory for the statement");
    s->text = text;
    s->size = n;
    s->limit = UINT64_MAX;
    st = statement(&p, s);
    if (st == SEAM_OK) *out = s;
    return st;
}
