/* columns - reading and verifying a folder of column tables. */
#include "pipeline/sinks/columns.h"

#include <inttypes.h>

const struct sink_tables sink_columns_tables = {.columns = true};

enum seam_status sink_columns_reader(const struct platform *p, const char *dir,
                                     struct columnar_reader **out, struct seam_fault *f)
{
    const struct columnar_options o = {.clock = p->clock};

    return columnar_open_reader(p->io, dir, &o, out, f);
}

enum seam_status sink_columns_verify(const struct platform *p, const char *dir,
                                     struct seam_buf *summary, struct seam_buf *report,
                                     struct seam_fault *f)
{
    struct columnar_verified v = {0};
    enum seam_status st = columnar_verify(p->io, dir, &v, report, f);

    seam_buf_printf(summary,
                    "%" PRIu64 " tables, %" PRIu64 " files, %" PRIu64 " row groups, %" PRIu64
                    " chunks, %" PRIu64 " rows",
                    v.tables, v.files, v.row_groups, v.chunks, v.rows);
    return st;
}
