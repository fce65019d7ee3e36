/* bench - the one convention of every build/bench_NAME program.
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct bench b;
 *         bench_open(&b, "columnar", NULL, 0, argc, argv);   options: exits 2 on a bad one
 *         ... measure, check the answers, bench_row(&b, &row) ...
 *         return bench_close(&b);                            1 when an answer was wrong
 *     }
 *
 * Options: --quick (under 45 s on two cores) --full --data DIR --threads N --seed N --tsv FILE ("-" is
 * standard output, and then nothing else is printed there). Every row goes to the TSV with the columns
 *
 *     store workload metric unit n threads ours ours_min ours_max peer peer_value ratio limit
 *     limit_ratio target holds
 *
 * ratio > 1 is better for us whatever the unit; limit is the machine's own bound measured in this run
 * and limit_ratio how much of it we reach; holds is yes, no or n.a. A peer that is not there gives a row
 * with peer = absent, never an invented figure.                                                   */
#ifndef SEAM_BENCH_COMMON_BENCH_H
#define SEAM_BENCH_COMMON_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/histogram.h"
#include "engine/base/status.h"
#include "engine/text/opts.h"

struct bench {
    const char *store;
    bool quick, full; /* neither: the size between */
    const char *data; /* folder of real data; default ../shared/data */
    int64_t threads;  /* default: processors */
    int64_t seed;
    const char *tsv;
    FILE *out;    /* TSV; NULL = none */
    FILE *report; /* what a person reads: stdout, or stderr when the TSV is stdout */
    int wrong;    /* answers found wrong: bench_close fails */
    int rows, held, missed;
    double memory_gbps, fdatasyncs; /* measured once a run, at the first question */
    int memory_threads;
    char scratch[512];
    char absent_row[160]; /* the last row reported without its peer */
};

/* extra: the program's own options, or NULL.                                                      */
void bench_open(struct bench *b, const char *store, const struct seam_opt *extra, size_t n_extra,
                int argc, char **argv);
int bench_close(struct bench *b);
/* quick, default or full: the size of this run.                                                   */
uint64_t bench_size(const struct bench *b, uint64_t quick, uint64_t normal, uint64_t full);
/* "DATA/name" when it can be read, else NULL after one line that it is skipped. Static memory.    */
const char *bench_data(struct bench *b, const char *name);
/* A folder under TMPDIR (or /tmp), fresh for this run, removed by bench_close.                   */
const char *bench_scratch(struct bench *b);
/* Reports a wrong answer; the program goes on and fails at the end.                               */
void bench_wrong(struct bench *b, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
#define BENCH_CHECK(b, condition)                                                                  \
    do {                                                                                           \
        if (!(condition)) bench_wrong((b), "%s:%d: %s", __FILE__, __LINE__, #condition);           \
    } while (0)
/* Stops the program when setting up failed: prints the fault, exits with its code.                */
void bench_need(enum seam_status st, const struct seam_fault *f, const char *what);

uint64_t bench_now_ns(void);
/* Keeps the compiler from dropping a computation whose result is not used.                        */
static inline void bench_keep(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* ---- repeated, interleaved measurement ---- */
struct bench_stat {
    double median, min, max;
    int runs; /* 0 = not measured */
};
struct bench_stat bench_stat_of(double *values, int n); /* sorts values; ignores NAN */

enum { BENCH_SIDES_MAX = 8, BENCH_ROUNDS_MAX = 101 };
struct bench_side {
    double (*run)(void *ctx); /* one run; its measurement, or NAN when it could not be made */
    void *ctx;
    struct bench_stat stat; /* filled in */
};
/* Runs every side once a round, in an order rotated by the round, so that a machine that speeds up or
 * slows down treats all alike. One unmeasured round comes first.                                  */
void bench_interleave(struct bench_side *sides, int n, int rounds);

/* ---- rows ---- */
struct bench_row {
    const char *workload, *metric, *unit;
    uint64_t n;
    int threads;
    struct bench_stat ours;
    const char *peer;             /* NULL = none asked for; its name otherwise */
    struct bench_stat peer_value; /* runs == 0: absent */
    bool lower_is_better;
    double limit;  /* 0 = none; same unit as ours */
    double target; /* least ratio (or least limit_ratio when there is no peer); 0 = none */
};
void bench_row(struct bench *b, const struct bench_row *r);
/* A value that was counted, not timed: median = min = max.                                        */
struct bench_stat bench_value(double v);
/* p50, p99, p99.9 and max rows in microseconds; peer may be NULL (then as r->peer says).          */
void bench_row_latency(struct bench *b, const struct bench_row *r,
                       const struct seam_histogram *ours, const struct seam_histogram *peer);

/* ---- the machine's own bounds, measured in this run ---- */
double bench_memory_gbps(struct bench *b, int threads); /* sequential read, GB/s */
double bench_fdatasync_rate(struct bench *b,
                            const char *dir); /* 4 KiB overwrite + fdatasync, a second */

/* ---- peers: separate programs, present only where their libraries are ---- */
struct bench_peer;
/* Starts build/peers/NAME with the arguments (NULL-ended, may be NULL) and waits for its first line,
 * "ready ...". NULL, after one clear line, when it is not built or does not start.                 */
struct bench_peer *bench_peer_start(struct bench *b, const char *name, const char *const *args);
/* Sends one line and reads the one-line answer. False when the peer died or answered "error ...".  */
bool bench_peer_ask(struct bench_peer *p, char *reply, size_t size, const char *fmt, ...)
    SEAM_PRINTF_LIKE(4, 5);
/* As ask, for an answer that is one number; NAN on failure.                                       */
double bench_peer_number(struct bench_peer *p, const char *fmt, ...) SEAM_PRINTF_LIKE(2, 3);
const char *bench_peer_ready(const struct bench_peer *p); /* the text after "ready" (a version) */
void bench_peer_stop(struct bench_peer *p);               /* accepts NULL */

#endif
