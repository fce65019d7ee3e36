/* walk - one row, layer by layer at one LSN: row store, stream, bronze, silver. Shared by lineage and why. */
#ifndef SEAM_PIPELINE_CLI_WALK_H
#define SEAM_PIPELINE_CLI_WALK_H

#include "pipeline/ask/ask.h"
#include "pipeline/cli/cli.h"
#include "pipeline/stream/stream.h"

/* The newest event of a table (and key, when key.data is set) in the stream with after < LSN <= until; or, `first`, the
 * oldest. Bytes are copied into `keep`. A key that a later snapshot does not name has a delete there, `unnamed`.
 * SEAM_NOT_FOUND. */
struct cli_walk_event {
    uint64_t offset, txn, seq;
    seam_lsn_t lsn;
    int64_t wall_us;
    uint8_t op;
    uint32_t table;
    struct wal_bytes key, before, after;
    bool
        snapshot; /* read by a bootstrap (pipeline/relay/bootstrap.h); or, `unnamed`, what it showed to be gone */
    bool unnamed;
    seam_lsn_t previous; /* snapshots: what happened in (previous, lsn] is not in the stream */
};
SEAM_MUST_USE enum seam_status walk_find(const struct platform *p, const uint32_t *tables,
                                         size_t n_tables, struct wal_bytes key, seam_lsn_t after,
                                         seam_lsn_t until, bool first, struct seam_arena *keep,
                                         struct cli_walk_event *out, struct seam_fault *f);
/* The walk of one row AS OF lsn, as text; names the layer where they part. *agree: none does.         */
SEAM_MUST_USE enum seam_status walk_row(struct cli *c, const struct platform *p, const char *table,
                                        struct wal_bytes key, seam_lsn_t lsn, bool *agree,
                                        struct seam_buf *out);
/* A number of a view or gold table traced back, as text. `key`: its n key columns, as words. *right:
 * every layer agrees. What was found before a failure is in `out` too. */
SEAM_MUST_USE enum seam_status why_explain(struct cli *c, const struct platform *p,
                                           const char *name, const char *const *key, int n,
                                           struct seam_buf *out, bool *right);
const char *walk_op(uint8_t op);

#endif
