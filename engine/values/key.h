/* key - typed values as byte strings whose memcmp order is the values' order.
 *
 *   each part:  tag byte, then
 *     null       0x01
 *     int-like   0x02  8 bytes big-endian, sign bit flipped        (INT, DECIMAL, BOOL, TIME)
 *     double     0x03  8 bytes big-endian; negative: all bits flipped, else sign bit flipped
 *     text       0x04  bytes with 0x00 -> 0x00 0xff, ended by 0x00 0x00
 *
 * Parts follow one another, so a composite key sorts by its first part, then its second. Self-delimiting:
 * a key of the first parts is a prefix that bounds a range scan.                                  */
#ifndef SEAM_ENGINE_KEY_H
#define SEAM_ENGINE_KEY_H

#include "engine/base/buf.h"
#include "engine/values/value.h"

void key_append(struct buf *out, const struct value *v);
/* Reads one part as type t (scale is the caller's) and moves *p. Text is unescaped into `text`.
 * ST_CORRUPT when the bytes are not such a part.                                                  */
MUST_USE enum status key_read(const uint8_t **p, const uint8_t *end, enum value_type t, struct value *v,
                              struct buf *text);
/* The smallest key greater than every key that starts with `prefix`; false when there is none (all 0xff). */
bool key_successor(struct buf *key);
static inline int key_compare(const void *a, size_t na, const void *b, size_t nb)
{
    int c = memcmp(a, b, na < nb ? na : nb);

    return c != 0 ? c : (na > nb) - (na < nb);
}

#endif
