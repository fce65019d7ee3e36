/* health - is the graph one graph? (health.c) */
#ifndef SEAM_HNSW_HEALTH_H
#define SEAM_HNSW_HEALTH_H

#include "hnsw/graph.h"

/* Marks in `reached` (count + 1 bits) every node a walk over all levels' links finds from the entry point. */
SEAM_MUST_USE enum seam_status hnsw_health_reach(const struct hnsw *h, uint64_t *reached,
                                                 struct seam_fault *f);
/* How many level-0 lists name each node.                                                            */
void hnsw_health_in_links(const struct hnsw *h, uint32_t *in_links);
/* health of a graph nobody else touches (gate held by the caller, or private).                      */
SEAM_MUST_USE enum seam_status hnsw_health_measure(const struct hnsw *h, struct hnsw_health *out,
                                                   struct seam_fault *f);
/* Gives every node the entry point does not reach a link from a near node that is reached (maintain.c);
 * *orphans counts them up. The graph is the caller's alone.                                         */
SEAM_MUST_USE enum seam_status hnsw_adopt_orphans(struct hnsw *h, uint64_t *orphans,
                                                  struct seam_fault *f);

#endif
