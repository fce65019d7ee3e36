/* Doubles as text, whatever the process's locale says about decimal points. Fast paths rest on one
 * fact: an integer below 2^53 times or divided by a power of ten up to 10^22 is one correctly
 * rounded operation (Clinger, "How to read floating point numbers accurately", 1990).            */
#include "engine/values/value.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* What one pass over the text finds. */
struct scanned {
    uint64_t mantissa;
    int exponent;
    bool negative;
    bool exact; /* the mantissa holds every digit */
};

static const char *scan_digits(const char *p, const char *end, struct scanned *x, bool fraction)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (x->mantissa >= 100000000000000000ull) x->exact = false;
        if (x->exact) x->mantissa = x->mantissa * 10 + (uint64_t)(*p - '0');
        if (fraction) x->exponent--;
    }
    return p;
}

static const char *scan_exponent(const char *p, const char *end, struct scanned *x)
{
    bool negative = false;
    int e = 0;

    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end) return NULL;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (e < 100000) e = e * 10 + (*p - '0');
    }
    x->exponent += negative ? -e : e;
    return p;
}

/* The grammar: [+-] digits [. digits] [e [+-] digits], at least one digit in the first two parts.
 */
static bool scan(const char *s, const char *end, struct scanned *x)
{
    const char *p = s, *start;

    if (p < end && (*p == '-' || *p == '+')) x->negative = *p++ == '-';
    start = p;
    p = scan_digits(p, end, x, false);
    if (p < end && *p == '.') {
        const char *after = p + 1;

        p = scan_digits(after, end, x, true);
        if (p == after && after - 1 == start) return false;
    } else if (p == start) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = scan_exponent(p + 1, end, x);
        if (p == NULL) return false;
        if (p[-1] < '0' || p[-1] > '9') return false;
    }
    return p == end;
}

/* The rest: correctly rounded by the C library under the "C" locale.                             */
static enum seam_status parse_slow(const char *s, size_t n, double *out)
{
    enum seam_status st = SEAM_OK;
    char small[128], *text = small, *end = NULL;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    if (c == (locale_t)0) return SEAM_NOMEM;
    if (n >= sizeof small) text = malloc(n + 1);
    if (text == NULL) {
        st = SEAM_NOMEM;
        goto done;
    }
    memcpy(text, s, n);
    text[n] = '\0';
    *out = strtod_l(text, &end, c);
    if (end != text + n)
        st = SEAM_INVALID;
    else if (isinf(*out))
        st = SEAM_LIMIT;
done:
    if (text != small) free(text);
    freelocale(c);
    return st;
}

static bool is_word(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(s, word, n) == 0;
}

enum seam_status seam_double_parse(const char *s, size_t n, double *out)
{
    struct scanned x = {.exact = true};

    if (!scan(s, s + n, &x)) {
        if (is_word(s, n, "nan"))
            *out = NAN;
        else if (is_word(s, n, "inf"))
            *out = INFINITY;
        else if (is_word(s, n, "-inf"))
            *out = -INFINITY;
        else
            return SEAM_INVALID;
        return SEAM_OK;
    }
    if (x.exact && x.mantissa <= (1ull << 53) && x.exponent >= -22 && x.exponent <= 22) {
        double d = (double)x.mantissa;

        d = x.exponent < 0 ? d / powers[-x.exponent] : d * powers[x.exponent];
        *out = x.negative ? -d : d;
        return SEAM_OK;
    }
    return parse_slow(s, n, out);
}

/* Numbers of at most 15 digits with at most 6 after the point, which are most of a shop's: the
 * fewest decimals that read back equal are the shortest text.                                    */
static size_t format_short(double d, char out[32])
{
    double magnitude = fabs(d);

    if (!(magnitude < 1e9) || (d == 0 && signbit(d))) return 0;
    for (unsigned k = 0; k <= 6; k++) {
        double scaled = magnitude * powers[k];
        int64_t i = (int64_t)(scaled + 0.5);

        if ((double)i / powers[k] == magnitude) return seam_decimal_format(d < 0 ? -i : i, k, out);
    }
    return 0;
}

size_t seam_double_format(double d, char out[32])
{
    size_t n;

    if (isnan(d)) return (size_t)snprintf(out, 32, "nan");
    if (isinf(d)) return (size_t)snprintf(out, 32, d < 0 ? "-inf" : "inf");
    n = format_short(d, out);
    if (n > 0) return n;
    for (int digits = 15; digits <= 17; digits++) {
        double back;

        n = (size_t)snprintf(out, 32, "%.*g", digits, d);
        for (size_t i = 0; i < n; i++) {
            if (strchr("0123456789+-eE", out[i]) == NULL) out[i] = '.'; /* a locale's point */
        }
        if (seam_double_parse(out, n, &back) == SEAM_OK && back == d) break;
    }
    return n;
}
