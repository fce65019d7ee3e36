/* cmd_sink - one sink as its own process: stream to store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/sinks/sink.h"

static void show_progress(void *ctx, seam_lsn_t applied, seam_lsn_t source, uint64_t events)
{
    const char *name = ctx;

    fprintf(stderr, "\r%s: LSN %" PRIu64 " of %" PRIu64 ", %" PRIu64 " events ", name, applied,
            source, events);
}

static void print_result(struct cli *c, const char *name, const struct sink_run_result *r)
{
    if (c->progress) fprintf(stderr, "\n");
    if (c->json)
        printf("{\"sink\":\"%s\",\"applied_lsn\":%" PRIu64 ",\"events\":%" PRIu64
               ",\"transactions\":%" PRIu64 ",\"publications\":%" PRIu64 ",\"skipped\":%" PRIu64
               "}\n",
               name, r->applied, r->events, r->transactions, r->publications, r->skipped);
    else if (!c->quiet)
        printf("%s: applied to LSN %" PRIu64 ": %" PRIu64 " events of %" PRIu64
               " transactions in %" PRIu64 " publications\n",
               name, r->applied, r->events, r->transactions, r->publications);
}

static int print_list(void)
{
    size_t n;
    const struct sink_ops *const *all = sink_list(&n);

    for (size_t i = 0; i < n; i++) printf("%s\n", all[i]->name);
    return EXIT_FINE;
}

int cmd_sink(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t until = 0, batch = 0;
    bool list = false;
    struct sink_run_options o = {.stop = &cli_interrupted};
    const struct seam_opt opts[] = {
        {"until-caught-up", 0, SEAM_OPT_FLAG, NULL,
         "stop when everything in the stream now is applied", &o.until_caught_up},
        {"until-lsn", 0, SEAM_OPT_INT, "LSN", "stop when this is applied", &until},
        {"batch", 0, SEAM_OPT_INT, "N", "publish at the latest after N events (65,536)", &batch},
        {"list", 0, SEAM_OPT_FLAG, NULL, "the names of the sinks there are, one a line", &list},
    };
    struct platform p;
    struct sink *s = NULL;
    struct sink_run_result result = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 0, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (list) return print_list();
    if (count < 2) return cli_usage(c, "an argument is missing: DIR NAME");
    if (until < 0 || batch < 0) return cli_usage(c, "--until-lsn and --batch cannot be negative");
    o.until_lsn = (seam_lsn_t)until;
    o.batch_events = (uint64_t)batch;
    if (c->progress) {
        o.progress = show_progress;
        o.progress_ctx = (void *)(uintptr_t)args[1];
    }
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = sink_open(&p, args[1], NULL, &s, &c->fault);
    if (st == SEAM_OK) st = sink_run(s, &o, &result, &c->fault);
    sink_close(s);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    print_result(c, args[1], &result);
    return EXIT_FINE;
}
