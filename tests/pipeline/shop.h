/* shop - a row store in the test's scratch folder with the shop's tables, for tests of this room.
 */
#ifndef SEAM_TESTS_PIPELINE_SHOP_H
#define SEAM_TESTS_PIPELINE_SHOP_H

#include <stdio.h>

#include "oltp/oltp.h"
#include "tests/common/check_main.h"

static inline void shop_read_file(const char *path, struct seam_buf *out)
{
    struct seam_fault f = {0};

    ASSERT_OK(seam_io_read_all(seam_io_posix(), path, 1 << 20, out, &f), &f);
}

/* Opens `dir`/oltp on `io`; NULL with *st set when that fails.                                   */
static inline struct oltp *shop_try_open(struct seam_io *io, const char *dir, enum seam_status *st)
{
    struct oltp_options o = {.cache_bytes = 64 << 20};
    struct oltp *db = NULL;
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};

    ck_assert_int_eq(seam_path_join(path, dir, "oltp", NULL), SEAM_OK);
    *st = oltp_open(io, path, &o, &db, &f);
    return db;
}

static inline enum seam_status shop_try_tables(struct oltp *db)
{
    static const char *const names[] = {"products", "customers", "orders", "order_lines"};
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    enum seam_status st = oltp_write_begin(db, &t, &f);

    for (size_t i = 0; i < SEAM_ARRAY_LEN(names) && st == SEAM_OK; i++) {
        struct seam_buf json = {0};
        char path[SEAM_PATH_MAX_BYTES];
        uint32_t id;

        snprintf(path, sizeof path, "pipeline/shop/schemas/%s.json", names[i]);
        shop_read_file(path, &json);
        st = oltp_table(t, names[i], &id, NULL);
        if (st == SEAM_NOT_FOUND)
            st = oltp_create_table_json(t, (char *)json.data, json.size, &id, &f);
        seam_buf_free(&json);
    }
    if (st != SEAM_OK) {
        oltp_end(t);
        return st;
    }
    return oltp_commit(t, OLTP_DURABLE, NULL, &f);
}

static inline struct oltp *shop_open(const char *dir)
{
    enum seam_status st;
    struct oltp *db = shop_try_open(seam_io_posix(), dir, &st);

    ASSERT_STATUS(st, SEAM_OK);
    ASSERT_STATUS(shop_try_tables(db), SEAM_OK);
    return db;
}

static inline void shop_close(struct oltp *db)
{
    ck_assert_int_eq(oltp_close(db, NULL), SEAM_OK);
}

/* Every row of a table as JSON lines, in key order.                                              */
static inline void shop_dump(struct oltp *db, const char *table, struct seam_buf *out)
{
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_value v[SEAM_COLUMNS_MAX];
    struct seam_fault f = {0};
    uint32_t id;
    enum seam_status st;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, table, &id, &f), &f);
    ASSERT_OK(oltp_cursor_open(t, id, 0, NULL, 0, &c, &f), &f);
    while ((st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        ASSERT_OK(seam_row_decode(oltp_schema(t, id), row.row.data, row.row.size, v, &f), &f);
        seam_row_to_json(oltp_schema(t, id), v, out);
        seam_buf_u8(out, '\n');
    }
    ASSERT_STATUS(st, SEAM_END);
    oltp_cursor_close(c);
    oltp_end(t);
}

static inline void shop_dump_all(struct oltp *db, struct seam_buf *out)
{
    shop_dump(db, "products", out);
    shop_dump(db, "customers", out);
    shop_dump(db, "orders", out);
    shop_dump(db, "order_lines", out);
}

static inline uint64_t shop_count(struct oltp *db, const char *table)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t id;
    uint64_t n;

    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, table, &id, &f), &f);
    n = oltp_count(t, id, 0);
    oltp_end(t);
    return n;
}

#endif
