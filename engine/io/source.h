/* source - bytes from a file, a pipe or memory, plain or gzip, in one forward pass.
 *
 * gzip (RFC 1951/1952) is recognised by its magic and inflated by our own decoder (engine/io/inflate.c),
 * checked by its CRC-32 and length. "-" is standard input.                                       */
#ifndef SEAM_ENGINE_SOURCE_H
#define SEAM_ENGINE_SOURCE_H

#include "engine/io/io.h"

struct seam_source;

SEAM_MUST_USE enum seam_status seam_source_open(struct seam_io *io, const char *path,
                                                struct seam_source **out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status seam_source_from_memory(const void *p, size_t n,
                                                       struct seam_source **out);
/* Up to n bytes; *got == 0 only at the end.                                                       */
SEAM_MUST_USE enum seam_status seam_source_read(struct seam_source *s, void *p, size_t n,
                                                size_t *got, struct seam_fault *f);
/* One line without its ending (\n or \r\n), valid until the next call; SEAM_END at the end; a line over
 * max bytes is SEAM_LIMIT and is skipped by the next call.                                          */
SEAM_MUST_USE enum seam_status seam_source_line(struct seam_source *s, size_t max,
                                                const char **line, size_t *n, struct seam_fault *f);
uint64_t seam_source_line_number(const struct seam_source *s); /* of the last line, from 1 */
uint64_t
seam_source_bytes_read(const struct seam_source *s); /* of the file, compressed: for progress */
uint64_t seam_source_bytes_total(const struct seam_source *s); /* 0 when unknown */
void seam_source_close(struct seam_source *s);
/* The whole (inflated) file.                                                                      */
SEAM_MUST_USE enum seam_status seam_source_read_all(struct seam_io *io, const char *path,
                                                    size_t max, struct seam_buf *out,
                                                    struct seam_fault *f);

#endif
