/* cli - what every subcommand of `seam` shares.
 *
 * A command is a row of the table in commands.c and one function in cmd_NAME.c:
 *     int cmd_status(struct cli *c, int argc, char **argv)
 * It parses its own options (engine/text/opts.h) with the common ones added by cli_parse, does its work through
 * the public headers of the rooms, prints, and returns an exit code: 0 fine, 1 a check failed or drift,
 * 2 usage, 3 not found, 4 data damaged, 5 I/O, 6 conflict, 7 SLA breach, 130 interrupted.
 *
 * Answers go to standard output, progress and messages to standard error; under --json both an answer and
 * an error are one JSON object, and every answer carries its position ("as_of_lsn", "age_ms").     */
#ifndef SEAM_PIPELINE_CLI_H
#define SEAM_PIPELINE_CLI_H

#include <signal.h>
#include <stdio.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/lsn.h"
#include "engine/base/status.h"
#include "engine/io/io.h"
#include "engine/text/json.h"
#include "engine/text/opts.h"
#include "pipeline/platform.h"

enum {
    EXIT_FINE = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_DAMAGED = 4,
    EXIT_IO = 5,
    EXIT_CONFLICT = 6,
    EXIT_SLA = 7,
    EXIT_INTERRUPTED = 130
};

struct cli_command;

struct cli {
    struct seam_io *io;
    struct seam_clock *clock;
    const struct cli_command *command; /* the one running, for help and messages */
    const char *program;               /* argv[0], to run ourselves as a child process */
    bool json, help, quiet;
    bool color;              /* stdout is a terminal and NO_COLOR is unset */
    bool progress;           /* stderr is a terminal and not --quiet */
    struct seam_fault fault; /* commands pass &c->fault down */
};

struct cli_command {
    const char *name;
    const char *usage;   /* "DIR TABLE KEY" */
    const char *summary; /* one line for the list */
    int (*run)(struct cli *c, int argc, char **argv);
    const char *group; /* heading in `seam help` */
};

enum { CLI_ARGS_MAX = 64, CLI_WAIT_MAX_S = 86400 };

/* Parses options and positional arguments; adds --json, --quiet, --help. Returns -1 to go on, or the exit
 * code to return at once (help was printed, or usage was wrong and said so). min/max count positionals;
 * args has room for CLI_ARGS_MAX, and a longer command line is refused. */
int cli_parse(struct cli *c, int argc, char **argv, const struct seam_opt *opts, size_t n_opts,
              const char **args, int *count, int min, int max);

/* Prints c->fault (text or JSON) and returns the exit code of `st`.                                */
int cli_fail(struct cli *c, enum seam_status st);
/* A usage error in our own words; returns EXIT_USAGE.                                              */
int cli_usage(struct cli *c, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);

/* Writes b to standard output, whole; a closed pipe is not an error worth a message.               */
void cli_print(const struct seam_buf *b);
/* "-- as of LSN 48213, 12 ms old" under an answer (nothing under --json).                          */
void cli_footer(struct cli *c, seam_lsn_t as_of, int64_t age_us, const char *note);

/* Aligned text tables: header, then rows of cells; numbers are right-aligned.                      */
struct cli_table_out {
    struct seam_buf cells; /* terminated strings, one after another */
    size_t columns, rows;  /* rows include the header */
    uint64_t right;        /* bit i: column i is right-aligned */
};
void table_begin(struct cli_table_out *t, size_t columns, uint64_t right_aligned);
void table_cell(struct cli_table_out *t, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
void table_print(struct cli *c, struct cli_table_out *t); /* frees it */

/* Set by SIGINT/SIGTERM: long commands stop cleanly at the next batch.                             */
extern volatile sig_atomic_t cli_interrupted;
void cli_catch_interrupts(void);

/* Human forms: "1.2 MB", "3.4 s". */
const char *human_bytes(uint64_t n, char out[32]);
const char *human_duration(int64_t us, char out[32]);

/* "12345" or "lsn:12345" or a time ("2011-12-09 12:00"): *lsn or *time_us is set, the other left at
 * SEAM_LSN_MAX / INT64_MIN. False when it is none of these.                                             */
bool cli_parse_moment(const char *text, seam_lsn_t *lsn, int64_t *time_us);

/* The option --wait of commands that write rows: seconds to wait for another process that writes. */
#define CLI_OPT_WAIT(seconds)                                                                      \
    {                                                                                              \
        "wait", 0, SEAM_OPT_DOUBLE, "SECONDS", "wait so long for another process that writes (0)", \
            (seconds)                                                                              \
    }
/* Opens the platform's source for writing, waiting as --wait says. */
enum seam_status cli_open_source(struct cli *c, const struct platform *p, double wait_seconds,
                                 struct platform_source *out);

/* The table (or JSON) of `seam status`, for a platform that is open.                               */
int print_status(struct cli *c, const struct platform *p);
/* The seams' freshness in Prometheus' text format. */
int print_prometheus(struct cli *c, const struct platform *p);
/* The seams as OpenLineage run events. */
int print_openlineage(struct cli *c, const struct platform *p);

/* The command line, on this disk and by this clock; returns the exit code. main.c is three lines. */
int cli_main(int argc, char **argv, struct seam_io *io, struct seam_clock *clock);

int cmd_init(struct cli *, int, char **);
int cmd_import(struct cli *, int, char **);
int cmd_put(struct cli *, int, char **);
int cmd_get(struct cli *, int, char **);
int cmd_del(struct cli *, int, char **);
int cmd_scan(struct cli *, int, char **);
int cmd_run(struct cli *, int, char **);
int cmd_relay(struct cli *, int, char **);
int cmd_sink(struct cli *, int, char **);
int cmd_status(struct cli *, int, char **);
int cmd_view(struct cli *, int, char **);
int cmd_sql(struct cli *, int, char **);
int cmd_search(struct cli *, int, char **);
int cmd_eval(struct cli *, int, char **);
int cmd_verify(struct cli *, int, char **);
int cmd_demo(struct cli *, int, char **);
int cmd_dump(struct cli *, int, char **);
int cmd_lab(struct cli *, int, char **);
int cmd_generate(struct cli *, int, char **);
int cmd_audit(struct cli *, int, char **);
int cmd_bootstrap(struct cli *, int, char **);
int cmd_rebuild(struct cli *, int, char **);
int cmd_tune(struct cli *, int, char **);
int cmd_log(struct cli *, int, char **);
int cmd_diff(struct cli *, int, char **);
int cmd_blame(struct cli *, int, char **);
int cmd_bisect(struct cli *, int, char **);
int cmd_clone(struct cli *, int, char **);
int cmd_stats(struct cli *, int, char **);
int cmd_doctor(struct cli *, int, char **);
int cmd_slot(struct cli *, int, char **);
int cmd_upgrade(struct cli *, int, char **);
int cmd_vacuum(struct cli *, int, char **);
int cmd_salvage(struct cli *, int, char **);
int cmd_check(struct cli *, int, char **);
int cmd_dlq(struct cli *, int, char **);
int cmd_lineage(struct cli *, int, char **);
int cmd_why(struct cli *, int, char **);

#endif
