#include "tests/common/check_main.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/bitpack.h"
#include "engine/base/rng.h"

enum { N_MAX = 1100, GUARD = 0xa5 };

static void test_golden_layout(void)
{
    static const uint32_t in[] = {1, 2, 3, 4, 5, 6, 7, 0, 1};
    uint8_t out[4] = {0, 0, 0, GUARD};

    seam_bitpack_u32(in, 8, 3, out); /* 001 010 011 100 101 110 111 000 from the low end */
    ck_assert_uint_eq(out[0], 0xd1);
    ck_assert_uint_eq(out[1], 0x58);
    ck_assert_uint_eq(out[2], 0x1f);
    ck_assert_uint_eq(out[3], GUARD);
    ck_assert_uint_eq(seam_bitpack_size(9, 3), 4);
    ck_assert_uint_eq(seam_bits_for_u64(0), 0);
    ck_assert_uint_eq(seam_bits_for_u64(1), 1);
    ck_assert_uint_eq(seam_bits_for_u64(UINT64_MAX), 64);
}

/* Each width, run lengths around every group size, all variants; packed bytes end exactly where they
 * should, no output past n is touched, and SEAM_BITPACK_SLACK bytes of rubbish change nothing.          */
static void check_u32(struct seam_rng *r, size_t n, unsigned width,
                      const struct seam_bitunpack_variant *const *v, size_t count)
{
    static uint32_t in[N_MAX], out[N_MAX + 32];
    uint32_t base = (uint32_t)seam_rng_u64(r), step = (uint32_t)seam_rng_u64(r);
    size_t wrong = 0;
    static uint8_t truth[N_MAX * 4 + SEAM_BITPACK_SLACK + 1];
    size_t size = seam_bitpack_size(n, width);

    for (size_t i = 0; i < n; i++)
        in[i] = width == 0 ? 0 : (uint32_t)(seam_rng_u64(r) >> (64 - width));
    seam_rng_bytes(r, truth, size + SEAM_BITPACK_SLACK);
    truth[size] = GUARD;
    seam_bitpack_u32(in, n, width, truth);
    ck_assert_uint_eq(truth[size], GUARD);
    for (size_t k = 0; k < count; k++) {
        /* exactly SEAM_BITPACK_SLACK bytes behind it: the address sanitizer sees one read further      */
        uint8_t *packed = malloc(size + SEAM_BITPACK_SLACK);

        memcpy(packed, truth, size + SEAM_BITPACK_SLACK);
        memset(out, GUARD, sizeof out);
        v[k]->u32(packed, n, width, out);
        ck_assert_msg(memcmp(in, out, n * sizeof *in) == 0, "%s u32 n %zu width %u", v[k]->name, n,
                      width);
        ck_assert_uint_eq(out[n], 0xa5a5a5a5);
        v[k]->for_u32(packed, n, width, base, out);
        for (size_t i = 0; i < n; i++) wrong += out[i] != (uint32_t)(base + in[i]);
        v[k]->delta_u32(packed, n, width, base, step, out);
        for (size_t i = 0; i < n; i++)
            wrong += out[i] != (uint32_t)((i == 0 ? base : out[i - 1]) + in[i] + step);
        ck_assert_msg(wrong == 0, "%s for/delta u32 n %zu width %u", v[k]->name, n, width);
        ck_assert_uint_eq(out[n], 0xa5a5a5a5);
        free(packed);
    }
    for (size_t i = 0; i < n; i++) {
        if (seam_bitpack_get(truth, i, width) != in[i]) ck_abort_msg("get %zu width %u", i, width);
    }
}

static void check_u64(struct seam_rng *r, size_t n, unsigned width,
                      const struct seam_bitunpack_variant *const *v, size_t count)
{
    static uint64_t in[N_MAX], out[N_MAX + 32];
    uint64_t base = (uint64_t)seam_rng_u64(r), step = (uint64_t)seam_rng_u64(r);
    size_t wrong = 0;
    static uint8_t truth[N_MAX * 8 + SEAM_BITPACK_SLACK + 1];
    size_t size = seam_bitpack_size(n, width);

    for (size_t i = 0; i < n; i++) in[i] = width == 0 ? 0 : seam_rng_u64(r) >> (64 - width);
    seam_rng_bytes(r, truth, size + SEAM_BITPACK_SLACK);
    truth[size] = GUARD;
    seam_bitpack_u64(in, n, width, truth);
    ck_assert_uint_eq(truth[size], GUARD);
    for (size_t k = 0; k < count; k++) {
        uint8_t *packed = malloc(size + SEAM_BITPACK_SLACK);

        memcpy(packed, truth, size + SEAM_BITPACK_SLACK);
        memset(out, GUARD, sizeof out);
        v[k]->u64(packed, n, width, out);
        ck_assert_msg(memcmp(in, out, n * sizeof *in) == 0, "%s u64 n %zu width %u", v[k]->name, n,
                      width);
        ck_assert_uint_eq(out[n], 0xa5a5a5a5a5a5a5a5ull);
        v[k]->for_u64(packed, n, width, base, out);
        for (size_t i = 0; i < n; i++) wrong += out[i] != (uint64_t)(base + in[i]);
        v[k]->delta_u64(packed, n, width, base, step, out);
        for (size_t i = 0; i < n; i++)
            wrong += out[i] != (uint64_t)((i == 0 ? base : out[i - 1]) + in[i] + step);
        ck_assert_msg(wrong == 0, "%s for/delta u64 n %zu width %u", v[k]->name, n, width);
        ck_assert_uint_eq(out[n], 0xa5a5a5a5a5a5a5a5ull);
        free(packed);
    }
    for (size_t i = 0; i < n; i++) {
        if (seam_bitpack_get(truth, i, width) != in[i]) ck_abort_msg("get %zu width %u", i, width);
    }
}

static void test_every_width_length_and_variant(void)
{
    static const size_t lengths[] = {63, 64, 65, 100, 127, 128, 129, 500, 1023, 1024, 1025};
    static const struct seam_bitunpack_variant chosen = {"chosen",
                                                         seam_bitunpack_u32,
                                                         seam_bitunpack_u64,
                                                         seam_bitunpack_for_u32,
                                                         seam_bitunpack_for_u64,
                                                         seam_bitunpack_delta_u32,
                                                         seam_bitunpack_delta_u64};
    const struct seam_bitunpack_variant *v[SEAM_BITUNPACK_VARIANTS_MAX + 1];
    size_t count = seam_bitunpack_variants(v);
    struct seam_rng r;

    v[count++] = &chosen;
    seam_rng_seed(&r, test_seed());
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t n = 0; n < 50; n++) {
            if (width <= 32) check_u32(&r, n, width, v, count);
            check_u64(&r, n, width, v, count);
        }
        for (size_t i = 0; i < SEAM_ARRAY_LEN(lengths); i++) {
            if (width <= 32) check_u32(&r, lengths[i], width, v, count);
            check_u64(&r, lengths[i], width, v, count);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {
        T(test_golden_layout),
        T(test_every_width_length_and_variant),
    };

    return run_tests("bitpack", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
