/* recover - where does the log end, and is everything before that as it was written?
 *
 * A segment's bytes are synced before the next segment gets any. So of the segments from the oldest
 * kept on, all but the last with a valid header are whole; the last is scanned. The scan stops at
 * byte P, at damage or at the end. Then
 *
 *   something valid after P, or the shared page, vouches for more than P  -->  damage: SEAM_CORRUPT
 *   else                                                                  -->  a torn tail: cut
 *
 * Cutting overwrites with zeros whatever valid records lie beyond P (writes may reach the disk out
 * of order), so that they can never join the records appended next. If the log ends inside a record
 * of several fragments, P moves back to that record's start, which may lie segments before. */
#include "wal/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct recovery {
    struct wal *w;
    struct wal_window window;
    struct wal_segment_list list;
    size_t first; /* index in list of the oldest kept segment */
    size_t last;  /* index of the last segment with a valid header */
    bool empty;   /* no segment has a valid header */
    seam_lsn_t page_vouched;
    seam_lsn_t end;        /* P */
    uint32_t before;       /* crc of the record that ends there, when it is in the last segment */
    seam_lsn_t beyond_end; /* valid fragments after P end here; SEAM_LSN_NONE: none */
};

static enum seam_status open_segment(struct recovery *r, uint64_t number, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = wal_segment_path(path, r->w->dir, number, f);

    return st == SEAM_OK ? wal_window_open(&r->window, r->w->o.io, path, f) : st;
}

static enum seam_status header_state(struct recovery *r, uint64_t number, enum seam_status *state,
                                     struct seam_fault *f)
{
    const uint8_t *p;
    enum seam_status st = open_segment(r, number, f);

    if (st == SEAM_OK)
        st = wal_window_at(&r->window, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, f);
    if (st == SEAM_OK)
        *state = p == NULL ? SEAM_NOT_FOUND : wal_segment_header_check(p, &r->w->meta, number);
    return st;
}

static enum seam_status damaged(struct recovery *r, uint64_t number, uint64_t at, const char *why,
                                struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];

    if (wal_segment_path(path, r->w->dir, number, NULL) != SEAM_OK) path[0] = '\0';
    return seam_fault_set(f, SEAM_CORRUPT, path, at, "%s", why);
}

/* Sets first, last, empty. Segments below the oldest kept are left over from a trim: removed. */
static enum seam_status find_ends(struct recovery *r, struct seam_fault *f)
{
    struct wal *w = r->w;
    uint64_t oldest = w->meta.oldest_segment;
    enum seam_status st = wal_segment_list(w->o.io, w->dir, &r->list, f);

    if (st != SEAM_OK) return st;
    for (; r->first < r->list.count && r->list.numbers[r->first] < oldest; r->first++) {
        char path[SEAM_PATH_MAX_BYTES];

        st = wal_segment_path(path, w->dir, r->list.numbers[r->first], f);
        if (st == SEAM_OK) st = seam_io_unlink(w->o.io, path, f);
        if (st != SEAM_OK) return st;
    }
    r->empty = true;
    for (size_t i = r->list.count; i > r->first && r->empty; i--) {
        enum seam_status state;

        st = header_state(r, r->list.numbers[i - 1], &state, f);
        if (st != SEAM_OK) return st;
        r->empty = state != SEAM_OK;
        r->last = i - 1;
    }
    if (r->empty) {
        r->last = r->first;
        return SEAM_OK;
    }
    for (size_t i = r->first; i <= r->last; i++) {
        enum seam_status state = SEAM_OK;
        uint64_t want = oldest + (i - r->first);

        if (r->list.numbers[i] != want)
            return damaged(r, want, SEAM_FAULT_NO_OFFSET, "a segment of the log is missing", f);
        if (i < r->last) st = header_state(r, want, &state, f);
        if (st != SEAM_OK) return st;
        if (state != SEAM_OK) return damaged(r, want, 0, "segment header is damaged", f);
    }
    return SEAM_OK;
}

/* If the segment before `number` ends inside a record: goes back to where that began, else leaves
 * *start alone. */
static enum seam_status find_open_start(struct recovery *r, uint64_t number, seam_lsn_t *start,
                                        struct seam_fault *f)
{
    uint64_t S = r->w->meta.segment_bytes;

    while (number > r->w->meta.oldest_segment) {
        struct wal_scan s;
        enum seam_status st;

        number--;
        st = open_segment(r, number, f);
        if (st == SEAM_OK)
            st = wal_scan_segment(&r->window, &r->w->meta, number, number * S + WAL_SEGMENT_HEADER,
                                  false, &s, f);
        if (st == SEAM_OK && s.end == number * S + WAL_SEGMENT_HEADER)
            st = wal_scan_segment(&r->window, &r->w->meta, number, number * S + WAL_SEGMENT_HEADER,
                                  true, &s, f);
        if (st != SEAM_OK) return st;
        if (!s.full) return damaged(r, number, s.end - number * S, "record is damaged", f);
        if (!s.open) return SEAM_OK;
        if (s.open_start != SEAM_LSN_NONE) {
            *start = s.open_start;
            return SEAM_OK;
        }
    }
    return SEAM_OK;
}

static enum seam_status scan_last(struct recovery *r, struct seam_fault *f)
{
    struct wal_log_meta *m = &r->w->meta;
    uint64_t S = m->segment_bytes, number;
    seam_lsn_t vouched, start;
    struct wal_scan s;
    enum seam_status st;

    number = r->empty ? m->oldest_segment : r->list.numbers[r->last];
    start = number * S + WAL_SEGMENT_HEADER;
    r->end = start;
    if (r->first == r->list.count) return SEAM_OK;
    st = open_segment(r, number, f);
    if (st == SEAM_OK) st = wal_scan_segment(&r->window, m, number, start, false, &s, f);
    if (st == SEAM_OK && s.end == start)
        st = wal_scan_segment(&r->window, m, number, start, true, &s, f);
    if (st != SEAM_OK) return st;
    if (r->empty && (s.vouched > start || r->page_vouched > start))
        return damaged(r, number, 0, "segment header is damaged", f);
    r->end = s.end;
    r->before = s.crc;
    st = wal_scan_beyond(&r->window, m, number, s.end, &vouched, &r->beyond_end, f);
    if (st != SEAM_OK) return st;
    if (s.full && r->page_vouched > s.end + WAL_SEGMENT_HEADER + WAL_RECORD_TAIL_MIN)
        return damaged(r, number + 1, 0, "segment header is damaged", f);
    if (vouched > s.end || r->page_vouched > s.end)
        return damaged(r, number, s.end - number * S,
                       "record is damaged: what was written later proves that it had been durable",
                       f);
    if (!s.open) return SEAM_OK;
    if (r->end > r->beyond_end) r->beyond_end = r->end;
    if (s.open_start != SEAM_LSN_NONE) {
        r->end = s.open_start;
        return SEAM_OK;
    }
    r->before = 0;
    return find_open_start(r, number, &r->end, f);
}

static enum seam_status zero_range(struct seam_file *file, uint64_t from, uint64_t to,
                                   struct seam_fault *f)
{
    uint64_t size;
    enum seam_status st = seam_file_size(file, &size, f);

    if (to > size) to = size;
    if (st == SEAM_OK && from < to) st = seam_file_fill_zero(file, from, to - from, f);
    if (st == SEAM_OK) st = seam_file_sync(file, f);
    return st;
}

/* Makes a segment a spare: nothing in it can be taken for a record again. */
static enum seam_status erase(struct recovery *r, uint64_t number, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = wal_segment_path(path, r->w->dir, number, f);

    if (st == SEAM_OK) st = seam_file_open(r->w->o.io, path, SEAM_FILE_WRITE, &file, f);
    if (st == SEAM_OK) st = zero_range(file, 0, r->w->meta.segment_bytes, f);
    seam_file_close(file);
    return st;
}

/* A full last segment may be followed by one whose header was torn off but whose records are
 * there. */
static enum seam_status check_next(struct recovery *r, struct seam_fault *f)
{
    uint64_t S = r->w->meta.segment_bytes, number = r->end / S + 1;
    seam_lsn_t vouched, last_end;
    bool there = false;
    enum seam_status st;

    for (size_t i = r->first; i < r->list.count; i++) there = there || r->list.numbers[i] == number;
    if (!there || S - r->end % S >= WAL_RECORD_TAIL_MIN) return SEAM_OK;
    st = open_segment(r, number, f);
    if (st == SEAM_OK)
        st = wal_scan_beyond(&r->window, &r->w->meta, number, number * S + WAL_SEGMENT_HEADER,
                             &vouched, &last_end, f);
    if (st == SEAM_OK && vouched > number * S + WAL_SEGMENT_HEADER)
        return damaged(r, number, 0, "segment header is damaged", f);
    if (st == SEAM_OK && last_end != SEAM_LSN_NONE) st = erase(r, number, f);
    return st;
}

/* Later segments (only there when a record of fragments was cut) become spares, last one first. */
static enum seam_status cut(struct recovery *r, struct seam_fault *f)
{
    struct wal *w = r->w;
    uint64_t S = w->meta.segment_bytes, number = r->end / S;
    enum seam_status st = SEAM_OK;

    if (!r->empty) {
        for (size_t i = r->last; r->list.numbers[i] > number && st == SEAM_OK; i--)
            st = erase(r, r->list.numbers[i], f);
    }
    if (st == SEAM_OK) st = wal_segment_make(w, number, false, &w->file, &w->file_size, f);
    if (st != SEAM_OK) return st;
    w->file_segment = number;
    atomic_store(&w->current_segment, number);
    if (r->beyond_end > r->end) {
        uint64_t to = r->beyond_end / S > number ? S : r->beyond_end - number * S;

        return zero_range(w->file, r->end - number * S, to, f);
    }
    return seam_file_sync(w->file, f);
}

static enum seam_status start_segment(struct wal *w, uint64_t number, struct seam_fault *f)
{
    uint8_t header[WAL_SEGMENT_HEADER];
    enum seam_status st;

    wal_segment_header_put(header, &w->meta, number, seam_clock_wall_us(w->o.clock));
    st = seam_file_write(w->file, 0, header, sizeof header, f);
    if (st == SEAM_OK && w->file_size < sizeof header) w->file_size = sizeof header;
    return st == SEAM_OK ? seam_file_sync(w->file, f) : st;
}

enum seam_status wal_recover(struct wal *w, struct wal_recovered *rec, uint32_t *before,
                             struct seam_fault *f)
{
    struct recovery r = {.w = w};
    enum seam_status st = find_ends(&r, f);

    r.page_vouched = wal_shared_vouches(w->shared, w->meta.log_id);
    if (st == SEAM_OK) st = scan_last(&r, f);
    if (st == SEAM_OK && !r.empty) st = check_next(&r, f);
    if (st == SEAM_OK) st = cut(&r, f);
    if (st == SEAM_OK && r.empty) st = start_segment(w, w->meta.oldest_segment, f);
    if (st != SEAM_OK) goto done;
    if (r.list.count > 0 && r.list.numbers[r.list.count - 1] > w->newest_segment)
        w->newest_segment = r.list.numbers[r.list.count - 1];
    rec->end = r.end;
    *before = r.before;
    rec->torn_bytes = r.beyond_end > r.end ? r.beyond_end - r.end : 0;
    if (rec->torn_bytes > 0) {
        (void)snprintf(rec->torn_file, sizeof rec->torn_file, "%016" PRIx64 ".seg",
                       r.end / w->meta.segment_bytes);
        SEAM_TRACE(w->o.trace, "wal", "torn_tail", SEAM_TI("at", r.end),
                   SEAM_TI("bytes", rec->torn_bytes));
    }
    atomic_store(&w->appended, r.end);
    atomic_store(&w->whole, r.end);
    atomic_store(&w->written, r.end);
    atomic_store(&w->durable, r.end);
done:
    wal_window_free(&r.window);
    free(r.list.numbers);
    return st;
}
