/* ints - sizes the four blocks, writes the smallest, and reads each in both widths. */
#include "columnar/format/ints.h"

#include <assert.h>

#include "engine/base/bitpack.h"

enum { HEAD_FOR = 10, HEAD_DELTA = 18, HEAD_RLE = 13 };

static uint64_t width_mask(unsigned width)
{
    return width >= 64 ? UINT64_MAX : (1ull << width) - 1;
}

struct columnar_shape {
    uint64_t min, max;
    int64_t step_min, step_max;
    size_t runs, run_max;
};

static void measure(const uint64_t *v, size_t n, struct columnar_shape *s)
{
    size_t run = 1;

    *s = (struct columnar_shape){.min = v[0],
                                 .max = v[0],
                                 .step_min = INT64_MAX,
                                 .step_max = INT64_MIN,
                                 .runs = 1,
                                 .run_max = 1};
    for (size_t i = 1; i < n; i++) {
        int64_t step = (int64_t)(v[i] - v[i - 1]);

        if (v[i] < s->min) s->min = v[i];
        if (v[i] > s->max) s->max = v[i];
        if (step < s->step_min) s->step_min = step;
        if (step > s->step_max) s->step_max = step;
    }
    if (s->min == s->max) return;
    for (size_t i = 1; i < n; i++) {
        if (v[i] == v[i - 1]) {
            run++;
            continue;
        }
        if (run > s->run_max) s->run_max = run;
        run = 1;
        s->runs++;
    }
    if (run > s->run_max) s->run_max = run;
}

static void encode_rle(const uint64_t *v, size_t n, const struct columnar_shape *s, unsigned width,
                       unsigned length_width, struct seam_buf *out)
{
    uint64_t values[INTS_MAX], lengths[INTS_MAX];
    size_t runs = 0;
    uint8_t *p;

    for (size_t i = 0; i < n;) {
        size_t j = i + 1;

        while (j < n && v[j] == v[i]) j++;
        values[runs] = v[i] - s->min;
        lengths[runs++] = j - i - 1;
        i = j;
    }
    seam_buf_u8(out, INTS_RLE);
    seam_buf_u8(out, (uint8_t)width);
    seam_buf_u8(out, (uint8_t)length_width);
    seam_buf_u16(out, (uint16_t)runs);
    seam_buf_u64(out, s->min);
    p = seam_buf_extend(out, seam_bitpack_size(runs, width));
    if (p != NULL) seam_bitpack_u64(values, runs, width, p);
    p = seam_buf_extend(out, seam_bitpack_size(runs, length_width));
    if (p != NULL) seam_bitpack_u64(lengths, runs, length_width, p);
}

static void encode_delta(const uint64_t *v, size_t n, const struct columnar_shape *s,
                         unsigned width, struct seam_buf *out)
{
    uint64_t steps[INTS_MAX];
    uint8_t *p;

    for (size_t i = 1; i < n; i++) steps[i - 1] = v[i] - v[i - 1] - (uint64_t)s->step_min;
    seam_buf_u8(out, INTS_DELTA);
    seam_buf_u8(out, (uint8_t)width);
    seam_buf_u64(out, v[0]);
    seam_buf_u64(out, (uint64_t)s->step_min);
    p = seam_buf_extend(out, seam_bitpack_size(n - 1, width));
    if (p != NULL) seam_bitpack_u64(steps, n - 1, width, p);
}

static void encode_for(const uint64_t *v, size_t n, const struct columnar_shape *s, unsigned width,
                       struct seam_buf *out)
{
    uint64_t offsets[INTS_MAX];
    uint8_t *p;

    for (size_t i = 0; i < n; i++) offsets[i] = v[i] - s->min;
    seam_buf_u8(out, width == 0 ? INTS_CONST : INTS_FOR);
    seam_buf_u8(out, (uint8_t)width);
    seam_buf_u64(out, s->min);
    p = seam_buf_extend(out, seam_bitpack_size(n, width));
    if (p != NULL && width > 0) seam_bitpack_u64(offsets, n, width, p);
}

void columnar_ints_encode(const uint64_t *v, size_t n, bool random_access, struct seam_buf *out)
{
    struct columnar_shape s;
    unsigned width, step_width, length_width;
    size_t size_for, size_delta, size_rle;

    assert(n >= 1 && n <= INTS_MAX);
    measure(v, n, &s);
    width = seam_bits_for_u64(s.max - s.min);
    if (width == 0) {
        encode_for(v, n, &s, 0, out);
        return;
    }
    /* A step range that wraps measures as 64 bits wide, and loses. */
    step_width = s.step_max >= s.step_min
                     ? seam_bits_for_u64((uint64_t)s.step_max - (uint64_t)s.step_min)
                     : 64;
    length_width = seam_bits_for_u64(s.run_max - 1);
    size_for = HEAD_FOR + seam_bitpack_size(n, width);
    size_delta = random_access ? SIZE_MAX : HEAD_DELTA + seam_bitpack_size(n - 1, step_width);
    size_rle =
        HEAD_RLE + seam_bitpack_size(s.runs, width) + seam_bitpack_size(s.runs, length_width);
    /* The others decode slower than FOR, so they must save something for it. */
    if (size_rle < size_delta && size_rle + size_for / 8 < size_for)
        encode_rle(v, n, &s, width, length_width, out);
    else if (size_delta != SIZE_MAX && size_delta + size_for / 8 < size_for)
        encode_delta(v, n, &s, step_width, out);
    else
        encode_for(v, n, &s, width, out);
}

bool columnar_ints_parse(const uint8_t *p, size_t size, size_t n, struct columnar_ints_block *b)
{
    if (size < HEAD_FOR || n < 1 || n > INTS_MAX) return false;
    *b = (struct columnar_ints_block){.mode = p[0], .width = p[1]};
    if (b->width > 64) return false;
    switch (b->mode) {
    case INTS_CONST: b->base = seam_get_u64(p + 2); return b->width == 0 && size == HEAD_FOR;
    case INTS_FOR:
        b->base = seam_get_u64(p + 2);
        b->packed = p + HEAD_FOR;
        return size == HEAD_FOR + seam_bitpack_size(n, b->width);
    case INTS_DELTA:
        if (size < HEAD_DELTA) return false;
        b->base = seam_get_u64(p + 2);
        b->step = seam_get_u64(p + 10);
        b->packed = p + HEAD_DELTA;
        return size == HEAD_DELTA + seam_bitpack_size(n - 1, b->width);
    case INTS_RLE:
        if (size < HEAD_RLE) return false;
        b->length_width = p[2];
        b->runs = seam_get_u16(p + 3);
        b->base = seam_get_u64(p + 5);
        b->packed = p + HEAD_RLE;
        if (b->length_width > 11 || b->runs < 1 || b->runs > n) return false;
        b->lengths = b->packed + seam_bitpack_size(b->runs, b->width);
        return size == HEAD_RLE + seam_bitpack_size(b->runs, b->width) +
                           seam_bitpack_size(b->runs, b->length_width);
    default: return false;
    }
}

uint64_t columnar_ints_bound(const struct columnar_ints_block *b)
{
    uint64_t mask = width_mask(b->width);

    if (b->mode == INTS_DELTA) return UINT64_MAX;
    return b->base > UINT64_MAX - mask ? UINT64_MAX : b->base + mask;
}

bool columnar_ints_runs(const struct columnar_ints_block *b, size_t n, uint64_t *values,
                        uint32_t *lengths)
{
    uint64_t total = 0;

    seam_bitunpack_for_u64(b->packed, b->runs, b->width, b->base, values);
    seam_bitunpack_u32(b->lengths, b->runs, b->length_width, lengths);
    for (size_t i = 0; i < b->runs; i++) {
        total += ++lengths[i];
    }
    return total == n;
}

bool columnar_ints_decode64(const struct columnar_ints_block *b, size_t n, uint64_t *out)
{
    uint64_t values[INTS_MAX];
    uint32_t lengths[INTS_MAX];

    switch (b->mode) {
    case INTS_CONST:
        for (size_t i = 0; i < n; i++) out[i] = b->base;
        return true;
    case INTS_FOR: seam_bitunpack_for_u64(b->packed, n, b->width, b->base, out); return true;
    case INTS_DELTA:
        out[0] = b->base;
        if (n > 1) seam_bitunpack_delta_u64(b->packed, n - 1, b->width, b->base, b->step, out + 1);
        return true;
    default:
        if (!columnar_ints_runs(b, n, values, lengths)) return false;
        for (size_t r = 0; r < b->runs; r++)
            for (uint32_t k = 0; k < lengths[r]; k++) *out++ = values[r];
        return true;
    }
}

bool columnar_ints_decode32(const struct columnar_ints_block *b, size_t n, uint32_t *out)
{
    uint32_t base = (uint32_t)b->base, step = (uint32_t)b->step;
    uint64_t values[INTS_MAX];
    uint32_t lengths[INTS_MAX];

    if (b->width > 32) return false;
    switch (b->mode) {
    case INTS_CONST:
        for (size_t i = 0; i < n; i++) out[i] = base;
        return true;
    case INTS_FOR: seam_bitunpack_for_u32(b->packed, n, b->width, base, out); return true;
    case INTS_DELTA:
        out[0] = base;
        if (n > 1) seam_bitunpack_delta_u32(b->packed, n - 1, b->width, base, step, out + 1);
        return true;
    default:
        if (!columnar_ints_runs(b, n, values, lengths)) return false;
        for (size_t r = 0; r < b->runs; r++)
            for (uint32_t k = 0; k < lengths[r]; k++) *out++ = (uint32_t)values[r];
        return true;
    }
}

bool columnar_ints_get(const struct columnar_ints_block *b, size_t n, size_t i, uint64_t *out)
{
    uint64_t all[INTS_MAX];

    if (b->mode == INTS_CONST) {
        *out = b->base;
        return true;
    }
    if (b->mode == INTS_FOR) {
        *out = b->base + seam_bitpack_get(b->packed, i, b->width);
        return true;
    }
    if (!columnar_ints_decode64(b, n, all)) return false;
    *out = all[i];
    return true;
}

const char *columnar_ints_mode_name(enum columnar_ints_mode m)
{
    static const char *const names[INTS_MODES] = {"const", "for", "delta", "rle"};

    return m < INTS_MODES ? names[m] : "?";
}
