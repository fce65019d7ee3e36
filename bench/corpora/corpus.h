/* corpus - documents with labelled queries, from the shipped catalogue and the shared collections.    */
#ifndef SEAM_BENCH_RELEVANCE_CORPUS_H
#define SEAM_BENCH_RELEVANCE_CORPUS_H

#include "engine/base/arena.h"
#include "pipeline/relevance/compare.h"

struct corpus_doc {
    uint64_t id;
    const char *title, *text, *brand, *sku, *context;
};
struct corpus {
    const char *name;
    struct seam_arena arena;
    struct corpus_doc *docs;
    size_t count, cap;
    struct compare_set set;   /* empty when there are no queries */
    struct eval_options eval; /* how this collection is scored   */
    bool shop;                /* the shipped one: brand and sku are fields */
};

/* The shipped catalogue (pipeline/shop).                                                             */
SEAM_MUST_USE enum seam_status corpus_shop(struct corpus *c, struct seam_fault *f);
/* DIR/NAME of the shared data: product-search, cranfield, cisi, scifact.                            */
SEAM_MUST_USE enum seam_status corpus_shared(struct corpus *c, const char *dir, const char *name,
                                             struct seam_fault *f);
void corpus_free(struct corpus *c);

/* Learns an embedder from the documents.                                                          */
SEAM_MUST_USE enum seam_status corpus_learn(const struct corpus *c, size_t dim, int threads,
                                            struct embedder **out, struct seam_fault *f);
/* Word index, graph and model under `dir`, all at LSN 1, and a handle on them.                      */
SEAM_MUST_USE enum seam_status corpus_index(const struct corpus *c, const struct embedder *e,
                                            const char *dir, int threads, struct search **out,
                                            struct seam_fault *f);

#endif
