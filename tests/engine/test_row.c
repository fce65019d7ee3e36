#include <float.h>
#include <math.h>

#include "engine/base/arena.h"
#include "engine/base/rng.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "tests/common/check_main.h"

static const char every_type[] =
    "{\"table\":\"t\",\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
    "{\"name\":\"d\",\"type\":\"double\",\"nullable\":true},{\"name\":\"m\",\"type\":\"decimal\","
    "\"scale\":4,\"nullable\":true},"
    "{\"name\":\"b\",\"type\":\"bool\",\"nullable\":true},{\"name\":\"w\",\"type\":\"timestamp\","
    "\"nullable\":true},"
    "{\"name\":\"s\",\"type\":\"text\",\"nullable\":true},{\"name\":\"i\",\"type\":\"int64\","
    "\"nullable\":true},"
    "{\"name\":\"t2\",\"type\":\"text\",\"nullable\":true,\"default\":\"old\"},{\"name\":\"n\","
    "\"type\":\"int64\",\"nullable\":true}]}";

static void open_schema(struct seam_schema *s)
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_schema_parse(every_type, sizeof every_type - 1, s, &f), &f);
}

static const int64_t ints[] = {INT64_MIN, -1, 0, 1, 63, 64, INT64_MAX};
static const double doubles[] = {0.0, -0.0, DBL_MAX, -DBL_MIN, INFINITY, NAN, 0.1};

static void random_row(const struct seam_schema *s, struct seam_rng *r, struct seam_value *v,
                       char *text, size_t text_size)
{
    for (int i = 0; i < s->column_count; i++) {
        int64_t n = seam_rng_below(r, 2) == 0 ? ints[seam_rng_below(r, SEAM_ARRAY_LEN(ints))]
                                              : (int64_t)seam_rng_u64(r) >> seam_rng_below(r, 64);

        v[i] = seam_v_null();
        if (s->columns[i].nullable && seam_rng_below(r, 4) == 0) continue;
        switch (s->columns[i].type) {
        case SEAM_V_DOUBLE:
            v[i] = seam_v_double(seam_rng_below(r, 2) == 0
                                     ? doubles[seam_rng_below(r, SEAM_ARRAY_LEN(doubles))]
                                     : seam_rng_normal(r));
            break;
        case SEAM_V_TEXT: v[i] = seam_v_text(text, seam_rng_below(r, text_size)); break;
        case SEAM_V_BOOL: v[i] = seam_v_bool(n & 1); break;
        default:
            v[i] = (struct seam_value){
                .type = (uint8_t)s->columns[i].type, .scale = s->columns[i].scale, .i = n};
            break;
        }
    }
}

/* Goal: what is encoded is decoded, whole or one column at a time, and through JSON, extremes
 * included.                                                                                      */
static void test_row_round_trip_every_type_and_extreme(void)
{
    struct seam_schema s = {0};
    struct seam_buf row = {0}, json = {0}, text = {0};
    struct seam_value v[16], back[16];
    struct seam_fault f = {0};
    struct seam_rng r;
    char letters[300];

    open_schema(&s);
    seam_rng_seed(&r, test_seed());
    for (size_t i = 0; i < sizeof letters; i++) letters[i] = (char)seam_rng_range(&r, 0, 126);
    for (int i = 0; i < test_scale(20000); i++) {
        random_row(&s, &r, v, letters, sizeof letters);
        seam_buf_clear(&row);
        seam_buf_clear(&json);
        seam_buf_clear(&text);
        ASSERT_OK(seam_row_encode(&s, v, &row, &f), &f);
        ASSERT_OK(seam_row_decode(&s, row.data, row.size, back, &f), &f);
        for (int c = 0; c < s.column_count; c++) {
            struct seam_value one;

            ck_assert(seam_value_equal(&v[c], &back[c]) && v[c].type == back[c].type);
            ASSERT_OK(seam_row_get(&s, row.data, row.size, c, &one, &f), &f);
            ck_assert(seam_value_equal(&v[c], &one));
        }
        seam_row_to_json(&s, v, &json);
        ASSERT_OK(seam_row_from_json(&s, (char *)json.data, json.size, back, &text, &f), &f);
        for (int c = 0; c < s.column_count; c++)
            ck_assert_msg(seam_value_equal(&v[c], &back[c]), "column %d of %s", c,
                          seam_buf_cstr(&json));
    }
    seam_schema_free(&s);
    seam_buf_free(&row);
    seam_buf_free(&json);
    seam_buf_free(&text);
}

/* Goal: the bytes of the header's diagram, and the canonical form, are what they were.           */
static void test_row_golden_bytes(void)
{
    struct seam_schema s = {0};
    struct seam_buf row = {0};
    struct seam_value v[9] = {seam_v_int(-1),    seam_v_null(),  seam_v_decimal(25500, 4),
                              seam_v_bool(true), seam_v_time(1), seam_v_str("hi"),
                              seam_v_null(),     seam_v_str(""), seam_v_null()};
    struct seam_fault f = {0};

    open_schema(&s);
    ASSERT_OK(seam_row_encode(&s, v, &row, &f), &f);
    ck_assert_uint_eq(row.size, 14);
    ck_assert_mem_eq(row.data, "\x01\x09\x42\x01\x01\xb8\x8e\x03\x01\x02\x02hi\x00", 14);
    seam_buf_clear(&row);
    seam_row_canonical(&s, v, &row);
    ck_assert_mem_eq(row.data,
                     "\x01\x01\x01\x01\x02\x00\x03\x03\xb8\x8e\x03\x04\x04\x01\x05\x05\x02\x06\x06"
                     "\x02hi\x07\x00\x08\x06\x00\x09\x00",
                     row.size);
    seam_schema_free(&s);
    seam_buf_free(&row);
}

/* Goal: a damaged row is refused or decodes to a row that is well-formed; a cut row is always
 * refused.                                                                                       */
static void test_row_damaged_bytes_never_crash(void)
{
    struct seam_schema s = {0};
    struct seam_buf row = {0};
    struct seam_value v[9] = {seam_v_int(77),
                              seam_v_double(2.5),
                              seam_v_decimal(-1, 4),
                              seam_v_bool(true),
                              seam_v_time(1323435000000000),
                              seam_v_str("hello"),
                              seam_v_int(INT64_MIN),
                              seam_v_null(),
                              seam_v_int(5)};
    struct seam_value back[9];
    struct seam_fault f = {0};

    open_schema(&s);
    ASSERT_OK(seam_row_encode(&s, v, &row, &f), &f);
    for (size_t i = 0; i < row.size; i++) {
        ASSERT_STATUS(seam_row_decode(&s, row.data, i, back, NULL), SEAM_CORRUPT);
        for (unsigned x = 1; x < 256; x++) {
            enum seam_status st;

            row.data[i] ^= (uint8_t)x;
            st = seam_row_decode(&s, row.data, row.size, back, NULL);
            ck_assert(st == SEAM_OK || st == SEAM_CORRUPT);
            for (int c = 0; c < s.column_count; c++)
                (void)!seam_row_get(&s, row.data, row.size, c, &back[c], NULL);
            row.data[i] ^= (uint8_t)x;
        }
    }
    seam_schema_free(&s);
    seam_buf_free(&row);
}

static void test_row_refuses_what_the_schema_does_not_allow(void)
{
    struct seam_schema s = {0};
    struct seam_buf row = {0};
    struct seam_value v[9] = {seam_v_null()};
    struct seam_fault f = {0};

    open_schema(&s);
    ASSERT_STATUS(seam_row_encode(&s, v, &row, &f), SEAM_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "id must not be null"));
    v[0] = seam_v_str("1");
    ASSERT_STATUS(seam_row_encode(&s, v, &row, NULL), SEAM_INVALID);
    v[0] = seam_v_int(1);
    v[2] = seam_v_decimal(123456, 5); /* 1.23456 has a digit too many */
    ASSERT_STATUS(seam_row_encode(&s, v, &row, NULL), SEAM_INVALID);
    v[2] = seam_v_decimal(15, 1);
    ASSERT_OK(seam_row_encode(&s, v, &row, &f), NULL);
    ASSERT_OK(seam_row_decode(&s, row.data, row.size, v, NULL), NULL);
    ck_assert(v[2].i == 15000 && v[2].scale == 4);
    seam_schema_free(&s);
    seam_buf_free(&row);
}

/* Goal:   rows written under any version decode under the newest, and equal rows hash alike.
 * Method: keep rows of each version while columns come, go and are renamed.                      */
static void test_row_old_versions_decode_and_hash_alike(void)
{
    struct seam_schema s = {0};
    struct seam_buf rows[4] = {{0}};
    struct seam_value v[16] = {seam_v_int(7), seam_v_double(-0.0), seam_v_decimal(1, 4),
                               seam_v_null(), seam_v_null(),       seam_v_str("x"),
                               seam_v_null(), seam_v_null(),       seam_v_null()};
    struct seam_column added = {.name = "brand", .type = SEAM_V_TEXT, .def = seam_v_str("none")};
    struct seam_hash128 first;
    struct seam_fault f = {0};

    open_schema(&s);
    ASSERT_OK(seam_row_encode(&s, v, &rows[0], &f), &f);
    ASSERT_OK(seam_schema_add_column(&s, &added, &f), &f);
    v[9] = seam_v_str("none");
    ASSERT_OK(seam_row_encode(&s, v, &rows[1], &f), &f);
    ASSERT_OK(seam_schema_drop_column(&s, "i", &f), &f);
    ASSERT_OK(seam_row_encode(&s, v, &rows[2], &f), &f);
    ASSERT_OK(seam_schema_rename_column(&s, "brand", "make", &f), &f);
    v[1] = seam_v_double(0.0);
    ASSERT_OK(seam_row_encode(&s, v, &rows[3], &f), &f);
    for (int i = 0; i < 4; i++) {
        struct seam_value back[16];
        struct seam_hash128 h;

        ASSERT_OK(seam_row_decode(&s, rows[i].data, rows[i].size, back, &f), &f);
        ck_assert(seam_value_equal(&back[9], &v[9]) && back[6].type == SEAM_V_NULL &&
                  back[0].i == 7);
        h = seam_row_hash(&s, back);
        if (i == 0) first = h;
        ck_assert(h.lo == first.lo && h.hi == first.hi);
        ASSERT_OK(seam_row_get(&s, rows[i].data, rows[i].size, 9, &back[9], &f), &f);
        ck_assert(seam_value_equal(&back[9], &v[9]));
        seam_buf_free(&rows[i]);
    }
    v[0] = seam_v_int(8);
    ck_assert(seam_row_hash(&s, v).lo != first.lo);
    seam_schema_free(&s);
}

static void test_row_json_mistakes_are_named(void)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{\"id\":1,\"bb\":true}", "no column \"bb\""},
        {"{\"id\":1.5}", "id: expected"},
        {"{\"d\":1}", "id is missing"},
        {"{\"id\":1,\"m\":\"0.00001\"}", "m: expected"},
        {"{\"id\":1,\"s\":5}", "s: expected"},
        {"[1]", "JSON object"},
        {"{\"id\":1", "expected ','"},
    };
    struct seam_schema s = {0};
    struct seam_buf text = {0};
    struct seam_value v[9];

    open_schema(&s);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_fault f = {0};

        ASSERT_STATUS(seam_row_from_json(&s, cases[i].json, strlen(cases[i].json), v, &text, &f),
                      SEAM_INVALID);
        ck_assert_msg(strstr(f.why, cases[i].says) != NULL, "case %zu says: %s", i, f.why);
    }
    ASSERT_OK(seam_row_from_json(&s, "{\"id\":1,\"m\":2.5}", 16, v, &text, NULL), NULL);
    ck_assert(v[2].i == 25000 && v[7].type == SEAM_V_TEXT && v[7].len == 3); /* the default */
    seam_schema_free(&s);
    seam_buf_free(&text);
}

static void test_row_key_reads_back(void)
{
    struct seam_schema s = {0};
    struct seam_buf a = {0}, b = {0};
    struct seam_value v[9] = {seam_v_int(5)};
    struct seam_fault f = {0};

    open_schema(&s);
    ASSERT_OK(seam_row_key(&s, v, &a, &f), &f);
    seam_key_append(&b, &v[0]);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    seam_schema_free(&s);
    seam_buf_free(&a);
    seam_buf_free(&b);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_row_round_trip_every_type_and_extreme),
        T(test_row_golden_bytes),
        T(test_row_damaged_bytes_never_crash),
        T(test_row_refuses_what_the_schema_does_not_allow),
        T(test_row_old_versions_decode_and_hash_alike),
        T(test_row_json_mistakes_are_named),
        T(test_row_key_reads_back),
    };

    return run_tests("row", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
