/* stream_reader - events from an offset, an LSN or a snapshot on. */
#include "pipeline/stream/stream_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct stream_reader {
    struct seam_io *io;
    struct wal_reader *log;
    struct wal_reader
        *scout;         /* looks for the end of a transaction before its first event is given */
    bool waiting;       /* ... and has not found it yet: that is what we wait for */
    seam_lsn_t scouted; /* where the transaction it looks at begins */
    uint64_t whole;     /* events before this offset belong to whole transactions */
    uint64_t skipped;   /* offsets passed over since the last event given */
    char dir[SEAM_PATH_MAX_BYTES];
    struct stream_chunk_head head; /* of the record being given out */
    const uint8_t *pos, *end;      /* its events that are still to come */
    seam_lsn_t record_start, record_end;
    uint64_t index;      /* of the next event within the record */
    bool commit_due;     /* a COMMIT event follows */
    bool in_transaction; /* the last record seen was not the last of its transaction */
    bool started;        /* offset and lsn are known, so gaps are noticed */
    uint64_t next_offset;
    seam_lsn_t lsn;       /* the stream stands here */
    seam_lsn_t skip_lsn;  /* transactions up to here are not given out (FROM_LSN) */
    uint64_t skip_offset; /* events before it are not given out (FROM_OFFSET) */
};

static enum seam_status gone(struct stream_reader *r, const char *what, uint64_t number,
                             const struct stream_chunk_head *head, struct seam_fault *f)
{
    return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, number,
                          "the stream no longer holds what follows %s %" PRIu64
                          ": it is kept from offset %" PRIu64 ", LSN %" PRIu64
                          " on; 'seam bootstrap' puts a snapshot into it",
                          what, number, head->offset, head->previous);
}

/* Offsets and LSNs that a retention has passed are refused, not skipped over. */
static enum seam_status check_reach(struct stream_reader *r, enum stream_from from, uint64_t number,
                                    seam_lsn_t at, struct seam_fault *f)
{
    struct stream_chunk_head first;
    seam_lsn_t oldest;
    enum seam_status st = stream_seek(r->log, r->dir, STREAM_FROM_START, 0, &oldest, &first, f);

    if (st == SEAM_END) {
        if (from != STREAM_FROM_OFFSET || number == 0) return SEAM_OK;
        return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, number, "the stream is empty");
    }
    if (st != SEAM_OK) return st;
    if (from == STREAM_FROM_OFFSET && number < first.offset)
        return gone(r, "offset", number, &first, f);
    if (from == STREAM_FROM_LSN && at == oldest &&
        (first.previous > number ||
         (!first.beat && !(first.flags & CHUNK_FIRST) && first.lsn > number)))
        return gone(r, "LSN", number, &first, f);
    return SEAM_OK;
}

static enum seam_status place(struct stream_reader *r, enum stream_from from, uint64_t number,
                              struct seam_fault *f)
{
    struct stream_chunk_head head;
    seam_lsn_t at;
    enum seam_status st;

    if (from == STREAM_FROM_END) return wal_reader_seek(r->log, wal_reader_visible(r->log), f);
    if (from == STREAM_FROM_TIME && (int64_t)number < 0) number = 0;
    st = stream_seek(r->log, r->dir, from, number, &at, &head, f);
    if (st != SEAM_OK && st != SEAM_END) return st;
    if (st == SEAM_END && from == STREAM_FROM_OFFSET) {
        struct stream_chunk_head last;
        enum seam_status end = stream_last(r->log, r->dir, &last, f);

        if (end != SEAM_OK && end != SEAM_END) return end;
        if ((end == SEAM_OK ? last.offset + last.count : 0) != number)
            return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, number,
                                  "the stream does not reach this offset yet");
    }
    st = check_reach(r, from, number, at, f);
    if (st != SEAM_OK) return st;
    if (from == STREAM_FROM_LSN) r->skip_lsn = number;
    if (from == STREAM_FROM_OFFSET) r->skip_offset = number;
    return wal_reader_seek(r->log, at, f);
}

enum seam_status stream_reader_open(struct seam_io *io, const char *dir, enum stream_from from,
                                    int64_t number, struct stream_reader **out,
                                    struct seam_fault *f)
{
    struct stream_reader *r = calloc(1, sizeof *r);
    enum seam_status st;

    assert(out != NULL && *out == NULL);
    if (r == NULL) return seam_no_memory(f, "a stream reader");
    (void)snprintf(r->dir, sizeof r->dir, "%s", dir);
    r->io = io;
    st = wal_reader_open(io, dir, SEAM_LSN_NONE, 0, &r->log, f);
    if (st == SEAM_OK) st = place(r, from, (uint64_t)number, f);
    if (st != SEAM_OK) {
        stream_reader_close(r);
        return st;
    }
    *out = r;
    return SEAM_OK;
}

void stream_reader_close(struct stream_reader *r)
{
    if (r == NULL) return;
    wal_reader_close(r->log);
    wal_reader_close(r->scout);
    free(r);
}

enum seam_status stream_reader_wait(struct stream_reader *r, uint64_t timeout_ns)
{
    return wal_reader_wait(r->waiting ? r->scout : r->log, timeout_ns);
}

enum seam_status stream_reader_open_snapshot(struct seam_io *io, const char *dir, seam_lsn_t after,
                                             struct stream_reader **out, struct seam_fault *f)
{
    struct stream_snapshot s;
    enum seam_status st = stream_snapshot_last(io, dir, &s, f);

    if (st == SEAM_OK && s.lsn <= after)
        st = seam_fault_set(f, SEAM_NOT_FOUND, dir, s.lsn,
                            "the newest snapshot is no newer than LSN %" PRIu64, after);
    return st == SEAM_OK
               ? stream_reader_open(io, dir, STREAM_FROM_OFFSET, (int64_t)s.offset, out, f)
               : st;
}

static enum seam_status check_chain(struct stream_reader *r, const struct stream_chunk_head *h,
                                    struct seam_fault *f)
{
    if (!r->started) return SEAM_OK;
    if (h->offset != r->next_offset || h->previous != r->lsn ||
        (!h->beat && r->in_transaction == ((h->flags & CHUNK_FIRST) != 0)))
        return seam_fault_set(f, SEAM_CORRUPT, r->dir, r->record_start,
                              "gap in the stream: offset %" PRIu64 " after LSN %" PRIu64
                              ", expected offset %" PRIu64 " after LSN %" PRIu64,
                              h->offset, h->previous, r->next_offset, r->lsn);
    return SEAM_OK;
}

/* Looks ahead from the first chunk of a transaction, which ends at `from`, for its last one or the
 * record that abandons it: *head and *end are of that. SEAM_END: neither is there yet. */
static enum seam_status scout(struct stream_reader *r, seam_lsn_t start, seam_lsn_t from,
                              struct stream_chunk_head *head, seam_lsn_t *end, struct seam_fault *f)
{
    struct wal_record rec;
    enum seam_status st = SEAM_OK;

    if (r->scout == NULL)
        st = wal_reader_open(r->io, r->dir, from, 0, &r->scout, f);
    else if (r->scouted != start)
        st = wal_reader_seek(r->scout, from, f);
    if (st == SEAM_OK) r->scouted = start; /* asked again, it goes on where it was */
    while (st == SEAM_OK && (st = wal_reader_next(r->scout, &rec, f)) == SEAM_OK) {
        st = stream_chunk_head_get(&rec, r->dir, head, f);
        *end = rec.end;
        if (st != SEAM_OK || head->abandon || (head->flags & CHUNK_LAST)) return st;
    }
    return st;
}

/* Before the first of several chunks is taken: is all of it there? *passed: it never will be, and the
 * reader stands behind it now. */
static enum seam_status whole_or_passed(struct stream_reader *r, const struct wal_record *rec,
                                        const struct stream_chunk_head *h, bool *passed,
                                        struct seam_fault *f)
{
    struct stream_chunk_head last;
    seam_lsn_t start = rec->start, end;
    enum seam_status st;

    *passed = false;
    r->waiting = false;
    if (h->beat || (h->flags & CHUNK_LAST) || !(h->flags & CHUNK_FIRST) || h->offset < r->whole)
        return SEAM_OK;
    st = scout(r, start, rec->end, &last, &end, f);
    if (st == SEAM_OK && last.abandon) {
        *passed = true;
        r->skipped += last.offset - h->offset;
        r->next_offset = last.offset;
        return wal_reader_seek(r->log, end, f);
    }
    if (st == SEAM_OK) r->whole = last.offset + last.count;
    if (st != SEAM_END) return st;
    r->waiting = true;
    st = wal_reader_seek(r->log, start, f);
    return st == SEAM_OK ? SEAM_END : st;
}

/* Takes the next record in. *show is false when all of it is to be passed over. */
static enum seam_status next_record(struct stream_reader *r, bool *show, struct seam_fault *f)
{
    struct wal_record rec;
    struct stream_chunk_head h;
    bool passed;
    enum seam_status st = wal_reader_next(r->log, &rec, f);

    if (st != SEAM_OK) return st;
    r->record_start = rec.start;
    r->record_end = rec.end;
    st = stream_chunk_head_get(&rec, r->dir, &h, f);
    if (st == SEAM_OK) st = check_chain(r, &h, f);
    if (st == SEAM_OK) st = whole_or_passed(r, &rec, &h, &passed, f);
    if (st != SEAM_OK || passed) return st;
    if (h.abandon) { /* met by those who began inside of what was cut off */
        r->started = true;
        r->in_transaction = false;
        r->next_offset = h.offset;
        r->lsn = h.lsn;
        return SEAM_OK;
    }
    /* The first record met may be the middle of a transaction: whoever asked for an offset gets it,
     * others begin with the next transaction. */
    *show = h.lsn > r->skip_lsn && h.offset + h.count >= r->skip_offset;
    if (!r->started && !h.beat && !(h.flags & CHUNK_FIRST) && h.offset + h.count <= r->skip_offset)
        *show = false;
    if (!r->started && !h.beat && !(h.flags & CHUNK_FIRST) && r->skip_offset == 0) {
        *show = false;
        r->next_offset = h.offset + h.count;
        r->lsn = h.flags & CHUNK_LAST ? h.lsn : h.previous;
        r->in_transaction = (h.flags & CHUNK_LAST) == 0;
        r->started = (h.flags & CHUNK_LAST) != 0;
        return SEAM_OK;
    }
    r->started = true;
    r->next_offset = h.offset + h.count;
    r->in_transaction = !h.beat && !(h.flags & CHUNK_LAST);
    r->lsn = r->in_transaction ? h.previous : h.lsn;
    r->head = h;
    r->pos = rec.data + h.size;
    r->end = rec.data + rec.size;
    r->index = 0;
    return SEAM_OK;
}

static enum seam_status take_event(struct stream_reader *r, struct stream_event *e,
                                   struct seam_fault *f)
{
    uint8_t type = *r->pos++;
    uint64_t n;
    enum seam_status st;

    if (!seam_get_varint(&r->pos, r->end, &n) || n > (uint64_t)(r->end - r->pos)) goto malformed;
    switch (type) {
    case WAL_CHANGE_ROW:
        e->kind = STREAM_ROW;
        st = wal_change_get_row(r->pos, (size_t)n, &e->row, f);
        e->repair = e->repair || (st == SEAM_OK && (e->row.flags & WAL_CHANGE_REPAIR));
        break;
    case WAL_CHANGE_OUTBOX:
        e->kind = STREAM_OUTBOX;
        st = wal_change_get_outbox(r->pos, (size_t)n, &e->outbox, f);
        break;
    case WAL_CHANGE_SCHEMA:
        e->kind = STREAM_SCHEMA;
        st = wal_change_get_schema(r->pos, (size_t)n, &e->schema, f);
        break;
    default: goto malformed;
    }
    r->pos += n;
    return st;
malformed:
    return seam_fault_set(f, SEAM_CORRUPT, r->dir, r->record_start,
                          "an event in the stream is malformed");
}

static void describe(const struct stream_reader *r, struct stream_event *e)
{
    const struct stream_chunk_head *h = &r->head;

    e->lsn = h->lsn;
    e->wall_us = h->wall_us;
    e->txn = h->txn;
    e->total = h->total;
    e->seq = h->seq + r->index;
    e->offset = h->offset + r->index;
    e->snapshot = (h->flags & CHUNK_SNAPSHOT) != 0;
    e->repair = (h->flags & CHUNK_REPAIR) != 0;
    e->position = r->record_start;
    e->previous = h->previous;
    e->skipped = 0;
}

enum seam_status stream_reader_next(struct stream_reader *r, struct stream_event *e,
                                    struct seam_fault *f)
{
    for (;;) {
        bool show = false;
        enum seam_status st;

        if (r->pos < r->end) {
            if (r->index >= r->head.count)
                return seam_fault_set(f, SEAM_CORRUPT, r->dir, r->record_start,
                                      "bytes are left over in a stream record");
            describe(r, e);
            st = take_event(r, e, f);
            if (st != SEAM_OK) return st;
            r->index++;
            if (r->pos == r->end) {
                if (r->index != r->head.count)
                    return seam_fault_set(f, SEAM_CORRUPT, r->dir, r->record_start,
                                          "events are missing in a stream record");
                r->commit_due = (r->head.flags & CHUNK_LAST) != 0;
            }
            if (e->offset < r->skip_offset) continue;
            e->skipped = r->skipped;
            r->skipped = 0;
            return SEAM_OK;
        }
        if (r->commit_due) {
            r->commit_due = false;
            describe(r, e);
            e->kind = STREAM_COMMIT;
            e->position = r->record_end;
            return SEAM_OK;
        }
        st = next_record(r, &show, f);
        if (st != SEAM_OK) return st;
        if (!show) {
            r->pos = r->end;
            continue;
        }
        if (r->head.beat) {
            describe(r, e);
            e->kind = STREAM_BEAT;
            e->txn = e->seq = e->total = 0;
            e->position = r->record_end;
            return SEAM_OK;
        }
    }
}
