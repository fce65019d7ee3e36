/* cmd_import - real files into tables of the row store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/import/import.h"
#include "pipeline/shop/assets.h"

static void show_progress(void *ctx, const struct import_stats *now)
{
    char text[256];

    (void)ctx;
    fprintf(stderr, "\r%s", import_progress_text(now, text, sizeof text));
    if (now->finished) fprintf(stderr, "\n");
}

static void print_stats(struct cli *c, const struct import_stats *s)
{
    double seconds = (double)s->elapsed_ns / 1e9;
    char time[32];

    if (c->json) {
        printf("{\"records\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"landed\":%" PRIu64
               ",\"rejected\":%" PRIu64 ",\"inserted\":%" PRIu64 ",\"updated\":%" PRIu64
               ",\"unchanged\":%" PRIu64 ",\"transactions\":%" PRIu64
               ",\"seconds\":%.3f,\"lsn\":%" PRIu64 ",\"finished\":%s}\n",
               s->records, s->skipped, s->landed, s->rejected, s->inserted, s->updated,
               s->unchanged, s->transactions, seconds, s->lsn, s->finished ? "true" : "false");
        return;
    }
    if (c->quiet) return;
    printf("%" PRIu64 " records: %" PRIu64 " landed, %" PRIu64 " rejected, %" PRIu64
           " already there\n",
           s->records, s->landed, s->rejected, s->skipped);
    printf("%" PRIu64 " rows inserted, %" PRIu64 " updated, %" PRIu64 " unchanged, in %" PRIu64
           " transactions and %s",
           s->inserted, s->updated, s->unchanged, s->transactions,
           human_duration((int64_t)(s->elapsed_ns / 1000), time));
    if (seconds > 0 && s->landed > 0) printf(" (%.0f records/s)", (double)s->landed / seconds);
    printf("\n");
    if (s->lsn != SEAM_LSN_NONE) printf("last commit at LSN %" PRIu64 "\n", s->lsn);
}

/* A mapping is a file, or the name of a shipped one ("online-retail").                             */
static enum seam_status read_mapping(struct cli *c, const char *name, struct seam_buf *own,
                                     struct import_options *o)
{
    char asset[SEAM_NAME_MAX_BYTES + 32];
    struct asset shipped;
    enum seam_status st;

    snprintf(asset, sizeof asset, "mappings/%.*s.json", SEAM_NAME_MAX_BYTES, name);
    shipped = shop_asset_find(asset);
    if (shipped.text != NULL && !seam_io_exists(c->io, name)) {
        o->mapping = shipped.text;
        o->mapping_size = shipped.size;
        return SEAM_OK;
    }
    st = seam_io_read_all(c->io, name, PLATFORM_CONFIG_MAX, own, &c->fault);
    o->mapping = (const char *)own->data;
    o->mapping_size = own->size;
    return st;
}

int cmd_import(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *map = NULL, *on_error = "skip", *rejects = NULL, *table = NULL;
    int64_t limit = 0;
    bool dry_run = false;
    double wait = 0;
    const struct seam_opt opts[] = {
        {"map", 'm', SEAM_OPT_STRING, "FILE|NAME",
         "the mapping (shipped: online-retail, product-search)", &map},
        {"table", 't', SEAM_OPT_STRING, "TABLE", "without a mapping: columns of the same names",
         &table},
        {"on-error", 0, SEAM_OPT_STRING, "skip|stop", "what a bad record does (skip)", &on_error},
        {"rejects", 0, SEAM_OPT_STRING, "FILE", "write rejected records there as JSON lines",
         &rejects},
        {"limit", 'n', SEAM_OPT_INT, "N", "stop after N records of the file", &limit},
        {"dry-run", 0, SEAM_OPT_FLAG, NULL, "check every record, change nothing", &dry_run},
        CLI_OPT_WAIT(&wait),
    };
    struct platform p;
    struct platform_source source = {0};
    struct import_options o = {.io = c->io, .clock = c->clock};
    struct import_stats stats = {0};
    struct seam_buf own = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 2, 2);
    enum seam_status st;

    if (rc >= 0) return rc;
    if (strcmp(on_error, "skip") != 0 && strcmp(on_error, "stop") != 0)
        return cli_usage(c, "--on-error is skip or stop");
    if ((map == NULL) == (table == NULL)) return cli_usage(c, "give either --map or --table");
    if (limit < 0) return cli_usage(c, "--limit cannot be negative");
    o.file = args[1];
    o.table = table;
    o.on_error = strcmp(on_error, "stop") == 0 ? IMPORT_STOP : IMPORT_SKIP;
    o.reject_path = rejects;
    o.limit = (uint64_t)limit;
    o.dry_run = dry_run;
    o.progress = c->progress ? show_progress : NULL;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (map != NULL) st = read_mapping(c, map, &own, &o);
    if (st == SEAM_OK) st = cli_open_source(c, &p, wait, &source);
    if (st == SEAM_OK) {
        st = import_run(source.db, &o, &stats, &c->fault);
        if (st == SEAM_OK && !dry_run) st = oltp_checkpoint(source.db, &c->fault);
        st = platform_close_source(&source, st, &c->fault);
    }
    seam_buf_free(&own);
    platform_close(&p);
    if (st != SEAM_OK) return cli_fail(c, st);
    print_stats(c, &stats);
    return stats.rejected > 0 ? EXIT_CHECK_FAILED : EXIT_FINE;
}
