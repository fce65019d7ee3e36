/* eval_internal - what eval.c keeps and eval_measure.c reads. Private to pipeline/eval*.c.          */
#ifndef SEAM_PIPELINE_EVAL_INTERNAL_H
#define SEAM_PIPELINE_EVAL_INTERNAL_H

#include "pipeline/relevance/eval.h"

#define NAMES_NONE UINT32_MAX
struct eval_names {
    char **name;
    uint32_t count, cap, *slots, mask;
};
uint32_t embed_names_find(const struct eval_names *n, const char *s);
uint32_t embed_names_add(struct eval_names *n, const char *s);

struct eval_judgement {
    uint32_t query, doc;
    int grade;
};
struct eval_qrels {
    struct eval_names queries, docs;
    struct eval_judgement *list;
    size_t count, cap;
    uint32_t *slots, mask; /* (query, doc) to place in list + 1 */
};

struct eval_run_entry {
    uint32_t query, doc;
    float score;
};
struct eval_run {
    struct eval_names queries, docs;
    struct eval_run_entry *list;
    size_t count, cap;
    bool sorted; /* by query, then best first under trec_eval's rule */
    char tag[EVAL_NAME_MAX];
};
void eval_run_sort(struct eval_run *r);

#endif
