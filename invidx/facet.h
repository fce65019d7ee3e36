/* facet - counts of attribute values among all matches. Private to the room.
 *
 * In a segment a keyword is counted by its code; leaving the segment, its counts are added to the query's by
 * text (segments have dictionaries of their own).                                                     */
#ifndef SEAM_INVIDX_FACET_H
#define SEAM_INVIDX_FACET_H

#include "invidx/exec.h"

MUST_USE enum status facets_begin(struct exec *x);
void facets_enter(struct exec *x);
void facet_add(struct exec *x, uint32_t doc);
void facets_leave(struct exec *x);
void facets_end(struct exec *x);

#endif
