#include <float.h>
#include <math.h>

#include "engine/base/arena.h"
#include "engine/values/key.h"
#include "engine/base/rng.h"
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

static void open_schema(struct schema *s)
{
    struct fault f = {0};

    ASSERT_OK(schema_parse(every_type, sizeof every_type - 1, s, &f), &f);
}

static const int64_t ints[] = {INT64_MIN, -1, 0, 1, 63, 64, INT64_MAX};
static const double doubles[] = {0.0, -0.0, DBL_MAX, -DBL_MIN, INFINITY, NAN, 0.1};

static void random_row(const struct schema *s, struct rng *r, struct value *v, char *text,
                       size_t text_size)
{
    for (int i = 0; i < s->column_count; i++) {
        int64_t n = rng_below(r, 2) == 0 ? ints[rng_below(r, ARRAY_LEN(ints))]
                                         : (int64_t)rng_u64(r) >> rng_below(r, 64);

        v[i] = v_null();
        if (s->columns[i].nullable && rng_below(r, 4) == 0) continue;
        switch (s->columns[i].type) {
        case V_DOUBLE:
            v[i] = v_double(rng_below(r, 2) == 0 ? doubles[rng_below(r, ARRAY_LEN(doubles))]
                                                 : rng_normal(r));
            break;
        case V_TEXT: v[i] = v_text(text, rng_below(r, text_size)); break;
        case V_BOOL: v[i] = v_bool(n & 1); break;
        default:
            v[i] = (struct value){
                .type = (uint8_t)s->columns[i].type, .scale = s->columns[i].scale, .i = n};
            break;
        }
    }
}

/* Goal: what is encoded is decoded, whole or one column at a time, and through JSON, extremes
 * included.                                                                                      */
static void test_row_round_trip_every_type_and_extreme(void)
{
    struct schema s = {0};
    struct buf row = {0}, json = {0}, text = {0};
    struct value v[16], back[16];
    struct fault f = {0};
    struct rng r;
    char letters[300];

    open_schema(&s);
    rng_seed(&r, test_seed());
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)rng_range(&r, 0, 126);
    for (int i = 0; i < test_scale(20000); i++) {
        random_row(&s, &r, v, letters, sizeof letters);
        buf_clear(&row);
        buf_clear(&json);
        buf_clear(&text);
        ASSERT_OK(row_encode(&s, v, &row, &f), &f);
        ASSERT_OK(row_decode(&s, row.data, row.size, back, &f), &f);
        for (int c = 0; c < s.column_count; c++) {
            struct value one;

            ck_assert(value_equal(&v[c], &back[c]) && v[c].type == back[c].type);
            ASSERT_OK(row_get(&s, row.data, row.size, c, &one, &f), &f);
            ck_assert(value_equal(&v[c], &one));
        }
        row_to_json(&s, v, &json);
        ASSERT_OK(row_from_json(&s, (char *)json.data, json.size, back, &text, &f), &f);
        for (int c = 0; c < s.column_count; c++)
            ck_assert_msg(value_equal(&v[c], &back[c]), "column %d of %s", c, buf_cstr(&json));
    }
    schema_free(&s);
    buf_free(&row);
    buf_free(&json);
    buf_free(&text);
}

/* Goal: the bytes of the header's diagram, and the canonical form, are what they were.           */
static void test_row_golden_bytes(void)
{
    struct schema s = {0};
    struct buf row = {0};
    struct value v[9] = {v_int(-1),   v_null(), v_decimal(25500, 4), v_bool(true), v_time(1),
                         v_str("hi"), v_null(), v_str(""),           v_null()};
    struct fault f = {0};

    open_schema(&s);
    ASSERT_OK(row_encode(&s, v, &row, &f), &f);
    ck_assert_uint_eq(row.size, 14);
    ck_assert_mem_eq(row.data, "\x01\x09\x42\x01\x01\xb8\x8e\x03\x01\x02\x02hi\x00", 14);
    buf_clear(&row);
    row_canonical(&s, v, &row);
    ck_assert_mem_eq(row.data,
                     "\x01\x01\x01\x01\x02\x00\x03\x03\xb8\x8e\x03\x04\x04\x01\x05\x05\x02\x06\x06"
                     "\x02hi\x07\x00\x08\x06\x00\x09\x00",
                     row.size);
    schema_free(&s);
    buf_free(&row);
}

/* Goal: a damaged row is refused or decodes to a row that is well-formed; a cut row is always
 * refused.                                                                                       */
static void test_row_damaged_bytes_never_crash(void)
{
    struct schema s = {0};
    struct buf row = {0};
    struct value v[9] = {
        v_int(77),      v_double(2.5),    v_decimal(-1, 4), v_bool(true), v_time(1323435000000000),
        v_str("hello"), v_int(INT64_MIN), v_null(),         v_int(5)};
    struct value back[9];
    struct fault f = {0};

    open_schema(&s);
    ASSERT_OK(row_encode(&s, v, &row, &f), &f);
    for (size_t i = 0; i < row.size; i++) {
        ASSERT_STATUS(row_decode(&s, row.data, i, back, NULL), ST_CORRUPT);
        for (unsigned x = 1; x < 256; x++) {
            enum status st;

            row.data[i] ^= (uint8_t)x;
            st = row_decode(&s, row.data, row.size, back, NULL);
            ck_assert(st == ST_OK || st == ST_CORRUPT);
            for (int c = 0; c < s.column_count; c++)
                (void)!row_get(&s, row.data, row.size, c, &back[c], NULL);
            row.data[i] ^= (uint8_t)x;
        }
    }
    schema_free(&s);
    buf_free(&row);
}

static void test_row_refuses_what_the_schema_does_not_allow(void)
{
    struct schema s = {0};
    struct buf row = {0};
    struct value v[9] = {v_null()};
    struct fault f = {0};

    open_schema(&s);
    ASSERT_STATUS(row_encode(&s, v, &row, &f), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "id must not be null"));
    v[0] = v_str("1");
    ASSERT_STATUS(row_encode(&s, v, &row, NULL), ST_INVALID);
    v[0] = v_int(1);
    v[2] = v_decimal(123456, 5); /* 1.23456 has a digit too many */
    ASSERT_STATUS(row_encode(&s, v, &row, NULL), ST_INVALID);
    v[2] = v_decimal(15, 1);
    ASSERT_OK(row_encode(&s, v, &row, &f), NULL);
    ASSERT_OK(row_decode(&s, row.data, row.size, v, NULL), NULL);
    ck_assert(v[2].i == 15000 && v[2].scale == 4);
    schema_free(&s);
    buf_free(&row);
}

/* Goal:   rows written under any version decode under the newest, and equal rows hash alike.
 * Method: keep rows of each version while columns come, go and are renamed.                      */
static void test_row_old_versions_decode_and_hash_alike(void)
{
    struct schema s = {0};
    struct buf rows[4] = {{0}};
    struct value v[16] = {v_int(7),   v_double(-0.0), v_decimal(1, 4), v_null(), v_null(),
                          v_str("x"), v_null(),       v_null(),        v_null()};
    struct column added = {.name = "brand", .type = V_TEXT, .def = v_str("none")};
    struct hash128 first;
    struct fault f = {0};

    open_schema(&s);
    ASSERT_OK(row_encode(&s, v, &rows[0], &f), &f);
    ASSERT_OK(schema_add_column(&s, &added, &f), &f);
    v[9] = v_str("none");
    ASSERT_OK(row_encode(&s, v, &rows[1], &f), &f);
    ASSERT_OK(schema_drop_column(&s, "i", &f), &f);
    ASSERT_OK(row_encode(&s, v, &rows[2], &f), &f);
    ASSERT_OK(schema_rename_column(&s, "brand", "make", &f), &f);
    v[1] = v_double(0.0);
    ASSERT_OK(row_encode(&s, v, &rows[3], &f), &f);
    for (int i = 0; i < 4; i++) {
        struct value back[16];
        struct hash128 h;

        ASSERT_OK(row_decode(&s, rows[i].data, rows[i].size, back, &f), &f);
        ck_assert(value_equal(&back[9], &v[9]) && back[6].type == V_NULL && back[0].i == 7);
        h = row_hash(&s, back);
        if (i == 0) first = h;
        ck_assert(h.lo == first.lo && h.hi == first.hi);
        ASSERT_OK(row_get(&s, rows[i].data, rows[i].size, 9, &back[9], &f), &f);
        ck_assert(value_equal(&back[9], &v[9]));
        buf_free(&rows[i]);
    }
    v[0] = v_int(8);
    ck_assert(row_hash(&s, v).lo != first.lo);
    schema_free(&s);
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
    struct schema s = {0};
    struct buf text = {0};
    struct value v[9];

    open_schema(&s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fault f = {0};

        ASSERT_STATUS(row_from_json(&s, cases[i].json, strlen(cases[i].json), v, &text, &f),
                      ST_INVALID);
        ck_assert_msg(strstr(f.why, cases[i].says) != NULL, "case %zu says: %s", i, f.why);
    }
    ASSERT_OK(row_from_json(&s, "{\"id\":1,\"m\":2.5}", 16, v, &text, NULL), NULL);
    ck_assert(v[2].i == 25000 && v[7].type == V_TEXT && v[7].len == 3); /* the default */
    schema_free(&s);
    buf_free(&text);
}

static void test_row_key_reads_back(void)
{
    struct schema s = {0};
    struct buf a = {0}, b = {0};
    struct value v[9] = {v_int(5)};
    struct fault f = {0};

    open_schema(&s);
    ASSERT_OK(row_key(&s, v, &a, &f), &f);
    key_append(&b, &v[0]);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    schema_free(&s);
    buf_free(&a);
    buf_free(&b);
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

    return run_tests("row", tests, ARRAY_LEN(tests), argc, argv);
}
