/* The words of a change: golden bytes, round trips, and every truncated or lengthened record
 * refused. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "tests/common/check_main.h"
#include "wal/change.h"
#include "wal/record.h"

enum { WAL_SEG = 64 << 10 };

static struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void expect(const struct buf *b, const char *hex)
{
    char got[512] = "";

    for (size_t i = 0; i < b->size; i++)
        (void)snprintf(got + 2 * i, 3, "%02x", b->data[i]);
    ck_assert_str_eq(got, hex);
}

static void test_change_bytes_are_as_documented(void)
{
    struct buf b = {0};

    change_put_row(&b, &(struct change_row){.txn = 300,
                                            .seq = 1,
                                            .table = 3,
                                            .version = 2,
                                            .op = OP_UPDATE,
                                            .key = text("k"),
                                            .before = text("old"),
                                            .after = text("newer")});
    expect(&b, "ac02"
               "01"
               "03"
               "02"
               "02"
               "06"
               "016b"
               "036f6c64"
               "056e65776572");
    buf_clear(&b);
    change_put_commit(&b, &(struct change_commit){7, -1, 2, 99});
    expect(&b, "07"
               "01"
               "02"
               "63");
    buf_clear(&b);
    change_put_outbox(&b, &(struct change_outbox){1, 0, text("orders"), text("9"), text("{}")});
    expect(&b, "01"
               "00"
               "066f7264657273"
               "0139"
               "027b7d");
    buf_free(&b);
}

/* Record header: the example of docs/reference/formats/wal.md. */
static void test_record_bytes_are_as_documented(void)
{
    uint8_t r[24] = {0};
    uint64_t salt = record_salt(77);
    lsn_t lsn = 64;

    put_u32(r + RECORD_LEN, 2);
    put_u32(r + RECORD_BACK, 0);
    r[RECORD_TYPE] = CHANGE_BEGIN;
    r[RECORD_FLAGS] = RECORD_FIRST | RECORD_LAST;
    put_u16(r + RECORD_CHECK, record_check(r, lsn, salt));
    memcpy(r + RECORD_HEADER, "hi", 2);
    put_u32(r, record_crc(r, lsn, salt));
    ck_assert_uint_eq(record_size(r), 24);
    ck_assert(record_head_ok(r, lsn, salt, 24));
    ck_assert(!record_head_ok(r, lsn + 8, salt, 24));
    ck_assert(!record_head_ok(r, lsn, salt, 16));
    ck_assert_uint_ne(get_u32(r), record_crc(r, lsn + 64, salt));
    ck_assert_uint_eq(record_vouches(r, lsn), lsn);
    ck_assert_uint_eq(record_place(WAL_SEG - 16, WAL_SEG), WAL_SEG + SEGMENT_HEADER);
    ck_assert_uint_eq(record_place(WAL_SEG - 24, WAL_SEG), WAL_SEG - 24);
    ck_assert_uint_eq(record_place(WAL_SEG, WAL_SEG), WAL_SEG + SEGMENT_HEADER);
}

static struct bytes some(struct rng *r, uint8_t *space, size_t max)
{
    size_t n = (size_t)rng_below(r, max + 1);

    rng_bytes(r, space, n);
    return (struct bytes){space, n};
}

static bool same(struct bytes a, struct bytes b)
{
    return (a.data == NULL) == (b.data == NULL) && a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static uint64_t any_u64(struct rng *r)
{
    return rng_u64(r) >> rng_below(r, 64);
}

static void test_change_rows_round_trip_and_cut_ones_are_refused(void)
{
    static uint8_t key[300], before[500], after[500];
    struct rng r;

    rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(3000); i++) {
        struct change_row c = {.txn = any_u64(&r),
                               .seq = any_u64(&r),
                               .table = (uint32_t)any_u64(&r),
                               .version = (uint32_t)any_u64(&r),
                               .op = (uint8_t)(1 + rng_below(&r, 3)),
                               .flags = rng_below(&r, 5) == 0 ? CHANGE_REPAIR : 0,
                               .key = some(&r, key, sizeof key)};
        struct change_row got = {0};
        struct buf b = {0};
        uint8_t *copy;

        if (c.op != OP_INSERT) c.before = some(&r, before, sizeof before);
        if (c.op != OP_DELETE) c.after = some(&r, after, sizeof after);
        change_put_row(&b, &c);
        ASSERT_STATUS(change_get_row(b.data, b.size, &got, NULL), ST_OK);
        ck_assert(got.txn == c.txn && got.seq == c.seq && got.table == c.table &&
                  got.version == c.version && got.op == c.op);
        ck_assert(same(got.key, c.key) && same(got.before, c.before) && same(got.after, c.after));
        ck_assert_uint_eq(got.flags & CHANGE_REPAIR, c.flags);
        for (size_t cut = 0; cut < b.size; cut += 1 + cut / 8) {
            copy = malloc(cut + 1); /* its own block, so that the sanitizer sees a read past it */
            memcpy(copy, b.data, cut);
            ASSERT_STATUS(change_get_row(copy, cut, &got, NULL), ST_CORRUPT);
            free(copy);
        }
        buf_u8(&b, 0);
        ASSERT_STATUS(change_get_row(b.data, b.size, &got, NULL), ST_CORRUPT);
        buf_free(&b);
    }
}

/* Each of the other records: round trip by putting what was got again. */
static void check_other(uint8_t type, struct buf *b)
{
    struct buf again = {0};
    union {
        struct change_begin begin;
        struct change_outbox outbox;
        struct change_schema schema;
        struct change_commit commit;
        struct change_heartbeat beat;
        struct change_checkpoint point;
        struct change_mark mark;
    } c;

    for (size_t n = 0; n <= b->size; n++) {
        enum status want = n == b->size ? ST_OK : ST_CORRUPT, st = ST_OK;

        switch (type) {
        case CHANGE_BEGIN: st = change_get_begin(b->data, n, &c.begin, NULL); break;
        case CHANGE_OUTBOX: st = change_get_outbox(b->data, n, &c.outbox, NULL); break;
        case CHANGE_SCHEMA: st = change_get_schema(b->data, n, &c.schema, NULL); break;
        case CHANGE_COMMIT: st = change_get_commit(b->data, n, &c.commit, NULL); break;
        case CHANGE_HEARTBEAT: st = change_get_heartbeat(b->data, n, &c.beat, NULL); break;
        case CHANGE_CHECKPOINT: st = change_get_checkpoint(b->data, n, &c.point, NULL); break;
        default: st = change_get_mark(b->data, n, &c.mark, NULL); break;
        }
        ASSERT_STATUS(st, want);
    }
    switch (type) {
    case CHANGE_BEGIN: change_put_begin(&again, &c.begin); break;
    case CHANGE_OUTBOX: change_put_outbox(&again, &c.outbox); break;
    case CHANGE_SCHEMA: change_put_schema(&again, &c.schema); break;
    case CHANGE_COMMIT: change_put_commit(&again, &c.commit); break;
    case CHANGE_HEARTBEAT: change_put_heartbeat(&again, &c.beat); break;
    case CHANGE_CHECKPOINT: change_put_checkpoint(&again, &c.point); break;
    default: change_put_mark(&again, &c.mark); break;
    }
    ck_assert(again.size == b->size && memcmp(again.data, b->data, b->size) == 0);
    buf_free(&again);
    buf_clear(b);
}

static void test_change_other_records_round_trip(void)
{
    struct rng r;
    struct buf b = {0};

    rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(500); i++) {
        change_put_begin(&b, &(struct change_begin){any_u64(&r)});
        check_other(CHANGE_BEGIN, &b);
        change_put_outbox(&b, &(struct change_outbox){any_u64(&r), any_u64(&r), text("topic"),
                                                      text(""), text("payload")});
        check_other(CHANGE_OUTBOX, &b);
        change_put_schema(&b,
                          &(struct change_schema){any_u64(&r), any_u64(&r), (uint32_t)any_u64(&r),
                                                  3, text("{\"table\":1}")});
        check_other(CHANGE_SCHEMA, &b);
        change_put_commit(&b, &(struct change_commit){any_u64(&r), (int64_t)any_u64(&r),
                                                      any_u64(&r), any_u64(&r)});
        check_other(CHANGE_COMMIT, &b);
        change_put_heartbeat(&b,
                             &(struct change_heartbeat){any_u64(&r), -(int64_t)(any_u64(&r) >> 1)});
        check_other(CHANGE_HEARTBEAT, &b);
        change_put_checkpoint(
            &b, &(struct change_checkpoint){any_u64(&r), (int64_t)any_u64(&r), any_u64(&r)});
        check_other(CHANGE_CHECKPOINT, &b);
        change_put_mark(&b, &(struct change_mark){(uint32_t)any_u64(&r), text("low watermark")});
        check_other(CHANGE_MARK, &b);
    }
    buf_free(&b);
}

/* The head that the row store builds for wal_append is the same record. */
static void test_change_row_head_is_the_same_record(void)
{
    struct change_row c = {.txn = 12345678,
                           .seq = 200,
                           .table = 3,
                           .version = 1,
                           .op = OP_UPDATE,
                           .key = text("key"),
                           .before = text("before"),
                           .after = text("after")};
    uint8_t head[CHANGE_HEAD_MAX + 3], mid[10];
    size_t mid_size, n = change_row_head(head, &c, mid, &mid_size);
    struct buf whole = {0}, parts = {0};

    ck_assert_uint_le(n, sizeof head);
    change_put_row(&whole, &c);
    buf_append(&parts, head, n);
    buf_append(&parts, c.before.data, c.before.size);
    buf_append(&parts, mid, mid_size);
    buf_append(&parts, c.after.data, c.after.size);
    ck_assert(parts.size == whole.size && memcmp(parts.data, whole.data, whole.size) == 0);
    buf_free(&whole);
    buf_free(&parts);
}

static const struct named_test tests[] = {
    T(test_change_bytes_are_as_documented),
    T(test_record_bytes_are_as_documented),
    T(test_change_rows_round_trip_and_cut_ones_are_refused),
    T(test_change_other_records_round_trip),
    T(test_change_row_head_is_the_same_record),
};

int main(int argc, char **argv)
{
    return run_tests("change", tests, ARRAY_LEN(tests), argc, argv);
}
