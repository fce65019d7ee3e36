/* The vector index against hnswlib, FAISS and usearch: same machine, data, M and efConstruction, one query a
 * call on one thread, recall counted against exact neighbours (by distance, outside the timed part). For
 * each promise of recall@10 the smallest efSearch that keeps it is looked for, for every engine on its own,
 * and then all engines are timed in turn at theirs.
 *
 * Beside the common columns, FILE.curves.tsv holds whole recall-speed curves for the charts.
 * Peers read vectors as L2; cosine data is handed to them normalised, which gives the same order.     */
#include "bench/common/bench.h"
#include "bench/corpora/sets.h"

#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "hnsw/distance.h"
#include "hnsw/tune.h"
#include "hnsw/vecfile.h"

enum { K = SET_TRUTH_K, PEERS = 5, PROMISES = 3, EF_LIMIT = 2000, CURVE_POINTS = 12 };

static const double promises[PROMISES] = {0.90, 0.95, 0.99};

struct engine {
    char name[48];
    struct hnsw *h;          /* ours */
    struct bench_peer *peer; /* or theirs */
    const struct vector_set *set;
    bool quantized;
    double build_s, build_cpu_s, bytes;
    uint32_t ef[PROMISES]; /* 0 = not reached */
    double recall[PROMISES], p5[PROMISES], p1[PROMISES], p50[PROMISES], p99[PROMISES];
    int at;        /* the promise being timed */
    bool finished; /* its curve has reached the end */
    char ids_path[700];
};

struct run {
    struct bench *b;
    FILE *curves;
    int64_t m, efc;
    const char *only;
};

/* ---- engines ---- */
/* Anonymous memory of this process: what it allocated, by whatever means, and touched.               */
static size_t own_bytes(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f;

    malloc_trim(0);
    f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "RssAnon: %zu", &kib) == 1) break;
    if (f != NULL) fclose(f);
    return kib << 10;
}

/* Built, published and opened again as a reader would: what is measured is what is served. Memory is what
 * the reader allocated; exact vectors beside codes stay mapped and are told apart.                   */
static struct engine ours(struct run *r, const struct vector_set *s, enum hnsw_quant quant,
                          int threads)
{
    struct engine e = {.set = s, .quantized = quant == HNSW_I8};
    struct hnsw_options o = {.dim = s->dim,
                             .metric = s->metric,
                             .quant = quant,
                             .m = (uint32_t)r->m,
                             .ef_construction = (uint32_t)r->efc,
                             .seed = (uint64_t)r->b->seed};
    struct hnsw_load_options lo = {.threads = threads, .codes = true};
    struct hnsw *w = NULL;
    struct seam_fault f = {0};
    char dir[760];
    size_t before;
    clock_t cpu;
    uint64_t t;

    snprintf(e.name, sizeof e.name, "seam-%s", e.quantized ? "i8+rerank" : "f32");
    snprintf(dir, sizeof dir, "%s/%s-%s-%d", bench_scratch(r->b), s->name, e.name, threads);
    bench_need(hnsw_create(seam_io_posix(), dir, &o, &f), &f, "making an index");
    bench_need(hnsw_open_writer(seam_io_posix(), dir, NULL, &w, &f), &f, "opening the index");
    cpu = clock();
    t = bench_now_ns();
    bench_need(hnsw_load(w, &(struct hnsw_rows){.vectors = s->base, .n = s->n}, 1, &lo, &f), &f,
               "building");
    e.build_s = (double)(bench_now_ns() - t) / 1e9;
    e.build_cpu_s = (double)(clock() - cpu) / CLOCKS_PER_SEC;
    bench_need(hnsw_publish(w, 1, 0, &f), &f, "publishing");
    hnsw_close(w);
    before = own_bytes();
    bench_need(hnsw_open_reader(seam_io_posix(), dir, UINT64_MAX, NULL, &e.h, &f), &f,
               "opening a reader");
    e.bytes = (double)(own_bytes() - before);
    return e;
}

static bool theirs(struct run *r, const struct vector_set *s, const char *program, const char *kind,
                   bool quantized, int threads, struct engine *e)
{
    char m[16], efc[16], t[16], reply[200];
    const char *args[] = {s->base_path, s->query_path, m, efc, t, kind, NULL};

    *e = (struct engine){.set = s, .quantized = quantized};
    snprintf(m, sizeof m, "%d", (int)r->m);
    snprintf(efc, sizeof efc, "%d", (int)r->efc);
    snprintf(t, sizeof t, "%d", threads);
    snprintf(e->name, sizeof e->name, "%s-%s", program + 5, kind);
    snprintf(e->ids_path, sizeof e->ids_path, "%s/ids-%s", bench_scratch(r->b), e->name);
    e->peer = bench_peer_start(r->b, program, args);
    if (e->peer == NULL) return false;
    if (!bench_peer_ask(e->peer, reply, sizeof reply, "build") ||
        sscanf(reply, "%lf %lf %lf", &e->build_s, &e->bytes, &e->build_cpu_s) != 3) {
        bench_peer_stop(e->peer);
        e->peer = NULL;
        return false;
    }
    return true;
}

static void engine_close(struct engine *e)
{
    hnsw_close(e->h);
    bench_peer_stop(e->peer);
}

/* All queries once; ids to `out` (queries x K, -1 = none). Seconds.                                  */
static double search_all(struct run *r, struct engine *e, uint32_t ef, int32_t *out)
{
    const struct vector_set *s = e->set;
    struct seam_fault f = {0};
    double qps;

    if (e->peer != NULL) {
        FILE *file;

        qps = bench_peer_number(e->peer, "search %u %s", ef, e->ids_path);
        file = fopen(e->ids_path, "rb");
        if (file == NULL || fread(out, 4, s->queries * K, file) != s->queries * K)
            bench_wrong(r->b, "%s gave no answers", e->name);
        if (file != NULL) fclose(file);
        return qps;
    }
    for (size_t i = 0; i < s->queries; i++) {
        struct hnsw_query q = {.vector = s->query + i * s->dim, .k = K, .ef = ef};
        struct hnsw_hit hits[K];
        size_t n = 0;

        bench_need(hnsw_search(e->h, &q, hits, &n, NULL, &f), &f, "searching");
        for (size_t j = 0; j < K; j++) out[i * K + j] = j < n ? (int32_t)hits[j].key : -1;
    }
    return 0;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double recall_at(struct run *r, struct engine *e, uint32_t ef, double *p5, double *p1)
{
    const struct vector_set *s = e->set;
    int32_t *ids = malloc(s->queries * K * sizeof *ids);
    double *each = malloc(s->queries * sizeof *each), sum = 0;

    if (ids == NULL || each == NULL) exit(1);
    (void)search_all(r, e, ef, ids);
    for (size_t i = 0; i < s->queries; i++) {
        int hit = 0;

        for (size_t j = 0; j < K; j++) {
            int32_t id = ids[i * K + j];

            if (id >= 0 && (size_t)id < s->n)
                hit += vector_set_distance(s, i, (size_t)id) <= s->kth[i] * (1 + 1e-6) + 1e-12;
        }
        each[i] = (double)hit / K;
        sum += each[i];
    }
    qsort(each, s->queries, sizeof *each, by_double);
    if (p5 != NULL) *p5 = each[s->queries / 20];
    if (p1 != NULL) *p1 = each[s->queries / 100];
    free(ids);
    free(each);
    return sum / (double)s->queries;
}

static void find_ef(struct run *r, struct engine *e)
{
    uint32_t low = K - 1;

    for (int p = 0; p < PROMISES; p++) {
        uint32_t high = 32;

        while (high < EF_LIMIT && recall_at(r, e, high, NULL, NULL) < promises[p]) {
            low = high;
            high *= 2;
        }
        if (high >= EF_LIMIT && recall_at(r, e, EF_LIMIT, NULL, NULL) < promises[p]) return;
        if (high > EF_LIMIT) high = EF_LIMIT;
        while (high - low > 1) {
            uint32_t mid = (low + high) / 2;

            if (recall_at(r, e, mid, NULL, NULL) >= promises[p])
                high = mid;
            else
                low = mid;
        }
        e->ef[p] = high;
        e->recall[p] = recall_at(r, e, high, &e->p5[p], &e->p1[p]);
        low = high - 1;
    }
}

/* One timed pass at e->at; also remembers p50 and p99 of the pass.                                   */
static double time_pass(struct engine *e, uint32_t ef, double *p50, double *p99)
{
    const struct vector_set *s = e->set;
    double qps = NAN, *us;
    uint64_t begun;

    if (e->peer != NULL) {
        char reply[128];

        if (!bench_peer_ask(e->peer, reply, sizeof reply, "time %u", ef) ||
            sscanf(reply, "%lf %lf %lf", &qps, p50, p99) != 3)
            return NAN;
        return qps;
    }
    us = malloc(s->queries * sizeof *us);
    if (us == NULL) return NAN;
    begun = bench_now_ns();
    for (size_t i = 0; i < s->queries; i++) {
        struct hnsw_query q = {.vector = s->query + i * s->dim, .k = K, .ef = ef};
        struct hnsw_hit hits[K];
        uint64_t from = bench_now_ns();
        size_t n;

        if (hnsw_search(e->h, &q, hits, &n, NULL, NULL) != SEAM_OK) break;
        us[i] = (double)(bench_now_ns() - from) / 1e3;
    }
    qps = (double)s->queries / ((double)(bench_now_ns() - begun) / 1e9);
    qsort(us, s->queries, sizeof *us, by_double);
    *p50 = us[s->queries / 2];
    *p99 = us[s->queries * 99 / 100];
    free(us);
    return qps;
}

static double run_pass(void *ctx)
{
    struct engine *e = ctx;

    return time_pass(e, e->ef[e->at], &e->p50[e->at], &e->p99[e->at]);
}

/* ---- rows ---- */
/* What we owe each peer: 1.3 in float32 against float32; quantized, 2 against float32, 1.2 against usearch's
 * own 8 bits; and past 0.99 where a quantized peer does not come.                                    */
static double owed(const struct engine *us, const struct engine *peer)
{
    if (!us->quantized) return peer->quantized ? 0 : 1.3;
    return peer->quantized ? (strncmp(peer->name, "usearch-i8", 10) == 0 ? 1.2 : 0) : 2;
}

static void row_qps(struct run *r, const struct engine *us, const struct engine *peer, int p,
                    struct bench_stat a, struct bench_stat b)
{
    char workload[120], name[80];
    struct bench_row row = {.workload = workload,
                            .metric = "qps",
                            .unit = "1/s",
                            .n = us->set->n,
                            .threads = 1,
                            .ours = a,
                            .peer = name,
                            .peer_value = b,
                            .target = owed(us, peer)};

    snprintf(workload, sizeof workload, "%s %s recall@10>=%.2f", us->set->name, us->name,
             promises[p]);
    snprintf(name, sizeof name, "%s%s", peer->name, b.runs == 0 ? " (not reached)" : "");
    bench_row(r->b, &row);
}

static void row_one(struct run *r, const struct engine *e, const char *metric, const char *unit,
                    int p, double v, bool lower)
{
    char workload[120];
    struct bench_row row = {.workload = workload,
                            .metric = metric,
                            .unit = unit,
                            .n = e->set->n,
                            .threads = 1,
                            .ours = bench_value(v),
                            .lower_is_better = lower};

    snprintf(workload, sizeof workload, "%s %s recall@10>=%.2f ef=%u", e->set->name, e->name,
             promises[p], e->ef[p]);
    bench_row(r->b, &row);
}

static void time_promise(struct run *r, struct engine *e, int n_ours, int n, int p)
{
    struct bench_side sides[BENCH_SIDES_MAX];
    int of[BENCH_SIDES_MAX], used = 0, rounds = r->b->quick ? 3 : 7;

    for (int i = 0; i < n; i++) {
        if (e[i].ef[p] == 0) continue;
        e[i].at = p;
        of[used] = i;
        sides[used++] = (struct bench_side){.run = run_pass, .ctx = &e[i]};
    }
    bench_interleave(sides, used, rounds);
    for (int a = 0; a < used && of[a] < n_ours; a++) {
        for (int i = n_ours; i < n; i++) {
            struct bench_stat theirs_at = {0};

            for (int c = 0; c < used; c++)
                if (of[c] == i) theirs_at = sides[c].stat;
            row_qps(r, &e[of[a]], &e[i], p, sides[a].stat, theirs_at);
        }
        if (n == n_ours) {
            struct engine none = {.name = "absent"};

            row_qps(r, &e[of[a]], &none, p, sides[a].stat, (struct bench_stat){0});
        }
        row_one(r, &e[of[a]], "recall mean", "share", p, e[of[a]].recall[p], false);
        row_one(r, &e[of[a]], "recall p5", "share", p, e[of[a]].p5[p], false);
        row_one(r, &e[of[a]], "recall p1", "share", p, e[of[a]].p1[p], false);
        row_one(r, &e[of[a]], "p50", "us", p, e[of[a]].p50[p], true);
        row_one(r, &e[of[a]], "p99", "us", p, e[of[a]].p99[p], true);
    }
}

static void row_build(struct run *r, const struct engine *us, const struct engine *peer,
                      int threads)
{
    char workload[120];
    bool hnswlib = strncmp(peer->name, "hnswlib", 7) == 0;
    struct bench_row row = {.workload = workload,
                            .metric = "build",
                            .unit = "s",
                            .n = us->set->n,
                            .threads = threads,
                            .ours = bench_value(us->build_s),
                            .peer = peer->name,
                            .peer_value = bench_value(peer->build_s),
                            .lower_is_better = true,
                            .target = hnswlib ? 1 / 0.7 : 0};

    snprintf(workload, sizeof workload, "%s %s M=%d efC=%d", us->set->name, us->name, (int)r->m,
             (int)r->efc);
    bench_row(r->b, &row);
    row.metric = "build cpu"; /* of all threads: what other work on the machine does not stretch */
    row.ours = bench_value(us->build_cpu_s);
    row.peer_value = bench_value(peer->build_cpu_s);
    bench_row(r->b, &row);
    row.metric = "memory";
    row.unit = "bytes";
    row.ours = bench_value(us->bytes);
    row.peer_value = bench_value(peer->bytes);
    row.target = !hnswlib ? 0 : us->quantized ? 2.5 : 1;
    if (threads == (int)r->b->threads) bench_row(r->b, &row);
}

/* Whole curves, a step of every engine in turn. Of each point the best of five passes is drawn: other work on
 * the machine only ever makes a pass slower.                                                         */
static void curve_point(struct run *r, struct engine *e, uint32_t ef)
{
    enum { PASSES = 5 };
    double p5, p1, p50 = 0, p99 = 0, qps = 0, recall = recall_at(r, e, ef, &p5, &p1);

    for (int pass = 0; pass < PASSES; pass++) {
        double a, c, v = time_pass(e, ef, &a, &c);

        if (!(v > qps)) continue;
        qps = v;
        p50 = a;
        p99 = c;
    }
    fprintf(r->curves, "%s\t%s\t%u\t%.5f\t%.3f\t%.3f\t%.1f\t%.1f\t%.1f\t%zu\t%u\n", e->set->name,
            e->name, ef, recall, p5, p1, qps, p50, p99, e->set->n, e->set->dim);
    e->finished = recall >= 0.999;
}

static void curves(struct run *r, struct engine *e, int n)
{
    double ef = K;

    for (int i = 0; i < CURVE_POINTS; i++) {
        for (int k = 0; k < n; k++)
            if (!e[k].finished) curve_point(r, &e[k], (uint32_t)ef);
        ef = ef * 1.5 + 1;
    }
}

static void exact_line(struct run *r, const struct engine *e)
{
    const struct vector_set *s = e->set;
    enum { SCANS = 20 };
    uint64_t t = bench_now_ns();
    double seconds;

    for (size_t i = 0; i < SCANS; i++) {
        struct hnsw_query q = {.vector = s->query + i * s->dim, .k = K};
        struct hnsw_hit hits[K];
        struct seam_fault f = {0};
        size_t n;

        bench_need(hnsw_exact(e->h, &q, hits, &n, &f), &f, "scanning");
    }
    seconds = (double)(bench_now_ns() - t) / 1e9;
    fprintf(r->curves, "%s\texact scan\t0\t1\t1\t1\t%.1f\t%.1f\t%.1f\t%zu\t%u\n", s->name,
            SCANS / seconds, seconds / SCANS * 1e6, seconds / SCANS * 1e6, s->n, s->dim);
}

/* ---- the workloads ---- */
static void bench_set(struct run *r, struct vector_set *s, const char *truth, size_t whole)
{
    static const struct {
        const char *program, *kind;
        bool quantized, bytes_only, not_bytes;
    } peers[PEERS] = {
        {"hnsw_hnswlib", "f32", false, false, false}, {"hnsw_faiss", "flat", false, false, false},
        {"hnsw_faiss", "sq8", true, false, false},    {"hnsw_usearch", "i8raw", true, true, false},
        {"hnsw_usearch", "bf16", true, false, false},
    };
    struct engine e[2 + PEERS];
    struct seam_fault f = {0};
    int threads = (int)r->b->threads, n = 2, of[PEERS];

    if (s->metric == HNSW_COSINE) {
        vectors_normalise(s->base, s->n, s->dim);
        vectors_normalise(s->query, s->queries, s->dim);
    }
    snprintf(s->base_path, sizeof s->base_path, "%s/%s.base", bench_scratch(r->b), s->name);
    snprintf(s->query_path, sizeof s->query_path, "%s/%s.query", bench_scratch(r->b), s->name);
    bench_need(hnsw_vecfile_write(seam_io_posix(), s->base_path, HNSW_VECFILE_FVECS, s->base, s->n,
                                  s->dim, &f),
               &f, "writing");
    bench_need(hnsw_vecfile_write(seam_io_posix(), s->query_path, HNSW_VECFILE_FVECS, s->query,
                                  s->queries, s->dim, &f),
               &f, "writing");
    fprintf(r->b->report, "\n%s: %zu x %u, %zu queries, M=%d efConstruction=%d\n", s->name, s->n,
            s->dim, s->queries, (int)r->m, (int)r->efc);
    e[0] = ours(r, s, HNSW_F32, threads);
    e[1] = ours(r, s, HNSW_I8, threads);
    vector_set_truth(r->b, s, e[0].h);
    if (truth != NULL) vector_set_check(r->b, s, truth, whole);
    for (int i = 0; i < PEERS; i++) {
        if (peers[i].bytes_only && !s->bytes) continue;
        if (!theirs(r, s, peers[i].program, peers[i].kind, peers[i].quantized, threads, &e[n])) {
            bench_row(r->b, &(struct bench_row){.workload = s->name,
                                                .metric = "qps",
                                                .unit = "1/s",
                                                .n = s->n,
                                                .threads = 1,
                                                .peer = e[n].name});
            continue;
        }
        of[n - 2] = i;
        n++;
    }
    for (int i = 0; i < n; i++) {
        struct hnsw_info info = {0};

        find_ef(r, &e[i]);
        if (e[i].h != NULL) hnsw_info(e[i].h, &info);
        fprintf(r->b->report, "  %-16s build %.2f s, %.1f MB (and %.1f mapped), ef %u/%u/%u\n",
                e[i].name, e[i].build_s, e[i].bytes / 1e6, (double)info.bytes_mapped / 1e6,
                e[i].ef[0], e[i].ef[1], e[i].ef[2]);
    }
    for (int a = 0; a < 2; a++)
        for (int i = 2; i < n; i++) row_build(r, &e[a], &e[i], threads);
    for (int p = 0; p < PROMISES; p++) time_promise(r, e, 2, n, p);
    if (r->curves != NULL) {
        curves(r, e, n);
        exact_line(r, &e[0]);
    }
    for (int i = 0; i < n; i++) engine_close(&e[i]);
    if (r->b->full && threads > 1) { /* and on one thread, ours and hnswlib's */
        struct engine one[3];

        one[0] = ours(r, s, HNSW_F32, 1);
        one[1] = ours(r, s, HNSW_I8, 1);
        if (n > 2 && of[0] == 0 && theirs(r, s, "hnsw_hnswlib", "f32", false, 1, &one[2])) {
            row_build(r, &one[0], &one[2], 1);
            row_build(r, &one[1], &one[2], 1);
            engine_close(&one[2]);
        }
        engine_close(&one[0]);
        engine_close(&one[1]);
    }
    unlink(s->base_path);
    unlink(s->query_path);
}

static void set_free(struct vector_set *s)
{
    free(s->base);
    free(s->query);
    free(s->kth);
}

static bool wanted(const struct run *r, const char *name)
{
    return r->only == NULL || strcmp(r->only, name) == 0;
}

static void bench_sets(struct run *r)
{
    struct vector_set s = {.name = "mnist-784", .metric = HNSW_L2, .bytes = true};

    if (wanted(r, s.name) && vector_set_files(r->b, &s, "ann-mnist-784/base.bvecs.gz",
                                              "ann-mnist-784/query.dev.bvecs.gz", 0,
                                              bench_size(r->b, 8000, 60000, 60000)))
        bench_set(r, &s, "ann-mnist-784/groundtruth.dev.ivecs.gz", 60000);
    set_free(&s);
    s = (struct vector_set){.name = "glove-100", .metric = HNSW_COSINE};
    if (wanted(r, s.name) &&
        vector_set_files(r->b, &s, "glove-100/vectors.f16.gz", "glove-100/query.dev.fvecs.gz", 100,
                         bench_size(r->b, 15000, 198000, 198000)))
        bench_set(r, &s, "glove-100/groundtruth.dev.ivecs.gz", 198000);
    set_free(&s);
    s = (struct vector_set){.name = "fashion-784", .metric = HNSW_L2, .bytes = true};
    if (!r->b->quick && wanted(r, s.name) && vector_set_fashion(r->b, &s, 60000))
        bench_set(r, &s, NULL, 0);
    set_free(&s);
    s = (struct vector_set){.name = "clustered-64", .metric = HNSW_L2};
    if (wanted(r, s.name) &&
        vector_set_clustered(r->b, &s, bench_size(r->b, 10000, 50000, 200000), 64))
        bench_set(r, &s, NULL, 0);
    set_free(&s);
}

/* Half deleted, another half inserted, maintained: recall at an ef beside a fresh build's.           */
static void bench_churn(struct run *r)
{
    struct vector_set s = {.name = "churn", .metric = HNSW_L2};
    struct hnsw_options o = {
        .dim = 32, .m = (uint32_t)r->m, .ef_construction = (uint32_t)r->efc, .seed = 1};
    struct hnsw_load_options lo = {.threads = (int)r->b->threads};
    struct hnsw_health health;
    struct hnsw_maintain_report report;
    struct engine old = {.set = &s, .name = "repaired"}, fresh = {.set = &s, .name = "fresh"};
    struct seam_fault f = {0};
    size_t n = bench_size(r->b, 6000, 30000, 100000), half = n / 2;
    struct bench_row row = {.workload = "delete half, insert half, maintain: recall@10 at ef=32",
                            .metric = "recall",
                            .unit = "share",
                            .n = n,
                            .threads = 1,
                            .peer = "a fresh build",
                            .target = 0.995};
    uint64_t *keys;

    vector_set_clustered(r->b, &s, n + half, 32);
    s.n = n + half;
    keys = malloc(s.n * sizeof *keys);
    if (keys == NULL) exit(1);
    for (size_t i = 0; i < s.n; i++) keys[i] = i;
    bench_need(hnsw_new(&o, NULL, &old.h, &f), &f, "an index");
    bench_need(hnsw_new(&o, NULL, &fresh.h, &f), &f, "an index");
    bench_need(hnsw_load(fresh.h,
                         &(struct hnsw_rows){
                             .keys = keys + half, .vectors = s.base + half * s.dim, .n = n},
                         1, &lo, &f),
               &f, "building");
    bench_need(
        hnsw_load(old.h, &(struct hnsw_rows){.keys = keys, .vectors = s.base, .n = n}, 1, &lo, &f),
        &f, "building");
    for (size_t i = 0; i < half; i++) bench_need(hnsw_delete(old.h, i, 2, &f), &f, "deleting");
    bench_need(
        hnsw_load(old.h,
                  &(struct hnsw_rows){.keys = keys + n, .vectors = s.base + n * s.dim, .n = half},
                  3, &lo, &f),
        &f, "building");
    bench_need(hnsw_publish(old.h, 3, 0, &f), &f, "publishing");
    bench_need(hnsw_maintain(
                   old.h,
                   &(struct hnsw_maintain_options){.retain_lsn = UINT64_MAX, .threads = lo.threads},
                   &report, &f),
               &f, "maintaining");
    vector_set_truth(r->b, &s, fresh.h);
    row.ours = bench_value(recall_at(r, &old, 32, NULL, NULL));
    row.peer_value = bench_value(recall_at(r, &fresh, 32, NULL, NULL));
    bench_row(r->b, &row);
    bench_need(hnsw_health(old.h, &health, &f), &f, "health");
    BENCH_CHECK(r->b, health.live == n && health.reachable == n && health.no_in_links == 0);
    engine_close(&old);
    engine_close(&fresh);
    free(keys);
    set_free(&s);
}

/* ---- a folder: publish, open ---- */
static void forget_pages(const char *dir)
{
    struct seam_io_list l = {0};
    char path[SEAM_PATH_MAX_BYTES];

    if (seam_io_list(seam_io_posix(), dir, &l, NULL) != SEAM_OK) return;
    for (size_t i = 0; i < l.count; i++) {
        int fd = seam_path_join(path, dir, l.names[i], NULL) == SEAM_OK ? open(path, O_RDONLY) : -1;

        if (fd < 0) continue;
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    seam_io_list_free(&l);
}

static void bench_folder(struct run *r)
{
    struct vector_set s = {.name = "folder", .metric = HNSW_L2};
    struct hnsw_options o = {.dim = 32, .m = 8, .ef_construction = 32, .quant = HNSW_I8, .seed = 1};
    struct hnsw_load_options lo = {.threads = (int)r->b->threads};
    struct hnsw *w = NULL, *reader = NULL;
    struct seam_histogram publish, visible;
    struct seam_fault f = {0};
    size_t n = bench_size(r->b, 50000, 200000, 1000000);
    struct bench_row row = {.workload = "cold open, checksums and links verified",
                            .metric = "time",
                            .unit = "s",
                            .n = n,
                            .threads = 1,
                            .lower_is_better = true};
    char dir[700];
    double cold[3];

    snprintf(dir, sizeof dir, "%s/index", bench_scratch(r->b));
    vector_set_clustered(r->b, &s, n, o.dim);
    bench_need(hnsw_create(seam_io_posix(), dir, &o, &f), &f, "creating");
    bench_need(hnsw_open_writer(seam_io_posix(), dir, NULL, &w, &f), &f, "opening");
    bench_need(hnsw_load(w, &(struct hnsw_rows){.vectors = s.base, .n = n}, 1, &lo, &f), &f,
               "building");
    bench_need(hnsw_publish(w, 1, 0, &f), &f, "publishing");
    for (int i = 0; i < 3; i++) {
        uint64_t t;

        hnsw_close(reader);
        reader = NULL;
        forget_pages(dir);
        t = bench_now_ns();
        bench_need(hnsw_open_reader(seam_io_posix(), dir, UINT64_MAX, NULL, &reader, &f), &f,
                   "opening");
        cold[i] = (double)(bench_now_ns() - t) / 1e9;
    }
    row.ours = bench_stat_of(cold, 3);
    bench_row(r->b, &row);
    seam_histogram_init(&publish);
    seam_histogram_init(&visible);
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t t;

        bench_need(hnsw_upsert(w, i, s.query + i * s.dim, i + 2, &f), &f, "upserting");
        t = bench_now_ns();
        bench_need(hnsw_publish(w, i + 2, 0, &f), &f, "publishing");
        seam_histogram_add(&publish, bench_now_ns() - t);
        bench_need(hnsw_refresh(reader, NULL, &f), &f, "refreshing");
        seam_histogram_add(&visible, bench_now_ns() - t);
        BENCH_CHECK(r->b, hnsw_applied_lsn(reader) == i + 2);
    }
    bench_row_latency(
        r->b,
        &(struct bench_row){.workload = "publish one vector, durable", .n = 300, .threads = 1},
        &publish, NULL);
    bench_row_latency(r->b,
                      &(struct bench_row){.workload = "publish one vector and refresh a reader",
                                          .n = 300,
                                          .threads = 1},
                      &visible, NULL);
    hnsw_close(reader);
    hnsw_close(w);
    set_free(&s);
}

/* ---- kernels ---- */
static void bench_kernels(struct run *r)
{
    enum { DIM = 784, ROWS = 1 << 16, HOT = 12, CALLS = 20000 };
    const struct hnsw_dist_kernels *all[4];
    size_t kernels = hnsw_dist_kernels_all(all), stride = code_stride(DIM);
    float *rows = NULL, *q = NULL;
    struct seam_rng g;

    if (posix_memalign((void **)&rows, 1 << 21, (size_t)ROWS * DIM * 4) != 0 ||
        posix_memalign((void **)&q, 64, stride + DIM * 4) != 0)
        exit(1);
    memset(rows, 1, (size_t)ROWS * DIM * 4);
    memset(q, 1, stride + DIM * 4);
    seam_rng_seed(&g, 1);
    for (size_t k = 0; k < kernels; k++) {
        for (int what = 0; what < 4; what++) { /* f32 hot, f32 cold, i8 hot, i8 cold */
            const uint8_t *at[HOT];
            int32_t keys[HOT];
            bool codes = what >= 2, cold = (what & 1) != 0;
            size_t size = codes ? stride : (size_t)DIM * 4, room = (size_t)ROWS * DIM * 4 / size;
            char workload[100];
            uint64_t t;
            double gb;

            for (int i = 0; i < HOT; i++) at[i] = (const uint8_t *)rows + (size_t)i * size;
            t = bench_now_ns();
            for (int c = 0; c < CALLS; c++) {
                for (int i = 0; cold && i < HOT; i++)
                    at[i] = (const uint8_t *)rows + seam_rng_below(&g, room) * size;
                if (codes)
                    all[k]->i8((const int8_t *)q, at, HOT, stride, 0, 1, keys);
                else
                    all[k]->l2(q, at, HOT, DIM, keys);
                bench_keep(keys);
            }
            gb = (double)CALLS * HOT * (double)size / (double)(bench_now_ns() - t);
            snprintf(workload, sizeof workload, "kernel %s %s 784, %s", all[k]->name,
                     codes ? "i8" : "f32 L2", cold ? "random rows of 200 MB" : "rows in cache");
            bench_row(r->b, &(struct bench_row){.workload = workload,
                                                .metric = "read",
                                                .unit = "GB/s",
                                                .n = HOT,
                                                .threads = 1,
                                                .ours = bench_value(gb),
                                                .limit = cold ? bench_memory_gbps(r->b, 1) : 0});
        }
    }
    free(rows);
    free(q);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct run r = {.b = &b, .m = 16, .efc = 200};
    const struct seam_opt extra[] = {
        {"m", 0, SEAM_OPT_INT, "N", "links a node (16)", &r.m},
        {"efc", 0, SEAM_OPT_INT, "N", "efConstruction (200)", &r.efc},
        {"set", 0, SEAM_OPT_STRING, "NAME",
         "one of mnist-784, glove-100, fashion-784, clustered-64, churn, folder, kernels", &r.only},
    };
    char path[700];

    bench_open(&b, "hnsw", extra, SEAM_ARRAY_LEN(extra), argc, argv);
    if (b.tsv != NULL && strcmp(b.tsv, "-") != 0) {
        snprintf(path, sizeof path, "%s.curves.tsv", b.tsv);
        r.curves = fopen(path, "w");
        if (r.curves != NULL) setvbuf(r.curves, NULL, _IOLBF, 0);
        if (r.curves != NULL)
            fprintf(r.curves, "set\tengine\tef\trecall\tp5\tp1\tqps\tp50_us\tp99_us\tn\tdim\n");
    }
    if (wanted(&r, "kernels")) bench_kernels(&r);
    bench_sets(&r);
    if (wanted(&r, "churn")) bench_churn(&r);
    if (wanted(&r, "folder")) bench_folder(&r);
    if (r.curves != NULL) fclose(r.curves);
    return bench_close(&b);
}
