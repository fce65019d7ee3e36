/* cmd_run - the relay and every sink, each a process of its own, until interrupted.
 *
 * A part that dies is started again, with a growing pause when it keeps dying: everything a part knows is in
 * its store, so starting it again is always safe.                                                  */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/child.h"
#include "pipeline/cli/cli.h"
#include "pipeline/sinks/sink.h"
#include "wal/wal.h"

enum { RESTART_MAX_MS = 10000, QUICK_DEATHS_MAX = 8 };

struct part_process {
    struct cli_child child;
    const char *args[8];
    bool done;  /* ended as asked (--until-caught-up) */
    int deaths; /* in a row, each soon after its start */
    uint64_t started_ns, restart_ns;
};

static enum seam_status start(struct cli *c, struct part_process *p, const char *name,
                              const char *log)
{
    p->started_ns = seam_clock_mono_ns(c->clock);
    return child_start(&p->child, name, c->program, p->args, log, &c->fault);
}

/* What will not get better by trying: another process has it, a usage error, a log that the relay's slot has lost (the
 * relay has named the way out: seam bootstrap).                                                     */
static bool hopeless(int code)
{
    return code == EXIT_CONFLICT || code == EXIT_USAGE || code == EXIT_SLA;
}

/* A stop we did not ask for. */
static int ended(struct cli *c, struct part_process *p, int code, bool until)
{
    uint64_t now = seam_clock_mono_ns(c->clock);
    uint64_t pause_ms;

    if (until && code == EXIT_FINE) {
        p->done = true;
        return 0;
    }
    if (now - p->started_ns > 10000000000ull) p->deaths = 0;
    p->deaths++;
    fprintf(stderr, "seam run: %s ended with %d%s\n", p->child.name, code,
            hopeless(code) || p->deaths > QUICK_DEATHS_MAX ? "; giving up" : "; starting it again");
    if (hopeless(code) || p->deaths > QUICK_DEATHS_MAX) return code;
    pause_ms = 50u << (p->deaths < 8 ? p->deaths : 8);
    if (pause_ms > RESTART_MAX_MS) pause_ms = RESTART_MAX_MS;
    p->restart_ns = now + pause_ms * 1000000;
    return 0;
}

static int watch(struct cli *c, struct part_process *parts, size_t n, const char *log, bool until)
{
    int rc = 0;

    while (!cli_interrupted && rc == 0) {
        size_t done = 0;

        for (size_t i = 0; i < n && rc == 0; i++) {
            struct part_process *p = &parts[i];
            int code = 0;

            if (p->child.pid != 0 && !child_running(&p->child, &code))
                rc = ended(c, p, code, until);
            if (until && i > 0 && !parts[0].done)
                continue; /* to catch up with what the relay brings, wait for it */
            if (rc == 0 && p->child.pid == 0 && !p->done &&
                seam_clock_mono_ns(c->clock) >= p->restart_ns &&
                start(c, p, p->child.name, log) != SEAM_OK)
                rc = EXIT_IO;
            done += p->done;
        }
        if (until && done == n) break;
        c->clock->sleep_us(c->clock, 20000);
    }
    return rc;
}

int cmd_run(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX], *log = NULL;
    bool until = false;
    const struct seam_opt opts[] = {
        {"until-caught-up", 0, SEAM_OPT_FLAG, NULL,
         "stop when every sink has applied what is durable now", &until},
        {"log", 0, SEAM_OPT_STRING, "FILE", "append the parts' messages to FILE", &log},
    };
    struct platform p;
    struct part_process parts[CHILDREN_MAX] = {0};
    struct wal_state state = {0};
    char dir[SEAM_PATH_MAX_BYTES], lsn[32];
    size_t n = 0, sinks;
    const struct sink_ops *const *all = sink_list(&sinks);
    int count, result;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    st = platform_open(c->io, c->clock, args[0], &p, &c->fault);
    if (st != SEAM_OK) return cli_fail(c, st);
    cli_catch_interrupts();
    if (until) st = platform_path(&p, "wal", dir, &c->fault);
    if (until && st == SEAM_OK) st = wal_state(c->io, dir, &state, &c->fault);
    if (st != SEAM_OK) {
        platform_close(&p);
        return cli_fail(c, st);
    }
    snprintf(lsn, sizeof lsn, "%" PRIu64, state.durable);
    static_assert(SINKS_MAX + 1 <= CHILDREN_MAX, "a child for the relay and each sink");
    for (size_t i = 0; i <= sinks; i++) {
        const char *name = i == 0 ? "relay" : all[i - 1]->name;
        struct part_process *part = &parts[n];
        int a = 0;

        if (i > 0 && platform_sink_config(&p, name) == NULL) continue;
        snprintf(part->child.name, sizeof part->child.name, "%s", name);
        part->args[a++] = i == 0 ? "relay" : "sink";
        part->args[a++] = args[0];
        if (i > 0) part->args[a++] = name;
        if (until && i == 0) part->args[a++] = "--until-caught-up";
        if (until && i > 0) { /* the stream may still be empty when a sink first looks */
            part->args[a++] = "--until-lsn";
            part->args[a++] = lsn;
        }
        part->args[a++] = "--quiet";
        n++;
    }
    platform_close(&p);
    if (!c->quiet && !c->json)
        printf("running the relay and %zu sinks of %s%s\n", n - 1, args[0],
               until ? "" : "; Ctrl-C stops them");
    fflush(stdout);
    result = watch(c, parts, n, log, until);
    for (size_t i = 0; i < n; i++) child_stop(&parts[n - 1 - i].child);
    return result;
}
