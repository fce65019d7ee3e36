/* bench_columnar - the warehouse: loading, size, and queries on TPC-H-like lineitem and on real flights, next to
 * DuckDB on the same files in the same run. Answers are compared with DuckDB's, and with golden ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common/bench.h"
#include "bench/common/lineitem.h"
#include "columnar/sql/sql.h"

struct question {
    const char *name, *sql;
    double target;
};

static const struct question questions[] = {
    {"q1",
     "select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), "
     "sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + "
     "l_tax)), "
     "avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*) from li "
     "where l_shipdate <= '1998-09-02' group by l_returnflag, l_linestatus "
     "order by l_returnflag, l_linestatus",
     1.3},
    {"q6",
     "select sum(l_extendedprice * l_discount) from li where l_shipdate >= '1994-01-01' and "
     "l_shipdate < '1995-01-01' and l_discount between 0.05 and 0.07 and l_quantity < 24",
     2},
    {"sum_price", "select sum(l_extendedprice) from li", 2},
    {"eq_mode", "select count(*), sum(l_quantity) from li where l_shipmode = 'RAIL'", 2},
    {"in_mode",
     "select count(*), sum(l_quantity) from li where l_shipmode in ('AIR', 'RAIL', 'SHIP')", 2},
    {"range_1pct",
     "select count(*), sum(l_quantity) from li where l_shipdate >= '1995-03-01' and "
     "l_shipdate < '1995-03-26'",
     2},
    {"range_1pct_sorted",
     "select count(*), sum(l_quantity) from lis where l_shipdate >= '1995-03-01' and "
     "l_shipdate < '1995-03-26'",
     1},
    {"q6_sorted",
     "select sum(l_extendedprice * l_discount) from lis where l_shipdate >= '1994-01-01' and "
     "l_shipdate < '1995-01-01' and l_discount between 0.05 and 0.07 and l_quantity < 24",
     1},
    {"like_comment", "select count(*) from li where l_comment like '%special%requests%'", 1.2},
    {"top10_part",
     "select l_partkey, sum(l_extendedprice) as s from li group by l_partkey "
     "order by s desc, l_partkey limit 10",
     1.2},
    {"distinct_part", "select count(distinct l_partkey) from li", 1.2},
    {"distinct_order", "select count(distinct l_orderkey) from li", 1.2},
    {"point_order", "select count(*), sum(l_quantity) from li where l_orderkey = 100000", 1},
    {"join_nation",
     "select s_nation, sum(l_extendedprice) as s from li join supp on l_suppkey = s_suppkey "
     "group by s_nation order by s_nation",
     0},
};

static const struct question flight_questions[] = {
    {"flights_sums", "select count(*), sum(delay_min), sum(distance_mi) from flights", 2},
    {"flights_top_origin",
     "select origin, count(*) as n, sum(delay_min) from flights group by origin "
     "order by n desc limit 3",
     1.2},
    {"flights_route",
     "select origin, destination, count(*) as n from flights group by origin, destination "
     "order by n desc, origin, destination limit 10",
     1.2},
    {"flights_late_by_day",
     "select date_trunc('day', departure) as d, count(*), max(delay_min) from flights "
     "where delay_min > 60 group by d order by d limit 10",
     1.2},
};

static const char flights_schema[] =
    "{\"table\":\"flights\",\"version\":1,\"key\":[],\"columns\":[{\"name\":\"departure\",\"type\":"
    "\"timestamp\"},"
    "{\"name\":\"delay_min\",\"type\":\"int64\"},{\"name\":\"distance_mi\",\"type\":\"int64\"},"
    "{\"name\":\"origin\",\"type\":\"text\"},{\"name\":\"destination\",\"type\":\"text\"}]}";

struct run {
    struct bench *b;
    struct columnar_writer *w;
    struct columnar_reader *r;
    struct bench_peer *duck;
    int threads;
    const char *sql;
    struct columnar_query_stats stats;
    char answer[8192];
    char duck_answer[8192];
};

/* ---- ours ---- */

static enum seam_status keep_answer(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    struct run *x = ctx;
    struct seam_buf out = {0};

    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        if (x->answer[0] != 0 || r > 0) seam_buf_str(&out, ";");
        for (int c = 0; c < b->count; c++) {
            struct seam_value v = columnar_vec_value(&b->cols[c], r);

            if (c > 0) seam_buf_str(&out, ",");
            seam_value_format(&v, &out);
        }
    }
    strncat(x->answer, seam_buf_cstr(&out), sizeof x->answer - strlen(x->answer) - 1);
    seam_buf_free(&out);
    return SEAM_OK;
}

static double run_ours(void *ctx)
{
    struct run *x = ctx;
    const struct columnar_reader *readers[] = {x->r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_query_options opt = {.threads = x->threads};
    struct columnar_sql_query q;
    struct seam_arena a = {0};
    struct seam_fault f = {0};
    uint64_t began = bench_now_ns();
    enum seam_status st;

    x->answer[0] = 0;
    st = columnar_sql_prepare(&env, x->sql, strlen(x->sql), &a, &q, &f);
    if (st == SEAM_OK) st = columnar_sql_run(&q, &opt, keep_answer, x, &x->stats, &f);
    seam_arena_free(&a);
    bench_need(st, &f, x->sql);
    return (double)(bench_now_ns() - began) / 1e6;
}

/* ---- theirs ---- */

static double run_duck(void *ctx)
{
    struct run *x = ctx;
    char reply[8192], *bar;

    if (x->duck == NULL || !bench_peer_ask(x->duck, reply, sizeof reply, "run %s", x->sql))
        return NAN;
    bar = strchr(reply, '|');
    if (bar == NULL) return NAN;
    snprintf(x->duck_answer, sizeof x->duck_answer, "%s", bar + 1);
    return atof(reply);
}

/* Values one by one: numbers as numbers, dates as their common prefix, the rest as text. */
static bool same_answers(const char *a, const char *b)
{
    while (*a != 0 && *b != 0) {
        size_t na = strcspn(a, ",;"), nb = strcspn(b, ",;");
        char x[256], y[256], *ex, *ey;
        double dx, dy;

        snprintf(x, sizeof x, "%.*s", (int)na, a);
        snprintf(y, sizeof y, "%.*s", (int)nb, b);
        dx = strtod(x, &ex);
        dy = strtod(y, &ey);
        if (*ex == 0 && *ey == 0 && na > 0 && nb > 0) {
            if (fabs(dx - dy) > 1e-9 * fmax(fabs(dx), fabs(dy))) return false;
        } else if (na >= 10 && nb >= 10 && x[4] == '-' && y[4] == '-') {
            if (memcmp(x, y, 10) != 0) return false;
        } else if (strcmp(x, y) != 0) {
            return false;
        }
        if (a[na] != b[nb]) return false;
        a += na + (a[na] != 0);
        b += nb + (b[nb] != 0);
    }
    return *a == *b;
}

static void ask(struct run *x, const struct question *q, uint64_t rows, int threads)
{
    struct bench_side sides[2] = {{.run = run_ours, .ctx = x}, {.run = run_duck, .ctx = x}};
    char reply[64];
    double ours;

    x->sql = q->sql;
    x->threads = threads;
    if (x->duck != NULL) bench_peer_ask(x->duck, reply, sizeof reply, "threads %d", threads);
    bench_interleave(sides, x->duck == NULL ? 1 : 2, 7);
    if (x->duck != NULL && !same_answers(x->answer, x->duck_answer))
        bench_wrong(x->b, "%s: ours %.200s, DuckDB %.200s", q->name, x->answer, x->duck_answer);
    ours = sides[0].stat.median;
    bench_row(x->b, &(struct bench_row){.workload = q->name,
                                        .metric = "time",
                                        .unit = "ms",
                                        .n = rows,
                                        .threads = threads,
                                        .ours = sides[0].stat,
                                        .peer = "DuckDB",
                                        .peer_value = sides[1].stat,
                                        .lower_is_better = true,
                                        .target = q->target,
                                        .limit = (double)x->stats.bytes_read /
                                                 bench_memory_gbps(x->b, threads) / 1e6});
    fprintf(x->b->report, "    %s: read %llu of %llu vectors, %.2f%% of the bytes, %.2f GB/s\n",
            q->name, (unsigned long long)x->stats.vectors_read,
            (unsigned long long)x->stats.vectors_total,
            100.0 * (double)x->stats.bytes_read / (double)x->stats.bytes_total,
            (double)x->stats.bytes_read / ours / 1e6);
}

/* ---- loading and size ---- */

static void define(struct run *x, const char *json, const char *name)
{
    struct seam_schema s = {0};
    struct seam_fault f = {0};

    bench_need(seam_schema_parse(json, strlen(json), &s, &f), &f, name);
    snprintf(s.name, sizeof s.name, "%s", name);
    bench_need(columnar_define_table(x->w, &s, NULL, &f), &f, name);
    seam_schema_free(&s);
}

struct load {
    struct run *x;
    const char *table, *schema, *path, *duck_columns;
    uint64_t bytes;
    int count;
};

static double load_ours(void *ctx)
{
    struct load *l = ctx;
    struct columnar_load_result done;
    struct seam_fault f = {0};
    uint64_t began;

    if (columnar_writer_table(l->x->w, l->table) >= 0)
        bench_need(columnar_drop_table(l->x->w, l->table, &f), &f, l->table);
    define(l->x, l->schema, l->table);
    began = bench_now_ns();
    bench_need(columnar_load_csv(l->x->w, columnar_writer_table(l->x->w, l->table), l->path, ',', 1,
                                 &done, &f),
               &f, l->path);
    l->bytes = done.bytes;
    l->count++;
    return (double)(bench_now_ns() - began) / 1e9;
}

static double load_duck(void *ctx)
{
    struct load *l = ctx;
    double ms;

    if (l->x->duck == NULL) return NAN;
    bench_peer_number(l->x->duck, "exec drop table if exists %s", l->table);
    bench_peer_number(l->x->duck, "exec checkpoint");
    ms = bench_peer_number(
        l->x->duck, "exec create table %s as select * from read_csv('%s', header=true, columns=%s)",
        l->table, l->path, l->duck_columns);
    return (ms + bench_peer_number(l->x->duck, "exec checkpoint")) / 1e3;
}

static const char duck_lineitem[] =
    "{'l_orderkey':'INTEGER','l_partkey':'INTEGER','l_suppkey':'INTEGER','l_linenumber':'INTEGER',"
    "'l_quantity':'INTEGER','l_extendedprice':'DECIMAL(12,2)','l_discount':'DECIMAL(12,2)','l_tax':"
    "'DECIMAL(12,2)',"
    "'l_returnflag':'VARCHAR','l_linestatus':'VARCHAR','l_shipdate':'DATE','l_shipmode':'VARCHAR',"
    "'l_comment':'VARCHAR'}";
static const char duck_supplier[] = "{'s_suppkey':'INTEGER','s_nation':'VARCHAR'}";
static const char duck_flights[] =
    "{'departure':'TIMESTAMP','delay_min':'INTEGER','distance_mi':'INTEGER',"
    "'origin':'VARCHAR','destination':'VARCHAR'}";

static void reopen(struct run *x, int threads)
{
    char dir[600];
    struct columnar_options opt = {.threads = threads};
    struct seam_fault f = {0};

    snprintf(dir, sizeof dir, "%s/warehouse", bench_scratch(x->b));
    columnar_close_writer(x->w);
    x->w = NULL;
    bench_need(columnar_open_writer(seam_io_posix(), dir, &opt, &x->w, &f), &f, dir);
}

static void refresh(struct run *x)
{
    char dir[600];
    struct seam_fault f = {0};

    snprintf(dir, sizeof dir, "%s/warehouse", bench_scratch(x->b));
    columnar_close_reader(x->r);
    x->r = NULL;
    bench_need(columnar_open_reader(seam_io_posix(), dir, NULL, &x->r, &f), &f, dir);
}

static void measure_load(struct run *x, const char *path, uint64_t rows, int threads)
{
    struct load l = {.x = x,
                     .table = "li",
                     .schema = lineitem_schema,
                     .path = path,
                     .duck_columns = duck_lineitem};
    struct bench_side sides[2] = {{.run = load_ours, .ctx = &l}, {.run = load_duck, .ctx = &l}};
    char reply[64];

    reopen(x, threads);
    if (x->duck != NULL) bench_peer_ask(x->duck, reply, sizeof reply, "threads %d", threads);
    bench_interleave(sides, x->duck == NULL ? 1 : 2, 3);
    bench_row(x->b, &(struct bench_row){.workload = "load_csv",
                                        .metric = "time",
                                        .unit = "s",
                                        .n = rows,
                                        .threads = threads,
                                        .ours = sides[0].stat,
                                        .peer = "DuckDB",
                                        .peer_value = sides[1].stat,
                                        .lower_is_better = true,
                                        .target = 1.5});
}

static void measure_size(struct run *x, uint64_t rows, double ours, double duck)
{
    struct bench_stat none = {0}, parquet = {0};
    char path[600];

    if (x->duck != NULL) {
        snprintf(path, sizeof path, "%s/li.parquet", bench_scratch(x->b));
        bench_peer_number(x->duck, "exec copy li to '%s' (format parquet, compression zstd)", path);
        parquet = bench_value(bench_peer_number(x->duck, "filesize %s", path) / 1e6);
    }
    bench_row(x->b,
              &(struct bench_row){.workload = "size_lineitem",
                                  .metric = "bytes",
                                  .unit = "MB",
                                  .n = rows,
                                  .threads = 1,
                                  .ours = bench_value(ours / 1e6),
                                  .peer = "DuckDB",
                                  .peer_value = x->duck == NULL ? none : bench_value(duck / 1e6),
                                  .lower_is_better = true,
                                  .target = 1.0});
    bench_row(x->b, &(struct bench_row){.workload = "size_lineitem_parquet",
                                        .metric = "bytes",
                                        .unit = "MB",
                                        .n = rows,
                                        .threads = 1,
                                        .ours = bench_value(ours / 1e6),
                                        .peer = "Parquet zstd",
                                        .peer_value = parquet,
                                        .lower_is_better = true,
                                        .target = 1 / 1.05});
}

static double duck_size(struct run *x)
{
    return x->duck == NULL ? 0 : bench_peer_number(x->duck, "size");
}

/* ---- change ---- */

static const char stock_schema[] =
    "{\"table\":\"stock\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"title\",\"type\":\"text\"},{\"name\":\"price\",\"type\":\"decimal\",\"scale\":4},"
    "{\"name\":\"left\",\"type\":\"int64\"}]}";

static void measure_changes(struct run *x)
{
    uint64_t keys = bench_size(x->b, 100000, 500000, 1000000), changes = keys, lsn = 1000, began;
    struct seam_histogram h;
    struct seam_value row[4];
    struct seam_fault f = {0};
    int table;

    reopen(x, 1);
    define(x, stock_schema, "stock");
    table = columnar_writer_table(x->w, "stock");
    row[1] = seam_v_str("a product with a title of common length");
    for (uint64_t i = 0; i < keys; i++) {
        row[0] = seam_v_int((int64_t)i);
        row[2] = seam_v_decimal((int64_t)i * 7, 4);
        row[3] = seam_v_int((int64_t)(i % 100));
        bench_need(columnar_upsert(x->w, table, row, lsn + i, NULL, &f), &f, "upsert");
    }
    lsn += keys;
    bench_need(columnar_publish(x->w, lsn, 1, &f), &f, "publish");
    began = bench_now_ns();
    for (uint64_t i = 0; i < changes; i++) {
        row[0] = seam_v_int((int64_t)(i * 2654435761u % keys));
        bench_need(columnar_upsert(x->w, table, row, ++lsn, NULL, &f), &f, "upsert");
        if (i % 20000 == 19999) bench_need(columnar_publish(x->w, lsn, 1, &f), &f, "publish");
    }
    bench_need(columnar_publish(x->w, lsn, 1, &f), &f, "publish");
    bench_row(x->b, &(struct bench_row){.workload = "upsert_replay",
                                        .metric = "rate",
                                        .unit = "rows/s",
                                        .n = changes,
                                        .threads = 1,
                                        .ours = bench_value((double)changes * 1e9 /
                                                            (double)(bench_now_ns() - began))});
    define(x, lineitem_schema, "bronze");
    table = columnar_writer_table(x->w, "stock");
    seam_histogram_init(&h);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 3; k++) {
            row[0] = seam_v_int((int64_t)((uint64_t)(i * 3 + k) * 40503u % keys));
            bench_need(columnar_upsert(x->w, table, row, ++lsn, NULL, &f), &f, "upsert");
        }
        began = bench_now_ns();
        bench_need(columnar_publish(x->w, lsn, 1, &f), &f, "publish");
        if (i > 0) seam_histogram_add(&h, bench_now_ns() - began);
    }
    bench_row_latency(
        x->b,
        &(struct bench_row){
            .workload = "publish_3_rows", .n = 299, .threads = 1, .lower_is_better = true},
        &h, NULL);
}

static void measure_bronze(struct run *x)
{
    uint64_t rows = bench_size(x->b, 500000, 1000000, 2000000),
             lsn = columnar_writer_applied(x->w) + 1, began;
    struct seam_value row[4] = {seam_v_int(0),
                                seam_v_str("a product with a title of common length"),
                                seam_v_decimal(1, 4), seam_v_int(1)};
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    int table;

    bench_need(seam_schema_parse(stock_schema, sizeof stock_schema - 1, &s, &f), &f, "schema");
    s.key_count = 0;
    snprintf(s.name, sizeof s.name, "bronze_stock");
    bench_need(columnar_define_table(x->w, &s, NULL, &f), &f, "bronze");
    table = columnar_writer_table(x->w, "bronze_stock");
    began = bench_now_ns();
    for (uint64_t i = 0; i < rows; i++) {
        row[0].i = (int64_t)i;
        row[2].i = (int64_t)(i * 7919 % 1000000);
        bench_need(columnar_append(x->w, table, row, lsn + i, &f), &f, "append");
        if (i % 50000 == 49999) bench_need(columnar_publish(x->w, lsn + i, 1, &f), &f, "publish");
    }
    bench_need(columnar_publish(x->w, lsn + rows, 1, &f), &f, "publish");
    bench_row(x->b, &(struct bench_row){.workload = "bronze_replay",
                                        .metric = "rate",
                                        .unit = "rows/s",
                                        .n = rows,
                                        .threads = 1,
                                        .ours = bench_value((double)rows * 1e9 /
                                                            (double)(bench_now_ns() - began))});
    seam_schema_free(&s);
}

static void flights(struct run *x)
{
    const char *path = bench_data(x->b, "flights/flights.csv.gz");
    struct load l = {.x = x,
                     .table = "flights",
                     .schema = flights_schema,
                     .path = path,
                     .duck_columns = duck_flights};

    if (path == NULL) return;
    reopen(x, 2);
    load_ours(&l);
    load_duck(&l);
    refresh(x);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(flight_questions); i++)
        for (int t = 1; t <= 2; t++) {
            ask(x, &flight_questions[i], 3000000, t);
            if (i == 0 && strcmp(x->answer, "3000000,20003603,2194861208") != 0)
                bench_wrong(x->b, "flights: %s", x->answer);
        }
}

int main(int argc, char **argv)
{
    struct bench b;
    static struct run x;
    const char *only = NULL;
    struct seam_opt extra[] = {{"only", 0, SEAM_OPT_STRING, "NAME", "this question alone", &only}};
    char csv[600], sorted[600], supp[600], db[600];
    const char *args[] = {db, NULL};
    struct load l = {.x = &x, .schema = lineitem_schema, .duck_columns = duck_lineitem};
    double ours, duck;
    uint64_t rows;

    bench_open(&b, "columnar", extra, 1, argc, argv);
    x.b = &b;
    rows = bench_size(&b, 1000000, 3000000, 6000000);
    snprintf(csv, sizeof csv, "%s/li.csv", bench_scratch(&b));
    snprintf(sorted, sizeof sorted, "%s/lis.csv", bench_scratch(&b));
    snprintf(supp, sizeof supp, "%s/supp.csv", bench_scratch(&b));
    snprintf(db, sizeof db, "%s/duck.db", bench_scratch(&b));
    if (!lineitem_write(csv, rows, (uint64_t)b.seed, false) ||
        !lineitem_write(sorted, rows, (uint64_t)b.seed, true) ||
        !supplier_write(supp, (uint64_t)b.seed))
        bench_need(SEAM_IO, NULL, csv);
    x.duck = bench_peer_start(&b, "columnar_duckdb", args);
    duck = duck_size(&x);
    if (only == NULL || strcmp(only, "load_csv") == 0)
        for (int t = 1; t <= 2; t++) measure_load(&x, csv, rows, t);
    reopen(&x, 2);
    l.table = "li";
    l.path = csv;
    load_ours(&l);
    ours = (double)l.bytes;
    load_duck(&l);
    duck = duck_size(&x) - duck;
    measure_size(&x, rows, ours, duck);
    l.table = "lis";
    l.path = sorted;
    load_ours(&l);
    load_duck(&l);
    l = (struct load){.x = &x,
                      .table = "supp",
                      .schema = supplier_schema,
                      .path = supp,
                      .duck_columns = duck_supplier};
    load_ours(&l);
    load_duck(&l);
    refresh(&x);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(questions); i++)
        for (int t = 1; t <= 2; t++)
            if (only == NULL || strcmp(only, questions[i].name) == 0)
                ask(&x, &questions[i], rows, t);
    if (only == NULL) {
        flights(&x);
        measure_changes(&x);
        measure_bronze(&x);
    }
    columnar_close_reader(x.r);
    columnar_close_writer(x.w);
    bench_peer_stop(x.duck);
    return bench_close(&b);
}
