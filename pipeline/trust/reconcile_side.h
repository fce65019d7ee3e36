/* reconcile_side - one side of a comparison: something that can list its rows. Private to reconcile*.c. */
#ifndef SEAM_PIPELINE_RECONCILE_SIDE_H
#define SEAM_PIPELINE_RECONCILE_SIDE_H

#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/trust/reconcile.h"

/* One row: its encoded key, the hash of what is compared, the version's LSN. describe() prints it, during the call. */
struct reconcile_side_row {
    struct wal_bytes key;
    struct seam_hash128 hash;
    seam_lsn_t lsn;
    void (*describe)(const struct reconcile_side_row *row, struct seam_buf *out);
    const void *ctx, *data;
};
typedef enum seam_status (*side_fn)(void *ctx, const struct reconcile_side_row *row,
                                    struct seam_fault *f);

/* range: NULL = every row; else only rows in it need be given (more is allowed), in any order.       */
struct reconcile_side {
    enum seam_status (*scan)(struct reconcile_side *s, const struct oltp_range *range, side_fn fn,
                             void *ctx, struct seam_fault *f);
    /* Is this row of the source rightly absent from the store (a text without a known word)? May be NULL. */
    bool (*excused)(struct reconcile_side *s, struct wal_bytes key);
};

static inline bool side_in_range(const struct oltp_range *range, struct wal_bytes key)
{
    if (range == NULL) return true;
    if (range->lower.data != NULL &&
        seam_key_compare(key.data, key.size, range->lower.data, range->lower.size) < 0)
        return false;
    return range->upper.data == NULL ||
           seam_key_compare(key.data, key.size, range->upper.data, range->upper.size) < 0;
}
/* A document's key (pipeline/sinks/keys.h) as the row's. */
static inline void side_document_key(uint64_t document, struct seam_buf *out)
{
    struct seam_value v = seam_v_int(sink_id_of_key(document));

    seam_buf_clear(out);
    seam_key_append(out, &v);
}

/* The source's rows as the store would hash them. */
struct reconcile_source_side {
    struct reconcile_side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct seam_schema *schema;
    /* content: NULL = the canonical row; else what the store keeps of a row */
    enum seam_status (*content)(struct reconcile_source_side *s, const struct seam_value *values,
                                struct wal_bytes row, struct seam_hash128 *out,
                                struct seam_fault *f);
    /* What else of the row is compared, as JSON members (",\"name\":value"); may be NULL. */
    void (*describe_more)(struct reconcile_source_side *s, const struct seam_value *values,
                          struct seam_buf *out);
    void *ctx;
};
void reconcile_source_side_init(struct reconcile_source_side *s, struct oltp_txn *txn,
                                uint32_t table);

/* ---- the word index (reconcile_search.c): keys, attributes, words ---- */
struct search_side;
/* *lsn: what the index has applied. SEAM_NOT_FOUND: never published to. */
SEAM_MUST_USE enum seam_status search_side_open(const struct platform *p, const char *dir,
                                                struct search_side **out, seam_lsn_t *lsn,
                                                struct seam_fault *f);
/* Reads every document and makes `source` (at that LSN) hash its rows alike. words: of the texts, too. */
SEAM_MUST_USE enum seam_status search_side_read(struct search_side *s,
                                                struct reconcile_source_side *source, bool words,
                                                struct seam_fault *f);
struct reconcile_side *search_side(struct search_side *s);
void search_side_close(struct search_side *s); /* accepts NULL */

/* Compares the two at out->lsn and fills the rest of `out`.                                          */
SEAM_MUST_USE enum seam_status reconcile_pair(const struct platform *p,
                                              const struct reconcile_options *o,
                                              struct reconcile_source_side *source,
                                              struct reconcile_side *other, struct seam_arena *a,
                                              struct reconcile_result *out, struct seam_fault *f);

#endif
