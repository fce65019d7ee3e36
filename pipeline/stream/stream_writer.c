/* stream_writer - transactions appended whole, synced, and trimmed behind the slowest consumer. */
#include "pipeline/stream/stream_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct stream_writer {
    struct seam_io *io;
    struct stream_writer_options o;
    char dir[SEAM_PATH_MAX_BYTES];
    struct wal *log;
    struct stream_consumers *consumers;
    uint64_t next_offset;
    seam_lsn_t lsn; /* everything up to here has been appended */
    seam_lsn_t synced_lsn;
    bool blank; /* nothing was ever written */
    struct stream_transaction t;
    bool in_transaction;
    seam_lsn_t snapshot_begins; /* in the log */
    uint64_t seq;               /* of the first event in body */
    uint64_t count;             /* events in body */
    struct seam_buf body;
};

/* A log of its own: records of the write-ahead log that land here by mistake do not check. */
static uint64_t stream_id(uint64_t platform)
{
    return platform ^ 0x6d6165727473ull;
}

static enum seam_status recover_tail(struct stream_writer *w, struct stream_tail *tail,
                                     struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct stream_chunk_head head;
    enum seam_status st = wal_reader_open(w->io, w->dir, SEAM_LSN_NONE, 0, &r, f);

    *tail = (struct stream_tail){0};
    if (st != SEAM_OK) return st;
    st = stream_last(r, w->dir, &head, f);
    wal_reader_close(r);
    if (st == SEAM_END) {
        w->blank = true;
        tail->next_offset = w->next_offset = w->o.first_offset;
        return SEAM_OK;
    }
    if (st != SEAM_OK) return st;
    tail->next_offset = head.offset + head.count;
    tail->open = !head.beat && !(head.flags & CHUNK_LAST);
    tail->lsn = tail->open ? head.previous : head.lsn;
    tail->open_lsn = tail->open ? head.lsn : SEAM_LSN_NONE;
    tail->open_seq = tail->open ? head.seq + head.count : 0;
    tail->open_snapshot = tail->open && (head.flags & CHUNK_SNAPSHOT) != 0;
    w->next_offset = tail->next_offset;
    w->lsn = w->synced_lsn = tail->lsn;
    return SEAM_OK;
}

enum seam_status stream_writer_open(struct seam_io *io, const char *dir,
                                    const struct stream_writer_options *o,
                                    struct stream_writer **out, struct stream_tail *tail,
                                    struct seam_fault *f)
{
    struct stream_writer *w = calloc(1, sizeof *w);
    struct wal_options lo;
    enum seam_status st;

    assert(out != NULL && *out == NULL);
    if (w == NULL) return seam_no_memory(f, "the stream");
    w->io = io;
    if (o != NULL) w->o = *o;
    if (w->o.clock == NULL) w->o.clock = seam_clock_real();
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    lo = (struct wal_options){.io = io,
                              .clock = w->o.clock,
                              .trace = w->o.trace,
                              .log_id = stream_id(w->o.log_id),
                              .segment_bytes = w->o.segment_bytes,
                              .visible_when_written = true};
    st = wal_open(dir, &lo, &w->log, NULL, f);
    if (st == SEAM_OK) st = recover_tail(w, tail, f);
    if (st == SEAM_OK) st = stream_consumers_open(io, dir, &w->consumers, f);
    if (st != SEAM_OK) {
        (void)stream_writer_close(w, NULL);
        return st;
    }
    *out = w;
    return SEAM_OK;
}

enum seam_status stream_writer_close(struct stream_writer *w, struct seam_fault *f)
{
    enum seam_status st;

    if (w == NULL) return SEAM_OK;
    st = wal_close(w->log, f);
    stream_consumers_close(w->consumers);
    seam_buf_free(&w->body);
    free(w);
    return st;
}

static enum seam_status append_chunk(struct stream_writer *w, const struct stream_chunk_head *h,
                                     const struct seam_buf *body, struct seam_fault *f)
{
    uint8_t head[CHUNK_HEAD_MAX];
    struct wal_span at;
    size_t n = stream_chunk_head_put(head, h);
    enum seam_status st = wal_append(
        w->log,
        h->abandon ? STREAM_ABANDON
        : h->beat  ? STREAM_HEARTBEAT
                   : STREAM_CHUNK,
        (struct seam_io_slice[]){{head, n},
                                 {body != NULL ? body->data : head, body != NULL ? body->size : 0}},
        2, &at, f);

    if (st == SEAM_OK) w->next_offset += h->count;
    if (st == SEAM_OK) w->blank = false;
    return st;
}

static struct stream_chunk_head head_of(const struct stream_writer *w,
                                        const struct stream_transaction *t, uint64_t seq,
                                        uint64_t count)
{
    unsigned flags = (t->snapshot ? CHUNK_SNAPSHOT : 0) | (t->repair ? CHUNK_REPAIR : 0);

    if (seq == 0) flags |= CHUNK_FIRST;
    if (seq + count == t->total) flags |= CHUNK_LAST;
    return (struct stream_chunk_head){.offset = w->next_offset,
                                      .count = count,
                                      .lsn = t->lsn,
                                      .previous = w->lsn,
                                      .txn = t->txn,
                                      .total = t->total,
                                      .seq = seq,
                                      .wall_us = t->wall_us,
                                      .flags = flags};
}

enum seam_status stream_base(struct stream_writer *w, seam_lsn_t lsn, struct seam_fault *f)
{
    assert(w->blank && w->lsn == SEAM_LSN_NONE);
    w->lsn = lsn;
    return stream_heartbeat(w, lsn, f);
}

enum seam_status stream_abandon(struct stream_writer *w, struct seam_fault *f)
{
    struct stream_chunk_head h = {.beat = true,
                                  .abandon = true,
                                  .offset = w->next_offset,
                                  .lsn = w->lsn,
                                  .previous = w->lsn,
                                  .wall_us = seam_clock_wall_us(w->o.clock)};

    assert(!w->in_transaction);
    return append_chunk(w, &h, NULL, f);
}

void stream_body_add(struct seam_buf *body, uint8_t type, const void *payload, size_t n)
{
    uint8_t *p;

    if (!seam_buf_reserve(body, n + 11)) return;
    p = body->data + body->size;
    *p++ = type;
    p += seam_put_varint(p, n);
    memcpy(p, payload, n);
    body->size = (size_t)(p + n - body->data);
}

enum seam_status stream_whole(struct stream_writer *w, const struct stream_transaction *t,
                              const struct seam_buf *body, struct seam_fault *f)
{
    struct stream_chunk_head h = head_of(w, t, 0, t->total);
    enum seam_status st;

    assert(!w->in_transaction && t->seq == 0 && t->total > 0 && t->lsn > w->lsn);
    st = append_chunk(w, &h, body, f);
    if (st == SEAM_OK) w->lsn = t->lsn;
    return st;
}

static enum seam_status close_chunk(struct stream_writer *w, struct seam_fault *f)
{
    struct stream_chunk_head h = head_of(w, &w->t, w->seq, w->count);
    enum seam_status st;

    if (!seam_buf_ok(&w->body)) return seam_no_memory(f, "a chunk of the stream");
    st = append_chunk(w, &h, &w->body, f);
    if (st != SEAM_OK) return st;
    w->seq += w->count;
    w->count = 0;
    seam_buf_clear(&w->body);
    return SEAM_OK;
}

enum seam_status stream_begin(struct stream_writer *w, const struct stream_transaction *t,
                              struct seam_fault *f)
{
    assert(!w->in_transaction && t->total > 0);
    if (t->lsn < w->lsn || (t->lsn == w->lsn && !t->snapshot))
        return seam_fault_set(f, SEAM_INVALID, w->dir, t->lsn,
                              "the stream already stands at LSN %llu", (unsigned long long)w->lsn);
    w->t = *t;
    w->seq = t->seq;
    w->count = 0;
    w->in_transaction = true;
    if (t->snapshot) w->snapshot_begins = wal_end_lsn(w->log);
    seam_buf_clear(&w->body);
    return SEAM_OK;
}

enum seam_status stream_event_put(struct stream_writer *w, uint8_t type, const void *payload,
                                  size_t n, struct seam_fault *f)
{
    assert(w->in_transaction && w->seq + w->count < w->t.total);
    if (w->count > 0 && w->body.size + n + 11 > STREAM_CHUNK_BYTES) {
        enum seam_status st = close_chunk(w, f);

        if (st != SEAM_OK) return st;
    }
    stream_body_add(&w->body, type, payload, n);
    w->count++;
    return SEAM_OK;
}

enum seam_status stream_end(struct stream_writer *w, struct seam_fault *f)
{
    enum seam_status st;

    assert(w->in_transaction);
    if (w->seq + w->count != w->t.total || w->count == 0)
        return seam_fault_set(
            f, SEAM_INVALID, w->dir, w->t.lsn, "a transaction of %llu events ended after %llu",
            (unsigned long long)w->t.total, (unsigned long long)(w->seq + w->count));
    st = close_chunk(w, f);
    if (st == SEAM_OK) w->lsn = w->t.lsn;
    w->in_transaction = false;
    return st;
}

enum seam_status stream_heartbeat(struct stream_writer *w, seam_lsn_t lsn, struct seam_fault *f)
{
    struct stream_chunk_head h = {.beat = true,
                                  .offset = w->next_offset,
                                  .lsn = lsn,
                                  .previous = w->lsn,
                                  .wall_us = seam_clock_wall_us(w->o.clock)};
    enum seam_status st;

    assert(!w->in_transaction && lsn >= w->lsn);
    st = append_chunk(w, &h, NULL, f);
    if (st == SEAM_OK) w->lsn = lsn;
    return st;
}

void stream_disown(struct stream_writer *w, const struct seam_fault *why)
{
    wal_disown(w->log, why);
}

enum seam_status stream_flush(struct stream_writer *w, struct seam_fault *f)
{
    return wal_commit(w->log, wal_end_lsn(w->log), WAL_WRITTEN, f);
}

enum seam_status stream_sync(struct stream_writer *w, seam_lsn_t *synced, struct seam_fault *f)
{
    enum seam_status st = wal_flush(w->log, f);

    if (st == SEAM_OK) w->synced_lsn = w->lsn;
    if (synced != NULL) *synced = w->synced_lsn;
    return st;
}

enum seam_status stream_snapshot_done(struct stream_writer *w, const struct stream_snapshot *s,
                                      struct seam_fault *f)
{
    struct stream_snapshot placed = *s;
    enum seam_status st = stream_sync(w, NULL, f);

    placed.begins = w->snapshot_begins;
    placed.ends = wal_end_lsn(w->log);
    return st == SEAM_OK ? stream_snapshot_store(w->io, w->dir, &placed, f) : st;
}

uint64_t stream_next_offset(const struct stream_writer *w)
{
    return w->next_offset + w->count;
}
uint64_t stream_unsynced_bytes(const struct stream_writer *w)
{
    return wal_end_lsn(w->log) - wal_durable_lsn(w->log);
}
uint64_t stream_unflushed_bytes(const struct stream_writer *w)
{
    return wal_end_lsn(w->log) - wal_written_lsn(w->log);
}

/* The first byte that is young enough to keep. */
static enum seam_status age_floor(struct stream_writer *w, seam_lsn_t *floor, struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct stream_chunk_head head;
    int64_t since = seam_clock_wall_us(w->o.clock) - w->o.retain_us;
    seam_lsn_t at;
    enum seam_status st;

    if (w->o.retain_us <= 0 || since <= 0) return SEAM_OK;
    st = wal_reader_open(w->io, w->dir, SEAM_LSN_NONE, 0, &r, f);
    if (st == SEAM_OK)
        st = stream_seek(r, w->dir, STREAM_FROM_TIME, (uint64_t)since, &at, &head, f);
    wal_reader_close(r);
    if (st != SEAM_OK && st != SEAM_END) return st;
    if (at < *floor) *floor = at;
    return SEAM_OK;
}

/* Who was left behind comes back through the newest snapshot: it is kept while somebody is. */
static enum seam_status keep_snapshot(struct stream_writer *w, seam_lsn_t end, seam_lsn_t *floor,
                                      struct seam_fault *f)
{
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    struct stream_snapshot s;
    size_t n = stream_consumers_list(w->consumers, list);
    bool needed = false, there;
    enum seam_status st;

    for (size_t i = 0; i < n; i++) needed |= list[i].invalid;
    if (!needed) return SEAM_OK;
    /* One that cannot be read is no reason to let it go. */
    st = seam_fault_there(stream_snapshot_last(w->io, w->dir, &s, f), &there, f);
    if (st != SEAM_OK || !there || s.ends > end) return st;
    if (s.begins < *floor && (w->o.bound_bytes == 0 || end - s.ends <= w->o.bound_bytes))
        *floor = s.begins;
    return SEAM_OK;
}

enum seam_status stream_trim(struct stream_writer *w, size_t *invalidated, struct seam_fault *f)
{
    seam_lsn_t end = wal_durable_lsn(w->log), floor = end;
    size_t lost = 0;
    enum seam_status st = stream_consumers_floor(w->consumers, wal_oldest_lsn(w->log), end,
                                                 w->o.bound_bytes, w->o.trace, &floor, &lost);

    if (invalidated != NULL) *invalidated = lost;
    if (st != SEAM_OK || w->o.retain_bytes == 0) return st;
    st = keep_snapshot(w, end, &floor, f);
    if (st != SEAM_OK) return st;
    floor = floor > w->o.retain_bytes ? floor - w->o.retain_bytes : SEAM_LSN_NONE;
    st = age_floor(w, &floor, f);
    return st == SEAM_OK ? wal_trim(w->log, floor, NULL, f) : st;
}
