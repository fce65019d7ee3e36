#include "wal/internal.h"

#include <stdlib.h>

enum status window_open(struct window *w, struct io *io, const char *path, struct fault *f)
{
    window_close(w);
    if (w->data == NULL) {
        w->data = malloc(WINDOW_BYTES);
        if (w->data == NULL)
            return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to read the log");
    }
    return file_open(io, path, FILE_READ, &w->file, f);
}

void window_close(struct window *w)
{
    file_close(w->file);
    w->file = NULL;
    w->base = 0;
    w->have = 0;
}

void window_free(struct window *w)
{
    window_close(w);
    free(w->data);
    w->data = NULL;
}

enum status window_at(struct window *w, uint64_t at, size_t n, uint64_t limit, const uint8_t **p,
                      struct fault *f)
{
    assert(n <= WINDOW_BYTES);
    *p = NULL;
    if (at + n > limit) return ST_OK;
    if (at < w->base || at + n > w->base + w->have) {
        size_t want = limit - at < WINDOW_BYTES ? (size_t)(limit - at) : WINDOW_BYTES;
        size_t got = 0;
        enum status st;

        w->have = 0;
        st = file_read_some(w->file, at, w->data, want, &got, f);
        if (st != ST_OK) return st;
        w->base = at;
        w->have = got;
        if (got < n) return ST_OK;
    }
    *p = w->data + (at - w->base);
    return ST_OK;
}
