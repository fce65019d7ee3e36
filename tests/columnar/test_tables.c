/* Goal:   tables keep every version of every row: what was written is read, AS OF any LSN, by key and by
 *         scan, before and after journal, files, compaction and reopening.
 * Method: random appends, upserts and deletes against a list of versions held in memory.             */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/columnar.h"
#include "engine/rng.h"
#include "tests/common/check_main.h"

enum { KEYS = 400, MODEL_MAX = 60000 };

static const char shop_json[] =
    "{\"table\":\"silver_products\",\"version\":1,\"key\":[\"id\"],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"title\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":4},"
    "{\"name\":\"weight\",\"type\":\"double\",\"nullable\":true},"
    "{\"name\":\"live\",\"type\":\"bool\"},{\"name\":\"at\",\"type\":\"timestamp\"}]}";

struct version { int64_t id, price, at; int title; bool title_null, weight_null, live; double weight;
                 lsn_t begin, end; };
struct model { struct version v[MODEL_MAX]; size_t n; };

static void row_of(const struct version *v, struct value out[6], char title[32])
{
    int n = snprintf(title, 32, "title %d of %d", v->title, (int)v->id);

    out[0] = v_int(v->id);
    out[1] = v->title_null ? v_null() : v_text(title, (size_t)n);
    out[2] = v_decimal(v->price, 4);
    out[3] = v->weight_null ? v_null() : v_double(v->weight);
    out[4] = v_bool(v->live);
    out[5] = v_time(v->at);
}

static void check_row(const struct version *want, const struct value *got)
{
    struct value v[6];
    char title[32];

    row_of(want, v, title);
    for (int c = 0; c < 6; c++) ck_assert_msg(value_equal(&v[c], &got[c]), "column %d differs", c);
}

struct seen { const struct model *m; lsn_t lsn; size_t count; };

static const struct version *visible(const struct model *m, int64_t id, lsn_t lsn)
{
    for (size_t i = m->n; i-- > 0;)
        if (m->v[i].id == id && m->v[i].begin <= lsn && m->v[i].end > lsn) return &m->v[i];
    return NULL;
}

static enum status see(void *ctx, const struct value *values, lsn_t begin, lsn_t end)
{
    struct seen *s = ctx;
    const struct version *want = visible(s->m, values[0].i, s->lsn);

    ck_assert_ptr_nonnull(want);
    check_row(want, values);
    ck_assert_uint_eq(want->begin, begin);
    (void)end;
    s->count++;
    return ST_OK;
}

static size_t count_visible(const struct model *m, lsn_t lsn)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) n += m->v[i].begin <= lsn && m->v[i].end > lsn;
    return n;
}

static void check_as_of(const struct columnar_reader *r, const struct model *m, lsn_t lsn, struct rng *rng)
{
    struct seen s = {.m = m, .lsn = lsn};
    struct fault f = {0};
    int t = columnar_table(r, "silver_products");

    ASSERT_OK(columnar_scan_rows(r, t, lsn, see, &s, &f), &f);
    ck_assert_uint_eq(s.count, count_visible(m, lsn));
    for (int i = 0; i < 20; i++) {
        struct value key[6] = {0}, got[6];
        struct buf text = {0};
        int64_t id = (int64_t)rng_below(rng, KEYS);
        const struct version *want = visible(m, id, lsn);
        enum status st;

        key[0] = v_int(id);
        st = columnar_get(r, t, key, lsn, got, &text, &f);
        if (want == NULL) {
            ck_assert_int_eq(st, ST_NOT_FOUND);
        } else {
            ASSERT_OK(st, &f);
            check_row(want, got);
        }
        buf_free(&text);
    }
}

static void change(struct columnar_writer *w, struct model *m, struct rng *rng, lsn_t lsn)
{
    struct version v = {.id = (int64_t)rng_below(rng, KEYS), .begin = lsn, .end = LSN_MAX};
    struct version *old = (struct version *)visible(m, v.id, lsn);
    struct value row[6];
    struct fault f = {0};
    char title[32];
    bool existed;

    v.title = (int)rng_below(rng, 50);
    v.title_null = rng_below(rng, 10) == 0;
    v.weight_null = rng_below(rng, 3) == 0;
    v.weight = (double)rng_range(rng, -1000, 1000) / 100;
    v.price = rng_range(rng, -5000000, 5000000);
    v.live = rng_below(rng, 2);
    v.at = rng_range(rng, 0, 1000000000000000);
    row_of(&v, row, title);
    if (rng_below(rng, 4) == 0) {
        ASSERT_OK(columnar_delete(w, 0, row, lsn, &existed, &f), &f);
    } else {
        ASSERT_OK(columnar_upsert(w, 0, row, lsn, &existed, &f), &f);
        m->v[m->n++] = v;
    }
    ck_assert_int_eq(existed, old != NULL);
    if (old != NULL) old->end = lsn;
}

static void test_keyed_table_reads_as_of_every_lsn(void)
{
    static struct model m;
    struct columnar_options opt = {.journal_rows_max = 300, .row_group_rows = 2048};
    struct columnar_writer *w = NULL;
    struct columnar_reader *r = NULL;
    struct schema s = {0};
    struct fault f = {0};
    struct rng rng;
    lsn_t lsn = 100;

    m.n = 0;
    rng_seed(&rng, test_seed());
    ASSERT_OK(schema_parse(shop_json, strlen(shop_json), &s, &f), &f);
    ASSERT_OK(columnar_open_writer(io_posix(), test_dir(), &opt, &w, &f), &f);
    ASSERT_OK(columnar_define_table(w, &s, NULL, &f), &f);
    ASSERT_OK(columnar_publish(w, lsn, 1000, &f), &f);
    ASSERT_OK(columnar_open_reader(io_posix(), test_dir(), NULL, &r, &f), &f);
    for (int round = 0; round < test_scale(120); round++) {
        int n = (int)rng_below(&rng, 40);

        for (int i = 0; i < n; i++) change(w, &m, &rng, lsn += rng_below(&rng, 30) + 1);
        ASSERT_OK(columnar_publish(w, lsn, 1000 + round, &f), &f);
        if (rng_below(&rng, 10) == 0) {
            columnar_close_writer(w);
            w = NULL;
            ASSERT_OK(columnar_open_writer(io_posix(), test_dir(), &opt, &w, &f), &f);
            ck_assert_uint_eq(columnar_writer_applied(w), lsn);
        }
        ASSERT_OK(columnar_refresh(r, NULL, &f), &f);
        ck_assert_uint_eq(columnar_applied(r), lsn);
        check_as_of(r, &m, lsn, &rng);
        check_as_of(r, &m, 100 + rng_below(&rng, lsn - 99), &rng);
    }
    columnar_close_reader(r);
    columnar_close_writer(w);
    schema_free(&s);
}

static const struct named_test tests[] = {T(test_keyed_table_reads_as_of_every_lsn)};

int main(int argc, char **argv) { return run_tests("columnar tables", tests, ARRAY_LEN(tests), argc, argv); }
