/* faults - what a sink is told to do wrong, for chaos tests and exercises. No part of the library or of `seam`: a program
 * that links faulty_sinks.o before libseam.a has every sink of the list wrapped, and says so on standard error.
 *
 *   SEAM_FAULT=SINK:KIND[,SINK:KIND...]      read when a sink is opened
 *     drop-deletes    the sink loses every delete (the deleted product stays searchable)
 *     drop-updates    the sink loses every tenth update
 *     duplicate       every event is delivered twice
 *     withhold        now and then an event is skipped, as if it came later
 *     stall           the sink reads nothing, as if nothing came
 *     poison          every hundredth row change cannot be applied
 *   SEAM_FAULT=clock:back=SECONDS/AFTER_MS   the process's wall clock is set back so far, so long after its start
 *
 * The first two are losses in the store, which only reconciliation can see; the others are the delivery's, which the
 * runner must notice by itself.                                                                     */
#ifndef SEAM_TESTS_CHAOS_FAULTS_H
#define SEAM_TESTS_CHAOS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"

/* `real`, or a clock over it that steps back; `storage` outlives its use. */
struct chaos_clock {
    struct seam_clock clock;
    struct seam_clock *real;
    uint64_t step_ns;
    int64_t back_us;
};
struct seam_clock *chaos_clock(struct chaos_clock *storage, struct seam_clock *real);

#endif
