/* sweep - what a store holds and a snapshot does not name is gone.
 *
 *   snapshot rows --sink_sweep_name--> { hashes of their keys }
 *   at its end: the store's keys (sink_ops.keys) - those named  -->  one delete each, at the snapshot's LSN
 *
 * The deletes go the way all changes go, through the sink's change(): histories end at that LSN instead of
 * being thrown away, and rows plus deletes are one publication. They are no events of the stream: the rows
 * went while nobody looked, and when and why is not known.
 * Memory: 32 to 64 bytes a row of the snapshot, and the keys that are deleted. One thread.          */
#ifndef SEAM_PIPELINE_SWEEP_H
#define SEAM_PIPELINE_SWEEP_H

#include "engine/base/hash.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/stream/registry.h"

struct sink_sweep { /* zero: none under way */
    bool open;
    struct seam_hash_set named;
    struct stream_change last; /* the newest row named: what the deletes are stamped with */
};

/* `at`: the snapshot's lsn, wall_us and offset, for one that names no row. */
void sink_sweep_begin(struct sink_sweep *s, const struct stream_change *at);
SEAM_MUST_USE enum seam_status sink_sweep_name(struct sink_sweep *s, const struct stream_change *c,
                                               struct seam_fault *f);
typedef enum seam_status (*sweep_fn)(void *ctx, const struct stream_change *c,
                                     struct seam_fault *f);
/* Gives fn a delete for each key of `sink` that was not named, stamped like the newest row (its lsn, txn, wall_us and
 * offset); then none is under way.                                                                 */
SEAM_MUST_USE enum seam_status sink_sweep_end(struct sink_sweep *s, struct sink *sink,
                                              const struct stream_registry *registry, sweep_fn fn,
                                              void *ctx, struct seam_fault *f);
void sink_sweep_free(struct sink_sweep *s);

#endif
