/* eval - how good a ranking is, in the measures and file formats of TREC.
 *
 *   qrels:  "qid 0 docno grade" a line                  run:  "qid Q0 docno rank score tag" a line
 *
 * Exactly trec_eval's rules, so that its figures and ours agree to the last printed digit:
 *  - a run is ordered by score (as a float), the rank column is ignored; equal scores: the docno that
 *    is greater as a string comes first;
 *  - a document that is not judged counts as not relevant (a second set of figures may leave the
 *    unjudged out: `judged_only`);
 *  - relevant means grade >= relevant_from (1); nDCG gains are the grade itself (linear), and beside
 *    it 2^grade-1; the discount is log2(rank+1); the ideal list is all judged documents of the query;
 *  - the mean is over the queries that have judgements: with `complete`, a query missing from the run
 *    counts 0 (trec_eval -c), else it is left out.
 * Papers: Jarvelin & Kekalainen 2002 (nDCG); Burges 2005 (2^g-1); Voorhees 1999 (MRR); Smucker, Allan,
 * Carterette 2007 (randomization test). Imports: engine.                                           */
#ifndef SEAM_PIPELINE_EVAL_H
#define SEAM_PIPELINE_EVAL_H

#include "engine/base/buf.h"
#include "engine/io/io.h"

enum { EVAL_NAME_MAX = 64, EVAL_GRADE_MAX = 30 };

/* ---- judgements ---- */
struct eval_qrels;
SEAM_MUST_USE enum seam_status eval_qrels_new(struct eval_qrels **out);
SEAM_MUST_USE enum seam_status eval_qrels_read(struct seam_io *io, const char *path,
                                               struct eval_qrels **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status
eval_qrels_add(struct eval_qrels *q, const char *qid, const char *docno, int grade,
               struct seam_fault *f); /* the same pair twice is SEAM_EXISTS */
/* From an open source (a shipped file in memory); `name` is what faults call it.                   */
struct seam_source;
SEAM_MUST_USE enum seam_status eval_qrels_from(struct seam_source *s, const char *name,
                                               struct eval_qrels **out, struct seam_fault *f);
void eval_qrels_free(struct eval_qrels *q);
size_t eval_qrels_queries(const struct eval_qrels *q);
int eval_qrels_grade(const struct eval_qrels *q, const char *qid,
                     const char *docno); /* -1 = not judged */
size_t eval_qrels_pairs(const struct eval_qrels *q);

/* ---- a run: one ranked list a query ---- */
struct eval_run;
SEAM_MUST_USE enum seam_status eval_run_new(const char *tag, struct eval_run **out);
SEAM_MUST_USE enum seam_status eval_run_read(struct seam_io *io, const char *path,
                                             struct eval_run **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status eval_run_add(struct eval_run *r, const char *qid, const char *docno,
                                            double score);
/* As eval_run_add for numeric ids and a list best first: scores that trec_eval's float would tie or turn
 * round are written so that its order is ours.                                                     */
SEAM_MUST_USE enum seam_status eval_run_add_ranked(struct eval_run *r, const char *qid,
                                                   const uint64_t *ids, size_t n);
void eval_run_to_text(struct eval_run *r, struct seam_buf *out); /* what trec_eval reads */
SEAM_MUST_USE enum seam_status eval_run_write(struct eval_run *r, struct seam_io *io,
                                              const char *path, struct seam_fault *f);
void eval_run_free(struct eval_run *r);

/* ---- measures ---- */
struct eval_options {
    size_t ndcg_k, mrr_k, p_k, recall_k; /* 0 = 10, 10, 5, 100 */
    int relevant_from;                   /* for MRR, P, recall, MAP; 0 = 1 */
    int gain_from; /* gain = max(0, grade - gain_from + 1); 0 = 1 (gain = grade) */
    bool complete;
    bool judged_only;
};
struct eval_scores {
    double ndcg, ndcg_exp, mrr, p, recall, map, judged;
}; /* judged: share of the top ndcg_k */
struct eval_query {
    char qid[EVAL_NAME_MAX];
    size_t relevant, retrieved;
    struct eval_scores s;
};
struct eval_result {
    struct eval_query *queries; /* in the order of the qrels */
    size_t count;
    struct eval_scores mean;
};
SEAM_MUST_USE enum seam_status eval_run(const struct eval_qrels *q, struct eval_run *r,
                                        const struct eval_options *o, struct eval_result *out);
void eval_result_free(struct eval_result *r);

/* ---- is the difference real? Two results over the same queries, in the same order. ---- */
struct eval_comparison {
    size_t wins, ties, losses; /* of b over a; a tie is a difference under 1e-9               */
    double mean_difference;    /* b - a                                                       */
    double p_randomization;    /* two-sided paired randomization (Fisher), `rounds` sign flips */
    double low, high;          /* 95 % bootstrap interval of the mean difference              */
};
void eval_compare(const double *a, const double *b, size_t n, size_t rounds, uint64_t seed,
                  struct eval_comparison *out);

#endif
