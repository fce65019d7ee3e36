#include "engine/base/rng.h"
#include "engine/values/schema.h"
#include "tests/common/check_main.h"

static const char products[] =
    "{\"table\":\"products\",\"version\":1,\"key\":[\"product_id\"],\n"
    " \"columns\":[{\"name\":\"product_id\",\"type\":\"int64\"},{\"name\":\"sku\",\"type\":"
    "\"text\"},\n"
    "  {\"name\":\"price\",\"type\":\"decimal\",\"scale\":4,\"nullable\":true,\"default\":\"0\"},\n"
    "  {\"name\":\"live\",\"type\":\"bool\",\"default\":true}],\n"
    " \"indexes\":[{\"name\":\"by_sku\",\"columns\":[\"sku\"],\"unique\":true}]}";

static enum status parse(const char *json, struct schema *s, struct fault *f)
{
    return schema_parse(json, strlen(json), s, f);
}

static void test_schema_json_round_trip(void)
{
    struct schema s = {0}, again = {0}, copy = {0};
    struct buf a = {0}, b = {0};
    struct fault f = {0};

    ASSERT_OK(parse(products, &s, &f), &f);
    ck_assert_int_eq(s.column_count, 4);
    ck_assert_int_eq(s.columns[2].def.scale, 4);
    ck_assert_int_eq(schema_column(&s, "price"), 2);
    ck_assert_int_eq(schema_column(&s, "nothing"), -1);
    ck_assert(s.indexes[0].unique && s.indexes[0].id == 1 && s.indexes[0].columns[0] == 1);
    schema_to_json(&s, &a);
    ASSERT_OK(schema_parse((char *)a.data, a.size, &again, &f), &f);
    ASSERT_OK(schema_clone(&again, &copy), &f);
    schema_free(&again);
    schema_to_json(&copy, &b);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    schema_free(&s);
    schema_free(&copy);
    buf_free(&a);
    buf_free(&b);
}

/* Goal: each mistake is refused, and the fault says which member it is.                          */
static void test_schema_mistakes_are_named(void)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"[]", "expected an object"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"column\":[]}", "did you mean \"columns\""},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[]}", "\"columns\" must be"},
        {"{\"table\":\"t t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}]}",
         "letters, digits"},
        {"{\"table\":\"t\",\"key\":[\"b\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}]}",
         "names no column \"b\""},
        {"{\"table\":\"t\",\"key\":[\"a\",\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}]"
         "}",
         "twice"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int\"}]}",
         "did you mean \"int64\""},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\","
         "\"nullable\":true}]}",
         "nullable"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\","
         "\"scale\":3}]}",
         "only a decimal"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"decimal\","
         "\"scale\":19}]}",
         "0 to 18"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\","
         "\"default\":\"x\"}]}",
         "default"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"},{"
         "\"name\":\"a\",\"type\":\"text\"}]}",
         "twice"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\","
         "\"added\":2}]}",
         "versions 1 to 1"},
        {"{\"table\":\"t\",\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}],"
         "\"indexes\":[{\"name\":\"i\",\"columns\":[\"z\"]}]}",
         "names no column \"z\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schema s = {0};
        struct fault f = {0};

        ASSERT_STATUS(parse(cases[i].json, &s, &f), ST_INVALID);
        ck_assert_msg(strstr(f.why, cases[i].says) != NULL, "case %zu says: %s", i, f.why);
    }
}

static void test_schema_evolution_refuses_what_would_lose_rows(void)
{
    struct schema s = {0};
    struct fault f = {0};
    struct column c = {.name = "stock", .type = V_INT};

    ASSERT_OK(parse(products, &s, &f), &f);
    ASSERT_STATUS(schema_add_column(&s, &c, NULL), ST_INVALID); /* old rows would have nothing */
    c.def = v_int(0);
    ASSERT_OK(schema_add_column(&s, &c, &f), &f);
    ck_assert_int_eq(s.version, 2);
    ck_assert_int_eq(s.columns[4].added, 2);
    ASSERT_STATUS(schema_add_column(&s, &c, NULL), ST_EXISTS);
    ASSERT_STATUS(schema_drop_column(&s, "product_id", NULL), ST_INVALID);
    ASSERT_STATUS(schema_drop_column(&s, "sku", NULL), ST_INVALID); /* indexed */
    ASSERT_OK(schema_drop_column(&s, "price", &f), &f);
    ck_assert_int_eq(schema_column(&s, "price"), -1);
    ASSERT_OK(schema_rename_column(&s, "stock", "price", &f), &f); /* the name is free again */
    ASSERT_STATUS(schema_rename_column(&s, "live", "sku", NULL), ST_EXISTS);
    ASSERT_STATUS(schema_rename_column(&s, "live", "a b", NULL), ST_INVALID);
    ck_assert_int_eq(s.version, 4);
    schema_free(&s);
}

/* Goal: a damaged schema is refused or is some schema; never a crash.                            */
static void test_schema_survives_every_flipped_byte(void)
{
    char bytes[sizeof products];

    for (size_t i = 0; i + 1 < sizeof products; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct schema s = {0};

            memcpy(bytes, products, sizeof products);
            bytes[i] ^= (char)(1u << bit);
            if (schema_parse(bytes, sizeof bytes - 1, &s, NULL) == ST_OK) schema_free(&s);
        }
        ck_assert_int_ne(schema_parse(products, i, &(struct schema){0}, NULL), ST_OK);
    }
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_schema_json_round_trip),
        T(test_schema_mistakes_are_named),
        T(test_schema_evolution_refuses_what_would_lose_rows),
        T(test_schema_survives_every_flipped_byte),
    };

    return run_tests("schema", tests, ARRAY_LEN(tests), argc, argv);
}
