/* expr_row - expressions one row at a time: the truth the vectors are held to. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "columnar/exec/expr_impl.h"

static const int64_t SECOND_US = 1000000, MINUTE_US = 60000000, HOUR_US = 3600000000, DAY_US = 86400000000;

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

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
    return (int64_t)((uint64_t)a * (uint64_t)b); /* timestamps near the ends of int64 wrap, harmlessly */
}

int64_t date_trunc(enum date_part part, int64_t us)
{
    int64_t days = floor_div(us, DAY_US), year;
    unsigned month, day;

    switch (part) {
    case PART_SECOND: return times(floor_div(us, SECOND_US), SECOND_US);
    case PART_MINUTE: return times(floor_div(us, MINUTE_US), MINUTE_US);
    case PART_HOUR: return times(floor_div(us, HOUR_US), HOUR_US);
    case PART_WEEK: return times(floor_div(days + 3, 7) * 7 - 3, DAY_US); /* Monday */
    case PART_YEAR:
    case PART_QUARTER:
    case PART_MONTH:
        civil_of_days(days, &year, &month, &day);
        if (part == PART_YEAR) month = 1;
        if (part == PART_QUARTER) month = (month - 1) / 3 * 3 + 1;
        return times(days_of_civil(year, month, 1), DAY_US);
    default: return times(days, DAY_US);
    }
}

int64_t date_part_of(enum date_part part, int64_t us)
{
    int64_t days = floor_div(us, DAY_US), year, in_day = us - times(days, DAY_US);
    unsigned month, day;

    civil_of_days(days, &year, &month, &day);
    switch (part) {
    case PART_YEAR: return year;
    case PART_QUARTER: return (month + 2) / 3;
    case PART_MONTH: return month;
    case PART_WEEK: { /* ISO 8601: the week belongs to the year of its Thursday */
        int64_t thursday = floor_div(days + 3, 7) * 7, first;

        civil_of_days(thursday, &year, &month, &day);
        first = days_of_civil(year, 1, 1);
        return (thursday - first) / 7 + 1;
    }
    case PART_DAY: return day;
    case PART_HOUR: return in_day / HOUR_US;
    case PART_MINUTE: return in_day / MINUTE_US % 60;
    case PART_SECOND: return in_day / SECOND_US % 60;
    case PART_DOW: return days - (floor_div(days + 4, 7) * 7 - 4); /* Sunday = 0 */
    case PART_DOY: return days - days_of_civil(year, 1, 1) + 1;
    default: return 0;
    }
}

static enum status overflow(const struct expr *e, struct fault *f)
{
    return fault_set(f, ST_LIMIT, NULL, FAULT_NO_OFFSET, "%s overflows 64 bits", expr_op_name(e->op));
}

static enum status arithmetic(const struct expr *e, const struct value *a, struct value *out,
                              struct fault *f)
{
    bool bad = false;

    if (e->type == V_DOUBLE) {
        double x = a[0].d, y = e->n_args > 1 ? a[1].d : 0;

        switch (e->op) {
        case E_ADD: out->d = x + y; break;
        case E_SUB: out->d = x - y; break;
        case E_MUL: out->d = x * y; break;
        case E_NEG: out->d = -x; break;
        case E_ABS: out->d = fabs(x); break;
        default:
            if (y == 0) *out = v_null();
            else out->d = x / y;
        }
        return ST_OK;
    }
    switch (e->op) {
    case E_ADD: bad = __builtin_add_overflow(a[0].i, a[1].i, &out->i); break;
    case E_SUB: bad = __builtin_sub_overflow(a[0].i, a[1].i, &out->i); break;
    case E_MUL: bad = __builtin_mul_overflow(a[0].i, a[1].i, &out->i); break;
    case E_NEG: bad = __builtin_sub_overflow((int64_t)0, a[0].i, &out->i); break;
    case E_ABS: bad = __builtin_sub_overflow((int64_t)0, a[0].i, &out->i);
        if (a[0].i >= 0) { bad = false; out->i = a[0].i; }
        break;
    default: /* E_MOD */
        if (a[1].i == 0) *out = v_null();
        else out->i = a[1].i == -1 ? 0 : a[0].i % a[1].i;
    }
    return bad ? overflow(e, f) : ST_OK;
}

static void format_value(const struct value *v, struct arena *mem, struct value *out, bool *ok)
{
    struct buf b = {0};
    char *s;

    value_format(v, &b);
    s = buf_ok(&b) ? arena_strdup(mem, (const char *)b.data, b.size) : NULL;
    *ok = s != NULL;
    if (*ok) *out = v_text(s, b.size);
    buf_free(&b);
}

static enum status cast(const struct expr *e, const struct value *a, struct arena *mem, struct value *out,
                        struct fault *f)
{
    enum status st = ST_OK;
    bool ok = true;

    if (e->type == V_TEXT) {
        format_value(a, mem, out, &ok);
        return ok ? ST_OK : ST_NOMEM;
    }
    if (a->type == V_TEXT) {
        st = value_parse(a->s, a->len, e->type, e->scale, out);
        if (st != ST_OK)
            return fault_set(f, ST_INVALID, NULL, FAULT_NO_OFFSET, "'%.*s' is not a %s",
                             (int)(a->len > 60 ? 60 : a->len), a->s, value_type_name(e->type));
        return ST_OK;
    }
    if (e->type == V_DOUBLE) {
        if (a->type == V_DECIMAL) out->d = (double)a->i / (double)decimal_pow10(a->scale);
        else if (a->type == V_DOUBLE) out->d = a->d;
        else out->d = (double)a->i;
        return ST_OK;
    }
    if (a->type == V_DOUBLE) {
        double scaled = rint(a->d * (double)decimal_pow10(e->scale));

        if (!(fabs(scaled) < 9.2e18)) return overflow(e, f);
        out->i = e->type == V_BOOL ? a->d != 0 : (int64_t)scaled;
        return ST_OK;
    }
    out->i = a->i;
    if (e->type == V_BOOL) out->i = a->i != 0;
    if (a->scale > e->scale) { /* fewer digits: round half away from zero */
        int64_t p = decimal_pow10(a->scale - e->scale), rest = a->i % p;

        out->i = a->i / p + (rest >= (p + 1) / 2 && rest > 0) - (-rest >= (p + 1) / 2 && rest < 0);
    } else if (a->scale < e->scale && decimal_rescale(a->i, a->scale, e->scale, &out->i) != ST_OK) {
        return overflow(e, f);
    }
    return ST_OK;
}

static enum status text_function(const struct expr *e, const struct value *a, struct arena *mem,
                                 struct value *out)
{
    char *s;
    size_t n = a[0].len, from = 0;

    switch (e->op) {
    case E_LENGTH: { /* characters: bytes that do not continue one */
        int64_t count = 0;

        for (size_t i = 0; i < n; i++) count += (a[0].s[i] & 0xc0) != 0x80;
        out->i = count;
        return ST_OK;
    }
    case E_SUBSTR: {
        int64_t begin = a[1].i < 1 ? 1 : a[1].i, left = e->n_args > 2 ? a[2].i : INT64_MAX, at = 1;
        size_t end;

        if (e->n_args > 2 && a[1].i < 1) left += a[1].i - 1;
        while (from < n && at < begin)
            if (++from == n || (a[0].s[from] & 0xc0) != 0x80) at++;
        for (end = from; end < n && left > 0;)
            if (++end == n || (a[0].s[end] & 0xc0) != 0x80) left--;
        *out = v_text(a[0].s + from, end > from ? end - from : 0);
        return ST_OK;
    }
    case E_CONCAT:
        n = 0;
        for (int k = 0; k < e->n_args; k++) n += a[k].type == V_NULL ? 0 : a[k].len;
        s = arena_alloc(mem, n + 1);
        if (s == NULL) return ST_NOMEM;
        for (int k = 0; k < e->n_args; k++) {
            if (a[k].type == V_NULL) continue;
            if (a[k].len > 0) memcpy(s + from, a[k].s, a[k].len);
            from += a[k].len;
        }
        *out = v_text(s, n);
        return ST_OK;
    default: /* LOWER, UPPER */
        s = arena_alloc(mem, n + 1);
        if (s == NULL) return ST_NOMEM;
        for (size_t i = 0; i < n; i++) {
            uint8_t c = (uint8_t)a[0].s[i];

            s[i] = (char)(e->op == E_LOWER ? fold_byte(c) : c >= 'a' && c <= 'z' ? c - 32 : c);
        }
        *out = v_text(s, n);
        return ST_OK;
    }
}

static enum status round_number(const struct expr *e, const struct value *a, struct value *out)
{
    int64_t digits = e->n_args > 1 ? a[1].i : 0;

    if (digits > 15) digits = 15;
    if (digits < -15) digits = -15;
    if (e->type == V_DOUBLE) {
        double p = pow(10, (double)(digits < 0 ? -digits : digits));

        out->d = digits < 0 ? round(a[0].d / p) * p : round(a[0].d * p) / p;
    } else { /* in place: the scale stays, digits become 0 */
        int64_t drop = a[0].scale - digits, p, rest;

        out->i = a[0].i;
        if (drop <= 0) return ST_OK;
        if (drop > 18) {
            out->i = 0;
            return ST_OK;
        }
        p = decimal_pow10((unsigned)drop);
        rest = a[0].i % p;
        out->i = a[0].i - rest;
        if (rest >= (p + 1) / 2 && rest > 0 && __builtin_add_overflow(out->i, p, &out->i)) return ST_LIMIT;
        if (-rest >= (p + 1) / 2 && rest < 0 && __builtin_sub_overflow(out->i, p, &out->i)) return ST_LIMIT;
    }
    return ST_OK;
}

static int order(const void *a, const void *b) { return value_compare(a, b); }

bool in_set_has(const struct in_set *s, const struct value *v)
{
    return bsearch(v, s->values, s->count, sizeof *s->values, order) != NULL;
}

static bool compare_is(enum expr_op op, int c)
{
    switch (op) {
    case E_EQ: return c == 0;
    case E_NE: return c != 0;
    case E_LT: return c < 0;
    case E_LE: return c <= 0;
    case E_GT: return c > 0;
    default: return c >= 0;
    }
}

enum status expr_apply(const struct expr *e, const struct value *a, struct arena *mem, struct value *out,
                       struct fault *f)
{
    *out = (struct value){.type = e->type, .scale = e->scale};
    if (e->op == E_IS_NULL || e->op == E_IS_NOT_NULL) {
        out->i = (a[0].type == V_NULL) == (e->op == E_IS_NULL);
        return ST_OK;
    }
    for (int k = 0; k < e->n_args && e->op != E_CONCAT && e->op != E_IN; k++)
        if (a[k].type == V_NULL) {
            *out = v_null();
            return ST_OK;
        }
    switch (e->op) {
    case E_ADD: case E_SUB: case E_MUL: case E_DIV: case E_MOD: case E_NEG: case E_ABS:
        return arithmetic(e, a, out, f);
    case E_EQ: case E_NE: case E_LT: case E_LE: case E_GT: case E_GE:
        out->i = compare_is(e->op, value_compare(&a[0], &a[1]));
        return ST_OK;
    case E_NOT:
        out->i = !a[0].i;
        return ST_OK;
    case E_IN: {
        const struct in_set *set = e->prepared;

        if (a[0].type == V_NULL) *out = v_null();
        else if (in_set_has(set, &a[0])) out->i = 1;
        else if (set->has_null) *out = v_null();
        return ST_OK;
    }
    case E_LIKE: case E_ILIKE:
        out->i = like_match(e->prepared, a[0].s, a[0].len);
        return ST_OK;
    case E_CAST:
        return cast(e, a, mem, out, f);
    case E_DATE_TRUNC:
        out->i = date_trunc(e->part, a[0].i);
        return ST_OK;
    case E_DATE_PART:
        out->i = date_part_of(e->part, a[0].i);
        return ST_OK;
    case E_ROUND:
        return round_number(e, a, out) == ST_OK ? ST_OK : overflow(e, f);
    default:
        return text_function(e, a, mem, out);
    }
}

static enum status logic(const struct expr *e, const struct value *row, struct arena *mem,
                         struct value *out, struct fault *f)
{
    bool want = e->op == E_OR, unknown = false;

    for (int k = 0; k < e->n_args; k++) {
        struct value v;
        enum status st = expr_eval_row(e->args[k], row, mem, &v, f);

        if (st != ST_OK) return st;
        if (v.type == V_NULL) {
            unknown = true;
        } else if ((v.i != 0) == want) {
            *out = v_bool(want);
            return ST_OK;
        }
    }
    *out = unknown ? v_null() : v_bool(!want);
    return ST_OK;
}

static enum status choice(const struct expr *e, const struct value *row, struct arena *mem,
                          struct value *out, struct fault *f)
{
    enum status st = ST_OK;

    *out = v_null();
    if (e->op == E_COALESCE) {
        for (int k = 0; st == ST_OK && out->type == V_NULL && k < e->n_args; k++)
            st = expr_eval_row(e->args[k], row, mem, out, f);
        return st;
    }
    for (int k = 0; k + 1 < e->n_args; k += 2) {
        struct value when;

        st = expr_eval_row(e->args[k], row, mem, &when, f);
        if (st != ST_OK) return st;
        if (when.type != V_NULL && when.i) return expr_eval_row(e->args[k + 1], row, mem, out, f);
    }
    if (e->n_args % 2 == 1) return expr_eval_row(e->args[e->n_args - 1], row, mem, out, f);
    return ST_OK;
}

enum status expr_eval_row(const struct expr *e, const struct value *row, struct arena *mem,
                          struct value *out, struct fault *f)
{
    struct value few[4], *args = few;
    enum status st = ST_OK;

    switch (e->op) {
    case E_COLUMN:
        *out = row[e->column];
        return ST_OK;
    case E_CONST:
        *out = e->constant;
        return ST_OK;
    case E_AND: case E_OR:
        return logic(e, row, mem, out, f);
    case E_CASE: case E_COALESCE:
        return choice(e, row, mem, out, f);
    default:
        break;
    }
    if (e->n_args > (int)ARRAY_LEN(few)) args = arena_alloc(mem, (size_t)e->n_args * sizeof *args);
    if (args == NULL) return ST_NOMEM;
    for (int k = 0; st == ST_OK && k < e->n_args; k++) st = expr_eval_row(e->args[k], row, mem, &args[k], f);
    return st == ST_OK ? expr_apply(e, args, mem, out, f) : st;
}
