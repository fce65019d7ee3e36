/* sorted - row numbers of kept rows in the order of some columns. */
#include "columnar/exec/sorted.h"

#include <assert.h>
#include <stdlib.h>

struct ctx {
    const struct columnar_coldata *d;
    const struct columnar_plan_key *keys;
    int n;
};

int columnar_rows_compare(const struct columnar_coldata *d, const struct columnar_plan_key *keys,
                          int n, size_t x, size_t y)
{
    for (int k = 0; k < n; k++) {
        struct seam_value a = columnar_coldata_value(d, keys[k].column, x),
                          b = columnar_coldata_value(d, keys[k].column, y);
        int c;

        if (a.type == SEAM_V_NULL || b.type == SEAM_V_NULL) {
            if (a.type == b.type) continue;
            return (a.type == SEAM_V_NULL) == keys[k].nulls_first ? -1 : 1;
        }
        c = seam_value_compare(&a, &b);
        if (c != 0) return keys[k].descending ? -c : c;
    }
    return 0;
}

static int by_keys(const void *pa, const void *pb, void *arg)
{
    const struct ctx *x = arg;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    int c = columnar_rows_compare(x->d, x->keys, x->n, a, b);

    return c != 0 ? c : (a > b) - (a < b);
}

void columnar_rows_sort(const struct columnar_coldata *d, const struct columnar_plan_key *keys,
                        int n, uint32_t *rows, size_t count)
{
    struct ctx x = {d, keys, n};

    assert(rows != NULL || count == 0);
    if (count > 1) qsort_r(rows, count, sizeof *rows, by_keys, &x);
}

uint32_t *columnar_rows_sorted(const struct columnar_coldata *d,
                               const struct columnar_plan_key *keys, int n)
{
    uint32_t *rows = d->rows < UINT32_MAX ? malloc((d->rows + 1) * sizeof *rows) : NULL;

    if (rows == NULL) return NULL;
    for (size_t i = 0; i < d->rows; i++) rows[i] = (uint32_t)i;
    columnar_rows_sort(d, keys, n, rows, d->rows);
    return rows;
}
