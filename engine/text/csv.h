/* csv - RFC 4180 records (and TSV) from a source, surviving what real exports contain.
 *
 * Quoted fields may hold separators, quotes ("") and line breaks; \r\n and \n; a UTF-8 BOM is skipped.
 * A bad record (stray quote, wrong field count when `expect` is set, over-long field, NUL) is reported
 * with its line and reason and the reader goes on at the next line, so a bad row never loses a good one. */
#ifndef SEAM_ENGINE_CSV_H
#define SEAM_ENGINE_CSV_H

#include "engine/io/source.h"

enum { CSV_FIELDS_MAX = 1024, CSV_RECORD_MAX = 4 << 20 };

struct csv_options {
    char separator;  /* ',' or '\t' */
    bool quotes;     /* false for TSV: quotes are ordinary; \t \n \\ escapes are decoded */
    size_t expect;   /* fields per record; 0 = any */
};

struct csv;
struct csv_field { const char *data; size_t size; bool quoted; };

MUST_USE enum status csv_open(struct source *s, struct csv_options o, struct csv **out); /* s stays the caller's */
/* Next record: fields valid until the next call. ST_END at the end; ST_INVALID for a bad record
 * (fault: line and reason; calling again goes on after it).                                       */
MUST_USE enum status csv_next(struct csv *c, const struct csv_field **fields, size_t *count,
                              struct fault *f);
void csv_expect(struct csv *c, size_t fields); /* from the next record on (as a header told); 0 = any */
uint64_t csv_line(const struct csv *c); /* line on which the last record began, from 1 */
void csv_close(struct csv *c);
void csv_write_field(struct buf *out, const char *s, size_t n, char separator); /* quotes when needed */

#endif
