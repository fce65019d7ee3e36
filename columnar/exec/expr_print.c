/* expr_print - the names of operators and date parts, and expressions as text. */
#include <assert.h>
#include <strings.h>

#include "columnar/exec/expr_impl.h"

static const char *const op_names[COLUMNAR_E_OP_COUNT] = {
    "column", "constant", "+",       "-",           "*",          "/",         "%",     "-",
    "abs",    "=",        "<>",      "<",           "<=",         ">",         ">=",    "and",
    "or",     "not",      "is null", "is not null", "between",    "in",        "like",  "ilike",
    "case",   "coalesce", "cast",    "try_cast",    "date_trunc", "date_part", "lower", "upper",
    "length", "concat",   "||",      "substr",      "round",      "function"};
static const char *const part_names[COLUMNAR_PART_COUNT] = {
    "year", "quarter", "month", "week", "day", "hour", "minute", "second", "dow", "doy"};

const char *columnar_expr_op_name(enum columnar_expr_op op)
{
    return op < COLUMNAR_E_OP_COUNT ? op_names[op] : "?";
}
bool columnar_expr_is_const(const struct columnar_expr *e)
{
    return e->op == COLUMNAR_E_CONST;
}

bool columnar_date_part_parse(const char *name, size_t n, enum columnar_date_part *out)
{
    for (int p = 0; p < COLUMNAR_PART_COUNT; p++)
        if (strlen(part_names[p]) == n && strncasecmp(part_names[p], name, n) == 0) {
            *out = (enum columnar_date_part)p;
            return true;
        }
    return false;
}

const char *columnar_date_part_name(enum columnar_date_part part)
{
    assert(part < COLUMNAR_PART_COUNT);
    return part_names[part];
}

static bool is_number(const struct columnar_expr *e)
{
    return e->type == SEAM_V_INT || e->type == SEAM_V_DECIMAL || e->type == SEAM_V_DOUBLE;
}

static void print_const(const struct seam_value *v, unsigned type, struct seam_buf *out)
{
    if (v->type == SEAM_V_NULL) {
        seam_buf_str(out, "null");
    } else if (type == SEAM_V_TEXT || type == SEAM_V_TIME) {
        seam_buf_str(out, "'");
        seam_value_format(v, out);
        seam_buf_str(out, "'");
    } else {
        seam_value_format(v, out);
    }
}

static void print_list(const struct columnar_expr *e, int from, const char *between,
                       const char *const *names, struct seam_buf *out)
{
    for (int k = from; k < e->n_args; k++) {
        if (k > from) seam_buf_str(out, between);
        columnar_expr_print(e->args[k], names, out);
    }
}

static void print_in(const struct columnar_expr *e, const char *const *names, struct seam_buf *out)
{
    const struct columnar_in_set *set = e->prepared;

    columnar_expr_print(e->args[0], names, out);
    seam_buf_str(out, " in (");
    for (size_t k = 0; k < set->count; k++) {
        if (k > 0) seam_buf_str(out, ", ");
        if (k == 10) {
            seam_buf_printf(out, "... %zu in all", set->count);
            break;
        }
        print_const(&set->values[k], set->values[k].type, out);
    }
    seam_buf_str(out, set->has_null ? ", null)" : ")");
}

static void print_case(const struct columnar_expr *e, const char *const *names,
                       struct seam_buf *out)
{
    seam_buf_str(out, "case");
    for (int k = 0; k + 1 < e->n_args; k += 2) {
        seam_buf_str(out, " when ");
        columnar_expr_print(e->args[k], names, out);
        seam_buf_str(out, " then ");
        columnar_expr_print(e->args[k + 1], names, out);
    }
    if (e->n_args % 2 == 1) {
        seam_buf_str(out, " else ");
        columnar_expr_print(e->args[e->n_args - 1], names, out);
    }
    seam_buf_str(out, " end");
}

void columnar_expr_print(const struct columnar_expr *e, const char *const *names,
                         struct seam_buf *out)
{
    switch (e->op) {
    case COLUMNAR_E_COLUMN:
        if (names != NULL)
            seam_buf_str(out, names[e->column]);
        else
            seam_buf_printf(out, "#%d", e->column);
        return;
    case COLUMNAR_E_CONST: print_const(&e->constant, e->type, out); return;
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL:
        columnar_expr_print(e->args[0], names, out);
        seam_buf_printf(out, " %s", columnar_expr_op_name(e->op));
        return;
    case COLUMNAR_E_NOT:
    case COLUMNAR_E_NEG:
        seam_buf_str(out, e->op == COLUMNAR_E_NOT ? "not " : "-");
        columnar_expr_print(e->args[0], names, out);
        return;
    case COLUMNAR_E_IN: print_in(e, names, out); return;
    case COLUMNAR_E_CASE: print_case(e, names, out); return;
    case COLUMNAR_E_CAST:
    case COLUMNAR_E_TRY_CAST:
        /* Casts nobody wrote are not shown between numbers. */
        if (is_number(e->args[0]) && e->type != SEAM_V_TEXT) {
            columnar_expr_print(e->args[0], names, out);
            return;
        }
        seam_buf_printf(out, "%s(", columnar_expr_op_name(e->op));
        columnar_expr_print(e->args[0], names, out);
        seam_buf_printf(out, " as %s)", seam_value_type_name(e->type));
        return;
    case COLUMNAR_E_DATE_TRUNC:
    case COLUMNAR_E_DATE_PART:
        seam_buf_printf(out, "%s('%s', ", columnar_expr_op_name(e->op), part_names[e->part]);
        print_list(e, 0, ", ", names, out);
        seam_buf_str(out, ")");
        return;
    default: break;
    }
    if ((e->op >= COLUMNAR_E_ADD && e->op <= COLUMNAR_E_MOD) ||
        (e->op >= COLUMNAR_E_EQ && e->op <= COLUMNAR_E_OR) || e->op == COLUMNAR_E_LIKE ||
        e->op == COLUMNAR_E_ILIKE || e->op == COLUMNAR_E_PIPE) {
        char between[16];

        between[0] = ' ';
        strcpy(between + 1, columnar_expr_op_name(e->op));
        strcat(between, " ");
        seam_buf_str(out, "(");
        print_list(e, 0, between, names, out);
        seam_buf_str(out, ")");
        return;
    }
    seam_buf_str(out, e->op == COLUMNAR_E_FUNC
                          ? ((const struct columnar_func_call *)e->prepared)->name
                          : columnar_expr_op_name(e->op));
    seam_buf_str(out, "(");
    print_list(e, 0, ", ", names, out);
    seam_buf_str(out, ")");
}
