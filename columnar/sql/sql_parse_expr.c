/* columnar_sql_parse_expr - expressions, recursive descent, one function a level of the grammar in sql_ast.h. */
#include <stdio.h>

#include "columnar/sql/sql_parser.h"

/* ---- primaries ---- */

/* The digits that matter: zeros at the end of the fraction go where the number does not fit with them. */
static size_t without_last_zeros(const char *s, size_t n)
{
    while (n > 0 && s[n - 1] == '0') n--;
    return n;
}

/* A number with an exponent is a double. Others are exact: whole, or a decimal; what 64 bits and 18 places cannot
 * hold is refused rather than rounded. */
static enum seam_status number_value(struct columnar_sql_parser *p, bool negative,
                                     struct seam_value *v)
{
    const char *s = p->t.text, *point = memchr(s, '.', p->t.len);
    size_t n = p->t.len, whole = point == NULL ? n : (size_t)(point - s);
    char digits[80];
    int64_t i;

    if (memchr(s, 'e', n) != NULL || memchr(s, 'E', n) != NULL) {
        *v = seam_v_double(0);
        return seam_double_parse(s, n, &v->d) == SEAM_OK ? SEAM_OK
                                                         : refuse(p, SEAM_INVALID, "not a number");
    }
    for (; whole > 1 && *s == '0'; s++, n--) whole--;
    for (int tight = 0; tight < 2; tight++) {
        size_t scale = point == NULL ? 0 : n - whole - 1;

        if (n + 2 < sizeof digits && scale <= SEAM_DECIMAL_SCALE_MAX) {
            int size = snprintf(digits, sizeof digits, "%s%.*s", negative ? "-" : "", (int)n, s);

            if (seam_decimal_parse(digits, (size_t)size, (unsigned)scale, &i) == SEAM_OK) {
                *v = point == NULL ? seam_v_int(i) : seam_v_decimal(i, (uint8_t)scale);
                return SEAM_OK;
            }
        }
        if (point != NULL) n = without_last_zeros(s, n);
    }
    return refuse(
        p, SEAM_LIMIT,
        "the number is too large or too fine for an exact value (64 bits, 18 places); with "
        "an exponent (e0) it is a double");
}

/* A name: a column, a qualified column, alias.*, or a function call.                               */
static enum seam_status name_expr(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    const char *first = p->t.text;
    uint32_t at = p->t.at;
    struct columnar_sql_node *e;
    struct columnar_sql_list none = {0};
    enum seam_status st = advance(p);

    if (st != SEAM_OK) return st;
    if (at_op(p, "(")) return columnar_sql_parse_call(p, first, at, columnar_sql_parse_expr, out);
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
    return st == SEAM_OK ? columnar_sql_finish(p, e, &none, out) : st;
}

/* (query), (expr), or (expr, expr, ...). */
static enum seam_status in_parens(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    struct columnar_sql_node *e;
    struct columnar_sql_list args = {0};
    enum seam_status st = advance(p);

    if (st != SEAM_OK) return st;
    if (at_word(p, "select") || at_word(p, "with") || at_word(p, "values")) {
        e = columnar_sql_node_new(p, COLUMNAR_SQL_SUBQUERY, at);
        if (e == NULL) return failure(p);
        st = p->query(p, &e->select);
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
        return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
    }
    st = columnar_sql_parse_expr(p, out);
    if (st != SEAM_OK || !at_op(p, ",")) return st == SEAM_OK ? need_op(p, ")", "')'") : st;
    e = columnar_sql_node_new(p, COLUMNAR_SQL_ROW, at);
    if (e == NULL) return failure(p);
    st = list_add(p, &args, *out);
    while (st == SEAM_OK && at_op(p, ",")) {
        st = advance(p);
        if (st == SEAM_OK) st = columnar_sql_parse_expr(p, out);
        if (st == SEAM_OK) st = list_add(p, &args, *out);
    }
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

/* LEFT(s, 2) and RIGHT(s, 2) are functions although the words are the grammar's. */
static bool at_side_function(const struct columnar_sql_parser *p)
{
    struct columnar_sql_token next;

    return (at_word(p, "left") || at_word(p, "right")) && columnar_sql_peek(p, &next) &&
           next.kind == TOKEN_OP && strcmp(next.op, "(") == 0;
}

static enum seam_status primary(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    struct seam_value v;
    enum seam_status st;

    switch (p->t.kind) {
    case TOKEN_NUMBER:
        st = number_value(p, false, &v);
        return st == SEAM_OK ? columnar_sql_parse_literal(p, v, at, out) : st;
    case TOKEN_TEXT:
        return columnar_sql_parse_literal(p, seam_v_text(p->t.text, p->t.len), at, out);
    case TOKEN_QUOTED: return name_expr(p, out);
    case TOKEN_WORD:
        if (at_word(p, "null")) return columnar_sql_parse_literal(p, seam_v_null(), at, out);
        if (at_word(p, "true") || at_word(p, "false"))
            return columnar_sql_parse_literal(p, seam_v_bool(at_word(p, "true")), at, out);
        st = columnar_sql_parse_form(p, columnar_sql_parse_expr, out);
        if (st != SEAM_END) return st;
        if (!at_side_function(p) && columnar_sql_is_reserved(p->t.text))
            return expected(p, "an expression");
        return name_expr(p, out);
    case TOKEN_OP: return at_op(p, "(") ? in_parens(p, out) : expected(p, "an expression");
    case TOKEN_END: break;
    }
    return expected(p, "an expression");
}

/* x::type, as often as it is written. */
static enum seam_status casted(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    enum seam_status st = primary(p, out);

    while (st == SEAM_OK && at_op(p, "::")) {
        struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_CAST, (*out)->at);
        struct columnar_sql_list args = {0};

        if (e == NULL) return failure(p);
        st = list_add(p, &args, *out);
        if (st == SEAM_OK) st = advance(p);
        if (st == SEAM_OK) st = columnar_sql_parse_type(p, e);
        if (st == SEAM_OK) st = columnar_sql_finish(p, e, &args, out);
    }
    return st;
}

/* ---- operators, tightest first ---- */

/* A number that only exists with a minus before it: the digits of 2^63, wherever the point stands. */
static bool lowest_int(const struct columnar_sql_parser *p)
{
    static const char lowest[] = "9223372036854775808";
    size_t at = 0;

    if (p->t.kind != TOKEN_NUMBER) return false;
    for (size_t i = 0; i < p->t.len; i++) {
        if (p->t.text[i] == '.' || (at == 0 && p->t.text[i] == '0')) continue;
        if (at == sizeof lowest - 1 || p->t.text[i] != lowest[at++]) return false;
    }
    return at == sizeof lowest - 1;
}

static enum seam_status unary(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    uint32_t at = p->t.at;
    enum seam_status st;

    if (at_op(p, "+") || at_op(p, "-")) {
        bool minus = at_op(p, "-");

        if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
            return refuse(p, SEAM_LIMIT, "the expression nests too deeply");
        st = advance(p);
        if (st == SEAM_OK && minus && lowest_int(p)) { /* it has no positive counterpart */
            struct seam_value v;

            p->depth--;
            st = number_value(p, true, &v);
            return st == SEAM_OK ? columnar_sql_parse_literal(p, v, at, out) : st;
        }
        if (st == SEAM_OK) st = unary(p, out);
        p->depth--;
        return st == SEAM_OK && minus ? columnar_sql_wrap(p, COLUMNAR_SQL_NEG, at, *out, out) : st;
    }
    return casted(p, out);
}

/* After a comparison's mark: ANY (query), ALL (query). */
static enum seam_status quantified(struct columnar_sql_parser *p, enum columnar_sql_op op,
                                   struct columnar_sql_node **out)
{
    struct columnar_sql_node *e = columnar_sql_node_new(p, COLUMNAR_SQL_ANY, (*out)->at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (e == NULL) return failure(p);
    e->op = op;
    e->star = at_word(p, "all");
    st = list_add(p, &args, *out);
    if (st == SEAM_OK) st = advance(p);
    if (st == SEAM_OK) st = need_op(p, "(", "'('");
    if (st == SEAM_OK && !at_word(p, "select") && !at_word(p, "with") && !at_word(p, "values"))
        return refuse(p, SEAM_UNSUPPORTED, "ANY and ALL take a query in this dialect");
    if (st == SEAM_OK) st = p->query(p, &e->select);
    if (st == SEAM_OK) st = need_op(p, ")", "')'");
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

static bool at_quantifier(const struct columnar_sql_parser *p)
{
    struct columnar_sql_token next;

    return (at_word(p, "any") || at_word(p, "some") || at_word(p, "all")) &&
           columnar_sql_peek(p, &next) && next.kind == TOKEN_OP && strcmp(next.op, "(") == 0;
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
        if (st == SEAM_OK && ops[i].op >= COLUMNAR_SQL_EQ && ops[i].op <= COLUMNAR_SQL_GE &&
            at_quantifier(p)) {
            st = quantified(p, ops[i].op, out);
            continue;
        }
        if (st == SEAM_OK) st = inner(p, &right);
        if (st == SEAM_OK) st = columnar_sql_combine(p, ops[i].op, *out, right, out);
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
        if (st == SEAM_OK && (at_word(p, "select") || at_word(p, "with") || at_word(p, "values"))) {
            e->kind = COLUMNAR_SQL_IN_QUERY;
            st = p->query(p, &e->select);
            if (st == SEAM_OK) st = need_op(p, ")", "')'");
            return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
        }
        do {
            if (st == SEAM_OK && args.n > 1) st = advance(p);
            if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &arg);
            if (st == SEAM_OK) st = list_add(p, &args, arg);
        } while (st == SEAM_OK && at_op(p, ","));
        if (st == SEAM_OK) st = need_op(p, ")", "')'");
        return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
    }
    if (st == SEAM_OK) st = sum(p, &arg);
    if (st == SEAM_OK) st = list_add(p, &args, arg);
    if (st == SEAM_OK && kind == COLUMNAR_SQL_LIKE && at_word(p, "escape")) {
        st = advance(p);
        if (st == SEAM_OK) st = sum(p, &arg);
        if (st == SEAM_OK) st = list_add(p, &args, arg);
    }
    if (st == SEAM_OK && kind == COLUMNAR_SQL_BETWEEN) {
        st = need_word(p, "and", "AND");
        if (st == SEAM_OK) st = sum(p, &arg);
        if (st == SEAM_OK) st = list_add(p, &args, arg);
    }
    return st == SEAM_OK ? columnar_sql_finish(p, e, &args, out) : st;
}

/* coalesce(e, value) */
static enum seam_status or_else(struct columnar_sql_parser *p, struct columnar_sql_node *e,
                                struct columnar_sql_node *other, struct columnar_sql_node **out)
{
    struct columnar_sql_node *call = columnar_sql_node_new(p, COLUMNAR_SQL_CALL, e->at);
    struct columnar_sql_list args = {0};
    enum seam_status st;

    if (call == NULL) return failure(p);
    call->name = "coalesce";
    st = list_add(p, &args, e);
    if (st == SEAM_OK) st = list_add(p, &args, other);
    return st == SEAM_OK ? columnar_sql_finish(p, call, &args, out) : st;
}

/* a IS NOT DISTINCT FROM b is coalesce(a = b, a is null and b is null). */
static enum seam_status distinct_from(struct columnar_sql_parser *p, bool negated,
                                      struct columnar_sql_node **out)
{
    struct columnar_sql_node *a = *out, *b = NULL, *no_a, *no_b, *same;
    uint32_t at = a->at;
    enum seam_status st = need_word(p, "from", "FROM");

    if (st == SEAM_OK) st = p->operand(p, &b);
    if (st == SEAM_OK) st = columnar_sql_combine(p, COLUMNAR_SQL_EQ, a, b, &same);
    if (st == SEAM_OK) st = columnar_sql_wrap(p, COLUMNAR_SQL_IS_NULL, at, a, &no_a);
    if (st == SEAM_OK) st = columnar_sql_wrap(p, COLUMNAR_SQL_IS_NULL, at, b, &no_b);
    if (st == SEAM_OK) st = columnar_sql_combine(p, COLUMNAR_SQL_AND, no_a, no_b, &no_a);
    if (st == SEAM_OK) st = or_else(p, same, no_a, out);
    return st == SEAM_OK && !negated ? columnar_sql_wrap(p, COLUMNAR_SQL_NOT, at, *out, out) : st;
}

/* IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM e. x IS TRUE is coalesce(x, false). */
static enum seam_status is_test(struct columnar_sql_parser *p, struct columnar_sql_node **out)
{
    bool negated, value;
    uint32_t at = (*out)->at;
    struct columnar_sql_node *no, *e = *out;
    enum seam_status st = advance(p);

    if (st == SEAM_OK) st = take_word(p, "not", &negated);
    if (st != SEAM_OK) return st;
    if (at_word(p, "distinct")) {
        st = advance(p);
        return st == SEAM_OK ? distinct_from(p, negated, out) : st;
    }
    if (at_word(p, "true") || at_word(p, "false")) {
        value = at_word(p, "true");
        no = columnar_sql_node_new(p, COLUMNAR_SQL_LITERAL, at);
        if (no == NULL) return failure(p);
        no->value = seam_v_bool(false);
        st = advance(p);
        if (st == SEAM_OK && !value) st = columnar_sql_wrap(p, COLUMNAR_SQL_NOT, at, e, &e);
        if (st == SEAM_OK) st = or_else(p, e, no, out);
        return st == SEAM_OK && negated ? columnar_sql_wrap(p, COLUMNAR_SQL_NOT, at, *out, out)
                                        : st;
    }
    st = at_word(p, "unknown") ? advance(p) : need_word(p, "null", "NULL");
    return st == SEAM_OK
               ? columnar_sql_wrap(p, negated ? COLUMNAR_SQL_IS_NOT_NULL : COLUMNAR_SQL_IS_NULL, at,
                                   *out, out)
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
    return st == SEAM_OK ? columnar_sql_wrap(p, COLUMNAR_SQL_NOT, at, *out, out) : st;
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
        if (st == SEAM_OK) st = columnar_sql_combine(p, op, *out, right, out);
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

    p->operand = sum;
    if (++p->depth > COLUMNAR_SQL_DEPTH_MAX)
        return refuse(p, SEAM_LIMIT, "the expression nests too deeply");
    st = word_level(p, "or", COLUMNAR_SQL_OR, conjunction, out);
    p->depth--;
    return st;
}

enum seam_status columnar_sql_parse_list(struct columnar_sql_parser *p,
                                         struct columnar_sql_list *out)
{
    struct columnar_sql_node *e = NULL;
    enum seam_status st = SEAM_OK;

    do {
        if (out->n > 0) st = advance(p);
        if (st == SEAM_OK) st = columnar_sql_parse_expr(p, &e);
        if (st == SEAM_OK) st = list_add(p, out, e);
    } while (st == SEAM_OK && at_op(p, ","));
    return st;
}
