/* Goal:   pages and a log that do not belong together are refused by name, by every opening; those of one line go on.
 * Method: two databases of the same shape and the same record sizes, and copies of one taken at several moments, are put
 *         together in every way: another's log, an older log that has grown past the pages again, older pages, both older.
 *         What is refused changes nothing; what goes on answers with the rows of its own history, under an id of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { PATH = 400 };

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},{\"name\":\"v\",\"type\":\"int64\"}]}";

static void place(char out[PATH + 16], const char *base, const char *what)
{
    snprintf(out, PATH + 16, "%s/%s", base, what);
}

static enum seam_status open_at(const char *base, bool read_only, struct oltp **db,
                                struct seam_fault *f)
{
    char dir[PATH + 16], wal[PATH + 16];
    struct oltp_options o = {.wal_dir = wal,
                             .read_only = read_only,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .private_bytes = OLTP_CACHE_MIN,
                             .checkpoint_log_bytes = UINT64_MAX};

    place(dir, base, "oltp");
    place(wal, base, "wal");
    return oltp_open(seam_io_posix(), dir, &o, db, f);
}

/* Rows 0 to n - 1 become `value`, a commit each. Returns the history under which. */
static uint64_t write_rows(const char *base, int n, int64_t value, bool checkpoint)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0;
    uint64_t history;

    ASSERT_OK(open_at(base, false, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    if (oltp_table(t, "t", &table, NULL) != SEAM_OK)
        ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &table, &f), &f);
    ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    for (int k = 0; k < n; k++) {
        struct seam_value v[2] = {seam_v_int(k), seam_v_int(value)};

        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        ASSERT_OK(oltp_put(t, table, v, &f), &f);
        ASSERT_OK(oltp_commit(t, OLTP_DEFERRED, NULL, &f), &f);
    }
    if (checkpoint) ASSERT_OK(oltp_checkpoint(db, &f), &f);
    history = oltp_history(db);
    ASSERT_OK(oltp_close(db, &f), &f);
    return history;
}

static int64_t row(const char *base, int k, uint64_t *history)
{
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_row r;
    struct seam_value key = seam_v_int(k), v[2];
    struct seam_fault f = {0};
    uint32_t table;

    ASSERT_OK(open_at(base, true, &db, &f), &f);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_table(t, "t", &table, &f), &f);
    ASSERT_OK(oltp_get(t, table, &key, &r, &f), &f);
    ASSERT_OK(seam_row_decode(oltp_schema(t, table), r.row.data, r.row.size, v, &f), &f);
    if (history != NULL) *history = oltp_history(db);
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return v[1].i;
}

static void shell(const char *format, const char *a, const char *b)
{
    char command[8 * PATH];

    snprintf(command, sizeof command, format, a, b);
    ck_assert_int_eq(system(command), 0);
}

/* Writer, reader and verify say the same, with `word` in it, and leave the pages alone. */
static void refused(const char *base, const char *word)
{
    char dir[PATH + 16], wal[PATH + 16], pages[PATH + 32];
    struct seam_buf before = {0}, after = {0};
    struct oltp_check check;
    enum seam_status st[3];

    place(dir, base, "oltp");
    place(wal, base, "wal");
    snprintf(pages, sizeof pages, "%s/pages", dir);
    ASSERT_OK(seam_io_read_all(seam_io_posix(), pages, 1 << 26, &before, NULL), NULL);
    for (int i = 0; i < 3; i++) {
        struct oltp *db = NULL;
        struct seam_fault f = {0};

        st[i] = i < 2 ? open_at(base, i == 0, &db, &f)
                      : oltp_verify(seam_io_posix(), dir, wal, &check, NULL,
                                    (struct oltp_progress){0}, &f);
        ck_assert_msg(st[i] == SEAM_CONFLICT && strstr(f.why, word) != NULL, "%d: %s: %s", i,
                      seam_status_name(st[i]), f.why);
    }
    ASSERT_OK(seam_io_read_all(seam_io_posix(), pages, 1 << 26, &after, NULL), NULL);
    ck_assert(before.size == after.size && memcmp(before.data, after.data, before.size) == 0);
    seam_buf_free(&before);
    seam_buf_free(&after);
}

static void bases(char a[PATH], char b[PATH])
{
    snprintf(a, PATH, "%s/a", test_dir());
    snprintf(b, PATH, "%s/b", test_dir());
    shell("mkdir '%1$s' '%2$s'", a, b);
}

static void test_anothers_log(void)
{
    char a[PATH], b[PATH];

    bases(a, b);
    (void)write_rows(a, 20, 111, true);
    (void)write_rows(b, 20, 222, true);
    (void)write_rows(a, 20, 112, false);
    (void)write_rows(b, 20, 223, false);
    shell("mv '%1$s/wal' '%2$s/wal.own'", a, a);
    shell("cp -a --sparse=always '%1$s/wal' '%2$s/wal'", b, a);
    refused(a, "another database's log");
    shell("rm -rf '%1$s/wal' && mv '%2$s/wal.own' '%1$s/wal'", a, a);
    ck_assert_int_eq(row(a, 3, NULL), 112);
}

/* The log is restored, the pages are not, and the log has grown past them again: every LSN fits. */
static void test_an_older_log_under_newer_pages(void)
{
    char a[PATH], copy[PATH], gone[PATH + 32];

    bases(a, copy);
    (void)write_rows(a, 20, 1, true);
    shell("rm -rf '%2$s' && cp -a --sparse=always '%1$s' '%2$s'", a, copy);
    (void)write_rows(a, 20, 2, true);
    (void)write_rows(copy, 60, 3, false);
    snprintf(gone, sizeof gone, "%s/wal", a);
    shell("rm -rf '%1$s' && cp -a --sparse=always '%2$s/wal' '%1$s'", gone, copy);
    refused(a, "not of one moment");
}

static void test_older_pages_under_the_log_are_fine(void)
{
    char a[PATH], copy[PATH], gone[PATH + 32];

    bases(a, copy);
    (void)write_rows(a, 20, 1, true);
    shell("rm -rf '%2$s' && cp -a --sparse=always '%1$s' '%2$s'", a, copy);
    for (int i = 2; i < 6; i++) (void)write_rows(a, 20, i, false);
    snprintf(gone, sizeof gone, "%s/oltp", a);
    shell("rm -rf '%1$s' && cp -a --sparse=always '%2$s/oltp' '%1$s'", gone, copy);
    ck_assert_int_eq(row(a, 7, NULL), 5);
    (void)write_rows(a, 1, 6, true);
    ck_assert_int_eq(row(a, 0, NULL), 6);
}

static void test_both_older_is_another_history(void)
{
    char a[PATH], copy[PATH];
    uint64_t lost, now, seen;

    bases(a, copy);
    (void)write_rows(a, 20, 1, true);
    shell("rm -rf '%2$s' && cp -a --sparse=always '%1$s' '%2$s'", a, copy);
    lost = write_rows(a, 20, 2, true);
    shell("rm -rf '%1$s' && cp -a --sparse=always '%2$s' '%1$s'", a, copy);
    now = write_rows(a, 20, 3, false);
    ck_assert(lost != 0 && now != 0 && lost != now);
    ck_assert_int_eq(row(a, 4, &seen), 3);
    ck_assert(seen == now);
}

static void test_openings_without_a_checkpoint(void)
{
    char a[PATH], unused[PATH];

    bases(a, unused);
    (void)write_rows(a, 5, 1, true);
    for (int i = 0; i < 50; i++) (void)write_rows(a, i % 2, 2 + i, false);
    ck_assert_int_eq(row(a, 0, NULL), 51);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_anothers_log),
        T(test_an_older_log_under_newer_pages),
        T(test_older_pages_under_the_log_are_fine),
        T(test_both_older_is_another_history),
        T(test_openings_without_a_checkpoint),
    };

    return run_tests("oltp identity", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
