/* reconcile_query - what is kept computed (views, gold) against its own query run from scratch, and its repair.
 *
 *   view_NAME   kept at its LSN n  <-- group by group -->  its SQL over the row store AS OF n
 *   gold_NAME   kept at its LSN n  <-- key by key ------>  its SQL over silver AS OF n
 *
 * Results are a reconcile_report's: source is what the query gives, store what is kept; a row with the same key and other
 * values is CORRUPT. Rows are compared as printed.
 *
 * Repair is a request in the log (pipeline/sinks/repair_event.h): the sink computes the differing groups again, the view's from
 * its mirrors, gold's from silver, and publishes them at the request's LSN like any change; so it works while everything
 * runs, and whoever reads sees either the old row or the right one. A view whose GROUP BY is not among its columns, or with
 * more differing groups than RECONCILE_GROUPS_MAX, is computed again whole. Rows come first: mirrors and silver must be right
 * (reconcile_repair) before something is computed from them.
 *
 * Imports: engine, columnar (SQL), pipeline. Thread-safety: a run belongs to one thread.            */
#ifndef SEAM_PIPELINE_RECONCILE_QUERY_H
#define SEAM_PIPELINE_RECONCILE_QUERY_H

#include "pipeline/trust/reconcile.h"

enum { RECONCILE_GROUPS_MAX = 1000 };

/* Every declared view and gold table. SEAM_OK also with differences; one that is not there yet is a difference with a
 * note. Free the report (reconcile_free) whatever happened.                                          */
SEAM_MUST_USE enum seam_status
reconcile_queries(const struct platform *p, struct reconcile_report *out, struct seam_fault *f);
/* Asks for what differs, in one transaction. SEAM_CONFLICT: another process writes the row store. *lsn: of the commit; stores
 * that have applied it are repaired. *requests: how many events it took.                             */
SEAM_MUST_USE enum seam_status reconcile_queries_repair(const struct platform *p,
                                                        const struct reconcile_report *r,
                                                        uint64_t *requests, seam_lsn_t *lsn,
                                                        struct seam_fault *f);

#endif
