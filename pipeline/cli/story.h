/* story - what `generate` and `demo` share: the shipped catalogue as rows.                           */
#ifndef SEAM_PIPELINE_CLI_STORY_H
#define SEAM_PIPELINE_CLI_STORY_H

#include "oltp/oltp.h"
#include "pipeline/cli/cli.h"
#include "pipeline/import/shopgen.h"

/* Inserts the shipped products that are not there yet, in one transaction. Sets c->fault.            */
SEAM_MUST_USE enum seam_status load_catalogue(struct cli *c, struct oltp *db);

#endif
