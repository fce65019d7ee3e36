/* feed - the stream as a sink sees it: row changes with their schemas, transaction by transaction.
 *
 * Joins the stream's reader (pipeline/stream/stream.h) with a registry of schemas. Events come in commit order; FEED_COMMIT
 * ends each transaction and is where a sink may publish.                                          */
#ifndef SEAM_PIPELINE_FEED_H
#define SEAM_PIPELINE_FEED_H

#include "pipeline/platform.h"
#include "pipeline/stream/change.h"
#include "pipeline/stream/registry.h"

struct stream_feed;

enum stream_feed_kind { FEED_CHANGE, FEED_OUTBOX, FEED_SCHEMA, FEED_COMMIT, FEED_HEARTBEAT };

struct stream_feed_event {
    enum stream_feed_kind kind;
    seam_lsn_t
        lsn; /* COMMIT: everything up to here has been given. HEARTBEAT: likewise, and nothing more
                        * had been committed at wall_us                                                    */
    int64_t wall_us;
    uint64_t offset;
    uint64_t
        skipped;   /* offsets just before it that nobody will ever see (an abandoned transaction) */
    bool snapshot; /* of a transaction that names every row there is at lsn */
    union {
        struct stream_change change;
        struct stream_outbox outbox;
        const struct seam_schema *schema;
    };
};

/* Events with an LSN above `after`. `registry` (may be shared with a sink; the caller keeps it open) is updated
 * by schema events. When the stream no longer holds what follows `after`, it begins with the newest snapshot (a
 * bootstrap has put one there), else SEAM_NOT_FOUND. `consumer`: the name under which the position is reported; NULL = anonymous.   */
SEAM_MUST_USE enum seam_status stream_feed_open(const struct platform *p, const char *consumer,
                                                seam_lsn_t after, struct stream_registry *registry,
                                                struct stream_feed **out, struct seam_fault *f);
/* SEAM_END: nothing more is there now. Bytes live until the next call.                              */
SEAM_MUST_USE enum seam_status stream_feed_next(struct stream_feed *feed,
                                                struct stream_feed_event *e, struct seam_fault *f);
enum seam_status stream_feed_wait(struct stream_feed *feed,
                                  uint64_t timeout_ns); /* SEAM_OK or SEAM_TIMEOUT */
/* Tells the stream that everything up to lsn is durably applied (retention, lag).                  */
SEAM_MUST_USE enum seam_status stream_feed_confirm(struct stream_feed *feed, seam_lsn_t lsn,
                                                   struct seam_fault *f);
seam_lsn_t
stream_feed_source_lsn(struct stream_feed *feed); /* the newest LSN in the stream, for progress */
void stream_feed_close(struct stream_feed *feed); /* accepts NULL */

#endif
