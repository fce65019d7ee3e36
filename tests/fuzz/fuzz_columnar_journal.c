/* A journal record's body, its checksums made right: a reader takes it in or says that it is damaged. */
#include <stdlib.h>

#include "columnar/table/state.h"
#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "tests/fuzz/fuzz_main.h"

static const char schema_json[] =
    "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":\"int64\"},"
    "{\"name\":\"name\",\"type\":\"text\",\"nullable\":true},{\"name\":\"x\",\"type\":\"double\",\"nullable\":true}]}";

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

/* A warehouse of one table, with a manifest and no journal. */
static struct io *folder(void)
{
    static struct io_sim *sim;
    struct columnar_writer *w = NULL;
    struct schema s = {0};

    if (sim != NULL) return io_sim_io(sim);
    sim = io_sim_new(1);
    need(schema_parse(schema_json, sizeof schema_json - 1, &s, NULL) == ST_OK);
    need(columnar_open_writer(io_sim_io(sim), "w", NULL, &w, NULL) == ST_OK);
    need(columnar_define_table(w, &s, NULL, NULL) == ST_OK);
    need(columnar_publish(w, 10, 1, NULL) == ST_OK);
    columnar_close_writer(w);
    schema_free(&s);
    return io_sim_io(sim);
}

static enum status count(void *ctx, const struct value *values, lsn_t begin, lsn_t end)
{
    (void)begin;
    (void)end;
    if (values[1].type == V_TEXT)
        for (uint32_t i = 0; i < values[1].len; i++) *(uint64_t *)ctx += (uint8_t)values[1].s[i];
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct io *io = folder();
    struct columnar_reader *r = NULL;
    uint8_t head[JOURNAL_HEAD] = {0};
    struct buf b = {0};
    uint64_t sum = 0;
    uint32_t crc;

    memcpy(head, "SEAMCOLJ", 8);
    put_u32(head + 8, 1);
    put_u64(head + 16, 1);
    crc = crc32c(crc32c(0, head, 12), head + 16, 16);
    put_u32(head + 12, crc);
    journal_put_committed(head + JOURNAL_COMMITTED, JOURNAL_HEAD + JOURNAL_RECORD_HEAD + size);
    buf_append(&b, head, sizeof head);
    buf_u32(&b, (uint32_t)size);
    buf_u32(&b, crc32c(crc32c(crc, b.data + JOURNAL_HEAD, 4), data, size));
    buf_append(&b, data, size);
    need(buf_ok(&b));
    need(io_write_atomic(io, "w/journal-0000000000000001.log", b.data, b.size, NULL) == ST_OK);
    if (columnar_open_reader(io, "w", NULL, &r, NULL) == ST_OK) {
        (void)!columnar_scan_rows(r, 0, LSN_MAX, count, &sum, NULL);
        columnar_close_reader(r);
    }
    buf_free(&b);
    return 0;
}

/* snapshot 2, LSN 20, wall 1, one table (id 1): two rows and no kills; then one row and a kill. */
FUZZ_MAIN(FUZZ_SAMPLE("\x02\x14\x02\x01\x01\x02\x00\x0b\x01\x03\x01\x00\x02\x04\x02\x00\x01"
                      "a\x02yz\x03\x00\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\0\0"),
          FUZZ_SAMPLE("\x03\x1e\x02\x01\x01\x01\x01\x0b\x03\x01\x00\x02\x02\x01\x03\x01\x02\x00\x0c"))
