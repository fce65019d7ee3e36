/* reconcile - the stores as sides, one pair after another, and repair. */
#include "pipeline/trust/reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/vectors/vectors.h"
#include "pipeline/trust/reconcile_kept.h"
#include "pipeline/trust/reconcile_side.h"

enum {
    RESULTS_MAX = 256,
    REPAIR_BATCH = 1000,
    DEEP_ROWS_MAX = 100000,
    KEEP_ROWS = 100000,
    TABLES_MAX = KEPT_TABLES_MAX
};

const char *reconcile_verdict_name(enum reconcile_verdict v)
{
    static const char *const names[] = {"missing", "extra", "stale", "corrupt", "duplicated"};

    return names[v];
}

/* ---- the source AS OF an LSN ---- */

struct reconcile_source {
    struct oltp *db;
    struct oltp_txn *txn;
};

static enum seam_status open_source(const struct platform *p, seam_lsn_t lsn,
                                    struct reconcile_source *s, struct seam_fault *f)
{
    /* Who has applied nothing yet is compared with what is there now. */
    seam_lsn_t moment = lsn != SEAM_LSN_NONE ? lsn : SEAM_LSN_MAX;
    enum seam_status st = platform_open_reader(p, moment, INT64_MIN, &s->db, f);

    return st == SEAM_OK ? oltp_read_begin(s->db, &s->txn, f) : st;
}

static void close_source(struct reconcile_source *s)
{
    oltp_end(s->txn);
    (void)oltp_close(s->db, NULL);
    *s = (struct reconcile_source){0};
}

struct reconcile_run {
    const struct platform *platform;
    const struct reconcile_options *options;
    struct reconcile_report *report;
    struct reconcile_kept *kept; /* of the warehouse: gathered by its full comparison */
};

static enum seam_status new_result(struct reconcile_run *r, const char *store, const char *table,
                                   seam_lsn_t lsn, struct reconcile_result **out,
                                   struct seam_fault *f)
{
    struct reconcile_report *rep = r->report;

    if (rep->results == NULL) {
        rep->results = seam_arena_zalloc(&rep->arena, RESULTS_MAX * sizeof *rep->results);
        if (rep->results == NULL)
            return seam_fault_set(f, SEAM_NOMEM, store, SEAM_FAULT_NO_OFFSET,
                                  "no memory for a report");
    }
    if (rep->count == RESULTS_MAX)
        return seam_fault_set(f, SEAM_LIMIT, store, SEAM_FAULT_NO_OFFSET, "more than %d tables",
                              RESULTS_MAX);
    *out = &rep->results[rep->count++];
    (*out)->store = store;
    (*out)->lsn = lsn;
    (*out)->table = seam_arena_strdup(&rep->arena, table, strlen(table));
    return (*out)->table != NULL ? SEAM_OK
                                 : seam_fault_set(f, SEAM_NOMEM, store, SEAM_FAULT_NO_OFFSET,
                                                  "no memory for a report");
}

static enum seam_status compare(struct reconcile_run *r, struct reconcile_source_side *source,
                                struct reconcile_side *other, const char *store, seam_lsn_t lsn,
                                struct seam_fault *f)
{
    struct reconcile_result *out = NULL;
    enum seam_status st = new_result(r, store, source->schema->name, lsn, &out, f);

    if (st == SEAM_OK)
        st = reconcile_pair(r->platform, r->options, source, other, &r->report->arena, out, f);
    if (st == SEAM_OK) r->report->differences += out->differences;
    return st;
}

/* ---- silver ---- */

struct silver_side {
    struct reconcile_side side;
    const struct columnar_reader *reader;
    int table;
    seam_lsn_t lsn;
    const struct seam_schema *schema; /* the source's: hashes must agree */
    const struct oltp_range *range;
    side_fn fn;
    void *ctx;
    struct seam_fault *fault;
    struct seam_buf key;
};

static void describe_values(const struct reconcile_side_row *row, struct seam_buf *out)
{
    seam_row_to_json(row->ctx, row->data, out);
}

static enum seam_status silver_row(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                                   seam_lsn_t end)
{
    struct silver_side *s = ctx;
    struct reconcile_side_row row = {
        .lsn = begin, .describe = describe_values, .ctx = s->schema, .data = values};
    enum seam_status st;

    (void)end;
    seam_buf_clear(&s->key);
    st = seam_row_key(s->schema, values, &s->key, s->fault);
    if (st != SEAM_OK) return st;
    row.key = (struct wal_bytes){s->key.data, s->key.size};
    if (!side_in_range(s->range, row.key)) return SEAM_OK;
    row.hash = seam_row_hash(s->schema, values);
    return s->fn(s->ctx, &row, s->fault);
}

static enum seam_status scan_silver(struct reconcile_side *side, const struct oltp_range *range,
                                    side_fn fn, void *ctx, struct seam_fault *f)
{
    struct silver_side *s = (struct silver_side *)side;

    s->range = range;
    s->fn = fn;
    s->ctx = ctx;
    s->fault = f;
    return columnar_scan_rows(s->reader, s->table, s->lsn, silver_row, s, f);
}

static enum seam_status compare_silver(struct reconcile_run *r, struct reconcile_source *src,
                                       const struct columnar_reader *reader, seam_lsn_t lsn,
                                       uint32_t table, struct seam_fault *f)
{
    const struct seam_schema *schema = oltp_schema(src->txn, table);
    struct reconcile_source_side source;
    struct silver_side silver = {
        .side = {.scan = scan_silver}, .reader = reader, .lsn = lsn, .schema = schema};
    char name[SEAM_NAME_MAX_BYTES + 8];
    enum seam_status st;

    snprintf(name, sizeof name, "silver_%s", schema->name);
    silver.table = columnar_table(reader, name);
    if (silver.table < 0) return SEAM_OK; /* not configured */
    reconcile_source_side_init(&source, src->txn, table);
    st = compare(r, &source, &silver.side, "warehouse", lsn, f);
    seam_buf_free(&silver.key);
    if (st == SEAM_OK) {
        const struct reconcile_result *x = &r->report->results[r->report->count - 1];

        st = reconcile_kept_add(r->kept, schema, &x->source_digest, &x->store_digest, f);
    }
    return st;
}

static enum seam_status
all_tables(struct reconcile_run *r, struct reconcile_source *src, const void *store, seam_lsn_t lsn,
           enum seam_status (*fn)(struct reconcile_run *, struct reconcile_source *, const void *,
                                  seam_lsn_t, uint32_t, struct seam_fault *),
           struct seam_fault *f)
{
    uint32_t ids[TABLES_MAX];
    size_t n = oltp_tables(src->txn, ids, TABLES_MAX);
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < n && i < TABLES_MAX; i++)
        st = fn(r, src, store, lsn, ids[i], f);
    return st;
}

static enum seam_status compare_silver_table(struct reconcile_run *r, struct reconcile_source *src,
                                             const void *store, seam_lsn_t lsn, uint32_t table,
                                             struct seam_fault *f)
{
    return compare_silver(r, src, store, lsn, table, f);
}

/* ---- silver, from what is kept ---- */

static bool kept_is_equal(const struct reconcile_kept *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (!seam_digest_equal(&k->tables[i].source, &k->tables[i].store)) return false;
    return true;
}

static enum seam_status report_kept(struct reconcile_run *r, const struct reconcile_kept *k,
                                    seam_lsn_t since, uint64_t ns, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < k->count; i++) {
        const struct reconcile_kept_table *t = &k->tables[i];
        struct reconcile_result *out = NULL;

        st = new_result(r, "warehouse", t->schema.name, k->lsn, &out, f);
        if (st != SEAM_OK) break;
        out->since = since;
        out->changes = k->changes;
        out->source_digest = t->source;
        out->store_digest = t->store;
        out->cost = (struct reconcile_cost){.source_rows = t->source.count,
                                            .store_rows = t->store.count,
                                            .digests = 1,
                                            .ns = i == 0 ? ns : 0}; /* one walk for all tables */
    }
    return st;
}

/* *done: the digests that are kept say that nothing differs. Anything else is for a full comparison to see. */
static enum seam_status try_kept(struct reconcile_run *r, const struct columnar_reader *reader,
                                 bool *done, struct seam_fault *f)
{
    const struct platform *p = r->platform;
    uint64_t start = seam_clock_mono_ns(p->clock);
    struct reconcile_kept *k = r->kept;
    struct seam_fault why = {0};
    seam_lsn_t since = SEAM_LSN_NONE;
    enum seam_status st = reconcile_kept_load(p, k, &why);
    int64_t age = seam_clock_wall_us(p->clock) - k->full_us;

    *done = false;
    if (st == SEAM_OK) since = k->lsn;
    if (st == SEAM_OK && (age < 0 || age > KEPT_FULL_US)) st = SEAM_NOT_FOUND;
    if (st == SEAM_OK) st = reconcile_kept_advance(p, k, reader, &why);
    if (since != SEAM_LSN_NONE)
        SEAM_TRACE(r->options->trace, "pipeline", "kept", SEAM_TI("since", since),
                   SEAM_TI("changes", k->changes), SEAM_TI("status", st),
                   SEAM_TS("doubt", why.why));
    if (st == SEAM_OK && kept_is_equal(k)) {
        *done = true;
        st = report_kept(r, k, since, seam_clock_mono_ns(p->clock) - start, f);
        if (st == SEAM_OK)
            (void)reconcile_kept_save(p, k,
                                      NULL); /* else what was kept before goes on being true */
        return st;
    }
    if (st != SEAM_OK && st != SEAM_NOT_FOUND && f != NULL) *f = why;
    reconcile_kept_free(k);
    return st == SEAM_NOT_FOUND ? SEAM_OK : st;
}

/* After a full comparison: what was equal and large is kept; anything else lets go of what was. */
static enum seam_status keep(struct reconcile_run *r, const struct columnar_reader *reader,
                             seam_lsn_t lsn, struct seam_fault *f)
{
    uint64_t limit = r->options->keep_rows != 0 ? r->options->keep_rows : KEEP_ROWS, rows = 0;
    struct reconcile_kept *k = r->kept;

    for (size_t i = 0; i < k->count; i++) rows += k->tables[i].store.count;
    if (!kept_is_equal(k) || rows <= limit) return reconcile_kept_drop(r->platform, f);
    k->lsn = lsn;
    k->publication = reconcile_kept_publication(reader, lsn);
    k->full_us = seam_clock_wall_us(r->platform->clock);
    (void)reconcile_kept_save(
        r->platform, k, NULL); /* a disk that is full makes the next run slow, not this one fail */
    return SEAM_OK;
}

static enum seam_status compare_warehouse(struct reconcile_run *r,
                                          const struct columnar_reader *reader, seam_lsn_t lsn,
                                          struct seam_fault *f)
{
    struct reconcile_source src = {0};
    bool done = false;
    enum seam_status st = r->options->full ? SEAM_OK : try_kept(r, reader, &done, f);

    if (st != SEAM_OK || done) return st;
    st = open_source(r->platform, lsn, &src, f);
    if (st == SEAM_OK) st = all_tables(r, &src, reader, lsn, compare_silver_table, f);
    close_source(&src);
    return st == SEAM_OK ? keep(r, reader, lsn, f) : st;
}

static enum seam_status run_warehouse(struct reconcile_run *r, const char *dir,
                                      struct seam_fault *f)
{
    struct columnar_options o = {.clock = r->platform->clock};
    struct columnar_reader *reader = NULL;
    enum seam_status st = columnar_open_reader(r->platform->io, dir, &o, &reader, f);

    if (st != SEAM_OK) return st;
    r->kept = calloc(1, sizeof *r->kept);
    st = r->kept == NULL ? seam_fault_set(f, SEAM_NOMEM, "warehouse", SEAM_FAULT_NO_OFFSET,
                                          "no memory to reconcile")
                         : compare_warehouse(r, reader, columnar_applied(reader), f);
    if (r->kept != NULL) reconcile_kept_free(r->kept);
    free(r->kept);
    r->kept = NULL;
    columnar_close_reader(reader);
    return st;
}

enum seam_status reconcile_forget(const struct platform *p, struct seam_fault *f)
{
    return reconcile_kept_drop(p, f);
}

/* ---- the view's mirrors ---- */

struct mirror_side {
    struct reconcile_side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct seam_schema *schema, *source;
};

static enum seam_status scan_mirror(struct reconcile_side *side, const struct oltp_range *range,
                                    side_fn fn, void *ctx, struct seam_fault *f)
{
    struct mirror_side *s = (struct mirror_side *)side;
    int k = seam_schema_column(s->schema, "k"), r = seam_schema_column(s->schema, "row");
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value values[SEAM_COLUMNS_MAX], mirror[SEAM_COLUMNS_MAX];
    enum seam_status st;

    if (k < 0 || r < 0)
        return seam_fault_set(f, SEAM_CORRUPT, s->schema->name, SEAM_FAULT_NO_OFFSET,
                              "a mirror without key or row");
    st = oltp_cursor_open(s->txn, s->table, 0, NULL, 0, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) {
        struct reconcile_side_row out = {
            .describe = describe_values, .ctx = s->source, .data = values};

        st = seam_row_decode(s->schema, row.row.data, row.row.size, mirror, f);
        if (st != SEAM_OK) break;
        out.key = (struct wal_bytes){(const uint8_t *)mirror[k].s, mirror[k].len};
        if (!side_in_range(range, out.key)) continue;
        st = seam_row_decode(s->source, mirror[r].s, mirror[r].len, values, f);
        if (st != SEAM_OK) break;
        out.hash = seam_row_hash(s->source, values);
        st = fn(ctx, &out, f);
    }
    oltp_cursor_close(c);
    return st == SEAM_END ? SEAM_OK : st;
}

static enum seam_status compare_mirror(struct reconcile_run *r, struct reconcile_source *src,
                                       const void *store, seam_lsn_t lsn, uint32_t table,
                                       struct seam_fault *f)
{
    const struct reconcile_source *view = store;
    struct reconcile_source_side source;
    struct mirror_side mirror = {.side = {.scan = scan_mirror}, .txn = view->txn};
    char name[SEAM_NAME_MAX_BYTES + 8];

    reconcile_source_side_init(&source, src->txn, table);
    snprintf(name, sizeof name, "src_%s", source.schema->name);
    if (oltp_table(view->txn, name, &mirror.table, NULL) != SEAM_OK)
        return SEAM_OK; /* no view reads this table */
    mirror.schema = oltp_schema(view->txn, mirror.table);
    mirror.source = source.schema;
    return compare(r, &source, &mirror.side, "view", lsn, f);
}

static enum seam_status view_lsn(struct oltp_txn *t, seam_lsn_t *out, struct seam_fault *f)
{
    struct seam_value id = seam_v_int(1), values[SEAM_COLUMNS_MAX];
    struct oltp_row row;
    uint32_t meta;
    enum seam_status st = oltp_table(t, "meta", &meta, f);

    if (st == SEAM_OK) st = oltp_get(t, meta, &id, &row, f);
    if (st == SEAM_OK)
        st = seam_row_decode(oltp_schema(t, meta), row.row.data, row.row.size, values, f);
    if (st == SEAM_OK) {
        int c = seam_schema_column(oltp_schema(t, meta), "lsn");

        *out = c >= 0 ? (seam_lsn_t)values[c].i : SEAM_LSN_NONE;
    }
    return st;
}

static enum seam_status run_view(struct reconcile_run *r, const char *dir, struct seam_fault *f)
{
    struct reconcile_source view = {0}, src = {0};
    seam_lsn_t lsn = SEAM_LSN_NONE;
    enum seam_status st =
        sink_own_rows_read(r->platform->io, dir, "reconcile", "no views yet", &view.db, f);

    if (st == SEAM_OK) st = oltp_read_begin(view.db, &view.txn, f);
    if (st == SEAM_OK) st = view_lsn(view.txn, &lsn, f);
    if (st == SEAM_OK) st = open_source(r->platform, lsn, &src, f);
    if (st == SEAM_OK) st = all_tables(r, &src, &view, lsn, compare_mirror, f);
    close_source(&src);
    close_source(&view);
    return st;
}

/* ---- search ---- */

static enum seam_status run_search(struct reconcile_run *r, const char *dir, struct seam_fault *f)
{
    struct search_side *search = NULL;
    struct reconcile_source src = {0};
    struct reconcile_source_side source;
    const char *table = seam_json_string(platform_sink_config(r->platform, "search"), "table", "");
    uint64_t start = seam_clock_mono_ns(r->platform->clock), read_ns = 0;
    uint32_t id;
    seam_lsn_t lsn = SEAM_LSN_NONE;
    enum seam_status st = search_side_open(r->platform, dir, &search, &lsn, f);

    if (st == SEAM_OK) st = open_source(r->platform, lsn, &src, f);
    if (st == SEAM_OK) st = oltp_table(src.txn, table, &id, f);
    if (st == SEAM_OK) {
        reconcile_source_side_init(&source, src.txn, id);
        st = search_side_read(search, &source,
                              r->options->deep || oltp_count(src.txn, id, 0) <= DEEP_ROWS_MAX, f);
    }
    read_ns = seam_clock_mono_ns(r->platform->clock) - start;
    if (st == SEAM_OK) st = compare(r, &source, search_side(search), "search", lsn, f);
    if (st == SEAM_OK) r->report->results[r->report->count - 1].cost.ns += read_ns;
    search_side_close(search);
    close_source(&src);
    return st;
}

/* ---- vectors ---- */

struct vector_side {
    struct reconcile_side side;
    const struct hnsw *graph;
    const struct embedder *embedder;
    struct oltp_txn *txn;
    uint32_t table, dim;
    const struct seam_schema *schema;
    int column[8]; /* title, then the description's columns */
    size_t columns;
    bool deep;
    const struct oltp_range *range;
    side_fn fn;
    void *ctx;
    struct seam_fault *fault;
    enum seam_status st;
    struct seam_buf key, text;
};

/* As the sink embeds a row: the first text column is the title.                                      */
static enum seam_status embed_row(struct vector_side *s, const struct seam_value *values,
                                  float *out, bool *empty, struct seam_fault *f)
{
    struct seam_value title = seam_v_text("", 0);
    enum seam_status st;

    seam_buf_clear(&s->text);
    for (size_t i = 0; i < s->columns; i++) {
        const struct seam_value *v = &values[s->column[i]];

        if (s->column[i] < 0 || v->type != SEAM_V_TEXT) continue;
        if (i == 0) {
            title = *v;
            continue;
        }
        if (s->text.size > 0) seam_buf_u8(&s->text, ' ');
        seam_buf_append(&s->text, v->s, v->len);
    }
    st = embed_document(s->embedder, title.s, title.len, (const char *)s->text.data, s->text.size,
                        out, f);
    *empty = true;
    for (uint32_t i = 0; i < s->dim && *empty; i++) *empty = out[i] == 0.0f;
    return st;
}

/* The bits, since the source's vector is made what the graph would have stored of it: rounding instead would set two
 * neighbours apart wherever a limit lies between them. */
static struct seam_hash128 vector_hash(const struct vector_side *s, uint64_t key, const float *v)
{
    uint32_t all[HNSW_DIM_MAX + 2];

    all[0] = (uint32_t)(key >> 32);
    all[1] = (uint32_t)key;
    if (s->deep) memcpy(all + 2, v, s->dim * sizeof *v);
    return seam_siphash128(all, (2 + (s->deep ? s->dim : 0)) * sizeof *all);
}

static enum seam_status vector_content(struct reconcile_source_side *source,
                                       const struct seam_value *values, struct wal_bytes row,
                                       struct seam_hash128 *out, struct seam_fault *f)
{
    struct vector_side *s = source->ctx;
    float v[HNSW_DIM_MAX] = {0}, stored[HNSW_DIM_MAX] = {0};
    bool empty = true;
    enum seam_status st = SEAM_OK;

    (void)row;
    if (s->deep) st = embed_row(s, values, v, &empty, f);
    if (st == SEAM_OK && !empty) st = hnsw_as_stored(s->graph, v, stored, f);
    *out = vector_hash(s, sink_key_of_id(values[source->schema->key[0]].i), stored);
    return st;
}

static void describe_vector(const struct reconcile_side_row *row, struct seam_buf *out)
{
    const float *v = row->data;

    seam_buf_printf(out, "{\"vector\":[%.4f,%.4f,%.4f,\"...\"]}", (double)v[0], (double)v[1],
                    (double)v[2]);
}

static bool give_vector(void *ctx, uint64_t key, seam_lsn_t birth, const float *vector)
{
    struct vector_side *s = ctx;
    struct reconcile_side_row row = {.lsn = birth, .describe = describe_vector, .data = vector};

    side_document_key(key, &s->key);
    row.key = (struct wal_bytes){s->key.data, s->key.size};
    if (!side_in_range(s->range, row.key)) return true;
    row.hash = vector_hash(s, key, vector);
    s->st = s->fn(s->ctx, &row, s->fault);
    return s->st == SEAM_OK;
}

static enum seam_status scan_vectors(struct reconcile_side *side, const struct oltp_range *range,
                                     side_fn fn, void *ctx, struct seam_fault *f)
{
    struct vector_side *s = (struct vector_side *)side;
    enum seam_status st;

    s->range = range;
    s->fn = fn;
    s->ctx = ctx;
    s->fault = f;
    s->st = SEAM_OK;
    st = hnsw_each(s->graph, give_vector, s);
    return s->st != SEAM_OK ? s->st : st;
}

/* A text without any word the embedder knows has no vector, and that is right.                       */
static bool vector_excused(struct reconcile_side *side, struct wal_bytes key)
{
    struct vector_side *s = (struct vector_side *)side;
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct oltp_row row;
    float v[HNSW_DIM_MAX];
    bool empty = false;

    return oltp_get_key(s->txn, s->table, key, &row, NULL) == SEAM_OK &&
           seam_row_decode(s->schema, row.row.data, row.row.size, values, NULL) == SEAM_OK &&
           embed_row(s, values, v, &empty, NULL) == SEAM_OK && empty;
}

static enum seam_status run_vectors(struct reconcile_run *r, const char *dir, struct seam_fault *f)
{
    const struct seam_json *config = platform_sink_config(r->platform, "vectors"),
                           *text = seam_json_get(config, "text");
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    struct reconcile_source src = {0};
    struct reconcile_source_side source;
    struct vector_side v = {.side = {.scan = scan_vectors, .excused = vector_excused}};
    seam_lsn_t lsn;
    enum seam_status st = sink_vectors_open_reader(r->platform, SEAM_LSN_MAX, &embedder, &graph, f);

    (void)dir;
    if (st != SEAM_OK) return st;
    lsn = hnsw_applied_lsn(graph);
    st = open_source(r->platform, lsn, &src, f);
    if (st == SEAM_OK) st = oltp_table(src.txn, seam_json_string(config, "table", ""), &v.table, f);
    if (st == SEAM_OK) {
        reconcile_source_side_init(&source, src.txn, v.table);
        v.graph = graph;
        v.embedder = embedder;
        v.txn = src.txn;
        v.schema = source.schema;
        v.dim = (uint32_t)embedder_dim(embedder);
        v.deep = r->options->deep || oltp_count(src.txn, v.table, 0) <= DEEP_ROWS_MAX;
        for (const struct seam_json *n = text != NULL ? text->child : NULL;
             n != NULL && v.columns < SEAM_ARRAY_LEN(v.column); n = n->next)
            v.column[v.columns++] = seam_schema_column(source.schema, n->str);
        source.content = vector_content;
        source.ctx = &v;
        st = compare(r, &source, &v.side, "vectors", lsn, f);
    }
    seam_buf_free(&v.key);
    seam_buf_free(&v.text);
    close_source(&src);
    hnsw_close(graph);
    embedder_close(embedder);
    return st;
}

/* ---- all of them ---- */

static bool is_current_embedder(const struct platform *p, char why[256])
{
    struct sink_vectors_current c;
    struct embedder *e = NULL;
    bool same;

    if (sink_vectors_current(p, &c, NULL) != SEAM_OK ||
        embedder_open(p->io, c.model, &e, NULL) != SEAM_OK)
        return true;
    same = strcmp(c.embedder, embedder_version(e)) == 0;
    if (!same)
        snprintf(why, 256, "the folder says embedder %s, the model is %s", c.embedder,
                 embedder_version(e));
    embedder_close(e);
    return same;
}

enum seam_status reconcile_run(const struct platform *p, const struct reconcile_options *o,
                               struct reconcile_report *out, struct seam_fault *f)
{
    static const struct {
        const char *sink;
        enum seam_status (*run)(struct reconcile_run *r, const char *dir, struct seam_fault *f);
    } stores[] = {{"warehouse", run_warehouse},
                  {"view", run_view},
                  {"search", run_search},
                  {"vectors", run_vectors}};
    struct reconcile_run r = {p, o, out, NULL};
    enum seam_status st = SEAM_OK;

    *out = (struct reconcile_report){0};
    for (size_t i = 0; st == SEAM_OK && i < SEAM_ARRAY_LEN(stores); i++) {
        struct reconcile_result *missing = NULL;
        struct seam_fault local = {0};
        char dir[SEAM_PATH_MAX_BYTES], why[256];

        if (platform_sink_config(p, stores[i].sink) == NULL) continue;
        st = platform_sink_path(p, stores[i].sink, dir, f);
        if (st == SEAM_OK) st = stores[i].run(&r, dir, &local);
        if (st == SEAM_OK && strcmp(stores[i].sink, "vectors") == 0 &&
            !is_current_embedder(p, why)) {
            st = new_result(&r, "vectors", "embedder", SEAM_LSN_NONE, &missing, f);
            if (st == SEAM_OK) missing->note = seam_arena_strdup(&out->arena, why, strlen(why));
            out->differences++;
        } else if (st ==
                   SEAM_NOT_FOUND) { /* never fed, or asked for an LSN that is no longer kept */
            st = new_result(&r, stores[i].sink, "*", SEAM_LSN_NONE, &missing, f);
            if (st == SEAM_OK)
                missing->note = seam_arena_strdup(&out->arena, local.why, strlen(local.why));
            out->differences++;
        } else if (st != SEAM_OK && f != NULL) {
            *f = local;
        }
    }
    return st;
}

void reconcile_free(struct reconcile_report *r)
{
    seam_arena_free(&r->arena);
    *r = (struct reconcile_report){0};
}

/* ---- repair ---- */

enum seam_status reconcile_emit(struct oltp_txn *t, uint32_t table, struct wal_bytes key,
                                struct seam_fault *f)
{
    struct oltp_row row;
    struct seam_buf copy = {0};
    enum seam_status st = oltp_get_key(t, table, key, &row, NULL);

    if (st == SEAM_OK) { /* what a write transaction shows lives until its next change */
        seam_buf_append(&copy, row.row.data, row.row.size);
        st = oltp_apply(t, table, WAL_OP_UPDATE, WAL_CHANGE_REPAIR, key,
                        (struct wal_bytes){copy.data, copy.size}, f);
    } else if (st == SEAM_NOT_FOUND) {
        st = oltp_apply(t, table, WAL_OP_DELETE, WAL_CHANGE_REPAIR, key,
                        (struct wal_bytes){NULL, 0}, NULL);
        if (st == SEAM_NOT_FOUND) st = SEAM_OK; /* logged all the same */
    }
    seam_buf_free(&copy);
    return st;
}

enum seam_status reconcile_repair(const struct platform *p, const struct reconcile_report *r,
                                  uint64_t *rows, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    uint64_t pending = 0;
    enum seam_status st = platform_open_source(p, &source, f);

    *rows = 0;
    for (size_t i = 0; st == SEAM_OK && i < r->count; i++) {
        const struct reconcile_result *res = &r->results[i];
        uint32_t table;

        for (size_t k = 0; st == SEAM_OK && k < res->shown; k++) {
            if (t == NULL) st = oltp_write_begin(source.db, &t, f);
            if (st == SEAM_OK) st = oltp_table(t, res->table, &table, f);
            if (st == SEAM_OK) st = reconcile_emit(t, table, res->list[k].key, f);
            if (st != SEAM_OK) break;
            ++*rows;
            if (++pending < REPAIR_BATCH) continue;
            st = oltp_commit(t, OLTP_DURABLE, &commit, f);
            t = NULL;
            pending = 0;
        }
    }
    if (st == SEAM_OK && t != NULL) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, f);
        t = NULL;
    }
    oltp_end(t);
    *lsn = commit.lsn;
    return platform_close_source(&source, st, f);
}
