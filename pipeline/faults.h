/* faults - what a sink is told to do wrong, for chaos tests and labs. Off unless the environment says otherwise.
 *
 *   SEAM_FAULT=SINK:KIND[,SINK:KIND...]      read in faults_of() and nowhere else
 *     drop-deletes    the sink loses every delete (the deleted product stays searchable)
 *     drop-updates    the sink loses every tenth update
 *     duplicate       every event is delivered twice
 *     withhold        now and then an event is skipped, as if it came later
 *     stall           the sink reads nothing until it is told to stop
 *     poison          every hundredth row change cannot be applied
 *
 * The first two are losses in the store, which only reconciliation can see; the others are the delivery's, which the
 * runner must notice by itself.                                                                     */
#ifndef SEAM_PIPELINE_FAULTS_H
#define SEAM_PIPELINE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct faults {
    bool any, drop_deletes, drop_updates, duplicate, withhold, stall, poison;
    uint64_t count;
};

struct faults faults_of(const char *sink);

#endif
