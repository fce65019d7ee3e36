/* relay - tails the log to the durable LSN and appends whole committed transactions to the stream.
 *
 *   log --records--> relay --transactions--> stream
 *   slot "relay" holds the log back; it is advanced only behind what the stream has synced
 *
 * Where the relay stands is recovered from the stream's own tail: killed between any two
 * instructions it neither loses nor repeats an event. It sleeps on the log's futex: nothing polls.
 * A transaction is shipped only when its COMMIT has been seen; a large one (over BUFFER_BYTES) is
 * read twice instead of being held in memory.
 * Caught up and idle, it writes a heartbeat to the stream at most once in heartbeat_us (and at once
 * when the durable LSN moved on without a transaction), so that a stalled feed can be told from a
 * quiet shop.
 * Two relays: the stream's lock admits one; the slot's epoch fences off one that was stopped and
 * wakes again, before it writes anything.
 * Imports: engine, wal, pipeline/stream. A relay belongs to one thread. */
#ifndef SEAM_PIPELINE_RELAY_H
#define SEAM_PIPELINE_RELAY_H

#include <signal.h>

#include "pipeline/platform.h"
#include "pipeline/stream/stream.h"

struct relay;

/* platform_create (pipeline/platform.h) with an empty stream, so that a sink may start before the relay does. */
SEAM_MUST_USE enum seam_status relay_create_platform(struct seam_io *io, struct seam_clock *clock,
                                                     const char *dir, const char *shop, size_t n,
                                                     uint64_t seed, struct seam_fault *f);

struct relay_options { /* zero means the default in brackets */
    struct seam_trace *trace;
    uint64_t buffer_bytes; /* a transaction held in memory at most this large [128 KiB, at most] */
    uint64_t heartbeat_us; /* [1 s] */
    uint64_t sync_bytes;   /* sync the stream at least every so many bytes [64 MiB] */
    uint64_t sync_us;      /* ... and so often while something is unsynced [5 s] */
    uint64_t slot_bound_bytes;          /* log the slot may hold back before it is invalidated [the
                                * platform's log.relay_bound_bytes, else 4 GiB] */
    uint64_t retain_bytes, bound_bytes; /* of the stream; see stream.h [keep everything] */
    int64_t retain_us;
    uint64_t segment_bytes; /* of the stream [64 MiB] */
};

/* SEAM_CONFLICT: a relay is at work (its pid). SEAM_STALE: the log no longer reaches back to the stream's
 * end, because the slot was invalidated or dropped (the reason is in the fault): bootstrap
 * (pipeline/relay/bootstrap.h). */
SEAM_MUST_USE enum seam_status relay_open(const struct platform *p, const struct relay_options *o,
                                          struct relay **out, struct seam_fault *f);
/* Ships what is durable now; SEAM_END when there was nothing. For loops of one's own (labs,
 * tests). */
SEAM_MUST_USE enum seam_status relay_step(struct relay *r, struct seam_fault *f);

struct relay_run_options {
    bool until_caught_up; /* stop when everything durable at that moment is in the stream */
    const volatile sig_atomic_t *stop; /* set from a signal handler; may be NULL */
    const volatile sig_atomic_t
        *pause; /* while set: nothing is shipped, heartbeats stop; may be NULL */
};
SEAM_MUST_USE enum seam_status relay_run(struct relay *r, const struct relay_run_options *o,
                                         struct seam_fault *f);

struct relay_stats {
    uint64_t transactions, events, bytes, heartbeats, aborted, syncs;
    seam_lsn_t lsn;
};
void relay_stats(const struct relay *r, struct relay_stats *out);
/* Drops the stream (a damaged one, say), its consumers and the slot. The next relay begins a new stream
 * at the oldest log kept, which every sink that needs more is told (SEAM_NOT_FOUND); or a bootstrap begins
 * it with a snapshot. Either gives no offset that the old stream may have given (relay_reset.c). */
SEAM_MUST_USE enum seam_status relay_reset(const struct platform *p, struct seam_fault *f);
enum seam_status relay_close(struct relay *r,
                             struct seam_fault *f); /* accepts NULL; syncs the stream */

#endif
