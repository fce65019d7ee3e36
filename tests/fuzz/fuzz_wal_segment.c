/* A segment with bytes laid over it: opening, verifying, reading and dumping end, and believe
 * nothing false. */
#include <string.h>

#include "engine/io/io_sim.h"
#include "tests/fuzz/fuzz_main.h"
#include "wal/wal.h"

static void make_log(struct seam_io *io)
{
    struct wal_options o = {
        .io = io, .segment_bytes = WAL_SEGMENT_MIN, .buffer_bytes = 32 << 10, .log_id = 5};
    struct wal *w = NULL;
    struct wal_span at;

    if (wal_open("log", &o, &w, NULL, NULL) != SEAM_OK) __builtin_trap();
    for (int i = 0; i < 40; i++) {
        uint8_t payload[64];

        memset(payload, i, sizeof payload);
        if (wal_append(w, 2, &(struct seam_io_slice){payload, (size_t)(i % 60)}, 1, &at, NULL) !=
            SEAM_OK)
            __builtin_trap();
        if (i % 7 == 0 && wal_commit(w, at.end, WAL_DURABLE, NULL) != SEAM_OK) __builtin_trap();
    }
    if (wal_close(w, NULL) != SEAM_OK) __builtin_trap();
}

static void read_all(struct seam_io *io, unsigned flags)
{
    struct wal_reader *r = NULL;
    struct wal_record rec;

    if (wal_reader_open(io, "log", SEAM_LSN_NONE, flags, &r, NULL) != SEAM_OK) return;
    while (wal_reader_next(r, &rec, NULL) == SEAM_OK) {
        /* What passes its checksum is what was written: bytes all alike. */
        for (size_t i = 1; i < rec.size; i++) {
            if (rec.type == 2 && rec.data[i] != rec.data[0]) __builtin_trap();
        }
    }
    for (seam_lsn_t at = 64; at < 4096; at += 72) {
        if (wal_reader_resync(r, at, NULL) == SEAM_OK && wal_reader_next(r, &rec, NULL) != SEAM_OK)
            __builtin_trap();
    }
    wal_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_options o;
    struct seam_io_sim *s = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(s);
    struct wal *w = NULL;
    struct seam_file *file = NULL;
    struct seam_buf text = {.limit = 1 << 20};

    if (s == NULL || size < 3) {
        seam_io_sim_free(s);
        return 0;
    }
    make_log(io);
    /* The first bytes say where; which file by their lowest bits. */
    if (seam_file_open(io,
                       data[0] % 4 == 3   ? "log/log.meta"
                       : data[0] % 4 == 2 ? "log/shared"
                                          : "log/0000000000000000.seg",
                       SEAM_FILE_WRITE, &file, NULL) != SEAM_OK)
        __builtin_trap();
    if (seam_file_write(file, (uint64_t)(data[1] | (data[2] & 15) << 8), data + 3, size - 3,
                        NULL) != SEAM_OK)
        __builtin_trap();
    seam_file_close(file);
    (void)!wal_verify(io, "log", NULL, NULL);
    read_all(io, 0);
    read_all(io, WAL_READ_ALL);
    (void)!wal_dump(io, "log/0000000000000000.seg", 0, 100, &text, NULL);
    seam_buf_free(&text);
    o = (struct wal_options){.io = io, .buffer_bytes = 32 << 10, .log_id = 5};
    if (wal_open("log", &o, &w, NULL, NULL) == SEAM_OK) {
        read_all(io, 0);
        (void)wal_close(w, NULL);
    }
    seam_io_sim_free(s);
    return 0;
}

FUZZ_MAIN(
    FUZZ_SAMPLE("\x00\x40\x00\xff\xff\xff\xff"), FUZZ_SAMPLE("\x00\x04\x00\x01\x02\x03"),
    FUZZ_SAMPLE("\x03\x08\x00\x01\x00"),
    FUZZ_SAMPLE("\x02\x20\x00\x88\x13\x00\x00\x00\x00\x00\x00\x77\xec\xff\xff\xff\xff\xff\xff"),
    FUZZ_SAMPLE("\x00\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                "\x00\x00\x00"))
