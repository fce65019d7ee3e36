/* compare_print - tables of a comparison, for a terminal and for docs/measured/relevance.md.                  */
#include <stdlib.h>
#include <string.h>

#include "pipeline/relevance/compare.h"

enum { ROUNDS = 20000, CLASSES_MAX = 12 };

static void ndcgs(const struct compare_outcome *o, double *out)
{
    for (size_t i = 0; i < o->result.count; i++) out[i] = o->result.queries[i].s.ndcg;
}

double compare_class_ndcg(const struct compare_set *set, const struct compare_outcome *o,
                          const char *class)
{
    double sum = 0.0;
    size_t n = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (class != NULL && strcmp(set->queries[i].class, class) != 0) continue;
        sum += o->result.queries[i].s.ndcg;
        n++;
    }
    return n > 0 ? sum / (double)n : 0.0;
}

static size_t classes_of(const struct compare_set *set, const char *out[CLASSES_MAX],
                         size_t counts[CLASSES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < set->count; i++) {
        size_t c = 0;

        while (c < n && strcmp(out[c], set->queries[i].class) != 0) c++;
        if (c == CLASSES_MAX) continue;
        if (c == n) {
            out[n] = set->queries[i].class;
            counts[n++] = 0;
        }
        counts[c]++;
    }
    return n;
}

static void print_measures(const struct compare_set *set, const struct compare_outcome *o, size_t n,
                           size_t base, struct seam_buf *out)
{
    double *a = calloc(set->count + 1, sizeof *a), *b = calloc(set->count + 1, sizeof *b);

    seam_buf_printf(out,
                    "| %-24s | nDCG@10 | 2^g-1 | MRR@10 | R@100 |  P@5  |  MAP  | judged |   vs "
                    "%-8s | 95 %% interval    |    p    | win/tie/loss |\n",
                    "", o[base].variant.name);
    seam_buf_printf(out,
                    "|--------------------------|---------|-------|--------|-------|-------|-------"
                    "|--------|---------------|------------------|---------|--------------|\n");
    if (a != NULL) ndcgs(&o[base], a);
    for (size_t i = 0; i < n; i++) {
        const struct eval_scores *s = &o[i].result.mean;
        struct eval_comparison c = {.p_randomization = 1.0};

        if (a != NULL && b != NULL) {
            ndcgs(&o[i], b);
            eval_compare(a, b, set->count, ROUNDS, 1, &c);
        }
        seam_buf_printf(out, "| %-24s | %.4f  | %.3f | %.3f  | %.3f | %.3f | %.3f | %.3f  |",
                        o[i].variant.name, s->ndcg, s->ndcg_exp, s->mrr, s->recall, s->p, s->map,
                        s->judged);
        if (i == base)
            seam_buf_printf(out, "               |                  |         |              |\n");
        else
            seam_buf_printf(
                out, " %+.4f (%+.1f%%) | %+.4f..%+.4f | %.4f  | %zu/%zu/%zu |\n", c.mean_difference,
                o[base].result.mean.ndcg > 0 ? 100.0 * c.mean_difference / o[base].result.mean.ndcg
                                             : 0.0,
                c.low, c.high, c.p_randomization, c.wins, c.ties, c.losses);
    }
    free(a);
    free(b);
}

void compare_print(const struct compare_set *set, const struct compare_outcome *o, size_t n,
                   size_t base, struct seam_buf *out)
{
    const char *class[CLASSES_MAX];
    size_t counts[CLASSES_MAX], classes = classes_of(set, class, counts);

    print_measures(set, o, n, base, out);
    if (classes < 2) return;
    seam_buf_printf(out, "\nnDCG@10 by class (number of queries)\n\n| %-24s |", "");
    for (size_t c = 0; c < classes; c++) seam_buf_printf(out, " %s (%zu) |", class[c], counts[c]);
    seam_buf_str(out, "\n|--------------------------|");
    for (size_t c = 0; c < classes; c++) seam_buf_str(out, "---|");
    seam_buf_str(out, "\n");
    for (size_t i = 0; i < n; i++) {
        seam_buf_printf(out, "| %-24s |", o[i].variant.name);
        for (size_t c = 0; c < classes; c++)
            seam_buf_printf(out, " %.3f |", compare_class_ndcg(set, &o[i], class[c]));
        seam_buf_str(out, "\n");
    }
}

void compare_print_losses(const struct compare_set *set, const struct compare_outcome *a,
                          const struct compare_outcome *b, size_t most, struct seam_buf *out)
{
    bool *told = calloc(set->count + 1, sizeof *told);

    for (size_t k = 0; told != NULL && k < most; k++) {
        double worst = -1e-9;
        size_t at = set->count;

        for (size_t i = 0; i < set->count; i++) {
            double d = b->result.queries[i].s.ndcg - a->result.queries[i].s.ndcg;

            if (told[i] || d >= worst) continue;
            worst = d;
            at = i;
        }
        if (at == set->count) break;
        told[at] = true;
        seam_buf_printf(out, "| %s | %s | %s | %.3f | %.3f |\n", set->queries[at].id,
                        set->queries[at].class, set->queries[at].text, a->result.queries[at].s.ndcg,
                        b->result.queries[at].s.ndcg);
    }
    free(told);
}
