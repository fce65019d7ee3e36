/* Goal:   values are compared, cast and matched by one set of rules, everywhere a question may put them.
 * Method: small tables of the ends of every type, once in the tail and once in files; each rule as questions with
 *         their answers, or with the words and the place of their refusal.                            */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/sql/sql.h"
#include "tests/common/check_main.h"

static const char left_json[] =
    "{\"table\":\"l\",\"version\":1,\"key\":[],\"columns\":[{\"name\":\"k\",\"type\":\"int64\"},"
    "{\"name\":\"x\",\"type\":\"text\",\"nullable\":true},{\"name\":\"a\",\"type\":\"int64\","
    "\"nullable\":true},"
    "{\"name\":\"m\",\"type\":\"decimal\",\"scale\":18,\"nullable\":true},"
    "{\"name\":\"p\",\"type\":\"decimal\",\"scale\":2,\"nullable\":true},"
    "{\"name\":\"b\",\"type\":\"bool\"},{\"name\":\"ts\",\"type\":\"timestamp\"},"
    "{\"name\":\"d\",\"type\":\"double\"}]}";
static const char right_json[] =
    "{\"table\":\"r\",\"version\":1,\"key\":[],\"columns\":[{\"name\":\"i\",\"type\":\"int64\"},"
    "{\"name\":\"x\",\"type\":\"text\"},{\"name\":\"q\",\"type\":\"decimal\",\"scale\":3},"
    "{\"name\":\"d\",\"type\":\"double\"}]}";

struct db {
    struct columnar_writer *w;
    struct columnar_reader *r;
};

static const char grin[] = "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80";

static void put(struct db *d, int table, const struct seam_value *v)
{
    struct seam_fault f = {0};

    ASSERT_OK(columnar_append(d->w, table, v, 10, &f), &f);
}

static void db_open(struct db *d, bool files)
{
    struct columnar_options opt = {.journal_rows_max = files ? 1 : 0, .no_sync = true};
    const int64_t one = 1000000000000000000;
    const struct seam_value l[][8] = {
        {seam_v_int(1), seam_v_str("12"), seam_v_int(INT64_MAX), seam_v_decimal(one / 2, 18),
         seam_v_decimal(1250, 2), seam_v_bool(true), seam_v_time(0),
         seam_v_double(9007199254740993.0)},
        {seam_v_int(2), seam_v_str(grin), seam_v_int(INT64_MIN), seam_v_decimal(-one - one / 2, 18),
         seam_v_decimal(-1, 2), seam_v_bool(false), seam_v_time(1), seam_v_double(NAN)},
        {seam_v_int(3), seam_v_str("\xc3\x84pfel"), seam_v_int(12), seam_v_decimal(9 * one, 18),
         seam_v_decimal(1200, 2), seam_v_bool(true), seam_v_time(86400000000), seam_v_double(-0.0)},
        {seam_v_int(4), seam_v_null(), seam_v_null(), seam_v_null(), seam_v_null(),
         seam_v_bool(false), seam_v_time(5), seam_v_double(INFINITY)},
    };
    const struct seam_value r[][4] = {
        {seam_v_int(12), seam_v_str("12"), seam_v_decimal(12500, 3), seam_v_double(12)},
        {seam_v_int(0), seam_v_str("zz"), seam_v_decimal(12000, 3), seam_v_double(0)},
        {seam_v_int(INT64_MAX), seam_v_str(""), seam_v_decimal(-11, 3), seam_v_double(NAN)},
    };
    struct seam_schema s = {0}, t = {0};
    struct seam_fault f = {0};
    char dir[512];

    snprintf(dir, sizeof dir, "%s/%s", test_dir(), files ? "files" : "tail");
    memset(d, 0, sizeof *d);
    ASSERT_OK(seam_schema_parse(left_json, strlen(left_json), &s, &f), &f);
    ASSERT_OK(seam_schema_parse(right_json, strlen(right_json), &t, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), dir, &opt, &d->w, &f), &f);
    ASSERT_OK(columnar_define_table(d->w, &s, NULL, &f), &f);
    ASSERT_OK(columnar_define_table(d->w, &t, NULL, &f), &f);
    ASSERT_OK(columnar_publish(d->w, 5, 500, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(l); i++) put(d, 0, l[i]);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(r); i++) put(d, 1, r[i]);
    ASSERT_OK(columnar_publish(d->w, 10, 1000, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), dir, NULL, &d->r, &f), &f);
    seam_schema_free(&s);
    seam_schema_free(&t);
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

struct question {
    const char *sql,
        *want;      /* want: the answer, or the beginning of the refusal's words after '!' */
    const char *at; /* of a refusal: the text it points at */
};

static void check_question(struct db *d, const struct question *q)
{
    const struct columnar_reader *readers[] = {d->r};
    struct columnar_sql_env env = {.readers = readers, .reader_count = 1};
    struct columnar_sql_query query;
    struct columnar_query_options opt = {.threads = 2};
    struct seam_arena a = {0};
    struct seam_buf out = {0};
    struct seam_fault f = {0};
    enum seam_status st = columnar_sql_prepare(&env, q->sql, strlen(q->sql), &a, &query, &f);

    if (st == SEAM_OK) st = columnar_sql_run(&query, &opt, gather, &out, NULL, &f);
    if (q->want[0] == '!') {
        ck_assert_msg(st != SEAM_OK, "%s: answered %s", q->sql, seam_buf_cstr(&out));
        ck_assert_msg(strncmp(f.why, q->want + 1, strlen(q->want + 1)) == 0,
                      "%s: refused with '%s'", q->sql, f.why);
        ck_assert_msg(f.at < strlen(q->sql) && strncmp(q->sql + f.at, q->at, strlen(q->at)) == 0,
                      "%s: '%s' points at byte %lld", q->sql, f.why, (long long)f.at);
    } else {
        ck_assert_msg(st == SEAM_OK, "%s: %s", q->sql, f.why);
        ck_assert_msg(strcmp(seam_buf_cstr(&out), q->want) == 0, "%s: got %s, want %s", q->sql,
                      seam_buf_cstr(&out), q->want);
    }
    seam_buf_free(&out);
    seam_arena_free(&a);
}

static void check_all(const struct question *q, size_t n)
{
    for (int files = 0; files < 2; files++) {
        struct db d;

        db_open(&d, files);
        for (size_t i = 0; i < n; i++) check_question(&d, &q[i]);
        db_close(&d);
    }
}

static void test_a_comparison_never_overflows(void)
{
    static const struct question q[] = {
        {"select k from l where a > 0.5 order by k", "1;3;", NULL},
        {"select k from l where a > 0.5 or a < -0.5 order by k", "1;2;3;", NULL},
        {"select k, a > 0.5 from l order by k", "1,true;2,false;3,true;4,null;", NULL},
        {"select k from l where a >= 12.5 order by k", "1;", NULL},
        {"select k from l where a <= 12.5 and a <> 12.5 order by k", "2;3;", NULL},
        {"select k, a = 12.5, a <> 12.5 from l order by k",
         "1,false,true;2,false,true;3,false,true;4,null,null;", NULL},
        {"select count(*) from l where m < 100", "3;", NULL},
        {"select count(*) from l where m > 100 or m <= -100", "0;", NULL},
        {"select k, m < 100, m = 100 from l order by k",
         "1,true,false;2,true,false;3,true,false;4,null,null;", NULL},
        {"select k from l where m < a order by k", "1;3;", NULL},
        {"select k from l where m * 1 < 100 and p * 1 < 12.5001 order by k", "1;2;3;", NULL},
        {"select k from l where a in (0.5, 1, 12.0) order by k", "3;", NULL},
        {"select k from l where p in (12.5, -0.01, 12.505, 99999999999999999) order by k", "1;2;",
         NULL},
        {"select k from l where a < 9223372036854775807.0 order by k", "2;3;", NULL},
        {"select k from l where a between -9223372036854775808 and 11.9 order by k", "2;", NULL},
        {"select k from l where p between 11.999 and 12.001 order by k", "3;", NULL},
        {"select k from l where 12.5 = p order by k", "1;", NULL},
        {"select k from l where 0.5 < a order by k", "1;3;", NULL},
        {"select k from l where a in (12, k, 2) order by k", "3;", NULL},
        {"select k from l where m < p order by k", "1;2;3;", NULL},
        {"select k from l where a = 12e0 order by k", "3;", NULL},
    };

    check_all(q, SEAM_ARRAY_LEN(q));
}

static void test_literals_are_exact_or_refused(void)
{
    static const struct question q[] = {
        {"select -9223372036854775808, 9223372036854775807 from r where i = 0",
         "-9223372036854775808,9223372036854775807;", NULL},
        {"select k from l where a = -9223372036854775808", "2;", NULL},
        {"select -9.223372036854775808 from r where i = 0", "-9.223372036854775808;", NULL},
        {"select 0000000000000000000000001.50000000000000000000 from r where i = 0", "1.5;", NULL},
        {"select 9223372036854775808 from r", "!the number is too large", "9223372036854775808"},
        {"select 3.14159265358979323846 from r", "!the number is too large", "3.14159"},
        {"select 1 - 9223372036854775808 from r", "!the number is too large",
         "9223372036854775808"},
        {"select 3.14159265358979323846e0 from r where i = 0", "3.141592653589793;", NULL},
        {"select cast(1.50 as decimal(38,2)), cast('7.125' as decimal(18, 1)), cast(2.5 as "
         "decimal(10)), cast(2.5 as decimal) from r where i = 0",
         "1.50,7.1,3,2.500;", NULL},
        {"select cast('2024-02-29 23:59:00' as date) from r where i = 0", "2024-02-29T00:00:00Z;",
         NULL},
    };

    check_all(q, SEAM_ARRAY_LEN(q));
}

/* The same answer, or the same refusal, whichever table comes first and wherever the comparison stands. */
static void test_one_typing_rule(void)
{
    static const struct question q[] = {
        {"select l.k, r.i from l join r on l.p = r.q order by 1", "1,12;3,0;", NULL},
        {"select l.k, r.i from r join l on l.p = r.q order by 1", "1,12;3,0;", NULL},
        {"select l.k, r.i from r join l on r.q = l.p order by 1", "1,12;3,0;", NULL},
        {"select l.k from l join r on l.m = r.i order by 1", "", NULL},
        {"select l.k from r join l on l.m = r.i order by 1", "", NULL},
        {"select l.k, r.d from l join r on l.a = r.d order by 1", "3,12;", NULL},
        {"select l.k, r.d from r join l on r.d = l.a order by 1", "3,12;", NULL},
        {"select l.k, r.i from l join r on l.a = r.i order by 1", "1,9223372036854775807;3,12;",
         NULL},
        {"select l.k, r.i from l join r on l.d = r.d order by 1", "2,9223372036854775807;3,0;",
         NULL},
        {"select l.k from l join r on l.x = r.x order by 1", "1;", NULL},
        {"select l.b from l join r on l.b = r.i", "!= does not go between bool and int64",
         "l.b = r.i"},
        {"select l.b from r join l on l.b = r.i", "!= does not go between", "l.b = r.i"},
        {"select l.b from l where b = 1", "!= does not go between bool and int64", "b = 1"},
        {"select l.x from l join r on l.x = r.i", "!= does not go between text and int64",
         "l.x = r.i"},
        {"select l.x from r join l on l.x = r.i", "!= does not go between", "l.x = r.i"},
        {"select l.x from l where x = k", "!= does not go between text and int64", "x = k"},
        {"select l.ts from l join r on l.ts = r.i", "!= does not go between timestamp and int64",
         "l.ts = r.i"},
        {"select l.ts from l where ts > 3", "!> does not go between timestamp and int64", "ts > 3"},
        {"select k from l where ts = '1970-01-02'", "3;", NULL},
        {"select k from l where x in ('12', k)", "!= does not go between text and int64", "x in"},
    };

    check_all(q, SEAM_ARRAY_LEN(q));
}

static void test_text_is_characters(void)
{
    static const struct question q[] = {
        {"select k, x || '!' from l order by k",
         "1,12!;2,\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80!;3,\xc3\x84pfel!"
         ";4,null;",
         NULL},
        {"select 'a' || null, concat('a', null, 'b') from r where i = 0", "null,ab;", NULL},
        {"select k from l where x like '____'", "2;", NULL},
        {"select k from l where x like '_pfel' or x like '%\xf0\x9f\x98\x80_\xf0\x9f\x98\x80' "
         "order by k",
         "2;3;", NULL},
        {"select k from l where x ilike '\xc3\xa4PFEL'", "3;", NULL},
        {"select k from l where x ilike '\xc3\xa4%'", "3;", NULL},
        {"select lower('\xc3\x80\xc3\x89\xce\xa9'), upper('\xc3\xa0\xc3\xa9\xcf\x89\xc3\x9f') from "
         "r where i = 0",
         "\xc3\xa0\xc3\xa9\xcf\x89,\xc3\x80\xc3\x89\xce\xa9\xc3\x9f;", NULL},
        {"select '10%' like '10!%' escape '!', '10x' like '10!%' escape '!', 'a\\b' like 'a\\b' "
         "escape '' from r where i = 0",
         "true,false,true;", NULL},
        {"select '50%' like '50\\%', '50x' like '50\\%' from r where i = 0", "true,false;", NULL},
        {"select k from l where x like 'a\\'", "!the pattern ends with its escape character",
         "x like"},
        {"select k from l where x like 'a!' escape '!'",
         "!the pattern ends with its escape character", "x like"},
        {"select k from l where x like 'a' escape 'ab'", "!the escape of like is one character",
         "x like"},
        {"select k from l where x like x order by k", "1;2;3;", NULL},
        {"select k from l where x not like substr(x, 1, 1) || '%' order by k", "", NULL},
    };

    check_all(q, SEAM_ARRAY_LEN(q));
}

/* A row fails a question only if every other condition keeps it, in whatever order they are written. */
static void test_only_rows_that_are_kept_can_fail(void)
{
    static const struct question q[] = {
        {"select k from l where cast(x as int) = 12 and k = 1", "1;", NULL},
        {"select k from l where k = 1 and cast(x as int) = 12", "1;", NULL},
        {"select cast(x as int) from l where k in (1, 4) order by k", "12;null;", NULL},
        {"select k from l where (k <> 1 or cast(x as int) = 12) and k < 2", "1;", NULL},
        {"select k from l where (cast(x as int) = 12 or k > 1) order by k", "1;2;3;4;", NULL},
        {"select sum(cast(x as int)) from l where k = 1", "12;", NULL},
        {"select cast(x as int), count(*) from l where k = 1 group by 1", "12,1;", NULL},
        {"select r.i from l join r on cast(l.x as int) = r.i where l.k = 1", "12;", NULL},
        {"select case when k = 1 then cast(x as int) else k end from l order by k", "12;2;3;4;",
         NULL},
        {"select k from l where a + 1 > 0 and k > 1 order by k", "3;", NULL},
        {"select k from l where cast(x as int) = 12", "!'\xf0\x9f\x98\x80", "cast(x as int)"},
        {"select k, cast(x as int) from l", "!'\xf0\x9f\x98\x80", "cast(x as int)"},
        {"select x, k from l where k > 100 order by x", "",
         NULL}, /* nothing to order, by two threads */
        {"select a + 1 from l where k = 1", "!+ overflows 64 bits", "a + 1"},
        {"select k from l where k = 1 and a * 2 > 0", "!* overflows 64 bits", "a * 2"},
    };

    check_all(q, SEAM_ARRAY_LEN(q));
}

static void test_an_old_answer_does_not_know_the_future(void)
{
    static const char json[] =
        "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":"
        "\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"int64\"}]}";
    static const struct question q[] = {
        {"select v, _begin_lsn, _end_lsn from t as of lsn 10", "1,10,null;", NULL},
        {"select v from t as of lsn 10 where _end_lsn is null", "1;", NULL},
        {"select v, _begin_lsn, _end_lsn from t", "2,20,null;", NULL},
    };
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    struct db d = {0};

    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), NULL, &d.w, &f), &f);
    ASSERT_OK(columnar_define_table(d.w, &s, NULL, &f), &f);
    for (int i = 1; i <= 2; i++) {
        struct seam_value v[2] = {seam_v_int(7), seam_v_int(i)};

        ASSERT_OK(columnar_upsert(d.w, 0, v, 10 * (seam_lsn_t)i, NULL, &f), &f);
        ASSERT_OK(columnar_publish(d.w, 10 * (seam_lsn_t)i, i, &f), &f);
    }
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &d.r, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(q); i++) check_question(&d, &q[i]);
    seam_schema_free(&s);
    db_close(&d);
}

/* Statistics keep eight bytes of a text: patterns of fewer, as many and more literal bytes than that, over a file
 * in which no other text lies around those that match. */
static void test_like_prunes_no_row_that_matches(void)
{
    static const char text[] = "cancelled by the customer";
    static const char json[] = "{\"table\":\"t\",\"version\":1,\"key\":[],\"columns\":[{\"name\":"
                               "\"s\",\"type\":\"text\"}]}";
    struct columnar_options opt = {.journal_rows_max = 1, .no_sync = true};
    struct seam_schema s = {0};
    struct seam_fault f = {0};
    struct db d = {0};

    ASSERT_OK(seam_schema_parse(json, strlen(json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(seam_io_posix(), test_dir(), &opt, &d.w, &f), &f);
    ASSERT_OK(columnar_define_table(d.w, &s, NULL, &f), &f);
    for (int i = 0; i < 3000; i++) {
        struct seam_value v = seam_v_text(text, 8 + (size_t)i % 9);

        ASSERT_OK(columnar_append(d.w, 0, &v, 10, &f), &f);
    }
    ASSERT_OK(columnar_publish(d.w, 10, 1000, &f), &f);
    ASSERT_OK(columnar_open_reader(seam_io_posix(), test_dir(), NULL, &d.r, &f), &f);
    for (int literal = 0; literal <= 16; literal++) {
        char sql[120], want[20];
        struct question q = {sql, want, NULL};

        snprintf(sql, sizeof sql, "select count(*) from t where s like '%.*s%%'", literal, text);
        snprintf(want, sizeof want, "%d;",
                 literal <= 8
                     ? 3000
                     : 3000 / 9 * (17 - literal) + (3 > literal - 8 ? 3 - (literal - 8) : 0));
        check_question(&d, &q);
    }
    seam_schema_free(&s);
    db_close(&d);
}

static const struct named_test tests[] = {T(test_only_rows_that_are_kept_can_fail),
                                          T(test_an_old_answer_does_not_know_the_future),
                                          T(test_like_prunes_no_row_that_matches),
                                          T(test_a_comparison_never_overflows),
                                          T(test_literals_are_exact_or_refused),
                                          T(test_one_typing_rule),
                                          T(test_text_is_characters)};

int main(int argc, char **argv)
{
    return run_tests("columnar semantics", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
