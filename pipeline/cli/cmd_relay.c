/* cmd_relay - the relay as its own process: log to stream. */
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/cli/cli.h"
#include "pipeline/relay/relay.h"

int cmd_relay(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct relay_run_options o = {.stop = &cli_interrupted};
    const struct seam_opt opts[] = {
        {"until-caught-up", 0, SEAM_OPT_FLAG, NULL,
         "stop when everything durable now is in the stream", &o.until_caught_up},
    };
    struct platform p;
    struct relay *r = NULL;
    struct relay_stats s = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st, closed;

    if (rc >= 0) return rc;
    cli_catch_interrupts();
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = relay_open(&p, NULL, &r, &c->fault);
    if (st == SEAM_OK) st = relay_run(r, &o, &c->fault);
    if (r != NULL) relay_stats(r, &s);
    closed = relay_close(r, st == SEAM_OK ? &c->fault : NULL);
    platform_close(&p);
    if (st == SEAM_OK) st = closed;
    if (st != SEAM_OK) return cli_fail(c, st);
    if (c->json)
        printf("{\"lsn\":%" PRIu64 ",\"transactions\":%" PRIu64 ",\"events\":%" PRIu64
               ",\"bytes\":%" PRIu64 "}\n",
               s.lsn, s.transactions, s.events, s.bytes);
    else if (!c->quiet)
        printf("relayed %" PRIu64 " events of %" PRIu64 " transactions, up to LSN %" PRIu64 "\n",
               s.events, s.transactions, s.lsn);
    return EXIT_FINE;
}
