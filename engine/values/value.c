/* value - comparing, parsing and printing one cell. */
#include "engine/values/value.h"

#include <math.h>
#include <strings.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

static const char *const type_names[SEAM_V_TYPE_COUNT] = {
    [SEAM_V_NULL] = "null",       [SEAM_V_INT] = "int64", [SEAM_V_DOUBLE] = "double",
    [SEAM_V_DECIMAL] = "decimal", [SEAM_V_BOOL] = "bool", [SEAM_V_TIME] = "timestamp",
    [SEAM_V_TEXT] = "text",
};

struct seam_value seam_v_str(const char *terminated)
{
    return seam_v_text(terminated, strlen(terminated));
}

const char *seam_value_type_name(enum seam_value_type t)
{
    return (unsigned)t < SEAM_V_TYPE_COUNT ? type_names[t] : "unknown";
}

bool seam_value_type_parse(const char *name, enum seam_value_type *out)
{
    for (int t = SEAM_V_INT; t < SEAM_V_TYPE_COUNT; t++) {
        if (strcmp(name, type_names[t]) == 0) {
            *out = (enum seam_value_type)t;
            return true;
        }
    }
    return false;
}

/* ---- order ---- */

/* Types that compare with each other share a rank.                                               */
static int type_rank(uint8_t type)
{
    static const uint8_t ranks[SEAM_V_TYPE_COUNT] = {
        [SEAM_V_NULL] = 0, [SEAM_V_INT] = 1,  [SEAM_V_DOUBLE] = 1, [SEAM_V_DECIMAL] = 1,
        [SEAM_V_BOOL] = 2, [SEAM_V_TIME] = 3, [SEAM_V_TEXT] = 4,
    };

    return type < SEAM_V_TYPE_COUNT ? ranks[type] : SEAM_V_TYPE_COUNT;
}

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_double(double a, double b)
{
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

static int compare_decimals(int64_t a, unsigned scale_a, int64_t b, unsigned scale_b)
{
    int128 x = a, y = b;

    if (scale_a < scale_b)
        x *= seam_decimal_pow10(scale_b - scale_a);
    else
        y *= seam_decimal_pow10(scale_a - scale_b);
    return (x > y) - (x < y);
}

/* The fraction |num| / 10^scale (below 1) against frac in [0, 1), without rounding: both sides are
 * brought to integers, frac being m * 2^-shift with m below 2^53.                                */
static int compare_fraction(uint64_t num, unsigned scale, double frac)
{
    int exponent;
    uint64_t m;
    unsigned shift;
    uint128 left, right;

    if (frac == 0.0 || num == 0) return (num > 0) - (frac > 0.0);
    m = (uint64_t)ldexp(frexp(frac, &exponent), 53);
    shift = (unsigned)(53 - exponent);
    /* m * 10^18 is below 2^113: a left side that would pass 2^126 is greater. */
    if (64u - (unsigned)__builtin_clzll(num) + shift > 126) return 1;
    left = (uint128)num << shift;
    right = (uint128)m * (uint64_t)seam_decimal_pow10(scale);
    return (left > right) - (left < right);
}

static int compare_decimal_double(int64_t v, unsigned scale, double d)
{
    int64_t pow10 = seam_decimal_pow10(scale);
    int64_t whole_v = v / pow10, rest_v = v % pow10, whole_d;
    double rest_d;
    bool negative;
    int c;

    if (isnan(d)) return -1;
    if (d >= 9223372036854775808.0) return -1;
    if (d < -9223372036854775808.0) return 1;
    whole_d = (int64_t)d;
    if (whole_v != whole_d) return compare_i64(whole_v, whole_d);
    rest_d = d - (double)whole_d;
    negative = rest_v < 0 || rest_d < 0;
    if (negative && (rest_v > 0 || rest_d > 0)) return rest_v > 0 ? 1 : -1;
    c = compare_fraction((uint64_t)(rest_v < 0 ? -rest_v : rest_v), scale, fabs(rest_d));
    return negative ? -c : c;
}

static unsigned number_scale(const struct seam_value *v)
{
    return v->type == SEAM_V_DECIMAL ? v->scale : 0;
}

static int compare_numbers(const struct seam_value *a, const struct seam_value *b)
{
    if (a->type == SEAM_V_DOUBLE && b->type == SEAM_V_DOUBLE) return compare_double(a->d, b->d);
    if (a->type == SEAM_V_DOUBLE) return -compare_decimal_double(b->i, number_scale(b), a->d);
    if (b->type == SEAM_V_DOUBLE) return compare_decimal_double(a->i, number_scale(a), b->d);
    if (number_scale(a) == number_scale(b)) return compare_i64(a->i, b->i);
    return compare_decimals(a->i, number_scale(a), b->i, number_scale(b));
}

int seam_value_compare(const struct seam_value *a, const struct seam_value *b)
{
    int rank_a = type_rank(a->type), rank_b = type_rank(b->type);

    if (rank_a != rank_b) return rank_a < rank_b ? -1 : 1;
    if (a->type == SEAM_V_NULL) return 0;
    if (a->type == SEAM_V_TEXT) {
        uint32_t n = a->len < b->len ? a->len : b->len;
        int c = n > 0 ? memcmp(a->s, b->s, n) : 0;

        if (c != 0) return c < 0 ? -1 : 1;
        return (a->len > b->len) - (a->len < b->len);
    }
    if (rank_a == 1) return compare_numbers(a, b);
    return compare_i64(a->i, b->i);
}

bool seam_value_equal(const struct seam_value *a, const struct seam_value *b)
{
    return seam_value_compare(a, b) == 0;
}

static enum seam_status bool_parse(const char *s, size_t n, int64_t *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"1", true},
                 {"0", false},   {"t", true},      {"f", false}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(words); i++) {
        if (strlen(words[i].word) == n && strncasecmp(words[i].word, s, n) == 0) {
            *out = words[i].value;
            return SEAM_OK;
        }
    }
    return SEAM_INVALID;
}

enum seam_status seam_value_parse(const char *s, size_t n, enum seam_value_type t, unsigned scale,
                                  struct seam_value *out)
{
    struct seam_value v = {.type = (uint8_t)t};
    enum seam_status st = SEAM_INVALID;

    if (n == 0 && t != SEAM_V_TEXT) {
        *out = seam_v_null();
        return SEAM_OK;
    }
    switch (t) {
    case SEAM_V_INT: st = seam_int_parse(s, n, &v.i); break;
    case SEAM_V_DOUBLE: st = seam_double_parse(s, n, &v.d); break;
    case SEAM_V_DECIMAL:
        v.scale = (uint8_t)scale;
        st = seam_decimal_parse(s, n, scale, &v.i);
        break;
    case SEAM_V_BOOL: st = bool_parse(s, n, &v.i); break;
    case SEAM_V_TIME: st = seam_time_parse(s, n, &v.i); break;
    case SEAM_V_TEXT:
        if (n > SEAM_TEXT_MAX) return SEAM_LIMIT;
        v = seam_v_text(s, n);
        st = SEAM_OK;
        break;
    case SEAM_V_NULL:
    case SEAM_V_TYPE_COUNT: break;
    }
    if (st == SEAM_OK) *out = v;
    return st;
}

void seam_value_format(const struct seam_value *v, struct seam_buf *out)
{
    char text[40];

    switch ((enum seam_value_type)v->type) {
    case SEAM_V_INT: seam_buf_append(out, text, seam_decimal_format(v->i, 0, text)); break;
    case SEAM_V_DOUBLE: seam_buf_append(out, text, seam_double_format(v->d, text)); break;
    case SEAM_V_DECIMAL:
        seam_buf_append(out, text, seam_decimal_format(v->i, v->scale, text));
        break;
    case SEAM_V_BOOL: seam_buf_str(out, v->i ? "true" : "false"); break;
    case SEAM_V_TIME: seam_buf_append(out, text, seam_time_format(v->i, text)); break;
    case SEAM_V_TEXT: seam_buf_append(out, v->s, v->len); break;
    case SEAM_V_NULL:
    case SEAM_V_TYPE_COUNT: break;
    }
}
