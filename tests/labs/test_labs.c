/* Goal:   every lab plays to its end in both forms, the same each time, and shows what the stores
 *         did.
 * Method: each is played twice on its simulated disk; text, JSON and HTML are compared and read
 *         back; inputs of one's own change the play. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/text/json.h"
#include "pipeline/lab/lab.h"
#include "tests/common/check_main.h"

static struct lab *play(const char *name, const struct lab_input *in)
{
    struct lab *l = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(lab_play(lab_find(name), in, &l, &f), &f);
    return l;
}

static size_t count_of(const struct seam_buf *b, const char *what)
{
    size_t n = 0;

    for (const char *p = (const char *)b->data; (p = strstr(p, what)) != NULL; p++) n++;
    return n;
}

static void check_text(const struct lab *l, const struct lab *again)
{
    struct seam_buf a = {0}, b = {0};

    lab_print(l, (struct lab_style){0}, &a);
    lab_print(again, (struct lab_style){0}, &b);
    ck_assert_str_eq(seam_buf_cstr(&a), seam_buf_cstr(&b));
    ck_assert_uint_eq(count_of(&a, "\n--- step "), lab_count(l));
    seam_buf_free(&a);
    seam_buf_free(&b);
}

static void check_json(const struct lab *l)
{
    struct seam_buf b = {0};
    struct seam_arena arena = {0};
    struct seam_json *v;
    struct seam_fault f = {0};

    lab_json(l, &b);
    ASSERT_OK(seam_json_parse((const char *)b.data, b.size, &arena, "lab", &v, &f), &f);
    ck_assert_uint_eq(seam_json_get(v, "steps")->len, lab_count(l));
    seam_arena_free(&arena);
    seam_buf_free(&b);
}

/* Whole, alone, and with the same number of steps as sections and in its JSON. */
static void check_html(const struct lab *l)
{
    struct seam_buf b = {0};
    const char *json, *end;
    struct seam_arena arena = {0};
    struct seam_json *v;
    struct seam_fault f = {0};

    lab_html(l, &b);
    seam_buf_cstr(&b);
    ck_assert_uint_eq(count_of(&b, "<section"), lab_count(l));
    ck_assert_uint_eq(count_of(&b, "</section>"), lab_count(l));
    ck_assert_uint_eq(count_of(&b, "<svg"), count_of(&b, "</svg>"));
    ck_assert_uint_eq(count_of(&b, "http"), 0); /* nothing is fetched from anywhere */
    ck_assert_uint_eq(count_of(&b, "<mark>"), count_of(&b, "</mark>"));
    json = strstr((const char *)b.data, "id=\"lab\">");
    ck_assert_ptr_nonnull(json);
    json += strlen("id=\"lab\">");
    end = strchr(json, '<');
    ASSERT_OK(seam_json_parse(json, (size_t)(end - json), &arena, "page", &v, &f), &f);
    ck_assert_uint_eq(seam_json_get(v, "steps")->len, lab_count(l));
    seam_arena_free(&arena);
    seam_buf_free(&b);
}

static void test_every_lab_plays_to_its_end_in_both_forms(void)
{
    size_t n;
    const struct lab_kind *kinds = lab_kinds(&n);

    for (size_t i = 0; i < n; i++) {
        struct lab *l = play(kinds[i].name, &(struct lab_input){0}),
                   *again = play(kinds[i].name, &(struct lab_input){0});
        size_t events = 0;

        ck_assert_uint_ge(lab_count(l), 4);
        for (size_t s = 0; s < lab_count(l); s++) {
            ck_assert_uint_gt(strlen(lab_at(l, s)->story), 20);
            events += lab_at(l, s)->event_count;
        }
        ck_assert_uint_gt(events, 0);
        check_text(l, again);
        check_json(l);
        check_html(l);
        lab_free(l);
        lab_free(again);
    }
}

static void test_own_input_and_seed_change_the_play(void)
{
    static const int64_t keys[] = {42, 7, 42};
    static const char *const docs[] = {"a <b> & \"quoted\" heron", "heron and hose"};
    struct lab *l = play("btree", &(struct lab_input){.keys = keys, .key_count = 3});
    size_t at;

    ck_assert_ptr_nonnull(strstr(lab_at(l, 1)->story, "Key 42"));
    lab_free(l);
    l = play("segments", &(struct lab_input){.docs = docs, .doc_count = 2});
    at = lab_search(l, 0, "heron");
    ck_assert_uint_eq(at, 0);
    ck_assert_uint_eq(lab_search(l, at + 1, "heron"), 1); /* goes on from there */
    ck_assert_uint_eq(lab_search(l, 0, "no such word anywhere"), SIZE_MAX);
    check_html(l); /* what the reader gave is escaped */
    lab_free(l);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        size_t n;
        const struct lab_kind *kinds = lab_kinds(&n);

        for (size_t i = 0; i < n; i++)
            lab_free(play(kinds[i].name, &(struct lab_input){.seed = seed}));
    }
}

/* Many vectors of many dimensions are walked and projected; the same each time. */
static void test_own_vectors_of_many_dimensions_are_walked_and_drawn(void)
{
    enum { N = 150, DIM = 24 };
    static float rows[N * DIM], query[DIM];
    struct seam_rng rng;
    struct lab *l;

    seam_rng_seed(&rng, test_seed());
    for (size_t i = 0; i < N * DIM; i++) rows[i] = (float)seam_rng_normal(&rng);
    for (size_t i = 0; i < DIM; i++) query[i] = (float)seam_rng_normal(&rng);
    l = play("hnsw", &(struct lab_input){
                         .vectors = rows, .vector_count = N, .dim = DIM, .query = query, .ef = 40});
    ck_assert_ptr_nonnull(strstr(lab_at(l, 1)->story, "150 vectors of yours"));
    ck_assert_ptr_nonnull(strstr(lab_at(l, 3)->svg, "<circle"));
    ck_assert_ptr_null(strstr(lab_at(l, 3)->svg, "nan"));
    ck_assert(lab_figure_of(l, "recall") > 0.5);
    ck_assert(isnan(lab_figure_of(l, "no such figure")));
    lab_free(l);
    /* vectors that do not differ have no direction to be drawn on */
    memset(rows, 0, sizeof rows);
    l = play("hnsw", &(struct lab_input){.vectors = rows, .vector_count = 3, .dim = DIM});
    ck_assert_ptr_null(strstr(lab_at(l, 3)->svg, "nan"));
    lab_free(l);
}

/* A label that is no 0 or 1 reads as 1, and so had the hash of 1. */
static void test_a_forged_line_mark_is_found(void)
{
    struct lab *l = play("audit", &(struct lab_input){.forge = "line=2"});

    ck_assert(lab_figure_of(l, "verify finds it") == 1);
    lab_free(l);
}

static void test_digests_bisect_through_three_levels(void)
{
    struct lab *l = play("reconcile", &(struct lab_input){0});

    ck_assert(lab_figure_of(l, "differences found") == 3);
    ck_assert(lab_figure_of(l, "digests then") == 1 + 16 + 3 * 16);
    ck_assert_uint_ne(lab_search(l, 0, "level 2 (leaves of 16 rows): 48"), SIZE_MAX);
    lab_free(l);
}

static void test_the_tree_splits_and_the_log_loses_only_what_was_not_durable(void)
{
    struct lab *l = play("btree", &(struct lab_input){0});

    ck_assert_uint_ne(lab_search(l, 0, "page_split"), SIZE_MAX);
    ck_assert_uint_ne(lab_search(l, 0, "page_merge"), SIZE_MAX);
    ck_assert_ptr_nonnull(strstr(lab_at(l, 2)->svg, "<rect"));
    lab_free(l);
    l = play("log", &(struct lab_input){0});
    ck_assert_uint_ne(lab_search(l, 0, "torn_tail"), SIZE_MAX);
    lab_free(l);
}

static const struct named_test tests[] = {
    T(test_every_lab_plays_to_its_end_in_both_forms),
    T(test_own_input_and_seed_change_the_play),
    T(test_own_vectors_of_many_dimensions_are_walked_and_drawn),
    T(test_a_forged_line_mark_is_found),
    T(test_digests_bisect_through_three_levels),
    T(test_the_tree_splits_and_the_log_loses_only_what_was_not_durable),
};

int main(int argc, char **argv)
{
#ifdef SEAM_NO_TRACE
    (void)argc, (void)argv, (void)tests;
    puts("skipped: this build has no trace, and labs play it");
    return 77;
#else
    return run_tests("labs", tests, SEAM_ARRAY_LEN(tests), argc, argv);
#endif
}
