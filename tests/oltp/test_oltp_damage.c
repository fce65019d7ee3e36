/* Goal:   damaged bytes are found and named, never believed, and cost no more than what they held.
 * Method: flip bytes of the page file (all of the meta pages' fields and every page's header, and a seeded sample of
 *         the rest), truncate it, misplace pages; open, read and verify: the right answer or SEAM_CORRUPT with file
 *         and offset. Salvage then brings back every row that no damaged page held. Clone, vacuum and dump are
 *         tried on the same data. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "tests/common/check_main.h"

enum { ROWS = 900 };

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},"
    "{\"name\":\"v\",\"type\":\"text\"}],\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

static size_t body(char *out, int k)
{
    size_t n =
        k % 100 == 99 ? 20000 : 60 + (size_t)(k * 37 % 120); /* some rows hang in overflow pages */

    for (size_t i = 0; i < n; i++) out[i] = (char)('a' + (k + (int)i) % 26);
    return n;
}

static uint32_t fill(struct seam_io *io, seam_lsn_t *lsn, bool checkpoint)
{
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN, .seed = 5};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_commit c;
    struct seam_fault f = {0};
    static char text[20001];
    uint32_t table = 0;

    ASSERT_OK(oltp_open(io, "d/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &table, &f), &f);
    for (int k = 0; k < ROWS; k++) {
        size_t n = body(text, k);
        struct seam_value v[2] = {seam_v_int(k), seam_v_text(text, n > 900 ? 900 : n)};

        v[1].len = (uint32_t)(k % 100 == 99 ? 900 : n); /* the index cannot hold more */
        ASSERT_OK(oltp_put(t, table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, &c, &f), &f);
    if (checkpoint) ASSERT_OK(oltp_checkpoint(db, &f), &f);
    ASSERT_OK(oltp_close(db, &f), &f);
    if (lsn != NULL) *lsn = c.lsn;
    return table;
}

/* Reads every row; SEAM_OK only when all are there and right. */
static enum seam_status read_all(struct seam_io *io, const char *dir, uint32_t table)
{
    struct oltp_options o = {.wal_dir = "d/wal",
                             .read_only = true,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .private_bytes = 4 << 20};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    struct seam_fault f = {0};
    static char text[20001];
    int k = 0;
    enum seam_status st = oltp_open(io, dir, &o, &db, &f);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, &f);
    if (st == SEAM_OK) st = oltp_cursor_open(t, table, 0, NULL, 0, &c, &f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, &f)) == SEAM_OK) {
        struct seam_value v[2];
        size_t n = body(text, k);

        st = seam_row_decode(oltp_schema(t, table), row.row.data, row.row.size, v, &f);
        if (st == SEAM_OK)
            ck_assert_msg(v[0].i == k && v[1].len == (k % 100 == 99 ? 900 : n) &&
                              memcmp(v[1].s, text, v[1].len) == 0,
                          "row %d is wrong", k);
        k++;
    }
    if (st == SEAM_END) {
        ck_assert_int_eq(k, ROWS);
        st = SEAM_OK;
    }
    if (st == SEAM_CORRUPT)
        ck_assert_msg(f.where[0] != '\0' && f.why[0] != '\0', "a fault without place or reason");
    oltp_cursor_close(c);
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

static enum seam_status verify(struct seam_io *io)
{
    struct oltp_check check;
    struct seam_fault f = {0};

    return oltp_verify(io, "d/oltp", "d/wal", &check, NULL, (struct oltp_progress){0}, &f);
}

static uint64_t pages_size(struct seam_io *io)
{
    struct seam_file *file = NULL;
    uint64_t size = 0;

    ASSERT_OK(seam_file_open(io, "d/oltp/pages", SEAM_FILE_READ, &file, NULL), NULL);
    ASSERT_OK(seam_file_size(file, &size, NULL), NULL);
    seam_file_close(file);
    return size;
}

static void flip_one(struct seam_io_sim *sim, uint32_t table, uint64_t at, uint8_t mask, int *found)
{
    struct seam_io *io = seam_io_sim_io(sim);
    enum seam_status st;

    ck_assert(seam_io_sim_flip(sim, "d/oltp/pages", at, mask));
    st = read_all(io, "d/oltp", table);
    ck_assert_msg(st == SEAM_OK || st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED,
                  "byte %llu: read: %s", (unsigned long long)at, seam_status_name(st));
    st = verify(io);
    ck_assert_msg(st == SEAM_OK || st == SEAM_CORRUPT || st == SEAM_UNSUPPORTED,
                  "byte %llu: verify: %s", (unsigned long long)at, seam_status_name(st));
    *found += st != SEAM_OK;
    ck_assert(seam_io_sim_flip(sim, "d/oltp/pages", at, mask));
}

static void test_flipped_bytes_are_found(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    uint32_t table = fill(seam_io_sim_io(sim), NULL, true);
    uint64_t size = pages_size(seam_io_sim_io(sim));
    struct seam_rng r;
    int found = 0, used = 0;

    seam_rng_seed(&r, test_seed());
    ASSERT_OK(verify(seam_io_sim_io(sim)), NULL);
    for (uint64_t at = 0; at < 512;
         at += (uint64_t)(100 / test_scale(50))) /* the meta pages: always seen */
        for (int slot = 0; slot < 2; slot++) {
            int before = found;

            flip_one(sim, table, (uint64_t)slot * OLTP_PAGE_SIZE + at, 0x10, &found);
            ck_assert_msg(found == before + 1, "byte %llu of meta page %d was not checked",
                          (unsigned long long)at, slot);
            used++;
        }
    for (int i = 0; i < test_scale(400); i++) {
        uint64_t page = 2 + seam_rng_below(&r, size / OLTP_PAGE_SIZE - 2);
        uint64_t at = page * OLTP_PAGE_SIZE +
                      (i % 2 == 0 ? seam_rng_below(&r, 56) : seam_rng_below(&r, OLTP_PAGE_SIZE));

        flip_one(sim, table, at, (uint8_t)(1u << seam_rng_below(&r, 8)), &found);
    }
    ASSERT_OK(verify(seam_io_sim_io(sim)), NULL);
    ck_assert_int_gt(found, used + test_scale(200)); /* the others hit free pages */
    seam_io_sim_free(sim);
}

static void test_truncation_is_found(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    uint32_t table = fill(io, NULL, true);
    uint64_t size = pages_size(io);

    for (uint64_t cut = size; cut >= 1000; cut -= cut > 40000 ? 30011 : 1777) {
        struct seam_file *file = NULL;
        enum seam_status st;

        ASSERT_OK(seam_file_open(io, "d/oltp/pages", SEAM_FILE_WRITE, &file, NULL), NULL);
        ASSERT_OK(seam_file_truncate(file, cut, NULL), NULL);
        seam_file_close(file);
        st = read_all(io, "d/oltp", table);
        ck_assert_msg(st == SEAM_OK || st == SEAM_CORRUPT, "cut at %llu: %s",
                      (unsigned long long)cut, seam_status_name(st));
        if (cut < size / 2) ck_assert_int_eq(st, SEAM_CORRUPT);
    }
    seam_io_sim_free(sim);
}

static void test_misplaced_page_is_found(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    uint32_t table = fill(io, NULL, true);
    uint64_t pages = pages_size(io) / OLTP_PAGE_SIZE;
    uint8_t page[OLTP_PAGE_SIZE], other[OLTP_PAGE_SIZE];
    struct seam_file *file = NULL;
    int found = 0;

    ASSERT_OK(seam_file_open(io, "d/oltp/pages", SEAM_FILE_WRITE, &file, NULL), NULL);
    for (uint64_t i = 2; i + 1 < pages; i += 5) { /* a whole, valid page where another belongs */
        ASSERT_OK(seam_file_read(file, i * OLTP_PAGE_SIZE, page, sizeof page, NULL), NULL);
        ASSERT_OK(seam_file_read(file, (i + 1) * OLTP_PAGE_SIZE, other, sizeof other, NULL), NULL);
        ASSERT_OK(seam_file_write(file, (i + 1) * OLTP_PAGE_SIZE, page, sizeof page, NULL), NULL);
        found += read_all(io, "d/oltp", table) == SEAM_CORRUPT || verify(io) == SEAM_CORRUPT;
        ASSERT_OK(seam_file_write(file, (i + 1) * OLTP_PAGE_SIZE, other, sizeof other, NULL), NULL);
    }
    ck_assert_int_gt(found, 3);
    seam_file_close(file);
    seam_io_sim_free(sim);
}

struct rows {
    bool seen[ROWS];
    int count, wrong;
};

static enum seam_status take_row(void *ctx, const struct seam_schema *s, struct wal_bytes key,
                                 struct wal_bytes row)
{
    struct rows *r = ctx;
    static char text[20001];
    struct seam_value v[2];
    size_t n;

    (void)key;
    if (seam_row_decode(s, row.data, row.size, v, NULL) != SEAM_OK || v[0].i < 0 ||
        v[0].i >= ROWS || r->seen[v[0].i]) {
        r->wrong++;
        return SEAM_OK;
    }
    n = body(text, (int)v[0].i);
    if (n > 900) n = 900;
    if (v[1].len != n || memcmp(v[1].s, text, n) != 0) r->wrong++;
    r->seen[v[0].i] = true;
    r->count++;
    return SEAM_OK;
}

static void test_salvage_brings_back_the_rest(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    uint64_t pages;
    struct oltp_salvaged out;
    struct seam_fault f = {0};
    struct seam_buf report = {0};
    static struct rows rows;

    fill(io, NULL, true);
    pages = pages_size(io) / OLTP_PAGE_SIZE;
    for (int round = 0; round < 3; round++) {
        memset(&rows, 0, sizeof rows);
        seam_buf_clear(&report);
        ASSERT_OK(
            oltp_salvage(
                io, "d/oltp",
                round > 0
                    ? "[{\"table\":\"t\",\"id\":1,\"version\":1,\"key\":[\"k\"],\"columns\":[{"
                      "\"name\":\"k\",\"type\":\"int64\"},{\"name\":\"v\",\"type\":\"text\"}]}]"
                    : NULL,
                take_row, &rows, &out, &report, &f),
            &f);
        ck_assert_int_eq(rows.wrong, 0);
        ck_assert_int_eq((int)out.rows, rows.count);
        if (round == 0) {
            ck_assert_int_eq(rows.count, ROWS);
            ck_assert_uint_eq(out.bad_pages, 0);
            for (uint64_t i = 2; i < pages; i += 9)
                ck_assert(seam_io_sim_flip(sim, "d/oltp/pages", i * OLTP_PAGE_SIZE + 100, 1));
        } else if (round == 1) {
            ck_assert_uint_gt(out.bad_pages, 0);
            ck_assert_int_gt(rows.count, ROWS / 2);
            ck_assert(report.size > 0);
            ck_assert(seam_io_sim_flip(sim, "d/oltp/pages", 20, 1)); /* and now both meta pages */
            ck_assert(seam_io_sim_flip(sim, "d/oltp/pages", OLTP_PAGE_SIZE + 20, 1));
        } else {
            ck_assert_int_gt(rows.count, ROWS / 2);
        }
    }
    seam_buf_free(&report);
    seam_io_sim_free(sim);
}

/* Each read of a salvage fails once: it says so, or does without, and never looks at what was not read. */
static void test_salvage_goes_on_after_failed_reads(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    static struct rows rows;

    fill(io, NULL, true);
    for (uint64_t nth = 1; nth <= 12; nth++) {
        struct oltp_salvaged out;
        struct seam_buf report = {0};
        struct seam_fault f = {0};
        enum seam_status st;

        memset(&rows, 0, sizeof rows);
        seam_io_sim_plant(sim, SEAM_SIM_READ_EIO, nth, false);
        st = oltp_salvage(io, "d/oltp", NULL, take_row, &rows, &out, &report, &f);
        seam_io_sim_clear(sim);
        ck_assert_int_eq(rows.wrong, 0);
        ck_assert_msg(st == SEAM_OK || f.why[0] != '\0', "read %d: no word", (int)nth);
        if (st == SEAM_OK && rows.count < ROWS) ck_assert_uint_gt(report.size, 0);
        seam_buf_free(&report);
    }
    seam_io_sim_free(sim);
}

static void test_clone_is_the_same_state_and_vacuum_shortens(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    seam_lsn_t lsn = 0, at = 0;
    uint32_t table = fill(io, &lsn, false); /* the clone must replay the log */
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct seam_buf text = {0};
    struct oltp_tree_stats ts;
    uint64_t freed = 0, before;

    ASSERT_OK(oltp_clone(io, "d/oltp", "d/wal", SEAM_LSN_MAX, "e/oltp", &at,
                         (struct oltp_progress){0}, &f),
              &f);
    ck_assert_uint_eq(at, lsn);
    ASSERT_OK(read_all(io, "e/oltp", table), NULL);
    ASSERT_STATUS(oltp_clone(io, "d/oltp", "d/wal", SEAM_LSN_MAX, "e/oltp", &at,
                             (struct oltp_progress){0}, &f),
                  SEAM_EXISTS);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_open(io, "d/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (int k = ROWS; k < 8000; k++) {
        struct seam_value v[2] = {
            seam_v_int(k),
            seam_v_str("some text that takes its place for a while and is deleted later on")};

        ASSERT_OK(oltp_put(t, table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    for (int k = 0; k < 8000; k++) {
        struct seam_value key = seam_v_int(k);

        if (k >= 800 && k < ROWS) continue;

        ASSERT_OK(oltp_delete(t, table, &key, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    before = pages_size(io);
    ASSERT_OK(oltp_vacuum(db, &freed, &f), &f);
    ck_assert_uint_gt(freed, 0);
    ck_assert_uint_lt(pages_size(io), before);
    ASSERT_OK(verify(io), NULL);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ck_assert_uint_eq(oltp_count(t, table, 0), 100);
    ASSERT_OK(oltp_tree_stats(t, table, 0, &ts, &f), &f);
    ck_assert_uint_eq(ts.entries, 100);
    ASSERT_OK(oltp_dump_tree(t, table, 0, 100, &text, &f), &f);
    ck_assert(strstr(seam_buf_cstr(&text), "leaf") != NULL);
    oltp_end(t);
    ASSERT_OK(oltp_close(db, &f), &f);
    for (uint32_t i = 0; i < 8; i++) ASSERT_OK(oltp_dump(io, "d/oltp/pages", i, &text, &f), &f);
    ck_assert(strstr(seam_buf_cstr(&text), "meta page 0") != NULL);
    seam_buf_free(&text);
    seam_io_sim_free(sim);
}

static const struct named_test tests[] = {T(test_flipped_bytes_are_found),
                                          T(test_truncation_is_found),
                                          T(test_misplaced_page_is_found),
                                          T(test_salvage_brings_back_the_rest),
                                          T(test_salvage_goes_on_after_failed_reads),
                                          T(test_clone_is_the_same_state_and_vacuum_shortens)};

int main(int argc, char **argv)
{
    return run_tests("oltp damage", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
