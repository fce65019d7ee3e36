/* sql_parse_expr - expressions, recursive descent, one function a level of the grammar in sql_ast.h. */
#include "columnar/sql/sql_parser.h"

struct sql_node *sql_node_new(struct sql_parser *p, enum sql_kind kind, uint32_t at)
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

static enum status finish(struct sql_parser *p, struct sql_node *e, struct sql_list *args, struct sql_node **out)
{
    e->args = (struct sql_node **)args->items;
    e->n_args = args->n;
    e->end = p->last_end;
    *out = e;
    return ST_OK;
}

static enum status combine(struct sql_parser *p, enum sql_op op, struct sql_node *left, struct sql_node *right,
                           struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_BINARY, left->at);
    struct sql_list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, left);
    if (st == ST_OK) st = list_add(p, &args, right);
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static enum status wrap(struct sql_parser *p, enum sql_op op, uint32_t at, struct sql_node *inner,
                        struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_UNARY, at);
    struct sql_list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, inner);
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

/* ---- primaries ---- */

/* A number with a point is an exact decimal when 18 digits hold it; with an exponent it is a double. */
static enum status number_value(struct sql_parser *p, struct value *v)
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

static enum status literal(struct sql_parser *p, struct value v, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_LITERAL, at);
    struct sql_list none = {0};
    enum status st;

    if (e == NULL) return failure(p);
    e->value = v;
    st = advance(p);
    return st == ST_OK ? finish(p, e, &none, out) : st;
}

/* DATE 'x' and TIMESTAMP 'x'; the word has been taken, the text is next.                            */
static enum status time_literal(struct sql_parser *p, uint32_t at, struct sql_node **out)
{
    int64_t us;

    if (time_parse(p->t.text, p->t.len, &us) != ST_OK)
        return refuse(p, ST_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return literal(p, v_time(us), at, out);
}

static enum status type_name(struct sql_parser *p, enum value_type *type, uint8_t *scale)
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

static enum status cast(struct sql_parser *p, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_CAST, at), *inner = NULL;
    struct sql_list args = {0};
    enum status st;

    if (e == NULL) return failure(p);
    st = need_op(p, "(", "'('");
    if (st == ST_OK) st = sql_parse_expr(p, &inner);
    if (st == ST_OK) st = list_add(p, &args, inner);
    if (st == ST_OK) st = need_word(p, "as", "AS");
    if (st == ST_OK) st = type_name(p, &e->type, &e->scale);
    if (st == ST_OK) st = need_op(p, ")", "')'");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

/* CASE x WHEN 1 is written out as CASE WHEN x = 1.                                                 */
static enum status case_expr(struct sql_parser *p, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_CASE, at), *subject = NULL, *when = NULL, *then = NULL;
    struct sql_list args = {0};
    bool more = false;
    enum status st = ST_OK;

    if (e == NULL) return failure(p);
    if (!at_word(p, "when")) st = sql_parse_expr(p, &subject);
    if (st == ST_OK && !at_word(p, "when")) st = expected(p, "WHEN");
    while (st == ST_OK && (st = take_word(p, "when", &more)) == ST_OK && more) {
        st = sql_parse_expr(p, &when);
        if (st == ST_OK && subject != NULL) st = combine(p, SQL_EQ, subject, when, &when);
        if (st == ST_OK) st = need_word(p, "then", "THEN");
        if (st == ST_OK) st = sql_parse_expr(p, &then);
        if (st == ST_OK) st = list_add(p, &args, when);
        if (st == ST_OK) st = list_add(p, &args, then);
    }
    if (st == ST_OK) st = take_word(p, "else", &more);
    if (st == ST_OK && more) {
        st = sql_parse_expr(p, &then);
        if (st == ST_OK) st = list_add(p, &args, then);
    }
    if (st == ST_OK) st = need_word(p, "end", "END");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

static enum status call(struct sql_parser *p, const char *name, uint32_t at, struct sql_node **out)
{
    struct sql_node *e = sql_node_new(p, SQL_CALL, at), *arg = NULL;
    struct sql_list args = {0};
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
        st = sql_parse_expr(p, &arg);
        if (st == ST_OK) st = list_add(p, &args, arg);
        while (st == ST_OK && at_op(p, ",")) {
            st = advance(p);
            if (st == ST_OK) st = sql_parse_expr(p, &arg);
            if (st == ST_OK) st = list_add(p, &args, arg);
        }
    }
    if (st == ST_OK) st = need_op(p, ")", "')'");
    return st == ST_OK ? finish(p, e, &args, out) : st;
}

bool sql_is_reserved(const char *word)
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
static enum status name_expr(struct sql_parser *p, struct sql_node **out)
{
    const char *first = p->t.text;
    uint32_t at = p->t.at;
    struct sql_node *e;
    struct sql_list none = {0};
    bool word = p->t.kind == TOKEN_WORD;
    enum status st = advance(p);

    if (st != ST_OK) return st;
    if (word && p->t.kind == TOKEN_TEXT && (strcmp(first, "date") == 0 || strcmp(first, "timestamp") == 0))
        return time_literal(p, at, out);
    if (word && at_op(p, "(")) return strcmp(first, "cast") == 0 ? cast(p, at, out) : call(p, first, at, out);
    e = sql_node_new(p, SQL_COLUMN, at);
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

static enum status primary(struct sql_parser *p, struct sql_node **out)
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
        if (at_word(p, "left") || sql_is_reserved(p->t.text)) return expected(p, "an expression");
        return name_expr(p, out);
    case TOKEN_OP:
        if (at_op(p, "(")) {
            st = advance(p);
            if (st == ST_OK && at_word(p, "select"))
                return refuse(p, ST_UNSUPPORTED, "subqueries are not in this subset");
            if (st == ST_OK) st = sql_parse_expr(p, out);
            return st == ST_OK ? need_op(p, ")", "')'") : st;
        }
        return expected(p, "an expression");
    case TOKEN_END: break;
    }
    return expected(p, "an expression");
}

/* ---- operators, tightest first ---- */

static enum status unary(struct sql_parser *p, struct sql_node **out)
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

static enum status infix_level(struct sql_parser *p, const struct infix *ops, size_t n,
                               enum status (*inner)(struct sql_parser *, struct sql_node **),
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

static enum status product(struct sql_parser *p, struct sql_node **out)
{
    static const struct infix ops[] = {{"*", SQL_MUL}, {"/", SQL_DIV}, {"%", SQL_MOD}};

    return infix_level(p, ops, ARRAY_LEN(ops), unary, out);
}

static enum status sum(struct sql_parser *p, struct sql_node **out)
{
    static const struct infix ops[] = {{"+", SQL_ADD}, {"-", SQL_SUB}, {"||", SQL_CONCAT}};

    return infix_level(p, ops, ARRAY_LEN(ops), product, out);
}

/* BETWEEN, IN, LIKE: after the optional NOT.                                                       */
static enum status range_test(struct sql_parser *p, struct sql_node *left, bool negated, struct sql_node **out)
{
    enum sql_kind kind = at_word(p, "between") ? SQL_BETWEEN : at_word(p, "in") ? SQL_IN : SQL_LIKE;
    struct sql_node *e = sql_node_new(p, kind, left->at), *arg = NULL;
    struct sql_list args = {0};
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
            if (st == ST_OK) st = sql_parse_expr(p, &arg);
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

static enum status is_test(struct sql_parser *p, struct sql_node **out)
{
    bool negated;
    uint32_t at = (*out)->at;
    enum status st = advance(p);

    if (st == ST_OK) st = take_word(p, "not", &negated);
    if (st == ST_OK) st = need_word(p, "null", "NULL");
    return st == ST_OK ? wrap(p, negated ? SQL_IS_NOT_NULL : SQL_IS_NULL, at, *out, out) : st;
}

static enum status comparison(struct sql_parser *p, struct sql_node **out)
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

static enum status negation(struct sql_parser *p, struct sql_node **out)
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

static enum status word_level(struct sql_parser *p, const char *word, enum sql_op op,
                              enum status (*inner)(struct sql_parser *, struct sql_node **), struct sql_node **out)
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

static enum status conjunction(struct sql_parser *p, struct sql_node **out)
{
    return word_level(p, "and", SQL_AND, negation, out);
}

enum status sql_parse_expr(struct sql_parser *p, struct sql_node **out)
{
    enum status st;

    if (++p->depth > SQL_DEPTH_MAX) return refuse(p, ST_LIMIT, "the expression nests too deeply");
    st = word_level(p, "or", SQL_OR, conjunction, out);
    p->depth--;
    return st;
}
