/* distance - one query against many rows at once, as sortable 32-bit keys.
 *
 * A distance becomes an int32 whose order is the distance's order (dist_key), so that a candidate is one
 * int64, (key << 32 | node << 1 | expanded), and the whole search compares single integers: floats and
 * 8-bit codes walk through the same code, and ties go to the older node.
 *
 * Rows in memory (64-byte aligned where speed matters, zero-padded so that no kernel has a tail):
 *
 *   float row   dim floats, zeros up to a multiple of 16 floats                     "vector"
 *   code row    dim bytes u, zeros, and in the last 8 bytes two constants           "code"
 *               0                dim                     stride-8   stride-4   stride
 *               +----------------+-----------------------+----------+----------+
 *               | u0 u1 ...      | 0 ...                 | c (i32)  | sum(i32) |
 *               +----------------+-----------------------+----------+----------+
 *               stride = (dim + 8) up to 64;  with s = u - 128:  c = |s|^2 (IP: 0),  sum = sum of s
 *
 * The query's code is signed, with zeros past dim, so a dot product over the whole stride ignores the
 * constants. With dp = sum over d of u[d] * sq[d] (exact in int32, the shape of VPDPBUSD):
 *
 *   L2   key = |sq|^2 + 256 sum(sq) + c - 2 dp   = |uq - u|^2 exactly, also for bytes
 *   IP   key = 128 sum(sq) + c - dp              = -(sq . s)
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
enum { CODE_CONSTANTS = 8 };
static inline size_t code_stride(uint32_t dim)
{
    return ((size_t)dim + CODE_CONSTANTS + 63) / 64 * 64;
}

/* s: the signed query; stride: bytes of a row (a multiple of 64); key = k0 + c - (dp << shift).     */
typedef void i8_kernel(const int8_t *s, const uint8_t *const *rows, size_t n, size_t stride,
                       int32_t k0, int shift, int32_t *keys);

/* part[j] = sum of squares over floats [from, to) of rows[j], j < 4.                                */
typedef void l2_part_kernel(const float *q, const uint8_t *const rows[4], size_t from, size_t to,
                            float part[4]);

/* The row u as a signed query: s = u - 128, zeros where the constants are.                          */
typedef void flip_kernel(const uint8_t *u, size_t stride, int8_t *s);

struct hnsw_dist_kernels {
    const char *name;
    f32_kernel *l2, *ip; /* ip: key of -dot */
    i8_kernel *i8;
    l2_part_kernel *l2_part;
    flip_kernel *flip;
};

/* As k->l2, but a row whose key exceeds `bound` may be given any key that exceeds it: a sum of squares only
 * grows, so a long row is left as soon as its first part is too far. With the dimensions stored in order of
 * falling variance (graph.h) about half of the bytes are never fetched. INT32_MAX = no bound.       */
void hnsw_dist_l2_bounded(const struct hnsw_dist_kernels *k, const float *q,
                          const uint8_t *const *rows, size_t n, size_t floats, int32_t bound,
                          int32_t *keys);

const struct hnsw_dist_kernels *hnsw_dist_kernels(void); /* the best this machine runs */
/* Every variant this machine runs, scalar first; returns how many (at most 4).                     */
size_t hnsw_dist_kernels_all(const struct hnsw_dist_kernels *out[4]);

#endif
