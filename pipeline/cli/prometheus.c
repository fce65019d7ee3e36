/* prometheus - each seam's freshness in the text format that Prometheus scrapes. */
#include <inttypes.h>

#include "pipeline/cli/cli.h"
#include "pipeline/trust/freshness.h"
#include "wal/wal.h"

struct metric {
    const char *name, *help;
    double (*of)(const struct freshness *x);
};

static double lag_bytes(const struct freshness *x)
{
    return (double)x->lag_bytes;
}
static double lag_events(const struct freshness *x)
{
    return (double)x->lag_events;
}
static double lag_seconds(const struct freshness *x)
{
    return (double)x->lag_us / 1e6;
}
static double promised(const struct freshness *x)
{
    return x->contract->fail_s;
}
static double applied(const struct freshness *x)
{
    return (double)x->to;
}
static double running(const struct freshness *x)
{
    return x->running;
}
static double broken(const struct freshness *x)
{
    return x->verdict == FRESH_FAIL;
}

/* Of the log itself: what its writer does while nobody waits for an answer. */
static enum seam_status print_log(struct cli *c, const struct platform *p)
{
    struct wal_slot_info slots[WAL_SLOTS_MAX];
    struct wal_state log;
    char dir[SEAM_PATH_MAX_BYTES];
    size_t n = 0, damaged = 0;
    enum seam_status st = platform_path(p, "wal", dir, &c->fault);

    if (st == SEAM_OK) st = wal_state(p->io, dir, &log, &c->fault);
    if (st == SEAM_OK) st = wal_slots(p->io, dir, slots, &n, &c->fault);
    if (st != SEAM_OK) return st;
    for (size_t i = 0; i < n; i++) damaged += slots[i].damaged;
    printf("# HELP seam_background_failing 1: checkpoints or the letting go of log fail in the "
           "background\n# TYPE seam_background_failing gauge\nseam_background_failing %d\n",
           log.trouble_status != SEAM_OK);
    printf("# HELP seam_log_slots_damaged slots that cannot be read: the whole log is kept\n"
           "# TYPE seam_log_slots_damaged gauge\nseam_log_slots_damaged %zu\n",
           damaged);
    return SEAM_OK;
}

int print_prometheus(struct cli *c, const struct platform *p)
{
    static const struct metric metrics[] = {
        {"seam_lag_bytes", "log bytes between the upstream store and this one", lag_bytes},
        {"seam_lag_events", "events that wait", lag_events},
        {"seam_lag_seconds", "age of the oldest committed change that waits", lag_seconds},
        {"seam_sla_seconds", "the contract's limit for that age", promised},
        {"seam_applied_lsn", "where the downstream store stands", applied},
        {"seam_running", "1: the downstream process lives", running},
        {"seam_sla_broken", "1: later than the contract allows", broken},
    };
    struct contracts contracts;
    struct seam_arena arena = {0};
    struct freshness list[CONTRACTS_MAX];
    size_t n = 0;
    enum seam_status st = contracts_load(&arena, &contracts, &c->fault);

    if (st == SEAM_OK) st = freshness_measure(p, &contracts, list, &n, &c->fault);
    for (size_t m = 0; st == SEAM_OK && m < SEAM_ARRAY_LEN(metrics); m++) {
        printf("# HELP %s %s\n# TYPE %s gauge\n", metrics[m].name, metrics[m].help,
               metrics[m].name);
        for (size_t i = 0; i < n; i++)
            printf("%s{seam=\"%s\"} %.15g\n", metrics[m].name, list[i].contract->name,
                   metrics[m].of(&list[i]));
    }
    seam_arena_free(&arena);
    if (st == SEAM_OK) st = print_log(c, p);
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
