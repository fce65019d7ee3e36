/* func - scalar functions beyond the operators of expr.h, found by name.
 *
 * A function is a row in a table: its name, what its arguments are, what it gives, and how one row's arguments
 * become its value (func_text.c, func_number.c, func_time.c). Null in, null out, unless it says otherwise. */
#ifndef SEAM_COLUMNAR_FUNC_H
#define SEAM_COLUMNAR_FUNC_H

#include "columnar/exec/expr_impl.h"

struct columnar_func {
    const char *name;
    /* One letter an argument: t text, i int, d double, n any number, T time, a any, b bool; | the rest is optional,
     * * the last letter any number of times. Numbers and text constants are cast. */
    const char *args;
    char gives; /* the same letters; n: the first argument's type; z: it, without decimal places */
    bool nulls; /* looks at nulls itself */
    enum seam_status (*eval)(const struct columnar_func_call *c, const struct seam_value *args,
                             int n, struct seam_arena *mem, struct seam_value *out,
                             struct seam_fault *f);
    /* Made once from constant arguments (a pattern); may be NULL. */
    enum seam_status (*prepare)(struct seam_arena *a, const struct columnar_expr *const *args,
                                int n, const void **state, struct seam_fault *f);
};

extern const struct columnar_func columnar_text_funcs[], columnar_number_funcs[],
    columnar_time_funcs[], columnar_regex_funcs[];
extern const int columnar_text_func_count, columnar_number_func_count, columnar_time_func_count,
    columnar_regex_func_count;

/* SEAM_NOT_FOUND (no fault set): there is no such function. */
SEAM_MUST_USE enum seam_status columnar_expr_func(struct seam_arena *a, const char *name,
                                                  const struct columnar_expr *const *args, int n,
                                                  const struct columnar_expr **out,
                                                  struct seam_fault *f);
/* Names, for "did you mean": fills at most max, returns how many. */
size_t columnar_func_names(const char **out, size_t max);

#endif
