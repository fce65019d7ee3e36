/* status - what `seam status` knows of a store, however it is shown. */
#ifndef SEAM_PIPELINE_CLI_STATUS_H
#define SEAM_PIPELINE_CLI_STATUS_H

#include "pipeline/cli/cli.h"

struct cli_store_line {
    char name[32];
    const char *dir; /* inside the platform */
    seam_lsn_t applied;
    int64_t wall_us; /* commit time of what it applied last */
    int64_t age_us;  /* how long ago that was said; -1 = unknown */
    uint64_t bytes;
    const char *process; /* "running", "stopped", "" */
    bool known;          /* it has ever applied anything */
    bool invalid;        /* must bootstrap */
};

enum { LINES_MAX = 16 };

/* Writes one self-contained page: the stores with lag and size, the seams against their contracts,
 * what status_trust adds. refresh: the browser is asked to read it again. */
struct cli_page_options {
    const char *file;
    int64_t groups; /* of each view whose lineage is in the page */
    bool refresh;
};
int status_page(struct cli *c, const struct platform *p, const struct cli_store_line *lines,
                size_t n, seam_lsn_t durable, const struct cli_page_options *o);
/* The last checks, the recall chart, and the lineage of the first `groups` numbers of each view. */
SEAM_MUST_USE enum seam_status status_trust(struct cli *c, const struct platform *p, int64_t groups,
                                            struct seam_buf *b);

#endif
