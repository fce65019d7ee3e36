/* record - the bytes of the log. Private to wal/. Integers are little-endian.
 *
 * Segment file NNNNNNNNNNNNNNNN.seg (segment number in hex), segment_bytes long once it is closed:
 *
 *   0        64                                                        segment_bytes
 *   +--------+----------+----------+-- ... --+----------+--------------+
 *   | header | record   | record   |         | record   | zeros (< 24) |
 *   +--------+----------+----------+-- ... --+----------+--------------+
 *
 * Segment header: a file head (engine/io/filehead.h), magic "SEAMWAL1", version 2
 *   file id   the log's, as in log.meta
 *   history   the opening that began the segment (DIR/histories)
 *   lsn       number * segment_bytes; another number than the file name's: a recycled file not yet used again
 *   extra     log2 of segment_bytes, as in log.meta
 *
 * Record (a whole one, or a fragment of one); always begins and ends at a multiple of 8
 *
 *   0       4       8       12     13      14      16           16+len
 *   +-------+-------+-------+------+-------+-------+------------+----------+
 *   | crc   | len   | back  | type | flags | check | payload    | 0..7 x 0 |
 *   +-------+-------+-------+------+-------+-------+------------+----------+
 *           |<---------------- covered by crc ------------------------------>|
 *
 *   off size field  a reader demands
 *   0   4    crc    crc32c of bytes [4, end), continued from a seed made of the record's own LSN
 *                   and the log id: a stale record of a recycled segment or a misplaced write fails
 *   4   4    len    payload bytes; header + payload lie inside the segment and len <= 256 KiB
 *   8   4    back   (LSN - what was durable when this was appended) / 8; WAL_RECORD_BACK_NONE: farther.
 *                   A valid record vouches that everything before LSN - 8*back had been synced
 *   12  1    type   1..255; equal in all fragments of a record
 *   13  1    flags  1 = first fragment, 2 = last fragment; a whole record has both
 *   14  2    check  a hash of LSN, log id and the fields above it: a header can be disbelieved
 *                   without reading its payload, so scanning damaged or stale bytes stays linear
 *
 * When fewer than WAL_RECORD_TAIL_MIN bytes remain in a segment they are zeros, and the next record
 * begins after the next segment's header.
 *
 * log.meta (written atomically at creation, by each trim, and by a clean close)
 *   0  file head, magic "SEAMLOGM", version 2: file id the log's, lsn the start of the oldest segment kept,
 *      extra log2 of segment_bytes, history the opening that closed cleanly (0: none has)
 *   64 8 durable  everything before it had been synced      72 4 zeros      76 4 crc of [64,76)
 * When the history is the newest of DIR/histories the log was closed cleanly and ends at `durable`. */
#ifndef SEAM_WAL_RECORD_H
#define SEAM_WAL_RECORD_H

#include <assert.h>

#include "engine/base/bytes.h"
#include "engine/base/crc32c.h"
#include "engine/base/lsn.h"

enum {
    WAL_SEGMENT_HEADER = 64,
    WAL_RECORD_CRC = 0,
    WAL_RECORD_LEN = 4,
    WAL_RECORD_BACK = 8,
    WAL_RECORD_TYPE = 12,
    WAL_RECORD_FLAGS = 13,
    WAL_RECORD_CHECK = 14,
    WAL_RECORD_HEADER = 16,
    WAL_RECORD_TAIL_MIN = 24, /* a header and 8 bytes: less than this is padding */
    WAL_RECORD_FIRST = 1,
    WAL_RECORD_LAST = 2,
    WAL_META_DURABLE = 64,
    WAL_META_CRC = 76,
    WAL_META_SIZE = 80,
};
static_assert(WAL_RECORD_CHECK + 2 == WAL_RECORD_HEADER, "record header has no gap");
static_assert(WAL_RECORD_TAIL_MIN == WAL_RECORD_HEADER + 8,
              "a first fragment carries at least 8 bytes");

#define WAL_RECORD_BACK_NONE UINT32_MAX

static inline uint64_t wal_round8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

/* What is mixed into every checksum of a log: its id, spread. */
static inline uint64_t wal_record_salt(uint64_t log_id)
{
    uint64_t x = log_id + 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static inline uint32_t wal_record_seed(seam_lsn_t lsn, uint64_t salt)
{
    return (uint32_t)lsn ^ (uint32_t)(lsn >> 32) ^ (uint32_t)salt;
}

static inline uint16_t wal_record_check(const uint8_t *head, seam_lsn_t lsn, uint64_t salt)
{
    uint64_t x = lsn ^ salt;

    x = (x ^ (seam_get_u64(head + WAL_RECORD_LEN))) * 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x = (x ^ seam_get_u16(head + WAL_RECORD_TYPE)) * 0xd6e8feb86659fd93ull;
    return (uint16_t)(x >> 48);
}

/* Does a believable header stand here? `left` = bytes to the end of the segment. */
static inline int wal_record_head_ok(const uint8_t *head, seam_lsn_t lsn, uint64_t salt,
                                     uint64_t left)
{
    return head[WAL_RECORD_TYPE] != 0 &&
           seam_get_u16(head + WAL_RECORD_CHECK) == wal_record_check(head, lsn, salt) &&
           head[WAL_RECORD_FLAGS] <= (WAL_RECORD_FIRST | WAL_RECORD_LAST) &&
           WAL_RECORD_HEADER + wal_round8(seam_get_u32(head + WAL_RECORD_LEN)) <= left;
}

static inline uint64_t wal_record_size(const uint8_t *head)
{
    return WAL_RECORD_HEADER + wal_round8(seam_get_u32(head + WAL_RECORD_LEN));
}

static inline uint32_t wal_record_crc(const uint8_t *record, seam_lsn_t lsn, uint64_t salt)
{
    return seam_crc32c(wal_record_seed(lsn, salt), record + WAL_RECORD_LEN,
                       wal_record_size(record) - WAL_RECORD_LEN);
}

/* Everything before the returned LSN had been synced when this (valid) record was appended. */
static inline seam_lsn_t wal_record_vouches(const uint8_t *head, seam_lsn_t lsn)
{
    uint32_t back = seam_get_u32(head + WAL_RECORD_BACK);

    return back == WAL_RECORD_BACK_NONE || (uint64_t)back * 8 > lsn ? SEAM_LSN_NONE
                                                                    : lsn - (uint64_t)back * 8;
}

/* Where the next record stands when the last one ended at `lsn`. */
static inline seam_lsn_t wal_record_place(seam_lsn_t lsn, uint64_t segment_bytes)
{
    uint64_t at = lsn & (segment_bytes - 1);

    if (at == 0) return lsn + WAL_SEGMENT_HEADER;
    if (segment_bytes - at < WAL_RECORD_TAIL_MIN)
        return lsn - at + segment_bytes + WAL_SEGMENT_HEADER;
    return lsn;
}

#endif
