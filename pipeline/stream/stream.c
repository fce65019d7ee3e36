/* stream - what writer and reader share: paths, marks, the state of a stream. */
#include "pipeline/stream/stream_internal.h"

#include <assert.h>

size_t stream_chunk_head_put(uint8_t out[CHUNK_HEAD_MAX], const struct stream_chunk_head *h)
{
    uint8_t *p = out;

    p += seam_put_varint(p, h->offset);
    if (!h->beat) p += seam_put_varint(p, h->count);
    p += seam_put_varint(p, h->lsn);
    p += seam_put_varint(p, h->lsn - h->previous);
    if (!h->beat) p += seam_put_varint(p, h->txn);
    p += seam_put_varint(p, seam_zigzag(h->wall_us));
    if (h->beat) return (size_t)(p - out);
    p += seam_put_varint(p, h->total);
    p += seam_put_varint(p, h->seq);
    *p++ = (uint8_t)h->flags;
    return (size_t)(p - out);
}

static bool chunk_head_sane(const struct stream_chunk_head *h)
{
    bool first = (h->flags & CHUNK_FIRST) != 0, last = (h->flags & CHUNK_LAST) != 0;

    if (h->beat) return true;
    return h->count > 0 && h->flags <= 15 && h->seq <= h->total && h->count <= h->total - h->seq &&
           first == (h->seq == 0) && last == (h->seq + h->count == h->total);
}

enum seam_status stream_chunk_head_get(const struct wal_record *rec, const char *where,
                                       struct stream_chunk_head *h, struct seam_fault *f)
{
    struct seam_reader r = seam_reader_of(rec->data, rec->size);
    uint64_t back;

    *h = (struct stream_chunk_head){.beat = rec->type != STREAM_CHUNK,
                                    .abandon = rec->type == STREAM_ABANDON};
    if (rec->type < STREAM_CHUNK || rec->type > STREAM_ABANDON)
        return seam_fault_set(f, SEAM_CORRUPT, where, rec->start,
                              "a record of unknown type %u in the stream", rec->type);
    h->offset = seam_read_varint(&r);
    if (!h->beat) h->count = seam_read_varint(&r);
    h->lsn = seam_read_varint(&r);
    back = seam_read_varint(&r);
    if (!h->beat) h->txn = seam_read_varint(&r);
    h->wall_us = seam_unzigzag(seam_read_varint(&r));
    if (!h->beat) {
        h->total = seam_read_varint(&r);
        h->seq = seam_read_varint(&r);
        h->flags = seam_read_u8(&r);
    }
    h->previous = h->lsn - back;
    h->size = seam_reader_offset(&r);
    if (r.bad || back > h->lsn || !chunk_head_sane(h) || (h->beat && seam_reader_left(&r) > 0) ||
        h->count > seam_reader_left(&r) || h->offset + h->count < h->offset)
        return seam_fault_set(f, SEAM_CORRUPT, where, rec->start,
                              "the head of a stream record is malformed");
    return SEAM_OK;
}

/* ---- finding a place ---- */

static bool reached(const struct stream_chunk_head *h, enum stream_from from, uint64_t number)
{
    switch (from) {
    case STREAM_FROM_LSN: return h->lsn > number;
    case STREAM_FROM_TIME: return h->wall_us >= (int64_t)number;
    case STREAM_FROM_OFFSET:
        return h->offset + h->count > number || (h->beat && h->offset > number);
    default: return true;
    }
}

enum { SEEK_LINEAR = 64 << 10 }; /* fewer bytes than this are read from end to end */

enum seam_status stream_seek(struct wal_reader *r, const char *where, enum stream_from from,
                             uint64_t number, seam_lsn_t *at, struct stream_chunk_head *head,
                             struct seam_fault *f)
{
    seam_lsn_t lo, hi = wal_reader_visible(r);
    struct wal_record rec;
    enum seam_status st = wal_reader_seek(r, SEAM_LSN_NONE, f);

    if (st == SEAM_OK) st = wal_reader_next(r, &rec, f);
    *at = lo = st == SEAM_OK ? rec.start : hi;
    /* Every record that begins before lo is too early; every one that begins at hi or later is
     * not. */
    while (st == SEAM_OK && hi > lo && hi - lo > SEEK_LINEAR) {
        seam_lsn_t mid = lo + (hi - lo) / 2;

        st = wal_reader_resync(r, mid, f);
        if (st == SEAM_OK) st = wal_reader_next(r, &rec, f);
        if (st == SEAM_OK) st = stream_chunk_head_get(&rec, where, head, f);
        if (st == SEAM_OK && !reached(head, from, number)) {
            lo = rec.end;
        } else if (st == SEAM_OK || st == SEAM_END) {
            hi = mid;
            st = SEAM_OK;
        }
    }
    /* From here on record by record, so that damage is met and not stepped over. */
    if (st == SEAM_OK) st = wal_reader_seek(r, lo, f);
    while (st == SEAM_OK) {
        st = wal_reader_next(r, &rec, f);
        if (st == SEAM_OK) st = stream_chunk_head_get(&rec, where, head, f);
        if (st == SEAM_OK && reached(head, from, number)) {
            *at = rec.start;
            return SEAM_OK;
        }
    }
    if (st == SEAM_END) *at = wal_reader_visible(r);
    return st;
}

enum seam_status stream_last(struct wal_reader *r, const char *where,
                             struct stream_chunk_head *head, struct seam_fault *f)
{
    seam_lsn_t end = wal_reader_visible(r);

    for (uint64_t back = 64 << 10;; back *= 8) {
        seam_lsn_t from = end > back ? end - back : SEAM_LSN_NONE;
        struct wal_record rec;
        bool found = false;
        enum seam_status st = wal_reader_resync(r, from, f);

        while (st == SEAM_OK) {
            st = wal_reader_next(r, &rec, f);
            if (st == SEAM_OK) st = stream_chunk_head_get(&rec, where, head, f);
            if (st == SEAM_OK) found = true;
        }
        if (st != SEAM_END) return st;
        if (found) return SEAM_OK;
        if (from == SEAM_LSN_NONE) return SEAM_END;
    }
}

enum seam_status stream_state(struct seam_io *io, const char *dir, struct stream_state *out,
                              struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_state log;
    struct stream_chunk_head head;
    seam_lsn_t at;
    enum seam_status st = wal_state(io, dir, &log, f);

    *out = (struct stream_state){0};
    if (st == SEAM_OK) st = wal_reader_open(io, dir, SEAM_LSN_NONE, 0, &r, f);
    if (st != SEAM_OK) return st;
    out->writer_pid = log.writer_pid;
    out->writer_alive = log.writer_alive;
    out->bytes = log.visible > log.oldest ? log.visible - log.oldest : 0;
    st = stream_seek(r, dir, STREAM_FROM_START, 0, &at, &head, f);
    if (st == SEAM_OK) {
        out->oldest_offset = head.offset;
        st = stream_last(r, dir, &head, f);
    }
    if (st == SEAM_OK) {
        out->next_offset = head.offset + head.count;
        out->lsn = head.beat || (head.flags & CHUNK_LAST) ? head.lsn : head.previous;
        out->wall_us = head.wall_us;
    }
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}
