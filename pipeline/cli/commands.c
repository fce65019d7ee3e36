/* commands - finds the subcommand, and says which ones there are. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/version.h"
#include "pipeline/cli/cli.h"

static const struct cli_command commands[] = {
    {"demo", "[DIR]", "the whole story on the shipped catalogue, in a minute", cmd_demo,
     "Start here"},
    {"lab", "[LAB [EXERCISE]]", "step through a store, in the terminal or as a page", cmd_lab,
     "Start here"},
    {"init", "DIR", "make an empty platform", cmd_init, "Source of truth"},
    {"import", "DIR FILE", "load CSV, TSV or JSON lines through a mapping", cmd_import,
     "Source of truth"},
    {"generate", "DIR", "load the shipped catalogue and invent customers and orders", cmd_generate,
     "Source of truth"},
    {"put", "DIR TABLE JSON", "insert or change one row", cmd_put, "Source of truth"},
    {"get", "DIR TABLE KEY...", "read one row", cmd_get, "Source of truth"},
    {"del", "DIR TABLE KEY...", "delete one row", cmd_del, "Source of truth"},
    {"scan", "DIR TABLE", "rows in key order", cmd_scan, "Source of truth"},
    {"run", "DIR", "relay and every sink, until interrupted", cmd_run, "Moving the data"},
    {"relay", "DIR", "the relay alone: log to stream", cmd_relay, "Moving the data"},
    {"sink", "DIR NAME", "one sink alone: stream to store", cmd_sink, "Moving the data"},
    {"bootstrap", "DIR", "a snapshot of the row store into the stream, when history is gone",
     cmd_bootstrap, "Moving the data"},
    {"rebuild", "DIR SINK", "make a sink again from the stream, beside the old one, and switch",
     cmd_rebuild, "Moving the data"},
    {"status", "DIR", "each store: applied LSN, lag, size", cmd_status, "Moving the data"},
    {"sql", "DIR [QUERY]", "query the warehouse, the views and the row store", cmd_sql, "Asking"},
    {"view", "DIR [NAME [KEY]]", "the dashboard: key lookups in an incremental view", cmd_view,
     "Asking"},
    {"search", "DIR WORDS...", "find products: bm25, vector or hybrid", cmd_search, "Asking"},
    {"eval", "DIR", "labelled queries: nDCG, MRR, recall by mode and class, with p-values",
     cmd_eval, "Asking"},
    {"tune", "DIR|FILE", "the vector search's operating point: measure, choose, pin", cmd_tune,
     "Asking"},
    {"log", "DIR", "transactions, oldest first, and what they changed", cmd_log, "History"},
    {"diff", "DIR A..B", "every change between two LSNs", cmd_diff, "History"},
    {"blame", "DIR TABLE KEY...", "the transactions that made this row", cmd_blame, "History"},
    {"bisect", "DIR", "the commit that broke a number", cmd_bisect, "History"},
    {"clone", "DIR NEW", "a platform with the tables as they were", cmd_clone, "History"},
    {"check", "DIR WHAT",
     "contracts, freshness, reconcile, recall or all: is every seam's promise kept?", cmd_check,
     "Trust"},
    {"audit", "DIR VERB ...", "orders as hash-chained events: show, verify, prove, append",
     cmd_audit, "Trust"},
    {"why", "DIR VIEW KEY", "a number traced back, layer by layer, to the row store", cmd_why,
     "Trust"},
    {"lineage", "DIR TABLE KEY", "one row in every layer at one LSN, and where they part",
     cmd_lineage, "Trust"},
    {"dlq", "DIR [VERB]", "events that a sink set aside: list, retry, drop", cmd_dlq, "Trust"},
    {"verify", "DIR", "every checksum and every invariant, offline", cmd_verify, "Trust"},
    {"dump", "FILE", "any file of ours, explained byte by byte", cmd_dump, "Trust"},
    {"stats", "DIR", "trees, fill, depth, recovery distance", cmd_stats, "Trust"},
    {"slot", "DIR [VERB [NAME]]", "who pins the log by name: list, drop", cmd_slot, "Trust"},
    {"doctor", "DIR", "who holds back space, and what it costs", cmd_doctor, "Trust"},
    {"upgrade", "DIR", "convert a platform of an older format", cmd_upgrade, "Trust"},
    {"vacuum", "DIR", "give the row store's free pages back", cmd_vacuum, "Trust"},
    {"salvage", "DIR", "every readable row of a damaged row store", cmd_salvage, "Trust"},
};

static void print_help(FILE *out)
{
    const char *group = "";

    fprintf(out, "seam - seven stores for one shop, and the seams between them\n\n"
                 "usage: seam COMMAND [options] ...      seam COMMAND --help\n");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(commands); i++) {
        if (strcmp(group, commands[i].group) != 0) fprintf(out, "\n%s\n", commands[i].group);
        group = commands[i].group;
        fprintf(out, "  %-9s %-18s %s\n", commands[i].name, commands[i].usage, commands[i].summary);
    }
    fprintf(out,
            "\nexit codes: 0 fine, 1 a check failed, 2 usage, 3 not found, 4 data damaged, 5 I/O,\n"
            "            6 conflict, 7 SLA breach, 130 interrupted\n");
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < SEAM_ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *names[SEAM_ARRAY_LEN(commands)];
    const char *near;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(commands); i++) names[i] = commands[i].name;
    near = seam_nearest_name(word, names, SEAM_ARRAY_LEN(names));
    fprintf(stderr, "seam: there is no command '%s'", word);
    if (near != NULL) fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "%s 'seam help' lists them.\n", near != NULL ? "" : ".");
    return EXIT_USAGE;
}

int cli_main(int argc, char **argv, struct seam_io *io, struct seam_clock *clock)
{
    struct cli c = {.io = io, .clock = clock, .program = argv[0]};
    const char *no_color = getenv("NO_COLOR");

    signal(SIGPIPE, SIG_IGN);
    c.color = isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0');
    c.progress = isatty(STDERR_FILENO);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        if (argc == 2) {
            print_help(stdout);
            return EXIT_FINE;
        }
        c.command = find_command(argv[2]);
        if (c.command == NULL) return unknown_command(argv[2]);
        char help[] = "--help";
        char *help_argv[] = {argv[2], help, NULL};
        return c.command->run(&c, 2, help_argv);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("seam %s\n", seam_version());
        return EXIT_FINE;
    }
    c.command = find_command(argv[1]);
    if (c.command == NULL) return unknown_command(argv[1]);
    return c.command->run(&c, argc - 1, argv + 1);
}
