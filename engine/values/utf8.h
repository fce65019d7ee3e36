/* utf8 - decode, encode, validate. Invalid bytes decode as U+FFFD and advance by one.              */
#ifndef SEAM_ENGINE_UTF8_H
#define SEAM_ENGINE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t seam_utf8_next(const char **p, const char *end);
size_t seam_utf8_put(uint32_t cp, char out[4]); /* 0 for what is not a scalar value */
bool seam_utf8_valid(const char *s, size_t n);

#endif
