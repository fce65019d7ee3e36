/* bootstrap - a snapshot of the row store put into the stream, for whoever's history is gone.
 *
 *   log     ......gone......|--------- held by the slot ---------->
 *   row store                       ^ read as of S, writers go on
 *   stream  ...| L |  [ shapes of the tables | every row, op r ]  | S | what follows in the log ...
 *                     one transaction at LSN S, flagged snapshot
 *
 * Two things send a reader here: the relay's slot was invalidated and the log after the stream's end L
 * was recycled; or a consumer was away for so long that retention took the events it needs. The stream
 * is continued, never begun anew: what it still holds, its offsets and its consumers stay.
 *
 *  1. The slot is claimed at the log's durable end, so that nothing after S can go away.
 *  2. The row store is opened for reading: the newest commit is S.
 *  3. When the log does reach back to L, the relay first ships everything up to S: then nothing is
 *     missing (previous = S), and stores that stand at S pass over the snapshot.
 *  4. Every table's shape and every row, as one transaction at S. Sinks upsert the rows, delete what the
 *     snapshot did not name (pipeline/sinks/sweep.h), and publish S: all in one publication.
 *  5. Synced; DIR/stream/snapshot points at it; the slot moves on to S.
 *
 * Killed at any instant: the cut-off snapshot is abandoned by whoever opens the stream next, readers
 * never see a part of it (pipeline/stream/stream.h), and the bootstrap is run again.
 * Papers: Chandy & Lamport, snapshots (TOCS 1985); Andreakis & Papapanagiotou, DBLog (2020), whose
 * interleaved chunks are not used: docs/decisions/bootstrap.md.                                     */
#ifndef SEAM_PIPELINE_BOOTSTRAP_H
#define SEAM_PIPELINE_BOOTSTRAP_H

#include <signal.h>

#include "pipeline/platform.h"
#include "pipeline/relay/relay.h"

struct relay_bootstrap_options {
    struct relay_options relay;
    const volatile sig_atomic_t
        *stop; /* set from a signal handler: SEAM_END, as if killed; may be NULL */
    void (*progress)(void *ctx, uint64_t rows, uint64_t total);
    void *progress_ctx;
};
struct relay_bootstrap_result {
    uint64_t tables, rows, bytes;
    seam_lsn_t lsn; /* of the snapshot */
    seam_lsn_t
        from; /* what happened in (from, lsn] is not in the stream; from == lsn: nothing is missing */
    uint64_t offset; /* of its first event */
};
/* SEAM_CONFLICT: a relay is at work. Writers and sinks go on meanwhile. */
SEAM_MUST_USE enum seam_status relay_bootstrap_run(const struct platform *p,
                                                   const struct relay_bootstrap_options *o,
                                                   struct relay_bootstrap_result *out,
                                                   struct seam_fault *f);

#endif
