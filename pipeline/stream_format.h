/* stream_format - the stream's records as bytes (pipeline/stream.h has the picture), and its index.   */
#ifndef SEAM_PIPELINE_STREAM_FORMAT_H
#define SEAM_PIPELINE_STREAM_FORMAT_H

#include "pipeline/stream.h"

enum chunk_flags { CHUNK_FIRST = 1, CHUNK_LAST = 2, CHUNK_SNAPSHOT = 4, CHUNK_REPAIR = 8, CHUNK_FLAGS = 15 };

struct chunk {
    uint64_t offset, count, txn, total, seq;
    lsn_t lsn;
    int64_t wall_us;
    uint8_t flags;
    const uint8_t *events, *end; /* decoded: the events' bytes */
};
void chunk_put(struct buf *out, const struct chunk *c); /* all but the events */
/* ST_CORRUPT when the bytes are no chunk. `dir` names the stream in the fault.                     */
MUST_USE enum status chunk_get(const struct wal_record *rec, const char *dir, struct chunk *out, struct fault *f);

struct beat { uint64_t offset; lsn_t lsn; int64_t wall_us; };
void beat_put(struct buf *out, const struct beat *b);
MUST_USE enum status beat_get(const struct wal_record *rec, const char *dir, struct beat *out, struct fault *f);

/* DIR/index: 48-byte entries in order of position, each for a record that begins a transaction or is a heartbeat.
 *
 *   0          8        16      24         32        40     44
 *   +----------+--------+-------+----------+---------+------+------+
 *   | position | offset | lsn   | lsn      | wall_us | crc  | zero |     position: where the record begins
 *   |          |        |       | before   |         |      |      |     lsn before: complete before it
 *   +----------+--------+-------+----------+---------+------+------+     crc32c of the first 40 bytes
 *
 * Not synced. A reader takes entries as long as they are whole, ascending and below the stream's end. */
struct index_entry { lsn_t position; uint64_t offset; lsn_t lsn, lsn_before; int64_t wall_us; };
enum { INDEX_ENTRY_SIZE = 48, INDEX_FILE_MAX = 64 << 20 };
void index_entry_put(uint8_t out[INDEX_ENTRY_SIZE], const struct index_entry *e);
/* *out is freed by the caller. A missing file is no entries.                                        */
MUST_USE enum status index_load(struct io *io, const char *dir, lsn_t oldest, lsn_t end,
                                struct index_entry **out, size_t *count, struct fault *f);

/* Reads records from the last index entry on to the end: the tail, and where it is.                 */
struct tail_scan { struct stream_tail tail; int64_t wall_us; lsn_t end; };
MUST_USE enum status stream_scan_tail(struct io *io, const char *dir, struct tail_scan *out, struct fault *f);

#endif
