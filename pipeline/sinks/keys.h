/* keys - a change's key as values, and as the number by which the word index and the graph know a row.
 *
 *   encoded key (engine/values/key.h) --sink_key_values--> values
 *                                     --sink_document_key--> u64: the one int64 key column, sign bit flipped, so that
 *                                                            unsigned order is the ids' order
 *   Imports: engine, pipeline/stream.                                                               */
#ifndef SEAM_PIPELINE_SINK_KEYS_H
#define SEAM_PIPELINE_SINK_KEYS_H

#include "pipeline/sinks/sink.h"

/* The row's one integer key column as a document key. SEAM_UNSUPPORTED when the table's key is anything else. */
SEAM_MUST_USE enum seam_status sink_document_key(const struct stream_change *c, uint64_t *key,
                                                 struct seam_fault *f);
/* The key columns alone, decoded from the encoded key into their places in `values` (others null). Text is
 * unescaped into `text`, which must outlive the values.                                           */
SEAM_MUST_USE enum seam_status sink_key_values(const struct stream_change *c,
                                               struct seam_value *values, struct seam_buf *text,
                                               struct seam_fault *f);
/* Gives fn the encoded key of a document's row: what sink_ops.keys of the document stores does.      */
SEAM_MUST_USE enum seam_status sink_give_document(uint64_t key, sink_key_fn fn, void *ctx,
                                                  struct seam_fault *f);
static inline uint64_t sink_key_of_id(int64_t id)
{
    return (uint64_t)id ^ (1ull << 63);
}
static inline int64_t sink_id_of_key(uint64_t key)
{
    return (int64_t)(key ^ (1ull << 63));
}

#endif
