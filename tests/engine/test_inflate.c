#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/inflate_tables.h"
#include "engine/io/source.h"
#include "tests/common/check_main.h"
#include "tests/engine/gz_samples.h"

static void sample_text(struct seam_buf *out)
{
    for (int i = 0; i < 40; i++)
        seam_buf_printf(out, "line %d: the quick brown fox jumps over the lazy dog %d times\n", i,
                        i * i % 97);
}

static enum seam_status read_gz(const void *p, size_t n, struct seam_buf *out, struct seam_fault *f)
{
    struct seam_source *s = NULL;
    enum seam_status st = seam_source_from_memory(p, n, &s);
    uint8_t piece[777];

    while (st == SEAM_OK) {
        size_t got = 0;

        st = seam_source_read(s, piece, sizeof piece, &got, f);
        if (st != SEAM_OK || got == 0) break;
        seam_buf_append(out, piece, got);
    }
    seam_source_close(s);
    return st;
}

/* A gzip member of stored blocks: what an inflater must take from any compressor.                */
static void stored_gz(const uint8_t *p, size_t n, struct seam_buf *out)
{
    struct seam_crc32_tables *t = malloc(sizeof *t);
    size_t left = n;

    seam_crc32_build(t);
    seam_buf_append(out, "\x1f\x8b\x08\x1e\0\0\0\0\0\xff", 10); /* with every optional field */
    seam_buf_append(out, "\x03\0abcname\0comment\0\x12\x34", 20);
    for (;;) {
        uint16_t size = left > 50000 ? 50000 : (uint16_t)left;

        seam_buf_u8(out, left == size);
        seam_buf_u16(out, size);
        seam_buf_u16(out, (uint16_t)~size);
        seam_buf_append(out, p + (n - left), size);
        left -= size;
        if (left == 0) break;
    }
    seam_buf_u32(out, seam_crc32_update(t, 0, p, n));
    seam_buf_u32(out, (uint32_t)n);
    free(t);
}

static void test_inflate_reads_each_kind_of_block(void)
{
    struct seam_buf want = {0}, got = {0}, gz = {0};
    struct seam_fault f = {0};
    struct seam_rng r;

    sample_text(&want);
    ASSERT_OK(read_gz(gz_dynamic, sizeof gz_dynamic, &got, &f), &f);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    seam_buf_clear(&got);
    ASSERT_OK(read_gz(gz_fixed, sizeof gz_fixed, &got, &f), &f);
    ck_assert_str_eq(seam_buf_cstr(&got), "hello hello hello, fixed codes");
    seam_buf_clear(&want);
    seam_rng_seed(&r, test_seed());
    seam_rng_bytes(&r, seam_buf_extend(&want, 1000000), 1000000);
    stored_gz(want.data, want.size, &gz);
    seam_buf_clear(&got);
    ASSERT_OK(read_gz(gz.data, gz.size, &got, &f), &f);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    seam_buf_free(&want);
    seam_buf_free(&got);
    seam_buf_free(&gz);
}

static void test_inflate_members_follow_each_other(void)
{
    struct seam_buf gz = {0}, got = {0}, want = {0};
    struct seam_fault f = {0};

    sample_text(&want);
    seam_buf_str(&want, "hello hello hello, fixed codes");
    seam_buf_append(&gz, gz_dynamic, sizeof gz_dynamic);
    seam_buf_append(&gz, gz_fixed, sizeof gz_fixed);
    seam_buf_append(&gz, "\0\0\0\0\0", 5); /* padding, as tapes have it */
    ASSERT_OK(read_gz(gz.data, gz.size, &got, &f), &f);
    ck_assert_str_eq(seam_buf_cstr(&got), seam_buf_cstr(&want));
    seam_buf_u8(&gz, 'x');
    ASSERT_STATUS(read_gz(gz.data, gz.size, &got, &f), SEAM_CORRUPT);
    ck_assert_str_eq(f.where, "memory");
    seam_buf_free(&gz);
    seam_buf_free(&got);
    seam_buf_free(&want);
}

/* Goal: a flipped bit is found or changes nothing (idle header bytes, padding); a cut is always
 * found.                                                                                         */
static void test_inflate_damage_is_found(void)
{
    struct seam_buf want = {0}, got = {0};
    uint8_t bytes[sizeof gz_dynamic];

    sample_text(&want);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i >= 2) {
            seam_buf_clear(&got);
            ASSERT_STATUS(read_gz(gz_dynamic, i, &got, NULL), SEAM_CORRUPT);
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            enum seam_status st;

            memcpy(bytes, gz_dynamic, sizeof bytes);
            bytes[i] ^= (uint8_t)(1u << bit);
            seam_buf_clear(&got);
            st = read_gz(bytes, sizeof bytes, &got, NULL);
            if (i < 2) continue; /* no gzip any more */
            ck_assert_msg(st == SEAM_CORRUPT || (st == SEAM_OK && got.size == want.size &&
                                                 memcmp(got.data, want.data, want.size) == 0),
                          "byte %zu bit %u", i, bit);
        }
    }
    seam_buf_free(&want);
    seam_buf_free(&got);
}

static void check_lines(struct seam_source *s)
{
    const char *line;
    size_t n;
    struct seam_fault f = {0};

    ASSERT_OK(seam_source_line(s, 10, &line, &n, &f), &f);
    ck_assert(n == 3 && memcmp(line, "one", 3) == 0);
    ASSERT_OK(seam_source_line(s, 10, &line, &n, &f), &f);
    ck_assert_uint_eq(n, 0);
    ASSERT_STATUS(seam_source_line(s, 10, &line, &n, &f), SEAM_LIMIT);
    ck_assert_uint_eq(seam_source_line_number(s), 3);
    ASSERT_OK(seam_source_line(s, 10, &line, &n, NULL), NULL);
    ck_assert(n == 4 && memcmp(line, "four", 4) == 0 && seam_source_line_number(s) == 4);
    ASSERT_STATUS(seam_source_line(s, 10, &line, &n, NULL), SEAM_END);
    ASSERT_STATUS(seam_source_line(s, 10, &line, &n, NULL), SEAM_END);
    seam_source_close(s);
}

/* Goal: lines of a file, a pipe and memory are the same lines; a long one is reported and passed
 * over.                                                                                          */
static void test_source_lines_from_file_pipe_and_memory(void)
{
    struct seam_buf text = {0}, gz = {0};
    struct seam_source *s = NULL;
    struct seam_fault f = {0};
    char path[SEAM_PATH_MAX_BYTES], command[SEAM_PATH_MAX_BYTES + 64];

    seam_buf_str(&text, "one\r\n\n");
    for (int i = 0; i < 700000; i++) seam_buf_u8(&text, 'x');
    seam_buf_str(&text, "\nfour");
    ASSERT_OK(seam_source_from_memory(text.data, text.size, &s), NULL);
    check_lines(s);
    stored_gz(text.data, text.size, &gz);
    ASSERT_OK(seam_path_join(path, test_dir(), "x.gz", &f), &f);
    ASSERT_OK(seam_io_write_atomic(seam_io_posix(), path, gz.data, gz.size, &f), &f);
    s = NULL;
    ASSERT_OK(seam_source_open(seam_io_posix(), path, &s, &f), &f);
    ck_assert_uint_eq(seam_source_bytes_total(s), gz.size);
    check_lines(s);
    snprintf(command, sizeof command, "mkfifo %s/pipe && (cat %s > %s/pipe &)", test_dir(), path,
             test_dir());
    ck_assert_int_eq(system(command), 0);
    ASSERT_OK(seam_path_join(path, test_dir(), "pipe", &f), &f);
    s = NULL;
    ASSERT_OK(seam_source_open(seam_io_posix(), path, &s, &f), &f);
    check_lines(s);
    ASSERT_OK(seam_path_join(path, test_dir(), "none", &f), &f);
    ASSERT_STATUS(seam_source_open(seam_io_posix(), path, &s, &f), SEAM_NOT_FOUND);
    seam_buf_free(&text);
    seam_buf_free(&gz);
}

static void test_source_empty_and_one_byte(void)
{
    struct seam_buf got = {0};

    ASSERT_OK(read_gz("", 0, &got, NULL), NULL);
    ck_assert_uint_eq(got.size, 0);
    ASSERT_OK(read_gz("\x1f", 1, &got, NULL), NULL);
    ck_assert_uint_eq(got.size, 1);
    seam_buf_free(&got);
}

/* Goal: a real file of 47 MB, whole, and no larger than the limit given.                         */
static void test_source_reads_a_real_file(void)
{
    const char *path = shared_data("online-retail/online-retail.csv.gz");
    struct seam_buf got = {0};
    struct seam_fault f = {0};

    if (path == NULL) return;
    ASSERT_OK(seam_source_read_all(seam_io_posix(), path, 64 << 20, &got, &f), &f);
    ck_assert_uint_eq(got.size, 47226068);
    seam_buf_free(&got);
    ASSERT_STATUS(seam_source_read_all(seam_io_posix(), path, 1 << 20, &got, NULL), SEAM_LIMIT);
    seam_buf_free(&got);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_inflate_reads_each_kind_of_block), T(test_inflate_members_follow_each_other),
        T(test_inflate_damage_is_found),          T(test_source_lines_from_file_pipe_and_memory),
        T(test_source_empty_and_one_byte),        T(test_source_reads_a_real_file),
    };

    return run_tests("inflate and source", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
