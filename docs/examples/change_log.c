/* change_log - the log lifted out: append, share one sync, read it back, read it from the middle.
 *
 * Needs wal/ and engine/. Usage: change_log FOLDER.                                                 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wal/wal.h"

enum { NOTE = 1 }; /* record types are the caller's: 1..255 */

static enum seam_status append(struct wal *w, const char *text, seam_lsn_t *end,
                               struct seam_fault *f)
{
    const struct seam_io_slice parts[] = {{text, strlen(text)}};
    struct wal_span at;
    enum seam_status st =
        wal_append(w, NOTE, parts, 1, &at, f); /* into memory: nothing is durable yet */

    *end = at.end;
    return st;
}

/* Any process may read, while the writer writes; it is shown what is durable and never more.         */
static enum seam_status read_from(const char *dir, seam_lsn_t from, struct seam_fault *f)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;
    enum seam_status st = wal_reader_open(seam_io_posix(), dir, from, 0, &r, f);

    while (st == SEAM_OK && (st = wal_reader_next(r, &rec, f)) == SEAM_OK)
        printf("  [%" PRIu64 ", %" PRIu64 ") %.*s\n", rec.start, rec.end, (int)rec.size,
               (const char *)rec.data);
    wal_reader_close(r);
    return st == SEAM_END ? SEAM_OK : st;
}

int main(int argc, char **argv)
{
    struct wal_options o = {.segment_bytes = WAL_SEGMENT_MIN};
    struct wal_recovered rec;
    struct seam_fault f = {0};
    struct wal *w = NULL;
    seam_lsn_t first = 0, second = 0, third = 0;
    char text[1024];
    enum seam_status st;

    if (argc != 2) return fprintf(stderr, "usage: change_log FOLDER\n"), 2;
    st = wal_open(argv[1], &o, &w, &rec, &f);
    if (st == SEAM_OK) st = append(w, "the kettle is on", &first, &f);
    if (st == SEAM_OK) st = append(w, "the kettle boils", &second, &f);
    /* One sync for both. Threads that commit at once share one too: that is the group commit.        */
    if (st == SEAM_OK) st = wal_commit(w, second, WAL_DURABLE, &f);
    if (st == SEAM_OK) st = append(w, "not yet synced, not yet shown", &third, &f);
    if (st == SEAM_OK)
        printf("durable %s the second record, %s the third\n",
               wal_durable_lsn(w) >= second ? "past" : "before",
               wal_durable_lsn(w) >= third ? "past" : "before");
    if (st == SEAM_OK) printf("all that is durable:\n");
    if (st == SEAM_OK) st = read_from(argv[1], SEAM_LSN_NONE, &f);
    if (st == SEAM_OK) printf("after the first, by its LSN:\n");
    if (st == SEAM_OK) st = read_from(argv[1], first, &f);

    /* Closing flushes. Opening again finds the end by the checksums.                                 */
    if (st == SEAM_OK)
        st = wal_close(w, &f);
    else
        wal_close(w, NULL);
    w = NULL;
    if (st == SEAM_OK) st = wal_open(argv[1], &o, &w, &rec, &f);
    if (st == SEAM_OK)
        printf("reopened: %s, torn bytes %" PRIu64 "\n", rec.created ? "new" : "the same log",
               rec.torn_bytes);
    if (st == SEAM_OK) st = read_from(argv[1], second, &f);
    if (st == SEAM_OK)
        st = wal_close(w, &f);
    else
        wal_close(w, NULL);
    if (st != SEAM_OK) fprintf(stderr, "change_log: %s\n", seam_fault_text(&f, text, sizeof text));
    return seam_status_exit_code(st);
}
