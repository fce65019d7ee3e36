/* source - bytes from a file, a pipe or memory, plain or gzip, in one forward pass.
 *
 * gzip (RFC 1951/1952) is recognised by its magic and inflated by our own decoder (engine/io/inflate.c),
 * checked by its CRC-32 and length. "-" is standard input.                                       */
#ifndef SEAM_ENGINE_SOURCE_H
#define SEAM_ENGINE_SOURCE_H

#include "engine/io/io.h"

struct source;

MUST_USE enum status source_open(struct io *io, const char *path, struct source **out, struct fault *f);
MUST_USE enum status source_from_memory(const void *p, size_t n, struct source **out);
/* Up to n bytes; *got == 0 only at the end.                                                       */
MUST_USE enum status source_read(struct source *s, void *p, size_t n, size_t *got, struct fault *f);
/* One line without its ending (\n or \r\n), valid until the next call; ST_END at the end; a line over
 * max bytes is ST_LIMIT and is skipped by the next call.                                          */
MUST_USE enum status source_line(struct source *s, size_t max, const char **line, size_t *n,
                                 struct fault *f);
uint64_t source_line_number(const struct source *s);     /* of the last line, from 1 */
uint64_t source_bytes_read(const struct source *s);      /* of the file, compressed: for progress */
uint64_t source_bytes_total(const struct source *s);     /* 0 when unknown */
void source_close(struct source *s);
/* The whole (inflated) file.                                                                      */
MUST_USE enum status source_read_all(struct io *io, const char *path, size_t max, struct buf *out,
                                     struct fault *f);

#endif
