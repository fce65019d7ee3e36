/* Goal:   what a careful reader of the row store would try in order to break it.
 * Method: one suspicion a test: rows read that are written again under another key, steps of cursors that fail and are
 *         tried again, cursors kept by many transactions, unique values and large rows above savepoints, pages whose
 *         counts of bytes are wrong. Each ends with verify. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/page.h"
#include "tests/common/check_main.h"

static const char table_json[] =
    "{\"table\":\"notes\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"title\",\"type\":\"text\"},{\"name\":\"body\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_title\",\"columns\":[\"title\"],\"unique\":true}]}";

struct place {
    struct seam_io_sim *sim;
    struct seam_io *io;
    struct oltp *db;
    uint32_t table, by_title;
};

static void place_open(struct place *p)
{
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN};
    struct seam_fault f = {0};

    ASSERT_OK(oltp_open(p->io, "d/oltp", &o, &p->db, &f), &f);
}

static void place_make(struct place *p)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    p->sim = seam_io_sim_new(test_seed());
    p->io = seam_io_sim_io(p->sim);
    place_open(p);
    ASSERT_OK(oltp_write_begin(p->db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &p->table, &f), &f);
    ASSERT_OK(oltp_index(t, p->table, "by_title", &p->by_title, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
}

static void place_end(struct place *p)
{
    struct oltp_check check;
    struct seam_buf report = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    ASSERT_OK(oltp_checkpoint(p->db, &f), &f); /* these trees, not those that a replay would make */
    st = oltp_verify(p->io, "d/oltp", "d/wal", &check, &report, (struct oltp_progress){0}, &f);
    ck_assert_msg(st == SEAM_OK, "verify: %s\n%s", f.why, seam_buf_cstr(&report));
    seam_buf_free(&report);
    ASSERT_OK(oltp_close(p->db, &f), &f);
    seam_io_sim_free(p->sim);
}

static enum seam_status put(struct place *p, struct oltp_txn *t, int64_t id, const char *title,
                            size_t body, struct seam_fault *f)
{
    static char text[60000];
    struct seam_value v[3] = {seam_v_int(id), seam_v_str(title), seam_v_text(text, body)};

    memset(text, 'a' + (int)(id % 26), sizeof text);
    return oltp_put(t, p->table, v, f);
}

static void fill(struct place *p, int64_t rows, size_t large)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(oltp_write_begin(p->db, &t, &f), &f);
    for (int64_t id = 0; id < rows; id++) {
        char title[40];

        snprintf(title, sizeof title, "%lld and a title", (long long)(id * 7919 % rows));
        ASSERT_OK(put(p, t, id, title, id % 10 == 0 ? large : 150, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(p->db, &f), &f);
}

/* Values that point at a row just read are given back under another key: over a large row, which is read into the same
 * memory, and in the same leaf, whose cells the change moves. Each row keeps a title of its own. */
static void test_a_row_just_read_is_written_under_another_key(void)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    static char longer[400];

    memset(longer, 'l', sizeof longer);
    place_make(&p);
    fill(&p, 60, 30000);
    ASSERT_OK(oltp_write_begin(p.db, &t, &f), &f);
    for (int64_t id = 0; id < 60; id++) {
        int64_t to = id % 10 == 0 ? (id + 10) % 60 : id % 2 == 0 ? id - 1 : id + 500;
        struct seam_value key = seam_v_int(id), v[3];
        struct oltp_row row;

        ASSERT_OK(oltp_get(t, p.table, &key, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, p.table), row.row.data, row.row.size, v, &f), &f);
        v[0] = seam_v_int(to);
        ck_assert_uint_gt(v[1].len, 4);
        v[1].len--; /* nobody's yet, and in the memory of the row that was read */
        if (id % 10 != 0) v[2] = seam_v_text(longer, (size_t)(200 + id));
        ASSERT_OK(oltp_put(t, p.table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    place_end(&p);
}

/* A mover between two tables: the large row it read is in the memory that the row before is read into. */
static void test_a_large_row_is_moved_over_another(void)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    char json[600];
    uint32_t other = 0;

    place_make(&p);
    fill(&p, 30, 30000);
    snprintf(json, sizeof json, "%.*s\"others\"%s", 9, table_json,
             strstr(table_json, ",\"version\""));
    ASSERT_OK(oltp_write_begin(p.db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, json, strlen(json), &other, &f), &f);
    ASSERT_OK(oltp_drop_index(t, other, "by_title", &f), &f);
    for (int64_t id = 0; id < 30; id++) {
        static char old[20000];
        struct seam_value v[3] = {seam_v_int(id), seam_v_str("old"), seam_v_text(old, sizeof old)},
                          got[3];
        struct oltp_row row;
        struct seam_buf key = {0};

        memset(old, 'o', sizeof old);
        ASSERT_OK(oltp_put(t, other, v, &f), &f);
        ASSERT_OK(oltp_key(t, other, 0, v, 1, &key, &f), &f);
        ASSERT_OK(oltp_get(t, p.table, v, &row, &f), &f);
        ASSERT_OK(oltp_apply(t, other, WAL_OP_UPDATE, 0, (struct wal_bytes){key.data, key.size},
                             row.row, &f),
                  &f);
        ASSERT_OK(oltp_get(t, other, v, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, other), row.row.data, row.row.size, got, &f), &f);
        ck_assert_uint_eq(got[2].len, id % 10 == 0 ? 30000 : 150);
        ck_assert_int_ne(got[1].s[0], 'o');
        seam_buf_free(&key);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    place_end(&p);
}

/* Scans, tries again after each failed read, and must meet every row once. */
static void scan_with_faults(struct place *p, struct oltp_txn *t, uint32_t index, bool forward,
                             int64_t rows, struct seam_rng *r)
{
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    struct seam_buf last = {0};
    int64_t met = 0, failed = 0;
    enum seam_status st;

    ASSERT_OK(oltp_cursor_open(t, p->table, index, NULL, 0, &c, &f), &f);
    for (;;) {
        if (seam_rng_below(r, 7) == 0)
            seam_io_sim_plant(p->sim, SEAM_SIM_READ_EIO, 1 + seam_rng_below(r, 4), false);
        st = forward ? oltp_cursor_next(c, &row, NULL) : oltp_cursor_prev(c, &row, NULL);
        if (st == SEAM_END) break;
        if (st != SEAM_OK) {
            ck_assert_int_eq(st, SEAM_IO);
            failed++;
            continue;
        }
        if (met > 0) {
            struct wal_bytes now = index == 0 ? row.key : row.index_key;
            int order = seam_key_compare(last.data, last.size, now.data, now.size);

            ck_assert_msg(forward ? order < 0 : order > 0, "a row is met again after a failure");
        }
        seam_buf_clear(&last);
        seam_buf_append(&last, index == 0 ? row.key.data : row.index_key.data,
                        index == 0 ? row.key.size : row.index_key.size);
        met++;
    }
    seam_io_sim_clear(p->sim);
    oltp_cursor_close(c);
    seam_buf_free(&last);
    ck_assert_int_eq(met, rows);
    ck_assert_int_gt(failed, 0);
}

static void test_a_failed_step_can_be_tried_again(void)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    place_make(&p);
    fill(&p, 2000, 20000);
    for (int i = 0; i < 8; i++) {
        if (i < 4)
            ASSERT_OK(oltp_read_begin(p.db, &t, &f), &f);
        else
            ASSERT_OK(oltp_write_begin(p.db, &t, &f), &f);
        scan_with_faults(&p, t, i % 2 == 0 ? 0 : p.by_title, i / 2 % 2 == 0, 2000, &r);
        oltp_end(t);
    }
    place_end(&p);
}

/* In a cold cache the first step of a cursor whose bound is next to `id` fails at its nth read; tried again it gives the
 * row on the other side of the bound. Another cursor was used before in the transaction and left its place behind. */
static bool first_step_fails(struct place *p, bool write, bool forward, int64_t id, uint64_t nth)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct oltp_range range = {0};
    struct seam_value v = seam_v_int(id), got[3];
    struct seam_buf key = {0};
    struct seam_fault f = {0};
    enum seam_status st;

    ASSERT_OK(oltp_close(p->db, &f), &f);
    place_open(p);
    ASSERT_OK(write ? oltp_write_begin(p->db, &t, &f) : oltp_read_begin(p->db, &t, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, p->table, 0, NULL, 0, &c, &f), &f);
    ASSERT_OK(forward ? oltp_cursor_prev(c, &row, &f) : oltp_cursor_next(c, &row, &f), &f);
    ASSERT_OK(oltp_cursor_seek(c, row.key, &f), &f);
    oltp_cursor_close(c);
    ASSERT_OK(oltp_key(t, p->table, 0, &v, 1, &key, &f), &f);
    if (forward) seam_buf_u8(&key, 0); /* just behind the row, and before the next */
    *(forward ? &range.lower : &range.upper) = (struct wal_bytes){key.data, key.size};
    ASSERT_OK(oltp_cursor_open(t, p->table, 0, &range, 0, &c, &f), &f);
    seam_io_sim_plant(p->sim, SEAM_SIM_READ_EIO, nth, false);
    st = forward ? oltp_cursor_next(c, &row, NULL) : oltp_cursor_prev(c, &row, NULL);
    seam_io_sim_clear(p->sim);
    if (st != SEAM_OK) {
        ck_assert_int_eq(st, SEAM_IO);
        ASSERT_OK(forward ? oltp_cursor_next(c, &row, &f) : oltp_cursor_prev(c, &row, &f), &f);
    }
    ASSERT_OK(seam_row_decode(oltp_schema(t, p->table), row.row.data, row.row.size, got, &f), &f);
    ck_assert_int_eq(got[0].i, forward ? id + 1 : id - 1);
    oltp_cursor_close(c);
    oltp_end(t);
    seam_buf_free(&key);
    return st != SEAM_OK;
}

/* The ids lie in several leaves, so the bound of some is at the end of one. */
static void test_a_failed_first_step_can_be_tried_again(void)
{
    struct place p = {0};
    uint64_t failed_second = 0;

    place_make(&p);
    fill(&p, 2000, 150);
    for (int way = 0; way < 4; way++)
        for (int64_t id = 900; id < 1000; id++)
            for (uint64_t nth = 1; nth <= 2; nth++)
                failed_second += first_step_fails(&p, way & 1, way & 2, id, nth) && nth == 2;
    ck_assert_uint_ge(failed_second, 8);
    place_end(&p);
}

/* A cursor of a write transaction that met no row looks again from its end, whatever was written since. */
static void test_a_cursor_that_met_no_row_looks_again(void)
{
    struct place p = {0};
    struct oltp_row row;
    struct seam_fault f = {0};

    place_make(&p);
    fill(&p, 500, 150);
    for (int forward = 0; forward < 2; forward++) {
        struct seam_value from = seam_v_int(10000), got[3];
        struct oltp_cursor *c = NULL;
        struct oltp_txn *t = NULL;
        struct seam_buf key = {0};
        struct oltp_range range = {0};

        ASSERT_OK(oltp_write_begin(p.db, &t, &f), &f);
        ASSERT_OK(oltp_cursor_open(t, p.table, 0, NULL, 0, &c, &f), &f);
        ASSERT_OK(oltp_cursor_next(c, &row, &f), &f);
        oltp_cursor_close(c);
        ASSERT_OK(oltp_key(t, p.table, 0, &from, 1, &key, &f), &f);
        range.lower = (struct wal_bytes){key.data, key.size};
        ASSERT_OK(oltp_cursor_open(t, p.table, 0, &range, 0, &c, &f), &f);
        ASSERT_STATUS(forward ? oltp_cursor_next(c, &row, &f) : oltp_cursor_prev(c, &row, &f),
                      SEAM_END);
        ASSERT_OK(put(&p, t, 10001, "first", 10, &f), &f);
        ASSERT_OK(put(&p, t, 10002, "second", 10, &f), &f);
        ASSERT_OK(forward ? oltp_cursor_next(c, &row, &f) : oltp_cursor_prev(c, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, p.table), row.row.data, row.row.size, got, &f),
                  &f);
        ck_assert_int_eq(got[0].i, forward ? 10001 : 10002);
        oltp_cursor_close(c);
        oltp_end(t);
        seam_buf_free(&key);
    }
    place_end(&p);
}

/* Cursors that are closed are kept for the next: not so many that others get none. */
static void test_closed_cursors_do_not_use_up_the_limit(void)
{
    struct place p = {0};
    struct oltp_txn *t[100];
    struct seam_fault f = {0};

    place_make(&p);
    fill(&p, 10, 10);
    for (int i = 0; i < 100; i++) {
        struct oltp_cursor *c[6];
        struct oltp_row row;

        ASSERT_OK(oltp_read_begin(p.db, &t[i], &f), &f);
        for (int k = 0; k < 6; k++) {
            ASSERT_OK(oltp_cursor_open(t[i], p.table, 0, NULL, 0, &c[k], &f), &f);
            ASSERT_OK(oltp_cursor_next(c[k], &row, &f), &f);
        }
        for (int k = 0; k < 6; k++) oltp_cursor_close(c[k]);
    }
    for (int i = 0; i < 100; i++) oltp_end(t[i]);
    place_end(&p);
}

/* A unique value changes hands above a savepoint, with large rows at both ends, and back again. */
static void test_unique_values_and_large_rows_above_savepoints(void)
{
    struct place p = {0};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    place_make(&p);
    fill(&p, 40, 25000);
    for (int round = 0; round < test_scale(200); round++) {
        struct seam_value a = seam_v_int((int64_t)seam_rng_below(&r, 20)),
                          b = seam_v_int(20 + (int64_t)seam_rng_below(&r, 20));
        struct seam_value v[3];
        struct oltp_row row;
        uint32_t outer, inner;
        char title[40];
        size_t n;

        ASSERT_OK(oltp_write_begin(p.db, &t, &f), &f);
        ASSERT_OK(oltp_get(t, p.table, &a, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, p.table), row.row.data, row.row.size, v, &f), &f);
        n = v[1].len < sizeof title ? v[1].len : sizeof title - 1;
        memcpy(title, v[1].s, n);
        title[n] = '\0';
        ASSERT_OK(oltp_savepoint(t, &outer, &f), &f);
        ASSERT_OK(oltp_delete(t, p.table, &a, &f), &f);
        ASSERT_OK(put(&p, t, b.i, title, 30000, &f), &f);
        ASSERT_OK(oltp_savepoint(t, &inner, &f), &f);
        ck_assert_int_eq(put(&p, t, a.i, title, 40000, &f), SEAM_EXISTS);
        seam_fault_clear(&f);
        ASSERT_OK(put(&p, t, b.i, "in between", 50000, &f), &f);
        ASSERT_OK(put(&p, t, a.i, title, 45000, &f), &f);
        if (seam_rng_below(&r, 2) == 0) ASSERT_OK(oltp_rollback_to(t, inner, &f), &f);
        ASSERT_OK(oltp_rollback_to(t, outer, &f), &f);
        ASSERT_OK(oltp_get(t, p.table, &a, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, p.table), row.row.data, row.row.size, v, &f), &f);
        ck_assert(v[1].len == n && memcmp(v[1].s, title, n) == 0);
        ck_assert_int_eq(put(&p, t, b.i, title, 10, &f), SEAM_EXISTS);
        seam_fault_clear(&f);
        snprintf(title, sizeof title, "round %d", round);
        ASSERT_OK(put(&p, t, a.i, title, seam_rng_below(&r, 50000), &f), &f);
        if (seam_rng_below(&r, 3) == 0) {
            oltp_end(t);
        } else {
            ASSERT_OK(oltp_release(t, outer, &f), &f);
            ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
        }
        if (round % 50 == 49) ASSERT_OK(oltp_checkpoint(p.db, &f), &f);
    }
    place_end(&p);
}

/* A checksum says that the bytes are those that were written, not that they make sense. */
static void test_pages_whose_bytes_do_not_add_up_are_refused(void)
{
    uint8_t page[OLTP_PAGE_SIZE] = {0}, tmp[OLTP_PAGE_SIZE];
    struct seam_fault f = {0};

    oltp_page_init(page, PAGE_LEAF, 0, 2, 32, 7, NULL, 0);
    for (int i = 0; i < 20; i++) {
        uint8_t key[8] = {'k', (uint8_t)i, 1, 2, 3, 4, 5, 6};
        struct oltp_page_item it = {.key = key, .key_size = 8, .value = tmp, .size = 100};

        memset(tmp, i, 100);
        ck_assert(oltp_page_insert(page, (unsigned)i, &it, tmp));
    }
    oltp_page_remove(page, 5);
    oltp_page_seal(page, 9, 1);
    ASSERT_OK(oltp_page_check(page, 9, 2, 10, "pages", &f), &f);
    seam_put_u16(page + PAGE_GARBAGE,
                 (uint16_t)(page_garbage(page) + 200)); /* room that is not there */
    oltp_page_seal(page, 9, 1);
    ASSERT_STATUS(oltp_page_check(page, 9, 2, 10, "pages", &f), SEAM_CORRUPT);
    ck_assert(strstr(f.why, "add up") != NULL);
}

/* The id of the row that a step gives; -1 at the end. */
static int64_t step(struct place *p, struct oltp_txn *t, struct oltp_cursor *c, bool forward)
{
    struct oltp_row row;
    struct seam_value v[3];
    struct seam_fault f = {0};
    enum seam_status st = forward ? oltp_cursor_next(c, &row, &f) : oltp_cursor_prev(c, &row, &f);

    if (st == SEAM_END) return -1;
    ASSERT_OK(st, &f);
    ASSERT_OK(seam_row_decode(oltp_schema(t, p->table), row.row.data, row.row.size, v, &f), &f);
    return v[0].i;
}

/* A cursor stands between entries: turning round gives the same entry again, in one leaf and across leaves, in read and
 * write transactions, at both ends, and while rows come and go beside it. */
static void test_a_cursor_stands_between_entries(void)
{
    enum { ROWS = 500 };
    struct place p;
    struct seam_rng r;
    struct seam_fault f = {0};

    place_make(&p);
    fill(&p, ROWS, 150);
    seam_rng_seed(&r, test_seed());
    for (int write = 0; write < 2; write++) {
        struct oltp_txn *t = NULL;
        struct oltp_cursor *c = NULL;
        int64_t at = 0; /* rows to the left of the cursor: their ids are 0 .. at - 1 */

        ASSERT_OK(write ? oltp_write_begin(p.db, &t, &f) : oltp_read_begin(p.db, &t, &f), &f);
        ASSERT_OK(oltp_cursor_open(t, p.table, 0, NULL, 0, &c, &f), &f);
        ck_assert_int_eq(step(&p, t, c, true), 0);
        ck_assert_int_eq(step(&p, t, c, true), 1);
        ck_assert_int_eq(step(&p, t, c, false), 1);
        ck_assert_int_eq(step(&p, t, c, true), 1);
        at = 2;
        for (int i = 0; i < 20000; i++) {
            bool forward = seam_rng_below(&r, 100) < 50 + (i / 1000 % 2 == 0 ? 8 : 0);
            int64_t want = forward ? (at < ROWS ? at : -1) : at - 1;
            char title[24];

            snprintf(title, sizeof title, "new %d", i);
            if (write && i % 7 == 0) /* the leaf moves: it must find its place again */
                ASSERT_OK(put(&p, t, (i * 31) % ROWS, title, 100 + (size_t)i % 90, &f), &f);
            ck_assert_int_eq(step(&p, t, c, forward), want);
            if (forward) at += at < ROWS;
            if (!forward) at -= at > 0;
        }
        if (write) { /* the row just passed goes: the place between its neighbours stays */
            struct seam_value id;

            ASSERT_OK(oltp_cursor_seek(c, (struct wal_bytes){NULL, 0}, &f), &f);
            for (int64_t k = 0; k <= 10; k++) ck_assert_int_eq(step(&p, t, c, true), k);
            id = seam_v_int(10);
            ASSERT_OK(oltp_delete(t, p.table, &id, &f), &f);
            ck_assert_int_eq(step(&p, t, c, false), 9);
            ck_assert_int_eq(step(&p, t, c, true), 9);
            ck_assert_int_eq(step(&p, t, c, true), 11);
        }
        oltp_cursor_close(c);
        oltp_end(t);
    }
    place_end(&p);
}

/* A key of no bytes, with or without an address, lies before every other: the sanitizers watch. */
static void test_an_empty_key_is_before_all(void)
{
    static const struct wal_bytes empty[] = {{NULL, 0}, {(const uint8_t *)"", 0}};
    struct place p;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    place_make(&p);
    fill(&p, 300, 150);
    ASSERT_OK(oltp_read_begin(p.db, &t, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(empty); i++) {
        for (int bounds = 0; bounds < 8; bounds++) {
            struct oltp_range range = {.lower = {(const uint8_t *)"", 0},
                                       .upper = {(const uint8_t *)"", 0},
                                       .lower_excluded = bounds & 1,
                                       .upper_included = bounds & 2};
            bool all =
                bounds & 4 || bounds == 2; /* "including" the empty prefix is including all */
            struct oltp_cursor *c = NULL;
            struct oltp_row row;

            ASSERT_OK(oltp_cursor_open(t, p.table, 0, bounds & 4 ? NULL : &range, 0, &c, &f), &f);
            ASSERT_OK(oltp_cursor_seek(c, empty[i], &f), &f);
            ck_assert_int_eq(step(&p, t, c, true), all ? 0 : -1);
            ASSERT_OK(oltp_cursor_seek(c, empty[i], &f), &f);
            ck_assert_int_eq(step(&p, t, c, false), -1);
            ASSERT_STATUS(oltp_get_key(t, p.table, empty[i], &row, &f), SEAM_NOT_FOUND);
            oltp_cursor_close(c);
        }
    }
    oltp_end(t);
    place_end(&p);
}

/* LSN 0 and 1970 are moments like others, not the default that a zero in the options means: nothing is kept of them, and
 * that is said, with the initial checkpoint still kept and without it. */
static void test_the_moment_zero_is_no_default(void)
{
    struct place p;
    struct oltp *db = NULL;
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN, .read_only = true};
    seam_lsn_t at = 0;
    int64_t when;
    struct seam_fault f = {0};

    place_make(&p);
    for (int round = 0; round < 2; round++) {
        o.as_of = OLTP_AS_OF_ZERO;
        o.as_of_us = 0;
        ASSERT_STATUS(oltp_open(p.io, "d/oltp", &o, &db, &f), SEAM_NOT_FOUND);
        ck_assert_msg(strstr(f.why, "nothing earlier") != NULL, "it says: %s", f.why);
        seam_fault_clear(&f);
        o.as_of = SEAM_LSN_NONE;
        o.as_of_us = OLTP_AS_OF_EPOCH;
        ASSERT_STATUS(oltp_open(p.io, "d/oltp", &o, &db, &f), SEAM_NOT_FOUND);
        ck_assert_msg(strstr(f.why, "nothing earlier") != NULL, "it says: %s", f.why);
        seam_fault_clear(&f);
        ASSERT_STATUS(oltp_lsn_at(p.io, "d/oltp", "d/wal", 0, &at, &when, NULL), SEAM_NOT_FOUND);
        ASSERT_STATUS(oltp_clone(p.io, "d/oltp", "d/wal", SEAM_LSN_NONE, "e/oltp", &at,
                                 (struct oltp_progress){0}, NULL),
                      SEAM_NOT_FOUND);
        ck_assert(!seam_io_exists(p.io, "e/oltp/pages"));
        o.as_of_us = 0; /* zero itself is the newest state */
        ASSERT_OK(oltp_open(p.io, "d/oltp", &o, &db, &f), &f);
        ck_assert_uint_eq(oltp_lsn(db), oltp_lsn(p.db));
        ASSERT_OK(oltp_close(db, &f), &f);
        fill(&p, 50, 150); /* and a checkpoint */
    }
    place_end(&p);
}

static const struct named_test tests[] = {T(test_the_moment_zero_is_no_default),
                                          T(test_a_cursor_stands_between_entries),
                                          T(test_an_empty_key_is_before_all),
                                          T(test_a_row_just_read_is_written_under_another_key),
                                          T(test_a_large_row_is_moved_over_another),
                                          T(test_a_failed_step_can_be_tried_again),
                                          T(test_a_failed_first_step_can_be_tried_again),
                                          T(test_a_cursor_that_met_no_row_looks_again),
                                          T(test_closed_cursors_do_not_use_up_the_limit),
                                          T(test_unique_values_and_large_rows_above_savepoints),
                                          T(test_pages_whose_bytes_do_not_add_up_are_refused)};

int main(int argc, char **argv)
{
    return run_tests("oltp edges", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
