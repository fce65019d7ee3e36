/* Any bytes as records of a stream, under good checksums: readers refuse or read them, and end. */
#include "engine/io/io_sim.h"
#include "pipeline/stream/stream.h"
#include "tests/fuzz/fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_options o = {.segment_bytes = WAL_SEGMENT_MIN,
                            .buffer_bytes = 32 << 10,
                            .log_id = 5,
                            .visible_when_written = true};
    struct seam_io_sim *s = seam_io_sim_new(1);
    struct wal *w = NULL;
    struct wal_span at;
    struct stream_state state;

    if (s == NULL) return 0;
    o.io = seam_io_sim_io(s);
    if (wal_open("s", &o, &w, NULL, NULL) != SEAM_OK) __builtin_trap();
    /* Each record: type (even: heartbeat), length, bytes. */
    while (size >= 2) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;

        if (wal_append(w, (uint8_t)(STREAM_CHUNK + data[0] % 3),
                       &(struct seam_io_slice){data + 2, n}, 1, &at, NULL) != SEAM_OK)
            __builtin_trap();
        data += 2 + n;
        size -= 2 + n;
    }
    if (wal_close(w, NULL) != SEAM_OK) __builtin_trap();
    (void)!stream_state(o.io, "s", &state, NULL);
    for (int from = STREAM_FROM_START; from <= STREAM_FROM_END; from++) {
        struct stream_reader *r = NULL;
        struct stream_event e;
        uint64_t events = 0;

        if (stream_reader_open(o.io, "s", (enum stream_from)from, 3, &r, NULL) != SEAM_OK) continue;
        while (stream_reader_next(r, &e, NULL) == SEAM_OK) {
            if (++events > 100000) __builtin_trap();
        }
        stream_reader_close(r);
    }
    seam_io_sim_free(s);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("\x01\x15\x00\x01\x64\x64\x07\x02\x01\x00\x03\x02\x0a\x07\x00\x01\x01\x03\x02"
                      "\x01k\x01o\x00"),
          FUZZ_SAMPLE("\x00\x04\x00\x64\x64\x02\x00\x04\x00\x65\x01\x02"))
