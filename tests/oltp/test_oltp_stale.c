/* Goal:   a page that lost its last write is noticed at the first read that meets it.
 * Method: images of the page file are kept while it changes: checkpoint by checkpoint, in the midst of transactions that
 *         are larger than the cache (their pages are written out early, and changed and written again), and across a
 *         crash that loses a future. Then every page is given the (checksum-valid) bytes it had in every older image,
 *         one at a time: all rows and all index entries are right, or the read fails and names the page; verify is
 *         never content with a page that is in use. Leaves, inner pages, roots, overflow pages and blobs are all met. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/oltp.h"
#include "oltp/page.h"
#include "tests/common/check_main.h"

enum { ROWS = 1500, BIG_EVERY = 50, IMAGES_MAX = 24, PAD = 150, BIG = 20000 };

static const char table_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{\"name\":\"k\",\"type\":"
    "\"int64\"},{\"name\":\"v\",\"type\":\"int64\"},{\"name\":\"pad\",\"type\":\"text\"}],"
    "\"indexes\":[{\"name\":\"by_v\",\"columns\":[\"v\"]}]}";

struct image {
    uint8_t *bytes;
    size_t pages;
};

struct world {
    struct seam_io_sim *sim;
    struct seam_io *io;
    struct oltp *db;
    uint32_t table;
    int64_t value[ROWS];
    struct image images[IMAGES_MAX];
    size_t count;
    struct seam_rng r;
};

static size_t pad_of(int k)
{
    return k % BIG_EVERY == 0 ? BIG : PAD;
}

static void open_writer(struct world *w)
{
    struct oltp_options o = {
        .wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN, .checkpoint_log_bytes = UINT64_MAX};
    struct seam_fault f = {0};

    ASSERT_OK(oltp_open(w->io, "d/oltp", &o, &w->db, &f), &f);
}

static void put(struct world *w, struct oltp_txn *t, int k, int64_t value)
{
    static char text[BIG];
    struct seam_value v[3] = {seam_v_int(k), seam_v_int(value), seam_v_text(text, pad_of(k))};
    struct seam_fault f = {0};

    memset(text, 'a' + (int)(value % 26), sizeof text);
    ASSERT_OK(oltp_put(t, w->table, v, &f), &f);
    w->value[k] = value;
}

static void keep_image(struct world *w)
{
    struct seam_file *file = NULL;
    struct image *m = &w->images[w->count++];
    uint64_t size = 0;
    struct seam_fault f = {0};

    ck_assert(w->count <= IMAGES_MAX);
    ASSERT_OK(seam_file_open(w->io, "d/oltp/pages", SEAM_FILE_READ, &file, &f), &f);
    ASSERT_OK(seam_file_size(file, &size, &f), &f);
    m->pages = (size_t)(size / OLTP_PAGE_SIZE);
    m->bytes = malloc(m->pages * OLTP_PAGE_SIZE);
    ck_assert(m->bytes != NULL);
    ASSERT_OK(seam_file_read(file, 0, m->bytes, m->pages * OLTP_PAGE_SIZE, &f), &f);
    seam_file_close(file);
}

static void write_page(struct world *w, size_t page, const uint8_t *bytes)
{
    struct seam_file *file = NULL;
    struct seam_fault f = {0};

    ASSERT_OK(seam_file_open(w->io, "d/oltp/pages", SEAM_FILE_WRITE, &file, &f), &f);
    ASSERT_OK(seam_file_write(file, page * OLTP_PAGE_SIZE, bytes, OLTP_PAGE_SIZE, &f), &f);
    seam_file_close(file);
}

/* One transaction of `changes` rows; an image in its midst every `every`. */
static void change(struct world *w, int changes, int every, int64_t base, bool commit)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    static int64_t before[ROWS];

    memcpy(before, w->value, sizeof before);
    ASSERT_OK(oltp_write_begin(w->db, &t, &f), &f);
    for (int i = 0; i < changes; i++) {
        put(w, t, (int)seam_rng_below(&w->r, ROWS), base + i);
        if (every > 0 && i % every == every - 1) keep_image(w);
    }
    if (commit) {
        ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    } else {
        oltp_end(t);
        memcpy(w->value, before, sizeof before);
    }
}

static void fill(struct world *w)
{
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};

    w->sim = seam_io_sim_new(test_seed());
    w->io = seam_io_sim_io(w->sim);
    seam_rng_seed(&w->r, test_seed());
    open_writer(w);
    ASSERT_OK(oltp_write_begin(w->db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, table_json, strlen(table_json), &w->table, &f), &f);
    for (int k = 0; k < ROWS; k++) put(w, t, k, k);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(w->db, &f), &f);
    keep_image(w);
}

/* Every row by key, then all index entries. SEAM_OK: what was seen is right. */
static enum seam_status read_all(struct world *w, struct seam_fault *f)
{
    struct oltp_options o = {.wal_dir = "d/wal",
                             .read_only = true,
                             .cache_bytes = OLTP_CACHE_MIN,
                             .private_bytes = 16 << 20};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct oltp_cursor *c = NULL;
    struct oltp_row row;
    uint32_t index = 0;
    int entries = 0;
    enum seam_status st = oltp_open(w->io, "d/oltp", &o, &db, f);

    if (st == SEAM_OK) st = oltp_read_begin(db, &t, f);
    for (int k = 0; st == SEAM_OK && k < ROWS; k++) {
        struct seam_value key = seam_v_int(k), v[3];

        st = oltp_get(t, w->table, &key, &row, f);
        ck_assert_msg(st != SEAM_NOT_FOUND, "row %d is gone without a word", k);
        if (st == SEAM_OK)
            st = seam_row_decode(oltp_schema(t, w->table), row.row.data, row.row.size, v, f);
        if (st != SEAM_OK) break;
        ck_assert_msg(v[1].i == w->value[k] && v[2].len == pad_of(k) &&
                          v[2].s[0] == 'a' + w->value[k] % 26 && v[2].s[v[2].len - 1] == v[2].s[0],
                      "row %d is an older one, without a word", k);
    }
    if (st == SEAM_OK) st = oltp_index(t, w->table, "by_v", &index, f);
    if (st == SEAM_OK) st = oltp_cursor_open(t, w->table, index, NULL, OLTP_KEYS_ONLY, &c, f);
    while (st == SEAM_OK && (st = oltp_cursor_next(c, &row, f)) == SEAM_OK) entries++;
    if (st == SEAM_END) {
        st = SEAM_OK;
        ck_assert_int_eq(entries, ROWS);
    }
    oltp_cursor_close(c);
    oltp_end(t);
    (void)oltp_close(db, NULL);
    return st;
}

/* Every page with every older content it had. */
static void put_back_each(struct world *w)
{
    const struct image *now;
    struct seam_fault f = {0};
    size_t tried = 0, noticed[PAGE_BLOB + 1] = {0}, all = 0;

    ASSERT_OK(oltp_checkpoint(w->db, &f), &f);
    ASSERT_OK(oltp_close(w->db, &f), &f);
    keep_image(w);
    now = &w->images[w->count - 1];
    ASSERT_OK(read_all(w, &f), &f);
    for (size_t p = 2; p < now->pages; p++) {
        const uint8_t *is = now->bytes + p * OLTP_PAGE_SIZE, *last = is;

        for (size_t i = w->count - 1; i-- > 0;) {
            const uint8_t *was = w->images[i].bytes + p * OLTP_PAGE_SIZE;
            struct oltp_check check;
            struct seam_fault why = {0};
            enum seam_status st, verified;

            if (p >= w->images[i].pages || memcmp(was, last, OLTP_PAGE_SIZE) == 0 ||
                page_kind(was) == 0)
                continue;
            last = was;
            if (test_scale(100) < 100 && seam_rng_below(&w->r, 4) != 0) continue;
            write_page(w, p, was);
            tried++;
            st = read_all(w, &why);
            ck_assert_msg(st == SEAM_OK || st == SEAM_CORRUPT, "page %zu: %s", p,
                          seam_status_name(st));
            verified =
                oltp_verify(w->io, "d/oltp", "d/wal", &check, NULL, (struct oltp_progress){0}, &f);
            ck_assert_msg(st == SEAM_OK || verified == SEAM_CORRUPT,
                          "page %zu: a read fails, verify is content", p);
            if (verified == SEAM_CORRUPT) {
                noticed[page_kind(is)]++;
                all++;
            }
            write_page(w, p, is);
        }
    }
    ASSERT_OK(read_all(w, &f), &f);
    printf("put back %zu; noticed %zu: leaves %zu, inner %zu, overflow %zu, blobs %zu\n", tried,
           all, noticed[PAGE_LEAF], noticed[PAGE_INNER], noticed[PAGE_OVERFLOW],
           noticed[PAGE_BLOB]);
    ck_assert(noticed[PAGE_LEAF] > 0);
    for (size_t i = 0; i < w->count; i++) free(w->images[i].bytes);
    seam_io_sim_free(w->sim);
}

static void test_pages_of_older_checkpoints(void)
{
    static struct world w;
    struct seam_fault f = {0};

    fill(&w);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 10; i++) change(&w, 3, 0, 10000 * (round + 1) + 10 * i, true);
        ASSERT_OK(oltp_checkpoint(w.db, &f), &f);
        keep_image(&w);
    }
    put_back_each(&w);
}

/* The cache holds a part of what the transaction changes: a page is written in its midst, loaded, changed, and written
 * again, all in one place and by one transaction. */
static void test_pages_written_twice_by_one_transaction(void)
{
    static struct world w;
    struct seam_fault f = {0};

    fill(&w);
    change(&w, 3 * ROWS, ROWS / 3, 100000, true);
    change(&w, ROWS, ROWS / 3, 200000, false); /* rolled back: its page numbers are used again */
    change(&w, 2 * ROWS, ROWS / 2, 300000, true);
    ASSERT_OK(oltp_checkpoint(w.db, &f), &f);
    put_back_each(&w);
}

/* A crash loses what was written after the checkpoint; recovery and what follows lie in the same places. */
static void test_pages_of_a_lost_future(void)
{
    static struct world w;
    static int64_t before[ROWS];
    struct seam_fault f = {0};

    fill(&w);
    memcpy(before, w.value, sizeof before);
    for (int future = 0; future < 3; future++) {
        struct oltp_txn *t = NULL;

        ASSERT_OK(oltp_write_begin(w.db, &t, &f), &f);
        for (int i = 0; i < 2 * ROWS; i++) put(&w, t, i % ROWS, 100000 * (future + 1) + i);
        keep_image(&w); /* its pages are in the file; its COMMIT never was in the log */
        oltp_end(t);
        ASSERT_OK(oltp_close(w.db, &f), &f);
        memcpy(w.value, before, sizeof before);
        open_writer(&w);
    }
    change(&w, 2 * ROWS, 0, 900000, true);
    put_back_each(&w);
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_pages_of_older_checkpoints),
        T(test_pages_written_twice_by_one_transaction),
        T(test_pages_of_a_lost_future),
    };

    return run_tests("oltp stale", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
