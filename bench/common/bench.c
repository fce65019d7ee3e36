#include "bench/common/bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/cpu.h"
#include "engine/io/io.h"

static const char columns[] =
    "store\tworkload\tmetric\tunit\tn\tthreads\tours\tours_min\tours_max\t"
    "peer\tpeer_value\tratio\tlimit\tlimit_ratio\ttarget\tholds\n";

uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print_help(const char *program, const struct seam_opt *opts, size_t n)
{
    struct seam_buf help = {0};

    seam_opts_help(opts, n, &help);
    printf("usage: %s [options]\n%s", program, seam_buf_cstr(&help));
    seam_buf_free(&help);
}

/* What else runs here disturbs the figures; whoever reads them should know.                       */
static void warn_when_busy(struct bench *b)
{
    double load;

    if (getloadavg(&load, 1) == 1 && load > 0.5 * seam_cpu_count())
        fprintf(b->report,
                "note: load average %.1f on %d processors; these figures are disturbed\n", load,
                seam_cpu_count());
}

void bench_open(struct bench *b, const char *store, const struct seam_opt *extra, size_t n_extra,
                int argc, char **argv)
{
    bool help = false;
    const struct seam_opt common[] = {
        {"quick", 0, SEAM_OPT_FLAG, NULL, "smallest size, under 45 s on two cores", &b->quick},
        {"full", 0, SEAM_OPT_FLAG, NULL, "largest size", &b->full},
        {"data", 0, SEAM_OPT_STRING, "DIR", "real data (default ../shared/data)", &b->data},
        {"threads", 't', SEAM_OPT_INT, "N", "threads (default: processors)", &b->threads},
        {"seed", 0, SEAM_OPT_INT, "N", "seed of all randomness", &b->seed},
        {"tsv", 0, SEAM_OPT_STRING, "FILE", "write one row a measurement; - is standard output",
         &b->tsv},
        {"help", 'h', SEAM_OPT_FLAG, NULL, "this", &help},
    };
    const size_t n = SEAM_ARRAY_LEN(common) + n_extra;
    struct seam_opt *opts = malloc(n * sizeof *opts);
    const char **args = malloc((size_t)(argc + 1) * sizeof *args);
    struct seam_fault f = {0};
    char text[1024];
    int count = 0;

    *b = (struct bench){.store = store,
                        .data = "../shared/data",
                        .seed = 20261124,
                        .threads = seam_cpu_count(),
                        .report = stdout};
    if (opts == NULL || args == NULL) exit(5);
    memcpy(opts, common, sizeof common);
    if (n_extra > 0) memcpy(opts + SEAM_ARRAY_LEN(common), extra, n_extra * sizeof *extra);
    if (seam_opts_parse(argc - 1, argv + 1, opts, n, args, &count, &f) != SEAM_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], seam_fault_text(&f, text, sizeof text));
        exit(2);
    }
    if (help) {
        print_help(argv[0], opts, n);
        exit(0);
    }
    if (count > 0 || b->threads < 1 || (b->quick && b->full)) {
        fprintf(stderr, "%s: %s\n", argv[0],
                count > 0 ? "takes options only" : "--threads from 1; --quick or --full, not both");
        exit(2);
    }
    free(opts);
    free(args);
    if (b->tsv != NULL && strcmp(b->tsv, "-") == 0) b->report = stderr;
    warn_when_busy(b);
    if (b->tsv == NULL) return;
    if (strcmp(b->tsv, "-") == 0) {
        b->out = stdout;
    } else if ((b->out = fopen(b->tsv, "w")) == NULL) {
        perror(b->tsv);
        exit(5);
    }
    fputs(columns, b->out);
}

int bench_close(struct bench *b)
{
    if (b->scratch[0] != '\0' && seam_io_remove_tree(seam_io_posix(), b->scratch, NULL) != SEAM_OK)
        fprintf(stderr, "could not remove %s\n", b->scratch);
    fprintf(b->report, "%s: %d rows, %d targets held, %d missed, %d wrong answers\n", b->store,
            b->rows, b->held, b->missed, b->wrong);
    if (b->out != NULL && (fflush(b->out) != 0 || ferror(b->out))) {
        perror(b->tsv);
        return 5;
    }
    if (b->out != NULL && b->out != stdout) fclose(b->out);
    return b->wrong > 0 ? 1 : 0;
}

uint64_t bench_size(const struct bench *b, uint64_t quick, uint64_t normal, uint64_t full)
{
    return b->quick ? quick : b->full ? full : normal;
}

const char *bench_data(struct bench *b, const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", b->data, name);
    if (access(path, R_OK) == 0) return path;
    fprintf(b->report, "skipped: %s is not here\n", path);
    return NULL;
}

const char *bench_scratch(struct bench *b)
{
    const char *base = getenv("TMPDIR");

    if (b->scratch[0] != '\0') return b->scratch;
    snprintf(b->scratch, sizeof b->scratch, "%s/seam-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(b->scratch) == NULL) {
        perror(b->scratch);
        exit(5);
    }
    return b->scratch;
}

void bench_wrong(struct bench *b, const char *fmt, ...)
{
    va_list args;

    b->wrong++;
    fputs("WRONG: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

void bench_need(enum seam_status st, const struct seam_fault *f, const char *what)
{
    char text[1024];

    if (st == SEAM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, seam_status_name(st),
            f != NULL ? seam_fault_text(f, text, sizeof text) : "");
    exit(seam_status_exit_code(st));
}

/* ---- measuring ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct bench_stat bench_stat_of(double *values, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    if (kept == 0) return (struct bench_stat){0};
    qsort(values, (size_t)kept, sizeof *values, compare_doubles);
    return (struct bench_stat){
        .median = kept % 2 == 1 ? values[kept / 2] : (values[kept / 2 - 1] + values[kept / 2]) / 2,
        .min = values[0],
        .max = values[kept - 1],
        .runs = kept,
    };
}

struct bench_stat bench_value(double v)
{
    return (struct bench_stat){.median = v, .min = v, .max = v, .runs = 1};
}

void bench_interleave(struct bench_side *sides, int n, int rounds)
{
    static double values[BENCH_SIDES_MAX][BENCH_ROUNDS_MAX];

    if (n > BENCH_SIDES_MAX) n = BENCH_SIDES_MAX;
    if (rounds > BENCH_ROUNDS_MAX) rounds = BENCH_ROUNDS_MAX;
    for (int i = 0; i < n; i++) sides[i].run(sides[i].ctx); /* caches, page tables, clocks */
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < n; i++) {
            int side = (i + round) % n;

            values[side][round] = sides[side].run(sides[side].ctx);
        }
    }
    for (int i = 0; i < n; i++) sides[i].stat = bench_stat_of(values[i], rounds);
}

/* ---- rows ---- */

static void print_number(FILE *out, double v)
{
    if (isnan(v) || isinf(v))
        fputs("n.a.", out);
    else
        fprintf(out, "%.6g", v);
}

struct judged {
    double ratio, limit_ratio;
    const char *holds;
};

static struct judged judge(const struct bench_row *r)
{
    struct judged j = {NAN, NAN, "n.a."};
    bool have_peer = r->peer != NULL && r->peer_value.runs > 0;
    double against;

    if (r->ours.runs == 0) return j;
    if (have_peer)
        j.ratio = r->lower_is_better ? r->peer_value.median / r->ours.median
                                     : r->ours.median / r->peer_value.median;
    if (r->limit > 0)
        j.limit_ratio = r->lower_is_better ? r->limit / r->ours.median : r->ours.median / r->limit;
    against = r->peer != NULL ? j.ratio : j.limit_ratio;
    if (r->target > 0 && !isnan(against)) j.holds = against >= r->target ? "yes" : "no";
    return j;
}

/* One line a row, for a person. Rows that differ only in which absent peer they name are one line:
 * the list of absent peers stands at the top of the report already. */
static void report_row(struct bench *b, const struct bench_row *r, const struct judged *j)
{
    bool absent = r->peer != NULL && r->peer_value.runs == 0;
    char what[96];

    if (r->threads > 1)
        snprintf(what, sizeof what, "%s (%d threads)", r->workload, r->threads);
    else
        snprintf(what, sizeof what, "%s", r->workload);
    if (absent) {
        char this[sizeof b->absent_row];

        snprintf(this, sizeof this, "%s %s", what, r->metric);
        if (strcmp(this, b->absent_row) == 0) return;
        memcpy(b->absent_row, this, sizeof this);
    } else {
        b->absent_row[0] = '\0';
    }
    fprintf(b->report, "%-40s %-12s %12.6g %-10s", what, r->metric, r->ours.median, r->unit);
    if (r->ours.runs > 1) fprintf(b->report, " [%.5g..%.5g]", r->ours.min, r->ours.max);
    if (absent)
        fprintf(b->report, "  no peer");
    else if (r->peer != NULL)
        fprintf(b->report, "  %s %.6g: x%.3g", r->peer, r->peer_value.median, j->ratio);
    if (r->limit > 0) fprintf(b->report, "  %.3g of the limit", j->limit_ratio);
    if (strcmp(j->holds, "n.a.") != 0) fprintf(b->report, "  target %.3g: %s", r->target, j->holds);
    fputc('\n', b->report);
}

void bench_row(struct bench *b, const struct bench_row *r)
{
    bool absent = r->peer != NULL && r->peer_value.runs == 0;
    const char *peer = r->peer == NULL ? "none" : absent ? "absent" : r->peer;
    struct judged j = judge(r);

    b->rows++;
    if (strcmp(j.holds, "yes") == 0) b->held++;
    if (strcmp(j.holds, "no") == 0) b->missed++;
    report_row(b, r, &j);
    if (b->out == NULL) return;
    fprintf(b->out, "%s\t%s\t%s\t%s\t%llu\t%d\t", b->store, r->workload, r->metric, r->unit,
            (unsigned long long)r->n, r->threads);
    print_number(b->out, r->ours.runs > 0 ? r->ours.median : NAN);
    fputc('\t', b->out);
    print_number(b->out, r->ours.runs > 0 ? r->ours.min : NAN);
    fputc('\t', b->out);
    print_number(b->out, r->ours.runs > 0 ? r->ours.max : NAN);
    fprintf(b->out, "\t%s\t", peer);
    print_number(b->out, r->peer != NULL && !absent ? r->peer_value.median : NAN);
    fputc('\t', b->out);
    print_number(b->out, j.ratio);
    fputc('\t', b->out);
    print_number(b->out, r->limit > 0 ? r->limit : NAN);
    fputc('\t', b->out);
    print_number(b->out, j.limit_ratio);
    fputc('\t', b->out);
    print_number(b->out, r->target > 0 ? r->target : NAN);
    fprintf(b->out, "\t%s\n", j.holds);
    fflush(b->out);
}

void bench_row_latency(struct bench *b, const struct bench_row *r,
                       const struct seam_histogram *ours, const struct seam_histogram *peer)
{
    static const struct {
        const char *metric;
        double p;
    } points[] = {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(points); i++) {
        struct bench_row row = *r;

        row.metric = points[i].metric;
        row.unit = "us";
        row.lower_is_better = true;
        row.n = ours->count;
        row.ours = bench_value((double)seam_histogram_percentile(ours, points[i].p) / 1000);
        if (peer != NULL && peer->count > 0)
            row.peer_value =
                bench_value((double)seam_histogram_percentile(peer, points[i].p) / 1000);
        bench_row(b, &row);
    }
}
