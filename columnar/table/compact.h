/* compact - rewriting files. Private to the room. */
#ifndef SEAM_COLUMNAR_COMPACT_H
#define SEAM_COLUMNAR_COMPACT_H

#include "columnar/table/writer.h"

/* No readable LSN sees [begin, end). */
bool columnar_version_droppable(const struct columnar_state *s, seam_lsn_t begin, seam_lsn_t end);
/* Replaces the chosen files of a table by sorted, merged ones. Versions begun after `limit` are forgotten
 * and ends after it undone (rollback; SEAM_LSN_MAX otherwise). Publishing is the caller's.               */
SEAM_MUST_USE enum seam_status columnar_compact_files(struct columnar_writer *w, size_t table,
                                                      const bool *chosen, seam_lsn_t limit,
                                                      struct columnar_maintenance *done,
                                                      struct seam_fault *f);

#endif
