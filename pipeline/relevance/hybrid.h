/* hybrid - one list out of two: words (BM25) and meaning (vectors).
 *
 *   words   : id score  --rank, normalise--\
 *                                           > one score a product --> sorted, paged, explained
 *   meaning : id score  --rank, normalise--/
 *
 * Knows nothing of indexes: it takes two ranked lists (best first, each id at most once is not
 * required: a repeated id keeps its best place). Two fusions:
 *   HYBRID_RRF     sum over sides of w / (rrf_k + rank), rank from 1            (Cormack 2009)
 *   HYBRID_CONVEX  sum over sides of w * normalise(score)                        (Bruch 2023)
 * where the words' w is 1 - weight and the meaning's w is weight. Ties: the lower id is better.
 * Papers: Cormack, Clarke, Buttcher 2009; Bruch, Gai, Ingber 2023; Fox & Shaw 1994. Imports: engine. */
#ifndef SEAM_PIPELINE_HYBRID_H
#define SEAM_PIPELINE_HYBRID_H

#include "engine/base/buf.h"
#include "engine/base/status.h"
#include "engine/text/json.h"

enum hybrid_side_name { SIDE_WORDS = 0, SIDE_MEANING = 1, SIDE_COUNT = 2 };
enum hybrid_method { HYBRID_RRF = 0, HYBRID_CONVEX = 1 };
enum hybrid_norm {
    HYBRID_NORM_NONE = 0, /* the score itself                                                     */
    HYBRID_NORM_MAX = 1,  /* score / best score of the list                                       */
    HYBRID_NORM_MINMAX =
        2, /* (score - worst) / (best - worst) of the list                         */
    HYBRID_NORM_TMM =
        3, /* (score - floor) / (best - floor), floor = the least the scorer can give */
    HYBRID_NORM_ZSCORE =
        4 /* (score - mean) / deviation of the list                               */
};

struct hybrid_item {
    uint64_t id;
    double score;
};
struct hybrid_list {
    const struct hybrid_item *items;
    size_t count;
};

/* What can be known of a query before it is answered.                                            */
struct hybrid_query_features {
    uint32_t tokens; /* words                                                                */
    uint32_t
        digit_tokens;     /* words with a digit in them ("12v", "2.5kg", "BX-2201")               */
    uint32_t code_tokens; /* words that look like product codes: letters and digits, 5 or more    */
    uint32_t unknown;     /* words no document has: typing errors, or words of another world      */
    uint32_t chars;
    double rarest_idf; /* of the rarest known word; 0 when nothing is known of the words        */
    double ceiling;    /* the most the words' side could score for this query; 0 = not known     */
    double coverage;   /* its best score / ceiling: how much of what was asked one document has  */
};
/* What the word index knows of one word of the query.                                              */
struct hybrid_query_term {
    uint64_t df;
    double idf, most;
    bool digits;
}; /* most: of its score */
/* terms may be NULL (0): then only the text is looked at. coverage is filled in after the search.  */
void embed_query_features_of(const char *query, size_t size, const struct hybrid_query_term *terms,
                             size_t term_count, struct hybrid_query_features *out);

/* The meaning's weight by what the query looks like; the first kind that fits decides.            */
enum hybrid_query_kind {
    QUERY_CODE,  /* has a product code                                                            */
    QUERY_VAGUE, /* no document has much of what was asked (coverage): a paraphrase, or misspelt  */
    QUERY_LONG,  /* five words or more, and some document has many of them                        */
    QUERY_DIGITS, /* sizes, volts, fittings                                                        */
    QUERY_SHORT, /* one or two words                                                              */
    QUERY_PLAIN,
    QUERY_KINDS
};
enum hybrid_query_kind embed_query_kind_of(const struct hybrid_query_features *q);
const char *embed_query_kind_name(enum hybrid_query_kind k);

struct hybrid_options {
    enum hybrid_method method;
    enum hybrid_norm norm; /* of the words' scores                                         */
    enum hybrid_norm
        norm_meaning; /* of the meaning's (cosines)                                   */
    double weight;    /* of the meaning, 0..1, when by_kind is off                    */
    bool by_kind;
    double kind_weight[QUERY_KINDS];
    double rrf_k;             /* 60                                                           */
    double floor[SIDE_COUNT]; /* for HYBRID_NORM_TMM: 0 for BM25, -1 for a cosine             */
    size_t depth;             /* candidates read of each list                                 */
    /* Selective feedback: when the words' best document covers the query, what is meant is better told by
     * the first answers than by the query's few words; the meaning is then measured from their mean.  */
    uint32_t feedback_docs;   /* of how many first answers, those that cover it; 0 = off        */
    double feedback_coverage; /* least coverage                                               */
    double feedback_weight;   /* of the meaning, in the fusion that chooses them               */
};
/* The pinned defaults: chosen on the development half of the shipped queries (docs/measured/relevance.md).  */
struct hybrid_options hybrid_defaults(void);
/* Their version, for the contract and the footer of an answer.                                    */
const char *hybrid_defaults_version(void);

struct hybrid_hit {
    uint64_t id;
    double score;
    uint32_t rank[SIDE_COUNT];  /* from 1; 0 = that side did not find it                        */
    double raw[SIDE_COUNT];     /* its score there                                              */
    double part[SIDE_COUNT];    /* what the fusion made of it; score = part[0] + part[1]        */
    bool completed[SIDE_COUNT]; /* not among that side's candidates, scored exactly afterwards  */
};

/* The hits with new scores of the meaning (scores[i] belongs to hits[i]) as a list to fuse again, best first;
 * out has room for n.                                                                              */
void hybrid_rescored(const struct hybrid_hit *hits, const double *scores, size_t n,
                     struct hybrid_item *out);

/* Score of a document that one side found and the other did not reach; false = it has none.       */
typedef bool hybrid_score_fn(void *ctx, enum hybrid_side_name side, uint64_t id, double *score);

/* What the two sides found. */
struct hybrid_sides {
    struct hybrid_list words, meaning;
    hybrid_score_fn
        *complete; /* NULL: a missing side contributes nothing (RRF) or its list's least normalised
                                * score, floored at 0 (convex) */
    void *ctx;     /* of complete */
};

/* Every fused hit, best first: *out (malloc'ed, free with free()), *count. `weight` < 0 means the
 * options' own. SEAM_NOMEM, SEAM_INVALID (weights outside 0..1).                                       */
SEAM_MUST_USE enum seam_status hybrid_fuse(const struct hybrid_options *o, double weight,
                                           const struct hybrid_sides *sides,
                                           struct hybrid_hit **out, size_t *count,
                                           struct seam_fault *f);

/* One line for a person: "0.812 = words 0.500 (rank 2, 11.31) + meaning 0.312 (rank 9, 0.64)".     */
void hybrid_explain(const struct hybrid_hit *h, struct seam_buf *out);
void hybrid_explain_json(const struct hybrid_hit *h, struct seam_json_writer *w);
bool hybrid_method_parse(const char *name, enum hybrid_method *out); /* "rrf", "convex" */
bool hybrid_norm_parse(const char *name,
                       enum hybrid_norm *out); /* "none", "max", "minmax", "tmm", "zscore" */
const char *hybrid_method_name(enum hybrid_method m);
const char *hybrid_norm_name(enum hybrid_norm n);

#endif
