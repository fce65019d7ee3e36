#include "engine/base/rng.h"
#include "engine/text/csv.h"
#include "tests/common/check_main.h"

/* All records of `text` as "[a|b]" lines; bad ones as "!line reason". */
static void dump(const char *text, size_t n, struct seam_csv_options o, struct seam_buf *out)
{
    struct seam_source *s = NULL;
    struct seam_csv *c = NULL;

    ASSERT_OK(seam_source_from_memory(text, n, &s), NULL);
    ASSERT_OK(seam_csv_open(s, o, &c), NULL);
    for (;;) {
        const struct seam_csv_field *fields;
        size_t count;
        struct seam_fault f = {0};
        enum seam_status st = seam_csv_next(c, &fields, &count, &f);

        if (st == SEAM_END) break;
        if (st == SEAM_INVALID) {
            seam_buf_printf(out, "!%s;", f.why);
            continue;
        }
        ASSERT_OK(st, &f);
        seam_buf_printf(out, "%llu", (unsigned long long)seam_csv_line(c));
        for (size_t i = 0; i < count; i++) {
            seam_buf_str(out, i > 0 ? "|" : "[");
            seam_buf_append(out, fields[i].data, fields[i].size);
        }
        seam_buf_str(out, "]");
    }
    seam_csv_close(c);
    seam_source_close(s);
}

static void test_csv_records_and_what_follows_bad_ones(void)
{
    static const struct {
        const char *text;
        size_t expect;
        const char *want;
    } cases[] = {
        {"a,b\nc,d\n", 0, "1[a|b]2[c|d]"},
        {"a,b\r\nc,d", 2, "1[a|b]2[c|d]"},
        {"", 0, ""},
        {"\n\n\r\na\n", 0, "4[a]"},
        {"\n", 1, "1[]"},
        {"a,\n,b\n,\n", 2, "1[a|]2[|b]3[|]"},
        {"\"a,\"\"b\",\"\"\nc,d\n", 2, "1[a,\"b|]2[c|d]"},
        {"\"a\nb\",c\nd,e\n", 2, "1[a\nb|c]3[d|e]"},
        {"\"a\r\nb\"\r\n", 0, "1[a\r\nb]"},
        {"\xef\xbb\xbf"
         "a,b\n",
         0, "1[a|b]"},
        {"a\nb\"c,d\ne,f\n", 0, "1[a]!line 2: a quote inside an unquoted field;3[e|f]"},
        {"\"a\"x,b\nc,d\n", 0, "!line 1: something follows a closing quote;2[c|d]"},
        {"a,b\nc\nd,e,f\ng,h\n", 2,
         "1[a|b]!line 2: 1 fields where 2 are expected;!line 3: 3 fields where 2 are "
         "expected;4[g|h]"},
        {"\"a,b\nc,d\ne,f", 0, "!line 1: a quoted field that never ends;2[c|d]3[e|f]"},
        {"\"a\"", 0, "1[a]"},
        {"\"\"", 0, "1[]"},
        {"a,\"b", 0, "!line 1: a quoted field that never ends;"},
        {"a\rb,c\r\n", 0, "1[a\rb|c]"},
    };
    struct seam_buf out = {0};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        seam_buf_clear(&out);
        dump(cases[i].text, strlen(cases[i].text),
             (struct seam_csv_options){',', true, cases[i].expect}, &out);
        ck_assert_msg(strcmp(seam_buf_cstr(&out), cases[i].want) == 0, "case %zu: %s", i,
                      seam_buf_cstr(&out));
    }
    seam_buf_clear(&out);
    dump("a,\0b\nc\n", 7, (struct seam_csv_options){',', true, 0}, &out);
    ck_assert_str_eq(seam_buf_cstr(&out), "!line 1: a zero byte;2[c]");
    seam_buf_clear(&out);
    dump("a\\tb\t\"c\"\\n\t\\\\\\x\\\n", 17, (struct seam_csv_options){'\t', false, 0}, &out);
    ck_assert_str_eq(seam_buf_cstr(&out), "1[a\tb|\"c\"\n|\\\\x\\]");
    seam_buf_free(&out);
}

/* Goal: what seam_csv_write_field writes is read back, whatever the bytes and across buffer refills.  */
static void test_csv_round_trip_random_fields(void)
{
    struct seam_buf text = {0}, want = {0}, got = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int i = 0, line = 1; i < test_scale(20000); i++) {
        size_t count = 1 + seam_rng_below(&r, 6);
        int next = line + 1;

        seam_buf_printf(&want, "%d", line);
        for (size_t k = 0; k < count; k++) {
            char field[200];
            size_t n =
                seam_rng_below(&r, seam_rng_below(&r, 10) == 0 ? sizeof field : 8) + (count == 1);

            for (size_t b = 0; b < n; b++) {
                field[b] = "ab,\"\n \r\xc3"[seam_rng_below(&r, 8)];
                next += field[b] == '\n';
            }
            seam_buf_str(&want, k > 0 ? "|" : "[");
            seam_buf_append(&want, field, n);
            if (k > 0) seam_buf_u8(&text, ',');
            seam_csv_write_field(&text, field, n, ',');
        }
        seam_buf_str(&want, "]");
        seam_buf_str(&text, seam_rng_below(&r, 2) == 0 ? "\n" : "\r\n");
        line = next;
    }
    dump((char *)text.data, text.size, (struct seam_csv_options){',', true, 0}, &got);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    seam_buf_free(&text);
    seam_buf_free(&want);
    seam_buf_free(&got);
}

/* Goal: an endless record costs bounded memory and loses only its own line.                      */
static void test_csv_overlong_records_lose_only_their_line(void)
{
    struct seam_buf text = {0}, out = {0};

    seam_buf_str(&text, "\"lost\n");
    for (int i = 0; i < 600000; i++) seam_buf_str(&text, "good,line\n");
    dump((char *)text.data, text.size, (struct seam_csv_options){',', true, 2}, &out);
    ck_assert_int_eq(
        strncmp(seam_buf_cstr(&out), "!line 1: a record of over 4 MiB;2[good|line]3[", 46), 0);
    seam_buf_clear(&text);
    seam_buf_clear(&out);
    for (int i = 0; i < 6 << 20; i++) seam_buf_u8(&text, 'x');
    seam_buf_str(&text, "\na,b\n");
    dump((char *)text.data, text.size, (struct seam_csv_options){',', true, 2}, &out);
    ck_assert_str_eq(seam_buf_cstr(&out), "!line 1: a record of over 4 MiB;2[a|b]");
    seam_buf_clear(&text);
    seam_buf_clear(&out);
    for (int i = 0; i < 2000; i++) seam_buf_u8(&text, ',');
    seam_buf_str(&text, "\na,b\n");
    dump((char *)text.data, text.size, (struct seam_csv_options){',', true, 2}, &out);
    ck_assert_str_eq(seam_buf_cstr(&out), "!line 1: more than 1024 fields;2[a|b]");
    seam_buf_free(&text);
    seam_buf_free(&out);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_csv_records_and_what_follows_bad_ones),
        T(test_csv_round_trip_random_fields),
        T(test_csv_overlong_records_lose_only_their_line),
    };

    return run_tests("csv", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
