/* recover - where does the log end, and is everything before that as it was written?
 *
 * A segment's bytes are synced before the next segment gets any. So of the segments from the oldest
 * kept on, all but the last with a valid header are whole; the last is scanned. The scan stops at
 * byte P, at damage or at the end. Then
 *
 *   something valid after P, or the shared page, vouches for more than P  -->  damage: ST_CORRUPT
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
    struct window window;
    struct segment_list list;
    size_t first; /* index in list of the oldest kept segment */
    size_t last;  /* index of the last segment with a valid header */
    bool empty;   /* no segment has a valid header */
    lsn_t page_vouched;
    lsn_t end;        /* P */
    lsn_t beyond_end; /* valid fragments after P end here; LSN_NONE: none */
};

static enum status open_segment(struct recovery *r, uint64_t number, struct fault *f)
{
    char path[PATH_MAX_BYTES];
    enum status st = segment_path(path, r->w->dir, number, f);

    return st == ST_OK ? window_open(&r->window, r->w->o.io, path, f) : st;
}

static enum status header_state(struct recovery *r, uint64_t number, enum status *state,
                                struct fault *f)
{
    const uint8_t *p;
    enum status st = open_segment(r, number, f);

    if (st == ST_OK) st = window_at(&r->window, 0, SEGMENT_HEADER, SEGMENT_HEADER, &p, f);
    if (st == ST_OK)
        *state = p == NULL ? ST_NOT_FOUND : segment_header_check(p, &r->w->meta, number);
    return st;
}

static enum status damaged(struct recovery *r, uint64_t number, uint64_t at, const char *why,
                           struct fault *f)
{
    char path[PATH_MAX_BYTES];

    if (segment_path(path, r->w->dir, number, NULL) != ST_OK) path[0] = '\0';
    return fault_set(f, ST_CORRUPT, path, at, "%s", why);
}

/* Sets first, last, empty. Segments below the oldest kept are left over from a trim: removed. */
static enum status find_ends(struct recovery *r, struct fault *f)
{
    struct wal *w = r->w;
    uint64_t oldest = w->meta.oldest_segment;
    enum status st = segment_list(w->o.io, w->dir, &r->list, f);

    if (st != ST_OK) return st;
    for (; r->first < r->list.count && r->list.numbers[r->first] < oldest; r->first++) {
        char path[PATH_MAX_BYTES];

        st = segment_path(path, w->dir, r->list.numbers[r->first], f);
        if (st == ST_OK) st = io_unlink(w->o.io, path, f);
        if (st != ST_OK) return st;
    }
    r->empty = true;
    for (size_t i = r->list.count; i > r->first && r->empty; i--) {
        enum status state;

        st = header_state(r, r->list.numbers[i - 1], &state, f);
        if (st != ST_OK) return st;
        r->empty = state != ST_OK;
        r->last = i - 1;
    }
    if (r->empty) {
        r->last = r->first;
        return ST_OK;
    }
    for (size_t i = r->first; i <= r->last; i++) {
        enum status state = ST_OK;
        uint64_t want = oldest + (i - r->first);

        if (r->list.numbers[i] != want)
            return damaged(r, want, FAULT_NO_OFFSET, "a segment of the log is missing", f);
        if (i < r->last) st = header_state(r, want, &state, f);
        if (st != ST_OK) return st;
        if (state != ST_OK) return damaged(r, want, 0, "segment header is damaged", f);
    }
    return ST_OK;
}

/* If the segment before `number` ends inside a record: goes back to where that began, else leaves
 * *start alone. */
static enum status find_open_start(struct recovery *r, uint64_t number, lsn_t *start,
                                   struct fault *f)
{
    uint64_t S = r->w->meta.segment_bytes;

    while (number > r->w->meta.oldest_segment) {
        struct scan s;
        enum status st;

        number--;
        st = open_segment(r, number, f);
        if (st == ST_OK)
            st = scan_segment(&r->window, &r->w->meta, number, number * S + SEGMENT_HEADER, false,
                              &s, f);
        if (st == ST_OK && s.end == number * S + SEGMENT_HEADER)
            st = scan_segment(&r->window, &r->w->meta, number, number * S + SEGMENT_HEADER, true,
                              &s, f);
        if (st != ST_OK) return st;
        if (!s.full) return damaged(r, number, s.end - number * S, "record is damaged", f);
        if (!s.open) return ST_OK;
        if (s.open_start != LSN_NONE) {
            *start = s.open_start;
            return ST_OK;
        }
    }
    return ST_OK;
}

static enum status scan_last(struct recovery *r, struct fault *f)
{
    struct log_meta *m = &r->w->meta;
    uint64_t S = m->segment_bytes, number;
    lsn_t vouched, start;
    struct scan s;
    enum status st;

    number = r->empty ? m->oldest_segment : r->list.numbers[r->last];
    start = number * S + SEGMENT_HEADER;
    r->end = start;
    if (r->first == r->list.count) return ST_OK;
    st = open_segment(r, number, f);
    if (st == ST_OK) st = scan_segment(&r->window, m, number, start, false, &s, f);
    if (st == ST_OK && s.end == start) st = scan_segment(&r->window, m, number, start, true, &s, f);
    if (st != ST_OK) return st;
    if (r->empty && (s.vouched > start || r->page_vouched > start))
        return damaged(r, number, 0, "segment header is damaged", f);
    r->end = s.end;
    st = scan_beyond(&r->window, m, number, s.end, &vouched, &r->beyond_end, f);
    if (st != ST_OK) return st;
    if (s.full && r->page_vouched > s.end + SEGMENT_HEADER + RECORD_TAIL_MIN)
        return damaged(r, number + 1, 0, "segment header is damaged", f);
    if (vouched > s.end || r->page_vouched > s.end)
        return damaged(r, number, s.end - number * S,
                       "record is damaged: what was written later proves that it had been durable",
                       f);
    if (!s.open) return ST_OK;
    if (r->end > r->beyond_end) r->beyond_end = r->end;
    if (s.open_start != LSN_NONE) {
        r->end = s.open_start;
        return ST_OK;
    }
    return find_open_start(r, number, &r->end, f);
}

static enum status zero_range(struct file *file, uint64_t from, uint64_t to, struct fault *f)
{
    uint64_t size;
    enum status st = file_size(file, &size, f);

    if (to > size) to = size;
    if (st == ST_OK && from < to) st = file_fill_zero(file, from, to - from, f);
    if (st == ST_OK) st = file_sync(file, f);
    return st;
}

/* Makes a segment a spare: nothing in it can be taken for a record again. */
static enum status erase(struct recovery *r, uint64_t number, struct fault *f)
{
    struct file *file = NULL;
    char path[PATH_MAX_BYTES];
    enum status st = segment_path(path, r->w->dir, number, f);

    if (st == ST_OK) st = file_open(r->w->o.io, path, FILE_WRITE, &file, f);
    if (st == ST_OK) st = zero_range(file, 0, r->w->meta.segment_bytes, f);
    file_close(file);
    return st;
}

/* A full last segment may be followed by one whose header was torn off but whose records are
 * there. */
static enum status check_next(struct recovery *r, struct fault *f)
{
    uint64_t S = r->w->meta.segment_bytes, number = r->end / S + 1;
    lsn_t vouched, last_end;
    bool there = false;
    enum status st;

    for (size_t i = r->first; i < r->list.count; i++)
        there = there || r->list.numbers[i] == number;
    if (!there || S - r->end % S >= RECORD_TAIL_MIN) return ST_OK;
    st = open_segment(r, number, f);
    if (st == ST_OK)
        st = scan_beyond(&r->window, &r->w->meta, number, number * S + SEGMENT_HEADER, &vouched,
                         &last_end, f);
    if (st == ST_OK && vouched > number * S + SEGMENT_HEADER)
        return damaged(r, number, 0, "segment header is damaged", f);
    if (st == ST_OK && last_end != LSN_NONE) st = erase(r, number, f);
    return st;
}

/* Later segments (only there when a record of fragments was cut) become spares, last one first. */
static enum status cut(struct recovery *r, struct fault *f)
{
    struct wal *w = r->w;
    uint64_t S = w->meta.segment_bytes, number = r->end / S;
    enum status st = ST_OK;

    if (!r->empty) {
        for (size_t i = r->last; r->list.numbers[i] > number && st == ST_OK; i--)
            st = erase(r, r->list.numbers[i], f);
    }
    if (st == ST_OK) st = segment_make(w, number, false, &w->file, &w->file_size, f);
    if (st != ST_OK) return st;
    w->file_segment = number;
    atomic_store(&w->current_segment, number);
    if (r->beyond_end > r->end) {
        uint64_t to = r->beyond_end / S > number ? S : r->beyond_end - number * S;

        return zero_range(w->file, r->end - number * S, to, f);
    }
    return file_sync(w->file, f);
}

static enum status start_segment(struct wal *w, uint64_t number, struct fault *f)
{
    uint8_t header[SEGMENT_HEADER];
    enum status st;

    segment_header_put(header, &w->meta, number, clock_wall_us(w->o.clock));
    st = file_write(w->file, 0, header, sizeof header, f);
    if (st == ST_OK && w->file_size < sizeof header) w->file_size = sizeof header;
    return st == ST_OK ? file_sync(w->file, f) : st;
}

enum status wal_recover(struct wal *w, struct wal_recovered *rec, struct fault *f)
{
    struct recovery r = {.w = w};
    enum status st = find_ends(&r, f);

    r.page_vouched = shared_vouches(w->shared, w->meta.log_id);
    if (st == ST_OK) st = scan_last(&r, f);
    if (st == ST_OK && !r.empty) st = check_next(&r, f);
    if (st == ST_OK) st = cut(&r, f);
    if (st == ST_OK && r.empty) st = start_segment(w, w->meta.oldest_segment, f);
    if (st != ST_OK) goto done;
    if (r.list.count > 0 && r.list.numbers[r.list.count - 1] > w->newest_segment)
        w->newest_segment = r.list.numbers[r.list.count - 1];
    rec->end = r.end;
    rec->torn_bytes = r.beyond_end > r.end ? r.beyond_end - r.end : 0;
    if (rec->torn_bytes > 0) {
        (void)snprintf(rec->torn_file, sizeof rec->torn_file, "%016" PRIx64 ".seg",
                       r.end / w->meta.segment_bytes);
        TRACE(w->o.trace, "wal", "torn_tail", TI("at", r.end), TI("bytes", rec->torn_bytes));
    }
    atomic_store(&w->appended, r.end);
    atomic_store(&w->whole, r.end);
    atomic_store(&w->written, r.end);
    atomic_store(&w->durable, r.end);
done:
    window_free(&r.window);
    free(r.list.numbers);
    return st;
}
