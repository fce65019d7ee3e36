#include "wal/internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct verify {
    struct io *io;
    const char *dir;
    struct log_meta meta;
    struct wal_state state;
    struct window window;
    struct segment_list list;
    struct wal_check *out;
    bool open; /* the segment before ended inside a record */
};

static enum status bad(struct verify *v, uint64_t number, uint64_t at, const char *why,
                       struct fault *f)
{
    char path[PATH_MAX_BYTES];

    if (segment_path(path, v->dir, number, NULL) != ST_OK) path[0] = '\0';
    return fault_set(f, ST_CORRUPT, path, at, "%s", why);
}

/* One segment; *last is set when the log ends in it. */
static enum status verify_segment(struct verify *v, uint64_t number, bool *last, struct fault *f)
{
    uint64_t S = v->meta.segment_bytes;
    char path[PATH_MAX_BYTES];
    const uint8_t *p;
    struct scan s;
    lsn_t vouched, beyond;
    enum status st = segment_path(path, v->dir, number, f);

    if (st == ST_OK) st = window_open(&v->window, v->io, path, f);
    if (st == ST_OK) st = window_at(&v->window, 0, SEGMENT_HEADER, SEGMENT_HEADER, &p, f);
    if (st != ST_OK) return st;
    if (p == NULL || segment_header_check(p, &v->meta, number) != ST_OK) {
        *last = true;
        if (v->state.durable > number * S + SEGMENT_HEADER)
            return bad(v, number, 0, "segment header is damaged", f);
        st = scan_beyond(&v->window, &v->meta, number, number * S + SEGMENT_HEADER, &vouched,
                         &beyond, f);
        return st == ST_OK && vouched > number * S + SEGMENT_HEADER
                   ? bad(v, number, 0, "segment header is damaged", f)
                   : st;
    }
    st = scan_segment(&v->window, &v->meta, number, number * S + SEGMENT_HEADER, v->open, &s, f);
    /* Where the oldest kept segment begins inside a record, the record's start is gone rightly. */
    if (st == ST_OK && s.end == number * S + SEGMENT_HEADER && number == v->meta.oldest_segment)
        st = scan_segment(&v->window, &v->meta, number, number * S + SEGMENT_HEADER, true, &s, f);
    if (st != ST_OK) return st;
    v->out->segments++;
    v->out->records += s.records;
    v->out->end = s.open && s.open_start != LSN_NONE ? s.open_start : s.end;
    v->open = s.open;
    if (s.full) return ST_OK;
    *last = true;
    st = scan_beyond(&v->window, &v->meta, number, s.end, &vouched, &beyond, f);
    if (st != ST_OK) return st;
    if (vouched > s.end || v->state.durable > s.end)
        return bad(v, number, s.end - number * S, "record is damaged", f);
    v->out->torn_bytes = (beyond > s.end ? beyond : s.end) - v->out->end;
    return ST_OK;
}

static enum status verify_slots(struct verify *v, struct fault *f)
{
    struct wal_slot_info *slots = malloc(WAL_SLOTS_MAX * sizeof *slots);
    size_t n = 0;
    enum status st;

    if (slots == NULL)
        return fault_set(f, ST_NOMEM, v->dir, FAULT_NO_OFFSET, "no memory for the list of slots");
    st = wal_slots(v->io, v->dir, slots, &n, f);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (slots[i].invalid ||
            record_place(slots[i].confirmed, v->meta.segment_bytes) >= v->out->oldest)
            continue;
        st =
            fault_set(f, ST_CORRUPT, slots[i].name, slots[i].confirmed,
                      "the slot needs the log from here on, but it is kept from LSN %" PRIu64 " on",
                      v->out->oldest);
    }
    free(slots);
    return st;
}

enum status wal_verify(struct io *io, const char *dir, struct wal_check *out, struct fault *f)
{
    struct verify v = {.io = io, .dir = dir, .out = out};
    struct wal_check none;
    bool last = false;
    enum status st;

    if (out == NULL) v.out = &none;
    *v.out = (struct wal_check){0};
    st = wal_state(io, dir, &v.state, f);
    if (st == ST_OK) st = meta_load(io, dir, &v.meta, f);
    if (st == ST_OK) st = segment_list(io, dir, &v.list, f);
    if (st != ST_OK) goto done;
    v.out->oldest = v.out->end = v.meta.oldest_segment * v.meta.segment_bytes + SEGMENT_HEADER;
    for (uint64_t number = v.meta.oldest_segment; st == ST_OK; number++) {
        bool there = false, later = false;

        for (size_t i = 0; i < v.list.count; i++) {
            there = there || v.list.numbers[i] == number;
            later = later || v.list.numbers[i] > number;
        }
        if (there && !last) {
            st = verify_segment(&v, number, &last, f);
        } else if (last && there) { /* only a recycled or untouched file may follow the end */
            struct fault why = {0};
            const uint8_t *p;
            char path[PATH_MAX_BYTES];

            st = segment_path(path, dir, number, f);
            if (st == ST_OK) st = window_open(&v.window, io, path, &why);
            if (st == ST_OK) st = window_at(&v.window, 0, SEGMENT_HEADER, SEGMENT_HEADER, &p, f);
            if (st == ST_OK && p != NULL && segment_header_check(p, &v.meta, number) == ST_OK)
                st = bad(&v, v.out->end / v.meta.segment_bytes, v.out->end % v.meta.segment_bytes,
                         "record is damaged: the log goes on in the next segment", f);
        } else if (!later) {
            break;
        } else if (!last && v.state.durable > number * v.meta.segment_bytes) {
            st = bad(&v, number, FAULT_NO_OFFSET, "a segment of the log is missing", f);
        } else {
            last = true;
        }
    }
    if (st == ST_OK && v.out->end < v.state.durable)
        st = bad(&v, v.out->end / v.meta.segment_bytes, v.out->end % v.meta.segment_bytes,
                 "the log ends before what was durable", f);
    v.out->bytes = v.out->end - v.out->oldest;
    if (st == ST_OK) st = verify_slots(&v, f);
done:
    window_free(&v.window);
    free(v.list.numbers);
    return st;
}
