/* reconcile_side - one side of a comparison: something that can list its rows. Private to reconcile*.c. */
#ifndef SEAM_PIPELINE_RECONCILE_SIDE_H
#define SEAM_PIPELINE_RECONCILE_SIDE_H

#include "oltp/oltp.h"
#include "pipeline/reconcile.h"

/* One row: its encoded key, the hash of what is compared, the version's LSN. describe() prints it, during the call. */
struct side_row {
    struct bytes key;
    struct hash128 hash;
    lsn_t lsn;
    void (*describe)(const struct side_row *row, struct buf *out);
    const void *ctx, *data;
};
typedef enum status (*side_fn)(void *ctx, const struct side_row *row, struct fault *f);

/* range: NULL = every row; else only rows in it need be given (more is allowed), in any order.       */
struct side {
    enum status (*scan)(struct side *s, const struct oltp_range *range, side_fn fn, void *ctx,
                        struct fault *f);
    /* Is this row of the source rightly absent from the store (a text without a known word)? May be NULL. */
    bool (*excused)(struct side *s, struct bytes key);
};

/* The source's rows as the store would hash them. */
struct source_side {
    struct side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct schema *schema;
    /* content: NULL = the canonical row; else what the store keeps of a row */
    enum status (*content)(struct source_side *s, const struct value *values, struct bytes row,
                           struct hash128 *out, struct fault *f);
    const void *ctx;
};
void source_side_init(struct source_side *s, struct oltp_txn *txn, uint32_t table);

/* Compares the two at out->lsn and fills the rest of `out`.                                          */
MUST_USE enum status reconcile_pair(const struct platform *p, const struct reconcile_options *o,
                                    struct source_side *source,
                                    struct side *other, struct arena *a,
                                    struct reconcile_result *out, struct fault *f);

#endif
