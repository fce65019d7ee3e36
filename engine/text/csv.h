/* csv - RFC 4180 records (and TSV) from a source, surviving what real exports contain.
 *
 * Quoted fields may hold separators, quotes ("") and line breaks; \r\n and \n; a UTF-8 BOM is skipped.
 * A bad record (stray quote, wrong field count when `expect` is set, over-long field, NUL) is reported
 * with its line and reason and the reader goes on at the next line, so a bad row never loses a good one. */
#ifndef SEAM_ENGINE_CSV_H
#define SEAM_ENGINE_CSV_H

#include "engine/io/source.h"

enum { SEAM_CSV_FIELDS_MAX = 1024, SEAM_CSV_RECORD_MAX = 4 << 20 };

struct seam_csv_options {
    char separator; /* ',' or '\t' */
    bool quotes;    /* false for TSV: quotes are ordinary; \t \n \\ escapes are decoded */
    size_t expect;  /* fields per record; 0 = any */
};

struct seam_csv;
struct seam_csv_field {
    const char *data;
    size_t size;
    bool quoted;
};

SEAM_MUST_USE enum seam_status seam_csv_open(struct seam_source *s, struct seam_csv_options o,
                                             struct seam_csv **out); /* s stays the caller's */
/* Next record: fields valid until the next call. SEAM_END at the end; SEAM_INVALID for a bad record
 * (fault: line and reason; calling again goes on after it).                                       */
SEAM_MUST_USE enum seam_status seam_csv_next(struct seam_csv *c,
                                             const struct seam_csv_field **fields, size_t *count,
                                             struct seam_fault *f);
void seam_csv_expect(struct seam_csv *c,
                     size_t fields); /* from the next record on (as a header told); 0 = any */
uint64_t seam_csv_line(const struct seam_csv *c); /* line on which the last record began, from 1 */
void seam_csv_close(struct seam_csv *c);
void seam_csv_write_field(struct seam_buf *out, const char *s, size_t n,
                          char separator); /* quotes when needed */

#endif
