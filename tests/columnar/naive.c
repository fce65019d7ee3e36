#include "tests/columnar/naive.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;

static bool fits(wide v, struct seam_value *out)
{
    out->i = (int64_t)v;
    return v >= INT64_MIN && v <= INT64_MAX;
}

static wide ten_to(unsigned n)
{
    wide p = 1;

    while (n-- > 0) p *= 10;
    return p;
}

static double as_double(const struct seam_value *v)
{
    if (v->type == SEAM_V_DOUBLE) return v->d;
    return v->type == SEAM_V_DECIMAL ? (double)v->i / (double)ten_to(v->scale) : (double)v->i;
}

/* ---- comparing ---- */

static int order_doubles(double x, double y)
{
    if (isnan(x) || isnan(y)) return (isnan(x) ? 1 : 0) - (isnan(y) ? 1 : 0);
    return x < y ? -1 : x > y ? 1 : 0;
}

static int order_values(const struct seam_value *x, const struct seam_value *y)
{
    unsigned sx = x->type == SEAM_V_DECIMAL ? x->scale : 0,
             sy = y->type == SEAM_V_DECIMAL ? y->scale : 0;
    wide a, b;

    if (x->type == SEAM_V_TEXT) {
        for (uint32_t i = 0; i < x->len && i < y->len; i++)
            if (x->s[i] != y->s[i]) return (unsigned char)x->s[i] < (unsigned char)y->s[i] ? -1 : 1;
        return x->len < y->len ? -1 : x->len > y->len;
    }
    if (x->type == SEAM_V_DOUBLE || y->type == SEAM_V_DOUBLE)
        return order_doubles(as_double(x), as_double(y));
    a = x->i * ten_to(sy);
    b = y->i * ten_to(sx);
    return a < b ? -1 : a > b;
}

int naive_order(const struct seam_value *x, const struct seam_value *y)
{
    bool nx = x->type == SEAM_V_NULL, ny = y->type == SEAM_V_NULL;

    return nx || ny ? nx - ny : order_values(x, y);
}

static bool holds(enum naive_op op, int order)
{
    switch (op) {
    case NAIVE_EQ: return order == 0;
    case NAIVE_NE: return order != 0;
    case NAIVE_LT: return order < 0;
    case NAIVE_LE: return order <= 0;
    case NAIVE_GT: return order > 0;
    default: return order >= 0;
    }
}

/* ---- text ---- */

static size_t character(const char *s, const char *end)
{
    size_t n = 1;

    while (s + n < end && ((unsigned char)s[n] & 0xc0) == 0x80) n++;
    return n;
}

/* '!' escapes. */
static bool like(const char *s, const char *end, const char *p, const char *pend)
{
    if (p == pend) return s == end;
    if (*p == '%') {
        for (;; s++) {
            if (like(s, end, p + 1, pend)) return true;
            if (s == end) return false;
        }
    }
    if (s == end) return false;
    if (*p == '_') return like(s + character(s, end), end, p + 1, pend);
    if (*p == '!') p++;
    return *s == *p && like(s + 1, end, p + 1, pend);
}

static struct seam_value substr(const struct seam_value *text, int64_t from, int64_t count)
{
    const char *s = text->s, *end = s + text->len, *begin;

    for (; from > 1 && s < end; from--) s += character(s, end);
    for (begin = s; count > 0 && s < end; count--) s += character(s, end);
    return seam_v_text(begin, (size_t)(s - begin));
}

/* ---- time ---- */

static int64_t day_of(const struct seam_civil *c)
{
    struct seam_civil midnight = {.year = c->year, .month = c->month, .day = c->day};

    return seam_civil_to_time(&midnight) / 86400000000 -
           (seam_civil_to_time(&midnight) % 86400000000 < 0);
}

static int64_t new_year(int32_t year)
{
    struct seam_civil c = {.year = year, .month = 1, .day = 1};

    return day_of(&c);
}

static int64_t weekday(int64_t day) /* Monday 0; 1970-01-01 was a Thursday */
{
    return ((day + 3) % 7 + 7) % 7;
}

static int64_t part_of(const char *unit, int64_t us)
{
    struct seam_civil c;
    int64_t day;

    seam_time_to_civil(us, &c);
    day = day_of(&c);
    if (strcmp(unit, "year") == 0) return c.year;
    if (strcmp(unit, "quarter") == 0) return (c.month - 1) / 3 + 1;
    if (strcmp(unit, "month") == 0) return c.month;
    if (strcmp(unit, "day") == 0) return c.day;
    if (strcmp(unit, "hour") == 0) return c.hour;
    if (strcmp(unit, "minute") == 0) return c.minute;
    if (strcmp(unit, "second") == 0) return c.second;
    if (strcmp(unit, "dow") == 0) return (weekday(day) + 1) % 7;
    if (strcmp(unit, "doy") == 0) return day - new_year(c.year) + 1;
    day += 3 - weekday(day); /* the week is that of its Thursday */
    seam_time_to_civil(day * 86400000000, &c);
    return (day - new_year(c.year)) / 7 + 1;
}

static int64_t truncated(const char *unit, int64_t us)
{
    struct seam_civil c, out;

    seam_time_to_civil(us, &c);
    if (strcmp(unit, "week") == 0) {
        int64_t day = day_of(&c);

        return (day - weekday(day)) * 86400000000;
    }
    out = (struct seam_civil){.year = c.year, .month = c.month, .day = c.day};
    if (strcmp(unit, "year") == 0) out.month = 1;
    if (strcmp(unit, "quarter") == 0) out.month = (uint8_t)((c.month - 1) / 3 * 3 + 1);
    if (strcmp(unit, "year") == 0 || strcmp(unit, "quarter") == 0 || strcmp(unit, "month") == 0)
        out.day = 1;
    if (strcmp(unit, "hour") == 0 || strcmp(unit, "minute") == 0) out.hour = c.hour;
    if (strcmp(unit, "minute") == 0) out.minute = c.minute;
    return seam_civil_to_time(&out);
}

/* ---- operators over values ---- */

static bool arithmetic(const struct naive_expr *e, const struct seam_value *a,
                       struct seam_value *out)
{
    wide x = a[0].i, y = e->n > 1 ? a[1].i : 0;

    if (e->type == SEAM_V_DOUBLE) {
        double p = as_double(&a[0]), q = e->n > 1 ? as_double(&a[1]) : 0;

        if (e->op == NAIVE_DIV && q == 0)
            *out = seam_v_null();
        else
            out->d = e->op == NAIVE_ADD   ? p + q
                     : e->op == NAIVE_SUB ? p - q
                     : e->op == NAIVE_MUL ? p * q
                     : e->op == NAIVE_DIV ? p / q
                     : e->op == NAIVE_NEG ? -p
                                          : fabs(p);
        return true;
    }
    if (e->op == NAIVE_ADD || e->op == NAIVE_SUB) { /* each side has to fit at the larger scale */
        struct seam_value sides[2];

        x *= ten_to(e->scale - (a[0].type == SEAM_V_DECIMAL ? a[0].scale : 0u));
        y *= ten_to(e->scale - (a[1].type == SEAM_V_DECIMAL ? a[1].scale : 0u));
        if (!fits(x, &sides[0]) || !fits(y, &sides[1])) return false;
    }
    switch (e->op) {
    case NAIVE_ADD: return fits(x + y, out);
    case NAIVE_SUB: return fits(x - y, out);
    case NAIVE_MUL: return fits(x * y, out);
    case NAIVE_NEG: return fits(-x, out);
    case NAIVE_ABS: return fits(x < 0 ? -x : x, out);
    default:
        if (y == 0)
            *out = seam_v_null();
        else
            out->i = (int64_t)(x % y);
        return true;
    }
}

static bool cast(const struct naive_expr *e, const struct seam_value *a, struct seam_arena *mem,
                 struct seam_value *out)
{
    char text[32];
    int n;

    if (e->type == SEAM_V_TEXT) { /* of an integer */
        n = snprintf(text, sizeof text, "%lld", (long long)a->i);
        *out = seam_v_text(seam_arena_strdup(mem, text, (size_t)n), (size_t)n);
        return true;
    }
    if (a->type == SEAM_V_TEXT) {
        char *end;

        if (a->len == 0) {
            *out = seam_v_null();
            return true;
        }
        n = snprintf(text, sizeof text, "%.*s", (int)a->len, a->s);
        out->i = strtoll(text, &end, 10);
        return n == (int)a->len && end == text + n &&
               (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
    }
    if (e->type == SEAM_V_DOUBLE) {
        out->d = as_double(a);
        return true;
    }
    if (a->type == SEAM_V_DOUBLE) {
        double r = rint(a->d);

        if (!(fabs(r) < 9.2e18)) return false;
        out->i = (int64_t)r;
        return true;
    }
    if (a->type == SEAM_V_DECIMAL && e->type == SEAM_V_INT) { /* half away from zero */
        wide p = ten_to(a->scale), v = a->i < 0 ? -(wide)a->i : a->i;

        v = (2 * v + p) / (2 * p);
        return fits(a->i < 0 ? -v : v, out);
    }
    return fits((wide)a->i * ten_to(e->scale), out); /* an integer as a decimal */
}

static bool truth(bool b, struct seam_value *out)
{
    *out = seam_v_bool(b);
    return true;
}

static bool in(const struct naive_expr *e, const struct seam_value *a, struct seam_value *out)
{
    bool null = false;

    for (int k = 1; k < e->n; k++) {
        if (a[k].type == SEAM_V_NULL)
            null = true;
        else if (a[0].type != SEAM_V_NULL && order_values(&a[0], &a[k]) == 0)
            return truth(true, out);
    }
    *out = a[0].type == SEAM_V_NULL || null ? seam_v_null() : seam_v_bool(false);
    return true;
}

static bool strict(const struct naive_expr *e, const struct seam_value *a, struct seam_arena *mem,
                   struct seam_value *out)
{
    char *s;

    *out = (struct seam_value){.type = e->type, .scale = e->scale};
    switch (e->op) {
    case NAIVE_EQ:
    case NAIVE_NE:
    case NAIVE_LT:
    case NAIVE_LE:
    case NAIVE_GT:
    case NAIVE_GE: return truth(holds(e->op, order_values(&a[0], &a[1])), out);
    case NAIVE_NOT: return truth(!a[0].i, out);
    case NAIVE_LIKE: return truth(like(a[0].s, a[0].s + a[0].len, a[1].s, a[1].s + a[1].len), out);
    case NAIVE_CAST: return cast(e, a, mem, out);
    case NAIVE_TRUNC: out->i = truncated(e->name, a[0].i); return true;
    case NAIVE_PART: out->i = part_of(e->name, a[0].i); return true;
    case NAIVE_LENGTH:
        for (const char *p = a[0].s; p < a[0].s + a[0].len; p += character(p, a[0].s + a[0].len))
            out->i++;
        return true;
    case NAIVE_CONCAT:
        s = seam_arena_alloc(mem, a[0].len + a[1].len + 1);
        if (a[0].len > 0) memcpy(s, a[0].s, a[0].len);
        if (a[1].len > 0) memcpy(s + a[0].len, a[1].s, a[1].len);
        *out = seam_v_text(s, a[0].len + a[1].len);
        return true;
    case NAIVE_SUBSTR: *out = substr(&a[0], a[1].i, a[2].i); return true;
    default: return arithmetic(e, a, out);
    }
}

static bool logic(const struct naive_expr *e, const struct seam_value *row, struct seam_arena *mem,
                  struct seam_value *out)
{
    bool want = e->op == NAIVE_OR, null = false, failed = false;

    for (int k = 0; k < e->n; k++) {
        struct seam_value v;

        if (!naive_eval(e->args[k], row, mem, &v))
            failed = true;
        else if (v.type == SEAM_V_NULL)
            null = true;
        else if ((v.i != 0) == want)
            return truth(want, out);
    }
    *out = null ? seam_v_null() : seam_v_bool(!want);
    return !failed;
}

/* x between low and high is x >= low and x <= high. */
static bool between(const struct naive_expr *e, const struct seam_value *row,
                    struct seam_arena *mem, struct seam_value *out)
{
    const struct naive_expr low = {
        .op = NAIVE_GE, .type = SEAM_V_BOOL, .n = 2, .args = {e->args[0], e->args[1]}};
    const struct naive_expr high = {
        .op = NAIVE_LE, .type = SEAM_V_BOOL, .n = 2, .args = {e->args[0], e->args[2]}};
    const struct naive_expr both = {
        .op = NAIVE_AND, .type = SEAM_V_BOOL, .n = 2, .args = {&low, &high}};

    return logic(&both, row, mem, out);
}

bool naive_eval(const struct naive_expr *e, const struct seam_value *row, struct seam_arena *mem,
                struct seam_value *out)
{
    struct seam_value a[NAIVE_ARGS], when;

    switch (e->op) {
    case NAIVE_COLUMN: *out = row[e->column]; return true;
    case NAIVE_LITERAL: *out = e->literal; return true;
    case NAIVE_AND:
    case NAIVE_OR: return logic(e, row, mem, out);
    case NAIVE_BETWEEN: return between(e, row, mem, out);
    case NAIVE_CASE:
        if (!naive_eval(e->args[0], row, mem, &when)) return false;
        return naive_eval(e->args[when.type != SEAM_V_NULL && when.i ? 1 : 2], row, mem, out);
    case NAIVE_COALESCE:
        if (!naive_eval(e->args[0], row, mem, out)) return false;
        return out->type != SEAM_V_NULL || naive_eval(e->args[1], row, mem, out);
    default: break;
    }
    for (int k = 0; k < e->n; k++)
        if (!naive_eval(e->args[k], row, mem, &a[k])) return false;
    if (e->op == NAIVE_IS_NULL || e->op == NAIVE_IS_NOT_NULL)
        return truth((a[0].type == SEAM_V_NULL) == (e->op == NAIVE_IS_NULL), out);
    if (e->op == NAIVE_IN) return in(e, a, out);
    for (int k = 0; k < e->n; k++)
        if (a[k].type == SEAM_V_NULL) {
            *out = seam_v_null();
            return true;
        }
    return strict(e, a, mem, out);
}

/* ---- as SQL ---- */

static void print_literal(const struct seam_value *v, struct seam_buf *out)
{
    if (v->type == SEAM_V_NULL) {
        seam_buf_str(out, "null");
    } else if (v->type == SEAM_V_TEXT || v->type == SEAM_V_TIME) {
        seam_buf_str(out, v->type == SEAM_V_TIME ? "timestamp '" : "'");
        if (v->type == SEAM_V_TIME) seam_value_format(v, out);
        for (uint32_t i = 0; v->type == SEAM_V_TEXT && i < v->len; i++) {
            if (v->s[i] == '\'') seam_buf_u8(out, '\'');
            seam_buf_u8(out, (uint8_t)v->s[i]);
        }
        seam_buf_u8(out, '\'');
    } else if (v->type == SEAM_V_DOUBLE) {
        seam_buf_printf(out, "%.17e", v->d);
    } else {
        seam_value_format(v, out);
    }
}

static void print_call(const struct naive_expr *e, const char *begin, const char *between_args,
                       const char *end, struct seam_buf *out)
{
    seam_buf_str(out, begin);
    for (int k = 0; k < e->n; k++) {
        if (k > 0) seam_buf_str(out, between_args);
        naive_print(e->args[k], out);
    }
    seam_buf_str(out, end);
}

void naive_print(const struct naive_expr *e, struct seam_buf *out)
{
    static const char *const infix[] = {
        [NAIVE_ADD] = " + ", [NAIVE_SUB] = " - ",    [NAIVE_MUL] = " * ", [NAIVE_DIV] = " / ",
        [NAIVE_MOD] = " % ", [NAIVE_EQ] = " = ",     [NAIVE_NE] = " <> ", [NAIVE_LT] = " < ",
        [NAIVE_LE] = " <= ", [NAIVE_GT] = " > ",     [NAIVE_GE] = " >= ", [NAIVE_AND] = " and ",
        [NAIVE_OR] = " or ", [NAIVE_CONCAT] = " || "};
    char word[64];

    switch (e->op) {
    case NAIVE_COLUMN: seam_buf_str(out, e->name); return;
    case NAIVE_LITERAL: print_literal(&e->literal, out); return;
    case NAIVE_NEG: print_call(e, "(- ", "", ")", out); return;
    case NAIVE_ABS: print_call(e, "abs(", "", ")", out); return;
    case NAIVE_NOT: print_call(e, "(not ", "", ")", out); return;
    case NAIVE_IS_NULL: print_call(e, "(", "", " is null)", out); return;
    case NAIVE_IS_NOT_NULL: print_call(e, "(", "", " is not null)", out); return;
    case NAIVE_COALESCE: print_call(e, "coalesce(", ", ", ")", out); return;
    case NAIVE_LENGTH: print_call(e, "length(", "", ")", out); return;
    case NAIVE_SUBSTR: print_call(e, "substr(", ", ", ")", out); return;
    case NAIVE_LIKE: print_call(e, "(", " like ", " escape '!')", out); return;
    case NAIVE_TRUNC:
    case NAIVE_PART:
        snprintf(word, sizeof word, "%s('%s', ", e->op == NAIVE_TRUNC ? "date_trunc" : "date_part",
                 e->name);
        print_call(e, word, "", ")", out);
        return;
    case NAIVE_CAST:
        snprintf(word, sizeof word, " as %s)",
                 e->type == SEAM_V_DECIMAL ? "decimal(18, 2)" : seam_value_type_name(e->type));
        print_call(e, "cast(", "", word, out);
        return;
    case NAIVE_BETWEEN:
    case NAIVE_IN:
    case NAIVE_CASE:
        seam_buf_str(out, e->op == NAIVE_CASE ? "case when " : "(");
        for (int k = 0; k < e->n; k++) {
            static const char *const before[][NAIVE_ARGS] = {{"", " between ", " and ", ""},
                                                             {"", " in (", ", ", ", "},
                                                             {"", " then ", " else ", ""}};

            seam_buf_str(out, before[e->op == NAIVE_BETWEEN ? 0 : e->op == NAIVE_IN ? 1 : 2][k]);
            naive_print(e->args[k], out);
        }
        seam_buf_str(out, e->op == NAIVE_CASE ? " end" : e->op == NAIVE_IN ? "))" : ")");
        return;
    default: print_call(e, "(", infix[e->op], ")", out);
    }
}
