/* Filling the row store: the real flat file through its mapping, a second import of it, and made-up
 * orders. The limit of the first is what reading the file costs without a store behind it.       */
#include "bench/common/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/import/import.h"
#include "pipeline/import/shopgen.h"

struct import_job {
    struct bench *b;
    const char *file;
    struct seam_buf mapping;
    int round;
    struct import_stats last;
    double again; /* seconds of the second import */
};

static struct oltp *open_shop(struct bench *b, const char *name, int round)
{
    static const char *const tables[] = {"products", "customers", "orders", "order_lines"};
    struct oltp_options o = {0};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    snprintf(dir, sizeof dir, "%s/%s-%d/oltp", bench_scratch(b), name, round);
    bench_need(seam_io_mkdir(seam_io_posix(), dir, &f), &f, "folder");
    bench_need(oltp_open(seam_io_posix(), dir, &o, &db, &f), &f, "open");
    bench_need(oltp_write_begin(db, &t, &f), &f, "begin");
    for (size_t i = 0; i < SEAM_ARRAY_LEN(tables); i++) {
        struct seam_buf json = {0};
        char path[SEAM_PATH_MAX_BYTES];
        uint32_t id;

        snprintf(path, sizeof path, "pipeline/shop/schemas/%s.json", tables[i]);
        bench_need(seam_io_read_all(seam_io_posix(), path, 1 << 20, &json, &f), &f, path);
        bench_need(oltp_create_table_json(t, (char *)json.data, json.size, &id, &f), &f, path);
        seam_buf_free(&json);
    }
    bench_need(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f, "commit");
    return db;
}

static void close_shop(struct bench *b, struct oltp *db, const char *name, int round)
{
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];

    bench_need(oltp_close(db, &f), &f, "close");
    snprintf(dir, sizeof dir, "%s/%s-%d", bench_scratch(b), name, round);
    bench_need(seam_io_remove_tree(seam_io_posix(), dir, &f), &f, "remove");
}

static double run_import(void *ctx)
{
    struct import_job *j = ctx;
    struct import_options o = {.file = j->file,
                               .mapping = (char *)j->mapping.data,
                               .mapping_size = j->mapping.size,
                               .limit = bench_size(j->b, 150000, 0, 0)};
    struct oltp *db = open_shop(j->b, "import", ++j->round);
    struct import_stats again = {0};
    struct seam_fault f = {0};

    bench_need(import_run(db, &o, &j->last, &f), &f, "import");
    bench_need(import_run(db, &o, &again, &f), &f, "second import");
    BENCH_CHECK(j->b, again.lsn == SEAM_LSN_NONE && again.skipped == j->last.records &&
                          j->last.rejected == 0);
    j->again = (double)again.elapsed_ns / 1e9;
    close_shop(j->b, db, "import", j->round);
    return (double)j->last.landed / ((double)j->last.elapsed_ns / 1e9);
}

/* Everything but the store: the same records read and their columns found.                       */
static double run_skip(void *ctx)
{
    struct import_job *j = ctx;

    return j->again > 0 ? (double)j->last.records / j->again : NAN;
}

static void bench_real_file(struct bench *b)
{
    struct import_job j = {.b = b, .file = bench_data(b, "online-retail/online-retail.csv.gz")};
    struct bench_side sides[2] = {{.run = run_import, .ctx = &j}, {.run = run_skip, .ctx = &j}};
    struct seam_fault f = {0};

    if (j.file == NULL) return;
    bench_need(seam_io_read_all(seam_io_posix(), "pipeline/shop/mappings/online-retail.json",
                                1 << 20, &j.mapping, &f),
               &f, "mapping");
    bench_interleave(sides, 2, 3);
    bench_row(b, &(struct bench_row){.workload = "import online-retail",
                                     .metric = "throughput",
                                     .unit = "rows/s",
                                     .n = j.last.landed,
                                     .threads = 1,
                                     .ours = sides[0].stat,
                                     .limit = sides[1].stat.median});
    bench_row(b, &(struct bench_row){.workload = "second import",
                                     .metric = "throughput",
                                     .unit = "rows/s",
                                     .n = j.last.records,
                                     .threads = 1,
                                     .ours = sides[1].stat});
    seam_buf_free(&j.mapping);
}

struct gen_job {
    struct bench *b;
    int round;
    uint64_t orders;
    struct shop_gen_stats last;
};

static double run_shopgen(void *ctx)
{
    struct gen_job *j = ctx;
    struct import_options catalogue = {.file = "pipeline/shop/catalogue.jsonl",
                                       .table = "products"};
    struct shop_gen_options o = {
        .seed = (uint64_t)j->b->seed, .orders = j->orders, .mode = OLTP_DEFERRED};
    struct oltp *db = open_shop(j->b, "gen", ++j->round);
    struct import_stats s;
    struct shop_gen_stats before = j->last;
    struct seam_fault f = {0};
    uint64_t start;
    double seconds;

    bench_need(import_run(db, &catalogue, &s, &f), &f, "catalogue");
    start = bench_now_ns();
    bench_need(shop_gen_run(db, &o, &j->last, &f), &f, "generate");
    seconds = (double)(bench_now_ns() - start) / 1e9;
    BENCH_CHECK(j->b, before.orders == 0 ||
                          (before.revenue == j->last.revenue && before.lines == j->last.lines));
    close_shop(j->b, db, "gen", j->round);
    return (double)j->orders / seconds;
}

int main(int argc, char **argv)
{
    struct bench b;
    struct gen_job gen = {.b = &b};
    struct bench_side side = {.run = run_shopgen, .ctx = &gen};

    bench_open(&b, "pipeline", NULL, 0, argc, argv);
    bench_real_file(&b);
    gen.orders = bench_size(&b, 50000, 200000, 1000000);
    bench_interleave(&side, 1, 3);
    bench_row(&b, &(struct bench_row){.workload = "generate orders",
                                      .metric = "throughput",
                                      .unit = "orders/s",
                                      .n = gen.orders,
                                      .threads = 1,
                                      .ours = side.stat});
    return bench_close(&b);
}
