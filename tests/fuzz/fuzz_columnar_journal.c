/* A journal record's body, its checksums made right: a reader takes it in or says that it is damaged. */
#include <stdlib.h>

#include "columnar/table/state.h"
#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "tests/fuzz/fuzz_main.h"

static const char schema_json[] = "{\"table\":\"t\",\"version\":1,\"key\":[\"id\"],\"columns\":[{"
                                  "\"name\":\"id\",\"type\":\"int64\"},"
                                  "{\"name\":\"name\",\"type\":\"text\",\"nullable\":true},{"
                                  "\"name\":\"x\",\"type\":\"double\",\"nullable\":true}]}";

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

/* A warehouse of one table, with a manifest and no journal. */
static struct seam_io *folder(void)
{
    static struct seam_io_sim *sim;
    struct columnar_writer *w = NULL;
    struct seam_schema s = {0};

    if (sim != NULL) return seam_io_sim_io(sim);
    sim = seam_io_sim_new(1);
    need(seam_schema_parse(schema_json, sizeof schema_json - 1, &s, NULL) == SEAM_OK);
    need(columnar_open_writer(seam_io_sim_io(sim), "w", NULL, &w, NULL) == SEAM_OK);
    need(columnar_define_table(w, &s, NULL, NULL) == SEAM_OK);
    need(columnar_publish(w, 10, 1, NULL) == SEAM_OK);
    columnar_close_writer(w);
    seam_schema_free(&s);
    return seam_io_sim_io(sim);
}

static enum seam_status count(void *ctx, const struct seam_value *values, seam_lsn_t begin,
                              seam_lsn_t end)
{
    (void)begin;
    (void)end;
    if (values[1].type == SEAM_V_TEXT)
        for (uint32_t i = 0; i < values[1].len; i++) *(uint64_t *)ctx += (uint8_t)values[1].s[i];
    return SEAM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_io *io = folder();
    struct columnar_reader *r = NULL;
    uint8_t head[JOURNAL_HEAD] = {0};
    struct seam_buf b = {0};
    uint64_t sum = 0;
    uint32_t crc;

    seam_filehead_encode(&columnar_journal_format, &(struct seam_filehead){.file_id = 1}, head);
    crc = seam_filehead_sum(head);
    columnar_journal_put_committed(head + JOURNAL_COMMITTED,
                                   JOURNAL_HEAD + JOURNAL_RECORD_HEAD + size);
    seam_buf_append(&b, head, sizeof head);
    seam_buf_u32(&b, (uint32_t)size);
    seam_buf_u32(&b, seam_crc32c(seam_crc32c(crc, b.data + JOURNAL_HEAD, 4), data, size));
    seam_buf_append(&b, data, size);
    need(seam_buf_ok(&b));
    need(seam_io_write_atomic(io, "w/journal-0000000000000001.log", b.data, b.size, NULL) ==
         SEAM_OK);
    if (columnar_open_reader(io, "w", NULL, &r, NULL) == SEAM_OK) {
        (void)!columnar_scan_rows(r, 0, SEAM_LSN_MAX, count, &sum, NULL);
        columnar_close_reader(r);
    }
    seam_buf_free(&b);
    return 0;
}

/* snapshot 2, LSN 20, wall 1, one table (id 1): two rows and no kills; then one row and a kill. */
FUZZ_MAIN(
    FUZZ_SAMPLE("\x02\x14\x02\x01\x01\x02\x00\x0b\x01\x03\x01\x00\x02\x04\x02\x00\x01"
                "a\x02yz\x03\x00\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\0\0"),
    FUZZ_SAMPLE("\x03\x1e\x02\x01\x01\x01\x01\x0b\x03\x01\x00\x02\x02\x01\x03\x01\x02\x00\x0c"))
