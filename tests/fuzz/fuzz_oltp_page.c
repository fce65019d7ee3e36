/* Any bytes as a page: what oltp_page_check lets through must be safe to read, search and dump, and a page file made of
 * it must open, verify and salvage without a crash.                                                */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/io/io_sim.h"
#include "oltp/page.h"
#include "tests/fuzz/fuzz_main.h"

static void read_page(const uint8_t *page)
{
    uint8_t key[OLTP_KEY_MAX];

    if (page_kind(page) != PAGE_LEAF && page_kind(page) != PAGE_INNER) return;
    for (unsigned i = 0; i < page_count(page); i++) {
        struct oltp_cell c = page_cell(page, i);
        bool exact;
        size_t n = oltp_page_key(page, i, key);

        (void)oltp_page_find(page, key, n, &exact);
        if (page_kind(page) == PAGE_LEAF && !c.big) fuzz_touch(c.value, c.size);
    }
}

static enum seam_status no_row(void *ctx, const struct seam_schema *s, struct wal_bytes key,
                               struct wal_bytes row)
{
    (void)ctx, (void)s, (void)key, (void)row;
    return SEAM_OK;
}

/* The input as a page file of its own. */
static void open_file(const uint8_t *data, size_t size)
{
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct seam_file *file = NULL;
    struct oltp_check check;
    struct oltp_salvaged out;
    struct seam_buf text = {0};

    if (seam_io_mkdir(io, "d/oltp", NULL) == SEAM_OK &&
        seam_file_open(io, "d/oltp/pages", SEAM_FILE_WRITE | SEAM_FILE_CREATE, &file, NULL) ==
            SEAM_OK &&
        seam_file_write(file, 0, data, size, NULL) == SEAM_OK) {
        (void)!oltp_verify(io, "d/oltp", "d/wal", &check, &text, (struct oltp_progress){0}, NULL);
        (void)!oltp_salvage(io, "d/oltp", NULL, no_row, NULL, &out, &text, NULL);
        (void)!oltp_dump(io, "d/oltp/pages", 0, &text, NULL);
        (void)!oltp_dump(io, "d/oltp/pages", 2, &text, NULL);
    }
    seam_file_close(file);
    seam_buf_free(&text);
    seam_io_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t page[OLTP_PAGE_SIZE];

    memset(page, 0, sizeof page);
    if (size > 0) memcpy(page, data, size < sizeof page ? size : sizeof page);
    seam_put_u32(page + PAGE_ID, 2);
    oltp_page_seal(page, 5, 9); /* the checksum is no defence here */
    if (oltp_page_check(page, 5, 2, 10, "p", NULL) == SEAM_OK) read_page(page);
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
    struct seam_io_sim *sim = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(sim);
    struct oltp_options o = {.wal_dir = "d/wal", .seed = 3};
    struct oltp *db = NULL;
    struct oltp_txn *t = NULL;
    struct seam_buf file = {0};
    uint32_t table = 0;
    size_t size = 0;

    if (oltp_open(io, "d/oltp", &o, &db, NULL) != SEAM_OK ||
        oltp_write_begin(db, &t, NULL) != SEAM_OK)
        exit(1);
    if (oltp_create_table_json(t, json, sizeof json - 1, &table, NULL) != SEAM_OK) exit(1);
    for (int i = 0; i < 200; i++) {
        struct seam_value v[2] = {seam_v_int(i), seam_v_str("some words of a row")};

        if (oltp_put(t, table, v, NULL) != SEAM_OK) exit(1);
    }
    if (oltp_commit(t, OLTP_DURABLE, NULL, NULL) != SEAM_OK || oltp_checkpoint(db, NULL) != SEAM_OK)
        exit(1);
    (void)!oltp_close(db, NULL);
    if (seam_io_read_all(io, "d/oltp/pages", max, &file, NULL) == SEAM_OK) {
        size = file.size;
        memcpy(out, file.data, size);
    }
    seam_buf_free(&file);
    seam_io_sim_free(sim);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t good[64 * OLTP_PAGE_SIZE], bad[64 * OLTP_PAGE_SIZE];
    int runs = argc > 1 ? atoi(argv[1]) : 2000;
    size_t size = sample(good, sizeof good);
    struct seam_rng r;

    seam_rng_seed(&r, argc > 2 ? (uint64_t)atoll(argv[2]) : 1);
    for (int i = 0; i < runs; i++) {
        size_t pages = size / OLTP_PAGE_SIZE, page = 2 + seam_rng_below(&r, pages - 2);

        memcpy(bad, good + page * OLTP_PAGE_SIZE, OLTP_PAGE_SIZE);
        for (int k = 0; k < 4; k++)
            bad[seam_rng_below(&r, OLTP_PAGE_SIZE)] ^= (uint8_t)seam_rng_u64(&r);
        LLVMFuzzerTestOneInput(bad, OLTP_PAGE_SIZE);
        if (i % 20 != 0) continue;
        memcpy(bad, good,
               size); /* a whole file, its damaged page resealed so that it is believed */
        for (int k = 0; k < 4; k++)
            bad[page * OLTP_PAGE_SIZE + 4 + seam_rng_below(&r, k < 2 ? 60 : OLTP_PAGE_SIZE - 4)] ^=
                (uint8_t)seam_rng_u64(&r);
        oltp_page_seal(bad + page * OLTP_PAGE_SIZE,
                       seam_get_u64(good + page * OLTP_PAGE_SIZE + PAGE_FILE_ID), 9);
        LLVMFuzzerTestOneInput(bad, size);
    }
    printf("%d runs\n", runs);
    return 0;
}
#endif
