/* Goal:   a contract says what a seam promises, and a change that breaks its consumers is refused.
 * Method: the shipped contracts are parsed, edited as text in one place each, and compared; damaged ones must be
 *         refused with a line; docs/reference/contracts.md must be what they say.                              */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"
#include "pipeline/shop/assets.h"
#include "pipeline/trust/contract.h"
#include "tests/common/check_main.h"

/* A copy of a shipped contract with the first `from` replaced by `to`.                               */
static char *edited(const char *name, const char *from, const char *to)
{
    char path[80];
    struct asset a;
    const char *at;
    char *out;

    snprintf(path, sizeof path, "contracts/%s.json", name);
    a = shop_asset_find(path);
    ck_assert_ptr_nonnull(a.text);
    at = strstr(a.text, from);
    ck_assert_msg(at != NULL, "%s has no %s", name, from);
    out = malloc(a.size + strlen(to) + 1);
    ck_assert_ptr_nonnull(out);
    snprintf(out, a.size + strlen(to) + 1, "%.*s%s%s", (int)(at - a.text), a.text, to,
             at + strlen(from));
    return out;
}

static enum seam_status compare(const char *name, const char *from, const char *to,
                                struct seam_buf *report)
{
    struct seam_arena arena = {0};
    struct contracts set;
    struct contract next;
    struct seam_fault f = {0};
    char *text = edited(name, from, to);
    enum seam_status st;

    ASSERT_OK(contracts_load(&arena, &set, &f), &f);
    ASSERT_OK(contract_parse(text, strlen(text), &arena, name, &next, &f), &f);
    st = SEAM_NOT_FOUND;
    for (size_t i = 0; i < set.count; i++)
        if (strcmp(set.list[i].name, name) == 0)
            st = contract_compatible(&set.list[i], &next, report, NULL);
    seam_arena_free(&arena);
    free(text);
    return st;
}

static void test_shipped_contracts_are_valid(void)
{
    struct seam_arena arena = {0};
    struct contracts set;
    struct seam_fault f = {0};

    ASSERT_OK(contracts_load(&arena, &set, &f), &f);
    ck_assert_uint_eq(set.count, 8);
    for (size_t i = 0; i < set.count; i++) {
        struct seam_buf report = {0};

        ck_assert_str_eq(set.list[i].name, contract_shipped(i));
        ck_assert_int_eq(contract_compatible(&set.list[i], &set.list[i], &report, NULL), SEAM_OK);
        ck_assert_uint_eq(report.size, 0);
        seam_buf_free(&report);
    }
    seam_arena_free(&arena);
}

static void test_breaking_changes_are_refused(void)
{
    static const struct {
        const char *name, *from, *to, *reason;
    } list[] = {
        {"bronze-silver", "\"name\": \"stock\"", "\"name\": \"stock_level\"",
         "products.stock is gone"},
        {"bronze-silver", "\"decimal(4)\"", "\"double\"", "was decimal(4) and is double"},
        {"bronze-silver", "\"required\": true", "\"required\": false", "may now be null"},
        {"bronze-silver", "\"primaryKey\": true", "\"primaryKey\": false", "the key changed"},
        {"bronze-silver", "\"value\": 15,", "\"value\": 60,", "freshness was promised"},
        {"bronze-silver", "\"value\": 7,", "\"value\": 1,", "retention is shorter"},
        {"bronze-silver", "exactly-once effect", "at least once", "guarantee was"},
        {"bronze-silver", "\"id\": \"seam-bronze-silver\"", "\"id\": \"other\"", "the id was"},
        {"stream-vectors", "\"value\": 0.95", "\"value\": 0.5", "recall was promised"},
        {"stream-search", "\"purpose\": \"every", "\"purpose\": \"Every",
         "its version is still 1.0.0"},
    };

    for (size_t i = 0; i < SEAM_ARRAY_LEN(list); i++) {
        struct seam_buf report = {0};

        ck_assert_msg(compare(list[i].name, list[i].from, list[i].to, &report) == SEAM_CONFLICT,
                      "%s", list[i].reason);
        ck_assert_msg(strstr(seam_buf_cstr(&report), list[i].reason) != NULL, "'%s' is not in: %s",
                      list[i].reason, seam_buf_cstr(&report));
        seam_buf_free(&report);
    }
}

static void test_compatible_changes_pass(void)
{
    struct seam_buf report = {0};

    ck_assert_int_eq(
        compare("bronze-silver", "\"version\": \"1.0.0\"", "\"version\": \"2.0.0\"", &report),
        SEAM_OK);
    ck_assert_int_eq(
        compare("bronze-silver", "\"version\": \"1.0.0\"", "\"version\": \"1.1.0\"", &report),
        SEAM_OK);
    seam_buf_free(&report);
}

static void test_invalid_contracts_are_refused(void)
{
    static const struct {
        const char *from, *to;
    } list[] = {
        {"\"kind\": \"DataContract\"", "\"kind\": \"Wish\""},
        {"\"v3.1.0\"", "\"v1.0.0\""},
        {"\"version\": \"1.0.0\"", "\"version\": \"soon\""},
        {"\"logicalType\": \"integer\"", "\"logicalType\": \"bigint\""},
        {"\"required\": true", "\"optional\": false"},
        {"\"value\": 15,", "\"value\": 0,"},
        {"\"property\": \"guarantee\"", "\"property\": \"hope\""},
        {"\"members\"", "\"people\""},
        {"\"minimum\": 0", "\"minimum\": 99999999"},
        {"\"name\": \"sku\"", "\"name\": \"title\""},
    };

    for (size_t i = 0; i < SEAM_ARRAY_LEN(list); i++) {
        struct seam_arena arena = {0};
        struct contract c;
        struct seam_fault f = {0};
        char *text = edited("bronze-silver", list[i].from, list[i].to);

        ck_assert_msg(contract_parse(text, strlen(text), &arena, "x.json", &c, &f) == SEAM_INVALID,
                      "%s passed", list[i].to);
        ck_assert_str_ne(f.why, "");
        seam_arena_free(&arena);
        free(text);
    }
}

static enum seam_status first_of_seven(void *ctx, const struct contract_rule *rule,
                                       struct seam_fault *f)
{
    struct contract_rule *out = ctx;

    (void)f;
    if (rule->number == 7) *out = *rule;
    return SEAM_OK;
}

/* Each operator at its bound, below it and above it: by name in the contract and by what it then holds. */
static void test_rules_at_their_bounds(void)
{
    static const struct {
        const char *name;
        bool below, at, above;
    } list[] = {
        {"mustBe", false, true, false},
        {"mustNotBe", true, false, true},
        {"mustBeGreaterThan", false, false, true},
        {"mustBeGreaterOrEqualTo", false, true, true},
        {"mustBeLessThan", true, false, false},
        {"mustBeLessOrEqualTo", true, true, false},
    };

    for (size_t i = 0; i < SEAM_ARRAY_LEN(list); i++) {
        struct seam_arena arena = {0};
        struct contract c;
        struct contract_rule r = {0};
        struct seam_fault f = {0};
        char to[80], *text;

        snprintf(to, sizeof to, "\"%s\": 7", list[i].name);
        text = edited("bronze-silver", "\"mustBe\": 0", to);
        ASSERT_OK(contract_parse(text, strlen(text), &arena, "bronze-silver", &c, &f), &f);
        ASSERT_OK(contract_rules(&c, first_of_seven, &r, &f), &f);
        ck_assert_msg(r.number == 7, "%s was not read", list[i].name);
        ck_assert_msg(contract_holds(&r, 6) == list[i].below, "%s 7, measured 6", list[i].name);
        ck_assert_msg(contract_holds(&r, 7) == list[i].at, "%s 7, measured 7", list[i].name);
        ck_assert_msg(contract_holds(&r, 8) == list[i].above, "%s 7, measured 8", list[i].name);
        seam_arena_free(&arena);
        free(text);
    }
}

/* The document is made from the contracts; make it again with: seam check contracts --markdown > docs/reference/contracts.md */
static void test_the_document_is_not_stale(void)
{
    struct seam_arena arena = {0};
    struct contracts set;
    struct seam_buf want = {0}, is = {0};
    struct seam_fault f = {0};

    ASSERT_OK(contracts_load(&arena, &set, &f), &f);
    contracts_markdown(&set, &want);
    ASSERT_OK(seam_io_read_all(seam_io_posix(), "docs/reference/contracts.md", 1 << 20, &is, &f),
              &f);
    ck_assert_msg(is.size == want.size && memcmp(is.data, want.data, is.size) == 0,
                  "docs/reference/contracts.md is stale: build/seam check contracts --markdown > "
                  "docs/reference/contracts.md");
    seam_buf_free(&want);
    seam_buf_free(&is);
    seam_arena_free(&arena);
}

static const struct named_test tests[] = {
    T(test_shipped_contracts_are_valid), T(test_breaking_changes_are_refused),
    T(test_compatible_changes_pass),     T(test_invalid_contracts_are_refused),
    T(test_rules_at_their_bounds),       T(test_the_document_is_not_stale),
};

int main(int argc, char **argv)
{
    return run_tests("contracts", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
