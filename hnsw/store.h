/* store - the folder of an index: lock, manifest, base, journal (store.c). */
#ifndef SEAM_HNSW_STORE_H
#define SEAM_HNSW_STORE_H

#include "engine/base/buf.h"
#include "engine/base/thread.h"
#include "engine/io/manifest.h"
#include "hnsw/graph.h"

/* The manifest's payload (kind "HNSW"):
 *
 *   off size
 *   0   4    version          1
 *   4   4    dim
 *   8   4    metric
 *   12  4    quant
 *   16  4    m
 *   20  4    ef_construction
 *   24  8    seed
 *   32  8    base             sequence in the name of the base file, 0 = none yet
 *   40  8    journal          sequence in the name of the journal
 *   48  8    floor_lsn
 *   56  8    default_recall   f64, 0 = not pinned
 *   64  4    points           <= 64
 *   68  4    zero
 *   72  ...  points x { k u32, ef u32, recall_mean f64, recall_low f64, p50_us f64, p99_us f64,
 *                           patience u32 }                                                     */
enum { STATE_VERSION = 1 };
#define STATE_KIND SEAM_MANIFEST_KIND('H', 'N', 'S', 'W')

struct hnsw_state { /* a manifest, read */
    uint64_t seq, base, journal;
    seam_lsn_t applied_lsn, floor_lsn;
    int64_t wall_us;
    struct seam_owner owner;
    struct hnsw_options o;
    double default_recall;
    struct hnsw_point points[HNSW_POINTS_MAX];
    size_t point_count;
};

struct hnsw_store {
    struct seam_io *io;
    char dir[SEAM_PATH_MAX_BYTES];
    struct seam_file *lock; /* writers */
    struct seam_fork_mark mark;
    struct seam_file *journal;
    struct hnsw_state state;
    uint64_t journal_size, batches; /* whole batches read or written */
    uint64_t base_size;
    const uint8_t *map; /* the base, while h uses it in place */
    size_t map_size;
    struct seam_buf batch; /* reused between publishes */
};

SEAM_MUST_USE enum seam_status hnsw_state_load(struct seam_io *io, const char *dir,
                                               struct hnsw_state *out, struct seam_fault *f);
SEAM_MUST_USE enum seam_status hnsw_state_parse(const struct seam_manifest *m, const char *where,
                                                struct hnsw_state *out, struct seam_fault *f);
/* DIR/SEQ.EXT */
SEAM_MUST_USE enum seam_status hnsw_store_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                               uint64_t seq, const char *ext, struct seam_fault *f);
/* Fills h from the state's base and journal. */
SEAM_MUST_USE enum seam_status hnsw_store_read(struct hnsw *h, struct seam_fault *f);
/* Writes the graph as a new base with an empty journal and publishes both. */
SEAM_MUST_USE enum seam_status hnsw_store_write_base(struct hnsw *h, struct seam_fault *f);
/* Publishes a manifest with the same files (a changed pin or floor). */
SEAM_MUST_USE enum seam_status hnsw_store_write_state(struct hnsw *h, struct seam_fault *f);
void hnsw_store_free(struct hnsw_store *s);

#endif
