/* probe - asks one store whether it shows a change yet: how commit to visible is measured.
 *
 * Opened before the change and refreshed by each look, so that what is measured is the store's lag and not the opening of
 * files. What a store has no notion of, it does not look for.                                       */
#ifndef SEAM_PIPELINE_SINK_PROBE_H
#define SEAM_PIPELINE_SINK_PROBE_H

#include "engine/values/value.h"
#include "pipeline/platform.h"

/* What one change must look like everywhere. Members that are NULL or 0 are not asked for.            */
struct sink_expectation {
    seam_lsn_t lsn;          /* of the commit */
    int64_t product;         /* 0 = none */
    bool gone;               /* the product is deleted: nowhere to be found */
    struct seam_value price; /* silver shows it */
    const char *word;        /* the search index finds the product by this new word */
    const float
        *old_vector;      /* the graph has another vector than this one (dimension of the graph) */
    const char *category; /* revenue of this category ... */
    int64_t revenue;      /* ... is this in the view, and with `day` in gold (scale 4) */
    int64_t day_us;
};

/* sink_ops.probe */
struct sink_probe {
    /* SEAM_NOT_FOUND: never published. */
    enum seam_status (*open)(const struct platform *p, const char *dir, void **state,
                             struct seam_fault *f);
    enum seam_status (*look)(void *state, const struct sink_expectation *e, bool *seen,
                             seam_lsn_t *applied, struct seam_fault *f);
    void (*close)(void *state); /* accepts NULL */
};

#endif
