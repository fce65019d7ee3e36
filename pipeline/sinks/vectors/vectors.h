/* vectors - the vector store's folder: generations, each an embedder with the graph of its vectors.
 *
 *   DIR/sinks/vectors/current        {"generation":2,"embedder":"learned-1-128-5f3a09c1","trained_on":449}
 *   DIR/sinks/vectors/g2/model.embed the embedder (pipeline/relevance/embed.h)
 *   DIR/sinks/vectors/g2/            the graph (hnsw/hnsw.h), whose applied LSN is the sink's
 *
 * Vectors of two embedders are never compared: a changed embedder means a new generation built beside the old
 * one from the stream, then one atomic switch of `current`.                                       */
#ifndef SEAM_PIPELINE_VECTORS_H
#define SEAM_PIPELINE_VECTORS_H

#include "hnsw/hnsw.h"
#include "pipeline/platform.h"
#include "pipeline/relevance/embed.h"

struct sink_vectors_current {
    uint64_t generation; /* 0 = none yet */
    char embedder[EMBED_VERSION_MAX];
    uint64_t trained_on;           /* documents the embedder learned from */
    char dir[SEAM_PATH_MAX_BYTES]; /* of the generation */
    char model[SEAM_PATH_MAX_BYTES];
};

/* What `current` says. SEAM_NOT_FOUND when the sink has never run.                                   */
SEAM_MUST_USE enum seam_status sink_vectors_current(const struct platform *p,
                                                    struct sink_vectors_current *out,
                                                    struct seam_fault *f);
/* The embedder and graph to search with, at one generation. Close both.                            */
SEAM_MUST_USE enum seam_status sink_vectors_open_reader(const struct platform *p, seam_lsn_t as_of,
                                                        struct embedder **embedder,
                                                        struct hnsw **graph, struct seam_fault *f);

#endif
