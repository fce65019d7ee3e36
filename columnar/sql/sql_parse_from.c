/* sql_parse_from - FROM: tables, derived tables, joins, and moments (AS OF). */
#include "columnar/sql/sql_parser.h"

static enum seam_status whole_number(struct columnar_sql_parser *p, uint64_t *out)
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
        return st == SEAM_OK ? whole_number(p, &m->number) : st;
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
bool columnar_sql_at_as_of(const struct columnar_sql_parser *p)
{
    struct columnar_sql_token t;

    return at_word(p, "as") && columnar_sql_peek(p, &t) && t.kind == TOKEN_WORD &&
           strcmp(t.text, "of") == 0;
}

enum seam_status columnar_sql_parse_as_of(struct columnar_sql_parser *p,
                                          struct columnar_sql_moment *m)
{
    enum seam_status st = advance(p); /* AS */

    if (st == SEAM_OK) st = advance(p); /* OF */
    return st == SEAM_OK ? moment(p, m) : st;
}

/* [AS] name; *out stays NULL when there is none.                                                   */
enum seam_status columnar_sql_parse_alias(struct columnar_sql_parser *p, const char **out)
{
    bool as = false;
    enum seam_status st = SEAM_OK;

    *out = NULL;
    if (columnar_sql_at_as_of(p)) return SEAM_OK;
    st = take_word(p, "as", &as);
    if (st != SEAM_OK) return st;
    if (p->t.kind == TOKEN_QUOTED || (as && p->t.kind == TOKEN_TEXT) ||
        (p->t.kind == TOKEN_WORD && !columnar_sql_is_reserved(p->t.text))) {
        *out = p->t.text;
        return advance(p);
    }
    return as ? expected(p, "a name after AS") : SEAM_OK;
}

enum seam_status columnar_sql_parse_names(struct columnar_sql_parser *p, const char ***out, int *n)
{
    struct columnar_sql_list list = {0};
    enum seam_status st = need_op(p, "(", "'('");

    do {
        if (st == SEAM_OK && list.n > 0) st = advance(p);
        if (st == SEAM_OK && p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED)
            return expected(p, "a column name");
        if (st == SEAM_OK) st = list_add(p, &list, (void *)p->t.text);
        if (st == SEAM_OK) st = advance(p);
    } while (st == SEAM_OK && at_op(p, ","));
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    *out = (const char **)list.items;
    *n = list.n;
    return st;
}

static enum seam_status from_tree(struct columnar_sql_parser *p, struct columnar_sql_source **out);

/* The alias of a table or a query, with the columns' names when they are given. */
static enum seam_status alias_of(struct columnar_sql_parser *p, struct columnar_sql_source *s)
{
    const char *name;
    enum seam_status st = columnar_sql_parse_alias(p, &name);

    if (st != SEAM_OK || name == NULL) return st;
    s->table.alias = name;
    return at_op(p, "(") ? columnar_sql_parse_names(p, &s->columns, &s->n_columns) : SEAM_OK;
}

static enum seam_status query_in_parens(struct columnar_sql_parser *p,
                                        struct columnar_sql_source *s)
{
    enum seam_status st = advance(p);

    s->kind = COLUMNAR_SQL_FROM_QUERY;
    if (st == SEAM_OK) st = p->query(p, &s->select);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? alias_of(p, s) : st;
}

static enum seam_status named_table(struct columnar_sql_parser *p, struct columnar_sql_source *s)
{
    enum seam_status st;

    if (p->t.kind != TOKEN_QUOTED &&
        (p->t.kind != TOKEN_WORD || columnar_sql_is_reserved(p->t.text)))
        return expected(p, "a table name");
    s->kind = COLUMNAR_SQL_FROM_TABLE;
    s->table.name = s->table.alias = p->t.text;
    st = advance(p);
    if (st == SEAM_OK && at_op(p, ".")) { /* schema.table */
        char *both;
        size_t n = strlen(s->table.name);

        st = advance(p);
        if (st != SEAM_OK) return st;
        if (p->t.kind != TOKEN_QUOTED && p->t.kind != TOKEN_WORD)
            return expected(p, "a table name");
        both = seam_arena_alloc(p->a, n + p->t.len + 2);
        if (both == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        memcpy(both, s->table.name, n);
        both[n] = '.';
        memcpy(both + n + 1, p->t.text, p->t.len + 1);
        s->table.alias = p->t.text;
        s->table.name = strcmp(s->table.name, "main") == 0 ? p->t.text : both;
        st = advance(p);
    }
    if (st == SEAM_OK && at_op(p, "("))
        return refuse(p, SEAM_UNSUPPORTED, "table functions are not in this dialect");
    if (st == SEAM_OK && columnar_sql_at_as_of(p))
        st = columnar_sql_parse_as_of(p, &s->table.as_of);
    return st == SEAM_OK ? alias_of(p, s) : st;
}

/* A table, a query in parentheses, or a joined tree in parentheses.                                 */
static enum seam_status one_source(struct columnar_sql_parser *p, struct columnar_sql_source **out)
{
    struct columnar_sql_source *s = seam_arena_zalloc(p->a, sizeof *s);
    struct columnar_sql_token next;
    enum seam_status st = SEAM_OK;

    if (s == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
    s->at = s->table.at = p->t.at;
    *out = s;
    st = take_word(p, "lateral", &s->lateral);
    if (st != SEAM_OK) return st;
    if (!at_op(p, "(")) return named_table(p, s);
    if (columnar_sql_peek(p, &next) && next.kind == TOKEN_WORD &&
        (strcmp(next.text, "select") == 0 || strcmp(next.text, "with") == 0 ||
         strcmp(next.text, "values") == 0))
        return query_in_parens(p, s);
    if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the statement nests too deeply");
    if (columnar_sql_peek(p, &next) && next.kind == TOKEN_OP && strcmp(next.op, "(") == 0) {
        /* ((select ...) union ...) or ((a join b) join c): a query when one can be read */
        struct columnar_sql_parser saved = *p;
        struct seam_fault first = {0};

        p->f = &first;
        st = query_in_parens(p, s);
        p->f = saved.f;
        if (st == SEAM_OK) {
            p->depth--;
            return st;
        }
        *p = saved;
        memset(s, 0, sizeof *s);
        s->at = s->table.at = p->t.at;
    }
    st = advance(p);
    if (st == SEAM_OK) st = from_tree(p, out);
    p->depth--;
    return st == SEAM_OK ? need_op(p, ")", "')'") : st;
}

/* [NATURAL] [INNER | LEFT | ... [OUTER]] JOIN; *found false: no join follows. */
static enum seam_status join_word(struct columnar_sql_parser *p, struct columnar_sql_source *j,
                                  bool *cross, bool *found)
{
    static const struct {
        const char *word;
        enum columnar_sql_join_kind kind;
        bool outer;
    } words[] = {
        {"inner", COLUMNAR_SQL_JOIN_INNER, false}, {"left", COLUMNAR_SQL_JOIN_LEFT, true},
        {"right", COLUMNAR_SQL_JOIN_RIGHT, true},  {"full", COLUMNAR_SQL_JOIN_FULL, true},
        {"semi", COLUMNAR_SQL_JOIN_SEMI, false},   {"anti", COLUMNAR_SQL_JOIN_ANTI, false}};
    bool said = false, taken;
    enum seam_status st = take_word(p, "natural", &j->natural);

    *cross = false;
    j->join = COLUMNAR_SQL_JOIN_INNER;
    if (st == SEAM_OK && !j->natural) st = take_word(p, "cross", cross);
    for (size_t i = 0; st == SEAM_OK && !*cross && !said && i < SEAM_ARRAY_LEN(words); i++) {
        st = take_word(p, words[i].word, &said);
        if (!said) continue;
        j->join = words[i].kind;
        if (st == SEAM_OK && words[i].outer) st = take_word(p, "outer", &taken);
    }
    if (st != SEAM_OK) return st;
    *found = at_word(p, "join");
    if (!*found) return said || *cross || j->natural ? expected(p, "JOIN") : SEAM_OK;
    return advance(p);
}

static enum seam_status join_condition(struct columnar_sql_parser *p, struct columnar_sql_source *j)
{
    enum seam_status st;

    if (at_word(p, "using")) {
        st = advance(p);
        return st == SEAM_OK ? columnar_sql_parse_names(p, &j->using_names, &j->n_using) : st;
    }
    st = need_word(p, "on", "ON or USING");
    return st == SEAM_OK ? columnar_sql_parse_expr(p, &j->on) : st;
}

static enum seam_status from_tree(struct columnar_sql_parser *p, struct columnar_sql_source **out)
{
    enum seam_status st = one_source(p, out);

    while (st == SEAM_OK) {
        struct columnar_sql_source *j = seam_arena_zalloc(p->a, sizeof *j);
        bool cross, found;

        if (j == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        if (++p->nodes > COLUMNAR_SQL_NODES_MAX)
            return refuse(p, SEAM_LIMIT, "the statement is too large");
        j->kind = COLUMNAR_SQL_FROM_JOIN;
        j->at = p->t.at;
        st = join_word(p, j, &cross, &found);
        if (st != SEAM_OK || !found) break;
        j->left = *out;
        st = one_source(p, &j->right);
        if (st == SEAM_OK && !cross && !j->natural) st = join_condition(p, j);
        *out = j;
    }
    return st;
}

enum seam_status columnar_sql_parse_from(struct columnar_sql_parser *p,
                                         struct columnar_sql_source **out)
{
    enum seam_status st = from_tree(p, out);

    while (st == SEAM_OK && at_op(p, ",")) {
        struct columnar_sql_source *j = seam_arena_zalloc(p->a, sizeof *j);

        if (j == NULL) return refuse(p, SEAM_NOMEM, "no memory for the statement");
        j->kind = COLUMNAR_SQL_FROM_JOIN;
        j->at = p->t.at;
        j->left = *out;
        st = advance(p);
        if (st == SEAM_OK) st = from_tree(p, &j->right);
        *out = j;
    }
    return st;
}
