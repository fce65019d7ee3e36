/* merge - segments into one, and the digest that proves it. Private to the room. */
#ifndef SEAM_INVIDX_MERGE_H
#define SEAM_INVIDX_MERGE_H

#include "invidx/segment.h"

/* One segment from several. drop[i] (bits) are left out; *digest is of what they held. On ST_OK the
 * file is written and synced, maps[i][doc] is the new number or UINT32_MAX; *docs may be 0 (no file). */
struct merge_input {
    struct segment *seg;
    const uint64_t *drop;
    uint32_t *map;
};
MUST_USE enum status merge_segments(struct io *io, const char *dir,
                                    const struct invidx_schema *schema, struct merge_input *in,
                                    size_t count, uint64_t id, double mb_per_s, uint32_t *docs,
                                    struct fault *f);
/* Every posting but those of the documents in drop (bits; may be NULL): its document and its hash.  */
typedef void (*posting_fn)(void *ctx, uint32_t doc, struct hash128 h);
MUST_USE enum status segment_each_posting(struct segment *s, const uint64_t *drop, posting_fn fn,
                                          void *ctx, struct fault *f);
/* Walks all postings; digest of the live ones (drop may be NULL).                                     */
MUST_USE enum status segment_digest(struct segment *s, const uint64_t *drop, struct digest *out,
                                    struct fault *f);

#endif
