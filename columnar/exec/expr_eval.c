/* expr_eval - expressions a vector at a time. Operators on a dictionary vector run once per dictionary entry;
 * whatever has no loop of its own runs columnar_expr_apply row by row. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/format/kernels.h"

struct columnar_expr_state *columnar_expr_state_new(void)
{
    struct columnar_expr_state *s = calloc(1, sizeof *s);

    if (s != NULL) s->eval = columnar_expr_eval;
    return s;
}

enum seam_status columnar_expr_eval(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f)
{
    if (b->rows == 0) { /* constants that fail, fail for no row */
        columnar_expr_all_null(e, out);
        return SEAM_OK;
    }
    switch (e->op) {
    case COLUMNAR_E_COLUMN:
        assert(e->column < b->count);
        *out = b->cols[e->column];
        return SEAM_OK;
    case COLUMNAR_E_CONST: return columnar_expr_const_vec(s, e, out, f);
    case COLUMNAR_E_ADD:
    case COLUMNAR_E_SUB:
    case COLUMNAR_E_MUL:
    case COLUMNAR_E_DIV: return columnar_eval_arithmetic(s, e, b, out, f);
    case COLUMNAR_E_EQ:
    case COLUMNAR_E_NE:
    case COLUMNAR_E_LT:
    case COLUMNAR_E_LE:
    case COLUMNAR_E_GT:
    case COLUMNAR_E_GE:
    case COLUMNAR_E_IN:
    case COLUMNAR_E_LIKE:
    case COLUMNAR_E_AND:
    case COLUMNAR_E_OR:
    case COLUMNAR_E_NOT:
    case COLUMNAR_E_IS_NULL:
    case COLUMNAR_E_IS_NOT_NULL: return columnar_eval_cond(s, e, b, out, f);
    case COLUMNAR_E_CASE:
    case COLUMNAR_E_COALESCE: return columnar_eval_rows(s, e, b, out, f);
    case COLUMNAR_E_DATE_TRUNC: return columnar_eval_trunc(s, e, b, out, f);
    case COLUMNAR_E_CAST:
    case COLUMNAR_E_TRY_CAST: return columnar_eval_cast(s, e, b, out, f);
    default: return columnar_eval_generic(s, e, b, out, f);
    }
}

/* Row by row over sel: takes out the rows for which e is not true, marks those for which it fails. */
static enum seam_status filter_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, uint64_t *sel, uint64_t *failed)
{
    struct seam_value *row = columnar_expr_take(s, ((size_t)b->count + 1) * sizeof *row);

    if (row == NULL) return SEAM_NOMEM;
    for (size_t i = seam_bitset_next(sel, b->rows, 0); i < b->rows;
         i = seam_bitset_next(sel, b->rows, i + 1)) {
        struct seam_value v;
        enum seam_status st;

        for (int k = 0; k < b->count; k++)
            row[k] =
                b->cols[k].i == NULL ? seam_v_null() : columnar_vec_value(&b->cols[k], (uint32_t)i);
        st = columnar_expr_eval_row(e, row, &s->mem, &v, NULL);
        if (st == SEAM_NOMEM) return st;
        if (st != SEAM_OK)
            seam_bitset_set(failed, i);
        else if (v.type == SEAM_V_NULL || v.i == 0)
            seam_bitset_clear(sel, i);
    }
    return SEAM_OK;
}

enum seam_status columnar_expr_filter_failed(struct columnar_expr_state *s,
                                             const struct columnar_expr *e,
                                             const struct columnar_batch *b, uint64_t *sel,
                                             uint64_t *failed)
{
    struct columnar_bits bits;
    enum seam_status st = SEAM_OK;

    assert(b->rows <= COLUMNAR_VECTOR_ROWS);
    if (e->op == COLUMNAR_E_AND) {
        for (int k = 0; st == SEAM_OK && k < e->n_args; k++) {
            if (seam_bitset_next(sel, b->rows, 0) == b->rows) break;
            st = columnar_expr_filter_failed(s, e->args[k], b, sel, failed);
        }
        return st;
    }
    st = columnar_eval_bits(s, e, b, &bits, NULL);
    if (st == SEAM_NOMEM) return st;
    if (st != SEAM_OK) return filter_rows(s, e, b, sel, failed);
    for (int w = 0; w < COLUMNAR_VECTOR_WORDS; w++) sel[w] &= bits.yes[w];
    return SEAM_OK;
}

enum seam_status columnar_expr_raise(struct columnar_expr_state *s, const struct columnar_expr *e,
                                     const struct columnar_batch *b, const uint64_t *sel,
                                     const uint64_t *failed, struct seam_fault *f)
{
    for (uint32_t i = 0; i < b->rows; i++) {
        struct seam_value *row, v;
        enum seam_status st;

        if (!seam_bitset_get(sel, i) || !seam_bitset_get(failed, i)) continue;
        row = columnar_expr_take(s, ((size_t)b->count + 1) * sizeof *row);
        if (row == NULL) return columnar_expr_no_memory(f);
        for (int k = 0; k < b->count; k++)
            row[k] = b->cols[k].i == NULL ? seam_v_null() : columnar_vec_value(&b->cols[k], i);
        st = columnar_expr_eval_row(e, row, &s->mem, &v, f);
        if (st != SEAM_OK) return st;
    }
    return SEAM_OK;
}

enum seam_status columnar_expr_filter(struct columnar_expr_state *s, const struct columnar_expr *e,
                                      const struct columnar_batch *b,
                                      uint64_t sel[COLUMNAR_VECTOR_WORDS], struct seam_fault *f)
{
    uint64_t failed[COLUMNAR_VECTOR_WORDS] = {0};
    enum seam_status st = columnar_expr_filter_failed(s, e, b, sel, failed);

    if (st != SEAM_OK) return columnar_expr_no_memory(f);
    return columnar_expr_raise(s, e, b, sel, failed, f);
}
