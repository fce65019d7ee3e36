/* expr_impl - what the files of the expression evaluator share. Private to the room.               */
#ifndef SEAM_COLUMNAR_EXPR_IMPL_H
#define SEAM_COLUMNAR_EXPR_IMPL_H

#include "columnar/exec/expr.h"

/* LIKE as the parts between its '%': the first is anchored at the start, the last at the end. */
struct like_part { const char *s; uint32_t len; const uint8_t *any; /* any[i]: byte i is '_' */ bool wild; };
struct like_pattern {
    int count;               /* parts; count - 1 '%' */
    struct like_part *parts;
    bool fold;               /* ILIKE: parts are in lower case */
    uint32_t min_len;
};
MUST_USE enum status like_prepare(struct arena *a, const struct value *pattern, bool fold,
                                  const struct like_pattern **out, struct fault *f);
bool like_match(const struct like_pattern *p, const char *s, size_t n);
/* The first place of a part at or after s, or NULL. */
const char *like_find(const struct like_part *part, bool fold, const char *s, const char *end);

/* IN: the constants of the value's type, sorted, without nulls. */
struct in_set { size_t count; const struct value *values; bool has_null; };
bool in_set_has(const struct in_set *s, const struct value *v);

/* One operator on one row's arguments (not AND, OR, CASE, COALESCE, which look at nulls themselves). */
MUST_USE enum status expr_apply(const struct expr *e, const struct value *args, struct arena *mem,
                                struct value *out, struct fault *f);
int64_t date_trunc(enum date_part part, int64_t us);
int64_t date_part_of(enum date_part part, int64_t us);
static inline uint8_t fold_byte(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

#endif
