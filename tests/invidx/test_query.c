/* Goal:   the query language, analysis, filters, facets, sorting, paging, explaining and suggesting do what the
 *         header says.
 * Method: a small shop whose answers can be worked out by hand, and random queries for what must always hold. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "invidx/invidx.h"
#include "invidx/stem.h"
#include "tests/common/check_main.h"

struct shop {
    struct invidx_writer *w;
    struct invidx_reader *r;
    struct invidx_query *q;
    struct seam_fault f;
    char dir[600];
};

static const struct {
    const char *title, *text, *brand;
    int64_t price;
} products[] = {
    {"Trail running shoes", "Light shoes for running on trails, 2.5kg rated", "Acme", 8999},
    {"Road running shoe", "A shoe for the road. Don't run without it", "Acme", 12000},
    {"Leather boots", "Boots of leather, for walking", "Globex", 15950},
    {"Café au lait mug", "Mug for café lovers; men's size", "Globex", 1200},
    {"Wi-Fi router X100", "Router with Wi-Fi, 12v adapter, model X-100", "Initech", 4999},
    {"Walking socks", "Socks for walking boots", NULL, 990},
    {"Computer desk", "A desk for computers and computing", "Initech", 29900},
    {"Televison stand", "Stand for a television", "Acme", 7700},
};

static void open_shop(struct shop *s, const char *synonyms)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"description", 1}};
    static const struct invidx_attr attrs[] = {{"price", INVIDX_INT64}, {"brand", INVIDX_KEYWORD}};
    struct invidx_schema schema = {.fields = fields,
                                   .field_count = 2,
                                   .attrs = attrs,
                                   .attr_count = 2,
                                   .analysis = invidx_analysis_default()};

    memset(s, 0, sizeof *s);
    schema.analysis.synonyms = synonyms;
    snprintf(s->dir, sizeof s->dir, "%s/shop", test_dir());
    ASSERT_OK(invidx_writer_open(seam_io_posix(), s->dir, &schema, NULL, &s->w, &s->f), &s->f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(products); i++) {
        struct invidx_text t[2] = {{products[i].title, strlen(products[i].title)},
                                   {products[i].text, strlen(products[i].text)}};
        struct seam_value a[2] = {seam_v_int(products[i].price),
                                  products[i].brand == NULL ? seam_v_null()
                                                            : seam_v_str(products[i].brand)};

        ASSERT_OK(invidx_upsert(s->w, &(struct invidx_doc){.key = i, .fields = t, .attrs = a},
                                i + 1, &s->f),
                  &s->f);
        if (i == 4) ASSERT_OK(invidx_publish(s->w, i + 1, 0, &s->f), &s->f); /* two segments */
    }
    ASSERT_OK(invidx_publish(s->w, 100, 0, &s->f), &s->f);
    ASSERT_OK(invidx_reader_open(seam_io_posix(), s->dir, SEAM_LSN_MAX, &s->r, &s->f), &s->f);
    ASSERT_OK(invidx_query_new(s->r, &s->q, &s->f), &s->f);
}

static void close_shop(struct shop *s)
{
    invidx_query_free(s->q);
    invidx_reader_close(s->r);
    invidx_writer_close(s->w);
}

/* The keys that match, as text: "0 1". */
static const char *found(struct shop *s, const char *query, enum invidx_side side)
{
    static char out[128];
    uint64_t *keys = NULL;
    size_t n = 0, at = 0;

    out[0] = '\0';
    ASSERT_OK(invidx_query_parse(s->q, query, strlen(query), side, &s->f), &s->f);
    ASSERT_OK(invidx_matches(s->r, s->q, &keys, &n, &s->f), &s->f);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%llu", i > 0 ? " " : "",
                               (unsigned long long)keys[i]);
    free(keys);
    return out;
}

static void test_query_language(void)
{
    static const struct {
        const char *query, *keys;
        enum invidx_side side;
    } cases[] = {
        {"running", "0 1", INVIDX_OR},
        {"RUNNING SHOES", "0 1", INVIDX_AND},
        {"shoe boots", "0 1 2 5", INVIDX_OR},
        {"shoe AND trail", "0", INVIDX_OR},
        {"shoe -trail", "1", INVIDX_OR},
        {"shoe NOT trail", "1", INVIDX_OR},
        {"+shoe trail", "0 1", INVIDX_OR},
        {"title:boots", "2", INVIDX_OR},
        {"description:boots", "2 5", INVIDX_OR},
        {"\"running shoes\"", "0 1", INVIDX_OR},
        {"\"shoes running\"", "", INVIDX_OR},
        {"\"shoes running\"~2", "0 1", INVIDX_OR},
        {"\"shoes trails\"~4", "0", INVIDX_OR},
        {"wi-fi", "4", INVIDX_OR},
        {"wifi", "", INVIDX_OR},
        {"cafe", "3", INVIDX_OR},
        {"CAF\xc3\x89", "3", INVIDX_OR},
        {"men", "3", INVIDX_OR},
        {"dont", "1", INVIDX_OR},
        {"2.5kg", "0", INVIDX_OR},
        {"12v", "4", INVIDX_OR},
        {"comput*", "6", INVIDX_OR},
        {"computer*", "6", INVIDX_OR},
        {"tel*", "7", INVIDX_OR},
        {"television~", "7", INVIDX_OR},
        {"shoos~1", "0 1", INVIDX_OR},
        {"x100~2", "4", INVIDX_OR},
        {"x101~2", "", INVIDX_OR},
        {"*", "0 1 2 3 4 5 6 7", INVIDX_OR},
        {"* -running", "2 3 4 5 6 7", INVIDX_OR},
        {"-running", "2 3 4 5 6 7", INVIDX_OR},
        {"brand:Acme", "0 1 7", INVIDX_OR},
        {"brand:acme", "", INVIDX_OR},
        {"price:[1000 TO 9000]", "0 3 4 7", INVIDX_OR},
        {"price:>=12000", "1 2 6", INVIDX_OR},
        {"price:<990", "", INVIDX_OR},
        {"price:{990 TO 4999}", "3", INVIDX_OR},
        {"price:[* TO 1200]", "3 5", INVIDX_OR},
        {"shoes brand:Acme price:<10000", "0", INVIDX_OR},
        {"(trail OR road) AND shoe", "0 1", INVIDX_OR},
        {"shoe OR brand:Globex", "0 1 2 3", INVIDX_OR},
        {"boots walking -(leather OR socks)", "", INVIDX_OR},
        {"title:(boots socks)", "2 5", INVIDX_OR},
        {"the", "", INVIDX_OR},
        {"the boots", "2 5", INVIDX_AND},
        {"boots^2.5 shoe", "0 1 2 5", INVIDX_OR},
        {"-brand:Acme shoes", "", INVIDX_OR},
        {"", "", INVIDX_OR},
    };
    struct shop s;

    open_shop(&s, NULL);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++)
        ck_assert_msg(strcmp(found(&s, cases[i].query, cases[i].side), cases[i].keys) == 0,
                      "%s: got \"%s\", want \"%s\"", cases[i].query,
                      found(&s, cases[i].query, cases[i].side), cases[i].keys);
    close_shop(&s);
}

static void test_query_mistakes_are_named(void)
{
    static const struct {
        const char *query;
        enum seam_status st;
        uint64_t column;
    } cases[] = {
        {"(boots", SEAM_INVALID, 1},       {"boots)", SEAM_INVALID, 6},
        {"\"boots", SEAM_INVALID, 1},      {"()", SEAM_INVALID, 1},
        {"boots^", SEAM_INVALID, 6},       {"boots^0", SEAM_INVALID, 6},
        {"nofield:x", SEAM_INVALID, 1},    {"price:abc", SEAM_INVALID, 7},
        {"price:[1 2]", SEAM_INVALID, 10}, {"boots OR", SEAM_INVALID, 9},
        {"boots~9", SEAM_INVALID, 1},      {"AND", SEAM_OK, 0},
        {"\"a b\"~100", SEAM_INVALID, 1},  {"+", SEAM_INVALID, 2},
        {"boots AND", SEAM_INVALID, 10},
    };
    struct shop s;
    char deep[400];

    open_shop(&s, NULL);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_fault f = {0};
        enum seam_status st =
            invidx_query_parse(s.q, cases[i].query, strlen(cases[i].query), INVIDX_OR, &f);

        ck_assert_msg(st == cases[i].st, "%s: %s", cases[i].query, seam_status_name(st));
        if (st != SEAM_OK)
            ck_assert_msg(f.at == cases[i].column, "%s: column %llu, want %llu", cases[i].query,
                          (unsigned long long)f.at, (unsigned long long)cases[i].column);
    }
    memset(deep, '(', sizeof deep);
    ck_assert_int_eq(invidx_query_parse(s.q, deep, sizeof deep, INVIDX_OR, NULL), SEAM_LIMIT);
    close_shop(&s);
}

static void test_query_synonyms_widen_queries(void)
{
    struct shop s;

    open_shop(
        &s,
        "# shop words\nsneaker, shoe\nlaptop table => desk\nfootwear => shoes, leather boots\n");
    ck_assert_str_eq(found(&s, "sneakers", INVIDX_OR), "0 1");
    ck_assert_str_eq(found(&s, "laptop table", INVIDX_OR), "6");
    ck_assert_str_eq(found(&s, "footwear", INVIDX_OR), "0 1 2");
    ck_assert_str_eq(found(&s, "desk", INVIDX_OR), "6");
    close_shop(&s);
}

static void test_search_facets_sorting_and_pages(void)
{
    static const int64_t bounds[] = {1000, 10000};
    static const struct invidx_facet_request facets[] = {
        {.attr = 1, .limit = 2}, {.attr = 0, .bounds = bounds, .bound_count = 2}};
    struct shop s;
    struct invidx_hit hits[3], last = {0};
    struct invidx_request req = {.k = 3, .facets = facets, .facet_count = 2, .sort_attr = 1};
    struct invidx_result res = {.hits = hits};
    static const uint64_t by_price[] = {5, 3, 4, 7, 0, 1, 2, 6};
    size_t seen = 0;

    open_shop(&s, NULL);
    ASSERT_OK(invidx_query_parse(s.q, "*", 1, INVIDX_OR, &s.f), &s.f);
    ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
    ck_assert_uint_eq(res.total, 8);
    ck_assert(res.total_exact);
    ck_assert_uint_eq(res.facets[0].count, 2);
    ck_assert_uint_eq(res.facets[0].missing, 1);
    ck_assert(res.facets[0].values[0].len == 4 &&
              memcmp(res.facets[0].values[0].text, "Acme", 4) == 0);
    ck_assert_uint_eq(res.facets[0].values[0].count, 3);
    ck_assert_uint_eq(res.facets[0].values[1].count, 2); /* Globex before Initech */
    ck_assert_uint_eq(res.facets[1].count, 3);
    ck_assert_uint_eq(res.facets[1].values[0].count, 1);
    ck_assert_uint_eq(res.facets[1].values[1].count, 4);
    ck_assert_uint_eq(res.facets[1].values[2].count, 3);
    req.facet_count = 0;
    for (;;) { /* page by page */
        ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
        for (size_t i = 0; i < res.count; i++) ck_assert_uint_eq(hits[i].key, by_price[seen++]);
        if (res.count == 0) break;
        last = hits[res.count - 1];
        req.has_after = true;
        req.after = last;
    }
    ck_assert_uint_eq(seen, 8);
    req = (struct invidx_request){.k = 3, .sort_attr = 1, .sort_descending = true};
    ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
    ck_assert_uint_eq(hits[0].key, 6);
    ck_assert_int_eq(hits[0].sort_int, 29900);
    close_shop(&s);
}

static void test_search_pages_by_score_repeat_nothing(void)
{
    struct shop s;
    struct invidx_hit all[8], page[2];
    struct invidx_request req = {.k = 8};
    struct invidx_result res = {.hits = all}, got = {.hits = page};
    size_t seen = 0;

    open_shop(&s, NULL);
    ASSERT_OK(invidx_query_parse(s.q, "shoes boots walking for", 23, INVIDX_OR, &s.f), &s.f);
    ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
    req.k = 2;
    do {
        ASSERT_OK(invidx_search(s.r, s.q, &req, &got, &s.f), &s.f);
        for (size_t i = 0; i < got.count; i++, seen++)
            ck_assert(page[i].key == all[seen].key && page[i].score == all[seen].score);
        if (got.count == 0) break;
        req.has_after = true;
        req.after = page[got.count - 1];
    } while (true);
    ck_assert_uint_eq(seen, res.count);
    close_shop(&s);
}

static void test_explain_adds_up_to_the_score(void)
{
    static const char *const queries[] = {
        "running shoes", "+shoe trail^3", "\"running shoes\" road", "title:boots walking",
        "comput* desk",  "shoos~ trail",  "shoe brand:Acme",        "boots -socks"};
    struct shop s;

    open_shop(&s, "sneaker, shoe\n");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(queries); i++) {
        struct invidx_hit hits[8];
        struct invidx_request req = {.k = 8};
        struct invidx_result res = {.hits = hits};

        ASSERT_OK(invidx_query_parse(s.q, queries[i], strlen(queries[i]), INVIDX_OR, &s.f), &s.f);
        ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
        ck_assert_uint_gt(res.count, 0);
        for (size_t k = 0; k < res.count; k++) {
            struct invidx_explain e;
            double sum = 0;

            ASSERT_OK(invidx_explain(s.r, s.q, &req, hits[k].key, &e, &s.f), &s.f);
            ck_assert(e.matches);
            for (size_t t = 0; t < e.count; t++) {
                sum += e.terms[t].contribution;
                ck_assert(fabs(e.terms[t].contribution -
                               e.terms[t].boost * e.terms[t].idf * e.terms[t].tf_part) < 1e-5);
            }
            ck_assert_msg(sum == hits[k].score && e.score == hits[k].score,
                          "%s key %llu: %.12f, sum %.12f", queries[i],
                          (unsigned long long)hits[k].key, hits[k].score, sum);
        }
    }
    ck_assert_int_eq(invidx_explain(s.r, s.q, NULL, 999, &(struct invidx_explain){0}, NULL),
                     SEAM_NOT_FOUND);
    close_shop(&s);
}

static void test_suggestions_and_completions(void)
{
    struct shop s;
    struct invidx_suggestion v[5];
    struct seam_buf out = {0};
    size_t n;

    open_shop(&s, NULL);
    ASSERT_OK(invidx_complete(s.r, "compu", 5, v, 5, &n, &s.f), &s.f);
    ck_assert_uint_eq(n, 3); /* computer, computers, computing: words, not stems */
    ck_assert_str_eq(v[0].text, "computer");
    ASSERT_OK(invidx_suggest(s.r, "bots", 4, v, 5, &n, &s.f), &s.f);
    ck_assert_uint_ge(n, 1);
    ck_assert_str_eq(v[0].text, "boots");
    ASSERT_OK(invidx_suggest(s.r, "x200", 4, v, 5, &n, &s.f), &s.f);
    ck_assert_uint_eq(n, 0);
    ASSERT_OK(invidx_did_you_mean(s.r, "lether  bots, please", 20, &out, &s.f), &s.f);
    ck_assert_str_eq(seam_buf_cstr(&out), "leather  boots, please");
    seam_buf_clear(&out);
    ASSERT_OK(invidx_did_you_mean(s.r, "leather boots", 13, &out, &s.f), &s.f);
    ck_assert_uint_eq(out.size, 0);
    seam_buf_free(&out);
    close_shop(&s);
}

static void test_snippets_mark_the_words(void)
{
    static const char text[] = "This long story begins with nothing of interest at all, goes on "
                               "for a while about the weather, and "
                               "only then mentions the leather boots that somebody was walking in "
                               "when it rained on the hills.";
    struct invidx_snippet_options o = {
        .max_bytes = 60, .before = "[", .after = "]", .ellipsis = "..."};
    struct shop s;
    struct seam_buf out = {0};

    open_shop(&s, NULL);
    ASSERT_OK(invidx_query_parse(s.q, "leather boot walks", 18, INVIDX_OR, &s.f), &s.f);
    ASSERT_OK(invidx_snippet(s.r, s.q, text, strlen(text), &o, &out, &s.f), &s.f);
    ck_assert_msg(strstr(seam_buf_cstr(&out), "[leather] [boots] that somebody was [walking]") !=
                      NULL,
                  "%s", seam_buf_cstr(&out));
    ck_assert_uint_le(out.size, 60 + 6 + 6);
    seam_buf_clear(&out);
    ASSERT_OK(invidx_snippet(s.r, s.q, "nothing here", 12, &o, &out, &s.f), &s.f);
    ck_assert_str_eq(seam_buf_cstr(&out), "nothing here");
    seam_buf_free(&out);
    close_shop(&s);
}

static void check_terms(struct invidx_analysis a, const char *text, const char *want)
{
    struct seam_buf out = {0};
    struct seam_fault f = {0};
    char got[256] = "";

    ASSERT_OK(invidx_analyze(&a, text, strlen(text), &out, &f), &f);
    for (char *save = NULL, *line = strtok_r((char *)(uintptr_t)seam_buf_cstr(&out), "\n", &save);
         line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (got[0] != '\0') strcat(got, " ");
        strncat(got, line, strcspn(line, "\t"));
    }
    ck_assert_msg(strcmp(got, want) == 0, "%s: got \"%s\", want \"%s\"", text, got, want);
    seam_buf_free(&out);
}

static void test_analysis_chains(void)
{
    struct invidx_analysis words = invidx_analysis_default(), plain = invidx_analysis_plain();

    words.stemmer = INVIDX_STEM_NONE;
    words.stop_words = NULL;
    check_terms(words, "Don't  STOP, O'Neil's cat", "dont stop oneil cat");
    check_terms(words, "12V 2.5kg 1,000 items 1.2.3 end.", "12v 2.5kg 1000 items 1.2.3 end");
    check_terms(words,
                "Na\xc3\xafve \xc3\x86sop stra\xc3\x9f"
                "e \xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0",
                "naive aesop strasse \xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0");
    check_terms(words,
                "wi-fi\xe2\x80\x94"
                "adapter \xe2\x80\x9cquoted\xe2\x80\x9d",
                "wi fi adapter quoted");
    check_terms(words, "\xe6\x9d\xb1\xe4\xba\xac tower", "\xe6\x9d\xb1 \xe4\xba\xac tower");
    check_terms(words, "bad \xff\xfe bytes", "bad bytes");
    check_terms(plain, "Caf\xc3\xa9 isn't 2.5KG", "caf isn t 2 5kg");
    words = invidx_analysis_default();
    check_terms(words, "The running of computers", "run comput");
    words.stemmer = INVIDX_STEM_PLURAL;
    check_terms(words, "ladies dresses shoes glass bus", "lady dresse shoes glass bus");
}

/* Pairs of the Snowball project's published vocabulary. */
static void test_porter2_on_published_pairs(void)
{
    static const char *const pairs[][2] = {
        {"consign", "consign"},
        {"consigned", "consign"},
        {"consigning", "consign"},
        {"consistency", "consist"},
        {"consistently", "consist"},
        {"consolation", "consol"},
        {"consolatory", "consolatori"},
        {"conspiracies", "conspiraci"},
        {"knack", "knack"},
        {"knackeries", "knackeri"},
        {"kneeling", "kneel"},
        {"knightly", "knight"},
        {"knots", "knot"},
        {"skies", "sky"},
        {"dying", "die"},
        {"news", "news"},
        {"generate", "generat"},
        {"generous", "generous"},
        {"hopping", "hop"},
        {"hoping", "hope"},
        {"luxuriated", "luxuri"},
        {"ties", "tie"},
        {"cries", "cri"},
        {"gas", "gas"},
        {"this", "this"},
        {"gaps", "gap"},
        {"say", "say"},
        {"by", "by"},
        {"cry", "cri"},
        {"relational", "relat"},
        {"rationalization", "ration"},
        {"communism", "communism"},
        {"arsenal", "arsenal"},
        {"proceed", "proceed"},
        {"agreed", "agre"},
        {"feed", "feed"},
        {"national", "nation"},
        {"sensibility", "sensibl"},
        {"apologi", "apolog"},
        {"running", "run"},
        {"happiness", "happi"},
        {"electricity", "electr"},
        {"adjustment", "adjust"},
        {"yes", "yes"},
    };

    for (size_t i = 0; i < SEAM_ARRAY_LEN(pairs); i++) {
        char word[64];
        size_t n = strlen(pairs[i][0]);

        memcpy(word, pairs[i][0], n);
        n = invidx_stem_porter2(word, n);
        ck_assert_msg(n == strlen(pairs[i][1]) && memcmp(word, pairs[i][1], n) == 0,
                      "%s: got %.*s, want %s", pairs[i][0], (int)n, word, pairs[i][1]);
    }
}

static void test_query_random_text_never_breaks(void)
{
    static const char alphabet[] =
        "shoe boots\"*~()+-!^:[]{}<>=AND OR TO title:price:brand:09.\\'\xc3\xa9";
    struct shop s;
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    open_shop(&s, "shoe, sneaker pump\n");
    for (int i = 0; i < test_scale(20000); i++) {
        char text[64];
        size_t n = seam_rng_below(&r, sizeof text);
        struct invidx_hit hits[3];
        struct invidx_request req = {.k = 3};
        struct invidx_result res = {.hits = hits};
        struct seam_buf shown = {0};

        for (size_t k = 0; k < n; k++) text[k] = alphabet[seam_rng_below(&r, sizeof alphabet - 1)];
        ASSERT_OK(invidx_query_words(s.q, text, n, INVIDX_AND, &s.f), &s.f);
        if (invidx_query_parse(s.q, text, n, INVIDX_OR, NULL) != SEAM_OK) continue;
        ASSERT_OK(invidx_search(s.r, s.q, &req, &res, &s.f), &s.f);
        invidx_query_print(s.q, &shown);
        seam_buf_free(&shown);
    }
    close_shop(&s);
}

static const struct named_test tests[] = {
    T(test_query_language),
    T(test_query_mistakes_are_named),
    T(test_query_synonyms_widen_queries),
    T(test_search_facets_sorting_and_pages),
    T(test_search_pages_by_score_repeat_nothing),
    T(test_explain_adds_up_to_the_score),
    T(test_suggestions_and_completions),
    T(test_snippets_mark_the_words),
    T(test_analysis_chains),
    T(test_porter2_on_published_pairs),
    T(test_query_random_text_never_breaks),
};

int main(int argc, char **argv)
{
    return run_tests("invidx query", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
