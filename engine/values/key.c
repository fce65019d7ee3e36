/* key - each type to bytes that compare as its values do, and back. */
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
    return __builtin_bswap64(seam_get_u64(p));
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

static void append_text(struct seam_buf *out, const char *s, size_t n)
{
    const char *end = s + n;

    if (!seam_buf_reserve(out, n + 3)) return;
    seam_buf_u8(out, TAG_TEXT);
    while (s < end) {
        const char *zero = memchr(s, 0, (size_t)(end - s));
        size_t run = (size_t)((zero != NULL ? zero : end) - s);

        seam_buf_append(out, s, run);
        s += run;
        if (zero != NULL) {
            seam_buf_append(out, "\x00\xff", 2);
            s++;
        }
    }
    seam_buf_append(out, "\x00\x00", 2);
}

void seam_key_append(struct seam_buf *out, const struct seam_value *v)
{
    uint8_t *p;

    if (v->type == SEAM_V_NULL) {
        seam_buf_u8(out, TAG_NULL);
        return;
    }
    if (v->type == SEAM_V_TEXT) {
        append_text(out, v->s, v->len);
        return;
    }
    p = seam_buf_extend(out, 9);
    if (p == NULL) return;
    if (v->type == SEAM_V_DOUBLE) {
        p[0] = TAG_DOUBLE;
        put_be64(p + 1, double_bits_ordered(v->d));
    } else {
        p[0] = TAG_INT;
        put_be64(p + 1, (uint64_t)v->i ^ 1ull << 63);
    }
}

static enum seam_status read_text(const uint8_t **p, const uint8_t *end, struct seam_value *v,
                                  struct seam_buf *text)
{
    size_t start = text->size;
    const uint8_t *b = *p;

    for (;;) {
        const uint8_t *zero = b < end ? memchr(b, 0, (size_t)(end - b)) : NULL;

        if (zero == NULL || zero + 1 >= end) return SEAM_CORRUPT;
        seam_buf_append(text, b, (size_t)(zero - b));
        b = zero + 2;
        if (zero[1] == 0x00) break;
        if (zero[1] != 0xff) return SEAM_CORRUPT;
        seam_buf_u8(text, 0);
    }
    if (!seam_buf_ok(text)) return SEAM_NOMEM;
    if (text->size - start > SEAM_TEXT_MAX) return SEAM_CORRUPT;
    *v =
        seam_v_text(text->size > start ? (const char *)text->data + start : "", text->size - start);
    *p = b;
    return SEAM_OK;
}

enum seam_status seam_key_read(const uint8_t **p, const uint8_t *end, enum seam_value_type t,
                               struct seam_value *v, struct seam_buf *text)
{
    const uint8_t *b = *p;

    if (b >= end) return SEAM_CORRUPT;
    if (*b == TAG_NULL) {
        *v = seam_v_null();
        *p = b + 1;
        return SEAM_OK;
    }
    if (t == SEAM_V_TEXT) {
        const uint8_t *after = b + 1;
        enum seam_status st = *b == TAG_TEXT ? read_text(&after, end, v, text) : SEAM_CORRUPT;

        if (st == SEAM_OK) *p = after;
        return st;
    }
    if (t == SEAM_V_NULL || (unsigned)t >= SEAM_V_TYPE_COUNT || end - b < 9) return SEAM_CORRUPT;
    if (*b != (t == SEAM_V_DOUBLE ? TAG_DOUBLE : TAG_INT)) return SEAM_CORRUPT;
    *v = (struct seam_value){.type = (uint8_t)t};
    if (t == SEAM_V_DOUBLE)
        v->d = double_from_ordered(get_be64(b + 1));
    else
        v->i = (int64_t)(get_be64(b + 1) ^ 1ull << 63);
    *p = b + 9;
    return SEAM_OK;
}

bool seam_key_successor(struct seam_buf *key)
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
