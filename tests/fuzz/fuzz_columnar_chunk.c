/* A chunk's bytes, without checksums in the way: whatever they say, opening and decoding stays inside them. */
#include <stdlib.h>

#include "columnar/format/chunk.h"
#include "engine/base/bitpack.h"
#include "tests/fuzz/fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(1, size + SEAM_BITPACK_SLACK);
    struct columnar_chunk_scratch *scratch = columnar_chunk_scratch_new();
    struct columnar_chunk *c = NULL;
    size_t at;

    if (copy == NULL || scratch == NULL) abort();
    if (size > 0) memcpy(copy, data, size);
    if (columnar_chunk_open(copy, size, &c, &at) == SEAM_OK) {
        for (uint32_t v = 0; v < c->vectors; v++) {
            uint64_t nulls[COLUMNAR_VECTOR_WORDS];
            struct columnar_chunk_vector cv;
            struct columnar_vec vec;
            uint64_t sum = 0;

            if (columnar_chunk_read(c, v, scratch, &vec) != SEAM_OK) continue;
            for (uint32_t i = 0; i < chunk_vector_rows(c, v); i++) {
                struct seam_value x = columnar_vec_value(&vec, i);

                if (x.type == SEAM_V_TEXT)
                    for (uint32_t k = 0; k < x.len; k++) sum += (uint8_t)x.s[k];
                else
                    sum += (uint64_t)x.i;
            }
            if (columnar_chunk_vector(c, v, &cv)) sum += columnar_chunk_vector_nulls(&cv, nulls);
            __asm__ volatile("" : : "r"(sum));
        }
    }
    columnar_chunk_close(c);
    columnar_chunk_scratch_free(scratch);
    free(copy);
    return 0;
}

#ifndef SEAM_LIBFUZZER
/* Samples are what the encoder writes: a chunk of every kind. */
int main(int argc, char **argv)
{
    static int64_t ints[3000];
    static double doubles[3000];
    static char text[3000 * 16];
    static uint64_t ends[3000], nulls[3000 / 64 + 1];
    static struct seam_buf out[8];
    struct fuzz_sample samples[8];
    struct columnar_chunk_summary summary;
    uint64_t at = 0, seed = 1;

    for (int i = 0; i < 3000; i++) {
        ints[i] = (int64_t)(seam_splitmix64(&seed) % 90) * (i % 2 ? 1000003 : 7);
        doubles[i] = i % 40 == 0 ? 1.0 / (i + 1) : (double)(i * 7 % 1000) / 100;
        at += (uint64_t)sprintf(text + at, "word %d", (int)(seam_splitmix64(&seed) % 700));
        ends[i] = at;
        if (i % 9 == 0) seam_bitset_set(nulls, (size_t)i);
    }
    for (int k = 0; k < 8; k++) {
        struct columnar_column c = {.nulls = k % 2 ? nulls : NULL};
        enum seam_value_type type = k < 2 ? SEAM_V_INT : k < 4 ? SEAM_V_DOUBLE : SEAM_V_TEXT;

        if (type == SEAM_V_INT)
            c.ints = ints;
        else if (type == SEAM_V_DOUBLE)
            c.doubles = doubles;
        else
            c.text = text, c.ends = ends;
        columnar_chunk_encode(&c, 0, k < 6 ? 3000 : 20, type, 0, &out[k], &summary);
        samples[k] = (struct fuzz_sample){out[k].data, out[k].size};
    }
    return fuzz_main(argc, argv, samples, 8);
}
#endif
