/* The shipped data is what it says: unique ids, complete rows, judgements of products that exist.   */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/value.h"
#include "tests/common/check_main.h"
#include "tests/pipeline/shop_data.h"

static struct shop shop;

static void load(void)
{
    struct seam_fault f = {0};

    ASSERT_OK(shop_read(&shop, &f), &f);
}

static void test_products_are_complete_and_unique(void)
{
    struct {
        const char *name;
        size_t count;
    } category[64];
    size_t categories = 0;

    load();
    ck_assert_uint_ge(shop.count, 420);
    for (size_t i = 0; i < shop.count; i++) {
        const struct shop_product *p = &shop.products[i];
        int64_t price;
        size_t c = 0;

        ck_assert_msg(p->sku && p->title && p->description && p->category && p->brand && p->price,
                      "row %zu", i);
        ck_assert_uint_ge(strlen(p->title), 8);
        ck_assert_uint_ge(strlen(p->description), 20);
        ck_assert_int_eq(seam_decimal_parse(p->price, strlen(p->price), 4, &price), SEAM_OK);
        ck_assert_int_gt(price, 0);
        ck_assert_int_ge(p->stock, 0);
        for (size_t k = 0; k < i; k++) {
            ck_assert_msg(shop.products[k].id != p->id, "id %lld twice", (long long)p->id);
            ck_assert_msg(strcmp(shop.products[k].sku, p->sku) != 0, "sku %s twice", p->sku);
            ck_assert_msg(strcmp(shop.products[k].title, p->title) != 0, "title %s twice",
                          p->title);
        }
        while (c < categories && strcmp(category[c].name, p->category) != 0) c++;
        if (c == categories) {
            category[categories].name = p->category;
            category[categories++].count = 0;
        }
        category[c].count++;
    }
    ck_assert_uint_ge(categories, 12);
    for (size_t c = 0; c < categories; c++)
        ck_assert_msg(category[c].count >= 20, "%s", category[c].name);
}

static bool is_product(long long id)
{
    for (size_t i = 0; i < shop.count; i++)
        if (shop.products[i].id == id) return true;
    return false;
}

static void test_queries_and_judgements_fit_the_products(void)
{
    static char ids[512][16], classes[512][32];
    size_t queries = 0, odd = 0, unlike = 0, judged[512] = {0}, best[512] = {0};
    char line[512], qid[16], text[400];
    FILE *in = fopen("pipeline/shop/queries.tsv", "r");
    long long id;
    int grade;

    load();
    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, in));
    while (fgets(line, sizeof line, in) != NULL) {
        ck_assert_int_eq(
            sscanf(line, "%15[^\t]\t%31[^\t]\t%399[^\n]", ids[queries], classes[queries], text), 3);
        odd += (ids[queries][strlen(ids[queries]) - 1] - '0') & 1;
        unlike += strcmp(classes[queries], "paraphrase") == 0 ||
                  strcmp(classes[queries], "misspelling") == 0;
        queries++;
    }
    fclose(in);
    ck_assert_uint_ge(queries, 72);
    ck_assert_uint_eq(odd, queries / 2);
    ck_assert_uint_ge(unlike * 100, queries * 49);
    in = fopen("pipeline/shop/qrels.txt", "r");
    ck_assert_ptr_nonnull(in);
    while (fgets(line, sizeof line, in) != NULL) {
        size_t q = 0;

        ck_assert_int_eq(sscanf(line, "%15s 0 %lld %d", qid, &id, &grade), 3);
        while (q < queries && strcmp(ids[q], qid) != 0) q++;
        ck_assert_msg(q < queries, "judgement of unknown query %s", qid);
        ck_assert_msg(is_product(id), "%s judges unknown product %lld", qid, id);
        ck_assert(grade >= 0 && grade <= 3);
        judged[q]++;
        if ((size_t)grade > best[q]) best[q] = (size_t)grade;
    }
    fclose(in);
    for (size_t q = 0; q < queries; q++) {
        ck_assert_msg(judged[q] >= 1, "%s has no judgement", ids[q]);
        ck_assert_msg(best[q] == 3, "%s has no product of grade 3", ids[q]);
    }
}

static const struct named_test tests[] = {
    T(test_products_are_complete_and_unique),
    T(test_queries_and_judgements_fit_the_products),
};

int main(int argc, char **argv)
{
    return run_tests("catalogue", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
