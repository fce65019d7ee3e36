/* terms - what a query's words are to this index, before anything is searched.                      */
#include "invidx/plan.h"
#include "invidx/query.h"

#include <assert.h>

enum seam_status invidx_query_terms(struct invidx_query *q, struct invidx_query_term *out,
                                    size_t max, size_t *count, struct seam_fault *f)
{
    static const struct invidx_request plain;
    struct invidx_plan *p = NULL;
    enum seam_status st = invidx_plan_make(q, &plain, &p, f);
    assert(out != NULL || max == 0);
    assert(count != NULL);

    *count = 0;
    if (st != SEAM_OK) return st;
    for (uint32_t i = 0; i < p->leaf_count && *count < max; i++) {
        const struct invidx_leaf *l = p->leaves[i];

        if (l->count == 0) continue;
        assert(*count < max);
        out[(*count)++] = (struct invidx_query_term){
            .text = l->terms[0].text,
            .len = l->terms[0].len,
            .phrase = l->phrase,
            .df = l->df,
            .idf = l->idf,
        };
    }
    return SEAM_OK;
}
