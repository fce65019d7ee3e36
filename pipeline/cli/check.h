/* check - the parts of `seam check`. Each prints its answer (or adds it to a JSON object) and says how it went. */
#ifndef SEAM_PIPELINE_CLI_CHECK_H
#define SEAM_PIPELINE_CLI_CHECK_H

#include "pipeline/cli/cli.h"
#include "pipeline/cli/record.h"
#include "pipeline/trust/contract.h"

struct check {
    struct cli *cli;
    const struct platform *platform; /* NULL: only the contracts themselves */
    const struct contracts *contracts;
    struct json_writer *json; /* NULL: text */
    const char *against;      /* folder of older contracts */
    bool repair, deep, full;
    const char *report; /* file for reconcile's JSON */
    struct check_record record; /* what the part that runs has to say; kept in the platform after it */
};

/* ST_OK, ST_DRIFT or ST_STALE: kept or not; anything else: it could not be checked (cli->fault).     */
MUST_USE enum status check_contracts(struct check *k);
MUST_USE enum status check_freshness(struct check *k);
MUST_USE enum status check_reconcile(struct check *k);
MUST_USE enum status check_recall(struct check *k);

#endif
