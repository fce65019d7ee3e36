/* func_time - scalar functions of times. */
#include <stdio.h>
#include <string.h>

#include "columnar/exec/func.h"

#define FUNC(name)                                                                                 \
    static enum seam_status name(const struct columnar_func_call *c, const struct seam_value *a,   \
                                 int n, struct seam_arena *mem, struct seam_value *out,            \
                                 struct seam_fault *f)
#define UNUSED (void)c, (void)n, (void)mem, (void)f

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static enum seam_status past_the_end(struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_LIMIT, NULL, SEAM_FAULT_NO_OFFSET,
                          "the time is outside of the years 1 to 9999");
}

/* t, months, microseconds: the day is the month's last where it has not so many. */
FUNC(time_add)
{
    struct seam_civil civil;
    int64_t months;

    UNUSED;
    *out = a[0];
    if (a[1].i != 0) {
        seam_time_to_civil(a[0].i, &civil);
        months = (int64_t)civil.year * 12 + civil.month - 1 + a[1].i;
        if (months < 12 || months >= 12 * 10000) return past_the_end(f);
        civil.year = (int32_t)(months / 12);
        civil.month = (uint8_t)(months % 12 + 1);
        if (civil.day > month_days(civil.year, civil.month))
            civil.day = (uint8_t)month_days(civil.year, civil.month);
        out->i = seam_civil_to_time(&civil);
    }
    return __builtin_add_overflow(out->i, a[2].i, &out->i) ? past_the_end(f) : SEAM_OK;
}

FUNC(last_day)
{
    struct seam_civil civil;

    UNUSED;
    seam_time_to_civil(a[0].i, &civil);
    civil.day = (uint8_t)month_days(civil.year, civil.month);
    civil.hour = civil.minute = civil.second = 0;
    civil.micro = 0;
    *out = seam_v_time(seam_civil_to_time(&civil));
    return SEAM_OK;
}

FUNC(make_date)
{
    struct seam_civil civil = {0};

    UNUSED;
    if (a[0].i < 1 || a[0].i > 9999 || a[1].i < 1 || a[1].i > 12 || a[2].i < 1 ||
        a[2].i > month_days((int)a[0].i, (int)a[1].i))
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET, "there is no such day");
    civil.year = (int32_t)a[0].i;
    civil.month = (uint8_t)a[1].i;
    civil.day = (uint8_t)a[2].i;
    *out = seam_v_time(seam_civil_to_time(&civil));
    return SEAM_OK;
}

FUNC(epoch)
{
    UNUSED;
    *out = seam_v_double((double)a[0].i / 1e6);
    return SEAM_OK;
}

FUNC(epoch_ms)
{
    UNUSED;
    *out = seam_v_int(a[0].i / 1000 - (a[0].i % 1000 < 0));
    return SEAM_OK;
}

FUNC(day_name)
{
    UNUSED;
    *out = seam_v_str(day_names[columnar_date_part_of(COLUMNAR_PART_DOW, a[0].i)]);
    return SEAM_OK;
}

FUNC(month_name)
{
    UNUSED;
    *out = seam_v_str(month_names[columnar_date_part_of(COLUMNAR_PART_MONTH, a[0].i) - 1]);
    return SEAM_OK;
}

FUNC(part_number)
{
    enum columnar_date_part part = strcmp(c->name, "second") == 0      ? COLUMNAR_PART_SECOND
                                   : strcmp(c->name, "dayofyear") == 0 ? COLUMNAR_PART_DOY
                                                                       : COLUMNAR_PART_DOW;

    UNUSED;
    *out = seam_v_int(columnar_date_part_of(part, a[0].i));
    return SEAM_OK;
}

/* date_diff('unit', from, to): how many bounds of the unit lie between. */
FUNC(date_diff)
{
    enum columnar_date_part part;
    struct seam_civil x, y;
    int64_t us;

    UNUSED;
    if (!columnar_date_part_parse(a[0].s, a[0].len, &part) || part >= COLUMNAR_PART_DOW)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "not a unit of time: year, quarter, month, week, day, hour ...");
    seam_time_to_civil(a[1].i, &x);
    seam_time_to_civil(a[2].i, &y);
    switch (part) {
    case COLUMNAR_PART_YEAR: *out = seam_v_int(y.year - x.year); return SEAM_OK;
    case COLUMNAR_PART_QUARTER:
        *out = seam_v_int((y.year - x.year) * 4 + (y.month - 1) / 3 - (x.month - 1) / 3);
        return SEAM_OK;
    case COLUMNAR_PART_MONTH:
        *out = seam_v_int((y.year - x.year) * 12 + y.month - x.month);
        return SEAM_OK;
    default: break;
    }
    us = part == COLUMNAR_PART_WEEK     ? INT64_C(604800000000)
         : part == COLUMNAR_PART_DAY    ? INT64_C(86400000000)
         : part == COLUMNAR_PART_HOUR   ? INT64_C(3600000000)
         : part == COLUMNAR_PART_MINUTE ? INT64_C(60000000)
                                        : INT64_C(1000000);
    *out = seam_v_int((columnar_date_trunc(part, a[2].i) - columnar_date_trunc(part, a[1].i)) / us);
    return SEAM_OK;
}

/* ---- strftime ---- */

static bool one_mark(char mark, int64_t us, const struct seam_civil *t, char out[32])
{
    int hour12 = t->hour % 12 == 0 ? 12 : t->hour % 12;
    int dow = (int)columnar_date_part_of(COLUMNAR_PART_DOW, us);

    switch (mark) {
    case 'Y': snprintf(out, 32, "%04d", (int)t->year); break;
    case 'y': snprintf(out, 32, "%02d", (int)t->year % 100); break;
    case 'm': snprintf(out, 32, "%02d", t->month); break;
    case 'd': snprintf(out, 32, "%02d", t->day); break;
    case 'e': snprintf(out, 32, "%2d", t->day); break;
    case 'H': snprintf(out, 32, "%02d", t->hour); break;
    case 'I': snprintf(out, 32, "%02d", hour12); break;
    case 'M': snprintf(out, 32, "%02d", t->minute); break;
    case 'S': snprintf(out, 32, "%02d", t->second); break;
    case 'f': snprintf(out, 32, "%06u", (unsigned)t->micro); break;
    case 'p': snprintf(out, 32, "%s", t->hour < 12 ? "AM" : "PM"); break;
    case 'j': snprintf(out, 32, "%03d", (int)columnar_date_part_of(COLUMNAR_PART_DOY, us)); break;
    case 'A': snprintf(out, 32, "%s", day_names[dow]); break;
    case 'a': snprintf(out, 32, "%.3s", day_names[dow]); break;
    case 'B': snprintf(out, 32, "%s", month_names[t->month - 1]); break;
    case 'b': snprintf(out, 32, "%.3s", month_names[t->month - 1]); break;
    case 'w': snprintf(out, 32, "%d", dow); break;
    case 'V': snprintf(out, 32, "%02d", (int)columnar_date_part_of(COLUMNAR_PART_WEEK, us)); break;
    case 'F': snprintf(out, 32, "%04d-%02d-%02d", (int)t->year, t->month, t->day); break;
    case 'T': snprintf(out, 32, "%02d:%02d:%02d", t->hour, t->minute, t->second); break;
    case '%': snprintf(out, 32, "%%"); break;
    default: return false;
    }
    return true;
}

static enum seam_status keep(struct seam_buf *b, struct seam_arena *mem, struct seam_value *out)
{
    const char *s =
        seam_buf_ok(b)
            ? seam_arena_strdup(mem, b->data == NULL ? "" : (const char *)b->data, b->size)
            : NULL;

    if (s != NULL) *out = seam_v_text(s, b->size);
    seam_buf_free(b);
    return s != NULL ? SEAM_OK : SEAM_NOMEM;
}

FUNC(format_time)
{
    bool text_first = a[0].type == SEAM_V_TEXT; /* strftime(format, t), as SQLite has it */
    const struct seam_value *t = &a[text_first], *format = &a[!text_first];
    struct seam_civil civil;
    struct seam_buf b = {0};
    char piece[32];

    UNUSED;
    if (t->type != SEAM_V_TIME || format->type != SEAM_V_TEXT)
        return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                              "%s takes a time and a format", c->name);
    seam_time_to_civil(t->i, &civil);
    for (uint32_t i = 0; i < format->len; i++) {
        if (format->s[i] != '%' || i + 1 == format->len) {
            seam_buf_u8(&b, (uint8_t)format->s[i]);
            continue;
        }
        if (!one_mark(format->s[++i], t->i, &civil, piece)) {
            seam_buf_free(&b);
            return seam_fault_set(f, SEAM_INVALID, NULL, SEAM_FAULT_NO_OFFSET,
                                  "%%%c means nothing in a time's format", format->s[i]);
        }
        seam_buf_str(&b, piece);
    }
    return keep(&b, mem, out);
}

/* to_char(t, 'YYYY-MM-DD HH24:MI:SS') */
FUNC(to_char)
{
    static const struct {
        const char *mark;
        char as;
    } marks[] = {{"YYYY", 'Y'}, {"HH24", 'H'}, {"HH12", 'I'}, {"Month", 'B'}, {"MON", 'b'},
                 {"Mon", 'b'},  {"Day", 'A'},  {"DDD", 'j'},  {"YY", 'y'},    {"MM", 'm'},
                 {"DD", 'd'},   {"HH", 'I'},   {"MI", 'M'},   {"SS", 'S'},    {"US", 'f'},
                 {"AM", 'p'},   {"PM", 'p'},   {"IW", 'V'},   {"Dy", 'a'}};
    struct seam_civil civil;
    struct seam_buf b = {0};
    char piece[32];

    UNUSED;
    seam_time_to_civil(a[0].i, &civil);
    for (uint32_t i = 0; i < a[1].len;) {
        size_t k = 0;

        while (k < SEAM_ARRAY_LEN(marks) &&
               (a[1].len - i < strlen(marks[k].mark) ||
                memcmp(a[1].s + i, marks[k].mark, strlen(marks[k].mark)) != 0))
            k++;
        if (k == SEAM_ARRAY_LEN(marks)) {
            seam_buf_u8(&b, (uint8_t)a[1].s[i++]);
            continue;
        }
        (void)one_mark(marks[k].as, a[0].i, &civil, piece);
        seam_buf_str(&b, piece);
        i += (uint32_t)strlen(marks[k].mark);
    }
    return keep(&b, mem, out);
}

const struct columnar_func columnar_time_funcs[] = {
    {"time_add", "Tii", 'T', false, time_add, NULL},
    {"last_day", "T", 'T', false, last_day, NULL},
    {"make_date", "iii", 'T', false, make_date, NULL},
    {"epoch", "T", 'd', false, epoch, NULL},
    {"epoch_ms", "T", 'i', false, epoch_ms, NULL},
    {"dayname", "T", 't', false, day_name, NULL},
    {"monthname", "T", 't', false, month_name, NULL},
    {"second", "T", 'i', false, part_number, NULL},
    {"dayofweek", "T", 'i', false, part_number, NULL},
    {"dayofyear", "T", 'i', false, part_number, NULL},
    {"date_diff", "tTT", 'i', false, date_diff, NULL},
    {"datediff", "tTT", 'i', false, date_diff, NULL},
    {"strftime", "aa", 't', false, format_time, NULL},
    {"to_char", "Tt", 't', false, to_char, NULL},
};
const int columnar_time_func_count = (int)SEAM_ARRAY_LEN(columnar_time_funcs);
