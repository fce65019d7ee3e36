/* Goal:   every type survives every encoding, with nulls and extremes; statistics bound what they describe;
 *         SIMD kernels equal the scalar ones; the bytes are those of the format's page.
 * Method: columns of many shapes are encoded, opened and read back, value by value.                 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/format/chunk.h"
#include "columnar/format/kernels.h"
#include "engine/base/bitpack.h"
#include "engine/base/rng.h"
#include "tests/common/check_main.h"

enum { ROWS = 5000 };

struct sample {
    int64_t i[ROWS];
    double d[ROWS];
    char text[ROWS * 64];
    uint64_t ends[ROWS], nulls[ROWS / 64 + 1];
};

static int64_t int_of(struct seam_rng *r, int shape, int i)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1};

    switch (shape) {
    case 0: return 42;
    case 1: return i;
    case 2: return seam_rng_range(r, -100, 100);
    case 3: return (int64_t)seam_rng_u64(r);
    case 4: return extremes[seam_rng_below(r, 6)];
    case 5: return i / 700 * 1000;
    case 6: return seam_rng_range(r, 0, 2000) * 86400000000;
    case 7: return (int64_t)(seam_rng_below(r, 5) * 0x123456789abcdull);
    default: return 1000000 - 3 * i + seam_rng_range(r, 0, 1);
    }
}

static double double_of(struct seam_rng *r, int shape, int i)
{
    static const double odd[] = {0.0,      -0.0,      1e308, -1e308, 5e-324,
                                 INFINITY, -INFINITY, NAN,   0.1,    1.0 / 3};

    switch (shape) {
    case 0: return 2.5;
    case 1: return i * 0.01;
    case 2: return (double)seam_rng_range(r, -100000, 100000) / 1000;
    case 3: return seam_rng_normal(r);
    case 4: return odd[seam_rng_below(r, SEAM_ARRAY_LEN(odd))];
    case 5:
        return seam_rng_below(r, 50) == 0 ? seam_rng_normal(r)
                                          : (double)seam_rng_range(r, 0, 99999) / 100;
    default: return (double)(seam_rng_below(r, 4) * 1000003) / 7;
    }
}

static size_t text_of(struct seam_rng *r, int shape, int i, char *out)
{
    static const char *const few[] = {"AIR", "RAIL", "", "REG AIR",
                                      "a longer value of a dictionary"};
    size_t n = 0;

    switch (shape) {
    case 0: return (size_t)sprintf(out, "same");
    case 1: return (size_t)sprintf(out, "%s", few[seam_rng_below(r, 5)]);
    case 2:
        return (size_t)sprintf(out, "carefully final requests %d sleep",
                               (int)seam_rng_below(r, 100000));
    case 3:
        n = seam_rng_below(r, 40);
        seam_rng_bytes(r, out, n);
        return n;
    case 4: return (size_t)sprintf(out, "%s%08d", i % 2 ? "prefix-shared-" : "", i);
    default: return 0;
    }
}

static void make(struct sample *s, struct seam_rng *r, enum seam_value_type t, int shape, int nulls,
                 size_t n)
{
    uint64_t at = 0;

    memset(s->nulls, 0, sizeof s->nulls);
    for (size_t i = 0; i < n; i++) {
        if (nulls == 2 || (nulls == 1 && seam_rng_below(r, 7) == 0) || (nulls == 3 && i < 2100))
            seam_bitset_set(s->nulls, i);
        s->i[i] = t == SEAM_V_BOOL ? (int64_t)seam_rng_below(r, 2) : int_of(r, shape, (int)i);
        s->d[i] = double_of(r, shape, (int)i);
        if (!seam_bitset_get(s->nulls, i)) at += text_of(r, shape, (int)i, s->text + at);
        s->ends[i] = at;
    }
}

static void check_cell(const struct sample *s, enum seam_value_type t, size_t i,
                       const struct columnar_vec *v, uint32_t row)
{
    uint32_t slot = columnar_vec_slot(v, row);
    uint64_t begin = i == 0 ? 0 : s->ends[i - 1];

    ck_assert_int_eq(columnar_vec_null(v, row), seam_bitset_get(s->nulls, i));
    if (columnar_vec_null(v, row)) return;
    if (t == SEAM_V_TEXT) {
        ck_assert_uint_eq(v->s[slot].len, s->ends[i] - begin);
        ck_assert_int_eq(memcmp(v->s[slot].s, s->text + begin, v->s[slot].len), 0);
    } else if (t == SEAM_V_DOUBLE) {
        if (isnan(s->d[i]))
            ck_assert(isnan(v->d[slot]));
        else
            ck_assert_int_eq(memcmp(&v->d[slot], &s->d[i], 8), 0);
    } else {
        ck_assert_int_eq(v->i[slot], s->i[i]);
    }
}

static void round_trip(const struct sample *s, enum seam_value_type t, size_t n, bool with_nulls)
{
    struct columnar_column c = {.nulls = with_nulls ? s->nulls : NULL};
    struct columnar_chunk_scratch *scratch = columnar_chunk_scratch_new();
    struct columnar_chunk_summary sum;
    struct columnar_chunk *chunk = NULL;
    struct seam_buf b = {0};
    size_t size, at, row = 0;

    if (t == SEAM_V_TEXT)
        c.text = s->text, c.ends = s->ends;
    else if (t == SEAM_V_DOUBLE)
        c.doubles = s->d;
    else
        c.ints = s->i;
    columnar_chunk_encode(&c, 0, n, t, t == SEAM_V_DECIMAL ? 2 : 0, &b, &sum);
    ck_assert(seam_buf_ok(&b));
    size = b.size;
    memset(seam_buf_extend(&b, SEAM_BITPACK_SLACK), 0xee, SEAM_BITPACK_SLACK);
    ck_assert_int_eq(columnar_chunk_open(b.data, size, &chunk, &at), SEAM_OK);
    ck_assert_uint_eq(chunk->rows, n);
    ck_assert_uint_eq(chunk->nulls, with_nulls ? seam_bitset_count(s->nulls, n) : 0);
    for (uint32_t v = 0; v < chunk->vectors; v++) {
        struct columnar_vec vec;

        ck_assert_int_eq(columnar_chunk_read(chunk, v, scratch, &vec), SEAM_OK);
        for (uint32_t i = 0; i < chunk_vector_rows(chunk, v); i++, row++) {
            check_cell(s, t, row, &vec, i);
            if (!columnar_vec_null(&vec, i) && t != SEAM_V_TEXT && t != SEAM_V_DOUBLE) {
                ck_assert_int_ge(s->i[row], chunk->zones[v].min);
                ck_assert_int_le(s->i[row], chunk->zones[v].max);
            }
        }
    }
    columnar_chunk_close(chunk);
    columnar_chunk_scratch_free(scratch);
    seam_buf_free(&b);
}

static void test_every_type_survives_every_shape(void)
{
    static const size_t sizes[] = {1, 63, 64, 65, 2047, 2048, 2049, 4100, ROWS};
    static struct sample s;
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int t = SEAM_V_INT; t <= SEAM_V_TEXT; t++)
        for (int shape = 0; shape < 9; shape++)
            for (int nulls = 0; nulls < 4; nulls++)
                for (size_t k = 0; k < SEAM_ARRAY_LEN(sizes); k++) {
                    if (sizes[k] > 66 && (k + (size_t)shape + (size_t)nulls) % 6) continue;
                    make(&s, &r, (enum seam_value_type)t, shape, nulls, sizes[k]);
                    round_trip(&s, (enum seam_value_type)t, sizes[k], nulls > 0);
                }
}

static void test_ints_choose_the_small_block(void)
{
    uint64_t v[2048];
    struct columnar_ints_block b;
    struct seam_buf out = {0};
    uint64_t got[2048], one;

    for (int i = 0; i < 2048; i++) v[i] = 7;
    columnar_ints_encode(v, 2048, false, &out);
    ck_assert(columnar_ints_parse(out.data, out.size, 2048, &b));
    ck_assert_int_eq(b.mode, INTS_CONST);
    seam_buf_clear(&out);
    for (int i = 0; i < 2048; i++) v[i] = 5000 + (uint64_t)i * 3;
    columnar_ints_encode(v, 2048, false, &out);
    ck_assert_uint_eq(out.size, 18); /* a stride costs nothing a value */
    seam_buf_clear(&out);
    for (int i = 0; i < 2048; i++) v[i] = (uint64_t)(i / 500) * 1000;
    columnar_ints_encode(v, 2048, true, &out);
    seam_buf_reserve(&out, SEAM_BITPACK_SLACK);
    ck_assert(columnar_ints_parse(out.data, out.size, 2048, &b));
    ck_assert_int_eq(b.mode, INTS_RLE);
    ck_assert(columnar_ints_decode64(&b, 2048, got));
    ck_assert_int_eq(memcmp(got, v, sizeof v), 0);
    ck_assert(columnar_ints_get(&b, 2048, 1700, &one) && one == v[1700]);
    seam_buf_free(&out);
}

/* The example of the format: four values, frame of reference, two bits each. */
static void test_ints_block_bytes_are_those_of_the_format(void)
{
    static const uint8_t want[] = {1, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0x8d};
    uint64_t v[4] = {11, 13, 10, 12};
    struct seam_buf out = {0};

    columnar_ints_encode(v, 4, true, &out);
    ck_assert_uint_eq(out.size, sizeof want);
    ck_assert_int_eq(memcmp(out.data, want, sizeof want), 0);
    seam_buf_free(&out);
}

static void test_symbols_make_words_small(void)
{
    struct seam_buf text = {0}, coded = {0};
    struct columnar_symbol_encoder *e;
    uint8_t *back;

    for (int i = 0; i < 3000; i++)
        seam_buf_printf(&text, "carefully ironic packages sleep %d ", i % 10);
    e = columnar_symbols_learn(text.data, text.size);
    ck_assert_ptr_nonnull(e);
    columnar_symbols_encode(e, text.data, text.size, &coded);
    ck_assert_uint_lt(coded.size * 5, text.size);
    back = malloc(text.size + SYMBOLS_DECODE_SLACK);
    ck_assert(columnar_symbols_decode(columnar_symbols_table(e), coded.data, coded.size, back,
                                      text.size));
    ck_assert_int_eq(memcmp(back, text.data, text.size), 0);
    ck_assert(!columnar_symbols_decode(columnar_symbols_table(e), coded.data, coded.size, back,
                                       text.size - 1));
    free(back);
    columnar_symbols_encoder_free(e);
    seam_buf_free(&text);
    seam_buf_free(&coded);
}

static void test_kernels_equal_the_scalar_ones(void)
{
    static uint32_t narrow[2048 + 64];
    static uint64_t wide[2048 + 64];
    struct seam_rng r;

    seam_rng_seed(&r, test_seed());
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + seam_rng_below(&r, 2048);
        uint64_t a[COLUMNAR_VECTOR_WORDS], b[COLUMNAR_VECTOR_WORDS], mask[COLUMNAR_VECTOR_WORDS];
        uint32_t lo = (uint32_t)seam_rng_u64(&r),
                 span = (uint32_t)seam_rng_u64(&r) >> seam_rng_below(&r, 32);

        for (size_t i = 0; i < n; i++) {
            narrow[i] = seam_rng_below(&r, 2) ? lo + (uint32_t)seam_rng_below(&r, 300)
                                              : (uint32_t)seam_rng_u64(&r);
            wide[i] = seam_rng_u64(&r) >> seam_rng_below(&r, 40);
        }
        seam_rng_bytes(&r, mask, sizeof mask);
        columnar_kernel_range_u32(narrow, n, lo, span, a);
        columnar_kernel_range_u32_scalar(narrow, n, lo, span, b);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        columnar_kernel_range_u64(wide, n, wide[0], span, a);
        columnar_kernel_range_u64_scalar(wide, n, wide[0], span, b);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        ck_assert_int_eq(columnar_kernel_sum_i64((int64_t *)wide, n, mask),
                         columnar_kernel_sum_i64_scalar((int64_t *)wide, n, mask));
        ck_assert_int_eq(columnar_kernel_sum_i64((int64_t *)wide, n, NULL),
                         columnar_kernel_sum_i64_scalar((int64_t *)wide, n, NULL));
    }
}

static void test_zones_order_as_values_do(void)
{
    static const double d[] = {-INFINITY, -1e300, -1,  -5e-324, -0.0,
                               0.0,       5e-324, 0.5, 1e300,   INFINITY};

    for (size_t i = 0; i + 1 < SEAM_ARRAY_LEN(d); i++)
        ck_assert_int_lt(columnar_zone_of_double(d[i]), columnar_zone_of_double(d[i + 1]));
    ck_assert_int_gt(columnar_zone_of_double(NAN), columnar_zone_of_double(INFINITY));
    ck_assert_int_gt(columnar_zone_of_double(-(double)NAN), columnar_zone_of_double(INFINITY));
    ck_assert_int_lt(columnar_zone_of_text("a", 1), columnar_zone_of_text("b", 1));
    ck_assert_int_lt(columnar_zone_of_text("", 0), columnar_zone_of_text("\x80", 1));
}

static const struct named_test tests[] = {T(test_every_type_survives_every_shape),
                                          T(test_ints_choose_the_small_block),
                                          T(test_ints_block_bytes_are_those_of_the_format),
                                          T(test_symbols_make_words_small),
                                          T(test_kernels_equal_the_scalar_ones),
                                          T(test_zones_order_as_values_do)};

int main(int argc, char **argv)
{
    return run_tests("columnar encodings", tests, SEAM_ARRAY_LEN(tests), argc, argv);
}
