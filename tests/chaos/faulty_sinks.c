/* faulty_sinks - THE list of sinks (pipeline/sinks/sinks.c), each wrapped in one that does wrong what SEAM_FAULT says.
 *
 *   runner --next, change--> wrapper --unless a fault is planted--> the sink
 *
 * Linked before libseam.a, this file's sink_list is taken instead of the library's. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/sinks/sink.h"
#include "pipeline/stream/feed.h"
#include "tests/chaos/faults.h"

const struct sink_ops *const *chaos_whole_list(size_t *n);
#define sink_list chaos_whole_list
#include "pipeline/sinks/sinks.c"
#undef sink_list

enum { WITHHOLD_EVERY = 5000, UPDATE_EVERY = 10, POISON_EVERY = 100, STALL_US = 50000 };

struct wrapper { /* ops come first: a sink's ops lead back to what it wraps */
    struct sink_ops ops;
    const struct sink_ops *inner;
};

struct planted { /* behind the sink's own memory */
    bool drop_deletes, drop_updates, duplicate, withhold, stall, poison;
    bool again; /* the event of before is given once more */
    uint64_t changes, events;
    struct stream_feed_event event;
};

static const struct sink_ops *inner_of(const struct sink *s)
{
    return ((const struct wrapper *)s->ops)->inner;
}

static size_t planted_at(const struct sink_ops *inner)
{
    return (inner->size + 63) / 64 * 64;
}

static struct planted *planted_in(struct sink *s)
{
    return (struct planted *)(void *)((char *)s + planted_at(inner_of(s)));
}

static bool named(const char *list, const char *sink, const char *kind)
{
    size_t s = strlen(sink), k = strlen(kind);

    for (const char *p = list; p != NULL && *p != '\0';
         p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, sink, s) == 0 && p[s] == ':' && strncmp(p + s + 1, kind, k) == 0 &&
            (p[s + 1 + k] == '\0' || p[s + 1 + k] == ','))
            return true;
    return false;
}

static enum seam_status faulty_open(struct sink *s, struct seam_fault *f)
{
    const char *list = getenv("SEAM_FAULT"), *name = s->ops->name;

    *planted_in(s) = (struct planted){.drop_deletes = named(list, name, "drop-deletes"),
                                      .drop_updates = named(list, name, "drop-updates"),
                                      .duplicate = named(list, name, "duplicate"),
                                      .withhold = named(list, name, "withhold"),
                                      .stall = named(list, name, "stall"),
                                      .poison = named(list, name, "poison")};
    return inner_of(s)->open(s, f);
}

static enum seam_status faulty_change(struct sink *s, const struct stream_change *c,
                                      struct seam_fault *f)
{
    struct planted *p = planted_in(s);

    p->changes++;
    if (p->drop_deletes && c->op == WAL_OP_DELETE) return SEAM_OK;
    if (p->drop_updates && c->op == WAL_OP_UPDATE && p->changes % UPDATE_EVERY == 0) return SEAM_OK;
    if (p->poison && (c->flags & WAL_CHANGE_REPAIR) == 0 && p->changes % POISON_EVERY == 0)
        return seam_fault_set(f, SEAM_CORRUPT, c->schema->name, c->offset,
                              "poisoned by SEAM_FAULT");
    return inner_of(s)->change(s, c, f);
}

/* The bytes of the event of before live until the feed is asked for the next one: so it can be given twice. */
static enum seam_status faulty_next(struct sink *s, struct stream_feed *feed,
                                    struct stream_feed_event *e, struct seam_fault *f)
{
    struct planted *p = planted_in(s);
    enum seam_status st;

    if (p->stall) { /* reads nothing, and lives */
        s->platform->clock->sleep_us(s->platform->clock, STALL_US);
        return SEAM_END;
    }
    if (p->again) {
        p->again = false;
        *e = p->event;
        return SEAM_OK;
    }
    st = stream_feed_next(feed, e, f);
    if (st != SEAM_OK || (e->kind != FEED_CHANGE && e->kind != FEED_OUTBOX)) return st;
    if (p->withhold && ++p->events % WITHHOLD_EVERY == 0) return stream_feed_next(feed, e, f);
    p->again = p->duplicate;
    p->event = *e;
    return SEAM_OK;
}

static struct sink_ops wrapped(const struct sink_ops *inner)
{
    struct sink_ops ops = *inner;

    ops.open = faulty_open;
    ops.next = faulty_next;
    if (inner->change != NULL) ops.change = faulty_change;
    ops.size = planted_at(inner) + sizeof(struct planted);
    return ops;
}

const struct sink_ops *const *sink_list(size_t *n)
{
    static struct wrapper wrappers[SINKS_MAX];
    static const struct sink_ops *list[SINKS_MAX];
    const struct sink_ops *const *whole = chaos_whole_list(n);

    assert(*n <= SINKS_MAX);
    for (size_t i = 0; i < *n && list[i] == NULL; i++) {
        wrappers[i] = (struct wrapper){wrapped(whole[i]), whole[i]};
        list[i] = &wrappers[i].ops;
    }
    return list;
}
