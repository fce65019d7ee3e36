/* eval_measure - the measures, and whether a difference is real.                                    */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "pipeline/relevance/eval_internal.h"

static struct eval_options with_defaults(const struct eval_options *o)
{
    struct eval_options d = o != NULL ? *o : (struct eval_options){0};

    if (d.ndcg_k == 0) d.ndcg_k = 10;
    if (d.mrr_k == 0) d.mrr_k = 10;
    if (d.p_k == 0) d.p_k = 5;
    if (d.recall_k == 0) d.recall_k = 100;
    if (d.relevant_from == 0) d.relevant_from = 1;
    if (d.gain_from == 0) d.gain_from = 1;
    return d;
}

static double gain_of(int grade, const struct eval_options *o)
{
    return grade >= o->gain_from ? (double)(grade - o->gain_from + 1) : 0.0;
}

static double exp_gain(double gain)
{
    return ldexp(1.0, (int)gain) - 1.0;
}

static int compare_down(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x > y ? -1 : x < y;
}

/* DCG of the best possible list: all judged gains, largest first. */
static void ideal(double *gains, size_t n, size_t k, double *linear, double *exponential)
{
    qsort(gains, n, sizeof *gains, compare_down);
    *linear = *exponential = 0.0;
    for (size_t i = 0; i < n && i < k; i++) {
        *linear += gains[i] / log2((double)i + 2.0);
        *exponential += exp_gain(gains[i]) / log2((double)i + 2.0);
    }
}

/* The ranked list of one query against its judgements; entries may be NULL when n is 0. */
static void score_query(const struct eval_qrels *q, const struct eval_run *r,
                        const struct eval_run_entry *entries, size_t n,
                        const struct eval_options *o, double *gains, size_t judged,
                        struct eval_query *out)
{
    double linear, exponential, precision_sum = 0.0;
    size_t rank = 0, hits = 0, judged_top = 0;

    ideal(gains, judged, o->ndcg_k, &linear, &exponential);
    for (size_t i = 0; i < n; i++) {
        int grade = eval_qrels_grade(q, out->qid, r->docs.name[entries[i].doc]);
        double gain = gain_of(grade, o), discount;

        if (grade < 0 && o->judged_only) continue;
        discount = log2((double)++rank + 1.0);
        if (rank <= o->ndcg_k) {
            out->s.ndcg += gain / discount;
            out->s.ndcg_exp += exp_gain(gain) / discount;
            judged_top += grade >= 0;
        }
        if (grade < o->relevant_from) continue;
        hits++;
        precision_sum += (double)hits / (double)rank;
        if (rank <= o->p_k) out->s.p += 1.0;
        if (rank <= o->recall_k) out->s.recall += 1.0;
        if (hits == 1 && rank <= o->mrr_k) out->s.mrr = 1.0 / (double)rank;
    }
    out->retrieved = rank;
    out->s.ndcg = linear > 0.0 ? out->s.ndcg / linear : 0.0;
    out->s.ndcg_exp = exponential > 0.0 ? out->s.ndcg_exp / exponential : 0.0;
    out->s.p /= (double)o->p_k;
    out->s.recall = out->relevant > 0 ? out->s.recall / (double)out->relevant : 0.0;
    out->s.map = out->relevant > 0 ? precision_sum / (double)out->relevant : 0.0;
    out->s.judged =
        rank > 0 ? (double)judged_top / (double)(rank < o->ndcg_k ? rank : o->ndcg_k) : 0.0;
}

static void add_scores(struct eval_scores *sum, const struct eval_scores *s, double times)
{
    sum->ndcg += s->ndcg * times;
    sum->ndcg_exp += s->ndcg_exp * times;
    sum->mrr += s->mrr * times;
    sum->p += s->p * times;
    sum->recall += s->recall * times;
    sum->map += s->map * times;
    sum->judged += s->judged * times;
}

/* First entry of each run query, and the end. */
static size_t *query_starts(const struct eval_run *r)
{
    size_t *start = calloc(2 * ((size_t)r->queries.count + 1), sizeof *start), *end;

    if (start == NULL) return NULL;
    end = start + r->queries.count;
    for (size_t i = 0; i < r->count; i++) {
        uint32_t query = r->list[i].query;

        if (i == 0 || r->list[i - 1].query != query) start[query] = i;
        end[query] = i + 1;
    }
    return start;
}

enum seam_status eval_run(const struct eval_qrels *q, struct eval_run *r,
                          const struct eval_options *options, struct eval_result *out)
{
    struct eval_options o = with_defaults(options);
    double *gains = malloc((q->count + 1) * sizeof *gains);
    size_t *start;

    *out = (struct eval_result){0};
    eval_run_sort(r);
    start = query_starts(r);
    out->queries = calloc(q->queries.count + 1u, sizeof *out->queries);
    if (gains == NULL || start == NULL || out->queries == NULL) {
        free(gains);
        free(start);
        eval_result_free(out);
        return SEAM_NOMEM;
    }
    for (uint32_t i = 0; i < q->queries.count; i++) {
        uint32_t query = embed_names_find(&r->queries, q->queries.name[i]);
        struct eval_query *e = &out->queries[out->count];
        size_t judged = 0,
               n = query == NAMES_NONE ? 0 : start[r->queries.count + query] - start[query];

        if (query == NAMES_NONE && !o.complete) continue;
        snprintf(e->qid, sizeof e->qid, "%s", q->queries.name[i]);
        for (size_t k = 0; k < q->count; k++) {
            if (q->list[k].query != i) continue;
            gains[judged++] = gain_of(q->list[k].grade, &o);
            e->relevant += q->list[k].grade >= o.relevant_from;
        }
        score_query(q, r, n > 0 ? r->list + start[query] : NULL, n, &o, gains, judged, e);
        out->count++;
    }
    for (size_t i = 0; i < out->count; i++)
        add_scores(&out->mean, &out->queries[i].s, 1.0 / (double)out->count);
    free(gains);
    free(start);
    return SEAM_OK;
}

void eval_result_free(struct eval_result *r)
{
    free(r->queries);
    *r = (struct eval_result){0};
}

/* ---- significance ---- */
static int compare_up(const void *a, const void *b)
{
    return -compare_down(a, b);
}

/* Were a and b the same system, each query's difference could as well have had the other sign: how often
 * does a random choice of signs give a mean at least as far from zero?                              */
static double randomization(const double *a, const double *b, size_t n, size_t rounds,
                            uint64_t seed)
{
    double observed = 0.0;
    size_t as_far = 0;
    struct seam_rng r;

    for (size_t i = 0; i < n; i++) observed += b[i] - a[i];
    observed = fabs(observed);
    seam_rng_seed(&r, seed);
    for (size_t round = 0; round < rounds; round++) {
        double sum = 0.0;
        uint64_t signs = 0;

        for (size_t i = 0; i < n; i++) {
            if (i % 64 == 0) signs = seam_rng_u64(&r);
            sum += (signs >> (i % 64)) & 1 ? b[i] - a[i] : a[i] - b[i];
        }
        as_far += fabs(sum) >= observed - 1e-12;
    }
    return (double)(as_far + 1) / (double)(rounds + 1);
}

static void bootstrap(const double *a, const double *b, size_t n, size_t rounds, uint64_t seed,
                      struct eval_comparison *out)
{
    double *means = malloc(rounds * sizeof *means);
    struct seam_rng r;

    if (means == NULL) {
        out->low = out->high = NAN;
        return;
    }
    seam_rng_seed(&r, seed ^ 0x626f6f7473ull);
    for (size_t round = 0; round < rounds; round++) {
        double sum = 0.0;

        for (size_t i = 0; i < n; i++) {
            size_t k = (size_t)seam_rng_below(&r, n);

            sum += b[k] - a[k];
        }
        means[round] = sum / (double)n;
    }
    qsort(means, rounds, sizeof *means, compare_up);
    out->low = means[(size_t)((double)(rounds - 1) * 0.025)];
    out->high = means[(size_t)((double)(rounds - 1) * 0.975)];
    free(means);
}

void eval_compare(const double *a, const double *b, size_t n, size_t rounds, uint64_t seed,
                  struct eval_comparison *out)
{
    *out = (struct eval_comparison){.p_randomization = 1.0};
    for (size_t i = 0; i < n; i++) {
        double d = b[i] - a[i];

        out->wins += d > 1e-9;
        out->losses += d < -1e-9;
        out->ties += fabs(d) <= 1e-9;
        out->mean_difference += d / (double)n;
    }
    if (n == 0 || rounds == 0) return;
    out->p_randomization = randomization(a, b, n, rounds, seed);
    bootstrap(a, b, n, rounds, seed, out);
}
