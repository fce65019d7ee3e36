/* record - what the last `seam check` of each part found, kept in the platform for whoever looks
 * later.
 *
 *   DIR/checks/NAME.json   {"check":"recall","at":"2026-...Z","lsn":48213,"result":"kept",
 *                           "detail":"...",
 *                           "recall":{"mean":..,"low":..,"high":..,"promised":..,"ef":..}}
 *
 * NAME is contracts, freshness, reconcile or recall; only recall has its member. Replaced whole at
 * each check, atomically; the newest wins. */
#ifndef SEAM_PIPELINE_CLI_RECORD_H
#define SEAM_PIPELINE_CLI_RECORD_H

#include "pipeline/platform.h"

enum { RECORDS_MAX = 4, RECORD_DETAIL_MAX = SEAM_FAULT_WHY_MAX };

struct cli_check_record {
    char check[16], at[40];
    seam_lsn_t lsn;  /* durable when it was checked */
    char result[24]; /* "kept", "drift", "late", or "not checked" when it could not be */
    char detail[RECORD_DETAIL_MAX];
    bool has_recall;
    double recall_mean, recall_low, recall_high, promised; /* low, high: 95 % bounds */
    uint32_t ef;
};

SEAM_MUST_USE enum seam_status record_write(const struct platform *p,
                                            const struct cli_check_record *r, struct seam_fault *f);
/* Those there are, in the order of the parts; one that is no JSON of ours is SEAM_CORRUPT. */
SEAM_MUST_USE enum seam_status record_read_all(const struct platform *p,
                                               struct cli_check_record out[RECORDS_MAX], size_t *n,
                                               struct seam_fault *f);

#endif
