/* merge - segments into one, and the digest that proves it. Private to the room. */
#ifndef SEAM_INVIDX_MERGE_H
#define SEAM_INVIDX_MERGE_H

#include "invidx/segment.h"

/* One segment from several. drop[i] (bits) are left out; *digest is of what they held. On SEAM_OK the
 * file is written and synced, maps[i][doc] is the new number or UINT32_MAX; *docs may be 0 (no file). */
struct invidx_merge_input {
    struct invidx_segment *seg;
    const uint64_t *drop;
    uint32_t *map;
};
struct invidx_merge_job {
    struct seam_io *io;
    const char *dir;
    const struct invidx_schema *schema;
    struct seam_owner owner;
    struct invidx_merge_input *in;
    size_t count;
    uint64_t id;     /* of the new segment */
    double mb_per_s; /* 0: as fast as it goes */
};
SEAM_MUST_USE enum seam_status invidx_merge_segments(const struct invidx_merge_job *job,
                                                     uint32_t *docs, struct seam_fault *f);
/* Every posting but those of the documents in drop (bits; may be NULL): its document and its hash.  */
typedef void (*posting_fn)(void *ctx, uint32_t doc, struct seam_hash128 h);
SEAM_MUST_USE enum seam_status invidx_segment_each_posting(struct invidx_segment *s,
                                                           const uint64_t *drop, posting_fn fn,
                                                           void *ctx, struct seam_fault *f);
/* Walks all postings; digest of the live ones (drop may be NULL).                                     */
SEAM_MUST_USE enum seam_status invidx_segment_digest(struct invidx_segment *s, const uint64_t *drop,
                                                     struct seam_digest *out, struct seam_fault *f);

#endif
