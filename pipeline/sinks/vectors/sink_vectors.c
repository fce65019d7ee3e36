/* sink_vectors - products into the vector graph, by way of an embedder learned from those very products.
 *
 * The first generation is made at the first start: one pass over the stream teaches the embedder, then the
 * sink applies the stream from its beginning like any other. When the catalogue has outgrown what the embedder
 * learned from (GROWTH_FACTOR times as many documents), maintain() builds the next generation beside the
 * serving one, from the stream, and switches.                                                     */
#include <stdlib.h>
#include <string.h>

#include "engine/values/row.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/sweep.h"
#include "pipeline/sinks/vectors/vectors_asked.h"
#include "pipeline/sinks/vectors/vectors_write.h"
#include "pipeline/stream/feed.h"

enum { GROWTH_FACTOR = 4, TRAIN_MIN = 16, TEXT_COLUMNS_MAX = 8 };

struct vectors_sink {
    struct sink sink;
    struct sink_vectors_current current;
    struct embedder *embedder; /* NULL: too few documents to learn from yet */
    struct hnsw *graph;
    const char *table;
    const char *column[TEXT_COLUMNS_MAX]; /* the first is the title */
    size_t columns;
    const char *context[TEXT_COLUMNS_MAX]; /* learned from, never embedded: category, brand */
    size_t contexts;
    float *vector, *stored, *would; /* scratch, of the graph's dimension */
    uint32_t dim;
    uint64_t documents; /* inserted since creation: what the growth rule counts */
    uint64_t tried;     /* documents at the last try to learn, which may have been too few words */
    seam_lsn_t applied;
    int64_t applied_wall_us;
};

/* The title and the rest of the texts, joined by a space; `text` owns the joined bytes.             */
static enum seam_status document_texts(const struct vectors_sink *s,
                                       const struct seam_schema *schema, struct wal_bytes row,
                                       struct seam_value *title, struct seam_buf *text,
                                       struct seam_fault *f)
{
    struct seam_value values[SEAM_COLUMNS_MAX];
    enum seam_status st = seam_row_decode(schema, row.data, row.size, values, f);

    *title = seam_v_text("", 0);
    seam_buf_clear(text);
    for (size_t i = 0; st == SEAM_OK && i < s->columns; i++) {
        int c = seam_schema_column(schema, s->column[i]);

        if (c < 0 || values[c].type != SEAM_V_TEXT) continue;
        if (i == 0) {
            *title = values[c];
            continue;
        }
        if (text->size > 0) seam_buf_u8(text, ' ');
        seam_buf_append(text, values[c].s, values[c].len);
    }
    if (st == SEAM_OK && !seam_buf_ok(text))
        st = seam_fault_set(f, SEAM_NOMEM, s->table, SEAM_FAULT_NO_OFFSET, "no memory");
    return st;
}

static enum seam_status context_texts(const struct vectors_sink *s,
                                      const struct seam_schema *schema, struct wal_bytes row,
                                      struct seam_buf *out, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < s->contexts; i++) {
        int c = seam_schema_column(schema, s->context[i]);
        struct seam_value v;

        if (c < 0) continue;
        st = seam_row_get(schema, row.data, row.size, c, &v, f);
        if (st != SEAM_OK || v.type != SEAM_V_TEXT) continue;
        if (out->size > 0) seam_buf_u8(out, ' ');
        seam_buf_append(out, v.s, v.len);
    }
    if (st == SEAM_OK && !seam_buf_ok(out))
        st = seam_fault_set(f, SEAM_NOMEM, s->table, SEAM_FAULT_NO_OFFSET, "no memory");
    return st;
}

static enum seam_status learn_one(const struct vectors_sink *s, const struct stream_change *c,
                                  struct embed_trainer *t, struct seam_buf *text, uint64_t *learned,
                                  struct seam_fault *f)
{
    struct seam_value title;
    struct seam_buf context = {0};
    enum seam_status st;

    if (c->op != WAL_OP_INSERT || strcmp(c->schema->name, s->table) != 0) return SEAM_OK;
    st = document_texts(s, c->schema, c->after, &title, text, f);
    if (st == SEAM_OK) st = context_texts(s, c->schema, c->after, &context, f);
    if (st == SEAM_OK)
        st = embed_trainer_add(t, title.s, title.len, (const char *)text->data, text->size,
                               (const char *)context.data, context.size, f);
    if (st == SEAM_OK) ++*learned;
    seam_buf_free(&context);
    return st;
}

/* Learns an embedder from every product the stream has inserted. *out stays NULL when they are too few. */
static enum seam_status learn(struct vectors_sink *s, struct embedder **out, uint64_t *learned,
                              struct seam_fault *f)
{
    struct embed_options o = {.dim = s->dim, .threads = 1, .seed = 1};
    struct embed_trainer *t = NULL;
    struct stream_registry registry = {0};
    struct stream_feed *feed = NULL;
    struct stream_feed_event e;
    struct seam_buf text = {0};
    enum seam_status st = stream_registry_open(&registry, s->sink.platform->io, s->sink.dir, f);

    *learned = 0;
    if (st == SEAM_OK) st = embed_trainer_new(&o, &t, f);
    if (st == SEAM_OK)
        st = stream_feed_open(s->sink.platform, NULL, SEAM_LSN_NONE, &registry, &feed, f);
    while (st == SEAM_OK && (st = stream_feed_next(feed, &e, f)) == SEAM_OK) {
        if (e.snapshot && e.kind == FEED_SCHEMA &&
            *learned > 0) { /* it names all of them again, and only those */
            embed_trainer_free(t);
            t = NULL;
            *learned = 0;
            st = embed_trainer_new(&o, &t, f);
        }
        if (st == SEAM_OK && e.kind == FEED_CHANGE)
            st = learn_one(s, &e.change, t, &text, learned, f);
    }
    if (st == SEAM_END) st = SEAM_OK;
    if (st == SEAM_OK && *learned >= TRAIN_MIN) {
        struct seam_fault few = {0};

        st = embed_trainer_finish(t, out, &few);
        if (st == SEAM_INVALID)
            st = SEAM_OK; /* fewer than two different words: not yet */
        else if (st != SEAM_OK && f != NULL)
            *f = few;
    }
    stream_feed_close(feed);
    embed_trainer_free(t);
    stream_registry_close(&registry);
    seam_buf_free(&text);
    return st;
}

/* Makes a generation's folder: its embedder, when there is enough to learn from, and an empty graph. */
static enum seam_status create_generation(struct vectors_sink *s, uint64_t number,
                                          struct sink_vectors_current *out, struct seam_fault *f)
{
    const struct platform *p = s->sink.platform;
    struct hnsw_options o = {.dim = s->dim, .metric = HNSW_COSINE, .quant = HNSW_F32, .seed = 1};
    struct embedder *e = NULL;
    enum seam_status st = sink_vectors_place(p, number, out, f);

    if (st == SEAM_OK && seam_io_exists(p->io, out->dir)) /* a build that was cut off */
        st = seam_io_remove_tree(p->io, out->dir, f);
    if (st == SEAM_OK) st = seam_io_mkdir(p->io, out->dir, f);
    if (st == SEAM_OK) st = learn(s, &e, &out->trained_on, f);
    if (st == SEAM_OK && e != NULL) {
        memcpy(out->embedder, embedder_version(e),
               strnlen(embedder_version(e), sizeof out->embedder - 1));
        st = embedder_save(e, p->io, out->model, f);
    }
    if (st == SEAM_OK && e == NULL) out->trained_on = 0;
    if (st == SEAM_OK) st = hnsw_create(p->io, out->dir, &o, f);
    embedder_close(e);
    return st;
}

static enum seam_status open_generation(struct vectors_sink *s, struct seam_fault *f)
{
    const struct platform *p = s->sink.platform;
    struct hnsw_config cfg = {.clock = p->clock, .trace = s->sink.trace};
    struct hnsw_info info;
    enum seam_status st = SEAM_OK;

    if (s->current.embedder[0] != '\0')
        st = embedder_open(p->io, s->current.model, &s->embedder, f);
    if (st == SEAM_OK) st = hnsw_open_writer(p->io, s->current.dir, &cfg, &s->graph, f);
    if (st != SEAM_OK) return st;
    hnsw_info(s->graph, &info);
    s->applied = info.applied_lsn;
    s->documents = info.live;
    if (info.options.dim != s->dim)
        return seam_fault_set(
            f, SEAM_CONFLICT, s->current.dir, SEAM_FAULT_NO_OFFSET,
            "the graph has %u dimensions and the configuration says %u: run 'seam rebuild vectors'",
            info.options.dim, s->dim);
    return SEAM_OK;
}

static enum seam_status read_config(struct vectors_sink *s, struct seam_fault *f)
{
    const struct seam_json *text = seam_json_get(s->sink.config, "text");
    int64_t dim = EMBED_DIM_DEFAULT;
    const struct seam_json *d = seam_json_get(s->sink.config, "dimension");

    s->table = seam_json_string(s->sink.config, "table", NULL);
    if (s->table == NULL || text == NULL || text->len == 0 || text->len > TEXT_COLUMNS_MAX)
        return seam_fault_set(f, SEAM_INVALID, "sinks.vectors", SEAM_FAULT_NO_OFFSET,
                              "\"table\" and \"text\" (1 to %d columns) are needed",
                              TEXT_COLUMNS_MAX);
    for (const struct seam_json *n = text->child; n != NULL; n = n->next)
        if (n->type == SEAM_J_STRING) s->column[s->columns++] = n->str;
    text = seam_json_get(s->sink.config, "context");
    for (const struct seam_json *n = text != NULL ? text->child : NULL;
         n != NULL && s->contexts < TEXT_COLUMNS_MAX; n = n->next)
        if (n->type == SEAM_J_STRING) s->context[s->contexts++] = n->str;
    if (d != NULL && (!seam_json_int(d, &dim) || dim < HNSW_DIM_MIN || dim > EMBED_DIM_MAX))
        return seam_fault_set(f, SEAM_INVALID, "sinks.vectors.dimension", SEAM_FAULT_NO_OFFSET,
                              "must be %d to %d", HNSW_DIM_MIN, EMBED_DIM_MAX);
    s->dim = (uint32_t)dim;
    s->vector = calloc(s->dim, sizeof *s->vector);
    s->stored = calloc(s->dim, sizeof *s->stored);
    s->would = calloc(s->dim, sizeof *s->would);
    return s->vector == NULL || s->stored == NULL || s->would == NULL
               ? seam_fault_set(f, SEAM_NOMEM, s->table, SEAM_FAULT_NO_OFFSET, "no memory")
               : SEAM_OK;
}

/* An update that leaves the texts alone (a price, a stock count) leaves the vector alone.             */
static enum seam_status same_texts(const struct vectors_sink *s, const struct stream_change *c,
                                   bool *same, struct seam_fault *f)
{
    struct seam_value before[SEAM_COLUMNS_MAX], after[SEAM_COLUMNS_MAX];
    enum seam_status st;

    *same = false;
    if (c->op != WAL_OP_UPDATE || c->before.data == NULL || (c->flags & WAL_CHANGE_REPAIR) != 0)
        return SEAM_OK;
    st = seam_row_decode(c->schema, c->before.data, c->before.size, before, f);
    if (st == SEAM_OK) st = seam_row_decode(c->schema, c->after.data, c->after.size, after, f);
    *same = st == SEAM_OK;
    for (size_t i = 0; i < s->columns && *same; i++) {
        int column = seam_schema_column(c->schema, s->column[i]);

        *same = column < 0 || seam_value_equal(&before[column], &after[column]);
    }
    return st;
}

/* A snapshot names what has not changed, too: a vector that is there already is not put into the graph again. To the bit,
 * as reconciliation compares: the same words in another order make another vector. */
static bool same_in_graph(const struct vectors_sink *s, uint64_t key)
{
    if (hnsw_get(s->graph, key, s->stored, NULL) != SEAM_OK) return false;
    if (hnsw_as_stored(s->graph, s->vector, s->would, NULL) != SEAM_OK)
        return false; /* the upsert says why */
    return memcmp(s->stored, s->would, s->dim * sizeof *s->would) == 0;
}

static enum seam_status vectors_change(struct sink *sink, const struct stream_change *c,
                                       struct seam_fault *f)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;
    struct seam_value title;
    struct seam_buf text = {0};
    uint64_t key;
    bool empty = true, same, there;
    enum seam_status st;

    if (strcmp(c->schema->name, s->table) != 0) return SEAM_OK;
    st = same_texts(s, c, &same, f);
    if (st != SEAM_OK || same) return st;
    st = sink_document_key(c, &key, f);
    if (st != SEAM_OK) return st;
    if (c->op != WAL_OP_DELETE) {
        if (c->op == WAL_OP_INSERT &&
            !(c->snapshot && hnsw_get(s->graph, key, s->stored, NULL) == SEAM_OK))
            s->documents++;
        if (s->embedder == NULL)
            return SEAM_OK; /* the next generation will find it in the stream */
        st = document_texts(s, c->schema, c->after, &title, &text, f);
        if (st == SEAM_OK)
            st = embed_document(s->embedder, title.s, title.len, (const char *)text.data, text.size,
                                s->vector, f);
        seam_buf_free(&text);
        if (st != SEAM_OK) return st;
        for (uint32_t i = 0; i < s->dim && empty; i++) empty = s->vector[i] == 0.0f;
        if (!empty && c->snapshot && same_in_graph(s, key)) return SEAM_OK;
        if (!empty) return hnsw_upsert(s->graph, key, s->vector, c->lsn, f);
    }
    /* gone, or without any word we know */
    return seam_fault_there(hnsw_delete(s->graph, key, c->lsn, f), &there, f);
}

/* What makes the serving generation durable and visible; a first embedder is not waited for, see below. */
static enum seam_status publish_generation(struct vectors_sink *s, seam_lsn_t applied,
                                           int64_t wall_us, struct seam_fault *f)
{
    enum seam_status st = hnsw_publish(s->graph, applied, wall_us, f);

    if (st == SEAM_OK) {
        s->applied = applied;
        s->applied_wall_us = wall_us;
    }
    return st;
}

static seam_lsn_t vectors_applied(const struct sink *sink)
{
    return ((const struct vectors_sink *)sink)->applied;
}

struct sink_vectors_key_list {
    sink_key_fn fn;
    void *ctx;
    struct seam_fault *fault;
    enum seam_status st;
};

static bool list_key(void *ctx, uint64_t key, seam_lsn_t birth, const float *vector)
{
    struct sink_vectors_key_list *l = ctx;

    (void)birth;
    (void)vector;
    l->st = sink_give_document(key, l->fn, l->ctx, l->fault);
    return l->st == SEAM_OK;
}

static enum seam_status vectors_keys(struct sink *sink, const struct seam_schema *schema,
                                     sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;
    struct sink_vectors_key_list list = {fn, ctx, f, SEAM_OK};
    enum seam_status st;

    if (strcmp(schema->name, s->table) != 0) return SEAM_OK;
    st = hnsw_each(s->graph, list_key, &list);
    return list.st != SEAM_OK ? list.st : st;
}

static enum seam_status change_swept(void *ctx, const struct stream_change *c, struct seam_fault *f)
{
    return vectors_change(ctx, c, f);
}

/* One event into a generation that is being built. */
static enum seam_status take(struct vectors_sink *next, struct sink_sweep *sweep,
                             const struct stream_registry *registry,
                             const struct stream_feed_event *e, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (e->snapshot && e->kind == FEED_SCHEMA && !sweep->open) {
        sink_sweep_begin(sweep, &(struct stream_change){
                                    .lsn = e->lsn, .wall_us = e->wall_us, .offset = e->offset});
    }
    if (e->kind == FEED_CHANGE) {
        if (sweep->open) st = sink_sweep_name(sweep, &e->change, f);
        return st == SEAM_OK ? vectors_change(&next->sink, &e->change, f) : st;
    }
    if (e->kind == FEED_COMMIT && sweep->open)
        st = sink_sweep_end(sweep, &next->sink, registry, change_swept, next, f);
    return st;
}

/* Feeds a new generation from the start of the stream to where the serving one stands.             */
static enum seam_status catch_up(struct vectors_sink *next, seam_lsn_t until, struct seam_fault *f)
{
    struct stream_registry registry = {0};
    struct stream_feed *feed = NULL;
    struct stream_feed_event e;
    struct sink_sweep sweep = {0};
    seam_lsn_t done = SEAM_LSN_NONE;
    enum seam_status st =
        stream_registry_open(&registry, next->sink.platform->io, next->sink.dir, f);

    if (st == SEAM_OK)
        st = stream_feed_open(next->sink.platform, NULL, SEAM_LSN_NONE, &registry, &feed, f);
    while (st == SEAM_OK && done < until && (st = stream_feed_next(feed, &e, f)) == SEAM_OK) {
        if (e.lsn <= until) st = take(next, &sweep, &registry, &e, f);
        if (e.kind == FEED_COMMIT) done = e.lsn;
    }
    if (st == SEAM_END) st = SEAM_OK;
    stream_feed_close(feed);
    stream_registry_close(&registry);
    sink_sweep_free(&sweep);
    return st;
}

static void close_generation(struct vectors_sink *s)
{
    hnsw_close(s->graph);
    embedder_close(s->embedder);
    s->graph = NULL;
    s->embedder = NULL;
}

/* Builds the next generation beside the serving one and switches; the old folder goes last.         */
static enum seam_status next_generation(struct vectors_sink *s, struct seam_fault *f)
{
    struct vectors_sink next = *s;
    struct sink_vectors_current old = s->current;
    enum seam_status st;

    next.graph = NULL;
    next.embedder = NULL;
    memset(&next.current, 0, sizeof next.current);
    st = create_generation(&next, old.generation + 1, &next.current, f);
    if (st == SEAM_OK) st = open_generation(&next, f);
    next.documents = 0;
    if (st == SEAM_OK) st = catch_up(&next, s->applied, f);
    if (st == SEAM_OK) st = publish_generation(&next, s->applied, s->applied_wall_us, f);
    if (st == SEAM_OK) st = sink_vectors_switch(s->sink.platform, &next.current, f);
    if (st != SEAM_OK) {
        close_generation(&next);
        return st;
    }
    close_generation(s);
    *s = next;
    return seam_io_remove_tree(s->sink.platform->io, old.dir, f);
}

/* The catalogue has outgrown what the embedder learned from; too few words are not tried again at once. */
static bool outgrown(struct vectors_sink *s)
{
    if (s->documents < TRAIN_MIN || s->documents < GROWTH_FACTOR * s->current.trained_on ||
        s->documents < 2 * s->tried)
        return false;
    s->tried = s->documents;
    return true;
}

/* Without an embedder nothing can be found: the first one is learned as soon as there is something to learn from. */
static enum seam_status vectors_publish(struct sink *sink, seam_lsn_t applied, int64_t wall_us,
                                        struct seam_fault *f)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;
    enum seam_status st = publish_generation(s, applied, wall_us, f);

    return st == SEAM_OK && s->embedder == NULL && outgrown(s) ? next_generation(s, f) : st;
}

static enum seam_status vectors_maintain(struct sink *sink, bool *more, struct seam_fault *f)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;
    struct hnsw_maintain_options o = {.retain_lsn = s->applied, .threads = 1};
    struct hnsw_maintain_report report;

    *more = false;
    if (outgrown(s)) return next_generation(s, f);
    if (!hnsw_wants_maintain(s->graph)) return SEAM_OK;
    return hnsw_maintain(s->graph, &o, &report, f);
}

static enum seam_status vectors_open(struct sink *sink, struct seam_fault *f)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;
    struct seam_fault none = {0};
    enum seam_status st = read_config(s, f);

    if (st != SEAM_OK) return st;
    st = sink_vectors_current(sink->platform, &s->current, &none);
    if (st == SEAM_NOT_FOUND) {
        st = create_generation(s, 1, &s->current, f);
        if (st == SEAM_OK) st = sink_vectors_switch(sink->platform, &s->current, f);
    } else if (st != SEAM_OK && f != NULL) {
        *f = none;
    }
    if (st == SEAM_OK) st = open_generation(s, f);
    /* Killed before the first embedder was learned: what it would learn from has gone by, and is still in the stream. */
    if (st != SEAM_OK || s->embedder != NULL || s->applied == SEAM_LSN_NONE) return st;
    s->documents = TRAIN_MIN;
    return outgrown(s) ? next_generation(s, f) : SEAM_OK;
}

static void vectors_close(struct sink *sink)
{
    struct vectors_sink *s = (struct vectors_sink *)sink;

    close_generation(s);
    free(s->vector);
    free(s->stored);
    free(s->would);
}

const struct sink_ops sink_vectors = {
    .name = "vectors",
    .open = vectors_open,
    .change = vectors_change,
    .keys = vectors_keys,
    .publish = vectors_publish,
    .applied = vectors_applied,
    .maintain = vectors_maintain,
    .close = vectors_close,
    .size = sizeof(struct vectors_sink),
    .verify = sink_vectors_verify,
    .sides = &sink_vectors_sides,
    .probe = &sink_vectors_probe,
    .rebuild = SINK_REBUILD_IN_PLACE,
};
