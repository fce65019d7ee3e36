/* stream_internal - what stream*.c share: the head of a record, and the page of consumers. */
#ifndef SEAM_PIPELINE_STREAM_INTERNAL_H
#define SEAM_PIPELINE_STREAM_INTERNAL_H

#include "pipeline/stream/stream.h"

enum { CHUNK_FIRST = 1, CHUNK_LAST = 2, CHUNK_SNAPSHOT = 4, CHUNK_REPAIR = 8, CHUNK_HEAD_MAX = 96 };

/* The fields before the events of a STREAM_CHUNK; of the others those they have. */
struct chunk_head {
    bool beat;    /* no chunk: a heartbeat ... */
    bool abandon; /* ... or the end of what was cut off */
    uint64_t offset, count;
    lsn_t lsn, previous;
    uint64_t txn, total, seq;
    int64_t wall_us;
    unsigned flags;
    size_t size; /* bytes of the head */
};
size_t chunk_head_put(uint8_t out[CHUNK_HEAD_MAX], const struct chunk_head *h);
MUST_USE enum status chunk_head_get(const struct wal_record *rec, const char *where,
                                    struct chunk_head *h, struct fault *f);

/* The first record for which (offset, lsn or time) is at or after `number`: by halves over the
 * bytes, no index. *at = where it begins, or the visible end. *head is of that record (ST_OK only);
 * ST_END: none. */
MUST_USE enum status stream_seek(struct wal_reader *r, const char *where, enum stream_from from,
                                 uint64_t number, lsn_t *at, struct chunk_head *head,
                                 struct fault *f);
/* The last record there is, by stepping back from the end. ST_END: the stream is empty. */
MUST_USE enum status stream_last(struct wal_reader *r, const char *where, struct chunk_head *head,
                                 struct fault *f);

MUST_USE enum status stream_snapshot_store(struct io *io, const char *dir,
                                           const struct stream_snapshot *s, struct fault *f);

/* What consumers need, for the writer's trim: the lowest position; those too far behind are
 * invalidated. */
MUST_USE enum status stream_consumers_floor(struct stream_consumers *c, lsn_t oldest, lsn_t end,
                                            uint64_t bound, struct trace *trace, lsn_t *floor,
                                            size_t *invalidated);

#endif
