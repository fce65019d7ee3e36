/* expr_eval - what the files of the vector evaluator share: its memory, and how an operator has its
 * arguments evaluated (handed to it as a function, so that no file needs the one above it). */
#ifndef SEAM_COLUMNAR_EXPR_EVAL_H
#define SEAM_COLUMNAR_EXPR_EVAL_H

#include "columnar/exec/expr_impl.h"

struct columnar_pool_block;
struct columnar_expr_state {
    struct seam_arena mem; /* text made by functions */
    struct columnar_pool_block *first, *now;
    size_t used; /* of `now` */
    enum seam_status (*eval)(struct columnar_expr_state *s, const struct columnar_expr *e,
                             const struct columnar_batch *b, struct columnar_vec *out,
                             struct seam_fault *f);
};

/* Memory until the next reset; NULL when there is none. */
void *columnar_expr_take(struct columnar_expr_state *s, size_t n);
enum seam_status columnar_expr_no_memory(struct seam_fault *f);
/* Nulls of either side (b may be NULL); *out NULL when there are none. CONST sides are all or nothing. */
enum seam_status columnar_expr_merge_nulls(struct columnar_expr_state *s,
                                           const struct columnar_vec *a,
                                           const struct columnar_vec *b, bool *all_null,
                                           const uint64_t **out, struct seam_fault *f);
void columnar_expr_all_null(const struct columnar_expr *e, struct columnar_vec *out);
/* A constant as a CONST vector. */
enum seam_status columnar_expr_const_vec(struct columnar_expr_state *s,
                                         const struct columnar_expr *e, struct columnar_vec *out,
                                         struct seam_fault *f);
/* DICT as FLAT; others stay. */
enum seam_status columnar_expr_flatten(struct columnar_expr_state *s, struct columnar_vec *v,
                                       uint32_t rows, struct seam_fault *f);
bool columnar_expr_cells_init(struct columnar_expr_state *s, unsigned type,
                              struct columnar_cells *c);
void columnar_expr_cells_vec(const struct columnar_cells *c, const struct columnar_expr *e,
                             struct columnar_vec *out);

/* Row by row, as columnar_expr_eval_row does it: for CASE, and for what failed eagerly. */
enum seam_status columnar_eval_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f);
/* Strict operators without a loop of their own: over one dictionary and constants, once per entry. */
enum seam_status columnar_eval_generic(struct columnar_expr_state *s, const struct columnar_expr *e,
                                       const struct columnar_batch *b, struct columnar_vec *out,
                                       struct seam_fault *f);
enum seam_status columnar_eval_arithmetic(struct columnar_expr_state *s,
                                          const struct columnar_expr *e,
                                          const struct columnar_batch *b, struct columnar_vec *out,
                                          struct seam_fault *f);
enum seam_status columnar_eval_trunc(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *b, struct columnar_vec *out,
                                     struct seam_fault *f);
enum seam_status columnar_eval_cast(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f);

/* A condition as two bitmaps. */
struct columnar_bits {
    uint64_t yes[COLUMNAR_VECTOR_WORDS], null[COLUMNAR_VECTOR_WORDS];
};
enum seam_status columnar_eval_bits(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_bits *out,
                                    struct seam_fault *f);
enum seam_status columnar_eval_cond(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f);

#endif
