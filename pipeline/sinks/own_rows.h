/* own_rows - the row store in which a sink keeps its state: DIR/rows, with its log in DIR/wal.
 *
 * Views and audit are row stores of their own (docs/decisions/views-are-row-stores.md): one writer, any number of
 * readers in other processes, each on a snapshot. */
#ifndef SEAM_PIPELINE_OWN_ROWS_H
#define SEAM_PIPELINE_OWN_ROWS_H

#include "oltp/oltp.h"

struct own_rows { struct wal *wal; struct oltp *db; };

/* To write, made when missing. Whatever the status, own_rows_close is due. */
MUST_USE enum status own_rows_open(struct io *io, struct clock *clock, const char *dir, struct own_rows *out,
                                   struct fault *f);
/* What was not committed is gone; accepts one that never opened. */
void own_rows_close(struct own_rows *r);

/* To read the newest durable state. ST_NOT_FOUND says `missing`. `holder` names the reader among the pins. */
MUST_USE enum status own_rows_read(struct io *io, const char *dir, const char *holder, const char *missing,
                                   struct oltp **out, struct fault *f);

#endif
