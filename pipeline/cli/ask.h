/* ask - a query's whole answer as JSON rows: for checks and for walks from number to number. */
#ifndef SEAM_PIPELINE_CLI_ASK_H
#define SEAM_PIPELINE_CLI_ASK_H

#include "pipeline/sqlenv.h"

/* rows: an array for the caller to free; its texts live in `arena`. */
struct answer {
    struct arena *arena;
    const char **rows;
    size_t count, cap;
    const struct plan_column *columns;
    int n;
};

/* In the order in which they come. *lsn (may be NULL): the moment the answer is of. */
MUST_USE enum status ask_rows(struct sql_platform *s, const char *sql, struct answer *a, lsn_t *lsn,
                              struct fault *f);

#endif
