/* lineitem - rows like TPC-H's lineitem, from a seed: 200,000 parts, 10,000 suppliers, one to seven lines an
 * order, 2,526 ship dates, prices that follow the part, comments of words. Written as CSV with a header. */
#ifndef SEAM_BENCH_COMMON_LINEITEM_H
#define SEAM_BENCH_COMMON_LINEITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"

extern const char lineitem_schema[]; /* seam's schema JSON of the table "li" */
/* False when the file cannot be written. sorted: by ship date. */
bool lineitem_write(const char *path, uint64_t rows, uint64_t seed, bool sorted);
/* s_suppkey, s_nation: 10,000 suppliers of 25 nations. */
extern const char supplier_schema[];
bool supplier_write(const char *path, uint64_t seed);

#endif
