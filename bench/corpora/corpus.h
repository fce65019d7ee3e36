/* corpus - documents with labelled queries, from the shipped catalogue and the shared collections.    */
#ifndef SEAM_BENCH_RELEVANCE_CORPUS_H
#define SEAM_BENCH_RELEVANCE_CORPUS_H

#include "engine/base/arena.h"
#include "pipeline/relevance/compare.h"

struct corpus_doc { uint64_t id; const char *title, *text, *brand, *sku, *context; };
struct corpus {
    const char *name;
    struct arena arena;
    struct corpus_doc *docs;
    size_t count, cap;
    struct compare_set set;    /* empty when there are no queries */
    struct eval_options eval;  /* how this collection is scored   */
    bool shop;                 /* the shipped one: brand and sku are fields */
};

/* The shipped catalogue (pipeline/shop).                                                             */
MUST_USE enum status corpus_shop(struct corpus *c, struct fault *f);
/* DIR/NAME of the shared data: product-search, cranfield, cisi, scifact.                            */
MUST_USE enum status corpus_shared(struct corpus *c, const char *dir, const char *name, struct fault *f);
void corpus_free(struct corpus *c);

/* Learns an embedder from the documents.                                                          */
MUST_USE enum status corpus_learn(const struct corpus *c, size_t dim, int threads, struct embedder **out,
                                  struct fault *f);
/* Word index, graph and model under `dir`, all at LSN 1, and a handle on them.                      */
MUST_USE enum status corpus_index(const struct corpus *c, const struct embedder *e, const char *dir,
                                  int threads, struct search **out, struct fault *f);

#endif
