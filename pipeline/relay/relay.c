#include "pipeline/relay/relay_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* A step ends after about this much, so that a catch-up notices stop and pause. */
enum { STEP_BYTES = 8 << 20, FLUSH_BYTES = 256 << 10, SLOT_EVERY_BYTES = 64 << 20 };
#define SLOT_EVERY_US 30000000
#define SHIP_WAIT_NS 50000000ull /* so often a wait looks at `stop` */

static enum status log_is_gone(const struct relay *r, const char *why, struct fault *f)
{
    return fault_set(f, ST_STALE, "relay", r->tail.lsn,
                     "%.300s%sthe log after LSN %" PRIu64
                     " is gone: 'seam bootstrap %.100s' puts a snapshot of the row store into the "
                     "stream, and every sink goes on from it",
                     why, why[0] != '\0' ? "; " : "", r->tail.lsn, r->dir);
}

/* An invalidated slot lets the log go, but may not have yet: then nothing is lost and the slot is
 * made anew. Else the reason of the invalidation is what the caller gets to read. */
static enum status claim_slot(struct relay *r, struct fault *f)
{
    struct fault why = {0}, again = {0};
    enum status st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", r->tail.lsn,
                                    r->o.slot_bound_bytes, true, &r->slot, &why);

    if (st == ST_STALE) {
        st = wal_slot_drop(r->io, r->wal_dir, "relay", &again);
        if (st == ST_OK)
            st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", r->tail.lsn,
                                r->o.slot_bound_bytes, true, &r->slot, &again);
        TRACE(r->o.trace, "pipeline", "slot_reclaimed", TI("lsn", r->tail.lsn), TI("status", st));
    }
    if (st == ST_NOT_FOUND)
        return log_is_gone(r, again.status != ST_OK ? why.why : "", f);
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = again.status != ST_OK ? again : why;
    return st;
}

static enum status open_stream(struct relay *r, const struct platform *p, struct fault *f)
{
    struct stream_writer_options so = {.clock = r->clock,
                                       .trace = r->o.trace,
                                       .log_id = p->log_id,
                                       .segment_bytes = r->o.segment_bytes,
                                       .retain_bytes = r->o.retain_bytes,
                                       .retain_us = r->o.retain_us,
                                       .bound_bytes = r->o.bound_bytes};
    enum status st = path_join(r->wal_dir, p->dir, "wal", f);

    if (st == ST_OK) st = path_join(r->stream_dir, p->dir, "stream", f);
    if (st == ST_OK) st = relay_first_offset(p, &so.first_offset, f);
    if (st == ST_OK) st = stream_writer_open(r->io, r->stream_dir, &so, &r->stream, &r->tail, f);
    return st;
}

/* The log from where the stream stands. ST_STALE: it does not reach back so far. */
static enum status open_log(struct relay *r, struct fault *f)
{
    struct wal_state state;
    struct fault why = {0};
    enum status st;

    /* The stream's lock is ours, so whoever held the slot is dead or will be refused. */
    st = claim_slot(r, f);
    if (st == ST_OK) st = wal_state(r->io, r->wal_dir, &state, f);
    if (st != ST_OK) return st;
    r->lsn = r->tail.lsn;
    if (r->lsn == LSN_NONE && !r->tail.open && state.oldest >= state.segment_bytes) {
        r->no_base = true;
        r->lsn = state.oldest;
    }
    st = wal_reader_open(r->io, r->wal_dir, r->lsn, 0, &r->log, &why);
    /* A bootstrap that died had claimed the slot anew already, further on than the stream stands. */
    if (st == ST_NOT_FOUND && r->lsn < state.oldest) return log_is_gone(r, "", f);
    if (st != ST_OK && f != NULL && f->status == ST_OK) *f = why;
    return st;
}

/* The stream goes on with a snapshot: the log is held from here on, and what is before it is let be. */
static enum status open_with_a_gap(struct relay *r, struct fault *f)
{
    enum status st;

    wal_slot_release(r->slot);
    r->slot = NULL;
    wal_reader_close(r->log);
    r->log = NULL;
    r->no_base = false;
    st = wal_slot_drop(r->io, r->wal_dir, "relay", NULL);
    if (st == ST_NOT_FOUND) st = ST_OK;
    if (st == ST_OK)
        st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", LSN_MAX, r->o.slot_bound_bytes,
                            true, &r->slot, f);
    r->gap = true;
    r->lsn = r->tail.lsn;
    return st;
}

static enum status open_relay(const struct platform *p, const struct relay_options *o,
                              bool bootstrap, struct relay **out, struct fault *f)
{
    static const struct relay_options none;
    struct relay *r = calloc(1, sizeof *r);
    struct fault why = {0};
    enum status st;

    assert(out != NULL && *out == NULL);
    if (r == NULL)
        return fault_set(f, ST_NOMEM, p->dir, FAULT_NO_OFFSET, "no memory for the relay");
    r->io = p->io;
    r->clock = p->clock;
    r->dir = p->dir;
    r->until = LSN_MAX;
    r->o = o != NULL ? *o : none;
    if (r->o.buffer_bytes == 0 || r->o.buffer_bytes > STREAM_CHUNK_BYTES)
        r->o.buffer_bytes = STREAM_CHUNK_BYTES;
    if (r->o.heartbeat_us == 0) r->o.heartbeat_us = 1000000;
    if (r->o.sync_bytes == 0) r->o.sync_bytes = 64 << 20;
    if (r->o.sync_us == 0) r->o.sync_us = 5000000;
    if (r->o.slot_bound_bytes == 0) r->o.slot_bound_bytes = p->relay_bound_bytes;
    if (r->o.slot_bound_bytes == 0) r->o.slot_bound_bytes = 4ull << 30;
    st = open_stream(r, p, f);
    if (st == ST_OK && r->tail.open_snapshot) { /* a bootstrap died; nobody can go on with it */
        st = stream_abandon(r->stream, f);
        r->tail.open = false;
    }
    if (st == ST_OK) {
        st = open_log(r, &why);
        if (bootstrap && (st == ST_STALE || st == ST_NOT_FOUND || r->no_base))
            st = open_with_a_gap(r, f);
        else if (st != ST_OK && f != NULL)
            *f = why;
    }
    if (st != ST_OK) {
        (void)relay_close(r, NULL);
        return st;
    }
    r->stats.lsn = r->lsn;
    r->last_write_ns = r->slot_ns = clock_mono_ns(r->clock);
    *out = r;
    return ST_OK;
}

enum status relay_open(const struct platform *p, const struct relay_options *o, struct relay **out,
                       struct fault *f)
{
    return open_relay(p, o, false, out, f);
}

enum status relay_open_for_bootstrap(const struct platform *p, const struct relay_options *o,
                                     struct relay **out, struct fault *f)
{
    return open_relay(p, o, true, out, f);
}

static enum status malformed(struct relay *r, lsn_t at, const char *why, struct fault *f)
{
    return fault_set(f, ST_CORRUPT, r->wal_dir, at, "%s", why);
}

static enum status set_base(struct relay *r, lsn_t lsn, struct fault *f)
{
    r->no_base = r->headless = false;
    r->lsn = lsn;
    return stream_base(r->stream, lsn, f);
}

/* ---- one transaction ---- */

static void forget(struct relay *r)
{
    r->open = r->large = false;
    r->count = 0;
    buf_clear(&r->body);
}

static enum status began(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct change_begin c;
    enum status st = change_get_begin(rec->data, rec->size, &c, f);

    if (st == ST_OK && r->no_base) st = set_base(r, r->lsn, f);
    if (st != ST_OK) return st;
    if (r->open) r->stats.aborted++; /* its process died; nothing of it ever happened */
    forget(r);
    r->open = true;
    r->txn = c.txn;
    r->begin = rec->start;
    return ST_OK;
}

static enum status happened(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    if (r->no_base) { /* its BEGIN was let go with the segment before */
        r->headless = true;
        return ST_OK;
    }
    if (!r->open) return malformed(r, rec->start, "a change stands outside of any transaction", f);
    r->count++;
    if (r->large) return ST_OK;
    if (r->body.size + rec->size + 11 > r->o.buffer_bytes) {
        r->large = true;
        buf_clear(&r->body);
        return ST_OK;
    }
    stream_body_add(&r->body, rec->type, rec->data, rec->size);
    return buf_ok(&r->body) ? ST_OK
                            : fault_set(f, ST_NOMEM, r->stream_dir, FAULT_NO_OFFSET,
                                        "no memory for a transaction");
}

/* Reads the transaction again from its BEGIN and ships it from event t->seq on, a chunk of memory
 * at a time. */
static enum status ship_large(struct relay *r, const struct stream_transaction *t, lsn_t end,
                              struct fault *f)
{
    uint64_t seq = 0;
    enum status st = wal_reader_seek(r->log, r->begin, f);

    if (st == ST_OK) st = stream_begin(r->stream, t, f);
    while (st == ST_OK) {
        struct wal_record rec;

        st = wal_reader_next(r->log, &rec, f);
        if (st == ST_END)
            st = malformed(r, r->begin, "the log became shorter while it was read", f);
        if (st != ST_OK || rec.end >= end) break;
        if (rec.type != CHANGE_ROW && rec.type != CHANGE_OUTBOX && rec.type != CHANGE_SCHEMA)
            continue;
        if (seq++ < t->seq) continue;
        st = stream_event_put(r->stream, rec.type, rec.data, rec.size, f);
        /* All of it is committed: sinks may begin while the rest is on its way. */
        if (st == ST_OK && stream_unflushed_bytes(r->stream) >= FLUSH_BYTES)
            st = stream_flush(r->stream, f);
    }
    return st == ST_OK ? stream_end(r->stream, f) : st;
}

static enum status committed(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct stream_transaction t;
    struct change_commit c;
    lsn_t end = rec->end;
    enum status st = change_get_commit(rec->data, rec->size, &c, f);

    if (st != ST_OK) return st;
    if (r->no_base) return set_base(r, end, f);
    if (!r->open || c.txn != r->txn || c.changes != r->count)
        return malformed(r, rec->start, "a COMMIT does not fit the transaction before it", f);
    t = (struct stream_transaction){
        .lsn = end, .txn = c.txn, .total = c.changes, .wall_us = c.wall_us};
    if (end <= r->lsn || c.changes == 0) {
        forget(r);
        return ST_OK;
    }
    if (r->tail.open) {
        if (r->tail.open_lsn != end || r->tail.open_seq >= t.total)
            return malformed(r, rec->start, "the stream's last transaction is not the log's", f);
        t.seq = r->tail.open_seq;
    }
    if (r->large || t.seq > 0)
        st = ship_large(r, &t, end, f);
    else
        st = stream_whole(r->stream, &t, &r->body, f);
    if (st != ST_OK) return st;
    r->tail.open = false;
    r->lsn = end;
    r->stats.transactions++;
    r->stats.events += t.total - t.seq;
    forget(r);
    return ST_OK;
}

static enum status take(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct change_abort a;
    enum status st;

    switch (rec->type) {
    case CHANGE_ROW:
    case CHANGE_OUTBOX:
    case CHANGE_SCHEMA: return happened(r, rec, f);
    case CHANGE_BEGIN: return began(r, rec, f);
    case CHANGE_COMMIT: return committed(r, rec, f);
    case CHANGE_ABORT:
        st = change_get_abort(rec->data, rec->size, &a, f);
        if (st != ST_OK) return st;
        if (r->open) r->stats.aborted++;
        r->headless = false;
        forget(r);
        return ST_OK;
    default: return ST_OK; /* heartbeats, checkpoints, marks: the position moves on */
    }
}

/* ---- the loop ---- */

static enum status sync_now(struct relay *r, bool with_slot, struct fault *f)
{
    lsn_t synced;
    enum status st = stream_sync(r->stream, &synced, f);
    uint64_t now = clock_mono_ns(r->clock);

    r->unsynced_since_ns = 0;
    r->stats.syncs++;
    if (st != ST_OK || !(with_slot || synced - r->slot_lsn >= SLOT_EVERY_BYTES ||
                         now - r->slot_ns >= SLOT_EVERY_US * 1000ull))
        return st;
    /* A position that is durable in the stream need never be read in the log again. */
    st = wal_slot_advance(r->slot, synced, f);
    r->slot_lsn = synced;
    r->slot_ns = now;
    return st == ST_OK ? stream_trim(r->stream, NULL, f) : st;
}

/* Where the log has been read to with nothing left to ship before it. */
static lsn_t clear_lsn(const struct relay *r)
{
    return r->open ? r->begin : wal_reader_position(r->log);
}

static enum status maybe_beat(struct relay *r, uint64_t now, struct fault *f)
{
    lsn_t clear = clear_lsn(r);
    enum status st;

    if (r->headless) return ST_END;
    if (r->no_base) return set_base(r, r->lsn, f);
    if (r->tail.open || (clear <= r->lsn && now - r->last_write_ns < r->o.heartbeat_us * 1000))
        return ST_END;
    if (clear < r->lsn) clear = r->lsn;
    st = stream_heartbeat(r->stream, clear, f);
    if (st != ST_OK) return st;
    r->lsn = clear;
    r->stats.heartbeats++;
    return ST_OK;
}

/* Has a newer relay taken the slot? Asked before anything is read or written for a batch: one that was stopped (SIGSTOP, a
 * frozen machine) and wakes up finds out before it does harm, also when the stream's lock has been removed under it. */
static enum status still_ours(struct relay *r, struct fault *f)
{
    struct fault why = {0};
    enum status st = wal_slot_fenced(r->slot, &why);

    if (st == ST_OK) return ST_OK;
    stream_disown(r->stream, &why);
    if (f != NULL && f->status == ST_OK) *f = why;
    return st;
}

static enum status publish(struct relay *r, struct fault *f)
{
    uint64_t now = clock_mono_ns(r->clock);
    enum status st = still_ours(r, f);

    if (st == ST_OK) st = stream_flush(r->stream, f);

    r->last_write_ns = now;
    r->stats.lsn = r->lsn;
    if (r->unsynced_since_ns == 0) r->unsynced_since_ns = now;
    if (st == ST_OK && stream_unsynced_bytes(r->stream) >= r->o.sync_bytes)
        st = sync_now(r, false, f);
    return st;
}

static bool sync_due(const struct relay *r, uint64_t now)
{
    return r->unsynced_since_ns != 0 && now - r->unsynced_since_ns >= r->o.sync_us * 1000;
}

enum status relay_step(struct relay *r, struct fault *f)
{
    lsn_t from = wal_reader_position(r->log);
    struct wal_record rec;
    enum status st = still_ours(r, f), done = ST_END;

    if (st != ST_OK) return st;
    st = ST_END;
    while (wal_reader_position(r->log) < r->until &&
           (st = wal_reader_next(r->log, &rec, f)) == ST_OK) {
        st = take(r, &rec, f);
        if (st != ST_OK) return st;
        if (stream_unflushed_bytes(r->stream) < FLUSH_BYTES) continue;
        st = publish(r, f);
        if (st != ST_OK) return st;
        if (wal_reader_position(r->log) - from >= STEP_BYTES) break;
    }
    if (st != ST_OK && st != ST_END) return st;
    r->stats.bytes += wal_reader_position(r->log) - from;
    if (st == ST_END) {
        st = maybe_beat(r, clock_mono_ns(r->clock), f);
        if (st != ST_OK && st != ST_END) return st;
    }
    if (wal_reader_position(r->log) != from || st == ST_OK) done = ST_OK;
    if (stream_unflushed_bytes(r->stream) > 0) {
        st = publish(r, f);
        if (st != ST_OK) return st;
    }
    if (sync_due(r, clock_mono_ns(r->clock))) {
        st = sync_now(r, false, f);
        if (st != ST_OK) return st;
    }
    return done;
}

enum status relay_ship_until(struct relay *r, lsn_t lsn, const volatile int *stop, struct fault *f)
{
    enum status st = ST_OK;

    r->until = lsn;
    while (st == ST_OK && wal_reader_position(r->log) < lsn) {
        if (stop != NULL && *stop) {
            st = ST_END;
            break;
        }
        st = relay_step(r, f);
        if (st == ST_END) st = wal_reader_wait(r->log, SHIP_WAIT_NS); /* not visible to us yet */
        if (st == ST_TIMEOUT) st = ST_OK;
    }
    r->until = LSN_MAX;
    return st;
}

/* Until the next thing there is to do by the clock. */
static uint64_t patience_ns(const struct relay *r)
{
    uint64_t now = clock_mono_ns(r->clock), beat = r->last_write_ns + r->o.heartbeat_us * 1000,
             sync;
    uint64_t until = beat;

    sync = r->unsynced_since_ns == 0 ? UINT64_MAX : r->unsynced_since_ns + r->o.sync_us * 1000;
    if (sync < until) until = sync;
    return until > now ? until - now : 0;
}

enum status relay_run(struct relay *r, const struct relay_run_options *o, struct fault *f)
{
    lsn_t goal = o->until_caught_up ? wal_reader_visible(r->log) : LSN_MAX;

    while (o->stop == NULL || !*o->stop) {
        enum status st;

        if (o->pause != NULL && *o->pause) {
            r->clock->sleep_us(r->clock, 10000);
            continue;
        }
        st = relay_step(r, f);
        if (st == ST_END && wal_reader_position(r->log) >= goal) break;
        if (st == ST_OK || st == ST_END) st = ST_OK;
        if (st != ST_OK) return st;
        if (wal_reader_position(r->log) < wal_reader_visible(r->log)) continue;
        if (wal_reader_position(r->log) >= goal)
            continue; /* one more step: it may owe a heartbeat */
        st = wal_reader_wait(r->log, patience_ns(r));
        if (st != ST_OK && st != ST_TIMEOUT) return st; /* a timeout is as good as news */
    }
    return sync_now(r, true, f);
}

void relay_stats(const struct relay *r, struct relay_stats *out)
{
    *out = r->stats;
}

enum status relay_close(struct relay *r, struct fault *f)
{
    enum status st = ST_OK;

    if (r == NULL) return ST_OK;
    if (r->slot != NULL && r->stream != NULL) st = sync_now(r, true, f);
    if (r->stream != NULL) {
        enum status closed = stream_writer_close(r->stream, f);

        if (st == ST_OK) st = closed;
    }
    wal_slot_release(r->slot);
    wal_reader_close(r->log);
    buf_free(&r->body);
    free(r);
    return st;
}
