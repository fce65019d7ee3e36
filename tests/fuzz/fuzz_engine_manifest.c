#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"
#include "tests/fuzz/fuzz_main.h"

enum { KIND = MANIFEST_KIND('F', 'U', 'Z', 'Z') };
static const char path[] = "d/0000000000000007.manifest";

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

/* The first byte says whether the checksums are made right before reading (else hardly any input gets
 * past them); the rest is the file. A manifest that loads must publish to the same bytes.          */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct io_sim *s = io_sim_new(1);
    struct io *io = io_sim_io(s);
    struct manifest m;
    struct manifest_entry *list = NULL;
    struct buf file = {0}, again = {0};
    size_t count = 0;
    bool mend = size > 0 && (data[0] & 1);

    if (size > 0) buf_append(&file, data + 1, size - 1);
    if (mend && file.size >= MANIFEST_HEADER_SIZE) {
        put_u32(file.data + 56, crc32c(0, file.data + MANIFEST_HEADER_SIZE,
                                       file.size - MANIFEST_HEADER_SIZE));
        put_u32(file.data + 60, crc32c(0, file.data, 60));
    }
    need(io_mkdir(io, "d", NULL) == ST_OK);
    need(io_write_atomic(io, path, file.data, file.size, NULL) == ST_OK);
    if (manifest_list(io, "d", KIND, &list, &count, NULL) == ST_OK) {
        need(count == 1 && list[0].seq == 7);
        free(list);
    }
    if (manifest_load_newest(io, "d", KIND, &m, NULL) == ST_OK) {
        need(io_unlink(io, path, NULL) == ST_OK);
        need(manifest_publish(io, "d", &m, NULL) == ST_OK);
        need(io_read_all(io, path, 1u << 30, &again, NULL) == ST_OK);
        need(again.size == file.size && memcmp(again.data, file.data, file.size) == 0);
        buf_free(&m.payload);
    }
    buf_free(&file);
    buf_free(&again);
    io_sim_free(s);
    return 0;
}

#define SAMPLE                                                                                    \
    "SEAMMANI\x01\0\0\0FUZZ\x07\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x64\0\0\0\0\0\0\0"                \
    "\x05\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0crc1crc2abc"
FUZZ_MAIN(FUZZ_SAMPLE("\x01" SAMPLE), FUZZ_SAMPLE("\x02" SAMPLE))
