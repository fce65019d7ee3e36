#include "engine/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAP = 64 };

void buf_free(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = false;
}

bool buf_equal(const struct buf *a, const struct buf *b)
{
    return buf_ok(a) && buf_ok(b) && a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

bool buf_reserve(struct buf *b, size_t extra)
{
    size_t need, cap;
    uint8_t *grown;

    if (b->failed) return false;
    if (extra <= b->cap - b->size) return true; /* cap never passes limit */
    if (extra > SIZE_MAX / 2 - b->size) goto fail;
    need = b->size + extra;
    if (b->limit != 0 && need > b->limit) goto fail;
    cap = b->cap < BUF_FIRST_CAP ? BUF_FIRST_CAP : b->cap + b->cap / 2;
    if (cap < need) cap = need;
    if (b->limit != 0 && cap > b->limit) cap = b->limit;
    grown = realloc(b->data, cap);
    if (grown == NULL) goto fail;
    b->data = grown;
    b->cap = cap;
    return true;
fail:
    b->failed = true;
    return false;
}

void *buf_extend(struct buf *b, size_t n)
{
    uint8_t *p;

    if (!buf_reserve(b, n == 0 ? 1 : n)) return NULL;
    p = b->data + b->size;
    b->size += n;
    return p;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_reserve(b, n)) return;
    memcpy(b->data + b->size, p, n);
    b->size += n;
}

void buf_str(struct buf *b, const char *s) { buf_append(b, s, strlen(s)); }

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int n;

    if (!buf_reserve(b, 1)) return;
    va_copy(again, args);
    n = vsnprintf((char *)b->data + b->size, b->cap - b->size, fmt, args);
    if (n < 0) b->failed = true;
    if (n >= 0 && (size_t)n >= b->cap - b->size) {
        /* vsnprintf writes its terminator too */
        if (!buf_reserve(b, (size_t)n + 1)) n = -1;
        else vsnprintf((char *)b->data + b->size, b->cap - b->size, fmt, again);
    }
    va_end(again);
    if (n > 0) b->size += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 1)) return "";
    b->data[b->size] = 0;
    return (const char *)b->data;
}

void buf_u8(struct buf *b, uint8_t v) { buf_append(b, &v, 1); }
void buf_u16(struct buf *b, uint16_t v) { buf_append(b, &v, 2); }
void buf_u32(struct buf *b, uint32_t v) { buf_append(b, &v, 4); }
void buf_u64(struct buf *b, uint64_t v) { buf_append(b, &v, 8); }

void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];

    buf_append(b, bytes, put_varint(bytes, v));
}

void buf_lenstr(struct buf *b, const void *p, size_t n)
{
    buf_varint(b, n);
    buf_append(b, p, n);
}

/* ---- reading ---- */

struct reader reader_of(const void *p, size_t n)
{
    return (struct reader){.start = p, .pos = p, .end = (const uint8_t *)p + n};
}

const uint8_t *read_bytes(struct reader *r, size_t n)
{
    const uint8_t *p = r->pos;

    if (r->bad || n > reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    r->pos += n;
    return p;
}

uint8_t read_u8(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 1);

    return p != NULL ? *p : 0;
}

uint16_t read_u16(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 2);

    return p != NULL ? get_u16(p) : 0;
}

uint32_t read_u32(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 4);

    return p != NULL ? get_u32(p) : 0;
}

uint64_t read_u64(struct reader *r)
{
    const uint8_t *p = read_bytes(r, 8);

    return p != NULL ? get_u64(p) : 0;
}

uint64_t read_varint(struct reader *r)
{
    uint64_t v = 0;

    if (r->bad || !get_varint(&r->pos, r->end, &v)) {
        r->bad = true;
        return 0;
    }
    return v;
}

const uint8_t *read_lenstr(struct reader *r, size_t max, size_t *n)
{
    uint64_t len = read_varint(r);

    *n = 0;
    if (r->bad || len > max || len > reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    *n = (size_t)len;
    return read_bytes(r, (size_t)len);
}
