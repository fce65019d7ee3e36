/* bench_pipeline - the seams at work: how fast each sink applies a history, how long a commit takes to be visible in
 * each store, and what the audit costs.
 *
 *   apply     a generated shop's whole history, one sink after another (events/s)
 *   lag       commits at a fixed rate (open loop) with relay and all sinks running as processes; for every commit the time
 *             until each store shows it (microseconds; p50, p99)
 *   audit     fold-and-compare of every order, and verification of every chain (events/s)
 *
 * Checks: every sink ends at the source's LSN; the audit proves every order; each commit was seen in every store. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/common/bench.h"
#include "engine/io/source.h"
#include "engine/values/row.h"
#include "oltp/oltp.h"
#include "pipeline/audit/audit.h"
#include "pipeline/import/shopgen.h"
#include "pipeline/relay/relay.h"
#include "pipeline/shop/assets.h"
#include "pipeline/sinks/sink.h"

static const char *const sinks[] = {"warehouse", "gold", "view", "search", "vectors", "audit"};
/* Whose lag is measured: gold is spaced on purpose, audit has nobody waiting. */
static const char *const seen_in[] = {"warehouse", "view", "search", "vectors"};

static void make_platform(struct bench *b, struct platform *p, uint64_t orders)
{
    struct asset shop = shop_asset_find("shop.json"),
                 catalogue = shop_asset_find("catalogue.jsonl");
    struct platform_source s = {0};
    struct shop_gen_options o = {
        .orders = orders, .seed = (uint64_t)b->seed, .mode = OLTP_DEFERRED};
    struct shop_gen_stats stats;
    struct seam_source *in = NULL;
    struct oltp_txn *t = NULL;
    struct seam_buf text = {0};
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    const char *line;
    uint32_t table;
    size_t n;

    bench_need(seam_path_join(dir, bench_scratch(b), "shop", &f), &f, "a folder");
    bench_need(
        relay_create_platform(seam_io_posix(), seam_clock_real(), dir, shop.text, shop.size, 1, &f),
        &f, "create");
    bench_need(platform_open(seam_io_posix(), seam_clock_real(), dir, p, &f), &f, "open");
    bench_need(platform_open_source(p, &s, &f), &f, "the row store");
    bench_need(oltp_write_begin(s.db, &t, &f), &f, "begin");
    bench_need(oltp_table(t, "products", &table, &f), &f, "products");
    bench_need(seam_source_from_memory(catalogue.text, catalogue.size, &in), &f, "the catalogue");
    while (seam_source_line(in, 1 << 20, &line, &n, &f) == SEAM_OK) {
        struct seam_value values[SEAM_COLUMNS_MAX];

        if (n == 0) continue;
        bench_need(seam_row_from_json(oltp_schema(t, table), line, n, values, &text, &f), &f,
                   "a product");
        bench_need(oltp_insert(t, table, values, &f), &f, "a product");
        seam_buf_clear(&text);
    }
    seam_source_close(in);
    seam_buf_free(&text);
    bench_need(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f, "commit");
    bench_need(shop_gen_run(s.db, &o, &stats, &f), &f, "orders");
    bench_need(oltp_checkpoint(s.db, &f), &f, "checkpoint");
    bench_need(platform_close_source(&s, SEAM_OK, &f), &f, "close");
}

static void apply_history(struct bench *b, struct platform *p)
{
    struct relay *r = NULL;
    struct relay_run_options ro = {.until_caught_up = true};
    struct relay_stats rs;
    struct seam_fault f = {0};
    uint64_t start = bench_now_ns();
    double seconds;

    bench_need(relay_open(p, NULL, &r, &f), &f, "relay");
    bench_need(relay_run(r, &ro, &f), &f, "relay");
    relay_stats(r, &rs);
    bench_need(relay_close(r, &f), &f, "relay");
    seconds = (double)(bench_now_ns() - start) / 1e9;
    bench_row(b, &(struct bench_row){.workload = "apply_relay",
                                     .metric = "throughput",
                                     .unit = "events/s",
                                     .n = rs.events,
                                     .threads = 1,
                                     .ours = bench_value((double)rs.events / seconds)});
    for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) {
        struct sink_run_options o = {.until_lsn = rs.lsn};
        struct sink_run_result result = {0};
        struct sink *s = NULL;
        char name[64];

        start = bench_now_ns();
        bench_need(sink_open(p, sinks[i], NULL, &s, &f), &f, sinks[i]);
        bench_need(sink_run(s, &o, &result, &f), &f, sinks[i]);
        sink_close(s);
        seconds = (double)(bench_now_ns() - start) / 1e9;
        BENCH_CHECK(b, result.applied >= rs.lsn);
        snprintf(name, sizeof name, "apply_%s", sinks[i]);
        bench_row(b, &(struct bench_row){.workload = name,
                                         .metric = "throughput",
                                         .unit = "events/s",
                                         .n = rs.events,
                                         .threads = 1,
                                         .ours = bench_value((double)rs.events / seconds)});
    }
}

/* ---- lag ---- */

static pid_t start_part(const struct platform *p, const char *name)
{
    struct seam_fault f = {0};
    pid_t pid = fork();

    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (name == NULL) {
        struct relay *r = NULL;
        struct relay_run_options o = {0};

        if (relay_open(p, NULL, &r, &f) == SEAM_OK) (void)!relay_run(r, &o, &f);
    } else {
        struct sink *s = NULL;
        struct sink_run_options o = {0};

        if (sink_open(p, name, NULL, &s, &f) == SEAM_OK) (void)!sink_run(s, &o, NULL, &f);
    }
    _exit(1);
}

struct commit_time {
    seam_lsn_t lsn;
    uint64_t ns;
};

/* Prices change at `rate` a second; each commit's LSN and time of acknowledgement are kept.          */
static void commit_paced(struct bench *b, const struct platform *p, struct commit_time *out,
                         size_t n, double rate)
{
    struct platform_source s = {0};
    struct seam_fault f = {0};
    uint64_t start;

    bench_need(platform_open_source(p, &s, &f), &f, "the row store");
    start = bench_now_ns();
    for (size_t i = 0; i < n; i++) {
        struct oltp_txn *t = NULL;
        struct oltp_commit commit;
        struct oltp_row row;
        struct seam_value key = seam_v_int(101 + (int64_t)(i % 40)), values[SEAM_COLUMNS_MAX];
        struct seam_buf copy = {0};
        uint64_t due = start + (uint64_t)((double)i / rate * 1e9);
        uint32_t table;

        while (bench_now_ns() < due) usleep(50);
        bench_need(oltp_write_begin(s.db, &t, &f), &f, "begin");
        bench_need(oltp_table(t, "products", &table, &f), &f, "products");
        if (oltp_get(t, table, &key, &row, NULL) != SEAM_OK) {
            oltp_end(t);
            out[i] = (struct commit_time){0};
            continue;
        }
        seam_buf_append(&copy, row.row.data, row.row.size);
        bench_need(seam_row_decode(oltp_schema(t, table), copy.data, copy.size, values, &f), &f,
                   "row");
        values[seam_schema_column(oltp_schema(t, table), "price")].i += 1;
        bench_need(oltp_put(t, table, values, &f), &f, "put");
        bench_need(oltp_commit(t, OLTP_DURABLE, &commit, &f), &f, "commit");
        out[i] = (struct commit_time){commit.lsn, bench_now_ns()};
        seam_buf_free(&copy);
    }
    (void)b;
    bench_need(platform_close_source(&s, SEAM_OK, &f), &f, "close");
}

/* A store's positions over time, sampled as it confirms them.                                       */
struct sample {
    seam_lsn_t lsn;
    uint64_t ns;
};
struct watcher {
    struct sample *samples[SEAM_ARRAY_LEN(seen_in)];
    size_t count[SEAM_ARRAY_LEN(seen_in)], cap;
};

static bool sample_all(struct stream_consumers *c, struct watcher *w, seam_lsn_t until)
{
    struct stream_consumer list[STREAM_CONSUMERS_MAX];
    size_t n = stream_consumers_list(c, list), done = 0;
    uint64_t now = bench_now_ns();

    for (size_t i = 0; i < SEAM_ARRAY_LEN(seen_in); i++)
        for (size_t k = 0; k < n; k++) {
            struct sample *s = w->samples[i];
            size_t *count = &w->count[i];

            if (strcmp(list[k].name, seen_in[i]) != 0) continue;
            if ((*count == 0 || s[*count - 1].lsn != list[k].lsn) && *count < w->cap)
                s[(*count)++] = (struct sample){list[k].lsn, now};
            done += until != 0 && list[k].lsn >= until;
        }
    return done == SEAM_ARRAY_LEN(seen_in);
}

static void report_lag(struct bench *b, const struct watcher *w, const struct commit_time *commits,
                       size_t n, double rate)
{
    uint64_t *worst = calloc(n, sizeof *worst); /* of each commit, over the stores */
    struct seam_histogram h, slowest;
    char name[64];

    for (size_t i = 0; i < SEAM_ARRAY_LEN(seen_in); i++) {
        size_t at = 0, unseen = 0;

        seam_histogram_init(&h);
        for (size_t k = 0; k < n; k++) {
            uint64_t lag;

            if (commits[k].lsn == 0) continue;
            while (at < w->count[i] && w->samples[i][at].lsn < commits[k].lsn) at++;
            if (at == w->count[i]) {
                unseen++;
                continue;
            }
            lag = w->samples[i][at].ns > commits[k].ns ? w->samples[i][at].ns - commits[k].ns : 0;
            seam_histogram_add(&h, lag);
            if (lag > worst[k]) worst[k] = lag;
        }
        BENCH_CHECK(b, unseen == 0);
        snprintf(name, sizeof name, "lag_%s_%.0f_per_s", seen_in[i], rate);
        bench_row_latency(
            b,
            &(struct bench_row){
                .workload = name, .n = h.count, .threads = 1, .lower_is_better = true},
            &h, NULL);
    }
    seam_histogram_init(&slowest);
    for (size_t k = 0; k < n; k++)
        if (commits[k].lsn != 0) seam_histogram_add(&slowest, worst[k]);
    snprintf(name, sizeof name, "lag_all_%.0f_per_s", rate);
    bench_row_latency(
        b,
        &(struct bench_row){
            .workload = name, .n = slowest.count, .threads = 1, .lower_is_better = true},
        &slowest, NULL);
    free(worst);
}

static void measure_lag(struct bench *b, struct platform *p, double rate, size_t n)
{
    struct commit_time *commits = calloc(n, sizeof *commits);
    struct stream_consumers *c = NULL;
    struct watcher w = {.cap = n * 4 + 4096};
    struct seam_fault f = {0};
    pid_t pids[SEAM_ARRAY_LEN(sinks) + 1], writer;
    char dir[SEAM_PATH_MAX_BYTES];
    int fd[2];
    size_t got = 0;

    for (size_t i = 0; i < SEAM_ARRAY_LEN(seen_in); i++)
        w.samples[i] = calloc(w.cap, sizeof **w.samples);
    pids[0] = start_part(p, NULL);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(sinks); i++) pids[i + 1] = start_part(p, sinks[i]);
    bench_need(platform_path(p, "stream", dir, &f), &f, "stream");
    bench_need(stream_consumers_open(p->io, dir, &c, &f), &f, "consumers");
    usleep(500000);
    if (pipe(fd) != 0) exit(5);
    writer = fork();
    if (writer == 0) {
        commit_paced(b, p, commits, n, rate);
        if (write(fd[1], "x", 1) != 1) _exit(1);
        for (size_t at = 0; at < n * sizeof *commits;) {
            ssize_t k = write(fd[1], (char *)commits + at, n * sizeof *commits - at);

            if (k <= 0) _exit(1);
            at += (size_t)k;
        }
        _exit(0);
    }
    close(fd[1]);
    for (bool done = false; !done;) { /* until the writer is through ... */
        int status;

        sample_all(c, &w, 0);
        usleep(100);
        if (got == 0) {
            fd_set set;
            struct timeval none = {0, 0};

            FD_ZERO(&set);
            FD_SET(fd[0], &set);
            if (select(fd[0] + 1, &set, NULL, NULL, &none) > 0) {
                char x;

                if (read(fd[0], &x, 1) != 1) exit(5);
                while (got < n * sizeof *commits) {
                    ssize_t k = read(fd[0], (char *)commits + got, n * sizeof *commits - got);

                    if (k <= 0) exit(5);
                    got += (size_t)k;
                }
                waitpid(writer, &status, 0);
                done = true;
            }
        }
    }
    for (int i = 0; i < 20000 && !sample_all(c, &w, commits[n - 1].lsn); i++)
        usleep(500); /* ... and the sinks are */
    report_lag(b, &w, commits, n, rate);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(pids); i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    stream_consumers_close(c);
    close(fd[0]);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(seen_in); i++) free(w.samples[i]);
    free(commits);
}

static void measure_audit(struct bench *b, const struct platform *p)
{
    struct audit_proof proof = {0};
    struct audit_reader *r = NULL;
    struct seam_buf difference = {0};
    struct seam_fault f = {0};
    uint64_t checked = 0, start;
    char dir[SEAM_PATH_MAX_BYTES];

    bench_need(platform_sink_path(p, "audit", dir, &f), &f, "audit");
    for (int threads = 1; threads <= 2; threads++) {
        bench_need(audit_prove(p, dir, threads, &proof, &difference, &f), &f, "prove");
        BENCH_CHECK(b, proof.different == 0);
        bench_row(b, &(struct bench_row){.workload = "audit_prove",
                                         .metric = "throughput",
                                         .unit = "events/s",
                                         .n = proof.events,
                                         .threads = threads,
                                         .ours = bench_value((double)proof.events /
                                                             ((double)proof.elapsed_ns / 1e9))});
    }
    start = bench_now_ns();
    bench_need(audit_reader_open(p->io, dir, &r, &f), &f, "audit");
    bench_need(audit_verify(r, &checked, &f), &f, "verify");
    audit_reader_close(r);
    bench_row(b,
              &(struct bench_row){
                  .workload = "audit_verify",
                  .metric = "throughput",
                  .unit = "events/s",
                  .n = checked,
                  .threads = 1,
                  .ours = bench_value((double)checked / ((double)(bench_now_ns() - start) / 1e9))});
    seam_buf_free(&difference);
}

int main(int argc, char **argv)
{
    struct platform p;
    struct bench b;

    bench_open(&b, "pipeline", NULL, 0, argc, argv);
    make_platform(&b, &p, bench_size(&b, 20000, 50000, 250000));
    apply_history(&b, &p);
    measure_audit(&b, &p);
    measure_lag(&b, &p, 200, bench_size(&b, 600, 2000, 6000));
    measure_lag(&b, &p, 1000, bench_size(&b, 3000, 10000, 30000));
    platform_close(&p);
    return bench_close(&b);
}
