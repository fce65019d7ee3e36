/* repair_event - "recompute this", said in the log, so that a store's sink does it at that LSN and publishes it as all else.
 *
 * An outbox event:  topic "seam.repair", key "STORE/TABLE", type "recompute",
 *                   payload {"key":"<the group's encoded key in hex>","reads":"Kitchen"}, or {} for every group
 *
 * Row stores need none: their rows are emitted again (reconcile_emit). What is computed has no row to emit. The view's sink
 * recomputes the groups from its mirrors; gold's recomputes on any commit and writes the rows that differ; others ignore it.
 * Imports: engine, oltp.                                                                            */
#ifndef SEAM_PIPELINE_REPAIR_EVENT_H
#define SEAM_PIPELINE_REPAIR_EVENT_H

#include "oltp/oltp.h"
#include "pipeline/sinks/sink.h"

/* In a write transaction. key.data NULL: every group. `reads` (may be NULL): the key for people. */
SEAM_MUST_USE enum seam_status sink_repair_event_put(struct oltp_txn *t, const char *store,
                                                     const char *table, struct wal_bytes key,
                                                     const char *reads, struct seam_fault *f);
/* Is this event such a request to `store`? Then *table (SEAM_NAME_MAX_BYTES) and, into `key`, the group's key; *all: every group.
 * False also for one that is malformed: it asks for nothing that could be done.                    */
bool sink_repair_event_get(const struct stream_outbox *e, const char *store, char *table,
                           struct seam_buf *key, bool *all);

#endif
