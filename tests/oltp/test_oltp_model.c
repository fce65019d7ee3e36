/* Goal:   the store equals a naive one (a sorted array) after any sequence of operations.
 * Method: seeded random puts, deletes, gets, scans both ways, savepoints, rollbacks, checkpoints, reopenings
 *         over keys with long common prefixes and rows up to overflow pages, through a cache far smaller than the
 *         data; every check compares both; verify walks every invariant. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

static const char schema_json[] =
    "{\"table\":\"things\",\"version\":1,\"key\":[\"name\"],\"columns\":["
    "{\"name\":\"name\",\"type\":\"text\"},{\"name\":\"body\",\"type\":\"text\"},{\"name\":"
    "\"grade\",\"type\":\"int64\"}],"
    "\"indexes\":[{\"name\":\"by_grade\",\"columns\":[\"grade\"]}]}";

enum { NAME_CAP = 400, ITEMS_CAP = 4000 };

struct item {
    char name[NAME_CAP];
    uint32_t body_size, body_seed;
    int64_t grade;
};
struct model {
    struct item *items;
    size_t count;
};

static size_t model_find(const struct model *m, const char *name, bool *found)
{
    size_t lo = 0, hi = m->count;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (strcmp(m->items[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = lo < m->count && strcmp(m->items[lo].name, name) == 0;
    return lo;
}

static void model_put(struct model *m, const struct item *it)
{
    bool found;
    size_t at = model_find(m, it->name, &found);

    if (!found) {
        ck_assert_uint_lt(m->count, ITEMS_CAP);
        memmove(&m->items[at + 1], &m->items[at], (m->count++ - at) * sizeof *m->items);
    }
    m->items[at] = *it;
}

static bool model_delete(struct model *m, const char *name)
{
    bool found;
    size_t at = model_find(m, name, &found);

    if (found) memmove(&m->items[at], &m->items[at + 1], (--m->count - at) * sizeof *m->items);
    return found;
}

static struct model model_copy(const struct model *m)
{
    struct model c = {malloc(ITEMS_CAP * sizeof *c.items), m->count};

    ck_assert_ptr_nonnull(c.items);
    memcpy(c.items, m->items, m->count * sizeof *m->items);
    return c;
}

static void body_text(char *out, uint32_t size, uint32_t seed)
{
    for (uint32_t i = 0; i < size; i++) out[i] = (char)('a' + (seed + i * 7 + i / 91) % 26);
}

static void random_name(struct seam_rng *r, char out[NAME_CAP])
{
    static const char *const stems[] = {"", "shop/", "shop/category/shoes/", "z"};
    size_t n = (size_t)snprintf(out, NAME_CAP, "%s%llu", stems[seam_rng_below(r, 4)],
                                (unsigned long long)seam_rng_below(r, 900));

    if (seam_rng_below(r, 10) == 0) {
        size_t extra = seam_rng_below(r, NAME_CAP - n - 1);

        memset(out + n, 'q', extra);
        out[n + extra] = '\0';
    }
}

static struct item random_item(struct seam_rng *r)
{
    struct item it = {0};
    uint64_t kind = seam_rng_below(r, 20);

    random_name(r, it.name);
    it.body_size = kind == 0  ? (uint32_t)seam_rng_below(r, 40000)
                   : kind < 4 ? (uint32_t)seam_rng_below(r, 3000)
                              : (uint32_t)seam_rng_below(r, 300);
    it.body_seed = (uint32_t)seam_rng_below(r, 1000);
    it.grade = seam_rng_range(r, -5, 5);
    return it;
}

static void item_values(const struct item *it, char *body, struct seam_value v[3])
{
    body_text(body, it->body_size, it->body_seed);
    v[0] = seam_v_str(it->name);
    v[1] = seam_v_text(body, it->body_size);
    v[2] = seam_v_int(it->grade);
}

static void check_row(const struct seam_schema *s, const struct oltp_row *row,
                      const struct item *want)
{
    static char body[40001];
    struct seam_value v[3];
    struct seam_fault f = {0};

    ASSERT_OK(seam_row_decode(s, row->row.data, row->row.size, v, &f), &f);
    body_text(body, want->body_size, want->body_seed);
    ck_assert_uint_eq(v[0].len, strlen(want->name));
    ck_assert_int_eq(memcmp(v[0].s, want->name, v[0].len), 0);
    ck_assert_uint_eq(v[1].len, want->body_size);
    ck_assert_int_eq(memcmp(v[1].s, body, v[1].len), 0);
    ck_assert_int_eq(v[2].i, want->grade);
}

static void check_all(struct oltp_txn *t, uint32_t table, const struct model *m)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    uint32_t by_grade = 0;
    size_t n = 0;
    int64_t last = INT64_MIN;
    enum seam_status st;

    ck_assert_uint_eq(oltp_count(t, table, 0), m->count);
    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK)
        check_row(oltp_schema(t, table), &row, &m->items[n++]);
    ck_assert_int_eq(st, SEAM_END);
    ck_assert_uint_eq(n, m->count);
    while ((st = oltp_cursor_prev(c, &row, &f)) == SEAM_OK)
        check_row(oltp_schema(t, table), &row, &m->items[--n]);
    ck_assert_int_eq(st, SEAM_END);
    ck_assert_uint_eq(n, 0);
    oltp_cursor_close(c);
    ASSERT_OK(oltp_index(t, table, "by_grade", &by_grade, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, table, by_grade, NULL, 0, &c, &f), &f);
    for (n = 0; (st = oltp_cursor_next(c, &row, &f)) == SEAM_OK; n++) {
        struct seam_value grade;

        ASSERT_OK(seam_row_get(oltp_schema(t, table), row.row.data, row.row.size, 2, &grade, &f),
                  &f);
        ck_assert_int_ge(grade.i, last);
        last = grade.i;
    }
    ck_assert_int_eq(st, SEAM_END);
    ck_assert_uint_eq(n, m->count);
    oltp_cursor_close(c);
}

static void check_range(struct oltp_txn *t, uint32_t table, const struct model *m,
                        struct seam_rng *r)
{
    char low[NAME_CAP], high[NAME_CAP];
    struct seam_buf a = {0}, b = {0};
    struct seam_value v;
    struct oltp_range range = {.lower_excluded = seam_rng_below(r, 2),
                               .upper_included = seam_rng_below(r, 2)};
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    bool found, backwards = seam_rng_below(r, 2);
    size_t from, to;

    random_name(r, low);
    random_name(r, high);
    v = seam_v_str(low);
    ASSERT_OK(oltp_key(t, table, 0, &v, 1, &a, &f), &f);
    v = seam_v_str(high);
    ASSERT_OK(oltp_key(t, table, 0, &v, 1, &b, &f), &f);
    range.lower = (struct wal_bytes){a.data, a.size};
    range.upper = (struct wal_bytes){b.data, b.size};
    from = model_find(m, low, &found);
    from += found && range.lower_excluded;
    to = model_find(m, high, &found);
    to += found && range.upper_included;
    ASSERT_OK(oltp_cursor_open(t, table, 0, &range, 0, &c, &f), &f);
    for (; from < to; backwards ? to-- : from++) {
        enum seam_status st =
            backwards ? oltp_cursor_prev(c, &row, &f) : oltp_cursor_next(c, &row, &f);

        ASSERT_OK(st, &f);
        check_row(oltp_schema(t, table), &row, &m->items[backwards ? to - 1 : from]);
    }
    ASSERT_STATUS(backwards ? oltp_cursor_prev(c, &row, &f) : oltp_cursor_next(c, &row, &f),
                  SEAM_END);
    oltp_cursor_close(c);
    seam_buf_free(&a);
    seam_buf_free(&b);
}

static void random_change(struct oltp_txn *t, uint32_t table, struct model *m, struct seam_rng *r,
                          unsigned deletes)
{
    static char body[40001];
    struct item it = random_item(r);
    struct seam_value v[3];
    struct seam_fault f = {0};
    struct oltp_row row;

    item_values(&it, body, v);
    if (seam_rng_below(r, 100) < deletes) {
        enum seam_status st = oltp_delete(t, table, v, &f);

        ck_assert_int_eq(st, model_delete(m, it.name) ? SEAM_OK : SEAM_NOT_FOUND);
        return;
    }
    ASSERT_OK(oltp_put(t, table, v, &f), &f);
    model_put(m, &it);
    ASSERT_OK(oltp_get(t, table, v, &row, &f), &f);
    check_row(oltp_schema(t, table), &row, &it);
}

static void transaction(struct oltp *db, uint32_t table, struct model *m, struct seam_rng *r,
                        unsigned deletes)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct model begin = model_copy(m), saved = {0};
    uint32_t save = 0;
    size_t n = 1 + seam_rng_below(r, 40);

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (size_t i = 0; i < n; i++) {
        uint64_t dice = seam_rng_below(r, 30);

        if (dice == 0 && saved.items == NULL) {
            saved = model_copy(m);
            ASSERT_OK(oltp_savepoint(t, &save, &f), &f);
        } else if (dice == 1 && saved.items != NULL) {
            ASSERT_OK(oltp_rollback_to(t, save, &f), &f);
            memcpy(m->items, saved.items, saved.count * sizeof *saved.items);
            m->count = saved.count;
        } else if (dice == 2 && saved.items != NULL) {
            ASSERT_OK(oltp_release(t, save, &f), &f);
            free(saved.items);
            saved.items = NULL;
        } else {
            random_change(t, table, m, r, deletes);
        }
    }
    if (seam_rng_below(r, 8) == 0) {
        oltp_end(t);
        memcpy(m->items, begin.items, begin.count * sizeof *begin.items);
        m->count = begin.count;
    } else {
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    free(begin.items);
    free(saved.items);
}

static void verify_all(struct seam_io *io, struct oltp *db)
{
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    if (db != NULL) ASSERT_OK(wal_flush(oltp_wal(db), &f), &f);
    st = oltp_verify(io, "shop/oltp", "shop/wal", &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "verify: %s\n%s", f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
}

static void test_equals_a_sorted_array(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp_options o = {
        .wal_dir = "shop/wal", .cache_bytes = OLTP_CACHE_MIN, .retain_checkpoints = 1};
    struct model m = {malloc(ITEMS_CAP * sizeof *m.items), 0};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_rng r;
    uint32_t table = 0;

    seam_rng_seed(&r, test_seed());
    ASSERT_OK(oltp_open(io, "shop/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, schema_json, strlen(schema_json), &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int i = 0; i < test_scale(400); i++) {
        transaction(db, table, &m, &r, i < 250 ? 20 : 70);
        if (seam_rng_below(&r, 15) == 0) ASSERT_OK(oltp_checkpoint(db, &f), &f);
        if (i % 10 == 0) {
            ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
            if (i % 40 == 0) check_all(t, table, &m);
            for (int k = 0; k < 10; k++) check_range(t, table, &m, &r);
            oltp_end(t);
        }
        if (seam_rng_below(&r, 40) == 0) {
            ASSERT_OK(oltp_close(db, &f), &f);
            ASSERT_OK(oltp_open(io, "shop/oltp", &o, &db, &f), &f);
        }
        if (i % 100 == 99) verify_all(io, db);
    }
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    check_all(t, table, &m);
    oltp_end(t);
    /* Empty it, page by page: merges all the way down. */
    while (m.count > 0) {
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        for (int i = 0; i < 50 && m.count > 0; i++) {
            struct seam_value name;
            size_t at = seam_rng_below(&r, m.count);
            char text[NAME_CAP];

            memcpy(text, m.items[at].name, NAME_CAP);
            name = seam_v_str(text);
            ASSERT_OK(oltp_delete(t, table, &name, &f), &f);
            model_delete(&m, text);
        }
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    verify_all(io, db);
    ASSERT_OK(oltp_close(db, &f), &f);
    verify_all(io, NULL);
    seam_io_sim_free(sim);
    free(m.items);
}

static void test_cursor_stays_right_while_rows_change(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct oltp_options o = {.wal_dir = "shop/wal"};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    uint32_t table = 0;
    struct item it = {0};
    struct seam_value v[3];
    char body[301];
    int n = 0;

    ASSERT_OK(oltp_open(seam_io_sim_io(sim), "shop/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, schema_json, strlen(schema_json), &table, &f), &f);
    for (int i = 0; i < 1000; i++) {
        snprintf(it.name, sizeof it.name, "%05d", i * 2);
        it.body_size = 100;
        item_values(&it, body, v);
        ASSERT_OK(oltp_put(t, table, v, &f), &f);
    }
    /* Delete each row the cursor stands on and put one just before it: it must meet all old rows once. */
    ASSERT_OK(oltp_cursor_open(t, table, 0, NULL, 0, &c, &f), &f);
    while (oltp_cursor_next(c, &row, &f) == SEAM_OK) {
        snprintf(it.name, sizeof it.name, "%05d", n * 2);
        item_values(&it, body, v);
        ASSERT_OK(oltp_delete(t, table, v, &f), &f);
        snprintf(it.name, sizeof it.name, "%05d", n * 2 - 1);
        it.body_size = 300;
        item_values(&it, body, v);
        if (n > 0) ASSERT_OK(oltp_put(t, table, v, &f), &f);
        n++;
    }
    ck_assert_int_eq(n, 1000);
    ck_assert_uint_eq(oltp_count(t, table, 0), 999);
    oltp_cursor_close(c);
    oltp_end(t);
    ASSERT_OK(oltp_close(db, &f), &f);
    seam_io_sim_free(sim);
}

static const struct named_test tests[] = {T(test_equals_a_sorted_array),
                                          T(test_cursor_stays_right_while_rows_change)};

int main(int argc, char **argv)
{
    return run_tests("oltp model", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
