/* buf - a growable run of bytes. Zero-initialise, append, free.
 *
 * Appends report SEAM_NOMEM once, by a sticky flag: build a whole message, then ask seam_buf_ok() before
 * using it. `limit` (0 = none) bounds growth, so hostile lengths cannot take the machine's memory. */
#ifndef SEAM_ENGINE_BUF_H
#define SEAM_ENGINE_BUF_H

#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

struct seam_buf {
    uint8_t *data;
    size_t size; /* bytes used */
    size_t cap;
    size_t limit; /* most bytes it may hold; 0 = no limit */
    bool failed;  /* an append ran out of memory or past limit; later appends do nothing */
};

void seam_buf_free(struct seam_buf *b);  /* frees and zeroes; keeps nothing            */
void seam_buf_clear(struct seam_buf *b); /* size = 0, failed = false, keeps the memory */
bool seam_buf_equal(const struct seam_buf *a, const struct seam_buf *b); /* false when one failed */
bool seam_buf_reserve(struct seam_buf *b,
                      size_t extra); /* room for `extra` more bytes               */
void *seam_buf_extend(struct seam_buf *b,
                      size_t n); /* n uninitialised bytes, or NULL             */
void seam_buf_append(struct seam_buf *b, const void *p, size_t n);
void seam_buf_str(struct seam_buf *b,
                  const char *s); /* without the terminator                     */
void seam_buf_printf(struct seam_buf *b, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
void seam_buf_vprintf(struct seam_buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
const char *
seam_buf_cstr(struct seam_buf *b); /* terminated (the 0 is not counted); "" when failed */
static inline bool seam_buf_ok(const struct seam_buf *b)
{
    return !b->failed;
}
/* SEAM_OK, or seam_no_memory(f, what) when an append failed. For buffers without a limit.            */
SEAM_MUST_USE enum seam_status seam_buf_check(const struct seam_buf *b, struct seam_fault *f,
                                              const char *what);

void seam_buf_u8(struct seam_buf *b, uint8_t v);
void seam_buf_u16(struct seam_buf *b, uint16_t v);
void seam_buf_u32(struct seam_buf *b, uint32_t v);
void seam_buf_u64(struct seam_buf *b, uint64_t v);
void seam_buf_varint(struct seam_buf *b, uint64_t v);
void seam_buf_lenstr(struct seam_buf *b, const void *p,
                     size_t n); /* varint length, then the bytes */

/* A bounded reader over bytes from disk: every getter checks the end and, on the first failure,
 * sets `bad` and returns zeros from then on, so that a decoder may read a whole header and ask
 * once. `pos - start` is the offset for the fault.                                               */
struct seam_reader {
    const uint8_t *start, *pos, *end;
    bool bad;
};

struct seam_reader seam_reader_of(const void *p, size_t n);
uint8_t seam_read_u8(struct seam_reader *r);
uint16_t seam_read_u16(struct seam_reader *r);
uint32_t seam_read_u32(struct seam_reader *r);
uint64_t seam_read_u64(struct seam_reader *r);
uint64_t seam_read_varint(struct seam_reader *r);
const uint8_t *seam_read_bytes(struct seam_reader *r, size_t n); /* NULL when short */
const uint8_t *seam_read_lenstr(struct seam_reader *r, size_t max,
                                size_t *n); /* NULL when short or > max */
static inline size_t seam_reader_left(const struct seam_reader *r)
{
    return (size_t)(r->end - r->pos);
}
static inline size_t seam_reader_offset(const struct seam_reader *r)
{
    return (size_t)(r->pos - r->start);
}

#ifdef __cplusplus
}
#endif

#endif
