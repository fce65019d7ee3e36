/* warehouse_asked - what reconciliation and probes ask of silver. */
#ifndef SEAM_PIPELINE_WAREHOUSE_ASKED_H
#define SEAM_PIPELINE_WAREHOUSE_ASKED_H

#include "pipeline/sinks/probe.h"
#include "pipeline/sinks/side.h"

extern const struct sink_sides sink_warehouse_sides;
extern const struct sink_probe sink_warehouse_probe;

#endif
