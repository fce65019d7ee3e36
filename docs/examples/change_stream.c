/* change_stream - the stream lifted out: transactions in commit order, for readers who come when they like.
 *
 * Needs pipeline/stream/stream*.c, wal/ and engine/. Usage: change_stream FOLDER.                    */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/stream/stream.h"

static struct wal_bytes bytes(const char *s)
{
    struct wal_bytes b = {(const uint8_t *)s, strlen(s)};

    return b;
}

/* One transaction of two events, committed at `lsn`: readers get both or, until it ends, neither.     */
static enum seam_status ship(struct stream_writer *w, uint64_t txn, seam_lsn_t lsn,
                             const char *const payloads[2], struct seam_fault *f)
{
    struct stream_transaction t = {
        .lsn = lsn, .txn = txn, .total = 2, .wall_us = (int64_t)(1000000 * txn)};
    struct seam_buf event = {0};
    enum seam_status st = stream_begin(w, &t, f);

    for (uint64_t seq = 0; st == SEAM_OK && seq < 2; seq++) {
        struct wal_change_outbox o = {txn, seq, bytes("orders"), bytes("17"), bytes(payloads[seq])};

        seam_buf_clear(&event);
        wal_change_put_outbox(&event, &o);
        st = seam_buf_ok(&event)
                 ? stream_event_put(w, WAL_CHANGE_OUTBOX, event.data, event.size, f)
                 : seam_fault_set(f, SEAM_NOMEM, "event", SEAM_FAULT_NO_OFFSET, "out of memory");
    }
    seam_buf_free(&event);
    return st == SEAM_OK ? stream_end(w, f) : st;
}

/* Any process, from any place: an offset, an LSN, a time.                                            */
static enum seam_status follow(const char *dir, enum stream_from from, int64_t number,
                               struct seam_fault *f)
{
    struct stream_reader *r = NULL;
    struct stream_event e;
    enum seam_status st = stream_reader_open(seam_io_posix(), dir, from, number, &r, f);

    while (st == SEAM_OK && (st = stream_reader_next(r, &e, f)) == SEAM_OK) {
        if (e.kind == STREAM_OUTBOX)
            printf("  offset %" PRIu64 " LSN %" PRIu64 " %.*s\n", e.offset, e.lsn,
                   (int)e.outbox.payload.size, (const char *)e.outbox.payload.data);
        if (e.kind == STREAM_COMMIT) printf("  -- commit %" PRIu64 "\n", e.lsn);
    }
    stream_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

int main(int argc, char **argv)
{
    static const char *const first[] = {"placed", "paid"}, *const second[] = {"packed", "sent"};
    struct stream_writer_options o = {.segment_bytes = WAL_SEGMENT_MIN};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    struct seam_fault f = {0};
    char text[1024];
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: change_stream FOLDER\n"), 2;
    st = stream_writer_open(seam_io_posix(), argv[1], &o, &w, &tail, &f);
    if (st == SEAM_OK) st = ship(w, 1, 100, first, &f);
    if (st == SEAM_OK) st = ship(w, 2, 200, second, &f);
    if (st == SEAM_OK) st = stream_flush(w, &f); /* written: readers see it */
    if (st == SEAM_OK) printf("from the start:\n");
    if (st == SEAM_OK) st = follow(argv[1], STREAM_FROM_START, 0, &f);
    if (st == SEAM_OK) printf("after LSN 100:\n");
    if (st == SEAM_OK) st = follow(argv[1], STREAM_FROM_LSN, 100, &f);
    if (stream_writer_close(w, &f) != SEAM_OK && st == SEAM_OK) st = f.status;
    if (st != SEAM_OK)
        fprintf(stderr, "change_stream: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
