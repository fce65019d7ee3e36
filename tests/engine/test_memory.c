/* status, buf, reader, bytes, arena, trace */
#include "tests/common/check_main.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/base/trace.h"

static void test_fault_keeps_the_first_cause(void)
{
    struct seam_fault f = {0};
    char text[200];

    ck_assert_int_eq(seam_fault_set(&f, SEAM_CORRUPT, "a/file", 4096, "checksum %d", 7),
                     SEAM_CORRUPT);
    ck_assert_int_eq(seam_fault_set_os(&f, SEAM_IO, "other", 1, EIO, "later"), SEAM_IO);
    ck_assert_int_eq(f.status, SEAM_CORRUPT);
    ck_assert_str_eq(seam_fault_text(&f, text, sizeof text), "a/file: byte 4096: checksum 7");
    ck_assert_uint_eq(strlen(seam_fault_text(&f, text, 10)), 9);
    seam_fault_clear(&f);
    seam_fault_set_os(&f, SEAM_IO, "disk", SEAM_FAULT_NO_OFFSET, ENOSPC, "cannot write");
    ck_assert_str_eq(seam_fault_text(&f, text, sizeof text),
                     "disk: cannot write (No space left on device)");
    ck_assert_int_eq(seam_fault_set(NULL, SEAM_LIMIT, NULL, 0, "nobody listens"), SEAM_LIMIT);
    seam_fault_clear(NULL);
    for (int st = 0; st < SEAM_COUNT; st++) {
        ck_assert_str_ne(seam_status_name((enum seam_status)st), "unknown");
        ck_assert((seam_status_exit_code((enum seam_status)st) == 0) ==
                  (st == SEAM_OK || st == SEAM_END));
    }
    ck_assert_int_eq(seam_status_exit_code(SEAM_CORRUPT), 4);
    ck_assert_int_eq(seam_status_exit_code(SEAM_STALE), 7);
}

static void test_buf_grows_and_reads_back(void)
{
    struct seam_buf b = {0};
    struct seam_reader r;
    const uint8_t *p;
    size_t n;

    ck_assert_str_eq(seam_buf_cstr(&b), "");
    seam_buf_u8(&b, 1);
    seam_buf_u16(&b, 0x0203);
    seam_buf_u32(&b, 0x04050607);
    seam_buf_u64(&b, 0x08090a0b0c0d0e0full);
    seam_buf_varint(&b, 300);
    seam_buf_lenstr(&b, "text", 4);
    seam_buf_printf(&b, "%s-%d", "printed", 42);
    for (int i = 0; i < 1000; i++) seam_buf_printf(&b, "%040d", i);
    ck_assert(seam_buf_ok(&b));
    r = seam_reader_of(b.data, b.size);
    ck_assert_uint_eq(seam_read_u8(&r), 1);
    ck_assert_uint_eq(seam_read_u16(&r), 0x0203);
    ck_assert_uint_eq(seam_read_u32(&r), 0x04050607);
    ck_assert_uint_eq(seam_read_u64(&r), 0x08090a0b0c0d0e0full);
    ck_assert_uint_eq(seam_read_varint(&r), 300);
    p = seam_read_lenstr(&r, 4, &n);
    ck_assert(n == 4 && memcmp(p, "text", 4) == 0);
    ck_assert_mem_eq(seam_read_bytes(&r, 10), "printed-42", 10);
    ck_assert_uint_eq(seam_reader_left(&r), 40000);
    ck_assert_uint_eq(seam_reader_offset(&r), b.size - 40000);
    ck_assert_ptr_null(seam_read_bytes(&r, 40001));
    ck_assert(r.bad);
    ck_assert_uint_eq(seam_read_u8(&r), 0); /* bad for ever */
    seam_buf_free(&b);
    ck_assert_ptr_null(b.data);
}

static void test_buf_limit_is_sticky(void)
{
    struct seam_buf b = {.limit = 100};

    seam_buf_append(&b, "0123456789", 10);
    ck_assert(!seam_buf_reserve(&b, 91));
    ck_assert(!seam_buf_ok(&b));
    seam_buf_append(&b, "x", 1);
    ck_assert_uint_eq(b.size, 10);
    ck_assert_str_eq(seam_buf_cstr(&b), "");
    ck_assert_ptr_null(seam_buf_extend(&b, 1));
    seam_buf_clear(&b);
    ck_assert_ptr_nonnull(seam_buf_extend(&b, 100));
    ck_assert(seam_buf_ok(&b));
    ck_assert(!seam_buf_reserve(&b, SIZE_MAX - 5));
    seam_buf_free(&b);
}

static void test_reader_refuses_short_and_hostile(void)
{
    static const uint8_t huge_length[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 1,    'x'};
    struct seam_reader r = seam_reader_of(huge_length, sizeof huge_length);
    size_t n = 9;

    ck_assert_ptr_null(seam_read_lenstr(&r, SIZE_MAX, &n));
    ck_assert(r.bad && n == 0);
    r = seam_reader_of("\x05"
                       "abc",
                       4);
    ck_assert_ptr_null(seam_read_lenstr(&r, 100, &n));
    r = seam_reader_of("\x03"
                       "abc",
                       4);
    ck_assert_ptr_null(seam_read_lenstr(&r, 2, &n)); /* over the caller's bound */
    r = seam_reader_of("\x80", 1);
    ck_assert_uint_eq(seam_read_varint(&r), 0);
    ck_assert(r.bad);
    r = seam_reader_of("", 0);
    ck_assert_ptr_nonnull(seam_read_bytes(&r, 0));
    ck_assert(!r.bad);
    ck_assert_uint_eq(seam_read_u64(&r), 0);
    ck_assert(r.bad);
}

static void test_varint_round_trips_and_bounds(void)
{
    struct seam_rng r;
    uint8_t bytes[16];

    seam_rng_seed(&r, test_seed());
    for (int i = 0; i < 20000; i++) {
        uint64_t v = seam_rng_u64(&r) >> seam_rng_below(&r, 64), back = 1;
        size_t n = seam_put_varint(bytes, v);
        const uint8_t *p = bytes;

        ck_assert(n == seam_varint_size(v) && n <= SEAM_VARINT_MAX);
        ck_assert(seam_get_varint(&p, bytes + n, &back) && back == v && p == bytes + n);
        p = bytes;
        ck_assert(!seam_get_varint(&p, bytes + n - 1, &back) && p == bytes);
        ck_assert_int_eq(seam_unzigzag(seam_zigzag((int64_t)v)), (int64_t)v);
    }
    memset(bytes, 0xff, sizeof bytes);
    {
        const uint8_t *p = bytes;
        uint64_t v;

        ck_assert(!seam_get_varint(&p, bytes + 16, &v)); /* more than 64 bits */
    }
    ck_assert_uint_eq(seam_zigzag(-1), 1);
    ck_assert_uint_eq(seam_zigzag(INT64_MIN), UINT64_MAX);
}

static void test_arena_aligns_limits_and_resets(void)
{
    struct seam_arena a = {0};
    uint8_t *last = NULL;
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) {
            size_t n = seam_rng_below(&r, 300);
            uint8_t *p = seam_arena_alloc(&a, n);

            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % 16, 0);
            ck_assert_ptr_ne(p, last);
            memset(p, (int)n, n);
            last = p;
        }
        ck_assert_ptr_nonnull(seam_arena_alloc(&a, 3 << 20)); /* larger than any block */
        seam_arena_reset(&a);
        ck_assert_uint_eq(a.used, 0);
    }
    ck_assert_str_eq(seam_arena_strdup(&a, "words", 4), "word");
    {
        uint8_t *z = seam_arena_zalloc(&a, 1000);

        for (int i = 0; i < 1000; i++) ck_assert(z[i] == 0);
    }
    seam_arena_free(&a);
    a.limit = 100;
    ck_assert_ptr_nonnull(seam_arena_alloc(&a, 90));
    ck_assert_ptr_null(seam_arena_alloc(&a, 5)); /* 96 of 100 are used, and 5 take 16 */
    ck_assert_ptr_null(seam_arena_alloc(&a, SIZE_MAX));
    seam_arena_free(&a);
}

static void emit_some(struct seam_trace *t, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[16] = "page";

        SEAM_TRACE(t, "oltp", "page_split", SEAM_TI("page", i), SEAM_TD("fill", 0.5),
                   SEAM_TS("table", name), SEAM_TSN("key", "abcdef", 3));
        memset(name, 'x', sizeof name); /* the log must have copied it */
    }
}

static void test_trace_log_keeps_copies_and_drops_the_oldest(void)
{
    struct seam_trace_log *l = seam_trace_log_new(10);
    const struct seam_trace_event *e;

    emit_some(NULL, 0, 5); /* off */
    emit_some(seam_trace_log_trace(l), 0, 25);
#ifndef SEAM_NO_TRACE
    ck_assert_uint_eq(seam_trace_log_count(l), 10);
    e = seam_trace_log_at(l, 0);
    ck_assert_str_eq(e->store, "oltp");
    ck_assert_str_eq(e->name, "page_split");
    ck_assert_str_eq(e->func, "emit_some");
    ck_assert_int_eq(e->argc, 4);
    ck_assert_int_eq(e->args[0].i, 15);
    ck_assert_double_eq(e->args[1].d, 0.5);
    ck_assert_str_eq(e->args[2].s, "page");
    ck_assert_str_eq(e->args[3].s, "abc");
    ck_assert_int_eq(seam_trace_log_at(l, 9)->args[0].i, 24);
#endif
    e = seam_trace_log_at(l, 10);
    ck_assert_ptr_null(e);
    seam_trace_log_clear(l);
    ck_assert_uint_eq(seam_trace_log_count(l), 0);
    seam_trace_log_free(l);
    seam_trace_log_free(NULL);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_fault_keeps_the_first_cause),
        T(test_buf_grows_and_reads_back),
        T(test_buf_limit_is_sticky),
        T(test_reader_refuses_short_and_hostile),
        T(test_varint_round_trips_and_bounds),
        T(test_arena_aligns_limits_and_resets),
        T(test_trace_log_keeps_copies_and_drops_the_oldest),
    };

    return run_tests("memory", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
