/* search - one question, two indexes, one moment.
 *
 *                    /-- invidx: BM25 over the words ------- top `depth` --\
 *   text, filter --<                                                        > hybrid_fuse -> page of hits
 *                    \-- embed_query -> hnsw: nearest ------ top `depth` --/
 *
 * Both sides are read at the same LSN: the older of what the two have applied (or the LSN asked for), and
 * the side that is ahead answers AS OF it. So a product deleted between the two never shows through the
 * slower one. A filter is one expression in invidx's language (`category:Garden price:<200000`); the keys
 * that match it at that LSN limit both sides.
 *
 * Keys are the indexes' keys. Opens folders, not a platform, so that benches and tests can use it on any
 * pair of indexes. One handle belongs to one thread. Imports: engine, invidx, hnsw, pipeline/embed, hybrid. */
#ifndef SEAM_PIPELINE_SEARCH_H
#define SEAM_PIPELINE_SEARCH_H

#include "engine/base/lsn.h"
#include "engine/base/trace.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "pipeline/relevance/embed.h"
#include "pipeline/relevance/hybrid.h"

enum search_mode { SEARCH_BM25 = 0, SEARCH_VECTOR = 1, SEARCH_HYBRID = 2 };
bool search_mode_parse(const char *name, enum search_mode *out); /* "bm25", "vector", "hybrid" */
const char *search_mode_name(enum search_mode m);

enum { SEARCH_TEXT_MAX = 4096, SEARCH_PAGE_MAX = 10000 };

/* Where the parts are. graph_dir and model_path may be NULL: then only BM25 can be asked.         */
struct search_paths {
    const char *words_dir;  /* invidx */
    const char *graph_dir;  /* hnsw   */
    const char *model_path; /* embedder of the graph's vectors */
};

struct search;

/* as_of: SEAM_LSN_MAX = the newest moment both sides have. SEAM_NOT_FOUND: that LSN is not (or no longer) readable
 * in one of them; the fault says in which. SEAM_CONFLICT: the graph's dimension is not the embedder's.        */
SEAM_MUST_USE enum seam_status search_open(struct seam_io *io, const struct search_paths *paths,
                                           seam_lsn_t as_of, struct search **out,
                                           struct seam_fault *f);
void search_close(struct search *s); /* accepts NULL */
/* A handle on the newest moment moves to the present one. *changed may be NULL.                   */
SEAM_MUST_USE enum seam_status search_refresh(struct search *s, bool *changed,
                                              struct seam_fault *f);

struct search_position {
    seam_lsn_t lsn; /* what an answer is as of                                             */
    seam_lsn_t words_lsn,
        graph_lsn;        /* what each side has applied                                      */
    int64_t wall_us;      /* when the older side published it                                    */
    uint64_t documents;   /* live, in the word index                                             */
    const char *embedder; /* version; "" without a graph. Valid while the handle is open         */
};
void search_position(const struct search *s, struct search_position *out);

struct search_request {
    enum search_mode mode;
    const char *text;
    size_t size;
    const char *filter; /* NULL or "" = none */
    size_t k, offset;   /* page; k 0 = 10. Hybrid pages are cut from one list while offset + k is
                                       * within its depth; further pages deepen it (a hit may then move)   */
    const struct hybrid_options *hybrid; /* NULL = hybrid_defaults() */
    double weight;       /* of the meaning, 0..1; < 0 = by the options (and the query's kind) */
    const float *vector; /* a query vector computed elsewhere; NULL = the embedder's  */
    uint32_t ef;         /* 0 = the pinned one, at least `depth`                      */
    struct seam_trace *trace;
};

struct search_result {
    struct hybrid_hit
        *hits; /* in: caller's memory of k entries. A one-sided answer fills that side only */
    size_t count;
    size_t candidates; /* fused, before paging: pages end here */
    seam_lsn_t lsn;
    struct hybrid_query_features features;
    enum hybrid_query_kind kind;
    double weight; /* of the meaning, as used */
    bool feedback; /* the meaning was measured from the first answers (hybrid.h)         */
    bool
        words_only; /* hybrid was asked, but nothing of the text has a meaning (a code): BM25 answered */
    double words_us, meaning_us, fuse_us;
    struct hnsw_stats graph;
    struct invidx_work words;
};

/* SEAM_INVALID: the filter does not parse (fault.at = column); SEAM_UNSUPPORTED: no graph for this mode. */
SEAM_MUST_USE enum seam_status search_query(struct search *s, const struct search_request *r,
                                            struct search_result *out, struct seam_fault *f);
/* For comparing fusions on one pool: every candidate that search_query would fuse, with both ranks and raw
 * scores, missing cosines filled in (completed), in no order; hits has room for k >= 2 * depth. feedback[i] is
 * the cosine that feedback would give hits[i], whatever the coverage (the raw one without feedback).   */
SEAM_MUST_USE enum seam_status search_candidates(struct search *s, const struct search_request *r,
                                                 struct search_result *out, double *feedback,
                                                 struct seam_fault *f);

#endif
