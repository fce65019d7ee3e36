/* freshness - how far each seam is behind, in bytes, events and seconds, against what its contract promises.
 *
 * Seconds are the age of the oldest committed change that the downstream store has not applied: a quiet shop is never
 * late, however long ago its last sale was. Heartbeats tell a quiet feed from a silent one: a process that lives and
 * has neither anything to do nor a recent heartbeat is hung.
 *
 *   CURRENT  nothing is waiting, and the feed has said so lately
 *   STOPPED  nothing is waiting, and no process is running
 *   BEHIND   something is waiting, and is being worked on
 *   STALLED  something is waiting and no process is running; or a process lives and is silent
 *   INVALID  retention went past it: it must bootstrap            ABSENT  it has never applied anything
 *
 * Imports: engine, wal, pipeline. Thread-safety: none is needed; everything is read.                 */
#ifndef SEAM_PIPELINE_FRESHNESS_H
#define SEAM_PIPELINE_FRESHNESS_H

#include "pipeline/platform.h"
#include "pipeline/trust/contract.h"

enum freshness_state {
    FRESH_CURRENT,
    FRESH_STOPPED,
    FRESH_BEHIND,
    FRESH_STALLED,
    FRESH_INVALID,
    FRESH_ABSENT
};
enum freshness_verdict { FRESH_OK, FRESH_WARN, FRESH_FAIL };

struct freshness {
    const struct contract *contract;
    seam_lsn_t from, to; /* where the two stores stand */
    uint64_t lag_bytes, lag_events;
    int64_t lag_us;     /* age of the oldest change that is waiting; 0 = none is            */
    int64_t silence_us; /* since the feed last said anything; -1 = it never did             */
    bool running;       /* the downstream process lives */
    enum freshness_state state;
    enum freshness_verdict verdict;
};

/* One for each contract whose stores this platform has; out has room for CONTRACTS_MAX. SEAM_OK also when some
 * are late: the caller looks at the verdicts.                                                       */
SEAM_MUST_USE enum seam_status freshness_measure(const struct platform *p,
                                                 const struct contracts *set, struct freshness *out,
                                                 size_t *count, struct seam_fault *f);
const char *freshness_state_name(enum freshness_state s);
const char *freshness_verdict_name(enum freshness_verdict v);

#endif
