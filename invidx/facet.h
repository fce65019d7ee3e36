/* facet - counts of attribute values among all matches. Private to the room.
 *
 * In a segment a keyword is counted by its code; leaving the segment, its counts are added to the query's by
 * text (segments have dictionaries of their own).                                                     */
#ifndef SEAM_INVIDX_FACET_H
#define SEAM_INVIDX_FACET_H

#include "invidx/exec.h"

SEAM_MUST_USE enum seam_status invidx_facets_begin(struct invidx_exec *x);
void invidx_facets_enter(struct invidx_exec *x);
void invidx_facet_add(struct invidx_exec *x, uint32_t doc);
void invidx_facets_leave(struct invidx_exec *x);
void invidx_facets_end(struct invidx_exec *x);

#endif
