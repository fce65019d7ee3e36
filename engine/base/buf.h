/* buf - a growable run of bytes. Zero-initialise, append, free.
 *
 * Appends report ST_NOMEM once, by a sticky flag: build a whole message, then ask buf_ok() before
 * using it. `limit` (0 = none) bounds growth, so hostile lengths cannot take the machine's memory. */
#ifndef SEAM_ENGINE_BUF_H
#define SEAM_ENGINE_BUF_H

#include <stdarg.h>
#include "engine/base/bytes.h"
#include "engine/base/status.h"

struct buf {
    uint8_t *data;
    size_t size;  /* bytes used */
    size_t cap;
    size_t limit; /* most bytes it may hold; 0 = no limit */
    bool failed;  /* an append ran out of memory or past limit; later appends do nothing */
};

void buf_free(struct buf *b);                 /* frees and zeroes; keeps nothing            */
void buf_clear(struct buf *b);                /* size = 0, failed = false, keeps the memory */
bool buf_equal(const struct buf *a, const struct buf *b); /* false when one failed */
bool buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes               */
void *buf_extend(struct buf *b, size_t n);    /* n uninitialised bytes, or NULL             */
void buf_append(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);   /* without the terminator                     */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
const char *buf_cstr(struct buf *b);          /* terminated (the 0 is not counted); "" when failed */
static inline bool buf_ok(const struct buf *b) { return !b->failed; }

void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);
void buf_lenstr(struct buf *b, const void *p, size_t n); /* varint length, then the bytes */

/* A bounded reader over bytes from disk: every getter checks the end and, on the first failure,
 * sets `bad` and returns zeros from then on, so that a decoder may read a whole header and ask
 * once. `pos - start` is the offset for the fault.                                               */
struct reader {
    const uint8_t *start, *pos, *end;
    bool bad;
};

struct reader reader_of(const void *p, size_t n);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
uint64_t read_varint(struct reader *r);
const uint8_t *read_bytes(struct reader *r, size_t n);                /* NULL when short */
const uint8_t *read_lenstr(struct reader *r, size_t max, size_t *n);  /* NULL when short or > max */
static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->pos); }
static inline size_t reader_offset(const struct reader *r) { return (size_t)(r->pos - r->start); }

#endif
