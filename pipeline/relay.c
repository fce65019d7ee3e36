#include "pipeline/relay.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_FLUSH_BYTES = 256 << 10, WAIT_MS = 200 };

/* A transaction being read: its records, type byte, u32 length, payload, one after another.          */
struct pending {
    bool open, overflow;
    uint64_t txn, count;
    lsn_t begin;               /* where its BEGIN record starts */
    struct buf records;
};

struct relay {
    const struct platform *platform;
    struct relay_options o;
    char wal_dir[PATH_MAX_BYTES];
    struct wal_reader *log;
    struct wal_slot *slot;
    struct stream_writer *stream;
    struct stream_tail tail;   /* lsn and open transaction: what the stream already has */
    struct pending pending;
    lsn_t seen;                /* end of the last record read */
    lsn_t slot_at;             /* what the slot was last advanced to */
    uint64_t unflushed;
    uint64_t last_beat_ns, last_sync_ns;
    struct relay_stats stats;
};

static void defaults(struct relay_options *o)
{
    if (o->buffer_bytes == 0) o->buffer_bytes = 4 << 20;
    if (o->heartbeat_us == 0) o->heartbeat_us = 1000000;
    if (o->sync_bytes == 0) o->sync_bytes = 8 << 20;
    if (o->sync_us == 0) o->sync_us = 1000000;
    if (o->slot_bound_bytes == 0) o->slot_bound_bytes = (uint64_t)4 << 30;
}

enum status relay_open(const struct platform *p, const struct relay_options *o, struct relay **out,
                       struct fault *f)
{
    struct relay *r = calloc(1, sizeof *r);
    char stream_dir[PATH_MAX_BYTES];
    struct stream_writer_options so = {.clock = p->clock, .log_id = p->log_id};
    enum status st;

    if (r == NULL) return fault_set(f, ST_NOMEM, p->dir, FAULT_NO_OFFSET, "no memory for the relay");
    r->platform = p;
    if (o != NULL) r->o = *o;
    defaults(&r->o);
    so.trace = r->o.trace;
    so.segment_bytes = r->o.segment_bytes;
    so.retain_bytes = r->o.retain_bytes;
    so.bound_bytes = r->o.bound_bytes;
    st = platform_path(p, "wal", r->wal_dir, f);
    if (st == ST_OK) st = platform_path(p, "stream", stream_dir, f);
    if (st == ST_OK) st = stream_writer_open(p->io, stream_dir, &so, &r->stream, &r->tail, f);
    if (st == ST_OK)
        st = wal_slot_claim(p->io, p->clock, r->wal_dir, "relay", r->tail.lsn, r->o.slot_bound_bytes, true,
                            &r->slot, f);
    if (st == ST_OK) st = wal_reader_open(p->io, r->wal_dir, r->tail.lsn, 0, &r->log, f);
    if (st != ST_OK) {
        (void)relay_close(r, NULL);
        return st;
    }
    r->stats.lsn = r->seen = r->tail.lsn;
    r->last_sync_ns = clock_mono_ns(p->clock);
    *out = r;
    return ST_OK;
}

/* ---- one transaction ---- */

static enum status pend(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct pending *p = &r->pending;

    if (!p->open)
        return fault_set(f, ST_CORRUPT, r->wal_dir, rec->start, "a change outside of a transaction");
    p->count++;
    if (p->overflow) return ST_OK;
    if (p->records.size + rec->size > r->o.buffer_bytes) {
        p->overflow = true; /* it will be read again, once we know that it committed */
        buf_clear(&p->records);
        return ST_OK;
    }
    buf_u8(&p->records, rec->type);
    buf_u32(&p->records, (uint32_t)rec->size);
    buf_append(&p->records, rec->data, rec->size);
    return buf_ok(&p->records) ? ST_OK : fault_set(f, ST_NOMEM, r->wal_dir, rec->start, "no memory");
}

static enum status put_buffered(struct relay *r, uint64_t skip, struct fault *f)
{
    const uint8_t *p = r->pending.records.data, *end = p + r->pending.records.size;
    enum status st = ST_OK;

    for (uint64_t seq = 0; st == ST_OK && p < end; seq++) {
        uint32_t n = get_u32(p + 1);

        if (seq >= skip) st = stream_event_put(r->stream, *p, p + 5, n, f);
        p += 5 + n;
    }
    return st;
}

/* The second reading of a transaction too large to hold.                                           */
static enum status put_again(struct relay *r, uint64_t skip, lsn_t commit, struct fault *f)
{
    struct wal_reader *again = NULL;
    struct wal_record rec;
    uint64_t seq = 0;
    enum status st = wal_reader_open(r->platform->io, r->wal_dir, r->pending.begin, 0, &again, f);

    while (st == ST_OK && seq < r->pending.count) {
        st = wal_reader_next(again, &rec, f);
        if (st == ST_END || (st == ST_OK && rec.end >= commit))
            st = fault_set(f, ST_CORRUPT, r->wal_dir, commit, "a transaction that reads differently again");
        if (st != ST_OK) break;
        if (rec.type != CHANGE_ROW && rec.type != CHANGE_OUTBOX && rec.type != CHANGE_SCHEMA) continue;
        if (seq++ >= skip) st = stream_event_put(r->stream, rec.type, rec.data, rec.size, f);
        if (st == ST_OK && seq % 4096 == 0) st = stream_flush(r->stream, f);
    }
    wal_reader_close(again);
    return st;
}

static enum status ship(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct pending *p = &r->pending;
    struct change_commit c;
    struct stream_transaction t;
    uint64_t skip = 0;
    enum status st = change_get_commit(rec->data, rec->size, &c, f);

    if (st != ST_OK) return st;
    if (!p->open || c.txn != p->txn || c.changes != p->count)
        return fault_set(f, ST_CORRUPT, r->wal_dir, rec->start,
                         "a commit of %llu changes where %llu were read", (unsigned long long)c.changes,
                         (unsigned long long)p->count);
    p->open = false;
    if (rec->end <= r->tail.lsn) return ST_OK;
    if (r->tail.open && r->tail.open_lsn == rec->end) skip = r->tail.open_seq; /* cut off by a crash */
    r->tail.open = false;
    t = (struct stream_transaction){.lsn = rec->end, .txn = c.txn, .total = c.changes, .seq = skip,
                                    .wall_us = c.wall_us};
    st = stream_begin(r->stream, &t, f);
    if (st == ST_OK) st = p->overflow ? put_again(r, skip, rec->end, f) : put_buffered(r, skip, f);
    if (st == ST_OK) st = stream_end(r->stream, f);
    if (st != ST_OK) return st;
    TRACE(r->o.trace, "pipeline", "ship", TI("lsn", rec->end), TI("txn", c.txn), TI("changes", c.changes));
    r->tail.lsn = rec->end;
    r->stats.transactions++;
    r->stats.events += c.changes - skip;
    r->stats.bytes += c.span;
    r->unflushed += c.span;
    return ST_OK;
}

static enum status take(struct relay *r, const struct wal_record *rec, struct fault *f)
{
    struct pending *p = &r->pending;
    struct change_begin b;
    enum status st;

    switch (rec->type) {
    case CHANGE_BEGIN:
        st = change_get_begin(rec->data, rec->size, &b, f);
        if (st != ST_OK) return st;
        if (p->open) r->stats.aborted++; /* its process died before it committed */
        buf_clear(&p->records);
        p->open = true;
        p->overflow = false;
        p->txn = b.txn;
        p->count = 0;
        p->begin = rec->start;
        return ST_OK;
    case CHANGE_ROW:
    case CHANGE_OUTBOX:
    case CHANGE_SCHEMA: return pend(r, rec, f);
    case CHANGE_COMMIT: return ship(r, rec, f);
    case CHANGE_ABORT:
        r->stats.aborted++;
        p->open = false;
        return ST_OK;
    default: return ST_OK; /* heartbeats, checkpoints, marks: the relay's own heartbeat speaks for them */
    }
}

/* ---- the loop ---- */

static enum status flush(struct relay *r, struct fault *f)
{
    enum status st = ST_OK;

    if (r->unflushed > 0) st = stream_flush(r->stream, f);
    if (st == ST_OK) {
        r->unflushed = 0;
        r->stats.lsn = r->tail.lsn;
    }
    return st;
}

/* Syncs the stream and lets go of the log behind it. The slot says whether we are still its relay.   */
static enum status sync_stream(struct relay *r, struct fault *f)
{
    lsn_t synced;
    enum status st = stream_sync(r->stream, &synced, f);

    if (st != ST_OK) return st;
    r->stats.syncs++;
    r->last_sync_ns = clock_mono_ns(r->platform->clock);
    if (synced > r->slot_at) {
        st = wal_slot_advance(r->slot, synced, f);
        r->slot_at = synced;
    }
    return st == ST_OK ? stream_trim(r->stream, NULL, f) : st;
}

static enum status sync_when_due(struct relay *r, bool idle, struct fault *f)
{
    uint64_t unsynced = stream_unsynced_bytes(r->stream);
    uint64_t age = clock_mono_ns(r->platform->clock) - r->last_sync_ns;

    if (unsynced == 0) return ST_OK;
    if (unsynced < r->o.sync_bytes && !(idle && age >= r->o.sync_us * 1000)) return ST_OK;
    return sync_stream(r, f);
}

/* Everything visible has been read: say so, when the log has moved on or enough time has passed.      */
static enum status heartbeat(struct relay *r, struct fault *f)
{
    uint64_t now = clock_mono_ns(r->platform->clock);
    bool moved = r->seen > r->tail.lsn;
    enum status st;

    if (r->pending.open || (!moved && now - r->last_beat_ns < r->o.heartbeat_us * 1000)) return ST_OK;
    st = stream_heartbeat(r->stream, r->seen, f);
    if (st != ST_OK) return st;
    r->tail.lsn = r->seen;
    r->last_beat_ns = now;
    r->stats.heartbeats++;
    r->unflushed++;
    return ST_OK;
}

enum status relay_step(struct relay *r, struct fault *f)
{
    struct wal_record rec;
    bool any = false;
    enum status st = ST_OK;

    while (st == ST_OK && r->unflushed < STEP_FLUSH_BYTES) {
        st = wal_reader_next(r->log, &rec, f);
        if (st != ST_OK) break;
        any = true;
        r->seen = rec.end;
        st = take(r, &rec, f);
    }
    if (st == ST_END) st = heartbeat(r, f);
    if (st == ST_OK) st = flush(r, f);
    if (st == ST_OK) st = sync_when_due(r, !any, f);
    return st == ST_OK && !any ? ST_END : st;
}

enum status relay_run(struct relay *r, const struct relay_run_options *o, struct fault *f)
{
    struct wal_state state = {0};
    enum status st = ST_OK;

    if (o->until_caught_up) st = wal_state(r->platform->io, r->wal_dir, &state, f);
    while (st == ST_OK && !(o->stop != NULL && *o->stop)) {
        if (o->pause != NULL && *o->pause) {
            r->platform->clock->sleep_us(r->platform->clock, WAIT_MS * 1000);
            continue;
        }
        st = relay_step(r, f);
        if (st != ST_END) continue;
        st = ST_OK;
        if (o->until_caught_up && r->tail.lsn >= state.durable) break;
        if (wal_reader_wait(r->log, (uint64_t)WAIT_MS * 1000000) == ST_TIMEOUT) continue;
    }
    return st == ST_OK ? sync_stream(r, f) : st;
}

void relay_stats(const struct relay *r, struct relay_stats *out) { *out = r->stats; }

enum status relay_close(struct relay *r, struct fault *f)
{
    enum status st;

    if (r == NULL) return ST_OK;
    st = stream_writer_close(r->stream, f);
    wal_reader_close(r->log);
    wal_slot_release(r->slot);
    buf_free(&r->pending.records);
    free(r);
    return st;
}
