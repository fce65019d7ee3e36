/* reader - one state of an index, held open. Private to the room. */
#ifndef SEAM_INVIDX_READER_H
#define SEAM_INVIDX_READER_H

#include "engine/base/bitset.h"
#include "invidx/analyze.h"
#include "invidx/postings.h"
#include "invidx/store.h"

/* Dead postings of a term in a segment, remembered until another document of the segment dies.         */
struct invidx_dead_memo {
    uint32_t ord, dead;
}; /* ord + 1; 0 = free */

struct invidx_rseg {
    struct invidx_segment *seg;
    uint64_t *dead; /* one bit a document: dead or not yet born in this state */
    uint32_t dead_count;
    uint64_t dead_length;
    struct invidx_dead_memo *memo;
    size_t memo_size, memo_used;
};

struct invidx_reader {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    seam_lsn_t as_of;
    struct invidx_schema_box box;
    struct invidx_analyzer analyzer;
    uint64_t seq;
    struct seam_owner owner;
    seam_lsn_t applied, oldest;
    int64_t wall_us;
    struct invidx_rseg *segs;
    size_t seg_count;
    uint64_t *dels_seen; /* ids of tombstone files taken in */
    size_t dels_count;
    uint64_t live, length_sum, bytes, generation;
};

static inline bool rseg_dead(const struct invidx_rseg *s, uint32_t doc)
{
    return s->dead_count != 0 && seam_bitset_get(s->dead, doc);
}
/* Live documents that have the term. Exact: the dead among its postings are counted once and remembered. */
SEAM_MUST_USE enum seam_status invidx_rseg_live_df(struct invidx_rseg *s,
                                                   const struct invidx_term *t,
                                                   struct invidx_postings *scratch, uint32_t *out,
                                                   struct seam_fault *f);

#endif
