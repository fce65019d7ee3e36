/* vectors_write - what only the vectors sink does to the folder of pipeline/sinks/vectors/vectors.h.              */
#ifndef SEAM_PIPELINE_VECTORS_WRITE_H
#define SEAM_PIPELINE_VECTORS_WRITE_H

#include "pipeline/sinks/vectors/vectors.h"

/* Paths of a generation, without touching the disk.                                               */
SEAM_MUST_USE enum seam_status sink_vectors_place(const struct platform *p, uint64_t generation,
                                                  struct sink_vectors_current *out,
                                                  struct seam_fault *f);
/* Makes it the current one, atomically.                                                           */
SEAM_MUST_USE enum seam_status sink_vectors_switch(const struct platform *p,
                                                   const struct sink_vectors_current *to,
                                                   struct seam_fault *f);

#endif
