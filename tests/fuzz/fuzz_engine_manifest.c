#include <stdlib.h>

#include "engine/base/crc32c.h"
#include "engine/io/io_sim.h"
#include "engine/io/manifest.h"
#include "tests/fuzz/fuzz_main.h"

enum { KIND = SEAM_MANIFEST_KIND('F', 'U', 'Z', 'Z') };
static const char path[] = "d/0000000000000007.manifest";

static void need(bool ok)
{
    if (!ok) __builtin_trap();
}

/* The first byte says whether the checksums are made right before reading (else hardly any input gets
 * past them); the rest is the file. A manifest that loads must publish to the same bytes.          */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_io_sim *s = seam_io_sim_new(1);
    struct seam_io *io = seam_io_sim_io(s);
    struct seam_manifest m;
    struct seam_manifest_entry *list = NULL;
    struct seam_buf file = {0}, again = {0};
    size_t count = 0;
    bool mend = size > 0 && (data[0] & 1);

    if (size > 0) seam_buf_append(&file, data + 1, size - 1);
    if (mend && file.size >= SEAM_MANIFEST_HEADER_SIZE) {
        seam_put_u32(file.data + 60, seam_crc32c(0, file.data, 60));
        seam_put_u32(file.data + 88, seam_crc32c(0, file.data + SEAM_MANIFEST_HEADER_SIZE,
                                                 file.size - SEAM_MANIFEST_HEADER_SIZE));
        seam_put_u32(file.data + 92, seam_crc32c(0, file.data + 64, 28));
    }
    need(seam_io_mkdir(io, "d", NULL) == SEAM_OK);
    need(seam_io_write_atomic(io, path, file.data, file.size, NULL) == SEAM_OK);
    if (seam_manifest_list(io, "d", KIND, &list, &count, NULL) == SEAM_OK) {
        need(count == 1 && list[0].seq == 7);
        free(list);
    }
    if (seam_manifest_load_newest(io, "d", KIND, &m, NULL) == SEAM_OK) {
        need(seam_io_unlink(io, path, NULL) == SEAM_OK);
        need(seam_manifest_publish(io, "d", &m, NULL) == SEAM_OK);
        need(seam_io_read_all(io, path, 1u << 30, &again, NULL) == SEAM_OK);
        need(again.size == file.size && memcmp(again.data, file.data, file.size) == 0);
        seam_buf_free(&m.payload);
    }
    seam_buf_free(&file);
    seam_buf_free(&again);
    seam_io_sim_free(s);
    return 0;
}

#define SAMPLE                                                                                     \
    "SEAMMANI\x02\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0"               \
    "\0\0\0\0\0\0\0\0\x64\0\0\0\0\0\0\0FUZZcrc1\x06\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0"               \
    "\x03\0\0\0\0\0\0\0crc2crc3abc"
FUZZ_MAIN(FUZZ_SAMPLE("\x01" SAMPLE), FUZZ_SAMPLE("\x02" SAMPLE))
