/* change - one change of a row, and one event the shop wrote itself, as a consumer of the stream is given them. */
#ifndef SEAM_PIPELINE_STREAM_CHANGE_H
#define SEAM_PIPELINE_STREAM_CHANGE_H

#include "engine/base/lsn.h"
#include "engine/values/schema.h"
#include "wal/change.h"

/* One row change, with its table's schema as of the event. Bytes live during the call.            */
struct stream_change {
    seam_lsn_t lsn;    /* of the commit */
    uint64_t txn, seq; /* transaction, and position within it */
    int64_t wall_us;   /* of the commit */
    uint64_t offset;   /* in the stream */
    enum wal_change_op op;
    uint8_t flags; /* WAL_CHANGE_REPAIR */
    bool
        snapshot; /* of a bootstrap: the row as it is at lsn, whatever the store has; op is WAL_OP_INSERT */
    bool
        swept; /* ... or WAL_OP_DELETE: the store has a row that the snapshot did not name. No event of the
                             * stream: `before` is absent, and it has no offset of its own           */
    const struct seam_schema *schema;
    struct wal_bytes key, before, after; /* encoded; data NULL when absent */
};

struct stream_outbox { /* an event the shop wrote itself */
    seam_lsn_t lsn;
    uint64_t txn, seq;
    int64_t wall_us;
    uint64_t offset;
    struct wal_bytes topic, key, type, payload;
    struct wal_bytes logged; /* type and payload as the log holds them */
    /* Why type and payload cannot be read (they are empty then); NULL: they can. */
    const struct seam_fault *unreadable;
};

#endif
