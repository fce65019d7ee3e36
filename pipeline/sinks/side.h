/* side - what of a store reconciliation may compare with the row store, at the LSN the store stands at.
 *
 *   trust/reconcile: open --> { for each table of the source AS OF lsn: table --> two sides } --> close
 *
 * A side lists rows: encoded key and a hash of what is compared. Where a store keeps less of a row than the row store does
 * (words, a vector), it makes the source hash the same: it sets `content` of the source's side.
 * Imports: engine, oltp, pipeline/sinks.                                                          */
#ifndef SEAM_PIPELINE_SINK_SIDE_H
#define SEAM_PIPELINE_SINK_SIDE_H

#include "engine/base/hash.h"
#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/platform.h"
#include "pipeline/sinks/keys.h"

/* One row: its encoded key, the hash of what is compared, the version's LSN. describe() prints it, during the call. */
struct sink_side_row {
    struct wal_bytes key;
    struct seam_hash128 hash;
    seam_lsn_t lsn;
    void (*describe)(const struct sink_side_row *row, struct seam_buf *out);
    const void *ctx, *data;
};
typedef enum seam_status (*sink_side_fn)(void *ctx, const struct sink_side_row *row,
                                         struct seam_fault *f);

/* range: NULL = every row; else only rows in it need be given (more is allowed), in any order.       */
struct sink_side {
    enum seam_status (*scan)(struct sink_side *s, const struct oltp_range *range, sink_side_fn fn,
                             void *ctx, struct seam_fault *f);
    /* Is this row of the source rightly absent from the store (a text without a known word)? May be NULL. */
    enum seam_status (*excused)(struct sink_side *s, struct wal_bytes key, bool *excused,
                                struct seam_fault *f);
};

static inline bool sink_side_in_range(const struct oltp_range *range, struct wal_bytes key)
{
    if (range == NULL) return true;
    if (range->lower.data != NULL &&
        seam_key_compare(key.data, key.size, range->lower.data, range->lower.size) < 0)
        return false;
    return range->upper.data == NULL ||
           seam_key_compare(key.data, key.size, range->upper.data, range->upper.size) < 0;
}
/* A document's key (pipeline/sinks/keys.h) as the row's. */
static inline void sink_side_key(uint64_t document, struct seam_buf *out)
{
    struct seam_value v = seam_v_int(sink_id_of_key(document));

    seam_buf_clear(out);
    seam_key_append(out, &v);
}

/* The source's rows as the store would hash them. */
struct sink_source_side {
    struct sink_side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct seam_schema *schema;
    /* content: NULL = the canonical row; else what the store keeps of a row */
    enum seam_status (*content)(struct sink_source_side *s, const struct seam_value *values,
                                struct wal_bytes row, struct seam_hash128 *out,
                                struct seam_fault *f);
    /* What else of the row is compared, as JSON members (",\"name\":value"); may be NULL. */
    void (*describe_more)(struct sink_source_side *s, const struct seam_value *values,
                          struct seam_buf *out);
    void *ctx;
};

/* Words and vectors of more rows than this are compared only when asked for (reconcile_options.deep). */
enum { SINK_SIDE_DEEP_ROWS = 100000 };

struct columnar_reader;

/* sink_ops.sides */
struct sink_sides {
    /* The one table it is fed by, of its configuration; NULL: it may keep something of every table.   */
    const char *(*only)(const struct seam_json *config);
    /* The store as it was last published, and the LSN it stands at. SEAM_NOT_FOUND: never published. */
    enum seam_status (*open)(const struct platform *p, const char *dir, bool deep, void **state,
                             seam_lsn_t *lsn, struct seam_fault *f);
    /* One table of the source at that LSN (`only`, else each); *other stays NULL when the store keeps nothing of it. Both
     * live until the next call, or close.                                                                              */
    enum seam_status (*table)(void *state, struct sink_source_side *source,
                              struct sink_side **other, struct seam_fault *f);
    void (*close)(void *state); /* accepts NULL */
    /* For a store that keeps row versions as column tables silver_NAME: their reader, by which digests that are kept can
     * follow what changed (pipeline/trust/reconcile_kept.h). May be NULL.                          */
    const struct columnar_reader *(*versions)(const void *state);
    /* What contradicts itself in the store, beside its rows: one line into *why. May be NULL.       */
    bool (*doubt)(const struct platform *p, struct seam_buf *why);
};

#endif
