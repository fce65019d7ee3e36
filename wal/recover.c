/* recover - makes the log end where tail.c says it does, and makes durable what it then vouches for.
 *
 *            vouched for        P = end
 *   --- synced ---|--- read --------|--- torn: zeros ---
 *                 |<- written again ->|
 *
 * Cutting overwrites with zeros whatever valid records lie beyond P (writes may reach the disk out
 * of order), so that they can never join the records appended next. What lies between the last position known to have
 * been synced and P was read, but perhaps from a page cache that will never reach the disk: after a sync that failed its
 * pages are clean, and no later sync writes them. So it is written again, and synced, before anybody hears of P. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wal/internal.h"

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
static enum seam_status erase(struct wal *w, uint64_t number, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    enum seam_status st = wal_segment_path(path, w->dir, number, f);

    if (st == SEAM_OK) st = seam_file_open(w->o.io, path, SEAM_FILE_WRITE, &file, f);
    if (st == SEAM_OK) st = zero_range(file, 0, w->meta.segment_bytes, f);
    seam_file_close(file);
    return st;
}

/* A full last segment may be followed by one whose header was torn off but whose records are
 * there. */
static enum seam_status check_next(struct wal *w, struct wal_tail *t, struct seam_fault *f)
{
    uint64_t S = t->meta.segment_bytes, number = t->end / S + 1;
    seam_lsn_t vouched, last_end;
    bool there = false;
    enum seam_status st;

    for (size_t i = t->first; i < t->list.count; i++) there = there || t->list.numbers[i] == number;
    if (!there || S - t->end % S >= WAL_RECORD_TAIL_MIN) return SEAM_OK;
    st = wal_tail_segment(t, number, f);
    if (st == SEAM_OK)
        st = wal_scan_beyond(&t->window, &t->meta, number, number * S + WAL_SEGMENT_HEADER,
                             &vouched, &last_end, f);
    if (st == SEAM_OK && vouched > number * S + WAL_SEGMENT_HEADER)
        return wal_tail_damaged(t, number, 0, "segment header is damaged", f);
    if (st == SEAM_OK && last_end != SEAM_LSN_NONE) st = erase(w, number, f);
    return st;
}

/* [from, to) of the segment in hand: read, and written where it is. */
static enum seam_status write_again(struct wal *w, uint64_t from, uint64_t to, struct seam_fault *f)
{
    uint8_t *chunk = malloc(WINDOW_BYTES);
    enum seam_status st = SEAM_OK;

    if (chunk == NULL)
        return seam_fault_set(f, SEAM_NOMEM, w->dir, SEAM_FAULT_NO_OFFSET,
                              "no memory to write the log's tail again");
    while (st == SEAM_OK && from < to) {
        size_t n = to - from < WINDOW_BYTES ? (size_t)(to - from) : (size_t)WINDOW_BYTES;

        st = seam_file_read(w->file, from, chunk, n, f);
        if (st == SEAM_OK) st = seam_file_write(w->file, from, chunk, n, f);
        from += n;
    }
    free(chunk);
    return st;
}

/* The log ends at t->end, in the segment that is opened for appending; later segments (only there when a record of
 * fragments was cut) become spares, last one first. Durable when it returns. */
static enum seam_status cut(struct wal *w, struct wal_tail *t, struct seam_fault *f)
{
    uint64_t S = w->meta.segment_bytes, number = t->end / S, base = number * S;
    enum seam_status st = SEAM_OK;

    if (!t->empty) {
        for (size_t i = t->last; t->list.numbers[i] > number && st == SEAM_OK; i--)
            st = erase(w, t->list.numbers[i], f);
    }
    if (st == SEAM_OK) st = wal_segment_make(w, number, false, &w->file, &w->file_size, f);
    if (st != SEAM_OK) return st;
    w->file_segment = number;
    atomic_store(&w->current_segment, number);
    /* A floor at the first record proves nothing of the header before it. */
    if (!t->empty && t->floor < t->end)
        st = write_again(w, t->floor > base + WAL_SEGMENT_HEADER ? t->floor - base : 0,
                         t->end - base, f);
    if (st == SEAM_OK && t->beyond_end > t->end)
        return zero_range(w->file, t->end - base,
                          t->beyond_end / S > number ? S : t->beyond_end - base, f);
    return st == SEAM_OK ? seam_file_sync(w->file, f) : st;
}

/* What a trim left behind goes; first the log.meta that lets it go is made durable once more. */
static enum seam_status remove_trimmed(struct wal *w, const struct wal_tail *t,
                                       struct seam_fault *f)
{
    enum seam_status st = t->first > 0 ? wal_meta_store(w->o.io, w->dir, &w->meta, f) : SEAM_OK;

    for (size_t i = 0; st == SEAM_OK && i < t->first; i++) {
        char path[SEAM_PATH_MAX_BYTES];

        st = wal_segment_path(path, w->dir, t->list.numbers[i], f);
        if (st == SEAM_OK) st = seam_io_unlink(w->o.io, path, f);
    }
    return st;
}

static enum seam_status start_segment(struct wal *w, uint64_t number, struct seam_fault *f)
{
    uint8_t header[WAL_SEGMENT_HEADER];
    enum seam_status st;

    wal_segment_header_put(header, &w->meta, w->history, number);
    st = seam_file_write(w->file, 0, header, sizeof header, f);
    if (st == SEAM_OK && w->file_size < sizeof header) w->file_size = sizeof header;
    return st == SEAM_OK ? seam_file_sync(w->file, f) : st;
}

enum seam_status wal_recover(struct wal *w, struct wal_recovered *rec, uint32_t *before,
                             struct seam_fault *f)
{
    struct wal_tail t;
    enum seam_status st = wal_tail_find(&t, w->o.io, w->dir, &w->meta,
                                        wal_shared_vouches(w->shared, w->meta.log_id), f);

    if (st == SEAM_OK) st = remove_trimmed(w, &t, f);
    if (st == SEAM_OK && !t.empty) st = check_next(w, &t, f);
    if (st == SEAM_OK) st = cut(w, &t, f);
    if (st == SEAM_OK && t.empty) st = start_segment(w, w->meta.oldest_segment, f);
    if (st != SEAM_OK) goto done;
    if (t.list.count > 0 && t.list.numbers[t.list.count - 1] > w->newest_segment)
        w->newest_segment = t.list.numbers[t.list.count - 1];
    rec->end = t.end;
    *before = t.before;
    rec->torn_bytes = t.beyond_end > t.end ? t.beyond_end - t.end : 0;
    if (rec->torn_bytes > 0) {
        (void)snprintf(rec->torn_file, sizeof rec->torn_file, "%016" PRIx64 ".seg",
                       t.end / w->meta.segment_bytes);
        SEAM_TRACE(w->o.trace, "wal", "torn_tail", SEAM_TI("at", t.end),
                   SEAM_TI("bytes", rec->torn_bytes));
    }
    if (!t.empty && t.floor < t.end)
        SEAM_TRACE(w->o.trace, "wal", "tail_written_again", SEAM_TI("from", t.floor),
                   SEAM_TI("to", t.end));
    atomic_store(&w->appended, t.end);
    atomic_store(&w->whole, t.end);
    atomic_store(&w->written, t.end);
    atomic_store(&w->durable, t.end);
done:
    wal_tail_free(&t);
    return st;
}
