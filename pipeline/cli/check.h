/* check - the parts of `seam check`. Each prints its answer (or adds it to a JSON object) and says how it went. */
#ifndef SEAM_PIPELINE_CLI_CHECK_H
#define SEAM_PIPELINE_CLI_CHECK_H

#include "pipeline/cli/cli.h"
#include "pipeline/cli/record.h"
#include "pipeline/trust/contract.h"

struct cli_check {
    struct cli *cli;
    const struct platform *platform; /* NULL: only the contracts themselves */
    const struct contracts *contracts;
    struct seam_json_writer *json; /* NULL: text */
    const char *against;           /* folder of older contracts */
    bool repair, deep, full;
    const char *report; /* file for reconcile's JSON */
    struct cli_check_record
        record; /* what the part that runs has to say; kept in the platform after it */
};

/* SEAM_OK, SEAM_DRIFT or SEAM_STALE: kept or not; anything else: it could not be checked (cli->fault).     */
SEAM_MUST_USE enum seam_status check_contracts(struct cli_check *k);
SEAM_MUST_USE enum seam_status check_freshness(struct cli_check *k);
SEAM_MUST_USE enum seam_status check_reconcile(struct cli_check *k);
SEAM_MUST_USE enum seam_status check_recall(struct cli_check *k);

#endif
