/* reader - following the log from any process.
 *
 * Reads up to what is visible (wal_view, internal.h) and never past it. Bytes come in chunks of up to
 * 1 MiB by one read each (a mapping would be no faster: the page cache copies at over 20 GB/s, and
 * a recycled segment must not change under a pointer that was checked). A whole record is handed
 * out where it lies in the chunk; only records of several fragments are copied together. */
#include "wal/internal.h"

#include <stdlib.h>

struct wal_reader {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    struct wal_view view;
    uint64_t salt;
    unsigned flags;
    struct wal_window window;
    uint64_t segment;       /* open in window, when window.file is set */
    seam_lsn_t position;    /* end of the last record returned, or where we began */
    seam_lsn_t visible;     /* as last looked up */
    struct seam_buf joined; /* a record of several fragments */
    bool skip;              /* at the oldest byte kept: the end of a record may stand there */
    _Atomic bool stop;
};

static seam_lsn_t oldest_kept(struct wal_reader *r)
{
    struct wal_shared *page = atomic_load(&r->view.page);

    if (r->flags & WAL_READ_ALL)
        return r->view.meta.oldest_segment * r->view.meta.segment_bytes + WAL_SEGMENT_HEADER;
    return r->view.trusted ? atomic_load(&page->oldest) : r->view.oldest;
}

/* How far one may read now. With a living writer it is one load of its page. Without one the log's own bytes are asked:
 * who comes to the end has nothing better to do, and writers that came and went since must not stay unseen to a caller who
 * polls and never waits. A log that cannot be read now shows what it showed before. */
static seam_lsn_t look(struct wal_reader *r)
{
    struct wal_shared *page = atomic_load(&r->view.page);

    if (r->flags & WAL_READ_ALL)
        r->visible = SEAM_LSN_MAX - WAL_SEGMENT_MAX;
    else if (r->view.trusted)
        r->visible = atomic_load_explicit(&page->visible, memory_order_acquire);
    else if (wal_view_refresh(&r->view, NULL) == SEAM_OK && r->view.visible > r->visible)
        r->visible = r->view.visible;
    return r->visible;
}

/* The same, and a writer whose page was trusted is asked whether it still lives. */
static seam_lsn_t look_again(struct wal_reader *r)
{
    if (r->flags & WAL_READ_ALL) return look(r);
    if (wal_view_refresh(&r->view, NULL) == SEAM_OK && r->view.visible > r->visible)
        r->visible = r->view.visible;
    return r->visible;
}

enum seam_status wal_reader_open(struct seam_io *io, const char *dir, seam_lsn_t at, unsigned flags,
                                 struct wal_reader **out, struct seam_fault *f)
{
    struct wal_reader *r;
    enum seam_status st;

    assert(out != NULL && *out == NULL);
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return seam_fault_set(f, SEAM_NOMEM, dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for a log reader");
    r->io = io;
    r->flags = flags;
    r->joined.limit = WAL_PAYLOAD_MAX;
    st = strlen(dir) + 32 <= SEAM_PATH_MAX_BYTES
             ? SEAM_OK
             : seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "path is too long");
    if (st == SEAM_OK) {
        memcpy(r->dir, dir, strlen(dir) + 1);
        st = flags & WAL_READ_ALL ? wal_view_bare(&r->view, io, r->dir, f)
                                  : wal_view_open(&r->view, io, r->dir, f);
    }
    if (st == SEAM_OK) {
        r->visible = r->view.visible;
        r->salt = wal_record_salt(r->view.meta.log_id);
        st = wal_reader_seek(r, at, f);
    }
    if (st != SEAM_OK) {
        wal_reader_close(r);
        return st;
    }
    *out = r;
    return SEAM_OK;
}

void wal_reader_close(struct wal_reader *r)
{
    if (r == NULL) return;
    wal_window_free(&r->window);
    wal_view_close(&r->view);
    seam_buf_free(&r->joined);
    free(r);
}

enum seam_status wal_reader_seek(struct wal_reader *r, seam_lsn_t at, struct seam_fault *f)
{
    seam_lsn_t oldest = oldest_kept(r);

    if (at == SEAM_LSN_NONE) at = oldest;
    if (wal_record_place(at, r->view.meta.segment_bytes) < oldest)
        return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, at, "the log is kept from LSN %llu on",
                              (unsigned long long)oldest);
    if (at % 8 != 0 || (at > wal_reader_visible(r) && at != oldest))
        return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, at,
                              "not a position of this log, which is visible up to LSN %llu",
                              (unsigned long long)r->visible);
    r->position = at;
    r->skip = at == oldest;
    return SEAM_OK;
}

seam_lsn_t wal_reader_position(const struct wal_reader *r)
{
    return r->position;
}
seam_lsn_t wal_reader_visible(struct wal_reader *r)
{
    return r->view.trusted ? look(r) : look_again(r);
}

void wal_reader_wake(struct wal_reader *r)
{
    struct wal_shared *page = atomic_load(&r->view.page);

    atomic_store(&r->stop, true);
    if (page != NULL && r->view.writable) wal_shared_wake(page);
}

enum { POLL_NS = 50000000 }; /* how long a reader sleeps before it looks who writes now */

/* Sleeps for at most ns: on the page where it can be said that somebody sleeps there. */
static enum seam_status nap(struct wal_reader *r, uint64_t ns)
{
    struct seam_clock *clock = seam_clock_real();
    struct wal_shared *page = atomic_load(&r->view.page);

    if (page != NULL && r->view.writable)
        return wal_shared_wait(page, r->view.trusted ? r->position : SEAM_LSN_MAX, &r->stop, ns);
    clock->sleep_us(clock, ns / 1000);
    return atomic_exchange(&r->stop, false) ? SEAM_OK : SEAM_TIMEOUT;
}

enum seam_status wal_reader_wait(struct wal_reader *r, uint64_t timeout_ns)
{
    struct seam_clock *clock = seam_clock_real();
    uint64_t start = seam_clock_mono_ns(clock);

    for (;;) {
        uint64_t gone, left = timeout_ns, slice;

        if (wal_reader_visible(r) > r->position) return SEAM_OK;
        gone = seam_clock_mono_ns(clock) - start;
        if (timeout_ns != UINT64_MAX) {
            if (gone >= timeout_ns) return SEAM_TIMEOUT;
            left = timeout_ns - gone;
        }
        slice = left < POLL_NS ? left : POLL_NS;
        if (nap(r, slice) == SEAM_OK) return SEAM_OK;
        /* Back before its time, and nothing came: a signal. Whoever sent it wants to be noticed. */
        if (seam_clock_mono_ns(clock) - start < gone + slice) return SEAM_TIMEOUT;
        r->view.trusted = r->view.trusted && wal_view_writer(&r->view);
    }
}

/* Bytes at `lsn` are not a record: recycled under us, not there yet (offline), or damaged? */
static enum seam_status no_record(struct wal_reader *r, seam_lsn_t lsn, const char *why,
                                  struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    seam_lsn_t oldest;

    if (r->flags & WAL_READ_ALL) return SEAM_END;
    oldest = oldest_kept(r);
    if (lsn < oldest)
        return seam_fault_set(f, SEAM_NOT_FOUND, r->dir, lsn,
                              "the log was recycled under its reader; it is kept from LSN %llu on",
                              (unsigned long long)oldest);
    if (wal_segment_path(path, r->dir, lsn / r->view.meta.segment_bytes, NULL) != SEAM_OK)
        path[0] = '\0';
    return seam_fault_set(f, SEAM_CORRUPT, path, lsn % r->view.meta.segment_bytes, "%s", why);
}

static enum seam_status enter(struct wal_reader *r, uint64_t segment, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_fault why = {0};
    const uint8_t *p = NULL;
    enum seam_status st = wal_segment_path(path, r->dir, segment, f);

    if (st != SEAM_OK) return st;
    st = wal_window_open(&r->window, r->io, path, &why);
    if (st == SEAM_NOT_FOUND)
        return no_record(r, segment * r->view.meta.segment_bytes + WAL_SEGMENT_HEADER,
                         "segment is missing", f);
    /* Bounded to the header, so that the chunk starts at the position asked for. */
    if (st == SEAM_OK)
        st = wal_window_at(&r->window, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, &why);
    if (st != SEAM_OK) {
        if (f != NULL && f->status == SEAM_OK) *f = why;
        return st;
    }
    if (p == NULL || wal_segment_header_check(p, &r->view.meta, segment) != SEAM_OK) {
        wal_window_close(&r->window);
        return no_record(r, segment * r->view.meta.segment_bytes + WAL_SEGMENT_HEADER,
                         "segment header is damaged", f);
    }
    r->segment = segment;
    return SEAM_OK;
}

/* The fragment at *lsn (moved to its place). SEAM_END: not visible yet. */
static enum seam_status fragment(struct wal_reader *r, seam_lsn_t *lsn, const uint8_t **out,
                                 struct seam_fault *f)
{
    uint64_t S = r->view.meta.segment_bytes, at, limit;
    const uint8_t *p;
    enum seam_status st;

    *lsn = wal_record_place(*lsn, S);
    if (*lsn >= r->visible && *lsn >= look(r)) return SEAM_END;
    if (r->window.file == NULL || *lsn / S != r->segment) {
        st = enter(r, *lsn / S, f);
        if (st != SEAM_OK) return st;
    }
    at = *lsn % S;
    limit = r->visible - *lsn < S - at ? at + (r->visible - *lsn) : S;
    st = wal_window_at(&r->window, at, WAL_RECORD_HEADER, limit, &p, f);
    if (st != SEAM_OK) return st;
    if (p == NULL || !wal_record_head_ok(p, *lsn, r->salt, limit - at) ||
        wal_record_size(p) > WINDOW_BYTES)
        return no_record(r, *lsn, "record header is damaged", f);
    st = wal_window_at(&r->window, at, wal_record_size(p), limit, &p, f);
    if (st != SEAM_OK) return st;
    if (p == NULL || seam_get_u32(p) != wal_record_crc(p, *lsn, r->salt))
        return no_record(r, *lsn, "record checksum is wrong", f);
    *out = p;
    return SEAM_OK;
}

enum { RESYNC_BYTES = 32 << 10 }; /* a search by halves looks at little in each place */

enum seam_status wal_reader_resync(struct wal_reader *r, seam_lsn_t at, struct seam_fault *f)
{
    uint64_t S = r->view.meta.segment_bytes;
    seam_lsn_t oldest = oldest_kept(r), lsn = wal_round8(at);

    if (lsn < oldest) lsn = oldest;
    for (wal_reader_visible(r); lsn < r->visible;) {
        uint64_t in = lsn % S, limit, probe;
        const uint8_t *p;
        enum seam_status st = SEAM_OK;

        if (in < WAL_SEGMENT_HEADER) lsn += WAL_SEGMENT_HEADER - in;
        in = lsn % S;
        if (S - in < WAL_RECORD_TAIL_MIN) {
            lsn += S - in;
            continue;
        }
        if (lsn >= r->visible) break;
        if (r->window.file == NULL || lsn / S != r->segment) st = enter(r, lsn / S, f);
        limit = r->visible - lsn < S - in ? in + (r->visible - lsn) : S;
        probe = limit - in > RESYNC_BYTES ? in + RESYNC_BYTES : limit;
        if (st == SEAM_OK) st = wal_window_at(&r->window, in, WAL_RECORD_HEADER, probe, &p, f);
        if (st != SEAM_OK) return st;
        if (p == NULL) break; /* fewer bytes than a header: the visible end */
        if (wal_record_head_ok(p, lsn, r->salt, limit - in) && wal_record_size(p) <= WINDOW_BYTES) {
            st = wal_window_at(&r->window, in, wal_record_size(p), limit, &p, f);
            if (st != SEAM_OK) return st;
            if (p != NULL && seam_get_u32(p) == wal_record_crc(p, lsn, r->salt)) {
                if (p[WAL_RECORD_FLAGS] & WAL_RECORD_FIRST) {
                    r->position = lsn;
                    r->skip = false;
                    return SEAM_OK;
                }
                lsn += wal_record_size(p);
                continue;
            }
        }
        lsn += 8;
    }
    r->position = r->visible;
    r->skip = false;
    return SEAM_END;
}

static enum seam_status join(struct wal_reader *r, seam_lsn_t lsn, const uint8_t *p,
                             struct wal_record *out, struct seam_fault *f)
{
    uint8_t type = p[WAL_RECORD_TYPE];

    seam_buf_clear(&r->joined);
    for (;;) {
        enum seam_status st;

        seam_buf_append(&r->joined, p + WAL_RECORD_HEADER, seam_get_u32(p + WAL_RECORD_LEN));
        if (!seam_buf_ok(&r->joined))
            return seam_fault_set(
                f,
                r->joined.size + seam_get_u32(p + WAL_RECORD_LEN) > WAL_PAYLOAD_MAX ? SEAM_CORRUPT
                                                                                    : SEAM_NOMEM,
                r->dir, lsn, "a log record of several fragments does not fit in memory");
        if (p[WAL_RECORD_FLAGS] & WAL_RECORD_LAST) break;
        lsn += wal_record_size(p);
        st = fragment(r, &lsn, &p, f);
        if (st != SEAM_OK) return st;
        if ((p[WAL_RECORD_FLAGS] & WAL_RECORD_FIRST) || p[WAL_RECORD_TYPE] != type)
            return no_record(r, lsn, "fragment of another record", f);
    }
    out->data = r->joined.data;
    out->size = r->joined.size;
    out->end = lsn + wal_record_size(p);
    out->crc = seam_get_u32(p + WAL_RECORD_CRC);
    return SEAM_OK;
}

enum seam_status wal_reader_next(struct wal_reader *r, struct wal_record *out, struct seam_fault *f)
{
    seam_lsn_t lsn = r->position;
    const uint8_t *p;
    enum seam_status st = fragment(r, &lsn, &p, f);

    while (
        seam_unlikely(r->skip && st == SEAM_OK && (p[WAL_RECORD_FLAGS] & WAL_RECORD_FIRST) == 0)) {
        lsn += wal_record_size(p);
        st = fragment(r, &lsn, &p, f);
    }
    if (st != SEAM_OK) return st;
    r->skip = false;
    if (seam_unlikely((p[WAL_RECORD_FLAGS] & WAL_RECORD_FIRST) == 0))
        return no_record(r, lsn, "a record goes on that never began", f);
    out->type = p[WAL_RECORD_TYPE];
    out->start = lsn;
    if (seam_likely(p[WAL_RECORD_FLAGS] & WAL_RECORD_LAST)) {
        out->data = p + WAL_RECORD_HEADER;
        out->size = seam_get_u32(p + WAL_RECORD_LEN);
        out->end = lsn + wal_record_size(p);
        out->crc = seam_get_u32(p + WAL_RECORD_CRC);
    } else {
        st = join(r, lsn, p, out, f);
        if (st != SEAM_OK) return st;
    }
    r->position = out->end;
    return SEAM_OK;
}
