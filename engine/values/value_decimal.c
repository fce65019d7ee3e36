/* value_decimal - whole numbers and decimals as text, and from one scale to another. */
#include "engine/values/value.h"

int64_t seam_decimal_pow10(unsigned n)
{
    static const int64_t powers[SEAM_DECIMAL_SCALE_MAX + 1] = {
        1ll,
        10ll,
        100ll,
        1000ll,
        10000ll,
        100000ll,
        1000000ll,
        10000000ll,
        100000000ll,
        1000000000ll,
        10000000000ll,
        100000000000ll,
        1000000000000ll,
        10000000000000ll,
        100000000000000ll,
        1000000000000000ll,
        10000000000000000ll,
        100000000000000000ll,
        1000000000000000000ll,
    };

    return powers[n <= SEAM_DECIMAL_SCALE_MAX ? n : SEAM_DECIMAL_SCALE_MAX];
}

/* u * 10 + digit, refusing what passes the magnitude an int64 of that sign can have.             */
static bool push_digit(uint64_t *u, unsigned digit, bool negative)
{
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);

    if (*u > (limit - digit) / 10) return false;
    *u = *u * 10 + digit;
    return true;
}

static int64_t with_sign(uint64_t u, bool negative)
{
    return negative ? (int64_t)(0 - u) : (int64_t)u;
}

enum seam_status seam_decimal_parse(const char *s, size_t n, unsigned scale, int64_t *out)
{
    const char *end = s + n;
    bool negative = false, point = false, any = false;
    unsigned fraction = 0;
    uint64_t u = 0;

    if (scale > SEAM_DECIMAL_SCALE_MAX) return SEAM_INVALID;
    if (s < end && (*s == '-' || *s == '+')) negative = *s++ == '-';
    for (; s < end; s++) {
        unsigned digit = (unsigned)(unsigned char)*s - '0';

        if (*s == '.' && !point) {
            point = true;
            continue;
        }
        if (digit > 9) return SEAM_INVALID;
        any = true;
        if (point && fraction == scale) {
            if (digit != 0) return SEAM_INVALID;
            continue;
        }
        if (!push_digit(&u, digit, negative)) return SEAM_LIMIT;
        fraction += point;
    }
    if (!any) return SEAM_INVALID;
    for (; fraction < scale; fraction++) {
        if (!push_digit(&u, 0, negative)) return SEAM_LIMIT;
    }
    *out = with_sign(u, negative);
    return SEAM_OK;
}

static size_t format_u64(uint64_t u, char *out)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    return n;
}

size_t seam_decimal_format(int64_t v, unsigned scale, char out[32])
{
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    uint64_t pow10 = (uint64_t)seam_decimal_pow10(scale);
    size_t n = 0;

    if (v < 0) out[n++] = '-';
    n += format_u64(u / pow10, out + n);
    if (scale > 0) {
        uint64_t rest = u % pow10;

        out[n++] = '.';
        for (unsigned i = scale; i > 0; i--) {
            out[n + i - 1] = (char)('0' + rest % 10);
            rest /= 10;
        }
        n += scale;
    }
    out[n] = '\0';
    return n;
}

enum seam_status seam_decimal_rescale(int64_t v, unsigned from, unsigned to, int64_t *out)
{
    if (from > SEAM_DECIMAL_SCALE_MAX || to > SEAM_DECIMAL_SCALE_MAX) return SEAM_INVALID;
    if (to >= from) {
        return __builtin_mul_overflow(v, seam_decimal_pow10(to - from), out) ? SEAM_LIMIT : SEAM_OK;
    }
    if (v % seam_decimal_pow10(from - to) != 0) return SEAM_INVALID;
    *out = v / seam_decimal_pow10(from - to);
    return SEAM_OK;
}

/* ---- int, bool, and the way in and out for all ---- */

enum seam_status seam_int_parse(const char *s, size_t n, int64_t *out)
{
    const char *end = s + n;
    bool negative = false;
    uint64_t u = 0;

    if (s < end && (*s == '-' || *s == '+')) negative = *s++ == '-';
    if (s == end) return SEAM_INVALID;
    for (const char *p = s; p < end; p++) {
        if (*p < '0' || *p > '9') return SEAM_INVALID;
    }
    for (; s < end; s++) {
        if (!push_digit(&u, (unsigned)(*s - '0'), negative)) return SEAM_LIMIT;
    }
    *out = with_sign(u, negative);
    return SEAM_OK;
}
