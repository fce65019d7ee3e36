/* expr_row - expressions one row at a time: the truth the vectors are held to. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "columnar/exec/expr_impl.h"
#include "engine/text/case.h"

static const int64_t SECOND_US = 1000000, MINUTE_US = 60000000, HOUR_US = 3600000000,
                     DAY_US = 86400000000;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days since 1970-01-01 to year, month, day and back (Hinnant, "chrono-compatible low-level date algorithms"). */
static void civil_of_days(int64_t z, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t era = floor_div(z + 719468, 146097);
    unsigned doe = (unsigned)(z + 719468 - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (int64_t)yoe + era * 400 + (*month <= 2);
}

static int64_t days_of_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2), era = floor_div(y, 400);
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static int64_t times(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a *
                     (uint64_t)b); /* timestamps near the ends of int64 wrap, harmlessly */
}

int64_t columnar_date_trunc(enum columnar_date_part part, int64_t us)
{
    int64_t days = floor_div(us, DAY_US), year;
    unsigned month, day;

    switch (part) {
    case COLUMNAR_PART_SECOND: return times(floor_div(us, SECOND_US), SECOND_US);
    case COLUMNAR_PART_MINUTE: return times(floor_div(us, MINUTE_US), MINUTE_US);
    case COLUMNAR_PART_HOUR: return times(floor_div(us, HOUR_US), HOUR_US);
    case COLUMNAR_PART_WEEK: return times(floor_div(days + 3, 7) * 7 - 3, DAY_US); /* Monday */
    case COLUMNAR_PART_YEAR:
    case COLUMNAR_PART_QUARTER:
    case COLUMNAR_PART_MONTH:
        civil_of_days(days, &year, &month, &day);
        if (part == COLUMNAR_PART_YEAR) month = 1;
        if (part == COLUMNAR_PART_QUARTER) month = (month - 1) / 3 * 3 + 1;
        return times(days_of_civil(year, month, 1), DAY_US);
    default: return times(days, DAY_US);
    }
}

int64_t columnar_date_part_of(enum columnar_date_part part, int64_t us)
{
    int64_t days = floor_div(us, DAY_US), year, in_day = us - times(days, DAY_US);
    unsigned month, day;

    civil_of_days(days, &year, &month, &day);
    switch (part) {
    case COLUMNAR_PART_YEAR: return year;
    case COLUMNAR_PART_QUARTER: return (month + 2) / 3;
    case COLUMNAR_PART_MONTH: return month;
    case COLUMNAR_PART_WEEK: { /* ISO 8601: the week belongs to the year of its Thursday */
        int64_t thursday = floor_div(days + 3, 7) * 7, first;

        civil_of_days(thursday, &year, &month, &day);
        first = days_of_civil(year, 1, 1);
        return (thursday - first) / 7 + 1;
    }
    case COLUMNAR_PART_DAY: return day;
    case COLUMNAR_PART_HOUR: return in_day / HOUR_US;
    case COLUMNAR_PART_MINUTE: return in_day / MINUTE_US % 60;
    case COLUMNAR_PART_SECOND: return in_day / SECOND_US % 60;
    case COLUMNAR_PART_DOW: return days - (floor_div(days + 4, 7) * 7 - 4); /* Sunday = 0 */
    case COLUMNAR_PART_DOY: return days - days_of_civil(year, 1, 1) + 1;
    default: return 0;
    }
}

enum seam_status columnar_expr_fails(const struct columnar_expr *e, struct seam_fault *f,
                                     enum seam_status st, const char *why)
{
    if (e->at == 0) return seam_fault_set(f, st, NULL, SEAM_FAULT_NO_OFFSET, "%s", why);
    return seam_fault_set(f, st, "sql", e->at - 1, "%s", why);
}

enum seam_status columnar_expr_overflow(const struct columnar_expr *e, struct seam_fault *f)
{
    char why[64];

    snprintf(why, sizeof why, "%s overflows 64 bits", columnar_expr_op_name(e->op));
    return columnar_expr_fails(e, f, SEAM_LIMIT, why);
}

static enum seam_status arithmetic(const struct columnar_expr *e, const struct seam_value *a,
                                   struct seam_value *out, struct seam_fault *f)
{
    bool bad = false;

    if (e->type == SEAM_V_DOUBLE) {
        double x = a[0].d, y = e->n_args > 1 ? a[1].d : 0;

        switch (e->op) {
        case COLUMNAR_E_ADD: out->d = x + y; break;
        case COLUMNAR_E_SUB: out->d = x - y; break;
        case COLUMNAR_E_MUL: out->d = x * y; break;
        case COLUMNAR_E_NEG: out->d = -x; break;
        case COLUMNAR_E_ABS: out->d = fabs(x); break;
        default:
            if (y == 0)
                *out = seam_v_null();
            else
                out->d = x / y;
        }
        return SEAM_OK;
    }
    switch (e->op) {
    case COLUMNAR_E_ADD: bad = __builtin_add_overflow(a[0].i, a[1].i, &out->i); break;
    case COLUMNAR_E_SUB: bad = __builtin_sub_overflow(a[0].i, a[1].i, &out->i); break;
    case COLUMNAR_E_MUL: bad = __builtin_mul_overflow(a[0].i, a[1].i, &out->i); break;
    case COLUMNAR_E_NEG: bad = __builtin_sub_overflow((int64_t)0, a[0].i, &out->i); break;
    case COLUMNAR_E_ABS:
        bad = __builtin_sub_overflow((int64_t)0, a[0].i, &out->i);
        if (a[0].i >= 0) {
            bad = false;
            out->i = a[0].i;
        }
        break;
    default: /* COLUMNAR_E_MOD */
        if (a[1].i == 0)
            *out = seam_v_null();
        else
            out->i = a[1].i == -1 ? 0 : a[0].i % a[1].i;
    }
    return bad ? columnar_expr_overflow(e, f) : SEAM_OK;
}

static void format_value(const struct seam_value *v, struct seam_arena *mem, struct seam_value *out,
                         bool *ok)
{
    struct seam_buf b = {0};
    char *s;

    seam_value_format(v, &b);
    s = seam_buf_ok(&b) ? seam_arena_strdup(mem, (const char *)b.data, b.size) : NULL;
    *ok = s != NULL;
    if (*ok) *out = seam_v_text(s, b.size);
    seam_buf_free(&b);
}

/* Fewer digits: rounded, half away from zero. false: it does not fit. */
static bool to_scale(int64_t v, unsigned from, unsigned to, int64_t *out)
{
    int64_t p, rest;

    if (from <= to) return seam_decimal_rescale(v, from, to, out) == SEAM_OK;
    p = seam_decimal_pow10(from - to);
    rest = v % p;
    *out = v / p + (rest >= (p + 1) / 2 && rest > 0) - (-rest >= (p + 1) / 2 && rest < 0);
    return true;
}

/* Digits past the scale are rounded, as they are of a number; past 18 they have no place to be looked at. */
static enum seam_status text_to_decimal(const struct columnar_expr *e, const struct seam_value *a,
                                        struct seam_value *out)
{
    const char *point = memchr(a->s, '.', a->len);
    size_t digits = point == NULL ? 0 : (size_t)(a->s + a->len - point - 1);
    unsigned scale = digits > SEAM_DECIMAL_SCALE_MAX ? SEAM_DECIMAL_SCALE_MAX : (unsigned)digits;
    enum seam_status st;

    if (digits <= e->scale) return seam_value_parse(a->s, a->len, e->type, e->scale, out);
    st = seam_value_parse(a->s, a->len, e->type, scale, out);
    if (st != SEAM_OK || out->type == SEAM_V_NULL) return st;
    out->scale = e->scale;
    return to_scale(out->i, scale, e->scale, &out->i) ? SEAM_OK : SEAM_LIMIT;
}

static enum seam_status cast(const struct columnar_expr *e, const struct seam_value *a,
                             struct seam_arena *mem, struct seam_value *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    bool ok = true;

    if (e->type == SEAM_V_TEXT) {
        format_value(a, mem, out, &ok);
        return ok ? SEAM_OK : SEAM_NOMEM;
    }
    if (a->type == SEAM_V_TEXT) {
        st = e->type == SEAM_V_DECIMAL ? text_to_decimal(e, a, out)
                                       : seam_value_parse(a->s, a->len, e->type, e->scale, out);
        if (st != SEAM_OK) {
            char why[128];

            snprintf(why, sizeof why, "'%.*s' is not a %s", (int)(a->len > 60 ? 60 : a->len), a->s,
                     seam_value_type_name(e->type));
            return columnar_expr_fails(e, f, SEAM_INVALID, why);
        }
        return SEAM_OK;
    }
    if (e->type == SEAM_V_DOUBLE) {
        if (a->type == SEAM_V_DECIMAL)
            out->d = (double)a->i / (double)seam_decimal_pow10(a->scale);
        else if (a->type == SEAM_V_DOUBLE)
            out->d = a->d;
        else
            out->d = (double)a->i;
        return SEAM_OK;
    }
    if (a->type == SEAM_V_DOUBLE) {
        double scaled = rint(a->d * (double)seam_decimal_pow10(e->scale));

        if (!(fabs(scaled) < 9.2e18)) return columnar_expr_overflow(e, f);
        out->i = e->type == SEAM_V_BOOL ? a->d != 0 : (int64_t)scaled;
        return SEAM_OK;
    }
    if (e->type == SEAM_V_BOOL) {
        out->i = a->i != 0;
        return SEAM_OK;
    }
    if (!to_scale(a->i, a->scale, e->scale, &out->i)) return columnar_expr_overflow(e, f);
    return SEAM_OK;
}

int64_t columnar_text_length(const char *s, size_t n)
{
    int64_t count = 0;

    for (size_t i = 0; i < n; i++) count += (s[i] & 0xc0) != 0x80;
    return count;
}

static enum seam_status text_function(const struct columnar_expr *e, const struct seam_value *a,
                                      struct seam_arena *mem, struct seam_value *out)
{
    char *s;
    size_t n = a[0].len, from = 0;

    switch (e->op) {
    case COLUMNAR_E_LENGTH: out->i = columnar_text_length(a[0].s, n); return SEAM_OK;
    case COLUMNAR_E_SUBSTR: {
        int64_t begin = a[1].i < 1 ? 1 : a[1].i, left = e->n_args > 2 ? a[2].i : INT64_MAX, at = 1;
        size_t end;

        if (e->n_args > 2 && a[1].i < 1) { /* places before the first count and hold nothing */
            int64_t before;

            if (__builtin_sub_overflow((int64_t)1, a[1].i, &before)) before = INT64_MAX;
            left = left > before ? left - before : 0;
        }
        while (from < n && at < begin)
            if (++from == n || (a[0].s[from] & 0xc0) != 0x80) at++;
        for (end = from; end < n && left > 0;)
            if (++end == n || (a[0].s[end] & 0xc0) != 0x80) left--;
        *out = seam_v_text(a[0].s + from, end > from ? end - from : 0);
        return SEAM_OK;
    }
    case COLUMNAR_E_CONCAT:
    case COLUMNAR_E_PIPE:
        n = 0;
        for (int k = 0; k < e->n_args; k++) n += a[k].type == SEAM_V_NULL ? 0 : a[k].len;
        s = seam_arena_alloc(mem, n + 1);
        if (s == NULL) return SEAM_NOMEM;
        for (int k = 0; k < e->n_args; k++) {
            if (a[k].type == SEAM_V_NULL) continue;
            if (a[k].len > 0) memcpy(s + from, a[k].s, a[k].len);
            from += a[k].len;
        }
        *out = seam_v_text(s, n);
        return SEAM_OK;
    default: /* LOWER, UPPER */
        s = seam_arena_alloc(mem, 2 * n + 1);
        if (s == NULL) return SEAM_NOMEM;
        n = e->op == COLUMNAR_E_LOWER ? seam_text_lower(a[0].s, n, s)
                                      : seam_text_upper(a[0].s, n, s);
        *out = seam_v_text(s, n);
        return SEAM_OK;
    }
}

static enum seam_status round_number(const struct columnar_expr *e, const struct seam_value *a,
                                     struct seam_value *out)
{
    int64_t digits = e->n_args > 1 ? a[1].i : 0;

    if (digits > 15) digits = 15;
    if (digits < -15) digits = -15;
    if (e->type == SEAM_V_DOUBLE) {
        double p = pow(10, (double)(digits < 0 ? -digits : digits));

        out->d = digits < 0 ? round(a[0].d / p) * p : round(a[0].d * p) / p;
    } else { /* in place: the scale stays, digits become 0 */
        int64_t drop = a[0].scale - digits, p, rest;

        out->i = a[0].i;
        if (drop <= 0) return SEAM_OK;
        if (drop > 18) {
            out->i = 0;
            return SEAM_OK;
        }
        p = seam_decimal_pow10((unsigned)drop);
        rest = a[0].i % p;
        out->i = a[0].i - rest;
        if (rest >= (p + 1) / 2 && rest > 0 && __builtin_add_overflow(out->i, p, &out->i))
            return SEAM_LIMIT;
        if (-rest >= (p + 1) / 2 && rest < 0 && __builtin_sub_overflow(out->i, p, &out->i))
            return SEAM_LIMIT;
    }
    return SEAM_OK;
}

static int order(const void *a, const void *b)
{
    return seam_value_compare(a, b);
}

bool columnar_in_set_has(const struct columnar_in_set *s, const struct seam_value *v)
{
    return s->count > 0 && bsearch(v, s->values, s->count, sizeof *s->values, order) != NULL;
}

static bool compare_is(enum columnar_expr_op op, int c)
{
    switch (op) {
    case COLUMNAR_E_EQ: return c == 0;
    case COLUMNAR_E_NE: return c != 0;
    case COLUMNAR_E_LT: return c < 0;
    case COLUMNAR_E_LE: return c <= 0;
    case COLUMNAR_E_GT: return c > 0;
    default: return c >= 0;
    }
}

/* A pattern that is not constant is prepared for its row. */
static enum seam_status like(const struct columnar_expr *e, const struct seam_value *a,
                             struct seam_arena *mem, struct seam_value *out, struct seam_fault *f)
{
    static const struct seam_value usual = {.type = SEAM_V_TEXT, .len = 1, .s = "\\"};
    const struct columnar_like_pattern *p = e->prepared;
    struct seam_fault inner = {0};
    enum seam_status st = SEAM_OK;

    if (p == NULL)
        st = columnar_like_prepare(mem, &a[1], e->n_args > 2 ? &a[2] : &usual, false, &p, &inner);
    if (st != SEAM_OK) return columnar_expr_fails(e, f, st, inner.why);
    out->i = columnar_like_match(p, a[0].s, a[0].len);
    return SEAM_OK;
}

enum seam_status columnar_expr_apply(const struct columnar_expr *e, const struct seam_value *a,
                                     struct seam_arena *mem, struct seam_value *out,
                                     struct seam_fault *f)
{
    const struct columnar_func_call *call = e->op == COLUMNAR_E_FUNC ? e->prepared : NULL;

    if (call != NULL && call->nulls) return call->eval(call, a, e->n_args, mem, out, f);
    *out = (struct seam_value){.type = e->type, .scale = e->scale};
    if (e->op == COLUMNAR_E_IS_NULL || e->op == COLUMNAR_E_IS_NOT_NULL) {
        out->i = (a[0].type == SEAM_V_NULL) == (e->op == COLUMNAR_E_IS_NULL);
        return SEAM_OK;
    }
    for (int k = 0; k < e->n_args && e->op != COLUMNAR_E_CONCAT && e->op != COLUMNAR_E_IN; k++)
        if (a[k].type == SEAM_V_NULL) {
            *out = seam_v_null();
            return SEAM_OK;
        }
    if (call != NULL) return call->eval(call, a, e->n_args, mem, out, f);
    switch (e->op) {
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV:
    case COLUMNAR_E_MOD:
    case COLUMNAR_E_NEG:
    case COLUMNAR_E_ABS: return arithmetic(e, a, out, f);
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE:
        out->i = compare_is(e->op, seam_value_compare(&a[0], &a[1]));
        return SEAM_OK;
    case COLUMNAR_E_NOT: out->i = !a[0].i; return SEAM_OK;
    case COLUMNAR_E_IN: {
        const struct columnar_in_set *set = e->prepared;

        if (a[0].type == SEAM_V_NULL)
            *out = seam_v_null();
        else if (columnar_in_set_has(set, &a[0]))
            out->i = 1;
        else if (set->has_null)
            *out = seam_v_null();
        return SEAM_OK;
    }
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_ILIKE: return like(e, a, mem, out, f);
    case COLUMNAR_E_CAST: return cast(e, a, mem, out, f);
    case COLUMNAR_E_TRY_CAST: {
        enum seam_status st = cast(e, a, mem, out, NULL);

        if (st == SEAM_OK || st == SEAM_NOMEM) return st;
        *out = seam_v_null();
        return SEAM_OK;
    }
    case COLUMNAR_E_DATE_TRUNC: out->i = columnar_date_trunc(e->part, a[0].i); return SEAM_OK;
    case COLUMNAR_E_DATE_PART: out->i = columnar_date_part_of(e->part, a[0].i); return SEAM_OK;
    case COLUMNAR_E_ROUND:
        return round_number(e, a, out) == SEAM_OK ? SEAM_OK : columnar_expr_overflow(e, f);
    default: return text_function(e, a, mem, out);
    }
}

/* The value that decides wins over arguments that fail, in whatever order they stand. */
static enum seam_status logic(const struct columnar_expr *e, const struct seam_value *row,
                              struct seam_arena *mem, struct seam_value *out, struct seam_fault *f)
{
    bool want = e->op == COLUMNAR_E_OR, unknown = false;
    enum seam_status failed = SEAM_OK;

    for (int k = 0; k < e->n_args && failed != SEAM_NOMEM; k++) {
        struct seam_value v;
        enum seam_status st = columnar_expr_eval_row(e->args[k], row, mem, &v, f);

        if (st != SEAM_OK) { /* f keeps the first */
            if (failed == SEAM_OK || st == SEAM_NOMEM) failed = st;
        } else if (v.type == SEAM_V_NULL) {
            unknown = true;
        } else if ((v.i != 0) == want) {
            if (failed != SEAM_OK && f != NULL) seam_fault_clear(f);
            *out = seam_v_bool(want);
            return SEAM_OK;
        }
    }
    *out = unknown ? seam_v_null() : seam_v_bool(!want);
    return failed;
}

static enum seam_status choice(const struct columnar_expr *e, const struct seam_value *row,
                               struct seam_arena *mem, struct seam_value *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *out = seam_v_null();
    if (e->op == COLUMNAR_E_COALESCE) {
        for (int k = 0; st == SEAM_OK && out->type == SEAM_V_NULL && k < e->n_args; k++)
            st = columnar_expr_eval_row(e->args[k], row, mem, out, f);
        return st;
    }
    for (int k = 0; k + 1 < e->n_args; k += 2) {
        struct seam_value when;

        st = columnar_expr_eval_row(e->args[k], row, mem, &when, f);
        if (st != SEAM_OK) return st;
        if (when.type != SEAM_V_NULL && when.i)
            return columnar_expr_eval_row(e->args[k + 1], row, mem, out, f);
    }
    if (e->n_args % 2 == 1) return columnar_expr_eval_row(e->args[e->n_args - 1], row, mem, out, f);
    return SEAM_OK;
}

enum seam_status columnar_expr_eval_row(const struct columnar_expr *e, const struct seam_value *row,
                                        struct seam_arena *mem, struct seam_value *out,
                                        struct seam_fault *f)
{
    struct seam_value few[4], *args = few;
    enum seam_status st = SEAM_OK;

    switch (e->op) {
    case COLUMNAR_E_COLUMN: *out = row[e->column]; return SEAM_OK;
    case COLUMNAR_E_CONST: *out = e->constant; return SEAM_OK;
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR: return logic(e, row, mem, out, f);
    case COLUMNAR_E_CASE:
    case COLUMNAR_E_COALESCE: return choice(e, row, mem, out, f);
    default: break;
    }
    if (e->n_args > (int)SEAM_ARRAY_LEN(few))
        args = seam_arena_alloc(mem, (size_t)e->n_args * sizeof *args);
    if (args == NULL) return SEAM_NOMEM;
    for (int k = 0; st == SEAM_OK && k < e->n_args; k++)
        st = columnar_expr_eval_row(e->args[k], row, mem, &args[k], f);
    return st == SEAM_OK ? columnar_expr_apply(e, args, mem, out, f) : st;
}
