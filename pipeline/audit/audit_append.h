/* audit_append - what happened to an order, written as one transaction: the order and its lines change, its version rises by
 * one, and an outbox event tells the audit who did it and why. No dual write.
 *
 * expected_version is optimistic concurrency on orders.version (0: not placed yet; -1: whatever it is). A used event id changes
 * nothing, whatever version was expected. Threads: as the row store's writers; each call is one write transaction. */
#ifndef SEAM_PIPELINE_AUDIT_APPEND_H
#define SEAM_PIPELINE_AUDIT_APPEND_H

#include "engine/base/clock.h"
#include "oltp/oltp.h"

struct audit_append {
    int64_t order;
    const char *type;                            /* OrderPlaced, LineAdded, ... */
    const char *event_id;                        /* needed */
    const char *actor, *causation, *correlation; /* NULL = not said */
    const char *data; /* JSON: columns of the order, or of the line; NULL = none */
    int64_t expected_version;
};
struct audit_appended {
    bool known;
    int64_t order, version;
    seam_lsn_t lsn;
};

/* SEAM_CONFLICT: the order is at another version. SEAM_NOT_FOUND: not placed. SEAM_EXISTS: placed already, or the line is there.
 * SEAM_INVALID: no such event type, no id, data that fit no column.                                   */
SEAM_MUST_USE enum seam_status audit_append(struct oltp *db, struct seam_clock *clock,
                                            const struct audit_append *e,
                                            struct audit_appended *out, struct seam_fault *f);

#endif
