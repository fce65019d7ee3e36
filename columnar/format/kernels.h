/* kernels - the inner loops: comparisons to bitmaps, masked sums. AVX-512 and AVX2 variants are chosen once
 * by engine/base/cpu.h; tests hold each to the scalar one.
 *
 * n <= 2,048. Bitmaps have 32 words; bits at and past n are cleared. Inputs are readable to the next
 * multiple of 64 values (they are vectors of 2,048).                                               */
#ifndef SEAM_COLUMNAR_KERNELS_H
#define SEAM_COLUMNAR_KERNELS_H

#include "columnar/format/vector.h"

/* bits[i] = v[i] - lo <= span, unsigned. */
void columnar_kernel_range_u32(const uint32_t *v, size_t n, uint32_t lo, uint32_t span,
                               uint64_t *bits);
void columnar_kernel_range_u64(const uint64_t *v, size_t n, uint64_t lo, uint64_t span,
                               uint64_t *bits);
void columnar_kernel_equal_u32(const uint32_t *v, size_t n, uint32_t x, uint64_t *bits);
/* Sum of v[i] where bit i of mask is set (NULL: all), modulo 2^64. */
int64_t columnar_kernel_sum_i64(const int64_t *v, size_t n, const uint64_t *mask);
/* Smallest and largest of the chosen, which must not be none. */
void columnar_kernel_minmax_i64(const int64_t *v, size_t n, const uint64_t *mask, int64_t *min,
                                int64_t *max);

/* out[i] = base + factor * v[i], modulo 2^64. */
void columnar_kernel_widen(const uint32_t *v, size_t n, uint64_t base, uint64_t factor,
                           int64_t *out);
/* r[i] = a op b modulo 2^64; op '+', '-', '*'; a or b may be one value for all. */
void columnar_kernel_arith(char op, size_t n, const int64_t *a, bool one_a, const int64_t *b,
                           bool one_b, int64_t *r);
void columnar_kernel_arith_double(char op, size_t n, const double *a, bool one_a, const double *b,
                                  bool one_b, double *r);
/* out[i] = values[code[i]] */
void columnar_kernel_lookup(const int64_t *values, const uint32_t *code, size_t n, int64_t *out);
/* acc[i] += code[i] * stride */
void columnar_kernel_add_codes(uint32_t *acc, const uint32_t *code, size_t n, uint32_t stride);

/* The portable ones, for tests. */
void columnar_kernel_range_u32_scalar(const uint32_t *v, size_t n, uint32_t lo, uint32_t span,
                                      uint64_t *bits);
void columnar_kernel_range_u64_scalar(const uint64_t *v, size_t n, uint64_t lo, uint64_t span,
                                      uint64_t *bits);
int64_t columnar_kernel_sum_i64_scalar(const int64_t *v, size_t n, const uint64_t *mask);

#endif
