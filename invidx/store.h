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
 *   +--------------------+  then per group       +--------------+-------+-------------------------+
 *   | head (SEAMDEL1, 2) |                       | segment id   | n     | n x (document, LSN)     |
 *   +--------------------+                       | u64          | u32   | u32, u64                |
 *   0                    64                      +--------------+-------+-------------------------+
 *   head: file id as in the name, extra: groups; then crc32c u32 of everything before it. A document has one tombstone; groups and documents in any
 *   order. Groups of segments that a later state no longer has are ignored.                           */
#ifndef SEAM_INVIDX_STORE_H
#define SEAM_INVIDX_STORE_H

#include "engine/io/manifest.h"
#include "invidx/segment.h"

enum { STORE_VERSION = 1, DELS_MAX = 64, DEL_FILE_MAX = 1 << 30 };
#define STORE_KIND SEAM_MANIFEST_KIND('I', 'N', 'V', 'X')

struct invidx_store_segment {
    uint64_t id, size;
    uint32_t docs;
};
struct invidx_store_dels {
    uint64_t id, size;
    uint32_t crc;
};

struct invidx_store_state {
    uint64_t next_id;
    seam_lsn_t purged;
    struct seam_owner owner; /* the manifest's */
    struct invidx_store_segment *segments;
    struct invidx_store_dels *dels;
    uint32_t segment_count, del_count;
};

void invidx_store_encode(const struct invidx_store_state *s, struct seam_buf *out);
/* SEAM_CORRUPT names the manifest. Free with invidx_store_free.                                                */
SEAM_MUST_USE enum seam_status invidx_store_decode(const struct seam_manifest *m, const char *dir,
                                                   struct invidx_store_state *out,
                                                   struct seam_fault *f);
void invidx_store_free(struct invidx_store_state *s);

struct invidx_tomb {
    uint32_t doc;
    seam_lsn_t lsn;
};
struct invidx_tomb_group {
    uint64_t segment;
    const struct invidx_tomb *tombs;
    size_t n;
};

/* What a new file of tombstones is. */
struct invidx_dels_spec {
    struct seam_owner owner;
    uint64_t id;
    const struct invidx_tomb_group *groups;
    size_t count;
};
SEAM_MUST_USE enum seam_status invidx_dels_write(struct seam_io *io, const char *dir,
                                                 const struct invidx_dels_spec *spec,
                                                 struct invidx_store_dels *out,
                                                 struct seam_fault *f);
/* Calls fn for each tombstone; document numbers are checked by fn (false = damage).                   */
SEAM_MUST_USE enum seam_status
invidx_dels_read(struct seam_io *io, const char *dir, const struct invidx_store_dels *d,
                 bool (*fn)(void *ctx, uint64_t segment, uint32_t doc, seam_lsn_t lsn), void *ctx,
                 struct seam_fault *f);
SEAM_MUST_USE enum seam_status invidx_dels_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                uint64_t id, struct seam_fault *f);
/* The segment that was opened is the one that a state names, of the state's platform; else SEAM_CORRUPT, or
 * SEAM_CONFLICT.                                                                                     */
SEAM_MUST_USE enum seam_status invidx_store_segment_check(const struct invidx_segment *seg,
                                                          const struct invidx_store_segment *named,
                                                          const struct seam_owner *owner,
                                                          struct seam_fault *f);

#endif
