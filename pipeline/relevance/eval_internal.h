/* eval_internal - what eval.c keeps and eval_measure.c reads. Private to pipeline/eval*.c.          */
#ifndef SEAM_PIPELINE_EVAL_INTERNAL_H
#define SEAM_PIPELINE_EVAL_INTERNAL_H

#include "pipeline/relevance/eval.h"

#define NAMES_NONE UINT32_MAX
struct names { char **name; uint32_t count, cap, *slots, mask; };
uint32_t names_find(const struct names *n, const char *s);
uint32_t names_add(struct names *n, const char *s);

struct judgement { uint32_t query, doc; int grade; };
struct qrels {
    struct names queries, docs;
    struct judgement *list;
    size_t count, cap;
    uint32_t *slots, mask; /* (query, doc) to place in list + 1 */
};

struct run_entry { uint32_t query, doc; float score; };
struct run {
    struct names queries, docs;
    struct run_entry *list;
    size_t count, cap;
    bool sorted; /* by query, then best first under trec_eval's rule */
    char tag[EVAL_NAME_MAX];
};
void run_sort(struct run *r);

#endif
