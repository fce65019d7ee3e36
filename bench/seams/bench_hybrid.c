/* bench_hybrid - is hybrid search better than its halves, by how much, and is that luck?
 *
 *   shop             weights chosen on the odd queries, everything reported on the even ones
 *   product-search   5-fold cross-validation: each query is scored with weights chosen without it
 *   cranfield, cisi, scifact   likewise (scifact only without --quick)
 *   titles           the learned embedder against the mean of GloVe vectors, exact search over titles
 *   speed            40,000 products, one thread
 *
 * Writes TREC run files to --runs DIR. Aggregate figures only are printed of collections without an open
 * licence. docs/measured/relevance.md is this program's output, explained.                                   */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/bench.h"
#include "bench/corpora/corpus.h"
#include "engine/base/rng.h"

enum { FOLDS = 5, ROUNDS = 20000, SPEED_PRODUCTS = 40000 };

static const char *runs_dir = "build/runs";

static double ndcg_of(const struct compare_outcome *o)
{
    return o->result.mean.ndcg;
}

static void quality_row(struct bench *b, const char *workload, const char *metric, size_t queries,
                        double ours, const char *peer, double theirs, double target)
{
    bench_row(b, &(struct bench_row){.workload = workload,
                                     .metric = metric,
                                     .unit = "1",
                                     .n = queries,
                                     .threads = 1,
                                     .ours = bench_value(ours),
                                     .peer = peer,
                                     .peer_value = bench_value(theirs),
                                     .target = target});
}

static void say(struct bench *b, struct seam_buf *text)
{
    fputs(seam_buf_cstr(text), b->report);
    seam_buf_clear(text);
}

/* ---- variants ---- */
static struct compare_variant hybrid_variant(const char *name, enum hybrid_method method,
                                             enum hybrid_norm norm, enum hybrid_norm norm_meaning,
                                             double weight)
{
    struct compare_variant v = {.name = name, .mode = SEARCH_HYBRID, .options = hybrid_defaults()};

    v.options.method = method;
    v.options.norm = norm;
    v.options.norm_meaning = norm_meaning;
    v.options.weight = weight;
    v.options.by_kind = false;
    v.options.feedback_docs = 0;
    return v;
}

/* The fusions that are compared; their weights are filled in by tuning. */
enum {
    V_BM25,
    V_VECTOR,
    V_RRF_EQUAL,
    V_RRF,
    V_MAX,
    V_MINMAX,
    V_TMM,
    V_ZSCORE,
    V_KIND,
    V_FEEDBACK,
    V_BEST,
    V_PINNED,
    VARIANTS
};

static void make_variants(struct compare_variant v[VARIANTS])
{
    v[V_BM25] = (struct compare_variant){.name = "bm25", .mode = SEARCH_BM25};
    v[V_VECTOR] = (struct compare_variant){.name = "vector", .mode = SEARCH_VECTOR};
    v[V_RRF_EQUAL] =
        hybrid_variant("rrf, equal weights", HYBRID_RRF, HYBRID_NORM_NONE, HYBRID_NORM_NONE, 0.5);
    v[V_RRF] =
        hybrid_variant("rrf, tuned weight", HYBRID_RRF, HYBRID_NORM_NONE, HYBRID_NORM_NONE, 0.5);
    v[V_MAX] = hybrid_variant("convex max", HYBRID_CONVEX, HYBRID_NORM_MAX, HYBRID_NORM_NONE, 0.5);
    v[V_MINMAX] = hybrid_variant("convex min-max", HYBRID_CONVEX, HYBRID_NORM_MINMAX,
                                 HYBRID_NORM_MINMAX, 0.5);
    v[V_TMM] = hybrid_variant("convex theoretical min", HYBRID_CONVEX, HYBRID_NORM_TMM,
                              HYBRID_NORM_TMM, 0.5);
    v[V_ZSCORE] = hybrid_variant("convex z-score", HYBRID_CONVEX, HYBRID_NORM_ZSCORE,
                                 HYBRID_NORM_ZSCORE, 0.5);
    v[V_KIND] = hybrid_variant("convex max, by kind", HYBRID_CONVEX, HYBRID_NORM_MAX,
                               HYBRID_NORM_NONE, 0.5);
    v[V_KIND].options.by_kind = true;
    v[V_FEEDBACK] = hybrid_variant("convex max + feedback", HYBRID_CONVEX, HYBRID_NORM_MAX,
                                   HYBRID_NORM_NONE, 0.5);
    v[V_FEEDBACK].options.feedback_docs = hybrid_defaults().feedback_docs;
    v[V_BEST] = v[V_FEEDBACK];
    v[V_BEST].name = "... by kind";
    v[V_BEST].options.by_kind = true;
    v[V_PINNED] = (struct compare_variant){
        .name = "pinned defaults", .mode = SEARCH_HYBRID, .options = hybrid_defaults()};
}

static void tune(struct bench *b, const struct corpus *c, const struct compare_set *set,
                 const struct compare_pool *pools, struct compare_variant *v)
{
    struct compare_sweep sweep;

    bench_need(compare_sweep(set, pools, &v->options, &c->eval, &sweep), NULL, "sweep");
    compare_choose(&sweep, NULL, &v->options);
    if (!v->options.by_kind)
        fprintf(b->report, "chosen: %-24s weight %.2f\n", v->name, v->options.weight);
    else {
        fprintf(b->report, "chosen: %-24s", v->name);
        for (int k = 0; k < QUERY_KINDS; k++)
            fprintf(b->report, " %s %.2f", embed_query_kind_name((enum hybrid_query_kind)k),
                    v->options.kind_weight[k]);
        fputs("\n", b->report);
    }
    compare_sweep_free(&sweep);
}

static void run_all(const struct corpus *c, const struct compare_set *set,
                    const struct compare_pool *pools, const struct compare_variant *v,
                    struct compare_outcome *out)
{
    for (int i = 0; i < VARIANTS; i++)
        bench_need(compare_run(set, pools, &v[i], &c->eval, &out[i]), NULL, v[i].name);
}

static void write_runs(const struct corpus *c, const struct compare_outcome *o)
{
    struct seam_fault f = {0};

    bench_need(seam_io_mkdir(seam_io_posix(), runs_dir, &f), &f, "runs");
    for (int i = 0; i < VARIANTS; i++) {
        char path[SEAM_PATH_MAX_BYTES], name[64];

        snprintf(name, sizeof name, "%s", o[i].variant.name);
        for (char *p = name; *p != '\0'; p++)
            if (*p == ' ' || *p == ',') *p = '-';
        snprintf(path, sizeof path, "%s/%s.%s.run", runs_dir, c->name, name);
        bench_need(eval_run_write(o[i].run, seam_io_posix(), path, &f), &f, path);
    }
}

/* ---- the shipped set: chosen on one half, reported on the other ---- */
static void class_rows(struct bench *b, const struct compare_set *set,
                       const struct compare_outcome *o)
{
    static const char *const classes[] = {"exact",     "paraphrase", "misspelling",
                                          "attribute", "brand",      "code"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(classes); i++) {
        char workload[64];
        double ours = compare_class_ndcg(set, &o[V_PINNED], classes[i]);
        double target = strcmp(classes[i], "code") == 0 ? 0.99 : 0.0;

        snprintf(workload, sizeof workload, "shop-%s", classes[i]);
        quality_row(b, workload, "nDCG@10", set->count, ours, "bm25 alone",
                    compare_class_ndcg(set, &o[V_BM25], classes[i]), target);
        quality_row(b, workload, "nDCG@10", set->count, ours, "vector alone",
                    compare_class_ndcg(set, &o[V_VECTOR], classes[i]), 0.0);
    }
}

static void shop_report(struct bench *b, const struct corpus *c, const struct compare_set *set,
                        const struct compare_pool *pools, const struct compare_variant *v,
                        bool held_out)
{
    struct compare_outcome o[VARIANTS];
    int better;
    struct seam_buf text = {0};

    run_all(c, set, pools, v, o);
    better = ndcg_of(&o[V_BM25]) >= ndcg_of(&o[V_VECTOR]) ? V_BM25 : V_VECTOR;
    fprintf(b->report, "\n%s half, %zu queries; against the better single side (%s):\n\n",
            held_out ? "held-out" : "development", set->count, v[better].name);
    compare_print(set, o, VARIANTS, (size_t)better, &text);
    if (held_out) {
        for (int side = V_BM25; side <= V_VECTOR; side++) {
            seam_buf_printf(&text,
                            "\nthe pinned hybrid loses most to %s alone on\n\n| query | class | "
                            "text | %s | hybrid |\n|---|---|---|---|---|\n",
                            v[side].name, v[side].name);
            compare_print_losses(set, &o[side], &o[V_PINNED], 8, &text);
        }
        quality_row(b, "shop-held-out", "nDCG@10 pinned", set->count, ndcg_of(&o[V_PINNED]),
                    v[better].name, ndcg_of(&o[better]), 1.08);
        quality_row(b, "shop-held-out", "nDCG@10 tuned on the other half", set->count,
                    ndcg_of(&o[V_BEST]), v[better].name, ndcg_of(&o[better]), 1.08);
        class_rows(b, set, o);
        write_runs(c, o);
    }
    say(b, &text);
    seam_buf_free(&text);
    for (int i = 0; i < VARIANTS; i++) compare_outcome_free(&o[i]);
}

static struct search *open_corpus(struct bench *b, const struct corpus *c, struct embedder **e)
{
    char dir[SEAM_PATH_MAX_BYTES];
    struct search *s = NULL;
    struct seam_fault f = {0};
    uint64_t t = bench_now_ns();

    bench_need(corpus_learn(c, 0, (int)b->threads, e, &f), &f, "learning");
    fprintf(b->report, "%s: %zu documents; %zu words learned in %.2f s (%s)\n", c->name, c->count,
            embedder_words(*e), (double)(bench_now_ns() - t) / 1e9, embedder_version(*e));
    bench_row(b, &(struct bench_row){.workload = c->name,
                                     .metric = "learning",
                                     .unit = "s",
                                     .n = c->count,
                                     .threads = (int)b->threads,
                                     .ours = bench_value((double)(bench_now_ns() - t) / 1e9),
                                     .lower_is_better = true});
    snprintf(dir, sizeof dir, "%s/%s", bench_scratch(b), c->name);
    /* One thread: the same graph, and the same figures, every time. */
    bench_need(corpus_index(c, *e, dir, 1, &s, &f), &f, "indexing");
    return s;
}

static void shop(struct bench *b)
{
    struct corpus c;
    struct embedder *e = NULL;
    struct compare_set half[2];
    struct compare_pool *pools[2] = {NULL, NULL};
    struct compare_variant v[VARIANTS];
    struct search *s;
    struct seam_fault f = {0};

    fprintf(b->report, "\n## The shipped catalogue\n\n");
    bench_need(corpus_shop(&c, &f), &f, "the shipped catalogue");
    s = open_corpus(b, &c, &e);
    for (int i = 0; i < 2; i++) {
        bench_need(
            compare_set_half(&c.set, i == 0 ? COMPARE_DEVELOPMENT : COMPARE_HELD_OUT, &half[i], &f),
            &f, "half");
        bench_need(compare_pools(s, &half[i], NULL, &pools[i], &f), &f, "searching");
    }
    make_variants(v);
    for (int i = V_RRF; i <= V_BEST; i++) tune(b, &c, &half[0], pools[0], &v[i]);
    for (int i = 0; i < 2; i++) shop_report(b, &c, &half[i], pools[i], v, i == 1);
    for (int i = 0; i < 2; i++) {
        compare_pools_free(pools[i], half[i].count);
        compare_set_free(&half[i]);
    }
    search_close(s);
    embedder_close(e);
    corpus_free(&c);
}

/* ---- a shared collection: cross-validated ---- */
static double mean_of(const double *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) sum += x[i];
    return n > 0 ? sum / (double)n : 0.0;
}

static void validate_header(struct bench *b)
{
    fprintf(b->report,
            "| %-24s | nDCG@10 | difference       | 95 %% interval    |    p    | win/tie/loss |\n"
            "|--------------------------|---------|------------------|------------------|---------|"
            "--------------|\n",
            "");
}

/* Replaces a variant's per-query nDCG by the cross-validated one, and prints the difference to BM25.   */
static double validate(struct bench *b, const struct corpus *c, const struct compare_pool *pools,
                       const struct compare_variant *v, const struct eval_options *eval,
                       const double *bm25, double *p)
{
    struct compare_sweep sweep;
    struct eval_comparison d;
    double *scores = calloc(c->set.count + 1, sizeof *scores), mean;

    bench_need(scores == NULL ? SEAM_NOMEM
                              : compare_sweep(&c->set, pools, &v->options, eval, &sweep),
               NULL, "sweep");
    compare_cross_validate(&sweep, FOLDS, v->options.by_kind, (uint64_t)b->seed, scores);
    eval_compare(bm25, scores, c->set.count, ROUNDS, (uint64_t)b->seed, &d);
    mean = mean_of(scores, c->set.count);
    fprintf(b->report, "| %-24s | %.4f  | %+.4f (%+.1f%%) | %+.4f..%+.4f | %.4f  | %zu/%zu/%zu |\n",
            v->name, mean, d.mean_difference,
            100.0 * d.mean_difference / mean_of(bm25, c->set.count), d.low, d.high,
            d.p_randomization, d.wins, d.ties, d.losses);
    *p = d.p_randomization;
    compare_sweep_free(&sweep);
    free(scores);
    return mean;
}

/* The labels were pooled from keyword engines' answers: what no rater saw counts against whoever finds it.
 * Leaving the unjudged out is the other half of the truth.                                          */
static void judged_only(struct bench *b, const struct corpus *c, const struct compare_pool *pools,
                        const struct compare_variant *v)
{
    struct eval_options o = c->eval;
    double *bm25 = calloc(c->set.count + 1, sizeof *bm25), p;

    if (bm25 == NULL) exit(1);
    o.judged_only = true;
    fprintf(b->report, "\njudged documents only, nDCG@10:");
    for (int i = 0; i < VARIANTS; i++) {
        struct compare_outcome out;

        bench_need(compare_run(&c->set, pools, &v[i], &o, &out), NULL, v[i].name);
        if (i == V_BM25)
            for (size_t k = 0; k < c->set.count; k++) bm25[k] = out.result.queries[k].s.ndcg;
        fprintf(b->report, " %s %.3f;", v[i].name, ndcg_of(&out));
        compare_outcome_free(&out);
    }
    fprintf(b->report, "\n... and cross-validated, against bm25 (%.4f):\n\n",
            mean_of(bm25, c->set.count));
    validate_header(b);
    (void)validate(b, c, pools, &v[V_MAX], &o, bm25, &p);
    (void)validate(b, c, pools, &v[V_FEEDBACK], &o, bm25, &p);
    free(bm25);
}

static void shared(struct bench *b, const char *name, double bm25_reference)
{
    struct corpus c;
    struct embedder *e = NULL;
    struct compare_pool *pools = NULL;
    struct compare_variant v[VARIANTS];
    struct compare_outcome o[VARIANTS];
    struct seam_buf text = {0};
    struct seam_fault f = {0};
    struct search *s;
    double *bm25, p = 1.0, best = 0.0;

    if (bench_data(b, name) == NULL) return;
    fprintf(b->report, "\n## %s\n\n", name);
    bench_need(corpus_shared(&c, b->data, name, &f), &f, name);
    s = open_corpus(b, &c, &e);
    bench_need(compare_pools(s, &c.set, NULL, &pools, &f), &f, "searching");
    make_variants(v);
    for (int i = V_RRF; i <= V_BEST; i++) tune(b, &c, &c.set, pools, &v[i]);
    run_all(&c, &c.set, pools, v, o);
    fprintf(
        b->report,
        "\nweights chosen on these very queries (an upper bound, not a result), %zu queries:\n\n",
        c.set.count);
    compare_print(&c.set, o, VARIANTS, V_BM25, &text);
    say(b, &text);
    judged_only(b, &c, pools, v);
    bm25 = calloc(c.set.count + 1, sizeof *bm25);
    if (bm25 == NULL) exit(1);
    for (size_t i = 0; i < c.set.count; i++) bm25[i] = o[V_BM25].result.queries[i].s.ndcg;
    fprintf(b->report, "\n%d-fold cross-validated, against bm25 (%.4f):\n\n", FOLDS,
            ndcg_of(&o[V_BM25]));
    validate_header(b);
    for (int i = V_RRF; i <= V_BEST; i++) {
        double pv, mean = validate(b, &c, pools, &v[i], &c.eval, bm25, &pv);

        if (i == V_FEEDBACK) {
            best = mean;
            p = pv;
        }
    }
    quality_row(b, name, "nDCG@10 bm25", c.set.count, ndcg_of(&o[V_BM25]), "reference bm25",
                bm25_reference, 1.0);
    quality_row(b, name, "nDCG@10 cross-validated", c.set.count, best, "bm25 alone",
                ndcg_of(&o[V_BM25]), 1.0);
    quality_row(b, name, "nDCG@10 pinned", c.set.count, ndcg_of(&o[V_PINNED]), "bm25 alone",
                ndcg_of(&o[V_BM25]), 0.0);
    quality_row(b, name, "nDCG@10 cross-validated", c.set.count, best, "vector alone",
                ndcg_of(&o[V_VECTOR]), 1.0);
    bench_row(b, &(struct bench_row){.workload = name,
                                     .metric = "p-value against bm25",
                                     .unit = "1",
                                     .n = c.set.count,
                                     .threads = 1,
                                     .ours = bench_value(p),
                                     .peer = "wanted",
                                     .peer_value = bench_value(0.05),
                                     .lower_is_better = true,
                                     .target = strcmp(name, "product-search") == 0 ? 1.0 : 0.0});
    write_runs(&c, o);
    for (int i = 0; i < VARIANTS; i++) compare_outcome_free(&o[i]);
    compare_pools_free(pools, c.set.count);
    search_close(s);
    embedder_close(e);
    corpus_free(&c);
    seam_buf_free(&text);
    free(bm25);
}

/* ---- learned vectors against GloVe, exact search over titles ---- */
struct scored {
    double score;
    uint64_t id;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static double exact_titles(const struct corpus *c, const struct embedder *e)
{
    size_t dim = embedder_dim(e);
    float *rows = malloc(c->count * dim * sizeof *rows), q[EMBED_DIM_MAX];
    struct scored *list = malloc(c->count * sizeof *list);
    struct eval_result result;
    struct eval_run *run = NULL;
    double ndcg;

    if (rows == NULL || list == NULL) exit(1);
    bench_need(eval_run_new("titles", &run), NULL, "run");
    for (size_t i = 0; i < c->count; i++)
        bench_need(embed_document(e, c->docs[i].title, strlen(c->docs[i].title), NULL, 0,
                                  rows + i * dim, NULL),
                   NULL, "embed");
    for (size_t k = 0; k < c->set.count; k++) {
        uint64_t ids[100];

        bench_need(embed_query(e, c->set.queries[k].text, strlen(c->set.queries[k].text), q, NULL),
                   NULL, "embed");
        for (size_t i = 0; i < c->count; i++) {
            double dot = 0.0;

            for (size_t d = 0; d < dim; d++) dot += (double)q[d] * rows[i * dim + d];
            list[i] = (struct scored){dot, c->docs[i].id};
        }
        qsort(list, c->count, sizeof *list, compare_scored);
        for (size_t i = 0; i < 100; i++) ids[i] = list[i].id;
        bench_need(eval_run_add_ranked(run, c->set.queries[k].id, ids, 100), NULL, "run");
    }
    bench_need(eval_run(c->set.qrels, run, &c->eval, &result), NULL, "eval");
    ndcg = result.mean.ndcg;
    eval_result_free(&result);
    eval_run_free(run);
    free(rows);
    free(list);
    return ndcg;
}

static struct embedder *glove(struct bench *b, const struct corpus *c)
{
    struct embed_options o = {.for_words = true};
    struct embed_trainer *t = NULL;
    struct embedder *e = NULL;
    char words[SEAM_PATH_MAX_BYTES], rows[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};

    snprintf(words, sizeof words, "%s/glove-100/words.txt.gz", b->data);
    snprintf(rows, sizeof rows, "%s/glove-100/vectors.f16.gz", b->data);
    bench_need(embedder_from_f16(seam_io_posix(), words, rows, 100, 0, &e, &f), &f, "glove-100");
    bench_need(embed_trainer_new(&o, &t, &f), &f, "glove-100");
    for (size_t i = 0; i < c->count; i++)
        bench_need(embed_trainer_add(t, c->docs[i].title, strlen(c->docs[i].title), c->docs[i].text,
                                     strlen(c->docs[i].text), NULL, 0, &f),
                   &f, "glove-100");
    bench_need(embedder_adapt(e, t, &f), &f, "glove-100");
    embed_trainer_free(t);
    return e;
}

static void titles(struct bench *b)
{
    struct corpus c;
    struct embedder *ours = NULL, *theirs;
    struct seam_fault f = {0};
    double x, y;

    if (bench_data(b, "product-search") == NULL || bench_data(b, "glove-100") == NULL) return;
    fprintf(b->report, "\n## Titles of product-search, exact search by vectors alone\n\n");
    bench_need(corpus_shared(&c, b->data, "product-search", &f), &f, "product-search");
    bench_need(corpus_learn(&c, 0, (int)b->threads, &ours, &f), &f, "learning");
    theirs = glove(b, &c);
    x = exact_titles(&c, ours);
    y = exact_titles(&c, theirs);
    fprintf(b->report,
            "learned from the catalogue (%s): nDCG@10 %.4f\nmean of GloVe vectors, same pooling "
            "(%s): %.4f\n"
            "reference mean of GloVe: 0.614\n",
            embedder_version(ours), x, embedder_version(theirs), y);
    quality_row(b, "titles", "nDCG@10 learned", c.set.count, x, "GloVe mean", y, 0.95);
    embedder_close(ours);
    embedder_close(theirs);
    corpus_free(&c);
}

/* ---- speed ---- */

/* More products than any collection here has: the title of one with the text of another. */
static void multiply(struct corpus *c, size_t want, uint64_t seed)
{
    struct corpus_doc *docs = malloc(want * sizeof *docs);
    struct seam_rng r;

    if (docs == NULL) exit(1);
    seam_rng_seed(&r, seed);
    for (size_t i = 0; i < want; i++) {
        docs[i] = c->docs[i % c->count];
        docs[i].id = i + 1;
        if (i >= c->count) docs[i].text = c->docs[seam_rng_below(&r, c->count)].text;
    }
    free(c->docs);
    c->docs = docs;
    c->count = c->cap = want;
}

static void one_pass(struct search *s, const struct corpus *c, enum search_mode mode,
                     struct seam_histogram *h, double part[3])
{
    struct hybrid_hit hits[10];

    for (size_t i = 0; i < c->set.count; i++) {
        struct search_request r = {.mode = mode,
                                   .text = c->set.queries[i].text,
                                   .size = strlen(c->set.queries[i].text),
                                   .weight = -1.0};
        struct search_result result = {.hits = hits};
        struct seam_fault f = {0};
        uint64_t t = bench_now_ns();

        bench_need(search_query(s, &r, &result, &f), &f, "search");
        seam_histogram_add(h, bench_now_ns() - t);
        part[0] += result.words_us;
        part[1] += result.meaning_us;
        part[2] += result.fuse_us;
    }
}

static void speed(struct bench *b)
{
    struct corpus c;
    struct embedder *e = NULL;
    struct search *s;
    struct seam_fault f = {0};
    size_t passes = (size_t)bench_size(b, 5, 20, 60);
    bool real = bench_data(b, "product-search") != NULL;

    fprintf(b->report, "\n## Speed at %d products, one thread\n\n", SPEED_PRODUCTS);
    bench_need(real ? corpus_shared(&c, b->data, "product-search", &f) : corpus_shop(&c, &f), &f,
               "speed");
    multiply(&c, SPEED_PRODUCTS, (uint64_t)b->seed);
    c.name = "speed";
    s = open_corpus(b, &c, &e);
    for (int mode = SEARCH_BM25; mode <= SEARCH_HYBRID; mode++) {
        struct bench_row row = {.workload = search_mode_name((enum search_mode)mode),
                                .metric = "latency",
                                .unit = "us",
                                .n = SPEED_PRODUCTS,
                                .threads = 1,
                                .lower_is_better = true};
        double part[3] = {0.0};
        struct seam_histogram h;

        seam_histogram_init(&h);
        one_pass(s, &c, (enum search_mode)mode, &h, part);
        seam_histogram_init(&h);
        part[0] = part[1] = part[2] = 0.0;
        for (size_t i = 0; i < passes; i++) one_pass(s, &c, (enum search_mode)mode, &h, part);
        fprintf(b->report,
                "%-7s p50 %.0f us, p99 %.0f us, max %.0f us; mean words %.0f, meaning %.0f, fusion "
                "%.0f us (%llu queries)\n",
                search_mode_name((enum search_mode)mode),
                (double)seam_histogram_percentile(&h, 50) / 1e3,
                (double)seam_histogram_percentile(&h, 99) / 1e3, (double)h.max / 1e3,
                part[0] / (double)h.count, part[1] / (double)h.count, part[2] / (double)h.count,
                (unsigned long long)h.count);
        bench_row_latency(b, &row, &h, NULL);
        if (mode == SEARCH_HYBRID)
            bench_row(b, &(struct bench_row){
                             .workload = "hybrid",
                             .metric = "p99 within 5 ms",
                             .unit = "us",
                             .n = SPEED_PRODUCTS,
                             .threads = 1,
                             .ours = bench_value((double)seam_histogram_percentile(&h, 99) / 1e3),
                             .peer = "wanted",
                             .peer_value = bench_value(5000),
                             .lower_is_better = true,
                             .target = 1.0});
    }
    search_close(s);
    embedder_close(e);
    corpus_free(&c);
}

int main(int argc, char **argv)
{
    struct bench b;
    const struct seam_opt extra[] = {
        {"runs", 0, SEAM_OPT_STRING, "DIR", "where TREC run files go (build/runs)", &runs_dir}};

    bench_open(&b, "hybrid", extra, SEAM_ARRAY_LEN(extra), argc, argv);
    shop(&b);
    shared(&b, "product-search", 0.783);
    shared(&b, "cranfield", 0.392);
    shared(&b, "cisi", 0.307);
    if (!b.quick) shared(&b, "scifact", 0.677);
    titles(&b);
    speed(&b);
    return bench_close(&b);
}
