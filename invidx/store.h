/* store - what a manifest of an index says, and the files of tombstones. Private to the room.
 *
 *   manifest payload (kind "INVX", engine/io/manifest.h around it):
 *     u32 version | u64 next id | u64 purged LSN | u32 segments | u32 tombstone files
 *     segment:          u64 id | u64 file size | u32 documents
 *     tombstone file:   u64 id | u64 file size | u32 crc (its own last four bytes)
 *   purged LSN: no document that died after it has been merged away in this state, so the state can answer
 *   AS OF any LSN from there to its applied LSN.
 *
 *   DIR/NNNNNNNNNNNNNNNN.del, tombstones of one publish (or of all before it, joined):
 *   +---------+---------+--------+  then per group       +--------------+-------+-------------------------+
 *   |SEAMDEL1 | version | groups |                       | segment id   | n     | n x (document, LSN)     |
 *   +---------+---------+--------+                       | u64          | u32   | u32, u64                |
 *   0         8         12       16                      +--------------+-------+-------------------------+
 *   then crc32c u32 of everything before it. A document has one tombstone; groups and documents in any
 *   order. Groups of segments that a later state no longer has are ignored.                           */
#ifndef SEAM_INVIDX_STORE_H
#define SEAM_INVIDX_STORE_H

#include "engine/io/manifest.h"
#include "invidx/segment.h"

enum { STORE_VERSION = 1, DEL_VERSION = 1, DELS_MAX = 64, DEL_FILE_MAX = 1 << 30 };
#define STORE_KIND MANIFEST_KIND('I', 'N', 'V', 'X')

struct store_segment {
    uint64_t id, size;
    uint32_t docs;
};
struct store_dels {
    uint64_t id, size;
    uint32_t crc;
};

struct store_state {
    uint64_t next_id;
    lsn_t purged;
    struct store_segment *segments;
    struct store_dels *dels;
    uint32_t segment_count, del_count;
};

void store_encode(const struct store_state *s, struct buf *out);
/* ST_CORRUPT names the manifest. Free with store_free.                                                */
MUST_USE enum status store_decode(const struct manifest *m, const char *dir,
                                  struct store_state *out, struct fault *f);
void store_free(struct store_state *s);

struct tomb {
    uint32_t doc;
    lsn_t lsn;
};
struct tomb_group {
    uint64_t segment;
    const struct tomb *tombs;
    size_t n;
};

MUST_USE enum status dels_write(struct io *io, const char *dir, uint64_t id,
                                const struct tomb_group *groups, size_t count,
                                struct store_dels *out, struct fault *f);
/* Calls fn for each tombstone; document numbers are checked by fn (false = damage).                   */
MUST_USE enum status dels_read(struct io *io, const char *dir, const struct store_dels *d,
                               bool (*fn)(void *ctx, uint64_t segment, uint32_t doc, lsn_t lsn),
                               void *ctx, struct fault *f);
void dels_path(char out[PATH_MAX_BYTES], const char *dir, uint64_t id);

#endif
