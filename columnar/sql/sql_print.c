/* columnar_sql_print - expressions back to text, comparison of expressions, and the caret under a mistake. */
#include <string.h>

#include "columnar/sql/sql_ast.h"

static const char *op_text(enum columnar_sql_op op)
{
    static const char *const text[] = {
        [COLUMNAR_SQL_OR] = "or",           [COLUMNAR_SQL_AND] = "and",
        [COLUMNAR_SQL_NOT] = "not",         [COLUMNAR_SQL_EQ] = "=",
        [COLUMNAR_SQL_NE] = "<>",           [COLUMNAR_SQL_LT] = "<",
        [COLUMNAR_SQL_LE] = "<=",           [COLUMNAR_SQL_GT] = ">",
        [COLUMNAR_SQL_GE] = ">=",           [COLUMNAR_SQL_ADD] = "+",
        [COLUMNAR_SQL_SUB] = "-",           [COLUMNAR_SQL_CONCAT] = "||",
        [COLUMNAR_SQL_MUL] = "*",           [COLUMNAR_SQL_DIV] = "/",
        [COLUMNAR_SQL_MOD] = "%",           [COLUMNAR_SQL_NEG] = "-",
        [COLUMNAR_SQL_IS_NULL] = "is null", [COLUMNAR_SQL_IS_NOT_NULL] = "is not null",
        [COLUMNAR_SQL_LIKE_CASE] = "like",  [COLUMNAR_SQL_ILIKE] = "ilike"};

    return text[op];
}

static void print_literal(const struct seam_value *v, struct seam_buf *out)
{
    switch (v->type) {
    case SEAM_V_NULL: seam_buf_str(out, "null"); break;
    case SEAM_V_BOOL: seam_buf_str(out, v->i ? "true" : "false"); break;
    case SEAM_V_TIME:
        seam_buf_str(out, "timestamp '");
        seam_value_format(v, out);
        seam_buf_u8(out, '\'');
        break;
    case SEAM_V_TEXT:
        seam_buf_u8(out, '\'');
        for (uint32_t i = 0; i < v->len; i++) {
            if (v->s[i] == '\'') seam_buf_u8(out, '\'');
            seam_buf_u8(out, (uint8_t)v->s[i]);
        }
        seam_buf_u8(out, '\'');
        break;
    default: seam_value_format(v, out);
    }
}

static void print_operand(const struct columnar_sql_node *e, struct seam_buf *out)
{
    bool bare = e->kind == COLUMNAR_SQL_LITERAL || e->kind == COLUMNAR_SQL_COLUMN ||
                e->kind == COLUMNAR_SQL_CALL || e->kind == COLUMNAR_SQL_CASE ||
                e->kind == COLUMNAR_SQL_CAST || e->kind == COLUMNAR_SQL_STAR;

    if (!bare) seam_buf_u8(out, '(');
    columnar_sql_print(e, out);
    if (!bare) seam_buf_u8(out, ')');
}

static void print_list(const struct columnar_sql_node *e, int from, struct seam_buf *out)
{
    for (int i = from; i < e->n_args; i++) {
        if (i > from) seam_buf_str(out, ", ");
        columnar_sql_print(e->args[i], out);
    }
}

static void print_unary(const struct columnar_sql_node *e, struct seam_buf *out)
{
    if (e->op == COLUMNAR_SQL_IS_NULL || e->op == COLUMNAR_SQL_IS_NOT_NULL) {
        print_operand(e->args[0], out);
        seam_buf_printf(out, " %s", op_text(e->op));
        return;
    }
    seam_buf_str(out, op_text(e->op));
    if (e->op == COLUMNAR_SQL_NOT) seam_buf_u8(out, ' ');
    print_operand(e->args[0], out);
}

static void print_case(const struct columnar_sql_node *e, struct seam_buf *out)
{
    seam_buf_str(out, "case");
    for (int i = 0; i + 1 < e->n_args; i += 2) {
        seam_buf_str(out, " when ");
        columnar_sql_print(e->args[i], out);
        seam_buf_str(out, " then ");
        columnar_sql_print(e->args[i + 1], out);
    }
    if (e->n_args % 2 == 1) {
        seam_buf_str(out, " else ");
        columnar_sql_print(e->args[e->n_args - 1], out);
    }
    seam_buf_str(out, " end");
}

static void print_test(const struct columnar_sql_node *e, struct seam_buf *out)
{
    print_operand(e->args[0], out);
    if (e->negated) seam_buf_str(out, " not");
    if (e->kind == COLUMNAR_SQL_IN) {
        seam_buf_str(out, " in (");
        print_list(e, 1, out);
        seam_buf_u8(out, ')');
    } else if (e->kind == COLUMNAR_SQL_BETWEEN) {
        seam_buf_str(out, " between ");
        print_operand(e->args[1], out);
        seam_buf_str(out, " and ");
        print_operand(e->args[2], out);
    } else {
        seam_buf_printf(out, " %s ", op_text(e->op));
        print_operand(e->args[1], out);
        if (e->n_args > 2) {
            seam_buf_str(out, " escape ");
            print_operand(e->args[2], out);
        }
    }
}

void columnar_sql_print(const struct columnar_sql_node *e, struct seam_buf *out)
{
    switch (e->kind) {
    case COLUMNAR_SQL_LITERAL: print_literal(&e->value, out); break;
    case COLUMNAR_SQL_COLUMN:
        if (e->qualifier != NULL) seam_buf_printf(out, "%s.", e->qualifier);
        seam_buf_str(out, e->name);
        break;
    case COLUMNAR_SQL_STAR:
        if (e->qualifier != NULL) seam_buf_printf(out, "%s.", e->qualifier);
        seam_buf_u8(out, '*');
        break;
    case COLUMNAR_SQL_UNARY: print_unary(e, out); break;
    case COLUMNAR_SQL_BINARY:
        print_operand(e->args[0], out);
        seam_buf_printf(out, " %s ", op_text(e->op));
        print_operand(e->args[1], out);
        break;
    case COLUMNAR_SQL_BETWEEN:
    case COLUMNAR_SQL_IN:
    case COLUMNAR_SQL_LIKE: print_test(e, out); break;
    case COLUMNAR_SQL_CALL:
        seam_buf_printf(out, "%s(%s%s", e->name, e->distinct ? "distinct " : "",
                        e->star ? "*" : "");
        print_list(e, 0, out);
        seam_buf_str(out, e->over != NULL     ? ") over (...)"
                          : e->filter != NULL ? ") filter (...)"
                                              : ")");
        break;
    case COLUMNAR_SQL_ROW:
    case COLUMNAR_SQL_SETS:
        seam_buf_printf(out, "%s(", e->kind == COLUMNAR_SQL_SETS ? e->name : "");
        print_list(e, 0, out);
        seam_buf_u8(out, ')');
        break;
    case COLUMNAR_SQL_INTERVAL:
        seam_buf_printf(out, "interval '%lld months %lld microseconds'", (long long)e->value.i,
                        (long long)e->micros);
        break;
    case COLUMNAR_SQL_SUBQUERY: seam_buf_str(out, "(select ...)"); break;
    case COLUMNAR_SQL_EXISTS: seam_buf_str(out, "exists (select ...)"); break;
    case COLUMNAR_SQL_IN_QUERY:
        print_operand(e->args[0], out);
        seam_buf_str(out, e->negated ? " not in (select ...)" : " in (select ...)");
        break;
    case COLUMNAR_SQL_ANY:
        print_operand(e->args[0], out);
        seam_buf_printf(out, " %s %s (select ...)", op_text(e->op), e->star ? "all" : "any");
        break;
    case COLUMNAR_SQL_CASE: print_case(e, out); break;
    case COLUMNAR_SQL_CAST:
        seam_buf_str(out, "cast(");
        columnar_sql_print(e->args[0], out);
        seam_buf_printf(out, " as %s", seam_value_type_name(e->type));
        if (e->type == SEAM_V_DECIMAL) seam_buf_printf(out, "(18, %d)", e->scale);
        seam_buf_u8(out, ')');
        break;
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool columnar_sql_same(const struct columnar_sql_node *a, const struct columnar_sql_node *b)
{
    if (a->kind != b->kind || a->op != b->op || a->negated != b->negated ||
        a->distinct != b->distinct || a->star != b->star || a->n_args != b->n_args ||
        !same_text(a->qualifier, b->qualifier) || !same_text(a->name, b->name))
        return false;
    if (a->kind == COLUMNAR_SQL_CAST && (a->type != b->type || a->scale != b->scale)) return false;
    if (a->kind == COLUMNAR_SQL_LITERAL &&
        (a->value.type != b->value.type || !seam_value_equal(&a->value, &b->value)))
        return false;
    if (a->select != b->select || a->over != b->over || a->filter != b->filter ||
        a->order != b->order || a->micros != b->micros ||
        (a->kind == COLUMNAR_SQL_INTERVAL && a->value.i != b->value.i))
        return false;
    for (int i = 0; i < a->n_args; i++)
        if (!columnar_sql_same(a->args[i], b->args[i])) return false;
    return true;
}

bool columnar_sql_is_aggregate(const char *name)
{
    static const char *const names[] = {"count", "sum", "avg",
                                        "min",   "max", "approx_count_distinct"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

bool columnar_sql_has_aggregate(const struct columnar_sql_node *e)
{
    if (e->kind == COLUMNAR_SQL_CALL && e->over == NULL && columnar_sql_is_aggregate(e->name))
        return true;
    for (int i = 0; i < e->n_args; i++)
        if (columnar_sql_has_aggregate(e->args[i])) return true;
    return false;
}

void columnar_sql_caret(const char *text, size_t n, uint64_t at, struct seam_buf *out)
{
    size_t begin, end;

    if (at > n) at = n;
    begin = end = (size_t)at;
    while (begin > 0 && text[begin - 1] != '\n') begin--;
    while (end < n && text[end] != '\n') end++;
    seam_buf_append(out, text + begin, end - begin);
    seam_buf_u8(out, '\n');
    for (size_t i = begin; i < at; i++) /* one column a character, tabs kept */
        if (((unsigned char)text[i] & 0xc0) != 0x80) seam_buf_u8(out, text[i] == '\t' ? '\t' : ' ');
    seam_buf_str(out, "^\n");
}
