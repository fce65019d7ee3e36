/* journal - what happened to the graph since its base, one batch a publication.
 *
 * A batch is physical: the new nodes and every link list that changed, as they are after it. Applying it
 * is copying. The batch carries the applied LSN, so the offset is durable with its effect (rule 3).
 *
 *   0          64           64 + batch 0
 *   +----------+------------+------------+ ...  appended, synced with fdatasync, never rewritten
 *   |   head   |  batch 0   |  batch 1   |
 *   +----------+------------+------------+
 *   head: engine/io/filehead.h: SEAMHNSJ, 2; file id ("seq"): equal to the file's name
 *
 *   off size batch field
 *   0   4    magic          "HNJB"
 *   4   4    crc            crc32c, begun with seq's low 32 bits, of bytes [8, 64 + size)
 *   8   8    size           of the payload
 *   16  8    number         0, 1, 2 ... in this journal
 *   24  8    applied_lsn    not below the one before
 *   32  8    wall_us
 *   40  4    first          nodes before this batch
 *   44  4    nodes          new ones
 *   48  4    deaths
 *   52  4    lists
 *   56  8    entry          level << 32 | node, or 2^64-1
 *   64  ...  payload:
 *        flags   u32        bit 0: the codes were trained anew: lossless u32, scale f32, trained_on u64,
 *                           offset f32[dim] follow, and every code is made again from its vector
 *        nodes   key u64, birth u64, level u32, then f32[dim] (lossless codes: u8[dim])
 *        deaths  node u32, lsn u64
 *        lists   node u32, level u16, count u16, link u32[count]
 *
 * The last batch may be torn by a crash: a reader takes whole batches only, a writer cuts the rest off.
 * A torn batch was never announced, so nothing is lost. Damage before a whole batch is SEAM_CORRUPT.    */
#ifndef SEAM_HNSW_JOURNAL_H
#define SEAM_HNSW_JOURNAL_H

#include "engine/base/buf.h"
#include "engine/io/filehead.h"
#include "hnsw/graph.h"

enum { JOURNAL_HEADER = SEAM_FILEHEAD_BYTES, BATCH_HEADER = 64 };
extern const struct seam_filehead_format hnsw_journal_format;
#define BATCH_SIZE_MAX ((uint64_t)1 << 34)

struct hnsw_batch_head {
    uint64_t size, number, entry;
    seam_lsn_t applied_lsn;
    int64_t wall_us;
    uint32_t first, nodes, deaths, lists, crc;
};
/* The size that a batch of BATCH_HEADER bytes or more says its payload has; believed by nobody yet. */
uint64_t hnsw_batch_payload_size(const uint8_t *batch);

/* Encodes what changed since the last publish; the caller clears the marks when it is durable.       */
SEAM_MUST_USE enum seam_status hnsw_batch_encode(const struct hnsw *h, uint64_t seq,
                                                 uint64_t number, seam_lsn_t applied_lsn,
                                                 int64_t wall_us, struct seam_buf *out,
                                                 struct seam_fault *f);
/* Where a batch is looked for. */
struct hnsw_batch_place {
    uint64_t at;  /* in the file */
    uint64_t seq; /* of the journal */
    uint64_t number;
    const char *path;
};

/* Looks at the n bytes at p, which lie at `place`: SEAM_OK a whole batch; SEAM_END none, or a torn one;
 * SEAM_CORRUPT: not what may follow.                                                                 */
SEAM_MUST_USE enum seam_status hnsw_batch_head_read(const uint8_t *p, size_t n,
                                                    const struct hnsw_batch_place *place,
                                                    struct hnsw_batch_head *out,
                                                    struct seam_fault *f);
/* Makes a batch's checksum right: for whoever writes it, and for tests that damage it. */
void hnsw_batch_seal(uint8_t *batch, size_t n, uint64_t seq);
/* Checks the whole payload against h, then applies it. Gate held for writing by the caller.          */
SEAM_MUST_USE enum seam_status hnsw_batch_apply(struct hnsw *h, const struct hnsw_batch_head *b,
                                                const uint8_t *payload, uint64_t at,
                                                const char *path, struct seam_fault *f);
/* Forgets the marks of what has been published.                                                     */
void hnsw_batch_done(struct hnsw *h);

#endif
