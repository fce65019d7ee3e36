/* reconcile - the stores as sides, one pair after another, and repair. */
#include "pipeline/trust/reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/values/key.h"
#include "engine/values/row.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/trust/reconcile_kept.h"
#include "pipeline/trust/reconcile_side.h"
#include "pipeline/sinks/sinks.h"
#include "pipeline/sinks/vectors/vectors.h"

enum { RESULTS_MAX = 256, REPAIR_BATCH = 1000, DEEP_ROWS_MAX = 100000, KEEP_ROWS = 100000,
       TABLES_MAX = KEPT_TABLES_MAX };

const char *reconcile_verdict_name(enum reconcile_verdict v)
{
    static const char *const names[] = {"missing", "extra", "stale", "corrupt", "duplicated"};

    return names[v];
}

/* ---- the source AS OF an LSN ---- */

struct source {
    struct oltp *db;
    struct oltp_txn *txn;
};

static enum status open_source(const struct platform *p, lsn_t lsn, struct source *s,
                               struct fault *f)
{
    enum status st = platform_open_reader(p, lsn, INT64_MIN, &s->db, f);

    return st == ST_OK ? oltp_read_begin(s->db, &s->txn, f) : st;
}

static void close_source(struct source *s)
{
    oltp_end(s->txn);
    (void)oltp_close(s->db, NULL);
    *s = (struct source){0};
}

struct run {
    const struct platform *platform;
    const struct reconcile_options *options;
    struct reconcile_report *report;
    struct kept *kept; /* of the warehouse: gathered by its full comparison */
};

static enum status new_result(struct run *r, const char *store, const char *table, lsn_t lsn,
                              struct reconcile_result **out, struct fault *f)
{
    struct reconcile_report *rep = r->report;

    if (rep->results == NULL) {
        rep->results = arena_zalloc(&rep->arena, RESULTS_MAX * sizeof *rep->results);
        if (rep->results == NULL)
            return fault_set(f, ST_NOMEM, store, FAULT_NO_OFFSET, "no memory for a report");
    }
    if (rep->count == RESULTS_MAX)
        return fault_set(f, ST_LIMIT, store, FAULT_NO_OFFSET, "more than %d tables", RESULTS_MAX);
    *out = &rep->results[rep->count++];
    (*out)->store = store;
    (*out)->lsn = lsn;
    (*out)->table = arena_strdup(&rep->arena, table, strlen(table));
    return (*out)->table != NULL
               ? ST_OK
               : fault_set(f, ST_NOMEM, store, FAULT_NO_OFFSET, "no memory for a report");
}

static enum status compare(struct run *r, struct source_side *source, struct side *other,
                           const char *store, lsn_t lsn, struct fault *f)
{
    struct reconcile_result *out = NULL;
    enum status st = new_result(r, store, source->schema->name, lsn, &out, f);

    if (st == ST_OK) st = reconcile_pair(r->platform, r->options, source, other, &r->report->arena, out, f);
    if (st == ST_OK) r->report->differences += out->differences;
    return st;
}

/* ---- silver ---- */

struct silver_side {
    struct side side;
    const struct columnar_reader *reader;
    int table;
    lsn_t lsn;
    const struct schema *schema; /* the source's: hashes must agree */
    const struct oltp_range *range;
    side_fn fn;
    void *ctx;
    struct fault *fault;
    struct buf key;
};

static void describe_values(const struct side_row *row, struct buf *out)
{
    row_to_json(row->ctx, row->data, out);
}

static enum status silver_row(void *ctx, const struct value *values, lsn_t begin, lsn_t end)
{
    struct silver_side *s = ctx;
    struct side_row row = {
        .lsn = begin, .describe = describe_values, .ctx = s->schema, .data = values};
    enum status st;

    (void)end;
    buf_clear(&s->key);
    st = row_key(s->schema, values, &s->key, s->fault);
    if (st != ST_OK) return st;
    row.key = (struct bytes){s->key.data, s->key.size};
    if (!side_in_range(s->range, row.key)) return ST_OK;
    row.hash = row_hash(s->schema, values);
    return s->fn(s->ctx, &row, s->fault);
}

static enum status scan_silver(struct side *side, const struct oltp_range *range, side_fn fn,
                               void *ctx, struct fault *f)
{
    struct silver_side *s = (struct silver_side *)side;

    s->range = range;
    s->fn = fn;
    s->ctx = ctx;
    s->fault = f;
    return columnar_scan_rows(s->reader, s->table, s->lsn, silver_row, s, f);
}

static enum status compare_silver(struct run *r, struct source *src,
                                  const struct columnar_reader *reader, lsn_t lsn, uint32_t table,
                                  struct fault *f)
{
    const struct schema *schema = oltp_schema(src->txn, table);
    struct source_side source;
    struct silver_side silver = {
        .side = {.scan = scan_silver}, .reader = reader, .lsn = lsn, .schema = schema};
    char name[NAME_MAX_BYTES + 8];
    enum status st;

    snprintf(name, sizeof name, "silver_%s", schema->name);
    silver.table = columnar_table(reader, name);
    if (silver.table < 0) return ST_OK; /* not configured */
    source_side_init(&source, src->txn, table);
    st = compare(r, &source, &silver.side, "warehouse", lsn, f);
    buf_free(&silver.key);
    if (st == ST_OK) {
        const struct reconcile_result *x = &r->report->results[r->report->count - 1];

        st = kept_add(r->kept, schema, &x->source_digest, &x->store_digest, f);
    }
    return st;
}

static enum status all_tables(struct run *r, struct source *src, const void *store, lsn_t lsn,
                              enum status (*fn)(struct run *, struct source *, const void *, lsn_t,
                                                uint32_t, struct fault *),
                              struct fault *f)
{
    uint32_t ids[TABLES_MAX];
    size_t n = oltp_tables(src->txn, ids, TABLES_MAX);
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n && i < TABLES_MAX; i++)
        st = fn(r, src, store, lsn, ids[i], f);
    return st;
}

static enum status compare_silver_table(struct run *r, struct source *src, const void *store,
                                        lsn_t lsn, uint32_t table, struct fault *f)
{
    return compare_silver(r, src, store, lsn, table, f);
}

/* ---- silver, from what is kept ---- */

static bool kept_is_equal(const struct kept *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (!digest_equal(&k->tables[i].source, &k->tables[i].store)) return false;
    return true;
}

static enum status report_kept(struct run *r, const struct kept *k, lsn_t since, uint64_t ns,
                               struct fault *f)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < k->count; i++) {
        const struct kept_table *t = &k->tables[i];
        struct reconcile_result *out = NULL;

        st = new_result(r, "warehouse", t->schema.name, k->lsn, &out, f);
        if (st != ST_OK) break;
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
static enum status try_kept(struct run *r, const struct columnar_reader *reader, bool *done,
                            struct fault *f)
{
    const struct platform *p = r->platform;
    uint64_t start = clock_mono_ns(p->clock);
    struct kept *k = r->kept;
    struct fault why = {0};
    lsn_t since = LSN_NONE;
    enum status st = kept_load(p, k, &why);
    int64_t age = clock_wall_us(p->clock) - k->full_us;

    *done = false;
    if (st == ST_OK) since = k->lsn;
    if (st == ST_OK && (age < 0 || age > KEPT_FULL_US)) st = ST_NOT_FOUND;
    if (st == ST_OK) st = kept_advance(p, k, reader, &why);
    if (since != LSN_NONE)
        TRACE(r->options->trace, "pipeline", "kept", TI("since", since), TI("changes", k->changes),
              TI("status", st), TS("doubt", why.why));
    if (st == ST_OK && kept_is_equal(k)) {
        *done = true;
        st = report_kept(r, k, since, clock_mono_ns(p->clock) - start, f);
        if (st == ST_OK) (void)kept_save(p, k, NULL); /* else what was kept before goes on being true */
        return st;
    }
    if (st != ST_OK && st != ST_NOT_FOUND && f != NULL) *f = why;
    kept_free(k);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

/* After a full comparison: what was equal and large is kept; anything else lets go of what was. */
static enum status keep(struct run *r, const struct columnar_reader *reader, lsn_t lsn,
                        struct fault *f)
{
    uint64_t limit = r->options->keep_rows != 0 ? r->options->keep_rows : KEEP_ROWS, rows = 0;
    struct kept *k = r->kept;

    for (size_t i = 0; i < k->count; i++)
        rows += k->tables[i].store.count;
    if (!kept_is_equal(k) || rows <= limit) return kept_drop(r->platform, f);
    k->lsn = lsn;
    k->publication = kept_publication(reader, lsn);
    k->full_us = clock_wall_us(r->platform->clock);
    (void)kept_save(r->platform, k, NULL); /* a disk that is full makes the next run slow, not this one fail */
    return ST_OK;
}

static enum status compare_warehouse(struct run *r, const struct columnar_reader *reader, lsn_t lsn,
                                     struct fault *f)
{
    struct source src = {0};
    bool done = false;
    enum status st = r->options->full ? ST_OK : try_kept(r, reader, &done, f);

    if (st != ST_OK || done) return st;
    st = open_source(r->platform, lsn, &src, f);
    if (st == ST_OK) st = all_tables(r, &src, reader, lsn, compare_silver_table, f);
    close_source(&src);
    return st == ST_OK ? keep(r, reader, lsn, f) : st;
}

static enum status run_warehouse(struct run *r, const char *dir, struct fault *f)
{
    struct columnar_options o = {.clock = r->platform->clock};
    struct columnar_reader *reader = NULL;
    enum status st = columnar_open_reader(r->platform->io, dir, &o, &reader, f);

    if (st != ST_OK) return st;
    r->kept = calloc(1, sizeof *r->kept);
    st = r->kept == NULL
             ? fault_set(f, ST_NOMEM, "warehouse", FAULT_NO_OFFSET, "no memory to reconcile")
             : compare_warehouse(r, reader, columnar_applied(reader), f);
    if (r->kept != NULL) kept_free(r->kept);
    free(r->kept);
    r->kept = NULL;
    columnar_close_reader(reader);
    return st;
}

enum status reconcile_forget(const struct platform *p, struct fault *f)
{
    return kept_drop(p, f);
}

/* ---- the view's mirrors ---- */

struct mirror_side {
    struct side side;
    struct oltp_txn *txn;
    uint32_t table;
    const struct schema *schema, *source;
};

static enum status scan_mirror(struct side *side, const struct oltp_range *range, side_fn fn,
                               void *ctx, struct fault *f)
{
    struct mirror_side *s = (struct mirror_side *)side;
    int k = schema_column(s->schema, "k"), r = schema_column(s->schema, "row");
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct value values[COLUMNS_MAX], mirror[COLUMNS_MAX];
    enum status st;

    if (k < 0 || r < 0)
        return fault_set(f, ST_CORRUPT, s->schema->name, FAULT_NO_OFFSET,
                         "a mirror without key or row");
    st = oltp_cursor_open(s->txn, s->table, 0, NULL, 0, &c, f);
    while (st == ST_OK && (st = oltp_cursor_next(c, &row, f)) == ST_OK) {
        struct side_row out = {.describe = describe_values, .ctx = s->source, .data = values};

        st = row_decode(s->schema, row.row.data, row.row.size, mirror, f);
        if (st != ST_OK) break;
        out.key = (struct bytes){(const uint8_t *)mirror[k].s, mirror[k].len};
        if (!side_in_range(range, out.key)) continue;
        st = row_decode(s->source, mirror[r].s, mirror[r].len, values, f);
        if (st != ST_OK) break;
        out.hash = row_hash(s->source, values);
        st = fn(ctx, &out, f);
    }
    oltp_cursor_close(c);
    return st == ST_END ? ST_OK : st;
}

static enum status compare_mirror(struct run *r, struct source *src, const void *store, lsn_t lsn,
                                  uint32_t table, struct fault *f)
{
    const struct source *view = store;
    struct source_side source;
    struct mirror_side mirror = {.side = {.scan = scan_mirror}, .txn = view->txn};
    char name[NAME_MAX_BYTES + 8];

    source_side_init(&source, src->txn, table);
    snprintf(name, sizeof name, "src_%s", source.schema->name);
    if (oltp_table(view->txn, name, &mirror.table, NULL) != ST_OK)
        return ST_OK; /* no view reads this table */
    mirror.schema = oltp_schema(view->txn, mirror.table);
    mirror.source = source.schema;
    return compare(r, &source, &mirror.side, "view", lsn, f);
}

static enum status view_lsn(struct oltp_txn *t, lsn_t *out, struct fault *f)
{
    struct value id = v_int(1), values[COLUMNS_MAX];
    struct oltp_row row;
    uint32_t meta;
    enum status st = oltp_table(t, "meta", &meta, f);

    if (st == ST_OK) st = oltp_get(t, meta, &id, &row, f);
    if (st == ST_OK) st = row_decode(oltp_schema(t, meta), row.row.data, row.row.size, values, f);
    if (st == ST_OK) {
        int c = schema_column(oltp_schema(t, meta), "lsn");

        *out = c >= 0 ? (lsn_t)values[c].i : LSN_NONE;
    }
    return st;
}

static enum status run_view(struct run *r, const char *dir, struct fault *f)
{
    struct source view = {0}, src = {0};
    lsn_t lsn = LSN_NONE;
    enum status st = own_rows_read(r->platform->io, dir, "reconcile", "no views yet", &view.db, f);

    if (st == ST_OK) st = oltp_read_begin(view.db, &view.txn, f);
    if (st == ST_OK) st = view_lsn(view.txn, &lsn, f);
    if (st == ST_OK) st = open_source(r->platform, lsn, &src, f);
    if (st == ST_OK) st = all_tables(r, &src, &view, lsn, compare_mirror, f);
    close_source(&src);
    close_source(&view);
    return st;
}

/* ---- search ---- */

static enum status run_search(struct run *r, const char *dir, struct fault *f)
{
    struct search_side *search = NULL;
    struct source src = {0};
    struct source_side source;
    const char *table = json_string(platform_sink_config(r->platform, "search"), "table", "");
    uint64_t start = clock_mono_ns(r->platform->clock), read_ns = 0;
    uint32_t id;
    lsn_t lsn = LSN_NONE;
    enum status st = search_side_open(r->platform, dir, &search, &lsn, f);

    if (st == ST_OK) st = open_source(r->platform, lsn, &src, f);
    if (st == ST_OK) st = oltp_table(src.txn, table, &id, f);
    if (st == ST_OK) {
        source_side_init(&source, src.txn, id);
        st = search_side_read(search, &source,
                              r->options->deep || oltp_count(src.txn, id, 0) <= DEEP_ROWS_MAX, f);
    }
    read_ns = clock_mono_ns(r->platform->clock) - start;
    if (st == ST_OK) st = compare(r, &source, search_side(search), "search", lsn, f);
    if (st == ST_OK) r->report->results[r->report->count - 1].cost.ns += read_ns;
    search_side_close(search);
    close_source(&src);
    return st;
}

/* ---- vectors ---- */

struct vector_side {
    struct side side;
    const struct hnsw *graph;
    const struct embedder *embedder;
    struct oltp_txn *txn;
    uint32_t table, dim;
    const struct schema *schema;
    int column[8]; /* title, then the description's columns */
    size_t columns;
    bool deep;
    const struct oltp_range *range;
    side_fn fn;
    void *ctx;
    struct fault *fault;
    enum status st;
    struct buf key, text;
};

/* As the sink embeds a row: the first text column is the title.                                      */
static enum status embed_row(struct vector_side *s, const struct value *values, float *out,
                             bool *empty, struct fault *f)
{
    struct value title = v_text("", 0);
    enum status st;

    buf_clear(&s->text);
    for (size_t i = 0; i < s->columns; i++) {
        const struct value *v = &values[s->column[i]];

        if (s->column[i] < 0 || v->type != V_TEXT) continue;
        if (i == 0) {
            title = *v;
            continue;
        }
        if (s->text.size > 0) buf_u8(&s->text, ' ');
        buf_append(&s->text, v->s, v->len);
    }
    st = embed_document(s->embedder, title.s, title.len, (const char *)s->text.data, s->text.size,
                        out, f);
    *empty = true;
    for (uint32_t i = 0; i < s->dim && *empty; i++)
        *empty = out[i] == 0.0f;
    return st;
}

/* The bits, since the source's vector is made what the graph would have stored of it: rounding instead would set two
 * neighbours apart wherever a limit lies between them. */
static struct hash128 vector_hash(const struct vector_side *s, uint64_t key, const float *v)
{
    uint32_t all[HNSW_DIM_MAX + 2];

    all[0] = (uint32_t)(key >> 32);
    all[1] = (uint32_t)key;
    if (s->deep) memcpy(all + 2, v, s->dim * sizeof *v);
    return siphash128(all, (2 + (s->deep ? s->dim : 0)) * sizeof *all);
}

static enum status vector_content(struct source_side *source, const struct value *values,
                                  struct bytes row, struct hash128 *out, struct fault *f)
{
    struct vector_side *s = source->ctx;
    float v[HNSW_DIM_MAX] = {0}, stored[HNSW_DIM_MAX] = {0};
    bool empty = true;
    enum status st = ST_OK;

    (void)row;
    if (s->deep) st = embed_row(s, values, v, &empty, f);
    if (st == ST_OK && !empty) st = hnsw_as_stored(s->graph, v, stored, f);
    *out = vector_hash(s, document_key(values[source->schema->key[0]].i), stored);
    return st;
}

static void describe_vector(const struct side_row *row, struct buf *out)
{
    const float *v = row->data;

    buf_printf(out, "{\"vector\":[%.4f,%.4f,%.4f,\"...\"]}", (double)v[0], (double)v[1],
               (double)v[2]);
}

static bool give_vector(void *ctx, uint64_t key, lsn_t birth, const float *vector)
{
    struct vector_side *s = ctx;
    struct side_row row = {.lsn = birth, .describe = describe_vector, .data = vector};

    side_document_key(key, &s->key);
    row.key = (struct bytes){s->key.data, s->key.size};
    if (!side_in_range(s->range, row.key)) return true;
    row.hash = vector_hash(s, key, vector);
    s->st = s->fn(s->ctx, &row, s->fault);
    return s->st == ST_OK;
}

static enum status scan_vectors(struct side *side, const struct oltp_range *range, side_fn fn,
                                void *ctx, struct fault *f)
{
    struct vector_side *s = (struct vector_side *)side;
    enum status st;

    s->range = range;
    s->fn = fn;
    s->ctx = ctx;
    s->fault = f;
    s->st = ST_OK;
    st = hnsw_each(s->graph, give_vector, s);
    return s->st != ST_OK ? s->st : st;
}

/* A text without any word the embedder knows has no vector, and that is right.                       */
static bool vector_excused(struct side *side, struct bytes key)
{
    struct vector_side *s = (struct vector_side *)side;
    struct value values[COLUMNS_MAX];
    struct oltp_row row;
    float v[HNSW_DIM_MAX];
    bool empty = false;

    return oltp_get_key(s->txn, s->table, key, &row, NULL) == ST_OK &&
           row_decode(s->schema, row.row.data, row.row.size, values, NULL) == ST_OK &&
           embed_row(s, values, v, &empty, NULL) == ST_OK && empty;
}

static enum status run_vectors(struct run *r, const char *dir, struct fault *f)
{
    const struct json *config = platform_sink_config(r->platform, "vectors"),
                      *text = json_get(config, "text");
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    struct source src = {0};
    struct source_side source;
    struct vector_side v = {.side = {.scan = scan_vectors, .excused = vector_excused}};
    lsn_t lsn;
    enum status st = vectors_open_reader(r->platform, LSN_MAX, &embedder, &graph, f);

    (void)dir;
    if (st != ST_OK) return st;
    lsn = hnsw_applied_lsn(graph);
    st = open_source(r->platform, lsn, &src, f);
    if (st == ST_OK) st = oltp_table(src.txn, json_string(config, "table", ""), &v.table, f);
    if (st == ST_OK) {
        source_side_init(&source, src.txn, v.table);
        v.graph = graph;
        v.embedder = embedder;
        v.txn = src.txn;
        v.schema = source.schema;
        v.dim = (uint32_t)embedder_dim(embedder);
        v.deep = r->options->deep || oltp_count(src.txn, v.table, 0) <= DEEP_ROWS_MAX;
        for (const struct json *n = text != NULL ? text->child : NULL;
             n != NULL && v.columns < ARRAY_LEN(v.column); n = n->next)
            v.column[v.columns++] = schema_column(source.schema, n->str);
        source.content = vector_content;
        source.ctx = &v;
        st = compare(r, &source, &v.side, "vectors", lsn, f);
    }
    buf_free(&v.key);
    buf_free(&v.text);
    close_source(&src);
    hnsw_close(graph);
    embedder_close(embedder);
    return st;
}

/* ---- all of them ---- */

static bool is_current_embedder(const struct platform *p, char why[256])
{
    struct vectors_current c;
    struct embedder *e = NULL;
    bool same;

    if (vectors_current(p, &c, NULL) != ST_OK || embedder_open(p->io, c.model, &e, NULL) != ST_OK)
        return true;
    same = strcmp(c.embedder, embedder_version(e)) == 0;
    if (!same)
        snprintf(why, 256, "the folder says embedder %s, the model is %s", c.embedder,
                 embedder_version(e));
    embedder_close(e);
    return same;
}

enum status reconcile_run(const struct platform *p, const struct reconcile_options *o,
                          struct reconcile_report *out, struct fault *f)
{
    static const struct {
        const char *sink;
        enum status (*run)(struct run *r, const char *dir, struct fault *f);
    } stores[] = {{"warehouse", run_warehouse},
                  {"view", run_view},
                  {"search", run_search},
                  {"vectors", run_vectors}};
    struct run r = {p, o, out, NULL};
    enum status st = ST_OK;

    *out = (struct reconcile_report){0};
    for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(stores); i++) {
        struct reconcile_result *missing = NULL;
        struct fault local = {0};
        char dir[PATH_MAX_BYTES], why[256];

        if (platform_sink_config(p, stores[i].sink) == NULL) continue;
        st = platform_sink_path(p, stores[i].sink, dir, f);
        if (st == ST_OK) st = stores[i].run(&r, dir, &local);
        if (st == ST_OK && strcmp(stores[i].sink, "vectors") == 0 && !is_current_embedder(p, why)) {
            st = new_result(&r, "vectors", "embedder", LSN_NONE, &missing, f);
            if (st == ST_OK) missing->note = arena_strdup(&out->arena, why, strlen(why));
            out->differences++;
        } else if (st == ST_NOT_FOUND) { /* never fed, or asked for an LSN that is no longer kept */
            st = new_result(&r, stores[i].sink, "*", LSN_NONE, &missing, f);
            if (st == ST_OK)
                missing->note = arena_strdup(&out->arena, local.why, strlen(local.why));
            out->differences++;
        } else if (st != ST_OK && f != NULL) {
            *f = local;
        }
    }
    return st;
}

void reconcile_free(struct reconcile_report *r)
{
    arena_free(&r->arena);
    *r = (struct reconcile_report){0};
}

/* ---- repair ---- */

enum status reconcile_emit(struct oltp_txn *t, uint32_t table, struct bytes key, struct fault *f)
{
    struct oltp_row row;
    struct buf copy = {0};
    enum status st = oltp_get_key(t, table, key, &row, NULL);

    if (st == ST_OK) { /* what a write transaction shows lives until its next change */
        buf_append(&copy, row.row.data, row.row.size);
        st = oltp_apply(t, table, OP_UPDATE, CHANGE_REPAIR, key,
                        (struct bytes){copy.data, copy.size}, f);
    } else if (st == ST_NOT_FOUND) {
        st = oltp_apply(t, table, OP_DELETE, CHANGE_REPAIR, key, (struct bytes){NULL, 0}, NULL);
        if (st == ST_NOT_FOUND) st = ST_OK; /* logged all the same */
    }
    buf_free(&copy);
    return st;
}

enum status reconcile_repair(const struct platform *p, const struct reconcile_report *r,
                             uint64_t *rows, lsn_t *lsn, struct fault *f)
{
    struct platform_source source = {0};
    struct oltp_txn *t = NULL;
    struct oltp_commit commit = {0};
    uint64_t pending = 0;
    enum status st = platform_open_source(p, &source, f);

    *rows = 0;
    for (size_t i = 0; st == ST_OK && i < r->count; i++) {
        const struct reconcile_result *res = &r->results[i];
        uint32_t table;

        for (size_t k = 0; st == ST_OK && k < res->shown; k++) {
            if (t == NULL) st = oltp_write_begin(source.db, &t, f);
            if (st == ST_OK) st = oltp_table(t, res->table, &table, f);
            if (st == ST_OK) st = reconcile_emit(t, table, res->list[k].key, f);
            if (st != ST_OK) break;
            ++*rows;
            if (++pending < REPAIR_BATCH) continue;
            st = oltp_commit(t, OLTP_DURABLE, &commit, f);
            t = NULL;
            pending = 0;
        }
    }
    if (st == ST_OK && t != NULL) {
        st = oltp_commit(t, OLTP_DURABLE, &commit, f);
        t = NULL;
    }
    oltp_end(t);
    *lsn = commit.lsn;
    return platform_close_source(&source, st, f);
}
