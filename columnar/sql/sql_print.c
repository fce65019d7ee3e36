/* sql_print - expressions back to text, comparison of expressions, and the caret under a mistake. */
#include <string.h>

#include "columnar/sql/sql_ast.h"

static const char *op_text(enum sql_op op)
{
    static const char *const text[] = {
        [SQL_OR] = "or", [SQL_AND] = "and", [SQL_NOT] = "not", [SQL_EQ] = "=", [SQL_NE] = "<>",
        [SQL_LT] = "<", [SQL_LE] = "<=", [SQL_GT] = ">", [SQL_GE] = ">=", [SQL_ADD] = "+",
        [SQL_SUB] = "-", [SQL_CONCAT] = "||", [SQL_MUL] = "*", [SQL_DIV] = "/", [SQL_MOD] = "%",
        [SQL_NEG] = "-", [SQL_IS_NULL] = "is null", [SQL_IS_NOT_NULL] = "is not null",
        [SQL_LIKE_CASE] = "like", [SQL_ILIKE] = "ilike"};

    return text[op];
}

static void print_literal(const struct value *v, struct buf *out)
{
    switch (v->type) {
    case V_NULL: buf_str(out, "null"); break;
    case V_BOOL: buf_str(out, v->i ? "true" : "false"); break;
    case V_TIME:
        buf_str(out, "timestamp '");
        value_format(v, out);
        buf_u8(out, '\'');
        break;
    case V_TEXT:
        buf_u8(out, '\'');
        for (uint32_t i = 0; i < v->len; i++) {
            if (v->s[i] == '\'') buf_u8(out, '\'');
            buf_u8(out, (uint8_t)v->s[i]);
        }
        buf_u8(out, '\'');
        break;
    default: value_format(v, out);
    }
}

static void print_operand(const struct sql_node *e, struct buf *out)
{
    bool bare = e->kind == SQL_LITERAL || e->kind == SQL_COLUMN || e->kind == SQL_CALL || e->kind == SQL_CASE ||
                e->kind == SQL_CAST || e->kind == SQL_STAR;

    if (!bare) buf_u8(out, '(');
    sql_print(e, out);
    if (!bare) buf_u8(out, ')');
}

static void print_list(const struct sql_node *e, int from, struct buf *out)
{
    for (int i = from; i < e->n_args; i++) {
        if (i > from) buf_str(out, ", ");
        sql_print(e->args[i], out);
    }
}

static void print_unary(const struct sql_node *e, struct buf *out)
{
    if (e->op == SQL_IS_NULL || e->op == SQL_IS_NOT_NULL) {
        print_operand(e->args[0], out);
        buf_printf(out, " %s", op_text(e->op));
        return;
    }
    buf_str(out, op_text(e->op));
    if (e->op == SQL_NOT) buf_u8(out, ' ');
    print_operand(e->args[0], out);
}

static void print_case(const struct sql_node *e, struct buf *out)
{
    buf_str(out, "case");
    for (int i = 0; i + 1 < e->n_args; i += 2) {
        buf_str(out, " when ");
        sql_print(e->args[i], out);
        buf_str(out, " then ");
        sql_print(e->args[i + 1], out);
    }
    if (e->n_args % 2 == 1) {
        buf_str(out, " else ");
        sql_print(e->args[e->n_args - 1], out);
    }
    buf_str(out, " end");
}

static void print_test(const struct sql_node *e, struct buf *out)
{
    print_operand(e->args[0], out);
    if (e->negated) buf_str(out, " not");
    if (e->kind == SQL_IN) {
        buf_str(out, " in (");
        print_list(e, 1, out);
        buf_u8(out, ')');
    } else if (e->kind == SQL_BETWEEN) {
        buf_str(out, " between ");
        print_operand(e->args[1], out);
        buf_str(out, " and ");
        print_operand(e->args[2], out);
    } else {
        buf_printf(out, " %s ", op_text(e->op));
        print_operand(e->args[1], out);
    }
}

void sql_print(const struct sql_node *e, struct buf *out)
{
    switch (e->kind) {
    case SQL_LITERAL: print_literal(&e->value, out); break;
    case SQL_COLUMN:
        if (e->qualifier != NULL) buf_printf(out, "%s.", e->qualifier);
        buf_str(out, e->name);
        break;
    case SQL_STAR:
        if (e->qualifier != NULL) buf_printf(out, "%s.", e->qualifier);
        buf_u8(out, '*');
        break;
    case SQL_UNARY: print_unary(e, out); break;
    case SQL_BINARY:
        print_operand(e->args[0], out);
        buf_printf(out, " %s ", op_text(e->op));
        print_operand(e->args[1], out);
        break;
    case SQL_BETWEEN:
    case SQL_IN:
    case SQL_LIKE: print_test(e, out); break;
    case SQL_CALL:
        buf_printf(out, "%s(%s%s", e->name, e->distinct ? "distinct " : "", e->star ? "*" : "");
        print_list(e, 0, out);
        buf_u8(out, ')');
        break;
    case SQL_CASE: print_case(e, out); break;
    case SQL_CAST:
        buf_str(out, "cast(");
        sql_print(e->args[0], out);
        buf_printf(out, " as %s", value_type_name(e->type));
        if (e->type == V_DECIMAL) buf_printf(out, "(%d)", e->scale);
        buf_u8(out, ')');
        break;
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool sql_same(const struct sql_node *a, const struct sql_node *b)
{
    if (a->kind != b->kind || a->op != b->op || a->negated != b->negated || a->distinct != b->distinct ||
        a->star != b->star || a->n_args != b->n_args || !same_text(a->qualifier, b->qualifier) ||
        !same_text(a->name, b->name))
        return false;
    if (a->kind == SQL_CAST && (a->type != b->type || a->scale != b->scale)) return false;
    if (a->kind == SQL_LITERAL && (a->value.type != b->value.type || !value_equal(&a->value, &b->value)))
        return false;
    for (int i = 0; i < a->n_args; i++)
        if (!sql_same(a->args[i], b->args[i])) return false;
    return true;
}

bool sql_is_aggregate(const char *name)
{
    static const char *const names[] = {"count", "sum", "avg", "min", "max", "approx_count_distinct"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

bool sql_has_aggregate(const struct sql_node *e)
{
    if (e->kind == SQL_CALL && sql_is_aggregate(e->name)) return true;
    for (int i = 0; i < e->n_args; i++)
        if (sql_has_aggregate(e->args[i])) return true;
    return false;
}

void sql_caret(const char *text, size_t n, uint64_t at, struct buf *out)
{
    size_t begin, end;

    if (at > n) at = n;
    begin = end = (size_t)at;
    while (begin > 0 && text[begin - 1] != '\n') begin--;
    while (end < n && text[end] != '\n') end++;
    buf_append(out, text + begin, end - begin);
    buf_u8(out, '\n');
    for (size_t i = begin; i < at; i++) /* one column a character, tabs kept */
        if (((unsigned char)text[i] & 0xc0) != 0x80) buf_u8(out, text[i] == '\t' ? '\t' : ' ');
    buf_str(out, "^\n");
}
