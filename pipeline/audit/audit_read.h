/* audit_read - the reader's inside, for audit_prove.c. Private to pipeline/audit/.                   */
#ifndef SEAM_PIPELINE_AUDIT_READ_H
#define SEAM_PIPELINE_AUDIT_READ_H

#include "pipeline/audit/audit_event.h"

struct audit_reader {
    struct oltp *db;
    struct oltp_txn *txn;
    struct audit_tables tables;
    const struct seam_schema *schema; /* of events */
    struct audit_info info;
};

#endif
