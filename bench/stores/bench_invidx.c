/* bench_invidx - building, searching and keeping up a text index, beside SQLite FTS5, Xapian and Lucene.
 *
 * Every engine is given the same tokens (runs of [a-z0-9], lower case), indexes positions, stores no text,
 * and answers the same queries by BM25, one thread, warm. Lucene runs twice: allowed to skip, and scoring
 * every hit; the better of the two is the bar. Exact match counts of the corpus's own queries must agree. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/bench.h"
#include "bench/corpora/texts.h"
#include "engine/io/source.h"
#include "invidx/invidx.h"

enum { PEERS = 3, REPEATS = 3 };

struct setup {
    struct bench *b;
    const char *corpus, *only;
    struct texts texts;
    struct text_class classes[QUERY_CLASSES];
    struct invidx_reader *r;
    struct invidx_query *q;
    char dir[600], docs[600], queries[600];
    struct bench_peer *peers[PEERS];
    struct seam_fault f;
};

static const char *const peer_names[PEERS] = {"lucene", "fts5", "xapian"};

/* ---- building ---- */
static double build_once(struct setup *s, size_t limit, struct invidx_info *info,
                         double *compact_seconds)
{
    static const struct invidx_field fields[] = {{"text", 1}};
    struct invidx_schema schema = {
        .fields = fields, .field_count = 1, .analysis = invidx_analysis_plain()};
    struct invidx_writer_options options = {.buffer_bytes = 512u << 20};
    struct invidx_writer *w = NULL;
    struct invidx_reader *r = NULL;
    uint64_t t;
    double seconds;

    if (seam_io_exists(seam_io_posix(), s->dir))
        bench_need(seam_io_remove_tree(seam_io_posix(), s->dir, &s->f), &s->f,
                   "removing the index");
    t = bench_now_ns();
    bench_need(invidx_writer_open(seam_io_posix(), s->dir, &schema, &options, &w, &s->f), &s->f,
               "opening the writer");
    for (size_t i = 0; i < s->texts.count && i < limit; i++) {
        struct invidx_text text = {(const char *)s->texts.bytes.data + s->texts.lines[i].at,
                                   s->texts.lines[i].len};
        struct invidx_doc doc = {.key = i + 1, .fields = &text};

        bench_need(invidx_upsert(w, &doc, 100 * (i + 1), &s->f), &s->f, "adding a document");
    }
    bench_need(invidx_publish(w, 100 * (s->texts.count + 1), 1, &s->f), &s->f, "publishing");
    seconds = (double)(bench_now_ns() - t) / 1e9;
    t = bench_now_ns();
    bench_need(invidx_compact(w, &s->f), &s->f, "compacting");
    *compact_seconds = (double)(bench_now_ns() - t) / 1e9;
    invidx_writer_close(w);
    bench_need(invidx_reader_open(seam_io_posix(), s->dir, SEAM_LSN_MAX, &r, &s->f), &s->f,
               "opening the reader");
    invidx_reader_info(r, info);
    invidx_reader_close(r);
    return seconds;
}

static void bench_building(struct setup *s)
{
    double ours[REPEATS], theirs[PEERS][REPEATS], size[PEERS],
        mb = (double)s->texts.bytes.size / 1e6;
    double compact[REPEATS];
    struct invidx_info info;
    struct bench_stat mine;
    char workload[64];

    for (int i = 0; i < REPEATS; i++) {
        ours[i] = mb / build_once(s, SIZE_MAX, &info, &compact[i]);
        for (int p = 0; p < PEERS; p++) {
            char reply[256];
            double added, merged;

            theirs[p][i] = size[p] = NAN;
            if (s->peers[p] == NULL || (i > 0 && p == 2))
                continue; /* Xapian takes a minute: once */
            if (!bench_peer_ask(s->peers[p], reply, sizeof reply, "index") ||
                sscanf(reply, "%lf %lf %lf", &added, &merged, &size[p]) != 3)
                continue;
            theirs[p][i] = mb / added;
        }
        if (s->b->quick) {
            for (int k = i + 1; k < REPEATS; k++) {
                ours[k] = compact[k] = NAN;
                for (int p = 0; p < PEERS; p++) theirs[p][k] = NAN;
            }
            break;
        }
    }
    mine = bench_stat_of(ours, REPEATS);
    snprintf(workload, sizeof workload, "build %s", s->corpus);
    for (int p = 0; p < PEERS; p++) {
        double best_size = size[p];

        bench_row(s->b, &(struct bench_row){.workload = workload,
                                            .metric = "text indexed",
                                            .unit = "MB/s",
                                            .n = s->texts.count,
                                            .threads = 1,
                                            .ours = mine,
                                            .peer = peer_names[p],
                                            .peer_value = bench_stat_of(theirs[p], REPEATS),
                                            .target = p == 1   ? 1.0
                                                      : p == 0 ? 2.5
                                                               : 0});
        bench_row(s->b, &(struct bench_row){.workload = workload,
                                            .metric = "index size of text",
                                            .unit = "ratio",
                                            .n = s->texts.count,
                                            .threads = 1,
                                            .ours = bench_value((double)info.bytes / 1e6 / mb),
                                            .peer = peer_names[p],
                                            .peer_value = isnan(best_size)
                                                              ? (struct bench_stat){0}
                                                              : bench_value(best_size / 1e6 / mb),
                                            .lower_is_better = true,
                                            .target = p == 0 ? 1.0 : 0});
    }
    fprintf(s->b->report,
            "%s: %zu documents, %.1f MB of text, index %.1f MB (%.3f), %.1f MB/s, %llu docs/s\n",
            s->corpus, s->texts.count, mb, (double)info.bytes / 1e6, (double)info.bytes / 1e6 / mb,
            mine.median, (unsigned long long)(mine.median / mb * (double)s->texts.count));
}

/* ---- searching ---- */
static void parse(struct setup *s, const char *class, const char *text)
{
    char buf[160];

    if (strncmp(class, "phrase", 6) == 0) {
        snprintf(buf, sizeof buf, "\"%s\"", text);
        bench_need(invidx_query_parse(s->q, buf, strlen(buf), INVIDX_OR, &s->f), &s->f, "parsing");
        return;
    }
    bench_need(invidx_query_words(s->q, text, strlen(text),
                                  strncmp(class, "and", 3) == 0 ? INVIDX_AND : INVIDX_OR, &s->f),
               &s->f, "parsing");
}

static int order(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

struct pass {
    double qps, p50, p99;
};

static struct pass run_ours(struct setup *s, const struct text_class *c, size_t k,
                            enum invidx_strategy strategy, struct invidx_work *work)
{
    struct invidx_hit hits[100];
    double *us = malloc(sizeof *us * c->count);
    uint64_t began = bench_now_ns();
    struct pass p;

    memset(work, 0, sizeof *work);
    for (size_t i = 0; i < c->count; i++) {
        struct invidx_request req = {.k = k, .strategy = strategy};
        struct invidx_result res = {.hits = hits};
        uint64_t t = bench_now_ns();

        parse(s, c->name, c->queries[i].text);
        bench_need(invidx_search(s->r, s->q, &req, &res, &s->f), &s->f, "searching");
        us[i] = (double)(bench_now_ns() - t) / 1e3;
        work->postings += res.work.postings;
        work->decoded += res.work.decoded;
        work->scored += res.work.scored;
        work->blocks += res.work.blocks;
        work->blocks_skipped += res.work.blocks_skipped;
        work->plan = res.work.plan;
    }
    p.qps = (double)c->count / ((double)(bench_now_ns() - began) / 1e9);
    qsort(us, c->count, sizeof *us, order);
    p.p50 = us[c->count / 2];
    p.p99 = us[c->count * 99 / 100];
    free(us);
    return p;
}

/* Pruned and exhaustive must give the same hits.                                                         */
static void check_class(struct setup *s, const struct text_class *c, size_t k)
{
    struct invidx_hit a[100], b[100];

    for (size_t i = 0; i < c->count; i++) {
        struct invidx_request req = {.k = k, .strategy = INVIDX_EXHAUSTIVE};
        struct invidx_result x = {.hits = a}, y = {.hits = b};
        bool same;

        parse(s, c->name, c->queries[i].text);
        bench_need(invidx_search(s->r, s->q, &req, &x, &s->f), &s->f, "searching");
        for (int way = 0; way < 3; way++) {
            req.strategy = way == 0 ? INVIDX_AUTO : way == 1 ? INVIDX_MAXSCORE : INVIDX_WAND;
            bench_need(invidx_search(s->r, s->q, &req, &y, &s->f), &s->f, "searching");
            same = x.count == y.count;
            for (size_t k2 = 0; same && k2 < x.count; k2++)
                same = a[k2].key == b[k2].key && a[k2].score == b[k2].score;
            if (!same)
                bench_wrong(s->b, "%s \"%s\": %s differs from exhaustive", c->name,
                            c->queries[i].text, y.work.plan);
        }
    }
}

static void bench_class(struct setup *s, const struct text_class *c, size_t k, bool all_peers)
{
    double ours[7], full[7], p99[7], theirs[PEERS + 1][7], their_p99[PEERS + 1][7];
    int rounds = s->b->quick ? 3 : 5;
    struct invidx_work work;
    char workload[64];
    struct bench_stat mine, best = {0}, best_p99 = {0};
    const char *bar = "lucene";

    check_class(s, c, k);
    for (int i = -1; i < rounds; i++) {
        struct pass p = run_ours(s, c, k, INVIDX_EXHAUSTIVE, &work);
        int at = i < 0 ? 0 : i;

        full[at] = p.qps;
        p = run_ours(s, c, k, INVIDX_AUTO, &work);
        ours[at] = p.qps;
        p99[at] = p.p99;
        for (int e = 0; e <= PEERS; e++) {
            int peer = e == 0 ? 0 : e - 1; /* Lucene comes twice */
            char reply[256];
            double p50;

            theirs[e][at] = their_p99[e][at] = NAN;
            if (s->peers[peer] == NULL || (e > 1 && (!all_peers || i > 0))) continue;
            for (int warm = e <= 1 && i < 0 ? 15 : 1; warm > 0; warm--)
                if (!bench_peer_ask(s->peers[peer], reply, sizeof reply, "run %s %zu %d", c->name,
                                    k, e == 1) ||
                    sscanf(reply, "%lf %lf %lf", &theirs[e][at], &p50, &their_p99[e][at]) != 3)
                    theirs[e][at] = their_p99[e][at] = NAN;
        }
    }
    mine = bench_stat_of(ours, rounds);
    snprintf(workload, sizeof workload, "%s top-%zu %s", c->name, k, s->corpus);
    for (int e = 0; e <= PEERS; e++) {
        static const char *const names[] = {"lucene", "lucene exhaustive", "fts5", "xapian"};
        struct bench_stat v = bench_stat_of(theirs[e], rounds),
                          v99 = bench_stat_of(their_p99[e], rounds);

        if (e > 1 && !all_peers) continue;
        bench_row(s->b, &(struct bench_row){.workload = workload,
                                            .metric = "queries",
                                            .unit = "1/s",
                                            .n = c->count,
                                            .threads = 1,
                                            .ours = mine,
                                            .peer = names[e],
                                            .peer_value = v,
                                            .target = e > 1 ? 5.0 : 2.0});
        if (e <= 1 && v.runs > 0 && (best.runs == 0 || v.median > best.median)) {
            best = v;
            best_p99 = v99;
            bar = names[e];
        }
    }
    bench_row(s->b, &(struct bench_row){.workload = workload,
                                        .metric = "p99",
                                        .unit = "us",
                                        .n = c->count,
                                        .threads = 1,
                                        .ours = bench_stat_of(p99, rounds),
                                        .peer = bar,
                                        .peer_value = best_p99,
                                        .lower_is_better = true,
                                        .target = 1.0});
    bench_row(s->b, &(struct bench_row){.workload = workload,
                                        .metric = "queries, pruned over exhaustive",
                                        .unit = "1/s",
                                        .n = c->count,
                                        .threads = 1,
                                        .ours = mine,
                                        .peer = "own exhaustive",
                                        .peer_value = bench_stat_of(full, rounds)});
    fprintf(s->b->report,
            "%-10s top-%-3zu %9.0f q/s %5.2fx %-17s p99 %8.1f us | decoded %5.1f%% scored %5.1f%% "
            "skipped %5.1f%% of blocks | %s\n",
            c->name, k, mine.median, best.runs > 0 ? mine.median / best.median : 0, bar,
            bench_stat_of(p99, rounds).median, 100.0 * (double)work.decoded / (double)work.postings,
            100.0 * (double)work.scored / (double)work.postings,
            100.0 * (double)work.blocks_skipped / (double)(work.blocks + 1), work.plan);
}

static void bench_count(struct setup *s, const struct text_class *c)
{
    double ours[5], theirs[PEERS][5];
    uint64_t total = 0;
    char workload[64];

    for (int i = -1; i < 3; i++) {
        int at = i < 0 ? 0 : i;
        uint64_t t = bench_now_ns();

        total = 0;
        for (size_t k = 0; k < c->count; k++) {
            uint64_t n = 0;

            parse(s, c->name, c->queries[k].text);
            bench_need(invidx_count(s->r, s->q, &n, &s->f), &s->f, "counting");
            total += n;
        }
        ours[at] = (double)c->count / ((double)(bench_now_ns() - t) / 1e9);
        for (int p = 0; p < PEERS; p++) {
            char reply[256];
            double qps;
            unsigned long long n;

            theirs[p][at] = NAN;
            if (s->peers[p] == NULL || (p > 0 && i > 0)) continue;
            if (!bench_peer_ask(s->peers[p], reply, sizeof reply, "count %s", c->name) ||
                sscanf(reply, "%lf %llu", &qps, &n) != 2)
                continue;
            theirs[p][at] = qps;
            if (n != total)
                bench_wrong(s->b, "count %s: %llu, %s has %llu", c->name, (unsigned long long)total,
                            peer_names[p], n);
        }
    }
    snprintf(workload, sizeof workload, "%s count %s", c->name, s->corpus);
    for (int p = 0; p < PEERS; p++)
        bench_row(s->b, &(struct bench_row){.workload = workload,
                                            .metric = "queries",
                                            .unit = "1/s",
                                            .n = c->count,
                                            .threads = 1,
                                            .ours = bench_stat_of(ours, 3),
                                            .peer = peer_names[p],
                                            .peer_value = bench_stat_of(theirs[p], 3),
                                            .target = p == 0 ? 2.0 : 5.0});
    fprintf(s->b->report, "%-10s count   %9.0f q/s %5.2fx lucene\n", c->name,
            bench_stat_of(ours, 3).median,
            bench_stat_of(ours, 3).median / bench_stat_of(theirs[0], 3).median);
}

/* ---- the corpus's own queries, with exact match counts ---- */
static void check_matches(struct setup *s, const char *dir, const char *name)
{
    char path[700];
    struct seam_source *src = NULL;
    const char *line;
    size_t n, right = 0, all = 0;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    bench_need(seam_source_open(seam_io_posix(), path, &src, &s->f), &s->f, "opening the queries");
    while (seam_source_line(src, 1 << 16, &line, &n, &s->f) == SEAM_OK) {
        const char *tab = memchr(line, '\t', n),
                   *tab2 = tab == NULL ? NULL : memchr(tab + 1, '\t', n - (size_t)(tab + 1 - line));
        char kind[16], text[256];
        uint64_t want, got = 0;

        if (tab2 == NULL || seam_source_line_number(src) == 1) continue;
        snprintf(kind, sizeof kind, "%.*s", (int)(tab - line), line);
        snprintf(text, sizeof text, "%.*s", (int)(tab2 - tab - 1), tab + 1);
        want = strtoull(tab2 + 1, NULL, 10);
        parse(s, kind, text);
        bench_need(invidx_count(s->r, s->q, &got, &s->f), &s->f, "counting");
        all++;
        right += got == want;
        if (got != want)
            bench_wrong(s->b, "%s \"%s\": %llu matches, the corpus says %llu", kind, text,
                        (unsigned long long)got, (unsigned long long)want);
    }
    seam_source_close(src);
    fprintf(s->b->report, "%s: %zu of %zu match counts agree\n", name, right, all);
    bench_row(s->b,
              &(struct bench_row){.workload = name,
                                  .metric = "match counts that agree",
                                  .unit = "share",
                                  .n = all,
                                  .threads = 1,
                                  .ours = bench_value(all > 0 ? (double)right / (double)all : 0),
                                  .limit = 1.0,
                                  .target = 1.0});
}

/* ---- commit to visible, and searching while it goes on ---- */
static void bench_visible(struct setup *s)
{
    enum { ROUNDS = 300 };
    struct invidx_writer *w = NULL;
    struct invidx_writer_options options = {.keep_manifests = 4};
    struct invidx_query *q = NULL;
    struct invidx_reader *r = NULL;
    struct seam_histogram h, searches;
    seam_lsn_t lsn = 1ull << 40;
    int seen = 0;

    seam_histogram_init(&h);
    seam_histogram_init(&searches);
    bench_need(invidx_writer_open(seam_io_posix(), s->dir, NULL, &options, &w, &s->f), &s->f,
               "opening the writer");
    bench_need(invidx_merger_start(w, &s->f), &s->f, "starting the merger");
    bench_need(invidx_reader_open(seam_io_posix(), s->dir, SEAM_LSN_MAX, &r, &s->f), &s->f,
               "opening the reader");
    bench_need(invidx_query_new(r, &q, &s->f), &s->f, "a query");
    for (int i = 0; i < ROUNDS; i++) {
        const struct text_class *c = &s->classes[(size_t)i % QUERY_CLASSES];
        char text[128];
        struct invidx_text field = {text, 0};
        struct invidx_doc doc = {.key = 1 + (uint64_t)i * 97 % s->texts.count, .fields = &field};
        struct invidx_hit hit;
        struct invidx_request req = {.k = 1};
        struct invidx_result res = {.hits = &hit};
        uint64_t t = bench_now_ns();
        struct invidx_hit hits[10];
        struct invidx_request req10 = {.k = 10};
        struct invidx_result res10 = {.hits = hits};

        field.n = (size_t)snprintf(text, sizeof text, "visibleword%d %s", i, c->queries[0].text);
        bench_need(invidx_upsert(w, &doc, ++lsn, &s->f), &s->f, "adding");
        bench_need(invidx_publish(w, lsn, i, &s->f), &s->f, "publishing");
        bench_need(invidx_reader_refresh(r, NULL, &s->f), &s->f, "refreshing");
        snprintf(text, sizeof text, "visibleword%d", i);
        bench_need(invidx_query_words(q, text, strlen(text), INVIDX_OR, &s->f), &s->f, "parsing");
        bench_need(invidx_search(r, q, &req, &res, &s->f), &s->f, "searching");
        seen += res.count == 1 && hit.key == doc.key;
        seam_histogram_add(&h, bench_now_ns() - t);
        t = bench_now_ns();
        bench_need(invidx_query_words(q, c->queries[(size_t)i % c->count].text,
                                      strlen(c->queries[(size_t)i % c->count].text), INVIDX_OR,
                                      &s->f),
                   &s->f, "parsing");
        bench_need(invidx_search(r, q, &req10, &res10, &s->f), &s->f, "searching");
        seam_histogram_add(&searches, bench_now_ns() - t);
    }
    BENCH_CHECK(s->b, seen == ROUNDS);
    bench_need(invidx_merger_stop(w, &s->f), &s->f, "stopping the merger");
    invidx_query_free(q);
    invidx_reader_close(r);
    invidx_writer_close(w);
    fprintf(s->b->report,
            "visible: p50 %.2f ms, p99 %.2f ms; search while indexing p50 %.1f us, p99 %.1f us\n",
            (double)seam_histogram_percentile(&h, 50) / 1e6,
            (double)seam_histogram_percentile(&h, 99) / 1e6,
            (double)seam_histogram_percentile(&searches, 50) / 1e3,
            (double)seam_histogram_percentile(&searches, 99) / 1e3);
    bench_row(s->b, &(struct bench_row){
                        .workload = "update, publish, refresh, found",
                        .metric = "p99",
                        .unit = "ms",
                        .n = ROUNDS,
                        .threads = 2,
                        .ours = bench_value((double)seam_histogram_percentile(&h, 99) / 1e6),
                        .peer = "50 ms promised",
                        .peer_value = bench_value(50),
                        .lower_is_better = true,
                        .target = 1.0});
    bench_row(s->b, &(struct bench_row){
                        .workload = "search while indexing and merging",
                        .metric = "p99",
                        .unit = "us",
                        .n = ROUNDS,
                        .threads = 2,
                        .ours = bench_value((double)seam_histogram_percentile(&searches, 99) / 1e3),
                        .lower_is_better = true});
}

static void write_queries(struct setup *s)
{
    struct seam_buf out = {0};

    for (size_t c = 0; c < QUERY_CLASSES; c++)
        for (size_t i = 0; i < s->classes[c].count; i++)
            seam_buf_printf(&out, "%s\t%s\n", s->classes[c].name, s->classes[c].queries[i].text);
    bench_need(seam_io_write_atomic(seam_io_posix(), s->queries, out.data, out.size, &s->f), &s->f,
               "writing the queries");
    seam_buf_free(&out);
}

static bool wanted(const struct setup *s, size_t c)
{
    return s->only == NULL || strcmp(s->only, s->classes[c].name) == 0;
}

static void run_corpus(struct bench *b, const char *name, const char *only, struct texts *texts,
                       const char *real, bool all_peers, bool no_peers)
{
    struct setup s = {.b = b, .corpus = name, .only = only, .texts = *texts};
    size_t each = bench_size(b, 100, 200, 200);

    snprintf(s.dir, sizeof s.dir, "%s/%s", bench_scratch(b), name);
    snprintf(s.docs, sizeof s.docs, "%s/%s.txt", bench_scratch(b), name);
    snprintf(s.queries, sizeof s.queries, "%s/%s.queries", bench_scratch(b), name);
    bench_need(texts_queries(&s.texts, each, 99 + (uint64_t)b->seed, s.classes, &s.f), &s.f,
               "making queries");
    bench_need(texts_write(&s.texts, s.docs, &s.f), &s.f, "writing the documents");
    write_queries(&s);
    for (int p = 0; p < PEERS && !no_peers; p++) {
        char program[64], dir[700];
        const char *args[] = {s.docs, s.queries, dir, NULL};

        if (p == 2 && !all_peers) continue;
        snprintf(program, sizeof program, "invidx_%s", peer_names[p]);
        snprintf(dir, sizeof dir, "%s.%s", s.dir, peer_names[p]);
        s.peers[p] = bench_peer_start(b, program, args);
    }
    bench_building(&s);
    for (int p = 0; p < PEERS; p++) {
        char reply[64];

        if (s.peers[p] != NULL) bench_peer_ask(s.peers[p], reply, sizeof reply, "free");
    }
    bench_need(invidx_reader_open(seam_io_posix(), s.dir, SEAM_LSN_MAX, &s.r, &s.f), &s.f,
               "opening the reader");
    bench_need(invidx_query_new(s.r, &s.q, &s.f), &s.f, "a query");
    if (real != NULL && only == NULL) {
        check_matches(&s, real, "queries.tsv");
        check_matches(&s, real, "queries.native.tsv");
    }
    for (size_t c = 0; c < QUERY_CLASSES; c++)
        if (wanted(&s, c)) bench_class(&s, &s.classes[c], 10, all_peers);
    for (size_t c = 0; c < QUERY_CLASSES && !b->quick; c++)
        if (wanted(&s, c)) bench_class(&s, &s.classes[c], 100, false);
    for (size_t c = 0; c < QUERY_CLASSES; c++)
        if (wanted(&s, c)) bench_count(&s, &s.classes[c]);
    invidx_query_free(s.q);
    invidx_reader_close(s.r);
    for (int p = 0; p < PEERS; p++) bench_peer_stop(s.peers[p]);
    bench_visible(&s);
    texts_queries_free(s.classes);
}

int main(int argc, char **argv)
{
    struct bench b;
    bool no_peers = false, synthetic = false;
    const char *only = NULL;
    const struct seam_opt extra[] = {
        {"no-peers", 0, SEAM_OPT_FLAG, NULL, "ours alone", &no_peers},
        {"only", 0, SEAM_OPT_STRING, "CLASS", "one class of queries", &only},
        {"synthetic", 0, SEAM_OPT_FLAG, NULL, "only the synthetic corpus", &synthetic},
    };
    struct texts texts;
    struct seam_fault f = {0};
    const char *real;

    bench_open(&b, "invidx", extra, SEAM_ARRAY_LEN(extra), argc, argv);
    real = bench_data(&b, "text-corpus");
    if (real != NULL && !synthetic) {
        bench_need(texts_corpus(real, SIZE_MAX, &texts, &f), &f, "reading the corpus");
        run_corpus(&b, "text-corpus", only, &texts, real, !b.quick, no_peers);
        texts_free(&texts);
    }
    if (real == NULL || synthetic || b.full) {
        bench_need(
            texts_zipf(bench_size(&b, 100000, 1000000, 1000000), 1 + (uint64_t)b.seed, &texts, &f),
            &f, "making documents");
        run_corpus(&b, "zipf", only, &texts, NULL, false, no_peers);
        texts_free(&texts);
    }
    return bench_close(&b);
}
