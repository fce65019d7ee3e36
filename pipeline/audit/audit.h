/* audit - every order's events, kept for ever, hash-chained: its current state is a fold over them.
 *
 *   stream --changes of orders and their lines--> events of one order, version 1, 2, 3 ...
 *
 *     event n of an order:  hash(n) = SHA-256( hash(n-1) | the event's canonical bytes )
 *     every 1,024 events in global order: a Merkle tree over their hashes, its root kept
 *
 * An event's global place is the LSN of the business commit and its sequence in it, so at every LSN "order 42 by
 * replay" must equal "order 42 by time travel" in the row store: audit_prove checks it for every order. What the shop
 * says of an event (its id, actor, cause) comes with the transaction's outbox event of topic "order".
 *
 * A gap: when the stream goes on with a snapshot (pipeline/relay/bootstrap.h), what happened to the orders since the LSN the
 * audit stands at is not known and never will be. The audit's own chain (order AUDIT_OWN_CHAIN) then gets a Gap event with
 * both LSNs, and each row that the snapshot shows otherwise than its events fold to gets one Restated event: what it is
 * now, not what happened to it. Rows that are alike get nothing. audit_gaps lists them; audit_prove counts them.
 *
 * The store is a row store of its own, like the views' (pipeline/view/view.h): events, chain heads, Merkle roots and
 * the applied LSN are one transaction a batch. Events are only ever inserted.
 *
 *   events   order_id, version -> number (global, from 0), lsn, seq, at, type, op, line (0: the order itself), key, row,
 *            event_id, actor, causation, correlation, hash
 *   heads    order_id -> version, hash          roots   segment -> root of events [1024*segment, +1024)
 *
 * Canonical bytes: order_id, version, number, lsn, seq, at as zigzag varints; type, op, line; key, row, event_id,
 * actor, causation, correlation with their lengths. Papers: Merkle (CRYPTO '87); Fowler, Event Sourcing (2005); FIPS 180-4 (SHA-256).
 * Imports: engine, oltp. Handles belong to one thread.                                             */
#ifndef SEAM_PIPELINE_AUDIT_H
#define SEAM_PIPELINE_AUDIT_H

#include "oltp/oltp.h"
#include "pipeline/platform.h"
#include "pipeline/sinks/sink.h"

enum { AUDIT_SEGMENT = 1024, AUDIT_HASH = 32, AUDIT_PATH_MAX = 10, AUDIT_ID_MAX = 64 };

enum audit_type { /* on disk; never renumber */
                  AUDIT_ORDER_PLACED = 1,
                  AUDIT_ORDER_CHANGED = 2,
                  AUDIT_SHIPPED = 3,
                  AUDIT_CANCELLED = 4,
                  AUDIT_PAID = 5,
                  AUDIT_REFUNDED = 6,
                  AUDIT_ORDER_DELETED = 7,
                  AUDIT_LINE_ADDED = 8,
                  AUDIT_LINE_CHANGED = 9,
                  AUDIT_LINE_REMOVED = 10,
                  AUDIT_RESTATED = 11,
                  AUDIT_GAP = 12,
                  AUDIT_TYPE_COUNT
};
const char *audit_type_name(enum audit_type t); /* "OrderPlaced", ... */
/* The order under which the audit's own events are chained. */
#define AUDIT_OWN_CHAIN INT64_MIN

struct audit_event {
    int64_t order;
    uint64_t version, number;
    seam_lsn_t lsn;
    uint64_t seq;
    int64_t at_us;
    enum audit_type type;
    enum wal_change_op op;
    bool line;
    struct wal_bytes key, row; /* encoded, of the source's table; the row before for removals */
    struct wal_bytes event_id, actor, causation, correlation;
    uint8_t hash[AUDIT_HASH];
};

/* ---- writing: the audit sink ---- */
struct audit_store;
SEAM_MUST_USE enum seam_status audit_store_open(struct seam_io *io, struct seam_clock *clock,
                                                const char *dir, const char *orders,
                                                const char *lines, struct seam_trace *trace,
                                                struct audit_store **out, struct seam_fault *f);
void audit_store_close(struct audit_store *s);
SEAM_MUST_USE enum seam_status
audit_store_change(struct audit_store *s, const struct stream_change *c, struct seam_fault *f);
SEAM_MUST_USE enum seam_status
audit_store_outbox(struct audit_store *s, const struct stream_outbox *e, struct seam_fault *f);
SEAM_MUST_USE enum seam_status audit_store_publish(struct audit_store *s, seam_lsn_t lsn,
                                                   int64_t wall_us, struct seam_fault *f);
seam_lsn_t audit_store_applied(const struct audit_store *s);
/* See sink_ops.gap and sink_ops.keys. */
SEAM_MUST_USE enum seam_status audit_store_gap(struct audit_store *s, seam_lsn_t from,
                                               seam_lsn_t to, int64_t wall_us,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status audit_store_keys(struct audit_store *s,
                                                const struct seam_schema *schema, sink_key_fn fn,
                                                void *ctx, struct seam_fault *f);

/* ---- reading ---- */
struct audit_reader;
SEAM_MUST_USE enum seam_status audit_reader_open(struct seam_io *io, const char *dir,
                                                 struct audit_reader **out, struct seam_fault *f);
void audit_reader_close(struct audit_reader *r);
struct audit_info {
    seam_lsn_t lsn;
    int64_t wall_us;
    uint64_t events, orders, segments;
};
void audit_reader_info(struct audit_reader *r, struct audit_info *out);
/* An order's events, oldest first, as long as fn returns SEAM_OK (SEAM_END ends quietly). Bytes live for the call. */
typedef enum seam_status (*audit_event_fn)(void *ctx, const struct audit_event *e);
SEAM_MUST_USE enum seam_status audit_events(struct audit_reader *r, int64_t order,
                                            audit_event_fn fn, void *ctx, struct seam_fault *f);

/* What the audit cannot know: the gaps in it, oldest first. At most `max` are given; returns how many there are in *count. */
struct audit_gap {
    seam_lsn_t from, to;
    int64_t at_us;
    uint64_t restated;
};
SEAM_MUST_USE enum seam_status audit_gaps(struct audit_reader *r, struct audit_gap *out, size_t max,
                                          size_t *count, struct seam_fault *f);

/* Walks every event: each order's chain, the versions without gaps, the heads, the Merkle roots. SEAM_CORRUPT names the
 * first event that is not what was written. *checked: events.                                        */
SEAM_MUST_USE enum seam_status audit_verify(struct audit_reader *r, uint64_t *checked,
                                            struct seam_fault *f);

/* Folds every order's events and compares with the row store AS OF the audit's LSN, with `threads` threads (< 1: processors).
 * SEAM_DRIFT: `difference` says where they part first. gaps, restated: how often, and for how many rows, the events do not
 * tell how the state came about (audit_gaps says when).                                             */
struct audit_proof {
    uint64_t orders, lines, events, different, gaps, restated;
    seam_lsn_t lsn;
    uint64_t elapsed_ns;
};
SEAM_MUST_USE enum seam_status audit_prove(const struct platform *p, const char *dir, int threads,
                                           struct audit_proof *out, struct seam_buf *difference,
                                           struct seam_fault *f);

/* An inclusion proof: the event's hash, the sibling hashes up to its segment's root, and that root. SEAM_NOT_FOUND: no such
 * event, or its segment is not closed yet.                                                          */
struct audit_path {
    uint64_t number, segment;
    uint8_t leaf[AUDIT_HASH], sibling[AUDIT_PATH_MAX][AUDIT_HASH], root[AUDIT_HASH];
};
SEAM_MUST_USE enum seam_status audit_inclusion(struct audit_reader *r, uint64_t number,
                                               struct audit_path *out, struct seam_fault *f);
bool audit_path_holds(const struct audit_path *p); /* recomputes the root from the leaf */

/* ---- read models: pure folds by name, as JSON lines in a fixed order, so that replaying gives the same bytes ----
 *   orders      one line an order: its row and its lines                (state)
 *   timeline    one line an event: order, version, LSN, time, type, actor
 *   customers   one line a customer: orders, lines, units, value of what was not cancelled
 * Only events up to `as_of` (SEAM_LSN_MAX: all) are folded. `schemas`: those of the source's two tables. SEAM_NOT_FOUND: no such
 * model.                                                                                            */
struct audit_schemas {
    const struct seam_schema *orders, *lines;
};
SEAM_MUST_USE enum seam_status audit_project(struct audit_reader *r, const char *model,
                                             struct audit_schemas schemas, seam_lsn_t as_of,
                                             void (*write)(void *ctx, const char *s, size_t n),
                                             void *ctx, struct seam_fault *f);

/* ---- folding ---- */
/* An order's state: its row and its lines by key. Zero-initialise; a pure function of the events given. */
struct audit_state {
    struct seam_buf order;
    bool exists;
    struct audit_line *lines;
    size_t count, cap;
};
SEAM_MUST_USE enum seam_status audit_apply(struct audit_state *s, const struct audit_event *e);
void audit_state_clear(struct audit_state *s);
void audit_state_free(struct audit_state *s);
struct audit_line {
    struct seam_buf key, row;
};
struct audit_line *audit_state_line(const struct audit_state *s,
                                    struct wal_bytes key); /* NULL: it has none */

#endif
