/* query - the parts of a search that the iterator and the range search share (query.c). */
#ifndef SEAM_HNSW_QUERY_H
#define SEAM_HNSW_QUERY_H

#include "hnsw/graph.h"

struct selector {         /* which nodes may be returned */
    const struct hnsw_filter *filter;
    lsn_t moment;
};

bool selector_takes(const struct selector *sel, const struct node *n);
MUST_USE enum status query_check(const struct hnsw *h, const struct hnsw_query *q, struct selector *sel,
                                 struct fault *f);
MUST_USE enum status query_candidates(const struct hnsw *h, struct scratch *s, const struct hnsw_query *q,
                                      const struct selector *sel, size_t ef, struct probe *p,
                                      size_t *found);
uint32_t query_default_ef(const struct hnsw *h);

#endif
