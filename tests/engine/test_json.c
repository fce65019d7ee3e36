#include <stdio.h>

#include "engine/base/rng.h"
#include "engine/text/json.h"
#include "tests/common/check_main.h"

static enum seam_status parse(const char *s, size_t n, struct seam_arena *a, struct seam_json **out,
                              struct seam_fault *f)
{
    return seam_json_parse(s, n, a, "test.json", out, f);
}

static void test_json_reads_every_kind(void)
{
    static const char text[] =
        " {\"a\" : [1, -2.5e3, true, false, null, \"\\u00e9\\ud83d\\ude00\\n\\/\"],\n \"b\": {}, "
        "\"\": 12345678901234567890}\r\n";
    struct seam_arena a = {0};
    struct seam_json *root = NULL;
    const struct seam_json *v;
    struct seam_fault f = {0};
    int64_t n;

    ASSERT_OK(parse(text, sizeof text - 1, &a, &root, &f), &f);
    ck_assert_int_eq(root->type, SEAM_J_OBJECT);
    ck_assert_uint_eq(root->len, 3);
    v = seam_json_get(root, "a");
    ck_assert_uint_eq(v->len, 6);
    ck_assert(seam_json_int(v->child, &n) && n == 1);
    ck_assert(!seam_json_int(v->child->next, &n) && v->child->next->num == -2500.0);
    v = v->child->next->next->next->next->next;
    ck_assert_str_eq(v->str, "\xc3\xa9\xf0\x9f\x98\x80\n/");
    v = seam_json_get(root, "b");
    ck_assert(v->line == 2 && v->column == 7 && v->len == 0);
    ck_assert(!seam_json_int(seam_json_get(root, ""), &n));
    ck_assert_ptr_null(seam_json_get(v, "x"));
    ck_assert_str_eq(seam_json_string(root, "zz", "other"), "other");
    seam_arena_free(&a);
}

static void test_json_refuses_what_is_not_json(void)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{\"a\":1 \"b\":2}",
                                      "01",
                                      "-",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "+1",
                                      "1e999",
                                      "tru",
                                      "nul",
                                      "\"",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"",
                                      "\"\x01\"",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "1 2",
                                      "[1]]",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\\u0000\":1}",
                                      "nan",
                                      "'a'",
                                      "\"\t\"",
                                      "[1,,2]",
                                      ("\xef\xbb\xbf"
                                       "1")};
    struct seam_arena a = {0};
    struct seam_json *root;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(bad); i++) {
        struct seam_fault f = {0};

        ck_assert_msg(parse(bad[i], strlen(bad[i]), &a, &root, &f) == SEAM_INVALID, "took %s",
                      bad[i]);
        ck_assert_ptr_nonnull(strstr(f.why, "line "));
        seam_arena_reset(&a);
    }
    seam_arena_free(&a);
}

/* Goal: depth, duplicate names and memory are bounded however large the input.                   */
static void test_json_hostile_sizes(void)
{
    struct seam_buf b = {0};
    struct seam_arena a = {0}, small = {.limit = 64 << 10};
    struct seam_json *root;

    for (int i = 0; i < SEAM_JSON_DEPTH_MAX; i++) seam_buf_u8(&b, '[');
    for (int i = 0; i < SEAM_JSON_DEPTH_MAX; i++) seam_buf_u8(&b, ']');
    ASSERT_OK(parse((char *)b.data, b.size, &a, &root, NULL), NULL);
    seam_buf_clear(&b);
    for (int i = 0; i < 1000000; i++) seam_buf_u8(&b, '[');
    ASSERT_STATUS(parse((char *)b.data, b.size, &a, &root, NULL), SEAM_INVALID);
    seam_buf_clear(&b);
    seam_buf_str(&b, "{");
    for (int i = 0; i < 100000; i++) seam_buf_printf(&b, "\"%d\":%d,", i, i);
    seam_buf_str(&b, "\"77\":1}");
    ASSERT_STATUS(parse((char *)b.data, b.size, &a, &root, NULL), SEAM_INVALID);
    ASSERT_STATUS(parse((char *)b.data, b.size, &small, &root, NULL), SEAM_NOMEM);
    seam_buf_free(&b);
    seam_arena_free(&a);
    seam_arena_free(&small);
}

static void write_tree(struct seam_json_writer *w, const struct seam_json *v)
{
    switch (v->type) {
    case SEAM_J_NULL: seam_jw_null(w); break;
    case SEAM_J_BOOL: seam_jw_bool(w, v->boolean); break;
    case SEAM_J_NUMBER: seam_jw_raw(w, v->str, v->len); break;
    case SEAM_J_STRING: seam_jw_strn(w, v->str, v->len); break;
    case SEAM_J_ARRAY:
    case SEAM_J_OBJECT:
        if (v->type == SEAM_J_ARRAY)
            seam_jw_array(w);
        else
            seam_jw_object(w);
        for (const struct seam_json *c = v->child; c != NULL; c = c->next) {
            if (v->type == SEAM_J_OBJECT) seam_jw_key(w, c->key);
            write_tree(w, c);
        }
        if (v->type == SEAM_J_ARRAY)
            seam_jw_end_array(w);
        else
            seam_jw_end_object(w);
        break;
    }
}

static void random_tree(struct seam_json_writer *w, struct seam_rng *r, unsigned depth)
{
    char text[24];
    size_t n = seam_rng_below(r, sizeof text);
    unsigned children = (unsigned)seam_rng_below(r, 5);

    switch (seam_rng_below(r, depth > 5 ? 5 : 7)) {
    case 0: seam_jw_null(w); break;
    case 1: seam_jw_bool(w, n & 1); break;
    case 2: seam_jw_int(w, (int64_t)seam_rng_u64(r)); break;
    case 3: seam_jw_double(w, seam_rng_normal(r)); break;
    case 4:
        for (size_t i = 0; i < n; i++) text[i] = (char)seam_rng_below(r, 128);
        seam_jw_strn(w, text, n);
        break;
    case 5:
        seam_jw_array(w);
        for (unsigned i = 0; i < children; i++) random_tree(w, r, depth + 1);
        seam_jw_end_array(w);
        break;
    default:
        seam_jw_object(w);
        for (unsigned i = 0; i < children; i++) {
            snprintf(text, sizeof text, "k\"%u", i);
            seam_jw_key(w, text);
            random_tree(w, r, depth + 1);
        }
        seam_jw_end_object(w);
    }
}

/* Goal: what the writer writes the reader reads, and writing that again gives the same bytes.    */
static void test_json_writer_round_trip(void)
{
    struct seam_buf one = {0}, two = {0};
    struct seam_arena a = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(5000); i++) {
        struct seam_json_writer w;
        struct seam_json *root = NULL;
        struct seam_fault f = {0};

        seam_buf_clear(&one);
        seam_buf_clear(&two);
        seam_arena_reset(&a);
        seam_jw_init(&w, &one);
        random_tree(&w, &r, 0);
        ASSERT_OK(parse((char *)one.data, one.size, &a, &root, &f), &f);
        seam_jw_init(&w, &two);
        write_tree(&w, root);
        ck_assert_str_eq(seam_buf_cstr(&one), seam_buf_cstr(&two));
        /* Every cut of an array or object is refused. */
        if (root->type >= SEAM_J_STRING && one.size < 200) {
            for (size_t cut = 0; cut < one.size; cut++)
                ASSERT_STATUS(parse((char *)one.data, cut, &a, &root, NULL), SEAM_INVALID);
        }
    }
    seam_buf_free(&one);
    seam_buf_free(&two);
    seam_arena_free(&a);
}

static void test_json_writer_escapes_and_replaces(void)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;

    seam_jw_init(&w, &b);
    seam_jw_array(&w);
    seam_jw_strn(&w, "a\"\\\n\x01\0z", 7);
    seam_jw_str(&w, "\xff\xc3\xa9\xe2\x82");
    seam_jw_str(&w, "\xef\xbf\xbd");
    seam_jw_double(&w, 1.0 / 0.0);
    seam_jw_uint(&w, UINT64_MAX);
    seam_jw_end_array(&w);
    ck_assert_str_eq(
        seam_buf_cstr(&b),
        "[\"a\\\"\\\\\\n\\u0001\\u0000z\",\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\","
        "\"\xef\xbf\xbd\",null,18446744073709551615]");
    seam_buf_free(&b);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_json_reads_every_kind),
        T(test_json_refuses_what_is_not_json),
        T(test_json_hostile_sizes),
        T(test_json_writer_round_trip),
        T(test_json_writer_escapes_and_replaces),
    };

    return run_tests("json", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
