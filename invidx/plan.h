/* plan - a query made ready for one state: terms looked up in every segment, live frequencies, weights.
 * Private to the room. Everything lives in the query's run arena until its next use.                   */
#ifndef SEAM_INVIDX_PLAN_H
#define SEAM_INVIDX_PLAN_H

#include "invidx/query.h"
#include "invidx/score.h"

enum { PLAN_TERMS_MAX = 4096 }; /* terms of one query, after expansion */

struct invidx_leaf_term {
    const char *text;
    uint32_t len, pos;
    uint64_t df;            /* live, over all segments           */
    struct invidx_term *in; /* one a segment; df 0 = not there    */
};

/* What is scored as one: a term, a group of terms that count as one, or a phrase.                      */
struct invidx_leaf {
    uint32_t number; /* among the plan's leaves            */
    bool phrase;
    uint32_t slop;
    uint32_t count;
    struct invidx_leaf_term *terms;
    uint32_t weights[INVIDX_FIELDS_MAX]; /* by field; 0 = outside the scope */
    bool scoped;                         /* some field is outside              */
    double boost, idf, weight;
    uint64_t df;
    struct invidx_bm25 model;
};

enum invidx_plan_kind { PLAN_NONE, PLAN_ALL, PLAN_LEAF, PLAN_BOOL, PLAN_RANGE, PLAN_KEYWORD };

struct invidx_plan_node {
    enum invidx_plan_kind kind;
    enum invidx_occur occur; /* in its parent */
    struct invidx_leaf *leaf;
    uint32_t min_should, child_count;
    struct invidx_plan_node **children;
    uint32_t attr;
    int64_t lo, hi;
    const char *text;
    uint32_t len;
    uint32_t code; /* KEYWORD: in the segment under way, 0 = no document has it */
};

struct invidx_plan {
    struct invidx_query *q;
    struct invidx_reader *r;
    struct invidx_plan_node *root;
    struct invidx_leaf *leaves[INVIDX_QUERY_NODES_MAX * 4];
    uint32_t leaf_count, term_count;
    double k1, b, average_length;
    int scale;            /* S */
    bool default_weights; /* the impacts hold */
    struct invidx_postings *scratch;
};

/* Resets the query's run arena and builds the plan in it.                                             */
SEAM_MUST_USE enum seam_status invidx_plan_make(struct invidx_query *q,
                                                const struct invidx_request *req,
                                                struct invidx_plan **out, struct seam_fault *f);
double invidx_plan_score(const struct invidx_plan *p, int64_t sum);

/* expand.c */
struct invidx_expansion {
    const char *text;
    uint32_t len, edits;
    uint64_t df;
};
/* What words are looked for. surface: the words themselves; else the terms they became.              */
struct invidx_pattern {
    const char *text;
    size_t n;
    uint32_t edits; /* fuzzy only: 1 or 2 */
    bool surface;
};

/* The words that begin with, or are within edits of, the text: by edits, then most frequent. df is of live
 * documents. *out lives in the run arena.                                                              */
SEAM_MUST_USE enum seam_status invidx_expand_prefix(struct invidx_query *q,
                                                    const struct invidx_pattern *p,
                                                    struct invidx_expansion **out, size_t *count,
                                                    struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_expand_fuzzy(struct invidx_query *q,
                                                   const struct invidx_pattern *p,
                                                   struct invidx_expansion **out, size_t *count,
                                                   struct seam_fault *f);

#endif
