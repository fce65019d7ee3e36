/* source - one pass over bytes, gunzipped where they need it, by block or by line. */
#include "engine/io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/io/inflate.h"

enum { CHUNK = 256 << 10 };

struct seam_source {
    char *path;
    struct seam_file *file; /* a regular file, or NULL                              */
    int fd;                 /* a pipe, terminal or standard input, or -1            */
    bool close_fd;
    const uint8_t *memory; /* the caller's bytes, when neither                     */
    size_t memory_size;
    uint64_t raw_read;  /* bytes taken from the file so far                     */
    uint64_t raw_total; /* its size; 0 = unknown                                */
    uint8_t head[2];    /* the first bytes, looked at to recognise gzip         */
    size_t head_size, head_given;
    struct seam_inflate *inflate;

    struct seam_buf lines; /* bytes read ahead for seam_source_line                     */
    size_t line_start;     /* of the next line within it                           */
    size_t searched;       /* bytes after line_start known to have no line break   */
    uint64_t line_number;
    bool ended;
    bool skip_rest; /* the last line was too long: drop up to its end       */
};

/* ---- raw bytes ---- */

/* Pipes have no offsets, so they are the one thing not read through engine/io.                   */
static enum seam_status read_fd(struct seam_source *s, void *p, size_t n, size_t *got,
                                struct seam_fault *f)
{
    for (;;) {
        ssize_t r = read(s->fd, p, n);

        if (r >= 0) {
            *got = (size_t)r;
            return SEAM_OK;
        }
        if (errno != EINTR)
            return seam_fault_set_os(f, SEAM_IO, s->path, s->raw_read, errno, "cannot read");
    }
}

static enum seam_status read_raw(struct seam_source *s, void *p, size_t n, size_t *got,
                                 struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;

    *got = 0;
    if (s->head_given < s->head_size) {
        *got = s->head_size - s->head_given < n ? s->head_size - s->head_given : n;
        memcpy(p, s->head + s->head_given, *got);
        s->head_given += *got;
        return SEAM_OK;
    }
    if (s->fd >= 0) {
        st = read_fd(s, p, n, got, f);
    } else if (s->file != NULL) {
        st = seam_file_read_some(s->file, s->raw_read, p, n, got, f);
    } else {
        *got = s->memory_size - s->raw_read < n ? (size_t)(s->memory_size - s->raw_read) : n;
        if (*got > 0) memcpy(p, s->memory + s->raw_read, *got);
    }
    if (st == SEAM_OK) s->raw_read += *got;
    return st;
}

static enum seam_status fill_inflate(void *ctx, void *p, size_t n, size_t *got,
                                     struct seam_fault *f)
{
    return read_raw(ctx, p, n, got, f);
}

/* Looks at the first two bytes; a gzip file goes through the decoder from here on.               */
static enum seam_status recognise(struct seam_source *s, struct seam_fault *f)
{
    struct seam_inflate_input input = {.fill = fill_inflate, .ctx = s, .where = s->path};

    while (s->head_size < sizeof s->head) {
        size_t got = 0;
        size_t have = s->head_size;
        enum seam_status st;

        s->head_given = have; /* none of the head may be handed out while it is being read */
        st = read_raw(s, s->head + have, sizeof s->head - have, &got, f);
        s->head_given = 0;
        if (st != SEAM_OK) return st;
        if (got == 0) break;
        s->head_size += got;
    }
    if (s->head_size < 2 || s->head[0] != 0x1f || s->head[1] != 0x8b) return SEAM_OK;
    if (seam_inflate_open(input, &s->inflate) != SEAM_OK)
        return seam_fault_set(f, SEAM_NOMEM, s->path, 0, "no memory to decompress");
    return SEAM_OK;
}

/* ---- opening ---- */

static struct seam_source *new_source(const char *path)
{
    struct seam_source *s = calloc(1, sizeof *s);

    if (s == NULL) return NULL;
    s->fd = -1;
    s->path = strdup(path);
    if (s->path == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

/* A named pipe or a device of the real file system (as in `seam import ... <(zcat x)`).          */
static bool is_stream(struct seam_io *io, const char *path)
{
    struct stat info;

    return io == seam_io_posix() && stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}

static enum seam_status open_bytes(struct seam_source *s, struct seam_io *io, const char *path,
                                   struct seam_fault *f)
{
    enum seam_status st;

    if (strcmp(path, "-") == 0) {
        s->fd = STDIN_FILENO;
        return SEAM_OK;
    }
    if (is_stream(io, path)) {
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (s->fd < 0)
            return seam_fault_set_os(f, SEAM_IO, path, SEAM_FAULT_NO_OFFSET, errno, "cannot open");
        s->close_fd = true;
        return SEAM_OK;
    }
    st = seam_file_open(io, path, SEAM_FILE_READ, &s->file, f);
    return st == SEAM_OK ? seam_file_size(s->file, &s->raw_total, f) : st;
}

enum seam_status seam_source_open(struct seam_io *io, const char *path, struct seam_source **out,
                                  struct seam_fault *f)
{
    struct seam_source *s = new_source(strcmp(path, "-") == 0 ? "standard input" : path);
    enum seam_status st;

    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET, "no memory to open it");
    st = open_bytes(s, io, path, f);
    if (st == SEAM_OK) st = recognise(s, f);
    if (st == SEAM_OK) {
        *out = s;
        s = NULL;
    }
    seam_source_close(s);
    return st;
}

enum seam_status seam_source_from_memory(const void *p, size_t n, struct seam_source **out)
{
    struct seam_source *s = new_source("memory");
    enum seam_status st;

    if (s == NULL) return SEAM_NOMEM;
    s->memory = p;
    s->memory_size = n;
    s->raw_total = n;
    st = recognise(s, NULL);
    if (st == SEAM_OK) {
        *out = s;
        s = NULL;
    }
    seam_source_close(s);
    return st;
}

void seam_source_close(struct seam_source *s)
{
    if (s == NULL) return;
    seam_inflate_close(s->inflate);
    seam_file_close(s->file);
    if (s->close_fd) close(s->fd);
    seam_buf_free(&s->lines);
    free(s->path);
    free(s);
}

/* ---- reading ---- */

enum seam_status seam_source_read(struct seam_source *s, void *p, size_t n, size_t *got,
                                  struct seam_fault *f)
{
    if (n == 0) {
        *got = 0;
        return SEAM_OK;
    }
    return s->inflate != NULL ? seam_inflate_read(s->inflate, p, n, got, f)
                              : read_raw(s, p, n, got, f);
}

static enum seam_status read_more_lines(struct seam_source *s, struct seam_fault *f)
{
    size_t got = 0;
    void *p;
    enum seam_status st;

    if (s->line_start > 0) {
        memmove(s->lines.data, s->lines.data + s->line_start, s->lines.size - s->line_start);
        s->lines.size -= s->line_start;
        s->line_start = 0;
    }
    if (!seam_buf_reserve(&s->lines, CHUNK)) return seam_no_memory(f, "a line");
    p = s->lines.data + s->lines.size;
    st = seam_source_read(s, p, CHUNK, &got, f);
    if (st != SEAM_OK) return st;
    s->lines.size += got;
    s->ended = got == 0;
    return SEAM_OK;
}

/* Where the line that starts at line_start ends; SIZE_MAX when that is not in memory yet.        */
static size_t find_line_end(struct seam_source *s)
{
    const uint8_t *start = s->lines.data + s->line_start;
    size_t have = s->lines.size - s->line_start;
    const uint8_t *end =
        have > s->searched ? memchr(start + s->searched, '\n', have - s->searched) : NULL;

    s->searched = have;
    return end != NULL ? (size_t)(end - start) : SIZE_MAX;
}

enum seam_status seam_source_line(struct seam_source *s, size_t max, const char **line, size_t *n,
                                  struct seam_fault *f)
{
    for (;;) {
        size_t have = s->lines.size - s->line_start;
        size_t end = have > 0 ? find_line_end(s) : SIZE_MAX;
        size_t size = end;
        bool skipped = s->skip_rest;
        enum seam_status st;

        if (end == SIZE_MAX && !s->ended) {
            if (s->skip_rest)
                s->line_start = s->lines.size;
            else if (have > max + 1)
                goto too_long;
            if (s->skip_rest) s->searched = 0;
            st = read_more_lines(s, f);
            if (st != SEAM_OK) return st;
            continue;
        }
        if (end == SIZE_MAX) {
            if (have == 0) return SEAM_END;
            size = have;
        }
        if (skipped) { /* the end of a line that was reported */
            s->skip_rest = false;
            s->line_start += size + (end != SIZE_MAX);
            s->searched = 0;
            continue;
        }
        *line = (const char *)s->lines.data + s->line_start;
        *n = size > 0 && (*line)[size - 1] == '\r' && end != SIZE_MAX ? size - 1 : size;
        if (*n > max) goto too_long;
        s->line_start += size + (end != SIZE_MAX);
        s->searched = 0;
        s->line_number++;
        return SEAM_OK;
    }
too_long:
    s->skip_rest = true;
    s->line_number++;
    s->searched = 0;
    return seam_fault_set(f, SEAM_LIMIT, s->path, s->line_number,
                          "line %llu is longer than %zu bytes", (unsigned long long)s->line_number,
                          max);
}

uint64_t seam_source_line_number(const struct seam_source *s)
{
    return s->line_number;
}
uint64_t seam_source_bytes_read(const struct seam_source *s)
{
    return s->raw_read;
}
uint64_t seam_source_bytes_total(const struct seam_source *s)
{
    return s->raw_total;
}

enum seam_status seam_source_read_all(struct seam_io *io, const char *path, size_t max,
                                      struct seam_buf *out, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    size_t start = out->size;
    enum seam_status st = seam_source_open(io, path, &s, f);

    while (st == SEAM_OK) {
        size_t got = 0;

        if (!seam_buf_reserve(out, CHUNK)) {
            st = seam_no_memory(f, "the file");
            break;
        }
        st = seam_source_read(s, out->data + out->size, CHUNK, &got, f);
        if (st != SEAM_OK || got == 0) break;
        out->size += got;
        if (out->size - start > max)
            st = seam_fault_set(f, SEAM_LIMIT, path, max, "the file is larger than %zu bytes", max);
    }
    seam_source_close(s);
    return st;
}
