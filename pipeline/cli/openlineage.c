/* openlineage - the seams as OpenLineage run events, one JSON object a line: what feeds what, and up to where. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/hash.h"
#include "pipeline/cli/check.h"
#include "pipeline/trust/freshness.h"

static void dataset(struct json_writer *w, const struct platform *p, const char *store,
                    const char *object, lsn_t lsn)
{
    char name[160], namespace[80];

    snprintf(namespace, sizeof namespace, "seam://%s", p->id);
    snprintf(name, sizeof name, "%s/%s", store, object);
    jw_object(w);
    jw_key(w, "namespace");
    jw_str(w, namespace);
    jw_key(w, "name");
    jw_str(w, name);
    jw_key(w, "facets");
    jw_object(w);
    jw_key(w, "version");
    jw_object(w);
    jw_key(w, "_producer");
    jw_str(w, "urn:seam");
    jw_key(w, "_schemaURL");
    jw_str(w, "https://openlineage.io/spec/facets/1-0-0/DatasetVersionDatasetFacet.json");
    jw_key(w, "datasetVersion");
    snprintf(name, sizeof name, "%" PRIu64, lsn);
    jw_str(w, name);
    jw_end_object(w);
    jw_end_object(w);
    jw_end_object(w);
}

/* Contracts' objects are the datasets; the LSN is their version. */
static void datasets(struct json_writer *w, const struct platform *p, const struct contract *c,
                     const char *store, lsn_t lsn)
{
    jw_array(w);
    for (const struct json *o = json_get(c->root, "schema")->child; o != NULL; o = o->next)
        dataset(w, p, store, json_string(o, "physicalName", json_string(o, "name", "")), lsn);
    jw_end_array(w);
}

/* The same seam up to the same LSN is the same run: its id is a hash of both, shaped as a UUID. */
static void run_id(const struct platform *p, const struct freshness *x, char out[37])
{
    char text[256];
    struct hash128 h;

    snprintf(text, sizeof text, "%s %s %" PRIu64, p->id, x->contract->name, x->to);
    h = siphash128(text, strlen(text));
    snprintf(out, 37, "%08x-%04x-8%03x-8%03x-%012llx", (unsigned)(h.lo >> 32),
             (unsigned)(h.lo >> 16 & 0xffff), (unsigned)(h.lo & 0xfff), (unsigned)(h.hi >> 52),
             (unsigned long long)(h.hi & 0xffffffffffffull));
}

static void run_event(struct buf *out, const struct platform *p, const struct freshness *x)
{
    struct json_writer w;
    char id[37], when[40], namespace[80];

    run_id(p, x, id);
    snprintf(namespace, sizeof namespace, "seam://%s", p->id);
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "eventType");
    jw_str(&w, x->state == FRESH_CURRENT || x->state == FRESH_STOPPED ? "COMPLETE" : "RUNNING");
    jw_key(&w, "eventTime");
    jw_strn(&w, when, time_format(clock_wall_us(p->clock), when));
    jw_key(&w, "producer");
    jw_str(&w, "urn:seam");
    jw_key(&w, "schemaURL");
    jw_str(&w, "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent");
    jw_key(&w, "run");
    jw_object(&w);
    jw_key(&w, "runId");
    jw_str(&w, id);
    jw_end_object(&w);
    jw_key(&w, "job");
    jw_object(&w);
    jw_key(&w, "namespace");
    jw_str(&w, namespace);
    jw_key(&w, "name");
    jw_str(&w, x->contract->name);
    jw_end_object(&w);
    jw_key(&w, "inputs");
    datasets(&w, p, x->contract, x->contract->from, x->to);
    jw_key(&w, "outputs");
    datasets(&w, p, x->contract, x->contract->to, x->to);
    jw_end_object(&w);
    buf_str(out, "\n");
}

int print_openlineage(struct cli *c, const struct platform *p)
{
    struct contracts contracts;
    struct arena arena = {0};
    struct freshness list[CONTRACTS_MAX];
    struct buf b = {0};
    size_t n = 0;
    enum status st = contracts_load(&arena, &contracts, &c->fault);

    if (st == ST_OK) st = freshness_measure(p, &contracts, list, &n, &c->fault);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        run_event(&b, p, &list[i]);
    if (st == ST_OK) cli_print(&b);
    buf_free(&b);
    arena_free(&arena);
    return st == ST_OK ? EXIT_FINE : cli_fail(c, st);
}
