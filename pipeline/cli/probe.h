/* probe - asks each store whether it shows a change yet (pipeline/sinks/probe.h): how `demo` measures commit to visible. */
#ifndef SEAM_PIPELINE_CLI_PROBE_H
#define SEAM_PIPELINE_CLI_PROBE_H

#include "pipeline/cli/cli.h"
#include "pipeline/sinks/probe.h"
#include "pipeline/sinks/sink.h"

struct cli_probes { /* of the sinks that have one and are configured, in the list's order */
    const struct sink_ops *sinks[SINKS_MAX];
    void *state[SINKS_MAX];
    size_t count;
};

struct cli_sighting {
    seam_lsn_t applied;
    int64_t lag_us;
    bool seen;
};

SEAM_MUST_USE enum seam_status probes_open(struct cli_probes *p, const struct platform *platform,
                                           struct seam_fault *f);
void probes_close(struct cli_probes *p);
/* Polls every store in turn until each shows the change or `timeout_us` has passed. lag_us counts from start_ns
 * (seam_clock_mono_ns of the acknowledged commit).                                                       */
SEAM_MUST_USE enum seam_status probes_wait(struct cli *c, struct cli_probes *p,
                                           const struct sink_expectation *e, uint64_t start_ns,
                                           int64_t timeout_us, struct cli_sighting out[SINKS_MAX]);

#endif
