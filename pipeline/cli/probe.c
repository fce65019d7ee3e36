#include "pipeline/cli/probe.h"

#include <string.h>

#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/vectors/vectors.h"

const char *probe_name(enum cli_probe_store s)
{
    static const char *const names[] = {"warehouse", "gold", "view", "search", "vectors"};

    return names[s];
}

enum seam_status probes_open(struct cli_probes *p, const struct platform *platform,
                             struct seam_fault *f)
{
    struct columnar_options o = {.clock = platform->clock};
    struct embedder *embedder = NULL;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st;

    *p = (struct cli_probes){.platform = platform};
    st = platform_sink_path(platform, "warehouse", dir, f);
    if (st == SEAM_OK) st = columnar_open_reader(platform->io, dir, &o, &p->warehouse, f);
    if (st == SEAM_OK) st = platform_sink_path(platform, "gold", dir, f);
    if (st == SEAM_OK) st = columnar_open_reader(platform->io, dir, &o, &p->gold, f);
    if (st == SEAM_OK) st = platform_sink_path(platform, "view", dir, f);
    if (st == SEAM_OK) st = view_reader_open(platform->io, dir, &p->view, f);
    if (st == SEAM_OK) st = platform_sink_path(platform, "search", dir, f);
    if (st == SEAM_OK) st = invidx_reader_open(platform->io, dir, SEAM_LSN_MAX, &p->words, f);
    if (st == SEAM_OK)
        st = sink_vectors_open_reader(platform, SEAM_LSN_MAX, &embedder, &p->graph, f);
    embedder_close(embedder);
    if (st != SEAM_OK) probes_close(p);
    return st;
}

void probes_close(struct cli_probes *p)
{
    columnar_close_reader(p->warehouse);
    columnar_close_reader(p->gold);
    view_reader_close(p->view);
    invidx_reader_close(p->words);
    hnsw_close(p->graph);
    *p = (struct cli_probes){0};
}

enum seam_status probe_revenue(struct cli_probes *p, const char *category, int64_t *revenue,
                               struct seam_fault *f)
{
    struct seam_value key = seam_v_str(category), row[VIEW_COLUMNS_MAX];
    enum seam_status st = view_get(p->view, "revenue_by_category", &key, 1, row, NULL);

    (void)f;
    *revenue = st == SEAM_OK ? row[3].i : 0;
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

enum seam_status probe_gold_revenue(struct cli_probes *p, int64_t day_us, const char *category,
                                    int64_t *revenue, struct seam_fault *f)
{
    struct seam_value key[2] = {seam_v_time(day_us), seam_v_str(category)}, row[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int table = columnar_table(p->gold, "gold_daily_revenue");
    enum seam_status st = table < 0
                              ? SEAM_NOT_FOUND
                              : columnar_get(p->gold, table, key, SEAM_LSN_MAX, row, &text, NULL);

    (void)f;
    *revenue = st == SEAM_OK ? row[4].i : 0;
    seam_buf_free(&text);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

static enum seam_status look_warehouse(struct cli_probes *p, const struct cli_expectation *e,
                                       bool *seen, seam_lsn_t *applied, struct seam_fault *f)
{
    struct seam_value key = seam_v_int(e->product), row[SEAM_COLUMNS_MAX];
    struct seam_buf text = {0};
    int table;
    enum seam_status st = columnar_refresh(p->warehouse, NULL, f);

    *applied = columnar_applied(p->warehouse);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    table = columnar_table(p->warehouse, "silver_products");
    st = columnar_get(p->warehouse, table, &key, SEAM_LSN_MAX, row, &text, NULL);
    if (e->gone)
        *seen = st == SEAM_NOT_FOUND;
    else
        *seen = st == SEAM_OK &&
                (e->price.type == SEAM_V_NULL ||
                 seam_value_equal(
                     &row[seam_schema_column(columnar_schema(p->warehouse, table), "price")],
                     &e->price));
    seam_buf_free(&text);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

static enum seam_status look_gold(struct cli_probes *p, const struct cli_expectation *e, bool *seen,
                                  seam_lsn_t *applied, struct seam_fault *f)
{
    int64_t revenue;
    enum seam_status st = columnar_refresh(p->gold, NULL, f);

    *applied = columnar_applied(p->gold);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->category == NULL) return st;
    st = probe_gold_revenue(p, e->day_us, e->category, &revenue, f);
    *seen = st == SEAM_OK && revenue != 0;
    return st;
}

static enum seam_status look_view(struct cli_probes *p, const struct cli_expectation *e, bool *seen,
                                  seam_lsn_t *applied, struct seam_fault *f)
{
    struct view_position at;
    int64_t revenue;
    enum seam_status st = view_reader_refresh(p->view, f);

    view_reader_position(p->view, &at);
    *applied = at.lsn;
    *seen = at.lsn >= e->lsn;
    if (st != SEAM_OK || !*seen || e->category == NULL) return st;
    st = probe_revenue(p, e->category, &revenue, f);
    *seen = st == SEAM_OK && revenue == e->revenue;
    return st;
}

static enum seam_status finds(struct cli_probes *p, const struct cli_expectation *e, bool *found,
                              struct seam_fault *f)
{
    struct invidx_query *q = NULL;
    struct invidx_hit hits[10];
    struct invidx_request request = {.k = 10};
    struct invidx_result result = {.hits = hits};
    enum seam_status st = invidx_query_new(p->words, &q, f);

    *found = false;
    if (st == SEAM_OK) st = invidx_query_words(q, e->word, strlen(e->word), INVIDX_AND, f);
    if (st == SEAM_OK) st = invidx_search(p->words, q, &request, &result, f);
    for (size_t i = 0; st == SEAM_OK && i < result.count; i++)
        *found |= hits[i].key == sink_key_of_id(e->product);
    invidx_query_free(q);
    return st;
}

static enum seam_status look_words(struct cli_probes *p, const struct cli_expectation *e,
                                   bool *seen, seam_lsn_t *applied, struct seam_fault *f)
{
    bool there = false;
    enum seam_status st = invidx_reader_refresh(p->words, NULL, f);

    *applied = invidx_reader_applied(p->words);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    st = e->word != NULL ? finds(p, e, &there, f)
                         : invidx_contains(p->words, sink_key_of_id(e->product), &there, f);
    *seen = e->gone ? !there : there;
    return st;
}

static enum seam_status look_graph(struct cli_probes *p, const struct cli_expectation *e,
                                   bool *seen, seam_lsn_t *applied, struct seam_fault *f)
{
    float vector[HNSW_DIM_MAX];
    struct hnsw_info info;
    enum seam_status st = hnsw_refresh(p->graph, NULL, f);

    *applied = hnsw_applied_lsn(p->graph);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    st = hnsw_get(p->graph, sink_key_of_id(e->product), vector, NULL);
    hnsw_info(p->graph, &info);
    if (e->gone)
        *seen = st == SEAM_NOT_FOUND;
    else
        *seen = st == SEAM_OK &&
                (e->old_vector == NULL ||
                 memcmp(vector, e->old_vector, info.options.dim * sizeof *vector) != 0);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

enum seam_status probes_wait(struct cli *c, struct cli_probes *p, const struct cli_expectation *e,
                             uint64_t start_ns, int64_t timeout_us,
                             struct cli_sighting out[PROBE_COUNT])
{
    static enum seam_status (*const look[PROBE_COUNT])(
        struct cli_probes *, const struct cli_expectation *, bool *, seam_lsn_t *,
        struct seam_fault *) = {look_warehouse, look_gold, look_view, look_words, look_graph};
    size_t left = PROBE_COUNT;

    memset(out, 0, PROBE_COUNT * sizeof *out);
    while (left > 0) {
        for (int i = 0; i < PROBE_COUNT; i++) {
            enum seam_status st;

            if (out[i].seen) continue;
            st = look[i](p, e, &out[i].seen, &out[i].applied, &c->fault);
            if (st != SEAM_OK) return st;
            out[i].lag_us = (int64_t)((seam_clock_mono_ns(c->clock) - start_ns) / 1000);
            left -= out[i].seen;
        }
        if (left > 0 && (int64_t)((seam_clock_mono_ns(c->clock) - start_ns) / 1000) > timeout_us)
            return SEAM_TIMEOUT;
        if (left > 0) c->clock->sleep_us(c->clock, 200);
    }
    return SEAM_OK;
}
