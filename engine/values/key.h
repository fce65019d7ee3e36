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

#ifdef __cplusplus
extern "C" {
#endif

void seam_key_append(struct seam_buf *out, const struct seam_value *v);
/* Reads one part as type t (scale is the caller's) and moves *p. Text is unescaped into `text`.
 * SEAM_CORRUPT when the bytes are not such a part.                                                  */
SEAM_MUST_USE enum seam_status seam_key_read(const uint8_t **p, const uint8_t *end,
                                             enum seam_value_type t, struct seam_value *v,
                                             struct seam_buf *text);
/* The smallest key greater than every key that starts with `prefix`; false when there is none (all 0xff). */
bool seam_key_successor(struct seam_buf *key);
static inline int seam_key_compare(const void *a, size_t na, const void *b, size_t nb)
{
    size_t n = na < nb ? na : nb;
    int c = n > 0 ? memcmp(a, b, n) : 0; /* of size 0: may be NULL */

    return c != 0 ? c : (na > nb) - (na < nb);
}

#ifdef __cplusplus
}
#endif

#endif
