/* sql_parse - recursive descent, one function a level of the grammar in sql_ast.h. */
#include <stdlib.h>
#include <string.h>

#include "columnar/sql_lex.h"

struct parser {
    struct sql_lexer lex;
    struct sql_token t;      /* the token being looked at */
    uint32_t last_end;       /* where the token before it ended */
    struct arena *a;
    struct fault *f;
    unsigned depth, nodes;
};

/* Lists grow in doubling pieces of the arena.                                                      */
struct list { void **items; int n, cap; };

static enum status refuse(struct parser *p, enum status st, const char *why)
{
    return fault_set(p->f, st, "sql", p->t.at, "%s", why);
}

static enum status expected(struct parser *p, const char *what)
{
    if (p->t.kind == TOKEN_END)
        return fault_set(p->f, ST_INVALID, "sql", p->t.at, "the statement ends where %s should be", what);
    return fault_set(p->f, ST_INVALID, "sql", p->t.at, "%s expected", what);
}

static enum status advance(struct parser *p)
{
    p->last_end = p->t.end;
    return sql_next_token(&p->lex, &p->t, p->f);
}

static bool at_word(const struct parser *p, const char *word)
{
    return p->t.kind == TOKEN_WORD && strcmp(p->t.text, word) == 0;
}
static bool at_op(const struct parser *p, const char *op)
{
    return p->t.kind == TOKEN_OP && strcmp(p->t.op, op) == 0;
}
/* Takes the word (or mark) when it is next.                                                        */
static enum status take_word(struct parser *p, const char *word, bool *taken)
{
    *taken = at_word(p, word);
    return *taken ? advance(p) : ST_OK;
}
static enum status need_word(struct parser *p, const char *word, const char *what)
{
    return at_word(p, word) ? advance(p) : expected(p, what);
}
static enum status need_op(struct parser *p, const char *op, const char *what)
{
    return at_op(p, op) ? advance(p) : expected(p, what);
}

static enum status list_add(struct parser *p, struct list *l, void *item)
{
    if (l->n == l->cap) {
        int cap = l->cap == 0 ? 4 : l->cap * 2;
        void **more = arena_alloc(p->a, (size_t)cap * sizeof *more);

        if (more == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        if (l->n > 0) memcpy(more, l->items, (size_t)l->n * sizeof *more);
        l->items = more;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return ST_OK;
}

static struct sql_node *node(struct parser *p, enum sql_kind kind, uint32_t at)
{
    struct sql_node *e;

    if (++p->nodes > SQL_NODES_MAX) {
        refuse(p, ST_LIMIT, "the statement is too large");
        return NULL;
    }
    e = arena_zalloc(p->a, sizeof *e);
    if (e == NULL) {
        refuse(p, ST_NOMEM, "no memory for the statement");
        return NULL;
    }
    e->kind = kind;
    e->at = at;
    return e;
}

static enum status finish(struct parser *p, struct sql_node *e, struct list *args, struct sql_node **out)
{
    e->args = (struct sql_node **)args->items;
    e->n_args = args->n;
    e->end = p->last_end;
    *out = e;
    return ST_OK;
}

static enum status failure(const struct parser *p)
{
    return p->f != NULL && p->f->status != ST_OK ? p->f->status : ST_NOMEM;
}

static enum status parse_expr(struct parser *p, struct sql_node **out);

static enum status combine(struct parser *p, enum sql_op op, struct sql_node *left, struct sql_node *right,
                           struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_BINARY, left->at);
    struct list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, left);
    if (st == ST_OK) st = list_add(p, &args, right);
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static enum status wrap(struct parser *p, enum sql_op op, uint32_t at, struct sql_node *inner,
                        struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_UNARY, at);
    struct list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, inner);
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

/* ---- primaries ---- */

/* A number with a point is an exact decimal when 18 digits hold it; with an exponent it is a double. */
static enum status number_value(struct parser *p, struct value *v)
{
    const char *s = p->t.text, *point = memchr(s, '.', p->t.len);
    bool exponent = memchr(s, 'e', p->t.len) != NULL || memchr(s, 'E', p->t.len) != NULL;
    int64_t i;

    if (!exponent && point == NULL) {
        if (int_parse(s, p->t.len, &i) != ST_OK) return refuse(p, ST_LIMIT, "the number is too large");
        *v = v_int(i);
        return ST_OK;
    }
    if (!exponent) {
        size_t scale = p->t.len - (size_t)(point - s) - 1;

        if (scale <= DECIMAL_SCALE_MAX && decimal_parse(s, p->t.len, (unsigned)scale, &i) == ST_OK) {
            *v = v_decimal(i, (uint8_t)scale);
            return ST_OK;
        }
    }
    *v = v_double(0);
    return double_parse(s, p->t.len, &v->d) == ST_OK ? ST_OK : refuse(p, ST_INVALID, "not a number");
}

static enum status literal(struct parser *p, struct value v, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_LITERAL, at);
    struct list none = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->value = v;
    st = advance(p);
    return st == ST_OK ? finish(p, e, &none, out) : st;
}

/* DATE 'x' and TIMESTAMP 'x'; the word has been taken, the text is next.                            */
static enum status time_literal(struct parser *p, uint32_t at, struct sql_node **out)
{
    int64_t us;

    if (time_parse(p->t.text, p->t.len, &us) != ST_OK)
        return refuse(p, ST_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return literal(p, v_time(us), at, out);
}

static enum status type_name(struct parser *p, enum value_type *type, uint8_t *scale)
{
    static const struct { const char *name; enum value_type type; } names[] = {
        {"int", V_INT}, {"integer", V_INT}, {"bigint", V_INT}, {"int64", V_INT}, {"double", V_DOUBLE},
        {"float", V_DOUBLE}, {"real", V_DOUBLE}, {"decimal", V_DECIMAL}, {"numeric", V_DECIMAL},
        {"bool", V_BOOL}, {"boolean", V_BOOL}, {"timestamp", V_TIME}, {"date", V_TIME},
        {"text", V_TEXT}, {"varchar", V_TEXT}, {"string", V_TEXT}};
    int64_t digits;
    enum status st;

    *scale = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!at_word(p, names[i].name)) continue;
        *type = names[i].type;
        st = advance(p);
        if (st != ST_OK || *type != V_DECIMAL || !at_op(p, "(")) return st;
        /* decimal(scale) or decimal(precision, scale) */
        do {
            st = advance(p);
            if (st != ST_OK) return st;
            if (p->t.kind != TOKEN_NUMBER || int_parse(p->t.text, p->t.len, &digits) != ST_OK ||
                digits > DECIMAL_SCALE_MAX)
                return refuse(p, ST_INVALID, "a scale of 0 to 18 expected");
            *scale = (uint8_t)digits;
            st = advance(p);
        } while (st == ST_OK && at_op(p, ","));
        return st == ST_OK ? need_op(p, ")", "')'") : st;
    }
    return expected(p, "a type (int, double, decimal(s), bool, timestamp, text)");
}

static enum status cast(struct parser *p, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_CAST, at), *inner = NULL;
    struct list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    st = need_op(p, "(", "'('");
    if (st == ST_OK) st = parse_expr(p, &inner);
    if (st == ST_OK) st = list_add(p, &args, inner);
    if (st == ST_OK) st = need_word(p, "as", "AS");
    if (st == ST_OK) st = type_name(p, &e->type, &e->scale);
    if (st == ST_OK) st = need_op(p, ")", "')'");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

/* CASE x WHEN 1 is written out as CASE WHEN x = 1.                                                 */
static enum status case_expr(struct parser *p, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_CASE, at), *subject = NULL, *when = NULL, *then = NULL;
    struct list args = {0};
    bool more = false;
    enum status st = ST_OK;

    if (e == NULL) return failure(p);
    if (!at_word(p, "when")) st = parse_expr(p, &subject);
    if (st == ST_OK && !at_word(p, "when")) st = expected(p, "WHEN");
    while (st == ST_OK && (st = take_word(p, "when", &more)) == ST_OK && more) {
        st = parse_expr(p, &when);
        if (st == ST_OK && subject != NULL) st = combine(p, SQL_EQ, subject, when, &when);
        if (st == ST_OK) st = need_word(p, "then", "THEN");
        if (st == ST_OK) st = parse_expr(p, &then);
        if (st == ST_OK) st = list_add(p, &args, when);
        if (st == ST_OK) st = list_add(p, &args, then);
    }
    if (st == ST_OK) st = take_word(p, "else", &more);
    if (st == ST_OK && more) {
        st = parse_expr(p, &then);
        if (st == ST_OK) st = list_add(p, &args, then);
    }
    if (st == ST_OK) st = need_word(p, "end", "END");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static enum status call(struct parser *p, const char *name, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = node(p, SQL_CALL, at), *arg = NULL;
    struct list args = {0};
    bool taken;
    enum status st;

    if (e == NULL) return failure(p);
    e->name = name;
    st = need_op(p, "(", "'('");
    if (st == ST_OK && at_op(p, "*")) {
        e->star = true;
        st = advance(p);
        return st == ST_OK && (st = need_op(p, ")", "')'")) == ST_OK ? finish(p, e, &args, out) : st;
    }
    if (st == ST_OK) {
        st = take_word(p, "distinct", &taken);
        e->distinct = taken;
    }
    if (st == ST_OK && !at_op(p, ")")) {
        st = parse_expr(p, &arg);
        if (st == ST_OK) st = list_add(p, &args, arg);
        while (st == ST_OK && at_op(p, ",")) {
            st = advance(p);
            if (st == ST_OK) st = parse_expr(p, &arg);
            if (st == ST_OK) st = list_add(p, &args, arg);
        }
    }
    if (st == ST_OK) st = need_op(p, ")", "')'");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static bool is_reserved(const char *word)
{
    static const char *const words[] = {
        "select", "from", "where", "group", "having", "order", "limit", "offset", "join", "inner", "left",
        "right", "full", "cross", "on", "and", "or", "not", "as", "by", "in", "is", "like", "ilike", "between",
        "case", "when", "then", "else", "end", "distinct", "union", "asc", "desc", "nulls"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}

/* A name: a column, a qualified column, alias.*, or a function call.                               */
static enum status name_expr(struct parser *p, struct sql_node **out)
{
    const char *first = p->t.text;
    uint32_t at = p->t.at;
    struct sql_node *e;
    struct list none = {0};
    bool word = p->t.kind == TOKEN_WORD;
    enum status st = advance(p);

    if (st != ST_OK) return st;
    if (word && p->t.kind == TOKEN_TEXT && (strcmp(first, "date") == 0 || strcmp(first, "timestamp") == 0))
        return time_literal(p, at, out);
    if (word && at_op(p, "(")) return strcmp(first, "cast") == 0 ? cast(p, at, out) : call(p, first, at, out);
    e = node(p, SQL_COLUMN, at);
    if (e == NULL) return failure(p);
    e->name = first;
    if (at_op(p, ".")) {
        st = advance(p);
        if (st != ST_OK) return st;
        e->qualifier = first;
        if (at_op(p, "*")) e->kind = SQL_STAR;
        else if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED) return expected(p, "a column name");
        e->name = e->kind == SQL_STAR ? NULL : p->t.text;
        st = advance(p);
    }
    return st == ST_OK ? finish(p, e, &none, out) : st;
}

static enum status primary(struct parser *p, struct sql_node **out)
{
    uint32_t at = p->t.at;
    struct value v;
    enum status st;

    switch (p->t.kind) {
    case TOKEN_NUMBER:
        st = number_value(p, &v);
        return st == ST_OK ? literal(p, v, at, out) : st;
    case TOKEN_TEXT: return literal(p, v_text(p->t.text, p->t.len), at, out);
    case TOKEN_QUOTED: return name_expr(p, out);
    case TOKEN_WORD:
        if (at_word(p, "null")) return literal(p, v_null(), at, out);
        if (at_word(p, "true") || at_word(p, "false")) return literal(p, v_bool(at_word(p, "true")), at, out);
        if (at_word(p, "case")) {
            st = advance(p);
            return st == ST_OK ? case_expr(p, at, out) : st;
        }
        if (at_word(p, "left") || is_reserved(p->t.text)) return expected(p, "an expression");
        return name_expr(p, out);
    case TOKEN_OP:
        if (at_op(p, "(")) {
            st = advance(p);
            if (st == ST_OK && at_word(p, "select"))
                return refuse(p, ST_UNSUPPORTED, "subqueries are not in this subset");
            if (st == ST_OK) st = parse_expr(p, out);
            return st == ST_OK ? need_op(p, ")", "')'") : st;
        }
        return expected(p, "an expression");
    case TOKEN_END: break;
    }
    return expected(p, "an expression");
}

/* ---- operators, tightest first ---- */

static enum status unary(struct parser *p, struct sql_node **out)
{
    uint32_t at = p->t.at;
    enum status st;

    if (at_op(p, "+") || at_op(p, "-")) {
        bool minus = at_op(p, "-");

        if (++p->depth > SQL_DEPTH_MAX) return refuse(p, ST_LIMIT, "the expression nests too deeply");
        st = advance(p);
        if (st == ST_OK) st = unary(p, out);
        p->depth--;
        return st == ST_OK && minus ? wrap(p, SQL_NEG, at, *out, out) : st;
    }
    return primary(p, out);
}

struct infix { const char *mark; enum sql_op op; };

static enum status infix_level(struct parser *p, const struct infix *ops, size_t n,
                               enum status (*inner)(struct parser *, struct sql_node **),
                               struct sql_node **out)
{
    enum status st = inner(p, out);

    while (st == ST_OK) {
        struct sql_node *right = NULL;
        size_t i = 0;

        while (i < n && !at_op(p, ops[i].mark)) i++;
        if (i == n) break;
        st = advance(p);
        if (st == ST_OK) st = inner(p, &right);
        if (st == ST_OK) st = combine(p, ops[i].op, *out, right, out);
    }
    return st;
}

static enum status product(struct parser *p, struct sql_node **out)
{
    static const struct infix ops[] = {{"*", SQL_MUL}, {"/", SQL_DIV}, {"%", SQL_MOD}};

    return infix_level(p, ops, ARRAY_LEN(ops), unary, out);
}

static enum status sum(struct parser *p, struct sql_node **out)
{
    static const struct infix ops[] = {{"+", SQL_ADD}, {"-", SQL_SUB}, {"||", SQL_CONCAT}};

    return infix_level(p, ops, ARRAY_LEN(ops), product, out);
}

/* BETWEEN, IN, LIKE: after the optional NOT.                                                       */
static enum status range_test(struct parser *p, struct sql_node *left, bool negated, struct sql_node **out)
{
    enum sql_kind kind = at_word(p, "between") ? SQL_BETWEEN : at_word(p, "in") ? SQL_IN : SQL_LIKE;
    struct sql_node *e = node(p, kind, left->at), *arg = NULL;
    struct list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->op = at_word(p, "ilike") ? SQL_ILIKE : SQL_LIKE_CASE;
    e->negated = negated;
    st = list_add(p, &args, left);
    if (st == ST_OK) st = advance(p);
    if (kind == SQL_IN) {
        if (st == ST_OK) st = need_op(p, "(", "'('");
        if (st == ST_OK && at_word(p, "select"))
            return refuse(p, ST_UNSUPPORTED, "subqueries are not in this subset");
        do {
            if (st == ST_OK && args.n > 1) st = advance(p);
            if (st == ST_OK) st = parse_expr(p, &arg);
            if (st == ST_OK) st = list_add(p, &args, arg);
        } while (st == ST_OK && at_op(p, ","));
        if (st == ST_OK) st = need_op(p, ")", "')'");
        return st == ST_OK ? finish(p, e, &args, out) : st;
    }
    if (st == ST_OK) st = sum(p, &arg);
    if (st == ST_OK) st = list_add(p, &args, arg);
    if (st == ST_OK && kind == SQL_BETWEEN) {
        st = need_word(p, "and", "AND");
        if (st == ST_OK) st = sum(p, &arg);
        if (st == ST_OK) st = list_add(p, &args, arg);
    }
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static enum status is_test(struct parser *p, struct sql_node **out)
{
    bool negated;
    uint32_t at = (*out)->at;
    enum status st = advance(p);

    if (st == ST_OK) st = take_word(p, "not", &negated);
    if (st == ST_OK) st = need_word(p, "null", "NULL");
    return st == ST_OK ? wrap(p, negated ? SQL_IS_NOT_NULL : SQL_IS_NULL, at, *out, out) : st;
}

static enum status comparison(struct parser *p, struct sql_node **out)
{
    static const struct infix ops[] = {{"=", SQL_EQ}, {"==", SQL_EQ}, {"<>", SQL_NE}, {"!=", SQL_NE},
                                       {"<", SQL_LT}, {"<=", SQL_LE}, {">", SQL_GT}, {">=", SQL_GE}};
    enum status st = infix_level(p, ops, ARRAY_LEN(ops), sum, out);

    while (st == ST_OK) {
        bool negated = false;

        if (at_word(p, "is")) {
            st = is_test(p, out);
            continue;
        }
        st = take_word(p, "not", &negated);
        if (st != ST_OK) break;
        if (at_word(p, "between") || at_word(p, "in") || at_word(p, "like") || at_word(p, "ilike"))
            st = range_test(p, *out, negated, out);
        else if (negated) st = expected(p, "BETWEEN, IN or LIKE");
        else break;
    }
    return st;
}

static enum status negation(struct parser *p, struct sql_node **out)
{
    uint32_t at = p->t.at;
    bool taken;
    enum status st;

    if (p->depth + 1 > SQL_DEPTH_MAX) return refuse(p, ST_LIMIT, "the expression nests too deeply");
    st = take_word(p, "not", &taken);
    if (st != ST_OK || !taken) return st == ST_OK ? comparison(p, out) : st;
    p->depth++;
    st = negation(p, out);
    p->depth--;
    return st == ST_OK ? wrap(p, SQL_NOT, at, *out, out) : st;
}

static enum status word_level(struct parser *p, const char *word, enum sql_op op,
                              enum status (*inner)(struct parser *, struct sql_node **), struct sql_node **out)
{
    enum status st = inner(p, out);
    bool taken = true;

    while (st == ST_OK) {
        struct sql_node *right = NULL;

        st = take_word(p, word, &taken);
        if (st != ST_OK || !taken) break;
        st = inner(p, &right);
        if (st == ST_OK) st = combine(p, op, *out, right, out);
    }
    return st;
}

static enum status conjunction(struct parser *p, struct sql_node **out)
{
    return word_level(p, "and", SQL_AND, negation, out);
}

static enum status parse_expr(struct parser *p, struct sql_node **out)
{
    enum status st;

    if (++p->depth > SQL_DEPTH_MAX) return refuse(p, ST_LIMIT, "the expression nests too deeply");
    st = word_level(p, "or", SQL_OR, conjunction, out);
    p->depth--;
    return st;
}

/* ---- clauses ---- */

static enum status number_arg(struct parser *p, uint64_t *out)
{
    int64_t v;

    if (p->t.kind != TOKEN_NUMBER || int_parse(p->t.text, p->t.len, &v) != ST_OK)
        return expected(p, "a whole number");
    *out = (uint64_t)v;
    return advance(p);
}

/* After AS OF.                                                                                     */
static enum status moment(struct parser *p, struct sql_moment *m)
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
static bool at_as_of(const struct parser *p)
{
    struct sql_lexer ahead = p->lex;
    struct sql_token t;

    if (!at_word(p, "as")) return false;
    return sql_next_token(&ahead, &t, NULL) == ST_OK && t.kind == TOKEN_WORD && strcmp(t.text, "of") == 0;
}

static enum status as_of(struct parser *p, struct sql_moment *m)
{
    enum status st = advance(p); /* AS */

    if (st == ST_OK) st = advance(p); /* OF */
    return st == ST_OK ? moment(p, m) : st;
}

/* [AS] name; *out stays NULL when there is none.                                                   */
static enum status alias(struct parser *p, const char **out)
{
    bool as = false;
    enum status st = ST_OK;

    *out = NULL;
    if (at_as_of(p)) return ST_OK;
    st = take_word(p, "as", &as);
    if (st != ST_OK) return st;
    if (p->t.kind == TOKEN_QUOTED || (p->t.kind == TOKEN_WORD && !is_reserved(p->t.text))) {
        *out = p->t.text;
        return advance(p);
    }
    return as ? expected(p, "a name after AS") : ST_OK;
}

static enum status table_ref(struct parser *p, struct sql_table *t)
{
    const char *name;
    enum status st;

    if (at_op(p, "(")) return refuse(p, ST_UNSUPPORTED, "subqueries are not in this subset");
    if (p->t.kind != TOKEN_QUOTED && (p->t.kind != TOKEN_WORD || is_reserved(p->t.text)))
        return expected(p, "a table name");
    t->name = t->alias = p->t.text;
    t->at = p->t.at;
    st = advance(p);
    if (st == ST_OK && at_as_of(p)) st = as_of(p, &t->as_of);
    if (st == ST_OK) st = alias(p, &name);
    if (st == ST_OK && name != NULL) t->alias = name;
    return st;
}

static enum status joins(struct parser *p, struct sql_select *s)
{
    struct list list = {0};
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
        if (st == ST_OK) st = parse_expr(p, &j->on);
        if (st == ST_OK) st = list_add(p, &list, j);
    }
    if (st != ST_OK || list.n == 0) return st;
    s->joins = arena_alloc(p->a, (size_t)list.n * sizeof *s->joins);
    if (s->joins == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
    for (int i = 0; i < list.n; i++) s->joins[i] = *(struct sql_join *)list.items[i];
    s->n_joins = list.n;
    return ST_OK;
}

static enum status items(struct parser *p, struct sql_select *s)
{
    struct list list = {0};
    enum status st = ST_OK;

    do {
        struct sql_item *item = arena_zalloc(p->a, sizeof *item);

        if (item == NULL) return refuse(p, ST_NOMEM, "no memory for the statement");
        if (list.n > 0) st = advance(p);
        if (st == ST_OK && at_op(p, "*")) {
            item->expr = node(p, SQL_STAR, p->t.at);
            if (item->expr == NULL) return failure(p);
            st = advance(p);
            item->expr->end = p->last_end;
        } else if (st == ST_OK) {
            st = parse_expr(p, &item->expr);
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

static enum status group_by(struct parser *p, struct sql_select *s)
{
    struct list list = {0};
    bool taken;
    enum status st = take_word(p, "group", &taken);

    if (st != ST_OK || !taken) return st;
    st = need_word(p, "by", "BY");
    do {
        struct sql_node *e = NULL;

        if (st == ST_OK && list.n > 0) st = advance(p);
        if (st == ST_OK) st = parse_expr(p, &e);
        if (st == ST_OK) st = list_add(p, &list, e);
    } while (st == ST_OK && at_op(p, ","));
    s->group = (struct sql_node **)list.items;
    s->n_group = list.n;
    return st;
}

static enum status order_item(struct parser *p, struct sql_order *o)
{
    bool taken;
    enum status st = parse_expr(p, &o->expr);

    if (st == ST_OK) st = take_word(p, "desc", &o->descending);
    if (st == ST_OK && !o->descending) st = take_word(p, "asc", &taken);
    o->nulls_first = o->descending; /* nulls are largest unless said otherwise */
    if (st == ST_OK) st = take_word(p, "nulls", &taken);
    if (st != ST_OK || !taken) return st;
    o->nulls_first = at_word(p, "first");
    if (!o->nulls_first && !at_word(p, "last")) return expected(p, "FIRST or LAST");
    return advance(p);
}

static enum status order_by(struct parser *p, struct sql_select *s)
{
    struct list list = {0};
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

static enum status tail_clauses(struct parser *p, struct sql_select *s)
{
    bool taken;
    enum status st = take_word(p, "where", &taken);

    if (st == ST_OK && taken) st = parse_expr(p, &s->where);
    if (st == ST_OK) st = group_by(p, s);
    if (st == ST_OK) st = take_word(p, "having", &taken);
    if (st == ST_OK && taken) st = parse_expr(p, &s->having);
    if (st == ST_OK) st = order_by(p, s);
    if (st == ST_OK) st = take_word(p, "limit", &taken);
    if (st == ST_OK && taken) st = number_arg(p, &s->limit);
    if (st == ST_OK) st = take_word(p, "offset", &taken);
    if (st == ST_OK && taken) st = number_arg(p, &s->offset);
    if (st == ST_OK && at_as_of(p)) st = as_of(p, &s->as_of);
    return st;
}

static enum status statement(struct parser *p, struct sql_select *s)
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
    struct parser p = {.lex = {.text = text, .n = n, .a = a}, .a = a, .f = f != NULL ? f : &local};
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
