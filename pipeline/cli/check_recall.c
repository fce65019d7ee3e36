/* check_recall - does the vector search still find what its contract promises? Live vectors are searched for as users
 * search, with the ef that serves, and compared with the exact answer. Fails only when the upper confidence bound of the
 * measured recall lies below the promise: a real drop, not an unlucky sample. */
#include "hnsw/tune.h"
#include "pipeline/cli/check.h"
#include "pipeline/sinks/vectors/vectors.h"

enum { SAMPLES = 500, NEAREST = 10 };

static const struct contract *promise_of(const struct contracts *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i].recall > 0) return &set->list[i];
    return NULL;
}

static void report(struct cli_check *k, const struct contract *by,
                   const struct hnsw_tune_check_result *r, bool kept)
{
    struct cli_check_record *rec = &k->record;

    rec->has_recall = true;
    rec->recall_mean = r->recall_mean;
    rec->recall_low = r->recall_low;
    rec->recall_high = r->recall_high;
    rec->promised = by->recall;
    rec->ef = r->ef;
    snprintf(rec->detail, sizeof rec->detail,
             "recall@%d %.4f (95 %%: %.4f to %.4f) at ef %u, promised %.3f", NEAREST,
             r->recall_mean, r->recall_low, r->recall_high, r->ef, by->recall);
    if (k->json == NULL) {
        printf("%s: recall@%d %.4f (95 %%: %.4f to %.4f; p5 %.3f) in %zu searches at ef %u, "
               "promised %.3f: %s\n",
               by->name, NEAREST, r->recall_mean, r->recall_low, r->recall_high, r->recall_p5,
               r->samples, r->ef, by->recall, kept ? "kept" : "broken");
        return;
    }
    seam_jw_key(k->json, "recall");
    seam_jw_object(k->json);
    seam_jw_key(k->json, "mean");
    seam_jw_double(k->json, r->recall_mean);
    seam_jw_key(k->json, "low");
    seam_jw_double(k->json, r->recall_low);
    seam_jw_key(k->json, "high");
    seam_jw_double(k->json, r->recall_high);
    seam_jw_key(k->json, "samples");
    seam_jw_uint(k->json, r->samples);
    seam_jw_key(k->json, "ef");
    seam_jw_uint(k->json, r->ef);
    seam_jw_key(k->json, "promised");
    seam_jw_double(k->json, by->recall);
    seam_jw_end_object(k->json);
}

enum seam_status check_recall(struct cli_check *k)
{
    struct seam_fault *f = &k->cli->fault;
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    struct hnsw_tune_check_result r = {0};
    const struct contract *by = promise_of(k->contracts);
    enum seam_status st;

    if (by == NULL || platform_sink_config(k->platform, by->to) == NULL) return SEAM_OK;
    st = sink_vectors_open_reader(k->platform, SEAM_LSN_MAX, &embedder, &graph, f);
    if (st == SEAM_NOT_FOUND) { /* nothing is served yet; freshness says so */
        seam_fault_clear(f);
        return SEAM_OK;
    }
    if (st == SEAM_OK) {
        st = hnsw_tune_check(graph,
                             &(struct hnsw_tune_ask){
                                 .samples = SAMPLES, .k = NEAREST, .recall = by->recall, .seed = 1},
                             &r, f);
        if (st == SEAM_OK || st == SEAM_DRIFT) report(k, by, &r, st == SEAM_OK);
    }
    hnsw_close(graph);
    embedder_close(embedder);
    return st;
}
