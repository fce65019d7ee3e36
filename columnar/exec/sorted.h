/* sorted - row numbers of kept rows in the order of some columns. Private to the room.             */
#ifndef SEAM_COLUMNAR_SORTED_H
#define SEAM_COLUMNAR_SORTED_H

#include "columnar/exec/plan.h"

/* -1, 0, 1: rows x and y of d by the keys. Nulls are equal to each other; NaN to NaN. */
int columnar_rows_compare(const struct columnar_coldata *d, const struct columnar_plan_key *keys,
                          int n, size_t x, size_t y);
/* Numbers of all rows, sorted by the keys, ties in the order of the rows; the caller frees. NULL: no memory. */
uint32_t *columnar_rows_sorted(const struct columnar_coldata *d,
                               const struct columnar_plan_key *keys, int n);
/* The same, of the given numbers only, in place. */
void columnar_rows_sort(const struct columnar_coldata *d, const struct columnar_plan_key *keys,
                        int n, uint32_t *rows, size_t count);

#endif
