#include "wal/internal.h"

#include <inttypes.h>
#include <stdlib.h>

struct verify {
    struct seam_io *io;
    const char *dir;
    struct wal_log_meta meta;
    struct wal_state state;
    struct wal_window window;
    struct wal_segment_list list;
    struct wal_check *out;
    bool open; /* the segment before ended inside a record */
};

static enum seam_status bad(struct verify *v, uint64_t number, uint64_t at, const char *why,
                            struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];

    if (wal_segment_path(path, v->dir, number, NULL) != SEAM_OK) path[0] = '\0';
    return seam_fault_set(f, SEAM_CORRUPT, path, at, "%s", why);
}

/* One segment; *last is set when the log ends in it. */
static enum seam_status verify_segment(struct verify *v, uint64_t number, bool *last,
                                       struct seam_fault *f)
{
    uint64_t S = v->meta.segment_bytes;
    char path[SEAM_PATH_MAX_BYTES];
    const uint8_t *p;
    struct wal_scan s;
    seam_lsn_t vouched, beyond;
    enum seam_status st = wal_segment_path(path, v->dir, number, f);

    if (st == SEAM_OK) st = wal_window_open(&v->window, v->io, path, f);
    if (st == SEAM_OK)
        st = wal_window_at(&v->window, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, f);
    if (st != SEAM_OK) return st;
    if (p == NULL || wal_segment_header_check(p, &v->meta, number) != SEAM_OK) {
        *last = true;
        if (v->state.durable > number * S + WAL_SEGMENT_HEADER)
            return bad(v, number, 0, "segment header is damaged", f);
        st = wal_scan_beyond(&v->window, &v->meta, number, number * S + WAL_SEGMENT_HEADER,
                             &vouched, &beyond, f);
        return st == SEAM_OK && vouched > number * S + WAL_SEGMENT_HEADER
                   ? bad(v, number, 0, "segment header is damaged", f)
                   : st;
    }
    st = wal_scan_segment(&v->window, &v->meta, number, number * S + WAL_SEGMENT_HEADER, v->open,
                          &s, f);
    /* Where the oldest kept segment begins inside a record, the record's start is gone rightly. */
    if (st == SEAM_OK && s.end == number * S + WAL_SEGMENT_HEADER &&
        number == v->meta.oldest_segment)
        st = wal_scan_segment(&v->window, &v->meta, number, number * S + WAL_SEGMENT_HEADER, true,
                              &s, f);
    if (st != SEAM_OK) return st;
    v->out->segments++;
    v->out->records += s.records;
    v->out->end = s.open && s.open_start != SEAM_LSN_NONE ? s.open_start : s.end;
    v->open = s.open;
    if (s.full) return SEAM_OK;
    *last = true;
    st = wal_scan_beyond(&v->window, &v->meta, number, s.end, &vouched, &beyond, f);
    if (st != SEAM_OK) return st;
    if (vouched > s.end || v->state.durable > s.end)
        return bad(v, number, s.end - number * S, "record is damaged", f);
    v->out->torn_bytes = (beyond > s.end ? beyond : s.end) - v->out->end;
    return SEAM_OK;
}

static enum seam_status verify_slots(struct verify *v, struct seam_fault *f)
{
    struct wal_slot_info *slots = malloc(WAL_SLOTS_MAX * sizeof *slots);
    size_t n = 0;
    enum seam_status st;

    if (slots == NULL)
        return seam_fault_set(f, SEAM_NOMEM, v->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory for the list of slots");
    st = wal_slots(v->io, v->dir, slots, &n, f);
    for (size_t i = 0; st == SEAM_OK && i < n; i++) {
        if (slots[i].damaged) {
            st = seam_fault_set(f, SEAM_CORRUPT, slots[i].name, SEAM_FAULT_NO_OFFSET,
                                "the slot is damaged: %s", slots[i].reason);
            break;
        }
        if (slots[i].invalid ||
            wal_record_place(slots[i].confirmed, v->meta.segment_bytes) >= v->out->oldest)
            continue;
        st = seam_fault_set(f, SEAM_CORRUPT, slots[i].name, slots[i].confirmed,
                            "the slot needs the log from here on, but it is kept from LSN %" PRIu64
                            " on",
                            v->out->oldest);
    }
    free(slots);
    return st;
}

/* The list is whole, and no history in it begins behind the end of the log: that one's records are gone. */
static enum seam_status verify_histories(struct verify *v, struct seam_io *io, const char *dir,
                                         struct seam_fault *f)
{
    struct wal_history *list = NULL;
    struct seam_fault why = {0};
    size_t count = 0;
    enum seam_status st = wal_histories(io, dir, &list, &count, &why);

    if (st == SEAM_NOT_FOUND) return SEAM_OK;
    if (st != SEAM_OK) seam_fault_give(f, &why);
    if (st == SEAM_OK && list[count - 1].at > v->out->end)
        st = seam_fault_set(
            f, SEAM_CORRUPT, dir, v->out->end,
            "the log ends at LSN %llu, before LSN %llu, where history %016llx began: "
            "it was cut, or an older copy of its segments was put back",
            (unsigned long long)v->out->end, (unsigned long long)list[count - 1].at,
            (unsigned long long)list[count - 1].id);
    v->out->histories = count;
    free(list);
    return st;
}

enum seam_status wal_verify(struct seam_io *io, const char *dir, struct wal_check *out,
                            struct seam_fault *f)
{
    struct verify v = {.io = io, .dir = dir, .out = out};
    struct wal_check none;
    bool last = false;
    enum seam_status st;

    if (out == NULL) v.out = &none;
    *v.out = (struct wal_check){0};
    st = wal_state(io, dir, &v.state, f);
    if (st == SEAM_OK) st = wal_meta_load(io, dir, &v.meta, f);
    if (st == SEAM_OK) st = wal_segment_list(io, dir, &v.list, f);
    if (st != SEAM_OK) goto done;
    v.out->oldest = v.out->end = v.meta.oldest_segment * v.meta.segment_bytes + WAL_SEGMENT_HEADER;
    for (uint64_t number = v.meta.oldest_segment; st == SEAM_OK; number++) {
        bool there = false, later = false;

        for (size_t i = 0; i < v.list.count; i++) {
            there = there || v.list.numbers[i] == number;
            later = later || v.list.numbers[i] > number;
        }
        if (there && !last) {
            st = verify_segment(&v, number, &last, f);
        } else if (last && there) { /* only a recycled or untouched file may follow the end */
            struct seam_fault why = {0};
            const uint8_t *p;
            char path[SEAM_PATH_MAX_BYTES];

            st = wal_segment_path(path, dir, number, f);
            if (st == SEAM_OK) st = wal_window_open(&v.window, io, path, &why);
            if (st == SEAM_OK)
                st = wal_window_at(&v.window, 0, WAL_SEGMENT_HEADER, WAL_SEGMENT_HEADER, &p, f);
            if (st == SEAM_OK && p != NULL &&
                wal_segment_header_check(p, &v.meta, number) == SEAM_OK)
                st = bad(&v, v.out->end / v.meta.segment_bytes, v.out->end % v.meta.segment_bytes,
                         "record is damaged: the log goes on in the next segment", f);
        } else if (!later) {
            break;
        } else if (!last && v.state.durable > number * v.meta.segment_bytes) {
            st = bad(&v, number, SEAM_FAULT_NO_OFFSET, "a segment of the log is missing", f);
        } else {
            last = true;
        }
    }
    if (st == SEAM_OK && v.out->end < v.state.durable)
        st = bad(&v, v.out->end / v.meta.segment_bytes, v.out->end % v.meta.segment_bytes,
                 "the log ends before what was durable", f);
    v.out->bytes = v.out->end - v.out->oldest;
    if (st == SEAM_OK) st = verify_slots(&v, f);
    if (st == SEAM_OK) st = verify_histories(&v, io, dir, f);
done:
    wal_window_free(&v.window);
    free(v.list.numbers);
    return st;
}
