/* prune - what a condition can be, known from statistics alone. Private to the room.
 *
 * Outcomes are a set of TRUE, FALSE, NULL over the rows described: without TRUE the rows are skipped, with
 * nothing else than TRUE the condition need not be evaluated.                                      */
#ifndef SEAM_COLUMNAR_PRUNE_H
#define SEAM_COLUMNAR_PRUNE_H

#include "columnar/exec/expr_impl.h"
#include "columnar/format/chunk.h"

enum { MAY_TRUE = 1, MAY_FALSE = 2, MAY_NULL = 4, MAY_ANY = 7 };

struct columnar_zone_view {
    bool known;
    uint8_t type, scale;
    int64_t min, max; /* as in chunk.h */
    uint64_t nulls, rows;
};
/* View of a column by its position in the batch; known = false: nothing is known. */
typedef struct columnar_zone_view (*zone_fn)(void *ctx, int column);
unsigned columnar_prune_outcomes(const struct columnar_expr *e, zone_fn zone, void *ctx);

#endif
