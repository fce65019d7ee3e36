/* append - copying records into the ring. One appender at a time; leaders write behind it. */
#include "wal/internal.h"

struct wal_cursor { /* walks the caller's slices */
    const struct seam_io_slice *part;
    size_t offset;
};

static void ring_put(struct wal *w, seam_lsn_t at, const uint8_t *p, size_t n)
{
    size_t pos = (size_t)(at & w->ring_mask), room = (size_t)(w->ring_mask + 1 - pos);
    size_t first = n < room ? n : room;

    memcpy(w->ring + pos, p, first);
    if (n > first) memcpy(w->ring, p + first, n - first);
}

static void ring_zero(struct wal *w, seam_lsn_t at, size_t n)
{
    static const uint8_t zeros[WAL_RECORD_TAIL_MIN];

    assert(n <= sizeof zeros);
    ring_put(w, at, zeros, n);
}

static void ring_copy(struct wal *w, seam_lsn_t at, struct wal_cursor *c, size_t n)
{
    while (n > 0) {
        size_t left = c->part->size - c->offset, take = left < n ? left : n;

        if (take > 0) ring_put(w, at, (const uint8_t *)c->part->data + c->offset, take);
        at += take;
        n -= take;
        c->offset += take;
        if (c->offset == c->part->size && n > 0) {
            c->part++;
            c->offset = 0;
        }
    }
}

static uint32_t ring_crc(struct wal *w, uint32_t crc, seam_lsn_t at, size_t n)
{
    size_t pos = (size_t)(at & w->ring_mask), room = (size_t)(w->ring_mask + 1 - pos);
    size_t first = n < room ? n : room;

    crc = seam_crc32c(crc, w->ring + pos, first);
    return n > first ? seam_crc32c(crc, w->ring, n - first) : crc;
}

/* The ring holds [written, appended): waits until `end` fits too. */
static enum seam_status ring_room(struct wal *w, seam_lsn_t end, struct seam_fault *f)
{
    seam_lsn_t need;

    if (end - atomic_load_explicit(&w->written, memory_order_acquire) <= w->ring_mask + 1)
        return SEAM_OK;
    need = end - (w->ring_mask + 1);
    /* Free half the ring at once, so that large transactions write in large pieces. */
    if (need + (w->ring_mask + 1) / 2 <= atomic_load(&w->appended)) need += (w->ring_mask + 1) / 2;
    atomic_fetch_add(&w->buffer_full, 1);
    return wal_group_wait(w, need, false, f);
}

/* Pads to the next segment and puts its header when the record cannot begin at p. */
static enum seam_status turn_page(struct wal *w, seam_lsn_t *p, struct seam_fault *f)
{
    seam_lsn_t place = wal_record_place(*p, w->meta.segment_bytes);
    uint8_t header[WAL_SEGMENT_HEADER];
    enum seam_status st;

    if (place == *p) return SEAM_OK;
    st = ring_room(w, place, f);
    if (st != SEAM_OK) return st;
    ring_zero(w, *p, (size_t)(place - WAL_SEGMENT_HEADER - *p));
    wal_segment_header_put(header, &w->meta, w->history, place / w->meta.segment_bytes);
    ring_put(w, place - WAL_SEGMENT_HEADER, header, sizeof header);
    SEAM_TRACE(w->o.trace, "wal", "segment_turn", SEAM_TI("segment", place / w->meta.segment_bytes),
               SEAM_TI("lsn", place));
    *p = place;
    return SEAM_OK;
}

static void put_fragment(struct wal *w, seam_lsn_t p, uint8_t type, unsigned flags,
                         struct wal_cursor *c, size_t n)
{
    uint8_t head[WAL_RECORD_HEADER];
    uint64_t back = (p - atomic_load_explicit(&w->durable, memory_order_relaxed)) / 8;
    size_t body = (size_t)wal_round8(n);

    seam_put_u32(head + WAL_RECORD_LEN, (uint32_t)n);
    seam_put_u32(head + WAL_RECORD_BACK,
                 back < WAL_RECORD_BACK_NONE ? (uint32_t)back : WAL_RECORD_BACK_NONE);
    head[WAL_RECORD_TYPE] = type;
    head[WAL_RECORD_FLAGS] = (uint8_t)flags;
    seam_put_u16(head + WAL_RECORD_CHECK, wal_record_check(head, p, w->salt));
    ring_copy(w, p + WAL_RECORD_HEADER, c, n);
    ring_zero(w, p + WAL_RECORD_HEADER + n, body - n);
    seam_put_u32(head, ring_crc(w,
                                seam_crc32c(wal_record_seed(p, w->salt), head + WAL_RECORD_LEN,
                                            WAL_RECORD_HEADER - WAL_RECORD_LEN),
                                p + WAL_RECORD_HEADER, body));
    ring_put(w, p, head, sizeof head);
}

static enum seam_status append_locked(struct wal *w, uint8_t type, struct wal_cursor *c,
                                      size_t total, struct wal_span *at, struct seam_fault *f)
{
    seam_lsn_t p = atomic_load_explicit(&w->appended, memory_order_relaxed);
    size_t fragment_max = (size_t)((w->ring_mask + 1) / 4), left = total;
    unsigned first = WAL_RECORD_FIRST;

    if (fragment_max > WAL_FRAGMENT_MAX) fragment_max = WAL_FRAGMENT_MAX;
    do {
        enum seam_status st = turn_page(w, &p, f);
        size_t room, n;

        if (st != SEAM_OK) return st;
        room =
            (size_t)(w->meta.segment_bytes - (p & (w->meta.segment_bytes - 1))) - WAL_RECORD_HEADER;
        n = left < room ? left : room;
        if (n > fragment_max) n = fragment_max;
        st = ring_room(w, p + WAL_RECORD_HEADER + wal_round8(n), f);
        if (st != SEAM_OK) return st;
        if (first != 0) at->start = p;
        left -= n;
        put_fragment(w, p, type, first | (left == 0 ? WAL_RECORD_LAST : 0u), c, n);
        p += WAL_RECORD_HEADER + wal_round8(n);
        first = 0;
        if (left > 0) atomic_store_explicit(&w->appended, p, memory_order_release);
    } while (left > 0);
    at->end = p;
    /* A leader loads `whole` before `appended`, so it never believes in a record it does not
     * write. */
    atomic_store_explicit(&w->appended, p, memory_order_release);
    atomic_store_explicit(&w->whole, p, memory_order_release);
    atomic_fetch_add_explicit(&w->records, 1, memory_order_relaxed);
    return SEAM_OK;
}

enum seam_status wal_append(struct wal *w, uint8_t type, const struct seam_io_slice *parts,
                            int count, struct wal_span *at, struct seam_fault *f)
{
    struct wal_cursor c = {.part = parts};
    size_t total = 0;
    enum seam_status st;

    assert(type != 0 && count >= 0 && count <= WAL_PARTS_MAX);
    for (int i = 0; i < count; i++) {
        if (parts[i].size > WAL_PAYLOAD_MAX - total)
            return seam_fault_set(f, SEAM_LIMIT, w->dir, SEAM_FAULT_NO_OFFSET,
                                  "a log record may have %d bytes at most", (int)WAL_PAYLOAD_MAX);
        total += parts[i].size;
    }
    if (seam_unlikely(seam_forked(&w->mark))) return wal_healthy(w, f);
    pthread_mutex_lock(&w->append_mutex);
    st = wal_healthy(w, f);
    if (st == SEAM_OK) st = append_locked(w, type, &c, total, at, f);
    pthread_mutex_unlock(&w->append_mutex);
    if (st == SEAM_OK &&
        at->end - atomic_load_explicit(&w->written, memory_order_relaxed) >= BEHIND_BYTES)
        st = wal_group_write_behind(w, f);
    return st;
}
