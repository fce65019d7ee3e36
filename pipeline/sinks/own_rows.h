/* own_rows - the row store in which a sink keeps its state: DIR/rows, with its log in DIR/wal.
 *
 * Views and audit are row stores of their own (docs/decisions/views-are-row-stores.md): one writer, any number of
 * readers in other processes, each on a snapshot. */
#ifndef SEAM_PIPELINE_OWN_ROWS_H
#define SEAM_PIPELINE_OWN_ROWS_H

#include "oltp/oltp.h"
#include "pipeline/platform.h"

struct sink_own_rows {
    struct wal *wal;
    struct oltp *db;
};

/* To write, made when missing. Whatever the status, sink_own_rows_close is due. */
SEAM_MUST_USE enum seam_status sink_own_rows_open(struct seam_io *io, struct seam_clock *clock,
                                                  const char *dir, struct sink_own_rows *out,
                                                  struct seam_fault *f);
/* What was not committed is gone; accepts one that never opened. */
void sink_own_rows_close(struct sink_own_rows *r);

/* To read the newest durable state. SEAM_NOT_FOUND says `missing`. `holder` names the reader among the pins. */
SEAM_MUST_USE enum seam_status sink_own_rows_read(struct seam_io *io, const char *dir,
                                                  const char *holder, const char *missing,
                                                  struct oltp **out, struct seam_fault *f);

/* sink_ops.verify of such a store: its log, its trees and their rows. */
SEAM_MUST_USE enum seam_status sink_own_rows_verify(const struct platform *p, const char *dir,
                                                    struct seam_buf *summary,
                                                    struct seam_buf *report, struct seam_fault *f);

#endif
