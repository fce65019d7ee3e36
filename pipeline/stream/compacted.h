/* compacted - the newest row of each key, folded from the retained stream: what a new sink starts
 * from.
 *
 * Two readings and no copy of the rows: the first remembers, for a 128-bit hash of each (table,
 * key), the offset of its newest change; the second gives out exactly those events, in stream
 * order, leaving out deletions. Memory: 32 bytes a slot of a half-full table, at most `memory`
 * (SEAM_LIMIT beyond). Two keys with one hash would need 2^64 keys.
 * A snapshot in the stream (stream.h) makes everything before it void: a row it does not name is gone.
 * Afterwards the sink reads on from `next_offset`: no gap and no overlap. */
#ifndef SEAM_PIPELINE_COMPACTED_H
#define SEAM_PIPELINE_COMPACTED_H

#include "pipeline/stream/stream.h"

struct stream_compacted {
    uint64_t events, rows; /* read, given out */
    seam_lsn_t lsn;        /* the view is as of this commit */
    uint64_t next_offset;
};

/* All transactions with lsn <= upto (SEAM_LSN_MAX: all there are now). Events are given with `snapshot`
 * set. SEAM_NOT_FOUND: the stream no longer reaches back to its beginning and holds no snapshot
 * (bootstrap.h). Any status of fn but
 * SEAM_OK ends it and is returned. */
SEAM_MUST_USE enum seam_status stream_compacted(
    struct seam_io *io, const char *dir, seam_lsn_t upto, size_t memory,
    enum seam_status (*fn)(void *ctx, const struct stream_event *e, struct seam_fault *f),
    void *ctx, struct stream_compacted *out, struct seam_fault *f);

#endif
