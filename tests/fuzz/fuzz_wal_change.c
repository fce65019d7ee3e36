/* Any bytes as any record of the log: refused or read, never past the end; what is read can be
 * explained. */
#include "tests/fuzz/fuzz_main.h"
#include "wal/change.h"

static void touch(struct wal_bytes b)
{
    fuzz_touch(b.data, b.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_change_row row;
    struct wal_change_outbox box;
    struct seam_buf out = {.limit = 1 << 16};

    if (size == 0) return 0;
    if (wal_change_get_row(data + 1, size - 1, &row, NULL) == SEAM_OK)
        touch(row.key), touch(row.before), touch(row.after);
    if (wal_change_get_outbox(data + 1, size - 1, &box, NULL) == SEAM_OK)
        touch(box.topic), touch(box.key), touch(box.payload);
    wal_change_explain(data[0] % 12, data + 1, size - 1, &out);
    seam_buf_free(&out);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("\x02\xac\x02\x01\x03\x02\x02\x06\x01k\x03old\x05newer"),
          FUZZ_SAMPLE("\x03\x01\x00\x06orders\x01"
                      "9\x02{}"),
          FUZZ_SAMPLE("\x05\x07\x01\x02\x63"), FUZZ_SAMPLE("\x04\x07\x00\x01\x02\x04{}[]"))
