#include "tests/common/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"

enum { KIND = 0x54534554 /* "TEST" */ };

static enum seam_status publish(struct seam_io *io, const char *dir, uint64_t seq, const char *text,
                                struct seam_fault *f)
{
    struct seam_manifest m = {.kind = KIND,
                              .seq = seq,
                              .parent = seq - 1,
                              .applied_lsn = seq * 100,
                              .wall_us = (int64_t)seq * 1000};
    enum seam_status st;

    seam_buf_str(&m.payload, text);
    st = seam_manifest_publish(io, dir, &m, f);
    seam_buf_free(&m.payload);
    return st;
}

static void check_newest(struct seam_io *io, const char *dir, uint64_t seq, const char *text)
{
    struct seam_fault f = {0};
    struct seam_manifest m;

    ASSERT_OK(seam_manifest_load_newest(io, dir, KIND, &m, &f), &f);
    ck_assert_uint_eq(m.seq, seq);
    ck_assert_uint_eq(m.parent, seq - 1);
    ck_assert_uint_eq(m.applied_lsn, seq * 100);
    ck_assert_int_eq(m.wall_us, (int64_t)seq * 1000);
    ck_assert_uint_eq(m.payload.size, strlen(text));
    if (*text != '\0') ck_assert_mem_eq(m.payload.data, text, strlen(text));
    seam_buf_free(&m.payload);
}

static void test_publish_load_list_as_of(void)
{
    struct seam_io *io = seam_io_posix();
    const char *dir = test_dir();
    struct seam_fault f = {0};
    struct seam_manifest m;
    struct seam_manifest_entry *list;
    size_t count;

    ASSERT_STATUS(seam_manifest_load_newest(io, dir, KIND, &m, NULL), SEAM_NOT_FOUND);
    ASSERT_OK(publish(io, dir, 1, "one", &f), &f);
    ASSERT_OK(publish(io, dir, 2, "", &f), &f);
    ASSERT_OK(publish(io, dir, 3, "three", &f), &f);
    ASSERT_STATUS(publish(io, dir, 3, "again", NULL), SEAM_EXISTS);
    check_newest(io, dir, 3, "three");
    ASSERT_OK(seam_manifest_list(io, dir, KIND, &list, &count, &f), &f);
    ck_assert_uint_eq(count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(list[i].seq, i + 1);
        ck_assert_uint_eq(list[i].applied_lsn, (i + 1) * 100);
    }
    free(list);
    for (uint64_t seq = 1; seq <= 3;
         seq++) { /* its own LSN is the first at which a state is seen */
        ASSERT_OK(seam_manifest_load_as_of(io, dir, KIND, seq * 100, &m, &f), &f);
        ck_assert_uint_eq(m.seq, seq);
        seam_buf_free(&m.payload);
    }
    ASSERT_OK(seam_manifest_load_as_of(io, dir, KIND, 299, &m, &f), &f);
    ck_assert_uint_eq(m.seq, 2);
    seam_buf_free(&m.payload);
    ASSERT_OK(seam_manifest_load_as_of(io, dir, KIND, SEAM_LSN_MAX, &m, &f), &f);
    ck_assert_uint_eq(m.seq, 3);
    seam_buf_free(&m.payload);
    ASSERT_STATUS(seam_manifest_load_as_of(io, dir, KIND, 99, &m, NULL), SEAM_NOT_FOUND);
    ASSERT_OK(seam_manifest_remove(io, dir, 1, &f), &f);
    ASSERT_STATUS(seam_manifest_remove(io, dir, 1, NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(seam_manifest_load(io, dir, KIND, 1, &m, NULL), SEAM_NOT_FOUND);
    ASSERT_STATUS(seam_manifest_load(io, dir, KIND + 1, 3, &m, NULL), SEAM_CORRUPT);
}

static void test_golden_header(void)
{
    static const uint8_t head[] = {
        'S', 'E', 'A', 'M', 'M', 'A', 'N', 'I', 2,   0, 64, 0, 0, 0, 0, 0, 0,   0,   0,   0,
        0,   0,   0,   0,   0,   0,   0,   0,   0,   0, 0,  0, 2, 0, 0, 0, 0,   0,   0,   0,
        0,   0,   0,   0,   0,   0,   0,   0,   200, 0, 0,  0, 0, 0, 0, 0, 'T', 'E', 'S', 'T',
    };
    static const uint8_t fields[] = {
        1, 0, 0, 0, 0, 0, 0, 0, 0xd0, 7, 0,    0,    0,    0,
        0, 0, 9, 0, 0, 0, 0, 0, 0,    0, 0x83, 0x92, 0x06, 0xe3 /* crc32c of "123456789" */,
    };
    struct seam_io *io = seam_io_posix();
    struct seam_fault f = {0};
    struct seam_buf b = {0};
    char path[SEAM_PATH_MAX_BYTES];

    ASSERT_OK(publish(io, test_dir(), 2, "123456789", &f), &f);
    ASSERT_OK(seam_path_join(path, test_dir(), "0000000000000002.manifest", &f), &f);
    ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &b, &f), &f);
    ck_assert_uint_eq(b.size, SEAM_MANIFEST_HEADER_SIZE + 9);
    ck_assert_mem_eq(b.data, head, sizeof head);
    ck_assert_mem_eq(b.data + SEAM_FILEHEAD_BYTES, fields, sizeof fields);
    seam_buf_free(&b);
}

/* Goal: no damaged manifest is believed. Method: flip each bit of each byte; cut at each length.  */
static void test_every_flip_and_truncation_is_corrupt(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    const char *path = "d/0000000000000001.manifest";
    struct seam_fault f = {0};
    struct seam_manifest m;
    const size_t size = SEAM_MANIFEST_HEADER_SIZE + 7;

    ASSERT_OK(seam_io_mkdir(io, "d", &f), &f);
    ASSERT_OK(publish(io, "d", 1, "payload", &f), &f);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            enum seam_status st;

            ck_assert(seam_io_sim_flip(s, path, at, (uint8_t)(1 << bit)));
            seam_fault_clear(&f);
            st = seam_manifest_load_newest(io, "d", KIND, &m, &f);
            ck_assert_msg(st == SEAM_CORRUPT, "byte %zu: %s", at, seam_status_name(st));
            ck_assert(strstr(f.where, ".manifest") != NULL && f.at != SEAM_FAULT_NO_OFFSET);
            ck_assert(seam_io_sim_flip(s, path, at, (uint8_t)(1 << bit)));
        }
    }
    seam_fault_clear(&f);
    for (size_t cut = size; cut-- > 0;) {
        struct seam_file *file;

        ASSERT_OK(seam_file_open(io, path, SEAM_FILE_WRITE, &file, &f), &f);
        ASSERT_OK(seam_file_truncate(file, cut, &f), &f);
        seam_file_close(file);
        ASSERT_STATUS(seam_manifest_load_newest(io, "d", KIND, &m, NULL), SEAM_CORRUPT);
    }
    seam_io_sim_free(s);
}

/* Goal: publishing is atomic and durable. Method: for each kind of fault, plant it at call 1, 2, 3 ...
 * of a publish until one runs through; then cut the power, and demand the old or the new manifest,
 * the new one whenever publish said SEAM_OK.                                                        */
static void test_every_injection_point_leaves_old_or_new(void)
{
    static const enum seam_sim_fault_kind kinds[] = {SEAM_SIM_POWER_CUT, SEAM_SIM_EIO,
                                                     SEAM_SIM_ENOSPC, SEAM_SIM_SHORT_WRITE,
                                                     SEAM_SIM_SYNC_FAIL};
    uint64_t points = 0, old_seen = 0, new_seen = 0;

    for (size_t k = 0; k < SEAM_ARRAY_LEN(kinds); k++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            bool fired = true;

            for (uint64_t nth = 1; fired; nth++) {
                struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
                struct seam_io *io = seam_io_sim_io(s);
                struct seam_fault f = {0};
                struct seam_manifest m;
                enum seam_status st;

                ASSERT_OK(seam_io_mkdir(io, "p/d", &f), &f);
                ASSERT_OK(publish(io, "p/d", 1, "old state", &f), &f);
                seam_io_sim_plant(s, kinds[k], nth, false);
                st = publish(io, "p/d", 2, "new state, longer than 512 bytes? no matter", NULL);
                fired = seam_io_sim_fired(s);
                ck_assert(fired || st == SEAM_OK);
                seam_io_sim_reboot(s);
                ASSERT_OK(seam_manifest_load_newest(io, "p/d", KIND, &m, &f), &f);
                ck_assert(m.seq == 1 || m.seq == 2);
                ck_assert(st != SEAM_OK || m.seq == 2);
                if (m.seq == 1)
                    old_seen++;
                else
                    new_seen++;
                seam_buf_free(&m.payload);
                /* and the store goes on from there */
                ASSERT_OK(publish(io, "p/d", m.seq + 1, "next", &f), &f);
                check_newest(io, "p/d", m.seq + 1, "next");
                points++;
                seam_io_sim_free(s);
            }
        }
    }
    ck_assert_uint_gt(points, 400);
    ck_assert_uint_gt(old_seen, 50); /* the harness is worth something only if both happen */
    ck_assert_uint_gt(new_seen, 50);
}

/* Goal: a read that fails is SEAM_IO, not a missing or another manifest.                            */
static void test_every_failing_read_is_told(void)
{
    struct seam_io_sim *s = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(s);
    struct seam_fault f = {0};
    struct seam_manifest m;
    uint64_t failed = 0;
    bool fired = true;

    ASSERT_OK(seam_io_mkdir(io, "d", &f), &f);
    ASSERT_OK(publish(io, "d", 1, "old", &f), &f);
    ASSERT_OK(publish(io, "d", 2, "new", &f), &f);
    for (uint64_t nth = 1; fired; nth++) {
        enum seam_status st;

        seam_io_sim_plant(s, SEAM_SIM_READ_EIO, nth, false);
        st = seam_manifest_load_as_of(io, "d", KIND, 1000, &m, NULL);
        fired = seam_io_sim_fired(s);
        ck_assert_int_eq(st, fired ? SEAM_IO : SEAM_OK);
        ck_assert(st != SEAM_OK || m.seq == 2);
        seam_buf_free(&m.payload);
        failed += fired;
    }
    ck_assert_uint_ge(failed, 5); /* the list, two headers, then a header and a payload */
    seam_io_sim_free(s);
}

/* Goal: readers never see less than they saw, nor a gap, while one publishes and removes.         */
enum { PUBLISHED = 150, KEPT = 2 };

struct watcher {
    const char *dir;
    uint64_t seen, loads;
    bool ok;
};

static void *watch(void *arg)
{
    struct watcher *w = arg;

    while (w->seen < PUBLISHED && w->ok) {
        struct seam_manifest m;

        w->ok = seam_manifest_load_newest(seam_io_posix(), w->dir, KIND, &m, NULL) == SEAM_OK;
        w->ok = w->ok && m.seq >= w->seen && m.applied_lsn == m.seq * 100;
        w->seen = m.seq;
        w->loads++;
        seam_buf_free(&m.payload);
    }
    return NULL;
}

static void test_readers_while_publishing_and_removing(void)
{
    const char *dir = test_dir();
    struct watcher w[2] = {{.dir = dir, .ok = true}, {.dir = dir, .ok = true}};
    pthread_t threads[2];
    struct seam_fault f = {0};

    ASSERT_OK(publish(seam_io_posix(), dir, 1, "x", &f), &f);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, watch, &w[i]), 0);
    for (uint64_t seq = 2; seq <= PUBLISHED; seq++) {
        ASSERT_OK(publish(seam_io_posix(), dir, seq, "x", &f), &f);
        if (seq > KEPT) ASSERT_OK(seam_manifest_remove(seam_io_posix(), dir, seq - KEPT, &f), &f);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(w[i].ok && w[i].seen == PUBLISHED && w[i].loads > 10);
    }
}

/* Goal: the harness itself can fail. Method: publish without the sync, and see it caught.         */
static void test_harness_catches_a_missing_sync(void)
{
    uint64_t lost = 0;

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct seam_io_sim *s = seam_io_sim_new(test_seed() + seed);
        struct seam_io *io = seam_io_sim_io(s);
        struct seam_fault f = {0};
        struct seam_buf b = {0};
        struct seam_file *file;

        ASSERT_OK(seam_io_mkdir(io, "d", &f), &f);
        ASSERT_OK(seam_file_open(io, "d/x.tmp", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &file, &f), &f);
        ASSERT_OK(seam_file_write(file, 0, "hello", 5, &f), &f);
        seam_file_close(file);
        ASSERT_OK(seam_io_rename(io, "d/x.tmp", "d/x", &f), &f);
        ASSERT_OK(seam_io_sync_dir(io, "d", &f), &f);
        seam_io_sim_reboot(s);
        ASSERT_OK(seam_io_read_all(io, "d/x", 100, &b, &f), &f);
        if (b.size != 5 || memcmp(b.data, "hello", 5) != 0) lost++;
        seam_buf_free(&b);
        seam_io_sim_free(s);
    }
    ck_assert_uint_gt(lost, 10);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_publish_load_list_as_of),
        T(test_golden_header),
        T(test_every_flip_and_truncation_is_corrupt),
        T(test_every_injection_point_leaves_old_or_new),
        T(test_every_failing_read_is_told),
        T(test_readers_while_publishing_and_removing),
        T(test_harness_catches_a_missing_sync),
    };

    return run_tests("manifest", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
