/* feed - the stream's events with their schemas, and the reader's position on the page of consumers. */
#include "pipeline/stream/feed.h"

#include <stdlib.h>
#include <string.h>

#include "oltp/oltp.h"
#include "pipeline/stream/stream.h"

struct stream_feed {
    const struct platform *platform;
    struct stream_reader *reader;
    struct stream_consumers *consumers; /* NULL: anonymous */
    int slot;
    struct stream_registry *registry;
    char dir[SEAM_PATH_MAX_BYTES];
    struct seam_fault unreadable; /* of the event given last */
    struct stream_event last_end; /* the newest COMMIT or BEAT given out: what confirm() reports */
};

/* Killed between its publication and saying so, a store stands further than the page of consumers tells. It may have
 * nothing more to publish for long, so it is said now.                                             */
static enum seam_status catch_up_page(struct stream_feed *feed, const char *consumer,
                                      seam_lsn_t after, struct seam_fault *f)
{
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    size_t n = stream_consumers_list(feed->consumers, list);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, consumer) != 0) continue;
        feed->last_end = (struct stream_event){.lsn = list[i].lsn,
                                               .wall_us = list[i].wall_us,
                                               .position = list[i].position,
                                               .offset = list[i].offset};
        return list[i].lsn < after ? stream_feed_confirm(feed, after, f) : SEAM_OK;
    }
    return SEAM_OK;
}

/* From LSN 0 for an empty store too, and not from the oldest event kept: a stream whose start a retention took
 * away must be refused, not read from its middle. A snapshot is a new start.                       */
static enum seam_status open_after(struct stream_feed *feed, seam_lsn_t after, struct seam_fault *f)
{
    struct seam_io *io = feed->platform->io;
    struct seam_fault gone = {0};
    enum seam_status st =
        stream_reader_open(io, feed->dir, STREAM_FROM_LSN, (int64_t)after, &feed->reader, &gone);

    if (st == SEAM_NOT_FOUND) {
        bool there;

        st = seam_fault_there(stream_reader_open_snapshot(io, feed->dir, after, &feed->reader, f),
                              &there, f);
        if (st != SEAM_OK || there) return st; /* a snapshot that cannot be read says why itself */
        st = SEAM_NOT_FOUND;                   /* and without one, it is what is gone that counts */
    }
    if (st != SEAM_OK) seam_fault_give(f, &gone);
    return st;
}

enum seam_status stream_feed_open(const struct platform *p, const char *consumer, seam_lsn_t after,
                                  struct stream_registry *registry, struct stream_feed **out,
                                  struct seam_fault *f)
{
    struct stream_feed *feed = calloc(1, sizeof *feed);
    enum seam_status st;

    if (feed == NULL) return seam_no_memory(f, "a reader");
    feed->platform = p;
    feed->registry = registry;
    st = platform_path(p, "stream", feed->dir, f);
    if (st == SEAM_OK) st = open_after(feed, after, f);
    if (st == SEAM_OK && consumer != NULL) {
        st = stream_consumers_open(p->io, feed->dir, &feed->consumers, f);
        if (st == SEAM_OK) st = stream_consumer_join(feed->consumers, consumer, &feed->slot, f);
        if (st == SEAM_OK) st = catch_up_page(feed, consumer, after, f);
    }
    if (st != SEAM_OK) {
        stream_feed_close(feed);
        return st;
    }
    *out = feed;
    return SEAM_OK;
}

static enum seam_status give_change(struct stream_feed *feed, const struct stream_event *s,
                                    struct stream_feed_event *e, struct seam_fault *f)
{
    const struct seam_schema *schema = stream_registry_get(feed->registry, s->row.table);

    if (schema == NULL || s->row.version > schema->version)
        return seam_fault_set(f, SEAM_CORRUPT, feed->dir, s->offset,
                              "a row of table %u version %u, whose schema the stream has not told",
                              s->row.table, s->row.version);
    e->kind = FEED_CHANGE;
    e->change = (struct stream_change){.lsn = s->lsn,
                                       .txn = s->txn,
                                       .seq = s->seq,
                                       .wall_us = s->wall_us,
                                       .offset = s->offset,
                                       .op = (enum wal_change_op)s->row.op,
                                       .flags = s->row.flags & WAL_CHANGE_REPAIR,
                                       .snapshot = s->snapshot,
                                       .schema = schema,
                                       .key = s->row.key,
                                       .before = s->row.before,
                                       .after = s->row.after};
    return SEAM_OK;
}

/* One that cannot be read is given as such: the stream is whole around it, and whoever reads goes on. */
static enum seam_status give_outbox(struct stream_feed *feed, const struct stream_event *s,
                                    struct stream_feed_event *e, struct seam_fault *f)
{
    enum seam_status st;

    e->kind = FEED_OUTBOX;
    e->outbox = (struct stream_outbox){.lsn = s->lsn,
                                       .txn = s->txn,
                                       .seq = s->seq,
                                       .wall_us = s->wall_us,
                                       .offset = s->offset,
                                       .topic = s->outbox.topic,
                                       .key = s->outbox.key,
                                       .logged = s->outbox.payload};
    seam_fault_clear(&feed->unreadable);
    st = oltp_outbox_get(s->outbox.payload, &e->outbox.type, &e->outbox.payload, &feed->unreadable);
    if (st == SEAM_OK) return SEAM_OK;
    if (st != SEAM_CORRUPT) {
        seam_fault_give(f, &feed->unreadable);
        return st;
    }
    e->outbox.type = e->outbox.payload = (struct wal_bytes){NULL, 0};
    e->outbox.unreadable = &feed->unreadable;
    return SEAM_OK;
}

static enum seam_status give_schema(struct stream_feed *feed, const struct stream_event *s,
                                    struct stream_feed_event *e, struct seam_fault *f)
{
    bool changed;
    enum seam_status st =
        stream_registry_put(feed->registry, s->schema.table, (const char *)s->schema.json.data,
                            s->schema.json.size, &changed, f);

    e->kind = FEED_SCHEMA;
    e->schema = stream_registry_get(feed->registry, s->schema.table);
    return st;
}

enum seam_status stream_feed_next(struct stream_feed *feed, struct stream_feed_event *e,
                                  struct seam_fault *f)
{
    struct stream_event s;
    enum seam_status st = stream_reader_next(feed->reader, &s, f);

    if (st != SEAM_OK) return st;
    e->lsn = s.lsn;
    e->wall_us = s.wall_us;
    e->offset = s.offset;
    e->skipped = s.skipped;
    e->snapshot = s.snapshot;
    switch (s.kind) {
    case STREAM_ROW: return give_change(feed, &s, e, f);
    case STREAM_OUTBOX: return give_outbox(feed, &s, e, f);
    case STREAM_SCHEMA: return give_schema(feed, &s, e, f);
    case STREAM_COMMIT:
    case STREAM_BEAT:
        e->kind = s.kind == STREAM_COMMIT ? FEED_COMMIT : FEED_HEARTBEAT;
        feed->last_end = s;
        return SEAM_OK;
    }
    return SEAM_OK;
}

enum seam_status stream_feed_wait(struct stream_feed *feed, uint64_t timeout_ns)
{
    return stream_reader_wait(feed->reader, timeout_ns);
}

enum seam_status stream_feed_confirm(struct stream_feed *feed, seam_lsn_t lsn, struct seam_fault *f)
{
    struct stream_event at = feed->last_end;

    (void)f;
    if (feed->consumers == NULL) return SEAM_OK;
    at.lsn =
        lsn; /* a sink may lag behind what it has read: its position then is only an upper bound ... */
    if (lsn < feed->last_end.lsn) at.position = 0; /* ... so it holds back everything */
    stream_consumer_confirm(feed->consumers, feed->slot, &at,
                            seam_clock_wall_us(feed->platform->clock));
    return SEAM_OK;
}

seam_lsn_t stream_feed_source_lsn(struct stream_feed *feed)
{
    struct stream_state s;

    return stream_state(feed->platform->io, feed->dir, &s, NULL) == SEAM_OK ? s.lsn : SEAM_LSN_NONE;
}

void stream_feed_close(struct stream_feed *feed)
{
    if (feed == NULL) return;
    stream_reader_close(feed->reader);
    stream_consumers_close(feed->consumers);
    free(feed);
}
