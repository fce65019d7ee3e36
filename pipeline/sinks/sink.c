/* sink - finds sinks, and runs one: feed in, publications out. */
#include "pipeline/sinks/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/values/key.h"
#include "pipeline/sinks/deadletter.h"
#include "pipeline/sinks/faults.h"
#include "pipeline/stream/feed.h"
#include "pipeline/stream/stream.h"
#include "pipeline/sinks/sinks.h"
#include "pipeline/sinks/sweep.h"

enum { BATCH_EVENTS = 65536, BATCH_US = 50000, IDLE_WAIT_MS = 200 };

static const struct sink_ops *const all[] = {
    &sink_warehouse, &sink_gold, &sink_view, &sink_search, &sink_vectors, &sink_audit,
};

const struct sink_ops *sink_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    return NULL;
}

size_t sink_names(const char *const **names)
{
    static const char *const list[] = {"warehouse", "gold", "view", "search", "vectors", "audit"};

    *names = list;
    return ARRAY_LEN(list);
}

/* The registry lives with the runner; a sink's struct begins with struct sink, so they are allocated apart. */
struct runner {
    struct sink *sink;
    struct registry registry;
    struct feed *feed;
    const struct sink_run_options *o;
    struct sink_run_result *result;
    uint64_t pending;          /* events handed over since the last publish                        */
    uint64_t first_ns;         /* when the first of them came                                      */
    lsn_t ready;               /* everything up to here has been handed over, whole transactions   */
    int64_t ready_wall_us;
    bool in_transaction;
    uint64_t next_offset;      /* of the event that must come next; 0 = any (the first one)          */
    struct sweep sweep;        /* of the snapshot that is being read */
    struct sink_change row;    /* its newest row: what the deletes at its end are stamped with */
    struct faults faults;      /* none, outside of chaos tests */
};

enum status sink_key_values(const struct sink_change *c, struct value *values, struct buf *text,
                            struct fault *f)
{
    const uint8_t *p = c->key.data;

    for (uint16_t i = 0; i < c->schema->column_count; i++) values[i] = v_null();
    for (uint16_t i = 0; i < c->schema->key_count; i++) {
        const struct column *column = &c->schema->columns[c->schema->key[i]];
        struct value *v = &values[c->schema->key[i]];
        enum status st = key_read(&p, c->key.data + c->key.size, column->type, v, text);

        if (st != ST_OK)
            return fault_set(f, ST_CORRUPT, c->schema->name, c->offset, "a key that is none of this table's");
        v->scale = column->scale;
    }
    return ST_OK;
}

enum status sink_document_key(const struct sink_change *c, uint64_t *key, struct fault *f)
{
    const struct schema *s = c->schema;
    struct value values[COLUMNS_MAX];
    struct buf text = {0};
    enum status st;

    if (s->key_count != 1 || s->columns[s->key[0]].type != V_INT)
        return fault_set(f, ST_UNSUPPORTED, s->name, FAULT_NO_OFFSET,
                         "documents need a table with one int64 key column");
    st = sink_key_values(c, values, &text, f);
    buf_free(&text);
    if (st == ST_OK) *key = document_key(values[s->key[0]].i);
    return st;
}

enum status sink_give_document(uint64_t key, sink_key_fn fn, void *ctx, struct fault *f)
{
    struct value id = v_int(document_id(key));
    struct buf b = {0};
    enum status st;

    key_append(&b, &id);
    st = buf_ok(&b) ? fn(ctx, (struct bytes){b.data, b.size}, f)
                    : fault_set(f, ST_NOMEM, "document", FAULT_NO_OFFSET, "no memory for a key");
    buf_free(&b);
    return st;
}

static enum status open_in(const struct platform *p, const char *name, const char *dir, struct trace *trace,
                           struct sink **out, struct fault *f)
{
    const struct sink_ops *ops = sink_find(name);
    struct sink *s;
    enum status st;

    if (ops == NULL || platform_sink_config(p, name) == NULL)
        return fault_set(f, ST_NOT_FOUND, name, FAULT_NO_OFFSET, "this platform has no sink of that name");
    s = calloc(1, ops->size);
    if (s == NULL) return fault_set(f, ST_NOMEM, name, FAULT_NO_OFFSET, "no memory for the sink");
    s->ops = ops;
    s->platform = p;
    s->config = platform_sink_config(p, name);
    s->trace = trace;
    s->beside = dir != NULL;
    if (dir != NULL) snprintf(s->dir, sizeof s->dir, "%s", dir);
    st = dir != NULL ? ST_OK : platform_sink_path(p, name, s->dir, f);
    if (st == ST_OK) st = io_mkdir(p->io, s->dir, f);
    if (st == ST_OK) st = ops->open(s, f);
    if (st != ST_OK) {
        sink_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

enum status sink_open(const struct platform *p, const char *name, struct trace *trace, struct sink **out,
                      struct fault *f)
{
    return open_in(p, name, NULL, trace, out, f);
}

enum status sink_open_beside(const struct platform *p, const char *name, const char *dir, struct sink **out,
                             struct fault *f)
{
    if (strcmp(name, "vectors") == 0)
        return fault_set(f, ST_UNSUPPORTED, name, FAULT_NO_OFFSET, "vectors build generations of their own");
    return open_in(p, name, dir, NULL, out, f);
}

void sink_close(struct sink *s)
{
    if (s == NULL) return;
    s->ops->close(s);
    free(s);
}

/* A sink is told every schema it may meet before any row: those known from before, then the news.   */
static enum status tell_schemas(struct runner *r, struct fault *f)
{
    enum status st = ST_OK;

    if (r->sink->ops->schema == NULL) return ST_OK;
    for (size_t i = 0; st == ST_OK && i < r->registry.count; i++)
        st = r->sink->ops->schema(r->sink, &r->registry.schemas[i], f);
    return st;
}

static enum status publish(struct runner *r, struct fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    enum status st = ST_OK;

    if (r->ready <= ops->applied(r->sink)) { /* nothing new, but a heartbeat may say that we live */
        r->pending = 0;
        return r->ready_wall_us != 0 ? feed_confirm(r->feed, r->ready, f) : ST_OK;
    }
    st = ops->publish(r->sink, r->ready, r->ready_wall_us, f);
    if (st == ST_OK) st = feed_confirm(r->feed, r->ready, f);
    if (st != ST_OK) return st;
    TRACE(r->sink->trace, "pipeline", "publish", TS("sink", ops->name), TI("lsn", r->ready),
          TI("events", r->pending));
    r->result->publications++;
    r->result->applied = r->ready;
    r->pending = 0;
    return ST_OK;
}

/* An event has its place. One that was given before is skipped; one that comes too early means that another is
 * missing: going on would lose it for ever, because the applied LSN would pass it.                  */
static enum status in_order(struct runner *r, const struct feed_event *e, bool *again, struct fault *f)
{
    if (e->skipped > 0 && e->offset == r->next_offset + e->skipped) r->next_offset = e->offset; /* the stream's own */
    *again = r->next_offset != 0 && e->offset < r->next_offset;
    if (*again) return ST_OK;
    if (r->next_offset != 0 && e->offset > r->next_offset)
        return fault_set(f, ST_CORRUPT, r->sink->ops->name, e->offset,
                         "delivered before event %llu: nothing of this batch is kept", (unsigned long long)r->next_offset);
    r->next_offset = e->offset + 1;
    return ST_OK;
}

static enum status set_aside(struct runner *r, const struct sink_change *c, const char *reason, struct fault *f)
{
    /* A swept delete has no row before: only a repair's record may lack it, and says the same (it is gone). */
    const uint8_t flags = c->flags | (c->swept ? CHANGE_REPAIR : 0);
    const struct stream_event e = {
        .kind = STREAM_ROW, .offset = c->offset, .lsn = c->lsn, .txn = c->txn, .seq = c->seq, .total = c->seq + 1,
        .wall_us = c->wall_us, .snapshot = c->snapshot, .repair = (flags & CHANGE_REPAIR) != 0,
        .row = {.txn = c->txn, .seq = c->seq, .table = c->schema->id, .version = c->schema->version, .op = c->op,
                .flags = flags, .key = c->key, .before = c->before, .after = c->after},
    };

    return dead_letter_add(r->sink->platform, r->sink->ops->name, &e, reason, NULL, f);
}

/* A change that cannot be applied because of what it is goes to the dead letters, and the rest goes on. */
static enum status apply(struct runner *r, const struct sink_change *c, struct fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    struct fault local = {0};
    char reason[FAULT_WHERE_MAX + FAULT_WHY_MAX + 64];
    enum status st;

    if (r->faults.any) {
        r->faults.count++;
        if (r->faults.drop_deletes && c->op == OP_DELETE) return ST_OK;
        if (r->faults.drop_updates && c->op == OP_UPDATE && r->faults.count % 10 == 0) return ST_OK;
    }
    st = r->faults.poison && (c->flags & CHANGE_REPAIR) == 0 && r->faults.count % 100 == 0
             ? fault_set(&local, ST_CORRUPT, c->schema->name, c->offset, "poisoned by SEAM_FAULT")
             : ops->change(r->sink, c, &local);
    if (st == ST_OK) return ST_OK;
    if (st != ST_CORRUPT && st != ST_INVALID && st != ST_UNSUPPORTED) { /* the store's trouble, not the event's */
        if (f != NULL) *f = local;
        return st;
    }
    r->result->dead++;
    return set_aside(r, c, fault_text(&local, reason, sizeof reason), f);
}

/* Before the first event of a snapshot: what was handed over is published, so that the store stands where history
 * ends. One that stands at the snapshot already (or beyond) has no use for it.                      */
static enum status begin_snapshot(struct runner *r, const struct feed_event *e, struct fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    lsn_t applied;
    enum status st = publish(r, f);

    if (st != ST_OK) return st;
    applied = ops->applied(r->sink);
    if (applied >= e->lsn) return ST_OK;
    sweep_begin(&r->sweep);
    r->row = (struct sink_change){.lsn = e->lsn, .wall_us = e->wall_us, .offset = e->offset};
    r->result->snapshots++;
    TRACE(r->sink->trace, "pipeline", "snapshot", TS("sink", ops->name), TI("from", applied), TI("lsn", e->lsn));
    return ops->gap != NULL ? ops->gap(r->sink, applied, e->lsn, e->wall_us, f) : ST_OK;
}

static enum status delete_swept(void *ctx, const struct sink_change *c, struct fault *f) { return apply(ctx, c, f); }

static enum status snapshot_row(struct runner *r, const struct sink_change *c, struct fault *f)
{
    r->row.seq = c->seq;
    r->row.offset = c->offset;
    return sweep_name(&r->sweep, c, f);
}

static enum status handle(struct runner *r, const struct feed_event *e, struct fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    lsn_t applied;
    bool again = false;
    enum status st = ST_OK;

    if (e->kind != FEED_COMMIT && e->kind != FEED_HEARTBEAT) st = in_order(r, e, &again, f);
    if (st == ST_OK && e->snapshot && e->kind == FEED_SCHEMA && !r->sweep.open) st = begin_snapshot(r, e, f);
    if (st != ST_OK) return st;
    applied = ops->applied(r->sink);
    switch (e->kind) {
    case FEED_SCHEMA:
        return ops->schema != NULL ? ops->schema(r->sink, e->schema, f) : ST_OK;
    case FEED_CHANGE:
    case FEED_OUTBOX:
        r->in_transaction = true;
        if (again || e->lsn <= applied) { /* delivered again */
            r->result->skipped++;
            return ST_OK;
        }
        if (r->pending++ == 0) r->first_ns = clock_mono_ns(r->sink->platform->clock);
        r->result->events++;
        if (e->snapshot) st = snapshot_row(r, &e->change, f);
        if (st != ST_OK) return st;
        if (e->kind == FEED_CHANGE) return ops->change != NULL ? apply(r, &e->change, f) : ST_OK;
        return ops->outbox != NULL ? ops->outbox(r->sink, &e->outbox, f) : ST_OK;
    case FEED_COMMIT:
    case FEED_HEARTBEAT:
        if (r->sweep.open)
            st = sweep_end(&r->sweep, r->sink, &r->registry, &r->row, delete_swept, r, &r->result->swept, f);
        if (st != ST_OK) return st;
        if (e->kind == FEED_COMMIT) r->result->transactions++;
        r->in_transaction = false;
        if (e->lsn > r->ready) r->ready = e->lsn;
        r->ready_wall_us = e->wall_us;
        return ST_OK;
    }
    return ST_OK;
}

/* What comes from the feed, as the faults of a chaos test deliver it.                               */
static enum status deliver(struct runner *r, const struct feed_event *e, struct fault *f)
{
    bool data = e->kind == FEED_CHANGE || e->kind == FEED_OUTBOX;
    enum status st;

    if (r->faults.withhold && data && ++r->faults.count % 5000 == 0) return ST_OK;
    st = handle(r, e, f);
    return st == ST_OK && r->faults.duplicate && data ? handle(r, e, f) : st;
}

static bool batch_full(const struct runner *r)
{
    uint64_t events = r->o->batch_events != 0 ? r->o->batch_events : BATCH_EVENTS;
    uint64_t us = r->o->batch_us != 0 ? r->o->batch_us : BATCH_US;

    if (r->in_transaction || r->pending == 0) return false;
    return r->pending >= events || clock_mono_ns(r->sink->platform->clock) - r->first_ns >= us * 1000;
}

static bool should_stop(const struct runner *r)
{
    if (r->o->stop != NULL && *r->o->stop) return true;
    return r->o->until_lsn != 0 && r->sink->ops->applied(r->sink) >= r->o->until_lsn;
}

/* Nothing is waiting: publish, then background work until something is.                            */
static enum status idle(struct runner *r, bool *caught_up, struct fault *f)
{
    bool more = false;
    enum status st = r->in_transaction ? ST_OK : publish(r, f);

    if (st != ST_OK) return st;
    if (r->o->until_caught_up && !r->in_transaction) {
        *caught_up = true;
        return ST_OK;
    }
    if (should_stop(r)) return ST_OK;
    if (feed_wait(r->feed, 0) == ST_OK) return ST_OK;
    if (r->sink->ops->maintain != NULL) st = r->sink->ops->maintain(r->sink, &more, f);
    if (st == ST_OK && !more) (void)feed_wait(r->feed, (uint64_t)IDLE_WAIT_MS * 1000000);
    return st;
}

static enum status run(struct runner *r, struct fault *f)
{
    struct feed_event e;
    bool caught_up = false;
    enum status st = tell_schemas(r, f);

    while (st == ST_OK && !caught_up && !should_stop(r)) {
        if (r->faults.stall) {
            r->sink->platform->clock->sleep_us(r->sink->platform->clock, 50000);
            continue;
        }
        st = feed_next(r->feed, &e, f);
        if (st == ST_OK) st = r->faults.any ? deliver(r, &e, f) : handle(r, &e, f);
        else if (st == ST_END) st = idle(r, &caught_up, f);
        if (st == ST_OK && batch_full(r)) {
            st = publish(r, f);
            if (st == ST_OK && r->o->progress != NULL)
                r->o->progress(r->o->progress_ctx, r->result->applied, feed_source_lsn(r->feed),
                               r->result->events);
        }
    }
    if (st == ST_OK && !r->in_transaction) st = publish(r, f);
    return st;
}

enum status sink_run(struct sink *s, const struct sink_run_options *o, struct sink_run_result *result,
                     struct fault *f)
{
    struct sink_run_result unused;
    struct runner r = {.sink = s, .o = o, .result = result != NULL ? result : &unused};
    lsn_t applied = s->ops->applied(s);
    enum status st;

    *r.result = (struct sink_run_result){.applied = applied};
    r.ready = applied;
    r.faults = faults_of(s->ops->name);
    st = registry_open(&r.registry, s->platform->io, s->dir, f);
    if (st == ST_OK) st = feed_open(s->platform, s->beside ? NULL : s->ops->name, applied, &r.registry, &r.feed, f);
    if (st == ST_OK) st = s->ops->run != NULL ? s->ops->run(s, r.feed, o, r.result, f) : run(&r, f);
    feed_close(r.feed);
    registry_close(&r.registry);
    sweep_free(&r.sweep);
    return st;
}
