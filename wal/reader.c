/* reader - following the log from any process.
 *
 * Reads up to what the shared page calls visible and never past it. Bytes come in chunks of up to
 * 1 MiB by one read each (a mapping would be no faster: the page cache copies at over 20 GB/s, and
 * a recycled segment must not change under a pointer that was checked). A whole record is handed
 * out where it lies in the chunk; only records of several fragments are copied together. */
#include "wal/internal.h"

#include <stdlib.h>

struct wal_reader {
    struct io *io;
    char dir[PATH_MAX_BYTES];
    struct log_meta meta;
    uint64_t salt;
    unsigned flags;
    struct shared *shared;
    struct window window;
    uint64_t segment;  /* open in window, when window.file is set */
    lsn_t position;    /* end of the last record returned, or where we began */
    lsn_t visible;     /* as last looked up */
    struct buf joined; /* a record of several fragments */
    bool skip;         /* at the oldest byte kept: the end of a record may stand there */
    _Atomic bool stop;
};

static lsn_t oldest_kept(struct wal_reader *r)
{
    uint64_t oldest = atomic_load(&r->shared->oldest);

    if (atomic_load(&r->shared->magic) == SHARED_MAGIC && oldest != 0 &&
        (r->flags & WAL_READ_ALL) == 0)
        return oldest;
    return r->meta.oldest_segment * r->meta.segment_bytes + SEGMENT_HEADER;
}

static lsn_t look(struct wal_reader *r)
{
    if (r->flags & WAL_READ_ALL) {
        r->visible = LSN_MAX - WAL_SEGMENT_MAX;
    } else if (atomic_load(&r->shared->magic) == SHARED_MAGIC &&
               atomic_load(&r->shared->log_id) == r->meta.log_id) {
        r->visible = atomic_load_explicit(&r->shared->visible, memory_order_acquire);
    } else {
        r->visible = LSN_NONE;
    }
    return r->visible;
}

enum status wal_reader_open(struct io *io, const char *dir, lsn_t at, unsigned flags,
                            struct wal_reader **out, struct fault *f)
{
    struct wal_reader *r;
    enum status st;

    assert(out != NULL && *out == NULL);
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return fault_set(f, ST_NOMEM, dir, FAULT_NO_OFFSET, "no memory for a log reader");
    r->io = io;
    r->flags = flags;
    r->joined.limit = WAL_PAYLOAD_MAX;
    st = strlen(dir) + 32 <= PATH_MAX_BYTES
             ? ST_OK
             : fault_set(f, ST_LIMIT, dir, FAULT_NO_OFFSET, "path is too long");
    if (st == ST_OK) {
        memcpy(r->dir, dir, strlen(dir) + 1);
        st = meta_load(io, dir, &r->meta, f);
    }
    if (st == ST_OK) st = shared_map(io, dir, &r->shared, f);
    if (st == ST_OK) {
        r->salt = record_salt(r->meta.log_id);
        st = wal_reader_seek(r, at, f);
    }
    if (st != ST_OK) {
        wal_reader_close(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void wal_reader_close(struct wal_reader *r)
{
    if (r == NULL) return;
    window_free(&r->window);
    shared_unmap(r->io, r->shared);
    buf_free(&r->joined);
    free(r);
}

enum status wal_reader_seek(struct wal_reader *r, lsn_t at, struct fault *f)
{
    lsn_t oldest = oldest_kept(r);

    if (at == LSN_NONE) at = oldest;
    if (record_place(at, r->meta.segment_bytes) < oldest)
        return fault_set(f, ST_NOT_FOUND, r->dir, at, "the log is kept from LSN %llu on",
                         (unsigned long long)oldest);
    if (at % 8 != 0 || (at > look(r) && at != oldest))
        return fault_set(f, ST_NOT_FOUND, r->dir, at,
                         "not a position of this log, which is visible up to LSN %llu",
                         (unsigned long long)r->visible);
    r->position = at;
    r->skip = at == oldest;
    return ST_OK;
}

lsn_t wal_reader_position(const struct wal_reader *r)
{
    return r->position;
}
lsn_t wal_reader_visible(struct wal_reader *r)
{
    return look(r);
}

void wal_reader_wake(struct wal_reader *r)
{
    atomic_store(&r->stop, true);
    shared_wake(r->shared);
}

enum status wal_reader_wait(struct wal_reader *r, uint64_t timeout_ns)
{
    return shared_wait(r->shared, r->position, &r->stop, timeout_ns);
}

/* Bytes at `lsn` are not a record: recycled under us, not there yet (offline), or damaged? */
static enum status no_record(struct wal_reader *r, lsn_t lsn, const char *why, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    lsn_t oldest;

    if (r->flags & WAL_READ_ALL) return ST_END;
    oldest = oldest_kept(r);
    if (lsn < oldest)
        return fault_set(f, ST_NOT_FOUND, r->dir, lsn,
                         "the log was recycled under its reader; it is kept from LSN %llu on",
                         (unsigned long long)oldest);
    if (segment_path(path, r->dir, lsn / r->meta.segment_bytes, NULL) != ST_OK) path[0] = '\0';
    return fault_set(f, ST_CORRUPT, path, lsn % r->meta.segment_bytes, "%s", why);
}

static enum status enter(struct wal_reader *r, uint64_t segment, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    struct fault why = {0};
    const uint8_t *p = NULL;
    enum status st = segment_path(path, r->dir, segment, f);

    if (st != ST_OK) return st;
    st = window_open(&r->window, r->io, path, &why);
    if (st == ST_NOT_FOUND)
        return no_record(r, segment * r->meta.segment_bytes + SEGMENT_HEADER, "segment is missing",
                         f);
    /* Bounded to the header, so that the chunk starts at the position asked for. */
    if (st == ST_OK) st = window_at(&r->window, 0, SEGMENT_HEADER, SEGMENT_HEADER, &p, &why);
    if (st != ST_OK) {
        if (f != NULL && f->status == ST_OK) *f = why;
        return st;
    }
    if (p == NULL || segment_header_check(p, &r->meta, segment) != ST_OK) {
        window_close(&r->window);
        return no_record(r, segment * r->meta.segment_bytes + SEGMENT_HEADER,
                         "segment header is damaged", f);
    }
    r->segment = segment;
    return ST_OK;
}

/* The fragment at *lsn (moved to its place). ST_END: not visible yet. */
static enum status fragment(struct wal_reader *r, lsn_t *lsn, const uint8_t **out, struct fault *f)
{
    uint64_t S = r->meta.segment_bytes, at, limit;
    const uint8_t *p;
    enum status st;

    *lsn = record_place(*lsn, S);
    if (*lsn >= r->visible && *lsn >= look(r)) return ST_END;
    if (r->window.file == NULL || *lsn / S != r->segment) {
        st = enter(r, *lsn / S, f);
        if (st != ST_OK) return st;
    }
    at = *lsn % S;
    limit = r->visible - *lsn < S - at ? at + (r->visible - *lsn) : S;
    st = window_at(&r->window, at, RECORD_HEADER, limit, &p, f);
    if (st != ST_OK) return st;
    if (p == NULL || !record_head_ok(p, *lsn, r->salt, limit - at) || record_size(p) > WINDOW_BYTES)
        return no_record(r, *lsn, "record header is damaged", f);
    st = window_at(&r->window, at, record_size(p), limit, &p, f);
    if (st != ST_OK) return st;
    if (p == NULL || get_u32(p) != record_crc(p, *lsn, r->salt))
        return no_record(r, *lsn, "record checksum is wrong", f);
    *out = p;
    return ST_OK;
}

enum { RESYNC_BYTES = 32 << 10 }; /* a search by halves looks at little in each place */

enum status wal_reader_resync(struct wal_reader *r, lsn_t at, struct fault *f)
{
    uint64_t S = r->meta.segment_bytes;
    lsn_t oldest = oldest_kept(r), lsn = round8(at);

    if (lsn < oldest) lsn = oldest;
    for (look(r); lsn < r->visible;) {
        uint64_t in = lsn % S, limit, probe;
        const uint8_t *p;
        enum status st = ST_OK;

        if (in < SEGMENT_HEADER) lsn += SEGMENT_HEADER - in;
        in = lsn % S;
        if (S - in < RECORD_TAIL_MIN) {
            lsn += S - in;
            continue;
        }
        if (lsn >= r->visible) break;
        if (r->window.file == NULL || lsn / S != r->segment) st = enter(r, lsn / S, f);
        limit = r->visible - lsn < S - in ? in + (r->visible - lsn) : S;
        probe = limit - in > RESYNC_BYTES ? in + RESYNC_BYTES : limit;
        if (st == ST_OK) st = window_at(&r->window, in, RECORD_HEADER, probe, &p, f);
        if (st != ST_OK) return st;
        if (p == NULL) break; /* fewer bytes than a header: the visible end */
        if (record_head_ok(p, lsn, r->salt, limit - in) && record_size(p) <= WINDOW_BYTES) {
            st = window_at(&r->window, in, record_size(p), limit, &p, f);
            if (st != ST_OK) return st;
            if (p != NULL && get_u32(p) == record_crc(p, lsn, r->salt)) {
                if (p[RECORD_FLAGS] & RECORD_FIRST) {
                    r->position = lsn;
                    r->skip = false;
                    return ST_OK;
                }
                lsn += record_size(p);
                continue;
            }
        }
        lsn += 8;
    }
    r->position = r->visible;
    r->skip = false;
    return ST_END;
}

static enum status join(struct wal_reader *r, lsn_t lsn, const uint8_t *p, struct wal_record *out,
                        struct fault *f)
{
    uint8_t type = p[RECORD_TYPE];

    buf_clear(&r->joined);
    for (;;) {
        enum status st;

        buf_append(&r->joined, p + RECORD_HEADER, get_u32(p + RECORD_LEN));
        if (!buf_ok(&r->joined))
            return fault_set(
                f,
                r->joined.size + get_u32(p + RECORD_LEN) > WAL_PAYLOAD_MAX ? ST_CORRUPT : ST_NOMEM,
                r->dir, lsn, "a log record of several fragments does not fit in memory");
        if (p[RECORD_FLAGS] & RECORD_LAST) break;
        lsn += record_size(p);
        st = fragment(r, &lsn, &p, f);
        if (st != ST_OK) return st;
        if ((p[RECORD_FLAGS] & RECORD_FIRST) || p[RECORD_TYPE] != type)
            return no_record(r, lsn, "fragment of another record", f);
    }
    out->data = r->joined.data;
    out->size = r->joined.size;
    out->end = lsn + record_size(p);
    return ST_OK;
}

enum status wal_reader_next(struct wal_reader *r, struct wal_record *out, struct fault *f)
{
    lsn_t lsn = r->position;
    const uint8_t *p;
    enum status st = fragment(r, &lsn, &p, f);

    while (unlikely(r->skip && st == ST_OK && (p[RECORD_FLAGS] & RECORD_FIRST) == 0)) {
        lsn += record_size(p);
        st = fragment(r, &lsn, &p, f);
    }
    if (st != ST_OK) return st;
    r->skip = false;
    if (unlikely((p[RECORD_FLAGS] & RECORD_FIRST) == 0))
        return no_record(r, lsn, "a record goes on that never began", f);
    out->type = p[RECORD_TYPE];
    out->start = lsn;
    if (likely(p[RECORD_FLAGS] & RECORD_LAST)) {
        out->data = p + RECORD_HEADER;
        out->size = get_u32(p + RECORD_LEN);
        out->end = lsn + record_size(p);
    } else {
        st = join(r, lsn, p, out, f);
        if (st != ST_OK) return st;
    }
    r->position = out->end;
    return ST_OK;
}
