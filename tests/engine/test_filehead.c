/* Goal:   every file of ours begins with one head; damage, a stranger's file and an older generation are told
 *         apart, by name, and never believed. The small helpers beside it: faults handed on, growth, the index.
 * Method: golden bytes; each byte flipped, each length cut; a generation-1 head; a model for the index.  */
#include "tests/common/check_main.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/crc32c.h"
#include "engine/base/grow.h"
#include "engine/base/hash.h"
#include "engine/base/index.h"
#include "engine/base/rng.h"
#include "engine/io/filehead.h"
#include "engine/io/io.h"
#include "engine/io/io_sim.h"
#include "tests/common/fail_malloc.h"

static const struct seam_filehead_format format = {.magic = "SEAMTEST",
                                                   .version = 2,
                                                   .flags = 5,
                                                   .name = "a test's file",
                                                   .way_out = "make it again with `seam test`"};

static struct seam_filehead sample(void)
{
    struct seam_filehead h = {
        .flags = 4, .file_id = 0x1122334455667788, .lsn = 0x77, .extra = 0xabcdef01};

    for (int i = 0; i < SEAM_PLATFORM_ID_BYTES; i++) h.owner.platform[i] = (uint8_t)(16 * i + i);
    h.owner.history = 0x99;
    return h;
}

static void test_golden_bytes(void)
{
    static const uint8_t golden[60] = {
        'S',  'E',  'A',  'M',  'T',  'E',  'S',  'T',  2,    0,    64,   0,    4,    0,    0,
        0,    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
        0xee, 0xff, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x99, 0,    0,    0,    0,
        0,    0,    0,    0x77, 0,    0,    0,    0,    0,    0,    0,    0x01, 0xef, 0xcd, 0xab};
    struct seam_filehead h = sample(), back;
    uint8_t b[SEAM_FILEHEAD_BYTES];
    struct seam_fault f = {0};

    seam_filehead_encode(&format, &h, b);
    ck_assert_mem_eq(b, golden, sizeof golden);
    ck_assert_uint_eq(seam_get_u32(b + 60), seam_crc32c(0, golden, sizeof golden));
    ASSERT_OK(seam_filehead_decode(&format, b, sizeof b, "x", 0, &back, &f), &f);
    ck_assert_mem_eq(&back.owner.platform, &h.owner.platform, SEAM_PLATFORM_ID_BYTES);
    ck_assert_uint_eq(back.owner.history, h.owner.history);
    ck_assert_uint_eq(back.file_id, h.file_id);
    ck_assert_uint_eq(back.lsn, h.lsn);
    ck_assert_uint_eq(back.flags, h.flags);
    ck_assert_uint_eq(back.extra, h.extra);
}

/* Whatever one byte is changed to: never SEAM_OK, never "another version".                           */
static void test_every_flipped_byte_is_damage(void)
{
    struct seam_filehead h = sample(), back;
    uint8_t b[SEAM_FILEHEAD_BYTES];

    seam_filehead_encode(&format, &h, b);
    for (size_t i = 0; i < sizeof b; i++)
        for (int v = 1; v < 256; v++) {
            struct seam_fault f = {0};

            b[i] ^= (uint8_t)v;
            ASSERT_STATUS(seam_filehead_decode(&format, b, sizeof b, "x", 0, &back, &f),
                          SEAM_CORRUPT);
            ck_assert_int_eq(f.status, SEAM_CORRUPT);
            ck_assert_str_eq(f.where, "x");
            b[i] ^= (uint8_t)v;
        }
}

static void test_cut_short(void)
{
    struct seam_filehead h = sample(), back;
    uint8_t b[SEAM_FILEHEAD_BYTES];

    seam_filehead_encode(&format, &h, b);
    for (size_t n = 0; n < sizeof b; n++) {
        struct seam_fault f = {0};

        ASSERT_STATUS(seam_filehead_decode(&format, b, n, "x", 4096, &back, &f), SEAM_CORRUPT);
        ck_assert_uint_eq(f.at, n < 8 ? 4096 : 4096 + n);
        ck_assert_ptr_nonnull(strstr(f.why, n < 8 ? "not a test's file" : "ends inside its head"));
    }
}

static void test_other_versions_are_named(void)
{
    uint8_t first[16] = "SEAMTEST", b[SEAM_FILEHEAD_BYTES];
    struct seam_filehead_format newer = format;
    struct seam_filehead h = sample(), back;
    struct seam_fault f = {0};

    seam_put_u32(first + 8, 1); /* generation 1 */
    seam_put_u32(first + 12, 0xdeadbeef);
    ASSERT_STATUS(seam_filehead_decode(&format, first, sizeof first, "x", 0, &back, &f),
                  SEAM_UNSUPPORTED);
    ck_assert_str_eq(f.why, "a test's file of format version 1; this program reads version 2: make "
                            "it again with `seam test`");
    newer.version = 3;
    seam_filehead_encode(&newer, &h, b);
    seam_fault_clear(&f);
    ASSERT_STATUS(seam_filehead_decode(&format, b, sizeof b, "x", 0, &back, &f), SEAM_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(f.why, "version 3; this program reads version 2"));
    newer = format;
    newer.flags = 8 | 4;
    h.flags = 8;
    seam_filehead_encode(&newer, &h, b);
    seam_fault_clear(&f);
    ASSERT_STATUS(seam_filehead_decode(&format, b, sizeof b, "x", 0, &back, &f), SEAM_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(f.why, "flags 0x8"));
}

static void test_what_the_opener_expects(void)
{
    struct seam_filehead h = sample();
    uint8_t other[SEAM_PLATFORM_ID_BYTES] = {1};
    uint64_t id = h.file_id, history = h.owner.history, wrong = 5;
    struct seam_filehead_want want = {h.owner.platform, &id, &history}, none = {0};
    struct seam_fault f = {0};

    ASSERT_OK(seam_filehead_check(&format, &h, &none, "x", &f), &f);
    ASSERT_OK(seam_filehead_check(&format, &h, &want, "x", &f), &f);
    want.history = &wrong;
    ASSERT_STATUS(seam_filehead_check(&format, &h, &want, "x", &f), SEAM_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.why, "history 0000000000000099"));
    seam_fault_clear(&f);
    want.file_id = &wrong;
    ASSERT_STATUS(seam_filehead_check(&format, &h, &want, "x", &f), SEAM_CORRUPT);
    seam_fault_clear(&f);
    want.platform = other;
    ASSERT_STATUS(seam_filehead_check(&format, &h, &want, "x", &f), SEAM_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.why, "platform 00112233445566778899aabbccddeeff"));
}

static void test_platform_ids_as_text(void)
{
    uint8_t id[SEAM_PLATFORM_ID_BYTES];
    char text[SEAM_PLATFORM_TEXT];

    ck_assert(seam_platform_parse("00112233445566778899aabbccddeeff", id));
    seam_platform_text(id, text);
    ck_assert_str_eq(text, "00112233445566778899aabbccddeeff");
    ck_assert(!seam_platform_parse("00112233445566778899aabbccddeef", id));
    ck_assert(!seam_platform_parse("00112233445566778899aabbccddeefg", id));
}

static void test_sealed_text(void)
{
    struct seam_buf object = {0}, text = {0};
    struct seam_fault f = {0};

    seam_buf_str(&object, "{\"a\":1}");
    seam_seal_json(&object, &text);
    ASSERT_OK(seam_buf_check(&text, &f, "a text"), &f);
    ck_assert_mem_eq(text.data, "{\"crc32c\":\"", 11);
    ck_assert_mem_eq(text.data + text.size - 9, ",\n\"a\":1}\n", 9);
    ASSERT_OK(seam_seal_check(&text, "x", "make it again", &f), &f);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1;
        ASSERT_STATUS(seam_seal_check(&text, "x", "make it again", NULL),
                      i >= 2 && i < 8 ? SEAM_UNSUPPORTED : SEAM_CORRUPT);
        text.data[i] ^= 1;
    }
    ASSERT_STATUS(seam_seal_check(&object, "x", "make it again", &f), SEAM_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(f.why, "version 1"));
    ck_assert_ptr_nonnull(strstr(f.why, "version 2: make it again"));
    seam_buf_free(&object);
    seam_buf_free(&text);
}

static void test_a_fault_is_given_once(void)
{
    struct seam_fault f = {0}, why = {0}, none = {0};

    seam_fault_give(&f, &none);
    ck_assert_int_eq(f.status, SEAM_OK);
    seam_fault_set(&why, SEAM_IO, "a", 7, "first");
    seam_fault_give(&f, &why);
    ck_assert_str_eq(f.why, "first");
    seam_fault_clear(&why);
    ASSERT_STATUS(seam_no_memory(&why, "a test"), SEAM_NOMEM);
    ck_assert_str_eq(why.why, "no memory for a test");
    seam_fault_give(&f, &why);
    ck_assert_str_eq(f.why, "first");
    seam_fault_give(NULL, &why);
}

static void test_growth(void)
{
    int *items = NULL;
    size_t cap = 0;
    bool grown;

    for (size_t i = 0; i < 1000; i++) {
        ck_assert(SEAM_GROW(&items, &cap, i + 1));
        items[i] = (int)i;
    }
    ck_assert_uint_eq(cap, 1024);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(items[i], i);
    ck_assert(!SEAM_GROW(&items, &cap, SIZE_MAX / 2));
    ck_assert(!SEAM_GROW(&items, &cap, SIZE_MAX));
    ck_assert_uint_eq(cap, 1024);
    ck_assert(SEAM_GROW_ZERO(&items, &cap, 1025));
    for (size_t i = 1024; i < cap; i++) ck_assert_int_eq(items[i], 0);
    fail_malloc_at(1, true);
    grown = SEAM_GROW(&items, &cap, 100000);
    ck_assert(fail_malloc_stop() != grown);
    ck_assert_int_eq(items[999], 999);
    free(items);
}

static void test_index_against_a_model(void)
{
    enum { N = 20000, KEYS = 5000 };
    struct seam_index ix = {0};
    uint64_t *keys = malloc(N * sizeof *keys);
    struct seam_rng r;
    size_t at;
    uint32_t seen = 0;

    seam_rng_seed(&r, test_seed());
    ck_assert_uint_eq(seam_index_first(&ix, 1, &at), SEAM_INDEX_NONE);
    for (uint32_t i = 0; i < N; i++) {
        keys[i] = seam_rng_below(&r, KEYS);
        ck_assert(seam_index_add(&ix, seam_hash64_u64(keys[i]), i));
    }
    for (uint64_t k = 0; k < KEYS; k++) {
        uint64_t h = seam_hash64_u64(k);
        uint32_t n = 0, want = 0;

        for (uint32_t i = seam_index_first(&ix, h, &at); i != SEAM_INDEX_NONE;
             i = seam_index_next(&ix, h, &at))
            n += keys[i] == k;
        for (uint32_t i = 0; k < 50 && i < N; i++) want += keys[i] == k;
        if (k < 50) ck_assert_uint_eq(n, want);
        seen += n;
    }
    ck_assert_uint_eq(seen, N);
    seam_index_clear(&ix);
    ck_assert_uint_eq(seam_index_first(&ix, seam_hash64_u64(keys[0]), &at), SEAM_INDEX_NONE);
    seam_index_free(&ix);
    free(keys);
}

static void test_paths_are_never_cut(void)
{
    char dir[SEAM_PATH_MAX_BYTES], out[SEAM_PATH_MAX_BYTES];
    struct seam_fault f = {0};

    memset(dir, 'd', sizeof dir);
    for (size_t n = SEAM_PATH_MAX_BYTES - 30; n < SEAM_PATH_MAX_BYTES; n++) {
        bool fits = n + 1 + 12 < SEAM_PATH_MAX_BYTES;

        dir[n] = '\0';
        seam_fault_clear(&f);
        ASSERT_STATUS(seam_path_format(out, dir, &f, "%08x.seg", 7u), fits ? SEAM_OK : SEAM_LIMIT);
        ck_assert(fits || f.why[0] != '\0');
        if (fits) ck_assert_str_eq(out + n, "/00000007.seg");
        dir[n] = 'd';
    }
}

static void test_one_writer(void)
{
    struct seam_io *io = seam_io_posix();
    struct seam_file *a = NULL, *b = NULL;
    struct seam_clock_sim clock;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(seam_writer_lock(io, test_dir(), &a, &f), &f);
    ASSERT_STATUS(seam_writer_lock(io, test_dir(), &b, &f), SEAM_CONFLICT);
    ck_assert_ptr_null(b);
    seam_clock_sim_init(&clock, 0);
    seam_fault_clear(&f);
    ASSERT_STATUS(seam_moment_lock(io, &clock.clock, test_dir(), SEAM_LOCK_NAME, &b, &f),
                  SEAM_CONFLICT);
    ck_assert_ptr_null(b);
    ck_assert_uint_ge(seam_clock_mono_ns(&clock.clock), 2000000000u);
    seam_file_close(a);
    seam_fault_clear(&f);
    ASSERT_OK(seam_moment_lock(io, &clock.clock, test_dir(), SEAM_LOCK_NAME, &b, &f), &f);
    seam_file_close(b);
    ASSERT_OK(seam_path_join(path, test_dir(), SEAM_LOCK_NAME, &f), &f);
    ASSERT_OK(seam_io_unlink_if_there(io, path, &f), &f);
    ASSERT_OK(seam_io_unlink_if_there(io, path, &f), &f);
    ck_assert_int_eq(f.status, SEAM_OK);
}

static const struct named_test tests[] = {
    T(test_golden_bytes),
    T(test_every_flipped_byte_is_damage),
    T(test_cut_short),
    T(test_other_versions_are_named),
    T(test_what_the_opener_expects),
    T(test_platform_ids_as_text),
    T(test_sealed_text),
    T(test_a_fault_is_given_once),
    T(test_growth),
    T(test_index_against_a_model),
    T(test_paths_are_never_cut),
    T(test_one_writer),
};

int main(int argc, char **argv)
{
    return run_tests("filehead", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
