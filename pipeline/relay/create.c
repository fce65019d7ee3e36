/* create - a platform with its empty stream. */
#include "pipeline/relay/relay.h"

/* An empty stream, so that a sink may start before the relay does.                                  */
static enum seam_status create_stream(const struct platform *p, struct seam_fault *f)
{
    struct stream_writer_options o = {.clock = p->clock, .log_id = p->log_id};
    struct stream_writer *w = NULL;
    struct stream_tail tail;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_path(p, "stream", dir, f);

    if (st == SEAM_OK) st = stream_writer_open(p->io, dir, &o, &w, &tail, f);
    return st == SEAM_OK ? stream_writer_close(w, f) : st;
}

enum seam_status relay_create_platform(struct seam_io *io, struct seam_clock *clock,
                                       const char *dir, const char *shop, size_t n, uint64_t seed,
                                       struct seam_fault *f)
{
    const struct platform_new new = {.shop = shop, .n = n, .seed = seed, .fill = create_stream};

    return platform_create(io, clock, dir, &new, f);
}
