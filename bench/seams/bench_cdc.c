/* bench_cdc - how fast and how soon do committed changes reach the stream?
 *
 *   writers (this process) --> log --> relay (a process of its own) --> stream --> reader (this
 *   process)
 *
 * Catch-up: the relay against a log that is there already, in one-row transactions and in large
 * ones.
 * Lag: 8 writers paced to 1,000 commits/s together; for each commit, the time from its
 * acknowledgement to a reader holding its event. Attached: unpaced commits/s with relay and reader
 * running, against without.
 * PostgreSQL 15 logical decoding on the same kind of machine (docs/measured/benchmarks.md, measured once):
 * 159,000 and 286,000 changes/s, 28/108 us, 80 % of the write rate. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/common/bench.h"
#include "engine/base/rng.h"
#include "pipeline/relay/relay.h"
#include "wal/change.h"
#include "wal/wal.h"

enum { ROW = 170, WRITERS = 8 };

static int next_dir;

static struct platform fresh_place(struct bench *b)
{
    struct platform p = {.io = seam_io_posix(), .clock = seam_clock_real(), .log_id = 9};

    snprintf(p.dir, sizeof p.dir, "%s/p%d", bench_scratch(b), next_dir++);
    return p;
}

static struct wal *open_log(const struct platform *p)
{
    struct wal_options o = {.log_id = p->log_id};
    struct wal *w = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    bench_need(seam_path_join(dir, p->dir, "wal", &f), &f, "name the log");
    bench_need(wal_open(dir, &o, &w, NULL, &f), &f, "open the log");
    return w;
}

static struct stream_reader *open_stream(const struct platform *p)
{
    struct stream_reader *r = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    bench_need(seam_path_join(dir, p->dir, "stream", &f), &f, "name the stream");
    bench_need(stream_reader_open(p->io, dir, STREAM_FROM_START, 0, &r, &f), &f, "open the stream");
    return r;
}

static void append(struct wal *w, uint8_t type, struct seam_buf *b, struct wal_span *at)
{
    struct seam_fault f = {0};

    bench_need(wal_append(w, type, &(struct seam_io_slice){b->data, b->size}, 1, at, &f), &f,
               "append");
    seam_buf_clear(b);
}

/* An update of `rows` rows, as the row store logs it: before and after images. */
static seam_lsn_t append_transaction(struct wal *w, uint64_t txn, uint64_t rows, struct seam_buf *b)
{
    uint8_t before[ROW], after[ROW], key[8];
    struct wal_span at;

    memset(before, 1, sizeof before);
    memset(after, 2, sizeof after);
    wal_change_put_begin(b, &(struct wal_change_begin){txn});
    append(w, WAL_CHANGE_BEGIN, b, &at);
    for (uint64_t i = 0; i < rows; i++) {
        seam_put_u64(key, txn * 7 + i);
        wal_change_put_row(b, &(struct wal_change_row){.txn = txn,
                                                       .seq = i,
                                                       .table = 1,
                                                       .version = 1,
                                                       .op = WAL_OP_UPDATE,
                                                       .key = {key, 8},
                                                       .before = {before, ROW},
                                                       .after = {after, ROW}});
        append(w, WAL_CHANGE_ROW, b, &at);
    }
    wal_change_put_commit(
        b, &(struct wal_change_commit){txn, 1700000000000000 + (int64_t)txn, rows, 0, 0});
    append(w, WAL_CHANGE_COMMIT, b, &at);
    return at.end;
}

/* ---- catch-up ---- */

/* Microseconds to open a reader at a random LSN and get its first event. */
static double seek_us(struct bench *b, const struct platform *p, seam_lsn_t last)
{
    enum { SEEKS = 100 };
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    uint64_t start = bench_now_ns(), state = 7;

    bench_need(seam_path_join(dir, p->dir, "stream", &f), &f, "name the stream");
    for (int i = 0; i < SEEKS; i++) {
        struct stream_reader *r = NULL;
        struct stream_event e;
        seam_lsn_t lsn = seam_splitmix64(&state) % last;

        bench_need(stream_reader_open(p->io, dir, STREAM_FROM_LSN, (int64_t)lsn, &r, &f), &f,
                   "seek");
        do {
            bench_need(stream_reader_next(r, &e, &f), &f, "read");
        } while (e.kind == STREAM_BEAT);
        BENCH_CHECK(b, e.lsn > lsn);
        stream_reader_close(r);
    }
    return (double)(bench_now_ns() - start) / 1e3 / SEEKS;
}

static double catch_up(struct bench *b, uint64_t transactions, uint64_t rows, double *seek)
{
    struct platform p = fresh_place(b);
    struct wal *w = open_log(&p);
    struct relay *relay = NULL;
    struct relay_stats stats;
    struct seam_buf buf = {0};
    struct seam_fault f = {0};
    uint64_t start;
    double seconds;

    for (uint64_t i = 0; i < transactions; i++) (void)append_transaction(w, i + 1, rows, &buf);
    bench_need(wal_flush(w, &f), &f, "flush");
    start = bench_now_ns();
    bench_need(relay_open(&p, NULL, &relay, &f), &f, "open the relay");
    bench_need(relay_run(relay, &(struct relay_run_options){.until_caught_up = true}, &f), &f,
               "relay");
    seconds = (double)(bench_now_ns() - start) / 1e9;
    relay_stats(relay, &stats);
    BENCH_CHECK(b, stats.events == transactions * rows);
    if (seek != NULL) *seek = seek_us(b, &p, stats.lsn - 1000);
    bench_need(relay_close(relay, &f), &f, "close the relay");
    bench_need(wal_close(w, &f), &f, "close the log");
    bench_need(seam_io_remove_tree(p.io, p.dir, &f), &f, "remove");
    seam_buf_free(&buf);
    return (double)(transactions * rows) / seconds;
}

static void bench_catch_up(struct bench *b)
{
    uint64_t n = bench_size(b, 300000, 1000000, 3000000);
    struct bench_row row = {
        .metric = "changes", .unit = "/s", .n = n, .threads = 1, .target = 1, .limit = 1000000};
    double small[5], large[5], seek[5];

    for (int i = 0; i < 3; i++) {
        small[i] = catch_up(b, n, 1, &seek[i]);
        large[i] = catch_up(b, 5, n / 5, NULL);
    }
    row.workload = "catch-up, one-row transactions (limit: the 1 M/s asked for)";
    row.ours = bench_stat_of(small, 3);
    bench_row(b, &row);
    row.workload = "catch-up, 5 large transactions";
    row.ours = bench_stat_of(large, 3);
    bench_row(b, &row);
    row = (struct bench_row){.workload = "open a reader at a random LSN, first event in hand",
                             .metric = "time",
                             .unit = "us",
                             .n = n,
                             .threads = 1,
                             .lower_is_better = true,
                             .ours = bench_stat_of(seek, 3)};
    bench_row(b, &row);
}

/* ---- live ---- */

struct live {
    struct bench *b;
    struct platform p;
    struct wal *w;
    pthread_mutex_t writer;
    uint64_t next, until_ns, count;
    double rate; /* commits a second of all writers together; 0: as fast as they can */
    _Atomic uint64_t *acked_ns; /* by transaction, from 1 */
    uint64_t *seen_ns, capacity;
    _Atomic bool stop;
    _Atomic uint64_t committed, seen;
};

static void *write_live(void *arg)
{
    struct live *l = arg;
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    for (;;) {
        uint64_t txn, due;
        seam_lsn_t lsn;

        pthread_mutex_lock(&l->writer);
        txn = l->next++;
        due = l->rate > 0 ? l->until_ns + (uint64_t)((double)txn / l->rate * 1e9) : 0;
        pthread_mutex_unlock(&l->writer);
        if (txn > l->count) break;
        while (due > bench_now_ns()) {
            uint64_t left = due - bench_now_ns();

            usleep(left > 60000 && left < (1ull << 40) ? (useconds_t)(left / 1000 - 55) : 1);
        }
        if (l->rate == 0 && bench_now_ns() >= l->until_ns) break;
        pthread_mutex_lock(&l->writer);
        lsn = append_transaction(l->w, txn, 1, &b);
        pthread_mutex_unlock(&l->writer);
        bench_need(wal_commit(l->w, lsn, WAL_DURABLE, &f), &f, "commit");
        if (txn < l->capacity) atomic_store(&l->acked_ns[txn], bench_now_ns());
        atomic_fetch_add(&l->committed, 1);
    }
    seam_buf_free(&b);
    return NULL;
}

static void *read_live(void *arg)
{
    struct live *l = arg;
    struct stream_reader *r = open_stream(&l->p);
    struct stream_event e;
    struct seam_fault f = {0};

    while (!atomic_load(&l->stop)) {
        enum seam_status st = stream_reader_next(r, &e, &f);

        if (st == SEAM_END) {
            st = stream_reader_wait(r, 100000000);
            continue;
        }
        bench_need(st, &f, "read the stream");
        if (e.kind != STREAM_ROW) continue;
        if (e.txn < l->capacity) l->seen_ns[e.txn] = bench_now_ns();
        atomic_fetch_add(&l->seen, 1);
    }
    stream_reader_close(r);
    return NULL;
}

static pid_t start_relay(const struct platform *p)
{
    struct relay *relay = NULL;
    struct seam_fault f = {0};
    char text[800];
    pid_t pid = fork();

    if (pid != 0) return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (relay_open(p, NULL, &relay, &f) != SEAM_OK ||
        relay_run(relay, &(struct relay_run_options){0}, &f) != SEAM_OK)
        fprintf(stderr, "relay: %s\n", seam_fault_text(&f, text, sizeof text));
    _exit(1);
}

/* Returns commits a second. */
static double run_live(struct bench *b, double rate, double seconds, bool attached,
                       struct seam_histogram *lag, struct seam_histogram *commit)
{
    static struct live l;
    pthread_t writers[WRITERS], reader;
    uint64_t start, n = rate > 0 ? (uint64_t)(rate * seconds) : (uint64_t)(seconds * 400000);
    struct seam_fault f = {0};
    pid_t relay = 0;
    double took;

    memset(&l, 0, sizeof l);
    l.b = b;
    l.p = fresh_place(b);
    l.w = open_log(&l.p);
    l.rate = rate;
    l.count = n;
    l.capacity = n + 1;
    l.next = 1;
    l.acked_ns = calloc(l.capacity, sizeof *l.acked_ns);
    l.seen_ns = calloc(l.capacity, sizeof *l.seen_ns);
    pthread_mutex_init(&l.writer, NULL);
    if (attached) {
        char dir[SEAM_PATH_MAX_BYTES];
        struct stream_state state;

        relay = start_relay(&l.p);
        bench_need(seam_path_join(dir, l.p.dir, "stream", &f), &f, "name");
        while (stream_state(l.p.io, dir, &state, NULL) != SEAM_OK || !state.writer_alive)
            usleep(1000);
        usleep(50000);
        pthread_create(&reader, NULL, read_live, &l);
        usleep(20000);
    }
    start = bench_now_ns();
    l.until_ns = rate > 0 ? start : start + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < WRITERS; i++) pthread_create(&writers[i], NULL, write_live, &l);
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    took = (double)(bench_now_ns() - start) / 1e9;
    if (attached) {
        for (int i = 0; i < 2000 && l.seen < l.committed; i++) usleep(1000);
        BENCH_CHECK(b, l.seen == l.committed);
        l.stop = true;
        pthread_join(reader, NULL);
        (void)kill(relay, SIGKILL);
        (void)waitpid(relay, NULL, 0);
        for (uint64_t i = 1; lag != NULL && i < l.capacity; i++) {
            if (l.seen_ns[i] == 0 || l.acked_ns[i] == 0) continue;
            seam_histogram_add(lag,
                               l.seen_ns[i] > l.acked_ns[i] ? l.seen_ns[i] - l.acked_ns[i] : 1);
        }
    }
    if (commit != NULL) {
        struct wal_stats stats;

        wal_stats(l.w, &stats);
        seam_histogram_merge(commit, &stats.commit_ns);
    }
    took = (double)l.committed / took;
    bench_need(wal_close(l.w, &f), &f, "close");
    bench_need(seam_io_remove_tree(l.p.io, l.p.dir, &f), &f, "remove");
    free(l.acked_ns);
    free(l.seen_ns);
    return took;
}

static void bench_lag(struct bench *b)
{
    double seconds = (double)bench_size(b, 4, 8, 20);
    struct seam_histogram lag, commit;
    struct bench_row row = {
        .n = 1000, .threads = WRITERS, .lower_is_better = true, .metric = "lag", .unit = "us"};
    double rate;

    seam_histogram_init(&lag);
    seam_histogram_init(&commit);
    rate = run_live(b, 1000, seconds, true, &lag, &commit);
    fprintf(b->report,
            "  paced at 1,000 commits/s: %.0f/s reached; commit itself p50 %.0f us, p99 %.0f us\n",
            rate, (double)seam_histogram_percentile(&commit, 50) / 1e3,
            (double)seam_histogram_percentile(&commit, 99) / 1e3);
    row.workload = "acknowledged to readable at 1,000 commits/s, p50 (limit: asked for)";
    row.ours = bench_value((double)seam_histogram_percentile(&lag, 50) / 1e3);
    row.limit = 50;
    row.target = 1;
    bench_row(b, &row);
    row.workload = "acknowledged to readable at 1,000 commits/s, p99 (limit: asked for)";
    row.ours = bench_value((double)seam_histogram_percentile(&lag, 99) / 1e3);
    row.limit = 1000;
    bench_row(b, &row);
    row.limit = row.target = 0;
    row.workload = "acknowledged to readable at 1,000 commits/s";
    bench_row_latency(b, &row, &lag, NULL);
}

static void bench_attached(struct bench *b)
{
    double seconds = (double)bench_size(b, 1, 2, 5), with[5], without[5];
    struct seam_histogram lag;
    struct bench_row row = {.workload =
                                "durable commits with relay and reader attached (peer: without)",
                            .metric = "commits",
                            .unit = "/s",
                            .n = 1,
                            .threads = WRITERS,
                            .peer = "log alone",
                            .target = 0.9};

    seam_histogram_init(&lag);
    for (int i = 0; i < 3; i++) {
        without[i] = run_live(b, 0, seconds, false, NULL, NULL);
        with[i] = run_live(b, 0, seconds, true, &lag, NULL);
    }
    row.ours = bench_stat_of(with, 3);
    row.peer_value = bench_stat_of(without, 3);
    bench_row(b, &row);
    row.workload = "acknowledged to readable, unpaced";
    row.peer = NULL;
    row.target = 0;
    bench_row_latency(b, &row, &lag, NULL);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_open(&b, "cdc", NULL, 0, argc, argv);
    bench_catch_up(&b);
    bench_lag(&b);
    bench_attached(&b);
    return bench_close(&b);
}
