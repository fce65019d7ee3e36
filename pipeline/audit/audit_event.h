/* audit_event - the store's tables and an event's bytes. Private to pipeline/audit/.                 */
#ifndef SEAM_PIPELINE_AUDIT_EVENT_H
#define SEAM_PIPELINE_AUDIT_EVENT_H

#include "pipeline/audit/audit.h"

/* Columns of `events`, in order. */
enum {
    EV_ORDER,
    EV_VERSION,
    EV_NUMBER,
    EV_LSN,
    EV_SEQ,
    EV_AT,
    EV_TYPE,
    EV_OP,
    EV_LINE,
    EV_KEY,
    EV_ROW,
    EV_ID,
    EV_ACTOR,
    EV_CAUSE,
    EV_CORRELATION,
    EV_HASH,
    EV_COLUMNS
};

struct audit_tables {
    uint32_t meta, events, heads, roots, by_number;
};
SEAM_MUST_USE enum seam_status audit_tables_open(struct oltp_txn *t, bool create,
                                                 struct audit_tables *out, struct seam_fault *f);

void audit_event_hash(const struct audit_event *e, const uint8_t before[AUDIT_HASH],
                      uint8_t out[AUDIT_HASH]);
void audit_event_values(const struct audit_event *e, struct seam_value out[EV_COLUMNS]);
/* Bytes point into the row. */
SEAM_MUST_USE enum seam_status audit_event_of_row(const struct seam_schema *s, struct wal_bytes row,
                                                  struct audit_event *out, struct seam_fault *f);
/* The events of one order (AUDIT_OWN_CHAIN too), oldest first; `schema` is that of events. SEAM_END from fn ends quietly. */
SEAM_MUST_USE enum seam_status
audit_events_of(struct oltp_txn *t, const struct audit_tables *tables, int64_t order,
                enum seam_status (*fn)(void *ctx, const struct audit_event *e), void *ctx,
                struct seam_fault *f);
/* What a Gap event's row says: varint from, restated. */
void audit_gap_put(struct seam_buf *out, seam_lsn_t from, uint64_t restated);
bool audit_gap_get(struct wal_bytes row, seam_lsn_t *from, uint64_t *restated);
/* Alike as values: a row written under an older schema equals the same row written under a newer one. */
bool audit_same_row(const struct seam_schema *s, struct wal_bytes a, struct wal_bytes b);
/* Root of a full segment's hashes, pairwise; the hashes are overwritten. */
void audit_merkle_root(uint8_t (*hashes)[AUDIT_HASH], uint8_t out[AUDIT_HASH]);
void audit_hash_pair(const uint8_t a[AUDIT_HASH], const uint8_t b[AUDIT_HASH],
                     uint8_t out[AUDIT_HASH]);

#endif
