/* probe - every store's probe, side by side. */
#include "pipeline/cli/probe.h"

#include <string.h>

enum { LOOK_AGAIN_US = 200 };

enum seam_status probes_open(struct cli_probes *p, const struct platform *platform,
                             struct seam_fault *f)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);
    enum seam_status st = SEAM_OK;

    *p = (struct cli_probes){0};
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        char dir[SEAM_PATH_MAX_BYTES];

        if (all[i]->probe == NULL || platform_sink_config(platform, all[i]->name) == NULL) continue;
        st = platform_sink_path(platform, all[i]->name, dir, f);
        if (st == SEAM_OK) st = all[i]->probe->open(platform, dir, &p->state[p->count], f);
        p->sinks[p->count] = all[i];
        p->count++;
    }
    if (st != SEAM_OK) probes_close(p);
    return st;
}

void probes_close(struct cli_probes *p)
{
    for (size_t i = 0; i < p->count; i++) p->sinks[i]->probe->close(p->state[i]);
    *p = (struct cli_probes){0};
}

enum seam_status probes_wait(struct cli *c, struct cli_probes *p, const struct sink_expectation *e,
                             uint64_t start_ns, int64_t timeout_us,
                             struct cli_sighting out[SINKS_MAX])
{
    size_t left = p->count;

    memset(out, 0, SINKS_MAX * sizeof *out);
    while (left > 0) {
        for (size_t i = 0; i < p->count; i++) {
            enum seam_status st;

            if (out[i].seen) continue;
            st = p->sinks[i]->probe->look(p->state[i], e, &out[i].seen, &out[i].applied, &c->fault);
            if (st != SEAM_OK) return st;
            out[i].lag_us = (int64_t)((seam_clock_mono_ns(c->clock) - start_ns) / 1000);
            left -= out[i].seen;
        }
        if (left > 0 && (int64_t)((seam_clock_mono_ns(c->clock) - start_ns) / 1000) > timeout_us)
            return SEAM_TIMEOUT;
        if (left > 0) c->clock->sleep_us(c->clock, LOOK_AGAIN_US);
    }
    return SEAM_OK;
}
