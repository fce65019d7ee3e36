/* expr_impl - what the files of the expression evaluator share. Private to the room.               */
#ifndef SEAM_COLUMNAR_EXPR_IMPL_H
#define SEAM_COLUMNAR_EXPR_IMPL_H

#include "columnar/exec/expr.h"

/* LIKE as the parts between its '%': the first is anchored at the start, the last at the end. */
struct columnar_like_part {
    const char *s;
    uint32_t len;
    const uint8_t *any; /* any[i]: byte i is '_' */
    bool wild;
};
struct columnar_like_pattern {
    int count; /* parts; count - 1 '%' */
    struct columnar_like_part *parts;
    uint32_t min_len;
};
/* fold: in lower case. An empty escape is none; SEAM_INVALID: the pattern ends with it. */
SEAM_MUST_USE enum seam_status columnar_like_prepare(struct seam_arena *a,
                                                     const struct seam_value *pattern,
                                                     const struct seam_value *escape, bool fold,
                                                     const struct columnar_like_pattern **out,
                                                     struct seam_fault *f);
bool columnar_like_match(const struct columnar_like_pattern *p, const char *s, size_t n);

/* IN: the constants of the value's type, sorted, without nulls. */
struct columnar_in_set {
    size_t count;
    const struct seam_value *values;
    bool has_null;
};
bool columnar_in_set_has(const struct columnar_in_set *s, const struct seam_value *v);

/* A call of a function by name (func.h). */
struct columnar_func_call {
    const char *name;
    bool nulls; /* looks at nulls itself */
    enum seam_status (*eval)(const struct columnar_func_call *c, const struct seam_value *args,
                             int n, struct seam_arena *mem, struct seam_value *out,
                             struct seam_fault *f);
    const void *state;
};
SEAM_MUST_USE enum seam_status
columnar_expr_func_node(struct seam_arena *a, const struct columnar_func_call *call, unsigned type,
                        unsigned scale, const struct columnar_expr *const *args, int n,
                        const struct columnar_expr **out, struct seam_fault *f);

/* One operator on one row's arguments (not AND, OR, CASE, COALESCE, which look at nulls themselves). */
SEAM_MUST_USE enum seam_status columnar_expr_apply(const struct columnar_expr *e,
                                                   const struct seam_value *args,
                                                   struct seam_arena *mem, struct seam_value *out,
                                                   struct seam_fault *f);
/* Characters: bytes that do not continue one. */
int64_t columnar_text_length(const char *s, size_t n);
/* Sets the fault at the place the expression was written. */
enum seam_status columnar_expr_fails(const struct columnar_expr *e, struct seam_fault *f,
                                     enum seam_status st, const char *why);
enum seam_status columnar_expr_overflow(const struct columnar_expr *e, struct seam_fault *f);
int64_t columnar_date_trunc(enum columnar_date_part part, int64_t us);
int64_t columnar_date_part_of(enum columnar_date_part part, int64_t us);

#endif
