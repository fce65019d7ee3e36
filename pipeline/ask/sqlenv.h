/* sqlenv - what SQL sees of a platform: the warehouse's and gold's tables, the row store's, and the views.
 *
 *   silver_products, bronze_changes ...   warehouse       gold_daily_revenue ...   gold
 *   products, orders ...                  row store       view_NAME                dashboard view
 *
 * The warehouse's, gold's and the views' come by way of the list of sinks (pipeline/sinks/tables.h).  */
#ifndef SEAM_PIPELINE_SQLENV_H
#define SEAM_PIPELINE_SQLENV_H

#include "columnar/sql/sql.h"
#include "oltp/oltp.h"
#include "pipeline/platform.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/sinks/tables.h"

enum { SQL_OPEN_MAX = 16 };

struct ask_sql_platform {
    const struct platform *platform;
    struct columnar_reader *readers[SINKS_MAX];
    const char *reader_of[SINKS_MAX]; /* the sink whose tables they are */
    size_t reader_count, readers_wanted;
    struct columnar_sql_env env;
    /* opened on demand, for one statement */
    struct oltp *db[SQL_OPEN_MAX];
    struct oltp_txn *txn[SQL_OPEN_MAX];
    int n_open;
    void *state
        [SINKS_MAX]; /* of sinks that give rows (sink_ops.tables), by their place in the list */
};

SEAM_MUST_USE enum seam_status
ask_sql_platform_open(struct ask_sql_platform *s, const struct platform *p, struct seam_fault *f);
/* Takes in what was published since; closes what the last statement opened.                         */
SEAM_MUST_USE enum seam_status ask_sql_platform_next(struct ask_sql_platform *s,
                                                     struct seam_fault *f);
void ask_sql_platform_close(struct ask_sql_platform *s);

#endif
