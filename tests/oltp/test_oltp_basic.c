/* The front door, feature by feature. */
#include <stdio.h>
#include <stdlib.h>

#include "oltp/oltp.h"
#include "tests/common/check_main.h"

static const char products[] =
    "{\"table\":\"products\",\"version\":1,\"key\":[\"id\"],\"columns\":["
    "{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"sku\",\"type\":\"text\",\"nullable\":true},"
    "{\"name\":\"price\",\"type\":\"decimal\",\"scale\":4,\"nullable\":true},"
    "{\"name\":\"version\",\"type\":\"int64\",\"nullable\":true}],"
    "\"indexes\":[{\"name\":\"by_sku\",\"columns\":[\"sku\"],\"unique\":true},"
    "{\"name\":\"by_price\",\"columns\":[\"price\"]}]}";

struct place {
    char oltp[700], wal[700];
};

static struct place place_of(const char *base)
{
    struct place p;

    snprintf(p.oltp, sizeof p.oltp, "%s/oltp", base);
    snprintf(p.wal, sizeof p.wal, "%s/wal", base);
    return p;
}

static struct oltp *open_writer(const struct place *p)
{
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    struct oltp_options o = {.wal_dir = p->wal};

    ASSERT_OK(oltp_open(seam_io_posix(), p->oltp, &o, &db, &f), &f);
    return db;
}

static struct oltp *open_reader(const struct place *p, seam_lsn_t as_of)
{
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    struct oltp_options o = {.wal_dir = p->wal, .read_only = true, .as_of = as_of};

    ASSERT_OK(oltp_open(seam_io_posix(), p->oltp, &o, &db, &f), &f);
    return db;
}

static void close_db(struct oltp *db)
{
    struct seam_fault f = {0};

    ASSERT_OK(oltp_close(db, &f), &f);
}

static void product(struct seam_value v[4], int64_t id, const char *sku, int64_t price,
                    int64_t version)
{
    v[0] = seam_v_int(id);
    v[1] = sku != NULL ? seam_v_str(sku) : seam_v_null();
    v[2] = seam_v_decimal(price, 4);
    v[3] = seam_v_int(version);
}

static uint32_t make_table(struct oltp *db)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t id = 0;

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, products, strlen(products), &id, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    return id;
}

static int64_t price_of(struct oltp *db, uint32_t table, int64_t id)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value key = seam_v_int(id), v;
    struct oltp_row row;
    int64_t price = -1;
    enum seam_status st;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    st = oltp_get(t, table, &key, &row, &f);
    if (st == SEAM_OK) {
        ASSERT_OK(seam_row_get(oltp_schema(t, table), row.row.data, row.row.size, 2, &v, &f), &f);
        price = v.i;
    } else {
        ck_assert_int_eq(st, SEAM_NOT_FOUND);
    }
    oltp_end(t);
    return price;
}

static void put_one(struct oltp *db, uint32_t table, int64_t id, const char *sku, int64_t price,
                    struct oltp_commit *c)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value v[4];

    product(v, id, sku, price, 1);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_put(t, table, v, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, c, &f), &f);
}

static void test_rows_survive_close_and_reopen(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_commit c;

    put_one(db, id, 1, "A1", 12500, &c);
    put_one(db, id, 2, "A2", 22500, &c);
    ck_assert_int_eq(price_of(db, id, 1), 12500);
    close_db(db);
    db = open_writer(&p); /* all from the log */
    ck_assert_int_eq(price_of(db, id, 1), 12500);
    ck_assert_uint_eq(oltp_lsn(db), c.lsn);
    ASSERT_OK(oltp_checkpoint(db, NULL), NULL);
    put_one(db, id, 1, "A1", 99, &c);
    close_db(db);
    db = open_writer(&p); /* checkpoint and log */
    ck_assert_int_eq(price_of(db, id, 1), 99);
    ck_assert_int_eq(price_of(db, id, 2), 22500);
    ck_assert_int_eq(price_of(db, id, 3), -1);
    close_db(db);
}

static void test_unique_index_refuses_and_indexes_follow(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db), by_sku = 0, by_price = 0;
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    struct seam_value v[4], sku;
    int n = 0;

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (int i = 0; i < 500; i++) {
        char text[32];

        snprintf(text, sizeof text, "SKU-%03d", i);
        product(v, i, text, 1000 - i, 1);
        ASSERT_OK(oltp_insert(t, id, v, &f), &f);
    }
    product(v, 1000, "SKU-007", 5, 1);
    ASSERT_STATUS(oltp_put(t, id, v, &f), SEAM_EXISTS);
    seam_fault_clear(&f);
    product(v, 7, "SKU-007", 5, 2); /* its own value is no conflict */
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    product(v, 1001, NULL, 5, 2); /* nulls are not equal */
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    product(v, 1002, NULL, 5, 2);
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    ASSERT_OK(oltp_index(t, id, "by_sku", &by_sku, &f), &f);
    ASSERT_OK(oltp_index(t, id, "by_price", &by_price, &f), &f);
    sku = seam_v_str("SKU-123");
    ASSERT_OK(oltp_get_by(t, id, by_sku, &sku, &row, &f), &f);
    sku = seam_v_str("SKU-12");
    ASSERT_STATUS(oltp_get_by(t, id, by_sku, &sku, &row, &f), SEAM_NOT_FOUND);
    ck_assert_uint_eq(oltp_count(t, id, 0), 502);
    ck_assert_uint_eq(oltp_count(t, id, by_price), 502);
    {
        struct seam_buf key = {0};
        struct seam_value price = seam_v_decimal(5, 4);
        struct oltp_range r = {0};

        ASSERT_OK(oltp_key(t, id, by_price, &price, 1, &key, &f), &f);
        r.lower = r.upper = (struct wal_bytes){key.data, key.size};
        r.upper_included = true;
        ASSERT_OK(oltp_cursor_open(t, id, by_price, &r, 0, &c, &f), &f);
        while (oltp_cursor_next(c, &row, &f) == SEAM_OK) n++;
        ck_assert_int_eq(n, 3);
        while (oltp_cursor_prev(c, &row, &f) == SEAM_OK) n--;
        ck_assert_int_eq(n, 0);
        oltp_cursor_close(c);
        seam_buf_free(&key);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    close_db(db);
}

/* A seek lands between entries: next gives the one at or after the key, prev the one before, again and again. */
static void test_cursors_seek_both_ways(void)
{
    static const int64_t keys[] = {501, 0, 999, 500, -3, 2000, 1};
    enum { STEP = 2, LAST = 998 };
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct oltp_commit done;
    struct seam_buf key = {0};
    struct seam_fault f = {0};
    struct seam_value v[4];

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (int64_t i = 0; i <= LAST; i += STEP) {
        product(v, i, NULL, i, 1);
        ASSERT_OK(oltp_insert(t, id, v, &f), &f);
    }
    ck_assert_uint_gt(oltp_txn_id(t), 0);
    v[0] = seam_v_int((int64_t)oltp_txn_id(t));
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &done, &f), &f);
    ck_assert_int_eq((int64_t)done.txn, v[0].i);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ck_assert_uint_eq(oltp_txn_lsn(t), done.lsn);
    ck_assert_int_eq(oltp_txn_wall_us(t), done.wall_us);
    ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, &f), &f);
    for (size_t i = 0; i < SEAM_ARRAY_LEN(keys); i++) {
        int64_t from =
            keys[i] < 0 ? 0 : keys[i] + keys[i] % STEP; /* the first key that is not less */
        struct seam_value k = seam_v_int(keys[i]), got;

        for (int back = 0; back < 2; back++) {
            int64_t want = back ? (from > LAST ? LAST : from - STEP) : from;
            enum seam_status st;

            seam_buf_clear(&key);
            ASSERT_OK(oltp_key(t, id, 0, &k, 1, &key, &f), &f);
            ASSERT_OK(oltp_cursor_seek(c, (struct wal_bytes){key.data, key.size}, &f), &f);
            st = back ? oltp_cursor_prev(c, &row, &f) : oltp_cursor_next(c, &row, &f);
            ck_assert_int_eq(st, want < 0 || want > LAST ? SEAM_END : SEAM_OK);
            if (st != SEAM_OK) continue;
            ASSERT_OK(seam_row_get(oltp_schema(t, id), row.row.data, row.row.size, 0, &got, &f),
                      &f);
            ck_assert_int_eq(got.i, want);
        }
    }
    oltp_cursor_close(c);
    oltp_end(t);
    seam_buf_free(&key);
    close_db(db);
}

static void test_compare_and_set_and_statuses(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value v[4], one = seam_v_int(1), two = seam_v_int(2), key = seam_v_int(5);

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    product(v, 5, "x", 1, 1);
    ASSERT_STATUS(oltp_update(t, id, v, &f), SEAM_NOT_FOUND);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_insert(t, id, v, &f), &f);
    ASSERT_STATUS(oltp_insert(t, id, v, &f), SEAM_EXISTS);
    seam_fault_clear(&f);
    product(v, 5, "x", 2, 2);
    ASSERT_STATUS(oltp_update_if(t, id, v, 3, &two, &f), SEAM_CONFLICT);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_update_if(t, id, v, 3, &one, &f), &f);
    ASSERT_OK(oltp_delete(t, id, &key, &f), &f);
    ASSERT_STATUS(oltp_delete(t, id, &key, &f), SEAM_NOT_FOUND);
    seam_fault_clear(&f);
    ASSERT_STATUS(oltp_put(t, 99, v, &f), SEAM_NOT_FOUND);
    oltp_end(t);
    close_db(db);
}

static void test_snapshot_does_not_move(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_txn *r = NULL;
    struct oltp_commit c, last;
    struct seam_fault f = {0};
    struct seam_value key = seam_v_int(1);
    struct oltp_row row;

    put_one(db, id, 1, "s", 1, &c);
    ASSERT_OK(oltp_read_begin(db, &r, &f), &f);
    ck_assert_uint_eq(oltp_txn_lsn(r), c.lsn);
    for (int i = 2; i < 300; i++) put_one(db, id, 1, "s", i, &last);
    for (int i = 0; i < 5; i++) {
        struct seam_value price;

        ASSERT_OK(oltp_get(r, id, &key, &row, &f), &f);
        ASSERT_OK(seam_row_get(oltp_schema(r, id), row.row.data, row.row.size, 2, &price, &f), &f);
        ck_assert_int_eq(price.i, 1);
        ASSERT_OK(oltp_checkpoint(db, &f), &f);
    }
    oltp_end(r);
    ck_assert_int_eq(price_of(db, id, 1), 299);
    close_db(db);
}

static void test_savepoints_nest(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db), a = 0, b = 0;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value v[4];

    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    product(v, 1, "1", 1, 1);
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    ASSERT_OK(oltp_savepoint(t, &a, &f), &f);
    product(v, 2, "2", 2, 1);
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    ASSERT_OK(oltp_savepoint(t, &b, &f), &f);
    for (int i = 10; i < 400; i++) {
        char text[16];

        snprintf(text, sizeof text, "%d", i);
        product(v, i, text, i, 1);
        ASSERT_OK(oltp_put(t, id, v, &f), &f);
    }
    ASSERT_OK(oltp_rollback_to(t, b, &f), &f);
    ck_assert_uint_eq(oltp_count(t, id, 0), 2);
    product(v, 3, "3", 3, 1);
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    ASSERT_OK(oltp_release(t, b, &f), &f);
    ASSERT_OK(oltp_rollback_to(t, a, &f), &f);
    product(v, 4, "4", 4, 1);
    ASSERT_OK(oltp_put(t, id, v, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(price_of(db, id, 1), 1);
        ck_assert_int_eq(price_of(db, id, 2), -1);
        ck_assert_int_eq(price_of(db, id, 3), -1);
        ck_assert_int_eq(price_of(db, id, 4), 4);
        ck_assert_int_eq(price_of(db, id, 20), -1);
        close_db(db);
        db = open_writer(&p); /* and so says the log */
    }
    close_db(db);
}

static void test_rollback_leaves_nothing(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value v[4];
    struct oltp_stats before, after;

    put_one(db, id, 1, "one", 1, NULL);
    oltp_stats(db, &before);
    for (int round = 0; round < 20; round++) {
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        for (int i = 0; i < 1000; i++) {
            product(v, i, NULL, i, 1);
            ASSERT_OK(oltp_put(t, id, v, &f), &f);
        }
        oltp_end(t);
    }
    oltp_stats(db, &after);
    ck_assert_int_eq(price_of(db, id, 1), 1);
    ck_assert_int_eq(price_of(db, id, 2), -1);
    ck_assert_uint_eq(before.pages - before.free_pages, after.pages - after.free_pages);
    close_db(db);
    db = open_writer(&p);
    ck_assert_int_eq(price_of(db, id, 2), -1);
    close_db(db);
}

static void test_reader_handle_follows_a_living_writer(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p), *r, *then;
    uint32_t id = make_table(db);
    struct oltp_commit c, mid;
    struct seam_fault f = {0};

    put_one(db, id, 1, "a", 1, &c);
    r = open_reader(&p, 0);
    ck_assert_int_eq(price_of(r, id, 1), 1);
    ck_assert_uint_eq(oltp_lsn(r), c.lsn);
    put_one(db, id, 1, "a", 2, &mid);
    ck_assert_int_eq(price_of(r, id, 1), 1);
    ASSERT_OK(oltp_refresh(r, SEAM_LSN_MAX, &f), &f);
    ck_assert_int_eq(price_of(r, id, 1), 2);
    for (int i = 3; i < 50; i++) {
        put_one(db, id, 1, "a", i, &c);
        put_one(db, id, i, NULL, i, &c);
        if (i % 10 == 0) ASSERT_OK(oltp_checkpoint(db, &f), &f);
    }
    ck_assert_int_eq(price_of(r, id, 1), 2);
    ASSERT_OK(oltp_refresh(r, SEAM_LSN_MAX, &f), &f);
    ck_assert_int_eq(price_of(r, id, 1), 49);
    ck_assert_int_eq(price_of(r, id, 33), 33);
    then = open_reader(&p, c.lsn);
    ck_assert_int_eq(price_of(then, id, 1), 49);
    close_db(then);
    close_db(r);
    close_db(db);
    (void)mid;
}

static void test_as_of_reads_every_kept_moment(void)
{
    struct place p = place_of(test_dir());
    struct oltp_options o = {.wal_dir = p.wal, .retain_checkpoints = 5};
    struct oltp *db = NULL;
    struct seam_fault f = {0};
    uint32_t id;
    struct oltp_commit c[40];

    ASSERT_OK(oltp_open(seam_io_posix(), p.oltp, &o, &db, &f), &f);
    id = make_table(db);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    for (int i = 0; i < 40; i++) {
        put_one(db, id, 1, "a", i + 1, &c[i]);
        if (i % 10 == 5) ASSERT_OK(oltp_checkpoint(db, &f), &f);
    }
    for (int i = 0; i < 40; i += 3) {
        struct oltp *then = open_reader(&p, c[i].lsn);

        ck_assert_int_eq(price_of(then, id, 1), i + 1);
        ck_assert_uint_eq(oltp_lsn(then), c[i].lsn);
        close_db(then);
        then = open_reader(&p, c[i].lsn - 1);
        ck_assert_int_eq(price_of(then, id, 1), i == 0 ? -1 : i);
        close_db(then);
    }
    close_db(db);
}

static void test_second_writer_is_refused(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p), *other = NULL;
    struct oltp_options o = {.wal_dir = p.wal};
    struct seam_fault f = {0};

    ASSERT_STATUS(oltp_open(seam_io_posix(), p.oltp, &o, &other, &f), SEAM_CONFLICT);
    close_db(db);
}

static void test_columns_come_and_go(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_column col = {.name = "brand", .type = SEAM_V_TEXT, .nullable = true};
    struct seam_value v[5], key = seam_v_int(1);
    struct oltp_row row;
    const char *columns[] = {"title"};

    put_one(db, id, 1, "a", 7, NULL);
    col.def = seam_v_str("none");
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_add_column(t, id, &col, &f), &f);
    ASSERT_OK(oltp_rename_column(t, id, "brand", "title", &f), &f);
    ASSERT_OK(oltp_create_index(t, id, "by_title", columns, 1, false, &f), &f);
    ASSERT_STATUS(oltp_create_index(t, id, "by_title", columns, 1, false, &f), SEAM_EXISTS);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int round = 0; round < 3; round++) {
        uint32_t index = 0;

        ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
        ASSERT_OK(oltp_get(t, id, &key, &row, &f), &f);
        ASSERT_OK(seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, &f), &f);
        ck_assert_int_eq(seam_schema_column(oltp_schema(t, id), "title"), 4);
        ck_assert(v[4].type == SEAM_V_TEXT && v[4].len == 4 && memcmp(v[4].s, "none", 4) == 0);
        ASSERT_OK(oltp_index(t, id, "by_title", &index, &f), &f);
        ck_assert_uint_eq(oltp_count(t, id, index), 1);
        oltp_end(t);
        if (round == 1) ASSERT_OK(oltp_checkpoint(db, &f), &f);
        close_db(db);
        db = open_writer(&p);
    }
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_drop_index(t, id, "by_title", &f), &f);
    ASSERT_OK(oltp_drop_column(t, id, "title", &f), &f);
    ASSERT_OK(oltp_drop_table(t, id, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    close_db(db);
    db = open_writer(&p);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_STATUS(oltp_table(t, "products", &id, &f), SEAM_NOT_FOUND);
    oltp_end(t);
    close_db(db);
}

static void test_as_of_a_time_and_retention_by_age(void)
{
    struct place p = place_of(test_dir());
    struct seam_clock_sim clock;
    struct oltp_options o = {.wal_dir = p.wal, .retain_us = 3500000, .clock = &clock.clock};
    struct oltp *db = NULL, *then = NULL;
    struct oltp_checkpoint_info *kept = NULL;
    struct seam_fault f = {0};
    struct oltp_commit c[10];
    size_t count = 0;
    seam_lsn_t lsn = 0;
    int64_t at = 0;
    uint32_t id;

    seam_clock_sim_init(&clock, 1000000000);
    ASSERT_OK(oltp_open(seam_io_posix(), p.oltp, &o, &db, &f), &f);
    id = make_table(db);
    for (int i = 0; i < 10; i++) {
        seam_clock_sim_advance(&clock, 1000000);
        put_one(db, id, 1, "a", i + 1, &c[i]);
        ASSERT_OK(oltp_checkpoint(db, &f), &f);
        ASSERT_OK(oltp_heartbeat(db, &f), &f);
    }
    ASSERT_OK(oltp_checkpoints(seam_io_posix(), p.oltp, &kept, &count, &f), &f);
    ck_assert_uint_eq(count, 4); /* the newest and three seconds' worth */
    ck_assert_uint_eq(kept[0].lsn, c[6].lsn);
    free(kept);
    for (int i = 6; i < 10; i++) {
        struct oltp_options r = {
            .wal_dir = p.wal, .read_only = true, .as_of_us = c[i].wall_us + 500000};

        ASSERT_OK(oltp_open(seam_io_posix(), p.oltp, &r, &then, &f), &f);
        ck_assert_int_eq(price_of(then, id, 1), i + 1);
        close_db(then);
        ASSERT_OK(oltp_lsn_at(seam_io_posix(), p.oltp, p.wal, c[i].wall_us + 500000, &lsn, &at, &f),
                  &f);
        ck_assert_uint_eq(lsn, c[i].lsn);
        ck_assert_int_eq(at, c[i].wall_us);
    }
    ASSERT_STATUS(oltp_lsn_at(seam_io_posix(), p.oltp, p.wal, c[5].wall_us, &lsn, &at, &f),
                  SEAM_NOT_FOUND);
    seam_fault_clear(&f);
    o = (struct oltp_options){.wal_dir = p.wal, .read_only = true, .as_of = c[3].lsn};
    ASSERT_STATUS(oltp_open(seam_io_posix(), p.oltp, &o, &then, &f), SEAM_NOT_FOUND);
    close_db(db);
}

static void test_outbox_events_share_the_fate_of_their_transaction(void)
{
    struct place p = place_of(test_dir());
    struct oltp *db = open_writer(&p);
    uint32_t id = make_table(db);
    struct wal_reader *r = NULL;
    struct wal_record rec;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_value v[4];
    seam_lsn_t from = oltp_lsn(db);
    int committed = 0, pending = 0;
    const struct wal_bytes order = {(const uint8_t *)"o-17", 4}, body = {(const uint8_t *)"{}", 2};

    for (int give_up = 1; give_up >= 0; give_up--) {
        uint32_t save = 0;

        product(v, 1, "a", 1, 1);
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        ASSERT_OK(oltp_put(t, id, v, &f), &f);
        ASSERT_OK(oltp_outbox_put(t, "order", order, "placed", body, &f), &f);
        ASSERT_OK(oltp_savepoint(t, &save, &f), &f);
        ASSERT_OK(oltp_outbox_put(t, "order", order, "never", body, &f), &f);
        ASSERT_OK(oltp_rollback_to(t, save, &f), &f);
        if (give_up)
            oltp_end(t);
        else
            ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    }
    ASSERT_OK(wal_reader_open(seam_io_posix(), p.wal, from, 0, &r, &f), &f);
    while (wal_reader_next(r, &rec, &f) == SEAM_OK) {
        struct wal_change_outbox o;
        struct wal_change_commit c;
        struct wal_bytes type, payload;

        if (rec.type == WAL_CHANGE_BEGIN || rec.type == WAL_CHANGE_ABORT) pending = 0;
        if (rec.type == WAL_CHANGE_OUTBOX) {
            ASSERT_OK(wal_change_get_outbox(rec.data, rec.size, &o, &f), &f);
            ASSERT_OK(oltp_outbox_get(o.payload, &type, &payload, &f), &f);
            ck_assert(type.size == 6 && memcmp(type.data, "placed", 6) == 0);
            ck_assert(payload.size == 2 && o.key.size == 4 && o.topic.size == 5);
            ck_assert_uint_eq(o.seq, 1);
            pending++;
        }
        if (rec.type == WAL_CHANGE_COMMIT) {
            ASSERT_OK(wal_change_get_commit(rec.data, rec.size, &c, &f), &f);
            ck_assert_uint_eq(c.changes, 2);
            committed += pending;
        }
    }
    ck_assert_int_eq(committed, 1);
    wal_reader_close(r);
    close_db(db);
}

static const struct named_test tests[] = {
    T(test_as_of_a_time_and_retention_by_age),
    T(test_outbox_events_share_the_fate_of_their_transaction),
    T(test_rows_survive_close_and_reopen),
    T(test_unique_index_refuses_and_indexes_follow),
    T(test_cursors_seek_both_ways),
    T(test_compare_and_set_and_statuses),
    T(test_snapshot_does_not_move),
    T(test_savepoints_nest),
    T(test_rollback_leaves_nothing),
    T(test_reader_handle_follows_a_living_writer),
    T(test_as_of_reads_every_kept_moment),
    T(test_second_writer_is_refused),
    T(test_columns_come_and_go),
};

int main(int argc, char **argv)
{
    return run_tests("oltp", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
