/* shop - a whole platform for a lab: the shipped shop's tables on the lab's simulated disk. */
#ifndef SEAM_PIPELINE_LAB_SHOP_H
#define SEAM_PIPELINE_LAB_SHOP_H

#include "pipeline/lab/lab.h"
#include "pipeline/platform.h"

struct lab_shop {
    struct lab *l;
    struct platform p;
};

SEAM_MUST_USE enum seam_status lab_shop_open(struct lab *l, struct lab_shop *out,
                                             struct seam_fault *f);
void lab_shop_close(struct lab_shop *s);
/* One transaction that puts a row, given as JSON (missing columns keep what they are, or their
 * default). */
SEAM_MUST_USE enum seam_status lab_shop_put(struct lab_shop *s, const char *table, const char *json,
                                            seam_lsn_t *lsn, struct seam_fault *f);
/* The same within a transaction of the caller's. */
struct oltp_txn;
SEAM_MUST_USE enum seam_status lab_shop_put_json(struct oltp_txn *t, uint32_t table,
                                                 const char *json, size_t n, struct seam_fault *f);
SEAM_MUST_USE enum seam_status lab_shop_delete(struct lab_shop *s, const char *table, int64_t id,
                                               seam_lsn_t *lsn, struct seam_fault *f);
/* The first `max` products of the shipped catalogue, in one transaction. */
SEAM_MUST_USE enum seam_status lab_shop_catalogue(struct lab_shop *s, size_t max, seam_lsn_t *lsn,
                                                  struct seam_fault *f);
/* `n` customers, named by their number, in one transaction. */
SEAM_MUST_USE enum seam_status lab_shop_customers(struct lab_shop *s, size_t n, seam_lsn_t *lsn,
                                                  struct seam_fault *f);
/* The relay, then these sinks, until all have everything. */
SEAM_MUST_USE enum seam_status lab_shop_catch_up(struct lab_shop *s, const char *const *sinks,
                                                 size_t n, struct seam_fault *f);
/* The answer of a statement of `seam sql`, into l->draw; *rows: how many it has. */
SEAM_MUST_USE enum seam_status lab_shop_sql(struct lab_shop *s, const char *text,
                                            struct seam_fault *f);
SEAM_MUST_USE enum seam_status lab_shop_sql_rows(struct lab_shop *s, const char *text,
                                                 uint64_t *rows, struct seam_fault *f);

#endif
