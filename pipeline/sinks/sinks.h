/* sinks - the five sinks' tables of functions, and what they share. Private to pipeline/.            */
#ifndef SEAM_PIPELINE_SINKS_H
#define SEAM_PIPELINE_SINKS_H

#include "pipeline/sinks/sink.h"

/* How far back the search sinks answer AS OF.                                                      */
#define SINK_HISTORY_US ((int64_t)3600 * 1000000)

extern const struct sink_ops sink_warehouse, sink_gold, sink_view, sink_search, sink_vectors,
    sink_audit;

/* The row's one integer key column as a document key: the sign bit is flipped, so that unsigned order is the
 * ids' order. SEAM_UNSUPPORTED when the table's key is anything else.                               */
SEAM_MUST_USE enum seam_status sink_document_key(const struct sink_change *c, uint64_t *key,
                                                 struct seam_fault *f);
/* The key columns alone, decoded from the encoded key into their places in `values` (others null). Text is
 * unescaped into `text`, which must outlive the values.                                           */
SEAM_MUST_USE enum seam_status sink_key_values(const struct sink_change *c,
                                               struct seam_value *values, struct seam_buf *text,
                                               struct seam_fault *f);
/* Gives fn the encoded key of a document's row: what sink_ops.keys of the document stores does.      */
SEAM_MUST_USE enum seam_status sink_give_document(uint64_t key, sink_key_fn fn, void *ctx,
                                                  struct seam_fault *f);
static inline uint64_t document_key(int64_t id)
{
    return (uint64_t)id ^ (1ull << 63);
}
static inline int64_t document_id(uint64_t key)
{
    return (int64_t)(key ^ (1ull << 63));
}

#endif
