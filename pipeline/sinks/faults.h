/* faults - what a sink is told to do wrong, for chaos tests and labs. Off unless the environment says otherwise.
 *
 *   SEAM_FAULT=SINK:KIND[,SINK:KIND...]      read in this file's functions and nowhere else
 *     drop-deletes    the sink loses every delete (the deleted product stays searchable)
 *     drop-updates    the sink loses every tenth update
 *     duplicate       every event is delivered twice
 *     withhold        now and then an event is skipped, as if it came later
 *     stall           the sink reads nothing until it is told to stop
 *     poison          every hundredth row change cannot be applied
 *   SEAM_FAULT=clock:back=SECONDS/AFTER_MS   the process's wall clock is set back so far, so long after its start
 *
 * The first two are losses in the store, which only reconciliation can see; the others are the delivery's, which the
 * runner must notice by itself.                                                                     */
#ifndef SEAM_PIPELINE_FAULTS_H
#define SEAM_PIPELINE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"

struct sink_faults {
    bool any, drop_deletes, drop_updates, duplicate, withhold, stall, poison;
    uint64_t count;
};

struct sink_faults sink_faults_of(const char *sink);

/* `real`, or a clock over it that steps back; `storage` outlives its use. */
struct sink_fault_clock {
    struct seam_clock clock;
    struct seam_clock *real;
    uint64_t step_ns;
    int64_t back_us;
};
struct seam_clock *sink_faults_clock(struct sink_fault_clock *storage, struct seam_clock *real);

#endif
