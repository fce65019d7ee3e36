/* Goal:   SQL text gives what it says, and mistakes are named with their place.
 * Method: one small table, questions with their answers as CSV; broken questions with the byte at fault.  */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "tests/common/check_main.h"

static const char sales_json[] =
    "{\"table\":\"sales\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"item\",\"type\":\"text\"},{\"name\":\"price\",\"type\":\"decimal\",\"scale\":2},"
    "{\"name\":\"n\",\"type\":\"int64\",\"nullable\":true},{\"name\":\"at\",\"type\":\"timestamp\"}"
    "]}";
static const char items_json[] = "{\"table\":\"items\",\"version\":1,\"key\":[\"name\"],"
                                 "\"columns\":[{\"name\":\"name\",\"type\":\"text\"},"
                                 "{\"name\":\"colour\",\"type\":\"text\"}]}";

struct db {
    struct columnar_writer *w;
    struct columnar_reader *r;
};

static void sale(struct db *d, int64_t id, const char *item, int64_t cents, int n, const char *day,
                 seam_lsn_t lsn)
{
    struct seam_value v[5] = {seam_v_int(id), seam_v_str(item), seam_v_decimal(cents, 2),
                              n < 0 ? seam_v_null() : seam_v_int(n)};
    struct seam_fault f = {0};
    int64_t us;

    ck_assert_int_eq(seam_time_parse(day, strlen(day), &us), SEAM_OK);
    v[4] = seam_v_time(us);
    ASSERT_OK(columnar_upsert(d->w, 0, v, lsn, NULL, &f), &f);
}

static void db_open(struct db *d)
{
    struct seam_schema s = {0}, i = {0};
    struct seam_value item[2];
    struct seam_fault f = {0};

    memset(d, 0, sizeof *d);
    ASSERT_OK(seam_schema_parse(sales_json, strlen(sales_json), &s, &f), &f);
    ASSERT_OK(seam_schema_parse(items_json, strlen(items_json), &i, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), NULL, &d->w, &f), &f);
    ASSERT_OK(columnar_define_table(d->w, &s, NULL, &f), &f);
    ASSERT_OK(columnar_define_table(d->w, &i, NULL, &f), &f);
    sale(d, 1, "cup", 250, 2, "2026-01-05", 10);
    sale(d, 2, "plate", 400, 1, "2026-01-20", 10);
    sale(d, 3, "cup", 260, -1, "2026-02-01", 10);
    sale(d, 4, "bowl", 999, 5, "2026-02-03", 10);
    item[0] = seam_v_str("cup"), item[1] = seam_v_str("red");
    ASSERT_OK(columnar_upsert(d->w, 1, item, 10, NULL, &f), &f);
    item[0] = seam_v_str("bowl"), item[1] = seam_v_str("blue");
    ASSERT_OK(columnar_upsert(d->w, 1, item, 10, NULL, &f), &f);
    ASSERT_OK(columnar_publish(d->w, 10, 1000, &f), &f);
    sale(d, 2, "plate", 450, 1, "2026-01-20", 20);
    ASSERT_OK(columnar_publish(d->w, 20, 2000, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &d->r, &f), &f);
    seam_schema_free(&s);
    seam_schema_free(&i);
}

static void db_close(struct db *d)
{
    columnar_close_reader(d->r);
    columnar_close_writer(d->w);
}

static enum seam_status gather(void *ctx, const struct columnar_batch *b, struct seam_fault *f)
{
    (void)f;
    for (uint32_t r = 0; r < b->rows; r++) {
        for (int c = 0; c < b->count; c++) {
            struct seam_value v = columnar_vec_value(&b->cols[c], r);

            if (c > 0) seam_buf_str(ctx, ",");
            if (v.type == SEAM_V_NULL)
                seam_buf_str(ctx, "null");
            else
                seam_value_format(&v, ctx);
        }
        seam_buf_str(ctx, ";");
    }
    return SEAM_OK;
}

static enum seam_status ask(struct db *d, const char *sql, struct seam_buf *out,
                            struct seam_fault *f)
{
    const struct columnar_reader *readers[] = {d->r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_sql_query q;
    struct seam_arena a = {0};
    enum seam_status st = columnar_sql_prepare(&env, sql, strlen(sql), &a, &q, f);

    if (st == SEAM_OK) st = columnar_sql_run(&q, NULL, gather, out, NULL, f);
    seam_arena_free(&a);
    return st;
}

static void test_questions_get_their_answers(void)
{
    static const struct {
        const char *sql, *want;
    } cases[] = {
        {"select id, item from sales where price > 2.55 order by id", "2,plate;3,cup;4,bowl;"},
        {"select count(*), count(n), sum(price * n), avg(n) from sales",
         "4,3,59.45,2.6666666666666665;"},
        {"select item, count(*) as c from sales group by item having count(*) > 1", "cup,2;"},
        {"select item from sales where item like '%u%' and n is null", "cup;"},
        {"select item, min(price), max(price) from sales group by item order by item desc limit 2",
         "plate,4.50,4.50;cup,2.50,2.60;"},
        {"select price from sales as of lsn 10 where id = 2", "4.00;"},
        {"select date_trunc('month', at) as m, sum(price) from sales group by m order by m",
         "2026-01-01T00:00:00Z,7.00;2026-02-01T00:00:00Z,12.59;"},
        {"select s.id, i.colour from sales s join items i on s.item = i.name order by s.id",
         "1,red;3,red;4,blue;"},
        {"select s.id, i.colour from sales s left join items i on s.item = i.name order by s.id",
         "1,red;2,null;3,red;4,blue;"},
        {"select count(distinct item) from sales where at between '2026-01-01' and '2026-02-01'",
         "2;"},
        {"select case when price > 4 then 'dear' else 'cheap' end as k, count(*) from sales group "
         "by k order by k",
         "cheap,2;dear,2;"},
        {"select id from sales where id in (1, 4, 9) order by id desc", "4;1;"},
        {"select upper(item), length(item) from sales where id = 4", "BOWL,4;"},
        {"select id from sales where not (item = 'cup' or n = 5) order by id limit 1 offset 0",
         "2;"},
        {"select coalesce(n, 0) + 1 from sales where id = 3", "1;"},
        {"select table_name, table_rows from information_schema.tables order by 1",
         "items,2;sales,4;"},
        {"describe sales", "id,int64,null;item,text,null;price,decimal,2;n,int64,null;at,timestamp,"
                           "null;"},
        {"describe select price * 1.5 as p from sales", "p,decimal,3;"},
        {"select column_name from information_schema.columns where table_name = 'items'",
         "name;colour;"},
        {"select a.id from sales as of lsn 10 a, sales b where a.id = b.id and a.price <> b.price",
         "2;"},
        {"with old as (select * from sales as of lsn 10) select sum(price) from old", "19.09;"},
    };
    struct db d;

    db_open(&d);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_buf out = {0};
        struct seam_fault f = {0};
        enum seam_status st = ask(&d, cases[i].sql, &out, &f);

        ck_assert_msg(st == SEAM_OK, "%s: %s", cases[i].sql, f.why);
        ck_assert_msg(strcmp(seam_buf_cstr(&out), cases[i].want) == 0, "%s: got %s, want %s",
                      cases[i].sql, seam_buf_cstr(&out), cases[i].want);
        seam_buf_free(&out);
    }
    db_close(&d);
}

static void test_mistakes_are_named_with_their_place(void)
{
    static const char *const cases[] = {
        "select id from sale",
        "select idd from sales",
        "select id from sales wher id = 1",
        "select sum(item) from sales",
        "select id from sales where id = 'x'",
        "select from sales",
        "select id, from sales",
        "select item, count(*) from sales",
        "select id from sales order by 9",
        "select nosuch(id) from sales",
        "insert into sales values (1)",
        "update sales set n = 1",
        "delete from sales",
        "create table x (a int)",
        "drop table sales",
        "with recursive r as (select 1) select * from r",
        "select distinct on (item) item from sales",
        "select * from range(3)",
        "select sum(distinct n) over () from sales",
        "select sum(n) over (order by id groups 1 preceding) from sales",
        "select lag(n ignore nulls) over (order by id) from sales",
        "select string_agg(item, ',' order by id, n) from sales",
        "select interval '1' day",
        "select id from sales where (id, n) = (1, 2)",
        "select id from sales where sum(n) > 1",
        "select id, row_number() over () from sales where row_number() over () = 1",
        "select (select id, n from sales) from sales",
        "select id from sales union select id, n from sales",
        "select id from sales union select item from sales",
        "select s.id from sales s left join items i on s.id = (select max(id) from sales)",
        "select id from sales s join items i using (colour)",
        "select id from sales where id in (select id, n from sales)",
        "select id from (select id from sales",
        "select id from sales group by rollup (item)",
        "select 1 from sales, sales",
        "values (1), (1, 2)",
        "select regexp_matches(item, '(') from sales",
        "select nth_value(id) over () from sales",
        "describe nosuch",
        "show everything",
    };
    struct db d;

    db_open(&d);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(cases); i++) {
        struct seam_buf out = {0};
        struct seam_fault f = {0};
        enum seam_status st = ask(&d, cases[i], &out, &f);

        ck_assert_msg(st == SEAM_INVALID || st == SEAM_NOT_FOUND || st == SEAM_UNSUPPORTED,
                      "%s: %s", cases[i], seam_status_name(st));
        ck_assert_msg(f.at != SEAM_FAULT_NO_OFFSET && f.at <= strlen(cases[i]), "%s: no place: %s",
                      cases[i], f.why);
        ck_assert(f.why[0] != 0);
        seam_buf_free(&out);
    }
    db_close(&d);
}

/* What can only be seen in the rows fails when they are looked at, and nothing else does. */
static void test_one_value_is_one_row(void)
{
    struct db d;
    struct seam_buf out = {0};
    struct seam_fault f = {0};

    db_open(&d);
    ck_assert_int_eq(ask(&d, "select (select id from sales)", &out, &f), SEAM_INVALID);
    ck_assert(strstr(f.why, "more than one row") != NULL);
    seam_fault_clear(&f);
    ck_assert_int_eq(ask(&d, "select (select id from sales where id > 9)", &out, &f), SEAM_OK);
    ck_assert_str_eq(seam_buf_cstr(&out), "null;");
    seam_buf_free(&out);
    db_close(&d);
}

static const struct named_test tests[] = {T(test_one_value_is_one_row),
                                          T(test_questions_get_their_answers),
                                          T(test_mistakes_are_named_with_their_place)};

int main(int argc, char **argv)
{
    return run_tests("columnar sql", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
