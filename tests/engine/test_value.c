#include <float.h>
#include <math.h>

#include "engine/base/rng.h"
#include "engine/text/opts.h"
#include "engine/values/average.h"
#include "engine/values/key.h"
#include "engine/values/utf8.h"
#include "engine/values/value.h"
#include "tests/common/check_main.h"

static const int64_t int_extremes[] = {
    INT64_MIN, INT64_MIN + 1, -1000000000000000000, -256,          -1,       0, 1,
    255,       256,           9007199254740993,     INT64_MAX - 1, INT64_MAX};

static enum seam_status dec(const char *s, unsigned scale, int64_t *out)
{
    return seam_decimal_parse(s, strlen(s), scale, out);
}

/* Goal: a decimal is exact, its limits are those of int64, and nothing is rounded silently.      */
static void test_decimal_parses_exactly_or_refuses(void)
{
    int64_t v = 0;
    char text[32];

    ASSERT_STATUS(dec("2.55", 4, &v), SEAM_OK);
    ck_assert_int_eq(v, 25500);
    ASSERT_STATUS(dec("-0.001", 3, &v), SEAM_OK);
    ck_assert_int_eq(v, -1);
    ASSERT_STATUS(dec("+.5", 1, &v), SEAM_OK);
    ck_assert_int_eq(v, 5);
    ASSERT_STATUS(dec("7.", 2, &v), SEAM_OK);
    ck_assert_int_eq(v, 700);
    ASSERT_STATUS(dec("1.2300000", 2, &v), SEAM_OK);
    ASSERT_STATUS(dec("1.234", 2, &v), SEAM_INVALID);
    for (const char *const *bad =
             (const char *const[]){"", "-", ".", "1.2.3", "1e3", " 1", "1 ", "0x1", "--1", NULL};
         *bad != NULL; bad++)
        ASSERT_STATUS(dec(*bad, 2, &v), SEAM_INVALID);
    ASSERT_STATUS(dec("9223372036854775807", 0, &v), SEAM_OK);
    ASSERT_STATUS(dec("9223372036854775808", 0, &v), SEAM_LIMIT);
    ASSERT_STATUS(dec("-9223372036854775808", 0, &v), SEAM_OK);
    ck_assert_int_eq(v, INT64_MIN);
    ASSERT_STATUS(dec("922337203685477.5807", 4, &v), SEAM_OK);
    ASSERT_STATUS(dec("922337203685477.5808", 4, &v), SEAM_LIMIT);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(int_extremes); i++) {
        for (unsigned scale = 0; scale <= SEAM_DECIMAL_SCALE_MAX; scale++) {
            size_t n = seam_decimal_format(int_extremes[i], scale, text);

            ck_assert_uint_lt(n, sizeof text);
            ASSERT_STATUS(seam_decimal_parse(text, n, scale, &v), SEAM_OK);
            ck_assert_int_eq(v, int_extremes[i]);
        }
    }
    ASSERT_STATUS(seam_decimal_rescale(1230, 3, 2, &v), SEAM_OK);
    ck_assert_int_eq(v, 123);
    ASSERT_STATUS(seam_decimal_rescale(1234, 3, 2, &v), SEAM_INVALID);
    ASSERT_STATUS(seam_decimal_rescale(INT64_MAX, 0, 1, &v), SEAM_LIMIT);
}

static enum seam_status when(const char *s, int64_t *us)
{
    return seam_time_parse(s, strlen(s), us);
}

/* Goal: a strict calendar, and every moment of int64 microseconds written and read back.         */
static void test_time_round_trips_and_refuses_impossible_dates(void)
{
    static const char *const bad[] = {"",
                                      "2011-02-29",
                                      "2011-13-01",
                                      "2011-00-01",
                                      "2011-01-00",
                                      "2011-04-31",
                                      "2011-01-01T24:00:00",
                                      "2011-01-01 00:60:00",
                                      "2011-01-01 00:00:60",
                                      "2011-1-01",
                                      "11-01-01",
                                      "2011-01-01T",
                                      "2011-01-01 00:00:00.",
                                      "2011-01-01 00:00:00.1234567",
                                      "2011-01-01 00:00:00+1",
                                      "2011-01-01 00:00:00 Z",
                                      "1900-02-29"};
    struct seam_rng r;
    int64_t us = 0, back = 0;
    char text[40];

    ASSERT_STATUS(when("2011-12-09 12:50:00", &us), SEAM_OK);
    ck_assert_int_eq(us, 1323435000000000);
    ck_assert_uint_eq(seam_time_format(us, text), 20);
    ck_assert_str_eq(text, "2011-12-09T12:50:00Z");
    ASSERT_STATUS(when("2011-12-09T13:50:00.25+01:00", &us), SEAM_OK);
    ck_assert_int_eq(us, 1323435000250000);
    seam_time_format(us, text);
    ck_assert_str_eq(text, "2011-12-09T12:50:00.25Z");
    ASSERT_STATUS(when("1970-01-01", &us), SEAM_OK);
    ck_assert_int_eq(us, 0);
    ASSERT_STATUS(when("2000-02-29", &us), SEAM_OK);
    ASSERT_STATUS(when("+999999-01-01", &us), SEAM_LIMIT);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(bad); i++)
        ck_assert_msg(when(bad[i], &us) == SEAM_INVALID, "%s", bad[i]);
    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(20000); i++) {
        us = i < 12 ? int_extremes[i] : (int64_t)seam_rng_u64(&r) >> seam_rng_below(&r, 40);
        ASSERT_STATUS(seam_time_parse(text, seam_time_format(us, text), &back), SEAM_OK);
        ck_assert_int_eq(back, us);
    }
}

/* Goal: the shortest text that reads back equal; read back equal to the C library's reading.     */
static void test_double_round_trips_shortest(void)
{
    static const double samples[] = {0.0,
                                     -0.0,
                                     1,
                                     -1,
                                     0.1,
                                     0.3,
                                     2.55,
                                     1e22,
                                     1e23,
                                     5e-324,
                                     DBL_MAX,
                                     DBL_MIN,
                                     1.0 / 3,
                                     123456789.125,
                                     9007199254740993.0,
                                     1e15,
                                     1e-7,
                                     4.35,
                                     0.000001,
                                     999999999.999999,
                                     1e9};
    static const char *const bad[] = {"",      "-",   ".",        "e5", "1e", "1e+", "0x10",
                                      "1.2.3", "NaN", "infinity", "1 ", " 1", "1,5"};
    struct seam_rng r;
    char text[32];
    double back;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(50000); i++) {
        double d = i < (int)SEAM_ARRAY_LEN(samples) ? samples[i] : 0;
        size_t n;

        if (i >= (int)SEAM_ARRAY_LEN(samples)) {
            uint64_t u = seam_rng_u64(&r);

            if (i % 2 == 0)
                d = (double)(int64_t)(u >> seam_rng_below(&r, 60)) / 1000.0;
            else
                memcpy(&d, &u, 8);
        }
        if (!isfinite(d)) continue;
        n = seam_double_format(d, text);
        ck_assert_uint_lt(n, sizeof text);
        ASSERT_STATUS(seam_double_parse(text, n, &back), SEAM_OK);
        ck_assert_msg(back == d && signbit(back) == signbit(d), "%s is not %a", text, d);
    }
    ck_assert_uint_eq(seam_double_format(0.1, text), 3);
    ASSERT_STATUS(seam_double_parse("1e400", 5, &back), SEAM_LIMIT);
    ASSERT_STATUS(seam_double_parse("12345678901234567890123", 23, &back), SEAM_OK);
    ck_assert(back == 12345678901234567890123.0);
    ASSERT_STATUS(seam_double_parse(text, seam_double_format(-INFINITY, text), &back), SEAM_OK);
    ck_assert(isinf(back) && back < 0);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(bad); i++)
        ck_assert_msg(seam_double_parse(bad[i], strlen(bad[i]), &back) == SEAM_INVALID, "%s",
                      bad[i]);
}

static struct seam_value random_value(struct seam_rng *r, enum seam_value_type t, char *text)
{
    static const double doubles[] = {0.0,
                                     -0.0,
                                     INFINITY,
                                     -INFINITY,
                                     NAN,
                                     1.5,
                                     -1.5,
                                     5e-324,
                                     9007199254740992.0,
                                     9223372036854775808.0,
                                     -9223372036854775808.0};
    int64_t i = seam_rng_below(r, 3) == 0
                    ? int_extremes[seam_rng_below(r, SEAM_ARRAY_LEN(int_extremes))]
                    : (int64_t)seam_rng_u64(r) >> seam_rng_below(r, 64);

    if (seam_rng_below(r, 10) == 0) return seam_v_null();
    switch (t) {
    case SEAM_V_INT: return seam_v_int(i);
    case SEAM_V_DECIMAL:
        return seam_v_decimal(i, (uint8_t)seam_rng_below(r, SEAM_DECIMAL_SCALE_MAX + 1));
    case SEAM_V_BOOL: return seam_v_bool(i & 1);
    case SEAM_V_TIME: return seam_v_time(i);
    case SEAM_V_DOUBLE:
        return seam_v_double(seam_rng_below(r, 3) == 0
                                 ? doubles[seam_rng_below(r, SEAM_ARRAY_LEN(doubles))]
                                 : (double)(int16_t)i / (double)(1u << seam_rng_below(r, 8)));
    default: {
        size_t n = seam_rng_below(r, 6);

        for (size_t k = 0; k < n; k++)
            text[k] = "\x00\x01\xff"
                      "a"[seam_rng_below(r, 4)];
        return seam_v_text(text, n);
    }
    }
}

/* Goal:   seam_value_compare is a total order, also across int, decimal and double.
 * Method: antisymmetry, transitivity and agreement with long arithmetic on random triples.       */
static void test_compare_is_a_total_order_across_numbers(void)
{
    static const enum seam_value_type numbers[] = {SEAM_V_INT, SEAM_V_DECIMAL, SEAM_V_DOUBLE};
    struct seam_rng r;
    struct seam_value a, b;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(200000); i++) {
        struct seam_value v[3];
        char text[3][8];
        int ab, bc, ac;

        for (int k = 0; k < 3; k++)
            v[k] = random_value(
                &r,
                i % 4 == 0 ? (enum seam_value_type)seam_rng_range(&r, SEAM_V_INT, SEAM_V_TEXT)
                           : numbers[seam_rng_below(&r, 3)],
                text[k]);
        ab = seam_value_compare(&v[0], &v[1]);
        bc = seam_value_compare(&v[1], &v[2]);
        ac = seam_value_compare(&v[0], &v[2]);
        ck_assert_int_eq(ab, -seam_value_compare(&v[1], &v[0]));
        ck_assert_int_eq(seam_value_compare(&v[0], &v[0]), 0);
        if (ab <= 0 && bc <= 0) ck_assert_int_le(ac, 0);
        if (ab == 0 && bc == 0) ck_assert_int_eq(ac, 0);
    }
    a = seam_v_int(9007199254740993); /* 2^53 + 1: no double has it */
    b = seam_v_double(9007199254740992.0);
    ck_assert_int_eq(seam_value_compare(&a, &b), 1);
    a = seam_v_decimal(1, 1);
    b = seam_v_double(0.1); /* a little above a tenth */
    ck_assert_int_eq(seam_value_compare(&a, &b), -1);
    a = seam_v_decimal(25, 1);
    b = seam_v_double(2.5);
    ck_assert_int_eq(seam_value_compare(&a, &b), 0);
    a = seam_v_decimal(-1, 18);
    b = seam_v_double(5e-324);
    ck_assert_int_eq(seam_value_compare(&a, &b), -1);
    a = seam_v_decimal(1, 18);
    ck_assert_int_eq(seam_value_compare(&a, &b), 1);
    a = seam_v_double(NAN);
    b = seam_v_double(INFINITY);
    ck_assert_int_eq(seam_value_compare(&a, &b), 1);
}

enum { PARTS = 3 };

/* Goal: memcmp of keys is the order of the values, part by part; every part reads back.          */
static void test_key_order_equals_value_order(void)
{
    struct seam_rng r;
    struct seam_buf ka = {0}, kb = {0}, text = {0};

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(100000); i++) {
        struct seam_value a[PARTS], b[PARTS];
        char ta[PARTS][8], tb[PARTS][8];
        const uint8_t *p;
        int want = 0, got;

        seam_buf_clear(&ka);
        seam_buf_clear(&kb);
        for (int k = 0; k < PARTS; k++) {
            enum seam_value_type t =
                (enum seam_value_type)seam_rng_range(&r, SEAM_V_INT, SEAM_V_TEXT);

            a[k] = random_value(&r, t, ta[k]);
            b[k] = seam_rng_below(&r, 2) == 0 ? a[k] : random_value(&r, t, tb[k]);
            if (t == SEAM_V_DECIMAL) b[k].scale = a[k].scale; /* a column has one scale */
            if (want == 0) want = seam_value_compare(&a[k], &b[k]);
            seam_key_append(&ka, &a[k]);
            seam_key_append(&kb, &b[k]);
        }
        got = seam_key_compare(ka.data, ka.size, kb.data, kb.size);
        ck_assert_int_eq((got > 0) - (got < 0), want);
        p = ka.data;
        for (int k = 0; k < PARTS; k++) {
            struct seam_value back;
            enum seam_value_type t =
                a[k].type == SEAM_V_NULL ? SEAM_V_TEXT : (enum seam_value_type)a[k].type;

            seam_buf_clear(&text);
            ASSERT_STATUS(seam_key_read(&p, ka.data + ka.size, t, &back, &text), SEAM_OK);
            back.scale = a[k].scale;
            ck_assert(seam_value_equal(&back, &a[k]));
        }
        ck_assert_ptr_eq(p, ka.data + ka.size);
        /* Any cut makes the last part unreadable. */
        for (size_t cut = 0; i < 200 && cut < ka.size; cut++) {
            enum seam_status st = SEAM_OK;

            p = ka.data;
            for (int k = 0; k < PARTS && st == SEAM_OK; k++) {
                struct seam_value back;

                st = seam_key_read(&p, ka.data + cut,
                                   a[k].type == SEAM_V_NULL ? SEAM_V_TEXT
                                                            : (enum seam_value_type)a[k].type,
                                   &back, &text);
            }
            ASSERT_STATUS(st, SEAM_CORRUPT);
        }
    }
    seam_buf_free(&ka);
    seam_buf_free(&kb);
    seam_buf_free(&text);
}

static void test_key_golden_bytes_and_successor(void)
{
    struct seam_buf k = {0};
    struct seam_value v = seam_v_int(1);

    seam_key_append(&k, &v);
    v = seam_v_text("a\0b", 3);
    seam_key_append(&k, &v);
    ck_assert_uint_eq(k.size, 9 + 7);
    ck_assert_mem_eq(k.data,
                     "\x02\x80\x00\x00\x00\x00\x00\x00\x01\x04"
                     "a\x00\xff"
                     "b\x00\x00",
                     16);
    seam_buf_clear(&k);
    seam_buf_append(&k, "a\xff\xff", 3);
    ck_assert(seam_key_successor(&k));
    ck_assert_uint_eq(k.size, 1);
    ck_assert_int_eq(k.data[0], 'b');
    seam_buf_clear(&k);
    seam_buf_append(&k, "\xff\xff", 2);
    ck_assert(!seam_key_successor(&k));
    seam_buf_free(&k);
}

static void test_parse_and_format_every_type(void)
{
    static const struct {
        enum seam_value_type type;
        unsigned scale;
        const char *in, *out;
    } cases[] = {{SEAM_V_INT, 0, "-12", "-12"},
                 {SEAM_V_DOUBLE, 0, "0.5", "0.5"},
                 {SEAM_V_DECIMAL, 4, "2.5", "2.5000"},
                 {SEAM_V_BOOL, 0, "TRUE", "true"},
                 {SEAM_V_BOOL, 0, "0", "false"},
                 {SEAM_V_TIME, 0, "2010-12-01", "2010-12-01T00:00:00Z"},
                 {SEAM_V_TEXT, 0, "x y", "x y"},
                 {SEAM_V_TEXT, 0, "", ""}};
    struct seam_buf b = {0};
    struct seam_value v;
    enum seam_value_type t;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        seam_buf_clear(&b);
        ASSERT_STATUS(
            seam_value_parse(cases[i].in, strlen(cases[i].in), cases[i].type, cases[i].scale, &v),
            SEAM_OK);
        seam_value_format(&v, &b);
        ck_assert_str_eq(seam_buf_cstr(&b), cases[i].out);
        ck_assert(seam_value_type_parse(seam_value_type_name(cases[i].type), &t) &&
                  t == cases[i].type);
    }
    ASSERT_STATUS(seam_value_parse("", 0, SEAM_V_INT, 0, &v), SEAM_OK);
    ck_assert_int_eq(v.type, SEAM_V_NULL);
    ASSERT_STATUS(seam_value_parse("maybe", 5, SEAM_V_BOOL, 0, &v), SEAM_INVALID);
    ck_assert(!seam_value_type_parse("null", &t) && !seam_value_type_parse("varchar", &t));
    seam_buf_free(&b);
}

/* Goal: every scalar value encodes and decodes; ill-formed bytes give U+FFFD one by one.         */
static void test_utf8_every_scalar_and_ill_formed_bytes(void)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "\xff"};
    char out[4];

    for (uint32_t cp = 0; cp <= 0x110000; cp++) {
        size_t n = seam_utf8_put(cp, out);
        const char *p = out;

        if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
            ck_assert_uint_eq(n, 0);
            continue;
        }
        if (seam_utf8_next(&p, out + n) != cp || p != out + n || !seam_utf8_valid(out, n))
            ck_abort_msg("U+%04X", cp);
    }
    for (size_t i = 0; i < SEAM_ARRAY_LEN(bad); i++) {
        const char *p = bad[i];

        ck_assert(!seam_utf8_valid(bad[i], strlen(bad[i])));
        ck_assert_uint_eq(seam_utf8_next(&p, bad[i] + strlen(bad[i])), 0xfffd);
        ck_assert_ptr_eq(p, bad[i] + 1);
    }
}

static enum seam_status parse_options(char **argv, int argc, bool *flag, int64_t *n,
                                      const char **name, const char **args, int *count,
                                      struct seam_fault *f)
{
    struct seam_opt opts[] = {{"verbose", 'v', SEAM_OPT_FLAG, NULL, "say more", flag},
                              {"threads", 't', SEAM_OPT_INT, "N", "how many", n},
                              {"name", 0, SEAM_OPT_STRING, "S", "a name", name}};
    struct seam_buf help = {0};

    seam_opts_help(opts, SEAM_ARRAY_LEN(opts), &help);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&help), "-t, --threads N"));
    seam_buf_free(&help);
    return seam_opts_parse(argc, argv, opts, SEAM_ARRAY_LEN(opts), args, count, f);
}

static void test_options_in_any_order_and_did_you_mean(void)
{
    char *good[] = {"a", "--threads=4", "-5", "-v", "--name", "x", "-", "--", "--threads"};
    char *wrong[] = {"--thread", "4"}, *missing[] = {"--threads"}, *bad[] = {"-tx"};
    const char *args[16], *name = NULL;
    struct seam_fault f = {0};
    bool flag = false;
    int64_t n = 0;
    int count = 0;

    ASSERT_OK(parse_options(good, SEAM_ARRAY_LEN(good), &flag, &n, &name, args, &count, &f), &f);
    ck_assert(flag && n == 4 && strcmp(name, "x") == 0 && count == 4);
    ck_assert_str_eq(args[1], "-5");
    ck_assert_str_eq(args[3], "--threads");
    ASSERT_STATUS(parse_options(wrong, 2, &flag, &n, &name, args, &count, &f), SEAM_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "did you mean --threads?"));
    ASSERT_STATUS(parse_options(missing, 1, &flag, &n, &name, args, &count, NULL), SEAM_INVALID);
    ASSERT_STATUS(parse_options(bad, 1, &flag, &n, &name, args, &count, NULL), SEAM_INVALID);
}

static void test_the_mean_of_equal_decimals_is_that_decimal(void)
{
    struct seam_rng rng;

    seam_rng_seed(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        unsigned scale = (unsigned)seam_rng_below(&rng, SEAM_DECIMAL_SCALE_MAX + 1);
        int64_t v = (int64_t)seam_rng_u64(&rng) >> seam_rng_below(&rng, 63);
        uint64_t count = 1 + seam_rng_below(&rng, 1u << seam_rng_below(&rng, 31));
        char text[32];
        double want;
        size_t n = seam_decimal_format(v, scale, text);

        ck_assert(seam_double_parse(text, n, &want) == SEAM_OK);
        if (seam_average((seam_sum)v * (int64_t)count, count, scale) != want)
            ck_abort_msg("the mean of %llu times %s is not %s", (unsigned long long)count, text,
                         text);
    }
    ck_assert(seam_average(1, 3, 0) == 1.0 / 3);
    ck_assert(seam_average(-2, 3, 18) == -2e-18 / 3);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_the_mean_of_equal_decimals_is_that_decimal),
        T(test_decimal_parses_exactly_or_refuses),
        T(test_time_round_trips_and_refuses_impossible_dates),
        T(test_double_round_trips_shortest),
        T(test_compare_is_a_total_order_across_numbers),
        T(test_key_order_equals_value_order),
        T(test_key_golden_bytes_and_successor),
        T(test_parse_and_format_every_type),
        T(test_utf8_every_scalar_and_ill_formed_bytes),
        T(test_options_in_any_order_and_did_you_mean),
    };

    return run_tests("value", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
