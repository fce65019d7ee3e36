/* shop - a whole platform for a lab: the shipped shop's tables on the lab's simulated disk. */
#ifndef SEAM_PIPELINE_LAB_SHOP_H
#define SEAM_PIPELINE_LAB_SHOP_H

#include "pipeline/lab/lab.h"
#include "pipeline/platform.h"

struct lab_shop {
    struct lab *l;
    struct platform p;
};

MUST_USE enum status shop_open(struct lab *l, struct lab_shop *out, struct fault *f);
void shop_close(struct lab_shop *s);
/* One transaction that puts a row, given as JSON (missing columns keep what they are, or their
 * default). */
MUST_USE enum status shop_put(struct lab_shop *s, const char *table, const char *json, lsn_t *lsn,
                              struct fault *f);
/* The same within a transaction of the caller's. */
struct oltp_txn;
MUST_USE enum status shop_put_json(struct oltp_txn *t, uint32_t table, const char *json, size_t n,
                                   struct fault *f);
MUST_USE enum status shop_delete(struct lab_shop *s, const char *table, int64_t id, lsn_t *lsn,
                                 struct fault *f);
/* The first `max` products of the shipped catalogue, in one transaction. */
MUST_USE enum status shop_catalogue(struct lab_shop *s, size_t max, lsn_t *lsn, struct fault *f);
/* `n` customers, named by their number, in one transaction. */
MUST_USE enum status shop_customers(struct lab_shop *s, size_t n, lsn_t *lsn, struct fault *f);
/* The relay, then these sinks, until all have everything. */
MUST_USE enum status shop_catch_up(struct lab_shop *s, const char *const *sinks, size_t n,
                                   struct fault *f);
/* The answer of a statement of `seam sql`, into l->draw; *rows: how many it has. */
MUST_USE enum status shop_sql(struct lab_shop *s, const char *text, struct fault *f);
MUST_USE enum status shop_sql_rows(struct lab_shop *s, const char *text, uint64_t *rows,
                                   struct fault *f);

#endif
