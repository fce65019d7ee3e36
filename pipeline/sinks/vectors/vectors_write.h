/* vectors_write - what only the vectors sink does to the folder of pipeline/sinks/vectors/vectors.h.              */
#ifndef SEAM_PIPELINE_VECTORS_WRITE_H
#define SEAM_PIPELINE_VECTORS_WRITE_H

#include "pipeline/sinks/vectors/vectors.h"

/* Paths of a generation, without touching the disk.                                               */
MUST_USE enum status vectors_place(const struct platform *p, uint64_t generation,
                                   struct vectors_current *out, struct fault *f);
/* Makes it the current one, atomically.                                                           */
MUST_USE enum status vectors_switch(const struct platform *p, const struct vectors_current *to,
                                    struct fault *f);

#endif
