/* sqlenv - what SQL sees of a platform: the warehouse's and gold's tables, the row store's, and the views.
 *
 *   silver_products, bronze_changes ...   warehouse       gold_daily_revenue ...   gold
 *   products, orders ...                  row store       view_NAME                dashboard view          */
#ifndef SEAM_PIPELINE_SQLENV_H
#define SEAM_PIPELINE_SQLENV_H

#include "columnar/sql/sql.h"
#include "oltp/oltp.h"
#include "pipeline/platform.h"
#include "pipeline/view/view.h"

enum { SQL_OPEN_MAX = 16 };

struct ask_sql_platform {
    const struct platform *platform;
    struct columnar_reader *readers[2];
    size_t reader_count;
    struct columnar_sql_env env;
    /* opened on demand, for one statement */
    struct oltp *db[SQL_OPEN_MAX];
    struct oltp_txn *txn[SQL_OPEN_MAX];
    int n_open;
    struct view_reader *views;
};

SEAM_MUST_USE enum seam_status
ask_sql_platform_open(struct ask_sql_platform *s, const struct platform *p, struct seam_fault *f);
/* Takes in what was published since; closes what the last statement opened.                         */
SEAM_MUST_USE enum seam_status ask_sql_platform_next(struct ask_sql_platform *s,
                                                     struct seam_fault *f);
void ask_sql_platform_close(struct ask_sql_platform *s);

#endif
