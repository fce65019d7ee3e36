/* columnar_sql_parse_expr - expressions, recursive descent, one function a level of the grammar in sql_ast.h. */
#include "columnar/sql/sql_parser.h"

struct columnar_sql_node *columnar_sql_node_new(struct columnar_sql_parser *p,
                                                enum columnar_sql_kind kind, uint32_t at)
{
    struct columnar_sql_node *e;

    if (++p->nodes > COLUMNAR_SQL_NODES_MAX) {
        refuse(p, SEAM_LIMIT, "the statement is too large");
        return NULL;
    }
    e = seam_arena_zalloc(p->a, sizeof *e);
    if (e == NULL) {
        refuse(p, SEAM_NOMEM, "no memory for the statement");
        return NULL;
    }
    e->kind = kind;
    e->at = at;
    return e;
}

static enum seam_status finish(struct columnar_sql_parser *p, struct columnar_sql_node *e,
                               struct columnar_sql_list *args, struct columnar_sql_node **out)
{
    e->args = (struct columnar_sql_node **)args->items;
    e->n_args = args->n;
    e->end = p->last_end;
    *out = e;
    return SEAM_OK;
}

static enum seam_status combine(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                struct columnar_sql_node *left, struct columnar_sql_node *right,
                                struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_BINARY, left->at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, left);
    if (st == SEAM_OK) st = list_add(p, &args, right);
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

static enum seam_status wrap(struct columnar_sql_parser *p, enum columnar_sql_op op, uint32_t at,
                             struct columnar_sql_node *inner, struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_UNARY, at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = op;
    st = list_add(p, &args, inner);
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

/* ---- primaries ---- */

/* A number with a point is an exact decimal when 18 digits hold it; with an exponent it is a double. */
static enum seam_status number_value(struct columnar_sql_parser *p, struct seam_value *v)
{
    const char *s = p->t.text, *point = memchr(s, '.', p->t.len);
    bool exponent = memchr(s, 'e', p->t.len) != NULL || memchr(s, 'E', p->t.len) != NULL;
    int64_t i;

    if (!exponent && point == NULL) {
        if (seam_int_parse(s, p->t.len, &i) != SEAM_OK)
            return refuse(p, SEAM_LIMIT, "the number is too large");
        *v = seam_v_int(i);
        return SEAM_OK;
    }
    if (!exponent) {
        size_t scale = p->t.len - (size_t)(point - s) - 1;

        if (scale <= SEAM_DECIMAL_SCALE_MAX &&
            seam_decimal_parse(s, p->t.len, (unsigned)scale, &i) == SEAM_OK) {
            *v = seam_v_decimal(i, (uint8_t)scale);
            return SEAM_OK;
        }
    }
    *v = seam_v_double(0);
    return seam_double_parse(s, p->t.len, &v->d) == SEAM_OK
               ? SEAM_OK
               : refuse(p, SEAM_INVALID, "not a number");
}

static enum seam_status literal(struct columnar_sql_parser *p, struct seam_value v, uint32_t at,
                                struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_LITERAL, at);
    struct columnar_sql_list none = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->value = v;
    st = advance(p);
    return st == SEAM_OK ? finish(p, e, &none, out) : st;
}

/* DATE 'x' and TIMESTAMP 'x'; the word has been taken, the text is next.                            */
static enum seam_status time_literal(struct columnar_sql_parser *p, uint32_t at,
                                     struct columnar_sql_node **out)
{
    int64_t us;

    if (seam_time_parse(p->t.text, p->t.len, &us) != SEAM_OK)
        return refuse(p, SEAM_INVALID, "not a time: '2011-12-09' or '2011-12-09 12:50:00'");
    return literal(p, seam_v_time(us), at, out);
}

static enum seam_status type_name(struct columnar_sql_parser *p, enum seam_value_type *type,
                                  uint8_t *scale)
{
    static const struct {
        const char *name;
        enum seam_value_type type;
    } names[] = {{"int", SEAM_V_INT},     {"integer", SEAM_V_INT},     {"bigint", SEAM_V_INT},
                 {"int64", SEAM_V_INT},   {"double", SEAM_V_DOUBLE},   {"float", SEAM_V_DOUBLE},
                 {"real", SEAM_V_DOUBLE}, {"decimal", SEAM_V_DECIMAL}, {"numeric", SEAM_V_DECIMAL},
                 {"bool", SEAM_V_BOOL},   {"boolean", SEAM_V_BOOL},    {"timestamp", SEAM_V_TIME},
                 {"date", SEAM_V_TIME},   {"text", SEAM_V_TEXT},       {"varchar", SEAM_V_TEXT},
                 {"string", SEAM_V_TEXT}};
    int64_t digits;
    enum seam_status st;

    *scale = 0;
    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++) {
        if (!at_word(p, names[i].name)) continue;
        *type = names[i].type;
        st = advance(p);
        if (st != SEAM_OK || *type != SEAM_V_DECIMAL || !at_op(p, "(")) return st;
        /* decimal(scale) or decimal(precision, scale) */
        do {
            st = advance(p);
            if (st != SEAM_OK) return st;
            if (p->t.kind != TOKEN_NUMBER ||
                seam_int_parse(p->t.text, p->t.len, &digits) != SEAM_OK ||
                digits > SEAM_DECIMAL_SCALE_MAX)
                return refuse(p, SEAM_INVALID, "a scale of 0 to 18 expected");
            *scale = (uint8_t)digits;
            st = advance(p);
        } while (st == SEAM_OK && at_op(p, ","));
        return st == SEAM_OK ? need_op(p, ")", "')'") : st;
    }
    return expected(p, "a type (int, double, decimal(s), bool, timestamp, text)");
}

static enum seam_status cast(struct columnar_sql_parser *p, uint32_t at,
                             struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CAST, at), *inner = NULL;
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    st = need_op(p, "(", "'('");
    if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &inner);
    if (st == SEAM_OK) st = list_add(p, &args, inner);
    if (st == SEAM_OK) st = need_word(p, "as", "AS");
    if (st == SEAM_OK) st = type_name(p, &e->type, &e->scale);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

/* CASE x WHEN 1 is written out as CASE WHEN x = 1.                                                 */
static enum seam_status case_expr(struct columnar_sql_parser *p, uint32_t at,
                                  struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CASE, at), *subject = NULL,
                             *when = NULL, *then = NULL;
    struct columnar_sql_list args = {0};
    bool more = false;
    enum seam_status st = SEAM_OK;

    if (e == NULL) return failure(p);
    if (!at_word(p, "when")) st = columnar_sql_parse_expr(p, &subject);
    if (st == SEAM_OK && !at_word(p, "when")) st = expected(p, "WHEN");
    while (st == SEAM_OK && (st = take_word(p, "when", &more)) == SEAM_OK && more) {
        st = columnar_sql_parse_expr(p, &when);
        if (st == SEAM_OK && subject != NULL)
            st = combine(p, COLUMNAR_SQL_EQ, subject, when, &when);
        if (st == SEAM_OK) st = need_word(p, "then", "THEN");
        if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &then);
        if (st == SEAM_OK) st = list_add(p, &args, when);
        if (st == SEAM_OK) st = list_add(p, &args, then);
    }
    if (st == SEAM_OK) st = take_word(p, "else", &more);
    if (st == SEAM_OK && more) {
        st = columnar_sql_parse_expr(p, &then);
        if (st == SEAM_OK) st = list_add(p, &args, then);
    }
    if (st == SEAM_OK) st = need_word(p, "end", "END");
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

static enum seam_status call(struct columnar_sql_parser *p, const char *name, uint32_t at,
                             struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CALL, at), *arg = NULL;
    struct columnar_sql_list args = {0};
    bool taken;
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->name = name;
    st = need_op(p, "(", "'('");
    if (st == SEAM_OK && at_op(p, "*")) {
        e->star = true;
        st = advance(p);
        return st == SEAM_OK && (st = need_op(p, ")", "')'")) == SEAM_OK ? finish(p, e, &args, out)
                                                                         : st;
    }
    if (st == SEAM_OK) {
        st = take_word(p, "distinct", &taken);
        e->distinct = taken;
    }
    if (st == SEAM_OK && !at_op(p, ")")) {
        st = columnar_sql_parse_expr(p, &arg);
        if (st == SEAM_OK) st = list_add(p, &args, arg);
        while (st == SEAM_OK && at_op(p, ",")) {
            st = advance(p);
            if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &arg);
            if (st == SEAM_OK) st = list_add(p, &args, arg);
        }
    }
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

bool columnar_sql_is_reserved(const char *word)
{
    static const char *const words[] = {
        "select", "from", "where", "group",    "having", "order", "limit",   "offset", "join",
        "inner",  "left", "right", "full",     "cross",  "on",    "and",     "or",     "not",
        "as",     "by",   "in",    "is",       "like",   "ilike", "between", "case",   "when",
        "then",   "else", "end",   "distinct", "union",  "asc",   "desc",    "nulls"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(words); i++)
        if (strcmp(word, words[i]) == 0) return true;
    return false;
}

/* A name: a column, a qualified column, alias.*, or a function call.                               */
static enum seam_status name_expr(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    const char *first = p->t.text;
    uint32_t at = p->t.at;
    struct columnar_sql_node *e;
    struct columnar_sql_list none = {0};
    bool word = p->t.kind == TOKEN_WORD;
    enum seam_status st = advance(p);

    if (st != SEAM_OK) return st;
    if (word && p->t.kind == TOKEN_TEXT &&
        (strcmp(first, "date") == 0 || strcmp(first, "timestamp") == 0))
        return time_literal(p, at, out);
    if (word && at_op(p, "("))
        return strcmp(first, "cast") == 0 ? cast(p, at, out) : call(p, first, at, out);
    e = columnar_sql_node_new(p, COLUMNAR_SQL_COLUMN, at);
    if (e == NULL) return failure(p);
    e->name = first;
    if (at_op(p, ".")) {
        st = advance(p);
        if (st != SEAM_OK) return st;
        e->qualifier = first;
        if (at_op(p, "*"))
            e->kind = COLUMNAR_SQL_STAR;
        else if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_QUOTED)
            return expected(p, "a column name");
        e->name = e->kind == COLUMNAR_SQL_STAR ? NULL : p->t.text;
        st = advance(p);
    }
    return st == SEAM_OK ? finish(p, e, &none, out) : st;
}

static enum seam_status primary(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    struct seam_value v;
    enum seam_status st;

    switch (p->t.kind) {
    case TOKEN_NUMBER: st = number_value(p, &v); return st == SEAM_OK ? literal(p, v, at, out) : st;
    case TOKEN_TEXT: return literal(p, seam_v_text(p->t.text, p->t.len), at, out);
    case TOKEN_QUOTED: return name_expr(p, out);
    case TOKEN_WORD:
        if (at_word(p, "null")) return literal(p, seam_v_null(), at, out);
        if (at_word(p, "true") || at_word(p, "false"))
            return literal(p, seam_v_bool(at_word(p, "true")), at, out);
        if (at_word(p, "case")) {
            st = advance(p);
            return st == SEAM_OK ? case_expr(p, at, out) : st;
        }
        if (at_word(p, "left") || columnar_sql_is_reserved(p->t.text))
            return expected(p, "an expression");
        return name_expr(p, out);
    case TOKEN_OP:
        if (at_op(p, "(")) {
            st = advance(p);
            if (st == SEAM_OK && at_word(p, "select"))
                return refuse(p, SEAM_UNSUPPORTED, "subqueries are not in this subset");
            if (st == SEAM_OK) st = columnar_sql_parse_expr(p, out);
            return st == SEAM_OK ? need_op(p, ")", "')'") : st;
        }
        return expected(p, "an expression");
    case TOKEN_END: break;
    }
    return expected(p, "an expression");
}

/* ---- operators, tightest first ---- */

static enum seam_status unary(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    enum seam_status st;

    if (at_op(p, "+") || at_op(p, "-")) {
        bool minus = at_op(p, "-");

        if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
            return refuse(p, SEAM_LIMIT, "the expression nests too deeply");
        st = advance(p);
        if (st == SEAM_OK) st = unary(p, out);
        p->depth--;
        return st == SEAM_OK && minus ? wrap(p, COLUMNAR_SQL_NEG, at, *out, out) : st;
    }
    return primary(p, out);
}

struct infix {
    const char *mark;
    enum columnar_sql_op op;
};

static enum seam_status
infix_level(struct columnar_sql_parser *p, const struct infix *ops, size_t n,
            enum seam_status (*inner)(struct columnar_sql_parser *, struct columnar_sql_node **),
            struct columnar_sql_node **out)
{
    enum seam_status st = inner(p, out);

    while (st == SEAM_OK) {
        struct columnar_sql_node *right = NULL;
        size_t i = 0;

        while (i < n && !at_op(p, ops[i].mark)) i++;
        if (i == n) break;
        st = advance(p);
        if (st == SEAM_OK) st = inner(p, &right);
        if (st == SEAM_OK) st = combine(p, ops[i].op, *out, right, out);
    }
    return st;
}

static enum seam_status product(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    static const struct infix ops[] = {
        {"*", COLUMNAR_SQL_MUL}, {"/", COLUMNAR_SQL_DIV}, {"%", COLUMNAR_SQL_MOD}};

    return infix_level(p, ops, SEAM_ARRAY_LEN(ops), unary, out);
}

static enum seam_status sum(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    static const struct infix ops[] = {
        {"+", COLUMNAR_SQL_ADD}, {"-", COLUMNAR_SQL_SUB}, {"||", COLUMNAR_SQL_CONCAT}};

    return infix_level(p, ops, SEAM_ARRAY_LEN(ops), product, out);
}

/* BETWEEN, IN, LIKE: after the optional NOT.                                                       */
static enum seam_status range_test(struct columnar_sql_parser *p, struct columnar_sql_node *left,
                                   bool negated, struct columnar_sql_node **out)
{
    enum columnar_sql_kind kind = at_word(p, "between") ? COLUMNAR_SQL_BETWEEN
                                  : at_word(p, "in")    ? COLUMNAR_SQL_IN
                                                        : COLUMNAR_SQL_LIKE;
    struct columnar_sql_node *e = columnar_sql_node_new(p, kind, left->at), *arg = NULL;
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = at_word(p, "ilike") ? COLUMNAR_SQL_ILIKE : COLUMNAR_SQL_LIKE_CASE;
    e->negated = negated;
    st = list_add(p, &args, left);
    if (st == SEAM_OK) st = advance(p);
    if (kind == COLUMNAR_SQL_IN) {
        if (st == SEAM_OK) st = need_op(p, "(", "'('");
        if (st == SEAM_OK && at_word(p, "select"))
            return refuse(p, SEAM_UNSUPPORTED, "subqueries are not in this subset");
        do {
            if (st == SEAM_OK && args.n > 1) st = advance(p);
            if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &arg);
            if (st == SEAM_OK) st = list_add(p, &args, arg);
        } while (st == SEAM_OK && at_op(p, ","));
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
        return st == SEAM_OK ? finish(p, e, &args, out) : st;
    }
    if (st == SEAM_OK) st = sum(p, &arg);
    if (st == SEAM_OK) st = list_add(p, &args, arg);
    if (st == SEAM_OK && kind == COLUMNAR_SQL_BETWEEN) {
        st = need_word(p, "and", "AND");
        if (st == SEAM_OK) st = sum(p, &arg);
        if (st == SEAM_OK) st = list_add(p, &args, arg);
    }
    return st == SEAM_OK ? finish(p, e, &args, out) : st;
}

static enum seam_status is_test(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    bool negated;
    uint32_t at = (*out)->at;
    enum seam_status st = advance(p);

    if (st == SEAM_OK) st = take_word(p, "not", &negated);
    if (st == SEAM_OK) st = need_word(p, "null", "NULL");
    return st == SEAM_OK
               ? wrap(p, negated ? COLUMNAR_SQL_IS_NOT_NULL : COLUMNAR_SQL_IS_NULL, at, *out, out)
               : st;
}

static enum seam_status comparison(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    static const struct infix ops[] = {{"=", COLUMNAR_SQL_EQ},  {"==", COLUMNAR_SQL_EQ},
                                       {"<>", COLUMNAR_SQL_NE}, {"!=", COLUMNAR_SQL_NE},
                                       {"<", COLUMNAR_SQL_LT},  {"<=", COLUMNAR_SQL_LE},
                                       {">", COLUMNAR_SQL_GT},  {">=", COLUMNAR_SQL_GE}};
    enum seam_status st = infix_level(p, ops, SEAM_ARRAY_LEN(ops), sum, out);

    while (st == SEAM_OK) {
        bool negated = false;

        if (at_word(p, "is")) {
            st = is_test(p, out);
            continue;
        }
        st = take_word(p, "not", &negated);
        if (st != SEAM_OK) break;
        if (at_word(p, "between") || at_word(p, "in") || at_word(p, "like") || at_word(p, "ilike"))
            st = range_test(p, *out, negated, out);
        else if (negated)
            st = expected(p, "BETWEEN, IN or LIKE");
        else
            break;
    }
    return st;
}

static enum seam_status negation(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    bool taken;
    enum seam_status st;

    if (p->depth + 1 > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the expression nests too deeply");
    st = take_word(p, "not", &taken);
    if (st != SEAM_OK || !taken) return st == SEAM_OK ? comparison(p, out) : st;
    p->depth++;
    st = negation(p, out);
    p->depth--;
    return st == SEAM_OK ? wrap(p, COLUMNAR_SQL_NOT, at, *out, out) : st;
}

static enum seam_status
word_level(struct columnar_sql_parser *p, const char *word, enum columnar_sql_op op,
           enum seam_status (*inner)(struct columnar_sql_parser *, struct columnar_sql_node **),
           struct columnar_sql_node **out)
{
    enum seam_status st = inner(p, out);
    bool taken = true;

    while (st == SEAM_OK) {
        struct columnar_sql_node *right = NULL;

        st = take_word(p, word, &taken);
        if (st != SEAM_OK || !taken) break;
        st = inner(p, &right);
        if (st == SEAM_OK) st = combine(p, op, *out, right, out);
    }
    return st;
}

static enum seam_status conjunction(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    return word_level(p, "and", COLUMNAR_SQL_AND, negation, out);
}

enum seam_status columnar_sql_parse_expr(struct columnar_sql_parser *p,
                                         struct columnar_sql_node **out)
{
    enum seam_status st;

    if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the expression nests too deeply");
    st = word_level(p, "or", COLUMNAR_SQL_OR, conjunction, out);
    p->depth--;
    return st;
}
