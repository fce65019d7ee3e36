/* distance - one query against many rows at once, as sortable 32-bit keys.
 *
 * A distance becomes an int32 whose order is the distance's order (dist_key), so that a candidate is one
 * int64, (key << 32 | node << 1 | expanded), and the whole search compares single integers: floats and
 * 8-bit codes walk through the same code, and ties go to the older node.
 *
 * Rows in memory (64-byte aligned where speed matters, zero-padded so that no kernel has a tail):
 *
 *   float row   dim floats, zeros up to a multiple of 16 floats                     "vector"
 *   code row    dim bytes u, zeros, and in the last 4 bytes the constant c          "code"
 *               0                dim                     stride-4   stride
 *               +----------------+-----------------------+----------+
 *               | u0 u1 ...      | 0 ...                 | c (i32)  |    stride = (dim + 4) up to 64
 *               +----------------+-----------------------+----------+
 *
 * The query's code is signed, s = u - 128, with zeros past dim, so a dot product over the whole stride
 * ignores c. With dp = sum u*s (exact in int32, VPDPBUSD's shape):
 *
 *   L2   key = |uq|^2 + c - 2*dp,  c = |u|^2 - 256*sum(u)      = sum (uq - u)^2 exactly, also for bytes
 *   IP   key = 128*sum(s) + c - dp,  c = 0                     = -sum (uq-128)(u-128)
 *
 * Every variant of the code kernels gives the scalar's integers; float variants differ from it in the
 * order of additions only (tests/hnsw/test_distance.c).                                            */
#ifndef SEAM_HNSW_DISTANCE_H
#define SEAM_HNSW_DISTANCE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { DIST_BATCH = 2 * 64 }; /* most rows in one call: the longest link list */

static inline int32_t dist_key(float d)
{
    int32_t i;

    memcpy(&i, &d, 4);
    return i ^ ((i >> 31) & 0x7fffffff);
}

static inline float dist_of_key(int32_t i)
{
    float d;

    i ^= (i >> 31) & 0x7fffffff;
    memcpy(&d, &i, 4);
    return d;
}

/* q and rows: `floats` floats (a multiple of 16).                                                  */
typedef void f32_kernel(const float *q, const uint8_t *const *rows, size_t n, size_t floats,
                        int32_t *keys);
/* s: the signed query; stride: bytes of a row (a multiple of 64); key = k0 + c - (dp << shift).     */
typedef void i8_kernel(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                       int32_t k0, int shift, int32_t *keys);

struct dist_kernels {
    const char *name;
    f32_kernel *l2, *ip; /* ip: key of -dot */
    i8_kernel *i8;
};

const struct dist_kernels *dist_kernels(void);        /* the best this machine runs */
/* Every variant this machine runs, scalar first; returns how many (at most 4).                     */
size_t dist_kernels_all(const struct dist_kernels *out[4]);

#endif
