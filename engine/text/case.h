/* case - a code point's simple lower and upper case (UnicodeData of Unicode 14.0.0: one code point to one), and texts in
 * them. What has no such partner, and bytes that are not UTF-8, stay as they are. */
#ifndef SEAM_ENGINE_CASE_H
#define SEAM_ENGINE_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t seam_case_lower(uint32_t cp);
uint32_t seam_case_upper(uint32_t cp);
/* Writes s in lower (upper) case; out has room for 2 * n bytes. Returns how many it takes. */
size_t seam_text_lower(const char *s, size_t n, char *out);
size_t seam_text_upper(const char *s, size_t n, char *out);

#endif
