#include "engine/values/key.h"

#include <math.h>

enum { TAG_NULL = 1, TAG_INT = 2, TAG_DOUBLE = 3, TAG_TEXT = 4 };

static void put_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

static uint64_t get_be64(const uint8_t *p)
{
    return __builtin_bswap64(get_u64(p));
}

/* -0.0 equals 0.0 and every NaN equals every other, so each has one encoding.                    */
static uint64_t double_bits_ordered(double d)
{
    uint64_t u;

    if (d == 0) d = 0.0;
    if (isnan(d)) return 0xfff8000000000000ull;
    memcpy(&u, &d, 8);
    return (u >> 63) != 0 ? ~u : u | 1ull << 63;
}

static double double_from_ordered(uint64_t u)
{
    double d;

    u = (u >> 63) != 0 ? u & ~(1ull << 63) : ~u;
    memcpy(&d, &u, 8);
    return d;
}

static void append_text(struct buf *out, const char *s, size_t n)
{
    const char *end = s + n;

    if (!buf_reserve(out, n + 3)) return;
    buf_u8(out, TAG_TEXT);
    while (s < end) {
        const char *zero = memchr(s, 0, (size_t)(end - s));
        size_t run = (size_t)((zero != NULL ? zero : end) - s);

        buf_append(out, s, run);
        s += run;
        if (zero != NULL) {
            buf_append(out, "\x00\xff", 2);
            s++;
        }
    }
    buf_append(out, "\x00\x00", 2);
}

void key_append(struct buf *out, const struct value *v)
{
    uint8_t *p;

    if (v->type == V_NULL) {
        buf_u8(out, TAG_NULL);
        return;
    }
    if (v->type == V_TEXT) {
        append_text(out, v->s, v->len);
        return;
    }
    p = buf_extend(out, 9);
    if (p == NULL) return;
    if (v->type == V_DOUBLE) {
        p[0] = TAG_DOUBLE;
        put_be64(p + 1, double_bits_ordered(v->d));
    } else {
        p[0] = TAG_INT;
        put_be64(p + 1, (uint64_t)v->i ^ 1ull << 63);
    }
}

static enum status read_text(const uint8_t **p, const uint8_t *end, struct value *v,
                             struct buf *text)
{
    size_t start = text->size;
    const uint8_t *b = *p;

    for (;;) {
        const uint8_t *zero = b < end ? memchr(b, 0, (size_t)(end - b)) : NULL;

        if (zero == NULL || zero + 1 >= end) return ST_CORRUPT;
        buf_append(text, b, (size_t)(zero - b));
        b = zero + 2;
        if (zero[1] == 0x00) break;
        if (zero[1] != 0xff) return ST_CORRUPT;
        buf_u8(text, 0);
    }
    if (!buf_ok(text)) return ST_NOMEM;
    if (text->size - start > TEXT_MAX) return ST_CORRUPT;
    *v = v_text(text->size > start ? (const char *)text->data + start : "", text->size - start);
    *p = b;
    return ST_OK;
}

enum status key_read(const uint8_t **p, const uint8_t *end, enum value_type t, struct value *v,
                     struct buf *text)
{
    const uint8_t *b = *p;

    if (b >= end) return ST_CORRUPT;
    if (*b == TAG_NULL) {
        *v = v_null();
        *p = b + 1;
        return ST_OK;
    }
    if (t == V_TEXT) {
        const uint8_t *after = b + 1;
        enum status st = *b == TAG_TEXT ? read_text(&after, end, v, text) : ST_CORRUPT;

        if (st == ST_OK) *p = after;
        return st;
    }
    if (t == V_NULL || (unsigned)t >= V_TYPE_COUNT || end - b < 9) return ST_CORRUPT;
    if (*b != (t == V_DOUBLE ? TAG_DOUBLE : TAG_INT)) return ST_CORRUPT;
    *v = (struct value){.type = (uint8_t)t};
    if (t == V_DOUBLE)
        v->d = double_from_ordered(get_be64(b + 1));
    else
        v->i = (int64_t)(get_be64(b + 1) ^ 1ull << 63);
    *p = b + 9;
    return ST_OK;
}

bool key_successor(struct buf *key)
{
    while (key->size > 0) {
        if (key->data[key->size - 1] != 0xff) {
            key->data[key->size - 1]++;
            return true;
        }
        key->size--;
    }
    return false;
}
