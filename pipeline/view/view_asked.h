/* view_asked - what reconciliation, probes and SQL ask of the views. */
#ifndef SEAM_PIPELINE_VIEW_ASKED_H
#define SEAM_PIPELINE_VIEW_ASKED_H

#include "pipeline/sinks/probe.h"
#include "pipeline/sinks/side.h"
#include "pipeline/sinks/tables.h"

extern const struct sink_sides view_sides;
extern const struct sink_probe view_probe;
extern const struct sink_tables view_tables;

#endif
