/* feed - the stream as a sink sees it: row changes with their schemas, transaction by transaction.
 *
 * Joins the stream's reader (pipeline/stream/stream.h) with a registry of schemas. Events come in commit order; FEED_COMMIT
 * ends each transaction and is where a sink may publish.                                          */
#ifndef SEAM_PIPELINE_FEED_H
#define SEAM_PIPELINE_FEED_H

#include "pipeline/stream/registry.h"
#include "pipeline/sinks/sink.h"

struct feed;

enum feed_kind { FEED_CHANGE, FEED_OUTBOX, FEED_SCHEMA, FEED_COMMIT, FEED_HEARTBEAT };

struct feed_event {
    enum feed_kind kind;
    lsn_t lsn;         /* COMMIT: everything up to here has been given. HEARTBEAT: likewise, and nothing more
                        * had been committed at wall_us                                                    */
    int64_t wall_us;
    uint64_t offset;
    uint64_t skipped;  /* offsets just before it that nobody will ever see (an abandoned transaction) */
    bool snapshot;     /* of a transaction that names every row there is at lsn */
    union {
        struct sink_change change;
        struct sink_outbox outbox;
        const struct schema *schema;
    };
};

/* Events with an LSN above `after`. `registry` (may be shared with a sink; the caller keeps it open) is updated
 * by schema events. When the stream no longer holds what follows `after`, it begins with the newest snapshot (a
 * bootstrap has put one there), else ST_NOT_FOUND. `consumer`: the name under which the position is reported; NULL = anonymous.   */
MUST_USE enum status feed_open(const struct platform *p, const char *consumer, lsn_t after,
                               struct registry *registry, struct feed **out, struct fault *f);
/* ST_END: nothing more is there now. Bytes live until the next call.                              */
MUST_USE enum status feed_next(struct feed *feed, struct feed_event *e, struct fault *f);
enum status feed_wait(struct feed *feed, uint64_t timeout_ns); /* ST_OK or ST_TIMEOUT */
/* Tells the stream that everything up to lsn is durably applied (retention, lag).                  */
MUST_USE enum status feed_confirm(struct feed *feed, lsn_t lsn, struct fault *f);
lsn_t feed_source_lsn(struct feed *feed); /* the newest LSN in the stream, for progress */
void feed_close(struct feed *feed); /* accepts NULL */

#endif
