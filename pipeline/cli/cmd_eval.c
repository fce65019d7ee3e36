/* cmd_eval - how good search is: labelled queries through each mode, or a TREC run file by itself.   */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/source.h"
#include "pipeline/cli/cli.h"
#include "pipeline/relevance/compare.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/vectors/vectors.h"

struct eval_command {
    const char *queries, *qrels, *half, *runs, *run;
    int64_t gain_from, relevant_from, losses;
    bool compare, judged_only;
    enum compare_half which;
    struct eval_options measures;
};

static enum seam_status shipped_set(struct compare_set *out, struct seam_fault *f)
{
    struct asset q = shop_asset_find("queries.tsv"), j = shop_asset_find("qrels.txt");
    struct seam_source *queries = NULL, *qrels = NULL;
    enum seam_status st;

    if (q.text == NULL || j.text == NULL)
        return seam_fault_set(f, SEAM_NOT_FOUND, "eval", SEAM_FAULT_NO_OFFSET,
                              "no shipped queries: give --queries and --qrels");
    st = seam_source_from_memory(q.text, q.size, &queries);
    if (st == SEAM_OK) st = seam_source_from_memory(j.text, j.size, &qrels);
    if (st == SEAM_OK) st = compare_set_from(queries, qrels, out, f);
    seam_source_close(queries);
    seam_source_close(qrels);
    return st;
}

static enum seam_status read_set(struct cli *c, const struct eval_command *o,
                                 struct compare_set *out)
{
    struct compare_set all;
    enum seam_status st = o->queries != NULL
                              ? compare_set_read(c->io, o->queries, o->qrels, &all, &c->fault)
                              : shipped_set(&all, &c->fault);

    if (st != SEAM_OK || o->which == COMPARE_ALL) {
        if (st == SEAM_OK) *out = all;
        return st;
    }
    st = compare_set_half(&all, o->which, out, &c->fault);
    compare_set_free(&all);
    return st;
}

/* bm25, vector, hybrid as a search answers; with --compare also the other fusions, at equal weights. */
static size_t make_variants(bool compare, struct compare_variant *v)
{
    static const struct {
        const char *name;
        enum hybrid_method method;
        enum hybrid_norm norm, meaning;
    } more[] = {
        {"rrf, equal weights", HYBRID_RRF, HYBRID_NORM_NONE, HYBRID_NORM_NONE},
        {"convex max, 0.5", HYBRID_CONVEX, HYBRID_NORM_MAX, HYBRID_NORM_NONE},
        {"convex min-max, 0.5", HYBRID_CONVEX, HYBRID_NORM_MINMAX, HYBRID_NORM_MINMAX},
        {"convex tmm, 0.5", HYBRID_CONVEX, HYBRID_NORM_TMM, HYBRID_NORM_TMM},
        {"convex z-score, 0.5", HYBRID_CONVEX, HYBRID_NORM_ZSCORE, HYBRID_NORM_ZSCORE},
    };
    size_t n = 0;

    v[n++] = (struct compare_variant){"bm25", SEARCH_BM25, {0}};
    v[n++] = (struct compare_variant){"vector", SEARCH_VECTOR, {0}};
    v[n++] = (struct compare_variant){"hybrid", SEARCH_HYBRID, hybrid_defaults()};
    for (size_t i = 0; compare && i < SEAM_ARRAY_LEN(more); i++) {
        v[n] = (struct compare_variant){more[i].name, SEARCH_HYBRID, hybrid_defaults()};
        v[n].options.method = more[i].method;
        v[n].options.norm = more[i].norm;
        v[n].options.norm_meaning = more[i].meaning;
        v[n].options.weight = 0.5;
        v[n].options.by_kind = false;
        v[n++].options.feedback_docs = 0;
    }
    return n;
}

static uint64_t id_of(uint64_t key)
{
    return (uint64_t)sink_id_of_key(key);
}

static enum seam_status open_search(struct cli *c, const struct platform *p, struct search **out)
{
    char words[SEAM_PATH_MAX_BYTES];
    struct sink_vectors_current v = {0};
    struct search_paths paths = {.words_dir = words};
    enum seam_status st = platform_sink_path(p, "search", words, &c->fault);

    if (st == SEAM_OK) st = sink_vectors_current(p, &v, &c->fault);
    if (st != SEAM_OK) return st;
    if (v.embedder[0] == '\0')
        return seam_fault_set(
            &c->fault, SEAM_NOT_FOUND, "vectors", SEAM_FAULT_NO_OFFSET,
            "no embedder has been learned yet: too few documents, or 'seam run' has not run");
    paths.graph_dir = v.dir;
    paths.model_path = v.model;
    return search_open(c->io, &paths, SEAM_LSN_MAX, out, &c->fault);
}

static enum seam_status write_runs(struct cli *c, const char *dir, const struct compare_outcome *o,
                                   size_t n)
{
    enum seam_status st = seam_io_mkdir(c->io, dir, &c->fault);

    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        char name[80], path[SEAM_PATH_MAX_BYTES];

        snprintf(name, sizeof name, "%s.run", o[i].variant.name);
        for (char *p = name; *p != '\0'; p++)
            if (*p == ' ' || *p == ',') *p = '-';
        st = seam_path_join(path, dir, name, &c->fault);
        if (st == SEAM_OK) st = eval_run_write(o[i].run, c->io, path, &c->fault);
    }
    return st;
}

static void scores_json(struct seam_json_writer *w, const struct eval_scores *s)
{
    const struct {
        const char *name;
        double value;
    } m[] = {{"ndcg_10", s->ndcg},    {"ndcg_exp_10", s->ndcg_exp},
             {"mrr_10", s->mrr},      {"recall_100", s->recall},
             {"p_5", s->p},           {"map", s->map},
             {"judged_10", s->judged}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(m); i++) {
        seam_jw_key(w, m[i].name);
        seam_jw_double(w, m[i].value);
    }
}

static void print_json(const struct search_position *at, const struct compare_outcome *o, size_t n)
{
    struct seam_buf b = {0};
    struct seam_json_writer w;

    seam_jw_init(&w, &b);
    seam_jw_object(&w);
    seam_jw_key(&w, "as_of_lsn");
    seam_jw_uint(&w, at->lsn);
    seam_jw_key(&w, "embedder");
    seam_jw_str(&w, at->embedder);
    seam_jw_key(&w, "variants");
    seam_jw_array(&w);
    for (size_t i = 0; i < n; i++) {
        seam_jw_object(&w);
        seam_jw_key(&w, "name");
        seam_jw_str(&w, o[i].variant.name);
        scores_json(&w, &o[i].result.mean);
        seam_jw_end_object(&w);
    }
    seam_jw_end_array(&w);
    seam_jw_end_object(&w);
    seam_buf_str(&b, "\n");
    cli_print(&b);
    seam_buf_free(&b);
}

static void print_text(struct cli *c, const struct platform *p, const struct eval_command *o,
                       const struct search_position *at, const struct compare_set *set,
                       const struct compare_outcome *out, size_t n)
{
    struct seam_buf b = {0};

    seam_buf_printf(&b, "%zu queries, against bm25\n\n", set->count);
    compare_print(set, out, n, 0, &b);
    for (int side = 0; o->losses > 0 && side < 2; side++) {
        seam_buf_printf(&b, "\nhybrid loses most to %s alone on\n\n", out[side].variant.name);
        compare_print_losses(set, &out[side], &out[2], (size_t)o->losses, &b);
    }
    cli_print(&b);
    seam_buf_free(&b);
    cli_footer(c, at->lsn, seam_clock_wall_us(p->clock) - at->wall_us, at->embedder);
}

static enum seam_status evaluate(struct cli *c, const struct platform *p,
                                 const struct eval_command *o)
{
    struct compare_variant v[COMPARE_VARIANTS_MAX];
    struct compare_outcome out[COMPARE_VARIANTS_MAX];
    struct compare_set set = {0};
    struct compare_pool *pools = NULL;
    struct search_position at;
    struct search *s = NULL;
    size_t n = make_variants(o->compare, v);
    enum seam_status st = read_set(c, o, &set);

    memset(out, 0, sizeof out);
    if (st == SEAM_OK) st = open_search(c, p, &s);
    if (st == SEAM_OK) st = compare_pools(s, &set, id_of, &pools, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n; i++)
        st = compare_run(&set, pools, &v[i], &o->measures, &out[i]);
    if (st == SEAM_OK && o->runs != NULL) st = write_runs(c, o->runs, out, n);
    if (st == SEAM_OK) {
        search_position(s, &at);
        if (c->json)
            print_json(&at, out, n);
        else
            print_text(c, p, o, &at, &set, out, n);
    }
    for (size_t i = 0; i < n; i++) compare_outcome_free(&out[i]);
    compare_pools_free(pools, set.count);
    compare_set_free(&set);
    search_close(s);
    return st;
}

/* --run FILE --qrels FILE: the measures of any TREC run, as trec_eval prints them. */
static enum seam_status evaluate_run(struct cli *c, const struct eval_command *o)
{
    struct eval_qrels *q = NULL;
    struct eval_run *r = NULL;
    struct eval_result result;
    struct seam_buf b = {0};
    enum seam_status st = eval_qrels_read(c->io, o->qrels, &q, &c->fault);

    if (st == SEAM_OK) st = eval_run_read(c->io, o->run, &r, &c->fault);
    if (st == SEAM_OK) st = eval_run(q, r, &o->measures, &result);
    if (st == SEAM_OK) {
        struct seam_json_writer w;

        seam_jw_init(&w, &b);
        if (c->json) {
            seam_jw_object(&w);
            seam_jw_key(&w, "queries");
            seam_jw_uint(&w, result.count);
            scores_json(&w, &result.mean);
            seam_jw_end_object(&w);
            seam_buf_str(&b, "\n");
        } else {
            seam_buf_printf(&b,
                            "num_q\tall\t%zu\nndcg_cut_10\tall\t%.4f\nndcg_exp_cut_10\tall\t%."
                            "4f\nrecip_rank_cut_10\tall\t%.4f\n"
                            "recall_100\tall\t%.4f\nP_5\tall\t%.4f\nmap\tall\t%.4f\n",
                            result.count, result.mean.ndcg, result.mean.ndcg_exp, result.mean.mrr,
                            result.mean.recall, result.mean.p, result.mean.map);
        }
        cli_print(&b);
        eval_result_free(&result);
    }
    seam_buf_free(&b);
    eval_run_free(r);
    eval_qrels_free(q);
    return st;
}

static int check_options(struct cli *c, struct eval_command *o, int count)
{
    static const char *const halves[] = {"all", "development", "held-out"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(halves); i++)
        if (strcmp(o->half, halves[i]) == 0) o->which = (enum compare_half)i;
    if (strcmp(o->half, halves[o->which]) != 0)
        return cli_usage(c, "--half is all, development or held-out");
    if (o->run != NULL && (o->qrels == NULL || count != 0))
        return cli_usage(c, "a run file is judged alone: --run FILE --qrels FILE, no folder");
    if (o->run == NULL && count != 1) return cli_usage(c, "which platform? seam eval DIR");
    if (o->run == NULL && (o->queries == NULL) != (o->qrels == NULL))
        return cli_usage(c, "--queries and --qrels go together");
    if (o->gain_from < 1 || o->gain_from > EVAL_GRADE_MAX || o->relevant_from < 1 ||
        o->relevant_from > EVAL_GRADE_MAX)
        return cli_usage(c, "grades are 1 to %d", EVAL_GRADE_MAX);
    o->measures = (struct eval_options){.gain_from = (int)o->gain_from,
                                        .relevant_from = (int)o->relevant_from,
                                        .judged_only = o->judged_only};
    return -1;
}

int cmd_eval(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct eval_command o = {.half = "all", .gain_from = 1, .relevant_from = 1};
    const struct seam_opt opts[] = {
        {"compare", 0, SEAM_OPT_FLAG, NULL, "the other fusions too, at equal weights", &o.compare},
        {"queries", 0, SEAM_OPT_STRING, "FILE", "TSV: query_id, query, class (the shipped ones)",
         &o.queries},
        {"qrels", 0, SEAM_OPT_STRING, "FILE", "TREC judgements: qid 0 docno grade", &o.qrels},
        {"half", 0, SEAM_OPT_STRING, "WHICH", "all, development (odd ids) or held-out (even)",
         &o.half},
        {"losses", 0, SEAM_OPT_INT, "N", "the N queries hybrid loses most on", &o.losses},
        {"judged-only", 0, SEAM_OPT_FLAG, NULL, "leave documents out that nobody judged",
         &o.judged_only},
        {"gain-from", 0, SEAM_OPT_INT, "G", "nDCG's gain is grade - G + 1 (1)", &o.gain_from},
        {"relevant-from", 0, SEAM_OPT_INT, "G", "the grade that counts for MRR, recall, P, MAP (1)",
         &o.relevant_from},
        {"runs", 0, SEAM_OPT_STRING, "DIR", "write TREC run files", &o.runs},
        {"run", 0, SEAM_OPT_STRING, "FILE", "judge this run file instead (with --qrels)", &o.run},
    };
    struct platform p;
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 0, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    rc = check_options(c, &o, count);
    if (rc >= 0) return rc;
    if (o.run != NULL) {
        st = evaluate_run(c, &o);
    } else {
        st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
        if (st == SEAM_OK) {
            st = evaluate(c, &p, &o);
            platform_close(&p);
        }
    }
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
