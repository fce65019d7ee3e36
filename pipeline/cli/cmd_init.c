/* cmd_init - an empty platform in a new folder. */
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"

int cmd_init(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *config = NULL;
    int64_t seed = 0;
    const struct seam_opt opts[] = {
        {"shop", 0, SEAM_OPT_STRING, "FILE", "tables and sinks as JSON (default: the shipped shop)",
         &config},
        {"seed", 0, SEAM_OPT_INT, "N", "makes the platform's id repeatable", &seed},
    };
    struct asset shipped = shop_asset_find("shop.json");
    struct seam_buf own = {0};
    int count;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st = SEAM_OK;

    if (rc >= 0) return rc;
    if (seed == 0) seed = seam_clock_wall_us(c->clock) ^ (int64_t)seam_clock_mono_ns(c->clock);
    if (config != NULL) st = seam_io_read_all(c->io, config, PLATFORM_CONFIG_MAX, &own, &c->fault);
    if (st == SEAM_OK)
        st = relay_create_platform(
            c->io, c->clock, args[0], config != NULL ? (const char *)own.data : shipped.text,
            config != NULL ? own.size : shipped.size, (uint64_t)seed, &c->fault);
    seam_buf_free(&own);
    if (st != SEAM_OK) return cli_fail(c, st);
    if (c->json)
        printf("{\"created\":true}\n");
    else if (!c->quiet)
        printf("an empty platform in %s; next: seam import %s FILE --map MAPPING, or seam generate "
               "%s\n",
               args[0], args[0], args[0]);
    return EXIT_FINE;
}
