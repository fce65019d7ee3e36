/* bench_oltp - the row store beside SQLite, LMDB, RocksDB and WiredTiger: same rows, same code, one run.
 *
 * Every store runs the workloads of bench/peers/oltp_work.h; where two stores read the same rows, their
 * checksums must be equal. Ours writes the full logical log (rows before and after) all the while.
 *   --only WORD    one workload: load random commit relaxed read readers ycsb recovery large
 *   --large        only that: ten times the rows through a tenth of the memory (--full ends with it)
 *   --peers LIST   names, comma-separated; "none" */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common/bench.h"
#include "bench/peers/oltp_work.h"
#include "engine/base/rng.h"
#include "engine/values/key.h"
#include "oltp/oltp.h"

/* ---- ours ------------------------------------------------------------------------------------------ */

static struct {
    struct oltp *db;
    char dir[700];
    uint32_t table;
    enum oltp_mode mode;
    double stall_ms; /* longest time a checkpoint held the writer, since last asked */
} our;

struct session {
    struct oltp_txn *write, *read;
    struct seam_buf key;
};

static void need(enum seam_status st, const struct seam_fault *f, const char *what)
{
    bench_need(st, f, what);
}

static void our_open(const char *dir, int relaxed, long cache_mb)
{
    static const char json[] =
        "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":["
        "{\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"text\"}]}";
    char path[800], wal[800];
    struct oltp_options o = {.cache_bytes = (size_t)cache_mb << 20, .wal_dir = wal};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    snprintf(our.dir, sizeof our.dir, "%s", dir);
    snprintf(path, sizeof path, "%s/oltp", dir);
    snprintf(wal, sizeof wal, "%s/wal", dir);
    mkdir(dir, 0755);
    our.mode = relaxed ? OLTP_DEFERRED : OLTP_DURABLE;
    need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "open");
    need(oltp_write_begin(our.db, &t, &f), &f, "begin");
    if (oltp_table(t, "t", &our.table, NULL) != SEAM_OK)
        need(oltp_create_table_json(t, json, sizeof json - 1, &our.table, &f), &f, "create");
    need(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f, "commit");
}

static void our_close(void)
{
    struct seam_fault f = {0};

    struct oltp_stats stats;

    need(oltp_checkpoint(our.db, &f), &f, "checkpoint");
    oltp_stats(our.db, &stats);
    if ((double)stats.stall_ns.max / 1e6 > our.stall_ms)
        our.stall_ms = (double)stats.stall_ns.max / 1e6;
    need(oltp_close(our.db, &f), &f, "close");
    our.db = NULL;
}

static void *our_session(void)
{
    return calloc(1, sizeof(struct session));
}
static void our_session_end(void *s)
{
    seam_buf_free(&((struct session *)s)->key);
    free(s);
}

static void our_begin(void *s, int append)
{
    struct seam_fault f = {0};

    (void)append;
    need(oltp_write_begin(our.db, &((struct session *)s)->write, &f), &f, "begin");
}

static void our_put(void *s, uint64_t key, const char *value)
{
    struct seam_value v[2] = {seam_v_int((int64_t)key), seam_v_text(value, KV_VALUE)};
    struct seam_fault f = {0};

    need(oltp_put(((struct session *)s)->write, our.table, v, &f), &f, "put");
}

static void our_commit(void *s)
{
    struct seam_fault f = {0};

    need(oltp_commit(((struct session *)s)->write, our.mode, NULL, &f), &f, "commit");
}

static void our_read_begin(void *s)
{
    struct seam_fault f = {0};

    need(oltp_read_begin(our.db, &((struct session *)s)->read, &f), &f, "read");
}

static void our_read_end(void *s)
{
    oltp_end(((struct session *)s)->read);
}

static int our_get(void *s, uint64_t key, char *value)
{
    struct oltp_txn *t = ((struct session *)s)->read;
    struct seam_value k = seam_v_int((int64_t)key), v;
    struct oltp_row row;
    struct seam_fault f = {0};
    enum seam_status st = oltp_get(t, our.table, &k, &row, &f);

    if (st == SEAM_NOT_FOUND) return 0;
    need(st, &f, "get");
    need(seam_row_get(oltp_schema(t, our.table), row.row.data, row.row.size, 1, &v, &f), &f, "row");
    memcpy(value, v.s, KV_VALUE);
    return 1;
}

static uint64_t our_scan(void *s, uint64_t from, uint64_t n, uint64_t *sum)
{
    struct oltp_txn *t = ((struct session *)s)->read;
    struct seam_buf *low = &((struct session *)s)->key;
    struct seam_value k = seam_v_int((int64_t)from);
    struct oltp_range range = {0};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    uint64_t count = 0;

    seam_buf_clear(low);
    seam_key_append(low, &k);
    range.lower = (struct wal_bytes){low->data, low->size};
    need(oltp_cursor_open(t, our.table, 0, &range, 0, &c, &f), &f, "cursor");
    while (count < n && oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        uint64_t be;

        memcpy(&be, row.key.data + 1, 8);
        *sum += (__builtin_bswap64(be) ^ (1ull << 63)) + row.row.data[row.row.size - 1];
        count++;
    }
    oltp_cursor_close(c);
    return count;
}

static const struct kv_ops ours = {our_open,     our_close, our_session, our_session_end,
                                   our_begin,    our_put,   our_commit,  our_read_begin,
                                   our_read_end, our_get,   our_scan};

/* ---- a store: ours, or a peer at the end of a pipe -------------------------------------------------- */

enum { PEERS = 4, STORES = PEERS + 1, ROUNDS_MAX = 15 };
static const char *const names[STORES] = {"seam", "sqlite", "lmdb", "rocksdb", "wiredtiger"};

struct store {
    const char *name;
    struct bench_peer *peer;
    bool on;
    char dir[600];
};

static struct bench *bench;
static struct store stores[STORES];
static int64_t cache_mb = 1024;

static bool ask(struct store *s, char *reply, size_t size, const char *fmt, ...)
{
    char line[1400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (!s->on) return false;
    if (s->peer == NULL) {
        kv_run(&ours, line, reply, size);
        return true;
    }
    if (bench_peer_ask(s->peer, reply, size, "%s", line)) return true;
    s->on = false;
    fprintf(bench->report, "%s stopped at: %s\n", s->name, line);
    return false;
}

static void fresh(struct store *s, bool relaxed)
{
    char reply[256], dir[700];
    static int serial;

    snprintf(dir, sizeof dir, "%s/%s-%d", bench_scratch(bench), s->name, serial++);
    snprintf(s->dir, sizeof s->dir, "%.599s", dir);
    ask(s, reply, sizeof reply, "open %s %s %ld", s->dir, relaxed ? "relaxed" : "durable",
        (long)cache_mb);
}

static void finish(struct store *s, bool drop)
{
    char reply[256];

    ask(s, reply, sizeof reply, "close");
    if (drop && s->dir[0] != '\0')
        bench_need(seam_io_remove_tree(seam_io_posix(), s->dir, NULL), NULL, "clean up");
}

/* ---- results --------------------------------------------------------------------------------------- */

struct result {
    double value[STORES][ROUNDS_MAX];
    int rounds;
};

static void put_row(const char *workload, const char *metric, const char *unit, uint64_t n,
                    int threads, struct result *r, const char *best_only, double limit,
                    double target, double target_other, bool lower)
{
    struct bench_stat stat[STORES];
    int best = 0;

    for (int i = 0; i < STORES; i++) {
        stat[i] = stores[i].on ? bench_stat_of(r->value[i], r->rounds) : (struct bench_stat){0};
        if (i > 0 && stat[i].runs > 0 &&
            (best == 0 ||
             (lower ? stat[i].median < stat[best].median : stat[i].median > stat[best].median)))
            best = i;
    }
    for (int i = 1; i < STORES; i++) {
        bool named = best_only != NULL ? strcmp(best_only, names[i]) == 0 : i == best;
        struct bench_row row = {.workload = workload,
                                .metric = metric,
                                .unit = unit,
                                .n = n,
                                .threads = threads,
                                .ours = stat[0],
                                .peer = names[i],
                                .peer_value = stat[i],
                                .lower_is_better = lower,
                                .limit = limit,
                                .target = named ? target : target_other};

        bench_row(bench, &row);
    }
}

/* One number from each store for `line`; the second number, where there is one, must be the same for all. */
static void round_of(struct result *r, int round, const char *line)
{
    unsigned long long want = 0;
    bool have = false;

    for (int k = 0; k < STORES; k++) {
        int i = (k + round) % STORES;
        char reply[256] = "";
        double value = NAN, second = NAN;
        unsigned long long check = 0;

        r->value[i][round] = NAN;
        if (!ask(&stores[i], reply, sizeof reply, "%s", line)) continue;
        if (sscanf(reply, "%lf %llu", &value, &check) == 2 &&
            sscanf(reply, "%*f %lf %*f", &second) == 0)
            second = NAN;
        r->value[i][round] = value;
        if (strncmp(line, "read", 4) != 0 && strncmp(line, "range", 5) != 0 &&
            strncmp(line, "full", 4) != 0)
            continue;
        if (have && check != want)
            bench_wrong(bench, "%s: %s answers %llu, others %llu", line, stores[i].name, check,
                        want);
        want = check;
        have = true;
    }
    r->rounds = round + 1;
}

/* ---- workloads ------------------------------------------------------------------------------------- */

static void stall_row(const char *workload, uint64_t n);

static void load(uint64_t n, int rounds, bool random_order)
{
    struct result rate = {0}, size = {0};
    char line[100], reply[256];

    snprintf(line, sizeof line, "load %llu %d %s", (unsigned long long)n,
             random_order ? 1000 : 10000, random_order ? "random" : "order");
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < STORES; i++) fresh(&stores[i], false);
        round_of(&rate, round, line);
        for (int i = 0; i < STORES; i++) {
            double bytes = NAN;

            finish(&stores[i], false);
            if (stores[i].on && stores[i].peer == NULL) {
                char pages[700];

                snprintf(pages, sizeof pages, "%s/oltp", stores[i].dir);
                bytes = (double)kv_dir_bytes(pages);
            } else if (ask(&stores[i], reply, sizeof reply, "size %s", stores[i].dir)) {
                bytes = atof(reply);
            }
            size.value[i][round] = bytes / 1e6;
            if (stores[i].on)
                bench_need(seam_io_remove_tree(seam_io_posix(), stores[i].dir, NULL), NULL,
                           "clean up");
        }
        size.rounds = round + 1;
    }
    if (random_order)
        put_row("random insert, 1000 a txn", "rate", "rows/s", n, 1, &rate, "wiredtiger", 0, 1.3, 0,
                false);
    else
        put_row("load in key order, 10000 a txn", "rate", "rows/s", n, 1, &rate, "lmdb", 0, 1.0, 0,
                false);
    put_row(random_order ? "size after random insert" : "size after key-order load", "size", "MB",
            n, 1, &size, "sqlite", 0, random_order ? 0 : 1.0, 0, true);
    stall_row(random_order ? "random insert, 1000 a txn" : "load in key order, 10000 a txn", n);
}

/* One more run of `line` for the percentiles of its commits. */
static void latencies(const char *name, const char *line, uint64_t n, int threads)
{
    static const char *const metrics[] = {"p50", "p99", "p99.9"};
    struct result r[3];

    for (int m = 0; m < 3; m++) r[m].rounds = 1;
    for (int i = 0; i < STORES; i++) {
        char reply[256] = "";

        for (int m = 0; m < 3; m++) r[m].value[i][0] = NAN;
        if (ask(&stores[i], reply, sizeof reply, "%s", line))
            (void)!sscanf(reply, "%*f %lf %lf %lf", &r[0].value[i][0], &r[1].value[i][0],
                          &r[2].value[i][0]);
    }
    for (int m = 0; m < 3; m++)
        put_row(name, metrics[m], "us", n, threads, &r[m], NULL, 0, 0, 0, true);
}

/* How long the checkpoints since the last call held the writer, at most. */
static void stall_row(const char *workload, uint64_t n)
{
    struct bench_row row = {.workload = workload,
                            .metric = "writer held by a checkpoint, max",
                            .unit = "ms",
                            .n = n,
                            .threads = 1,
                            .ours = bench_value(our.stall_ms),
                            .lower_is_better = true};

    bench_row(bench, &row);
    our.stall_ms = 0;
}

static void commits(uint64_t n, double seconds, int rounds, bool relaxed)
{
    const int threads[] = {1, 8};
    char line[100], load_line[100], reply[256];
    double syncs = relaxed ? 0 : bench_fdatasync_rate(bench, bench_scratch(bench));

    snprintf(load_line, sizeof load_line, "load %llu 10000 order", (unsigned long long)n);
    for (int i = 0; i < STORES; i++) {
        fresh(&stores[i], relaxed);
        ask(&stores[i], reply, sizeof reply, "%s", load_line);
    }
    for (size_t k = 0; k < 2; k++) {
        struct result rate = {0};
        char name[80];

        snprintf(line, sizeof line, "commit %d %g %llu", threads[k], seconds,
                 (unsigned long long)n);
        for (int round = 0; round < rounds; round++) round_of(&rate, round, line);
        snprintf(name, sizeof name, "single-row commits, %s", relaxed ? "relaxed" : "durable");
        if (relaxed)
            put_row(name, "rate", "commits/s", n, threads[k], &rate, "wiredtiger", 0,
                    k == 0 ? 1.5 : 0, 0, false);
        else
            put_row(name, "rate", "commits/s", n, threads[k], &rate,
                    k == 0 ? "wiredtiger" : "rocksdb", k == 0 ? syncs : syncs * 8,
                    k == 0 ? 1.0 : 2.0, 0, false);
        latencies(name, line, n, threads[k]);
    }
    for (int i = 0; i < STORES; i++) finish(&stores[i], true);
}

static void reads(uint64_t n, uint64_t count, int rounds)
{
    char line[100], reply[256];
    const struct {
        const char *line, *name;
        int threads;
    } kinds[] = {{"read 1 %llu %llu each", "point read, a snapshot each", 1},
                 {"read 1 %llu %llu one", "point read, one snapshot", 1},
                 {"read 2 %llu %llu each", "point read, a snapshot each", 2}};

    snprintf(line, sizeof line, "load %llu 10000 order", (unsigned long long)n);
    for (int i = 0; i < STORES; i++) {
        fresh(&stores[i], false);
        ask(&stores[i], reply, sizeof reply, "%s", line);
        finish(&stores[i], false); /* reopened: reads come from the checkpointed file */
        ask(&stores[i], reply, sizeof reply, "open %s durable %ld", stores[i].dir, (long)cache_mb);
        ask(&stores[i], reply, sizeof reply, "full %llu", (unsigned long long)n);
    }
    for (size_t k = 0; k < 3; k++) {
        struct result rate = {0};

        snprintf(line, sizeof line, "read %d %llu %llu %s", kinds[k].threads,
                 (unsigned long long)count, (unsigned long long)n, k == 1 ? "one" : "each");
        for (int round = 0; round < rounds; round++) round_of(&rate, round, line);
        put_row(kinds[k].name, "rate", "reads/s", n, kinds[k].threads, &rate, "lmdb", 0, 1.0, 0,
                false);
    }
    for (int k = 0; k < 2; k++) {
        struct result rate = {0};

        if (k == 0)
            snprintf(line, sizeof line, "range %llu %llu", (unsigned long long)count / 10,
                     (unsigned long long)n);
        else
            snprintf(line, sizeof line, "full %llu", (unsigned long long)n);
        for (int round = 0; round < rounds; round++) round_of(&rate, round, line);
        put_row(k == 0 ? "range of 100 rows" : "full scan", "rate", "rows/s", n, 1, &rate, "lmdb",
                0, 1.0, 0, false);
    }
    for (int i = 0; i < STORES; i++) finish(&stores[i], true);
}

static void ycsb(uint64_t n, double seconds, int rounds)
{
    char line[100], reply[256];
    const char kinds[] = "abcef";
    /* What the disk allows one thread: operations a sync, where one in two, twenty, ... is a durable write. */
    const double ops_a_sync[] = {2, 20, 0, 20, 2};
    double syncs = bench_fdatasync_rate(bench, bench_scratch(bench));

    for (int i = 0; i < STORES; i++) {
        fresh(&stores[i], false);
        ask(&stores[i], reply, sizeof reply, "load %llu 10000 order", (unsigned long long)n);
    }
    for (size_t k = 0; k < 5; k++) {
        for (int threads = 1; threads <= (k == 0 ? 8 : 1); threads += 7) {
            struct result rate = {0};
            char name[60];

            snprintf(line, sizeof line, "ycsb %c %d %g %llu", kinds[k], threads, seconds,
                     (unsigned long long)n);
            for (int round = 0; round < rounds; round++) round_of(&rate, round, line);
            snprintf(name, sizeof name, "YCSB-%c durable, zipf 0.99", kinds[k] - 'a' + 'A');
            put_row(name, "rate", "ops/s", n, threads, &rate, NULL, syncs * ops_a_sync[k] * threads,
                    k < 2 ? 1.2 : 0, 0, false);
        }
    }
    for (int i = 0; i < STORES; i++) finish(&stores[i], true);
}

static void recovery(uint64_t n)
{
    struct oltp_options o = {.cache_bytes = (size_t)cache_mb << 20,
                             .checkpoint_log_bytes = UINT64_MAX};
    struct oltp_stats stats;
    struct bench_row row = {.workload = "recovery by replay",
                            .metric = "rate",
                            .unit = "changes/s",
                            .n = n,
                            .threads = 1};
    char dir[700], path[800], wal[800];
    struct seam_fault f = {0};
    void *s;
    uint64_t seed = 3;
    double began;

    snprintf(dir, sizeof dir, "%s/recovery", bench_scratch(bench));
    our_open(dir, 1, (long)cache_mb);
    need(oltp_close(our.db, &f), &f, "close");
    snprintf(path, sizeof path, "%s/oltp", dir);
    snprintf(wal, sizeof wal, "%s/wal", dir);
    o.wal_dir = wal;
    need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "open");
    s = our_session();
    for (uint64_t i = 0; i < n;) {
        char value[KV_VALUE];

        our_begin(s, 0);
        for (int j = 0; j < 1000 && i < n; j++, i++) {
            uint64_t key = kv_next(&seed) % n;

            kv_value(key, i, value);
            our_put(s, key, value);
        }
        our_commit(s);
    }
    our_session_end(s);
    need(oltp_close(our.db, &f), &f, "close");
    began = kv_now();
    need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "recover");
    began = kv_now() - began;
    oltp_stats(our.db, &stats);
    BENCH_CHECK(bench, stats.replayed_changes == n);
    row.ours = bench_value((double)n / began);
    row.limit = 500000; /* what was asked for */
    row.target = 1.0;
    bench_row(bench, &row);
    our_close();
    began = kv_now();
    need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "open");
    row = (struct bench_row){.workload = "cold open, checkpointed",
                             .metric = "time",
                             .unit = "ms",
                             .n = n,
                             .threads = 1,
                             .ours = bench_value((kv_now() - began) * 1e3),
                             .lower_is_better = true};
    bench_row(bench, &row);
    need(oltp_close(our.db, &f), &f, "close");
}

/* Forgets what the system has of the files below dir. */
static void drop_cached(const char *dir)
{
    static const char *const parts[] = {"oltp", "wal"};

    for (size_t i = 0; i < SEAM_ARRAY_LEN(parts); i++) {
        char path[1000];
        struct seam_io_list list = {0};

        snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        need(seam_io_list(seam_io_posix(), path, &list, NULL), NULL, "list");
        for (size_t k = 0; k < list.count; k++) {
            int fd;

            snprintf(path, sizeof path, "%s/%s/%s", dir, parts[i], list.names[k]);
            fd = open(path, O_RDONLY);
            if (fd < 0) continue;
            (void)!fsync(fd);
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
        seam_io_list_free(&list);
    }
}

/* A tenth of the rows changed at random since the checkpoint, nothing in memory, a cache of a tenth of the data:
 * with helpers that load ahead of the replay, and without. */
static void recovery_cold(uint64_t n)
{
    static const int helpers[] = {-1, 1, 2};
    struct oltp_options o = {.cache_bytes = (size_t)(n * (KV_VALUE + 8) / 10),
                             .checkpoint_log_bytes = UINT64_MAX};
    char dir[700], path[800], wal[800];
    struct seam_fault f = {0};
    double alone = 0;

    snprintf(dir, sizeof dir, "%s/cold", bench_scratch(bench));
    our_open(dir, 1, (long)cache_mb);
    (void)kv_load(&ours, n, 10000, 0);
    our_close();
    snprintf(path, sizeof path, "%s/oltp", dir);
    snprintf(wal, sizeof wal, "%s/wal", dir);
    o.wal_dir = wal;
    need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "open");
    (void)kv_update(&ours, n / 10, 1000, n);
    need(oltp_close(our.db, &f), &f, "close");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(helpers); i++) {
        struct oltp_stats stats;
        char name[80];
        struct bench_row row = {
            .workload = name, .metric = "rate", .unit = "changes/s", .n = n / 10};
        double began;

        drop_cached(dir);
        o.recovery_helpers = helpers[i];
        began = kv_now();
        need(oltp_open(seam_io_posix(), path, &o, &our.db, &f), &f, "recover");
        began = kv_now() - began;
        oltp_stats(our.db, &stats);
        BENCH_CHECK(bench, stats.replayed_changes == n / 10);
        need(oltp_close(our.db, &f), &f, "close");
        snprintf(name, sizeof name, "recovery, nothing cached, %d helpers",
                 i == 0 ? 0 : helpers[i]);
        if (i == 0) alone = (double)(n / 10) / began;
        row.threads = i == 0 ? 1 : 1 + helpers[i];
        row.ours = bench_value((double)(n / 10) / began);
        if (i > 0) {
            row.peer = "seam, no helpers";
            row.peer_value = bench_value(alone);
        }
        bench_row(bench, &row);
    }
    need(seam_io_remove_tree(seam_io_posix(), dir, &f), &f, "clean up");
}

/* ---- ten times the data through a tenth of the memory ------------------------------------------------ */

struct large_work {
    const char *name, *line; /* the line takes the number of rows */
    int threads;
    bool checked; /* every store must give the same second number */
};
static const struct large_work large_works[] = {
    {"load in key order, 10000 a txn", "load %llu 10000 order", 1, false},
    {"point read, a snapshot each", "read 1 200000 %llu each", 1, true},
    {"point read, a snapshot each", "read 2 200000 %llu each", 2, true},
    {"range of 100 rows", "range 20000 %llu", 1, true},
    {"full scan", "full %llu", 1, true},
    {"YCSB-C, zipf 0.99", "ycsb c 1 5 %llu", 1, false},
    {"YCSB-B durable, zipf 0.99", "ycsb b 2 5 %llu", 2, false},
    {"random update, 1000 a txn", "update 200000 1000 %llu", 1, false},
};
enum { LARGE_WORKS = SEAM_ARRAY_LEN(large_works) };

static void large_cache_line(uint64_t n)
{
    struct oltp_stats s;

    oltp_stats(our.db, &s);
    fprintf(
        bench->report,
        "seam: %llu rows in %.0f MB through %.0f MB of cache: %.1f %% of %llu page uses were hits, "
        "%llu evicted, %llu written back early, %llu read ahead\n",
        (unsigned long long)n, (double)s.file_bytes / 1e6, (double)s.cache_bytes / 1e6,
        s.uses > 0 ? 100.0 * (double)(s.uses - s.loads) / (double)s.uses : 100.0,
        (unsigned long long)s.uses, (unsigned long long)s.evictions,
        (unsigned long long)s.write_backs, (unsigned long long)s.read_ahead);
}

/* One store after the other, each gone from the disk before the next begins. */
static void large(uint64_t n)
{
    static struct result results[LARGE_WORKS], size;
    unsigned long long want[LARGE_WORKS] = {0};
    bool have[LARGE_WORKS] = {0};

    fprintf(bench->report,
            "large: %llu rows, a cache of %lld MB each; %.1f GB of free memory serve the misses of "
            "every "
            "store as the system's page cache (LMDB has no cache but that)\n",
            (unsigned long long)n, (long long)cache_mb,
            (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9);
    for (int i = 0; i < STORES; i++) {
        char line[100], reply[256];

        size.value[i][0] = NAN;
        if (stores[i].on) fresh(&stores[i], false);
        for (int w = 0; w < LARGE_WORKS; w++) {
            double value = NAN;
            unsigned long long check = 0;

            results[w].rounds = 1;
            snprintf(line, sizeof line, large_works[w].line, (unsigned long long)n);
            if (ask(&stores[i], reply, sizeof reply, "%s", line))
                (void)!sscanf(reply, "%lf %llu", &value, &check);
            results[w].value[i][0] = value;
            if (!stores[i].on) continue;
            if (large_works[w].checked && have[w] && check != want[w])
                bench_wrong(bench, "%s: %s answers %llu, others %llu", line, stores[i].name, check,
                            want[w]);
            want[w] = check;
            have[w] = true;
            if (w > 0) continue;
            finish(&stores[i], false); /* reopened: reads come from the checkpointed file */
            if (ask(&stores[i], reply, sizeof reply, "size %s%s", stores[i].dir,
                    i == 0 ? "/oltp" : ""))
                size.value[i][0] = atof(reply) / 1e6;
            ask(&stores[i], reply, sizeof reply, "open %s durable %ld", stores[i].dir,
                (long)cache_mb);
        }
        if (i == 0) large_cache_line(n);
        if (stores[i].on) finish(&stores[i], true);
    }
    size.rounds = 1;
    for (int w = 0; w < LARGE_WORKS; w++)
        put_row(large_works[w].name, "rate", w < 5 || w == 7 ? "rows/s" : "ops/s", n,
                large_works[w].threads, &results[w], NULL, 0, 0, 0, false);
    put_row("size after key-order load", "size", "MB", n, 1, &size, NULL, 0, 0, 0, true);
}

/* ---- readers that end beside a writer -------------------------------------------------------------- */

/* Seconds of `commits` single-row commits, at each of which `readers` snapshots begin before and end after. */
static double commits_beside(struct oltp *db, uint32_t table, uint64_t n, uint64_t commits,
                             int readers, struct seam_rng *r)
{
    static char pad[KV_VALUE];
    struct seam_fault f = {0};
    uint64_t began = seam_clock_mono_ns(seam_clock_real());

    for (uint64_t i = 0; i < commits; i++) {
        struct oltp_txn *t = NULL, *held[2] = {NULL};
        struct seam_value v[2] = {seam_v_int((int64_t)seam_rng_below(r, n)),
                                  seam_v_text(pad, sizeof pad)};

        for (int k = 0; k < readers; k++)
            bench_need(oltp_read_begin(db, &held[k], &f), &f, "a snapshot");
        bench_need(oltp_write_begin(db, &t, &f), &f, "begin");
        bench_need(oltp_put(t, table, v, &f), &f, "put");
        bench_need(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f, "commit");
        for (int k = 0; k < readers; k++) oltp_end(held[k]);
    }
    return (double)(seam_clock_mono_ns(seam_clock_real()) - began) / 1e9;
}

/* An old snapshot holds every page that was replaced since; two readers end at each commit. One thread, so that what they
 * cost the writer is not the cores they run on; slices with and without them take turns. */
static void readers(uint64_t n, uint64_t commits, int rounds)
{
    static const char json[] =
        "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":["
        "{\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"text\"}]}";
    char dir[800];
    struct oltp_options o = {.cache_bytes = (size_t)cache_mb << 20,
                             .checkpoint_log_bytes = UINT64_MAX};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL, *old = NULL;
    struct oltp_stats s;
    struct seam_rng r;
    struct seam_fault f = {0};
    double ratio[BENCH_ROUNDS_MAX];
    uint32_t table = 0;
    struct bench_row row = {.workload =
                                "commits, relaxed; an old snapshot, two readers end at each",
                            .metric = "rate / rate without readers",
                            .unit = "ratio",
                            .n = n,
                            .threads = 1};

    seam_rng_seed(&r, 1);
    snprintf(dir, sizeof dir, "%s/readers", bench_scratch(bench));
    bench_need(oltp_open(seam_io_posix(), dir, &o, &db, &f), &f, dir);
    bench_need(oltp_write_begin(db, &t, &f), &f, "begin");
    bench_need(oltp_create_table_json(t, json, sizeof json - 1, &table, &f), &f, "table");
    bench_need(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f, "commit");
    (void)commits_beside(db, table, n, n, 0, &r);
    bench_need(oltp_checkpoint(db, &f), &f, "checkpoint");
    bench_need(oltp_read_begin(db, &old, &f), &f, "the old snapshot");
    (void)commits_beside(db, table, n, n, 0, &r); /* now most pages are dead, and held */
    for (int i = 0; i < rounds; i++) {
        double without = commits_beside(db, table, n, commits, 0, &r);

        ratio[i] = without / commits_beside(db, table, n, commits, 2, &r);
    }
    oltp_stats(db, &s);
    row.ours = bench_stat_of(ratio, rounds);
    row.limit = 1;
    row.target = 0.95;
    bench_row(bench, &row);
    row.metric = "pages held by the snapshot";
    row.unit = "pages";
    row.ours = bench_value((double)s.pending_pages);
    row.limit = row.target = 0;
    bench_row(bench, &row);
    oltp_end(old);
    bench_need(oltp_close(db, &f), &f, "close");
}

int main(int argc, char **argv)
{
    struct bench b;
    const char *only = NULL, *peers = NULL;
    bool large_only = false;
    const struct seam_opt extra[] = {
        {"only", 0, SEAM_OPT_STRING, "WORD",
         "one workload: load random commit relaxed read readers ycsb recovery large", &only},
        {"large", 0, SEAM_OPT_FLAG, NULL,
         "ten times the rows through a tenth of the memory, only that", &large_only},
        {"cache", 0, SEAM_OPT_INT, "MB", "page cache of every store [1024]", &cache_mb},
        {"peers", 0, SEAM_OPT_STRING, "LIST", "peers to run, comma-separated, or none", &peers}};
    uint64_t n;
    int rounds;

    bench_open(&b, "oltp", extra, SEAM_ARRAY_LEN(extra), argc, argv);
    bench = &b;
    n = bench_size(&b, 100000, 1000000, 1000000);
    rounds = b.quick ? 3 : 5;
    for (int i = 0; i < STORES; i++) {
        char peer[40];

        stores[i].name = names[i];
        snprintf(peer, sizeof peer, "oltp_%s", names[i]);
        if (i > 0 && (peers == NULL || strstr(peers, names[i]) != NULL))
            stores[i].peer = bench_peer_start(&b, peer, NULL);
        stores[i].on = i == 0 || stores[i].peer != NULL;
    }
#define WANTED(word) (!large_only && (only == NULL || strcmp(only, word) == 0))
    if (WANTED("load")) load(n, b.quick ? 2 : 3, false);
    if (WANTED("random")) load(n, b.quick ? 1 : 3, true);
    if (WANTED("read")) reads(n, b.quick ? 200000 : 500000, rounds);
    if (WANTED("commit")) commits(n, b.quick ? 0.3 : 2, b.quick ? 2 : 3, false);
    if (WANTED("relaxed")) commits(n, b.quick ? 0.3 : 2, b.quick ? 2 : 3, true);
    if (WANTED("readers")) readers(n, b.quick ? 20000 : 100000, b.quick ? 5 : 15);
    if (WANTED("ycsb")) ycsb(n, b.quick ? 0.2 : 2, b.quick ? 2 : 3);
    if (WANTED("recovery")) {
        recovery(n);
        recovery_cold(n);
    }
    if (large_only || (only != NULL && strcmp(only, "large") == 0) || (b.full && only == NULL)) {
        cache_mb = (int64_t)(10 * n * (KV_VALUE + 8) / 10 >> 20); /* the large data's tenth */
        large(10 * n);
    }
    for (int i = 1; i < STORES; i++) bench_peer_stop(stores[i].peer);
    return bench_close(&b);
}
