/* probe - asks each store whether it shows a change yet: how `demo` measures commit to visible.
 *
 * Readers are opened before the change and refreshed until they show it, so that what is measured is the store's
 * lag and not the opening of files.                                                                */
#ifndef SEAM_PIPELINE_CLI_PROBE_H
#define SEAM_PIPELINE_CLI_PROBE_H

#include "columnar/columnar.h"
#include "hnsw/hnsw.h"
#include "invidx/invidx.h"
#include "pipeline/cli/cli.h"
#include "pipeline/view/view.h"

enum cli_probe_store {
    PROBE_WAREHOUSE,
    PROBE_GOLD,
    PROBE_VIEW,
    PROBE_SEARCH,
    PROBE_VECTORS,
    PROBE_COUNT
};

struct cli_probes {
    const struct platform *platform;
    struct columnar_reader *warehouse, *gold;
    struct view_reader *view;
    struct invidx_reader *words;
    struct hnsw *graph;
};

/* What one change must look like everywhere. Members that are NULL or 0 are not asked for.            */
struct cli_expectation {
    seam_lsn_t lsn;          /* of the commit */
    int64_t product;         /* 0 = none */
    bool gone;               /* the product is deleted: nowhere to be found */
    struct seam_value price; /* silver shows it */
    const char *word;        /* the search index finds the product by this new word */
    float *old_vector;    /* the graph has another vector than this one (dimension of the graph) */
    const char *category; /* revenue of this category ... */
    int64_t revenue;      /* ... is this in the view, and with `day` in gold (scale 4) */
    int64_t day_us;
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
                                           const struct cli_expectation *e, uint64_t start_ns,
                                           int64_t timeout_us,
                                           struct cli_sighting out[PROBE_COUNT]);
const char *probe_name(enum cli_probe_store s);
/* Revenue of a category in the view now; 0 when it has none.                                        */
SEAM_MUST_USE enum seam_status probe_revenue(struct cli_probes *p, const char *category,
                                             int64_t *revenue, struct seam_fault *f);
/* ... in gold, on one day.                                                                          */
SEAM_MUST_USE enum seam_status probe_gold_revenue(struct cli_probes *p, int64_t day_us,
                                                  const char *category, int64_t *revenue,
                                                  struct seam_fault *f);

#endif
