/* open - finds a sink in the list (sinks.c) and opens its store for writing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/sinks/sink.h"

const struct sink_ops *sink_find(const char *name)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    return NULL;
}

static enum seam_status open_in(const struct platform *p, const char *name, const char *dir,
                                struct seam_trace *trace, struct sink **out, struct seam_fault *f)
{
    const struct sink_ops *ops = sink_find(name);
    struct sink *s;
    enum seam_status st;

    if (ops == NULL || platform_sink_config(p, name) == NULL)
        return seam_fault_set(f, SEAM_NOT_FOUND, name, SEAM_FAULT_NO_OFFSET,
                              "this platform has no sink of that name");
    s = calloc(1, ops->size);
    if (s == NULL)
        return seam_fault_set(f, SEAM_NOMEM, name, SEAM_FAULT_NO_OFFSET, "no memory for the sink");
    s->ops = ops;
    s->platform = p;
    s->config = platform_sink_config(p, name);
    s->trace = trace;
    s->beside = dir != NULL;
    st = SEAM_OK;
    if (dir == NULL)
        st = platform_sink_path(p, name, s->dir, f);
    else if (snprintf(s->dir, sizeof s->dir, "%s", dir) >= (int)sizeof s->dir)
        st = seam_fault_set(f, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET, "the path is too long");
    if (st == SEAM_OK) st = seam_io_mkdir(p->io, s->dir, f);
    if (st == SEAM_OK) st = ops->open(s, f);
    if (st != SEAM_OK) {
        sink_close(s);
        return st;
    }
    *out = s;
    return SEAM_OK;
}

enum seam_status sink_open(const struct platform *p, const char *name, struct seam_trace *trace,
                           struct sink **out, struct seam_fault *f)
{
    return open_in(p, name, NULL, trace, out, f);
}

enum seam_status sink_open_beside(const struct platform *p, const char *name, const char *dir,
                                  struct sink **out, struct seam_fault *f)
{
    const struct sink_ops *ops = sink_find(name);

    if (ops != NULL && ops->rebuild == SINK_REBUILD_IN_PLACE)
        return seam_fault_set(f, SEAM_UNSUPPORTED, name, SEAM_FAULT_NO_OFFSET,
                              "it builds generations of its own, in its own folder");
    return open_in(p, name, dir, NULL, out, f);
}

void sink_close(struct sink *s)
{
    if (s == NULL) return;
    s->ops->close(s);
    free(s);
}
