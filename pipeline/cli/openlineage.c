/* openlineage - the seams as OpenLineage run events, one JSON object a line: what feeds what, and up to where. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/hash.h"
#include "pipeline/cli/check.h"
#include "pipeline/trust/freshness.h"

static void dataset(struct seam_json_writer *w, const struct platform *p, const char *store,
                    const char *object, seam_lsn_t lsn)
{
    char name[160], namespace[80];

    snprintf(namespace, sizeof namespace, "seam://%s", p->id);
    snprintf(name, sizeof name, "%s/%s", store, object);
    seam_jw_object(w);
    seam_jw_key(w, "namespace");
    seam_jw_str(w, namespace);
    seam_jw_key(w, "name");
    seam_jw_str(w, name);
    seam_jw_key(w, "facets");
    seam_jw_object(w);
    seam_jw_key(w, "version");
    seam_jw_object(w);
    seam_jw_key(w, "_producer");
    seam_jw_str(w, "urn:seam");
    seam_jw_key(w, "_schemaURL");
    seam_jw_str(w, "https://openlineage.io/spec/facets/1-0-0/DatasetVersionDatasetFacet.json");
    seam_jw_key(w, "datasetVersion");
    snprintf(name, sizeof name, "%" PRIu64, lsn);
    seam_jw_str(w, name);
    seam_jw_end_object(w);
    seam_jw_end_object(w);
    seam_jw_end_object(w);
}

/* Contracts' objects are the datasets; the LSN is their version. */
static void datasets(struct seam_json_writer *w, const struct platform *p, const struct contract *c,
                     const char *store, seam_lsn_t lsn)
{
    seam_jw_array(w);
    for (const struct seam_json *o = seam_json_get(c->root, "schema")->child; o != NULL;
         o = o->next)
        dataset(w, p, store, seam_json_string(o, "physicalName", seam_json_string(o, "name", "")),
                lsn);
    seam_jw_end_array(w);
}

/* The same seam up to the same LSN is the same run: its id is a hash of both, shaped as a UUID. */
static void run_id(const struct platform *p, const struct freshness *x, char out[37])
{
    char text[256];
    struct seam_hash128 h;

    snprintf(text, sizeof text, "%s %s %" PRIu64, p->id, x->contract->name, x->to);
    h = seam_siphash128(text, strlen(text));
    snprintf(out, 37, "%08x-%04x-8%03x-8%03x-%012llx", (unsigned)(h.lo >> 32),
             (unsigned)(h.lo >> 16 & 0xffff), (unsigned)(h.lo & 0xfff), (unsigned)(h.hi >> 52),
             (unsigned long long)(h.hi & 0xffffffffffffull));
}

static void run_event(struct seam_buf *out, const struct platform *p, const struct freshness *x)
{
    struct seam_json_writer w;
    char id[37], when[40], namespace[80];

    run_id(p, x, id);
    snprintf(namespace, sizeof namespace, "seam://%s", p->id);
    seam_jw_init(&w, out);
    seam_jw_object(&w);
    seam_jw_key(&w, "eventType");
    seam_jw_str(&w,
                x->state == FRESH_CURRENT || x->state == FRESH_STOPPED ? "COMPLETE" : "RUNNING");
    seam_jw_key(&w, "eventTime");
    seam_jw_strn(&w, when, seam_time_format(seam_clock_wall_us(p->clock), when));
    seam_jw_key(&w, "producer");
    seam_jw_str(&w, "urn:seam");
    seam_jw_key(&w, "schemaURL");
    seam_jw_str(&w, "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent");
    seam_jw_key(&w, "run");
    seam_jw_object(&w);
    seam_jw_key(&w, "runId");
    seam_jw_str(&w, id);
    seam_jw_end_object(&w);
    seam_jw_key(&w, "job");
    seam_jw_object(&w);
    seam_jw_key(&w, "namespace");
    seam_jw_str(&w, namespace);
    seam_jw_key(&w, "name");
    seam_jw_str(&w, x->contract->name);
    seam_jw_end_object(&w);
    seam_jw_key(&w, "inputs");
    datasets(&w, p, x->contract, x->contract->from, x->to);
    seam_jw_key(&w, "outputs");
    datasets(&w, p, x->contract, x->contract->to, x->to);
    seam_jw_end_object(&w);
    seam_buf_str(out, "\n");
}

int print_openlineage(struct cli *c, const struct platform *p)
{
    struct contracts contracts;
    struct seam_arena arena = {0};
    struct freshness list[CONTRACTS_MAX];
    struct seam_buf b = {0};
    size_t n = 0;
    enum seam_status st = contracts_load(&arena, &contracts, &c->fault);

    if (st == SEAM_OK) st = freshness_measure(p, &contracts, list, &n, &c->fault);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) run_event(&b, p, &list[i]);
    if (st == SEAM_OK) cli_print(&b);
    seam_buf_free(&b);
    seam_arena_free(&arena);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
