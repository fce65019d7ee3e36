#include "engine/values/average.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "engine/values/value.h"

enum { QUOTIENT_BITS = 60 }; /* a double's 53, and enough below them for one rounding to be right */

double seam_average(seam_sum sum, uint64_t count, unsigned scale)
{
    bool negative = sum < 0;
    unsigned __int128 n = negative ? -(unsigned __int128)sum : (unsigned __int128)sum;
    unsigned __int128 d = (unsigned __int128)count * (uint64_t)seam_decimal_pow10(scale);
    unsigned __int128 q, rest;
    int exponent = 0;
    double r;

    assert(count > 0 && scale <= SEAM_DECIMAL_SCALE_MAX);
    if (n == 0) return 0;
    q = n / d;
    rest = n % d; /* d is below 2^124: doubling it stays in 128 bits */
    for (; q >> (QUOTIENT_BITS - 1) == 0; exponent--) {
        rest <<= 1;
        q = q << 1 | (rest >= d);
        if (rest >= d) rest -= d;
    }
    for (; q >> QUOTIENT_BITS != 0; exponent++) {
        rest |= q & 1; /* only whether anything is below counts from here on */
        q >>= 1;
    }
    q |= rest != 0; /* below all bits that are kept: breaks a tie, nothing else */
    r = ldexp((double)(uint64_t)q, exponent);
    return negative ? -r : r;
}
