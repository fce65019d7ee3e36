/* stream_internal - what stream*.c share: the head of a record, and the page of consumers. */
#ifndef SEAM_PIPELINE_STREAM_INTERNAL_H
#define SEAM_PIPELINE_STREAM_INTERNAL_H

#include "pipeline/stream/stream.h"

enum { CHUNK_FIRST = 1, CHUNK_LAST = 2, CHUNK_SNAPSHOT = 4, CHUNK_REPAIR = 8, CHUNK_HEAD_MAX = 96 };

/* The fields before the events of a STREAM_CHUNK; of the others those they have. */
struct stream_chunk_head {
    bool beat;    /* no chunk: a heartbeat ... */
    bool abandon; /* ... or the end of what was cut off */
    uint64_t offset, count;
    seam_lsn_t lsn, previous;
    uint64_t txn, total, seq;
    int64_t wall_us;
    unsigned flags;
    size_t size; /* bytes of the head */
};
size_t stream_chunk_head_put(uint8_t out[CHUNK_HEAD_MAX], const struct stream_chunk_head *h);
SEAM_MUST_USE enum seam_status stream_chunk_head_get(const struct wal_record *rec,
                                                     const char *where, struct stream_chunk_head *h,
                                                     struct seam_fault *f);

/* The first record for which (offset, lsn or time) is at or after `number`: by halves over the
 * bytes, no index. *at = where it begins, or the visible end. *head is of that record (SEAM_OK only);
 * SEAM_END: none. */
SEAM_MUST_USE enum seam_status stream_seek(struct wal_reader *r, const char *where,
                                           enum stream_from from, uint64_t number, seam_lsn_t *at,
                                           struct stream_chunk_head *head, struct seam_fault *f);
/* The last record there is, by stepping back from the end. SEAM_END: the stream is empty. */
SEAM_MUST_USE enum seam_status stream_last(struct wal_reader *r, const char *where,
                                           struct stream_chunk_head *head, struct seam_fault *f);

SEAM_MUST_USE enum seam_status stream_snapshot_store(struct seam_io *io, const char *dir,
                                                     const struct stream_snapshot *s,
                                                     struct seam_fault *f);

/* What consumers need, for the writer's trim: the lowest position; those too far behind are
 * invalidated. */
SEAM_MUST_USE enum seam_status stream_consumers_floor(struct stream_consumers *c, seam_lsn_t oldest,
                                                      seam_lsn_t end, uint64_t bound,
                                                      struct seam_trace *trace, seam_lsn_t *floor,
                                                      size_t *invalidated);

#endif
