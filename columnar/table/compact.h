/* compact - rewriting files. Private to the room. */
#ifndef SEAM_COLUMNAR_COMPACT_H
#define SEAM_COLUMNAR_COMPACT_H

#include "columnar/table/writer.h"

/* No readable LSN sees [begin, end). */
bool version_droppable(const struct state *s, lsn_t begin, lsn_t end);
/* Replaces the chosen files of a table by sorted, merged ones. Versions begun after `limit` are forgotten
 * and ends after it undone (rollback; LSN_MAX otherwise). Publishing is the caller's.               */
MUST_USE enum status compact_files(struct columnar_writer *w, size_t table, const bool *chosen, lsn_t limit,
                                   struct columnar_maintenance *done, struct fault *f);

#endif
