/* The words of a change: golden bytes, round trips, and every truncated or lengthened record
 * refused. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "tests/common/check_main.h"
#include "wal/change.h"
#include "wal/record.h"

enum { WAL_SEG = 64 << 10 };

static struct wal_bytes text(const char *s)
{
    return (struct wal_bytes){(const uint8_t *)s, strlen(s)};
}

static void expect(const struct seam_buf *b, const char *hex)
{
    char got[512] = "";

    for (size_t i = 0; i < b->size; i++) (void)snprintf(got + 2 * i, 3, "%02x", b->data[i]);
    ck_assert_str_eq(got, hex);
}

static void test_change_bytes_are_as_documented(void)
{
    struct seam_buf b = {0};
    struct wal_change_commit read_back;

    wal_change_put_row(&b, &(struct wal_change_row){.txn = 300,
                                                    .seq = 1,
                                                    .table = 3,
                                                    .version = 2,
                                                    .op = WAL_OP_UPDATE,
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
    seam_buf_clear(&b);
    wal_change_put_commit(&b, &(struct wal_change_commit){7, -1, 2, 99, 0});
    expect(&b, "07"
               "01"
               "02"
               "63");
    seam_buf_clear(&b);
    wal_change_put_commit(&b, &(struct wal_change_commit){7, -1, 2, 99, -3});
    expect(&b, "07"
               "01"
               "02"
               "63"
               "05");
    ASSERT_OK(wal_change_get_commit(b.data, b.size, &read_back, NULL), NULL);
    ck_assert_int_eq(read_back.off_us, -3);
    seam_buf_clear(&b);
    wal_change_put_outbox(&b,
                          &(struct wal_change_outbox){1, 0, text("orders"), text("9"), text("{}")});
    expect(&b, "01"
               "00"
               "066f7264657273"
               "0139"
               "027b7d");
    seam_buf_free(&b);
}

/* Record header: the example of docs/reference/formats/wal.md. */
static void test_record_bytes_are_as_documented(void)
{
    uint8_t r[24] = {0};
    uint64_t salt = wal_record_salt(77);
    seam_lsn_t lsn = 64;

    seam_put_u32(r + WAL_RECORD_LEN, 2);
    seam_put_u32(r + WAL_RECORD_BACK, 0);
    r[WAL_RECORD_TYPE] = WAL_CHANGE_BEGIN;
    r[WAL_RECORD_FLAGS] = WAL_RECORD_FIRST | WAL_RECORD_LAST;
    seam_put_u16(r + WAL_RECORD_CHECK, wal_record_check(r, lsn, salt));
    memcpy(r + WAL_RECORD_HEADER, "hi", 2);
    seam_put_u32(r, wal_record_crc(r, lsn, salt));
    ck_assert_uint_eq(wal_record_size(r), 24);
    ck_assert(wal_record_head_ok(r, lsn, salt, 24));
    ck_assert(!wal_record_head_ok(r, lsn + 8, salt, 24));
    ck_assert(!wal_record_head_ok(r, lsn, salt, 16));
    ck_assert_uint_ne(seam_get_u32(r), wal_record_crc(r, lsn + 64, salt));
    ck_assert_uint_eq(wal_record_vouches(r, lsn), lsn);
    ck_assert_uint_eq(wal_record_place(WAL_SEG - 16, WAL_SEG), WAL_SEG + WAL_SEGMENT_HEADER);
    ck_assert_uint_eq(wal_record_place(WAL_SEG - 24, WAL_SEG), WAL_SEG - 24);
    ck_assert_uint_eq(wal_record_place(WAL_SEG, WAL_SEG), WAL_SEG + WAL_SEGMENT_HEADER);
}

static struct wal_bytes some(struct seam_rng *r, uint8_t *space, size_t max)
{
    size_t n = (size_t)seam_rng_below(r, max + 1);

    seam_rng_bytes(r, space, n);
    return (struct wal_bytes){space, n};
}

static bool same(struct wal_bytes a, struct wal_bytes b)
{
    return (a.data == NULL) == (b.data == NULL) && a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static uint64_t any_u64(struct seam_rng *r)
{
    return seam_rng_u64(r) >> seam_rng_below(r, 64);
}

static void test_change_rows_round_trip_and_cut_ones_are_refused(void)
{
    static uint8_t key[300], before[500], after[500];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(3000); i++) {
        struct wal_change_row c = {.txn = any_u64(&r),
                                   .seq = any_u64(&r),
                                   .table = (uint32_t)any_u64(&r),
                                   .version = (uint32_t)any_u64(&r),
                                   .op = (uint8_t)(1 + seam_rng_below(&r, 3)),
                                   .flags = seam_rng_below(&r, 5) == 0 ? WAL_CHANGE_REPAIR : 0,
                                   .key = some(&r, key, sizeof key)};
        struct wal_change_row got = {0};
        struct seam_buf b = {0};
        uint8_t *copy;

        if (c.op != WAL_OP_INSERT) c.before = some(&r, before, sizeof before);
        if (c.op != WAL_OP_DELETE) c.after = some(&r, after, sizeof after);
        wal_change_put_row(&b, &c);
        ASSERT_STATUS(wal_change_get_row(b.data, b.size, &got, NULL), SEAM_OK);
        ck_assert(got.txn == c.txn && got.seq == c.seq && got.table == c.table &&
                  got.version == c.version && got.op == c.op);
        ck_assert(same(got.key, c.key) && same(got.before, c.before) && same(got.after, c.after));
        ck_assert_uint_eq(got.flags & WAL_CHANGE_REPAIR, c.flags);
        for (size_t cut = 0; cut < b.size; cut += 1 + cut / 8) {
            copy = malloc(cut + 1); /* its own block, so that the sanitizer sees a read past it */
            memcpy(copy, b.data, cut);
            ASSERT_STATUS(wal_change_get_row(copy, cut, &got, NULL), SEAM_CORRUPT);
            free(copy);
        }
        seam_buf_u8(&b, 0);
        ASSERT_STATUS(wal_change_get_row(b.data, b.size, &got, NULL), SEAM_CORRUPT);
        seam_buf_free(&b);
    }
}

/* Each of the other records: round trip by putting what was got again. */
static void check_other(uint8_t type, struct seam_buf *b)
{
    struct seam_buf again = {0};
    union {
        struct wal_change_begin begin;
        struct wal_change_outbox outbox;
        struct wal_change_schema schema;
        struct wal_change_commit commit;
        struct wal_change_heartbeat beat;
        struct wal_change_checkpoint point;
        struct wal_change_mark mark;
    } c;

    for (size_t n = 0; n <= b->size; n++) {
        enum seam_status want = n == b->size ? SEAM_OK : SEAM_CORRUPT, st = SEAM_OK;

        switch (type) {
        case WAL_CHANGE_BEGIN: st = wal_change_get_begin(b->data, n, &c.begin, NULL); break;
        case WAL_CHANGE_OUTBOX: st = wal_change_get_outbox(b->data, n, &c.outbox, NULL); break;
        case WAL_CHANGE_SCHEMA: st = wal_change_get_schema(b->data, n, &c.schema, NULL); break;
        case WAL_CHANGE_COMMIT: st = wal_change_get_commit(b->data, n, &c.commit, NULL); break;
        case WAL_CHANGE_HEARTBEAT: st = wal_change_get_heartbeat(b->data, n, &c.beat, NULL); break;
        case WAL_CHANGE_CHECKPOINT:
            st = wal_change_get_checkpoint(b->data, n, &c.point, NULL);
            break;
        default: st = wal_change_get_mark(b->data, n, &c.mark, NULL); break;
        }
        ASSERT_STATUS(st, want);
    }
    switch (type) {
    case WAL_CHANGE_BEGIN: wal_change_put_begin(&again, &c.begin); break;
    case WAL_CHANGE_OUTBOX: wal_change_put_outbox(&again, &c.outbox); break;
    case WAL_CHANGE_SCHEMA: wal_change_put_schema(&again, &c.schema); break;
    case WAL_CHANGE_COMMIT: wal_change_put_commit(&again, &c.commit); break;
    case WAL_CHANGE_HEARTBEAT: wal_change_put_heartbeat(&again, &c.beat); break;
    case WAL_CHANGE_CHECKPOINT: wal_change_put_checkpoint(&again, &c.point); break;
    default: wal_change_put_mark(&again, &c.mark); break;
    }
    ck_assert(again.size == b->size && memcmp(again.data, b->data, b->size) == 0);
    seam_buf_free(&again);
    seam_buf_clear(b);
}

static void test_change_other_records_round_trip(void)
{
    struct seam_rng r;
    struct seam_buf b = {0};

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < test_scale(500); i++) {
        wal_change_put_begin(&b, &(struct wal_change_begin){any_u64(&r)});
        check_other(WAL_CHANGE_BEGIN, &b);
        wal_change_put_outbox(&b,
                              &(struct wal_change_outbox){any_u64(&r), any_u64(&r), text("topic"),
                                                          text(""), text("payload")});
        check_other(WAL_CHANGE_OUTBOX, &b);
        wal_change_put_schema(&b, &(struct wal_change_schema){any_u64(&r), any_u64(&r),
                                                              (uint32_t)any_u64(&r), 3,
                                                              text("{\"table\":1}")});
        check_other(WAL_CHANGE_SCHEMA, &b);
        wal_change_put_commit(&b, &(struct wal_change_commit){any_u64(&r), (int64_t)any_u64(&r),
                                                              any_u64(&r), any_u64(&r), 0});
        check_other(WAL_CHANGE_COMMIT, &b);
        wal_change_put_heartbeat(
            &b, &(struct wal_change_heartbeat){any_u64(&r), -(int64_t)(any_u64(&r) >> 1)});
        check_other(WAL_CHANGE_HEARTBEAT, &b);
        wal_change_put_checkpoint(
            &b, &(struct wal_change_checkpoint){any_u64(&r), (int64_t)any_u64(&r), any_u64(&r)});
        check_other(WAL_CHANGE_CHECKPOINT, &b);
        wal_change_put_mark(
            &b, &(struct wal_change_mark){(uint32_t)any_u64(&r), text("low watermark")});
        check_other(WAL_CHANGE_MARK, &b);
    }
    seam_buf_free(&b);
}

/* The head that the row store builds for wal_append is the same record. */
static void test_change_row_head_is_the_same_record(void)
{
    struct wal_change_row c = {.txn = 12345678,
                               .seq = 200,
                               .table = 3,
                               .version = 1,
                               .op = WAL_OP_UPDATE,
                               .key = text("key"),
                               .before = text("before"),
                               .after = text("after")};
    uint8_t head[WAL_CHANGE_HEAD_MAX + 3], mid[10];
    size_t mid_size, n = wal_change_row_head(head, &c, mid, &mid_size);
    struct seam_buf whole = {0}, parts = {0};

    ck_assert_uint_le(n, sizeof head);
    wal_change_put_row(&whole, &c);
    seam_buf_append(&parts, head, n);
    seam_buf_append(&parts, c.before.data, c.before.size);
    seam_buf_append(&parts, mid, mid_size);
    seam_buf_append(&parts, c.after.data, c.after.size);
    ck_assert(parts.size == whole.size && memcmp(parts.data, whole.data, whole.size) == 0);
    seam_buf_free(&whole);
    seam_buf_free(&parts);
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
    return run_tests("change", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
