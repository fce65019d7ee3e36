/* One page by itself: the bytes of the documented example, search and change against a naive list, damage; and
 * the limits of docs/reference/limits.md, at each and one beyond. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/page.h"
#include "tests/common/check_main.h"

static void test_leaf_bytes_are_as_documented(void)
{
    uint8_t page[OLTP_PAGE_SIZE] = {0}, tmp[OLTP_PAGE_SIZE];
    struct seam_buf key = {0};
    struct seam_value five = seam_v_int(5);
    struct oltp_page_item it = {.value = (const uint8_t *)"row", .size = 3};
    const uint8_t start[] = {2, 0, 1, 0}, after_id[] = {2, 0, 0, 0, 32, 0, 0, 0},
                  head[] = {0, 0, 0x80, 2};
    const uint8_t cell[] = {9, 6, 0, 0, 0, 0, 5, 'r', 'o', 'w'};
    unsigned heap;

    seam_key_append(&key, &five);
    oltp_page_init(page, PAGE_LEAF, 0, 2, 32, 7, NULL, 0);
    it.key = key.data;
    it.key_size = (uint16_t)key.size;
    ck_assert(oltp_page_insert(page, 0, &it, tmp));
    heap = page_heap(page);
    ck_assert_int_eq(memcmp(page + 4, start, 4), 0);
    ck_assert_int_eq(memcmp(page + 16, after_id, 8), 0);
    ck_assert_int_eq(memcmp(page + 56, head, 4), 0);
    ck_assert_uint_eq(seam_get_u16(page + 60), heap);
    ck_assert_uint_eq(heap, OLTP_PAGE_SIZE - sizeof cell);
    ck_assert_int_eq(memcmp(page + heap, cell, sizeof cell), 0);
    oltp_page_seal(page, 99, 1000);
    ASSERT_OK(oltp_page_check(page, 99, 2, 10, "p", NULL), NULL);
    ASSERT_STATUS(oltp_page_check(page, 98, 2, 10, "p", NULL), SEAM_CORRUPT);
    ASSERT_STATUS(oltp_page_check(page, 99, 3, 10, "p", NULL), SEAM_CORRUPT);
    seam_buf_free(&key);
}

struct entry {
    uint8_t key[64], value[64];
    size_t n, size;
};

static int entry_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return seam_key_compare(x->key, x->n, y->key, y->n);
}

static void random_key(struct seam_rng *r, struct entry *e)
{
    static const char *const stems[] = {"", "a", "shared/prefix/", "shared/prefix/longer/"};
    const char *stem = stems[seam_rng_below(r, 4)];

    e->n = (size_t)snprintf((char *)e->key, sizeof e->key, "%s", stem);
    for (size_t extra = seam_rng_below(r, 9); extra > 0; extra--)
        e->key[e->n++] = (uint8_t)(seam_rng_below(r, 3) * 127);
}

static void check_page_equals(const uint8_t *page, const struct entry *list, size_t count)
{
    uint8_t key[OLTP_KEY_MAX];
    bool exact;

    ck_assert_uint_eq(page_count(page), count);
    for (unsigned i = 0; i < count; i++) {
        struct oltp_cell c = page_cell(page, i);

        ck_assert_uint_eq(oltp_page_key(page, i, key), list[i].n);
        ck_assert_int_eq(memcmp(key, list[i].key, list[i].n), 0);
        ck_assert_uint_eq(c.size, list[i].size);
        ck_assert_int_eq(memcmp(c.value, list[i].value, c.size), 0);
        ck_assert_uint_eq(oltp_page_find(page, list[i].key, list[i].n, &exact), i);
        ck_assert(exact);
    }
}

static void test_page_equals_a_sorted_list(void)
{
    static uint8_t page[OLTP_PAGE_SIZE], tmp[OLTP_PAGE_SIZE];
    static struct entry list[400];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < test_scale(60); round++) {
        size_t count = 0;

        memset(page, 0, sizeof page);
        oltp_page_init(page, PAGE_LEAF, 0, 2, 32, 7, NULL, 0);
        for (int step = 0; step < 300; step++) {
            struct entry e = {0};
            struct oltp_page_item it;
            bool exact;
            unsigned at, naive = 0;

            random_key(&r, &e);
            e.size = seam_rng_below(&r, 60);
            seam_rng_bytes(&r, e.value, e.size);
            it = (struct oltp_page_item){.key = e.key,
                                         .key_size = (uint16_t)e.n,
                                         .value = e.value,
                                         .size = (uint32_t)e.size};
            at = oltp_page_find(page, e.key, e.n, &exact);
            while (naive < count &&
                   seam_key_compare(list[naive].key, list[naive].n, e.key, e.n) < 0)
                naive++;
            ck_assert_uint_eq(at, naive);
            if (exact && seam_rng_below(&r, 2) == 0) {
                oltp_page_remove(page, at);
                memmove(&list[at], &list[at + 1], (--count - at) * sizeof *list);
            } else if (exact) {
                if (oltp_page_replace(page, at, &it, tmp)) list[at] = e;
            } else if (oltp_page_insert(page, at, &it, tmp)) {
                list[count++] = e;
                qsort(list, count, sizeof *list, entry_order);
            }
            oltp_page_seal(page, 5, 9);
            ASSERT_OK(oltp_page_check(page, 5, 2, 10, "p", NULL), NULL);
        }
        check_page_equals(page, list, count);
    }
}

/* The checker must stop every page that the accessors would trip over, whatever its checksum says. */
static void test_hostile_pages_are_refused_or_harmless(void)
{
    static uint8_t good[OLTP_PAGE_SIZE], page[OLTP_PAGE_SIZE], tmp[OLTP_PAGE_SIZE];
    struct seam_rng r;
    struct entry e = {0};
    uint64_t sum = 0;

    seam_rng_seed(&r, test_seed());
    oltp_page_init(good, PAGE_LEAF, 0, 2, 32, 7, NULL, 0);
    for (int i = 0; i < 60; i++) {
        struct oltp_page_item it;
        bool exact;
        unsigned at;

        random_key(&r, &e);
        it = (struct oltp_page_item){
            .key = e.key, .key_size = (uint16_t)e.n, .value = e.value, .size = 40};
        at = oltp_page_find(good, e.key, e.n, &exact);
        if (!exact) (void)!oltp_page_insert(good, at, &it, tmp);
    }
    for (int i = 0; i < test_scale(20000); i++) {
        uint8_t key[OLTP_KEY_MAX];

        memcpy(page, good, sizeof page);
        for (int k = 0; k < 3; k++)
            page[4 + seam_rng_below(&r, k == 0 ? 60 : OLTP_PAGE_SIZE - 4)] =
                (uint8_t)seam_rng_u64(&r);
        oltp_page_seal(page, 5, 9); /* a liar with a good checksum */
        seam_put_u32(page + PAGE_ID, 2);
        oltp_page_seal(page, 5, 9);
        if (oltp_page_check(page, 5, 2, 10, "p", NULL) != SEAM_OK) continue;
        if (page_kind(page) != PAGE_LEAF && page_kind(page) != PAGE_INNER) continue;
        for (unsigned k = 0; k < page_count(page); k++) {
            struct oltp_cell c = page_cell(page, k);

            sum += oltp_page_key(page, k, key);
            if (page_kind(page) == PAGE_LEAF && !c.big)
                for (uint32_t b = 0; b < c.size; b++) sum += c.value[b];
        }
    }
    ck_assert_uint_gt(sum, 0);
}

static const char text_table[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{"
                                 "\"name\":\"k\",\"type\":\"text\"},"
                                 "{\"name\":\"v\",\"type\":\"text\"}]}";

static void test_limits_are_errors(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = 64 << 20};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL, *readers[OLTP_READERS_MAX], *extra = NULL;
    struct seam_fault f = {0};
    uint32_t table = 0, save = 0;
    char *big = malloc(OLTP_ROW_MAX + 10);
    struct seam_value v[2];
    struct oltp_row row;

    ck_assert_ptr_nonnull(big);
    memset(big, 'b', OLTP_ROW_MAX + 10);
    ASSERT_OK(oltp_open(seam_io_sim_io(sim), "d/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, text_table, strlen(text_table), &table, &f), &f);
    v[0] = seam_v_text(big, OLTP_KEY_MAX - 3); /* tag and terminator */
    v[1] = seam_v_str("x");
    ASSERT_OK(oltp_put(t, table, v, &f), &f);
    v[0].len++;
    ASSERT_STATUS(oltp_put(t, table, v, &f), SEAM_LIMIT);
    seam_fault_clear(&f);
    v[0] = seam_v_str("k");
    v[1] = seam_v_text(big, OLTP_ROW_MAX - 16);
    ASSERT_OK(oltp_put(t, table, v, &f), &f);
    ASSERT_OK(oltp_get(t, table, v, &row, &f), &f);
    ck_assert_uint_gt(row.row.size, OLTP_ROW_MAX - 16);
    v[1].len = OLTP_ROW_MAX;
    ck_assert_int_ne(oltp_put(t, table, v, &f), SEAM_OK);
    seam_fault_clear(&f);
    for (int i = 0; i < OLTP_SAVEPOINTS_MAX; i++) ASSERT_OK(oltp_savepoint(t, &save, &f), &f);
    ASSERT_STATUS(oltp_savepoint(t, &save, &f), SEAM_LIMIT);
    seam_fault_clear(&f);
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    for (int i = 0; i < OLTP_READERS_MAX; i++) ASSERT_OK(oltp_read_begin(db, &readers[i], &f), &f);
    ASSERT_STATUS(oltp_read_begin(db, &extra, &f), SEAM_LIMIT);
    for (int i = 0; i < OLTP_READERS_MAX; i++) oltp_end(readers[i]);
    ASSERT_OK(oltp_close(db, NULL), NULL);
    free(big);
    seam_io_sim_free(sim);
}

/* Everything the transaction changed stays in memory until it is written early: more than the cache is fine. */
static void test_transaction_larger_than_the_cache(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = OLTP_CACHE_MIN};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct oltp_check check;
    uint32_t table = 0;
    struct seam_rng r;
    static char text[900];
    int n = test_scale(9000);

    seam_rng_seed(&r, test_seed());
    memset(text, 't', sizeof text);
    ASSERT_OK(oltp_open(seam_io_sim_io(sim), "d/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
    ASSERT_OK(oltp_create_table_json(t, text_table, strlen(text_table), &table, &f), &f);
    for (int i = 0; i < n; i++) {
        char key[32];
        struct seam_value v[2] = {
            seam_v_text(key, (size_t)snprintf(key, sizeof key, "%llu",
                                              (unsigned long long)seam_rng_u64(&r))),
            seam_v_text(text, sizeof text)};

        ASSERT_OK(oltp_put(t, table, v, &f), &f);
    }
    ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    ASSERT_OK(oltp_close(db, NULL), NULL);
    ASSERT_OK(oltp_verify(seam_io_sim_io(sim), "d/oltp", "d/wal", &check, NULL,
                          (struct oltp_progress){0}, &f),
              &f);
    ck_assert_uint_eq(check.rows, (uint64_t)n);
    seam_io_sim_free(sim);
}

/* Transactions too large to hold while replaying: one committed, one rolled back, one without an end. */
static void test_transactions_too_large_to_hold_are_replayed(void)
{
    struct seam_io_sim *sim = seam_io_sim_new(test_seed());
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp_options o = {.wal_dir = "d/wal", .cache_bytes = 8 << 20};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_fault f = {0};
    struct oltp_check check;
    uint32_t table = 0;
    static char text[4000];
    const int rows[3] = {6000, 5000, 5500}; /* each over 16 MiB of log */

    memset(text, 't', sizeof text);
    o.checkpoint_log_bytes = UINT64_MAX;
    ASSERT_OK(oltp_open(io, "d/oltp", &o, &db, &f), &f);
    for (int round = 0; round < 3; round++) {
        ASSERT_OK(oltp_write_begin(db, &t, &f), &f);
        if (round == 0)
            ASSERT_OK(oltp_create_table_json(t, text_table, strlen(text_table), &table, &f), &f);
        for (int i = 0; i < rows[round]; i++) {
            char key[32];
            int n = snprintf(key, sizeof key, "%d", i * 7 % 6000 + round * 3000);
            struct seam_value v[2] = {seam_v_text(key, (size_t)n), seam_v_text(text, sizeof text)};

            ASSERT_OK(oltp_put(t, table, v, &f), &f);
        }
        if (round == 0) ASSERT_OK(oltp_commit(t, OLTP_DURABLE, NULL, &f), &f);
        if (round == 1) oltp_end(t);
    }
    ASSERT_OK(wal_flush(oltp_wal(db), &f), &f); /* the third is in the log, but for its end */
    seam_io_sim_kill(sim);
    oltp_end(t);
    (void)oltp_close(db, NULL);
    db = NULL;
    ASSERT_OK(oltp_open(io, "d/oltp", &o, &db, &f), &f);
    ASSERT_OK(oltp_read_begin(db, &t, &f), &f);
    ck_assert_uint_eq(oltp_count(t, table, 0), 6000);
    oltp_end(t);
    ASSERT_OK(oltp_checkpoint(db, &f), &f);
    ASSERT_OK(oltp_verify(io, "d/oltp", "d/wal", &check, NULL, (struct oltp_progress){0}, &f), &f);
    ck_assert_uint_eq(check.rows, 6000);
    ASSERT_OK(oltp_close(db, NULL), NULL);
    seam_io_sim_free(sim);
}

static const struct named_test tests[] = {T(test_transactions_too_large_to_hold_are_replayed),
                                          T(test_leaf_bytes_are_as_documented),
                                          T(test_page_equals_a_sorted_list),
                                          T(test_hostile_pages_are_refused_or_harmless),
                                          T(test_limits_are_errors),
                                          T(test_transaction_larger_than_the_cache)};

int main(int argc, char **argv)
{
    return run_tests("oltp page", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
