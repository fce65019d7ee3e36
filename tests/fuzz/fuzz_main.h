/* fuzz_main - what every fuzzer shares when it is not run under libFuzzer: files given as
 * arguments, or
 * N seeded mutations of built-in samples:  fuzz_X [RUNS [SEED]]  or  fuzz_X FILE...
 */
#ifndef SEAM_TESTS_FUZZ_MAIN_H
#define SEAM_TESTS_FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte, so that a sanitizer sees whether they are really there.                      */
static inline void fuzz_touch(const void *p, size_t n)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++) sum += ((const uint8_t *)p)[i];
    __asm__ volatile("" : : "r"(sum));
}

#ifndef SEAM_LIBFUZZER
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"

enum { FUZZ_INPUT_MAX = 64 << 10 };

struct fuzz_sample {
    const void *data;
    size_t size;
};

/* Flips, overwrites, deletes, repeats and splices.                                               */
static inline size_t fuzz_mutate(struct seam_rng *r, uint8_t *p, size_t n,
                                 const struct fuzz_sample *other)
{
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '\\', '\n', ','};
    uint64_t rounds = 1 + seam_rng_below(r, 8);

    while (rounds-- > 0) {
        size_t at = seam_rng_below(r, n + 1), len = seam_rng_below(r, 16);

        switch (seam_rng_below(r, 6)) {
        case 0:
            if (at < n) p[at] ^= (uint8_t)(1u << seam_rng_below(r, 8));
            break;
        case 1:
            if (at < n) p[at] = odd[seam_rng_below(r, sizeof odd)];
            break;
        case 2: n = seam_rng_below(r, 8) == 0 ? at : n; break;
        case 3:
            if (at + len <= n) {
                memmove(p + at, p + at + len, n - at - len);
                n -= len;
            }
            break;
        case 4:
            if (at + len <= n && n + len <= FUZZ_INPUT_MAX) {
                memmove(p + at + len, p + at, n - at);
                n += len;
            }
            break;
        default:
            if (other->size > 0) {
                size_t from = seam_rng_below(r, other->size);

                if (len > other->size - from) len = other->size - from;
                if (at + len <= n) memcpy(p + at, (const uint8_t *)other->data + from, len);
            }
        }
    }
    return n;
}

static int fuzz_file(const char *path)
{
    static uint8_t bytes[16 << 20];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (f == NULL) {
        perror(path);
        return 1;
    }
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    LLVMFuzzerTestOneInput(bytes, n);
    return 0;
}

static inline int fuzz_main(int argc, char **argv, const struct fuzz_sample *samples, size_t count)
{
    char *end = NULL;
    unsigned long long runs = argc > 1 ? strtoull(argv[1], &end, 10) : 200000;
    struct seam_rng r;

    if (argc > 1 && *end != '\0') {
        int failed = 0;

        for (int i = 1; i < argc; i++) failed |= fuzz_file(argv[i]);
        return failed;
    }
    seam_rng_seed(&r, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    for (unsigned long long i = 0; i < runs; i++) {
        const struct fuzz_sample *s = &samples[seam_rng_below(&r, count)];
        size_t n = s->size < FUZZ_INPUT_MAX ? s->size : FUZZ_INPUT_MAX;
        uint8_t *copy = malloc(FUZZ_INPUT_MAX), *exact;

        memcpy(copy, s->data, n);
        n = fuzz_mutate(&r, copy, n, &samples[seam_rng_below(&r, count)]);
        exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees the first byte past the end */
        memcpy(exact, copy, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
        free(copy);
    }
    printf("%llu inputs\n", runs);
    return 0;
}

#define FUZZ_SAMPLE(s)                                                                             \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }
#define FUZZ_BYTES(s)                                                                              \
    {                                                                                              \
        (s), sizeof(s)                                                                             \
    }
#define FUZZ_MAIN(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct fuzz_sample samples[] = {__VA_ARGS__};                                 \
        return fuzz_main(argc, argv, samples, sizeof samples / sizeof samples[0]);                 \
    }
#else
#define FUZZ_MAIN(...)
#endif

#endif
