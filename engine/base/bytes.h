/* bytes - little-endian fixed-width integers, LEB128 varints and zigzag, on unaligned memory.
 *
 * No struct is ever cast onto disk bytes; these are the only way in and out. The varint reader is
 * bounded by `end` and refuses more than 10 bytes, so hostile input cannot run off a page.       */
#ifndef SEAM_ENGINE_BYTES_H
#define SEAM_ENGINE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "seam's formats are little-endian and its accessors assume a little-endian machine"
#endif

static inline uint16_t seam_get_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline uint32_t seam_get_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t seam_get_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline void seam_put_u16(void *p, uint16_t v)
{
    memcpy(p, &v, 2);
}
static inline void seam_put_u32(void *p, uint32_t v)
{
    memcpy(p, &v, 4);
}
static inline void seam_put_u64(void *p, uint64_t v)
{
    memcpy(p, &v, 8);
}
static inline float seam_get_f32(const void *p)
{
    float v;
    memcpy(&v, p, 4);
    return v;
}
static inline double seam_get_f64(const void *p)
{
    double v;
    memcpy(&v, p, 8);
    return v;
}
static inline void seam_put_f32(void *p, float v)
{
    memcpy(p, &v, 4);
}
static inline void seam_put_f64(void *p, double v)
{
    memcpy(p, &v, 8);
}

static inline uint64_t seam_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t seam_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

enum { SEAM_VARINT_MAX = 10 };

/* Writes 1..10 bytes at p and returns how many.                                                  */
static inline size_t seam_put_varint(void *p, uint64_t v)
{
    uint8_t *b = (uint8_t *)p;
    size_t n = 0;

    while (v >= 0x80) {
        b[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (uint8_t)v;
    return n;
}

/* Reads a varint in [*p, end), moves *p past it and returns 1; on a truncated or over-long
 * encoding returns 0 and leaves *p alone.                                                        */
static inline int seam_get_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    const uint8_t *b = *p;
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && b < end; shift += 7) {
        uint8_t byte = *b++;

        if (shift == 63 && byte > 1) return 0;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *p = b;
            *out = v;
            return 1;
        }
    }
    return 0;
}

static inline size_t seam_varint_size(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

#ifdef __cplusplus
}
#endif

#endif
