/* search_asked - what is asked of the word index: verification, reconciliation, probes. */
#ifndef SEAM_PIPELINE_SEARCH_ASKED_H
#define SEAM_PIPELINE_SEARCH_ASKED_H

#include "pipeline/sinks/probe.h"
#include "pipeline/sinks/side.h"

extern const struct sink_sides sink_search_sides;
extern const struct sink_probe sink_search_probe;
SEAM_MUST_USE enum seam_status sink_search_verify(const struct platform *p, const char *dir,
                                                  struct seam_buf *summary, struct seam_buf *report,
                                                  struct seam_fault *f);

#endif
