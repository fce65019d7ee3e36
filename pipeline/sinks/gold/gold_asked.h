/* gold_asked - what probes ask of gold. */
#ifndef SEAM_PIPELINE_GOLD_ASKED_H
#define SEAM_PIPELINE_GOLD_ASKED_H

#include "pipeline/sinks/probe.h"
#include "pipeline/sinks/side.h"

extern const struct sink_probe sink_gold_probe;

#endif
