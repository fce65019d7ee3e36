/* Goal:   a position of a log that grew from a restored copy, or was cut, is told from one of the log that is here.
 * Method: a log is opened, written and closed again and again, copied aside in between, and both copies go on with the
 *         very same records, so that every LSN means something in both. The lists must tell where they parted, each
 *         position must be found on its own line only, and a list that is damaged or lost is never believed. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "tests/common/check_main.h"
#include "wal/wal.h"

enum { PATH = 512 };

static struct wal *open_log(const char *dir)
{
    struct wal_options o = {.segment_bytes = WAL_SEGMENT_MIN};
    struct wal *w = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(wal_open(dir, &o, &w, NULL, &f), &f);
    return w;
}

/* `n` records, all alike; returns where the last one ends. */
static seam_lsn_t write_records(struct wal *w, int n)
{
    struct seam_io_slice part = {"twelve bytes", 12};
    struct wal_span at = {0};
    struct seam_fault f = {0};

    for (int i = 0; i < n; i++) ASSERT_OK(wal_append(w, 9, &part, 1, &at, &f), &f);
    ASSERT_OK(wal_flush(w, &f), &f);
    return at.end;
}

static seam_lsn_t session(const char *dir, int n, uint64_t *id)
{
    struct wal *w = open_log(dir);
    seam_lsn_t end = n > 0 ? write_records(w, n) : wal_end_lsn(w);

    *id = wal_history(w);
    ASSERT_OK(wal_close(w, NULL), NULL);
    return end;
}

static void list_of(const char *dir, struct wal_history **list, size_t *count)
{
    struct seam_fault f = {0};

    ASSERT_OK(wal_histories(seam_io_posix(), dir, list, count, &f), &f);
}

static void copy_folder(const char *from, const char *to)
{
    char command[4 * PATH];

    snprintf(command, sizeof command, "rm -rf '%s' && cp -a --sparse=always '%s' '%s'", to, from,
             to);
    ck_assert_int_eq(system(command), 0);
}

static void dirs(char a[PATH], char b[PATH])
{
    snprintf(a, PATH, "%s/log", test_dir());
    snprintf(b, PATH, "%s/copy", test_dir());
}

static void test_each_opening_begins_one(void)
{
    char dir[PATH], unused[PATH];
    struct wal_history *list;
    size_t count;
    uint64_t id[3], again;
    seam_lsn_t end[3], parted;
    uint32_t crc;
    struct seam_fault f = {0};

    dirs(dir, unused);
    for (int i = 0; i < 3; i++) end[i] = session(dir, 5 + i, &id[i]);
    ck_assert(id[0] != 0 && id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
    list_of(dir, &list, &count);
    ck_assert_uint_eq(count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(list[i].id == id[i] && list[i].parent == (i > 0 ? id[i - 1] : 0));
        ck_assert_int_eq(list[i].why, i == 0 ? WAL_HISTORY_CREATED : WAL_HISTORY_OPENED);
        if (i == 0) continue;
        ck_assert_uint_eq(list[i].at, end[i - 1]);
        ASSERT_OK(wal_record_before(seam_io_posix(), dir, end[i - 1], &crc, &f), &f);
        ck_assert(crc != 0 && crc == list[i].before);
    }
    ck_assert_int_eq(wal_history_find(list, count, id[1], end[1], &parted), WAL_HISTORY_HERE);
    ck_assert_int_eq(wal_history_find(list, count, id[1], end[1] + 8, &parted), WAL_HISTORY_PARTED);
    ck_assert_uint_eq(parted, end[1]);
    ck_assert_int_eq(wal_history_find(list, count, 77, end[1], &parted), WAL_HISTORY_ELSEWHERE);
    ck_assert(wal_history_at(list, count, end[0]) == id[0] &&
              wal_history_at(list, count, end[0] + 8) == id[1]);
    free(list);
    /* Openings that write nothing leave one entry behind, but never the same id. */
    (void)session(dir, 0, &again);
    (void)session(dir, 0, &id[0]);
    list_of(dir, &list, &count);
    ck_assert(count == 4 && list[3].id == id[0] && id[0] != again && list[3].parent == id[2]);
    free(list);
    ASSERT_STATUS(wal_record_before(seam_io_posix(), dir, end[1] - 8, &crc, NULL), SEAM_NOT_FOUND);
}

static void test_two_futures_of_one_copy(void)
{
    char here[PATH], copy[PATH];
    struct wal_history *a, *b;
    size_t na, nb;
    uint64_t id, ours, theirs, common;
    seam_lsn_t at, end_here, end_copy, parted;

    dirs(here, copy);
    (void)session(here, 7, &id);
    at = session(here, 3, &id);
    copy_folder(here, copy);
    end_here = session(here, 4, &ours);
    end_copy = session(copy, 4, &theirs);
    ck_assert_uint_eq(end_here, end_copy); /* one LSN, two moments */
    ck_assert(ours != theirs);
    list_of(here, &a, &na);
    list_of(copy, &b, &nb);
    ck_assert(wal_history_fork(a, na, b, nb, &common, &parted));
    ck_assert(common == id && parted == at);
    ck_assert_int_eq(wal_history_find(b, nb, ours, end_here, &parted), WAL_HISTORY_ELSEWHERE);
    ck_assert_int_eq(wal_history_find(a, na, theirs, end_copy, &parted), WAL_HISTORY_ELSEWHERE);
    ck_assert_int_eq(wal_history_find(a, na, id, at, &parted), WAL_HISTORY_HERE);
    free(a);
    free(b);
    /* A copy taken where no record had been written since the opening parts there as well. */
    (void)session(here, 0, &ours);
    copy_folder(here, copy);
    (void)session(here, 2, &ours);
    (void)session(copy, 2, &theirs);
    list_of(here, &a, &na);
    list_of(copy, &b, &nb);
    ck_assert(ours != theirs && wal_history_fork(a, na, b, nb, &common, &parted));
    ck_assert_uint_eq(parted, end_here);
    free(a);
    free(b);
}

/* An older copy in the place of the log: what was written after it is found to be elsewhere. */
static void test_an_older_copy_put_back(void)
{
    char here[PATH], copy[PATH];
    struct wal_history *list, *lost;
    size_t count, n;
    uint64_t first, last, now, common;
    seam_lsn_t end, copied, parted;

    dirs(here, copy);
    copied = session(here, 10, &first);
    copy_folder(here, copy);
    end = session(here, 10, &last);
    list_of(here, &lost, &n);
    copy_folder(copy, here);
    (void)session(here, 30, &now);
    list_of(here, &list, &count);
    ck_assert_int_eq(wal_history_find(list, count, last, end, &parted), WAL_HISTORY_ELSEWHERE);
    ck_assert(wal_history_fork(lost, n, list, count, &common, &parted));
    ck_assert(common == first && parted == copied);
    free(list);
    free(lost);
}

static void test_a_list_that_is_damaged_or_lost(void)
{
    char dir[PATH], unused[PATH], path[PATH + 16];
    struct seam_buf good = {0}, after = {0};
    struct wal_history *list;
    size_t count;
    uint64_t id;
    struct seam_io *io = seam_io_posix();
    struct seam_fault f = {0};

    dirs(dir, unused);
    (void)session(dir, 3, &id);
    (void)session(dir, 3, &id);
    snprintf(path, sizeof path, "%s/histories", dir);
    ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &good, &f), &f);
    for (size_t i = 0; i < good.size; i++) {
        struct wal_options o = {.segment_bytes = WAL_SEGMENT_MIN};
        struct wal *w = NULL;
        enum seam_status st;

        good.data[i] ^= 0x10;
        ASSERT_OK(seam_io_write_atomic(io, path, good.data, good.size, &f), &f);
        st = wal_histories(io, dir, &list, &count, NULL);
        ck_assert_msg(st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED, "byte %zu: %s", i,
                      seam_status_name(st));
        st = wal_open(dir, &o, &w, NULL, NULL);
        ck_assert_msg(st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED, "byte %zu: open: %s", i,
                      seam_status_name(st));
        seam_buf_clear(&after);
        ASSERT_OK(seam_io_read_all(io, path, 1 << 20, &after, &f), &f);
        ck_assert(after.size == good.size && memcmp(after.data, good.data, good.size) == 0);
        good.data[i] ^= 0x10;
    }
    ASSERT_OK(seam_io_unlink(io, path, &f), &f);
    ASSERT_STATUS(wal_histories(io, dir, &list, &count, NULL), SEAM_NOT_FOUND);
    (void)session(dir, 1, &id);
    list_of(dir, &list, &count);
    ck_assert(count == 1 && list[0].why == WAL_HISTORY_UNKNOWN && list[0].parent == 0);
    free(list);
    seam_buf_free(&good);
    seam_buf_free(&after);
}

static void test_more_openings_than_are_listed(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct wal_history *list;
    size_t count;
    uint64_t id = 0;
    seam_lsn_t parted, end = 0;
    int openings = test_scale(WAL_HISTORIES_MAX + 50);

    for (int i = 0; i < openings; i++) {
        struct wal_options o = {.io = seam_io_sim_io(sim),
                                .segment_bytes = WAL_SEGMENT_MIN,
                                .buffer_bytes = 4096,
                                .seed = (uint64_t)i + 1};
        struct wal *w = NULL;
        struct seam_io_slice part = {"x", 1};
        struct wal_span at;

        ASSERT_OK(wal_open("log", &o, &w, NULL, NULL), NULL);
        ASSERT_OK(wal_append(w, 9, &part, 1, &at, NULL), NULL);
        id = wal_history(w);
        ASSERT_OK(wal_close(w, NULL), NULL);
        end = at.end;
    }
    ASSERT_OK(wal_histories(seam_io_sim_io(sim), "log", &list, &count, NULL), NULL);
    ck_assert(count <= WAL_HISTORIES_MAX && count > (size_t)openings / 2 - 1);
    for (size_t i = 1; i < count; i++) ck_assert(list[i].at > list[i - 1].at);
    ck_assert_int_eq(wal_history_find(list, count, id, end, &parted), WAL_HISTORY_HERE);
    free(list);
    seam_io_sim_free(sim);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_each_opening_begins_one),       T(test_two_futures_of_one_copy),
        T(test_an_older_copy_put_back),        T(test_a_list_that_is_damaged_or_lost),
        T(test_more_openings_than_are_listed),
    };

    return run_tests("wal history", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
