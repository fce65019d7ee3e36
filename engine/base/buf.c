/* buf - growing, appending, and the failure that stays until somebody asks. */
#include "engine/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAP = 64 };

void seam_buf_free(struct seam_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

void seam_buf_clear(struct seam_buf *b)
{
    b->size = 0;
    b->failed = false;
}

bool seam_buf_equal(const struct seam_buf *a, const struct seam_buf *b)
{
    return seam_buf_ok(a) && seam_buf_ok(b) && a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

bool seam_buf_reserve(struct seam_buf *b, size_t extra)
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

enum seam_status seam_buf_check(const struct seam_buf *b, struct seam_fault *f, const char *what)
{
    return seam_buf_ok(b) ? SEAM_OK : seam_no_memory(f, what);
}

void *seam_buf_extend(struct seam_buf *b, size_t n)
{
    uint8_t *p;

    if (!seam_buf_reserve(b, n == 0 ? 1 : n)) return NULL;
    p = b->data + b->size;
    b->size += n;
    return p;
}

void seam_buf_append(struct seam_buf *b, const void *p, size_t n)
{
    if (n == 0 || !seam_buf_reserve(b, n)) return;
    memcpy(b->data + b->size, p, n);
    b->size += n;
}

void seam_buf_str(struct seam_buf *b, const char *s)
{
    seam_buf_append(b, s, strlen(s));
}

void seam_buf_vprintf(struct seam_buf *b, const char *fmt, va_list args)
{
    va_list again;
    int n;

    if (!seam_buf_reserve(b, 1)) return;
    va_copy(again, args);
    n = vsnprintf((char *)b->data + b->size, b->cap - b->size, fmt, args);
    if (n < 0) b->failed = true;
    if (n >= 0 && (size_t)n >= b->cap - b->size) {
        /* vsnprintf writes its terminator too */
        if (!seam_buf_reserve(b, (size_t)n + 1))
            n = -1;
        else
            vsnprintf((char *)b->data + b->size, b->cap - b->size, fmt, again);
    }
    va_end(again);
    if (n > 0) b->size += (size_t)n;
}

void seam_buf_printf(struct seam_buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    seam_buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *seam_buf_cstr(struct seam_buf *b)
{
    if (!seam_buf_reserve(b, 1)) return "";
    b->data[b->size] = 0;
    return (const char *)b->data;
}

void seam_buf_u8(struct seam_buf *b, uint8_t v)
{
    seam_buf_append(b, &v, 1);
}
void seam_buf_u16(struct seam_buf *b, uint16_t v)
{
    seam_buf_append(b, &v, 2);
}
void seam_buf_u32(struct seam_buf *b, uint32_t v)
{
    seam_buf_append(b, &v, 4);
}
void seam_buf_u64(struct seam_buf *b, uint64_t v)
{
    seam_buf_append(b, &v, 8);
}

void seam_buf_varint(struct seam_buf *b, uint64_t v)
{
    uint8_t bytes[SEAM_VARINT_MAX];

    seam_buf_append(b, bytes, seam_put_varint(bytes, v));
}

void seam_buf_lenstr(struct seam_buf *b, const void *p, size_t n)
{
    seam_buf_varint(b, n);
    seam_buf_append(b, p, n);
}

/* ---- reading ---- */

struct seam_reader seam_reader_of(const void *p, size_t n)
{
    return (struct seam_reader){.start = p, .pos = p, .end = (const uint8_t *)p + n};
}

const uint8_t *seam_read_bytes(struct seam_reader *r, size_t n)
{
    const uint8_t *p = r->pos;

    if (r->bad || n > seam_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    r->pos += n;
    return p;
}

uint8_t seam_read_u8(struct seam_reader *r)
{
    const uint8_t *p = seam_read_bytes(r, 1);

    return p != NULL ? *p : 0;
}

uint16_t seam_read_u16(struct seam_reader *r)
{
    const uint8_t *p = seam_read_bytes(r, 2);

    return p != NULL ? seam_get_u16(p) : 0;
}

uint32_t seam_read_u32(struct seam_reader *r)
{
    const uint8_t *p = seam_read_bytes(r, 4);

    return p != NULL ? seam_get_u32(p) : 0;
}

uint64_t seam_read_u64(struct seam_reader *r)
{
    const uint8_t *p = seam_read_bytes(r, 8);

    return p != NULL ? seam_get_u64(p) : 0;
}

uint64_t seam_read_varint(struct seam_reader *r)
{
    uint64_t v = 0;

    if (r->bad || !seam_get_varint(&r->pos, r->end, &v)) {
        r->bad = true;
        return 0;
    }
    return v;
}

const uint8_t *seam_read_lenstr(struct seam_reader *r, size_t max, size_t *n)
{
    uint64_t len = seam_read_varint(r);

    *n = 0;
    if (r->bad || len > max || len > seam_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    *n = (size_t)len;
    return seam_read_bytes(r, (size_t)len);
}
