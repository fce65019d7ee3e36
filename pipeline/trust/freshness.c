/* freshness - where each store stands against what feeds it, in bytes and seconds, and the verdict. */
#include "pipeline/trust/freshness.h"

#include <string.h>

#include "pipeline/stream/stream.h"
#include "wal/wal.h"

/* What the stores say of themselves, read once. */
struct positions {
    struct wal_state log;
    struct stream_state stream;
    bool has_stream;
    struct stream_consumer consumers[STREAM_CONSUMERS_MAX];
    size_t count;
    int64_t now_us;
    char log_dir[SEAM_PATH_MAX_BYTES], stream_dir[SEAM_PATH_MAX_BYTES];
};

struct reconcile_position {
    seam_lsn_t lsn;
    uint64_t offset;
    int64_t
        said_us; /* wall clock of its newest word, its own or (sinks) that of the feed it has heard */
    bool known, running, invalid;
};

const char *freshness_state_name(enum freshness_state s)
{
    static const char *const names[] = {"current", "stopped", "behind",
                                        "stalled", "invalid", "absent"};

    return names[s];
}

const char *freshness_verdict_name(enum freshness_verdict v)
{
    static const char *const names[] = {"ok", "warn", "fail"};

    return names[v];
}

static enum seam_status read_positions(const struct platform *p, struct positions *out,
                                       struct seam_fault *f)
{
    struct stream_consumers *page = NULL;
    struct seam_fault none = {0};
    enum seam_status st = platform_path(p, "wal", out->log_dir, f);

    out->now_us = seam_clock_wall_us(p->clock);
    if (st == SEAM_OK) st = platform_path(p, "stream", out->stream_dir, f);
    /* Downstream first: what moves on meanwhile makes a seam look later, never fresher. */
    if (st == SEAM_OK) st = stream_consumers_look(p->io, out->stream_dir, &page, f);
    if (st != SEAM_OK) return st;
    out->count = stream_consumers_list(page, out->consumers);
    stream_consumers_close(page);
    st = stream_state(p->io, out->stream_dir, &out->stream, &none);
    out->has_stream = st == SEAM_OK;
    if (st != SEAM_OK && st != SEAM_NOT_FOUND) {
        if (f != NULL) *f = none;
        return st;
    }
    return wal_state(p->io, out->log_dir, &out->log, f);
}

static struct reconcile_position position_of(const struct positions *all, const char *store)
{
    if (strcmp(store, "row store") == 0)
        return (struct reconcile_position){.lsn = all->log.durable,
                                           .offset = UINT64_MAX,
                                           .said_us = all->log.durable_wall_us,
                                           .known = true,
                                           .running = all->log.writer_alive};
    if (strcmp(store, "stream") == 0)
        return (struct reconcile_position){.lsn = all->stream.lsn,
                                           .offset = all->stream.next_offset,
                                           .said_us = all->stream.wall_us,
                                           .known = all->has_stream,
                                           .running = all->stream.writer_alive};
    for (size_t i = 0; i < all->count; i++) {
        const struct stream_consumer *c = &all->consumers[i];

        if (strcmp(c->name, store) == 0)
            return (struct reconcile_position){
                c->lsn, c->offset, c->wall_us, c->lsn != SEAM_LSN_NONE, c->alive, c->invalid};
    }
    return (struct reconcile_position){0};
}

/* The oldest transaction in the log above `after`, and how many changes there are from it on.        */
static enum seam_status waiting_in_log(const struct platform *p, const struct positions *all,
                                       seam_lsn_t after, int64_t *oldest_us, uint64_t *changes,
                                       struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_change_commit c;
    enum seam_status st = wal_reader_open(p->io, all->log_dir, after, 0, &r, f);

    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK) {
        if (rec.type != WAL_CHANGE_COMMIT || rec.end <= after) continue;
        st = wal_change_get_commit(rec.data, rec.size, &c, f);
        if (st == SEAM_OK && *oldest_us == 0) *oldest_us = c.wall_us;
        *changes += c.changes;
    }
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

/* The oldest event of the stream in (after, until].                                                 */
static enum seam_status waiting_in_stream(const struct platform *p, const struct positions *all,
                                          seam_lsn_t after, const struct reconcile_position *until,
                                          int64_t *oldest_us, uint64_t *events,
                                          struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    enum seam_status st = stream_reader_open(
        p->io, all->stream_dir, after == SEAM_LSN_NONE ? STREAM_FROM_START : STREAM_FROM_LSN,
        (int64_t)after, &r, f);

    while (st == SEAM_OK && (st = stream_reader_next(r, &e, f)) == SEAM_OK) {
        if (e.lsn > until->lsn) break;
        if (e.kind == STREAM_COMMIT || e.kind == STREAM_BEAT || e.lsn <= after) continue;
        *oldest_us = e.wall_us;
        *events = until->offset > e.offset ? until->offset - e.offset : 1;
        break;
    }
    stream_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

static void judge(const struct reconcile_position *to, bool waits, struct freshness *x)
{
    int64_t warn = (int64_t)(x->contract->warn_s * 1e6),
            fail = (int64_t)(x->contract->fail_s * 1e6);
    int64_t late = x->lag_us;

    if (waits) {
        x->state = to->running ? FRESH_BEHIND : FRESH_STALLED;
        /* A clock that stepped back makes what waits look young; it has been silent for as long all the same. */
        if (to->running && x->silence_us > late) late = x->lag_us = x->silence_us;
    } else if (!to->running) {
        x->state = FRESH_STOPPED;
    } else {
        x->state = x->silence_us > fail ? FRESH_STALLED : FRESH_CURRENT;
        late = x->silence_us;
    }
    if (!to->known) x->state = FRESH_ABSENT;
    if (to->invalid) x->state = FRESH_INVALID;
    x->verdict = x->state == FRESH_STOPPED || x->state == FRESH_CURRENT ? FRESH_OK
                 : late > fail || x->state == FRESH_INVALID             ? FRESH_FAIL
                 : late > warn                                          ? FRESH_WARN
                                                                        : FRESH_OK;
}

static enum seam_status measure(const struct platform *p, const struct positions *all,
                                const struct reconcile_position *from,
                                const struct reconcile_position *to, struct freshness *x,
                                struct seam_fault *f)
{
    bool down_is_stream = strcmp(x->contract->to, "stream") == 0;
    int64_t oldest_us = 0;
    enum seam_status st = SEAM_OK;

    x->from = from->lsn;
    x->to = to->lsn;
    x->running = to->running;
    /* The relay speaks for itself; a sink is silent when it has not heard what the stream said. */
    x->silence_us =
        to->said_us > 0 ? (down_is_stream ? all->now_us : all->stream.wall_us) - to->said_us : -1;
    if (x->silence_us < -1) x->silence_us = 0; /* the clock stepped back */
    if (from->lsn > to->lsn && !to->invalid) {
        struct seam_fault none = {0};

        x->lag_bytes = from->lsn - to->lsn;
        st = down_is_stream
                 ? waiting_in_log(p, all, to->lsn, &oldest_us, &x->lag_events, &none)
                 : waiting_in_stream(p, all, to->lsn, from, &oldest_us, &x->lag_events, &none);
        if (st == SEAM_NOT_FOUND) { /* what it needs next is no longer kept */
            struct reconcile_position gone = *to;

            gone.invalid = true;
            judge(&gone, true, x);
            return SEAM_OK;
        }
        if (st != SEAM_OK && f != NULL) *f = none;
    }
    if (oldest_us > 0 && all->now_us > oldest_us) x->lag_us = all->now_us - oldest_us;
    judge(to, oldest_us > 0, x);
    return st;
}

/* A seam whose downstream is a sink that this platform has not configured is left out. */
static const char *downstream_of(const struct platform *p, const struct contract *c)
{
    if (strcmp(c->to, "stream") == 0) return c->to;
    return platform_sink_config(p, c->to) != NULL ? c->to : NULL;
}

/* A sink is fed by the stream, also one whose contract is with the shop (the audit's). */
static const char *upstream_of(const struct contract *c)
{
    return strcmp(c->to, "stream") != 0 && strcmp(c->from, "row store") == 0 ? "stream" : c->from;
}

enum seam_status freshness_measure(const struct platform *p, const struct contracts *set,
                                   struct freshness *out, size_t *count, struct seam_fault *f)
{
    struct positions all = {0};
    enum seam_status st = read_positions(p, &all, f);

    *count = 0;
    for (size_t i = 0; st == SEAM_OK && i < set->count; i++) {
        const char *down = downstream_of(p, &set->list[i]);
        struct reconcile_position from, to;

        if (down == NULL) continue;
        from = position_of(&all, upstream_of(&set->list[i]));
        to = position_of(&all, down);
        out[*count] = (struct freshness){.contract = &set->list[i]};
        st = measure(p, &all, &from, &to, &out[*count], f);
        (*count)++;
    }
    return st;
}
