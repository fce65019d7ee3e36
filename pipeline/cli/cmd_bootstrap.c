/* cmd_bootstrap - a snapshot of the row store into the stream, when the history that somebody needs is gone. */
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/cli/cli.h"
#include "pipeline/relay/bootstrap.h"

static void show_progress(void *ctx, uint64_t rows, uint64_t total)
{
    (void)ctx;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " rows ", rows, total);
}

static void print_result(struct cli *c, const char *dir, const struct relay_bootstrap_result *r,
                         int64_t took_us)
{
    char took[32];

    if (c->progress) fprintf(stderr, "\n");
    if (c->json) {
        printf("{\"lsn\":%" PRIu64 ",\"missing_from\":%" PRIu64 ",\"rows\":%" PRIu64
               ",\"tables\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"offset\":%" PRIu64 "}\n",
               r->lsn, r->from, r->rows, r->tables, r->bytes, r->offset);
        return;
    }
    if (c->quiet) return;
    printf("a snapshot of %" PRIu64 " rows of %" PRIu64 " tables, at LSN %" PRIu64
           ", is in the stream from offset %" PRIu64 " on (%s)\n",
           r->rows, r->tables, r->lsn, r->offset, human_duration(took_us, took));
    if (r->from < r->lsn)
        printf("MISSING FOR EVER: what happened after LSN %" PRIu64 " and up to %" PRIu64
               ": stores come to what is, and never hear what was in between\n",
               r->from, r->lsn);
    else
        printf("nothing is missing: the log reached back, and stores at LSN %" PRIu64
               " pass over the snapshot\n",
               r->lsn);
    printf("next: seam run %s\n", dir);
}

int cmd_bootstrap(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    bool discard = false, dry_run = false;
    struct relay_bootstrap_options o = {.stop = &cli_interrupted};
    struct relay_bootstrap_result result;
    const struct seam_opt opts[] = {
        {"discard-stream", 0, SEAM_OPT_FLAG, NULL,
         "first remove the stream and its consumers (it is damaged)", &discard},
        {"dry-run", 0, SEAM_OPT_FLAG, NULL, "with --discard-stream: say what would be removed",
         &dry_run},
    };
    struct platform p;
    uint64_t start = seam_clock_mono_ns(c->clock);
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (dry_run && !discard)
        return cli_usage(c, "--dry-run goes with --discard-stream: nothing else is removed");
    if (dry_run) {
        printf("would remove %s/stream, every event in it and its consumers' positions, and then "
               "read the row store\n",
               args[0]);
        return EXIT_FINE;
    }
    cli_catch_interrupts();
    if (c->progress) o.progress = show_progress;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (discard) st = relay_reset(&p, &c->fault);
    if (st == SEAM_OK) st = relay_bootstrap_run(&p, &o, &result, &c->fault);
    platform_close(&p);
    if (st == SEAM_END) {
        cli_fail(c, st);
        return EXIT_INTERRUPTED;
    }
    if (st != SEAM_OK) return cli_fail(c, st);
    print_result(c, args[0], &result, (int64_t)((seam_clock_mono_ns(c->clock) - start) / 1000));
    return EXIT_FINE;
}
