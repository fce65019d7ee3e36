/* regex - a regular expression as a small program, matched in time linear in the text. Private to the room.
 *
 *   literals . [classes] [^...] \d \w \s \D \W \S \b \B ^ $ (groups) (?:...) | * + ? {m,n}, each lazy with ?
 *
 * No backtracking: all ways are walked side by side (a Pike machine), so no pattern is slow. Text is UTF-8, a
 * character is a code point. Bounded: a pattern is COLUMNAR_REGEX_PROGRAM_MAX instructions at most.
 * Paper: Thompson, Regular Expression Search Algorithm (CACM 1968).                                */
#ifndef SEAM_COLUMNAR_REGEX_H
#define SEAM_COLUMNAR_REGEX_H

#include "engine/base/arena.h"
#include "engine/values/value.h"

enum {
    COLUMNAR_REGEX_PROGRAM_MAX = 4000,
    COLUMNAR_REGEX_GROUPS_MAX = 10,
    COLUMNAR_REGEX_SLOTS = 2 * COLUMNAR_REGEX_GROUPS_MAX
};

struct columnar_regex;

SEAM_MUST_USE enum seam_status columnar_regex_compile(struct seam_arena *a, const char *pattern,
                                                      size_t n, bool fold,
                                                      const struct columnar_regex **out,
                                                      struct seam_fault *f);
/* The first match at or after byte `from`: slots[2g], slots[2g+1] are the bytes of group g (-1: took no part); group
 * 0 is the whole. whole: the match must be the whole text. SEAM_END: none. Scratch is taken from `mem`. */
SEAM_MUST_USE enum seam_status columnar_regex_find(const struct columnar_regex *r, const char *s,
                                                   size_t n, size_t from, bool whole,
                                                   struct seam_arena *mem, int64_t *slots);
int columnar_regex_groups(const struct columnar_regex *r);

#endif
