/* walk - one row, layer by layer at one LSN: row store, stream, bronze, silver. Shared by lineage and why. */
#ifndef SEAM_PIPELINE_CLI_WALK_H
#define SEAM_PIPELINE_CLI_WALK_H

#include "pipeline/ask/ask.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/stream.h"

/* The newest event of a table (and key, when key.data is set) in the stream with after < LSN <= until; or, `first`, the
 * oldest. Bytes are copied into `keep`. A key that a later snapshot does not name has a delete there, `unnamed`.
 * ST_NOT_FOUND. */
struct walk_event {
    uint64_t offset, txn, seq;
    lsn_t lsn;
    int64_t wall_us;
    uint8_t op;
    uint32_t table;
    struct bytes key, before, after;
    bool snapshot;  /* read by a bootstrap (pipeline/relay/bootstrap.h); or, `unnamed`, what it showed to be gone */
    bool unnamed;
    lsn_t previous; /* snapshots: what happened in (previous, lsn] is not in the stream */
};
MUST_USE enum status walk_find(const struct platform *p, const uint32_t *tables, size_t n_tables,
                               struct bytes key, lsn_t after, lsn_t until, bool first,
                               struct arena *keep, struct walk_event *out, struct fault *f);
/* The walk of one row AS OF lsn, as text; names the layer where they part. *agree: none does.         */
MUST_USE enum status walk_row(struct cli *c, const struct platform *p, const char *table,
                              struct bytes key, lsn_t lsn, bool *agree,
                              struct buf *out);
/* A number of a view or gold table traced back, as text. `key`: its n key columns, as words. *right:
 * every layer agrees. What was found before a failure is in `out` too. */
MUST_USE enum status why_explain(struct cli *c, const struct platform *p, const char *name,
                                 const char *const *key, int n, struct buf *out, bool *right);
const char *walk_op(uint8_t op);

#endif
