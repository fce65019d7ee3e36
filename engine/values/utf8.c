/* utf8 - one code point at a time, strict about what is one. */
#include "engine/values/utf8.h"

#include <string.h>

/* Bytes of the sequence that starts with b, 0 when none does; *low and *high bound the second byte,
 * which is what rules out over-long forms, surrogates and what lies beyond U+10FFFF (Unicode, table
 * 3-7).                                                                                          */
static unsigned sequence(uint8_t b, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (b < 0x80) return 1;
    if (b < 0xc2) return 0;
    if (b < 0xe0) return 2;
    if (b < 0xf0) {
        if (b == 0xe0) *low = 0xa0;
        if (b == 0xed) *high = 0x9f;
        return 3;
    }
    if (b < 0xf5) {
        if (b == 0xf0) *low = 0x90;
        if (b == 0xf4) *high = 0x8f;
        return 4;
    }
    return 0;
}

/* The code point at p and its length; 0 when the bytes are not UTF-8.                            */
static unsigned decode(const uint8_t *p, size_t left, uint32_t *cp)
{
    static const uint8_t lead_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint8_t low, high;
    unsigned n = sequence(p[0], &low, &high);

    if (n == 0 || n > left) return 0;
    *cp = p[0] & lead_mask[n];
    for (unsigned i = 1; i < n; i++) {
        if (p[i] < low || p[i] > high) return 0;
        *cp = *cp << 6 | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

uint32_t seam_utf8_next(const char **p, const char *end)
{
    uint32_t cp;
    unsigned n;

    if (*p >= end) return 0xfffd;
    if ((uint8_t) * *p < 0x80) return (uint8_t) * (*p)++;
    n = decode((const uint8_t *)*p, (size_t)(end - *p), &cp);
    *p += n > 0 ? n : 1;
    return n > 0 ? cp : 0xfffd;
}

size_t seam_utf8_put(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xd800 && cp < 0xe000) return 0;
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    if (cp > 0x10ffff) return 0;
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

bool seam_utf8_valid(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s, *end = p + n;

    while (p < end) {
        uint32_t cp;
        unsigned len;

        if (end - p >= 8) {
            uint64_t word;

            memcpy(&word, p, 8);
            if ((word & 0x8080808080808080ull) == 0) {
                p += 8;
                continue;
            }
        }
        len = decode(p, (size_t)(end - p), &cp);
        if (len == 0) return false;
        p += len;
    }
    return true;
}
