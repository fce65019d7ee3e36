#include "engine/io/inflate.h"
#include "tests/engine/gz_samples.h"
#include "tests/fuzz/fuzz_main.h"

#include <string.h>

struct input {
    const uint8_t *data;
    size_t size, at, step;
};

/* Hands the bytes out in small pieces of changing size, so that every edge of the input is met.  */
static enum seam_status fill(void *ctx, void *p, size_t n, size_t *got, struct seam_fault *f)
{
    struct input *in = ctx;
    size_t left = in->size - in->at;

    (void)f;
    in->step = in->step % 61 + 7;
    if (n > in->step) n = in->step;
    *got = left < n ? left : n;
    if (*got > 0) memcpy(p, in->data + in->at, *got);
    in->at += *got;
    return SEAM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .size = size};
    struct seam_inflate *z = NULL;
    uint8_t piece[5000];
    size_t got = 1, total = 0;

    if (seam_inflate_open((struct seam_inflate_input){fill, &in, "fuzz"}, &z) != SEAM_OK) return 0;
    while (got > 0 && seam_inflate_read(z, piece, sizeof piece, &got, NULL) == SEAM_OK) {
        total += got;
        if (total > 1100 * (size + 64))
            __builtin_trap(); /* DEFLATE cannot expand by more than 1032 */
    }
    seam_inflate_close(z);
    return 0;
}

FUZZ_MAIN(FUZZ_BYTES(gz_dynamic), FUZZ_BYTES(gz_fixed),
          FUZZ_SAMPLE("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00\x01\x05\x00\xfa\xffhello\x86\xa6"
                      "\x10\x36\x05\x00\x00\x00"))
