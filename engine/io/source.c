#include "engine/io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/io/inflate.h"

enum { CHUNK = 256 << 10 };

struct source {
    char *path;
    struct file *file; /* a regular file, or NULL                              */
    int fd;            /* a pipe, terminal or standard input, or -1            */
    bool close_fd;
    const uint8_t *memory; /* the caller's bytes, when neither                     */
    size_t memory_size;
    uint64_t raw_read;  /* bytes taken from the file so far                     */
    uint64_t raw_total; /* its size; 0 = unknown                                */
    uint8_t head[2];    /* the first bytes, looked at to recognise gzip         */
    size_t head_size, head_given;
    struct inflate *inflate;

    struct buf lines;  /* bytes read ahead for source_line                     */
    size_t line_start; /* of the next line within it                           */
    size_t searched;   /* bytes after line_start known to have no line break   */
    uint64_t line_number;
    bool ended;
    bool skip_rest; /* the last line was too long: drop up to its end       */
};

/* ---- raw bytes ---- */

/* Pipes have no offsets, so they are the one thing not read through engine/io.                   */
static enum status read_fd(struct source *s, void *p, size_t n, size_t *got, struct fault *f)
{
    for (;;) {
        ssize_t r = read(s->fd, p, n);

        if (r >= 0) {
            *got = (size_t)r;
            return ST_OK;
        }
        if (errno != EINTR)
            return fault_set_os(f, ST_IO, s->path, s->raw_read, errno, "cannot read");
    }
}

static enum status read_raw(struct source *s, void *p, size_t n, size_t *got, struct fault *f)
{
    enum status st = ST_OK;

    *got = 0;
    if (s->head_given < s->head_size) {
        *got = s->head_size - s->head_given < n ? s->head_size - s->head_given : n;
        memcpy(p, s->head + s->head_given, *got);
        s->head_given += *got;
        return ST_OK;
    }
    if (s->fd >= 0) {
        st = read_fd(s, p, n, got, f);
    } else if (s->file != NULL) {
        st = file_read_some(s->file, s->raw_read, p, n, got, f);
    } else {
        *got = s->memory_size - s->raw_read < n ? (size_t)(s->memory_size - s->raw_read) : n;
        if (*got > 0) memcpy(p, s->memory + s->raw_read, *got);
    }
    if (st == ST_OK) s->raw_read += *got;
    return st;
}

static enum status fill_inflate(void *ctx, void *p, size_t n, size_t *got, struct fault *f)
{
    return read_raw(ctx, p, n, got, f);
}

/* Looks at the first two bytes; a gzip file goes through the decoder from here on.               */
static enum status recognise(struct source *s, struct fault *f)
{
    struct inflate_input input = {.fill = fill_inflate, .ctx = s, .where = s->path};

    while (s->head_size < sizeof s->head) {
        size_t got = 0;
        size_t have = s->head_size;
        enum status st;

        s->head_given = have; /* none of the head may be handed out while it is being read */
        st = read_raw(s, s->head + have, sizeof s->head - have, &got, f);
        s->head_given = 0;
        if (st != ST_OK) return st;
        if (got == 0) break;
        s->head_size += got;
    }
    if (s->head_size < 2 || s->head[0] != 0x1f || s->head[1] != 0x8b) return ST_OK;
    if (inflate_open(input, &s->inflate) != ST_OK)
        return fault_set(f, ST_NOMEM, s->path, 0, "no memory to decompress");
    return ST_OK;
}

/* ---- opening ---- */

static struct source *new_source(const char *path)
{
    struct source *s = calloc(1, sizeof *s);

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
static bool is_stream(struct io *io, const char *path)
{
    struct stat info;

    return io == io_posix() && stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}

static enum status open_bytes(struct source *s, struct io *io, const char *path, struct fault *f)
{
    enum status st;

    if (strcmp(path, "-") == 0) {
        s->fd = STDIN_FILENO;
        return ST_OK;
    }
    if (is_stream(io, path)) {
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (s->fd < 0) return fault_set_os(f, ST_IO, path, FAULT_NO_OFFSET, errno, "cannot open");
        s->close_fd = true;
        return ST_OK;
    }
    st = file_open(io, path, FILE_READ, &s->file, f);
    return st == ST_OK ? file_size(s->file, &s->raw_total, f) : st;
}

enum status source_open(struct io *io, const char *path, struct source **out, struct fault *f)
{
    struct source *s = new_source(strcmp(path, "-") == 0 ? "standard input" : path);
    enum status st;

    if (s == NULL) return fault_set(f, ST_NOMEM, path, FAULT_NO_OFFSET, "no memory to open it");
    st = open_bytes(s, io, path, f);
    if (st == ST_OK) st = recognise(s, f);
    if (st == ST_OK) {
        *out = s;
        s = NULL;
    }
    source_close(s);
    return st;
}

enum status source_from_memory(const void *p, size_t n, struct source **out)
{
    struct source *s = new_source("memory");
    enum status st;

    if (s == NULL) return ST_NOMEM;
    s->memory = p;
    s->memory_size = n;
    s->raw_total = n;
    st = recognise(s, NULL);
    if (st == ST_OK) {
        *out = s;
        s = NULL;
    }
    source_close(s);
    return st;
}

void source_close(struct source *s)
{
    if (s == NULL) return;
    inflate_close(s->inflate);
    file_close(s->file);
    if (s->close_fd) close(s->fd);
    buf_free(&s->lines);
    free(s->path);
    free(s);
}

/* ---- reading ---- */

enum status source_read(struct source *s, void *p, size_t n, size_t *got, struct fault *f)
{
    if (n == 0) {
        *got = 0;
        return ST_OK;
    }
    return s->inflate != NULL ? inflate_read(s->inflate, p, n, got, f) : read_raw(s, p, n, got, f);
}

static enum status read_more_lines(struct source *s, struct fault *f)
{
    size_t got = 0;
    void *p;
    enum status st;

    if (s->line_start > 0) {
        memmove(s->lines.data, s->lines.data + s->line_start, s->lines.size - s->line_start);
        s->lines.size -= s->line_start;
        s->line_start = 0;
    }
    if (!buf_reserve(&s->lines, CHUNK))
        return fault_set(f, ST_NOMEM, s->path, s->line_number, "no memory for a line");
    p = s->lines.data + s->lines.size;
    st = source_read(s, p, CHUNK, &got, f);
    if (st != ST_OK) return st;
    s->lines.size += got;
    s->ended = got == 0;
    return ST_OK;
}

/* Where the line that starts at line_start ends; SIZE_MAX when that is not in memory yet.        */
static size_t find_line_end(struct source *s)
{
    const uint8_t *start = s->lines.data + s->line_start;
    size_t have = s->lines.size - s->line_start;
    const uint8_t *end =
        have > s->searched ? memchr(start + s->searched, '\n', have - s->searched) : NULL;

    s->searched = have;
    return end != NULL ? (size_t)(end - start) : SIZE_MAX;
}

enum status source_line(struct source *s, size_t max, const char **line, size_t *n, struct fault *f)
{
    for (;;) {
        size_t have = s->lines.size - s->line_start;
        size_t end = have > 0 ? find_line_end(s) : SIZE_MAX;
        size_t size = end;
        bool skipped = s->skip_rest;
        enum status st;

        if (end == SIZE_MAX && !s->ended) {
            if (s->skip_rest)
                s->line_start = s->lines.size;
            else if (have > max + 1)
                goto too_long;
            if (s->skip_rest) s->searched = 0;
            st = read_more_lines(s, f);
            if (st != ST_OK) return st;
            continue;
        }
        if (end == SIZE_MAX) {
            if (have == 0) return ST_END;
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
        return ST_OK;
    }
too_long:
    s->skip_rest = true;
    s->line_number++;
    s->searched = 0;
    return fault_set(f, ST_LIMIT, s->path, s->line_number, "line %llu is longer than %zu bytes",
                     (unsigned long long)s->line_number, max);
}

uint64_t source_line_number(const struct source *s)
{
    return s->line_number;
}
uint64_t source_bytes_read(const struct source *s)
{
    return s->raw_read;
}
uint64_t source_bytes_total(const struct source *s)
{
    return s->raw_total;
}

enum status source_read_all(struct io *io, const char *path, size_t max, struct buf *out,
                            struct fault *f)
{
    struct source *s = NULL;
    size_t start = out->size;
    enum status st = source_open(io, path, &s, f);

    while (st == ST_OK) {
        size_t got = 0;

        if (!buf_reserve(out, CHUNK)) {
            st = fault_set(f, ST_NOMEM, path, out->size, "no memory for the file");
            break;
        }
        st = source_read(s, out->data + out->size, CHUNK, &got, f);
        if (st != ST_OK || got == 0) break;
        out->size += got;
        if (out->size - start > max)
            st = fault_set(f, ST_LIMIT, path, max, "the file is larger than %zu bytes", max);
    }
    source_close(s);
    return st;
}
