#include "wal/internal.h"

#include <stdlib.h>

enum seam_status wal_window_open(struct wal_window *w, struct seam_io *io, const char *path,
                                 struct seam_fault *f)
{
    wal_window_close(w);
    if (w->data == NULL) {
        w->data = malloc(WINDOW_BYTES);
        if (w->data == NULL)
            return seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                                  "no memory to read the log");
    }
    return seam_file_open(io, path, SEAM_FILE_READ, &w->file, f);
}

void wal_window_close(struct wal_window *w)
{
    seam_file_close(w->file);
    w->file = NULL;
    w->base = 0;
    w->have = 0;
}

void wal_window_free(struct wal_window *w)
{
    wal_window_close(w);
    free(w->data);
    w->data = NULL;
}

enum seam_status wal_window_at(struct wal_window *w, uint64_t at, size_t n, uint64_t limit,
                               const uint8_t **p, struct seam_fault *f)
{
    assert(n <= WINDOW_BYTES);
    *p = NULL;
    if (at + n > limit) return SEAM_OK;
    if (at < w->base || at + n > w->base + w->have) {
        size_t want = limit - at < WINDOW_BYTES ? (size_t)(limit - at) : WINDOW_BYTES;
        size_t got = 0;
        enum seam_status st;

        w->have = 0;
        st = seam_file_read_some(w->file, at, w->data, want, &got, f);
        if (st != SEAM_OK) return st;
        w->base = at;
        w->have = got;
        if (got < n) return SEAM_OK;
    }
    *p = w->data + (at - w->base);
    return SEAM_OK;
}
