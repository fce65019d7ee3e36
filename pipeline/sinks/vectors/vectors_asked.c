/* vectors_asked - what is asked of the vector graph: every checksum, its vectors against the texts they were made of, and
 * whether it shows a change yet. */
#include "pipeline/sinks/vectors/vectors_asked.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/sinks/vectors/vectors.h"

/* ---- sides ---- */

struct vector_side {
    struct sink_side side;
    const struct platform *platform;
    struct hnsw *graph;
    struct embedder *embedder;
    struct oltp_txn *txn;
    uint32_t table, dim;
    const struct seam_schema *schema;
    int column[8]; /* title, then the description's columns */
    size_t columns;
    bool asked_deep, deep;
    const struct oltp_range *range;
    sink_side_fn fn;
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

static enum seam_status vector_content(struct sink_source_side *source,
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

static void describe_vector(const struct sink_side_row *row, struct seam_buf *out)
{
    const float *v = row->data;

    seam_buf_printf(out, "{\"vector\":[%.4f,%.4f,%.4f,\"...\"]}", (double)v[0], (double)v[1],
                    (double)v[2]);
}

static bool give_vector(void *ctx, uint64_t key, seam_lsn_t birth, const float *vector)
{
    struct vector_side *s = ctx;
    struct sink_side_row row = {.lsn = birth, .describe = describe_vector, .data = vector};

    sink_side_key(key, &s->key);
    row.key = (struct wal_bytes){s->key.data, s->key.size};
    if (!sink_side_in_range(s->range, row.key)) return true;
    row.hash = vector_hash(s, key, vector);
    s->st = s->fn(s->ctx, &row, s->fault);
    return s->st == SEAM_OK;
}

static enum seam_status scan_vectors(struct sink_side *side, const struct oltp_range *range,
                                     sink_side_fn fn, void *ctx, struct seam_fault *f)
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
static enum seam_status vector_excused(struct sink_side *side, struct wal_bytes key, bool *excused,
                                       struct seam_fault *f)
{
    struct vector_side *s = (struct vector_side *)side;
    struct seam_value values[SEAM_COLUMNS_MAX];
    struct oltp_row row;
    float v[HNSW_DIM_MAX];
    bool there;
    enum seam_status st = seam_fault_there(oltp_get_key(s->txn, s->table, key, &row, f), &there, f);

    *excused = false;
    if (st != SEAM_OK || !there) return st;
    st = seam_row_decode(s->schema, row.row.data, row.row.size, values, f);
    return st == SEAM_OK ? embed_row(s, values, v, excused, f) : st;
}

static enum seam_status vector_open(const struct platform *p, const char *dir, bool deep,
                                    void **state, seam_lsn_t *lsn, struct seam_fault *f)
{
    struct vector_side *s = calloc(1, sizeof *s);
    enum seam_status st;

    *state = s;
    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory to reconcile");
    s->side = (struct sink_side){.scan = scan_vectors, .excused = vector_excused};
    s->platform = p;
    s->asked_deep = deep;
    st = sink_vectors_open_reader(p, SEAM_LSN_MAX, &s->embedder, &s->graph, f);
    if (st != SEAM_OK) return st;
    s->dim = (uint32_t)embedder_dim(s->embedder);
    *lsn = hnsw_applied_lsn(s->graph);
    return SEAM_OK;
}

static enum seam_status vector_table(void *state, struct sink_source_side *source,
                                     struct sink_side **other, struct seam_fault *f)
{
    struct vector_side *s = state;
    const struct seam_json *text =
        seam_json_get(platform_sink_config(s->platform, "vectors"), "text");

    (void)f;
    s->txn = source->txn;
    s->table = source->table;
    s->schema = source->schema;
    s->deep = s->asked_deep || oltp_count(s->txn, s->table, 0) <= SINK_SIDE_DEEP_ROWS;
    s->columns = 0;
    for (const struct seam_json *n = text != NULL ? text->child : NULL;
         n != NULL && s->columns < SEAM_ARRAY_LEN(s->column); n = n->next)
        s->column[s->columns++] = seam_schema_column(source->schema, n->str);
    source->content = vector_content;
    source->ctx = s;
    *other = &s->side;
    return SEAM_OK;
}

static void vector_close(void *state)
{
    struct vector_side *s = state;

    if (s == NULL) return;
    seam_buf_free(&s->key);
    seam_buf_free(&s->text);
    hnsw_close(s->graph);
    embedder_close(s->embedder);
    free(s);
}

/* `current` names an embedder; the model beside it must be that one. */
static bool vector_doubt(const struct platform *p, struct seam_buf *why)
{
    struct sink_vectors_current c;
    struct embedder *e = NULL;
    bool differs;

    if (sink_vectors_current(p, &c, NULL) != SEAM_OK ||
        embedder_open(p->io, c.model, &e, NULL) != SEAM_OK)
        return false;
    differs = strcmp(c.embedder, embedder_version(e)) != 0;
    if (differs)
        seam_buf_printf(why, "the folder says embedder %s, the model is %s", c.embedder,
                        embedder_version(e));
    embedder_close(e);
    return differs;
}

static const char *vector_only(const struct seam_json *config)
{
    return seam_json_string(config, "table", "");
}

const struct sink_sides sink_vectors_sides = {.only = vector_only,
                                              .open = vector_open,
                                              .table = vector_table,
                                              .close = vector_close,
                                              .doubt = vector_doubt};

/* ---- verification ---- */

enum seam_status sink_vectors_verify(const struct platform *p, const char *dir,
                                     struct seam_buf *summary, struct seam_buf *report,
                                     struct seam_fault *f)
{
    struct hnsw_verify_report *v = calloc(1, sizeof *v);
    struct sink_vectors_current current;
    enum seam_status st;

    (void)report;
    if (v == NULL) return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET, "no memory");
    st = sink_vectors_current(p, &current, f); /* the graph is that of the current generation */
    if (st == SEAM_OK) st = hnsw_verify(p->io, current.dir, v, f);
    seam_buf_printf(summary,
                    "%" PRIu64 " files, %" PRIu64 " nodes, %" PRIu64 " links, %" PRIu64 "/%" PRIu64
                    " reachable",
                    v->files, v->nodes, v->links, v->health.reachable, v->health.live);
    free(v);
    return st;
}

/* ---- probe ---- */

static enum seam_status probe_open(const struct platform *p, const char *dir, void **state,
                                   struct seam_fault *f)
{
    struct embedder *embedder = NULL;
    struct hnsw *graph = NULL;
    enum seam_status st = sink_vectors_open_reader(p, SEAM_LSN_MAX, &embedder, &graph, f);

    (void)dir;
    embedder_close(embedder);
    *state = graph;
    return st;
}

static enum seam_status probe_look(void *state, const struct sink_expectation *e, bool *seen,
                                   seam_lsn_t *applied, struct seam_fault *f)
{
    struct hnsw *graph = state;
    float vector[HNSW_DIM_MAX];
    struct hnsw_info info;
    bool there;
    enum seam_status st = hnsw_refresh(graph, NULL, f);

    *applied = hnsw_applied_lsn(graph);
    *seen = *applied >= e->lsn;
    if (st != SEAM_OK || !*seen || e->product == 0) return st;
    st = seam_fault_there(hnsw_get(graph, sink_key_of_id(e->product), vector, f), &there, f);
    hnsw_info(graph, &info);
    if (e->gone)
        *seen = !there;
    else
        *seen = there && (e->old_vector == NULL ||
                          memcmp(vector, e->old_vector, info.options.dim * sizeof *vector) != 0);
    return st;
}

static void probe_close(void *state)
{
    hnsw_close(state);
}

const struct sink_probe sink_vectors_probe = {probe_open, probe_look, probe_close};
