/* Fusion held to examples worked out by hand, and to a direct computation on random lists.           */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "pipeline/relevance/hybrid.h"
#include "tests/common/check_main.h"

#define NEAR(a, b)                                                                                 \
    ck_assert_msg(fabs((a) - (b)) < 1e-12, "%s = %.15f, want %.15f", #a, (double)(a), (double)(b))

static const struct hybrid_item words[] = {{10, 8.0}, {20, 6.0}, {30, 4.0}, {20, 1.0}};
static const struct hybrid_item meaning[] = {{20, 0.9}, {40, 0.5}, {10, 0.1}};
static const struct hybrid_list W = {words, 4}, M = {meaning, 3};

static struct hybrid_hit *fuse(const struct hybrid_options *o, double weight, size_t *n)
{
    struct hybrid_hit *hits = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(
        hybrid_fuse(o, weight, &(struct hybrid_sides){.words = W, .meaning = M}, &hits, n, &f), &f);
    return hits;
}

static const struct hybrid_hit *find(const struct hybrid_hit *hits, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].id == id) return &hits[i];
    ck_abort_msg("id %llu is missing", (unsigned long long)id);
    return NULL;
}

/* Equal weights: 20 = .5/62 + .5/61, 10 = .5/61 + .5/63, 40 = .5/62, 30 = .5/63. */
static void test_rrf_by_hand(void)
{
    struct hybrid_options o = {.method = HYBRID_RRF, .rrf_k = 60.0, .weight = 0.5};
    size_t n;
    struct hybrid_hit *h = fuse(&o, -1.0, &n);
    static const uint64_t order[] = {20, 10, 40, 30};

    ck_assert_uint_eq(n, 4);
    for (size_t i = 0; i < n; i++) ck_assert_uint_eq(h[i].id, order[i]);
    NEAR(h[0].score, 0.5 / 62 + 0.5 / 61);
    NEAR(h[1].score, 0.5 / 61 + 0.5 / 63);
    NEAR(h[2].score, 0.5 / 62);
    ck_assert_uint_eq(h[0].rank[SIDE_WORDS], 2); /* the repeat at rank 4 does not count */
    ck_assert_uint_eq(h[3].rank[SIDE_MEANING], 0);
    free(h);
    h = fuse(&o, 0.0, &n); /* words alone; 40 has nothing */
    ck_assert_uint_eq(h[0].id, 10);
    NEAR(h[3].score, 0.0);
    free(h);
    o.depth = 1; /* one candidate of each side */
    h = fuse(&o, -1.0, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(h[0].id, 10); /* equal scores: the lower id */
    free(h);
}

static void test_convex_by_hand(void)
{
    struct hybrid_options o = {.method = HYBRID_CONVEX,
                               .norm = HYBRID_NORM_MAX,
                               .norm_meaning = HYBRID_NORM_MAX,
                               .weight = 0.25,
                               .floor = {0.0, -1.0}};
    size_t n;
    struct hybrid_hit *h = fuse(&o, -1.0, &n);

    NEAR(find(h, n, 10)->score, 0.75 * 1.0 + 0.25 * 0.1 / 0.9);
    NEAR(find(h, n, 20)->score, 0.75 * 0.75 + 0.25 * 1.0);
    NEAR(find(h, n, 30)->score, 0.75 * 0.5);
    NEAR(find(h, n, 40)->score, 0.25 * 0.5 / 0.9);
    free(h);
    o.norm = o.norm_meaning = HYBRID_NORM_MINMAX;
    h = fuse(&o, -1.0, &n);
    NEAR(find(h, n, 10)->score, 0.75);
    NEAR(find(h, n, 20)->score, 0.75 * 0.5 + 0.25);
    NEAR(find(h, n, 30)->score, 0.0);
    NEAR(find(h, n, 40)->score, 0.25 * 0.5);
    free(h);
    o.norm = o.norm_meaning = HYBRID_NORM_TMM; /* cosines from -1: (c + 1) / 1.9 */
    h = fuse(&o, -1.0, &n);
    NEAR(find(h, n, 10)->score, 0.75 + 0.25 * 1.1 / 1.9);
    NEAR(find(h, n, 40)->score, 0.25 * 1.5 / 1.9);
    free(h);
    o.norm = HYBRID_NORM_ZSCORE; /* 8 6 4: mean 6, deviation sqrt(8/3); a miss counts as the last */
    o.norm_meaning = HYBRID_NORM_NONE;
    h = fuse(&o, -1.0, &n);
    NEAR(find(h, n, 10)->score, 0.75 * 2.0 / sqrt(8.0 / 3.0) + 0.25 * 0.1);
    NEAR(find(h, n, 40)->score, 0.75 * -2.0 / sqrt(8.0 / 3.0) + 0.25 * 0.5);
    free(h);
}

static bool complete(void *ctx, enum hybrid_side_name side, uint64_t id, double *score)
{
    ++*(int *)ctx;
    if (side == SIDE_WORDS) return false; /* 40 has none of the words */
    ck_assert_uint_eq(id, 30);
    *score = 0.45;
    return true;
}

static void test_a_missing_side_is_completed(void)
{
    struct hybrid_options o = {
        .method = HYBRID_CONVEX, .norm = HYBRID_NORM_MAX, .norm_meaning = HYBRID_NORM_MAX};
    struct hybrid_hit *h = NULL;
    struct seam_fault f = {0};
    struct seam_buf b = {0};
    int asked = 0;
    size_t n;

    ASSERT_OK(hybrid_fuse(&o, 0.5,
                          &(struct hybrid_sides){
                              .words = W, .meaning = M, .complete = complete, .ctx = &asked},
                          &h, &n, &f),
              &f);
    ck_assert_int_eq(asked, 2);
    NEAR(find(h, n, 30)->score, 0.5 * 0.5 + 0.5 * 0.5);
    ck_assert(find(h, n, 30)->completed[SIDE_MEANING]);
    NEAR(find(h, n, 40)->part[SIDE_WORDS], 0.0);
    hybrid_explain(find(h, n, 30), &b);
    ck_assert_str_eq(
        seam_buf_cstr(&b),
        "0.5000 = words 0.250 (rank 3, 4) + meaning 0.250 (not among its candidates, 0.45)");
    seam_buf_clear(&b);
    hybrid_explain(find(h, n, 40), &b);
    ck_assert_str_eq(seam_buf_cstr(&b),
                     "0.2778 = words 0.000 (not found) + meaning 0.278 (rank 2, 0.5)");
    seam_buf_free(&b);
    free(h);
}

static void test_explain_json(void)
{
    struct hybrid_options o = {.method = HYBRID_RRF, .rrf_k = 0.0};
    size_t n;
    struct hybrid_hit *h = fuse(&o, 0.5, &n);
    struct seam_json_writer w;
    struct seam_buf b = {0};

    seam_jw_init(&w, &b);
    hybrid_explain_json(find(h, n, 40), &w);
    ck_assert_str_eq(seam_buf_cstr(&b),
                     "{\"score\":0.25,\"words\":{\"rank\":null,\"score\":null,\"contribution\":0},"
                     "\"meaning\":{\"rank\":2,\"score\":0.5,\"contribution\":0.25}}");
    seam_buf_free(&b);
    free(h);
}

static void test_edges(void)
{
    static const struct hybrid_item one[] = {{1, 3.0}}, equal[] = {{5, 2.0}, {4, 2.0}};
    struct hybrid_options o = hybrid_defaults();
    struct hybrid_list none = {NULL, 0};
    struct hybrid_hit *h = NULL;
    struct seam_fault f = {0};
    size_t n = 9;

    ASSERT_OK(
        hybrid_fuse(&o, 0.5, &(struct hybrid_sides){.words = none, .meaning = none}, &h, &n, &f),
        &f);
    ck_assert_uint_eq(n, 0);
    free(h);
    h = NULL;
    o.norm = HYBRID_NORM_MINMAX; /* one hit is the best there is, not the worst */
    ASSERT_OK(
        hybrid_fuse(&o, 0.5,
                    &(struct hybrid_sides){.words = (struct hybrid_list){one, 1}, .meaning = none},
                    &h, &n, &f),
        &f);
    NEAR(h[0].score, 0.5);
    free(h);
    h = NULL;
    ASSERT_OK(hybrid_fuse(
                  &o, 0.5,
                  &(struct hybrid_sides){.words = (struct hybrid_list){equal, 2}, .meaning = none},
                  &h, &n, &f),
              &f);
    ck_assert_uint_eq(h[0].id, 4);
    NEAR(h[0].score, h[1].score);
    free(h);
    ASSERT_STATUS(
        hybrid_fuse(&o, 1.5, &(struct hybrid_sides){.words = none, .meaning = none}, &h, &n, &f),
        SEAM_INVALID);
    ck_assert_uint_eq(o.depth > 0, 1);
    ck_assert_str_ne(hybrid_defaults_version(), "");
}

/* RRF over random lists with repeats equals the formula computed from first places. */
static void test_rrf_equals_the_formula_on_random_lists(void)
{
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < test_scale(200); round++) {
        struct hybrid_item a[40], b[40];
        size_t na = seam_rng_below(&r, 40), nb = seam_rng_below(&r, 40), n;
        struct hybrid_options o = {
            .method = HYBRID_RRF, .rrf_k = 60.0, .weight = seam_rng_double(&r)};
        struct hybrid_hit *h = NULL;

        for (size_t i = 0; i < na; i++)
            a[i] = (struct hybrid_item){seam_rng_below(&r, 30), 100.0 - (double)i};
        for (size_t i = 0; i < nb; i++)
            b[i] = (struct hybrid_item){seam_rng_below(&r, 30), 1.0 - (double)i / 50};
        ASSERT_OK(hybrid_fuse(&o, -1.0,
                              &(struct hybrid_sides){.words = (struct hybrid_list){a, na},
                                                     .meaning = (struct hybrid_list){b, nb}},
                              &h, &n, NULL),
                  NULL);
        for (size_t i = 0; i < n; i++) {
            const struct hybrid_item *side[2] = {a, b};
            size_t count[2] = {na, nb};
            double want = 0.0;

            for (int s = 0; s < 2; s++) {
                uint64_t seen = 0;

                for (size_t k = 0, rank = 0; k < count[s]; k++) {
                    if (seen >> side[s][k].id & 1) continue;
                    seen |= 1ull << side[s][k].id;
                    rank++;
                    if (side[s][k].id == h[i].id)
                        want += (s == 0 ? 1 - o.weight : o.weight) / (60.0 + (double)rank);
                }
            }
            NEAR(h[i].score, want);
            ck_assert(i == 0 || h[i - 1].score > h[i].score ||
                      (h[i - 1].score == h[i].score && h[i - 1].id < h[i].id));
        }
        free(h);
    }
}

/* "ketle" and words of three letters are in no document; "kettle" is in 10 of 1000. */
static enum hybrid_query_kind kind(const char *q, double coverage)
{
    struct hybrid_query_features x;
    struct hybrid_query_term terms[16];
    size_t n = 0;
    char copy[200];

    strcpy(copy, q);
    for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
        terms[n++] = (struct hybrid_query_term){.df = strcmp(w, "ketle") == 0 ? 0 : 10,
                                                .idf = 4.6,
                                                .most = 10.0,
                                                .digits = strpbrk(w, "0123456789") != NULL};
    embed_query_features_of(q, strlen(q), terms, n, &x);
    NEAR(x.ceiling, 10.0 * (double)n);
    x.coverage = coverage;
    return embed_query_kind_of(&x);
}

static void test_query_features(void)
{
    static const struct hybrid_query_term terms[] = {
        {500, 0.7, 1.5, false}, {10, 4.6, 10.0, false}, {0, 6.9, 15.0, true}};
    struct hybrid_query_features x;

    embed_query_features_of("  red kettle 12v ", 17, terms, 3, &x);
    ck_assert_uint_eq(x.tokens, 3);
    ck_assert_uint_eq(x.digit_tokens, 1);
    ck_assert_uint_eq(x.code_tokens, 0);
    ck_assert_uint_eq(x.unknown, 0); /* a number no document has is no typing error */
    NEAR(x.rarest_idf, 4.6);
    NEAR(x.ceiling, 26.5);
    embed_query_features_of("red ketle", 9, NULL, 0, &x);
    ck_assert_uint_eq(x.unknown, 0);
    ck_assert_int_eq(kind("BT-1804", 0.5), QUERY_CODE);
    ck_assert_int_eq(kind("gu10", 0.5), QUERY_CODE);
    ck_assert_int_eq(kind("red 12v", 0.5), QUERY_DIGITS);
    ck_assert_int_eq(kind("2.5kg red", 0.5), QUERY_DIGITS);
    ck_assert_int_eq(kind("red ketle", 0.2), QUERY_VAGUE);
    ck_assert_int_eq(kind("BT-1804", 0.2), QUERY_CODE);
    ck_assert_int_eq(kind("red kettle", 0.5), QUERY_SHORT);
    ck_assert_int_eq(kind("red kettle big", 0.5), QUERY_PLAIN);
    ck_assert_int_eq(kind("the red one for the kettle", 0.5), QUERY_LONG);
    ck_assert_int_eq(kind("", 0.5), QUERY_SHORT);
}

static void test_rescored_hits_become_a_list(void)
{
    static const struct hybrid_hit hits[] = {{.id = 9}, {.id = 4}, {.id = 7}};
    static const double scores[] = {0.2, 0.5, 0.5};
    struct hybrid_item out[3];

    hybrid_rescored(hits, scores, 3, out);
    ck_assert_uint_eq(out[0].id, 4); /* equal scores: the lower id */
    ck_assert_uint_eq(out[1].id, 7);
    ck_assert_uint_eq(out[2].id, 9);
    NEAR(out[2].score, 0.2);
}

static void test_names(void)
{
    enum hybrid_method m;
    enum hybrid_norm n;

    ck_assert(hybrid_method_parse("rrf", &m) && m == HYBRID_RRF);
    ck_assert(!hybrid_method_parse("best", &m));
    ck_assert(hybrid_norm_parse("tmm", &n) && n == HYBRID_NORM_TMM);
    ck_assert(!hybrid_norm_parse("", &n));
    ck_assert_str_eq(hybrid_norm_name(HYBRID_NORM_ZSCORE), "zscore");
    ck_assert_str_eq(hybrid_method_name(HYBRID_CONVEX), "convex");
    ck_assert_str_eq(embed_query_kind_name(QUERY_CODE), "code");
}

static const struct named_test tests[] = {
    T(test_rrf_by_hand),
    T(test_convex_by_hand),
    T(test_a_missing_side_is_completed),
    T(test_explain_json),
    T(test_edges),
    T(test_rrf_equals_the_formula_on_random_lists),
    T(test_query_features),
    T(test_rescored_hits_become_a_list),
    T(test_names),
};

int main(int argc, char **argv)
{
    return run_tests("hybrid", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
