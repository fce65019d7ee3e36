/* What every row passes through: encoding, decoding, keys, canonical hashes, JSON, CSV, gzip. The
 * limits are memory bandwidth for bytes; the peer for gzip is zlib. Allocations inside the row
 * loops are counted and must be none.                                                            */
#include "bench/common/bench.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/text/csv.h"
#include "engine/text/json.h"
#include "engine/base/rng.h"
#include "engine/values/row.h"

enum { ROUNDS = 5, DISTINCT = 1024, COLUMNS = 6 };

static const char table[] =
    "{\"table\":\"order_lines\",\"key\":[\"order_id\",\"line_no\"],\"columns\":[{\"name\":\"order_"
    "id\",\"type\":\"int64\"},{\"name\":\"line_no\",\"type\":\"int64\"},"
    "{\"name\":\"product_id\",\"type\":\"int64\"},{\"name\":\"quantity\",\"type\":\"int64\"},{"
    "\"name\":\"unit_price\",\"type\":\"decimal\",\"scale\":4},{\"name\":\"note\",\"type\":"
    "\"text\",\"nullable\":true}]}";

struct rows {
    struct schema schema;
    struct value values[DISTINCT][COLUMNS];
    struct buf encoded[DISTINCT];
    struct buf out;
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
        buf_clear(&r->out);
        if (row_encode(&r->schema, r->values[i % DISTINCT], &r->out, NULL) != ST_OK) return NAN;
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static double run_decode(void *ctx)
{
    struct rows *r = ctx;
    struct value v[COLUMNS];
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        const struct buf *b = &r->encoded[i % DISTINCT];

        if (row_decode(&r->schema, b->data, b->size, v, NULL) != ST_OK) return NAN;
        r->checked += (uint64_t)v[3].i;
    }
    return rate(r->n, start);
}

static double run_get(void *ctx)
{
    struct rows *r = ctx;
    struct value v;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        const struct buf *b = &r->encoded[i % DISTINCT];

        if (row_get(&r->schema, b->data, b->size, 4, &v, NULL) != ST_OK) return NAN;
        r->checked += (uint64_t)v.i;
    }
    return rate(r->n, start);
}

static double run_key(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        buf_clear(&r->out);
        if (row_key(&r->schema, r->values[i % DISTINCT], &r->out, NULL) != ST_OK) return NAN;
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static double run_hash(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++)
        r->checked += row_hash(&r->schema, r->values[i % DISTINCT]).lo;
    return rate(r->n, start);
}

static double run_to_json(void *ctx)
{
    struct rows *r = ctx;
    uint64_t start = bench_now_ns();

    for (size_t i = 0; i < r->n; i++) {
        buf_clear(&r->out);
        row_to_json(&r->schema, r->values[i % DISTINCT], &r->out);
        r->checked += r->out.size;
    }
    return rate(r->n, start);
}

static void make_rows(struct bench *b, struct rows *r)
{
    struct rng rng;
    struct fault f = {0};

    bench_need(schema_parse(table, sizeof table - 1, &r->schema, &f), &f, "schema");
    rng_seed(&rng, (uint64_t)b->seed);
    for (size_t i = 0; i < DISTINCT; i++) {
        struct value *v = r->values[i];

        v[0] = v_int((int64_t)(536365 + i / 20));
        v[1] = v_int((int64_t)(i % 20 + 1));
        v[2] = v_int(rng_range(&rng, 1, 4070));
        v[3] = v_int(rng_range(&rng, -20, 100));
        v[4] = v_decimal(rng_range(&rng, 100, 200000), 4);
        v[5] = rng_below(&rng, 2) == 0 ? v_null() : v_str("white hanging heart");
        bench_need(row_encode(&r->schema, v, &r->encoded[i], &f), &f, "encode");
    }
    (void)buf_reserve(&r->out, 4096);
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

    if (r == NULL) bench_need(ST_NOMEM, NULL, "rows");
    make_rows(b, r);
    r->n = bench_size(b, 1000000, 4000000, 20000000);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
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
    for (size_t i = 0; i < DISTINCT; i++)
        buf_free(&r->encoded[i]);
    buf_free(&r->out);
    schema_free(&r->schema);
    free(r);
}

/* ---- gzip, CSV and JSON over real files ---- */

struct file_job {
    const char *path;
    struct buf plain; /* inflated: CSV and JSON are timed from memory */
    uint64_t bytes, records;
    struct bench_peer *peer;
};

static double run_inflate(void *ctx)
{
    struct file_job *j = ctx;
    static uint8_t piece[256 << 10];
    struct source *s = NULL;
    uint64_t start = bench_now_ns();
    size_t got = 1;

    j->bytes = 0;
    if (source_open(io_posix(), j->path, &s, NULL) != ST_OK) return NAN;
    while (got > 0 && source_read(s, piece, sizeof piece, &got, NULL) == ST_OK)
        j->bytes += got;
    source_close(s);
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
    struct source *s = NULL;
    struct csv *c = NULL;
    const struct csv_field *fields;
    size_t count;
    uint64_t start = bench_now_ns();

    j->records = 0;
    if (source_from_memory(j->plain.data, j->plain.size, &s) != ST_OK ||
        csv_open(s, (struct csv_options){',', true, 0}, &c) != ST_OK)
        return NAN;
    while (csv_next(c, &fields, &count, NULL) == ST_OK)
        j->records++;
    csv_close(c);
    source_close(s);
    return (double)j->plain.size * 1e3 / (double)(bench_now_ns() - start);
}

static double run_json(void *ctx)
{
    struct file_job *j = ctx;
    struct source *s = NULL;
    struct arena a = {0};
    struct json *root;
    const char *line;
    size_t n;
    uint64_t start = bench_now_ns();

    j->records = 0;
    if (source_from_memory(j->plain.data, j->plain.size, &s) != ST_OK) return NAN;
    while (source_line(s, 1 << 20, &line, &n, NULL) == ST_OK) {
        arena_reset(&a);
        if (json_parse(line, n, &a, NULL, &root, NULL) == ST_OK) j->records++;
    }
    arena_free(&a);
    source_close(s);
    return (double)j->plain.size * 1e3 / (double)(bench_now_ns() - start);
}

static void bench_file(struct bench *b, const char *name, const char *workload,
                       double (*parse)(void *), const char *parse_workload, uint64_t records)
{
    struct file_job j = {.path = bench_data(b, name)};
    struct bench_side sides[2] = {{.run = run_inflate, .ctx = &j}, {.run = run_zlib, .ctx = &j}};
    struct bench_side parser = {.run = parse, .ctx = &j};
    struct fault f = {0};

    if (j.path == NULL) return;
    bench_need(source_read_all(io_posix(), j.path, 1u << 30, &j.plain, &f), &f, name);
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
    buf_free(&j.plain);
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
