/* tail - where does the log end, and is everything before that as it was written? Reads only: recovery asks before it
 * repairs, a reader that finds no living writer asks instead of one.
 *
 * A segment's bytes are synced before the next segment gets any. So of the segments from the oldest
 * kept on, all but the last with a valid header are whole; the last is scanned. The scan stops at
 * byte P, at damage or at the end. Then
 *
 *   something valid after P, the shared page, or log.meta vouches for more than P  -->  damage: SEAM_CORRUPT
 *   else                                                                           -->  a torn tail
 *
 * If the log ends inside a record of several fragments, P moves back to that record's start, which may lie segments
 * before. */
#include "wal/internal.h"

#include <inttypes.h>
#include <stdlib.h>

enum seam_status wal_tail_segment(struct wal_tail *t, uint64_t number, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = wal_segment_path(path, t->dir, number, f);

    return st == SEAM_OK ? wal_window_open(&t->window, t->io, path, f) : st;
}

static enum seam_status header_state(struct wal_tail *t, uint64_t number, enum seam_status *state,
                                     struct seam_fault *f)
{
    const uint8_t *p;
    enum seam_status st = wal_tail_segment(t, number, f);

    if (st == SEAM_OK)
        st = wal_window_at(&t->window, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, f);
    if (st == SEAM_OK)
        *state = p == NULL ? SEAM_NOT_FOUND : wal_segment_header_check(p, &t->meta, number);
    return st;
}

enum seam_status wal_tail_damaged(struct wal_tail *t, uint64_t number, uint64_t at, const char *why,
                                  struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];

    if (wal_segment_path(path, t->dir, number, NULL) != SEAM_OK) path[0] = '\0';
    return seam_fault_set(f, SEAM_CORRUPT, path, at, "%s", why);
}

/* Sets first, last, empty. Segments below the oldest kept are left over from a trim. */
static enum seam_status find_ends(struct wal_tail *t, struct seam_fault *f)
{
    uint64_t oldest = t->meta.oldest_segment;
    enum seam_status st = wal_segment_list(t->io, t->dir, &t->list, f);

    if (st != SEAM_OK) return st;
    while (t->first < t->list.count && t->list.numbers[t->first] < oldest) t->first++;
    t->empty = true;
    for (size_t i = t->list.count; i > t->first && t->empty; i--) {
        enum seam_status state;

        st = header_state(t, t->list.numbers[i - 1], &state, f);
        if (st != SEAM_OK) return st;
        t->empty = state != SEAM_OK;
        t->last = i - 1;
    }
    if (t->empty) {
        t->last = t->first;
        return SEAM_OK;
    }
    for (size_t i = t->first; i <= t->last; i++) {
        enum seam_status state = SEAM_OK;
        uint64_t want = oldest + (i - t->first);

        if (t->list.numbers[i] != want)
            return wal_tail_damaged(t, want, SEAM_FAULT_NO_OFFSET,
                                    "a segment of the log is missing", f);
        if (i < t->last) st = header_state(t, want, &state, f);
        if (st != SEAM_OK) return st;
        if (state != SEAM_OK) return wal_tail_damaged(t, want, 0, "segment header is damaged", f);
    }
    return SEAM_OK;
}

/* If the segment before `number` ends inside a record: goes back to where that began, else leaves
 * *start alone. */
static enum seam_status find_open_start(struct wal_tail *t, uint64_t number, seam_lsn_t *start,
                                        struct seam_fault *f)
{
    uint64_t S = t->meta.segment_bytes;

    while (number > t->meta.oldest_segment) {
        struct wal_scan s;
        enum seam_status st;

        number--;
        st = wal_tail_segment(t, number, f);
        if (st == SEAM_OK)
            st = wal_scan_segment(&t->window, &t->meta, number, number * S + WAL_SEGMENT_HEADER,
                                  false, &s, f);
        if (st == SEAM_OK && s.end == number * S + WAL_SEGMENT_HEADER)
            st = wal_scan_segment(&t->window, &t->meta, number, number * S + WAL_SEGMENT_HEADER,
                                  true, &s, f);
        if (st != SEAM_OK) return st;
        if (!s.full) return wal_tail_damaged(t, number, s.end - number * S, "record is damaged", f);
        if (!s.open) return SEAM_OK;
        if (s.open_start != SEAM_LSN_NONE) {
            *start = s.open_start;
            return SEAM_OK;
        }
    }
    return SEAM_OK;
}

/* Nothing of the segment was there to scan: is that what was promised? */
static enum seam_status nothing_there(struct wal_tail *t, uint64_t number, bool there,
                                      struct seam_fault *f)
{
    seam_lsn_t start = number * t->meta.segment_bytes + WAL_SEGMENT_HEADER;

    if (t->promised <= start) return SEAM_OK;
    return there ? wal_tail_damaged(t, number, 0, "segment header is damaged", f)
                 : wal_tail_damaged(t, number, SEAM_FAULT_NO_OFFSET,
                                    "a segment of the log is missing: it held what was durable", f);
}

static enum seam_status scan_last(struct wal_tail *t, struct seam_fault *f)
{
    const struct wal_log_meta *m = &t->meta;
    uint64_t S = m->segment_bytes, number;
    seam_lsn_t vouched, start;
    struct wal_scan s;
    enum seam_status st;

    number = t->empty ? m->oldest_segment : t->list.numbers[t->last];
    start = number * S + WAL_SEGMENT_HEADER;
    t->end = t->floor = start;
    if (t->first == t->list.count) return nothing_there(t, number, false, f);
    st = wal_tail_segment(t, number, f);
    if (st == SEAM_OK) st = wal_scan_segment(&t->window, m, number, start, false, &s, f);
    if (st == SEAM_OK && s.end == start)
        st = wal_scan_segment(&t->window, m, number, start, true, &s, f);
    if (st != SEAM_OK) return st;
    if (t->empty && (s.vouched > start || t->promised > start))
        return wal_tail_damaged(t, number, 0, "segment header is damaged", f);
    t->end = s.end;
    t->before = s.crc;
    t->floor = s.vouched > t->promised ? s.vouched : t->promised;
    st = wal_scan_beyond(&t->window, m, number, s.end, &vouched, &t->beyond_end, f);
    if (st != SEAM_OK) return st;
    if (s.full && t->promised > s.end + WAL_SEGMENT_HEADER + WAL_RECORD_TAIL_MIN)
        return nothing_there(
            t, number + 1,
            t->last + 1 < t->list.count && t->list.numbers[t->last + 1] == number + 1, f);
    if (vouched > s.end || t->promised > s.end)
        return wal_tail_damaged(
            t, number, s.end - number * S,
            "record is damaged: what was written later proves that it had been durable", f);
    if (!s.open) return SEAM_OK;
    if (t->end > t->beyond_end) t->beyond_end = t->end;
    if (s.open_start != SEAM_LSN_NONE) {
        t->end = s.open_start;
        return SEAM_OK;
    }
    t->before = 0;
    return find_open_start(t, number, &t->end, f);
}

enum seam_status wal_tail_find(struct wal_tail *t, struct seam_io *io, const char *dir,
                               const struct wal_log_meta *m, seam_lsn_t page_vouched,
                               struct seam_fault *f)
{
    enum seam_status st;

    *t = (struct wal_tail){.io = io, .dir = dir, .meta = *m};
    t->promised = page_vouched > m->durable ? page_vouched : m->durable;
    st = find_ends(t, f);
    if (st == SEAM_OK) st = scan_last(t, f);
    assert(st != SEAM_OK || t->end >= m->oldest_segment * m->segment_bytes);
    return st;
}

void wal_tail_free(struct wal_tail *t)
{
    wal_window_free(&t->window);
    free(t->list.numbers);
    t->list.numbers = NULL;
}

enum seam_status wal_tail_closed(struct seam_io *io, const char *dir, const struct wal_log_meta *m,
                                 bool *closed, struct seam_fault *f)
{
    struct wal_tail t = {.io = io, .dir = dir, .meta = *m, .promised = m->durable};
    struct seam_fault why = {0};
    uint64_t newest = 0, number = m->durable / m->segment_bytes, size = 0;
    enum seam_status state = SEAM_OK, st = wal_history_newest(io, dir, m->log_id, &newest, f);

    *closed = st == SEAM_OK && newest != 0 && newest == m->history;
    if (!*closed) return st;
    /* One look, so that a last segment that went away is missed now, and not by whoever comes to its records. */
    st = header_state(&t, number, &state, &why);
    if (st == SEAM_OK) st = seam_file_size(t.window.file, &size, &why);
    if (st == SEAM_NOT_FOUND)
        st = nothing_there(&t, number, false, f);
    else if (st != SEAM_OK)
        seam_fault_give(f, &why);
    else if (state != SEAM_OK || size < m->durable - number * m->segment_bytes)
        st = wal_tail_damaged(&t, number, state != SEAM_OK ? 0 : size,
                              "the log's last segment is damaged: it ends before what was durable",
                              f);
    wal_tail_free(&t);
    return st;
}
