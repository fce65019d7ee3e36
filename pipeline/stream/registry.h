/* registry - the schemas a sink has heard of in the stream, kept beside its store.
 *
 * A schema event carries the table's whole history (engine/values/schema.h), so the newest one decodes every older
 * row; that is why the registry may run ahead of the store's applied LSN without harm, and needs no place in
 * the store's atomic publication: it is written (atomically) before the first row that needs it.
 *   DIR/schemas.json   {"schemas":[{schema}, ...]}, sealed (engine/io/filehead.h)                                                */
#ifndef SEAM_PIPELINE_REGISTRY_H
#define SEAM_PIPELINE_REGISTRY_H

#include "engine/io/io.h"
#include "engine/values/schema.h"

struct stream_registry {
    struct seam_io *io;
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_schema *schemas;
    size_t count, cap;
};

SEAM_MUST_USE enum seam_status stream_registry_open(struct stream_registry *r, struct seam_io *io,
                                                    const char *dir, struct seam_fault *f);
void stream_registry_close(struct stream_registry *r);
/* Takes in (a newer version of) a table and saves. *changed when it was news.                      */
SEAM_MUST_USE enum seam_status stream_registry_put(struct stream_registry *r, uint32_t table,
                                                   const char *json, size_t n, bool *changed,
                                                   struct seam_fault *f);
const struct seam_schema *
stream_registry_get(const struct stream_registry *r,
                    uint32_t table); /* NULL = unknown; until the next put */
const struct seam_schema *stream_registry_find(const struct stream_registry *r, const char *name);

#endif
