/* query - the parts of a search that the iterator and the range search share (query.c). */
#ifndef SEAM_HNSW_QUERY_H
#define SEAM_HNSW_QUERY_H

#include "hnsw/graph.h"

struct hnsw_selector { /* which nodes may be returned */
    const struct hnsw_filter *filter;
    seam_lsn_t moment;
};

bool hnsw_selector_takes(const struct hnsw_selector *sel, const struct hnsw_node *n);
SEAM_MUST_USE enum seam_status hnsw_query_check(const struct hnsw *h, const struct hnsw_query *q,
                                                struct hnsw_selector *sel, struct seam_fault *f);
SEAM_MUST_USE enum seam_status hnsw_query_candidates(const struct hnsw *h, struct hnsw_scratch *s,
                                                     const struct hnsw_query *q,
                                                     const struct hnsw_selector *sel, size_t ef,
                                                     struct hnsw_probe *p, size_t *found);
uint32_t hnsw_query_default_ef(const struct hnsw *h);

#endif
