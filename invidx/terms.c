/* terms - what a query's words are to this index, before anything is searched.                      */
#include "invidx/plan.h"
#include "invidx/query.h"

enum status invidx_query_terms(struct invidx_query *q, struct invidx_query_term *out, size_t max,
                               size_t *count, struct fault *f)
{
    static const struct invidx_request plain;
    struct plan *p = NULL;
    enum status st = plan_make(q, &plain, &p, f);

    *count = 0;
    if (st != ST_OK) return st;
    for (uint32_t i = 0; i < p->leaf_count && *count < max; i++) {
        const struct leaf *l = p->leaves[i];

        if (l->count == 0) continue;
        out[(*count)++] = (struct invidx_query_term){
            .text = l->terms[0].text,
            .len = l->terms[0].len,
            .phrase = l->phrase,
            .df = l->df,
            .idf = l->idf,
        };
    }
    return ST_OK;
}
