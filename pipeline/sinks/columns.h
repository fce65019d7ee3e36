/* columns - what the sinks that keep column tables share: warehouse and gold. */
#ifndef SEAM_PIPELINE_SINK_COLUMNS_H
#define SEAM_PIPELINE_SINK_COLUMNS_H

#include "columnar/columnar.h"
#include "pipeline/platform.h"
#include "pipeline/sinks/tables.h"

/* What was last published in `dir`. SEAM_NOT_FOUND: nothing yet.                                    */
SEAM_MUST_USE enum seam_status sink_columns_reader(const struct platform *p, const char *dir,
                                                   struct columnar_reader **out,
                                                   struct seam_fault *f);
/* sink_ops.verify of column tables. */
SEAM_MUST_USE enum seam_status sink_columns_verify(const struct platform *p, const char *dir,
                                                   struct seam_buf *summary,
                                                   struct seam_buf *report, struct seam_fault *f);
/* sink_ops.tables of column tables. */
extern const struct sink_tables sink_columns_tables;

#endif
