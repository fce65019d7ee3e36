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
MUST_USE enum status repair_event_put(struct oltp_txn *t, const char *store, const char *table,
                                      struct bytes key, const char *reads, struct fault *f);
/* Is this event such a request to `store`? Then *table (NAME_MAX_BYTES) and, into `key`, the group's key; *all: every group.
 * False also for one that is malformed: it asks for nothing that could be done.                    */
bool repair_event_get(const struct sink_outbox *e, const char *store, char *table, struct buf *key,
                      bool *all);

#endif
