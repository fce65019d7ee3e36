/* Goal:   the default analysis and weights rank real labelled collections at least as well as a plain reference.
 * Method: each shared collection is indexed as (title, text) and its development queries are put to it as
 *         words; nDCG@10 (linear gain, log2 discount, unjudged = 0, ideal over all judged) must reach the
 *         reference's figure. Skipped where the collections are not.                                     */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/source.h"
#include "engine/text/json.h"
#include "invidx/invidx.h"
#include "tests/common/check_main.h"

enum { K = 10, GAINS = 4096 };

struct judged {
    uint64_t query, doc;
    double gain;
};
struct set {
    struct judged *v;
    size_t n, cap;
};

static void index_set(const char *dir, const char *index, const char *file, const char *text_name)
{
    static const struct invidx_field fields[] = {{"title", 3}, {"text", 1}};
    struct invidx_schema schema = {
        .fields = fields, .field_count = 2, .analysis = invidx_analysis_default()};
    struct invidx_writer *w = NULL;
    struct seam_source *src = NULL;
    struct seam_arena a = {0};
    struct seam_fault f = {0};
    const char *line;
    char path[600];
    size_t n;
    seam_lsn_t lsn = 0;

    snprintf(path, sizeof path, "%s/%s", dir, file);
    ASSERT_OK(seam_source_open(seam_io_posix(), path, &src, &f), &f);
    ASSERT_OK(invidx_writer_open(seam_io_posix(), index, &schema, NULL, &w, &f), &f);
    while (seam_source_line(src, 4 << 20, &line, &n, &f) == SEAM_OK) {
        struct seam_json *doc = NULL;
        struct invidx_text t[2];
        int64_t id;

        ASSERT_OK(seam_json_parse(line, n, &a, path, &doc, &f), &f);
        ck_assert(seam_json_int(seam_json_get(doc, "id"), &id));
        t[0].s = seam_json_string(doc, "title", "");
        t[1].s = seam_json_string(doc, text_name, "");
        t[0].n = strlen(t[0].s);
        t[1].n = strlen(t[1].s);
        ASSERT_OK(
            invidx_upsert(w, &(struct invidx_doc){.key = (uint64_t)id, .fields = t}, ++lsn, &f),
            &f);
        seam_arena_reset(&a);
    }
    ASSERT_OK(invidx_publish(w, ++lsn, 0, &f), &f);
    invidx_writer_close(w);
    seam_source_close(src);
    seam_arena_free(&a);
}

static void load_qrels(const char *dir, double less, struct set *s)
{
    struct seam_source *src = NULL;
    struct seam_fault f = {0};
    const char *line;
    char path[600];
    size_t n;

    snprintf(path, sizeof path, "%s/qrels.dev.tsv", dir);
    ASSERT_OK(seam_source_open(seam_io_posix(), path, &src, &f), &f);
    while (seam_source_line(src, 1 << 16, &line, &n, &f) == SEAM_OK) {
        unsigned long long q, d;
        double rel;

        if (sscanf(line, "%llu\t%llu\t%lf", &q, &d, &rel) != 3) continue;
        if (s->n == s->cap) {
            s->cap = s->cap == 0 ? 1024 : 2 * s->cap;
            s->v = realloc(s->v, s->cap * sizeof *s->v);
        }
        s->v[s->n++] = (struct judged){q, d, rel - less > 0 ? rel - less : 0};
    }
    seam_source_close(src);
}

static int falling(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a < b) - (a > b);
}

static double ndcg(const struct set *s, uint64_t query, const struct invidx_hit *hits, size_t n)
{
    double gains[GAINS], ideal = 0, got = 0;
    size_t m = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].query != query) continue;
        if (m < GAINS) gains[m++] = s->v[i].gain;
        for (size_t k = 0; k < n; k++)
            if (hits[k].key == s->v[i].doc) got += s->v[i].gain / log2((double)k + 2);
    }
    qsort(gains, m, sizeof *gains, falling);
    for (size_t k = 0; k < m && k < K; k++) ideal += gains[k] / log2((double)k + 2);
    return ideal > 0 ? got / ideal : -1;
}

static double evaluate(const char *dir, const char *index, const struct set *s)
{
    struct invidx_reader *r = NULL;
    struct invidx_query *q = NULL;
    struct seam_source *src = NULL;
    struct seam_fault f = {0};
    const char *line;
    char path[600];
    size_t n, queries = 0;
    double sum = 0;

    snprintf(path, sizeof path, "%s/queries.dev.tsv", dir);
    ASSERT_OK(invidx_reader_open(seam_io_posix(), index, SEAM_LSN_MAX, &r, &f), &f);
    ASSERT_OK(invidx_query_new(r, &q, &f), &f);
    ASSERT_OK(seam_source_open(seam_io_posix(), path, &src, &f), &f);
    while (seam_source_line(src, 1 << 20, &line, &n, &f) == SEAM_OK) {
        const char *tab = memchr(line, '\t', n);
        struct invidx_hit hits[K];
        struct invidx_request req = {.k = K};
        struct invidx_result res = {.hits = hits};
        double d;

        if (seam_source_line_number(src) == 1 || tab == NULL) continue;
        ASSERT_OK(invidx_query_words(q, tab + 1, n - (size_t)(tab + 1 - line), INVIDX_OR, &f), &f);
        ASSERT_OK(invidx_search(r, q, &req, &res, &f), &f);
        d = ndcg(s, strtoull(line, NULL, 10), hits, res.count);
        if (d < 0) continue;
        sum += d;
        queries++;
    }
    seam_source_close(src);
    invidx_query_free(q);
    invidx_reader_close(r);
    return sum / (double)queries;
}

static void check_collection(const char *name, const char *file, const char *text_name, double less,
                             double floor)
{
    const char *dir = shared_data(name);
    char index[700];
    struct set s = {0};
    double got;

    if (dir == NULL) return;
    snprintf(index, sizeof index, "%s/%s", test_dir(), name);
    index_set(dir, index, file, text_name);
    load_qrels(dir, less, &s);
    got = evaluate(dir, index, &s);
    printf("%s: nDCG@10 %.4f (at least %.3f)\n", name, got, floor);
    ck_assert_msg(got >= floor, "%s: nDCG@10 is %.4f, the reference has %.3f", name, got, floor);
    free(s.v);
}

static void test_relevance_of_scifact(void)
{
    check_collection("scifact", "docs.jsonl.gz", "text", 0, 0.677);
}
static void test_relevance_of_cranfield(void)
{
    check_collection("cranfield", "docs.jsonl.gz", "text", 0, 0.392);
}
static void test_relevance_of_cisi(void)
{
    check_collection("cisi", "docs.jsonl.gz", "text", 0, 0.307);
}
static void test_relevance_of_product_search(void)
{
    check_collection("product-search", "products.jsonl.gz", "description", 1, 0.783);
}

static const struct named_test tests[] = {
    T(test_relevance_of_scifact),
    T(test_relevance_of_cranfield),
    T(test_relevance_of_cisi),
    T(test_relevance_of_product_search),
};

int main(int argc, char **argv)
{
    return run_tests("invidx relevance", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
