/* cmd_rebuild - a sink made again from the stream, beside the one that serves, and then switched.
 *
 * The new store is filled in DIR/sinks/NAME.next while the old one goes on; then the two change places by renaming. Readers
 * that have the old one open finish with it. One that builds generations of its own (sink_ops.rebuild: vectors) is
 * dropped and made again in its place.                                                                        */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/sinks/sink.h"
#include "pipeline/trust/reconcile.h"

static enum seam_status fill(struct cli *c, const struct platform *p, const char *name,
                             const char *dir, struct sink_run_result *result)
{
    struct sink_run_options o = {.until_caught_up = true, .stop = &cli_interrupted};
    struct sink *s = NULL;
    enum seam_status st = sink_open_beside(p, name, dir, &s, &c->fault);

    if (st == SEAM_OK) st = sink_run(s, &o, result, &c->fault);
    sink_close(s);
    return st;
}

/* The served one must not be running while the folders change places: opening it takes its lock.    */
static enum seam_status change_places(struct cli *c, const struct platform *p, const char *name,
                                      const char *next)
{
    char live[SEAM_PATH_MAX_BYTES], old[SEAM_PATH_MAX_BYTES];
    struct sink *s = NULL;
    enum seam_status st = platform_sink_path(p, name, live, &c->fault);

    if (st == SEAM_OK && snprintf(old, sizeof old, "%s.old", live) >= (int)sizeof old)
        st = seam_fault_set(&c->fault, SEAM_LIMIT, live, SEAM_FAULT_NO_OFFSET,
                            "the path is too long");
    if (st == SEAM_OK && seam_io_exists(p->io, live)) {
        st = sink_open(p, name, NULL, &s, &c->fault);
        sink_close(s);
        if (st == SEAM_CORRUPT) { /* a damaged store is what one rebuilds */
            seam_fault_clear(&c->fault);
            st = SEAM_OK;
        }
        if (st == SEAM_OK && seam_io_exists(p->io, old))
            st = seam_io_remove_tree(p->io, old, &c->fault);
        if (st == SEAM_OK) st = seam_io_rename(p->io, live, old, &c->fault);
    }
    if (st == SEAM_OK) st = seam_io_rename(p->io, next, live, &c->fault);
    if (st == SEAM_OK && seam_io_exists(p->io, old))
        st = seam_io_remove_tree(p->io, old, &c->fault);
    return st;
}

static enum seam_status rebuild_in_place(struct cli *c, const struct platform *p, const char *name,
                                         struct sink_run_result *result)
{
    struct sink_run_options o = {.until_caught_up = true, .stop = &cli_interrupted};
    struct sink *s = NULL;
    char dir[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(p, name, dir, &c->fault);

    if (st == SEAM_OK && seam_io_exists(p->io, dir))
        st = seam_io_remove_tree(p->io, dir, &c->fault);
    if (st == SEAM_OK) st = sink_open(p, name, NULL, &s, &c->fault);
    if (st == SEAM_OK) st = sink_run(s, &o, result, &c->fault);
    sink_close(s);
    return st;
}

static enum seam_status rebuild_beside(struct cli *c, const struct platform *p, const char *name,
                                       struct sink_run_result *result)
{
    char dir[SEAM_PATH_MAX_BYTES], next[SEAM_PATH_MAX_BYTES];
    enum seam_status st = platform_sink_path(p, name, dir, &c->fault);

    if (st == SEAM_OK && snprintf(next, sizeof next, "%s.next", dir) >= (int)sizeof next)
        st = seam_fault_set(&c->fault, SEAM_LIMIT, dir, SEAM_FAULT_NO_OFFSET,
                            "the path is too long");
    if (st == SEAM_OK && seam_io_exists(p->io, next))
        st = seam_io_remove_tree(p->io, next, &c->fault);
    if (st == SEAM_OK) st = fill(c, p, name, next, result);
    if (st == SEAM_OK) /* first: what is kept is of the old one */
        st = reconcile_forget(p, name, &c->fault);
    return st == SEAM_OK ? change_places(c, p, name, next) : st;
}

int cmd_rebuild(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct platform p;
    struct sink_run_result result = {0};
    const struct sink_ops *ops;
    uint64_t start = seam_clock_mono_ns(c->clock);
    char took[32];
    int count;
    int rc = cli_parse(c, argc, argv, NULL, 0, args, &count, 2, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    ops = sink_find(args[1]);
    st = ops != NULL && ops->rebuild == SINK_REBUILD_IN_PLACE
             ? rebuild_in_place(c, &p, args[1], &result)
             : rebuild_beside(c, &p, args[1], &result);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (!c->quiet)
        printf("%s was made again from %" PRIu64 " events in %s and stands at LSN %" PRIu64 "\n",
               args[1], result.events,
               human_duration((int64_t)((seam_clock_mono_ns(c->clock) - start) / 1000), took),
               result.applied);
    return EXIT_FINE;
}
