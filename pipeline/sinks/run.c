/* run - runs one sink: feed in, publications out.
 *
 * A crash anywhere in here leaves the store where it last published: everything handed over since is in its memory alone, or
 * in files its manifest does not name, and the stream gives it again. What must never be is a publication in the middle of
 * a transaction, or one past an event that is neither applied nor a dead letter: both would be believed after the crash. */
#include <assert.h>

#include "pipeline/sinks/sink.h"

#include "pipeline/sinks/deadletter.h"
#include "pipeline/sinks/sweep.h"
#include "pipeline/stream/feed.h"
#include "pipeline/stream/stream.h"

enum { BATCH_EVENTS = 65536, BATCH_US = 50000, IDLE_WAIT_MS = 200 };

/* What the runner may do, by what it has handed over since the last publication:
 *
 *              | change, outbox | COMMIT, HEARTBEAT | publish
 *   IDLE       | INSIDE         | IDLE              | IDLE (says only that it lives)
 *   INSIDE     | INSIDE         | HANDED or IDLE    | never: half a transaction would be visible
 *   HANDED     | INSIDE         | HANDED            | IDLE
 *
 * INSIDE is a transaction whose end has not come, HANDED whole ones that wait for their publication. From INSIDE back to
 * IDLE: all of its events had been applied before. */
enum runner_state { RUN_IDLE, RUN_INSIDE, RUN_HANDED, RUN_STATES };

static const bool run_moves[RUN_STATES][RUN_STATES] = {
    [RUN_IDLE] = {[RUN_IDLE] = true, [RUN_INSIDE] = true},
    [RUN_INSIDE] = {[RUN_IDLE] = true, [RUN_INSIDE] = true, [RUN_HANDED] = true},
    [RUN_HANDED] = {[RUN_IDLE] = true, [RUN_INSIDE] = true, [RUN_HANDED] = true},
};

/* The registry lives with the runner; a sink's struct begins with struct sink, so they are allocated apart. */
struct runner {
    struct sink *sink;
    struct stream_registry registry;
    struct stream_feed *feed;
    const struct sink_run_options *o;
    struct sink_run_result *result;
    uint64_t pending;  /* events handed over since the last publish                        */
    uint64_t first_ns; /* when the first of them came                                      */
    seam_lsn_t ready;  /* everything up to here has been handed over, whole transactions   */
    int64_t ready_wall_us;
    enum runner_state state;
    uint64_t next_offset; /* of the event that must come next; 0 = any (the first one)          */
    struct sink_sweep sweep; /* of the snapshot that is being read */
};

static void move(struct runner *r, enum runner_state to)
{
    assert(run_moves[r->state][to]);
    assert(to != RUN_HANDED || r->pending > 0);
    r->state = to;
}

/* A sink is told every schema it may meet before any row: those known from before, then the news.   */
static enum seam_status tell_schemas(struct runner *r, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (r->sink->ops->schema == NULL) return SEAM_OK;
    for (size_t i = 0; st == SEAM_OK && i < r->registry.count; i++)
        st = r->sink->ops->schema(r->sink, &r->registry.schemas[i], f);
    return st;
}

static enum seam_status publish(struct runner *r, struct seam_fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    enum seam_status st = SEAM_OK;

    assert(r->state != RUN_INSIDE);
    assert(
        !r->sweep
             .open); /* a snapshot is one transaction: its rows without its deletes are no state of the shop */
    if (r->ready <= ops->applied(r->sink)) { /* nothing new, but a heartbeat may say that we live */
        r->pending = 0;
        move(r, RUN_IDLE);
        return r->ready_wall_us != 0 ? stream_feed_confirm(r->feed, r->ready, f) : SEAM_OK;
    }
    st = ops->publish(r->sink, r->ready, r->ready_wall_us, f);
    /* Killed in between, the page of consumers tells less than the store holds; the feed says so when it opens again. */
    if (st == SEAM_OK) st = stream_feed_confirm(r->feed, r->ready, f);
    if (st != SEAM_OK) return st;
    assert(ops->applied(r->sink) == r->ready);
    SEAM_TRACE(r->sink->trace, "pipeline", "publish", SEAM_TS("sink", ops->name),
               SEAM_TI("lsn", r->ready), SEAM_TI("events", r->pending));
    r->result->publications++;
    r->result->applied = r->ready;
    r->pending = 0;
    move(r, RUN_IDLE);
    return SEAM_OK;
}

/* An event has its place. One that was given before is skipped; one that comes too early means that another is
 * missing: going on would lose it for ever, because the applied LSN would pass it.                  */
static enum seam_status in_order(struct runner *r, const struct stream_feed_event *e, bool *again,
                                 struct seam_fault *f)
{
    if (e->skipped > 0 && e->offset == r->next_offset + e->skipped)
        r->next_offset = e->offset; /* the stream's own */
    *again = r->next_offset != 0 && e->offset < r->next_offset;
    if (*again) return SEAM_OK;
    if (r->next_offset != 0 && e->offset > r->next_offset)
        return seam_fault_set(f, SEAM_CORRUPT, r->sink->ops->name, e->offset,
                              "delivered before event %llu: nothing of this batch is kept",
                              (unsigned long long)r->next_offset);
    r->next_offset = e->offset + 1;
    return SEAM_OK;
}

static enum seam_status set_aside(struct runner *r, const struct stream_change *c,
                                  const char *reason, struct seam_fault *f)
{
    /* A swept delete has no row before: only a repair's record may lack it, and says the same (it is gone). */
    const uint8_t flags = c->flags | (c->swept ? WAL_CHANGE_REPAIR : 0);
    const struct stream_event e = {
        .kind = STREAM_ROW,
        .offset = c->offset,
        .lsn = c->lsn,
        .txn = c->txn,
        .seq = c->seq,
        .total = c->seq + 1,
        .wall_us = c->wall_us,
        .snapshot = c->snapshot,
        .repair = (flags & WAL_CHANGE_REPAIR) != 0,
        .row = {.txn = c->txn,
                .seq = c->seq,
                .table = c->schema->id,
                .version = c->schema->version,
                .op = c->op,
                .flags = flags,
                .key = c->key,
                .before = c->before,
                .after = c->after},
    };

    return sink_dead_letter_add(r->sink->platform, r->sink->ops->name, &e, reason, NULL, f);
}

static bool blames_event(enum seam_status st)
{
    return st == SEAM_CORRUPT || st == SEAM_INVALID || st == SEAM_UNSUPPORTED;
}

/* What cannot be applied because of what it is goes to the dead letters, and the rest goes on. The letter is durable before
 * anything is published past its event. */
static enum seam_status apply(struct runner *r, const struct stream_change *c, struct seam_fault *f)
{
    struct seam_fault local = {0};
    char reason[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];
    enum seam_status st = r->sink->ops->change(r->sink, c, &local);

    if (st == SEAM_OK) return SEAM_OK;
    if (!blames_event(st)) { /* the store's trouble, not the event's */
        seam_fault_give(f, &local);
        return st;
    }
    r->result->dead++;
    return set_aside(r, c, seam_fault_text(&local, reason, sizeof reason), f);
}

static enum seam_status apply_outbox(struct runner *r, const struct stream_outbox *e,
                                     struct seam_fault *f)
{
    struct seam_fault local = {0};
    char reason[SEAM_FAULT_WHERE_MAX + SEAM_FAULT_WHY_MAX + 64];
    const struct stream_event letter = {
        .kind = STREAM_OUTBOX,
        .offset = e->offset,
        .lsn = e->lsn,
        .txn = e->txn,
        .seq = e->seq,
        .total = e->seq + 1,
        .wall_us = e->wall_us,
        .outbox =
            {.txn = e->txn, .seq = e->seq, .topic = e->topic, .key = e->key, .payload = e->logged},
    };
    enum seam_status st = SEAM_CORRUPT;

    if (e->unreadable != NULL)
        seam_fault_give(&local, e->unreadable);
    else
        st = r->sink->ops->outbox(r->sink, e, &local);
    if (st == SEAM_OK) return SEAM_OK;
    if (!blames_event(st)) {
        seam_fault_give(f, &local);
        return st;
    }
    r->result->dead++;
    return sink_dead_letter_add(r->sink->platform, r->sink->ops->name, &letter,
                                seam_fault_text(&local, reason, sizeof reason), NULL, f);
}

/* Before the first event of a snapshot: what was handed over is published, so that the store stands where history
 * ends. One that stands at the snapshot already (or beyond) has no use for it.                      */
static enum seam_status begin_snapshot(struct runner *r, const struct stream_feed_event *e,
                                       struct seam_fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    seam_lsn_t applied;
    enum seam_status st;

    if (ops->applied(r->sink) >= e->lsn) return SEAM_OK;
    st = publish(r, f);
    if (st != SEAM_OK) return st;
    applied = ops->applied(r->sink);
    assert(r->pending == 0);
    if (applied >= e->lsn) return SEAM_OK; /* what waited reached it: no writer came in between */
    sink_sweep_begin(&r->sweep, &(struct stream_change){
                                    .lsn = e->lsn, .wall_us = e->wall_us, .offset = e->offset});
    r->result->snapshots++;
    SEAM_TRACE(r->sink->trace, "pipeline", "snapshot", SEAM_TS("sink", ops->name),
               SEAM_TI("from", applied), SEAM_TI("lsn", e->lsn));
    return ops->gap != NULL ? ops->gap(r->sink, applied, e->lsn, e->wall_us, f) : SEAM_OK;
}

static enum seam_status delete_swept(void *ctx, const struct stream_change *c, struct seam_fault *f)
{
    struct runner *r = ctx;

    r->result->swept++;
    return apply(r, c, f);
}

static enum seam_status handle(struct runner *r, const struct stream_feed_event *e,
                               struct seam_fault *f)
{
    const struct sink_ops *ops = r->sink->ops;
    seam_lsn_t applied;
    bool again = false;
    enum seam_status st = SEAM_OK;

    if (e->kind != FEED_COMMIT && e->kind != FEED_HEARTBEAT) st = in_order(r, e, &again, f);
    if (st == SEAM_OK && e->snapshot && e->kind == FEED_SCHEMA && !r->sweep.open)
        st = begin_snapshot(r, e, f);
    if (st != SEAM_OK) return st;
    applied = ops->applied(r->sink);
    switch (e->kind) {
    case FEED_SCHEMA: return ops->schema != NULL ? ops->schema(r->sink, e->schema, f) : SEAM_OK;
    case FEED_CHANGE:
    case FEED_OUTBOX:
        move(r, RUN_INSIDE);
        if (again || e->lsn <= applied) { /* delivered again */
            r->result->skipped++;
            return SEAM_OK;
        }
        assert(e->lsn >= r->ready); /* history comes in order: what is published is never behind */
        if (r->pending++ == 0) r->first_ns = seam_clock_mono_ns(r->sink->platform->clock);
        r->result->events++;
        if (r->sweep.open && e->kind == FEED_CHANGE) st = sink_sweep_name(&r->sweep, &e->change, f);
        if (st != SEAM_OK) return st;
        if (e->kind == FEED_CHANGE) return ops->change != NULL ? apply(r, &e->change, f) : SEAM_OK;
        return ops->outbox != NULL ? apply_outbox(r, &e->outbox, f) : SEAM_OK;
    case FEED_COMMIT:
    case FEED_HEARTBEAT:
        if (r->sweep.open)
            st = sink_sweep_end(&r->sweep, r->sink, &r->registry, delete_swept, r, f);
        if (st != SEAM_OK) return st;
        if (e->kind == FEED_COMMIT) r->result->transactions++;
        move(r, r->pending > 0 ? RUN_HANDED : RUN_IDLE);
        if (e->lsn > r->ready) r->ready = e->lsn;
        r->ready_wall_us = e->wall_us;
        return SEAM_OK;
    }
    return SEAM_OK;
}

static bool batch_full(const struct runner *r)
{
    uint64_t events = r->o->batch_events != 0 ? r->o->batch_events : BATCH_EVENTS;
    uint64_t us = r->o->batch_us != 0 ? r->o->batch_us : BATCH_US;

    if (r->state != RUN_HANDED) return false;
    return r->pending >= events ||
           seam_clock_mono_ns(r->sink->platform->clock) - r->first_ns >= us * 1000;
}

static bool should_stop(const struct runner *r)
{
    if (r->o->stop != NULL && *r->o->stop) return true;
    return r->o->until_lsn != 0 && r->sink->ops->applied(r->sink) >= r->o->until_lsn;
}

/* Nothing is waiting: publish, then background work until something is.                            */
static enum seam_status idle(struct runner *r, bool *caught_up, struct seam_fault *f)
{
    bool more = false;
    enum seam_status st = r->state == RUN_INSIDE ? SEAM_OK : publish(r, f);

    if (st != SEAM_OK) return st;
    if (r->o->until_caught_up && r->state != RUN_INSIDE) {
        *caught_up = true;
        return SEAM_OK;
    }
    if (should_stop(r)) return SEAM_OK;
    if (stream_feed_wait(r->feed, 0) == SEAM_OK) return SEAM_OK;
    if (r->sink->ops->maintain != NULL) st = r->sink->ops->maintain(r->sink, &more, f);
    if (st == SEAM_OK && !more) (void)stream_feed_wait(r->feed, (uint64_t)IDLE_WAIT_MS * 1000000);
    return st;
}

enum seam_status sink_next(struct sink *s, struct stream_feed *feed, struct stream_feed_event *e,
                           struct seam_fault *f)
{
    return s->ops->next != NULL ? s->ops->next(s, feed, e, f) : stream_feed_next(feed, e, f);
}

static enum seam_status run(struct runner *r, struct seam_fault *f)
{
    struct stream_feed_event e;
    bool caught_up = false;
    enum seam_status st = tell_schemas(r, f);

    while (st == SEAM_OK && !caught_up && !should_stop(r)) {
        st = sink_next(r->sink, r->feed, &e, f);
        if (st == SEAM_OK)
            st = handle(r, &e, f);
        else if (st == SEAM_END)
            st = idle(r, &caught_up, f);
        if (st == SEAM_OK && batch_full(r)) {
            st = publish(r, f);
            if (st == SEAM_OK && r->o->progress != NULL)
                r->o->progress(r->o->progress_ctx, r->result->applied,
                               stream_feed_source_lsn(r->feed), r->result->events);
        }
    }
    if (st == SEAM_OK && r->state != RUN_INSIDE) st = publish(r, f);
    return st;
}

enum seam_status sink_run(struct sink *s, const struct sink_run_options *o,
                          struct sink_run_result *result, struct seam_fault *f)
{
    struct sink_run_result unused;
    struct runner r = {.sink = s, .o = o, .result = result != NULL ? result : &unused};
    seam_lsn_t applied = s->ops->applied(s);
    enum seam_status st;

    *r.result = (struct sink_run_result){.applied = applied};
    r.ready = applied;
    st = stream_registry_open(&r.registry, s->platform->io, s->dir, f);
    if (st == SEAM_OK)
        st = stream_feed_open(s->platform, s->beside ? NULL : s->ops->name, applied, &r.registry,
                              &r.feed, f);
    if (st == SEAM_OK)
        st = s->ops->run != NULL ? s->ops->run(s, r.feed, o, r.result, f) : run(&r, f);
    stream_feed_close(r.feed);
    stream_registry_close(&r.registry);
    sink_sweep_free(&r.sweep);
    return st;
}
