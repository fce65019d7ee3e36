/* What every row passes through: encoding, decoding, keys, canonical hashes, JSON, CSV, gzip. The
 * limits are memory bandwidth for bytes; the peer for gzip is zlib. Allocations inside the row
 * loops are counted and must be none.                                                            */
#include "bench/common/bench.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/values/row.h"

enum { ROUNDS = 5, DISTINCT = 1024, COLUMNS = 6 };

static const char table[] =
    "{\"table\":\"order_lines\",\"key\":[\"order_id\",\"line_no\"],\"columns\":[{\"name\":\"order_"
    "id\",\"type\":\"int64\"},{\"name\":\"line_no\",\"type\":\"int64\"},"
    "{\"name\":\"product_id\",\"type\":\"int64\"},{\"name\":\"quantity\",\"type\":\"int64\"},{"
    "\"name\":\"unit_price\",\"type\":\"decimal\",\"scale\":4},{\"name\":\"note\",\"type\":"
    "\"text\",\"nullable\":true}]}";

struct rows {
    struct seam_schema schema;
    struct seam_value values[DISTINCT][COLUMNS];
    struct seam_buf encoded[DISTINCT];
    struct seam_buf out;
    size_t n;         /* rows a run */
    uint64_t checked; /* of what was made, to be compared */
};

static double rate(size_t n, uint64_t start)
{
    return (double)n * 1e3 / (double)(bench_now_ns() - start);
} /* millions a second */

static double run_encode(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        seam_buf_clear(&r->out);
        if (seam_row_encode(&r->schema, r->values[i % DISTINCT], &r->out, NULL) != SEAM_OK)
            return NAN;
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static double run_decode(void *ctx)
{
    struct rows *r = ctx;
    struct seam_value v[COLUMNS];
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        const struct seam_buf *b = &r->encoded[i % DISTINCT];

        if (seam_row_decode(&r->schema, b->data, b->size, v, NULL) != SEAM_OK) return NAN;
        r->checked += (uint64_t)v[3].i;
    }
    return rate(r->n, start);
}

static double run_get(void *ctx)
{
    struct rows *r = ctx;
    struct seam_value v;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        const struct seam_buf *b = &r->encoded[i % DISTINCT];

        if (seam_row_get(&r->schema, b->data, b->size, 4, &v, NULL) != SEAM_OK) return NAN;
        r->checked += (uint64_t)v.i;
    }
    return rate(r->n, start);
}

static double run_key(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        seam_buf_clear(&r->out);
        if (seam_row_key(&r->schema, r->values[i % DISTINCT], &r->out, NULL) != SEAM_OK) return NAN;
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static double run_hash(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++)
        r->checked += seam_row_hash(&r->schema, r->values[i % DISTINCT]).lo;
    return rate(r->n, start);
}

static double run_to_json(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        seam_buf_clear(&r->out);
        seam_row_to_json(&r->schema, r->values[i % DISTINCT], &r->out);
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static void make_rows(struct bench *b, struct rows *r)
{
    struct seam_rng rng;
    struct seam_fault f = {0};

    bench_need(seam_schema_parse(table, sizeof table - 1, &r->schema, &f), &f, "schema");
    seam_rng_seed(&rng, (uint64_t)b->seed);
    for (size_t i = 0; i < DISTINCT; i++) {
        struct seam_value *v = r->values[i];

        v[0] = seam_v_int((int64_t)(536365 + i / 20));
        v[1] = seam_v_int((int64_t)(i % 20 + 1));
        v[2] = seam_v_int(seam_rng_range(&rng, 1, 4070));
        v[3] = seam_v_int(seam_rng_range(&rng, -20, 100));
        v[4] = seam_v_decimal(seam_rng_range(&rng, 100, 200000), 4);
        v[5] = seam_rng_below(&rng, 2) == 0 ? seam_v_null() : seam_v_str("white hanging heart");
        bench_need(seam_row_encode(&r->schema, v, &r->encoded[i], &f), &f, "encode");
    }
    (void)seam_buf_reserve(&r->out, 4096);
}

static void bench_row_paths(struct bench *b)
{
    static const struct {
        const char *workload;
        double (*run)(void *);
    } paths[] = {{"row encode", run_encode},       {"row decode", run_decode},
                 {"row get one column", run_get},  {"row key", run_key},
                 {"row canonical hash", run_hash}, {"row to JSON", run_to_json}};
    struct rows *r = calloc(1, sizeof *r);

    if (r == NULL) bench_need(SEAM_NOMEM, NULL, "rows");
    make_rows(b, r);
    r->n = bench_size(b, 1000000, 4000000, 20000000);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(paths); i++) {
        struct bench_side side = {.run = paths[i].run, .ctx = r};
        size_t before = mallinfo2().uordblks;

        bench_interleave(&side, 1, ROUNDS);
        BENCH_CHECK(b, mallinfo2().uordblks == before); /* nothing was allocated and kept */
        bench_row(b, &(struct bench_row){.workload = paths[i].workload,
                                         .metric = "throughput",
                                         .unit = "M rows/s",
                                         .n = r->n,
                                         .threads = 1,
                                         .ours = side.stat});
    }
    BENCH_CHECK(b, r->checked != 0);
    for (size_t i = 0; i < DISTINCT; i++) seam_buf_free(&r->encoded[i]);
    seam_buf_free(&r->out);
    seam_schema_free(&r->schema);
    free(r);
}

/* ---- gzip, CSV and JSON over real files ---- */

struct file_job {
    const char *path;
    struct seam_buf plain; /* inflated: CSV and JSON are timed from memory */
    uint64_t bytes, records;
    struct bench_peer *peer;
};

static double run_inflate(void *ctx)
{
    struct file_job *j = ctx;
    static uint8_t piece[256 << 10];
    struct seam_source *s = NULL;
    uint64_t start = bench_now_ns();
    size_t got = 1;

    j->bytes = 0;
    if (seam_source_open(seam_io_posix(), j->path, &s, NULL) != SEAM_OK) return NAN;
    while (got > 0 && seam_source_read(s, piece, sizeof piece, &got, NULL) == SEAM_OK)
        j->bytes += got;
    seam_source_close(s);
    return (double)j->bytes * 1e3 / (double)(bench_now_ns() - start);
}

static double run_zlib(void *ctx)
{
    struct file_job *j = ctx;
    double seconds = j->peer != NULL ? bench_peer_number(j->peer, "run") : NAN;

    return (double)j->plain.size / 1e6 / seconds;
}

static double run_csv(void *ctx)
{
    struct file_job *j = ctx;
    struct seam_source *s = NULL;
    struct seam_csv *c = NULL;
    const struct seam_csv_field *fields;
    size_t count;
    uint64_t start = bench_now_ns();

    j->records = 0;
    if (seam_source_from_memory(j->plain.data, j->plain.size, &s) != SEAM_OK ||
        seam_csv_open(s, (struct seam_csv_options){',', true, 0}, &c) != SEAM_OK)
        return NAN;
    while (seam_csv_next(c, &fields, &count, NULL) == SEAM_OK) j->records++;
    seam_csv_close(c);
    seam_source_close(s);
    return (double)j->plain.size * 1e3 / (double)(bench_now_ns() - start);
}

static double run_json(void *ctx)
{
    struct file_job *j = ctx;
    struct seam_source *s = NULL;
    struct seam_arena a = {0};
    struct seam_json *root;
    const char *line;
    size_t n;
    uint64_t start = bench_now_ns();

    j->records = 0;
    if (seam_source_from_memory(j->plain.data, j->plain.size, &s) != SEAM_OK) return NAN;
    while (seam_source_line(s, 1 << 20, &line, &n, NULL) == SEAM_OK) {
        seam_arena_reset(&a);
        if (seam_json_parse(line, n, &a, NULL, &root, NULL) == SEAM_OK) j->records++;
    }
    seam_arena_free(&a);
    seam_source_close(s);
    return (double)j->plain.size * 1e3 / (double)(bench_now_ns() - start);
}

static void bench_file(struct bench *b, const char *name, const char *workload,
                       double (*parse)(void *), const char *parse_workload, uint64_t records)
{
    struct file_job j = {.path = bench_data(b, name)};
    struct bench_side sides[2] = {{.run = run_inflate, .ctx = &j}, {.run = run_zlib, .ctx = &j}};
    struct bench_side parser = {.run = parse, .ctx = &j};
    struct seam_fault f = {0};

    if (j.path == NULL) return;
    bench_need(seam_source_read_all(seam_io_posix(), j.path, 1u << 30, &j.plain, &f), &f, name);
    j.peer = bench_peer_start(b, "rows_zlib", NULL);
    if (j.peer != NULL)
        BENCH_CHECK(b, bench_peer_number(j.peer, "open %s", j.path) == (double)j.plain.size);
    bench_interleave(sides, 2, ROUNDS);
    BENCH_CHECK(b, j.bytes == j.plain.size);
    bench_row(b, &(struct bench_row){.workload = workload,
                                     .metric = "throughput",
                                     .unit = "MB/s",
                                     .n = j.plain.size,
                                     .threads = 1,
                                     .ours = sides[0].stat,
                                     .peer = "zlib",
                                     .peer_value = sides[1].stat});
    bench_peer_stop(j.peer);
    bench_interleave(&parser, 1, ROUNDS);
    BENCH_CHECK(b, j.records == records);
    bench_row(b, &(struct bench_row){.workload = parse_workload,
                                     .metric = "throughput",
                                     .unit = "MB/s",
                                     .n = j.records,
                                     .threads = 1,
                                     .ours = parser.stat,
                                     .limit = bench_memory_gbps(b, 1) * 1e3});
    seam_buf_free(&j.plain);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_open(&b, "engine", NULL, 0, argc, argv);
    bench_row_paths(&b);
    bench_file(&b, "online-retail/online-retail.csv.gz", "gunzip online-retail", run_csv,
               "CSV online-retail", 541910);
    bench_file(&b, "product-search/products.jsonl.gz", "gunzip product-search", run_json,
               "JSON product-search", 9913);
    return bench_close(&b);
}
