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

enum probe_store { PROBE_WAREHOUSE, PROBE_GOLD, PROBE_VIEW, PROBE_SEARCH, PROBE_VECTORS, PROBE_COUNT };

struct probes {
    const struct platform *platform;
    struct columnar_reader *warehouse, *gold;
    struct view_reader *view;
    struct invidx_reader *words;
    struct hnsw *graph;
};

/* What one change must look like everywhere. Members that are NULL or 0 are not asked for.            */
struct expectation {
    lsn_t lsn;                  /* of the commit */
    int64_t product;            /* 0 = none */
    bool gone;                  /* the product is deleted: nowhere to be found */
    struct value price;         /* silver shows it */
    const char *word;           /* the search index finds the product by this new word */
    float *old_vector;          /* the graph has another vector than this one (dimension of the graph) */
    const char *category;       /* revenue of this category ... */
    int64_t revenue;            /* ... is this in the view, and with `day` in gold (scale 4) */
    int64_t day_us;
};

struct sighting { lsn_t applied; int64_t lag_us; bool seen; };

MUST_USE enum status probes_open(struct probes *p, const struct platform *platform, struct fault *f);
void probes_close(struct probes *p);
/* Polls every store in turn until each shows the change or `timeout_us` has passed. lag_us counts from start_ns
 * (clock_mono_ns of the acknowledged commit).                                                       */
MUST_USE enum status probes_wait(struct cli *c, struct probes *p, const struct expectation *e, uint64_t start_ns,
                                 int64_t timeout_us, struct sighting out[PROBE_COUNT]);
const char *probe_name(enum probe_store s);
/* Revenue of a category in the view now; 0 when it has none.                                        */
MUST_USE enum status probe_revenue(struct probes *p, const char *category, int64_t *revenue, struct fault *f);
/* ... in gold, on one day.                                                                          */
MUST_USE enum status probe_gold_revenue(struct probes *p, int64_t day_us, const char *category, int64_t *revenue,
                                        struct fault *f);

#endif
