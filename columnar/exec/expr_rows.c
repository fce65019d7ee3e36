/* expr_rows - operators by rows, or once per dictionary entry. */
#include <assert.h>
#include <stdlib.h>

#include "columnar/exec/expr_eval.h"
#include "columnar/format/kernels.h"

/* Everything lazily, as columnar_expr_eval_row does it: for CASE and for what failed eagerly. */
enum seam_status columnar_eval_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                    const struct columnar_batch *b, struct columnar_vec *out,
                                    struct seam_fault *f)
{
    struct seam_value *row = columnar_expr_take(s, ((size_t)b->count + 1) * sizeof *row);
    struct columnar_cells c;
    enum seam_status st = SEAM_OK;

    if (row == NULL || !columnar_expr_cells_init(s, e->type, &c)) return columnar_expr_no_memory(f);
    for (uint32_t i = 0; st == SEAM_OK && i < b->rows; i++) {
        struct seam_value v;

        for (int k = 0; k < b->count; k++)
            row[k] = b->cols[k].i == NULL ? seam_v_null() : columnar_vec_value(&b->cols[k], i);
        st = columnar_expr_eval_row(e, row, &s->mem, &v, f);
        if (st == SEAM_OK) columnar_cells_put(&c, i, &v);
    }
    columnar_expr_cells_vec(&c, e, out);
    return st;
}

static enum seam_status apply_rows(struct columnar_expr_state *s, const struct columnar_expr *e,
                                   const struct columnar_vec *args, uint32_t rows,
                                   struct columnar_cells *c, struct seam_fault *f)
{
    struct seam_value few[4], *values = few;
    enum seam_status st = SEAM_OK;

    if (e->n_args > (int)SEAM_ARRAY_LEN(few))
        values = columnar_expr_take(s, (size_t)e->n_args * sizeof *values);
    if (values == NULL) return columnar_expr_no_memory(f);
    for (uint32_t i = 0; st == SEAM_OK && i < rows; i++) {
        struct seam_value v;

        for (int k = 0; k < e->n_args; k++) values[k] = columnar_vec_value(&args[k], i);
        st = columnar_expr_apply(e, values, &s->mem, &v, f);
        if (st == SEAM_OK) columnar_cells_put(c, i, &v);
    }
    return st;
}

/* Strict operators: over one dictionary and constants, once per entry. */
enum seam_status columnar_eval_generic(struct columnar_expr_state *s, const struct columnar_expr *e,
                                       const struct columnar_batch *b, struct columnar_vec *out,
                                       struct seam_fault *f)
{
    struct columnar_vec *args = columnar_expr_take(s, (size_t)e->n_args * sizeof *args);
    int dict = -1, flat = 0;
    uint32_t rows = b->rows;
    struct columnar_cells c;
    struct columnar_vec saved;
    enum seam_status st = SEAM_OK;

    if (args == NULL) return columnar_expr_no_memory(f);
    for (int k = 0; st == SEAM_OK && k < e->n_args; k++) {
        st = s->eval(s, e->args[k], b, &args[k], f);
        if (st != SEAM_OK) return st;
        if (args[k].kind == COLUMNAR_VEC_FLAT)
            flat++;
        else if (args[k].kind == COLUMNAR_VEC_DICT && dict >= 0)
            flat++;
        else if (args[k].kind == COLUMNAR_VEC_DICT)
            dict = k;
    }
    if (flat == 0 && dict >= 0 && args[dict].dict_count <= rows && e->op != COLUMNAR_E_CONCAT) {
        saved = args[dict];
        args[dict].kind = COLUMNAR_VEC_FLAT;
        args[dict].nulls = NULL;
        if (!columnar_expr_cells_init(s, e->type, &c)) return columnar_expr_no_memory(f);
        st = apply_rows(s, e, args, saved.dict_count, &c, f);
        columnar_expr_cells_vec(&c, e, out);
        /* An entry whose result is null would need a null per code: only then go by rows. */
        if (st == SEAM_OK && out->nulls == NULL) {
            out->kind = COLUMNAR_VEC_DICT;
            out->code = saved.code;
            out->dict_count = saved.dict_count;
            out->nulls = saved.nulls;
            return SEAM_OK;
        }
        if (st == SEAM_NOMEM) return st;
        if (st != SEAM_OK && f != NULL)
            seam_fault_clear(f); /* an entry no row has may be the culprit */
        args[dict] = saved;
    }
    if (flat == 0 && dict < 0) rows = 1;
    if (!columnar_expr_cells_init(s, e->type, &c)) return columnar_expr_no_memory(f);
    st = apply_rows(s, e, args, rows, &c, f);
    columnar_expr_cells_vec(&c, e, out);
    if (flat == 0 && dict < 0) {
        out->kind = COLUMNAR_VEC_CONST;
        if (e->type != SEAM_V_TEXT && e->type != SEAM_V_DOUBLE) out->lo = out->hi = out->i[0];
    }
    return st;
}
