/* reconcile_side - one side of a comparison: something that can list its rows. Private to reconcile*.c. */
#ifndef SEAM_PIPELINE_RECONCILE_SIDE_H
#define SEAM_PIPELINE_RECONCILE_SIDE_H

#include "engine/values/key.h"
#include "oltp/oltp.h"
#include "pipeline/trust/reconcile.h"
#include "pipeline/sinks/sinks.h"

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

static inline bool side_in_range(const struct oltp_range *range, struct bytes key)
{
    if (range == NULL) return true;
    if (range->lower.data != NULL &&
        key_compare(key.data, key.size, range->lower.data, range->lower.size) < 0)
        return false;
    return range->upper.data == NULL ||
           key_compare(key.data, key.size, range->upper.data, range->upper.size) < 0;
}
/* A document's key (pipeline/sinks/sinks.h) as the row's. */
static inline void side_document_key(uint64_t document, struct buf *out)
{
    struct value v = v_int(document_id(document));

    buf_clear(out);
    key_append(out, &v);
}

/* The source's rows as the store would hash them. */
struct source_side {
    struct side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct schema *schema;
    /* content: NULL = the canonical row; else what the store keeps of a row */
    enum status (*content)(struct source_side *s, const struct value *values, struct bytes row,
                           struct hash128 *out, struct fault *f);
    /* What else of the row is compared, as JSON members (",\"name\":value"); may be NULL. */
    void (*describe_more)(struct source_side *s, const struct value *values, struct buf *out);
    void *ctx;
};
void source_side_init(struct source_side *s, struct oltp_txn *txn, uint32_t table);

/* ---- the word index (reconcile_search.c): keys, attributes, words ---- */
struct search_side;
/* *lsn: what the index has applied. ST_NOT_FOUND: never published to. */
MUST_USE enum status search_side_open(const struct platform *p, const char *dir,
                                      struct search_side **out, lsn_t *lsn, struct fault *f);
/* Reads every document and makes `source` (at that LSN) hash its rows alike. words: of the texts, too. */
MUST_USE enum status search_side_read(struct search_side *s, struct source_side *source, bool words,
                                      struct fault *f);
struct side *search_side(struct search_side *s);
void search_side_close(struct search_side *s); /* accepts NULL */

/* Compares the two at out->lsn and fills the rest of `out`.                                          */
MUST_USE enum status reconcile_pair(const struct platform *p, const struct reconcile_options *o,
                                    struct source_side *source,
                                    struct side *other, struct arena *a,
                                    struct reconcile_result *out, struct fault *f);

#endif
