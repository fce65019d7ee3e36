/* Times as text. The proleptic Gregorian calendar for the whole range of int64 microseconds; years
 * outside 0..9999 are written as ISO 8601 does, with a sign and six digits. Days from civil and
 * back: Neri & Schneider, "Euclidean affine functions and their application to calendar
 * algorithms", SP&E 2023, in the plain form of H. Hinnant's "days_from_civil".                   */
#include "engine/values/value.h"

#define US_PER_SECOND 1000000ll
#define US_PER_DAY    (86400ll * US_PER_SECOND)

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t era;
    unsigned year_of_era, day_of_year, day_of_era;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = (unsigned)(year - era * 400);
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void civil_from_days(int64_t days, struct seam_civil *c)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;

    c->day = (uint8_t)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (uint8_t)(mp < 10 ? mp + 3 : mp - 9);
    c->year = (int32_t)((int64_t)yoe + era * 400 + (c->month <= 2));
}

void seam_time_to_civil(int64_t us, struct seam_civil *c)
{
    int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
    uint32_t seconds;

    if (rest < 0) {
        rest += US_PER_DAY;
        days--;
    }
    civil_from_days(days, c);
    seconds = (uint32_t)(rest / US_PER_SECOND);
    c->micro = (uint32_t)(rest % US_PER_SECOND);
    c->hour = (uint8_t)(seconds / 3600);
    c->minute = (uint8_t)(seconds / 60 % 60);
    c->second = (uint8_t)(seconds % 60);
}

/* False when the moment lies outside int64 microseconds.                                         */
static bool civil_to_us(const struct seam_civil *c, int64_t offset_seconds, int64_t *us)
{
    int64_t days = days_from_civil(c->year, c->month, c->day);
    int64_t seconds = (int64_t)c->hour * 3600 + c->minute * 60 + c->second - offset_seconds;
    int64_t rest = seconds * US_PER_SECOND + c->micro, base;

    /* The first day of the range begins before INT64_MIN: borrow a day so that only the sum must
     * fit.                                                                                       */
    if (days < 0) {
        days++;
        rest -= US_PER_DAY;
    }
    return !__builtin_mul_overflow(days, US_PER_DAY, &base) &&
           !__builtin_add_overflow(base, rest, us);
}

int64_t seam_civil_to_time(const struct seam_civil *c)
{
    int64_t us = 0;

    if (!civil_to_us(c, 0, &us)) return c->year < 0 ? INT64_MIN : INT64_MAX;
    return us;
}

/* Exactly `digits` decimal digits.                                                               */
static bool take(const char **p, const char *end, unsigned digits, uint32_t *out)
{
    uint32_t v = 0;

    if ((size_t)(end - *p) < digits) return false;
    for (unsigned i = 0; i < digits; i++) {
        unsigned d = (unsigned)(unsigned char)(*p)[i] - '0';

        if (d > 9) return false;
        v = v * 10 + d;
    }
    *p += digits;
    *out = v;
    return true;
}

static bool take_char(const char **p, const char *end, char c)
{
    if (*p == end || **p != c) return false;
    (*p)++;
    return true;
}

static unsigned days_in_month(int32_t year, unsigned month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month] + (month == 2 && leap);
}

static bool parse_date(const char **p, const char *end, struct seam_civil *c)
{
    bool negative = false;
    unsigned digits = 4;
    uint32_t year, month, day;

    if (*p < end && (**p == '-' || **p == '+')) {
        negative = **p == '-';
        digits = 6;
        (*p)++;
    }
    if (!take(p, end, digits, &year) || !take_char(p, end, '-') || !take(p, end, 2, &month) ||
        !take_char(p, end, '-') || !take(p, end, 2, &day))
        return false;
    c->year = negative ? -(int32_t)year : (int32_t)year;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(c->year, month)) return false;
    c->month = (uint8_t)month;
    c->day = (uint8_t)day;
    return true;
}

/* Digits beyond microseconds must be zero: nothing is dropped silently.                          */
static bool parse_fraction(const char **p, const char *end, uint32_t *micro)
{
    unsigned digits = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, digits++) {
        if (digits < 6)
            *micro = *micro * 10 + (uint32_t)(**p - '0');
        else if (**p != '0')
            return false;
    }
    if (digits == 0) return false;
    for (; digits < 6; digits++) *micro *= 10;
    return true;
}

static bool parse_clock(const char **p, const char *end, struct seam_civil *c)
{
    uint32_t hour, minute, second = 0;

    if (!take(p, end, 2, &hour) || !take_char(p, end, ':') || !take(p, end, 2, &minute))
        return false;
    if (take_char(p, end, ':')) {
        if (!take(p, end, 2, &second)) return false;
        if (take_char(p, end, '.') && !parse_fraction(p, end, &c->micro)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    c->hour = (uint8_t)hour;
    c->minute = (uint8_t)minute;
    c->second = (uint8_t)second;
    return true;
}

static bool parse_offset(const char **p, const char *end, int64_t *seconds)
{
    bool negative;
    uint32_t hour, minute = 0;

    *seconds = 0;
    if (*p == end || take_char(p, end, 'Z') || take_char(p, end, 'z')) return true;
    if (**p != '+' && **p != '-') return false;
    negative = *(*p)++ == '-';
    if (!take(p, end, 2, &hour)) return false;
    if (*p < end) {
        take_char(p, end, ':');
        if (!take(p, end, 2, &minute)) return false;
    }
    if (hour > 23 || minute > 59) return false;
    *seconds = (int64_t)(hour * 3600 + minute * 60) * (negative ? -1 : 1);
    return true;
}

enum seam_status seam_time_parse(const char *s, size_t n, int64_t *us)
{
    const char *p = s, *end = s + n;
    struct seam_civil c = {0};
    int64_t offset = 0;

    if (!parse_date(&p, end, &c)) return SEAM_INVALID;
    if (p < end) {
        if (*p != 'T' && *p != ' ' && *p != 't') return SEAM_INVALID;
        p++;
        if (!parse_clock(&p, end, &c) || !parse_offset(&p, end, &offset)) return SEAM_INVALID;
    }
    if (p != end) return SEAM_INVALID;
    return civil_to_us(&c, offset, us) ? SEAM_OK : SEAM_LIMIT;
}

static char *put_digits(char *p, uint32_t v, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        p[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + digits;
}

size_t seam_time_format(int64_t us, char out[40])
{
    struct seam_civil c;
    char *p = out;

    seam_time_to_civil(us, &c);
    if (c.year < 0 || c.year > 9999) {
        *p++ = c.year < 0 ? '-' : '+';
        p = put_digits(p, (uint32_t)(c.year < 0 ? -c.year : c.year), 6);
    } else {
        p = put_digits(p, (uint32_t)c.year, 4);
    }
    *p++ = '-';
    p = put_digits(p, c.month, 2);
    *p++ = '-';
    p = put_digits(p, c.day, 2);
    *p++ = 'T';
    p = put_digits(p, c.hour, 2);
    *p++ = ':';
    p = put_digits(p, c.minute, 2);
    *p++ = ':';
    p = put_digits(p, c.second, 2);
    if (c.micro != 0) {
        *p++ = '.';
        p = put_digits(p, c.micro, 6);
        while (p[-1] == '0') p--;
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}
