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

static void report(struct check *k, const struct contract *by, const struct tune_check_result *r, bool kept)
{
    struct check_record *rec = &k->record;

    rec->has_recall = true;
    rec->recall_mean = r->recall_mean;
    rec->recall_low = r->recall_low;
    rec->recall_high = r->recall_high;
    rec->promised = by->recall;
    rec->ef = r->ef;
    snprintf(rec->detail, sizeof rec->detail, "recall@%d %.4f (95 %%: %.4f to %.4f) at ef %u, promised %.3f",
             NEAREST, r->recall_mean, r->recall_low, r->recall_high, r->ef, by->recall);
    if (k->json == NULL) {
        printf("%s: recall@%d %.4f (95 %%: %.4f to %.4f; p5 %.3f) in %zu searches at ef %u, promised %.3f: %s\n", by->name,
               NEAREST, r->recall_mean, r->recall_low, r->recall_high, r->recall_p5, r->samples, r->ef, by->recall,
               kept ? "kept" : "broken");
        return;
    }
    jw_key(k->json, "recall");
    jw_object(k->json);
    jw_key(k->json, "mean");
    jw_double(k->json, r->recall_mean);
    jw_key(k->json, "low");
    jw_double(k->json, r->recall_low);
    jw_key(k->json, "high");
    jw_double(k->json, r->recall_high);
    jw_key(k->json, "samples");
    jw_uint(k->json, r->samples);
    jw_key(k->json, "ef");
    jw_uint(k->json, r->ef);
    jw_key(k->json, "promised");
    jw_double(k->json, by->recall);
    jw_end_object(k->json);
}

enum status check_recall(struct check *k)
{
    struct fault *f = &k->cli->fault;
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    struct tune_check_result r = {0};
    const struct contract *by = promise_of(k->contracts);
    enum status st;

    if (by == NULL || platform_sink_config(k->platform, by->to) == NULL) return ST_OK;
    st = vectors_open_reader(k->platform, LSN_MAX, &embedder, &graph, f);
    if (st == ST_NOT_FOUND) { /* nothing is served yet; freshness says so */
        fault_clear(f);
        return ST_OK;
    }
    if (st == ST_OK) {
        st = tune_check(graph, NULL, 0, SAMPLES, NEAREST, by->recall, 1, &r, f);
        if (st == ST_OK || st == ST_DRIFT) report(k, by, &r, st == ST_OK);
    }
    hnsw_close(graph);
    embedder_close(embedder);
    return st;
}
