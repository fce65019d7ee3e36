/* Goal:   the questions people ask, as the public suites write them, get the answers another engine gives.
 * Method: small generated tables (fixed seed), questions with their answers in tests/columnar/sql/NAME.test: text up to
 *         ";;", then the rows, tab between values, up to an empty line; "rows N" where ties leave the choice open.
 *         The answers were computed by DuckDB 1.x over the same rows (WIDE_DUMP=DIR writes them as CSV) and are
 *         compared as sets, doubles to 9 digits. Every question runs with one thread and with two.        */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "tests/common/check_main.h"

enum rule { SEQ, MOD, DIV, RND, MONEY, DAY, PICK, NAME, PART_OF, SUPP_OF, STAMP };
struct column {
    const char *name;
    enum seam_value_type type;
    enum rule rule;
    int64_t lo, hi;
    const char *list; /* PICK: a|b|c; NAME: what stands before the number */
    int nulls;        /* in a hundred */
};
struct table {
    const char *name;
    int rows;
    struct column columns[32];
};

#define I  SEAM_V_INT
#define D  SEAM_V_DECIMAL
#define X  SEAM_V_TEXT
#define TM SEAM_V_TIME
#define F  SEAM_V_DOUBLE
#define B  SEAM_V_BOOL
#define WORDS                                                                                      \
    "special requests|furiously final|pending special packages requests|Customer ideas "           \
    "Complaints|quick deposits|carefully"

static const struct table tables[] = {
    {"t",
     60,
     {{"a", I, SEQ, 0, 0, NULL, 12},
      {"b", I, RND, 0, 4, NULL, 10},
      {"c", X, PICK, 0, 0, "x|yy|Zed|foo bar|aba|ee", 0},
      {"d", F, MONEY, -500, 500, NULL, 15},
      {"e", D, MONEY, -500, 500, NULL, 12},
      {"ts", TM, STAMP, 18262, 18627, NULL, 0},
      {"f", B, RND, 0, 1, NULL, 30}}},
    {"u",
     40,
     {{"a", I, RND, 0, 70, NULL, 15},
      {"k", I, MOD, 0, 4, NULL, 0},
      {"name", X, PICK, 0, 0, "x|yy|q|zz", 0}}},
    {"n", 0, {{"x", I, SEQ, 0, 0, NULL, 0}}},
    {"m", 7, {{"x", I, RND, 1, 4, NULL, 20}, {"y", I, RND, 5, 25, NULL, 20}}},
    {"region",
     5,
     {{"r_regionkey", I, SEQ, 0, 0, NULL, 0},
      {"r_name", X, PICK, 1, 0, "AFRICA|AMERICA|ASIA|EUROPE|MIDDLE EAST", 0}}},
    {"nation",
     25,
     {{"n_nationkey", I, SEQ, 0, 0, NULL, 0},
      {"n_name", X, PICK, 1, 0,
       "ALGERIA|ARGENTINA|BRAZIL|CANADA|EGYPT|ETHIOPIA|FRANCE|GERMANY|INDIA|INDONESIA|IRAN|IRAQ|"
       "JAPAN|"
       "JORDAN|KENYA|MOROCCO|MOZAMBIQUE|PERU|CHINA|ROMANIA|SAUDI ARABIA|VIETNAM|RUSSIA|UNITED "
       "KINGDOM|UNITED STATES",
       0},
      {"n_regionkey", I, MOD, 0, 5, NULL, 0}}},
    {"supplier",
     20,
     {{"s_suppkey", I, SEQ, 1, 0, NULL, 0},
      {"s_name", X, NAME, 0, 0, "Supplier#", 0},
      {"s_address", X, NAME, 0, 0, "street ", 0},
      {"s_nationkey", I, MOD, 0, 25, NULL, 0},
      {"s_phone", X, NAME, 0, 0, "13-", 0},
      {"s_acctbal", D, MONEY, -9999, 99999, NULL, 0},
      {"s_comment", X, PICK, 0, 0, WORDS, 0}}},
    {"part",
     120,
     {{"p_partkey", I, SEQ, 1, 0, NULL, 0},
      {"p_name", X, PICK, 0, 0, "forest green|lime blue|forest lime|green ivory|azure", 0},
      {"p_mfgr", X, PICK, 0, 0, "Manufacturer#1|Manufacturer#2", 0},
      {"p_brand", X, PICK, 0, 0, "Brand#12|Brand#23|Brand#34|Brand#45", 0},
      {"p_type", X, PICK, 0, 0,
       "ECONOMY ANODIZED STEEL|PROMO BRUSHED BRASS|MEDIUM POLISHED TIN|STANDARD PLATED BRASS", 0},
      {"p_size", I, RND, 1, 20, NULL, 0},
      {"p_container", X, PICK, 0, 0, "SM CASE|SM BOX|MED BAG|MED BOX|LG CASE|LG BOX", 0},
      {"p_retailprice", D, MONEY, 90000, 200000, NULL, 0}}},
    {"partsupp",
     480,
     {{"ps_partkey", I, DIV, 1, 4, NULL, 0},
      {"ps_suppkey", I, SUPP_OF, 0, 0, NULL, 0},
      {"ps_availqty", I, RND, 1, 60, NULL, 0},
      {"ps_supplycost", D, MONEY, 100, 100000, NULL, 0}}},
    {"customer",
     80,
     {{"c_custkey", I, SEQ, 1, 0, NULL, 0},
      {"c_name", X, NAME, 0, 0, "Customer#", 0},
      {"c_address", X, NAME, 0, 0, "road ", 0},
      {"c_nationkey", I, RND, 0, 24, NULL, 0},
      {"c_phone", X, PICK, 0, 0, "13-1|31-2|23-3|29-4|30-5|18-6|17-7|11-8", 0},
      {"c_acctbal", D, MONEY, -99999, 999999, NULL, 0},
      {"c_mktsegment", X, PICK, 0, 0, "AUTOMOBILE|BUILDING|FURNITURE", 0},
      {"c_comment", X, PICK, 0, 0, WORDS, 0}}},
    {"orders",
     600,
     {{"o_orderkey", I, SEQ, 1, 0, NULL, 0},
      {"o_custkey", I, RND, 1, 60, NULL, 0},
      {"o_orderstatus", X, PICK, 0, 0, "F|O|P", 0},
      {"o_totalprice", D, MONEY, 100000, 9999999, NULL, 0},
      {"o_orderdate", TM, DAY, 8035, 10441, NULL, 0},
      {"o_orderpriority", X, PICK, 0, 0, "1-URGENT|2-HIGH|3-MEDIUM|5-LOW", 0},
      {"o_clerk", X, NAME, 0, 0, "Clerk#", 0},
      {"o_shippriority", I, MOD, 0, 1, NULL, 0},
      {"o_comment", X, PICK, 0, 0, WORDS, 0}}},
    {"lineitem",
     2400,
     {{"l_orderkey", I, DIV, 1, 4, NULL, 0},
      {"l_partkey", I, PART_OF, 0, 0, NULL, 0},
      {"l_suppkey", I, SUPP_OF, 1, 0, NULL, 0},
      {"l_linenumber", I, MOD, 1, 4, NULL, 0},
      {"l_quantity", D, MONEY, 100, 9900, NULL, 0},
      {"l_extendedprice", D, MONEY, 90000, 9000000, NULL, 0},
      {"l_discount", D, MONEY, 0, 10, NULL, 0},
      {"l_tax", D, MONEY, 0, 8, NULL, 0},
      {"l_returnflag", X, PICK, 0, 0, "R|A|N", 0},
      {"l_linestatus", X, PICK, 0, 0, "O|F", 0},
      {"l_shipdate", TM, DAY, 8036, 10560, NULL, 0},
      {"l_commitdate", TM, DAY, 8066, 10560, NULL, 0},
      {"l_receiptdate", TM, DAY, 8040, 10590, NULL, 0},
      {"l_shipinstruct", X, PICK, 0, 0, "DELIVER IN PERSON|COLLECT COD", 0},
      {"l_shipmode", X, PICK, 0, 0, "AIR|MAIL|SHIP|RAIL", 0}}},
    {"date",
     2556,
     {{"d_datekey", I, SEQ, 1, 0, NULL, 0},
      {"d_year", I, DIV, 1992, 365, NULL, 0},
      {"d_yearmonthnum", I, DIV, 199201, 31, NULL, 0},
      {"d_yearmonth", X, PICK, 0, 0, "Dec1997|Jan1994|Feb1995|Mar1996", 0},
      {"d_weeknuminyear", I, RND, 1, 52, NULL, 0}}},
    {"ssb_part",
     100,
     {{"p_partkey", I, SEQ, 1, 0, NULL, 0},
      {"p_mfgr", X, PICK, 0, 0, "MFGR#1|MFGR#2|MFGR#3", 0},
      {"p_category", X, PICK, 0, 0, "MFGR#12|MFGR#14|MFGR#22", 0},
      {"p_brand1", X, PICK, 0, 0, "MFGR#2221|MFGR#2225|MFGR#2239|MFGR#1201", 0}}},
    {"ssb_supplier",
     60,
     {{"s_suppkey", I, SEQ, 1, 0, NULL, 0},
      {"s_city", X, PICK, 0, 0, "UNITED KI1|UNITED KI5|UNITED ST4|CHINA    7", 0},
      {"s_nation", X, PICK, 0, 0, "UNITED STATES|CHINA|UNITED KINGDOM", 0},
      {"s_region", X, PICK, 0, 0, "AMERICA|ASIA|EUROPE", 0}}},
    {"ssb_customer",
     90,
     {{"c_custkey", I, SEQ, 1, 0, NULL, 0},
      {"c_city", X, PICK, 0, 0, "UNITED KI1|UNITED KI5|UNITED ST4|CHINA    7", 0},
      {"c_nation", X, PICK, 0, 0, "UNITED STATES|CHINA|UNITED KINGDOM", 0},
      {"c_region", X, PICK, 0, 0, "AMERICA|ASIA|EUROPE", 0}}},
    {"lineorder",
     3000,
     {{"lo_orderkey", I, SEQ, 1, 0, NULL, 0},
      {"lo_custkey", I, RND, 1, 90, NULL, 0},
      {"lo_partkey", I, RND, 1, 100, NULL, 0},
      {"lo_suppkey", I, RND, 1, 60, NULL, 0},
      {"lo_orderdate", I, RND, 1, 2556, NULL, 0},
      {"lo_quantity", I, RND, 1, 50, NULL, 0},
      {"lo_extendedprice", I, RND, 1, 90000, NULL, 0},
      {"lo_discount", I, RND, 0, 10, NULL, 0},
      {"lo_revenue", I, RND, 1, 90000, NULL, 0},
      {"lo_supplycost", I, RND, 1, 900, NULL, 0}}},
    {"hits",
     2500,
     {{"watchid", I, RND, 1, 40, NULL, 0},
      {"title", X, PICK, 0, 0, "Google it|foo|Bar Google|x", 0},
      {"eventtime", TM, STAMP, 15887, 15917, NULL, 0},
      {"eventdate", TM, DAY, 15887, 15917, NULL, 0},
      {"counterid", I, RND, 61, 63, NULL, 0},
      {"clientip", I, RND, 100, 130, NULL, 0},
      {"regionid", I, RND, 0, 9, NULL, 0},
      {"userid", I, RND, 0, 300, NULL, 0},
      {"url", X, PICK, 0, 0, "http://google.com/a|http://x.org/b?c|https://www.y.net/d/e|/home", 0},
      {"referer", X, PICK, 0, 0, "http://google.com/q|https://www.y.net/d/e|http://x.org/b", 0},
      {"refresh", I, RND, 0, 1, NULL, 0},
      {"resolutionwidth", I, RND, 800, 1900, NULL, 0},
      {"advengineid", I, RND, 0, 3, NULL, 0},
      {"mobilephonemodel", X, PICK, 0, 0, "iPad|Nokia|x", 0},
      {"mobilephone", I, RND, 0, 4, NULL, 0},
      {"searchphrase", X, PICK, 0, 0, "cats|dogs|weather|news", 0},
      {"searchengineid", I, RND, 0, 4, NULL, 0},
      {"isrefresh", I, RND, 0, 1, NULL, 0},
      {"dontcounthits", I, RND, 0, 1, NULL, 0},
      {"islink", I, RND, 0, 1, NULL, 0},
      {"isdownload", I, RND, 0, 1, NULL, 0},
      {"traficsourceid", I, RND, -1, 6, NULL, 0},
      {"refererhash", I, RND, 1, 5, NULL, 0},
      {"urlhash", I, RND, 1, 5, NULL, 0},
      {"windowclientwidth", I, RND, 1, 9, NULL, 0},
      {"windowclientheight", I, RND, 1, 9, NULL, 0}}}};

/* ---- rows ---- */

static uint64_t state;

static uint64_t roll(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 33;
}

static int64_t between(int64_t lo, int64_t hi)
{
    return lo + (int64_t)(roll() % (uint64_t)(hi - lo + 1));
}

static struct seam_value pick(const char *list, int64_t k)
{
    const char *s = list, *end;
    int64_t n = 1;

    for (const char *p = list; *p != '\0'; p++) n += *p == '|';
    for (k %= n; k > 0; k--) s = strchr(s, '|') + 1;
    end = strchr(s, '|');
    return seam_v_text(s, end == NULL ? strlen(s) : (size_t)(end - s));
}

/* The pair (part, supplier) of a row of partsupp; line items take theirs from there. */
static int64_t supplier_of(int64_t row)
{
    return (row / 4 + row % 4 * 6) % 20 + 1;
}

static struct seam_value cell(const struct column *c, int row, int64_t pair, char *name)
{
    int64_t v;

    if (c->nulls > 0 && between(0, 99) < c->nulls) return seam_v_null();
    switch (c->rule) {
    case SEQ: return seam_v_int(row + c->lo);
    case MOD: return seam_v_int(row % c->hi + c->lo);
    case DIV: return seam_v_int(row / c->hi + c->lo);
    case RND:
        v = between(c->lo, c->hi);
        return c->type == SEAM_V_BOOL ? seam_v_bool(v != 0) : seam_v_int(v);
    case MONEY:
        v = between(c->lo, c->hi);
        return c->type == SEAM_V_DOUBLE ? seam_v_double((double)v / 100) : seam_v_decimal(v, 2);
    case DAY: return seam_v_time(between(c->lo, c->hi) * INT64_C(86400000000));
    case STAMP:
        v = between(c->lo, c->hi) * 24 + between(0, 23);
        return seam_v_time(v * INT64_C(3600000000) + between(0, 59) * 60000000);
    case PICK: return pick(c->list, c->lo == 1 ? row : (int64_t)roll());
    case PART_OF: return seam_v_int(pair / 4 + 1);
    case SUPP_OF: return seam_v_int(supplier_of(c->lo == 1 ? pair : row));
    case NAME: snprintf(name, 40, "%s%05d", c->list, row); return seam_v_str(name);
    }
    return seam_v_null();
}

static void schema_of(const struct table *t, struct seam_schema *out)
{
    static const char *const types[] = {"",     "int64",     "double", "decimal",
                                        "bool", "timestamp", "text"};
    struct seam_buf b = {0};
    struct seam_fault f = {0};

    seam_buf_printf(&b, "{\"table\":\"%s\",\"version\":1,\"key\":[],\"columns\":[", t->name);
    for (int k = 0; t->columns[k].name != NULL; k++)
        seam_buf_printf(&b, "%s{\"name\":\"%s\",\"type\":\"%s\"%s,\"nullable\":true}",
                        k > 0 ? "," : "", t->columns[k].name, types[t->columns[k].type],
                        t->columns[k].type == SEAM_V_DECIMAL ? ",\"scale\":2" : "");
    seam_buf_str(&b, "]}");
    ASSERT_OK(seam_schema_parse((const char *)b.data, b.size, out, &f), &f);
    seam_buf_free(&b);
}

static void dump_row(FILE *out, const struct seam_value *v, int n)
{
    for (int k = 0; k < n; k++) {
        struct seam_buf b = {0};

        if (k > 0) fputc(',', out);
        if (v[k].type != SEAM_V_NULL) seam_value_format(&v[k], &b);
        fprintf(out, "%s", seam_buf_cstr(&b));
        seam_buf_free(&b);
    }
    fputc('\n', out);
}

static void fill(struct columnar_writer *w, const struct table *t, int at)
{
    const char *dir = getenv("WIDE_DUMP");
    struct seam_fault f = {0};
    FILE *out = NULL;
    char path[512], names[32][40];

    if (dir != NULL) {
        snprintf(path, sizeof path, "%s/%s.csv", dir, t->name);
        out = fopen(path, "w");
        for (int k = 0; out != NULL && t->columns[k].name != NULL; k++)
            fprintf(out, "%s%s", k > 0 ? "," : "", t->columns[k].name);
        if (out != NULL) fputc('\n', out);
    }
    state = 20261201 + (uint64_t)at;
    for (int row = 0; row < t->rows; row++) {
        struct seam_value v[32];
        int64_t pair = between(0, 479);
        int n = 0;

        for (; t->columns[n].name != NULL; n++) v[n] = cell(&t->columns[n], row, pair, names[n]);
        ASSERT_OK(columnar_append(w, at, v, 10, &f), &f);
        if (out != NULL) dump_row(out, v, n);
    }
    if (out != NULL) fclose(out);
}

static struct columnar_reader *build(void)
{
    const struct columnar_options opt = {.no_sync = true, .row_group_rows = 1024 * 4};
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &w, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(tables); i++) {
        struct seam_schema s = {0};

        schema_of(&tables[i], &s);
        ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
        fill(w, &tables[i], (int)i);
        seam_schema_free(&s);
    }
    ASSERT_OK(columnar_publish(w, 10, 1000, &f), &f);
    columnar_close_writer(w);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), &opt, &r, &f), &f);
    return r;
}

/* ---- answers ---- */

struct lines {
    char **at;
    size_t n, cap;
};

static void add_line(struct lines *l, const char *s, size_t n)
{
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        l->at = realloc(l->at, l->cap * sizeof *l->at);
        ck_assert(l->at != NULL);
    }
    l->at[l->n] = strndup(s, n);
    ck_assert(l->at[l->n] != NULL);
    l->n++;
}

static void free_lines(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->at[i]);
    free(l->at);
}

/* Numbers to nine digits, midnights as days: what two engines may write differently. */
static void put_value(const struct seam_value *v, struct seam_buf *out)
{
    struct seam_buf raw = {0};
    char *end;
    double d;

    if (v->type == SEAM_V_NULL) {
        seam_buf_str(out, "NULL");
        return;
    }
    seam_value_format(v, &raw);
    if (v->type == SEAM_V_TIME) {
        const char *s = seam_buf_cstr(&raw);

        seam_buf_append(out, s, 10);
        if (strcmp(s + 10, "T00:00:00Z") != 0) seam_buf_printf(out, " %.8s", s + 11);
    } else if (v->type == SEAM_V_TEXT || v->type == SEAM_V_BOOL) {
        seam_buf_append(out, raw.data, raw.size);
    } else {
        d = strtod(seam_buf_cstr(&raw), &end);
        seam_buf_printf(out, "%.9g", d == 0 ? 0.0 : d);
    }
    seam_buf_free(&raw);
}

static enum seam_status gather(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        struct seam_buf line = {0};

        for (int c = 0; c < b->count; c++) {
            struct seam_value v = columnar_vec_value(&b->cols[c], r);

            if (c > 0) seam_buf_u8(&line, '\t');
            put_value(&v, &line);
        }
        add_line(ctx, seam_buf_cstr(&line), line.size);
        seam_buf_free(&line);
    }
    return SEAM_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void ask(const struct columnar_reader *r, const char *sql, size_t n, int threads,
                struct lines *want, uint64_t count)
{
    const struct columnar_reader *readers[] = {r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_query_options opt = {.threads = threads};
    struct columnar_sql_query q;
    struct seam_arena a = {0};
    struct seam_fault f = {0};
    struct lines got = {0};
    enum seam_status st = columnar_sql_prepare(&env, sql, n, &a, &q, &f);

    if (st == SEAM_OK) st = columnar_sql_run(&q, &opt, gather, &got, NULL, &f);
    ck_assert_msg(st == SEAM_OK, "%.*s: %s at %" PRIu64, (int)n, sql, f.why, f.at);
    if (count == UINT64_MAX) {
        if (got.n > 0) qsort(got.at, got.n, sizeof *got.at, by_text);
        if (want->n > 0) qsort(want->at, want->n, sizeof *want->at, by_text);
        ck_assert_msg(got.n == want->n, "%.*s: %zu rows, want %zu", (int)n, sql, got.n, want->n);
        for (size_t i = 0; i < got.n; i++)
            ck_assert_msg(strcmp(got.at[i], want->at[i]) == 0, "%.*s\ngot  %s\nwant %s", (int)n,
                          sql, got.at[i], want->at[i]);
    } else {
        ck_assert_msg(got.n == count, "%.*s: %zu rows, want %" PRIu64, (int)n, sql, got.n, count);
    }
    free_lines(&got);
    seam_arena_free(&a);
}

/* The text of a file of questions and answers, one question at a time. */
static void run_file(const char *name)
{
    struct columnar_reader *r = build();
    char path[256], *text = NULL, *p;
    size_t size = 0;
    FILE *in;
    int asked = 0;

    snprintf(path, sizeof path, "tests/columnar/sql/%s.test", name);
    in = fopen(path, "r");
    ck_assert_msg(in != NULL, "%s is not there (run from the top of the tree)", path);
    ck_assert(getdelim(&text, &size, '\0', in) > 0);
    fclose(in);
    for (p = text; *p != '\0';) {
        char *end = strstr(p, ";;"), *line;
        struct lines want = {0};
        uint64_t count = UINT64_MAX;
        size_t n;

        if (end == NULL) break;
        n = (size_t)(end - p);
        for (line = end + 3; *line != '\n' && *line != '\0';) {
            size_t k = strcspn(line, "\n");

            if (sscanf(line, "rows %" SCNu64, &count) != 1) add_line(&want, line, k);
            line += k + (line[k] == '\n');
        }
        for (int threads = 1; threads <= 2; threads++) ask(r, p, n, threads, &want, count);
        asked++;
        free_lines(&want);
        p = line + (*line == '\n');
    }
    ck_assert(asked > 10);
    free(text);
    columnar_close_reader(r);
}

static void test_the_dialect(void)
{
    run_file("dialect");
}
static void test_tpch(void)
{
    run_file("tpch");
}
static void test_ssb(void)
{
    run_file("ssb");
}
static void test_clickbench(void)
{
    run_file("clickbench");
}

static const struct named_test tests[] = {T(test_the_dialect), T(test_tpch), T(test_ssb),
                                          T(test_clickbench)};

int main(int argc, char **argv)
{
    return run_tests("columnar wide", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
