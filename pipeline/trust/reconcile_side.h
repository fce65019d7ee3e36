/* reconcile_side - the source as a side, and the comparison of two sides (pipeline/sinks/side.h). Private to reconcile*.c. */
#ifndef SEAM_PIPELINE_RECONCILE_SIDE_H
#define SEAM_PIPELINE_RECONCILE_SIDE_H

#include "pipeline/sinks/side.h"
#include "pipeline/trust/reconcile.h"

void reconcile_source_side_init(struct sink_source_side *s, struct oltp_txn *txn, uint32_t table);

/* Compares the two at out->lsn and fills the rest of `out`.                                          */
SEAM_MUST_USE enum seam_status reconcile_pair(const struct platform *p,
                                              const struct reconcile_options *o,
                                              struct sink_source_side *source,
                                              struct sink_side *other, struct seam_arena *a,
                                              struct reconcile_result *out, struct seam_fault *f);

#endif
