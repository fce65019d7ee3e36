/* bench_wal - how close does the log come to the disk, alone and in company?
 *
 * Commits are what the row store writes: BEGIN, one ROW with a 200-byte row, COMMIT. The bound is
 * measured in the same rounds: 256-byte overwrites of written zeros + fdatasync on one file, one
 * thread. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/bench.h"
#include "engine/io/io.h"
#include "wal/change.h"
#include "wal/wal.h"

enum { ROW = 200, COMMITTERS = 8 };

static int next_dir;

struct setup {
    struct bench *b;
    int threads;
    enum wal_mode mode;
    bool dsync, no_gather;
    double seconds;
    struct seam_histogram latency; /* durable commits, all rounds */
    struct wal_stats stats;        /* of the last round */
};

static struct wal *fresh_log(struct setup *s, char dir[600])
{
    struct wal_options o = {.dsync = s->dsync, .no_gather = s->no_gather};
    struct wal *w = NULL;
    struct seam_fault f = {0};

    snprintf(dir, 600, "%s/log%d", bench_scratch(s->b), next_dir++);
    bench_need(wal_open(dir, &o, &w, NULL, &f), &f, "open a log");
    return w;
}

static void drop_log(struct wal *w, const char *dir)
{
    struct seam_fault f = {0};

    bench_need(wal_close(w, &f), &f, "close the log");
    bench_need(seam_io_remove_tree(seam_io_posix(), dir, &f), &f, "remove the log");
}

/* One transaction of one change; the bytes are made on the stack, as the row store does. */
static seam_lsn_t append_transaction(struct wal *w, uint64_t txn)
{
    uint8_t head[WAL_CHANGE_HEAD_MAX + 16], mid[10], row[ROW], key[8], small[64];
    struct wal_change_row c = {.txn = txn,
                               .table = 1,
                               .version = 1,
                               .op = WAL_OP_INSERT,
                               .key = {key, 8},
                               .after = {row, ROW}};
    struct seam_buf b = {.data = small, .cap = sizeof small, .limit = sizeof small};
    struct wal_span at;
    struct seam_fault f = {0};
    size_t n, mid_size;

    memset(row, (int)txn, sizeof row);
    seam_put_u64(key, txn);
    wal_change_put_begin(&b, &(struct wal_change_begin){txn});
    bench_need(wal_append(w, WAL_CHANGE_BEGIN, &(struct seam_io_slice){b.data, b.size}, 1, &at, &f),
               &f, "append");
    n = wal_change_row_head(head, &c, mid, &mid_size);
    bench_need(
        wal_append(w, WAL_CHANGE_ROW, (struct seam_io_slice[]){{head, n}, {row, ROW}}, 2, &at, &f),
        &f, "append");
    b.size = 0;
    wal_change_put_commit(
        &b, &(struct wal_change_commit){txn, 1700000000000000 + (int64_t)txn, 1, 300, 0});
    bench_need(
        wal_append(w, WAL_CHANGE_COMMIT, &(struct seam_io_slice){b.data, b.size}, 1, &at, &f), &f,
        "append");
    return at.end;
}

struct committer {
    struct setup *s;
    struct wal *w;
    pthread_mutex_t *writer; /* one writer at a time, as in the row store */
    uint64_t *txn, until_ns, commits;
    struct seam_histogram latency;
};

static void *commit_until(void *arg)
{
    struct committer *c = arg;
    struct seam_fault f = {0};
    uint64_t now = bench_now_ns();

    seam_histogram_init(&c->latency);
    while (now < c->until_ns) {
        uint64_t start = now;
        seam_lsn_t lsn;

        pthread_mutex_lock(c->writer);
        lsn = append_transaction(c->w, ++*c->txn);
        pthread_mutex_unlock(c->writer);
        bench_need(wal_commit(c->w, lsn, c->s->mode, &f), &f, "commit");
        if (c->s->mode == WAL_DURABLE) BENCH_CHECK(c->s->b, wal_durable_lsn(c->w) >= lsn);
        c->commits++;
        now = bench_now_ns();
        seam_histogram_add(&c->latency, now - start);
    }
    return NULL;
}

static double run_commits(void *ctx)
{
    struct setup *s = ctx;
    pthread_mutex_t writer = PTHREAD_MUTEX_INITIALIZER;
    struct committer c[COMMITTERS];
    pthread_t t[COMMITTERS];
    uint64_t txn = 0, commits = 0, start;
    char dir[600];
    struct wal *w = fresh_log(s, dir);
    double seconds;

    start = bench_now_ns();
    for (int i = 0; i < s->threads; i++) {
        c[i] = (struct committer){.s = s,
                                  .w = w,
                                  .writer = &writer,
                                  .txn = &txn,
                                  .until_ns = start + (uint64_t)(s->seconds * 1e9)};
        if (pthread_create(&t[i], NULL, commit_until, &c[i]) != 0) abort();
    }
    for (int i = 0; i < s->threads; i++) {
        pthread_join(t[i], NULL);
        commits += c[i].commits;
        seam_histogram_merge(&s->latency, &c[i].latency);
    }
    seconds = (double)(bench_now_ns() - start) / 1e9;
    wal_stats(w, &s->stats);
    drop_log(w, dir);
    return (double)commits / seconds;
}

/* The bound: the same bytes, no log. */
static double run_raw(void *ctx)
{
    struct setup *s = ctx;
    char path[600];
    uint8_t page[256] = {1};
    uint64_t n = 0, at = 0, start;
    struct seam_file *file = NULL;
    struct seam_fault f = {0};

    snprintf(path, sizeof path, "%s/raw%d", bench_scratch(s->b), next_dir++);
    bench_need(seam_file_open(seam_io_posix(), path, SEAM_FILE_WRITE | SEAM_FILE_CREATE, &file, &f),
               &f, "open");
    bench_need(seam_file_fill_zero(file, 0, 16 << 20, &f), &f, "fill");
    bench_need(seam_file_sync(file, &f), &f, "sync");
    start = bench_now_ns();
    while (bench_now_ns() - start < (uint64_t)(s->seconds * 1e9)) {
        bench_need(seam_file_write(file, at, page, sizeof page, &f), &f, "write");
        bench_need(seam_file_datasync(file, &f), &f, "sync");
        at = (at + sizeof page) % (16 << 20);
        n++;
    }
    seam_file_close(file);
    bench_need(seam_io_unlink(seam_io_posix(), path, &f), &f, "remove");
    return (double)n / ((double)(bench_now_ns() - start) / 1e9);
}

static void report_groups(struct bench *b, const char *name, const struct setup *s)
{
    double per = s->stats.syncs > 0 ? (double)s->stats.commits / (double)s->stats.syncs : 0;

    fprintf(b->report, "  %s: %.1f commits a sync; groups of 1/2/3-4/5-8/more:", name, per);
    for (int i = 0; i < 4; i++)
        fprintf(b->report, " %llu", (unsigned long long)s->stats.group_sizes[i]);
    fprintf(b->report, " %llu; sync p50 %.0f us p99 %.0f us\n",
            (unsigned long long)(s->stats.group_sizes[4] + s->stats.group_sizes[5]),
            (double)seam_histogram_percentile(&s->stats.sync_ns, 50) / 1e3,
            (double)seam_histogram_percentile(&s->stats.sync_ns, 99) / 1e3);
}

static void bench_commits(struct bench *b)
{
    double seconds = (double)bench_size(b, 6, 15, 30) / 10;
    struct setup one = {.b = b, .threads = 1, .seconds = seconds}, one_dsync = one, eight = one,
                 eight_alone = one, eight_dsync = one, deferred = one, written = one, raw = one;
    struct bench_side sides[8];

    one_dsync.dsync = eight_dsync.dsync = true;
    eight.threads = eight_alone.threads = eight_dsync.threads = COMMITTERS;
    eight_alone.no_gather = true;
    deferred.mode = WAL_DEFERRED;
    written.mode = WAL_WRITTEN;
    sides[0] = (struct bench_side){.run = run_raw, .ctx = &raw};
    sides[1] = (struct bench_side){.run = run_commits, .ctx = &one};
    sides[2] = (struct bench_side){.run = run_commits, .ctx = &one_dsync};
    sides[3] = (struct bench_side){.run = run_commits, .ctx = &eight};
    sides[4] = (struct bench_side){.run = run_commits, .ctx = &eight_alone};
    sides[5] = (struct bench_side){.run = run_commits, .ctx = &eight_dsync};
    sides[6] = (struct bench_side){.run = run_commits, .ctx = &deferred};
    sides[7] = (struct bench_side){.run = run_commits, .ctx = &written};
    for (int i = 1; i < 8; i++) seam_histogram_init(&((struct setup *)sides[i].ctx)->latency);
    bench_interleave(sides, 8, (int)bench_size(b, 3, 5, 9));

    double bound = sides[0].stat.median;
    struct bench_row row = {
        .metric = "commits", .unit = "/s", .n = 1, .threads = 1, .limit = bound};
    row.workload = "durable commit";
    row.ours = sides[1].stat;
    row.target = 0.9;
    bench_row(b, &row);
    row.workload = "durable commit, O_DSYNC";
    row.ours = sides[2].stat;
    row.target = 0;
    bench_row(b, &row);
    row.threads = COMMITTERS;
    row.limit = bound * COMMITTERS;
    row.workload = "durable commit";
    row.ours = sides[3].stat;
    row.target = 0.5;
    bench_row(b, &row);
    row.target = 0;
    row.workload = "durable commit, leader never waits";
    row.ours = sides[4].stat;
    bench_row(b, &row);
    row.workload = "durable commit, O_DSYNC";
    row.ours = sides[5].stat;
    bench_row(b, &row);
    row.threads = 1;
    row.limit = 0;
    row.workload = "deferred commit";
    row.ours = sides[6].stat;
    bench_row(b, &row);
    row.workload = "written commit";
    row.ours = sides[7].stat;
    bench_row(b, &row);
    report_groups(b, "8 threads", &eight);
    report_groups(b, "8 threads, leader never waits", &eight_alone);
    report_groups(b, "8 threads, O_DSYNC", &eight_dsync);
    row = (struct bench_row){.workload = "durable commit", .n = 1, .threads = 1};
    bench_row_latency(b, &row, &one.latency, NULL);
    row.threads = COMMITTERS;
    bench_row_latency(b, &row, &eight.latency, NULL);
}

/* ---- throughput of bytes ---- */

struct bulk {
    struct bench *b;
    uint64_t n;
    double append, read, decode, recover;
    uint64_t bytes;
};

static double bulk_append(void *ctx)
{
    struct bulk *k = ctx;
    struct setup s = {.b = k->b};
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct wal_options o = {0};
    struct wal_change_row c;
    struct seam_fault f = {0};
    char dir[600];
    struct wal *w = fresh_log(&s, dir);
    uint64_t start = bench_now_ns(), records = 0, rows = 0, sum = 0;
    seam_lsn_t lsn = SEAM_LSN_NONE;

    for (uint64_t i = 0; i < k->n; i++) lsn = append_transaction(w, i);
    bench_need(wal_commit(w, lsn, WAL_DURABLE, &f), &f, "commit");
    k->append = (double)(bench_now_ns() - start) / 1e9;
    k->bytes = lsn;
    bench_need(wal_reader_open(seam_io_posix(), dir, SEAM_LSN_NONE, 0, &r, &f), &f, "read");
    start = bench_now_ns();
    while (wal_reader_next(r, &rec, &f) == SEAM_OK) records++;
    k->read = (double)(bench_now_ns() - start) / 1e9;
    BENCH_CHECK(k->b, records == 3 * k->n);
    bench_need(wal_reader_seek(r, SEAM_LSN_NONE, &f), &f, "seek");
    start = bench_now_ns();
    while (wal_reader_next(r, &rec, &f) == SEAM_OK) {
        if (rec.type != WAL_CHANGE_ROW) continue;
        bench_need(wal_change_get_row(rec.data, rec.size, &c, &f), &f, "decode");
        sum += c.after.size;
        rows++;
    }
    k->decode = (double)(bench_now_ns() - start) / 1e9;
    BENCH_CHECK(k->b, rows == k->n && sum == ROW * k->n);
    wal_reader_close(r);
    bench_need(wal_close(w, &f), &f, "close");
    start = bench_now_ns();
    w = NULL;
    bench_need(wal_open(dir, &o, &w, NULL, &f), &f, "open");
    k->recover = (double)(bench_now_ns() - start) / 1e9;
    BENCH_CHECK(k->b, wal_end_lsn(w) == lsn);
    drop_log(w, dir);
    return 0;
}

static void bench_bulk(struct bench *b)
{
    struct bulk k = {.b = b, .n = bench_size(b, 300000, 1000000, 4000000)};
    double values[4][5];
    struct bench_row row = {.n = k.n, .threads = 1};
    int rounds = 3;

    for (int i = 0; i < rounds; i++) {
        bulk_append(&k);
        values[0][i] = (double)k.n / k.append;
        values[1][i] = (double)k.bytes / k.read / 1e9;
        values[2][i] = (double)k.n / k.decode;
        values[3][i] = k.recover * 1e3;
    }
    row.workload = "append without a sync between";
    row.metric = "transactions";
    row.unit = "/s";
    row.ours = bench_stat_of(values[0], rounds);
    bench_row(b, &row);
    row.workload = "read back, checksums verified";
    row.metric = "bytes";
    row.unit = "GB/s";
    row.ours = bench_stat_of(values[1], rounds);
    bench_row(b, &row);
    row.workload = "read and decode row changes";
    row.metric = "changes";
    row.unit = "/s";
    row.ours = bench_stat_of(values[2], rounds);
    bench_row(b, &row);
    row.workload = "reopen (scan of the last segment)";
    row.metric = "time";
    row.unit = "ms";
    row.lower_is_better = true;
    row.ours = bench_stat_of(values[3], rounds);
    bench_row(b, &row);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_open(&b, "wal", NULL, 0, argc, argv);
    bench_commits(&b);
    bench_bulk(&b);
    return bench_close(&b);
}
