/* registry - the schemas a sink has heard of in the stream, kept beside its store.
 *
 * A schema event carries the table's whole history (engine/values/schema.h), so the newest one decodes every older
 * row; that is why the registry may run ahead of the store's applied LSN without harm, and needs no place in
 * the store's atomic publication: it is written (atomically) before the first row that needs it.
 *   DIR/schemas.json   {"schemas":[{schema}, ...]}                                                */
#ifndef SEAM_PIPELINE_REGISTRY_H
#define SEAM_PIPELINE_REGISTRY_H

#include "engine/io/io.h"
#include "engine/values/schema.h"

struct registry {
    struct io *io;
    char path[PATH_MAX_BYTES];
    struct schema *schemas;
    size_t count, cap;
};

MUST_USE enum status registry_open(struct registry *r, struct io *io, const char *dir, struct fault *f);
void registry_close(struct registry *r);
/* Takes in (a newer version of) a table and saves. *changed when it was news.                      */
MUST_USE enum status registry_put(struct registry *r, uint32_t table, const char *json, size_t n,
                                  bool *changed, struct fault *f);
const struct schema *registry_get(const struct registry *r, uint32_t table); /* NULL = unknown; until the next put */
const struct schema *registry_find(const struct registry *r, const char *name);

#endif
