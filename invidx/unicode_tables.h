/* unicode_tables - what folding needs of Unicode, sorted by code point. Private to the room.
 *
 * separators: ranges from 0x80 whose assigned members are neither letter, number nor mark.
 * lower: code point to its lower case, where that is one other code point.
 * fold: code point to its case fold without accents (NFKD, marks dropped; also ae, oe, ss, th, and the
 *   crossed letters to their plain ones), where that differs from the lower case; at most 6 bytes of UTF-8.
 *   An empty text drops the code point (combining marks).                                             */
#ifndef SEAM_INVIDX_UNICODE_TABLES_H
#define SEAM_INVIDX_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct invidx_unicode_range {
    uint32_t from, to;
};
struct invidx_unicode_pair {
    uint16_t from, to;
};
struct invidx_unicode_text {
    uint16_t from;
    char to[7];
};

extern const struct invidx_unicode_range invidx_unicode_separators[];
extern const size_t invidx_unicode_separators_count;
extern const struct invidx_unicode_pair invidx_unicode_lower[];
extern const size_t invidx_unicode_lower_count;
extern const struct invidx_unicode_text invidx_unicode_fold[];
extern const size_t invidx_unicode_fold_count;

#endif
