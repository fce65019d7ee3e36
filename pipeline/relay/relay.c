/* relay - reads the log, holds a transaction until its COMMIT, and appends it to the stream. */
#include "pipeline/relay/relay_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* A step ends after about this much, so that a catch-up notices stop and pause. */
enum { STEP_BYTES = 8 << 20, FLUSH_BYTES = 256 << 10, SLOT_EVERY_BYTES = 64 << 20 };
#define SLOT_EVERY_US 30000000
#define SHIP_WAIT_NS  50000000ull /* so often a wait looks at `stop` */

static enum seam_status log_is_gone(const struct relay *r, const char *why, struct seam_fault *f)
{
    return seam_fault_set(
        f, SEAM_STALE, "relay", r->tail.lsn,
        "%.300s%sthe log after LSN %" PRIu64
        " is gone: 'seam bootstrap %.100s' puts a snapshot of the row store into the "
        "stream, and every sink goes on from it",
        why, why[0] != '\0' ? "; " : "", r->tail.lsn, r->dir);
}

/* An invalidated slot lets the log go, but may not have yet: then nothing is lost and the slot is
 * made anew. Else the reason of the invalidation is what the caller gets to read. */
static enum seam_status claim_slot(struct relay *r, struct seam_fault *f)
{
    struct seam_fault why = {0}, again = {0};
    enum seam_status st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", r->tail.lsn,
                                         r->o.slot_bound_bytes, true, &r->slot, &why);

    if (st == SEAM_STALE) {
        st = wal_slot_drop(r->io, r->wal_dir, "relay", &again);
        if (st == SEAM_OK)
            st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", r->tail.lsn,
                                r->o.slot_bound_bytes, true, &r->slot, &again);
        SEAM_TRACE(r->o.trace, "pipeline", "slot_reclaimed", SEAM_TI("lsn", r->tail.lsn),
                   SEAM_TI("status", st));
    }
    if (st == SEAM_NOT_FOUND) return log_is_gone(r, again.status != SEAM_OK ? why.why : "", f);
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK)
        *f = again.status != SEAM_OK ? again : why;
    return st;
}

static enum seam_status open_stream(struct relay *r, const struct platform *p, struct seam_fault *f)
{
    struct stream_writer_options so = {.clock = r->clock,
                                       .trace = r->o.trace,
                                       .log_id = p->log_id,
                                       .segment_bytes = r->o.segment_bytes,
                                       .retain_bytes = r->o.retain_bytes,
                                       .retain_us = r->o.retain_us,
                                       .bound_bytes = r->o.bound_bytes};
    enum seam_status st = seam_path_join(r->wal_dir, p->dir, "wal", f);

    if (st == SEAM_OK) st = seam_path_join(r->stream_dir, p->dir, "stream", f);
    if (st == SEAM_OK) st = relay_first_offset(p, &so.first_offset, f);
    if (st == SEAM_OK) st = stream_writer_open(r->io, r->stream_dir, &so, &r->stream, &r->tail, f);
    return st;
}

/* The log from where the stream stands. SEAM_STALE: it does not reach back so far. */
static enum seam_status open_log(struct relay *r, struct seam_fault *f)
{
    struct wal_state state;
    struct seam_fault why = {0};
    enum seam_status st;

    /* The stream's lock is ours, so whoever held the slot is dead or will be refused. */
    st = claim_slot(r, f);
    if (st == SEAM_OK) st = wal_state(r->io, r->wal_dir, &state, f);
    if (st != SEAM_OK) return st;
    r->lsn = r->tail.lsn;
    if (r->lsn == SEAM_LSN_NONE && !r->tail.open && state.oldest >= state.segment_bytes) {
        r->no_base = true;
        r->lsn = state.oldest;
    }
    st = wal_reader_open(r->io, r->wal_dir, r->lsn, 0, &r->log, &why);
    /* A bootstrap that died had claimed the slot anew already, further on than the stream stands. */
    if (st == SEAM_NOT_FOUND && r->lsn < state.oldest) return log_is_gone(r, "", f);
    if (st != SEAM_OK && f != NULL && f->status == SEAM_OK) *f = why;
    return st;
}

/* The stream goes on with a snapshot: the log is held from here on, and what is before it is let be. */
static enum seam_status open_with_a_gap(struct relay *r, struct seam_fault *f)
{
    bool there;
    enum seam_status st;

    wal_slot_release(r->slot);
    r->slot = NULL;
    wal_reader_close(r->log);
    r->log = NULL;
    r->no_base = false;
    st = seam_fault_there(wal_slot_drop(r->io, r->wal_dir, "relay", f), &there, f);
    if (st == SEAM_OK)
        st = wal_slot_claim(r->io, r->clock, r->wal_dir, "relay", SEAM_LSN_MAX,
                            r->o.slot_bound_bytes, true, &r->slot, f);
    r->gap = true;
    r->lsn = r->tail.lsn;
    return st;
}

static enum seam_status open_relay(const struct platform *p, const struct relay_options *o,
                                   bool bootstrap, struct relay **out, struct seam_fault *f)
{
    static const struct relay_options none;
    struct relay *r = calloc(1, sizeof *r);
    struct seam_fault why = {0};
    enum seam_status st;

    assert(out != NULL && *out == NULL);
    if (r == NULL)
        return seam_fault_set(f, SEAM_NOMEM, p->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the relay");
    r->io = p->io;
    r->clock = p->clock;
    r->dir = p->dir;
    r->until = SEAM_LSN_MAX;
    r->o = o != NULL ? *o : none;
    if (r->o.buffer_bytes == 0 || r->o.buffer_bytes > STREAM_CHUNK_BYTES)
        r->o.buffer_bytes = STREAM_CHUNK_BYTES;
    if (r->o.heartbeat_us == 0) r->o.heartbeat_us = 1000000;
    if (r->o.sync_bytes == 0) r->o.sync_bytes = 64 << 20;
    if (r->o.sync_us == 0) r->o.sync_us = 5000000;
    if (r->o.slot_bound_bytes == 0) r->o.slot_bound_bytes = p->relay_bound_bytes;
    if (r->o.slot_bound_bytes == 0) r->o.slot_bound_bytes = 4ull << 30;
    st = open_stream(r, p, f);
    if (st == SEAM_OK && r->tail.open_snapshot) { /* a bootstrap died; nobody can go on with it */
        st = stream_abandon(r->stream, f);
        r->tail.open = false;
    }
    if (st == SEAM_OK) {
        st = open_log(r, &why);
        if (bootstrap && (st == SEAM_STALE || st == SEAM_NOT_FOUND || r->no_base))
            st = open_with_a_gap(r, f);
        else if (st != SEAM_OK && f != NULL)
            *f = why;
    }
    if (st != SEAM_OK) {
        (void)relay_close(r, NULL);
        return st;
    }
    r->stats.lsn = r->lsn;
    r->last_write_ns = r->slot_ns = seam_clock_mono_ns(r->clock);
    *out = r;
    return SEAM_OK;
}

enum seam_status relay_open(const struct platform *p, const struct relay_options *o,
                            struct relay **out, struct seam_fault *f)
{
    return open_relay(p, o, false, out, f);
}

enum seam_status relay_open_for_bootstrap(const struct platform *p, const struct relay_options *o,
                                          struct relay **out, struct seam_fault *f)
{
    return open_relay(p, o, true, out, f);
}

static enum seam_status malformed(struct relay *r, seam_lsn_t at, const char *why,
                                  struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_CORRUPT, r->wal_dir, at, "%s", why);
}

static enum seam_status set_base(struct relay *r, seam_lsn_t lsn, struct seam_fault *f)
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
    seam_buf_clear(&r->body);
}

static enum seam_status began(struct relay *r, const struct wal_record *rec, struct seam_fault *f)
{
    struct wal_change_begin c;
    enum seam_status st = wal_change_get_begin(rec->data, rec->size, &c, f);

    if (st == SEAM_OK && r->no_base) st = set_base(r, r->lsn, f);
    if (st != SEAM_OK) return st;
    if (r->open) r->stats.aborted++; /* its process died; nothing of it ever happened */
    forget(r);
    r->open = true;
    r->txn = c.txn;
    r->begin = rec->start;
    return SEAM_OK;
}

static enum seam_status happened(struct relay *r, const struct wal_record *rec,
                                 struct seam_fault *f)
{
    if (r->no_base) { /* its BEGIN was let go with the segment before */
        r->headless = true;
        return SEAM_OK;
    }
    if (!r->open) return malformed(r, rec->start, "a change stands outside of any transaction", f);
    r->count++;
    if (r->large) return SEAM_OK;
    if (r->body.size + rec->size + 11 > r->o.buffer_bytes) {
        r->large = true;
        seam_buf_clear(&r->body);
        return SEAM_OK;
    }
    stream_body_add(&r->body, rec->type, rec->data, rec->size);
    return seam_buf_ok(&r->body)
               ? SEAM_OK
               : seam_fault_set(f, SEAM_NOMEM, r->stream_dir, SEAM_FAULT_NO_OFFSET,
                                "no memory for a transaction");
}

/* Reads the transaction again from its BEGIN and ships it from event t->seq on, a chunk of memory
 * at a time. */
static enum seam_status ship_large(struct relay *r, const struct stream_transaction *t,
                                   seam_lsn_t end, struct seam_fault *f)
{
    uint64_t seq = 0;
    enum seam_status st = wal_reader_seek(r->log, r->begin, f);

    if (st == SEAM_OK) st = stream_begin(r->stream, t, f);
    while (st == SEAM_OK) {
        struct wal_record rec;

        st = wal_reader_next(r->log, &rec, f);
        if (st == SEAM_END)
            st = malformed(r, r->begin, "the log became shorter while it was read", f);
        if (st != SEAM_OK || rec.end >= end) break;
        if (rec.type != WAL_CHANGE_ROW && rec.type != WAL_CHANGE_OUTBOX &&
            rec.type != WAL_CHANGE_SCHEMA)
            continue;
        if (seq++ < t->seq) continue;
        st = stream_event_put(r->stream, rec.type, rec.data, rec.size, f);
        /* All of it is committed: sinks may begin while the rest is on its way. */
        if (st == SEAM_OK && stream_unflushed_bytes(r->stream) >= FLUSH_BYTES)
            st = stream_flush(r->stream, f);
    }
    assert(st != SEAM_OK || seq == t->total);
    return st == SEAM_OK ? stream_end(r->stream, f) : st;
}

static enum seam_status committed(struct relay *r, const struct wal_record *rec,
                                  struct seam_fault *f)
{
    struct stream_transaction t;
    struct wal_change_commit c;
    seam_lsn_t end = rec->end;
    enum seam_status st = wal_change_get_commit(rec->data, rec->size, &c, f);

    if (st != SEAM_OK) return st;
    if (r->no_base) return set_base(r, end, f);
    if (!r->open || c.txn != r->txn || c.changes != r->count)
        return malformed(r, rec->start, "a COMMIT does not fit the transaction before it", f);
    t = (struct stream_transaction){
        .lsn = end, .txn = c.txn, .total = c.changes, .wall_us = c.wall_us};
    if (end <= r->lsn || c.changes == 0) {
        forget(r);
        return SEAM_OK;
    }
    if (r->tail.open) {
        if (r->tail.open_lsn != end || r->tail.open_seq >= t.total)
            return malformed(r, rec->start, "the stream's last transaction is not the log's", f);
        t.seq = r->tail.open_seq;
    }
    assert(t.lsn > r->lsn); /* a commit is shipped once: the stream's LSNs rise */
    assert(t.seq < t.total);
    /* Killed from here on, the stream's tail holds part of it (tail.open tells how much), or all of it. */
    if (r->large || t.seq > 0)
        st = ship_large(r, &t, end, f);
    else
        st = stream_whole(r->stream, &t, &r->body, f);
    if (st != SEAM_OK) return st;
    r->tail.open = false;
    r->lsn = end;
    r->stats.transactions++;
    r->stats.events += t.total - t.seq;
    forget(r);
    return SEAM_OK;
}

static enum seam_status take(struct relay *r, const struct wal_record *rec, struct seam_fault *f)
{
    struct wal_change_abort a;
    enum seam_status st;

    switch (rec->type) {
    case WAL_CHANGE_ROW:
    case WAL_CHANGE_OUTBOX:
    case WAL_CHANGE_SCHEMA: return happened(r, rec, f);
    case WAL_CHANGE_BEGIN: return began(r, rec, f);
    case WAL_CHANGE_COMMIT: return committed(r, rec, f);
    case WAL_CHANGE_ABORT:
        st = wal_change_get_abort(rec->data, rec->size, &a, f);
        if (st != SEAM_OK) return st;
        if (r->open) r->stats.aborted++;
        r->headless = false;
        forget(r);
        return SEAM_OK;
    default: return SEAM_OK; /* heartbeats, checkpoints, marks: the position moves on */
    }
}

/* ---- the loop ---- */

static enum seam_status sync_now(struct relay *r, bool with_slot, struct seam_fault *f)
{
    seam_lsn_t synced;
    enum seam_status st = stream_sync(r->stream, &synced, f);
    uint64_t now = seam_clock_mono_ns(r->clock);

    r->unsynced_since_ns = 0;
    r->stats.syncs++;
    if (st != SEAM_OK || !(with_slot || synced - r->slot_lsn >= SLOT_EVERY_BYTES ||
                           now - r->slot_ns >= SLOT_EVERY_US * 1000ull))
        return st;
    /* A position that is durable in the stream need never be read in the log again. Never the other way round: killed before
     * the slot moves, the log keeps more than is needed; moved before the sync, it could recycle what the stream lost. */
    st = wal_slot_advance(r->slot, synced, f);
    r->slot_lsn = synced;
    r->slot_ns = now;
    return st == SEAM_OK ? stream_trim(r->stream, NULL, f) : st;
}

/* Where the log has been read to with nothing left to ship before it. */
static seam_lsn_t clear_lsn(const struct relay *r)
{
    return r->open ? r->begin : wal_reader_position(r->log);
}

static enum seam_status maybe_beat(struct relay *r, uint64_t now, struct seam_fault *f)
{
    seam_lsn_t clear = clear_lsn(r);
    enum seam_status st;

    if (r->headless) return SEAM_END;
    if (r->no_base) return set_base(r, r->lsn, f);
    if (r->tail.open || (clear <= r->lsn && now - r->last_write_ns < r->o.heartbeat_us * 1000))
        return SEAM_END;
    if (clear < r->lsn) clear = r->lsn;
    st = stream_heartbeat(r->stream, clear, f);
    if (st != SEAM_OK) return st;
    r->lsn = clear;
    r->stats.heartbeats++;
    return SEAM_OK;
}

/* Has a newer relay taken the slot? Asked before anything is read or written for a batch: one that was stopped (SIGSTOP, a
 * frozen machine) and wakes up finds out before it does harm, also when the stream's lock has been removed under it. */
static enum seam_status still_ours(struct relay *r, struct seam_fault *f)
{
    struct seam_fault why = {0};
    enum seam_status st = wal_slot_fenced(r->slot, &why);

    if (st == SEAM_OK) return SEAM_OK;
    stream_disown(r->stream, &why);
    if (f != NULL && f->status == SEAM_OK) *f = why;
    return st;
}

static enum seam_status publish(struct relay *r, struct seam_fault *f)
{
    uint64_t now = seam_clock_mono_ns(r->clock);
    enum seam_status st = still_ours(r, f);

    if (st == SEAM_OK) st = stream_flush(r->stream, f);

    r->last_write_ns = now;
    r->stats.lsn = r->lsn;
    if (r->unsynced_since_ns == 0) r->unsynced_since_ns = now;
    if (st == SEAM_OK && stream_unsynced_bytes(r->stream) >= r->o.sync_bytes)
        st = sync_now(r, false, f);
    return st;
}

static bool sync_due(const struct relay *r, uint64_t now)
{
    return r->unsynced_since_ns != 0 && now - r->unsynced_since_ns >= r->o.sync_us * 1000;
}

enum seam_status relay_step(struct relay *r, struct seam_fault *f)
{
    seam_lsn_t from = wal_reader_position(r->log);
    struct wal_record rec;
    enum seam_status st = still_ours(r, f), done = SEAM_END;

    if (st != SEAM_OK) return st;
    st = SEAM_END;
    while (wal_reader_position(r->log) < r->until &&
           (st = wal_reader_next(r->log, &rec, f)) == SEAM_OK) {
        st = take(r, &rec, f);
        if (st != SEAM_OK) return st;
        if (stream_unflushed_bytes(r->stream) < FLUSH_BYTES) continue;
        st = publish(r, f);
        if (st != SEAM_OK) return st;
        if (wal_reader_position(r->log) - from >= STEP_BYTES) break;
    }
    if (st != SEAM_OK && st != SEAM_END) return st;
    r->stats.bytes += wal_reader_position(r->log) - from;
    if (st == SEAM_END) {
        st = maybe_beat(r, seam_clock_mono_ns(r->clock), f);
        if (st != SEAM_OK && st != SEAM_END) return st;
    }
    if (wal_reader_position(r->log) != from || st == SEAM_OK) done = SEAM_OK;
    if (stream_unflushed_bytes(r->stream) > 0) {
        st = publish(r, f);
        if (st != SEAM_OK) return st;
    }
    if (sync_due(r, seam_clock_mono_ns(r->clock))) {
        st = sync_now(r, false, f);
        if (st != SEAM_OK) return st;
    }
    return done;
}

enum seam_status relay_ship_until(struct relay *r, seam_lsn_t lsn,
                                  const volatile sig_atomic_t *stop, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    r->until = lsn;
    while (st == SEAM_OK && wal_reader_position(r->log) < lsn) {
        if (stop != NULL && *stop) {
            st = SEAM_END;
            break;
        }
        st = relay_step(r, f);
        if (st == SEAM_END) st = wal_reader_wait(r->log, SHIP_WAIT_NS); /* not visible to us yet */
        if (st == SEAM_TIMEOUT) st = SEAM_OK;
    }
    r->until = SEAM_LSN_MAX;
    return st;
}

/* Until the next thing there is to do by the clock. */
static uint64_t patience_ns(const struct relay *r)
{
    uint64_t now = seam_clock_mono_ns(r->clock), beat = r->last_write_ns + r->o.heartbeat_us * 1000,
             sync;
    uint64_t until = beat;

    sync = r->unsynced_since_ns == 0 ? UINT64_MAX : r->unsynced_since_ns + r->o.sync_us * 1000;
    if (sync < until) until = sync;
    return until > now ? until - now : 0;
}

enum seam_status relay_run(struct relay *r, const struct relay_run_options *o, struct seam_fault *f)
{
    seam_lsn_t goal = o->until_caught_up ? wal_reader_visible(r->log) : SEAM_LSN_MAX;

    while (o->stop == NULL || !*o->stop) {
        enum seam_status st;

        if (o->pause != NULL && *o->pause) {
            r->clock->sleep_us(r->clock, 10000);
            continue;
        }
        st = relay_step(r, f);
        if (st == SEAM_END && wal_reader_position(r->log) >= goal) break;
        if (st == SEAM_OK || st == SEAM_END) st = SEAM_OK;
        if (st != SEAM_OK) return st;
        if (wal_reader_position(r->log) < wal_reader_visible(r->log)) continue;
        if (wal_reader_position(r->log) >= goal)
            continue; /* one more step: it may owe a heartbeat */
        st = wal_reader_wait(r->log, patience_ns(r));
        if (st != SEAM_OK && st != SEAM_TIMEOUT) return st; /* a timeout is as good as news */
    }
    return sync_now(r, true, f);
}

void relay_stats(const struct relay *r, struct relay_stats *out)
{
    *out = r->stats;
}

enum seam_status relay_close(struct relay *r, struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    if (r == NULL) return SEAM_OK;
    if (r->slot != NULL && r->stream != NULL) st = sync_now(r, true, f);
    if (r->stream != NULL) {
        enum seam_status closed = stream_writer_close(r->stream, f);

        if (st == SEAM_OK) st = closed;
    }
    wal_slot_release(r->slot);
    wal_reader_close(r->log);
    seam_buf_free(&r->body);
    free(r);
    return st;
}
