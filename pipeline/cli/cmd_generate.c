/* cmd_generate - the shipped catalogue, and a year of made-up customers and orders over it. */
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/cli/cli.h"
#include "pipeline/cli/story.h"

static void show_progress(void *ctx, uint64_t orders, uint64_t of)
{
    (void)ctx;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " orders ", orders, of);
    if (orders == of) fprintf(stderr, "\n");
}

int cmd_generate(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    int64_t orders = 50000, customers = 0, seed = 1;
    bool no_catalogue = false;
    const struct seam_opt opts[] = {
        {"orders", 'n', SEAM_OPT_INT, "N", "orders to invent (50,000)", &orders},
        {"customers", 0, SEAM_OPT_INT, "N", "customers (orders / 8)", &customers},
        {"seed", 0, SEAM_OPT_INT, "N", "the same seed gives the same rows (1)", &seed},
        {"no-catalogue", 0, SEAM_OPT_FLAG, NULL,
         "over the products there are; do not load the shipped ones", &no_catalogue},
    };
    struct platform p;
    struct platform_source source = {0};
    struct shop_gen_stats s = {0};
    struct shop_gen_options o = {.mode = OLTP_DEFERRED};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (orders < 1 || customers < 0) return cli_usage(c, "--orders and --customers are counts");
    o.orders = (uint64_t)orders;
    o.customers = (uint64_t)customers;
    o.seed = (uint64_t)seed;
    if (c->progress) o.progress = show_progress;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    st = platform_open_source(&p, &source, &c->fault);
    if (st == SEAM_OK && !no_catalogue) st = load_catalogue(c, source.db);
    if (st == SEAM_OK) st = shop_gen_run(source.db, &o, &s, &c->fault);
    if (st == SEAM_OK) st = oltp_checkpoint(source.db, &c->fault);
    st = platform_close_source(&source, st, &c->fault);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (c->json)
        printf("{\"orders\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"customers\":%" PRIu64
               ",\"transactions\":%" PRIu64 ",\"lsn\":%" PRIu64 "}\n",
               s.orders, s.lines, s.customers, s.transactions, s.lsn);
    else if (!c->quiet)
        printf("%" PRIu64 " orders of %" PRIu64 " customers, %" PRIu64 " lines, in %" PRIu64
               " transactions up to LSN %" PRIu64 "\n",
               s.orders, s.customers, s.lines, s.transactions, s.lsn);
    return EXIT_FINE;
}
