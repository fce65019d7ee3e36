/* compare - rankings side by side, on labelled queries, without fooling ourselves.
 *
 *   queries, qrels --(each query searched once, deep)--> pool --(any variant re-fused from it)--> ranking
 *                                                                                                  |
 *           table by class, significance, wins/ties/losses, TREC runs  <-- eval_run, eval_compare --/
 *
 * Weights are chosen on one half of the queries (or on the other folds) and reported on the half they
 * have not seen. Negative results print like positive ones. Imports: pipeline/search, eval, hybrid.    */
#ifndef SEAM_PIPELINE_COMPARE_H
#define SEAM_PIPELINE_COMPARE_H

#include "pipeline/relevance/eval.h"
#include "pipeline/relevance/search.h"

enum {
    COMPARE_CLASS_MAX = 32,
    COMPARE_WEIGHTS = 21,
    COMPARE_VARIANTS_MAX = 24,
    COMPARE_DEPTH = 200
};

/* ---- labelled queries ---- */
struct compare_query {
    char id[EVAL_NAME_MAX], class[COMPARE_CLASS_MAX];
    char *text;
};
struct compare_set {
    struct compare_query *queries; /* only those with judgements, in file order */
    size_t count;
    struct eval_qrels *qrels;
};
/* queries: TSV with a header line naming query_id and query, and class if there is one. qrels: TREC.   */
SEAM_MUST_USE enum seam_status compare_set_read(struct seam_io *io, const char *queries,
                                                const char *qrels, struct compare_set *out,
                                                struct seam_fault *f);
/* From open sources (shipped files in memory).                                                    */
SEAM_MUST_USE enum seam_status compare_set_from(struct seam_source *queries,
                                                struct seam_source *qrels, struct compare_set *out,
                                                struct seam_fault *f);
SEAM_MUST_USE enum seam_status compare_set_add(struct compare_set *s, const char *id,
                                               const char *class, const char *text);
/* Drops the queries that have no judgements and the judgements of other queries.                   */
SEAM_MUST_USE enum seam_status compare_set_finish(struct compare_set *s, struct seam_fault *f);
void compare_set_free(struct compare_set *s);

/* Odd query numbers (the digits that end the id) are the development half, even ones are held out.   */
enum compare_half { COMPARE_ALL, COMPARE_DEVELOPMENT, COMPARE_HELD_OUT };
SEAM_MUST_USE enum seam_status compare_set_half(const struct compare_set *s, enum compare_half half,
                                                struct compare_set *out, struct seam_fault *f);

/* ---- what both sides found ---- */
struct compare_pool {
    struct hybrid_item *words, *meaning;
    size_t words_count, meaning_count;
    struct hybrid_hit *hits;      /* their union with every score known, by id */
    struct hybrid_item *feedback; /* likewise, scored by feedback, best first */
    size_t count;
    struct hybrid_query_features features;
    enum hybrid_query_kind kind;
    bool words_only;
};
/* One pool a query of the set: *out has set->count of them. `id_of` maps index keys to document numbers
 * (NULL: they are the same) before anything else happens.                                          */
SEAM_MUST_USE enum seam_status compare_pools(struct search *s, const struct compare_set *set,
                                             uint64_t (*id_of)(uint64_t key),
                                             struct compare_pool **out, struct seam_fault *f);
void compare_pools_free(struct compare_pool *p, size_t n);

/* ---- variants ---- */
struct compare_variant {
    const char *name;
    enum search_mode mode;
    struct hybrid_options options; /* SEARCH_HYBRID */
};
struct compare_outcome {
    struct compare_variant variant;
    struct eval_run *run;
    struct eval_result result; /* one row a query of the set, in its order */
};
/* o: NULL = eval's defaults; queries without hits always count as zero.                            */
SEAM_MUST_USE enum seam_status compare_run(const struct compare_set *set,
                                           const struct compare_pool *pools,
                                           const struct compare_variant *v,
                                           const struct eval_options *o,
                                           struct compare_outcome *out);
void compare_outcome_free(struct compare_outcome *o);

/* ---- choosing weights ---- */
/* nDCG@10 of every weight 0, 0.05, ... 1 on every query, all from the same pools.                   */
struct compare_sweep {
    struct hybrid_options
        options;  /* method and normalisation swept                                */
    size_t count; /* queries                                                       */
    double *ndcg; /* COMPARE_WEIGHTS rows of `count`                               */
    enum hybrid_query_kind *kind;
};
SEAM_MUST_USE enum seam_status compare_sweep(const struct compare_set *set,
                                             const struct compare_pool *pools,
                                             const struct hybrid_options *o,
                                             const struct eval_options *eval,
                                             struct compare_sweep *out);
void compare_sweep_free(struct compare_sweep *s);
/* The best weight (each judged with its neighbours, 1:2:1) over the queries that `use` marks (NULL = all), and the best for each kind of query, drawn
 * towards the common one where a kind has few queries. Writes weight and kind_weight of o.           */
void compare_choose(const struct compare_sweep *s, const bool *use, struct hybrid_options *o);
/* Each query scored with what compare_choose picks on the other folds: scores[count]. by_kind or one weight. */
void compare_cross_validate(const struct compare_sweep *s, size_t folds, bool by_kind,
                            uint64_t seed, double *scores);

/* ---- printing ---- */
/* Measures of every outcome, its p-value and wins/ties/losses against outcome `base`, nDCG@10 by class. */
void compare_print(const struct compare_set *set, const struct compare_outcome *o, size_t n,
                   size_t base, struct seam_buf *out);
/* Queries on which b loses most to a: id, class, text, both nDCG@10.                               */
void compare_print_losses(const struct compare_set *set, const struct compare_outcome *a,
                          const struct compare_outcome *b, size_t most, struct seam_buf *out);
/* Mean nDCG@10 of the queries of one class (NULL = all).                                           */
double compare_class_ndcg(const struct compare_set *set, const struct compare_outcome *o,
                          const char *class);

#endif
