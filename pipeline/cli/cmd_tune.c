/* cmd_tune - the vector search's operating point: measured, chosen and pinned.
 *
 * Over a platform it sweeps ef on the graph that serves; over a file of vectors it also sweeps builds (M,
 * efConstruction, quantization). --pin writes the curve into the graph's manifest, so that a search which asks for a
 * recall finds its ef there. Whether the promise is kept afterwards, `seam check` says (check_recall.c). */
#include <stdlib.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "hnsw/tune.h"
#include "hnsw/vecfile.h"
#include "pipeline/cli/cli.h"
#include "pipeline/sinks/vectors/vectors.h"

struct tune_args {
    double recall, p99_ms;
    int64_t k, queries;
    bool pin;
    const char *tsv, *chart, *metric;
};

static void say(void *ctx, const char *what)
{
    struct cli *c = ctx;

    if (c->progress) fprintf(stderr, "%s\n", what);
}

static void print_point(struct cli_table_out *t, const struct hnsw_tune_point *x, bool chosen)
{
    table_cell(t, "%s", chosen ? "->" : x->meets ? "ok" : "");
    table_cell(t, "%s", x->quant == HNSW_I8 ? "i8" : "f32");
    table_cell(t, "%u", x->m);
    table_cell(t, "%u", x->ef_construction);
    table_cell(t, "%u", x->ef);
    table_cell(t, "%u", x->patience);
    table_cell(t, "%.4f", x->recall_mean);
    table_cell(t, "%.4f", x->recall_low);
    table_cell(t, "%.3f", x->recall_p5);
    table_cell(t, "%.0f", x->qps);
    table_cell(t, "%.0f", x->p50_us);
    table_cell(t, "%.0f", x->p99_us);
}

static void print_result(struct cli *c, const struct hnsw_tune_result *r, double recall)
{
    static const char *const heads[] = {"",       "codes", "M",  "efC", "ef",     "patience",
                                        "recall", "low",   "p5", "QPS", "p50 us", "p99 us"};
    struct cli_table_out t;

    table_begin(&t, SEAM_ARRAY_LEN(heads), 0xffcu);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(heads); i++) table_cell(&t, "%s", heads[i]);
    for (size_t i = 0; i < r->count; i++)
        if (r->points[i].pareto || i == r->chosen) print_point(&t, &r->points[i], i == r->chosen);
    table_print(c, &t);
    printf("-- %zu vectors of %u dimensions, %zu held-out queries, k %zu; exact scan: %.0f QPS, "
           "p99 %.0f us\n",
           r->n, r->dim, r->queries, r->k, r->exact_qps, r->exact_p99_us);
    if (r->chosen < r->count)
        printf("-- ef %u is the cheapest point whose recall's lower 95 %% bound meets %.3f\n",
               r->points[r->chosen].ef, recall);
    else
        printf("-- no point measured meets %.3f\n", recall);
}

static enum seam_status write_files(struct cli *c, const struct tune_args *a,
                                    const struct hnsw_tune_result *r)
{
    struct seam_buf b = {0};
    char script[SEAM_PATH_MAX_BYTES];
    enum seam_status st = SEAM_OK;

    if (a->tsv != NULL) {
        hnsw_tune_write_tsv(r, &b);
        st = seam_io_write_atomic(c->io, a->tsv, b.data, b.size, &c->fault);
    }
    seam_buf_free(&b);
    if (st != SEAM_OK || a->chart == NULL) return st;
    b = (struct seam_buf){0};
    hnsw_tune_write_gnuplot(r, a->tsv, a->chart, &b);
    if (snprintf(script, sizeof script, "%s.gp", a->chart) >= (int)sizeof script)
        st = seam_fault_set(&c->fault, SEAM_LIMIT, a->chart, SEAM_FAULT_NO_OFFSET,
                            "the path is too long");
    if (st == SEAM_OK) st = seam_io_write_atomic(c->io, script, b.data, b.size, &c->fault);
    if (st == SEAM_OK && !c->quiet) printf("-- charts: gnuplot %s\n", script);
    seam_buf_free(&b);
    return st;
}

/* The graph's writer is the vectors sink; while that runs, pinning answers SEAM_CONFLICT. */
static enum seam_status pin(struct cli *c, const char *dir, const struct hnsw_info *info,
                            const struct tune_args *a, const struct hnsw_tune_result *r)
{
    struct hnsw_point points[HNSW_POINTS_MAX];
    struct hnsw *h = NULL;
    size_t n = hnsw_tune_points(r, info->options.quant, info->options.m,
                                info->options.ef_construction, points);
    enum seam_status st = hnsw_open_writer(c->io, dir, NULL, &h, &c->fault);

    if (st == SEAM_OK) st = hnsw_pin(h, points, n, a->recall, &c->fault);
    hnsw_close(h);
    if (st == SEAM_OK && !c->quiet)
        printf("-- pinned %zu points; a search without ef now keeps recall %.3f\n", n, a->recall);
    return st;
}

static enum seam_status tune_platform(struct cli *c, const char *dir, const struct tune_args *a,
                                      const struct hnsw_tune_options *o)
{
    struct platform p;
    struct sink_vectors_current current;
    struct hnsw *h = NULL;
    struct hnsw_info info;
    struct hnsw_tune_result r = {0};
    enum seam_status st = platform_open(c->io, c->clock, dir, &p, &c->fault);

    if (st != SEAM_OK) return st;
    st = sink_vectors_current(&p, &current, &c->fault);
    if (st == SEAM_OK) st = hnsw_open_reader(c->io, current.dir, SEAM_LSN_MAX, NULL, &h, &c->fault);
    if (st == SEAM_OK) {
        hnsw_info(h, &info);
        st = hnsw_tune_index(h, NULL, 0, o, &r, &c->fault);
        if (st == SEAM_OK) print_result(c, &r, a->recall);
        if (st == SEAM_OK) st = write_files(c, a, &r);
        if (st == SEAM_OK && a->pin) st = pin(c, current.dir, &info, a, &r);
        hnsw_tune_result_free(&r);
    }
    hnsw_close(h);
    platform_close(&p);
    return st;
}

static enum seam_status tune_file(struct cli *c, const char *path, enum hnsw_metric metric,
                                  const struct tune_args *a, const struct hnsw_tune_options *o)
{
    struct hnsw_vecset v = {0};
    struct hnsw_tune_result r = {0};
    enum seam_status st = hnsw_vecfile_read(c->io, path, NULL, &v, &c->fault);

    if (st == SEAM_OK)
        st = hnsw_tune_sweep(
            &(struct hnsw_tune_data){
                .vectors = v.rows, .n = v.count, .dim = v.dim, .metric = metric},
            o, &r, &c->fault);
    if (st == SEAM_OK) print_result(c, &r, a->recall);
    if (st == SEAM_OK) st = write_files(c, a, &r);
    hnsw_tune_result_free(&r);
    hnsw_vecset_free(&v);
    return st;
}

static int metric_of(const char *word)
{
    static const char *const names[] = {"l2", "ip", "cosine"}; /* by enum hnsw_metric */

    for (size_t i = 0; i < SEAM_ARRAY_LEN(names); i++)
        if (strcmp(word, names[i]) == 0) return (int)i;
    return -1;
}

int cmd_tune(struct cli *c, int argc, char **argv)
{
    const char *args[CLI_ARGS_MAX];
    struct tune_args a = {.recall = 0.95, .k = 10, .queries = 500, .metric = "l2"};
    const struct seam_opt opts[] = {
        {"recall", 0, SEAM_OPT_DOUBLE, "R", "the promise [0.95]", &a.recall},
        {"k", 'k', SEAM_OPT_INT, "N", "of the N nearest [10]", &a.k},
        {"p99-ms", 0, SEAM_OPT_DOUBLE, "MS", "and a limit on latency", &a.p99_ms},
        {"queries", 0, SEAM_OPT_INT, "N", "held out of the data [500]", &a.queries},
        {"pin", 0, SEAM_OPT_FLAG, NULL,
         "write the curve into the graph's manifest (the sink stopped)", &a.pin},
        {"metric", 0, SEAM_OPT_STRING, "M", "of a file's vectors: l2, ip or cosine [l2]",
         &a.metric},
        {"tsv", 0, SEAM_OPT_STRING, "FILE", "every point measured", &a.tsv},
        {"chart", 0, SEAM_OPT_STRING, "PREFIX", "and PREFIX.gp, which draws it (needs --tsv)",
         &a.chart},
    };
    struct hnsw_tune_options o;
    struct seam_io_list list = {0};
    int count, metric;
    int rc = cli_parse(c, argc, argv, opts, SEAM_ARRAY_LEN(opts), args, &count, 1, 1);
    enum seam_status st;

    if (rc >= 0) return rc;
    metric = metric_of(a.metric);
    if (metric < 0) return cli_usage(c, "'%s' is neither l2, ip nor cosine", a.metric);
    if (!(a.recall > 0 && a.recall <= 1)) return cli_usage(c, "--recall is above 0 and at most 1");
    if (a.k < 1 || a.k > 1000 || a.queries < 1 || a.queries > 1000000)
        return cli_usage(c, "--k is 1 to 1000, --queries 1 to 1000000");
    if (a.chart != NULL && a.tsv == NULL)
        return cli_usage(c, "--chart draws from the file of --tsv");
    o = (struct hnsw_tune_options){.recall = a.recall,
                                   .k = (size_t)a.k,
                                   .p99_ms = a.p99_ms,
                                   .queries = (size_t)a.queries,
                                   .threads = seam_cpu_count(),
                                   .seed = 1,
                                   .progress = say,
                                   .ctx = c};
    if (seam_io_list(c->io, args[0], &list, NULL) == SEAM_OK || !seam_io_exists(c->io, args[0])) {
        seam_io_list_free(&list);
        st = tune_platform(c, args[0], &a, &o);
    } else if (a.pin) {
        return cli_usage(c, "--pin is about a platform's graph; '%s' is a file", args[0]);
    } else {
        st = tune_file(c, args[0], (enum hnsw_metric)metric, &a, &o);
    }
    return st == SEAM_OK ? EXIT_FINE : cli_fail(c, st);
}
