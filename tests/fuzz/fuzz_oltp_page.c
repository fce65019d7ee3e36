/* Any bytes as a page: what page_check lets through must be safe to read, search and dump, and a page file made of
 * it must open, verify and salvage without a crash.                                                */
#include <stdio.h>
#include <stdlib.h>

#include "engine/io/io_sim.h"
#include "engine/base/rng.h"
#include "oltp/page.h"
#include "tests/fuzz/fuzz_main.h"

static void read_page(const uint8_t *page)
{
    uint8_t key[OLTP_KEY_MAX];

    if (page_kind(page) != PAGE_LEAF && page_kind(page) != PAGE_INNER) return;
    for (unsigned i = 0; i < page_count(page); i++) {
        struct cell c = page_cell(page, i);
        bool exact;
        size_t n = page_key(page, i, key);

        (void)page_find(page, key, n, &exact);
        if (page_kind(page) == PAGE_LEAF && !c.big) fuzz_touch(c.value, c.size);
    }
}

static enum status no_row(void *ctx, const struct schema *s, struct bytes key, struct bytes row)
{
    (void)ctx, (void)s, (void)key, (void)row;
    return ST_OK;
}

/* The input as a page file of its own. */
static void open_file(const uint8_t *data, size_t size)
{
    struct io_sim *sim = io_sim_new(1);
    struct io *io = io_sim_io(sim);
    struct file *file = NULL;
    struct oltp_check check;
    struct oltp_salvaged out;
    struct buf text = {0};

    if (io_mkdir(io, "d/oltp", NULL) == ST_OK &&
        file_open(io, "d/oltp/pages", FILE_WRITE | FILE_CREATE, &file, NULL) == ST_OK &&
        file_write(file, 0, data, size, NULL) == ST_OK) {
        (void)!oltp_verify(io, "d/oltp", "d/wal", &check, &text, (struct oltp_progress){0}, NULL);
        (void)!oltp_salvage(io, "d/oltp", NULL, no_row, NULL, &out, &text, NULL);
        (void)!oltp_dump(io, "d/oltp/pages", 0, &text, NULL);
        (void)!oltp_dump(io, "d/oltp/pages", 2, &text, NULL);
    }
    file_close(file);
    buf_free(&text);
    io_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t page[OLTP_PAGE_SIZE];

    memset(page, 0, sizeof page);
    if (size > 0) memcpy(page, data, size < sizeof page ? size : sizeof page);
    put_u32(page + PAGE_ID, 2);
    page_seal(page, 5, 9); /* the checksum is no defence here */
    if (page_check(page, 5, 2, 10, "p", NULL) == ST_OK) read_page(page);
    if (size > 2 * OLTP_PAGE_SIZE && size < 64 * OLTP_PAGE_SIZE) open_file(data, size);
    return 0;
}

#ifndef SEAM_LIBFUZZER
/* A small database's page file, as the sample to mutate. */
static size_t sample(uint8_t *out, size_t max)
{
    static const char json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"k\"],\"columns\":[{"
                               "\"name\":\"k\",\"type\":\"int64\"},"
                               "{\"name\":\"v\",\"type\":\"text\"}]}";
    struct io_sim *sim = io_sim_new(1);
    struct io *io = io_sim_io(sim);
    struct oltp_options o = {.wal_dir = "d/wal", .seed = 3};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct buf file = {0};
    uint32_t table = 0;
    size_t size = 0;

    if (oltp_open(io, "d/oltp", &o, &db, NULL) != ST_OK || oltp_write_begin(db, &t, NULL) != ST_OK)
        exit(1);
    if (oltp_create_table_json(t, json, sizeof json - 1, &table, NULL) != ST_OK) exit(1);
    for (int i = 0; i < 200; i++) {
        struct value v[2] = {v_int(i), v_str("some words of a row")};

        if (oltp_put(t, table, v, NULL) != ST_OK) exit(1);
    }
    if (oltp_commit(t, OLTP_DURABLE, NULL, NULL) != ST_OK || oltp_checkpoint(db, NULL) != ST_OK)
        exit(1);
    (void)!oltp_close(db, NULL);
    if (io_read_all(io, "d/oltp/pages", max, &file, NULL) == ST_OK) {
        size = file.size;
        memcpy(out, file.data, size);
    }
    buf_free(&file);
    io_sim_free(sim);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t good[64 * OLTP_PAGE_SIZE], bad[64 * OLTP_PAGE_SIZE];
    int runs = argc > 1 ? atoi(argv[1]) : 2000;
    size_t size = sample(good, sizeof good);
    struct rng r;

    rng_seed(&r, argc > 2 ? (uint64_t)atoll(argv[2]) : 1);
    for (int i = 0; i < runs; i++) {
        size_t pages = size / OLTP_PAGE_SIZE, page = 2 + rng_below(&r, pages - 2);

        memcpy(bad, good + page * OLTP_PAGE_SIZE, OLTP_PAGE_SIZE);
        for (int k = 0; k < 4; k++)
            bad[rng_below(&r, OLTP_PAGE_SIZE)] ^= (uint8_t)rng_u64(&r);
        LLVMFuzzerTestOneInput(bad, OLTP_PAGE_SIZE);
        if (i % 20 != 0) continue;
        memcpy(bad, good,
               size); /* a whole file, its damaged page resealed so that it is believed */
        for (int k = 0; k < 4; k++)
            bad[page * OLTP_PAGE_SIZE + 4 + rng_below(&r, k < 2 ? 60 : OLTP_PAGE_SIZE - 4)] ^=
                (uint8_t)rng_u64(&r);
        page_seal(bad + page * OLTP_PAGE_SIZE, get_u64(good + page * OLTP_PAGE_SIZE + PAGE_FILE_ID),
                  9);
        LLVMFuzzerTestOneInput(bad, size);
    }
    printf("%d runs\n", runs);
    return 0;
}
#endif
