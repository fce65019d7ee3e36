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

static enum seam_status parse(const char *json, struct seam_schema *s, struct seam_fault *f)
{
    return seam_schema_parse(json, strlen(json), s, f);
}

static void test_schema_json_round_trip(void)
{
    struct seam_schema s = {0}, again = {0}, copy = {0};
    struct seam_buf a = {0}, b = {0};
    struct seam_fault f = {0};

    ASSERT_OK(parse(products, &s, &f), &f);
    ck_assert_int_eq(s.column_count, 4);
    ck_assert_int_eq(s.columns[2].def.scale, 4);
    ck_assert_int_eq(seam_schema_column(&s, "price"), 2);
    ck_assert_int_eq(seam_schema_column(&s, "nothing"), -1);
    ck_assert(s.indexes[0].unique && s.indexes[0].id == 1 && s.indexes[0].columns[0] == 1);
    seam_schema_to_json(&s, &a);
    ASSERT_OK(seam_schema_parse((char *)a.data, a.size, &again, &f), &f);
    ASSERT_OK(seam_schema_clone(&again, &copy), &f);
    seam_schema_free(&again);
    seam_schema_to_json(&copy, &b);
    ck_assert_uint_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    seam_schema_free(&s);
    seam_schema_free(&copy);
    seam_buf_free(&a);
    seam_buf_free(&b);
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

    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_schema s = {0};
        struct seam_fault f = {0};

        ASSERT_STATUS(parse(cases[i].json, &s, &f), SEAM_INVALID);
        ck_assert_msg(strstr(f.why, cases[i].says) != NULL, "case %zu says: %s", i, f.why);
    }
}

static void test_schema_evolution_refuses_what_would_lose_rows(void)
{
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    struct seam_column c = {.name = "stock", .type = SEAM_V_INT};

    ASSERT_OK(parse(products, &s, &f), &f);
    ASSERT_STATUS(seam_schema_add_column(&s, &c, NULL),
                  SEAM_INVALID); /* old rows would have nothing */
    c.def = seam_v_int(0);
    ASSERT_OK(seam_schema_add_column(&s, &c, &f), &f);
    ck_assert_int_eq(s.version, 2);
    ck_assert_int_eq(s.columns[4].added, 2);
    ASSERT_STATUS(seam_schema_add_column(&s, &c, NULL), SEAM_EXISTS);
    ASSERT_STATUS(seam_schema_drop_column(&s, "product_id", NULL), SEAM_INVALID);
    ASSERT_STATUS(seam_schema_drop_column(&s, "sku", NULL), SEAM_INVALID); /* indexed */
    ASSERT_OK(seam_schema_drop_column(&s, "price", &f), &f);
    ck_assert_int_eq(seam_schema_column(&s, "price"), -1);
    ASSERT_OK(seam_schema_rename_column(&s, "stock", "price", &f), &f); /* the name is free again */
    ASSERT_STATUS(seam_schema_rename_column(&s, "live", "sku", NULL), SEAM_EXISTS);
    ASSERT_STATUS(seam_schema_rename_column(&s, "live", "a b", NULL), SEAM_INVALID);
    ck_assert_int_eq(s.version, 4);
    seam_schema_free(&s);
}

/* Goal: a damaged schema is refused or is some schema; never a crash.                            */
static void test_schema_survives_every_flipped_byte(void)
{
    char bytes[sizeof products];

    for (size_t i = 0; i + 1 < sizeof products; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct seam_schema s = {0};

            memcpy(bytes, products, sizeof products);
            bytes[i] ^= (char)(1u << bit);
            if (seam_schema_parse(bytes, sizeof bytes - 1, &s, NULL) == SEAM_OK)
                seam_schema_free(&s);
        }
        ck_assert_int_ne(seam_schema_parse(products, i, &(struct seam_schema){0}, NULL), SEAM_OK);
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

    return run_tests("schema", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
