#include "pipeline/import/import.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "engine/text/json.h"
#include "tests/pipeline/shop.h"

static void write_file(struct seam_io *io, const char *dir, const char *name, const void *p,
                       size_t n, char path[SEAM_PATH_MAX_BYTES])
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_path_join(path, dir, name, &f), &f);
    ASSERT_OK(seam_io_write_atomic(io, path, p, n, &f), &f);
}

static struct seam_buf mapping_file(const char *name)
{
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];

    snprintf(path, sizeof path, "pipeline/shop/mappings/%s.json", name);
    shop_read_file(path, &b);
    return b;
}

static enum seam_status run(struct oltp *db, const char *file, const struct seam_buf *mapping,
                            struct import_options o, struct import_stats *out, struct seam_fault *f)
{
    o.file = file;
    o.mapping = mapping != NULL ? (char *)mapping->data : NULL;
    o.mapping_size = mapping != NULL ? mapping->size : 0;
    return import_run(db, &o, out, f);
}

/* A small file with the dirt of the real one: repeated lines, cancellations, blanks, staff notes,
 * an invoice whose lines are apart, and three lines that cannot land.                            */
static const char dirty[] =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER ,6,2010-12-01 08:26:00,2.55,17850,United "
    "Kingdom\n"
    "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER ,6,2010-12-01 08:26:00,2.55,17850,United "
    "Kingdom\n"
    "536366,71053,\"LANTERN, METAL\",1,2010-12-01 08:28:00,3.39,,France\n"
    "536367,71053,\"LANTERN, METAL\",x,2010-12-01 08:28:00,3.39,,France\n"
    "536365,71053,\"LANTERN, METAL\",2,2010-12-01 08:29:00,3.391,17850,United Kingdom\n"
    "C536379,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-1,2010-12-02 09:41:00,2.55,17850,United "
    "Kingdom\n"
    "536370,85123A,,-5,2010-12-03 10:00:00,0,,United Kingdom\n"
    "536371,85123A,damaged,-5,2010-12-03 10:00:00,0,,United Kingdom\n"
    "536372,85123A,HEART T-LIGHT HOLDER,1,2010-12-03 11:00:00,2.95,17850,United Kingdom\n"
    "536373,85123A,HEART T-LIGHT HOLDER,1,2010-12-03 12:00:00,2.95001,17850\n"
    "536374,85123A,HEART T-LIGHT HOLDER,1,2010-13-03 12:00:00,2.95,17850,United Kingdom\n"
    "536375,85123A,HEART T-LIGHT HOLDER,1,2010-12-03 13:00:00,3.25,17850,United Kingdom\n";

static void test_import_flat_lines_become_the_shops_tables(void)
{
    struct oltp *db = shop_open(test_dir());
    struct seam_buf mapping = mapping_file("online-retail"), got = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES], rejects[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "dirty.csv", dirty, sizeof dirty - 1, path);
    ASSERT_OK(seam_path_join(rejects, test_dir(), "rejects.jsonl", &f), &f);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){.reject_path = rejects}, &s, &f), &f);
    ck_assert(s.finished && s.records == 12 && s.landed == 9 && s.rejected == 3);
    shop_dump(db, "products", &got);
    /* Two products; the real sale of the third day changed name and price, the one an hour or two
     * later not yet.                                                                             */
    ck_assert_str_eq(
        seam_buf_cstr(&got),
        "{\"product_id\":1,\"sku\":\"85123A\",\"title\":\"HEART T-LIGHT "
        "HOLDER\",\"description\":null,\"category\":\"Candles and lights\",\"brand\":null,"
        "\"price\":\"2.9500\",\"stock\":0,\"updated_at\":\"2010-12-03T11:00:00Z\",\"version\":2}\n"
        "{\"product_id\":2,\"sku\":\"71053\",\"title\":\"LANTERN, "
        "METAL\",\"description\":null,\"category\":\"Candles and lights\",\"brand\":null,"
        "\"price\":\"3.3900\",\"stock\":0,\"updated_at\":\"2010-12-01T08:28:00Z\",\"version\":1}"
        "\n");
    seam_buf_clear(&got);
    shop_dump(db, "order_lines", &got);
    ck_assert_ptr_nonnull(strstr(
        seam_buf_cstr(&got), "{\"order_id\":536365,\"line_no\":3,\"product_id\":2,\"quantity\":2,"
                             "\"unit_price\":\"3.3910\"}"));
    ck_assert_uint_eq(shop_count(db, "order_lines"), 9);
    seam_buf_clear(&got);
    shop_dump(db, "orders", &got);
    ck_assert_ptr_nonnull(
        strstr(seam_buf_cstr(&got),
               "{\"order_id\":536379,\"customer_id\":17850,\"status\":\"cancelled\""));
    ck_assert_ptr_nonnull(strstr(
        seam_buf_cstr(&got), "{\"order_id\":536366,\"customer_id\":null,\"status\":\"placed\""));
    ck_assert_uint_eq(shop_count(db, "customers"), 1);
    seam_buf_clear(&got);
    ASSERT_OK(seam_io_read_all(seam_io_posix(), rejects, 1 << 20, &got, &f), &f);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got),
                                 "\"line\":5,\"reason\":\"order_lines.quantity: \\\"x\\\" is no "
                                 "int64\",\"record\":\"536367,71053,\\\"LANTERN, METAL\\\",x"));
    ck_assert_ptr_nonnull(
        strstr(seam_buf_cstr(&got), "\"line\":11,\"reason\":\"7 fields where 8 are expected\""));
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got),
                                 "\"line\":12,\"reason\":\"products.updated_at: "
                                 "\\\"2010-13-03 12:00:00\\\" is no timestamp\""));
    shop_close(db);
    seam_buf_free(&mapping);
    seam_buf_free(&got);
}

/* Goal: a second import of the same file writes nothing: not a row, not a log record.            */
static void test_import_again_changes_nothing(void)
{
    struct oltp *db = shop_open(test_dir());
    struct seam_buf mapping = mapping_file("online-retail");
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];
    seam_lsn_t lsn;

    write_file(seam_io_posix(), test_dir(), "dirty.csv", dirty, sizeof dirty - 1, path);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, &f), &f);
    lsn = oltp_lsn(db);
    write_file(seam_io_posix(), test_dir(), "renamed.csv", dirty, sizeof dirty - 1, path);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, &f), &f);
    ck_assert(s.finished && s.skipped == 12 && s.landed == 0 && s.rejected == 0 &&
              s.lsn == SEAM_LSN_NONE);
    ck_assert_uint_eq(oltp_lsn(db), lsn);
    shop_close(db);
    seam_buf_free(&mapping);
}

/* Goal: a file that has grown goes on where it stood; one that only begins alike is another file,
 * and rows that are there already are left as they are.                                          */
static void test_import_grown_and_changed_files(void)
{
    struct oltp *db = shop_open(test_dir());
    static const char one[] = "customer_id,name\n1,Ada\n2,Ben\n",
                      grown[] = "customer_id,name\n1,Ada\n2,Ben\n3,Chloe\n",
                      other[] = "customer_id,name\n1,Ada\n2,Bob\n3,Chloe\n";
    struct seam_buf got = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "c.csv", one, sizeof one - 1, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f), &f);
    ck_assert_uint_eq(s.inserted, 2);
    write_file(seam_io_posix(), test_dir(), "c.csv", grown, sizeof grown - 1, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f), &f);
    ck_assert(s.skipped == 2 && s.landed == 1 && s.inserted == 1);
    write_file(seam_io_posix(), test_dir(), "c.csv", other, sizeof other - 1, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f), &f);
    ck_assert(s.skipped == 0 && s.landed == 3 && s.updated == 1 && s.unchanged == 2);
    shop_dump(db, "customers", &got);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "{\"customer_id\":2,\"name\":\"Bob\""));
    shop_close(db);
    seam_buf_free(&got);
}

static void test_import_stop_keeps_what_came_before(void)
{
    struct oltp *db = shop_open(test_dir());
    struct seam_buf mapping = mapping_file("online-retail");
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "dirty.csv", dirty, sizeof dirty - 1, path);
    ASSERT_STATUS(run(db, path, &mapping, (struct import_options){.on_error = IMPORT_STOP}, &s, &f),
                  SEAM_INVALID);
    ck_assert_str_eq(f.why, "line 5: order_lines.quantity: \"x\" is no int64");
    ck_assert_str_eq(f.where, path);
    ck_assert_uint_eq(shop_count(db, "order_lines"), 3);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, NULL), NULL);
    ck_assert(s.skipped == 3 && s.landed == 6 && s.rejected == 3);
    shop_close(db);
    seam_buf_free(&mapping);
}

static void test_import_dry_run_changes_nothing(void)
{
    struct oltp *db = shop_open(test_dir());
    struct seam_buf mapping = mapping_file("online-retail");
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];
    seam_lsn_t lsn = oltp_lsn(db);

    write_file(seam_io_posix(), test_dir(), "dirty.csv", dirty, sizeof dirty - 1, path);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){.dry_run = true}, &s, &f), &f);
    ck_assert(s.landed == 9 && s.rejected == 3);
    ck_assert_uint_eq(oltp_lsn(db), lsn);
    shop_close(db);
    seam_buf_free(&mapping);
}

static void test_import_tsv_jsonl_and_latin1(void)
{
    struct oltp *db = shop_open(test_dir());
    static const char tsv[] = "sku\tproduct_id\ttitle\tprice\nA-1\t1\ttab\\there\t2.5\n";
    static const char jsonl[] =
        "{\"product_id\":2,\"sku\":\"A-2\",\"title\":\"caf\\u00e9\",\"price\":3,\"stock\":7}\n\n{"
        "\"product_id\":3,\"sku\":\"A-1\",\"title\":\"taken sku\"}\n"
        "{\"product_id\":4,\"skew\":\"x\"}\nnot "
        "json\n{\"product_id\":5,\"sku\":\"A-5\",\"title\":[1]}\n";
    static const char latin[] =
        "{\"name\":\"l\",\"encoding\":\"latin-1\",\"header\":false,\"columns\":[\"a\",\"b\",\"c\"],"
        "\"tables\":[{\"table\":\"products\",\"values\":{\"product_id\":\"a\",\"sku\":{\"from\":"
        "\"b\",\"upper\":true,\"prefix\":\"L-\"},\"title\":{\"from\":\"c\",\"trim\":true}}}]}";
    struct seam_buf got = {0},
                    mapping = {.data = (uint8_t *)(uintptr_t)latin, .size = sizeof latin - 1};
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "p.tsv", tsv, sizeof tsv - 1, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "products"}, &s, &f), &f);
    ck_assert_uint_eq(s.inserted, 1);
    write_file(seam_io_posix(), test_dir(), "p.jsonl", jsonl, sizeof jsonl - 1, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "products"}, &s, &f), &f);
    ck_assert(s.inserted == 1 && s.rejected == 4);
    write_file(seam_io_posix(), test_dir(), "p.csv", "9,z,\xa3 note \n", 11, path);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, &f), &f);
    shop_dump(db, "products", &got);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "\"title\":\"tab\\there\""));
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "\"title\":\"caf\xc3\xa9\""));
    ck_assert_ptr_nonnull(
        strstr(seam_buf_cstr(&got), "\"sku\":\"L-Z\",\"title\":\"\xc2\xa3 note\""));
    seam_buf_clear(&got);
    shop_dump(db, "seam_rejects", &got);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "table products has no column \\\"skew\\\""));
    shop_close(db);
    seam_buf_free(&got);
}

static void test_import_other_countries_exports(void)
{
    static const char file[] = "Nr;Kunde;Preis;Datum\n1;x;1.234,50;9/12/2011 "
                               "8:05\n2;y;2,5;31/12/2011 23:59\n3;z;2,5;12/31/2011 10:00\n";
    static const char json[] =
        "{\"separator\":\";\",\"tables\":[{\"table\":\"products\",\"values\":{\"product_id\":"
        "\"Nr\",\"sku\":\"Kunde\",\"title\":\"Kunde\","
        "\"price\":{\"from\":\"Preis\",\"decimal_comma\":true},\"updated_at\":{\"from\":\"Datum\","
        "\"time\":\"%d/%m/%Y %H:%M\"}}}]}";
    struct oltp *db = shop_open(test_dir());
    struct seam_buf got = {0},
                    mapping = {.data = (uint8_t *)(uintptr_t)json, .size = sizeof json - 1};
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "x.csv", file, sizeof file - 1, path);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, &f), &f);
    ck_assert(s.landed == 2 && s.rejected == 1);
    shop_dump(db, "products", &got);
    ck_assert_ptr_nonnull(
        strstr(seam_buf_cstr(&got),
               "\"price\":\"1234.5000\",\"stock\":0,\"updated_at\":\"2011-12-09T08:05:00Z\""));
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "2011-12-31T23:59:00Z"));
    seam_buf_clear(&got);
    shop_dump(db, "seam_rejects", &got);
    ck_assert_ptr_nonnull(strstr(seam_buf_cstr(&got), "2011-31-12T10:00:00"));
    shop_close(db);
    seam_buf_free(&got);
}

/* Goal: each mistake in a mapping is refused before anything is written, naming what is wrong.   */
static void test_import_mapping_mistakes_are_named(void)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{\"tables\":[]}", "1 to 16 tables"},
        {"{\"table\":[]}", "did you mean \"tables\""},
        {"{\"tables\":[{\"table\":\"product\",\"values\":{}}]}", "product"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"custmer_id\":\"a\"}}]}",
         "did you mean customer_id"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"name\":\"name\"}}]}",
         "column customer_id of customers must have a value"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":\"costumer_id\"}}]}",
         "did you mean \"customer_id\""},
        {"{\"tables\":[{\"table\":\"customers\",\"mode\":\"merge\",\"values\":{}}]}",
         "upsert, keep or insert"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":{\"form\":\"a\"}}}]}",
         "did you mean \"from\""},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":{\"intern\":\"name\"}}}"
         "]}",
         "unique index"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":{\"same\":\"orders."
         "customer_id\"}}}]}",
         "earlier table"},
        {"{\"tables\":[{\"table\":\"customers\",\"when\":{\"column\":\"a\",\"is\":1},\"values\":{"
         "\"customer_id\":\"a\"}}]}",
         "unknown member \"is\""},
        {"{\"format\":\"xml\",\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":"
         "\"a\"}}]}",
         "csv, tsv or jsonl"},
        {"{\"tables\":[{\"table\":\"customers\",\"values\":{\"customer_id\":\"a\"},\"newest\":"
         "\"zzz\"}]}",
         "no column \"zzz\""},
        {"nothing", "expected a value"},
    };
    struct oltp *db = shop_open(test_dir());
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "c.csv", "customer_id,name\n1,Ada\n", 23, path);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_buf mapping = {.data = (uint8_t *)(uintptr_t)cases[i].json,
                                   .size = strlen(cases[i].json)};
        struct import_stats s;
        struct seam_fault f = {0};
        char text[1024];

        ck_assert_int_ne(run(db, path, &mapping, (struct import_options){0}, &s, &f), SEAM_OK);
        ck_assert_msg(strstr(seam_fault_text(&f, text, sizeof text), cases[i].says) != NULL,
                      "case %zu says: %s", i, text);
    }
    ck_assert_uint_eq(shop_count(db, "customers"), 0);
    shop_close(db);
}

static void test_import_empty_and_headless_files(void)
{
    struct oltp *db = shop_open(test_dir());
    struct import_stats s;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    write_file(seam_io_posix(), test_dir(), "e.csv", "", 0, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f), &f);
    ck_assert(s.finished && s.records == 0);
    write_file(seam_io_posix(), test_dir(), "h.csv", "customer_id\n", 12, path);
    ASSERT_OK(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f), &f);
    ck_assert(s.finished && s.records == 0);
    write_file(seam_io_posix(), test_dir(), "w.csv", "customer_id,nmae\n1,x\n", 21, path);
    ASSERT_STATUS(run(db, path, NULL, (struct import_options){.table = "customers"}, &s, &f),
                  SEAM_INVALID);
    ck_assert_ptr_nonnull(strstr(f.why, "did you mean name"));
    ASSERT_STATUS(run(db, "/nonexistent/x.csv", NULL, (struct import_options){.table = "customers"},
                      &s, NULL),
                  SEAM_NOT_FOUND);
    shop_close(db);
}

/* ---- killed and resumed ---- */

/* Lines of the real file's kind, with some that cannot land.                                     */
static void made_up_lines(struct seam_buf *out, int lines, uint64_t seed)
{
    struct seam_rng r;
    int invoice = 1000;

    seam_rng_seed(&r, seed);
    seam_buf_str(
        out, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n");
    for (int i = 0; i < lines; i++) {
        int product = (int)seam_rng_below(&r, 200);

        if (seam_rng_below(&r, 5) == 0) invoice++;
        seam_buf_printf(
            out, "%s%d,S%d,THING %d,%s,2011-%02d-%02d 10:%02d:00,%d.%02d,%s,France\n",
            invoice % 30 == 0 ? "C" : "", invoice - (seam_rng_below(&r, 50) == 0 ? 1 : 0), product,
            product + i / 1000, seam_rng_below(&r, 100) == 0 ? "?" : "3", 1 + i * 12 / lines % 12,
            1 + i % 28, (int)seam_rng_below(&r, 60), (int)seam_rng_below(&r, 9),
            (int)seam_rng_below(&r, 100), seam_rng_below(&r, 4) == 0 ? "" : "77");
    }
}

static void check_same_as_whole(const char *file, const struct seam_buf *mapping,
                                const struct seam_buf *got)
{
    struct seam_buf want = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    char dir[SEAM_PATH_MAX_BYTES];
    struct oltp *db;

    ASSERT_OK(seam_path_join(dir, test_dir(), "whole", &f), &f);
    ASSERT_OK(seam_io_mkdir(seam_io_posix(), dir, &f), &f);
    db = shop_open(dir);
    ASSERT_OK(run(db, file, mapping, (struct import_options){0}, &s, &f), &f);
    shop_dump_all(db, &want);
    shop_dump(db, "seam_rejects", &want);
    ck_assert_uint_eq(want.size, got->size);
    ck_assert_mem_eq(want.data, got->data, want.size);
    shop_close(db);
    seam_buf_free(&want);
}

/* A clock that kills its process at the n-th look: the importer looks every 256 records.         */
struct deadly_clock {
    struct seam_clock clock;
    int looks;
};

static uint64_t deadly_mono(struct seam_clock *c)
{
    if (--((struct deadly_clock *)c)->looks == 0) (void)raise(SIGKILL);
    return seam_clock_mono_ns(seam_clock_real());
}

static int64_t deadly_wall(struct seam_clock *c)
{
    (void)c;
    return 1;
}

/* How far the store says the one import got.                                                     */
static uint64_t position_of(const char *dir)
{
    struct oltp *db = shop_open(dir);
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[16] = {[2] = seam_v_int(0)};
    uint32_t id;

    ASSERT_OK(oltp_read_begin(db, &t, NULL), NULL);
    if (oltp_table(t, "seam_imports", &id, NULL) == SEAM_OK) {
        ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, NULL), NULL);
        if (oltp_cursor_next(c, &row, NULL) == SEAM_OK)
            ASSERT_OK(seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, NULL),
                      NULL);
        oltp_cursor_close(c);
    }
    oltp_end(t);
    shop_close(db);
    return (uint64_t)v[2].i;
}

/* Goal:   an import killed again and again ends with the rows and rejects of one run.
 * Method: a child imports and is killed (SIGKILL) a little later each time; the next goes on.    */
static void test_import_killed_and_resumed_equals_one_run(void)
{
    struct seam_buf text = {0}, mapping = mapping_file("online-retail"), got = {0};
    struct import_stats s = {0};
    struct seam_fault f = {0};
    struct oltp *db;
    char path[SEAM_PATH_MAX_BYTES], dir[SEAM_PATH_MAX_BYTES];
    uint64_t position = 0;

    made_up_lines(&text, 20000, test_seed());
    write_file(seam_io_posix(), test_dir(), "lines.csv", text.data, text.size, path);
    ASSERT_OK(seam_path_join(dir, test_dir(), "killed", &f), &f);
    ASSERT_OK(seam_io_mkdir(seam_io_posix(), dir, &f), &f);
    shop_close(shop_open(dir));
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();
        uint64_t now;
        int status = 0;

        if (child == 0) {
            struct deadly_clock deadly = {.clock = {.mono_ns = deadly_mono, .wall_us = deadly_wall},
                                          .looks = 4 + 2 * i};
            enum seam_status st;

            db = shop_try_open(seam_io_posix(), dir, &st);
            _exit(st == SEAM_OK &&
                          run(db, path, &mapping, (struct import_options){.clock = &deadly.clock},
                              &s, NULL) == SEAM_OK
                      ? 0
                      : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        now = position_of(dir);
        ck_assert_uint_ge(now, position);
        position = now;
    }
    ck_assert(position > 0 && position < 20000);
    db = shop_open(dir);
    ASSERT_OK(run(db, path, &mapping, (struct import_options){0}, &s, &f), &f);
    ck_assert(s.finished && s.skipped == position);
    shop_dump_all(db, &got);
    shop_dump(db, "seam_rejects", &got);
    shop_close(db);
    check_same_as_whole(path, &mapping, &got);
    seam_buf_free(&text);
    seam_buf_free(&mapping);
    seam_buf_free(&got);
}

/* Goal:   the same when the power fails: whatever was kept, it goes on to the same rows.
 * Method: a simulated disk loses power at every n-th call, again and again until the import is
 * through.                                                                                       */
static void test_import_power_cuts_end_in_the_same_rows(void)
{
    struct seam_buf text = {0}, mapping = mapping_file("online-retail"), got = {0};
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct import_stats s = {0};
    char path[SEAM_PATH_MAX_BYTES], real_path[SEAM_PATH_MAX_BYTES];
    bool finished = false;
    int cuts = 0;

    made_up_lines(&text, test_scale(1500), test_seed());
    ASSERT_OK(seam_io_mkdir(seam_io_sim_io(sim), "/d", NULL), NULL);
    ASSERT_OK(seam_io_sync_dir(seam_io_sim_io(sim), "/", NULL), NULL);
    write_file(seam_io_sim_io(sim), "/d", "lines.csv", text.data, text.size, path);
    write_file(seam_io_posix(), test_dir(), "lines.csv", text.data, text.size, real_path);
    for (int i = 0; !finished && i < 300; i++) {
        enum seam_status st;
        struct oltp *db;

        seam_io_sim_clear(sim);
        if (i < 200) seam_io_sim_plant(sim, SEAM_SIM_POWER_CUT, (uint64_t)(3 + i), true);
        db = shop_try_open(seam_io_sim_io(sim), "/d", &st);
        if (st == SEAM_OK) st = shop_try_tables(db);
        if (st == SEAM_OK)
            st = run(db, path, &mapping, (struct import_options){.io = seam_io_sim_io(sim)}, &s,
                     NULL);
        finished = st == SEAM_OK && s.finished;
        if (finished) {
            shop_dump_all(db, &got);
            shop_dump(db, "seam_rejects", &got);
        }
        (void)oltp_close(db, NULL);
        if (!finished) {
            ck_assert_msg(seam_io_sim_fired(sim), "failed without a cut: %s", seam_status_name(st));
            seam_io_sim_reboot(sim);
            cuts++;
        }
    }
    ck_assert(finished);
    printf("%d power cuts\n", cuts);
    check_same_as_whole(real_path, &mapping, &got);
    seam_io_sim_free(sim);
    seam_buf_free(&text);
    seam_buf_free(&mapping);
    seam_buf_free(&got);
}

/* Goal:   a disk that refuses, fills up or fails to sync ends an import, never with wrong rows:
 *         after reopening, it goes on to the same rows.
 * Method: each kind of failure at each of the first calls of an import.                          */
static void test_import_disk_failures_end_in_the_same_rows(void)
{
    static const enum seam_sim_fault_kind kinds[] = {SEAM_SIM_EIO, SEAM_SIM_ENOSPC,
                                                     SEAM_SIM_SHORT_WRITE, SEAM_SIM_SYNC_FAIL};
    struct seam_buf text = {0}, mapping = mapping_file("online-retail"), got = {0}, want = {0};
    char path[SEAM_PATH_MAX_BYTES], real_path[SEAM_PATH_MAX_BYTES];
    int failed = 0;

    made_up_lines(&text, 300, test_seed());
    write_file(seam_io_posix(), test_dir(), "lines.csv", text.data, text.size, real_path);
    for (size_t k = 0; k < SEAM_ARRAY_LEN(kinds); k++) {
        for (uint64_t nth = 1; nth < (uint64_t)test_scale(16); nth++) {
            struct seam_io_sim *sim = seam_io_sim_new(test_seed() + nth);
            struct import_stats s = {0};
            struct oltp *db;
            enum seam_status st;

            ASSERT_OK(seam_io_mkdir(seam_io_sim_io(sim), "/d", NULL), NULL);
            write_file(seam_io_sim_io(sim), "/d", "lines.csv", text.data, text.size, path);
            db = shop_try_open(seam_io_sim_io(sim), "/d", &st);
            ASSERT_STATUS(st, SEAM_OK);
            ASSERT_STATUS(shop_try_tables(db), SEAM_OK);
            seam_io_sim_plant(sim, kinds[k], nth, false);
            st = run(db, path, &mapping, (struct import_options){.io = seam_io_sim_io(sim)}, &s,
                     NULL);
            failed += st != SEAM_OK;
            ck_assert(st == SEAM_OK || st == SEAM_IO || st == SEAM_LIMIT);
            (void)oltp_close(db, NULL);
            seam_io_sim_clear(sim);
            seam_io_sim_kill(sim);
            db = shop_try_open(seam_io_sim_io(sim), "/d", &st);
            ASSERT_STATUS(st, SEAM_OK);
            ASSERT_STATUS(run(db, path, &mapping,
                              (struct import_options){.io = seam_io_sim_io(sim)}, &s, NULL),
                          SEAM_OK);
            ck_assert(s.finished);
            seam_buf_clear(&got);
            shop_dump_all(db, &got);
            shop_dump(db, "seam_rejects", &got);
            shop_close(db);
            seam_io_sim_free(sim);
            if (want.size == 0) {
                check_same_as_whole(real_path, &mapping, &got);
                seam_buf_append(&want, got.data, got.size);
            }
            ck_assert_uint_eq(got.size, want.size);
            ck_assert_mem_eq(got.data, want.data, want.size);
        }
    }
    printf("%d of the failures ended a run\n", failed);
    seam_buf_free(&want);
    seam_buf_free(&text);
    seam_buf_free(&mapping);
    seam_buf_free(&got);
}

/* ---- the real files ---- */

struct totals {
    uint64_t lines;
    int64_t quantity, amount;
};

static void add_line(struct totals *t, int64_t quantity, int64_t price)
{
    t->lines++;
    t->quantity += quantity;
    t->amount += quantity * price;
}

/* Sums order_lines, whole, by month and by country of their order.                               */
static void sum_lines(struct oltp *db, struct totals *all, struct totals months[13],
                      struct totals *uk, struct totals *eire)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[16], o[16] = {seam_v_int(0)};
    struct seam_fault f = {0};
    uint32_t lines, orders;
    int month = 0;
    enum seam_status st;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "order_lines", &lines, &f), &f);
    ASSERT_OK(oltp_table(t, "orders", &orders, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, lines, 0, NULL, 0, &c, &f), &f);
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        ASSERT_OK(seam_row_decode(oltp_schema(t, lines), row.row.data, row.row.size, v, &f), &f);
        if (o[0].i != v[0].i) {
            struct seam_civil day;

            ASSERT_OK(oltp_get(t, orders, v, &row, &f), &f);
            ASSERT_OK(seam_row_decode(oltp_schema(t, orders), row.row.data, row.row.size, o, &f),
                      &f);
            seam_time_to_civil(o[3].i, &day);
            month = (day.year - 2010) * 12 + day.month - 12;
        }
        add_line(all, v[3].i, v[4].i);
        add_line(&months[month], v[3].i, v[4].i);
        if (o[4].len == 14 && memcmp(o[4].s, "United Kingdom", 14) == 0)
            add_line(uk, v[3].i, v[4].i);
        if (o[4].len == 4 && memcmp(o[4].s, "EIRE", 4) == 0) add_line(eire, v[3].i, v[4].i);
    }
    ASSERT_STATUS(st, SEAM_END);
    oltp_cursor_close(c);
    oltp_end(t);
}

static void test_import_online_retail_meets_the_golden_totals(void)
{
    static const int64_t golden_months[13] = {
        7489570200, 5600002600, 4980626500,  6832670800,  4932071210,  7233335100, 6911231200,
        6813001110, 6826805100, 10196876220, 10707046700, 14617562500, 4336680100};
    const char *file = shared_data("online-retail/online-retail.csv.gz");
    struct seam_buf mapping = {0};
    struct totals all = {0}, months[13] = {{0}}, uk = {0}, eire = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    struct oltp *db;
    char text[200];

    if (file == NULL) return;
    mapping = mapping_file("online-retail");
    db = shop_open(test_dir());
    ASSERT_OK(run(db, file, &mapping, (struct import_options){0}, &s, &f), &f);
    printf("online-retail: %s; %llu inserted, %llu updated, %llu transactions\n",
           import_progress_text(&s, text, sizeof text), (unsigned long long)s.inserted,
           (unsigned long long)s.updated, (unsigned long long)s.transactions);
    ck_assert(s.finished && s.records == 541909 && s.landed == 541909 && s.rejected == 0);
    sum_lines(db, &all, months, &uk, &eire);
    ck_assert(all.lines == 541909 && all.quantity == 5176450 && all.amount == 97477479340);
    for (int m = 0; m < 13; m++)
        ck_assert_msg(months[m].amount == golden_months[m], "month %d: %lld", m,
                      (long long)months[m].amount);
    ck_assert(uk.lines == 495478 && uk.amount == 81878063640 && eire.lines == 8196 &&
              eire.amount == 2632768200);
    ck_assert(shop_count(db, "orders") == 25900 && shop_count(db, "products") == 4070 &&
              shop_count(db, "customers") == 4372);
    ASSERT_OK(run(db, file, &mapping, (struct import_options){0}, &s, &f), &f);
    ck_assert(s.skipped == 541909 && s.landed == 0 && s.lsn == SEAM_LSN_NONE);
    shop_close(db);
    seam_buf_free(&mapping);
}

static void test_import_product_search_becomes_a_catalogue(void)
{
    const char *file = shared_data("product-search/products.jsonl.gz");
    struct seam_buf mapping = {0};
    struct import_stats s;
    struct seam_fault f = {0};
    struct oltp *db;

    if (file == NULL) return;
    mapping = mapping_file("product-search");
    db = shop_open(test_dir());
    ASSERT_OK(run(db, file, &mapping, (struct import_options){0}, &s, &f), &f);
    ck_assert(s.landed == 9913 && s.rejected == 0 && shop_count(db, "products") == 9913);
    shop_close(db);
    seam_buf_free(&mapping);
}

static void test_import_the_shipped_catalogue(void)
{
    struct oltp *db = shop_open(test_dir());
    struct seam_buf mapping = mapping_file("catalogue");
    struct import_stats s;
    struct seam_fault f = {0};

    ASSERT_OK(run(db, "pipeline/shop/catalogue.jsonl", &mapping,
                  (struct import_options){.on_error = IMPORT_STOP}, &s, &f),
              &f);
    ck_assert_uint_eq(shop_count(db, "products"), s.landed);
    ck_assert_uint_ge(s.landed, 400);
    shop_close(db);
    seam_buf_free(&mapping);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_import_flat_lines_become_the_shops_tables),
        T(test_import_again_changes_nothing),
        T(test_import_grown_and_changed_files),
        T(test_import_stop_keeps_what_came_before),
        T(test_import_dry_run_changes_nothing),
        T(test_import_tsv_jsonl_and_latin1),
        T(test_import_other_countries_exports),
        T(test_import_mapping_mistakes_are_named),
        T(test_import_empty_and_headless_files),
        T(test_import_killed_and_resumed_equals_one_run),
        T(test_import_power_cuts_end_in_the_same_rows),
        T(test_import_disk_failures_end_in_the_same_rows),
        T(test_import_online_retail_meets_the_golden_totals),
        T(test_import_product_search_becomes_a_catalogue),
        T(test_import_the_shipped_catalogue),
    };

    return run_tests("import", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
