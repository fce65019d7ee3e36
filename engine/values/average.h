/* average - the mean of exact numbers, rounded once. */
#ifndef SEAM_ENGINE_AVERAGE_H
#define SEAM_ENGINE_AVERAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__extension__ typedef __int128 seam_sum; /* of int64s */

/* The double nearest to sum / 10^scale / count, ties to even: the mean of equal decimals is the double nearest to
 * them. count > 0, scale <= 18, |sum| < 2^127. */
double seam_average(seam_sum sum, uint64_t count, unsigned scale);

#ifdef __cplusplus
}
#endif

#endif
